//! Snapshots in files: recovery from the newest that is whole comes to what the whole journal comes to, from every place, whatever
//! byte is damaged and wherever the machine stops.

mod exec_scripts;

use std::fs;
use std::path::Path;
use terrace::command::{Fill, Side};
use terrace::contract::Unit;
use terrace::decimal::Grid;
use terrace::engine::{Divergence, Entry};
use terrace::journal::{
    Durability, Faults, Frame, JournalSettings, PlayError, Played, Player, Reader, SimulatedDisk, SnapshotError,
    SnapshotFile, SnapshotWriter, Start, Writer,
};
use terrace::market::{AssetId, FundSpec, InstrumentId, InstrumentSpec};
use terrace::protocol::{Made, Opened, Recovery, Snapshot, Snapshots, TierTables};
use terrace::snapshot::Part;
use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::venue::VenueMode;
use terrace::{Command, Kernel, Settings, Strategy};

/// What a kernel comes to, if it is at rest.
type State = Option<Vec<(Part, Vec<u8>)>>;

const DIRECTORY: &str = "journal";

fn directory() -> &'static Path {
    Path::new(DIRECTORY)
}

fn journal_settings() -> JournalSettings {
    let durability = Durability::Sync;
    JournalSettings { durability, segment_bytes: 700, check_every: 8, ..JournalSettings::default() }
}

fn settings(at: usize) -> Settings {
    let shards = [1, 3, 2][at % 3];
    Settings { shards, strategy: Strategy::ALL[at % Strategy::ALL.len()], ..Settings::default() }
}

fn script(name: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/exec/{name}.jsonl"));
    fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
}

/// The state of a kernel, if it is at rest.
fn state(kernel: &Kernel) -> State {
    let mut parts = Vec::new();
    let saved: Result<(), ()> = kernel.at_rest()?.save(&mut |part, bytes| {
        parts.push((part, bytes.to_owned()));
        Ok(())
    });
    saved.unwrap();
    Some(parts)
}

/// Goes on with the journal on a disk; what was found, what the lines said, and the state at the end.
fn go_on(disk: &SimulatedDisk, lines: &[String], at: usize) -> (Option<Recovery>, String, State) {
    let kernel = Kernel::new(settings(at));
    let opened = Opened::open(disk.clone(), directory(), journal_settings(), kernel, None);
    let opened = opened.unwrap_or_else(|error| panic!("{error}"));
    let recovery = opened.recovery().cloned();
    let mut session = opened.start(TierTables::default()).unwrap();
    let mut said = String::new();
    for line in lines {
        let _ = session.line(line.as_bytes(), &mut said);
    }
    session.wait().unwrap();
    let state = state(session.kernel());
    session.finish().unwrap();
    (recovery, said, state)
}

fn snapshot(disk: &SimulatedDisk, at: usize) -> Snapshot {
    Snapshot::make(disk, directory(), settings(at)).unwrap_or_else(|error| panic!("{error}"))
}

/// The same disk without any snapshot.
fn without_snapshots(disk: &SimulatedDisk) -> SimulatedDisk {
    let other = disk.killed();
    for SnapshotFile { file, .. } in SnapshotFile::list(&other, directory()).unwrap() {
        terrace::journal::Disk::remove(&other, &file).unwrap();
    }
    other
}

/// The hash of all events of the journal, gone through from its start.
fn hash(disk: &SimulatedDisk) -> u64 {
    hash_after(disk, u64::MAX)
}

/// The same after so many places.
fn hash_after(disk: &SimulatedDisk, mut places: u64) -> u64 {
    let mut kernel = Kernel::new(Settings::default());
    let mut player = Player::new(Reader::open_on(disk.clone(), directory()).unwrap());
    while places > 0
        && let Some(played) = player.step(&mut kernel, &mut |_| ()).unwrap()
    {
        places -= u64::from(matches!(played, Played::Place(..)));
    }
    player.chain().check().hash
}

