//! Marks that are held back: a false one liquidates nobody, a true one whom it must; verdicts against plain arithmetic; and the
//! threaded driver against the inline one, in lockstep and in streams.

#[path = "script/dice.rs"]
mod dice;

use dice::Dice;
use std::collections::BTreeMap;
use terrace::command::{Command, Fill, MarginMode, MarkSource, OffGrid, PositionMode, PositionSide, Side};
use terrace::contract::Unit;
use terrace::controls::{AirlockRule, Mode, Scope};
use terrace::decimal::Grid;
use terrace::engine::{Engine, EngineSettings, Entry, Layout, Output, Pinning, SubmitError, replay};
use terrace::event::AirlockOutcome;
use terrace::market::{AssetId, FreezeCause, FundId, InstrumentId, InstrumentSpec};
use terrace::prices::{IndexRules, MarkRule, MarkRules, PriceRules, Venue};
use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::venue::{BookUpdate, Level, VenueMode, VenueRules};
use terrace::{Declaration, Driver, Event, Kernel, Refusal, Settings, Strategy, Wait};

const A: InstrumentId = InstrumentId(0);
const B: InstrumentId = InstrumentId(1);
const C: InstrumentId = InstrumentId(2);
const USD: AssetId = AssetId(0);
const FUND: FundId = FundId(0);
const PPB: i128 = 1_000_000_000;

const RULE: AirlockRule = AirlockRule {
    max_jump_ppb: Some(200_000_000),
    preview_jump_ppb: Some(50_000_000),
    max_liquidation: Some(20_000),
    timeout_ns: Some(1_000),
};

/// Tick, lot and quantum are 1; 5 % margin up to 20 000, then 10 %.
fn spec(symbol: &str, airlock: Option<AirlockRule>) -> InstrumentSpec {
    let row = |cap, mmr_ppb, max_leverage| TierRow { cap, mmr_ppb, max_leverage, deduction: None };
    let rows = [row(20_000, 50_000_000, 1_000), row(1 << 50, 100_000_000, 500)];
    let (grid, tiers) = (Grid::decimals(0), TierTable::new(TierRule::Marginal, &rows).unwrap());
    let mut spec = InstrumentSpec::new(symbol, USD, FUND, (grid, grid), Unit::Linear(1), tiers);
    spec.controls.airlock = airlock;
    spec.funding.chunk = 3;
    spec
}

fn fill(account: u64, instrument: InstrumentId, quantity: i64, price: i64) -> Command {
    Command::Fill(Fill {
        account,
        counterparty: None,
        order: None,
        counter_order: None,
        instrument,
        side: if quantity > 0 { Side::Buy } else { Side::Sell },
        quantity: quantity.abs(),
        price,
        liquidity: None,
        position_side: None,
        counter_position_side: None,
    })
}

fn mark(price: i64, source: u64) -> Command {
    Command::MarkFrom { instrument: A, price, source: MarkSource(source) }
}

/// Sixty accounts, long and short of `A` at 1000, at up to ten times what they have.
fn crowd(airlock: Option<AirlockRule>, shards: u32, strategy: Strategy) -> Kernel {
    let mut kernel = Kernel::new(Settings { shards, strategy, ..Settings::default() });
    kernel.declare_asset(None, "USD", 0).unwrap();
    kernel.declare_instrument(None, spec("A", airlock)).unwrap();
    kernel.set_venue(None, VenueMode::Bankruptcy).unwrap();
    kernel.apply(&Command::FundDeposit { fund: FUND, amount: 1_000_000 }).unwrap();
    kernel.apply(&mark(1_000, 1)).unwrap();
    let mut dice = Dice(5);
    for account in 1..=60 {
        let lots = dice.range(1, 9);
        kernel.apply(&Command::Deposit { account, asset: USD, amount: lots * dice.range(110, 600) }).unwrap();
        if account % 3 == 0 {
            kernel.apply(&Command::MarginMode { account, instrument: A, mode: MarginMode::Isolated }).unwrap();
        }
        kernel.apply(&fill(account, A, if account % 2 == 0 { lots } else { -lots }, 1_000)).unwrap();
    }
    kernel
}

fn every_way(test: impl Fn(u32, Strategy)) {
    for strategy in Strategy::ALL {
        for shards in [1, 3] {
            test(shards, strategy);
        }
    }
}

