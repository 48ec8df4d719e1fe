//! Prices, with liquidations marked beside them.

use super::chart::{self, Frame, airy, bars, canvas, legend, line, panel};
use super::numbers::{drawn, price, short};
use super::palette::{BLUE, ORANGE, Paint, QUIET, TEAL};
use super::time_axis::TimeAxis;
use super::{ReportError, numbers};
use crate::event::Step;
use crate::market::InstrumentId;
use crate::replay::course::{Course, InstrumentCourse, Marked};
use crate::replay::figures::grouped;
use crate::replay::outcome::Outcome;
use maud::{Markup, html};
use plotters::prelude::*;

/// How many instruments have a chart of their own: those with the most liquidations.
const CHARTS: usize = 12;

/// How many of the largest steps are told under a chart.
const ROWS: usize = 5;

/// The heights of the two panels, in pixels.
const PRICE_HEIGHT: u32 = 270;
const COUNT_HEIGHT: u32 = 130;

/// Half the width of a mark, in pixels.
const MARK_SIZE: i32 = 6;

/// The instruments that have charts, those with the most liquidations first.
pub(super) fn charted(outcome: &Outcome, course: &Course) -> Vec<usize> {
    let mut order: Vec<usize> = (0..course.instruments.len()).collect();
    order.sort_by_key(|&at| {
        let ticks = outcome.input.symbols.get(at).map_or(0, |symbol| symbol.ticks);
        std::cmp::Reverse((course.instruments[at].largest.count, ticks))
    });
    order.truncate(CHARTS);
    order
}

pub(super) fn section(outcome: &Outcome, course: &Course, axis: TimeAxis) -> Result<Markup, ReportError> {
    let charted = charted(outcome, course);
    let mut charts = Vec::new();
    for &at in &charted {
        charts.push(instrument(outcome, &course.instruments[at], at, axis)?);
    }
    let others = course.instruments.len() - charted.len();
    let steps: u64 = course.instruments.iter().map(|course| course.largest.count).sum();
    let shown: u64 = charted.iter().map(|&at| course.instruments[at].largest.count).sum();
    Ok(html! {
        p {
            "The mark of each instrument as it was in force, through the lowest and highest value of every moment, and "
            "under it how many positions of accounts an order or a takeover reduced."
        }
        @if others > 0 {
            p.note {
                "Shown are the " (charted.len()) " instruments with the most liquidations; " (others)
                " others had " (grouped(steps - shown)) " steps together."
            }
        }
        @for chart in &charts { (chart) }
    })
}

fn instrument(outcome: &Outcome, course: &InstrumentCourse, at: usize, axis: TimeAxis) -> Result<Markup, ReportError> {
    let symbol = &outcome.market.instruments[at].spec.symbol;
    let largest = course.largest.sorted();
    let shocked = outcome.settings.shocks.iter().any(|shock| shock.symbol == *symbol);
    let words = format!("Mark of {symbol} over time, with {} steps of liquidation", grouped(course.largest.count));
    let drawing = canvas(PRICE_HEIGHT + COUNT_HEIGHT, &words, |area| {
        let (above, below) = area.split_vertically(PRICE_HEIGHT);
        prices(outcome, course, (at, shocked), &largest, (&above, axis))?;
        counts(course, (&below, axis))
    })?;
    let unmarked = course.largest.count - largest.len() as u64;
    let mut entries = vec![(TEAL, "mark in force")];
    if shocked {
        entries.push((QUIET, "as recorded, without the shock"));
    }
    entries.push((ORANGE, "▼ long position reduced or taken over"));
    entries.push((BLUE, "▲ short position reduced or taken over"));
    Ok(html! {
        figure {
            h3 { (symbol) }
            (legend(&entries))
            (drawing)
            figcaption {
                @if course.largest.count == 0 {
                    "No position in " (symbol) " was liquidated."
                } @else if unmarked == 0 {
                    "All " (grouped(course.largest.count)) " steps are marked."
                } @else {
                    "Marked are the " (largest.len()) " largest by notional; " (grouped(unmarked))
                    " more were smaller. The bars count all."
                }
            }
        }
        @if !largest.is_empty() { (table(outcome, at, axis, &largest)) }
    })
}

