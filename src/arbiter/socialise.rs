//! Socialised losses: what a deleveraging that did not reach leaves a fund below zero is charged to those who gained.

use super::{Arbiter, rank};
use crate::event::{Event, Events, FundReason};
use crate::market::{FundId, InstrumentId, Market};
use crate::number::mul_div_floor;
use crate::shard::{Candidate, Shard};
use std::cmp::Reverse;

/// A position that gained.
struct Gain {
    /// In the queue of its side.
    rank: usize,
    instrument: InstrumentId,
    long: bool,
    candidate: Candidate,
    /// In quanta, above zero.
    unrealised: i128,
}

impl Arbiter {
    /// Charges a fund's deficit to the positions in its instruments that gained, in proportion, at most what they gained.
    ///
    /// Rounded down each; what that leaves goes by one quantum to each in order of rank, then instrument, longs first.
    pub(super) fn socialise(&mut self, market: &Market, shards: &mut [Box<Shard>], fund: FundId, events: &mut Events) {
        let deficit = -self.equity(market, fund);
        if !market.fund(fund).socialise || deficit <= 0 {
            return;
        }
        let gains = gains(market, shards, fund);
        let gained: i128 = gains.iter().map(|gain| gain.unrealised).sum();
        let charged = deficit.min(gained);
        let part = |gain: &Gain| if charged == 0 { 0 } else { mul_div_floor(charged, gain.unrealised, gained) };
        let mut left = charged - gains.iter().map(part).sum::<i128>();
        for gain in &gains {
            // The remainder is smaller than the number of those whose part was rounded down, and these can bear one more.
            let amount = (part(gain) + i128::from(left > 0)).min(gain.unrealised);
            left -= amount - part(gain);
            if amount > 0 {
                let Candidate { account, shard, holding, .. } = gain.candidate;
                let shard = &mut shards[shard as usize];
                shard.catch_up_holding(market, holding);
                shard.charge_gain(holding, amount);
                events.push(Event::Socialised { account, instrument: gain.instrument, amount });
            }
        }
        self.credit(fund, charged, FundReason::Socialised, events);
        self.look(market, events);
    }
}

/// All positions of accounts in the instruments of a fund that gained, by rank, then instrument, longs first.
fn gains(market: &Market, shards: &[Box<Shard>], fund: FundId) -> Vec<Gain> {
    let mut gains = Vec::new();
    for (index, of) in market.instruments.iter().enumerate().filter(|(_, of)| of.spec.fund == fund) {
        let instrument = InstrumentId(index as u32);
        for long in [true, false].into_iter().filter(|_| of.mark.is_some()) {
            let queue = rank(market, shards, instrument, long).into_iter().enumerate();
            gains.extend(queue.take_while(|(_, candidate)| candidate.profitable).map(|(rank, candidate)| {
                let unrealised = shards[candidate.shard as usize].unrealised(market, candidate.holding);
                Gain { rank, instrument, long, candidate, unrealised }
            }));
        }
    }
    gains.sort_by_key(|gain| (gain.rank, gain.instrument, Reverse(gain.long)));
    gains
}
