//! One input line to named fields (protocol: "Form"). JSON is read by a small
//! visitor of our own, because a duplicate key must be seen, which
//! `serde_json::Value` would hide. A floating-point literal is JSON, so the rest
//! of its line can be read, and with it who sent it.

use super::number::{Int, Rat, int, pow10};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Why a command is refused.
#[derive(Debug)]
pub struct Refusal {
    pub code: &'static str,
    pub reason: String,
}

pub fn refuse<T>(code: &'static str, reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { code, reason: reason.into() })
}

pub fn malformed<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    refuse("malformed", reason)
}

/// JSON without duplicate keys.
#[derive(Clone, Debug)]
pub enum Json {
    Null,
    Bool(bool),
    Int(i128),
    /// Or an integer beyond 64 bits: a value that no field takes.
    Float,
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, v: bool) -> Result<Json, E> {
        Ok(Json::Bool(v))
    }

    fn visit_i64<E: Error>(self, v: i64) -> Result<Json, E> {
        Ok(Json::Int(v.into()))
    }

    fn visit_u64<E: Error>(self, v: u64) -> Result<Json, E> {
        Ok(Json::Int(v.into()))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Float)
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<Json, E> {
        Ok(Json::Text(v.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = seq.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut entries: Vec<(String, Json)> = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Json>()? {
            if entries.iter().any(|(k, _)| *k == key) {
                return Err(A::Error::custom(format!("key {key} comes twice")));
            }
            entries.push((key, value));
        }
        Ok(Json::Object(entries))
    }
}

pub fn read_object(line: &str) -> Result<Fields, Refusal> {
    match serde_json::from_str::<Json>(line) {
        Ok(Json::Object(entries)) => Ok(Fields { entries }),
        Ok(_) => malformed("the line is not an object"),
        Err(e) => malformed(format!("not JSON: {e}")),
    }
}

/// `-?[0-9]+(\.[0-9]+)?`, at most 36 digits.
pub fn read_decimal(text: &str) -> Option<Rat> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = match unsigned.split_once('.') {
        Some((whole, part)) => (whole, Some(part)),
        None => (unsigned, None),
    };
    let digits_only = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !digits_only(whole) || !part.is_none_or(digits_only) {
        return None;
    }
    let digits = format!("{whole}{}", part.unwrap_or(""));
    if digits.len() > 36 {
        return None;
    }
    let number: Int = digits.parse().ok()?;
    let number = if text.starts_with('-') { -number } else { number };
    Some(Rat::new(number, pow10(part.unwrap_or("").len() as u32)))
}

pub fn json_decimal(json: &Json) -> Option<Rat> {
    match json {
        Json::Int(n) => Some(Rat::from_integer(Int::from(*n))),
        Json::Text(text) => read_decimal(text),
        _ => None,
    }
}

fn json_id(json: &Json) -> Option<u64> {
    match json {
        Json::Int(n) => u64::try_from(*n).ok(),
        Json::Text(t) if !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit()) => t.parse().ok(),
        _ => None,
    }
}

pub fn is_name(text: &str, longest: usize) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.:/-".contains(c);
    (1..=longest).contains(&text.len()) && text.chars().all(allowed)
}

/// The fields of a command, read by name and type.
pub struct Fields {
    pub entries: Vec<(String, Json)>,
}

impl Fields {
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.entries.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub fn need(&self, key: &str) -> Result<&Json, Refusal> {
        match self.get(key) {
            Some(json) => Ok(json),
            None => malformed(format!("{key} is missing")),
        }
    }

    /// Reads a field if it is there.
    pub fn maybe<T>(&self, key: &str, read: impl Fn(&Self, &str) -> Result<T, Refusal>) -> Result<Option<T>, Refusal> {
        if self.has(key) { read(self, key).map(Some) } else { Ok(None) }
    }

    pub fn text(&self, key: &str) -> Result<String, Refusal> {
        match self.need(key)? {
            Json::Text(text) => Ok(text.clone()),
            _ => malformed(format!("{key} is not a string")),
        }
    }

    pub fn name(&self, key: &str) -> Result<String, Refusal> {
        let text = self.text(key)?;
        if is_name(&text, 32) { Ok(text) } else { malformed(format!("{key} {text:?} is not a name")) }
    }

    pub fn word(&self, key: &str, words: &[&str]) -> Result<String, Refusal> {
        let text = self.text(key)?;
        if words.contains(&text.as_str()) {
            Ok(text)
        } else {
            malformed(format!("{key} {text:?} is none of {words:?}"))
        }
    }

    pub fn word_or(&self, key: &str, words: &[&str], default: &str) -> Result<String, Refusal> {
        let given = self.maybe(key, |f, k| f.word(k, words))?;
        Ok(given.unwrap_or(default.to_string()))
    }

    pub fn flag_or(&self, key: &str, default: bool) -> Result<bool, Refusal> {
        match self.get(key) {
            None => Ok(default),
            Some(Json::Bool(b)) => Ok(*b),
            Some(_) => malformed(format!("{key} is not true or false")),
        }
    }

    pub fn id(&self, key: &str) -> Result<u64, Refusal> {
        match json_id(self.need(key)?) {
            Some(id) => Ok(id),
            None => malformed(format!("{key} is not an unsigned 64-bit integer")),
        }
    }

    pub fn decimal(&self, key: &str) -> Result<Rat, Refusal> {
        match json_decimal(self.need(key)?) {
            Some(x) => Ok(x),
            None => malformed(format!("{key} is not a decimal")),
        }
    }

    pub fn decimal_or(&self, key: &str, default: i64) -> Result<Rat, Refusal> {
        let given = self.maybe(key, Self::decimal)?;
        Ok(given.unwrap_or(Rat::from_integer(int(default))))
    }

    pub fn list(&self, key: &str) -> Result<&Vec<Json>, Refusal> {
        match self.need(key)? {
            Json::List(list) => Ok(list),
            _ => malformed(format!("{key} is not a list")),
        }
    }
}
