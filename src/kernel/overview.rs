//! Everything, to look at: what a kernel answers when asked. Nothing here changes state.

use super::Health;
use crate::command::{Command, OffGrid, OrderName};
use crate::controls::{Mode, Scope};
use crate::event::PoolName;
use crate::market::{AssetId, FundId, InstrumentId, InstrumentSpec, Market};
use crate::number::{Price, Quantity};
use crate::position::Position;
use crate::refusal::Refusal;
use crate::rounds::Rounds;
use crate::sequencer::{self, Found};
use crate::shard::state_hash::{self, Kept};
use crate::shard::{AccountView, Candidate, LadderRung, Margin, Preview, Shard, Statement, for_each_statement, locate};
use fixed::types::I64F64;
use std::collections::BTreeMap;

/// A place in the queue of deleveraging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// Whose position.
    pub account: u64,
    /// Unsigned, in lots.
    pub quantity: Quantity,
    /// What it is ranked by.
    pub score: I64F64,
    /// From 1.
    pub rank: u32,
    /// From 1 to 5; 5 goes first.
    pub lights: u8,
}

/// A fund at the present marks; amounts in quanta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FundView {
    /// Cash.
    pub balance: i128,
    /// Cash and the unrealised result of the inventory.
    pub equity: i128,
    /// The largest equity over the window of its drawdown rule; none without such a rule.
    pub peak: Option<i128>,
    /// In instrument order.
    pub inventory: Vec<InventoryView>,
}

/// What a fund holds of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InventoryView {
    /// The instrument.
    pub instrument: InstrumentId,
    /// Size and cost.
    pub position: Position,
    /// `V(q, mark) − C`, in quanta.
    pub unrealised: i128,
}

/// The books of an asset, in quanta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AssetTotals {
    /// Payments in, the funds' included.
    pub deposits: i128,
    /// Payments out.
    pub withdrawals: i128,
    /// All accounts' balances.
    pub balances: i128,
    /// All isolated margins.
    pub isolated: i128,
    /// Put aside for withdrawals.
    pub held: i128,
    /// Taken in by settlements under way, and not yet given out.
    pub settling: i128,
    /// All funds' balances.
    pub funds: i128,
    /// The fee account.
    pub fees: i128,
    /// The external venue account's realised results.
    pub venue: i128,
    /// `Σ C` over all positions, the funds' and the external venue account's included.
    pub open_cost: i128,
}

impl AssetTotals {
    /// What is there less what should be: always 0.
    #[must_use]
    pub fn difference(&self) -> i128 {
        let there = self.balances + self.isolated + self.held + self.settling + self.funds + self.fees + self.venue
            - self.open_cost;
        there - (self.deposits - self.withdrawals)
    }
}

/// The positions of an instrument over accounts, funds and the external venue account, in lots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InstrumentTotals {
    /// All long ones.
    pub long: i128,
    /// All short ones.
    pub short: i128,
}

/// The state of a kernel, to look at.
#[derive(Clone, Copy, Debug)]
pub struct Overview<'a> {
    rounds: &'a Rounds,
    shards: &'a [Box<Shard>],
    now_ns: u64,
}

impl<'a> Overview<'a> {
    pub(crate) fn new(rounds: &'a Rounds, shards: &'a [Box<Shard>]) -> Self {
        Self { rounds, shards, now_ns: rounds.now_ns }
    }

    /// The same at a later time; earlier times are ignored.
    #[must_use]
    pub fn at(self, ts_ns: Option<u64>) -> Self {
        Self { now_ns: self.now_ns.max(ts_ns.unwrap_or(0)), ..self }
    }

