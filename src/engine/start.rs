//! Starting: rings, queues, threads.

use super::cores::{Layout, Shape, StartError, pin};
use super::desk::{Desk, Hatch};
use super::failure::Shared;
use super::memory::Memory;
use super::seat::{Colleague, Seat};
use super::slot::{Asked, Outgoing, Slot, Told};
use super::trace::Trace;
use super::worker::{Worker, WorkerOutbox};
use super::{Engine, Heartbeat};
use crate::kernel::Kernel;
use crate::map::Set;
use crate::market::{InstrumentId, Market};
use crate::ring::sync::mpsc;
use crate::ring::sync::threads::{self, JoinHandle};
use crate::ring::{Bell, Reader, Receiver, broadcast, queue};
use crossbeam::queue::ArrayQueue;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How an engine is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSettings {
    /// Threads, cores, waiting.
    pub layout: Layout,
    /// Places in the ring: a power of two.
    pub ring: usize,
    /// Room in each queue: a power of two.
    pub queue: usize,
    /// Whether the sequence is kept in memory.
    pub record: bool,
    /// Whether inputs count on from those of the kernel's log, as after a restart; else from 1.
    pub goes_on: bool,
    /// Whether requests to the venue say when they were decided.
    pub stamps: bool,
    /// Room for so many stamps of the stages of orders, on each thread ([`Finished::stamps`](super::Finished)); 0: none are
    /// taken. Stamping costs a clock at every place: for those who measure.
    pub trace: usize,
    /// What is done to the memory of the process at the start.
    pub memory: Memory,
    /// After so long without an input the sequencer tells the time itself (since the epoch).
    pub heartbeat: Option<Duration>,
    /// A worker that panics at a place: for tests of what happens then.
    #[doc(hidden)]
    pub panic_at: Option<(u32, u64)>,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            layout: Layout::default(),
            ring: DEFAULT_RING,
            queue: 1 << 12,
            record: false,
            goes_on: false,
            stamps: false,
            trace: 0,
            memory: Memory::AsItComes,
            heartbeat: None,
            panic_at: None,
        }
    }
}

/// Places in the ring, unless asked otherwise.
pub(crate) const DEFAULT_RING: usize = 1 << 14;

/// Declarations, books and questions under way at the most.
const ASIDES: usize = 1 << 10;

impl Engine {
    /// Starts threads over a kernel, which has one shard for each worker.
    ///
    /// # Errors
    ///
    /// [`StartError`]: nothing runs then.
    pub fn start(kernel: Kernel, settings: &EngineSettings) -> Result<Self, StartError> {
        let shape = Shape::choose(&settings.layout)?;
        Self::start_shaped(kernel, settings, &shape)
    }

    /// As [`Engine::start`], with a shape that was chosen before, so that the kernel could be given as many shards.
    ///
    /// # Errors
    ///
    /// [`StartError`]: nothing runs then.
    pub fn start_shaped(kernel: Kernel, settings: &EngineSettings, shape: &Shape) -> Result<Self, StartError> {
        check(&kernel, settings, shape)?;
        pin(shape.caller_core(), "sequencer")?;
        let (mut engine, seat, workers) = build(kernel, settings, shape, &|| Bell::new(shape.wait));
        settings.memory.prepare()?;
        for worker in workers {
            let (shared, core, name) = (Arc::clone(&engine.shared), shape.worker_core(worker.number), worker.name());
            let guarded = name.clone();
            engine.workers.push(spawn(&name, core, move || shared.guard(&guarded, || worker.run()))?);
        }
        if shape.apart {
            let (shared, bell) = (Arc::clone(&engine.shared), seat.bell.clone());
            let run = move || shared.guard("the arbiter", || seat.run(&bell));
            engine.arbiter = Some(spawn("arbiter", shape.arbiter_core(), run)?);
        } else {
            engine.seat = Some(seat);
        }
        Ok(engine)
    }
}

