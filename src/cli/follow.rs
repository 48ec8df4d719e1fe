//! Following the journal of a process until it is to be taken over: what `standby` and `serve --standby` have in common.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use terrace::Settings;
use terrace::journal::{Follower, JournalSettings, RealDisk, WriteLock};
use terrace::presets::Preset;
use terrace::protocol::{Opened, Standby};

/// Entries of the journal at a step.
const STEP: usize = 256;

/// How long it rests where there is nothing to follow and nothing else to do.
pub(super) const REST: Duration = Duration::from_millis(1);

/// How often it looks whether the primary still holds its lock.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How often it tells the primary how far it is.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// A standby of this process.
#[derive(Debug)]
pub(super) struct Following {
    standby: Standby<RealDisk>,
    directory: PathBuf,
    to_primary: Told,
    ended: EndedBySignal,
    looked: Instant,
    /// Snapshots that were passed over and told.
    passed: usize,
}

impl Following {
    pub(super) fn begin(directory: &Path, settings: Settings) -> Result<Self, String> {
        let standby = Standby::open(RealDisk, directory, settings).map_err(|error| error.to_string())?;
        let to_primary = Told { follower: Follower::of(directory), next: Instant::now(), refused: false };
        let (directory, ended) = (directory.to_owned(), EndedBySignal::watch()?);
        Ok(Self { standby, directory, to_primary, ended, looked: Instant::now(), passed: 0 })
    }

    /// Whether this process is told to end.
    pub(super) fn is_to_end(&self) -> bool {
        self.ended.told.load(Ordering::Relaxed)
    }

    /// From now on such a signal ends the process where it is, as it would have without: for who does not listen to it otherwise.
    pub(super) fn let_signals_end(&self) {
        self.ended.at_once.store(true, Ordering::Relaxed);
    }

    /// Goes on for a while; whether there was anything.
    pub(super) fn step(&mut self) -> Result<bool, String> {
        let any = self.standby.step(STEP).map_err(|error| error.to_string())?;
        self.to_primary.tell(&self.standby);
        for passed in self.standby.passed().skip(self.passed) {
            eprintln!("terrace: passed over {passed}");
            self.passed += 1;
        }
        Ok(any)
    }

    /// Answers a question as far as it has followed.
    pub(super) fn question(&mut self, line: &[u8], answer: &mut String) {
        let _ = self.standby.line(line, answer); // a refusal is an answer
    }

    /// The lock of the journal, if the process that wrote it has ended; looked for now and then.
    pub(super) fn lock_if_free(&mut self) -> Option<WriteLock> {
        if self.looked.elapsed() < LOOK_EVERY {
            return None;
        }
        self.looked = Instant::now();
        WriteLock::take(&self.directory).ok()
    }

    /// Takes the journal over, whose lock is held.
    pub(super) fn take_over(
        self,
        settings: JournalSettings,
        preset: Option<&'static Preset>,
    ) -> Result<Opened, String> {
        let began = Instant::now();
        let opened = self.standby.take_over(settings, preset).map_err(|error| error.to_string())?;
        if let Some(recovery) = opened.recovery() {
            eprint!("terrace: {}", super::journal::summary(&self.directory, recovery));
        }
        eprintln!("terrace: taken over within {:.1} ms", began.elapsed().as_secs_f64() * 1e3);
        Ok(opened)
    }
}

/// Whether this process is told to end, by a supervisor or at a terminal, while it follows.
#[derive(Debug)]
struct EndedBySignal {
    told: Arc<AtomicBool>,
    at_once: Arc<AtomicBool>,
}

impl EndedBySignal {
    fn watch() -> Result<Self, String> {
        let (told, at_once) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        for signal in [SIGTERM, SIGINT] {
            let registered = flag::register_conditional_default(signal, Arc::clone(&at_once))
                .and_then(|_| flag::register(signal, Arc::clone(&told)));
            registered.map_err(|error| format!("cannot be told to end by signals: {error}"))?;
        }
        Ok(Self { told, at_once })
    }
}

/// What the primary is told of how far this is. Dropped, it follows no more.
#[derive(Debug)]
struct Told {
    follower: Follower,
    next: Instant,
    refused: bool,
}

impl Told {
    /// Where it is refused, as where this may only read, it follows all the same.
    fn tell(&mut self, standby: &Standby<RealDisk>) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + TELL_EVERY;
        let told = self.follower.tell(standby.places());
        if let (Err(error), false) = (&told, self.refused) {
            eprintln!("terrace: the primary is not told how far this is: {error}");
        }
        self.refused = told.is_err();
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if let (Err(error), false) = (self.follower.end(), self.refused) {
            eprintln!("terrace: the primary takes this for a standby that is behind: {error}");
        }
    }
}
