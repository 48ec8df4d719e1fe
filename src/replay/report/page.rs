//! The page as a whole: head, contents, and the sections in order.

use super::time_axis::{TimeAxis, utc};
use super::{ReportError, about, deleveraging, funds, latency, numbers, palette, prices, ratios, steps};
use crate::replay::course::Course;
use crate::replay::figures::{Seconds, grouped};
use crate::replay::outcome::Outcome;
use maud::{Markup, html};

const STYLE: &str = include_str!("style.css");

/// A section: its name in links, its title, what is in it.
type Section = (&'static str, &'static str, Markup);

/// The page, which is well-formed XML too.
pub(super) fn page(outcome: &Outcome, course: &Course, command: &str) -> Result<String, ReportError> {
    let input = &outcome.input;
    let axis = TimeAxis::new(input.first_ns, input.last_ns);
    let sections: [Section; 9] = [
        ("input", "What went in", about::input(outcome)),
        ("prices", "Prices and liquidations", prices::section(outcome, course, axis)?),
        ("steps", "Steps of liquidation", steps::section(outcome, course, axis)?),
        ("funds", "Insurance fund", funds::section(outcome, course, axis)?),
        ("adl", "Auto-deleveraging", deleveraging::section(outcome, course, axis)?),
        ("ratios", "Margin ratios before and after", ratios::section(course)?),
        ("latency", "Latency", latency::section(outcome)?),
        ("refused", "What was refused", about::refused(outcome)),
        ("repeat", "How to have it again", about::repeat(outcome, command)),
    ];
    let [light, dark] = palette::rules();
    let style = format!("{STYLE}{light}@media screen and (prefers-color-scheme:dark){{{dark}}}");
    let (from, to) = (utc(input.first_ns, "%Y-%m-%d %H:%M:%S"), utc(input.last_ns, "%Y-%m-%d %H:%M:%S"));
    let body = html! {
        header {
            h1 { "Terrace: a replay" }
            p { (outcome.data_words()) }
            p.note { (grouped(input.ticks)) " ticks in " (Seconds(input.last_ns.saturating_sub(input.first_ns))) ", " (from) " to " (to) " UTC" }
        }
        main {
            section id="glance" {
                h2 { "At a glance" }
                (tiles(outcome))
                (about::checks(outcome))
            }
            nav aria-label="Contents" {
                h2 { "Contents" }
                ol { @for (name, title, _) in &sections { li { a href={ "#" (name) } { (title) } } } }
            }
            @for (name, title, content) in &sections {
                section id=(name) { h2 { (title) } (content) }
            }
        }
        footer { p.note { "Times are those of the market data, UTC. Amounts are rounded toward zero to the digits shown." } }
    };
    // The void elements are closed as XML has it, which HTML allows; the templates leave them open.
    let head = "<meta charset=\"utf-8\"/><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\
                <meta name=\"color-scheme\" content=\"light dark\"/><title>Terrace: a replay</title>";
    let body = body.into_string().replace("<br>", "<br/>");
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head>{head}<style>{style}</style></head>\n<body>{body}</body></html>\n"
    ))
}

/// The figures that are asked for first.
fn tiles(outcome: &Outcome) -> Markup {
    let (tally, tick) = (&outcome.tally, &outcome.latency.tick);
    let tile = |value: String, name: Markup| html! { div { strong { (value) } span { (name) } } };
    let [p50, p99, most] = [0.5, 0.99, 1.0].map(|quantile| numbers::duration(tick.value_at_quantile(quantile) as f64));
    html! {
        div.tiles {
            (tile(grouped(outcome.population.accounts), html! { "accounts" }))
            (tile(grouped(tally.started), html! { "pools liquidated" }))
            (tile(grouped(tally.takeovers), html! { "takeovers by the fund" }))
            (tile(grouped(tally.adl + tally.adl_inventory), html! { "ADL trades" }))
            @for (track, spec) in outcome.funds.iter().zip(&outcome.market.funds).take(3) {
                (tile(outcome.shown(spec.asset, track.lowest.equity), html! {
                    (outcome.market.asset(spec.asset).name) ", lowest equity of the fund " (track.name)
                }))
            }
            (tile(grouped(outcome.ticks_per_second() as u64), html! { "ticks per second of the kernel" }))
            (tile(p50, html! { "of work for a tick in the median; p99 " (p99) ", at most " (most) }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_holds_nothing_that_ends_it_or_comes_from_elsewhere() {
        assert!(!STYLE.contains(['<', '&']) && !STYLE.contains("url(") && !STYLE.contains("@import"));
        let nothing = html! { "<&>" };
        assert_eq!(nothing.into_string(), "&lt;&amp;&gt;");
    }
}
