//! Drawdown of funds (model section 6), and their loss within a minute (section
//! 10): the largest of the maxima of some buckets of input time, from all values
//! that were ever noted.

use super::command::DrawdownFields;
use super::number::{Int, Rat, rat};
use super::state::{Drawdown, State};
use num_traits::{Signed, Zero};
use serde_json::json;

const BUCKETS: u64 = 480;

/// Of one second each.
const SECONDS: u64 = 60;

/// A bucket's maximum is over what it began with and what was noted in it.
fn peak(noted: &[(u64, Int)], bucket: u64, buckets: u64, now: u64, equity: &Int) -> Int {
    let first = (now / bucket).saturating_sub(buckets - 1);
    let (before, within): (Vec<_>, Vec<_>) = noted.iter().partition(|(at, _)| at / bucket < first);
    let began_with = before.last().map(|(_, value)| value);
    let all = began_with.into_iter().chain(within.iter().map(|(_, value)| value));
    all.chain([equity]).max().expect("the present equity").clone()
}

impl Drawdown {
    pub fn new(fields: &DrawdownFields) -> Drawdown {
        Drawdown {
            start: fields.start.clone(),
            stop: fields.stop.clone(),
            bucket: fields.window.div_ceil(BUCKETS),
            active: false,
        }
    }
}

impl State {
    /// As of the present time, the present equity with it.
    pub fn fund_peak(&self, fund: usize) -> Option<Int> {
        let drawdown = self.funds[fund].drawdown.as_ref()?;
        let noted = &self.funds[fund].noted;
        Some(peak(noted, drawdown.bucket, BUCKETS, self.now, &self.fund_equity(fund)))
    }

    pub fn in_drawdown(&self, fund: usize) -> bool {
        self.funds[fund].drawdown.as_ref().is_some_and(|drawdown| drawdown.active)
    }

    pub fn note_equity(&mut self, fund: usize) {
        let (now, equity) = (self.now, self.fund_equity(fund));
        self.funds[fund].noted.push((now, equity));
    }

    /// After an input's own bookings.
    pub fn look_at_all_funds(&mut self) {
        for fund in 0..self.funds.len() {
            self.look_at(fund);
        }
    }

    /// After a change that follows from an input.
    pub fn look_in_rounds(&mut self, fund: usize) {
        if self.in_rounds {
            self.look_at(fund);
        }
    }

    /// After what one booking changed of its balance, if anything.
    pub fn look_after_changes(&mut self, fund: usize, deltas: &[Int]) {
        if deltas.iter().any(|delta| !delta.is_zero()) {
            self.look_in_rounds(fund);
        }
    }

    fn look_at(&mut self, fund: usize) {
        self.note_equity(fund);
        self.look_at_drawdown(fund);
        self.look_at_loss(fund);
    }

    /// While a fund has lost more within a minute than it may, liquidation is paused in its instruments.
    fn look_at_loss(&mut self, fund: usize) {
        let Some(most) = &self.funds[fund].max_loss_per_minute else {
            return;
        };
        let equity = self.fund_equity(fund);
        let highest = peak(&self.funds[fund].noted, 1_000_000_000, SECONDS, self.now, &equity);
        let paused = highest - equity > *most;
        if std::mem::replace(&mut self.funds[fund].paused, paused) != paused {
            let mode = if paused { "liquidation_paused" } else { "normal" };
            self.emit("mode", json!({"fund": self.funds[fund].name, "mode": mode}));
        }
    }

    /// It begins at so much of the peak, and ends above so much of it; never with
    /// a peak that is not positive.
    fn look_at_drawdown(&mut self, fund: usize) {
        let Some(peak) = self.fund_peak(fund) else {
            return;
        };
        let equity = self.fund_equity(fund);
        let drawdown = self.funds[fund].drawdown.as_mut().expect("it has a peak");
        let part = |of: &Rat| of * rat(&peak);
        let active = if drawdown.active {
            peak.is_positive() && rat(&equity) <= part(&drawdown.stop)
        } else {
            peak.is_positive() && rat(&equity) <= part(&drawdown.start)
        };
        if active == drawdown.active {
            return;
        }
        drawdown.active = active;
        let asset = self.funds[fund].asset;
        let fields = json!({
            "fund": self.funds[fund].name,
            "active": active,
            "equity": self.show_money(asset, &equity),
            "peak": self.show_money(asset, &peak),
        });
        self.emit("fund_drawdown", fields);
    }
}
