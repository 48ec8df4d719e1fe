//! The journal: what is written is read again exactly, whatever else stands in a file is noticed, and nothing in a file can
//! make reading it, or going through it, panic.

use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use terrace::command::{
    Command, Fill, Liquidity, MarginMode, MarkSource, OffGrid, Order, OrderName, OrderOwner, PositionMode,
    PositionSide, Side,
};
use terrace::contract::Unit;
use terrace::controls::{AirlockRule, Controls, HealthState, Limits, Mode, OiMargin, Scope};
use terrace::correction::{Correction, Remedy, Trade};
use terrace::decimal::{Decimal, Grid};
use terrace::engine::{
    Decision, Depth, Engine, EngineSettings, Entry, Failure, Finished, Layout, Pinning, SubmitError, VenueAnswer,
    replay,
};
use terrace::event::PoolName;
use terrace::jobs::{JobKind, JobName, Part};
use terrace::journal::{
    Chain, Check, Cut, Durability, Faults, Frame, JournalError, JournalSettings, Line, Log, MAX_PAYLOAD, NotLogged,
    PlayError, Played, Player, Reader, Sequence, SimulatedDisk, Writer, read, read_from,
};
use terrace::market::{
    AdlPolicy, AdlPrice, AdlRank, AssetId, DrawdownRule, FundId, FundSpec, FundingRules, InstrumentId, InstrumentSpec,
    Pacing, ReducePolicy,
};

use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::venue::{BookUpdate, Level, VenueMode, VenueRules};
use terrace::{Declaration, Kernel, Settings, Wait};

// The format once more, by its description alone.

const HEADER: usize = 48;
const FILE_NAME: &str = "sequence-00000000000000000000";
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

fn header_of(magic: &[u8; 8], kind: &[u8; 8], version: u32, rules: u32, first: u64, before: u32) -> Vec<u8> {
    let mut header = [&magic[..], &kind[..], &version.to_le_bytes(), &rules.to_le_bytes()].concat();
    header.extend([first.to_le_bytes(), 1u64.to_le_bytes()].concat());
    header.extend(before.to_le_bytes());
    header.extend(crc(0, &header).to_le_bytes());
    header
}

fn header(magic: &[u8; 8], kind: &[u8; 8], version: u32) -> Vec<u8> {
    header_of(magic, kind, version, 2, 0, 0)
}

/// A file of these payloads.
fn file_of<'a>(payloads: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    segment_of(payloads, 0, 0).0
}

/// A segment of these payloads, and its last checksum.
fn segment_of<'a>(payloads: impl IntoIterator<Item = &'a [u8]>, first: u64, before: u32) -> (Vec<u8>, u32) {
    let mut file = header_of(b"TERRACE\n", b"sequence", 2, 2, first, before);
    let mut check = crc(0, &file[..44]);
    for payload in payloads {
        let length = (payload.len() as u32).to_le_bytes();
        let head = crc(check, &length);
        check = crc(head, payload);
        file.extend([&length[..], &head.to_le_bytes(), &check.to_le_bytes(), payload].concat());
    }
    (file, check)
}

/// A mark that says that all before an offset of the segment is kept.
fn mark(first: u64, before: u64) -> Vec<u8> {
    let magic = b"\xF1KEPT\r\n\xF1";
    let seal = crc(crc(crc(0, &first.to_le_bytes()), magic), &before.to_le_bytes());
    [&[MARK][..], magic, &before.to_le_bytes(), &seal.to_le_bytes()].concat()
}

/// How the payload of a mark begins.
const MARK: u8 = 4;

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

/// The payloads of a file but marks.
fn payloads_of(file: &[u8]) -> Vec<&[u8]> {
    frames_of(file).into_iter().map(|(_, payload)| payload).filter(|payload| payload[0] != MARK).collect()
}

fn read_file(bytes: &[u8]) -> Result<Sequence, JournalError> {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join(FILE_NAME), bytes).unwrap();
    read(directory.path())
}

