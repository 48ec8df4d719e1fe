//! What one thread sees of another: since when the owner carries a line out, since when an answer waits for the journal, how long that is, and the board.

use super::board::Board;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

#[expect(clippy::disallowed_types, reason = "the board is shown to people: no thread of the kernel waits for it")]
type Mutex<T> = std::sync::Mutex<T>;

/// Nothing since then.
const NEVER: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Pulse {
    carrying_out_since_ns: AtomicU64,
    unkept_since_ns: AtomicU64,
    journal_places: AtomicU64,
    board: Mutex<Board>,
}

impl Pulse {
    pub(super) fn new(board: Board) -> Self {
        Self {
            carrying_out_since_ns: AtomicU64::new(NEVER),
            unkept_since_ns: AtomicU64::new(NEVER),
            journal_places: AtomicU64::new(0),
            board: Mutex::new(board),
        }
    }

    pub(super) fn begin(&self, now_ns: u64) {
        self.carrying_out_since_ns.store(now_ns, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.carrying_out_since_ns.store(NEVER, Ordering::Relaxed);
    }

    pub(super) fn carrying_out_since_ns(&self) -> Option<u64> {
        known(&self.carrying_out_since_ns)
    }

    /// Since when the oldest answer waits for the journal; none: none does.
    pub(super) fn set_unkept(&self, since_ns: Option<u64>) {
        self.unkept_since_ns.store(since_ns.unwrap_or(NEVER), Ordering::Relaxed);
    }

    pub(super) fn unkept_since_ns(&self) -> Option<u64> {
        known(&self.unkept_since_ns)
    }

    /// Places of the journal so far.
    pub(super) fn set_journal_places(&self, places: u64) {
        self.journal_places.store(places, Ordering::Relaxed);
    }

    pub(super) fn journal_places(&self) -> u64 {
        self.journal_places.load(Ordering::Relaxed)
    }

    /// Fills the board, or reads it.
    pub(super) fn board<T>(&self, look: impl FnOnce(&mut Board) -> T) -> T {
        look(&mut self.board.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn known(number: &AtomicU64) -> Option<u64> {
    Some(number.load(Ordering::Relaxed)).filter(|&number| number != NEVER)
}
