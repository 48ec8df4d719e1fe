//! Booking of what the venue fills of liquidation and unwind orders: on the
//! account that the order is for, or on the fund. The external venue takes the
//! other side.

use super::number::{Int, ceil_div, ppb, zero};
use super::state::{Owner, State, VenueOrder};
use serde_json::{Value, json};

impl State {
    /// Where the whole is for whom the order was sent.
    pub fn book_liquidation_fill(&mut self, order: &VenueOrder, qty: &Int, price: &Int) {
        match order.owner {
            Owner::Pool(pool) => self.book_account_part(order, pool.account, qty, price),
            Owner::Fund => self.book_fund_part(order, qty, price),
        }
    }

    /// A reduction of the position. The fee is `ceil(N · liquidation_fee)`, no
    /// more than the equity of the position's pool after the fill.
    pub fn book_account_part(&mut self, order: &VenueOrder, account: u64, qty: &Int, price: &Int) {
        let i = order.at.i;
        let pool = self.own_pool(account, order.at);
        let venues = self.book_venue_fill(i, order.side.other(), qty, price);
        let value = self.value_at(i, &order.side.other().signed(qty), price);
        let realised = self.reduce(account, order.at, qty, &value);
        let rate = &self.instruments[i].liquidation_fee;
        let full = ceil_div(&(self.notional_at(i, qty, price) * rate), &ppb());
        let fee = full.min(self.equity(pool).max(zero()));
        *self.pool_money_mut(pool) -= &fee;
        self.report_fill(order, &json!(account), qty, price, &fee, &realised);
        let fund = self.instruments[i].fund;
        self.change_fund(fund, &fee, "fee");
        let booked = value + venues;
        self.book_rounding(i, &booked);
        self.look_after_changes(fund, &[fee, booked]);
        self.cut_standing(i);
    }

    /// A trade of the instrument's fund, without fee.
    pub fn book_fund_part(&mut self, order: &VenueOrder, qty: &Int, price: &Int) {
        let i = order.at.i;
        let venues = self.book_venue_fill(i, order.side.other(), qty, price);
        let (realised, booked) = self.trade_inventory(i, order.side, qty, price);
        self.report_fill(order, &json!("fund"), qty, price, &zero(), &realised);
        let fund = self.instruments[i].fund;
        self.change_fund(fund, &realised, "unwind");
        let booked = booked + venues;
        self.book_rounding(i, &booked);
        self.look_after_changes(fund, &[realised, booked]);
    }

    fn report_fill(&mut self, order: &VenueOrder, account: &Value, qty: &Int, price: &Int, fee: &Int, realised: &Int) {
        let i = order.at.i;
        let asset = self.settle_of(i);
        let fields = json!({
            "liquidation": order.id,
            "account": account,
            "symbol": self.instruments[i].symbol,
            "side": order.side.word(),
            "qty": self.show_qty(i, qty),
            "price": self.show_price(i, price),
            "fee": self.show_money(asset, fee),
            "realised": self.show_money(asset, realised),
        });
        self.emit("liquidation_fill", fields);
    }
}
