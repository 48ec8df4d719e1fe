//! Prices that the kernel computes: the index of several venues, the mark by its rule, the premium and the funding rate.
//!
//! ```text
//!  index prices of venues ─► index ─┬─► basis of the mid, sampled ─┬─► mark, to the nearest tick
//!  bid, ask, last ──────────────────┘      rate of the last funding ┘
//!  impact prices of the book ─► premium, sampled ─► mean ─► funding rate
//! ```
//!
//! `Prices` is plain replicated data beside an instrument's rules: every copy of the market has one, and is given the
//! same inputs at the same places with the same times, so that all have the same marks; no thread asks another. All of it is
//! whole numbers and fixed point: the same on every machine.
//!
//! **Units.** An index counts steps of 10^-8. The tick of an instrument whose mark is computed is a whole number of
//! them, so that mid and index meet in one unit; averages are exact fractions until their one rounding.
//!
//! **Bounds.** A basis is at most half of the index, up or down, whatever is sampled. So a computed mark lies between half
//! of the lowest and one and a half of the highest price that a venue gave last; sizes are bounded by that when they come in.

mod funding;
mod index;
mod marks;
mod rules;
mod state;

pub use marks::MarkInputs;
pub use rules::{Combine, IndexRules, MarkRule, MarkRules, Outlier, PriceRules, RateRules, Venue};
pub(crate) use state::{Change, PriceInput, Prices, Top};

/// Decimals of an index.
pub const INDEX_DECIMALS: u32 = 8;

/// Index prices, in steps of 10^-8, stay below this.
pub const INDEX_LIMIT: i64 = 1 << 60;
