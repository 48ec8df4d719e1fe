//! The data that is built in: three minutes of Binance spot, 2025-03-25 23:07 UTC, made by `scripts/embed-ticks`.

use super::TickKind;
use super::error::{Fault, Reason};
use super::fields::{self, columns, positive, wrong_columns};
use super::row::Row;
use super::time;

/// The file, packed with zstd.
pub(super) const DATA: &[u8] = include_bytes!("data/binance-spot-2025-03-25.csv.zst");

pub(super) const HEADERS: [&str; 1] = ["ts_ns,symbol,kind,price|bid,qty|bid_qty,ask,ask_qty"];

/// A trade (`t`) or a quote (`q`).
pub(super) fn event(line: &str) -> Result<Row<'_>, Fault> {
    let (ts_ns, symbol, kind) = match line.split(',').nth(2) {
        Some("t") => {
            let [ts_ns, symbol, _, price, qty] = columns(line)?;
            (ts_ns, symbol, TickKind::Trade { price: positive("price", price)?, qty: positive("qty", qty)? })
        }
        Some("q") => {
            let [ts_ns, symbol, _, bid, bid_qty, ask, ask_qty] = columns(line)?;
            let quote = fields::quote(
                positive("bid", bid)?,
                positive("bid_qty", bid_qty)?,
                positive("ask", ask)?,
                positive("ask_qty", ask_qty)?,
            )?;
            (ts_ns, symbol, quote)
        }
        Some(other) => return Err(Fault::new(Reason::Unknown, "kind q or t", other)),
        None => return Err(wrong_columns("5 or 7", line)),
    };
    Ok(Row::Tick { symbol: Some(symbol), ts_ns: time::nanos("ts_ns", ts_ns)?, kind })
}
