//! What reaches everybody in pieces (model section 4): a settlement of funding,
//! a change of rules. Each piece is the next `chunk` accounts in account order,
//! and is followed by section 5; what changes an account before its chunk has
//! it reached first.

use super::rules::Change;
use super::settlement::Settlement;
use super::state::State;
use std::collections::BTreeSet;

#[derive(Clone)]
pub struct Job {
    pub instrument: usize,
    pub work: Work,
    /// What `liquidation_started` names.
    pub cause: &'static str,
    /// The last account of the last chunk.
    through: Option<u64>,
    /// Those that were reached before their chunk, too.
    reached: BTreeSet<u64>,
}

#[derive(Clone)]
pub enum Work {
    Settlement(Settlement),
    Change(Change),
}

impl State {
    pub fn begin_job(&mut self, instrument: usize, cause: &'static str, work: Work) {
        self.jobs.push(Job { instrument, work, cause, through: None, reached: BTreeSet::new() });
    }

    /// All that is under way, piece by piece.
    pub fn finish_jobs(&mut self) {
        while let Some(job) = self.jobs.first() {
            let cause = job.cause;
            self.next_chunk();
            self.follow_up(cause);
        }
    }

    /// The next place of the job that began first: a chunk, or its end.
    fn next_chunk(&mut self) {
        let job = &self.jobs[0];
        let (size, through) = (self.instruments[job.instrument].chunk, job.through);
        let left = self.accounts.keys().copied().filter(|&account| through.is_none_or(|through| account > through));
        let chunk: Vec<u64> = left.take(size).collect();
        let Some(&last) = chunk.last() else {
            match self.jobs[0].work {
                Work::Settlement(_) => self.end_settlement(),
                Work::Change(_) => self.end_change(),
            }
            return;
        };
        for account in chunk {
            self.reach(0, account);
        }
        self.jobs[0].through = Some(last);
    }

    /// Before an account is changed it is reached by all that is under way.
    pub fn catch_up(&mut self, account: u64) {
        for n in 0..self.jobs.len() {
            self.reach(n, account);
        }
    }

    pub fn is_behind(&self, account: u64) -> bool {
        self.jobs.iter().any(|job| !job.reached.contains(&account))
    }

    /// Under the old rules a position is until its account is reached.
    pub fn change_before(&self, account: u64, i: usize) -> Option<&Change> {
        self.jobs.iter().find_map(|job| match &job.work {
            Work::Change(change) if job.instrument == i && !job.reached.contains(&account) => Some(change),
            _ => None,
        })
    }

    fn reach(&mut self, n: usize, account: u64) {
        if self.jobs[n].reached.insert(account) && matches!(self.jobs[n].work, Work::Settlement(_)) {
            self.settle(n, account);
        }
    }
}
