//! A session: lines in, lines out, over one kernel.

use super::desk::{Answer, Desk};
use super::encode::Encoder;
use super::fields::Fields;
use super::line::Line;
use super::sources::{FirstAnswer, Sources};
use super::{Rejection, TierTables, answers, declarations, operations, rules};
#[cfg(feature = "journal")]
use super::{
    kept::RestoredFrom,
    restore::{self, Restored, Restoring},
};
use crate::command::MarkSource;
use crate::driver::Driver;
use crate::kernel::{Kernel, Settings};
use crate::refusal::Code;

/// Carries out lines one by one, each completely before the next.
#[derive(Debug)]
pub struct Session<D = Kernel> {
    desk: Desk<D>,
    sources: Sources,
    #[cfg(feature = "journal")]
    restore: Restore,
}

/// A state from lines.
#[cfg(feature = "journal")]
#[derive(Debug, Default)]
enum Restore {
    /// None, or something has followed it.
    #[default]
    None,
    UnderWay(Box<Restoring>),
    Done(RestoredFrom),
}

/// What a journal keeps as it was typed too: rare, and with more than its place shows.
const KEPT_AS_TEXT: &[&str] =
    &["asset", "fund", "instrument", "defaults", "set", "venue", "bust", "reprice", "adjust", "compensate"];

/// What a journal must know of a line beside its place.
#[derive(Debug, Default)]
#[cfg_attr(not(feature = "journal"), expect(dead_code, reason = "read where there is a journal"))]
pub(super) struct Noted {
    /// Who sent it, and its number there, if its answer is kept for repeats.
    pub(super) source: Option<(String, u64)>,
    /// Whether its text is kept too: it declares something, or changes what only the session knows.
    pub(super) keeps_text: bool,
}

/// What any line may say about its answer.
struct Request {
    ack: bool,
    /// Who sent it, and its number there.
    source: Option<(String, u64)>,
    /// Who gives the mark that it brings.
    mark_source: Option<MarkSource>,
}

impl Session {
    /// A session over an empty kernel on this thread.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self::over(Kernel::new(settings))
    }
}

impl<D: Driver> Session<D> {
    /// A session over an empty kernel.
    #[must_use]
    pub fn over(kernel: D) -> Self {
        Self {
            desk: Desk::new(kernel),
            sources: Sources::default(),
            #[cfg(feature = "journal")]
            restore: Restore::None,
        }
    }

    /// The kernel behind it.
    #[must_use]
    pub fn kernel(&self) -> &D {
        &self.desk.kernel
    }

    /// The kernel behind it, to give it commands between lines.
    pub fn kernel_mut(&mut self) -> &mut D {
        &mut self.desk.kernel
    }

    /// Gives instruments that bring no margin table the one of their symbol.
    pub fn use_tier_tables(&mut self, tables: TierTables) {
        self.desk.tier_tables = tables;
    }

    /// Gives the next line this number, and counts on from there.
    pub fn number_next_line(&mut self, seq: u64) {
        self.desk.seq = seq.saturating_sub(1);
    }

    /// From now on no line tells a later time, in nanoseconds since the epoch: one that did would hold for ever, since time does not run
    /// backward.
    pub fn tell_latest(&mut self, latest_ns: u64) {
        self.desk.latest_ns = Some(latest_ns);
    }

    /// Ends the session and hands over its kernel.
    #[must_use]
    pub fn into_kernel(self) -> D {
        self.desk.kernel
    }

    /// Gives the kernel over to something else, such as threads, and goes on with that.
    ///
    /// # Errors
    ///
    /// Those of `place`.
    #[cfg(feature = "journal")]
    pub(super) fn place<E: Driver, F>(self, place: impl FnOnce(D) -> Result<E, F>) -> Result<Session<E>, F> {
        Ok(Session { desk: self.desk.place(place)?, sources: self.sources, restore: self.restore })
    }

