//! What the threads of an engine owe each other, one protocol at a time, by loom: `scripts/loom`. Rings, bells, hatches and
//! what is shared are the engine's own; the loops around them repeat those of worker, seat and caller without the shards.
//!
//! A lost wake-up shows as a deadlock, a desk in two hands as a causality violation, a loop that burns its core instead of
//! waiting as too many branches.

use crate::engine::desk::Hatch;
use crate::engine::failure::{Failure, Shared};
use crate::engine::worker::push;
use crate::ring::tests::model::{explore_bounded, run};
use crate::ring::{Bell, Reader, Receiver, Sender, Wait, Writer, broadcast, queue};
use loom::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

type Thread = Box<dyn FnOnce()>;

/// In place of a desk: loom knows who may look at it.
type Paper = Box<Cell<u64>>;

fn shared(bells: &[&Bell]) -> Arc<Shared> {
    let shared = Arc::new(Shared::default());
    shared.know(bells.iter().map(|&bell| bell.clone()).collect());
    shared
}

/// What `Shared::guard` does after a panic: the ends are gone, then all are told.
fn die<T>(ends: T, shared: &Shared) {
    drop(ends);
    shared.fail(Failure::Journal("dies here".into()));
}

/// A bell that nobody waits by.
fn nobody() -> Bell {
    Bell::new(Wait::Spin)
}

/// The hatches of one worker.
#[derive(Clone)]
struct Hatches {
    to_arbiter: Hatch<Paper>,
    from_arbiter: Hatch<Paper>,
}

impl Hatches {
    fn new(arbiter: &Bell, worker: &Bell) -> Self {
        Self { to_arbiter: Hatch::new(arbiter), from_arbiter: Hatch::new(worker) }
    }

    /// As `Worker::hand_over` and `Worker::take_back`.
    fn halt(&self, paper: Paper, bell: &Bell, shared: &Shared) -> Option<Paper> {
        self.to_arbiter.give(paper);
        bell.wait(|| self.from_arbiter.is_waiting() || shared.has_failed());
        self.from_arbiter.take()
    }
}

/// As the seat does: takes what is there, until all are there; none if somebody has failed.
fn gather(hatches: &[Hatches], bell: &Bell, shared: &Shared) -> Option<Vec<Paper>> {
    let mut arrived: Vec<Option<Paper>> = hatches.iter().map(|_| None).collect();
    loop {
        for (paper, hatches) in arrived.iter_mut().zip(hatches) {
            if paper.is_none() {
                *paper = hatches.to_arbiter.take();
            }
        }
        if arrived.iter().all(Option::is_some) {
            return Some(arrived.into_iter().flatten().collect());
        }
        bell.wait(|| hatches.iter().any(|hatches| hatches.to_arbiter.is_waiting()) || shared.has_failed());
        if shared.has_failed() {
            return None;
        }
    }
}

fn write_on(paper: &Paper) {
    paper.set(paper.get() + 1);
}

/// Each worker gives its desk away and gets it back, so many times; nobody else touches it meanwhile.
fn desks_go_over_and_come_back(wait: Wait, workers: usize, times: u64) {
    let arbiter = Bell::new(wait);
    let bells: Vec<Bell> = (0..workers).map(|_| Bell::new(wait)).collect();
    let shared = shared(&bells.iter().chain([&arbiter]).collect::<Vec<_>>());
    let hatches: Vec<Hatches> = bells.iter().map(|bell| Hatches::new(&arbiter, bell)).collect();
    let mut threads: Vec<Thread> = Vec::new();
    for (bell, hatches) in bells.into_iter().zip(hatches.clone()) {
        let shared = Arc::clone(&shared);
        threads.push(Box::new(move || {
            let mut paper: Paper = Box::new(Cell::new(0));
            for time in 0..times {
                write_on(&paper);
                paper = hatches.halt(paper, &bell, &shared).expect("it comes back");
                assert_eq!(paper.get(), 2 * (time + 1));
            }
        }));
    }
    threads.push(Box::new(move || {
        for _ in 0..times {
            let papers = gather(&hatches, &arbiter, &shared).expect("nobody fails");
            papers.iter().for_each(write_on);
            for (paper, hatches) in papers.into_iter().zip(&hatches) {
                hatches.from_arbiter.give(paper);
            }
        }
    }));
    run(threads);
}

#[test]
fn a_desk_goes_over_and_comes_back_spinning() {
    explore_bounded(3, || desks_go_over_and_come_back(Wait::Spin, 1, 2));
}

#[test]
fn a_desk_goes_over_and_comes_back_parking() {
    explore_bounded(3, || desks_go_over_and_come_back(Wait::Park, 1, 2));
}

