//! The strategy `adaptive`: bands, and in storms the sweep.
//!
//! An edge that is crossed costs an exact evaluation and new edges, most of it cache misses in the order of a heap. When a mark
//! crosses many at once, those pools will soon be crossed again: they are evaluated once more and then *swept*
//! (`sweep.rs`), at a few nanoseconds a tick each, and set no edges. Those that they have are left behind, and are taken out when a
//! mark crosses them next. When it has been calm for a while swept pools go back to bands, a few at an input. What
//! is calm is counted in inputs, never by a clock; and nothing of this is state: no event depends on it.

use super::Shard;
use crate::market::InstrumentId;
use crate::number::Price;

/// A storm: a mark crosses more edges than this. Setting their edges anew would cost what sweeping them does for hundreds of
/// marks.
const STORM: usize = 256;

/// Or more than one in so many of the instrument's holders: of few a sweep costs next to nothing.
const HOLDERS: usize = 8;

/// A mark crosses so few edges, or lets so few bounds fall below zero, that it is calm: a part of a storm.
const CALM: usize = 8;

/// Marks without more until swept pools go back: a multiple of a storm.
const CALM_MARKS: usize = 4;

/// Pools that go back with a mark: some two microseconds' work.
const COOLED: usize = 3;

/// And one more for each so many entries that the mark has swept: going back at most doubles what that takes, so that what
/// is swept in vain is never much more than going back at once would have been.
const SWEPT: usize = 512;

impl Shard {
    /// A mark moved.
    #[inline]
    pub(super) fn adapt(&mut self, instrument: InstrumentId, mark: Price) {
        if self.sweep.pools() > 0 || self.bands.is_crossed(instrument, mark) {
            self.sweep_and_cross(instrument, mark);
        }
    }

    fn sweep_and_cross(&mut self, instrument: InstrumentId, mark: Price) {
        let swept = self.sweep.entries(instrument);
        let below = if swept > 0 { self.sweep(instrument, mark) } else { 0 };
        let most = STORM.min(self.holders[instrument.index()].len() / HOLDERS);
        let crossed = if self.bands.is_crossed(instrument, mark) { self.cross(instrument, mark) } else { 0 };
        self.storm |= crossed.max(below) > most;
        self.calm_marks = if crossed + below > most / CALM { 0 } else { self.calm_marks + 1 };
        if self.calm_marks > most * CALM_MARKS {
            self.cool(COOLED + swept / SWEPT);
        }
    }
}
