//! Binance's public files (<https://data.binance.vision>), spot and futures. Their rows do not name the symbol.

use crate::decimal::Decimal;

use super::TickKind;
use super::error::{Fault, Reason};
use super::fields::{self, columns, positive, split, units, wrong_columns};
use super::row::Row;
use super::time;

/// Spot files have one column more than those of futures.
pub(super) const AGG_TRADES: [&str; 2] = [
    "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
    "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker,is_best_match",
];

pub(super) const BOOK_TICKER: [&str; 1] =
    ["update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time"];

pub(super) const KLINES: [&str; 1] = ["open_time,open,high,low,close,volume,close_time,quote_volume,count,\
                                       taker_buy_volume,taker_buy_quote_volume,ignore"];

/// A row of `aggTrades`.
pub(super) fn agg_trade(line: &str) -> Result<Row<'_>, Fault> {
    let futures = split(line).map(|[_, price, qty, _, _, time, _]| [price, qty, time]);
    let spot = || split(line).map(|[_, price, qty, _, _, time, _, _]| [price, qty, time]);
    let [price, qty, transact_time] = futures.or_else(spot).ok_or_else(|| wrong_columns("7 or 8", line))?;
    Ok(Row::Tick {
        symbol: None,
        ts_ns: time::binance("transact_time", transact_time)?,
        kind: TickKind::Trade { price: positive("price", price)?, qty: positive("quantity", qty)? },
    })
}

/// A row of `bookTicker`.
pub(super) fn book_ticker(line: &str) -> Result<Row<'_>, Fault> {
    let [_, bid, bid_qty, ask, ask_qty, transaction_time, _] = columns(line)?;
    Ok(Row::Tick {
        symbol: None,
        ts_ns: time::binance("transaction_time", transaction_time)?,
        kind: fields::quote(
            positive("best_bid_price", bid)?,
            positive("best_bid_qty", bid_qty)?,
            positive("best_ask_price", ask)?,
            positive("best_ask_qty", ask_qty)?,
        )?,
    })
}

/// A row of klines.
pub(super) fn kline(line: &str) -> Result<Row<'_>, Fault> {
    let [open_time, open, high, low, close, _, close_time, _, _, _, _, _] = columns(line)?;
    let bar = Bar {
        opens: time::binance("open_time", open_time)?,
        closes: time::binance("close_time", close_time)?,
        open: positive("open", open)?,
        high: positive("high", high)?,
        low: positive("low", low)?,
        close: positive("close", close)?,
    };
    bar.check()?;
    Ok(Row::Bar(bar.path()))
}

/// A bar of prices; times in nanoseconds since 1970.
struct Bar {
    opens: u64,
    closes: u64,
    open: Decimal,
    high: Decimal,
    low: Decimal,
    close: Decimal,
}

impl Bar {
    fn check(&self) -> Result<(), Fault> {
        let fault = |expected: &str, found| Fault { reason: Reason::Bar, expected: expected.to_owned(), found };
        let (open, high, low, close) = (units(self.open), units(self.high), units(self.low), units(self.close));
        if self.closes < self.opens {
            let found = format!("{} ns to {} ns", self.opens, self.closes);
            return Err(fault("a close_time at or after the open_time", found));
        }
        if low > open.min(close) || high < open.max(close) {
            let found = format!("open {}, high {}, low {}, close {}", self.open, self.high, self.low, self.close);
            return Err(fault("open and close between low and high", found));
        }
        Ok(())
    }

    /// The way that the price may have gone: the extreme nearer to the open first, the low if both are as near.
    fn path(&self) -> [(u64, Decimal); 4] {
        let (open, high, low) = (units(self.open), units(self.high), units(self.low));
        let (near, far) = if high - open < open - low { (self.high, self.low) } else { (self.low, self.high) };
        let third = (self.closes - self.opens) / 3;
        [(self.opens, self.open), (self.opens + third, near), (self.opens + 2 * third, far), (self.closes, self.close)]
    }
}
