//! Who carries lines out: one thread, one session. What a line leads to is told when the journal keeps it, in the order of the lines.

use super::Settings;
use super::board::{Board, FundGauge};
use super::hall::Hall;
use super::lanes::{Connection, Item, Taken};
use super::outbox::CUT;
use super::plain::Plain;
use super::pulse::Pulse;
use super::session::Served;
use super::told::{Lane, Told};
use crate::kernel::{Health, Overview};
use crate::map::hash_of;
use crate::market::FundId;
use crate::protocol::Rejection;
use crate::refusal::Code;
use crossbeam::channel::Receiver;
use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Most bytes, and most lines, whose answers are held back before the journal is waited for.
const HELD: (usize, usize) = (1 << 18, 4096);

/// How often the state is looked at for the board.
const REFRESH_NS: u64 = 500_000_000;

/// Most answers of the venue that are watched for.
const AWAITED: usize = 4096;

/// An answer that waits for the journal.
struct Held {
    /// It may be told when the journal keeps this frame.
    frame: u64,
    /// When it began to wait.
    at_ns: u64,
    connection: Option<Connection>,
    text: String,
    since_ns: Option<u64>,
    /// Whether what it tells has happened, for those who hear events.
    happened: bool,
    /// Whether the connection has nothing more to say.
    ends: bool,
}

pub(super) struct Owner<'a, S> {
    session: S,
    settings: &'a Settings,
    hall: Arc<Hall>,
    pulse: Arc<Pulse>,
    /// Commands of the watchdog.
    commands: Receiver<String>,
    held: VecDeque<Held>,
    held_bytes: usize,
    refreshed_ns: Option<u64>,
    beaten_ns: u64,
}

/// Where the kernel is told the time of this machine, so far ahead of it a line may be: clocks differ a little.
const AHEAD_NS: u64 = 60_000_000_000;

/// Nothing more is carried out.
struct Stopped;

impl<'a, S: Served> Owner<'a, S> {
    pub(super) fn new(
        session: S,
        settings: &'a Settings,
        hall: Arc<Hall>,
        pulse: Arc<Pulse>,
        commands: Receiver<String>,
    ) -> Self {
        let held = VecDeque::new();
        Self { session, settings, hall, pulse, commands, held, held_bytes: 0, refreshed_ns: None, beaten_ns: 0 }
    }

    /// Carries lines out until it is told to stop and all that was read is carried out and answered.
    ///
    /// # Errors
    ///
    /// The journal has failed, or the kernel has stopped.
    pub(super) fn run(mut self) -> Result<(), String> {
        self.learn_instruments();
        let ended = self.carry_out_all();
        if ended.is_err() {
            self.tell();
            let finished = self.session.finish();
            return Err(finished.err().unwrap_or_else(|| "the kernel has stopped".to_owned()));
        }
        self.session.finish()?;
        self.hall.say_goodbye(self.settings.write_within);
        Ok(())
    }

    fn carry_out_all(&mut self) -> Result<(), Stopped> {
        loop {
            while let Ok(line) = self.commands.try_recv() {
                self.command(&line)?;
            }
            self.beat()?;
            self.refresh();
            let Some(taken) = self.hall.take() else {
                self.settle()?;
                if self.hall.is_over() {
                    return Ok(());
                }
                self.hall.wait(self.rest());
                continue;
            };
            self.carry_out(taken)?;
            self.tell();
            if self.held_bytes >= HELD.0 || self.held.len() >= HELD.1 {
                self.settle()?;
            }
        }
    }

    /// How long there is nothing to do by the clock.
    fn rest(&self) -> Duration {
        let rest = Duration::from_nanos(REFRESH_NS);
        self.settings.heartbeat.map_or(rest, |beat| beat.min(rest))
    }

