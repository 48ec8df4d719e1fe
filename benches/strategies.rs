//! What does a tick cost at a million accounts: by bands, and by a scan of the holders?
//!
//! 1 000 000 cross accounts with 3 positions each, in 10 instruments; leverage from 1 to 125 by the table below, and of
//! what it asks for each account has put in 1 to 2 times as much; marks step by about one basis point. That both say
//! the same is checked first, with leaps that liquidate. `TERRACE_BENCH_ACCOUNTS` sets another number of accounts.

use criterion::{Criterion, Throughput};
use std::hint::black_box;
use std::time::{Duration, Instant};
use terrace::command::{Command, Fill, Side};
use terrace::contract::Unit;
use terrace::decimal::Grid;
use terrace::event::Event;
use terrace::market::{AssetId, FundId, InstrumentId, InstrumentSpec};
use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::{Capacity, Kernel, Settings, Strategy};

const INSTRUMENTS: u64 = 10;
const POSITIONS: u64 = 3;
const START: i64 = 1_000_000;
const ASSET: AssetId = AssetId(0);

/// Ticks in which both strategies must say the same before they are timed.
const COMPARED: usize = 60;

/// One in so many of the compared ticks is a leap that liquidates.
const LEAP: usize = 20;

/// Leverage, and how many in a hundred accounts have it.
const LEVERAGES: [(i64, u64); 11] =
    [(1, 6), (2, 9), (3, 10), (5, 17), (10, 24), (20, 16), (25, 6), (50, 6), (75, 3), (100, 2), (125, 1)];

/// The leverage of the pair with this number.
fn leverage(pair: u64) -> i64 {
    let mut percentile = pair.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 100;
    for (leverage, share) in LEVERAGES {
        if percentile < share {
            return leverage;
        }
        percentile -= share;
    }
    1
}

