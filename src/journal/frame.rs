//! What a frame holds.

use crate::engine::{Decision, Entry};
use serde::{Deserialize, Serialize};

/// What a frame holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Frame {
    /// A place of the sequence.
    Entry(Entry),
    /// What the first decision before it that has no outcome yet came to.
    Outcome(Decision),
    /// A line of a session, and the place that it got. In one frame: neither is ever there without the other, so that a
    /// repeat is known for one whenever its first time has taken effect.
    Line(Line, Option<Entry>),
    /// What the events so far come to.
    Check(Check),
    /// How far the file was forced to the disk when this was written.
    Mark(Mark),
    /// What the state comes to behind the last place ([`Overview::state_hash`](crate::kernel::Overview::state_hash)). Sessions write it, at rest; an engine on threads, which
    /// is never known to be at rest, writes none.
    State(u64),
}

/// A line of a session, as far as a restart must know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its number.
    pub seq: u64,
    /// Who sent it, and its number there.
    pub source: Option<(String, u64)>,
    /// Why it was refused: the protocol's word, and the sentence.
    pub rejected: Option<(String, String)>,
    /// The line itself, where it changes what only the session knows.
    pub text: Option<String>,
}

/// What all events of the sequence so far come to, chained; see [`Chain`](super::Chain).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// How many there were, refusals by shards included.
    pub outputs: u64,
    /// Their hash.
    pub hash: u64,
}

/// Says of the bytes before an offset of its file that they are kept. It has a fixed form and a seal of its own, so that it is
/// found and believed behind damage too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    magic: [u8; 8],
    before: [u8; 8],
    seal: [u8; 4],
}

/// How a mark begins; the first byte is no text, so that none looks like it by chance.
const MAGIC: [u8; 8] = *b"\xF1KEPT\r\n\xF1";

/// From magic to seal.
const BYTES: usize = 20;

impl Mark {
    /// In the segment that begins with this place.
    pub(super) fn new(first: u64, before: u64) -> Self {
        let before = before.to_le_bytes();
        Self { magic: MAGIC, before, seal: Self::seal(first, before) }
    }

    fn seal(first: u64, before: [u8; 8]) -> [u8; 4] {
        let check = crc32c::crc32c(&first.to_le_bytes());
        crc32c::crc32c_append(crc32c::crc32c_append(check, &MAGIC), &before).to_le_bytes()
    }

    /// Whether it is one, of this segment.
    pub(super) fn is_sealed(&self, first: u64) -> bool {
        self.magic == MAGIC && self.seal == Self::seal(first, self.before)
    }

    /// The furthest offset that any mark in these bytes says is kept, whatever lies around it.
    pub(super) fn furthest(first: u64, bytes: &[u8]) -> Option<u64> {
        let before = |part: &[u8]| {
            let mark = Self {
                magic: MAGIC,
                before: part.get(8..16)?.try_into().ok()?,
                seal: part.get(16..20)?.try_into().ok()?,
            };
            mark.is_sealed(first).then(|| u64::from_le_bytes(mark.before))
        };
        bytes.windows(BYTES).filter(|part| part.starts_with(&MAGIC)).filter_map(before).max()
    }
}
