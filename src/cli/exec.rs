//! `terrace exec`: a script through the real kernel.

use super::MAX_LINE;
use super::session::SessionArgs;
use super::threads::DriverArg;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Read, Write};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use terrace::journal::RealDisk;
use terrace::protocol::{DurableSession, Made, Rejection, Session, Snapshots, TierTables};
use terrace::{Driver, Recorder, Settings};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The script, JSON Lines; `-` is standard input.
    file: PathBuf,

    #[command(flatten)]
    kernel: SessionArgs,

    /// Save the state beside the journal every N places, by a thread that follows it; the two newest snapshots stay.
    #[arg(long, value_name = "N", requires = "journal")]
    snapshot_every: Option<NonZeroU64>,

    /// Stop at the first command that is refused, with exit status 1.
    #[arg(long)]
    strict: bool,
}

pub(super) fn run(args: &Args) -> Result<(), String> {
    let name = args.file.display().to_string();
    let from_stdin = name == "-";
    let input: Box<dyn Read> = if from_stdin {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(&args.file).map_err(|error| format!("cannot open {name}: {error}"))?)
    };
    let dialogue = from_stdin && !io::stdin().is_terminal() || io::stdout().is_terminal();
    let tables = args.kernel.tables()?;
    let mut output = BufWriter::new(io::stdout());
    let input = BufReader::new(input);
    if let Some(directory) = &args.kernel.journal {
        return durable(args, directory, tables, (input, &name), &mut output);
    }
    let kernel = args.kernel.kernel();
    let done = match args.kernel.driver {
        DriverArg::Inline => {
            let session = args.kernel.prepare(Session::over(kernel), tables)?;
            carry_out(session, args.strict, input, &mut output, dialogue)
        }
        DriverArg::Threaded => {
            let session = args.kernel.prepare(Session::over(args.kernel.over_threads(kernel, false)?), tables)?;
            carry_out(session, args.strict, input, &mut output, dialogue)
        }
    };
    ended(done, &name)
}

pub(super) fn ended(done: Result<(), Stop>, name: &str) -> Result<(), String> {
    match done {
        Ok(()) => Ok(()),
        Err(Stop::Journal(message)) => Err(format!("the journal has failed, nothing more is carried out: {message}")),
        Err(Stop::Refused(message)) => Err(format!("{name}:{message}")),
        Err(Stop::Read(error)) => Err(format!("cannot read {name}: {error}")),
        Err(Stop::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()), // nobody listens any more
        Err(Stop::Write(error)) => Err(format!("cannot write: {error}")),
    }
}

/// Why a script ended before its end.
pub(super) enum Stop {
    Journal(String),
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

pub(super) type Input = BufReader<Box<dyn Read>>;

/// The script with a journal: what a line leads to is told when the journal keeps it.
fn durable(
    args: &Args,
    directory: &Path,
    tables: TierTables,
    (input, name): (Input, &str),
    output: &mut impl Write,
) -> Result<(), String> {
    let (_lock, opened) = args.kernel.open(directory)?;
    let mut snapshots =
        args.snapshot_every.map(|every| save_by_the_way(directory, args.kernel.settings(), every)).transpose()?;
    let done = match args.kernel.driver {
        DriverArg::Inline => {
            let session = opened.start(tables).map_err(|error| error.to_string())?;
            carry_out_durably(session, args.strict, input, output, &mut snapshots)
        }
        DriverArg::Threaded => {
            let opened = opened.place(|kernel| args.kernel.over_threads(kernel, true))?;
            let session = opened.start(tables).map_err(|error| error.to_string())?;
            carry_out_durably(session, args.strict, input, output, &mut snapshots)
        }
    };
    ended(done, name)
}

/// Starts what makes snapshots; what comes of each is said, and ends nothing.
fn save_by_the_way(directory: &Path, settings: Settings, every: NonZeroU64) -> Result<Snapshots, String> {
    let tell = |made: Made| match made {
        Ok(made) if made.bytes.is_some() => {
            eprintln!("terrace: snapshot {}, up to line {}", made.snapshot.file.display(), made.last_line);
        }
        Ok(_) => {}
        Err(error) => eprintln!("terrace: no snapshot was made: {error}"),
    };
    let started = Snapshots::start(RealDisk, directory.to_owned(), settings, (every, super::journal::KEPT), tell);
    started.map_err(|error| format!("cannot start the thread that makes snapshots: {error}"))
}

/// Most bytes of answers that are held back before they are waited for.
const HELD: usize = 1 << 18;

/// Carries a script out line by line. Lines that are there already share a sync; before more is waited for, all are answered.
pub(super) fn carry_out_durably(
    mut session: DurableSession<impl Driver + Recorder>,
    strict: bool,
    mut input: Input,
    output: &mut impl Write,
    snapshots: &mut Option<Snapshots>,
) -> Result<(), Stop> {
    let mut line = Vec::new();
    let mut held = String::new();
    loop {
        let more = input.buffer().contains(&b'\n');
        if !more || held.len() >= HELD {
            answer(&mut session, &mut held, output)?;
            if let Some(snapshots) = snapshots {
                snapshots.reached(session.places());
            }
        }
        line.clear();
        if input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(Stop::Read)? == 0 {
            return session.finish().map_err(|error| Stop::Journal(error.to_string()));
        }
        if line.len() as u64 == MAX_LINE {
            let message = format!("a line is longer than {MAX_LINE} bytes");
            return Err(Stop::Read(io::Error::new(io::ErrorKind::InvalidData, message)));
        }
        let refused = session.line(line.trim_ascii_end(), &mut held).err();
        if session.has_failed() {
            return Err(failure(session));
        }
        let stops = |rejection: &Rejection| strict || rejection.has_stopped();
        if let Some(rejection) = refused.filter(stops) {
            answer(&mut session, &mut held, output)?;
            let stop = format!("{}: {}: {}", session.seq(), rejection.code, rejection.reason);
            session.finish().map_err(|error| Stop::Journal(error.to_string()))?;
            return Err(Stop::Refused(stop));
        }
    }
}

/// Tells what was held back, once the journal keeps it.
fn answer(
    session: &mut DurableSession<impl Driver + Recorder>,
    held: &mut String,
    output: &mut impl Write,
) -> Result<(), Stop> {
    if session.wait().is_err() {
        let reason = session.failure().map_or_else(String::new, ToString::to_string);
        return Err(Stop::Journal(reason));
    }
    output.write_all(held.as_bytes()).and_then(|()| output.flush()).map_err(Stop::Write)?;
    held.clear();
    Ok(())
}

fn failure(session: DurableSession<impl Driver + Recorder>) -> Stop {
    let error = session.finish().err();
    Stop::Journal(error.map_or_else(|| "the kernel has stopped".to_owned(), |error| error.to_string()))
}