fn told(kernel: &mut Kernel, ts_ns: Option<u64>, command: &Command) -> Vec<Event> {
    kernel.apply_at(ts_ns, command, OffGrid::NONE).unwrap();
    kernel.events().to_vec()
}

fn is_about_airlock(event: &Event) -> bool {
    matches!(
        event,
        Event::AirlockHeld { .. }
            | Event::AirlockEnded { .. }
            | Event::MarkFrozen { cause: FreezeCause::Airlock, .. }
            | Event::MarkLive { cause: FreezeCause::Airlock, .. }
    )
}

#[test]
fn a_false_mark_liquidates_nobody() {
    every_way(|shards, strategy| {
        for end in [mark(1_010, 1), Command::AirlockRelease { instrument: A, accept: false }] {
            let mut kernel = crowd(Some(RULE), shards, strategy);
            let before: Vec<_> = kernel.accounts().into_iter().map(|account| kernel.account(account)).collect();
            let events = told(&mut kernel, None, &mark(700, 1));
            assert!(matches!(
                events[..],
                [
                    Event::AirlockHeld { instrument: A, price: 700, mark: 1_000, accounts: 1.., .. },
                    Event::MarkFrozen { instrument: A, cause: FreezeCause::Airlock }
                ]
            ));
            assert_eq!(kernel.market().instrument(A).held_mark(), Some((700, 0)));
            let after: Vec<_> = kernel.accounts().into_iter().map(|account| kernel.account(account)).collect();
            assert_eq!(before, after, "positions are valued at the mark in force");
            let events = told(&mut kernel, None, &end);
            assert!(matches!(
                events[..],
                [
                    Event::AirlockEnded {
                        outcome: AirlockOutcome::Withdrawn | AirlockOutcome::Discarded,
                        price: 1_000 | 1_010,
                        ..
                    },
                    Event::MarkLive { cause: FreezeCause::Airlock, .. }
                ]
            ));
            assert_eq!(kernel.market().instrument(A).held_mark(), None);
            assert_eq!(kernel.audit(0, kernel.pools()), 0);
        }
    });
}

/// In all ways in which a mark gets through, what follows is what would have followed without an airlock.
#[test]
fn a_true_mark_liquidates_whom_it_would_have_without_an_airlock() {
    let release = Command::AirlockRelease { instrument: A, accept: true };
    let ways: [(i64, Option<u64>, Command, AirlockOutcome); 4] = [
        (704, None, mark(700, 2), AirlockOutcome::Confirmed),
        (560, None, mark(700, 2), AirlockOutcome::Confirmed), // 25 % of 560, but 20 % of 700: see below
        (700, None, release, AirlockOutcome::Accepted),
        (700, Some(1_000), Command::Time { ts_ns: 1_000 }, AirlockOutcome::Timeout),
    ];
    every_way(|shards, strategy| {
        for (held, ts_ns, end, outcome) in ways {
            let mut open = crowd(None, shards, strategy);
            let expected = told(&mut open, None, &mark(700, 1));
            assert!(expected.iter().any(|event| matches!(event, Event::LiquidationStarted { .. })));
            let mut kernel = crowd(Some(RULE), shards, strategy);
            assert!(told(&mut kernel, None, &mark(held, 1)).iter().all(is_about_airlock));
            let events = told(&mut kernel, ts_ns, &end);
            if held == 560 {
                // 700 is farther than a fifth of 560 from it: it takes its place, and is confirmed by a third.
                assert_eq!(events, []);
                told(&mut kernel, None, &mark(700, 1));
            }
            let events = if held == 560 { kernel.events().to_vec() } else { events };
            let Some(Event::AirlockEnded { outcome: found, price: 700, .. }) = events.first() else {
                panic!("{events:?}")
            };
            assert_eq!(*found, outcome);
            let rest: Vec<Event> = events.into_iter().filter(|event| !is_about_airlock(event)).collect();
            let plain = |events: Vec<Event>| -> Vec<String> {
                let cause = |text: String| text.split(", cause:").next().unwrap_or_default().to_owned();
                events.iter().map(|event| cause(format!("{event:?}"))).collect()
            };
            assert_eq!(plain(rest), plain(expected));
            let state = |kernel: &Kernel| -> Vec<_> {
                kernel.accounts().into_iter().map(|account| kernel.account(account)).collect()
            };
            assert_eq!(state(&kernel), state(&open));
        }
    });
}

