//! The engine's protocols under loom, whole engines under shuttle, one whose threads are moved by hand, and one small enough for
//! Miri. `tests/threads.rs` has the rest.

#[cfg(not(any(loom, shuttle)))]
mod by_hand;
#[cfg(loom)]
mod model;
#[cfg(shuttle)]
mod random;
#[cfg(not(any(loom, shuttle)))]
mod small;
#[cfg(not(loom))]
mod world;
