//! Events as lines.

use crate::command::{PositionSide, Side};
use crate::contract::Unit;
use crate::controls::Scope;
use crate::decimal::Grid;
use crate::event::{Cause, Corrected, Event, FundReason, Outcome, Owner, PoolName, Step};
use crate::market::{AssetId, FreezeCause, InstrumentId, Market};
use crate::number::{Price, div_half_even};
use crate::position::Position;
use crate::prices::{INDEX_DECIMALS, MarkInputs};
use ethnum::I256;
use std::fmt::{Display, Write};

/// Decimal places of ratios and scores.
const RATIO_DECIMALS: u32 = 8;

/// Decimal places of an entry price beyond the tick's.
const ENTRY_DECIMALS: u32 = 4;

/// One JSON object under construction at the end of a text.
pub(super) struct Line<'a> {
    out: &'a mut String,
}

impl<'a> Line<'a> {
    /// Begins a line `{"ev":…,"seq":…`.
    pub(super) fn begin(out: &'a mut String, event: &str, seq: u64) -> Self {
        out.push_str("{\"ev\":\"");
        out.push_str(event);
        out.push_str("\",\"seq\":");
        push(out, seq);
        Self { out }
    }

    /// Begins an object inside a line.
    pub(super) fn object(out: &'a mut String) -> Self {
        out.push('{');
        Self { out }
    }

    fn key(&mut self, name: &str) -> &mut String {
        if !self.out.ends_with('{') {
            self.out.push(',');
        }
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    /// A field whose value needs no quotes: an integer, `true`, `null`.
    pub(super) fn bare(&mut self, name: &str, value: impl Display) -> &mut Self {
        push(self.key(name), value);
        self
    }

    /// A field in quotes. The text must need no escape: a decimal or one of our words or names.
    pub(super) fn quoted(&mut self, name: &str, value: impl Display) -> &mut Self {
        let out = self.key(name);
        out.push('"');
        push(out, value);
        out.push('"');
        self
    }

    /// A field in quotes, or `null`.
    pub(super) fn quoted_or_null(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        match value {
            Some(value) => self.quoted(name, value),
            None => self.bare(name, "null"),
        }
    }

    /// A field with any text, escaped.
    pub(super) fn text(&mut self, name: &str, value: &str) -> &mut Self {
        let escaped = serde_json::Value::from(value);
        self.bare(name, escaped)
    }

    /// A field that holds a list, each element written by `each`.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut String, T),
    ) -> &mut Self {
        let out = self.key(name);
        out.push('[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            each(out, item);
        }
        out.push(']');
        self
    }

    /// Fields that somebody else writes.
    pub(super) fn with(&mut self, fill: impl FnOnce(&mut Self)) -> &mut Self {
        fill(self);
        self
    }

    /// A field that holds an object.
    pub(super) fn nested(&mut self, name: &str, fill: impl FnOnce(&mut Line<'_>)) -> &mut Self {
        let out = self.key(name);
        let mut inner = Line::object(out);
        fill(&mut inner);
        inner.close();
        self
    }

    /// Ends an object inside a line.
    pub(super) fn close(&mut self) {
        self.out.push('}');
    }

    /// Ends the line.
    pub(super) fn end(&mut self) {
        self.out.push_str("}\n");
    }
}

fn push(out: &mut String, value: impl Display) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{value}");
}

/// Turns events into lines, with the names and grids of a market.
#[derive(Clone, Copy)]
pub struct Encoder<'a> {
    market: &'a Market,
}

impl<'a> Encoder<'a> {
    /// An encoder for the events of this market.
    #[must_use]
    pub fn new(market: &'a Market) -> Self {
        Self { market }
    }

    /// Appends the events of input `seq`, one a line.
    pub fn events(self, seq: u64, events: &[Event], out: &mut String) {
        let mut at = 0;
        while at < events.len() {
            match events[at] {
                Event::OrderCancelled { more, .. } | Event::CancelRequested { more, .. } => {
                    let end = (at + 1 + more as usize).min(events.len());
                    self.cancelling(seq, &events[at..end], out);
                    at = end;
                }
                _ => {
                    self.event(seq, &events[at], out);
                    at += 1;
                }
            }
        }
    }

