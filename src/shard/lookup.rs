//! How records are found by what they are called: accounts and orders by ids that clients choose, holdings by account and
//! instrument. The tables hold indices; the keys are read in the records, which are needed anyway.

use super::Shard;
use super::store::Holding;
#[cfg(feature = "journal")]
use crate::command::PositionSide;
use crate::map::{Table, hash_of};
use crate::market::InstrumentId;
use hashbrown::hash_table::Entry;

/// The tables of a shard.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    accounts: Table,
    /// Of hedge accounts the long leg.
    holdings: Table,
    orders: Table,
}

impl Lookup {
    pub(super) fn with_capacity(accounts: usize, holdings: usize, orders: usize) -> Self {
        let [accounts, holdings, orders] = [accounts, holdings, orders].map(Table::with_capacity);
        Self { accounts, holdings, orders }
    }

    /// Bytes of the tables: of accounts, holdings and orders.
    pub(super) fn sizes(&self) -> [usize; 3] {
        [&self.accounts, &self.holdings, &self.orders].map(Table::allocation_size)
    }
}

fn hash_of_holding(account: u64, instrument: InstrumentId) -> u64 {
    hash_of((account, instrument.0))
}

/// Enters many, in the order in which a table of a power of two of places lies in memory: entered as they come, nearly each would have to wait
/// for a cache line.
#[cfg(feature = "journal")]
fn fill(table: &mut Table, entries: impl Iterator<Item = u32> + Clone, hash: impl Fn(&u32) -> u64) {
    const STRETCHES: usize = 256;
    let count = entries.clone().count();
    table.reserve(count, &hash);
    let places = table.capacity().next_power_of_two();
    let each = count / STRETCHES;
    let mut stretches: Vec<_> = (0..STRETCHES).map(|_| Vec::with_capacity(each + each / 8 + 8)).collect();
    for entry in entries {
        let hash = hash(&entry);
        let place = hash as usize & (places - 1);
        stretches[(place * STRETCHES) / places].push((hash, entry));
    }
    for (hash_of_it, entry) in stretches.into_iter().flatten() {
        table.insert_unique(hash_of_it, entry, &hash);
    }
}

impl Shard {
    /// The index of an account.
    #[inline]
    pub(crate) fn find(&self, account: u64) -> Option<u32> {
        self.lookup.accounts.find(hash_of(account), |&at| self.accounts[at as usize].id == account).copied()
    }

    /// Enters the account at `index`, which is not there yet.
    pub(super) fn enter_account(&mut self, index: u32) {
        let hash = |&at: &u32| hash_of(self.accounts[at as usize].id);
        self.lookup.accounts.insert_unique(hash(&index), index, hash);
    }

    /// The holding of an account in an instrument, in hedge mode the long leg.
    #[inline]
    pub(crate) fn first_holding(&self, account: u32, instrument: InstrumentId) -> Option<u32> {
        let is_it = |&at: &u32| {
            let holding = &self.holdings[at as usize];
            (holding.account, holding.instrument) == (account, instrument)
        };
        let hash = hash_of_holding(self.accounts[account as usize].id, instrument);
        self.lookup.holdings.find(hash, is_it).copied()
    }

    /// The account of that id and its first holding in an instrument, if it has one: by one look-up instead of two.
    #[inline]
    pub(super) fn find_holding(&self, account: u64, instrument: InstrumentId) -> Option<(u32, u32)> {
        let is_it = |&at: &u32| {
            let holding = &self.holdings[at as usize];
            holding.instrument == instrument && self.accounts[holding.account as usize].id == account
        };
        let first = *self.lookup.holdings.find(hash_of_holding(account, instrument), is_it)?;
        Some((self.holdings[first as usize].account, first))
    }

    /// Enters the first holding of an account in an instrument.
    pub(super) fn enter_holding(&mut self, first: u32) {
        let hash = |&at: &u32| {
            let Holding { account, instrument, .. } = self.holdings[at as usize];
            hash_of_holding(self.accounts[account as usize].id, instrument)
        };
        self.lookup.holdings.insert_unique(hash(&first), first, hash);
    }

    /// Enters all accounts and holdings at once, where none is entered yet.
    #[cfg(feature = "journal")]
    pub(super) fn fill_tables(&mut self) {
        let Self { lookup, accounts, holdings, .. } = self;
        let hash = |&at: &u32| hash_of(accounts[at as usize].id);
        fill(&mut lookup.accounts, 0..accounts.len() as u32, hash);
        let is_first = |at: &u32| holdings[*at as usize].side != Some(PositionSide::Short);
        let hash = |&at: &u32| {
            let Holding { account, instrument, .. } = holdings[at as usize];
            hash_of_holding(accounts[account as usize].id, instrument)
        };
        fill(&mut lookup.holdings, (0..holdings.len() as u32).filter(is_first), hash);
    }

    /// The open order of an account with this id.
    #[inline]
    pub(super) fn find_order(&self, account: u32, id: u64) -> Option<u32> {
        self.lookup.orders.find(hash_of((account, id)), |&at| self.has_name(at, (account, id))).copied()
    }

    /// Enters an open order of an account, whose record will be that at `index`; false if the account uses its id already.
    pub(super) fn enter_order(&mut self, account: u32, id: u64, index: u32) -> bool {
        let Self { lookup, orders, holdings, .. } = self;
        let name = |at: u32| {
            let order = &orders[at as usize];
            (holdings[order.holding as usize].account, order.id)
        };
        match lookup.orders.entry(hash_of((account, id)), |&at| name(at) == (account, id), |&at| hash_of(name(at))) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(index);
                true
            }
        }
    }

    /// Takes out the open order of an account with this id.
    pub(super) fn leave_order(&mut self, account: u32, id: u64) {
        let Self { lookup, orders, holdings, .. } = self;
        let is_it = |&at: &u32| {
            let order = &orders[at as usize];
            order.id == id && holdings[order.holding as usize].account == account
        };
        if let Ok(entry) = lookup.orders.find_entry(hash_of((account, id)), is_it) {
            entry.remove();
        }
    }

    fn has_name(&self, order: u32, (account, id): (u32, u64)) -> bool {
        let order = &self.orders[order as usize];
        order.id == id && self.holdings[order.holding as usize].account == account
    }
}
