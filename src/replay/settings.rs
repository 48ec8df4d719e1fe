//! What can be asked of a replay.

use super::shock::Shock;
use crate::decimal::{Decimal, Grid};
use crate::engine::Layout;
use crate::number::PPB;
use crate::shard::Strategy;
use crate::ticks::Input;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// What to replay, over whom, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The market data.
    pub data: Data,
    /// The accounts.
    pub population: Population,
    /// Where liquidation orders go.
    pub venue: Venue,
    /// Whether the kernel computes the marks of a generated population's instruments: what else would be the mark is the
    /// price of their index then.
    pub computed_marks: bool,
    /// Price paths laid over the real ones; several of a symbol are laid one over the other.
    pub shocks: Vec<Shock>,
    /// Number of shards, at least 1. It never shows in an event.
    pub shards: u32,
    /// How breaches are found. It never shows in an event either.
    pub strategy: Strategy,
    /// How fast.
    pub speed: Speed,
    /// Skip and count bad lines instead of stopping at the first.
    pub skip_bad: bool,
    /// Who runs the kernel.
    pub driver: Driver,
    /// Where the sequence is recorded, if anywhere.
    pub journal: Option<PathBuf>,
    /// Whether the course of the run is kept, which a report shows; it changes no event.
    pub keep_course: bool,
}

/// Who runs the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Driver {
    /// This thread.
    Inline,
    /// Workers on threads of their own, one for each shard; then this thread, from the record.
    Threaded(Layout),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: Data::Embedded,
            population: Population::Generated { accounts: 100_000, seed: 1, hedge_percent: 0, inverse_percent: 0 },
            venue: Venue::Book,
            computed_marks: false,
            shocks: Vec::new(),
            shards: 1,
            strategy: Strategy::default(),
            speed: Speed::Max,
            skip_bad: false,
            driver: Driver::Inline,
            journal: None,
            keep_course: false,
        }
    }
}

impl Settings {
    /// The strategy, as it is given on the command line.
    #[must_use]
    pub fn strategy_word(&self) -> &'static str {
        self.strategy.name()
    }
}

/// Where the ticks come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// Three minutes of BTCUSDT, ETHUSDT and SOLUSDT that are built in.
    Embedded,
    /// Files, merged by time.
    Files(Vec<Input>),
}

/// Where the accounts come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Population {
    /// Made from a seed.
    Generated {
        /// How many.
        accounts: u64,
        /// What all draws follow from.
        seed: u64,
        /// How many of a hundred accounts are in hedge mode, with a long and a short leg in most of their instruments.
        hedge_percent: u64,
        /// How many of a hundred instruments are inverse, rounded up, at most 100: the first ones by symbol.
        inverse_percent: u64,
    },
    /// Read from a file in protocol form, instruments included.
    File(PathBuf),
}

/// Where liquidation orders go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Venue {
    /// Against the book: its best level real, deeper ones made.
    #[default]
    Book,
    /// Filled in full at the mark.
    Mark,
}

impl fmt::Display for Venue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Book => "book",
            Self::Mark => "mark",
        })
    }
}

/// How fast the ticks come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speed {
    /// As fast as they are carried out.
    #[default]
    Max,
    /// At so many parts per billion of the recorded speed.
    Paced {
        /// 10^9 is real time.
        ppb: u64,
    },
}

/// A text that is no speed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected max, real, or a factor such as 10x, from 0.001x to 1000000x")]
pub struct BadSpeed;

impl FromStr for Speed {
    type Err = BadSpeed;

    fn from_str(text: &str) -> Result<Self, BadSpeed> {
        match text {
            "max" => return Ok(Self::Max),
            "real" => return Ok(Self::Paced { ppb: PPB }),
            _ => {}
        }
        let factor: Decimal = text.strip_suffix('x').and_then(|factor| factor.parse().ok()).ok_or(BadSpeed)?;
        let place = Grid::ppb().place(factor).filter(|place| !place.is_off()).ok_or(BadSpeed)?;
        let ppb = u64::try_from(place.floor()).map_err(|_| BadSpeed)?;
        if (PPB / 1_000..=PPB * 1_000_000).contains(&ppb) { Ok(Self::Paced { ppb }) } else { Err(BadSpeed) }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.pad("max"),
            Self::Paced { ppb: PPB } => f.pad("real"),
            Self::Paced { ppb } => write!(f, "{}x", Grid::ppb().value(i128::from(*ppb))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_written_as_they_are_read() {
        for text in ["max", "real", "10x", "0.5x", "0.001x", "1000000x"] {
            assert_eq!(text.parse::<Speed>().unwrap().to_string(), text);
        }
        assert_eq!("1x".parse(), Ok(Speed::Paced { ppb: PPB }));
        for text in ["", "x", "fast", "0x", "-1x", "10", "1000001x", "0.0000000001x"] {
            assert_eq!(text.parse::<Speed>(), Err(BadSpeed), "{text}");
        }
    }
}
