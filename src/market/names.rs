//! Ids by order of declaration, the texts that may name things, and assets.

/// Most characters of a name.
pub const MAX_NAME: usize = 32;

/// Whether a text may name an asset, a fund or an instrument.
pub(crate) fn is_name(text: &str) -> bool {
    is_word(text, MAX_NAME)
}

/// From 1 to `longest` characters of `A-Z`, `a-z`, `0-9`, `_ . : / -`: such a text stands in a line without escapes.
pub(crate) fn is_word(text: &str, longest: usize) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte);
    (1..=longest).contains(&text.len()) && text.bytes().all(allowed)
}

/// An asset, by order of declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct AssetId(pub u32);

/// An insurance fund, by order of declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct FundId(pub u32);

/// An instrument, by order of declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct InstrumentId(pub u32);

impl AssetId {
    /// As an index into a column by asset.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl FundId {
    /// As an index into a column by fund.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl InstrumentId {
    /// As an index into a column by instrument.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An asset in which money is kept.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct Asset {
    /// Its name, such as `USDT`.
    pub name: String,
    /// One unit is `10^decimals` quanta.
    pub decimals: u32,
    /// The fund that bears the deficits of its cross pools.
    pub fund: FundId,
}
