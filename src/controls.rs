//! What an operator may set to hold the market in: levels of margin calls, limits, modes.
//!
//! Plain data of an instrument; by default all of it is off.

use crate::market::{FundId, InstrumentId};
use crate::number::{LIMIT, PPB, Price, Quantity};
use crate::refusal::Refusal;
use crate::slope::Rate;
use ethnum::I256;

/// Most levels of margin calls of an instrument.
pub const MAX_LEVELS: usize = 8;

/// The level of a margin call where none is named: a ratio of 0.8.
pub const DEFAULT_LEVEL_PPB: u32 = 800_000_000;

/// The controls of an instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct Controls {
    /// Levels of the margin ratio that are told when a pool that holds the instrument rises past them: in parts per
    /// billion, rising, above zero and below one. None: no margin calls.
    pub margin_calls: Vec<u32>,
    /// Whether `available` counts the profits of positions in it.
    pub count_profits: bool,
    /// What orders may do at most.
    pub limits: Limits,
    /// Which marks are held back; none: none is.
    pub airlock: Option<AirlockRule>,
}

/// Which marks are held back, by their distance from the last one in force, and for how long. Distances are parts per billion of that mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct AirlockRule {
    /// Whatever is farther is held.
    pub max_jump_ppb: Option<u64>,
    /// What is farther, and no jump, is held if the pools that it would put in breach hold more than `max_liquidation`; below `max_jump_ppb`.
    pub preview_jump_ppb: Option<u64>,
    /// In quanta of notional; given exactly where `preview_jump_ppb` is.
    pub max_liquidation: Option<i64>,
    /// After so many nanoseconds of input time what is held is let through; none: never by itself.
    pub timeout_ns: Option<u64>,
}

impl AirlockRule {
    /// Checks the numbers.
    ///
    /// # Errors
    ///
    /// Neither distance, one of zero or of 2^62 and more, `preview_jump` not below `max_jump`, only one of `preview_jump` and
    /// `max_liquidation`, an amount out of range, a timeout of 0.
    pub fn check(&self) -> Result<(), Refusal> {
        let bad = |what| Err(Refusal::BadDeclaration { what });
        if self.max_jump_ppb.is_none() && self.preview_jump_ppb.is_none() {
            return bad("airlock: either max_jump, or preview_jump with max_liquidation, or all of them");
        }
        if self.preview_jump_ppb.is_some() != self.max_liquidation.is_some() {
            return bad("airlock: preview_jump and max_liquidation belong together");
        }
        let within = |number: u64| number > 0 && i128::from(number) < LIMIT;
        let amount = self.max_liquidation.map(|amount| u64::try_from(amount).unwrap_or(0));
        if ![self.max_jump_ppb, self.preview_jump_ppb, amount].into_iter().flatten().all(within) {
            return bad("airlock: max_jump, preview_jump and max_liquidation must be above zero and below 2^62");
        }
        if let (Some(jump), Some(preview)) = (self.max_jump_ppb, self.preview_jump_ppb)
            && preview >= jump
        {
            return bad("airlock: preview_jump must be below max_jump");
        }
        if self.timeout_ns == Some(0) { bad("airlock: timeout must be above zero") } else { Ok(()) }
    }

    /// Whether a mark is too far from the one in force.
    #[must_use]
    pub fn is_jump(&self, price: Price, live: Price) -> bool {
        self.max_jump_ppb.is_some_and(|most| is_beyond(most, price, live))
    }

    /// Whether a mark that does not jump is held if it would liquidate too much.
    #[must_use]
    pub fn is_doubtful(&self, price: Price, live: Price) -> bool {
        !self.is_jump(price, live) && self.preview_jump_ppb.is_some_and(|most| is_beyond(most, price, live))
    }

    /// Whether a mark is near enough to the held one to confirm it.
    #[must_use]
    pub fn confirms(&self, price: Price, held: Price) -> bool {
        self.max_jump_ppb.or(self.preview_jump_ppb).is_some_and(|most| !is_beyond(most, price, held))
    }
}

/// Whether a price is farther from another than so many parts per billion of that.
fn is_beyond(most_ppb: u64, price: Price, from: Price) -> bool {
    i128::from((price - from).abs()) * i128::from(PPB) > i128::from(most_ppb) * i128::from(from)
}

/// The limits of an instrument; none: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct Limits {
    /// The most lots of open interest to which an order may lead.
    pub open_interest: Option<Quantity>,
    /// The most lots, long or short, to which an order may take a position.
    pub position: Option<Quantity>,
    /// The greatest distance of an order's price from the mark, as a part of the mark, in parts per billion.
    pub collar_ppb: Option<u64>,
    /// How initial margin rises with open interest.
    pub oi_im: Option<OiMargin>,
}

/// Initial margin scaled with open interest: from the rate of leverage at `lower` lots to the whole notional at `upper`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct OiMargin {
    /// In lots; below it nothing changes.
    pub lower: Quantity,
    /// In lots, above `lower`.
    pub upper: Quantity,
}

impl OiMargin {
    /// The rate `min(base + max((OI − lower) / (upper − lower) · (1 − base), 0), 1)`.
    pub(crate) fn rate(self, base: Rate, open_interest: Quantity) -> Rate {
        let (lower, upper) = (i128::from(self.lower), i128::from(self.upper));
        let above = (i128::from(open_interest) - lower).clamp(0, upper - lower);
        let (above, span) = (I256::from(above), I256::from(upper - lower));
        let Rate { numerator, denominator } = base;
        if numerator >= denominator {
            return Rate { numerator: I256::ONE, denominator: I256::ONE };
        }
        Rate { numerator: numerator * (span - above) + above * denominator, denominator: denominator * span }
    }
}