/// The airlock once more, plainly: one instrument, positions that are given.
struct Plain {
    live: i128,
    held: Option<(i128, u64, u64)>,
    /// Collateral, lots and cost of every pool that is not closed, with its account.
    pools: Vec<(u64, i128, i128, i128)>,
}

/// What is expected to be told: an outcome, its price, and of a hold whom it would concern.
#[derive(Debug, PartialEq)]
enum Expected {
    Held(i128, [i128; 3]),
    Ended(AirlockOutcome, i128),
}

impl Plain {
    fn would(&self, price: i128) -> [i128; 3] {
        let (mut accounts, mut notional, mut loss) = (BTreeMap::new(), 0, 0);
        for &(account, collateral, lots, cost) in &self.pools {
            let (equity, size) = (collateral + lots * price - cost, lots.abs() * price);
            let margin = if size <= 20_000 { (size * 5 + 99) / 100 } else { (size * 10 + 99) / 100 - 20_000 * 5 / 100 };
            if equity <= margin {
                accounts.insert(account, ());
                notional += size;
                loss += (-equity).max(0);
            }
        }
        [accounts.len() as i128, notional, loss]
    }

    fn beyond(ppb: Option<u64>, price: i128, from: i128) -> bool {
        ppb.is_some_and(|ppb| (price - from).abs() * PPB > i128::from(ppb) * from)
    }

    fn mark(&mut self, price: i128, source: u64, now: u64) -> Option<Expected> {
        let jumps = Self::beyond(RULE.max_jump_ppb, price, self.live);
        let doubtful = !jumps && Self::beyond(RULE.preview_jump_ppb, price, self.live);
        if let Some((held, by, _)) = self.held {
            let confirms = source != by && !Self::beyond(RULE.max_jump_ppb, price, held);
            if confirms || !(jumps || doubtful) {
                (self.held, self.live) = (None, price);
                let outcome = if confirms { AirlockOutcome::Confirmed } else { AirlockOutcome::Withdrawn };
                return Some(Expected::Ended(outcome, price));
            }
            if now >= self.held.map_or(0, |(.., since)| since) + RULE.timeout_ns.unwrap() {
                self.held = self.held.map(|(.., since)| (price, source, since));
                return None; // no verdict: it is let through now
            }
        }
        let would = self.would(price);
        let too_much = would[1] > i128::from(RULE.max_liquidation.unwrap());
        if jumps || (doubtful && too_much) {
            let first = self.held.is_none();
            self.held = Some((price, source, self.held.map_or(now, |(.., since)| since)));
            return first.then_some(Expected::Held(price, would));
        }
        let ended = self.held.take().map(|_| Expected::Ended(AirlockOutcome::Withdrawn, price));
        self.live = price;
        ended
    }

    fn time(&mut self, now: u64) -> Option<Expected> {
        let (held, _, since) = self.held.filter(|(.., since)| now >= since + RULE.timeout_ns.unwrap())?;
        (self.held, self.live) = (None, held);
        assert!(since < now);
        Some(Expected::Ended(AirlockOutcome::Timeout, held))
    }
}

