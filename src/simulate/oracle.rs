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
    pub(super) fn compare(&self, other: &Kernel) -> Result<(), String> {
        let (one, other) = (self.kernel().overview(), other.overview());
        same("the time", &one.now_ns(), &other.now_ns())?;
        same("accounts", &one.accounts(), &other.accounts())?;
        for account in one.accounts() {
            same("an account", &one.account(account), &other.account(account))?;
        }
        for index in 0..one.market().funds.len() {
            let fund = FundId(index as u32);
            same(
                "a fund",
                &one.fund(fund).map(|view| format!("{view:?}")),
                &other.fund(fund).map(|view| format!("{view:?}")),
            )?;
        }
        for index in 0..one.market().instruments.len() {
            compare_instrument(one, other, InstrumentId(index as u32))?;
        }
        same("totals", &one.asset_totals(), &other.asset_totals())?;
        same("lots", &one.instrument_totals(), &other.instrument_totals())?;
        same("health", &one.health(), &other.health())
    }
}

fn compare_instrument(one: Overview<'_>, other: Overview<'_>, id: InstrumentId) -> Result<(), String> {
    let (own, others) = (one.market().instrument(id), other.market().instrument(id));
    same("an instrument", &format!("{own:?}"), &format!("{others:?}"))?;
    same("funding", &one.funding(id), &other.funding(id))?;
    same("the book", &one.top_of_book(id), &other.top_of_book(id))?;
    for long in [true, false] {
        let (own, others) = (one.adl_queue(id, long), other.adl_queue(id, long));
        same("a queue", &format!("{own:?}"), &format!("{others:?}"))?;
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, one: &T, other: &T) -> Result<(), String> {
    if one == other {
        return Ok(());
    }
    Err(format!("after going on {what} is {other:?}, and without interruption {one:?}"))
}
