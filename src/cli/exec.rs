//! `terrace exec`: a script through the real kernel.

use super::StrategyArg;
use super::threads::{DriverArg, ThreadArgs};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Read, Write};
use std::path::PathBuf;
use terrace::engine::{Engine, EngineSettings};
use terrace::protocol::{Rejection, Session};
use terrace::{Driver, Kernel, Settings};

/// The longest line that is read; a longer one is no command.
const MAX_LINE: u64 = 16 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The script, JSON Lines; `-` is standard input.
    file: PathBuf,

    /// Number of shards; it never shows in the output.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    shards: u32,

    /// How breaches are found; it never shows in the output.
    #[arg(long, value_enum, default_value_t)]
    strategy: StrategyArg,

    /// Who runs the kernel; it never shows in the output.
    #[arg(long, value_enum, default_value_t = DriverArg::Inline)]
    driver: DriverArg,

    #[command(flatten)]
    threads: ThreadArgs,

    /// Stop at the first command that is refused, with exit status 1.
    #[arg(long)]
    strict: bool,
}

pub(super) fn run(args: &Args) -> Result<(), String> {
    let settings = Settings { shards: args.shards, strategy: args.strategy.into(), ..Settings::default() };
    let name = args.file.display().to_string();
    let from_stdin = name == "-";
    let input: Box<dyn Read> = if from_stdin {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(&args.file).map_err(|error| format!("cannot open {name}: {error}"))?)
    };
    let dialogue = from_stdin && !io::stdin().is_terminal() || io::stdout().is_terminal();
    let mut output = BufWriter::new(io::stdout());
    let input = BufReader::new(input);
    let done = match args.driver {
        DriverArg::Inline => carry_out(Session::new(settings), args.strict, input, &mut output, dialogue),
        DriverArg::Threaded => {
            let engine = start(args, settings)?;
            carry_out(Session::over(engine), args.strict, input, &mut output, dialogue)
        }
    };
    match done {
        Ok(()) => Ok(()),
        Err(Stop::Refused(message)) => Err(format!("{name}:{message}")),
        Err(Stop::Read(error)) => Err(format!("cannot read {name}: {error}")),
        Err(Stop::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()), // nobody listens any more
        Err(Stop::Write(error)) => Err(format!("cannot write: {error}")),
    }
}

/// Starts threads over an empty kernel, and says which.
fn start(args: &Args, settings: Settings) -> Result<Engine, String> {
    let layout = args.threads.layout(Some(args.shards));
    let settings_of_engine = EngineSettings { layout, ..EngineSettings::default() };
    let engine = Engine::start(Kernel::new(settings), &settings_of_engine).map_err(|error| error.to_string())?;
    eprintln!("terrace: {}", engine.shape());
    Ok(engine)
}

/// Why a script ended before its end.
enum Stop {
    Refused(String),
    Read(io::Error),
    Write(io::Error),
}

/// Carries a script out line by line; in a dialogue every answer is flushed before the next line is read.
fn carry_out(
    mut session: Session<impl Driver>,
    strict: bool,
    mut input: impl BufRead,
    output: &mut impl Write,
    dialogue: bool,
) -> Result<(), Stop> {
    let mut line = Vec::new();
    let mut answer = String::new();
    loop {
        line.clear();
        answer.clear();
        if input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(Stop::Read)? == 0 {
            return output.flush().map_err(Stop::Write);
        }
        if line.len() as u64 == MAX_LINE {
            let message = format!("a line is longer than {MAX_LINE} bytes");
            return Err(Stop::Read(io::Error::new(io::ErrorKind::InvalidData, message)));
        }
        let refused = session.line(line.trim_ascii_end(), &mut answer).err();
        output.write_all(answer.as_bytes()).map_err(Stop::Write)?;
        if dialogue {
            output.flush().map_err(Stop::Write)?;
        }
        let stops = |rejection: &Rejection| strict || rejection.has_stopped();
        if let Some(rejection) = refused.filter(stops) {
            output.flush().map_err(Stop::Write)?;
            return Err(Stop::Refused(format!("{}: {}: {}", session.seq(), rejection.code, rejection.reason)));
        }
    }
}
