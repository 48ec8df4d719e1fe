//! The commands, field by field: form first, then names, then the kernel.

use super::desk::{Answer, Desk, steps};
use super::fields::{Fields, Json, as_decimal};
use super::reasons::{self, Context};
use super::{Rejection, rules};
use crate::command::{
    Command, Fill, Liquidity, MarginMode, OffGrid, Order, OrderName, PositionMode, PositionSide, Side,
};
use crate::controls::{HealthState, Mode, Scope};
use crate::decimal::{Decimal, Grid};
use crate::driver::{Driver, Input};
use crate::event::PoolName;
use crate::kernel::Declaration;
use crate::market::{AssetId, InstrumentId};
use crate::number::{LIMIT, Price, Quantity};
use crate::prices::INDEX_DECIMALS;
use crate::refusal::{Code, Refusal};
use crate::rule_version::RuleVersion;
use crate::venue::{BookUpdate, Level, VenueMode, VenueRules};

pub(super) const SIDES: &[(&str, Side)] = &[("buy", Side::Buy), ("sell", Side::Sell)];
const MODES: &[(&str, MarginMode)] = &[("cross", MarginMode::Cross), ("isolated", MarginMode::Isolated)];
const POSITION_MODES: &[(&str, PositionMode)] = &[("one_way", PositionMode::OneWay), ("hedge", PositionMode::Hedge)];
pub(super) const LEGS: &[(&str, Option<PositionSide>)] =
    &[("long", Some(PositionSide::Long)), ("short", Some(PositionSide::Short))];
const LIQUIDITIES: &[(&str, Option<Liquidity>)] =
    &[("maker", Some(Liquidity::Maker)), ("taker", Some(Liquidity::Taker))];
const VENUES: &[(&str, VenueMode)] = &[
    ("mark", VenueMode::Mark),
    ("bankruptcy", VenueMode::Bankruptcy),
    ("none", VenueMode::None),
    ("manual", VenueMode::Manual),
    ("book", VenueMode::Book),
];

/// What one line does, once its form is right.
pub(super) struct Reader<'a, D> {
    pub(super) desk: &'a mut Desk<D>,
    pub(super) fields: Fields,
    /// What has been read, for the sentence of a refusal.
    pub(super) context: Context,
}

pub(super) fn carry_out<D: Driver>(desk: &mut Desk<D>, op: &str, fields: Fields) -> Result<Answer, Rejection> {
    let mut reader = Reader { desk, fields, context: Context::default() };
    match op {
        "fund_deposit" => reader.fund_deposit(),
        "venue" => reader.venue(),
        "rule_version" => reader.rule_version(),
        "account" => reader.account(),
        "deposit" => reader.payment(true),
        "withdraw" => reader.payment(false),
        "leverage" => reader.leverage(),
        "margin_mode" => reader.margin_mode(),
        "isolated_margin" => reader.isolated_margin(),
        "order" => reader.order(),
        "cancel" => reader.cancel(),
        "fill" => reader.fill(),
        "mark" => reader.price(true),
        "last" => reader.price(false),
        "index" => reader.index(),
        "book" => reader.book(),
        "funding" => reader.funding(),
        "mode" => return reader.mode(),
        "health" => reader.health(),
        "airlock_release" => reader.airlock_release(),
        "time" => reader.time(),
        "liq_fill" => reader.liquidation_fill(),
        "liq_expire" => reader.liquidation_end(|order| Command::LiquidationExpire { order }),
        "liq_unknown" => reader.liquidation_end(|order| Command::LiquidationUnknown { order }),
        "cancel_ack" => reader.cancel_ack(),
        "hold" => reader.hold(),
        "commit" => reader.end_of_hold(|account, hold| Command::Commit { account, hold }),
        "bust" | "reprice" | "adjust" | "compensate" => reader.correct(op),
        "release" => reader.end_of_hold(|account, hold| Command::Release { account, hold }),
        _ => {
            let op = Json::Text(op.to_owned());
            return Err(Rejection::new(Code::UnknownOp, format!("there is no command {op}")));
        }
    }?;
    Ok(Answer::Events)
}

