//! The limits of this machine: what no program that runs on it can go below. Every figure stands beside one of them.
//!
//! | | |
//! |---|---|
//! | hop | two pinned threads exchange two cache lines: the least time there and back |
//! | ring | items of an engine's size through its ring, to one reader that does nothing with them |
//! | read | one thread reads memory that no cache holds |
//! | clock | what a stamp costs, and the least difference it can tell |
//! | stalls | what a thread that only reads the clock is kept from: interrupts, other guests, the host |
//!
//! Each takes about a second at most. On a virtual machine they change from minute to minute: measure them in the same
//! run as what is held against them.

use crate::ring::broadcast;
use core_affinity::CoreId;
use crossbeam::utils::CachePadded;
use hdrhistogram::Histogram;
use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything that is worth telling apart, in nanoseconds.
const LONGEST_NS: u64 = 10_000_000_000;

/// Exchanges before the clock starts.
const WARM_UP: u64 = 2_000;

/// Words of eight bytes in an item of the ring: with its number it fills two cache lines, as an engine's does.
const WORDS: usize = 14;

/// Places in the ring, as an engine has by default.
pub const RING: usize = crate::engine::DEFAULT_RING;

/// After so many items the reader says how far it is, as a worker does.
const BATCH: u64 = 32;

/// Read beyond every cache.
const READ_BYTES: usize = 256 << 20;

/// Longer than this between two stamps of an idle loop is a stall, in nanoseconds.
pub const STALL_NS: u64 = 1_000;

/// Two cores of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// Of the thread that measures.
    pub near: usize,
    /// Of the other one.
    pub far: usize,
}

impl Cores {
    /// The first two that this process may use; none if there are fewer. A thread that is pinned sees its own alone.
    #[must_use]
    pub fn first_two() -> Option<Self> {
        match core_affinity::get_core_ids()?.as_slice() {
            [near, far, ..] => Some(Self { near: near.id, far: far.id }),
            _ => None,
        }
    }
}

/// A thread could not be pinned to a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a thread cannot be pinned to core {0}")]
pub struct CannotPin(pub usize);

/// Pins the calling thread.
///
/// # Errors
///
/// The system refuses.
pub fn pin(core: usize) -> Result<(), CannotPin> {
    if core_affinity::set_for_current(CoreId { id: core }) { Ok(()) } else { Err(CannotPin(core)) }
}

/// Nanoseconds, up to ten seconds, to three digits.
///
/// # Panics
///
/// Never: its bounds are in order.
#[must_use]
#[expect(clippy::expect_used, reason = "constant bounds")]
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("bounds in order")
}

/// What a clock costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clock {
    /// Nanoseconds for one stamp.
    pub cost_ns: f64,
    /// The least difference between two stamps, in nanoseconds.
    pub resolution_ns: u64,
}

/// What an idle loop was kept from.
#[derive(Clone, Debug)]
pub struct Stalls {
    /// Every pause longer than [`STALL_NS`], in nanoseconds.
    pub pauses: Histogram<u64>,
    /// How long was looked.
    pub watched: Duration,
    /// What all pauses took together.
    pub lost: Duration,
}

impl Stalls {
    /// Pauses in a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.pauses.len() as f64 / self.watched.as_secs_f64()
    }

    /// The part of the time that was lost.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.lost.as_secs_f64() / self.watched.as_secs_f64()
    }
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Machine {
    /// There and back, in nanoseconds.
    pub hop: Histogram<u64>,
    /// Items a second.
    pub ring: f64,
    /// Bytes a second.
    pub read: f64,
    /// Of the near core.
    pub clock: Clock,
    /// Of the near core.
    pub stalls: Stalls,
}

impl Machine {
    /// Measures everything, `each` for as long. The calling thread is left as it was.
    ///
    /// # Errors
    ///
    /// [`CannotPin`].
    pub fn measure(cores: Cores, each: Duration) -> Result<Self, CannotPin> {
        // On a thread of its own: who is pinned stays so.
        apart(|| {
            let mut hops = histogram();
            hop(cores, each, &mut hops)?;
            Ok(Self {
                hop: hops,
                ring: ring(cores, each)?,
                read: read(cores.near, each)?,
                clock: clock(cores.near, each)?,
                stalls: stalls(cores.near, each)?,
            })
        })
    }
}

fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Nothing more comes.
const END: u64 = u64::MAX;

fn spin_until(line: &AtomicU64, is: impl Fn(u64) -> bool) -> u64 {
    loop {
        let value = line.load(Ordering::Acquire);
        if is(value) {
            return value;
        }
        spin_loop();
    }
}

