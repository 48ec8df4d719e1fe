//! One writer, any number of readers, every item to each of them.
//!
//! Item number `p`, its *place*, counted from 0, lies in slot `p mod capacity`, with the sequence number `p + 1` beside it.
//! The writer stores the item and then the number; a reader at `p` waits for that number and reads the item where it lies.
//! A reader *releases* places when it is done with them; the writer goes no further than one lap ahead of the slowest
//! reader, so that nothing is lost, and nothing is overwritten while it may be read.
//!
//! A reader that is dropped, as when its thread dies, no longer holds the writer back: the others go on. Its [`Cursor`]
//! says that it is gone. When all are gone nothing makes room any more: the ring fills up and stays full, and
//! [`Writer::is_closed`] tells why.

#![expect(unsafe_code, reason = "items are read where they lie, while their slots are written in turn")]

use super::sync::UnsafeCell;
use super::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use super::wait::{Bell, LastRing};
use crossbeam::utils::CachePadded;
use std::mem::MaybeUninit;
use std::sync::Arc;

/// Publishes an item; relaxed, it would let a reader see the number without the item.
const PUBLISH: Ordering = if cfg!(feature = "broken-ordering") { Ordering::Relaxed } else { Ordering::Release };

/// The sequence number first: an item of up to 56 bytes shares its cache line. Aligned to two lines, since processors
/// fetch them in pairs and a reader would pull at the slot that is being written next.
#[derive(Debug)]
#[repr(C, align(128))]
struct Slot<T> {
    /// The place of the item, plus 1. 0: none yet.
    sequence: AtomicU64,
    item: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: an item is written by the one writer, while no reader may read it, and otherwise only read (see `Slots`).
unsafe impl<T: Copy + Send + Sync> Sync for Slot<T> {}

/// A power of two of them.
#[derive(Debug)]
struct Slots<T>(Arc<[Slot<T>]>);

impl<T: Copy> Slots<T> {
    fn new(capacity: usize) -> Self {
        let empty = |_| Slot { sequence: AtomicU64::new(0), item: UnsafeCell::new(MaybeUninit::uninit()) };
        Self((0..capacity).map(empty).collect())
    }

    fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    #[inline]
    fn at(&self, place: u64) -> &Slot<T> {
        &self.0[place as usize & (self.0.len() - 1)]
    }

    /// Is there an item at this place?
    #[inline]
    fn holds(&self, place: u64) -> bool {
        // SYNC: item published.
        self.at(place).sequence.load(Ordering::Acquire) == place + 1
    }

    /// The item at a place, if it is there.
    ///
    /// # Safety
    ///
    /// The writer must not write the place one lap later while the reference lives.
    #[inline]
    unsafe fn get(&self, place: u64) -> Option<&T> {
        if !self.holds(place) {
            return None;
        }
        // SAFETY: the number says that the item has been written, and the caller that it is not overwritten.
        self.at(place).item.with(|item| Some(unsafe { (*item).assume_init_ref() }))
    }

    /// Writes the item of a place.
    ///
    /// # Safety
    ///
    /// There must be no other writer, and no reader of the place one lap earlier.
    #[inline]
    unsafe fn publish(&self, place: u64, item: T) {
        let slot = self.at(place);
        // SAFETY: the caller says that nobody else reads or writes the item of this slot.
        slot.item.with_mut(|old| unsafe { old.write(MaybeUninit::new(item)) });
        // SYNC: item published.
        slot.sequence.store(place + 1, PUBLISH);
    }
}

/// What a reader tells.
#[derive(Debug)]
struct Progress {
    /// All places below are released.
    released: AtomicU64,
    gone: AtomicBool,
}

/// How far a reader has come, seen from elsewhere.
#[derive(Clone, Debug)]
pub struct Cursor(Arc<CachePadded<Progress>>);

impl Cursor {
    fn new() -> Self {
        Self(Arc::new(CachePadded::new(Progress { released: AtomicU64::new(0), gone: AtomicBool::new(false) })))
    }

    /// The first place that the reader has not released. Whoever sees `p + 1` sees all that the reader's thread wrote
    /// before it released `p`.
    #[inline]
    pub fn load(&self) -> u64 {
        // SYNC: places released.
        self.0.released.load(Ordering::Acquire)
    }

