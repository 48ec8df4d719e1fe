//! The record: the sequence as it was, so that an inline kernel can go through it again.

use super::slot::{Output, OwnedBook};
use crate::command::{Command, OffGrid};
use crate::correction::{Correction, CorrectionOffGrid};
use crate::kernel::{Declaration, Kernel};
use crate::market::InstrumentId;
use crate::refusal::Refusal;
use crate::rounds::VenueAnswer;
use crate::venue::BookUpdate;

/// One place of the sequence.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Entry {
    /// A command, also one that a shard refused.
    Command {
        /// Its number among the client's inputs, or that of the last before it.
        seq: u64,
        /// The time that it told.
        ts_ns: Option<u64>,
        /// What.
        command: Command,
        /// Which of its numbers were finer than their grid.
        off_grid: OffGrid,
    },
    /// New depth of the simulated venue.
    Book {
        /// Its number among the client's inputs.
        seq: u64,
        /// The time that it told.
        ts_ns: Option<u64>,
        /// The instrument.
        instrument: InstrumentId,
        /// The depth.
        book: Depth,
    },
    /// A declaration.
    Declare {
        /// Its number among the client's inputs.
        seq: u64,
        /// The time that it told.
        ts_ns: Option<u64>,
        /// What.
        declaration: Declaration,
    },
    /// What comes before prepared the kernel; from here on inputs count from 1, and the log begins.
    Start,
    /// Time passed without an input.
    Pass {
        /// Until then.
        ts_ns: u64,
    },
    /// A decision.
    Decide {
        /// What it led to; none: the engine stopped before it was done.
        outcome: Option<Decision>,
    },
    /// A correction, also one that the arbiter or a shard refused.
    Correct {
        /// Its number among the client's inputs.
        seq: u64,
        /// The time that it told.
        ts_ns: Option<u64>,
        /// What.
        correction: Correction,
    },
}

#[cfg(feature = "journal")]
impl Entry {
    /// Its number among the client's inputs, or, of what the kernel gives itself, that of the last before it; none of a place
    /// that is no input.
    #[cfg(feature = "journal")]
    pub(crate) fn seq(&self) -> Option<u64> {
        match self {
            Self::Command { seq, .. }
            | Self::Book { seq, .. }
            | Self::Declare { seq, .. }
            | Self::Correct { seq, .. } => Some(*seq),
            Self::Start | Self::Pass { .. } | Self::Decide { .. } => None,
        }
    }

    /// The checks that need no state: what a file may hold at all.
    ///
    /// # Errors
    ///
    /// A declaration or a correction that could never be made.
    pub(crate) fn check_alone(&self) -> Result<(), Refusal> {
        match self {
            Self::Declare { declaration, .. } => declaration.check_alone(),
            Self::Correct { correction, .. } => correction.check_alone(),
            _ => Ok(()),
        }
    }
}

/// Depth of the simulated venue, as it was given.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct Depth(pub(crate) OwnedBook);

impl Depth {
    /// A copy of an update.
    #[must_use]
    pub fn new(update: &BookUpdate<'_>) -> Self {
        Self(OwnedBook::of(update))
    }

    /// As it is given to a kernel.
    #[must_use]
    pub fn update(&self) -> BookUpdate<'_> {
        self.0.update()
    }
}

/// What a decision led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct Decision {
    /// Of the events that it told.
    pub hash: u64,
    /// What the simulated venue answered, in order.
    pub answers: Vec<VenueAnswer>,
}

/// Where an inline kernel and a record part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Divergence {
    /// A decision came to something else.
    #[error("place {place}: the decision came to {found:016x}, and the record says {recorded:016x}")]
    Decision {
        /// From 0, in the record.
        place: usize,
        /// Hash of the events.
        found: u64,
        /// As recorded.
        recorded: u64,
    },
    /// The recorded answers of the venue do not fit the orders.
    #[error("place {place}: the venue's answers in the record do not fit the orders of the decision")]
    Answers {
        /// From 0, in the record.
        place: usize,
    },
    /// The events so far come to something else than a check in the journal says: at one of these places or of those
    /// between.
    #[error("places {from} to {to}: the events come to {found:016x}, and the journal says {recorded:016x}")]
    Check {
        /// The first place after the check before that, from 0.
        from: usize,
        /// The last place before this check.
        to: usize,
        /// Hash of all events so far.
        found: u64,
        /// As recorded.
        recorded: u64,
    },
    /// The state comes to something else than the journal says, though the events do not: at one of these places or of those between, something was booked
    /// otherwise.
    #[error("places {from} to {to}: the state comes to {found:016x}, and the journal says {recorded:016x}")]
    State {
        /// The first place after the state before that, from 0.
        from: usize,
        /// The last place before this state.
        to: usize,
        /// Hash of the state.
        found: u64,
        /// As recorded.
        recorded: u64,
    },
    /// The sequencer would not have admitted this.
    #[error("place {place}: the record holds what the sequencer refuses: {refusal}")]
    Refused {
        /// From 0, in the record.
        place: usize,
        /// Why.
        refusal: Refusal,
    },
}

