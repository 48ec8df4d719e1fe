//! What a fund has lost lately: a drawdown, in which it bears nothing more, and the loss of a minute.
//!
//! A fund's equity is a function of input time, constant between changes. The window is divided into buckets, counted from
//! the epoch, of each of which the largest equity counts; a bucket begins with the equity of the one before. Only those
//! maxima are kept that no later one exceeds, so that noting costs nothing to speak of, however long ago the last was.

use crate::market::DrawdownRule;
use crate::number::PPB;
use std::collections::VecDeque;

/// Buckets of the window of a drawdown.
const BUCKETS: u64 = 480;
/// Of the minute in which losses count: a second each.
const SECONDS: u64 = 60;
const SECOND_NS: u64 = 1_000_000_000;

/// The largest equity of a fund over a window.
#[derive(Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
struct Peaks {
    /// Of a bucket, in nanoseconds.
    width_ns: u64,
    buckets: u64,
    /// Bucket and maximum; buckets rise, maxima fall.
    maxima: VecDeque<(u64, i128)>,
    /// The equity as it was noted last.
    equity: i128,
}

impl Peaks {
    fn new(width_ns: u64, buckets: u64) -> Self {
        Self { width_ns, buckets, maxima: VecDeque::with_capacity(buckets as usize + 1), equity: 0 }
    }

    /// Whether maxima that were read are ones that noting can have led to.
    #[cfg(feature = "journal")]
    fn is_sound(&self, width_ns: u64, buckets: u64) -> bool {
        (self.width_ns, self.buckets) == (width_ns, buckets)
            && crate::snapshot::is_sum(self.equity)
            && self.maxima.iter().all(|&(_, largest)| crate::snapshot::is_sum(largest))
            && self.maxima.iter().zip(self.maxima.iter().skip(1)).all(|(one, next)| one.0 < next.0 && one.1 > next.1)
    }

    fn bucket(&self, now_ns: u64) -> u64 {
        now_ns / self.width_ns
    }

    /// Whether a bucket has begun since the last look.
    fn has_gone_on(&self, now_ns: u64) -> bool {
        self.maxima.back().is_some_and(|&(bucket, _)| bucket < self.bucket(now_ns))
    }

    /// Notes the equity at a time; the largest of the window that ends there.
    fn note(&mut self, now_ns: u64, equity: i128) -> i128 {
        let bucket = self.bucket(now_ns);
        if self.maxima.back().is_some_and(|&(last, _)| last < bucket) {
            self.push(bucket, self.equity);
        }
        self.push(bucket, equity);
        self.equity = equity;
        while self.maxima.front().is_some_and(|&(first, _)| bucket - first >= self.buckets) {
            self.maxima.pop_front();
        }
        self.maxima.front().map_or(equity, |&(_, largest)| largest)
    }

    /// The largest equity of the window that ends at a time.
    fn peak(&self, now_ns: u64) -> i128 {
        let bucket = self.bucket(now_ns);
        let within = |&&(first, _): &&(u64, i128)| bucket - first < self.buckets;
        self.maxima.iter().find(within).map_or(self.equity, |&(_, largest)| largest.max(self.equity))
    }

    fn push(&mut self, bucket: u64, equity: i128) {
        while self.maxima.back().is_some_and(|&(_, last)| last <= equity) {
            self.maxima.pop_back();
        }
        if self.maxima.back().is_none_or(|&(last, _)| last < bucket) {
            self.maxima.push_back((bucket, equity));
        }
    }
}

/// What is known of the equity of a fund over the window of its drawdown.
#[derive(Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Watch {
    rule: DrawdownRule,
    peaks: Peaks,
    pub(super) active: bool,
    /// Whether the equity may have changed since.
    pub(super) stale: bool,
}

/// A drawdown began or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) active: bool,
    pub(super) equity: i128,
    pub(super) peak: i128,
}

impl Watch {
    pub(super) fn new(rule: DrawdownRule) -> Self {
        let peaks = Peaks::new(rule.window_ns.div_ceil(BUCKETS), BUCKETS);
        Self { rule, peaks, active: false, stale: true }
    }

