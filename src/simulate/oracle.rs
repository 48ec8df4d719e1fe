//! The run that nothing interrupts: the same lines through a session that has no journal and never ends.

use super::process::Held;
use crate::kernel::{Kernel, Overview, Settings};
use crate::market::{FundId, InstrumentId};
use crate::presets::Preset;
use crate::protocol::Session;
use crate::rule_version::RuleVersion;

/// What all lives together must come to.
#[derive(Debug)]
pub(super) struct Oracle {
    session: Session,
    begins: (Settings, RuleVersion, Option<&'static Preset>),
    /// What took effect, in order.
    lines: Vec<String>,
}

impl Oracle {
    /// # Errors
    ///
    /// The preset is refused.
    pub(super) fn new(kernel: Settings, rules: RuleVersion, preset: Option<&'static Preset>) -> Result<Self, String> {
        let mut session = Session::over(Kernel::new(kernel).under(rules));
        if let Some(preset) = preset {
            let refused = preset.carry_out(&mut session);
            refused.map_err(|rejection| format!("preset {}: {}", preset.name, rejection.reason))?;
        }
        Ok(Self { session, begins: (kernel, rules, preset), lines: Vec::new() })
    }

    /// Goes back to where line `seq` is the last: what came behind it never happened. `each` hears what the lines before led to, once more; how many there are.
    ///
    /// # Errors
    ///
    /// There was no such line, or those of `each`.
    pub(super) fn go_back(
        &mut self,
        seq: u64,
        each: &mut impl FnMut(&str) -> Result<(), String>,
    ) -> Result<usize, String> {
        let (kernel, rules, preset) = self.begins;
        let mut again = Self::new(kernel, rules, preset)?;
        for line in &self.lines {
            if again.seq() == seq {
                break;
            }
            let mut answer = String::new();
            let _ = again.session.line(line.as_bytes(), &mut answer); // as before
            each(&answer)?;
            again.lines.push(line.clone());
        }
        if again.seq() != seq {
            return Err(format!("line {seq} is the last in the journal, and line {} the last sent", again.seq()));
        }
        *self = again;
        Ok(self.lines.len())
    }

    pub(super) fn seq(&self) -> u64 {
        self.session.seq()
    }

    pub(super) fn kernel(&self) -> &Kernel {
        self.session.kernel()
    }

    /// Carries a line out that took effect, and says what it leads to.
    ///
    /// # Errors
    ///
    /// The process answered something else.
    pub(super) fn line(&mut self, held: &Held) -> Result<String, String> {
        let mut answer = String::new();
        let _ = self.session.line(held.line.as_bytes(), &mut answer); // a refusal is an answer
        if self.seq() != held.seq || held.answer.as_ref().is_some_and(|other| *other != answer) {
            let Held { line, seq, answer: other, .. } = held;
            return Err(format!(
                "line {seq} {line} was answered {other:?}, and without interruption it is line {} with {answer:?}",
                self.seq()
            ));
        }
        self.lines.push(held.line.clone());
        Ok(answer)
    }

    /// Compares everything that can be seen.
    ///
    /// # Errors
    ///
    /// What differs.
    pub(super) fn compare(&self, other: &Seen) -> Result<(), String> {
        Seen::of(self.kernel().overview()).compare(other)
    }
}

/// Everything of a state that can be seen, each with what it is.
#[derive(Debug)]
pub(super) struct Seen(Vec<(&'static str, String)>);

impl Seen {
    /// # Errors
    ///
    /// What of another, which was gone on with, is not as here.
    pub(super) fn compare(&self, other: &Self) -> Result<(), String> {
        match self.0.iter().zip(&other.0).find(|(own, other)| own != other) {
            Some(((what, own), (_, other))) => {
                Err(format!("after going on {what} is {other}, and without interruption {own}"))
            }
            None if self.0.len() != other.0.len() => Err("after going on there is more or less to see".to_owned()),
            None => Ok(()),
        }
    }

    pub(super) fn of(state: Overview<'_>) -> Self {
        let mut seen = Self(Vec::new());
        seen.add("the time", &state.now_ns());
        seen.add("the list of accounts", &state.accounts());
        for account in state.accounts() {
            seen.add("an account", &state.account(account));
        }
        for index in 0..state.market().funds.len() {
            seen.add("a fund", &state.fund(FundId(index as u32)));
        }
        for index in 0..state.market().instruments.len() {
            let id = InstrumentId(index as u32);
            // As it is saved: beside its state it has room to work in.
            seen.add("an instrument", &serde_json::to_string(state.market().instrument(id)));
            seen.add("funding", &state.funding(id));
            seen.add("the book", &state.top_of_book(id));
            for long in [true, false] {
                seen.add("a queue", &state.adl_queue(id, long));
            }
        }
        seen.add("totals", &state.asset_totals());
        seen.add("lots", &state.instrument_totals());
        seen.add("health", &state.health());
        seen
    }

    fn add(&mut self, what: &'static str, value: &impl std::fmt::Debug) {
        self.0.push((what, format!("{value:?}")));
    }
}
