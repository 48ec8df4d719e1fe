//! The whole state as lines, and a state from them again.
//!
//! ```text
//!  {"op":"restore","part":"begin","version":1,"rules":1,"places":…,"seq":…,"events":…,"hash":…,"decided":…,"lacks_decision":…}
//!  {"op":"restore","part":"market","state":[…]}         then rounds, accounts (64 a line), beside, session: the parts of a snapshot
//!  {"op":"restore","part":"end","lines":…,"hash":…}     of all lines before, each with its line feed: XXH3
//! ```
//!
//! What the commands of the protocol cannot say (what a position cost to the quantum, a pool in liquidation, the samples of an average)
//! is said as a snapshot says it, by the records' own names, in whole steps. What is read is believed no more than a snapshot is.

use super::Rejection;
use super::durable::DurableError;
use super::followed::Followed;
use super::kept::SavedSession;
use super::line::Line;
use crate::journal::{Check, Origin, SNAPSHOT_VERSION};
use crate::kernel::{Kernel, Loading};
use crate::refusal::Code;
use crate::rule_version::RuleVersion;
use crate::snapshot::{Form, Part};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::fmt::Write as _;
use std::io;
use xxhash_rust::xxh3::Xxh3Default;

/// How a line begins that is part of a state.
const BEGINS: &str = "{\"op\":\"restore\",";

/// The longest line: what reads scripts reads no longer ones.
const MAX_LINE: usize = 16 << 20;

/// Why a state could not be written as lines.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The journal cannot be followed.
    #[error(transparent)]
    Journal(#[from] DurableError),
    /// Whoever reads it refuses.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
    /// A part would be longer than any line that is read.
    #[error("{part}: a line of it would be {bytes} bytes, and {MAX_LINE} are the most")]
    TooLong {
        /// Which.
        part: Part,
        /// Its bytes.
        bytes: usize,
    },
}

impl Followed {
    /// Writes the whole state as lines, which an empty session takes for it.
    ///
    /// # Errors
    ///
    /// A part is too long for a line, or `out` refuses.
    pub fn export(&self, out: &mut impl io::Write) -> Result<(), ExportError> {
        let resting = self.kernel().at_rest().ok_or(DurableError::NeverAtRest)?;
        let mut lines = Lines { out, hash: Box::default(), count: 0 };
        let Origin { places, seq, check, decided, lacks_decision } = self.stand().origin();
        lines.line(Part::Market, |line| {
            line.quoted("part", "begin")
                .bare("version", SNAPSHOT_VERSION)
                .bare("rules", self.kernel().market().rules)
                .bare("places", places)
                .bare("seq", seq)
                .bare("events", check.outputs)
                .quoted("hash", format_args!("{:016x}", check.hash))
                .bare("decided", decided)
                .bare("lacks_decision", lacks_decision);
        })?;
        resting.save_as(Form::Text, &mut |part, text| lines.part(part, text))?;
        let session = serde_json::to_vec(&self.saved_session()).map_err(io::Error::other)?;
        lines.part(Part::Session, &session)?;
        let (count, hash) = (lines.count, lines.hash.digest());
        lines.line(Part::Session, |line| {
            line.quoted("part", "end").bare("lines", count).quoted("hash", format_args!("{hash:016x}"));
        })?;
        Ok(lines.out.flush()?)
    }
}

/// What is written, and what it comes to.
struct Lines<'a, W> {
    out: &'a mut W,
    hash: Box<Xxh3Default>,
    count: u64,
}

impl<W: io::Write> Lines<'_, W> {
    fn part(&mut self, part: Part, text: &[u8]) -> Result<(), ExportError> {
        let text = String::from_utf8_lossy(text); // JSON: nothing is lost
        self.line(part, |line| {
            line.quoted("part", part).bare("state", format_args!("[{text}]"));
        })
    }

    fn line(&mut self, part: Part, fill: impl FnOnce(&mut Line<'_>)) -> Result<(), ExportError> {
        let mut text = String::new();
        let mut line = Line::op(&mut text, "restore", None, None);
        fill(&mut line);
        line.end();
        if text.len() >= MAX_LINE {
            return Err(ExportError::TooLong { part, bytes: text.len() });
        }
        self.hash.update(text.as_bytes());
        self.count += 1;
        Ok(self.out.write_all(text.as_bytes())?)
    }
}

/// Whether a line is part of a state.
pub(super) fn is_of_state(line: &str) -> bool {
    line.trim_ascii_start().starts_with(BEGINS)
}

/// The fields of all parts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StateLine<'a> {
    #[serde(rename = "op")]
    _op: String,
    part: String,
    #[serde(borrow)]
    state: Option<&'a RawValue>,
    version: Option<u32>,
    rules: Option<u32>,
    places: Option<u64>,
    seq: Option<u64>,
    events: Option<u64>,
    hash: Option<String>,
    decided: Option<bool>,
    lacks_decision: Option<bool>,
    lines: Option<u64>,
}

