//! How an engine ends, and what it leaves.

use super::desk::Desk;
use super::seat::Seat;
use super::slot::{Kind, Slot};
use super::{Engine, Entry, Failure, Output, Stamp, VenueMessage};
use crate::command::OffGrid;
use crate::kernel::Kernel;
use crate::ring::sync::threads;

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