/// Every script in parts, a snapshot after each: what each process says is what one says that has all lines, and the journal gone
/// through from its start comes to the same state.
#[test]
fn every_script_goes_on_from_its_snapshots() {
    let mut from_snapshots = 0;
    for (n, file) in exec_scripts::scripts().iter().enumerate() {
        let text = fs::read_to_string(file).unwrap();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let (_, expected, _) = go_on(&SimulatedDisk::new(1), &lines, 0);
        let disk = SimulatedDisk::new(2);
        let mut said = String::new();
        for (part, lines) in lines.chunks(lines.len().div_ceil(6)).enumerate() {
            let (recovery, answered, state) = go_on(&disk, lines, n + part);
            from_snapshots += usize::from(recovery.is_some_and(|recovery| recovery.snapshot.is_some()));
            said += &answered;
            let (_, _, again) = go_on(&without_snapshots(&disk), &[], n);
            assert_eq!(again, state, "{}: the state after part {part}", file.display());
            let made = snapshot(&disk, n + part);
            assert!(made.passed.is_empty(), "{:?}", made.passed);
            assert_eq!(made.stand.check.hash, hash_after(&disk, made.stand.places), "{}", file.display());
            let (recovery, _, again) = go_on(&disk, &[], n + part + 1);
            let recovery = recovery.unwrap();
            assert_eq!(again, state, "{}: the state from the snapshot after part {part}", file.display());
            assert_eq!(recovery.snapshot, Some(made.snapshot), "{}", file.display());
        }
        assert_eq!(said, expected, "{}", file.display());
    }
    assert!(from_snapshots > 100, "{from_snapshots}");
}

/// A journal whose decisions are told later than they were taken, as on threads: from every place at which the kernel is at rest a
/// snapshot is gone on from to the same end.
#[test]
fn every_place_of_a_stream_can_be_gone_on_from() {
    for name in ["waterfall", "handshake", "funding", "rankings"] {
        let inline = SimulatedDisk::new(3);
        go_on(&inline, &script(name), 0);
        let disk = SimulatedDisk::new(4);
        let mut writer = Writer::create_on(disk.clone(), directory(), journal_settings()).unwrap();
        let mut reader = Reader::open_on(inline.clone(), directory()).unwrap();
        let mut late = std::collections::VecDeque::new();
        let mut frames = 0;
        while let Some(frame) = reader.frame().unwrap() {
            frames += 1;
            let frame = match frame {
                Frame::Entry(Entry::Decide { outcome: Some(outcome) }) => {
                    late.push_back((frames + 1 + frames % 4, outcome));
                    Frame::Entry(Entry::Decide { outcome: None })
                }
                frame => frame,
            };
            writer.frame(&frame).unwrap();
            while let Some((_, outcome)) = late.pop_front_if(|(due, _)| *due <= frames) {
                writer.frame(&Frame::Outcome(outcome)).unwrap();
            }
        }
        for (_, outcome) in late {
            writer.frame(&Frame::Outcome(outcome)).unwrap();
        }
        writer.finish().unwrap();
        let end = hash(&disk);
        assert_eq!(end, hash(&inline), "{name}: when outcomes are told changes nothing");
        let (mut kernel, reader) = (Kernel::new(settings(1)), Reader::open_on(disk.clone(), directory()).unwrap());
        let mut player = Player::new(reader).following();
        let (mut places, mut resting) = (0, 0);
        while let Some(played) = player.step(&mut kernel, &mut |_| ()).unwrap() {
            if !matches!(played, Played::Place(..)) {
                continue;
            }
            places += 1;
            let Some(stand) = player.stand(&kernel) else { continue };
            resting += 1;
            let mut snapshot = SnapshotWriter::begin(&disk, directory(), stand).unwrap();
            kernel.at_rest().unwrap().save(&mut |part, bytes| snapshot.part(part, bytes)).unwrap();
            let (file, _) = snapshot.finish().unwrap();
            let start = Start::at(&disk, directory(), settings(places), &file).unwrap();
            let (mut kernel, mut player) = (start.kernel, start.player);
            while player.step(&mut kernel, &mut |_| ()).unwrap().is_some() {}
            assert_eq!(player.chain().check().hash, end, "{name}: from place {places}");
        }
        assert!(resting * 2 > places && places > 20, "{name}: {resting} of {places}");
    }
}

