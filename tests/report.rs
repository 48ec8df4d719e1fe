//! The report of a replay: one page, well-formed, that says what the summary says and needs nothing else.

use roxmltree::{Document, Node, ParsingOptions};
use std::fs;
use tempfile::TempDir;
use terrace::engine::{Layout, Pinning};
use terrace::replay::{Data, Driver, Outcome, Population, ReportError, Settings, Venue, run};
use terrace::ticks::Input;

/// A short crash over a small population: every kind of step but fractions.
fn crash() -> Settings {
    Settings {
        population: Population::Generated { accounts: 3_000, seed: 3, hedge_percent: 0, inverse_percent: 0 },
        shocks: vec!["BTCUSDT:-12%@1s/3s".parse().unwrap()],
        keep_course: true,
        ..Settings::default()
    }
}

fn replay(settings: &Settings) -> Outcome {
    run(settings, None, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"))
}

/// The page as a tree; what is not well-formed is no tree.
fn tree(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap_or_else(|error| panic!("{error}"))
}

fn text(node: Node<'_, '_>) -> String {
    node.descendants()
        .filter_map(|inner| inner.text().filter(|_| inner.is_text()))
        .collect::<String>()
        .trim()
        .to_owned()
}

fn by_id<'d, 'p>(page: &'d Document<'p>, id: &str) -> Node<'d, 'p> {
    let found = page.descendants().find(|node| node.attribute("id") == Some(id));
    found.unwrap_or_else(|| panic!("no element {id}"))
}

fn number(text: &str) -> u64 {
    text.replace(',', "").parse().unwrap_or_else(|_| panic!("{text:?} is no count"))
}

/// A cell of the row of a table whose first cell reads like that.
fn cell(table: Node<'_, '_>, row: &str, column: usize) -> String {
    let cells =
        |node: Node<'_, '_>| node.children().filter(|cell| cell.has_tag_name("td")).map(text).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = table.descendants().filter(|node| node.has_tag_name("tr")).map(cells).collect();
    let found = rows.iter().find(|cells| cells.first().is_some_and(|first| first == row));
    found.unwrap_or_else(|| panic!("no row {row} in {rows:?}"))[column].clone()
}

fn check_counts(outcome: &Outcome, page: &Document<'_>) {
    let tally = &outcome.tally;
    for (id, count) in [("started", tally.started), ("cured", tally.cured), ("closed", tally.closed)] {
        assert_eq!(number(&text(by_id(page, id))), count, "{id}");
    }
    let steps = by_id(page, "steps-table");
    for (row, count) in [
        ("orders to the tier below", tally.tier),
        ("orders for a part", tally.fraction),
        ("orders for the rest", tally.all),
        ("takeovers by the fund", tally.takeovers),
        ("ADL trades for bankrupt pools", tally.adl),
        ("ADL trades for the fund", tally.adl_inventory),
        ("unwinding orders of the fund", tally.unwinds),
        ("deficits made good by the fund", tally.deficits),
    ] {
        assert_eq!(number(&cell(steps, row, 1)), count, "{row}");
    }
    if tally.adl + tally.adl_inventory > 0 {
        let rows = by_id(page, "adl-table").descendants().filter(|node| node.has_tag_name("tr")).skip(1);
        let trades = rows.map(|row| number(&text(row.children().nth(2).unwrap()))).sum::<u64>();
        assert_eq!(trades, tally.adl + tally.adl_inventory);
    }
}

/// What a browser would fetch from elsewhere.
fn check_alone(page: &Document<'_>) {
    for node in page.descendants().filter(Node::is_element) {
        assert!(!["script", "link", "img", "iframe", "object", "image"].contains(&node.tag_name().name()));
        for attribute in node.attributes() {
            let link = attribute.name() == "href";
            assert!(!link || attribute.value().starts_with('#'), "{} leads away", attribute.value());
            assert!(attribute.name() != "src" && !attribute.value().contains("url("));
        }
    }
    for link in page.descendants().filter_map(|node| node.attribute("href")) {
        by_id(page, link.trim_start_matches('#'));
    }
}

#[test]
fn the_page_says_what_the_summary_says() {
    let outcome = replay(&crash());
    let written = outcome.to_html("terrace replay --shock '<b>' --report out.html").unwrap();
    let page = tree(&written);
    assert!(
        outcome.tally.adl > 0 && outcome.tally.adl_inventory > 0 && outcome.tally.takeovers > 0,
        "too quiet a crash"
    );
    check_counts(&outcome, &page);
    check_alone(&page);
    assert_eq!(text(by_id(&page, "hash")), format!("{:032x}", outcome.hash));
    assert_eq!(text(by_id(&page, "command")), "terrace replay --shock '<b>' --report out.html");
    // Every pool with a position is in one range, before and after.
    let ratios = by_id(&page, "ratios-table");
    let rows = ratios.descendants().filter(|node| node.has_tag_name("tr")).skip(1).take(12);
    let after: u64 = rows.map(|row| number(&text(row.children().nth(2).unwrap()))).sum();
    assert_eq!(after, number(&cell(ratios, "all", 2)));
    assert!(after > 0 && after <= outcome.population.positions_left);
    // The percentiles are the summary's.
    let tick = &outcome.latency.tick;
    let latency = by_id(&page, "latency-work");
    assert_eq!(number(&cell(latency, "tick", 1)), tick.len());
    assert_eq!(number(&cell(latency, "tick", 4)), tick.value_at_quantile(0.99));
    assert_eq!(tick.len(), outcome.input.ticks);
}

#[test]
fn a_report_changes_nothing_and_without_its_course_there_is_none() {
    let asked = crash();
    let plain = replay(&Settings { keep_course: false, ..asked.clone() });
    assert_eq!(plain.hash, replay(&asked).hash);
    assert_eq!(plain.to_html("terrace"), Err(ReportError::NoCourse));
}

#[test]
fn threads_have_a_page_too() {
    let layout =
        Layout { workers: Some(1), apart: Some(false), wait: Some(terrace::Wait::Yield), pinning: Pinning::Off };
    let outcome = replay(&Settings { driver: Driver::Threaded(layout), ..crash() });
    let written = outcome.to_html("terrace").unwrap();
    let page = tree(&written);
    check_counts(&outcome, &page);
    check_alone(&page);
    let orders = by_id(&page, "latency-order");
    assert_eq!(number(&cell(orders, "order out", 1)), outcome.threads.as_ref().unwrap().order_out.len());
    // Every row of the data has its time, whatever was decided between them.
    assert_eq!(outcome.latency.tick.len(), outcome.input.ticks);
    assert_eq!(number(&cell(by_id(&page, "latency-work"), "tick", 1)), outcome.input.ticks);
}

#[test]
fn inverse_contracts_have_a_fund_and_a_unit_of_their_own() {
    let outcome = replay(&Settings {
        population: Population::Generated { accounts: 2_000, seed: 3, hedge_percent: 10, inverse_percent: 20 },
        computed_marks: true,
        venue: Venue::Mark,
        ..crash()
    });
    let written = outcome.to_html("terrace").unwrap();
    let page = tree(&written);
    check_counts(&outcome, &page);
    let captions: Vec<String> = page.descendants().filter(|node| node.has_tag_name("caption")).map(text).collect();
    assert!(captions.contains(&"Fund BTC, BTC".to_owned()), "{captions:?}");
    assert!(written.contains("price of BTCUSDT in the quote currency"));
}

/// Symbols and files whose names would be markup. No kernel takes such a symbol: the page does not rely on that.
#[test]
fn what_comes_from_outside_is_escaped_and_nothing_may_happen() {
    const NAME: &str = "<i>&\"']]>";
    let directory = TempDir::new().unwrap();
    let ticks = directory.path().join("a<b>&c.csv");
    let rows = "ts_ns,symbol,kind,price|bid,qty|bid_qty,ask,ask_qty\n1000000000,BTCUSDT,t,100,1\n2000000000,<b>\n";
    fs::write(&ticks, rows).unwrap();
    let mut outcome = replay(&Settings {
        data: Data::Files(vec![Input { path: ticks, symbol: None, format: None }]),
        population: Population::Generated { accounts: 0, seed: 1, hedge_percent: 0, inverse_percent: 0 },
        shocks: Vec::new(),
        skip_bad: true,
        ..crash()
    });
    assert_eq!(outcome.tally.started, 0);
    outcome.market.instruments[0].spec.symbol = NAME.to_owned();
    let written = outcome.to_html("terrace").unwrap();
    let page = tree(&written);
    check_counts(&outcome, &page);
    check_alone(&page);
    assert!(page.descendants().any(|node| node.has_tag_name("h3") && text(node) == NAME));
    assert!(page.descendants().any(|node| node.has_tag_name("dd") && text(node).ends_with("a<b>&c.csv")));
    assert!(text(by_id(&page, "refused-table")).contains("a<b>&c.csv"));
    assert!(!written.contains("<i>") && !written.contains("<b>"));
}

#[test]
fn a_path_that_cannot_be_written_is_told_before_the_run_starts() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("none").join("out.html");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_terrace"))
        .args(["replay", "--accounts", "50000000", "--report"]) // would take minutes
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains(&path.display().to_string()) && told.contains("cannot be created"), "{told}");
    assert!(output.stdout.is_empty());
}
