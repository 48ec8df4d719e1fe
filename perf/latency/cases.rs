//! What is measured, round by round.

use crate::output::{Figure, Output};
use crate::setting;
use hdrhistogram::Histogram;
use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};
use terrace::bench::latency::{self, Crossing, Desk, Fills, Trip};
use terrace::bench::machine::{self, Cores, histogram};
use terrace::bench::{Outline, World, WorldSettings};
use terrace::engine::{Engine, EngineSettings, Layout, Memory, Pinning, Stage, Stamp};
use terrace::market::InstrumentId;
use terrace::venue::VenueMode;
use terrace::{Command, Kernel, Wait};

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    Cold,
    Warm,
    Inline,
    Calm,
    Checks,
    Funding,
    Load,
    Stages,
    Journal,
}

impl Case {
    pub const ALL: [Self; 9] = [
        Self::Cold,
        Self::Warm,
        Self::Inline,
        Self::Calm,
        Self::Checks,
        Self::Funding,
        Self::Load,
        Self::Stages,
        Self::Journal,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Warm => "warm",
            Self::Inline => "inline",
            Self::Calm => "calm",
            Self::Checks => "checks",
            Self::Funding => "funding",
            Self::Load => "load",
            Self::Stages => "stages",
            Self::Journal => "journal",
        }
    }
}

pub type Failed = Box<dyn Error + Send + Sync>;

/// Bare exchanges in a round.
const HOPS: Duration = Duration::from_millis(150);

/// Calm ticks in a round.
const CALM_TICKS: u64 = 2_000_000;

/// Instruments in which pools are crossed.
const CROSSED: usize = 64;

/// Positions of accounts whose orders are checked.
const SIZES: [usize; 3] = [1, 4, 100];

/// Offered ticks a second.
const RATES: [f64; 9] = [1e4, 3e4, 1e5, 3e5, 1e6, 2e6, 4e6, 6e6, 8e6];

/// Positions of the stream between two crossings, at the least, and how long a rate is offered at most.
const STRIDE: u64 = 200;
const OFFERED_S: f64 = 0.4;

/// A world and what is wanted of it.
pub struct Run {
    cores: Cores,
    world: World,
    crossings: Vec<Crossing>,
    /// By [`SIZES`].
    askers: [Vec<u64>; 3],
    rounds: u64,
    samples: usize,
    fills: usize,
    idle: Duration,
}

/// One case over all rounds.
#[derive(Default)]
pub struct Series(pub Vec<Histogram<u64>>);

impl Series {
    pub fn quantiles(&self, quantile: f64) -> Vec<f64> {
        self.0.iter().map(|times| times.value_at_quantile(quantile) as f64).collect()
    }

    fn all(&self) -> Histogram<u64> {
        let mut all = histogram();
        self.0.iter().for_each(|times| all.add(times).expect("the same bounds"));
        all
    }
}

/// What every round gives.
#[derive(Default)]
struct Rounds {
    hop: Series,
    cold: Series,
    warm: Series,
    inline: Series,
    evaluations: u64,
    checks: [Series; 3],
    quiet: Series,
    funding: Series,
    calm: Vec<f64>,
    ring: Vec<f64>,
    /// Ticks that led to no order or to several.
    others: u64,
}

impl Run {
    pub fn new(cores: Cores) -> Result<Self, Failed> {
        let accounts = setting("ACCOUNTS", 1_000_000);
        let begun = Instant::now();
        let settings = WorldSettings { accounts, venue: VenueMode::Manual, ..WorldSettings::default() };
        let world = World::build(&settings, &mut |_, _| {})?;
        eprintln!(
            "a world of {accounts} accounts, {} positions: {:.1?}",
            world.outline.totals.positions,
            begun.elapsed()
        );
        let (rounds, samples) = (setting("ROUNDS", 5), setting("SAMPLES", 400) as usize);
        let count = world.outline.marks.len();
        let crossed: Vec<InstrumentId> =
            (0..CROSSED.min(count)).map(|at| InstrumentId((at * count / CROSSED.min(count)) as u32)).collect();
        let begun = Instant::now();
        let each = rounds as usize * samples * 5 / crossed.len().max(1) + 1;
        let crossings = latency::crossings(&world.kernel, &crossed, each);
        eprintln!("{} crossings in {} instruments: {:.1?}", crossings.len(), crossed.len(), begun.elapsed());
        let mut askers = [const { Vec::new() }; 3];
        for account in 1..=accounts {
            let held = world.outline.wishes(account).len();
            for (askers, size) in askers.iter_mut().zip(SIZES) {
                if (held == size || (size == 100 && held >= size)) && askers.len() < 4_096 {
                    askers.push(account);
                }
            }
        }
        let (fills, idle) = (setting("FILLS", 256) as usize, Duration::from_micros(setting("IDLE_US", 20)));
        Ok(Self { cores, world, crossings, askers, rounds, samples, fills, idle })
    }