fn accounts() -> u64 {
    std::env::var("TERRACE_BENCH_ACCOUNTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000)
}

fn spec(index: u64) -> InstrumentSpec {
    let row = |cap: i128, mmr_ppb, max_leverage| TierRow { cap, mmr_ppb, max_leverage, deduction: None };
    let rows = [row(1 << 42, 4_000_000, 12_500), row(1 << 45, 5_000_000, 10_000), row(1 << 60, 10_000_000, 5_000)];
    InstrumentSpec::new(
        &format!("C{index}"),
        ASSET,
        FundId(0),
        (Grid::decimals(1), Grid::decimals(3)),
        Unit::Linear(100),
        TierTable::new(TierRule::Marginal, &rows).unwrap(),
    )
}

/// Accounts in pairs, one long where the other is short, with money for their leverage.
fn build(strategy: Strategy) -> Kernel {
    let accounts = accounts();
    let capacity = Capacity { accounts: accounts as usize, positions: (accounts * POSITIONS) as usize, orders: 0 };
    let mut kernel = Kernel::new(Settings { shards: 1, strategy, capacity });
    kernel.declare_asset(None, "USDT", 8).unwrap();
    for index in 0..INSTRUMENTS {
        kernel.declare_instrument(None, spec(index)).unwrap();
        kernel.apply(&Command::Mark { instrument: InstrumentId(index as u32), price: START }).unwrap();
    }
    for pair in 0..accounts / 2 {
        let (account, counterparty) = (pair * 2 + 1, pair * 2 + 2);
        let quantity = 1 + (pair % 97) as i64;
        let margin = quantity * START * 100 * POSITIONS as i64 / leverage(pair);
        for (account, more) in [(account, pair % 1_009), (counterparty, pair % 1_013)] {
            let amount = margin + margin * more as i64 / 1_000;
            kernel.apply(&Command::Deposit { account, asset: ASSET, amount }).unwrap();
        }
        for position in 0..POSITIONS {
            let side = if (pair + position) % 3 == 0 { Side::Sell } else { Side::Buy };
            let fill = Fill {
                account,
                counterparty: Some(counterparty),
                order: None,
                counter_order: None,
                instrument: InstrumentId(((pair + position * 3) % INSTRUMENTS) as u32),
                side,
                quantity,
                price: START,
                liquidity: None,
                position_side: None,
                counter_position_side: None,
            };
            kernel.apply(&Command::Fill(fill)).unwrap();
        }
    }
    kernel
}

/// Rounds of the ratio.
const ROUNDS: usize = 9;

/// Marks that step by one basis point up or down, each instrument in turn.
#[derive(Clone)]
struct Walk {
    marks: Vec<i64>,
    state: u64,
    next: usize,
}

impl Walk {
    fn new() -> Self {
        Self { marks: vec![START; INSTRUMENTS as usize], state: 0x9E37_79B9_7F4A_7C15, next: 0 }
    }

    fn tick(&mut self) -> Command {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.next = (self.next + 1) % self.marks.len();
        let step = self.marks[self.next] / 10_000;
        self.step(if self.state >> 63 == 0 { step } else { -step })
    }

    /// A fall of 40 basis points: some of the most leveraged are liquidated.
    fn leap(&mut self) -> Command {
        self.next = (self.next + 1) % self.marks.len();
        self.step(-self.marks[self.next] / 250)
    }

    fn step(&mut self, by: i64) -> Command {
        self.marks[self.next] += by;
        Command::Mark { instrument: InstrumentId(self.next as u32), price: self.marks[self.next] }
    }
}

/// The same ticks to both: the same events.
fn compare(bands: &mut Kernel, scan: &mut Kernel, walk: &mut Walk) -> usize {
    let mut events = 0;
    for number in 1..=COMPARED {
        let tick = if number % LEAP == 0 { walk.leap() } else { walk.tick() };
        bands.apply(&tick).unwrap();
        scan.apply(&tick).unwrap();
        let (a, b): (&[Event], &[Event]) = (bands.events(), scan.events());
        assert_eq!(a, b, "the strategies disagree");
        events += a.len();
    }
    events
}

fn time(kernel: &mut Kernel, walk: &mut Walk, ticks: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..ticks {
        kernel.apply(black_box(&walk.tick())).unwrap();
    }
    start.elapsed()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let accounts = accounts();
    let (mut bands, mut scan) = (build(Strategy::Bands), build(Strategy::Dense));
    println!("{accounts} accounts, {} positions in each kernel", bands.positions());
    let mut walk = Walk::new();
    let events = compare(&mut bands, &mut scan, &mut walk);
    println!("{COMPARED} ticks compared: {events} events, the same from both");

    // The ratio, side by side: rounds of both in turn, so that a noisy neighbour hits both alike. Each walks on by itself:
    // a scan costs the same wherever the marks are, and one that followed the bands' path would have to leap.
    let mut walk_of_scan = walk.clone();
    let mut ratios: Vec<f64> = Vec::new();
    let (mut band_ns, mut scan_ns) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (many, few) = (20_000, 10);
        let by_bands = time(&mut bands, &mut walk, many).as_nanos() as f64 / many as f64;
        let by_scan = time(&mut scan, &mut walk_of_scan, few).as_nanos() as f64 / few as f64;
        ratios.push(by_scan / by_bands);
        band_ns.push(by_bands);
        scan_ns.push(by_scan);
    }
    for values in [&mut ratios, &mut band_ns, &mut scan_ns] {
        values.sort_by(f64::total_cmp);
    }
    let [ratios, band_ns, scan_ns] = [&ratios, &band_ns, &scan_ns]
        .map(|values| format!("{:.0} ({:.0}–{:.0})", values[ROUNDS / 2], values[0], values[ROUNDS - 1]));
    println!("ns a tick, median of {ROUNDS} rounds (least–most): bands {band_ns}, scan {scan_ns}");
    println!("bands are {ratios} times as fast as the scan");

    let mut group = criterion.benchmark_group("tick");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    group.bench_function("bands", |bencher| bencher.iter_custom(|ticks| time(&mut bands, &mut walk, ticks)));
    group.bench_function("scan", |bencher| bencher.iter_custom(|ticks| time(&mut scan, &mut walk_of_scan, ticks)));
    group.finish();
    criterion.final_summary();
}
