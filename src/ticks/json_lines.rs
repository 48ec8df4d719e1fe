//! Market events as the `barter` crates write them, one JSON object to a line.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::decimal::Decimal;

use super::TickKind;
use super::error::{Fault, Reason};
use super::fields;
use super::row::Row;
use super::time;

/// How many rows late a row may come. Trades and quotes are received apart and woven together regardless of time; in
/// the recording at hand, rows come up to 792 rows late.
pub(super) const ROWS_LATE: usize = 4096;

/// The instruments of the recording, by number.
const INSTRUMENTS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];

#[derive(Deserialize)]
enum Event<'a> {
    #[serde(borrow)]
    Item(Item<'a>),
    Reconnecting(IgnoredAny),
}

#[derive(Deserialize)]
struct Item<'a> {
    time_received: &'a str,
    instrument: u64,
    kind: Kind<'a>,
}

#[derive(Deserialize)]
enum Kind<'a> {
    #[serde(borrow)]
    Trade(Level<'a>),
    OrderBookL1(Book<'a>),
}

#[derive(Deserialize)]
struct Book<'a> {
    #[serde(borrow)]
    best_bid: Option<Level<'a>>,
    best_ask: Option<Level<'a>>,
}

/// A price and an amount as they are written, in quotes or not: turned into floats, they would lose digits.
#[derive(Deserialize)]
struct Level<'a> {
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    amount: &'a RawValue,
}

/// A trade, a quote, or something without a price: a book with one side, a reconnection.
pub(super) fn event(line: &str) -> Result<Row<'_>, Fault> {
    let item = match serde_json::from_str(line) {
        Ok(Event::Item(item)) => item,
        Ok(Event::Reconnecting(IgnoredAny)) => return Ok(Row::Nothing),
        Err(error) => return Err(not_an_event(&error, line)),
    };
    let kind = match item.kind {
        Kind::Trade(trade) => {
            let (price, qty) = trade.read(["price", "amount"])?;
            TickKind::Trade { price, qty }
        }
        Kind::OrderBookL1(Book { best_bid: Some(bid), best_ask: Some(ask) }) => {
            let (bid, bid_qty) = bid.read(["best_bid price", "best_bid amount"])?;
            let (ask, ask_qty) = ask.read(["best_ask price", "best_ask amount"])?;
            fields::quote(bid, bid_qty, ask, ask_qty)?
        }
        Kind::OrderBookL1(_) => return Ok(Row::Nothing),
    };
    let symbol = usize::try_from(item.instrument).ok().and_then(|number| INSTRUMENTS.get(number));
    let Some(symbol) = symbol else {
        return Err(Fault::new(Reason::Unknown, "instrument 0, 1 or 2", &item.instrument.to_string()));
    };
    Ok(Row::Tick { symbol: Some(symbol), ts_ns: time::rfc3339("time_received", item.time_received)?, kind })
}

impl Level<'_> {
    fn read(&self, names: [&str; 2]) -> Result<(Decimal, Decimal), Fault> {
        let [price, amount] = names;
        Ok((positive(price, self.price)?, positive(amount, self.amount)?))
    }
}

fn positive(name: &str, value: &RawValue) -> Result<Decimal, Fault> {
    let text = value.get();
    let unquoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    fields::positive(name, unquoted.unwrap_or(text))
}

fn not_an_event(error: &serde_json::Error, line: &str) -> Fault {
    let message = error.to_string();
    // Serde counts lines from the start of this one.
    let message = message.split(" at line 1 column ").next().unwrap_or_default();
    let expected = format!("an event ({message}, column {})", error.column());
    Fault::new(Reason::Json, expected, line)
}