    /// All rounds of all cases.
    pub fn all(self, cases: &[Case], output: &mut Output) -> Result<(), Failed> {
        let Self { cores, world: World { mut kernel, outline, .. }, crossings, askers, rounds, samples, fills, idle } =
            self;
        let wants = |case| cases.contains(&case);
        let mut results = Rounds::default();
        let mut queue = crossings.as_slice();
        let mut disturbed = Vec::new();
        for round in 0..rounds {
            disturbed.push(apart(|| wait_for_calm(cores))?);
            let mut times = histogram();
            apart(|| machine::hop(cores, HOPS, &mut times).map_err(Failed::from))?;
            output.interval("hop", &times);
            results.hop.0.push(times);
            results.ring.push(apart(|| machine::ring(cores, HOPS).map_err(Failed::from))?);
            // In the order in which they are crossed: whoever stands behind a mark that went further is liquidated already.
            let mut fresh = |case| if wants(case) { take(&mut queue, samples) } else { &[] };
            let [inline, cold, warm] = [Case::Inline, Case::Cold, Case::Warm].map(&mut fresh);
            kernel = apart(|| {
                let mut kernel = kernel;
                if wants(Case::Inline) {
                    machine::pin(cores.near)?;
                    let mut others = Fills::new(&outline, round + 1_000);
                    let crossed = latency::inline(&mut kernel, inline, &mut others, fills)?;
                    results.evaluations += crossed.evaluations;
                    results.inline.0.push(crossed.times);
                }
                Ok(kernel)
            })?;
            kernel = apart(|| {
                let mut desk = start(kernel, cores, 0)?;
                let mut others = Fills::new(&outline, round + 1);
                if wants(Case::Cold) {
                    let crossed = latency::tick_to_order(&mut desk, cold, &mut others, fills, idle)?;
                    results.cold.0.push(crossed.times);
                    results.others += crossed.others;
                }
                if wants(Case::Warm) {
                    let crossed = latency::tick_to_order(&mut desk, warm, &mut others, 0, idle)?;
                    results.warm.0.push(crossed.times);
                    results.others += crossed.others;
                }
                if wants(Case::Calm) {
                    results.calm.push(latency::calm_rate(&mut desk, &outline, CALM_TICKS, round)?);
                }
                if wants(Case::Checks) {
                    for (series, askers) in results.checks.iter_mut().zip(&askers) {
                        series.0.push(checks(&mut desk, &outline, askers, &mut others, samples, round)?);
                    }
                }
                if wants(Case::Funding) {
                    results.quiet.0.push(ticks(&mut desk, &outline, false, samples * 20)?);
                    results.funding.0.push(ticks(&mut desk, &outline, true, samples * 20)?);
                }
                finished(desk)
            })?;
        }
        for (name, series) in [("cold", &results.cold), ("warm", &results.warm), ("inline", &results.inline)] {
            if series.0.iter().any(|times| times.is_empty()) {
                return Err(format!("{name}: no tick of a round led to one order").into());
            }
        }
        report(&results, fills, output)?;
        output.line(&format!("time that an idle spin lost before each round, in percent: {}", Figure::of(&disturbed)));
        if wants(Case::Load) {
            kernel = load(kernel, cores, &outline, &mut queue, output)?;
        }
        if wants(Case::Stages) {
            kernel = stages(kernel, cores, &outline, take(&mut queue, samples), (fills, idle), output)?;
            kernel = stages(kernel, cores, &outline, take(&mut queue, samples), (0, idle), output)?;
        }
        if wants(Case::Journal) {
            crate::journal::journal(kernel, cores, &outline, &mut queue, output)?;
        }
        let stalls = apart(|| machine::stalls(cores.near, Duration::from_secs(1)).map_err(Failed::from))?;
        let read = apart(|| machine::read(cores.near, Duration::from_millis(500)).map_err(Failed::from))?;
        let clock = apart(|| machine::clock(cores.near, Duration::from_millis(200)).map_err(Failed::from))?;
        output.percentiles("stalls", &stalls.pauses)?;
        output.line(&format!(
            "idle spin: {:.0} pauses above 1 µs a second, p99 {} ns, the longest {} ns, {:.3} % of the time; reads {:.1} GB/s; a stamp \
             costs {:.1} ns, resolution {} ns",
            stalls.per_second(),
            stalls.pauses.value_at_quantile(0.99),
            stalls.pauses.max(),
            stalls.share() * 100.0,
            read / 1e9,
            clock.cost_ns,
            clock.resolution_ns
        ));
        Ok(())
    }
}

