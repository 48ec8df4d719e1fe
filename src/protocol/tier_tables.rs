//! Tier tables as venues hand them out, turned into rows of the protocol.
//!
//! Two shapes are read, told apart by how they begin: Binance's `leverageBracket` answer (a list with `brackets`, of
//! USD-M by `notionalCap`, of COIN-M by `qtyCap`), and ccxt's unified tiers (an object of lists by symbol, as
//! `fetchLeverageTiers` gives them). Their numbers are JSON numbers or strings; either is read digit by digit, never as a
//! float.

use super::fields::Json;
use crate::decimal::{Decimal, Grid};
use crate::number::LIMIT;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// Tier tables by symbol.
#[derive(Clone, Debug, Default)]
pub struct TierTables(BTreeMap<String, Vec<Row>>);

/// A row as the venue gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    floor: Option<Decimal>,
    /// None: the last row has no end.
    cap: Option<Decimal>,
    mmr: Decimal,
    max_leverage: Decimal,
    deduction: Option<Decimal>,
}

/// A file that is no table of tiers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TierTablesError {
    /// Neither of the two shapes.
    #[error("neither Binance's leverage brackets nor ccxt's leverage tiers: {0}")]
    Form(String),
    /// A table whose rows do not follow each other.
    #[error("{symbol}, row {row}: {what}")]
    Row {
        /// Whose table.
        symbol: String,
        /// From 1.
        row: usize,
        /// What is wrong.
        what: String,
    },
    /// Two tables of one name.
    #[error("{0} has two tables")]
    Twice(String),
}

/// A number that is written as a JSON number or as a string; an exponent is allowed.
#[derive(Clone, Copy, Debug)]
struct Exact(Decimal);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        let digits = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        exact(digits)
            .map(Self)
            .ok_or_else(|| D::Error::custom(format_args!("{text} is not a number of at most 36 digits")))
    }
}

/// `-?digits[.digits][e[+-]digits]`, exactly.
fn exact(text: &str) -> Option<Decimal> {
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let number: Decimal = digits.parse().ok()?;
    let scale = i64::from(number.scale()) - i64::from(exponent);
    match u32::try_from(scale) {
        Ok(scale) if scale <= 36 => Some(Decimal::new(number.mantissa(), scale)),
        Ok(_) => None,
        Err(_) => {
            let factor = 10i128.checked_pow(u32::try_from(-scale).ok()?)?;
            Some(Decimal::new(number.mantissa().checked_mul(factor)?, 0))
        }
    }
}

/// One symbol of Binance's answer.
#[derive(Deserialize)]
struct Brackets {
    #[serde(alias = "pair")]
    symbol: String,
    brackets: Vec<Bracket>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bracket {
    initial_leverage: Exact,
    #[serde(alias = "qtyCap")]
    notional_cap: Exact,
    #[serde(alias = "qtyFloor")]
    notional_floor: Exact,
    maint_margin_ratio: Exact,
    cum: Option<Exact>,
}

/// A tier of ccxt.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CcxtTier {
    min_notional: Option<Exact>,
    max_notional: Option<Exact>,
    maintenance_margin_rate: Exact,
    max_leverage: Exact,
    info: Option<Box<RawValue>>,
}

/// What the venue itself says of a ccxt tier, as far as it matters here.
#[derive(Deserialize)]
struct CcxtInfo {
    cum: Option<Exact>,
}

