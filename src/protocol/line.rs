//! A line of JSON, field by field, without a tree in between.

use std::fmt::{Display, Write};

/// One JSON object under construction at the end of a text.
pub(super) struct Line<'a> {
    out: &'a mut String,
}

impl<'a> Line<'a> {
    /// Begins a line `{"ev":…,"seq":…`.
    pub(super) fn begin(out: &'a mut String, event: &str, seq: u64) -> Self {
        out.push_str("{\"ev\":\"");
        out.push_str(event);
        out.push_str("\",\"seq\":");
        push(out, seq);
        Self { out }
    }

    /// Begins a line `{"op":…`, with the number and the time of an input, if there are any.
    #[cfg(feature = "journal")]
    pub(super) fn op(out: &'a mut String, op: &str, seq: Option<u64>, ts_ns: Option<u64>) -> Self {
        out.push_str("{\"op\":\"");
        out.push_str(op);
        out.push('"');
        let mut line = Self { out };
        for (name, number) in [("seq", seq), ("ts", ts_ns)] {
            if let Some(number) = number {
                line.bare(name, number);
            }
        }
        line
    }

    /// Begins an object inside a line.
    pub(super) fn object(out: &'a mut String) -> Self {
        out.push('{');
        Self { out }
    }

    fn key(&mut self, name: &str) -> &mut String {
        if !self.out.ends_with('{') {
            self.out.push(',');
        }
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    /// A field whose value needs no quotes: an integer, `true`, `null`.
    pub(super) fn bare(&mut self, name: &str, value: impl Display) -> &mut Self {
        push(self.key(name), value);
        self
    }

    /// A field in quotes. The text must need no escape: a decimal or one of our words or names.
    pub(super) fn quoted(&mut self, name: &str, value: impl Display) -> &mut Self {
        let out = self.key(name);
        out.push('"');
        push(out, value);
        out.push('"');
        self
    }

    /// A field in quotes, or `null`.
    pub(super) fn quoted_or_null(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        match value {
            Some(value) => self.quoted(name, value),
            None => self.bare(name, "null"),
        }
    }

    /// A field with any text, escaped.
    pub(super) fn text(&mut self, name: &str, value: &str) -> &mut Self {
        let escaped = serde_json::Value::from(value);
        self.bare(name, escaped)
    }

    /// A field that holds a list, each element written by `each`.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut String, T),
    ) -> &mut Self {
        let out = self.key(name);
        out.push('[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            each(out, item);
        }
        out.push(']');
        self
    }

    /// Fields that somebody else writes.
    pub(super) fn with(&mut self, fill: impl FnOnce(&mut Self)) -> &mut Self {
        fill(self);
        self
    }

    /// A field that holds an object.
    pub(super) fn nested(&mut self, name: &str, fill: impl FnOnce(&mut Line<'_>)) -> &mut Self {
        let out = self.key(name);
        let mut inner = Line::object(out);
        fill(&mut inner);
        inner.close();
        self
    }

    /// Ends an object inside a line.
    pub(super) fn close(&mut self) {
        self.out.push('}');
    }

    /// Ends the line.
    pub(super) fn end(&mut self) {
        self.out.push_str("}\n");
    }
}

pub(super) fn push(out: &mut String, value: impl Display) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{value}");
}
