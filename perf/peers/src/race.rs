//! The race: the same marks and fills to all, in turn, first compared, then timed.

use crate::book::Book;
use crate::engines::column::Columns;
use crate::engines::decimal::Decimals;
use crate::engines::dense::{Dense, Narrow, Wide};
use crate::engines::ordered::{Heap, Ordered, Tree};
use crate::engines::{Engine, Found, Terrace};
use crate::population::{Walk, kernel};
use crate::report::Row;
use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};
use terrace::command::MarginMode;
use terrace::market::InstrumentId;

/// Ticks after which all must have found the same; fewer where each takes the slower ones a sixth of a second.
const COMPARED: usize = 140;
const COMPARED_OF_MANY: usize = 28;

/// From so many positions on.
const MANY: usize = 1_000_000;

/// How long an engine is timed in a round, about, and how many ticks at most.
const TIMED: Duration = Duration::from_millis(60);
const MOST_TICKS: u64 = 30_000;

/// Fills in a round.
const FILLS: usize = 2_000;

/// An engine in the race.
struct Entrant {
    engine: Box<dyn Engine>,
    walk: Walk,
    /// Ticks so far.
    ticks: u64,
    /// What was found at which tick.
    found: Vec<(u64, Found)>,
    /// What a tick costs, about.
    estimate: Duration,
    /// By round, in nanoseconds.
    tick_ns: Vec<f64>,
    fill_ns: Vec<f64>,
}

impl Entrant {
    fn new(engine: Box<dyn Engine>) -> Self {
        let estimate = Duration::from_nanos(1);
        let (tick_ns, fill_ns) = (Vec::new(), Vec::new());
        Self { engine, walk: Walk::new(), ticks: 0, found: Vec::new(), estimate, tick_ns, fill_ns }
    }

    fn tick(&mut self, rough: bool, found: &mut Vec<Found>) {
        let (instrument, price) = if rough { self.walk.rough() } else { self.walk.step() };
        found.clear();
        self.engine.mark(instrument, price, found);
        self.ticks += 1;
        found.sort_unstable();
        self.found.extend(found.iter().map(|&pool| (self.ticks, pool)));
    }

    /// A round of calm ticks.
    fn time(&mut self) {
        let count = (TIMED.as_nanos() / self.estimate.as_nanos().max(1)) as u64;
        let count = count.clamp(1, MOST_TICKS);
        let mut found = Vec::new();
        let start = Instant::now();
        for _ in 0..count {
            let (instrument, price) = self.walk.step();
            self.engine.mark(black_box(instrument), black_box(price), &mut found);
            self.ticks += 1;
            if !found.is_empty() {
                found.sort_unstable();
                self.found.extend(found.drain(..).map(|pool| (self.ticks, pool)));
            }
        }
        self.tick_ns.push(start.elapsed().as_nanos() as f64 / count as f64);
    }

    fn fills(&mut self, fills: &[(u32, i64, i64)]) {
        let mut found = Vec::new();
        let start = Instant::now();
        for &(position, lots, price) in fills {
            self.engine.fill(black_box(position), lots, price, &mut found);
        }
        self.fill_ns.push(start.elapsed().as_nanos() as f64 / fills.len() as f64);
        found.sort_unstable();
        self.found.extend(found.into_iter().map(|pool| (self.ticks, pool)));
    }
}

/// The rivals over the same books. Those that compute all stale triggers anew are dear; with isolated pools nothing is stale.
fn entrants(accounts: u64, mode: MarginMode) -> (Book, Vec<Entrant>) {
    let kernel = kernel(accounts, mode);
    let book = Book::of(&kernel);
    let own =
        |position: &crate::book::Position| (book.owners[position.pool as usize].0, InstrumentId(position.instrument));
    let positions = book.positions.iter().map(own).collect();
    let mut engines: Vec<Box<dyn Engine>> = vec![
        Box::new(Terrace { kernel, positions }),
        Box::new(Dense::<Wide>::new(book.clone())),
        Box::new(Dense::<Narrow>::new(book.clone())),
        Box::new(Columns::new(book.clone(), false)),
        Box::new(Ordered::<Tree>::new(book.clone(), false)),
        Box::new(Ordered::<Heap>::new(book.clone(), false)),
        Box::new(Decimals::new(&book)),
    ];
    if mode == MarginMode::Cross {
        engines.push(Box::new(Columns::new(book.clone(), true)));
        engines.push(Box::new(Ordered::<Tree>::new(book.clone(), true)));
        engines.push(Box::new(Ordered::<Heap>::new(book.clone(), true)));
    }
    (book, engines.into_iter().map(Entrant::new).collect())
}

/// The same rough ticks to all, and fills among them: what is exact has found the same pools at the same ticks, or the race
/// is off.
fn compare(book: &Book, entrants: &mut [Entrant], fills: bool, state: &mut u64) {
    let ticks = if book.positions.len() < MANY { COMPARED } else { COMPARED_OF_MANY };
    for entrant in &mut *entrants {
        let start = Instant::now();
        rough(entrant, ticks);
        eprintln!("  {}: {ticks} ticks compared in {:.2} s", entrant.engine.name(), start.elapsed().as_secs_f64());
    }
    check(entrants);
    if fills {
        let fills = draw_fills(book, entrants, state);
        for entrant in &mut *entrants {
            entrant.fills(&fills);
            entrant.fill_ns.clear();
            rough(entrant, ticks);
        }
        check(entrants);
    }
}

