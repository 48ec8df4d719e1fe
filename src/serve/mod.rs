//! Serving a session over sockets: several connections at once, each JSON Lines both ways.
//!
//! ```text
//!  connections ─ readers ─► lanes ─► owner: Session ─► answers, held back ─► outboxes ─ writers ─► connections
//!                (told by op)  ▲         │                until the journal                  └─► who hears events
//!                              │         └─► board ─► /metrics, /health    keeps them
//!                              └── watchdog: `health` commands
//! ```
//!
//! - One thread owns the session and carries lines out one by one; it never reads, writes or waits for a connection.
//! - `lanes` say who is next, `conflate` which ticks are left of those that wait: both without I/O or clock.
//! - Everything is bounded: the lines that wait of a connection, the answers that it has not read, connections, lines, requests.
//! - A connection that sends more than is carried out is read no further; one that does not read its answers sends nothing more that
//!   is carried out, and after a while is cut off. Nobody else notices.
//! - `watchdog` turns what is observed into named states, which the kernel gets as commands: so they are in the journal, and a replay
//!   needs no clock.

mod address;
mod board;
mod conflate;
mod connection;
mod hall;
mod http;
mod lanes;
mod outbox;
mod owner;
mod plain;
mod pulse;
mod session;
mod show;
mod shown;
mod told;
mod watch;
mod watchdog;

pub use address::{Address, NotAnAddress};
pub use lanes::LaneSettings;
pub use session::Served;
pub use shown::Shown;
pub use watchdog::WatchSettings;

use address::Listener;
use board::Board;
use connection::Terms;
use hall::Hall;
use lanes::Lanes;
use owner::Owner;
use pulse::Pulse;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What is served where, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where lines come in.
    pub listen: Vec<Address>,
    /// Where all events can be heard.
    pub events: Option<Address>,
    /// Where metrics and health are shown.
    pub metrics: Option<SocketAddr>,
    /// The bounds of what waits.
    pub lanes: LaneSettings,
    /// When something is not as it should be.
    pub watch: WatchSettings,
    /// Most connections at a time.
    pub connections: usize,
    /// The longest line, in bytes.
    pub max_line: usize,
    /// Who reads nothing for so long is cut off.
    pub write_within: Duration,
    /// How often the kernel is told the time of the system; none: lines tell it.
    pub heartbeat: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            events: None,
            metrics: None,
            lanes: LaneSettings::default(),
            watch: WatchSettings::default(),
            connections: 64,
            max_line: 1 << 20,
            write_within: Duration::from_secs(30),
            heartbeat: None,
        }
    }
}

/// Why nothing is served, or nothing any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// An address cannot be listened at.
    #[error("{address}: cannot listen there: {source}")]
    Listen {
        /// Which.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The system starts no thread.
    #[error("no thread could be started: {0}")]
    Thread(io::Error),
    /// The journal has failed, or the kernel has stopped.
    #[error("nothing more is carried out: {0}")]
    Stopped(String),
}

/// Where it is served: with the ports that the system gave.
#[derive(Clone, Debug, Default)]
pub struct Bound {
    /// Where lines come in.
    pub listen: Vec<Address>,
    /// Where all events can be heard.
    pub events: Option<Address>,
    /// Where metrics and health are shown.
    pub metrics: Option<SocketAddr>,
}

/// What can be said to a server from outside.
#[derive(Clone, Debug)]
pub struct Handle {
    hall: Arc<Hall>,
}

impl Handle {
    /// Takes no more connections and reads no more lines; those that were read are carried out and answered, then it ends.
    pub fn stop(&self) {
        self.hall.stop();
    }
}

/// Serves a session on this thread until it is told to stop; `begun` hears where, before the first connection is accepted.
///
/// # Errors
///
/// An address cannot be listened at, or nothing more can be carried out.
pub fn serve<S: Served>(session: S, settings: &Settings, begun: impl FnOnce(&Bound, Handle)) -> Result<(), ServeError> {
    let (watched, lanes) = (settings.watch.watched(), Lanes::new(settings.lanes));
    let (hall, pulse) = (Arc::new(Hall::new(lanes)), Arc::new(Pulse::new(Board { watched, ..Board::default() })));
    let mut bound = Bound::default();
    let mut listeners = Vec::new();
    let all = settings.listen.iter().map(|address| (address, false)).chain(settings.events.iter().map(|at| (at, true)));
    for (address, hear) in all {
        let failed = |source| ServeError::Listen { address: address.to_string(), source };
        let listener = Listener::bind(address).map_err(failed)?;
        let at = listener.address().map_err(failed)?;
        if hear {
            bound.events = Some(at);
        } else {
            bound.listen.push(at);
        }
        listeners.push((listener, hear));
    }
    if let Some(address) = settings.metrics {
        let (of_board, of_hall) = (Arc::clone(&pulse), Arc::clone(&hall));
        let shown = http::serve(address, move || of_hall.show(&of_board));
        let failed = |source| ServeError::Listen { address: address.to_string(), source };
        bound.metrics = Some(shown.map_err(failed)?.0);
    }
    pulse.set_journal_places(session.journal_places()); // before anybody compares with it
    let ill = watch::known_to(session.market());
    let commands = watch::start(settings.watch.clone(), ill, &hall, &pulse).map_err(ServeError::Thread)?;
    begun(&bound, Handle { hall: Arc::clone(&hall) });
    for (listener, hear) in listeners {
        let Settings { connections, max_line, write_within, .. } = *settings;
        let terms = Terms { connections, max_line, write_within, hear };
        connection::accept(listener, Arc::clone(&hall), terms).map_err(ServeError::Thread)?;
    }
    let served = Owner::new(session, settings, Arc::clone(&hall), pulse, commands).run();
    hall.stop(); // whatever ended it: nobody waits for an answer that will not come
    for address in &bound.listen {
        if let Address::Unix(path) = address {
            let _ = std::fs::remove_file(path); // it may have gone
        }
    }
    served.map_err(ServeError::Stopped)
}
