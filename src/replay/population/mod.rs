//! A generated population: accounts that have been trading for a while.
//!
//! Instruments may settle in different assets: an account has collateral in each that its positions settle in, drawn by
//! itself, as its pools are apart.
//!
//! Every position has its counterparty inside the population, so that `Σ q = 0` and the external venue account is not
//! touched. Accounts are made one after the other; what an account wants is matched against those before it that still
//! lack a counterparty, and what lacks one in the end is dropped. Fills come before any mark, when nothing can be in
//! breach; then every pool gets the collateral that puts it at its drawn distance from liquidation at the starting
//! prices.
//!
//! What is drawn from which distribution: [`describe`].

mod draw;
mod matching;
mod need;
mod tables;

pub(crate) use draw::{draw_mode, draw_notional};
pub(crate) use need::Need;
pub(crate) use tables::{FREE_PERCENT, LEVERAGE};
pub use tables::{FUND_PPM, describe};

use super::error::ReplayError;
use super::random::Random;
use crate::command::{Command, Fill, MarginMode, PositionMode, PositionSide};
use crate::kernel::Kernel;
use crate::market::{AssetId, InstrumentId};
use crate::number::{Price, mul_div_floor};
use crate::refusal::Refusal;
use draw::{Wish, draw_other_leg, draw_wishes, draws_hedge};
use matching::{Holder, Matching};
use need::while_coming_to_life;
use std::ops::Range;

/// Room for the accounts' average number of positions, for the kernel's capacity.
pub(super) const POSITIONS_PER_ACCOUNT: usize = 2;

/// What sets the stream of hedge mode apart from the others of a seed.
const HEDGE_STREAM: u64 = 0x4845_4447_4500_0000;

/// What a population is drawn by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drawn {
    /// Accounts 1 to this.
    pub(super) accounts: u64,
    pub(super) seed: u64,
    /// How many of a hundred accounts are in hedge mode.
    pub(super) hedge_percent: u64,
}

/// An instrument as the population meets it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing {
    /// The starting price, in ticks.
    pub(super) start: Price,
    /// What a lot of an inverse contract is worth at any price, in 10^-8 of the quote currency; none of a linear one.
    pub(super) face: Option<i128>,
}

/// Fills the kernel with accounts. `listings` are by instrument.
///
/// The instruments have no marks yet, and get none here. `progress` hears how many accounts are done.
///
/// # Errors
///
/// Where the kernel refuses a command: a population so large that the open interest overflows.
pub(super) fn load(
    kernel: &mut Kernel,
    drawn: Drawn,
    listings: &[Listing],
    progress: &mut dyn FnMut(u64),
) -> Result<(), ReplayError> {
    let Drawn { accounts, seed, hedge_percent } = drawn;
    let refused = |refusal| ReplayError::Refused { what: "the generated population".into(), refusal };
    let matching = Matching::new(listings);
    let mut loader = Loader { kernel, listings, matching, modes: Vec::new(), hedge_percent };
    for account in 1..=accounts {
        // A stream apart: without hedge mode everything is drawn as if there were none.
        let mut hedging = Random::stream(seed ^ HEDGE_STREAM, account);
        loader.trade(account, &mut Random::stream(seed, account), &mut hedging).map_err(refused)?;
        if account.is_multiple_of(1_024) {
            progress(account);
        }
    }
    loader.endow(seed).map_err(refused)?;
    progress(accounts);
    Ok(())
}

struct Loader<'a> {
    kernel: &'a mut Kernel,
    listings: &'a [Listing],
    matching: Matching,
    /// By account, from account 1 on: its mode, and where its positions begin in the matching.
    modes: Vec<(MarginMode, usize)>,
    /// How many of a hundred accounts are in hedge mode.
    hedge_percent: u64,
}

