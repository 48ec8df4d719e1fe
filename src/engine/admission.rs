//! What is refused before it has a place: the checks that need no shard, over what the sequencer knows.
//!
//! It knows which accounts exist, exactly; the open interest, and marks behind an airlock, within bounds. Where a bound does not
//! suffice it settles and asks.

use super::{Engine, SubmitError};
use crate::command::{Command, OffGrid};
use crate::correction::{Correction, CorrectionOffGrid};
use crate::kernel::Declaration;
use crate::map::Set;
use crate::market::{InstrumentId, Market};
use crate::number::{Price, Quantity};
use crate::refusal::Refusal;
use crate::sequencer::{self, Facts, Found, Known};

impl Engine {
    #[inline]
    pub(super) fn check_open(&self) -> Result<(), SubmitError> {
        #[cfg(feature = "journal")]
        self.look_at_journal();
        if self.shared.has_failed() { Err(SubmitError::Stopped) } else { Ok(()) }
    }

    pub(super) fn check_time(&self, ts_ns: Option<u64>) -> Result<(), Refusal> {
        match ts_ns {
            Some(given) if given < self.now_ns => Err(Refusal::TimeReversed { given, now: self.now_ns }),
            _ => Ok(()),
        }
    }

    pub(super) fn check(&mut self, command: &Command, off_grid: OffGrid) -> Result<(), SubmitError> {
        let checks =
            |market: &Market, bounds: &mut Bounds<'_>| sequencer::check(market, bounds, command, off_grid).map(drop);
        self.check_by(Some((command, off_grid)), checks)
    }

    pub(super) fn check_correction(
        &mut self,
        correction: &Correction,
        off_grid: CorrectionOffGrid,
        present: u64,
    ) -> Result<(), SubmitError> {
        let checks = |market: &Market, bounds: &mut Bounds<'_>| {
            sequencer::check_correction(market, bounds, correction, off_grid, present)
        };
        let fill = correction.fill().map(Command::Fill);
        self.check_by(fill.as_ref().map(|fill| (fill, OffGrid::NONE)), checks)
    }

    pub(super) fn check_declaration(&mut self, declaration: &Declaration, now_ns: u64) -> Result<(), SubmitError> {
        let checks = |market: &Market, bounds: &mut Bounds<'_>| {
            sequencer::check_declaration(market, bounds, declaration, now_ns)
        };
        self.check_by(Some((&Command::Time { ts_ns: now_ns }, OffGrid::NONE)), checks)
    }

    /// Makes checks with what is known here. What is found too large by marks that are known within bounds only is checked again
    /// when they are learned; where the bound of the open interest does not suffice, the shards are asked what it would be with
    /// `command`.
    #[inline]
    fn check_by(
        &mut self,
        command: Option<(&Command, OffGrid)>,
        checks: impl Fn(&Market, &mut Bounds<'_>) -> Result<(), Refusal>,
    ) -> Result<(), SubmitError> {
        let mut learned = false;
        loop {
            let Self { market, known, hedging, interest, .. } = self;
            let mut bounds = Bounds { known, hedging, interest, exceeded: None };
            let checked = checks(market, &mut bounds);
            let exceeded = bounds.exceeded;
            let too_large = matches!(checked, Err(Refusal::Overflow { .. })) || exceeded.is_some();
            if too_large && !learned && self.market.bounded().next().is_some() {
                self.learn_marks()?;
                learned = true;
                continue;
            }
            checked?;
            return match (exceeded, command) {
                (Some(exceeded), Some(command)) => self.check_interest(command, exceeded),
                _ => Ok(()),
            };
        }
    }

    /// Marks behind an airlock are known here within bounds only: learns them as they are.
    #[cold]
    fn learn_marks(&mut self) -> Result<(), SubmitError> {
        if self.settle().is_err() {
            return Err(SubmitError::Stopped);
        }
        let bounded: Vec<InstrumentId> = self.market.bounded().collect();
        let known = self.ask(|overview| overview.market().clone())?;
        for id in bounded {
            self.market.copy_marks(&known, id);
        }
        Ok(())
    }

    /// Asks all shards for the open interest, where the bound of it was exceeded at a price.
    #[cold]
    fn check_interest(
        &mut self,
        (command, off_grid): (&Command, OffGrid),
        (instrument, price): (InstrumentId, Price),
    ) -> Result<(), SubmitError> {
        if self.settle().is_err() {
            return Err(SubmitError::Stopped);
        }
        let input = (*command, off_grid);
        let (now, after) = self.ask(move |overview| overview.open_interest_with(&input.0, input.1, instrument))?;
        self.interest[instrument.index()] = now;
        let fits = |lots: Quantity| self.market.instrument(instrument).admitted_value(lots.max(1), price).is_some();
        if after.is_none_or(fits) {
            return Ok(());
        }
        let what = match command {
            Command::Mark { .. } | Command::MarkFrom { .. } | Command::Index { .. } | Command::Time { .. } => {
                "open interest · mark · unit"
            }
            Command::Fill(_) => "quantity · price · unit",
            _ => "open interest · price · unit",
        };
        Err(Refusal::Overflow { what }.into())
    }
}

/// What the sequencer knows without asking anybody.
struct Bounds<'a> {
    known: &'a Set<u64>,
    hedging: &'a Set<u64>,
    interest: &'a [Quantity],
    /// Set where the bound of the open interest says nothing.
    exceeded: Option<(InstrumentId, Price)>,
}

impl Facts for Bounds<'_> {
    fn find(&self, account: u64, _: InstrumentId) -> Option<Known> {
        self.knows(account).then(|| Known { hedges: self.hedges(account), place: None })
    }

    fn knows(&self, account: u64) -> bool {
        self.known.contains(&account)
    }

    fn hedges(&self, account: u64) -> bool {
        self.hedging.contains(&account)
    }

    #[inline]
    fn open_interest_fits(
        &mut self,
        market: &Market,
        (command, _): (&Command, OffGrid),
        _: &Found,
        instrument: InstrumentId,
        price: Price,
    ) -> bool {
        let growth = sequencer::open_interest_growth(command);
        let lots = self.interest[instrument.index()].saturating_add(growth).max(1);
        if market.instrument(instrument).admitted_value(lots, price).is_none() {
            self.exceeded = Some((instrument, price));
        }
        true
    }
}
