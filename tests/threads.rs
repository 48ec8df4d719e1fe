//! The threaded driver: in lockstep it says what the inline kernel says; in a stream its record, gone through inline, gives
//! the same log; and its ends, planned or not, lose nothing.

mod reference;
mod script;

use reference::Reference;
use script::{BUILT, Dice, Writer};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use terrace::contract::Unit;
use terrace::decimal::Grid;
use terrace::engine::{
    Divergence, Engine, EngineSettings, Entry, Failure, Finished, Layout, Output, Pinning, SubmitError, VenueMessage,
    replay,
};
use terrace::market::{AssetId, InstrumentId, InstrumentSpec, Market, Pacing, ReducePolicy};
use terrace::protocol::Session;
use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::venue::{VenueMode, VenueRequest, VenueRules};
use terrace::{
    Command, Declaration, Driver, Event, Input, Kernel, OffGrid, OrderName, OrderOwner, Overview, Refusal, RuleVersion,
    Settings, Strategy, Wait,
};

/// How many scripts each layout plays; `TERRACE_SCRIPTS` asks for more.
fn scripts() -> u64 {
    std::env::var("TERRACE_SCRIPTS").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

/// `TERRACE_SEED` asks for other scripts, as `scripts/soak` does.
fn seed() -> u64 {
    std::env::var("TERRACE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Every number of workers, both places of the arbiter, every way to wait; threads that spin have cores of their own.
fn layouts() -> Vec<Layout> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut layouts = Vec::new();
    for wait in Wait::ALL {
        for (workers, apart) in [(1, false), (2, false), (3, false), (1, true), (2, true)] {
            let threads = workers as usize + if apart { 2 } else { 1 };
            if wait == Wait::Spin && threads > cores {
                println!("{workers} workers spinning, apart {apart}: left out on {cores} cores");
                continue;
            }
            let pinning = Pinning::Off; // the test's threads go where there is room
            layouts.push(Layout { workers: Some(workers), apart: Some(apart), wait: Some(wait), pinning });
        }
    }
    layouts
}

/// One test at a time: spinning threads must not outnumber cores.
#[expect(clippy::disallowed_types, reason = "between the tests, not between an engine's threads")]
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn settings(layout: &Layout, ring: usize, queue: usize) -> EngineSettings {
    EngineSettings { layout: layout.clone(), ring, queue, record: true, ..EngineSettings::default() }
}

/// The rules that a script begins under.
fn rules(world: u64) -> RuleVersion {
    if world.is_multiple_of(2) { RuleVersion::NEWEST } else { RuleVersion::OLDEST }
}

fn kernel(layout: &Layout) -> Kernel {
    let shards = layout.workers.expect("the tests say how many");
    Kernel::new(Settings { shards, strategy: Strategy::Bands, ..Settings::default() })
}

fn start(rules: RuleVersion, layout: &Layout, ring: usize, queue: usize) -> Engine {
    Engine::start(kernel(layout).under(rules), &settings(layout, ring, queue)).expect("the engine starts")
}

/// A random script, as the reference leads it.
fn random_script(world: u64) -> Vec<String> {
    let mut dice = Dice(world ^ 0x5EED);
    let (mut writer, mut reference) = (Writer::new(world, BUILT), Reference::under(rules(world).number().into()));
    let mut lines = Vec::new();
    let choices = 20 + dice.below(100);
    while writer.prologue_left() > 0 {
        lines.push(writer.next(0, &reference));
        reference.line(lines.last().expect("just pushed"));
    }
    for _ in 0..choices {
        lines.push(writer.next(dice.roll(), &reference));
        reference.line(lines.last().expect("just pushed"));
        lines.extend(writer.questions());
    }
    lines
}

#[test]
fn in_lockstep_the_log_is_the_inline_kernels() {
    let _alone = alone();
    let mut lines_compared = 0u64;
    for (number, layout) in layouts().iter().enumerate() {
        for script in 0..scripts().div_ceil(4) {
            let world = (seed() << 32) + (number as u64) * 1_000 + script;
            // Small rings: every line meets one that is full.
            let mut threaded = Session::over(start(rules(world), layout, 2, 2));
            let mut inline = Session::over(Kernel::new(Settings::default()).under(rules(world)));
            for line in random_script(world) {
                let (mut expected, mut said) = (String::new(), String::new());
                let _ = inline.line(line.as_bytes(), &mut expected);
                let _ = threaded.line(line.as_bytes(), &mut said);
                assert_eq!(said, expected, "world {world}, {layout:?}, after {line}");
                lines_compared += 1;
            }
            let finished = threaded.into_kernel().stop();
            assert_eq!(finished.failure, None);
            check_record(world, &finished, &[], layout);
        }
    }
    println!("{lines_compared} lines");
}

/// A driver that does not wait: each input goes in, and the log is what comes out meanwhile.
struct Stream {
    engine: Engine,
    log: Vec<Output>,
    requests: Vec<VenueMessage>,
}

impl Stream {
    fn take(&mut self) {
        let Self { engine, log, requests } = self;
        engine.poll(|&message| requests.push(message), |&output| log.push(output));
    }

    fn until_taken(&mut self, mut submit: impl FnMut(&mut Engine) -> Result<u64, SubmitError>) -> Result<(), Refusal> {
        loop {
            match submit(&mut self.engine) {
                Ok(_) => return Ok(()),
                Err(SubmitError::Refused(refusal)) => return Err(refusal),
                Err(SubmitError::Full) => self.take(),
                Err(error) => panic!("{error}: {:?}", self.engine.failure()),
            }
        }
    }
}

impl Driver for Stream {
    fn market(&self) -> &Market {
        self.engine.market()
    }

    fn now_ns(&self) -> u64 {
        Driver::now_ns(&self.engine)
    }

    fn pass_time(&mut self, _: Option<u64>) {}

    fn events(&self) -> &[Event] {
        &[]
    }

    fn carry_out(&mut self, ts_ns: Option<u64>, input: &Input<'_>) -> Result<(), Refusal> {
        self.until_taken(|engine| engine.submit_input(ts_ns, input))
    }

    fn ask<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(Overview<'_>) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        self.engine.ask(question).map_err(|_| Refusal::Stopped)
    }
}

/// Stops, and gives all that was told, in order.
fn finish(mut stream: Stream) -> (Finished, Vec<Output>) {
    stream.take();
    let mut finished = stream.engine.stop();
    let mut log = stream.log;
    log.append(&mut finished.log);
    (finished, log)
}

/// Goes through the record inline and compares log and state; in lockstep there is no log to compare.
fn check_record(world: u64, finished: &Finished, log: &[Output], layout: &Layout) -> Kernel {
    let settings = Settings { shards: 2, strategy: Strategy::Dense, ..Settings::default() };
    let mut again = Kernel::new(settings).under(rules(world));
    let mut told = Vec::new();
    let record = finished.record.as_deref().expect("it was recorded");
    replay(&mut again, record, |output| told.push(output))
        .unwrap_or_else(|error| panic!("world {world}, {layout:?}: {error}\n{record:#?}"));
    if !log.is_empty() {
        let first = log.iter().zip(&told).position(|(a, b)| a != b);
        assert_eq!(first.map(|at| (&log[at], &told[at])), None, "world {world}, {layout:?}");
        assert_eq!(log.len(), told.len(), "world {world}, {layout:?}");
    }
    let threaded = finished.kernel.as_ref().expect("all threads ended");
    for kernel in [threaded, &again] {
        assert_eq!(kernel.audit(0, kernel.pools()), 0, "a pool is in breach and not in liquidation");
        assert!(kernel.asset_totals().iter().all(|totals| totals.difference() == 0));
        assert!(kernel.instrument_totals().iter().all(|totals| totals.long == totals.short));
    }
    let (a, b) = (state(threaded), state(&again));
    let differs =
        a.bytes().zip(b.bytes()).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len())).saturating_sub(200);
    assert!(a == b, "world {world}, {layout:?}:\n{}\n{}", &a[differs..], &b[differs..]);
    again
}

