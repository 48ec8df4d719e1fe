//! The index of deleveraging chooses whom a full ranking would, after thousands of random moves.
//!
//! Hundreds of accounts, cross, isolated and in hedge mode, over linear and inverse contracts of all rankings; marks that
//! creep and leap, fills, payments, holders who come and go, pools that wait for the venue. Now and then an account without
//! money trades with the outside at a bad price, and its position is offered to the other side: nobody else has changed, so
//! each trade must be with who stands at that rank in a full ranking of the moment before.

use proptest::prelude::*;
use terrace::command::{Command, Fill, MarginMode, PositionMode, PositionSide, Side};
use terrace::contract::Unit;
use terrace::decimal::Grid;
use terrace::event::{Event, Owner};
use terrace::market::{AdlPolicy, AdlPrice, AdlRank, AssetId, FundId, FundSpec, InstrumentId, InstrumentSpec};
use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::venue::VenueMode;
use terrace::{Kernel, Settings};

const ACCOUNTS: u64 = 300;
const MOVES: usize = if cfg!(debug_assertions) { 4_000 } else { 20_000 };
const START: i64 = 100_000;
const ASSET: AssetId = AssetId(0);
const BANKRUPT: u64 = 1 << 32;

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    fn around(&mut self, most: i64) -> i64 {
        self.below(2 * most as u64 + 1) as i64 - most
    }

    fn side(&mut self) -> Side {
        if self.below(2) == 0 { Side::Buy } else { Side::Sell }
    }
}

fn instruments(adl: AdlPolicy) -> Vec<InstrumentSpec> {
    let grid = Grid::new("1".parse().unwrap()).unwrap();
    let row = |cap, mmr_ppb| TierRow { cap, mmr_ppb, max_leverage: 100, deduction: None };
    let rows = [row(2_000_000, 5_000_000), row(6_000_000, 13_000_001), row(1 << 60, 50_000_003)];
    let spec = |symbol: &str, unit, rule| InstrumentSpec {
        adl,
        ..InstrumentSpec::new(symbol, ASSET, FundId(0), (grid, grid), unit, TierTable::new(rule, &rows).unwrap())
    };
    let inverse = Unit::Inverse { numerator: 10_000_000_000, denominator: 1 };
    vec![
        spec("A", Unit::Linear(1), TierRule::Marginal),
        spec("B", Unit::Linear(2), TierRule::Step),
        spec("C", inverse, TierRule::Marginal),
        spec("D", Unit::Linear(1), TierRule::Marginal),
    ]
}

struct World {
    kernel: Kernel,
    dice: Dice,
    marks: Vec<i64>,
    bankrupt: u64,
    venue_answers: bool,
}

impl World {
    fn new(seed: u64, shards: u32, adl: AdlPolicy, venue: VenueMode) -> Self {
        let mut kernel = Kernel::new(Settings { shards, ..Settings::default() });
        kernel.declare_asset(None, "X", 2).unwrap();
        let fund = FundSpec { floor: 1 << 61, ..FundSpec::new("X".to_owned(), ASSET) };
        kernel.declare_fund(None, fund).unwrap();
        let specs = instruments(adl);
        let marks = vec![START; specs.len()];
        for spec in specs {
            let instrument = kernel.declare_instrument(None, spec).unwrap();
            kernel.apply(&Command::Mark { instrument, price: START }).unwrap();
        }
        kernel.set_venue(None, venue).unwrap();
        let dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let venue_answers = venue != VenueMode::Manual;
        let mut world = Self { kernel, dice, marks, bankrupt: BANKRUPT, venue_answers };
        for account in 1..=ACCOUNTS {
            world.declare(account);
            for _ in 0..3 {
                world.fill(account);
            }
        }
        world
    }

    fn declare(&mut self, account: u64) {
        let positions = if account.is_multiple_of(7) { PositionMode::Hedge } else { PositionMode::OneWay };
        self.apply(&Command::Account { account, positions, group: None });
        self.deposit(account);
        if account.is_multiple_of(3) {
            for instrument in 0..self.marks.len() as u32 {
                let mode = MarginMode::Isolated;
                self.apply(&Command::MarginMode { account, instrument: InstrumentId(instrument), mode });
            }
        }
    }

    /// Some are refused: of accounts in liquidation, or beyond what they have.
    fn apply(&mut self, command: &Command) {
        let _ = self.kernel.apply(command);
    }

    fn deposit(&mut self, account: u64) {
        let amount = 1 + self.dice.below(1 << (12 + account % 14)) as i64;
        self.apply(&Command::Deposit { account, asset: ASSET, amount });
    }

