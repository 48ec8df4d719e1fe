//! Inputs get their places: checked here, published, and noted in what the sequencer knows.

use super::slot::{Aside, Kind, OwnedBook, Slot};
use super::{Depth, Engine, Entry, SubmitError};
use crate::command::{Command, Fill, OffGrid, PositionMode};
use crate::correction::{Correction, CorrectionOffGrid};
use crate::driver::Input;
use crate::kernel::Declaration;
use crate::market::InstrumentId;
use crate::number::Price;
use crate::prices::PriceInput;
use crate::refusal::Refusal;
use crate::rounds::time_of;
use crate::sequencer;
use crate::venue::BookUpdate;

impl Engine {
    /// Submits an input of any kind, and returns its number.
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; nothing has changed then.
    pub fn submit_input(&mut self, ts_ns: Option<u64>, input: &Input<'_>) -> Result<u64, SubmitError> {
        match *input {
            Input::Command(command, off_grid) => self.submit_at(ts_ns, command, off_grid),
            Input::Book(instrument, update) => self.submit_book(ts_ns, instrument, update),
            Input::Declare(declaration) => self.submit_declaration(ts_ns, declaration),
            Input::Correct { correction, off_grid, present } => {
                self.submit_correction_at(ts_ns, correction, off_grid, present)
            }
        }
    }

    /// Submits a command at the present time, and returns its number, from 1.
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; nothing has changed then.
    #[inline]
    pub fn submit(&mut self, command: &Command) -> Result<u64, SubmitError> {
        self.submit_at(None, command, OffGrid::NONE)
    }

    /// As [`Engine::submit`], at a time in nanoseconds since the epoch, with the marks of those numbers that were finer
    /// than their grid. What the shard of an account refuses is told in the log, by [`Output::Refused`](super::Output::Refused).
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; nothing has changed then.
    pub fn submit_at(&mut self, ts_ns: Option<u64>, command: &Command, off_grid: OffGrid) -> Result<u64, SubmitError> {
        self.check_open()?;
        if let Command::Mark { instrument, price } = *command
            && !off_grid.any()
            && self.submit_quiet_mark(ts_ns, instrument, price)
        {
            return Ok(self.seq);
        }
        if matches!(command, Command::Chunk { .. }) {
            return Err(Refusal::NotDue.into()); // the sequencer gives them itself
        }
        let time_ns = time_of(ts_ns, command);
        self.check_time(time_ns)?;
        // Prices and settlements always tell their time: a worker knows not which of the others' commands were refused.
        let timed = command.price_input().is_some() || matches!(command, Command::Funding { .. });
        let ts_ns = ts_ns.or_else(|| timed.then_some(self.now_ns));
        self.check(command, off_grid)?;
        if !self.has_room() {
            self.full += 1;
            return Err(SubmitError::Full);
        }
        let slot = Slot { seq: self.seq + 1, ts_ns, kind: Kind::Command(*command), off_grid };
        self.publish(slot);
        self.seq += 1;
        self.note(command, time_ns);
        self.now_ns = time_ns.unwrap_or(self.now_ns);
        if self.keeps_sequence() {
            self.keep(Entry::Command { seq: self.seq, ts_ns, command: *command, off_grid });
        }
        Ok(self.go_on())
    }

    /// Publishes a mark that changes nothing here but itself, which is nearly every one; false if it is to go the long way, and
    /// nothing was done.
    #[inline]
    fn submit_quiet_mark(&mut self, ts_ns: Option<u64>, id: InstrumentId, price: Price) -> bool {
        let now_ns = ts_ns.unwrap_or(self.now_ns);
        let quiet = price > 0
            && now_ns >= self.now_ns
            && self.market.instruments.get(id.index()).is_some_and(|instrument| {
                let lots = self.interest[id.index()].max(1);
                instrument.is_plain() && instrument.admitted_value(lots, price).is_some()
            })
            && !self.keeps_sequence()
            && !self.market.may_have_pieces()
            && !self.ring.is_full();
        if quiet {
            self.seq += 1;
            let kind = Kind::Command(Command::Mark { instrument: id, price });
            self.publish(Slot { seq: self.seq, ts_ns: Some(now_ns), off_grid: OffGrid::NONE, kind });
            self.market.move_plain_mark(id, price, now_ns);
            self.now_ns = now_ns;
            self.insert_decision();
        }
        quiet
    }

    /// Gives new depth to the simulated venue.
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; nothing has changed then.
    pub fn submit_book(
        &mut self,
        ts_ns: Option<u64>,
        instrument: InstrumentId,
        update: &BookUpdate<'_>,
    ) -> Result<u64, SubmitError> {
        self.check_open()?;
        self.check_time(ts_ns)?;
        sequencer::check_book_update(&self.market, instrument, update)?;
        let ts_ns = ts_ns.or(Some(self.now_ns));
        let (book, top) = (OwnedBook::of(update), update.top());
        let entry = self.keeps_sequence().then(|| Entry::Book {
            seq: self.seq + 1,
            ts_ns,
            instrument,
            book: Depth(book.clone()),
        });
        self.submit_aside(ts_ns, Kind::Book { instrument, top }, Aside::Book(instrument, book), entry)?;
        self.market.reprice(instrument, PriceInput::Book(top), self.now_ns);
        Ok(self.go_on())
    }

