//! The order in which accounts have their turns in a job: that of their ids.

use super::memory::{room, room_of_tree};
use super::store::Account;
use std::collections::BTreeMap;
use std::ops::Bound;

/// All accounts of a shard by id. Ids mostly rise: those that come above all others before them take a column, the rest a tree.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Rising.
    column: Vec<u32>,
    late: BTreeMap<u64, u32>,
    /// How far in the column the last piece came.
    reached: usize,
}

impl Turns {
    pub(super) fn with_capacity(accounts: usize) -> Self {
        Self { column: Vec::with_capacity(accounts), ..Self::default() }
    }

    /// Bytes.
    pub(super) fn room(&self) -> usize {
        room(&self.column) + room_of_tree(&self.late)
    }

    /// Enters an account.
    pub(super) fn enter(&mut self, accounts: &[Account], index: u32) {
        let id = accounts[index as usize].id;
        if self.column.last().is_none_or(|&last| accounts[last as usize].id < id) {
            self.column.push(index);
        } else {
            self.late.insert(id, index);
        }
    }

    fn first_after(&self, accounts: &[Account], done: Option<u64>) -> usize {
        let Some(done) = done else { return 0 };
        let id = |index: u32| accounts[index as usize].id;
        let reached = &self.column[..self.reached];
        if reached.last().is_some_and(|&last| id(last) == done) {
            return self.reached;
        }
        self.column.partition_point(|&index| id(index) <= done)
    }

    /// The accounts after `from` and up to `to` had their turns: the next are looked for there.
    pub(super) fn pass(&mut self, accounts: &[Account], from: Option<u64>, to: u64) {
        let first = self.first_after(accounts, from);
        let passed = self.column[first..].iter().take_while(|&&index| accounts[index as usize].id <= to).count();
        self.reached = first + passed;
    }

    /// The accounts after `done`, in order.
    pub(super) fn after<'a>(&'a self, accounts: &'a [Account], done: Option<u64>) -> impl Iterator<Item = u32> + 'a {
        let id = |&index: &u32| accounts[index as usize].id;
        let mut column = self.column[self.first_after(accounts, done)..].iter().copied().peekable();
        let from = done.map_or(Bound::Unbounded, Bound::Excluded);
        let mut late = self.late.range((from, Bound::Unbounded)).map(|(&id, &index)| (id, index)).peekable();
        std::iter::from_fn(move || match (column.peek(), late.peek()) {
            (Some(next), Some(&(other, _))) if id(next) > other => late.next().map(|(_, index)| index),
            (Some(_), _) => column.next(),
            (None, _) => late.next().map(|(_, index)| index),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::PositionMode;
    use crate::controls::Mode;

    #[test]
    fn whatever_comes_first_turns_are_by_id() {
        let (mut accounts, mut turns_of) = (Vec::new(), Turns::default());
        let ids = [5u64, 9, 7, 12, 1, 13, 8, u64::MAX, 10, 0];
        for (index, &id) in ids.iter().enumerate() {
            let (mode, positions) = (Mode::Normal, PositionMode::OneWay);
            accounts.push(Account { id, first_pool: 0, mode, orders_sent: 0, executions: 0, positions, group: 0 });
            turns_of.enter(&accounts, index as u32);
        }
        for done in [None, Some(0), Some(5), Some(1), Some(6), Some(7), Some(13), Some(u64::MAX)] {
            let mut expected: Vec<u64> = ids.into_iter().filter(|&id| done.is_none_or(|done| id > done)).collect();
            expected.sort_unstable();
            let turns: Vec<u64> = turns_of.after(&accounts, done).map(|at| accounts[at as usize].id).collect();
            assert_eq!(turns, expected, "after {done:?}");
            if let Some(done) = done {
                turns_of.pass(&accounts, None, done);
            }
        }
    }
}