/// What was restored.
pub(super) struct Restored {
    pub(super) kernel: Kernel,
    pub(super) session: SavedSession,
    pub(super) origin: Origin,
}

/// A state that is being read.
pub(super) struct Restoring {
    loading: Loading,
    origin: Origin,
    session: Option<SavedSession>,
    hash: Box<Xxh3Default>,
    lines: u64,
}

impl std::fmt::Debug for Restoring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Restoring").field("origin", &self.origin).field("lines", &self.lines).finish_non_exhaustive()
    }
}

fn read(text: &str) -> Result<StateLine<'_>, Rejection> {
    serde_json::from_str(text).map_err(|error| Rejection::malformed(format!("restore: {error}")))
}

fn needed<T>(name: &str, value: Option<T>) -> Result<T, Rejection> {
    value.ok_or_else(|| Rejection::malformed(format!("restore: the field {name:?} is missing")))
}

fn hash_of(digits: Option<String>) -> Result<u64, Rejection> {
    let digits = needed("hash", digits)?;
    let is_hex = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let hash = u64::from_str_radix(&digits, 16).ok().filter(|_| is_hex);
    hash.ok_or_else(|| Rejection::malformed("restore: hash must be 16 hexadecimal digits"))
}

impl Restoring {
    /// Reads the first line; `begin` begins the kernel.
    pub(super) fn begin(text: &str, begin: impl FnOnce() -> Result<Loading, Rejection>) -> Result<Self, Rejection> {
        let line = read(text)?;
        if line.part != "begin" {
            return Err(Rejection::bad_value(format!("restore: the part \"begin\" comes first, not {:?}", line.part)));
        }
        let version = needed("version", line.version)?;
        if version != SNAPSHOT_VERSION {
            let reason = format!("restore: version {version} is not known here, {SNAPSHOT_VERSION} is");
            return Err(Rejection::bad_value(reason));
        }
        let rules = RuleVersion::try_from(needed("rules", line.rules)?);
        rules.map_err(|unknown| Rejection::bad_value(format!("restore: {unknown}")))?;
        let origin = Origin {
            places: needed("places", line.places)?,
            seq: needed("seq", line.seq)?,
            check: Check { outputs: needed("events", line.events)?, hash: hash_of(line.hash)? },
            decided: needed("decided", line.decided)?,
            lacks_decision: needed("lacks_decision", line.lacks_decision)?,
        };
        if [origin.places, origin.seq, origin.check.outputs].iter().any(|&count| count >= 1 << 62) {
            return Err(Rejection::bad_value("restore: more places, inputs or events than can be"));
        }
        let mut restoring = Self { loading: begin()?, origin, session: None, hash: Box::default(), lines: 0 };
        restoring.count(text);
        Ok(restoring)
    }

    fn count(&mut self, text: &str) {
        self.hash.update(text.trim_ascii().as_bytes());
        self.hash.update(b"\n");
        self.lines += 1;
    }

    /// Reads the next line; false if it was the last.
    pub(super) fn line(&mut self, text: &str) -> Result<bool, Rejection> {
        let line = read(text)?;
        if line.part == "end" {
            let (lines, hash) = (needed("lines", line.lines)?, hash_of(line.hash)?);
            if lines != self.lines || hash != self.hash.digest() {
                let reason = format!("restore: the {} lines before are not the {lines} that were written", self.lines);
                return Err(Rejection::bad_value(reason));
            }
            return Ok(false);
        }
        let part = Part::ALL.into_iter().find(|part| part.to_string() == line.part);
        let unknown = || Rejection::bad_value(format!("restore: there is no part {:?} behind the first", line.part));
        let part = part.ok_or_else(unknown)?;
        let state = needed("state", line.state)?.get().trim_ascii();
        let values = state.strip_prefix('[').and_then(|state| state.strip_suffix(']'));
        let values = values.ok_or_else(|| Rejection::malformed("restore: state must be a list"))?;
        if part == Part::Session {
            let read = serde_json::from_str(values);
            self.session = Some(read.map_err(|error| Rejection::bad_value(format!("restore: session: {error}")))?);
        } else {
            let loaded = self.loading.part_as(Form::Text, part, values.trim_ascii().as_bytes());
            loaded.map_err(|unfit| Rejection::bad_value(format!("restore: {unfit}")))?;
        }
        self.count(text);
        Ok(true)
    }

    /// What was read as a whole.
    pub(super) fn finish(self) -> Result<Restored, Rejection> {
        let session = needed("session", self.session)?;
        let kernel = self.loading.finish();
        let kernel = kernel.map_err(|unfit| Rejection::bad_value(format!("restore: cannot be a state: {unfit}")))?;
        Ok(Restored { kernel, session, origin: self.origin })
    }
}

/// A line that is no part of the state, between two that are.
pub(super) fn interrupted() -> Rejection {
    let mut reason = String::from("a state is being restored: nothing else is taken before its last line");
    let _ = write!(reason, " ({BEGINS}\"part\":\"end\",…}})");
    Rejection::new(Code::Busy, reason)
}
