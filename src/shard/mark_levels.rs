//! Ranges of marks, in widths that are common to all instruments: what bounds of scores hold within.

use crate::market::{InstrumentId, Market};
use crate::number::Price;

/// How many widths of ranges there are: from about 0.1 % of a mark to 75 %, two to each doubling.
pub(crate) const LEVELS: usize = 20;

/// The narrowest level goes a mark divided by two to this power up and down, the next half as much again.
const NARROWEST: usize = 10;

/// The instruments that a bound depends on, as bits.
pub(crate) type Bits = u128;

/// The bit of an instrument in the queue of another. Its own has one for itself; the others may share one.
#[inline]
pub(crate) fn instrument_bit(of: u32, instrument: u32) -> Bits {
    if of == instrument { 1 } else { 2 << (instrument % (Bits::BITS - 1)) }
}

/// Marks from one to another, in ticks; both zero: there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Range {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Range {
    #[inline]
    fn contains(self, mark: f64) -> bool {
        self.low <= mark && mark <= self.high
    }

    fn around(mark: Price, level: usize) -> Self {
        let width = Self::width(mark, level);
        Self { low: (mark - width) as f64, high: mark.saturating_add(width) as f64 }
    }

    fn width(mark: Price, level: usize) -> Price {
        let power =
            if level / 2 > NARROWEST { mark << (level / 2 - NARROWEST) } else { mark >> (NARROWEST - level / 2) };
        if level.is_multiple_of(2) { power } else { power + power / 2 }
    }

    /// Around a mark that has gone to an end of its range: it may well go on, so three quarters of the new one are to that side.
    fn ahead(self, mark: Price, level: usize) -> Self {
        let width = Self::width(mark, level);
        let near = width / 2;
        let far = 2 * width - near;
        let falls = (mark as f64) < f64::midpoint(self.low, self.high);
        let (below, above) = if falls { (far, near) } else { (near, far) };
        Self { low: (mark - below).max(mark.min(1)) as f64, high: mark.saturating_add(above) as f64 }
    }
}

/// The marks for which the bounds of a queue hold, by level and instrument. Prices become floats by a monotone function, so
/// whatever lies within a range does so as a float.
#[derive(Debug, Default)]
pub(crate) struct MarkLevels {
    /// Whose queue it is.
    instrument: u32,
    /// As of the last look.
    marks: Vec<Price>,
    /// The same, as ranges of nothing else.
    now: Vec<Range>,
    /// Where no range of an instrument ends.
    inner: Vec<Range>,
    ranges: [Vec<Range>; LEVELS],
    /// Kept for its room: instruments whose range of a level was made anew.
    renewed: Vec<usize>,
}

impl MarkLevels {
    pub(crate) fn new(of: InstrumentId) -> Self {
        Self { instrument: of.0, ..Self::default() }
    }

    /// Whose queue it is.
    #[inline]
    pub(crate) fn instrument(&self) -> u32 {
        self.instrument
    }

    /// By instrument.
    #[inline]
    pub(crate) fn ranges(&self, level: u8) -> &[Range] {
        &self.ranges[usize::from(level)]
    }

    /// The present marks, by instrument.
    #[inline]
    pub(crate) fn now(&self) -> &[Range] {
        &self.now
    }

    /// Follows the marks: where one has left its range, that range is made anew around it, and with it, at that level, all
    /// others that are about to. Adds, by level, the bits of the instruments whose ranges are others now.
    /// Whether any mark moved.
    pub(crate) fn follow(&mut self, market: &Market, exited: &mut [Bits; LEVELS]) -> bool {
        let mut moved = false;
        for (at, instrument) in market.instruments.iter().enumerate() {
            let mark = instrument.mark.unwrap_or(0);
            if at == self.marks.len() {
                self.enter(mark);
            } else if self.marks[at] != mark {
                self.marks[at] = mark;
                let mark = mark as f64;
                self.now[at] = Range { low: mark, high: mark };
                moved = true;
                if !self.inner[at].contains(mark) {
                    for (ranges, exited) in self.ranges.iter().zip(&mut *exited) {
                        if !ranges[at].contains(mark) {
                            *exited |= instrument_bit(self.instrument, at as u32);
                        }
                    }
                }
            }
        }
        for (level, exited) in exited.iter_mut().enumerate().filter(|(_, exited)| **exited != 0) {
            *exited |= self.set_anew(level);
            while let Some(at) = self.renewed.pop() {
                self.narrow(at);
            }
        }
        moved
    }

    /// Adds an instrument.
    fn enter(&mut self, mark: Price) {
        let now = Range { low: mark as f64, high: mark as f64 };
        self.marks.push(mark);
        self.now.push(now);
        self.inner.push(now);
        for (level, ranges) in self.ranges.iter_mut().enumerate() {
            ranges.push(Range::around(mark, level));
        }
        self.narrow(self.marks.len() - 1);
        self.renewed.reserve(self.marks.len()); // following marks allocates nothing
    }

    /// Makes the ranges of a level anew that marks have left, or are about to; the bits of the instruments.
    fn set_anew(&mut self, level: usize) -> Bits {
        let mut bits = 0;
        for (at, (&mark, range)) in self.marks.iter().zip(&mut self.ranges[level]).enumerate() {
            let (now, spare) = (mark as f64, (range.high - range.low) / 16.0);
            if now < range.low + spare || now > range.high - spare {
                *range = range.ahead(mark, level);
                bits |= instrument_bit(self.instrument, at as u32);
                self.renewed.push(at);
            }
        }
        bits
    }

    /// Finds anew where no range of an instrument ends.
    fn narrow(&mut self, at: usize) {
        let all = self.ranges.iter().map(|ranges| ranges[at]);
        let both = |a: Range, b: Range| Range { low: a.low.max(b.low), high: a.high.min(b.high) };
        self.inner[at] = all.reduce(both).unwrap_or_default();
    }
}
