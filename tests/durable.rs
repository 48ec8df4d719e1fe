//! The program with a journal: nothing that was answered is lost or done twice, wherever it is killed; what cannot be read is
//! refused with its place.

mod exec_scripts;

#[path = "script/dice.rs"]
mod dice;

use dice::Dice;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use terrace::Command::Deposit;
use terrace::engine::Entry;
use terrace::journal::{Frame, Reader, Writer};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_terrace"))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Runs lines through `exec` with a journal.
fn exec(lines: &str, directory: &Path, flags: &[&str]) -> Output {
    let files = TempDir::new().unwrap();
    let script = files.path().join("script");
    fs::write(&script, lines).unwrap();
    program().arg("exec").arg(script).arg("--journal").arg(directory).args(flags).output().unwrap()
}

fn journal(what: &[&str], directory: &Path) -> Output {
    program().args(what).arg(directory).output().unwrap()
}

/// The message of a program that failed.
fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    text(&output.stderr).to_owned()
}

fn succeed(output: Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

/// Every script, cut into parts that each a process of its own carries out: together they say what one says that has no journal.
#[test]
fn a_script_is_gone_on_with_by_the_next_process() {
    for (n, script) in exec_scripts::scripts().iter().enumerate() {
        let whole = fs::read_to_string(script).unwrap();
        let lines: Vec<&str> = whole.lines().collect();
        let expected = succeed(program().arg("exec").arg(script).output().unwrap());
        let flags: &[&[&str]] = &[
            &["--durability", "sync"],
            &["--durability", "async", "--driver", "threaded", "--wait", "park", "--cores", "off"],
            &["--durability", "none", "--shards", "3"],
        ];
        let home = TempDir::new().unwrap();
        let directory = home.path().join("journal");
        let mut said = String::new();
        // Where time passes by a question, and a funding falls due, after every line.
        let length = if script.ends_with("auto_funding.jsonl") { 1 } else { lines.len().div_ceil(5) };
        for (part, lines) in lines.chunks(length).enumerate() {
            said += &succeed(exec(&(lines.join("\n") + "\n"), &directory, flags[(n + part) % 3]));
        }
        assert_eq!(said, expected, "{}", script.display());
        let verified = succeed(journal(&["journal", "verify"], &directory));
        assert!(verified.contains("each as recorded"), "{verified}");
        assert!(!verified.contains("torn"), "{verified}");
        let stat = succeed(journal(&["journal", "stat"], &directory));
        assert!(stat.contains(&format!("lines       {}\n", lines.len())), "{}: {stat}", script.display());
        for line in succeed(journal(&["journal", "print"], &directory)).lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert!(line["op"].is_string(), "{line}");
        }
        let recovered = succeed(journal(&["recover"], &directory));
        assert!(recovered.contains(&format!("up to line {}\n", lines.len())), "{recovered}");
        let again = succeed(journal(&["recover"], &directory));
        assert!(!again.contains("completed"), "{again}");
    }
}

const WORLD: &str = r#"{"op":"asset","asset":"USDT","decimals":8}
{"op":"deposit","account":1,"asset":"USDT","amount":"1","source":"a","client_seq":1,"ack":true}
{"op":"withdraw","account":1,"asset":"USDT","amount":"5","source":"a","client_seq":2,"ack":true}
"#;

