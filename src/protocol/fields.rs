//! The fields of a line: read strictly, so that what was meant is what is carried out.

use super::Rejection;
use crate::decimal::Decimal;
use crate::market::{MAX_NAME, is_word};
use crate::refusal::Code;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The most fields of an object: no command has as many.
const MAX_FIELDS: usize = 64;

/// A JSON value in which nothing is lost: floating-point literals are kept apart, keys may not repeat.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Integer(i128),
    Float,
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(i128::from(value)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Integer(i128::from(value)))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Float)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = access.next_element()? {
            list.push(value);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut fields: Vec<(String, Json)> = Vec::new();
        while let Some((key, value)) = access.next_entry::<String, Json>()? {
            if fields.len() == MAX_FIELDS {
                return Err(A::Error::custom(format_args!("an object has more than {MAX_FIELDS} fields")));
            }
            if fields.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom(format_args!("the field {key:?} is given twice")));
            }
            fields.push((key, value));
        }
        Ok(Json::Object(fields))
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

impl fmt::Display for Json {
    /// As a message quotes it; long texts are cut.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float => f.write_str("a floating-point number, or an integer beyond 64 bits"),
            Self::Text(text) if text.chars().count() > 40 => {
                write!(f, "{:?}…", text.chars().take(40).collect::<String>())
            }
            Self::Text(text) => write!(f, "{text:?}"),
            Self::List(_) => f.write_str("a list"),
            Self::Object(_) => f.write_str("an object"),
        }
    }
}

/// The fields of one object, each taken by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Vec<(String, Json)>);

impl Fields {
    /// Reads a line.
    pub(super) fn read(line: &str) -> Result<Self, Rejection> {
        match serde_json::from_str(line) {
            Ok(Json::Object(fields)) => Ok(Self(fields)),
            Ok(other) => Err(Rejection::malformed(format!("a line must be a JSON object, not {other}"))),
            Err(error) => Err(Rejection::malformed(format!("the line is not JSON: {error}"))),
        }
    }

    /// The fields of an object inside a line.
    pub(super) fn of(value: Json, what: &str) -> Result<Self, Rejection> {
        match value {
            Json::Object(fields) => Ok(Self(fields)),
            other => Err(Rejection::malformed(format!("{what} must be an object, not {other}"))),
        }
    }

    /// Refuses fields that are not among `known`.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Rejection> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(Rejection::new(
                Code::UnknownField,
                format!("the field {name:?} is not one of {}", known.join(", ")),
            )),
            None => Ok(()),
        }
    }

    /// Whether a field is given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// A text, without taking it out.
    pub(super) fn peek(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).and_then(|(_, value)| match value {
            Json::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// A whole number, if it is one, without taking it.
    pub(super) fn peek_integer(&self, name: &str) -> Option<i128> {
        self.0.iter().find(|(known, _)| known == name).and_then(|(_, value)| match value {
            Json::Integer(number) => Some(*number),
            _ => None,
        })
    }

    /// Adds a field that is not given.
    pub(super) fn add(&mut self, name: &str, value: Json) {
        self.0.push((name.to_owned(), value));
    }

    /// Takes over what is not given from others; `nested` are fields whose objects complete each other too.
    pub(super) fn complete(&mut self, others: &Self, nested: &[&str]) {
        for (name, other) in &others.0 {
            match (self.0.iter_mut().find(|(known, _)| known == name), other) {
                (None, other) => self.0.push((name.clone(), other.clone())),
                (Some((_, Json::Object(own))), Json::Object(other)) if nested.contains(&name.as_str()) => {
                    let missing: Vec<_> =
                        other.iter().filter(|(name, _)| own.iter().all(|(known, _)| known != name)).cloned().collect();
                    own.extend(missing);
                }
                _ => {}
            }
        }
    }

    /// Whether every field was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a field out, if it is there.
    pub(super) fn take(&mut self, name: &str) -> Option<Json> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// Takes a field that must be there.
    pub(super) fn need(&mut self, name: &str) -> Result<Json, Rejection> {
        self.take(name).ok_or_else(|| Rejection::malformed(format!("the field {name:?} is missing")))
    }

    pub(super) fn text(&mut self, name: &str) -> Result<String, Rejection> {
        match self.need(name)? {
            Json::Text(text) => Ok(text),
            other => Err(wrong(name, "a string", &other)),
        }
    }

    /// The name of an asset, a fund or an instrument.
    pub(super) fn name(&mut self, name: &str) -> Result<String, Rejection> {
        as_name(name, self.need(name)?)
    }

    pub(super) fn name_or_none(&mut self, name: &str) -> Result<Option<String>, Rejection> {
        self.take(name).map(|value| as_name(name, value)).transpose()
    }

    /// The name of a source of lines.
    pub(super) fn source_or_none(&mut self, name: &str) -> Result<Option<String>, Rejection> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Text(text)) => check_length(name, text, 64).map(Some),
            Some(other) => Err(wrong(name, "a string", &other)),
        }
    }

    pub(super) fn decimal(&mut self, name: &str) -> Result<Decimal, Rejection> {
        let value = self.need(name)?;
        as_decimal(name, &value)
    }

    pub(super) fn decimal_or(&mut self, name: &str, default: Decimal) -> Result<Decimal, Rejection> {
        self.take(name).map_or(Ok(default), |value| as_decimal(name, &value))
    }

    pub(super) fn decimal_or_none(&mut self, name: &str) -> Result<Option<Decimal>, Rejection> {
        self.take(name).map(|value| as_decimal(name, &value)).transpose()
    }

    pub(super) fn id(&mut self, name: &str) -> Result<u64, Rejection> {
        let value = self.need(name)?;
        as_id(name, &value)
    }

    pub(super) fn id_or_none(&mut self, name: &str) -> Result<Option<u64>, Rejection> {
        self.take(name).map(|value| as_id(name, &value)).transpose()
    }

    pub(super) fn flag_or(&mut self, name: &str, default: bool) -> Result<bool, Rejection> {
        self.take(name).map_or(Ok(default), |value| as_flag(name, &value))
    }

    pub(super) fn list_or_none(&mut self, name: &str) -> Result<Option<Vec<Json>>, Rejection> {
        self.take(name).map(|value| as_list(name, value)).transpose()
    }

    /// A word of a fixed list, by its meaning.
    pub(super) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Result<T, Rejection> {
        let value = self.need(name)?;
        as_word(name, &value, words)
    }

    pub(super) fn word_or<T: Copy>(&mut self, name: &str, words: &[(&str, T)], default: T) -> Result<T, Rejection> {
        self.take(name).map_or(Ok(default), |value| as_word(name, &value, words))
    }
}

