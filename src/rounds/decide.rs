//! A decision: the waiting pools walk their steps, then the funds act, until nothing is left to do.

use super::Rounds;
use crate::command::{OrderName, OrderOwner, Side};
use crate::event::{FundReason, Step};
use crate::market::InstrumentId;
use crate::number::{Price, Quantity};
use crate::prices::PriceInput;
use crate::shard::{Advance, Attention, OrderFill, OrderRequest, Shard};
use crate::venue::{VenueMode, VenueRequest};

/// What the venue answered to an order, in place of a command: the simulated venue answers within a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct VenueAnswer {
    /// The order.
    pub order: OrderName,
    /// Lots and price of a fill; none: what is left has expired.
    pub fill: Option<(Quantity, Price)>,
}

impl Rounds {
    /// Carries out all that follows from the inputs since the last decision, with all shards at hand.
    pub(crate) fn decide(&mut self, shards: &mut [Box<Shard>]) {
        self.undecided = false;
        self.given.clear();
        self.sent.clear();
        self.arbiter.new_decision(self.now_ns);
        self.pace.new_decision();
        let Self { numbers, arbiter, .. } = self;
        numbers.prune(|OrderName { owner, nth }| match owner {
            OrderOwner::Account(account) => shards.iter().any(|shard| shard.knows_order(account, nth)),
            OrderOwner::Fund(instrument) => arbiter.knows_order(instrument, nth),
        });
        self.filled.clear();
        self.followed.clear();
        self.airlocks.changed.clear();
        self.note_open_interest(shards);
        self.look_at_airlocks(shards);
        self.walk_undecided(shards);
        self.grant_room(shards);
        self.walk_rounds(shards);
        while self.follow_fills(shards) {
            self.walk_rounds(shards);
        }
        self.arbiter.end_decision();
        self.market.seen_ns = self.now_ns;
    }

    /// Where the venue filled against depth, last and best prices moved: computed marks follow, and whoever they put in
    /// breach. False if none moved.
    fn follow_fills(&mut self, shards: &mut [Box<Shard>]) -> bool {
        if self.filled.is_empty() {
            return false;
        }
        self.changes.clear();
        self.filled.sort_unstable();
        for at in 0..self.filled.len() {
            let id = self.filled[at];
            let (bid, ask) = self.venue.top(id);
            let last = self.market.instrument(id).last.unwrap_or(1);
            let input = PriceInput::Filled { last, bid, ask };
            self.reprice(id, input, self.now_ns);
            self.followed.push((id, input));
        }
        self.filled.clear();
        self.wake(shards);
        if !self.changes.is_empty() {
            for shard in shards.iter_mut() {
                shard.look_at_held_back();
            }
        }
        let judges = !self.market.undecided.is_empty();
        if self.changes.is_empty() && !judges {
            return false;
        }
        self.arbiter.end_decision(); // scores are as of one mark
        self.look_at_funds();
        self.arbiter.new_decision(self.now_ns);
        if judges {
            self.begin_again(shards);
            self.judge(shards);
            self.walk_undecided(shards);
        }
        true
    }

    /// From (a) until no unlocked pool is in breach and the funds have nothing left to do.
    fn walk_rounds(&mut self, shards: &mut [Box<Shard>]) {
        loop {
            while self.lock_breached(shards) {
                for at in 0..self.walk.len() {
                    self.walk_pool(shards, self.walk[at], None);
                }
                self.grant_room(shards);
            }
            if !self.arbiter.holds_inventory() {
                break;
            }
            self.unwind_inventory();
            if !self.arbiter.deleverage_inventory(&self.market, shards, &mut self.events) {
                break;
            }
        }
    }

    /// The first round: (a) was the shards'; the pools that wait are walked in order, each after what it began itself.
    fn walk_undecided(&mut self, shards: &mut [Box<Shard>]) {
        self.walk.clear();
        let mut stirred = false;
        for shard in shards.iter_mut() {
            stirred |= shard.take_stirred();
            shard.take_undecided(&mut self.walk);
        }
        if stirred {
            self.arbiter.try_again();
        }
        self.walk.sort_unstable();
        let mut begun = 0;
        for at in 0..self.walk.len() {
            let found = self.walk[at];
            while self.begun.get(begun).is_some_and(|begun| begun.attention <= found) {
                self.tell_step(begun);
                begun += 1;
            }
            self.walk_pool(shards, found, None);
        }
        for at in begun..self.begun.len() {
            self.tell_step(at);
        }
        self.begun.clear();
    }