#[test]
fn outcomes_are_those_of_plain_arithmetic() {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..40 {
        let (shards, strategy) = (1 + seed as u32 % 3, Strategy::ALL[seed as usize % 4]);
        let mut kernel = crowd(Some(RULE), shards, strategy);
        let mut plain = Plain { live: 1_000, held: None, pools: Vec::new() };
        let (mut dice, mut now) = (Dice(seed), 1);
        for _ in 0..200 {
            plain.pools.clear();
            for account in kernel.accounts() {
                let view = kernel.account(account).unwrap();
                for at in &view.positions {
                    let collateral = at.margin.unwrap_or_else(|| view.balances[0].1);
                    plain.pools.push((account, collateral, i128::from(at.position.quantity), at.position.cost));
                }
            }
            now += [100, 300, 1_200][dice.below(3) as usize];
            let around = if dice.below(2) == 0 { plain.held.map_or(plain.live, |held| held.0) } else { plain.live };
            let reach = [2, 6, 12, 35][dice.below(4) as usize];
            let price = (around as i64 * dice.range(100 - reach, 100 + reach) / 100).clamp(300, 3_000);
            let (command, expected) = match dice.below(10) {
                0 => (Command::AirlockRelease { instrument: A, accept: true }, {
                    let taken = plain.held.take();
                    plain.live = taken.map_or(plain.live, |held| held.0);
                    taken.map(|held| Expected::Ended(AirlockOutcome::Accepted, held.0))
                }),
                1 => (Command::AirlockRelease { instrument: A, accept: false }, {
                    plain.held.take().map(|_| Expected::Ended(AirlockOutcome::Discarded, plain.live))
                }),
                2 => (Command::Deposit { account: 1 + dice.below(60), asset: USD, amount: 1 }, None),
                _ => {
                    let source = dice.below(3);
                    (mark(price, source), plain.mark(i128::from(price), source, now))
                }
            };
            let refused = matches!(command, Command::AirlockRelease { .. }) && expected.is_none();
            let mut all: Vec<Expected> = expected.into_iter().collect();
            let applied = kernel.apply_at(Some(now), &command, OffGrid::NONE);
            assert_eq!(applied.is_err(), refused, "{command:?}: {applied:?}");
            if applied.is_err() {
                continue;
            }
            // A mark that is let through may put pools in breach; the time is looked at before that.
            all.extend(plain.time(now));
            let found: Vec<Expected> = kernel
                .events()
                .iter()
                .filter_map(|event| match *event {
                    Event::AirlockHeld { price, accounts, notional, fund_loss, .. } => {
                        Some(Expected::Held(i128::from(price), [i128::from(accounts), notional, fund_loss]))
                    }
                    Event::AirlockEnded { outcome, price, .. } => Some(Expected::Ended(outcome, i128::from(price))),
                    _ => None,
                })
                .collect();
            assert_eq!(found, all, "seed {seed}, {command:?} at {now}");
            for one in &found {
                let word = match one {
                    Expected::Held(..) => "held",
                    Expected::Ended(outcome, _) => outcome.as_str(),
                };
                *seen.entry(word.to_owned()).or_default() += 1;
            }
            let at = kernel.market().instrument(A);
            assert_eq!(at.mark.map(i128::from), Some(plain.live));
            assert_eq!(
                at.held_mark().map(|(price, since)| (i128::from(price), since)),
                plain.held.map(|(p, _, s)| (p, s))
            );
            assert_eq!(at.lives(), plain.held.is_none());
            assert_eq!(kernel.audit(0, kernel.pools()), 0);
        }
    }
    println!("{seen:?}");
    for word in ["held", "confirmed", "withdrawn", "timeout", "accepted", "discarded"] {
        assert!(seen.get(word).copied().unwrap_or(0) > 20, "{word}: {seen:?}");
    }
}

// Threads.

/// What goes in.
#[derive(Clone, Debug)]
enum Input {
    Command(Option<u64>, Command),
    Book(InstrumentId, i64),
    Declare(Declaration),
}

/// `A` is given, `B` is computed and moves with the venue's fills, `C` has no airlock; some accounts have legs.
fn world(shards: u32, strategy: Strategy) -> Kernel {
    let mut kernel = Kernel::new(Settings { shards, strategy, ..Settings::default() });
    kernel.declare_asset(None, "USD", 0).unwrap();
    let stale = |rule| MarkRules { stale_after_ns: Some(1_200), ..MarkRules::new(rule) };
    let mut a = spec("A", Some(RULE));
    a.prices.mark = stale(MarkRule::External);
    a.controls.margin_calls = vec![800_000_000];
    kernel.declare_instrument(None, a).unwrap();
    let mut b = spec("B", Some(RULE));
    let venue = |name: &str| Venue { name: name.into(), weight_ppb: 1_000_000_000 };
    let index =
        IndexRules { venues: vec![venue("x"), venue("y")], stale_after_ns: Some(1_500), ..IndexRules::default() };
    b.prices = PriceRules {
        index,
        mark: MarkRules { samples: 2, sample_every_ns: 50, ..stale(MarkRule::Median) },
        funding: None,
    };
    kernel.declare_instrument(None, b).unwrap();
    kernel.declare_instrument(None, spec("C", None)).unwrap();
    kernel.set_venue_rules(None, VenueRules::new(VenueMode::Book)).unwrap();
    kernel.apply(&Command::FundDeposit { fund: FUND, amount: 200_000 }).unwrap();
    for account in (1..=40u64).filter(|account| account % 8 == 0) {
        kernel.apply(&Command::Account { account, positions: PositionMode::Hedge, group: None }).unwrap();
    }
    kernel
}

