//! Which threads run, on which cores, and how they wait: chosen at the start, said, and never guessed silently.

use crate::ring::Wait;
use core_affinity::CoreId;
use std::fmt;

/// How an engine's threads are laid out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Workers, which is shards; none: one for each core that sequencer and arbiter leave, at least one.
    pub workers: Option<u32>,
    /// Whether the arbiter has a thread of its own; none: if there are cores enough.
    pub apart: Option<bool>,
    /// How threads wait; none: they spin if each has a core of its own, else they yield.
    pub wait: Option<Wait>,
    /// Where threads are pinned.
    pub pinning: Pinning,
}

/// Where threads are pinned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Pinning {
    /// Each to a core of its own if there are enough; else nowhere.
    #[default]
    Auto,
    /// Nowhere.
    Off,
    /// To these, by number: the caller (sequencer), the arbiter if it is apart, then the workers.
    Cores(Vec<usize>),
}

/// Why an engine cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Pinning was asked for, and did not work.
    #[error("the {thread} cannot be pinned to core {core}")]
    Pin {
        /// Which thread.
        thread: String,
        /// The core.
        core: usize,
    },
    /// A core was named that this process cannot use.
    #[error("there is no core {core} for this process; there are {available:?}")]
    NoSuchCore {
        /// As it was named.
        core: usize,
        /// What there is.
        available: Vec<usize>,
    },
    /// Two threads were put on one core.
    #[error("core {core} is named twice")]
    CoreTwice {
        /// As it was named.
        core: usize,
    },
    /// The list of cores does not fit the threads.
    #[error("{threads} threads need {threads} cores, and {given} are named")]
    CoreCount {
        /// Threads that there will be.
        threads: usize,
        /// Cores that were named.
        given: usize,
    },
    /// Spinning threads would outnumber cores.
    #[error("{threads} spinning threads would share {cores} cores: wait by yield or park, or run fewer workers")]
    SpinOutnumbered {
        /// Threads that there would be.
        threads: usize,
        /// Cores that there are.
        cores: usize,
    },
    /// The kernel given has another number of shards.
    #[error("the kernel has {shards} shards, and there are to be {workers} workers: they must be equal")]
    Shards {
        /// Of the kernel.
        shards: usize,
        /// Of the layout.
        workers: usize,
    },
    /// There must be at least one worker, and at most 1024.
    #[error("{0} workers: there must be from 1 to 1024")]
    Workers(u32),
    /// The capacity of a ring or queue.
    #[error("a capacity of {0}: it must be a power of two, at least 2")]
    Capacity(usize),
    /// A thread could not be started.
    #[error("the {thread} cannot be started: {reason}")]
    Thread {
        /// Which thread.
        thread: String,
        /// What the system said.
        reason: String,
    },
    /// Memory could not be brought in or locked, as was asked for.
    #[error("memory cannot be prepared: {0}")]
    Memory(String),
    /// The journal could not be begun.
    #[error("the journal cannot be begun: {0}")]
    Journal(String),
}

/// The layout that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Workers, which is shards.
    pub workers: u32,
    /// Whether the arbiter has a thread of its own; else it shares the caller's with the sequencer.
    pub apart: bool,
    /// How threads wait.
    pub wait: Wait,
    /// Cores of this process.
    pub cores: usize,
    /// By thread: the caller, the arbiter if it is apart, the workers; empty: not pinned.
    pub pinned: Vec<usize>,
    /// Why it waits so.
    why: &'static str,
}

impl Shape {
    /// Chooses a shape for the cores that this process has.
    ///
    /// # Errors
    ///
    /// What was asked for cannot be.
    pub fn choose(layout: &Layout) -> Result<Self, StartError> {
        let available: Vec<usize> =
            core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect();
        Self::choose_among(layout, &available)
    }

    pub(super) fn choose_among(layout: &Layout, available: &[usize]) -> Result<Self, StartError> {
        let cores = available.len().max(1);
        let apart = layout.apart.unwrap_or_else(|| match layout.workers {
            Some(workers) => cores >= workers as usize + 2,
            None => cores >= 3,
        });
        let others = if apart { 2 } else { 1 };
        let workers = layout.workers.unwrap_or_else(|| cores.saturating_sub(others).clamp(1, 1024) as u32);
        if !(1..=1024).contains(&workers) {
            return Err(StartError::Workers(workers));
        }
        let threads = workers as usize + others;
        let own_cores = threads <= cores;
        let (wait, why) = match layout.wait {
            Some(wait) => (wait, "as asked"),
            None if own_cores => (Wait::Spin, "each thread has a core of its own"),
            None => (Wait::Yield, "there are more threads than cores"),
        };
        if wait == Wait::Spin && !own_cores {
            return Err(StartError::SpinOutnumbered { threads, cores });
        }
        let pinned = match &layout.pinning {
            Pinning::Auto if own_cores => available[..threads].to_vec(),
            Pinning::Auto | Pinning::Off => Vec::new(),
            Pinning::Cores(list) => check_list(list, threads, available)?,
        };
        Ok(Self { workers, apart, wait, cores, pinned, why })
    }

