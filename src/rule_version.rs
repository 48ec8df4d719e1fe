//! The versions of the kernel's rules: what lets an old sequence come to what it came to when it was carried out.
//!
//! Whatever changes what a sequence of commands comes to is a new version. A kernel begins under the newest and keeps that, whatever program goes on with it, until it goes over to a later one
//! at a place of its sequence ([`Declaration::RuleVersion`](crate::Declaration::RuleVersion)); a journal is gone through under the one that it was begun under.
//!
//! | version | what is new |
//! |---|---|
//! | 1 | |
//! | 2 | A `book` that brings a bid above the ask beside it, or an impact bid above the impact ask, is refused. Before it was taken, and a mark computed from its mid could put accounts in breach |

use std::fmt;

/// A version of the rules that this program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize), serde(try_from = "u32", into = "u32"))]
pub struct RuleVersion(u32);

impl RuleVersion {
    /// The first.
    pub const OLDEST: Self = Self(1);
    /// What a kernel begins under.
    pub const NEWEST: Self = Self(2);

    /// The version of this number, if it is known.
    ///
    /// # Errors
    ///
    /// It is not.
    pub fn new(number: u64) -> Result<Self, UnknownRules> {
        let known = u32::try_from(number).ok().filter(|number| (Self::OLDEST.0..=Self::NEWEST.0).contains(number));
        known.map(Self).ok_or(UnknownRules(number))
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    /// Whether a book must not be crossed.
    pub(crate) fn refuses_crossed_books(self) -> bool {
        self >= Self(2)
    }
}

impl Default for RuleVersion {
    fn default() -> Self {
        Self::NEWEST
    }
}

impl fmt::Display for RuleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// There is no such version, or a later program knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("version {0} of the rules is not known here: {oldest} to {newest} are", oldest = RuleVersion::OLDEST, newest = RuleVersion::NEWEST)]
pub struct UnknownRules(pub u64);

impl TryFrom<u32> for RuleVersion {
    type Error = UnknownRules;

    fn try_from(number: u32) -> Result<Self, UnknownRules> {
        Self::new(number.into())
    }
}

impl From<RuleVersion> for u32 {
    fn from(version: RuleVersion) -> Self {
        version.0
    }
}
