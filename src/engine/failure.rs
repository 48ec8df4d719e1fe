//! What all threads of an engine share: how far the arbiter is, and whether somebody has failed.

use crate::ring::Bell;
use crate::ring::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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

/// What all threads see.
#[derive(Debug, Default)]
pub(super) struct Shared {
    failed: AtomicBool,
    failure: OnceLock<Failure>,
    /// Decisions that the arbiter has asked for.
    pub(super) wanted: AtomicU64,
    /// Whether commands up to this one were refused has been told.
    pub(super) told_seq: AtomicU64,
    /// All that follows from places below this has been told.
    pub(super) settled: AtomicU64,
    /// The present time of the arbiter.
    pub(super) now_ns: AtomicU64,
    /// Of all threads, to be rung when somebody fails.
    bells: OnceLock<Vec<Bell>>,
}

impl Shared {
    pub(super) fn know(&self, bells: Vec<Bell>) {
        let _ = self.bells.set(bells); // set once, at the start
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
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        worked.unwrap_or_else(|panic| {
            let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let message = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            self.fail(Failure::Panicked { thread: thread.to_owned(), message });
            None
        })
    }
}
