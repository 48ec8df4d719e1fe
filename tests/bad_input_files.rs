//! A table of what the program refuses, each with what it says: `tests/bad_input/arguments.txt`, in a directory of hostile files.
//! None is changed by it.
//!
//! `TERRACE_BLESS=1` writes the answers anew.

use flate2::{Compression, write::GzEncoder};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::{env, fs};
use tempfile::TempDir;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bad_input/arguments.txt");

/// Rows of Binance's `aggTrades`.
fn trades(rows: &[[&str; 3]]) -> String {
    rows.iter().map(|[price, quantity, time]| format!("1,{price},{quantity},1,1,{time},true\n")).collect()
}

/// Files and journals with something wrong in each.
fn hostile(root: &Path) {
    let put = |name: &str, bytes: &[u8]| fs::write(root.join(name), bytes).expect("a file");
    put("good.jsonl", include_bytes!("exec/example.jsonl"));
    put("empty", b"");
    put("noise", &(0..4_096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<_>>());
    put("header.csv", b"ts_ns,symbol,kind,price|bid,qty|bid_qty,ask,ask_qty\n");
    put("tiers-falling.json", br#"{"BTC/USDT:USDT":[{"tier":1,"minNotional":0,"maxNotional":5000,"maintenanceMarginRate":0.01,"maxLeverage":50},{"tier":2,"minNotional":5000,"maxNotional":4000,"maintenanceMarginRate":0.02,"maxLeverage":25}]}"#);
    put("tiers-words.json", br#"{"BTC/USDT:USDT":[{"tier":1,"minNotional":0,"maxNotional":"many","maintenanceMarginRate":0.01,"maxLeverage":50}]}"#);
    put("refused.jsonl", br#"{"op":"deposit","account":1,"asset":"USDT","amount":"1"}"#);
    let good: String = (0..2_000).map(|n| trades(&[["100", "1", &format!("174286080{n:04}")]])).collect();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(good.as_bytes()).expect("memory");
    let packed = packed.finish().expect("memory");
    put("BTCUSDT-aggTrades-cut.csv.gz", &packed[..packed.len() / 2]);
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in ["one.csv", "two.csv"] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).expect("memory");
        archive.write_all(good.as_bytes()).expect("memory");
    }
    put("BTCUSDT-aggTrades-two.zip", archive.finish().expect("memory").get_ref());
    for (name, price) in [("float", "1e2x"), ("zero", "0"), ("huge", "1000000000000000000000")] {
        put(&format!("BTCUSDT-aggTrades-{name}.csv"), trades(&[[price, "1", "1742860800005"]]).as_bytes());
    }
    put("BTCUSDT-aggTrades-back.csv", trades(&[["1", "1", "1742860800005"], ["1", "1", "1742860800004"]]).as_bytes());
    put("BTCUSDT-aggTrades-latin.csv", b"1,100,1,1,1,1742860800005,\xE9\n");
    put("BTCUSDT-aggTrades-short.csv", b"1,100,1,1,1,1742860800005,true\n1,100\n");
    put("trades.csv", b"exchange,symbol,timestamp,local_timestamp,id,side,price\n");
    let embedded = |row: &str| format!("ts_ns,symbol,kind,price|bid,qty|bid_qty,ask,ask_qty\n{row}\n");
    put("crossed.csv", embedded("1,BTCUSDT,q,101,1,100,1").as_bytes());
    put("wrong-kind.csv", embedded("1,BTCUSDT,x,101,1").as_bytes());
    journals(root);
}

const SEGMENT: &str = "sequence-00000000000000000000";

/// Journals that are good but for one thing.
fn journals(root: &Path) {
    let made = terrace(root, &["exec", "good.jsonl", "--journal", "journal", "--durability", "sync"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let good = fs::read(root.join("journal").join(SEGMENT)).expect("a segment");
    let put = |name: &str, file: &str, bytes: &[u8]| {
        fs::create_dir_all(root.join(name)).expect("a directory");
        fs::write(root.join(name).join(file), bytes).expect("a file");
    };
    let with = |at: usize, change: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + change.len()].copy_from_slice(change);
        // The header's checksum is right again: it is not what is to be seen.
        let check = crc32c::crc32c(&bytes[..44]);
        if at < 44 {
            bytes[44..48].copy_from_slice(&check.to_le_bytes());
        }
        bytes
    };
    fs::create_dir_all(root.join("nothing")).expect("a directory");
    put("journal-noise", SEGMENT, &good[7..]);
    put("journal-version", SEGMENT, &with(16, &99u32.to_le_bytes()));
    put("journal-rules", SEGMENT, &with(20, &99u32.to_le_bytes()));
    // In the first frame: where the others lie depends on how many lines shared an fsync.
    put("journal-flipped", SEGMENT, &with(61, &[good[61] ^ 1]));
    let mut header = good.clone();
    header[30] ^= 1;
    put("journal-header", SEGMENT, &header);
    put("journal-gap", SEGMENT, &good);
    put("journal-gap", "sequence-00000000000000000900", &good);
    put("journal-old", "sequence", b"TERRACE\nsequence\x01\0\0\0");
}

fn terrace(root: &Path, arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_terrace")).args(arguments).current_dir(root).output().expect("it runs")
}

/// Every file and its bytes.
fn contents(folder: &Path, all: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            contents(&path, all);
        } else {
            all.insert(path.display().to_string(), fs::read(&path).expect("a file"));
        }
    }
}

fn all(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    contents(root, &mut all);
    all.retain(|name, _| !name.ends_with("lock")); // it stays, empty, where a journal was opened
    all
}

#[test]
fn everything_is_refused_with_the_reason() {
    let root = TempDir::new().expect("a directory");
    hostile(root.path());
    let before = all(root.path());
    let table = fs::read_to_string(TABLE).expect("the table");
    let (mut blessed, mut wrong, mut count) = (String::new(), String::new(), 0);
    let mut entries = table.lines().peekable();
    while let Some(line) = entries.next() {
        let _ = writeln!(blessed, "{line}");
        if line.is_empty() || line.starts_with("# ") {
            continue;
        }
        let mut expected = String::new();
        while let Some(said) = entries.next_if(|next| next.starts_with("  ")) {
            let _ = writeln!(expected, "{said}");
        }
        count += 1;
        let arguments: Vec<&str> = line.split(' ').skip(1).collect();
        let output = terrace(root.path(), &arguments);
        assert!(!output.status.success(), "accepted: {line}");
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(!stderr.contains("panicked"), "{line}\n{stderr}");
        let said = stderr.lines().filter(|said| !said.trim().is_empty()).map(str::trim_end);
        let said: String = said.map(|said| format!("  {said}\n")).collect();
        let answer =
            format!("  {}\n{said}", output.status.code().map_or("killed".to_owned(), |code| format!("status {code}")));
        let _ = write!(blessed, "{answer}");
        if expected != answer {
            let _ = writeln!(wrong, "{line}\nis\n{answer}should be\n{expected}");
        }
        assert!(all(root.path()) == before, "{line} has changed a file");
    }
    if env::var_os("TERRACE_BLESS").is_some() {
        fs::write(TABLE, blessed).expect("the table can be written");
    } else {
        assert!(wrong.is_empty(), "{wrong}");
    }
    println!("{count} calls");
}
