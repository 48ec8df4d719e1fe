//! The arbiter's seat: reads the ring too, puts the reports of all workers in order, and decides with the shards at hand.

use super::desk::{Desk, Hatch};
use super::failure::Shared;
use super::slot::{Aside, Kind, Outgoing, Output, Slot, Told, VenueMessage, What};
use super::trace::{Stage, Trace};
use crate::command::Command;
use crate::correction::Correction;
use crate::event::Event;
use crate::kernel::{Overview, correct, declare};
use crate::market::Market;
use crate::refusal::Refusal;
use crate::ring::{Bell, Cursor, Reader, Receiver, Sender};
use crate::rounds::{Rounds, time_of};
use crate::shard::{Report, Shard, Shards};
use crossbeam::queue::ArrayQueue;
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

/// What the arbiter sees of a worker.
pub(super) struct Colleague {
    pub(super) cursor: Cursor,
    pub(super) reports: Receiver<Told>,
    pub(super) to_arbiter: Hatch,
    pub(super) from_arbiter: Hatch,
    /// Of the worker: it may wait for room.
    pub(super) bell: Bell,
}

impl Colleague {
    /// Whether the worker is beyond a place: it says so, or tells of a later one. It may wait for room to tell more, and
    /// say nothing meanwhile.
    fn has_passed(&self, place: u64) -> bool {
        self.first_told().is_some_and(|told| told > place) || self.cursor.load() > place
    }

    /// The first place at which the worker said something, or has not been yet: it passed those below without a word, but for
    /// what was taken in already.
    fn silent_until(&self) -> u64 {
        let passed = self.cursor.load(); // before the reports: what it told until then is there
        self.first_told().unwrap_or(passed)
    }

    fn first_told(&self) -> Option<u64> {
        self.reports.peek().map(|told| told.place)
    }
}

pub(super) struct Seat {
    pub(super) rounds: Rounds,
    pub(super) ring: Reader<Slot>,
    pub(super) asides: Arc<ArrayQueue<Aside>>,
    pub(super) colleagues: Vec<Colleague>,
    pub(super) outputs: Sender<Outgoing>,
    pub(super) shared: Arc<Shared>,
    /// Of this seat's thread.
    pub(super) bell: Bell,
    /// Of the caller.
    pub(super) caller: Bell,
    /// Told, and not yet taken by the queue.
    pub(super) outbox: VecDeque<Outgoing>,
    /// The shards and their markets, while they are here.
    pub(super) markets: Vec<Option<Box<Market>>>,
    pub(super) shards: Shards,
    pub(super) arrived: Vec<Option<Box<Shard>>>,
    pub(super) epoch: Option<Instant>,
    /// The last client command.
    pub(super) seq: u64,
    /// The refusal of the present place, if a shard refused.
    pub(super) refusal: Option<Refusal>,
    /// The place of which a worker's word was taken in, while another's is still awaited.
    pub(super) begun_place: Option<u64>,
    /// Whether a decision was asked for and has not come.
    pub(super) awaits_decision: bool,
    /// Whether what the pools of the last place began is still to be told.
    pub(super) holds_begun: bool,
    /// The time of the last input.
    pub(super) input_ns: u64,
    /// The place below which everything was told when this was said last.
    pub(super) settled: u64,
    /// Whether decisions are told with their hash and answers.
    pub(super) records: bool,
    /// Stamps when reports of orders came, if asked for.
    pub(super) trace: Option<Box<Trace>>,
}

/// What a step led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There may be more to do at once.
    Done,
    /// Somebody else must do something first.
    Waits,
    /// That was the last place.
    Ended,
}

/// Quiet marks that one step passes over at most: the caller looks after the venue between steps.
const QUIET_MARKS: u64 = 64;