impl TierTables {
    /// Reads the JSON of a venue or of ccxt.
    ///
    /// # Errors
    ///
    /// Neither shape; a row that does not begin where the one before it ends; an end in the middle; a symbol twice. What
    /// a table must otherwise be is checked where an instrument is declared with it.
    pub fn read(text: &str) -> Result<Self, TierTablesError> {
        let form = |error: serde_json::Error| TierTablesError::Form(error.to_string());
        let mut tables = Self::default();
        if text.trim_ascii_start().starts_with('[') {
            for of in serde_json::from_str::<Vec<Brackets>>(text).map_err(form)? {
                tables.add(of.symbol, of.brackets.iter().map(Row::from).collect())?;
            }
        } else if let Ok(of) = serde_json::from_str::<Brackets>(text) {
            tables.add(of.symbol, of.brackets.iter().map(Row::from).collect())?;
        } else {
            for (symbol, tiers) in serde_json::from_str::<BTreeMap<String, Vec<CcxtTier>>>(text).map_err(form)? {
                tables.add(symbol, tiers.iter().map(Row::from).collect())?;
            }
        }
        Ok(tables)
    }

    /// Adds all tables of another file.
    ///
    /// # Errors
    ///
    /// A symbol that has a table already.
    pub fn extend(&mut self, others: Self) -> Result<(), TierTablesError> {
        others.0.into_iter().try_for_each(|(symbol, rows)| self.add(symbol, rows))
    }

    fn add(&mut self, symbol: String, rows: Vec<Row>) -> Result<(), TierTablesError> {
        check(&symbol, &rows)?;
        if self.0.contains_key(&symbol) {
            return Err(TierTablesError::Twice(symbol));
        }
        self.0.insert(symbol, rows);
        Ok(())
    }

