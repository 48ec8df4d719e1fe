//! Places of the sequence, and those that the sequencer gives by itself: decisions, pieces of jobs, fundings that fell due, the time.

use super::slot::{Kind, Slot};
use super::{Engine, Entry};
use crate::command::{Command, OffGrid};
use crate::jobs::Part;
use crate::ring::Bell;
use std::ops::Bound;
use std::time::Instant;

impl Engine {
    pub(super) fn lacks_decision(&self) -> bool {
        self.shared.wanted() > self.decisions
    }

    /// Gives a decision its place, if the arbiter wants one.
    #[inline]
    pub(super) fn insert_decision(&mut self) {
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
    pub(super) fn insert_piece(&mut self) {
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
    pub(super) fn beat(&mut self) {
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
    pub(super) fn has_room(&mut self) -> bool {
        #[cfg(feature = "journal")]
        if self.journal.as_ref().is_some_and(|journal| !journal.has_room(self.undecided.len())) {
            self.look_at_journal(); // one that has failed makes no room any more: whoever waits for some must learn it
            return false;
        }
        !self.ring.is_full()
    }

    /// Whether places are kept, in memory or in a journal.
    #[inline]
    pub(super) fn keeps_sequence(&self) -> bool {
        #[cfg(feature = "journal")]
        if self.journal.is_some() {
            return true;
        }
        self.record.is_some()
    }

    /// Keeps a place.
    #[inline]
    pub(super) fn keep(&mut self, entry: Entry) {
        #[cfg(feature = "journal")]
        if self.journal.is_some() {
            self.append_place(entry);
            return;
        }
        if let Some(record) = &mut self.record {
            record.push(entry);
        }
    }

    #[inline]
    pub(super) fn publish(&mut self, slot: Slot) {
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
}
