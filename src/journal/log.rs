//! A journal that is written by a thread of its own.
//!
//! ```text
//!  one thread ── append ──► queue, bounded ──► [journal: Writer] ──► disk
//!             ◄── kept: all frames below this number are as safe as the durability says ──┘
//! ```
//!
//! The thread takes what is there, writes it, and under [`Durability::Sync`] forces it to the disk before it says so: what comes
//! meanwhile is the next batch, so that the disk sets how long an acknowledgement takes, but not how many there are.

use super::error::JournalError;
use super::frame::Frame;
use super::writer::Writer;
use super::{Durability, JournalSettings};
use crate::ring::{Bell, Wait};
use crossbeam::queue::ArrayQueue;
use crossbeam::utils::CachePadded;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The most frames between two looks at what else is to be done.
const BATCH: usize = 1 << 12;

/// How long the thread rests where nobody waits for it.
const REST: Duration = Duration::from_micros(500);

/// How long what is written stays without being forced to the disk, under [`Durability::Async`].
const SYNC_EVERY: Duration = Duration::from_millis(20);

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotLogged {
    /// The thread is behind: try again. Nothing has changed.
    #[error("the journal is behind: its queue is full")]
    Full,
    /// The journal has failed for good ([`Log::failure`] says why): nothing is taken any more.
    #[error("the journal has failed")]
    Failed,
}

/// A journal under way. It belongs to one thread, which appends.
///
/// Dropped without [`Log::finish`] it still writes what was appended, but cannot say whether it could.
#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
    writing: Writing,
    settings: JournalSettings,
    /// Frames so far.
    appended: u64,
}

/// Who writes.
#[derive(Debug)]
enum Writing {
    Thread(JoinHandle<()>),
    /// Whoever steps it.
    ByHand(Box<Scribe>),
    Ended,
}

#[derive(Debug)]
struct Shared {
    queue: ArrayQueue<Frame>,
    /// Frames that are as safe as the durability says.
    kept: CachePadded<AtomicU64>,
    /// No more frames will come.
    ended: AtomicBool,
    failed: AtomicBool,
    failure: OnceLock<JournalError>,
    /// Of the thread that writes; rung only where somebody waits for what it does.
    writer: Bell,
    /// Of the thread that appends.
    caller: Bell,
}

impl Log {
    /// Starts the thread over a writer; the settings are those that it was made with.
    ///
    /// # Errors
    ///
    /// The system starts no thread.
    pub fn start(writer: Writer, settings: JournalSettings) -> Result<Self, JournalError> {
        let (shared, scribe) = Scribe::new(writer, settings);
        let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(move || scribe.run());
        let failed = |source| JournalError::Io { file: PathBuf::from("the journal's thread"), what: "started", source };
        Ok(Self { shared, writing: Writing::Thread(thread.map_err(failed)?), settings, appended: 0 })
    }

    /// Without a thread: what the thread would do is done in [`Log::step`], and where the caller would wait for it. So a simulation says when.
    #[must_use]
    pub fn by_hand(writer: Writer, settings: JournalSettings) -> Self {
        let (shared, scribe) = Scribe::new(writer, settings);
        Self { shared, writing: Writing::ByHand(Box::new(scribe)), settings, appended: 0 }
    }

    /// Of a log [by hand](Log::by_hand): takes what is there, writes it, and says so; whether there was anything. Under [`Durability::Async`] it is forced
    /// to the disk if nothing was there.
    pub fn step(&mut self) -> bool {
        let Writing::ByHand(scribe) = &mut self.writing else { return false };
        if self.shared.failed.load(Ordering::Acquire) {
            return false;
        }
        match scribe.step(|| false) {
            Ok(stepped) => matches!(stepped, Stepped::Wrote { .. }),
            Err(error) => {
                self.shared.fail(error);
                false
            }
        }
    }

    /// How it is written.
    #[must_use]
    pub fn settings(&self) -> &JournalSettings {
        &self.settings
    }

    /// Frames that can be appended now without waiting.
    #[inline]
    #[must_use]
    pub fn room(&self) -> usize {
        self.shared.queue.capacity() - self.shared.queue.len()
    }

    /// Appends a frame, and returns how many there are with it: its number. Never waits.
    ///
    /// # Errors
    ///
    /// [`NotLogged`]; the frame was not taken.
    #[inline]
    pub fn try_append(&mut self, frame: Frame) -> Result<u64, NotLogged> {
        if self.has_failed() {
            return Err(NotLogged::Failed);
        }
        self.shared.queue.push(frame).map_err(|_| NotLogged::Full)?;
        if self.settings.durability == Durability::Sync {
            self.shared.writer.ring();
        }
        self.appended += 1;
        Ok(self.appended)
    }

    /// As [`Log::try_append`], but waits for room.
    ///
    /// # Errors
    ///
    /// [`NotLogged::Failed`].
    pub fn append(&mut self, frame: Frame) -> Result<u64, NotLogged> {
        while self.shared.queue.is_full() && self.step() {}
        let shared = &self.shared;
        shared.caller.wait(|| !shared.queue.is_full() || shared.failed.load(Ordering::Acquire));
        self.try_append(frame)
    }

    /// The number of the last frame.
    #[must_use]
    pub fn appended(&self) -> u64 {
        self.appended
    }

    /// All frames up to this number are kept: under [`Durability::Sync`] on the disk, under the others given to the system.
    #[inline]
    #[must_use]
    pub fn kept(&self) -> u64 {
        // SYNC: frames kept.
        self.shared.kept.load(Ordering::Acquire)
    }

    /// Whether what led to this frame may be acknowledged: under [`Durability::Sync`] when it is kept, under the others at once.
    #[inline]
    #[must_use]
    pub fn may_acknowledge(&self, number: u64) -> bool {
        self.settings.durability != Durability::Sync || self.kept() >= number
    }