    /// Assets, funds, instruments and their marks.
    #[must_use]
    pub fn market(&self) -> &'a Market {
        &self.rounds.market
    }

    /// The present time, in nanoseconds since the epoch.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// The order of that number, as long as it can still be filled, and its instrument.
    #[must_use]
    pub fn liquidation(&self, number: u64) -> Option<(OrderName, InstrumentId)> {
        let order = self.rounds.order_name(number)?;
        let known = match order.owner {
            crate::command::OrderOwner::Account(account) => {
                self.shards.iter().any(|shard| shard.knows_order(account, order.nth))
            }
            crate::command::OrderOwner::Fund(id) => self.rounds.arbiter.knows_order(id, order.nth),
        };
        let numbered = self.rounds.numbered(order).filter(|_| known)?;
        Some((order, numbered.instrument))
    }

    /// The shard of an account and its index there.
    fn locate(&self, account: u64) -> Result<(usize, u32), Refusal> {
        locate(self.shards, account).ok_or(Refusal::UnknownAccount(account))
    }

    /// The open interest of an instrument, and what it would be after a command; none where that will be refused.
    pub(crate) fn open_interest_with(
        &self,
        command: &Command,
        off_grid: OffGrid,
        instrument: InstrumentId,
    ) -> (Quantity, Option<Quantity>) {
        let (market, arbiter, input) = (self.market(), &self.rounds.arbiter, (command, off_grid));
        let now = sequencer::open_interest(self.shards, arbiter, instrument);
        (now, sequencer::open_interest_after(market, self.shards, arbiter, input, &Found::default(), instrument))
    }

    /// Pools that wait for the venue, and how many are locked.
    #[must_use]
    pub fn health(&self) -> Health {
        super::health::health(self.rounds, self.shards, self.now_ns)
    }

    /// Who would be in breach under other rules of an instrument, at the present marks.
    #[must_use]
    pub fn preview_rules(&self, instrument: InstrumentId, spec: InstrumentSpec) -> Preview {
        let mut market = self.rounds.market.clone();
        market.begin_change(instrument, spec, self.now_ns);
        market.instruments[instrument.index()].before = None; // for everybody at once
        self.preview_in(&market, instrument)
    }

    /// Who is in breach at the present marks, in liquidation or not, and would be reduced or taken over under another mode of
    /// everything, of an instrument or of an account: at least one of their marks would live, and not be paused.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownInstrument`], [`Refusal::UnknownAccount`].
    pub fn preview_mode(&self, scope: Scope, mode: Mode) -> Result<Preview, Refusal> {
        let mut after = self.rounds.market.clone();
        match scope {
            Scope::Instrument(id) if id.index() >= after.instruments.len() => {
                return Err(Refusal::UnknownInstrument(id.0));
            }
            Scope::Account(account) => drop(self.locate(account)?),
            _ => {}
        }
        after.note_mode(&Command::Mode { scope, mode });
        let mut preview = Preview::default();
        for shard in self.shards {
            shard.preview_mode(&self.rounds.market, &after, (scope, mode), &mut preview);
        }
        preview.sort();
        Ok(preview)
    }

    /// Who of the holders of an instrument would be in breach in a market that is not there yet.
    pub(crate) fn preview_in(&self, market: &Market, instrument: InstrumentId) -> Preview {
        let mut preview = Preview::default();
        for shard in self.shards {
            shard.preview(market, instrument, &mut preview);
        }
        preview.sort();
        preview
    }

    /// The ids of all accounts, ascending.
    #[must_use]
    pub fn accounts(&self) -> Vec<u64> {
        let mut ids: Vec<u64> = self.shards.iter().flat_map(|shard| shard.account_ids()).collect();
        ids.sort_unstable();
        ids
    }

    /// Visits what every account has, in the order of their ids.
    ///
    /// # Errors
    ///
    /// Those of `visit`, which ends it.
    pub fn for_each_statement<E>(&self, visit: impl FnMut(&Statement) -> Result<(), E>) -> Result<(), E> {
        for_each_statement(self.shards, visit)
    }

    /// Everything of an account.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownAccount`].
    pub fn account(&self, account: u64) -> Result<AccountView, Refusal> {
        let (shard, index) = self.locate(account)?;
        Ok(self.shards[shard].account_view(&self.rounds.market, index))
    }

    /// A fund.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownFund`].
    pub fn fund(&self, fund: FundId) -> Result<FundView, Refusal> {
        if fund.index() >= self.rounds.market.funds.len() {
            return Err(Refusal::UnknownFund(fund.0));
        }
        let held = self.rounds.arbiter.inventory().iter().zip(&self.rounds.market.instruments).enumerate();
        let inventory = held
            .filter(|(_, (inventory, at))| inventory.position.quantity != 0 && at.spec.fund == fund)
            .map(|(index, (inventory, at))| InventoryView {
                instrument: InstrumentId(index as u32),
                position: inventory.position,
                unrealised: inventory.position.unrealised(at),
            })
            .collect();
        Ok(FundView {
            balance: self.rounds.arbiter.balance(fund),
            equity: self.rounds.arbiter.equity(&self.rounds.market, fund),
            peak: self.rounds.arbiter.peak(fund, self.now_ns),
            inventory,
        })
    }

    /// Best bid and ask of the simulated venue, in ticks.
    #[must_use]
    pub fn top_of_book(&self, instrument: InstrumentId) -> (Option<Price>, Option<Price>) {
        self.rounds.venue.top(instrument)
    }

    /// Long lots over accounts, funds and the external venue account.
    #[must_use]
    pub fn open_interest_of(&self, instrument: InstrumentId) -> Quantity {
        sequencer::open_interest(self.shards, &self.rounds.arbiter, instrument)
    }

    /// The queue of deleveraging of one side, first to be deleveraged first.
    #[must_use]
    pub fn adl_queue(&self, instrument: InstrumentId, long: bool) -> Vec<QueueEntry> {
        let queue = crate::arbiter::rank(&self.rounds.market, self.shards, instrument, long);
        let side: i128 = queue.iter().map(|candidate| i128::from(candidate.quantity)).sum();
        let mut up_to = 0;
        let entry = |(index, candidate): (usize, &Candidate)| {
            up_to += i128::from(candidate.quantity);
            QueueEntry {
                account: candidate.account,
                quantity: candidate.quantity,
                score: candidate.score,
                rank: index as u32 + 1,
                lights: 6 - crate::number::div_ceil(5 * up_to, side) as u8,
            }
        };
        queue.iter().enumerate().map(entry).collect()
    }

    /// The funding rate of an instrument as a settlement now would compute it, and when the next is due, in nanoseconds
    /// since the epoch; none without funding rules.
    #[must_use]
    pub fn funding(&self, instrument: InstrumentId) -> Option<(Option<i64>, u64)> {
        let (market, now_ns) = (&self.rounds.market, self.now_ns());
        let rules = market.instrument(instrument).spec.prices.funding?;
        let next_ns = now_ns.saturating_add(rules.time_left(now_ns));
        Some((market.funding_rate(instrument, now_ns), next_ns))
    }

    /// What would be liquidated at which price, from the mark outward; none without a mark.
    #[must_use]
    pub fn ladder(&self, instrument: InstrumentId) -> Option<Vec<(i128, LadderRung)>> {
        let mark = i128::from(self.rounds.market.instrument(instrument).mark?);
        let mut rungs: BTreeMap<(i128, i128), LadderRung> = BTreeMap::new();
        for (price, quantity, counts) in
            self.shards.iter().flat_map(|shard| shard.rungs(&self.rounds.market, instrument))
        {
            let rung = rungs.entry(((price - mark).abs(), price)).or_default();
            rung.accounts += u64::from(counts);
            rung.long_lots += i128::from(quantity.max(0));
            rung.short_lots += i128::from((-quantity).max(0));
        }
        Some(rungs.into_iter().map(|((_, price), rung)| (price, rung)).collect())
    }

    /// The books of every asset, in asset order.
    #[must_use]
    pub fn asset_totals(&self) -> Vec<AssetTotals> {
        let ledger = &self.rounds.arbiter.ledger;
        let mut totals: Vec<AssetTotals> = (0..self.rounds.market.assets.len())
            .map(|at| AssetTotals {
                deposits: ledger.deposits[at],
                fees: ledger.fees[at],
                venue: ledger.venue_balances[at],
                ..AssetTotals::default()
            })
            .collect();
        for (index, total) in totals.iter_mut().enumerate() {
            for sums in self.shards.iter().map(|shard| shard.sums(AssetId(index as u32))) {
                total.deposits += sums.deposits;
                total.withdrawals += sums.withdrawals;
                total.held += sums.held;
            }
        }
        for (index, fund) in self.rounds.market.funds.iter().enumerate() {
            totals[fund.asset.index()].funds += self.rounds.arbiter.balance(FundId(index as u32));
        }
        let settle = |instrument: InstrumentId| self.rounds.market.instrument(instrument).spec.settle.index();
        for (name, amount) in self.shards.iter().flat_map(|shard| shard.settling()) {
            totals[settle(name.instrument)].settling += amount;
        }
        for shard in self.shards {
            shard.for_each_pool(|name, collateral| match name {
                PoolName::Cross(AssetId(asset)) => totals[asset as usize].balances += collateral,
                PoolName::Isolated(instrument, _) => totals[settle(instrument)].isolated += collateral,
            });
        }
        self.for_each_position(|instrument, position| totals[settle(instrument)].open_cost += position.cost);
        totals
    }

    /// What all money and all positions come to, as one number: of accounts their balances, isolated margins, positions with their costs, and money put aside; of the
    /// venue its funds, their inventory, its fee accounts and the external venue account. The same for every number of shards, for every strategy, on every machine, and for every way that led
    /// here. To ask costs a count of all accounts, or where it is kept ([`Kernel::keep_state_hash`](crate::Kernel::keep_state_hash)) only of assets, funds and
    /// instruments.
    ///
    /// Orders, liquidations, rules, modes, marks and time are not in it: what they lead to is told as events, or has places of the sequence of its own.
    #[must_use]
    pub fn state_hash(&self) -> u64 {
        let (market, arbiter) = (&self.rounds.market, &self.rounds.arbiter);
        let mut sum = self.shards.iter().fold(0_u64, |sum, shard| sum.wrapping_add(shard.state_hash()));
        let mut add = |entry: u64| sum = sum.wrapping_add(entry);
        for fund in (0..market.funds.len() as u32).map(FundId) {
            add(state_hash::of_amount(Kept::Fund(fund), arbiter.balance(fund)));
        }
        for asset in (0..market.assets.len() as u32).map(AssetId) {
            add(state_hash::of_amount(Kept::Fees(asset), arbiter.ledger.fees[asset.index()]));
            add(state_hash::of_amount(Kept::VenueBalance(asset), arbiter.ledger.venue_balances[asset.index()]));
        }
        for id in (0..market.instruments.len() as u32).map(InstrumentId) {
            let inventory = &arbiter.inventory()[id.index()].position;
            add(state_hash::of_position(Kept::Inventory(id), inventory));
            add(state_hash::of_position(Kept::VenuePosition(id), &arbiter.ledger.venue_positions[id.index()]));
        }
        sum
    }

    /// The positions of every instrument, in instrument order.
    #[must_use]
    pub fn instrument_totals(&self) -> Vec<InstrumentTotals> {
        let mut totals = vec![InstrumentTotals::default(); self.rounds.market.instruments.len()];
        self.for_each_position(|instrument, position| {
            let total = &mut totals[instrument.index()];
            total.long += i128::from(position.quantity.max(0));
            total.short += i128::from(position.quantity.min(0).abs());
        });
        totals
    }

    /// Number of positions of accounts.
    #[must_use]
    pub fn positions(&self) -> usize {
        let mut count = 0;
        self.shards.iter().for_each(|shard| shard.for_each_position(|_, _| count += 1));
        count
    }

    /// Number of pools, those without a position included.
    #[must_use]
    pub fn pools(&self) -> usize {
        self.shards.iter().map(|shard| shard.pools()).sum()
    }

    /// Visits every pool of an account that holds a position: its margin at the present marks, and whether it is in
    /// liquidation.
    pub fn for_each_margin(&self, mut visit: impl FnMut(&Margin, bool)) {
        for shard in self.shards {
            shard.for_each_margin(&self.rounds.market, &mut visit);
        }
    }

    /// Evaluates `count` pools in full, from the `from`-th on and round again, whatever their certificates say.
    ///
    /// Returns how many of them are missed: in breach at a living mark, and not in liquidation. Always 0.
    #[must_use]
    pub fn audit(&self, from: usize, count: usize) -> usize {
        let all = self.pools();
        let at = |index: usize| {
            let mut index = index % all;
            for shard in self.shards {
                if index < shard.pools() {
                    return shard.is_missed(&self.rounds.market, index);
                }
                index -= shard.pools();
            }
            false
        };
        if all == 0 { 0 } else { (from..from + count).filter(|&index| at(index)).count() }
    }

    /// Visits every position: accounts', inventory's and the external venue account's.
    fn for_each_position(&self, mut visit: impl FnMut(InstrumentId, &Position)) {
        for shard in self.shards {
            shard.for_each_position(&mut visit);
        }
        let inventory = self.rounds.arbiter.inventory().iter().map(|inventory| &inventory.position);
        let venue = self.rounds.arbiter.ledger.venue_positions.iter();
        for (index, position) in inventory.enumerate().chain(venue.enumerate()) {
            visit(InstrumentId(index as u32), position);
        }
    }
}
