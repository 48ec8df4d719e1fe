//! Sessions that end and go on, on a disk that fails: what simulations (`terrace simulate`) found, as small as it gets.

use std::path::Path;
use terrace::engine::{Engine, EngineSettings};
use terrace::journal::{Disk, Durability, Faults, JournalSettings, SimulatedDisk};
use terrace::market::InstrumentId;
use terrace::presets::Preset;
use terrace::protocol::{DurableSession, Opened, TierTables};
use terrace::{Kernel, Overview, RuleVersion, Settings};

fn open(disk: &SimulatedDisk, preset: Option<&'static Preset>) -> DurableSession {
    let settings = JournalSettings { durability: Durability::Sync, ..JournalSettings::default() };
    let opened = Opened::open(disk.clone(), Path::new("/journal"), settings, Kernel::new(Settings::default()), preset);
    opened.expect("the journal is gone on with").start_by_hand(TierTables::default()).expect("it starts")
}

/// Carries lines out; what was said, once it is kept.
fn carry_out(session: &mut DurableSession, lines: &[&str]) -> String {
    let mut said = String::new();
    for line in lines {
        let _ = session.line(line.as_bytes(), &mut said); // a refusal is said too
    }
    session.wait().expect("the disk keeps it");
    said
}

const MARKET: &[&str] = &[
    r#"{"op":"asset","asset":"USDT","decimals":2}"#,
    r#"{"op":"instrument","symbol":"P","kind":"linear_perp","underlying":"P","settle":"USDT","tick":"1","lot":"1","tiers":[{"cap":"1000000","mmr":"0.05","max_leverage":10}],"reduce":["all"],"pacing":{"lots":"1"}}"#,
    r#"{"op":"mark","symbol":"P","price":"100"}"#,
    r#"{"op":"deposit","account":1,"asset":"USDT","amount":"600"}"#,
    r#"{"op":"deposit","account":2,"asset":"USDT","amount":"60000"}"#,
    r#"{"op":"fund_deposit","fund":"USDT","amount":"60000"}"#,
];