/// Everything that can be seen.
fn state(kernel: &Kernel) -> String {
    let accounts: Vec<_> = kernel.accounts().into_iter().map(|account| kernel.account(account)).collect();
    let funds: Vec<_> =
        (0..kernel.market().funds.len() as u32).map(|fund| kernel.fund(terrace::market::FundId(fund))).collect();
    let health = kernel.overview().health();
    format!("{accounts:?} {funds:?} {:?} {health:?} {}", kernel.asset_totals(), kernel.now_ns())
}

#[test]
fn the_record_of_a_stream_gives_the_same_log_inline() {
    let _alone = alone();
    let (mut places, mut decisions, mut behind) = (0, 0, 0u64);
    for (number, layout) in layouts().iter().enumerate() {
        for script in 0..scripts() {
            let world = (seed() << 32) + 500_000 + (number as u64) * 1_000 + script;
            let lines = random_script(world);
            let engine = start(rules(world), layout, 64, 16);
            let mut session = Session::over(Stream { engine, log: Vec::new(), requests: Vec::new() });
            for line in lines.iter().filter(|line| !line.contains("\"get\"")) {
                let _ = session.line(line.as_bytes(), &mut String::new());
            }
            let (finished, log) = finish(session.into_kernel());
            assert_eq!(finished.failure, None);
            check_record(world, &finished, &log, layout);
            let record = finished.record.expect("it was recorded");
            let is_decision = |entry: &Entry| matches!(entry, Entry::Decide { .. });
            places += record.len();
            decisions += record.iter().filter(|entry| is_decision(entry)).count();
            let later = |pair: &&[Entry]| !is_decision(&pair[0]) && !is_decision(&pair[1]);
            behind += record.windows(2).filter(later).count() as u64;
        }
    }
    println!("{places} places, {decisions} decisions, {behind} inputs followed by another one directly");
    assert!(decisions > 100 && behind > 1_000, "the streams hardly streamed");
}

