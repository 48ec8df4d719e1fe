//! What a line is told to be before it is read as a whole: its lane, by its `op` alone, and of a tick what conflation needs.

use crate::decimal::Decimal;
use serde::Deserialize;
use std::borrow::Cow;

/// Which lane a line waits in, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// What has happened, and what holds the market in: fills, cancels, the venue's answers, modes.
    Facts,
    /// Prices and time.
    Ticks,
    /// What clients and operators ask for.
    Requests,
    /// What changes nothing.
    Questions,
}

impl Lane {
    /// All of them, most urgent first.
    pub(super) const ALL: [Self; 4] = [Self::Facts, Self::Ticks, Self::Requests, Self::Questions];

    /// Its name in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Facts => "facts",
            Self::Ticks => "ticks",
            Self::Requests => "requests",
            Self::Questions => "questions",
        }
    }
}

/// The price that a tick gives, of those that can be conflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum TickKind {
    Mark,
    Last,
}

/// A tick whose form is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    pub(super) kind: TickKind,
    pub(super) price: Decimal,
    /// Whether it is answered though nothing follows from it.
    pub(super) ack: bool,
}

/// What a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Its `op`, if that is one that there is; metrics name it.
    pub(super) op: &'static str,
    pub(super) lane: Lane,
    /// Whether it may be refused as `busy`: it asks, and has not happened.
    pub(super) refusable: bool,
    /// The instrument that a price is of.
    pub(super) symbol: Option<String>,
    /// If it can be conflated as far as its form says.
    pub(super) tick: Option<Tick>,
}

/// Every `op`, its lane, and whether it may be refused as `busy`.
const OPS: &[(&str, Lane, bool)] = &[
    ("fill", Lane::Facts, false),
    ("cancel", Lane::Facts, false),
    ("liq_fill", Lane::Facts, false),
    ("liq_expire", Lane::Facts, false),
    ("liq_unknown", Lane::Facts, false),
    ("cancel_ack", Lane::Facts, false),
    ("mode", Lane::Facts, false),
    ("airlock_release", Lane::Facts, false),
    ("health", Lane::Facts, false),
    ("mark", Lane::Ticks, false),
    ("last", Lane::Ticks, false),
    ("index", Lane::Ticks, false),
    ("book", Lane::Ticks, false),
    ("time", Lane::Ticks, false),
    ("order", Lane::Requests, true),
    ("withdraw", Lane::Requests, true),
    ("hold", Lane::Requests, true),
    ("leverage", Lane::Requests, true),
    ("margin_mode", Lane::Requests, true),
    ("isolated_margin", Lane::Requests, true),
    ("deposit", Lane::Requests, false),
    ("fund_deposit", Lane::Requests, false),
    ("commit", Lane::Requests, false),
    ("release", Lane::Requests, false),
    ("account", Lane::Requests, false),
    ("asset", Lane::Requests, false),
    ("fund", Lane::Requests, false),
    ("instrument", Lane::Requests, false),
    ("defaults", Lane::Requests, false),
    ("set", Lane::Requests, false),
    ("venue", Lane::Requests, false),
    ("rule_version", Lane::Requests, false),
    ("funding", Lane::Requests, false),
    ("bust", Lane::Requests, false),
    ("reprice", Lane::Requests, false),
    ("adjust", Lane::Requests, false),
    ("compensate", Lane::Requests, false),
    ("get", Lane::Questions, false),
];

/// The fields that a tick may have and be conflated. One with `client_seq` is numbered: that very line is to be carried out. One with a
/// `ts`, or a `source`, may be refused for it, which shows only when it is carried out: by then others would be left out for it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TickLine<'a> {
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    price: Cow<'a, str>,
    #[serde(default)]
    ack: bool,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    op: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    symbol: Option<Cow<'a, str>>,
}

impl Told {
    /// What a line is, without its end. What cannot be read goes with the requests: the session says what is wrong with it.
    pub(super) fn of(line: &[u8]) -> Self {
        let Some((op, class, refusable)) = op_of(line) else { return Self::unknown() };
        let mut told = Self { op, lane: class, refusable, symbol: None, tick: None };
        if class == Lane::Ticks {
            told.read_tick(line);
        }
        told
    }

    fn unknown() -> Self {
        Self { op: "other", lane: Lane::Requests, refusable: false, symbol: None, tick: None }
    }

