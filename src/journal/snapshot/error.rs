//! What can be wrong with a snapshot.

use crate::journal::JournalError;
use crate::snapshot::Unfit;
use std::path::PathBuf;

/// Why a snapshot cannot be used, or not be written. Offsets are in bytes from the beginning of the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The system refused, or the journal is not what the snapshot goes on with.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// It is another kind of file, or of another version.
    #[error("{}: at byte {offset}: expected {expected}, found {found}", file.display())]
    Other {
        /// The file.
        file: PathBuf,
        /// Where.
        offset: u64,
        /// What should be there.
        expected: String,
        /// What is.
        found: String,
    },
    /// The bytes are not those that were written.
    #[error("{}: at byte {offset}: damaged: {what}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where the part begins; 0: the header.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// It holds what no kernel can come to.
    #[error("{}: cannot be the state of a kernel: {unfit}", file.display())]
    Unfit {
        /// The file.
        file: PathBuf,
        /// What cannot be.
        unfit: Unfit,
    },
    /// What follows it in the journal comes to something else.
    #[error("{}: the journal does not go on from it: {reason}", file.display())]
    Diverged {
        /// The file.
        file: PathBuf,
        /// Where they part.
        reason: String,
    },
}
