//! `terrace export` and `terrace import`: the whole state as lines, and a journal that begins with one.

use super::journal::{FollowArgs, follow};
use super::{MAX_LINE, StrategyArg};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read};
use std::path::PathBuf;
use terrace::Settings;
use terrace::journal::{Durability, JournalSettings, RealDisk, WriteLock};
use terrace::protocol::{ExportError, Imported, Session};

#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// The lines that `terrace export` wrote; `-` is standard input.
    file: PathBuf,

    /// The directory of the journal that is begun: there is none in it.
    directory: PathBuf,

    /// Number of shards; it never shows in what comes out.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    shards: u32,

    /// How breaches are found; it never shows in what comes out.
    #[arg(long, value_enum, default_value_t)]
    strategy: StrategyArg,
}

pub(super) fn export(of: &FollowArgs) -> Result<(), String> {
    let followed = follow(of)?;
    match followed.export(&mut BufWriter::new(io::stdout())) {
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(|error| error.to_string()),
    }
}

pub(super) fn import(args: &ImportArgs) -> Result<(), String> {
    let ImportArgs { file, directory, .. } = args;
    let name = file.display().to_string();
    let input: Box<dyn Read> = if name == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(file).map_err(|error| format!("cannot open {name}: {error}"))?)
    };
    let mut session =
        Session::new(Settings { shards: args.shards, strategy: args.strategy.into(), ..Settings::default() });
    let (mut input, mut line, mut said) = (BufReader::new(input), Vec::new(), String::new());
    for number in 1u64.. {
        line.clear();
        let read = input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        if read.map_err(|error| format!("cannot read {name}: {error}"))? == 0 {
            break;
        }
        if line.len() as u64 == MAX_LINE {
            return Err(format!("{name}:{number}: the line is longer than {MAX_LINE} bytes"));
        }
        let taken = session.line(line.trim_ascii_end(), &mut said);
        taken.map_err(|rejection| format!("{name}:{number}: {}: {}", rejection.code, rejection.reason))?;
        said.clear();
    }
    if !session.is_restored() {
        return Err(format!("{name}: it holds no whole state, or more than one"));
    }
    let lock = WriteLock::take(directory).map_err(|error| error.to_string())?;
    let settings = JournalSettings { durability: Durability::Sync, ..JournalSettings::default() };
    let imported = Imported::begin(&RealDisk, directory, settings, session);
    let Imported { snapshot, bytes, last_line } = imported.map_err(|error| format!("{name}: {error}"))?;
    drop(lock);
    super::print(&format!("snapshot    {}, {bytes} bytes, up to line {last_line}\n", snapshot.file.display()))
}
