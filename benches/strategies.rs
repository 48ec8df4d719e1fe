//! What does a tick cost at a million accounts: by bands, and by an exact evaluation of the holders?
//!
//! Over the crowd of `crowd/mod.rs`; marks step by about one basis point. That both say the same is checked first, with
//! leaps that liquidate.

mod crowd;

use criterion::{Criterion, Throughput};
use crowd::{Walk, accounts, build};
use std::hint::black_box;
use std::time::{Duration, Instant};
use terrace::event::Event;
use terrace::{Kernel, Strategy};

/// Ticks in which both strategies must say the same before they are timed.
const COMPARED: usize = 60;

/// One in so many of the compared ticks is a leap that liquidates.
const LEAP: usize = 20;

/// Rounds of the ratio.
const ROUNDS: usize = 9;

/// The same ticks to both: the same events.
fn compare(bands: &mut Kernel, scan: &mut Kernel, walk: &mut Walk) -> usize {
    let mut events = 0;
    for number in 1..=COMPARED {
        let tick = if number % LEAP == 0 { walk.leap() } else { walk.tick() };
        bands.apply(&tick).unwrap();
        scan.apply(&tick).unwrap();
        let (a, b): (&[Event], &[Event]) = (bands.events(), scan.events());
        assert_eq!(a, b, "the strategies disagree");
        events += a.len();
    }
    events
}

fn time(kernel: &mut Kernel, walk: &mut Walk, ticks: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..ticks {
        kernel.apply(black_box(&walk.tick())).unwrap();
    }
    start.elapsed()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let accounts = accounts();
    let (mut bands, mut scan) = (build(Strategy::Bands), build(Strategy::Dense));
    println!("{accounts} accounts, {} positions in each kernel", bands.positions());
    let mut walk = Walk::new();
    let events = compare(&mut bands, &mut scan, &mut walk);
    println!("{COMPARED} ticks compared: {events} events, the same from both");

    // The ratio, side by side: rounds of both in turn, so that a noisy neighbour hits both alike. Each walks on by itself:
    // a scan costs the same wherever the marks are, and one that followed the bands' path would have to leap.
    let mut walk_of_scan = walk.clone();
    let mut ratios: Vec<f64> = Vec::new();
    let (mut band_ns, mut scan_ns) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (many, few) = (20_000, 10);
        let by_bands = time(&mut bands, &mut walk, many).as_nanos() as f64 / many as f64;
        let by_scan = time(&mut scan, &mut walk_of_scan, few).as_nanos() as f64 / few as f64;
        ratios.push(by_scan / by_bands);
        band_ns.push(by_bands);
        scan_ns.push(by_scan);
    }
    for values in [&mut ratios, &mut band_ns, &mut scan_ns] {
        values.sort_by(f64::total_cmp);
    }
    let [ratios, band_ns, scan_ns] = [&ratios, &band_ns, &scan_ns]
        .map(|values| format!("{:.0} ({:.0}–{:.0})", values[ROUNDS / 2], values[0], values[ROUNDS - 1]));
    println!("ns a tick, median of {ROUNDS} rounds (least–most): bands {band_ns}, scan {scan_ns}");
    println!("bands are {ratios} times as fast as the scan");

    let mut group = criterion.benchmark_group("tick");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    group.bench_function("bands", |bencher| bencher.iter_custom(|ticks| time(&mut bands, &mut walk, ticks)));
    group.bench_function("scan", |bencher| bencher.iter_custom(|ticks| time(&mut scan, &mut walk_of_scan, ticks)));
    group.finish();
    criterion.final_summary();
}