fn wrong(name: &str, expected: &str, found: &Json) -> Rejection {
    Rejection::malformed(format!("{name} must be {expected}, not {found}"))
}

/// The name of an asset, a fund or an instrument.
pub(super) fn as_name(name: &str, value: Json) -> Result<String, Rejection> {
    match value {
        Json::Text(text) => check_length(name, text, MAX_NAME),
        other => Err(wrong(name, "a string", &other)),
    }
}

pub(super) fn as_flag(name: &str, value: &Json) -> Result<bool, Rejection> {
    match value {
        Json::Bool(value) => Ok(*value),
        other => Err(wrong(name, "true or false", other)),
    }
}

pub(super) fn as_list(name: &str, value: Json) -> Result<Vec<Json>, Rejection> {
    match value {
        Json::List(list) => Ok(list),
        other => Err(wrong(name, "a list", &other)),
    }
}

pub(super) fn as_word<T: Copy>(name: &str, value: &Json, words: &[(&str, T)]) -> Result<T, Rejection> {
    let found = match value {
        Json::Text(text) => words.iter().find(|(word, _)| word == text),
        _ => None,
    };
    found.map(|&(_, meaning)| meaning).ok_or_else(|| {
        let list: Vec<&str> = words.iter().map(|&(word, _)| word).collect();
        wrong(name, &format!("one of {}", list.join(", ")), value)
    })
}

pub(super) fn as_decimal(name: &str, value: &Json) -> Result<Decimal, Rejection> {
    let read = match value {
        Json::Text(text) => text.parse().ok(),
        Json::Integer(integer) => Some(Decimal::new(*integer, 0)),
        _ => None,
    };
    read.ok_or_else(|| wrong(name, "a decimal in a string, such as \"30000.1\", of at most 36 digits", value))
}

fn as_id(name: &str, value: &Json) -> Result<u64, Rejection> {
    let read = match value {
        Json::Integer(integer) => u64::try_from(*integer).ok(),
        Json::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    read.ok_or_else(|| wrong(name, "an unsigned 64-bit integer", value))
}

fn check_length(field: &str, name: String, longest: usize) -> Result<String, Rejection> {
    if is_word(&name, longest) {
        Ok(name)
    } else {
        let found = Json::Text(name);
        Err(wrong(field, &format!("1 to {longest} characters of A-Z, a-z, 0-9, _ . : / -"), &found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(result: Result<impl fmt::Debug, Rejection>) -> Code {
        result.unwrap_err().code
    }

    #[test]
    fn reads_strictly() {
        for line in ["", "1", "[]", "{", "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1,\"b\":1}}", "{\"a\":1} x"] {
            assert_eq!(code(Fields::read(line)), Code::Malformed, "{line}");
        }
        let mut fields =
            Fields::read(r#"{"a":"1.5","b":7,"c":1.5,"d":-1,"e":"7","f":null,"g":123456789012345678901234567890}"#)
                .unwrap();
        assert_eq!(fields.decimal("a").unwrap().to_string(), "1.5");
        assert_eq!(fields.decimal("b").unwrap().to_string(), "7");
        assert_eq!(code(fields.decimal("c")), Code::Malformed);
        assert_eq!(code(fields.id("d")), Code::Malformed);
        assert_eq!(fields.id("e").unwrap(), 7);
        assert_eq!(code(fields.decimal("f")), Code::Malformed);
        assert_eq!(code(fields.id("g")), Code::Malformed);
        assert_eq!(code(fields.id("h")), Code::Malformed);
    }

    #[test]
    fn names_what_is_wrong() {
        let mut fields = Fields::read(r#"{"side":"hold","symbol":"a b"}"#).unwrap();
        let rejection = fields.word("side", &[("buy", 1), ("sell", 2)]).unwrap_err();
        assert_eq!(rejection.reason, "side must be one of buy, sell, not \"hold\"");
        assert_eq!(code(fields.name("symbol")), Code::Malformed);
    }
}