/// Goes through a record with an inline kernel, place by place, from the state at which the record began; every outcome
/// is recomputed, and no answer of the venue simulated. A decision that was never finished is carried out.
#[derive(Clone, Debug)]
pub struct Retrace<'a> {
    record: &'a [Entry],
    steps: Steps,
}

/// Goes through a whole record. What happens goes to `log`.
///
/// # Errors
///
/// The first place where the kernel comes to something else.
pub fn replay(kernel: &mut Kernel, record: &[Entry], mut log: impl FnMut(Output)) -> Result<(), Divergence> {
    let mut retrace = Retrace::new(record);
    while retrace.step(kernel, &mut log)?.is_some() {}
    Ok(())
}

impl<'a> Retrace<'a> {
    /// From the first place.
    #[must_use]
    pub fn new(record: &'a [Entry]) -> Self {
        Self { record, steps: Steps::default() }
    }

    /// Goes one place further, and returns what was there; none at the end.
    ///
    /// # Errors
    ///
    /// The kernel comes to something else.
    pub fn step(&mut self, kernel: &mut Kernel, log: &mut impl FnMut(Output)) -> Result<Option<&'a Entry>, Divergence> {
        let Some(entry) = self.record.get(self.steps.place) else { return Ok(None) };
        let decided_next = matches!(self.record.get(self.steps.place + 1), Some(Entry::Decide { .. }));
        self.steps.step(kernel, entry, decided_next, log)?;
        Ok(Some(entry))
    }
}

/// Where a kernel stands in a record, whose places come one by one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Steps {
    /// The next place.
    pub(crate) place: usize,
    /// The client input that was the last.
    pub(crate) seq: u64,
}

impl Steps {
    /// Carries the next place out; `decided_next`: the one after it is a decision. What a decision came to that has no
    /// outcome in the record is returned.
    pub(crate) fn step(
        &mut self,
        kernel: &mut Kernel,
        entry: &Entry,
        decided_next: bool,
        log: &mut impl FnMut(Output),
    ) -> Result<Option<Decision>, Divergence> {
        let place = self.place;
        self.place += 1;
        let booked = match entry {
            Entry::Command { seq, ts_ns, command, off_grid } => {
                let counts = std::mem::replace(&mut self.seq, *seq) != *seq; // what has no number was not sent
                kernel.place(*ts_ns, command, *off_grid, counts)
            }
            Entry::Book { seq, ts_ns, instrument, book } => {
                self.seq = *seq;
                kernel.input_book(*ts_ns, *instrument, &book.update())
            }
            Entry::Declare { seq, ts_ns, declaration } => {
                self.seq = *seq;
                kernel.input_declaration(*ts_ns, declaration)
            }
            Entry::Correct { seq, ts_ns, correction } => {
                self.seq = *seq;
                kernel.input_correction(*ts_ns, correction, CorrectionOffGrid::NONE, u64::MAX)
            }
            Entry::Start => {
                self.seq = 0;
                kernel.begin_log();
                Ok(())
            }
            Entry::Pass { ts_ns } => {
                kernel.pass_time(Some(*ts_ns));
                Ok(())
            }
            Entry::Decide { outcome } => {
                let decided = decide(kernel, place, outcome.as_ref());
                self.tell(kernel, log);
                return decided;
            }
        };
        match (booked, entry) {
            (Ok(()), _) => {}
            (Err(refusal), Entry::Command { .. } | Entry::Correct { .. }) if !is_piece(entry) => {
                log(Output::Refused { seq: self.seq, refusal });
            }
            (Err(refusal), _) => return Err(Divergence::Refused { place, refusal }),
        }
        // What the pools began is told with a decision that follows directly, else before the next input.
        if !decided_next {
            kernel.go_on();
        }
        self.tell(kernel, log);
        Ok(None)
    }

    /// Tells what the kernel did by itself after the last place.
    pub(crate) fn tell(&self, kernel: &mut Kernel, log: &mut impl FnMut(Output)) {
        let seq = self.seq;
        kernel.events().iter().for_each(|&event| log(Output::Event { seq, event }));
        kernel.clear_events();
    }
}

/// Whether it is a piece of a job, which is never refused.
fn is_piece(entry: &Entry) -> bool {
    matches!(entry, Entry::Command { command: Command::Chunk { .. }, .. })
}

/// Carries a decision out, and compares; where there is nothing to compare with, returns what it came to.
fn decide(kernel: &mut Kernel, place: usize, outcome: Option<&Decision>) -> Result<Option<Decision>, Divergence> {
    let Some(recorded) = outcome else {
        kernel.decide_once();
        return Ok(Some(Decision { hash: super::seat::hash_of(kernel.events()), answers: kernel.given().to_vec() }));
    };
    let answers_fit = kernel.decide_as_recorded(&recorded.answers);
    let found = super::seat::hash_of(kernel.events());
    if found != recorded.hash {
        return Err(Divergence::Decision { place, found, recorded: recorded.hash });
    }
    if answers_fit { Ok(None) } else { Err(Divergence::Answers { place }) }
}
