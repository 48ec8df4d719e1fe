//! What carries lines out: a session, with a journal or without.

use crate::driver::{Driver, Recorder};
use crate::kernel::Overview;
use crate::market::Market;
use crate::protocol::{DurableSession, Rejection, Session};

/// A session that is served.
pub trait Served {
    /// Carries out one line, without its end, and appends what it leads to.
    ///
    /// # Errors
    ///
    /// The rejection, whose line has been appended, but where it has stopped: then nobody may be told.
    fn line(&mut self, line: &[u8], out: &mut String) -> Result<(), Rejection>;

    /// No line tells a later time from now on, in nanoseconds since the epoch.
    fn tell_latest(&mut self, latest_ns: u64);

    /// Counts a line that is not carried out, and says its number; none once the journal has failed.
    fn count_line(&mut self) -> Option<u64>;

    /// What was appended last may be told once [`Served::may_tell`] says so of this number.
    fn appended(&self) -> u64;

    /// Whether what led to this number may be told.
    fn may_tell(&self, number: u64) -> bool;

    /// Waits until everything may be told; false if it may be lost.
    fn wait(&mut self) -> bool;

    /// Frames of the journal that are not kept yet.
    fn behind(&self) -> u64;

    /// Places of the journal, from its start; 0 without one.
    fn journal_places(&self) -> u64;

    /// Assets, funds, instruments.
    fn market(&self) -> &Market;

    /// Looks at the whole state; none once it has stopped.
    fn ask<T: Send + 'static>(&mut self, question: impl FnOnce(Overview<'_>) -> T + Send + 'static) -> Option<T>;

    /// Ends it, with everything in the journal.
    ///
    /// # Errors
    ///
    /// Why the journal has failed, now or before.
    fn finish(self) -> Result<(), String>;
}

impl<D: Driver> Served for Session<D> {
    fn line(&mut self, line: &[u8], out: &mut String) -> Result<(), Rejection> {
        self.line(line, out)
    }

    fn tell_latest(&mut self, latest_ns: u64) {
        self.tell_latest(latest_ns);
    }

    fn count_line(&mut self) -> Option<u64> {
        Some(self.count_line())
    }

    fn appended(&self) -> u64 {
        0
    }

    fn may_tell(&self, _: u64) -> bool {
        true
    }

    fn wait(&mut self) -> bool {
        true
    }

    fn behind(&self) -> u64 {
        0
    }

    fn journal_places(&self) -> u64 {
        0
    }

    fn market(&self) -> &Market {
        self.kernel().market()
    }

    fn ask<T: Send + 'static>(&mut self, question: impl FnOnce(Overview<'_>) -> T + Send + 'static) -> Option<T> {
        self.kernel_mut().ask(question).ok()
    }

    fn finish(self) -> Result<(), String> {
        Ok(())
    }
}

impl<D: Driver + Recorder> Served for DurableSession<D> {
    fn line(&mut self, line: &[u8], out: &mut String) -> Result<(), Rejection> {
        self.line(line, out)
    }

    fn tell_latest(&mut self, latest_ns: u64) {
        self.tell_latest(latest_ns);
    }

    fn count_line(&mut self) -> Option<u64> {
        self.count_line().ok()
    }

    fn appended(&self) -> u64 {
        self.appended()
    }

    fn may_tell(&self, number: u64) -> bool {
        self.may_acknowledge(number)
    }

    fn wait(&mut self) -> bool {
        self.wait().is_ok()
    }

    fn behind(&self) -> u64 {
        self.appended() - self.kept()
    }

    fn journal_places(&self) -> u64 {
        self.journal_places()
    }

    fn market(&self) -> &Market {
        self.kernel().market()
    }

    fn ask<T: Send + 'static>(&mut self, question: impl FnOnce(Overview<'_>) -> T + Send + 'static) -> Option<T> {
        self.ask(question).ok()
    }

    fn finish(self) -> Result<(), String> {
        self.finish().map_err(|error| error.to_string())
    }
}
