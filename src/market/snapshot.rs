//! The market in a snapshot: what everybody knows alike.

use super::{InstrumentId, InstrumentSpec, Market};
use crate::controls::Condition;
use crate::jobs::{JobKind, JobName};
use crate::kernel::{check_declared, check_rules_before};
use crate::number::{LIMIT, PPB, Price};
use crate::snapshot::{Loader, Saver, Unfit};

impl Market {
    pub(crate) fn save(&self, into: &mut Saver) {
        into.put(self);
        let before: Vec<Option<&InstrumentSpec>> = self.instruments.iter().map(|at| at.rules_before()).collect();
        into.put(&before);
    }

    pub(crate) fn load(from: &mut Loader<'_>) -> Result<Self, Unfit> {
        let mut market: Self = from.take()?;
        let before: Vec<Option<InstrumentSpec>> = from.take()?;
        check_declared(&market).map_err(|refusal| from.unfit(refusal.to_string()))?;
        from.expect(before.len() == market.instruments.len(), "rules that go of other instruments")?;
        for (index, before) in before.into_iter().enumerate() {
            let changes = market.has_job(JobName { instrument: InstrumentId(index as u32), kind: JobKind::Rules });
            from.expect(before.is_some() == changes, "rules that go where none change")?;
            let instrument = &mut market.instruments[index];
            if let Some(before) = &before {
                let checked = check_rules_before(&instrument.spec, before);
                checked.map_err(|refusal| from.unfit(refusal.to_string()))?;
            }
            from.expect(instrument.prices.is_sound(&instrument.spec.prices), "prices that cannot be")?;
            instrument.restore(before);
        }
        let funds_itself =
            |id: &InstrumentId| market.instrument(*id).spec.prices.funding.is_some_and(|rules| rules.auto);
        market.self_funding = market.in_scope(crate::controls::Scope::All).filter(funds_itself).collect();
        market.note_timeouts();
        market.check_marks().map_err(|what| from.unfit(what))?;
        market.check_jobs().map_err(|what| from.unfit(what))?;
        let known = |at: &Condition| at.instrument.is_none_or(|id| id.index() < market.instruments.len());
        let ill = market.health.iter().all(known) && market.health.is_sorted_by(|a, b| a.name() < b.name());
        from.expect(ill, "something is wrong with what is not there, or twice")?;
        let paused = market.paused_funds.iter().all(|fund| fund.index() < market.funds.len());
        from.expect(paused && market.paused_funds.len() <= market.funds.len(), "unknown funds are paused")?;
        market.paused_funds.reserve(market.funds.len() + 1);
        Ok(market)
    }

    fn check_marks(&self) -> Result<(), &'static str> {
        let is_price = |price: Price| (1..LIMIT).contains(&i128::from(price));
        for instrument in &self.instruments {
            let held = instrument.held.map(|held| held.price);
            let prices = [instrument.mark, instrument.last, instrument.awaited, held];
            let fits = |price: Price| is_price(price) && instrument.admitted_value(1, price).is_some();
            if !prices.into_iter().flatten().all(fits) {
                return Err("a price that cannot be");
            }
            if !instrument.frozen.is_sound() || instrument.held.is_some_and(|held| !held.is_settled()) {
                return Err("a mark that is frozen for no reason");
            }
            if instrument.held.is_some() != instrument.frozen.has(super::FreezeCause::Airlock) {
                return Err("a mark that is held and not frozen, or frozen and not held");
            }
            if instrument.open_interest < 0 || i128::from(instrument.open_interest) >= LIMIT {
                return Err("an open interest that cannot be");
            }
        }
        if self.undecided.is_empty() { Ok(()) } else { Err("a mark waits for its verdict") }
    }

    fn check_jobs(&self) -> Result<(), &'static str> {
        for (at, job) in self.jobs.iter().enumerate() {
            let twice = self.jobs[..at].iter().any(|other| other.name == job.name);
            let instrument = self.instruments.get(job.name.instrument.index()).ok_or("a job of no instrument")?;
            let sound = match job.name.kind {
                JobKind::Settlement => {
                    job.mark > 0
                        && instrument.admitted_value(1, job.mark).is_some()
                        && job.rate_ppb.unsigned_abs() <= PPB
                }
                JobKind::Rules => (job.mark, job.rate_ppb) == (0, 0),
            };
            if twice || !sound || (at > 0 && job.done.is_some()) {
                return Err("a job that cannot be");
            }
        }
        Ok(())
    }
}
