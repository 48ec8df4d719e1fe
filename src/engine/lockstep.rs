//! Lockstep: the next input is admitted when all that follows from the last is done. Then the log is the inline kernel's.

use super::slot::{Kind, Slot};
use super::{Engine, Entry, Output, SubmitError};
use crate::command::OffGrid;
use crate::driver::{Driver, Input, Recorder};
use crate::event::Event;
use crate::kernel::Overview;
use crate::market::Market;
use crate::refusal::Refusal;
use crate::ring::sync::threads;

impl Engine {
    /// Submits, waits, and keeps what happened.
    fn in_lockstep(&mut self, submit: impl Fn(&mut Self) -> Result<u64, SubmitError>) -> Result<(), Refusal> {
        self.events.clear();
        // What was streamed before is told by poll, and is no matter of this input.
        self.settle().map_err(|_| Refusal::Stopped)?;
        let before = self.outbox.len();
        let submitted = loop {
            match submit(self) {
                Err(SubmitError::Full) => self.settle().map_err(|_| Refusal::Stopped)?,
                Err(SubmitError::Stopped) => return Err(Refusal::Stopped),
                Err(SubmitError::Refused(refusal)) => break Err(refusal),
                Ok(_) => break Ok(()),
            }
        };
        submitted?;
        self.settle().map_err(|_| Refusal::Stopped)?;
        let mut refused = None;
        for output in self.outbox.drain(before..) {
            match output {
                Output::Event { event, .. } => self.events.push(event),
                Output::Refused { refusal, .. } => refused = Some(refusal),
            }
        }
        refused.map_or(Ok(()), Err)
    }
}

impl Recorder for Engine {
    /// In lockstep nothing is under way between two inputs.
    fn take_record(&mut self) -> Vec<Entry> {
        debug_assert!(
            self.undecided.is_empty(),
            "the record is taken in the middle of a decision: the caller's mistake"
        );
        self.record.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

impl Driver for Engine {
    fn market(&self) -> &Market {
        self.market()
    }

    fn now_ns(&self) -> u64 {
        self.now_ns
    }

    fn pass_time(&mut self, ts_ns: Option<u64>) {
        let Some(ts_ns) = ts_ns.filter(|&ts_ns| ts_ns > self.now_ns) else { return };
        if self.settle().is_err() {
            return; // the next call says so
        }
        while !self.has_room() {
            if self.check_open().is_err() {
                return; // the next call says so
            }
            threads::yield_now(); // the journal is behind
        }
        self.publish(Slot { seq: self.seq, ts_ns: Some(ts_ns), kind: Kind::Pass, off_grid: OffGrid::NONE });
        self.now_ns = ts_ns;
        self.keep(Entry::Pass { ts_ns });
    }

    fn events(&self) -> &[Event] {
        &self.events
    }

    fn carry_out(&mut self, ts_ns: Option<u64>, input: &Input<'_>) -> Result<(), Refusal> {
        self.in_lockstep(|engine| engine.submit_input(ts_ns, input))
    }

    fn ask<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(Overview<'_>) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        self.ask(question).map_err(|_| Refusal::Stopped)
    }
}