    fn carry_out(&mut self, taken: Taken) -> Result<(), Stopped> {
        let Taken { connection, item, overdue } = taken;
        let mut text = String::new();
        let (mut since, mut happened, mut ends) = (None, false, false);
        match item {
            Item::Line { told, since_ns, .. } if overdue => {
                let reason = format!("the line waited longer than {} ns", self.settings.lanes.busy_after_ns);
                self.refuse(told.op, &Rejection { code: Code::Busy, reason, seq: None }, &mut text)?;
                since = Some(since_ns);
            }
            Item::Line { text: line, told, since_ns } => {
                since = Some(since_ns);
                happened = told.lane != Lane::Questions;
                self.line(&line, &told, &mut text)?;
            }
            Item::Conflated { ticks } => {
                for _ in 0..ticks {
                    let seq = self.session.count_line().ok_or(Stopped)?;
                    // Writing to a String cannot fail.
                    let _ = writeln!(text, "{{\"ev\":\"ok\",\"seq\":{seq},\"conflated\":true}}");
                }
            }
            Item::TooLong { since_ns } => {
                let reason = format!("the line is longer than {} bytes", self.settings.max_line);
                self.refuse("other", &Rejection { code: Code::Malformed, reason, seq: None }, &mut text)?;
                since = Some(since_ns);
            }
            Item::End => ends = true,
        }
        self.hold(Some(connection), text, since, (happened, ends));
        Ok(())
    }

    fn line(&mut self, line: &[u8], told: &Told, out: &mut String) -> Result<(), Stopped> {
        self.pulse.begin(self.hall.now_ns());
        let done = self.session.line(line, out);
        self.pulse.end();
        if done.as_ref().is_err_and(Rejection::has_stopped) {
            return Err(Stopped);
        }
        if done.is_ok() && matches!(told.op, "instrument" | "set") {
            self.learn_instruments();
        }
        if let (Ok(()), Some(symbol)) = (&done, &told.symbol) {
            self.hall.note_tick(symbol);
        }
        let outcome = done.as_ref().map_or_else(|rejection| rejection.code.as_str(), |()| "ok");
        self.board(|board| {
            board.count_line(told.op, outcome);
            board.count_events(out);
        });
        Ok(())
    }

    /// Refuses a line without the kernel.
    fn refuse(&mut self, op: &'static str, rejection: &Rejection, out: &mut String) -> Result<(), Stopped> {
        let seq = self.session.count_line().ok_or(Stopped)?;
        rejection.line(seq, out);
        self.board(|board| {
            board.count_line(op, rejection.code.as_str());
            board.count_events(out);
        });
        Ok(())
    }

    /// A command of our own: a health state, or the time.
    fn command(&mut self, line: &str) -> Result<(), Stopped> {
        let mut text = String::new();
        self.line(line.as_bytes(), &Told::of(line.as_bytes()), &mut text)?;
        self.hold(None, text, None, (true, false));
        Ok(())
    }

    /// Tells the kernel the time, if it is to be told and has come.
    fn beat(&mut self) -> Result<(), Stopped> {
        let Some(every) = self.settings.heartbeat else { return Ok(()) };
        let now_ns = self.hall.now_ns();
        if now_ns.saturating_sub(self.beaten_ns) < every.as_nanos() as u64 && self.beaten_ns > 0 {
            return Ok(());
        }
        self.beaten_ns = now_ns.max(1);
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        self.session.tell_latest(u64::try_from(time).unwrap_or(u64::MAX).saturating_add(AHEAD_NS));
        self.command(&format!("{{\"op\":\"time\",\"ts\":{time}}}"))
    }

    fn hold(
        &mut self,
        connection: Option<Connection>,
        text: String,
        since_ns: Option<u64>,
        (happened, ends): (bool, bool),
    ) {
        self.held_bytes += text.len();
        let frame = self.session.appended();
        self.pulse.set_journal_places(self.session.journal_places());
        let at_ns = self.hall.now_ns();
        self.held.push_back(Held { frame, at_ns, connection, text, since_ns, happened, ends });
        self.pulse.set_unkept(self.held.front().map(|held| held.at_ns));
    }

    /// Waits for the journal, and tells everything.
    fn settle(&mut self) -> Result<(), Stopped> {
        if !self.held.is_empty() && !self.session.wait() {
            return Err(Stopped);
        }
        self.tell();
        Ok(())
    }

