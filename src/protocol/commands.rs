//! Places of the sequence as lines: how a journal is read by people. In decimals and words of the protocol, with the number of the
//! input (`seq`) in front; a liquidation order is named by its account and how-manieth of it.

use super::encode::Encoder;
use super::line::{Line, push};
use super::shown::{index, position_side_word, rate, side_word};
use crate::command::{Command, Fill, Liquidity, MarginMode, Order, OrderName, OrderOwner, PositionMode, PositionSide};
use crate::correction::{Correction, Remedy};
use crate::decimal::Grid;
use crate::engine::{Depth, Entry};
use crate::jobs::{JobKind, Part};
use crate::kernel::Declaration;
use crate::market::{AssetId, InstrumentId};
use crate::venue::{Level, VenueMode};

impl Encoder<'_> {
    /// Appends a place of the sequence as one line; the market is that after the place. Of what a program declared the names
    /// are shown, not all the rules.
    pub fn place(self, entry: &Entry, out: &mut String) {
        match entry {
            Entry::Command { seq, ts_ns, command, .. } => self.command(*seq, *ts_ns, command, out),
            Entry::Book { seq, ts_ns, instrument, book } => self.book(*seq, *ts_ns, *instrument, book, out),
            Entry::Declare { seq, ts_ns, declaration } => self.declaration(*seq, *ts_ns, declaration, out),
            Entry::Correct { seq, ts_ns, correction } => correct(self, *seq, *ts_ns, correction, out),
            Entry::Start => Line::op(out, "start", None, None).end(),
            Entry::Pass { ts_ns } => Line::op(out, "pass", None, Some(*ts_ns)).end(),
            Entry::Decide { outcome } => {
                let mut line = Line::op(out, "decide", None, None);
                match outcome {
                    Some(decision) => {
                        line.quoted("hash", format_args!("{:016x}", decision.hash))
                            .bare("answers", decision.answers.len());
                    }
                    None => {
                        line.bare("hash", "null");
                    }
                }
                line.end();
            }
        }
    }

    fn command(self, seq: u64, ts_ns: Option<u64>, command: &Command, out: &mut String) {
        let begin = |out, op| Line::op(out, op, Some(seq), ts_ns);
        let payment = |out, op, account: u64, asset: AssetId, amount: i64| {
            begin(out, op)
                .bare("account", account)
                .quoted("asset", &self.market.asset(asset).name)
                .quoted("amount", self.amount(asset, amount.into()))
                .end();
        };
        let price = |out, op, instrument: InstrumentId, price: i64| {
            begin(out, op)
                .quoted("symbol", self.symbol(instrument))
                .quoted("price", self.price(instrument, price))
                .end();
        };
        match *command {
            Command::Mark { instrument, price: ticks } => price(out, "mark", instrument, ticks),
            Command::MarkFrom { instrument, price: ticks, source } => begin(out, "mark")
                .quoted("symbol", self.symbol(instrument))
                .quoted("price", self.price(instrument, ticks))
                .quoted("source_hash", format_args!("{:016x}", source.0))
                .end(),
            Command::Last { instrument, price: ticks } => price(out, "last", instrument, ticks),
            Command::Index { instrument, venue, price } => {
                let venues = &self.market.instrument(instrument).spec.prices.index.venues;
                let name = venues.get(usize::from(venue)).map_or("index", |venue| venue.name.as_str());
                begin(out, "index")
                    .quoted("symbol", self.symbol(instrument))
                    .quoted("venue", name)
                    .quoted("price", index(price))
                    .end();
            }
            Command::Fill(fill) => self.fill(begin(out, "fill"), &fill),
            Command::Order(order) => self.order(begin(out, "order"), &order),
            Command::Cancel { account, order } => {
                begin(out, "cancel").bare("account", account).bare("order", order).end();
            }
            Command::Account { account, positions, group } => {
                let word = if positions == PositionMode::Hedge { "hedge" } else { "one_way" };
                let mut line = begin(out, "account");
                line.bare("account", account).quoted("positions", word);
                if let Some(group) = group {
                    line.bare("group", group);
                }
                line.end();
            }
            Command::Deposit { account, asset, amount } => payment(out, "deposit", account, asset, amount),
            Command::Withdraw { account, asset, amount } => payment(out, "withdraw", account, asset, amount),
            Command::Hold { account, hold, asset, amount } => begin(out, "hold")
                .bare("account", account)
                .bare("hold", hold)
                .quoted("asset", &self.market.asset(asset).name)
                .quoted("amount", self.amount(asset, amount.into()))
                .end(),
            Command::Commit { account, hold } => {
                begin(out, "commit").bare("account", account).bare("hold", hold).end();
            }
            Command::Release { account, hold } => {
                begin(out, "release").bare("account", account).bare("hold", hold).end();
            }
            Command::Leverage { account, instrument, leverage } => begin(out, "leverage")
                .bare("account", account)
                .quoted("symbol", self.symbol(instrument))
                .quoted("leverage", Grid::decimals(2).value(leverage.into()))
                .end(),
            Command::MarginMode { account, instrument, mode } => begin(out, "margin_mode")
                .bare("account", account)
                .quoted("symbol", self.symbol(instrument))
                .quoted("mode", if mode == MarginMode::Cross { "cross" } else { "isolated" })
                .end(),
            Command::IsolatedMargin { account, instrument, amount, position_side } => {
                let mut line = begin(out, "isolated_margin");
                line.bare("account", account)
                    .quoted("symbol", self.symbol(instrument))
                    .quoted("amount", self.amount(self.settle(instrument), amount.into()));
                leg(&mut line, "position_side", position_side);
                line.end();
            }
            _ => self.rest_of_commands(begin, command, out),
        }
    }

    /// What operators, the venue and the kernel itself give.
    fn rest_of_commands<'a>(
        self,
        begin: impl Fn(&'a mut String, &'static str) -> Line<'a>,
        command: &Command,
        out: &'a mut String,
    ) {
        match *command {
            Command::FundDeposit { fund, amount } => {
                let spec = self.market.fund(fund);
                begin(out, "fund_deposit")
                    .quoted("fund", &spec.name)
                    .quoted("amount", self.amount(spec.asset, amount.into()))
                    .end();
            }
            Command::LiquidationFill { order, instrument, quantity, price } => self
                .liquidation(&mut begin(out, "liq_fill"), order)
                .quoted("symbol", self.symbol(instrument))
                .quoted("qty", self.quantity(instrument, quantity))
                .quoted("price", self.price(instrument, price))
                .end(),
            Command::LiquidationExpire { order } => self.liquidation(&mut begin(out, "liq_expire"), order).end(),
            Command::LiquidationUnknown { order } => self.liquidation(&mut begin(out, "liq_unknown"), order).end(),
            Command::CancelAck { account, pool, execution } => begin(out, "cancel_ack")
                .bare("account", account)
                .quoted("pool", self.pool(pool))
                .bare("execution", execution)
                .end(),
            Command::Time { ts_ns } => begin(out, "time").bare("ts", ts_ns).end(),
            Command::Mode { scope, mode } => {
                self.scope(&mut begin(out, "mode"), scope).quoted("mode", mode.as_str()).end();
            }
            Command::Health { state, instrument, active, mode } => {
                self.health(&mut begin(out, "health"), (state, instrument), active, mode).end();
            }
            Command::Funding { instrument, rate_ppb } => {
                begin(out, "funding").quoted("symbol", self.symbol(instrument)).quoted("rate", rate(rate_ppb)).end();
            }
            Command::AirlockRelease { instrument, accept } => {
                let action = if accept { "accept" } else { "discard" };
                begin(out, "airlock_release").quoted("symbol", self.symbol(instrument)).quoted("action", action).end();
            }
            Command::Chunk { job, part } => {
                let what = if job.kind == JobKind::Settlement { "funding" } else { "set" };
                let mut line = begin(out, "chunk");
                line.quoted("symbol", self.symbol(job.instrument)).quoted("what", what);
                match part {
                    Part::UpTo(account) => line.bare("up_to", account),
                    Part::End => line.bare("end", true),
                }
                .end();
            }
            _ => {}
        }
    }

    fn fill(self, mut line: Line<'_>, fill: &Fill) {
        line.bare("account", fill.account)
            .quoted("symbol", self.symbol(fill.instrument))
            .quoted("side", side_word(fill.side))
            .quoted("qty", self.quantity(fill.instrument, fill.quantity))
            .quoted("price", self.price(fill.instrument, fill.price));
        for (name, id) in
            [("order", fill.order), ("counterparty", fill.counterparty), ("counter_order", fill.counter_order)]
        {
            if let Some(id) = id {
                line.bare(name, id);
            }
        }
        if let Some(liquidity) = fill.liquidity {
            line.quoted("liquidity", if liquidity == Liquidity::Maker { "maker" } else { "taker" });
        }
        leg(&mut line, "position_side", fill.position_side);
        leg(&mut line, "counter_position_side", fill.counter_position_side);
        line.end();
    }

    fn order(self, mut line: Line<'_>, order: &Order) {
        line.bare("account", order.account)
            .bare("order", order.order)
            .quoted("symbol", self.symbol(order.instrument))
            .quoted("side", side_word(order.side))
            .quoted("qty", self.quantity(order.instrument, order.quantity))
            .quoted("price", self.price(order.instrument, order.price));
        if order.reduce_only {
            line.bare("reduce_only", true);
        }
        leg(&mut line, "position_side", order.position_side);
        line.end();
    }

    fn liquidation<'a, 'b>(self, line: &'b mut Line<'a>, order: OrderName) -> &'b mut Line<'a> {
        match order.owner {
            OrderOwner::Account(account) => line.bare("account", account),
            OrderOwner::Fund(instrument) => line.quoted("account", "fund").quoted("of", self.symbol(instrument)),
        }
        .bare("nth", order.nth)
    }

    fn book(self, seq: u64, ts_ns: Option<u64>, instrument: InstrumentId, book: &Depth, out: &mut String) {
        let update = book.update();
        let mut line = Line::op(out, "book", Some(seq), ts_ns);
        line.quoted("symbol", self.symbol(instrument));
        for (name, price) in [
            ("bid", update.bid),
            ("ask", update.ask),
            ("impact_bid", update.impact_bid),
            ("impact_ask", update.impact_ask),
        ] {
            if let Some(price) = price {
                line.quoted(name, self.price(instrument, price));
            }
        }
        for (name, levels) in [("bids", update.bids), ("asks", update.asks)] {
            if let Some(levels) = levels {
                line.list(name, levels, |out, &Level { price, quantity }| {
                    let (price, quantity) = (self.price(instrument, price), self.quantity(instrument, quantity));
                    push(out, format_args!("[\"{price}\",\"{quantity}\"]"));
                });
            }
        }
        line.end();
    }

    fn declaration(self, seq: u64, ts_ns: Option<u64>, declaration: &Declaration, out: &mut String) {
        let begin = |out, op| Line::op(out, op, Some(seq), ts_ns);
        match declaration {
            Declaration::Asset { name, decimals } => {
                begin(out, "asset").quoted("asset", name).bare("decimals", decimals).end();
            }
            Declaration::Fund(spec) => begin(out, "fund")
                .quoted("fund", &spec.name)
                .quoted("asset", &self.market.asset(spec.asset).name)
                .quoted("floor", self.amount(spec.asset, spec.floor))
                .bare("socialise", spec.socialise)
                .end(),
            Declaration::Instrument(spec) => begin(out, "instrument")
                .quoted("symbol", &spec.symbol)
                .quoted("settle", &self.market.asset(spec.settle).name)
                .quoted("tick", spec.tick.step())
                .quoted("lot", spec.lot.step())
                .end(),
            Declaration::Rules { instrument, .. } => {
                begin(out, "set").quoted("symbol", self.symbol(*instrument)).end();
            }
            Declaration::RuleVersion(version) => begin(out, "rule_version").bare("version", version).end(),
            Declaration::Venue(rules) => {
                let mode = match rules.mode {
                    VenueMode::Mark => "mark",
                    VenueMode::Bankruptcy => "bankruptcy",
                    VenueMode::None => "none",
                    VenueMode::Manual => "manual",
                    VenueMode::Book => "book",
                };
                begin(out, "venue").quoted("mode", mode).bare("cancel_ack", rules.cancel_ack).end();
            }
        }
    }
}

fn correct(encoder: Encoder<'_>, seq: u64, ts_ns: Option<u64>, correction: &Correction, out: &mut String) {
    let (op, account, asset) = match correction.remedy {
        Remedy::Bust { trade, .. } => ("bust", trade.account, None),
        Remedy::Reprice { trade, .. } => ("reprice", trade.account, None),
        Remedy::Adjust { account, asset, amount } => ("adjust", account, Some((asset, amount))),
        Remedy::Compensate { account, asset, amount, .. } => ("compensate", account, Some((asset, amount))),
    };
    let mut line = Line::op(out, op, Some(seq), ts_ns);
    line.bare("account", account);
    if let Some((asset, amount)) = asset {
        let name = &encoder.market.asset(asset).name;
        line.quoted("asset", name).quoted("amount", encoder.amount(asset, amount.into()));
    }
    line.bare("corrects", correction.corrects)
        .text("reason", &correction.reason)
        .text("principal", &correction.principal)
        .end();
}

fn leg(line: &mut Line<'_>, name: &str, side: Option<PositionSide>) {
    if let Some(side) = side {
        line.quoted(name, position_side_word(side));
    }
}
