//! How far a score can go while no mark leaves a range: what an index of the queue of deleveraging is ordered by.
//!
//! Every factor of a score rises or falls with amounts that are monotone in each mark, or nearly so. With each amount at the
//! end of its range that makes the score highest, the same formula gives a bound: exact in the same arithmetic, so that a
//! score that reaches it is equal to it, never above.

use super::Shard;
use super::scores::{pnl_leverage, pnl_margin_ratio, profit_notional};
use super::store::Holding;
use crate::contract::Valuation;
use crate::market::{AdlRank, Instrument, InstrumentId, Market};
use crate::number::{PPB, Price, mul_div_floor};
use fixed::types::I64F64;

/// By how much a margin can run against its notional, in quanta: its terms are rounded by themselves ([`rounding_loss`]).
///
/// [`rounding_loss`]: super::margin::rounding_loss
const MARGIN_ROUNDING: i128 = 2;

/// By instrument: the marks for which bounds hold; none where there is no mark.
#[derive(Debug, Default)]
pub(crate) struct MarkRanges {
    ranges: Vec<Option<(Price, Price)>>,
}

impl MarkRanges {
    /// All marks within `width_ppb`, in parts per billion, of the present ones.
    pub(crate) fn set_around(&mut self, market: &Market, width_ppb: u64) {
        let around = |mark: Price| {
            let width = mul_div_floor(i128::from(mark), i128::from(width_ppb), i128::from(PPB)) as Price;
            ((mark - width).max(1), mark.saturating_add(width))
        };
        self.ranges.clear();
        self.ranges.extend(market.instruments.iter().map(|instrument| instrument.mark.map(around)));
    }

    /// Whether the present marks are among them.
    pub(crate) fn cover(&self, market: &Market) -> bool {
        let covers = |(range, instrument): (&Option<(Price, Price)>, &Instrument)| match (range, instrument.mark) {
            (Some((low, high)), Some(mark)) => (*low..=*high).contains(&mark),
            (None, None) => true,
            _ => false,
        };
        self.ranges.len() == market.instruments.len() && self.ranges.iter().zip(&market.instruments).all(covers)
    }
}

/// The most that a position's score can be, and where the position is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScoreBound {
    pub(crate) profitable: bool,
    pub(crate) score: I64F64,
    pub(crate) shard: u32,
    pub(crate) holding: u32,
}

/// The least and the most that an amount can be, in quanta.
#[derive(Clone, Copy, Debug)]
struct Range {
    least: i128,
    most: i128,
}

impl Range {
    fn of(a: i128, b: i128) -> Self {
        Self { least: a.min(b), most: a.max(b) }
    }

    /// Of its size, where it keeps its sign.
    fn size(self) -> Self {
        Self::of(self.least.abs(), self.most.abs())
    }
}

/// What a position can be worth and require.
struct Ranges {
    value: Range,
    notional: Range,
    maintenance: Range,
}

impl Shard {
    /// Adds every position of one side of an instrument to `bounds`.
    pub(crate) fn collect_bounds(
        &self,
        market: &Market,
        (instrument, long): (InstrumentId, bool),
        marks: &MarkRanges,
        bounds: &mut Vec<ScoreBound>,
    ) {
        for &at in &self.holders[instrument.index()] {
            if (self.holdings[at as usize].position.quantity > 0) == long {
                bounds.push(self.score_bound(market, at, marks));
            }
        }
    }

    fn score_bound(&self, market: &Market, at: u32, marks: &MarkRanges) -> ScoreBound {
        let holding = &self.holdings[at as usize];
        let position = &holding.position;
        let own = self.ranges(market, holding, marks);
        let pool = &self.pools[holding.pool as usize];
        let mut equity = pool.collateral;
        let mut maintenance = 0;
        for other in self.holdings_of(holding.pool).map(|other| &self.holdings[other as usize]) {
            if other.position.quantity != 0 {
                let ranges = self.ranges(market, other, marks);
                equity += ranges.value.least - other.position.cost;
                maintenance += ranges.maintenance.most;
            }
        }
        let unrealised = own.value.most - position.cost;
        let instrument = market.instrument(holding.instrument);
        let score = match instrument.spec.adl.rank {
            AdlRank::PnlLeverage | AdlRank::ProRata => {
                // The share is least where the position's own margin is, and the others' are not.
                let part = own.maintenance.least;
                let whole = maintenance - own.maintenance.most + part;
                let share = if whole == 0 { equity } else { mul_div_floor(equity.max(0), part, whole) };
                pnl_leverage(unrealised, position.cost, own.notional.most, share)
            }
            AdlRank::PnlMarginRatio => {
                let whole_unit = 10i128.pow(market.asset(instrument.spec.settle).decimals);
                pnl_margin_ratio(unrealised, (pool.collateral, whole_unit), maintenance, equity)
            }
            AdlRank::ProfitNotional => {
                let by_value = (position.quantity > 0) != instrument.spec.unit.is_inverse();
                let value = own.value.size();
                let (gained, given) = if by_value { (value.most, position.cost) } else { (position.cost, value.least) };
                profit_notional(gained, given, own.notional.most, equity)
            }
        };
        ScoreBound { profitable: unrealised > 0, score, shard: self.number, holding: at }
    }

