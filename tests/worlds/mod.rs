//! Markets for tests, from the coarsest to the usual, and their arithmetic straight from the model, by other code than the
//! kernel's.

pub mod dice;

pub use dice::Dice;
use terrace::Kernel;
use terrace::command::PositionSide;
use terrace::contract::Unit;
use terrace::decimal::Grid;
use terrace::event::PoolName;
use terrace::market::{AssetId, FundId, InstrumentSpec, ReducePolicy};
use terrace::slope::{SizeStep, Slope};
use terrace::tiers::{TierRow, TierRule, TierTable};

pub const ASSET: AssetId = AssetId(0);

/// A world: what a lot is worth, how its margin rises, and how its marks move.
pub struct World {
    pub coarseness: &'static str,
    pub unit: Unit,
    pub start: i64,
    pub lots: i64,
    /// Of the three rows, in parts per billion; of `linear` the second is the base.
    pub rates: [u64; 3],
    pub rule: TierRule,
    /// Part of the maintenance margin; the taker fee in any case.
    pub close_fee: bool,
}

pub const TAKER_FEE_PPB: i64 = 500_000;

/// Rates as venues have them, and such that nearly every quantum of notional counts: only with these does a pool fall into
/// breach by rounding alone, on a favourable tick, so that leaving out what rounding can take is found out.
pub const USUAL: [u64; 3] = [5_000_000, 13_000_001, 77_000_003];
pub const STEEP: [u64; 3] = [121_950_000, 730_000_007, 790_000_003];

/// Every one of them under every rule, with and without the closing fee: how coarse, the unit, the first mark, the
/// lots of a large position, and the rates.
pub const CONTRACTS: [(&str, Unit, i64, i64, [u64; 3]); 10] = [
    ("lots of one quantum", Unit::Linear(1), 40, 3, USUAL),
    ("one lot", Unit::Linear(3), 400, 1, USUAL),
    ("small prices", Unit::Linear(7), 12, 50, USUAL),
    ("as at a venue", Unit::Linear(10_000), 872_320, 20_000, USUAL),
    // Its margin rises by two at the first cap, 41, while the price rises by one.
    ("steep", Unit::Linear(1), 40, 3, STEEP),
    // At a price of 40 a lot is worth a quantum, and at a slightly higher one, rounded up, as much.
    ("lots of one quantum", Unit::Inverse { numerator: 40, denominator: 1 }, 40, 3, USUAL),
    ("one lot", Unit::Inverse { numerator: 400_000, denominator: 1 }, 400, 1, USUAL),
    ("small prices", Unit::Inverse { numerator: 2_000, denominator: 3 }, 12, 50, USUAL),
    // A tick of 0.1 dollars, a lot of one dollar, in 10^-8 coins.
    ("as at a venue", Unit::Inverse { numerator: 1_000_000_000, denominator: 1 }, 872_320, 20_000, USUAL),
    // At 10,000 a lot is worth four quanta, and a tick lower, rounded up, five: the margin rises and the value does not.
    ("steep", Unit::Inverse { numerator: 40_000, denominator: 1 }, 10_000, 3, STEEP),
];

pub const RULES: [TierRule; 3] = [TierRule::Marginal, TierRule::Step, TierRule::Linear];

pub fn worlds() -> impl Iterator<Item = World> {
    CONTRACTS.into_iter().flat_map(|(coarseness, unit, start, lots, rates)| {
        let of_rule =
            move |rule| [false, true].map(|close_fee| World { coarseness, unit, start, lots, rates, rule, close_fee });
        RULES.into_iter().flat_map(of_rule)
    })
}

/// The rows of a table as the test knows them: cap, rate in parts per billion.
pub type Rows = Vec<(i128, u64)>;

/// A pool as the test knows it: collateral, and (instrument, size, cost).
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    pub name: PoolName,
    pub collateral: i128,
    pub positions: Vec<(usize, i128, i128)>,
    pub locked: bool,
}

pub const BILLION: i128 = 1_000_000_000;

pub fn ceil(a: i128, b: i128) -> i128 {
    -(-a).div_euclid(b)
}

impl World {
    /// What the margin depends on.
    pub fn kind(&self) -> String {
        let contract = if self.unit.is_inverse() { "inverse" } else { "linear" };
        let fee = if self.close_fee { ", closing fee" } else { "" };
        format!("{contract}, {:?}{fee}", self.rule).to_lowercase()
    }

    pub fn name(&self) -> String {
        format!("{}, {}", self.kind(), self.coarseness)
    }

    /// `V(q, p)` and `|V(q, p)|`, straight from the model.
    pub fn value(&self, size: i128, mark: i64) -> (i128, i128) {
        let mark = i128::from(mark);
        match self.unit {
            Unit::Linear(unit) => (size * mark * i128::from(unit), size.abs() * mark * i128::from(unit)),
            Unit::Inverse { numerator, denominator } => {
                let (above, below) = (size * i128::from(numerator), mark * i128::from(denominator));
                ((-above).div_euclid(below), ceil(above.abs(), below))
            }
        }
    }