/// All frames of a file, until its end or an error.
fn frames(bytes: &[u8]) -> (usize, Result<Option<Cut>, JournalError>) {
    let mut reader = match Reader::of_bytes(bytes, "file") {
        Ok(reader) => reader,
        Err(error) => return (0, Err(error)),
    };
    let mut count = 0;
    loop {
        match reader.frame() {
            Ok(Some(_)) => count += 1,
            Ok(None) => return (count, Ok(reader.cut().cloned())),
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

const LATER: u64 = 3;

/// Commands that came later: the entries before them stay as they were.
fn later_entry(dice: &mut Dice, kind: u64) -> Entry {
    let instrument = InstrumentId(dice.small());
    let command = match kind {
        0 => Command::MarkFrom { instrument, price: dice.signed(), source: MarkSource(dice.number()) },
        1 => Command::AirlockRelease { instrument, accept: dice.flag() },
        _ => Command::Health {
            state: HealthState::ALL[dice.below(6) as usize],
            instrument: Some(instrument).filter(|_| dice.flag()),
            active: dice.flag(),
            mode: Mode::ALL[dice.below(6) as usize],
        },
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
    let &(at, last) = payloads.last().unwrap();
    assert_eq!(last, mark(0, at as u64), "it ends with a mark");
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

/// The bytes of version 2. Whoever changes them has changed the format: once there has been a release, raise
/// `journal::VERSION`, here and there; `TERRACE_BLESS=1` writes them anew.
#[test]
fn the_bytes_of_version_2_stay_as_they_are() {
    let directory = TempDir::new().unwrap();
    let mut writer = Writer::create(directory.path()).unwrap();
    one_of_each().iter().for_each(|entry| writer.append(entry).unwrap());
    let line = Line {
        seq: 7,
        source: Some(("gateway".to_owned(), 300)),
        rejected: Some(("bad_value".to_owned(), "no".to_owned())),
        text: Some("{}".to_owned()),
    };
    writer.line(&line, None).unwrap();
    writer.line(&Line { seq: 8, ..Line::default() }, Some(&Entry::Start)).unwrap();
    writer.check(Check { outputs: 500, hash: 1 << 60 }).unwrap();
    writer.state(1 << 61).unwrap();
    writer.finish().unwrap();
    let bytes = fs::read(directory.path().join(FILE_NAME)).unwrap();
    let shown: Vec<String> =
        payloads_of(&bytes).iter().map(|payload| payload.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
    if std::env::var_os("TERRACE_BLESS").is_some() {
        fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/journal/version-2.txt"), shown.join("\n") + "\n")
            .unwrap();
        return;
    }
    let pinned: Vec<&str> = include_str!("journal/version-2.txt").lines().collect();
    assert_eq!(shown, pinned, "{}", shown.join("\n"));
    assert_eq!(bytes[..HEADER], header(b"TERRACE\n", b"sequence", 2));
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
    let error = with(header(b"PNG\r\n\x1a\n\0", b"sequence", 2));
    assert!(matches!(error, JournalError::NotAJournal { .. }));
    assert_says(&error, &[FILE_NAME, "byte 0"]);
    let error = with(header(b"TERRACE\n", b"snapshot", 2));
    assert!(matches!(error, JournalError::Kind { found, .. } if &found == b"snapshot"));
    assert_says(&error, &[FILE_NAME, "byte 8", "snapshot"]);
    let error = with(header(b"TERRACE\n", b"sequence", 3));
    assert!(matches!(error, JournalError::Version { found: 3, .. }));
    assert_says(&error, &[FILE_NAME, "byte 16", "version 2", "found 3"]);
    let error = with(header_of(b"TERRACE\n", b"sequence", 2, 3, 0, 0));
    assert!(matches!(error, JournalError::Rules { source: terrace::rule_version::UnknownRules(3), .. }));
    assert_says(&error, &[FILE_NAME, "byte 20", "version 3 of the rules", "1 to 2"]);
    let error = with(header_of(b"TERRACE\n", b"sequence", 2, 2, 5, 0));
    assert!(matches!(error, JournalError::Misplaced { expected: 0, found: 5, .. }));
    let error = with(header_of(b"TERRACE\n", b"sequence", 2, 2, 0, 9));
    assert!(matches!(error, JournalError::NotFollowing { .. }));
    assert!(matches!(read_file(b"hello").unwrap_err(), JournalError::NotAJournal { .. }));
    let nowhere = TempDir::new().unwrap();
    assert!(matches!(read(nowhere.path()).unwrap_err(), JournalError::NoJournal { .. }));
    let error = read(nowhere.path().join("missing")).unwrap_err();
    assert!(matches!(error, JournalError::Io { what: "listed", .. }));
    assert_says(&error, &["missing", "cannot be listed"]);
    fs::write(nowhere.path().join("sequence"), b"TERRACE\nsequence\x01\0\0\0").unwrap();
    let error = read(nowhere.path()).unwrap_err();
    assert!(matches!(error, JournalError::Version { found: 1, .. }), "{error}");
    fs::remove_file(nowhere.path().join("sequence")).unwrap();
    fs::write(nowhere.path().join("sequence-12"), b"").unwrap();
    assert!(matches!(read(nowhere.path()).unwrap_err(), JournalError::Name { .. }));
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
    // Garbage after the end, which no mark covers, is a torn tail.
    let torn = read_file(&[&good[..], b"and so on"].concat()).unwrap();
    assert_eq!(torn.entries.len(), 2);
    assert!(
        torn.cut.is_some_and(|cut| cut.offset == offset_of_third && cut.bytes == 9 && cut.file.ends_with(FILE_NAME))
    );
    // Frames lost, repeated or exchanged, before a mark that says that they were kept.
    let payloads = [start, &[0, 4, 9], start];
    let length = file_of(payloads).len() as u64;
    let marked = mark(0, length);
    let four = file_of(payloads.into_iter().chain([&marked[..]]));
    assert_eq!(read_file(&four).unwrap().whole().unwrap().len(), 3);
    let cuts = [HEADER, HEADER + HEAD + 2, HEADER + 2 * HEAD + 5, length as usize, four.len()];
    let part = |n: usize| &four[cuts[n]..cuts[n + 1]];
    for order in [&[1, 2, 3][..], &[0, 2, 3], &[0, 0, 1, 2, 3], &[1, 0, 2, 3], &[0, 2, 1, 3]] {
        let mut file = four[..HEADER].to_vec();
        order.iter().for_each(|&n| file.extend(part(n)));
        let error = read_file(&file).unwrap_err();
        assert!(matches!(error, JournalError::Checksum { .. }), "{order:?}");
        assert_says(&error, &[FILE_NAME, "damaged", "no torn tail"]);
    }
    // A mark of another segment, in a frame that is whole.
    let other = mark(7, 9);
    assert!(matches!(read_file(&file_of([start, &other])).unwrap_err(), JournalError::Undecodable { .. }));
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

/// A journal in segments, of `entries` in batches that are synced.
fn in_segments(entries: &[Entry], segment_bytes: u64) -> (SimulatedDisk, Vec<PathBuf>) {
    let disk = SimulatedDisk::new(1);
    let settings = JournalSettings { segment_bytes, ..JournalSettings::default() };
    let mut writer = Writer::create_on(disk.clone(), directory(), settings).unwrap();
    for entries in entries.chunks(3) {
        entries.iter().for_each(|entry| writer.append(entry).unwrap());
        writer.sync().unwrap();
    }
    writer.finish().unwrap();
    let mut files = disk.files();
    files.retain(|file| file.to_string_lossy().contains("sequence-"));
    (disk, files)
}

fn directory() -> &'static Path {
    Path::new("/journal")
}

fn read_disk(disk: &SimulatedDisk) -> Result<Sequence, JournalError> {
    read_from(Reader::open_on(disk.clone(), directory())?)
}

#[test]
fn every_changed_byte_is_noticed() {
    let run = &recorded_run()[..18];
    let (disk, files) = in_segments(run, 300);
    assert!(files.len() >= 3, "several segments");
    for (n, file) in files.iter().enumerate() {
        let bytes = disk.bytes(file).unwrap();
        let last = n + 1 == files.len();
        let starts: Vec<usize> = frames_of(&bytes).iter().map(|&(at, _)| at).collect();
        let last_mark = *starts.last().unwrap();
        for at in 0..bytes.len() {
            let frame = starts.iter().rev().find(|&&start| start <= at).copied().unwrap_or(0) as u64;
            for value in 0..=u8::MAX {
                let mut changed = bytes.clone();
                changed[at] = value;
                disk.put(file, &changed);
                let found = read_disk(&disk);
                let context = || format!("{} byte {at} changed to {value}: {:?}", file.display(), found.as_ref().err());
                if value == bytes[at] {
                    assert_same(&found.unwrap().whole().unwrap(), run);
                } else if last && at >= last_mark {
                    // Nothing says of the last mark itself that it was kept.
                    let found = found.unwrap();
                    assert_eq!(found.cut.as_ref().map(|cut| (&cut.file, cut.offset)), Some((file, last_mark as u64)));
                    assert_eq!(found.entries.len(), run.len());
                } else {
                    let error = found.as_ref().expect_err(&context()).to_string();
                    assert!(error.contains(&*file.to_string_lossy()), "{}", context());
                    let place = if at < HEADER { "at byte ".to_owned() } else { format!("at byte {frame}:") };
                    assert!(error.contains(&place), "{}", context());
                }
            }
        }
        disk.put(file, &bytes);
    }
}

#[test]
fn a_cut_file_gives_what_comes_before() {
    let entries = one_of_each();
    let bytes = bytes_of(&entries);
    let frames = frames_of(&bytes);
    let starts: Vec<usize> = frames.iter().map(|&(at, _)| at).chain([bytes.len()]).collect();
    for length in 0..=bytes.len() {
        let found = read_file(&bytes[..length]).unwrap();
        let whole = starts.iter().filter(|&&start| start <= length).count().saturating_sub(1);
        let end = if length < HEADER { 0 } else { starts[whole] };
        let cut = found.cut.clone().map(|cut| (cut.offset, cut.bytes));
        let expected = (end as u64, (length - end) as u64);
        assert_eq!(cut, (length < HEADER || length > end).then_some(expected), "cut to {length} bytes");
        assert_same(&found.entries, &entries[..whole.min(entries.len())]);
        if found.cut.is_some() {
            let error = found.whole().unwrap_err();
            assert!(matches!(error, JournalError::Cut { .. }));
            assert_says(&error, &[FILE_NAME, &format!("byte {end}"), &format!("{} bytes", length - end)]);
        }
    }
}

#[test]
fn a_cut_before_the_last_segment_is_damage() {
    let run = &recorded_run()[..18];
    let (disk, files) = in_segments(run, 300);
    for (n, file) in files.iter().enumerate() {
        let bytes = disk.bytes(file).unwrap();
        let mut largest = 0;
        for length in 0..bytes.len() {
            disk.put(file, &bytes[..length]);
            let found = read_disk(&disk);
            if n + 1 == files.len() {
                let found = found.unwrap();
                assert!(found.entries.len() >= largest, "what was whole stays whole");
                largest = found.entries.len();
                assert_same(&found.entries, &run[..largest]);
            } else {
                assert_says(&found.unwrap_err(), &["sequence-"]);
            }
        }
        disk.put(file, &bytes);
    }
    // Without a segment, or with one twice under another name.
    let (disk, files) = in_segments(run, 300);
    let bytes = disk.bytes(&files[1]).unwrap();
    let extra = directory().join(format!("sequence-{:020}", 1));
    disk.put(&extra, &bytes);
    assert!(matches!(read_disk(&disk).unwrap_err(), JournalError::Doubled { .. } | JournalError::Missing { .. }));
    let (disk, _) = in_segments(run, 300);
    terrace::journal::Disk::remove(&disk, &files[1]).unwrap();
    assert!(matches!(read_disk(&disk).unwrap_err(), JournalError::Missing { .. }));
}

// Crashes and disks that fail.

/// Small segments, so that a short run has several.
fn small(durability: Durability) -> JournalSettings {
    JournalSettings { durability, segment_bytes: 300, ..JournalSettings::default() }
}

/// Writes `entries` from where the journal on the disk ends, in batches of `batch`, until the disk fails or to the end. Returns how many
/// places are acknowledged, those that were there among them.
fn write_on(
    disk: &SimulatedDisk,
    entries: &[Entry],
    batch: usize,
    settings: JournalSettings,
) -> (usize, Result<(), JournalError>) {
    let mut there = 0;
    let mut write = || {
        let mut writer = match Reader::open_on(disk.clone(), directory()) {
            Err(JournalError::NoJournal { .. } | JournalError::Io { what: "listed", .. }) => {
                Writer::create_on(disk.clone(), directory(), settings)?
            }
            Err(error) => return Err(error),
            Ok(reader) => {
                let mut kernel = Kernel::new(Settings::default());
                let mut player = Player::to_go_on(reader, &mut kernel);
                while player.step(&mut kernel, &mut |_| ()).expect("what is read can be gone through").is_some() {}
                let (end, frames) = player.complete(&mut kernel, &mut |_| ());
                let mut writer = Writer::resume(disk.clone(), directory(), settings, &end)?;
                for frame in &frames {
                    writer.frame(frame)?;
                }
                writer.sync()?;
                writer
            }
        };
        there = writer.place() as usize;
        for batch in entries[there..].chunks(batch) {
            for entry in batch {
                writer.append(entry)?;
            }
            writer.sync()?;
            there += batch.len();
        }
        writer.finish()
    };
    let done = write();
    (there, done)
}

/// The first places of a run: many crashes, each with all that follows, take their time.
fn crash_run() -> Vec<Entry> {
    recorded_run().into_iter().take(40).collect()
}

#[test]
fn no_crash_loses_what_was_acknowledged() {
    let run = crash_run();
    let mut cuts = 0;
    for durability in [Durability::Sync, Durability::Async] {
        let settings = small(durability);
        let calm = SimulatedDisk::new(0);
        write_on(&calm, &run, 3, settings).1.unwrap();
        assert!(calm.files().len() > 3, "several segments");
        for crashes_at in 1..=calm.operations() {
            let disk = SimulatedDisk::new(crashes_at);
            disk.set_faults(Faults { crashes_at: Some(crashes_at), short_writes: true, ..Faults::default() });
            let (acknowledged, done) = write_on(&disk, &run, 3, settings);
            if done.is_ok() {
                continue; // short writes have moved the end
            }
            for seed in 0..6 {
                let after = disk.restarted(seed);
                let context = format!("{durability}, crash at {crashes_at}, seed {seed}");
                let found = match read_disk(&after) {
                    Err(JournalError::NoJournal { .. } | JournalError::Io { what: "listed", .. }) => {
                        Sequence::default()
                    }
                    found => found.unwrap_or_else(|error| panic!("{context}: {error}")),
                };
                assert!(found.entries.len() >= acknowledged, "{context}: {} of {acknowledged}", found.entries.len());
                assert_same(&found.entries, &run[..found.entries.len()]);
                cuts += u64::from(found.cut.is_some());
                // A second crash, while it goes on from there.
                let again = after.restarted(0);
                again.set_faults(Faults { crashes_at: Some(1 + seed * 2), ..Faults::default() });
                let (acknowledged, _) = write_on(&again, &run, 2, settings);
                let last = again.restarted(seed + 100);
                let (_, done) = write_on(&last, &run, 2, settings);
                done.unwrap_or_else(|error| panic!("{context}: {error}"));
                let whole = read_disk(&last).unwrap().whole().unwrap();
                assert!(whole.len() >= acknowledged);
                assert_same(&whole, &run);
            }
        }
    }
    assert!(cuts > 50, "torn tails were met, {cuts} times");
}

#[test]
fn a_process_that_is_killed_loses_nothing_that_was_written() {
    let run = crash_run();
    for durability in Durability::ALL {
        let settings = small(durability);
        let calm = SimulatedDisk::new(0);
        write_on(&calm, &run, 3, settings).1.unwrap();
        for crashes_at in 1..=calm.operations() {
            let disk = SimulatedDisk::new(crashes_at);
            disk.set_faults(Faults { crashes_at: Some(crashes_at), ..Faults::default() });
            let (acknowledged, _) = write_on(&disk, &run, 3, settings);
            let after = disk.killed();
            let (_, done) = write_on(&after, &run, 3, settings);
            done.unwrap_or_else(|error| panic!("{durability}, killed at {crashes_at}: {error}"));
            let whole = read_disk(&after).unwrap().whole().unwrap();
            assert!(whole.len() >= acknowledged);
            assert_same(&whole, &run);
        }
    }
}

#[test]
fn a_failing_disk_ends_the_journal_and_loses_nothing_acknowledged() {
    let run = crash_run();
    let settings = small(Durability::Sync);
    let calm = SimulatedDisk::new(0);
    write_on(&calm, &run, 3, settings).1.unwrap();
    let bytes: u64 = calm.files().iter().map(|file| calm.bytes(file).unwrap().len() as u64).sum();
    let failing = (1..=calm.operations()).map(|at| Faults { fails_at: Some(at), ..Faults::default() });
    let full = (0..bytes).step_by(37).map(|capacity| Faults { capacity: Some(capacity), ..Faults::default() });
    for faults in failing.chain(full) {
        let disk = SimulatedDisk::new(9);
        disk.set_faults(faults);
        let (acknowledged, done) = write_on(&disk, &run, 3, settings);
        let error = done.expect_err("the fault is told");
        assert!(matches!(error, JournalError::Io { .. }), "{faults:?}: {error}");
        if faults.capacity.is_some() {
            assert_says(&error, &["/journal", "cannot be"]);
        }
        for seed in 0..3 {
            let after = disk.restarted(seed);
            let found = match read_disk(&after) {
                Err(JournalError::NoJournal { .. } | JournalError::Io { what: "listed", .. }) => Sequence::default(),
                found => found.unwrap_or_else(|error| panic!("{faults:?}: {error}")),
            };
            assert!(found.entries.len() >= acknowledged, "{faults:?}");
            assert_same(&found.entries, &run[..found.entries.len()]);
        }
    }
}

#[test]
fn after_a_failure_nothing_is_written_any_more() {
    let disk = SimulatedDisk::new(3);
    let mut writer = Writer::create_on(disk.clone(), directory(), small(Durability::Sync)).unwrap();
    writer.append(&Entry::Start).unwrap();
    // The next append is well, and forcing it is not.
    disk.set_faults(Faults { fails_at: Some(disk.operations() + 2), ..Faults::default() });
    assert!(matches!(writer.sync().unwrap_err(), JournalError::Io { what: "forced to the disk", .. }));
    let operations = disk.operations();
    for _ in 0..2 {
        assert!(matches!(writer.append(&Entry::Start).unwrap_err(), JournalError::Failed { .. }));
        assert!(matches!(writer.sync().unwrap_err(), JournalError::Failed { .. }), "no second try that means nothing");
    }
    drop(writer);
    assert_eq!(disk.operations(), operations, "nothing was tried again");
}

// The thread that writes.

fn tick(n: u64) -> Frame {
    let command = Command::Mark { instrument: InstrumentId(0), price: n as i64 };
    Frame::Entry(Entry::Command { seq: n, ts_ns: None, command, off_grid: OffGrid::NONE })
}

fn log_on(disk: &SimulatedDisk, durability: Durability) -> Log {
    let settings = JournalSettings { durability, segment_bytes: 4_000, queue: 64, ..JournalSettings::default() };
    Log::start(Writer::create_on(disk.clone(), directory(), settings).unwrap(), settings).unwrap()
}

#[test]
fn the_log_syncs_many_frames_at_once() {
    const FRAMES: u64 = 20_000;
    for durability in Durability::ALL {
        let disk = SimulatedDisk::new(1);
        let mut log = log_on(&disk, durability);
        for n in 1..=FRAMES {
            assert_eq!(log.append(tick(n)), Ok(n));
        }
        log.wait(FRAMES).unwrap();
        assert!(log.may_acknowledge(FRAMES));
        if durability == Durability::Sync {
            assert_eq!(log.kept(), FRAMES);
            assert!(disk.syncs() < FRAMES / 4, "{} syncs", disk.syncs());
            assert_eq!(read_disk(&disk.restarted(1)).unwrap().entries.len() as u64, FRAMES);
        }
        log.finish().unwrap();
        assert_eq!(read_disk(&disk).unwrap().whole().unwrap().len() as u64, FRAMES);
        assert_eq!(disk.syncs() == 0, durability == Durability::None);
    }
}

#[test]
fn a_log_whose_disk_fails_takes_nothing_more_and_keeps_what_it_acknowledged() {
    let mut dice = Dice(11);
    for round in 0..60 {
        let disk = SimulatedDisk::new(round);
        let mut log = log_on(&disk, Durability::Sync);
        let at = disk.operations() + 1 + dice.below(40);
        disk.set_faults(match round % 3 {
            0 => Faults { fails_at: Some(at), ..Faults::default() },
            1 => Faults { crashes_at: Some(at), short_writes: true, ..Faults::default() },
            _ => Faults { capacity: Some(500 + dice.below(9_000)), ..Faults::default() },
        });
        let mut acknowledged = 0;
        let end = (1..).find_map(|n| {
            let failed = log.append(tick(n)).and_then(|n| if n % 7 == 0 { log.wait(n) } else { Ok(()) }).err();
            acknowledged = log.kept();
            failed
        });
        assert_eq!(end, Some(NotLogged::Failed));
        assert_eq!(log.append(tick(0)), Err(NotLogged::Failed), "for good");
        let acknowledged = acknowledged.max(log.kept());
        assert!(log.failure().is_some());
        assert!(matches!(log.finish().unwrap_err(), JournalError::Io { .. }), "the reason is told");
        let found = read_disk(&disk.restarted(round)).unwrap();
        assert!(found.entries.len() as u64 >= acknowledged, "round {round}");
        for (n, entry) in (1..).zip(&found.entries) {
            assert!(matches!(entry, Entry::Command { seq, .. } if *seq == n));
        }
    }
}

// Going on.

fn outputs_of(run: &[Entry]) -> Vec<String> {
    let mut told = Vec::new();
    replay(&mut Kernel::new(Settings::default()), run, |output| told.push(format!("{output:?}"))).unwrap();
    told
}

/// A run with what its events come to after every few places.
fn with_checks(run: &[Entry], every: usize) -> Vec<Frame> {
    let bytes = bytes_of(run);
    let mut player = Player::new(Reader::of_bytes(bytes, "file").unwrap());
    let mut kernel = Kernel::new(Settings::default());
    let mut frames = Vec::new();
    for (n, entry) in run.iter().enumerate() {
        player.step(&mut kernel, &mut |_| ()).unwrap().unwrap();
        frames.push(Frame::Entry(entry.clone()));
        if n % every == every - 1 {
            frames.push(Frame::Check(player.chain().check()));
        }
    }
    frames
}

fn play(frames: &[Frame]) -> Result<Vec<String>, PlayError> {
    let disk = SimulatedDisk::new(0);
    let mut writer = Writer::create_on(disk.clone(), directory(), JournalSettings::default()).unwrap();
    frames.iter().for_each(|frame| writer.frame(frame).unwrap());
    writer.finish().unwrap();
    let mut player = Player::new(Reader::open_on(disk, directory()).unwrap());
    let (mut kernel, mut told) = (Kernel::new(Settings { shards: 2, ..Settings::default() }), Vec::new());
    while player.step(&mut kernel, &mut |output| told.push(format!("{output:?}")))?.is_some() {}
    Ok(told)
}

#[test]
fn a_journal_is_gone_through_with_its_checks() {
    let run = recorded_run();
    let frames = with_checks(&run, 5);
    assert_eq!(play(&frames).unwrap(), outputs_of(&run));
    // A check that says something else names the places between it and the one before it.
    let mut checks = 0;
    for at in 0..frames.len() {
        let Frame::Check(check) = frames[at] else { continue };
        checks += 1;
        let place = at - checks + 1;
        for wrong in [Check { hash: check.hash ^ 1, ..check }, Check { outputs: check.outputs + 1_000, ..check }] {
            let mut changed = frames.clone();
            changed[at] = Frame::Check(wrong);
            let error = play(&changed).unwrap_err().to_string();
            assert!(error.contains(&format!("places {} to ", place - 5)), "{error}");
        }
    }
    assert!(checks > 10);
}

/// Wherever the journal ends: who goes on from there comes to what would have come anyway.
#[test]
fn a_journal_is_gone_on_with_from_every_place() {
    let run = recorded_run();
    let whole = outputs_of(&run);
    let inputs: Vec<(usize, &Entry)> =
        run.iter().enumerate().filter(|(_, entry)| !matches!(entry, Entry::Decide { .. })).collect();
    for places in 1..run.len() {
        // Also where the outcome of the last decision is not there.
        for lacks_outcome in [false, true] {
            let mut part = run[..places].to_vec();
            match part.last_mut() {
                Some(Entry::Decide { outcome }) if lacks_outcome => *outcome = None,
                _ if lacks_outcome => continue,
                _ => {}
            }
            let disk = SimulatedDisk::new(0);
            let mut writer = Writer::create_on(disk.clone(), directory(), JournalSettings::default()).unwrap();
            part.iter().for_each(|entry| writer.append(entry).unwrap());
            writer.finish().unwrap();
            let mut kernel = Kernel::new(Settings::default());
            let mut player = Player::to_go_on(Reader::open_on(disk.clone(), directory()).unwrap(), &mut kernel);
            let mut told = Vec::new();
            let mut tell = |output| told.push(format!("{output:?}"));
            while player.step(&mut kernel, &mut tell).unwrap().is_some() {}
            let (end, frames) = player.complete(&mut kernel, &mut tell);
            let mut writer = Writer::resume(disk.clone(), directory(), JournalSettings::default(), &end).unwrap();
            frames.iter().for_each(|frame| writer.frame(frame).unwrap());
            for &(_, input) in inputs.iter().filter(|&&(place, _)| place >= places) {
                match input {
                    Entry::Command { ts_ns, command, off_grid, .. } => {
                        kernel.apply_at(*ts_ns, command, *off_grid).unwrap();
                    }
                    Entry::Book { ts_ns, instrument, book, .. } => {
                        kernel.update_book(*ts_ns, *instrument, &book.update()).unwrap();
                    }
                    Entry::Declare { ts_ns, declaration: Declaration::Asset { name, decimals }, .. } => {
                        kernel.declare_asset(*ts_ns, name, *decimals).unwrap();
                    }
                    Entry::Declare { ts_ns, declaration: Declaration::Instrument(spec), .. } => {
                        kernel.declare_instrument(*ts_ns, (**spec).clone()).unwrap();
                    }
                    Entry::Declare { ts_ns, declaration: Declaration::Venue(rules), .. } => {
                        kernel.set_venue_rules(*ts_ns, *rules).unwrap();
                    }
                    Entry::Pass { ts_ns } => kernel.pass_time(Some(*ts_ns)),
                    other => panic!("not part of this run: {other:?}"),
                }
            }
            kernel.take_record().iter().for_each(|entry| writer.append(entry).unwrap());
            writer.finish().unwrap();
            let found = read_disk(&disk).unwrap().whole().unwrap();
            assert_same(&found, &run);
            assert_eq!(outputs_of(&found), whole, "gone on from place {places}");
        }
    }
}

/// Threads go on where the journal ends: inputs count on, and time does not begin anew.
#[test]
fn an_engine_goes_on_from_a_journal() {
    let run = recorded_run();
    let disk = SimulatedDisk::new(0);
    let mut writer = Writer::create_on(disk.clone(), directory(), JournalSettings::default()).unwrap();
    run.iter().for_each(|entry| writer.append(entry).unwrap());
    writer.finish().unwrap();
    let mut kernel = Kernel::new(Settings::default());
    let mut player = Player::to_go_on(Reader::open_on(disk, directory()).unwrap(), &mut kernel);
    while player.step(&mut kernel, &mut |_| ()).unwrap().is_some() {}
    let (_, frames) = player.complete(&mut kernel, &mut |_| ());
    assert!(frames.is_empty(), "the run is complete");
    let inputs = run.iter().filter_map(|entry| match entry {
        Entry::Command { seq, .. } | Entry::Book { seq, .. } | Entry::Declare { seq, .. } => Some(*seq),
        _ => None,
    });
    let last = inputs.max().unwrap();
    let layout = Layout { workers: Some(1), pinning: Pinning::Off, wait: Some(Wait::Park), ..Layout::default() };
    let settings = EngineSettings { layout, record: true, goes_on: true, ..EngineSettings::default() };
    let mut engine = Engine::start(kernel, &settings).unwrap();
    assert_eq!(engine.told_seq(), last);
    engine.settle().unwrap();
    let mark = Command::Mark { instrument: InstrumentId(0), price: 94_000 };
    let early = engine.submit_at(Some(5_000), &mark, OffGrid::NONE);
    assert!(matches!(early, Err(SubmitError::Refused(_))), "time has not begun anew: {early:?}");
    assert_eq!(engine.submit(&mark), Ok(last + 1));
    let finished = engine.stop();
    let whole: Vec<Entry> = run.into_iter().chain(finished.record.unwrap()).collect();
    let mut outputs = Vec::new();
    replay(&mut Kernel::new(Settings::default()), &whole, |output| outputs.push(output)).unwrap();
    assert!(outputs.ends_with(&finished.log), "the log goes on with what a replay of the whole says");
}

/// A journal that has failed makes no room any more: whoever waits for a place, as for the next piece of a settlement, learns it (simulation of streams). It fails where it
/// begins a segment, with the first of what waits for it, or with a later one.
#[test]
fn who_waits_for_room_in_a_journal_learns_that_it_has_failed() {
    let world: Vec<Entry> =
        recorded_run().into_iter().take_while(|entry| !matches!(entry, Entry::Book { .. })).collect();
    let deposit = Command::Deposit { account: 1, asset: AssetId(0), amount: 1 };
    for before in 0..24 {
        let disk = SimulatedDisk::new(0);
        let settings = JournalSettings {
            durability: Durability::Sync,
            queue: 16,
            segment_bytes: 300,
            check_every: 1,
            ..JournalSettings::default()
        };
        let writer = Writer::create_on(disk.clone(), directory(), settings).unwrap();
        let mut kernel = Kernel::new(Settings::default());
        replay(&mut kernel, &world, |_| ()).unwrap();
        let of_engine = EngineSettings { record: true, goes_on: true, ..EngineSettings::default() };
        let mut engine = Engine::by_hand(kernel, &of_engine, |_| 0).unwrap();
        engine.keep_journal(Log::by_hand(writer, settings), Chain::default());
        for _ in 0..before {
            engine.submit(&deposit).unwrap();
            engine.settle().unwrap();
            while engine.step_journal() {}
        }
        disk.set_faults(Faults { fails_at: Some(disk.operations() + 1), ..Faults::default() });
        let mut command = Command::Funding { instrument: InstrumentId(0), rate_ppb: 1 };
        while engine.submit(&command) != Err(SubmitError::Full) {
            command = deposit;
        }
        assert!(!engine.step_journal(), "it fails");
        for _ in 0..100 {
            engine.go_on_by_hand();
            engine.poll(|_| (), |_| ());
        }
        assert!(matches!(engine.failure(), Some(Failure::Journal(_))), "after {before} inputs");
        assert!(matches!(engine.stop().failure, Some(Failure::Journal(_))));
    }
}

/// A stream through threads, whose journal lies on this disk; the numbers acknowledged, and what the engine left.
fn stream(disk: &SimulatedDisk, durability: Durability, queue: usize, faults: Faults) -> (u64, Finished) {
    let settings =
        JournalSettings { durability, segment_bytes: 4_000, queue, check_every: 7, ..JournalSettings::default() };
    let mut writer = Writer::create_on(disk.clone(), directory(), settings).unwrap();
    let run = recorded_run();
    // The world without what happens in it: threads do that.
    let mut kernel = Kernel::new(Settings { shards: 2, ..Settings::default() });
    let world: Vec<Entry> = run.into_iter().take_while(|entry| !matches!(entry, Entry::Book { .. })).collect();
    replay(&mut kernel, &world, |_| ()).unwrap();
    kernel.begin_log();
    world.iter().chain([&Entry::Start]).for_each(|entry| writer.append(entry).unwrap());
    writer.sync().unwrap();
    let from_here = |at: Option<u64>| at.map(|at| at + disk.operations());
    let (fails_at, crashes_at) = (from_here(faults.fails_at), from_here(faults.crashes_at));
    disk.set_faults(Faults { fails_at, crashes_at, ..faults });
    let mut chain = Chain::default();
    let mut again = Kernel::new(Settings::default());
    replay(&mut again, &world, |output| chain.add(&output)).unwrap();
    let layout = Layout { workers: Some(2), pinning: Pinning::Off, wait: Some(Wait::Park), ..Layout::default() };
    let of_engine = EngineSettings { layout, record: true, goes_on: true, ..EngineSettings::default() };
    let mut engine = Engine::start(kernel, &of_engine).unwrap();
    engine.keep_journal(Log::start(writer, settings).unwrap(), chain);
    let (mut log, mut acknowledged) = (Vec::new(), 0);
    for n in 0..600 {
        let price = 100_000 - (n % 60) * 200;
        let mark = Command::Mark { instrument: InstrumentId(0), price };
        let deposit = Command::Deposit { account: 1 + n as u64 % 12, asset: AssetId(0), amount: 1_000 };
        for command in [mark, deposit] {
            let stopped = loop {
                engine.poll(|_| (), |output| log.push(*output));
                match engine.submit(&command) {
                    Ok(_) => break false,
                    Err(SubmitError::Full) => std::thread::yield_now(),
                    Err(SubmitError::Stopped) => break true,
                    Err(other) => panic!("{other}"),
                }
            };
            acknowledged = engine.kept_seq().min(engine.told_seq()).max(acknowledged);
            if stopped {
                let mut finished = engine.stop();
                log.append(&mut finished.log);
                return (acknowledged, Finished { log, ..finished });
            }
        }
    }
    let whole = engine.settle().is_ok();
    while whole && engine.failure().is_none() && acknowledged < 1_200 {
        acknowledged = engine.kept_seq().min(engine.told_seq()).max(acknowledged);
        std::thread::yield_now();
    }
    let mut finished = engine.stop();
    log.append(&mut finished.log);
    (acknowledged, Finished { log, ..finished })
}

#[test]
fn threads_have_a_journal() {
    for (durability, queue) in [(Durability::Sync, 1 << 12), (Durability::Async, 16), (Durability::None, 64)] {
        let disk = SimulatedDisk::new(1);
        let (acknowledged, finished) = stream(&disk, durability, queue, Faults::default());
        assert_eq!(finished.failure, None);
        assert_eq!(acknowledged, 1_200);
        let mut player = Player::new(Reader::open_on(disk.clone(), directory()).unwrap());
        let (mut kernel, mut told, mut checks, mut begun) = (Kernel::new(Settings::default()), Vec::new(), 0, false);
        let mut places = 0;
        loop {
            let played = player
                .step(&mut kernel, &mut |output| {
                    if begun {
                        told.push(output)
                    }
                })
                .unwrap();
            match played {
                None => break,
                Some(Played::Check(_)) => checks += 1,
                Some(Played::Place(Entry::Start, _)) => begun = true,
                Some(_) => places += 1,
            }
        }
        assert!(checks > 50 && places > 1_200, "{checks} checks, {places} places");
        assert_eq!(told, finished.log, "{durability}: gone through again, the journal says the same");
        assert!(told.len() > 20, "the marks liquidate");
    }
}

#[test]
fn a_journal_that_fails_stops_the_engine_and_keeps_what_was_acknowledged() {
    for round in 0..24 {
        let disk = SimulatedDisk::new(round);
        let faults = match round % 3 {
            0 => Faults { fails_at: Some(1 + round), ..Faults::default() },
            1 => Faults { crashes_at: Some(1 + round), short_writes: true, ..Faults::default() },
            _ => Faults { capacity: Some(3_000 + round * 500), ..Faults::default() },
        };
        let (acknowledged, finished) = stream(&disk, Durability::Sync, 256, faults);
        assert!(matches!(finished.failure, Some(Failure::Journal(_))), "{faults:?}: {:?}", finished.failure);
        let found = read_disk(&disk.restarted(round)).unwrap();
        let begun = found.entries.iter().position(|entry| matches!(entry, Entry::Start)).unwrap();
        let kept = found.entries[begun..].iter().filter_map(|entry| match entry {
            Entry::Command { seq, .. } => Some(*seq),
            _ => None,
        });
        assert!(kept.max().unwrap_or(0) >= acknowledged, "{faults:?}");
    }
}

// Nothing panics.

#[test]
fn random_bytes_are_refused() {
    let mut dice = Dice(3);
    for round in 0..20_000 {
        let mut bytes: Vec<u8> = dice.list(200, |dice| dice.roll() as u8);
        if round % 2 == 0 {
            bytes.splice(0..0, header(b"TERRACE\n", b"sequence", 2));
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
    let good: Vec<Vec<u8>> = payloads_of(&bytes).iter().map(|payload| payload.to_vec()).collect();
    let (mut dice, mut read, mut gone_through) = (Dice(5), 0, 0);
    for _ in 0..rounds() {
        let mut payloads = good.clone();
        for _ in 0..=dice.below(4) {
            let at = dice.below(payloads.len() as u64) as usize;
            mutate(&mut dice, &mut payloads, at);
        }
        let file = file_of(payloads.iter().map(Vec::as_slice));
        let mut reader = Reader::of_bytes(file, "file").unwrap();
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
