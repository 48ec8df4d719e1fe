//! Commands that declare things: asset, instrument, fund, account; and money
//! that comes into a fund.

use super::airlock::AirlockFields;
use super::calls::{need_levels, whole_levels};
use super::command::{FundFields, InstrumentFields};
use super::controls::Mode;
use super::input::{Refusal, refuse};
use super::marks::{need_price_grid, need_tick_of_prices, pricing_of, says_prices};
use super::number::{Int, Rat, decimals_of, int, one, pow10, rat, show_exact, significant_digits, zero};
use super::pacing::{need_pacing_on_grid, pacing_of};
use super::state::{
    Account, Asset, Drawdown, Fund, Instrument, Position, State, need, need_below_limit, need_positive, on_grid,
};
use super::tiers::{Rule, Table};
use num_traits::{Signed, Zero};
use serde_json::{Value, json};
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

    /// Declares a further fund, or sets the rules of an asset's own, once.
    pub fn do_fund(&mut self, f: &FundFields) -> Result<(), Refusal> {
        let asset = self.asset_id(&f.asset)?;
        let existing = self.fund_id(&f.fund).ok();
        let own = self.assets.iter().position(|a| a.name == f.fund);
        let same = own.is_none() || own == Some(asset);
        need(same, "bad_value", format!("fund {} is of another asset", f.fund))?;
        if let Some(d) = &f.drawdown {
            let fits = d.start.is_positive() && d.start <= d.stop && d.stop < one();
            need(fits, "bad_value", "drawdown needs 0 < start <= stop < 1")?;
            need((480..1 << 63).contains(&d.window), "bad_value", format!("window {} is out of range", d.window))?;
        }
        f.max_loss_per_minute.as_ref().map(|most| need_positive("max_loss_per_minute", most)).transpose()?;
        let floor = self.quanta(asset, &f.floor)?;
        let most = f.max_loss_per_minute.as_ref().map(|most| self.quanta(asset, most)).transpose()?;
        if let Some(d) = &f.drawdown {
            parts_per_billion(&d.start)?;
            parts_per_billion(&d.stop)?;
        }
        need_below_limit("floor", &floor)?;
        most.as_ref().map(|most| need_below_limit("max_loss_per_minute", most)).transpose()?;
        let id = match existing {
            None => {
                self.funds.push(new_fund(&f.fund, asset, zero(), true));
                self.funds.len() - 1
            }
            Some(id) => {
                need(!self.funds[id].declared, "duplicate", format!("fund {} exists", f.fund))?;
                id
            }
        };
        let fund = &mut self.funds[id];
        fund.floor = floor;
        fund.declared = true;
        fund.socialise = f.socialise;
        fund.max_loss_per_minute = most;
        fund.noted.clear();
        fund.unwind_interval = f.unwind_interval;
        fund.drawdown = f.drawdown.as_ref().map(Drawdown::new);
        self.note_equity(id);
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

    pub fn do_account(&mut self, id: u64, margin: &str, positions: &str, group: Option<u64>) -> Result<(), Refusal> {
        need(margin == "single", "bad_value", format!("margin {margin} is not built"))?;
        need(!self.accounts.contains_key(&id), "duplicate", format!("account {id} exists"))?;
        self.accounts.insert(id, Account { hedge: positions == "hedge", group, ..Account::default() });
        Ok(())
    }

    pub fn do_instrument(&mut self, f: &InstrumentFields) -> Result<(), Refusal> {
        let instrument = self.instrument_of(f)?;
        let taken = self.instrument_id(&f.symbol).is_ok();
        need(!taken, "duplicate", format!("symbol {} exists", f.symbol))?;
        self.instruments.push(instrument);
        self.follow_mode(self.instruments.len() - 1);
        Ok(())
    }

    /// Checks: names, values, tiers, grid, overflow.
    pub fn instrument_of(&self, f: &InstrumentFields) -> Result<Instrument, Refusal> {
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
        need_fraction(f)?;
        let pacing = pacing_of(f)?;
        let pricing = pricing_of(f, self.now)?;
        let says_prices = says_prices(f);
        need_tick_of_prices(f)?;
        need_levels(&f.margin_calls)?;
        f.limits.need_values()?;
        f.airlock.as_ref().map(AirlockFields::need_values).transpose()?;
        let tiers = tiers(f, decimals)?;
        let maker_fee = parts_per_billion(&f.maker_fee)?;
        let taker_fee = parts_per_billion(&f.taker_fee)?;
        let liquidation_fee = parts_per_billion(&f.liquidation_fee)?;
        f.fraction.as_ref().map(parts_per_billion).transpose()?;
        need_pacing_on_grid(f)?;
        let margin_calls = whole_levels(&f.margin_calls)?;
        let limits = f.limits.on_grid(&f.lot)?;
        let airlock = f.airlock.as_ref().map(|airlock| airlock.on_grid(decimals)).transpose()?;
        need_price_grid(f)?;
        need_below_limit("unit", unit.numer())?;
        need_below_limit("unit", unit.denom())?;
        Ok(Instrument {
            entries: f.entries.clone(),
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
            adl_rank: f.adl_rank.clone(),
            adl_price: f.adl_price.clone(),
            pacing,
            mark: None,
            frozen: BTreeSet::new(),
            told_frozen: false,
            kept_mark: None,
            chunk: chunk as usize,
            margin_calls,
            count_profits: f.count_profits,
            limits,
            airlock,
            held: None,
            mode: Mode::Normal,
            noted_interest: zero(),
            pricing,
            told_mark: None,
            mark_inputs: Value::Null,
            says_prices,
            last: None,
            bid: None,
            ask: None,
            bids: Vec::new(),
            asks: Vec::new(),
            unwind_due: false,
            unwound_at: None,
            venue: Position::default(),
        })
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
    Fund {
        name: name.to_string(),
        asset,
        balance: zero(),
        floor,
        declared,
        inventory,
        drawdown: None,
        socialise: false,
        unwind_interval: 0,
        noted: Vec::new(),
        max_loss_per_minute: None,
        paused: false,
    }
}

/// Kinds of the protocol that are not built are bad values.
fn need_built(f: &InstrumentFields) -> Result<(), Refusal> {
    let perpetual = ["linear_perp", "inverse_perp"].contains(&f.kind.as_str());
    need(perpetual, "bad_value", format!("kind {} is not built", f.kind))
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

/// The table of any rule. What is wrong in it is `bad_tiers`.
fn tiers(f: &InstrumentFields, decimals: u32) -> Result<Table, Refusal> {
    let close_fee = if f.close_fee_in_mm { f.taker_fee.clone().max(rat(&zero())) } else { rat(&zero()) };
    if f.tier_rule == "linear" {
        return table_by_size(f, &close_fee);
    }
    let given = f.base.is_some() || f.slope.is_some() || f.im_base.is_some();
    need(!given, "bad_tiers", "base, slope, im_base are of tier_rule linear")?;
    let rule = if f.tier_rule == "step" { Rule::Step } else { Rule::Marginal };
    Table::read(f.tiers.as_ref().expect("the form needs them"), rule, decimals, &close_fee)
}

fn table_by_size(f: &InstrumentFields, close_fee: &Rat) -> Result<Table, Refusal> {
    need(f.tiers.is_none(), "bad_tiers", "tier_rule linear takes no tiers")?;
    let part = |what: &str, given: &Option<Rat>| match given {
        None => refuse("bad_tiers", format!("tier_rule linear needs {what}")),
        Some(x) if parts_per_billion(x).is_err() => refuse("bad_tiers", format!("{what} is finer than a billionth")),
        Some(x) => Ok(x.clone()),
    };
    let (base, slope, im_base) = (part("base", &f.base)?, part("slope", &f.slope)?, part("im_base", &f.im_base)?);
    let fits = base.is_positive() && base < im_base && im_base <= one() && !slope.is_negative() && slope < one();
    need(fits, "bad_tiers", "base, slope, im_base do not fit")?;
    need(&base + close_fee < one(), "bad_tiers", "base with the taker fee is not below 1")?;
    Ok(Table::by_size(base, slope, im_base))
}

fn need_fraction(f: &InstrumentFields) -> Result<(), Refusal> {
    let Some(fraction) = &f.fraction else {
        return Ok(());
    };
    let listed = f.reduce.iter().any(|w| w == "fraction");
    need(listed, "bad_value", "fraction is not listed in reduce")?;
    let fits = fraction.is_positive() && *fraction <= one();
    need(fits, "bad_value", format!("fraction {} is not above 0 and at most 1", show_exact(fraction)))
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
