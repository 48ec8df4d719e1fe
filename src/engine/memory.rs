//! What an engine does to its memory before it starts, so that no tick is the first to touch a page.

use super::cores::StartError;

/// What is done to the memory of the process when an engine starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Memory {
    /// Nothing: a page comes when it is first touched, which costs a fault of the system then.
    #[default]
    AsItComes,
    /// All memory that was asked for until now is brought in, the room that nothing fills yet included. It may go again.
    Prefaulted,
    /// As [`Memory::Prefaulted`], and it stays: nothing is paged out, and what is asked for later comes at once.
    Locked,
}

impl Memory {
    /// Does it. Columns with their capacity are there by now, and rings and queues.
    #[cfg(target_os = "linux")]
    pub(super) fn prepare(self) -> Result<(), StartError> {
        use rustix::mm::{MlockAllFlags, mlockall, munlockall};
        let failed = |reason: rustix::io::Errno| StartError::Memory(format!("{reason} (see `ulimit -l`)"));
        match self {
            Self::AsItComes => Ok(()),
            // What is locked is brought in; unlocked, it is still there.
            Self::Prefaulted => mlockall(MlockAllFlags::CURRENT).and_then(|()| munlockall()).map_err(failed),
            Self::Locked => mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE).map_err(failed),
        }
    }

    /// Does it, where that is known.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn prepare(self) -> Result<(), StartError> {
        match self {
            Self::AsItComes => Ok(()),
            Self::Prefaulted | Self::Locked => Err(StartError::Memory("known on Linux only".to_owned())),
        }
    }
}
