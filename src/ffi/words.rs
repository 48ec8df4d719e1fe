//! The words of the C API, as numbers. What C passes in is a number that may be anything, so it is read, never taken for an `enum`.

/// What a call came to.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum terrace_status {
    /// Done.
    Ok = 0,
    /// The ring is full: poll, then call again. Nothing has changed.
    Full = 1,
    /// The command was refused and has changed nothing; see `terrace_last_code` and `terrace_last_error`.
    Refused = 2,
    /// The engine was stopped.
    Stopped = 3,
    /// A thread of the engine failed, or it could not start; `terrace_last_error` says why.
    Failed = 4,
    /// A bug inside: the handle can only be freed.
    Panicked = 5,
    /// A pointer that must not be null is null.
    Null = 6,
    /// A number is none of those that its field takes, or a text is not UTF-8.
    Invalid = 7,
    /// The buffer is too small; how much is needed was told.
    Room = 8,
    /// There is nothing of that name.
    Unknown = 9,
    /// The record, replayed inline, came to another log: a bug.
    Diverged = 10,
}

/// The side of an order or a fill.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_side {
    /// Bids; makes a position longer.
    Buy = 0,
    /// Asks; makes a position shorter.
    Sell = 1,
}

/// Whether an account has one position in an instrument or two.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_position_mode {
    /// One, long or short.
    OneWay = 0,
    /// A long and a short leg beside each other.
    Hedge = 1,
}

/// Which leg of an account in hedge mode is meant.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_position_side {
    /// None: the account is in one-way mode.
    None = 0,
    /// The long leg.
    Long = 1,
    /// The short leg.
    Short = 2,
}

/// How a position is margined.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_margin_mode {
    /// From the account's pool of the settlement asset.
    Cross = 0,
    /// From a margin of its own.
    Isolated = 1,
}

/// Which fee a fill charges the account; its counterparty pays the other.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_liquidity {
    /// No fee on either side.
    None = 0,
    /// It rested in the book.
    Maker = 1,
    /// It took from the book.
    Taker = 2,
}

/// What a pool holds, and what its id is.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_pool_kind {
    /// The account's balance of an asset; the id is the asset's.
    Cross = 0,
    /// One position with its own margin; the id is the instrument's.
    Isolated = 1,
    /// In hedge mode, the long leg with its own margin.
    IsolatedLong = 2,
    /// The short leg.
    IsolatedShort = 3,
}

/// Whose a liquidation order is, and what its id is.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_owner_kind {
    /// An account's; the id is the account's.
    Account = 0,
    /// The fund's that stands behind an instrument; the id is the instrument's.
    Fund = 1,
}

/// What led to a liquidation, and what its id is.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_cause_kind {
    /// A mark or a fill; the id is the instrument's.
    Instrument = 0,
    /// Another command; the id is one for `terrace_op_word`.
    Op = 1,
}

/// Which step a liquidation order belongs to.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_step {
    /// Reduction to the cap of the tier below.
    Tier = 0,
    /// Closing of the whole position.
    All = 1,
    /// A fund closes its inventory.
    Unwind = 2,
    /// Closing of a fixed part of the position.
    Fraction = 3,
}

/// How a liquidation ended.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_outcome {
    /// The pool is no longer in breach.
    Cured = 0,
    /// The pool holds no position any more.
    Closed = 1,
}

/// Why a fund's balance changed.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_fund_reason {
    /// A liquidation fee came in.
    Fee = 0,
    /// Inventory was closed at the venue.
    Unwind = 1,
    /// A takeover met inventory of the other side.
    Netting = 2,
    /// Inventory was deleveraged.
    Adl = 3,
    /// What counterparties of a deleveraging paid differs from what the bankrupt pool was booked out at.
    AdlResidue = 4,
    /// A pool that ended below zero was made good.
    Deficit = 5,
    /// Positions that gained made good a deficit.
    Socialised = 6,
    /// Money was paid in.
    Deposit = 7,
    /// What two sides exchanged was rounded on each.
    Rounding = 8,
    /// Its inventory paid or received funding, or the rest of a settlement is its.
    Funding = 9,
    /// It made good what an account lost by somebody's mistake.
    Compensation = 10,
}

