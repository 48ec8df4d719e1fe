//! Checks before an input gets its place: those that depend on no single account.
//!
//! The checks of one account are made by its shard, those of a fund by the arbiter, in the same order of the protocol.
//! What two shards would have to agree on is decided here: that the accounts of a fill exist, and that the open
//! interest keeps within bounds.

use crate::arbiter::Arbiter;
use crate::checks;
use crate::command::{Command, Fill, OffGrid, OrderOwner, PositionSide};
use crate::controls::Scope;
use crate::jobs::{JobKind, JobName, Part};
use crate::kernel::Declaration;
use crate::market::{AssetId, InstrumentId, Market};
use crate::number::{PPB, Price, Quantity};
use crate::prices::INDEX_LIMIT;
use crate::refusal::Refusal;
use crate::shard::{Place, Shard};
use crate::venue::{BookUpdate, Level};

/// An account that exists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) hedges: bool,
    /// Where it is, if that can be known here.
    pub(crate) place: Option<Place>,
}

/// Where the accounts of an input are: found once, by the checks, for all that comes after them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    pub(crate) own: Option<Place>,
    pub(crate) counter: Option<Place>,
}

/// What the checks need to know of the accounts as a whole.
pub(crate) trait Facts {
    /// An account, and what it has in an instrument; none if it does not exist.
    fn find(&self, account: u64, instrument: InstrumentId) -> Option<Known>;

    /// Whether an account exists.
    fn knows(&self, account: u64) -> bool;

    /// Whether an account that exists is in hedge mode.
    fn hedges(&self, account: u64) -> bool;

    /// Whether the value of the open interest at `price` stays below 2^62 after `command`.
    fn open_interest_fits(
        &mut self,
        market: &Market,
        input: (&Command, OffGrid),
        found: &Found,
        instrument: InstrumentId,
        price: Price,
    ) -> bool;
}

/// Checks a command as far as that needs no shard. Says where the accounts of a fill or an order are.
///
/// # Errors
///
/// The refusal; nothing has changed.
#[inline]
pub(crate) fn check(
    market: &Market,
    facts: &mut impl Facts,
    command: &Command,
    off_grid: OffGrid,
) -> Result<Found, Refusal> {
    match *command {
        Command::Fill(ref fill) => check_fill(market, facts, command, fill, off_grid),
        Command::Order(ref order) => {
            check_instrument(market, order.instrument)?;
            let own = find(facts, order.account, order.instrument)?;
            Ok(Found { own: own.place, counter: None })
        }
        Command::Mark { instrument, price } | Command::MarkFrom { instrument, price, .. } => {
            check_instrument(market, instrument)?;
            if market.instrument(instrument).spec.prices.mark.is_computed() {
                return Err(Refusal::BadDeclaration {
                    what: "the mark of this instrument is computed, and cannot be given",
                });
            }
            check_price(market, instrument, price, off_grid)?;
            let fits = facts.open_interest_fits(market, (command, off_grid), &Found::default(), instrument, price);
            if fits { Ok(Found::default()) } else { Err(Refusal::Overflow { what: "open interest · mark · unit" }) }
        }
        Command::Index { instrument, venue, price } => {
            check_index(market, instrument, venue, price, off_grid)?;
            let at = market.instrument(instrument);
            let price = at.dearest_with_index(price);
            let fits = !at.spec.prices.mark.is_computed()
                || facts.open_interest_fits(market, (command, off_grid), &Found::default(), instrument, price);
            if fits { Ok(Found::default()) } else { Err(Refusal::Overflow { what: "open interest · mark · unit" }) }
        }
        _ => check_names(market, facts, command, off_grid).map(|()| Found::default()),
    }
}

/// Checks a declaration as far as that needs no shard: where a mark is to be computed, also that the open interest is not too
/// much for the marks that it may come to.
///
/// # Errors
///
/// The refusal; nothing has changed.
pub(crate) fn check_declaration(
    market: &Market,
    facts: &mut impl Facts,
    declaration: &Declaration,
    now_ns: u64,
) -> Result<(), Refusal> {
    declaration.check(market)?;
    let Declaration::Rules { instrument: id, spec } = declaration else { return Ok(()) };
    let instrument = market.instrument(*id);
    if instrument.spec.prices == spec.prices {
        return Ok(());
    }
    let Some(price) = instrument.dearest_under(spec, now_ns) else { return Ok(()) };
    let fits = facts.open_interest_fits(
        market,
        (&Command::Time { ts_ns: now_ns }, OffGrid::NONE),
        &Found::default(),
        *id,
        price,
    );
    if fits { Ok(()) } else { Err(Refusal::Overflow { what: "open interest · mark · unit" }) }
}

