//! Frozen marks (model section 4): pools are evaluated at the last value, and
//! section 5 passes the positions over until the mark lives again.

use super::number::Int;
use super::state::State;
use serde_json::json;

impl State {
    /// A mark lives from its first value on, as long as nothing freezes it.
    pub fn lives(&self, i: usize) -> bool {
        self.instruments[i].mark.is_some() && self.instruments[i].frozen.is_empty()
    }

    /// While the mark is frozen the newest is kept, and taken when it lives again.
    pub fn set_mark(&mut self, i: usize, price: Int) {
        let instrument = &mut self.instruments[i];
        if instrument.frozen.is_empty() {
            instrument.mark = Some(price);
            instrument.unwind_due = true;
        } else {
            instrument.kept_mark = Some(price);
        }
    }

    /// Several causes may hold at once; the first is told.
    pub fn freeze(&mut self, i: usize, cause: &'static str) {
        let lived = self.lives(i);
        let instrument = &mut self.instruments[i];
        instrument.frozen.insert(cause);
        if lived {
            instrument.told_frozen = true;
            let symbol = instrument.symbol.clone();
            self.emit("mark_frozen", json!({"symbol": symbol, "cause": cause}));
        }
    }

    /// It lives again when the last cause is gone.
    pub fn thaw(&mut self, i: usize, cause: &'static str) {
        let instrument = &mut self.instruments[i];
        if !instrument.frozen.remove(cause) {
            return;
        }
        // A verdict is yet to come: whether it lives again is told with that.
        if let Some(held) = instrument.held.as_mut().filter(|held| held.undecided && !held.told)
            && instrument.frozen.len() == 1
        {
            held.ended = Some(cause);
        }
        if !instrument.frozen.is_empty() {
            return;
        }
        if let Some(kept) = instrument.kept_mark.take() {
            instrument.mark = Some(kept);
        }
        instrument.unwind_due = true;
        self.tell_living(i, cause);
        self.tell_computed_mark(i);
    }

    /// If that it was frozen was told.
    pub fn tell_living(&mut self, i: usize, cause: &'static str) {
        if std::mem::take(&mut self.instruments[i].told_frozen) {
            let symbol = self.instruments[i].symbol.clone();
            self.emit("mark_live", json!({"symbol": symbol, "cause": cause}));
        }
    }
}
