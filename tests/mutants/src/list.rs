//! The mutants, as `cargo mutants --list --json` lists them.

use proc_macro2::LineColumn;
use serde::Deserialize;

/// Where something begins: line and column, both counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
pub struct Place {
    line: usize,
    column: usize,
}

impl Place {
    pub fn of(at: LineColumn) -> Self {
        Self { line: at.line, column: at.column + 1 }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Span {
    pub start: Place,
}

/// What is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Genre {
    FnValue,
    BinaryOperator,
    UnaryOperator,
    MatchArm,
    MatchArmGuard,
    #[serde(other)]
    Other,
}

/// One of them.
#[derive(Clone, Debug, Deserialize)]
pub struct Mutant {
    /// Its place in the list, which chooses it.
    #[serde(skip)]
    pub number: u32,
    pub name: String,
    pub file: String,
    pub genre: Genre,
    pub replacement: String,
    pub span: Span,
}

/// Reads the list.
pub fn read(json: &str) -> serde_json::Result<Vec<Mutant>> {
    let mut mutants: Vec<Mutant> = serde_json::from_str(json)?;
    for (number, mutant) in mutants.iter_mut().enumerate() {
        mutant.number = number as u32;
    }
    Ok(mutants)
}
