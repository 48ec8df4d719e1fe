//! How high a score can be while no mark leaves a range: at the present marks an estimate, within wider ranges a bound.
//!
//! Floats do it, over copies of the pools ([`Portfolios`]), and decide nothing: each amount is taken at the end of its range that
//! makes the score highest, and rounded up by more than floats can err. An estimate is hardly ever above its score by what tells
//! two positions apart; whoever is chosen is scored exactly.
//!
//! What a position has gained is part of the equity behind it, so both are taken at the same end of its own range. With the
//! rest of the pool at its worst, result over share is a quotient `g / (e + g)` for a constant `e`, so it is highest at one of
//! the ends, as long as the share is more than a quantum; else the highest result over a quantum bounds it.

use super::deleverage::grade;
use super::mark_levels::{Bits, LEVELS, MarkLevels, Range, instrument_bit};
use super::portfolios::{Leg, Portfolios, real, slope};
use super::score_estimates::{grade_of_loss, grade_of_most, profitable_score};
use super::score_rates::ERROR;
use super::store::Holding;
use super::{Grade, Shard};
use crate::market::{AdlRank, InstrumentId, Market};
use fixed::types::I64F64;

/// The least that a factor of a score can be, or lose to truncation.
const FACTOR_STEP: f64 = 1.0 / (1u64 << 32) as f64;

/// Of the score of those who are asked, so much may a bound come to: it is not to be met at once when that falls.
const GOAL: f64 = 0.9;

/// What a side is ranked by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ranking {
    rank: AdlRank,
    /// Of the settlement asset, in quanta.
    whole_unit: f64,
}

impl Ranking {
    pub(crate) fn of(market: &Market, instrument: InstrumentId) -> Self {
        let spec = &market.instrument(instrument).spec;
        let whole_unit = real(10i128.pow(market.asset(spec.settle).decimals));
        Self { rank: spec.adl.rank, whole_unit }
    }
}

/// A position that is ranked, and its pool; both by their numbers in the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ranked {
    pub(crate) shard: u32,
    pub(crate) holding: u32,
    pub(crate) pool: u32,
}

/// Why a member of a queue is behind those who are asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behind {
    /// It loses, until its mark goes beyond this: the further one is towards whom it serves, the sooner it comes.
    Losing(Edge),
    /// By a bound of its score.
    Bounded(Bounded),
}

/// A mark beyond which a losing position may gain: of two of one side, the greater one is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge(i64);

impl Edge {
    /// Of a side: beyond it are higher marks for longs, lower ones for shorts.
    #[inline]
    pub(crate) fn of(long: bool, mark: f64) -> Self {
        let bits = mark.max(0.0).to_bits() as i64; // in the order of floats that are not negative
        Self(if long { !bits } else { bits })
    }
}

/// A bound that holds within the ranges of a level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounded {
    pub(crate) level: u8,
    /// The bits of the instruments whose marks the bound depends on.
    pub(crate) holds: Bits,
    pub(crate) grade: Grade,
}

/// A position at both ends of the range of its mark.
#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    values: [f64; 2],
    notionals: [f64; 2],
}

impl Ends {
    #[inline]
    fn of(leg: &Leg, inverse: bool, range: Range) -> Self {
        let values = if range.low == 0.0 {
            [leg.cost; 2] // without a mark
        } else if inverse {
            [leg.slope / range.low, leg.slope / range.high]
        } else {
            [leg.slope * range.low, leg.slope * range.high]
        };
        Self { values, notionals: values.map(f64::abs) }
    }

    #[inline]
    fn most_notional(&self) -> f64 {
        self.notionals[0].max(self.notionals[1])
    }
}

/// What a position can have gained, and what is behind it.
struct Outlook {
    /// At either end of its own range.
    gained: [f64; 2],
    /// The equity of its pool there, at least.
    equity: [f64; 2],
    values: [f64; 2],
    least_notional: f64,
    most_notional: f64,
    cost: f64,
    collateral: f64,
    /// What it requires itself, from and to, and what the others do at most.
    part: [f64; 2],
    others: f64,
}

impl Outlook {
    fn most_gained(&self) -> f64 {
        self.gained[0].max(self.gained[1])
    }

    fn least_equity(&self) -> f64 {
        self.equity[0].min(self.equity[1])
    }

    /// The most that the result over a falling function of the equity can be; `steady` where that is a constant anywhere.
    fn most_over(&self, steady: bool, over: impl Fn(f64) -> f64) -> f64 {
        if steady {
            return self.most_gained() * over(self.least_equity());
        }
        let at = |end: usize| self.gained[end].max(0.0) * over(self.equity[end]);
        at(0).max(at(1))
    }

