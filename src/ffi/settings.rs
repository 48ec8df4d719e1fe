//! Settings and figures: what an engine is started with, and what it tells of itself.

use super::event::terrace_amount;
use super::words::{terrace_pinning, terrace_wait};
use crate::engine::{EngineSettings, Layout, Pinning};
use crate::ring::Wait;
use std::time::Duration;

/// How an engine is built. Begin with `terrace_settings_default`, which fills in `size`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_settings {
    /// `sizeof(terrace_settings)`: by it a later library knows which fields there are.
    pub size: u32,
    /// Workers; 0: one for each core that the calling thread leaves, at least one.
    pub workers: u32,
    /// A `terrace_wait`.
    pub wait: u32,
    /// A `terrace_pinning`.
    pub pinning: u32,
    /// Places in the ring: a power of two.
    pub ring: u32,
    /// Room in each queue: a power of two.
    pub queue: u32,
    /// After so long without an input the engine tells the time itself (since the epoch); 0: never.
    pub heartbeat_ns: u64,
    /// 1: the sequence is kept in memory, for `terrace_record_replay`; else 0.
    pub record: u32,
    /// 1: requests say when they were decided; else 0.
    pub stamps: u32,
}

/// A pool of an account at the present marks; amounts in quanta.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_pool_view {
    /// Collateral and unrealised results.
    pub equity: terrace_amount,
    /// Below this it is liquidated.
    pub maintenance_margin: terrace_amount,
    /// Initial margin; of a cross pool with its orders and with what it reserves for isolated instruments.
    pub initial_margin: terrace_amount,
    /// What can be withdrawn or ordered with; 0 for an isolated pool.
    pub available: terrace_amount,
    /// 1: in liquidation; else 0.
    pub locked: u32,
}

/// What an engine has done so far.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_metrics {
    /// Places of the sequence.
    pub places: u64,
    /// Decisions among them.
    pub decisions: u64,
    /// Times that the engine told itself.
    pub heartbeats: u64,
    /// Submissions that met a full ring.
    pub full: u64,
    /// Places that the slowest reader of the ring has yet to read.
    pub lag: u64,
}

/// What a replay of the record came to.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_replay {
    /// Hash of the log of the threads.
    pub hash: u64,
    /// Hash of the log of the inline kernel.
    pub inline_hash: u64,
    /// Entries of the log of the threads.
    pub entries: u64,
    /// Entries of the log of the inline kernel.
    pub inline_entries: u64,
    /// Places of the record.
    pub places: u64,
    /// 1: both logs are equal; else 0.
    pub equal: u32,
}

impl Default for terrace_settings {
    fn default() -> Self {
        let engine = EngineSettings::default();
        Self {
            size: size_of::<Self>() as u32,
            workers: 0,
            wait: terrace_wait::Auto as u32,
            pinning: terrace_pinning::Off as u32,
            ring: engine.ring as u32,
            queue: engine.queue as u32,
            heartbeat_ns: 0,
            record: 0,
            stamps: 0,
        }
    }
}

impl terrace_settings {
    /// The settings; none if a number is none of those that its field takes.
    pub(super) fn read(&self) -> Option<EngineSettings> {
        let wait = match self.wait {
            wait if wait == terrace_wait::Auto as u32 => None,
            wait if wait == terrace_wait::Spin as u32 => Some(Wait::Spin),
            wait if wait == terrace_wait::Yield as u32 => Some(Wait::Yield),
            wait if wait == terrace_wait::Park as u32 => Some(Wait::Park),
            _ => return None,
        };
        let pinning = match self.pinning {
            pinning if pinning == terrace_pinning::Off as u32 => Pinning::Off,
            pinning if pinning == terrace_pinning::Auto as u32 => Pinning::Auto,
            _ => return None,
        };
        if self.size as usize != size_of::<Self>() || self.record > 1 || self.stamps > 1 {
            return None;
        }
        Some(EngineSettings {
            layout: Layout { workers: (self.workers > 0).then_some(self.workers), apart: None, wait, pinning },
            ring: self.ring as usize,
            queue: self.queue as usize,
            record: self.record == 1,
            stamps: self.stamps == 1,
            heartbeat: (self.heartbeat_ns > 0).then(|| Duration::from_nanos(self.heartbeat_ns)),
            ..EngineSettings::default()
        })
    }
}
