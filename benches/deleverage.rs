//! What does a bankrupt pool cost when nobody but the other side can take it: by the index, and by a full ranking?
//!
//! 125 000 short positions in one of 20 instruments, of accounts with 3 positions each, every fifth isolated there; leverage
//! from 1 to 125, entry prices up to a quarter away. Before each claim the mark of the instrument and of three others step
//! by some basis points; then an account without money buys, is bankrupt at once, and with an empty fund the shorts take
//! it. Each choice is compared with a full ranking as of that moment.
//!
//! Whoever is taken out is replaced by somebody alike, so that the side stays as it was.
//!
//! Then a crash, and nobody is replaced: a mark falls in five steps of half a percent, and each bankrupts some hundred such accounts in one input.
//!
//! `TERRACE_BENCH_HOLDERS` sets another number of shorts.

mod contract;

use contract::spec;
use criterion::Criterion;
use std::time::{Duration, Instant};
use terrace::command::{Command, Fill, MarginMode, Side};
use terrace::event::Event;
use terrace::market::{AssetId, FundSpec, InstrumentId};
use terrace::{Capacity, Kernel, Settings, Strategy};

const INSTRUMENTS: u64 = 20;
const POSITIONS: u64 = 3;
const START: i64 = 1_000_000;
const ASSET: AssetId = AssetId(0);
const CLAIMED: InstrumentId = InstrumentId(0);
/// Ids of accounts that go bankrupt are above this.
const BANKRUPT: u64 = 1 << 32;

/// Claims in one round of the comparison.
const CLAIMS: u64 = 400;
const ROUNDS: usize = 7;

/// Leverage, and how many in a hundred accounts have it.
const LEVERAGES: [(i64, u64); 11] =
    [(1, 6), (2, 9), (3, 10), (5, 17), (10, 24), (20, 16), (25, 6), (50, 6), (75, 3), (100, 2), (125, 1)];

fn leverage(percentile: u64) -> i64 {
    let mut left = percentile;
    for (leverage, share) in LEVERAGES {
        if left < share {
            return leverage;
        }
        left -= share;
    }
    1
}

fn holders() -> u64 {
    std::env::var("TERRACE_BENCH_HOLDERS").ok().and_then(|text| text.parse().ok()).unwrap_or(125_000)
}

/// Numbers that look random, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    fn side(&mut self) -> Side {
        if self.below(2) == 0 { Side::Buy } else { Side::Sell }
    }

    /// From `-most` to `most`.
    fn around(&mut self, most: i64) -> i64 {
        self.below(2 * most as u64 + 1) as i64 - most
    }
}

fn fill(account: u64, instrument: InstrumentId, side: Side, quantity: i64, price: i64) -> Command {
    Command::Fill(Fill {
        account,
        counterparty: None,
        order: None,
        counter_order: None,
        instrument,
        side,
        quantity,
        price,
        liquidity: None,
        position_side: None,
        counter_position_side: None,
    })
}

struct World {
    kernel: Kernel,
    dice: Dice,
    marks: Vec<i64>,
    bankrupt: u64,
    /// After whom each of those is made who came later.
    newcomers: Vec<u64>,
}

impl World {
    fn new() -> Self {
        let holders = holders();
        let capacity = Capacity {
            accounts: holders as usize + 50_000,
            positions: (holders * POSITIONS) as usize + 50_000,
            orders: 0,
        };
        let mut kernel = Kernel::new(Settings { shards: 1, strategy: Strategy::default(), capacity });
        kernel.declare_asset(None, "USDT", 8).unwrap();
        // Residues come in, but it never has enough to bear a claim.
        let fund = FundSpec { floor: 1 << 61, ..FundSpec::new("USDT".to_owned(), ASSET) };
        kernel.declare_fund(None, fund).unwrap();
        for index in 0..INSTRUMENTS {
            kernel.declare_instrument(None, spec(index)).unwrap();
            kernel.apply(&Command::Mark { instrument: InstrumentId(index as u32), price: START }).unwrap();
        }
        let marks = vec![START; INSTRUMENTS as usize];
        let mut world =
            Self { kernel, dice: Dice(0x9E37_79B9_7F4A_7C15), marks, bankrupt: BANKRUPT, newcomers: Vec::new() };
        for account in 1..=holders {
            world.open(account, account);
        }
        world
    }

