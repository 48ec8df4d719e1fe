//! How near to breach the pools are: how many of them lie in which range of the margin ratio.

use crate::kernel::Overview;
use crate::shard::Margin;

/// Ranges of a tenth each.
pub(crate) const TENTHS: usize = 10;

/// Pools with a position, by margin ratio `MM / equity`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ratios {
    /// Below 10 %, below 20 %, and so on, below 100 %.
    pub tenths: [u64; TENTHS],
    /// In breach, with an equity above zero: 100 % and above.
    pub breach: u64,
    /// With an equity of zero or less, where there is no ratio.
    pub no_equity: u64,
    /// Of all these, in liquidation.
    pub locked: u64,
}

impl Ratios {
    /// Counts all pools that hold a position, at the present marks.
    pub(crate) fn of(overview: Overview<'_>) -> Self {
        let mut ratios = Self::default();
        overview.for_each_margin(|margin, locked| ratios.add(margin, locked));
        ratios
    }

    fn add(&mut self, margin: &Margin, locked: bool) {
        self.locked += u64::from(locked);
        if margin.equity <= 0 {
            self.no_equity += 1;
        } else if margin.equity <= margin.maintenance {
            self.breach += 1;
        } else {
            // Below one: the equity is the larger. Money is below 2^96 quanta by far.
            self.tenths[(margin.maintenance * TENTHS as i128 / margin.equity) as usize] += 1;
        }
    }

    /// All pools that hold a position.
    #[must_use]
    pub fn pools(&self) -> u64 {
        self.tenths.iter().sum::<u64>() + self.breach + self.no_equity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_exact() {
        let mut ratios = Ratios::default();
        for (equity, maintenance) in [(100, 0), (100, 9), (100, 10), (100, 99), (100, 100), (1, 100), (0, 1), (-5, 1)] {
            ratios.add(&Margin { equity, maintenance, holds_position: true }, equity <= maintenance);
        }
        assert_eq!(ratios.tenths, [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((ratios.breach, ratios.no_equity, ratios.locked, ratios.pools()), (2, 2, 4, 8));
    }
}
