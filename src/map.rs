//! The hash maps of the crate: fixed seed, so that two runs do the same work, and a hash that mixes well, since callers
//! choose the ids. What a map holds is only ever looked up: no order of iteration can show.

use foldhash::quality::FixedState;
use std::hash::{BuildHasher, Hash};

/// A set of ids.
pub(crate) type Set<K> = std::collections::HashSet<K, FixedState>;

/// A map by id or name.
pub(crate) type Map<K, V> = std::collections::HashMap<K, V, FixedState>;

/// Places of records by their keys, which are read in the records themselves: 5 bytes an entry.
pub(crate) type Table = hashbrown::HashTable<u32>;

/// The hash of a key of a [`Table`].
#[inline]
pub(crate) fn hash_of(key: impl Hash) -> u64 {
    FixedState::default().hash_one(key)
}
