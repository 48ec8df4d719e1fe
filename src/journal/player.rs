//! Going through a journal with an inline kernel, as it is read.

use super::chain::Chain;
use super::error::JournalError;
use super::frame::{Check, Frame, Line};
use super::reader::{Cut, Position, Reader};
use super::snapshot::Stand;
use super::writer::End;
use crate::engine::{Decision, Divergence, Entry, Output, Steps};
use crate::kernel::Kernel;
use std::collections::VecDeque;

/// Why a journal could not be gone through.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlayError {
    /// It cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The kernel comes to something else.
    #[error("the journal, gone through again, comes to something else: {0}")]
    Diverged(#[from] Divergence),
}

/// What a step went through.
#[derive(Clone, Debug)]
pub enum Played {
    /// A place, and the line of a session that got it.
    Place(Entry, Option<Line>),
    /// A line of a session that got no place.
    Line(Line),
    /// What the events came to, here as in the journal.
    Check(Check),
    /// What the state came to, here as in the journal.
    State(u64),
}

/// What the last place leaves to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ending {
    /// Nothing: what falls due by time that a question passed waits for the next input.
    #[default]
    Whole,
    /// A decision belongs after it and is not there.
    LacksDecision,
    /// It is a decision: pieces of what is ordered for all accounts may follow.
    Decided,
}

/// Goes through a journal, place by place; every outcome and every check is recomputed and compared. Of the journal no more is
/// held than a segment, and what comes before the outcome of a decision under way.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "two say what is wanted, two what was found, each by itself")]
pub struct Player {
    reader: Reader,
    steps: Steps,
    /// Whether the kernel is still to begin, under the rules of the journal.
    begins: bool,
    /// Read, and not gone through; each with where its frame ends.
    pending: VecDeque<(Played, Position)>,
    /// Where the frame of the last that was gone through ends.
    at: Position,
    /// Outcomes that are still to come of decisions before the snapshot that this goes on from: they were compared then.
    owed: u32,
    /// Of outcomes that came by themselves: when its decision is gone through, so many are; and so many were read before it.
    decided: VecDeque<(u64, u64)>,
    /// Whether nothing is gone through before all is known that it leads to.
    follows: bool,
    /// Places among them.
    places: usize,
    /// Decisions among them that have no outcome yet: as many frames from the beginning of the journal on.
    undecided: VecDeque<u64>,
    /// Frames that were pending and are no more.
    gone: u64,
    read_all: bool,
    told: Told,
    /// The last check, and the place after it.
    checked: (Check, usize),
    /// The place after the last state that was compared, or that this goes on from.
    stated: usize,
    /// Whether the last place is to be completed ([`Player::complete`]).
    completes: bool,
    ending: Ending,
    /// Whether a decision is needed since an input that none has followed yet: an inline kernel takes one after each, an engine where it asks for one.
    lacks_decision: bool,
    /// What the decisions came to that have no outcome in the journal.
    found: Vec<Decision>,
}

/// Whether all is known that a place needs: of a decision, what it came to.
fn is_known(entry: &Entry) -> bool {
    !matches!(entry, Entry::Decide { outcome: None })
}

/// What was told so far comes to.
#[derive(Debug, Default)]
struct Told {
    chain: Chain,
    /// The hash after each event since the last check.
    since: VecDeque<u64>,
}

impl Told {
    fn add(&mut self, output: &Output) {
        self.chain.add(output);
        self.since.push_back(self.chain.check().hash);
    }
}

impl Player {
    /// Goes through all that is there, and leaves it at that.
    #[must_use]
    pub fn new(reader: Reader) -> Self {
        Self {
            at: reader.position(),
            owed: 0,
            decided: VecDeque::new(),
            follows: false,
            reader,
            steps: Steps::default(),
            begins: true,
            pending: VecDeque::new(),
            places: 0,
            undecided: VecDeque::new(),
            gone: 0,
            read_all: false,
            told: Told::default(),
            checked: (Check::default(), 0),
            stated: 0,
            completes: false,
            ending: Ending::Whole,
            lacks_decision: false,
            found: Vec::new(),
        }
    }

