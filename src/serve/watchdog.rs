//! What should not be: named states over what is observed, by a clock that is given. Pure: it looks at nothing by itself.

use super::board::Ill;
use crate::controls::{HealthState, Mode};
use crate::map::{Map, Set};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// When a state begins; none: it is not watched for. Times in nanoseconds.
#[derive(Clone, Debug)]
pub struct WatchSettings {
    /// A line is being carried out for so long.
    pub worker_after_ns: Option<u64>,
    /// No price of an instrument came for so long.
    pub feed_after_ns: Option<u64>,
    /// A pool waits for the same answer of the venue for so long.
    pub venue_after_ns: Option<u64>,
    /// An answer waits for the journal for so long.
    pub journal_after_ns: Option<u64>,
    /// A connection's lines fill so much of their bound, in percent. It ends at half of that.
    pub queue_percent: Option<u64>,
    /// A standby is so many places behind. It ends at half of that.
    pub standby_places: Option<u64>,
    /// The directory of the journal, where a standby tells how far it is ([`Follower`](crate::journal::Follower)); none: nobody is asked.
    pub followed_in: Option<PathBuf>,
    /// What a state switches on while it holds: of the instrument, if it is of one, else of everything.
    pub modes: Vec<(HealthState, Mode)>,
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            worker_after_ns: Some(1_000_000_000),
            feed_after_ns: None,
            venue_after_ns: Some(5_000_000_000),
            journal_after_ns: Some(1_000_000_000),
            queue_percent: Some(80),
            standby_places: Some(100_000),
            followed_in: None,
            modes: Vec::new(),
        }
    }
}

impl WatchSettings {
    /// The mode that a state switches on.
    #[must_use]
    pub fn mode(&self, state: HealthState) -> Mode {
        self.modes.iter().rev().find(|(of, _)| *of == state).map_or(Mode::Normal, |&(_, mode)| mode)
    }

    /// Whether a state is watched for.
    #[must_use]
    pub fn watches(&self, state: HealthState) -> bool {
        match state {
            HealthState::StalledWorker => self.worker_after_ns.is_some(),
            HealthState::SilentFeed => self.feed_after_ns.is_some(),
            HealthState::SilentVenue => self.venue_after_ns.is_some(),
            HealthState::QueueNearFull => self.queue_percent.is_some(),
            HealthState::SlowJournal => self.journal_after_ns.is_some(),
            HealthState::StandbyBehind => self.standby_places.is_some() && self.followed_in.is_some(),
        }
    }

    /// The states that are watched for.
    pub(super) fn watched(&self) -> Vec<HealthState> {
        HealthState::ALL.into_iter().filter(|state| self.watches(*state)).collect()
    }
}

/// What is seen at a time. Times in nanoseconds since the start.
#[derive(Clone, Debug, Default)]
pub(super) struct Observation {
    pub(super) now_ns: u64,
    /// Since when a line is being carried out.
    pub(super) carrying_out_since_ns: Option<u64>,
    /// Instruments whose prices are given, and when one came last; none: not yet.
    pub(super) feeds: Vec<(String, Option<u64>)>,
    /// The answers of the venue that are waited for, each by a number that stands for it.
    pub(super) awaited: Vec<u64>,
    pub(super) fullest_percent: u64,
    /// Since when an answer waits for the journal.
    pub(super) unkept_since_ns: Option<u64>,
    /// How many places a standby is behind; none: there is none.
    pub(super) standby_behind: Option<u64>,
}

/// A state comes or goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) state: HealthState,
    pub(super) symbol: Option<String>,
    pub(super) active: bool,
}

impl Change {
    /// The command that tells the kernel.
    pub(super) fn line(&self, mode: Mode) -> String {
        let symbol = self.symbol.as_ref().map_or_else(String::new, |symbol| format!(",\"symbol\":\"{symbol}\""));
        let mode = if self.active && mode != Mode::Normal {
            format!(",\"mode\":\"{}\"", mode.as_str())
        } else {
            String::new()
        };
        format!("{{\"op\":\"health\",\"state\":\"{}\"{symbol},\"active\":{}{mode}}}", self.state.as_str(), self.active)
    }
}

/// What it knows.
#[derive(Debug)]
pub(super) struct Watchdog {
    settings: WatchSettings,
    ill: BTreeSet<Ill>,
    /// When an answer of the venue was first seen to be waited for.
    awaited: Map<u64, u64>,
    /// Feeds that the kernel held for silent before the start: they are until they are heard.
    unheard: BTreeSet<String>,
    began_ns: Option<u64>,
}

impl Watchdog {
    /// `ill`: what the kernel knows of, from before a restart.
    pub(super) fn new(settings: WatchSettings, ill: impl IntoIterator<Item = Ill>) -> Self {
        let ill: BTreeSet<Ill> = ill.into_iter().collect();
        let silent = ill.iter().filter(|(state, _)| *state == HealthState::SilentFeed);
        let unheard = silent.filter_map(|(_, symbol)| symbol.clone()).collect();
        Self { settings, ill, awaited: Map::default(), unheard, began_ns: None }
    }