    #[cfg(feature = "journal")]
    pub(super) fn desk_mut(&mut self) -> &mut Desk<D> {
        &mut self.desk
    }

    /// Knows by their names what the kernel has, after a restart.
    #[cfg(feature = "journal")]
    pub(super) fn learn_names(&mut self) {
        self.desk.learn_names();
    }

    /// A fund of this name was declared by a line.
    #[cfg(feature = "journal")]
    pub(super) fn know_declared_fund(&mut self, name: &str) {
        self.desk.declared_funds.extend(self.desk.kernel.market().fund_id(name));
    }

    /// Keeps the answer to a line of a source that was carried out before a restart.
    #[cfg(feature = "journal")]
    pub(super) fn keep_answer(&mut self, source: &str, seq: u64, rejection: Option<Rejection>) {
        self.sources.keep(source, FirstAnswer { seq, rejection });
    }

    /// What must be kept of it that the kernel does not know: the funds that lines declared, and the answers to repeats.
    #[cfg(feature = "journal")]
    pub(super) fn to_be_kept(&self) -> (Vec<crate::market::FundId>, Vec<super::sources::SavedSource>) {
        (self.desk.declared_funds.clone(), self.sources.saved())
    }

    /// Takes over what was kept; none if an answer cannot have been given.
    #[cfg(feature = "journal")]
    pub(super) fn take_kept(
        &mut self,
        declared_funds: Vec<crate::market::FundId>,
        sources: Vec<super::sources::SavedSource>,
    ) -> Option<()> {
        self.desk.declared_funds = declared_funds;
        self.sources = Sources::restored(sources)?;
        Some(())
    }

