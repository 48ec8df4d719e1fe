//! The arbiter in a snapshot: its books. What follows from them and from the market is made anew.

use super::Arbiter;
use super::drawdown::{MinuteLoss, Watch};
use super::queues::Queues;
use crate::market::{InstrumentId, Market};
use crate::number::LIMIT;
use crate::shard::is_position;
use crate::snapshot::{Loader, Unfit, is_sum};

impl Arbiter {
    pub(crate) fn load(market: &Market, from: &mut Loader<'_>) -> Result<Self, Unfit> {
        let mut arbiter: Self = from.take()?;
        arbiter.check(market).map_err(|what| from.unfit(what))?;
        arbiter.rebuild(market);
        Ok(arbiter)
    }

    fn check(&self, market: &Market) -> Result<(), &'static str> {
        let (assets, funds, instruments) = (market.assets.len(), market.funds.len(), market.instruments.len());
        if [self.balances.len(), self.watches.len(), self.losses.len()] != [funds; 3]
            || [self.inventory.len(), self.to_settle.len()] != [instruments; 2]
            || !self.ledger.has_lengths(assets, instruments)
        {
            return Err("columns of other lengths than there are assets, funds and instruments");
        }
        if !self.balances.iter().all(|&balance| is_sum(balance)) || !self.ledger.is_sound() {
            return Err("a sum that cannot be");
        }
        let is_lots = |lots: &i64| i128::from(*lots).abs() < LIMIT;
        if !self.to_settle.iter().flatten().all(is_lots) {
            return Err("lots to settle that cannot be");
        }
        for (watch, fund) in self.watches.iter().zip(&market.funds) {
            if watch.as_ref().map(Watch::rule) != fund.drawdown || !watch.as_ref().is_none_or(Watch::is_sound) {
                return Err("a drawdown that cannot be");
            }
        }
        for (loss, fund) in self.losses.iter().zip(&market.funds) {
            let most = loss.as_ref().map(MinuteLoss::most);
            let bounded =
                most == fund.max_loss_per_minute || fund.max_loss_per_minute.is_none() && most == Some(i128::MAX);
            if !bounded || !loss.as_ref().is_none_or(MinuteLoss::is_sound) {
                return Err("losses of a minute that cannot be");
            }
        }
        let sound = |inventory: &super::Inventory| {
            is_position(&inventory.position) && inventory.unwinding.is_sound(inventory.position.quantity)
        };
        if self.inventory.iter().all(sound) { Ok(()) } else { Err("inventory that cannot be") }
    }

    fn rebuild(&mut self, market: &Market) {
        self.gains = vec![0; market.funds.len()];
        self.turned.reserve(market.funds.len());
        self.held = Vec::with_capacity(self.inventory.len());
        let held = |index: &usize| self.inventory[*index].position.quantity != 0;
        self.held.extend((0..self.inventory.len()).filter(held).map(|index| InstrumentId(index as u32)));
        self.watched = self.watches.iter().any(Option::is_some) || self.losses.iter().any(Option::is_some);
        self.queues = Queues::default();
        for index in 0..self.inventory.len() {
            self.queues.add_instrument();
            self.inventory[index].unwinding.reserve();
            self.recount(market, index);
            let held = self.inventory[index].position.quantity.max(0);
            self.ledger.count_long(InstrumentId(index as u32), held);
        }
    }
}
