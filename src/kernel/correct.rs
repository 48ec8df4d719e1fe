//! Corrections: an operator puts right what an earlier input led to. Rare, and of several parties at once.

use super::{Inline, Kernel};
use crate::correction::{Correction, CorrectionOffGrid, Remedy, Trade};
use crate::engine::Entry;
use crate::event::{Event, FundReason};
use crate::number::Price;
use crate::refusal::Refusal;
use crate::rounds::Rounds;
use crate::sequencer;
use crate::shard::{Shard, locate};

/// Carries a correction out that has its place: tells it, books it, and lets the shards find what it puts in breach.
///
/// # Errors
///
/// What depends on the state of its place: a balance of 2^62 and more, a fund that cannot pay. The correction has changed
/// nothing then.
pub(crate) fn correct(
    rounds: &mut Rounds,
    shards: &mut [Box<Shard>],
    ts_ns: Option<u64>,
    correction: &Correction,
) -> Result<(), Refusal> {
    rounds.market.see_time(ts_ns);
    let remark = rounds.market.note_remark(correction);
    for account in [Some(correction.account()), correction.counterparty()].into_iter().flatten() {
        if let Some((shard, index)) = locate(shards, account) {
            shards[shard].catch_up(&rounds.market, index);
        }
    }
    let done = check(rounds, shards, correction);
    if done.is_ok() {
        let Correction { corrects, .. } = *correction;
        let (account, what) = (correction.account(), correction.corrected());
        rounds.events.push(Event::Corrected { corrects, account, remark, what });
        book(rounds, shards, correction);
        rounds.accept(ts_ns, correction.cause());
    }
    if done.is_ok() || !rounds.market.jobs.is_empty() {
        // Also where it is refused: what a job had still to book for the accounts was booked before.
        if rounds.puts_off() {
            rounds.merge(); // what was booked comes before what times out
        } else {
            rounds.find_breaches(shards, correction.cause());
        }
    }
    done
}

fn check(rounds: &Rounds, shards: &[Box<Shard>], correction: &Correction) -> Result<(), Refusal> {
    match correction.remedy {
        Remedy::Bust { .. } | Remedy::Reprice { .. } => Ok(()),
        Remedy::Adjust { account, asset, amount } | Remedy::Compensate { account, asset, amount, .. } => {
            let (shard, index) = locate(shards, account).ok_or(Refusal::UnknownAccount(account))?;
            shards[shard].check_change(index, asset, amount)?;
            match correction.remedy {
                Remedy::Compensate { fund, .. } => rounds.arbiter.check_payment(&rounds.market, fund, amount.into()),
                _ => Ok(()),
            }
        }
    }
}

fn book(rounds: &mut Rounds, shards: &mut [Box<Shard>], correction: &Correction) {
    match correction.remedy {
        Remedy::Bust { trade, fee, counter_fee } => {
            let (fee, counter_fee) = (i128::from(fee), i128::from(counter_fee));
            rounds.book_bust(&trade.undone(), fee + counter_fee);
            let mut reports = Vec::new();
            for shard in shards {
                shard.book_bust(&rounds.market, &trade.undone(), (fee, counter_fee), &mut reports);
            }
            for report in &reports {
                rounds.stage(report);
            }
        }
        Remedy::Reprice { trade, to } => reprice(rounds, shards, &trade, to),
        Remedy::Adjust { account, asset, amount } => {
            if let Some((shard, index)) = locate(shards, account) {
                shards[shard].adjust(index, asset, amount);
            }
        }
        Remedy::Compensate { account, asset, amount, fund } => {
            rounds.arbiter.credit(fund, -i128::from(amount), FundReason::Compensation, &mut rounds.events);
            if let Some((shard, index)) = locate(shards, account) {
                shards[shard].change_balance(index, asset, amount);
            }
        }
    }
}

fn reprice(rounds: &mut Rounds, shards: &mut [Box<Shard>], trade: &Trade, to: Price) {
    let ([own, counter], rounding) = trade.differences(&rounds.market, to);
    let mut pay = |account: u64, leg, amount| {
        if let Some((shard, index)) = locate(shards, account) {
            shards[shard].pay_holder(&rounds.market, index, (trade.instrument, leg), amount);
        }
    };
    pay(trade.account, trade.position_side, own);
    if let Some(counterparty) = trade.counterparty {
        pay(counterparty, trade.counter_position_side, counter);
    }
    rounds.book_reprice(trade, counter, rounding);
}

impl Kernel {
    /// Books a correction, with all that follows from it. Inputs are numbered from 1, refused ones not counted.
    ///
    /// # Errors
    ///
    /// A refused correction has changed nothing.
    pub fn correct(&mut self, ts_ns: Option<u64>, correction: &Correction) -> Result<(), Refusal> {
        self.correct_at(ts_ns, correction, CorrectionOffGrid::NONE, self.seq + 1)
    }

    /// As [`Kernel::correct`], with the marks of those numbers that were finer than their grid, and the number that the
    /// caller gives this input: what is corrected came before it.
    ///
    /// # Errors
    ///
    /// A refused correction has changed nothing.
    pub fn correct_at(
        &mut self,
        ts_ns: Option<u64>,
        correction: &Correction,
        off_grid: CorrectionOffGrid,
        present: u64,
    ) -> Result<(), Refusal> {
        self.rounds.events.clear();
        self.input_correction(ts_ns, correction, off_grid, present)?;
        self.decide();
        Ok(())
    }

    pub(crate) fn input_correction(
        &mut self,
        ts_ns: Option<u64>,
        correction: &Correction,
        off_grid: CorrectionOffGrid,
        present: u64,
    ) -> Result<(), Refusal> {
        self.check_time(ts_ns)?;
        let mut facts = Inline { rounds: &self.rounds, shards: &self.shards };
        sequencer::check_correction(&self.rounds.market, &mut facts, correction, off_grid, present)?;
        self.inputs += 1;
        self.seq += 1;
        if let Some(record) = &mut self.record {
            record.push(Entry::Correct { seq: self.seq, ts_ns, correction: correction.clone() });
        }
        correct(&mut self.rounds, &mut self.shards, ts_ns, correction)
    }
}
