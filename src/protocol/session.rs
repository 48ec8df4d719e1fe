//! A session: lines in, lines out, over one kernel.

use super::encode::{Encoder, Line};
use super::fields::Fields;
use super::{Rejection, answers, declarations, operations};
use crate::decimal::{Decimal, Grid, OnGrid};
use crate::kernel::{Kernel, Settings};
use crate::market::{AssetId, FundId, InstrumentId};
use crate::refusal::{Code, Refusal};
use rustc_hash::FxHashMap;

/// What a line that was carried out has to say.
pub(super) enum Answer {
    /// The kernel's events.
    Events,
    /// One line, without its end: the answer to a `get`.
    Line(String),
}

/// Carries out lines one by one, each completely before the next.
#[derive(Debug)]
pub struct Session {
    pub(super) kernel: Kernel,
    seq: u64,
    pub(super) assets: FxHashMap<String, AssetId>,
    pub(super) funds: FxHashMap<String, FundId>,
    /// The funds that a line declared; an asset's own may be declared once after it exists.
    pub(super) declared_funds: Vec<FundId>,
    pub(super) instruments: FxHashMap<String, InstrumentId>,
}

impl Session {
    /// A session over an empty kernel.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            kernel: Kernel::new(settings),
            seq: 0,
            assets: FxHashMap::default(),
            funds: FxHashMap::default(),
            declared_funds: Vec::new(),
            instruments: FxHashMap::default(),
        }
    }

    /// The kernel behind it.
    #[must_use]
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// Ends the session and hands over its kernel.
    #[must_use]
    pub fn into_kernel(self) -> Kernel {
        self.kernel
    }

    /// The number of the last line, from 1.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Carries out one line, without its end, and appends what it leads to. A blank line counts and does nothing.
    ///
    /// # Errors
    ///
    /// The rejection, whose line has been appended already.
    pub fn line(&mut self, line: &[u8], out: &mut String) -> Result<(), Rejection> {
        self.seq += 1;
        let answer = match std::str::from_utf8(line) {
            Ok(text) if text.trim().is_empty() => return Ok(()),
            Ok(text) => self.carry_out(text),
            Err(error) => Err(Rejection::new(Code::Malformed, format!("the line is not UTF-8: {error}"))),
        };
        match answer {
            Ok(Answer::Events) => Encoder::new(self.kernel.market()).events(self.seq, self.kernel.events(), out),
            Ok(Answer::Line(line)) => out.push_str(&line),
            Err(rejection) => {
                Line::begin(out, "rejected", self.seq)
                    .quoted("code", rejection.code)
                    .text("reason", &rejection.reason)
                    .end();
                return Err(rejection);
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, line: &str) -> Result<Answer, Rejection> {
        let mut fields = Fields::read(line)?;
        let op = fields.text("op")?;
        match op.as_str() {
            "asset" | "fund" | "instrument" => declarations::carry_out(self, &op, fields),
            "get" => answers::carry_out(self, fields),
            _ => operations::carry_out(self, &op, fields),
        }
    }

    /// The last check of form: time does not run backward.
    pub(super) fn check_time(&self, ts_ns: Option<u64>) -> Result<(), Rejection> {
        match ts_ns {
            Some(given) if given < self.kernel.now_ns() => {
                Err(Refusal::TimeReversed { given, now: self.kernel.now_ns() }.into())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn asset(&self, name: &str) -> Result<AssetId, Rejection> {
        let unknown = || Rejection::new(Code::UnknownAsset, format!("no asset is called {name:?}"));
        self.assets.get(name).copied().ok_or_else(unknown)
    }

    pub(super) fn fund(&self, name: &str) -> Result<FundId, Rejection> {
        let unknown = || Rejection::new(Code::UnknownFund, format!("no fund is called {name:?}"));
        self.funds.get(name).copied().ok_or_else(unknown)
    }

    pub(super) fn instrument(&self, symbol: &str) -> Result<InstrumentId, Rejection> {
        let unknown = || Rejection::new(Code::UnknownSymbol, format!("no instrument has the symbol {symbol:?}"));
        self.instruments.get(symbol).copied().ok_or_else(unknown)
    }
}

/// The steps of a value on a grid, and whether it lies between two. What is too far out to count is too large for
/// every limit: it saturates.
pub(super) fn steps(grid: Grid, value: Decimal) -> (i64, bool) {
    let far = if value.is_nonpositive() { i64::MIN } else { i64::MAX };
    match grid.place(value) {
        Some(place) => (i64::try_from(place.floor()).unwrap_or(far), matches!(place, OnGrid::Above(_))),
        None => (far, false),
    }
}