/// A funding that falls due while a change of rules is given its place comes behind it, in the sequencer's copy of the market as everywhere: jobs are booked in the
/// order in which they began.
#[test]
fn what_falls_due_with_a_declaration_comes_behind_it() {
    let layout = Layout { workers: Some(1), apart: Some(true), ..Layout::default() };
    let engine = Engine::by_hand(kernel(&layout), &settings(&layout, 64, 64), |_| 0).unwrap();
    let mut session = Session::over(engine);
    let script = include_str!("exec/auto_funding.jsonl");
    for line in script.lines().take_while(|line| !line.contains("\"ts\":1000}")) {
        session.line(line.as_bytes(), &mut String::new()).unwrap();
    }
    let mut engine = session.into_kernel();
    // The arbiter sees that the funding is due; the next input finds out that it is, and waits for what came before; the change of rules meets both.
    engine.submit(&Command::Time { ts_ns: 1_500 }).unwrap();
    while engine.go_on_by_hand() {}
    engine.submit(&Command::Deposit { account: 1, asset: AssetId(0), amount: 1 }).unwrap();
    while engine.go_on_by_hand() {}
    let instrument = InstrumentId(0);
    let spec = InstrumentSpec { taker_fee_ppb: 1, ..engine.market().instrument(instrument).spec.clone() };
    engine.submit_declaration(None, &Declaration::Rules { instrument, spec: Box::new(spec) }).unwrap();
    engine.settle().unwrap();
    let finished = engine.stop();
    assert_eq!(finished.failure, None);
    check_record(0, &finished, &[], &layout);
    let record = finished.record.unwrap();
    let at = |is: fn(&Entry) -> bool| record.iter().position(is).expect("it is in the record");
    let funding = at(|entry| matches!(entry, Entry::Command { command: Command::Funding { .. }, .. }));
    assert!(funding > at(|entry| matches!(entry, Entry::Declare { declaration: Declaration::Rules { .. }, .. })));
}

const BTC: InstrumentId = InstrumentId(0);
const USDT: AssetId = AssetId(0);

/// One instrument, one asset, at this mark, with so many accounts of alternating sides at high leverage.
fn populated(shards: u32, accounts: u64, fund: i64, rules: VenueRules) -> Kernel {
    populated_with(shards, accounts, fund, rules, ReducePolicy::default())
}

