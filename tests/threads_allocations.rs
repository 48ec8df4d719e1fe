//! On threads too nothing is allocated, in any thread, from a tick to its orders and through the decisions that follow;
//! and who waits by spinning or yielding never goes to sleep.

#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout as Memory, System};
use std::backtrace::Backtrace;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use terrace::command::{Fill, MarginMode, Side};
use terrace::contract::Unit;
use terrace::decimal::Grid;
use terrace::engine::{Engine, EngineSettings, Layout, Output, Pinning, SubmitError, VenueMessage};
use terrace::market::{AssetId, FundId, FundSpec, InstrumentId, InstrumentSpec};
use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::venue::{VenueMode, VenueRequest};
use terrace::{Capacity, Command, Event, Kernel, OrderOwner, Settings, Strategy, Wait};

/// Counts what any thread allocates while it is asked to.
struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// So many allocations are told with where they were made, on the way to an assertion that fails.
/// Wide enough for all marks to pass: looking at them allocates nothing.
const AIRLOCK: terrace::controls::AirlockRule = terrace::controls::AirlockRule {
    max_jump_ppb: Some(900_000_000),
    preview_jump_ppb: None,
    max_liquidation: None,
    timeout_ns: Some(1_000),
};

const SHOWN: u64 = 3;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: usize) {
    if COUNTS.load(Ordering::Relaxed) && ALLOCATIONS.fetch_add(1, Ordering::Relaxed) < SHOWN {
        COUNTS.store(false, Ordering::Relaxed); // telling allocates
        eprintln!("{bytes} bytes in {:?}:\n{}", std::thread::current().name(), Backtrace::force_capture());
        COUNTS.store(true, Ordering::Relaxed);
    }
}

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Memory) -> *mut u8 {
        count(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Memory) -> *mut u8 {
        count(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Memory, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as the caller promised.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Memory) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(old, layout) }
    }
}

const ACCOUNTS: u64 = 2_000;
const START: i64 = 100_000;
const INSTRUMENT: InstrumentId = InstrumentId(0);
const ASSET: AssetId = AssetId(0);
const FUND: i64 = 1 << 52;

/// What the longs put in: less with the account's number, so that they fall one after the other.
fn margin(account: u64) -> i64 {
    20_000_000 + account as i64 * 40_000
}

/// Accounts in pairs, long against short, the longs with little money and the shorts with much; every third is isolated.
/// Below its floor a fund takes nothing over: what no order closes is deleveraged.
fn kernel(shards: u32, floor: i128) -> Kernel {
    let accounts = ACCOUNTS as usize;
    let capacity = Capacity { accounts, positions: accounts, orders: 16 };
    let mut kernel = Kernel::new(Settings { shards, strategy: Strategy::Bands, capacity });
    kernel.declare_asset(None, "USDT", 8).unwrap();
    let fund = FundSpec { floor, ..FundSpec::new("USDT".to_owned(), ASSET) };
    kernel.declare_fund(None, fund).unwrap();
    let row = |cap: i128, mmr_ppb, max_leverage| TierRow { cap, mmr_ppb, max_leverage, deduction: None };
    let rows = [row(5_000_000_000, 4_000_000, 12_500), row(500_000_000_000, 10_000_000, 5_000)];
    let spec = InstrumentSpec {
        liquidation_fee_ppb: 12_500_000,
        controls: terrace::controls::Controls { airlock: Some(AIRLOCK), ..Default::default() },
        ..InstrumentSpec::new(
            "BTCUSDT",
            ASSET,
            FundId(0),
            (Grid::decimals(1), Grid::decimals(3)),
            Unit::Linear(10_000),
            TierTable::new(TierRule::Marginal, &rows).unwrap(),
        )
    };
    kernel.declare_instrument(None, spec).unwrap();
    kernel.apply(&Command::FundDeposit { fund: FundId(0), amount: FUND }).unwrap();
    for account in 1..=ACCOUNTS {
        let amount = if account % 2 == 0 { 1 << 50 } else { margin(account) };
        kernel.apply(&Command::Deposit { account, asset: ASSET, amount }).unwrap();
        if account % 3 == 0 {
            let mode = MarginMode::Isolated;
            kernel.apply(&Command::MarginMode { account, instrument: INSTRUMENT, mode }).unwrap();
        }
    }
    kernel.apply(&Command::Mark { instrument: INSTRUMENT, price: START }).unwrap();
    for account in (1..ACCOUNTS).step_by(2) {
        kernel.apply(&opening(account)).unwrap();
    }
    kernel.set_venue(None, VenueMode::Manual).unwrap();
    kernel
}

