//! Jobs that concern every account: settlements and changes of rules, booked in chunks with other inputs in between.

#[path = "script/dice.rs"]
mod dice;

use dice::Dice;
use std::collections::{BTreeMap, BTreeSet};
use terrace::command::{Command, Fill, OffGrid, Order, Side};
use terrace::contract::Unit;
use terrace::controls::{Limits, Mode, Scope};
use terrace::decimal::Grid;
use terrace::engine::{Engine, EngineSettings, Entry, Finished, Layout, Output, Pinning, Retrace, SubmitError, replay};
use terrace::event::Cause;
use terrace::jobs::{JobKind, JobName, Part};
use terrace::market::{AssetId, FundId, FundSpec, InstrumentId, InstrumentSpec, Pacing};
use terrace::prices::{IndexRules, MarkRule, MarkRules, RateRules, Venue};
use terrace::protocol::Session;
use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::venue::{BookUpdate, VenueMode};
use terrace::{Code, Declaration, Event, Kernel, Settings, Wait};

const P: InstrumentId = InstrumentId(0);
const USDT: AssetId = AssetId(0);
const CHUNK: u32 = 7;
const ACCOUNTS: u64 = 160;

fn tiers(rule: TierRule, mmr_ppb: u64) -> TierTable {
    let row = |cap, mmr_ppb, max_leverage| TierRow { cap, mmr_ppb, max_leverage, deduction: None };
    let rows = [row(2_000_000, mmr_ppb, 2_000), row(1 << 60, 2 * mmr_ppb, 1_000)];
    TierTable::new(rule, &rows).expect("a good table")
}

fn spec() -> InstrumentSpec {
    let grid = Grid::decimals(0);
    let tiers = tiers(TierRule::Marginal, 20_000_000);
    let mut spec = InstrumentSpec::new("P", USDT, FundId(0), (grid, grid), Unit::Linear(100), tiers);
    spec.funding.chunk = CHUNK;
    spec.taker_fee_ppb = 500_000;
    spec.liquidation_fee_ppb = 1_000_000;
    spec
}

/// The account with that number: ids that are not in the order of creation.
fn id(number: u64) -> u64 {
    number.wrapping_mul(0x5DEE_CE66) % 1_000_003
}

/// Accounts with positions of up to ten times what they have, at a mark of 1000.
fn world(shards: u32) -> Kernel {
    bounded_world(shards, None)
}

/// The same, with a fund that may lose no more than so much within a minute.
fn bounded_world(shards: u32, max_loss_per_minute: Option<i128>) -> Kernel {
    let mut kernel = Kernel::new(Settings { shards, ..Settings::default() });
    kernel.declare_asset(None, "USDT", 2).unwrap();
    let fund = FundSpec { max_loss_per_minute, ..FundSpec::new("USDT".to_owned(), USDT) };
    kernel.declare_fund(None, fund).unwrap();
    kernel.declare_instrument(None, spec()).unwrap();
    kernel.set_venue(None, VenueMode::Mark).unwrap();
    kernel.apply(&Command::FundDeposit { fund: FundId(0), amount: 3_000_000 }).unwrap();
    kernel.apply(&Command::Mark { instrument: P, price: 1_000 }).unwrap();
    let mut dice = Dice(1);
    for number in 0..ACCOUNTS {
        let amount = 40_000 + dice.below(400_000) as i64;
        kernel.apply(&Command::Deposit { account: id(number), asset: USDT, amount }).unwrap();
    }
    for number in 0..ACCOUNTS {
        let against = (number % 5 > 0).then(|| id((number + 1 + dice.below(ACCOUNTS - 1)) % ACCOUNTS));
        kernel.apply(&fill(id(number), against, 1 + dice.below(4) as i64, 1_000)).unwrap();
    }
    kernel
}

fn fill(account: u64, counterparty: Option<u64>, quantity: i64, price: i64) -> Command {
    Command::Fill(Fill {
        account,
        counterparty,
        order: None,
        counter_order: None,
        instrument: P,
        side: Side::Buy,
        quantity,
        price,
        liquidity: None,
        position_side: None,
        counter_position_side: None,
    })
}