/// What all ends have in common.
struct Common {
    shared: Arc<Shared>,
    caller: Bell,
    arbiter: Bell,
    /// The start of all stamps; none: no stamps are taken.
    stamps: Option<Instant>,
    /// Inputs of the kernel that its log does not count.
    first: u64,
    /// The number of the last input before the first place.
    seq: u64,
    epoch: Instant,
    traces: Arc<ArrayQueue<Box<Trace>>>,
}

/// Makes rings, queues, and those at their ends.
pub(super) fn build(
    mut kernel: Kernel,
    settings: &EngineSettings,
    shape: &Shape,
    bell: &dyn Fn() -> Bell,
) -> (Engine, Box<Seat>, Vec<Worker>) {
    let epoch = Instant::now();
    let Facts { known, in_order, hedging, interest } = facts(&kernel);
    let caller = bell();
    let seq = if settings.goes_on { kernel.seq() } else { 0 };
    let common = Common {
        shared: Arc::new(Shared::default()),
        arbiter: if shape.apart { bell() } else { caller.clone() },
        caller,
        stamps: settings.stamps.then_some(epoch),
        first: kernel.inputs().saturating_sub(seq),
        seq,
        epoch,
        traces: Arc::new(ArrayQueue::new(shape.workers as usize)),
    };
    let bells: Vec<Bell> = (0..shape.workers).map(|_| bell()).collect();
    common.shared.know([bells.as_slice(), &[common.caller.clone(), common.arbiter.clone()]].concat());
    let (market, now_ns) = (kernel.market().clone(), kernel.now_ns());
    kernel.clear_events(); // of its last input, which is no matter of the engine
    common.shared.begin(common.seq, now_ns);
    let (rounds, shards) = kernel.into_parts();
    let (ring, mut readers) = broadcast::<Slot>(settings.ring, shape.workers as usize + 1);
    let ring_of_seat = readers.remove(0);
    let (outputs, log) = queue::<Outgoing>(settings.queue);
    let asides = Arc::new(ArrayQueue::new(ASIDES));
    let (mut workers, mut colleagues, mut venue) = (Vec::new(), Vec::new(), Vec::new());
    for (((number, ring), shard), bell) in (0..).zip(readers).zip(shards).zip(&bells) {
        let desk = Desk { market: Box::new(market.clone()), shard };
        let (worker, colleague, requests) = man(number, ring, desk, bell, settings, &common);
        workers.push(worker);
        colleagues.push(colleague);
        venue.push(requests);
    }
    let others = bells.into_iter().chain(shape.apart.then(|| common.arbiter.clone())).collect();
    let mut seat = Box::new(Seat {
        rounds,
        ring: ring_of_seat,
        asides: Arc::clone(&asides),
        markets: colleagues.iter().map(|_| None).collect(),
        arrived: colleagues.iter().map(|_| None).collect(),
        shards: Vec::with_capacity(colleagues.len()),
        colleagues,
        outputs,
        shared: Arc::clone(&common.shared),
        bell: common.arbiter,
        caller: common.caller.clone(),
        outbox: VecDeque::with_capacity(settings.queue),
        epoch: common.stamps,
        seq: common.seq,
        refusal: None,
        awaits_decision: false,
        begun_place: None,
        holds_begun: false,
        input_ns: 0,
        settled: 0,
        records: settings.record,
        trace: Trace::new(epoch, settings.trace),
    });
    seat.rounds.keeps_answers = settings.record;
    let engine = Engine {
        market: Market { only_bounds: true, ..market },
        known,
        hedging,
        in_order,
        interest,
        now_ns,
        seq: common.seq,
        first: common.first,
        ring,
        asides,
        venue,
        outputs: log,
        shared: common.shared,
        seat: None,
        arbiter: None,
        workers: Vec::new(),
        hands: None,
        bell: common.caller,
        others,
        decisions: 0,
        next_piece_at: 0,
        settlement_at: None,
        epoch,
        heartbeat: settings.heartbeat.map(|every| Heartbeat { every, clock_ns: since_the_epoch }),
        last_submission: Instant::now(),
        record: settings.record.then(Vec::new),
        #[cfg(feature = "journal")]
        journal: None,
        undecided: VecDeque::new(),
        answers: Vec::new(),
        outbox: VecDeque::with_capacity(settings.queue),
        requests: VecDeque::with_capacity(settings.queue),
        events: Vec::new(),
        full: 0,
        heartbeats: 0,
        published_ns: 0,
        traced: settings.trace > 0,
        traces: common.traces,
        shape: shape.clone(),
    };
    (engine, seat, workers)
}