fn populated_with(shards: u32, accounts: u64, fund: i64, rules: VenueRules, reduce: ReducePolicy) -> Kernel {
    let mut kernel = Kernel::new(Settings { shards, ..Settings::default() });
    kernel.declare_asset(None, "USDT", 8).unwrap();
    let grid = |text: &str| Grid::new(text.parse().unwrap()).unwrap();
    let row = |cap: i128, mmr_ppb, max_leverage| TierRow { cap, mmr_ppb, max_leverage, deduction: None };
    let rows = [row(50_000 * 10i128.pow(8), 4_000_000, 12_500), row(10i128.pow(18), 10_000_000, 5_000)];
    let spec = InstrumentSpec {
        taker_fee_ppb: 500_000,
        liquidation_fee_ppb: 1_000_000,
        reduce,
        ..InstrumentSpec::new(
            "BTCUSDT",
            USDT,
            terrace::market::FundId(0),
            (grid("0.1"), grid("0.001")),
            Unit::Linear(10_000),
            TierTable::new(TierRule::Marginal, &rows).unwrap(),
        )
    };
    kernel.declare_instrument(None, spec).unwrap();
    if fund > 0 {
        kernel.apply(&Command::FundDeposit { fund: terrace::market::FundId(0), amount: fund }).unwrap();
    }
    kernel.apply(&Command::Mark { instrument: BTC, price: 1_000_000 }).unwrap();
    let mut dice = Dice(accounts);
    for account in 0..accounts {
        let lots = 10 + dice.below(2_000) as i64;
        let value = lots * 1_000_000 * 10_000;
        let amount = value / (5 + dice.below(100) as i64);
        kernel.apply(&Command::Deposit { account, asset: USDT, amount }).unwrap();
        if account % 2 == 1 {
            kernel.apply(&fill(account - 1, Some(account), lots, 1_000_000)).unwrap();
        }
        if account % 7 == 0 {
            let order = terrace::command::Order {
                account,
                order: 1,
                instrument: BTC,
                side: terrace::command::Side::Buy,
                quantity: 1,
                price: 900_000,
                reduce_only: false,
                position_side: None,
            };
            let _ = kernel.apply(&Command::Order(order)); // as far as the margin allows
        }
    }
    kernel.set_venue_rules(None, rules).unwrap();
    kernel
}

fn fill(account: u64, counterparty: Option<u64>, quantity: i64, price: i64) -> Command {
    Command::Fill(terrace::command::Fill {
        account,
        counterparty,
        order: None,
        counter_order: None,
        instrument: BTC,
        side: terrace::command::Side::Buy,
        quantity,
        price,
        liquidity: None,
        position_side: None,
        counter_position_side: None,
    })
}

/// A venue that takes its time: answers late, in parts, out of order, twice, or never.
struct SlowVenue {
    dice: Dice,
    /// What it will say, and at which step.
    answers: Vec<(u64, Command)>,
    /// By account: its last order, and the lots that it has not been told about yet. There must never be two orders for a
    /// position, and each account here has one.
    open: BTreeMap<OrderOwner, (OrderName, i64)>,
    requests: u64,
    repeated: u64,
    silent: u64,
}

