//! What does it cost to hand something to another thread and get an answer? And what from a tick to its order?
//!
//! Round trips between two pinned threads, each stamped on its own: over two bare atomics, which is what the machine
//! gives at best, and over the ring there (`broadcast`) and back (`queue`). Everything is measured in turn in each round,
//! so that the machine's moods meet all alike; the ratio is to the bare exchange of the same round that waits in the same
//! way, in the median of the rounds.
//!
//! Tick to order: an [`Engine`] of one worker, with sequencer and arbiter on the thread that submits, over 20 000 accounts
//! with an isolated position each, in pairs of a long and a short. The longs' margins differ so that the mark passes their
//! liquidation prices one by one: each measured tick puts one pool in breach, which is checked. The clock runs from just
//! before `submit` until `poll` gives the order to the venue. Then the order is filled, a few calm ticks go by, and all
//! is settled before the next. A round trip is two hops, so the ratio to the bare one says how much longer than two hops
//! the way through the engine is. The same ticks inline, by `Kernel::apply` on one thread, say how much of that is the
//! kernel's own work.
//!
//! The row `clock` is what a measurement measures if nothing is done: it is in every row but the calm ones, whose clock
//! runs over many ticks. No figure is corrected for it.
//!
//! `TERRACE_BENCH_ROUNDS` and `TERRACE_BENCH_TRIPS` set other numbers of rounds and of trips in each; for every 50 trips
//! there is one tick with an order. `TERRACE_BENCH_RING` sets another size of the engine's ring.

use core_affinity::CoreId;
use crossbeam::utils::CachePadded;
use hdrhistogram::Histogram;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use terrace::command::{Fill, MarginMode, Side};
use terrace::contract::Unit;
use terrace::decimal::Grid;
use terrace::engine::{Engine, EngineSettings, Layout, Pinning, VenueMessage};
use terrace::market::{AssetId, FundId, InstrumentId, InstrumentSpec};
use terrace::ring_parts::{Bell, broadcast, queue};
use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::venue::{VenueMode, VenueRequest};
use terrace::{Capacity, Command, Event, Kernel, OrderOwner, Settings, Strategy, Wait};

/// Trips before the clock starts.
const WARM_UP: u64 = 20_000;

/// Slots of rings that stay in the first cache, and of rings of an engine's size.
const FEW: usize = 64;
const MANY: usize = 1 << 12;

/// Longer than any trip that is worth telling apart.
const LONGEST_NS: u64 = 1_000_000_000;

/// Where the two threads run.
#[derive(Clone, Copy)]
struct Cores {
    near: CoreId,
    far: CoreId,
}

impl Cores {
    fn two() -> Option<Self> {
        match core_affinity::get_core_ids()?[..] {
            [near, far, ..] => Some(Self { near, far }),
            _ => None,
        }
    }
}

fn pin(core: CoreId) {
    assert!(core_affinity::set_for_current(core), "this thread cannot be pinned to core {}", core.id);
}

/// Runs `far` beside the trips of `near`, `trips` of them after the warm-up, and records how long each took. The end of a
/// trip is the beginning of the next, so that one stamp does for both.
fn race(cores: Cores, trips: u64, times: &mut Histogram<u64>, far: impl FnOnce(u64) + Send, mut near: impl FnMut(u64)) {
    let all = WARM_UP + trips;
    thread::scope(|scope| {
        scope.spawn(move || {
            pin(cores.far);
            far(all);
        });
        pin(cores.near);
        (0..WARM_UP).for_each(&mut near);
        let mut before = Instant::now();
        for trip in WARM_UP..all {
            near(trip);
            let now = Instant::now();
            times.saturating_record((now - before).as_nanos() as u64);
            before = now;
        }
    });
}

/// Two counters, each on its own cache line: the least that two threads can exchange.
fn bare(cores: Cores, wait: Wait, trips: u64, times: &mut Histogram<u64>) {
    let (there, back) = (CachePadded::new(AtomicU64::new(0)), CachePadded::new(AtomicU64::new(0)));
    // Nobody rings: this is for those who do not sleep.
    let (near_bell, far_bell) = (Bell::new(wait), Bell::new(wait));
    let far = |all| {
        for trip in 0..all {
            far_bell.wait(|| there.load(Ordering::Acquire) == trip + 1);
            back.store(trip + 1, Ordering::Release);
        }
    };
    race(cores, trips, times, far, |trip| {
        there.store(trip + 1, Ordering::Release);
        near_bell.wait(|| back.load(Ordering::Acquire) == trip + 1);
    });
}

/// Something of so many words of four bytes.
#[derive(Clone, Copy)]
struct Item<const WORDS: usize>([u32; WORDS]);

