//! The journal: what is written is read again exactly, whatever else stands in a file is noticed, and nothing in a file can
//! make reading it, or going through it, panic.

use std::fs;
use std::path::Path;
use tempfile::TempDir;
use terrace::command::{
    Command, Fill, Liquidity, MarginMode, MarkSource, OffGrid, Order, OrderName, OrderOwner, PositionMode,
    PositionSide, Side,
};
use terrace::contract::Unit;
use terrace::controls::{AirlockRule, Controls, Limits, Mode, OiMargin, Scope};
use terrace::correction::{Correction, Remedy, Trade};
use terrace::decimal::{Decimal, Grid};
use terrace::engine::{Decision, Depth, Entry, VenueAnswer, replay};
use terrace::event::PoolName;
use terrace::jobs::{JobKind, JobName, Part};
use terrace::journal::{Cut, FILE_NAME, Frame, JournalError, MAX_PAYLOAD, Reader, Sequence, Writer, read};
use terrace::market::{
    AdlPolicy, AdlPrice, AdlRank, AssetId, DrawdownRule, FundId, FundSpec, FundingRules, InstrumentId, InstrumentSpec,
    Pacing, ReducePolicy,
};
use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::venue::{BookUpdate, Level, VenueMode, VenueRules};
use terrace::{Declaration, Kernel, Settings};

// The format once more, by its description alone.

const HEADER: usize = 24;
const HEAD: usize = 12;

/// CRC-32C, bit by bit, going on from `check`.
fn crc(check: u32, bytes: &[u8]) -> u32 {
    let mut crc = !check;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
        }
    }
    !crc
}

fn header(magic: &[u8; 8], kind: &[u8; 8], version: u32) -> Vec<u8> {
    let mut header = [&magic[..], &kind[..], &version.to_le_bytes()].concat();
    header.extend(crc(0, &header).to_le_bytes());
    header
}

/// A file of these payloads.
fn file_of<'a>(payloads: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut file = header(b"TERRACE\n", b"sequence", 1);
    let mut check = crc(0, &file[..20]);
    for payload in payloads {
        let length = (payload.len() as u32).to_le_bytes();
        let head = crc(check, &length);
        check = crc(head, payload);
        file.extend([&length[..], &head.to_le_bytes(), &check.to_le_bytes(), payload].concat());
    }
    file
}

/// Where the frames of a good file begin, and their payloads.
fn frames_of(file: &[u8]) -> Vec<(usize, &[u8])> {
    let mut frames = Vec::new();
    let mut at = HEADER;
    while at < file.len() {
        let length = u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        frames.push((at, &file[at + HEAD..at + HEAD + length]));
        at += HEAD + length;
    }
    frames
}

// What is written.

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 0
    }

    /// Of any size, the limits among them.
    fn number(&mut self) -> u64 {
        match self.below(8) {
            0 => 0,
            1 => u64::MAX,
            2 => 1 << 63,
            _ => {
                let shift = self.below(64);
                self.roll() >> shift
            }
        }
    }

    fn signed(&mut self) -> i64 {
        self.number() as i64
    }

    fn small(&mut self) -> u32 {
        self.number() as u32
    }

    fn maybe<T>(&mut self, draw: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.flag() { Some(draw(self)) } else { None }
    }

    fn list<T>(&mut self, longest: u64, mut draw: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(longest + 1)).map(|_| draw(self)).collect()
    }

    fn name(&mut self) -> String {
        let letters = b"ABCXYZabcxyz0189_.:/-";
        (0..=self.below(32)).map(|_| char::from(letters[self.below(letters.len() as u64) as usize])).collect()
    }
}

fn side(dice: &mut Dice) -> Side {
    if dice.flag() { Side::Buy } else { Side::Sell }
}

fn order_name(dice: &mut Dice) -> OrderName {
    let owner =
        if dice.flag() { OrderOwner::Account(dice.number()) } else { OrderOwner::Fund(InstrumentId(dice.small())) };
    OrderName { owner, nth: dice.small() }
}

fn leg(dice: &mut Dice) -> Option<PositionSide> {
    dice.maybe(|dice| if dice.flag() { PositionSide::Long } else { PositionSide::Short })
}

const COMMANDS: u64 = 22;

