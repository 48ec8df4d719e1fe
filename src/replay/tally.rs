//! What happened, counted from the events.

use crate::event::{Event, FundReason, Outcome, Owner, Step};
use crate::market::{AssetId, InstrumentId, Market};

/// Sums of an asset, in quanta. Notionals are at the price of the fill, those of takeovers at the mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Money {
    /// Notional filled at the venue in reductions to the tier below.
    pub tier: i128,
    /// Notional filled at the venue in reductions by a fixed part.
    pub fraction: i128,
    /// Notional filled at the venue in closings of whole positions.
    pub all: i128,
    /// Notional taken over by the funds.
    pub taken_over: i128,
    /// Notional of deleveraging trades, of bankrupt pools and of inventory.
    pub deleveraged: i128,
    /// Of these, of inventory.
    pub deleveraged_inventory: i128,
    /// Notional of inventory unwound at the venue.
    pub unwound: i128,
    /// Liquidation fees.
    pub fees: i128,
    /// What funds paid to make deficits of pools good.
    pub deficits: i128,
}

impl Money {
    /// Notional that liquidation orders of accounts closed at the venue.
    #[must_use]
    pub fn liquidated(&self) -> i128 {
        self.tier + self.fraction + self.all
    }
}

/// What happened. All counts are of events unless stated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Pools locked.
    pub started: u64,
    /// Liquidations that ended with the pool out of breach.
    pub cured: u64,
    /// Liquidations that ended with nothing left.
    pub closed: u64,
    /// Orders to the tier below.
    pub tier: u64,
    /// Orders for a fixed part.
    pub fraction: u64,
    /// Orders for whole positions.
    pub all: u64,
    /// Takeovers.
    pub takeovers: u64,
    /// Deleveraging trades against bankrupt pools.
    pub adl: u64,
    /// Deleveraging trades against inventory of a fund below its floor.
    pub adl_inventory: u64,
    /// Unwinding orders.
    pub unwinds: u64,
    /// Pools whose deficit a fund made good.
    pub deficits: u64,
    /// Times that a fund was found below zero.
    pub fund_deficits: u64,
    /// By asset.
    pub money: Vec<Money>,
}

impl Tally {
    pub(crate) fn new(assets: usize) -> Self {
        Self { money: vec![Money::default(); assets], ..Self::default() }
    }

    /// Counts the events of one input. `market` is as after it.
    pub(crate) fn add(&mut self, market: &Market, events: &[Event]) {
        // The simulated venues answer at once: a fill belongs to the order announced last.
        let mut step = Step::All;
        for event in events {
            match *event {
                Event::LiquidationStarted { .. } => self.started += 1,
                Event::LiquidationEnded { outcome: Outcome::Cured, .. } => self.cured += 1,
                Event::LiquidationEnded { outcome: Outcome::Closed, .. } => self.closed += 1,
                Event::LiquidationOrder { step: announced, .. } => {
                    step = announced;
                    match step {
                        Step::Tier => self.tier += 1,
                        Step::Fraction => self.fraction += 1,
                        Step::All => self.all += 1,
                        Step::Unwind => self.unwinds += 1,
                    }
                }
                Event::LiquidationFill { instrument, quantity, price, fee, .. } => {
                    let notional = market.instrument(instrument).notional(quantity, price);
                    let money = self.money(settle(market, instrument));
                    money.fees += fee;
                    match step {
                        Step::Tier => money.tier += notional,
                        Step::Fraction => money.fraction += notional,
                        Step::All => money.all += notional,
                        Step::Unwind => money.unwound += notional,
                    }
                }
                Event::Takeover { instrument, quantity, .. } => {
                    let at = market.instrument(instrument);
                    self.takeovers += 1;
                    self.money(at.spec.settle).taken_over += at.mark.map_or(0, |mark| at.notional(quantity, mark));
                }
                Event::Deleveraged { owner, instrument, quantity, price, .. } => {
                    let notional = market.instrument(instrument).notional(quantity, price);
                    let money = self.money(settle(market, instrument));
                    money.deleveraged += notional;
                    match owner {
                        Owner::Account(_) => self.adl += 1,
                        Owner::Fund => {
                            money.deleveraged_inventory += notional;
                            self.adl_inventory += 1;
                        }
                    }
                }
                Event::Fund { fund, delta, reason: FundReason::Deficit, .. } => {
                    self.deficits += 1;
                    self.money(market.fund(fund).asset).deficits -= delta;
                }
                Event::FundDeficit { .. } => self.fund_deficits += 1,
                _ => {}
            }
        }
    }

    fn money(&mut self, asset: AssetId) -> &mut Money {
        &mut self.money[asset.index()]
    }
}

fn settle(market: &Market, instrument: InstrumentId) -> AssetId {
    market.instrument(instrument).spec.settle
}
