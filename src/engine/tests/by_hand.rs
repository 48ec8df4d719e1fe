//! An engine without threads: a test moves each worker and the arbiter, so that one of them is late where it says so.

use super::world::{commands, instrument, kernel};
use crate::engine::seat::{Seat, Step};
use crate::engine::slot::Outgoing;
use crate::engine::start::build;
use crate::engine::worker::Worker;
use crate::engine::{Engine, EngineSettings, Output, Shape};
use crate::ring::Bell;
use crate::{Command, Declaration, Driver, Event, OffGrid};

/// Two workers; everything is declared and filled. Published are so many marks that fall, and one more that concerns nobody.
fn engine(falling: usize) -> (Engine, Box<Seat>, Vec<Worker>) {
    let mut kernel = kernel(2);
    let mut declaration = instrument();
    let Declaration::Instrument(spec) = &mut declaration else { unreachable!("an instrument is declared") };
    spec.controls.margin_calls = vec![500_000_000];
    Driver::declare(&mut kernel, None, &declaration).unwrap();
    let all = commands();
    let (before, marks) = all.split_at(all.len() - 3);
    for command in before {
        Driver::command(&mut kernel, None, command, OffGrid::NONE).unwrap();
    }
    let shape = Shape::by_hand(2, true);
    let (mut engine, seat, workers) = build(kernel, &EngineSettings::default(), &shape, &Bell::by_hand);
    for command in &marks[..falling] {
        engine.submit(command).unwrap();
    }
    let Command::Mark { instrument, price } = marks[falling - 1] else { unreachable!("a mark is last") };
    engine.submit(&Command::Mark { instrument, price: price - 10 }).unwrap();
    (engine, seat, workers)
}

/// One input further, of which it says at once that it is behind.
fn work(worker: &mut Worker) {
    assert_eq!(worker.step(), Step::Done);
    worker.release();
}

/// The log, as far as the seat comes: a decision would be the sequencer's to put in.
fn log(engine: &mut Engine, mut seat: Box<Seat>) -> Vec<Output> {
    let mut told = Vec::new();
    while seat.step() == Step::Done {}
    while let Some(outgoing) = engine.outputs.pop() {
        if let Outgoing::Output(output) = outgoing {
            told.push(output);
        }
    }
    told
}

#[test]
fn a_worker_that_is_late_does_not_show() {
    // To the second mark a worker says a margin call, to the third the breach.
    for falling in [2, 3] {
        let places = falling + 1;
        let (mut one, seat, mut workers) = engine(falling);
        for _ in 0..places {
            workers.iter_mut().for_each(work);
        }
        let in_time = log(&mut one, seat);
        let tells = |output: &Output| match output {
            Output::Event { seq, event: Event::MarginCall { .. } } => *seq == 2,
            Output::Event { seq, event: Event::LiquidationStarted { .. } } => *seq == 3,
            _ => false,
        };
        assert_eq!(in_time.iter().filter(|output| tells(output)).count(), falling - 1, "{in_time:?}");
        for late in [0, 1] {
            let (mut one, mut seat, mut workers) = engine(falling);
            workers.iter_mut().for_each(|worker| (1..falling).for_each(|_| work(worker)));
            work(&mut workers[1 - late]);
            while seat.step() == Step::Done {}
            (0..2).for_each(|_| work(&mut workers[late]));
            work(&mut workers[1 - late]);
            assert_eq!(log(&mut one, seat), in_time, "worker {late} is late");
        }
    }
}
