//! An engine without threads: whoever waits for it moves its workers and its arbiter, one place at a time, in an order that the caller
//! draws. What each of them does is what it does on its thread; so a simulation can have them as late as it likes, and has the same run
//! again from the same draws.

use super::cores::{Shape, StartError};
use super::desk::Desk;
use super::failure::{Shared, guarded};
use super::seat::{Seat, Step};
use super::start::{build, check};
use super::worker::Worker;
use super::{Engine, EngineSettings};
use crate::kernel::Kernel;
use crate::ring::Bell;
use std::sync::Arc;

/// Says who of so many goes on next, from 0; if that one cannot, the next who can does.
type Draw = Box<dyn FnMut(usize) -> usize + Send>;

/// Those who would have threads of their own.
pub(super) struct Hands {
    workers: Vec<Worker>,
    /// None where the caller's thread has it.
    arbiter: Option<Box<Seat>>,
    draw: Draw,
    shared: Arc<Shared>,
}

impl Engine {
    /// An engine over a kernel that starts no thread: [`Engine::settle`] and whatever else waits moves a worker or the arbiter instead, and
    /// [`Engine::go_on_by_hand`] does so where a caller that streams wants it. `draw` is asked who of so many (first the workers, then
    /// the arbiter if it is apart) is to go on. There is a worker for each shard of the kernel; of the layout of the settings counts `apart` alone, which is
    /// false unless asked for.
    ///
    /// Nobody can wait for room in the midst of a place: a queue must hold what a worker tells of all places in the ring, else the engine
    /// [fails](super::Failure::Panicked).
    ///
    /// # Errors
    ///
    /// [`StartError`]: the room of the ring or of the queues is no power of two.
    pub fn by_hand(
        kernel: Kernel,
        settings: &EngineSettings,
        draw: impl FnMut(usize) -> usize + Send + 'static,
    ) -> Result<Self, StartError> {
        let shape = Shape::by_hand(kernel.shards() as u32, settings.layout.apart.unwrap_or(false));
        check(&kernel, settings, &shape)?;
        let (mut engine, seat, workers) = build(kernel, settings, &shape, &Bell::by_hand);
        let shared = Arc::clone(&engine.shared);
        let (arbiter, own) = if shape.apart { (Some(seat), None) } else { (None, Some(seat)) };
        engine.seat = own;
        engine.hands = Some(Hands { workers, arbiter, draw: Box::new(draw), shared });
        Ok(engine)
    }

    /// Where the engine is moved by hand: a worker or the arbiter goes on by one place; false if none can, or they have threads.
    pub fn go_on_by_hand(&mut self) -> bool {
        self.hands.as_mut().is_some_and(Hands::go_on)
    }

    /// As [`Engine::go_on_by_hand`], where this thread waits: the journal goes on too, if it is by hand and nobody else can.
    pub(super) fn wait_by_hand(&mut self) -> bool {
        if self.hands.is_none() {
            return false;
        }
        #[cfg(feature = "journal")]
        return self.go_on_by_hand() || self.step_journal();
        #[cfg(not(feature = "journal"))]
        self.go_on_by_hand()
    }

    /// Moves them to their end.
    pub(super) fn end_hands(&mut self, mut hands: Hands) -> (Vec<Desk>, Option<Box<Seat>>) {
        loop {
            let went_on = hands.go_on();
            self.work(); // they may need this thread: for room, or for the arbiter
            if !went_on && !hands.go_on() {
                break;
            }
        }
        (hands.workers.into_iter().filter_map(|worker| worker.desk).collect(), hands.arbiter)
    }
}

impl Hands {
    fn go_on(&mut self) -> bool {
        let all = self.workers.len() + usize::from(self.arbiter.is_some());
        let first = (self.draw)(all) % all;
        (first..first + all).any(|at| self.move_one(at % all) == Some(Step::Done))
    }

    /// A panic is everybody's end, as it is on a thread.
    fn move_one(&mut self, at: usize) -> Option<Step> {
        let Self { workers, arbiter, shared, .. } = self;
        match (workers.get_mut(at), arbiter) {
            _ if shared.has_failed() => None,
            (Some(worker), _) => match guarded(|| Some(worker.step())) {
                Ok(stepped) => stepped,
                panicked => shared.unless_failed(&worker.name(), panicked),
            },
            (None, Some(seat)) => shared.unless_failed("the arbiter", guarded(|| Some(seat.step()))),
            (None, None) => None,
        }
    }
}
