//! Corrections as lines.

use super::Rejection;
use super::fields::Fields;
use super::operations::{LEGS, Reader, SIDES};
use crate::command::{PositionSide, Side};
use crate::correction::{Correction, CorrectionOffGrid, Remedy, Trade};
use crate::decimal::Decimal;
use crate::driver::{Driver, Input};
use crate::market::AssetId;

/// What every correction says.
const COMMON: [&str; 4] = ["account", "corrects", "reason", "principal"];

/// What every correction says for itself.
struct Said {
    corrects: u64,
    reason: String,
    principal: String,
}

/// A fill as a line names it, before names and numbers are placed.
struct TradeLine {
    account: u64,
    counterparty: Option<u64>,
    symbol: String,
    side: Side,
    quantity: Decimal,
    price: Decimal,
    position_side: Option<PositionSide>,
    counter_position_side: Option<PositionSide>,
}

impl TradeLine {
    const FIELDS: [&'static str; 7] =
        ["symbol", "side", "qty", "price", "counterparty", "position_side", "counter_position_side"];

    fn read(fields: &mut Fields) -> Result<Self, Rejection> {
        let line = Self {
            account: fields.id("account")?,
            counterparty: fields.id_or_none("counterparty")?,
            symbol: fields.name("symbol")?,
            side: fields.word("side", SIDES)?,
            quantity: fields.decimal("qty")?,
            price: fields.decimal("price")?,
            position_side: fields.word_or("position_side", LEGS, None)?,
            counter_position_side: fields.word_or("counter_position_side", LEGS, None)?,
        };
        line.only_with_counterparty("counter_position_side", line.counter_position_side.is_some())?;
        Ok(line)
    }

    /// Refuses a field about a counterparty that is not named.
    fn only_with_counterparty(&self, field: &str, given: bool) -> Result<(), Rejection> {
        if given && self.counterparty.is_none() {
            return Err(Rejection::malformed(format!("{field} is given without a counterparty")));
        }
        Ok(())
    }
}

impl<D: Driver> Reader<'_, D> {
    pub(super) fn correct(&mut self, op: &str) -> Result<(), Rejection> {
        match op {
            "bust" => self.bust(),
            "reprice" => self.reprice(),
            "adjust" => self.adjust(),
            _ => self.compensate(),
        }
    }

    fn bust(&mut self) -> Result<(), Rejection> {
        self.only_of_correction(&[&TradeLine::FIELDS[..], &["fee", "counter_fee"]].concat())?;
        let line = TradeLine::read(&mut self.fields)?;
        let fee = self.fields.decimal_or("fee", Decimal::ZERO)?;
        let counter_fee = self.fields.decimal_or_none("counter_fee")?;
        line.only_with_counterparty("counter_fee", counter_fee.is_some())?;
        let (said, ts_ns) = self.said_and_time()?;
        let (trade, mut off_grid) = self.trade(&line)?;
        let settle = self.desk.kernel.market().instrument(trade.instrument).spec.settle;
        let (fee, off_fee) = self.amount("fee", settle, fee);
        let (counter_fee, off_counter_fee) = self.amount("counter_fee", settle, counter_fee.unwrap_or(Decimal::ZERO));
        (off_grid.fee, off_grid.counter_fee) = (off_fee, off_counter_fee);
        self.apply_correction(ts_ns, said, Remedy::Bust { trade, fee, counter_fee }, off_grid)
    }

    fn reprice(&mut self) -> Result<(), Rejection> {
        self.only_of_correction(&[&TradeLine::FIELDS[..], &["to"]].concat())?;
        let line = TradeLine::read(&mut self.fields)?;
        let to = self.fields.decimal("to")?;
        let (said, ts_ns) = self.said_and_time()?;
        let (trade, mut off_grid) = self.trade(&line)?;
        let tick = self.desk.kernel.market().instrument(trade.instrument).spec.tick;
        let (to, off_to) = self.place("to", to, tick);
        off_grid.to = off_to;
        self.apply_correction(ts_ns, said, Remedy::Reprice { trade, to }, off_grid)
    }

    fn adjust(&mut self) -> Result<(), Rejection> {
        self.only_of_correction(&["asset", "amount"])?;
        let (account, name) = (self.fields.id("account")?, self.fields.name("asset")?);
        let amount = self.fields.decimal("amount")?;
        let (said, ts_ns) = self.said_and_time()?;
        let asset = self.desk.asset(&name)?;
        let (amount, off) = self.quanta(asset, amount);
        let off_grid = CorrectionOffGrid { amount: off, ..CorrectionOffGrid::NONE };
        self.apply_correction(ts_ns, said, Remedy::Adjust { account, asset, amount }, off_grid)
    }

    fn compensate(&mut self) -> Result<(), Rejection> {
        self.only_of_correction(&["asset", "amount", "fund"])?;
        let (account, name) = (self.fields.id("account")?, self.fields.name("asset")?);
        let (amount, fund) = (self.fields.decimal("amount")?, self.fields.name_or_none("fund")?);
        let (said, ts_ns) = self.said_and_time()?;
        let asset = self.desk.asset(&name)?;
        let own = self.desk.kernel.market().asset(asset).fund;
        let fund = fund.map_or(Ok(own), |fund| self.desk.fund(&fund))?;
        let (amount, off) = self.quanta(asset, amount);
        let off_grid = CorrectionOffGrid { amount: off, ..CorrectionOffGrid::NONE };
        self.apply_correction(ts_ns, said, Remedy::Compensate { account, asset, amount, fund }, off_grid)
    }

    fn only_of_correction(&self, own: &[&str]) -> Result<(), Rejection> {
        self.only(&[&COMMON[..], own].concat())
    }

    /// What is corrected, why, and on whose order; and, the last check of form, the time.
    fn said_and_time(&mut self) -> Result<(Said, Option<u64>), Rejection> {
        let corrects = self.fields.id("corrects")?;
        let (reason, principal) = (self.fields.text("reason")?, self.fields.text("principal")?);
        Ok((Said { corrects, reason, principal }, self.time_of_line()?))
    }

    /// A trade on its grids.
    fn trade(&mut self, line: &TradeLine) -> Result<(Trade, CorrectionOffGrid), Rejection> {
        let instrument = self.instrument(&line.symbol)?;
        let (quantity, off_lot) = self.lots(instrument, line.quantity);
        let (price, off_tick) = self.ticks(instrument, line.price);
        let trade = Trade {
            account: line.account,
            counterparty: line.counterparty,
            instrument,
            side: line.side,
            quantity,
            price,
            position_side: line.position_side,
            counter_position_side: line.counter_position_side,
        };
        Ok((trade, CorrectionOffGrid { amount: off_lot, price: off_tick, ..CorrectionOffGrid::NONE }))
    }

    /// The quanta of a field, and whether it is finer than one.
    fn amount(&mut self, field: &'static str, asset: AssetId, value: Decimal) -> (i64, bool) {
        self.place(field, value, self.desk.kernel.market().quanta(asset))
    }

    fn apply_correction(
        &mut self,
        ts_ns: Option<u64>,
        Said { corrects, reason, principal }: Said,
        remedy: Remedy,
        off_grid: CorrectionOffGrid,
    ) -> Result<(), Rejection> {
        let correction = Correction { corrects, reason, principal, remedy };
        let input = Input::Correct { correction: &correction, off_grid, present: self.desk.seq };
        let applied = self.desk.kernel.carry_out(ts_ns, &input);
        applied.map_err(|refusal| self.context.explain(self.desk.kernel.market(), refusal))
    }
}