    pub(super) fn rule(&self) -> DrawdownRule {
        self.rule
    }

    #[cfg(feature = "journal")]
    pub(super) fn is_sound(&self) -> bool {
        self.rule.check().is_ok() && self.peaks.is_sound(self.rule.window_ns.div_ceil(BUCKETS), BUCKETS)
    }

    /// Whether time alone may end the drawdown: maxima may have left the window since the last look.
    pub(super) fn may_end(&self, now_ns: u64) -> bool {
        self.active && self.peaks.has_gone_on(now_ns)
    }

    /// Notes the equity at a time, and whether the drawdown begins or ends with it.
    pub(super) fn note(&mut self, now_ns: u64, equity: i128) -> Option<Turn> {
        self.stale = false;
        let peak = self.peaks.note(now_ns, equity);
        let (scaled, start, stop) = (equity * i128::from(PPB), self.rule.start_ppb, self.rule.stop_ppb);
        let active = match self.active {
            _ if peak <= 0 => false,
            false => scaled <= peak * i128::from(start),
            true => scaled <= peak * i128::from(stop),
        };
        let turned = active != std::mem::replace(&mut self.active, active);
        turned.then_some(Turn { active, equity, peak })
    }

    /// The largest equity of the window that ends at a time.
    pub(super) fn peak(&self, now_ns: u64) -> i128 {
        self.peaks.peak(now_ns)
    }
}

/// What a fund has lost within the last minute, and how much of that it may.
#[derive(Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct MinuteLoss {
    most: i128,
    peaks: Peaks,
    pub(super) exceeded: bool,
    /// Whether the equity may have changed since.
    pub(super) stale: bool,
}

impl MinuteLoss {
    pub(super) fn new(most: i128) -> Self {
        Self { most, peaks: Peaks::new(SECOND_NS, SECONDS), exceeded: false, stale: true }
    }

    /// What it may lose.
    #[cfg(feature = "journal")]
    pub(super) fn most(&self) -> i128 {
        self.most
    }

    #[cfg(feature = "journal")]
    pub(super) fn is_sound(&self) -> bool {
        self.peaks.is_sound(SECOND_NS, SECONDS)
    }

    /// From now on it may lose so much; what it has lost stays known.
    pub(super) fn bound(&mut self, most: i128) {
        (self.most, self.stale) = (most, true);
    }

    /// Whether time alone may bring the loss down.
    pub(super) fn may_end(&self, now_ns: u64) -> bool {
        self.exceeded && self.peaks.has_gone_on(now_ns)
    }

