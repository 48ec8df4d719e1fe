//! How long does a settlement of funding keep a tick waiting?
//!
//! 1 000 000 accounts, each with a position in the instrument that is settled (`TERRACE_BENCH_ACCOUNTS` sets another number), are booked piece by piece;
//! between any two pieces a tick of another instrument could be carried out, so a tick waits for one piece at most. Timed:
//! the order of the settlement, every piece by itself, its end, and all of it.

mod world;

use hdrhistogram::Histogram;
use std::time::{Duration, Instant};
use terrace::command::{Command, OffGrid};
use terrace::market::InstrumentId;
use world::{START, World, accounts};

const ROUNDS: usize = 5;

/// All accounts hold the first instrument.
fn world() -> World {
    let mut world = World::with_room(accounts(), 0, accounts());
    for pair in 0..world.accounts / 2 {
        let mut fill = world.fill(pair, 0, 100, 0);
        fill.instrument = InstrumentId(0);
        world.kernel.apply(&Command::Fill(fill)).unwrap();
    }
    world
}

fn main() {
    let mut world = world();
    let kernel = &mut world.kernel;
    println!("{} accounts with a position each", accounts());
    for round in 0..ROUNDS {
        let rate_ppb = if round % 2 == 0 { 100_000 } else { -100_000 };
        let (mut pieces, mut ticks, mut idle) = (histogram(), histogram(), histogram());
        let start = Instant::now();
        kernel.admit_at(None, &Command::Funding { instrument: InstrumentId(0), rate_ppb }, OffGrid::NONE).unwrap();
        kernel.decide_input();
        let ordered = start.elapsed();
        let mut booking = Duration::ZERO;
        let mut last = Duration::ZERO;
        let mut tick = 0;
        loop {
            let before = Instant::now();
            let between = Instant::now();
            if !kernel.book_piece() {
                break;
            }
            last = between.elapsed();
            booking += last;
            pieces.record(last.as_nanos() as u64).unwrap();
            idle.record((between - before).as_nanos() as u64).unwrap();
            tick += 1;
            let mark = Command::Mark { instrument: InstrumentId(1 + tick % 400), price: START + i64::from(tick % 3) };
            let before = Instant::now();
            kernel.admit_at(None, &mark, OffGrid::NONE).unwrap();
            kernel.decide_input();
            ticks.record(before.elapsed().as_nanos() as u64).unwrap();
        }
        println!(
            "round {}: ordered in {:.1} µs; {} pieces, all in {:.1} ms; a piece {}; the last {:.1} µs; a tick in between {}; nothing {}",
            round + 1,
            micros(ordered),
            pieces.len(),
            micros(booking) / 1_000.0,
            shown(&pieces),
            micros(last),
            shown(&ticks),
            shown(&idle),
        );
    }
}

fn micros(of: Duration) -> f64 {
    of.as_nanos() as f64 / 1_000.0
}

fn shown(of: &Histogram<u64>) -> String {
    let [half, high] = [0.5, 0.99].map(|quantile| of.value_at_quantile(quantile) as f64 / 1_000.0);
    format!("p50 {half:.2} p99 {high:.2} worst {:.2} µs", of.max() as f64 / 1_000.0)
}

fn histogram() -> Histogram<u64> {
    Histogram::new(3).unwrap()
}
