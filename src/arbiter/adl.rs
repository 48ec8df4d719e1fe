//! Auto-deleveraging: the opposite side takes what the fund cannot bear, in order of rank or in equal shares.

use super::Arbiter;
use super::pro_rata::{Allotment, allot};
use crate::event::{Event, Events, Owner};
use crate::market::{AdlPrice, AdlRank, InstrumentId, Market};
use crate::number::Quantity;
use crate::shard::{Candidate, Claim, Shard};

/// What is to be taken: signed lots of an instrument, at a price.
struct Offer {
    owner: Owner,
    instrument: InstrumentId,
    quantity: Quantity,
    price: i128,
}

impl Arbiter {
    /// Offers the lots of a claim to the other side, at the price of the instrument's policy.
    pub(super) fn deleverage_against(
        &mut self,
        market: &Market,
        shards: &mut [Box<Shard>],
        claim: &Claim,
        events: &mut Events,
    ) -> Taken {
        let price = adl_price(market, claim);
        let owner = Owner::Account(claim.account);
        let offer = Offer { owner, instrument: claim.instrument, quantity: claim.quantity, price };
        let taken = self.deleverage(market, shards, &offer, events);
        events.push(taken.report(&offer));
        taken
    }

    /// Offers signed `held` lots of inventory to the other side at the mark.
    pub(super) fn deleverage_fund(
        &mut self,
        market: &Market,
        shards: &mut [Box<Shard>],
        instrument: InstrumentId,
        held: Quantity,
        events: &mut Events,
    ) -> Taken {
        let Some(mark) = market.instrument(instrument).mark else { return Taken::default() };
        let offer = Offer { owner: Owner::Fund, instrument, quantity: held, price: i128::from(mark) };
        let taken = self.deleverage(market, shards, &offer, events);
        if taken.lots > 0 {
            events.push(taken.report(&offer)); // how often nobody is reached depends on how often somebody looks
        }
        taken
    }

    /// Asks the opposite side, ranked once: each position is reduced by at most its size.
    fn deleverage(&mut self, market: &Market, shards: &mut [Box<Shard>], offer: &Offer, events: &mut Events) -> Taken {
        let against_longs = offer.quantity < 0;
        let mut queue = self.queues.begin(market, shards, (offer.instrument, against_longs), self.decision);
        let mut taken = Taken::default();
        let mut pending = None;
        if market.instrument(offer.instrument).spec.adl.rank == AdlRank::ProRata {
            self.asked.clear();
            pending = queue.next(market, shards);
            while let Some((candidate, rank)) = pending.filter(|(candidate, _)| candidate.profitable) {
                self.asked.push(Allotment { candidate, rank, lots: 0 });
                pending = queue.next(market, shards);
            }
            for Allotment { candidate: Candidate { shard, holding, .. }, .. } in &self.asked {
                let shard = &mut shards[*shard as usize];
                if shard.is_sound(market, *holding) {
                    shard.catch_up_holding(market, *holding);
                }
            }
            allot(market, shards, offer.quantity.abs(), offer.price, &mut self.asked);
            for &Allotment { candidate, rank, lots } in &self.asked {
                trade(market, shards, offer, (&candidate, rank), lots, &mut taken, events);
            }
        }
        while taken.lots < offer.quantity.abs() {
            let Some((candidate, rank)) = pending.take().or_else(|| queue.next(market, shards)) else { break };
            let lots = (offer.quantity.abs() - taken.lots).min(candidate.quantity);
            if may_take(market, shards, offer, &candidate, lots) {
                trade(market, shards, offer, (&candidate, rank), lots, &mut taken, events);
            }
        }
        taken
    }
}

/// Whether a position may be deleveraged as it stands, and also with all that jobs have still to book for its account.
fn may_take(market: &Market, shards: &mut [Box<Shard>], offer: &Offer, candidate: &Candidate, lots: Quantity) -> bool {
    let shard = &mut shards[candidate.shard as usize];
    let may = |shard: &Shard| shard.may_deleverage(market, candidate.holding, lots, offer.price);
    may(shard) && (!shard.catch_up_holding(market, candidate.holding) || may(shard))
}

/// What counterparties of a claim pay or get.
fn adl_price(market: &Market, claim: &Claim) -> i128 {
    let instrument = market.instrument(claim.instrument);
    match (instrument.spec.adl.price, instrument.mark) {
        (AdlPrice::Mark, Some(mark)) => i128::from(mark),
        _ => claim.price.unwrap_or(1), // without a price nobody is asked
    }
}

/// What a deleveraging came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    pub(super) lots: Quantity,
    /// What the counterparties were booked for them, in quanta: `Σ V(closed part, price)`.
    pub(super) booked: i128,
    counterparties: u32,
    largest: Quantity,
}

impl Taken {
    fn report(&self, offer: &Offer) -> Event {
        Event::AdlReport {
            owner: offer.owner,
            instrument: offer.instrument,
            needed: offer.quantity.abs(),
            reduced: self.lots,
            counterparties: self.counterparties,
            largest: self.largest,
        }
    }
}

/// A counterparty takes `lots` of what is offered, if any.
fn trade(
    market: &Market,
    shards: &mut [Box<Shard>],
    offer: &Offer,
    (candidate, rank): (&Candidate, u32),
    lots: Quantity,
    taken: &mut Taken,
    events: &mut Events,
) {
    if lots == 0 {
        return;
    }
    let shard = &mut shards[candidate.shard as usize];
    let realised = shard.deleverage(market, candidate.holding, lots, offer.price);
    events.push(Event::Deleveraged {
        owner: offer.owner,
        counter: candidate.account,
        instrument: offer.instrument,
        quantity: lots * offer.quantity.signum(), // it takes what is offered: its trade has the same sign
        price: offer.price,
        realised,
        rank,
    });
    shard.cut_after_deleveraging(market, candidate.holding, events);
    taken.lots += lots;
    taken.booked += market.instrument(offer.instrument).value(-lots * offer.quantity.signum(), offer.price);
    taken.counterparties += 1;
    taken.largest = taken.largest.max(lots);
}
