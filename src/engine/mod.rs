//! The threaded driver: the same shards and the same arbiter as [`Kernel`], on pinned threads beside a matching engine.
//!
//! ```text
//!            caller's thread                              worker threads
//!  submit ─► [sequencer] ─► ring (one writer, all read) ─► [worker 0 · shard 0] ─► reports ─┐
//!               │    ▲                        │            [worker n · shard n] ─► reports ─┤
//!    record ◄───┘    │                        │                      │                      ▼
//!                    └── decision wanted ◄────┴── [arbiter: order of events · decisions] ◄──┘
//!  poll ◄──── log ◄──────────────────────────────────┘               │
//!       ◄──── venue requests ◄───────────────────────────────────────┘   (first orders, straight from the workers)
//! ```
//!
//! **One page of use.** [`Engine::start`] an engine over a [`Kernel`], which may be empty or loaded. From then on one thread, the
//! caller's, is the sequencer: it [`submit`](Engine::submit)s commands, each of which gets its place, and
//! [`poll`](Engine::poll)s, again and again, for the log and for what the venue is asked to do. Neither call waits: a full
//! ring is an answer ([`SubmitError::Full`]), after which one polls and tries again. [`settle`](Engine::settle) waits until all that was
//! submitted is done with all that follows; [`stop`](Engine::stop) does so, ends the threads and gives the kernel back.
//!
//! **Sequence.** Commands take effect in the order of their submission, on all shards. A pool in breach is locked by its
//! worker, which sends the first liquidation order at once. What touches the fund, auto-deleveraging or a second order waits
//! for a decision, which has a place of its own in the sequence, with all shards halted; the sequencer puts one in when
//! the arbiter asks, within `submit` or `poll`. So the events depend on where decisions fall, and these on timing; the
//! [record](Entry) holds them, and [`replay`] of it by an inline kernel gives the same log. In lockstep (settle after
//! every command; [`Driver`](crate::Driver) does so) the log is that of the inline kernel.
//!
//! **The venue.** In [`VenueMode::Manual`](crate::venue::VenueMode) the caller answers orders by commands. A pool has at most one order out. The
//! simulated modes answer within decisions; the requests of workers are then only for the clock.
//!
//! **Threads.** An engine belongs to one thread at a time (`Send`, not `Sync`). The shape of threads and cores is chosen by
//! [`Layout`] and told by [`Engine::shape`]. No thread takes a lock between a tick and its order, and none allocates.
//! Starting pins the calling thread too, unless [`Pinning::Off`].
//!
//! **Failure.** A panic of a thread is a bug; it stops the engine: what was told before can still be polled, everything
//! else answers [`SubmitError::Stopped`], and [`Engine::failure`] says why.

mod admission;
mod by_hand;
mod cores;
mod desk;
mod failure;
#[cfg(feature = "journal")]
mod journaled;
mod lockstep;
mod memory;
mod record;
mod seat;
mod slot;
mod start;
#[cfg(test)]
mod tests;
mod trace;
mod worker;

pub use crate::rounds::VenueAnswer;
pub use cores::{Layout, Pinning, Shape, StartError};
pub use failure::Failure;
pub use memory::Memory;
#[cfg(feature = "journal")]
pub(crate) use record::Steps;
pub use record::{Decision, Depth, Divergence, Entry, Retrace, replay};
pub use slot::{Output, VenueMessage};
#[cfg(feature = "cli")]
pub(crate) use start::DEFAULT_RING;
pub use start::EngineSettings;
pub use trace::{Stage, Stamp};

