//! What stands behind a handle: a session over an engine, what was told and not taken yet, and the last refusal.

use super::words::{terrace_code, terrace_status};
use crate::command::{Command, OffGrid, OrderName};
use crate::driver::{Driver, Input};
use crate::engine::{self, Engine, Entry, Failure, Output, SubmitError, VenueMessage};
use crate::event::Event;
use crate::kernel::{Kernel, Overview, Settings};
use crate::map::Map;
use crate::market::Market;
use crate::protocol::{Rejection, Session};
use crate::refusal::{Code, Refusal};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use xxhash_rust::xxh3::Xxh3Default;

/// An engine, as a C program holds it.
pub struct terrace_engine {
    pub(super) session: Session<Desk>,
    /// A call panicked: nothing here can be relied on.
    pub(super) dead: bool,
    pub(super) last: Last,
    /// The answer to the last line.
    pub(super) answer: String,
    /// The refusals among what was polled last, with their commands' numbers.
    pub(super) refusals: Vec<(u64, Refusal)>,
    /// Room for formatting.
    pub(super) group: Vec<Event>,
}

/// What the last call that did not succeed has to say. A refusal becomes a sentence only when somebody asks for it.
#[derive(Debug, Default)]
pub(super) enum Last {
    #[default]
    Nothing,
    Refused(Command, Refusal),
    Rejected(Rejection),
    Other(String),
}

/// A driver over an engine that loses nothing: what the engine tells in lockstep too can be polled afterwards, unless it
/// was the answer to a line.
pub(super) struct Desk {
    engine: Running,
    pub(super) log: VecDeque<Output>,
    pub(super) requests: VecDeque<VenueMessage>,
    /// What the last line led to.
    told: Vec<Event>,
    hash: LogHash,
    /// The numbers by which lines know liquidation orders.
    numbers: Map<OrderName, u64>,
}

enum Running {
    Engine(Box<Engine>),
    Stopped { market: Box<Market>, record: Option<Vec<Entry>>, failure: Option<Failure> },
}

/// Hash and length of a log.
#[derive(Default)]
pub(super) struct LogHash {
    /// Only where the sequence is recorded: nobody else could compare it.
    on: bool,
    hasher: Xxh3Default,
    entries: u64,
}

impl LogHash {
    fn new(on: bool) -> Self {
        Self { on, ..Self::default() }
    }

    fn add(&mut self, output: &Output) {
        self.entries += 1;
        if !self.on {
            return;
        }
        match output {
            Output::Event { seq, event } => (seq, event).hash(&mut self.hasher),
            Output::Refused { seq, refusal } => (seq, refusal.code(), refusal.to_string()).hash(&mut self.hasher),
        }
    }

    fn finish(&self) -> (u64, u64) {
        (self.hasher.finish(), self.entries)
    }
}

/// What a replay of the record came to.
pub(super) struct Replayed {
    pub(super) threads: (u64, u64),
    pub(super) inline: (u64, u64),
    pub(super) places: u64,
}

impl terrace_engine {
    pub(super) fn new(engine: Engine) -> Self {
        let hash = LogHash::new(engine.record().is_some());
        let desk = Desk {
            engine: Running::Engine(Box::new(engine)),
            log: VecDeque::new(),
            requests: VecDeque::new(),
            told: Vec::new(),
            hash,
            numbers: Map::default(),
        };
        Self {
            session: Session::over(desk),
            dead: false,
            last: Last::Nothing,
            answer: String::new(),
            refusals: Vec::new(),
            group: Vec::new(),
        }
    }

    pub(super) fn desk(&mut self) -> &mut Desk {
        self.session.kernel_mut()
    }

    pub(super) fn market(&self) -> &Market {
        self.session.kernel().market()
    }

    /// The status of a command that was not taken, with what there is to say about it.
    #[cold]
    pub(super) fn not_taken(&mut self, command: &Command, error: SubmitError) -> terrace_status {
        match error {
            SubmitError::Full => terrace_status::Full,
            SubmitError::Refused(refusal) => {
                self.last = Last::Refused(*command, refusal);
                terrace_status::Refused
            }
            SubmitError::Stopped => self.stopped(),
        }
    }

