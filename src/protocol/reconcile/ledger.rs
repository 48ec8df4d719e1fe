//! Reading what a ledger says that accounts have: one account at a time, in the order of their ids.

use super::rows::{Key, Kind, Rows};
use crate::decimal::Decimal;
use crate::market::{MAX_NAME, is_word};
use crate::protocol::Rejection;
use crate::protocol::fields::{Fields, Json, as_decimal};
use std::io::{BufRead, Read};

/// The longest line.
const MAX_LINE: u64 = 16 << 20;
/// The most rows of an account.
const MAX_ROWS: usize = 1 << 16;
/// What may stand above rows of text.
const HEADER: &str = "account,kind,name,side,amount";

/// Why a ledger cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct LedgerError {
    /// What is read.
    pub file: String,
    /// The number of the line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub what: String,
}

/// Reads a ledger: rows in [canonical form](super), those of an account side by side and in any order, with or without the line `account,kind,name,side,amount`
/// above them; or an object a line for each account,
///
/// ```json
/// {"account":7,"balances":{"USDT":"1000.5"},"held":{"USDT":"20"},"positions":[{"symbol":"BTCUSDT","side":"long","qty":"0.1","margin":"100"}]}
/// ```
///
/// with `cost` in a position where costs are compared. Ids rise. Names that the kernel does not know may occur, and amounts that are finer than its own.
#[derive(Debug)]
pub struct LedgerReader<R> {
    file: String,
    input: R,
    costs: bool,
    number: u64,
    line: Vec<u8>,
    /// Whether it is objects; none before the first line.
    objects: Option<bool>,
    /// A row that was read ahead, with its account.
    ahead: Option<(u64, Numbered)>,
    last: Option<u64>,
}

impl<R: BufRead> LedgerReader<R> {
    /// Begins to read; `file` is what errors call it, `costs` whether it tells what positions cost.
    pub fn new(file: impl Into<String>, input: R, costs: bool) -> Self {
        let (number, line, objects, ahead, last) = (0, Vec::new(), None, None, None);
        Self { file: file.into(), input, costs, number, line, objects, ahead, last }
    }

    pub(super) fn tells_costs(&self) -> bool {
        self.costs
    }

    /// The next account.
    ///
    /// # Errors
    ///
    /// It cannot be read, a line is not of the form, or accounts do not rise.
    pub fn account(&mut self) -> Result<Option<Rows<'static>>, LedgerError> {
        if self.ahead.is_none() && !self.next_line()? {
            return Ok(None);
        }
        let (account, rows) = if let Some((account, first)) = self.ahead.take() {
            self.rest_of_rows(account, first)?
        } else if self.objects == Some(true) {
            self.object()?
        } else {
            let (account, (key, amount)) = self.row()?;
            self.rises(account)?;
            self.rest_of_rows(account, (key, amount, self.number))?
        };
        let rows = Rows::read(account, rows);
        let rows = rows.map_err(|(Key { kind, name, side }, line)| {
            let gap = if side.is_empty() { "" } else { " " };
            let what = format!("account {account} has a second {} of {name}{gap}{side}", kind.as_str());
            LedgerError { line, ..self.error(what) }
        })?;
        Ok(Some(rows))
    }

    /// Reads rows as long as they are of this account.
    fn rest_of_rows(&mut self, account: u64, first: Numbered) -> Result<(u64, Vec<Numbered>), LedgerError> {
        let mut rows = vec![first];
        while self.next_line()? {
            let (next, (key, amount)) = self.row()?;
            let row = (key, amount, self.number);
            if next != account {
                self.rises(next)?;
                self.ahead = Some((next, row));
                break;
            }
            if rows.len() == MAX_ROWS {
                return Err(self.error(format!("account {account} has more than {MAX_ROWS} rows")));
            }
            rows.push(row);
        }
        Ok((account, rows))
    }

    fn rises(&mut self, account: u64) -> Result<(), LedgerError> {
        if let Some(last) = self.last.filter(|&last| last >= account) {
            return Err(self.error(format!("account {account} comes after {last}: ids must rise")));
        }
        self.last = Some(account);
        Ok(())
    }

    /// Reads the next line that is not blank; false at the end.
    fn next_line(&mut self) -> Result<bool, LedgerError> {
        loop {
            self.line.clear();
            let read = self.input.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.line);
            self.number += 1;
            match read {
                Ok(0) => return Ok(false),
                Ok(_) if self.line.len() as u64 == MAX_LINE => {
                    return Err(self.error(format!("the line is longer than {MAX_LINE} bytes")));
                }
                Ok(_) => {}
                Err(error) => return Err(self.error(format!("cannot be read: {error}"))),
            }
            let line = self.line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let begins = self.objects.is_none();
            self.objects.get_or_insert(line.starts_with(b"{"));
            if !(begins && line == HEADER.as_bytes()) {
                return Ok(true);
            }
        }
    }

    fn error(&self, what: impl Into<String>) -> LedgerError {
        LedgerError { file: self.file.clone(), line: self.number, what: what.into() }
    }

    fn text(&self) -> Result<&str, LedgerError> {
        let text = std::str::from_utf8(self.line.trim_ascii());
        text.map_err(|error| self.error(format!("the line is not UTF-8: {error}")))
    }

    /// The row at hand.
    fn row(&self) -> Result<(u64, Row), LedgerError> {
        let text = self.text()?;
        let fields: Vec<&str> = text.split(',').collect();
        let &[account, kind, name, side, amount] = &fields[..] else {
            let found = fields.len();
            return Err(self.error(format!("a row has the five fields {HEADER}, not {found}")));
        };
        let is_number = !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit());
        let id = account.parse().ok().filter(|_| is_number);
        let id =
            id.ok_or_else(|| self.error(format!("account must be an unsigned 64-bit integer, not {account:?}")))?;
        let amount = Json::Text(amount.to_owned());
        let row = row_of((kind, name, side), &amount, self.costs);
        Ok((id, row.map_err(|rejection| self.error(rejection.reason))?))
    }

    /// The object at hand.
    fn object(&mut self) -> Result<(u64, Vec<Numbered>), LedgerError> {
        let read = read_object(self.text()?, self.costs);
        let (account, rows) = read.map_err(|rejection| self.error(rejection.reason))?;
        self.rises(account)?;
        if rows.len() > MAX_ROWS {
            return Err(self.error(format!("account {account} has more than {MAX_ROWS} rows")));
        }
        Ok((account, rows.into_iter().map(|(key, amount)| (key, amount, self.number)).collect()))
    }
}

