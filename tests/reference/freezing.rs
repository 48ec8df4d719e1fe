//! Frozen marks (model section 4): pools are evaluated at the last value, and
//! section 5 passes the positions over until the mark lives again.

use super::state::State;
use serde_json::json;

impl State {
    /// A mark lives from its first value on, as long as nothing freezes it.
    pub fn lives(&self, i: usize) -> bool {
        self.instruments[i].mark.is_some() && self.instruments[i].frozen.is_empty()
    }

    /// Several causes may hold at once; the first is told.
    pub fn freeze(&mut self, i: usize, cause: &'static str) {
        let instrument = &mut self.instruments[i];
        let first = instrument.frozen.is_empty();
        instrument.frozen.insert(cause);
        if first && instrument.mark.is_some() {
            let symbol = instrument.symbol.clone();
            self.emit("mark_frozen", json!({"symbol": symbol, "cause": cause}));
        }
    }

    /// It lives again when the last cause is gone.
    pub fn thaw(&mut self, i: usize, cause: &'static str) {
        let instrument = &mut self.instruments[i];
        let was = instrument.frozen.remove(cause);
        if was && self.lives(i) {
            let symbol = self.instruments[i].symbol.clone();
            self.emit("mark_live", json!({"symbol": symbol, "cause": cause}));
        }
    }
}
