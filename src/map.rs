//! The hash map of the crate: fixed seed, so that two runs do the same work, and a hash that mixes well, since callers
//! choose the ids. What a map holds is only ever looked up: no order of iteration can show.

/// A set of ids.
pub(crate) type Set<K> = std::collections::HashSet<K, foldhash::quality::FixedState>;

/// A map by id or name.
pub(crate) type Map<K, V> = std::collections::HashMap<K, V, foldhash::quality::FixedState>;
