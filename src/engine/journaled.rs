//! The sequence of an engine in a journal: each place is handed to the journal's thread as it is given, each outcome when it is known.
//!
//! Nothing waits for the disk: orders go out at once. Whoever acknowledges inputs asks [`Engine::kept_seq`] first. There is always
//! room for the outcomes of the decisions under way: a place is given only if enough is left for them.

use super::failure::Failure;
use super::slot::Output;
use super::{Engine, Entry};
use crate::journal::{Chain, Frame, Log};
use std::collections::VecDeque;

/// A journal under way.
pub(super) struct Journaled {
    log: Log,
    chain: Chain,
    /// Places since what the events come to was written last.
    unchecked: u64,
    /// Frames with the inputs that they hold, oldest first: those that are not known to be kept.
    pending: VecDeque<(u64, u64)>,
    /// Inputs up to this one are kept.
    kept: u64,
}

impl Journaled {
    /// Whether a place, a check and an outcome for each decision under way fit.
    pub(super) fn has_room(&self, undecided: usize) -> bool {
        self.log.room() > undecided + 3
    }

    pub(super) fn told(&mut self, output: &Output) {
        self.chain.add(output);
    }
}

impl Engine {
    /// From now on the sequence goes to a journal, and is kept in memory no more. To be called before the first input, of an
    /// engine that [records](super::EngineSettings::record); `chain` is what the events of the journal come to so far.
    ///
    /// Its queue must have room for more than the decisions under way: some thousand frames.
    ///
    /// # Panics
    ///
    /// If the engine does not record, or has had an input.
    pub fn keep_journal(&mut self, log: Log, chain: Chain) {
        assert!(self.record.as_ref().is_some_and(Vec::is_empty), "a journal of a part: the caller's mistake");
        self.record = None;
        let pending = VecDeque::with_capacity(log.settings().queue);
        self.journal = Some(Journaled { log, chain, unchecked: 0, pending, kept: self.seq });
    }

    /// Where the log is [by hand](Log::by_hand): it writes what is there; whether there was anything.
    pub fn step_journal(&mut self) -> bool {
        self.journal.as_mut().is_some_and(|journal| journal.log.step())
    }

    /// Every input up to this number is in the journal, as safely as its durability says; without a journal the last one.
    ///
    /// An input may be acknowledged when this and [`Engine::told_seq`] have reached it.
    pub fn kept_seq(&mut self) -> u64 {
        self.look_at_journal();
        let Some(journal) = &mut self.journal else { return self.seq };
        while let Some((_, seq)) = journal.pending.pop_front_if(|(frame, _)| journal.log.may_acknowledge(*frame)) {
            journal.kept = seq;
        }
        journal.kept
    }

    pub(super) fn append_place(&mut self, entry: Entry) {
        let seq = entry.seq();
        self.append(Frame::Entry(entry));
        let Some(journal) = &mut self.journal else { return };
        if let Some(seq) = seq {
            journal.pending.push_back((journal.log.appended(), seq));
        }
        journal.unchecked += 1;
        let every = journal.log.settings().check_every;
        if every > 0 && journal.unchecked >= every {
            journal.unchecked = 0;
            let check = journal.chain.check();
            self.append(Frame::Check(check));
        }
    }

    pub(super) fn append(&mut self, frame: Frame) {
        let appended = self.journal.as_mut().map(|journal| journal.log.try_append(frame));
        if appended.is_some_and(|appended| appended.is_err()) {
            self.look_at_journal();
            self.shared.fail(Failure::Journal("its queue is full".to_owned())); // unless the journal has said why
        }
    }

    /// A journal that has failed stops the engine: what comes would be lost.
    pub(super) fn look_at_journal(&self) {
        let failed = self.journal.as_ref().and_then(|journal| journal.log.failure());
        if let Some(error) = failed.filter(|_| !self.shared.has_failed()) {
            self.shared.fail(Failure::Journal(error.to_string()));
        }
    }

    /// Writes everything and ends the journal's thread.
    pub(super) fn end_journal(&mut self) {
        if let Some(Err(error)) = self.journal.take().map(|journal| journal.log.finish()) {
            self.shared.fail(Failure::Journal(error.to_string()));
        }
    }
}
