//! Tier tables (model section 3). Anything wrong in one is `bad_tiers`.

use super::input::{Json, Refusal, json_decimal, refuse};
use super::number::{Int, Rat, ceil_div, floor_div, int, limit, one, pow10, ppb, rat, steps, zero};
use num_traits::{Signed, Zero};

#[derive(Clone)]
pub struct Row {
    pub cap: Int,
    /// Parts per billion.
    pub mmr: Int,
    /// Hundredths.
    pub max_leverage: Int,
    pub deduction: Int,
}

/// How a requirement follows from the notional.
#[derive(Clone)]
pub enum Rule {
    Marginal,
    Step,
    /// By the size in the underlying, exact.
    Linear {
        base: Rat,
        slope: Rat,
        im_base: Rat,
    },
}

#[derive(Clone)]
pub struct Table {
    pub rows: Vec<Row>,
    pub rule: Rule,
}

/// A row as given; the deduction may be missing.
struct Given {
    cap: Int,
    mmr: Int,
    max_leverage: Int,
    deduction: Option<Int>,
}

impl Table {
    /// By size: without rows.
    pub fn by_size(base: Rat, slope: Rat, im_base: Rat) -> Table {
        Table { rows: Vec::new(), rule: Rule::Linear { base, slope, im_base } }
    }

    /// Reads the rows, checks them, and computes the deductions.
    pub fn read(list: &[Json], rule: Rule, decimals: u32, close_fee: &Rat) -> Result<Table, Refusal> {
        if list.is_empty() {
            return refuse("bad_tiers", "tiers is empty");
        }
        let mut given = Vec::new();
        for (n, json) in list.iter().enumerate() {
            match read_row(json, decimals) {
                Ok(row) => given.push(row),
                Err(what) => return bad(n, what),
            }
        }
        for n in 0..given.len() {
            check_row(&given, n).or_else(|what| bad(n, what))?;
            if Rat::new(given[n].mmr.clone(), ppb()) + close_fee >= one() {
                return bad(n, "mmr with the taker fee is not below 1");
            }
        }
        let marginal = matches!(rule, Rule::Marginal);
        check_deductions(&given, !marginal)?;
        Ok(Table { rows: with_deductions(given, !marginal), rule })
    }

    /// The first row with `N ≤ cap`; above the last cap the last row.
    pub fn row_of(&self, notional: &Int) -> usize {
        let fits = self.rows.iter().position(|row| *notional <= row.cap);
        fits.unwrap_or(self.rows.len().max(1) - 1)
    }

    /// `ceil(N · mmr_n) − D_n`; under `step` every deduction is zero; under
    /// `linear` the rate is `base + slope · size`.
    pub fn mm(&self, notional: &Int, size: impl FnOnce() -> Rat) -> Int {
        if let Rule::Linear { base, slope, .. } = &self.rule {
            return (rat(notional) * (base + slope * size())).ceil().to_integer();
        }
        let row = &self.rows[self.row_of(notional)];
        ceil_div(&(notional * &row.mmr), &ppb()) - &row.deduction
    }

    /// What is shown: by size one row without end, as it is for a position of no size.
    pub fn shown_rows(&self) -> Vec<Row> {
        let Rule::Linear { base, .. } = &self.rule else {
            return self.rows.clone();
        };
        vec![Row {
            cap: limit() - 1,
            mmr: (base * rat(&ppb())).to_integer(),
            max_leverage: self.max_leverage(&zero(), || rat(&zero())),
            deduction: zero(),
        }]
    }

    /// Hundredths, of that notional or size.
    pub fn max_leverage(&self, notional: &Int, size: impl FnOnce() -> Rat) -> Int {
        if let Rule::Linear { slope, im_base, .. } = &self.rule {
            let most = rat(&int(100)) / (im_base + slope * size());
            return most.floor().to_integer().max(int(100));
        }
        self.rows[self.row_of(notional)].max_leverage.clone()
    }

    /// The rate of the initial margin: `1 / min(leverage, max_leverage of N's
    /// tier)`; under `linear` `max(im_base + slope · size, 1 / leverage)`.
    pub fn im_rate(&self, notional: &Int, size: impl FnOnce() -> Rat, leverage: &Int) -> Rat {
        if let Rule::Linear { slope, im_base, .. } = &self.rule {
            let rate = im_base + slope * size();
            return rate.max(Rat::new(int(100), leverage.clone()));
        }
        let most = self.max_leverage(notional, size);
        Rat::new(int(100), most.min(leverage.clone()))
    }