impl<const WORDS: usize> Item<WORDS> {
    fn of(trip: u64) -> Self {
        Self([trip as u32; WORDS])
    }

    /// Every word is looked at: a reader that reads but the first line would look too good.
    fn check(&self, trip: u64) {
        assert!(self.0.iter().all(|&word| word == trip as u32), "an item arrived torn or out of turn");
    }
}

/// There by broadcast, back by queue.
fn ring<const WORDS: usize, const SLOTS: usize>(cores: Cores, wait: Wait, trips: u64, times: &mut Histogram<u64>) {
    let (mut writer, mut readers) = broadcast::<Item<WORDS>>(SLOTS, 1);
    let (mut sender, mut receiver) = queue::<Item<WORDS>>(SLOTS);
    let mut reader = readers.remove(0);
    let (near_bell, far_bell) = (Bell::new(wait), Bell::new(wait));
    let (to_near, to_far) = (near_bell.clone(), far_bell.clone());
    let far = move |all| {
        for trip in 0..all {
            far_bell.wait(|| reader.peek().is_some());
            let item = *reader.peek().expect("waited for");
            reader.advance();
            item.check(trip);
            assert!(sender.try_push(item).is_ok(), "there is room for one");
            to_near.ring();
            reader.release();
        }
    };
    race(cores, trips, times, far, |trip| {
        assert!(writer.try_publish(Item::of(trip)).is_ok(), "there is room for one");
        to_far.ring();
        near_bell.wait(|| receiver.peek().is_some());
        receiver.pop().expect("waited for").check(trip);
    });
}

/// Back at once: what the clock itself costs.
fn clock(cores: Cores, _: Wait, trips: u64, times: &mut Histogram<u64>) {
    pin(cores.near);
    for _ in 0..trips {
        let before = Instant::now();
        times.saturating_record(before.elapsed().as_nanos() as u64);
    }
}

const ASSET: AssetId = AssetId(0);
const INSTRUMENT: InstrumentId = InstrumentId(0);

/// A long and a short each.
const PAIRS: u64 = 10_000;

/// The mark before the fall.
const START: i64 = 1_000_000;

/// Quanta for a lot and a tick.
const UNIT: i64 = 1_000;

/// Of every position.
const LOTS: i64 = 10;

/// Ticks of price between the liquidation prices of two longs.
const RUNG: i64 = 8;

const LEVERAGE: u32 = 100;

/// The maintenance margin, per thousand of the value.
const MMR: i64 = 4;

/// Trips for each tick with an order.
const TRIPS_TO_AN_ORDER: u64 = 50;

/// Ticks with an order before the clock starts.
const FIRST_ORDERS: u64 = 1_000;

/// Ticks that cross nothing after each order.
const CALM: i64 = 8;

/// Ticks that cross nothing and are timed together.
const CALM_BATCH: u64 = 64;

/// A mark that puts the long of one pair in breach, and of no later one.
fn rung(pair: u64) -> i64 {
    let first = START * (1_000 - 1_000 / i64::from(LEVERAGE)) / (1_000 - MMR);
    first - pair as i64 * RUNG - RUNG / 2
}

fn ladder() -> Kernel {
    let accounts = 2 * PAIRS as usize;
    let capacity = Capacity { accounts, positions: accounts, orders: 0 };
    let mut kernel = Kernel::new(Settings { shards: 1, strategy: Strategy::Bands, capacity });
    kernel.declare_asset(None, "USDT", 8).expect("a new name");
    let only = TierRow { cap: 1 << 60, mmr_ppb: MMR as u64 * 1_000_000, max_leverage: LEVERAGE * 100, deduction: None };
    let spec = InstrumentSpec::new(
        "C",
        ASSET,
        FundId(0),
        (Grid::decimals(1), Grid::decimals(3)),
        Unit::Linear(UNIT),
        TierTable::new(TierRule::Marginal, &[only]).expect("one row"),
    );
    kernel.declare_instrument(None, spec).expect("a new symbol");
    kernel.set_venue(None, VenueMode::Manual).expect("no order is out");
    let mut apply =
        |command: Command| kernel.apply(&command).unwrap_or_else(|refusal| panic!("{command:?}: {refusal}"));
    let instrument = INSTRUMENT;
    apply(Command::Mark { instrument, price: START });
    for pair in 0..PAIRS {
        let (account, short) = (pair * 2, pair * 2 + 1);
        for account in [account, short] {
            apply(Command::Deposit { account, asset: ASSET, amount: START * UNIT * LOTS });
            apply(Command::MarginMode { account, instrument, mode: MarginMode::Isolated });
            let leverage = if account == short { 100 } else { LEVERAGE * 100 };
            apply(Command::Leverage { account, instrument, leverage });
        }
        apply(Command::Fill(Fill {
            account,
            counterparty: Some(short),
            order: None,
            counter_order: None,
            instrument,
            side: Side::Buy,
            quantity: LOTS,
            price: START,
            liquidity: None,
            position_side: None,
            counter_position_side: None,
        }));
        let amount = pair as i64 * RUNG * UNIT * LOTS * (1_000 - MMR) / 1_000;
        if amount > 0 {
            apply(Command::IsolatedMargin { account, instrument, amount, position_side: None });
        }
    }
    kernel
}

