//! How far a standby is, told to whoever writes the journal by a file beside it: `standby`, with the places that it has followed in 20 digits.
//!
//! For watching alone: nothing that is acknowledged depends on it. The file stays as it is where a standby dies, so that it is more and more behind; one that ends takes it
//! away. Of several standbys it is the last that told.

use super::error::JournalError;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const DIGITS: usize = 20;

/// A standby that tells how far it is.
#[derive(Debug)]
pub struct Follower {
    file: PathBuf,
    told: Option<u64>,
}

impl Follower {
    /// Of the journal in a directory. Nothing is told yet.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        Self { file: file_of(directory), told: None }
    }

    /// Tells how many places of the journal it has followed.
    ///
    /// # Errors
    ///
    /// The system refuses, as where it may only read.
    pub fn tell(&mut self, places: u64) -> Result<(), JournalError> {
        if self.told == Some(places) {
            return Ok(());
        }
        let written = fs::write(&self.file, format!("{places:0DIGITS$}\n"));
        written.map_err(|source| JournalError::Io { file: self.file.clone(), what: "written", source })?;
        self.told = Some(places);
        Ok(())
    }

    /// It follows no more, and nobody waits for it.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub fn end(self) -> Result<(), JournalError> {
        match fs::remove_file(&self.file) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(JournalError::Io { file: self.file, what: "removed", source })
            }
            _ => Ok(()),
        }
    }

    /// How many places a standby has followed of the journal in a directory; none: there is none, or it tells that just now.
    #[must_use]
    pub fn heard(directory: &Path) -> Option<u64> {
        let text = fs::read_to_string(file_of(directory)).ok()?;
        text.strip_suffix('\n').filter(|digits| digits.len() == DIGITS)?.parse().ok()
    }
}

fn file_of(directory: &Path) -> PathBuf {
    directory.join("standby")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_heard_until_it_ends() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        assert_eq!(Follower::heard(directory), None);
        let mut follower = Follower::of(directory);
        assert_eq!(Follower::heard(directory), None, "nothing is told yet");
        for places in [0, 7, 7, u64::MAX] {
            follower.tell(places).unwrap();
            assert_eq!(Follower::heard(directory), Some(places));
        }
        for half in ["", "7", "7\n", "000000000000000000070", "0000000000000000000x\n", "99999999999999999999\n"] {
            fs::write(directory.join("standby"), half).unwrap();
            assert_eq!(Follower::heard(directory), None, "{half:?}");
        }
        follower.end().unwrap();
        assert!(!directory.join("standby").exists());
        Follower::of(directory).end().unwrap(); // another has taken it away
        let error = Follower::of(&directory.join("none")).tell(1).unwrap_err().to_string();
        assert!(error.contains("none/standby"), "{error}");
    }
}
