//! Commands that declare things: asset, instrument, fund, account; and money
//! that comes into a fund.

use super::command::InstrumentFields;
use super::input::{Refusal, refuse};
use super::number::{Int, Rat, decimals_of, int, one, pow10, rat, show_exact, significant_digits, zero};
use super::state::{Account, Asset, Fund, Instrument, Position, State, need, need_below_limit, need_positive, on_grid};
use super::tiers::{Rule, Table};
use num_traits::{Signed, Zero};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

impl State {
    /// An asset brings the fund of its name.
    pub fn do_asset(&mut self, name: &str, decimals: u64) -> Result<(), Refusal> {
        need(decimals <= 12, "bad_value", format!("{decimals} decimals are more than 12"))?;
        let taken = self.asset_id(name).is_ok() || self.fund_id(name).is_ok();
        need(!taken, "duplicate", format!("{name} exists"))?;
        let asset = self.assets.len();
        self.assets.push(Asset {
            name: name.to_string(),
            decimals: decimals as u32,
            fund: self.funds.len(),
            deposits: zero(),
            withdrawals: zero(),
            fees: zero(),
            venue: zero(),
        });
        self.funds.push(new_fund(name, asset, zero(), false));
        Ok(())
    }

    /// Declares a further fund, or sets the floor of an asset's own, once.
    pub fn do_fund(&mut self, name: &str, asset: &str, floor: &Rat, not_built: bool) -> Result<(), Refusal> {
        let asset = self.asset_id(asset)?;
        let existing = self.fund_id(name).ok();
        need(!not_built, "bad_value", "drawdown and socialise are not built")?;
        let own = self.assets.iter().position(|a| a.name == name);
        let same = own.is_none() || own == Some(asset);
        need(same, "bad_value", format!("fund {name} is of another asset"))?;
        let floor = self.quanta(asset, floor)?;
        need_below_limit("floor", &floor)?;
        match existing {
            None => self.funds.push(new_fund(name, asset, floor, true)),
            Some(id) => {
                need(!self.funds[id].declared, "duplicate", format!("fund {name} exists"))?;
                self.funds[id].floor = floor;
                self.funds[id].declared = true;
            }
        }
        Ok(())
    }

    pub fn do_fund_deposit(&mut self, fund: &str, amount: &Rat) -> Result<(), Refusal> {
        let fund = self.fund_id(fund)?;
        let asset = self.funds[fund].asset;
        need_positive("amount", amount)?;
        let amount = self.quanta(asset, amount)?;
        need_below_limit("amount", &amount)?;
        need_below_limit("the fund's balance", &(&self.funds[fund].balance + &amount))?;
        self.assets[asset].deposits += &amount;
        self.change_fund(fund, &amount, "deposit");
        Ok(())
    }

    pub fn do_account(&mut self, id: u64, margin: &str, positions: &str) -> Result<(), Refusal> {
        need(margin == "single", "bad_value", format!("margin {margin} is not built"))?;
        need(!self.accounts.contains_key(&id), "duplicate", format!("account {id} exists"))?;
        self.accounts.insert(id, Account { hedge: positions == "hedge", ..Account::default() });
        Ok(())
    }

    /// Checks: names, values, tiers, grid, overflow, duplicate.
    pub fn do_instrument(&mut self, f: &InstrumentFields) -> Result<(), Refusal> {
        let settle = self.asset_id(&f.settle)?;
        let fund = match &f.fund {
            Some(name) => self.fund_id(name)?,
            None => self.assets[settle].fund,
        };
        need_built(f)?;
        need_size("tick", &f.tick)?;
        need_size("lot", &f.lot)?;
        need_size("multiplier", &f.multiplier)?;
        let chunk = f.funding.as_ref().and_then(|funding| funding.chunk).unwrap_or(4096);
        need((1..1 << 32).contains(&chunk), "bad_value", format!("chunk {chunk} is out of range"))?;
        let decimals = self.assets[settle].decimals;
        let inverse = f.kind == "inverse_perp";
        let unit = if inverse { inverse_unit(f, decimals) } else { whole_unit(f, decimals)? };
        need_fees(f)?;
        let same = self.funds[fund].asset == settle;
        need(same, "bad_value", format!("fund {} is of another asset", self.funds[fund].name))?;
        let rule = tier_rule(f)?;
        need_fraction(f)?;
        let tiers = Table::read(&f.tiers, rule, decimals)?;
        let maker_fee = parts_per_billion(&f.maker_fee)?;
        let taker_fee = parts_per_billion(&f.taker_fee)?;
        let liquidation_fee = parts_per_billion(&f.liquidation_fee)?;
        need_below_limit("unit", &unit.ceil().to_integer())?;
        let taken = self.instrument_id(&f.symbol).is_ok();
        need(!taken, "duplicate", format!("symbol {} exists", f.symbol))?;
        self.instruments.push(Instrument {
            symbol: f.symbol.clone(),
            kind: f.kind.clone(),
            settle,
            fund,
            tick: f.tick.clone(),
            lot: f.lot.clone(),
            multiplier: f.multiplier.clone(),
            unit,
            inverse,
            tiers,
            maker_fee,
            taker_fee,
            liquidation_fee,
            close_fee_in_mm: f.close_fee_in_mm,
            reduce: f.reduce.clone(),
            fraction: f.fraction.clone(),
            mark: None,
            frozen: BTreeSet::new(),
            told_frozen: false,
            kept_mark: None,
            chunk: chunk as usize,
            last: None,
            bid: None,
            ask: None,
            bids: Vec::new(),
            asks: Vec::new(),
            unwind_due: false,
            venue: Position::default(),
        });
        Ok(())
    }