/// The `kind`-th command, with numbers that need make no sense.
fn command(dice: &mut Dice, kind: u64) -> Command {
    let (account, amount, price) = (dice.number(), dice.signed(), dice.signed());
    let (instrument, asset) = (InstrumentId(dice.small()), AssetId(dice.small()));
    match kind {
        0 => Command::Mark { instrument, price },
        1 if dice.flag() => Command::Index { instrument, venue: dice.small() as u16, price },
        1 => Command::Last { instrument, price },
        2 => Command::Fill(Fill {
            account,
            counterparty: dice.maybe(Dice::number),
            order: dice.maybe(Dice::number),
            counter_order: dice.maybe(Dice::number),
            instrument,
            side: side(dice),
            quantity: amount,
            price,
            liquidity: dice.maybe(|dice| if dice.flag() { Liquidity::Maker } else { Liquidity::Taker }),
            position_side: leg(dice),
            counter_position_side: leg(dice),
        }),
        3 => Command::Order(Order {
            account,
            order: dice.number(),
            instrument,
            side: side(dice),
            quantity: amount,
            price,
            reduce_only: dice.flag(),
            position_side: leg(dice),
        }),
        4 => Command::Cancel { account, order: dice.number() },
        5 => Command::Account {
            account,
            positions: if dice.flag() { PositionMode::Hedge } else { PositionMode::OneWay },
            group: (account % 2 == 1).then_some(account / 2), // draws nothing: the other entries keep their bytes
        },
        6 => Command::Deposit { account, asset, amount },
        7 => Command::Withdraw { account, asset, amount },
        8 => Command::Leverage { account, instrument, leverage: dice.small() },
        9 => {
            let mode = if dice.flag() { MarginMode::Cross } else { MarginMode::Isolated };
            Command::MarginMode { account, instrument, mode }
        }
        10 => Command::IsolatedMargin { account, instrument, amount, position_side: leg(dice) },
        11 => Command::Hold { account, hold: dice.number(), asset, amount },
        12 => Command::Commit { account, hold: dice.number() },
        13 => Command::Release { account, hold: dice.number() },
        14 => Command::FundDeposit { fund: FundId(dice.small()), amount },
        15 => Command::LiquidationFill { order: order_name(dice), instrument, quantity: amount, price },
        16 => Command::LiquidationExpire { order: order_name(dice) },
        17 => Command::LiquidationUnknown { order: order_name(dice) },
        18 if dice.flag() => {
            let scopes = [Scope::All, Scope::Instrument(instrument), Scope::Account(account)];
            Command::Mode { scope: scopes[dice.below(3) as usize], mode: Mode::ALL[dice.below(6) as usize] }
        }
        18 => {
            let pool = if dice.flag() { PoolName::Cross(asset) } else { PoolName::Isolated(instrument, leg(dice)) };
            Command::CancelAck { account, pool, execution: dice.number() }
        }
        19 => Command::Time { ts_ns: dice.number() },
        20 => Command::Funding { instrument, rate_ppb: amount },
        _ => {
            let kind = if dice.flag() { JobKind::Settlement } else { JobKind::Rules };
            let part = if dice.flag() { Part::UpTo(account) } else { Part::End };
            Command::Chunk { job: JobName { instrument, kind }, part }
        }
    }
}

fn grid(dice: &mut Dice) -> Grid {
    let mantissa = 1 + i128::from(dice.below(999_999_999_999));
    Grid::new(Decimal::new(mantissa, dice.below(19) as u32)).expect("at most 12 digits and 18 decimals")
}

fn tiers(dice: &mut Dice) -> TierTable {
    let row = |n: i128| TierRow {
        cap: n * 1_000_000_007,
        mmr_ppb: 4_000_000 + n as u64 * 3,
        max_leverage: 10_000 - n as u32 * 100,
        deduction: None,
    };
    let rows: Vec<TierRow> = (1..=1 + i128::from(dice.below(12))).map(row).collect();
    let rule = if dice.flag() { TierRule::Marginal } else { TierRule::Step };
    TierTable::new(rule, &rows).expect("caps and rates rise, leverage falls")
}

const RANKS: [AdlRank; 4] = [AdlRank::PnlLeverage, AdlRank::PnlMarginRatio, AdlRank::ProfitNotional, AdlRank::ProRata];

fn declaration(dice: &mut Dice, kind: u64) -> Declaration {
    match kind {
        0 => Declaration::Asset { name: dice.name(), decimals: dice.below(13) as u32 },
        1 => Declaration::Fund(FundSpec {
            name: dice.name(),
            asset: AssetId(dice.small()),
            floor: i128::from(dice.signed() / 2 - 1).clamp(1 - (1 << 62), (1 << 62) - 1),
            unwind_interval_ns: dice.number(),
            drawdown: dice.maybe(|dice| {
                let start_ppb = 1 + dice.below(999_999_998);
                let stop_ppb = start_ppb + dice.below(1_000_000_000 - start_ppb);
                DrawdownRule { start_ppb, stop_ppb, window_ns: dice.number().max(480) }
            }),
            socialise: dice.flag(),
            max_loss_per_minute: (kind == 1).then_some(1 << 40), // draws nothing: the other entries keep their bytes
        }),
        2 => Declaration::Instrument(Box::new(any_spec(dice))),
        3 => Declaration::Rules { instrument: InstrumentId(dice.small()), spec: Box::new(any_spec(dice)) },
        _ => {
            let modes = [VenueMode::Mark, VenueMode::Bankruptcy, VenueMode::None, VenueMode::Manual, VenueMode::Book];
            Declaration::Venue(VenueRules {
                mode: modes[dice.below(5) as usize],
                cancel_ack: dice.flag(),
                cancel_timeout_ns: 1 + dice.number() / 2,
                order_timeout_ns: 1 + dice.number() / 2,
            })
        }
    }
}