    /// Of an engine that has no threads.
    pub(super) fn by_hand(workers: u32, apart: bool) -> Self {
        Self { workers, apart, wait: Wait::Yield, cores: 1, pinned: Vec::new(), why: "moved by hand" }
    }

    /// The core of the caller's thread.
    pub(super) fn caller_core(&self) -> Option<usize> {
        self.pinned.first().copied()
    }

    pub(super) fn arbiter_core(&self) -> Option<usize> {
        self.pinned.get(1).copied().filter(|_| self.apart)
    }

    pub(super) fn worker_core(&self, worker: u32) -> Option<usize> {
        self.pinned.get(worker as usize + if self.apart { 2 } else { 1 }).copied()
    }
}

fn check_list(list: &[usize], threads: usize, available: &[usize]) -> Result<Vec<usize>, StartError> {
    if list.len() != threads {
        return Err(StartError::CoreCount { threads, given: list.len() });
    }
    for (at, &core) in list.iter().enumerate() {
        if !available.contains(&core) {
            return Err(StartError::NoSuchCore { core, available: available.to_vec() });
        }
        if list[..at].contains(&core) {
            return Err(StartError::CoreTwice { core });
        }
    }
    Ok(list.to_vec())
}

/// Pins the calling thread, if it has a core.
pub(super) fn pin(core: Option<usize>, thread: &str) -> Result<(), StartError> {
    match core {
        Some(id) if !core_affinity::set_for_current(CoreId { id }) => {
            Err(StartError::Pin { thread: thread.to_owned(), core: id })
        }
        _ => Ok(()),
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workers, apart, wait, cores, pinned, why } = self;
        let arbiter = if *apart { "arbiter on a thread of its own" } else { "sequencer and arbiter on one thread" };
        let plural = if *workers == 1 { "worker" } else { "workers" };
        write!(f, "{workers} {plural}, {arbiter}, {cores} cores; waiting by {wait} ({why}); ")?;
        match pinned.as_slice() {
            [] => f.write_str("not pinned"),
            [caller, rest @ ..] => {
                write!(f, "pinned: sequencer to core {caller}")?;
                let mut rest = rest.iter();
                if *apart && let Some(core) = rest.next() {
                    write!(f, ", arbiter to {core}")?;
                }
                let list: Vec<String> = rest.map(ToString::to_string).collect();
                write!(f, ", {plural} to {}", list.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(layout: &Layout, cores: usize) -> Result<Shape, StartError> {
        Shape::choose_among(layout, &(0..cores).collect::<Vec<_>>())
    }

    #[test]
    fn spinning_is_the_default_only_where_each_thread_has_a_core() {
        let shape = |cores| choose(&Layout::default(), cores).unwrap();
        let told = |cores| (shape(cores).workers, shape(cores).apart, shape(cores).wait, shape(cores).pinned.len());
        assert_eq!(told(1), (1, false, Wait::Yield, 0));
        assert_eq!(told(2), (1, false, Wait::Spin, 2));
        assert_eq!(told(3), (1, true, Wait::Spin, 3));
        assert_eq!(told(8), (6, true, Wait::Spin, 8));
        assert_eq!(
            shape(2).to_string(),
            "1 worker, sequencer and arbiter on one thread, 2 cores; waiting by spin (each thread has a core of its \
             own); pinned: sequencer to core 0, worker to 1"
        );
    }

    #[test]
    fn what_cannot_be_is_said() {
        let spin = Layout { workers: Some(3), wait: Some(Wait::Spin), ..Layout::default() };
        assert_eq!(choose(&spin, 2), Err(StartError::SpinOutnumbered { threads: 4, cores: 2 }));
        let on = |cores: &[usize]| Layout { pinning: Pinning::Cores(cores.to_vec()), ..Layout::default() };
        assert_eq!(choose(&on(&[0]), 2), Err(StartError::CoreCount { threads: 2, given: 1 }));
        assert_eq!(choose(&on(&[0, 0]), 2), Err(StartError::CoreTwice { core: 0 }));
        assert_eq!(choose(&on(&[0, 7]), 2), Err(StartError::NoSuchCore { core: 7, available: vec![0, 1] }));
        assert_eq!(choose(&on(&[1, 0]), 2).unwrap().pinned, [1, 0]);
        assert_eq!(choose(&Layout { workers: Some(0), ..Layout::default() }, 2), Err(StartError::Workers(0)));
    }
}