    /// Notes the equity at a time; whether the loss is more than it may be, if that is new.
    pub(super) fn note(&mut self, now_ns: u64, equity: i128) -> Option<bool> {
        self.stale = false;
        let exceeded = self.peaks.note(now_ns, equity) - equity > self.most;
        let turned = exceeded != std::mem::replace(&mut self.exceeded, exceeded);
        turned.then_some(exceeded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn rule(window_ns: u64) -> DrawdownRule {
        DrawdownRule { start_ppb: 700_000_000, stop_ppb: 750_000_000, window_ns }
    }

    /// All buckets there are, each with its maximum.
    #[derive(Default)]
    struct Plain {
        buckets: BTreeMap<u64, i128>,
        equity: Option<i128>,
        last: u64,
    }

    impl Plain {
        fn note(&mut self, width: u64, now_ns: u64, equity: i128) -> i128 {
            let now = now_ns / width;
            if let Some(carried) = self.equity {
                for bucket in self.last + 1..=now {
                    self.buckets.insert(bucket, carried);
                }
            }
            let largest = self.buckets.entry(now).or_insert(equity);
            *largest = (*largest).max(equity);
            (self.equity, self.last) = (Some(equity), now);
            self.buckets.range(now.saturating_sub(BUCKETS - 1)..=now).map(|(_, &largest)| largest).max().unwrap()
        }
    }

    #[test]
    fn what_is_kept_has_the_maximum_of_all_buckets() {
        let mut dice = 0x2545_F491_4F6C_DD1Du64;
        let mut below = |bound: u64| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            dice % bound
        };
        for window in [480, 481, 4_800, 100_000] {
            let (mut watch, mut plain) = (Watch::new(rule(window)), Plain::default());
            let (mut now, mut active, mut turns) = (7, false, 0);
            for step in 0..20_000 {
                now += match below(20) {
                    0 => below(2 * window),
                    1..=4 => below(window / 100),
                    _ => below(3),
                };
                let equity = below(1_000) as i128 - if step % 3_000 < 300 { 1_200 } else { 100 };
                let equity = if below(3) == 0 { equity } else { plain.equity.unwrap_or(equity) - 1 };
                let turn = watch.note(now, equity);
                let peak = plain.note(window.div_ceil(BUCKETS), now, equity);
                assert_eq!(watch.peak(now), peak);
                let share = if active { 75 } else { 70 };
                let should = peak > 0 && equity * 100 <= peak * share;
                assert_eq!(turn, (should != active).then_some(Turn { active: should, equity, peak }));
                turns += u32::from(turn.is_some());
                active = should;
                assert!(watch.peaks.maxima.len() <= BUCKETS as usize);
                let later = now + below(2 * window);
                let mut then = Plain { buckets: plain.buckets.clone(), ..plain };
                assert_eq!(watch.peak(later), then.note(window.div_ceil(BUCKETS), later, equity), "by itself");
                plain.buckets.retain(|&bucket, _| bucket + 2 * BUCKETS > now / window.div_ceil(BUCKETS));
            }
            assert!(turns > 50, "{turns}");
        }
    }

    #[test]
    fn it_begins_at_seventy_percent_and_ends_above_seventy_five() {
        let mut watch = Watch::new(rule(480));
        assert_eq!(watch.note(1_000, 100), None);
        assert_eq!(watch.note(1_001, 71), None);
        assert_eq!(watch.note(1_002, 70), Some(Turn { active: true, equity: 70, peak: 100 }));
        assert_eq!(watch.note(1_003, 75), None);
        assert!(watch.active && !watch.may_end(1_003) && watch.may_end(1_004));
        assert_eq!(watch.note(1_481, 75), Some(Turn { active: false, equity: 75, peak: 75 }), "100 was until 1001");
    }

    #[test]
    fn where_there_was_nothing_there_is_no_drawdown() {
        let mut watch = Watch::new(rule(480));
        assert_eq!(watch.note(1, -5), None);
        assert_eq!(watch.note(2, -50), None);
        assert_eq!(watch.note(3, 0), None);
        assert_eq!(watch.note(4, 10), None);
        assert_eq!(watch.note(5, -1), Some(Turn { active: true, equity: -1, peak: 10 }));
        assert_eq!(watch.note(1_000, -1), Some(Turn { active: false, equity: -1, peak: -1 }));
    }

    #[test]
    fn the_loss_of_a_minute_is_more_than_it_may_be_until_it_is_made_good_or_over() {
        let (at, second) = (|seconds: u64| seconds * SECOND_NS, SECOND_NS);
        let mut loss = MinuteLoss::new(30);
        assert_eq!(loss.note(at(100), 100), None);
        assert_eq!(loss.note(at(110), 70), None, "30 it may lose");
        assert_eq!(loss.note(at(110) + 1, 69), Some(true));
        assert_eq!(loss.note(at(120), 70), Some(false), "made good");
        assert_eq!(loss.note(at(121), 50), Some(true));
        assert!(!loss.may_end(at(121) + second - 1) && loss.may_end(at(122)));
        // 100 was held until within the second of 110, and that is one of the sixty until 169.
        assert_eq!(loss.note(at(170) - 1, 50), None);
        assert_eq!(loss.note(at(170), 50), Some(false), "70 until 121 is not 30 more");
        loss.bound(19);
        assert_eq!(loss.note(at(170), 50), Some(true));
        assert_eq!(loss.note(at(181), 50), Some(false));
    }
}
