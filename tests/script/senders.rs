//! Who sends a line, its number, its time, and whether it is to be acknowledged.

use super::{Dice, Writer};
use crate::reference::Reference;
use serde_json::{Value, json};

const SOURCES: &[&str] = &["desk", "gateway-1"];

impl Writer {
    /// Most numbers are the next ones; the others are repeats (of rejected lines too) and gaps.
    pub(super) fn sign(&mut self, dice: &mut Dice, reference: &Reference, line: &mut Value) {
        match dice.below(100) {
            0..=5 if line["op"] != "time" => {
                self.now += dice.below(300);
                line["ts"] = json!(self.now);
            }
            6 => line["ts"] = json!(self.now.saturating_sub(1 + dice.below(50))),
            _ => {}
        }
        if dice.chance(10) {
            line["ack"] = json!(dice.chance(85));
        }
        if !self.numbered || dice.chance(40) {
            return;
        }
        let source = *dice.pick(SOURCES);
        let last = reference.last_client_seq(source);
        let rejected = reference.rejected_client_seqs(source);
        let number = match dice.below(20) {
            0 => last + 2 + dice.below(3),
            1 if last > 0 => 1 + dice.below(last),
            2 if !rejected.is_empty() => *dice.pick(&rejected),
            3 if last > 0 => last,
            _ => last + 1,
        };
        line["source"] = json!(source);
        line["client_seq"] = if dice.chance(5) { json!(number.to_string()) } else { json!(number) };
        if number <= last && dice.chance(50) {
            line["ack"] = json!(true);
        }
        if dice.chance(1) {
            let half = *dice.pick(&["source", "client_seq"]);
            line.as_object_mut().and_then(|fields| fields.remove(half));
        }
    }
}
