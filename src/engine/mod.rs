//! The threaded driver: the same shards and the same arbiter as [`Kernel`](crate::Kernel), on pinned threads beside a matching engine.
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
//! **One page of use.** [`Engine::start`] an engine over a [`Kernel`](crate::Kernel), which may be empty or loaded. From then on one thread, the
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
mod places;
mod record;
mod seat;
mod slot;
mod start;
mod stop;
mod submit;
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
pub use stop::Finished;
pub use trace::{Stage, Stamp};

use crate::command::OffGrid;
use crate::kernel::Overview;
use crate::map::Set;
use crate::market::Market;
use crate::number::Quantity;
use crate::refusal::Refusal;
use crate::ring::sync::threads::JoinHandle;
use crate::ring::{Bell, Receiver, Writer};
use by_hand::Hands;
use crossbeam::queue::ArrayQueue;
use desk::Desk;
use failure::{Shared, guarded};
pub(crate) use seat::hash_of;
use seat::{Seat, Step};
use slot::{Aside, Asked, Kind, Outgoing, Slot};
use std::collections::{BTreeSet, VecDeque};
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
}