    /// Waits until what led to this frame may be acknowledged.
    ///
    /// # Errors
    ///
    /// [`NotLogged::Failed`]: it may be lost.
    pub fn wait(&mut self, number: u64) -> Result<(), NotLogged> {
        while !self.may_acknowledge(number) && self.step() {}
        self.shared.caller.wait(|| self.may_acknowledge(number) || self.has_failed());
        if self.settings.durability == Durability::Sync && self.kept() >= number {
            return Ok(()); // whatever failed later
        }
        if self.has_failed() { Err(NotLogged::Failed) } else { Ok(()) }
    }

    /// Whether it has failed for good.
    #[inline]
    #[must_use]
    pub fn has_failed(&self) -> bool {
        // SYNC: failure told.
        self.shared.failed.load(Ordering::Acquire)
    }

    /// Why it has failed, if it has.
    #[must_use]
    pub fn failure(&self) -> Option<&JournalError> {
        if self.has_failed() { self.shared.failure.get() } else { None }
    }

    /// Writes everything, forces it to the disk if anything is to be, and ends the thread.
    ///
    /// # Errors
    ///
    /// It has failed, now or before.
    pub fn finish(mut self) -> Result<(), JournalError> {
        self.end();
        // The thread has ended, and nobody else has it.
        match Arc::get_mut(&mut self.shared).and_then(|shared| shared.failure.take()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn end(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        self.shared.writer.ring();
        match std::mem::replace(&mut self.writing, Writing::Ended) {
            Writing::Thread(thread) => {
                thread.thread().unpark();
                if thread.join().is_err() {
                    let file = PathBuf::from("the journal's thread");
                    self.shared.fail(JournalError::Io { file, what: "ended", source: io::Error::other("it panicked") });
                }
            }
            Writing::ByHand(scribe) if !self.has_failed() => scribe.run(), // to the end, which is told
            Writing::ByHand(_) | Writing::Ended => {}
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn fail(&self, error: JournalError) {
        let _ = self.failure.set(error); // the first one counts
        // SYNC: failure told.
        self.failed.store(true, Ordering::Release);
        self.caller.ring();
    }
}

/// Who writes: a thread, or whoever steps it.
#[derive(Debug)]
struct Scribe {
    writer: Writer,
    shared: Arc<Shared>,
    durability: Durability,
    /// Frames taken from the queue.
    taken: u64,
    /// Those of them that were told to be kept.
    kept: u64,
}

/// What a step came to.
enum Stepped {
    /// What was there is written, and perhaps forced to the disk.
    Wrote { forced: bool },
    /// Nothing was there; all is forced to the disk, if anything is to be.
    Idle,
    /// Nothing is there, and nothing will be.
    Ended,
}

impl Scribe {
    fn new(writer: Writer, settings: JournalSettings) -> (Arc<Shared>, Self) {
        let shared = Arc::new(Shared {
            queue: ArrayQueue::new(settings.queue.max(2)),
            kept: CachePadded::new(AtomicU64::new(0)),
            ended: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            failure: OnceLock::new(),
            writer: Bell::new(Wait::Park),
            caller: Bell::new(Wait::Park),
        });
        (Arc::clone(&shared), Self { writer, shared, durability: settings.durability, taken: 0, kept: 0 })
    }

    fn run(mut self) {
        let written = self.write();
        let Self { writer, shared, taken, .. } = self;
        match written.and_then(|()| writer.finish()) {
            Ok(()) => shared.tell_kept(taken),
            Err(error) => shared.fail(error),
        }
    }

    fn write(&mut self) -> Result<(), JournalError> {
        let mut synced = Instant::now();
        loop {
            match self.step(|| synced.elapsed() >= SYNC_EVERY)? {
                Stepped::Wrote { forced: true } => synced = Instant::now(),
                Stepped::Wrote { forced: false } => {}
                Stepped::Idle => self.rest(),
                Stepped::Ended => return Ok(()),
            }
        }
    }

    /// Takes what is there, writes it, and says so; `is_due`: whether it is time to force it to the disk, under
    /// [`Durability::Async`].
    fn step(&mut self, is_due: impl FnOnce() -> bool) -> Result<Stepped, JournalError> {
        // Before the last look at the queue: what was appended before the end is seen after it.
        let ended = self.shared.ended.load(Ordering::Acquire);
        self.take()?;
        if self.taken > self.kept {
            let forced = match self.durability {
                Durability::Sync => true,
                Durability::Async => is_due(),
                Durability::None => false,
            };
            if forced { self.writer.sync() } else { self.writer.flush() }?;
            self.kept = self.taken;
            self.shared.tell_kept(self.kept);
            return Ok(Stepped::Wrote { forced });
        }
        if ended {
            return Ok(Stepped::Ended);
        }
        self.writer.sync()?; // nothing to do but this
        Ok(Stepped::Idle)
    }

    /// Takes what is there, up to a batch.
    fn take(&mut self) -> Result<(), JournalError> {
        for _ in 0..BATCH {
            let Some(frame) = self.shared.queue.pop() else { break };
            self.writer.frame(&frame)?;
            self.taken += 1;
        }
        Ok(())
    }

    fn rest(&self) {
        let shared = &self.shared;
        let is_called = || !shared.queue.is_empty() || shared.ended.load(Ordering::Acquire);
        if self.durability == Durability::Sync {
            shared.writer.wait(is_called);
        } else if !is_called() {
            std::thread::park_timeout(REST);
        }
    }
}

impl Shared {
    fn tell_kept(&self, frames: u64) {
        // SYNC: frames kept.
        self.kept.store(frames, Ordering::Release);
        self.caller.ring();
    }
}