fn start(cores: Cores, wait: Wait) -> Engine {
    let pinning = Pinning::Cores(vec![cores.near.id, cores.far.id]);
    let layout = Layout { workers: Some(1), apart: Some(false), wait: Some(wait), pinning };
    let mut settings = EngineSettings { layout, ..EngineSettings::default() };
    settings.ring = setting("TERRACE_BENCH_RING", settings.ring as u64) as usize;
    Engine::start(ladder(), &settings).expect("the engine starts")
}

fn mark(price: i64) -> Command {
    Command::Mark { instrument: INSTRUMENT, price }
}

/// The answer to the order that the long of a pair must have led to.
fn filled(pair: u64, price: i64, message: &VenueMessage) -> Command {
    let VenueRequest::Order { order, instrument, quantity, .. } = message.request else { panic!("not an order") };
    assert_eq!((order.owner, quantity), (OrderOwner::Account(pair * 2), LOTS), "the wrong pool was in breach");
    Command::LiquidationFill { order, instrument, quantity, price }
}

fn submit(engine: &mut Engine, command: &Command) {
    if let Err(error) = engine.submit(command) {
        panic!("{command:?}: {error}, {:?}", engine.failure());
    }
}

/// Everything is done, and led to no further order.
fn settle(engine: &mut Engine) {
    engine.settle().expect("the engine runs");
    engine.poll(|message| panic!("an order too many: {message:?}"), |_| {});
}

/// From before `submit` of the mark until the order is received.
fn tick_to_order(cores: Cores, wait: Wait, trips: u64, times: &mut Histogram<u64>) {
    let mut engine = start(cores, wait);
    let bell = Bell::new(wait);
    let orders = FIRST_ORDERS + trips / TRIPS_TO_AN_ORDER;
    assert!(orders <= PAIRS, "there are but {PAIRS} longs: fewer trips, please");
    for pair in 0..orders {
        let took = cross(&mut engine, &bell, pair);
        if pair >= FIRST_ORDERS {
            times.saturating_record(took.as_nanos() as u64);
        }
    }
}

/// The mark that puts the long of a pair in breach, its order, the fill of that, and some ticks that cross nothing; how long
/// until the order was received.
fn cross(engine: &mut Engine, bell: &Bell, pair: u64) -> Duration {
    let (price, mut received) = (rung(pair), None);
    let tick = mark(price);
    let before = Instant::now();
    submit(engine, &tick);
    bell.wait(|| {
        engine.poll(|&message| received = Some((Instant::now(), message)), |_| {});
        received.is_some()
    });
    let (after, message) = received.expect("waited for");
    submit(engine, &filled(pair, price, &message));
    settle(engine);
    for calm in 0..CALM {
        submit(engine, &mark(price + calm % 2));
    }
    settle(engine);
    after - before
}

/// Orders after which the steady state is said to begin, and to end.
const STEADY: [u64; 2] = [1_000, 3_000];

/// For `scripts/syscalls`: what comes between the two lines is ticks, orders, fills and decisions, on all threads.
fn steady(cores: Cores) {
    let mut engine = start(cores, Wait::Spin);
    let bell = Bell::new(Wait::Spin);
    for pair in 0..STEADY[1] {
        if pair == STEADY[0] {
            eprintln!("the steady state begins");
        }
        cross(&mut engine, &bell, pair);
    }
    eprintln!("the steady state ends");
}

/// The same on one thread: no hop.
fn inline(cores: Cores, _: Wait, trips: u64, times: &mut Histogram<u64>) {
    pin(cores.near);
    let mut kernel = ladder();
    for pair in 0..FIRST_ORDERS + trips / TRIPS_TO_AN_ORDER {
        let price = rung(pair);
        let tick = mark(price);
        let before = Instant::now();
        kernel.apply(&tick).expect("a mark");
        let took = before.elapsed();
        if pair >= FIRST_ORDERS {
            times.saturating_record(took.as_nanos() as u64);
        }
        let order = kernel.events().iter().find_map(|event| match *event {
            Event::LiquidationOrder { nth, .. } => Some(nth),
            _ => None,
        });
        let nth = order.expect("one pool was in breach");
        let order = terrace::OrderName { owner: OrderOwner::Account(pair * 2), nth };
        let fill = Command::LiquidationFill { order, instrument: INSTRUMENT, quantity: LOTS, price };
        kernel.apply(&fill).expect("the order is out");
        for calm in 0..CALM {
            kernel.apply(&mark(price + calm % 2)).expect("a mark");
        }
    }
}