    /// Adds to a fund's balance and says so, unless nothing changes.
    pub fn change_fund(&mut self, fund: usize, delta: &Int, reason: &str) {
        if delta.is_zero() {
            return;
        }
        self.funds[fund].balance += delta;
        let asset = self.funds[fund].asset;
        let delta = self.show_money(asset, delta);
        let balance = self.show_money(asset, &self.funds[fund].balance);
        let name = self.funds[fund].name.clone();
        let fields = json!({"fund": name, "delta": delta, "balance": balance, "reason": reason});
        self.emit("fund", fields);
    }
}

fn new_fund(name: &str, asset: usize, floor: Int, declared: bool) -> Fund {
    let inventory = BTreeMap::new();
    Fund { name: name.to_string(), asset, balance: zero(), floor, declared, inventory }
}

/// Words of the protocol that Part 1 does not build are bad values.
fn need_built(f: &InstrumentFields) -> Result<(), Refusal> {
    let built =
        |what: &str, given: &str, only: &str| need(given == only, "bad_value", format!("{what} {given} is not built"));
    let perpetual = ["linear_perp", "inverse_perp"].contains(&f.kind.as_str());
    need(perpetual, "bad_value", format!("kind {} is not built", f.kind))?;
    built("adl_rank", &f.adl_rank, "pnl_leverage")?;
    built("adl_price", &f.adl_price, "bankruptcy")?;
    need_plain_prices(f)
}

/// Of the rules of prices only the size of chunks is built.
fn need_plain_prices(f: &InstrumentFields) -> Result<(), Refusal> {
    let external = f.mark.as_ref().is_none_or(|mark| mark.rule == "external");
    need(external, "bad_value", "marks are not computed")?;
    need(f.index.is_none(), "bad_value", "index is not built")
}

fn need_size(what: &str, x: &Rat) -> Result<(), Refusal> {
    need_positive(what, x)?;
    let short = significant_digits(x) <= 12 && decimals_of(x) <= 18 && x < &rat(&pow10(12));
    need(short, "bad_value", format!("{what} {} has too many digits", show_exact(x)))
}

/// `unit = tick × lot × multiplier` in quanta, whole and at least 1.
fn whole_unit(f: &InstrumentFields, decimals: u32) -> Result<Rat, Refusal> {
    let unit = &f.tick * &f.lot * &f.multiplier * rat(&pow10(decimals));
    if unit.is_integer() && unit >= one() {
        Ok(unit)
    } else {
        refuse("bad_value", "one lot at one tick is not a whole number of quanta")
    }
}

/// What one lot is worth at one tick, in quanta: any positive number.
fn inverse_unit(f: &InstrumentFields, decimals: u32) -> Rat {
    &f.lot * &f.multiplier * rat(&pow10(decimals)) / &f.tick
}

fn tier_rule(f: &InstrumentFields) -> Result<Rule, Refusal> {
    match f.tier_rule.as_str() {
        "step" => Ok(Rule::Step),
        "linear" => {
            let part = |what: &str, given: &Option<Rat>| match given {
                Some(x) => Ok(x.clone()),
                None => refuse("bad_tiers", format!("tier_rule linear needs {what}")),
            };
            Ok(Rule::Linear {
                base: part("base", &f.base)?,
                slope: part("slope", &f.slope)?,
                im_base: part("im_base", &f.im_base)?,
            })
        }
        _ => Ok(Rule::Marginal),
    }
}

fn need_fraction(f: &InstrumentFields) -> Result<(), Refusal> {
    match &f.fraction {
        None => {
            let listed = f.reduce.iter().any(|w| w == "fraction");
            need(!listed, "bad_value", "reduce names fraction, and there is none")
        }
        Some(fraction) => {
            let fits = fraction.is_positive() && *fraction <= one();
            need(fits, "bad_value", format!("fraction {} is not above 0 and at most 1", show_exact(fraction)))
        }
    }
}

fn need_fees(f: &InstrumentFields) -> Result<(), Refusal> {
    for (what, fee) in [("maker_fee", &f.maker_fee), ("taker_fee", &f.taker_fee)] {
        need(fee.abs() < one(), "bad_value", format!("{what} is not between -1 and 1"))?;
    }
    let fee = &f.liquidation_fee;
    let fits = !fee.is_negative() && *fee < one();
    need(fits, "bad_value", "liquidation_fee is not from 0 to below 1")
}

fn parts_per_billion(rate: &Rat) -> Result<Int, Refusal> {
    on_grid(rate, &Rat::new(int(1), pow10(9)), "billionth")
}
