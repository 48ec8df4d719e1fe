//! One writer at a time: whoever writes a journal holds its lock, which the system takes away with the process.

use super::error::JournalError;
use std::fs::{self, File, TryLockError};
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
        let io = |file: &Path, what| {
            let file = file.to_owned();
            move |source| JournalError::Io { file, what, source }
        };
        fs::create_dir_all(directory).map_err(io(directory, "created"))?;
        let path = directory.join("lock");
        let opened = File::options().create(true).truncate(false).write(true).open(&path);
        let file = opened.map_err(io(&path, "opened"))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(JournalError::InUse { directory: directory.to_owned() }),
            Err(TryLockError::Error(source)) => Err(io(&path, "locked")(source)),
        }
    }
}