    fn read_tick(&mut self, line: &[u8]) {
        let kind = match self.op {
            "mark" => Some(TickKind::Mark),
            "last" => Some(TickKind::Last),
            _ => None,
        };
        let plain = kind.and_then(|kind| Some((kind, serde_json::from_slice::<TickLine>(line).ok()?)));
        match plain.filter(|(_, line)| line.op == self.op) {
            Some((kind, TickLine { symbol, price, ack, .. })) => {
                self.symbol = Some(symbol.into_owned());
                self.tick = price.parse().ok().map(|price| Tick { kind, price, ack });
            }
            None => {
                self.symbol =
                    serde_json::from_slice::<Head>(line).ok().and_then(|head| head.symbol).map(Cow::into_owned);
            }
        }
    }
}

fn op_of(line: &[u8]) -> Option<(&'static str, Lane, bool)> {
    let known = |op: &[u8]| OPS.iter().find(|(name, ..)| name.as_bytes() == op).copied();
    // Nearly every line begins with its op.
    if let Some(rest) = line.strip_prefix(b"{\"op\":\"")
        && let Some(end) = rest.iter().position(|&byte| byte == b'"' || byte == b'\\')
        && rest[end] == b'"'
    {
        return known(&rest[..end]);
    }
    let head: Head = serde_json::from_slice(line).ok()?;
    known(head.op?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Told {
        Told::of(line.as_bytes())
    }

    #[test]
    fn the_lane_follows_from_the_op_wherever_it_stands() {
        for (op, lane, refusable) in OPS {
            for line in [
                format!("{{\"op\":\"{op}\",\"account\":1}}"),
                format!("{{ \"op\" : \"{op}\" }}"),
                format!("{{\"account\":1,\"x\":{{\"op\":\"get\"}},\"op\":\"{op}\"}}"),
            ] {
                let told = told(&line);
                assert_eq!((told.op, told.lane, told.refusable), (*op, *lane, *refusable), "{line}");
            }
        }
        let escaped = told(r#"{"op":"f\u0069ll"}"#);
        assert_eq!(escaped.op, "fill");
    }

    #[test]
    fn what_cannot_be_read_is_left_to_the_session() {
        for line in
            ["", "{", "[]", "null", "{\"op\":\"", "{\"op\":\"fil", "{\"op\":7}", "{\"op\":\"nonsense\"}", "\u{0}"]
        {
            assert_eq!(told(line), Told::unknown(), "{line}");
        }
        assert_eq!(Told::of(b"{\"op\":\"\xff\"}"), Told::unknown());
    }

    #[test]
    fn only_plain_ticks_may_be_conflated() {
        let tick = told(r#"{"op":"mark","symbol":"X","price":"1.50","ack":true}"#);
        assert_eq!(tick.symbol.as_deref(), Some("X"));
        assert_eq!(tick.tick, Some(Tick { kind: TickKind::Mark, price: Decimal::new(15, 1), ack: true }));
        assert!(told(r#"{"op":"last","symbol":"X","price":"1"}"#).tick.is_some());
        for line in [
            r#"{"op":"mark","symbol":"X","price":"1","source":"a","client_seq":1}"#,
            r#"{"op":"mark","symbol":"X","price":"1","source":"a"}"#,
            r#"{"op":"mark","symbol":"X","price":"1","ts":5}"#,
            r#"{"op":"mark","symbol":"X","price":1.5}"#,
            r#"{"op":"mark","symbol":"X","price":"1e5"}"#,
            r#"{"op":"mark","symbol":"X","price":"1","ts":-1}"#,
            r#"{"op":"mark","symbol":"X","price":"1","venue":"v"}"#,
            r#"{"op":"mark","symbol":"X","price":"1","price":"2"}"#,
            r#"{"op":"mark","price":"1"}"#,
            r#"{"op":"index","symbol":"X","price":"1"}"#,
            r#"{"op":"book","symbol":"X","bid":"1"}"#,
            r#"{"op":"time","ts":1}"#,
        ] {
            let told = told(line);
            assert_eq!((told.lane, &told.tick), (Lane::Ticks, &None), "{line}");
        }
        assert_eq!(told(r#"{"op":"book","symbol":"X","bid":"1"}"#).symbol.as_deref(), Some("X"));
    }
}
