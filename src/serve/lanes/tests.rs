//! Lanes without sockets: order, turns, bounds, deadlines, conflation.

use super::*;
use proptest::prelude::*;

fn line(text: &str, since_ns: u64) -> Item {
    Item::Line { text: text.as_bytes().to_vec(), told: Told::of(text.as_bytes()), since_ns }
}

fn lanes(settings: LaneSettings, connections: u64) -> Lanes {
    let mut lanes = Lanes::new(settings);
    lanes.conflate(Plain::named(&["X", "Y"]));
    (1..=connections).for_each(|connection| lanes.open(connection));
    lanes
}

fn text(item: &Item) -> String {
    match item {
        Item::Line { text, .. } => String::from_utf8(text.clone()).unwrap(),
        Item::Conflated { ticks } => format!("conflated {ticks}"),
        Item::TooLong { .. } => "too long".to_owned(),
        Item::End => "end".to_owned(),
    }
}

fn drain(lanes: &mut Lanes) -> Vec<(Connection, String)> {
    std::iter::from_fn(|| lanes.take(0)).map(|taken| (taken.connection, text(&taken.item))).collect()
}

const FILL: &str = r#"{"op":"fill"}"#;
const ORDER: &str = r#"{"op":"order"}"#;
const GET: &str = r#"{"op":"get"}"#;

