//! `terrace presets`, and the options that name a preset or a file of margin tables.

use std::io::{self, Write};
use std::path::PathBuf;
use terrace::presets::{PRESETS, Preset};
use terrace::protocol::TierTables;

/// The largest file of margin tables that is read, in bytes.
const MAX_TABLES: u64 = 256 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The preset to print, with its head: sources, and what it does not follow. Without it all are listed.
    #[arg(value_parser = named)]
    name: Option<&'static Preset>,
}

pub(super) fn run(args: &Args) -> Result<(), String> {
    let text = args.name.map_or_else(list, |preset| preset.text().to_owned());
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("cannot write: {error}")),
        _ => Ok(()),
    }
}

/// All presets, a line each.
fn list() -> String {
    PRESETS.iter().fold(String::new(), |list, preset| list + &format!("{:<14} {}\n", preset.name, preset.title()))
}

/// The preset that was typed.
pub(super) fn named(name: &str) -> Result<&'static Preset, String> {
    let names = || PRESETS.iter().map(|preset| preset.name).collect::<Vec<_>>().join(", ");
    Preset::named(name).ok_or_else(|| format!("expected one of {}", names()))
}

/// All tables of the files that were typed.
pub(super) fn tier_tables(files: &[PathBuf]) -> Result<TierTables, String> {
    let mut tables = TierTables::default();
    for path in files {
        let file = path.display();
        let size = path.metadata().map_err(|error| format!("cannot open {file}: {error}"))?.len();
        if size > MAX_TABLES {
            return Err(format!("{file}: {size} bytes are more than a file of margin tables has"));
        }
        let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {file}: {error}"))?;
        let read = TierTables::read(&text).and_then(|more| tables.extend(more));
        read.map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(tables)
}
