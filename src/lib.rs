//! Terrace: a low-latency risk kernel for exchanges that trade perpetual contracts.
//!
//! ```text
//!  ticks, fills, orders, payments
//!        │  Command                            one writer of everything: the caller
//!        ▼
//!  Kernel ── admit ──► Market                  marks and rules, the same for all
//!        │        └──► Shard 0..n              accounts, pools, bands       (one writer each)
//!        │                │ breaches, orders, claims
//!        └── settle ──►  Arbiter               waterfall: fund, ADL, unwinding (one writer)
//!                         │  Event
//!                         ▼
//!                      what happened, in order
//! ```
//!
//! An account that can lose more than it has is caught by a terrace of defences: its own margin (forced liquidation,
//! step by step), then the insurance fund, then auto-deleveraging of the most profitable opposite positions. The
//! kernel is a deterministic function of the sequence of its commands: it reads no clock, no environment and no file,
//! and the number of shards never shows in an event.
//!
//! The modules, in the order of the flow:
//!
//! - [`decimal`], [`number`]: exact numbers and their rounding.
//! - [`contract`]: what a contract is worth, linear or inverse, and its rounding.
//! - [`market`], [`tiers`], [`slope`], [`position`]: instruments, margin by notional or by size, signed size and cost.
//! - [`controls`]: modes and limits; `airlock`: marks that are held back.
//! - [`prices`]: the index of several venues, computed marks, the funding rate.
//! - [`rule_version`]: under which version of the rules all of this is.
//! - [`command`], [`correction`], [`refusal`]: what goes in, and why it may be refused.
//! - [`jobs`]: what concerns every account, and is booked in pieces.
//! - `shard`: the accounts of one writer; evaluation, trigger bands, liquidation steps.
//! - `arbiter`: funds, takeover, deleveraging, unwinding.
//! - `ring`: how threads hand work to each other without locks.
//! - [`venue`]: where liquidation orders go in scripts and replays.
//! - [`kernel`]: all of it on one thread.
//! - [`event`]: what comes out.
//! - `journal` (feature): the sequence in a file.
//! - `ticks` (feature `cli`): readers of market data.
//! - `protocol` (feature): commands and events as JSON Lines.
//! - `bench` (feature `cli`): aged populations at scale, workloads over them, and what they cost.
//! - `simulate` (feature `cli`): the whole system on a simulated clock and disk, with everything going wrong that may.
//! - `serve` (feature `cli`): a session over sockets.
//! - `presets` (feature `cli`): the rules of venues, in protocol form.
//! - `ffi` (feature `c-api`): the threaded driver for matching engines in C.

#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable))]

mod airlock;
mod arbiter;
#[cfg(feature = "cli")]
pub mod bench;
mod checks;
pub mod command;
pub mod contract;
pub mod controls;
pub mod correction;
pub mod decimal;
pub mod driver;
pub mod engine;
pub mod event;
#[cfg(feature = "c-api")]
pub mod ffi;
pub mod jobs;
#[cfg(feature = "journal")]
pub mod journal;
pub mod kernel;
mod map;
pub mod market;
pub mod number;
pub mod position;
#[cfg(feature = "protocol")]
pub mod presets;
pub mod prices;
#[cfg(feature = "protocol")]
pub mod protocol;
pub mod refusal;
#[cfg(feature = "cli")]
pub mod replay;
mod ring;
mod rounds;
pub mod rule_version;
mod sequencer;
#[cfg(feature = "cli")]
pub mod serve;
mod shard;
#[cfg(feature = "cli")]
pub mod simulate;
pub mod slope;
#[cfg(feature = "journal")]
pub mod snapshot;
#[cfg(feature = "cli")]
pub mod ticks;
pub mod tiers;
pub mod venue;

pub use command::{Command, OffGrid, OrderName, OrderOwner};
pub use correction::Correction;
pub use driver::{Driver, Input, Recorder};
pub use event::Event;
pub use kernel::{Declaration, Kernel, Overview, Settings};
pub use refusal::{Code, Refusal};
pub use ring::{UnknownWait, Wait};
pub use rule_version::RuleVersion;
pub use shard::{
    AccountView, Capacity, Foresight, LadderRung, Margin, Memory, OrderView, PoolView, PositionView, Preview,
    PreviewPool, Statement, Strategy, Work,
};

/// The ring for `perf/hops.rs`, which is compiled as a crate of its own and measures what no user calls. Not an interface.
#[doc(hidden)]
pub mod ring_parts {
    pub use crate::ring::{Bell, Cursor, Full, Reader, Receiver, Sender, Writer, broadcast, queue};
}

/// The example of the README is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