fn any_spec(dice: &mut Dice) -> InstrumentSpec {
    let mut spec = InstrumentSpec {
        symbol: dice.name(),
        underlying: dice.name(),
        prices: Default::default(),
        settle: AssetId(dice.small()),
        tick: grid(dice),
        lot: grid(dice),
        unit: unit(dice),
        tiers: tiers(dice),
        maker_fee_ppb: dice.below(1_999_999_999) as i64 - 999_999_999,
        taker_fee_ppb: dice.below(1_999_999_999) as i64 - 999_999_999,
        liquidation_fee_ppb: dice.below(1_000_000_000) as i64,
        close_fee_in_mm: dice.flag(),
        reduce: ReducePolicy {
            tier: dice.flag(),
            fraction_ppb: dice.below(1_000_000_001),
            all: dice.flag(),
            pacing: dice.maybe(|dice| {
                if dice.flag() {
                    Pacing::Lots(1 + dice.below(1 << 62) as i64)
                } else {
                    Pacing::DepthShare(1 + dice.below(1_000_000_000))
                }
            }),
        },
        adl: AdlPolicy {
            rank: RANKS[dice.below(4) as usize],
            price: if dice.flag() { AdlPrice::Bankruptcy } else { AdlPrice::Mark },
        },
        fund: FundId(dice.small()),
        funding: FundingRules { chunk: 1 + dice.small() / 2 },
        controls: Controls {
            margin_calls: (0..dice.small() % 4).map(|n| 700_000_000 + n).collect(),
            count_profits: dice.flag(),
            limits: Limits {
                open_interest: dice.flag().then_some(17),
                position: dice.flag().then_some(1 << 61),
                collar_ppb: dice.flag().then_some(100_000_000),
                oi_im: dice.flag().then_some(OiMargin { lower: 5, upper: 70 }),
            },
            airlock: airlock(Dice(dice.0 ^ 0xA1)), // dice of its own: the entries after it stay as they were
        },
    };
    spec.close_fee_in_mm &= spec.taker_fee_ppb < 900_000_000; // with it the margin must be below the notional
    spec
}

/// A correction of any kind, with numbers that need make no sense.
fn correction(dice: &mut Dice) -> Correction {
    let (account, asset, amount) = (dice.number(), AssetId(dice.small()), dice.signed());
    let trade = Trade {
        account,
        counterparty: dice.maybe(Dice::number),
        instrument: InstrumentId(dice.small()),
        side: side(dice),
        quantity: dice.signed(),
        price: dice.signed(),
        position_side: leg(dice),
        counter_position_side: leg(dice),
    };
    let remedy = match dice.below(4) {
        0 => Remedy::Bust { trade, fee: amount, counter_fee: dice.signed() },
        1 => Remedy::Reprice { trade, to: amount },
        2 => Remedy::Adjust { account, asset, amount },
        _ => Remedy::Compensate { account, asset, amount, fund: FundId(dice.small()) },
    };
    let text = |dice: &mut Dice| "any \"text\"\n".repeat(1 + dice.below(9) as usize);
    Correction { corrects: dice.number().max(1), reason: text(dice), principal: text(dice), remedy }
}

fn airlock(mut dice: Dice) -> Option<AirlockRule> {
    let preview = dice.flag();
    dice.flag().then(|| AirlockRule {
        max_jump_ppb: (!preview || dice.flag()).then(|| 1_001 + dice.below(1 << 61)),
        preview_jump_ppb: preview.then(|| 1 + dice.below(1_000)),
        max_liquidation: preview.then(|| 1 + dice.below(1 << 61) as i64),
        timeout_ns: dice.flag().then(|| 1 + dice.number() / 2),
    })
}

fn level(dice: &mut Dice) -> Level {
    Level { price: dice.signed(), quantity: dice.signed() }
}

fn decision(dice: &mut Dice) -> Decision {
    let answer = |dice: &mut Dice| VenueAnswer {
        order: order_name(dice),
        fill: dice.maybe(|dice| (dice.signed(), dice.signed())),
    };
    Decision { hash: dice.roll(), answers: dice.list(4, answer) }
}

const DECLARATIONS: u64 = 5;

const KINDS: u64 = COMMANDS + DECLARATIONS + 6;

fn entry(dice: &mut Dice, kind: u64) -> Entry {
    let (seq, ts_ns) = (dice.number(), dice.maybe(Dice::number));
    let (of_declaration, of_rest) = (kind.wrapping_sub(COMMANDS), kind.wrapping_sub(COMMANDS + DECLARATIONS));
    match of_rest {
        _ if kind < COMMANDS => {
            let off_grid = OffGrid { amount: dice.flag(), price: dice.flag() };
            Entry::Command { seq, ts_ns, command: command(dice, kind), off_grid }
        }
        _ if of_declaration < DECLARATIONS => {
            Entry::Declare { seq, ts_ns, declaration: declaration(dice, of_declaration) }
        }
        0 => {
            let (bids, asks) = (dice.maybe(|dice| dice.list(20, level)), dice.maybe(|dice| dice.list(20, level)));
            let update = BookUpdate {
                bid: dice.maybe(Dice::signed),
                ask: dice.maybe(Dice::signed),
                impact_bid: dice.maybe(Dice::signed),
                impact_ask: dice.maybe(Dice::signed),
                bids: bids.as_deref(),
                asks: asks.as_deref(),
            };
            Entry::Book { seq, ts_ns, instrument: InstrumentId(dice.small()), book: Depth::new(&update) }
        }
        1 => Entry::Start,
        2 => Entry::Pass { ts_ns: dice.number() },
        3 => Entry::Decide { outcome: None },
        4 => Entry::Decide { outcome: Some(decision(dice)) },
        _ => Entry::Correct { seq, ts_ns, correction: correction(dice) },
    }
}

