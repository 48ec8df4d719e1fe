//! A hot standby: a second process that follows the journal of the first with a kernel of its own, answers questions, and takes over.
//!
//! ```text
//!  primary ── DIR/sequence-… ──► Standby: step, step, step … ──► take_over ──► Opened ──► DurableSession
//!                                    │ get ──► answer                    primary: fenced
//! ```
//!
//! It goes through what the primary appends as recovery goes through a journal: every outcome and every check is recomputed and compared. So when it takes over, only what is
//! left to be read is still to be gone through. [`Player::take_over`](crate::journal::Player::take_over) and `src/journal/term.rs` say why nothing is lost then and nothing is done twice.

use super::durable::{DurableError, Opened};
use super::recovery::{Beginnings, GoingThrough};
use super::{Rejection, Session};
use crate::journal::{Disk, JournalSettings};
use crate::kernel::{Kernel, Settings};
use crate::presets::Preset;
use std::path::{Path, PathBuf};

/// A kernel that follows the journal in a directory, which another process writes.
#[derive(Debug)]
pub struct Standby<K> {
    disk: K,
    directory: PathBuf,
    settings: Settings,
    through: GoingThrough,
    beginnings: Beginnings,
    /// Lines that it was asked.
    asked: u64,
    /// Things that it knows by their names.
    named: usize,
    /// Its kernel came to something else, or the journal is damaged.
    failed: bool,
}

/// How far a standby is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Places of the journal that went into its kernel.
    pub places: u64,
    /// The number of the last line among them.
    pub last_line: u64,
    /// Places that it has read, and of which it is not known yet what they led to.
    pub waiting: usize,
    /// Bytes of the journal that it has not read.
    pub unread_bytes: u64,
}

impl<K: Disk + Clone + 'static> Standby<K> {
    /// Begins at the newest snapshot of the journal in a directory, or at its start, with a kernel of these settings. Nothing is gone through yet.
    ///
    /// # Errors
    ///
    /// There is no journal, or none of this version, or the system refuses.
    pub fn open(disk: K, directory: impl Into<PathBuf>, settings: Settings) -> Result<Self, DurableError> {
        let (directory, mut beginnings) = (directory.into(), Beginnings::default());
        let through = GoingThrough::begin(&disk, &directory, settings, &mut beginnings)?;
        Ok(Self { disk, directory, settings, through, beginnings, asked: 0, named: 0, failed: false })
    }

    /// Goes on by at most so many entries of the journal; whether there were any. Where another process has taken over from the one that it followed, it follows that,
    /// from the newest snapshot on.
    ///
    /// # Errors
    ///
    /// The journal is damaged, or its kernel comes to something else, and that from the start of the journal: the error names the first place that differs. It must not take over then.
    pub fn step(&mut self, at_most: usize) -> Result<bool, DurableError> {
        let mut any = false;
        for _ in 0..at_most {
            match self.go_on() {
                Ok(true) => any = true,
                Ok(false) => break,
                Err(error) => {
                    self.failed = true; // until it has begun anew
                    if !error.is_overtaken() {
                        self.beginnings.pass(self.through.snapshot.as_ref(), error)?;
                    }
                    self.begin_anew()?;
                }
            }
        }
        let market = self.kernel().market();
        let named = market.assets.len() + market.funds.len() + market.instruments.len();
        if named != std::mem::replace(&mut self.named, named) {
            self.through.session.learn_names();
        }
        Ok(any)
    }

    fn begin_anew(&mut self) -> Result<(), DurableError> {
        let Self { disk, directory, settings, beginnings, .. } = self;
        self.through = GoingThrough::begin(disk, directory, *settings, beginnings)?;
        (self.named, self.failed) = (0, false);
        Ok(())
    }

    fn go_on(&mut self) -> Result<bool, DurableError> {
        Ok(self.through.step()? || self.through.player.refresh()? && self.through.step()?)
    }

    /// Answers a question (`get`) as far as it has followed, and refuses everything else. Lines are counted from 1. A `ts` is that of the question alone: no time passes.
    ///
    /// # Errors
    ///
    /// The rejection, whose line has been appended already.
    pub fn line(&mut self, line: &[u8], out: &mut String) -> Result<(), Rejection> {
        self.asked += 1;
        self.through.session.question(line, self.asked, out)
    }

    /// Places of the journal that went into its kernel.
    #[must_use]
    pub fn places(&self) -> u64 {
        self.through.player.places()
    }

    /// How far it is.
    ///
    /// # Errors
    ///
    /// The system does not say how long a file is.
    pub fn progress(&self) -> Result<Progress, DurableError> {
        let GoingThrough { session, player, .. } = &self.through;
        let unread_bytes = player.reader().unread()?;
        Ok(Progress { places: self.places(), last_line: session.seq(), waiting: player.waiting(), unread_bytes })
    }

    /// Why snapshots were passed over to begin from.
    pub fn passed(&self) -> impl Iterator<Item = String> {
        self.beginnings.passed.iter().map(|passed| passed.error.to_string())
    }

    /// Its kernel.
    #[must_use]
    pub fn kernel(&self) -> &Kernel {
        self.session().kernel()
    }

    fn session(&self) -> &Session {
        &self.through.session
    }

    /// The disk of the journal.
    #[must_use]
    pub fn disk(&self) -> &K {
        &self.disk
    }

    /// The directory of the journal.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Takes the journal over: whoever wrote it is fenced from now on, what it had written is gone through to the end, and what was interrupted carried out. What is
    /// returned goes on as after [`Opened::open`].
    ///
    /// # Errors
    ///
    /// As [`Opened::open`].
    pub fn take_over(
        mut self,
        settings: JournalSettings,
        preset: Option<&'static Preset>,
    ) -> Result<Opened, DurableError> {
        if self.failed {
            self.begin_anew()?; // and comes to the same error, or not
        }
        let Self { disk, directory, through, beginnings, .. } = self;
        Opened::take_over(disk, &directory, settings, preset, through, beginnings)
    }
}
