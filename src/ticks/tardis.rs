//! Tardis CSV data sets (<https://docs.tardis.dev>).
//!
//! Rows are taken at their `local_timestamp`, by which these files are sorted; the exchange's `timestamp` may go
//! backward.

use crate::decimal::Decimal;

use super::TickKind;
use super::error::Fault;
use super::fields::{self, columns, positive};
use super::row::Row;
use super::time;

pub(super) const TRADES: [&str; 1] = ["exchange,symbol,timestamp,local_timestamp,id,side,price,amount"];

pub(super) const QUOTES: [&str; 1] =
    ["exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount"];

pub(super) const DERIVATIVE_TICKER: [&str; 1] = ["exchange,symbol,timestamp,local_timestamp,funding_timestamp,\
     funding_rate,predicted_funding_rate,open_interest,last_price,index_price,mark_price"];

/// A row of `trades`.
pub(super) fn trade(line: &str) -> Result<Row<'_>, Fault> {
    let [_, symbol, _, local, _, _, price, amount] = columns(line)?;
    let kind = TickKind::Trade { price: positive("price", price)?, qty: positive("amount", amount)? };
    tick(symbol, local, kind)
}

/// A row of `quotes`.
pub(super) fn quote(line: &str) -> Result<Row<'_>, Fault> {
    let [_, symbol, _, local, ask_amount, ask_price, bid_price, bid_amount] = columns(line)?;
    let ask = level(["ask_price", "ask_amount"], ask_price, ask_amount)?;
    let bid = level(["bid_price", "bid_amount"], bid_price, bid_amount)?;
    let (Some((bid, bid_qty)), Some((ask, ask_qty))) = (bid, ask) else { return Ok(Row::Nothing) };
    tick(symbol, local, fields::quote(bid, bid_qty, ask, ask_qty)?)
}

/// A row of `derivative_ticker`.
pub(super) fn derivative_ticker(line: &str) -> Result<Row<'_>, Fault> {
    let [_, symbol, _, local, _, _, _, _, _, _, mark_price] = columns(line)?;
    if mark_price.is_empty() {
        return Ok(Row::Nothing);
    }
    tick(symbol, local, TickKind::Mark { price: positive("mark_price", mark_price)? })
}

/// Price and quantity of one side, if the book has that side.
fn level(names: [&str; 2], price: &str, qty: &str) -> Result<Option<(Decimal, Decimal)>, Fault> {
    if price.is_empty() && qty.is_empty() {
        return Ok(None);
    }
    let [price_name, qty_name] = names;
    Ok(Some((positive(price_name, price)?, positive(qty_name, qty)?)))
}

fn tick<'a>(symbol: &'a str, local: &str, kind: TickKind) -> Result<Row<'a>, Fault> {
    Ok(Row::Tick { symbol: Some(symbol), ts_ns: time::micros("local_timestamp", local)?, kind })
}