    /// The number of the last line, from 1.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.desk.seq
    }

    /// Counts a line that is not carried out, as a blank one, and says its number.
    pub fn count_line(&mut self) -> u64 {
        self.desk.seq += 1;
        self.desk.seq
    }

    /// Carries out one line, without its end, and appends what it leads to. A blank line counts and does nothing.
    ///
    /// # Errors
    ///
    /// The rejection, whose line has been appended already.
    pub fn line(&mut self, line: &[u8], out: &mut String) -> Result<(), Rejection> {
        self.line_noted(line, out, &mut Noted::default())
    }

    /// As [`Session::line`], and notes what a journal must know of it.
    pub(super) fn line_noted(&mut self, line: &[u8], out: &mut String, noted: &mut Noted) -> Result<(), Rejection> {
        self.desk.seq += 1;
        #[cfg(feature = "journal")]
        if let Some(done) = self.restore_line(line) {
            if let Err(rejection) = &done {
                rejection.line(self.desk.seq, out);
            }
            return done;
        }
        let read = match std::str::from_utf8(line) {
            Ok(text) if text.trim_ascii().is_empty() => return Ok(()),
            Ok(text) => Fields::read(text).and_then(|mut fields| Ok((Request::read(&mut fields)?, fields))),
            Err(error) => Err(Rejection::new(Code::Malformed, format!("the line is not UTF-8: {error}"))),
        };
        let done = read.and_then(|(request, fields)| {
            if let Some(first) = self.earlier(&request)? {
                return answer_again(&request, first, out);
            }
            self.desk.source = request.mark_source;
            let declares = matches!(fields.peek("op"), Some(op) if KEPT_AS_TEXT.contains(&op));
            let done = self.carry_out(fields, out);
            self.acknowledge(&request, &done, out);
            *noted = Noted { source: request.source, keeps_text: declares && done.is_ok() };
            done
        });
        if let Some(rejection) = done.as_ref().err().filter(|rejection| rejection.seq.is_none()) {
            rejection.line(self.desk.seq, out);
        }
        done
    }

    /// Takes a line of a state that is restored, or refuses another that comes before its end; none if the line is none of these. A state of which a line is refused
    /// is none.
    #[cfg(feature = "journal")]
    fn restore_line(&mut self, line: &[u8]) -> Option<Result<(), Rejection>> {
        if line.trim_ascii().is_empty() {
            return None;
        }
        let text = std::str::from_utf8(line).ok().filter(|text| restore::is_of_state(text));
        match (std::mem::take(&mut self.restore), text) {
            (Restore::UnderWay(restoring), None) => {
                self.restore = Restore::UnderWay(restoring);
                Some(Err(restore::interrupted()))
            }
            (_, None) => None,
            (Restore::UnderWay(restoring), Some(text)) => Some(self.go_on_restoring(restoring, text)),
            (_, Some(text)) => {
                if !self.desk.defaults.is_empty() {
                    let reason = "restore: a state brings its own defaults, and there are some";
                    return Some(Err(Rejection::bad_value(reason)));
                }
                let restoring = Restoring::begin(text, || Ok(self.desk.kernel.begin_restoring()?));
                Some(restoring.map(|restoring| self.restore = Restore::UnderWay(Box::new(restoring))))
            }
        }
    }

    #[cfg(feature = "journal")]
    fn go_on_restoring(&mut self, mut restoring: Box<Restoring>, text: &str) -> Result<(), Rejection> {
        if restoring.line(text)? {
            self.restore = Restore::UnderWay(restoring);
            return Ok(());
        }
        let Restored { kernel, session, origin } = restoring.finish()?;
        let kept = session.bytes();
        let (seq, before) = (self.desk.seq, std::mem::take(&mut self.sources));
        // Beside the session at hand, so that nothing of it changes if the state is none.
        let mut beside = Session::over(kernel);
        let given = session.give_to(&mut beside);
        let restored = given.map_err(|what| Rejection::bad_value(format!("restore: session: {what}")));
        let restored = restored.and_then(|_| {
            let Desk { kernel, seq, assets, funds, declared_funds, instruments, defaults, .. } = beside.desk;
            self.desk.kernel.restore(kernel)?;
            (self.desk.seq, self.desk.assets, self.desk.funds) = (seq, assets, funds);
            (self.desk.declared_funds, self.desk.instruments) = (declared_funds, instruments);
            (self.desk.defaults, self.sources) = (defaults, beside.sources);
            Ok(())
        });
        if restored.is_ok() {
            self.restore = Restore::Done((origin, kept));
        } else {
            (self.desk.seq, self.sources) = (seq, before);
        }
        restored
    }

    /// Whether a state was restored by lines, and nothing has followed it.
    #[cfg(feature = "journal")]
    #[must_use]
    pub fn is_restored(&self) -> bool {
        matches!(self.restore, Restore::Done(_))
    }

    /// Where the state stood that was restored, and what its session knew; none if there was none, or anything has followed it.
    #[cfg(feature = "journal")]
    pub(super) fn take_restored(&mut self) -> Option<RestoredFrom> {
        match std::mem::take(&mut self.restore) {
            Restore::Done(restored) => Some(restored),
            _ => None,
        }
    }

    /// Answers a question, as line `seq`, and refuses everything else: nothing changes by it.
    ///
    /// # Errors
    ///
    /// As [`Session::line`].
    #[cfg(feature = "journal")]
    pub(super) fn question(&mut self, line: &[u8], seq: u64, out: &mut String) -> Result<(), Rejection> {
        let read = match std::str::from_utf8(line) {
            Ok(text) if text.trim_ascii().is_empty() => return Ok(()),
            Ok(text) => Fields::read(text),
            Err(error) => Err(Rejection::new(Code::Malformed, format!("the line is not UTF-8: {error}"))),
        };
        let done = read.and_then(|mut fields| {
            let request = Request::read(&mut fields)?;
            let op = fields.text("op")?;
            if op != "get" {
                let reason = format!("{op:?} is refused: this process is a standby, and answers get alone");
                return Err(Rejection::new(Code::Halted, reason));
            }
            if request.source.is_some() {
                let reason = "a standby keeps no answers for repeats: source and client_seq are to be left out";
                return Err(Rejection::bad_value(reason));
            }
            let (answer, _) = answers::ask(&mut self.desk, fields, seq)?;
            out.push_str(&answer);
            if request.ack {
                request.ok(seq, out);
            }
            Ok(())
        });
        if let Err(rejection) = &done {
            rejection.line(seq, out);
        }
        done
    }

    /// What was answered to this line before, if it is a repeat.
    fn earlier(&self, request: &Request) -> Result<Option<FirstAnswer>, Rejection> {
        let source = request.source.as_ref();
        source.map_or(Ok(None), |(source, client_seq)| self.sources.earlier(source, *client_seq))
    }

    fn carry_out(&mut self, mut fields: Fields, out: &mut String) -> Result<(), Rejection> {
        if let (Some(latest), Some(given)) = (self.desk.latest_ns, fields.peek_integer("ts"))
            && given > i128::from(latest)
        {
            return Err(Rejection::bad_value(format!(
                "ts: {given} has not come: no later time is taken than {latest}"
            )));
        }
        let op = fields.text("op")?;
        let answer = match op.as_str() {
            "asset" | "fund" | "instrument" | "defaults" => declarations::carry_out(&mut self.desk, &op, fields),
            "get" => answers::carry_out(&mut self.desk, fields),
            "set" => rules::set(&mut self.desk, fields),
            _ => operations::carry_out(&mut self.desk, &op, fields),
        }?;
        match answer {
            Answer::Events => {
                let kernel = &self.desk.kernel;
                Encoder::new(kernel.market()).events(self.desk.seq, kernel.events(), out);
            }
            Answer::Line(line) => out.push_str(&line),
        }
        Ok(())
    }

    /// Answers `ok` if that was asked for, and keeps the answer for repeats.
    fn acknowledge(&mut self, request: &Request, done: &Result<(), Rejection>, out: &mut String) {
        if request.ack && done.is_ok() {
            request.ok(self.desk.seq, out);
        }
        if let Some((source, _)) = &request.source {
            let rejection = done.as_ref().err().cloned();
            self.sources.keep(source, FirstAnswer { seq: self.desk.seq, rejection });
        }
    }
}

