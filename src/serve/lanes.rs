//! Who waits, in which lane, and who is next. No I/O, no clock, no lock.
//!
//! ```text
//!  connection a ── lines, in their order ──►┐   first line a fill    ──► facts      ──►┐
//!  connection b ── lines, in their order ──►┼── first line a mark    ──► ticks      ──►┼── next
//!  connection c ── lines, in their order ──►┘   first line an order  ──► requests   ──►┘
//! ```
//!
//! The lines of a connection are carried out in their order; between connections the lane of the first line that waits decides. So who
//! sends fills and cancels on a connection of its own is never behind orders.
//!
//! **No lane starves**: one that was passed over [`PATIENCE`] times is next. Within a lane connections take turns.
//!
//! **Bounds**: of each connection at most [`LaneSettings::lines`] lines and [`LaneSettings::bytes`] wait, or one line that is longer.

use super::conflate::Run;
use super::plain::{Placed, Plain};
use super::told::{Lane, Tick, TickKind, Told};
use crate::map::Map;
use std::collections::{BTreeMap, VecDeque};

/// So often others may go first.
pub(super) const PATIENCE: u32 = 16;

const LANES: usize = Lane::ALL.len();

/// The bounds of what waits.
#[derive(Clone, Copy, Debug)]
pub struct LaneSettings {
    /// Most lines of a connection that wait, at least 1.
    pub lines: usize,
    /// Most bytes of a connection that wait, but for one line.
    pub bytes: usize,
    /// Where more lines of a connection wait than this, its ticks are conflated; none: they never are.
    pub conflate_from: Option<usize>,
    /// What may be refused is, if it has waited longer than this, in nanoseconds.
    pub busy_after_ns: u64,
}

impl Default for LaneSettings {
    fn default() -> Self {
        Self { lines: 1024, bytes: 4 << 20, conflate_from: Some(64), busy_after_ns: 1_000_000_000 }
    }
}

/// A connection, by its number.
pub(super) type Connection = u64;

/// What waits of a connection.
#[derive(Debug)]
pub(super) enum Item {
    /// A line, without its end.
    Line { text: Vec<u8>, told: Told, since_ns: u64 },
    /// So many ticks that asked for an answer, and are left out: others stand for them.
    Conflated { ticks: u64 },
    /// A line that was too long to be kept.
    TooLong { since_ns: u64 },
    /// No more lines will come.
    End,
}

impl Item {
    fn bytes(&self) -> usize {
        if let Self::Line { text, .. } = self { text.len() } else { 0 }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Line { told, .. } => told.lane,
            Self::Conflated { .. } => Lane::Ticks,
            Self::TooLong { .. } | Self::End => Lane::Requests,
        }
    }
}

/// What is next.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) connection: Connection,
    pub(super) item: Item,
    /// It has waited too long to be carried out, and may be refused.
    pub(super) overdue: bool,
}

#[derive(Debug, Default)]
struct Inbox {
    waiting: BTreeMap<u64, Item>,
    bytes: usize,
    /// The number under which the next waits.
    next: u64,
    /// The ticks since the last line that is none, by their price.
    runs: Map<(u32, TickKind), Run>,
    /// Whether it stands in the list of a lane.
    listed: bool,
    /// Its lines wait until it has read its answers.
    choked: bool,
}

/// What waits, of all connections.
#[derive(Debug)]
pub(super) struct Lanes {
    settings: LaneSettings,
    inboxes: Map<Connection, Inbox>,
    plain: Plain,
    /// Connections by the lane of what is next of theirs.
    turns: [VecDeque<Connection>; LANES],
    /// How often a lane was passed over while it had somebody.
    passed: [u32; LANES],
    depth: [usize; LANES],
    conflated: u64,
}

impl Lanes {
    pub(super) fn new(settings: LaneSettings) -> Self {
        Self {
            settings,
            inboxes: Map::default(),
            plain: Plain::default(),
            turns: std::array::from_fn(|_| VecDeque::new()),
            passed: [0; LANES],
            depth: [0; LANES],
            conflated: 0,
        }
    }

    /// From now on these prices may be conflated, and no others.
    pub(super) fn conflate(&mut self, plain: Plain) {
        self.plain = plain;
        self.inboxes.values_mut().for_each(|inbox| inbox.runs.clear());
    }

    pub(super) fn open(&mut self, connection: Connection) {
        self.inboxes.entry(connection).or_default();
    }

    /// Forgets a connection, and what still waits of it.
    pub(super) fn close(&mut self, connection: Connection) {
        self.unlist(connection);
        if let Some(inbox) = self.inboxes.remove(&connection) {
            inbox.waiting.values().for_each(|item| self.depth[item.lane() as usize] -= 1);
        }
    }

    /// Whether a line of so many bytes may come.
    pub(super) fn has_room(&self, connection: Connection, bytes: usize) -> bool {
        self.inboxes.get(&connection).is_none_or(|inbox| {
            let lines = inbox.waiting.len();
            lines == 0 || (lines < self.settings.lines && inbox.bytes + bytes <= self.settings.bytes)
        })
    }

