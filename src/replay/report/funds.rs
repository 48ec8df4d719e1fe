//! The insurance funds: balance and equity over time.

use super::ReportError;
use super::chart::{Frame, airy, canvas, legend, line, panel};
use super::numbers::short;
use super::palette::{ORANGE, QUIET, TEAL};
use super::time_axis::TimeAxis;
use crate::market::AssetId;
use crate::replay::FundTrack;
use crate::replay::course::{Course, FundCourse};
use crate::replay::outcome::Outcome;
use maud::{Markup, html};
use plotters::prelude::*;

const HEIGHT: u32 = 290;

pub(super) fn section(outcome: &Outcome, course: &Course, axis: TimeAxis) -> Result<Markup, ReportError> {
    let mut figures = Vec::new();
    for ((track, spec), course) in outcome.funds.iter().zip(&outcome.market.funds).zip(&course.funds) {
        figures.push(fund(outcome, (track, spec.asset), course, axis)?);
    }
    Ok(html! {
        p {
            "What the fund has in cash (balance), and what it would have if its inventory, the positions that it took over, were "
            "closed at the marks (equity): while equity is at the floor it takes nothing more over, and ADL begins."
        }
        @for figure in &figures { (figure) }
    })
}

fn fund(
    outcome: &Outcome,
    (track, asset): (&FundTrack, AssetId),
    course: &FundCourse,
    axis: TimeAxis,
) -> Result<Markup, ReportError> {
    let unit = &outcome.market.asset(asset).name;
    let scale = 10f64.powi(outcome.market.asset(asset).decimals as i32);
    let value = |quanta: i128| quanta as f64 / scale;
    let series = [(&course.balance, ORANGE, 2), (&course.equity, TEAL, 2)];
    let bounds = series.iter().flat_map(|(buckets, ..)| buckets.iter()).filter_map(|(_, bucket)| bucket.0);
    let (low, high) = bounds
        .fold((0.0f64, 0.0f64), |(low, high), [_, least, most, _]| (low.min(value(least)), high.max(value(most))));
    let end = track.points.last().unwrap_or(&track.start);
    let drawing = canvas(HEIGHT, &format!("Balance and equity of the fund {}", track.name), |area| {
        let frame = Frame {
            title: &format!("fund {}, {unit}", track.name),
            heights: airy(low, high),
            label: &|height| short(*height),
            times: true,
            rows: 6,
        };
        let mut panel = panel(area, axis, &frame)?;
        let zero = [(0, 0.0), (axis.length_ns(), 0.0)];
        panel.draw_series(LineSeries::new(zero, QUIET.light.stroke_width(1)))?;
        for (buckets, paint, stroke) in series {
            line(&mut panel, buckets.iter(), value, (buckets.width_ns(), paint, stroke))?;
        }
        Ok(())
    })?;
    Ok(html! {
        figure {
            (legend(&[(ORANGE, "balance: cash"), (TEAL, "equity: cash and the unrealised result of the inventory"), (QUIET, "zero")]))
            (drawing)
        }
        div.scroll { table {
            caption { "Fund " (track.name) ", " (unit) }
            thead { tr { th.text { "moment" } th.text { "time, UTC" } th { "balance" } th { "equity" } th { "inventory" } } }
            tbody { @for (name, point) in [("start", &track.start), ("lowest equity", &track.lowest), ("end", end)] { tr {
                td.text { (name) }
                td.text { (axis.label_exactly(point.elapsed_ns)) }
                td { (outcome.shown(asset, point.balance)) }
                td { (outcome.shown(asset, point.equity)) }
                td { (outcome.shown(asset, point.inventory)) }
            } } }
        } }
    })
}
