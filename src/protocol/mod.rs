//! The command language: JSON Lines in, JSON Lines out.
//!
//! One object a line. It is what scripts, tests, gateways and journals speak; README lists commands and events.

mod answers;
mod declarations;
mod desk;
mod encode;
mod fields;
mod operations;
mod reasons;
mod session;

pub use encode::Encoder;
pub use session::Session;

use crate::refusal::{Code, Refusal};

/// A line that was refused: the word for a program, the sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The protocol's word.
    pub code: Code,
    /// A sentence that names the offending value.
    pub reason: String,
}

impl Rejection {
    fn new(code: Code, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
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