    fn grade(&self, ranking: &Ranking) -> Grade {
        let profitable = self.most_gained() > 0.0;
        let score = match ranking.rank {
            AdlRank::PnlLeverage | AdlRank::ProRata => return self.pnl_leverage(),
            AdlRank::PnlMarginRatio if !profitable => return grade(false, I64F64::ZERO),
            AdlRank::PnlMarginRatio => {
                let maintenance = self.others + self.part[1];
                let ratio = |equity: f64| maintenance / equity.max(1.0);
                self.most_over(self.least_equity() <= 1.0, ratio) / self.collateral.max(ranking.whole_unit)
            }
            AdlRank::ProfitNotional => {
                let (value, cost) = (self.values.map(f64::abs), self.cost.abs());
                // Its value and cost are the higher, the further up, or, where they fall with the price, down it is: a value
                // above zero is a linear long's or an inverse short's.
                let went = if self.values[0] > 0.0 || self.values[1] > 0.0 {
                    (value[0].max(value[1]) + 1.0) / cost.max(1.0)
                } else {
                    cost / (value[0].min(value[1]) - 1.0).max(1.0)
                };
                went * (self.most_notional / self.least_equity().max(1.0))
            }
        };
        grade_of_most(profitable, score * (1.0 + ERROR))
    }

    fn pnl_leverage(&self) -> Grade {
        // The notional over a share of equity `E`: `N / (E · MM_i / MM)` is `(N · others / MM_i + N) / E`, and `N / MM_i` is the
        // higher, the smaller the notional is. The share is rounded down to a whole quantum, and at least one.
        let least = (self.least_notional * (1.0 - ERROR) - 1.0).max(0.0);
        let per_part = if self.part[0] > 0.0 { (self.least_notional + 1.0) / self.part[0] } else { f64::MAX };
        let whole = (per_part * self.others + self.most_notional) * (1.0 + ERROR);
        let is_steady = |equity: f64| whole >= least * equity * (1.0 - ERROR);
        let leverage = |equity: f64| {
            if is_steady(equity) {
                return self.most_notional;
            }
            let exact = whole / equity;
            exact * least / (least - exact)
        };
        let cost = self.cost.abs().max(1.0) * (1.0 - ERROR);
        if self.most_gained() > 0.0 {
            let score = self.most_over(is_steady(self.least_equity()), leverage) / cost;
            return grade_of_most(true, score * (1.0 + ERROR));
        }
        let lost = (-self.most_gained() / (cost * (1.0 + 2.0 * ERROR)) * (1.0 - ERROR) - FACTOR_STEP).max(0.0);
        grade_of_loss(lost / leverage(self.least_equity()).max(FACTOR_STEP) * (1.0 - 2.0 * ERROR))
    }
}

impl Portfolios {
    /// A grade that a position's score does not exceed while all marks stay in their ranges; none: its rules are being
    /// changed.
    #[inline]
    pub(crate) fn most(&self, of: Ranked, ranges: &[Range], ranking: &Ranking) -> Option<Grade> {
        self.outlook(of, ranges).map(|outlook| outlook.grade(ranking))
    }

    fn outlook(&self, of: Ranked, ranges: &[Range]) -> Option<Outlook> {
        let (collateral, legs) = self.of((of.shard, of.pool));
        let (mut rest, mut gross, mut others, mut in_change) = (collateral, collateral.abs(), 0.0, false);
        let mut own = (Ends::default(), &Leg::default(), [0.0; 2]);
        for leg in legs {
            let rates = self.rates.of(leg.instrument);
            let ends = Ends::of(leg, rates.inverse, ranges[leg.instrument as usize]);
            let (most, cost) = (ends.most_notional(), leg.cost);
            in_change |= rates.in_change;
            gross += most + cost.abs();
            if leg.holding == of.holding {
                let least = ends.notionals[0].min(ends.notionals[1]);
                own = (ends, leg, [rates.least(least, leg.added_rate), rates.most(most, leg.added_rate)]);
            } else {
                rest += ends.values[0].min(ends.values[1]) - cost;
                others += rates.most(most, leg.added_rate);
            }
        }
        if in_change {
            return None;
        }
        // Each term is rounded, and each sum; the value of an inverse contract to a whole quantum.
        let error = gross * (legs.len() as f64 + 16.0) * f64::EPSILON + legs.len() as f64;
        let (ends, leg, part) = own;
        let gained = ends.values.map(|value| value - leg.cost);
        Some(Outlook {
            gained: gained.map(|gained| gained + error),
            equity: gained.map(|gained| rest + gained - error),
            values: ends.values,
            least_notional: ends.notionals[0].min(ends.notionals[1]),
            most_notional: ends.most_notional() * (1.0 + ERROR) + 1.0,
            cost: leg.cost,
            collateral,
            part,
            others,
        })
    }