fn opening(account: u64) -> Command {
    Command::Fill(Fill {
        account,
        counterparty: Some(account + 1),
        order: None,
        counter_order: None,
        instrument: INSTRUMENT,
        side: Side::Buy,
        quantity: 1 + account as i64 % 9,
        price: START,
        liquidity: None,
        position_side: None,
        counter_position_side: None,
    })
}

/// What came of a stream.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    orders: u64,
    takeovers: u64,
    deleveraged: u64,
    ended: u64,
}

impl Told {
    fn note(&mut self, output: &Output) {
        let Output::Event { event, .. } = output else { return };
        match event {
            Event::Takeover { .. } => self.takeovers += 1,
            Event::Deleveraged { .. } => self.deleveraged += 1,
            Event::LiquidationEnded { .. } => self.ended += 1,
            _ => {}
        }
    }
}

/// An engine beside a venue that fills a third of the orders, a third by half, and lets the rest expire.
struct Stream {
    engine: Engine,
    answers: VecDeque<Command>,
    told: Told,
}

impl Stream {
    fn start(layout: &Layout, floor: i128) -> Self {
        // Room for a crash that is told in one piece, however late this thread is.
        let settings = EngineSettings { layout: layout.clone(), queue: 1 << 15, ..EngineSettings::default() };
        let kernel = kernel(layout.workers.expect("the test says how many"), floor);
        let engine = Engine::start(kernel, &settings).expect("the engine starts");
        Self { engine, answers: VecDeque::with_capacity(1 << 14), told: Told::default() }
    }

    fn poll(&mut self) {
        let Self { engine, answers, told } = self;
        let mut asked = 0;
        engine.poll(
            |message: &VenueMessage| {
                asked += 1;
                let VenueRequest::Order { order, instrument, quantity, limit, .. } = message.request else { return };
                let lots = match order.owner {
                    OrderOwner::Account(account) if account / 2 % 3 == 0 => quantity,
                    OrderOwner::Account(account) if account / 2 % 3 == 1 => quantity / 2,
                    _ => 0,
                };
                if lots > 0 {
                    answers.push_back(Command::LiquidationFill { order, instrument, quantity: lots, price: limit });
                }
                answers.push_back(Command::LiquidationExpire { order }); // refused after a whole fill
            },
            |output| told.note(output),
        );
        self.told.orders += asked;
    }

