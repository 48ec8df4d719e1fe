//! The watchdog's thread: gathers what is seen, and hands what has changed to the owner as commands.

use super::board::Ill;
use super::hall::Hall;
use super::pulse::Pulse;
use super::watchdog::{Change, Observation, WatchSettings, Watchdog};
use crate::journal::Follower;
use crate::market::Market;
use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Weak};
use std::thread::Builder;
use std::time::Duration;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(20);

/// What the kernel holds for ill.
pub(super) fn known_to(market: &Market) -> Vec<Ill> {
    let symbol = |id| market.instrument(id).spec.symbol.clone();
    market.health.iter().map(|ill| (ill.state, ill.instrument.map(symbol))).collect()
}

/// Starts it; what it commands comes out of the channel. It ends with the server.
pub(super) fn start(
    settings: WatchSettings,
    ill: Vec<Ill>,
    hall: &Arc<Hall>,
    pulse: &Arc<Pulse>,
) -> io::Result<Receiver<String>> {
    let (sender, commands) = bounded(64);
    let now_ns = hall.now_ns();
    pulse.board(|board| board.ill.extend(ill.iter().map(|ill| (ill.clone(), now_ns))));
    let watchdog = Watchdog::new(settings.clone(), ill);
    let (hall, pulse) = (Arc::downgrade(hall), Arc::downgrade(pulse));
    Builder::new().name("watchdog".to_owned()).spawn(move || watch(watchdog, &settings, &hall, &pulse, &sender))?;
    Ok(commands)
}

fn watch(mut dog: Watchdog, settings: &WatchSettings, hall: &Weak<Hall>, pulse: &Weak<Pulse>, sender: &Sender<String>) {
    let mut untold: VecDeque<Change> = VecDeque::new();
    let mut followed = None;
    while let (Some(hall), Some(pulse)) = (hall.upgrade(), pulse.upgrade()) {
        // While it has something to say that nobody hears, what it knows stays what it was: so nothing piles up.
        if untold.is_empty() {
            if let Some(directory) = &settings.followed_in {
                followed = Follower::heard(directory).unwrap_or(followed); // what cannot be read just now is as it was
            }
            let seen = observe(&hall, &pulse, followed);
            untold.extend(dog.look(&seen));
            pulse.board(|board| {
                board.standby_behind = seen.standby_behind;
                for Change { state, symbol, active } in &untold {
                    let ill = (*state, symbol.clone());
                    if *active {
                        board.ill.insert(ill, seen.now_ns);
                    } else {
                        board.ill.remove(&ill);
                    }
                }
            });
        }
        while let Some(change) = untold.pop_front() {
            match sender.try_send(change.line(settings.mode(change.state))) {
                Ok(()) => hall.call(),
                Err(TrySendError::Full(_)) => {
                    untold.push_front(change);
                    break;
                }
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
        drop((hall, pulse));
        std::thread::sleep(EVERY);
    }
}

fn observe(hall: &Hall, pulse: &Pulse, followed: Option<u64>) -> Observation {
    let (feeds, awaited, fullest_percent) = hall.with(|inner| {
        let feed = |symbol: &String| (symbol.clone(), inner.last_ticks.get(symbol).copied());
        (inner.symbols.iter().map(feed).collect(), inner.awaited.clone(), inner.lanes.fullest_percent())
    });
    Observation {
        now_ns: hall.now_ns(),
        carrying_out_since_ns: pulse.carrying_out_since_ns(),
        feeds,
        awaited,
        fullest_percent,
        unkept_since_ns: pulse.unkept_since_ns(),
        standby_behind: followed.map(|places| pulse.journal_places().saturating_sub(places)),
    }
}
