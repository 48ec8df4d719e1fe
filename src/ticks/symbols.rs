//! The symbols that ticks refer to by number.

use std::collections::HashMap;

use super::error::{Fault, Reason, TickError, cut};

/// The most symbols: one for each `u16`.
const MAX: usize = 1 << 16;

/// Numbered symbols: either those that the caller accepts, in the caller's order, or all, in order of appearance.
#[derive(Debug)]
pub(super) struct Symbols {
    names: Vec<String>,
    numbers: HashMap<String, u16>,
    closed: bool,
}

impl Symbols {
    /// The symbols of `accepted`, and no others; or, without it, whichever come.
    pub fn new(accepted: Option<Vec<String>>) -> Result<Self, TickError> {
        let closed = accepted.is_some();
        let names = accepted.unwrap_or_default();
        let mut numbers = HashMap::with_capacity(names.len());
        for (number, name) in names.iter().enumerate() {
            let number = u16::try_from(number).map_err(|_| TickError::TooManySymbols { found: names.len() })?;
            numbers.entry(name.clone()).or_insert(number);
        }
        Ok(Self { names, numbers, closed })
    }

    /// Every symbol so far, by number.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of `name`.
    pub fn number(&mut self, name: &str) -> Result<u16, Fault> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        if self.closed {
            return Err(Fault::new(Reason::Unknown, self.expected(), name));
        }
        if name.is_empty() {
            return Err(Fault::new(Reason::Unknown, "a symbol", name));
        }
        let Ok(number) = u16::try_from(self.names.len()) else {
            return Err(Fault::new(Reason::Unknown, format!("one of the {MAX} symbols before"), name));
        };
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        Ok(number)
    }

    fn expected(&self) -> String {
        cut(&format!("one of {}", self.names.join(", ")))
    }
}
