//! How long things took: percentiles, as the summary prints them, and the whole distribution.

use super::ReportError;
use super::chart::{canvas, legend, text};
use super::numbers::duration;
use super::palette::{BLUE, GRID, INK, ORANGE, PURPLE, Paint, QUIET, TEAL};
use crate::replay::QUANTILES;
use crate::replay::figures::grouped;
use crate::replay::outcome::Outcome;
use hdrhistogram::Histogram;
use maud::{Markup, html};
use plotters::prelude::*;

const HEIGHT: u32 = 320;

/// Points for each further nine.
const POINTS: u32 = 12;

/// A stage: its name, what it is, its times.
type Stage<'o> = (&'static str, &'static str, &'o Histogram<u64>);

const PAINTS: [Paint; 4] = [TEAL, ORANGE, BLUE, PURPLE];

pub(super) fn section(outcome: &Outcome) -> Result<Markup, ReportError> {
    let [book, trigger, settle, tick] = outcome.latency.stages();
    let meanings = [
        (tick, "all of the kernel's work for one row of market data"),
        (trigger, "a mark is taken: compared with the edges, breaches found and locked, first orders made"),
        (settle, "what follows: further steps, the funds, deleveraging"),
        (book, "new depth of the simulated venue"),
    ];
    let work: Vec<Stage<'_>> = meanings.into_iter().map(|((name, times), meaning)| (name, meaning, times)).collect();
    let (rate, clock_ns) = (outcome.ticks_per_second() as u64, outcome.latency.clock_ns);
    Ok(html! {
        p {
            "The kernel's own work, without reading, encoding and audits: " strong { (grouped(rate)) " ticks per second" }
            ", " (outcome.latency.total_ns / 1_000_000) " ms for " (grouped(outcome.input.ticks)) " ticks"
            @if outcome.threads.is_some() { ", measured while the record of the threads was gone through inline" }
            ". A reading of the clock, " (clock_ns) " ns, is in every figure."
        }
        (stages("work", "Nanoseconds of work by stage", &work)?)
        @if let Some(threads) = &outcome.threads {
            h3 { "Through the threads" }
            p {
                "From the publication of a tick into the ring until its worker had decided on a first liquidation order, and until the "
                "publishing thread received that order; at full speed the ring is full, and these tell how long the ticks before it take."
            }
            (stages("order", "Nanoseconds from tick to order", &[
                ("decided", "published → first order decided by the worker", &threads.decided),
                ("order out", "published → order received by the publishing thread", &threads.order_out),
            ])?)
        }
    })
}

fn stages(id: &str, words: &str, stages: &[Stage<'_>]) -> Result<Markup, ReportError> {
    let stages: Vec<&Stage<'_>> = stages.iter().filter(|(.., times)| !times.is_empty()).collect();
    if stages.is_empty() {
        return Ok(html! { p { "Nothing was measured." } });
    }
    let entries: Vec<(Paint, &str)> = stages.iter().zip(PAINTS).map(|((name, ..), paint)| (paint, *name)).collect();
    Ok(html! {
        div.scroll { table id={ "latency-" (id) } {
            thead { tr {
                th.text { "stage" } th { "times" } @for (name, _) in QUANTILES { th { (name) ", ns" } } th.text { "what it is" }
            } }
            tbody { @for (name, meaning, times) in &stages { tr {
                td.text { (name) }
                td { (grouped(times.len())) }
                @for (_, quantile) in QUANTILES { td { (grouped(times.value_at_quantile(quantile))) } }
                td.text.wide { (meaning) }
            } } }
        } }
        figure {
            (legend(&entries))
            (drawing(words, &stages)?)
            figcaption { "So much of all times lies below the line; both scales are logarithmic." }
        }
    })
}

/// The time below which all but a tenth, a hundredth, and so on, lie.
fn drawing(words: &str, stages: &[&Stage<'_>]) -> Result<Markup, ReportError> {
    let most = stages.iter().map(|(.., times)| times.len()).max().unwrap_or(1);
    let nines = (most as f64).log10().clamp(1.0, 9.0);
    let top = stages.iter().map(|(.., times)| times.max()).max().unwrap_or(1).max(10);
    let bottom = stages.iter().map(|(.., times)| times.min()).min().unwrap_or(1).max(1);
    let (low, high) = ((bottom as f64).log10().floor(), (top as f64).log10().ceil());
    canvas(HEIGHT, words, |area| {
        area.draw(&Text::new("time", (6, 7), text(INK)))?;
        let mut chart = ChartBuilder::on(area)
            .margin_top(34)
            .margin_right(34)
            .set_label_area_size(LabelAreaPosition::Left, 76)
            .set_label_area_size(LabelAreaPosition::Bottom, 30)
            .build_cartesian_2d(0.0..nines, low..high.max(low + 1.0))?;
        chart
            .configure_mesh()
            .x_labels(nines.ceil() as usize + 1)
            .x_label_formatter(&|nines| if nines.fract() == 0.0 { percentile(*nines) } else { String::new() })
            .y_labels((high - low) as usize + 1)
            .y_label_formatter(&|decade| {
                if decade.fract() == 0.0 { duration(10f64.powf(*decade)) } else { String::new() }
            })
            .label_style(text(INK))
            .axis_style(QUIET.light)
            .bold_line_style(GRID.light)
            .light_line_style(TRANSPARENT)
            .draw()?;
        for ((.., times), paint) in stages.iter().zip(PAINTS) {
            let own = (times.len() as f64).log10().min(nines);
            let points =
                (0..).map(|point| f64::from(point) / f64::from(POINTS)).take_while(|&at| at < own).chain([own]);
            let point = |at: f64| (at, (times.value_at_quantile(1.0 - 10f64.powf(-at)).max(1) as f64).log10());
            chart.draw_series(LineSeries::new(points.map(point), paint.light.stroke_width(2)))?;
        }
        Ok(())
    })
}

/// The percentile that leaves a tenth to that power: 0, 90, 99, 99.9.
fn percentile(nines: f64) -> String {
    match nines as usize {
        0 => "p0".to_owned(),
        1 => "p90".to_owned(),
        2 => "p99".to_owned(),
        nines => format!("p99.{}", "9".repeat(nines - 2)),
    }
}
