//! One tick at a time through the kernel, and all that is noted about it.

use super::audit::Audit;
use super::course::Course;
use super::depth::Books;
use super::error::ReplayError;
use super::funds::FundTracker;
use super::latency::{Latency, nanoseconds};
use super::log::EventLog;
use super::prices::Change;
use super::prices::mark_command;
use super::settings::Venue;
use super::tally::Tally;
use crate::command::{Command, OffGrid};
use crate::engine::{Entry, Output, Retrace};
use crate::event::Event;
use crate::kernel::Kernel;
use crate::market::InstrumentId;
use crate::refusal::Refusal;
use std::time::Instant;

/// The kernel and its observers.
pub(super) struct Engine<'a> {
    pub(super) kernel: Kernel,
    pub(super) log: EventLog<'a>,
    pub(super) tally: Tally,
    pub(super) latency: Latency,
    pub(super) funds: FundTracker,
    pub(super) audit: Audit,
    pub(super) course: Option<Course>,
    /// Kernel inputs since the first tick: the `seq` of events.
    pub(super) inputs: u64,
    books: Books,
}

/// Why a change was not carried out to its end.
pub(super) enum Stop {
    Refused(Refusal),
    Failed(ReplayError),
}

impl<'a> Engine<'a> {
    pub(super) fn new(
        kernel: Kernel,
        venue: Venue,
        log: EventLog<'a>,
        latency: Latency,
        course: Option<Course>,
    ) -> Self {
        Self {
            course,
            tally: Tally::new(kernel.market().assets.len()),
            funds: FundTracker::new(&kernel),
            books: Books::new(&kernel, venue),
            audit: Audit::default(),
            inputs: 0,
            kernel,
            log,
            latency,
        }
    }

    /// Carries out what a tick at `ts_ns` changes: the book first, then the last price, then the mark.
    pub(super) fn carry_out(&mut self, ts_ns: u64, id: InstrumentId, change: &Change) -> Result<(), Stop> {
        let mut work_ns = self.set_book(ts_ns, id, change)?;
        if let Some(price) = change.last {
            let (admitted, settled) = self.command(ts_ns, &Command::Last { instrument: id, price })?;
            work_ns += admitted + settled;
        }
        if let Some(price) = change.mark {
            let (admitted, settled) = self.command(ts_ns, &mark_command(self.kernel.market(), id, price))?;
            self.latency.trigger.saturating_record(admitted);
            self.latency.settle.saturating_record(settled);
            work_ns += admitted + settled;
        }
        self.latency.tick.saturating_record(work_ns);
        self.latency.total_ns += work_ns;
        if let Some(course) = &mut self.course {
            course.look(&self.kernel, ts_ns, Some(id));
        }
        Ok(())
    }

    fn set_book(&mut self, ts_ns: u64, id: InstrumentId, change: &Change) -> Result<u64, Stop> {
        let Some(update) = self.books.update(self.kernel.market().instrument(id), id, change, ts_ns) else {
            return Ok(0);
        };
        let start = Instant::now();
        self.kernel.update_book(Some(ts_ns), id, &update).map_err(Stop::Refused)?;
        let work_ns = nanoseconds(start, Instant::now());
        self.latency.book.saturating_record(work_ns);
        self.note()?;
        Ok(work_ns)
    }

    /// Carries out a command; the nanoseconds of its admission and of what followed.
    fn command(&mut self, ts_ns: u64, command: &Command) -> Result<(u64, u64), Stop> {
        let start = Instant::now();
        self.kernel.admit_at(Some(ts_ns), command, OffGrid::NONE).map_err(Stop::Refused)?;
        let admitted = Instant::now();
        self.kernel.decide();
        let settled = Instant::now();
        self.note()?;
        Ok((nanoseconds(start, admitted), nanoseconds(admitted, settled)))
    }

