//! The state of a kernel as bytes, and a kernel from them again.
//!
//! ```text
//!  Kernel::save ─► Part · bytes, Part · bytes, … ─► Kernel::load
//! ```
//!
//! Written is what cannot be computed from the rest, by the records' own serialisation: a field that is added to one is in it,
//! unless it is said to be left out. What is derived (edges, certificates, sweeps, floors, reaches, queues of deleveraging, tables,
//! lists, sums) is made anew by the code that makes it in use. Accounts come in the order of their ids, each with all that is its
//! own, and name what they have by its place among it: so the bytes are the same for every number of shards and every strategy,
//! and two kernels that have them in common go on alike.
//!
//! What is read is believed in nothing: declarations go through the checks of declarations, numbers are held to their bounds,
//! places to what is there, and what was computed to what it comes to. A pool that is in breach and not in liquidation is refused.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// What a part of a snapshot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Part {
    /// What everybody knows: assets, funds, instruments, marks.
    Market = 1,
    /// The arbiter, the venue, and the rounds between decisions.
    Rounds = 2,
    /// Some accounts, in the order of their ids.
    Accounts = 3,
    /// What belongs to the accounts as a whole, and who of them waits for what.
    Beside = 4,
    /// What is kept of a dialogue.
    Session = 5,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Market, Self::Rounds, Self::Accounts, Self::Beside, Self::Session];

    /// The part of that number.
    #[must_use]
    pub fn numbered(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|&part| part as u32 == number)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Market => "market",
            Self::Rounds => "rounds",
            Self::Accounts => "accounts",
            Self::Beside => "beside",
            Self::Session => "session",
        })
    }
}

/// Why bytes are not the state of a kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part}: {reason}")]
pub struct Unfit {
    /// In which part.
    pub part: Part,
    /// What is wrong.
    pub reason: String,
}

impl Unfit {
    pub(crate) fn new(part: Part, reason: impl Into<String>) -> Self {
        Self { part, reason: reason.into() }
    }
}

/// How values stand in a part: the same values in the same order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// As few bytes as need be.
    #[default]
    Compact,
    /// As elements of a JSON list, without its brackets: fields have their names, numbers are whole steps (quanta, ticks, lots, parts per billion,
    /// nanoseconds).
    #[cfg(feature = "protocol")]
    Text,
}

/// Bytes that are being written.
#[derive(Debug, Default)]
pub(crate) struct Saver {
    form: Form,
    bytes: Vec<u8>,
}

impl Saver {
    pub(crate) fn new(form: Form) -> Self {
        Self { form, bytes: Vec::new() }
    }

    /// Appends a value.
    pub(crate) fn put(&mut self, value: &(impl Serialize + ?Sized)) {
        match self.form {
            Form::Compact => {
                let before = std::mem::take(&mut self.bytes);
                // What is written are sequences of known length, into memory: nothing that can fail.
                let written = postcard::to_extend(value, before);
                debug_assert!(written.is_ok(), "a value that cannot be written: a kernel bug");
                self.bytes = written.unwrap_or_default();
            }
            #[cfg(feature = "protocol")]
            Form::Text => {
                if !self.bytes.is_empty() {
                    self.bytes.push(b',');
                }
                let written = serde_json::to_writer(&mut self.bytes, value);
                debug_assert!(written.is_ok(), "a value that is no JSON: a kernel bug");
            }
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets all bytes, and keeps the room.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }
}

/// Bytes that are being read.
#[derive(Debug)]
pub(crate) struct Loader<'a> {
    part: Part,
    form: Form,
    bytes: &'a [u8],
}

impl<'a> Loader<'a> {
    pub(crate) fn new(part: Part, form: Form, bytes: &'a [u8]) -> Self {
        Self { part, form, bytes }
    }

    /// The next value.
    pub(crate) fn take<T: DeserializeOwned>(&mut self) -> Result<T, Unfit> {
        match self.form {
            Form::Compact => {
                let taken = postcard::take_from_bytes(self.bytes);
                let (value, rest) = taken.map_err(|error| self.unfit(error.to_string()))?;
                self.bytes = rest;
                Ok(value)
            }
            #[cfg(feature = "protocol")]
            Form::Text => {
                let mut values = serde_json::Deserializer::from_slice(self.bytes).into_iter::<T>();
                let value = values.next().ok_or_else(|| self.unfit("it ends too early"))?;
                let value = value.map_err(|error| self.unfit(error.to_string()))?;
                let rest = self.bytes.get(values.byte_offset()..).unwrap_or_default().trim_ascii_start();
                self.bytes = rest.strip_prefix(b",").unwrap_or(rest).trim_ascii();
                Ok(value)
            }
        }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.bytes.is_empty()
    }

    /// That nothing is left over.
    pub(crate) fn end(&self) -> Result<(), Unfit> {
        self.expect(self.is_at_end(), "bytes are left over")
    }

    pub(crate) fn unfit(&self, reason: impl Into<String>) -> Unfit {
        Unfit::new(self.part, reason)
    }

    /// That something holds.
    pub(crate) fn expect(&self, holds: bool, otherwise: &str) -> Result<(), Unfit> {
        if holds { Ok(()) } else { Err(self.unfit(otherwise)) }
    }
}

/// Bound of sums of money, in quanta: far above what any sequence of commands comes to, and far below what overflows.
const MOST: i128 = 1 << 90;

/// Whether a sum of money is within what arithmetic is made for.
pub(crate) fn is_sum(amount: i128) -> bool {
    (-MOST..=MOST).contains(&amount)
}
