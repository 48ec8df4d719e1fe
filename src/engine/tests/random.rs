//! Whole engines under shuttle, which chooses at every step who goes on: `scripts/shuttle`. Loom's small protocols are gone
//! through in all orders; these are too large for that, and are drawn.
//!
//! A lost wake-up shows as a deadlock; what depends on the order of threads as a log that is not its record's.

use super::world::{commands, instrument, kernel};
use crate::engine::{Engine, EngineSettings, Failure, Layout, Output, Pinning, SubmitError, replay};
use crate::{Command, Event, Wait};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

/// How many interleavings of each: `TERRACE_INTERLEAVINGS`.
fn interleavings() -> usize {
    std::env::var("TERRACE_INTERLEAVINGS").ok().and_then(|text| text.parse().ok()).unwrap_or(200)
}

/// Workers, the arbiter on a thread of its own, and how all wait.
type Shape = (u32, bool, Wait);

/// Spinning engines are drawn evenly alone: a scheduler with priorities would let one spin for ever.
const SHAPES: [(Shape, bool); 5] = [
    ((1, false, Wait::Park), true),
    ((2, false, Wait::Park), true),
    ((2, true, Wait::Park), true),
    ((2, true, Wait::Yield), false),
    ((1, false, Wait::Spin), false),
];

fn explore(test: impl Fn(Shape) + Clone + Send + Sync + 'static) {
    for (shape, by_priority) in SHAPES {
        let mut ran = run(RandomScheduler::new(interleavings()), shape, test.clone());
        if by_priority {
            ran += run(PctScheduler::new(3, interleavings()), shape, test.clone());
        }
        println!("{ran} interleavings of {shape:?}");
    }
}

fn run(scheduler: impl Scheduler + 'static, shape: Shape, test: impl Fn(Shape) + Send + Sync + 'static) -> usize {
    let mut config = Config::new();
    config.stack_size = 1 << 20; // a thread's kernel does not fit into the usual one
    Runner::new(scheduler, config).run(move || test(shape))
}

fn start((workers, apart, wait): Shape, panic_at: Option<(u32, u64)>) -> Engine {
    let layout = Layout { workers: Some(workers), apart: Some(apart), wait: Some(wait), pinning: Pinning::Off };
    let settings = EngineSettings { layout, ring: 4, queue: 4, record: true, panic_at, ..EngineSettings::default() };
    Engine::start(kernel(workers), &settings).unwrap()
}

/// Submits as soon as there is room; whether the engine took it.
fn submit(engine: &mut Engine, command: &Command, log: &mut Vec<Output>) -> bool {
    loop {
        match engine.submit(command) {
            Ok(_) => return true,
            Err(SubmitError::Full) => engine.poll(|_| {}, |&output| log.push(output)),
            Err(_) => return false,
        }
        shuttle::thread::yield_now();
    }
}

/// Marks that liquidate somebody while others trade, without waiting for anything: the log is that of its record, and a
/// question in between has its answer.
#[test]
fn a_stream_tells_what_its_record_tells() {
    explore(|shape| {
        let mut engine = start(shape, None);
        engine.submit_declaration(None, &instrument()).unwrap();
        let mut log = Vec::new();
        for (at, command) in commands().iter().enumerate() {
            assert!(submit(&mut engine, command, &mut log), "{command:?}");
            if at == 4 {
                assert_eq!(engine.ask(|overview| overview.accounts().len()).unwrap(), 2);
            }
        }
        let finished = engine.stop();
        assert_eq!(finished.failure, None);
        log.extend(finished.log);
        let mut told = Vec::new();
        replay(&mut kernel(1), &finished.record.unwrap(), |output| told.push(output)).unwrap();
        assert_eq!(log, told);
        assert!(log.iter().any(|output| matches!(output, Output::Event { event: Event::LiquidationEnded { .. }, .. })));
    });
}

/// A worker that panics at any place ends everybody, and it is told who it was.
#[test]
fn a_panic_ends_everybody() {
    explore(|shape| {
        let mut engine = start(shape, Some((0, 5)));
        let _ = engine.submit_declaration(None, &instrument());
        let mut log = Vec::new();
        for command in commands() {
            if !submit(&mut engine, &command, &mut log) {
                break;
            }
        }
        let finished = engine.stop();
        assert!(matches!(&finished.failure, Some(Failure::Panicked { thread, .. }) if thread == "worker 0"));
        assert!(finished.kernel.is_none());
    });
}

/// Who lets go of an engine in the middle of its work waits for its threads.
#[test]
fn an_engine_that_is_dropped_ends() {
    explore(|shape| {
        let mut engine = start(shape, None);
        engine.submit_declaration(None, &instrument()).unwrap();
        let mut log = Vec::new();
        for command in commands() {
            assert!(submit(&mut engine, &command, &mut log));
        }
        drop(engine);
    });
}
