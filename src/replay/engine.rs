//! One tick at a time through the kernel, and all that is noted about it.

use super::audit::Audit;
use super::depth::Depth;
use super::error::ReplayError;
use super::funds::FundTracker;
use super::latency::{Latency, nanoseconds};
use super::log::EventLog;
use super::prices::Change;
use super::settings::Venue;
use super::tally::Tally;
use crate::command::{Command, OffGrid};
use crate::event::Event;
use crate::kernel::Kernel;
use crate::market::InstrumentId;
use crate::refusal::Refusal;
use crate::venue::BookUpdate;
use std::time::Instant;

/// The kernel and its observers.
pub(super) struct Engine<'a> {
    pub(super) kernel: Kernel,
    pub(super) log: EventLog<'a>,
    pub(super) tally: Tally,
    pub(super) latency: Latency,
    pub(super) funds: FundTracker,
    pub(super) audit: Audit,
    /// Kernel inputs since the first tick: the `seq` of events.
    pub(super) inputs: u64,
    venue: Venue,
    /// By instrument.
    depths: Vec<Depth>,
    /// By instrument: whether its market data has quotes.
    quoted: Vec<bool>,
}

/// Why a change was not carried out to its end.
pub(super) enum Stop {
    Refused(Refusal),
    Failed(ReplayError),
}

impl<'a> Engine<'a> {
    pub(super) fn new(kernel: Kernel, venue: Venue, log: EventLog<'a>, latency: Latency) -> Self {
        let instruments = kernel.market().instruments.len();
        let open_interest = |index| kernel.open_interest_of(InstrumentId(index as u32));
        Self {
            tally: Tally::new(kernel.market().assets.len()),
            funds: FundTracker::new(&kernel),
            depths: (0..instruments).map(|index| Depth::new(open_interest(index))).collect(),
            quoted: vec![false; instruments],
            audit: Audit::default(),
            inputs: 0,
            kernel,
            log,
            latency,
            venue,
        }
    }

    /// Carries out what a tick at `ts_ns` changes: the book first, then the last price, then the mark.
    pub(super) fn carry_out(&mut self, ts_ns: u64, id: InstrumentId, change: &Change) -> Result<(), Stop> {
        let mut work_ns = 0;
        self.quoted[id.index()] |= change.quote.is_some();
        if self.venue == Venue::Book {
            work_ns += self.set_book(ts_ns, id, change)?;
        }
        if let Some(price) = change.last {
            let (admitted, settled) = self.command(ts_ns, &Command::Last { instrument: id, price })?;
            work_ns += admitted + settled;
        }
        if let Some(price) = change.mark {
            let (admitted, settled) = self.command(ts_ns, &Command::Mark { instrument: id, price })?;
            self.latency.trigger.saturating_record(admitted);
            self.latency.settle.saturating_record(settled);
            work_ns += admitted + settled;
        }
        self.latency.tick.saturating_record(work_ns);
        self.latency.total_ns += work_ns;
        Ok(())
    }

    fn set_book(&mut self, ts_ns: u64, id: InstrumentId, change: &Change) -> Result<u64, Stop> {
        let depth = &mut self.depths[id.index()];
        let made = change.mark.filter(|_| !self.quoted[id.index()]).map(|mark| depth.quote_around(mark));
        let Some(quote) = change.quote.or(made) else { return Ok(0) };
        let (bids, asks) = depth.levels(self.kernel.market().instrument(id), &quote, ts_ns);
        let update = BookUpdate { bid: None, ask: None, bids: Some(bids), asks: Some(asks) };
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
        self.kernel.settle_command(command);
        let settled = Instant::now();
        self.note()?;
        Ok((nanoseconds(start, admitted), nanoseconds(admitted, settled)))
    }

    /// Notes what the last input led to.
    fn note(&mut self) -> Result<(), Stop> {
        self.inputs += 1;
        let events = self.kernel.events();
        if events.is_empty() {
            return Ok(());
        }
        let market = self.kernel.market();
        self.log.append(market, self.inputs, events).map_err(|error| Stop::Failed(ReplayError::Write(error)))?;
        self.tally.add(market, events);
        for event in events {
            if let Event::LiquidationFill { instrument, side, quantity, .. } = *event {
                self.depths[instrument.index()].take(side, quantity);
            }
        }
        Ok(())
    }
}
