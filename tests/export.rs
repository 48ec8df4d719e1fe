//! A state as lines: what an empty session takes for it goes on as the exported one, also as a journal; what is not a whole state is refused, and
//! leaves the session empty.

mod exec_scripts;
mod program;

use program::{succeed, terrace};
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use terrace::journal::{Durability, JournalSettings, SimulatedDisk, SnapshotFile};
use terrace::protocol::{DurableSession, Followed, Imported, Opened, Session, Snapshot, TierTables};
use terrace::snapshot::Part;
use terrace::{Kernel, Settings, Strategy};
use xxhash_rust::xxh3::xxh3_64;

fn directory() -> &'static Path {
    Path::new("/journal")
}

fn journal_settings() -> JournalSettings {
    JournalSettings { durability: Durability::Sync, check_every: 8, ..JournalSettings::default() }
}

fn settings(at: usize) -> Settings {
    let shards = [1, 3, 2][at % 3];
    Settings { shards, strategy: Strategy::ALL[at % Strategy::ALL.len()], ..Settings::default() }
}

fn open(disk: &SimulatedDisk, at: usize) -> DurableSession {
    let opened = Opened::open(disk.clone(), directory(), journal_settings(), Kernel::new(settings(at)), None);
    opened.unwrap_or_else(|error| panic!("{error}")).start_by_hand(TierTables::default()).unwrap()
}

fn carry_out(session: &mut DurableSession, lines: &[&str]) -> String {
    let mut said = String::new();
    for line in lines {
        let _ = session.line(line.as_bytes(), &mut said);
    }
    session.wait().unwrap();
    said
}

fn state(kernel: &Kernel) -> Vec<(Part, Vec<u8>)> {
    let mut parts = Vec::new();
    let saved: Result<(), ()> = kernel.at_rest().expect("at rest").save(&mut |part, bytes| {
        parts.push((part, bytes.to_owned()));
        Ok(())
    });
    saved.unwrap();
    parts
}

fn followed(disk: &SimulatedDisk, at: usize) -> Followed {
    Followed::newest(disk, directory(), settings(at)).unwrap_or_else(|error| panic!("{error}"))
}