impl<D: Driver> Reader<'_, D> {
    /// Refuses fields beside `op`, `ts` and those of the command.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Rejection> {
        let all: Vec<&str> = ["ts"].iter().chain(known).copied().collect();
        self.fields.only(&all)
    }

    /// The time of the line: read last, since that it does not run backward is the last check of form.
    pub(super) fn time_of_line(&mut self) -> Result<Option<u64>, Rejection> {
        let ts_ns = self.fields.id_or_none("ts")?;
        self.desk.check_time(ts_ns)?;
        Ok(ts_ns)
    }

    fn apply(&mut self, ts_ns: Option<u64>, command: &Command, off_grid: OffGrid) -> Result<(), Rejection> {
        let applied = self.desk.kernel.command(ts_ns, command, off_grid);
        applied.map_err(|refusal| self.context.explain(self.desk.kernel.market(), refusal))
    }

    pub(super) fn instrument(&mut self, symbol: &str) -> Result<InstrumentId, Rejection> {
        let instrument = self.desk.instrument(symbol)?;
        self.context.instrument = Some(instrument);
        Ok(instrument)
    }

    /// The steps of a field's value on its grid, and whether it lies between two.
    pub(super) fn place(&mut self, field: &'static str, value: Decimal, grid: Grid) -> (i64, bool) {
        self.context.numbers.push((field, value, grid));
        steps(grid, value)
    }

    pub(super) fn lots(&mut self, instrument: InstrumentId, value: Decimal) -> (Quantity, bool) {
        self.place("qty", value, self.desk.kernel.market().instrument(instrument).spec.lot)
    }

    pub(super) fn ticks(&mut self, instrument: InstrumentId, value: Decimal) -> (Price, bool) {
        self.place("price", value, self.desk.kernel.market().instrument(instrument).spec.tick)
    }

    pub(super) fn quanta(&mut self, asset: AssetId, value: Decimal) -> (i64, bool) {
        self.context.asset = Some(asset);
        self.place("amount", value, self.desk.kernel.market().quanta(asset))
    }

    fn fund_deposit(&mut self) -> Result<(), Rejection> {
        self.only(&["fund", "amount"])?;
        let (name, amount) = (self.fields.name("fund")?, self.fields.decimal("amount")?);
        let ts_ns = self.time_of_line()?;
        let fund = self.desk.fund(&name)?;
        let (amount, off) = self.quanta(self.desk.kernel.market().fund(fund).asset, amount);
        self.apply(ts_ns, &Command::FundDeposit { fund, amount }, off_amount(off))
    }

    fn rule_version(&mut self) -> Result<(), Rejection> {
        self.only(&["version"])?;
        let number = self.fields.id("version")?;
        let ts_ns = self.time_of_line()?;
        let version = RuleVersion::new(number).map_err(|unknown| Rejection::bad_value(unknown.to_string()))?;
        Ok(self.desk.kernel.declare(ts_ns, &Declaration::RuleVersion(version))?)
    }

    fn venue(&mut self) -> Result<(), Rejection> {
        self.only(&["mode", "cancel_ack", "cancel_timeout", "order_timeout"])?;
        let mut rules = VenueRules::new(self.fields.word("mode", VENUES)?);
        rules.cancel_ack = self.fields.flag_or("cancel_ack", false)?;
        for (name, timeout) in
            [("cancel_timeout", &mut rules.cancel_timeout_ns), ("order_timeout", &mut rules.order_timeout_ns)]
        {
            *timeout = self.fields.id_or_none(name)?.unwrap_or(*timeout);
        }
        let ts_ns = self.time_of_line()?;
        Ok(self.desk.kernel.declare(ts_ns, &Declaration::Venue(rules))?)
    }

    fn account(&mut self) -> Result<(), Rejection> {
        self.only(&["account", "margin", "positions", "group"])?;
        let account = self.fields.id("account")?;
        let margin =
            self.fields.word_or("margin", &[("single", true), ("multi", false), ("portfolio", false)], true)?;
        let positions = self.fields.word_or("positions", POSITION_MODES, PositionMode::OneWay)?;
        let group = self.fields.id_or_none("group")?;
        let ts_ns = self.time_of_line()?;
        if !margin {
            return Err(Rejection::bad_value("margin: only \"single\" is supported in this version"));
        }
        self.apply(ts_ns, &Command::Account { account, positions, group }, OffGrid::NONE)
    }

    fn payment(&mut self, into: bool) -> Result<(), Rejection> {
        self.only(&["account", "asset", "amount"])?;
        let (account, name) = (self.fields.id("account")?, self.fields.name("asset")?);
        let amount = self.fields.decimal("amount")?;
        let ts_ns = self.time_of_line()?;
        let asset = self.desk.asset(&name)?;
        let (amount, off) = self.quanta(asset, amount);
        let command = if into {
            Command::Deposit { account, asset, amount }
        } else {
            Command::Withdraw { account, asset, amount }
        };
        self.apply(ts_ns, &command, off_amount(off))
    }

    fn leverage(&mut self) -> Result<(), Rejection> {
        self.only(&["account", "symbol", "leverage"])?;
        let (account, symbol) = (self.fields.id("account")?, self.fields.name("symbol")?);
        let leverage = self.fields.decimal("leverage")?;
        let ts_ns = self.time_of_line()?;
        let instrument = self.instrument(&symbol)?;
        let (hundredths, off) = self.place("leverage", leverage, Grid::decimals(2));
        let leverage = u32::try_from(hundredths.max(0)).unwrap_or(u32::MAX);
        self.apply(ts_ns, &Command::Leverage { account, instrument, leverage }, off_amount(off))
    }

    fn margin_mode(&mut self) -> Result<(), Rejection> {
        self.only(&["account", "symbol", "mode"])?;
        let (account, symbol) = (self.fields.id("account")?, self.fields.name("symbol")?);
        let mode = self.fields.word("mode", MODES)?;
        let ts_ns = self.time_of_line()?;
        let instrument = self.instrument(&symbol)?;
        self.apply(ts_ns, &Command::MarginMode { account, instrument, mode }, OffGrid::NONE)
    }

    fn isolated_margin(&mut self) -> Result<(), Rejection> {
        self.only(&["account", "symbol", "amount", "position_side"])?;
        let (account, symbol) = (self.fields.id("account")?, self.fields.name("symbol")?);
        let amount = self.fields.decimal("amount")?;
        let position_side = self.fields.word_or("position_side", LEGS, None)?;
        let ts_ns = self.time_of_line()?;
        let instrument = self.instrument(&symbol)?;
        let (amount, off) = self.quanta(self.desk.kernel.market().instrument(instrument).spec.settle, amount);
        let command = Command::IsolatedMargin { account, instrument, amount, position_side };
        self.apply(ts_ns, &command, off_amount(off))
    }

    fn order(&mut self) -> Result<(), Rejection> {
        self.only(&["account", "order", "symbol", "side", "qty", "price", "reduce_only", "position_side"])?;
        let (account, order) = (self.fields.id("account")?, self.fields.id("order")?);
        let (symbol, side) = (self.fields.name("symbol")?, self.fields.word("side", SIDES)?);
        let (quantity, price) = (self.fields.decimal("qty")?, self.fields.decimal("price")?);
        let reduce_only = self.fields.flag_or("reduce_only", false)?;
        let position_side = self.fields.word_or("position_side", LEGS, None)?;
        let ts_ns = self.time_of_line()?;
        let instrument = self.instrument(&symbol)?;
        let (quantity, off_lot) = self.lots(instrument, quantity);
        let (price, off_tick) = self.ticks(instrument, price);
        let order = Order { account, order, instrument, side, quantity, price, reduce_only, position_side };
        self.apply(ts_ns, &Command::Order(order), OffGrid { amount: off_lot, price: off_tick })
    }

    fn cancel(&mut self) -> Result<(), Rejection> {
        self.only(&["account", "order"])?;
        let (account, order) = (self.fields.id("account")?, self.fields.id("order")?);
        let ts_ns = self.time_of_line()?;
        self.apply(ts_ns, &Command::Cancel { account, order }, OffGrid::NONE)
    }

    fn fill(&mut self) -> Result<(), Rejection> {
        self.only(&[
            "account",
            "symbol",
            "side",
            "qty",
            "price",
            "order",
            "counterparty",
            "counter_order",
            "liquidity",
            "position_side",
            "counter_position_side",
        ])?;
        let (account, symbol) = (self.fields.id("account")?, self.fields.name("symbol")?);
        let side = self.fields.word("side", SIDES)?;
        let (quantity, price) = (self.fields.decimal("qty")?, self.fields.decimal("price")?);
        let (order, counterparty) = (self.fields.id_or_none("order")?, self.fields.id_or_none("counterparty")?);
        let counter_order = self.fields.id_or_none("counter_order")?;
        let liquidity = self.fields.word_or("liquidity", LIQUIDITIES, None)?;
        let position_side = self.fields.word_or("position_side", LEGS, None)?;
        let counter_position_side = self.fields.word_or("counter_position_side", LEGS, None)?;
        for (given, field) in
            [(counter_order.is_some(), "counter_order"), (counter_position_side.is_some(), "counter_position_side")]
        {
            if given && counterparty.is_none() {
                return Err(Rejection::malformed(format!("{field} is given without a counterparty")));
            }
        }
        let ts_ns = self.time_of_line()?;
        let instrument = self.instrument(&symbol)?;
        let (quantity, off_lot) = self.lots(instrument, quantity);
        let (price, off_tick) = self.ticks(instrument, price);
        let fill = Fill {
            account,
            counterparty,
            order,
            counter_order,
            instrument,
            side,
            quantity,
            price,
            liquidity,
            position_side,
            counter_position_side,
        };
        self.apply(ts_ns, &Command::Fill(fill), OffGrid { amount: off_lot, price: off_tick })
    }

    fn price(&mut self, mark: bool) -> Result<(), Rejection> {
        self.only(&["symbol", "price"])?;
        let (symbol, price) = (self.fields.name("symbol")?, self.fields.decimal("price")?);
        let ts_ns = self.time_of_line()?;
        let instrument = self.instrument(&symbol)?;
        let (price, off) = self.ticks(instrument, price);
        let command = match self.desk.source.take() {
            Some(source) if mark => Command::MarkFrom { instrument, price, source },
            _ if mark => Command::Mark { instrument, price },
            _ => Command::Last { instrument, price },
        };
        self.apply(ts_ns, &command, OffGrid { amount: false, price: off })
    }

    fn index(&mut self) -> Result<(), Rejection> {
        self.only(&["symbol", "price", "venue"])?;
        let (symbol, price) = (self.fields.name("symbol")?, self.fields.decimal("price")?);
        let venue = self.fields.name_or_none("venue")?;
        let ts_ns = self.time_of_line()?;
        let instrument = self.instrument(&symbol)?;
        let name = venue.as_deref().unwrap_or("index");
        let venues = &self.desk.kernel.market().instrument(instrument).spec.prices.index.venues;
        let at = venues.iter().position(|venue| venue.name == name);
        let venue = at.and_then(|at| u16::try_from(at).ok()).ok_or_else(|| {
            let names: Vec<&str> = venues.iter().map(|venue| venue.name.as_str()).collect();
            Rejection::bad_value(format!("the index of {symbol} has no venue {name:?}, only {}", names.join(", ")))
        })?;
        let (price, off) = self.place("price", price, Grid::decimals(INDEX_DECIMALS));
        let command = Command::Index { instrument, venue, price };
        self.apply(ts_ns, &command, OffGrid { amount: false, price: off })
    }

    /// The funding rate by the rules of the instrument, at the time of the line.
    fn computed_rate(&self, instrument: InstrumentId, ts_ns: Option<u64>) -> Result<i64, Rejection> {
        let market = self.desk.kernel.market();
        let rate = market.funding_rate(instrument, ts_ns.unwrap_or(self.desk.kernel.now_ns()));
        rate.ok_or_else(|| {
            let symbol = &market.instrument(instrument).spec.symbol;
            let reason =
                format!("no funding rate of {symbol} is computed: it has no rules for it, or no premium was sampled");
            Rejection::new(Code::NoPrice, reason)
        })
    }

    fn funding(&mut self) -> Result<(), Rejection> {
        self.only(&["symbol", "rate"])?;
        let symbol = self.fields.name("symbol")?;
        let rate = self.fields.decimal_or_none("rate")?;
        let ts_ns = self.time_of_line()?;
        let instrument = self.instrument(&symbol)?;
        let (rate_ppb, off) = match rate {
            Some(rate) => self.place("rate", rate, Grid::ppb()),
            None => (self.computed_rate(instrument, ts_ns)?, false),
        };
        self.apply(ts_ns, &Command::Funding { instrument, rate_ppb }, off_amount(off))
    }

    fn book(&mut self) -> Result<(), Rejection> {
        let known = ["symbol", "bid", "ask", "impact_bid", "impact_ask", "bids", "asks"];
        self.only(&known)?;
        let symbol = self.fields.name("symbol")?;
        let mut prices = [None; 4];
        for (price, name) in prices.iter_mut().zip(&known[1..5]) {
            *price = self.fields.decimal_or_none(name)?;
        }
        let bids = levels("bids", self.fields.list_or_none("bids")?)?;
        let asks = levels("asks", self.fields.list_or_none("asks")?)?;
        if prices.iter().all(Option::is_none) && bids.is_none() && asks.is_none() {
            return Err(Rejection::malformed(
                "a book needs at least one of bid, ask, impact_bid, impact_ask, bids, asks",
            ));
        }
        let ts_ns = self.time_of_line()?;
        let instrument = self.instrument(&symbol)?;
        self.apply_book(ts_ns, instrument, prices, bids.as_deref(), asks.as_deref())
    }

    fn apply_book(
        &mut self,
        ts_ns: Option<u64>,
        instrument: InstrumentId,
        prices: [Option<Decimal>; 4],
        bids: Written<'_>,
        asks: Written<'_>,
    ) -> Result<(), Rejection> {
        check_levels(prices, bids, asks)?;
        let spec = &self.desk.kernel.market().instrument(instrument).spec;
        let off = |grid: Grid| move |value: &Decimal| steps(grid, *value).1;
        let off_tick = prices_of(prices, bids, asks).find(off(spec.tick)).map(|price| ("price", price, spec.tick));
        let off_lot =
            levels_of(bids, asks).map(|level| level.1).find(off(spec.lot)).map(|lots| ("qty", lots, spec.lot));
        if let Some((what, value, grid)) = off_tick.or(off_lot) {
            self.context.numbers.push((what, value, grid));
            return Err(self.context.explain(self.desk.kernel.market(), Refusal::OffGrid { what }));
        }
        let ticks = |price: Decimal| steps(spec.tick, price).0;
        let level = |&(price, quantity): &(Decimal, Decimal)| Level {
            price: ticks(price),
            quantity: steps(spec.lot, quantity).0,
        };
        let side = |levels: Written<'_>| levels.map(|levels| levels.iter().map(level).collect::<Vec<_>>());
        let (bids, asks) = (side(bids), side(asks));
        let [bid, ask, impact_bid, impact_ask] = prices.map(|price| price.map(ticks));
        if [impact_bid, impact_ask].into_iter().flatten().any(|price| !self.fits(instrument, price)) {
            return Err(Refusal::Overflow { what: "price · unit" }.into());
        }
        let (bids, asks) = (bids.as_deref(), asks.as_deref());
        let update = BookUpdate { bid, ask, impact_bid, impact_ask, bids, asks };
        Ok(self.desk.kernel.carry_out(ts_ns, &Input::Book(instrument, &update))?)
    }

    fn fits(&self, instrument: InstrumentId, price: Price) -> bool {
        i128::from(price) < LIMIT && self.desk.kernel.market().instrument(instrument).admitted_value(1, price).is_some()
    }

    /// The mode of an instrument, an account, or, where neither is named, of everything.
    fn mode(&mut self) -> Result<Answer, Rejection> {
        self.only(&["symbol", "account", "mode", "dry_run"])?;
        let (symbol, account) = (self.fields.name_or_none("symbol")?, self.fields.id_or_none("account")?);
        let words = Mode::ALL.map(|mode| (mode.as_str(), mode));
        let mode = self.fields.word("mode", &words)?;
        let dry_run = self.fields.flag_or("dry_run", false)?;
        if symbol.is_some() && account.is_some() {
            return Err(Rejection::malformed("a mode is of a symbol, of an account, or, with neither, of everything"));
        }
        let ts_ns = self.time_of_line()?;
        let scope = match (symbol, account) {
            (Some(symbol), _) => Scope::Instrument(self.instrument(&symbol)?),
            (None, Some(account)) => Scope::Account(account),
            (None, None) => Scope::All,
        };
        if !dry_run {
            self.apply(ts_ns, &Command::Mode { scope, mode }, OffGrid::NONE)?;
            return Ok(Answer::Events);
        }
        let seq = self.desk.seq;
        let found = self.desk.kernel.ask(move |overview| {
            let found = overview.preview_mode(scope, mode)?;
            Ok::<_, Refusal>(rules::dry_run(overview.market(), ("mode", scope), &found, seq))
        })?;
        let answer = found.map_err(|refusal| self.context.explain(self.desk.kernel.market(), refusal))?;
        self.desk.kernel.pass_time(ts_ns);
        Ok(Answer::Line(answer))
    }

    /// What a watchdog finds: of an instrument, or, where none is named, of everything.
    fn health(&mut self) -> Result<(), Rejection> {
        self.only(&["state", "symbol", "active", "mode"])?;
        let state = self.fields.word("state", &HealthState::ALL.map(|state| (state.as_str(), state)))?;
        let symbol = self.fields.name_or_none("symbol")?;
        let active = self.fields.flag_or("active", true)?;
        let mode = self.fields.word_or("mode", &Mode::ALL.map(|mode| (mode.as_str(), mode)), Mode::Normal)?;
        if !active && mode != Mode::Normal {
            return Err(Rejection::malformed("what is no more (\"active\":false) holds no mode"));
        }
        let ts_ns = self.time_of_line()?;
        let instrument = symbol.map(|symbol| self.instrument(&symbol)).transpose()?;
        self.apply(ts_ns, &Command::Health { state, instrument, active, mode }, OffGrid::NONE)
    }

    fn airlock_release(&mut self) -> Result<(), Rejection> {
        self.only(&["symbol", "action"])?;
        let symbol = self.fields.name("symbol")?;
        let accept = self.fields.word("action", &[("accept", true), ("discard", false)])?;
        let ts_ns = self.time_of_line()?;
        let instrument = self.instrument(&symbol)?;
        self.apply(ts_ns, &Command::AirlockRelease { instrument, accept }, OffGrid::NONE)
    }

    fn time(&mut self) -> Result<(), Rejection> {
        self.only(&[])?;
        let ts_ns = self.fields.id("ts")?;
        self.desk.check_time(Some(ts_ns))?;
        self.apply(None, &Command::Time { ts_ns }, OffGrid::NONE)
    }

    fn liquidation_fill(&mut self) -> Result<(), Rejection> {
        self.only(&["liquidation", "qty", "price"])?;
        let liquidation = self.fields.id("liquidation")?;
        let (quantity, price) = (self.fields.decimal("qty")?, self.fields.decimal("price")?);
        let ts_ns = self.time_of_line()?;
        let (order, instrument) = self.liquidation(liquidation)?;
        let (quantity, off_lot) = self.lots(instrument, quantity);
        let (price, off_tick) = self.ticks(instrument, price);
        let command = Command::LiquidationFill { order, instrument, quantity, price };
        self.apply(ts_ns, &command, OffGrid { amount: off_lot, price: off_tick })
    }

    fn liquidation_end(&mut self, command: fn(OrderName) -> Command) -> Result<(), Rejection> {
        self.only(&["liquidation"])?;
        let liquidation = self.fields.id("liquidation")?;
        let ts_ns = self.time_of_line()?;
        let (order, _) = self.liquidation(liquidation)?;
        self.apply(ts_ns, &command(order), OffGrid::NONE)
    }

    /// The order of a number, as long as it can still be filled, and its instrument.
    fn liquidation(&mut self, number: u64) -> Result<(OrderName, InstrumentId), Rejection> {
        self.context.liquidation = Some(number);
        let known = self.desk.kernel.ask(move |overview| overview.liquidation(number))?;
        let unknown = || Rejection::new(Code::UnknownLiquidation, reasons::unknown_liquidation(number));
        let (order, instrument) = known.ok_or_else(unknown)?;
        self.context.instrument = Some(instrument);
        Ok((order, instrument))
    }

    fn cancel_ack(&mut self) -> Result<(), Rejection> {
        self.only(&["account", "pool", "execution"])?;
        let (account, pool) = (self.fields.id("account")?, self.fields.text("pool")?);
        let execution = self.fields.id_or_none("execution")?.unwrap_or(0);
        let Some((kind, name)) = pool.split_once(':').filter(|(kind, _)| matches!(*kind, "cross" | "isolated")) else {
            let pool = Json::Text(pool);
            return Err(Rejection::malformed(format!(
                "pool must be like cross:USDT, isolated:BTCUSDT or isolated:BTCUSDT:long, not {pool}"
            )));
        };
        let ts_ns = self.time_of_line()?;
        let pool = match kind {
            "cross" => PoolName::Cross(self.desk.asset(name)?),
            _ => self.isolated(name)?,
        };
        self.apply(ts_ns, &Command::CancelAck { account, pool, execution }, OffGrid::NONE)
    }

    /// The pool of an instrument, or of a leg: a symbol may have a colon too, so the whole is tried first.
    fn isolated(&self, name: &str) -> Result<PoolName, Rejection> {
        let leg = || {
            let (symbol, word) = name.rsplit_once(':')?;
            let &(_, side) = LEGS.iter().find(|(known, _)| *known == word)?;
            Some(PoolName::Isolated(self.desk.instrument(symbol).ok()?, side))
        };
        match self.desk.instrument(name) {
            Ok(instrument) => Ok(PoolName::Isolated(instrument, None)),
            Err(unknown) => leg().ok_or(unknown),
        }
    }

    fn hold(&mut self) -> Result<(), Rejection> {
        self.only(&["account", "hold", "asset", "amount"])?;
        let (account, hold) = (self.fields.id("account")?, self.fields.id("hold")?);
        let (name, amount) = (self.fields.name("asset")?, self.fields.decimal("amount")?);
        let ts_ns = self.time_of_line()?;
        let asset = self.desk.asset(&name)?;
        let (amount, off) = self.quanta(asset, amount);
        self.apply(ts_ns, &Command::Hold { account, hold, asset, amount }, off_amount(off))
    }

    fn end_of_hold(&mut self, command: fn(u64, u64) -> Command) -> Result<(), Rejection> {
        self.only(&["account", "hold"])?;
        let (account, hold) = (self.fields.id("account")?, self.fields.id("hold")?);
        let ts_ns = self.time_of_line()?;
        self.apply(ts_ns, &command(account, hold), OffGrid::NONE)
    }
}