    /// Looks, and says what has changed: what has gone first, by state and symbol.
    pub(super) fn look(&mut self, seen: &Observation) -> Vec<Change> {
        let ill = self.judge(seen);
        let change = |&(state, ref symbol): &Ill, active| Change { state, symbol: symbol.clone(), active };
        let gone = self.ill.difference(&ill).map(|ill| change(ill, false));
        let changes = gone.chain(ill.difference(&self.ill).map(|ill| change(ill, true))).collect();
        self.ill = ill;
        changes
    }

    fn judge(&mut self, seen: &Observation) -> BTreeSet<Ill> {
        let began_ns = *self.began_ns.get_or_insert(seen.now_ns);
        let lasts = |since_ns: Option<u64>, after_ns: Option<u64>| {
            since_ns.zip(after_ns).is_some_and(|(since, after)| seen.now_ns.saturating_sub(since) >= after)
        };
        // What began at a bound ends at half of it, so that it does not come and go.
        let above = |state: HealthState, found: u64, bound: Option<u64>| {
            let holds = self.ill.contains(&(state, None));
            bound.is_some_and(|bound| found >= if holds { bound.div_ceil(2) } else { bound })
        };
        let mut ill = BTreeSet::new();
        let mut note = |state: HealthState, holds: bool| {
            if holds {
                ill.insert((state, None));
            }
        };
        note(HealthState::StalledWorker, lasts(seen.carrying_out_since_ns, self.settings.worker_after_ns));
        note(HealthState::SlowJournal, lasts(seen.unkept_since_ns, self.settings.journal_after_ns));
        let queue = above(HealthState::QueueNearFull, seen.fullest_percent, self.settings.queue_percent);
        note(HealthState::QueueNearFull, queue);
        let standby = seen
            .standby_behind
            .is_some_and(|behind| above(HealthState::StandbyBehind, behind, self.settings.standby_places));
        note(HealthState::StandbyBehind, standby);
        let awaited: Set<u64> = seen.awaited.iter().copied().collect();
        self.awaited.retain(|number, _| awaited.contains(number));
        for number in awaited {
            self.awaited.entry(number).or_insert(seen.now_ns);
        }
        let oldest = self.awaited.values().min().copied();
        note(HealthState::SilentVenue, lasts(oldest, self.settings.venue_after_ns));
        for (symbol, last_ns) in &seen.feeds {
            if last_ns.is_some() {
                self.unheard.remove(symbol);
            }
            if lasts(Some(last_ns.unwrap_or(began_ns)), self.settings.feed_after_ns) {
                ill.insert((HealthState::SilentFeed, Some(symbol.clone())));
            }
        }
        if self.settings.feed_after_ns.is_some() {
            // Also those of instruments that nobody has named yet.
            ill.extend(self.unheard.iter().map(|symbol| (HealthState::SilentFeed, Some(symbol.clone()))));
        }
        ill
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watchdog() -> Watchdog {
        let settings = WatchSettings {
            worker_after_ns: Some(10),
            feed_after_ns: Some(100),
            venue_after_ns: Some(50),
            journal_after_ns: Some(20),
            queue_percent: Some(80),
            standby_places: Some(1000),
            followed_in: None,
            modes: Vec::new(),
        };
        Watchdog::new(settings, [])
    }

    /// The changes, as `+state` and `-state`.
    fn look(watchdog: &mut Watchdog, seen: &Observation) -> Vec<String> {
        let shown = |change: Change| {
            let symbol = change.symbol.map_or_else(String::new, |symbol| format!(" {symbol}"));
            format!("{}{}{symbol}", if change.active { '+' } else { '-' }, change.state.as_str())
        };
        watchdog.look(seen).into_iter().map(shown).collect()
    }

    fn at(now_ns: u64) -> Observation {
        Observation { now_ns, ..Observation::default() }
    }

    const NOTHING: [&str; 0] = [];

    #[test]
    fn a_worker_that_stalls_and_goes_on() {
        let mut dog = watchdog();
        let busy = |now_ns| Observation { carrying_out_since_ns: Some(5), ..at(now_ns) };
        assert_eq!(look(&mut dog, &busy(14)), NOTHING);
        assert_eq!(look(&mut dog, &busy(15)), ["+stalled_worker"]);
        assert_eq!(look(&mut dog, &busy(500)), NOTHING, "told once");
        assert_eq!(look(&mut dog, &Observation { carrying_out_since_ns: Some(499), ..at(501) }), ["-stalled_worker"]);
    }

    #[test]
    fn a_feed_is_silent_by_instrument() {
        let mut dog = watchdog();
        let feeds = |now_ns, a, b| {
            let feeds = vec![("A".to_owned(), a), ("B".to_owned(), b)];
            Observation { feeds, ..at(now_ns) }
        };
        assert_eq!(look(&mut dog, &feeds(1000, Some(950), None)), NOTHING, "B has its time from the start");
        assert_eq!(look(&mut dog, &feeds(1049, Some(950), None)), NOTHING);
        assert_eq!(look(&mut dog, &feeds(1050, Some(950), None)), ["+silent_feed A"]);
        assert_eq!(look(&mut dog, &feeds(1100, Some(1099), None)), ["-silent_feed A", "+silent_feed B"]);
        assert_eq!(look(&mut dog, &feeds(1101, Some(1099), Some(1101))), ["-silent_feed B"]);
    }

    #[test]
    fn a_venue_that_answers_others_but_not_one() {
        let mut dog = watchdog();
        let awaited = |now_ns, awaited: &[u64]| Observation { awaited: awaited.to_vec(), ..at(now_ns) };
        assert_eq!(look(&mut dog, &awaited(0, &[1, 2])), NOTHING);
        assert_eq!(look(&mut dog, &awaited(49, &[2, 3])), NOTHING);
        assert_eq!(look(&mut dog, &awaited(50, &[2, 3])), ["+silent_venue"]);
        assert_eq!(look(&mut dog, &awaited(60, &[3])), ["-silent_venue"], "3 waits since 49");
        assert_eq!(look(&mut dog, &awaited(99, &[3])), ["+silent_venue"]);
    }

    #[test]
    fn what_is_near_a_bound_does_not_come_and_go() {
        let mut dog = watchdog();
        let full = |percent| Observation { fullest_percent: percent, ..at(0) };
        let changes = [79, 80, 79, 40, 39, 79, 80].map(|percent| look(&mut dog, &full(percent)));
        let expected: [&[&str]; 7] =
            [&[], &["+queue_near_full"], &[], &[], &["-queue_near_full"], &[], &["+queue_near_full"]];
        assert_eq!(
            changes.each_ref().map(Vec::as_slice),
            expected
                .map(|changes| changes.iter().map(ToString::to_string).collect::<Vec<_>>())
                .each_ref()
                .map(Vec::as_slice)
        );
        let behind = |places| Observation { standby_behind: places, fullest_percent: 80, ..at(0) };
        assert_eq!(look(&mut dog, &behind(Some(1000))), ["+standby_behind"]);
        assert_eq!(look(&mut dog, &behind(Some(500))), NOTHING);
        assert_eq!(look(&mut dog, &behind(Some(499))), ["-standby_behind"]);
        assert_eq!(look(&mut dog, &behind(Some(1000))), ["+standby_behind"]);
        assert_eq!(look(&mut dog, &behind(None)), ["-standby_behind"], "none is meant to be there any more");
    }

    #[test]
    fn a_journal_that_does_not_keep_up() {
        let mut dog = watchdog();
        let unkept = |now_ns, since| Observation { unkept_since_ns: since, ..at(now_ns) };
        assert_eq!(look(&mut dog, &unkept(30, Some(11))), NOTHING);
        assert_eq!(look(&mut dog, &unkept(31, Some(11))), ["+slow_journal"]);
        assert_eq!(look(&mut dog, &unkept(32, None)), ["-slow_journal"]);
    }

    #[test]
    fn what_the_kernel_held_for_ill_is_so_until_it_is_known_better() {
        let ill = [(HealthState::SilentFeed, Some("A".to_owned())), (HealthState::SlowJournal, None)];
        let mut dog = Watchdog::new(watchdog().settings, ill);
        let feed = |now_ns, last| Observation { feeds: vec![("A".to_owned(), last)], ..at(now_ns) };
        assert_eq!(look(&mut dog, &at(0)), ["-slow_journal"], "before the instruments are known");
        assert_eq!(look(&mut dog, &feed(1, None)), NOTHING);
        assert_eq!(look(&mut dog, &feed(5, None)), NOTHING, "it was not heard since");
        assert_eq!(look(&mut dog, &feed(6, Some(6))), ["-silent_feed A"]);
    }

    #[test]
    fn commands_name_what_they_switch_on() {
        let change = Change { state: HealthState::SilentFeed, symbol: Some("X".to_owned()), active: true };
        let mode =
            WatchSettings { modes: vec![(HealthState::SilentFeed, Mode::CancelOnly)], ..WatchSettings::default() }
                .mode(change.state);
        assert_eq!(
            change.line(mode),
            r#"{"op":"health","state":"silent_feed","symbol":"X","active":true,"mode":"cancel_only"}"#
        );
        let gone = Change { state: HealthState::SlowJournal, symbol: None, active: false };
        assert_eq!(gone.line(Mode::Halted), r#"{"op":"health","state":"slow_journal","active":false}"#);
    }
}
