//! How far a score can go while no mark leaves a range: what an index of the queue of deleveraging is ordered by.
//!
//! Every factor of a score rises or falls with amounts that are monotone in each mark, or nearly so. With each amount at the
//! end of its range that makes the score highest, the same formula gives a bound: exact in the same arithmetic, so that a
//! score that reaches it is equal to it, never above.

use super::deleverage::grade;
use super::margin::maintenance;
use super::score_estimates::{profitable_score, real};
use super::scores::{pnl_leverage, pnl_margin_ratio, profit_notional};
use super::store::Holding;
use super::{Grade, Margin, Shard};
use crate::contract::Valuation;
use crate::market::{AdlRank, InstrumentId, Market};
use crate::number::{Price, mul_div_floor};
use fixed::types::I64F64;

/// By how much a margin can run against its notional, in quanta: its terms are rounded by themselves ([`rounding_loss`]).
///
/// [`rounding_loss`]: super::margin::rounding_loss
const MARGIN_ROUNDING: i128 = 2;

/// How many widths of ranges there are: from about 0.1 % of a mark to 75 %, two to each doubling.
pub(crate) const LEVELS: usize = 20;

/// The narrowest level goes a mark divided by two to this power up and down, the next half as much again.
const NARROWEST: usize = 10;

/// Of the part that a mark may go, so much is the half width of its range: somewhere in it, it can go further to one side.
const TYPICAL: f64 = 0.9;

/// The instrument's bit among those of a pool; instruments may share one.
#[inline]
pub(crate) fn instrument_bit(instrument: InstrumentId) -> u64 {
    1 << (instrument.index() % 64)
}

/// By instrument and level: the marks for which bounds hold. Without a mark both ends are 0.
#[derive(Debug, Default)]
pub(crate) struct MarkLevels {
    /// As of the last look.
    marks: Vec<Price>,
    ranges: Vec<[(Price, Price); LEVELS]>,
}

impl MarkLevels {
    /// The widest level that mostly stays within a part of the marks; none: not even the narrowest does.
    fn within(part: f64) -> Option<u8> {
        let times = part * TYPICAL * f64::from(1u32 << NARROWEST);
        // Two levels to each power of two: the exponent, and whether one half or more is added.
        let level = || (times.to_bits() >> 51) - (1023 << 1);
        (times >= 1.0).then(|| level().min(LEVELS as u64 - 1) as u8) // not a number: none
    }

    fn range_around(mark: Price, level: usize) -> (Price, Price) {
        let power = mark >> (NARROWEST - level / 2);
        let width = if level.is_multiple_of(2) { power } else { power + power / 2 };
        (mark - width, mark.saturating_add(width))
    }

    /// Follows the marks: where one has left its range, that range is made anew around it, and with it, at that level, all
    /// others that are about to. Adds, by level, the bits of the instruments whose ranges are others now.
    /// Whether any mark moved.
    pub(crate) fn follow(&mut self, market: &Market, exited: &mut [u64; LEVELS]) -> bool {
        let mut moved = false;
        for (at, instrument) in market.instruments.iter().enumerate() {
            let mark = instrument.mark.unwrap_or(0);
            if at == self.marks.len() {
                self.marks.push(mark);
                self.ranges.push(std::array::from_fn(|level| Self::range_around(mark, level)));
            } else if self.marks[at] != mark {
                self.marks[at] = mark;
                moved = true;
                for (level, &(low, high)) in self.ranges[at].iter().enumerate() {
                    if !(low..=high).contains(&mark) {
                        exited[level] |= instrument_bit(InstrumentId(at as u32));
                    }
                }
            }
        }
        for (level, exited) in exited.iter_mut().enumerate().filter(|(_, exited)| **exited != 0) {
            for (at, (&mark, ranges)) in self.marks.iter().zip(&mut self.ranges).enumerate() {
                let (low, high) = ranges[level];
                let spare = (high - low) / 16;
                if mark < low + spare || mark > high - spare {
                    ranges[level] = Self::range_around(mark, level);
                    *exited |= instrument_bit(InstrumentId(at as u32));
                }
            }
        }
        moved
    }
}

/// What a member of a queue can be bounded by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounded {
    pub(crate) level: u8,
    /// The bits of the instruments whose marks the bound depends on.
    pub(crate) holds: u64,
    pub(crate) grade: Grade,
}

/// How fast a score can grow, estimated: it is about `gained · factor / equity`. When all marks go by a part `w` in the
/// position's favour, or against the rest of its pool, `gained` grows by `w · growth`, and `equity` shrinks by `w · gross`.
///
/// Floats decide here which level is tried, and nothing else.
struct Outlook {
    gained: f64,
    growth: f64,
    factor: f64,
    equity: f64,
    gross: f64,
    /// The bits of the instruments of the pool.
    holds: u64,
}