fn engine(shards: u32) -> Engine {
    engine_over(world(shards), shards)
}

fn engine_over(kernel: Kernel, shards: u32) -> Engine {
    let layout = Layout { workers: Some(shards), apart: Some(false), wait: Some(Wait::Yield), pinning: Pinning::Off };
    let settings = EngineSettings { layout, record: true, ring: 64, ..EngineSettings::default() };
    Engine::start(kernel, &settings).unwrap()
}

/// The next command of a busy market: marks that wander, fills, payments, new accounts; some are refused.
fn next(dice: &mut Dice, mark: &mut i64) -> Command {
    let account = id(dice.below(ACCOUNTS + 40)); // some are new
    match dice.below(10) {
        0..=3 => {
            *mark = (*mark + dice.below(41) as i64 - 20).clamp(700, 1_400);
            Command::Mark { instrument: P, price: *mark }
        }
        4..=6 => {
            let other = id(dice.below(ACCOUNTS));
            fill(id(dice.below(ACCOUNTS)), Some(other), 1 + dice.below(3) as i64, *mark)
        }
        7 => Command::Withdraw { account, asset: USDT, amount: 1 + dice.below(300_000) as i64 },
        8 => Command::Deposit { account, asset: USDT, amount: 1 + dice.below(50_000) as i64 },
        _ => fill(id(dice.below(ACCOUNTS)), None, 1, *mark),
    }
}

/// What went through an engine, and what it told.
struct Run {
    finished: Finished,
    log: Vec<Output>,
    busy: u32,
}

/// Settlements and changes of rules, one after the other and at once, while a market goes on.
fn stream(shards: u32, seed: u64) -> Run {
    let (mut engine, mut log, mut busy) = (engine(shards), Vec::new(), 0);
    let (mut dice, mut mark) = (Dice(seed), 1_000);
    for step in 0..1_500u64 {
        let submitted = match step % 50 {
            10 => {
                engine.submit(&Command::Funding { instrument: P, rate_ppb: 10_000_000 - (step as i64 % 3) * 9_000_000 })
            }
            20 => {
                let rule = if step % 100 == 20 { TierRule::Step } else { TierRule::Marginal };
                let tiers = tiers(rule, 15_000_000 + 1_000_000 * dice.below(20));
                let spec = Box::new(InstrumentSpec { tiers, ..spec() });
                engine.submit_declaration(None, &Declaration::Rules { instrument: P, spec })
            }
            _ => engine.submit(&next(&mut dice, &mut mark)),
        };
        match submitted {
            Ok(_) | Err(SubmitError::Full) => {}
            Err(SubmitError::Refused(refusal)) => busy += u32::from(refusal.code() == Code::Busy),
            Err(_) => panic!("{:?}", engine.failure()),
        }
        // No faster than the threads go on a busy machine: else all that is seen is how the ring fills.
        loop {
            engine.poll(|_| (), |output| log.push(*output));
            if engine.metrics().lag <= 3 || engine.failure().is_some() {
                break;
            }
            std::thread::yield_now();
        }
    }
    let mut finished = engine.stop();
    log.append(&mut finished.log);
    Run { finished, log, busy }
}

