//! The threaded run: ticks go to the engine as fast as it takes them, and what becomes of them is measured on the way.

use super::depth::Books;
use super::engine::Stop;
use super::error::ReplayError;
use super::latency::{DIGITS, LONGEST_NS};
use super::log::EventLog;
use super::prices::Change;
use super::prices::mark_command;
use crate::command::{Command, OffGrid};
use crate::engine::{Engine, Entry, Finished, Output, SubmitError, VenueMessage};
use crate::event::Event;
use crate::market::{InstrumentId, Market};
use crate::venue::VenueRequest;
use hdrhistogram::Histogram;
use std::time::{Duration, Instant};

/// Events that are kept before they are written as lines, which takes longer than anything else here.
const KEPT: usize = 1 << 16;

/// What the threads did.
#[derive(Debug)]
pub struct ThreadReport {
    /// Threads and cores, in words.
    pub shape: String,
    /// Places of the sequence.
    pub places: u64,
    /// Decisions among them.
    pub decisions: u64,
    /// From a tick's publication until its worker had decided on a first liquidation order, in nanoseconds.
    pub decided: Histogram<u64>,
    /// From a tick's publication until the order was received on the sequencer's thread, in nanoseconds.
    pub order_out: Histogram<u64>,
    /// XXH3, 128 bits, of the threads' event log: that of the record's, or the replay has failed.
    pub hash: u128,
    /// From the first tick until all that followed from the last was done.
    pub running: Duration,
}

/// The engine, and what is noted about it.
pub(super) struct Threads<'a> {
    engine: Engine,
    books: Books,
    log: EventLog<'a>,
    /// Of the log: told, and not yet written.
    told: Vec<(u64, Event)>,
    /// By place, round and round: when it was published, in nanoseconds since the engine started.
    published: Box<[u64]>,
    decided: Histogram<u64>,
    order_out: Histogram<u64>,
    /// By row of the data: the number of its last input.
    rows: Vec<u64>,
    began: Instant,
}

impl<'a> Threads<'a> {
    pub(super) fn new(
        engine: Engine,
        ring: usize,
        books: Books,
        log: EventLog<'a>,
    ) -> Result<Self, hdrhistogram::CreationError> {
        let histogram = || Histogram::new_with_bounds(1, LONGEST_NS, DIGITS);
        Ok(Self {
            engine,
            books,
            log,
            told: Vec::with_capacity(KEPT),
            published: vec![0; ring * 2].into(),
            decided: histogram()?,
            order_out: histogram()?,
            rows: Vec::new(),
            began: Instant::now(),
        })
    }

    /// Publishes what a tick at `ts_ns` changes: the book first, then the last price, then the mark.
    pub(super) fn carry_out(&mut self, ts_ns: u64, id: InstrumentId, change: &Change) -> Result<(), Stop> {
        let published = self.publish_row(ts_ns, id, change)?;
        self.rows.extend(published);
        self.poll().map_err(Stop::Failed)
    }

    /// The number of the last of its inputs.
    fn publish_row(&mut self, ts_ns: u64, id: InstrumentId, change: &Change) -> Result<Option<u64>, Stop> {
        let mut last = None;
        let Self { engine, books, .. } = self;
        let update = books.update(engine.market().instrument(id), id, change, ts_ns);
        if let Some(update) = update {
            // The levels are the book's: taken once, they stay until they are in the ring.
            let update = crate::engine::Depth::new(&update);
            last = Some(self.publish(|engine| engine.submit_book(Some(ts_ns), id, &update.update()))?);
        }
        let command =
            |command: Command| move |engine: &mut Engine| engine.submit_at(Some(ts_ns), &command, OffGrid::NONE);
        if let Some(price) = change.last {
            last = Some(self.publish(command(Command::Last { instrument: id, price }))?);
        }
        if let Some(price) = change.mark {
            let mark = mark_command(self.engine.market(), id, price);
            last = Some(self.publish(command(mark))?);
        }
        Ok(last)
    }

