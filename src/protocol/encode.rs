//! Events as lines.

use super::line::{Line, push};
use super::shown::{
    index, outcome_word, position_word, rate, ratio, reason_word, side_word, smoothed_basis, step_word,
};
use crate::command::Side;
use crate::controls::{HealthState, Mode, Scope};
use crate::decimal::Grid;
use crate::event::{Corrected, Event, Owner};
use crate::market::{FreezeCause, InstrumentId, Market};
use crate::number::Price;
use crate::prices::MarkInputs;

/// Turns events into lines, with the names and grids of a market.
#[derive(Clone, Copy)]
pub struct Encoder<'a> {
    pub(super) market: &'a Market,
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

    fn event(self, seq: u64, event: &Event, out: &mut String) {
        match *event {
            Event::MarginCall { .. } | Event::Mode { .. } | Event::Health { .. } => self.control(seq, event, out),
            Event::AirlockHeld { .. } | Event::AirlockEnded { .. } => self.airlock(seq, event, out),
            Event::Corrected { corrects, account, remark, what } => {
                self.corrected(seq, (corrects, account, remark), what, out);
            }
            Event::IndexFrozen { .. } | Event::Mark { .. } | Event::MarkFrozen { .. } | Event::MarkLive { .. } => {
                self.about_price(seq, event, out);
            }
            Event::OrderCancelled { .. } | Event::CancelRequested { .. } => {
                self.cancelling(seq, std::slice::from_ref(event), out);
            }
            Event::LiquidationStarted { .. }
            | Event::LiquidationSuppressed { .. }
            | Event::OrderCut { .. }
            | Event::OrderMismatch { .. }
            | Event::LiquidationEnded { .. } => self.about_pool(seq, event, out),
            Event::Offset { .. }
            | Event::LiquidationOrder { .. }
            | Event::LiquidationFill { .. }
            | Event::Takeover { .. }
            | Event::Deleveraged { .. }
            | Event::AdlReport { .. } => self.step(seq, event, out),
            Event::Fund { .. }
            | Event::RulesSettled { .. }
            | Event::FundingSettled { .. }
            | Event::FundDrawdown { .. }
            | Event::Socialised { .. }
            | Event::FundDeficit { .. } => self.fund_event(seq, event, out),
        }
    }

    /// What becomes of an index or a mark.
    fn about_price(self, seq: u64, event: &Event, out: &mut String) {
        match *event {
            Event::IndexFrozen { instrument, index: at } => {
                Line::begin(out, "index_frozen", seq)
                    .quoted("symbol", self.symbol(instrument))
                    .quoted("price", index(at))
                    .end();
            }
            Event::Mark { instrument, price, inputs } => self.mark(seq, instrument, price, inputs, out),
            Event::MarkFrozen { instrument, cause } => self.about_life("mark_frozen", seq, instrument, cause, out),
            Event::MarkLive { instrument, cause } => self.about_life("mark_live", seq, instrument, cause, out),
            _ => {}
        }
    }

    /// The beginning and the end of a liquidation, and what becomes of orders.
    fn about_pool(self, seq: u64, event: &Event, out: &mut String) {
        match *event {
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
            Event::LiquidationSuppressed { account, pool } => {
                Line::begin(out, "liquidation_suppressed", seq)
                    .bare("account", account)
                    .quoted("pool", self.pool(pool))
                    .end();
            }
            Event::OrderCut { account, instrument, order, left: lots } => {
                self.about_order("order_cut", seq, (account, order), instrument, lots, out);
            }
            Event::OrderMismatch { account, instrument, order, uncovered: lots } => {
                self.about_order("order_mismatch", seq, (account, order), instrument, lots, out);
            }
            Event::LiquidationEnded { account, pool, outcome, equity } => {
                Line::begin(out, "liquidation_ended", seq)
                    .bare("account", account)
                    .quoted("pool", self.pool(pool))
                    .quoted("outcome", outcome_word(outcome))
                    .quoted("equity", self.amount(self.pool_asset(pool), equity))
                    .end();
            }
            _ => {}
        }
    }

    /// The steps of a liquidation, or of unwinding.
    fn step(self, seq: u64, event: &Event, out: &mut String) {
        match *event {
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
            _ => {}
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

    /// What a mode is of.
    pub(super) fn scope<'l, 'b>(self, line: &'b mut Line<'l>, scope: Scope) -> &'b mut Line<'l> {
        match scope {
            Scope::All => line,
            Scope::Instrument(id) => line.quoted("symbol", self.symbol(id)),
            Scope::Account(account) => line.bare("account", account),
            Scope::Fund(fund) => line.quoted("fund", &self.market.fund(fund).name),
        }
    }

    /// What is wrong, or no more.
    pub(super) fn health<'l, 'b>(
        self,
        line: &'b mut Line<'l>,
        (state, instrument): (HealthState, Option<InstrumentId>),
        active: bool,
        mode: Mode,
    ) -> &'b mut Line<'l> {
        self.scope(line.quoted("state", state.as_str()), instrument.map_or(Scope::All, Scope::Instrument));
        line.bare("active", active);
        if active { line.quoted("mode", mode.as_str()) } else { line }
    }

    /// The events of what holds the market in.
    fn control(self, seq: u64, event: &Event, out: &mut String) {
        if let Event::Mode { scope, mode } = *event {
            self.scope(&mut Line::begin(out, "mode", seq), scope).quoted("mode", mode.as_str()).end();
        }
        if let Event::Health { state, instrument, active, mode } = *event {
            self.health(&mut Line::begin(out, "health", seq), (state, instrument), active, mode).end();
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
}

fn owner_field<'a, 'b>(line: &'b mut Line<'a>, owner: Owner) -> &'b mut Line<'a> {
    match owner {
        Owner::Account(account) => line.bare("account", account),
        Owner::Fund => line.quoted("account", "fund"),
    }
}
