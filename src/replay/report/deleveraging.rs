//! Auto-deleveraging: trades and lots over time, and how much was needed.

use super::ReportError;
use super::chart::{Frame, bars, canvas, panel};
use super::numbers::{duration, short, step};
use super::palette::PURPLE;
use super::time_axis::TimeAxis;
use crate::replay::course::{Course, InstrumentCourse};
use crate::replay::figures::grouped;
use crate::replay::outcome::Outcome;
use maud::{Markup, html};

/// How many instruments have a chart: those with the most trades.
const CHARTS: usize = 6;

const PANEL_HEIGHT: u32 = 130;

pub(super) fn section(outcome: &Outcome, course: &Course, axis: TimeAxis) -> Result<Markup, ReportError> {
    let mut deleveraged: Vec<usize> =
        (0..course.instruments.len()).filter(|&at| course.instruments[at].adl_total.trades > 0).collect();
    if deleveraged.is_empty() {
        return Ok(html! { p { "Nobody was deleveraged." } });
    }
    deleveraged.sort_by_key(|&at| std::cmp::Reverse(course.instruments[at].adl_total.trades));
    let mut figures = Vec::new();
    for &at in deleveraged.iter().take(CHARTS) {
        figures.push(instrument(outcome, &course.instruments[at], at, axis)?);
    }
    Ok(html! {
        p {
            "Where margin and fund were used up, profitable positions of the other side were closed against the bankrupt ones: how "
            "often, and by how much."
        }
        (table(outcome, course, &deleveraged))
        @if deleveraged.len() > CHARTS {
            p.note { "The " (CHARTS) " instruments with the most trades have a chart." }
        }
        @for figure in &figures { (figure) }
    })
}

fn instrument(outcome: &Outcome, course: &InstrumentCourse, at: usize, axis: TimeAxis) -> Result<Markup, ReportError> {
    let spec = &outcome.market.instruments[at].spec;
    let (width_ns, lot) = (course.adl.width_ns(), step(spec.lot));
    let words = format!("Deleveraging in {} over time: trades, and contracts", spec.symbol);
    let every = duration(width_ns as f64);
    let panels: [(String, f64); 2] = [
        (format!("{}: ADL trades in every {every}", spec.symbol), 1.0),
        (format!("{}: contracts closed by them in every {every}", spec.symbol), lot),
    ];
    let drawing = canvas(2 * PANEL_HEIGHT + 26, &words, |area| {
        let (above, below) = area.split_vertically(PANEL_HEIGHT);
        for (index, (area, (title, unit))) in [above, below].into_iter().zip(&panels).enumerate() {
            let value = |counts: &[u64; 2]| counts[index] as f64 * unit;
            let most = course.adl.iter().map(|(_, counts)| value(counts)).fold(0.0, f64::max);
            let label = |height: &f64| short(*height);
            let heights = 0.0..(if most > 0.0 { most * 1.06 } else { 1.0 });
            let frame = Frame { title, heights, label: &label, times: index == 1, rows: 4 };
            let mut panel = panel(&area, axis, &frame)?;
            let counts = course.adl.iter().map(|(from, counts)| (from, 0.0, value(counts)));
            bars(&mut panel, counts, (width_ns, PURPLE))?;
        }
        Ok(())
    })?;
    Ok(html! { figure { (drawing) } })
}

fn table(outcome: &Outcome, course: &Course, deleveraged: &[usize]) -> Markup {
    html! {
        div.scroll { table id="adl-table" {
            thead { tr {
                th.text { "instrument" } th { "deleveragings" } th { "trades" } th { "lots needed" } th { "lots found" }
                th { "largest of one account, lots" } th { "a lot, contracts" }
            } }
            tbody { @for &at in deleveraged {
                @let spec = &outcome.market.instruments[at].spec;
                @let total = &course.instruments[at].adl_total;
                tr {
                    td.text { (spec.symbol) }
                    td { (grouped(total.claims)) }
                    td { (grouped(total.trades)) }
                    td { (lots(total.needed)) }
                    td { (lots(total.reduced)) }
                    td { (lots(total.largest.into())) }
                    td { (spec.lot.step()) }
                }
            } }
        } }
        p.note { "A deleveraging is one bankrupt position, or one inventory of the fund, for which counterparties were looked for; what they could not give the fund took." }
    }
}

fn lots(lots: i128) -> String {
    crate::replay::figures::whole(lots, 0)
}