#[test]
fn two_desks_are_gathered() {
    explore_bounded(2, || desks_go_over_and_come_back(Wait::Park, 2, 1));
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A command that needs a decision, or not.
    Command {
        decision: bool,
    },
    Decide,
}

/// The caller's part: submits, puts decisions in, settles.
struct Caller {
    ring: Writer<Kind>,
    outputs: Receiver<u64>,
    shared: Arc<Shared>,
    bell: Bell,
    arbiter: Bell,
    decisions: u64,
    log: Vec<u64>,
}

impl Caller {
    fn publish(&mut self, kind: Kind) {
        self.ring.try_publish(kind).expect("the ring was found to have room");
        self.arbiter.ring();
    }

    fn lacks_decision(&self) -> bool {
        self.shared.wanted() > self.decisions
    }

    fn work(&mut self) {
        let before = self.log.len();
        while let Some(output) = self.outputs.pop() {
            self.log.push(output);
        }
        if self.log.len() > before {
            self.arbiter.ring();
        }
        if self.lacks_decision() && !self.ring.is_full() {
            self.publish(Kind::Decide);
            self.decisions += 1;
        }
    }

    fn settle(&mut self) -> Result<(), Failure> {
        loop {
            self.work();
            if let Some(failure) = self.shared.failure() {
                return Err(failure);
            }
            if self.shared.settled() == self.ring.place() && !self.lacks_decision() {
                self.work();
                return Ok(());
            }
            let Self { bell, shared, outputs, decisions, ring, .. } = self;
            bell.wait(|| {
                shared.has_failed()
                    || outputs.peek().is_some()
                    || (shared.wanted() > *decisions && !ring.is_full())
                    || shared.settled() == ring.place()
            });
        }
    }
}

/// The seat's part, on a thread of its own.
struct Arbiter {
    ring: Reader<Kind>,
    outputs: Sender<u64>,
    shared: Arc<Shared>,
    bell: Bell,
    caller: Bell,
    outbox: VecDeque<u64>,
    awaits_decision: bool,
    settled: u64,
}

impl Arbiter {
    fn flush(&mut self) -> bool {
        let done = self.outputs.push_from(&mut self.outbox);
        if !done {
            self.caller.ring();
        }
        done
    }

    fn tell_settled(&mut self) {
        let place = self.ring.place();
        if !self.awaits_decision && self.settled != place {
            self.settled = place;
            self.shared.tell_settled(place, place, place);
            self.caller.ring();
        }
    }

    fn step(&mut self) -> bool {
        if !self.flush() {
            return false;
        }
        self.tell_settled();
        let Some(&kind) = self.ring.peek() else { return false };
        self.outbox.push_back(self.ring.place());
        match kind {
            Kind::Command { decision } if decision && !self.awaits_decision => {
                self.awaits_decision = true;
                self.shared.want_decision();
                self.caller.ring();
            }
            Kind::Command { .. } => {}
            Kind::Decide => self.awaits_decision = false,
        }
        self.ring.advance();
        self.ring.release();
        self.caller.ring();
        true
    }

    /// Works until it has told all places before `end`.
    fn run(mut self, end: u64) {
        while self.settled < end {
            if !self.step() && self.settled < end {
                let Self { bell, ring, outputs, outbox, .. } = &mut self;
                bell.wait(|| if outbox.is_empty() { ring.peek().is_some() } else { !outputs.is_full() });
            }
        }
    }
}

/// The caller submits these and settles: every decision that was wanted is made, and all that was told is there.
fn settled(wait: Wait, ring: usize, commands: &'static [bool]) {
    let (writer, mut readers) = broadcast(ring, 1);
    let (outputs, log) = queue(2);
    let (caller, arbiter) = (Bell::new(wait), Bell::new(wait));
    let shared = shared(&[&caller, &arbiter]);
    let seat = Arbiter {
        ring: readers.remove(0),
        outputs,
        shared: Arc::clone(&shared),
        bell: arbiter.clone(),
        caller: caller.clone(),
        outbox: VecDeque::new(),
        awaits_decision: false,
        settled: 0,
    };
    let wanted = u64::from(commands.contains(&true));
    let places = commands.len() as u64 + wanted;
    let mut caller =
        Caller { ring: writer, outputs: log, shared, bell: caller, arbiter, decisions: 0, log: Vec::new() };
    run([
        Box::new(move || seat.run(places)) as Thread,
        Box::new(move || {
            for &decision in commands {
                caller.publish(Kind::Command { decision });
            }
            caller.settle().expect("nobody fails");
            assert_eq!((caller.decisions, caller.ring.place()), (wanted, places));
            assert_eq!(caller.log, (0..places).collect::<Vec<_>>());
            assert_eq!(caller.shared.now_ns(), places);
        }),
    ]);
}