    /// Declares an asset, a fund, an instrument or the venue.
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; nothing has changed then.
    pub fn submit_declaration(&mut self, ts_ns: Option<u64>, declaration: &Declaration) -> Result<u64, SubmitError> {
        self.check_open()?;
        self.check_time(ts_ns)?;
        let timed = matches!(declaration, Declaration::Rules { .. }); // prices may follow
        let ts_ns = ts_ns.or_else(|| timed.then_some(self.now_ns));
        self.check_declaration(declaration, ts_ns.unwrap_or(self.now_ns))?;
        let entry = self.keeps_sequence().then(|| Entry::Declare {
            seq: self.seq + 1,
            ts_ns,
            declaration: declaration.clone(),
        });
        self.submit_aside(ts_ns, Kind::Declare, Aside::Declare(declaration.clone()), entry)?;
        declaration.enter(&mut self.market, self.now_ns);
        if matches!(declaration, Declaration::Rules { .. }) {
            self.next_piece_at = self.ring.place(); // its own place is given already
        }
        self.interest.resize(self.market.instruments.len(), 0);
        Ok(self.go_on())
    }

    /// Submits a correction: of an input of this engine, by the number that its submission returned.
    ///
    /// What only the arbiter or the shard of an account can refuse is told in the log, by [`Output::Refused`](super::Output::Refused).
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; nothing has changed then.
    pub fn submit_correction(&mut self, ts_ns: Option<u64>, correction: &Correction) -> Result<u64, SubmitError> {
        let present = self.seq + 1;
        self.submit_correction_at(ts_ns, correction, CorrectionOffGrid::NONE, present)
    }

    /// As [`Engine::submit_correction`], with the marks of those numbers that were finer than their grid, and where the caller
    /// numbers inputs by itself: this one is `present`, and what is corrected came before it.
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; nothing has changed then.
    pub fn submit_correction_at(
        &mut self,
        ts_ns: Option<u64>,
        correction: &Correction,
        off_grid: CorrectionOffGrid,
        present: u64,
    ) -> Result<u64, SubmitError> {
        self.check_open()?;
        self.check_time(ts_ns)?;
        self.check_correction(correction, off_grid, present)?;
        let entry =
            self.keeps_sequence().then(|| Entry::Correct { seq: self.seq + 1, ts_ns, correction: correction.clone() });
        self.submit_aside(ts_ns, Kind::Correct, Aside::Correct(correction.clone()), entry)?;
        self.market.note_remark(correction);
        if let Some(fill) = correction.fill() {
            self.note(&Command::Fill(fill), ts_ns);
        }
        Ok(self.go_on())
    }

    /// Gives an input its place whose contents lie aside. The caller enters it in its copy of the market, and [goes on](Self::go_on).
    fn submit_aside(
        &mut self,
        ts_ns: Option<u64>,
        kind: Kind,
        aside: Aside,
        entry: Option<Entry>,
    ) -> Result<(), SubmitError> {
        if !self.has_room() || self.asides.push(aside).is_err() {
            self.full += 1;
            return Err(SubmitError::Full);
        }
        self.publish(Slot { seq: self.seq + 1, ts_ns, kind, off_grid: OffGrid::NONE });
        self.seq += 1;
        self.now_ns = ts_ns.unwrap_or(self.now_ns);
        if let Some(entry) = entry {
            self.keep(entry);
        }
        Ok(())
    }

    /// What has fallen due gets its place behind an input, once that is in the sequencer's copy of the market: what both begin is in the
    /// same order there as everywhere. The input's number.
    #[inline]
    pub(super) fn go_on(&mut self) -> u64 {
        self.insert_decision();
        self.insert_piece();
        self.seq
    }

    pub(super) fn know(&mut self, account: u64) {
        if self.known.insert(account) {
            self.in_order.insert(account);
        }
    }

    /// Notes what a command changes of what the sequencer knows.
    #[inline]
    pub(super) fn note(&mut self, command: &Command, time_ns: Option<u64>) {
        if let Some((instrument, input)) = command.price_input() {
            let now_ns = time_ns.unwrap_or(self.now_ns);
            match instrument {
                Some(instrument) => drop(self.market.reprice(instrument, input, now_ns)),
                None => self.market.reprice_all(now_ns),
            }
        }
        match *command {
            Command::Mode { .. } | Command::Health { .. } => self.market.note_mode(command),
            Command::Fill(Fill { instrument, .. }) | Command::LiquidationFill { instrument, .. } => {
                let interest = &mut self.interest[instrument.index()];
                *interest = interest.saturating_add(sequencer::open_interest_growth(command));
            }
            Command::Account { account, positions, .. } => {
                self.know(account);
                if positions == PositionMode::Hedge {
                    self.hedging.insert(account);
                }
            }
            Command::Deposit { account, .. } => self.know(account),
            Command::Funding { .. } => {
                self.next_piece_at = self.ring.place(); // its own place is given already
                self.market.note_job(command, time_ns.unwrap_or(self.now_ns));
            }
            _ => {}
        }
    }
}
