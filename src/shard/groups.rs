//! Groups: accounts whose positions count as one for the limit of a position, and so live in one shard.
//!
//! An account lives where its id leads, one of a group where the group's leads. Who it is that lives elsewhere than its id
//! says is known at either end, and nowhere else.

use super::Shard;
use super::carry_out::shard_of;
use super::store::NONE;
use crate::command::{PositionMode, Side};
use crate::map::{Map, Set};
use crate::market::InstrumentId;

/// The groups of a shard.
#[derive(Debug, Default)]
pub(super) struct Groups {
    by_id: Map<u64, u32>,
    members: Vec<Group>,
    /// Accounts whose id leads here, and that live with their groups elsewhere.
    away: Set<u64>,
    /// How many accounts live here with their groups whose ids lead elsewhere.
    guests: u32,
}

#[derive(Debug)]
struct Group {
    id: u64,
    accounts: Vec<u32>,
}

impl Groups {
    /// The id of the group at a place; none where there is none.
    #[cfg(feature = "journal")]
    pub(super) fn id(&self, at: u32) -> Option<u64> {
        self.members.get(at as usize).map(|group| group.id)
    }
}

impl Shard {
    /// An account is declared somewhere: it is added, if it is to live here.
    pub(super) fn declare_account(&mut self, id: u64, positions: PositionMode, group: Option<u64>) {
        if let Some(account) = self.place_account(id, positions, group) {
            self.enter_account(account);
        }
    }

    /// As [`Shard::declare_account`], but that it is not entered in the table of ids: its index, if it lives here.
    pub(super) fn place_account(&mut self, id: u64, positions: PositionMode, group: Option<u64>) -> Option<u32> {
        let shard = |id| if self.shards == 1 { self.number } else { shard_of(id, self.shards) };
        let (by_id, home) = (shard(id), shard(group.unwrap_or(id)));
        if home != self.number {
            if by_id == self.number {
                self.groups.away.insert(id);
            }
            return None;
        }
        self.groups.guests += u32::from(by_id != self.number);
        let account = self.push_account(id, positions);
        if let Some(group) = group {
            let Groups { by_id, members, .. } = &mut self.groups;
            let at = *by_id.entry(group).or_insert(members.len() as u32);
            if at as usize == members.len() {
                members.push(Group { id: group, accounts: Vec::new() });
            }
            members[at as usize].accounts.push(account);
            self.accounts[account as usize].group = at;
        }
        Some(account)
    }

    /// Whether an account belongs here, whether or not it exists.
    #[inline]
    pub(crate) fn owns(&self, account: u64) -> bool {
        if self.shards == 1 {
            return true;
        }
        let by_id = shard_of(account, self.shards) == self.number;
        if self.groups.guests == 0 && self.groups.away.is_empty() {
            return by_id;
        }
        if by_id { !self.groups.away.contains(&account) } else { self.find(account).is_some() }
    }

    /// The group that an account belongs to, and what that has in an instrument: its signed lots, and those of the open
    /// orders of a side that do not only reduce.
    pub(super) fn group_reach(&self, account: u32, instrument: InstrumentId, side: Side) -> Option<(u64, [i128; 2])> {
        let group = match self.accounts[account as usize].group {
            NONE => return None,
            at => &self.groups.members[at as usize],
        };
        let mut reach = [0, 0];
        for &member in &group.accounts {
            for holding in self.legs(member, instrument) {
                let book = self.order_book(holding);
                let ordered = if side == Side::Buy { book.buy_lots } else { book.sell_lots };
                reach[0] += i128::from(self.holdings[holding as usize].position.quantity);
                reach[1] += ordered;
            }
        }
        Some((group.id, reach))
    }
}

/// Where an account is, and what it has in an instrument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) shard: u32,
    /// Its index there.
    pub(crate) account: u32,
    /// Its first holding in the instrument.
    pub(crate) first: Option<u32>,
}

impl Place {
    #[inline]
    pub(crate) fn find(shards: &[Box<Shard>], account: u64, instrument: InstrumentId) -> Option<Self> {
        let by_id = home_of(shards, account);
        if let Some((account, first)) = shards[by_id].find_holding(account, instrument) {
            return Some(Self { shard: by_id as u32, account, first: Some(first) });
        }
        let (shard, account) = locate(shards, account)?;
        let first = shards[shard].first_holding(account, instrument);
        Some(Self { shard: shard as u32, account, first })
    }
}

/// The shard that an account's id leads to: where it lives, but for members of groups.
#[inline]
fn home_of(shards: &[Box<Shard>], account: u64) -> usize {
    if shards.len() == 1 { 0 } else { shard_of(account, shards.len() as u32) as usize }
}

/// The shard in which an account lives, and its index there.
#[inline]
pub(crate) fn locate(shards: &[Box<Shard>], account: u64) -> Option<(usize, u32)> {
    let by_id = home_of(shards, account);
    if let Some(index) = shards[by_id].find(account) {
        return Some((by_id, index));
    }
    if !shards[by_id].groups.away.contains(&account) {
        return None;
    }
    shards.iter().enumerate().find_map(|(at, shard)| Some((at, shard.find(account)?)))
}
