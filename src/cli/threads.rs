//! `--driver`, `--wait`, `--cores`: on which threads the kernel runs.

use terrace::Wait;
use terrace::engine::{Layout, Pinning};

/// Who runs the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum DriverArg {
    /// One thread: function calls.
    Inline,
    /// Workers on threads of their own, one for each shard.
    Threaded,
}

/// How threads are laid out.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ThreadArgs {
    /// How threads wait: `spin`, `yield` or `park`; by default they spin if each has a core of its own, else they yield
    #[arg(long, value_name = "HOW")]
    wait: Option<Wait>,

    /// Cores to pin to, such as 0,1: the sequencer's, the arbiter's if it has a thread of its own, then the workers';
    /// `off` pins nothing. By default each thread gets a core, if there are enough
    #[arg(long, value_name = "LIST", value_parser = pinning)]
    cores: Option<Pinning>,
}

impl ThreadArgs {
    /// The layout for so many workers.
    pub(super) fn layout(&self, workers: Option<u32>) -> Layout {
        Layout { workers, apart: None, wait: self.wait, pinning: self.cores.clone().unwrap_or_default() }
    }
}

fn pinning(text: &str) -> Result<Pinning, String> {
    if text == "off" {
        return Ok(Pinning::Off);
    }
    let core = |word: &str| word.trim().parse().map_err(|_| format!("{word:?} is not the number of a core"));
    text.split(',').map(core).collect::<Result<_, _>>().map(Pinning::Cores)
}