    /// Takes in what comes from a connection; there must be room. What comes from one that is not known is dropped.
    pub(super) fn push(&mut self, connection: Connection, item: Item) {
        let Some(inbox) = self.inboxes.get_mut(&connection) else { return };
        let ticket = inbox.next;
        inbox.next += 1;
        let above = self.settings.conflate_from.is_some_and(|from| inbox.waiting.len() >= from);
        let placed = place(&self.plain, &item).filter(|_| self.settings.conflate_from.is_some());
        let mut gone = Vec::new();
        match placed {
            None => inbox.runs.clear(), // never across anything else
            Some(Placed { of, price }) => match inbox.runs.get_mut(&of).filter(|run| above && !run.is_far(price)) {
                Some(run) => gone.extend(run.push(ticket, price)),
                None => {
                    inbox.runs.insert(of, Run::begin(ticket, price));
                }
            },
        }
        inbox.bytes += item.bytes();
        self.depth[item.lane() as usize] += 1;
        inbox.waiting.insert(ticket, item);
        for ticket in gone {
            inbox.leave_out(ticket, &mut self.depth);
            self.conflated += 1;
        }
        self.list(connection);
    }

    /// What is next, if anything waits.
    pub(super) fn take(&mut self, now_ns: u64) -> Option<Taken> {
        let lane = self.choose()?;
        let connection = self.turns[lane].pop_front()?;
        let inbox = self.inboxes.get_mut(&connection)?;
        inbox.listed = false;
        let (ticket, item) = inbox.waiting.pop_first()?;
        inbox.bytes -= item.bytes();
        self.depth[item.lane() as usize] -= 1;
        if let Some(Placed { of, .. }) = place(&self.plain, &item)
            && let Some(run) = inbox.runs.remove(&of)
            && let Some(rest) = run.take(ticket)
        {
            inbox.runs.insert(of, rest);
        }
        self.list(connection);
        let overdue = matches!(&item, Item::Line { told, since_ns, .. }
            if told.refusable && now_ns.saturating_sub(*since_ns) > self.settings.busy_after_ns);
        Some(Taken { connection, item, overdue })
    }

    /// The lane whose turn it is.
    fn choose(&mut self) -> Option<usize> {
        let waits = |lane: &usize| !self.turns[*lane].is_empty();
        let starved = (0..LANES).filter(waits).filter(|&lane| self.passed[lane] >= PATIENCE);
        let chosen = starved.max_by_key(|&lane| self.passed[lane]).or_else(|| (0..LANES).find(waits))?;
        for lane in 0..LANES {
            let passed_over = lane != chosen && !self.turns[lane].is_empty();
            self.passed[lane] = if passed_over { self.passed[lane] + 1 } else { 0 };
        }
        Some(chosen)
    }

    /// Lets the lines of a connection wait until it has read its answers, or no more.
    pub(super) fn choke(&mut self, connection: Connection, choked: bool) {
        let Some(inbox) = self.inboxes.get_mut(&connection) else { return };
        if std::mem::replace(&mut inbox.choked, choked) == choked {
            return;
        }
        if choked { self.unlist(connection) } else { self.list(connection) }
    }

    /// Puts a connection into the list of its next line's lane.
    fn list(&mut self, connection: Connection) {
        let Some(inbox) = self.inboxes.get_mut(&connection).filter(|inbox| !inbox.listed && !inbox.choked) else {
            return;
        };
        if let Some((_, item)) = inbox.waiting.first_key_value() {
            inbox.listed = true;
            self.turns[item.lane() as usize].push_back(connection);
        }
    }

    fn unlist(&mut self, connection: Connection) {
        if let Some(inbox) = self.inboxes.get_mut(&connection).filter(|inbox| inbox.listed) {
            inbox.listed = false;
            self.turns.iter_mut().for_each(|turns| turns.retain(|other| *other != connection));
        }
    }

    /// Whether nothing can be taken.
    pub(super) fn is_idle(&self) -> bool {
        self.turns.iter().all(VecDeque::is_empty)
    }

    /// What waits, by lane.
    pub(super) fn depth(&self) -> [usize; LANES] {
        self.depth
    }

    /// Ticks that were left out.
    pub(super) fn conflated(&self) -> u64 {
        self.conflated
    }

    /// How full the fullest connection is, in percent of its bounds.
    pub(super) fn fullest_percent(&self) -> u64 {
        let percent = |part: usize, whole: usize| (part as u64).saturating_mul(100) / (whole as u64).max(1);
        let full = |inbox: &Inbox| {
            percent(inbox.waiting.len(), self.settings.lines).max(percent(inbox.bytes, self.settings.bytes))
        };
        self.inboxes.values().map(full).max().unwrap_or(0)
    }
}

impl Inbox {
    /// A tick is left out. If it asked for an answer, that stays in its place.
    fn leave_out(&mut self, ticket: u64, depth: &mut [usize; LANES]) {
        let Some(item) = self.waiting.remove(&ticket) else { return };
        self.bytes -= item.bytes();
        let answered = matches!(&item, Item::Line { told: Told { tick: Some(Tick { ack: true, .. }), .. }, .. });
        if !answered {
            depth[item.lane() as usize] -= 1;
            return;
        }
        match self.waiting.range_mut(..ticket).next_back() {
            Some((_, Item::Conflated { ticks })) => {
                *ticks += 1;
                depth[item.lane() as usize] -= 1;
            }
            _ => drop(self.waiting.insert(ticket, Item::Conflated { ticks: 1 })),
        }
    }
}

fn place(plain: &Plain, item: &Item) -> Option<Placed> {
    let Item::Line { told: Told { symbol: Some(symbol), tick: Some(tick), .. }, .. } = item else { return None };
    plain.place(symbol, tick)
}

#[cfg(test)]
mod tests;