fn check_names(market: &Market, facts: &mut impl Facts, command: &Command, off_grid: OffGrid) -> Result<(), Refusal> {
    match *command {
        Command::Last { instrument, price } => {
            check_price(market, instrument, price, off_grid)?;
            let value = market.instrument(instrument).admitted_value(1, price);
            value.map(drop).ok_or(Refusal::Overflow { what: "price · unit" })
        }
        Command::Leverage { account, instrument, .. }
        | Command::MarginMode { account, instrument, .. }
        | Command::IsolatedMargin { account, instrument, .. } => {
            check_instrument(market, instrument)?;
            check_account(facts, account)
        }
        Command::Mode { scope, .. } => check_scope(market, facts, scope),
        Command::Health { instrument, .. } => instrument.map_or(Ok(()), |id| check_instrument(market, id)),
        Command::AirlockRelease { instrument, .. } => check_instrument(market, instrument),
        Command::Funding { instrument, rate_ppb } => check_funding(market, instrument, rate_ppb, off_grid),
        Command::Chunk { job, part } => check_part(market, job, part),
        Command::Account { account, .. } if facts.knows(account) => Err(Refusal::DuplicateAccount(account)),
        Command::Account { .. }
        | Command::Mark { .. }
        | Command::MarkFrom { .. }
        | Command::Index { .. }
        | Command::Fill(_)
        | Command::Order(_)
        | Command::Time { .. } => Ok(()),
        Command::Deposit { asset, amount, .. } => {
            check_asset(market, asset)?;
            checks::amount(amount, off_grid)
        }
        Command::Withdraw { account, asset, .. } | Command::Hold { account, asset, .. } => {
            check_asset(market, asset)?;
            check_account(facts, account)
        }
        Command::Cancel { account, .. } | Command::Commit { account, .. } | Command::Release { account, .. } => {
            check_account(facts, account)
        }
        Command::CancelAck { account, .. } => check_account(facts, account),
        Command::FundDeposit { fund, .. } => {
            market.funds.get(fund.index()).map(drop).ok_or(Refusal::UnknownFund(fund.0))
        }
        Command::LiquidationFill { order, instrument, price, .. } => {
            let known = owns_orders(market, facts, order.owner) && check_instrument(market, instrument).is_ok();
            if !known {
                return Err(Refusal::UnknownLiquidation(order));
            }
            // The checks of the order come first; where they refuse, the open interest is not asked.
            let price = market.instrument(instrument).dearest(price);
            let fits = facts.open_interest_fits(market, (command, off_grid), &Found::default(), instrument, price);
            if fits { Ok(()) } else { Err(Refusal::Overflow { what: "open interest · price · unit" }) }
        }
        Command::LiquidationExpire { order } | Command::LiquidationUnknown { order } => {
            let known = owns_orders(market, facts, order.owner);
            if known { Ok(()) } else { Err(Refusal::UnknownLiquidation(order)) }
        }
    }
}

fn check_funding(market: &Market, id: InstrumentId, rate_ppb: i64, off_grid: OffGrid) -> Result<(), Refusal> {
    check_instrument(market, id)?;
    let one = PPB as i64;
    // Off the grid, the rate lies above its steps.
    if rate_ppb >= one || rate_ppb < -one || (rate_ppb == -one && !off_grid.amount) {
        return Err(Refusal::RateBeyondOne);
    }
    checks::on_grid(off_grid, "rate")?;
    if market.has_job(JobName { instrument: id, kind: JobKind::Settlement }) {
        return Err(Refusal::Busy { what: "a settlement" });
    }
    market.instrument(id).mark.map(drop).ok_or(Refusal::NoMark)
}

/// Pieces come in order, and of the oldest job alone.
fn check_part(market: &Market, name: JobName, part: Part) -> Result<(), Refusal> {
    let oldest = market.jobs.first().filter(|job| job.name == name).ok_or(Refusal::NotDue)?;
    match part {
        Part::UpTo(account) if oldest.has_done(account) => Err(Refusal::NotDue),
        Part::UpTo(_) | Part::End => Ok(()),
    }
}

fn owns_orders(market: &Market, facts: &impl Facts, owner: OrderOwner) -> bool {
    match owner {
        OrderOwner::Account(account) => facts.knows(account),
        OrderOwner::Fund(instrument) => check_instrument(market, instrument).is_ok(),
    }
}

