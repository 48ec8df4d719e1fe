//! Metrics of something else than a server: a replay, by its progress and its event log.

use super::ServeError;
use super::board::Board;
use super::http;
use super::pulse::Pulse;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;

/// A board that is shown at an address.
#[derive(Debug)]
pub struct Shown {
    pulse: Arc<Pulse>,
    address: SocketAddr,
}

impl Shown {
    /// Shows it there, until the process ends.
    ///
    /// # Errors
    ///
    /// The address cannot be listened at.
    pub fn at(address: SocketAddr) -> Result<Self, ServeError> {
        let pulse = Arc::new(Pulse::new(Board::default()));
        let of_board = Arc::clone(&pulse);
        let served = http::serve(address, move || of_board.board(|board| board.clone()));
        let failed = |source| ServeError::Listen { address: address.to_string(), source };
        Ok(Self { address: served.map_err(failed)?.0, pulse })
    }

    /// Where: with the port that the system gave.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// So many rows are done, of so many if that is known.
    pub fn rows(&self, done: u64, total: Option<u64>) {
        self.pulse.board(|board| board.rows = Some((done, total)));
    }

    /// Counts the events of a log, given as whole lines, and hands them on.
    pub fn events<'a>(&'a self, log: Option<&'a mut dyn Write>) -> impl Write + 'a {
        Counted { shown: self, log }
    }
}

struct Counted<'a> {
    shown: &'a Shown,
    log: Option<&'a mut dyn Write>,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.log {
            Some(log) => log.write_all(bytes).map(|()| bytes.len())?,
            None => bytes.len(),
        };
        let text = String::from_utf8_lossy(bytes);
        self.shown.pulse.board(|board| {
            board.count_events(&text);
            board.note_balances(&text);
        });
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.log.as_mut().map_or(Ok(()), Write::flush)
    }
}