impl SlowVenue {
    fn asked(&mut self, step: u64, message: &VenueMessage) {
        self.requests += 1;
        let late = |dice: &mut Dice| step + dice.below(30);
        match message.request {
            VenueRequest::Order { order, instrument, quantity, limit, .. } => {
                let last = self.open.insert(order.owner, (order, quantity));
                // An inventory that was netted away may be built up anew.
                let ended = matches!(order.owner, OrderOwner::Fund(_)) || last.is_none_or(|(_, left)| left == 0);
                assert!(ended, "{order:?} goes out, and {last:?} is not answered");
                if self.dice.chance(3) {
                    self.silent += 1;
                    return;
                }
                let mut left = quantity;
                while left > 0 && self.dice.chance(70) {
                    let lots = 1 + self.dice.below(left as u64) as i64;
                    left -= lots;
                    let filled = Command::LiquidationFill { order, instrument, quantity: lots, price: limit };
                    let at = late(&mut self.dice);
                    self.answers.push((at, filled));
                }
                if self.dice.chance(10) {
                    let at = late(&mut self.dice);
                    self.answers.push((at, Command::LiquidationUnknown { order }));
                }
                let at = late(&mut self.dice);
                self.answers.push((at, Command::LiquidationExpire { order }));
                if self.dice.chance(20) {
                    self.repeated += 1;
                    self.answers.push((at + 1, Command::LiquidationExpire { order }));
                }
            }
            VenueRequest::Cancel { account, pool } => {
                if self.dice.chance(5) {
                    self.silent += 1;
                    return;
                }
                let at = late(&mut self.dice);
                self.answers.push((at, Command::CancelAck { account, pool, execution: 0 }));
                if self.dice.chance(20) {
                    self.repeated += 1;
                    self.answers.push((at + 3, Command::CancelAck { account, pool, execution: 0 }));
                }
            }
            _ => {}
        }
    }

    fn due(&mut self, step: u64) -> Vec<Command> {
        let (due, later): (Vec<_>, Vec<_>) = self.answers.drain(..).partition(|&(at, _)| at <= step);
        self.answers = later;
        let due: Vec<Command> = due.into_iter().map(|(_, command)| command).collect();
        for command in &due {
            match *command {
                Command::LiquidationFill { order, quantity, .. } => self.answered(order, quantity),
                Command::LiquidationExpire { order } => self.answered(order, i64::MAX),
                _ => {}
            }
        }
        due
    }

    fn answered(&mut self, order: OrderName, lots: i64) {
        if let Some((last, left)) = self.open.get_mut(&order.owner).filter(|(last, _)| *last == order) {
            *left -= lots.min(*left);
            debug_assert_eq!(*last, order);
        }
    }
}

#[test]
fn a_cascade_beside_a_slow_venue_is_told_as_its_record_tells_it() {
    let _alone = alone();
    let (mut asked, mut unanswered, mut late_fills) = (0, 0, 0);
    for (number, layout) in layouts().iter().enumerate() {
        for cancel_ack in [false, true] {
            let mut rules = VenueRules::new(VenueMode::Manual);
            rules.cancel_ack = cancel_ack;
            let workers = layout.workers.expect("the tests say how many");
            let world = number as u64 * 2 + u64::from(cancel_ack);
            let accounts = 400;
            let pacing = (number % 2 == 1).then_some(Pacing::Lots(20_000));
            let reduce = ReducePolicy { pacing, ..ReducePolicy::default() };
            let kernel = populated_with(workers, accounts, 40_000_000_000_000, rules, reduce);
            let mut stream = Stream {
                engine: Engine::start(kernel, &settings(layout, 256, 64)).unwrap(),
                log: Vec::new(),
                requests: Vec::new(),
            };
            let mut venue = SlowVenue {
                dice: Dice(seed() + world),
                answers: Vec::new(),
                open: BTreeMap::new(),
                requests: 0,
                repeated: 0,
                silent: 0,
            };
            let mut dice = Dice(seed() * 7 + world);
            let mut price = 1_000_000i64;
            for step in 0..1_500u64 {
                price = (price + dice.range(-6_000, 5_000)).max(700_000);
                let mut inputs = vec![Command::Mark { instrument: BTC, price }];
                if dice.chance(30) {
                    let rich = accounts + dice.below(10);
                    inputs.push(Command::Deposit { account: rich, asset: USDT, amount: 1 << 50 });
                    inputs.push(fill(rich, None, 1 + dice.below(50) as i64, price));
                }
                inputs.extend(venue.due(step));
                for input in inputs {
                    let _ = stream.command(Some(step), &input, OffGrid::NONE); // unknown orders are refused
                }
                if pacing.is_some() {
                    // The first order goes out at a decision: ticks that run ahead would leave nothing to sell.
                    stream.engine.settle().unwrap();
                }
                stream.take();
                stream.requests.drain(..).for_each(|message| venue.asked(step, &message));
            }
            for command in venue.due(u64::MAX) {
                let _ = stream.command(None, &command, OffGrid::NONE);
            }
            let (finished, log) = finish(stream);
            assert_eq!(finished.failure, None);
            // The record begins at the loaded kernel.
            let mut again = populated_with(1, accounts, 40_000_000_000_000, rules, reduce);
            let mut told = Vec::new();
            replay(&mut again, finished.record.as_deref().unwrap(), |output| told.push(output)).unwrap();
            assert_eq!(log.len(), told.len(), "{layout:?}");
            assert!(log == told, "{layout:?}: first at {:?}", log.iter().zip(&told).find(|(a, b)| a != b));
            let threaded = finished.kernel.unwrap();
            assert_eq!(state(&threaded), state(&again));
            assert_eq!(threaded.audit(0, threaded.pools()), 0);
            assert!(threaded.asset_totals().iter().all(|totals| totals.difference() == 0));
            let (requests, silent, repeated) = (venue.requests, venue.silent, venue.repeated);
            assert!(requests > 20 && repeated > 0, "{requests} requests, {silent} not answered, {repeated} twice");
            asked += requests;
            unanswered += silent;
            let count = |what: fn(&Event) -> bool| {
                log.iter().filter(|output| matches!(output, Output::Event { event, .. } if what(event))).count()
            };
            assert!(count(|event| matches!(event, Event::Takeover { .. })) > 0);
            assert!(count(|event| matches!(event, Event::LiquidationFill { .. })) > 10);
            let late = |event: &Event| {
                let fund = terrace::event::Owner::Fund;
                matches!(event, Event::LiquidationFill { owner, fee: 0, .. } if *owner == fund)
            };
            late_fills += count(late);
        }
    }
    println!("{asked} requests, {unanswered} never answered, {late_fills} fills booked on the fund");
    assert!(unanswered > 0 && late_fills > 0);
}