    /// Has the reader been dropped? Then [`Cursor::load`] gives its last word.
    #[inline]
    pub fn is_gone(&self) -> bool {
        // SYNC: reader gone.
        self.0.gone.load(Ordering::Acquire)
    }
}

/// The slowest reader is a whole lap behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ring is full")]
pub struct Full;

/// The end that writes.
#[derive(Debug)]
pub struct Writer<T: Copy> {
    slots: Slots<T>,
    /// The next to be written.
    place: u64,
    /// Below this everybody who is not gone has released; they may be further by now.
    slowest: u64,
    readers: Box<[Cursor]>,
    gone: Arc<CachePadded<AtomicBool>>,
    /// Dropped, and rung, after `gone` is set.
    last_ring: LastRing,
}

/// An end that reads.
#[derive(Debug)]
pub struct Reader<T: Copy> {
    slots: Slots<T>,
    /// The next to be read.
    place: u64,
    /// What the cursor says.
    released: u64,
    cursor: Cursor,
    writer_gone: Arc<CachePadded<AtomicBool>>,
    /// Dropped, and rung, after the cursor says that the reader is gone.
    last_ring: LastRing,
}

/// A ring of so many items for so many readers.
///
/// # Panics
///
/// If the capacity is not a power of two of at least 2, or there are no readers.
pub fn broadcast<T: Copy>(capacity: usize, readers: usize) -> (Writer<T>, Vec<Reader<T>>) {
    assert!(
        capacity >= 2 && capacity.is_power_of_two(),
        "a ring holds a power of two of items, at least 2, not {capacity}"
    );
    assert!(readers > 0, "a ring has at least one reader");
    let slots = Slots::new(capacity);
    let gone = Arc::new(CachePadded::new(AtomicBool::new(false)));
    let reader = |_| Reader {
        slots: slots.share(),
        place: 0,
        released: 0,
        cursor: Cursor::new(),
        writer_gone: Arc::clone(&gone),
        last_ring: LastRing::default(),
    };
    let readers: Vec<_> = (0..readers).map(reader).collect();
    let cursors = readers.iter().map(Reader::watch).collect();
    (Writer { slots, place: 0, slowest: 0, readers: cursors, gone, last_ring: LastRing::default() }, readers)
}

impl<T: Copy> Writer<T> {
    /// Writes the next item and tells its place; never waits.
    ///
    /// # Errors
    ///
    /// If the slowest reader is a whole lap behind, or all are gone and a lap has been written since.
    #[inline]
    pub fn try_publish(&mut self, item: T) -> Result<u64, Full> {
        if self.is_full() {
            return Err(Full);
        }
        let place = self.place;
        // SAFETY: this is the one writer, and `slowest` is beyond the place one lap earlier: every reader has released it
        // or is gone, and so has no reference to it left.
        unsafe { self.slots.publish(place, item) };
        self.place += 1;
        Ok(place)
    }

    /// Would the next item have to wait for a reader? Looks at the readers only when as full as last seen.
    #[inline]
    pub fn is_full(&mut self) -> bool {
        self.is_a_lap_ahead() && {
            self.slowest();
            self.is_a_lap_ahead()
        }
    }

    #[inline]
    fn is_a_lap_ahead(&self) -> bool {
        self.place - self.slowest == self.slots.0.len() as u64
    }

    /// Looks at the readers: below this place every one that is not gone has released all. When all are gone it
    /// moves no more.
    pub fn slowest(&mut self) -> u64 {
        let living = self.readers.iter().filter(|reader| !reader.is_gone());
        self.slowest = living.map(Cursor::load).min().unwrap_or(self.slowest);
        self.slowest
    }

    /// The place of the next item: so many have been written.
    #[inline]
    pub fn place(&self) -> u64 {
        self.place
    }

    /// Are all readers gone?
    pub fn is_closed(&self) -> bool {
        self.readers.iter().all(Cursor::is_gone)
    }

    /// Has the bell of one who waits for this end rung when it is dropped.
    pub fn ring_at_end(&mut self, bell: &Bell) {
        self.last_ring.add(bell);
    }
}

impl<T: Copy> Drop for Writer<T> {
    fn drop(&mut self) {
        // SYNC: writer gone.
        self.gone.store(true, Ordering::Release);
    }
}

impl<T: Copy> Reader<T> {
    /// The item at the reader's place, where it lies; none if it is not written yet.
    #[inline]
    pub fn peek(&self) -> Option<&T> {
        // SAFETY: the writer goes no further than a lap beyond what this reader has released, which is not beyond its
        // place, and to release more or to drop the reader the borrow must have ended.
        unsafe { self.slots.get(self.place) }
    }

    /// Goes to the next place, without releasing this one: the writer cannot overwrite it yet.
    ///
    /// # Panics
    ///
    /// If there is no item at this place.
    #[inline]
    pub fn advance(&mut self) {
        assert!(self.slots.holds(self.place), "a reader may not go beyond what is written");
        self.place += 1;
    }

    /// Releases all places before the reader's: the writer may overwrite them, and who watches sees how far the reader
    /// has come, and what its thread has written until now.
    #[inline]
    pub fn release(&mut self) {
        if self.released != self.place {
            self.released = self.place;
            // SYNC: places released.
            self.cursor.0.released.store(self.place, Ordering::Release);
        }
    }

    /// The place of the next item to be read: the reader has gone past so many.
    #[inline]
    pub fn place(&self) -> u64 {
        self.place
    }

    /// What others see of this reader.
    pub fn watch(&self) -> Cursor {
        self.cursor.clone()
    }

    /// Is the writer gone? What it wrote before can still be read: there is no more when this was true and afterwards
    /// [`Reader::peek`] finds nothing.
    #[inline]
    pub fn is_closed(&self) -> bool {
        // SYNC: writer gone.
        self.writer_gone.load(Ordering::Acquire)
    }

    /// Has the bell of one who waits for this end rung when it is dropped.
    pub fn ring_at_end(&mut self, bell: &Bell) {
        self.last_ring.add(bell);
    }
}

impl<T: Copy> Drop for Reader<T> {
    /// What was not released stays so: places that were not dealt with never look as if they had been.
    fn drop(&mut self) {
        // SYNC: reader gone.
        self.cursor.0.gone.store(true, Ordering::Release);
    }
}
