//! Margin calls (model section 3).

use super::input::{Fields, Json, Refusal, json_decimal, malformed};
use super::number::{Int, Rat, int, one, pow10, ppb, show_scaled, zero};
use super::state::{PoolId, State, need, on_grid};
use num_traits::Signed;
use serde_json::json;

/// A list of levels, or whether the usual one is watched.
pub fn parse_levels(f: &Fields) -> Result<Vec<Rat>, Refusal> {
    match f.get("margin_calls") {
        None | Some(Json::Bool(false)) => Ok(Vec::new()),
        Some(Json::Bool(true)) => Ok(vec![Rat::new(int(8), int(10))]),
        Some(Json::List(list)) => {
            let levels: Option<Vec<Rat>> = list.iter().map(json_decimal).collect();
            levels.map_or_else(|| malformed("a level of margin_calls is not a decimal"), Ok)
        }
        Some(_) => malformed("margin_calls is neither a list nor a flag"),
    }
}

pub fn need_levels(levels: &[Rat]) -> Result<(), Refusal> {
    need(levels.len() <= 8, "bad_value", "more than 8 levels")?;
    let inside = levels.iter().all(|level| level.is_positive() && *level < one());
    need(inside, "bad_value", "a level is not between 0 and 1")?;
    let rising = levels.windows(2).all(|pair| pair[0] < pair[1]);
    need(rising, "bad_value", "the levels do not rise")
}

pub fn whole_levels(levels: &[Rat]) -> Result<Vec<Int>, Refusal> {
    levels.iter().map(|level| on_grid(level, &Rat::new(int(1), pow10(9)), "billionth")).collect()
}

impl State {
    /// A pool without a position has reached no level.
    pub fn forget_levels_of_empty_pools(&mut self) {
        let empty: Vec<PoolId> =
            self.levels.keys().copied().filter(|&pool| self.pool_positions(pool).is_empty()).collect();
        for pool in empty {
            self.levels.remove(&pool);
        }
    }

    /// A locked pool counts as above every level.
    pub fn note_above_all_levels(&mut self, pool: PoolId) {
        self.levels.insert(pool, ppb());
    }

    /// Tells each level above the one reached before, up to the one reached now. True: there was one.
    pub fn call(&mut self, pool: PoolId) -> bool {
        if self.pool_positions(pool).is_empty() || !self.has_live_mark(pool) {
            return false;
        }
        let reached: Vec<Int> = self.watched(pool).into_iter().filter(|level| self.has_reached(pool, level)).collect();
        let before = self.levels.get(&pool).cloned().unwrap_or_else(zero);
        self.levels.insert(pool, reached.last().cloned().unwrap_or_else(zero));
        let passed: Vec<Int> = reached.into_iter().filter(|level| *level > before).collect();
        for level in &passed {
            let fields = json!({
                "account": pool.account,
                "pool": self.pool_name(pool),
                "ratio": self.show_ratio(pool),
                "level": show_scaled(level, 9),
            });
            self.emit("margin_call", fields);
        }
        !passed.is_empty()
    }

    /// The levels of all instruments in which it holds a position, rising.
    fn watched(&self, pool: PoolId) -> Vec<Int> {
        let held = self.pool_positions(pool).into_iter();
        let mut levels: Vec<Int> = held.flat_map(|at| self.margin_rules(pool.account, at.i).margin_calls).collect();
        levels.sort();
        levels.dedup();
        levels
    }

    /// `MM ≥ level · equity`
    fn has_reached(&self, pool: PoolId, level: &Int) -> bool {
        self.mm(pool) * ppb() >= level * self.equity(pool)
    }
}