impl Seat {
    /// Marks that concern nobody further, else one place, if all workers are.
    pub(super) fn step(&mut self) -> Step {
        if !self.tell() {
            return Step::Waits;
        }
        if self.pass_quiet_marks() {
            self.go_on();
            return Step::Done;
        }
        let Some(&slot) = self.ring.peek() else { return Step::Waits };
        let place = self.ring.place();
        if self.holds_begun && !matches!(slot.kind, Kind::Decide | Kind::Ask) {
            // The next input came before the decision: what was begun belongs before it.
            self.holds_begun = false;
            self.rounds.tell_begun();
            self.tell_events();
        }
        match slot.kind {
            Kind::Command(command) => {
                if !self.collect(place) {
                    return Step::Waits;
                }
                self.seq = slot.seq;
                self.command(&slot, &command);
            }
            Kind::Book { .. } => {
                if !self.collect(place) {
                    return Step::Waits;
                }
                self.seq = slot.seq;
                if let Some(Aside::Book(instrument, book)) = self.asides.pop() {
                    self.rounds.market.see_time(slot.ts_ns);
                    self.rounds.take_book(instrument, &book.update(), slot.ts_ns);
                    self.rounds.puts_off();
                    self.rounds.merge();
                    self.rounds.look_at_funds();
                    self.input_ns = self.rounds.now_ns;
                    self.told(!self.rounds.changes.is_empty());
                }
            }
            Kind::Pass => {
                self.rounds.now_ns = self.rounds.now_ns.max(slot.ts_ns.unwrap_or(0));
                self.rounds.market.see_time(slot.ts_ns);
            }
            Kind::Decide | Kind::Declare | Kind::Correct | Kind::Ask => {
                if !self.gather() {
                    return Step::Waits;
                }
                self.halted(&slot);
                self.dismiss();
            }
            Kind::Stop => {
                self.ring.advance();
                self.ring.release();
                return Step::Ended;
            }
        }
        self.ring.advance();
        self.go_on();
        Step::Done
    }

    /// Takes the marks that come next and concern nobody, of the places that all workers have passed without a word.
    fn pass_quiet_marks(&mut self) -> bool {
        if self.begun_place.is_some() || self.holds_begun || self.awaits_decision || !self.rounds.is_calm() {
            return false;
        }
        let first = self.ring.place();
        let silent = self.colleagues.iter().map(Colleague::silent_until).min().unwrap_or(first);
        while self.ring.place() < silent.min(first + QUIET_MARKS)
            && let Some(&Slot { seq, ts_ns, kind: Kind::Command(ref command), .. }) = self.ring.peek()
            && let Some((instrument, price)) = command.given_mark()
            && self.rounds.take_quiet_mark(instrument, price, ts_ns)
        {
            self.seq = seq;
            self.ring.advance();
        }
        let passed = self.ring.place() > first;
        if passed {
            self.input_ns = self.rounds.now_ns;
        }
        passed
    }

    /// The present place is behind: whoever waits for that learns it.
    fn go_on(&mut self) {
        self.ring.release();
        self.caller.ring(); // the sequencer may wait for room
        self.tell();
    }

    /// What the shards halted for.
    fn halted(&mut self, slot: &Slot) {
        match slot.kind {
            Kind::Decide => self.decide(),
            Kind::Declare => {
                self.seq = slot.seq;
                if let Some(Aside::Declare(declaration)) = self.asides.pop() {
                    let now_ns = slot.ts_ns.unwrap_or(self.rounds.now_ns);
                    declare(&mut self.rounds, &mut self.shards, slot.ts_ns, &declaration);
                    for market in self.markets.iter_mut().flatten() {
                        declaration.enter(market, now_ns);
                        market.see_time(slot.ts_ns);
                        market.copy_interest(&self.rounds.market);
                    }
                    self.input_ns = self.rounds.now_ns;
                    self.ask_venue();
                    self.told(true);
                }
            }
            Kind::Correct => {
                self.seq = slot.seq;
                if let Some(Aside::Correct(correction)) = self.asides.pop() {
                    self.correct(slot.ts_ns, &correction);
                }
            }
            _ => {
                if let Some(Aside::Ask(question)) = self.asides.pop() {
                    question(Overview::new(&self.rounds, &self.shards));
                }
            }
        }
    }

