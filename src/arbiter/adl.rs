//! Auto-deleveraging: the opposite side takes what the fund cannot bear, most profitable and most leveraged first.

use super::Arbiter;
use crate::event::{Event, Events, Owner};
use crate::market::{InstrumentId, Market};
use crate::number::Quantity;
use crate::shard::{Claim, Shard};

/// What is to be taken: signed lots of an instrument, at a price.
struct Offer {
    owner: Owner,
    instrument: InstrumentId,
    quantity: Quantity,
    price: i128,
}

impl Arbiter {
    /// Offers the lots of a claim to the other side at the bankruptcy price; returns how many were taken.
    pub(super) fn deleverage_against(
        &mut self,
        market: &Market,
        shards: &mut [Box<Shard>],
        claim: &Claim,
        events: &mut Events,
    ) -> Quantity {
        let owner = Owner::Account(claim.account);
        let offer = Offer { owner, instrument: claim.instrument, quantity: claim.quantity, price: claim.price };
        self.deleverage(market, shards, &offer, events)
    }

    /// Offers signed `held` lots of inventory to the other side at the mark; returns how many were taken.
    pub(super) fn deleverage_fund(
        &mut self,
        market: &Market,
        shards: &mut [Box<Shard>],
        instrument: InstrumentId,
        held: Quantity,
        events: &mut Events,
    ) -> Quantity {
        let Some(mark) = market.instrument(instrument).mark else { return 0 };
        let offer = Offer { owner: Owner::Fund, instrument, quantity: held, price: i128::from(mark) };
        self.deleverage(market, shards, &offer, events)
    }

    /// Walks the queue of the opposite side, ranked once, each position reduced by at most its size.
    fn deleverage(
        &mut self,
        market: &Market,
        shards: &mut [Box<Shard>],
        offer: &Offer,
        events: &mut Events,
    ) -> Quantity {
        let against_longs = offer.quantity < 0;
        self.scored_queues = true;
        let queue = &mut self.queues[offer.instrument.index()][usize::from(against_longs)];
        queue.begin(market, shards, (offer.instrument, against_longs), self.decision);
        let mut rest = offer.quantity.abs();
        while rest > 0 {
            let Some((candidate, rank)) = queue.next(shards) else { break };
            let lots = rest.min(candidate.quantity);
            let shard = &mut shards[candidate.shard as usize];
            if !shard.may_deleverage(market, candidate.holding, lots, offer.price) {
                continue;
            }
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
            rest -= lots;
        }
        offer.quantity.abs() - rest
    }
}
