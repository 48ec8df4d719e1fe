//! Auto-deleveraging: the opposite side takes what the fund cannot bear, most profitable and most leveraged first.

use super::Arbiter;
use crate::event::{Event, Events, Owner};
use crate::market::{InstrumentId, Market};
use crate::number::Quantity;
use crate::shard::{Candidate, Claim, Shard};

/// Candidates that are ranked at first; each further stretch doubles what is ranked.
const FIRST_STRETCH: usize = 64;

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
        shards: &mut [Shard],
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
        shards: &mut [Shard],
        instrument: InstrumentId,
        held: Quantity,
        events: &mut Events,
    ) -> Quantity {
        let Some(mark) = market.instrument(instrument).mark else { return 0 };
        let offer = Offer { owner: Owner::Fund, instrument, quantity: held, price: i128::from(mark) };
        self.deleverage(market, shards, &offer, events)
    }

    /// Walks the queue of the opposite side, ranked once, each position reduced by at most its size.
    fn deleverage(&mut self, market: &Market, shards: &mut [Shard], offer: &Offer, events: &mut Events) -> Quantity {
        let mut queue = std::mem::take(&mut self.queue);
        collect(market, shards, offer.instrument, offer.quantity < 0, &mut queue);
        let mut rest = offer.quantity.abs();
        let mut ranked = 0;
        for index in 0..queue.len() {
            if rest == 0 {
                break;
            }
            if index == ranked {
                ranked = rank_next(&mut queue, ranked);
            }
            let candidate = &queue[index];
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
                rank: index as u32 + 1,
            });
            shard.cut_after_deleveraging(market, candidate.holding, events);
            rest -= lots;
        }
        self.queue = queue;
        offer.quantity.abs() - rest
    }
}

/// The queue of one side of an instrument, first to be deleveraged first.
pub(crate) fn rank(
    market: &Market,
    shards: &[Shard],
    instrument: InstrumentId,
    long: bool,
    queue: &mut Vec<Candidate>,
) {
    collect(market, shards, instrument, long, queue);
    queue.sort_unstable_by_key(Candidate::rank_key);
}

/// Everybody on one side of an instrument, in no order.
fn collect(market: &Market, shards: &[Shard], instrument: InstrumentId, long: bool, queue: &mut Vec<Candidate>) {
    queue.clear();
    for shard in shards {
        shard.collect_queue(market, instrument, long, queue);
    }
}

/// Ranks a further stretch of a queue of which the first `ranked` are in order, and returns how many are then.
///
/// Few of a long queue are ever asked: to sort them all would cost more than to choose the first.
fn rank_next(queue: &mut [Candidate], ranked: usize) -> usize {
    let rest = &mut queue[ranked..];
    let stretch = ranked.max(FIRST_STRETCH).min(rest.len());
    if stretch < rest.len() {
        rest.select_nth_unstable_by_key(stretch, Candidate::rank_key);
    }
    rest[..stretch].sort_unstable_by_key(Candidate::rank_key);
    ranked + stretch
}
