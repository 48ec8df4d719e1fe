//! What is done with arbitrary bytes, and what must hold whatever they are. `scripts/fuzz` looks for bytes with which it
//! does not; `tests/corpus.rs` goes through those that were kept.

use crate::reference::Reference;
use crate::script::{BUILT, Writer};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::{env, fs, process};
use terrace::engine::replay;
use terrace::journal::{Frame, Player, Reader};
use terrace::kernel::Loading;
use terrace::protocol::reconcile::{Broken, LedgerReader, Rows, ranges, reconcile};
use terrace::protocol::{Session, TierTables};
use terrace::ticks::{Format, Input, Options, Source};
use terrace::{Kernel, Settings, Strategy};
use xxhash_rust::xxh3::xxh3_64;

/// A target.
pub type Target = fn(&[u8]);

/// All there are, with the folders of their corpora.
#[allow(dead_code, reason = "each fuzz target is a program of its own; the test goes through all")]
pub const ALL: [(&str, Target); 8] = [
    ("protocol", protocol),
    ("ticks", ticks),
    ("tier_tables", tier_tables),
    ("journal", journal),
    ("frames", frames),
    ("scripts", scripts),
    ("states", states),
    ("ledgers", ledgers),
];

/// What there is before the first line of [`protocol`]: so that a line by itself can mean something.
const PROLOGUE: [&str; 6] = [
    r#"{"op":"asset","asset":"U","decimals":6}"#,
    r#"{"op":"instrument","symbol":"P","kind":"linear_perp","underlying":"P","settle":"U","tick":"0.1","lot":"0.001","tiers":[{"cap":"1000","mmr":"0.005","max_leverage":100},{"cap":"1000000","mmr":"0.05","max_leverage":10}]}"#,
    r#"{"op":"deposit","account":1,"asset":"U","amount":"1000"}"#,
    r#"{"op":"deposit","account":2,"asset":"U","amount":"1000"}"#,
    r#"{"op":"mark","symbol":"P","price":"100","ts":1000000000}"#,
    r#"{"op":"fill","account":1,"symbol":"P","side":"buy","qty":"50","price":"100","counterparty":2}"#,
];

/// Lines: nothing shows the number of shards or the strategy; nobody is in breach and left alone; the books are even; and what
/// was refused has changed nothing: a session that never saw it says the same.
pub fn protocol(data: &[u8]) {
    let session = |shards, strategy| Session::new(Settings { shards, strategy, ..Settings::default() });
    let mut first = session(1, Strategy::Bands);
    let mut others = [session(3, Strategy::Dense), session(2, Strategy::Sweep)];
    let mut spared = session(1, Strategy::Adaptive);
    let mut comparable = true;
    let prologue = PROLOGUE.iter().map(|line| line.as_bytes());
    for line in prologue.chain(data.split(|&byte| byte == b'\n')) {
        let (mut said, seq) = (String::new(), first.seq());
        let refused = first.line(line, &mut said).is_err();
        for other in &mut others {
            let mut also = String::new();
            assert_eq!(other.line(line, &mut also).is_err(), refused);
            assert_eq!(said, also, "shards and strategies do not show");
        }
        if refused {
            // A refused line uses up its number at its source.
            comparable &= !line.windows(10).any(|word| word == b"client_seq") && !line.contains(&b'\\');
        } else if comparable {
            let mut also = String::new();
            spared.number_next_line(seq + 1);
            assert!(spared.line(line, &mut also).is_ok());
            assert_eq!(said, also, "what was refused has changed nothing");
        }
    }
    for session in others.iter().chain([&first]) {
        let kernel = session.kernel();
        assert_eq!(kernel.audit(0, kernel.pools()), 0, "a pool is in breach and not in liquidation");
        assert!(kernel.asset_totals().iter().all(|totals| totals.difference() == 0));
        assert!(kernel.instrument_totals().iter().all(|totals| totals.long == totals.short));
    }
}

