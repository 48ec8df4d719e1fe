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
}

impl Follower {
    /// Of the journal in a directory. Nothing is told yet.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        Self { file: file_of(directory) }
    }

    /// Tells how many places of the journal it has followed: again and again, since another standby that ends takes the file away.
    ///
    /// # Errors
    ///
    /// The system refuses, as where it may only read.
    pub fn tell(&self, places: u64) -> Result<(), JournalError> {
        // Aside, so that nobody reads a half, nor one of two who tell at once.
        let aside = self.file.with_extension(format!("{}.new", std::process::id()));
        let failed = |source| JournalError::Io { file: self.file.clone(), what: "written", source };
        fs::write(&aside, format!("{places:0DIGITS$}\n")).and_then(|()| fs::rename(&aside, &self.file)).map_err(failed)
    }

    /// It follows no more, and nobody waits for it.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub fn end(&self) -> Result<(), JournalError> {
        match fs::remove_file(&self.file) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(JournalError::Io { file: self.file.clone(), what: "removed", source })
            }
            _ => Ok(()),
        }
    }

    /// How many places a standby has followed of the journal in a directory; none: nobody follows it.
    ///
    /// # Errors
    ///
    /// The system refuses, or what stands there was not written by [`Follower::tell`].
    pub fn heard(directory: &Path) -> io::Result<Option<u64>> {
        let text = match fs::read_to_string(file_of(directory)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        let digits = text.strip_suffix('\n').filter(|digits| digits.len() == DIGITS);
        let places = digits.and_then(|digits| digits.parse().ok());
        places.map(Some).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a number of places"))
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
        let heard = || Follower::heard(directory).unwrap();
        assert_eq!(heard(), None);
        let follower = Follower::of(directory);
        assert_eq!(heard(), None, "nothing is told yet");
        for places in [0, 7, 7, u64::MAX] {
            follower.tell(places).unwrap();
            assert_eq!(heard(), Some(places));
            assert_eq!(fs::read_dir(directory).unwrap().count(), 1, "nothing is left aside");
        }
        for other in ["", "7", "7\n", "000000000000000000070", "0000000000000000000x\n", "99999999999999999999\n"] {
            fs::write(directory.join("standby"), other).unwrap();
            assert!(Follower::heard(directory).is_err(), "{other:?}");
        }
        follower.end().unwrap();
        assert_eq!(heard(), None);
        Follower::of(directory).end().unwrap(); // another has taken it away
        let error = Follower::of(&directory.join("none")).tell(1).unwrap_err().to_string();
        assert!(error.contains("none/standby"), "{error}");
    }
}