fn unit(dice: &mut Dice) -> Unit {
    let mut part = || 1 + dice.below((1 << 62) - 1) as i64;
    let (first, second) = (part(), part());
    if dice.flag() { Unit::Linear(first) } else { Unit::Inverse { numerator: first, denominator: second } }
}

fn instrument() -> InstrumentSpec {
    let row = |cap, mmr_ppb, max_leverage| TierRow { cap, mmr_ppb, max_leverage, deduction: None };
    let rows = [row(5_000_000_000, 4_000_000, 12_500), row(500_000_000_000, 10_000_000, 5_000)];
    InstrumentSpec {
        underlying: "BTC".to_owned(),
        maker_fee_ppb: -100_000,
        taker_fee_ppb: 500_000,
        liquidation_fee_ppb: 12_500_000,
        ..InstrumentSpec::new(
            "BTCUSDT",
            AssetId(0),
            FundId(0),
            (Grid::decimals(1), Grid::decimals(3)),
            Unit::Linear(10_000),
            TierTable::new(TierRule::Marginal, &rows).unwrap(),
        )
    }
}

/// A market that falls on a few accounts, with a venue that answers from its book.
fn recorded_run() -> Vec<Entry> {
    const ID: InstrumentId = InstrumentId(0);
    let mut kernel = Kernel::new(Settings::default());
    kernel.keep_record();
    let asset = kernel.declare_asset(None, "USDT", 8).unwrap();
    kernel.declare_instrument(None, instrument()).unwrap();
    kernel.set_venue(Some(1_000), VenueMode::Book).unwrap();
    kernel.apply(&Command::FundDeposit { fund: FundId(0), amount: 10_000_000 }).unwrap();
    for account in 1..=12 {
        let amount = if account % 2 == 0 { 1 << 50 } else { 40_000_000 + account as i64 * 1_000_000 };
        kernel.apply(&Command::Deposit { account, asset, amount }).unwrap();
    }
    kernel.apply(&Command::Mark { instrument: ID, price: 100_000 }).unwrap();
    for account in (1..12).step_by(2) {
        kernel
            .apply(&Command::Fill(Fill {
                account,
                counterparty: Some(account + 1),
                order: None,
                counter_order: None,
                instrument: ID,
                side: Side::Buy,
                quantity: 3,
                price: 100_000,
                liquidity: Some(Liquidity::Taker),
                position_side: None,
                counter_position_side: None,
            }))
            .unwrap();
    }
    for step in 0..24 {
        let price = 100_000 - step * 250;
        let level = |price, quantity| Level { price, quantity };
        let bids = [level(price - 1, 2), level(price - 300, 1)];
        let update = BookUpdate { ask: Some(price + 1), bids: Some(&bids), ..BookUpdate::default() };
        kernel.update_book(Some(2_000 + step as u64), ID, &update).unwrap();
        kernel.apply_at(None, &Command::Mark { instrument: ID, price }, OffGrid::NONE).unwrap();
    }
    kernel.pass_time(Some(1 << 60));
    kernel.take_record()
}

// Writing and reading.

fn write(directory: &Path, entries: &[Entry]) -> Vec<u8> {
    let mut writer = Writer::create(directory).unwrap();
    for entry in entries {
        writer.append(entry).unwrap();
    }
    writer.finish().unwrap();
    fs::read(directory.join(FILE_NAME)).unwrap()
}

fn bytes_of(entries: &[Entry]) -> Vec<u8> {
    write(TempDir::new().unwrap().path(), entries)
}

fn read_file(bytes: &[u8]) -> Result<Sequence, JournalError> {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join(FILE_NAME), bytes).unwrap();
    read(directory.path())
}

/// All frames of a file, until its end or an error.
fn frames(bytes: &[u8]) -> (usize, Result<Option<Cut>, JournalError>) {
    let mut reader = match Reader::new(bytes, "file") {
        Ok(reader) => reader,
        Err(error) => return (0, Err(error)),
    };
    let mut count = 0;
    loop {
        match reader.frame() {
            Ok(Some(_)) => count += 1,
            Ok(None) => return (count, Ok(reader.cut())),
            Err(error) => {
                assert!(matches!(reader.frame(), Ok(None)), "there is nothing after an error");
                return (count, Err(error));
            }
        }
    }
}

/// No two entries that differ are shown alike.
fn assert_same(found: &[Entry], expected: &[Entry]) {
    assert_eq!(found.len(), expected.len());
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(format!("{found:?}"), format!("{expected:?}"), "place {place}");
    }
}

const LATER: u64 = 2;

/// Commands that came later: the entries before them stay as they were.
fn later_entry(dice: &mut Dice, kind: u64) -> Entry {
    let instrument = InstrumentId(dice.small());
    let command = match kind {
        0 => Command::MarkFrom { instrument, price: dice.signed(), source: MarkSource(dice.number()) },
        _ => Command::AirlockRelease { instrument, accept: dice.flag() },
    };
    Entry::Command { seq: dice.number(), ts_ns: dice.maybe(Dice::number), command, off_grid: OffGrid::NONE }
}

