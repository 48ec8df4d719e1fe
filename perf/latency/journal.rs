//! What a journal costs: calm ticks, orders and acknowledgements of an engine without one, and with one of each durability,
//! one after the other in each round.

use crate::cases::{Failed, Series, apart, finished, settings, take};
use crate::output::Output;
use crate::setting;
use std::hint::spin_loop;
use std::time::Instant;
use terrace::Kernel;
use terrace::bench::Outline;
use terrace::bench::latency::{self, Crossing, Desk, Fills};
use terrace::bench::machine::{Cores, histogram};
use terrace::engine::{Engine, EngineSettings};
use terrace::journal::{Chain, Durability, JournalSettings, Log, Writer};

/// No journal, and every kind.
const MODES: [Option<Durability>; 4] = [None, Some(Durability::None), Some(Durability::Async), Some(Durability::Sync)];

/// Calm ticks of a run.
const TICKS: u64 = 1_000_000;

/// Inputs whose acknowledgement is waited for, one by one.
const ASKED: usize = 200;

/// By mode.
#[derive(Default)]
struct Results {
    rates: [Vec<f64>; 4],
    orders: [Series; 4],
    acknowledged: [Series; 4],
}

/// All rounds.
pub fn journal(
    mut kernel: Kernel,
    cores: Cores,
    outline: &Outline,
    queue: &mut &[Crossing],
    output: &mut Output,
) -> Result<Kernel, Failed> {
    let (rounds, samples) = (setting("ROUNDS", 5), setting("SAMPLES", 400) as usize / 4);
    let mut results = Results::default();
    for round in 0..rounds {
        for (nth, mode) in MODES.into_iter().enumerate() {
            let crossings = take(queue, samples);
            kernel = apart(|| {
                let directory = tempfile::tempdir_in(output.directory())?;
                let engine = Engine::start(kernel, &EngineSettings { record: mode.is_some(), ..settings(cores) })?;
                let mut desk = Desk::new(engine);
                if let Some(durability) = mode {
                    // Such a journal begins with a world that is not in it: enough to be written, not to be gone through.
                    let settings = JournalSettings { durability, queue: 1 << 16, ..JournalSettings::default() };
                    let log = Log::start(Writer::create(directory.path())?, settings)?;
                    desk.engine.keep_journal(log, Chain::default());
                }
                results.rates[nth].push(rate(&mut desk, outline, round)?);
                let others = &mut Fills::new(outline, round + 77);
                let idle = std::time::Duration::from_micros(20);
                let crossed = latency::tick_to_order(&mut desk, crossings, others, 0, idle)?;
                results.orders[nth].0.push(crossed.times);
                let mut times = histogram();
                for _ in 0..ASKED {
                    let fill = others.draw();
                    let sent = Instant::now();
                    let seq = desk.submit(&fill)?;
                    kept(&mut desk, seq)?;
                    times.saturating_record(sent.elapsed().as_nanos() as u64);
                }
                desk.settle()?;
                results.acknowledged[nth].0.push(times);
                finished(desk)
            })?;
        }
    }
    report(&results, output)?;
    Ok(kernel)
}

/// Calm ticks a second, until the last is told and as safe as was asked for.
fn rate(desk: &mut Desk, outline: &Outline, round: u64) -> Result<f64, Failed> {
    let rate = latency::calm_rate(desk, outline, TICKS, round)?;
    let settled = Instant::now();
    let last = desk.engine.told_seq();
    kept(desk, last)?;
    Ok(TICKS as f64 / (TICKS as f64 / rate + settled.elapsed().as_secs_f64()))
}

/// Waits until an input may be acknowledged.
fn kept(desk: &mut Desk, seq: u64) -> Result<(), Failed> {
    while desk.engine.told_seq() < seq || desk.engine.kept_seq() < seq {
        desk.poll();
        if let Some(failure) = desk.engine.failure() {
            return Err(failure.into());
        }
        spin_loop();
    }
    Ok(())
}

fn report(results: &Results, output: &mut Output) -> Result<(), Failed> {
    let name = |nth: usize| MODES[nth].map_or("no journal".to_owned(), |durability| format!("journal, {durability}"));
    for nth in 0..MODES.len() {
        // Beside no journal; `async` beside `none`, which it must cost no more than a tenth of.
        let rates = &results.rates;
        output.figure("journal", &format!("calm ticks, {}", name(nth)), &rates[nth], "1/s", &rates[0], 0.0)?;
        if MODES[nth] == Some(Durability::Async) {
            output.figure("journal", "calm ticks, async beside none", &rates[nth], "1/s", &rates[1], -0.9)?;
        }
    }
    for (what, series) in
        [("tick to order, warm", &results.orders), ("fill to its acknowledgement", &results.acknowledged)]
    {
        for (nth, of_mode) in series.iter().enumerate() {
            for quantile in [0.5, 0.99] {
                let what = format!("{what}, {}: p{}", name(nth), quantile * 100.0);
                output.figure(
                    "journal",
                    &what,
                    &of_mode.quantiles(quantile),
                    "ns",
                    &series[0].quantiles(quantile),
                    0.0,
                )?;
            }
        }
    }
    Ok(())
}