use crate::command::{Command, OffGrid, PositionMode};
use crate::correction::{Correction, CorrectionOffGrid};
use crate::jobs::Part;
use crate::kernel::{Declaration, Kernel, Overview};
use crate::map::Set;
use crate::market::{InstrumentId, Market};
use crate::number::{Price, Quantity};
use crate::prices::PriceInput;
use crate::refusal::Refusal;
use crate::ring::sync::threads::{self, JoinHandle};
use crate::ring::{Bell, Receiver, Writer};
use crate::rounds::time_of;
use crate::sequencer;
use crate::venue::BookUpdate;
use by_hand::Hands;
use crossbeam::queue::ArrayQueue;
use desk::Desk;
use failure::{Shared, guarded};
pub(crate) use seat::hash_of;
use seat::{Seat, Step};
use slot::{Aside, Asked, Kind, Outgoing, OwnedBook, Slot};
use std::collections::{BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};
use trace::Trace;

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// A worker or the log is behind: poll, then try again. Nothing has changed.
    #[error("the ring is full")]
    Full,
    /// The sequencer refused it: it has no place, and nothing has changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The engine has failed or was stopped.
    #[error("the engine has stopped")]
    Stopped,
}

/// What an engine has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Places of the sequence.
    pub places: u64,
    /// Decisions among them.
    pub decisions: u64,
    /// Times that the emitted heartbeat told.
    pub heartbeats: u64,
    /// Submissions that met a full ring.
    pub full: u64,
    /// Places that the slowest reader of the ring has yet to read.
    pub lag: u64,
    /// Time since the last submission.
    pub silence: Duration,
}

/// A kernel on threads.
///
/// Dropped without [`Engine::stop`] it ends its threads and forgets what was not polled.
pub struct Engine {
    shape: Shape,
    /// The rules and marks as of the last submission.
    market: Market,
    known: Set<u64>,
    /// Those in hedge mode.
    hedging: Set<u64>,
    /// The same in order.
    in_order: BTreeSet<u64>,
    /// By instrument: at least the open interest in lots.
    interest: Vec<Quantity>,
    now_ns: u64,
    seq: u64,
    /// Inputs of the kernel that its log does not count.
    first: u64,
    ring: Writer<Slot>,
    asides: Arc<ArrayQueue<Aside>>,
    venue: Vec<Receiver<Asked>>,
    outputs: Receiver<Outgoing>,
    shared: Arc<Shared>,
    /// Here if the arbiter shares this thread.
    seat: Option<Box<Seat>>,
    arbiter: Option<JoinHandle<Option<Box<Seat>>>>,
    workers: Vec<JoinHandle<Option<Desk>>>,
    /// Those who have no threads.
    hands: Option<Hands>,
    bell: Bell,
    /// Of the workers and the arbiter.
    others: Vec<Bell>,
    decisions: u64,
    /// What follows from places below this must be told before the next piece of a job gets its place.
    next_piece_at: u64,
    /// The place from which all must be told before a funding that fell due gets its own.
    settlement_at: Option<u64>,
    epoch: Instant,
    heartbeat: Option<Heartbeat>,
    last_submission: Instant,
    record: Option<Vec<Entry>>,
    /// Where the sequence goes instead, if it is kept on a disk.
    #[cfg(feature = "journal")]
    journal: Option<journaled::Journaled>,
    /// Where in the record the decisions stand whose outcome is not known yet.
    undecided: VecDeque<usize>,
    answers: Vec<VenueAnswer>,
    /// Taken from the queue, not yet polled.
    outbox: VecDeque<Output>,
    requests: VecDeque<VenueMessage>,
    /// What the last input of lockstep led to.
    events: Vec<crate::event::Event>,
    full: u64,
    heartbeats: u64,
    /// When the last place was published, if stages are stamped.
    published_ns: u64,
    traced: bool,
    /// What the workers stamped, once they have ended.
    traces: Arc<ArrayQueue<Box<Trace>>>,
}

/// When the sequencer tells the time of itself.
#[derive(Clone, Copy, Debug)]
struct Heartbeat {
    every: Duration,
    clock_ns: fn() -> u64,
}

impl Engine {
    /// The shape that was chosen.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The rules, and the marks as of the last submission.
    #[must_use]
    pub fn market(&self) -> &Market {
        &self.market
    }

