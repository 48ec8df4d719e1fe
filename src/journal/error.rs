//! What can be wrong with a journal, or with writing one.

use crate::rule_version::{RuleVersion, UnknownRules};
use std::io;
use std::path::PathBuf;

/// Why a journal cannot be written or read. Offsets are in bytes from the beginning of the file, of the frame concerned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// There is a journal already: it is never overwritten.
    #[error("{}: there is a journal already", file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// Another process writes it.
    #[error("{}: another process writes this journal", directory.display())]
    InUse {
        /// The directory.
        directory: PathBuf,
    },
    /// Another process has taken the journal over: whoever wrote it before writes no more.
    #[error(
        "{}: fenced: this process wrote the journal with term {term}, and another one has taken it over with term {by}",
        directory.display()
    )]
    Fenced {
        /// The directory.
        directory: PathBuf,
        /// That of this process.
        term: u64,
        /// That of the other.
        by: u64,
    },
    /// What was read here is not what the journal goes on with: another process had taken it over before, or it was pruned. It is to be read anew.
    #[error("{}: at byte {offset}: the journal does not go on here any more: another process has taken it over", file.display())]
    Overtaken {
        /// The segment.
        file: PathBuf,
        /// How far it was read.
        offset: u64,
    },
    /// The system refused.
    #[error("{}: cannot be {what}: {source}", file.display())]
    Io {
        /// The file or directory.
        file: PathBuf,
        /// What was to be done: `created`, `listed`, `looked for`, `opened`, `read`, `written`, `forced to the disk`, `renamed`, `removed` or `locked`.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// An earlier write failed: how the file ends is not known, so nothing is written to it any more.
    #[error("{}: is written no further, because an earlier write failed", file.display())]
    Failed {
        /// The file.
        file: PathBuf,
    },
    /// The entry is too long for a frame; it was not written.
    #[error("{}: an entry of {bytes} bytes is longer than a frame may be ({} bytes)", file.display(), super::MAX_PAYLOAD)]
    TooLong {
        /// The file.
        file: PathBuf,
        /// Its length.
        bytes: usize,
    },
    /// The entry could not be read again; it was not written.
    #[error("{}: an entry that could not be read again: {reason}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// All decisions written have their outcome already; this one was not written.
    #[error("{}: an outcome, but no decision waits for one", file.display())]
    NoDecision {
        /// The file.
        file: PathBuf,
    },
    /// There is none.
    #[error("{}: there is no journal: expected files named sequence-00000000000000000000 and so on", directory.display())]
    NoJournal {
        /// The directory.
        directory: PathBuf,
    },
    /// A snapshot goes on where the journal does not come by.
    #[error("{}: at byte {offset}: the snapshot would go on here, and the journal does not", file.display())]
    Elsewhere {
        /// The segment.
        file: PathBuf,
        /// Where in it.
        offset: u64,
    },
    /// Named like a segment, but not quite.
    #[error(
        "{}: not the name of a segment: expected \"sequence-\", 20 digits, and of a later term a dot, the term, a dot, and the term before",
        file.display()
    )]
    Name {
        /// The file.
        file: PathBuf,
    },
    /// A segment is not there.
    #[error("{}: the segment is missing; the next one there is {}", file.display(), next.display())]
    Missing {
        /// The segment that should be there.
        file: PathBuf,
        /// The next one that is.
        next: PathBuf,
    },
    /// A segment begins with a place that the one before it holds already.
    #[error("{}: the segment is there twice: its first places are in {} already", file.display(), before.display())]
    Doubled {
        /// The file.
        file: PathBuf,
        /// The one before it.
        before: PathBuf,
    },
    /// A segment that stands under the name of another.
    #[error("{}: at byte 24: the segment begins with place {found}, but is named after place {expected}", file.display())]
    Misplaced {
        /// The file.
        file: PathBuf,
        /// As it is named.
        expected: u64,
        /// As it says.
        found: u64,
    },
    /// A segment that stands under the name of another term.
    #[error("{}: at byte 32: the segment is of term {found}, but is named after term {expected}", file.display())]
    Term {
        /// The file.
        file: PathBuf,
        /// As it is named.
        expected: u64,
        /// As it says.
        found: u64,
    },
    /// A segment that goes on from another one than the one before it.
    #[error("{}: at byte 40: the segment does not go on from {}", file.display(), before.display())]
    NotFollowing {
        /// The file.
        file: PathBuf,
        /// The one before it.
        before: PathBuf,
    },
    /// A sequence under other rules of the kernel.
    #[error("{}: at byte 20: {source}", file.display())]
    Rules {
        /// The file.
        file: PathBuf,
        /// Which, and which are known.
        source: UnknownRules,
    },
    /// A segment under earlier rules than the one before it.
    #[error("{}: at byte 20: the segment is under version {found} of the rules, and {} under {known} before it", file.display(), before.display())]
    EarlierRules {
        /// The file.
        file: PathBuf,
        /// What it says.
        found: RuleVersion,
        /// The one before it.
        before: PathBuf,
        /// What that says.
        known: RuleVersion,
    },
    /// The file begins like no journal.
    #[error("{}: at byte 0: not a journal: expected \"TERRACE\\n\"", file.display())]
    NotAJournal {
        /// The file.
        file: PathBuf,
    },
    /// Another kind of file of Terrace.
    #[error("{}: at byte 8: expected the kind \"sequence\", found \"{}\"", file.display(), found.escape_ascii())]
    Kind {
        /// The file.
        file: PathBuf,
        /// What it says.
        found: [u8; 8],
    },
    /// Another version of the format.
    #[error("{}: at byte 16: expected version {} of the format, found {found}", file.display(), super::VERSION)]
    Version {
        /// The file.
        file: PathBuf,
        /// What it says.
        found: u32,
    },
    /// The bytes are not those that were written, and no crash did that: what follows them was kept.
    #[error("{}: at byte {offset}: damaged: the checksum is wrong, and what follows says that this is no torn tail", file.display())]
    Checksum {
        /// The file.
        file: PathBuf,
        /// Where the frame begins; 0: the header.
        offset: u64,
    },
    /// A segment ends within a frame, and another follows.
    #[error("{}: at byte {offset}: damaged: the segment ends within a frame, and another one follows", file.display())]
    Short {
        /// The file.
        file: PathBuf,
        /// Where the frame begins; 0: the header.
        offset: u64,
    },
    /// A frame that is empty or longer than one may be.
    #[error(
        "{}: at byte {offset}: a frame of {bytes} bytes: expected 1 to {}", file.display(), super::MAX_PAYLOAD
    )]
    Length {
        /// The file.
        file: PathBuf,
        /// Where the frame begins.
        offset: u64,
        /// The length that it tells.
        bytes: u32,
    },
    /// The frame is as it was written, but nothing that can be a part of a sequence.
    #[error("{}: at byte {offset}: cannot be understood: {reason}", file.display())]
    Undecodable {
        /// The file.
        file: PathBuf,
        /// Where the frame begins.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// An outcome, but every decision before it has one.
    #[error("{}: at byte {offset}: an outcome, but no decision before it waits for one", file.display())]
    OutcomeWithoutDecision {
        /// The file.
        file: PathBuf,
        /// Where the frame begins.
        offset: u64,
    },
    /// The file ends within a frame or its header.
    #[error("{}: at byte {offset}: the file ends within a frame, after {bytes} bytes of it", file.display())]
    Cut {
        /// The file.
        file: PathBuf,
        /// Where the frame begins.
        offset: u64,
        /// What is there of it.
        bytes: u64,
    },
}