fn export(followed: &Followed) -> String {
    let mut text = Vec::new();
    followed.export(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// A session that takes lines; the first that is refused ends it.
fn restore(text: &str, at: usize) -> Result<Session, (usize, String)> {
    let mut session = Session::new(settings(at));
    feed(&mut session, text).map(|()| session)
}

fn feed(session: &mut Session, text: &str) -> Result<(), (usize, String)> {
    for (number, line) in text.lines().enumerate() {
        let mut said = String::new();
        let taken = session.line(line.as_bytes(), &mut said);
        taken.map_err(|rejection| (number + 1, format!("{}: {}", rejection.code, rejection.reason)))?;
        assert_eq!(said, "", "a state tells nothing");
    }
    Ok(())
}

/// Every script, cut in several places: what is exported there and restored has the same bytes and says the same to all further lines, with their numbers;
/// so does the journal that is begun with it.
#[test]
fn every_script_goes_on_from_its_export() {
    let (mut gone_on, mut all) = (0, 0);
    for (n, file) in exec_scripts::scripts().iter().enumerate() {
        let text = fs::read_to_string(file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let disk = SimulatedDisk::new(1);
        let mut original = open(&disk, n);
        let step = lines.len().div_ceil(7);
        let mut after: Vec<(u64, Session, DurableSession)> = Vec::new();
        for (part, chunk) in lines.chunks(step).enumerate() {
            let said = carry_out(&mut original, chunk);
            for (from, restored, imported) in &mut after {
                let mut again = String::new();
                for line in chunk {
                    let _ = restored.line(line.as_bytes(), &mut again);
                }
                assert_eq!(again, said, "{}: from line {from} on", file.display());
                assert_eq!(carry_out(imported, chunk), said, "{}: imported at line {from}", file.display());
            }
            let followed = followed(&disk, n + part);
            let text = export(&followed);
            let restored = restore(&text, n + part + 1).unwrap_or_else(|refused| panic!("{refused:?}"));
            assert_eq!(state(restored.kernel()), state(followed.kernel()), "{}: part {part}", file.display());
            assert_eq!(restored.kernel().state_hash(), followed.kernel().state_hash(), "{}", file.display());
            assert_eq!(restored.seq(), followed.last_line());
            assert!(restored.is_restored());
            let other = SimulatedDisk::new(2);
            let begun = Imported::begin(&other, directory(), journal_settings(), restored).unwrap();
            assert_eq!(begun.last_line, followed.last_line());
            assert_eq!(begun.snapshot.places, followed.stand().places);
            assert_eq!(export(&self::followed(&other, n)), text, "{}: exported again", file.display());
            all += 1;
            if followed.last_line() == original.seq() {
                gone_on += 1;
                let restored = restore(&text, n + part + 2).unwrap();
                after.push((original.seq(), restored, open(&other, n + part)));
            }
        }
    }
    assert!(gone_on * 10 > all * 8, "{gone_on} of {all} could be gone on from");
}

/// What follows an import is in its journal: another process goes on, and comes to the same hash of all events.
#[test]
fn an_imported_journal_is_one_like_any_other() {
    let text = include_str!("exec/waterfall.jsonl");
    let lines: Vec<&str> = text.lines().collect();
    let (first, second) = lines.split_at(lines.len() / 2);
    let disk = SimulatedDisk::new(1);
    carry_out(&mut open(&disk, 0), first);
    let other = SimulatedDisk::new(2);
    let session = restore(&export(&followed(&disk, 1)), 0).unwrap();
    Imported::begin(&other, directory(), journal_settings(), session).unwrap();
    for disk in [&disk, &other] {
        let mut session = open(disk, 1);
        carry_out(&mut session, second);
        session.finish().unwrap();
    }
    let (straight, imported) = (followed(&disk, 0), followed(&other, 2));
    assert_eq!(straight.last_line(), lines.len() as u64);
    assert_eq!(straight.stand().check, imported.stand().check);
    assert_eq!(straight.stand().places, imported.stand().places);
    assert_eq!(state(straight.kernel()), state(imported.kernel()));
    assert_eq!(straight.kernel().state_hash(), imported.kernel().state_hash());
    // It has no beginning to go through from, and says so; nor is anything imported over it.
    let snapshots = SnapshotFile::list(&other, directory()).unwrap();
    assert_eq!(snapshots.len(), 1);
    let session = restore(&export(&straight), 0).unwrap();
    let refused = Imported::begin(&other, directory(), journal_settings(), session).unwrap_err();
    assert!(refused.to_string().contains("snapshot-"), "{refused}");
    let nothing = Imported::begin(&SimulatedDisk::new(3), directory(), journal_settings(), Session::new(settings(0)));
    assert_eq!(nothing.unwrap_err().to_string(), "it holds no whole state, or more than one");
}

/// Any line can be gone back to, from whatever snapshots there are: the state is that of a session which has had no more lines.
#[test]
fn a_state_of_before_can_be_looked_at() {
    let mut exact = 0;
    for name in ["waterfall", "late", "hedge", "auto_funding", "refusals"] {
        let text =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/exec/{name}.jsonl"))).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let disk = SimulatedDisk::new(1);
        let mut session = open(&disk, 0);
        for part in lines.chunks(lines.len().div_ceil(4)) {
            carry_out(&mut session, part);
            Snapshot::make(&disk, directory(), settings(1)).unwrap();
        }
        // A refused line at the end may be followed by a decision yet: it is not gone through.
        let end = followed(&disk, 0).last_line();
        assert!(end * 2 > lines.len() as u64, "{name}");
        let mut straight = Session::new(settings(0));
        for (number, line) in lines.iter().enumerate() {
            let _ = straight.line(line.as_bytes(), &mut String::new());
            let line = number as u64 + 1;
            if line > end || number % 5 != 0 && line != end {
                continue;
            }
            let followed = Followed::up_to(&disk, directory(), settings(number), line);
            let followed = followed.unwrap_or_else(|error| panic!("{name}: line {line}: {error}"));
            assert!(followed.last_line() <= line, "{name}");
            // What a question told of the time, and what a refused line left to decide, belongs to no place at rest.
            if straight.kernel().at_rest().is_some() && followed.kernel().now_ns() == straight.kernel().now_ns() {
                assert_eq!(state(followed.kernel()), state(straight.kernel()), "{name}: line {line}");
                exact += 1;
            }
        }
        let beyond = Followed::up_to(&disk, directory(), settings(0), lines.len() as u64 + 1).unwrap_err().to_string();
        assert!(beyond.starts_with("the journal goes up to line "), "{beyond}");
        assert!(beyond.ends_with(&format!(", and not to {}", lines.len() + 1)), "{beyond}");
    }
    assert!(exact > 30, "{exact} were compared");
}

fn sample(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/exec/{name}.jsonl"));
    let text = fs::read_to_string(file).unwrap();
    let disk = SimulatedDisk::new(1);
    let lines: Vec<&str> = text.lines().collect();
    carry_out(&mut open(&disk, 0), &lines);
    export(&followed(&disk, 0))
}

/// The same lines with a last one that fits them.
fn with_end(lines: &[String]) -> String {
    let before: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let (count, hash) = (lines.len(), xxh3_64(before.as_bytes()));
    before + &format!("{{\"op\":\"restore\",\"part\":\"end\",\"lines\":{count},\"hash\":\"{hash:016x}\"}}\n")
}

/// A line is missing, comes twice, or is cut or changed: it is refused, and the session has taken nothing.
#[test]
fn what_is_no_whole_state_is_refused() {
    let (mut refused, mut tried) = (0, 0);
    for name in ["pacing", "late", "set_rules", "hedge", "repeats", "airlock", "loss_limit", "groups"] {
        let good = sample(name);
        let lines: Vec<String> = good.lines().map(str::to_owned).collect();
        assert_eq!(with_end(&lines[..lines.len() - 1]), good, "{name}: the last line can be made by anybody");
        for at in 0..lines.len() {
            for change in 0..3 {
                let mut other = lines.clone();
                match change {
                    0 => drop(other.remove(at)),
                    1 => other.insert(at, lines[at].clone()),
                    _ => {
                        let half = other[at].len() / 2;
                        other[at].truncate(half);
                    }
                }
                let mut session = Session::new(settings(at));
                let taken = feed(&mut session, &(other.join("\n") + "\n"));
                let whole = taken.is_ok() && session.is_restored();
                // The last line twice is a whole state, and a line of one that has not begun.
                assert!(!whole, "{name}: line {at}, change {change}");
                if taken.is_err() && at + 1 < lines.len() {
                    assert!(session.kernel().market().assets.is_empty(), "{name}: line {at} left something behind");
                    feed(&mut session, &good).unwrap_or_else(|refused| panic!("{name}: {refused:?}"));
                }
            }
        }
        // Single bytes, with a last line that fits: never a panic, and nothing that cannot be.
        for at in (0..good.len() - lines[lines.len() - 1].len() - 1).step_by(7) {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = if bytes[at].is_ascii_digit() {
                b'0' + (bytes[at] - b'0' + 1 + (at % 8) as u8) % 10
            } else {
                b"{[\",:x-}"[at % 8]
            };
            let Ok(other) = String::from_utf8(bytes) else { continue };
            let changed: Vec<String> = other.lines().take(lines.len() - 1).map(str::to_owned).collect();
            tried += 1;
            if changed != lines[..lines.len() - 1] {
                let as_it_was = changed.join("\n") + "\n" + &lines[lines.len() - 1];
                assert!(
                    restore(&as_it_was, at).is_err(),
                    "{name}: byte {at} is changed, and the hash is not looked at"
                );
            }
            let restored = restore(&with_end(&changed), at);
            refused += usize::from(restored.is_err());
            if let Ok(session) = restored {
                assert_eq!(session.kernel().overview().audit(0, session.kernel().overview().pools()), 0);
            }
        }
    }
    println!("{refused} of {tried} are refused");
    assert!(tried > 2_000 && refused * 2 > tried, "{refused} of {tried}");
}

#[test]
fn a_state_is_restored_at_the_right_moment_or_not_at_all() {
    let good = sample("hedge");
    let begin = good.lines().next().unwrap();
    let one = |lines: &[&str], expected: &str| {
        let (number, refused) = restore(&lines.join("\n"), 0).err().unwrap_or_else(|| panic!("{lines:?} are taken"));
        assert_eq!(number, lines.len(), "{refused}");
        assert!(refused.starts_with(expected), "{refused}");
    };
    let asset = r#"{"op":"asset","asset":"USDT","decimals":8}"#;
    one(&[asset, begin], "bad_value: restore: a state is restored before anything else");
    one(&[r#"{"op":"time","ts":5}"#, begin], "bad_value: restore: a state is restored before anything else");
    one(&[r#"{"op":"defaults","taker_fee":"0.001"}"#, begin], "bad_value: restore: a state brings its own defaults");
    one(&[begin, asset], "busy: a state is being restored");
    one(&[begin, begin], "bad_value: restore: there is no part \"begin\" behind the first");
    one(
        &[begin, r#"{"op":"restore","part":"rounds","state":[]}"#],
        "bad_value: restore: rounds: not the part that comes next",
    );
    one(&[begin, r#"{"op":"restore","part":"market","state":{}}"#], "malformed: restore: state must be a list");
    one(&[begin, r#"{"op":"restore","part":"market"}"#], "malformed: restore: the field \"state\" is missing");
    one(
        &[begin, r#"{"op":"restore","part":"market","state":[[1,2,3]]}"#],
        "bad_value: restore: market: it ends too early",
    );
    one(&[begin, r#"{"op":"restore","part":"market","stat":[]}"#], "malformed: restore: unknown field `stat`");
    one(&[r#"{"op":"restore","part":"market","state":[]}"#], "bad_value: restore: the part \"begin\" comes first");
    let version = terrace::journal::SNAPSHOT_VERSION;
    one(
        &[&begin.replace(&format!("\"version\":{version}"), "\"version\":99")],
        &format!("bad_value: restore: version 99 is not known here, {version} is"),
    );
    one(
        &[&begin.replace("\"rules\":2", "\"rules\":9")],
        "bad_value: restore: version 9 of the rules is not known here",
    );
    one(&[&begin.replace("\"hash\":\"", "\"hash\":\"x")], "malformed: restore: hash must be 16 hexadecimal digits");
    one(&[r#"{"op":"restore","part":}"#], "malformed: restore: expected value");
    let mut session = restore(&good.replace("}\n", "}\n\n"), 0).unwrap();
    assert!(feed(&mut session, begin).unwrap_err().1.starts_with("bad_value: restore: a state is restored before"));
    assert!(!session.is_restored() && !session.kernel().market().assets.is_empty());
}

/// The program: out of a journal, into a script of `exec`, and into another journal.
#[test]
fn the_program_exports_and_imports() {
    let home = TempDir::new().unwrap();
    let root = home.path();
    let text = include_str!("exec/margins.jsonl");
    let lines: Vec<&str> = text.lines().collect();
    let (first, second) = lines.split_at(lines.len() / 2);
    fs::write(root.join("first.jsonl"), first.join("\n")).unwrap();
    fs::write(root.join("second.jsonl"), second.join("\n")).unwrap();
    succeed(&terrace(root, &["exec", "first.jsonl", "--journal", "journal"]));
    let exported = succeed(&terrace(root, &["export", "journal"]));
    fs::write(root.join("state.jsonl"), &exported).unwrap();
    let begun = succeed(&terrace(root, &["import", "state.jsonl", "other", "--shards", "2"]));
    assert!(begun.contains(&format!("up to line {}\n", first.len())), "{begun}");
    fs::write(root.join("both.jsonl"), exported.clone() + &second.join("\n")).unwrap();
    let expected = succeed(&terrace(root, &["exec", "second.jsonl", "--journal", "journal"]));
    assert_eq!(succeed(&terrace(root, &["exec", "both.jsonl"])), expected);
    assert_eq!(succeed(&terrace(root, &["exec", "second.jsonl", "--journal", "other"])), expected);
    assert_eq!(succeed(&terrace(root, &["export", "other"])), succeed(&terrace(root, &["export", "journal"])));

    // It begins with a state, from which it is gone through to the same.
    let verified = ["journal", "other"].map(|journal| succeed(&terrace(root, &["journal", "verify", journal])));
    let ends = verified.each_ref().map(|said| said.split_once("\nhash ").expect("a hash").1);
    assert_eq!(ends[0], ends[1]);
    assert!(verified[1].starts_with("from        other/snapshot-"), "{}", verified[1]);
    assert!(!succeed(&terrace(root, &["journal", "print", "other"])).is_empty());

    fs::write(root.join("cut.jsonl"), &exported[..exported.len() / 2]).unwrap();
    for (arguments, complaint) in [
        (&["import", "state.jsonl", "journal"][..], "sequence-00000000000000000000"),
        (&["import", "cut.jsonl", "none"], "cut.jsonl:"),
        (&["import", "second.jsonl", "none"], "second.jsonl:"),
        (&["import", "missing.jsonl", "none"], "cannot open missing.jsonl"),
        (&["export", "none"], "none"),
        (&["journal", "stat", "other"], "missing"),
        (
            &["exec", "state.jsonl", "--strict", "--journal", "third"],
            "a journal is begun with a state by `terrace import`",
        ),
        (
            &["exec", "state.jsonl", "--strict", "--driver", "threaded", "--wait", "park", "--cores", "off"],
            "on threads no state is restored",
        ),
    ] {
        let refused = terrace(root, arguments);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {refused:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(complaint), "{arguments:?}: {refused:?}");
    }
    assert!(!root.join("none").exists(), "what was refused has made nothing");
}
