//! Numbers at axes: rounded, with units. Tables have them exactly.

use crate::market::Market;
use crate::number::Price;
use crate::replay::figures::grouped_digits;

/// A count or an amount, as short as it can be read: `1.25 M`.
pub(super) fn short(value: f64) -> String {
    let (scale, unit) = match value.abs() {
        size if size >= 1e9 => (1e9, " bn"),
        size if size >= 1e6 => (1e6, " M"),
        size if size >= 1e4 => (1e3, " k"),
        _ => (1.0, ""),
    };
    format!("{}{unit}", trimmed(value / scale, if value.abs() < 1.0 { 6 } else { 2 }))
}

/// With so many decimals, without zeros at their end.
fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" {
        return "0".to_owned();
    }
    // Thousands are told apart as in the tables.
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, part) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    format!("{sign}{}{part}", grouped_digits(whole))
}

/// A price, with as many decimals as a range of that height needs.
pub(super) fn price(value: f64, height: f64) -> String {
    let decimals = if height > 0.0 { (1.0 - (height / 4.0).log10().floor()).clamp(0.0, 12.0) as usize } else { 2 };
    trimmed(value, decimals)
}

/// Nanoseconds in the unit that suits them.
pub(super) fn duration(ns: f64) -> String {
    let (scale, unit) = match ns {
        ns if ns >= 1e9 => (1e9, "s"),
        ns if ns >= 1e6 => (1e6, "ms"),
        ns if ns >= 1e3 => (1e3, "µs"),
        _ => (1.0, "ns"),
    };
    let value = ns / scale;
    format!("{} {unit}", trimmed(value, if value < 10.0 { 2 } else { usize::from(value < 100.0) }))
}

/// A step of a decimal grid, for drawing.
pub(super) fn step(grid: crate::decimal::Grid) -> f64 {
    let step = grid.step();
    step.mantissa() as f64 / 10f64.powi(step.scale() as i32)
}

/// A price of an instrument, for drawing.
pub(super) fn drawn(market: &Market, instrument: usize, ticks: Price) -> f64 {
    ticks as f64 * step(market.instruments[instrument].spec.tick)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_have_units() {
        let shorts = [0.0, 950.0, 12_500.0, 1_250_000.0, -15_120_250.0, 2.5e9, 0.004].map(short);
        assert_eq!(shorts, ["0", "950", "12.5 k", "1.25 M", "-15.12 M", "2.5 bn", "0.004"]);
        let durations = [50.0, 4_312.0, 62_062_591.0, 1.25e9, 257_032_191.0].map(duration);
        assert_eq!(durations, ["50 ns", "4.31 µs", "62.1 ms", "1.25 s", "257 ms"]);
        assert_eq!(
            [price(143.5, 0.23), price(76_785.9, 10_500.0), price(0.000_012_3, 1e-6)],
            ["143.5", "76,786", "0.0000123"]
        );
    }
}
