//! `terrace standby`: follows the journal that another process writes, answers questions, and takes over.

use super::exec::{carry_out_durably, ended};
use super::follow::{Following, REST};
use super::{MAX_LINE, StrategyArg};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;
use terrace::Settings;
use terrace::journal::{Durability, JournalSettings, WriteLock};
use terrace::presets::Preset;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The directory of the journal.
    directory: PathBuf,

    /// Take over when the process that writes the journal has ended, or at a line `{"op":"take_over"}`, also from one that only hangs;
    /// from then on carry out lines as `exec --journal` does.
    #[arg(long)]
    takes_over: bool,

    /// When the journal is forced to the disk after taking over: `none`, `async` or `sync`.
    #[arg(long, value_name = "HOW", default_value_t = Durability::Sync)]
    durability: Durability,

    /// Number of shards; it never shows in what comes out.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    shards: u32,

    /// How breaches are found; it never shows in what comes out.
    #[arg(long, value_enum, default_value_t)]
    strategy: StrategyArg,

    /// The preset that the journal was begun with, in case that it ends before it.
    #[arg(long, value_name = "NAME", value_parser = super::presets::named)]
    preset: Option<&'static Preset>,

    /// Margin tables for instruments that bring none, after taking over: Binance's leverage brackets or ccxt's tiers, JSON.
    #[arg(long, value_name = "FILE")]
    tiers: Vec<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), String> {
    let tables = super::presets::tier_tables(&args.tiers)?;
    let settings = Settings { shards: args.shards, strategy: args.strategy.into(), ..Settings::default() };
    let following = Following::begin(&args.directory, settings)?;
    let mut output = BufWriter::new(io::stdout());
    let mut questions = Questions::over(io::stdin())?;
    let Some((following, lock)) = answer(args, following, &mut questions, &mut output)? else { return Ok(()) };
    following.let_signals_end();
    let journal = JournalSettings { durability: args.durability, ..JournalSettings::default() };
    let session = following.take_over(journal, args.preset)?.start(tables).map_err(|error| error.to_string())?;
    let input: Box<dyn Read> = Box::new(questions);
    let done = carry_out_durably(session, false, BufReader::new(input), &mut output, &mut None);
    drop(lock);
    ended(done, "-")
}

/// Follows and answers until it is to take over; none: nobody asks any more, or it is told to end.
fn answer(
    args: &Args,
    mut following: Following,
    questions: &mut Questions,
    output: &mut impl Write,
) -> Result<Option<(Following, WriteLock)>, String> {
    let mut answer = String::new();
    while !following.is_to_end() {
        let any = following.step()?;
        match questions.next(if any { Duration::ZERO } else { REST })? {
            Next::Line(line) if args.takes_over && is_take_over(&line) => {
                let lock = WriteLock::take(&args.directory).or_else(|_| WriteLock::replace(&args.directory));
                return Ok(Some((following, lock.map_err(|error| error.to_string())?)));
            }
            Next::Line(line) => {
                answer.clear();
                following.question(line.trim_ascii_end(), &mut answer);
                match output.write_all(answer.as_bytes()).and_then(|()| output.flush()) {
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(None),
                    written => written.map_err(|error| format!("cannot write: {error}"))?,
                }
            }
            Next::Nothing => {}
            Next::End => {
                eprintln!("terrace: standard input has ended, and with it this standby");
                return Ok(None);
            }
        }
        if args.takes_over
            && let Some(lock) = following.lock_if_free()
        {
            return Ok(Some((following, lock)));
        }
    }
    Ok(None)
}

fn is_take_over(line: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(line).is_ok_and(|line| line["op"] == "take_over")
}

/// Standard input, read by a thread of its own, so that nobody waits for it who has something else to do.
struct Questions {
    chunks: Receiver<io::Result<Vec<u8>>>,
    /// What was read and not taken.
    rest: Vec<u8>,
    ended: bool,
}

enum Next {
    Line(Vec<u8>),
    Nothing,
    End,
}

impl Questions {
    fn over(mut input: impl Read + Send + 'static) -> Result<Self, String> {
        let (sender, chunks) = sync_channel(16);
        let read = move || {
            loop {
                let mut chunk = vec![0; 1 << 16];
                let read = input.read(&mut chunk).map(|bytes| {
                    chunk.truncate(bytes);
                    chunk
                });
                let ends = !matches!(&read, Ok(chunk) if !chunk.is_empty());
                if sender.send(read).is_err() || ends {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("questions".to_owned()).spawn(read);
        thread.map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(Self { chunks, rest: Vec::new(), ended: false })
    }

    /// The next line, waited for so long at most.
    fn next(&mut self, wait: Duration) -> Result<Next, String> {
        loop {
            if let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') {
                let after = self.rest.split_off(end + 1);
                return Ok(Next::Line(std::mem::replace(&mut self.rest, after)));
            }
            if self.ended {
                return Ok(if self.rest.is_empty() { Next::End } else { Next::Line(std::mem::take(&mut self.rest)) });
            }
            if self.rest.len() as u64 >= MAX_LINE {
                return Err(format!("cannot read -: a line is longer than {MAX_LINE} bytes"));
            }
            match self.chunks.recv_timeout(wait) {
                Ok(Ok(chunk)) if chunk.is_empty() => self.ended = true,
                Ok(Ok(chunk)) => self.rest.extend(chunk),
                Ok(Err(error)) => return Err(format!("cannot read -: {error}")),
                Err(RecvTimeoutError::Timeout) => return Ok(Next::Nothing),
                Err(RecvTimeoutError::Disconnected) => self.ended = true,
            }
        }
    }
}

impl Read for Questions {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() && !self.ended {
            self.rest = self.chunks.recv().unwrap_or(Ok(Vec::new()))?;
            self.ended = self.rest.is_empty();
        }
        let bytes = self.rest.len().min(into.len());
        into[..bytes].copy_from_slice(&self.rest[..bytes]);
        self.rest.drain(..bytes);
        Ok(bytes)
    }
}
