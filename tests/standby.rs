//! A standby follows, answers and takes over: whatever the primary was at, nothing that it acknowledged is lost, nothing is done twice, and it
//! acknowledges nothing more.

#![expect(clippy::disallowed_types, reason = "what happens between two operations of a disk is handed to it")]

mod exec_scripts;

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use terrace::engine::Entry;
use terrace::journal::{
    Disk, DiskFile, Durability, Faults, Frame, JournalError, JournalSettings, Reader, SimulatedDisk, Writer,
};
use terrace::protocol::{DurableSession, Opened, Snapshot, Standby, TierTables};
use terrace::{Command, Kernel, Settings, Strategy};

fn directory() -> &'static Path {
    Path::new("/journal")
}

fn journal_settings() -> JournalSettings {
    JournalSettings { durability: Durability::Sync, segment_bytes: 700, check_every: 8, ..JournalSettings::default() }
}

fn settings(at: usize) -> Settings {
    let shards = [1, 3, 2][at % 3];
    Settings { shards, strategy: Strategy::ALL[at % Strategy::ALL.len()], ..Settings::default() }
}

fn primary(disk: &SimulatedDisk) -> DurableSession {
    let opened = Opened::open(disk.clone(), directory(), journal_settings(), Kernel::new(settings(0)), None);
    opened.expect("the journal is gone on with").start_by_hand(TierTables::default()).expect("it starts")
}

fn standby(disk: &SimulatedDisk, at: usize) -> Standby<SimulatedDisk> {
    Standby::open(disk.clone(), directory(), settings(at)).expect("there is a journal")
}

fn follow(standby: &mut Standby<SimulatedDisk>) {
    while standby.step(64).expect("it comes to the same") {}
}

fn take_over(standby: Standby<SimulatedDisk>) -> DurableSession {
    let opened = standby.take_over(journal_settings(), None).expect("it takes over");
    opened.start_by_hand(TierTables::default()).expect("it starts")
}

/// Carries lines out; what was said, once it is kept.
fn carry_out(session: &mut DurableSession, lines: &[String]) -> String {
    let mut said = String::new();
    for line in lines {
        let _ = session.line(line.as_bytes(), &mut said); // a refusal is said too
    }
    session.wait().expect("the disk keeps it");
    said
}

fn script(name: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/exec/{name}.jsonl"));
    fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
}