/// A worker with its queues, and the other ends of these.
fn man(
    number: u32,
    ring: Reader<Slot>,
    desk: Desk,
    bell: &Bell,
    settings: &EngineSettings,
    common: &Common,
) -> (Worker, Colleague, Receiver<Asked>) {
    let (reports, told) = queue::<Told>(settings.queue);
    let (venue, requests) = queue::<Asked>(settings.queue);
    let (to_arbiter, from_arbiter) = (Hatch::new(&common.arbiter), Hatch::new(bell));
    let colleague = Colleague {
        cursor: ring.watch(),
        reports: told,
        to_arbiter: to_arbiter.clone(),
        from_arbiter: from_arbiter.clone(),
        bell: bell.clone(),
    };
    let outbox = WorkerOutbox {
        place: 0,
        accepted: common.first,
        reports,
        venue,
        bells: [common.arbiter.clone(), common.caller.clone()],
        own_bell: bell.clone(),
        shared: Arc::clone(&common.shared),
        epoch: common.stamps,
        trace: Trace::new(common.epoch, settings.trace),
        told: false,
    };
    let worker = Worker {
        number,
        ring,
        outbox,
        desk: Some(desk),
        passed: 0,
        to_arbiter,
        from_arbiter,
        bell: bell.clone(),
        shared: Arc::clone(&common.shared),
        traces: Arc::clone(&common.traces),
        panic_at: settings.panic_at.and_then(|(worker, place)| (worker == number).then_some(place)),
    };
    (worker, colleague, requests)
}

pub(super) fn check(kernel: &Kernel, settings: &EngineSettings, shape: &Shape) -> Result<(), StartError> {
    let (shards, workers) = (kernel.shards(), shape.workers as usize);
    if shards != workers {
        return Err(StartError::Shards { shards, workers });
    }
    let bad = [settings.ring, settings.queue].into_iter().find(|&room| room < 2 || !room.is_power_of_two());
    bad.map_or(Ok(()), |room| Err(StartError::Capacity(room)))
}

/// What the sequencer needs to know of the accounts as a whole.
struct Facts {
    known: Set<u64>,
    in_order: BTreeSet<u64>,
    hedging: Set<u64>,
    interest: Vec<i64>,
}

fn facts(kernel: &Kernel) -> Facts {
    let instruments = 0..kernel.market().instruments.len() as u32;
    let accounts = kernel.accounts();
    Facts {
        known: accounts.iter().copied().collect(),
        in_order: accounts.into_iter().collect(),
        hedging: kernel.hedging().into_iter().collect(),
        interest: instruments.map(|index| kernel.open_interest_of(InstrumentId(index))).collect(),
    }
}

/// Starts a thread, and waits until it is pinned.
fn spawn<T: Send + 'static>(
    name: &str,
    core: Option<usize>,
    run: impl FnOnce() -> Option<T> + Send + 'static,
) -> Result<JoinHandle<Option<T>>, StartError> {
    let (tell, told) = mpsc::channel();
    let thread = name.to_owned();
    let body = move || {
        let pinned = pin(core, &thread);
        let may_run = pinned.is_ok();
        let _ = tell.send(pinned); // the starter waits for it
        if may_run { run() } else { None }
    };
    let failed = |reason: String| StartError::Thread { thread: name.to_owned(), reason };
    let handle = threads::Builder::new().name(name.to_owned()).spawn(body);
    let handle = handle.map_err(|error| failed(error.to_string()))?;
    told.recv().map_err(|error| failed(error.to_string()))??;
    Ok(handle)
}

fn since_the_epoch() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_nanos() as u64)
}