    /// Books a correction: what the workers do at a command is done here for all of them.
    fn correct(&mut self, ts_ns: Option<u64>, correction: &Correction) {
        self.markets.iter_mut().flatten().for_each(|market| market.see_time(ts_ns));
        let done = correct(&mut self.rounds, &mut self.shards, ts_ns, correction);
        if let Err(refusal) = done {
            self.outbox.push_back(Outgoing::Output(Output::Refused { seq: self.seq, refusal }));
            if self.rounds.market.jobs.is_empty() {
                return;
            }
        } else {
            self.input_ns = self.rounds.now_ns;
        }
        self.ask_venue();
        self.told(true);
    }

    fn decide(&mut self) {
        let holds_begun = std::mem::take(&mut self.holds_begun);
        debug_assert!(holds_begun || !self.rounds.has_begun());
        self.awaits_decision = false;
        self.rounds.decide(&mut self.shards);
        for market in self.markets.iter_mut().flatten() {
            market.copy_interest(&self.rounds.market);
            for &(instrument, input) in &self.rounds.followed {
                market.reprice(instrument, input, self.rounds.now_ns);
            }
            market.copy_airlocks(&self.rounds.market, &self.rounds.airlocks.changed);
        }
        if self.records {
            let hash = hash_of(&self.rounds.events);
            self.outbox.extend(self.rounds.given.iter().map(|&answer| Outgoing::Answer(answer)));
            self.outbox.push_back(Outgoing::Decided { hash });
        }
        self.ask_venue();
        self.tell_events();
    }

    /// Sends what the rounds ask of a venue that answers by commands.
    fn ask_venue(&mut self) {
        let decided_ns = self.epoch.map_or(0, |epoch| epoch.elapsed().as_nanos() as u64);
        let place = self.ring.place();
        let sent = self.rounds.sent.drain(..);
        self.outbox.extend(sent.map(|request| Outgoing::Venue(VenueMessage { place, decided_ns, request })));
    }

    /// Takes in what the workers report of a place; false as long as any of them may still have something to say.
    fn collect(&mut self, place: u64) -> bool {
        let mut passed = true;
        for colleague in &mut self.colleagues {
            // First whether it has passed: what it told before is there then.
            passed &= colleague.has_passed(place);
            let mut popped = false;
            while colleague.reports.peek().is_some_and(|told| told.place == place) {
                match colleague.reports.pop().map(|told| told.what) {
                    Some(What::Report(report)) => {
                        self.rounds.stage(&report);
                        if let (Some(trace), Report::Order { .. }) = (&mut self.trace, report) {
                            trace.pass(place, Stage::Arbiter);
                        }
                    }
                    Some(What::Refused(refusal)) => self.refusal = Some(refusal),
                    None => {}
                }
                popped = true;
            }
            if popped {
                self.begun_place = Some(place);
                colleague.bell.ring();
            }
        }
        if passed {
            self.begun_place = None;
        }
        passed
    }

    fn command(&mut self, slot: &Slot, command: &Command) {
        self.rounds.market.see_time(time_of(slot.ts_ns, command));
        let refused = self.refusal.take().or_else(|| {
            self.rounds.take_prices(command, slot.ts_ns);
            self.rounds.book(command, slot.off_grid).err()
        });
        if let Some(refusal) = refused {
            self.outbox.push_back(Outgoing::Output(Output::Refused { seq: self.seq, refusal }));
            if !self.rounds.market.jobs.is_empty() {
                // What a job had still to book for the account was booked before the command was looked at.
                self.rounds.puts_off();
                self.rounds.merge();
                self.told(true);
            } // else nothing follows: a hold that has timed out meanwhile ends with the next input
            return;
        }
        self.rounds.puts_off();
        self.rounds.accept_command(slot.ts_ns, command);
        self.input_ns = self.rounds.now_ns;
        self.rounds.merge();
        let changed = match command.price_input() {
            Some(_) => !self.rounds.changes.is_empty(),
            None => true,
        };
        self.told(changed);
    }

    /// After an input: asks for a decision if one is needed, and tells what happened.
    fn told(&mut self, changed: bool) {
        if !self.awaits_decision && self.rounds.needs_decision(changed) {
            self.awaits_decision = true;
            self.shared.want_decision();
            self.caller.ring();
        }
        if self.rounds.has_begun() {
            if self.awaits_decision {
                self.holds_begun = true;
            } else {
                self.rounds.tell_begun();
            }
        }
        self.tell_events();
    }

