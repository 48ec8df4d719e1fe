//! `terrace serve` over real sockets: several clients at once, bad input, slow readers, kills, metrics, health.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long what should happen may take before the test gives up.
const PATIENCE: Duration = Duration::from_mins(1);

const USDT: &str = r#"{"op":"asset","asset":"USDT","decimals":8}"#;
const BTC: &str = r#"{"op":"instrument","symbol":"BTC","kind":"linear_perp","underlying":"BTC","settle":"USDT","tick":"0.1","lot":"0.001","tiers":[{"cap":"1000000","mmr":"0.005","max_leverage":100}]}"#;

/// Nothing that a slow machine may lead to: the commands of the watchdog are numbered as lines are.
const UNWATCHED: [[&str; 2]; 4] =
    [["--stalled-after", "0"], ["--unkept-after", "0"], ["--full-at", "0"], ["--unanswered-after", "0"]];

/// A server that does not outlive its test.
struct Server {
    child: Child,
    input: Option<ChildStdin>,
    lines: String,
    events: Option<String>,
    metrics: Option<String>,
}

impl Server {
    fn start(flags: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_terrace"))
            .args(["serve", "--until-stdin-ends", "--listen", "127.0.0.1:0"])
            .args(UNWATCHED.iter().filter(|[name, _]| !flags.contains(name)).flatten())
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let input = child.stdin.take();
        let mut told = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut next = |what: &str| {
            let mut line = String::new();
            told.read_line(&mut line).expect("the program writes UTF-8");
            line.strip_prefix(what).unwrap_or_else(|| panic!("{what:?} in {line:?}")).trim_end().to_owned()
        };
        let lines = next("lines at ");
        let events = flags.contains(&"--events").then(|| next("events at "));
        let metrics = flags.contains(&"--metrics").then(|| next("metrics at http://").replace("/metrics", ""));
        Self { child, input, lines, events, metrics }
    }

