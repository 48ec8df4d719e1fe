//! What a state comes to, as one number that is kept while it changes, where somebody asks for it again and again.
//!
//! It is the hash of a set: the sum of a hash of each entry, as of a pool with its collateral or of a position with its cost. So it is the
//! same for every number of shards, in whatever order accounts were made and by whatever way they came to what they have; and a change costs what it takes out and puts in,
//! however many accounts there are. What is nothing counts nothing: an empty pool is as one that was never made.
//!
//! Each entry goes in as whole numbers, with a tag of its own: nothing of it hangs on the machine, or on the order of variants. Journals hold
//! what states came to: whoever changes an entry here makes them diverge. Fills pay for it, so numbers are mixed by products of 128 bits,
//! folded, as wyhash does it, some ten instructions each: against mistakes, not against who looks for two states of one hash.

use super::Shard;
use super::store::{Holding, Pool};
use crate::command::PositionSide;
use crate::event::PoolName;
use crate::market::{AssetId, FundId, InstrumentId};
use crate::position::Position;

/// Digits of pi: numbers that nobody chose.
const PI: [u64; 4] = [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344, 0xA409_3822_299F_31D0, 0x082E_FA98_EC4E_6C89];

/// What an entry is of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kept {
    /// What an account has in a pool, in quanta.
    Pool(u64, PoolName),
    /// A position of an account.
    Position(u64, InstrumentId, Option<PositionSide>),
    /// Money of an account that is put aside, by its id.
    Hold(u64, u64, AssetId),
    /// The balance of a fund.
    Fund(FundId),
    /// The inventory of an instrument.
    Inventory(InstrumentId),
    /// The fee account of an asset.
    Fees(AssetId),
    /// The realised results of the external venue account in an asset.
    VenueBalance(AssetId),
    /// Its position in an instrument.
    VenuePosition(InstrumentId),
}

fn leg(side: Option<PositionSide>) -> u8 {
    match side {
        None => 0,
        Some(PositionSide::Long) => 1,
        Some(PositionSide::Short) => 2,
    }
}

/// Both halves of a product, in one.
#[inline]
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// What an entry is of, mixed.
#[inline]
fn head(of: Kept) -> u64 {
    let (tag, owner, place, leg) = match of {
        Kept::Pool(account, PoolName::Cross(asset)) => (1, account, asset.0, 0),
        Kept::Pool(account, PoolName::Isolated(instrument, side)) => (2, account, instrument.0, leg(side)),
        Kept::Position(account, instrument, side) => (3, account, instrument.0, leg(side)),
        Kept::Hold(account, id, asset) => (4, account ^ mix(id ^ PI[0], PI[3]), asset.0, 0),
        Kept::Fund(fund) => (5, 0, fund.0, 0),
        Kept::Inventory(instrument) => (6, 0, instrument.0, 0),
        Kept::Fees(asset) => (7, 0, asset.0, 0),
        Kept::VenueBalance(asset) => (8, 0, asset.0, 0),
        Kept::VenuePosition(instrument) => (9, 0, instrument.0, 0),
    };
    mix(owner ^ PI[0], (u64::from(place) << 16 | tag << 8 | u64::from(leg)) ^ PI[1])
}

/// What an entry adds to the sum.
#[inline]
fn entry(head: u64, amounts: [i128; 2]) -> u64 {
    if amounts == [0, 0] {
        return 0;
    }
    let [first, second] = amounts.map(|amount| mix(amount as u64 ^ head, (amount >> 64) as u64 ^ PI[2]));
    mix(first ^ PI[3], second.rotate_left(32) ^ head)
}

/// What an amount adds to the sum.
pub(crate) fn of_amount(of: Kept, amount: i128) -> u64 {
    entry(head(of), [amount, 0])
}

/// What a position adds to the sum.
pub(crate) fn of_position(of: Kept, position: &Position) -> u64 {
    entry(head(of), amounts(position))
}

fn amounts(position: &Position) -> [i128; 2] {
    [position.quantity.into(), position.cost]
}

impl Shard {
    /// What its accounts come to: as it is kept, or counted now.
    pub(crate) fn state_hash(&self) -> u64 {
        self.state.unwrap_or_else(|| self.count_state())
    }

    /// From now on it is kept: who asks again and again does not count again.
    pub(crate) fn keep_state_hash(&mut self) {
        self.state = Some(self.state_hash());
    }

    fn count_state(&self) -> u64 {
        let pools = self.pools.iter().map(|pool| of_amount(self.pool_entry(pool), pool.collateral));
        let positions = self.holdings.iter().map(|held| of_position(self.position_entry(held), &held.position));
        let holds = self.holds.iter().map(|(&of, &held)| self.hold_entry(of, held));
        pools.chain(positions).chain(holds).fold(0, u64::wrapping_add)
    }

    fn pool_entry(&self, pool: &Pool) -> Kept {
        Kept::Pool(self.accounts[pool.account as usize].id, pool.name)
    }

