//! What the population is drawn from: integer tables, so that a seed means the same on every machine.

use std::fmt::Write;

/// Cross-margined accounts, in percent; the others margin every position by itself.
pub(super) const CROSS_PERCENT: u64 = 70;

/// Number of positions, at most one an instrument, with weights; more than there are instruments means one in each.
pub(super) const POSITIONS: [(usize, u32); 6] = [(1, 50), (2, 22), (3, 14), (4, 7), (5, 4), (6, 3)];

/// Leverage of an account, with weights; a position's is at most its tier's maximum.
pub(crate) const LEVERAGE: [(u32, u32); 11] =
    [(1, 6), (2, 8), (3, 10), (5, 15), (10, 20), (20, 14), (25, 8), (50, 8), (75, 4), (100, 4), (125, 3)];

/// The smallest notional, in USDT (USD for inverse contracts); class `k` reaches from 2^k to 2^(k+1) times that.
pub(super) const NOTIONAL_FROM: u64 = 50;

/// The largest notional, in the same.
pub(super) const NOTIONAL_TO: u64 = 5_000_000;

/// Classes of notional, with weights in parts per ten thousand.
pub(super) const NOTIONAL: [(u32, u32); 17] = [
    (0, 800),
    (1, 1_000),
    (2, 1_200),
    (3, 1_330),
    (4, 1_300),
    (5, 1_200),
    (6, 1_000),
    (7, 800),
    (8, 500),
    (9, 350),
    (10, 220),
    (11, 150),
    (12, 80),
    (13, 40),
    (14, 18),
    (15, 8),
    (16, 4),
];

/// A position's side is drawn evenly, but so often, in percent, it meets the side that still lacks counterparties.
pub(super) const MEETING_PERCENT: u64 = 60;

/// Entry prices lie evenly up to so far off the starting price, in parts per billion: 8 %.
pub(super) const AGE_PPB: u64 = 80_000_000;

/// And at most this over the higher leverage of the two sides: half of the margin of the one that bears less.
pub(super) const AGE_OVER_LEVERAGE_PPB: u64 = 500_000_000;

/// The distance to liquidation: what a pool has above its maintenance margin, in thousandths of what it had when it was
/// opened (initial less maintenance margin), from and to, with weights.
pub(super) const DISTANCE: [((u64, u64), u32); 6] =
    [((1, 20), 1), ((20, 200), 7), ((200, 600), 22), ((600, 1_200), 40), ((1_200, 3_000), 22), ((3_000, 8_000), 8)];

/// What an account with isolated positions keeps beside their margins: up to so many percent of them.
pub(crate) const FREE_PERCENT: u64 = 100;

/// What the insurance fund has at the start, in parts per million of the open interest that settles in its asset, at the first
/// marks: 0.9 %.
pub const FUND_PPM: u64 = 9_000;

/// The tables in words, one thing a line.
#[must_use]
pub fn describe() -> String {
    let mut text = String::new();
    let list = |pairs: &mut dyn Iterator<Item = (String, u32)>| {
        let pairs: Vec<(String, u32)> = pairs.collect();
        let total: u64 = pairs.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let share = |weight: u32| {
            let hundredths = u64::from(weight) * 10_000 / total.max(1);
            format!("{}.{:02}%", hundredths / 100, hundredths % 100)
        };
        pairs.into_iter().map(|(value, weight)| format!("{value} ({})", share(weight))).collect::<Vec<_>>().join(", ")
    };
    let positions = list(&mut POSITIONS.iter().map(|(count, weight)| (count.to_string(), *weight)));
    let leverage = list(&mut LEVERAGE.iter().map(|(leverage, weight)| (format!("{leverage}x"), *weight)));
    let notional = list(&mut NOTIONAL.iter().map(|(class, weight)| ((NOTIONAL_FROM << class).to_string(), *weight)));
    let distance = list(&mut DISTANCE.iter().map(|((from, to), weight)| (format!("{from}-{to}"), *weight)));
    let lines = [
        "accounts    1 to N; each draws from a stream of its own (SplitMix64 of seed and account)".to_owned(),
        format!("margin      {CROSS_PERCENT}% cross, the others isolated in every position"),
        format!("positions   {positions}; at most one an instrument, instruments drawn evenly"),
        format!("leverage    {leverage}; per account, at most the maximum of the position's tier"),
        format!("notional    {NOTIONAL_FROM} to {NOTIONAL_TO} USDT, even within classes that double, from: {notional}"),
        format!("side        even, but {MEETING_PERCENT}% against whoever lacks a counterparty; every fill has one"),
        format!(
            "entry       even within {}% of the starting price, at most {} / leverage of either side",
            AGE_PPB / 10_000_000,
            "50%"
        ),
        format!("distance    to liquidation, in 0.1% of (initial - maintenance margin): {distance}"),
        format!("balance     of isolated accounts, beside the margins: up to {FREE_PERCENT}% of them"),
        format!(
            "fund        {}.{}% of the open interest at the first marks; one for each asset that contracts settle in",
            FUND_PPM / 10_000,
            FUND_PPM / 1_000 % 10
        ),
        "hedge       with --hedge P: P% of the accounts, three of four positions with a leg of 10-100% beside them".to_owned(),
        "inverse     with --inverse P: the first P% of the symbols by name, rounded up; contracts of 100 USD of BTC, 10 USD"
            .to_owned(),
        "            of others; notional in USD; distance, balance and fund in the coin, drawn for each asset by itself"
            .to_owned(),
    ];
    for line in lines {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
    }
    text
}