pub fn take<'a>(queue: &mut &'a [Crossing], count: usize) -> &'a [Crossing] {
    let (taken, rest) = queue.split_at(count.min(queue.len()));
    *queue = rest;
    taken
}

/// On a thread of its own: who is pinned sees but one core, and an engine must see two.
pub fn apart<T: Send>(work: impl FnOnce() -> Result<T, Failed> + Send) -> Result<T, Failed> {
    thread::scope(|scope| scope.spawn(work).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

fn start(kernel: Kernel, cores: Cores, trace: usize) -> Result<Desk, Failed> {
    Ok(Desk::new(Engine::start(kernel, &EngineSettings { trace, ..settings(cores) })?))
}

/// One worker on a core of its own, the caller with the arbiter on the other; both spin.
pub fn settings(cores: Cores) -> EngineSettings {
    let pinning = Pinning::Cores(vec![cores.near, cores.far]);
    let layout = Layout { workers: Some(1), apart: Some(false), wait: Some(Wait::Spin), pinning };
    let memory = match setting("MEMORY", 0) {
        0 => Memory::AsItComes,
        1 => Memory::Prefaulted,
        _ => Memory::Locked,
    };
    let default = EngineSettings::default();
    let ring = setting("RING", default.ring as u64) as usize;
    EngineSettings { layout, memory, ring, ..default }
}

pub fn finished(desk: Desk) -> Result<Kernel, Failed> {
    let finished = desk.stop();
    match (finished.kernel, finished.failure) {
        (Some(kernel), None) => Ok(kernel),
        (_, failure) => Err(format!("the engine failed: {failure:?}").into()),
    }
}

/// Neighbours of this machine come and go: a round begins when an idle spin on either core loses less than two percent of its
/// time, and after three seconds in any case. What it lost is told.
fn wait_for_calm(cores: Cores) -> Result<f64, Failed> {
    let mut lost = f64::MAX;
    let begun = Instant::now();
    while lost > 2.0 && begun.elapsed() < Duration::from_secs(3) {
        let probe = Duration::from_millis(40);
        let far = thread::scope(|scope| {
            let far = scope.spawn(move || machine::stalls(cores.far, probe));
            let near = machine::stalls(cores.near, probe)?.share();
            let far = far.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?.share();
            Ok::<f64, Failed>(near.max(far))
        })?;
        lost = far * 100.0;
    }
    Ok(lost)
}

/// Order checks right behind fills and ticks: how long until it is known that the order was accepted.
fn checks(
    desk: &mut Desk,
    outline: &Outline,
    askers: &[u64],
    others: &mut Fills<'_>,
    samples: usize,
    round: u64,
) -> Result<Histogram<u64>, Failed> {
    let mut times = histogram();
    for at in 0..samples.min(askers.len()) {
        let account = askers[(at + round as usize * samples) % askers.len()];
        let Some([order, cancel]) = latency::order_of(outline, account, u64::MAX - round) else { continue };
        for _ in 0..16 {
            let fill = others.draw();
            desk.submit(&fill)?;
        }
        desk.settle()?;
        let instrument = InstrumentId((at % outline.marks.len()) as u32);
        desk.mark(instrument, outline.marks[instrument.index()])?;
        let refused = desk.refused;
        let took = desk.ask(&order)?;
        desk.settle()?;
        if desk.refused == refused {
            times.saturating_record(took);
            desk.submit(&cancel)?;
        }
    }
    desk.settle()?;
    Ok(times)
}

/// Ticks one by one until each is known to be done, beside a settlement of the first instrument or without one.
fn ticks(desk: &mut Desk, outline: &Outline, funding: bool, count: usize) -> Result<Histogram<u64>, Failed> {
    let mut times = histogram();
    desk.settle()?;
    if funding {
        desk.submit(&Command::Funding { instrument: InstrumentId(0), rate_ppb: 1 })?;
    }
    for at in 0..count {
        let instrument = InstrumentId((at % outline.marks.len()) as u32);
        let tick = Command::Mark { instrument, price: outline.marks[instrument.index()] };
        times.saturating_record(desk.ask(&tick)?);
        if funding && !desk.engine.market().has_jobs() {
            break;
        }
    }
    desk.settle()?;
    Ok(times)
}

fn report(results: &Rounds, fills: usize, output: &mut Output) -> Result<(), Failed> {
    let (hop, hop_p99) = (results.hop.quantiles(0.5), results.hop.quantiles(0.99));
    output.percentiles("hop", &results.hop.all())?;
    output.line(&format!("bare exchange: p50 {} ns, p99 {} ns", Figure::of(&hop), Figure::of(&hop_p99)));
    for (name, series, target) in [("cold", &results.cold, 1.25), ("warm", &results.warm, 1.10)] {
        if series.0.is_empty() {
            continue;
        }
        let what = format!("tick to order, {name}, {} fills before each", if name == "cold" { fills } else { 0 });
        let (p50, p99) = (series.quantiles(0.5), series.quantiles(0.99));
        output.percentiles(name, &series.all())?;
        series.0.iter().for_each(|times| output.interval(name, times));
        output.figure("1", &format!("{what}: p50"), &p50, "ns", &hop, target)?;
        output.figure("1", &format!("{what}: p99 to its p50"), &p99, "ns", &p50, 2.5)?;
    }
    if !results.inline.0.is_empty() {
        output.percentiles("inline", &results.inline.all())?;
        output.figure(
            "1",
            "the same on one thread, all that follows told",
            &results.inline.quantiles(0.5),
            "ns",
            &hop,
            0.0,
        )?;
        let count = results.inline.all().len().max(1);
        output.line(&format!("pools evaluated by a crossing tick: {:.2}", results.evaluations as f64 / count as f64));
    }
    if !results.calm.is_empty() {
        output.figure("2", "ticks without crossing, through the engine", &results.calm, "1/s", &results.ring, -0.9)?;
    }
    for (series, size) in results.checks.iter().zip(SIZES).filter(|(series, _)| !series.0.is_empty()) {
        let what = format!("order check of accounts with {size} positions");
        output.percentiles(&format!("check-{size}"), &series.all())?;
        output.figure("7", &format!("{what}: p50"), &series.quantiles(0.5), "ns", &hop, 3.0)?;
        output.figure("7", &format!("{what}: p99"), &series.quantiles(0.99), "ns", &hop, 3.0)?;
    }
    if !results.funding.0.is_empty() {
        for (name, series) in [("quiet", &results.quiet), ("funding", &results.funding)] {
            output.percentiles(name, &series.all())?;
        }
        for quantile in [0.5, 0.99, 1.0] {
            let (with, without) = (results.funding.quantiles(quantile), results.quiet.quantiles(quantile));
            output.figure(
                "11",
                &format!("a tick beside a settlement: p{}", quantile * 100.0),
                &with,
                "ns",
                &without,
                0.0,
            )?;
        }
    }
    output.line(&format!("{} ticks led to no order or to several, and are not counted", results.others));
    Ok(())
}

/// Latency over load.
fn load(
    mut kernel: Kernel,
    cores: Cores,
    outline: &Outline,
    queue: &mut &[Crossing],
    output: &mut Output,
) -> Result<Kernel, Failed> {
    let mut points = Vec::new();
    for rate in RATES {
        let count = ((rate * OFFERED_S) as u64 / STRIDE).clamp(1, 64) as usize;
        let stride = ((rate * OFFERED_S) as u64 / count as u64).max(STRIDE);
        let crossings = take(queue, count);
        let (back, offered) = apart(|| {
            let mut desk = start(kernel, cores, 0)?;
            let offered = latency::offer(&mut desk, outline, crossings, rate, stride, rate as u64)?;
            Ok((finished(desk)?, offered))
        })?;
        kernel = back;
        let at = |times: &Histogram<u64>, quantile| times.value_at_quantile(quantile);
        output.line(&format!(
            "offered {:>9.0}/s, done {:>9.0}/s: tick done p50 {} p99 {} p99.9 {} ns; tick to order p50 {} p99 {} ns ({})",
            offered.planned,
            offered.done,
            at(&offered.ticks, 0.5),
            at(&offered.ticks, 0.99),
            at(&offered.ticks, 0.999),
            at(&offered.orders, 0.5),
            at(&offered.orders, 0.99),
            offered.orders.len()
        ));
        output.percentiles(&format!("load-{rate:.0}-ticks"), &offered.ticks)?;
        output.percentiles(&format!("load-{rate:.0}-orders"), &offered.orders)?;
        let collapsed = offered.done < 0.9 * offered.planned;
        points.push(offered);
        if collapsed {
            break;
        }
    }
    output.plot(&points)?;
    Ok(kernel)
}

/// Where the time goes.
fn stages(
    kernel: Kernel,
    cores: Cores,
    outline: &Outline,
    crossings: &[Crossing],
    (fills, idle): (usize, Duration),
    output: &mut Output,
) -> Result<Kernel, Failed> {
    let room = crossings.len() * 64;
    let (trips, stamps, epoch, kernel) = apart(|| {
        let mut desk = start(kernel, cores, room)?;
        let epoch = desk.engine.epoch();
        let crossed = latency::tick_to_order(&mut desk, crossings, &mut Fills::new(outline, 99), fills, idle)?;
        let finished = desk.stop();
        let kernel = finished.kernel.ok_or("the engine failed")?;
        Ok((crossed.trips, finished.stamps, epoch, kernel))
    })?;
    let ns = |at: Instant| (at - epoch).as_nanos() as u64;
    let mut table: [(&str, Histogram<u64>); 6] = [
        "submit → published",
        "published → taken",
        "taken → decided",
        "decided → queued",
        "queued → order out",
        "order out → arbiter",
    ]
    .map(|name| (name, histogram()));
    for Trip { sent, place, published_ns, received } in trips {
        let at = |stage| {
            stamps
                .iter()
                .find(|&&Stamp { place: of, stage: is, .. }| of == place && is == stage)
                .map(|stamp| stamp.at_ns)
        };
        let (Some(taken), Some(decided), Some(queued)) = (at(Stage::Taken), at(Stage::Decided), at(Stage::Queued))
        else {
            continue;
        };
        let arbiter = at(Stage::Arbiter).unwrap_or(0);
        let times = [ns(sent), published_ns, taken, decided, queued, ns(received), arbiter];
        for ((_, histogram), pair) in table.iter_mut().zip(times.windows(2)) {
            histogram.saturating_record(pair[1].saturating_sub(pair[0]));
        }
    }
    output.line(&format!("stages, {fills} fills before each, each stamp included:"));
    for (name, times) in &table {
        output.line(&format!(
            "  {name:<22} p50 {:>5} p90 {:>5} p99 {:>5} ns",
            times.value_at_quantile(0.5),
            times.value_at_quantile(0.9),
            times.value_at_quantile(0.99)
        ));
        output.percentiles(&format!("stage-{fills}-{}", name.replace(" → ", "-").replace(' ', "-")), times)?;
    }
    Ok(kernel)
}