fn one_of_each() -> Vec<Entry> {
    let mut dice = Dice(7);
    let mut later = Dice(8);
    let first: Vec<Entry> = (0..KINDS).map(|kind| entry(&mut dice, kind)).collect();
    first.into_iter().chain((0..LATER).map(|kind| later_entry(&mut later, kind))).collect()
}

#[test]
fn every_kind_of_entry_is_read_as_it_was_written() {
    let mut dice = Dice(1);
    let mut entries = Vec::new();
    for _ in 0..300 {
        for kind in 0..KINDS {
            entries.push(entry(&mut dice, kind));
        }
        for kind in 0..LATER {
            entries.push(later_entry(&mut dice, kind));
        }
    }
    let bytes = bytes_of(&entries);
    let payloads = frames_of(&bytes);
    assert_eq!(file_of(payloads.iter().map(|&(_, payload)| payload)), bytes, "the file is as it is described");
    let found = read_file(&bytes).unwrap();
    assert_eq!(found.cut, None);
    assert_same(&found.whole().unwrap(), &entries);
}

#[test]
fn a_run_is_gone_through_again_from_its_journal() {
    let run = recorded_run();
    let answers =
        run.iter().filter(|entry| matches!(entry, Entry::Decide { outcome: Some(o) } if !o.answers.is_empty()));
    assert!(answers.count() > 2, "the run has the venue answer");
    let entries = read_file(&bytes_of(&run)).unwrap().whole().unwrap();
    let log = |record: &[Entry]| {
        let mut log = Vec::new();
        replay(&mut Kernel::new(Settings::default()), record, |output| log.push(output)).unwrap();
        log
    };
    assert_eq!(log(&entries), log(&run));
}

#[test]
fn answers_that_no_venue_gives_are_a_divergence() {
    let run = recorded_run();
    let change = |change: &dyn Fn(&mut VenueAnswer)| {
        let mut run = run.clone();
        let first = run.iter_mut().find_map(|entry| match entry {
            Entry::Decide { outcome: Some(outcome) } => outcome.answers.iter_mut().find(|answer| answer.fill.is_some()),
            _ => None,
        });
        change(first.expect("the venue fills something"));
        let entries = read_file(&bytes_of(&run)).unwrap().entries;
        replay(&mut Kernel::new(Settings::default()), &entries, |_| ()).unwrap_err()
    };
    change(&|answer| answer.fill = Some((1, i64::MAX)));
    change(&|answer| answer.fill = Some((1, 1)));
    change(&|answer| answer.fill = Some((i64::MAX, 99_000)));
    change(&|answer| answer.fill = Some((-1, 99_000)));
    change(&|answer| answer.order.nth += 1);
}

#[test]
fn outcomes_find_their_decisions() {
    let decision = |hash| Decision { hash, answers: Vec::new() };
    let none = Entry::Decide { outcome: None };
    let directory = TempDir::new().unwrap();
    let mut writer = Writer::create(directory.path().join("deep/er")).unwrap();
    assert!(matches!(writer.outcome(&decision(0)), Err(JournalError::NoDecision { .. })));
    writer.append(&none).unwrap();
    writer.append(&Entry::Decide { outcome: Some(decision(2)) }).unwrap();
    writer.append(&none).unwrap();
    writer.outcome(&decision(1)).unwrap();
    writer.append(&none).unwrap();
    writer.outcome(&decision(3)).unwrap();
    drop(writer);
    let found = read(directory.path().join("deep/er")).unwrap().whole().unwrap();
    let expected = [Some(1), Some(2), Some(3), None].map(|hash| Entry::Decide { outcome: hash.map(decision) });
    assert_same(&found, &expected);
}

#[test]
fn a_journal_is_never_overwritten() {
    let directory = TempDir::new().unwrap();
    write(directory.path(), &[Entry::Start]);
    let error = Writer::create(directory.path()).unwrap_err();
    assert!(matches!(error, JournalError::Exists { .. }));
    assert!(error.to_string().contains(&*directory.path().join(FILE_NAME).to_string_lossy()), "{error}");
    assert_eq!(read(directory.path()).unwrap().entries.len(), 1);
}

/// The bytes of version 1. Whoever changes them has changed the format: once there has been a release, raise
/// `journal::VERSION`, here and there; `TERRACE_BLESS=1` writes them anew.
#[test]
fn the_bytes_of_version_1_stay_as_they_are() {
    let bytes = bytes_of(&one_of_each());
    let shown: Vec<String> = frames_of(&bytes)
        .iter()
        .map(|(_, payload)| payload.iter().map(|byte| format!("{byte:02x}")).collect())
        .collect();
    if std::env::var_os("TERRACE_BLESS").is_some() {
        fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/journal/version-1.txt"), shown.join("\n") + "\n")
            .unwrap();
        return;
    }
    let pinned: Vec<&str> = include_str!("journal/version-1.txt").lines().collect();
    assert_eq!(shown, pinned, "{}", shown.join("\n"));
    assert_eq!(bytes[..HEADER], header(b"TERRACE\n", b"sequence", 1));
}

