//! Lists by level, of who is bounded within it.
//!
//! When marks leave their ranges, all of a level are looked through for those who depend on them. So the lists lie in pieces
//! of many, side by side in memory, and share one store, which never needs room for much more than there are members.

use crate::shard::{Bits, Grade, LEVELS};

/// Entries of a piece.
const PIECE: usize = 32;

/// The end of a list.
const END: u32 = u32::MAX;

/// Who is bounded.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    /// The bits of the instruments whose marks the bound depends on.
    pub(super) holds: Bits,
    pub(super) grade: Grade,
    pub(super) member: u32,
}

/// A list: full pieces, and one that is not full before them.
#[derive(Clone, Copy, Debug)]
struct List {
    /// The piece that is filled, or [`END`].
    first: u32,
    /// Entries in it, at least one.
    count: usize,
}

/// The lists of all levels.
#[derive(Debug)]
pub(super) struct LevelLists {
    entries: Vec<Entry>,
    /// By piece: the next of its list.
    next: Vec<u32>,
    free: Vec<u32>,
    lists: [List; LEVELS],
}

impl Default for LevelLists {
    fn default() -> Self {
        let lists = [List { first: END, count: 0 }; LEVELS];
        Self { entries: Vec::new(), next: Vec::new(), free: Vec::new(), lists }
    }
}

impl LevelLists {
    /// Makes room for so many in all.
    pub(super) fn reserve(&mut self, members: usize) {
        let pieces = members / PIECE + LEVELS + 1;
        self.entries.reserve((pieces * PIECE).saturating_sub(self.entries.len()));
        self.next.reserve(pieces.saturating_sub(self.next.len()));
        self.free.reserve(pieces.saturating_sub(self.free.len()));
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.next.clear();
        self.free.clear();
        self.lists = [List { first: END, count: 0 }; LEVELS];
    }

    /// Adds an entry to a level; its place.
    pub(super) fn push(&mut self, level: u8, entry: Entry) -> u32 {
        let list = &mut self.lists[usize::from(level)];
        if list.first == END || list.count == PIECE {
            let piece = self.free.pop().unwrap_or_else(|| {
                self.next.push(END);
                self.entries.resize(self.entries.len() + PIECE, Entry::default());
                self.next.len() as u32 - 1
            });
            self.next[piece as usize] = list.first;
            *list = List { first: piece, count: 0 };
        }
        let at = list.first as usize * PIECE + list.count;
        self.entries[at] = entry;
        list.count += 1;
        at as u32
    }

    pub(super) fn entry(&mut self, at: u32) -> &mut Entry {
        &mut self.entries[at as usize]
    }

    /// Takes an entry out of its level. The last one of the level moves to its place; whose that is.
    pub(super) fn remove(&mut self, level: u8, at: u32) -> u32 {
        let list = &mut self.lists[usize::from(level)];
        list.count -= 1;
        let moved = self.entries[list.first as usize * PIECE + list.count];
        self.entries[at as usize] = moved;
        if list.count == 0 {
            self.free.push(list.first);
            *list = List { first: self.next[list.first as usize], count: PIECE };
        }
        moved.member
    }

    /// The entries of a level.
    pub(super) fn of(&self, level: usize) -> impl Iterator<Item = &Entry> {
        let List { first, count } = self.lists[level];
        let mut in_piece = count;
        let next = |&piece: &u32| Some(self.next[piece as usize]).filter(|&next| next != END);
        std::iter::successors((first != END).then_some(first), next).flat_map(move |piece| {
            let count = std::mem::replace(&mut in_piece, PIECE);
            &self.entries[piece as usize * PIECE..][..count]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whoever_is_in_a_list_is_found_there_once(steps in prop::collection::vec((0..200u32, 0..3u8), 0..600)) {
            let mut lists = LevelLists::default();
            lists.reserve(200);
            let room = lists.entries.capacity();
            let mut places: BTreeMap<u32, (u8, u32)> = BTreeMap::new();
            for (member, level) in steps {
                if let Some((level, at)) = places.remove(&member) {
                    let moved = lists.remove(level, at);
                    if moved != member {
                        places.insert(moved, (level, at));
                    }
                } else {
                    let at = lists.push(level, Entry { holds: 1, grade: i64::from(member), member });
                    places.insert(member, (level, at));
                }
                for level in 0..3 {
                    let mut listed: Vec<u32> = lists.of(usize::from(level)).map(|entry| entry.member).collect();
                    listed.sort_unstable();
                    let expected = places.iter().filter(|(_, place)| place.0 == level).map(|(&member, _)| member);
                    prop_assert!(listed.into_iter().eq(expected));
                }
                for (&member, &(_, at)) in &places {
                    prop_assert_eq!(lists.entry(at).member, member);
                }
            }
            prop_assert_eq!(lists.entries.capacity(), room);
        }
    }
}
