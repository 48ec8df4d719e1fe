//! The airlock: a mark that jumps is held back until another source confirms it, it is withdrawn, somebody decides, or time is up.
//!
//! ```text
//!  a mark comes ─► near the live one ─────────────────────────────► set
//!               └► beyond `max_jump` or `preview_jump` ─► waits ─► verdict, at the decision that follows
//!                                                                   ├─► passes: set, as if it had just come
//!                                                                   └─► held until its end: confirmed · withdrawn · timeout · accepted · discarded
//! ```
//!
//! What waits is state of the market: every copy takes the same marks at the same places. A verdict needs all shards, so it is taken at a
//! decision, and the copies then take over what it came to. Until then the mark in force counts as frozen, and nobody is told.

use crate::command::MarkSource;
use crate::controls::AirlockRule;
use crate::market::{FreezeCause, Instrument, InstrumentId, MarkChange, Market};
use crate::number::Price;

/// A mark that waits in the airlock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Held {
    pub(crate) price: Price,
    source: MarkSource,
    /// Input time at which the first of those that followed each other in this place came.
    pub(crate) since_ns: u64,
    /// Whether it was said to be held.
    told: bool,
    /// Whether its verdict is still to come.
    pub(crate) undecided: bool,
    /// What else froze the mark, was told, and went while nobody had been told of this.
    gone: Option<FreezeCause>,
}

impl Held {
    /// Whether it was said to be held, and its verdict is taken: between decisions every one is so.
    #[cfg(feature = "journal")]
    pub(crate) fn is_settled(&self) -> bool {
        self.told && !self.undecided
    }

    /// Something else froze the mark again.
    pub(crate) fn forget_gone(&mut self) {
        self.gone = None;
    }
}

/// How a hold ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AirlockOutcome {
    /// Another source gave a mark near the held one.
    Confirmed,
    /// A mark near the live one came, or one that may pass.
    Withdrawn,
    /// Nothing else happened for so long: the held mark was taken.
    Timeout,
    /// A command let the held mark through.
    Accepted,
    /// A command dropped it.
    Discarded,
}

impl AirlockOutcome {
    /// The protocol's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Withdrawn => "withdrawn",
            Self::Timeout => "timeout",
            Self::Accepted => "accepted",
            Self::Discarded => "discarded",
        }
    }
}

/// What an input did in an airlock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AirlockStep {
    #[default]
    None,
    /// A mark waits for its verdict.
    Asks,
    /// A hold that was told ended.
    Ended(AirlockOutcome),
    /// What waited ended before its verdict: nobody had been told.
    Gone,
}

/// What a verdict comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Held {
        /// Whether that is news.
        first: bool,
        /// Whether the mark lived otherwise.
        lived: bool,
    },
    Passes {
        change: MarkChange,
        /// Whether the mark that it takes the place of had been told to be held.
        told: bool,
    },
}

/// The marks of an instrument as they stand, to be put back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    mark: Option<Price>,
    frozen: crate::market::Frozen,
}

impl Instrument {
    /// Whether a mark that comes is looked at before it is set.
    #[inline]
    pub(crate) fn has_airlock(&self) -> bool {
        self.spec.controls.airlock.is_some() || self.held.is_some()
    }

    /// The mark that is held back, in ticks, and the input time since which one is; none if none is.
    #[must_use]
    pub fn held_mark(&self) -> Option<(Price, u64)> {
        self.held.map(|held| (held.price, held.since_ns))
    }

    /// Whether a mark is set at once: none is held, and it is near the one in force, or the first.
    #[inline]
    pub(crate) fn passes_airlock(&self, price: Price) -> bool {
        let near = |rule: &AirlockRule| {
            self.mark.is_none_or(|live| !rule.is_jump(price, live) && !rule.is_doubtful(price, live))
        };
        self.held.is_none() && self.spec.controls.airlock.as_ref().is_none_or(near)
    }

    fn airlock_rule(&self) -> AirlockRule {
        self.spec.controls.airlock.unwrap_or_default()
    }

    /// Whether the mark lives as far as anybody was told: what waits for its verdict was not.
    pub(crate) fn is_said_to_live(&self) -> bool {
        let untold = self.held.filter(|held| !held.told);
        let told = if untold.is_some() { self.frozen.without(FreezeCause::Airlock) } else { self.frozen };
        self.mark.is_some() && told.is_empty() && untold.is_none_or(|held| held.gone.is_none())
    }

    /// Another cause went. Where nobody was told that the mark is frozen still, what went is kept for who has to tell that it lives.
    pub(crate) fn note_gone(&mut self, cause: FreezeCause) {
        if let Some(held) = self.held.as_mut().filter(|held| !held.told)
            && self.frozen.without(FreezeCause::Airlock).is_empty()
        {
            held.gone = Some(cause);
        }
    }