    /// The orders of a pool that are cancelled, or are to be, come one by one from the kernel, and as one line.
    fn cancelling(self, seq: u64, group: &[Event], out: &mut String) {
        let (account, pool, event) = match group.first() {
            Some(&Event::OrderCancelled { account, pool, .. }) => (account, pool, "orders_cancelled"),
            Some(&Event::CancelRequested { account, pool, .. }) => (account, pool, "cancel_requested"),
            _ => return,
        };
        let ids = group.iter().filter_map(|event| match event {
            Event::OrderCancelled { order, .. } | Event::CancelRequested { order, .. } => Some(*order),
            _ => None,
        });
        Line::begin(out, event, seq)
            .bare("account", account)
            .quoted("pool", self.pool(pool))
            .list("orders", ids, push)
            .end();
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each event")]
    fn event(self, seq: u64, event: &Event, out: &mut String) {
        match *event {
            Event::MarginCall { .. } | Event::Mode { .. } => self.control(seq, event, out),
            Event::Corrected { corrects, account, remark, what } => {
                self.corrected(seq, (corrects, account, remark), what, out);
            }
            Event::AirlockHeld { .. } | Event::AirlockEnded { .. } => self.airlock(seq, event, out),
            Event::LiquidationStarted { account, pool, equity, maintenance_margin, cause } => {
                let asset = self.pool_asset(pool);
                Line::begin(out, "liquidation_started", seq)
                    .bare("account", account)
                    .quoted("pool", self.pool(pool))
                    .quoted("equity", self.amount(asset, equity))
                    .quoted("mm", self.amount(asset, maintenance_margin))
                    .quoted_or_null("ratio", ratio(maintenance_margin, equity))
                    .quoted("cause", self.cause(cause))
                    .end();
            }
            Event::IndexFrozen { instrument, index: at } => {
                Line::begin(out, "index_frozen", seq)
                    .quoted("symbol", self.symbol(instrument))
                    .quoted("price", index(at))
                    .end();
            }
            Event::Mark { instrument, price, inputs } => self.mark(seq, instrument, price, inputs, out),
            Event::MarkFrozen { instrument, cause } => self.about_life("mark_frozen", seq, instrument, cause, out),
            Event::MarkLive { instrument, cause } => self.about_life("mark_live", seq, instrument, cause, out),
            Event::LiquidationSuppressed { account, pool } => {
                Line::begin(out, "liquidation_suppressed", seq)
                    .bare("account", account)
                    .quoted("pool", self.pool(pool))
                    .end();
            }
            Event::OrderCancelled { .. } | Event::CancelRequested { .. } => {
                self.cancelling(seq, std::slice::from_ref(event), out);
            }
            Event::OrderCut { account, instrument, order, left: lots } => {
                self.about_order("order_cut", seq, (account, order), instrument, lots, out);
            }
            Event::OrderMismatch { account, instrument, order, uncovered: lots } => {
                self.about_order("order_mismatch", seq, (account, order), instrument, lots, out);
            }
            Event::Offset { account, instrument, quantity, price } => {
                self.offset(seq, account, instrument, (quantity, price), out);
            }
            Event::LiquidationOrder { liquidation, owner, instrument, side, quantity, limit, step, .. } => {
                owner_field(Line::begin(out, "liquidation_order", seq).bare("liquidation", liquidation), owner)
                    .quoted("symbol", self.symbol(instrument))
                    .quoted("side", side_word(side))
                    .quoted("qty", self.quantity(instrument, quantity))
                    .quoted("limit", self.price(instrument, limit))
                    .quoted("step", step_word(step))
                    .end();
            }
            Event::LiquidationFill { liquidation, owner, instrument, side, quantity, price, fee, realised } => {
                let asset = self.settle(instrument);
                owner_field(Line::begin(out, "liquidation_fill", seq).bare("liquidation", liquidation), owner)
                    .quoted("symbol", self.symbol(instrument))
                    .quoted("side", side_word(side))
                    .quoted("qty", self.quantity(instrument, quantity))
                    .quoted("price", self.price(instrument, price))
                    .quoted("fee", self.amount(asset, fee))
                    .quoted("realised", self.amount(asset, realised))
                    .end();
            }
            Event::Takeover { account, instrument, quantity, price, passed } => {
                Line::begin(out, "takeover", seq)
                    .bare("account", account)
                    .quoted("symbol", self.symbol(instrument))
                    .quoted("side", position_word(quantity))
                    .quoted("qty", self.quantity(instrument, quantity.abs()))
                    .quoted_or_null("price", price.map(|price| self.price(instrument, price)))
                    .quoted("passed", self.amount(self.settle(instrument), passed))
                    .end();
            }
            Event::Deleveraged { owner, counter, instrument, quantity, price, realised, rank } => {
                let side = if quantity > 0 { Side::Buy } else { Side::Sell };
                owner_field(&mut Line::begin(out, "adl", seq), owner)
                    .bare("counter", counter)
                    .quoted("symbol", self.symbol(instrument))
                    .quoted("side", side_word(side))
                    .quoted("qty", self.quantity(instrument, quantity.abs()))
                    .quoted("price", self.price(instrument, price))
                    .quoted("realised", self.amount(self.settle(instrument), realised))
                    .bare("rank", rank)
                    .end();
            }
            Event::AdlReport { owner, instrument, needed, reduced, counterparties, largest } => {
                owner_field(&mut Line::begin(out, "adl_report", seq), owner)
                    .quoted("symbol", self.symbol(instrument))
                    .quoted("needed", self.quantity(instrument, needed))
                    .quoted("reduced", self.quantity(instrument, reduced))
                    .bare("counterparties", counterparties)
                    .quoted_or_null("largest", ratio(largest.into(), reduced.into()))
                    .end();
            }
            Event::LiquidationEnded { account, pool, outcome, equity } => {
                Line::begin(out, "liquidation_ended", seq)
                    .bare("account", account)
                    .quoted("pool", self.pool(pool))
                    .quoted("outcome", outcome_word(outcome))
                    .quoted("equity", self.amount(self.pool_asset(pool), equity))
                    .end();
            }
            Event::Fund { .. }
            | Event::RulesSettled { .. }
            | Event::FundingSettled { .. }
            | Event::FundDrawdown { .. }
            | Event::Socialised { .. }
            | Event::FundDeficit { .. } => self.fund_event(seq, event, out),
        }
    }

    /// What was put right, and what was said of it.
    fn corrected(self, seq: u64, (corrects, account, remark): (u64, u64, u32), what: Corrected, out: &mut String) {
        let mut line = Line::begin(out, "corrected", seq);
        line.quoted("op", what.op()).bare("corrects", corrects).bare("account", account);
        if let Some(remark) = self.market.remark(remark) {
            line.text("reason", &remark.reason).text("principal", &remark.principal);
        }
        match what {
            Corrected::Bust { instrument, side, quantity, price }
            | Corrected::Reprice { instrument, side, quantity, price, .. } => {
                line.quoted("symbol", self.symbol(instrument))
                    .quoted("side", side_word(side))
                    .quoted("qty", self.quantity(instrument, quantity))
                    .quoted("price", self.price(instrument, price));
                if let Corrected::Reprice { to, .. } = what {
                    line.quoted("to", self.price(instrument, to));
                }
            }
            Corrected::Adjust { asset, amount } | Corrected::Compensate { asset, amount } => {
                line.quoted("asset", &self.market.asset(asset).name)
                    .quoted("amount", self.amount(asset, i128::from(amount)));
            }
        }
        line.end();
    }

    /// Events of a fund, and of those who make good what it lacks.
    fn fund_event(self, seq: u64, event: &Event, out: &mut String) {
        match *event {
            Event::Fund { fund, delta, balance, reason } => {
                let spec = self.market.fund(fund);
                Line::begin(out, "fund", seq)
                    .quoted("fund", &spec.name)
                    .quoted("delta", self.amount(spec.asset, delta))
                    .quoted("balance", self.amount(spec.asset, balance))
                    .quoted("reason", reason_word(reason))
                    .end();
            }
            Event::FundDrawdown { fund, active, equity, peak } => {
                let spec = self.market.fund(fund);
                Line::begin(out, "fund_drawdown", seq)
                    .quoted("fund", &spec.name)
                    .bare("active", active)
                    .quoted("equity", self.amount(spec.asset, equity))
                    .quoted("peak", self.amount(spec.asset, peak))
                    .end();
            }
            Event::Socialised { account, instrument, amount } => {
                Line::begin(out, "socialised", seq)
                    .bare("account", account)
                    .quoted("symbol", self.symbol(instrument))
                    .quoted("amount", self.amount(self.settle(instrument), amount))
                    .end();
            }
            Event::FundDeficit { fund, equity } => {
                let spec = self.market.fund(fund);
                Line::begin(out, "fund_deficit", seq)
                    .quoted("fund", &spec.name)
                    .quoted("equity", self.amount(spec.asset, equity))
                    .quoted("deficit", self.amount(spec.asset, -equity))
                    .end();
            }
            Event::RulesSettled { instrument } => {
                Line::begin(out, "settled", seq).quoted("symbol", self.symbol(instrument)).quoted("what", "set").end();
            }
            Event::FundingSettled { instrument, rate_ppb, paid, received } => {
                let amount = |quanta| self.amount(self.settle(instrument), quanta);
                Line::begin(out, "funding", seq)
                    .quoted("symbol", self.symbol(instrument))
                    .quoted("rate", Grid::ppb().value(i128::from(rate_ppb)))
                    .quoted("paid", amount(paid))
                    .quoted("received", amount(received))
                    .quoted("residue", amount(paid - received))
                    .end();
            }
            _ => {}
        }
    }

    /// The events of what holds the market in.
    fn control(self, seq: u64, event: &Event, out: &mut String) {
        if let Event::Mode { scope, mode } = *event {
            let mut line = Line::begin(out, "mode", seq);
            match scope {
                Scope::All => &mut line,
                Scope::Instrument(id) => line.quoted("symbol", self.symbol(id)),
                Scope::Account(account) => line.bare("account", account),
            }
            .quoted("mode", mode.as_str())
            .end();
        }
        if let Event::MarginCall { account, pool, equity, maintenance_margin, level_ppb } = *event {
            Line::begin(out, "margin_call", seq)
                .bare("account", account)
                .quoted("pool", self.pool(pool))
                .quoted_or_null("ratio", ratio(maintenance_margin, equity))
                .quoted("level", Grid::ppb().value(i128::from(level_ppb)))
                .end();
        }
    }

    fn airlock(self, seq: u64, event: &Event, out: &mut String) {
        if let Event::AirlockHeld { instrument, price, mark, accounts, notional, fund_loss } = *event {
            let asset = self.settle(instrument);
            Line::begin(out, "airlock", seq)
                .quoted("symbol", self.symbol(instrument))
                .quoted("outcome", "held")
                .quoted("price", self.price(instrument, price))
                .quoted("mark", self.price(instrument, mark))
                .bare("accounts", accounts)
                .quoted("notional", self.amount(asset, notional))
                .quoted("fund_loss", self.amount(asset, fund_loss))
                .end();
        }
        if let Event::AirlockEnded { instrument, outcome, price } = *event {
            Line::begin(out, "airlock", seq)
                .quoted("symbol", self.symbol(instrument))
                .quoted("outcome", outcome.as_str())
                .quoted("price", self.price(instrument, price))
                .end();
        }
    }

    fn offset(self, seq: u64, account: u64, id: InstrumentId, (lots, price): (i64, i64), out: &mut String) {
        Line::begin(out, "offset", seq)
            .bare("account", account)
            .quoted("symbol", self.symbol(id))
            .quoted("qty", self.quantity(id, lots))
            .quoted("price", self.price(id, price))
            .end();
    }

    fn mark(self, seq: u64, id: InstrumentId, price: Price, inputs: MarkInputs, out: &mut String) {
        let rule = match inputs {
            MarkInputs::Median { .. } => "median",
            MarkInputs::FairBasis { .. } => "fair_basis",
            MarkInputs::EmaBasis { .. } => "ema_basis",
        };
        let shown = |price: Option<Price>| price.map(|price| self.price(id, price));
        Line::begin(out, "mark", seq)
            .quoted("symbol", self.symbol(id))
            .quoted("price", self.price(id, price))
            .quoted("rule", rule)
            .nested("inputs", |line| match inputs {
                MarkInputs::Median { index: at, p1, p2, last } => {
                    line.quoted("index", index(at)).quoted("p1", self.price(id, p1));
                    line.quoted_or_null("p2", shown(p2)).quoted_or_null("last", shown(last));
                }
                MarkInputs::FairBasis { index: at, rate_ppb } => {
                    line.quoted("index", index(at)).quoted("rate", rate(rate_ppb));
                }
                MarkInputs::EmaBasis { index: at, ema } => {
                    line.quoted("index", index(at)).quoted("ema", smoothed_basis(ema));
                }
            })
            .end();
    }

    fn about_life(self, event: &str, seq: u64, id: InstrumentId, cause: FreezeCause, out: &mut String) {
        Line::begin(out, event, seq).quoted("symbol", self.symbol(id)).quoted("cause", cause.as_str()).end();
    }

    fn about_order(
        self,
        event: &str,
        seq: u64,
        (account, order): (u64, u64),
        id: InstrumentId,
        lots: i64,
        out: &mut String,
    ) {
        Line::begin(out, event, seq)
            .bare("account", account)
            .bare("order", order)
            .quoted("qty", self.quantity(id, lots))
            .end();
    }

    pub(super) fn amount(self, asset: AssetId, quanta: i128) -> impl Display {
        self.market.quanta(asset).value(quanta)
    }

    pub(super) fn price(self, instrument: InstrumentId, ticks: impl Into<i128>) -> impl Display {
        self.market.instrument(instrument).spec.tick.value(ticks.into())
    }

    pub(super) fn quantity(self, instrument: InstrumentId, lots: impl Into<i128>) -> impl Display {
        self.market.instrument(instrument).spec.lot.value(lots.into())
    }

    pub(super) fn symbol(self, instrument: InstrumentId) -> &'a str {
        &self.market.instrument(instrument).spec.symbol
    }

