//! What a pool needs, and how far from liquidation it is set.

use super::tables::DISTANCE;
use crate::number::mul_div_floor;
use crate::replay::random::Random;

/// What a pool needs at the starting prices, in quanta.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Need {
    pub(crate) maintenance: i128,
    pub(crate) initial: i128,
    pub(crate) unrealised: i128,
    /// Maintenance margin as long as there is no mark: by cost.
    pub(crate) frozen: i128,
}

/// The least collateral, in quanta, with which a pool is never in breach while the starting prices come one by one, in
/// instrument order: a position without a mark counts at its cost.
pub(super) fn while_coming_to_life(needs: &[Need]) -> i128 {
    let mut rest: i128 = needs.iter().map(|need| need.frozen).sum();
    let mut most = 0;
    for need in needs {
        rest += need.maintenance - need.unrealised - need.frozen;
        most = most.max(rest + 1);
    }
    most
}

impl Need {
    pub(super) fn add(&mut self, other: Self) {
        self.maintenance += other.maintenance;
        self.initial += other.initial;
        self.unrealised += other.unrealised;
        self.frozen += other.frozen;
    }

    /// The collateral that leaves a drawn distance above the maintenance margin.
    pub(super) fn collateral(self, random: &mut Random) -> i128 {
        let (from, to) = random.pick(&DISTANCE).unwrap_or((1_000, 1_000));
        self.at_distance(random.between(from, to))
    }

    /// The collateral that leaves so many thousandths of what there is at the opening, initial less maintenance margin,
    /// above the maintenance margin: never in breach, by a quantum at least.
    pub(crate) fn at_distance(self, thousandths: u64) -> i128 {
        let distance = mul_div_floor((self.initial - self.maintenance).max(0), i128::from(thousandths), 1_000) + 1;
        // A pool with large profits needs none; it is then further away than drawn.
        (self.maintenance + distance - self.unrealised).max(1)
    }
}