// Everything else is noticed.

fn assert_says(error: &JournalError, parts: &[&str]) {
    let said = error.to_string();
    assert!(parts.iter().all(|part| said.contains(part)), "{said}");
}

#[test]
fn a_wrong_header_is_named() {
    let good = bytes_of(&[Entry::Start]);
    let with = |header: Vec<u8>| read_file(&[&header, &good[HEADER..]].concat()).unwrap_err();
    let error = with(header(b"PNG\r\n\x1a\n\0", b"sequence", 1));
    assert!(matches!(error, JournalError::NotAJournal { .. }));
    assert_says(&error, &[FILE_NAME, "byte 0"]);
    let error = with(header(b"TERRACE\n", b"snapshot", 1));
    assert!(matches!(error, JournalError::Kind { found, .. } if &found == b"snapshot"));
    assert_says(&error, &[FILE_NAME, "byte 8", "snapshot"]);
    let error = with(header(b"TERRACE\n", b"sequence", 2));
    assert!(matches!(error, JournalError::Version { found: 2, .. }));
    assert_says(&error, &[FILE_NAME, "byte 16", "version 1", "found 2"]);
    assert!(matches!(read_file(b"hello").unwrap_err(), JournalError::NotAJournal { .. }));
    let nowhere = TempDir::new().unwrap();
    assert!(matches!(read(nowhere.path()).unwrap_err(), JournalError::Io { what: "opened", .. }));
}

#[test]
fn a_wrong_frame_is_named() {
    let start: &[u8] = &[0, 3];
    let good = file_of([start, start]);
    assert_eq!(read_file(&good).unwrap().entries.len(), 2);
    let offset_of_third = good.len() as u64;
    let with = |payload: &[u8]| read_file(&file_of([start, start, payload])).unwrap_err();
    for (payload, reason) in [
        (&[9][..], "cannot be understood"),
        (&[0, 3, 0], "1 bytes are left over"),
        (&[0, 0, 5], "cannot be understood"),
        (&[1, 5, 0], "no decision before it"),
    ] {
        let error = with(payload);
        assert_says(&error, &[FILE_NAME, &format!("byte {offset_of_third}"), reason]);
    }
    assert!(
        matches!(with(&[1, 5, 0]), JournalError::OutcomeWithoutDecision { offset, .. } if offset == offset_of_third)
    );
    assert!(matches!(with(&[]), JournalError::Length { bytes: 0, .. }));
    // A length beyond the bound, with a checksum that fits.
    let length = (MAX_PAYLOAD as u32 + 1).to_le_bytes();
    let check = u32::from_le_bytes(good[good.len() - start.len() - 4..good.len() - start.len()].try_into().unwrap());
    let long = [&good[..], &length, &crc(check, &length).to_le_bytes(), &[0; 64]].concat();
    let error = read_file(&long).unwrap_err();
    assert!(matches!(error, JournalError::Length { offset, .. } if offset == offset_of_third));
    // Garbage after the end; frames lost, repeated or exchanged.
    let error = read_file(&[&good[..], b"and so on"].concat()).unwrap_err();
    assert!(matches!(error, JournalError::Checksum { offset, .. } if offset == offset_of_third));
    assert_says(&error, &[FILE_NAME, &format!("byte {offset_of_third}"), "checksum"]);
    let three = file_of([start, &[0, 4, 9], start]);
    let cuts = [HEADER, HEADER + HEAD + 2, HEADER + 2 * HEAD + 5, three.len()];
    let part = |n: usize| &three[cuts[n]..cuts[n + 1]];
    for order in [&[1, 2][..], &[0, 2], &[0, 0, 1, 2], &[1, 0, 2], &[0, 2, 1]] {
        let mut file = three[..HEADER].to_vec();
        order.iter().for_each(|&n| file.extend(part(n)));
        assert!(matches!(read_file(&file), Err(JournalError::Checksum { .. })), "{order:?}");
    }
}