impl Outlook {
    fn score(&self) -> f64 {
        if self.equity > 0.0 { self.gained * self.factor / self.equity } else { f64::INFINITY }
    }

    /// The part by which all marks can go until the score is about `goal`.
    fn width(&self, goal: f64) -> f64 {
        let per_factor = goal / self.factor;
        (per_factor * self.equity - self.gained) / (self.growth + per_factor * self.gross)
    }
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
    /// Bounds the score of a position below `cut`, within the widest level that probably does; none: it is too near.
    pub(crate) fn bound_below(&self, market: &Market, at: u32, cut: Grade, levels: &MarkLevels) -> Option<Bounded> {
        let widest = if let Some(most) = profitable_score(cut) {
            if let Some(bounded) = self.bound_loss(market, at, levels) {
                return Some(bounded);
            }
            let outlook = self.outlook(market, at);
            // Who is far below keeps half of that distance, so that not everybody stands close when it falls.
            let own = outlook.score().max(0.0);
            let goal = (2.0 * own).clamp(most / 16.0, most).max((own * most).sqrt());
            let level = if outlook.score() < most { MarkLevels::within(outlook.width(goal)) } else { None };
            level.map(|level| (level, outlook.holds))
        } else {
            Some((LEVELS as u8 / 2, self.outlook(market, at).holds)) // nobody gains: the order hardly ever matters
        };
        let (widest, holds) = widest?;
        let bound = |level| Bounded { level, holds, grade: self.bound(market, at, levels, level) };
        [widest, widest.saturating_sub(1)].into_iter().map(bound).find(|bound| bound.grade < cut)
    }

    /// A position that loses so much that it goes on losing within a level ranks behind all that gain: the rest of its pool
    /// does not matter.
    fn bound_loss(&self, market: &Market, at: u32, levels: &MarkLevels) -> Option<Bounded> {
        let holding = &self.holdings[at as usize];
        let Valuation { value, notional } = holding.position.valuation(market.instrument(holding.instrument));
        let loss = holding.position.cost - value;
        if loss <= 0 {
            return None;
        }
        let level = MarkLevels::within(real(loss) / real(notional))?;
        let ranges = self.ranges(market, holding, (levels, usize::from(level)));
        let goes_on = ranges.value.most <= holding.position.cost;
        let grade = grade(false, I64F64::MAX);
        goes_on.then(|| Bounded { level, holds: instrument_bit(holding.instrument), grade })
    }

    fn outlook(&self, market: &Market, at: u32) -> Outlook {
        let own = &self.holdings[at as usize];
        let collateral = self.pools[own.pool as usize].collateral;
        let (mut margin, mut holds, mut gross) = (Margin::of(collateral), 0, 0);
        for other in self.holdings_of(own.pool) {
            let holding = &self.holdings[other as usize];
            if holding.position.quantity != 0 {
                gross += self.add_position(market, holding, &mut margin).0.notional;
                holds |= instrument_bit(holding.instrument);
            }
        }
        let instrument = self.rules(market, own);
        let Valuation { value, notional } = own.position.valuation(instrument);
        let (gained, notional, cost) = (real(value - own.position.cost), real(notional), real(own.position.cost));
        let (equity, gross, all) = (real(margin.equity), real(gross), real(margin.maintenance));
        let (gained, growth, factor) = match instrument.spec.adl.rank {
            AdlRank::PnlLeverage | AdlRank::ProRata => {
                let part = real(maintenance(instrument, &own.position));
                (gained, notional, notional / cost.abs().max(1.0) * (all / part))
            }
            AdlRank::PnlMarginRatio => {
                let whole_unit = 10i128.pow(market.asset(instrument.spec.settle).decimals);
                (gained, notional, all / real(collateral.max(whole_unit)))
            }
            AdlRank::ProfitNotional => {
                let (value, cost) = (real(value).abs().max(1.0), cost.abs().max(1.0));
                let by_value = (own.position.quantity > 0) != instrument.spec.unit.is_inverse();
                let went = if by_value { value / cost } else { cost / value };
                (went * notional, 2.0 * went * notional, 1.0)
            }
        };
        Outlook { gained, growth, factor, equity, gross, holds }
    }

    /// The grade of the most that a position's score can be within a level.
    fn bound(&self, market: &Market, at: u32, levels: &MarkLevels, level: u8) -> Grade {
        let (profitable, score) = self.score_bound(market, at, (levels, usize::from(level)));
        grade(profitable, score)
    }

