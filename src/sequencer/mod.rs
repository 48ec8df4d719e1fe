//! The sequencer: gives every input its place, after the checks that need no shard.

mod correction;
mod gate;

pub(crate) use correction::check_correction;
#[cfg(feature = "journal")]
pub(crate) use gate::check_book;
pub(crate) use gate::{
    Facts, Found, Known, check, check_book_update, check_declaration, open_interest, open_interest_after,
    open_interest_growth,
};