    /// A replay, which serves nothing but its metrics.
    fn replay(flags: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_terrace"))
            .args(["replay", "--metrics", "127.0.0.1:0"])
            .args(flags)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let told = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let address = told
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("metrics at http://")?.1.strip_suffix("/metrics")?.to_owned()));
        Self { child, input: None, lines: String::new(), events: None, metrics: address }
    }

    fn connect(&self) -> Client {
        Client::new(TcpStream::connect(&self.lines).expect("it listens"))
    }

    fn get(&self, target: &str) -> (String, String) {
        self.request(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
    }

    fn request(&self, request: &[u8]) -> (String, String) {
        let mut stream = TcpStream::connect(self.metrics.as_ref().expect("--metrics is given")).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
    }

    fn metric(&self, name: &str) -> Option<f64> {
        let (_, text) = self.get("/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?.to_owned();
        Some(line.parse().expect("a number"))
    }

    /// Waits until it is so.
    fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < PATIENCE, "{what} has not come: {}", self.get("/metrics").1);
            std::thread::yield_now();
        }
    }

    fn stop(mut self) -> ExitStatus {
        drop(self.input.take());
        self.child.wait().expect("it ends")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

struct Client {
    stream: TcpStream,
    input: BufReader<TcpStream>,
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { input: BufReader::new(stream.try_clone().unwrap()), stream }
    }

    fn send(&mut self, lines: &str) {
        self.stream.write_all(lines.as_bytes()).unwrap();
        self.stream.write_all(b"\n").unwrap();
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.input.read_line(&mut line).expect("an answer");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    fn ask(&mut self, line: &str) -> Value {
        self.send(line);
        self.hear()
    }

    /// What is left, up to the end.
    fn rest(mut self) -> Vec<Value> {
        self.stream.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        self.input.read_to_string(&mut text).unwrap();
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

fn acked(line: &str) -> String {
    format!("{},\"ack\":true}}", line.strip_suffix('}').expect("an object"))
}

fn deposit(account: u64) -> String {
    acked(&format!(r#"{{"op":"deposit","account":{account},"asset":"USDT","amount":"1000"}}"#))
}

fn numbers(answers: &[Value]) -> Vec<u64> {
    answers.iter().map(|answer| answer["seq"].as_u64().expect("a number")).collect()
}

#[test]
fn a_script_is_answered_as_exec_answers_it() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exec/example");
    let text = std::fs::read_to_string(script.with_extension("jsonl")).unwrap();
    let expected = std::fs::read_to_string(script.with_extension("expected")).unwrap();
    let journal = TempDir::new().unwrap();
    let journaled = ["--journal", journal.path().to_str().unwrap()];
    for flags in [&[][..], &journaled, &["--driver", "threaded", "--wait", "park", "--cores", "off"]] {
        let server = Server::start(flags);
        let mut client = server.connect();
        client.send(text.trim_end());
        let expected: Vec<Value> = expected.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(client.rest(), expected, "{flags:?}");
        assert!(server.stop().success());
    }
}

#[test]
fn clients_share_one_session_and_each_gets_its_answers_in_order() {
    let server = Server::start(&[]);
    let mut first = server.connect();
    assert_eq!(first.ask(&acked(USDT))["ev"], "ok");
    let lines: usize = 500;
    let clients: Vec<_> = (0..4_u64)
        .map(|n| {
            let mut client = server.connect();
            std::thread::spawn(move || {
                for at in 0..lines as u64 {
                    client.send(&deposit(n * 10_000 + at));
                }
                client.rest()
            })
        })
        .collect();
    let mut all = BTreeSet::new();
    for client in clients {
        let answers = client.join().unwrap();
        assert!(answers.iter().all(|answer| answer["ev"] == "ok"), "{answers:?}");
        let numbers = numbers(&answers);
        assert!(numbers.len() == lines && numbers.is_sorted(), "{numbers:?}");
        all.extend(numbers);
    }
    assert_eq!(all.len(), 4 * lines, "each line has a number of its own");
    let totals = first.ask(r#"{"op":"get","what":"totals"}"#);
    assert_eq!(totals["assets"]["USDT"]["deposits"], (4 * lines * 1000).to_string());
    assert!(server.stop().success());
}

#[test]
fn bad_input_is_answered_and_hurts_nobody() {
    let server = Server::start(&["--max-line", "200", "--connections", "2"]);
    let (mut bad, mut good) = (server.connect(), server.connect());
    assert_eq!(good.ask(&acked(USDT))["ev"], "ok");
    for line in ["nonsense", "[]", "{\"op\":\"nonsense\"}", "{", &"x".repeat(100_000), "{\"op\":\"mark\"}"] {
        assert_eq!(bad.ask(line)["ev"], "rejected", "{line}");
    }
    bad.stream.write_all(b"\xff\xfe\x00\n").unwrap();
    assert_eq!(bad.hear()["code"], "malformed");
    let long = bad.ask(&format!("{{\"op\":\"get\",\"what\":\"{}\"}}", "x".repeat(200)));
    assert_eq!(long["reason"], "the line is longer than 200 bytes");
    let third = server.connect().hear();
    assert_eq!((&third["code"], &third["ev"]), (&json!("busy"), &json!("rejected")));
    assert_eq!(good.ask(&deposit(1))["ev"], "ok");
    drop(bad); // without a word
    drop(server.connect());
    assert_eq!(good.ask(&deposit(2))["ev"], "ok");
    assert!(server.stop().success());
}

#[test]
fn who_does_not_read_its_answers_is_cut_off_and_nobody_else_waits() {
    let server = Server::start(&["--write-within", "300", "--metrics", "127.0.0.1:0"]);
    let mut good = server.connect();
    good.send(&[USDT, BTC].join("\n"));
    for account in 1..=2_u64 {
        assert_eq!(good.ask(&deposit(account))["ev"], "ok");
    }
    let mut deaf = server.connect();
    let questions = [r#"{"op":"get","what":"totals"}"#; 200].join("\n");
    let began = Instant::now();
    loop {
        deaf.stream.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
        let _ = deaf.stream.write_all(questions.as_bytes()).and_then(|()| deaf.stream.write_all(b"\n"));
        assert_eq!(good.ask(&deposit(3))["ev"], "ok");
        if server.metric("terrace_connections{kind=\"lines\"}") == Some(1.0) {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "it is still there");
    }
    assert!(server.stop().success());
}

/// As a supervisor ends it, or somebody at a terminal: the journal ends with all that was answered, and with nothing torn.
#[test]
fn a_signal_ends_it_in_good_order() {
    for signal in ["-TERM", "-INT"] {
        let journal = TempDir::new().unwrap();
        let directory = journal.path().to_str().unwrap();
        let mut server = Server::start(&["--journal", directory, "--durability", "async"]);
        let mut client = server.connect();
        client.send(&acked(USDT));
        (1..100).for_each(|account| client.send(&deposit(account)));
        (0..100).for_each(|_| assert_eq!(client.hear()["ev"], "ok"));
        let id = server.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        assert_eq!(client.rest(), [Value::Null; 0]);
        assert!(server.child.wait().unwrap().success(), "{signal}");
        let stat = Command::new(env!("CARGO_BIN_EXE_terrace")).args(["journal", "stat", directory]).output().unwrap();
        let stat = String::from_utf8(stat.stdout).unwrap();
        assert!(stat.contains("lines       100\n") && !stat.contains("torn"), "{signal}: {stat}");
    }
}

#[test]
fn a_socket_in_the_file_system_serves_too() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("terrace.sock");
    let address = format!("unix:{}", path.display());
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap()); // left from somebody who has ended
    let mut child = Command::new(env!("CARGO_BIN_EXE_terrace"))
        .args(["serve", "--until-stdin-ends", "--listen", &address])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut told).unwrap();
    assert_eq!(told, format!("lines at {address}\n"));
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(acked(USDT).as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert_eq!(said, "{\"ev\":\"ok\",\"seq\":1}\n", "the last line needs no end");
    let second = Command::new(env!("CARGO_BIN_EXE_terrace")).args(["serve", "--listen", &address]).output().unwrap();
    assert_eq!(second.status.code(), Some(1), "somebody listens there");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success() && !path.exists());
    std::fs::write(&path, "somebody's").unwrap();
    let third = Command::new(env!("CARGO_BIN_EXE_terrace")).args(["serve", "--listen", &address]).output().unwrap();
    assert_eq!(third.status.code(), Some(1), "a file is no socket that was left");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "somebody's");
}

#[test]
fn events_are_heard_by_all_who_listen_whoever_led_to_them() {
    let server = Server::start(&["--events", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]);
    let mut hearer = Client::new(TcpStream::connect(server.events.as_ref().unwrap()).unwrap());
    server.until("the hearer", |server| server.metric("terrace_connections{kind=\"events\"}") == Some(1.0));
    let (mut orders, mut feed) = (server.connect(), server.connect());
    orders.send(&[USDT, BTC].join("\n"));
    orders.ask(&deposit(1));
    let isolated = r#"{"op":"margin_mode","account":1,"symbol":"BTC","mode":"isolated"}"#;
    let fill = r#"{"op":"fill","account":1,"symbol":"BTC","side":"buy","qty":"1","price":"50000"}"#;
    orders.send(isolated);
    assert_eq!(orders.ask(&acked(fill))["ev"], "ok");
    feed.send(r#"{"op":"mark","symbol":"BTC","price":"49700"}"#);
    assert_eq!(feed.hear()["ev"], "liquidation_started");
    let heard: Vec<Value> = std::iter::repeat_with(|| hearer.hear()).take(3).collect();
    let names: Vec<&str> = heard.iter().map(|event| event["ev"].as_str().unwrap()).collect();
    assert_eq!(names[..2], ["liquidation_started", "liquidation_order"], "{heard:?}");
    assert!(server.stop().success());
    assert!(hearer.rest().iter().all(|event| event["ev"] != "ok"));
}

#[test]
fn what_waited_too_long_is_busy_and_can_be_sent_again() {
    let server = Server::start(&["--busy-after", "0", "--metrics", "127.0.0.1:0"]);
    let mut client = server.connect();
    client.send(&[USDT, BTC].join("\n"));
    assert_eq!(client.ask(&deposit(1))["ev"], "ok", "what has happened is never refused");
    let order = r#"{"op":"order","account":1,"order":1,"symbol":"BTC","side":"buy","qty":"0.001","price":"50000","source":"a","client_seq":1}"#;
    let refused = client.ask(order);
    assert_eq!((&refused["ev"], &refused["code"], &refused["seq"]), (&json!("rejected"), &json!("busy"), &json!(4)));
    assert_eq!(client.ask(&deposit(2))["seq"], 5, "it had a number");
    assert!(client.ask(r#"{"op":"get","what":"account","account":1}"#)["orders"].as_array().unwrap().is_empty());
    assert_eq!(server.metric("terrace_lines_total{op=\"order\",outcome=\"busy\"}"), Some(1.0));
    assert!(server.stop().success());
}

#[test]
fn ticks_that_are_left_out_are_answered_and_the_last_one_counts() {
    let server = Server::start(&["--conflate-from", "1", "--metrics", "127.0.0.1:0"]);
    let mut client = server.connect();
    client.send(&[USDT, BTC].join("\n"));
    client.ask(&deposit(1));
    let ticks: Vec<String> = (0..5000_u64)
        .map(|n| acked(&format!(r#"{{"op":"mark","symbol":"BTC","price":"{}"}}"#, 50_000 + n * 7919 % 1000)))
        .collect();
    client.send(&ticks.join("\n"));
    let answers: Vec<Value> = std::iter::repeat_with(|| client.hear()).take(ticks.len()).collect();
    assert!(answers.iter().all(|answer| answer["ev"] == "ok"), "each is answered");
    assert!(numbers(&answers).is_sorted());
    let left_out = answers.iter().filter(|answer| answer["conflated"] == true).count();
    assert_eq!(server.metric("terrace_conflated_ticks_total"), Some(left_out as f64));
    let instrument = client.ask(r#"{"op":"get","what":"instrument","symbol":"BTC"}"#);
    assert_eq!(instrument["mark"], (50_000 + 4999 * 7919 % 1000).to_string());
    assert!(server.stop().success());
}

#[test]
fn the_kernel_is_told_the_time() {
    let server = Server::start(&["--heartbeat", "5", "--metrics", "127.0.0.1:0"]);
    server.until("time", |server| server.metric("terrace_lines_total{op=\"time\",outcome=\"ok\"}") >= Some(3.0));
    // A time that has not come would hold for ever.
    let mut client = server.connect();
    for ts in ["18446744073709551615", "9223372036854775808"] {
        assert_eq!(client.ask(&format!(r#"{{"op":"get","what":"totals","ts":{ts}}}"#))["code"], "bad_value");
    }
    let told = server.metric("terrace_lines_total{op=\"time\",outcome=\"ok\"}").expect("it was told");
    server.until("time", |server| server.metric("terrace_lines_total{op=\"time\",outcome=\"ok\"}") >= Some(told + 3.0));
    assert!(server.stop().success());
}

/// A journal, a kill at any moment, and a restart: what was answered is there, and who asks again gets the first answer.
#[test]
fn a_kill_loses_nothing_that_was_answered() {
    let journal = TempDir::new().unwrap();
    let flags = ["--journal", journal.path().to_str().unwrap()];
    let line = |n: u64| {
        format!(
            r#"{{"op":"deposit","account":1,"asset":"USDT","amount":"1","source":"a","client_seq":{n},"ack":true}}"#
        )
    };
    let mut server = Server::start(&flags);
    let mut client = server.connect();
    assert_eq!(client.ask(&acked(USDT))["seq"], 1);
    let (mut answered, mut sent) = (0, 0);
    for round in 0..4 {
        // Sends ahead of the answers, and is killed with some under way.
        let mut client = server.connect();
        for n in answered + 1..=answered + 300 {
            client.send(&line(n));
            sent = sent.max(n);
        }
        for n in answered + 1..=answered + 100 + round * 30 {
            let answer = client.hear();
            assert_eq!((&answer["ev"], &answer["client_seq"]), (&json!("ok"), &json!(n)));
        }
        answered += 100 + round * 30;
        server.child.kill().unwrap(); // SIGKILL
        server.child.wait().unwrap();
        server = Server::start(&flags);
    }
    let mut client = server.connect();
    let first = client.ask(&line(1));
    assert_eq!(first["seq"], 2, "the first answer: {first}");
    let balance = |client: &mut Client| -> u64 {
        let answer = client.ask(r#"{"op":"get","what":"account","account":1}"#);
        answer["balances"]["USDT"].as_str().unwrap().parse().unwrap()
    };
    let found = balance(&mut client);
    assert!((answered..=sent).contains(&found), "{found} of {answered} answered and {sent} sent");
    for n in answered + 1..=sent {
        assert_eq!(client.ask(&line(n))["ev"], "ok");
    }
    assert_eq!(balance(&mut client), sent, "nothing lost, nothing twice");
    assert!(server.stop().success());
}

#[test]
fn metrics_and_health_are_shown_and_bad_requests_told() {
    let server = Server::start(&["--metrics", "127.0.0.1:0"]);
    let mut client = server.connect();
    client.send(USDT);
    for account in 1..=5 {
        client.ask(&deposit(account));
    }
    assert_eq!(client.ask(r#"{"op":"fund_deposit","fund":"USDT","amount":"12.5"}"#)["ev"], "fund");
    assert_eq!(client.ask("nonsense")["ev"], "rejected");
    assert_eq!(server.metric("terrace_lines_total{op=\"deposit\",outcome=\"ok\"}"), Some(5.0));
    assert_eq!(server.metric("terrace_lines_total{op=\"other\",outcome=\"malformed\"}"), Some(1.0));
    assert_eq!(server.metric("terrace_answer_seconds_count"), Some(8.0));
    assert_eq!(server.metric("terrace_connections{kind=\"lines\"}"), Some(1.0));
    server.until("the fund", |server| server.metric("terrace_fund_balance{fund=\"USDT\"}") == Some(12.5));
    assert_eq!(server.get("/health"), ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned()));
    assert!(server.get("/nothing").0.contains(" 404 "));
    assert!(server.request(b"nonsense\r\n\r\n").0.contains(" 400 "));
    assert!(server.request(&vec![b'x'; 9_000]).0.contains(" 400 "));
    assert!(server.request(b"POST /metrics HTTP/1.1\r\n\r\n").0.contains(" 405 "));
    assert_eq!(client.ask(&deposit(6))["ev"], "ok");
    assert!(server.stop().success());
}

#[test]
fn a_silent_feed_is_told_to_the_kernel_which_holds_the_instrument_in() {
    let journal = TempDir::new().unwrap();
    let journal = journal.path().to_str().unwrap();
    let flags =
        ["--metrics", "127.0.0.1:0", "--journal", journal, "--silent-after", "200", "--on", "silent_feed=cancel_only"];
    let server = Server::start(&flags);
    let mut client = server.connect();
    client.send(&[USDT, BTC, r#"{"op":"mark","symbol":"BTC","price":"50000"}"#].join("\n"));
    client.ask(&deposit(1));
    // What is refused is no price, and what is of nothing that there is takes nobody's place.
    server.until("silence", |server| {
        let _ = server.connect().ask(r#"{"op":"mark","symbol":"BTC","price":"garbage"}"#);
        server.get("/health").1.starts_with("silent_feed BTC for ")
    });
    let order = r#"{"op":"order","account":1,"order":1,"symbol":"BTC","side":"buy","qty":"0.001","price":"50000"}"#;
    let began = Instant::now();
    while client.ask(r#"{"op":"get","what":"health"}"#)["states"][0]["mode"] != "cancel_only" {
        assert!(began.elapsed() < PATIENCE);
    }
    assert_eq!(client.ask(order)["code"], "halted");
    drop(client);
    assert!(server.stop().success());
    let printed = Command::new(env!("CARGO_BIN_EXE_terrace")).args(["journal", "print", journal]).output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(
        printed.contains(r#""state":"silent_feed","symbol":"BTC","active":true,"mode":"cancel_only""#),
        "{printed}"
    );
    // After a restart it is silent until a price comes.
    let server = Server::start(&flags);
    let mut client = server.connect();
    assert_eq!(client.ask(order)["code"], "halted");
    let until = Instant::now() + PATIENCE;
    loop {
        client.send(r#"{"op":"mark","symbol":"BTC","price":"50000"}"#);
        if client.ask(r#"{"op":"get","what":"health"}"#)["states"].is_null() {
            break;
        }
        assert!(Instant::now() < until);
    }
    server.until("health", |server| server.get("/health").1 == "ok\n");
    assert!(server.stop().success());
}

/// A standby that is killed is behind as soon as the primary has gone on; one that ends in good order leaves nothing behind.
#[test]
fn a_standby_that_falls_behind_is_told_to_the_kernel() {
    let journal = TempDir::new().unwrap();
    let journal = journal.path().to_str().unwrap();
    let standby = || {
        let mut standby = Command::new(env!("CARGO_BIN_EXE_terrace"));
        let standby = standby.args(["standby", journal]).stdin(Stdio::piped()).stdout(Stdio::piped());
        KilledAtTheEnd(standby.spawn().expect("the program starts"))
    };
    let flags = ["--metrics", "127.0.0.1:0", "--journal", journal, "--behind-at", "100"];
    let flags = [&flags[..], &["--on", "standby_behind=reduce_only"]].concat();
    let server = Server::start(&flags);
    let mut client = server.connect();
    assert_eq!(client.ask(&acked(USDT))["seq"], 1);
    let behind = |server: &Server| server.metric("terrace_standby_behind_places");
    assert_eq!(behind(&server), None, "nobody follows");
    let mut first = standby();
    server.until("a standby", |server| behind(server) == Some(0.0));
    assert_eq!(server.get("/health").1, "ok\n");
    first.0.kill().unwrap();
    first.0.wait().unwrap();
    let mut deposits = |accounts: std::ops::RangeInclusive<u64>| {
        accounts.for_each(|account| assert_eq!(client.ask(&deposit(account))["ev"], "ok"));
    };
    deposits(1..=10);
    server.until("what it lacks", |server| behind(server).is_some_and(|places| (10.0..100.0).contains(&places)));
    assert_eq!(server.get("/health").1, "ok\n");
    deposits(11..=110);
    server.until("the bound", |server| server.get("/health").1.starts_with("standby_behind for "));
    let began = Instant::now();
    while client.ask(r#"{"op":"get","what":"health"}"#)["states"][0]["mode"] != "reduce_only" {
        assert!(began.elapsed() < PATIENCE);
    }
    // It holds over a restart, in which nothing is known of the standby but its file.
    drop(client);
    assert!(server.stop().success());
    let server = Server::start(&flags);
    server.until("the bound", |server| server.get("/health").1.starts_with("standby_behind for "));
    let states = [r#""standby_behind","active":true"#, r#""standby_behind","active":false"#];
    let told = || {
        let printed = Command::new(env!("CARGO_BIN_EXE_terrace")).args(["journal", "print", journal]).output().unwrap();
        let printed = String::from_utf8(printed.stdout).unwrap();
        states.map(|state| printed.matches(state).count())
    };
    assert_eq!(told(), [1, 0]);
    std::fs::remove_file(Path::new(journal).join("standby")).unwrap();
    server.until("that none is meant to be there", |server| server.get("/health").1 == "ok\n");
    let (mut second, mut third) = (standby(), standby());
    server.until("others", |server| behind(server) == Some(0.0));
    drop(second.0.stdin.take());
    assert!(second.0.wait().unwrap().success());
    server.until("the other one", |server| behind(server) == Some(0.0));
    let id = third.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(third.0.wait().unwrap().success(), "it ends in good order");
    server.until("its end", |server| behind(server).is_none());
    assert!(!Path::new(journal).join("standby").exists());
    assert!(server.stop().success());
}

/// A server that stands by serves in the place of the one that was killed: nothing answered is lost, repeats are known, and it ends in good order.
#[test]
fn a_server_that_stands_by_serves_when_the_first_is_killed() {
    let journal = TempDir::new().unwrap();
    let directory = journal.path().to_str().unwrap();
    let mut first = Server::start(&["--journal", directory]);
    let mut client = first.connect();
    assert_eq!(client.ask(&acked(USDT))["seq"], 1);
    let numbered = |n: u64| {
        format!(
            r#"{{"op":"deposit","account":1,"asset":"USDT","amount":"1","source":"a","client_seq":{n},"ack":true}}"#
        )
    };
    let standby = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_terrace"));
        let standby = command.args(["serve", "--standby", "--journal", directory, "--listen", "127.0.0.1:0"]);
        KilledAtTheEnd(standby.stdout(Stdio::piped()).spawn().expect("the program starts"))
    };
    let mut second = standby();
    (1..=100).for_each(|n| assert_eq!(client.ask(&numbered(n))["ev"], "ok"));
    first.child.kill().unwrap(); // SIGKILL
    first.child.wait().unwrap();
    let mut told = String::new();
    BufReader::new(second.0.stdout.as_mut().unwrap()).read_line(&mut told).unwrap();
    let address = told.strip_prefix("lines at ").expect("where it serves").trim_end().to_owned();
    let mut client = Client::new(TcpStream::connect(&address).unwrap());
    assert_eq!(client.ask(&numbered(100))["seq"], 101, "the first answer");
    assert_eq!(client.ask(&numbered(101))["seq"], 103);
    let answer = client.ask(r#"{"op":"get","what":"account","account":1}"#);
    assert_eq!(answer["balances"]["USDT"], "101");
    let mut third = standby();
    let end = |child: &mut Child| {
        assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
        assert!(child.wait().unwrap().success(), "it ends in good order");
    };
    let began = Instant::now();
    while !journal.path().join("standby").exists() {
        assert!(began.elapsed() < PATIENCE);
    }
    end(&mut third.0);
    drop(client);
    end(&mut second.0);
    assert!(!journal.path().join("standby").exists());
}

#[test]
fn a_venue_that_does_not_answer_is_told_to_the_kernel() {
    let flags = ["--metrics", "127.0.0.1:0", "--unanswered-after", "100", "--on", "silent_venue=cancel_only"];
    let server = Server::start(&flags);
    let mut client = server.connect();
    client.send(
        &[USDT, BTC, r#"{"op":"venue","mode":"manual"}"#, r#"{"op":"mark","symbol":"BTC","price":"1000"}"#].join("\n"),
    );
    client.send(r#"{"op":"deposit","account":1,"asset":"USDT","amount":"20"}"#);
    client.send(r#"{"op":"fill","account":1,"symbol":"BTC","side":"buy","qty":"1","price":"1000"}"#);
    assert_eq!(client.ask(r#"{"op":"mark","symbol":"BTC","price":"984"}"#)["ev"], "liquidation_started");
    assert_eq!(client.hear()["ev"], "liquidation_order");
    server.until("silence", |server| server.get("/health").1.starts_with("silent_venue for "));
    let states = |client: &mut Client| client.ask(r#"{"op":"get","what":"health"}"#)["states"].clone();
    let began = Instant::now();
    while states(&mut client)[0]["mode"] != "cancel_only" {
        assert!(began.elapsed() < PATIENCE);
    }
    assert_eq!(client.ask(r#"{"op":"liq_fill","liquidation":1,"qty":"1","price":"984"}"#)["ev"], "liquidation_fill");
    server.until("its answer", |server| server.get("/health").1 == "ok\n");
    drop(client);
    assert!(server.stop().success());
}

/// Who does not read its answers is carried out no further, and its lines pile up to their bound.
#[test]
fn lines_that_pile_up_are_told_to_the_kernel() {
    let server = Server::start(&["--metrics", "127.0.0.1:0", "--queue", "100", "--full-at", "80"]);
    let mut client = server.connect();
    let stream = client.stream.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        let mut stream = stream;
        let line = format!("{}\n", r#"{"op":"get","what":"totals"}"#);
        // More than is answered before its reader is waited for: the socket holds some of it too.
        (0..400_000).take_while(|_| stream.write_all(line.as_bytes()).is_ok()).count()
    });
    server.until("the bound", |server| server.get("/health").1.starts_with("queue_near_full for "));
    let mut other = server.connect();
    let told = other.ask(r#"{"op":"get","what":"health"}"#);
    assert!(told["states"].to_string().contains("queue_near_full"), "{told}");
    let mut heard = 0;
    while !writer.is_finished() || heard < 1 {
        client.hear();
        heard += 1;
    }
    let sent = writer.join().unwrap();
    (heard..sent).for_each(|_| drop(client.hear()));
    server.until("that they are gone", |server| server.get("/health").1 == "ok\n");
    assert!(server.stop().success());
}

struct KilledAtTheEnd(Child);

impl Drop for KilledAtTheEnd {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may have ended
        let _ = self.0.wait();
    }
}

#[test]
fn a_replay_shows_its_progress_and_events() {
    let replay = Server::replay(&["--accounts", "2000", "--driver", "inline", "--speed", "20x"]);
    let metric = |name: &str| replay.metric(name).unwrap_or(0.0);
    replay.until("a liquidation", |replay| {
        replay.metric("terrace_events_total{event=\"liquidation_order\"}").is_some_and(|count| count > 0.0)
    });
    let (done, all) = (metric("terrace_replay_rows_total"), metric("terrace_replay_rows"));
    assert!(0.0 < done && done <= all, "{done} of {all} rows");
    assert_eq!(replay.get("/metrics").0, "HTTP/1.1 200 OK");
    assert_eq!(replay.get("/other").0, "HTTP/1.1 404 Not Found");
}
