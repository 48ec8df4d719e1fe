//! Snapshots by the way: a thread beside whoever writes a journal, with a kernel of its own, that follows it and saves the state
//! every so many places. The one who writes rings a bell and waits for nothing.

use super::durable::DurableError;
use super::followed::Snapshot;
use crate::journal::{Disk, SnapshotFile};
use crate::kernel::Settings;
use std::io;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// What came of one.
pub type Made = Result<Snapshot, DurableError>;

/// A thread that makes snapshots. Dropped, it ends when the one under way is made.
#[derive(Debug)]
pub struct Snapshots {
    bell: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    every: NonZeroU64,
    /// Places after which it is rung next.
    next: u64,
}

impl Snapshots {
    /// Starts the thread; after each snapshot all are removed but so many of the newest that are whole, at least one. Segments stay. `tell` hears what came of each, on that
    /// thread: a failure ends nothing, the next is tried all the same.
    ///
    /// # Errors
    ///
    /// The system starts no thread.
    pub fn start(
        disk: impl Disk + Clone + 'static,
        directory: PathBuf,
        settings: Settings,
        (every, kept): (NonZeroU64, usize),
        mut tell: impl FnMut(Made) + Send + 'static,
    ) -> io::Result<Self> {
        let (bell, rung) = sync_channel(1);
        let follow = move || {
            for () in rung {
                tell(save_and_thin(&disk, &directory, settings, kept));
            }
        };
        let thread = std::thread::Builder::new().name("snapshots".to_owned()).spawn(follow)?;
        Ok(Self { bell: Some(bell), thread: Some(thread), every, next: every.get() })
    }

    /// So many places are in the journal since it was started: a snapshot is made if it is time. While one is under way the next waits.
    pub fn reached(&mut self, places: u64) {
        if places < self.next {
            return;
        }
        self.next = places.saturating_add(self.every.get());
        if let Some(bell) = &self.bell {
            let _ = bell.try_send(()); // full: it is rung already
        }
    }
}

impl Drop for Snapshots {
    fn drop(&mut self) {
        self.bell = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic was shown already
        }
    }
}

/// Makes one, and removes all but so many of the newest that are whole.
pub(crate) fn save_and_thin(
    disk: &(impl Disk + Clone + 'static),
    directory: &Path,
    settings: Settings,
    kept: usize,
) -> Made {
    let made = Snapshot::make(disk, directory, settings)?;
    SnapshotFile::thin(disk, directory, kept)?;
    Ok(made)
}
