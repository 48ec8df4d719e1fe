//! A script of the command language on threads, in lockstep: every line is done, with all that follows from it, before
//! the next is read, so that the log is that of the inline kernel.
//!
//! `lockstep SCRIPT [WORKERS] [spin|yield|park]` prints the log; without a script it runs one of its own.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use terrace::engine::{Engine, EngineSettings, Layout, Pinning, Shape};
use terrace::protocol::Session;
use terrace::{Kernel, Settings, Wait};

const OWN: &str = r#"{"op":"asset","asset":"USDT","decimals":8}
{"op":"instrument","symbol":"BTCUSDT","kind":"linear_perp","underlying":"BTC","settle":"USDT","tick":"0.1","lot":"0.001","tiers":[{"cap":"150000","mmr":"0.004","max_leverage":125}]}
{"op":"deposit","account":1,"asset":"USDT","amount":"1000"}
{"op":"leverage","account":1,"symbol":"BTCUSDT","leverage":10}
{"op":"fill","account":1,"symbol":"BTCUSDT","side":"buy","qty":"0.1","price":"100000"}
{"op":"withdraw","account":1,"asset":"USDT","amount":"1"}
{"op":"mark","symbol":"BTCUSDT","price":"90361.4"}
"#;

/// Runs a script; the log goes to `out`.
fn run(script: impl BufRead, layout: Layout, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let shape = Shape::choose(&layout)?;
    eprintln!("{shape}");
    // One shard for each worker.
    let kernel = Kernel::new(Settings { shards: shape.workers, ..Settings::default() });
    let engine = Engine::start_shaped(kernel, &EngineSettings { layout, ..EngineSettings::default() }, &shape)?;
    let mut session = Session::over(engine);
    let mut answer = String::new();
    for line in script.split(b'\n') {
        answer.clear();
        // A refusal has its line in the answer; the script goes on.
        let _ = session.line(&line?, &mut answer);
        out.write_all(answer.as_bytes())?;
    }
    out.flush()?;
    match session.into_kernel().stop().failure {
        Some(failure) => Err(failure.into()),
        None => Ok(()),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let workers = words.get(1).map(|word| word.parse()).transpose()?;
    let wait = words.get(2).map(|word| word.parse::<Wait>()).transpose()?;
    let layout = Layout { workers, wait, apart: None, pinning: Pinning::Off };
    let mut out = std::io::BufWriter::new(std::io::stdout());
    match words.first() {
        Some(script) => run(BufReader::new(std::fs::File::open(script)?), layout, &mut out),
        None => run(OWN.as_bytes(), layout, &mut out),
    }
}

#[test]
fn the_log_is_that_of_the_inline_kernel() {
    let mut inline = Session::new(Settings::default());
    let mut expected = String::new();
    for line in OWN.lines() {
        let _ = inline.line(line.as_bytes(), &mut expected);
    }
    for wait in [Wait::Yield, Wait::Park] {
        for workers in [1, 2] {
            let mut log = Vec::new();
            let layout = Layout { workers: Some(workers), wait: Some(wait), apart: None, pinning: Pinning::Off };
            run(OWN.as_bytes(), layout, &mut log).unwrap();
            assert_eq!(String::from_utf8(log).unwrap(), expected);
        }
    }
}
