//! Why a measurement came to nothing.

use crate::refusal::Refusal;

/// Why a measurement came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// Settings that cannot be carried out.
    #[error("{0}")]
    Setting(String),
    /// The kernel refused what a measurement needs.
    #[error("{what} was refused: {refusal}")]
    Refused {
        /// What.
        what: String,
        /// Why.
        refusal: Refusal,
    },
    /// Strategies disagree: a kernel bug.
    #[error("the events of {rival} differ from the others' within the first {inputs} inputs: a bug")]
    Differ {
        /// Who.
        rival: &'static str,
        /// How far both came.
        inputs: u64,
    },
    /// The world is not as it was drawn.
    #[error("the world is not as it was drawn: {0}")]
    World(String),
}

impl BenchError {
    /// For `map_err`: the kernel refused this.
    pub(super) fn refused(what: &str) -> impl Fn(Refusal) -> Self + '_ {
        move |refusal| Self::Refused { what: what.to_owned(), refusal }
    }
}