    pub(super) fn settle(self, instrument: InstrumentId) -> AssetId {
        self.market.instrument(instrument).spec.settle
    }

    pub(super) fn pool_asset(self, pool: PoolName) -> AssetId {
        match pool {
            PoolName::Cross(asset) => asset,
            PoolName::Isolated(instrument, _) => self.settle(instrument),
        }
    }

    pub(super) fn pool(self, pool: PoolName) -> String {
        match pool {
            PoolName::Cross(asset) => format!("cross:{}", self.market.asset(asset).name),
            PoolName::Isolated(instrument, None) => format!("isolated:{}", self.symbol(instrument)),
            PoolName::Isolated(instrument, Some(side)) => {
                format!("isolated:{}:{}", self.symbol(instrument), position_side_word(side))
            }
        }
    }

    fn cause(self, cause: Cause) -> &'a str {
        match cause {
            Cause::Instrument(instrument) => self.symbol(instrument),
            Cause::Op(op) => op,
        }
    }

    /// The price at which a position's unrealised result is zero, to four places more than the tick has; none for an
    /// inverse position that cost nothing.
    pub(super) fn entry(self, instrument: InstrumentId, position: &Position) -> Option<impl Display + use<>> {
        let spec = &self.market.instrument(instrument).spec;
        let tick = spec.tick.step();
        let scale = tick.scale() + ENTRY_DECIMALS;
        let tick_in_places = I256::from(tick.mantissa()) * I256::from(10i128.pow(ENTRY_DECIMALS));
        let lots = I256::from(position.quantity.unsigned_abs());
        let signed_cost = I256::from(position.cost * i128::from(position.quantity.signum()));
        let (numerator, denominator) = match spec.unit {
            Unit::Linear(unit) => (signed_cost * tick_in_places, lots * I256::from(unit)),
            Unit::Inverse { .. } if position.cost == 0 => return None,
            Unit::Inverse { numerator, denominator } => {
                let at_one = lots * I256::from(numerator) * tick_in_places * -signed_cost.signum();
                (at_one, signed_cost.abs() * I256::from(denominator))
            }
        };
        let entry = div_half_even(numerator, denominator);
        Some(Grid::decimals(scale).value(i128::try_from(entry).unwrap_or(i128::MAX)))
    }
}

