//! Why a mark is frozen, and what an input did to it.

/// Why a mark is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum FreezeCause {
    /// Its index is: too few venues are left.
    Index = 1,
    /// What it is made of is too old.
    Stale = 2,
    /// The instrument is halted.
    Halted = 4,
    /// A mark is held back by the airlock.
    Airlock = 8,
}

impl FreezeCause {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Index, Self::Stale, Self::Halted, Self::Airlock];

    /// The protocol's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Stale => "stale",
            Self::Halted => "halted",
            Self::Airlock => "airlock",
        }
    }
}

/// What keeps a mark frozen; several causes may hold at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct Frozen(pub(super) u8);

impl Frozen {
    /// Whether nothing does.
    #[must_use]
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it names causes that there are.
    #[cfg(feature = "journal")]
    pub(super) fn is_sound(self) -> bool {
        let all = FreezeCause::ALL.into_iter().fold(Self::default(), Self::with);
        self.0 & !all.0 == 0
    }

    /// Whether this does.
    #[must_use]
    pub fn has(self, cause: FreezeCause) -> bool {
        self.0 & cause as u8 != 0
    }

    pub(crate) fn with(self, cause: FreezeCause) -> Self {
        Self(self.0 | cause as u8)
    }

    pub(crate) fn without(self, cause: FreezeCause) -> Self {
        Self(self.0 & !(cause as u8))
    }

    /// The causes that hold.
    pub fn causes(self) -> impl Iterator<Item = FreezeCause> {
        FreezeCause::ALL.into_iter().filter(move |&cause| self.has(cause))
    }
}

/// What an input did to the mark of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MarkChange {
    /// Nothing that anybody could see: a frozen mark moves not.
    None,
    /// It was set, and lived before.
    Moved,
    /// It lives for the first time.
    First,
    /// It lives again: the last of the causes is gone.
    Live(FreezeCause),
    /// It lives again after a freeze that nobody was told of.
    Resumed,
    /// It lived, and does no more.
    Frozen(FreezeCause),
}

impl MarkChange {
    /// Whether everybody who holds the instrument is to be looked at, the locked ones too.
    pub(crate) fn revives(self) -> bool {
        matches!(self, Self::First | Self::Live(_) | Self::Resumed)
    }
}
