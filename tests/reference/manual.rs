//! The manual venue's answers: fills in time and late ones, expiry, and that
//! it does not know.

use super::input::{Refusal, refuse};
use super::number::{Int, Rat, rat, show_exact, zero};
use super::state::{Owner, Side, State, Unfilled, VenueOrder, need, need_below_limit, need_positive};
use num_traits::Zero;

/// How many ended orders are kept for late fills: of an account, and of the
/// inventory of an instrument.
const KEPT: usize = 16;

impl State {
    fn standing_at(&self, id: u64) -> Result<usize, Refusal> {
        match self.standing.iter().position(|order| order.id == id) {
            Some(at) => Ok(at),
            None => refuse("unknown_liquidation", format!("liquidation {id} is not open")),
        }
    }

    /// Standing or ended.
    fn known_order(&self, id: u64) -> Result<&VenueOrder, Refusal> {
        let known = self.standing.iter().chain(&self.ended);
        match known.into_iter().find(|order| order.id == id) {
            Some(order) => Ok(order),
            None => refuse("unknown_liquidation", format!("liquidation {id} is not known")),
        }
    }

    pub fn do_liq_fill(&mut self, id: u64, qty: &Rat, price: &Rat) -> Result<(), Refusal> {
        let order = self.known_order(id)?.clone();
        let i = order.at.i;
        need_positive("qty", qty)?;
        need_positive("price", price)?;
        let open = rat(&order.open) * &self.instruments[i].lot;
        let limit = rat(&order.limit) * &self.instruments[i].tick;
        need(*qty <= open, "bad_value", format!("qty {} is more than is open", show_exact(qty)))?;
        let allowed = match order.side {
            Side::Sell => *price >= limit,
            Side::Buy => *price <= limit,
        };
        need(allowed, "bad_value", format!("price {} is beyond the limit", show_exact(price)))?;
        let price = self.ticks(i, price)?;
        let qty = self.lots(i, qty)?;
        need_below_limit("price", &price)?;
        need_below_limit("qty", &qty)?;
        need_below_limit("qty · price · unit", &self.notional_at(i, &qty, &price))?;
        let account_part = self.account_part(&order, &qty);
        let fund_part = &qty - &account_part;
        self.need_bookable_parts(&order, &account_part, &fund_part, &price)?;

        self.note_filled(id, &qty);
        if !account_part.is_zero() {
            self.book_liquidation_fill(&order, &account_part, &price);
        }
        if !fund_part.is_zero() {
            self.book_fund_part(&order, &fund_part, &price);
        }
        if let Owner::Pool(pool) = order.owner {
            self.cut_reduce_only(pool.account, order.at); // a locked pool has no orders: after a late fill only
        }
        self.cut_standing(i);
        Ok(())
    }

    /// How many of the lots are the account's; the others are the fund's.
    fn account_part(&self, order: &VenueOrder, qty: &Int) -> Int {
        let Owner::Pool(pool) = order.owner else {
            return zero();
        };
        if self.standing.iter().any(|o| o.id == order.id) {
            return order.rest.clone().min(qty.clone());
        }
        if order.claimed {
            return zero();
        }
        self.position(pool.account, order.at).closed_by(order.side, qty)
    }

    /// Open interest after the fill, at the higher of price and mark, stays
    /// below 2^62.
    fn need_bookable_parts(
        &self,
        order: &VenueOrder,
        account_part: &Int,
        fund_part: &Int,
        price: &Int,
    ) -> Result<(), Refusal> {
        let i = order.at.i;
        let (ours, venues) = (order.side, order.side.other());
        let mut changes = vec![
            (self.inventory(i).q, ours.signed(fund_part)),
            (self.instruments[i].venue.q.clone(), venues.signed(&(account_part + fund_part))),
        ];
        if let Owner::Pool(pool) = order.owner {
            changes.push((self.position(pool.account, order.at).q, ours.signed(account_part)));
        }
        let after = self.open_interest_after(i, &changes);
        let worst = self.notional_at(i, &after, self.dearer_of_mark_and(i, price));
        need_below_limit("open interest · price · unit", &worst)
    }

    /// The venue has filled that much of the order.
    fn note_filled(&mut self, id: u64, qty: &Int) {
        let known = self.standing.iter_mut().chain(&mut self.ended);
        for order in known.filter(|order| order.id == id) {
            order.open -= qty;
            order.rest -= order.rest.clone().min(qty.clone());
        }
        self.ended.retain(|order| !order.open.is_zero());
        self.cut_claim(id, qty);
    }

    /// Where what an order left waits for a mode to end, the venue may fill it after all.
    fn cut_claim(&mut self, id: u64, qty: &Int) {
        for pool in self.all_pools() {
            if let Some(mut unfilled) = self.lock(pool).unfilled.filter(|unfilled| unfilled.liquidation == id) {
                unfilled.lots -= unfilled.lots.clone().min(qty.clone());
                self.lock_mut(pool).unfilled = Some(unfilled).filter(|unfilled| !unfilled.lots.is_zero());
            }
        }
    }

    /// A pool's rest waits for step 4; an unwind order's is dropped.
    pub fn do_liq_expire(&mut self, id: u64) -> Result<(), Refusal> {
        let at = self.standing_at(id)?;
        let order = self.standing.remove(at);
        if let Owner::Pool(pool) = order.owner {
            let unfilled = Unfilled { liquidation: id, at: order.at, lots: order.rest.clone() };
            self.lock_mut(pool).unfilled = Some(unfilled);
        }
        self.keep_ended(order);
        Ok(())
    }

    /// It stands as before, and is shown as unknown.
    pub fn do_liq_unknown(&mut self, id: u64) -> Result<(), Refusal> {
        let at = self.standing_at(id)?;
        self.standing[at].unknown = true;
        Ok(())
    }

    /// What an ended order left unfilled has gone to the fund or to
    /// counterparties.
    pub fn note_claimed(&mut self, id: u64) {
        for order in self.ended.iter_mut().filter(|order| order.id == id) {
            order.claimed = true;
        }
    }

    /// A standing order is cut with its position, silently; at zero, or when
    /// the position flips, it ends.
    pub fn cut_standing(&mut self, i: usize) {
        for at in 0..self.standing.len() {
            let order = &self.standing[at];
            if order.at.i == i {
                let owned = match order.owner {
                    Owner::Pool(pool) => self.position(pool.account, order.at),
                    Owner::Fund => self.inventory(i),
                };
                self.standing[at].rest = owned.closed_by(order.side, &order.rest);
            }
        }
        let (ended, standing) = std::mem::take(&mut self.standing).into_iter().partition(|o| o.rest.is_zero());
        self.standing = standing;
        for order in Vec::<VenueOrder>::into_iter(ended) {
            self.keep_ended(order);
        }
    }

    /// Keeps the order for late fills, if the venue may still have some.
    fn keep_ended(&mut self, order: VenueOrder) {
        if order.open.is_zero() {
            return;
        }
        let belongs_beside = |other: &VenueOrder| match (order.owner, other.owner) {
            (Owner::Pool(a), Owner::Pool(b)) => a.account == b.account,
            (Owner::Fund, Owner::Fund) => order.at == other.at,
            _ => false,
        };
        let beside: Vec<usize> = (0..self.ended.len()).filter(|&at| belongs_beside(&self.ended[at])).collect();
        if beside.len() == KEPT {
            self.ended.remove(beside[0]);
        }
        self.ended.push(order);
    }
}