#[test]
fn a_caller_that_does_not_poll_is_told_full_and_nothing_is_lost() {
    let _alone = alone();
    for layout in layouts() {
        let workers = layout.workers.expect("the tests say how many");
        let kernel = populated(workers, 300, 0, VenueRules::new(VenueMode::Manual));
        let mut engine = Engine::start(kernel, &settings(&layout, 8, 4)).unwrap();
        // The worker stalls: nobody takes its requests to the venue.
        let mut price = 1_000_000;
        let mut taken = 0;
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            assert!(Instant::now() < deadline, "the sequencer was never stopped: {layout:?}");
            match engine.submit(&Command::Mark { instrument: BTC, price }) {
                Ok(_) => {
                    price -= 500;
                    taken += 1;
                    assert!(price > 0);
                }
                Err(SubmitError::Full) if engine.metrics().full > 1_000 => break,
                Err(SubmitError::Full) => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
        assert!(engine.metrics().lag <= 8, "no more than the ring holds is under way");
        let mut log = Vec::new();
        engine.poll(|_| {}, |&output| log.push(output));
        let mut finished = engine.stop();
        log.append(&mut finished.log);
        let record = finished.record.as_deref().unwrap();
        let inputs = record.iter().filter(|entry| matches!(entry, Entry::Command { .. })).count();
        assert_eq!(inputs, taken, "what was taken is there");
        let mut again = populated(1, 300, 0, VenueRules::new(VenueMode::Manual));
        let mut told = Vec::new();
        replay(&mut again, record, |output| told.push(output)).unwrap();
        assert!(log == told);
        assert!(log.len() > 20, "{} told", log.len());
    }
}

#[test]
fn a_workers_panic_stops_all_and_is_told() {
    let _alone = alone();
    for layout in layouts() {
        let workers = layout.workers.expect("the tests say how many");
        let mut settings = settings(&layout, 16, 16);
        settings.panic_at = Some((workers - 1, 400));
        let kernel = populated(workers, 300, 0, VenueRules::new(VenueMode::Mark));
        let mut stream =
            Stream { engine: Engine::start(kernel, &settings).unwrap(), log: Vec::new(), requests: Vec::new() };
        let mut price = 1_000_000;
        let stopped = loop {
            match stream.engine.submit(&Command::Mark { instrument: BTC, price }) {
                Ok(_) => price = (price - 500).max(1),
                Err(SubmitError::Full) => {}
                Err(error) => break error,
            }
            stream.take();
        };
        assert_eq!(stopped, SubmitError::Stopped);
        let failure = stream.engine.failure().expect("it has failed");
        let told = format!("worker {} panicked: worker {0} was told to panic here", workers - 1);
        assert_eq!(failure.to_string(), told);
        assert!(matches!(failure, Failure::Panicked { .. }));
        assert!(stream.engine.ask(|_| ()).is_err());
        let (finished, log) = finish(stream);
        assert_eq!(finished.failure, Some(failure));
        assert!(finished.kernel.is_none(), "a shard is lost");
        // What was told is the beginning of what the record tells.
        let mut again = populated(1, 300, 0, VenueRules::new(VenueMode::Mark));
        let mut told = Vec::new();
        replay(&mut again, finished.record.as_deref().unwrap(), |output| told.push(output)).unwrap();
        assert!(log.len() > 100 && log.len() <= told.len(), "{} of {}", log.len(), told.len());
        assert!(log == told[..log.len()]);
    }
}

#[test]
fn an_engine_that_is_dropped_ends_its_threads() {
    let _alone = alone();
    for layout in layouts() {
        let kernel = populated(layout.workers.unwrap(), 100, 0, VenueRules::default());
        let mut engine = Engine::start(kernel, &settings(&layout, 16, 16)).unwrap();
        for price in (900_000..1_000_000).rev().step_by(10_000) {
            let _ = engine.submit(&Command::Mark { instrument: BTC, price });
        }
        drop(engine);
    }
}

#[test]
fn a_record_that_was_changed_is_found_out() {
    let _alone = alone();
    let layout = Layout { workers: Some(1), apart: Some(false), wait: Some(Wait::Yield), pinning: Pinning::Off };
    let kernel = populated(1, 300, 1_000_000_000, VenueRules::default());
    let mut engine = Engine::start(kernel, &settings(&layout, 64, 64)).unwrap();
    for price in (850_000..1_000_000).rev().step_by(1_000) {
        Driver::command(&mut engine, None, &Command::Mark { instrument: BTC, price }, OffGrid::NONE).unwrap();
    }
    let record = engine.stop().record.unwrap();
    let go = |record: &[Entry]| {
        replay(&mut populated(2, 300, 1_000_000_000, VenueRules::default()), record, |_| {}).unwrap_err()
    };
    let at = record
        .iter()
        .position(|entry| matches!(entry, Entry::Decide { outcome: Some(outcome) } if !outcome.answers.is_empty()))
        .expect("orders were answered");
    let mut other_hash = record.clone();
    let mut no_answers = record.clone();
    if let (Entry::Decide { outcome: Some(a) }, Entry::Decide { outcome: Some(b) }) =
        (&mut other_hash[at], &mut no_answers[at])
    {
        a.hash ^= 1;
        b.answers.clear();
    }
    assert!(matches!(go(&other_hash), Divergence::Decision { place, .. } if place == at));
    assert!(matches!(go(&no_answers), Divergence::Decision { place, .. } if place == at));
    let mut other_price = record;
    let first = other_price.iter_mut().find_map(|entry| match entry {
        Entry::Command { command: Command::Mark { price, .. }, .. } => Some(price),
        _ => None,
    });
    *first.unwrap() = 400_000;
    assert!(matches!(go(&other_price), Divergence::Decision { .. } | Divergence::Answers { .. }));
}

#[test]
fn the_sequencer_tells_the_time_when_nobody_does() {
    let _alone = alone();
    let layout = Layout { workers: Some(1), apart: Some(false), wait: Some(Wait::Park), pinning: Pinning::Off };
    let mut settings = settings(&layout, 64, 64);
    settings.heartbeat = Some(Duration::from_millis(1));
    let mut engine = Engine::start(populated(1, 10, 0, VenueRules::default()), &settings).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while engine.metrics().heartbeats < 5 && Instant::now() < deadline {
        engine.poll(|_| {}, |_| {});
        std::thread::sleep(Duration::from_millis(1));
    }
    let metrics = engine.metrics();
    assert!(metrics.heartbeats >= 5, "{metrics:?}");
    assert!(metrics.silence < Duration::from_secs(5));
    let finished = engine.stop();
    let now_ns = finished.kernel.unwrap().now_ns();
    assert!(now_ns > 1_700_000_000_000_000_000, "the time of the clock: {now_ns}");
    let beats = finished.record.unwrap();
    assert!(beats.iter().all(|entry| matches!(entry, Entry::Command { seq: 0, command: Command::Time { .. }, .. })));
}

/// The open interest is bounded from above by the sequencer; near the limit all shards are asked.
#[test]
fn near_the_limit_of_open_interest_the_bound_is_made_exact() {
    let _alone = alone();
    let layout = Layout { workers: Some(2), apart: Some(false), wait: Some(Wait::Yield), pinning: Pinning::Off };
    let mut kernels = (populated(2, 2, 0, VenueRules::default()), populated(1, 2, 0, VenueRules::default()));
    let lots = (1i64 << 62) / (1_000_000 * 10_000) / 3;
    for kernel in [&mut kernels.0, &mut kernels.1] {
        for account in 0..2 {
            kernel.apply(&Command::Deposit { account, asset: USDT, amount: 1 << 61 }).unwrap();
        }
    }
    let mut engine = Engine::start(kernels.0, &settings(&layout, 64, 64)).unwrap();
    let mut inline = kernels.1;
    // There and back again: the volume passes the limit many times, the open interest only at the end.
    let rounds = (0..20).map(|round| if round % 2 == 0 { (0, 1) } else { (1, 0) }).chain([(0, 1); 6]);
    let mut refused = 0;
    for (buyer, seller) in rounds {
        let command = fill(buyer, Some(seller), lots, 1_000_000);
        let (a, b) = (Driver::command(&mut engine, None, &command, OffGrid::NONE), inline.apply(&command));
        assert_eq!(a, b);
        refused += u32::from(a.is_err());
    }
    assert!(refused > 0);
    let mark = Command::Mark { instrument: BTC, price: 3_000_000 };
    let told = Driver::command(&mut engine, None, &mark, OffGrid::NONE);
    assert_eq!(told, inline.apply(&mark));
    assert!(told.is_err());
    let finished = engine.stop();
    assert_eq!(state(&finished.kernel.unwrap()), state(&inline));
}

/// An order is named by its account and its how-manieth, before it has a number.
#[test]
fn a_request_is_out_before_its_decision_and_is_answered_by_name() {
    let _alone = alone();
    let layout = Layout { workers: Some(1), apart: Some(false), wait: Some(Wait::Yield), pinning: Pinning::Off };
    let kernel = populated(1, 100, 1 << 50, VenueRules::new(VenueMode::Manual));
    let mut engine = Engine::start(kernel, &settings(&layout, 64, 64)).unwrap();
    engine.submit(&Command::Mark { instrument: BTC, price: 985_000 }).unwrap();
    let mut asked = VecDeque::new();
    engine.settle().unwrap();
    engine.poll(|&message| asked.push_back(message), |_| {});
    let VenueRequest::Order { order, instrument, quantity, limit, .. } = asked[0].request else {
        panic!("an order comes first: {asked:?}")
    };
    let beyond = Command::LiquidationFill { order, instrument, quantity: quantity + 1, price: limit };
    let other = OrderName { nth: order.nth + 1, ..order };
    let unknown = Command::LiquidationFill { order: other, instrument, quantity: 1, price: limit };
    let good = Command::LiquidationFill { order, instrument, quantity, price: limit };
    for (command, refusal) in [
        (beyond, Some(Refusal::BeyondOpen { order, open: quantity })),
        (unknown, Some(Refusal::UnknownLiquidation(other))),
        (good, None),
        (good, Some(Refusal::UnknownLiquidation(order))),
    ] {
        assert_eq!(Driver::command(&mut engine, None, &command, OffGrid::NONE).err(), refusal);
    }
    assert!(engine.events().is_empty(), "a refused command tells nothing");
    assert_eq!(engine.stop().failure, None);
}