    fn tell_events(&mut self) {
        let seq = self.seq;
        let told = self.rounds.events.drain(..);
        self.outbox.extend(told.map(|event| Outgoing::Output(Output::Event { seq, event })));
    }

    /// Moves what was told to the queue, and says how far that is; false if the queue is full.
    fn tell(&mut self) -> bool {
        let done = self.flush();
        if done {
            self.shared.tell_seq(self.seq);
            self.tell_settled();
        }
        done
    }

    /// Everything below the present place is told, unless a decision is still to come.
    fn tell_settled(&mut self) {
        let place = self.ring.place();
        if !self.awaits_decision && self.settled != place {
            self.settled = place;
            self.shared.tell_settled(place, self.rounds.now_ns, self.input_ns);
            self.caller.ring();
        }
    }

    /// Moves what was told to the queue; false if that is full.
    fn flush(&mut self) -> bool {
        let done = self.outputs.push_from(&mut self.outbox);
        if !done {
            self.caller.ring();
        }
        done
    }

    /// Whether anything was told that the queue has not taken.
    pub(super) fn has_unsent(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Takes the desks of all workers; false as long as any is missing.
    fn gather(&mut self) -> bool {
        for (at, colleague) in self.colleagues.iter().enumerate() {
            if self.arrived[at].is_none()
                && let Some(Desk { market, shard }) = colleague.to_arbiter.take()
            {
                self.arrived[at] = Some(shard);
                self.markets[at] = Some(market);
            }
        }
        if self.arrived.iter().any(Option::is_none) {
            return false;
        }
        self.shards.extend(self.arrived.iter_mut().filter_map(Option::take));
        true
    }

    /// Gives the desks back.
    fn dismiss(&mut self) {
        let markets = self.markets.iter_mut().filter_map(Option::take);
        for ((market, shard), colleague) in markets.zip(self.shards.drain(..)).zip(&self.colleagues) {
            colleague.from_arbiter.give(Desk { market, shard });
        }
    }

    /// Whether a step could do something: to be waited for.
    pub(super) fn may_step(&mut self) -> bool {
        if !self.outbox.is_empty() {
            return !self.outputs.is_full();
        }
        let Some(slot) = self.ring.peek() else { return self.ring.is_closed() };
        match slot.kind {
            Kind::Command(_) | Kind::Book { .. } => {
                let place = self.ring.place();
                let tells = |colleague: &Colleague| colleague.first_told() == Some(place);
                self.colleagues.iter().any(tells) || self.colleagues.iter().all(|colleague| colleague.has_passed(place))
            }
            Kind::Decide | Kind::Declare | Kind::Correct | Kind::Ask => {
                self.colleagues.iter().any(|colleague| colleague.to_arbiter.is_waiting())
            }
            Kind::Pass | Kind::Stop => true,
        }
    }

    /// Steps until the end of the sequence, on a thread of its own.
    pub(super) fn run(mut self: Box<Self>, bell: &Bell) -> Option<Box<Self>> {
        loop {
            match self.step() {
                Step::Done => {}
                Step::Ended => {
                    while !self.flush() {
                        let Self { outputs, shared, .. } = &mut *self;
                        bell.wait(|| !outputs.is_full() || outputs.is_closed() || shared.has_failed());
                        if self.outputs.is_closed() {
                            break;
                        }
                    }
                    return Some(self);
                }
                Step::Waits => {
                    bell.wait(|| self.may_step() || self.shared.has_failed());
                    if self.shared.has_failed() || (self.ring.is_closed() && self.ring.peek().is_none()) {
                        return Some(self);
                    }
                }
            }
        }
    }
}

/// What a decision led to, as one number: the same on every machine of 64 bits.
pub(crate) fn hash_of(events: &[Event]) -> u64 {
    let mut hasher = xxhash_rust::xxh3::Xxh3Default::new();
    events.hash(&mut hasher);
    hasher.finish()
}
