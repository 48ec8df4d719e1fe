//! What an account has, as rows of text that any ledger can write.

use crate::decimal::Decimal;
use crate::market::Market;
use crate::shard::Statement;
use std::borrow::Cow;
use std::fmt::Write;

/// What a row is about; in the order of the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A cross balance.
    Balance,
    /// What a position cost.
    Cost,
    /// Money put aside for withdrawals.
    Held,
    /// The margin of an isolated position.
    Margin,
    /// The quantity of a position.
    Position,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Balance, Self::Cost, Self::Held, Self::Margin, Self::Position];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Balance => "balance",
            Self::Cost => "cost",
            Self::Held => "held",
            Self::Margin => "margin",
            Self::Position => "position",
        }
    }

    pub(super) fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether it is of an asset, and not of a position.
    #[must_use]
    pub fn is_of_asset(self) -> bool {
        matches!(self, Self::Balance | Self::Held)
    }
}

/// What a row of an account is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key<'a> {
    /// What of it.
    pub kind: Kind,
    /// The asset or the symbol.
    pub name: Cow<'a, str>,
    /// `long`, `short`, or empty.
    pub side: &'static str,
}

/// The rows of an account, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows<'a> {
    /// The account.
    pub account: u64,
    rows: Vec<(Key<'a>, Decimal)>,
}

impl<'a> Rows<'a> {
    /// The rows of what an account has; `costs`: those of what its positions cost too.
    #[must_use]
    pub fn of(market: &'a Market, statement: &Statement, costs: bool) -> Self {
        let mut rows = Self { account: statement.account, rows: Vec::new() };
        for (kind, amounts) in [(Kind::Balance, &statement.balances), (Kind::Held, &statement.held)] {
            for &(asset, amount) in amounts {
                let amount = market.quanta(asset).value(amount);
                rows.rows.push((Key { kind, name: (&market.asset(asset).name).into(), side: "" }, amount));
            }
        }
        for &(id, position) in &statement.positions {
            let spec = &market.instrument(id).spec;
            let (name, side) = (Cow::from(&spec.symbol), side_of(Some(position.quantity > 0)));
            if costs {
                let cost = market.quanta(spec.settle).value(position.cost);
                rows.rows.push((Key { kind: Kind::Cost, name: name.clone(), side }, cost));
            }
            let quantity = spec.lot.value(i128::from(position.quantity).abs());
            rows.rows.push((Key { kind: Kind::Position, name, side }, quantity));
        }
        for &(id, is_long, amount) in &statement.margins {
            let spec = &market.instrument(id).spec;
            let key = Key { kind: Kind::Margin, name: (&spec.symbol).into(), side: side_of(is_long) };
            rows.rows.push((key, market.quanta(spec.settle).value(amount)));
        }
        rows.put_in_order();
        rows
    }

    /// Rows of an account that were read, each with its line; none of a key may come twice: the one that does is returned, and its line.
    pub(super) fn read(account: u64, mut read: Vec<(Key<'a>, Decimal, u64)>) -> Result<Self, (Key<'a>, u64)> {
        read.sort_by(|(one, ..), (other, ..)| one.cmp(other)); // of the same, those that come first stay first
        if let Some(pair) = read.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err((pair[1].0.clone(), pair[1].2));
        }
        let rows = read.into_iter().map(|(key, amount, _)| (key, amount));
        Ok(Self { account, rows: rows.filter(|(_, amount)| *amount != Decimal::ZERO).collect() })
    }

    /// In order, amounts of the same added up, none of zero.
    fn put_in_order(&mut self) {
        self.rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.rows.dedup_by(|(next, more), (key, amount)| {
            let same = next == key;
            if same {
                *amount = add(*amount, *more);
            }
            same
        });
        self.rows.retain(|(_, amount)| *amount != Decimal::ZERO);
    }

    /// Each row, in order; none is of zero.
    #[must_use]
    pub fn rows(&self) -> &[(Key<'a>, Decimal)] {
        &self.rows
    }

    /// Whether the account has nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Appends the rows in canonical form.
    pub fn text(&self, out: &mut String) {
        for (Key { kind, name, side }, amount) in &self.rows {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{},{},{name},{side},{amount}", self.account, kind.as_str());
        }
    }
}

fn side_of(is_long: Option<bool>) -> &'static str {
    match is_long {
        Some(true) => "long",
        Some(false) => "short",
        None => "",
    }
}

/// The sum of two amounts of the same asset: both are whole numbers of its quanta, far below what overflows.
fn add(one: Decimal, other: Decimal) -> Decimal {
    let scale = one.scale().max(other.scale());
    let scaled = |amount: Decimal| amount.mantissa().saturating_mul(10i128.pow(scale - amount.scale()));
    Decimal::new(scaled(one).saturating_add(scaled(other)), scale)
}