    fn score_bound(&self, market: &Market, at: u32, marks: (&MarkLevels, usize)) -> (bool, I64F64) {
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
        (unrealised > 0, score)
    }

    fn ranges(&self, market: &Market, holding: &Holding, (marks, level): (&MarkLevels, usize)) -> Ranges {
        let instrument = self.rules(market, holding);
        let position = &holding.position;
        let [at_low, at_high] = match marks.ranges[holding.instrument.index()][level] {
            (low @ 1.., high) => [low, high].map(|mark| instrument.valuation(position.quantity, mark)),
            _ => [Valuation { value: position.cost, notional: position.cost.abs() }; 2],
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
            level in 0..LEVELS,
            rank in prop::sample::select(vec![AdlRank::PnlLeverage, AdlRank::PnlMarginRatio, AdlRank::ProfitNotional]),
            moves in prop::collection::vec(prop::array::uniform3(0..=4i64), 12),
        ) {
            let (mut market, shards) = world(rank, &draws);
            let mut marks = MarkLevels::default();
            let mut exited = [0; LEVELS];
            marks.follow(&market, &mut exited);
            for instrument in [0, 1, 2].map(InstrumentId) {
                let bounds: Vec<_> = shards[0]
                    .holders(instrument)
                    .iter()
                    .map(|&at| (at, shards[0].score_bound(&market, at, (&marks, level)), shards[0].bound(&market, at, &marks, level as u8)))
                    .collect();
                for steps in &moves {
                    for ((at, ranges), step) in market.instruments.iter_mut().zip(&marks.ranges).zip(steps) {
                        let (low, high) = ranges[level];
                        at.mark = Some(low + (high - low) * step / 4);
                    }
                    marks.follow(&market, &mut exited);
                    prop_assert_eq!(exited[level], 0);
                    exited = [0; LEVELS];
                    for &(at, bound, grade) in &bounds {
                        let is = shards[0].candidate(&market, at);
                        prop_assert!((is.profitable, is.score) <= bound, "{rank:?} {instrument:?}: {is:?} beyond {bound:?}");
                        prop_assert!(is.grade() <= grade);
                        prop_assert!(is.grade() <= shards[0].estimate(&market, at), "{rank:?} {instrument:?}: {is:?}");
                    }
                }
                for at in &mut market.instruments {
                    at.mark = Some(START);
                }
                marks = MarkLevels::default();
                marks.follow(&market, &mut exited);
            }
        }
    }

    #[test]
    fn a_range_is_left_when_its_mark_goes_beyond_it_and_who_is_about_to_goes_with_it() {
        let (mut market, _) = world(AdlRank::PnlLeverage, &[7]);
        let (mut marks, mut exited) = (MarkLevels::default(), [0; LEVELS]);
        let mut to = |prices: [i64; 3]| {
            for (at, price) in market.instruments.iter_mut().zip(prices) {
                at.mark = Some(price);
            }
            exited = [0; LEVELS];
            let moved = marks.follow(&market, &mut exited);
            (moved, exited)
        };
        let bits =
            |instruments: &[u32]| -> u64 { instruments.iter().map(|&at| instrument_bit(InstrumentId(at))).sum() };
        assert!(!to([START; 3]).0);
        // Level 8 goes 1000 / 64 = 15 up and down, level 7 goes 10, level 6 goes 7.
        let (moved, exited) = to([START + 15, START - 8, START]);
        assert!(moved && exited[8] == 0 && exited[7] == bits(&[0]) && exited[6] == bits(&[0, 1]));
        let (_, exited) = to([START + 15, START + 16, START + 8]);
        assert_eq!(exited[8], bits(&[0, 1]), "the first is at its end");
        let (_, exited) = to([START + 30, START + 31, START + 8]);
        assert_eq!(exited[8], 0, "the ranges lie around where the marks were");
    }

    #[test]
    fn the_widest_level_within_a_part_of_the_marks() {
        let level = |part: f64| MarkLevels::within(part / TYPICAL);
        let wide = [0.49, 0.51, 0.76, 7.0, f64::INFINITY].map(level);
        assert_eq!(wide, [Some(17), Some(18), Some(19), Some(19), Some(19)]);
        let narrow = [1.501, 1.499, 1.001].map(|times| level(times / 1024.0));
        assert_eq!(narrow, [Some(1), Some(0), Some(0)]);
        assert_eq!([0.999 / 1024.0, 0.0, -1.0, f64::NAN].map(level), [None; 4]);
    }
}