/// The lines of a state, to which a last one is added that fits them: they are refused, or nobody is in breach and left alone, the books are even, and saved and
/// loaded once more it is the same.
pub fn states(data: &[u8]) {
    let mut session = Session::new(Settings::default());
    let (mut before, mut count) = (Vec::new(), 0);
    for line in data.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
        if session.line(line, &mut String::new()).is_err() {
            return;
        }
        before.extend_from_slice(line);
        before.push(b'\n');
        count += 1;
    }
    let hash = xxh3_64(&before);
    let end = format!("{{\"op\":\"restore\",\"part\":\"end\",\"lines\":{count},\"hash\":\"{hash:016x}\"}}");
    if session.line(end.as_bytes(), &mut String::new()).is_err() || !session.is_restored() {
        return;
    }
    let kernel = session.kernel();
    assert_eq!(kernel.audit(0, kernel.pools()), 0, "a pool is in breach and not in liquidation");
    assert!(kernel.asset_totals().iter().all(|totals| totals.difference() == 0));
    assert!(kernel.instrument_totals().iter().all(|totals| totals.long == totals.short));
    let saved = |kernel: &Kernel| {
        let mut parts = Vec::new();
        let resting = kernel.at_rest().expect("what is restored is at rest");
        let done: Result<(), ()> = resting.save(&mut |part, bytes| {
            parts.push((part, bytes.to_owned()));
            Ok(())
        });
        done.expect("memory");
        parts
    };
    let parts = saved(kernel);
    let mut loading = Loading::new(Settings { shards: 2, ..Settings::default() }, 1 << 40);
    for (part, bytes) in &parts {
        loading.part(*part, bytes).expect("what was restored can be saved");
    }
    assert!(saved(&loading.finish().expect("and loaded")) == parts, "and is the same");
}

/// A ledger: refused, or its rows, written in canonical form, are the same ledger.
pub fn ledgers(data: &[u8]) {
    let mut session = Session::new(Settings::default());
    for line in PROLOGUE {
        session.line(line.as_bytes(), &mut String::new()).expect("the prologue is carried out");
    }
    let compare = |data: &[u8]| {
        let overview = session.kernel().overview();
        let mut told = String::new();
        let mut ledger = LedgerReader::new("ledger", data, true);
        let found = reconcile(overview, &mut ledger, (ranges(&overview.accounts(), 3), None), |broken: &Broken<'_>| {
            broken.lines(&mut told);
            Ok::<(), std::convert::Infallible>(())
        });
        found.ok().map(|found| (found, told))
    };
    let Some(found) = compare(data) else { return };
    let mut text = String::new();
    let mut ledger = LedgerReader::new("ledger", data, true);
    while let Some(rows) = ledger.account().expect("it was read before") {
        Rows::text(&rows, &mut text);
    }
    assert_eq!(compare(text.as_bytes()).expect("canonical rows are a ledger"), found);
}

/// A file of market data, after a byte that chooses its format: ticks in order of time, with the prices that were promised.
pub fn ticks(data: &[u8]) {
    let Some((&choice, file)) = data.split_first() else { return };
    let path = scratch_file(file);
    let formats = Format::ALL.len();
    let chosen = usize::from(choice & 0x7F);
    let input = Input {
        path: path.clone(),
        symbol: (chosen % 2 == 0).then(|| "BTCUSDT".to_owned()),
        format: Format::ALL.get(chosen / 2 % (formats + 1)).copied(),
    };
    let options = Options { skip_bad: choice & 0x80 != 0, ..Options::default() };
    if let Ok(mut source) = Source::open(&[input], options) {
        let mut before = 0;
        while let Some(tick) = source.next() {
            let Ok(tick) = tick else { break };
            assert!(tick.ts_ns >= before, "time does not go backward");
            before = tick.ts_ns;
            assert!(usize::from(tick.symbol) < source.symbols().len());
        }
        assert!(source.next().is_none_or(|tick| tick.is_ok()), "an error is the end");
    }
    let _ = fs::remove_file(path);
}

/// A file of this process with these bytes.
fn scratch_file(bytes: &[u8]) -> PathBuf {
    let shared = Path::new("/dev/shm");
    let folder = if shared.is_dir() { shared.to_owned() } else { env::temp_dir() };
    let thread = format!("{:?}", std::thread::current().id());
    let path = folder.join(format!("terrace-fuzz-{}-{thread}", process::id()));
    fs::write(&path, bytes).expect("a scratch file can be written");
    path
}

