//! Jobs, as far as they concern the accounts of a shard: their turn in the order of ids, or earlier.

use super::store::{Holding, NONE};
use super::{Outbox, Report, Shard};
use crate::jobs::{Job, JobKind, JobName, Part};
use crate::map::Set;
use crate::market::{Instrument, InstrumentId, Market};

/// Accounts that may be booked before their turn without making room.
const EARLY: usize = 1 << 10;

/// Accounts of a piece that are booked together.
const TOGETHER: usize = 16;

/// What a shard keeps of a job.
#[derive(Debug)]
pub(super) struct JobShare {
    pub(super) name: JobName,
    /// Accounts that were booked before their turn.
    pub(super) early: Set<u32>,
    /// Of a settlement, in quanta: what payers paid.
    pub(super) paid: i128,
    /// What receivers received.
    pub(super) received: i128,
}

impl Shard {
    /// A job was ordered.
    pub(crate) fn begin_job(&mut self, name: JobName) {
        if name.kind == JobKind::Rules {
            self.begin_epoch(); // orders are checked by the new rules at once
        }
        let mut early = Set::default();
        early.reserve(EARLY);
        self.jobs.push(JobShare { name, early, paid: 0, received: 0 });
    }

    /// Payments that settlements under way have taken in and not yet given out, by the instrument that is settled.
    pub(crate) fn settling(&self) -> impl Iterator<Item = (JobName, i128)> + '_ {
        self.jobs.iter().map(|share| (share.name, share.paid - share.received))
    }

    /// The ids of the first accounts after `done`, in order.
    pub(crate) fn ids_after(&self, done: Option<u64>) -> impl Iterator<Item = u64> + '_ {
        self.turns.after(&self.accounts, done).map(|at| self.accounts[at as usize].id)
    }

    /// Books a piece of the oldest job.
    pub(super) fn book_part(&mut self, market: &Market, part: Part, outbox: &mut impl Outbox) {
        match part {
            Part::UpTo(last) => {
                let Some(job) = market.jobs.first() else { return };
                let mut done = job.done;
                loop {
                    let (mut together, mut count) = ([NONE; TOGETHER], 0);
                    let (before, early) = (done, &self.jobs[0].early);
                    for at in self.turns.after(&self.accounts, done).take(TOGETHER) {
                        let id = self.accounts[at as usize].id;
                        if id > last {
                            break;
                        }
                        done = Some(id);
                        if early.is_empty() || !early.contains(&at) {
                            together[count] = at;
                            count += 1;
                        }
                    }
                    if done == before {
                        break; // all are done
                    }
                    self.book_job(market, 0, &together[..count]);
                    if done == Some(last) {
                        break;
                    }
                }
                self.turns.pass(&self.accounts, job.done, last);
            }
            Part::End => {
                let JobShare { paid, received, .. } = self.jobs.remove(0);
                if (paid, received) != (0, 0) {
                    outbox.put(Report::Settled { paid, received });
                }
            }
        }
    }

    /// Before an account changes: books what jobs under way have not booked for it yet.
    #[inline]
    pub(crate) fn catch_up(&mut self, market: &Market, account: u32) {
        if !self.jobs.is_empty() {
            self.catch_up_with_jobs(market, account);
        }
    }

    /// As [`Shard::catch_up`], for the account of a pool.
    #[inline]
    pub(crate) fn catch_up_pool(&mut self, market: &Market, pool: u32) {
        self.catch_up(market, self.pools[pool as usize].account);
    }

    /// As [`Shard::catch_up`], for the account of a holding; whether there was anything to book.
    pub(crate) fn catch_up_holding(&mut self, market: &Market, holding: u32) -> bool {
        let pool = self.holdings[holding as usize].pool;
        let behind = self.is_behind(market, pool);
        self.catch_up_pool(market, pool);
        behind
    }

    #[cold]
    fn catch_up_with_jobs(&mut self, market: &Market, account: u32) {
        for (at, job) in market.jobs.iter().enumerate() {
            if self.is_due(job, at, account) {
                self.jobs[at].early.insert(account);
                self.book_job(market, at, &[account]);
            }
        }
    }

    /// Whether anything is still to be booked for the account of a pool.
    #[inline]
    pub(super) fn is_behind(&self, market: &Market, pool: u32) -> bool {
        let behind = || {
            let account = self.pools[pool as usize].account;
            market.jobs.iter().enumerate().any(|(at, job)| self.is_due(job, at, account))
        };
        !self.jobs.is_empty() && behind()
    }

    fn is_due(&self, job: &Job, at: usize, account: u32) -> bool {
        !job.has_done(self.accounts[account as usize].id) && !self.jobs[at].early.contains(&account)
    }

    /// A new account has nothing that a job could concern.
    pub(super) fn enter_jobs(&mut self, account: u32) {
        for share in &mut self.jobs {
            share.early.insert(account);
        }
    }

    /// Books a job for at most [`TOGETHER`] accounts.
    fn book_job(&mut self, market: &Market, at: usize, accounts: &[u32]) {
        let JobName { instrument, kind } = market.jobs[at].name;
        match kind {
            JobKind::Settlement => self.settle_funding(market, at, accounts),
            JobKind::Rules => {
                for &account in accounts {
                    self.go_over(market.instrument(instrument), instrument, account);
                }
            }
        }
    }

    /// An account goes over to changed rules: what was certified under the old ones is so no more.
    fn go_over(&mut self, instrument: &Instrument, id: InstrumentId, account: u32) {
        for holding in self.legs(account, id) {
            let record = &self.holdings[holding as usize];
            if record.position.quantity != 0 {
                let pool = record.pool;
                self.void_certificate(pool);
                self.watch_levels(pool, instrument);
                self.touch(pool);
                self.note_change(pool);
            }
        }
    }

    /// The instrument of a holding, under the rules that its account is under.
    #[inline]
    pub(super) fn rules<'a>(&self, market: &'a Market, holding: &Holding) -> &'a Instrument {
        let instrument = market.instrument(holding.instrument);
        match &instrument.before {
            None => instrument,
            Some(before) => self.rules_in_change(market, holding, instrument, before),
        }
    }

    #[cold]
    fn rules_in_change<'a>(
        &self,
        market: &Market,
        holding: &Holding,
        after: &'a Instrument,
        before: &'a Instrument,
    ) -> &'a Instrument {
        let account = self.pools[holding.pool as usize].account;
        let name = JobName { instrument: holding.instrument, kind: JobKind::Rules };
        let due = |(at, job): (usize, &Job)| job.name == name && self.is_due(job, at, account);
        if market.jobs.iter().enumerate().any(due) { before } else { after }
    }

    /// Positions of accounts, in hedge mode each leg, pay or receive: from the balance, or the isolated margin.
    ///
    /// All are looked up, then all are read, then all pay, so that what each waits for of memory is waited for at once.
    fn settle_funding(&mut self, market: &Market, at: usize, accounts: &[u32]) {
        let job = &market.jobs[at];
        let id = job.name.instrument;
        let mut firsts = [None; TOGETHER];
        for (first, &account) in firsts.iter_mut().zip(accounts) {
            *first = self.first_holding(account, id);
        }
        let mut payments = [(NONE, 0); 2 * TOGETHER];
        let mut count = 0;
        for first in firsts.into_iter().flatten() {
            let hedges = self.holdings[first as usize].side.is_some();
            for holding in first..=first + u32::from(hedges) {
                let record = &self.holdings[holding as usize];
                let payment = job.payment(market.instrument(id), record.position.quantity);
                payments[count] = (record.pool, payment);
                count += usize::from(payment != 0);
            }
        }
        for &(pool, payment) in &payments[..count] {
            let share = &mut self.jobs[at];
            share.paid += payment.max(0);
            share.received -= payment.min(0);
            self.credit(pool, -payment);
        }
    }
}
