//! Real processes: a standby takes over from a primary that is killed at random moments under load, or only stopped; nothing that was
//! acknowledged is lost, nothing is done twice, and who was stopped finds that it is fenced.

#[path = "script/dice.rs"]
mod dice;

use dice::Dice;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Nothing here takes so long, unless it never comes.
const DEADLINE: Duration = Duration::from_secs(60);

/// A process, what it answers, and what it says beside.
struct Process {
    child: Child,
    input: Option<ChildStdin>,
    answers: Receiver<String>,
    said: Receiver<String>,
}

impl Process {
    fn start(arguments: &[&str], directory: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_terrace"));
        command.args(arguments).arg(directory).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let lines = |input: Box<dyn Read + Send>, lines: Sender<String>| {
            std::thread::spawn(move || {
                for line in BufReader::new(input).lines().map_while(Result::ok) {
                    if lines.send(line).is_err() {
                        return;
                    }
                }
            });
        };
        let (to_answers, answers) = channel();
        lines(Box::new(child.stdout.take().expect("a pipe")), to_answers);
        let (to_said, said) = channel();
        lines(Box::new(child.stderr.take().expect("a pipe")), to_said);
        Self { input: child.stdin.take(), child, answers, said }
    }

    fn primary(directory: &Path) -> Self {
        Self::start(&["exec", "-", "--durability", "sync", "--journal"], directory)
    }

    /// One that has opened the journal.
    fn standby(directory: &Path) -> Self {
        let mut standby = Self::start(&["standby", "--takes-over"], directory);
        standby.send("{\"op\":\"get\",\"what\":\"totals\"}\n");
        let answer = standby.answer();
        assert_eq!(answer["ev"], "totals", "{answer}");
        standby
    }

    fn send(&mut self, lines: &str) {
        let _ = self.input.as_mut().expect("open").write_all(lines.as_bytes()); // it may have been killed
    }

    fn answer(&self) -> Value {
        let line = self.answers.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("no answer; it said {}", self.rest()));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// What it said beside its answers, and was not waited for.
    fn rest(&self) -> String {
        self.said.try_iter().collect::<Vec<_>>().join("\n")
    }

    fn wait_for(&self, what: &str) {
        let begin = Instant::now();
        let mut all = String::new();
        while begin.elapsed() < DEADLINE {
            match self.said.recv_timeout(DEADLINE) {
                Ok(line) if line.contains(what) => return,
                Ok(line) => writeln!(all, "{line}").expect("into memory"),
                Err(_) => break,
            }
        }
        panic!("it never said {what:?}, but\n{all}");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("there is a kill").success(), "{signal}");
    }

    /// The end of its input, and its own; all that it still answers and says.
    fn end(mut self) -> (ExitStatus, Vec<Value>, String) {
        self.input = None;
        let answers = self.answers.iter().filter_map(|line| serde_json::from_str(&line).ok()).collect();
        let said = self.said.iter().collect::<Vec<_>>().join("\n");
        (self.child.wait().expect("it ends"), answers, said)
    }
}

/// The `n`-th line of a source: after the first ones a payment of 1 each.
fn load(n: usize) -> String {
    let head = format!("\"source\":\"s\",\"client_seq\":{n},\"ack\":true}}\n");
    match n {
        1 => format!("{{\"op\":\"asset\",\"asset\":\"USDT\",\"decimals\":2,{head}"),
        _ => format!("{{\"op\":\"deposit\",\"account\":{},\"asset\":\"USDT\",\"amount\":\"1\",{head}", n % 7),
    }
}

/// The numbers that the session gave to the lines that were acknowledged, by their numbers of the source.
#[derive(Default)]
struct Acknowledged(Vec<u64>);

impl Acknowledged {
    /// Takes an answer in, which must be the first time or the same again.
    fn take(&mut self, answer: &Value) {
        assert_eq!(answer["ev"], "ok", "{answer}");
        let (n, seq) = (answer["client_seq"].as_u64().unwrap() as usize, answer["seq"].as_u64().unwrap());
        assert!(n <= self.0.len() + 1, "in order: {answer}");
        if n == self.0.len() + 1 {
            self.0.push(seq);
        }
        assert_eq!(self.0[n - 1], seq, "a repeat gets its first answer");
    }
}

