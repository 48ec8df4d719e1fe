//! The sequencer: gives every input its place, after the checks that need no shard.

mod correction;
mod gate;

pub(crate) use correction::check_correction;
pub(crate) use gate::{
    Facts, Found, Known, check, check_book, check_declaration, open_interest, open_interest_after, open_interest_growth,
};