    /// When what is held is let through by itself.
    fn times_out_at(&self) -> Option<u64> {
        self.held.and_then(|held| Some(held.since_ns.saturating_add(self.airlock_rule().timeout_ns?)))
    }

    /// The hold is over; `taken` is in force from now on, or as soon as nothing else freezes the mark.
    fn end_hold(&mut self, taken: Option<Price>) -> MarkChange {
        let Some(held) = self.held.take() else { return MarkChange::None };
        self.frozen = self.frozen.without(FreezeCause::Airlock);
        self.awaited = taken.or(self.awaited);
        let lives = self.frozen.is_empty();
        if lives {
            self.mark = self.awaited.take().or(self.mark);
        }
        self.carry_over();
        match (lives, held.told, held.gone) {
            (false, ..) => MarkChange::None,
            (true, true, _) => MarkChange::Live(FreezeCause::Airlock),
            (true, false, Some(cause)) => MarkChange::Live(cause),
            (true, false, None) => MarkChange::Resumed,
        }
    }
}

impl Market {
    /// A mark came for an instrument with an airlock, and does not pass at once.
    #[cold]
    pub(crate) fn enter_airlock(
        &mut self,
        id: InstrumentId,
        (price, source): (Price, MarkSource),
        now_ns: u64,
    ) -> (MarkChange, AirlockStep) {
        if self.only_bounds {
            self.bound_marks(id, price);
            return (self.put_mark(id, price), AirlockStep::None);
        }
        let instrument = &mut self.instruments[id.index()];
        let Some(live) = instrument.mark else { return (MarkChange::None, AirlockStep::None) }; // the first passes
        let rule = instrument.airlock_rule();
        let (jumps, doubtful) = (rule.is_jump(price, live), rule.is_doubtful(price, live));
        let Some(held) = &mut instrument.held else {
            instrument.held = Some(Held { price, source, since_ns: now_ns, told: false, undecided: true, gone: None });
            instrument.frozen = instrument.frozen.with(FreezeCause::Airlock);
            instrument.carry_over();
            self.note_airlock(id);
            return (MarkChange::None, AirlockStep::Asks);
        };
        let confirmed = source != held.source && rule.confirms(price, held.price);
        if confirmed || (!jumps && !doubtful) {
            let outcome = if confirmed { AirlockOutcome::Confirmed } else { AirlockOutcome::Withdrawn };
            return self.end_airlock(id, outcome, Some(price));
        }
        (held.price, held.source) = (price, source);
        // What jumps is held as what was there; what may pass, or never had its verdict, gets one.
        held.undecided = !jumps || !held.told;
        let step = if held.undecided { AirlockStep::Asks } else { AirlockStep::None };
        self.note_airlock(id);
        (MarkChange::None, step)
    }

    /// A command lets what is held through, or drops it; [`AirlockStep::None`] if nothing is.
    pub(crate) fn release_airlock(&mut self, id: InstrumentId, accept: bool) -> (MarkChange, AirlockStep) {
        match self.instruments[id.index()].held {
            _ if self.only_bounds => (MarkChange::None, AirlockStep::None),
            Some(held) if accept => self.end_airlock(id, AirlockOutcome::Accepted, Some(held.price)),
            Some(_) => self.end_airlock(id, AirlockOutcome::Discarded, None),
            None => (MarkChange::None, AirlockStep::None),
        }
    }

    /// Lets the next mark through that is held for too long, in the order of instruments, if there is one.
    pub(crate) fn time_airlock_out(&mut self, now_ns: u64) -> Option<(InstrumentId, MarkChange, AirlockStep)> {
        let due = |at: &Instrument| at.times_out_at().is_some_and(|at_ns| at_ns <= now_ns);
        let id = InstrumentId(self.instruments.iter().position(due)? as u32);
        let held = self.instrument(id).held?;
        let (change, step) = self.end_airlock(id, AirlockOutcome::Timeout, Some(held.price));
        Some((id, change, step))
    }

    fn end_airlock(
        &mut self,
        id: InstrumentId,
        outcome: AirlockOutcome,
        taken: Option<Price>,
    ) -> (MarkChange, AirlockStep) {
        let instrument = &mut self.instruments[id.index()];
        let told = instrument.held.is_some_and(|held| held.told);
        let change = instrument.end_hold(taken);
        self.note_airlock(id);
        (change, if told { AirlockStep::Ended(outcome) } else { AirlockStep::Gone })
    }