fn check_price(market: &Market, instrument: InstrumentId, price: Price, off_grid: OffGrid) -> Result<(), Refusal> {
    check_instrument(market, instrument)?;
    checks::positive("price", price, off_grid.price)?;
    checks::on_grid(off_grid, "qty")
}

/// A price at a venue of an index.
fn check_index(
    market: &Market,
    instrument: InstrumentId,
    venue: u16,
    price: i64,
    off_grid: OffGrid,
) -> Result<(), Refusal> {
    check_instrument(market, instrument)?;
    if usize::from(venue) >= market.instrument(instrument).spec.prices.index.venues.len() {
        return Err(Refusal::BadDeclaration { what: "the index of this instrument has no such venue" });
    }
    checks::positive("price", price, off_grid.price)?;
    checks::on_grid(off_grid, "qty")?;
    if price < INDEX_LIMIT { Ok(()) } else { Err(Refusal::Overflow { what: "the price, in steps of 10^-8," }) }
}

fn check_fill(
    market: &Market,
    facts: &mut impl Facts,
    command: &Command,
    fill: &Fill,
    off_grid: OffGrid,
) -> Result<Found, Refusal> {
    check_instrument(market, fill.instrument)?;
    let own = find(facts, fill.account, fill.instrument)?;
    let counter = fill.counterparty.map(|account| Ok((account, find(facts, account, fill.instrument)?))).transpose()?;
    checks::position_side(fill.account, fill.position_side, own.hedges)?;
    if let Some((counterparty, known)) = counter {
        checks::position_side(counterparty, fill.counter_position_side, known.hedges)?;
    }
    if fill.counterparty == Some(fill.account) {
        return Err(Refusal::SelfFill(fill.account));
    }
    checks::positive("qty", fill.quantity, off_grid.amount)?;
    checks::positive("price", fill.price, off_grid.price)?;
    checks::on_grid(off_grid, "qty")?;
    let overflow = Refusal::Overflow { what: "quantity · price · unit" };
    let instrument = market.instrument(fill.instrument);
    instrument.admitted_value(fill.quantity, fill.price).ok_or(overflow)?;
    let price = instrument.dearest(fill.price);
    instrument.admitted_value(fill.quantity, price).ok_or(overflow)?;
    let found = Found { own: own.place, counter: counter.and_then(|(_, known)| known.place) };
    let fits = facts.open_interest_fits(market, (command, off_grid), &found, fill.instrument, price);
    if fits { Ok(found) } else { Err(overflow) }
}

fn find(facts: &impl Facts, account: u64, instrument: InstrumentId) -> Result<Known, Refusal> {
    facts.find(account, instrument).ok_or(Refusal::UnknownAccount(account))
}

pub(super) fn check_account(facts: &impl Facts, account: u64) -> Result<(), Refusal> {
    if facts.knows(account) { Ok(()) } else { Err(Refusal::UnknownAccount(account)) }
}

pub(super) fn check_instrument(market: &Market, id: InstrumentId) -> Result<(), Refusal> {
    if id.index() < market.instruments.len() { Ok(()) } else { Err(Refusal::UnknownInstrument(id.0)) }
}

fn check_scope(market: &Market, facts: &impl Facts, scope: Scope) -> Result<(), Refusal> {
    match scope {
        Scope::All => Ok(()),
        Scope::Instrument(instrument) => check_instrument(market, instrument),
        Scope::Account(account) => check_account(facts, account),
        Scope::Fund(_) => {
            Err(Refusal::BadDeclaration { what: "the mode of a fund follows from what it loses, and cannot be set" })
        }
    }
}

pub(super) fn check_asset(market: &Market, id: AssetId) -> Result<(), Refusal> {
    if id.index() < market.assets.len() { Ok(()) } else { Err(Refusal::UnknownAsset(id.0)) }
}

