//! The rounds in a snapshot, as they are between decisions: the arbiter, the venue, the numbers of orders, who waits for room.

use super::Rounds;
use super::airlock::Airlocks;
use super::numbers::{Numbered, OrderNumbers};
use super::pacing::{Lane, Pace};
use crate::arbiter::Arbiter;
use crate::command::{OrderName, OrderOwner};
use crate::event::{Cause, PoolName};
use crate::market::{InstrumentId, Market};
use crate::sequencer;
use crate::shard::{Shard, locate};
use crate::snapshot::{Loader, Saver, Unfit};
use crate::venue::{BookUpdate, Venue};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// A [`Cause`], as it is saved.
#[derive(Serialize, Deserialize)]
enum SavedCause {
    Instrument(InstrumentId),
    Op(String),
}

/// The numbers of all orders that can still be filled, and since when pools wait for their cancellation.
type SavedNumbers = (u64, Vec<(OrderName, Numbered)>, Vec<((u64, PoolName), u64)>);

impl Rounds {
    /// Whether everything is told that has happened, and nothing waits for a decision.
    pub(crate) fn is_at_rest(&self) -> bool {
        let told = self.announced.is_empty() && self.begun.is_empty() && self.booked.iter().all(Vec::is_empty);
        let waits = self.undecided || self.airlocks.puts_off() || !self.market.undecided.is_empty();
        told && !waits && self.rounding.is_none()
    }

    /// Writes all but the market.
    pub(crate) fn save(&self, shards: &[Box<Shard>], into: &mut Saver) {
        // All fields by name: whoever adds one says here what becomes of it.
        let Self { market: _, arbiter, venue, now_ns, inputs, cause, numbers, airlocks, pace, .. } = self;
        let Self { events: _, reports: _, changes: _, filled: _, followed: _, booked: _, rounding: _, .. } = self;
        let Self { announced: _, begun: _, settled: _, undecided: _, findings: _, walk: _, .. } = self;
        let Self { recorded: _, keeps_answers: _, given: _, sent: _, diverged: _, .. } = self;
        into.put(arbiter);
        into.put(venue);
        into.put(&(now_ns, inputs));
        into.put(&match cause {
            Cause::Instrument(id) => SavedCause::Instrument(*id),
            Cause::Op(op) => SavedCause::Op((*op).to_owned()),
        });
        into.put(&self.saved_numbers(numbers, shards));
        into.put(&airlocks.asked());
        into.put(&(pace.freed && !pace.is_empty()));
    }

    fn saved_numbers(&self, numbers: &OrderNumbers, shards: &[Box<Shard>]) -> SavedNumbers {
        // What nobody knows any more is cleared out now and then, by room: not by what has happened.
        let known = |order: &OrderName| match order.owner {
            OrderOwner::Account(account) => shards.iter().any(|shard| shard.knows_order(account, order.nth)),
            OrderOwner::Fund(instrument) => self.arbiter.knows_order(instrument, order.nth),
        };
        let mut orders: Vec<_> = numbers.orders().filter(|(order, _)| known(order)).collect();
        orders.sort_unstable_by_key(|&(_, numbered)| numbered.number);
        let waits = |name: &(u64, PoolName)| shards.iter().any(|shard| shard.is_cancelling(name.0, name.1));
        let mut cancelling: Vec<_> = numbers.cancelling().filter(|(name, _)| waits(name)).collect();
        cancelling.sort_unstable();
        (numbers.sent(), orders, cancelling)
    }

    /// Reads all but the market; `accounts` are as many as room is made for.
    pub(crate) fn load(market: Market, accounts: usize, from: &mut Loader<'_>) -> Result<Self, Unfit> {
        let arbiter = Arbiter::load(&market, from)?;
        let venue = Venue::load(&market, from)?;
        let (now_ns, inputs): (u64, u64) = from.take()?;
        from.expect(inputs < 1 << 62, "more inputs than can be")?;
        let cause = match from.take()? {
            SavedCause::Instrument(id) => Some(Cause::Instrument(id)).filter(|_| id.index() < market.instruments.len()),
            SavedCause::Op(op) => Cause::named(&op),
        };
        let cause = cause.ok_or_else(|| from.unfit("an unknown cause"))?;
        let (sent, orders, cancelling): SavedNumbers = from.take()?;
        let numbered = |(_, numbered): &(OrderName, Numbered)| {
            (1..=sent).contains(&numbered.number) && numbered.instrument.index() < market.instruments.len()
        };
        let rise = orders.iter().zip(orders.iter().skip(1)).all(|(one, next)| one.1.number < next.1.number);
        from.expect(sent < 1 << 62 && rise && orders.iter().all(numbered), "numbers of orders that cannot be")?;
        let (asked, freed) = (from.take()?, from.take()?);
        let mut rounds = Self { arbiter, venue, now_ns, inputs, cause, ..Self::new(accounts) };
        rounds.numbers.restore(sent, orders, cancelling);
        rounds.airlocks = Airlocks::asked_at(asked);
        for instrument in &market.instruments {
            let paced = instrument.spec.reduce.pacing.is_some();
            rounds.pace.add_instrument(if paced { rounds.walk.capacity() } else { 0 });
        }
        rounds.pace.freed = freed;
        rounds.market = market;
        Ok(rounds)
    }

    /// Writes who waits for room, by instrument.
    pub(crate) fn save_lanes(&self, into: &mut Saver) {
        let Pace { instruments, waiting: _, asked: _, freed: _ } = &self.pace;
        let lanes: Vec<Vec<(u64, PoolName)>> = instruments
            .iter()
            .map(|Lane { queue, sent: _, bound: _ }| {
                let waits = queue.iter().map(|Reverse((_, found))| (found.account, found.name));
                let mut waits: Vec<_> = waits.collect();
                waits.sort_unstable();
                waits
            })
            .collect();
        into.put(&lanes);
    }

    /// Reads who waits for room; the accounts are there.
    pub(crate) fn load_lanes(&mut self, shards: &mut [Box<Shard>], from: &mut Loader<'_>) -> Result<(), Unfit> {
        let lanes: Vec<Vec<(u64, PoolName)>> = from.take()?;
        from.expect(lanes.len() == self.market.instruments.len(), "waiting pools of other instruments")?;
        for (index, lane) in lanes.into_iter().enumerate() {
            for (account, name) in lane {
                let at = locate(shards, account);
                let found = at.and_then(|(shard, account)| shards[shard].locked_pool(account, name));
                let found = found.ok_or_else(|| from.unfit("a pool waits for room that is not in liquidation"))?;
                let urgency = shards[found.shard as usize].enter_queue(found.pool);
                self.pace.instruments[index].queue.push(Reverse((urgency, found)));
                self.pace.waiting += 1;
            }
        }
        Ok(())
    }
}

impl Venue {
    fn load(market: &Market, from: &mut Loader<'_>) -> Result<Self, Unfit> {
        let venue: Self = from.take()?;
        from.expect(venue.len() == market.instruments.len(), "books of other instruments")?;
        for index in 0..venue.len() {
            let id = InstrumentId(index as u32);
            let [bids, asks] = venue.levels(id);
            let (bid, ask) = venue.top(id);
            let update = BookUpdate { bid, ask, bids: Some(&bids), asks: Some(&asks), ..BookUpdate::default() };
            sequencer::check_book(market, id, &update).map_err(|refusal| from.unfit(refusal.to_string()))?;
        }
        Ok(venue)
    }
}
