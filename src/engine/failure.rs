//! What all threads of an engine share: how far the arbiter is, and whether somebody has failed.

use crate::ring::Bell;
use crate::ring::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crossbeam::utils::CachePadded;
use std::sync::OnceLock;

/// Why an engine stopped by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// A thread panicked: a bug. The state of its shard is lost; the record can bring it back.
    #[error("{thread} panicked: {message}")]
    Panicked {
        /// Which thread.
        thread: String,
        /// What it said.
        message: String,
    },
    /// The record could not be written.
    #[error("the journal cannot be written: {0}")]
    Journal(String),
}

/// What all threads see. What every wait looks at lies apart from what the arbiter writes at every place, so that nobody
/// who waits pulls at its cache line.
#[derive(Debug, Default)]
pub(super) struct Shared {
    failed: CachePadded<AtomicBool>,
    arbiter: CachePadded<Progress>,
    failure: OnceLock<Failure>,
    /// Of all threads, to be rung when somebody fails.
    bells: OnceLock<Vec<Bell>>,
}

/// How far the arbiter is.
#[derive(Debug, Default)]
struct Progress {
    /// Decisions that the arbiter has asked for.
    wanted: AtomicU64,
    /// Whether commands up to this one were refused has been told.
    told_seq: AtomicU64,
    /// All that follows from places below this has been told.
    settled: AtomicU64,
    /// The present time of the arbiter.
    now_ns: AtomicU64,
    /// What of it was the last input's: what falls due by itself waits for one, and questions are none.
    input_ns: AtomicU64,
}

impl Shared {
    pub(super) fn know(&self, bells: Vec<Bell>) {
        let _ = self.bells.set(bells); // set once, at the start
    }

    /// Nothing is under way, and no input has come; numbers and time do not begin anew.
    pub(super) fn begin(&self, seq: u64, now_ns: u64) {
        self.tell_seq(seq);
        self.tell_settled(0, now_ns, 0);
    }

    /// The arbiter asks for a decision.
    pub(super) fn want_decision(&self) {
        // SYNC: decision wanted.
        self.arbiter.wanted.fetch_add(1, Ordering::Release);
    }

    /// Decisions that the arbiter has asked for.
    pub(super) fn wanted(&self) -> u64 {
        // SYNC: decision wanted.
        self.arbiter.wanted.load(Ordering::Acquire)
    }

    /// Whether commands up to this one were refused has been told.
    pub(super) fn tell_seq(&self, seq: u64) {
        // SYNC: commands told.
        self.arbiter.told_seq.store(seq, Ordering::Release);
    }

    /// See [`Shared::tell_seq`].
    pub(super) fn told_seq(&self) -> u64 {
        // SYNC: commands told.
        self.arbiter.told_seq.load(Ordering::Acquire)
    }

    /// All that follows from places below `place` has been told; it is `now_ns`, and the last input was at `input_ns`.
    pub(super) fn tell_settled(&self, place: u64, now_ns: u64, input_ns: u64) {
        self.arbiter.now_ns.store(now_ns, Ordering::Relaxed); // published with the place
        self.arbiter.input_ns.store(input_ns, Ordering::Relaxed);
        // SYNC: places settled.
        self.arbiter.settled.store(place, Ordering::Release);
    }

    /// The place of [`Shared::tell_settled`].
    pub(super) fn settled(&self) -> u64 {
        // SYNC: places settled.
        self.arbiter.settled.load(Ordering::Acquire)
    }

    /// The arbiter's time, of whoever has seen its place.
    pub(super) fn now_ns(&self) -> u64 {
        self.arbiter.now_ns.load(Ordering::Relaxed)
    }

    /// The time of its last input, of whoever has seen its place.
    pub(super) fn input_ns(&self) -> u64 {
        self.arbiter.input_ns.load(Ordering::Relaxed)
    }

    /// Whether somebody has failed: everybody stops then.
    pub(super) fn has_failed(&self) -> bool {
        // SYNC: failure known.
        self.failed.load(Ordering::Acquire)
    }

    /// The first failure.
    pub(super) fn failure(&self) -> Option<Failure> {
        if self.has_failed() { self.failure.get().cloned() } else { None }
    }

    /// Tells everybody to stop, and why.
    pub(super) fn fail(&self, failure: Failure) {
        let _ = self.failure.set(failure); // the first failure is the one that counts
        // SYNC: failure known.
        self.failed.store(true, Ordering::Release);
        self.bells.get().into_iter().flatten().for_each(Bell::ring);
    }

    /// Runs a thread's work; a panic is everybody's end.
    pub(super) fn guard<T>(&self, thread: &str, work: impl FnOnce() -> Option<T>) -> Option<T> {
        self.unless_failed(thread, guarded(work))
    }

    /// What a thread's work led to; a panic is everybody's end.
    #[inline]
    pub(super) fn unless_failed<T>(&self, thread: &str, worked: Guarded<T>) -> Option<T> {
        worked.unwrap_or_else(|panic| {
            let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let message = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            self.fail(Failure::Panicked { thread: thread.to_owned(), message });
            None
        })
    }
}

/// What work led to, or with what it panicked.
type Guarded<T> = std::thread::Result<Option<T>>;

/// Runs a thread's work as far as its panic.
#[inline]
pub(super) fn guarded<T>(work: impl FnOnce() -> Option<T>) -> Guarded<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
}