/// The same journal but for one deposit, which is a quantum more; every checksum is right.
fn with_another_deposit(disk: &SimulatedDisk, nth: usize) -> SimulatedDisk {
    let other = SimulatedDisk::new(9);
    let mut reader = Reader::open_on(disk.clone(), directory()).unwrap();
    let mut writer = Writer::create_on(other.clone(), directory(), journal_settings()).unwrap();
    let mut deposits = 0;
    while let Some(mut frame) = reader.frame().unwrap() {
        if let Frame::Line(_, Some(Entry::Command { command: Command::Deposit { amount, .. }, .. })) = &mut frame {
            deposits += 1;
            *amount += i64::from(deposits == nth);
        }
        writer.frame(&frame).unwrap();
    }
    writer.finish().unwrap();
    assert!(deposits >= nth, "{deposits}");
    other
}

/// Places before each state of a journal.
fn states(disk: &SimulatedDisk) -> Vec<u64> {
    let mut reader = Reader::open_on(disk.clone(), directory()).unwrap();
    let mut states = Vec::new();
    while let Some(frame) = reader.frame().unwrap() {
        if matches!(frame, Frame::State(_)) {
            states.push(reader.place());
        }
    }
    states
}

/// Deposits, which tell nothing.
fn deposits(count: usize) -> Vec<String> {
    let asset = r#"{"op":"asset","asset":"USDT","decimals":2}"#.to_owned();
    let deposit = |at| format!(r#"{{"op":"deposit","account":{at},"asset":"USDT","amount":"5"}}"#);
    std::iter::once(asset).chain((1..=count).map(deposit)).collect()
}

/// One who books otherwise tells the same, and is noticed at the next state: the places since the one before are named.
#[test]
fn a_state_that_differs_says_where() {
    let disk = SimulatedDisk::new(1);
    let (_, said, _) = go_on(&disk, &deposits(40), 0);
    assert_eq!(said, "");
    let states = states(&disk);
    assert!(states.len() > 3, "{states:?}");
    let mut ranges = Vec::new();
    for nth in 1..=40 {
        let other = with_another_deposit(&disk, nth);
        let refused = Opened::open(other.clone(), directory(), journal_settings(), Kernel::new(settings(nth)), None);
        let refused = refused.unwrap_err().to_string();
        let mut player = Player::new(Reader::open_on(other, directory()).unwrap());
        let mut kernel = Kernel::new(settings(nth + 1));
        let found = loop {
            match player.step(&mut kernel, &mut |_| ()) {
                Ok(played) => assert!(played.is_some(), "deposit {nth}: nothing was noticed"),
                Err(PlayError::Diverged(Divergence::State { from, to, found, recorded })) => {
                    assert_eq!(found, kernel.state_hash());
                    assert_ne!(found, recorded);
                    break from as u64..to as u64 + 1;
                }
                Err(error) => panic!("{error}"),
            }
        };
        let named = format!("places {} to {}: the state comes to ", found.start, found.end - 1);
        assert!(refused.contains(&named), "{refused}");
        ranges.push(found);
    }
    ranges.dedup();
    let ends = states.iter().copied();
    let starts = std::iter::once(0).chain(ends.clone());
    assert_eq!(ranges, starts.zip(ends).map(|(from, to)| from..to).collect::<Vec<_>>());
    // Nothing was changed: it is gone through whatever the kernel is.
    let same = with_another_deposit(&disk, 0);
    go_on(&same, &[], 2);
}

/// Who goes on from a snapshot compares what stands behind it, and names no place before it.
#[test]
fn states_are_compared_behind_a_snapshot() {
    let disk = SimulatedDisk::new(1);
    let lines = deposits(40);
    go_on(&disk, &lines[..20], 0);
    snapshot(&disk, 1);
    go_on(&disk, &lines[20..], 0);
    let (recovery, _, _) = go_on(&disk, &[], 2);
    let from = recovery.unwrap().snapshot.expect("it begins at the snapshot").places;
    let states = states(&disk);
    assert!(states.iter().any(|&at| at < from) && states.iter().any(|&at| at > from), "{states:?} {from}");
    // One who begins with something else is noticed at the first state behind it.
    let file = SnapshotFile::list(&disk, directory()).unwrap().remove(0);
    let Start { mut kernel, mut player, .. } = Start::at(&disk, directory(), settings(1), &file).unwrap();
    kernel.apply(&Command::Deposit { account: 3, asset: AssetId(0), amount: 1 }).unwrap();
    let error = loop {
        match player.step(&mut kernel, &mut |_| ()) {
            Ok(played) => assert!(played.is_some(), "nothing was noticed"),
            Err(error) => break error.to_string(),
        }
    };
    let next = states.iter().find(|&&at| at > from).unwrap();
    assert!(error.contains(&format!("places {from} to {}: the state comes to ", next - 1)), "{error}");
}

/// However short its runs are, and however they end, a journal has states.
#[test]
fn what_is_left_unchecked_counts_on() {
    let disk = SimulatedDisk::new(1);
    let lines = deposits(3 * 8);
    for lines in lines.chunks(3) {
        let opened = Opened::open(disk.clone(), directory(), journal_settings(), Kernel::new(settings(0)), None);
        let mut session = opened.unwrap().start_by_hand(TierTables::default()).unwrap();
        lines.iter().for_each(|line| session.line(line.as_bytes(), &mut String::new()).unwrap());
        session.wait().unwrap(); // and is killed
    }
    let killed = states(&disk);
    assert!(killed.len() >= 2 && killed.windows(2).all(|pair| pair[1] - pair[0] < 8 + 3), "{killed:?}");
    let (_, _, _) = go_on(&disk, &[], 0);
    let places = Reader::open_on(disk.clone(), directory()).map(|mut reader| {
        while reader.frame().unwrap().is_some() {}
        reader.place()
    });
    let ended = states(&disk);
    assert_eq!(ended.last(), Some(&places.unwrap()), "one that ends in good order leaves none");
    go_on(&disk, &[], 0);
    assert_eq!(states(&disk), ended, "and nothing is checked twice");
}

/// Two snapshots, and a journal that goes on after them.
fn two_snapshots() -> (SimulatedDisk, [SnapshotFile; 2], State) {
    let disk = SimulatedDisk::new(5);
    let lines = script("waterfall");
    let third = lines.len() / 3;
    go_on(&disk, &lines[..third], 0);
    let first = snapshot(&disk, 0).snapshot;
    go_on(&disk, &lines[third..2 * third], 0);
    let second = snapshot(&disk, 0).snapshot;
    let (_, _, state) = go_on(&disk, &lines[2 * third..], 0);
    (disk, [first, second], state)
}

#[test]
fn a_damaged_snapshot_is_passed_over_for_the_one_before() {
    let (disk, [first, second], state) = two_snapshots();
    let whole = disk.bytes(&second.file).unwrap();
    let damaged = |recovery: &Recovery, file: &SnapshotFile, what: &str| {
        let names = |why: &String| why.starts_with(&format!("{}: at byte", file.file.display()));
        assert!(recovery.passed.iter().any(names), "{what}: {:?}", recovery.passed);
    };
    for byte in 0..whole.len() {
        let other = disk.killed();
        other.flip(&second.file, byte, byte as u32);
        let (recovery, _, again) = go_on(&other, &[], byte);
        let recovery = recovery.unwrap();
        damaged(&recovery, &second, &format!("byte {byte}"));
        assert_eq!(recovery.snapshot.as_ref(), Some(&first), "byte {byte}");
        assert!(again == state, "byte {byte}: another state");
    }
    for length in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
        let other = disk.killed();
        other.put(&second.file, &whole[..length]);
        let (recovery, _, again) = go_on(&other, &[], length);
        let recovery = recovery.unwrap();
        damaged(&recovery, &second, &format!("cut to {length}"));
        assert!(recovery.snapshot.as_ref() == Some(&first) && again == state, "cut to {length}");
    }
    // None is whole: the journal from its start.
    let other = disk.killed();
    other.flip(&second.file, 200, 1);
    other.put(&first.file, b"");
    let (recovery, _, again) = go_on(&other, &[], 0);
    let recovery = recovery.unwrap();
    assert!(recovery.snapshot.is_none() && recovery.passed.len() == 2 && again == state, "{recovery:?}");
    // Of another journal: longer than this one, or another.
    let (short, _) = (SimulatedDisk::new(6), go_on(&disk, &[], 0));
    go_on(&short, &script("waterfall")[..4], 0);
    short.put(&second.file, &whole);
    let (recovery, ..) = go_on(&short, &[], 0);
    let recovery = recovery.unwrap();
    assert!(recovery.snapshot.is_none() && recovery.passed[0].contains("the journal does not"), "{recovery:?}");
}