    /// The status of an engine that takes nothing more.
    #[cold]
    pub(super) fn stopped(&mut self) -> terrace_status {
        match self.desk().failure() {
            Some(failure) => {
                self.last = Last::Other(failure.to_string());
                terrace_status::Failed
            }
            None => terrace_status::Stopped,
        }
    }

    /// The last refusal, as a line would tell it.
    pub(super) fn rejection(&self) -> Option<Rejection> {
        match &self.last {
            Last::Refused(command, refusal) => {
                let liquidation = self.session.kernel().number_of(command);
                Some(Rejection::of_command(self.market(), command, liquidation, *refusal))
            }
            Last::Rejected(rejection) => Some(rejection.clone()),
            Last::Nothing | Last::Other(_) => None,
        }
    }

    pub(super) fn last_code(&self) -> terrace_code {
        match &self.last {
            Last::Refused(_, refusal) => terrace_code::from(refusal.code()),
            Last::Rejected(rejection) => terrace_code::from(rejection.code),
            Last::Nothing | Last::Other(_) => terrace_code::None,
        }
    }

    pub(super) fn last_text(&self) -> String {
        match &self.last {
            Last::Nothing => String::new(),
            Last::Other(text) => text.clone(),
            Last::Refused(..) | Last::Rejected(_) => {
                self.rejection().map(|rejection| rejection.reason).unwrap_or_default()
            }
        }
    }

    /// Carries a line out; its answer stays until the next.
    pub(super) fn line(&mut self, seq: u64, line: &[u8]) -> terrace_status {
        if seq != 0 {
            self.session.number_next_line(seq);
        }
        self.answer.clear();
        match self.session.line(line, &mut self.answer) {
            Ok(()) => terrace_status::Ok,
            Err(rejection) if rejection.code == Code::Halted => self.stopped(),
            Err(rejection) => {
                self.last = Last::Rejected(rejection);
                terrace_status::Refused
            }
        }
    }

    /// Carries a command out with all that follows from it; what it leads to can be polled then.
    pub(super) fn carry_out(&mut self, ts_ns: Option<u64>, command: &Command) -> Result<u64, terrace_status> {
        let done = self.desk().carry_out(|engine| engine.submit_at(ts_ns, command, OffGrid::NONE));
        done.map_err(|error| self.not_taken(command, error))
    }
}

impl Desk {
    /// The engine, if it runs.
    pub(super) fn engine(&mut self) -> Option<&mut Engine> {
        match &mut self.engine {
            Running::Engine(engine) => Some(engine),
            Running::Stopped { .. } => None,
        }
    }

    fn failure(&self) -> Option<Failure> {
        match &self.engine {
            Running::Engine(engine) => engine.failure(),
            Running::Stopped { failure, .. } => failure.clone(),
        }
    }

    /// Takes in what the engine tells, after what was told before.
    pub(super) fn poll(&mut self) {
        let Self { engine, log, requests, hash, numbers, .. } = self;
        if let Running::Engine(engine) = engine {
            engine.poll(
                |request| requests.push_back(*request),
                |output| {
                    hash.add(output);
                    number(numbers, output);
                    log.push_back(*output);
                },
            );
        }
    }

    /// The number by which a line would name the liquidation order of a command.
    fn number_of(&self, command: &Command) -> Option<u64> {
        match command {
            Command::LiquidationFill { order, .. }
            | Command::LiquidationExpire { order }
            | Command::LiquidationUnknown { order } => self.numbers.get(order).copied(),
            _ => None,
        }
    }

    /// Waits until everything is done that was submitted.
    pub(super) fn settle(&mut self) -> Result<(), SubmitError> {
        let settled = self.engine().ok_or(SubmitError::Stopped)?.settle();
        settled.map_err(|_| SubmitError::Stopped)
    }