    /// A short of the claimed instrument, and positions in two others; the same for the same `template`.
    fn open(&mut self, account: u64, template: u64) {
        let mut dice = Dice(template.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        dice.below(1);
        let size = 1 + dice.below(97) as i64;
        let leverage = leverage(dice.below(100));
        let others = 1 + dice.below(INSTRUMENTS - 2);
        let isolated = template.is_multiple_of(5);
        let sides = [Side::Sell, dice.side(), dice.side()];
        let mut fills = Vec::new();
        let (mut margin, mut gained) = (0, 0);
        for (index, side) in [0, others, others + 1].into_iter().zip(sides) {
            let away = dice.around(START / 4);
            let price = START + if isolated && index == 0 { away.abs() } else { away };
            let gain = side.signed(size) * (self.marks[index as usize] - price) * 100;
            gained += gain;
            margin += size * self.marks[index as usize] * 100 / leverage;
            fills.push((gain, fill(account, InstrumentId(index as u32), side, size, price)));
        }
        // Gains first, so that no pool is in breach half way.
        fills.sort_by_key(|&(gain, _)| std::cmp::Reverse(gain));
        let amount = (margin + margin * dice.below(500) as i64 / 1_000 - gained).max(margin / 2);
        self.kernel.apply(&Command::Deposit { account, asset: ASSET, amount }).unwrap();
        if isolated {
            let mode = MarginMode::Isolated;
            self.kernel.apply(&Command::MarginMode { account, instrument: CLAIMED, mode }).unwrap();
        }
        for (_, fill) in &fills {
            self.kernel.apply(fill).unwrap();
        }
    }

    /// The mark of the claimed instrument and of three others, drawn back to where they began.
    fn step(&mut self) {
        for nth in 0..4 {
            let index = if nth == 0 { 0 } else { 1 + self.dice.below(INSTRUMENTS - 1) as usize };
            let back = (START - self.marks[index]) / 200;
            self.marks[index] += back + self.dice.around(600);
            let mark = Command::Mark { instrument: InstrumentId(index as u32), price: self.marks[index] };
            self.kernel.apply(&mark).unwrap();
        }
    }

    /// An account without money that pays five basis points more than the mark.
    fn next_bankrupt(&mut self) -> Command {
        self.bankrupt += 1;
        self.kernel.apply(&Command::Deposit { account: self.bankrupt, asset: ASSET, amount: 1 }).unwrap();
        let quantity = 1 + self.dice.below(97) as i64;
        fill(self.bankrupt, CLAIMED, Side::Buy, quantity, self.marks[0] + self.marks[0] / 2_000)
    }

    /// For whom a claim took out, or made smaller, another comes who began alike: the side stays as it was.
    fn replace_deleveraged(&mut self) {
        let gone: Vec<u64> = deleveraged(self.kernel.events()).map(|(counter, _)| counter).collect();
        assert!(!gone.is_empty(), "nobody was deleveraged");
        for account in gone {
            let template = match account.checked_sub(holders() + 1) {
                Some(newcomer) => self.newcomers[newcomer as usize],
                None => account,
            };
            self.newcomers.push(template);
            self.open(holders() + self.newcomers.len() as u64, template);
        }
    }

    /// So many claims, each after a step of the marks; what the claims took, and all of it.
    fn claims(&mut self, claims: u64) -> (Duration, Duration) {
        let (mut claiming, mut all) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..claims {
            let stepping = Instant::now();
            self.step();
            all += stepping.elapsed();
            let claim = self.next_bankrupt();
            let begun = Instant::now();
            self.kernel.apply(&claim).unwrap();
            claiming += begun.elapsed();
            self.replace_deleveraged();
        }
        (claiming, all + claiming)
    }

    /// The same, each beside a full ranking as of the moment before it: what the rankings took, and how many trades agreed.
    fn compared(&mut self, claims: u64) -> (Duration, Duration, usize) {
        let (mut ranking, mut claiming, mut trades) = (Duration::ZERO, Duration::ZERO, 0);
        for _ in 0..claims {
            self.step();
            let claim = self.next_bankrupt();
            let begun = Instant::now();
            let ranked = self.kernel.overview().adl_queue(CLAIMED, false);
            ranking += begun.elapsed();
            let begun = Instant::now();
            self.kernel.apply(&claim).unwrap();
            claiming += begun.elapsed();
            for (counter, rank) in deleveraged(self.kernel.events()) {
                assert_eq!(ranked[rank as usize - 1].account, counter, "the index chose somebody else");
                trades += 1;
            }
            self.replace_deleveraged();
        }
        (ranking, claiming, trades)
    }

    /// Longs of so many accounts that a fall of `depth_ppm` of the mark bankrupts.
    fn open_longs(&mut self, count: u64, depth_ppm: i64) {
        for _ in 0..count {
            self.bankrupt += 1;
            let (account, quantity) = (self.bankrupt, 1 + self.dice.below(97) as i64);
            let price = self.marks[0];
            // Nearly all of the fall, and more than the maintenance margin.
            let amount = quantity * (price * depth_ppm / 1_000_000) * 100 * 95 / 100;
            self.kernel.apply(&Command::Deposit { account, asset: ASSET, amount }).unwrap();
            self.kernel.apply(&fill(account, CLAIMED, Side::Buy, quantity, price)).unwrap();
        }
    }

    /// A fall of the mark: how long it took, how many pools were claimed from the shorts, and in how many trades.
    fn fall(&mut self, depth_ppm: i64) -> (Duration, usize, usize) {
        self.marks[0] -= self.marks[0] * depth_ppm / 1_000_000;
        let mark = Command::Mark { instrument: CLAIMED, price: self.marks[0] };
        let begun = Instant::now();
        self.kernel.apply(&mark).unwrap();
        let took = begun.elapsed();
        let events = self.kernel.events();
        let claims = events.iter().filter(|event| matches!(event, Event::AdlReport { .. })).count();
        (took, claims, deleveraged(events).count())
    }
}

fn deleveraged(events: &[Event]) -> impl Iterator<Item = (u64, u32)> + '_ {
    events.iter().filter_map(|event| match event {
        Event::Deleveraged { counter, rank, .. } => Some((*counter, *rank)),
        _ => None,
    })
}