    /// Tells what the journal keeps.
    fn tell(&mut self) {
        while self.held.front().is_some_and(|held| self.session.may_tell(held.frame)) {
            let Some(held) = self.held.pop_front() else { break };
            self.held_bytes -= held.text.len();
            self.deliver(held);
        }
        self.pulse.set_unkept(self.held.front().map(|held| held.at_ns));
    }

    fn deliver(&self, held: Held) {
        let Held { connection, text, since_ns, happened, ends, .. } = held;
        if happened && !text.is_empty() {
            self.tell_hearers(&text);
        }
        if let Some(since_ns) = since_ns {
            let took_ns = self.hall.now_ns().saturating_sub(since_ns);
            self.board(|board| board.answered.note(took_ns));
        }
        let Some(connection) = connection else { return };
        let Some(outbox) = self.hall.with(|inner| inner.outboxes.get(&connection).cloned()) else { return };
        outbox.put(text);
        if ends {
            outbox.end();
            self.hall.with(|inner| inner.reading -= 1);
        } else {
            self.hall.choke_if_full(connection, &outbox);
        }
    }

    /// Events go to all who hear them; who does not read them is cut off.
    fn tell_hearers(&self, text: &str) {
        let hearers: Vec<_> = self.hall.with(|inner| inner.hearers.values().cloned().collect());
        if hearers.is_empty() {
            return;
        }
        let answers = ["{\"ev\":\"ok\"", "{\"ev\":\"rejected\""];
        let events: String =
            text.split_inclusive('\n').filter(|line| !answers.iter().any(|answer| line.starts_with(answer))).collect();
        for hearer in hearers {
            hearer.put(events.clone());
            if hearer.pending() > CUT && !hearer.is_gone() {
                eprintln!("terrace: who hears events does not read them, and is cut off");
                hearer.cut();
                hearer.end();
                self.hall.with(|inner| inner.cut += 1);
            }
        }
    }

    /// Instruments have come or changed.
    fn learn_instruments(&mut self) {
        let plain = Plain::of(self.session.market());
        let symbols = self.session.market().instruments.iter().map(|at| at.spec.symbol.clone()).collect();
        self.hall.with(|inner| {
            inner.lanes.conflate(plain);
            inner.symbols = symbols;
        });
    }

    /// Looks at the state for the board, now and then.
    fn refresh(&mut self) {
        let now_ns = self.hall.now_ns();
        if self.refreshed_ns.is_some_and(|last| now_ns.saturating_sub(last) < REFRESH_NS) {
            return;
        }
        self.refreshed_ns = Some(now_ns);
        let Some((funds, locked, awaited)) = self.session.ask(look) else { return };
        let behind = self.session.behind();
        self.board(|board| {
            board.funds = funds;
            board.locked = locked;
            board.waiting = awaited.len();
            board.journal_behind = behind;
        });
        self.hall.with(|inner| inner.awaited = awaited.into_iter().take(AWAITED).collect());
    }

    fn board(&self, fill: impl FnOnce(&mut Board)) {
        self.pulse.board(fill);
    }
}

/// Funds, locked pools, and answers of the venue that are waited for.
fn look(overview: Overview<'_>) -> (Vec<FundGauge>, usize, Vec<u64>) {
    let market = overview.market();
    let fund = |(at, spec): (usize, &crate::market::FundSpec)| {
        let view = overview.fund(FundId(at as u32)).ok()?;
        let amount = |quanta| market.quanta(spec.asset).value(quanta).to_string();
        let (balance, equity) = (amount(view.balance), Some(amount(view.equity)));
        Some(FundGauge { fund: spec.name.clone(), balance, equity })
    };
    let funds = market.funds.iter().enumerate().filter_map(fund).collect();
    let Health { locked, waiting } = overview.health();
    let awaited =
        waiting.iter().map(|pool| hash_of(format!("{:?}", (pool.owner, pool.pool, pool.state, pool.liquidation))));
    (funds, locked, awaited.collect())
}
