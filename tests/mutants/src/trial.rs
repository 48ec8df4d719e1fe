//! Tries mutants: each in processes of its own, test program after test program, until one is red.

use crate::library::{CHOSEN, REACHED};
use crate::list::Mutant;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A test program.
#[derive(Clone, Debug)]
pub struct Program {
    pub name: String,
    pub file: PathBuf,
    /// What it takes without a mutant.
    pub takes: Duration,
    /// The mutants that it comes to.
    pub reaches: HashSet<u32>,
}

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This program was red.
    Killed(String),
    /// This program went on for far longer than without it.
    TimedOut(String),
    Survived,
    /// No program comes to it.
    NotReached,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed(by) => write!(f, "killed\t{by}"),
            Self::TimedOut(by) => write!(f, "timed out\t{by}"),
            Self::Survived => f.write_str("survived\t"),
            Self::NotReached => f.write_str("not reached\t"),
        }
    }
}

/// A program without a mutant takes no longer.
const LONGEST: Duration = Duration::from_secs(600);

enum Ended {
    Green,
    Red,
    Late,
}

/// Runs a program until it ends, a test fails, or the time is up.
fn run(program: &Program, tree: &Path, (name, value): (&str, &OsStr), limit: Duration) -> std::io::Result<Ended> {
    let mut command = Command::new(&program.file);
    command.current_dir(tree).env("RUST_TEST_THREADS", "1").env("RUST_BACKTRACE", "0").env(name, value);
    command.process_group(0); // it may have started others
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let Some(output) = child.stdout.take() else { return end(&mut child, Ended::Red) };
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let red = line.ends_with(b"FAILED");
            if sender.send(red).is_err() || red {
                return;
            }
        }
    });
    let until = Instant::now() + limit;
    loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(false) => {}
            Ok(true) => return end(&mut child, Ended::Red),
            Err(RecvTimeoutError::Timeout) => return end(&mut child, Ended::Late),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    while child.try_wait()?.is_none() {
        if Instant::now() > until {
            return end(&mut child, Ended::Late);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(if child.wait()?.success() { Ended::Green } else { Ended::Red })
}

fn end(child: &mut Child, ended: Ended) -> std::io::Result<Ended> {
    Command::new("kill").args(["-9", "--", &format!("-{}", child.id())]).status()?;
    child.wait()?;
    Ok(ended)
}

/// Runs a program without any mutant, and notes to which it comes; none if it is red by itself.
pub fn without(mut program: Program, tree: &Path, room: &Path) -> std::io::Result<Option<Program>> {
    let reached = std::path::absolute(room.join(format!("reached-{}", program.name)))?;
    std::fs::write(&reached, "")?;
    run(&program, tree, (REACHED, reached.as_os_str()), LONGEST)?;
    program.reaches = std::fs::read_to_string(&reached)?.lines().filter_map(|line| line.parse().ok()).collect();
    let begun = Instant::now();
    let ended = run(&program, tree, (CHOSEN, OsStr::new("none")), LONGEST)?;
    program.takes = begun.elapsed();
    Ok(matches!(ended, Ended::Green).then_some(program))
}

/// Tries one.
pub fn try_one(mutant: &Mutant, programs: &[Program], tree: &Path) -> std::io::Result<Outcome> {
    let (mut reached, number) = (false, mutant.number.to_string());
    for program in programs.iter().filter(|program| program.reaches.contains(&mutant.number)) {
        reached = true;
        let limit = program.takes * 5 + Duration::from_secs(5);
        match run(program, tree, (CHOSEN, OsStr::new(&number)), limit)? {
            Ended::Green => {}
            Ended::Red => return Ok(Outcome::Killed(program.name.clone())),
            Ended::Late => return Ok(Outcome::TimedOut(program.name.clone())),
        }
    }
    Ok(if reached { Outcome::Survived } else { Outcome::NotReached })
}

/// Tries them all, so many at a time, and tells what became of each as soon as it is known.
pub fn try_all(
    mutants: &[&Mutant],
    programs: &[Program],
    tree: &Path,
    at_once: usize,
    mut tell: impl FnMut(&Mutant, Outcome) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let next = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let (sender, told) = channel();
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            let (sender, next, stopped) = (sender.clone(), &next, &stopped);
            scope.spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
                    if sender.send((*mutant, try_one(mutant, programs, tree))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (mutant, outcome) in &told {
            if let Err(error) = outcome.and_then(|outcome| tell(mutant, outcome)) {
                stopped.store(true, Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(())
    })
}
