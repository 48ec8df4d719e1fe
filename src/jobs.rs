//! Jobs: what concerns every account, and so is booked in bounded pieces.
//!
//! A settlement of funding or a change of rules is fixed at the place of its command: what the rate and the mark are, what
//! the new rule is. It is booked at further places of the sequence, each for the next few accounts in the order of
//! their ids, whatever they hold, with other inputs in between. An account that something else changes before its turn
//! is booked first. Jobs are booked one after the other, oldest first.

use crate::airlock::AirlockStep;
use crate::command::Command;
use crate::market::{Instrument, InstrumentId, InstrumentSpec, MarkChange, Market};
use crate::number::{Price, Quantity, charge};
use crate::prices::Change;

/// Accounts that one place books, unless the instrument says otherwise. Where ticks must not wait for more than a few
/// microseconds, 16 is a good choice (`benches/funding.rs`).
pub const DEFAULT_CHUNK: u32 = 4096;

/// What is booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum JobKind {
    /// Funding is paid.
    Settlement,
    /// The accounts go over to changed rules.
    Rules,
}

/// A job by what it does; an instrument has at most one of each kind at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct JobName {
    /// Whose holders it concerns.
    pub instrument: InstrumentId,
    /// What it is.
    pub kind: JobKind,
}

/// One piece of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum Part {
    /// The accounts after those that are done, up to and with this one.
    UpTo(u64),
    /// All accounts are done: what belongs to none of them, and the end.
    End,
}

/// A job under way: the same for every shard and the arbiter.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Job {
    pub(crate) name: JobName,
    /// Of a settlement: in parts per billion.
    pub(crate) rate_ppb: i64,
    /// Of a settlement: the mark when it was ordered, in ticks.
    pub(crate) mark: Price,
    /// The last account that is done; none yet.
    pub(crate) done: Option<u64>,
}

impl Job {
    /// What a position of signed `quantity` pays in a settlement, in quanta: rounded up; negative: receives, rounded down.
    pub(crate) fn payment(&self, instrument: &Instrument, quantity: Quantity) -> i128 {
        let notional = instrument.notional(quantity.abs(), self.mark);
        charge(notional, self.rate_ppb * quantity.signum())
    }

    /// Whether the turn of an account is over.
    #[inline]
    pub(crate) fn has_done(&self, account: u64) -> bool {
        self.done.is_some_and(|done| account <= done)
    }
}

impl Market {
    /// Whether such a job is under way.
    pub(crate) fn has_job(&self, name: JobName) -> bool {
        self.jobs.iter().any(|job| job.name == name)
    }

    /// A settlement is ordered, at the present mark.
    fn begin_settlement(&mut self, instrument: InstrumentId, rate_ppb: i64) {
        let Some(mark) = self.instrument(instrument).mark else { return };
        let name = JobName { instrument, kind: JobKind::Settlement };
        self.jobs.push(Job { name, rate_ppb, mark, done: None });
    }

    /// The rules of an instrument change. Its prices and what orders must keep to do so for all at once, with what that does
    /// to its mark; who holds it goes over to the rest in pieces.
    pub(crate) fn begin_change(&mut self, instrument: InstrumentId, spec: InstrumentSpec, now_ns: u64) -> Change {
        let settles_itself = spec.prices.funding.is_some_and(|funding| funding.auto);
        match self.self_funding.binary_search(&instrument) {
            Ok(at) if !settles_itself => drop(self.self_funding.remove(at)),
            Err(at) if settles_itself => self.self_funding.insert(at, instrument),
            _ => {}
        }
        let other_prices = self.instrument(instrument).spec.prices != spec.prices;
        let index_froze = self.instruments[instrument.index()].change_rules(spec, now_ns);
        self.note_timeouts();
        let none = (MarkChange::None, AirlockStep::None);
        let (mark, airlock) = if other_prices { self.follow_price_rules(instrument, now_ns) } else { none };
        let name = JobName { instrument, kind: JobKind::Rules };
        self.jobs.push(Job { name, rate_ppb: 0, mark: 0, done: None });
        Change { mark, index_froze, airlock }
    }

    /// Notes what a command that was booked says of jobs.
    pub(crate) fn note_job(&mut self, command: &Command, now_ns: u64) {
        match *command {
            Command::Funding { instrument, rate_ppb } => {
                self.begin_settlement(instrument, rate_ppb);
                self.note_funding(instrument, rate_ppb, now_ns);
            }
            Command::Chunk { part, .. } => self.part_done(part),
            _ => {}
        }
    }

    /// A part of the oldest job was booked.
    fn part_done(&mut self, part: Part) {
        match (part, self.jobs.first_mut()) {
            (Part::UpTo(account), Some(job)) => job.done = Some(account),
            (Part::End, Some(job)) => {
                let JobName { instrument, kind } = job.name;
                if kind == JobKind::Rules {
                    self.instruments[instrument.index()].before = None;
                }
                self.jobs.remove(0);
            }
            (_, None) => {}
        }
    }
}
