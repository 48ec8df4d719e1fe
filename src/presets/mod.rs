//! The published rules of venues, in protocol form: lines that come before a script, so that its instruments follow them.
//!
//! A preset is a file of this folder. Its head (lines that begin with `#`) names its sources and what it cannot follow; then
//! come assets, funds, and `defaults` for the instruments that the script declares. Margin tables are the venues' own
//! and change every week: a script brings them in its `instrument` lines, or the program reads them from the venue's
//! JSON ([`crate::protocol::TierTables`]).

use crate::driver::Driver;
use crate::protocol::{Rejection, Session};

/// The rules of one venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// What it is called on the command line.
    pub name: &'static str,
    text: &'static str,
}

macro_rules! presets {
    ($($name:literal),*) => {
        /// All presets, by name.
        pub const PRESETS: &[Preset] = &[$(Preset { name: $name, text: include_str!(concat!($name, ".jsonl")) }),*];
    };
}

presets!("binance", "binance-coinm", "bitmex", "bybit", "deribit", "dydx", "gate", "hyperliquid", "okx");

impl Preset {
    /// The preset of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// What it is called after: the first line of its head.
    #[must_use]
    pub fn title(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches(['#', ' '])
    }

    /// The whole file.
    #[must_use]
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// Its commands.
    pub fn lines(&self) -> impl Iterator<Item = &'static str> {
        self.text.lines().filter(|line| !line.starts_with('#') && !line.trim_ascii().is_empty())
    }

    /// Carries its commands out before the first line of a session; they have no numbers.
    ///
    /// # Errors
    ///
    /// The first refusal: the session has declared something of the same name before.
    pub fn carry_out(&self, session: &mut Session<impl Driver>) -> Result<(), Rejection> {
        let next = session.seq() + 1;
        let mut said = String::new();
        let done = self.lines().try_for_each(|line| {
            session.number_next_line(0);
            session.line(line.as_bytes(), &mut said)
        });
        session.number_next_line(next);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Settings;

    #[test]
    fn every_preset_is_accepted_and_says_nothing() {
        for preset in PRESETS {
            let mut session = Session::new(Settings::default());
            preset.carry_out(&mut session).unwrap_or_else(|rejection| panic!("{}: {rejection:?}", preset.name));
            assert_eq!(session.seq(), 0, "{}", preset.name);
            assert!(preset.lines().any(|line| line.contains("\"op\":\"defaults\"")), "{}", preset.name);
        }
    }

    #[test]
    fn every_head_names_its_sources_and_what_is_not_followed() {
        for preset in PRESETS {
            let head: Vec<&str> = preset.text.lines().take_while(|line| line.starts_with('#')).collect();
            for what in ["# Sources:", "# Not followed:"] {
                assert!(head.iter().any(|line| line.starts_with(what)), "{}: {what}", preset.name);
            }
        }
    }
}
