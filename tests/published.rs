//! Worked numbers that venues publish, each reproduced through the protocol, under the preset of its venue.
//!
//! `published/examples.jsonl` holds them as they were found, with their sources. A shape of example is one function of
//! the modules here, and `published/catalogue.rs` says of every example what becomes of it: it is carried out, or it
//! belongs to a feature that is not built. A record of which nothing is said fails, and so does the reverse.
//!
//! The venue's rules are its preset's: a line that declares an instrument names the contract (its steps, its tiers, its
//! asset) and what the example itself states, and the desk refuses anything else. The steps are finer than the venue's: a
//! published liquidation price is a real number, and the kernel shows the first tick that breaches. What the kernel shows
//! is compared within the tolerance of the record, in exact decimals.
//!
//! What the model cannot give is not bent to: [`catalogue::DIFFERENT`] says why, and what it gives instead.

#[path = "published/adl.rs"]
mod adl;
#[path = "published/catalogue.rs"]
mod catalogue;
#[path = "published/decimal.rs"]
mod decimal;
#[path = "published/desk.rs"]
mod desk;
#[path = "published/example.rs"]
mod example;
#[path = "published/fund.rs"]
mod fund;
#[path = "published/inverse.rs"]
mod inverse;
#[path = "published/liquidation.rs"]
mod liquidation;
#[path = "published/margin.rs"]
mod margin;
#[path = "published/orders.rs"]
mod orders;
#[path = "published/prices.rs"]
mod prices;
#[path = "published/tiers.rs"]
mod tiers;

use catalogue::{DIFFERENT, Different, LATER, PERPETUAL, REMARKS, STATED};
use example::{Example, records};
use std::collections::BTreeSet;

fn different(id: &str) -> Option<&'static Different> {
    DIFFERENT.iter().find(|row| row.id == id)
}

#[test]
fn nothing_is_left_out_and_nothing_is_made_up() {
    let records = records();
    let in_file: BTreeSet<&str> = records.iter().map(|record| record["id"].as_str().expect("an id")).collect();
    let carried_out: Vec<&str> = PERPETUAL.iter().map(|entry| entry.id).collect();
    let later: Vec<&str> = LATER.iter().map(|row| row.0).collect();
    let listed: BTreeSet<&str> = carried_out.iter().chain(&later).copied().collect();
    assert_eq!(in_file, listed);
    assert_eq!((in_file.len(), carried_out.len() + later.len()), (records.len(), records.len()), "an id stands once");
    assert!(records.iter().all(|record| record["source"].as_str().is_some_and(|source| !source.is_empty())));
    for id in
        DIFFERENT.iter().map(|row| row.id).chain(STATED.iter().map(|row| row.0)).chain(REMARKS.iter().map(|row| row.0))
    {
        assert!(carried_out.contains(&id), "{id} is not carried out");
    }
    assert!(REMARKS.iter().all(|row| different(row.0).is_none()), "a remark is on what is reproduced");
}

/// Each perpetual example gives what was published; or else what the catalogue says, and it says why.
#[test]
fn published_numbers_are_reproduced() {
    let mut wrong = Vec::new();
    for entry in PERPETUAL {
        let id = entry.id;
        let example = Example::reproduce(entry);
        let under = entry.preset.map_or("without a preset".to_owned(), |preset| format!("under {preset}"));
        let stated =
            STATED.iter().filter(|row| row.0 == id).map(|row| format!("; {} stated: {}", row.1.join(", "), row.2));
        let remark = REMARKS.iter().filter(|row| row.0 == id).map(|row| format!("; {}", row.1));
        let more: String = stated.chain(remark).collect();
        let instead: BTreeSet<(&str, &str)> =
            different(id).map_or(BTreeSet::new(), |row| row.instead.iter().copied().collect());
        match different(id) {
            Some(row) => println!("{id}: different {under}: {} ({}){more}", row.reason, example.disagreements()),
            None => println!("{id}: reproduced {under}{more}"),
        }
        if example.differing() != instead {
            wrong.push(format!("{id}: listed as different is {instead:?}; {}", example.disagreements()));
        }
    }
    for (id, feature) in LATER {
        println!("{id}: belongs to what is not built yet: {feature}");
    }
    let (all, differ) = (PERPETUAL.len(), DIFFERENT.len());
    println!(
        "{} of {all} perpetual examples reproduced, {differ} different; {} of later features",
        all - differ,
        LATER.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(DIFFERENT.iter().all(|row| !row.instead.is_empty()), "what differs has a figure");
}
