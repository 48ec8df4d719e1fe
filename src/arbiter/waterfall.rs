//! Who bears what a bankrupt pool leaves: the fund if it can, else the other side, and the fund for what remains.

use super::Arbiter;
use crate::controls::Mode;
use crate::event::{Event, Events, FundReason};
use crate::market::{InstrumentId, Market};
use crate::number::{Quantity, mul_div_floor};
use crate::shard::{Claim, Shard};

impl Arbiter {
    /// Finds a taker for the lots of a claim, and books them out of the pool.
    ///
    /// The pool is booked out at `X = V(k, mark) − E_k` in any case; who takes the lots is no matter of its.
    pub(crate) fn settle_claim(
        &mut self,
        market: &Market,
        shards: &mut [Box<Shard>],
        (shard, pool): (u32, u32),
        claim: &Claim,
        events: &mut Events,
    ) {
        let instrument = market.instrument(claim.instrument);
        let Some(mark) = instrument.mark else { return };
        let x = instrument.value(claim.quantity, mark) - claim.share;
        shards[shard as usize].book_out(market, pool, claim, x);
        if self.can_bear(market, claim) {
            self.take_over(market, claim, claim.quantity, claim.share, events);
            return;
        }
        let lots = claim.quantity.abs();
        let taken = self.deleverage_against(market, shards, claim, events);
        let rest = lots - taken.lots;
        let rest_share = mul_div_floor(claim.share, i128::from(rest), i128::from(lots));
        if taken.lots > 0 {
            // The counterparties were booked their lots at the price; the pool was given X less the rest's part. At the
            // mark the difference is what the pool had, or lacked.
            let signed_rest = rest * claim.quantity.signum();
            let x_of_reached = x - (instrument.value(signed_rest, mark) - rest_share);
            let residue = -taken.booked - x_of_reached;
            if residue != 0 {
                self.credit(instrument.spec.fund, residue, FundReason::AdlResidue, events);
                self.tell_deficit(market, instrument.spec.fund, events);
                self.look(market, events);
            }
        }
        if rest > 0 {
            self.take_over(market, claim, rest * claim.quantity.signum(), rest_share, events);
            self.socialise(market, shards, instrument.spec.fund, events);
        }
    }

    /// All of it or nothing: the fund's equity after the takeover is not below its floor, and it is not in drawdown. What
    /// has no bankruptcy price it bears in any case: nobody else can be asked.
    fn can_bear(&self, market: &Market, claim: &Claim) -> bool {
        if claim.price.is_none() {
            return true;
        }
        let fund = market.instrument(claim.instrument).spec.fund;
        !self.in_drawdown(fund) && self.equity(market, fund) + claim.share >= market.fund(fund).floor
    }

    /// The inventory gains signed `quantity` lots at cost `V(k, mark) − share`; no cash passes.
    fn take_over(&mut self, market: &Market, claim: &Claim, quantity: Quantity, share: i128, events: &mut Events) {
        let instrument = market.instrument(claim.instrument);
        let Some(mark) = instrument.mark else { return };
        events.push(Event::Takeover {
            account: claim.account,
            instrument: claim.instrument,
            quantity,
            price: claim.price,
            passed: share,
        });
        let x = instrument.value(quantity, mark) - share;
        let netted =
            self.change_inventory(market, claim.instrument.index(), |position| position.take_over(quantity, x));
        self.credit(instrument.spec.fund, netted, FundReason::Netting, events);
        self.tell_deficit(market, instrument.spec.fund, events);
        self.look(market, events);
    }

    /// Whether the lots of a claim must wait: the fund cannot bear them, and nobody is deleveraged at present.
    pub(crate) fn waits_to_deleverage(&self, market: &Market, claim: &Claim) -> bool {
        let paused = claim.adl_paused || market.has_mode(claim.instrument, Mode::AdlPaused);
        paused && !self.can_bear(market, claim)
    }

    /// Deleverages inventory of funds below their floor, or in drawdown, at the mark, in instrument order; true if anybody traded.
    pub(crate) fn deleverage_inventory(
        &mut self,
        market: &Market,
        shards: &mut [Box<Shard>],
        events: &mut Events,
    ) -> bool {
        if self.exhausted {
            return false;
        }
        let mut traded = false;
        for index in 0..self.inventory.len() {
            let id = InstrumentId(index as u32);
            let instrument = market.instrument(id);
            let fund = instrument.spec.fund;
            let (held, Some(mark)) = (self.inventory[index].position.quantity, instrument.living_mark()) else {
                continue;
            };
            if held == 0 || !self.must_shed(market, fund) || market.has_mode(id, Mode::AdlPaused) {
                continue;
            }
            let taken = self.deleverage_fund(market, shards, id, held, events);
            if taken.lots > 0 {
                let own = instrument.value(taken.lots * held.signum(), mark);
                let realised =
                    self.change_inventory(market, index, |position| position.close(taken.lots, mark, instrument));
                self.credit(fund, realised, FundReason::Adl, events);
                self.credit(fund, -own - taken.booked, FundReason::Rounding, events);
                self.look(market, events);
                traded = true;
            }
        }
        self.exhausted = !traded;
        traded
    }
}
