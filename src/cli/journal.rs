//! `terrace journal` and `terrace recover`: what is in a journal, whether this program comes to the same, and repairing its end.

use super::StrategyArg;
use clap::Subcommand;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use terrace::engine::{Entry, Output};
use terrace::journal::{
    Cut, Frame, JournalError, JournalSettings, Passed, PlayError, Played, Reader, RealDisk, SnapshotError,
    SnapshotFile, Start, Totals, WriteLock,
};
use terrace::protocol::{Encoder, Followed, Opened, Recovery, Snapshot};
use terrace::{Declaration, Kernel, RuleVersion, Settings};

/// Snapshots that `--prune` leaves.
pub(super) const KEPT: usize = 2;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show every place as a line of the protocol, and what a dialogue kept of its lines.
    Print(Args),
    /// Go through it again, and compare every outcome and every check.
    Verify(Args),
    /// Count what is in it, without going through it.
    Stat(Args),
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The directory of the journal.
    directory: PathBuf,

    /// Number of shards; it never shows in what comes out.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    shards: u32,

    /// How breaches are found; it never shows in what comes out.
    #[arg(long, value_enum, default_value_t)]
    strategy: StrategyArg,
}

impl Args {
    fn settings(&self) -> Settings {
        Settings { shards: self.shards, strategy: self.strategy.into(), ..Settings::default() }
    }

