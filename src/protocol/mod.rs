//! The command language: JSON Lines in, JSON Lines out.
//!
//! One object a line. It is what scripts, tests, gateways and journals speak; README lists commands and events.

mod airlock;
mod answers;
#[cfg(feature = "journal")]
mod commands;
mod controls;
mod corrections;
mod declarations;
mod desk;
#[cfg(feature = "journal")]
mod durable;
mod encode;
mod fields;
#[cfg(feature = "journal")]
mod followed;
mod instrument_fields;
mod instruments;
#[cfg(feature = "journal")]
mod kept;
mod line;
mod operations;
mod price_rules;
mod reasons;
pub mod reconcile;
#[cfg(feature = "journal")]
mod recovery;
#[cfg(feature = "journal")]
mod restore;
mod rules;
mod session;
mod shown;
#[cfg(feature = "journal")]
mod snapshots;
mod sources;
#[cfg(feature = "journal")]
mod standby;
mod tier_fields;
mod tier_tables;

#[cfg(feature = "journal")]
pub use durable::{DurableError, DurableSession, Opened, Recovery};
pub use encode::Encoder;
#[cfg(feature = "journal")]
pub use followed::{Followed, Imported, Snapshot};
#[cfg(feature = "journal")]
pub use restore::ExportError;
pub use session::Session;
#[cfg(feature = "cli")]
pub(crate) use snapshots::save_and_thin;
#[cfg(feature = "journal")]
pub use snapshots::{Made, Snapshots};
#[cfg(feature = "journal")]
pub use standby::{Progress, Standby};
pub use tier_tables::{TierTables, TierTablesError};

use crate::command::Command;
use crate::market::Market;
use crate::refusal::{Code, Refusal};
use line::Line;
use reasons::Context;

/// A line that was refused: the word for a program, the sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The protocol's word.
    pub code: Code,
    /// A sentence that names the offending value.
    pub reason: String,
    /// The line that was refused for it, where that is an earlier one, which this one repeats.
    pub seq: Option<u64>,
}

impl Rejection {
    /// Whether the kernel takes no more input at all: not for the mode of something, but because it has stopped.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.code == Code::Halted && self.reason == Refusal::Stopped.to_string()
    }

    fn new(code: Code, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), seq: None }
    }

    /// Why a command was refused that came in whole steps, not as a line: in the words that a line would get.
    /// `liquidation` is the number by which a line would have named the liquidation order, if that is known.
    #[must_use]
    pub fn of_command(market: &Market, command: &Command, liquidation: Option<u64>, refusal: Refusal) -> Self {
        Context { liquidation, ..Context::of_command(market, command) }.explain(market, refusal)
    }

    /// Appends the `rejected` line of input `seq`.
    pub fn line(&self, seq: u64, out: &mut String) {
        Line::begin(out, "rejected", seq).quoted("code", self.code).text("reason", &self.reason).end();
    }

    fn malformed(reason: impl Into<String>) -> Self {
        Self::new(Code::Malformed, reason)
    }

    fn bad_value(reason: impl Into<String>) -> Self {
        Self::new(Code::BadValue, reason)
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}
