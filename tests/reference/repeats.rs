//! Who sends a line, its number, and the answers to repeats (model section
//! 10, "Repeats").

use super::input::{Fields, Json, Refusal, is_name, malformed, refuse};
use super::state::{State, need};
use serde_json::{Value, json};

/// How many answers of a source are kept.
const KEPT: u64 = 65_536;

/// The fields that any command may have beside `op` and `ts`.
pub const FIELDS: &[&str] = &["source", "client_seq", "ack"];

/// What a line says of its sender.
pub struct Sender {
    pub ack: bool,
    pub number: Option<Number>,
}

#[derive(Clone)]
pub struct Number {
    pub source: String,
    pub client_seq: u64,
}

/// How a line that used up its number was answered.
#[derive(Clone)]
pub enum Answer {
    /// Accepted, with this `seq`.
    Accepted(u64),
    /// The `rejected` line.
    Rejected(Value),
}

/// What is to be done with a line.
pub enum Turn {
    /// It is the next one, or has no number.
    New,
    Repeat(Answer),
}

impl Sender {
    /// Form first, then values.
    pub fn read(f: &Fields) -> Result<Sender, Refusal> {
        let ack = f.flag_or("ack", false)?;
        let source = f.maybe("source", Fields::text)?;
        let client_seq = f.maybe("client_seq", Fields::id)?;
        let is_mark = matches!(f.get("op"), Some(Json::Text(op)) if op == "mark");
        let number = match (&source, client_seq) {
            (None, None) => None,
            (Some(_), None) if is_mark => None, // where the mark comes from
            (Some(source), Some(client_seq)) => Some(Number { source: source.clone(), client_seq }),
            _ => return malformed("source and client_seq go together"),
        };
        if let Some(source) = source.filter(|source| !is_name(source, 64)) {
            return malformed(format!("source {source:?} is not a name"));
        }
        if let Some(Number { client_seq, .. }) = &number {
            need(*client_seq > 0, "bad_value", "client_seq counts from 1")?;
        }
        Ok(Sender { ack, number })
    }
}

impl State {
    /// The numbers of a source follow each other without a gap.
    pub fn turn(&self, number: &Option<Number>) -> Result<Turn, Refusal> {
        let Some(Number { source, client_seq }) = number else {
            return Ok(Turn::New);
        };
        let last = self.last_client_seq(source);
        if *client_seq > last + 1 {
            return refuse("gap", format!("client_seq {client_seq} comes after {last}"));
        }
        if *client_seq == last + 1 {
            return Ok(Turn::New);
        }
        if client_seq + KEPT <= last {
            return refuse("expired", format!("the answer to client_seq {client_seq} is no longer kept"));
        }
        Ok(Turn::Repeat(self.sources[source][*client_seq as usize - 1].clone()))
    }

    pub fn last_client_seq(&self, source: &str) -> u64 {
        self.sources.get(source).map_or(0, |answers| answers.len() as u64)
    }

    /// The line has used up its number, accepted or not.
    pub fn remember(&mut self, number: &Option<Number>, answer: Answer) {
        if let Some(Number { source, client_seq }) = number {
            let answers = self.sources.entry(source.clone()).or_default();
            answers.push(answer);
            assert_eq!(answers.len() as u64, *client_seq);
        }
    }

    /// The first answer again; `ok` only if the repeat asks for it.
    pub fn answer_again(&mut self, sender: &Sender, first: Answer) {
        match first {
            Answer::Rejected(event) => self.events.push(event),
            Answer::Accepted(seq) => self.acknowledge(sender, seq),
        }
    }

    /// `ok` for the line `seq`, if it was asked for.
    pub fn acknowledge(&mut self, sender: &Sender, seq: u64) {
        if !sender.ack {
            return;
        }
        let mut event = json!({"ev": "ok", "seq": seq});
        if let Some(Number { source, client_seq }) = &sender.number {
            event["source"] = json!(source);
            event["client_seq"] = json!(client_seq);
        }
        self.events.push(event);
    }
}