fn mark(symbol: &str, price: u64, ack: bool) -> String {
    let ack = if ack { r#","ack":true"# } else { "" };
    format!(r#"{{"op":"mark","symbol":"{symbol}","price":"{price}"{ack}}}"#)
}

#[test]
fn the_most_urgent_goes_first_and_a_connection_keeps_its_order() {
    let mut lanes = lanes(LaneSettings::default(), 4);
    for (connection, lines) in [(1, [GET, FILL]), (2, [ORDER, FILL]), (3, [FILL, ORDER])] {
        lines.into_iter().for_each(|text| lanes.push(connection, line(text, 0)));
    }
    lanes.push(4, line(&mark("X", 1, false), 0));
    assert_eq!(lanes.depth(), [3, 1, 2, 1]);
    let taken = drain(&mut lanes);
    let of = |connection| {
        taken.iter().filter(|(by, _)| *by == connection).map(|(_, text)| text.as_str()).collect::<Vec<_>>()
    };
    assert_eq!((of(1), of(2), of(3)), (vec![GET, FILL], vec![ORDER, FILL], vec![FILL, ORDER]));
    let order: Vec<Connection> = taken.iter().map(|(connection, _)| *connection).collect();
    assert_eq!(order, [3, 4, 2, 2, 3, 1, 1], "a fill, a tick, an order; then the fill behind it; questions last");
    assert_eq!(lanes.depth(), [0; 4]);
}

#[test]
fn connections_of_a_lane_take_turns() {
    let mut lanes = lanes(LaneSettings::default(), 2);
    (0..5).for_each(|_| lanes.push(1, line(ORDER, 0)));
    (0..2).for_each(|_| lanes.push(2, line(ORDER, 0)));
    let order: Vec<Connection> = drain(&mut lanes).into_iter().map(|(connection, _)| connection).collect();
    assert_eq!(order, [1, 2, 1, 2, 1, 1, 1]);
}

#[test]
fn no_lane_starves() {
    let mut lanes = lanes(LaneSettings { conflate_from: None, ..LaneSettings::default() }, 4);
    let texts = [FILL.to_owned(), mark("X", 1, false), ORDER.to_owned(), GET.to_owned()];
    let (mut since, mut longest) = ([0_u32; 4], [0_u32; 4]);
    for _ in 0..2000 {
        for (at, text) in texts.iter().enumerate() {
            if lanes.depth()[at] == 0 {
                lanes.push(at as u64 + 1, line(text, 0)); // the more urgent ones never run out
            }
        }
        let taken = lanes.take(0).unwrap().connection as usize - 1;
        for (at, since) in since.iter_mut().enumerate() {
            *since = if at == taken { 0 } else { *since + 1 };
            longest[at] = longest[at].max(*since);
        }
    }
    assert!(longest.iter().all(|&longest| longest <= PATIENCE + LANES as u32), "{longest:?}");
    assert!(longest[0] < longest[3], "{longest:?}");
}

#[test]
fn what_asks_is_refused_when_it_has_waited_too_long() {
    let mut lanes = lanes(LaneSettings { busy_after_ns: 100, ..LaneSettings::default() }, 2);
    for text in [ORDER, ORDER, FILL, r#"{"op":"deposit"}"#] {
        lanes.push(1, line(text, 50));
    }
    let overdue: Vec<bool> = [150, 151, 1000, 1000].iter().map(|&now| lanes.take(now).unwrap().overdue).collect();
    assert_eq!(overdue, [false, true, false, false]);
}

#[test]
fn what_waits_is_bounded() {
    let settings = LaneSettings { lines: 3, bytes: 100, ..LaneSettings::default() };
    let mut lanes = lanes(settings, 2);
    assert!(lanes.has_room(1, 1_000_000), "one line of any length");
    lanes.push(1, line(&"x".repeat(1000), 0));
    assert!(!lanes.has_room(1, 1) && lanes.has_room(2, 1), "nobody else is hurt");
    assert_eq!(lanes.fullest_percent(), 1000);
    lanes.take(0);
    (0..3).for_each(|_| lanes.push(1, line(GET, 0)));
    assert!(!lanes.has_room(1, 0));
    lanes.close(1);
    assert_eq!((lanes.depth(), lanes.take(0).is_none()), ([0; 4], true));
}

#[test]
fn who_does_not_read_waits() {
    let mut lanes = lanes(LaneSettings::default(), 2);
    lanes.push(1, line(FILL, 0));
    lanes.push(1, line(ORDER, 0));
    lanes.push(2, line(GET, 0));
    lanes.choke(1, true);
    lanes.choke(1, true);
    assert_eq!(lanes.take(0).unwrap().connection, 2);
    assert!(lanes.take(0).is_none());
    lanes.choke(1, false);
    assert_eq!(drain(&mut lanes).len(), 2);
}

#[test]
fn ticks_that_wait_are_conflated_by_price_and_never_across_anything_else() {
    let mut lanes = lanes(LaneSettings { conflate_from: Some(0), ..LaneSettings::default() }, 1);
    let push = |lanes: &mut Lanes, text: &str| lanes.push(1, line(text, 0));
    for price in [100, 99, 95, 98, 103, 101] {
        push(&mut lanes, &mark("X", price, false));
        push(&mut lanes, &mark("Y", price + 100, price == 98));
        push(&mut lanes, &mark("Z", price, false).replace("mark", "last")); // no instrument of that name: left alone
    }
    assert_eq!(drain(&mut lanes).len(), 18, "what is between ends the runs");
    for price in [100, 99, 95, 98, 103, 101] {
        push(&mut lanes, &mark("X", price, false));
        push(&mut lanes, &mark("Y", price + 100, price == 98 || price == 99));
    }
    push(&mut lanes, FILL);
    for price in [90, 91, 92] {
        push(&mut lanes, &mark("X", price, false));
    }
    let left: Vec<String> = drain(&mut lanes).into_iter().map(|(_, text)| text).collect();
    let expected = [
        "conflated 1".to_owned(),
        mark("X", 95, false),
        mark("Y", 195, false),
        "conflated 1".to_owned(),
        mark("X", 103, false),
        mark("Y", 203, false),
        mark("X", 101, false),
        mark("Y", 201, false),
        FILL.to_owned(),
        mark("X", 90, false),
        mark("X", 92, false),
    ];
    assert_eq!(left, expected);
    assert_eq!((lanes.conflated(), lanes.depth()), (7, [0; 4]));
}

#[test]
fn few_ticks_are_left_alone() {
    let mut lanes = lanes(LaneSettings { conflate_from: Some(4), ..LaneSettings::default() }, 1);
    for price in 1..=4 {
        lanes.push(1, line(&mark("X", 10 + price, false), 0));
    }
    assert_eq!(lanes.conflated(), 0);
    (5..=30).for_each(|price| lanes.push(1, line(&mark("X", 10 + price, false), 0)));
    assert!(lanes.depth()[1] <= 4 + 3, "{:?}", lanes.depth());
}

#[test]
fn prices_that_the_kernel_would_refuse_stand_for_none() {
    let mut lanes = lanes(LaneSettings { conflate_from: Some(0), ..LaneSettings::default() }, 1);
    let priced = |price: &str| mark("X", 7, false).replace("\"7\"", &format!("\"{price}\""));
    let prices = ["100", "150", "150.05", "100", "-1", "100", "500", "100", "120"];
    prices.iter().for_each(|price| lanes.push(1, line(&priced(price), 0)));
    let left: Vec<String> = drain(&mut lanes).into_iter().map(|(_, text)| text).collect();
    assert_eq!(left, prices.map(priced), "off the grid, below zero, and far from the last");
}

proptest! {
    /// Whatever comes and whenever it is taken: of each price's runs lowest, highest and last are carried out in their order, every
    /// answer has its place, and no more waits than three ticks a price.
    #[test]
    fn any_traffic_keeps_what_counts(
        events in prop::collection::vec((0_u8..8, 80_u64..120, prop::bool::ANY), 1..200),
    ) {
        let mut lanes = lanes(LaneSettings { conflate_from: Some(0), ..LaneSettings::default() }, 1);
        let (mut sent, mut done) = (Vec::new(), Vec::new());
        for (what, price, ack) in events {
            match what {
                0 => done.extend(lanes.take(0).map(|taken| text(&taken.item))),
                1 => {
                    sent.push(FILL.to_owned());
                    lanes.push(1, line(FILL, 0));
                }
                _ => {
                    let text = mark(if what % 2 == 0 { "X" } else { "Y" }, price, ack);
                    sent.push(text.clone());
                    lanes.push(1, line(&text, 0));
                }
            }
        }
        done.extend(drain(&mut lanes).into_iter().map(|(_, text)| text));
        let answers = |lines: &[String]| lines.iter().map(|line| {
            if let Some(ticks) = line.strip_prefix("conflated ") { ticks.parse::<usize>().unwrap() } else { usize::from(line.contains("ack")) }
        }).sum::<usize>();
        prop_assert_eq!(answers(&sent), answers(&done));
        prop_assert_eq!(lanes.depth(), [0; 4]);
        let segments = |lines: &[String]| lines.split(|line| line == FILL).map(<[String]>::to_vec).collect::<Vec<_>>();
        let (sent, done) = (segments(&sent), segments(&done));
        prop_assert_eq!(sent.len(), done.len());
        for (sent, done) in sent.iter().zip(&done) {
            for symbol in ["X", "Y"] {
                prop_assert_eq!(shape(sent, symbol), shape(done, symbol));
            }
        }
    }
}

/// Of the marks of a symbol: lowest, highest, last, and which of the extremes came first.
fn shape(lines: &[String], symbol: &str) -> Option<(u64, u64, u64, bool)> {
    let of = format!("\"symbol\":\"{symbol}\"");
    let price = |line: &String| line.split("\"price\":\"").nth(1)?.split('"').next()?.parse().ok();
    let prices: Vec<u64> = lines.iter().filter(|line| line.contains(&of)).filter_map(price).collect();
    let (low, high) = (*prices.iter().min()?, *prices.iter().max()?);
    let place = |price| prices.iter().position(|&other| other == price);
    Some((low, high, *prices.last()?, place(low) <= place(high)))
}