#[test]
fn what_breaks_an_invariant_is_refused_on_both_sides() {
    let declare = |declaration| Entry::Declare { seq: 1, ts_ns: None, declaration };
    let asset = |name: &str, decimals| Declaration::Asset { name: name.to_owned(), decimals };
    let fund = |floor| Declaration::Fund(FundSpec { floor, ..FundSpec::new("F".to_owned(), AssetId(0)) });
    let spec = |change: &dyn Fn(&mut InstrumentSpec)| {
        let mut spec = instrument();
        change(&mut spec);
        Declaration::Instrument(Box::new(spec))
    };
    let bad = [
        asset("", 8),
        asset("a\"b", 8),
        asset(&"x".repeat(33), 8),
        asset("Ä", 8),
        asset("USDT", 13),
        fund(i128::MIN),
        fund(1 << 62),
        spec(&|spec| spec.symbol = "a b".to_owned()),
        spec(&|spec| spec.underlying = String::new()),
        spec(&|spec| spec.unit = Unit::Linear(0)),
        spec(&|spec| spec.unit = Unit::Linear(i64::MAX)),
        spec(&|spec| spec.unit = Unit::Inverse { numerator: 1, denominator: 0 }),
        spec(&|spec| spec.unit = Unit::Inverse { numerator: i64::MAX, denominator: 1 }),
        spec(&|spec| spec.maker_fee_ppb = i64::MIN),
        spec(&|spec| spec.taker_fee_ppb = 1_000_000_000),
        spec(&|spec| spec.liquidation_fee_ppb = -1),
        spec(&|spec| spec.tick = Grid::decimals(19)),
        spec(&|spec| spec.lot = Grid::decimals(u32::MAX)),
        Declaration::Venue(VenueRules { order_timeout_ns: 0, ..VenueRules::default() }),
    ];
    let directory = TempDir::new().unwrap();
    let mut writer = Writer::create(directory.path()).unwrap();
    for declaration in bad {
        let mut kernel = Kernel::new(Settings::default());
        kernel.declare_asset(None, "USDT", 8).unwrap();
        kernel.declare_and_decide(None, &declaration).expect_err("the kernel refuses it too");
        let error = writer.append(&declare(declaration.clone())).unwrap_err();
        assert!(matches!(error, JournalError::Unreadable { .. }), "{declaration:?}: {error}");
    }
    let correction = |corrects, reason: &str, principal: &str| Correction {
        corrects,
        reason: reason.to_owned(),
        principal: principal.to_owned(),
        remedy: Remedy::Adjust { account: 1, asset: AssetId(0), amount: 1 },
    };
    let long = "x".repeat(129);
    for correction in
        [correction(0, "r", "p"), correction(1, "", "p"), correction(1, "r", ""), correction(1, &long, "p")]
    {
        let mut kernel = Kernel::new(Settings::default());
        let asset = kernel.declare_asset(None, "USDT", 8).unwrap();
        kernel.apply(&Command::Deposit { account: 1, asset, amount: 1 }).unwrap();
        kernel.correct(None, &correction).expect_err("the kernel refuses it too");
        let error = writer.append(&Entry::Correct { seq: 1, ts_ns: None, correction }).unwrap_err();
        assert!(matches!(error, JournalError::Unreadable { .. }), "{error}");
    }
    writer.append(&Entry::Start).unwrap();
    writer.finish().unwrap();
    assert_eq!(read(directory.path()).unwrap().entries.len(), 1, "nothing else was written");

    // A good instrument, its payload changed by hand. Tick 0.1 and lot 0.001 are stored as (1, 1) and (1, 3).
    let good = bytes_of(&[declare(spec(&|_| {}))]);
    let payload = frames_of(&good)[0].1.to_vec();
    let grids = payload.windows(4).position(|window| window == [2, 1, 2, 3]).expect("tick and lot");
    let changed = |at: usize, bytes: &[u8]| {
        let mut payload = payload.clone();
        payload.splice(at..at + 1, bytes.iter().copied());
        read_file(&file_of([&payload[..]]))
    };
    assert!(changed(grids, &[2]).is_ok());
    let undecodable = |result: Result<Sequence, _>| matches!(result, Err(JournalError::Undecodable { .. }));
    assert!(undecodable(changed(grids, &[0])), "a step of zero");
    assert!(undecodable(changed(grids, &[1])), "a step below zero");
    assert!(undecodable(changed(grids, &[20])), "a step of 1.0: not the shortest form");
    assert!(undecodable(changed(grids + 1, &[19])), "too many decimals");
    assert!(undecodable(changed(grids + 1, &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F])), "far too many decimals");
    let cap = payload.windows(5).position(|window| window == [0x80, 0xE4, 0x97, 0xD0, 0x12]).expect("a cap of 5·10^9");
    assert!(undecodable(changed(cap + 4, &[0xFF, 0x7F])), "caps that fall");
}

#[test]
fn every_changed_byte_is_noticed() {
    let run = recorded_run();
    let bytes = bytes_of(&run[..14]);
    assert_eq!(frames(&bytes).0, 14);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        for value in 0..=u8::MAX {
            changed[at] = value;
            let (_, end) = frames(&changed);
            // An error, never a cut: a changed length is not taken for the end of the file.
            assert_eq!(end.is_err(), value != bytes[at], "byte {at} changed to {value}: {end:?}");
        }
    }
}

#[test]
fn a_cut_file_gives_what_comes_before() {
    let entries = one_of_each();
    let bytes = bytes_of(&entries);
    let starts: Vec<usize> = frames_of(&bytes).iter().map(|&(at, _)| at).chain([bytes.len()]).collect();
    for length in 0..=bytes.len() {
        let found = read_file(&bytes[..length]).unwrap();
        let whole = starts.iter().filter(|&&start| start <= length).count().saturating_sub(1);
        let end = if length < HEADER { 0 } else { starts[whole] };
        let cut = Cut { offset: end as u64, bytes: (length - end) as u64 };
        assert_eq!(found.cut, (length < HEADER || length > end).then_some(cut), "cut to {length} bytes");
        assert_same(&found.entries, &entries[..whole]);
        if found.cut.is_some() {
            let error = found.whole().unwrap_err();
            assert!(matches!(error, JournalError::Cut { .. }));
            assert_says(&error, &[FILE_NAME, &format!("byte {end}"), &format!("{} bytes", length - end)]);
        }
    }
}

