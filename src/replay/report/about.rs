//! What went in, what was refused, and how to have it again.

use crate::replay::figures::{Seconds, grouped};
use crate::replay::outcome::Outcome;
use crate::replay::settings::{Driver, Population};
use maud::{Markup, html};

/// What the run was made of, and which of it is real.
pub(super) fn input(outcome: &Outcome) -> Markup {
    let (input, population) = (&outcome.input, &outcome.population);
    let made = matches!(outcome.settings.population, Population::Generated { .. });
    html! {
        dl {
            dt { "market data" }
            dd {
                (outcome.data_words()) ": " (grouped(input.ticks)) " ticks in " (Seconds(input.last_ns.saturating_sub(input.first_ns)))
                ", " (grouped(input.quotes)) " quotes, " (grouped(input.trades)) " trades, " (grouped(input.marks)) " marks"
            }
            dt { "shocks" }
            dd {
                @if outcome.settings.shocks.is_empty() { "none: all prices are as recorded" }
                @for shock in &outcome.settings.shocks { (shock) ", laid over the recorded prices" br; }
            }
            dt { "accounts" }
            dd {
                (grouped(population.accounts)) " with " (grouped(population.positions)) " positions in " (grouped(population.pools)) " pools; "
                (grouped(population.positions_left)) " positions at the end"
            }
            dt { "open interest" }
            dd {
                @for (asset, notional) in outcome.assets().zip(&population.open_interest).filter(|(_, notional)| **notional != 0) {
                    (outcome.shown(asset, *notional)) " " (outcome.market.asset(asset).name) " at the first marks" br;
                }
            }
            dt { "in breach at the start" }
            dd { (grouped(population.liquidated_at_start)) " pools, at the first marks" }
        }
        @if made {
            p.note { "The accounts are generated: they say nothing of a real venue's book. " code { "terrace replay --describe-population" } " prints what they are drawn from." }
        }
    }
}

/// Lines and ticks that were passed over, with examples.
pub(super) fn refused(outcome: &Outcome) -> Markup {
    let input = &outcome.input;
    let mut rows: Vec<(u64, String, Vec<String>)> = Vec::new();
    for (reason, tally) in input.skipped.by_reason() {
        rows.push((tally.count, reason.to_string(), tally.examples.iter().map(ToString::to_string).collect()));
    }
    rows.push((input.refused, "ticks refused by the kernel".into(), input.refused_examples.clone()));
    let population = &outcome.population;
    rows.push((
        population.rejected,
        "lines of the accounts file rejected".into(),
        population.rejected_examples.clone(),
    ));
    rows.retain(|(count, ..)| *count > 0);
    html! {
        @if rows.is_empty() {
            p { "Nothing was refused or passed over." }
        } @else {
            p { "What could not be carried out, and was passed over as " code { "--skip-bad" } " asks: it has changed nothing." }
            div.scroll { table id="refused-table" {
                thead { tr { th { "count" } th.text { "why" } th.text { "the first of them" } } }
                tbody { @for (count, why, examples) in &rows { tr {
                    td { (grouped(*count)) }
                    td.text { (why) }
                    td.text.wide { @for example in examples { (example) br; } }
                } } }
            } }
        }
    }
}

/// Books and checks.
pub(super) fn checks(outcome: &Outcome) -> Markup {
    let unequal = outcome.sides.iter().filter(|sides| sides.long != sides.short).count();
    let audit = &outcome.audit;
    html! {
        ul.checks {
            @for (asset, difference) in outcome.assets().zip(&outcome.differences) {
                (check(*difference == 0, &html! {
                    "Books of " (outcome.market.asset(asset).name) ": what there is less what should be is " (outcome.amount(asset, *difference))
                }))
            }
            (check(unequal == 0, &html! { (unequal) " instruments with long and short positions unequal" }))
            (check(audit.misses == 0, &html! {
                (grouped(audit.misses)) " of " (grouped(audit.checks)) " pools that were recomputed in full had been in breach unnoticed"
            }))
            @if let Some(threads) = &outcome.threads {
                (check(threads.hash == outcome.hash, &html! { "The threads' event log equals that of their record, gone through inline" }))
            }
        }
    }
}

fn check(holds: bool, words: &Markup) -> Markup {
    html! { li data-holds=(holds) { strong { (if holds { "holds" } else { "A BUG" }) } " " (words) } }
}

/// Command, settings, hash and versions.
pub(super) fn repeat(outcome: &Outcome, command: &str) -> Markup {
    let settings = &outcome.settings;
    html! {
        p { "What was typed; " (again(outcome)) }
        pre id="command" { (command) }
        dl {
            dt { "event log" }
            dd { "xxh3-128 " code id="hash" { (format!("{:032x}", outcome.hash)) } " of " (grouped(outcome.event_lines)) " lines from " (grouped(outcome.inputs)) " inputs" }
            dt { "data" } dd { (outcome.data_words()) }
            dt { "population" }
            dd { @match &settings.population {
                Population::Generated { accounts, seed, hedge_percent, inverse_percent } => {
                    (grouped(*accounts)) " accounts, seed " (seed) ", " (hedge_percent) " % in hedge mode, " (inverse_percent) " % of the instruments inverse"
                }
                Population::File(path) => { (path.display()) }
            } }
            dt { "venue" } dd { (settings.venue) }
            dt { "marks" } dd { (if settings.computed_marks { "computed" } else { "given" }) }
            dt { "shards, strategy" } dd { (settings.shards) ", " (settings.strategy_word()) ": neither shows in an event" }
            dt { "speed" } dd { (settings.speed) }
            dt { "bad lines" } dd { (if settings.skip_bad { "passed over" } else { "end the run" }) }
            dt { "driver" }
            dd { @match &outcome.threads {
                Some(threads) => { "threads: " (threads.shape) "; " (grouped(threads.places)) " places, " (grouped(threads.decisions)) " decisions" }
                None => { "inline, one thread" }
            } }
            dt { "program" } dd { (program()) }
            dt { "took" }
            dd { (format!("{:.3}", outcome.replaying.as_secs_f64())) " s, after " (format!("{:.3}", outcome.loading.as_secs_f64())) " s to make or read the population" }
        }
    }
}

/// What brings the same hash.
fn again(outcome: &Outcome) -> Markup {
    let settings = &outcome.settings;
    html! { @match (&settings.driver, &settings.journal) {
        (Driver::Inline, _) => "the same version with the same data gives the same hash, on any machine.",
        (Driver::Threaded(_), Some(journal)) => {
            "on threads decisions fall where time lets them fall; the same hash comes from the journal: "
            code { "terrace replay --from-journal " (journal.display()) }
        }
        (Driver::Threaded(_), None) => {
            "on threads decisions fall where time lets them fall, so that each run has a hash of its own; " code { "--driver inline" }
            " gives one that repeats, " code { "--journal DIR" } " records this one."
        }
    } }
}

fn program() -> String {
    let build = if cfg!(debug_assertions) { "debug build" } else { "release build" };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("terrace {}, {build}, {os} {arch}, {cores} cores", env!("CARGO_PKG_VERSION"))
}
