//! Which of C's words each of ours is, and the way back.

use super::words::{
    terrace_airlock_outcome, terrace_code, terrace_freeze_cause, terrace_fund_reason, terrace_health_state,
    terrace_liquidity, terrace_margin_mode, terrace_mark_rule, terrace_mode_word, terrace_outcome,
    terrace_position_mode, terrace_position_side, terrace_side, terrace_step,
};
use crate::command::{Liquidity, MarginMode, PositionMode, PositionSide, Side};
use crate::controls::{HealthState, Mode};
use crate::event::{AirlockOutcome, FundReason, Outcome, Step};
use crate::market::FreezeCause;
use crate::prices::MarkRule;
use crate::refusal::Code;

/// Something that C knows by a number.
pub(super) trait Word: Copy + 'static {
    const ALL: &'static [Self];

    fn number(self) -> u32;

    /// The word of a number, if there is one.
    fn read(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|word| word.number() == number)
    }
}

/// The table of a type whose words have the same names here and in C.
macro_rules! same {
    ($ours:ident, $theirs:ident: $($word:ident),+) => {
        impl From<$ours> for $theirs {
            fn from(word: $ours) -> Self {
                match word {
                    $($ours::$word => Self::$word,)+
                }
            }
        }

        impl Word for $ours {
            const ALL: &'static [Self] = &[$(Self::$word),+];

            fn number(self) -> u32 {
                $theirs::from(self) as u32
            }
        }
    };
}

/// The same of what need not be given, which is C's `None`.
macro_rules! optional {
    ($ours:ident, $theirs:ident: $($word:ident),+) => {
        impl Word for Option<$ours> {
            const ALL: &'static [Self] = &[None, $(Some($ours::$word)),+];

            fn number(self) -> u32 {
                (match self {
                    None => $theirs::None,
                    $(Some($ours::$word) => $theirs::$word,)+
                }) as u32
            }
        }
    };
}

same!(Side, terrace_side: Buy, Sell);
same!(PositionMode, terrace_position_mode: OneWay, Hedge);
optional!(PositionSide, terrace_position_side: Long, Short);
same!(MarginMode, terrace_margin_mode: Cross, Isolated);
optional!(Liquidity, terrace_liquidity: Maker, Taker);
same!(Step, terrace_step: Tier, All, Unwind, Fraction);
same!(MarkRule, terrace_mark_rule: External, Median, FairBasis, EmaBasis);
same!(FreezeCause, terrace_freeze_cause: Index, Stale, Halted, Airlock);
same!(AirlockOutcome, terrace_airlock_outcome: Confirmed, Withdrawn, Timeout, Accepted, Discarded);
same!(Mode, terrace_mode_word: Normal, ReduceOnly, CancelOnly, Halted, LiquidationPaused, AdlPaused);
same!(HealthState, terrace_health_state:
    StalledWorker, SilentFeed, SilentVenue, QueueNearFull, SlowJournal, StandbyBehind
);
same!(Outcome, terrace_outcome: Cured, Closed);
same!(FundReason, terrace_fund_reason:
    Fee, Unwind, Netting, Adl, AdlResidue, Deficit, Socialised, Deposit, Rounding, Funding, Compensation
);
same!(Code, terrace_code:
    Malformed, UnknownOp, UnknownField, UnknownSymbol, UnknownAccount, UnknownAsset, UnknownFund, UnknownOrder,
    UnknownLiquidation, TimeReversed, BadValue, BadTiers, OffGrid, Overflow, Locked, InsufficientMargin, NoPrice,
    Duplicate, Gap, Expired, Halted, Busy, Limit, ReduceOnly
);

/// The protocol's words of the codes, by number, each with the zero that C needs.
pub(super) const CODE_WORDS: [&std::ffi::CStr; 25] = [
    c"",
    c"malformed",
    c"unknown_op",
    c"unknown_field",
    c"unknown_symbol",
    c"unknown_account",
    c"unknown_asset",
    c"unknown_fund",
    c"unknown_order",
    c"unknown_liquidation",
    c"time_reversed",
    c"bad_value",
    c"bad_tiers",
    c"off_grid",
    c"overflow",
    c"locked",
    c"insufficient_margin",
    c"no_price",
    c"duplicate",
    c"gap",
    c"expired",
    c"halted",
    c"busy",
    c"limit",
    c"reduce_only",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_word() {
        for &code in Code::ALL {
            let word = CODE_WORDS[code.number() as usize];
            assert_eq!(word.to_str(), Ok(code.as_str()));
        }
        assert_eq!(CODE_WORDS.len(), Code::ALL.len() + 1, "and none");
    }

    #[test]
    fn what_is_no_word_is_none() {
        assert_eq!(Side::read(1), Some(Side::Sell));
        assert_eq!(Side::read(2), None);
        assert_eq!(<Option<Liquidity>>::read(3), None);
        assert_eq!(Step::read(u32::MAX), None);
    }
}
