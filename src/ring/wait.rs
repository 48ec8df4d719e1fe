//! How a thread waits for another: by spinning, yielding or parking.

use super::sync::atomic::{AtomicBool, Ordering};
use super::sync::{Mutex, atomic, hint, thread};
use crossbeam::utils::CachePadded;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError};

/// What a thread does while it waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wait {
    /// Burns its core: the shortest wait, where every thread has a core of its own.
    Spin,
    /// Offers its core to others at every turn.
    Yield,
    /// Sleeps until it is woken: the longest wait, and the only one that leaves an idle machine idle.
    Park,
}

impl Wait {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Spin, Self::Yield, Self::Park];

    fn word(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::Yield => "yield",
            Self::Park => "park",
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Not the name of a [`Wait`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `spin`, `yield` or `park`")]
pub struct UnknownWait;

impl FromStr for Wait {
    type Err = UnknownWait;

    fn from_str(word: &str) -> Result<Self, UnknownWait> {
        Self::ALL.into_iter().find(|wait| wait.word() == word).ok_or(UnknownWait)
    }
}

/// Wakes one waiting thread. Each that produces something for that thread has a clone and rings it afterwards.
#[derive(Clone, Debug)]
pub struct Bell {
    /// None: nobody may wait.
    wait: Option<Wait>,
    sleeper: Arc<Sleeper>,
}

#[derive(Debug)]
struct Sleeper {
    /// About to park, or parked. Written by the waiting thread alone.
    asleep: CachePadded<AtomicBool>,
    /// Who waits, or waited last.
    thread: Locked,
}

/// Locked on the way to sleep and to wake, nowhere else.
type Locked = Mutex<Option<thread::Thread>>;

impl Bell {
    /// A bell for one thread that waits in this way.
    pub fn new(wait: Wait) -> Self {
        Self::of(Some(wait))
    }

    /// A bell for somebody who must never have to wait, since nobody else could go on meanwhile.
    pub(crate) fn by_hand() -> Self {
        Self::of(None)
    }

    fn of(wait: Option<Wait>) -> Self {
        let sleeper = Sleeper { asleep: CachePadded::new(AtomicBool::new(false)), thread: Locked::new(None) };
        Self { wait, sleeper: Arc::new(sleeper) }
    }

    /// Waits until `ready`, which includes every reason to stop waiting: the end of a peer, a stop of the whole.
    ///
    /// Whoever makes it true must ring afterwards.
    #[inline]
    pub fn wait(&self, mut ready: impl FnMut() -> bool) {
        while !ready() {
            match self.wait {
                Some(Wait::Spin) => hint::spin_loop(),
                Some(Wait::Yield) => thread::yield_now(),
                Some(Wait::Park) => self.sleeper.park_unless(&mut ready),
                None => nobody_goes_on(),
            }
        }
    }

    /// Wakes the waiting thread, if it sleeps. What it waits for must be published before.
    #[inline]
    pub fn ring(&self) {
        if self.wait == Some(Wait::Park) {
            self.sleeper.wake();
        }
    }
}

#[cold]
#[expect(clippy::panic, reason = "else it would wait for ever")]
fn nobody_goes_on() {
    panic!("moved by hand, and nobody can go on: a queue without room, or a bug");
}

impl Sleeper {
    /// One of two sees the other: this thread, after its fence, what was published before the other's fence, or the
    /// other, after its own, that this one is asleep. Then it unparks, and an unpark before the park makes that return.
    #[cold]
    fn park_unless(&self, ready: &mut impl FnMut() -> bool) {
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current());
        // SYNC: sleeper known.
        self.asleep.store(true, Ordering::Release);
        // SYNC: asleep or published.
        full_fence();
        if !ready() {
            thread::park();
        }
        self.asleep.store(false, Ordering::Relaxed);
    }

    fn wake(&self) {
        // Shuttle knows no weak memory in which the fence would be missed: for it the ring itself is left out.
        if cfg!(all(shuttle, feature = "broken-ordering")) {
            return;
        }
        // SYNC: asleep or published.
        full_fence();
        // SYNC: sleeper known.
        if self.asleep.load(Ordering::Acquire)
            && let Some(thread) = &*self.thread.lock().unwrap_or_else(PoisonError::into_inner)
        {
            thread.unpark();
        }
    }
}

/// No release and acquire can do this: a store must be seen before a later load, on both sides. Nothing is read on the
/// strength of this fence, only sleep is decided, so that a sanitizer that cannot see fences reports nothing false.
fn full_fence() {
    if !cfg!(feature = "broken-ordering") {
        atomic::fence(Ordering::SeqCst);
    }
}

/// The bells that an end of a ring rings when it is dropped: those who wait for it must learn that it is gone.
#[derive(Debug, Default)]
pub(super) struct LastRing(Vec<Bell>);

impl LastRing {
    pub(super) fn add(&mut self, bell: &Bell) {
        self.0.push(bell.clone());
    }
}

impl Drop for LastRing {
    fn drop(&mut self) {
        self.0.iter().for_each(Bell::ring);
    }
}