fn prices(
    outcome: &Outcome,
    course: &InstrumentCourse,
    (at, shocked): (usize, bool),
    largest: &[Marked],
    (area, axis): (&chart::Area<'_>, TimeAxis),
) -> Result<(), ReportError> {
    let value = |ticks| drawn(&outcome.market, at, ticks);
    let series = |real: bool| if real { &course.real } else { &course.marks };
    let shown: &[bool] = if shocked { &[true, false] } else { &[false] };
    let bounds = shown.iter().flat_map(|&real| series(real).iter()).filter_map(|(_, bucket)| bucket.0);
    let (low, high) = bounds
        .fold((f64::MAX, f64::MIN), |(low, high), [_, least, most, _]| (low.min(value(least)), high.max(value(most))));
    let heights = if low > high { 0.0..1.0 } else { airy(low, high) };
    let span = heights.end - heights.start;
    let spec = &outcome.market.instruments[at].spec;
    let unit = if spec.unit.is_inverse() { "the quote currency" } else { &outcome.market.asset(spec.settle).name };
    let title = format!("price of {} in {unit}", spec.symbol);
    let label = |height: &f64| price(*height, span);
    let mut panel = panel(area, axis, &Frame { title: &title, heights, label: &label, times: false, rows: 6 })?;
    for &real in shown {
        let (paint, stroke) = if real { (QUIET, 1) } else { (TEAL, 2) };
        line(&mut panel, series(real).iter(), value, (series(real).width_ns(), paint, stroke))?;
    }
    // The smallest first, so that the larger ones lie on top.
    for marked in largest.iter().rev() {
        let tip = (marked.elapsed_ns.min(axis.length_ns()), value(marked.mark));
        let (paint, down): (Paint, i32) = if marked.long { (ORANGE, 1) } else { (BLUE, -1) };
        // A triangle whose tip is at the price: from above onto a long, from below onto a short.
        let corners = vec![(0, 0), (-MARK_SIZE, -down * 2 * MARK_SIZE), (MARK_SIZE, -down * 2 * MARK_SIZE)];
        let mark = EmptyElement::at(tip) + Polygon::new(corners, paint.light.mix(0.75).filled());
        panel.draw_series(std::iter::once(mark))?;
    }
    Ok(())
}

fn counts(course: &InstrumentCourse, (area, axis): (&chart::Area<'_>, TimeAxis)) -> Result<(), ReportError> {
    let width_ns = course.liquidated.width_ns();
    let most = course.liquidated.iter().map(|(_, [long, short])| long + short).max().unwrap_or(0);
    let title = format!("orders and takeovers in every {}", numbers::duration(width_ns as f64));
    let label = |height: &f64| if height.fract() == 0.0 { short(*height) } else { String::new() };
    let heights = 0.0..(most.max(1) as f64 * 1.06);
    let mut panel = panel(area, axis, &Frame { title: &title, heights, label: &label, times: true, rows: 4 })?;
    let long = course.liquidated.iter().map(|(from, &[long, _])| (from, 0.0, long as f64));
    bars(&mut panel, long, (width_ns, ORANGE))?;
    let short = course.liquidated.iter().map(|(from, &[long, short])| (from, long as f64, (long + short) as f64));
    bars(&mut panel, short, (width_ns, BLUE))
}

/// The largest steps, exactly.
fn table(outcome: &Outcome, at: usize, axis: TimeAxis, largest: &[Marked]) -> Markup {
    let spec = &outcome.market.instruments[at].spec;
    let id = InstrumentId(at as u32);
    let asset = &outcome.market.asset(spec.settle).name;
    html! {
        div.scroll { table {
            caption { "The largest of " (spec.symbol) }
            thead { tr {
                th.text { "time, UTC" } th { "account" } th.text { "position" } th.text { "step" } th { "size, lots" } th { "mark" }
                th { "notional, " (asset) }
            } }
            tbody { @for marked in largest.iter().take(ROWS) { tr {
                td.text { (axis.label_exactly(marked.elapsed_ns)) }
                td { (marked.account) }
                td.text { (if marked.long { "long" } else { "short" }) }
                td.text { (word(marked.step)) }
                td { (grouped(marked.quantity.unsigned_abs())) }
                td { (outcome.price(id, marked.mark)) }
                td { (outcome.shown(spec.settle, marked.notional)) }
            } } }
        } }
        p.note { "A lot of " (spec.symbol) " is " (spec.lot.step()) " contracts; notionals are at the mark." }
    }
}

fn word(step: Option<Step>) -> &'static str {
    match step {
        Some(Step::Tier) => "order to the tier below",
        Some(Step::Fraction) => "order for a part",
        Some(Step::All) => "order for the rest",
        Some(Step::Unwind) => "unwinding",
        None => "takeover by the fund",
    }
}