impl Loader<'_> {
    /// Declares an account and fills what it wants, as far as there is a counterparty.
    fn trade(&mut self, account: u64, random: &mut Random, hedging: &mut Random) -> Result<(), Refusal> {
        let hedge = draws_hedge(hedging, self.hedge_percent);
        let mode = draw_mode(random);
        self.modes.push((mode, self.matching.holders.len()));
        let positions = if hedge { PositionMode::Hedge } else { PositionMode::OneWay };
        self.kernel.apply(&Command::Account { account, positions, group: None })?;
        let mut wishes = Vec::new();
        let backlog = |instrument| self.matching.lacking(instrument);
        draw_wishes(random, &self.kernel.market().instruments, self.listings, backlog, &mut wishes);
        for Wish { instrument, side, lots, leverage } in wishes {
            if mode == MarginMode::Isolated {
                self.kernel.apply(&Command::MarginMode { account, instrument, mode })?;
            }
            self.kernel.apply(&Command::Leverage { account, instrument, leverage })?;
            let wanted = Holder { account, instrument, side, leg: hedge, leverage, wanted: lots, ..Holder::default() };
            self.fill(wanted, random)?;
            if let Some(lots) = hedge.then(|| draw_other_leg(hedging, lots)).flatten() {
                self.fill(Holder { side: side.opposite(), wanted: lots, ..wanted }, random)?;
            }
        }
        Ok(())
    }

    /// Fills what a position wants, as far as there is a counterparty; the rest waits for one.
    fn fill(&mut self, wanted: Holder, random: &mut Random) -> Result<(), Refusal> {
        let place = self.matching.add(wanted);
        while let Some(trade) = self.matching.next(place, random) {
            self.kernel.apply(&Command::Fill(Fill {
                account: wanted.account,
                counterparty: Some(trade.counterparty),
                order: None,
                counter_order: None,
                instrument: wanted.instrument,
                side: wanted.side,
                quantity: trade.lots,
                price: trade.price,
                liquidity: None,
                position_side: wanted.position_side(),
                counter_position_side: trade.counter_position_side,
            }))?;
            self.matching.book(place, &trade, &self.kernel.market().instruments);
        }
        Ok(())
    }

    /// Pays in what every pool needs to stand at its drawn distance from liquidation.
    fn endow(&mut self, seed: u64) -> Result<(), Refusal> {
        for index in 0..self.modes.len() {
            let account = index as u64 + 1;
            // A stream apart from the account's first: what it wants must not depend on who met it.
            let mut random = Random::stream(!seed, account);
            let (mode, from) = self.modes[index];
            let to = self.modes.get(index + 1).map_or(self.matching.holders.len(), |(_, next)| *next);
            for asset in self.settlement_assets(from..to) {
                match mode {
                    MarginMode::Cross => self.endow_cross(account, asset, from..to, &mut random)?,
                    MarginMode::Isolated => self.endow_isolated(account, asset, from..to, &mut random)?,
                }
            }
        }
        Ok(())
    }

    /// What some positions settle in, each asset once.
    fn settlement_assets(&self, held: Range<usize>) -> Vec<AssetId> {
        let mut assets = Vec::new();
        for holder in &self.matching.holders[held] {
            let asset = self.settle(holder);
            if !assets.contains(&asset) {
                assets.push(asset);
            }
        }
        assets
    }

    fn settle(&self, holder: &Holder) -> AssetId {
        self.kernel.market().instrument(holder.instrument).spec.settle
    }

    /// For the pool of one asset.
    fn endow_cross(
        &mut self,
        account: u64,
        asset: AssetId,
        held: Range<usize>,
        random: &mut Random,
    ) -> Result<(), Refusal> {
        // The legs of an instrument come to life with the same mark.
        let mut needs: Vec<Need> = Vec::new();
        let mut last = None;
        for holder in self.matching.holders[held].iter().filter(|holder| self.settle(holder) == asset) {
            match needs.last_mut().filter(|_| last == Some(holder.instrument)) {
                Some(need) => need.add(self.need(holder)),
                None => needs.push(self.need(holder)),
            }
            last = Some(holder.instrument);
        }
        let mut whole = Need::default();
        for need in &needs {
            whole.add(*need);
        }
        let collateral = whole.collateral(random);
        self.pay_in(account, asset, collateral.max(while_coming_to_life(&needs)))
    }

    /// For the isolated positions that settle in one asset.
    fn endow_isolated(
        &mut self,
        account: u64,
        asset: AssetId,
        held: Range<usize>,
        random: &mut Random,
    ) -> Result<(), Refusal> {
        let mut margins: Vec<(InstrumentId, Option<PositionSide>, i128)> = Vec::new();
        let own = |holder: &&Holder| holder.filled != 0 && self.settle(holder) == asset;
        for holder in self.matching.holders[held].iter().filter(own) {
            margins.push((holder.instrument, holder.position_side(), self.need(holder).collateral(random)));
        }
        let locked_in: i128 = margins.iter().map(|(_, _, margin)| margin).sum();
        let free = mul_div_floor(locked_in, i128::from(random.below(FREE_PERCENT + 1)), 100);
        self.pay_in(account, asset, locked_in + free)?;
        for (instrument, position_side, margin) in margins {
            let amount = amount(margin)?;
            self.kernel.apply(&Command::IsolatedMargin { account, instrument, amount, position_side })?;
        }
        Ok(())
    }

    fn pay_in(&mut self, account: u64, asset: AssetId, quanta: i128) -> Result<(), Refusal> {
        let amount = amount(quanta.max(1))?;
        self.kernel.apply(&Command::Deposit { account, asset, amount })
    }

    /// What a position needs at the starting price.
    fn need(&self, holder: &Holder) -> Need {
        let instrument = self.kernel.market().instrument(holder.instrument);
        let quantity = holder.side.signed(holder.filled);
        let at_start = instrument.valuation(quantity, self.listings[holder.instrument.index()].start);
        let initial = instrument.initial_margin(quantity, at_start.notional, holder.leverage);
        Need {
            maintenance: instrument.maintenance_margin(quantity, at_start.notional),
            initial: if quantity == 0 { 0 } else { initial },
            unrealised: at_start.value - holder.cost,
            frozen: instrument.maintenance_margin(quantity, holder.cost.abs()),
        }
    }
}

fn amount(quanta: i128) -> Result<i64, Refusal> {
    i64::try_from(quanta).map_err(|_| Refusal::Overflow { what: "a deposit" })
}
