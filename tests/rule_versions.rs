//! Versions of the rules: an old journal comes to what it came to, and goes over to later rules at a line of its own.

mod program;

use program::{succeed, terrace};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use terrace::engine::Entry;
use terrace::journal::{Frame, JournalSettings, Reader, RealDisk, Writer};
use terrace::kernel::Loading;
use terrace::{Declaration, Kernel, Refusal, RuleVersion, Settings};

/// A journal that the last program wrote that knew version 1 alone. A crossed book (110 bid, 60 asked) puts an account in breach, by a mark that follows
/// its mid.
const OF_VERSION_1: &[u8] = include_bytes!("journal/rules-1/sequence-00000000000000000000");

/// What its events came to then.
const HASH: &str = "269056721d142dda";

const CROSSED: &str = r#"{"op":"book","symbol":"BTC","bid":"101","ask":"99"}"#;
const GO_OVER: &str = r#"{"op":"rule_version","version":2}"#;

fn old_journal() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("journal")).unwrap();
    fs::write(root.path().join("journal/sequence-00000000000000000000"), OF_VERSION_1).unwrap();
    root
}

/// Carries out lines over a journal; what was said of them.
fn go_on(root: &Path, journal: &str, arguments: &[&str], lines: &[&str]) -> String {
    fs::write(root.join("script"), lines.join("\n")).unwrap();
    let arguments = [&["exec", "--journal", journal], arguments, &["script"]].concat();
    succeed(&terrace(root, &arguments))
}

/// The segments of a journal, in order.
fn segments(journal: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(journal).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.file_name().unwrap().to_str().unwrap().starts_with("sequence-"));
    files.sort();
    files
}

/// The rules that each of them names.
fn of_segments(journal: &Path) -> Vec<u32> {
    let rules = |file: &PathBuf| u32::from_le_bytes(fs::read(file).unwrap()[20..24].try_into().unwrap());
    segments(journal).iter().map(rules).collect()
}