    fn position_entry(&self, holding: &Holding) -> Kept {
        Kept::Position(self.accounts[holding.account as usize].id, holding.instrument, holding.side)
    }

    fn hold_entry(&self, (account, hold): (u32, u64), (asset, amount): (AssetId, i64)) -> u64 {
        of_amount(Kept::Hold(self.accounts[account as usize].id, hold, asset), amount.into())
    }

    /// A pool had other collateral before.
    #[inline]
    pub(super) fn note_collateral(&mut self, pool: u32, before: i128) {
        if self.state.is_some() {
            let record = &self.pools[pool as usize];
            let head = head(self.pool_entry(record));
            self.replace(entry(head, [before, 0]), entry(head, [record.collateral, 0]));
        }
    }

    /// A holding had another position before.
    #[inline]
    pub(super) fn note_position(&mut self, holding: u32, before: &Position) {
        if self.state.is_some() {
            let record = &self.holdings[holding as usize];
            let head = head(self.position_entry(record));
            self.replace(entry(head, amounts(before)), entry(head, amounts(&record.position)));
        }
    }

    /// Money is put aside, or is so no more.
    pub(super) fn note_hold(&mut self, of: (u32, u64), held: (AssetId, i64), is_there: bool) {
        let entry = self.hold_entry(of, held);
        if is_there { self.replace(0, entry) } else { self.replace(entry, 0) }
    }

    fn replace(&mut self, before: u64, after: u64) {
        if let Some(state) = &mut self.state {
            *state = state.wrapping_sub(before).wrapping_add(after);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Journals hold what these come to.
    #[test]
    fn what_entries_come_to_is_pinned() {
        let (cross, isolated) = (PoolName::Cross(AssetId(3)), PoolName::Isolated(InstrumentId(3), None));
        let found = [
            of_amount(Kept::Pool(7, cross), 5),
            of_amount(Kept::Pool(7, cross), -5),
            of_amount(Kept::Pool(7, isolated), 5),
            of_amount(Kept::Pool(7, PoolName::Isolated(InstrumentId(3), Some(PositionSide::Short))), 5),
            of_position(Kept::Position(7, InstrumentId(3), None), &Position { quantity: 5, cost: -11 }),
            of_position(
                Kept::Position(7, InstrumentId(3), Some(PositionSide::Long)),
                &Position { quantity: 5, cost: 0 },
            ),
            of_amount(Kept::Hold(7, 9, AssetId(3)), 5),
            of_amount(Kept::Fund(FundId(3)), 5),
            of_position(Kept::Inventory(InstrumentId(3)), &Position { quantity: 5, cost: -11 }),
            of_amount(Kept::Fees(AssetId(3)), 5),
            of_amount(Kept::VenueBalance(AssetId(3)), 5),
            of_position(Kept::VenuePosition(InstrumentId(3)), &Position { quantity: 5, cost: -11 }),
        ];
        let shown: Vec<String> = found.iter().map(|found| format!("{found:016x}")).collect();
        assert_eq!(shown, PINNED);
    }

    const PINNED: [&str; 12] = [
        "f7d57e9c0e1cadfd",
        "d3a17759cef62c0b",
        "ccdd3006ca08d202",
        "c1d582c717c2199f",
        "9954663818a6c429",
        "9ce87bc3cd0717b5",
        "dcdec2b3eacdd954",
        "79db5d08371822f3",
        "ceb5f390b98ed286",
        "7bd6070dfe6f6e7b",
        "4e7debc2ebfb087a",
        "8c4b1deea412030a",
    ];

    /// Neighbours of each entry come to other numbers, and to sums that are none of the others.
    #[test]
    fn neighbours_differ() {
        let mut found = std::collections::BTreeSet::new();
        let mut all = 0;
        for account in 0..20 {
            for place in 0..4 {
                for amount in -20..=20_i128 {
                    let pool = |name| of_amount(Kept::Pool(account, name), amount);
                    let position = |side, quantity| {
                        let of = Kept::Position(account, InstrumentId(place), side);
                        of_position(of, &Position { quantity, cost: amount })
                    };
                    let entries = [
                        pool(PoolName::Cross(AssetId(place))),
                        pool(PoolName::Isolated(InstrumentId(place), None)),
                        position(None, 1),
                        position(None, -1),
                        position(Some(PositionSide::Long), 1),
                        position(None, amount as i64 + 100),
                        of_amount(Kept::Hold(account, 1, AssetId(place)), amount),
                        of_amount(Kept::Hold(account, 2, AssetId(place)), amount),
                    ];
                    all += entries.iter().filter(|&&entry| entry != 0).count();
                    found.extend(entries.into_iter().filter(|&entry| entry != 0));
                }
            }
        }
        assert_eq!(found.len(), all);
    }

    #[test]
    fn nothing_counts_nothing() {
        assert_eq!(of_amount(Kept::Pool(7, PoolName::Cross(AssetId(3))), 0), 0);
        assert_eq!(of_position(Kept::Position(7, InstrumentId(3), None), &Position::default()), 0);
    }
}