    /// Bounds the score of a position below `cut`, within the widest level that keeps it well below, looked for from `near` on;
    /// none: it is too near, or cannot be bounded at present.
    pub(crate) fn bound_below(
        &self,
        of: Ranked,
        cut: Grade,
        near: u8,
        levels: &MarkLevels,
        ranking: &Ranking,
    ) -> Option<Bounded> {
        let goal = match profitable_score(cut) {
            Some(score) => grade_of_most(true, score * GOAL),
            None => cut,
        };
        let most = |level: u8| self.most(of, levels.ranges(level), ranking);
        let mut level = near.min(LEVELS as u8 - 1);
        let mut grade = most(level)?;
        if grade < goal {
            while usize::from(level) + 1 < LEVELS {
                let wider = most(level + 1)?;
                if wider >= goal {
                    break;
                }
                (level, grade) = (level + 1, wider);
            }
        } else {
            while grade >= goal && level > 0 {
                level -= 1;
                grade = most(level)?;
            }
        }
        let (_, legs) = self.of((of.shard, of.pool));
        let holds = || legs.iter().map(|leg| instrument_bit(levels.instrument(), leg.instrument)).fold(0, |a, b| a | b);
        (grade < cut).then(|| Bounded { level, holds: holds(), grade })
    }
}

