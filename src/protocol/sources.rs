//! Repeats: a source that numbers its lines may send them again, and gets the first answer.

use super::Rejection;
use crate::map::Map;
use crate::refusal::Code;
use std::collections::VecDeque;

/// Answers kept of each source.
const KEPT: usize = 65_536;

/// Most sources: what is kept of each stays for ever.
const MOST: usize = 1 << 16;

/// The answer to a line that a source numbered.
#[derive(Clone, Debug)]
pub(super) struct FirstAnswer {
    /// The number of the line in the session.
    pub(super) seq: u64,
    /// What was wrong with it; none: it was carried out.
    pub(super) rejection: Option<Rejection>,
}

/// The lines of all sources so far.
#[derive(Debug, Default)]
pub(super) struct Sources {
    by_name: Map<String, Source>,
}

#[derive(Debug, Default)]
struct Source {
    /// The highest number used.
    last: u64,
    /// The answers to the last of them, oldest first.
    answers: VecDeque<FirstAnswer>,
}

impl Sources {
    /// What was answered to this line before; none: it is the next of its source.
    ///
    /// # Errors
    ///
    /// `gap` if a number before it is missing, `expired` if its answer is kept no more, `limit` if there are too many sources.
    pub(super) fn earlier(&self, source: &str, client_seq: u64) -> Result<Option<FirstAnswer>, Rejection> {
        let (last, answers) = self.by_name.get(source).map_or((0, None), |of| (of.last, Some(&of.answers)));
        if client_seq > last {
            if last == 0 && !self.by_name.contains_key(source) && self.by_name.len() >= MOST {
                let reason = format!("source {source:?} would be another one: {MOST} number their lines already");
                return Err(Rejection::new(Code::Limit, reason));
            }
            let next = last + 1;
            return if client_seq == next {
                Ok(None)
            } else {
                let reason = format!("client_seq {client_seq} of source {source:?} leaves a gap: {next} comes next");
                Err(Rejection::new(Code::Gap, reason))
            };
        }
        let back = usize::try_from(last - client_seq).ok();
        let kept = answers.and_then(|answers| answers.get(answers.len().checked_sub(1)?.checked_sub(back?)?));
        kept.map(|answer| Some(answer.clone())).ok_or_else(|| {
            let reason = format!("the answer to client_seq {client_seq} of source {source:?} is kept no more");
            Rejection::new(Code::Expired, reason)
        })
    }

    /// Keeps the answer to the next line of a source.
    pub(super) fn keep(&mut self, source: &str, answer: FirstAnswer) {
        if !self.by_name.contains_key(source) {
            self.by_name.insert(source.to_owned(), Source::default());
        }
        if let Some(source) = self.by_name.get_mut(source) {
            source.last += 1;
            if source.answers.len() == KEPT {
                source.answers.pop_front();
            }
            source.answers.push_back(answer);
        }
    }
}

/// A source, as it is saved: its name, the highest number used, and the answers that are kept, each with code and reason if it
/// was a refusal.
#[cfg(feature = "journal")]
pub(super) type SavedSource = (String, u64, Vec<(u64, Option<(String, String)>)>);

#[cfg(feature = "journal")]
impl Sources {
    /// All sources, by name.
    pub(super) fn saved(&self) -> Vec<SavedSource> {
        let answer = |answer: &FirstAnswer| {
            let rejection = answer.rejection.as_ref();
            (answer.seq, rejection.map(|rejection| (rejection.code.to_string(), rejection.reason.clone())))
        };
        let source = |(name, source): (&String, &Source)| {
            (name.clone(), source.last, source.answers.iter().map(answer).collect())
        };
        let mut saved: Vec<SavedSource> = self.by_name.iter().map(source).collect();
        saved.sort_unstable();
        saved
    }

    /// From what was saved; none if a code is unknown, or more answers are kept than numbers were used.
    pub(super) fn restored(saved: Vec<SavedSource>) -> Option<Self> {
        let mut sources = Self::default();
        for (name, last, answers) in saved {
            let mut kept = VecDeque::with_capacity(answers.len());
            for (seq, rejected) in answers {
                let rejection = match rejected {
                    None => None,
                    Some((code, reason)) => Some(Rejection::new(Code::named(&code)?, reason)),
                };
                kept.push_back(FirstAnswer { seq, rejection });
            }
            let sound = kept.len() <= KEPT && kept.len() as u64 <= last && last < u64::MAX;
            sources.by_name.insert(name, Source { last, answers: kept });
            if !sound {
                return None;
            }
        }
        Some(sources)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_no_more_than_65_536() {
        let mut sources = Sources::default();
        for number in 0..MOST {
            assert!(sources.earlier(&number.to_string(), 1).unwrap().is_none());
            sources.keep(&number.to_string(), FirstAnswer { seq: 1, rejection: None });
        }
        assert_eq!(sources.earlier("another", 1).err().map(|error| error.code), Some(Code::Limit));
        assert!(sources.earlier("0", 1).unwrap().is_some());
        assert!(sources.earlier("0", 2).unwrap().is_none(), "those that there are go on");
    }

    #[test]
    fn answers_are_kept_for_the_last_65_536() {
        let mut sources = Sources::default();
        let code = |sources: &Sources, client_seq| sources.earlier("a", client_seq).err().map(|error| error.code);
        assert_eq!(code(&sources, 2), Some(Code::Gap));
        for seq in 1..=KEPT as u64 + 2 {
            assert!(sources.earlier("a", seq).unwrap().is_none());
            sources.keep("a", FirstAnswer { seq: seq * 10, rejection: None });
        }
        assert_eq!(code(&sources, 2), Some(Code::Expired));
        assert_eq!(sources.earlier("a", 3).unwrap().unwrap().seq, 30);
        assert_eq!(sources.earlier("a", KEPT as u64 + 2).unwrap().unwrap().seq, (KEPT as u64 + 2) * 10);
        assert_eq!(code(&sources, KEPT as u64 + 4), Some(Code::Gap));
        assert!(sources.earlier("b", 1).unwrap().is_none());
    }
}
