//! Quiet marks on the arbiter's side.

use super::Rounds;
use crate::event::Cause;
use crate::market::InstrumentId;
use crate::number::Price;

impl Rounds {
    /// Whether marks of plain instruments that concern no shard can leave nothing to do here but to move them: nothing waits for a
    /// decision, no hold may time out, nobody waits for room, and the funds are calm.
    #[inline]
    pub(crate) fn is_calm(&self) -> bool {
        !self.undecided
            && self.begun.is_empty()
            && self.market.timeout_ns.is_none()
            && self.pace.is_empty()
            && self.arbiter.is_calm()
    }

    /// Takes such a mark; false if the instrument is not plain or its mark concerns what a fund holds, and nothing was done.
    #[inline]
    pub(crate) fn take_quiet_mark(&mut self, instrument: InstrumentId, price: Price, ts_ns: Option<u64>) -> bool {
        debug_assert!(self.is_calm(), "a mark is taken as quiet that is not: a kernel bug");
        let now_ns = ts_ns.unwrap_or(self.now_ns);
        let passes = self.arbiter.lets_pass(&self.market, instrument, now_ns);
        if !passes || !self.market.move_plain_mark(instrument, price, now_ns) {
            return false;
        }
        self.market.see_time(ts_ns);
        self.arbiter.on_mark(&self.market, instrument);
        self.changes.clear();
        self.inputs += 1;
        (self.now_ns, self.cause) = (now_ns, Cause::Instrument(instrument));
        debug_assert!(!self.needs_decision(true), "a mark was taken as quiet that was not: a kernel bug");
        true
    }
}
