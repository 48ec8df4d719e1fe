//! The engine's protocols under loom, an engine whose threads are moved by hand, and one small enough for Miri. `tests/threads.rs` has the rest.

#[cfg(not(loom))]
mod by_hand;
#[cfg(loom)]
mod model;
#[cfg(not(loom))]
mod small;
