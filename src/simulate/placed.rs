//! Where the kernel of a process is: inline, or on the engine's workers and arbiter, which a schedule moves in place of threads.

use super::dice::Dice;
use crate::driver::{Driver, Input, Recorder};
use crate::engine::{Engine, EngineSettings, Entry, Layout, StartError};
use crate::event::Event;
use crate::kernel::{Kernel, Overview, Settings};
use crate::market::Market;
use crate::refusal::Refusal;
use crate::shard::Strategy;

/// How the next process has its kernel: of any shape, since that never shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) kernel: Settings,
    /// From what the schedule is drawn, and whether the arbiter is apart from the sequencer; none: inline.
    pub(super) schedule: Option<(u64, bool)>,
}

impl Shape {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let kernel = kernel_settings(dice);
        let schedule = dice.chance(40).then(|| (dice.roll(), dice.chance(50)));
        Self { kernel, schedule }
    }
}

/// A kernel of any shape.
pub(super) fn kernel_settings(dice: &mut Dice) -> Settings {
    let shards = 1 + dice.below(4) as u32;
    let strategy = *dice.pick(&[Strategy::Bands, Strategy::Sweep, Strategy::Dense, Strategy::Adaptive]);
    Settings { shards, strategy, ..Settings::default() }
}

/// A kernel, where it is.
pub(super) enum Placed {
    Inline(Box<Kernel>),
    Engine(Box<Engine>),
}

/// Places in the ring: few, so that it is full at times.
const RING: usize = 8;

/// Room for what a worker tells of as many places.
const QUEUE: usize = 1 << 10;

impl Placed {
    /// Why it does nothing any more.
    pub(super) fn failure(&self) -> String {
        match self {
            Self::Engine(engine) if let Some(failure) = engine.failure() => failure.to_string(),
            _ => "the kernel has stopped".to_owned(),
        }
    }

    pub(super) fn place(kernel: Kernel, shape: Shape) -> Result<Self, StartError> {
        if shape.schedule.is_none() {
            return Ok(Self::Inline(Box::new(kernel)));
        }
        by_hand(kernel, shape, RING).map(|engine| Self::Engine(Box::new(engine)))
    }
}

/// An engine that goes on with this kernel and keeps the sequence, moved by hand.
pub(super) fn by_hand(kernel: Kernel, shape: Shape, ring: usize) -> Result<Engine, StartError> {
    let (seed, apart) = shape.schedule.unwrap_or_default();
    let settings = EngineSettings {
        layout: Layout { apart: Some(apart), ..Layout::default() },
        ring,
        queue: QUEUE,
        record: true,
        goes_on: true,
        ..EngineSettings::default()
    };
    Engine::by_hand(kernel, &settings, schedule(seed))
}

/// Who goes on next: anybody but one who is stalled for a while, and does nothing as long as another can.
fn schedule(seed: u64) -> impl FnMut(usize) -> usize {
    let mut dice = Dice::new(seed, 0);
    let (mut stalled, mut turns) = (0, 0);
    move |all| {
        if turns == 0 {
            (stalled, turns) = (dice.below(2 * all as u64) as usize, 1 + dice.below(40));
        }
        turns -= 1;
        let next = dice.below(all as u64) as usize;
        if next == stalled { next + 1 } else { next }
    }
}

/// Hands a call on to whichever it is.
macro_rules! hand_on {
    ($placed:expr, $driver:ident => $call:expr) => {
        match $placed {
            Placed::Inline($driver) => $call,
            Placed::Engine($driver) => $call,
        }
    };
}

impl Driver for Placed {
    fn market(&self) -> &Market {
        hand_on!(self, driver => Driver::market(&**driver))
    }

    fn now_ns(&self) -> u64 {
        hand_on!(self, driver => Driver::now_ns(&**driver))
    }

    fn pass_time(&mut self, ts_ns: Option<u64>) {
        hand_on!(self, driver => Driver::pass_time(&mut **driver, ts_ns));
    }

    fn events(&self) -> &[Event] {
        hand_on!(self, driver => Driver::events(&**driver))
    }

    fn carry_out(&mut self, ts_ns: Option<u64>, input: &Input<'_>) -> Result<(), Refusal> {
        hand_on!(self, driver => Driver::carry_out(&mut **driver, ts_ns, input))
    }

    fn ask<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(Overview<'_>) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        hand_on!(self, driver => Driver::ask(&mut **driver, question))
    }
}

impl Recorder for Placed {
    fn take_record(&mut self) -> Vec<Entry> {
        hand_on!(self, driver => Recorder::take_record(&mut **driver))
    }
}
