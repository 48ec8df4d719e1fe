//! A record of the file, and what is compared with it.

use crate::catalogue::{Entry, STATED};
use crate::decimal::Decimal;
use crate::desk::{Desk, Rules};
use serde_json::Value;
use std::collections::BTreeSet;

const FILE: &str = include_str!("examples.jsonl");

/// A record, the rules that it is carried out under, and what was compared with it.
pub struct Example {
    pub record: Value,
    pub comparisons: Vec<Comparison>,
    rules: Rules,
}

pub struct Comparison {
    pub key: String,
    pub shown: String,
    pub agrees: bool,
}

/// All records, as they were found.
pub fn records() -> Vec<Value> {
    FILE.lines().map(|line| serde_json::from_str(line).expect("a record a line")).collect()
}

pub fn record(id: &str) -> Value {
    records().into_iter().find(|record| record["id"] == id).unwrap_or_else(|| panic!("no record {id}"))
}

pub fn decimals(list: &Value) -> Vec<Decimal> {
    list.as_array().expect("a list").iter().map(Decimal::of).collect()
}

impl Example {
    /// Carries an example out. Every key of `expected` must have been compared, or it has shown nothing.
    pub fn reproduce(entry: &Entry) -> Self {
        let stated: Vec<&str> = STATED.iter().filter(|row| row.0 == entry.id).flat_map(|row| row.1).copied().collect();
        let rules = Rules { preset: entry.preset, stated };
        let mut example = Self { record: record(entry.id), comparisons: Vec::new(), rules };
        (entry.shape)(&mut example);
        let compared: BTreeSet<&str> = example.comparisons.iter().map(|comparison| comparison.key.as_str()).collect();
        let expected: BTreeSet<&str> =
            example.record["expected"].as_object().expect("expected").keys().map(String::as_str).collect();
        assert_eq!(compared, expected, "{}: what is compared is what is expected", entry.id);
        example
    }

    /// A desk under the preset of the example, whose instruments settle in this asset.
    pub fn desk(&self, asset: &'static str) -> Desk {
        Desk::new(asset, self.rules.clone())
    }

    pub fn input(&self, name: &str) -> Decimal {
        Decimal::of(&self.record["inputs"][name])
    }

    /// `1` for a long, `-1` for a short, however the record says it.
    pub fn side(&self) -> Decimal {
        match &self.record["inputs"]["side"] {
            Value::String(side) if side == "long" => Decimal::whole(1),
            Value::String(side) if side == "short" => Decimal::whole(-1),
            number => Decimal::of(number),
        }
    }

    /// Compares what the kernel shows with `expected`, within the record's tolerance.
    pub fn compare(&mut self, key: &str, shown: Decimal) {
        let agrees =
            (shown - Decimal::of(&self.record["expected"][key])).abs() <= Decimal::of(&self.record["tolerance"]);
        self.note(key, shown.to_string(), agrees);
    }

    pub fn compare_list(&mut self, key: &str, shown: &[Decimal]) {
        let tolerance = Decimal::of(&self.record["tolerance"]);
        let expected = decimals(&self.record["expected"][key]);
        let agree = |(a, b): (&Decimal, &Decimal)| (*a - *b).abs() <= tolerance;
        let agrees = shown.len() == expected.len() && shown.iter().zip(&expected).all(agree);
        let shown: Vec<String> = shown.iter().map(Decimal::to_string).collect();
        self.note(key, shown.join(" "), agrees);
    }

    pub fn note(&mut self, key: &str, shown: String, agrees: bool) {
        self.comparisons.push(Comparison { key: key.to_owned(), shown, agrees });
    }

    /// Key and figure of what differs.
    pub fn differing(&self) -> BTreeSet<(&str, &str)> {
        let wrong = self.comparisons.iter().filter(|comparison| !comparison.agrees);
        wrong.map(|comparison| (comparison.key.as_str(), comparison.shown.as_str())).collect()
    }

    /// What differs, in words; empty: nothing does.
    pub fn disagreements(&self) -> String {
        let expected = &self.record["expected"];
        let told = |(key, shown): (&str, &str)| format!("{key}: the kernel shows {shown}, published {}", expected[key]);
        self.differing().into_iter().map(told).collect::<Vec<_>>().join("; ")
    }
}
