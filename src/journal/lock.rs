//! One writer at a time: whoever writes a journal holds its lock, which the system takes away with the process.
//!
//! The lock is against mistakes, and tells that the process which held it has ended. That nothing is written beside another is not left to it: see `term.rs`.

use super::error::JournalError;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

/// Held by whoever writes the journal in a directory.
#[derive(Debug)]
pub struct WriteLock(#[expect(dead_code, reason = "held, not used")] File);

impl WriteLock {
    /// Takes the lock of a directory, which is made if it is not there; fails at once if another process holds it.
    ///
    /// # Errors
    ///
    /// [`JournalError::InUse`], or the system refuses.
    pub fn take(directory: impl AsRef<Path>) -> Result<Self, JournalError> {
        let directory = directory.as_ref();
        fs::create_dir_all(directory).map_err(failed(directory, "created"))?;
        let path = directory.join("lock");
        loop {
            let file = lock(directory, &path)?;
            if is_named(&file, &path) {
                return Ok(Self(file));
            }
        }
    }

    /// Puts another lock in the place of the one that a process holds which is to be fenced.
    ///
    /// # Errors
    ///
    /// [`JournalError::InUse`] if another process is doing the same, or the system refuses.
    pub fn replace(directory: impl AsRef<Path>) -> Result<Self, JournalError> {
        let directory = directory.as_ref();
        let (aside, path) = (directory.join("lock.new"), directory.join("lock"));
        let file = lock(directory, &aside)?;
        fs::rename(&aside, &path).map_err(failed(&aside, "renamed"))?;
        Ok(Self(file))
    }
}

fn failed(file: &Path, what: &'static str) -> impl Fn(io::Error) -> JournalError {
    let file = file.to_owned();
    move |source| JournalError::Io { file: file.clone(), what, source }
}

fn lock(directory: &Path, path: &Path) -> Result<File, JournalError> {
    let opened = File::options().create(true).truncate(false).write(true).open(path);
    let file = opened.map_err(failed(path, "opened"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse { directory: directory.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(path, "locked")(source)),
    }
}

/// Whether a file still has this name: it may have been replaced between opening and locking.
#[cfg(unix)]
fn is_named(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let same = |own: fs::Metadata, named: fs::Metadata| (own.dev(), own.ino()) == (named.dev(), named.ino());
    file.metadata().and_then(|own| Ok(same(own, fs::metadata(path)?))).unwrap_or(false)
}

#[cfg(not(unix))]
fn is_named(_: &File, _: &Path) -> bool {
    true // an open file cannot be replaced
}