#[test]
fn wherever_the_machine_stops_there_is_the_old_snapshot_or_the_new_one() {
    let (disk, [_, second], state) = two_snapshots();
    let calm = disk.killed();
    let new = snapshot(&calm, 0).snapshot;
    let operations = calm.operations();
    assert!(operations >= 8, "{operations}");
    let mut found = [0, 0];
    for crashes_at in 1..=operations {
        for seed in 0..4 {
            let crashing = disk.killed();
            crashing.set_faults(Faults {
                crashes_at: Some(crashes_at),
                short_writes: seed % 2 == 1,
                ..Faults::default()
            });
            let made = Snapshot::make(&crashing, directory(), settings(0));
            assert!(made.is_err() || seed % 2 == 1, "it stops at {crashes_at}");
            for after in [crashing.restarted(seed), crashing.killed()] {
                let (recovery, _, again) = go_on(&after, &[], 1);
                let recovery = recovery.unwrap();
                assert!(recovery.passed.is_empty(), "{crashes_at}: {:?}", recovery.passed);
                let from = recovery.snapshot.unwrap();
                assert!(from == second || from == new, "{crashes_at}: {from:?}");
                found[usize::from(from == new)] += 1;
                assert!(again == state, "{crashes_at}: another state");
                // What was left aside is no hindrance, and goes.
                snapshot(&after, 0);
                assert!(after.files().iter().all(|file| !file.to_string_lossy().ends_with(".new")));
            }
        }
    }
    for fails_at in 1..=operations {
        let failing = disk.killed();
        failing.set_faults(Faults { fails_at: Some(fails_at), ..Faults::default() });
        let made = Snapshot::make(&failing, directory(), settings(0));
        assert!(made.is_err(), "operation {fails_at} fails and nobody says so");
        let (_, _, again) = go_on(&failing.killed(), &[], 1);
        assert!(again == state, "{fails_at}: another state");
    }
    assert!(found[0] > 20 && found[1] > 0, "{found:?}");
}