/// Every script, and in the middle of it another one takes over, again and again: together they say what one says.
#[test]
fn every_script_is_gone_on_with_by_its_standby() {
    let mut taken = 0;
    for (n, file) in exec_scripts::scripts().iter().enumerate() {
        let lines: Vec<String> = fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect();
        let expected = carry_out(&mut primary(&SimulatedDisk::new(1)), &lines);
        let disk = SimulatedDisk::new(2);
        let mut session = primary(&disk);
        let (mut said, mut fenced) = (String::new(), Vec::new());
        let mut following = standby(&disk, n);
        for (part, lines) in lines.chunks(lines.len().div_ceil(5)).enumerate() {
            for line in lines {
                said += &carry_out(&mut session, std::slice::from_ref(line));
                follow(&mut following);
                assert_eq!(following.progress().unwrap().unread_bytes, 0, "{}", file.display());
            }
            if part % 3 == 1 {
                Snapshot::make(&disk, directory(), settings(part)).unwrap();
            }
            fenced.push(std::mem::replace(&mut session, take_over(following)));
            taken += 1;
            following = standby(&disk, n + part);
        }
        assert_eq!(said, expected, "{}", file.display());
        for mut session in fenced {
            let _ = session.line(br#"{"op":"get","what":"totals"}"#, &mut String::new());
            assert!(session.wait().is_err(), "it is fenced");
            assert!(matches!(session.failure(), Some(JournalError::Fenced { .. })), "{:?}", session.failure());
            assert!(session.finish().is_err());
        }
    }
    assert!(taken > 100, "{taken}");
}

const ASK: &str = r#"{"op":"get","what":"totals"}"#;

#[test]
fn a_standby_answers_questions_and_nothing_else() {
    let disk = SimulatedDisk::new(1);
    let mut session = primary(&disk);
    let mut following = standby(&disk, 1);
    let lines = script("waterfall");
    carry_out(&mut session, &lines);
    follow(&mut following);
    let mut ask = |line: &str| {
        let mut said = String::new();
        let _ = following.line(line.as_bytes(), &mut said);
        said
    };
    let without_seq = |said: &str| {
        let mut said: serde_json::Value = serde_json::from_str(said).unwrap();
        said["seq"] = 0.into();
        said
    };
    let expected = carry_out(&mut session, &[ASK.to_owned()]);
    let said = ask(ASK);
    assert!(said.contains("\"seq\":1,"), "{said}");
    assert_eq!(without_seq(&said), without_seq(&expected));
    let now = session.kernel().now_ns();
    assert!(ask(&format!("{{\"op\":\"get\",\"what\":\"totals\",\"ts\":{}}}", now + 7)).contains("\"ev\":\"totals\""));
    for (line, expected) in [
        (
            r#"{"op":"time","ts":99}"#,
            "\"code\":\"halted\",\"reason\":\"\\\"time\\\" is refused: this process is a standby",
        ),
        (r#"{"op":"take_over"}"#, "\"code\":\"halted\""),
        (r#"{"op":"get","what":"totals","source":"a","client_seq":1}"#, "\"code\":\"bad_value\""),
        (r#"{"op":"get","what":"account","account":777}"#, "\"code\":\"unknown_account\""),
        (r#"{"op":"get"}"#, "\"code\":\"malformed\""),
        ("nonsense", "\"code\":\"malformed\""),
    ] {
        let said = ask(line);
        assert!(said.contains(expected), "{line}: {said}");
    }
    assert_eq!(ask(""), "");
    let said = ask(&ASK.replace('}', ",\"ack\":true}"));
    assert!(said.ends_with("{\"ev\":\"ok\",\"seq\":10}\n"), "{said}");
    assert_eq!(following.kernel().now_ns(), now, "no time has passed by questions");
    follow(&mut following);
    assert_eq!(following.progress().unwrap().last_line, session.seq());
}

/// The primary is at any operation of its disk when another takes over, and goes on afterwards as if nothing had happened.
#[test]
fn whatever_the_primary_was_at_it_acknowledges_nothing_more() {
    let lines = script("waterfall");
    let payment = |n: usize| payment(n).replace("\"account\":1", "\"account\":99");
    let (mut repeated, mut fresh) = (0, 0);
    for steps in 0..24 {
        for ahead in [false, true] {
            let disk = SimulatedDisk::new(steps);
            let mut old = primary(&disk);
            carry_out(&mut old, &lines);
            let mut following = standby(&disk, 1);
            if ahead {
                follow(&mut following);
            }
            // So many lines, of which some are written, and some lie in its queue.
            let mut frames = Vec::new();
            for line in (1..=24).map(payment) {
                let mut said = String::new();
                old.line(line.as_bytes(), &mut said).unwrap();
                frames.push(old.appended());
                if frames.len() as u64 == steps {
                    old.step_journal();
                }
            }
            let acknowledged = frames.iter().filter(|frame| old.may_acknowledge(**frame)).count();
            let mut new = take_over(following);
            while old.step_journal() {}
            let later = frames.iter().filter(|frame| old.may_acknowledge(**frame)).count();
            assert_eq!(later, acknowledged, "after {steps}");
            assert!(matches!(old.failure(), Some(JournalError::Fenced { term: 1, by: 2, .. })), "{:?}", old.failure());
            // What was acknowledged is there, and whatever is there is not done again.
            let there = usize::try_from(new.seq()).unwrap() - lines.len();
            assert!(there >= acknowledged, "after {steps}: {there} of {acknowledged}");
            let said = carry_out(&mut new, &(1..=24).map(payment).collect::<Vec<_>>());
            assert_eq!(said.matches("\"ev\":\"ok\"").count(), 24, "{said}");
            repeated += there;
            fresh += 24 - there;
            assert_eq!(new.kernel().account(99).unwrap().balances[0].1, 24 * 100, "after {steps}");
        }
    }
    assert!(repeated > 100 && fresh > 100, "{repeated}, {fresh}");
}

/// Another standby follows whoever writes, also where it had read what the old primary wrote behind the place of the new one.
#[test]
fn others_follow_whoever_took_over() {
    let disk = SimulatedDisk::new(3);
    let lines = script("waterfall");
    let (first, rest) = lines.split_at(lines.len() / 2);
    let mut old = primary(&disk);
    carry_out(&mut old, first);
    let mut ahead = standby(&disk, 2);
    let mut new = {
        let mut following = standby(&disk, 1);
        follow(&mut following);
        take_over(following)
    };
    // What the old one writes now is believed by nobody.
    let _ = old.line(rest[0].as_bytes(), &mut String::new());
    old.step_journal();
    follow(&mut ahead);
    assert_eq!(ahead.progress().unwrap().last_line, first.len() as u64);
    let said = carry_out(&mut new, rest);
    let mut whole = primary(&SimulatedDisk::new(4));
    carry_out(&mut whole, first);
    assert_eq!(said, carry_out(&mut whole, rest));
    follow(&mut ahead);
    assert_eq!(ahead.progress().unwrap().last_line, lines.len() as u64);
    // It takes over in turn, and from that whoever starts.
    let newest = take_over(ahead);
    assert_eq!(newest.seq(), lines.len() as u64);
    assert!(new.finish().is_err(), "the second one is fenced as the first");
    newest.finish().unwrap();
    assert_eq!(primary(&disk).seq(), lines.len() as u64);
}

/// What a standby has read and the new primary has not: it begins anew.
#[test]
fn who_read_what_was_not_gone_on_with_begins_anew() {
    let disk = SimulatedDisk::new(5);
    let lines = script("waterfall");
    let mut old = primary(&disk);
    carry_out(&mut old, &lines[..8]);
    let before = disk.killed();
    let mut ahead = standby(&disk, 1);
    carry_out(&mut old, &lines[8..10]);
    follow(&mut ahead);
    assert_eq!(ahead.progress().unwrap().last_line, 10);
    // A new primary that has read only so far: made aside, and its files put there.
    let mut new = take_over(standby(&before, 0));
    carry_out(&mut new, &lines[8..9]);
    for file in before.files().into_iter().filter(|file| file.to_string_lossy().ends_with(".2.1")) {
        disk.put(&file, &before.bytes(&file).unwrap());
    }
    follow(&mut ahead);
    assert_eq!(ahead.progress().unwrap().last_line, 9, "it follows the new one");
}

/// The machine stops, or an operation fails, at each operation of taking over: another one goes on with everything that was acknowledged.
#[test]
fn wherever_taking_over_ends_nothing_is_lost() {
    let disk = SimulatedDisk::new(6);
    let lines = script("waterfall");
    let mut old = primary(&disk);
    carry_out(&mut old, &lines[..12]);
    let calm = disk.killed();
    let taken = standby(&calm, 1).take_over(journal_settings(), None).unwrap();
    let operations = calm.operations();
    drop(taken);
    assert!(operations >= 5, "{operations}");
    for at in 1..=operations + 1 {
        for (fails, seed) in [(true, 0), (false, 0), (false, 1), (false, 2), (false, 3)] {
            let failing = disk.killed();
            let (crashes_at, fails_at) = if fails { (None, Some(at)) } else { (Some(at), None) };
            failing.set_faults(Faults { crashes_at, fails_at, ..Faults::default() });
            let taken = standby(&failing, 1).take_over(journal_settings(), None);
            assert_eq!(taken.is_err(), at <= operations, "operation {at}");
            drop(taken);
            for after in [failing.killed(), failing.restarted(seed)] {
                let mut next = primary(&after);
                assert_eq!(next.seq(), 12, "operation {at}, seed {seed}");
                carry_out(&mut next, &lines[12..]);
                next.finish().unwrap();
                let mut following = standby(&after, 2);
                follow(&mut following);
                assert_eq!(following.progress().unwrap().last_line, lines.len() as u64);
                let terms = after.files().iter().filter(|file| file.to_string_lossy().contains("/term-")).count();
                assert_eq!(terms, 1, "one term at a time");
            }
        }
    }
}

/// A kernel that comes to something else than the journal says: the place is named, and nothing is taken over.
#[test]
fn a_standby_that_differs_says_where() {
    let disk = SimulatedDisk::new(7);
    let lines = script("waterfall");
    let mut old = primary(&disk);
    carry_out(&mut old, &lines);
    // Checks that are wrong: the same places in a journal of another history.
    let mut reader = Reader::open_on(disk.clone(), directory()).unwrap();
    let other = SimulatedDisk::new(8);
    let mut writer = Writer::create_on(other.clone(), directory(), journal_settings()).unwrap();
    while let Some(mut frame) = reader.frame().unwrap() {
        if let Frame::Check(check) = &mut frame {
            check.hash ^= 1;
        }
        writer.frame(&frame).unwrap();
    }
    writer.finish().unwrap();
    let mut following = standby(&other, 1);
    let error = loop {
        match following.step(64) {
            Ok(true) => {}
            Ok(false) => panic!("it does not see it"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("comes to something else: places"), "{error}");
    assert!(following.take_over(journal_settings(), None).is_err());
}

/// One who books otherwise tells the same: a state names the places, and nothing is taken over.
#[test]
fn a_standby_that_books_otherwise_says_where() {
    let disk = SimulatedDisk::new(7);
    let mut old = primary(&disk);
    carry_out(&mut old, &script("waterfall"));
    old.finish().unwrap();
    let mut reader = Reader::open_on(disk.clone(), directory()).unwrap();
    let other = SimulatedDisk::new(8);
    let mut writer = Writer::create_on(other.clone(), directory(), journal_settings()).unwrap();
    let mut changed = false;
    while let Some(mut frame) = reader.frame().unwrap() {
        if let Frame::Line(_, Some(Entry::Command { command: Command::Deposit { amount, .. }, .. })) = &mut frame
            && !std::mem::replace(&mut changed, true)
        {
            *amount += 1;
        }
        writer.frame(&frame).unwrap();
    }
    writer.finish().unwrap();
    assert!(changed);
    let mut following = standby(&other, 1);
    let error = loop {
        match following.step(64) {
            Ok(true) => {}
            Ok(false) => panic!("it does not see it"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("comes to something else: places 0 to "), "{error}");
    assert!(error.contains(": the state comes to "), "{error}");
    assert!(following.take_over(journal_settings(), None).is_err());
}

/// Something that happens at an operation of a disk.
type Happening = Box<dyn FnOnce() + Send>;

/// A disk on which something else happens before one of its operations, reading included.
#[derive(Clone)]
struct Between {
    disk: SimulatedDisk,
    /// So many operations from now on.
    happening: Arc<Mutex<(u64, Option<Happening>)>>,
}

impl fmt::Debug for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Between")
    }
}

impl Between {
    fn new(disk: &SimulatedDisk) -> Self {
        Self { disk: disk.clone(), happening: Arc::default() }
    }

    fn set(&self, after: u64, happening: Happening) {
        *self.happening.lock().unwrap() = (after, Some(happening));
    }

    /// Whether it has not happened.
    fn is_left(&self) -> bool {
        self.happening.lock().unwrap().1.is_some()
    }

    fn operation(&self) {
        let mut happening = self.happening.lock().unwrap();
        happening.0 = happening.0.wrapping_sub(1);
        if happening.0 == 0
            && let Some(happens) = happening.1.take()
        {
            drop(happening);
            happens();
        }
    }

    fn file(&self, file: io::Result<Box<dyn DiskFile>>) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(FileBetween { file: file?, disk: self.clone() }))
    }
}

impl Disk for Between {
    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        self.operation();
        self.disk.create_directory(directory)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.operation();
        self.disk.list(directory)
    }

    fn exists(&self, file: &Path) -> io::Result<bool> {
        self.operation();
        self.disk.exists(file)
    }

    fn create(&self, file: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.operation();
        self.file(self.disk.create(file))
    }

    fn open(&self, file: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.operation();
        self.file(self.disk.open(file))
    }

    fn open_to_append(&self, file: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.operation();
        self.file(self.disk.open_to_append(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operation();
        self.disk.rename(from, to)
    }

    fn write_again(&self, file: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.operation();
        self.disk.write_again(file, offset, bytes)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        self.operation();
        self.disk.remove(file)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.operation();
        self.disk.sync_directory(directory)
    }
}

#[derive(Debug)]
struct FileBetween {
    file: Box<dyn DiskFile>,
    disk: Between,
}

impl DiskFile for FileBetween {
    fn length(&mut self) -> io::Result<u64> {
        self.disk.operation();
        self.file.length()
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.operation();
        self.file.append(bytes)
    }

    fn read(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.disk.operation();
        self.file.read(offset, into)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.operation();
        self.file.sync()
    }
}

fn payment(n: usize) -> String {
    format!(
        "{{\"op\":\"deposit\",\"account\":1,\"asset\":\"USDT\",\"amount\":\"1\",\"source\":\"s\",\"client_seq\":{n},\"ack\":true}}"
    )
}

/// What all that are told add up to, once the new primary has gone on: each payment once.
fn check_payments(mut new: DurableSession, told: usize, before: usize, what: &str) {
    let there = usize::try_from(new.seq()).unwrap() - before;
    assert!(there >= told, "{what}: {told} lines are told, and {there} are there");
    let said = carry_out(&mut new, &(1..=20).map(payment).collect::<Vec<_>>());
    assert_eq!(said.matches("\"ev\":\"ok\"").count(), 20, "{what}: {said}");
    let account = new.kernel().account(1).unwrap();
    assert_eq!(account.balances[0].1, 20 * 100, "{what}");
    new.finish().unwrap_or_else(|error| panic!("{what}: {error}"));
}

const ASSET: &str = r#"{"op":"asset","asset":"USDT","decimals":2}"#;

/// The old primary writes all that it has, and acknowledges, between any two operations of whoever takes over.
#[test]
fn the_old_primary_may_write_between_any_two_operations_of_the_new_one() {
    let (mut happened, mut fenced, mut repeats) = (0, 0, 0);
    for after in 1.. {
        let disk = SimulatedDisk::new(after);
        let old = Arc::new(Mutex::new(primary(&disk)));
        let mut frames = Vec::new();
        {
            let mut old = old.lock().unwrap();
            carry_out(&mut old, &[ASSET.to_owned(), payment(1)]);
            for n in 2..=12 {
                old.line(payment(n).as_bytes(), &mut String::new()).unwrap();
                frames.push(old.appended());
            }
        }
        let between = Between::new(&disk);
        let mut following = Standby::open(between.clone(), directory(), settings(1)).unwrap();
        following.step(after as usize % 5).unwrap();
        let stepped = Arc::clone(&old);
        between.set(after, Box::new(move || while stepped.lock().unwrap().step_journal() {}));
        let opened = following.take_over(journal_settings(), None).unwrap();
        let new = opened.start_by_hand(TierTables::default()).unwrap();
        if between.is_left() {
            break; // it takes fewer operations
        }
        happened += 1;
        let mut old = old.lock().unwrap();
        let told = frames.iter().filter(|frame| old.may_acknowledge(**frame)).count();
        assert!(told == 0 || told == frames.len());
        fenced += u64::from(told == 0);
        repeats += usize::try_from(new.seq()).unwrap() - 2;
        let _ = old.line(payment(13).as_bytes(), &mut String::new());
        assert!(old.wait().is_err(), "after {after}");
        assert!(matches!(old.failure(), Some(JournalError::Fenced { .. })), "{:?}", old.failure());
        check_payments(new, 1 + told, 1, &format!("the old one at operation {after}"));
        let last = primary(&disk.restarted(after));
        assert_eq!(last.kernel().account(1).unwrap().balances[0].1, 20 * 100);
    }
    assert!(happened > 15 && fenced > 5 && repeats > 12, "{happened}, {fenced}, {repeats}");
}

/// Another takes over between any two operations of the primary, which is about to acknowledge.
#[test]
fn a_standby_may_take_over_between_any_two_operations_of_the_old_primary() {
    let (mut happened, mut fenced) = (0, 0);
    for after in 1.. {
        let disk = SimulatedDisk::new(after);
        let between = Between::new(&disk);
        let opened =
            Opened::open(between.clone(), directory(), journal_settings(), Kernel::new(settings(0)), None).unwrap();
        let mut old = opened.start_by_hand(TierTables::default()).unwrap();
        for line in [ASSET.to_owned(), payment(1)] {
            old.line(line.as_bytes(), &mut String::new()).unwrap();
        }
        old.wait().unwrap();
        let mut following = standby(&disk, 2);
        following.step(after as usize % 5).unwrap();
        let new = Arc::new(Mutex::new(None));
        let taken = Arc::clone(&new);
        between.set(after, Box::new(move || *taken.lock().unwrap() = Some(take_over(following))));
        // In batches, with segments that end.
        let mut frames = Vec::new();
        for n in 2..=12 {
            let _ = old.line(payment(n).as_bytes(), &mut String::new());
            frames.push(old.appended());
            if n % 3 == 0 {
                old.step_journal();
            }
        }
        while old.step_journal() {}
        if between.is_left() {
            break;
        }
        happened += 1;
        let told = frames.iter().filter(|frame| old.may_acknowledge(**frame)).count();
        fenced += u64::from(told < frames.len());
        assert!(old.finish().is_err(), "after {after}");
        let new = new.lock().unwrap().take().unwrap();
        check_payments(new, 1 + told, 1, &format!("taken over at operation {after}"));
    }
    assert!(happened > 15 && fenced > 5, "{happened}, {fenced}");
}

/// Two take over at once, one between any two operations of the other: one of them goes on, and the other one says why not.
#[test]
fn of_two_that_take_over_one_goes_on() {
    let (mut first, mut second) = (0, 0);
    for after in 1.. {
        let disk = SimulatedDisk::new(after);
        let mut old = primary(&disk);
        carry_out(&mut old, &[ASSET.to_owned(), payment(1)]);
        for n in 2..=5 {
            old.line(payment(n).as_bytes(), &mut String::new()).unwrap();
        }
        let between = Between::new(&disk);
        let one = Standby::open(between.clone(), directory(), settings(1)).unwrap();
        let two = standby(&disk, 2);
        let taken = Arc::new(Mutex::new(None));
        let other = Arc::clone(&taken);
        between.set(
            after,
            Box::new(move || {
                old.step_journal();
                *other.lock().unwrap() = Some(take_over(two));
            }),
        );
        let opened = one.take_over(journal_settings(), None);
        if between.is_left() {
            break;
        }
        let mut other = taken.lock().unwrap().take().unwrap();
        match opened.and_then(|opened| opened.start_by_hand(TierTables::default())) {
            Err(_) => {
                second += 1;
                check_payments(other, 1, 1, &format!("the second one at operation {after}"));
            }
            Ok(mut one) => {
                let _ = one.line(payment(6).as_bytes(), &mut String::new());
                let _ = other.line(payment(6).as_bytes(), &mut String::new());
                let kept = [one.wait().is_ok(), other.wait().is_ok()];
                assert_ne!(kept[0], kept[1], "operation {after}: {kept:?}");
                (first, second) = (first + u64::from(kept[0]), second + u64::from(kept[1]));
                let (new, fenced) = if kept[0] { (one, other) } else { (other, one) };
                assert!(fenced.finish().is_err());
                check_payments(new, 1, 1, &format!("two at operation {after}"));
            }
        }
        let last = primary(&disk.killed());
        assert_eq!(last.kernel().account(1).unwrap().balances[0].1, 20 * 100);
    }
    assert!(first > 0 && second > 5, "{first}, {second}");
}
