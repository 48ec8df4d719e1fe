//! How near to breach the pools were before and after.

use super::ReportError;
use super::chart::{WIDTH, canvas, legend, text};
use super::numbers::short;
use super::palette::{GRID, INK, ORANGE, QUIET, TEAL};
use crate::replay::course::{Course, Ratios, TENTHS};
use crate::replay::figures::grouped;
use maud::{Markup, html};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const HEIGHT: u32 = 330;

/// Ranges: the tenths, in breach, without equity.
const RANGES: usize = TENTHS + 2;

pub(super) fn section(course: &Course) -> Result<Markup, ReportError> {
    let [before, after] = course.ratios;
    Ok(html! {
        p {
            "How many pools with a position lie in which range of the margin ratio, maintenance margin by equity, before the first "
            "tick and after the last; at 100 % a pool is liquidated."
        }
        figure {
            (legend(&[(TEAL, "before the first tick"), (ORANGE, "after the last")]))
            (drawing([before, after])?)
            figcaption { "The scale of pools is logarithmic; the table has the numbers." }
        }
        div.scroll { table id="ratios-table" {
            thead { tr { th.text { "margin ratio" } th { "pools before" } th { "pools after" } } }
            tbody {
                @for range in 0..RANGES { tr {
                    td.text { (name(range)) }
                    td { (grouped(count(&before, range))) }
                    td { (grouped(count(&after, range))) }
                } }
                tr.sum {
                    td.text { "all" }
                    td { (grouped(before.pools())) }
                    td { (grouped(after.pools())) }
                }
                tr {
                    td.text { "of these in liquidation" }
                    td { (grouped(before.locked)) }
                    td { (grouped(after.locked)) }
                }
            }
        } }
    })
}

fn count(ratios: &Ratios, range: usize) -> u64 {
    match range {
        TENTHS => ratios.breach,
        range if range > TENTHS => ratios.no_equity,
        range => ratios.tenths[range],
    }
}

fn name(range: usize) -> String {
    match range {
        TENTHS => "100 % and more".to_owned(),
        range if range > TENTHS => "equity ≤ 0".to_owned(),
        range => format!("{}–{} %", range * 10, range * 10 + 10),
    }
}

fn drawing(both: [Ratios; 2]) -> Result<Markup, ReportError> {
    let most = both.iter().flat_map(|ratios| (0..RANGES).map(|range| count(ratios, range))).max().unwrap_or(0);
    let decades = (most.max(1) as f64).log10().ceil().max(1.0);
    canvas(HEIGHT, "Pools by margin ratio, before and after", |area| {
        area.draw(&Text::new("pools", (6, 7), text(INK)))?;
        // Heights are decades from a half of a pool on, so that a single pool has a bar that is seen.
        let floor = 0.5f64.log10();
        let mut chart = ChartBuilder::on(area)
            .margin_top(36)
            .margin_right(8)
            .set_label_area_size(LabelAreaPosition::Left, 76)
            .set_label_area_size(LabelAreaPosition::Bottom, 30)
            .build_cartesian_2d(0.0..RANGES as f64, floor..decades)?;
        chart.configure_mesh().disable_mesh().disable_axes().draw()?;
        let plane = chart.plotting_area();
        for decade in 0..=decades as i32 {
            let at = f64::from(decade);
            let rule = PathElement::new([(0.0, at), (RANGES as f64, at)], GRID.light);
            plane.draw(&rule)?;
            let (_, y) = plane.map_coordinate(&(0.0, at));
            let beside = text(INK).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(short(10f64.powi(decade)), (68, y), beside))?;
        }
        for range in 0..RANGES {
            for (side, (ratios, paint)) in both.iter().zip([TEAL, ORANGE]).enumerate() {
                let count = count(ratios, range);
                if count > 0 {
                    let left = range as f64 + 0.12 + side as f64 * 0.38;
                    let bar =
                        Rectangle::new([(left, floor), (left + 0.38, (count as f64).log10())], paint.light.filled());
                    plane.draw(&bar)?;
                }
            }
            let (x, y) = plane.map_coordinate(&(range as f64 + 0.5, floor));
            let centred = text(INK).pos(Pos::new(HPos::Center, VPos::Top));
            let short = match range {
                TENTHS => "≥ 100 %".to_owned(),
                range => name(range),
            };
            area.draw(&Text::new(short, (x, y + 8), centred))?;
        }
        let (_, y) = plane.map_coordinate(&(0.0, floor));
        area.draw(&PathElement::new([(76, y), (WIDTH as i32 - 8, y)], QUIET.light))?;
        Ok(())
    })
}