    /// Why the engine stopped by itself, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        self.shared.failure()
    }

    /// When the engine started.
    #[must_use]
    pub fn epoch(&self) -> Instant {
        self.epoch
    }

    /// Nanoseconds since the engine started: the clock of [`VenueMessage::decided_ns`].
    #[must_use]
    pub fn elapsed_ns(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    /// When the last place was published, by the same clock; 0 unless stages are stamped ([`EngineSettings::trace`]).
    #[must_use]
    pub fn published_ns(&self) -> u64 {
        self.published_ns
    }

    /// Submits a command at the present time, and returns its number, from 1.
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; nothing has changed then.
    #[inline]
    pub fn submit(&mut self, command: &Command) -> Result<u64, SubmitError> {
        self.submit_at(None, command, OffGrid::NONE)
    }

    /// As [`Engine::submit`], at a time in nanoseconds since the epoch, with the marks of those numbers that were finer
    /// than their grid. What the shard of an account refuses is told in the log, by [`Output::Refused`].
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; nothing has changed then.
    pub fn submit_at(&mut self, ts_ns: Option<u64>, command: &Command, off_grid: OffGrid) -> Result<u64, SubmitError> {
        self.check_open()?;
        if let Command::Mark { instrument, price } = *command
            && !off_grid.any()
            && self.submit_quiet_mark(ts_ns, instrument, price)
        {
            return Ok(self.seq);
        }
        if matches!(command, Command::Chunk { .. }) {
            return Err(Refusal::NotDue.into()); // the sequencer gives them itself
        }
        let time_ns = time_of(ts_ns, command);
        self.check_time(time_ns)?;
        // Prices and settlements always tell their time: a worker knows not which of the others' commands were refused.
        let timed = command.price_input().is_some() || matches!(command, Command::Funding { .. });
        let ts_ns = ts_ns.or_else(|| timed.then_some(self.now_ns));
        self.check(command, off_grid)?;
        if !self.has_room() {
            self.full += 1;
            return Err(SubmitError::Full);
        }
        let slot = Slot { seq: self.seq + 1, ts_ns, kind: Kind::Command(*command), off_grid };
        self.publish(slot);
        self.seq += 1;
        self.note(command, time_ns);
        self.now_ns = time_ns.unwrap_or(self.now_ns);
        if self.keeps_sequence() {
            self.keep(Entry::Command { seq: self.seq, ts_ns, command: *command, off_grid });
        }
        Ok(self.go_on())
    }

    /// Publishes a mark that changes nothing here but itself, which is nearly every one; false if it is to go the long way, and
    /// nothing was done.
    #[inline]
    fn submit_quiet_mark(&mut self, ts_ns: Option<u64>, id: InstrumentId, price: Price) -> bool {
        let now_ns = ts_ns.unwrap_or(self.now_ns);
        let quiet = price > 0
            && now_ns >= self.now_ns
            && self.market.instruments.get(id.index()).is_some_and(|instrument| {
                let lots = self.interest[id.index()].max(1);
                instrument.is_plain() && instrument.admitted_value(lots, price).is_some()
            })
            && !self.keeps_sequence()
            && !self.market.may_have_pieces()
            && !self.ring.is_full();
        if quiet {
            self.seq += 1;
            let kind = Kind::Command(Command::Mark { instrument: id, price });
            self.publish(Slot { seq: self.seq, ts_ns: Some(now_ns), off_grid: OffGrid::NONE, kind });
            self.market.move_plain_mark(id, price, now_ns);
            self.now_ns = now_ns;
            self.insert_decision();
        }
        quiet
    }

    /// Gives new depth to the simulated venue.
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; nothing has changed then.
    pub fn submit_book(
        &mut self,
        ts_ns: Option<u64>,
        instrument: InstrumentId,
        update: &BookUpdate<'_>,
    ) -> Result<u64, SubmitError> {
        self.check_open()?;
        self.check_time(ts_ns)?;
        sequencer::check_book_update(&self.market, instrument, update)?;
        let ts_ns = ts_ns.or(Some(self.now_ns));
        let (book, top) = (OwnedBook::of(update), update.top());
        let entry = self.keeps_sequence().then(|| Entry::Book {
            seq: self.seq + 1,
            ts_ns,
            instrument,
            book: Depth(book.clone()),
        });
        self.submit_aside(ts_ns, Kind::Book { instrument, top }, Aside::Book(instrument, book), entry)?;
        self.market.reprice(instrument, PriceInput::Book(top), self.now_ns);
        Ok(self.go_on())
    }

    /// Declares an asset, a fund, an instrument or the venue.
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; nothing has changed then.
    pub fn submit_declaration(&mut self, ts_ns: Option<u64>, declaration: &Declaration) -> Result<u64, SubmitError> {
        self.check_open()?;
        self.check_time(ts_ns)?;
        let timed = matches!(declaration, Declaration::Rules { .. }); // prices may follow
        let ts_ns = ts_ns.or_else(|| timed.then_some(self.now_ns));
        self.check_declaration(declaration, ts_ns.unwrap_or(self.now_ns))?;
        let entry = self.keeps_sequence().then(|| Entry::Declare {
            seq: self.seq + 1,
            ts_ns,
            declaration: declaration.clone(),
        });
        self.submit_aside(ts_ns, Kind::Declare, Aside::Declare(declaration.clone()), entry)?;
        declaration.enter(&mut self.market, self.now_ns);
        if matches!(declaration, Declaration::Rules { .. }) {
            self.next_piece_at = self.ring.place(); // its own place is given already
        }
        self.interest.resize(self.market.instruments.len(), 0);
        Ok(self.go_on())
    }

    /// Submits a correction: of an input of this engine, by the number that its submission returned.
    ///
    /// What only the arbiter or the shard of an account can refuse is told in the log, by [`Output::Refused`].
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; nothing has changed then.
    pub fn submit_correction(&mut self, ts_ns: Option<u64>, correction: &Correction) -> Result<u64, SubmitError> {
        let present = self.seq + 1;
        self.submit_correction_at(ts_ns, correction, CorrectionOffGrid::NONE, present)
    }

    /// As [`Engine::submit_correction`], with the marks of those numbers that were finer than their grid, and where the caller
    /// numbers inputs by itself: this one is `present`, and what is corrected came before it.
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; nothing has changed then.
    pub fn submit_correction_at(
        &mut self,
        ts_ns: Option<u64>,
        correction: &Correction,
        off_grid: CorrectionOffGrid,
        present: u64,
    ) -> Result<u64, SubmitError> {
        self.check_open()?;
        self.check_time(ts_ns)?;
        self.check_correction(correction, off_grid, present)?;
        let entry =
            self.keeps_sequence().then(|| Entry::Correct { seq: self.seq + 1, ts_ns, correction: correction.clone() });
        self.submit_aside(ts_ns, Kind::Correct, Aside::Correct(correction.clone()), entry)?;
        self.market.note_remark(correction);
        if let Some(fill) = correction.fill() {
            self.note(&Command::Fill(fill), ts_ns);
        }
        Ok(self.go_on())
    }

    /// Gives an input its place whose contents lie aside. The caller enters it in its copy of the market, and [goes on](Self::go_on).
    fn submit_aside(
        &mut self,
        ts_ns: Option<u64>,
        kind: Kind,
        aside: Aside,
        entry: Option<Entry>,
    ) -> Result<(), SubmitError> {
        if !self.has_room() || self.asides.push(aside).is_err() {
            self.full += 1;
            return Err(SubmitError::Full);
        }
        self.publish(Slot { seq: self.seq + 1, ts_ns, kind, off_grid: OffGrid::NONE });
        self.seq += 1;
        self.now_ns = ts_ns.unwrap_or(self.now_ns);
        if let Some(entry) = entry {
            self.keep(entry);
        }
        Ok(())
    }

    /// What has fallen due gets its place behind an input, once that is in the sequencer's copy of the market: what both begin is in the same order there as everywhere. The input's
    /// number.
    #[inline]
    fn go_on(&mut self) -> u64 {
        self.insert_decision();
        self.insert_piece();
        self.seq
    }

    /// Does what there is to do, never waits, and takes what there is to take: first what the venue is asked, then the log.
    ///
    /// Call it often: decisions get their place within it, and where the arbiter shares this thread it works here.
    pub fn poll(&mut self, mut venue: impl FnMut(&VenueMessage), mut log: impl FnMut(&Output)) {
        // Orders first: they do not wait for the arbiter's work.
        self.take_requests();
        while let Some(message) = self.requests.pop_front() {
            venue(&message);
        }
        self.work();
        while let Some(message) = self.requests.pop_front() {
            venue(&message);
        }
        while let Some(output) = self.outbox.pop_front() {
            log(&output);
        }
    }

    /// Waits until all that was submitted is done, with all that follows from it. What it told is kept for
    /// [`Engine::poll`].
    ///
    /// # Errors
    ///
    /// The engine failed.
    pub fn settle(&mut self) -> Result<(), Failure> {
        loop {
            self.work();
            if let Some(failure) = self.failure() {
                return Err(failure);
            }
            if self.is_settled() {
                self.now_ns = self.shared.now_ns();
                self.work(); // what was told before that
                return Ok(());
            }
            self.wait_for_work();
        }
    }

    /// Looks at the whole state, at a place of its own; waits for that.
    ///
    /// # Errors
    ///
    /// The engine failed, or was stopped.
    pub fn ask<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(Overview<'_>) -> T + Send + 'static,
    ) -> Result<T, SubmitError> {
        self.check_open()?;
        let answer = Arc::new(ArrayQueue::new(1));
        let there = Arc::clone(&answer);
        let mut aside = Aside::Ask(Box::new(move |overview: Overview<'_>| {
            let _ = there.push(question(overview)); // asked once
        }));
        while self.ring.is_full() {
            self.work_or_fail()?;
        }
        while let Err(back) = self.asides.push(aside) {
            aside = back;
            self.work_or_fail()?;
        }
        self.publish(Slot { seq: self.seq, ts_ns: None, kind: Kind::Ask, off_grid: OffGrid::NONE });
        loop {
            if let Some(answer) = answer.pop() {
                return Ok(answer);
            }
            self.work_or_fail()?;
        }
    }

    /// Every command up to this number was accepted unless [`Output::Refused`] says otherwise; what it led to, and the
    /// decisions that followed, may still be under way. To be asked before a poll: that gives the refusals.
    #[must_use]
    pub fn told_seq(&self) -> u64 {
        self.shared.told_seq()
    }

    /// The place that the next submission gets.
    #[must_use]
    pub fn next_place(&self) -> u64 {
        self.ring.place()
    }

    /// What the engine has done so far.
    pub fn metrics(&mut self) -> Metrics {
        Metrics {
            places: self.ring.place(),
            decisions: self.decisions,
            heartbeats: self.heartbeats,
            full: self.full,
            lag: self.ring.place() - self.ring.slowest(),
            silence: self.last_submission.elapsed(),
        }
    }

    /// The sequence so far, if the engine records it.
    #[must_use]
    pub fn record(&self) -> Option<&[Entry]> {
        self.record.as_deref()
    }

    /// Everything that can be done without waiting.
    fn work(&mut self) {
        self.beat();
        self.take_requests();
        if let Some(mut seat) = self.seat.take() {
            // What the seat tells is taken as it comes, so that its queue never stops it here.
            let worked = guarded(|| {
                while seat.step() == Step::Done {
                    self.take_outputs();
                    self.insert_decision();
                    self.take_requests();
                }
                Some(seat)
            });
            self.seat = self.shared.unless_failed("the arbiter", worked);
        }
        self.take_outputs();
        self.insert_decision();
        // One piece at a call: workers and seat would follow it with the next for as long as a job lasts, and the caller's inputs wait.
        self.insert_piece();
    }

    /// Waits until somebody has something for this thread, or this thread has something to do.
    fn wait_for_work(&mut self) {
        if self.wait_by_hand() {
            return;
        }
        let Self { bell, seat, shared, outputs, venue, decisions, ring, market, next_piece_at, .. } = self;
        bell.wait(|| {
            shared.has_failed()
                || outputs.peek().is_some()
                || venue.iter().any(|queue| queue.peek().is_some())
                || (shared.wanted() > *decisions && !ring.is_full())
                || (!market.jobs.is_empty() && shared.settled() >= *next_piece_at && !ring.is_full())
                || shared.settled() == ring.place()
                || seat.as_mut().is_some_and(|seat| seat.may_step())
        });
    }

    fn work_or_fail(&mut self) -> Result<(), SubmitError> {
        self.wait_for_work();
        self.work();
        if self.shared.has_failed() { Err(SubmitError::Stopped) } else { Ok(()) }
    }

    fn is_settled(&self) -> bool {
        self.shared.settled() == self.ring.place()
            && !self.lacks_decision()
            && self.market.jobs.is_empty()
            && self.market.due_settlement(self.shared.input_ns()).is_none()
    }

    fn lacks_decision(&self) -> bool {
        self.shared.wanted() > self.decisions
    }

    /// Gives a decision its place, if the arbiter wants one.
    #[inline]
    fn insert_decision(&mut self) {
        if self.lacks_decision() && self.has_room() {
            self.publish(Slot { seq: self.seq, ts_ns: None, kind: Kind::Decide, off_grid: OffGrid::NONE });
            self.decisions += 1;
            if self.keeps_sequence() {
                self.undecided.push_back(self.record.as_ref().map_or(0, Vec::len));
                self.keep(Entry::Decide { outcome: None });
            }
        }
    }

    /// Gives the next piece of the oldest job its place, if all that follows from the last is told: one is under way at a
    /// time, and inputs lie in between.
    #[inline]
    fn insert_piece(&mut self) {
        if !self.market.jobs.is_empty() {
            self.insert_due_piece();
        } else if !self.market.self_funding.is_empty() {
            self.insert_due_settlement();
        }
    }

    /// Gives a funding that has fallen due its place, when all that led there is told.
    #[cold]
    fn insert_due_settlement(&mut self) {
        let Some(command) = self.market.due_settlement(self.shared.input_ns()) else { return };
        let at = *self.settlement_at.get_or_insert(self.ring.place());
        if self.shared.settled() < at || self.lacks_decision() || !self.has_room() {
            return;
        }
        self.settlement_at = None;
        let (ts_ns, off_grid) = (Some(self.now_ns), OffGrid::NONE);
        self.publish(Slot { seq: self.seq, ts_ns, kind: Kind::Command(command), off_grid });
        self.note(&command, ts_ns);
        if self.keeps_sequence() {
            self.keep(Entry::Command { seq: self.seq, ts_ns, command, off_grid });
        }
    }

    #[cold]
    fn insert_due_piece(&mut self) {
        if self.shared.settled() < self.next_piece_at || self.lacks_decision() || !self.has_room() {
            return;
        }
        let Some(job) = self.market.jobs.first() else { return };
        let chunk = self.market.instrument(job.name.instrument).spec.funding.chunk as usize;
        let from = job.done.map_or(Bound::Unbounded, Bound::Excluded);
        let last = self.in_order.range((from, Bound::Unbounded)).take(chunk).last();
        let part = last.map_or(Part::End, |&last| Part::UpTo(last));
        let (command, off_grid) = (Command::Chunk { job: job.name, part }, OffGrid::NONE);
        self.next_piece_at = self.ring.place() + 1;
        self.publish(Slot { seq: self.seq, ts_ns: None, kind: Kind::Command(command), off_grid });
        self.market.note_job(&command, self.now_ns);
        if self.keeps_sequence() {
            self.keep(Entry::Command { seq: self.seq, ts_ns: None, command, off_grid });
        }
    }

    /// Tells the time if nobody else has for a while.
    fn beat(&mut self) {
        let Some(heartbeat) = self.heartbeat else { return };
        if self.last_submission.elapsed() < heartbeat.every || !self.has_room() || self.shared.has_failed() {
            return;
        }
        let ts_ns = (heartbeat.clock_ns)().max(self.now_ns);
        let (command, off_grid) = (Command::Time { ts_ns }, OffGrid::NONE);
        self.publish(Slot { seq: self.seq, ts_ns: None, kind: Kind::Command(command), off_grid });
        self.market.reprice_all(ts_ns);
        self.now_ns = ts_ns;
        self.heartbeats += 1;
        if self.keeps_sequence() {
            self.keep(Entry::Command { seq: self.seq, ts_ns: None, command, off_grid });
        }
    }

    /// Whether there is room for one more place: in the ring, and where the sequence is kept.
    #[inline]
    fn has_room(&mut self) -> bool {
        #[cfg(feature = "journal")]
        if self.journal.as_ref().is_some_and(|journal| !journal.has_room(self.undecided.len())) {
            self.look_at_journal(); // one that has failed makes no room any more: whoever waits for some must learn it
            return false;
        }
        !self.ring.is_full()
    }

    /// Whether places are kept, in memory or in a journal.
    #[inline]
    fn keeps_sequence(&self) -> bool {
        #[cfg(feature = "journal")]
        if self.journal.is_some() {
            return true;
        }
        self.record.is_some()
    }

    /// Keeps a place.
    #[inline]
    fn keep(&mut self, entry: Entry) {
        #[cfg(feature = "journal")]
        if self.journal.is_some() {
            self.append_place(entry);
            return;
        }
        if let Some(record) = &mut self.record {
            record.push(entry);
        }
    }

    /// Notes what was told for the journal's checks.
    #[inline]
    #[cfg_attr(not(feature = "journal"), expect(clippy::unused_self, reason = "there is no journal"))]
    fn note_told(&mut self, output: &Output) {
        #[cfg(feature = "journal")]
        if let Some(journal) = &mut self.journal {
            journal.told(output);
        }
        #[cfg(not(feature = "journal"))]
        let _ = output;
    }

    #[inline]
    fn publish(&mut self, slot: Slot) {
        if self.heartbeat.is_some() {
            self.last_submission = Instant::now();
        }
        let published = self.ring.try_publish(slot);
        debug_assert!(published.is_ok(), "the ring was found to have room");
        if self.traced {
            self.published_ns = self.elapsed_ns();
        }
        self.others.iter().for_each(Bell::ring);
    }

    /// What the workers ask of the venue; the simulated venue is asked by nobody but the clock.
    fn take_requests(&mut self) {
        for (queue, worker) in self.venue.iter_mut().zip(&self.others) {
            let before = self.requests.len();
            while let Some(asked) = queue.pop() {
                self.requests.push_back(asked.message());
            }
            if self.requests.len() > before {
                worker.ring(); // it may wait for room
            }
        }
    }

    fn take_outputs(&mut self) {
        let mut any = false;
        while let Some(outgoing) = self.outputs.pop() {
            any = true;
            match outgoing {
                Outgoing::Output(output) => {
                    self.note_told(&output);
                    self.outbox.push_back(output);
                }
                Outgoing::Venue(message) => self.requests.push_back(message),
                Outgoing::Answer(answer) => self.answers.push(answer),
                Outgoing::Decided { hash } => {
                    let outcome = Decision { hash, answers: std::mem::take(&mut self.answers) };
                    let at = self.undecided.pop_front();
                    #[cfg(feature = "journal")]
                    if self.journal.is_some() {
                        self.append(crate::journal::Frame::Outcome(outcome));
                        continue;
                    }
                    let place = at.and_then(|at| self.record.as_mut()?.get_mut(at));
                    if let Some(entry) = place {
                        *entry = Entry::Decide { outcome: Some(outcome) };
                    }
                }
            }
        }
        if let (true, Some(arbiter)) = (any, self.others.get(self.shape.workers as usize)) {
            arbiter.ring(); // it may wait for room
        }
    }

    fn know(&mut self, account: u64) {
        if self.known.insert(account) {
            self.in_order.insert(account);
        }
    }

    /// Notes what a command changes of what the sequencer knows.
    #[inline]
    fn note(&mut self, command: &Command, time_ns: Option<u64>) {
        if let Some((instrument, input)) = command.price_input() {
            let now_ns = time_ns.unwrap_or(self.now_ns);
            match instrument {
                Some(instrument) => drop(self.market.reprice(instrument, input, now_ns)),
                None => self.market.reprice_all(now_ns),
            }
        }
        match *command {
            Command::Mode { .. } | Command::Health { .. } => self.market.note_mode(command),
            Command::Fill(crate::command::Fill { instrument, .. }) | Command::LiquidationFill { instrument, .. } => {
                let interest = &mut self.interest[instrument.index()];
                *interest = interest.saturating_add(sequencer::open_interest_growth(command));
            }
            Command::Account { account, positions, .. } => {
                self.know(account);
                if positions == PositionMode::Hedge {
                    self.hedging.insert(account);
                }
            }
            Command::Deposit { account, .. } => self.know(account),
            Command::Funding { .. } => {
                self.next_piece_at = self.ring.place(); // its own place is given already
                self.market.note_job(command, time_ns.unwrap_or(self.now_ns));
            }
            _ => {}
        }
    }
}