#[test]
fn pruned_is_what_the_two_newest_do_not_need() {
    let (disk, [first, second], state) = two_snapshots();
    assert!(SnapshotFile::prune(&disk, directory(), 2).unwrap().iter().all(|file| *file != first.file));
    let third = snapshot(&disk, 0).snapshot;
    // A damaged one does not count.
    let other = disk.killed();
    other.flip(&third.file, 300, 0);
    assert!(!SnapshotFile::prune(&other, directory(), 2).unwrap().contains(&first.file));
    let removed = SnapshotFile::prune(&disk, directory(), 2).unwrap();
    assert!(removed.contains(&first.file) && removed.iter().any(|file| file.to_string_lossy().contains("sequence-")));
    for (file, from) in [(None, &third), (Some(&third.file), &second)] {
        let other = disk.killed();
        file.iter().for_each(|file| other.flip(file, 300, 0));
        let (recovery, _, again) = go_on(&other, &[], 0);
        assert_eq!(recovery.unwrap().snapshot.as_ref(), Some(from));
        assert!(again == state);
    }
    // Nothing whole is left: an error that names what is missing, and nothing is begun anew.
    for file in [&second.file, &third.file] {
        disk.flip(file, 300, 0);
    }
    let opened = Opened::open(disk.clone(), directory(), journal_settings(), Kernel::new(settings(0)), None);
    let error = opened.expect_err("nothing to begin from").to_string();
    assert!(error.contains("sequence-00000000000000000000: the segment is missing"), "{error}");
}

