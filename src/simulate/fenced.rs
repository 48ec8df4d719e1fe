//! A stream that another process takes over, while the engine before it goes on as if nothing had happened.

use super::faults::Fate;
use super::stream::Stream;
use crate::engine::{Engine, Failure};
use crate::journal::Durability;

/// After so many steps an engine has written what it was given.
const ENOUGH: usize = 10_000;

impl Stream<'_> {
    /// Another process goes on from the journal; nothing that the one before acknowledges from then on is beyond what that had, and it finds out.
    ///
    /// # Errors
    ///
    /// What must not happen.
    pub(super) fn take_over(&mut self, mut before: Engine, fate: &Fate) -> Result<(), String> {
        self.count();
        let found = self.replay()?;
        self.check(&found)?;
        let Ok(engine) = self.open(&found) else {
            drop(before);
            self.fail_to_open(fate);
            return if fate.has_faults() { Ok(()) } else { Err("nobody can take over".to_owned()) };
        };
        self.report.failovers += 1;
        let mut given = false;
        for step in 0..ENOUGH {
            match self.dice.below(4) {
                0 if !given || step < 100 => given |= self.give(&mut before),
                1 => drop(before.step_journal()),
                2 => before.poll(|_| (), |_| ()),
                _ => drop(before.go_on_by_hand()),
            }
            if before.failure().is_some() {
                break;
            }
        }
        let acknowledged = before.kept_seq().min(before.told_seq());
        if self.journal.durability == Durability::Sync && acknowledged > found.seq {
            self.report.lost += acknowledged - found.seq;
            return Err(format!("taken over from at input {}, it has acknowledged input {acknowledged}", found.seq));
        }
        match before.failure() {
            Some(Failure::Journal(_)) => self.report.fenced += 1,
            Some(failure) => return Err(failure.to_string()),
            None if fate.has_faults() || !given => {}
            None => return Err("who was taken over from does not find out".to_owned()),
        }
        drop(before);
        self.stream(engine, fate)
    }

    /// Gives an engine an input that nobody counts; whether it took it.
    fn give(&mut self, engine: &mut Engine) -> bool {
        let at = self.dice.below(self.inputs.len() as u64) as usize;
        matches!(Self::submit_to(engine, &self.inputs[at]), Ok(Ok(_)))
    }
}
