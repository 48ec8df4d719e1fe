//! Funding, as far as it concerns what belongs to no account: the inventory, the external venue account, and the rest.

use super::Arbiter;
use crate::event::{Event, Events, FundReason};
use crate::jobs::Job;
use crate::market::{InstrumentId, Market};

impl Arbiter {
    /// A settlement is ordered. Inventory and venue settle last, for what they hold now: what they get from an account
    /// later, that account has been settled for.
    pub(crate) fn begin_settlement(&mut self, instrument: InstrumentId) {
        let index = instrument.index();
        self.to_settle[index] = [self.inventory[index].position.quantity, self.ledger.venue_positions[index].quantity];
    }

    /// All accounts are settled, which paid and received so much: inventory and venue follow, and what rounding left is
    /// the fund's.
    pub(crate) fn end_settlement(
        &mut self,
        market: &Market,
        job: &Job,
        (mut paid, mut received): (i128, i128),
        events: &mut Events,
    ) {
        let id = job.name.instrument;
        let instrument = market.instrument(id);
        let payments = self.to_settle[id.index()].map(|held| job.payment(instrument, held));
        for payment in payments {
            paid += payment.max(0);
            received -= payment.min(0);
        }
        let [inventory, venue] = payments;
        self.credit(instrument.spec.fund, -inventory, FundReason::Funding, events);
        self.ledger.venue_balances[instrument.spec.settle.index()] -= venue;
        self.credit(instrument.spec.fund, paid - received, FundReason::Funding, events);
        events.push(Event::FundingSettled { instrument: id, rate_ppb: job.rate_ppb, paid, received });
    }
}