/// A repeat does nothing and gets the first answer.
fn answer_again(request: &Request, first: FirstAnswer, out: &mut String) -> Result<(), Rejection> {
    if let Some(rejection) = first.rejection {
        rejection.line(first.seq, out);
        return Err(Rejection { seq: Some(first.seq), ..rejection });
    }
    if request.ack {
        request.ok(first.seq, out);
    }
    Ok(())
}

impl Request {
    fn read(fields: &mut Fields) -> Result<Self, Rejection> {
        let ack = fields.flag_or("ack", false)?;
        let (source, client_seq) = (fields.source_or_none("source")?, fields.id_or_none("client_seq")?);
        let brings_mark = fields.peek("op") == Some("mark");
        let mark_source = source.as_deref().filter(|_| brings_mark).map(MarkSource::named);
        match (source, client_seq) {
            (Some(_), Some(0)) => Err(Rejection::bad_value("client_seq counts from 1")),
            (Some(source), Some(client_seq)) => Ok(Self { ack, source: Some((source, client_seq)), mark_source }),
            (Some(_), None) if brings_mark => Ok(Self { ack, source: None, mark_source }),
            (None, None) => Ok(Self { ack, source: None, mark_source }),
            _ => Err(Rejection::malformed("source and client_seq belong together: one of them is missing")),
        }
    }

    fn ok(&self, seq: u64, out: &mut String) {
        let mut line = Line::begin(out, "ok", seq);
        if let Some((source, client_seq)) = &self.source {
            line.quoted("source", source).bare("client_seq", client_seq);
        }
        line.end();
    }
}
