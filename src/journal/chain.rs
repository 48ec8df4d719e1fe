//! What all events so far come to, as one number.

use super::frame::Check;
use crate::engine::Output;
use crate::event::Event;
use std::hash::{Hash, Hasher};
use xxhash_rust::xxh3::Xxh3Default;

/// The events of a sequence, chained: each hash goes on from the one before, so that two that are equal once had the same
/// events until then. The same on every machine of 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    check: Check,
}

impl Chain {
    /// From a check on.
    #[must_use]
    pub fn from(check: Check) -> Self {
        Self { check }
    }

    /// What they come to so far.
    #[must_use]
    pub fn check(&self) -> Check {
        self.check
    }

    /// Adds what happened, or was refused by a shard.
    pub fn add(&mut self, output: &Output) {
        match output {
            Output::Event { seq, event } => self.event(*seq, event),
            Output::Refused { seq, .. } => self.refused(*seq),
        }
    }

    /// Adds an event of an input.
    pub fn event(&mut self, seq: u64, event: &Event) {
        self.go_on(seq, Some(event));
    }

    /// Adds that an input was refused that has its place.
    pub fn refused(&mut self, seq: u64) {
        self.go_on(seq, None);
    }

    fn go_on(&mut self, seq: u64, event: Option<&Event>) {
        let mut hasher = Xxh3Default::new();
        (self.check.hash, seq, event).hash(&mut hasher);
        self.check = Check { outputs: self.check.outputs + 1, hash: hasher.finish() };
    }
}
