//! Digests of what accounts have, by range of accounts.

use super::rows::Rows;
use crate::kernel::Overview;
use crate::protocol::Rejection;
use crate::protocol::fields::Fields;
use crate::protocol::line::Line;
use std::convert::Infallible;
use xxhash_rust::xxh3::Xxh3Default;

/// The most ranges.
const MAX_RANGES: usize = 1 << 16;

/// A range of account ids, both ends in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first id.
    pub first: u64,
    /// The last id.
    pub last: u64,
}

impl Range {
    /// Whether an account lies in it.
    #[must_use]
    pub fn contains(&self, account: u64) -> bool {
        (self.first..=self.last).contains(&account)
    }
}

/// What the accounts of a range have, in one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeDigest {
    /// The range.
    pub range: Range,
    /// Accounts of it that have anything.
    pub accounts: u64,
    /// Their rows.
    pub rows: u64,
    /// XXH3 over the rows in canonical form.
    pub digest: u64,
}

impl RangeDigest {
    /// Appends it as a line.
    pub fn line(&self, out: &mut String) {
        let Self { range: Range { first, last }, accounts, rows, digest } = self;
        Line::object(out)
            .bare("first", first)
            .bare("last", last)
            .bare("accounts", accounts)
            .bare("rows", rows)
            .quoted("digest", format_args!("{digest:016x}"))
            .end();
    }

    /// Reads what [`RangeDigest::line`] writes.
    fn read(line: &str) -> Result<Self, Rejection> {
        let mut fields = Fields::read(line)?;
        fields.only(&["first", "last", "accounts", "rows", "digest"])?;
        let range = Range { first: fields.id("first")?, last: fields.id("last")? };
        let digits = fields.text("digest")?;
        let is_hex = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digest = u64::from_str_radix(&digits, 16).ok().filter(|_| is_hex);
        let digest = digest.ok_or_else(|| Rejection::malformed("digest must be 16 hexadecimal digits"))?;
        Ok(Self { range, accounts: fields.id("accounts")?, rows: fields.id("rows")?, digest })
    }
}

/// Reads digests as they are told, one a line: of ranges that cover all ids, in order.
///
/// # Errors
///
/// The number of the line, and what is wrong with it.
pub fn read_digests(text: &str) -> Result<Vec<RangeDigest>, (u64, String)> {
    let mut digests: Vec<RangeDigest> = Vec::new();
    let mut number = 0;
    for (at, line) in text.lines().enumerate() {
        number = at as u64 + 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let digest = RangeDigest::read(line).map_err(|rejection| (number, rejection.reason))?;
        let begins = match digests.last() {
            None => Some(0),
            Some(before) => before.range.last.checked_add(1),
        };
        let Range { first, last } = digest.range;
        if begins != Some(first) || last < first {
            let wanted = begins.map_or_else(|| "no further one".to_owned(), |begins| format!("one from {begins} on"));
            return Err((number, format!("the range from {first} to {last} is not the next: {wanted} is")));
        }
        if digests.len() == MAX_RANGES {
            return Err((number, format!("more than {MAX_RANGES} ranges")));
        }
        digests.push(digest);
    }
    match digests.last() {
        Some(last) if last.range.last == u64::MAX => Ok(digests),
        _ => Err((number, format!("the ranges end before {}, the last id that there is", u64::MAX))),
    }
}

/// Ranges that cover all ids, each with as many of these accounts as the others, or one fewer: `count` of them, if there are so many
/// accounts, and at least one. `ids` rise.
#[must_use]
pub fn ranges(ids: &[u64], count: usize) -> Vec<Range> {
    let count = count.clamp(1, MAX_RANGES).min(ids.len().max(1));
    let begin = |at: usize| if at == 0 { 0 } else { ids[(at as u128 * ids.len() as u128 / count as u128) as usize] };
    let end = |at: usize| if at + 1 == count { u64::MAX } else { begin(at + 1) - 1 };
    (0..count).map(|at| Range { first: begin(at), last: end(at) }).collect()
}

/// Takes the rows of accounts in the order of their ids, and comes to the digest of each range.
#[derive(Debug)]
pub struct Digester {
    ranges: Vec<Range>,
    done: Vec<RangeDigest>,
    hash: Hasher,
    accounts: u64,
    rows: u64,
    text: String,
}

struct Hasher(Box<Xxh3Default>);

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hasher")
    }
}

impl Digester {
    /// Of these ranges, which cover all ids in order.
    #[must_use]
    pub fn new(ranges: Vec<Range>) -> Self {
        Self { ranges, done: Vec::new(), hash: Hasher(Box::default()), accounts: 0, rows: 0, text: String::new() }
    }

    /// Takes the rows of the next account.
    pub fn account(&mut self, rows: &Rows<'_>) {
        while self.ranges.get(self.done.len()).is_some_and(|range| range.last < rows.account) {
            self.end_range();
        }
        self.text.clear();
        rows.text(&mut self.text);
        self.hash.0.update(self.text.as_bytes());
        self.accounts += u64::from(!rows.is_empty());
        self.rows += rows.rows().len() as u64;
    }

    fn end_range(&mut self) {
        let Some(&range) = self.ranges.get(self.done.len()) else { return };
        let Self { accounts, rows, .. } = *self;
        self.done.push(RangeDigest { range, accounts, rows, digest: self.hash.0.digest() });
        self.hash.0.reset();
        (self.accounts, self.rows) = (0, 0);
    }

    /// The digest of every range.
    #[must_use]
    pub fn finish(mut self) -> Vec<RangeDigest> {
        while self.done.len() < self.ranges.len() {
            self.end_range();
        }
        self.done
    }
}

/// The digest of each of these ranges, which cover all ids in order, of what the accounts of a kernel have.
#[must_use]
pub fn digests(overview: Overview<'_>, ranges: Vec<Range>, costs: bool) -> Vec<RangeDigest> {
    let mut digester = Digester::new(ranges);
    let Ok(()) = overview.for_each_statement(|statement| {
        digester.account(&Rows::of(overview.market(), statement, costs));
        Ok::<(), Infallible>(())
    });
    digester.finish()
}
