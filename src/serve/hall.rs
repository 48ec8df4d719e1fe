//! Where connections and the one who carries lines out meet: the lanes behind a lock, and who waits at them.
//!
//! Readers put lines in and wait for room; the owner takes them out and waits for lines. Nobody holds the lock while anything is
//! carried out, read, written or waited for.

use super::board::Board;
use super::lanes::{Connection, Item, Lanes, Taken};
use super::outbox::Outbox;
use super::pulse::Pulse;
use super::told::Lane;
use crate::map::Map;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

#[expect(clippy::disallowed_types, reason = "sockets wait for each other, no thread of the kernel does")]
type Mutex<T> = std::sync::Mutex<T>;
#[expect(clippy::disallowed_types, reason = "sockets wait for each other, no thread of the kernel does")]
type Condvar = std::sync::Condvar;

#[derive(Debug)]
pub(super) struct Hall {
    inner: Mutex<Inner>,
    /// Something waits in a lane, or is to be done otherwise.
    work: Condvar,
    /// A connection has room again.
    room: Condvar,
    started: Instant,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) lanes: Lanes,
    pub(super) outboxes: Map<Connection, Arc<Outbox>>,
    /// Who hears all events.
    pub(super) hearers: Map<Connection, Arc<Outbox>>,
    /// When a price of an instrument was last taken, in nanoseconds since the start.
    pub(super) last_ticks: Map<String, u64>,
    /// All instruments.
    pub(super) symbols: Vec<String>,
    /// Connections cut off because they did not read what they were told.
    pub(super) cut: u64,
    /// Answers of the venue that are waited for, each by a number that stands for it.
    pub(super) awaited: Vec<u64>,
    /// Connections that may still send lines, or whose lines are not all answered.
    pub(super) reading: usize,
    next: Connection,
    /// No more connections, and no more lines.
    pub(super) stopping: bool,
    /// Somebody called while nobody waited.
    called: bool,
}

impl Hall {
    pub(super) fn new(lanes: Lanes) -> Self {
        let inner = Inner {
            lanes,
            outboxes: Map::default(),
            hearers: Map::default(),
            last_ticks: Map::default(),
            symbols: Vec::new(),
            cut: 0,
            awaited: Vec::new(),
            reading: 0,
            next: 1,
            stopping: false,
            called: false,
        };
        Self { inner: Mutex::new(inner), work: Condvar::new(), room: Condvar::new(), started: Instant::now() }
    }

    /// Nanoseconds since the start.
    pub(super) fn now_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Looks at what is behind the lock, briefly.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A new connection, which sends lines or only hears; none if there are so many already, or no more are taken.
    pub(super) fn enter(&self, outbox: &Arc<Outbox>, hears: bool, most: usize) -> Option<Connection> {
        self.with(|inner| {
            if inner.stopping || inner.outboxes.len() + inner.hearers.len() >= most {
                return None;
            }
            let connection = inner.next;
            inner.next += 1;
            if hears {
                inner.hearers.insert(connection, Arc::clone(outbox));
            } else {
                inner.outboxes.insert(connection, Arc::clone(outbox));
                inner.lanes.open(connection);
                inner.reading += 1;
            }
            Some(connection)
        })
    }

    /// A connection has ended on both sides.
    pub(super) fn leave(&self, connection: Connection) {
        self.with(|inner| {
            inner.outboxes.remove(&connection);
            inner.hearers.remove(&connection);
            inner.lanes.close(connection);
        });
        self.room.notify_all();
    }

    /// Puts in what came from a connection, as soon as there is room; whether more is to be read.
    pub(super) fn push(&self, connection: Connection, item: Item) -> bool {
        let bytes = if let Item::Line { text, .. } = &item { text.len() } else { 0 };
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        while !inner.lanes.has_room(connection, bytes) {
            inner = self.room.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        inner.lanes.push(connection, item);
        let goes_on = !inner.stopping;
        drop(inner);
        self.work.notify_one();
        goes_on
    }

    /// A price of an instrument was taken: one that is refused is none.
    pub(super) fn note_tick(&self, symbol: &str) {
        let now_ns = self.now_ns();
        self.with(|inner| match inner.last_ticks.get_mut(symbol) {
            Some(last) => *last = now_ns,
            None => drop(inner.last_ticks.insert(symbol.to_owned(), now_ns)),
        });
    }

    /// What is next, if anything waits.
    pub(super) fn take(&self) -> Option<Taken> {
        let now_ns = self.now_ns();
        let taken = self.with(|inner| inner.lanes.take(now_ns));
        if taken.is_some() {
            self.room.notify_all();
        }
        taken
    }

    /// Waits until something is there to be done, or so long.
    pub(super) fn wait(&self, longest: Duration) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |inner: &mut Inner| !inner.called && inner.lanes.is_idle();
        let (mut inner, _) = self.work.wait_timeout_while(inner, longest, idle).unwrap_or_else(PoisonError::into_inner);
        inner.called = false;
    }

    /// Wakes the owner: there is something to do beside the lanes.
    pub(super) fn call(&self) {
        self.with(|inner| inner.called = true);
        self.work.notify_one();
    }

    /// Lets the lines of a connection wait while it does not read its answers.
    pub(super) fn choke_if_full(&self, connection: Connection, outbox: &Outbox) {
        // Looked at behind the lock: the writer looks after it has written.
        self.with(|inner| {
            if outbox.is_full() {
                inner.lanes.choke(connection, true);
            }
        });
    }

    /// A connection has read its answers, or takes no more of them: its lines go on.
    pub(super) fn unchoke_if_read(&self, connection: Connection, outbox: &Outbox) {
        if !outbox.is_full() {
            self.with(|inner| inner.lanes.choke(connection, false));
            self.work.notify_one();
        }
    }

    /// Ends all connections towards us: what has been read is carried out and answered, nothing more is read.
    pub(super) fn stop(&self) {
        self.with(|inner| {
            inner.stopping = true;
            inner.outboxes.values().for_each(|outbox| outbox.stop_reading());
        });
        self.call();
    }

    /// Whether it is to stop, and everything that was read is answered.
    pub(super) fn is_over(&self) -> bool {
        self.with(|inner| inner.stopping && inner.reading == 0 && inner.lanes.is_idle())
    }

    /// Ends all connections, and waits until they have read what they were told, but not longer than this.
    pub(super) fn say_goodbye(&self, longest: Duration) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.outboxes.values().chain(inner.hearers.values()).for_each(|outbox| outbox.end());
        let read = |inner: &mut Inner| !(inner.outboxes.is_empty() && inner.hearers.is_empty());
        drop(self.room.wait_timeout_while(inner, longest, read).unwrap_or_else(PoisonError::into_inner));
    }

    /// The board, with what is known here.
    pub(super) fn show(&self, pulse: &Pulse) -> Board {
        let mut board = pulse.board(|board| board.clone());
        self.with(|inner| {
            let depth = inner.lanes.depth();
            board.lanes = Lane::ALL.iter().map(|lane| (lane.as_str(), depth[*lane as usize])).collect();
            board.conflated = inner.lanes.conflated();
            board.cut = inner.cut;
            board.connections = inner.outboxes.len();
            board.hearers = inner.hearers.len();
        });
        board.now_ns = self.now_ns();
        board
    }
}
