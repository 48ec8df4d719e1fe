//! One account, as drawn: what it would like to hold.

use super::Listing;
use super::tables::{CROSS_PERCENT, LEVERAGE, MEETING_PERCENT, NOTIONAL, NOTIONAL_FROM, NOTIONAL_TO, POSITIONS};
use crate::command::{MarginMode, Side};
use crate::market::{Instrument, InstrumentId};
use crate::number::{LEVERAGE_ONE, Quantity, div_floor, mul_div_floor};
use crate::replay::instruments::ONE;
use crate::replay::random::Random;

/// A position that an account wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) instrument: InstrumentId,
    pub(super) side: Side,
    /// At least 1.
    pub(super) lots: Quantity,
    /// In hundredths.
    pub(super) leverage: u32,
}

/// How an account margins its positions.
pub(crate) fn draw_mode(random: &mut Random) -> MarginMode {
    if random.below(100) < CROSS_PERCENT { MarginMode::Cross } else { MarginMode::Isolated }
}

/// Whether an account is in hedge mode, of which so many percent are.
pub(super) fn draws_hedge(random: &mut Random, percent: u64) -> bool {
    percent > 0 && random.below(100) < percent
}

/// The lots of the other leg beside one of an account in hedge mode: none in one of four cases, else at most as many.
pub(super) fn draw_other_leg(random: &mut Random, lots: Quantity) -> Option<Quantity> {
    let thousandths = random.between(100, 1_001);
    let other = mul_div_floor(i128::from(lots), i128::from(thousandths), 1_000) as Quantity; // at most `lots`
    (random.below(4) > 0).then_some(other.max(1))
}

/// The positions that an account wants. `backlog` tells by instrument which side would find a counterparty at once.
pub(super) fn draw_wishes(
    random: &mut Random,
    instruments: &[Instrument],
    listings: &[Listing],
    backlog: impl Fn(InstrumentId) -> Option<Side>,
    wishes: &mut Vec<Wish>,
) {
    wishes.clear();
    let wanted = random.pick(&POSITIONS).unwrap_or(1);
    let leverage = random.pick(&LEVERAGE).unwrap_or(1) * LEVERAGE_ONE;
    let mut left = wanted.min(instruments.len());
    for (index, (instrument, listing)) in instruments.iter().zip(listings).enumerate() {
        // Selection sampling: each subset of the wanted size is as likely as any other.
        let remaining = (instruments.len() - index) as u64;
        if random.below(remaining) >= left as u64 {
            continue;
        }
        left -= 1;
        let id = InstrumentId(index as u32);
        let side = draw_side(random, backlog(id));
        let lots = lots_worth(draw_notional(random), instrument, listing).max(1);
        let notional = instrument.admitted_value(lots, listing.start).unwrap_or(i128::MAX);
        let leverage = leverage.min(instrument.max_leverage(lots, notional));
        wishes.push(Wish { instrument: id, side, lots, leverage });
    }
}

fn draw_side(random: &mut Random, lacking: Option<Side>) -> Side {
    let even = if random.below(2) == 0 { Side::Buy } else { Side::Sell };
    match lacking {
        Some(side) if random.below(100) < MEETING_PERCENT => side,
        Some(side) => side.opposite(),
        None => even,
    }
}

/// As many lots as a notional pays for, in 10^-8 of the quote currency, at the starting price.
fn lots_worth(notional: i128, instrument: &Instrument, listing: &Listing) -> Quantity {
    match listing.face {
        None => instrument.lots_within(notional, listing.start),
        Some(face) => Quantity::try_from(div_floor(notional, face)).unwrap_or(Quantity::MAX),
    }
}

/// In 10^-8 of the quote currency.
pub(crate) fn draw_notional(random: &mut Random) -> i128 {
    let from = NOTIONAL_FROM << random.pick(&NOTIONAL).unwrap_or(0);
    let cents = random.between(from * 100, (from * 2).min(NOTIONAL_TO) * 100);
    i128::from(cents) * ONE / 100
}
