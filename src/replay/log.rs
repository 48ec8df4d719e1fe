//! The event log: its lines, their hash, and the file they may go to.

use crate::event::Event;
use crate::market::Market;
use crate::protocol::Encoder;
use std::io::{self, Write};
use xxhash_rust::xxh3::Xxh3;

/// The log as it grows.
pub(super) struct EventLog<'a> {
    file: Option<&'a mut dyn Write>,
    hash: Xxh3,
    lines: u64,
    /// Scratch, so that an input allocates nothing.
    text: String,
}

impl<'a> EventLog<'a> {
    pub(super) fn new(file: Option<&'a mut dyn Write>) -> Self {
        Self { file, hash: Xxh3::new(), lines: 0, text: String::with_capacity(1 << 16) }
    }

    /// Lines so far.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// Appends the events of kernel input `seq`.
    pub(super) fn append(&mut self, market: &Market, seq: u64, events: &[Event]) -> io::Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        self.text.clear();
        Encoder::new(market).events(seq, events, &mut self.text);
        self.hash.update(self.text.as_bytes());
        self.lines += self.text.bytes().filter(|&byte| byte == b'\n').count() as u64;
        match &mut self.file {
            Some(file) => file.write_all(self.text.as_bytes()),
            None => Ok(()),
        }
    }

    /// Writes out what is buffered; the hash of all lines (XXH3, 128 bits) and their number.
    pub(super) fn finish(mut self) -> io::Result<(u128, u64)> {
        if let Some(file) = &mut self.file {
            file.flush()?;
        }
        Ok((self.hash.digest128(), self.lines))
    }
}