    /// Goes through it to go on from there: at the end [`Player::complete`] carries out what a crash has interrupted.
    #[must_use]
    pub fn to_go_on(reader: Reader, kernel: &mut Kernel) -> Self {
        Self::new(reader).completing(kernel)
    }

    /// Goes on from a snapshot, with the reader where that stands and the kernel as it was.
    pub(super) fn from(reader: Reader, stand: &Stand) -> Self {
        let place = usize::try_from(stand.places).unwrap_or(usize::MAX);
        let ending = if stand.decided { Ending::Decided } else { Ending::Whole };
        Self {
            steps: Steps { place, seq: stand.seq },
            begins: false,
            told: Told { chain: Chain::from(stand.check), since: VecDeque::new() },
            checked: (stand.check, place),
            stated: place,
            owed: stand.owed,
            ending,
            lacks_decision: stand.lacks_decision,
            ..Self::new(reader)
        }
    }

    /// From now on it goes no further than the journal tells all that a place led to: it may be written meanwhile.
    #[must_use]
    pub fn following(self) -> Self {
        Self { follows: true, ..self }
    }

    /// At the end [`Player::complete`] will carry out what a crash has interrupted.
    #[must_use]
    pub fn completing(self, kernel: &mut Kernel) -> Self {
        kernel.keep_answers(); // a decision without an outcome gets it from them
        Self { completes: true, ..self }
    }

    /// Looks whether more was written since the end was reached, and goes on with that.
    ///
    /// # Errors
    ///
    /// [`JournalError::Overtaken`]: the journal is to be gone through anew; or it cannot be read.
    pub fn refresh(&mut self) -> Result<bool, JournalError> {
        let more = self.read_all && self.reader.refresh()?;
        self.read_all &= !more;
        Ok(more)
    }

    /// Whoever wrote the journal writes it no more: from now on it is gone through to its very end, where [`Player::complete`] carries out what
    /// was interrupted.
    pub fn take_over(&mut self, kernel: &mut Kernel) {
        kernel.keep_answers(); // a decision without an outcome gets it from them
        (self.follows, self.completes) = (false, true);
    }

    /// Places that were gone through, from the start of the journal.
    #[must_use]
    pub fn places(&self) -> u64 {
        self.steps.place as u64
    }