    /// The symbols that have a table.
    pub fn symbols(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The table of a symbol in an asset of so many decimals, as an `instrument` line would bring it, with its deductions
    /// or without. `BTCUSDT` is also found under ccxt's name `BTC/USDT:USDT`.
    pub(super) fn rows(&self, symbol: &str, decimals: u32, deductions: bool) -> Option<Vec<Json>> {
        let plain = |name: &str| name.split(':').next().unwrap_or(name).replace('/', "");
        let rows = self.0.get(symbol).or_else(|| {
            let mut named = self.0.iter().filter(|(name, _)| name.contains('/') && plain(name) == symbol);
            named.next().filter(|_| named.next().is_none()).map(|(_, rows)| rows)
        })?;
        Some(rows.iter().map(|row| row.in_protocol_form(decimals, deductions)).collect())
    }
}

impl From<&Bracket> for Row {
    fn from(bracket: &Bracket) -> Self {
        Self {
            floor: Some(bracket.notional_floor.0),
            cap: Some(bracket.notional_cap.0),
            mmr: bracket.maint_margin_ratio.0,
            max_leverage: bracket.initial_leverage.0,
            deduction: bracket.cum.map(|cum| cum.0),
        }
    }
}

impl From<&CcxtTier> for Row {
    fn from(tier: &CcxtTier) -> Self {
        let info = tier.info.as_ref().and_then(|info| serde_json::from_str::<CcxtInfo>(info.get()).ok());
        Self {
            floor: tier.min_notional.map(|floor| floor.0),
            cap: tier.max_notional.map(|cap| cap.0),
            mmr: tier.maintenance_margin_rate.0,
            max_leverage: tier.max_leverage.0,
            deduction: info.and_then(|info| info.cum).map(|cum| cum.0),
        }
    }
}

impl Row {
    fn in_protocol_form(&self, decimals: u32, deductions: bool) -> Json {
        let text = |value: &dyn fmt::Display| Json::Text(value.to_string());
        let largest = Grid::decimals(decimals).value(LIMIT - 1);
        let mut fields = vec![
            ("cap".to_owned(), self.cap.map_or_else(|| text(&largest), |cap| text(&cap))),
            ("mmr".to_owned(), text(&self.mmr)),
            ("max_leverage".to_owned(), text(&self.max_leverage)),
        ];
        fields
            .extend(self.deduction.filter(|_| deductions).map(|deduction| ("deduction".to_owned(), text(&deduction))));
        Json::Object(fields)
    }
}

/// Whether each row begins where the one before it ends, the first at 0, and only the last has no end.
fn check(symbol: &str, rows: &[Row]) -> Result<(), TierTablesError> {
    let wrong = |at: usize, what: String| TierTablesError::Row { symbol: symbol.to_owned(), row: at + 1, what };
    if rows.is_empty() {
        return Err(wrong(0, "there is none".into()));
    }
    let mut end = Some(Decimal::ZERO);
    for (at, row) in rows.iter().enumerate() {
        let Some(begin) = end else { return Err(wrong(at - 1, "only the last row may be without an end".into())) };
        if let Some(floor) = row.floor.filter(|&floor| floor != begin) {
            return Err(wrong(at, format!("it begins at {floor}, and what is before it ends at {begin}")));
        }
        end = row.cap;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINANCE: &str = r#"[{"symbol":"BTCUSDT","notionalCoef":1.50,"brackets":[
        {"bracket":1,"initialLeverage":125,"notionalCap":50000,"notionalFloor":0,"maintMarginRatio":0.004,"cum":0.0},
        {"bracket":2,"initialLeverage":100,"notionalCap":6e5,"notionalFloor":50000,"maintMarginRatio":0.005,"cum":"50"}]}]"#;
    const CCXT: &str = r#"{"BTC/USDT:USDT":[
        {"tier":1.0,"currency":"USDT","minNotional":0.0,"maxNotional":50000.0,"maintenanceMarginRate":0.004,"maxLeverage":125.0,"info":{"bracket":"1","cum":"0.0"}},
        {"tier":2.0,"currency":"USDT","minNotional":50000.0,"maxNotional":600000.0,"maintenanceMarginRate":5e-3,"maxLeverage":100.0,"info":{"bracket":"2","cum":"50.0"}}]}"#;

    fn shown(tables: &TierTables) -> String {
        let rows = tables.rows("BTCUSDT", 2, true).expect("a table");
        let shown = |row: &Json| match row {
            Json::Object(fields) => fields.iter().map(|(name, value)| format!("{name} {value} ")).collect::<String>(),
            other => other.to_string(),
        };
        rows.iter().map(shown).collect::<Vec<_>>().join("| ")
    }

    #[test]
    fn both_shapes_give_the_same_rows() {
        let expected = r#"cap "50000" mmr "0.004" max_leverage "125" deduction "0" | cap "600000" mmr "0.005" max_leverage "100" deduction "50" "#;
        assert_eq!(shown(&TierTables::read(BINANCE).expect("Binance's")), expected);
        assert_eq!(shown(&TierTables::read(CCXT).expect("ccxt's")), expected);
        assert_eq!(shown(&TierTables::read(&BINANCE[1..BINANCE.len() - 1]).expect("of one symbol")), expected);
    }

    #[test]
    fn coins_and_rows_without_an_end_are_read() {
        let coin =
            BINANCE.replace("notionalCap", "qtyCap").replace("notionalFloor", "qtyFloor").replace("symbol", "pair");
        assert!(TierTables::read(&coin).is_ok());
        let open = TierTables::read(&CCXT.replace("600000.0", "null")).expect("an open end");
        assert!(shown(&open).contains("46116860184273879.03"), "one quantum below 2^62");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |text: &str| TierTables::read(text).expect_err("wrong").to_string();
        assert!(error("[]{").starts_with("neither Binance's"));
        assert!(error(&BINANCE.replace("0.004", "\"x\"")).contains("\"x\" is not a number"));
        assert_eq!(
            error(&BINANCE.replace("\"notionalFloor\":50000", "\"notionalFloor\":50001")),
            "BTCUSDT, row 2: it begins at 50001, and what is before it ends at 50000"
        );
        assert_eq!(
            error(&CCXT.replace("50000.0,\"maint", "null,\"maint")),
            "BTC/USDT:USDT, row 1: only the last row may be without an end"
        );
        let twice =
            TierTables::read(BINANCE).map(|mut tables| tables.extend(TierTables::read(BINANCE).expect("again")));
        assert_eq!(twice.expect("once").expect_err("twice").to_string(), "BTCUSDT has two tables");
    }
}
