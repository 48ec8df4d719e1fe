//! Pacing (model section 5): the lots of liquidation orders in flight in an
//! instrument are bounded; pools beyond that wait, in an order fixed when they
//! were locked.

use super::command::{InstrumentFields, PacingFields};
use super::input::Refusal;
use super::number::{Int, Rat, int, one, pow10, rat, show_exact, zero};
use super::state::{Owner, PoolId, State, need, on_grid, sum};
use num_traits::Signed;
use std::cmp::Reverse;

#[derive(Clone)]
pub enum Pacing {
    Lots(Int),
    DepthShare(Rat),
}

/// `equity ≤ 0` first, the largest deficit first; then by ratio, the highest
/// first.
type Urgency = (Reverse<bool>, Reverse<Rat>);

pub fn pacing_of(f: &InstrumentFields) -> Result<Option<Pacing>, Refusal> {
    match &f.pacing {
        None => Ok(None),
        Some(PacingFields::Lots(lots)) => {
            need(*lots > 0, "bad_value", "pacing lots is 0")?;
            Ok(Some(Pacing::Lots(Int::from(*lots))))
        }
        Some(PacingFields::DepthShare(share)) => {
            let fits = share.is_positive() && *share <= one();
            need(fits, "bad_value", format!("depth_share {} is not above 0 and at most 1", show_exact(share)))?;
            Ok(Some(Pacing::DepthShare(share.clone())))
        }
    }
}

pub fn need_pacing_on_grid(f: &InstrumentFields) -> Result<(), Refusal> {
    if let Some(PacingFields::DepthShare(share)) = &f.pacing {
        on_grid(share, &Rat::new(int(1), pow10(9)), "billionth")?;
    }
    Ok(())
}

impl State {
    /// How many more lots may be in flight; none: as many as there are.
    pub fn room(&mut self, i: usize) -> Option<Int> {
        let pacing = self.instruments[i].pacing.clone()?;
        let bound = match pacing {
            Pacing::Lots(lots) => lots,
            Pacing::DepthShare(share) => {
                let depth = self.visible_depth(i);
                (rat(&depth) * share).floor().to_integer().max(int(1))
            }
        };
        let of_pools = self.standing.iter().filter(|o| o.at.i == i && o.owner != Owner::Fund);
        let in_flight = sum(of_pools.map(|o| o.open.clone())) + self.sent.get(&i).cloned().unwrap_or_default();
        Some(bound - in_flight)
    }

    /// Of the thinner side, as it is when first asked for in a decision.
    fn visible_depth(&mut self, i: usize) -> Int {
        let of_side = |side: &[(Int, Int)]| sum(side.iter().map(|(_, qty)| qty.clone()));
        let instrument = &self.instruments[i];
        let depth = of_side(&instrument.bids).min(of_side(&instrument.asks));
        self.depths.entry(i).or_insert(depth).clone()
    }

    /// What went to the simulated venue in this decision.
    pub fn note_sent(&mut self, i: usize, lots: &Int) {
        *self.sent.entry(i).or_default() += lots;
    }

    /// When all pools have walked: the first that wait send their orders, cut to
    /// the room, and walk on.
    pub fn let_waiting_pools_go(&mut self) {
        let mut any = true;
        while any {
            any = false;
            for i in 0..self.instruments.len() {
                while self.room(i).is_none_or(|room| room.is_positive())
                    && let Some(pool) = self.first_waiting(i)
                {
                    any = true;
                    self.lock_mut(pool).waits_in = None;
                    self.catch_up(pool.account);
                    self.walk(pool, Some(i));
                }
            }
        }
    }

    fn first_waiting(&self, i: usize) -> Option<PoolId> {
        let waiting = self.all_pools().into_iter().filter(|&pool| self.lock(pool).waits_in == Some(i));
        waiting.min_by_key(|&pool| (self.urgency(pool), pool))
    }

    fn urgency(&self, pool: PoolId) -> Urgency {
        let (equity, mm) = self.lock(pool).figures.expect("a locked pool was announced");
        if equity.is_positive() {
            (Reverse(false), Reverse(Rat::new(mm, equity)))
        } else {
            (Reverse(true), Reverse(rat(&-equity)))
        }
    }

    /// So many of the lots of an order fit; none: it waits, in another instrument
    /// than that in which it was its turn behind those who wait there.
    pub fn cut_to_room(&mut self, i: usize, lots: &Int, released: Option<usize>) -> Option<Int> {
        let Some(room) = self.room(i) else {
            return Some(lots.clone());
        };
        (released == Some(i) && room > zero()).then(|| room.min(lots.clone()))
    }

    /// A new decision: nothing was sent in it, no depth looked at.
    pub fn forget_pace(&mut self) {
        self.sent.clear();
        self.depths.clear();
    }

    /// Where nothing stands at the venue, what is sent is in flight until the
    /// decision ends.
    pub fn is_simulated(&self) -> bool {
        self.venue.mode != "manual"
    }
}