/// What a correction put right.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_remedy {
    /// A fill was undone.
    Bust = 0,
    /// A fill got another price.
    Reprice = 1,
    /// A balance was changed.
    Adjust = 2,
    /// A fund made good what an account lost.
    Compensate = 3,
}

/// How a mark is made.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_mark_rule {
    /// It is given.
    External = 0,
    /// The median of index with funding, index with mean basis, and last price.
    Median = 1,
    /// The index with what is left of the funding.
    FairBasis = 2,
    /// The index with the smoothed basis, within a band.
    EmaBasis = 3,
}

/// Why a mark is frozen.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_freeze_cause {
    /// Its index is: too few venues are left.
    Index = 0,
    /// What it is made of is too old.
    Stale = 1,
    /// The instrument is halted.
    Halted = 2,
    /// A mark is held back by the airlock.
    Airlock = 3,
}

/// How a hold of the airlock ended.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_airlock_outcome {
    /// Another source gave a mark near the held one.
    Confirmed = 0,
    /// A mark near the live one came, or one that may pass.
    Withdrawn = 1,
    /// Nothing else happened for so long: the held mark was taken.
    Timeout = 2,
    /// A command let the held mark through.
    Accepted = 3,
    /// A command dropped it.
    Discarded = 4,
}

/// What an instrument, an account, or everything may do.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_mode_word {
    /// Everything.
    Normal = 0,
    /// Only orders that reduce are taken.
    ReduceOnly = 1,
    /// No orders are taken.
    CancelOnly = 2,
    /// No orders are taken, and marks count as frozen.
    Halted = 3,
    /// Pools in breach are locked, and are not reduced or taken over.
    LiquidationPaused = 4,
    /// Nobody is deleveraged.
    AdlPaused = 5,
}

/// What may be wrong around the kernel.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_health_state {
    /// An input takes too long.
    StalledWorker = 0,
    /// No price of an instrument has come for too long.
    SilentFeed = 1,
    /// The venue does not answer.
    SilentVenue = 2,
    /// What waits to be carried out is near its bound.
    QueueNearFull = 3,
    /// The journal does not keep up.
    SlowJournal = 4,
    /// The standby does not keep up.
    StandbyBehind = 5,
}

/// What a mode is of, and what its id is.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_scope {
    /// Everything; the id is 0.
    All = 0,
    /// The instrument of that id.
    Instrument = 1,
    /// That account.
    Account = 2,
    /// The instruments of that fund: only told, never set.
    Fund = 3,
}

/// How threads wait.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_wait {
    /// They spin if each has a core of its own, else they yield.
    Auto = 0,
    /// Burns a core: the shortest wait.
    Spin = 1,
    /// Offers the core to others at every turn.
    Yield = 2,
    /// Sleeps until woken.
    Park = 3,
}

/// Where threads are pinned.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_pinning {
    /// Nowhere.
    Off = 0,
    /// Each thread to a core of its own if there are enough, the calling one included; else nowhere.
    Auto = 1,
}

/// Why a command was refused. `terrace_code_word` gives the protocol's word.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is its own word; the protocol section of README says when it comes")]
pub enum terrace_code {
    None = 0,
    Malformed = 1,
    UnknownOp = 2,
    UnknownField = 3,
    UnknownSymbol = 4,
    UnknownAccount = 5,
    UnknownAsset = 6,
    UnknownFund = 7,
    UnknownOrder = 8,
    UnknownLiquidation = 9,
    TimeReversed = 10,
    BadValue = 11,
    BadTiers = 12,
    OffGrid = 13,
    Overflow = 14,
    Locked = 15,
    InsufficientMargin = 16,
    NoPrice = 17,
    Duplicate = 18,
    Gap = 19,
    Expired = 20,
    Halted = 21,
    Busy = 22,
    Limit = 23,
    ReduceOnly = 24,
}