impl Shard {
    /// Where a position that loses may begin to gain: until then it ranks behind all that gain, and the rest of its pool does
    /// not matter.
    pub(crate) fn losing(&self, market: &Market, at: u32) -> Option<Edge> {
        let Holding { position, instrument, .. } = &self.holdings[at as usize];
        let instrument = market.instrument(*instrument);
        let (unit, now) = (instrument.spec.unit, instrument.mark? as f64);
        let (inverse, long) = (unit.is_inverse(), position.quantity > 0);
        let slope = slope(unit, position.quantity);
        let (size, cost) = (slope.abs(), real(position.cost) * slope.signum());
        let error = cost.abs() * ERROR + 2.0;
        // Its value is a multiple of the mark, or of one over it. A linear long and an inverse short are worth more than nothing, and
        // lose below their cost; the others lose beyond it.
        let worth = (if slope > 0.0 { cost - error } else { cost + error }).max(0.0);
        let at = if inverse { size / worth } else { worth / size };
        let at = if long { at * (1.0 - ERROR) } else { at * (1.0 + ERROR) };
        let loses = if long { now <= at } else { now >= at };
        loses.then(|| Edge::of(long, at))
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
    use crate::slope::{SizeStep, Slope};
    use crate::tiers::{TierRow, TierRule, TierTable};
    use proptest::prelude::*;

    const ACCOUNTS: u64 = 12;
    const START: i64 = 1_000;

    /// Contracts of each kind of margin, linear ones and inverse ones.
    fn instruments(rank: AdlRank) -> Vec<InstrumentSpec> {
        let grid = Grid::new("1".parse().unwrap()).unwrap();
        let row = |cap, mmr_ppb| TierRow { cap, mmr_ppb, max_leverage: 100, deduction: None };
        let rows = [row(9_000, 13_000_001), row(30_000, 77_000_003), row(1 << 50, 210_000_007)];
        let table = |rule| TierTable::new(rule, &rows).unwrap();
        let by_size = |step| {
            let slope = Slope { base_ppb: 13_000_001, slope_ppb: 1_700_003, im_base_ppb: 20_000_000, step };
            TierTable::linear(slope).unwrap()
        };
        let spec = |symbol: &str, unit, tiers: TierTable| InstrumentSpec {
            taker_fee_ppb: 1_000_003,
            adl: AdlPolicy { rank, ..AdlPolicy::default() },
            close_fee_in_mm: tiers.rule() == TierRule::Step,
            ..InstrumentSpec::new(symbol, AssetId(0), FundId(0), (grid, grid), unit, tiers)
        };
        let inverse = Unit::Inverse { numerator: 7_000_000, denominator: 3 };
        vec![
            spec("A", Unit::Linear(1), table(TierRule::Marginal)),
            spec("B", Unit::Linear(3), table(TierRule::Step)),
            spec("C", inverse, table(TierRule::Marginal)),
            spec("D", Unit::Linear(2), by_size(SizeStep { numerator: 3, denominator: 2 })),
            spec("E", inverse, by_size(SizeStep { numerator: 1, denominator: 1_000 })),
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
            level in 0..LEVELS as u8,
            rank in prop::sample::select(vec![AdlRank::PnlLeverage, AdlRank::PnlMarginRatio, AdlRank::ProfitNotional]),
            moves in prop::collection::vec(prop::array::uniform5(0..=4i64), 12),
        ) {
            let (mut market, shards) = world(rank, &draws);
            let mut portfolios = Portfolios::default();
            portfolios.follow(&market, &shards);
            for instrument in [0, 1, 2, 3, 4].map(InstrumentId) {
                let (mut marks, mut exited) = (MarkLevels::new(instrument), [0; LEVELS]);
                marks.follow(&market, &mut exited);
                let ranking = Ranking::of(&market, instrument);
                let bounds: Vec<_> = shards[0]
                    .holders(instrument)
                    .iter()
                    .map(|&at| {
                        let of = shards[0].ranked(at);
                        portfolios.ensure(&market, &shards[0], of.pool);
                        let cut = shards[0].candidate(&market, at).grade() + (1 << 50);
                        let below = match shards[0].losing(&market, at) {
                            Some(edge) => Some(Behind::Losing(edge)),
                            None => portfolios.bound_below(of, cut, level, &marks, &ranking).map(Behind::Bounded),
                        };
                        (of, portfolios.most(of, marks.ranges(level), &ranking).unwrap(), below)
                    })
                    .collect();
                for steps in &moves {
                    for within in [Some(level), None] {
                        for ((at, mark), step) in market.instruments.iter_mut().enumerate().zip(steps) {
                            // All within the level; then each within that of somebody who was bounded.
                            let of = bounds.get(*step as usize).and_then(|bound| match bound.2 {
                                Some(Behind::Bounded(bounded)) => Some(bounded.level),
                                _ => None,
                            });
                            let Range { low, high } = marks.ranges(within.or(of).unwrap_or(0))[at];
                            mark.mark = Some(low as i64 + (high - low) as i64 * step / 4);
                        }
                        let mut now = MarkLevels::new(instrument);
                        now.follow(&market, &mut exited);
                        let holds = |bits: u128, level: u8| {
                            let stays = |at: usize| {
                                let Range { low, high } = marks.ranges(level)[at];
                                low <= now.now()[at].low && now.now()[at].low <= high
                            };
                            (0..5).all(|at| instrument_bit(instrument.0, at as u32) & bits == 0 || stays(at))
                        };
                        for &(of, bound, below) in &bounds {
                            let is = shards[0].candidate(&market, of.holding);
                            if within.is_some() {
                                prop_assert!(is.grade() <= bound, "{rank:?} {instrument:?}: {is:?} beyond {bound:?}");
                            }
                            let mark = now.now()[instrument.index()].low;
                            let long = shards[0].is_on(of.holding, true);
                            match below {
                                Some(Behind::Bounded(Bounded { level, holds: bits, grade })) if holds(bits, level) => {
                                    prop_assert!(is.grade() <= grade, "{rank:?} {instrument:?}: {is:?} beyond {grade:?}");
                                }
                                Some(Behind::Losing(edge)) if edge <= Edge::of(long, mark) => {
                                    prop_assert!(!is.profitable, "{rank:?} {instrument:?}: {is:?} beyond {edge:?}");
                                }
                                _ => {}
                            }
                            let estimate = portfolios.most(of, now.now(), &ranking).unwrap();
                            prop_assert!(is.grade() <= estimate, "{rank:?} {instrument:?}: {is:?}");
                        }
                    }
                }
                for at in &mut market.instruments {
                    at.mark = Some(START);
                }
            }
        }
    }

    #[test]
    fn a_range_is_left_when_its_mark_goes_beyond_it_and_who_is_about_to_goes_with_it() {
        let (mut market, _) = world(AdlRank::PnlLeverage, &[7]);
        let (mut marks, mut exited) = (MarkLevels::new(InstrumentId(1)), [0; LEVELS]);
        let mut to = |prices: [i64; 3]| {
            for (at, price) in market.instruments.iter_mut().zip(prices) {
                at.mark = Some(price);
            }
            exited = [0; LEVELS];
            let moved = marks.follow(&market, &mut exited);
            (moved, exited)
        };
        let bits = |instruments: &[u32]| -> u128 { instruments.iter().map(|&at| instrument_bit(1, at)).sum() };
        assert!(!to([START; 3]).0);
        // Level 8 goes 1000 / 64 = 15 up and down, level 7 goes 10, level 6 goes 7.
        let (moved, exited) = to([START + 15, START - 8, START]);
        assert!(moved && exited[8] == 0 && exited[7] == bits(&[0]) && exited[6] == bits(&[0, 1]));
        let (_, exited) = to([START + 15, START + 16, START + 8]);
        assert_eq!(exited[8], bits(&[0, 1]), "the first is at its end");
        let (_, exited) = to([START + 30, START + 31, START + 8]);
        assert_eq!(exited[8], 0, "the ranges lie around where the marks were");
    }
}
