//! The accounts of a kernel beside those of a ledger.

use super::digest::{Digester, Range, RangeDigest};
use super::ledger::{LedgerError, LedgerReader};
use super::rows::{Key, Rows};
use crate::controls::Mode;
use crate::decimal::Decimal;
use crate::kernel::Overview;
use crate::protocol::line::Line;
use std::cmp::Ordering;
use std::io::BufRead;

/// A row in which kernel and ledger differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break<'a> {
    /// What of the account.
    pub key: Key<'a>,
    /// What the kernel has; none: nothing.
    pub ours: Option<Decimal>,
    /// What the ledger has; none: nothing.
    pub theirs: Option<Decimal>,
}

/// An account in which kernel and ledger differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken<'a> {
    /// Its id.
    pub account: u64,
    /// Its own mode; none: the kernel does not know it.
    pub mode: Option<Mode>,
    /// In what they differ; at least one row.
    pub breaks: Vec<Break<'a>>,
}

impl Broken<'_> {
    /// Appends each break as a line.
    pub fn lines(&self, out: &mut String) {
        for Break { key, ours, theirs } in &self.breaks {
            let mut line = Line::object(out);
            line.quoted("what", "break").bare("account", self.account).quoted("kind", key.kind.as_str());
            line.quoted(if key.kind.is_of_asset() { "asset" } else { "symbol" }, &key.name);
            if !key.side.is_empty() {
                line.quoted("side", key.side);
            }
            line.quoted_or_null("ours", *ours).quoted_or_null("theirs", *theirs).end();
        }
    }

    /// Appends the command that makes it `reduce_only`, and returns true; unless the kernel does not know it, or an operator has given
    /// it another mode already, which is not to be taken from it.
    pub fn mode_line(&self, out: &mut String) -> bool {
        let sets = self.mode == Some(Mode::Normal);
        if sets {
            let mut line = Line::object(out);
            line.quoted("op", "mode").bare("account", self.account).quoted("mode", Mode::ReduceOnly.as_str()).end();
        }
        sets
    }
}

/// A range of accounts on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// In the kernel.
    pub ours: RangeDigest,
    /// In the ledger.
    pub theirs: RangeDigest,
}

impl Compared {
    /// Whether both have the same.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.ours.digest == self.theirs.digest && self.ours.rows == self.theirs.rows
    }

    /// Appends it as a line.
    pub fn line(&self, out: &mut String) {
        let Self { ours, theirs } = self;
        let mut line = Line::object(out);
        line.quoted("what", "range").bare("first", ours.range.first).bare("last", ours.range.last);
        for (name, side) in [("ours", ours), ("theirs", theirs)] {
            line.nested(name, |line| {
                line.bare("accounts", side.accounts)
                    .bare("rows", side.rows)
                    .quoted("digest", format_args!("{:016x}", side.digest));
            });
        }
        line.end();
    }
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciliation {
    /// The ranges, in order.
    pub ranges: Vec<Compared>,
    /// Accounts in which they differ.
    pub broken: u64,
    /// Rows in which they differ.
    pub breaks: u64,
}

/// Ranges whose digests differ, of those that both sides have told; `ours` and `theirs` are of the same ranges.
#[must_use]
pub fn differing(ours: &[RangeDigest], theirs: &[RangeDigest]) -> Vec<Range> {
    let compared = ours.iter().zip(theirs).map(|(&ours, &theirs)| Compared { ours, theirs });
    compared.filter(|compared| !compared.is_equal()).map(|compared| compared.ours.range).collect()
}

/// Why it was not carried through.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError<E> {
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Whoever is told of the breaks refuses.
    #[error("{0}")]
    Told(E),
}