/// `numerator / denominator` to eight places, half-even; none unless the denominator is positive.
pub(super) fn ratio(numerator: i128, denominator: i128) -> Option<impl Display> {
    (denominator > 0).then(|| {
        let scaled = I256::from(numerator) * I256::from(10i128.pow(RATIO_DECIMALS));
        Grid::decimals(RATIO_DECIMALS).value(div_half_even(scaled, I256::from(denominator)).as_i128())
    })
}

/// An index, in steps of 10^-8.
pub(super) fn index(steps: i64) -> impl Display {
    Grid::decimals(INDEX_DECIMALS).value(i128::from(steps))
}

/// A rate, in parts per billion.
pub(super) fn rate(ppb: i64) -> impl Display {
    Grid::ppb().value(i128::from(ppb))
}

/// A smoothed basis, in 2^-64 steps of 10^-8, to eight places, half-even.
fn smoothed_basis(ema: fixed::types::I64F64) -> impl Display {
    let steps = div_half_even(I256::from(ema.to_bits()), I256::from(1i128 << 64));
    Grid::decimals(INDEX_DECIMALS).value(steps.as_i128())
}

/// A score to eight places, half-even.
pub(super) fn score(score: fixed::types::I64F64) -> impl Display {
    let scaled = I256::from(score.to_bits()) * I256::from(10i128.pow(RATIO_DECIMALS));
    Grid::decimals(RATIO_DECIMALS).value(div_half_even(scaled, I256::from(1i128 << 64)).as_i128())
}