/// Tables of tiers as venues hand them out.
pub fn tier_tables(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(tables) = TierTables::read(text) else { return };
    let symbols: Vec<String> = tables.symbols().map(str::to_owned).collect();
    let mut session = Session::new(Settings::default());
    session.use_tier_tables(tables);
    let mut said = String::new();
    session.line(PROLOGUE[0].as_bytes(), &mut said).expect("the asset is new");
    for symbol in symbols {
        let line = serde_json::json!({"op":"instrument","symbol":symbol,"kind":"linear_perp","underlying":"X","settle":"U",
            "tick":"0.1","lot":"0.001"});
        let _ = session.line(line.to_string().as_bytes(), &mut said);
    }
}

/// A segment, byte by byte as it may be found.
pub fn journal(data: &[u8]) {
    let Ok(mut reader) = Reader::of_bytes(data, "sequence-00000000000000000000") else { return };
    while let Ok(Some(_)) = reader.frame() {}
}

/// Payloads of frames that are whole, each after its length in two bytes: whatever can be read can be gone through, and gone
/// on with; if it is refused, then by its place.
pub fn frames(data: &[u8]) {
    let mut payloads = Vec::new();
    let mut rest = data;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(after.len());
        payloads.push(&after[..length]);
        rest = &after[length..];
    }
    let file = segment_of(&payloads);
    let open = || Reader::of_bytes(file.clone(), "sequence-00000000000000000000").expect("its header is right");
    let mut reader = open();
    let mut record = Vec::new();
    while let Ok(Some(frame)) = reader.frame() {
        if let Frame::Entry(entry) = frame {
            record.push(entry);
        }
    }
    for shards in [1, 3] {
        let settings = Settings { shards, ..Settings::default() };
        let _ = replay(&mut Kernel::new(settings), &record, |_| ());
        let mut kernel = Kernel::new(settings);
        let mut player = Player::to_go_on(open(), &mut kernel);
        let mut log = |_| ();
        let end = loop {
            match player.step(&mut kernel, &mut log) {
                Ok(Some(_)) => {}
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        if end {
            let _ = player.complete(&mut kernel, &mut log);
        }
    }
}

/// A segment of these payloads, its checksums right. Written from the description of the format.
fn segment_of(payloads: &[&[u8]]) -> Vec<u8> {
    let mut file = b"TERRACE\nsequence".to_vec();
    for number in [terrace::journal::VERSION, terrace::RuleVersion::NEWEST.number()] {
        file.extend(number.to_le_bytes());
    }
    file.extend(0u64.to_le_bytes());
    file.extend(1u64.to_le_bytes());
    file.extend(0u32.to_le_bytes());
    let mut check = crc32c::crc32c(&file);
    file.extend(check.to_le_bytes());
    for payload in payloads.iter().filter(|payload| !payload.is_empty()) {
        let length = (payload.len() as u32).to_le_bytes();
        let head = crc32c::crc32c_append(check, &length);
        check = crc32c::crc32c_append(head, payload);
        file.extend([&length[..], &head.to_le_bytes(), &check.to_le_bytes(), payload].concat());
    }
    file
}

/// Eight bytes for the world, and eight for each line of a script that is written against it: kernels of several shards and
/// strategies say what the slow reference says.
pub fn scripts(data: &[u8]) {
    let mut numbers = data.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")));
    let Some(world) = numbers.next() else { return };
    let mut reference = Reference::new();
    let mut writer = Writer::new(world, BUILT);
    let session = |shards, strategy| Session::new(Settings { shards, strategy, ..Settings::default() });
    let mut sessions = [session(1, Strategy::Adaptive), session(3, Strategy::Bands)];
    let mut line = |line: &str, reference: &mut Reference| {
        let expected: Vec<Value> = reference.line(line).into_iter().map(without_reason).collect();
        for session in &mut sessions {
            let mut said = String::new();
            let _ = session.line(line.as_bytes(), &mut said);
            let said: Vec<Value> =
                said.lines().map(|line| without_reason(serde_json::from_str(line).expect("JSON"))).collect();
            assert_eq!(said, expected, "{line}");
        }
    };
    while writer.prologue_left() > 0 {
        let next = writer.next(0, &reference);
        line(&next, &mut reference);
    }
    for choice in numbers.take(100) {
        let next = writer.next(choice, &reference);
        line(&next, &mut reference);
    }
    for question in writer.questions() {
        line(&question, &mut reference);
    }
    assert_eq!(reference.check(), Ok(()));
}

/// The reason of a rejection is prose: only its code is compared.
fn without_reason(mut event: Value) -> Value {
    if event["ev"] == "rejected" {
        event["reason"] = Value::Null;
    }
    event
}