    /// Phase (a) of a further round: locks and announces all unlocked pools in breach, by account; false if there is
    /// nothing to walk.
    fn lock_breached(&mut self, shards: &mut [Box<Shard>]) -> bool {
        self.follow_losses();
        if shards.iter().all(|shard| shard.is_quiet()) {
            return false;
        }
        self.arbiter.try_again();
        self.findings.breached.clear();
        self.findings.ready.clear();
        self.findings.called.clear();
        for shard in shards.iter_mut() {
            shard.look_at_held_back();
            shard.examine(&self.market, &mut self.findings);
        }
        self.findings.breached.sort_unstable_by_key(|breached| breached.attention);
        self.findings.called.sort_unstable_by_key(|called| called.attention);
        self.walk.clear();
        let mut called = self.findings.called.iter().peekable();
        for breached in &self.findings.breached {
            let found = breached.attention;
            while let Some(called) = called.next_if(|called| called.attention < found) {
                let shard = &shards[called.attention.shard as usize];
                shard.tell_calls(&self.market, called, |event| self.events.push(event));
            }
            let shard = &mut shards[found.shard as usize];
            if shard.announce(&self.market, breached, self.cause, &mut self.events) {
                self.walk.push(found);
            }
        }
        for called in called {
            let shard = &shards[called.attention.shard as usize];
            shard.tell_calls(&self.market, called, |event| self.events.push(event));
        }
        self.walk.append(&mut self.findings.ready);
        self.walk.sort_unstable();
        !self.walk.is_empty()
    }

    /// Phase (b): a locked pool walks to its end, or until it waits: for the venue, or for room in an instrument with pacing
    /// that it was not let go in.
    pub(super) fn walk_pool(&mut self, shards: &mut [Box<Shard>], found: Attention, let_go: Option<InstrumentId>) {
        let Attention { shard, pool, .. } = found;
        shards[shard as usize].catch_up_pool(&self.market, pool);
        loop {
            self.follow_losses();
            if shards[shard as usize].waiting(pool).is_some() {
                if self.market.venue.is_manual() {
                    return;
                }
                self.answer_order(&mut shards[shard as usize], pool);
            }
            let from = self.events.len();
            let advance = shards[shard as usize].advance(&self.market, pool, &mut self.events);
            match advance {
                Advance::Ended { deficit } => {
                    if let Some((fund, deficit)) = deficit {
                        self.arbiter.make_good(&self.market, fund, deficit, &mut self.events);
                    }
                    return;
                }
                Advance::Waits => return self.note_cancelling(from),
                Advance::Offset { rounding: (bearer, amount) } => {
                    self.arbiter.credit(bearer, amount, FundReason::Rounding, &mut self.events);
                    self.arbiter.look(&self.market, &mut self.events);
                }
                Advance::Order(request) => match self.paced(shards, found, request, let_go) {
                    Some(request) => self.send_order(&mut shards[shard as usize], found, &request),
                    None => return,
                },
                Advance::Claim(claim) => {
                    if self.arbiter.waits_to_deleverage(&self.market, &claim) {
                        shards[shard as usize].put_back(pool, &claim);
                        return;
                    }
                    let place = (shard, pool);
                    self.arbiter.settle_claim(&self.market, shards, place, &claim, &mut self.events);
                }
            }
        }
    }

    /// Notes when a pool asked for its cancellation, if it just did.
    fn note_cancelling(&mut self, from: usize) {
        if let Some(&crate::event::Event::CancelRequested { account, pool, .. }) = self.events.get(from) {
            self.numbers.note_cancelling(account, pool, self.now_ns);
            self.sent.push(VenueRequest::Cancel { account, pool });
        }
    }