/// Whether the end has everything once: the sum of all payments, and the journal as recorded.
fn check_end(primary: Process, payments: usize, directory: &Path) {
    let mut primary = primary;
    primary.send("{\"op\":\"get\",\"what\":\"totals\"}\n");
    let (status, answers, said) = primary.end();
    assert!(status.success(), "{said}");
    let totals = &answers.last().expect("an answer")["assets"]["USDT"];
    assert_eq!(totals["deposits"], payments.to_string(), "nothing lost, nothing done twice: {totals}");
    assert_eq!(totals["difference"], "0");
    let mut verify = Command::new(env!("CARGO_BIN_EXE_terrace"));
    let verified = verify.args(["journal", "verify"]).arg(directory).output().expect("the program starts");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

/// Kills over one journal, all of which every standby goes through.
const KILLS: u64 = 20;

/// The primary is killed at any moment under load, again and again, and its standby goes on each time. `TERRACE_KILLS` asks for more; how long it takes
/// from the kill to the first acknowledgement of the new primary is told.
#[test]
fn a_kill_at_any_moment_is_gone_on_with_by_the_standby() {
    let all: u64 = std::env::var("TERRACE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let (mut left, mut acknowledged, mut took) = (all, 0, Vec::new());
    let mut dice = Dice(11);
    while left > 0 {
        let kills = left.min(KILLS);
        acknowledged += kill_and_take_over(kills, &mut dice, &mut took);
        left -= kills;
    }
    took.sort();
    let at = |part: usize| took[((took.len() - 1) * part).div_ceil(100)].as_secs_f64() * 1e3;
    println!(
        "{all} kills, {acknowledged} lines acknowledged, 0 lost, 0 repeated; from the kill to the first acknowledgement p50 {:.1} ms, p99 {:.1} ms",
        at(50),
        at(99)
    );
}

/// So many kills over one journal; how many lines were acknowledged, and how long each took from there to the first acknowledgement.
fn kill_and_take_over(kills: u64, dice: &mut Dice, took: &mut Vec<Duration>) -> usize {
    let home = TempDir::new().unwrap();
    let mut acknowledged = Acknowledged::default();
    let mut primary = Process::primary(home.path());
    primary.send(&load(1));
    acknowledged.take(&primary.answer());
    let mut sent = 1;
    for _ in 0..kills {
        let mut standby = Process::standby(home.path());
        // From a line on that may be acknowledged already, more than it can do until it is killed.
        let from = acknowledged.0.len() + 1 - (dice.below(4) as usize).min(acknowledged.0.len());
        sent = acknowledged.0.len() + 200_000;
        let mut input = primary.input.take().expect("open");
        let feeder = std::thread::spawn(move || {
            for n in from..=sent {
                if input.write_all(load(n).as_bytes()).is_err() {
                    return; // it was killed
                }
            }
        });
        let until = Instant::now() + Duration::from_micros(1_000 + dice.below(40_000));
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if let Ok(line) = primary.answers.recv_timeout(left) {
                acknowledged.take(&serde_json::from_str(&line).unwrap());
            }
        }
        primary.signal("-KILL");
        let killed = Instant::now();
        feeder.join().unwrap();
        for line in primary.answers.iter() {
            let Ok(answer) = serde_json::from_str(&line) else { break }; // killed while it told
            acknowledged.take(&answer);
        }
        primary.child.wait().unwrap();
        standby.wait_for("taken over");
        let next = acknowledged.0.len() + 1;
        standby.send(&load(next));
        acknowledged.take(&standby.answer());
        took.push(killed.elapsed());
        primary = standby;
    }
    let told = acknowledged.0.len();
    // Everything that any of them may have kept and not told, and not more.
    let next = acknowledged.0.len() + 1;
    let to = sent.min(next + 8_000);
    primary.send(&(next..=to).map(load).collect::<String>());
    (next..=to).for_each(|_| acknowledged.take(&primary.answer()));
    check_end(primary, to - 1, home.path());
    told
}

/// The primary is stopped, and goes on when another has taken over.
#[test]
fn who_was_stopped_finds_that_it_is_fenced() {
    let home = TempDir::new().unwrap();
    let mut acknowledged = Acknowledged::default();
    let mut old = Process::primary(home.path());
    for n in 1..=20 {
        old.send(&load(n));
        acknowledged.take(&old.answer());
    }
    let mut new = Process::standby(home.path());
    // A plain start is refused as long as the old one is there.
    let (status, _, said) = Process::primary(home.path()).end();
    assert!(!status.success() && said.contains("another process writes this journal"), "{said}");
    // Stopped with lines before it, of which it may have written some.
    old.send(&(21..=400).map(load).collect::<String>());
    old.signal("-STOP");
    new.send("{\"op\":\"take_over\"}\n");
    new.wait_for("taken over");
    new.send(&load(21));
    acknowledged.take(&new.answer());
    old.signal("-CONT");
    old.send(&(401..=500).map(load).collect::<String>());
    let (status, told, said) = old.end();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("fenced") && said.contains("has taken it over with term 2"), "{said}");
    // What it told, before or after, the new one has as the same line.
    new.send(&(22..=500).map(load).collect::<String>());
    (22..=500).for_each(|_| acknowledged.take(&new.answer()));
    told.iter().for_each(|answer| acknowledged.take(answer));
    // The new one has the lock, though the old one had it.
    let (status, _, said) = Process::primary(home.path()).end();
    assert!(!status.success() && said.contains("another process writes this journal"), "{said}");
    check_end(new, 499, home.path());
}

/// Whoever follows answers what it has followed, and nothing else; without being asked to it takes nothing over.
#[test]
fn a_standby_answers_while_it_follows() {
    let home = TempDir::new().unwrap();
    let missing = Process::start(&["standby"], &home.path().join("missing"));
    let (status, _, said) = missing.end();
    assert!(!status.success() && said.contains("missing: cannot be listed"), "{said}");
    let mut primary = Process::primary(home.path());
    primary.send(&load(1));
    primary.answer();
    let mut standby = Process::start(&["standby"], home.path());
    primary.send(&load(2));
    primary.answer();
    let begin = Instant::now();
    loop {
        standby.send("{\"op\":\"get\",\"what\":\"account\",\"account\":2}\n");
        let answer = standby.answer();
        if answer["ev"] == "account" {
            assert_eq!(answer["balances"]["USDT"], "1", "{answer}");
            break;
        }
        assert_eq!(answer["code"], "unknown_account", "it is not so far yet: {answer}");
        assert!(begin.elapsed() < DEADLINE, "it never comes so far");
    }
    for line in ["{\"op\":\"take_over\"}\n", &load(3)] {
        standby.send(line);
        assert_eq!(standby.answer()["code"], "halted");
    }
    let (status, _, said) = primary.end();
    assert!(status.success(), "{said}");
    let (status, _, said) = standby.end();
    assert!(status.success() && !said.contains("taken over"), "{said}");
}