fn script(seed: u64, inputs: usize) -> Vec<Input> {
    let (mut dice, mut now, mut marks) = (Dice(seed), 1u64, [1_000i64; 3]);
    let mut all = Vec::new();
    for account in 1..=40u64 {
        all.push(Input::Command(None, Command::Deposit { account, asset: USD, amount: dice.range(500, 30_000) }));
        if account % 5 == 0 {
            let mode = MarginMode::Isolated;
            all.push(Input::Command(
                None,
                Command::MarginMode { account, instrument: InstrumentId(account as u32 % 3), mode },
            ));
        }
    }
    while all.len() < inputs {
        now += [0, 1, 40, 400][dice.below(4) as usize];
        let ts_ns = (dice.below(3) > 0).then_some(now);
        let instrument = [A, A, B, B, C][dice.below(5) as usize];
        let at = &mut marks[instrument.0 as usize];
        let reach = [1, 1, 3, 8, 30][dice.below(5) as usize];
        let price = (*at * dice.range(100 - reach, 100 + reach) / 100).clamp(400, 2_500);
        let account = 1 + dice.below(42); // two do not exist
        let command = match dice.below(24) {
            0..=6 => {
                *at = price;
                match instrument {
                    B => Command::Index { instrument: B, venue: dice.below(2) as u16, price: price * 100_000_000 },
                    C => Command::Mark { instrument: C, price },
                    _ => Command::MarkFrom { instrument: A, price, source: MarkSource(dice.below(3)) },
                }
            }
            7 | 20 => Command::Time { ts_ns: now },
            8 => Command::Last { instrument, price },
            9 => {
                all.push(Input::Book(instrument, price));
                continue;
            }
            10..=15 => {
                let lots = dice.range(1, 4);
                let quantity = if dice.below(2) == 0 { lots } else { -lots };
                let side = dice.below(2) == 0;
                match fill(account, instrument, quantity, *at) {
                    Command::Fill(fill) if account % 8 == 0 => {
                        let side = if side { PositionSide::Long } else { PositionSide::Short };
                        Command::Fill(Fill { position_side: Some(side), ..fill })
                    }
                    fill => fill,
                }
            }
            16 => Command::Withdraw { account, asset: USD, amount: dice.range(1, 900) },
            17 => Command::Deposit { account, asset: USD, amount: dice.range(1, 3_000) },
            18 if dice.below(2) == 0 => Command::AirlockRelease { instrument, accept: dice.below(2) == 0 },
            19 if dice.below(2) == 0 => {
                let scope = [Scope::All, Scope::Instrument(instrument)][dice.below(2) as usize];
                Command::Mode { scope, mode: if dice.below(3) == 0 { Mode::Halted } else { Mode::Normal } }
            }
            21 => Command::Funding { instrument, rate_ppb: dice.range(-5_000_000, 5_000_000) },
            22 => {
                let rule = match dice.below(4) {
                    0 => None,
                    1 => Some(AirlockRule { max_jump_ppb: Some(100_000_000), ..AirlockRule::default() }),
                    2 => Some(AirlockRule { timeout_ns: Some(100), ..RULE }),
                    _ => Some(RULE),
                };
                let kernel = world(1, Strategy::Bands); // for its rules
                let mut spec = kernel.market().instrument(instrument).spec.clone();
                spec.controls.airlock = rule;
                all.push(Input::Declare(Declaration::Rules { instrument, spec: Box::new(spec) }));
                continue;
            }
            _ => Command::FundDeposit { fund: FUND, amount: dice.range(1, 500) },
        };
        let ts_ns = if let Command::Time { .. } = command { None } else { ts_ns };
        all.push(Input::Command(ts_ns, command));
    }
    all
}

fn book(at: i64) -> ([Level; 2], [Level; 2]) {
    let level = |price: i64, quantity| Level { price, quantity };
    ([level(at - 2, 3), level(at * 9 / 10, 6)], [level(at + 2, 3), level(at * 11 / 10, 6)])
}

