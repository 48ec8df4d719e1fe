//! Stamps of the stages that an order passes, for those who measure: kept by whoever passes it, told at the end.

use std::time::Instant;

/// When an order passed a stage on a thread, in nanoseconds since the engine started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The worker found the input in the ring.
    Taken,
    /// The worker knew the order.
    Decided,
    /// It was in the queue to the venue.
    Queued,
    /// The arbiter had the report of it.
    Arbiter,
}

/// A stage, and the place of the input that led to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The place.
    pub place: u64,
    /// The stage.
    pub stage: Stage,
    /// When.
    pub at_ns: u64,
}

/// The stamps of one thread: as many as there is room for.
#[derive(Debug)]
pub(super) struct Trace {
    epoch: Instant,
    pub(super) stamps: Vec<Stamp>,
    /// When the present place was found.
    taken_ns: u64,
}

impl Trace {
    /// Room for so many stamps; none: none are taken.
    pub(super) fn new(epoch: Instant, room: usize) -> Option<Box<Self>> {
        (room > 0).then(|| Box::new(Self { epoch, stamps: Vec::with_capacity(room), taken_ns: 0 }))
    }

    fn now_ns(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    /// A place was found in the ring.
    pub(super) fn take(&mut self) {
        self.taken_ns = self.now_ns();
    }

    /// The order of a place is known.
    pub(super) fn decide(&mut self, place: u64) {
        let at_ns = self.now_ns();
        self.keep(Stamp { place, stage: Stage::Taken, at_ns: self.taken_ns });
        self.keep(Stamp { place, stage: Stage::Decided, at_ns });
    }

    /// The order of a place passed a stage.
    pub(super) fn pass(&mut self, place: u64, stage: Stage) {
        let at_ns = self.now_ns();
        self.keep(Stamp { place, stage, at_ns });
    }

    fn keep(&mut self, stamp: Stamp) {
        if self.stamps.len() < self.stamps.capacity() {
            self.stamps.push(stamp);
        }
    }
}
