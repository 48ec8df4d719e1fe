//! Terms: who may write a journal, and how a writer finds out that it is another by now.
//!
//! The directory holds one file `term-` and a number in 20 digits, the **term**. Whoever begins or goes on with the journal gives that file the
//! next number, by renaming it: one step, which only one of several can do, since the others find it gone. A writer looks for the file of its own
//! term after everything that it has written (under `sync` also forced), and tells nobody before that; where the file is gone, it is **fenced**: it
//! fails as it does after a failed disk.
//!
//! **Why nothing is lost and nothing is done twice.** Let *P* have term 1, and *S* take over with term 2.
//!
//! - *S* renames first, reads the journal to its end after that, and goes on in a segment of its own, which says where it goes on: place and checksum.
//!   *P* writes, forces, looks, acknowledges, in this order. If *P* found its file there, it did so before *S* renamed it; so what *P* acknowledges was
//!   written before *S* read, and is part of what *S* goes on with.
//! - If *P* looks later, it acknowledges nothing, whatever it has written. What of it *S* has read has taken effect, and whoever sends it again gets the
//!   first answer; what *S* has not read lies in a file of *P*'s behind the place where *S* goes on, and is believed by nobody: a reader goes over
//!   to the later term where that says that it goes on.
//! - *P* may be between its look and making its next segment for as long as it likes. That segment is named after term 1, and begins where *S* goes on, or behind: no
//!   reader comes by.
//! - Nobody writes to a file that another has made, but for bytes that are there already, to force them; nobody cuts, renames or removes a segment to go on. So it does not matter
//!   where *S* stops, or for how long.
//! - *S* and *T* take over at once: one of them renames last, say *T*, with term 3. It reads after that: either it finds the segment of *S*, and goes on from that, or
//!   it goes on from *P*'s. Each segment is named after its term and the term that it goes on from; believed are the newest term and those that it goes on from
//!   ([`lineage`](super::segment::lineage)). So a segment that *S* makes after *T* has read is believed by nobody, and *S*, which is fenced, has acknowledged nothing in it.
//! - Under `async` and `none` answers do not wait for the journal; what was answered and not yet written when another took over is lost as in a crash.
//!
//! All processes must see the directory alike at once, as on one machine: a network file system that remembers names for a while does not do.

use super::disk::Disk;
use super::error::JournalError;
use super::segment::Segment;
use std::io;
use std::path::{Path, PathBuf};

const PREFIX: &str = "term-";
const DIGITS: usize = 20;

/// The right to write a journal, until another one takes it.
#[derive(Debug)]
pub(crate) struct Term {
    pub(super) number: u64,
    file: PathBuf,
}

fn file_of(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{PREFIX}{number:0DIGITS$}"))
}

/// The terms of which there is a file, ascending: more than one only where a crash has brought one back.
fn held(disk: &dyn Disk, directory: &Path) -> Result<Vec<u64>, JournalError> {
    let names = disk.list(directory);
    let names = names.map_err(|source| JournalError::Io { file: directory.to_owned(), what: "listed", source })?;
    let number = |name: &String| name.strip_prefix(PREFIX).filter(|digits| digits.len() == DIGITS)?.parse().ok();
    let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

impl Term {
    /// Takes the next term: from now on whoever wrote before is fenced.
    ///
    /// # Errors
    ///
    /// Another one takes it at the same moment, or the system refuses.
    pub(crate) fn claim(disk: &dyn Disk, directory: &Path) -> Result<Self, JournalError> {
        let held = held(disk, directory)?;
        let written = Segment::list(disk, directory)?.iter().map(|segment| segment.term).max();
        let before = held.last().copied();
        let number = before.max(written).unwrap_or(0) + 1;
        let file = file_of(directory, number);
        let taken = match before {
            Some(before) => disk.rename(&file_of(directory, before), &file),
            None => disk.create(&file).map(drop),
        };
        taken.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists => {
                JournalError::InUse { directory: directory.to_owned() }
            }
            _ => JournalError::Io { file: file.clone(), what: "created", source },
        })?;
        for old in held.iter().rev().skip(1) {
            let file = file_of(directory, *old);
            disk.remove(&file).map_err(|source| JournalError::Io { file, what: "removed", source })?;
        }
        Ok(Self { number, file })
    }

    /// Looks whether it still is the newest.
    ///
    /// # Errors
    ///
    /// [`JournalError::Fenced`], or the system refuses.
    pub(super) fn check(&self, disk: &dyn Disk) -> Result<(), JournalError> {
        let there = disk.exists(&self.file);
        if there.map_err(|source| JournalError::Io { file: self.file.clone(), what: "looked for", source })? {
            return Ok(());
        }
        let directory = self.file.parent().unwrap_or(Path::new(""));
        let by = held(disk, directory)?.pop();
        Err(JournalError::Fenced { directory: directory.to_owned(), term: self.number, by: by.unwrap_or(0) })
    }
}
