//! Quiet marks: those that move a mark and concern nobody, which is nearly all of them.
//!
//! By instrument a shard keeps a *reach*: an interval of marks that crosses no edge and leaves no range of floors. It is found anew
//! by a mark outside of it that crosses nothing, and only made narrower by edges that are set meanwhile: what is taken out, or
//! moved away, leaves it narrower than it could be. A range that is set anew takes it away. So a mark inside it is quiet as long as nobody is swept, and no pool
//! waits to be looked at.

use super::Shard;
use super::bands::Band;
use crate::market::InstrumentId;
use crate::number::Price;

/// The reaches of all instruments, both ends inside; empty: to be found.
#[derive(Debug, Default)]
pub(super) struct Reaches(Vec<[Price; 2]>);

/// Lies within nothing.
const EMPTY: [Price; 2] = [1, 0];

impl Reaches {
    pub(super) fn add_instrument(&mut self) {
        self.0.push(EMPTY);
    }

    /// An edge is set.
    #[inline]
    pub(super) fn narrow(&mut self, instrument: InstrumentId, band: Band) {
        let [low, high] = &mut self.0[instrument.index()];
        *low = band.lower.map_or(*low, |lower| lower.max(*low));
        *high = band.upper.map_or(*high, |upper| upper.min(*high));
    }

    /// No edge stands inside, nor does a range end there.
    #[inline]
    pub(super) fn set(&mut self, instrument: InstrumentId, nearest: Band, [low, high]: [Price; 2]) {
        self.0[instrument.index()] = [low, high];
        self.narrow(instrument, nearest);
    }

    /// To be found anew.
    pub(super) fn clear(&mut self, instrument: InstrumentId) {
        self.0[instrument.index()] = EMPTY;
    }

    #[inline]
    fn has(&self, instrument: InstrumentId, mark: Price) -> bool {
        let [low, high] = self.0[instrument.index()];
        (low..=high).contains(&mark)
    }
}

impl Shard {
    /// Whether [`Shard::on_mark`] and [`Shard::find_breaches`] would do nothing at a living mark that moves there, but count it.
    #[inline]
    pub(crate) fn is_quiet_at(&self, instrument: InstrumentId, mark: Price) -> bool {
        let quiet = self.bands.reaches.has(instrument, mark)
            && self.finder.sets_edges()
            && self.sweep.pools() == 0
            && self.touched.is_empty()
            && self.held_back.is_empty();
        debug_assert!(!quiet || !self.bands.is_crossed(instrument, mark), "a reach beyond an edge: a kernel bug");
        quiet
    }

    /// A quiet mark went by.
    #[inline]
    pub(crate) fn pass_quiet_mark(&mut self) {
        self.sight.pass_mark();
    }
}