/// A journal that says of one deposit something else, under right checksums: the events are the same, and the state is not.
#[test]
fn a_deposit_that_was_changed_is_refused() {
    let home = TempDir::new().unwrap();
    let (directory, other) = (home.path().join("journal"), home.path().join("other"));
    exec(WORLD, &directory, &[]);
    let verified = succeed(journal(&["journal", "verify"], &directory));
    assert!(verified.contains("; 1 checks, 1 states\n"), "{verified}");
    let hash = verified.lines().find_map(|line| line.strip_prefix("state       ")).expect("the state is shown");
    let stat = succeed(journal(&["journal", "stat"], &directory));
    assert!(stat.contains(&format!("states      1, the last {hash}\n")), "{stat}");
    let printed = succeed(journal(&["journal", "print"], &directory));
    assert_eq!(printed.lines().last(), Some(&*format!(r#"{{"op":"state","hash":"{hash}"}}"#)));
    let mut reader = Reader::open(&directory).unwrap();
    let mut writer = Writer::create(&other).unwrap();
    while let Some(mut frame) = reader.frame().unwrap() {
        if let Frame::Line(_, Some(Entry::Command { command: Deposit { amount, .. }, .. })) = &mut frame {
            *amount += 1;
        }
        writer.frame(&frame).unwrap();
    }
    let places = writer.place();
    writer.finish().unwrap();
    for what in [&["journal", "verify"][..], &["recover"]] {
        let refused = complaint(&journal(what, &other));
        let named = format!("comes to something else: places 0 to {}: the state comes to ", places - 1);
        assert!(refused.contains(&named) && refused.contains(hash), "{refused}");
    }
}

#[test]
fn repeats_are_known_after_a_restart() {
    let home = TempDir::new().unwrap();
    let first = succeed(exec(WORLD, home.path(), &[]));
    let (_, repeats) = WORLD.split_once('\n').unwrap();
    assert_eq!(succeed(exec(repeats, home.path(), &[])), first, "the first answers, with their numbers");
    let ask = "{\"op\":\"get\",\"what\":\"account\",\"account\":1}\n";
    let said = succeed(exec(ask, home.path(), &[]));
    assert!(said.contains("\"seq\":6") && said.contains("\"balances\":{\"USDT\":\"1\"}"), "{said}");
    let gap = WORLD.lines().nth(1).unwrap().replace("\"client_seq\":1", "\"client_seq\":4");
    assert!(succeed(exec(&gap, home.path(), &[])).contains("\"code\":\"gap\""));
}

#[test]
fn what_is_printed_is_the_protocol() {
    let home = TempDir::new().unwrap();
    succeed(exec(WORLD, home.path(), &[]));
    let printed = succeed(journal(&["journal", "print"], home.path()));
    let (first, rest) = printed.split_once('\n').unwrap();
    assert_eq!(first, WORLD.lines().next().unwrap());
    assert!(
        rest.contains("{\"op\":\"deposit\",\"seq\":2,\"account\":1,\"asset\":\"USDT\",\"amount\":\"1\"}"),
        "{printed}"
    );
}

#[test]
fn a_preset_stays_what_it_was() {
    let home = TempDir::new().unwrap();
    let (with, without) = (home.path().join("with"), home.path().join("without"));
    let script = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exec/defaults.jsonl")).unwrap();
    let lines = "{\"op\":\"time\",\"ts\":5}\n";
    succeed(exec(lines, &with, &["--preset", "okx"]));
    succeed(exec(lines, &with, &["--preset", "okx"]));
    succeed(exec(lines, &with, &[]));
    let error = complaint(&exec(lines, &with, &["--preset", "bybit"]));
    assert!(error.contains("begun with the preset okx") && error.contains("not with the preset bybit"), "{error}");
    succeed(exec(&script, &without, &[]));
    let error = complaint(&exec(lines, &without, &["--preset", "okx"]));
    assert!(error.contains("begun without a preset"), "{error}");
    // The rules of the preset are there after a restart: the asset that it declares is known.
    let said = succeed(exec(
        "{\"op\":\"deposit\",\"account\":1,\"asset\":\"USDT\",\"amount\":\"1\",\"ack\":true}\n",
        &with,
        &[],
    ));
    assert!(said.contains("\"ev\":\"ok\",\"seq\":4"), "{said}");
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    let home = TempDir::new().unwrap();
    let missing = home.path().join("missing");
    for what in [&["journal", "print"][..], &["journal", "verify"], &["journal", "stat"], &["recover"]] {
        let error = complaint(&journal(what, &missing));
        assert!(error.contains("missing: cannot be listed"), "{error}");
        let error = complaint(&journal(what, home.path()));
        assert!(error.contains("there is no journal"), "{error}");
        assert!(!missing.exists(), "nothing is made by looking");
    }
    let directory = home.path().join("journal");
    succeed(exec(WORLD, &directory, &[]));
    let file = directory.join("sequence-00000000000000000000");
    let good = fs::read(&file).unwrap();
    let every = |expected: &[&str]| {
        for what in [&["journal", "print"][..], &["journal", "verify"], &["journal", "stat"], &["recover"]] {
            let error = complaint(&journal(what, &directory));
            assert!(expected.iter().all(|part| error.contains(part)), "{what:?}: {error}");
        }
        let error = complaint(&exec(WORLD, &directory, &[]));
        assert!(expected.iter().all(|part| error.contains(part)), "{error}");
    };
    let mut damaged = good.clone();
    damaged[60] ^= 1;
    fs::write(&file, &damaged).unwrap();
    every(&["sequence-00000000000000000000: at byte 48", "damaged"]);
    assert_eq!(fs::read(&file).unwrap(), damaged, "nothing was changed");
    let mut other = good.clone();
    other[16] = 9;
    fs::write(&file, &other).unwrap();
    every(&["at byte 16: expected version 2 of the format, found 9"]);
    // A torn tail is cut, with a message.
    fs::write(&file, [&good[..], b"torn"].concat()).unwrap();
    let said = succeed(journal(&["journal", "verify"], &directory));
    assert!(said.contains("torn tail: 4 bytes at byte"), "{said}");
    let said = succeed(journal(&["recover"], &directory));
    assert!(said.contains("cut 4 bytes at byte"), "{said}");
    assert!(!succeed(journal(&["journal", "verify"], &directory)).contains("torn"));
    let unknown = program().args(["exec", "-", "--journal", "x", "--durability", "soon"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("expected `none`, `async` or `sync`"), "{}", text(&unknown.stderr));
    let alone = program().args(["exec", "-", "--durability", "sync"]).output().unwrap();
    assert_eq!(alone.status.code(), Some(2), "a durability of what?");
    let below_a_file = exec(WORLD, &file, &[]);
    assert!(complaint(&below_a_file).contains("sequence-00000000000000000000"));
}

/// A snapshot is made while another process writes the journal, and the next begins from it; a damaged one is named and passed over.
#[test]
fn the_next_process_begins_from_a_snapshot() {
    let home = TempDir::new().unwrap();
    let mut writing = program();
    writing.args(["exec", "-", "--journal"]).arg(home.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut writing = writing.spawn().unwrap();
    let (mut input, mut answers) = (writing.stdin.take().unwrap(), BufReader::new(writing.stdout.take().unwrap()));
    let mut answer = String::new();
    input.write_all(WORLD.as_bytes()).unwrap();
    while !answer.contains("rejected") {
        answers.read_line(&mut answer).unwrap();
    }
    let made = succeed(journal(&["snapshot"], home.path()));
    assert!(made.contains("from the start") && made.contains("snapshot-0000000000000000000"), "{made}");
    input.write_all(b"{\"op\":\"deposit\",\"account\":1,\"asset\":\"USDT\",\"amount\":\"2\",\"ack\":true}\n").unwrap();
    answer.clear();
    answers.read_line(&mut answer).unwrap();
    assert!(answer.contains("\"ev\":\"ok\",\"seq\":4"), "{answer}");
    drop(input);
    assert!(writing.wait().unwrap().success());
    let verified = succeed(journal(&["journal", "verify"], home.path()));
    let made = succeed(journal(&["snapshot", "--prune"], home.path()));
    let hash = made.lines().find(|line| line.starts_with("hash")).unwrap();
    assert!(made.contains("places from ") && verified.contains(hash.split(',').next().unwrap()), "{made}{verified}");
    assert!(!made.contains("removed"), "both are needed: {made}");
    let stat = succeed(journal(&["journal", "stat"], home.path()));
    assert_eq!(stat.lines().filter(|line| line.starts_with("snapshot")).count(), 2, "{stat}");
    let ask = "{\"op\":\"get\",\"what\":\"account\",\"account\":1}\n";
    let (_, repeats) = WORLD.split_once('\n').unwrap();
    let asked = exec(&(ask.to_owned() + repeats), home.path(), &["--shards", "3", "--driver", "threaded"]);
    assert!(text(&asked.stderr).contains("gone through from ") && text(&asked.stderr).contains("snapshot-"));
    let said = succeed(asked);
    assert!(said.contains("\"seq\":5") && said.contains("\"balances\":{\"USDT\":\"3\"}"), "{said}");
    assert!(said.contains("\"ev\":\"ok\",\"seq\":2"), "the first answer to a repeat: {said}");
    let mut snapshots: Vec<PathBuf> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    snapshots.retain(|file| file.to_string_lossy().contains("snapshot-"));
    snapshots.sort();
    let mut damaged = fs::read(&snapshots[1]).unwrap();
    let at = damaged.len() / 2;
    damaged[at] ^= 4;
    fs::write(&snapshots[1], damaged).unwrap();
    let recovered = succeed(journal(&["recover"], home.path()));
    assert!(recovered.contains(&format!("passed over {}: at byte", snapshots[1].display())), "{recovered}");
    assert!(recovered.contains(&format!("from {}, up to line 7", snapshots[0].display())), "{recovered}");
}

/// A line that no journal can keep is refused before it changes anything, and the journal goes on.
#[test]
fn a_line_that_the_journal_cannot_keep_is_refused() {
    let home = TempDir::new().unwrap();
    let directory = home.path().join("journal");
    let line = |bytes: usize| {
        let (begin, end) = (r#"{"op":"asset","asset":"USDT","decimals":2"#, "}");
        format!("{begin}{}{end}", " ".repeat(bytes - begin.len() - end.len()))
    };
    let most = 8 << 20;
    let deposit = r#"{"op":"deposit","account":1,"asset":"USDT","amount":"1","ack":true}"#;
    let lines = [line(most + 1), deposit.to_owned(), line(most), deposit.to_owned()].join("\n");
    let said = succeed(exec(&lines, &directory, &["--durability", "sync"]));
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[0].contains(r#""seq":1,"code":"malformed""#) && said[0].contains("longer than 8388608"), "{said:?}");
    assert!(said[1].contains(r#""seq":2,"code":"unknown_asset""#), "{said:?}");
    assert_eq!(said[2], r#"{"ev":"ok","seq":4}"#);
    let question = r#"{"op":"get","what":"account","account":1}"#;
    let said = succeed(exec(question, &directory, &[]));
    assert!(said.contains(r#""seq":5,"account":1,"balances":{"USDT":"1"}"#), "{said}");
}

#[test]
fn one_process_writes_at_a_time() {
    let home = TempDir::new().unwrap();
    let mut first = program();
    first.args(["exec", "-", "--journal"]).arg(home.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut first = first.spawn().unwrap();
    let mut input = first.stdin.take().unwrap();
    input.write_all(WORLD.as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(first.stdout.take().unwrap()).read_line(&mut answer).unwrap();
    assert!(answer.contains("\"ev\":\"ok\""), "{answer}");
    let error = complaint(&exec(WORLD, home.path(), &[]));
    assert!(error.contains("another process writes this journal"), "{error}");
    drop(input);
    assert!(first.wait().unwrap().success());
    succeed(exec("\n", home.path(), &[]));
}

/// The `n`-th line of a source that pays in, trades and sets marks; every fourth is a payment of 1.
fn load(n: u64) -> String {
    let account = 1 + n % 5;
    let head = format!("\"source\":\"feed\",\"client_seq\":{n},\"ack\":true}}\n");
    match (n, n % 4) {
        (1, _) => format!("{{\"op\":\"asset\",\"asset\":\"USDT\",\"decimals\":2,{head}"),
        (2, _) => {
            let rules = "\"symbol\":\"X\",\"kind\":\"linear_perp\",\"underlying\":\"X\",\"settle\":\"USDT\",\"tick\":\"1\",\"lot\":\"1\"";
            let tiers = "\"tiers\":[{\"cap\":\"1000000\",\"mmr\":\"0.01\",\"max_leverage\":50}]";
            format!("{{\"op\":\"instrument\",{rules},{tiers},{head}")
        }
        (3..=10, _) => {
            let account = if n == 10 { 9 } else { account };
            format!("{{\"op\":\"deposit\",\"account\":{account},\"asset\":\"USDT\",\"amount\":\"300\",{head}")
        }
        (_, 0) => format!("{{\"op\":\"deposit\",\"account\":9,\"asset\":\"USDT\",\"amount\":\"1\",{head}"),
        (_, 1) => format!("{{\"op\":\"mark\",\"symbol\":\"X\",\"price\":\"{}\",{head}", 1_000 + n * 7 % 100),
        (_, 2) => {
            format!("{{\"op\":\"deposit\",\"account\":{account},\"asset\":\"USDT\",\"amount\":\"300\",{head}")
        }
        _ => {
            let fill = "\"side\":\"buy\",\"qty\":\"3\",\"price\":\"1050\",\"counterparty\":9";
            format!("{{\"op\":\"fill\",\"account\":{account},\"symbol\":\"X\",{fill},{head}")
        }
    }
}

/// Kills of one journal: of a longer one most would come while it is gone through, before anything new is done.
const KILLS: u64 = 40;

/// The process is killed at any moment under load, again and again, and goes on each time. `TERRACE_KILLS` asks for more.
#[test]
fn a_kill_at_any_moment_loses_and_repeats_nothing() {
    let all: u64 = std::env::var("TERRACE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let (mut left, mut acknowledged, mut torn_or_completed) = (all, 0, 0);
    let mut dice = Dice(7);
    while left > 0 {
        let kills = left.min(KILLS);
        let (lines, restarts) = kill_and_go_on(kills, &mut dice);
        left -= kills;
        acknowledged += lines;
        torn_or_completed += restarts;
    }
    println!(
        "{all} kills, {acknowledged} lines acknowledged, {torn_or_completed} restarts over a torn or interrupted end"
    );
}

/// So many kills of the processes of one journal; how many lines were acknowledged, and restarts over an end that was torn or interrupted.
fn kill_and_go_on(kills: u64, dice: &mut Dice) -> (u64, u64) {
    let home = TempDir::new().unwrap();
    let (mut sent, mut acknowledged) = (0_u64, 0_u64);
    let mut numbers: Vec<u64> = Vec::new(); // of the session, by client_seq
    let mut torn_or_completed = 0;
    for round in 0..=kills {
        let mut command = program();
        command.args(["exec", "-", "--journal"]).arg(home.path()).args(["--durability", "sync"]);
        if round % 3 == 1 {
            command.args(["--driver", "threaded", "--wait", "park", "--cores", "off"]);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let last = round == kills;
        // From some line on that is acknowledged already: what comes again must not be done again.
        let from = 1 + acknowledged - acknowledged.min(dice.below(4));
        // More than it can do until it is killed; the last one gets all that any before it may have kept.
        let to = acknowledged + if last { 8_000 } else { 1_000_000 };
        sent = to;
        let feeder = std::thread::spawn(move || {
            for n in from..=to {
                if input.write_all(load(n).as_bytes()).is_err() {
                    return; // it was killed
                }
            }
        });
        let killer = (!last).then(|| {
            let (pid, after) = (child.id(), Duration::from_micros(2_000 + dice.below(40_000)));
            std::thread::spawn(move || {
                std::thread::sleep(after);
                let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
            })
        });
        for line in BufReader::new(output).split(b'\n') {
            let line = line.unwrap();
            let Ok(answer) = serde_json::from_slice::<serde_json::Value>(&line) else { break }; // killed while it told
            let answered = match answer["ev"].as_str() {
                Some("ok") => answer["client_seq"].as_u64().unwrap(),
                Some("rejected") => panic!("{answer}"),
                _ => continue,
            };
            let seq = answer["seq"].as_u64().unwrap();
            let known = numbers.len() as u64;
            assert!(answered <= known + 1, "in order");
            if answered == known + 1 {
                numbers.push(seq);
            } else {
                assert_eq!(numbers[answered as usize - 1], seq, "a repeat gets its first answer");
            }
            acknowledged = acknowledged.max(answered);
        }
        feeder.join().unwrap();
        killer.into_iter().for_each(|killer| killer.join().unwrap());
        let status = child.wait_with_output().unwrap();
        let said = text(&status.stderr);
        torn_or_completed += u64::from(said.contains("cut") || said.contains("completed"));
        assert_eq!(last, status.status.success(), "{said}");
    }
    assert_eq!(acknowledged, sent, "the last process was left alone");
    succeed(journal(&["journal", "verify"], home.path()));
    // The same lines without a journal, in one process.
    let script: String = (1..=sent).map(load).collect();
    let ask =
        "{\"op\":\"get\",\"what\":\"totals\"}\n".to_owned() + "{\"op\":\"get\",\"what\":\"account\",\"account\":9}\n";
    let files = TempDir::new().unwrap();
    fs::write(files.path().join("script"), script + &ask).unwrap();
    let plain = succeed(program().arg("exec").arg(files.path().join("script")).output().unwrap());
    let found = succeed(exec(&ask, home.path(), &[]));
    let state = |said: &str| -> Vec<serde_json::Value> {
        let lines: Vec<&str> = said.lines().collect();
        let of = |line: &&str| {
            let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["seq"] = 0.into();
            line
        };
        lines[lines.len() - 2..].iter().map(of).collect()
    };
    assert_eq!(state(&found), state(&plain), "nothing lost, nothing done twice");
    (acknowledged, torn_or_completed)
}