    /// The notional of a large position.
    pub fn typical(&self) -> i128 {
        self.value(i128::from(self.lots), self.start).1
    }

    /// How fast the rates of `linear` rise, a quantum of notional or a lot being a thousandth: at a large position by 5 %.
    pub fn slope(&self) -> Slope {
        let large = if self.unit.is_inverse() { self.typical() } else { i128::from(self.lots) };
        let slope_ppb = 50_000_000_000 / large as u64;
        let step = SizeStep { numerator: 1, denominator: 1_000 };
        let base_ppb = self.rates[1];
        Slope { base_ppb, slope_ppb: slope_ppb.min(999_999_999), im_base_ppb: base_ppb + 70_000_000, step }
    }

    /// Maintenance margin, straight from the model.
    pub fn maintenance(&self, rows: &Rows, size: i128, notional: i128) -> i128 {
        let fee = if self.close_fee { ceil(notional * i128::from(TAKER_FEE_PPB), BILLION) } else { 0 };
        if self.rule == TierRule::Linear {
            let Slope { base_ppb, slope_ppb, .. } = self.slope();
            let large = if self.unit.is_inverse() { notional } else { size.abs() };
            let rate = i128::from(base_ppb) * 1_000 + i128::from(slope_ppb) * large;
            return ceil(notional * rate, BILLION * 1_000) + fee;
        }
        let tier = rows.iter().position(|&(cap, _)| notional <= cap).unwrap_or(rows.len() - 1);
        let exact: i128 = rows[..=tier].windows(2).map(|pair| pair[0].0 * i128::from(pair[1].1 - pair[0].1)).sum();
        let deduction = if self.rule == TierRule::Marginal { exact / BILLION } else { 0 };
        ceil(notional * i128::from(rows[tier].1), BILLION) - deduction + fee
    }

    /// Declares the asset and so many instruments, which differ in how they are reduced: the rows of their tables.
    pub fn declare(&self, kernel: &mut Kernel, instruments: u32) -> Vec<Rows> {
        kernel.declare_asset(None, "USDT", 8).unwrap();
        let mut rows = Vec::new();
        for index in 0..instruments {
            let typical = self.typical();
            let [first, second, last] = self.rates;
            let table = vec![(typical / 3 + 1, first), (typical + 2, second), (typical * 4, last)];
            let max_leverage = (100_000_000_000 / last) as u32;
            let row = |&(cap, mmr_ppb): &(i128, u64)| TierRow { cap, mmr_ppb, max_leverage, deduction: None };
            let tiers = match self.rule {
                TierRule::Linear => TierTable::linear(self.slope()).unwrap(),
                rule => TierTable::new(rule, &table.iter().map(row).collect::<Vec<_>>()).unwrap(),
            };
            rows.push(table);
            let grid = Grid::decimals(0);
            let spec = InstrumentSpec {
                taker_fee_ppb: TAKER_FEE_PPB,
                liquidation_fee_ppb: 2_000_000,
                close_fee_in_mm: self.close_fee,
                reduce: ReducePolicy {
                    tier: index != 1,
                    fraction_ppb: if index == 1 { 300_000_000 } else { 0 },
                    all: index != 2,
                    ..ReducePolicy::default()
                },
                ..InstrumentSpec::new(&format!("C{index}"), ASSET, FundId(0), (grid, grid), self.unit, tiers)
            };
            kernel.declare_instrument(None, spec).unwrap();
        }
        rows
    }
}

impl Pool {
    /// Equity and maintenance margin at these marks.
    pub fn margin(&self, world: &World, rows: &[Rows], mark: impl Fn(usize) -> i64) -> (i128, i128) {
        self.positions.iter().fold((self.collateral, 0), |(equity, required), &(index, size, cost)| {
            let (value, notional) = world.value(size, mark(index));
            (equity + value - cost, required + world.maintenance(&rows[index], size, notional))
        })
    }
}

/// Pools as the test knows them, from what the kernel shows.
pub fn pools(kernel: &Kernel, account: u64) -> Vec<Pool> {
    let view = kernel.account(account).unwrap();
    let pool = |pool: &terrace::PoolView| {
        let own = view.positions.iter().filter(|position| match pool.name {
            PoolName::Cross(_) => position.margin.is_none(),
            PoolName::Isolated(instrument, leg) => {
                let of_leg = leg.is_none_or(|leg| (leg == PositionSide::Long) == (position.position.quantity > 0));
                of_leg && position.instrument == instrument && position.margin.is_some()
            }
        });
        let positions: Vec<_> =
            own.clone().map(|at| (at.instrument.index(), i128::from(at.position.quantity), at.position.cost)).collect();
        let collateral = match pool.name {
            PoolName::Cross(asset) => view.balances.iter().find(|&&(of, _)| of == asset).unwrap().1,
            PoolName::Isolated(..) => own.filter_map(|at| at.margin).sum(),
        };
        Pool { name: pool.name, collateral, positions, locked: pool.locked }
    };
    view.pools.iter().map(pool).collect()
}