    /// The verdict over what waits, given the notional, in quanta, of the pools that it would put in breach. `direct`: nothing could
    /// have passed the instrument over since it came.
    pub(crate) fn decide_airlock(&mut self, id: InstrumentId, notional: i128, direct: bool) -> Option<Verdict> {
        let instrument = &mut self.instruments[id.index()];
        let (rule, live) = (instrument.airlock_rule(), instrument.mark?);
        let held = instrument.held.as_mut()?;
        let (price, told) = (held.price, held.told);
        held.undecided = false;
        let too_much = rule.max_liquidation.is_some_and(|most| notional > i128::from(most));
        if rule.is_jump(price, live) || (rule.is_doubtful(price, live) && too_much) {
            held.told = true;
            let lived = instrument.frozen.without(FreezeCause::Airlock).is_empty();
            return Some(Verdict::Held { first: !told, lived });
        }
        let change = match self.end_airlock(id, AirlockOutcome::Withdrawn, Some(price)).0 {
            MarkChange::Resumed if direct => MarkChange::Moved,
            change => change,
        };
        Some(Verdict::Passes { change, told })
    }

    /// Pretends that a mark is in force and lives, until [`Market::put_back`].
    pub(crate) fn pretend(&mut self, id: InstrumentId, price: Price) -> Standing {
        let instrument = &mut self.instruments[id.index()];
        let standing = Standing { mark: instrument.mark, frozen: instrument.frozen };
        (instrument.mark, instrument.frozen) = (Some(price), crate::market::Frozen::default());
        instrument.carry_over();
        standing
    }

    /// Everything is again as it was.
    pub(crate) fn put_back(&mut self, id: InstrumentId, standing: Standing) {
        let instrument = &mut self.instruments[id.index()];
        (instrument.mark, instrument.frozen) = (standing.mark, standing.frozen);
        instrument.carry_over();
    }

    /// Notes whether a verdict is due, and when the next hold times out.
    fn note_airlock(&mut self, id: InstrumentId) {
        let due = self.instrument(id).held.is_some_and(|held| held.undecided);
        if due && !self.undecided.contains(&id) {
            self.undecided.push(id);
        }
        self.note_timeouts();
    }

    /// Looks when the next hold times out: it changes with what is held, and with rules.
    pub(crate) fn note_timeouts(&mut self) {
        self.timeout_ns = self.instruments.iter().filter_map(Instrument::times_out_at).min();
    }

    /// A place of the sequence told a time, maybe one that was refused: it is a bound that every copy knows alike.
    #[inline]
    pub(crate) fn see_time(&mut self, ts_ns: Option<u64>) {
        self.seen_ns = self.seen_ns.max(ts_ns.unwrap_or(0));
    }

    /// Whether a hold may have timed out. If so, who is in breach is looked for at the decision, which lets the mark through first.
    #[inline]
    pub(crate) fn awaits_timeout(&self) -> bool {
        self.timeout_ns.is_some_and(|at_ns| at_ns <= self.seen_ns)
    }

    /// After a decision: takes over what became of airlocks from the copy of who decided.
    pub(crate) fn copy_airlocks(&mut self, from: &Self, changed: &[InstrumentId]) {
        self.undecided.clear();
        for &id in changed {
            self.copy_marks(from, id);
        }
        (self.timeout_ns, self.seen_ns) = (from.timeout_ns, from.seen_ns);
    }

    /// Takes over the marks of an instrument, in force and not.
    pub(crate) fn copy_marks(&mut self, from: &Self, id: InstrumentId) {
        let (own, other) = (&mut self.instruments[id.index()], from.instrument(id));
        (own.mark, own.frozen, own.awaited, own.held) = (other.mark, other.frozen, other.awaited, other.held);
        own.bounds = None;
        own.carry_over();
    }

    /// For the copy of who learns no verdict: the marks between which those in force and those waiting lie.
    fn bound_marks(&mut self, id: InstrumentId, price: Price) {
        let instrument = &mut self.instruments[id.index()];
        let known = [Some(price), instrument.mark, instrument.awaited, instrument.held.map(|held| held.price)];
        let bounds = instrument.bounds.map(|(low, high)| [low, high]);
        let all = || known.into_iter().flatten().chain(bounds.into_iter().flatten());
        instrument.bounds = all().min().zip(all().max());
    }

    /// The instruments whose marks this copy may know within bounds only.
    pub(crate) fn bounded(&self) -> impl Iterator<Item = InstrumentId> + '_ {
        let ids = (0..self.instruments.len() as u32).map(InstrumentId);
        ids.filter(|&id| self.instrument(id).bounds.is_some() || self.instrument(id).held.is_some())
    }
}
