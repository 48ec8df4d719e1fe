//! Who sends lines: each numbers its own, keeps what was not answered, and sends it again until it is.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Declares, changes rules and modes, corrects.
    Operator,
    /// Payments and settings of accounts.
    Desk,
    /// The matching engine: orders and fills.
    Engine,
    FeedA,
    FeedB,
    /// Where liquidation orders go.
    Venue,
    /// Asks, and sends what is none of all that.
    Auditor,
}

impl Who {
    pub(super) const ALL: [Self; 7] =
        [Self::Operator, Self::Desk, Self::Engine, Self::FeedA, Self::FeedB, Self::Venue, Self::Auditor];

    fn name(self) -> &'static str {
        ["ops", "desk", "engine", "feed-a", "feed-b", "venue", "auditor"][self as usize]
    }
}

/// A line as its sender knows it: by its number, if it has one.
pub(super) type Sender = Option<(Who, u64)>;

#[derive(Debug, Default)]
struct Client {
    /// What it sent, from 1.
    sent: Vec<String>,
    unanswered: BTreeSet<u64>,
    /// How its lines were answered first.
    first: BTreeMap<u64, First>,
    /// When its last line arrives: a connection keeps the order of what is sent.
    arrives_ns: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct First {
    seq: u64,
    closing: String,
}

/// All that send.
#[derive(Debug, Default)]
pub(super) struct Clients {
    by_who: [Client; Who::ALL.len()],
}

impl Clients {
    /// Numbers a line that is new, and keeps it until it is answered.
    pub(super) fn number(&mut self, who: Who, mut line: Value, ack: bool) -> u64 {
        let client = &mut self.by_who[who as usize];
        let number = client.sent.len() as u64 + 1;
        line["source"] = who.name().into();
        line["client_seq"] = number.into();
        if ack {
            line["ack"] = true.into();
        }
        client.sent.push(line.to_string());
        client.unanswered.insert(number);
        number
    }

    /// Names the sender of a mark that has no number.
    pub(super) fn sign(who: Who, mut line: Value) -> String {
        line["source"] = who.name().into();
        line.to_string()
    }

    /// When something arrives that is sent now and takes so long; in the order in which it is sent, unless it overtakes.
    pub(super) fn arrival(&mut self, who: Who, now_ns: u64, takes_ns: u64, overtakes: bool) -> u64 {
        let client = &mut self.by_who[who as usize];
        if overtakes {
            return now_ns + takes_ns / 4;
        }
        client.arrives_ns = client.arrives_ns.max(now_ns + takes_ns);
        client.arrives_ns
    }

    /// A line that was sent.
    pub(super) fn line(&self, who: Who, number: u64) -> Option<&str> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        self.by_who[who as usize].sent.get(at).map(String::as_str)
    }

    /// The oldest that were sent and not answered.
    pub(super) fn to_send_again(&self, who: Who, at_most: usize) -> Vec<u64> {
        self.by_who[who as usize].unanswered.iter().copied().take(at_most).collect()
    }

    /// A line that was answered already, to be sent again all the same.
    pub(super) fn answered(&self, who: Who, back: u64) -> Option<u64> {
        let client = &self.by_who[who as usize];
        let last = client.first.keys().copied().nth_back(usize::try_from(back).ok()?)?;
        Some(last)
    }

    /// What took effect behind line `seq` never happened: whoever sent it sends it again.
    pub(super) fn forget_behind(&mut self, seq: u64) {
        for Client { first, unanswered, .. } in &mut self.by_who {
            unanswered.extend(first.extract_if(.., |_, first| first.seq > seq).map(|(number, _)| number));
        }
    }

    /// Notes how a line was answered that was carried out as line `seq`; whether it had been before. What is `told` reaches its sender; else
    /// it is known to have taken effect, and the sender will ask again.
    ///
    /// # Errors
    ///
    /// A line that has taken effect is answered in another way than the first time, which is as if it were carried out twice.
    pub(super) fn note(
        &mut self,
        (who, number): (Who, u64),
        seq: u64,
        answer: &str,
        told: bool,
    ) -> Result<bool, String> {
        if is_of_no_turn(answer) {
            return Ok(false); // it came before its turn, and is sent again
        }
        let client = &mut self.by_who[who as usize];
        if told {
            client.unanswered.remove(&number);
        }
        let closing = closing(answer).to_owned();
        let Some(first) = client.first.get(&number) else {
            client.first.insert(number, First { seq, closing });
            return Ok(false);
        };
        if first.closing != closing || answer != closing {
            let (name, before) = (who.name(), first.seq);
            return Err(format!(
                "line {number} of {name} took effect as line {before} with {:?}, and as line {seq} is answered {answer:?}",
                first.closing
            ));
        }
        Ok(true)
    }
}

/// What of an answer comes again where the line is repeated.
fn closing(answer: &str) -> &str {
    let last = answer.trim_end_matches('\n').rfind('\n').map_or(0, |at| at + 1);
    let last = &answer[last..];
    if last.starts_with("{\"ev\":\"ok\"") || last.starts_with("{\"ev\":\"rejected\"") { last } else { "" }
}

fn is_of_no_turn(answer: &str) -> bool {
    answer.starts_with("{\"ev\":\"rejected\"")
        && (answer.contains("\"code\":\"gap\"") || answer.contains("\"code\":\"expired\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const OK: &str = "{\"ev\":\"ok\",\"seq\":4,\"source\":\"desk\",\"client_seq\":1}\n";

    #[test]
    fn a_line_that_took_effect_twice_is_seen() {
        let mut clients = Clients::default();
        let number = clients.number(Who::Desk, json!({"op":"time","ts":1}), true);
        let of = (Who::Desk, number);
        assert_eq!(clients.note(of, 4, &format!("{{\"ev\":\"mark\"}}\n{OK}"), false), Ok(false));
        assert_eq!(clients.to_send_again(Who::Desk, 9), [1], "it was not told");
        assert_eq!(clients.note(of, 7, OK, true), Ok(true));
        assert!(clients.to_send_again(Who::Desk, 9).is_empty());
        assert!(clients.note(of, 8, &OK.replace("\"seq\":4", "\"seq\":8"), true).is_err());
        assert!(clients.note(of, 8, &format!("{{\"ev\":\"mark\"}}\n{OK}"), true).is_err(), "its events come again");
    }
}
