//! Pacing: in an instrument that bounds the liquidation quantity in flight, pools wait for room, the most urgent first.
//!
//! Orders answered by commands are in flight until they are filled or have expired. What went to the simulated venue counts
//! until the decision ends: it answers at once, and the cascade is to become a stream all the same.

use super::Rounds;
use crate::market::{InstrumentId, Pacing};
use crate::number::{PPB, Quantity};
use crate::shard::{Attention, OrderRequest, Shard, Urgency};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Who waits for room, by instrument, and what this decision has sent.
#[derive(Debug, Default)]
pub(super) struct Pace {
    pub(super) instruments: Vec<Lane>,
    /// How many pools wait for room: none, and nobody has to look.
    pub(super) waiting: usize,
    /// Whether this decision has asked for room anywhere: else no lane is to be cleared.
    pub(super) asked: bool,
    /// Whether an input since the last decision can have made room where orders are answered by commands.
    pub(super) freed: bool,
}

/// One instrument.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) queue: BinaryHeap<Reverse<(Urgency, Attention)>>,
    /// Lots that this decision has sent to the simulated venue.
    pub(super) sent: Quantity,
    /// The bound, once it was asked for in this decision.
    pub(super) bound: Option<Quantity>,
}

impl Pace {
    /// Makes room for one more instrument, in which so many pools may have to wait.
    pub(super) fn add_instrument(&mut self, pools: usize) {
        let queue = BinaryHeap::with_capacity(pools);
        self.instruments.push(Lane { queue, ..Lane::default() });
    }

    /// Makes room for so many pools to wait in an instrument that is there already.
    pub(super) fn reserve(&mut self, instrument: InstrumentId, pools: usize) {
        let queue = &mut self.instruments[instrument.index()].queue;
        queue.reserve(pools.saturating_sub(queue.len()));
    }

    pub(super) fn new_decision(&mut self) {
        self.freed = false;
        if std::mem::take(&mut self.asked) {
            for lane in &mut self.instruments {
                (lane.sent, lane.bound) = (0, None);
            }
        }
    }

    /// Whether nobody waits for room.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Whether a decision could let somebody go; `manual`: only an input that frees room can.
    pub(super) fn has_business(&self, manual: bool) -> bool {
        self.waiting > 0 && (self.freed || !manual)
    }
}

impl Rounds {
    /// Lets the pools that wait for room go, the most urgent first, as long as there is room.
    pub(super) fn grant_room(&mut self, shards: &mut [Box<Shard>]) {
        let mut granted = true;
        while granted && self.pace.waiting > 0 {
            granted = false;
            for index in 0..self.pace.instruments.len() {
                let id = InstrumentId(index as u32);
                while self.room(shards, id) > 0
                    && let Some(Reverse((_, found))) = self.pace.instruments[index].queue.pop()
                {
                    self.pace.waiting -= 1;
                    granted = true;
                    shards[found.shard as usize].leave_queue(found.pool);
                    self.walk_pool(shards, found, Some(id));
                }
            }
        }
    }

    /// An order as it may go out now: cut to the room where its pool was let go, else as it is; none: its pool waits.
    pub(super) fn paced(
        &mut self,
        shards: &mut [Box<Shard>],
        found: Attention,
        mut request: OrderRequest,
        let_go: Option<InstrumentId>,
    ) -> Option<OrderRequest> {
        let id = request.instrument;
        if self.market.instrument(id).spec.reduce.pacing.is_none() {
            return Some(request);
        }
        let room = if let_go == Some(id) { self.room(shards, id) } else { 0 };
        let lane = &mut self.pace.instruments[id.index()];
        if room <= 0 {
            let urgency = shards[found.shard as usize].enter_queue(found.pool);
            lane.queue.push(Reverse((urgency, found)));
            self.pace.waiting += 1;
            return None;
        }
        let quantity = request.quantity.min(room);
        if !self.market.venue.is_manual() {
            lane.sent += quantity;
        }
        request.quantity = quantity;
        Some(request)
    }

    /// How many lots may go out now.
    fn room(&mut self, shards: &[Box<Shard>], id: InstrumentId) -> Quantity {
        self.pace.asked = true;
        let lane = &mut self.pace.instruments[id.index()];
        let Self { market, venue, .. } = self;
        let bound = *lane.bound.get_or_insert_with(|| match market.instrument(id).spec.reduce.pacing {
            None => Quantity::MAX,
            Some(Pacing::Lots(lots)) => lots,
            Some(Pacing::DepthShare(share_ppb)) => {
                let lots = venue.visible(id) * i128::from(share_ppb) / i128::from(PPB);
                Quantity::try_from(lots.max(1)).unwrap_or(Quantity::MAX) // else nothing would ever go
            }
        });
        let in_flight: Quantity = shards.iter().map(|shard| shard.in_flight(id)).sum();
        bound.saturating_sub(in_flight).saturating_sub(lane.sent)
    }
}