fn put(driver: &mut impl Driver, input: &Input) -> Result<Vec<Event>, Refusal> {
    match input {
        Input::Command(ts_ns, command) => driver.command(*ts_ns, command, OffGrid::NONE),
        Input::Book(id, at) => {
            let (bids, asks) = book(*at);
            let update = BookUpdate { bids: Some(&bids), asks: Some(&asks), ..BookUpdate::default() };
            driver.carry_out(None, &terrace::Input::Book(*id, &update))
        }
        Input::Declare(declaration) => driver.declare(None, declaration),
    }?;
    Ok(driver.events().to_vec())
}

fn start(workers: u32, apart: bool, ring: usize) -> Engine {
    let layout = Layout { workers: Some(workers), apart: Some(apart), wait: Some(Wait::Yield), pinning: Pinning::Off };
    let settings = EngineSettings { layout, ring, queue: 64, record: true, ..EngineSettings::default() };
    Engine::start(world(workers, Strategy::Bands), &settings).unwrap()
}

fn state(kernel: &Kernel) -> String {
    let accounts: Vec<_> = kernel.accounts().into_iter().map(|account| kernel.account(account)).collect();
    let marks: Vec<_> = [A, B, C]
        .map(|id| kernel.market().instrument(id))
        .iter()
        .map(|at| (at.mark, at.frozen, at.held_mark()))
        .collect();
    format!("{accounts:?} {marks:?} {:?} {:?}", kernel.fund(FUND), kernel.asset_totals())
}

fn check_books(kernel: &Kernel) {
    assert_eq!(kernel.audit(0, kernel.pools()), 0, "a pool is in breach and not in liquidation");
    assert!(kernel.asset_totals().iter().all(|totals| totals.difference() == 0));
    assert!(kernel.instrument_totals().iter().all(|totals| totals.long == totals.short));
}

#[test]
fn in_lockstep_threads_say_what_the_inline_kernel_says() {
    let mut seen = BTreeMap::new();
    for seed in 0..12 {
        let mut engine = start(1 + seed as u32 % 3, seed % 2 == 0, 16);
        let (mut inline, mut scan) = (world(1, Strategy::Bands), world(2, Strategy::Dense));
        for input in script(seed, 500) {
            let expected = put(&mut inline, &input);
            assert_eq!(put(&mut scan, &input), expected, "seed {seed}, {input:?}");
            assert_eq!(put(&mut engine, &input), expected, "seed {seed}, {input:?}");
            check_books(&inline);
            count(&mut seen, expected.iter().flatten());
        }
        let finished = engine.stop();
        let threaded = finished.kernel.expect("all threads ended");
        assert_eq!(state(&threaded), state(&inline));
        let mut again = world(2, Strategy::Dense);
        replay(&mut again, &finished.record.unwrap(), |_| ()).unwrap();
        assert_eq!(state(&again), state(&inline));
    }
    println!("{seen:?}");
    expect_all(&seen, 5);
}

fn count<'a>(seen: &mut BTreeMap<String, u32>, events: impl IntoIterator<Item = &'a Event>) {
    for event in events {
        let word = match event {
            Event::AirlockHeld { instrument, .. } => format!("held {}", instrument.0),
            Event::AirlockEnded { instrument, outcome, .. } => format!("{} {}", outcome.as_str(), instrument.0),
            Event::LiquidationStarted { .. } => "liquidated".to_owned(),
            Event::LiquidationSuppressed { .. } => "suppressed".to_owned(),
            Event::MarkLive { cause, .. } => format!("live {}", cause.as_str()),
            _ => continue,
        };
        *seen.entry(word).or_default() += 1;
    }
}

/// Everything must have happened, of a given and of a computed mark together at least so often.
fn expect_all(seen: &BTreeMap<String, u32>, least: u32) {
    let of = |word: &str| seen.iter().filter(|(known, _)| known.starts_with(word)).map(|(_, times)| times).sum::<u32>();
    for word in ["held", "withdrawn", "timeout", "accepted", "discarded"] {
        assert!(of(word) >= least && of(&format!("{word} 1")) > 0, "{word}: {seen:?}");
    }
    for word in ["confirmed 0", "liquidated", "suppressed", "live airlock", "live stale", "live halted", "live index"] {
        assert!(of(word) >= least, "{word}: {seen:?}");
    }
}