    fn submit(&mut self, command: &Command) {
        loop {
            match self.engine.submit(command) {
                Ok(_) | Err(SubmitError::Refused(_)) => return,
                Err(SubmitError::Full) => self.poll(),
                Err(SubmitError::Stopped) => panic!("{:?}", self.engine.failure()),
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Until nobody has anything to say any more.
    fn settle(&mut self) {
        loop {
            self.engine.settle().expect("the engine runs");
            self.poll();
            if self.answers.is_empty() {
                return;
            }
            self.answer();
        }
    }

    fn answer(&mut self) {
        while let Some(answer) = self.answers.pop_front() {
            self.submit(&answer);
        }
    }

    /// A fall in small steps, and back.
    fn crash(&mut self) -> Told {
        let before = std::mem::take(&mut self.told);
        for step in 0..600 {
            let price = START - if step < 300 { step * 80 } else { (600 - step) * 80 };
            self.submit(&Command::Mark { instrument: INSTRUMENT, price });
            self.poll();
            self.answer();
        }
        self.settle();
        std::mem::replace(&mut self.told, before)
    }

    /// All longs are as they were.
    fn reopen(&mut self) {
        self.submit(&Command::Mark { instrument: INSTRUMENT, price: START });
        self.settle();
        for account in 1..=ACCOUNTS {
            let held = self.engine.ask(move |overview| overview.account(account)).unwrap().unwrap();
            let open: i64 = held.positions.iter().map(|position| position.position.quantity).sum();
            if open != 0 {
                let side = Side::closing(open);
                let fill = Fill { account, side, counterparty: None, quantity: open.abs(), ..fill_of(opening(1)) };
                self.submit(&Command::Fill(fill));
            }
        }
        self.settle();
        for account in (1..ACCOUNTS).step_by(2) {
            self.submit(&Command::Deposit { account, asset: ASSET, amount: margin(account) });
            self.submit(&opening(account));
        }
        self.settle();
    }
}

fn fill_of(command: Command) -> Fill {
    let Command::Fill(fill) = command else { panic!("a fill") };
    fill
}

fn layout(workers: u32, apart: bool, wait: Wait) -> Layout {
    Layout { workers: Some(workers), apart: Some(apart), wait: Some(wait), pinning: Pinning::Off }
}

/// One test, so that nothing else allocates beside it.
#[test]
fn nothing_is_allocated_and_no_spinner_sleeps() {
    use Wait::{Park, Yield};
    for (workers, apart, wait) in
        [(1, false, Yield), (1, false, Park), (2, false, Yield), (1, true, Yield), (2, true, Yield)]
    {
        for floor in [0, i128::from(FUND) * 2] {
            let mut stream = Stream::start(&layout(workers, apart, wait), floor);
            stream.crash(); // the warm-up
            stream.reopen();
            ALLOCATIONS.store(0, Ordering::SeqCst);
            COUNTS.store(true, Ordering::SeqCst);
            let told = stream.crash();
            COUNTS.store(false, Ordering::SeqCst);
            let allocations = ALLOCATIONS.load(Ordering::SeqCst);
            println!("{workers} workers, apart {apart}, {wait}, floor {floor}: {told:?}, {allocations} allocations");
            assert!(told.orders > 100, "too few orders to show anything");
            let taken = if floor == 0 { told.takeovers } else { told.deleveraged };
            assert!(taken > 0, "too few decisions to show anything"); // how many is a matter of time
            assert_eq!(allocations, 0);
            assert_eq!(stream.engine.stop().failure, None);
        }
    }
    #[cfg(target_os = "linux")]
    switches::check();
}

/// Whether a worker sleeps between ticks, as the system counts it: a switch is voluntary if the thread blocked, as every
/// wait on a futex does. A thread that spins is only ever preempted, and one that yields stays ready to run.
#[cfg(target_os = "linux")]
mod switches {
    use super::{Command, INSTRUMENT, START, Stream, Wait, layout};
    use std::time::Duration;

    const TICKS: i64 = 300;

    /// The times that the first worker of this process has blocked.
    fn voluntary() -> u64 {
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).expect("the system tells it");
            line.split_once(':').expect("name and value").1.trim().to_owned()
        };
        let tasks = std::fs::read_dir("/proc/self/task").expect("the system lists threads");
        tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok())
            .find(|status| field(status, "Name") == "worker 0")
            .map(|status| field(&status, "voluntary_ctxt_switches").parse().expect("a number"))
            .expect("there is a worker")
    }

    /// Ticks with pauses between them; the least of three goes, since a page fault can block too.
    fn during_ticks(wait: Wait) -> u64 {
        let mut stream = Stream::start(&layout(1, false, wait), 0);
        let mut least = u64::MAX;
        for _ in 0..3 {
            stream.settle();
            let before = voluntary();
            for tick in 0..TICKS {
                stream.submit(&Command::Mark { instrument: INSTRUMENT, price: START + tick % 2 });
                std::thread::sleep(Duration::from_micros(200));
                stream.poll();
            }
            stream.settle();
            least = least.min(voluntary() - before);
        }
        assert_eq!(stream.engine.stop().failure, None);
        least
    }

    pub(super) fn check() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        for wait in Wait::ALL {
            if wait == Wait::Spin && cores < 2 {
                println!("a spinning worker: left out on one core");
                continue;
            }
            let slept = during_ticks(wait);
            println!("waiting by {wait}: the worker slept {slept} times in {TICKS} ticks");
            if wait == Wait::Park {
                assert!(slept as i64 > TICKS / 10, "the counter does not see sleep");
            } else {
                assert_eq!(slept, 0, "{wait}");
            }
        }
    }
}