fn shown(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    format!("{:.1} ({:.1}–{:.1})", values[values.len() / 2], values[0], values[values.len() - 1])
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut world = World::new();
    println!("{} shorts in the claimed instrument, {} positions", holders(), world.kernel.positions());
    let (first, _) = world.claims(1);
    println!("the first claim, which builds the index: {:.1} ms", first.as_secs_f64() * 1e3);
    let _ = world.claims(CLAIMS);

    let per_claim = |took: Duration, claims: u64| took.as_nanos() as f64 / claims as f64 / 1e3;
    let (mut by_index, mut with_marks, mut by_ranking, mut trades) = (vec![], vec![], vec![], 0);
    for _ in 0..ROUNDS {
        let (claiming, all) = world.claims(CLAIMS);
        by_index.push(per_claim(claiming, CLAIMS));
        with_marks.push(per_claim(all, CLAIMS));
        let (ranking, _, equal) = world.compared(CLAIMS / 20);
        by_ranking.push(per_claim(ranking, CLAIMS / 20));
        trades += equal;
    }
    println!("{trades} trades compared with a full ranking: the same counterparties at the same ranks");
    println!("µs a claim, mean of {CLAIMS}, median of {ROUNDS} rounds (least–most)");
    println!("  by the index        {}", shown(by_index));
    println!("  with four marks     {}", shown(with_marks));
    println!("  by a full ranking   {}", shown(by_ranking));

    for count in [300, 300, 300, 300, 300] {
        world.open_longs(count, 5_000);
        let (took, claims, trades) = world.fall(5_000);
        let (us, each) = (took.as_secs_f64() * 1e6, took.as_secs_f64() * 1e6 / claims as f64);
        println!("a fall of 0.5 %: {us:.0} µs, {claims} pools claimed in {trades} trades: {each:.1} µs each");
    }

    let mut group = criterion.benchmark_group("claim");
    group.sample_size(10);
    group.bench_function("index", |bencher| bencher.iter_custom(|claims| world.claims(claims).0));
    group.finish();
    criterion.final_summary();
}
