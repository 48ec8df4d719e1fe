//! The steps of the terrace: how many of each kind, and when.

use super::ReportError;
use super::chart::{Frame, bars, canvas, panel};
use super::numbers::{duration, short};
use super::palette::{ORANGE, PURPLE, Paint, TEAL};
use super::time_axis::TimeAxis;
use crate::market::AssetId;
use crate::replay::course::{Course, KINDS, Kind};
use crate::replay::figures::grouped;
use crate::replay::outcome::Outcome;
use crate::replay::tally::{Money, Tally};
use maud::{Markup, html};

/// The height of a kind's panel, in pixels, and what the lowest one has more, for the times.
const PANEL_HEIGHT: u32 = 92;
const TIMES_HEIGHT: u32 = 26;

/// How many of a kind there were, and their notional in an asset, in quanta.
pub(super) fn total(tally: &Tally, kind: Kind) -> (u64, fn(&Money) -> i128) {
    match kind {
        Kind::Tier => (tally.tier, |money| money.tier),
        Kind::Fraction => (tally.fraction, |money| money.fraction),
        Kind::All => (tally.all, |money| money.all),
        Kind::Takeover => (tally.takeovers, |money| money.taken_over),
        Kind::Adl => (tally.adl, |money| money.deleveraged - money.deleveraged_inventory),
        Kind::AdlInventory => (tally.adl_inventory, |money| money.deleveraged_inventory),
        Kind::Unwind => (tally.unwinds, |money| money.unwound),
        Kind::Deficit => (tally.deficits, |money| money.deficits),
    }
}

pub(super) fn section(outcome: &Outcome, course: &Course, axis: TimeAxis) -> Result<Markup, ReportError> {
    let happened: Vec<(Kind, &str)> =
        KINDS.into_iter().filter(|(kind, _)| total(&outcome.tally, *kind).0 > 0).collect();
    Ok(html! {
        p {
            "How each pool in breach went down the terrace: its orders at the venue, then the fund, then the other side "
            "(ADL); each kind has a scale of its own."
        }
        (table(outcome))
        @if happened.is_empty() {
            p { "Nothing of the kind happened." }
        } @else {
            figure {
                (drawing(outcome, course, axis, &happened)?)
                figcaption {
                    "Bars count the steps in every " (duration(course.steps.width_ns() as f64)) "; kinds that did not occur have no panel."
                }
            }
        }
    })
}

fn drawing(
    outcome: &Outcome,
    course: &Course,
    axis: TimeAxis,
    happened: &[(Kind, &str)],
) -> Result<Markup, ReportError> {
    let every = duration(course.steps.width_ns() as f64);
    let height = PANEL_HEIGHT * happened.len() as u32 + TIMES_HEIGHT;
    canvas(height, "Steps of liquidation over time, a panel for each kind", |area| {
        let mut rest = area.clone();
        for (index, (kind, name)) in happened.iter().enumerate() {
            let last = index + 1 == happened.len();
            let (own, below) = rest.split_vertically(PANEL_HEIGHT + if last { TIMES_HEIGHT } else { 0 });
            rest = below;
            let at = *kind as usize;
            let most = course.steps.iter().map(|(_, counts)| counts[at]).max().unwrap_or(0);
            let count = grouped(total(&outcome.tally, *kind).0);
            let title = format!("{name}: {count} in all, at most {} within {every}", grouped(most));
            let label = |height: &f64| if height.fract() == 0.0 { short(*height) } else { String::new() };
            let heights = 0.0..(most.max(1) as f64 * 1.06);
            let mut panel = panel(&own, axis, &Frame { title: &title, heights, label: &label, times: last, rows: 3 })?;
            let counts = course.steps.iter().map(|(from, counts)| (from, 0.0, counts[at] as f64));
            bars(&mut panel, counts, (course.steps.width_ns(), paint(*kind)))?;
        }
        Ok(())
    })
}

/// By who bears it: the pool's own margin, the fund, the other side.
fn paint(kind: Kind) -> Paint {
    match kind {
        Kind::Tier | Kind::Fraction | Kind::All => ORANGE,
        Kind::Takeover | Kind::Unwind | Kind::Deficit => TEAL,
        Kind::Adl | Kind::AdlInventory => PURPLE,
    }
}

/// Counts and notionals, as the summary has them.
fn table(outcome: &Outcome) -> Markup {
    let tally = &outcome.tally;
    let assets: Vec<AssetId> = outcome.assets().collect();
    html! {
        p {
            strong id="started" { (grouped(tally.started)) } " pools were liquidated: "
            strong id="cured" { (grouped(tally.cured)) } " came out of breach, "
            strong id="closed" { (grouped(tally.closed)) } " ended with nothing left."
        }
        div.scroll { table id="steps-table" {
            thead { tr {
                th.text { "step" } th { "count" }
                @for asset in &assets { th { "notional, " (outcome.market.asset(*asset).name) } }
            } }
            tbody {
                @for (kind, name) in KINDS {
                    @let (count, part) = total(tally, kind);
                    tr data-kind=(format!("{kind:?}")) {
                        td.text { i data-paint=(super::palette::hex(paint(kind).light)) {} (name) }
                        td { (grouped(count)) }
                        @for asset in &assets { td { (outcome.shown(*asset, part(&tally.money[asset.index()]))) } }
                    }
                }
                tr {
                    td.text { "liquidation fees to the fund" } td {}
                    @for asset in &assets { td { (outcome.shown(*asset, tally.money[asset.index()].fees)) } }
                }
            }
        } }
        p.note {
            "Notionals are at the price of the fill, those of takeovers at the mark; colours say who bears a step: the pool's own margin, the fund, the other side."
        }
    }
}