// Nothing panics.

#[test]
fn random_bytes_are_refused() {
    let mut dice = Dice(3);
    for round in 0..20_000 {
        let mut bytes: Vec<u8> = dice.list(200, |dice| dice.roll() as u8);
        if round % 2 == 0 {
            bytes.splice(0..0, header(b"TERRACE\n", b"sequence", 1));
        }
        let (count, _) = frames(&bytes);
        assert_eq!(count, 0);
    }
}

/// Payloads that nobody wrote, in frames that are whole: what can be read can also be gone through.
#[test]
fn no_payload_makes_reading_or_going_through_it_panic() {
    let mut entries = recorded_run();
    entries.extend(one_of_each());
    let bytes = bytes_of(&entries);
    let good: Vec<Vec<u8>> = frames_of(&bytes).iter().map(|&(_, payload)| payload.to_vec()).collect();
    let (mut dice, mut read, mut gone_through) = (Dice(5), 0, 0);
    for _ in 0..rounds() {
        let mut payloads = good.clone();
        for _ in 0..=dice.below(4) {
            let at = dice.below(payloads.len() as u64) as usize;
            mutate(&mut dice, &mut payloads, at);
        }
        let file = file_of(payloads.iter().map(Vec::as_slice));
        let mut reader = Reader::new(&file[..], "file").unwrap();
        let mut record = Vec::new();
        while let Ok(Some(frame)) = reader.frame() {
            if let Frame::Entry(entry) = frame {
                record.push(entry);
            }
        }
        read += record.len();
        let mut kernel = Kernel::new(Settings { shards: 1 + dice.below(3) as u32, ..Settings::default() });
        gone_through += usize::from(replay(&mut kernel, &record, |_| ()).is_ok());
    }
    println!("{read} entries read, {gone_through} files gone through to their end");
    assert!(read > 0);
}

/// `TERRACE_ROUNDS` asks for more.
fn rounds() -> u64 {
    std::env::var("TERRACE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(4_000)
}

fn mutate(dice: &mut Dice, payloads: &mut Vec<Vec<u8>>, at: usize) {
    match dice.below(6) {
        0 => drop(payloads.remove(at)),
        1 => {
            let other = dice.below(payloads.len() as u64) as usize;
            payloads.swap(at, other);
        }
        2 => payloads.insert(at, payloads[dice.below(payloads.len() as u64) as usize].clone()),
        kind => {
            let payload = &mut payloads[at];
            let byte = dice.below(payload.len() as u64) as usize;
            match kind {
                // A number at its limits.
                3 => {
                    let large: &[u8] = &[0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
                    let bits = dice.below(10) as usize;
                    payload.splice(byte..=byte, large[bits..].iter().copied());
                }
                4 => payload[byte] = payload[byte].wrapping_add(1),
                _ => payload[byte] = dice.roll() as u8,
            }
        }
    }
    if payloads.is_empty() {
        payloads.push(vec![0, 3]);
    }
}

#[test]
fn appending_allocates_nothing() {
    let entries = one_of_each();
    let directory = TempDir::new().unwrap();
    let mut writer = Writer::create(directory.path()).unwrap();
    let mut append = || {
        for entry in entries.iter().cycle().take(20_000) {
            writer.append(entry).unwrap();
        }
    };
    append(); // the buffer grows to its size
    assert_eq!(allocation_counter::measure(append).count_total, 0);
}

/// Figures: `cargo test --release --test journal -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn speed() {
    use std::time::Instant;
    const ENTRIES: u64 = 2_000_000;
    let tick = |n: u64| Entry::Command {
        seq: n,
        ts_ns: Some(1_742_944_020_000_000_000 + n * 3_600_000),
        command: Command::Mark { instrument: InstrumentId((n % 3) as u32), price: 872_320 + (n % 1_000) as i64 },
        off_grid: OffGrid::NONE,
    };
    let decide = |n| Entry::Decide { outcome: Some(Decision { hash: Dice(n).roll(), answers: Vec::new() }) };
    for (name, make) in [("ticks", &tick as &dyn Fn(u64) -> Entry), ("decisions", &decide)] {
        let entries: Vec<Entry> = (1..=ENTRIES).map(make).collect();
        for _ in 0..3 {
            let directory = TempDir::new().unwrap();
            let mut writer = Writer::create(directory.path()).unwrap();
            let started = Instant::now();
            for entry in &entries {
                writer.append(entry).unwrap();
            }
            writer.finish().unwrap();
            let appended = started.elapsed();
            let bytes = fs::metadata(directory.path().join(FILE_NAME)).unwrap().len();
            let started = Instant::now();
            assert_eq!(read(directory.path()).unwrap().entries.len() as u64, ENTRIES);
            let rate = |seconds: f64| ENTRIES as f64 / seconds / 1e6;
            println!(
                "{name}: {:.1} bytes each, appended {:.1} M/s, read {:.1} M/s",
                bytes as f64 / ENTRIES as f64,
                rate(appended.as_secs_f64()),
                rate(started.elapsed().as_secs_f64())
            );
        }
    }
}