impl Limits {
    /// Whether anything depends on the open interest.
    #[must_use]
    pub fn watches_interest(&self) -> bool {
        self.open_interest.is_some() || self.oi_im.is_some()
    }

    /// Checks the numbers.
    ///
    /// # Errors
    ///
    /// A limit that is not above zero and below 2^62, a collar of zero or beyond 2^62, an `upper` that is not above
    /// `lower`.
    pub fn check(&self) -> Result<(), Refusal> {
        let fits = |lots: Quantity| lots > 0 && i128::from(lots) < LIMIT;
        let what = "limits: every limit must be above zero, below 2^62, and upper above lower";
        let lots = [self.open_interest, self.position, self.oi_im.map(|rule| rule.upper)];
        let collar = self.collar_ppb.is_none_or(|collar| collar > 0 && i128::from(collar) < LIMIT);
        let rule = self.oi_im.is_none_or(|rule| (0..rule.upper).contains(&rule.lower));
        let sound = lots.into_iter().flatten().all(fits) && collar && rule;
        if sound { Ok(()) } else { Err(Refusal::BadDeclaration { what }) }
    }

    /// Whether an order's price is further from the mark than the collar allows.
    #[must_use]
    pub fn is_beyond_collar(&self, price: Price, mark: Price) -> bool {
        let distance = i128::from((price - mark).abs()) * i128::from(PPB);
        self.collar_ppb.is_some_and(|collar| distance > i128::from(collar) * i128::from(mark))
    }
}

/// Which limit refused an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// The open interest, to so many lots.
    OpenInterest(Quantity),
    /// The position, to so many lots.
    Position(Quantity),
    /// The distance from the mark, in parts per billion.
    Collar(u64),
    /// The positions of a group together, to so many lots.
    Group {
        /// Which.
        group: u64,
        /// The limit.
        limit: Quantity,
    },
}

/// What an instrument, an account, or everything may do at present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum Mode {
    /// Everything.
    #[default]
    Normal,
    /// Only orders that reduce are taken.
    ReduceOnly,
    /// No orders are taken.
    CancelOnly,
    /// No orders are taken, and marks count as frozen.
    Halted,
    /// Pools in breach are locked, and are not reduced or taken over.
    LiquidationPaused,
    /// Nobody is deleveraged.
    AdlPaused,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Normal, Self::ReduceOnly, Self::CancelOnly, Self::Halted, Self::LiquidationPaused, Self::AdlPaused];

    /// The protocol's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::ReduceOnly => "reduce_only",
            Self::CancelOnly => "cancel_only",
            Self::Halted => "halted",
            Self::LiquidationPaused => "liquidation_paused",
            Self::AdlPaused => "adl_paused",
        }
    }
}

/// What a mode is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum Scope {
    /// Everything.
    All,
    /// An instrument.
    Instrument(InstrumentId),
    /// An account.
    Account(u64),
    /// The instruments of a fund, by its losses: no command sets it.
    Fund(FundId),
}

/// What may be wrong around the kernel, as a watchdog finds it: the kernel reads no clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum HealthState {
    /// An input takes too long.
    StalledWorker,
    /// No price of an instrument has come for too long.
    SilentFeed,
    /// The venue does not answer.
    SilentVenue,
    /// What waits to be carried out is near its bound.
    QueueNearFull,
    /// The journal does not keep up.
    SlowJournal,
    /// The standby does not keep up.
    StandbyBehind,
}

impl HealthState {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::StalledWorker,
        Self::SilentFeed,
        Self::SilentVenue,
        Self::QueueNearFull,
        Self::SlowJournal,
        Self::StandbyBehind,
    ];

    /// The protocol's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StalledWorker => "stalled_worker",
            Self::SilentFeed => "silent_feed",
            Self::SilentVenue => "silent_venue",
            Self::QueueNearFull => "queue_near_full",
            Self::SlowJournal => "slow_journal",
            Self::StandbyBehind => "standby_behind",
        }
    }
}

/// A state that holds, and the mode that holds with it, beside those that are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct Condition {
    /// Which.
    pub state: HealthState,
    /// Of which instrument; none: of everything.
    pub instrument: Option<InstrumentId>,
    /// What holds as long as it does.
    pub mode: Mode,
}

impl Condition {
    /// What it is of.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.instrument.map_or(Scope::All, Scope::Instrument)
    }

    /// Whether its mode holds for an instrument.
    #[must_use]
    pub fn covers(&self, id: InstrumentId) -> bool {
        self.instrument.is_none_or(|instrument| instrument == id)
    }

    /// The order in which they are kept.
    pub(crate) fn name(&self) -> (HealthState, Option<InstrumentId>) {
        (self.state, self.instrument)
    }
}

impl Controls {
    /// Checks the numbers.
    ///
    /// # Errors
    ///
    /// Too many levels, one that is not between zero and one, or levels that do not rise.
    pub fn check(&self) -> Result<(), Refusal> {
        let levels = &self.margin_calls;
        let within = levels.iter().all(|&level| level > 0 && u64::from(level) < PPB);
        if levels.len() > MAX_LEVELS || !within || !levels.is_sorted_by(|a, b| a < b) {
            let what = "margin_calls must be at most 8 levels, rising, above zero and below 1";
            return Err(Refusal::BadDeclaration { what });
        }
        self.airlock.map_or(Ok(()), |rule| rule.check())?;
        self.limits.check()
    }
}
