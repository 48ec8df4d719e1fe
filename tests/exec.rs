//! The program itself: `terrace exec` over scripts and over pipes.
//!
//! `exec/*.jsonl` are scripts (those under `pending` use what the reference does not know yet), `exec/*.expected` what they must print, byte for byte; `TERRACE_BLESS=1` rewrites the
//! latter. `exec/README.md` derives every figure of the waterfall by hand.

use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use terrace::protocol::Session;
use terrace::{Kernel, Settings};

/// The scripts, by name; those that the reference implementation cannot follow yet lie in `pending`.
fn scripts() -> Vec<String> {
    let mut scripts = Vec::new();
    for under in ["", "pending/"] {
        let Ok(folder) = fs::read_dir(folder().join(under)) else { continue };
        for entry in folder {
            let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
            scripts.extend(name.strip_suffix(".jsonl").map(|name| format!("{under}{name}")));
        }
    }
    assert!(scripts.len() >= 7, "the scripts are not where they were");
    scripts.sort();
    scripts
}

/// Every code with which Part 1 refuses.
const CODES: &[&str] = &[
    "bad_tiers",
    "bad_value",
    "duplicate",
    "insufficient_margin",
    "locked",
    "malformed",
    "no_price",
    "off_grid",
    "overflow",
    "time_reversed",
    "unknown_account",
    "unknown_asset",
    "unknown_field",
    "unknown_fund",
    "unknown_liquidation",
    "unknown_op",
    "unknown_order",
    "unknown_symbol",
];

/// How long a program that should answer or end may take before the test gives up.
const PATIENCE: Duration = Duration::from_mins(1);

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_terrace"))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exec")
}

fn path(script: &str, extension: &str) -> PathBuf {
    folder().join(format!("{script}.{extension}"))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the program writes UTF-8")
}

/// Runs a script from a file.
fn exec(file: &Path, flags: &[&str]) -> Output {
    program().arg("exec").arg(file).args(flags).stdin(Stdio::null()).output().expect("the program starts")
}

/// Runs a script that is standard input, to its end.
fn exec_bytes(script: &[u8]) -> Output {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(script).expect("room for it");
    file.rewind().expect("a file can be rewound");
    program().args(["exec", "-"]).stdin(file).output().expect("the program starts")
}

fn lines(output: &[u8]) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The only line of an input with this `ev`.
fn only<'a>(events: &'a [Value], ev: &str, seq: u64) -> &'a Value {
    let mut found = events.iter().filter(|event| event["ev"] == ev && event["seq"] == seq);
    let first = found.next().unwrap_or_else(|| panic!("no {ev} at {seq}"));
    assert!(found.next().is_none(), "more than one {ev} at {seq}");
    first
}

/// A child that does not outlive its test.
struct Kept(Child);

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may have ended
        let _ = self.0.wait();
    }
}

/// The lines of a pipe as they come, at most `limit` of them; then the pipe is closed from this side.
struct Lines(mpsc::Receiver<String>);

impl Lines {
    fn of(pipe: impl Read + Send + 'static, limit: usize) -> Self {
        let (heard, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().take(limit) {
                if heard.send(line.expect("the program writes UTF-8")).is_err() {
                    return; // the test is over
                }
            }
        });
        Self(lines)
    }

    /// The next line, or none at the end; one of them must come.
    fn next(&self) -> Option<String> {
        match self.0.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("the program neither answers nor ends"),
        }
    }
}

