//! What does a fill cost, by how many positions its accounts have?
//!
//! Between two accounts of 1, 10 and 100 positions that are in the caches, each of their positions in turn; and between pairs
//! drawn among 1 000 000 accounts with 3 positions (`TERRACE_BENCH_ACCOUNTS` sets another number). Half of the fills open, half close. A fill
//! has two sides, so its time is that of two; one side alone trades with the external venue account.

mod world;

use criterion::{Criterion, Throughput};
use std::hint::black_box;
use terrace::command::Command;
use world::{World, accounts, tell, time};

/// Fills one pair, position by position.
fn cached(world: &mut World, sides: u64, from: &mut u64, many: u64) {
    for _ in 0..many {
        let mut fill = world.fill(3, *from / 4 % world.positions, 1, *from);
        if sides == 1 {
            fill.counterparty = None;
        }
        world.kernel.apply(black_box(&Command::Fill(fill))).unwrap();
        *from += 1;
    }
}

/// Fills a pair drawn among all.
fn random(world: &mut World, from: &mut u64, many: u64) {
    for _ in 0..many {
        let (pair, position) = (world.draw(world.accounts / 2), world.draw(world.positions));
        let fill = world.fill(pair, position, 1, *from);
        world.kernel.apply(black_box(&Command::Fill(fill))).unwrap();
        *from += 1;
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("fill");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    for positions in [1, 10, 100] {
        let mut world = World::new(16, positions);
        for sides in [2, 1] {
            let (name, mut from) = (format!("{sides} sides, {positions} positions, cached"), 0);
            tell(&name, 100_000, |many| cached(&mut world, sides, &mut from, many));
            group.bench_function(&name, |bencher| {
                bencher.iter_custom(|count| time(count, |many| cached(&mut world, sides, &mut from, many)));
            });
        }
    }
    let (mut world, mut from) = (World::new(accounts(), 3), 0);
    let name = format!("2 sides, 3 positions, at random among {}", accounts());
    tell(&name, 100_000, |many| random(&mut world, &mut from, many));
    group.bench_function(&name, |bencher| {
        bencher.iter_custom(|count| time(count, |many| random(&mut world, &mut from, many)));
    });
    group.finish();
    criterion.final_summary();
}