#[test]
fn a_decision_is_made_before_all_is_settled_spinning() {
    explore_bounded(2, || settled(Wait::Spin, 2, &[true]));
}

#[test]
fn a_decision_is_made_before_all_is_settled_parking() {
    explore_bounded(2, || settled(Wait::Park, 2, &[true]));
}

/// The decision waits for room in the ring, and the third output for room in the queue.
#[test]
fn a_decision_waits_for_room() {
    explore_bounded(2, || settled(Wait::Park, 2, &[true, false]));
}

/// A worker waits for room for its reports; the arbiter takes one at the most, and dies.
#[test]
fn a_worker_that_waits_for_room_ends_with_the_arbiter() {
    for wait in Wait::ALL {
        explore_bounded(3, move || {
            let (mut reports, mut told) = queue(2);
            let worker = Bell::new(wait);
            let shared = shared(&[&worker]);
            let (to_worker, failing) = (worker.clone(), Arc::clone(&shared));
            run([
                Box::new(move || {
                    if told.pop().is_some() {
                        to_worker.ring();
                    }
                    die(told, &failing);
                }) as Thread,
                Box::new(move || {
                    let bells = [nobody(), nobody()];
                    (0..4u64).for_each(|number| push(&mut reports, number, &worker, &bells, &shared));
                    // The last found no room; the end of the queue may be seen before the failure.
                    worker.wait(|| shared.has_failed());
                    assert!(shared.failure().is_some());
                }),
            ]);
        });
    }
}

/// A worker waits for its desk and the arbiter for another worker's, which dies.
#[test]
fn who_waits_for_a_desk_ends_with_the_worker() {
    explore_bounded(2, || {
        let (arbiter, living, dying) = (Bell::new(Wait::Park), Bell::new(Wait::Park), Bell::new(Wait::Park));
        let shared = shared(&[&living, &dying, &arbiter]);
        let hatches = [Hatches::new(&arbiter, &living), Hatches::new(&arbiter, &dying)];
        let all = [&shared; 3].map(Arc::clone);
        let [for_living, for_dying, for_arbiter] = all;
        let of_living = hatches[0].clone();
        let of_dying = hatches[1].clone();
        run([
            Box::new(move || {
                assert!(of_living.halt(Box::new(Cell::new(0)), &living, &for_living).is_none());
            }) as Thread,
            Box::new(move || die(of_dying, &for_dying)),
            Box::new(move || assert!(gather(&hatches, &arbiter, &for_arbiter).is_none())),
        ]);
    });
}

/// The caller waits for room or for all to be settled, another worker for input; the one that the ring waits for dies.
#[test]
fn who_waits_for_the_ring_ends_with_the_worker() {
    explore_bounded(2, || {
        let (mut ring, mut readers) = broadcast::<u64>(2, 2);
        let (caller, living) = (Bell::new(Wait::Park), Bell::new(Wait::Park));
        let shared = shared(&[&living, &caller]);
        let (dying, mut reader) = (readers.remove(0), readers.remove(0));
        let [for_living, for_dying, for_caller] = [&shared; 3].map(Arc::clone);
        let (to_living, to_caller) = (living.clone(), caller.clone());
        run([
            Box::new(move || {
                // As Worker::run.
                loop {
                    while reader.peek().is_some() {
                        reader.advance();
                    }
                    reader.release();
                    to_caller.ring();
                    living.wait(|| reader.peek().is_some() || for_living.has_failed() || reader.is_closed());
                    if reader.peek().is_none() && (for_living.has_failed() || reader.is_closed()) {
                        return;
                    }
                }
            }) as Thread,
            Box::new(move || die(dying, &for_dying)),
            Box::new(move || {
                for number in 0..3 {
                    caller.wait(|| !ring.is_full() || for_caller.has_failed());
                    if for_caller.has_failed() {
                        break;
                    }
                    ring.try_publish(number).expect("there was room");
                    to_living.ring();
                }
                caller.wait(|| for_caller.has_failed());
                assert!(for_caller.failure().is_some());
            }),
        ]);
    });
}

/// Two die at once: one of them is told, to everybody the same.
#[test]
fn one_failure_counts() {
    explore_bounded(3, || {
        let shared = shared(&[]);
        let mut threads: Vec<Thread> = Vec::new();
        for name in ["one", "other"] {
            let shared = Arc::clone(&shared);
            threads.push(Box::new(move || {
                shared.fail(Failure::Journal(name.into()));
                assert!(shared.failure().is_some());
            }));
        }
        threads.push(Box::new(move || {
            let first = shared.failure();
            assert!(first.is_none() || first == shared.failure());
        }));
        run(threads);
    });
}