#[test]
fn scripts_print_what_is_expected() {
    for script in &scripts() {
        let output = exec(&path(script, "jsonl"), &[]);
        assert!(output.status.success(), "{script}: {}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "", "{script}");
        let expected = path(script, "expected");
        if std::env::var_os("TERRACE_BLESS").is_some() {
            fs::write(&expected, &output.stdout).expect("the expectation can be written");
        }
        let expected = fs::read_to_string(&expected).expect("an expectation beside the script");
        for (number, (is, should)) in text(&output.stdout).lines().zip(expected.lines()).enumerate() {
            assert_eq!(is, should, "{script}.expected, line {}", number + 1);
        }
        assert_eq!(text(&output.stdout), expected, "{script}");
    }
}

#[test]
fn every_file_belongs_to_a_script() {
    let scripts = scripts();
    for under in ["", "pending/"] {
        let Ok(folder) = fs::read_dir(folder().join(under)) else { continue };
        for entry in folder {
            let name = format!("{under}{}", entry.expect("an entry").file_name().to_string_lossy());
            let script = name.strip_suffix(".jsonl").or_else(|| name.strip_suffix(".expected"));
            let known = script.is_some_and(|script| scripts.iter().any(|known| known == script));
            assert!(known || ["README.md", "pending"].contains(&&*name), "{name} belongs to no script");
        }
    }
}

#[test]
fn neither_shards_nor_strategy_show() {
    for script in &scripts() {
        let expected = fs::read_to_string(path(script, "expected")).expect("an expectation beside the script");
        for shards in ["1", "2", "3", "8"] {
            for strategy in ["bands", "sweep", "dense", "adaptive"] {
                let output = exec(&path(script, "jsonl"), &["--shards", shards, "--strategy", strategy]);
                assert_eq!(text(&output.stdout), expected, "{script}, {shards} shards, {strategy}");
                assert!(output.status.success());
            }
        }
    }
}

#[test]
fn neither_threads_nor_their_waiting_show() {
    for script in &scripts() {
        let expected = fs::read_to_string(path(script, "expected")).expect("an expectation beside the script");
        for (workers, wait) in [("1", "yield"), ("1", "park"), ("2", "yield"), ("3", "park")] {
            let threads = ["--driver", "threaded", "--shards", workers, "--wait", wait, "--cores", "off"];
            let output = exec(&path(script, "jsonl"), &threads);
            assert_eq!(text(&output.stdout), expected, "{script}, {workers} workers, {wait}");
            assert!(output.status.success());
            let said = text(&output.stderr);
            assert!(said.contains("not pinned") && said.contains(wait), "the shape is told: {said}");
        }
    }
}

#[test]
fn threads_that_cannot_be_are_refused_with_the_reason() {
    let script = path("example", "jsonl");
    for (arguments, code, told) in [
        (vec!["--shards", "1000", "--wait", "spin"], 1, "1001 spinning threads would share"),
        (vec!["--cores", "0,9999"], 1, "there is no core 9999 for this process"),
        (vec!["--cores", "0,0"], 1, "core 0 is named twice"),
        (vec!["--cores", "0,1,2,3"], 1, "2 threads need 2 cores, and 4 are named"),
        (vec!["--cores", "0,x"], 2, "\"x\" is not the number of a core"),
        (vec!["--wait", "sleep"], 2, "expected `spin`, `yield` or `park`"),
    ] {
        let arguments = [vec!["--driver", "threaded"], arguments].concat();
        let output = exec(&script, &arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(text(&output.stderr).contains(told), "{arguments:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty());
    }
}

/// What protocol.md says of its example, whatever the expectation beside the script says.
#[test]
fn the_example_is_liquidated_at_the_first_tick_that_breaches() {
    let output = exec(&path("example", "jsonl"), &[]);
    let events = lines(&output.stdout);
    let opened = &only(&events, "account", 7)["positions"][0];
    assert_eq!((&opened["margin"], &opened["liq_price"]), (&json!("1000"), &json!("90361.4")));
    let above = only(&events, "account", 9);
    assert_eq!(above["positions"][0]["mark"], "90361.5");
    assert!(events.iter().all(|event| event["ev"] != "liquidation_started" || event["seq"] == 10));
    assert_eq!(only(&events, "liquidation_fill", 10)["price"], "90361.4");
    assert_eq!(only(&events, "liquidation_ended", 10)["outcome"], "closed");
}

/// The levels of the terrace, in the order in which the script reaches them.
#[test]
fn the_waterfall_reaches_every_level() {
    let output = exec(&path("waterfall", "jsonl"), &[]);
    let events = lines(&output.stdout);
    let word = |event: &Value, key: &str| event[key].as_str().map(str::to_owned);
    let levels = events.iter().filter_map(|event| match event["ev"].as_str()? {
        "liquidation_order" => word(event, "step"),
        "fund" if event["reason"].is_string() => word(event, "reason"),
        "takeover" | "adl" => word(event, "ev"),
        _ => None,
    });
    let mut firsts: Vec<String> = Vec::new();
    for level in levels {
        if !firsts.contains(&level) {
            firsts.push(level);
        }
    }
    assert_eq!(firsts, ["tier", "fee", "all", "takeover", "unwind", "netting", "adl", "adl_residue", "deficit"]);
    assert!(events.iter().all(|event| event["ev"] != "rejected"));
}

/// The last 18 lines of the script are refused, each with a code of its own, and change nothing that can be asked for.
#[test]
fn a_refused_line_changes_nothing() {
    let script = fs::read_to_string(path("refusals", "jsonl")).expect("the script");
    let script: Vec<&str> = script.lines().collect();
    let (setup, refused) = script.split_at(script.len() - CODES.len());
    let questions: Vec<String> = [
        json!({"op": "get", "what": "totals"}),
        json!({"op": "get", "what": "account", "account": 1}),
        json!({"op": "get", "what": "account", "account": 2}),
        json!({"op": "get", "what": "fund", "fund": "USDT"}),
        json!({"op": "get", "what": "instrument", "symbol": "P"}),
        json!({"op": "get", "what": "instrument", "symbol": "Q"}),
    ]
    .iter()
    .map(Value::to_string)
    .collect();
    let asked = questions.join("\n");
    let mut with_questions = format!("{}\n{asked}\n", setup.join("\n"));
    for line in refused {
        with_questions.push_str(&format!("{line}\n{asked}\n"));
    }
    let events = lines(&exec_bytes(with_questions.as_bytes()).stdout);
    let after_setup = |event: &&Value| event["seq"].as_u64().expect("a seq") > setup.len() as u64;
    let answers: Vec<Value> = events.iter().filter(after_setup).cloned().map(without_seq).collect();
    let (before, rest) = answers.split_at(questions.len());
    assert!(before.iter().all(|answer| answer["ev"] != "rejected"), "{before:?}");
    assert_eq!(rest.len(), refused.len() * (questions.len() + 1), "one line a line");
    let mut codes = Vec::new();
    for (step, line) in rest.chunks(questions.len() + 1).zip(refused) {
        assert_eq!(step[0]["ev"], "rejected", "{line}");
        assert_eq!(&step[1..], before, "{line}");
        codes.push(step[0]["code"].as_str().expect("a code").to_owned());
    }
    codes.sort_unstable();
    assert_eq!(codes, CODES);
}

fn without_seq(mut event: Value) -> Value {
    event.as_object_mut().expect("an object").remove("seq");
    event
}

#[test]
fn strict_stops_at_the_first_refusal() {
    let file = path("refusals", "jsonl");
    let output = exec(&file, &["--strict"]);
    assert_eq!(output.status.code(), Some(1));
    let whole = fs::read_to_string(path("refusals", "expected")).expect("an expectation beside the script");
    let refusal = whole.find("{\"ev\":\"rejected\"").expect("a refusal");
    let end = refusal + whole[refusal..].find('\n').expect("a line") + 1;
    assert_eq!(text(&output.stdout), &whole[..end]);
    let line: Value = serde_json::from_str(&whole[refusal..end]).expect("JSON");
    let message = format!("terrace: {}:{}: {}: ", file.display(), line["seq"], line["code"].as_str().expect("a code"));
    assert!(text(&output.stderr).starts_with(&message), "{} / {message}", text(&output.stderr));
    assert_eq!(text(&output.stderr).lines().count(), 1);
    // Without a refusal it makes no difference.
    let output = exec(&path("waterfall", "jsonl"), &["--strict"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn what_cannot_be_read_fails() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in [folder.path().join("none.jsonl"), folder.path().to_owned()] {
        let output = exec(&file, &[]);
        assert_eq!(output.status.code(), Some(1), "{}", file.display());
        assert_eq!(text(&output.stdout), "");
        let message = text(&output.stderr);
        assert!(message.starts_with("terrace: ") && message.contains(&file.display().to_string()), "{message}");
    }
}

#[test]
fn what_cannot_be_understood_is_a_usage_error() {
    let file = path("example", "jsonl");
    let wrong: [&[&str]; 5] =
        [&["--quiet"], &["--shards", "0"], &["--shards", "many"], &["--strategy", "guess"], &["another.jsonl"]];
    for flags in wrong {
        let output = exec(&file, flags);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""), "{flags:?}");
        assert!(!output.stderr.is_empty(), "{flags:?}");
    }
    let output = program().arg("exec").stdin(Stdio::null()).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(2), "no file");
}

/// Every line is answered before the next is written: nothing is held back in a buffer.
#[test]
fn standard_input_is_a_dialogue() {
    let mut command = program();
    command.args(["exec", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = Kept(command.spawn().expect("the program starts"));
    let mut input = child.0.stdin.take().expect("a pipe");
    let answers = Lines::of(child.0.stdout.take().expect("a pipe"), usize::MAX);
    let script = fs::read_to_string(path("waterfall", "jsonl")).expect("the script");
    let expected = fs::read_to_string(path("waterfall", "expected")).expect("the expectation");
    let mut expected = expected.lines().peekable();
    for (number, line) in script.lines().enumerate() {
        writeln!(input, "{line}").expect("the program listens");
        let about = format!("\"seq\":{},", number + 1);
        while let Some(answer) = expected.next_if(|answer| answer.contains(&about)) {
            assert_eq!(answers.next().as_deref(), Some(answer), "after {line}");
        }
    }
    assert_eq!(expected.next(), None, "all was heard");
    drop(input);
    assert_eq!(answers.next(), None, "nothing comes after the last answer");
    assert!(child.0.wait().expect("it has ended").success());
}

/// `terrace exec … | head -1`
#[test]
fn a_closed_output_pipe_is_a_quiet_end() {
    let mut script = tempfile::NamedTempFile::new().expect("a temporary file");
    let question = "{\"op\":\"get\",\"what\":\"totals\"}\n";
    script.write_all(question.repeat(50_000).as_bytes()).expect("room for it"); // answers far beyond a pipe's buffer
    let mut command = program();
    command.arg("exec").arg(script.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Kept(command.spawn().expect("the program starts"));
    let complaints = Lines::of(child.0.stderr.take().expect("a pipe"), usize::MAX);
    let answers = Lines::of(child.0.stdout.take().expect("a pipe"), 1);
    assert_eq!(answers.next().as_deref(), Some("{\"ev\":\"totals\",\"seq\":1,\"assets\":{},\"symbols\":{}}"));
    assert_eq!(answers.next(), None, "the pipe is closed");
    assert_eq!(complaints.next(), None);
    assert_eq!(child.0.wait().expect("it has ended").code(), Some(0));
}

/// Where the output cannot be written for another reason, the program says so.
#[test]
#[cfg(target_os = "linux")]
fn a_full_output_device_is_an_error() {
    let full = File::options().write(true).open("/dev/full").expect("the device that is always full");
    let mut command = program();
    command.arg("exec").arg(path("example", "jsonl")).stdin(Stdio::null()).stdout(full);
    let output = command.stderr(Stdio::piped()).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("terrace: cannot write: "), "{}", text(&output.stderr));
}

/// Line ends of both kinds, blank lines, bytes that are not UTF-8, a last line without an end.
#[test]
fn lines_are_read_however_they_end() {
    let script = b"{\"op\":\"asset\",\"asset\":\"USDT\",\"decimals\":2}\r\n\r\n\n   \n\
        {\"op\":\"deposit\",\"account\":1,\"asset\":\"USDT\",\"amount\":\"5\"}\r\n\
        {\"op\":\"cancel\",\"account\":1,\"order\":\"\xff\xfe\"}\n\
        \t{\"op\":\"get\",\"what\":\"totals\"} \r\n\
        {\"op\":\"get\",\"what\":\"fund\",\"fund\":\"USDT\"}";
    let output = exec_bytes(script);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let events = lines(&output.stdout);
    assert_eq!(text(&output.stdout).matches('\n').count(), 3, "every line has its end");
    assert_eq!(events.len(), 3);
    assert_eq!(only(&events, "rejected", 6)["code"], "malformed");
    assert_eq!(only(&events, "totals", 7)["assets"]["USDT"]["deposits"], "5");
    assert_eq!(only(&events, "fund", 8)["balance"], "0");
    assert_eq!(exec_bytes(b"").stdout, b"");
}

/// Who asks for a fund's order finds it as long as it can be filled.
#[test]
fn an_order_that_is_filled_is_known_no_more() {
    let script = fs::read_to_string(folder().join("fund_orders.jsonl")).expect("the script");
    let mut session = Session::over(Kernel::new(Settings::default()));
    let known: Vec<bool> = script
        .lines()
        .map(|line| {
            let _ = session.line(line.as_bytes(), &mut String::new());
            session.kernel().overview().liquidation(3).is_some()
        })
        .collect();
    assert_eq!(known.iter().position(|&known| known), Some(9), "sent at line 10");
    assert_eq!(known.iter().rposition(|&known| known), Some(15), "filled at line 17");
}
