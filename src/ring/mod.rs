//! How threads hand work to each other: rings of fixed size with one writer each, no locks, nothing allocated after the
//! start.
//!
//! ```text
//!              Writer ──► slots ──► Reader 0..n      broadcast: every reader sees every item, in place
//!                ▲                     │ release
//!                └───── Cursor 0..n ◄──┘             how far each has come: the writer stops at the slowest
//!
//!              Sender ──► slots ──► Receiver         queue: a broadcast to one
//!
//!              Bell                                  how a thread waits until one of them has something for it
//! ```
//!
//! Each slot holds the sequence number of its item beside the item, so that a small item crosses in one cache line. Both
//! ends of a synchronisation carry the same `SYNC:` name.
//!
//! The items are `pub` for `perf/hops.rs` (see `ring_parts`); the module is private.

pub(crate) mod broadcast;
pub(crate) mod queue;
pub(crate) mod sync;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod wait;

pub use broadcast::{Cursor, Full, Reader, Writer, broadcast};
pub use queue::{Receiver, Sender, queue};
pub use wait::{Bell, UnknownWait, Wait};