    fn kernel(&self) -> Kernel {
        Kernel::new(self.settings())
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct SnapshotArgs {
    #[command(flatten)]
    of: Args,

    /// Then remove all snapshots but the two newest, and the segments that neither of them needs.
    #[arg(long)]
    prune: bool,
}

pub(super) fn run(command: &Command) -> Result<(), String> {
    let mut out = BufWriter::new(io::stdout());
    let done = match command {
        Command::Print(args) => print(args, &mut out),
        Command::Verify(args) => verify(args, &mut out),
        Command::Stat(args) => stat(&args.directory, &mut out),
    };
    // What was shown before an error is shown.
    match done.and_then(|()| Ok(out.flush()?)) {
        Err(Failure::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(failure) => {
            let _ = out.flush(); // the error is worth more
            Err(failure.to_string())
        }
        Ok(()) => Ok(()),
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Play(#[from] PlayError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

/// What follows the last whole frame, for people.
fn told(cut: Option<&Cut>) -> String {
    let Some(Cut { file, offset, bytes }) = cut else { return String::new() };
    format!("torn tail: {bytes} bytes at byte {offset} of {} are not whole and were never kept\n", file.display())
}

/// At the start of a journal, or at the oldest state that there is; the latter is said.
fn begin(args: &Args) -> Result<Start, Failure> {
    let mut passed = Vec::new();
    let start = Start::oldest(&RealDisk, &args.directory, args.settings(), &mut passed);
    for Passed { error, .. } in &passed {
        eprintln!("terrace: passed over {error}");
    }
    let start = start?;
    if let Some(from) = &start.snapshot {
        eprintln!("terrace: the journal begins at {}", from.file.display());
    }
    Ok(start)
}

fn print(args: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let Start { mut kernel, mut player, .. } = begin(args)?;
    let mut line = String::new();
    while let Some(played) = player.step(&mut kernel, &mut |_| ())? {
        line.clear();
        let (entry, of_dialogue) = match &played {
            Played::Place(entry, of_dialogue) => (Some(entry), of_dialogue.as_ref()),
            Played::Line(of_dialogue) => (None, Some(of_dialogue)),
            Played::Check(check) => {
                writeln!(out, "{{\"op\":\"check\",\"events\":{},\"hash\":\"{:016x}\"}}", check.outputs, check.hash)?;
                continue;
            }
            Played::State(hash) => {
                writeln!(out, "{{\"op\":\"state\",\"hash\":\"{hash:016x}\"}}")?;
                continue;
            }
        };
        match (entry, of_dialogue.and_then(|line| line.text.as_deref())) {
            (_, Some(text)) => writeln!(out, "{text}")?,
            (Some(entry), None) => {
                Encoder::new(kernel.market()).place(entry, &mut line);
                out.write_all(line.as_bytes())?;
            }
            (None, None) => {}
        }
    }
    eprint!("{}", told(player.cut()));
    Ok(())
}

fn verify(args: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let Start { mut kernel, mut player, snapshot, .. } = begin(args)?;
    let before = player.places();
    let (mut events, mut refused, mut decisions, mut checks, mut states) = (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
    let mut count = |output: Output| match output {
        Output::Event { .. } => events += 1,
        _ => refused += 1,
    };
    while let Some(played) = player.step(&mut kernel, &mut count)? {
        decisions += u64::from(matches!(played, Played::Place(Entry::Decide { .. }, _)));
        checks += u64::from(matches!(played, Played::Check(_)));
        states += u64::from(matches!(played, Played::State(_)));
    }
    let places = player.reader().place() - before;
    if let Some(from) = snapshot {
        writeln!(out, "from        {}, of {before} places", from.file.display())?;
    }
    writeln!(
        out,
        "verified    {places} places, {decisions} of them decisions, each as recorded; {checks} checks, {states} states"
    )?;
    writeln!(out, "events      {events}, and {refused} inputs that a shard refused")?;
    writeln!(out, "hash        {:016x}", player.chain().check().hash)?;
    writeln!(out, "state       {:016x}", kernel.state_hash())?;
    write!(out, "{}", told(player.cut()))?;
    Ok(())
}

fn stat(directory: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let mut reader = Reader::open(directory)?;
    let (mut inputs, mut decisions, mut undecided, mut lines, mut checks) = (0_u64, 0_u64, 0_i64, 0_u64, 0_u64);
    let (mut states, mut last_state) = (0_u64, None);
    let mut later = None;
    while let Some(frame) = reader.frame()? {
        lines += u64::from(matches!(frame, Frame::Line(..)));
        checks += u64::from(matches!(frame, Frame::Check(_)));
        undecided -= i64::from(matches!(frame, Frame::Outcome(_)));
        if let Frame::State(hash) = frame {
            (states, last_state) = (states + 1, Some(hash));
        }
        let (Frame::Entry(entry) | Frame::Line(_, Some(entry))) = frame else { continue };
        match entry {
            Entry::Decide { outcome } => {
                decisions += 1;
                undecided += i64::from(outcome.is_none());
            }
            Entry::Declare { declaration: Declaration::RuleVersion(version), .. } => {
                later = Some(version);
                inputs += 1;
            }
            _ => inputs += 1,
        }
    }
    let now = later.or(reader.rules()).unwrap_or_default();
    let Totals { segments, bytes, marks } = reader.totals();
    writeln!(out, "segments    {segments}, {bytes} bytes, {marks} marks")?;
    writeln!(out, "places      {}: {inputs} inputs, {decisions} decisions", reader.place())?;
    match reader.rules() {
        Some(first) if first != now => writeln!(out, "rules       from version {first} to {now}")?,
        first => writeln!(out, "rules       version {}", first.unwrap_or_default())?,
    }
    writeln!(out, "undecided   {undecided}")?;
    writeln!(out, "lines       {lines}")?;
    writeln!(out, "checks      {checks}")?;
    match last_state {
        Some(hash) => writeln!(out, "states      {states}, the last {hash:016x}")?,
        None => writeln!(out, "states      {states}")?,
    }
    for snapshot in SnapshotFile::list(&RealDisk, directory)? {
        match snapshot.verify(&RealDisk) {
            Ok((stand, bytes)) => writeln!(
                out,
                "snapshot    {}, {bytes} bytes, after {} places and {} events, hash {:016x}",
                snapshot.file.display(),
                stand.places,
                stand.check.outputs,
                stand.check.hash
            )?,
            Err(error) => writeln!(out, "snapshot    {error}")?,
        }
    }
    write!(out, "{}", told(reader.cut()))?;
    Ok(())
}

/// A journal, to be looked at in one place.
#[derive(Debug, clap::Args)]
pub(super) struct FollowArgs {
    #[command(flatten)]
    of: Args,

    /// Go no further than this line, so that others can be compared as of the same.
    #[arg(long, value_name = "N")]
    line: Option<u64>,
}

/// Goes to the end of the journal, or to the line; what is said of it goes to standard error, beside what is asked for.
pub(super) fn follow(args: &FollowArgs) -> Result<Followed, String> {
    let (directory, settings) = (&args.of.directory, args.of.settings());
    let followed = match args.line {
        None => Followed::newest(&RealDisk, directory, settings),
        Some(line) => Followed::up_to(&RealDisk, directory, settings, line),
    };
    let followed = followed.map_err(|error| error.to_string())?;
    for Passed { error, .. } in followed.passed() {
        eprintln!("terrace: passed over {error}");
    }
    let (places, from) = followed.gone_through();
    let from = from.map_or_else(|| "the start".to_owned(), |from| from.file.display().to_string());
    let line = followed.last_line();
    eprintln!("terrace: journal {}: {places} places gone through from {from}, up to line {line}", directory.display());
    Ok(followed)
}

/// `terrace snapshot`: goes through a journal, from the newest snapshot that there is, and saves the state at its end.
pub(super) fn snapshot(args: &SnapshotArgs) -> Result<(), String> {
    let directory = &args.of.directory;
    let made = Snapshot::make(&RealDisk, directory, args.of.settings()).map_err(|error| error.to_string())?;
    let Snapshot { snapshot, bytes, stand, last_line, places, from, passed } = &made;
    let mut said: Vec<String> = passed.iter().map(|Passed { error, .. }| format!("passed over {error}\n")).collect();
    let from = from.as_ref().map_or_else(|| "the start".to_owned(), |from| from.file.display().to_string());
    said.push(format!("gone through {places} places from {from}, up to line {last_line}\n"));
    said.push(match bytes {
        Some(bytes) => format!("snapshot    {}, {bytes} bytes\n", snapshot.file.display()),
        None => format!("snapshot    {} is of the same place\n", snapshot.file.display()),
    });
    said.push(format!("hash        {:016x}, of {} events\n", stand.check.hash, stand.check.outputs));
    if args.prune {
        let removed = SnapshotFile::prune(&RealDisk, directory, KEPT).map_err(|error| error.to_string())?;
        said.extend(removed.iter().map(|file| format!("removed     {}\n", file.display())));
    }
    super::print(&said.concat())
}

/// `terrace recover`: goes through a journal, cuts its torn tail, and carries out what the crash had interrupted.
pub(super) fn recover(args: &Args) -> Result<(), String> {
    let directory = &args.directory;
    // Nothing is made where there is nothing to recover.
    if SnapshotFile::list(&RealDisk, directory).map_err(|error| error.to_string())?.is_empty() {
        Reader::open(directory).map_err(|error| error.to_string())?;
    }
    let _lock = WriteLock::take(directory).map_err(|error| error.to_string())?;
    let opened = Opened::open(RealDisk, directory, JournalSettings::default(), args.kernel(), None);
    let opened = opened.map_err(|error| error.to_string())?;
    let said = opened.recovery().map_or_else(String::new, |recovery| summary(directory, recovery));
    opened.close().map_err(|error| error.to_string())?;
    super::print(&said)
}

/// What was found, for people.
pub(super) fn summary(directory: &Path, recovery: &Recovery) -> String {
    let Recovery { places, last_line, completed, ref cut, ref snapshot, ref passed, rules } = *recovery;
    let mut parts: Vec<String> = passed.iter().map(|why| format!("passed over {why}\n")).collect();
    let from = snapshot.as_ref().map_or_else(String::new, |from| format!(" from {}", from.file.display()));
    parts
        .push(format!("journal {}: {places} places gone through{from}, up to line {last_line}\n", directory.display()));
    if completed > 0 {
        parts.push(format!("completed what had been interrupted: {completed} entries added\n"));
    }
    if let Some(Cut { file, offset, bytes }) = cut {
        parts.push(format!("cut {bytes} bytes at byte {offset} of {}: a torn tail, never kept\n", file.display()));
    }
    if rules < RuleVersion::NEWEST {
        let newest = RuleVersion::NEWEST;
        parts.push(format!("it is under version {rules} of the rules; {{\"op\":\"rule_version\",\"version\":{newest}}} goes over to the newest\n"));
    }
    parts.concat()
}