    /// Notes what the last input led to.
    fn note(&mut self) -> Result<(), Stop> {
        self.inputs += 1;
        let market = self.kernel.market();
        if let Some(course) = &mut self.course {
            course.take(market, self.kernel.now_ns(), self.kernel.events());
        }
        note(market, self.inputs, self.kernel.events(), &mut self.log, &mut self.tally, &mut self.books)
            .map_err(Stop::Failed)
    }

    /// Looks at the funds and at some pools after a tick.
    pub(super) fn after_tick(&mut self, elapsed_ns: u64, ticks: u64, eventful: bool) {
        self.funds.look(&self.kernel, elapsed_ns, eventful);
        self.audit.after_tick(&self.kernel, ticks);
    }

    /// Goes through the record of a run that began at this state, with the number of the last input of each of its rows
    /// of market data. What was decided before the next row began is work of the row before it.
    pub(super) fn retrace(&mut self, record: &[Entry], first_ns: u64, rows: &[u64]) -> Result<(), ReplayError> {
        let mut retrace = Retrace::new(record);
        let (mut told, mut marks, mut seq, mut now_ns) = (Vec::new(), 0, 0, first_ns);
        let (mut rows, mut row_ns) = (rows.iter(), None);
        let mut row_end = rows.next();
        loop {
            let mut take = |output| {
                if let Output::Event { event, .. } = output {
                    told.push(event);
                }
            };
            let start = Instant::now();
            let Some(entry) = retrace.step(&mut self.kernel, &mut take)? else { break };
            let work_ns = nanoseconds(start, Instant::now());
            self.latency.total_ns += work_ns;
            let (mut marked, mut instrument) = (false, None);
            match entry {
                Entry::Command { seq: own, ts_ns, command, .. } => {
                    (seq, now_ns) = (*own, ts_ns.unwrap_or(now_ns));
                    instrument = priced(command);
                    marked = matches!(command, Command::Mark { .. } | Command::Index { .. });
                    if marked {
                        self.latency.trigger.saturating_record(work_ns);
                    }
                }
                Entry::Book { seq: own, ts_ns, instrument: at, .. } => {
                    (seq, now_ns) = (*own, ts_ns.unwrap_or(now_ns));
                    instrument = Some(*at);
                    self.latency.book.saturating_record(work_ns);
                }
                Entry::Decide { .. } => self.latency.settle.saturating_record(work_ns),
                _ => {}
            }
            if row_end.is_some_and(|&end| seq > end) {
                self.latency.tick.saturating_record(row_ns.take().unwrap_or(0));
                row_end = rows.next();
            }
            row_ns = Some(row_ns.unwrap_or(0) + work_ns);
            self.inputs = seq;
            if let Some(course) = self.course.as_mut().filter(|_| instrument.is_some() || !told.is_empty()) {
                course.take(self.kernel.market(), now_ns, &told);
                course.look(&self.kernel, now_ns, instrument);
            }
            note(self.kernel.market(), seq, &told, &mut self.log, &mut self.tally, &mut self.books)?;
            if marked {
                marks += 1;
                self.after_tick(now_ns.saturating_sub(first_ns), marks, !told.is_empty());
            } else if !told.is_empty() {
                self.funds.look(&self.kernel, now_ns.saturating_sub(first_ns), true);
            }
            told.clear();
        }
        if let Some(row_ns) = row_ns {
            self.latency.tick.saturating_record(row_ns);
        }
        Ok(())
    }
}

/// The instrument that a command gives a price of.
fn priced(command: &Command) -> Option<InstrumentId> {
    match *command {
        Command::Mark { instrument, .. } | Command::Index { instrument, .. } | Command::Last { instrument, .. } => {
            Some(instrument)
        }
        _ => None,
    }
}

/// Notes what input `seq` led to.
fn note(
    market: &crate::market::Market,
    seq: u64,
    events: &[Event],
    log: &mut EventLog<'_>,
    tally: &mut Tally,
    books: &mut Books,
) -> Result<(), ReplayError> {
    if events.is_empty() {
        return Ok(());
    }
    log.append(market, seq, events).map_err(ReplayError::Write)?;
    tally.add(market, events);
    books.note(events);
    Ok(())
}
