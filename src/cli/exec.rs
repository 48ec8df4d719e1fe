//! `terrace exec`: a script through the real kernel.

use super::StrategyArg;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Read, Write};
use std::path::PathBuf;
use terrace::Settings;
use terrace::protocol::Session;

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
    match carry_out(settings, args.strict, BufReader::new(input), &mut output, dialogue) {
        Ok(()) => Ok(()),
        Err(Stop::Refused(message)) => Err(format!("{name}:{message}")),
        Err(Stop::Read(error)) => Err(format!("cannot read {name}: {error}")),
        Err(Stop::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()), // nobody listens any more
        Err(Stop::Write(error)) => Err(format!("cannot write: {error}")),
    }
}

/// Why a script ended before its end.
enum Stop {
    Refused(String),
    Read(io::Error),
    Write(io::Error),
}

/// Carries a script out line by line; in a dialogue every answer is flushed before the next line is read.
fn carry_out(
    settings: Settings,
    strict: bool,
    mut input: impl BufRead,
    output: &mut impl Write,
    dialogue: bool,
) -> Result<(), Stop> {
    let mut session = Session::new(settings);
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
        if let (true, Some(rejection)) = (strict, refused) {
            output.flush().map_err(Stop::Write)?;
            return Err(Stop::Refused(format!("{}: {}: {}", session.seq(), rejection.code, rejection.reason)));
        }
    }
}