#[test]
fn a_stream_of_jobs_is_told_as_its_record_tells_it() {
    let (mut between, mut pieces, mut misses, mut settled, mut changed, mut busy) = (0, 0, 0, 0, 0, 0);
    for (seed, shards) in [(1, 1), (2, 2), (3, 3), (4, 2), (5, 1)] {
        let run = stream(shards, seed);
        assert_eq!(run.finished.failure, None);
        busy += run.busy;
        let record = run.finished.record.expect("it was recorded");
        let mut kernel = world(if shards == 1 { 4 } else { 1 });
        let (mut log, mut retrace) = (Vec::new(), Retrace::new(&record));
        let mut done: BTreeMap<JobKindKey, Option<u64>> = BTreeMap::new();
        let mut last_was_piece = false;
        loop {
            let accounts: BTreeSet<u64> = kernel.accounts().into_iter().collect();
            let step = retrace.step(&mut kernel, &mut |output| log.push(output)).expect("the record is followed");
            let Some(entry) = step else { break };
            // Never late, and balanced, in the middle of every job.
            misses += kernel.audit(0, kernel.pools());
            assert!(kernel.asset_totals().iter().all(|totals| totals.difference() == 0));
            if let Entry::Command { command: Command::Chunk { job, part }, .. } = entry {
                pieces += 1;
                let from = done.entry(key(job.kind)).or_default();
                match *part {
                    Part::UpTo(last) => {
                        let booked = accounts.iter().filter(|&&id| from.is_none_or(|from| id > from) && id <= last);
                        let left = accounts.iter().filter(|&&id| id > last).count();
                        let booked = booked.count();
                        assert!(booked == CHUNK as usize || (booked < CHUNK as usize && left == 0), "{booked}, {left}");
                        *from = Some(last);
                    }
                    Part::End => *from = None,
                }
                last_was_piece = true;
            } else if !matches!(entry, Entry::Decide { .. }) {
                between += u32::from(last_was_piece);
                last_was_piece = false;
            }
        }
        assert_eq!(log.len(), run.log.len());
        assert!(log == run.log, "the log of the threads is that of the record");
        for output in &log {
            match *output {
                Output::Event { event: Event::FundingSettled { paid, received, .. }, .. } => {
                    // Each lot paid once, and received once: only rounding is left.
                    let residue = paid - received;
                    assert!((0..=i128::from(ACCOUNTS) + 42).contains(&residue), "{paid} − {received}");
                    assert!(received > 0);
                    settled += 1;
                }
                Output::Event { event: Event::RulesSettled { .. }, .. } => changed += 1,
                _ => {}
            }
        }
        let threaded = run.finished.kernel.expect("all threads ended");
        let accounts = |kernel: &Kernel| -> Vec<_> {
            kernel.accounts().into_iter().map(|account| kernel.account(account).unwrap()).collect()
        };
        assert_eq!(accounts(&threaded), accounts(&kernel));
    }
    println!("{pieces} pieces, inputs after {between} of them, {settled} settlements, {changed} changes, {busy} busy");
    assert_eq!(misses, 0);
    assert!(between * 2 > pieces, "inputs do not wait for a job");
    assert!(settled > 20 && changed > 20 && busy > 0);
}

type JobKindKey = u8;

fn key(kind: JobKind) -> JobKindKey {
    match kind {
        JobKind::Settlement => 0,
        JobKind::Rules => 1,
    }
}

#[test]
fn pieces_are_given_by_the_sequencer_alone() {
    let piece = Command::Chunk { job: JobName { instrument: P, kind: JobKind::Settlement }, part: Part::UpTo(1) };
    let mut kernel = world(1);
    assert!(kernel.apply(&piece).is_err());
    let mut engine = engine(1);
    engine.submit(&Command::Funding { instrument: P, rate_ppb: 1 }).unwrap();
    assert!(matches!(engine.submit_at(None, &piece, OffGrid::NONE), Err(SubmitError::Refused(_))));
    assert_eq!(engine.stop().failure, None);
}