/// Ticks that cross nothing, many to a measurement: what they cost the caller each, in `submit` alone or with the polls
/// and the arbiter's part until all is settled.
fn calm(cores: Cores, wait: Wait, trips: u64, times: &mut Histogram<u64>, with_polls: bool) {
    let mut engine = start(cores, wait);
    let batches = trips / CALM_BATCH;
    for batch in 0..batches + batches / 10 {
        let before = Instant::now();
        for tick in 0..CALM_BATCH {
            submit(&mut engine, &mark(START - (tick % 2) as i64));
        }
        let submitted = before.elapsed();
        settle(&mut engine);
        let took: Duration = if with_polls { before.elapsed() } else { submitted };
        if batch >= batches / 10 {
            times.saturating_record(took.as_nanos() as u64 / CALM_BATCH);
        }
    }
}

fn calm_submit(cores: Cores, wait: Wait, trips: u64, times: &mut Histogram<u64>) {
    calm(cores, wait, trips, times, false);
}

fn calm_settled(cores: Cores, wait: Wait, trips: u64, times: &mut Histogram<u64>) {
    calm(cores, wait, trips, times, true);
}

type Course = fn(Cores, Wait, u64, &mut Histogram<u64>);

const COURSES: [(&str, Course); 11] = [
    ("bare", bare),
    ("48 bytes, 64 slots", ring::<12, FEW>),
    ("64 bytes, 64 slots", ring::<16, FEW>),
    ("100 bytes, 64 slots", ring::<25, FEW>),
    ("64 bytes, 4096 slots", ring::<16, MANY>),
    ("100 bytes, 4096 slots", ring::<25, MANY>),
    ("tick to order", tick_to_order),
    ("  the same inline", inline),
    ("calm tick: submit", calm_submit),
    ("  until settled", calm_settled),
    ("clock", clock),
];

const WAITS: [Wait; 2] = [Wait::Spin, Wait::Yield];

struct Contestant {
    name: &'static str,
    course: Course,
    wait: Wait,
    times: Histogram<u64>,
    /// The median of each round.
    medians: Vec<u64>,
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("bounds in order")
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

fn main() {
    let Some(cores) = Cores::two() else {
        eprintln!("hops: two cores are needed");
        std::process::exit(1);
    };
    if std::env::args().any(|argument| argument == "steady") {
        return steady(cores);
    }
    let rounds = setting("TERRACE_BENCH_ROUNDS", 9);
    let trips = setting("TERRACE_BENCH_TRIPS", 200_000);
    let mut contestants: Vec<_> = WAITS
        .into_iter()
        .flat_map(|wait| {
            COURSES.map(|(name, course)| Contestant { name, course, wait, times: histogram(), medians: Vec::new() })
        })
        .collect();
    for _ in 0..rounds {
        for contestant in &mut contestants {
            let mut times = histogram();
            let Contestant { course, wait, .. } = *contestant;
            // On a thread of its own: who is pinned sees but one core, and an engine must see two.
            thread::scope(|scope| {
                scope.spawn(|| course(cores, wait, trips, &mut times));
            });
            contestant.medians.push(times.value_at_quantile(0.5));
            contestant.times.add(&times).expect("the same bounds");
        }
    }
    println!(
        "ns; round trips between cores {} and {}, {rounds} rounds of {trips}; calm: for each tick",
        cores.near.id, cores.far.id
    );
    println!(
        "{:<7}{:<22}{:>8}{:>9}{:>17}{:>11}  of rounds",
        "wait", "course", "p50 ns", "p99 ns", "p50 of rounds", "to bare"
    );
    let mut bare_medians = &Vec::new();
    for Contestant { name, wait, times, medians, .. } in &contestants {
        if *name == "bare" {
            bare_medians = medians;
        }
        let mut ratios: Vec<f64> =
            medians.iter().zip(bare_medians).map(|(&mine, &bare)| mine as f64 / bare as f64).collect();
        ratios.sort_by(f64::total_cmp);
        let (least, most) = (medians.iter().min().unwrap_or(&0), medians.iter().max().unwrap_or(&0));
        println!(
            "{wait:<7}{name:<22}{:>8}{:>9}{:>17}{:>11.2}  {:.2}–{:.2}",
            times.value_at_quantile(0.5),
            times.value_at_quantile(0.99),
            format!("{least}–{most}"),
            ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN),
            ratios.first().copied().unwrap_or(f64::NAN),
            ratios.last().copied().unwrap_or(f64::NAN)
        );
    }
}