    /// Submits and waits until that is done; its refusal is told once, here, not in the log.
    fn carry_out(&mut self, submit: impl Fn(&mut Engine) -> Result<u64, SubmitError>) -> Result<u64, SubmitError> {
        let before = self.log.len();
        let seq = loop {
            match submit(self.engine().ok_or(SubmitError::Stopped)?) {
                Err(SubmitError::Full) => self.settle()?,
                Err(error) => return Err(error),
                Ok(seq) => break seq,
            }
        };
        self.settle()?;
        self.poll();
        let own = |output: &Output| matches!(output, Output::Refused { seq: refused, .. } if *refused == seq);
        match self.log.range(before..).position(own).and_then(|at| self.log.remove(before + at)) {
            Some(Output::Refused { refusal, .. }) => Err(refusal.into()),
            _ => Ok(seq),
        }
    }

    /// As [`Desk::carry_out`], for a line: what it leads to is its answer, and not in the log.
    fn for_line(&mut self, submit: impl Fn(&mut Engine) -> Result<u64, SubmitError>) -> Result<(), Refusal> {
        self.told.clear();
        // What was submitted before this line is in the log before it is submitted.
        self.settle().map_err(|_| Refusal::Stopped)?;
        self.poll();
        let before = self.log.len();
        let done = self.carry_out(submit);
        self.told.extend(self.log.drain(before..).filter_map(|output| match output {
            Output::Event { event, .. } => Some(event),
            Output::Refused { .. } => None,
        }));
        match done {
            Ok(_) => Ok(()),
            Err(SubmitError::Refused(refusal)) => Err(refusal),
            Err(_) => Err(Refusal::Stopped),
        }
    }

    /// Settles and ends the threads; false if they are ended already.
    pub(super) fn stop(&mut self) -> bool {
        let Running::Engine(engine) = &mut self.engine else { return false };
        let _ = engine.settle(); // a failure is kept below
        let market = Box::new(engine.market().clone());
        self.poll();
        let stopped = Running::Stopped { market, record: None, failure: None };
        let Running::Engine(engine) = std::mem::replace(&mut self.engine, stopped) else { return false };
        let finished = engine.stop();
        for output in &finished.log {
            self.hash.add(output);
            number(&mut self.numbers, output);
        }
        self.log.extend(finished.log);
        self.requests.extend(finished.requests);
        if let Running::Stopped { record, failure, .. } = &mut self.engine {
            (*record, *failure) = (finished.record, finished.failure);
        }
        true
    }

    /// Goes through the record with an inline kernel; none if there is no record of a stopped engine.
    pub(super) fn replay(&self) -> Option<Result<Replayed, engine::Divergence>> {
        let Running::Stopped { record: Some(record), .. } = &self.engine else { return None };
        let mut inline = LogHash::new(true);
        let mut kernel = Kernel::new(Settings::default());
        let replayed = engine::replay(&mut kernel, record, |output| inline.add(&output));
        Some(replayed.map(|()| Replayed {
            threads: self.hash.finish(),
            inline: inline.finish(),
            places: record.len() as u64,
        }))
    }
}

/// Notes the number of a liquidation order that was told.
fn number(numbers: &mut Map<OrderName, u64>, output: &Output) {
    if let Output::Event { event: event @ Event::LiquidationOrder { liquidation, .. }, .. } = output {
        numbers.extend(event.order_name().map(|name| (name, *liquidation)));
    }
}

impl Driver for Desk {
    fn market(&self) -> &Market {
        match &self.engine {
            Running::Engine(engine) => engine.market(),
            Running::Stopped { market, .. } => market,
        }
    }

    fn now_ns(&self) -> u64 {
        match &self.engine {
            Running::Engine(engine) => Driver::now_ns(engine.as_ref()),
            Running::Stopped { .. } => 0,
        }
    }

    fn pass_time(&mut self, ts_ns: Option<u64>) {
        if let Some(engine) = self.engine() {
            engine.pass_time(ts_ns);
        }
    }

    fn events(&self) -> &[Event] {
        &self.told
    }

    fn carry_out(&mut self, ts_ns: Option<u64>, input: &Input<'_>) -> Result<(), Refusal> {
        self.for_line(|engine| engine.submit_input(ts_ns, input))
    }

    fn ask<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(Overview<'_>) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        self.engine().ok_or(Refusal::Stopped)?.ask(question).map_err(|_| Refusal::Stopped)
    }
}