/// What a row says.
type Row = (Key<'static>, Decimal);

/// The same with its line.
type Numbered = (Key<'static>, Decimal, u64);

fn row_of((kind, name, side): (&str, &str, &str), amount: &Json, costs: bool) -> Result<Row, Rejection> {
    let bad = |what: String| Err(Rejection::malformed(what));
    let Some(kind) = Kind::named(kind) else {
        return bad(format!("kind must be one of balance, cost, held, margin, position, not {kind:?}"));
    };
    if kind == Kind::Cost && !costs {
        return bad("what a position cost is compared only where that is asked for (--costs)".to_owned());
    }
    if !is_word(name, MAX_NAME) {
        return bad(format!("a name must be 1 to {MAX_NAME} characters of A-Z, a-z, 0-9, _ . : / -, not {name:?}"));
    }
    let side = match side {
        "" if kind.is_of_asset() => "",
        "long" if !kind.is_of_asset() => "long",
        "short" if !kind.is_of_asset() => "short",
        _ if kind.is_of_asset() => return bad(format!("a {} has no side, and not {side:?}", kind.as_str())),
        _ => return bad(format!("the side of a {} must be long or short, not {side:?}", kind.as_str())),
    };
    let amount = as_decimal("the amount", amount)?;
    if kind == Kind::Position && amount < Decimal::ZERO {
        return bad(format!("the quantity of a position must not be negative, as {amount} is: its side says the rest"));
    }
    Ok((Key { kind, name: name.to_owned().into(), side }, amount))
}

fn read_object(line: &str, costs: bool) -> Result<(u64, Vec<Row>), Rejection> {
    let mut fields = Fields::read(line)?;
    fields.only(&["account", "balances", "held", "positions"])?;
    let account = fields.id("account")?;
    let mut rows = Vec::new();
    for (field, kind) in [("balances", Kind::Balance), ("held", Kind::Held)] {
        for (name, amount) in fields.take(field).map_or(Ok(Vec::new()), |value| amounts(field, value))? {
            rows.push(row_of((kind.as_str(), &name, ""), &amount, costs)?);
        }
    }
    for position in fields.list_or_none("positions")?.unwrap_or_default() {
        let mut position = Fields::of(position, "each of positions")?;
        position.only(&["symbol", "side", "qty", "margin", "cost"])?;
        let (symbol, side) = (position.name("symbol")?, position.text("side")?);
        let quantity = position.need("qty")?;
        rows.push(row_of((Kind::Position.as_str(), &symbol, &side), &quantity, costs)?);
        for (field, kind) in [("margin", Kind::Margin), ("cost", Kind::Cost)] {
            if let Some(amount) = position.take(field).filter(|amount| *amount != Json::Null) {
                rows.push(row_of((kind.as_str(), &symbol, &side), &amount, costs)?);
            }
        }
    }
    Ok((account, rows))
}

fn amounts(field: &str, value: Json) -> Result<Vec<(String, Json)>, Rejection> {
    match value {
        Json::Object(amounts) => Ok(amounts),
        other => Err(Rejection::malformed(format!("{field} must be an object of amounts by asset, not {other}"))),
    }
}