    fn ranges(&self, market: &Market, holding: &Holding, marks: &MarkRanges) -> Ranges {
        let instrument = self.rules(market, holding);
        let position = &holding.position;
        let [at_low, at_high] = match marks.ranges[holding.instrument.index()] {
            Some((low, high)) => [low, high].map(|mark| instrument.valuation(position.quantity, mark)),
            None => [Valuation { value: position.cost, notional: position.cost.abs() }; 2],
        };
        let notional = Range::of(at_low.notional, at_high.notional);
        let required = |notional| instrument.maintenance_margin(position.quantity, notional);
        Ranges {
            value: Range::of(at_low.value, at_high.value),
            notional,
            maintenance: Range {
                least: (required(notional.least) - MARGIN_ROUNDING).max(0),
                most: required(notional.most) + MARGIN_ROUNDING,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, Fill, MarginMode, PositionMode, PositionSide, Side};
    use crate::contract::Unit;
    use crate::decimal::Grid;
    use crate::kernel::{Kernel, Settings};
    use crate::market::{AdlPolicy, AssetId, FundId, InstrumentSpec};
    use crate::shard::Shards;
    use crate::tiers::{TierRow, TierRule, TierTable};
    use proptest::prelude::*;

    const ACCOUNTS: u64 = 12;
    const START: i64 = 1_000;

    /// Three contracts of each kind of margin: linear ones and an inverse one.
    fn instruments(rank: AdlRank) -> Vec<InstrumentSpec> {
        let grid = Grid::new("1".parse().unwrap()).unwrap();
        let row = |cap, mmr_ppb| TierRow { cap, mmr_ppb, max_leverage: 100, deduction: None };
        let rows = [row(9_000, 13_000_001), row(30_000, 77_000_003), row(1 << 50, 210_000_007)];
        let spec = |symbol: &str, unit, rule| InstrumentSpec {
            taker_fee_ppb: 1_000_003,
            adl: AdlPolicy { rank, ..AdlPolicy::default() },
            close_fee_in_mm: rule == TierRule::Step,
            ..InstrumentSpec::new(
                symbol,
                AssetId(0),
                FundId(0),
                (grid, grid),
                unit,
                TierTable::new(rule, &rows).unwrap(),
            )
        };
        vec![
            spec("A", Unit::Linear(1), TierRule::Marginal),
            spec("B", Unit::Linear(3), TierRule::Step),
            spec("C", Unit::Inverse { numerator: 7_000_000, denominator: 3 }, TierRule::Marginal),
        ]
    }

    /// Accounts with what was drawn for them: cross, isolated or in hedge mode, over one to three contracts.
    fn world(rank: AdlRank, draws: &[u16]) -> (Market, Shards) {
        let mut draws = draws.iter().cycle().map(|&draw| i64::from(draw));
        let mut kernel = Kernel::new(Settings::default());
        kernel.declare_asset(None, "X", 0).unwrap();
        let ids: Vec<InstrumentId> =
            instruments(rank).into_iter().map(|spec| kernel.declare_instrument(None, spec).unwrap()).collect();
        for account in 1..=ACCOUNTS {
            let positions = if account % 4 == 0 { PositionMode::Hedge } else { PositionMode::OneWay };
            kernel.apply(&Command::Account { account, positions, group: None }).unwrap();
            let amount = 1 + draws.next().unwrap() % 20_000;
            kernel.apply(&Command::Deposit { account, asset: AssetId(0), amount }).unwrap();
            for &instrument in &ids {
                if account % 3 == 0 {
                    let mode = MarginMode::Isolated;
                    kernel.apply(&Command::MarginMode { account, instrument, mode }).unwrap();
                }
                let quantity = draws.next().unwrap() % 61 - 30;
                if quantity != 0 {
                    let side = if quantity > 0 { Side::Buy } else { Side::Sell };
                    let leg = if quantity > 0 { PositionSide::Long } else { PositionSide::Short };
                    let fill = Fill {
                        account,
                        counterparty: None,
                        order: None,
                        counter_order: None,
                        instrument,
                        side,
                        quantity: quantity.abs(),
                        price: START - 150 + draws.next().unwrap() % 301,
                        liquidity: None,
                        position_side: (positions == PositionMode::Hedge).then_some(leg),
                        counter_position_side: None,
                    };
                    kernel.apply(&Command::Fill(fill)).unwrap();
                }
            }
        }
        let (mut rounds, shards) = kernel.into_parts();
        for instrument in &mut rounds.market.instruments {
            instrument.mark = Some(START);
        }
        (rounds.market, shards)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_score_exceeds_its_bound_while_marks_stay_in_their_ranges(
            draws in prop::collection::vec(any::<u16>(), 60),
            width_ppb in prop::sample::select(vec![0, 2_000_000, 20_000_000, 90_000_000u64]),
            rank in prop::sample::select(vec![AdlRank::PnlLeverage, AdlRank::PnlMarginRatio, AdlRank::ProfitNotional]),
            moves in prop::collection::vec(prop::array::uniform3(0..=4i64), 12),
        ) {
            let (mut market, shards) = world(rank, &draws);
            let mut marks = MarkRanges::default();
            marks.set_around(&market, width_ppb);
            for instrument in [0, 1, 2].map(InstrumentId) {
                for long in [true, false] {
                    let mut bounds = Vec::new();
                    shards[0].collect_bounds(&market, (instrument, long), &marks, &mut bounds);
                    for steps in &moves {
                        for ((at, &(low, high)), step) in market.instruments.iter_mut().zip(marks.ranges.iter().flatten()).zip(steps) {
                            at.mark = Some(low + (high - low) * step / 4);
                        }
                        prop_assert!(marks.cover(&market));
                        for bound in &bounds {
                            let is = shards[0].candidate(&market, bound.holding);
                            prop_assert!(
                                (is.profitable, is.score) <= (bound.profitable, bound.score),
                                "{rank:?} {instrument:?}: {is:?} beyond {bound:?}"
                            );
                        }
                    }
                    for at in &mut market.instruments {
                        at.mark = Some(START);
                    }
                }
            }
        }
    }
}
