//! `--journal` and `--from-journal`: the sequence of a run in a file, and a run from it.

use super::error::ReplayError;
use super::log::EventLog;
use super::tally::Tally;
use crate::engine::{Entry, Output, Retrace};
use crate::journal::Writer;
use crate::kernel::{self, AssetTotals, Kernel};
use crate::shard::Strategy;
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// The journal of a run under way, if one is kept.
pub(super) struct Journal {
    writer: Option<Writer>,
    /// Entries of the engine's record that are written.
    written: usize,
}

impl Journal {
    /// Begins with what prepared the kernel.
    pub(super) fn begin(directory: Option<&Path>, kernel: &mut Kernel) -> Result<Self, ReplayError> {
        let mut journal = Self { writer: directory.map(Writer::create).transpose()?, written: 0 };
        kernel.begin_log();
        journal.take(kernel)?;
        Ok(journal)
    }

    /// Writes what an inline kernel has recorded.
    pub(super) fn take(&mut self, kernel: &mut Kernel) -> Result<(), ReplayError> {
        if let Some(writer) = &mut self.writer {
            for entry in kernel.take_record() {
                writer.append(&entry)?;
            }
        }
        Ok(())
    }

    /// Writes what threads have recorded, up to the first decision that is not done.
    pub(super) fn follow(&mut self, record: &[Entry]) -> Result<(), ReplayError> {
        if let Some(writer) = &mut self.writer {
            let done = |entry: &&Entry| !matches!(entry, Entry::Decide { outcome: None });
            for entry in record[self.written..].iter().take_while(done) {
                writer.append(entry)?;
                self.written += 1;
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<(), ReplayError> {
        self.writer.map_or(Ok(()), Writer::finish).map_err(ReplayError::from)
    }
}

/// What going through a journal came to.
#[derive(Debug)]
pub struct JournalReport {
    /// Places before the log began: what prepared the kernel.
    pub prepared: u64,
    /// Places of the log.
    pub places: u64,
    /// Decisions among them, each with the outcome that was recorded.
    pub decisions: u64,
    /// What happened.
    pub tally: Tally,
    /// XXH3, 128 bits, of the event log.
    pub hash: u128,
    /// Its lines.
    pub lines: u64,
    /// By asset, in quanta: what there is less what should be. Always 0.
    pub differences: Vec<i128>,
    /// Bytes after the last whole entry: the journal was cut.
    pub cut: Option<u64>,
    /// All of it.
    pub took: Duration,
}

/// Goes through the journal in a directory with an inline kernel: every outcome is recomputed and compared, and no fill
/// simulated. The event log also goes to `events`.
///
/// # Errors
///
/// A journal that cannot be read, or where the kernel comes to something else.
pub fn from_journal(
    directory: &Path,
    shards: u32,
    strategy: Strategy,
    events: Option<&mut dyn Write>,
) -> Result<JournalReport, ReplayError> {
    let began = Instant::now();
    let sequence = crate::journal::read(directory)?;
    let settings = kernel::Settings { shards: shards.max(1), strategy, ..kernel::Settings::default() };
    let (mut kernel, mut log) = (Kernel::new(settings).under(sequence.rules), EventLog::new(events));
    let mut retrace = Retrace::new(&sequence.entries);
    let (mut told, mut seq, mut prepared, mut places, mut decisions) = (Vec::new(), 0, 0, 0, 0);
    let mut tally = None;
    loop {
        told.clear();
        let mut take = |output| {
            if let Output::Event { seq: own, event } = output {
                seq = own;
                told.push(event);
            }
        };
        let Some(entry) = retrace.step(&mut kernel, &mut take)? else { break };
        let Some(tally) = &mut tally else {
            prepared += 1;
            if matches!(entry, Entry::Start) {
                tally = Some(Tally::new(kernel.market().assets.len()));
            }
            continue;
        };
        places += 1;
        decisions += u64::from(matches!(entry, Entry::Decide { .. }));
        log.append(kernel.market(), seq, &told).map_err(ReplayError::Write)?;
        tally.add(kernel.market(), &told);
    }
    let (hash, lines) = log.finish().map_err(ReplayError::Write)?;
    Ok(JournalReport {
        prepared,
        places,
        decisions,
        tally: tally.unwrap_or_default(),
        hash,
        lines,
        differences: kernel.asset_totals().iter().map(AssetTotals::difference).collect(),
        cut: sequence.cut.map(|cut| cut.bytes),
        took: began.elapsed(),
    })
}

impl fmt::Display for JournalReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let balanced = self.differences.iter().all(|&difference| difference == 0);
        writeln!(f, "\nJOURNAL")?;
        writeln!(f, "    prepared    {} places before the log", self.prepared)?;
        writeln!(f, "    sequence    {} places, {} of them decisions, each as recorded", self.places, self.decisions)?;
        if let Some(bytes) = self.cut {
            writeln!(f, "    cut         {bytes} bytes after the last whole entry are left out")?;
        }
        let Tally { started, cured, closed, .. } = self.tally;
        writeln!(f, "    liquidated  {started} pools: {cured} cured, {closed} closed")?;
        writeln!(f, "    books       {}", if balanced { "balanced" } else { "A BUG" })?;
        writeln!(f, "    hash        {:032x}", self.hash)?;
        writeln!(f, "                xxh3-128 of {} event lines", self.lines)?;
        writeln!(f, "    took        {:.3} s", self.took.as_secs_f64())
    }
}
