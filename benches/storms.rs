//! What do calm, a burst, a crash and a gap cost, by strategy, and beside the clairvoyant?
//!
//! Over the crowd of `crowd/mod.rs`. *calm*: every instrument in turn steps by 1 bp. *burst*: −2 % of each of them, a tick
//! each. *crash*: −15 % of each over 100 steps. *gap*: −20 % of one in one tick. Orders are filled at the mark, and a deep
//! fund takes what is left, so that nobody is deleveraged: ranking is another question. Each runs on a kernel of its own; the
//! events must be the same. `TERRACE_BENCH_STRATEGIES=bands,told` and `TERRACE_BENCH_STORMS=burst,gap` choose,
//! `TERRACE_BENCH_ROUNDS` repeats: medians are shown.

mod crowd;

use crowd::{INSTRUMENTS, START, Walk, accounts, build};
use std::time::Instant;
use terrace::command::Command;
use terrace::event::Event;
use terrace::market::{FundId, InstrumentId};
use terrace::venue::VenueMode;
use terrace::{Foresight, Kernel, Strategy, Work};

const STORMS: [&str; 4] = ["calm", "burst", "crash", "gap"];

fn chosen(variable: &str, all: &[&'static str]) -> Vec<&'static str> {
    let Ok(text) = std::env::var(variable) else { return all.to_vec() };
    all.iter().copied().filter(|name| text.split(',').any(|word| word == *name)).collect()
}

/// The ticks of a storm; of calm fewer for whom every one costs milliseconds.
fn ticks(storm: &str, by: &str) -> Vec<Command> {
    let mark = |index: u64, price| Command::Mark { instrument: InstrumentId(index as u32), price };
    match storm {
        "calm" => {
            let mut walk = Walk::new();
            let count = match by {
                "dense" => 20,
                "sweep" => 1_000,
                _ => 100_000,
            };
            (0..count).map(|_| walk.tick()).collect()
        }
        "burst" => (0..INSTRUMENTS).map(|index| mark(index, START * 98 / 100)).collect(),
        "crash" => (1..=100)
            .flat_map(|step| (0..INSTRUMENTS).map(move |index| mark(index, START - START * 15 * step / 10_000)))
            .collect(),
        _ => vec![mark(0, START * 80 / 100)],
    }
}

fn kernel(by: &str) -> Kernel {
    let strategy = Strategy::ALL.into_iter().find(|strategy| strategy.name() == by).unwrap_or(Strategy::Dense);
    let mut kernel = build(strategy);
    kernel.apply(&Command::FundDeposit { fund: FundId(0), amount: 1 << 61 }).unwrap();
    kernel.set_venue(None, VenueMode::Mark).unwrap();
    kernel
}

/// What a storm took.
struct Taken {
    ns: Vec<u64>,
    work: Work,
    liquidations: u64,
    hash: u64,
}

fn run(kernel: &mut Kernel, ticks: &[Command]) -> Taken {
    let before = kernel.work();
    let mut taken = Taken { ns: Vec::with_capacity(ticks.len()), work: before, liquidations: 0, hash: 0 };
    for tick in ticks {
        let start = Instant::now();
        kernel.apply(tick).unwrap();
        taken.ns.push(start.elapsed().as_nanos() as u64);
        for event in kernel.events() {
            if let Event::LiquidationStarted { account, equity, .. } = *event {
                taken.liquidations += 1;
                taken.hash =
                    (taken.hash ^ account ^ (equity as u64)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17);
            }
        }
    }
    taken.work = kernel.work() - before;
    taken
}

fn foresee(storm: &str) -> Foresight {
    let mut kernel = kernel("bands");
    kernel.note_breaches();
    run(&mut kernel, &ticks(storm, "bands"));
    kernel.take_foresight()
}

fn main() {
    let rounds = std::env::var("TERRACE_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1usize);
    let names: Vec<&'static str> = Strategy::ALL.iter().map(|strategy| strategy.name()).chain(["told"]).collect();
    println!("{} accounts; told: the clairvoyant", accounts());
    println!(
        "storm  by          total ms (least–most)     ns a tick  worst tick µs  ns a liquidation  liquidations  work"
    );
    for storm in chosen("TERRACE_BENCH_STORMS", &STORMS) {
        let mut hash = None;
        let chosen = chosen("TERRACE_BENCH_STRATEGIES", &names);
        let foresight = if chosen.contains(&"told") { foresee(storm) } else { Foresight::default() };
        for by in chosen {
            let ticks = ticks(storm, by);
            let mut all: Vec<(u64, Taken)> = (0..rounds)
                .map(|_| {
                    let mut kernel = kernel(by);
                    if by == "told" {
                        kernel.foresee(foresight.clone());
                    }
                    let taken = run(&mut kernel, &ticks);
                    (taken.ns.iter().sum(), taken)
                })
                .collect();
            all.sort_by_key(|&(total, _)| total);
            let (least, most) = (all[0].0 as f64 / 1e6, all[rounds - 1].0 as f64 / 1e6);
            let (total, taken) = &all[rounds / 2];
            if storm != "calm" {
                assert_eq!(*hash.get_or_insert(taken.hash), taken.hash, "{by}: other liquidations");
            }
            println!(
                "{storm:6} {by:8} {:10.2} ({least:.2}–{most:.2}) {:14} {:14.1} {:17} {:13}  {:?}",
                *total as f64 / 1e6,
                total / taken.ns.len() as u64,
                *taken.ns.iter().max().unwrap() as f64 / 1e3,
                total.checked_div(taken.liquidations).unwrap_or(0),
                taken.liquidations,
                taken.work,
            );
        }
    }
}