    /// Places that were read, and wait until it is known what they led to.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.places
    }

    /// Places that were gone through since a state was compared.
    #[must_use]
    pub fn unstated(&self) -> u64 {
        (self.steps.place - self.stated) as u64
    }

    /// Where the kernel stands, if it is at rest.
    #[must_use]
    pub fn stand(&mut self, kernel: &Kernel) -> Option<Stand> {
        kernel.at_rest()?;
        let gone = self.gone;
        let behind = self.decided.iter().take_while(|(decision, _)| *decision <= gone).count();
        Some(Stand {
            places: self.steps.place as u64,
            seq: self.steps.seq,
            term: self.at.term,
            check: self.told.chain.check(),
            position: self.at,
            owed: self.owed + behind as u32,
            decided: self.ending == Ending::Decided,
            lacks_decision: self.lacks_decision,
            rules: kernel.market().rules,
        })
    }

    /// Goes one step further; none at the end.
    ///
    /// # Errors
    ///
    /// The journal cannot be read, or the kernel comes to something else.
    pub fn step(&mut self, kernel: &mut Kernel, log: &mut impl FnMut(Output)) -> Result<Option<Played>, PlayError> {
        while !self.is_ready() {
            if self.read_all {
                return Ok(None); // there is more, but not all that it led to
            }
            self.read()?;
        }
        let Some((played, at)) = self.pending.pop_front() else { return Ok(None) };
        self.at = at;
        self.gone += 1;
        let gone = self.gone;
        while self.decided.pop_front_if(|(_, before)| *before < gone).is_some() {}
        self.begin(kernel);
        match &played {
            Played::Place(entry, _) => {
                self.places -= 1;
                self.place(kernel, entry, log)?;
            }
            Played::Check(check) => self.check(kernel, *check, log)?,
            Played::State(hash) => self.state(kernel, *hash)?,
            Played::Line(_) => {}
        }
        Ok(Some(played))
    }

    /// Before its first place the kernel begins under the rules of the journal.
    fn begin(&mut self, kernel: &mut Kernel) {
        if let (true, Some(rules)) = (self.begins, self.reader.rules()) {
            kernel.begin_under(rules);
            self.begins = false;
        }
    }

    /// Where the journal ends in something that was not kept; known at the end.
    #[must_use]
    pub fn cut(&self) -> Option<&Cut> {
        self.reader.cut()
    }

    /// The reader behind it, which may be ahead.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// What the events so far come to.
    #[must_use]
    pub fn chain(&self) -> Chain {
        self.told.chain
    }

    /// At the end of the journal: carries out what the crash has interrupted, and says where a writer goes on, and what it must
    /// write first. From now on the kernel keeps its record.
    pub fn complete(&mut self, kernel: &mut Kernel, log: &mut impl FnMut(Output)) -> (End, Vec<Frame>) {
        self.begin(kernel);
        let end = self.reader.end(self.found.len() as u64, kernel.market().rules);
        let mut frames: Vec<Frame> = self.found.drain(..).map(Frame::Outcome).collect();
        kernel.count_from(self.steps.seq);
        kernel.keep_record();
        match std::mem::take(&mut self.ending) {
            Ending::LacksDecision => kernel.decide(),
            Ending::Decided => while kernel.book_piece() {},
            Ending::Whole => {}
        }
        self.tell(kernel, log);
        frames.extend(kernel.take_record().into_iter().map(Frame::Entry));
        (end, frames)
    }

    /// Whether the first that is pending can be gone through: a place needs to know whether a decision follows it, and a decision its
    /// outcome.
    fn is_ready(&self) -> bool {
        let is_decided = self.undecided.front() != Some(&self.gone);
        match self.pending.front() {
            _ if self.read_all && !self.follows => true,
            Some((Played::Place(Entry::Decide { .. }, _), _)) if self.follows => is_decided,
            Some((Played::Place(..), _)) if self.follows => self.next_place().is_some_and(is_known),
            Some((Played::Place(..), _)) => is_decided && self.places > 1,
            front => front.is_some() || self.read_all,
        }
    }

    /// The place after the first that is pending.
    fn next_place(&self) -> Option<&Entry> {
        self.pending.iter().skip(1).find_map(|(played, _)| match played {
            Played::Place(entry, _) => Some(entry),
            _ => None,
        })
    }

    fn read(&mut self) -> Result<(), JournalError> {
        let Some(frame) = self.reader.frame()? else {
            self.read_all = true;
            return Ok(());
        };
        let at = self.reader.position();
        match frame {
            Frame::Entry(entry) => {
                if matches!(entry, Entry::Decide { outcome: None }) {
                    self.undecided.push_back(self.gone + self.pending.len() as u64);
                }
                self.places += 1;
                self.pending.push_back((Played::Place(entry, None), at));
            }
            Frame::Line(line, Some(entry)) => {
                self.places += 1;
                self.pending.push_back((Played::Place(entry, Some(line)), at));
            }
            Frame::Line(line, None) => self.pending.push_back((Played::Line(line), at)),
            Frame::Check(check) => self.pending.push_back((Played::Check(check), at)),
            Frame::Outcome(_) if self.owed > 0 => {
                self.owed -= 1;
                self.decided.push_back((0, self.gone + self.pending.len() as u64));
            }
            Frame::Outcome(decision) => {
                let at = self.undecided.pop_front();
                self.decided.extend(at.map(|at| (at + 1, self.gone + self.pending.len() as u64)));
                let at = at.and_then(|at| usize::try_from(at - self.gone).ok());
                let Some((Played::Place(entry, _), _)) = at.and_then(|at| self.pending.get_mut(at)) else {
                    return Err(self.reader.outcome_without_decision());
                };
                *entry = Entry::Decide { outcome: Some(decision) };
            }
            Frame::State(hash) => self.pending.push_back((Played::State(hash), at)),
            Frame::Mark(_) => {}
        }
        Ok(())
    }

    /// Tells what the kernel did by itself after the last place.
    fn tell(&mut self, kernel: &mut Kernel, log: &mut impl FnMut(Output)) {
        let Self { steps, told, .. } = self;
        steps.tell(kernel, &mut |output| {
            told.add(&output);
            log(output);
        });
    }

    fn place(&mut self, kernel: &mut Kernel, entry: &Entry, log: &mut impl FnMut(Output)) -> Result<(), Divergence> {
        let is_last = self.places == 0;
        self.ending = match entry {
            Entry::Decide { .. } => Ending::Decided,
            Entry::Pass { .. } | Entry::Start => Ending::Whole,
            _ if self.completes && is_last => Ending::LacksDecision,
            _ => Ending::Whole,
        };
        let next = self.pending.iter().find_map(|(next, _)| match next {
            Played::Place(entry, _) => Some(entry),
            _ => None,
        });
        let decided_next = self.ending == Ending::LacksDecision || matches!(next, Some(Entry::Decide { .. }));
        let Self { steps, told, .. } = self;
        let mut refused = false;
        let found = steps.step(kernel, entry, decided_next, &mut |output| {
            refused |= matches!(output, Output::Refused { .. });
            told.add(&output);
            log(output);
        })?;
        self.found.extend(found);
        self.lacks_decision = match entry {
            Entry::Decide { .. } => false,
            Entry::Pass { .. } | Entry::Start => self.lacks_decision,
            _ if refused && kernel.market().jobs.is_empty() => self.lacks_decision,
            _ => self.lacks_decision || kernel.needs_decision(entry),
        };
        // What is refused is followed by nothing of its own.
        if refused && !self.lacks_decision && self.ending == Ending::LacksDecision {
            self.ending = if kernel.market().jobs.is_empty() { Ending::Whole } else { Ending::Decided };
        }
        Ok(())
    }

    /// Compares with what the events came to when so many had been told; the kernel may be further.
    fn check(&mut self, kernel: &mut Kernel, check: Check, log: &mut impl FnMut(Output)) -> Result<(), Divergence> {
        let (before, from) = self.checked;
        if check.outputs < before.outputs {
            return Ok(()); // of what came before the snapshot that this goes on from
        }
        if check.outputs > self.told.chain.check().outputs {
            // What pools began was told without a decision, which an engine asks for only if it needs one; here one follows, or is to be
            // carried out, since the place was the last before a crash.
            kernel.go_on();
            self.tell(kernel, log);
        }
        let past = check.outputs.checked_sub(before.outputs).and_then(|past| usize::try_from(past).ok());
        let found = match past {
            Some(0) => Some(before.hash),
            Some(past) => self.told.since.get(past - 1).copied(),
            None => None,
        };
        if found != Some(check.hash) {
            let found = found.unwrap_or(self.told.chain.check().hash);
            let to = self.steps.place.saturating_sub(1);
            return Err(Divergence::Check { from: from.min(to), to, found, recorded: check.hash });
        }
        self.told.since.drain(..past.unwrap_or(0));
        self.checked = (check, self.steps.place);
        Ok(())
    }

    /// Compares with what the state came to. Unlike events, which a later place may tell, it changes by places alone: wherever this is read,
    /// those before it were gone through, and none behind it.
    fn state(&mut self, kernel: &mut Kernel, recorded: u64) -> Result<(), Divergence> {
        kernel.keep_state_hash(); // others follow
        let found = kernel.state_hash();
        if found != recorded {
            let to = self.steps.place.saturating_sub(1);
            return Err(Divergence::State { from: self.stated.min(to), to, found, recorded });
        }
        self.stated = self.steps.place;
        Ok(())
    }
}