/// A thread that follows saves every so many places, and keeps the newest; who goes on begins at one of them, and comes to the same.
#[test]
fn snapshots_are_made_by_the_way() {
    let disk = SimulatedDisk::new(5);
    let opened = Opened::open(disk.clone(), directory(), journal_settings(), Kernel::new(settings(0)), None).unwrap();
    let mut session = opened.start(TierTables::default()).unwrap();
    let (told, heard) = std::sync::mpsc::channel();
    let every = std::num::NonZeroU64::new(20).unwrap();
    let tell = move |made: Made| told.send(made).unwrap();
    let mut by_the_way = Snapshots::start(disk.clone(), directory().to_owned(), settings(1), (every, 2), tell).unwrap();
    let (mut due, mut made) = (every.get(), Vec::new());
    for line in script("modes") {
        let _ = session.line(line.as_bytes(), &mut String::new());
        session.wait().unwrap();
        by_the_way.reached(session.places());
        if session.places() >= due {
            due = session.places() + every.get();
            let snapshot = heard.recv_timeout(std::time::Duration::from_secs(60)).expect("one is made").unwrap();
            assert!(snapshot.stand.places <= session.places());
            made.push(snapshot.stand.places);
        }
    }
    drop(by_the_way);
    assert!(heard.recv().is_err(), "none but those that were due");
    assert!(made.len() > 3 && made.is_sorted_by(|one, next| one < next), "{made:?}");
    assert!(made.windows(2).all(|pair| pair[1] - pair[0] < 2 * every.get()), "{made:?}");
    let kept: Vec<u64> = SnapshotFile::list(&disk, directory()).unwrap().iter().map(|file| file.places).collect();
    assert_eq!(kept, made.iter().rev().take(2).copied().collect::<Vec<_>>());
    let expected = state(session.kernel());
    session.finish().unwrap();
    let (recovery, _, found) = go_on(&disk, &[], 2);
    assert_eq!(recovery.unwrap().snapshot.map(|file| file.places), made.last().copied());
    assert_eq!(found, expected);
    assert_eq!(go_on(&without_snapshots(&disk), &[], 1).2, expected, "the whole journal is still there");
}

/// Where no snapshot can be made that is said, each time; whoever writes goes on.
#[test]
fn a_snapshot_that_fails_is_told_and_tried_again() {
    let (told, heard) = std::sync::mpsc::channel();
    let tell = move |made: Made| told.send(made.is_err()).unwrap();
    let every = std::num::NonZeroU64::MIN;
    let nowhere = directory().to_owned();
    let mut by_the_way = Snapshots::start(SimulatedDisk::new(1), nowhere, settings(0), (every, 2), tell).unwrap();
    for places in 1..4 {
        by_the_way.reached(places);
        assert!(heard.recv_timeout(std::time::Duration::from_secs(60)).expect("it is tried"), "nothing to follow");
    }
}

const P: InstrumentId = InstrumentId(0);

/// Lots that two accounts trade at 1000.
fn fill(account: u64, counterparty: u64, quantity: i64) -> Command {
    Command::Fill(Fill {
        account,
        counterparty: Some(counterparty),
        order: None,
        counter_order: None,
        instrument: P,
        side: Side::Buy,
        quantity,
        price: 1_000,
        liquidity: None,
        position_side: None,
        counter_position_side: None,
    })
}

/// 100 000 accounts, every third pair of them with positions.
fn crowd() -> Kernel {
    let mut kernel = Kernel::new(settings(0));
    let asset = kernel.declare_asset(None, "USDT", 8).unwrap();
    let fund = kernel.declare_fund(None, FundSpec::new("USDT".to_owned(), asset)).unwrap();
    let row = TierRow { cap: 1 << 60, mmr_ppb: 10_000_000, max_leverage: 5_000, deduction: None };
    let tiers = TierTable::new(TierRule::Marginal, &[row]).unwrap();
    let grid = Grid::decimals(0);
    kernel
        .declare_instrument(None, InstrumentSpec::new("P", asset, fund, (grid, grid), Unit::Linear(1), tiers))
        .unwrap();
    kernel.set_venue(None, VenueMode::Mark).unwrap();
    kernel.apply(&Command::Mark { instrument: P, price: 1_000 }).unwrap();
    for account in 1..=100_000 {
        kernel.apply(&Command::Deposit { account, asset, amount: (account as i64) << 20 }).unwrap();
        if account % 6 == 0 {
            kernel.apply(&fill(account - 1, account, (account as i64) << 13)).unwrap(); // worth 7.8 times the deposit
        }
    }
    kernel
}