    /// Somebody trades with somebody, near the mark or far from it.
    fn fill(&mut self, account: u64) {
        let at = self.dice.below(self.marks.len() as u64) as usize;
        let (side, away) = (self.dice.side(), if self.dice.below(3) == 0 { 4 } else { 40 });
        let counterparty = Some(1 + self.dice.below(ACCOUNTS)).filter(|&other| other != account);
        let leg = |hedges: bool, side: Side| {
            hedges.then_some(if side == Side::Buy { PositionSide::Long } else { PositionSide::Short })
        };
        let quantity = 1 + self.dice.below(40) as i64;
        let price = self.marks[at] + self.dice.around(self.marks[at] / away);
        self.apply(&Command::Fill(Fill {
            account,
            counterparty,
            order: None,
            counter_order: None,
            instrument: InstrumentId(at as u32),
            side,
            quantity,
            price,
            liquidity: None,
            position_side: leg(account.is_multiple_of(7), side),
            counter_position_side: counterparty.and_then(|other| leg(other % 7 == 0, side.opposite())),
        }));
    }

    fn mark(&mut self) {
        let at = self.dice.below(self.marks.len() as u64) as usize;
        let most = [3, 30, 300, 3_000, 20_000][self.dice.below(5) as usize];
        let back = (START - self.marks[at]) / 20;
        self.marks[at] = (self.marks[at] + back + self.dice.around(most)).max(1_000);
        self.apply(&Command::Mark { instrument: InstrumentId(at as u32), price: self.marks[at] });
    }

    fn step(&mut self) {
        let account = 1 + self.dice.below(ACCOUNTS);
        match self.dice.below(13) {
            0..=5 => self.mark(),
            6..=8 => self.fill(account),
            9 => self.deposit(account),
            10 => {
                let amount = 1 + self.dice.below(10_000) as i64;
                self.apply(&Command::Withdraw { account, asset: ASSET, amount });
            }
            11 => {
                let instrument = InstrumentId(self.dice.below(self.marks.len() as u64) as u32);
                let mode = if self.dice.below(2) == 0 { MarginMode::Isolated } else { MarginMode::Cross };
                self.apply(&Command::MarginMode { account, instrument, mode });
            }
            _ => self.deposit(1 + account % 9),
        }
    }

    /// The trades of one claim, each with who stands at its rank.
    fn claim(&mut self) -> Result<usize, TestCaseError> {
        self.bankrupt += 1;
        let (account, at, side) = (self.bankrupt, self.dice.below(self.marks.len() as u64) as usize, self.dice.side());
        self.apply(&Command::Deposit { account, asset: ASSET, amount: 1 });
        let instrument = InstrumentId(at as u32);
        let lost = self.marks[at] / [20, 100, 1_000][self.dice.below(3) as usize] + 1;
        let quantity = 1 + self.dice.below(60) as i64;
        let ranked = self.kernel.overview().adl_queue(instrument, side == Side::Sell);
        self.apply(&Command::Fill(Fill {
            account,
            counterparty: None,
            order: None,
            counter_order: None,
            instrument,
            side,
            quantity,
            price: self.marks[at] + if side == Side::Buy { lost } else { -lost },
            liquidity: None,
            position_side: None,
            counter_position_side: None,
        }));
        let mut last = 0;
        let mut trades = 0;
        for event in self.kernel.events() {
            let &Event::Deleveraged { owner, counter, rank, instrument: of, .. } = event else { continue };
            if owner == Owner::Account(account) && of == instrument {
                prop_assert!(rank > last, "rank {rank} after {last}");
                prop_assert_eq!(ranked[rank as usize - 1].account, counter, "somebody else at rank {}", rank);
                (last, trades) = (rank, trades + 1);
            }
        }
        Ok(trades)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn the_index_chooses_whom_a_full_ranking_would(
        seed in any::<u64>(),
        shards in 1..4u32,
        rank in prop::sample::select(vec![
            AdlRank::PnlLeverage, AdlRank::PnlMarginRatio, AdlRank::ProfitNotional, AdlRank::ProRata,
        ]),
        price in prop::sample::select(vec![AdlPrice::Bankruptcy, AdlPrice::Mark]),
        venue in prop::sample::select(vec![VenueMode::Mark, VenueMode::None, VenueMode::Manual]),
    ) {
        let mut world = World::new(seed, shards, AdlPolicy { rank, price }, venue);
        let (mut trades, mut locked) = (0, false);
        for _ in 0..MOVES {
            for _ in 0..=world.dice.below(3) {
                world.step();
            }
            trades += world.claim()?;
            locked |= world.kernel.overview().health().locked > 0;
        }
        prop_assert!(trades > MOVES / 4, "only {trades} trades: too few to show anything");
        prop_assert!(world.venue_answers || locked, "no pool ever waited");
    }
}
