//! The journal: the sequence of an engine in a file, to be gone through again.
//!
//! ```text
//!  Engine ── Entry, Decision ──► Writer ──► DIR/sequence ──► Reader ──► Frame ──► read ──► Entry ──► engine::Retrace
//! ```
//!
//! A file is a header and frames, one after the other; numbers of fixed size have their least byte first.
//!
//! ```text
//!  header    magic "TERRACE\n" · what it is "sequence" · version u32 · checksum u32                      24 bytes
//!  frame     length u32 · checksum of the head u32 · checksum of the frame u32 · payload of that length
//! ```
//!
//! - **Payload**: one [`Frame`] in [postcard](https://postcard.jamesmunns.com) 1, from 1 byte to [`MAX_PAYLOAD`].
//! - **Checksums** are CRC-32C and run on through the file: the header's is over the 20 bytes before it, the head's goes on
//!   from the checksum before it over the length, the frame's from the head's over the payload. So a frame that is lost,
//!   repeated or moved is noticed, and a damaged length is never taken for the end of the file.
//! - **Decisions**: what one comes to may be known only when others have got their places after it. Then the place is
//!   written without an outcome, and each outcome as a frame of its own when it is known, in the order of the decisions.
//!   [`read`] joins them; a decision without one was never finished.
//!
//! Whoever ends in the middle of a frame leaves a *cut* file: [`read`] returns what is whole and says what is not
//! ([`Sequence::cut`]). Everything else that is not as written is an error, with file and offset.
//!
//! **No promise yet that a crash spares what was appended**: nothing is forced to the disk; part 5 does that.
//!
//! What comes out of a file keeps every invariant of its type, whatever the bytes: grids and tier tables are built by
//! their own constructors, declarations are checked. What depends on the state is checked by whoever goes through it.

mod error;
mod reader;
mod stored;
mod writer;

pub use error::JournalError;
pub use reader::{Cut, Frame, Reader, Sequence, read};
pub(crate) use stored::{StoredGrid, StoredTiers};
pub use writer::Writer;

use std::path::{Path, PathBuf};

/// The version of the format that is written, and the only one that is read.
///
/// The bytes of each kind of entry are pinned by `tests/journal.rs`: a change there is a new version.
pub const VERSION: u32 = 1;

/// Most bytes of a payload: a bound on what a reader must hold at once.
pub const MAX_PAYLOAD: usize = 16 << 20;

/// The name of the file in its directory.
pub const FILE_NAME: &str = "sequence";

const MAGIC: [u8; 8] = *b"TERRACE\n";
const KIND: [u8; 8] = *b"sequence";
const HEADER: usize = 24;

/// The length and its checksum.
const HEAD: usize = 8;
/// The checksum of the frame, between head and payload.
const CHECK: usize = 4;

fn file_in(directory: &Path) -> PathBuf {
    directory.join(FILE_NAME)
}

/// The header, and its checksum, from which those of the frames go on.
fn header() -> ([u8; HEADER], u32) {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..16].copy_from_slice(&KIND);
    header[16..20].copy_from_slice(&VERSION.to_le_bytes());
    let check = crc32c::crc32c(&header[..20]);
    header[20..].copy_from_slice(&check.to_le_bytes());
    (header, check)
}

/// The number in the four bytes from `at` on.
fn number_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}
