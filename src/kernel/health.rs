//! Health: which pools wait for the venue, for what, and since when.

use crate::command::{OrderName, OrderOwner};
use crate::event::{Owner, PoolName};
use crate::market::InstrumentId;
use crate::rounds::Rounds;
use crate::shard::Shard;

/// What a pool waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitState {
    /// The venue was asked to cancel its orders.
    CancelRequested,
    /// The venue has cancelled; a fill that it made before is not booked yet.
    CancelAcknowledged,
    /// Its order is out.
    OrderOut,
    /// The venue said that it does not know what became of its order.
    Unknown,
}

/// A pool, or a fund's inventory, that waits for the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingPool {
    /// Whose.
    pub owner: Owner,
    /// The pool; of a fund: the instrument, as [`PoolName::Isolated`].
    pub pool: PoolName,
    /// For what.
    pub state: WaitState,
    /// The number of its order, if one is out.
    pub liquidation: Option<u64>,
    /// Input time, in nanoseconds.
    pub since_ns: u64,
    /// Whether that is longer ago than the venue's timeout.
    pub overdue: bool,
}

/// How the kernel and its venue are getting on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Locked pools.
    pub locked: usize,
    /// Those that wait for the venue, by account and pool; then inventory, by instrument.
    pub waiting: Vec<WaitingPool>,
}

pub(super) fn health(rounds: &Rounds, shards: &[Box<Shard>], now_ns: u64) -> Health {
    let rules = &rounds.market.venue;
    let overdue = |since_ns: u64, timeout_ns: u64| now_ns - since_ns >= timeout_ns;
    let order = |order: OrderName, pool: PoolName, unknown: bool| {
        let numbered = rounds.numbered(order);
        let since_ns = numbered.map_or(0, |numbered| numbered.since_ns);
        WaitingPool {
            owner: order.owner.owner(),
            pool,
            state: if unknown { WaitState::Unknown } else { WaitState::OrderOut },
            liquidation: numbered.map(|numbered| numbered.number),
            since_ns,
            overdue: overdue(since_ns, rules.order_timeout_ns),
        }
    };
    let cancelling = |account: u64, pool: PoolName, acknowledged: bool| {
        let since_ns = rounds.cancelling_since(account, pool);
        WaitingPool {
            owner: Owner::Account(account),
            pool,
            state: if acknowledged { WaitState::CancelAcknowledged } else { WaitState::CancelRequested },
            liquidation: None,
            since_ns,
            overdue: overdue(since_ns, rules.cancel_timeout_ns),
        }
    };
    let mut health = Health::default();
    for shard in shards {
        shard.for_each_locked(|account, pool, acknowledged, standing| {
            health.locked += 1;
            match (standing, acknowledged) {
                (Some((nth, unknown)), _) => {
                    health.waiting.push(order(OrderName { owner: OrderOwner::Account(account), nth }, pool, unknown));
                }
                (None, Some(acknowledged)) => health.waiting.push(cancelling(account, pool, acknowledged)),
                (None, None) => {}
            }
        });
    }
    health.waiting.sort_unstable_by_key(|waiting| (waiting.owner, waiting.pool));
    for index in 0..rounds.market.instruments.len() {
        let id = InstrumentId(index as u32);
        if let Some(unwinding) = rounds.arbiter.unwinding(id) {
            let name = OrderName { owner: OrderOwner::Fund(id), nth: unwinding.nth };
            health.waiting.push(order(name, PoolName::Isolated(id, None), unwinding.unknown));
        }
    }
    health
}
