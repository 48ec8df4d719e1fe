//! What can be typed. Exit codes: 0 ok, 1 failed, 2 usage.

mod bench;
mod exec;
mod follow;
mod journal;
mod presets;
mod reconcile;
mod replay;
mod serve;
mod session;
mod simulate;
mod standby;
mod state;
mod threads;

use clap::{Parser, Subcommand};
use std::io::{self, Write};
use std::process::ExitCode;
use terrace::Strategy;

/// The longest line that is read; a longer one is no command.
const MAX_LINE: u64 = 16 << 20;

/// A low-latency risk kernel for exchanges that trade perpetual contracts.
///
/// Without a command it replays the embedded market data over a generated population.
#[derive(Debug, Parser)]
#[command(name = "terrace", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    replay: replay::Args,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure what the kernel costs on this machine, beside the machine's limits.
    Bench(bench::Args),
    /// Tell what the accounts of a journal have, as one digest for each range of accounts, which a ledger can make too.
    Digest(reconcile::DigestArgs),
    /// Carry out a script of commands, one JSON object a line.
    Exec(exec::Args),
    /// Write the whole state at the end of a journal as lines, which `exec` and `import` take.
    Export(journal::FollowArgs),
    /// Begin a journal with a state that was exported.
    Import(state::ImportArgs),
    /// Look into a journal: print, verify, stat.
    #[command(subcommand)]
    Journal(journal::Command),
    /// Tell which rules of venues are built in, and what they do not follow.
    Presets(presets::Args),
    /// Compare what the accounts of a journal have with an exchange's ledger.
    Reconcile(reconcile::ReconcileArgs),
    /// Go through a journal, pass over what a crash tore, and carry out what it interrupted.
    Recover(journal::Args),
    /// Save the state at the end of a journal beside it, from which recovery then begins; the journal may be written meanwhile.
    Snapshot(journal::SnapshotArgs),
    /// Replay market data over a population of accounts, and sum up what happened.
    Replay(replay::Args),
    /// Serve a session over sockets: several connections at once, each JSON Lines both ways.
    Serve(serve::Args),
    /// Simulate the whole system from a seed, with crashes and faults of disk, network, feeds and venue.
    Simulate(simulate::Args),
    /// Follow the journal that another process writes, answer questions, and take over from it.
    Standby(standby::Args),
}

/// [`Strategy`], as it is typed.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum StrategyArg {
    /// Trigger bands.
    Bands,
    /// A lower bound of each excess, moved along a column of the holders at every mark.
    Sweep,
    /// An exact evaluation of every holder at every mark.
    Dense,
    /// Bands, and a sweep of those that are crossed by the hundred.
    #[default]
    Adaptive,
}

impl From<StrategyArg> for Strategy {
    fn from(arg: StrategyArg) -> Self {
        match arg {
            StrategyArg::Bands => Self::Bands,
            StrategyArg::Sweep => Self::Sweep,
            StrategyArg::Dense => Self::Dense,
            StrategyArg::Adaptive => Self::Adaptive,
        }
    }
}

/// Reads the command line and carries it out.
pub fn run() -> ExitCode {
    let cli = Cli::parse(); // exits with 2 on a usage error
    let result = match &cli.command {
        Some(Command::Bench(args)) => bench::run(args),
        Some(Command::Digest(args)) => reconcile::digest(args),
        Some(Command::Exec(args)) => exec::run(args),
        Some(Command::Export(args)) => state::export(args),
        Some(Command::Import(args)) => state::import(args),
        Some(Command::Journal(command)) => journal::run(command),
        Some(Command::Presets(args)) => presets::run(args),
        Some(Command::Reconcile(args)) => reconcile::run(args),
        Some(Command::Recover(args)) => journal::recover(args),
        Some(Command::Snapshot(args)) => journal::snapshot(args),
        Some(Command::Replay(args)) => replay::run(args),
        Some(Command::Serve(args)) => serve::run(args),
        Some(Command::Simulate(args)) => simulate::run(args),
        Some(Command::Standby(args)) => standby::run(args),
        None => replay::run(&cli.replay),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("terrace: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Prints to standard output. Whoever closed the pipe has seen enough: that is no error.
fn print(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
        _ => Ok(()),
    }
}

/// The command line as it can be pasted into a shell, however the program was called.
fn typed(arguments: impl Iterator<Item = String>) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+~".contains(c);
    let quoted = |argument: String| {
        if argument.is_empty() || !argument.chars().all(plain) || argument.starts_with('~') {
            format!("'{}'", argument.replace('\'', "'\\''"))
        } else {
            argument
        }
    };
    std::iter::once("terrace".to_owned()).chain(arguments.skip(1).map(quoted)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::typed;

    #[test]
    fn what_was_typed_can_be_pasted() {
        let arguments =
            ["target/terrace", "replay", "--shock", "BTCUSDT:-12%@30s/20s", "", "a b", "it's", "$(x)", "~", "ü"];
        let shown = typed(arguments.map(str::to_owned).into_iter());
        assert_eq!(shown, r"terrace replay --shock BTCUSDT:-12%@30s/20s '' 'a b' 'it'\''s' '$(x)' '~' 'ü'");
    }
}