#[test]
fn an_old_journal_comes_to_what_it_came_to() {
    let root = old_journal();
    let verified = succeed(&terrace(root.path(), &["journal", "verify", "journal"]));
    assert!(verified.contains(HASH), "{verified}");
    let printed = succeed(&terrace(root.path(), &["journal", "print", "journal"]));
    assert!(printed.contains(r#""bid":"110","ask":"60""#), "{printed}");
    let stat = succeed(&terrace(root.path(), &["journal", "stat", "journal"]));
    assert!(stat.contains("rules       version 1\n"), "{stat}");
    let recovered = succeed(&terrace(root.path(), &["recover", "journal"]));
    assert!(recovered.contains("under version 1 of the rules"), "{recovered}");
}

#[test]
fn it_goes_on_under_its_rules_until_a_line_says_otherwise() {
    for arguments in [&[][..], &["--driver", "threaded", "--shards", "2", "--wait", "park", "--cores", "off"]] {
        let root = old_journal();
        let said = go_on(root.path(), "journal", arguments, &[CROSSED]);
        assert_eq!(said, "", "it is taken, as ever");
        let said = go_on(root.path(), "journal", arguments, &[GO_OVER, CROSSED, GO_OVER]);
        let codes: Vec<&str> = said.lines().filter(|line| line.contains("\"code\":\"bad_value\"")).collect();
        assert_eq!((codes.len(), said.lines().count()), (2, 2), "{said}");
        assert!(
            codes[0].contains("a bid must not be above the ask") && codes[1].contains("later version only"),
            "{said}"
        );
        let said = go_on(root.path(), "journal", arguments, &[CROSSED]);
        assert!(said.contains("a bid must not be above the ask"), "{said}");
        succeed(&terrace(root.path(), &["journal", "verify", "journal"]));
        let stat = succeed(&terrace(root.path(), &["journal", "stat", "journal"]));
        assert!(stat.contains("rules       from version 1 to 2\n"), "{stat}");
        // Each call has written a segment of its own.
        assert_eq!(of_segments(&root.path().join("journal")), [1, 1, 1, 2]);
    }
}

/// State that is carried over takes its rules with it.
#[test]
fn snapshots_and_exports_keep_the_rules() {
    let root = old_journal();
    succeed(&terrace(root.path(), &["snapshot", "journal"]));
    // Without its first segment it goes on from the snapshot.
    let said = terrace(root.path(), &["export", "journal"]);
    let lines = succeed(&said);
    assert!(lines.contains("\"rules\":1"), "{lines}");
    fs::write(root.path().join("state"), &lines).unwrap();
    succeed(&terrace(root.path(), &["import", "state", "other"]));
    assert_eq!(of_segments(&root.path().join("other")), [1]);
    for journal in ["journal", "other"] {
        assert_eq!(go_on(root.path(), journal, &[], &[CROSSED]), "", "{journal}");
        let said = go_on(root.path(), journal, &[], &[GO_OVER]);
        assert_eq!(said, "", "{journal}");
        succeed(&terrace(root.path(), &["snapshot", journal]));
        let said = go_on(root.path(), journal, &[], &[CROSSED]);
        assert!(said.contains("a bid must not be above the ask"), "{journal}: {said}");
    }
}

/// Versions that are not known, and segments whose versions go back.
#[test]
fn other_rules_are_refused() {
    let root = old_journal();
    let said =
        go_on(root.path(), "journal", &[], &[r#"{"op":"rule_version","version":3}"#, r#"{"op":"rule_version"}"#]);
    assert!(said.contains("version 3 of the rules is not known here: 1 to 2 are"), "{said}");
    assert!(said.contains("malformed"), "{said}");
    for line in [GO_OVER, CROSSED, CROSSED] {
        go_on(root.path(), "journal", &[], &[line]);
    }
    let segments = segments(&root.path().join("journal"));
    let last = segments.last().unwrap();
    let good = fs::read(last).unwrap();
    for (rules, reason) in [(3_u32, "version 3 of the rules is not known here"), (0, "version 0 of the rules"), (1, "")]
    {
        let mut bytes = good.clone();
        bytes[20..24].copy_from_slice(&rules.to_le_bytes());
        let check = crc32c::crc32c(&bytes[..44]);
        bytes[44..48].copy_from_slice(&check.to_le_bytes());
        fs::write(last, bytes).unwrap();
        let error = terrace(root.path(), &["journal", "verify", "journal"]);
        let said = String::from_utf8_lossy(&error.stderr);
        assert_eq!(error.status.code(), Some(1), "{said}");
        let reason = if reason.is_empty() { "the segment is under version 1 of the rules" } else { reason };
        assert!(said.contains(reason) && said.contains("at byte 20"), "{said}");
    }
}

/// A segment that the same writer begins behind the line names what is in force there.
#[test]
fn the_next_segment_names_the_later_rules() {
    let root = tempfile::tempdir().unwrap();
    let settings = JournalSettings { segment_bytes: 100, rules: RuleVersion::OLDEST, ..JournalSettings::default() };
    let mut writer = Writer::create_on(RealDisk, root.path(), settings).unwrap();
    for ts_ns in 1..20 {
        writer.append(&Entry::Pass { ts_ns }).unwrap();
    }
    let declaration = Declaration::RuleVersion(RuleVersion::NEWEST);
    writer.append(&Entry::Declare { seq: 1, ts_ns: None, declaration }).unwrap();
    for ts_ns in 20..40 {
        writer.append(&Entry::Pass { ts_ns }).unwrap();
    }
    writer.finish().unwrap();
    let rules = of_segments(root.path());
    assert!(rules.is_sorted() && rules.first() == Some(&1) && rules.iter().filter(|&&rules| rules == 2).count() > 1);
    assert_eq!(Reader::open(root.path()).unwrap().rules(), Some(RuleVersion::OLDEST));
}

/// What a reader of a journal is told, and what a kernel refuses.
/// The declaration is what a liquidation behind it would be caused by, and so in the state.
#[test]
fn the_state_right_behind_the_line_that_goes_over_can_be_read() {
    let save = |kernel: &Kernel| {
        let mut parts = Vec::new();
        let saved: Result<(), ()> = kernel.at_rest().unwrap().save(&mut |part, bytes| {
            parts.push((part, bytes.to_owned()));
            Ok(())
        });
        saved.unwrap();
        parts
    };
    let mut kernel = Kernel::new(Settings::default()).under(RuleVersion::OLDEST);
    kernel.declare_and_decide(None, &Declaration::RuleVersion(RuleVersion::NEWEST)).unwrap();
    let saved = save(&kernel);
    let mut loading = Loading::new(Settings::default(), 1 << 20);
    for (part, bytes) in &saved {
        loading.part(*part, bytes).unwrap();
    }
    assert_eq!(save(&loading.finish().unwrap()), saved);
}

#[test]
fn a_reader_says_what_it_begins_under() {
    let mut reader = Reader::of_bytes(OF_VERSION_1, "it").unwrap();
    assert_eq!(reader.rules(), Some(RuleVersion::OLDEST));
    while let Some(frame) = reader.frame().unwrap() {
        assert!(!matches!(frame, Frame::Mark(_)));
    }
    let mut kernel = Kernel::new(Settings::default());
    assert_eq!(kernel.market().rules, RuleVersion::NEWEST);
    let refused = kernel.declare_and_decide(None, &Declaration::RuleVersion(RuleVersion::OLDEST));
    assert!(matches!(refused, Err(Refusal::BadDeclaration { .. })));
    assert_eq!(kernel.market().rules, RuleVersion::NEWEST);
}