    /// Whether it takes a position that large only beyond what is allowed: above
    /// the last cap, or where the rate, with a close fee, is 1 or more.
    pub fn is_beyond(&self, notional: &Int, size: impl FnOnce() -> Rat, fee: &Rat) -> bool {
        match &self.rule {
            Rule::Linear { base, slope, .. } => base + slope * size() + fee >= one(),
            _ => *notional > self.rows[self.rows.len() - 1].cap,
        }
    }
}

fn bad<T>(n: usize, what: &str) -> Result<T, Refusal> {
    refuse("bad_tiers", format!("row {}: {what}", n + 1))
}

fn read_row(json: &Json, decimals: u32) -> Result<Given, &'static str> {
    let Json::Object(entries) = json else {
        return Err("not an object");
    };
    for (key, _) in entries {
        if !["cap", "mmr", "max_leverage", "deduction"].contains(&key.as_str()) {
            return Err("unknown field");
        }
    }
    let read = |key: &str, digits: u32| -> Result<Option<Int>, &'static str> {
        let Some((_, json)) = entries.iter().find(|(k, _)| k == key) else {
            return Ok(None);
        };
        let x = json_decimal(json).ok_or("not a decimal")?;
        let step = Rat::new(int(1), pow10(digits));
        steps(&x, &step).map(Some).ok_or("finer than allowed")
    };
    Ok(Given {
        cap: read("cap", decimals)?.ok_or("no cap")?,
        mmr: read("mmr", 9)?.ok_or("no mmr")?,
        max_leverage: read("max_leverage", 2)?.ok_or("no max_leverage")?,
        deduction: read("deduction", decimals)?,
    })
}

fn check_row(rows: &[Given], n: usize) -> Result<(), &'static str> {
    let row = &rows[n];
    if !row.cap.is_positive() || row.cap >= limit() {
        return Err("cap is not positive or 2^62 or more");
    }
    if !row.mmr.is_positive() {
        return Err("mmr is not positive");
    }
    if row.max_leverage < int(100) || row.max_leverage > int(100_000_000) {
        return Err("max_leverage is below 1 or above 1 000 000");
    }
    if &row.mmr * &row.max_leverage >= ppb() * int(100) {
        return Err("mmr times max_leverage is not below 1");
    }
    if n == 0 {
        return Ok(());
    }
    let before = &rows[n - 1];
    if row.cap <= before.cap {
        return Err("cap does not rise");
    }
    if row.mmr < before.mmr {
        return Err("mmr falls");
    }
    if row.max_leverage > before.max_leverage {
        return Err("max_leverage rises");
    }
    Ok(())
}

/// A table with its own deductions must not make MM jump by more than one
/// quantum at a cap. They are only checked: the computed ones are used.
fn check_deductions(rows: &[Given], step: bool) -> Result<(), Refusal> {
    if rows.iter().all(|row| row.deduction.is_none()) {
        return Ok(());
    }
    if step {
        return refuse("bad_tiers", "deductions under tier_rule step");
    }
    let mut deductions = Vec::new();
    for (n, row) in rows.iter().enumerate() {
        match &row.deduction {
            None if n == 0 => deductions.push(zero()),
            None => return bad(n, "no deduction, though others have one"),
            Some(d) if n == 0 && !d.is_zero() => return bad(n, "the first deduction is not 0"),
            Some(d) => deductions.push(d.clone()),
        }
    }
    for n in 1..rows.len() {
        let cap = &rows[n - 1].cap;
        let mm = |n: usize| ceil_div(&(cap * &rows[n].mmr), &ppb()) - &deductions[n];
        if (mm(n) - mm(n - 1)).abs() > int(1) {
            return bad(n, "the deduction makes MM jump at the cap before");
        }
    }
    Ok(())
}

/// `D*_n = D*_{n−1} + cap_{n−1} · (mmr_n − mmr_{n−1})`, exact; `D_n = floor(D*_n)`.
fn with_deductions(given: Vec<Given>, step: bool) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut exact = zero(); // D* in billionths of a quantum
    for g in given {
        if let Some(before) = rows.last()
            && !step
        {
            exact += &before.cap * (&g.mmr - &before.mmr);
        }
        let deduction = floor_div(&exact, &ppb());
        rows.push(Row { cap: g.cap, mmr: g.mmr, max_leverage: g.max_leverage, deduction });
    }
    rows
}
