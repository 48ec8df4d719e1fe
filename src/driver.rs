//! What carries commands out: the inline kernel, or threads in lockstep. Faces are written over this.

use crate::command::{Command, OffGrid};
use crate::correction::{Correction, CorrectionOffGrid};
use crate::engine::Entry;
use crate::event::Event;
#[cfg(feature = "journal")]
use crate::kernel::Loading;
use crate::kernel::{Declaration, Kernel, Overview};
use crate::market::{InstrumentId, Market};
use crate::refusal::Refusal;
use crate::venue::BookUpdate;

/// What is carried out.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A command, with the marks of those of its numbers that were finer than their grid.
    Command(&'a Command, OffGrid),
    /// New depth of the simulated venue.
    Book(InstrumentId, &'a BookUpdate<'a>),
    /// An asset, a fund, an instrument, the venue, or rules.
    Declare(&'a Declaration),
    /// A correction of what came before.
    Correct {
        /// What is corrected, and how.
        correction: &'a Correction,
        /// Those of its numbers that were finer than their grid.
        off_grid: CorrectionOffGrid,
        /// The number that the caller gives this input: what is corrected came before it.
        present: u64,
    },
}

/// Carries every input out completely, with all that follows from it, before it returns.
pub trait Driver {
    /// The rules and, as far as this driver keeps them here, the marks.
    fn market(&self) -> &Market;

    /// The present time, in nanoseconds since the epoch.
    fn now_ns(&self) -> u64;

    /// Moves the present time on without an input; earlier times are ignored.
    fn pass_time(&mut self, ts_ns: Option<u64>);

    /// What the last input led to, in order.
    fn events(&self) -> &[Event];

    /// Carries an input out.
    ///
    /// # Errors
    ///
    /// A refused input has changed nothing; [`Refusal::Stopped`] when the driver can go on no more.
    fn carry_out(&mut self, ts_ns: Option<u64>, input: &Input<'_>) -> Result<(), Refusal>;

    /// Carries a command out; `off_grid` marks those of its numbers that were finer than their grid.
    ///
    /// # Errors
    ///
    /// As [`Driver::carry_out`].
    fn command(&mut self, ts_ns: Option<u64>, command: &Command, off_grid: OffGrid) -> Result<(), Refusal> {
        self.carry_out(ts_ns, &Input::Command(command, off_grid))
    }

    /// Declares an asset, a fund, an instrument, the venue, or rules.
    ///
    /// # Errors
    ///
    /// As [`Driver::carry_out`].
    fn declare(&mut self, ts_ns: Option<u64>, declaration: &Declaration) -> Result<(), Refusal> {
        self.carry_out(ts_ns, &Input::Declare(declaration))
    }

    /// Begins a kernel of the same settings from a saved state, to be given to [`Driver::restore`].
    ///
    /// # Errors
    ///
    /// [`Refusal::BadDeclaration`]: it is not empty, its sequence is kept, or it is none that can be exchanged.
    #[cfg(feature = "journal")]
    fn begin_restoring(&self) -> Result<Loading, Refusal> {
        Err(Refusal::BadDeclaration {
            what: "restore: on threads no state is restored; `terrace import` begins a journal with it",
        })
    }

    /// Goes on as this kernel, if [`Driver::begin_restoring`] is not refused.
    ///
    /// # Errors
    ///
    /// As [`Driver::begin_restoring`].
    #[cfg(feature = "journal")]
    fn restore(&mut self, state: Kernel) -> Result<(), Refusal> {
        drop(state);
        self.begin_restoring().map(drop)
    }

    /// Looks at the whole state.
    ///
    /// # Errors
    ///
    /// [`Refusal::Stopped`].
    fn ask<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(Overview<'_>) -> T + Send + 'static,
    ) -> Result<T, Refusal>;
}

/// A driver that keeps the sequence.
pub trait Recorder {
    /// The sequence since it was taken last, or since it is kept; nothing of it may be under way.
    fn take_record(&mut self) -> Vec<Entry>;
}

impl Recorder for Kernel {
    fn take_record(&mut self) -> Vec<Entry> {
        self.take_record()
    }
}

impl Driver for Kernel {
    fn market(&self) -> &Market {
        self.market()
    }

    fn now_ns(&self) -> u64 {
        self.now_ns()
    }

    fn pass_time(&mut self, ts_ns: Option<u64>) {
        self.pass_time(ts_ns);
    }

    fn events(&self) -> &[Event] {
        self.events()
    }

    fn carry_out(&mut self, ts_ns: Option<u64>, input: &Input<'_>) -> Result<(), Refusal> {
        match *input {
            Input::Command(command, off_grid) => self.apply_at(ts_ns, command, off_grid),
            Input::Book(instrument, update) => self.update_book(ts_ns, instrument, update),
            Input::Declare(declaration) => self.declare_and_decide(ts_ns, declaration),
            Input::Correct { correction, off_grid, present } => self.correct_at(ts_ns, correction, off_grid, present),
        }
    }

    #[cfg(feature = "journal")]
    fn begin_restoring(&self) -> Result<Loading, Refusal> {
        let bad = |what| Err(Refusal::BadDeclaration { what });
        if self.keeps_record() {
            return bad("restore: a journal is begun with a state by `terrace import`");
        }
        if !self.is_empty() {
            return bad("restore: a state is restored before anything else, and something has happened");
        }
        Ok(Loading::of_unknown_length(self.settings()))
    }

    #[cfg(feature = "journal")]
    fn restore(&mut self, state: Kernel) -> Result<(), Refusal> {
        self.begin_restoring()?;
        *self = state;
        Ok(())
    }

    fn ask<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(Overview<'_>) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        Ok(question(self.overview()))
    }
}
