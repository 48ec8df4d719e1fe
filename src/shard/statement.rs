//! What accounts have, whatever the marks are: what a ledger beside the kernel knows of them too.

use super::Shard;
use crate::command::PositionSide;
use crate::controls::Mode;
use crate::event::PoolName;
use crate::market::{AssetId, InstrumentId};
use crate::position::Position;

/// What an account has. Amounts of zero are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its id.
    pub account: u64,
    /// Its own mode.
    pub mode: Mode,
    /// Balances in quanta, by asset.
    pub balances: Vec<(AssetId, i128)>,
    /// Put aside for withdrawals, in quanta; assets in no order, and more than once.
    pub held: Vec<(AssetId, i128)>,
    /// Positions, in no order.
    pub positions: Vec<(InstrumentId, Position)>,
    /// Margins of isolated positions, in quanta, in no order: of an instrument, of the leg where the account has two, and whether the position is long; none: there
    /// is no position behind it.
    pub margins: Vec<(InstrumentId, Option<bool>, i128)>,
}

impl Default for Statement {
    fn default() -> Self {
        let (balances, held, positions, margins) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { account: 0, mode: Mode::Normal, balances, held, positions, margins }
    }
}

/// Money put aside in a shard: the index of the account, the asset, the amount.
type Held = Vec<(u32, AssetId, i64)>;

impl Shard {
    fn all_held(&self) -> Held {
        let mut held: Held =
            self.holds.iter().map(|(&(account, _), &(asset, amount))| (account, asset, amount)).collect();
        held.sort_unstable();
        held
    }

    fn state(&self, account: u32, all_held: &Held, into: &mut Statement) {
        let record = &self.accounts[account as usize];
        (into.account, into.mode) = (record.id, record.mode);
        into.balances.clear();
        into.held.clear();
        into.positions.clear();
        into.margins.clear();
        for pool in self.pools_of(account) {
            let (name, collateral) = (self.pools[pool as usize].name, self.pools[pool as usize].collateral);
            let mut side = None;
            for holding in self.holdings_of(pool) {
                let holding = &self.holdings[holding as usize];
                if holding.position.quantity != 0 {
                    into.positions.push((holding.instrument, holding.position));
                    side = Some(holding.position.quantity > 0);
                }
            }
            match name {
                _ if collateral == 0 => {}
                PoolName::Cross(asset) => into.balances.push((asset, collateral)),
                PoolName::Isolated(id, leg) => {
                    into.margins.push((id, leg.map(|leg| leg == PositionSide::Long).or(side), collateral));
                }
            }
        }
        let from = all_held.partition_point(|&(of, ..)| of < account);
        let own = all_held[from..].iter().take_while(|&&(of, ..)| of == account);
        into.held.extend(own.map(|&(_, asset, amount)| (asset, i128::from(amount))));
    }
}

/// Visits what every account has, in the order of their ids.
pub(crate) fn for_each_statement<E>(
    shards: &[Box<Shard>],
    mut visit: impl FnMut(&Statement) -> Result<(), E>,
) -> Result<(), E> {
    let held: Vec<Held> = shards.iter().map(|shard| shard.all_held()).collect();
    let mut turns: Vec<_> = shards.iter().map(|shard| shard.turns.after(&shard.accounts, None).peekable()).collect();
    let mut statement = Statement::default();
    loop {
        let id = |shard: usize, account: u32| shards[shard].accounts[account as usize].id;
        let heads = turns.iter_mut().enumerate().filter_map(|(at, turns)| Some((id(at, *turns.peek()?), at)));
        let Some((_, at)) = heads.min() else { return Ok(()) };
        let Some(account) = turns[at].next() else { return Ok(()) };
        shards[at].state(account, &held[at], &mut statement);
        visit(&statement)?;
    }
}
