//! The engine's protocols under loom, and an engine small enough for Miri. `tests/threads.rs` has the rest.

#[cfg(loom)]
mod model;
#[cfg(not(loom))]
mod small;