fn rough(entrant: &mut Entrant, ticks: usize) {
    let (mut found, mut least) = (Vec::new(), Duration::MAX);
    for _ in 0..ticks {
        let before = Instant::now();
        entrant.tick(true, &mut found);
        if found.is_empty() {
            least = least.min(before.elapsed());
        }
    }
    entrant.estimate = least.min(TIMED);
}

/// What the exact ones have found, up to the tick that the slower of two has come to, is what Terrace has found.
fn check(entrants: &[Entrant]) {
    let (terrace, rivals) = entrants.split_first().expect("Terrace runs");
    for rival in rivals.iter().filter(|rival| rival.engine.is_exact()) {
        let end = rival.ticks.min(terrace.ticks);
        let until = |entrant: &Entrant| -> Vec<(u64, Found)> {
            entrant.found.iter().copied().filter(|(tick, _)| *tick <= end).collect()
        };
        assert!(until(terrace) == until(rival), "{} finds others than Terrace", rival.engine.name());
    }
}

/// How many of Terrace's breaches a rival has found late, and how many not at all.
fn late(terrace: &Entrant, rival: &Entrant) -> (usize, usize, usize) {
    let end = rival.ticks.min(terrace.ticks);
    let when: HashMap<Found, u64> = rival.found.iter().map(|&(tick, pool)| (pool, tick)).collect();
    let (mut all, mut late, mut never) = (0, 0, 0);
    for (tick, pool) in terrace.found.iter().filter(|(tick, _)| *tick <= end) {
        all += 1;
        match when.get(pool) {
            Some(then) => late += usize::from(then > tick),
            None => never += 1,
        }
    }
    (all, late, never)
}

/// Fills of a lot at the mark at random positions of pools that nobody has found: first closing one, then opening it again.
fn draw_fills(book: &Book, entrants: &[Entrant], state: &mut u64) -> Vec<(u32, i64, i64)> {
    let taken: std::collections::HashSet<Found> =
        entrants.iter().flat_map(|entrant| entrant.found.iter().map(|&(_, pool)| pool)).collect();
    let mut fills = Vec::with_capacity(FILLS);
    while fills.len() < FILLS {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = (*state >> 33) as usize % book.positions.len();
        let position = &book.positions[at];
        if position.quantity.abs() < 2 || taken.contains(&book.owners[position.pool as usize]) {
            continue;
        }
        let (close, price) = (-position.quantity.signum(), crate::population::START);
        fills.extend([(at as u32, close, price), (at as u32, -close, price)]);
    }
    fills
}

/// All of it over one kind of margin.
pub fn race(accounts: u64, mode: MarginMode, rounds: usize) -> Vec<Row> {
    let isolated = mode == MarginMode::Isolated;
    let margin = if isolated { "isolated" } else { "cross, 3 positions" };
    eprintln!("{accounts} accounts, {margin}:");
    let (book, mut entrants) = entrants(accounts, mode);
    let mut state = 1;
    compare(&book, &mut entrants, !isolated, &mut state);
    for _ in 0..rounds {
        entrants.iter_mut().for_each(Entrant::time);
        // An isolated fill moves margin too, which the peers do not model.
        if !isolated {
            let fills = draw_fills(&book, &entrants, &mut state);
            entrants.iter_mut().for_each(|entrant| entrant.fills(&fills));
        }
    }
    // Isolated: what was found while the clock ran is equal too. Cross: fills fell between different ticks of each.
    if isolated {
        check(&entrants);
    }
    rows(&entrants, margin, isolated)
}

fn rows(entrants: &[Entrant], margin: &str, isolated: bool) -> Vec<Row> {
    let (terrace, rivals) = entrants.split_first().expect("Terrace runs");
    let mut rows = Vec::new();
    for (index, entrant) in entrants.iter().enumerate() {
        let (name, reference) = (entrant.engine.name(), (index > 0).then_some(&terrace.tick_ns[..]));
        let kind = if entrant.engine.is_exact() { "" } else { " (late)" };
        rows.push(Row::of("peers", format!("calm tick, {margin}: {name}{kind}"), "ns", &entrant.tick_ns, reference));
    }
    for (index, entrant) in entrants.iter().enumerate().filter(|_| !isolated) {
        let (name, reference) = (entrant.engine.name(), (index > 0).then_some(&terrace.fill_ns[..]));
        rows.push(Row::of("peers", format!("fill, {margin}: {name}"), "ns", &entrant.fill_ns, reference));
    }
    for rival in rivals.iter().filter(|rival| !rival.engine.is_exact()) {
        let (all, late, never) = late(terrace, rival);
        let what = format!("breaches of {all} found late or never, {margin}: {}", rival.engine.name());
        let mut row = Row::of("peers", what, "pools", &[(late + never) as f64], Some(&[all as f64]));
        row.ratio = Some((late + never) as f64 / all.max(1) as f64);
        rows.push(row);
    }
    rows
}