fn owner_field<'a, 'b>(line: &'b mut Line<'a>, owner: Owner) -> &'b mut Line<'a> {
    match owner {
        Owner::Account(account) => line.bare("account", account),
        Owner::Fund => line.quoted("account", "fund"),
    }
}

pub(super) fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

pub(super) fn kind_word(unit: Unit) -> &'static str {
    match unit {
        Unit::Linear(_) => "linear_perp",
        Unit::Inverse { .. } => "inverse_perp",
    }
}

pub(super) fn position_side_word(side: PositionSide) -> &'static str {
    match side {
        PositionSide::Long => "long",
        PositionSide::Short => "short",
    }
}

/// The side of a position of signed size.
pub(super) fn position_word(quantity: i64) -> &'static str {
    if quantity > 0 { "long" } else { "short" }
}

fn step_word(step: Step) -> &'static str {
    match step {
        Step::Tier => "tier",
        Step::Fraction => "fraction",
        Step::All => "all",
        Step::Unwind => "unwind",
    }
}

fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Cured => "cured",
        Outcome::Closed => "closed",
    }
}

fn reason_word(reason: FundReason) -> &'static str {
    match reason {
        FundReason::Fee => "fee",
        FundReason::Unwind => "unwind",
        FundReason::Netting => "netting",
        FundReason::Rounding => "rounding",
        FundReason::Adl => "adl",
        FundReason::AdlResidue => "adl_residue",
        FundReason::Deficit => "deficit",
        FundReason::Socialised => "socialised",
        FundReason::Deposit => "deposit",
        FundReason::Funding => "funding",
        FundReason::Compensation => "compensation",
    }
}
