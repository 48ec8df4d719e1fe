//! Airlocks at a decision: holds that time out, verdicts over marks that wait, and what an input leaves to tell of them.

use super::Rounds;
use crate::airlock::{AirlockStep, Verdict};
use crate::event::{Cause, Event};
use crate::market::{FreezeCause, InstrumentId, MarkChange};
use crate::refusal::Refusal;
use crate::shard::{Breaches, Shard};

/// What is kept of airlocks between an input and the decision after it.
#[derive(Debug, Default)]
pub(crate) struct Airlocks {
    /// Whose airlock the decision changed, for the other copies of the market.
    pub(crate) changed: Vec<InstrumentId>,
    /// Inputs before the first of those since which marks wait for their verdicts.
    asked: Option<u64>,
    /// Whether who is in breach is still to be looked for: a hold may have timed out with the last input.
    put_off: bool,
    /// Whether the last input ended a hold.
    released: bool,
}

#[cfg(feature = "journal")]
impl Airlocks {
    /// Whether who is in breach is still to be looked for.
    pub(super) fn puts_off(&self) -> bool {
        self.put_off
    }

    /// Since how many inputs a mark waits.
    pub(super) fn asked(&self) -> Option<u64> {
        self.asked
    }

    /// As between decisions.
    pub(super) fn asked_at(asked: Option<u64>) -> Self {
        Self { asked, ..Self::default() }
    }
}

impl Rounds {
    /// What an input, or a fill of the simulated venue, did in an airlock.
    #[cold]
    pub(super) fn note_airlock(&mut self, instrument: InstrumentId, step: AirlockStep) {
        match step {
            AirlockStep::None => {}
            AirlockStep::Asks => {
                self.airlocks.asked.get_or_insert(self.inputs);
                self.undecided = true;
            }
            AirlockStep::Ended(outcome) => {
                self.airlocks.released = true;
                if let Some(price) = self.market.instrument(instrument).mark {
                    self.events.push(Event::AirlockEnded { instrument, outcome, price });
                }
            }
            AirlockStep::Gone => self.airlocks.released = true,
        }
    }

    /// Before an input: it has ended no hold yet.
    #[inline]
    pub(super) fn forget_release(&mut self) {
        self.airlocks.released = false;
    }

    /// A release must have had something to release.
    pub(super) fn check_release(&self) -> Result<(), Refusal> {
        let what = "the airlock of the instrument holds no mark";
        if self.airlocks.released { Ok(()) } else { Err(Refusal::BadDeclaration { what }) }
    }

    /// Whether who is in breach is left to the decision, because a hold may have timed out with this input: to be asked when what
    /// the input itself does to marks is done, also of an input that a shard refused.
    #[inline]
    pub(crate) fn puts_off(&mut self) -> bool {
        let puts_off = self.market.awaits_timeout();
        if puts_off {
            (self.airlocks.put_off, self.undecided) = (true, true);
        }
        puts_off
    }

    /// First of all in a decision: holds that have timed out, then (a) of the input if that was left for now, then verdicts.
    #[inline]
    pub(super) fn look_at_airlocks(&mut self, shards: &mut [Box<Shard>]) {
        let timed_out = self.market.timeout_ns.is_some_and(|at_ns| at_ns <= self.now_ns);
        if timed_out || self.airlocks.put_off {
            self.airlocks.put_off = false;
            self.time_out(shards);
            self.begin_again(shards);
        }
        if !self.market.undecided.is_empty() {
            self.judge(shards);
        }
    }

    fn time_out(&mut self, shards: &mut [Box<Shard>]) {
        while let Some((id, change, step)) = self.market.time_airlock_out(self.now_ns) {
            self.airlocks.changed.push(id);
            self.note_airlock(id, step);
            self.tell_revived(shards, id, change);
        }
    }

    fn tell_revived(&mut self, shards: &mut [Box<Shard>], id: InstrumentId, change: MarkChange) {
        self.tell_mark(id, change);
        for shard in shards {
            shard.on_mark(&self.market, id, change);
        }
    }

    /// The verdict over every mark that waits for one, in the order of instruments; after each that passes again (a).
    #[cold]
    pub(super) fn judge(&mut self, shards: &mut [Box<Shard>]) {
        // Pieces of jobs may touch pools at inputs that are refused.
        let direct =
            self.airlocks.asked.take().is_some_and(|input| input + 1 >= self.inputs) && self.market.jobs.is_empty();
        let mut waiting = std::mem::take(&mut self.market.undecided);
        waiting.sort_unstable();
        for &id in &waiting {
            let Some(held) = self.market.instrument(id).held.filter(|held| held.undecided) else { continue };
            let found = self.breaches_at(shards, id, held.price);
            let Some(verdict) = self.market.decide_airlock(id, found.notional, direct) else { continue };
            self.airlocks.changed.push(id);
            match verdict {
                Verdict::Held { first, lived } => {
                    if first {
                        self.tell_held(id, held.price, &found);
                    }
                    if first && lived {
                        self.events.push(Event::MarkFrozen { instrument: id, cause: FreezeCause::Airlock });
                    }
                }
                Verdict::Passes { change, told } => {
                    if told {
                        self.note_airlock(id, AirlockStep::Ended(crate::event::AirlockOutcome::Withdrawn));
                    }
                    if let Cause::Op("index" | "last" | "book") = self.cause {
                        self.cause = Cause::Instrument(id); // as if it had just moved the mark
                    }
                    self.tell_revived(shards, id, change);
                    self.begin_again(shards);
                }
            }
        }
        waiting.clear();
        self.market.undecided = waiting;
    }

    fn tell_held(&mut self, instrument: InstrumentId, price: crate::number::Price, found: &Breaches) {
        let Some(mark) = self.market.instrument(instrument).mark else { return };
        let &Breaches { accounts, notional, fund_loss } = found;
        self.events.push(Event::AirlockHeld { instrument, price, mark, accounts, notional, fund_loss });
    }

    /// What the pools that hold an instrument would come to at a mark.
    fn breaches_at(&mut self, shards: &[Box<Shard>], id: InstrumentId, price: crate::number::Price) -> Breaches {
        let standing = self.market.pretend(id, price);
        let mut found = Breaches::default();
        for shard in shards {
            shard.count_breaches(&self.market, id, &mut found);
        }
        self.market.put_back(id, standing);
        found
    }

    /// Phase (a) in a decision, as at an input: all shards lock, announce, and begin.
    pub(super) fn begin_again(&mut self, shards: &mut [Box<Shard>]) {
        self.find_breaches(shards, self.cause);
        self.undecided = false; // they are walked in this decision
    }
}