fn off_amount(off: bool) -> OffGrid {
    OffGrid { amount: off, price: false }
}

/// A list of `[price, qty]` pairs.
fn levels(name: &str, list: Option<Vec<Json>>) -> Result<Option<Vec<(Decimal, Decimal)>>, Rejection> {
    let pair = |level: Json| match level {
        Json::List(pair) if pair.len() == 2 => Ok((as_decimal(name, &pair[0])?, as_decimal(name, &pair[1])?)),
        other => Err(Rejection::malformed(format!("each of {name} must be a pair [price, qty], not {other}"))),
    };
    list.map(|list| list.into_iter().map(pair).collect()).transpose()
}

/// A side of a book as it was written: (price, quantity), best first.
type Written<'a> = Option<&'a [(Decimal, Decimal)]>;

fn levels_of<'a>(bids: Written<'a>, asks: Written<'a>) -> impl Iterator<Item = &'a (Decimal, Decimal)> {
    bids.into_iter().chain(asks).flatten()
}

fn prices_of<'a>(
    best: [Option<Decimal>; 4],
    bids: Written<'a>,
    asks: Written<'a>,
) -> impl Iterator<Item = Decimal> + 'a {
    best.into_iter().flatten().chain(levels_of(bids, asks).map(|&(price, _)| price))
}

/// The checks of value of a book, on what was written: before any of it is placed on a grid.
fn check_levels(prices: [Option<Decimal>; 4], bids: Written<'_>, asks: Written<'_>) -> Result<(), Rejection> {
    let nothing = prices_of(prices, bids, asks).any(Decimal::is_nonpositive)
        || levels_of(bids, asks).any(|&(_, quantity)| quantity.is_nonpositive());
    if nothing {
        return Err(Rejection::bad_value("every price and qty of a book must be above zero"));
    }
    let falls = |pair: &[(Decimal, Decimal)]| pair[0].0 > pair[1].0;
    let rises = |pair: &[(Decimal, Decimal)]| pair[0].0 < pair[1].0;
    if !bids.is_none_or(|bids| bids.windows(2).all(falls)) {
        return Err(Rejection::bad_value("the prices of bids must fall from level to level"));
    }
    if !asks.is_none_or(|asks| asks.windows(2).all(rises)) {
        return Err(Rejection::bad_value("the prices of asks must rise from level to level"));
    }
    Ok(())
}
