//! A worker: one pinned thread, one shard. Reads the ring, books, finds breaches, sends first orders, reports the rest.

use super::desk::{Desk, Hatch};
use super::failure::Shared;
use super::seat::Step;
use super::slot::{Asked, Kind, Slot, Told, What};
use super::trace::{Stage, Trace};
use crate::command::Command;
use crate::event::Cause;
use crate::market::InstrumentId;
use crate::prices::{PriceInput, Top};
use crate::ring::{Bell, Reader, Sender};
use crate::rounds::{cause_of, time_of};
use crate::sequencer::Found;
use crate::shard::{Outbox, Report};
use crate::venue::VenueRequest;
use crossbeam::queue::ArrayQueue;
use std::sync::Arc;
use std::time::Instant;

/// Places after which a worker says how far it is, even if more are there.
const BATCH: u32 = 32;

pub(super) struct Worker {
    pub(super) number: u32,
    pub(super) ring: Reader<Slot>,
    pub(super) outbox: WorkerOutbox,
    /// None while the arbiter has it.
    pub(super) desk: Option<Desk>,
    /// Places since this worker said last how far it is.
    pub(super) passed: u32,
    pub(super) to_arbiter: Hatch,
    pub(super) from_arbiter: Hatch,
    /// Of this worker.
    pub(super) bell: Bell,
    pub(super) shared: Arc<Shared>,
    /// Where its stamps go when it ends.
    pub(super) traces: Arc<ArrayQueue<Box<Trace>>>,
    /// At this place it panics: for the tests of what happens then.
    pub(super) panic_at: Option<u64>,
}

/// Where a worker's reports go: all to the arbiter, and orders at once to the venue too.
pub(super) struct WorkerOutbox {
    pub(super) place: u64,
    /// Inputs that the log does not count: orders are accepted in the order of all.
    pub(super) accepted: u64,
    pub(super) reports: Sender<Told>,
    pub(super) venue: Sender<Asked>,
    /// Of the arbiter and of the caller.
    pub(super) bells: [Bell; 2],
    pub(super) own_bell: Bell,
    pub(super) shared: Arc<Shared>,
    /// The start of all stamps; none: no stamps are taken.
    pub(super) epoch: Option<Instant>,
    /// Stamps of the stages of orders, if asked for.
    pub(super) trace: Option<Box<Trace>>,
    /// Whether anything was put since the places were released last.
    pub(super) told: bool,
}

impl Worker {
    pub(super) fn name(&self) -> String {
        format!("worker {}", self.number)
    }

    /// Works until the end of the sequence, or until somebody else has failed; gives the desk back.
    pub(super) fn run(mut self) -> Option<Desk> {
        loop {
            match self.step() {
                Step::Done => {}
                Step::Ended => return self.desk,
                Step::Waits => {
                    let Self { ring, desk, from_arbiter, bell, shared, .. } = &self;
                    let at_desk = desk.is_some();
                    let goes_on = || if at_desk { ring.peek().is_some() } else { from_arbiter.is_waiting() };
                    let ends = || shared.has_failed() || at_desk && ring.is_closed();
                    bell.wait(|| goes_on() || ends());
                    if !goes_on() && ends() {
                        return self.desk;
                    }
                }
            }
        }
    }

    /// One place further, or one half of a hand-over.
    #[inline]
    pub(super) fn step(&mut self) -> Step {
        let Some(desk) = &mut self.desk else { return self.take_back() };
        let Some(slot) = self.ring.peek() else {
            if self.passed == 0 {
                return Step::Waits;
            }
            self.release();
            return Step::Done;
        };
        if let Some(trace) = &mut self.outbox.trace {
            trace.take();
        }
        match slot.kind {
            Kind::Decide | Kind::Declare | Kind::Correct | Kind::Ask => return self.hand_over(),
            Kind::Stop => {
                self.ring.advance();
                self.release();
                if let Some(trace) = self.outbox.trace.take() {
                    let _ = self.traces.push(trace); // there is room for each
                }
                return Step::Ended;
            }
            _ => self.outbox.take_in(desk, self.ring.place(), slot),
        }
        self.pass();
        Step::Done
    }

    /// The present place is behind; how far this worker is it says after a while, or when it told anything.
    #[inline]
    fn pass(&mut self) {
        if self.panic_at == Some(self.ring.place()) {
            injected_panic(self.number);
        }
        self.ring.advance();
        self.passed += 1;
        if self.passed == BATCH || std::mem::take(&mut self.outbox.told) {
            self.release();
        }
    }

    /// Hands the desk to the arbiter: without it nothing goes on here.
    fn hand_over(&mut self) -> Step {
        self.release();
        if let Some(desk) = self.desk.take() {
            self.to_arbiter.give(desk);
        }
        Step::Done
    }

