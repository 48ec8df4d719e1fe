//! What can be wrong with a journal, or with writing one.

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
    /// The system refused.
    #[error("{}: cannot be {what}: {source}", file.display())]
    Io {
        /// The file or directory.
        file: PathBuf,
        /// What was to be done: `created`, `opened`, `read` or `written`.
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
    /// The bytes are not those that were written.
    #[error("{}: at byte {offset}: the checksum is wrong", file.display())]
    Checksum {
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