/// An fsync that failed, another process that goes on and is answered, then the machine stops. The second fsync succeeds whatever the first has lost.
#[test]
fn what_a_failed_fsync_lost_is_written_again() {
    for fails_at in 1..60 {
        let disk = SimulatedDisk::new(fails_at);
        disk.set_faults(Faults { fails_at: Some(fails_at), ..Faults::default() });
        let settings = JournalSettings { durability: Durability::Sync, ..JournalSettings::default() };
        let kernel = Kernel::new(Settings::default());
        if let Ok(opened) = Opened::open(disk.clone(), Path::new("/journal"), settings, kernel, None) {
            let mut session = opened.start_by_hand(TierTables::default()).expect("it starts");
            for line in MARKET {
                let _ = session.line(line.as_bytes(), &mut String::new());
                let _ = session.wait(); // it fails some time
            }
        }
        let disk = disk.killed();
        let mut session = open(&disk, None);
        carry_out(&mut session, &[r#"{"op":"time","ts":5}"#]);
        let answered = session.seq();
        for seed in 0..4 {
            assert_eq!(open(&disk.restarted(seed), None).seq(), answered, "operation {fails_at} failed");
        }
    }
}

/// A liquidation goes on with every decision; a command that is refused is followed by none, also where a process ends behind it.
#[test]
fn nothing_is_decided_after_a_refusal() {
    let disk = SimulatedDisk::new(1);
    let mut session = open(&disk, None);
    carry_out(&mut session, MARKET);
    let fill = r#"{"op":"fill","account":1,"counterparty":2,"symbol":"P","side":"buy","qty":"50","price":"100"}"#;
    let said = carry_out(&mut session, &[fill, r#"{"op":"mark","symbol":"P","price":"92"}"#]);
    assert!(said.contains("liquidation_started"), "{said}");
    let said = carry_out(&mut session, &[r#"{"op":"withdraw","account":1,"asset":"USDT","amount":"1"}"#]);
    assert!(said.contains("\"code\":\"locked\""), "{said}");
    let state = session.kernel().account(1).expect("an account");
    assert!(state.pools[0].locked && !state.positions.is_empty(), "the liquidation is under way");
    assert_eq!(open(&disk.killed(), None).kernel().account(1), Ok(state));
}

/// A session over an engine that is moved by hand, with a journal that checks after each place.
fn engine(disk: &SimulatedDisk) -> DurableSession<Engine> {
    let settings = EngineSettings { record: true, goes_on: true, ..EngineSettings::default() };
    let opened = Opened::open(disk.clone(), Path::new("/journal"), CHECKED, Kernel::new(Settings::default()), None);
    let opened = opened.expect("it begins").place(|kernel| Engine::by_hand(kernel, &settings, |_| 0));
    opened.expect("it is moved by hand").start_by_hand(TierTables::default()).expect("it starts")
}

const CHECKED: JournalSettings = JournalSettings {
    durability: Durability::Sync,
    check_every: 1,
    segment_bytes: 1 << 20,
    queue: 1 << 10,
    rules: RuleVersion::NEWEST,
};

/// Whatever an engine came to is what inline kernels come to that go on from its journal, one after the other.
fn goes_on_as_it_was(lines: &[&str]) -> String {
    let disk = SimulatedDisk::new(1);
    let mut session = engine(&disk);
    let mut said = String::new();
    for line in lines {
        let _ = session.line(line.as_bytes(), &mut said); // a refusal is said too
    }
    session.wait().expect("the disk keeps it");
    let seen = |overview: Overview<'_>| (overview.account(1), overview.market().instrument(InstrumentId(0)).mark);
    let told = session.ask(seen).expect("it answers");
    let mut disk = disk.killed();
    for life in 1..4 {
        let opened = Opened::open(disk.clone(), Path::new("/journal"), CHECKED, Kernel::new(Settings::default()), None);
        let session = opened.expect("it is gone on with").start_by_hand(TierTables::default()).expect("it starts");
        assert_eq!(seen(session.kernel().overview()), told, "life {life}");
        disk = disk.killed();
    }
    said
}

/// An engine asks for a decision only where it needs one: what pools begin that wait for the venue is told without, and the journal says so.
/// A process that goes on there takes one all the same, as an inline kernel does after each input.
#[test]
fn what_an_engine_told_without_a_decision_is_told_so_again() {
    let rest = [
        r#"{"op":"venue","mode":"manual","cancel_ack":true}"#,
        r#"{"op":"fill","account":1,"counterparty":2,"symbol":"P","side":"buy","qty":"50","price":"100"}"#,
        r#"{"op":"order","account":1,"symbol":"P","side":"sell","qty":"1","price":"200","order":1}"#,
        r#"{"op":"mark","symbol":"P","price":"92"}"#,
    ];
    let said = goes_on_as_it_was(&[MARKET, &rest].concat());
    assert!(said.ends_with("\"orders\":[1]}\n") && said.contains("\"ev\":\"cancel_requested\""), "{said}");
}

/// Behind a refusal no decision is taken that the engine did not need, though an input before it had none: here it would end a hold that has timed out
/// with a question (simulation, seed 801905).
#[test]
fn what_an_engine_did_not_need_is_not_decided_behind_a_refusal() {
    let rest = [
        r#"{"op":"set","symbol":"P","airlock":{"max_jump":"0.2","timeout":500}}"#,
        r#"{"op":"mark","symbol":"P","price":"200","ts":1000}"#,
        r#"{"op":"deposit","account":1,"asset":"USDT","amount":"1"}"#,
        r#"{"op":"get","what":"totals","ts":2000}"#,
        r#"{"op":"withdraw","account":1,"asset":"USDT","amount":"90000"}"#,
    ];
    let said = goes_on_as_it_was(&[MARKET, &rest].concat());
    assert!(said.contains("\"outcome\":\"held\"") && !said.contains("\"outcome\":\"timeout\""), "{said}");
    assert!(said.contains("\"code\":\"insufficient_margin\""), "{said}");
}

/// A question may tell the time. A line is there with all that it did, or not at all.
#[test]
fn a_question_is_kept_with_the_time_that_it_told() {
    let disk = SimulatedDisk::new(1);
    let calm = {
        let mut session = open(&disk, None);
        carry_out(&mut session, MARKET);
        disk.operations()
    };
    for crashes_at in calm..calm + 12 {
        for seed in 0..8 {
            let disk = SimulatedDisk::new(1);
            let mut session = open(&disk, None);
            carry_out(&mut session, MARKET);
            disk.set_faults(Faults { crashes_at: Some(crashes_at), ..Faults::default() });
            let _ = session.line(br#"{"op":"get","what":"totals","ts":7}"#, &mut String::new());
            let _ = session.wait(); // the machine stops, or not yet
            let after = open(&disk.restarted(seed), None);
            let asked = after.seq() > MARKET.len() as u64;
            assert_eq!(after.kernel().now_ns(), if asked { 7 } else { 0 }, "operation {crashes_at}, seed {seed}");
        }
    }
}

/// A journal that was begun with a preset and ended before anything of it was kept.
#[test]
fn what_ended_before_it_began_begins_anew() {
    let preset = Preset::named("bybit").expect("a preset");
    let disk = SimulatedDisk::new(1);
    let settings = JournalSettings { durability: Durability::Sync, ..JournalSettings::default() };
    let kernel = Kernel::new(Settings::default());
    let opened = Opened::open(disk.clone(), Path::new("/journal"), settings, kernel, Some(preset)).expect("it begins");
    opened.close().expect("it ends");
    let disk = disk.killed();
    let mut session = open(&disk, Some(preset));
    let line = r#"{"op":"time","ts":5,"ack":true}"#;
    assert_eq!(carry_out(&mut session, &[line]), "{\"ev\":\"ok\",\"seq\":1}\n");
    let again = Opened::open(disk.killed(), Path::new("/journal"), settings, Kernel::new(Settings::default()), None);
    assert_eq!(again.expect("it goes on").recovery().map(|recovery| recovery.last_line), Some(1));
}

/// Two starts that failed before the first name was on the disk, then the machine stopped: what is left is the beginning of a segment that goes on from one
/// whose name was lost (simulation, seed 514). Nobody was told of anything, so it begins anew; behind the first place it would be damage.
#[test]
fn what_never_began_begins_anew() {
    let torn = |name: &str, bytes: &[u8]| {
        let disk = SimulatedDisk::new(1);
        disk.create_directory(Path::new("/journal")).unwrap();
        for (name, bytes) in [(name, bytes), ("term-00000000000000000002", b"".as_slice())] {
            let written = disk.create(&Path::new("/journal").join(name)).unwrap().append(bytes).unwrap();
            assert_eq!(written, bytes.len());
        }
        disk
    };
    for bytes in [&[0; 4][..], &[0; 60], b"TERRACE\n", b""] {
        let disk = torn("sequence-00000000000000000000.2.1", bytes);
        let mut session = open(&disk, None);
        carry_out(&mut session, MARKET);
        let disk = disk.killed();
        assert_eq!(open(&disk, None).seq(), MARKET.len() as u64, "{bytes:?}");
    }
    let settings = JournalSettings { durability: Durability::Sync, ..JournalSettings::default() };
    let kernel = Kernel::new(Settings::default());
    let disk = torn("sequence-00000000000000000007.2.1", &[0; 4]);
    let refused = Opened::open(disk, Path::new("/journal"), settings, kernel, None).map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains("sequence-00000000000000000007.2.1"), "{refused}");
}

/// A start that fails at any of its operations, another in which the machine stops at any: a third begins or goes on. What the second relies on has its name on the
/// disk before it writes (simulation of streams, seed 25523).
#[test]
fn however_two_starts_end_a_third_begins() {
    let settings = JournalSettings { durability: Durability::Sync, ..JournalSettings::default() };
    let start = |disk: &SimulatedDisk| {
        let kernel = Kernel::new(Settings::default());
        Opened::open(disk.clone(), Path::new("/journal"), settings, kernel, None)
    };
    let (mut failed, mut stopped) = (0, 0);
    for fails_at in 1..12 {
        for crashes_at in 1..16 {
            for seed in 0..16 {
                let disk = SimulatedDisk::new(seed);
                disk.set_faults(Faults { fails_at: Some(fails_at), ..Faults::default() });
                failed += u32::from(start(&disk).is_err());
                let disk = disk.killed();
                disk.set_faults(Faults { crashes_at: Some(crashes_at), ..Faults::default() });
                stopped += u32::from(start(&disk).is_err());
                let third = start(&disk.restarted(seed)).map(|_| ());
                assert!(third.is_ok(), "operations {fails_at}, {crashes_at}, seed {seed}: {third:?}");
            }
        }
    }
    assert!(failed > 0 && stopped > 0);
}
