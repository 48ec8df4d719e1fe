//! What a writer of scripts may see of the state, so that its lines mean
//! something.

use super::Reference;
use super::controls::Mode;
use super::repeats::Answer;
use super::state::{Cancelling, Owner, State, VenueOrder};

/// An open order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    pub account: u64,
    pub order: u64,
    pub symbol: String,
    pub side: &'static str,
    pub qty: String,
    pub price: String,
    pub reduce_only: bool,
    pub position_side: Option<&'static str>,
}

/// A liquidation or unwind order that stands at the venue, or has ended and may
/// have late fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentOrder {
    pub id: u64,
    /// None: the fund.
    pub account: Option<u64>,
    pub symbol: String,
    pub side: &'static str,
    pub rest: String,
    pub open: String,
    pub limit: String,
    /// What it left unfilled has gone to the fund or to counterparties.
    pub claimed: bool,
}

/// A pool that waits for its orders to be cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwaitedCancel {
    pub account: u64,
    pub pool: String,
    /// How many executions the account has had.
    pub executions: u64,
    /// The venue has cancelled: what is awaited is an execution.
    pub acknowledged: bool,
}

impl Reference {
    /// The number of the last line.
    pub fn seq(&self) -> u64 {
        self.state.seq
    }

    pub fn accounts(&self) -> Vec<u64> {
        self.state.accounts.keys().copied().collect()
    }

    pub fn standing_orders(&self) -> Vec<SentOrder> {
        self.state.standing.iter().map(|order| show_sent(&self.state, order)).collect()
    }

    pub fn ended_orders(&self) -> Vec<SentOrder> {
        self.state.ended.iter().map(|order| show_sent(&self.state, order)).collect()
    }

    /// The number of the last liquidation or unwind order.
    pub fn last_liquidation(&self) -> u64 {
        self.state.liquidations
    }

    pub fn awaited_cancels(&self) -> Vec<AwaitedCancel> {
        let state = &self.state;
        let mut list = Vec::new();
        for pool in state.all_pools() {
            let acknowledged = match state.cancelling(pool) {
                Cancelling::Requested { .. } => false,
                Cancelling::Acknowledged { .. } => true,
                Cancelling::NotAsked | Cancelling::Done => continue,
            };
            let executions = state.accounts[&pool.account].executions;
            list.push(AwaitedCancel { account: pool.account, pool: state.pool_name(pool), executions, acknowledged });
        }
        list
    }

    /// Account and id of every open hold.
    pub fn open_holds(&self) -> Vec<(u64, u64)> {
        let accounts = self.state.accounts.iter();
        accounts.flat_map(|(&account, a)| a.holds.keys().map(move |&hold| (account, hold))).collect()
    }

    /// Whether the mark of an instrument is computed, and the venues of its index.
    pub fn prices_of(&self, symbol: &str) -> Option<(bool, Vec<String>)> {
        let i = self.state.instrument_id(symbol).ok()?;
        let venues = &self.state.instruments[i].pricing.index_rules.venues;
        Some((self.state.has_computed_mark(i), venues.iter().map(|(name, _)| name.clone()).collect()))
    }

    /// Whether any fund's loss pauses liquidations.
    pub fn any_fund_pauses(&self) -> bool {
        self.state.funds.iter().any(|fund| fund.paused)
    }

    /// Symbol and price of every mark that the airlock holds.
    pub fn held_marks(&self) -> Vec<(String, String)> {
        let state = &self.state;
        let held = (0..state.instruments.len()).filter_map(|i| Some((i, state.instruments[i].held.as_ref()?)));
        held.map(|(i, held)| (state.instruments[i].symbol.clone(), state.show_price(i, &held.price))).collect()
    }

    /// Symbol or account of every scope whose mode is not `normal`; neither: everything.
    pub fn modes(&self) -> Vec<(Option<String>, Option<u64>)> {
        let state = &self.state;
        let all = Some((None, None)).filter(|_| state.mode != Mode::Normal);
        let instruments = state.instruments.iter().filter(|i| i.mode != Mode::Normal);
        let accounts = state.accounts.iter().filter(|(_, a)| a.mode != Mode::Normal);
        let of_instruments = instruments.map(|i| (Some(i.symbol.clone()), None));
        all.into_iter().chain(of_instruments).chain(accounts.map(|(&id, _)| (None, Some(id)))).collect()
    }

    /// What is wrong: which state, of which symbol.
    pub fn ill(&self) -> Vec<(&'static str, Option<String>)> {
        let symbol = |i: usize| self.state.instruments[i].symbol.clone();
        self.state.ill.keys().map(|&(state, i)| (super::health::STATES[state], i.map(symbol))).collect()
    }

    pub fn last_client_seq(&self, source: &str) -> u64 {
        self.state.last_client_seq(source)
    }

    /// The numbers of a source whose lines were rejected.
    pub fn rejected_client_seqs(&self, source: &str) -> Vec<u64> {
        let answers = self.state.sources.get(source).map(Vec::as_slice).unwrap_or_default();
        let numbered = (1..).zip(answers);
        numbered.filter(|(_, answer)| matches!(answer, Answer::Rejected(_))).map(|(number, _)| number).collect()
    }

    pub fn open_orders(&self) -> Vec<OpenOrder> {
        let state = &self.state;
        let mut list = Vec::new();
        for (&account, a) in &state.accounts {
            for o in &a.orders {
                list.push(OpenOrder {
                    account,
                    order: o.id,
                    symbol: state.instruments[o.at.i].symbol.clone(),
                    side: o.side.word(),
                    qty: state.show_qty(o.at.i, &o.rest),
                    price: state.show_price(o.at.i, &o.price),
                    reduce_only: o.reduce_only,
                    position_side: o.at.leg.word(),
                });
            }
        }
        list
    }

    pub fn is_hedged(&self, account: u64) -> bool {
        self.state.accounts.get(&account).is_some_and(|a| a.hedge)
    }

    /// The signed sizes of an account's positions, in lots as text ("0": none): one,
    /// or the long and the short leg.
    pub fn position_lots(&self, account: u64, symbol: &str) -> Vec<String> {
        match self.state.instrument_id(symbol) {
            Ok(i) if self.state.accounts.contains_key(&account) => {
                let places = self.state.places(account, i);
                places.iter().map(|&at| self.state.position(account, at).q.to_string()).collect()
            }
            _ => vec!["0".to_string()],
        }
    }
}

fn show_sent(state: &State, order: &VenueOrder) -> SentOrder {
    let i = order.at.i;
    SentOrder {
        id: order.id,
        account: match order.owner {
            Owner::Pool(pool) => Some(pool.account),
            Owner::Fund => None,
        },
        symbol: state.instruments[i].symbol.clone(),
        side: order.side.word(),
        rest: state.show_qty(i, &order.rest),
        open: state.show_qty(i, &order.open),
        limit: state.show_price(i, &order.limit),
        claimed: order.claimed,
    }
}
