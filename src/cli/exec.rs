//! `terrace exec`: a script through the real kernel.

use super::StrategyArg;
use super::threads::{DriverArg, ThreadArgs};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Read, Write};
use std::path::PathBuf;
use terrace::engine::{Engine, EngineSettings};
use terrace::presets::Preset;
use terrace::protocol::{Rejection, Session, TierTables};
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

    /// Rules of a venue that the script's instruments follow; `terrace presets` tells of them.
    #[arg(long, value_name = "NAME", value_parser = super::presets::named)]
    preset: Option<&'static Preset>,

    /// Margin tables for instruments that bring none, by symbol: Binance's leverage brackets or ccxt's tiers, JSON.
    #[arg(long, value_name = "FILE")]
    tiers: Vec<PathBuf>,

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
    let tables = super::presets::tier_tables(&args.tiers)?;
    let mut output = BufWriter::new(io::stdout());
    let input = BufReader::new(input);
    let done = match args.driver {
        DriverArg::Inline => {
            let session = prepare(Session::new(settings), args, tables)?;
            carry_out(session, args.strict, input, &mut output, dialogue)
        }
        DriverArg::Threaded => {
            let session = prepare(Session::over(start(args, settings)?), args, tables)?;
            carry_out(session, args.strict, input, &mut output, dialogue)
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

/// What comes before the script.
fn prepare<D: Driver>(mut session: Session<D>, args: &Args, tables: TierTables) -> Result<Session<D>, String> {
    session.use_tier_tables(tables);
    if let Some(preset) = args.preset {
        let refused =
            |rejection: Rejection| format!("preset {}: {}: {}", preset.name, rejection.code, rejection.reason);
        preset.carry_out(&mut session).map_err(refused)?;
    }
    Ok(session)
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
