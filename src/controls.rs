//! What an operator may set to hold the market in: levels of margin calls, limits, modes.
//!
//! Plain data of an instrument; by default all of it is off.

use crate::number::PPB;
use crate::refusal::Refusal;

/// Most levels of margin calls of an instrument.
pub const MAX_LEVELS: usize = 8;

/// The level of a margin call where none is named: a ratio of 0.8.
pub const DEFAULT_LEVEL_PPB: u32 = 800_000_000;

/// The controls of an instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct Controls {
    /// Levels of the margin ratio that are told when a pool that holds the instrument rises past them: in parts per
    /// billion, rising, above zero and below one. None: no margin calls.
    pub margin_calls: Vec<u32>,
}

impl Controls {
    /// Checks the numbers.
    ///
    /// # Errors
    ///
    /// Too many levels, one that is not between zero and one, or levels that do not rise.
    pub fn check(&self) -> Result<(), Refusal> {
        let levels = &self.margin_calls;
        let within = levels.iter().all(|&level| level > 0 && u64::from(level) < PPB);
        if levels.len() > MAX_LEVELS || !within || !levels.is_sorted_by(|a, b| a < b) {
            let what = "margin_calls must be at most 8 levels, rising, above zero and below 1";
            return Err(Refusal::BadDeclaration { what });
        }
        Ok(())
    }
}