/// A snapshot that is long enough to be read beside the kernel, of so many accounts that shards load side by side: it comes to the same, and so does what
/// comes after; damage and what cannot be are found in it as in a short one.
#[test]
fn a_long_snapshot_is_read_beside_its_kernel() {
    let disk = SimulatedDisk::new(7);
    let mut kernel = crowd();
    kernel.begin_log(); // the journal does not hold how the accounts came about
    Writer::create_on(disk.clone(), directory(), journal_settings()).unwrap().finish().unwrap();
    let stand = Player::new(Reader::open_on(disk.clone(), directory()).unwrap()).stand(&kernel).unwrap();
    let saved = state(&kernel).unwrap();
    let write = |parts: &[(Part, Vec<u8>)]| {
        for SnapshotFile { file, .. } in SnapshotFile::list(&disk, directory()).unwrap() {
            terrace::journal::Disk::remove(&disk, &file).unwrap();
        }
        let mut writer = SnapshotWriter::begin(&disk, directory(), stand).unwrap();
        parts.iter().for_each(|(part, bytes)| writer.part(*part, bytes).unwrap());
        writer.finish().unwrap()
    };
    let (file, bytes) = write(&saved);
    assert!(bytes > 1 << 20, "{bytes} bytes are no long one");
    let load = |disk: &SimulatedDisk, at: usize| Start::at(disk, directory(), settings(at), &file);
    let mut loaded: Vec<Kernel> = (0..4).map(|at| load(&disk, at).unwrap().kernel).collect();
    for kernel in &loaded {
        assert!(state(kernel).as_ref() == Some(&saved), "another state");
    }
    let deposit = Command::Deposit { account: 99_995, asset: AssetId(0), amount: 1 << 40 };
    let mark = |price| Command::Mark { instrument: P, price };
    let mut seen = 0;
    for command in [mark(995), mark(1_007), deposit, fill(29_999, 95, 7), fill(1, 100_001, 1), mark(870), mark(1_000)] {
        let applied = kernel.apply(&command);
        for other in &mut loaded {
            assert_eq!((other.apply(&command), other.events()), (applied, kernel.events()), "{command:?}");
        }
        seen = seen.max(kernel.events().len());
    }
    assert!(seen > 10_000, "{seen} events are no storm");
    for kernel in &loaded {
        assert_eq!(kernel.overview().audit(0, 100_000), 0);
    }
    for byte in (50..bytes as usize).step_by(bytes as usize / 9) {
        let other = disk.killed();
        other.flip(&file.file, byte, 3);
        assert!(matches!(load(&other, 0), Err(SnapshotError::Damaged { .. })), "byte {byte}");
    }
    let accounts: Vec<usize> = (0..saved.len()).filter(|&at| saved[at].0 == Part::Accounts).collect();
    assert!(accounts.len() > 2);
    let refused = |parts: &[(Part, Vec<u8>)], what: &str| {
        write(parts);
        let error = load(&disk, 0).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    let mut parts = saved.clone();
    parts.swap(accounts[0], accounts[1]);
    refused(&parts, "accounts: accounts out of order");
    parts.clone_from(&saved);
    parts.remove(accounts[1]);
    refused(&parts, "beside: fewer or more accounts than were saved");
    parts.clone_from(&saved);
    parts[accounts[1]].1.pop();
    refused(&parts, "accounts: ");
    parts.clone_from(&saved);
    parts.swap(0, accounts[2]);
    refused(&parts, "accounts: not the part that comes next");
}
