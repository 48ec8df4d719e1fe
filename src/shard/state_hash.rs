//! What a state comes to, as one number that is kept while it changes.
//!
//! It is the hash of a set: the sum of a hash of each entry, as of a pool with its collateral or of a position with its cost. So it is the
//! same for every number of shards, in whatever order accounts were made and by whatever way they came to what they have; and a change costs what it takes out and puts in,
//! however many accounts there are. What is nothing counts nothing: an empty pool is as one that was never made.
//!
//! Each entry goes in as numbers of fixed size, least byte first, with a tag of its own: nothing of it hangs on the machine, or on the
//! order of variants. Journals hold what states came to: whoever changes an entry here makes them diverge.

use super::Shard;
use super::store::{Holding, Pool};
use crate::command::PositionSide;
use crate::event::PoolName;
use crate::market::{AssetId, FundId, InstrumentId};
use crate::position::Position;
use xxhash_rust::xxh3::xxh3_64;

/// Tag, leg, place among its kind, owner, two amounts.
const BYTES: usize = 1 + 1 + 4 + 8 + 16 + 16;

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

/// What an entry adds to the sum.
fn entry(of: Kept, amounts: [i128; 2]) -> u64 {
    if amounts == [0, 0] {
        return 0;
    }
    let (tag, owner, place, leg) = match of {
        Kept::Pool(account, PoolName::Cross(asset)) => (1, account, asset.0, 0),
        Kept::Pool(account, PoolName::Isolated(instrument, side)) => (2, account, instrument.0, leg(side)),
        Kept::Position(account, instrument, side) => (3, account, instrument.0, leg(side)),
        Kept::Hold(account, _, asset) => (4, account, asset.0, 0),
        Kept::Fund(fund) => (5, 0, fund.0, 0),
        Kept::Inventory(instrument) => (6, 0, instrument.0, 0),
        Kept::Fees(asset) => (7, 0, asset.0, 0),
        Kept::VenueBalance(asset) => (8, 0, asset.0, 0),
        Kept::VenuePosition(instrument) => (9, 0, instrument.0, 0),
    };
    let mut bytes = [0; BYTES];
    (bytes[0], bytes[1]) = (tag, leg);
    bytes[2..6].copy_from_slice(&u32::to_le_bytes(place));
    bytes[6..14].copy_from_slice(&u64::to_le_bytes(owner));
    bytes[14..30].copy_from_slice(&amounts[0].to_le_bytes());
    bytes[30..].copy_from_slice(&amounts[1].to_le_bytes());
    xxh3_64(&bytes)
}

/// What an amount adds to the sum.
pub(crate) fn of_amount(of: Kept, amount: i128) -> u64 {
    let second = if let Kept::Hold(_, id, _) = of { i128::from(id) } else { 0 };
    entry(of, [amount, second])
}

/// What a position adds to the sum.
pub(crate) fn of_position(of: Kept, position: &Position) -> u64 {
    entry(of, [i128::from(position.quantity), position.cost])
}

impl Shard {
    /// What its accounts come to.
    pub(crate) fn state_hash(&self) -> u64 {
        self.state
    }

    /// A pool comes, or has other collateral than before.
    pub(super) fn count_collateral(&mut self, pool: u32, before: i128) {
        let Pool { account, name, collateral, .. } = self.pools[pool as usize];
        let of = Kept::Pool(self.accounts[account as usize].id, name);
        self.replace(of_amount(of, before), of_amount(of, collateral));
    }

    /// A holding comes, or has another position than before.
    pub(super) fn count_position(&mut self, holding: u32, before: &Position) {
        let Holding { account, instrument, side, position, .. } = self.holdings[holding as usize];
        let of = Kept::Position(self.accounts[account as usize].id, instrument, side);
        self.replace(of_position(of, before), of_position(of, &position));
    }

    /// Money is put aside.
    pub(super) fn count_hold(&mut self, account: u32, id: u64, (asset, amount): (AssetId, i64)) {
        let held = of_amount(Kept::Hold(self.accounts[account as usize].id, id, asset), i128::from(amount));
        self.replace(0, held);
    }

    /// It is no more.
    pub(super) fn discount_hold(&mut self, account: u32, id: u64, (asset, amount): (AssetId, i64)) {
        let held = of_amount(Kept::Hold(self.accounts[account as usize].id, id, asset), i128::from(amount));
        self.replace(held, 0);
    }

    fn replace(&mut self, before: u64, after: u64) {
        self.state = self.state.wrapping_sub(before).wrapping_add(after);
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
        "89ebd05c1f4f12a3",
        "ee8f4fde9b159f25",
        "96cbb9d4672bc03f",
        "45b0d1fbb59284c6",
        "9e7786a414bcb781",
        "3cbd5c8fee25f81c",
        "340d0d6e4b8c66a1",
        "0614d82086da5908",
        "d4d66d2a60ee5616",
        "8d141ae6391755d6",
        "9f5b46c36ea9a679",
        "3ecd6dc22d6f87bd",
    ];

    #[test]
    fn nothing_counts_nothing() {
        assert_eq!(of_amount(Kept::Pool(7, PoolName::Cross(AssetId(3))), 0), 0);
        assert_eq!(of_position(Kept::Position(7, InstrumentId(3), None), &Position::default()), 0);
    }
}
