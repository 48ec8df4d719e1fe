//! What an event comes to in a [`Chain`] stays what it was: journals hold it, and a program of a later version compares with it
//! (`terrace journal verify`, a standby, recovery). It follows from the order of variants and fields, which no compiler guards.

mod exec_scripts;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use terrace::journal::Chain;
use terrace::protocol::Session;
use terrace::{Event, Kernel, Settings};

/// An event without its numbers: of each such one is pinned.
fn shape(event: &str) -> String {
    event.chars().filter(|letter| !letter.is_ascii_digit() && *letter != '-').collect()
}

fn hash(event: &Event) -> u64 {
    let mut chain = Chain::default();
    chain.event(7, event);
    chain.check().hash
}

/// All events of all scripts, and what each comes to alone.
fn events() -> BTreeMap<String, u64> {
    let mut events = BTreeMap::new();
    for script in exec_scripts::scripts() {
        let mut session = Session::over(Kernel::new(Settings::default()));
        for line in fs::read_to_string(script).unwrap().lines() {
            let _ = session.line(line.as_bytes(), &mut String::new()); // some are to be refused
            events.extend(session.kernel().events().iter().map(|event| (format!("{event:?}"), hash(event))));
        }
    }
    events
}

/// `TERRACE_BLESS=1` pins them anew: a hash that changes there without its event is a journal that can no more be gone through.
#[test]
fn what_events_come_to_stays_as_it_is() {
    let events = events();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/journal/chain.txt");
    if std::env::var_os("TERRACE_BLESS").is_some() {
        let firsts: BTreeMap<String, _> =
            events.iter().rev().map(|(event, hash)| (shape(event), (event, hash))).collect();
        fs::write(file, firsts.values().map(|(event, hash)| format!("{hash:016x} {event}\n")).collect::<String>())
            .unwrap();
        return;
    }
    let mut pinned = BTreeSet::new();
    for line in fs::read_to_string(file).unwrap().lines() {
        let (hash, event) = line.split_once(' ').expect("a hash and an event");
        let found = events.get(event).unwrap_or_else(|| panic!("no script has it any more: {event}"));
        assert_eq!(format!("{found:016x}"), hash, "{event}");
        pinned.insert(shape(event));
    }
    for event in events.keys() {
        assert!(pinned.contains(&shape(event)), "not pinned yet: {event}");
    }
    let variants: BTreeSet<&str> = pinned.iter().filter_map(|shape| shape.split(' ').next()).collect();
    println!("{} shapes of {} variants", pinned.len(), variants.len());
}
