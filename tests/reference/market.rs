//! Prices and depth that come in: mark, last, book.

use super::airlock::Source;
use super::command::BookFields;
use super::input::Refusal;
use super::number::{Int, Rat, int};
use super::state::{State, need, need_below_limit, need_positive};

impl State {
    /// `max(OI, 1) · mark · unit` stays below 2^62.
    pub fn do_mark(&mut self, symbol: &str, price: &Rat, source: &Source) -> Result<(), Refusal> {
        let i = self.instrument_id(symbol)?;
        need_positive("price", price)?;
        need(!self.has_computed_mark(i), "bad_value", format!("the mark of {symbol} is computed"))?;
        let price = self.ticks(i, price)?;
        need_below_limit("price", &price)?;
        let interest = self.open_interest(i).max(int(1));
        need_below_limit("open interest · mark · unit", &self.notional_at(i, &interest, &price))?;
        if self.instruments[i].pricing.mark_rules.stale_after.is_none() {
            self.instruments[i].pricing.mark_at = Some(self.now);
            self.mark_comes(i, price, source.clone());
            return Ok(());
        }
        self.price_input(i, |state| {
            state.instruments[i].pricing.mark_at = Some(state.now);
            if state.instruments[i].held.is_some() {
                state.thaw(i, "stale"); // nothing lives by that: if the hold ends, it is by the airlock
            }
            state.mark_comes(i, price, source.clone());
        });
        Ok(())
    }

    /// A last price alone never liquidates anyone.
    pub fn do_last(&mut self, symbol: &str, price: &Rat) -> Result<(), Refusal> {
        let i = self.instrument_id(symbol)?;
        need_positive("price", price)?;
        let price = self.book_price(i, price)?;
        self.price_input(i, |state| {
            state.instruments[i].last = Some(price);
            state.instruments[i].pricing.last_at = state.now;
        });
        Ok(())
    }

    pub fn do_book(&mut self, f: &BookFields) -> Result<(), Refusal> {
        let i = self.instrument_id(&f.symbol)?;
        let singles = [&f.bid, &f.ask, &f.impact_bid, &f.impact_ask];
        for price in singles.into_iter().flatten() {
            need_positive("price", price)?;
        }
        need_levels(&f.bids, |better, worse| better > worse)?;
        need_levels(&f.asks, |better, worse| better < worse)?;
        self.need_book_on_grid(i, f)?;
        let maybe = |p: &Option<Rat>| p.as_ref().map(|p| self.book_price(i, p)).transpose();
        let (bid, ask) = (maybe(&f.bid)?, maybe(&f.ask)?);
        let (impact_bid, impact_ask) = (maybe(&f.impact_bid)?, maybe(&f.impact_ask)?);
        let bids = f.bids.as_ref().map(|side| self.book_side(i, side)).transpose()?;
        let asks = f.asks.as_ref().map(|side| self.book_side(i, side)).transpose()?;
        let first = |side: &Option<Vec<(Int, Int)>>| side.as_ref().and_then(|side| side.first().map(|at| at.0.clone()));
        let crossed = |bid: Option<Int>, ask: Option<Int>| matches!((bid, ask), (Some(bid), Some(ask)) if bid > ask);
        let pairs = [(bid.clone(), ask.clone()), (bid.clone(), first(&asks)), (first(&bids), ask.clone())];
        let crossed = pairs.into_iter().any(|(bid, ask)| crossed(bid, ask))
            || crossed(first(&bids), first(&asks))
            || crossed(impact_bid.clone(), impact_ask.clone());
        need(self.rules < 2 || !crossed, "bad_value", "crossed")?;
        self.price_input(i, |state| {
            if let Some(bids) = bids {
                state.set_bid(i, bids.first().map(|(price, _)| price.clone()));
                state.instruments[i].bids = bids;
            }
            if let Some(asks) = asks {
                state.set_ask(i, asks.first().map(|(price, _)| price.clone()));
                state.instruments[i].asks = asks;
            }
            if bid.is_some() {
                state.set_bid(i, bid);
            }
            if ask.is_some() {
                state.set_ask(i, ask);
            }
            state.set_impact(i, impact_bid, impact_ask);
            state.instruments[i].pricing.book_at = state.now; // what was not given stands as it was
        });
        Ok(())
    }

    fn set_bid(&mut self, i: usize, bid: Option<Int>) {
        self.instruments[i].bid = bid;
    }

    fn set_ask(&mut self, i: usize, ask: Option<Int>) {
        self.instruments[i].ask = ask;
    }

    /// The whole grid comes before any overflow.
    fn need_book_on_grid(&self, i: usize, f: &BookFields) -> Result<(), Refusal> {
        for price in [&f.bid, &f.ask, &f.impact_bid, &f.impact_ask].into_iter().flatten() {
            self.ticks(i, price)?;
        }
        for (price, qty) in [&f.bids, &f.asks].into_iter().flatten().flatten() {
            self.ticks(i, price)?;
            self.lots(i, qty)?;
        }
        Ok(())
    }

    /// A price on the grid with `price · unit` below 2^62.
    fn book_price(&self, i: usize, price: &Rat) -> Result<Int, Refusal> {
        let price = self.ticks(i, price)?;
        need_below_limit("price", &price)?;
        need_below_limit("price · unit", &self.notional_at(i, &int(1), &price))?;
        Ok(price)
    }

    fn book_side(&self, i: usize, side: &[(Rat, Rat)]) -> Result<Vec<(Int, Int)>, Refusal> {
        let mut levels = Vec::new();
        for (price, qty) in side {
            let price = self.book_price(i, price)?;
            let qty = self.lots(i, qty)?;
            need_below_limit("qty", &qty)?;
            need_below_limit("qty · price · unit", &self.notional_at(i, &qty, &price))?;
            levels.push((price, qty));
        }
        Ok(levels)
    }
}

/// Positive, and each level strictly worse than the one before.
fn need_levels(side: &Option<Vec<(Rat, Rat)>>, ordered: impl Fn(&Rat, &Rat) -> bool) -> Result<(), Refusal> {
    let Some(levels) = side else {
        return Ok(());
    };
    for (price, qty) in levels {
        need_positive("price", price)?;
        need_positive("qty", qty)?;
    }
    let sorted = levels.windows(2).all(|pair| ordered(&pair[0].0, &pair[1].0));
    need(sorted, "bad_value", "the levels are not in order")
}