    fn send_order(&mut self, shard: &mut Shard, found: Attention, request: &OrderRequest) {
        let nth = shard.order_sent(&self.market, found.pool, request);
        let order = OrderName { owner: OrderOwner::Account(found.account), nth };
        self.tell_order(order, request);
        let OrderRequest { instrument, side, quantity, limit, step, .. } = *request;
        self.note_sent(VenueRequest::Order { order, instrument, side, quantity, limit, step });
    }

    fn note_sent(&mut self, request: VenueRequest) {
        if self.market.venue.is_manual() {
            self.sent.push(request);
        }
    }

    /// The simulated venue answers the order for which a pool waits.
    fn answer_order(&mut self, shard: &mut Shard, pool: u32) {
        let Some(name) = shard.waiting(pool).map(|waiting| waiting.order) else { return };
        while let Some(waiting) = shard.waiting(pool) {
            let asked = (waiting.instrument, waiting.side, waiting.rest, waiting.limit);
            match self.answer(waiting.order, asked) {
                Some((lots, price)) => {
                    let (realised, fee) = shard.fill_standing(&self.market, pool, lots, price);
                    self.tell_filled(&OrderFill {
                        order: waiting.order,
                        instrument: waiting.instrument,
                        side: waiting.side,
                        price,
                        lots,
                        realised,
                        fee,
                        fund_lots: 0,
                    });
                }
                None => shard.expire_standing(pool),
            }
        }
        self.numbers.forget(name);
    }

    /// The next answer to an order of which so much is left: simulated, or from the record.
    fn answer(
        &mut self,
        order: OrderName,
        (instrument, side, rest, limit): (InstrumentId, Side, Quantity, Price),
    ) -> Option<(Quantity, Price)> {
        let fill = match &mut self.recorded {
            Some(recorded) => {
                let within_limit = |price: Price| match side {
                    Side::Sell => price >= limit,
                    Side::Buy => price <= limit,
                };
                let admitted = |(lots, price): (Quantity, Price)| {
                    let value = self.market.instrument(instrument).admitted_value(lots, price);
                    (1..=rest).contains(&lots) && price > 0 && within_limit(price) && value.is_some()
                };
                let fits = |answer: &VenueAnswer| answer.order == order && answer.fill.is_none_or(admitted);
                let answer = recorded.pop_front().filter(fits);
                self.diverged |= answer.is_none();
                // The depth is used up as it was then: computed marks follow it.
                self.venue.fill(&self.market, instrument, side, rest, limit);
                answer.and_then(|answer| answer.fill)
            }
            None => self.venue.fill(&self.market, instrument, side, rest, limit),
        };
        if let (Some((_, price)), VenueMode::Book) = (fill, self.market.venue.mode) {
            self.market.instruments[instrument.index()].last = Some(price);
            if !self.filled.contains(&instrument) {
                self.filled.push(instrument);
            }
        }
        if self.keeps_answers {
            self.given.push(VenueAnswer { order, fill });
        }
        fill
    }

    /// Phase (d), first half: one order for the inventory of each instrument that has cause to try.
    fn unwind_inventory(&mut self) {
        for index in 0..self.market.instruments.len() {
            let id = InstrumentId(index as u32);
            let request = self.arbiter.unwind_request(&self.market, id, self.inputs, self.now_ns);
            let Some((side, quantity, limit)) = request else { continue };
            let nth = self.arbiter.unwind_sent(&self.market, id, side, quantity, limit);
            let name = OrderName { owner: OrderOwner::Fund(id), nth };
            let number = self.announce_order(name, id, side, quantity, limit, Step::Unwind);
            let step = Step::Unwind;
            self.note_sent(VenueRequest::Order { order: name, instrument: id, side, quantity, limit, step });
            if self.market.venue.is_manual() {
                continue;
            }
            while let Some(order) = self.arbiter.unwinding(id) {
                match self.answer(name, (id, side, order.rest, limit)) {
                    Some(fill) => {
                        self.arbiter.book_unwind(&self.market, (id, nth), fill, number, &mut self.events);
                    }
                    None => self.arbiter.unwind_expired(id),
                }
            }
            self.numbers.forget(name);
        }
    }
}