/// What an engine leaves.
pub struct Finished {
    /// The kernel, to look at or to go on with inline; none if a shard was lost with its thread.
    pub kernel: Option<Kernel>,
    /// What was told and not polled.
    pub log: Vec<Output>,
    /// What the venue was asked, and nobody polled.
    pub requests: Vec<VenueMessage>,
    /// The sequence, if it was recorded.
    pub record: Option<Vec<Entry>>,
    /// Why it stopped by itself, if it did.
    pub failure: Option<Failure>,
    /// The stages that orders passed, if they were stamped; by thread.
    pub stamps: Vec<Stamp>,
}

impl Engine {
    /// Settles, ends all threads, and gives everything back. Nothing that was told is lost.
    #[must_use]
    pub fn stop(mut self) -> Finished {
        let _ = self.settle(); // a failure is told below
        self.end_threads()
    }

    fn end_threads(&mut self) -> Finished {
        while !self.shared.has_failed() && self.ring.is_full() {
            let _ = self.work_or_fail(); // a failure ends the loop
        }
        if !self.shared.has_failed() {
            self.publish(Slot { seq: self.seq, ts_ns: None, kind: Kind::Stop, off_grid: OffGrid::NONE });
        }
        let (desks, joined) = match self.hands.take() {
            Some(hands) => self.end_hands(hands),
            None => self.join(),
        };
        self.work();
        let mut seat = self.seat.take().or(joined);
        self.take_outputs();
        if let Some(seat) = &mut seat {
            while seat.has_unsent() {
                seat.step();
                self.take_outputs();
            }
        }
        self.take_requests();
        let mut stamps: Vec<Stamp> =
            seat.as_mut().and_then(|seat| seat.trace.take()).map_or(Vec::new(), |trace| trace.stamps);
        while let Some(trace) = self.traces.pop() {
            stamps.extend(trace.stamps);
        }
        #[cfg(feature = "journal")]
        self.end_journal();
        let whole = desks.len() == self.shape.workers as usize && !self.shared.has_failed();
        let kernel = seat.filter(|_| whole).map(|seat| {
            let shards = desks.into_iter().map(|desk| desk.shard).collect();
            Kernel::from_parts(seat.rounds, shards, self.first + self.seq)
        });
        Finished {
            kernel,
            log: self.outbox.drain(..).collect(),
            requests: self.requests.drain(..).collect(),
            record: self.record.take(),
            failure: self.failure(),
            stamps,
        }
    }

    /// Waits for the threads to end. They may need this one until then: for room, or for the arbiter.
    fn join(&mut self) -> (Vec<Desk>, Option<Box<Seat>>) {
        while self.workers.iter().any(|worker| !worker.is_finished())
            || self.arbiter.as_ref().is_some_and(|arbiter| !arbiter.is_finished())
        {
            self.work();
            threads::yield_now();
        }
        let desks = self.workers.drain(..).filter_map(|worker| worker.join().ok().flatten()).collect();
        (desks, self.arbiter.take().and_then(|arbiter| arbiter.join().ok().flatten()))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if !self.workers.is_empty() || self.arbiter.is_some() {
            let _ = self.end_threads();
        }
    }
}