/// What a script leads to in the end, and what it told on the way, sorted: the size of chunks decides the order only.
fn end_of(chunk: Option<u32>, shards: u32) -> (String, Vec<String>) {
    let mut session = Session::new(Settings { shards, ..Settings::default() });
    let funding = chunk.map_or(String::new(), |chunk| format!(r#","funding":{{"chunk":{chunk}}}"#));
    let mut lines = vec![
        r#"{"op":"asset","asset":"USDT","decimals":2}"#.to_owned(),
        format!(
            r#"{{"op":"instrument","symbol":"P","kind":"linear_perp","underlying":"P","settle":"USDT","tick":"1","lot":"1",
            "tiers":[{{"cap":"100000","mmr":"0.05","max_leverage":10}}],"liquidation_fee":"0.01"{funding}}}"#
        ),
        r#"{"op":"mark","symbol":"P","price":"100"}"#.to_owned(),
    ];
    for account in [17, 3, 99, 250, 1, 64, 12] {
        lines.push(format!(r#"{{"op":"deposit","account":{account},"asset":"USDT","amount":"{}"}}"#, 100 + account));
        let side = if account % 2 == 0 { "buy" } else { "sell" };
        lines.push(format!(
            r#"{{"op":"fill","account":{account},"symbol":"P","side":"{side}","qty":"7","price":"100"}}"#
        ));
    }
    for line in [
        r#"{"op":"funding","symbol":"P","rate":"0.09"}"#,
        r#"{"op":"set","symbol":"P","tier_rule":"step","tiers":[{"cap":"500","mmr":"0.1","max_leverage":5},{"cap":"100000","mmr":"0.19","max_leverage":5}]}"#,
        r#"{"op":"funding","symbol":"P","rate":"-0.0777"}"#,
        r#"{"op":"set","symbol":"P","adl_rank":"pro_rata","maker_fee":"0.1"}"#,
    ] {
        lines.push(line.to_owned());
    }
    let (mut told, mut end) = (String::new(), String::new());
    for line in lines {
        session.line(line.replace('\n', "").as_bytes(), &mut told).unwrap();
    }
    for account in [1, 3, 12, 17, 64, 99, 250] {
        let line = format!(r#"{{"op":"get","what":"account","account":{account}}}"#);
        session.line(line.as_bytes(), &mut end).unwrap();
    }
    for what in ["totals", "health"] {
        session.line(format!(r#"{{"op":"get","what":"{what}"}}"#).as_bytes(), &mut end).unwrap();
    }
    // Balances of the fund on the way, and numbers of orders, are those of the order.
    let kinds = |line: &str| line.split('"').nth(3).unwrap_or_default().to_owned();
    let mut kinds: Vec<String> = told.lines().map(kinds).collect();
    kinds.sort_unstable();
    (end, kinds)
}

#[test]
fn the_size_of_chunks_does_not_show_in_the_end() {
    let whole = end_of(None, 1);
    assert!(whole.1.iter().filter(|kind| *kind == "liquidation_started").count() >= 2, "{:?}", whole.1);
    for chunk in [1, 2, 3, 6, 7, 8] {
        for shards in [1, 2, 5] {
            assert_eq!(end_of(Some(chunk), shards), whole, "chunks of {chunk}, {shards} shards");
        }
    }
}

/// Rules of prices and controls as `set` changes them, one after the other.
fn changed(dice: &mut Dice) -> InstrumentSpec {
    let mut spec =
        InstrumentSpec { tiers: tiers(TierRule::Marginal, [10_000_000, 48_000_000][dice.below(2) as usize]), ..spec() };
    let venue = |name: &str| Venue { name: name.to_owned(), weight_ppb: 1_000_000_000 };
    let mut venues = vec![venue("a")];
    if dice.below(2) == 0 {
        venues.insert(dice.below(2) as usize, venue("b"));
    }
    let stale_after_ns = [None, Some(40)][dice.below(2) as usize];
    spec.prices.index = IndexRules { venues, stale_after_ns, ..IndexRules::default() };
    let rule = [MarkRule::External, MarkRule::FairBasis, MarkRule::Median, MarkRule::EmaBasis][dice.below(4) as usize];
    spec.prices.mark =
        MarkRules { samples: 1 + dice.below(3) as u32, sample_every_ns: 10, ema_ns: 50, ..MarkRules::new(rule) };
    spec.prices.mark.stale_after_ns = [None, Some(30)][dice.below(2) as usize];
    let rates = RateRules { interval_ns: 300 + 100 * dice.below(2), sample_every_ns: 10, ..RateRules::default() };
    spec.prices.funding = (dice.below(2) == 0).then_some(RateRules { auto: dice.below(2) == 0, ..rates });
    spec.controls.margin_calls =
        [vec![], vec![500_000_000], vec![300_000_000, 700_000_000]][dice.below(3) as usize].clone();
    spec.controls.count_profits = dice.below(2) == 0;
    let limit = |dice: &mut Dice, limit| (dice.below(2) == 0).then_some(limit);
    let (open_interest, position) = (limit(dice, 400), limit(dice, 6));
    spec.controls.limits = Limits { open_interest, position, ..Limits::default() };
    spec.reduce.pacing = (dice.below(3) == 0).then_some(Pacing::Lots(5));
    spec
}

/// What comes in while prices come about now in one way, now in another.
fn input(dice: &mut Dice, price: &mut i64, now_ns: &mut u64, step: u64) -> Command {
    let account = id(dice.below(ACCOUNTS));
    *price = (*price + dice.below(31) as i64 - 15).clamp(800, 1_250);
    match dice.below(12) {
        0..=2 => Command::Mark { instrument: P, price: *price },
        3..=5 => Command::Index { instrument: P, venue: dice.below(2) as u16, price: *price * 100_000_000 },
        6 => Command::Last { instrument: P, price: *price + dice.below(9) as i64 - 4 },
        7 | 8 => {
            *now_ns += dice.below(30);
            Command::Time { ts_ns: *now_ns }
        }
        9 => Command::Order(Order {
            account,
            order: step,
            instrument: P,
            side: Side::Buy,
            quantity: 1 + dice.below(3) as i64,
            price: *price,
            reduce_only: false,
            position_side: None,
        }),
        10 => Command::Deposit { account, asset: USDT, amount: 1 + dice.below(50_000) as i64 },
        _ => fill(account, Some(id(dice.below(ACCOUNTS))), 1 + dice.below(2) as i64, *price),
    }
}

#[test]
fn prices_and_controls_change_alike_for_threads_and_their_record() {
    const MAX_LOSS: Option<i128> = Some(2_000);
    let mut told: BTreeMap<&str, u32> = BTreeMap::new();
    for (seed, shards) in [(1, 1), (2, 2), (3, 3), (4, 8), (5, 2), (6, 1)] {
        let (mut engine, mut log) = (engine_over(bounded_world(shards, MAX_LOSS), shards), Vec::new());
        let (mut dice, mut price, mut now_ns) = (Dice(100 + seed), 1_000, 0);
        for step in 0..2_000u64 {
            let submitted = if step % 40 == 20 {
                let spec = Box::new(changed(&mut dice));
                engine.submit_declaration(Some(now_ns), &Declaration::Rules { instrument: P, spec })
            } else if step % 40 == 30 {
                engine.submit(&Command::FundDeposit { fund: FundId(0), amount: 4_000 })
            } else if step % 40 == 5 {
                let book = BookUpdate {
                    bid: Some(price - 1),
                    ask: Some(price + 1),
                    impact_bid: Some(price - 3),
                    impact_ask: Some(price + 1),
                    ..BookUpdate::default()
                };
                engine.submit_book(Some(now_ns), P, &book)
            } else {
                engine.submit(&input(&mut dice, &mut price, &mut now_ns, step))
            };
            assert!(!matches!(submitted, Err(SubmitError::Stopped)), "{:?}", engine.failure());
            loop {
                engine.poll(|_| (), |output| log.push(*output));
                if engine.metrics().lag <= 3 || engine.failure().is_some() {
                    break;
                }
                std::thread::yield_now();
            }
        }
        let mut finished = engine.stop();
        assert_eq!(finished.failure, None);
        log.append(&mut finished.log);
        let record = finished.record.expect("it was recorded");
        let mut kernel = bounded_world(if shards == 1 { 4 } else { 1 }, MAX_LOSS);
        let (mut again, mut retrace) = (Vec::new(), Retrace::new(&record));
        while retrace.step(&mut kernel, &mut |output| again.push(output)).expect("the record is followed").is_some() {
            assert_eq!(kernel.audit(0, kernel.pools()), 0, "never late");
            assert!(kernel.asset_totals().iter().all(|totals| totals.difference() == 0));
        }
        assert!(again == log, "the log of the threads is that of the record");
        for output in &log {
            let kind = match output {
                Output::Refused { refusal, .. } if refusal.code() == Code::Limit => "limit",
                Output::Event { event, .. } => match event {
                    Event::MarkFrozen { .. } => "frozen",
                    Event::MarkLive { .. } => "live",
                    Event::Mark { .. } => "mark",
                    Event::MarginCall { .. } => "call",
                    Event::LiquidationStarted { cause: Cause::Op("set"), .. } => "started by set",
                    Event::FundingSettled { .. } => "funding",
                    Event::RulesSettled { .. } => "set",
                    Event::Mode { scope: Scope::Fund(_), mode: Mode::LiquidationPaused } => "paused",
                    Event::Mode { scope: Scope::Fund(_), .. } => "resumed",
                    _ => continue,
                },
                Output::Refused { .. } | _ => continue,
            };
            *told.entry(kind).or_default() += 1;
        }
    }
    println!("{told:?}");
    for kind in ["limit", "frozen", "live", "mark", "call", "started by set", "funding", "set", "paused", "resumed"] {
        assert!(told.contains_key(kind), "{kind}: {told:?}");
    }
}

/// A fund that holds 10 lots of each and comes below its floor asks account 3, which its share of the settlement under way puts in breach: nobody trades,
/// and who is in breach is looked for at the next place.
const BEHIND: &str = r#"
{"op":"asset","asset":"USDT","decimals":2}
{"op":"fund","fund":"F","asset":"USDT","floor":"95"}
{"op":"instrument","symbol":"P","kind":"linear_perp","underlying":"P","settle":"USDT","tick":"1","lot":"1","tiers":[{"cap":"100000","mmr":"0.05","max_leverage":10}],"fund":"F","reduce":[]}
{"op":"instrument","symbol":"Q","kind":"linear_perp","underlying":"Q","settle":"USDT","tick":"1","lot":"1","tiers":[{"cap":"100000","mmr":"0.05","max_leverage":10}],"fund":"F","reduce":[],"funding":{"chunk":1}}
{"op":"venue","mode":"manual"}
{"op":"fund_deposit","fund":"F","amount":"100"}
{"op":"deposit","account":1,"asset":"USDT","amount":"10"}
{"op":"deposit","account":2,"asset":"USDT","amount":"10"}
{"op":"deposit","account":3,"asset":"USDT","amount":"300"}
{"op":"fill","account":1,"counterparty":3,"symbol":"P","side":"buy","qty":"10","price":"100"}
{"op":"fill","account":2,"symbol":"Q","side":"buy","qty":"10","price":"100"}
{"op":"fill","account":3,"symbol":"Q","side":"buy","qty":"40","price":"99"}
{"op":"mark","symbol":"P","price":"99"}
{"op":"mark","symbol":"Q","price":"99"}
{"op":"mark","symbol":"Q","price":"99"}
"#;

#[test]
fn a_refusal_of_the_arbiter_hides_no_breach_that_a_decision_left() {
    let world = || {
        let mut session = Session::new(Settings { shards: 2, ..Settings::default() });
        for line in BEHIND.lines() {
            session
                .line(line.as_bytes(), &mut String::new())
                .unwrap_or_else(|rejection| panic!("{line}: {rejection:?}"));
        }
        session.into_kernel()
    };
    let settings = EngineSettings {
        record: true,
        layout: Layout { apart: Some(true), ..Layout::default() },
        ..EngineSettings::default()
    };
    let mut engine = Engine::by_hand(world(), &settings, |_| 0).unwrap();
    let mut log = Vec::new();
    engine.submit(&Command::Mark { instrument: InstrumentId(0), price: 98 }).unwrap();
    engine.submit(&Command::Funding { instrument: InstrumentId(1), rate_ppb: 30_000_000 }).unwrap();
    // The decision has its place, and nothing further until all that follows from it is told: the refusal comes before the first piece.
    for _ in 0..2 {
        while engine.go_on_by_hand() {}
        if engine.metrics().decisions == 0 {
            engine.poll(|_| (), |&output| log.push(output));
        }
    }
    assert_eq!(engine.metrics().decisions, 1);
    let too_much = Command::FundDeposit { fund: FundId(1), amount: i64::MAX };
    let refused = engine.submit(&too_much).unwrap();
    let finished = engine.stop();
    log.extend(finished.log);
    let breach = log
        .iter()
        .find(|output| matches!(output, Output::Event { event: Event::LiquidationStarted { account: 3, .. }, .. }));
    assert!(matches!(breach, Some(Output::Event { seq, .. }) if *seq == refused), "{log:?}");
    let mut again = Vec::new();
    replay(&mut world(), &finished.record.unwrap(), |output| again.push(output)).unwrap();
    assert_eq!(log, again);
}
