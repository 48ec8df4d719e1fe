//! Drawing: a canvas, panels over time on it, and what is drawn in them. No fonts are read: the browser has its own.

use super::ReportError;
use super::palette::{GRID, INK, Paint, QUIET, hex};
use super::time_axis::{TimeAxis, marks};
use crate::replay::course::Extremes;
use maud::{Markup, PreEscaped, html};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::ops::Range;

/// All charts are as wide, in pixels; the page scales them.
pub(super) const WIDTH: u32 = 960;

/// Left of a panel, for the labels.
const LABELS_LEFT: u32 = 76;
/// Right of it, so that the last label of time has room.
const MARGIN_RIGHT: u32 = 22;
/// Above it, for its title.
const TITLE_HEIGHT: u32 = 26;
/// Under the lowest one, for the times.
const LABELS_UNDER: u32 = 30;
/// Pixels, as the backend counts them: it divides by 1.24.
const TEXT_SIZE: u32 = 16;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Panel<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<TimeAxis, RangedCoordf64>>;

/// Something went wrong while drawing.
impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for ReportError {
    fn from(error: DrawingAreaErrorKind<E>) -> Self {
        Self::Chart(error.to_string())
    }
}

/// A drawing that is so high, with what it shows in words.
pub(super) fn canvas(
    height: u32,
    words: &str,
    draw: impl FnOnce(&Area<'_>) -> Result<(), ReportError>,
) -> Result<Markup, ReportError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        draw(&area)?;
        area.present()?;
    }
    // Elements stand alone here, without the text that they would have between them.
    Ok(html! { div.chart role="img" aria-label=(words) { (PreEscaped(svg)) } })
}

/// A text of the charts.
pub(super) fn text(paint: Paint) -> TextStyle<'static> {
    ("sans-serif", TEXT_SIZE).into_font().color(&paint.light)
}

/// What a panel is called, how its heights are labelled, and whether the times stand under it.
pub(super) struct Frame<'f> {
    pub(super) title: &'f str,
    pub(super) heights: Range<f64>,
    pub(super) label: &'f dyn Fn(&f64) -> String,
    pub(super) times: bool,
    /// About how many labels of height.
    pub(super) rows: usize,
}

/// A panel over time.
pub(super) fn panel<'a>(area: &Area<'a>, axis: TimeAxis, frame: &Frame<'_>) -> Result<Panel<'a>, ReportError> {
    area.draw(&Text::new(frame.title.to_owned(), (6, 7), text(INK)))?;
    let mut chart = ChartBuilder::on(area)
        .margin_top(TITLE_HEIGHT)
        .margin_right(MARGIN_RIGHT)
        .set_label_area_size(LabelAreaPosition::Left, LABELS_LEFT)
        .set_label_area_size(LabelAreaPosition::Bottom, if frame.times { LABELS_UNDER } else { 6 })
        .build_cartesian_2d(axis, frame.heights.clone())?;
    chart
        .configure_mesh()
        .x_labels(marks(WIDTH - LABELS_LEFT))
        .x_label_formatter(&|at| if frame.times { axis.label(*at) } else { String::new() })
        .y_labels(frame.rows)
        .y_label_formatter(&|value| (frame.label)(value))
        .label_style(text(INK))
        .axis_style(QUIET.light)
        .bold_line_style(GRID.light)
        .light_line_style(TRANSPARENT)
        .draw()?;
    Ok(chart)
}

/// A line through the first, lowest, highest and last of every bucket.
pub(super) fn line<'a, V: Copy + 'a>(
    panel: &mut Panel<'_>,
    buckets: impl Iterator<Item = (u64, &'a Extremes<V>)>,
    value: impl Fn(V) -> f64,
    (width_ns, paint, stroke): (u64, Paint, u32),
) -> Result<(), ReportError> {
    let length_ns = panel.plotting_area().as_coord_spec().x_spec().length_ns();
    let mut points = Vec::new();
    for (from_ns, bucket) in buckets {
        let Extremes(Some([first, low, high, last])) = bucket else { continue };
        let middle = (from_ns + width_ns / 2).min(length_ns);
        let end = (from_ns + width_ns).min(length_ns);
        points.extend([(from_ns.min(length_ns), value(*first)), (middle, value(*low)), (middle, value(*high))]);
        points.push((end, value(*last)));
    }
    panel.draw_series(LineSeries::new(points, paint.light.stroke_width(stroke)))?;
    Ok(())
}

/// A bar for every bucket that is not zero, from one height to the other.
pub(super) fn bars(
    panel: &mut Panel<'_>,
    bars: impl Iterator<Item = (u64, f64, f64)>,
    (width_ns, paint): (u64, Paint),
) -> Result<(), ReportError> {
    let length_ns = panel.plotting_area().as_coord_spec().x_spec().length_ns();
    // At least a pixel and a half: a single tick of a long run is seen.
    let seen_ns = width_ns.max(length_ns / (u64::from(WIDTH) * 2 / 3));
    let bar = |(from_ns, low, high): (u64, f64, f64)| {
        let to_ns = (from_ns + seen_ns).min(length_ns);
        Rectangle::new([(from_ns.min(to_ns), low), (to_ns, high)], paint.light.filled())
    };
    panel.draw_series(bars.filter(|(_, low, high)| high > low).map(bar))?;
    Ok(())
}

/// What the colours mean.
pub(super) fn legend(entries: &[(Paint, &str)]) -> Markup {
    html! {
        p.legend {
            @for (paint, words) in entries {
                span { i data-paint=(hex(paint.light)) {} (words) }
            }
        }
    }
}

/// A range with some air above and below, never empty.
pub(super) fn airy(low: f64, high: f64) -> Range<f64> {
    let air = if high > low { (high - low) * 0.06 } else { low.abs().max(1.0) * 0.01 };
    low - air..high + air
}