/// Two counters, each on lines of its own, there and back: the least that two threads can exchange. Pins the calling thread.
///
/// The end of a trip is the beginning of the next, so that one stamp does for both.
///
/// # Errors
///
/// [`CannotPin`].
pub fn hop(cores: Cores, lasts: Duration, times: &mut Histogram<u64>) -> Result<(), CannotPin> {
    let (there, back) = (CachePadded::new(AtomicU64::new(0)), CachePadded::new(AtomicU64::new(0)));
    let far = || {
        let pinned = pin(cores.far);
        let mut trip = 0;
        loop {
            trip += 1;
            let came = spin_until(&there, |value| value >= trip);
            back.store(trip, Ordering::Release);
            if came == END {
                return pinned;
            }
        }
    };
    thread::scope(|scope| {
        let far = scope.spawn(far);
        let pinned = pin(cores.near);
        let mut trip = 0;
        let mut exchange = || {
            trip += 1;
            there.store(trip, Ordering::Release);
            spin_until(&back, |value| value == trip);
        };
        (0..WARM_UP).for_each(|_| exchange());
        let begun = Instant::now();
        let mut before = begun;
        while before - begun < lasts {
            exchange();
            let now = Instant::now();
            times.saturating_record((now - before).as_nanos() as u64);
            before = now;
        }
        there.store(END, Ordering::Release);
        pinned.and(far.join().unwrap_or(Ok(())))
    })
}

/// How many items a second go through a ring of an engine's shape to one reader, which looks at each. Pins the calling thread.
///
/// # Errors
///
/// [`CannotPin`].
pub fn ring(cores: Cores, lasts: Duration) -> Result<f64, CannotPin> {
    let (mut writer, mut readers) = broadcast::<[u64; WORDS]>(RING, 1);
    let Some(mut reader) = readers.pop() else { return Ok(0.0) };
    let far = move || {
        let pinned = pin(cores.far);
        let mut sum = 0u64;
        loop {
            while let Some(item) = reader.peek() {
                let first = item[0];
                sum = sum.wrapping_add(first);
                reader.advance();
                if first == END {
                    black_box(sum);
                    return pinned;
                }
                if reader.place() % BATCH == 0 {
                    reader.release();
                }
            }
            reader.release();
            spin_loop();
        }
    };
    thread::scope(|scope| {
        let far = scope.spawn(far);
        let pinned = pin(cores.near);
        let mut publish = |item: u64| {
            while writer.try_publish([item; WORDS]).is_err() {
                spin_loop();
            }
        };
        (0..RING as u64 * 4).for_each(&mut publish); // the warm-up
        let begun = Instant::now();
        let mut items = 0;
        while begun.elapsed() < lasts {
            (0..1 << 14).for_each(&mut publish);
            items += 1 << 14;
        }
        let took = begun.elapsed();
        publish(END);
        pinned.and(far.join().unwrap_or(Ok(())))?;
        Ok(f64::from(items) / took.as_secs_f64())
    })
}

/// Bytes a second that one thread reads from memory. Pins the calling thread.
///
/// # Errors
///
/// [`CannotPin`].
pub fn read(core: usize, lasts: Duration) -> Result<f64, CannotPin> {
    pin(core)?;
    let words: Vec<u64> = (0..READ_BYTES as u64 / 8).collect();
    let begun = Instant::now();
    let mut bytes = 0;
    while bytes == 0 || begun.elapsed() < lasts {
        let lanes = words.chunks_exact(8).fold([0u64; 8], |mut lanes, line| {
            lanes.iter_mut().zip(line).for_each(|(lane, word)| *lane = lane.wrapping_add(*word));
            lanes
        });
        black_box(lanes);
        bytes += READ_BYTES;
    }
    Ok(bytes as f64 / begun.elapsed().as_secs_f64())
}

/// What a stamp costs. Pins the calling thread.
///
/// # Errors
///
/// [`CannotPin`].
pub fn clock(core: usize, lasts: Duration) -> Result<Clock, CannotPin> {
    pin(core)?;
    let begun = Instant::now();
    let (mut stamps, mut before, mut resolution_ns) = (0u32, begun, u64::MAX);
    while before - begun < lasts {
        let now = Instant::now();
        let step = (now - before).as_nanos() as u64;
        if step > 0 {
            resolution_ns = resolution_ns.min(step);
        }
        before = now;
        stamps += 1;
    }
    Ok(Clock { cost_ns: (before - begun).as_nanos() as f64 / f64::from(stamps.max(1)), resolution_ns })
}

/// Watches an idle loop. Pins the calling thread.
///
/// # Errors
///
/// [`CannotPin`].
pub fn stalls(core: usize, lasts: Duration) -> Result<Stalls, CannotPin> {
    pin(core)?;
    let mut pauses = histogram();
    let mut lost = Duration::ZERO;
    let begun = Instant::now();
    let mut before = begun;
    while before - begun < lasts {
        let now = Instant::now();
        let pause = now - before;
        if pause.as_nanos() as u64 > STALL_NS {
            pauses.saturating_record(pause.as_nanos() as u64);
            lost += pause;
        }
        before = now;
    }
    Ok(Stalls { pauses, watched: before - begun, lost })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_measured() {
        let Some(cores) = Cores::first_two() else { return };
        let machine = Machine::measure(cores, Duration::from_millis(2)).expect("cores of this process");
        assert!(!machine.hop.is_empty());
        assert!(machine.ring > 0.0 && machine.read > 0.0 && machine.clock.cost_ns > 0.0);
        assert!(machine.clock.resolution_ns > 0 && machine.stalls.share() <= 1.0);
    }
}
