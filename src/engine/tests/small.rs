//! A whole engine, small enough for Miri (`scripts/miri`): declarations, fills, marks, liquidations, decisions, questions,
//! the end. It must tell what the inline kernel tells.

use super::world::{commands, instrument, kernel};
use crate::engine::{Engine, EngineSettings, Layout, Output, Pinning, SubmitError, replay};
use crate::{Driver, Event, OffGrid, Wait};

fn start(layout: &Layout) -> Engine {
    let settings =
        EngineSettings { layout: layout.clone(), ring: 4, queue: 4, record: true, ..EngineSettings::default() };
    Engine::start(kernel(layout.workers.unwrap()), &settings).unwrap()
}

fn layouts() -> Vec<Layout> {
    let shapes = [(1, false, Wait::Yield), (1, false, Wait::Park), (2, true, Wait::Park)];
    let layout = |(workers, apart, wait)| Layout {
        workers: Some(workers),
        apart: Some(apart),
        wait: Some(wait),
        pinning: Pinning::Off,
    };
    shapes.map(layout).to_vec()
}

#[test]
fn in_lockstep_it_tells_what_the_inline_kernel_tells() {
    for layout in layouts() {
        let (mut engine, mut inline) = (start(&layout), kernel(1));
        Driver::declare(&mut engine, None, &instrument()).unwrap();
        Driver::declare(&mut inline, None, &instrument()).unwrap();
        let mut liquidated = false;
        for command in commands() {
            let told = Driver::command(&mut engine, None, &command, OffGrid::NONE);
            assert_eq!(told, Driver::command(&mut inline, None, &command, OffGrid::NONE), "{command:?}");
            assert_eq!(Driver::events(&engine), Driver::events(&inline), "{command:?}");
            liquidated |= engine.events().iter().any(|event| matches!(event, Event::LiquidationEnded { .. }));
        }
        assert!(liquidated);
        let accounts = engine.ask(|overview| overview.accounts().len()).unwrap();
        assert_eq!(accounts, 2);
        let finished = engine.stop();
        assert_eq!(finished.failure, None);
        assert_eq!(finished.kernel.unwrap().asset_totals(), inline.asset_totals());
    }
}

/// Streamed, and moved to another thread on the way.
#[test]
fn in_a_stream_it_tells_what_its_record_tells() {
    for layout in layouts() {
        let mut engine = start(&layout);
        engine.submit_declaration(None, &instrument()).unwrap();
        let mut log: Vec<Output> = Vec::new();
        for half in [0, 1] {
            let stream = move || {
                for command in commands().into_iter().skip(4 * half).take(4) {
                    while let Err(error) = engine.submit(&command) {
                        assert_eq!(error, SubmitError::Full, "{command:?}");
                        engine.poll(|_| {}, |&output| log.push(output));
                    }
                }
                engine.settle().unwrap();
                (engine, log)
            };
            (engine, log) = std::thread::spawn(stream).join().unwrap();
        }
        let finished = engine.stop();
        assert_eq!(finished.failure, None);
        log.extend(finished.log);
        let mut told = Vec::new();
        replay(&mut kernel(1), &finished.record.unwrap(), |output| told.push(output)).unwrap();
        assert_eq!(log, told);
        assert!(log.iter().any(|output| matches!(output, Output::Event { event: Event::LiquidationEnded { .. }, .. })));
    }
}