/// Compares what the accounts of a kernel have with a ledger, by these ranges, which cover all ids in order; `within`: only accounts that lie
/// in one of those. Each account in which they differ is told, in the order of ids.
///
/// # Errors
///
/// The ledger cannot be read, or those of `tell`.
pub fn reconcile<E>(
    overview: Overview<'_>,
    ledger: &mut LedgerReader<impl BufRead>,
    (ranges, within): (Vec<Range>, Option<&[Range]>),
    mut tell: impl FnMut(&Broken<'_>) -> Result<(), E>,
) -> Result<Reconciliation, ReconcileError<E>> {
    let costs = ledger.tells_costs();
    let mut sides = [Digester::new(ranges.clone()), Digester::new(ranges)];
    let mut found = Reconciliation::default();
    let nothing = Rows::default();
    let mut compare = |ours: Option<(&Rows<'_>, Mode)>, theirs: Option<&Rows<'_>>| {
        for (side, rows) in sides.iter_mut().zip([ours.map(|(rows, _)| rows), theirs]) {
            if let Some(rows) = rows {
                side.account(rows);
            }
        }
        let breaks = breaks(ours.map_or(&nothing, |(rows, _)| rows), theirs.unwrap_or(&nothing));
        let account = ours.map(|(rows, _)| rows.account).or(theirs.map(|rows| rows.account)).unwrap_or(0);
        if breaks.is_empty() {
            return Ok(());
        }
        found.broken += 1;
        found.breaks += breaks.len() as u64;
        tell(&Broken { account, mode: ours.map(|(_, mode)| mode), breaks }).map_err(ReconcileError::Told)
    };
    let mut theirs = next(ledger, within)?;
    overview.for_each_statement(|statement| -> Result<(), ReconcileError<E>> {
        if !is_within(within, statement.account) {
            return Ok(());
        }
        let ours = Rows::of(overview.market(), statement, costs);
        while let Some(before) = theirs.take_if(|theirs| theirs.account < statement.account) {
            compare(None, Some(&before))?;
            theirs = next(ledger, within)?;
        }
        let same = theirs.take_if(|theirs| theirs.account == statement.account);
        compare(Some((&ours, statement.mode)), same.as_ref())?;
        if same.is_some() {
            theirs = next(ledger, within)?;
        }
        Ok(())
    })?;
    while let Some(rest) = theirs {
        compare(None, Some(&rest))?;
        theirs = next(ledger, within)?;
    }
    let [ours, theirs] = sides.map(Digester::finish);
    found.ranges = ours.into_iter().zip(theirs).map(|(ours, theirs)| Compared { ours, theirs }).collect();
    Ok(found)
}

fn is_within(within: Option<&[Range]>, account: u64) -> bool {
    within.is_none_or(|within| {
        let at = within.partition_point(|range| range.last < account);
        within.get(at).is_some_and(|range| range.contains(account))
    })
}

/// The next account of a ledger that lies within.
fn next(
    ledger: &mut LedgerReader<impl BufRead>,
    within: Option<&[Range]>,
) -> Result<Option<Rows<'static>>, LedgerError> {
    loop {
        match ledger.account()? {
            Some(rows) if !is_within(within, rows.account) => {}
            next => return Ok(next),
        }
    }
}

/// The rows in which two accounts differ.
fn breaks<'a>(ours: &Rows<'a>, theirs: &Rows<'a>) -> Vec<Break<'a>> {
    let (mut ours, mut theirs) = (ours.rows().iter().peekable(), theirs.rows().iter().peekable());
    let mut breaks = Vec::new();
    loop {
        let order = match (ours.peek(), theirs.peek()) {
            (None, None) => return breaks,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((one, _)), Some((other, _))) => one.cmp(other),
        };
        let mine = if order.is_le() { ours.next() } else { None };
        let other = if order.is_ge() { theirs.next() } else { None };
        let (mine_of, other_of) = (mine.map(|row| row.1), other.map(|row| row.1));
        if let Some((key, _)) = mine.or(other).filter(|_| mine_of != other_of) {
            breaks.push(Break { key: key.clone(), ours: mine_of, theirs: other_of });
        }
    }
}