#[test]
fn the_record_of_a_stream_gives_the_same_log_inline() {
    let (mut seen, mut behind) = (BTreeMap::new(), 0);
    for seed in 100..130u64 {
        let mut engine = start(1 + seed as u32 % 3, seed % 2 == 0, 64);
        let mut log: Vec<Output> = Vec::new();
        for input in script(seed, 700) {
            loop {
                let submitted = match &input {
                    Input::Command(ts_ns, command) => engine.submit_at(*ts_ns, command, OffGrid::NONE),
                    Input::Book(id, at) => {
                        let (bids, asks) = book(*at);
                        let update = BookUpdate { bids: Some(&bids), asks: Some(&asks), ..BookUpdate::default() };
                        engine.submit_book(None, *id, &update)
                    }
                    Input::Declare(declaration) => engine.submit_declaration(None, declaration),
                };
                match submitted {
                    Err(SubmitError::Full) => engine.poll(|_| (), |&output| log.push(output)),
                    Ok(_) | Err(SubmitError::Refused(_)) => break,
                    Err(error) => panic!("{error}: {:?}", engine.failure()),
                }
            }
        }
        engine.poll(|_| (), |&output| log.push(output));
        let mut finished = engine.stop();
        assert_eq!(finished.failure, None);
        log.append(&mut finished.log);
        let record = finished.record.unwrap();
        let is_decision = |entry: &Entry| matches!(entry, Entry::Decide { .. });
        behind += record.windows(2).filter(|pair| !is_decision(&pair[0]) && !is_decision(&pair[1])).count();
        let (mut again, mut said) = (world(2, Strategy::Dense), Vec::new());
        replay(&mut again, &record, |output| said.push(output)).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let first = log.iter().zip(&said).position(|(a, b)| a != b);
        assert_eq!(first.map(|at| (&log[at], &said[at])), None, "seed {seed}");
        assert_eq!(log.len(), said.len(), "seed {seed}");
        let threaded = finished.kernel.expect("all threads ended");
        assert_eq!(state(&threaded), state(&again), "seed {seed}");
        check_books(&threaded);
        count(
            &mut seen,
            log.iter().filter_map(|output| if let Output::Event { event, .. } = output { Some(event) } else { None }),
        );
    }
    println!("{seen:?}, {behind} inputs followed by another one directly");
    assert!(behind > 1_000, "the streams hardly streamed");
    expect_all(&seen, 1);
}

/// Where the sequencer knows marks behind an airlock within bounds only, it asks before it refuses anything as too large.
#[test]
fn sizes_are_bounded_by_the_held_mark_too() {
    let rule = AirlockRule { max_jump_ppb: Some(200_000_000), ..AirlockRule::default() };
    let kernel = |shards| {
        let mut kernel = Kernel::new(Settings { shards, ..Settings::default() });
        kernel.declare_asset(None, "USD", 0).unwrap();
        kernel.declare_instrument(None, spec("A", Some(rule))).unwrap();
        kernel.apply(&Command::Deposit { account: 1, asset: USD, amount: 1 << 60 }).unwrap();
        kernel
    };
    let layout = Layout { workers: Some(2), apart: Some(false), wait: Some(Wait::Yield), pinning: Pinning::Off };
    let settings = EngineSettings { layout, ring: 64, queue: 64, ..EngineSettings::default() };
    let mut engine = Engine::start(kernel(2), &settings).unwrap();
    let mut inline = kernel(1);
    let size = 1i64 << 41; // at 2^20 it is worth 2^61, at 2^21 too much
    let steps = [
        (mark(1 << 20, 1), true),
        (mark(1 << 21, 1), true), // held
        (fill(1, A, size, 1 << 20), false),
        (Command::AirlockRelease { instrument: A, accept: false }, true),
        (fill(1, A, size, 1 << 20), true),
        (mark(1 << 21, 1), false), // the open interest would be worth too much, held or not
        (mark((1 << 20) + 5, 1), true),
    ];
    for (command, fits) in steps {
        let (expected, found) =
            (put(&mut inline, &Input::Command(None, command)), put(&mut engine, &Input::Command(None, command)));
        assert_eq!(expected.is_ok(), fits, "{command:?}: {expected:?}");
        assert_eq!(found, expected, "{command:?}");
    }
}