    /// Submits until it is taken; its number.
    fn publish(&mut self, submit: impl Fn(&mut Engine) -> Result<u64, SubmitError>) -> Result<u64, Stop> {
        loop {
            let slots = self.published.len();
            self.published[self.engine.next_place() as usize % slots] = self.engine.elapsed_ns();
            match submit(&mut self.engine) {
                Ok(seq) => return Ok(seq),
                Err(SubmitError::Full) => self.poll().map_err(Stop::Failed)?,
                Err(SubmitError::Refused(refusal)) => return Err(Stop::Refused(refusal)),
                Err(_) => return Err(Stop::Failed(self.stopped())),
            }
        }
    }

    /// Takes what there is to take.
    pub(super) fn poll(&mut self) -> Result<(), ReplayError> {
        let Self { engine, told, published, decided, order_out, .. } = self;
        let (epoch, slots) = (engine.epoch(), published.len());
        let venue = |message: &VenueMessage| {
            if let VenueRequest::Order { .. } = message.request {
                let at = published[message.place as usize % slots];
                decided.saturating_record(message.decided_ns.saturating_sub(at));
                order_out.saturating_record((epoch.elapsed().as_nanos() as u64).saturating_sub(at));
            }
        };
        let before = told.len();
        engine.poll(venue, |output| {
            if let Output::Event { seq, event } = *output {
                told.push((seq, event));
            }
        });
        self.told[before..].iter().for_each(|&(_, event)| self.books.note(&[event]));
        if self.told.len() >= KEPT { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), ReplayError> {
        let told = std::mem::replace(&mut self.told, Vec::with_capacity(KEPT));
        let written = write(self.engine.market(), &mut self.log, &told);
        self.told = told;
        self.told.clear();
        written
    }

    pub(super) fn market(&self) -> &Market {
        self.engine.market()
    }

    /// The record so far.
    pub(super) fn record(&self) -> &[Entry] {
        self.engine.record().unwrap_or_default()
    }

    fn stopped(&self) -> ReplayError {
        self.engine
            .failure()
            .map_or_else(|| ReplayError::Setting("the engine has stopped".into()), ReplayError::Stopped)
    }

    /// Ends the threads: the record, the number of the last input of each row of the data, and what they did.
    pub(super) fn finish(mut self) -> Result<(Vec<Entry>, Vec<u64>, ThreadReport), ReplayError> {
        if self.engine.settle().is_err() {
            return Err(self.stopped());
        }
        self.poll()?;
        let running = self.began.elapsed();
        let (shape, metrics) = (self.engine.shape().to_string(), self.engine.metrics());
        let Finished { kernel, log, record, failure, .. } = self.engine.stop();
        if let Some(failure) = failure {
            return Err(ReplayError::Stopped(failure));
        }
        let Some(kernel) = kernel else { return Err(ReplayError::Setting("a shard was lost".into())) };
        for output in log {
            if let Output::Event { seq, event } = output {
                self.told.push((seq, event));
            }
        }
        write(kernel.market(), &mut self.log, &self.told)?;
        let (hash, _) = self.log.finish().map_err(ReplayError::Write)?;
        let report = ThreadReport {
            shape,
            places: metrics.places,
            decisions: metrics.decisions,
            decided: self.decided,
            order_out: self.order_out,
            hash,
            running,
        };
        Ok((record.unwrap_or_default(), self.rows, report))
    }
}

/// Writes events as lines; those of one input together.
fn write(market: &Market, log: &mut EventLog<'_>, told: &[(u64, Event)]) -> Result<(), ReplayError> {
    let mut events = Vec::new();
    for group in told.chunk_by(|a, b| a.0 == b.0) {
        events.clear();
        events.extend(group.iter().map(|&(_, event)| event));
        log.append(market, group[0].0, &events).map_err(ReplayError::Write)?;
    }
    Ok(())
}