/// Checks new depth of the simulated venue.
///
/// # Errors
///
/// Unknown instrument, prices or quantities that are not positive, in the wrong order or too large.
pub(crate) fn check_book(market: &Market, id: InstrumentId, update: &BookUpdate<'_>) -> Result<(), Refusal> {
    check_instrument(market, id)?;
    let instrument = market.instrument(id);
    let levels = || update.bids.into_iter().chain(update.asks).flatten();
    let impact = update.impact_bid.into_iter().chain(update.impact_ask);
    let prices = || {
        let best = update.bid.into_iter().chain(update.ask).chain(impact.clone());
        best.chain(levels().map(|level| level.price))
    };
    if prices().any(|price| price <= 0) {
        return Err(Refusal::NotPositive { what: "every price" });
    }
    if levels().any(|level| level.quantity <= 0) {
        return Err(Refusal::NotPositive { what: "every qty" });
    }
    let fits = levels().all(|level| instrument.admitted_value(level.quantity, level.price).is_some())
        && prices().all(|price| instrument.admitted_value(1, price).is_some());
    if !fits {
        return Err(Refusal::Overflow { what: "qty · price · unit" });
    }
    let ordered = |levels: Option<&[Level]>, in_order: fn(Price, Price) -> bool| {
        levels.is_none_or(|levels| levels.is_sorted_by(|a, b| in_order(a.price, b.price)))
    };
    if !ordered(update.bids, |a, b| a > b) || !ordered(update.asks, |a, b| a < b) {
        return Err(Refusal::BadDeclaration { what: "bids must fall and asks must rise from level to level" });
    }
    Ok(())
}

/// As [`check_book`], and that it is not crossed, where the rules in force are those that refuse that. A book may be so all the same: its sides come one by one.
///
/// # Errors
///
/// The refusal; nothing has changed.
pub(crate) fn check_book_update(market: &Market, id: InstrumentId, update: &BookUpdate<'_>) -> Result<(), Refusal> {
    check_book(market, id, update)?;
    if market.rules.refuses_crossed_books() && update.is_crossed() {
        return Err(Refusal::BadDeclaration { what: "a bid must not be above the ask that comes with it" });
    }
    Ok(())
}

/// Lots of all long positions of an instrument: accounts', inventory's and the external venue's.
#[inline]
pub(crate) fn open_interest(shards: &[Box<Shard>], arbiter: &Arbiter, instrument: InstrumentId) -> Quantity {
    let accounts: i64 = shards.iter().map(|shard| shard.long_lots(instrument)).sum();
    accounts + arbiter.ledger.long_lots[instrument.index()]
}

/// By how much a command can raise the open interest at most, whatever the accounts hold.
pub(crate) fn open_interest_growth(command: &Command) -> Quantity {
    match command {
        Command::Fill(fill) => fill.quantity,
        Command::LiquidationFill { quantity, .. } => (*quantity).max(0),
        _ => 0,
    }
}

/// The open interest of an instrument after a command, exactly; none where a shard or the arbiter will refuse it.
pub(crate) fn open_interest_after(
    market: &Market,
    shards: &[Box<Shard>],
    arbiter: &Arbiter,
    (command, off_grid): (&Command, OffGrid),
    found: &Found,
    instrument: InstrumentId,
) -> Option<Quantity> {
    let longer = |before: Quantity, change: Quantity| (before + change).max(0) - before.max(0);
    let growth = |account: u64, found: Option<Place>, side: Option<PositionSide>, change: Quantity| {
        let place = found.or_else(|| Place::find(shards, account, instrument));
        place.map_or(0, |place| shards[place.shard as usize].long_growth(place.first, side, change))
    };
    let venue = arbiter.ledger.venue_positions[instrument.index()].quantity;
    let present = open_interest(shards, arbiter, instrument);
    let grown = match *command {
        Command::Fill(ref fill) => {
            let change = fill.side.signed(fill.quantity);
            let counter = match fill.counterparty {
                Some(account) => growth(account, found.counter, fill.counter_position_side, -change),
                None => longer(venue, -change),
            };
            growth(fill.account, found.own, fill.position_side, change) + counter
        }
        Command::LiquidationFill { order, quantity: lots, price, .. } => {
            let inventory = arbiter.inventory()[instrument.index()].position.quantity;
            let (side, own) = match order.owner {
                OrderOwner::Account(account) => {
                    let shard = shards.iter().find(|shard| shard.owns(account))?;
                    let asked = (order, instrument);
                    let plan = shard.plan_fill(market, shard.find(account)?, asked, (lots, price), off_grid).ok()?;
                    (plan.side, plan.lots)
                }
                OrderOwner::Fund(id) => {
                    let side = arbiter.check_unwind_fill(market, (id, order.nth), (lots, price), off_grid).ok()?;
                    (side, 0)
                }
            };
            // An order closes: what is the account's of it makes no position longer.
            side.signed(own).min(0) + longer(inventory, side.signed(lots - own)) + longer(venue, -side.signed(lots))
        }
        _ => 0,
    };
    Some(present + grown)
}
