//! Snapshots in files: the state of a kernel at a place of its journal, beside the segments.
//!
//! ```text
//!  Player ─ at rest ─► write: snapshot-N.new ─► segments and file forced ─► snapshot-N ─► directory forced
//!  newest snapshot that is whole ─► Loading ─► Kernel ─► Player, from its place on
//! ```
//!
//! A file is named `snapshot-` and the number of places that went into it, in 20 digits; numbers of fixed size have their least byte
//! first.
//!
//! ```text
//!  header    magic "TERRACE\n" · what it is "snapshot" · version u32 · rules u32 · places u64 · number of the last input u64
//!            · term u64 · events u64 and their chained hash u64 · segment u64, offset u64 and checksum u32 from which to go on
//!            · outcomes behind it of decisions before it u32 · 1: the last place is a decision, 2: an input before it had none, u32 · checksum u32    96 bytes
//!  part      what u32 · length u32 · checksum of the head u32 · checksum of the part u32 · payload of that length
//!  end       a part 0 of 8 bytes: the XXH3 hash of all before it
//! ```
//!
//! - **Payload**: a [`Part`](crate::snapshot::Part) as [`AtRest::save`](crate::kernel::AtRest::save) hands it over.
//! - **Checksums** are CRC-32C and run on from the header through all parts, as a journal's through its frames.
//! - **Written aside and renamed**: what has the name of a snapshot is whole, or was damaged later. Before it gets its name, the segments
//!   that were gone through are forced to the disk with it, so that no snapshot is ever ahead of its journal.
//! - **Beside a writer**: whoever makes one reads the journal, and takes no lock; no tick waits for it.
//! - **Damaged** ones are passed over, with a message, for the one before; where there is none, the journal is gone through from its start.

mod error;
mod list;
mod read;
mod write;

pub use error::SnapshotError;
pub use list::SnapshotFile;
pub use read::{Passed, Start};
pub use write::SnapshotWriter;

use super::frame::Check;
use super::reader::Position;
use super::{MAGIC, number_at};
use crate::rule_version::RuleVersion;

/// The version of the format that is written, and the only one that is read: it grows when a record changes.
pub const SNAPSHOT_VERSION: u32 = 3;

const KIND: [u8; 8] = *b"snapshot";
const HEADER: usize = 96;
/// What, length and their checksum, and the checksum of the part.
const PART_HEAD: usize = 16;
/// What ends a file.
const END: u32 = 0;

/// Where a kernel stands in a journal, between two of its places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stand {
    /// Places gone through.
    pub places: u64,
    /// The number of the last input.
    pub seq: u64,
    /// Who wrote the last place.
    pub term: u64,
    /// What the events came to.
    pub check: Check,
    /// The bytes from which to go on.
    pub(crate) position: Position,
    /// Outcomes that follow there of decisions that are gone through.
    pub(crate) owed: u32,
    /// Whether the last place was a decision.
    pub(crate) decided: bool,
    /// Whether an input was accepted that no decision has followed yet: it left nothing to decide.
    pub(crate) lacks_decision: bool,
    /// The rules that are in force there.
    pub(crate) rules: RuleVersion,
}

/// Where a kernel stands in its sequence, whatever journal holds that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Places gone through.
    pub places: u64,
    /// The number of the last input.
    pub seq: u64,
    /// What the events came to.
    pub check: Check,
    /// Whether the last place was a decision.
    pub decided: bool,
    /// Whether an input was accepted that no decision has followed yet: it left nothing to decide.
    pub lacks_decision: bool,
}

impl Stand {
    /// Without the journal.
    #[must_use]
    pub fn origin(&self) -> Origin {
        let Self { places, seq, check, decided, lacks_decision, .. } = *self;
        Origin { places, seq, check, decided, lacks_decision }
    }

    fn bytes(&self) -> ([u8; HEADER], u32) {
        let mut bytes = [0; HEADER];
        let Self { places, seq, term, check, position, owed, decided, lacks_decision, rules } = *self;
        let ending = u32::from(decided) | u32::from(lacks_decision) << 1;
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&KIND);
        bytes[16..20].copy_from_slice(&SNAPSHOT_VERSION.to_le_bytes());
        bytes[20..24].copy_from_slice(&rules.number().to_le_bytes());
        let wide = [places, seq, term, check.outputs, check.hash, position.segment, position.offset];
        for (at, number) in wide.into_iter().enumerate() {
            bytes[24 + at * 8..32 + at * 8].copy_from_slice(&number.to_le_bytes());
        }
        for (at, number) in [position.check, owed, ending].into_iter().enumerate() {
            bytes[80 + at * 4..84 + at * 4].copy_from_slice(&number.to_le_bytes());
        }
        let check = crc32c::crc32c(&bytes[..HEADER - 4]);
        bytes[HEADER - 4..].copy_from_slice(&check.to_le_bytes());
        (bytes, check)
    }

    /// Of a header whose kind, version, rules and checksum were looked at.
    fn of(bytes: &[u8; HEADER], rules: RuleVersion) -> Self {
        let wide = |at: usize| u64::from(number_at(bytes, at)) | u64::from(number_at(bytes, at + 4)) << 32;
        let check = Check { outputs: wide(48), hash: wide(56) };
        let (segment, offset, check_there) = (wide(64), wide(72), number_at(bytes, 80));
        let position = Position { term: wide(40), segment, offset, check: check_there, place: wide(24) };
        let (owed, ending) = (number_at(bytes, 84), number_at(bytes, 88));
        let (decided, lacks_decision) = (ending & 1 != 0, ending & 2 != 0);
        Self { places: wide(24), seq: wide(32), term: wide(40), check, position, owed, decided, lacks_decision, rules }
    }
}