    /// Takes the desk back, if it is there; then the place at which it was handed over is behind.
    #[cold]
    fn take_back(&mut self) -> Step {
        self.desk = self.from_arbiter.take();
        if self.desk.is_none() {
            return Step::Waits;
        }
        self.pass();
        Step::Done
    }

    /// Says how far it is.
    pub(super) fn release(&mut self) {
        self.passed = 0;
        self.ring.release();
        self.outbox.bells.iter().for_each(Bell::ring);
    }
}

#[cold]
#[expect(clippy::panic, reason = "asked for by a test")]
fn injected_panic(worker: u32) {
    panic!("worker {worker} was told to panic here");
}

impl WorkerOutbox {
    /// An input for which nobody halts.
    #[inline]
    pub(super) fn take_in(&mut self, desk: &mut Desk, place: u64, slot: &Slot) {
        match slot.kind {
            Kind::Command(ref command) => {
                let given = command.given_mark();
                if !given.is_some_and(|(instrument, price)| desk.take_quiet_mark(instrument, price, slot.ts_ns)) {
                    self.carry_out(desk, place, slot, command);
                }
            }
            Kind::Book { instrument, top } => self.take_book(desk, place, slot, instrument, top),
            Kind::Pass => desk.market.see_time(slot.ts_ns),
            Kind::Decide | Kind::Declare | Kind::Correct | Kind::Ask | Kind::Stop => {}
        }
    }

    fn carry_out(&mut self, desk: &mut Desk, place: u64, slot: &Slot, command: &Command) {
        self.place = place;
        desk.market.see_time(time_of(slot.ts_ns, command));
        desk.market.note_mode(command);
        let Some((instrument, input)) = command.price_input() else {
            let Desk { market, shard } = desk;
            if let Err(refusal) =
                shard.book(market, (command, slot.off_grid), &Found::default(), self.accepted + slot.seq, self)
            {
                self.tell(What::Refused(refusal));
                if market.jobs.is_empty() {
                    return;
                }
            } else {
                market.note_job(command, slot.ts_ns.unwrap_or(0)); // told with every settlement
            }
            if !market.awaits_timeout() {
                shard.find_breaches(market, cause_of(command, false), self);
            }
            return;
        };
        if let Command::Time { .. } = command {
            desk.shard.note_time();
        }
        // The sequencer tells the time with every price.
        let now_ns = time_of(slot.ts_ns, command).unwrap_or(0);
        let moved = match instrument {
            Some(instrument) => desk.reprice(instrument, input, now_ns),
            None => desk.reprice_all(now_ns),
        };
        if !desk.market.awaits_timeout() {
            desk.shard.find_breaches(&desk.market, cause_of(command, moved), self);
        }
    }

    fn take_book(&mut self, desk: &mut Desk, place: u64, slot: &Slot, instrument: InstrumentId, top: Top) {
        self.place = place;
        desk.market.see_time(slot.ts_ns);
        let moved = desk.reprice(instrument, PriceInput::Book(top), slot.ts_ns.unwrap_or(0));
        if !desk.market.awaits_timeout() {
            let cause = if moved { Cause::Instrument(instrument) } else { Cause::Op("book") };
            desk.shard.find_breaches(&desk.market, cause, self);
        }
    }

    fn tell(&mut self, what: What) {
        self.told = true;
        let Self { reports, own_bell, bells, shared, place, .. } = self;
        push(reports, Told { place: *place, what }, own_bell, bells, shared);
    }

    fn send(&mut self, request: VenueRequest) {
        let decided_ns = self.epoch.map_or(0, |epoch| epoch.elapsed().as_nanos() as u64);
        let asked = Asked::of(self.place, decided_ns, request);
        let Self { venue, own_bell, bells, shared, .. } = self;
        push(venue, asked, own_bell, bells, shared);
    }
}

impl Outbox for WorkerOutbox {
    fn put(&mut self, report: Report) {
        self.tell(What::Report(report));
    }

    #[inline]
    fn ask(&mut self, request: VenueRequest) {
        let place = self.place;
        if let Some(trace) = &mut self.trace {
            trace.decide(place);
        }
        self.send(request);
        if let Some(trace) = &mut self.trace {
            trace.pass(place, Stage::Queued);
        }
    }
}

/// Pushes, waiting for room as long as anybody can make it.
pub(super) fn push<T: Copy>(queue: &mut Sender<T>, item: T, own_bell: &Bell, bells: &[Bell; 2], shared: &Shared) {
    while queue.try_push(item).is_err() {
        bells.iter().for_each(Bell::ring);
        own_bell.wait(|| !queue.is_full() || queue.is_closed() || shared.has_failed());
        if queue.is_closed() || shared.has_failed() {
            return; // nobody will ever read it
        }
    }
}
