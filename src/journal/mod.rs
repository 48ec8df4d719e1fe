//! The journal: the sequence of an engine in files, to be gone through again.
//!
//! ```text
//!  Engine, Session ── Frame ──► Log (queue, thread) ──► Writer ──► DIR/sequence-… ──► Reader ──► Player ──► Kernel
//!                                  ◄── kept up to ──┘      │ Disk │
//! ```
//!
//! A journal is a directory of **segments**, `sequence-` and the number of the first place in 20 digits, each a header and frames;
//! numbers of fixed size have their least byte first. Each writer has a **term**, a number of its own, and writes segments of its own: who goes on with a journal, or
//! takes it over, names them `sequence-FIRST.TERM.FROM`, `FROM` being the term that it goes on from. What a term has written behind the place where the next goes on from it
//! is believed by nobody; `term.rs` beside this file has the reasons.
//!
//! ```text
//!  header    magic "TERRACE\n" · what it is "sequence" · version u32 · rules u32 · first place u64 · term u64
//!            · checksum at the end of the segment before u32 (0: there is none) · checksum u32               48 bytes
//!  frame     length u32 · checksum of the head u32 · checksum of the frame u32 · payload of that length
//! ```
//!
//! - **Payload**: one [`Frame`] in [postcard](https://postcard.jamesmunns.com) 1, from 1 byte to [`MAX_PAYLOAD`].
//! - **Checksums** are CRC-32C and run on through the whole journal: a header's is over the 44 bytes before it, among them the
//!   last of the segment before; the head's goes on from the checksum before it over the length, the frame's from the head's
//!   over the payload. So a frame or a segment that is lost, repeated or moved is noticed.
//! - **Rules**: the [version of the rules](crate::rule_version) that is in force at the first place of the segment. A journal is gone through under the version that its first segment
//!   names, and goes over to a later one where its sequence says so.
//! - **Decisions**: what one comes to may be known only when others have got their places after it. Then the place is
//!   written without an outcome, and each outcome as a frame of its own when it is known, in the order of the decisions.
//!   [`read`] joins them; a decision without one was never finished.
//! - **Lines** of a session stand in one frame with the place that they got, so that after a restart a repeat is known for one.
//! - **Checks** say what all events so far come to ([`Chain`]).
//! - **States** say what all money and all positions come to behind the last place ([`Kernel::state_hash`](crate::Kernel::state_hash)): two kernels may tell the same and book
//!   differently. Each stands behind a check, also behind the last place of a session that ends in good order; only sessions write them.
//! - **Marks** say how far the file is kept: after each sync; where nothing is ever synced, after each write.
//!
//! **A torn tail** is what a crash leaves of bytes that were written and not yet forced to the disk: a part, all, or some sectors of
//! them in any order. It is told from damage so: where a frame is not as it was written, in the last segment, and no mark
//! behind it says that its place was kept, it and all that follows is the torn tail: [`read`] returns what comes before and says
//! where it cut ([`Sequence::cut`]), and whoever goes on does so from there. In any other segment, or before a mark that says that
//! its place was kept, it is damage: an error, with file and offset. So what was acknowledged under
//! [`Durability::Sync`] is never taken for a torn tail, but for what changes in the last batch before the mark that follows it is
//! written; a journal that was [finished](Writer::finish) ends with a mark, so that every change of it is damage, except in that mark.
//!
//! What comes out of a file keeps every invariant of its type, whatever the bytes: grids and tier tables are built by
//! their own constructors, declarations are checked. What depends on the state is checked by whoever goes through it.
//!
//! **Version 1**, one file `sequence` without segments, is refused by its name: there was never a release that wrote it.

mod chain;
mod disk;
mod error;
mod follower;
mod frame;
mod lock;
mod log;
mod player;
mod reader;
mod segment;
mod simulated;
mod snapshot;
mod stored;
mod term;
mod writer;

pub use chain::Chain;
pub use disk::{Disk, DiskFile, RealDisk};
pub use error::JournalError;
pub use follower::Follower;
pub use frame::{Check, Frame, Line, Mark};
pub use lock::WriteLock;
pub use log::{Log, NotLogged};
pub use player::{PlayError, Played, Player};
#[cfg(feature = "cli")]
pub(crate) use reader::believed;
#[cfg(feature = "protocol")]
pub(crate) use reader::is_there;
pub use reader::{Cut, Reader, Sequence, Totals, read, read_from};
#[cfg(feature = "cli")]
pub(crate) use segment::kept_before;
pub use simulated::{Faults, SimulatedDisk};
pub use snapshot::{Origin, Passed, SNAPSHOT_VERSION, SnapshotError, SnapshotFile, SnapshotWriter, Stand, Start};
pub(crate) use stored::{StoredGrid, StoredTiers};
#[cfg(feature = "protocol")]
pub(crate) use term::Term;
pub use writer::{End, Writer};

use crate::rule_version::RuleVersion;
use std::fmt;
use std::str::FromStr;

/// The version of the format that is written, and the only one that is read.
///
/// The bytes of each kind of entry are pinned by `tests/journal.rs`: a change there is a new version.
pub const VERSION: u32 = 2;

/// Most bytes of a payload: a bound on what a reader must hold at once.
pub const MAX_PAYLOAD: usize = 16 << 20;

const MAGIC: [u8; 8] = *b"TERRACE\n";
const KIND: [u8; 8] = *b"sequence";
const HEADER: usize = 48;

/// The length and its checksum.
const HEAD: usize = 8;
/// The checksum of the frame, between head and payload.
const CHECK: usize = 4;

/// When what is written is forced to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Never: the end of the process loses what is not yet written, that of the machine anything.
    None,
    /// In the background: a crash loses what was last written.
    #[default]
    Async,
    /// Before anybody is told: a crash loses nothing that was acknowledged.
    Sync,
}

impl Durability {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::None, Self::Async, Self::Sync];

    /// As it is typed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Async => "async",
            Self::Sync => "sync",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Not the name of a [`Durability`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `none`, `async` or `sync`")]
pub struct UnknownDurability;

impl FromStr for Durability {
    type Err = UnknownDurability;

    fn from_str(word: &str) -> Result<Self, UnknownDurability> {
        Self::ALL.into_iter().find(|durability| durability.word() == word).ok_or(UnknownDurability)
    }
}

/// How a journal is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalSettings {
    /// When what is written is forced to the disk.
    pub durability: Durability,
    /// From so many bytes on a segment is full, and the next begins.
    pub segment_bytes: u64,
    /// After so many places what the events come to is written, and of a session what the state does; 0: never.
    pub check_every: u64,
    /// Frames that may wait to be written.
    pub queue: usize,
    /// The rules of the kernel whose sequence it is to hold, as it begins; who goes on with a journal goes on under its own.
    pub rules: RuleVersion,
}

impl Default for JournalSettings {
    fn default() -> Self {
        let durability = Durability::default();
        Self { durability, segment_bytes: 64 << 20, check_every: 1_024, queue: 1 << 14, rules: RuleVersion::NEWEST }
    }
}

/// The number in the four bytes from `at` on.
fn number_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}
