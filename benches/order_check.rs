//! What does the check of an order cost, by how many positions its account has?
//!
//! Accounts of 1, 4 and 100 positions that are in the caches, and accounts drawn among 1 000 000 with 4
//! (`TERRACE_BENCH_ACCOUNTS` sets another number). Every order is accepted and cancelled right away; both are told together, and the order alone where each is
//! timed by itself. Once with marks that stand still, once with a mark that moves by a basis point before each order.

mod world;

use criterion::{Criterion, Throughput};
use std::hint::black_box;
use std::time::Instant;
use terrace::command::{Command, Order, Side};
use terrace::market::InstrumentId;
use world::{START, World, accounts, tell, time};

/// How the next account is found, and whether a mark moves before its order.
#[derive(Clone, Copy)]
struct Way {
    drawn: bool,
    moves: bool,
}

fn order(world: &World, account: u64, position: u64, order: u64) -> Order {
    Order {
        account,
        instrument: world.instrument((account - 1) / 2, position),
        order,
        side: if order.is_multiple_of(2) { Side::Buy } else { Side::Sell },
        quantity: 1,
        price: START,
        reduce_only: false,
        position_side: None,
    }
}

fn check(world: &mut World, way: Way, from: &mut u64, many: u64) {
    for _ in 0..many {
        *from += 1;
        let account = 1 + if way.drawn { world.draw(world.accounts) } else { 6 };
        let order = order(world, account, *from % world.positions, *from);
        if way.moves {
            let price = START + (*from % 3) as i64 * 100 - 100;
            let instrument = InstrumentId((*from % world::INSTRUMENTS) as u32);
            world.kernel.apply(&Command::Mark { instrument, price }).unwrap();
        }
        world.kernel.apply(black_box(&Command::Order(order))).unwrap();
        world.kernel.apply(black_box(&Command::Cancel { account, order: order.order })).unwrap();
    }
}

/// The time of the orders alone, each by itself: median, in nanoseconds, the clock's own time taken off.
fn alone(world: &mut World, way: Way, from: &mut u64) -> [u64; 2] {
    let (mut own, mut idle) = (Vec::new(), Vec::new());
    for _ in 0..50_000 {
        *from += 1;
        let account = 1 + if way.drawn { world.draw(world.accounts) } else { 6 };
        let order = order(world, account, *from % world.positions, *from);
        let start = Instant::now();
        let between = Instant::now();
        world.kernel.apply(black_box(&Command::Order(order))).unwrap();
        own.push(between.elapsed().as_nanos() as u64);
        idle.push((between - start).as_nanos() as u64);
        world.kernel.apply(black_box(&Command::Cancel { account, order: order.order })).unwrap();
    }
    own.sort_unstable();
    idle.sort_unstable();
    [0.5, 0.99].map(|part| own[(own.len() as f64 * part) as usize].saturating_sub(idle[idle.len() / 2]))
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("order check");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    for (positions, accounts, drawn) in [(1, 16, false), (4, 16, false), (100, 16, false), (4, accounts(), true)] {
        let (mut world, mut from) = (World::new(accounts, positions), 0);
        let place = if drawn { format!("at random among {accounts}") } else { "cached".to_owned() };
        for moves in [false, true] {
            let way = Way { drawn, moves };
            let with = if moves { ", a mark before each" } else { "" };
            let name = format!("{positions} positions, {place}{with}");
            tell(&name, 100_000, |many| check(&mut world, way, &mut from, many));
            let [median, p99] = alone(&mut world, way, &mut from);
            println!("  the order alone: p50 {median} ns, p99 {p99} ns without the clock");
            group.bench_function(&name, |bencher| {
                bencher.iter_custom(|count| time(count, |many| check(&mut world, way, &mut from, many)));
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
