//! From a tick to its order, an order check, or the word that it is done: through an engine over a [`World`](super::World), seen from the
//! caller's thread.
//!
//! ```text
//!  planned ─► published ─► taken ─► decided ─► queued ─► order out          the way of an order
//!                            (worker)              └──► arbiter             the report of it, after the order
//! ```
//!
//! Latencies under load count from the *planned* time of an input, so that what waits for a slow engine counts as
//! what it waited: nothing is omitted because the sender waits too.
//!
//! A crossing is prepared: the marks of an instrument go to a tick above the liquidation price of the next pool, its
//! edges are set anew there, other accounts' fills push it out of the caches, and then comes the tick that is timed.

use super::machine::histogram;
use super::world::Outline;
use crate::command::{Command, Fill, Order, OrderName, OrderOwner, Side};
use crate::engine::{Engine, Failure, Finished, Output, SubmitError, VenueMessage};
use crate::event::{Event, Owner};
use crate::kernel::Kernel;
use crate::market::InstrumentId;
use crate::number::Price;
use crate::replay::random::Random;
use crate::venue::VenueRequest;
use hdrhistogram::Histogram;
use std::time::Instant;

/// The stream of draws of this module.
const LATENCY: u64 = 0x4C41_5445_4E43_5900;

/// Why a run came to nothing: a bug, or an engine that has failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The engine stopped by itself.
    #[error(transparent)]
    Engine(#[from] Failure),
    /// An input was not taken.
    #[error("an input was not taken: {0}")]
    Submit(#[from] SubmitError),
    /// It should have led to an order.
    #[error("no order followed")]
    NoOrder,
}

/// A tick that puts the long positions of one liquidation price in breach, and how to get there and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// The instrument.
    pub instrument: InstrumentId,
    /// The mark just above.
    pub above: Price,
    /// The mark of the crossing.
    pub at: Price,
    /// The mark afterwards, as it was before.
    pub back: Price,
}

/// The next `each` liquidation prices below the marks of instruments, first the nearest of each.
#[must_use]
pub fn crossings(kernel: &Kernel, instruments: &[InstrumentId], each: usize) -> Vec<Crossing> {
    let below = |&instrument: &InstrumentId| {
        let mark = kernel.market().instrument(instrument).mark.unwrap_or(0);
        let rungs = kernel.ladder(instrument).unwrap_or_default();
        let prices = rungs.into_iter().filter(|(_, rung)| rung.long_lots > 0 && rung.accounts == 1);
        let prices =
            prices.map(|(price, _)| Price::try_from(price).unwrap_or(0)).filter(|&price| price > 1 && price < mark);
        prices.take(each).map(|at| Crossing { instrument, above: at + 1, at, back: mark }).collect::<Vec<_>>()
    };
    let ladders: Vec<Vec<Crossing>> = instruments.iter().map(below).collect();
    (0..each)
        .flat_map(|nth| ladders.iter().filter_map(move |ladder| ladder.get(nth)).copied().collect::<Vec<_>>())
        .collect()
}

/// Fills of accounts drawn at random, for one lot at the mark, in an instrument that the account wants: they change next to
/// nothing and touch another account's records each.
#[derive(Debug)]
pub struct Fills<'a> {
    outline: &'a Outline,
    random: Random,
}

impl<'a> Fills<'a> {
    /// From a seed.
    #[must_use]
    pub fn new(outline: &'a Outline, seed: u64) -> Self {
        Self { outline, random: Random::stream(seed, LATENCY) }
    }

    /// The next one.
    pub fn draw(&mut self) -> Command {
        loop {
            let account = 1 + self.random.below(self.outline.settings.accounts);
            let wishes = self.outline.wishes(account);
            if wishes.is_empty() {
                continue;
            }
            let (instrument, side) = wishes[self.random.below(wishes.len() as u64) as usize];
            let side = if self.random.below(2) == 0 { side } else { side.opposite() };
            return Command::Fill(Fill {
                account,
                counterparty: None,
                order: None,
                counter_order: None,
                instrument,
                side,
                quantity: 1,
                price: self.outline.marks[instrument.index()],
                liquidity: None,
                position_side: None,
                counter_position_side: None,
            });
        }
    }

    /// So many more.
    pub fn fill(&mut self, batch: &mut Vec<Command>, count: usize) {
        batch.clear();
        batch.extend((0..count).map(|_| self.draw()));
    }
}

/// An engine, the venue beside it that fills every order whole, and what came back.
pub struct Desk {
    /// It runs.
    pub engine: Engine,
    /// What is to be answered.
    asked: Vec<VenueMessage>,
    /// Refusals told so far.
    pub refused: u64,
}

/// When the order of a tick came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trip {
    /// Before the tick was submitted, and its place and time of publication (0 without stamps).
    pub sent: Instant,
    /// The place of the tick.
    pub place: u64,
    /// Nanoseconds since the engine started, if it stamps stages.
    pub published_ns: u64,
    /// When the order was there.
    pub received: Instant,
}

impl Trip {
    /// From before `submit` until the order was received.
    #[must_use]
    pub fn ns(&self) -> u64 {
        (self.received - self.sent).as_nanos() as u64
    }
}

impl Desk {
    /// Beside an engine whose venue is `Manual`.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self { engine, asked: Vec::with_capacity(1 << 12), refused: 0 }
    }

    /// Ends the engine.
    #[must_use]
    pub fn stop(self) -> Finished {
        self.engine.stop()
    }

    /// Takes what there is.
    #[inline]
    pub fn poll(&mut self) {
        let Self { engine, asked, refused } = self;
        engine.poll(
            |&message| asked.push(message),
            |output| *refused += u64::from(matches!(output, Output::Refused { .. })),
        );
    }

    /// Submits as soon as there is room.
    ///
    /// # Errors
    ///
    /// It was refused, or the engine has stopped.
    pub fn submit(&mut self, command: &Command) -> Result<u64, RunError> {
        loop {
            match self.engine.submit(command) {
                Err(SubmitError::Full) => self.poll(),
                done => return Ok(done?),
            }
        }
    }

    /// Moves a mark.
    ///
    /// # Errors
    ///
    /// As [`Desk::submit`].
    pub fn mark(&mut self, instrument: InstrumentId, price: Price) -> Result<u64, RunError> {
        self.submit(&Command::Mark { instrument, price })
    }

    /// Until nothing is under way, every order answered by a fill of all of it at its limit.
    ///
    /// # Errors
    ///
    /// The engine failed.
    pub fn settle(&mut self) -> Result<(), RunError> {
        loop {
            self.engine.settle()?;
            self.poll();
            if self.asked.is_empty() {
                return Ok(());
            }
            self.answer()?;
        }
    }

    /// Answers what was asked.
    ///
    /// # Errors
    ///
    /// As [`Desk::submit`].
    pub fn answer(&mut self) -> Result<(), RunError> {
        while let Some(message) = self.asked.pop() {
            if let Some(command) = filled(&message) {
                self.submit(&command)?;
            }
        }
        Ok(())
    }

    /// Submits a tick and waits for its order; none if it leads to no order, or to several.
    ///
    /// # Errors
    ///
    /// As [`Desk::submit`].
    pub fn cross(&mut self, crossing: &Crossing) -> Result<Option<Trip>, RunError> {
        let tick = Command::Mark { instrument: crossing.instrument, price: crossing.at };
        self.asked.clear();
        let place = self.engine.next_place();
        let sent = Instant::now();
        let seq = self.engine.submit(&tick)?;
        let published_ns = self.engine.published_ns();
        let mut received = None;
        while received.is_none() {
            let told = self.engine.told_seq() >= seq;
            let Self { engine, asked, refused } = &mut *self;
            engine.poll(
                |&message| {
                    received.get_or_insert_with(Instant::now);
                    asked.push(message);
                },
                |output| *refused += u64::from(matches!(output, Output::Refused { .. })),
            );
            if told && received.is_none() {
                return Ok(None);
            }
        }
        self.engine.settle()?;
        self.poll();
        let alone = self.asked.len() == 1 && self.asked[0].place == place;
        Ok(received.filter(|_| alone).map(|received| Trip { sent, place, published_ns, received }))
    }

    /// Submits something and waits until it is known whether it was accepted; how long that took, in nanoseconds.
    ///
    /// # Errors
    ///
    /// As [`Desk::submit`].
    pub fn ask(&mut self, command: &Command) -> Result<u64, RunError> {
        let sent = Instant::now();
        let seq = self.submit(command)?;
        while self.engine.told_seq() < seq {
            self.poll();
            std::hint::spin_loop();
        }
        Ok(sent.elapsed().as_nanos() as u64)
    }
}

/// The answer to an order: all of it, at its limit.
#[must_use]
pub fn filled(message: &VenueMessage) -> Option<Command> {
    let VenueRequest::Order { order, instrument, quantity, limit, .. } = message.request else { return None };
    Some(Command::LiquidationFill { order, instrument, quantity, price: limit })
}

/// The account of an order.
#[must_use]
pub fn account_of(message: &VenueMessage) -> Option<u64> {
    match message.request {
        VenueRequest::Order { order, .. } => match order.owner {
            OrderOwner::Account(account) => Some(account),
            OrderOwner::Fund(_) => None,
        },
        VenueRequest::Cancel { account, .. } => Some(account),
    }
}

/// What the crossings of a run came to.
#[derive(Clone, Debug)]
pub struct Crossed {
    /// From before the tick was submitted until its order was received, in nanoseconds.
    pub times: Histogram<u64>,
    /// Each of them.
    pub trips: Vec<Trip>,
    /// Ticks that led to no order or to several, and are not counted.
    pub others: u64,
    /// Exact evaluations of pools in those that are counted, where that is known.
    pub evaluations: u64,
}

/// Crosses one pool after another, `fills` fills of other accounts before each.
///
/// # Errors
///
/// [`RunError`].
pub fn tick_to_order(
    desk: &mut Desk,
    crossings: &[Crossing],
    fills: &mut Fills<'_>,
    per_tick: usize,
    idle: std::time::Duration,
) -> Result<Crossed, RunError> {
    let mut crossed =
        Crossed { times: histogram(), trips: Vec::with_capacity(crossings.len()), others: 0, evaluations: 0 };
    let mut batch = Vec::with_capacity(per_tick);
    for crossing in crossings {
        desk.mark(crossing.instrument, crossing.above)?;
        desk.settle()?;
        fills.fill(&mut batch, per_tick);
        for fill in &batch {
            desk.submit(fill)?;
        }
        desk.settle()?;
        let rest = Instant::now();
        while rest.elapsed() < idle {
            desk.poll();
        }
        match desk.cross(crossing)? {
            Some(trip) => {
                crossed.times.saturating_record(trip.ns());
                crossed.trips.push(trip);
            }
            None => crossed.others += 1,
        }
        desk.answer()?;
        desk.settle()?;
        desk.mark(crossing.instrument, crossing.back)?;
        desk.settle()?;
    }
    Ok(crossed)
}

/// The same on one thread, through the kernel itself: from before the tick until all that follows from it is told.
///
/// # Errors
///
/// The kernel refused an input.
pub fn inline(
    kernel: &mut Kernel,
    crossings: &[Crossing],
    fills: &mut Fills<'_>,
    per_tick: usize,
) -> Result<Crossed, RunError> {
    let mut crossed = Crossed { times: histogram(), trips: Vec::new(), others: 0, evaluations: 0 };
    let mark = |instrument, price| Command::Mark { instrument, price };
    let apply = |kernel: &mut Kernel, command: &Command| kernel.apply(command).map_err(SubmitError::Refused);
    for &Crossing { instrument, above, at, back } in crossings {
        apply(kernel, &mark(instrument, above))?;
        answer_inline(kernel)?;
        for _ in 0..per_tick {
            apply(kernel, &fills.draw())?;
        }
        let tick = mark(instrument, at);
        let (sent, evaluations) = (Instant::now(), kernel.work().evaluations);
        apply(kernel, &tick)?;
        let took = sent.elapsed();
        let orders = kernel.events().iter().filter(|event| matches!(event, Event::LiquidationOrder { .. })).count();
        if orders == 1 {
            crossed.times.saturating_record(took.as_nanos() as u64);
            crossed.evaluations += kernel.work().evaluations - evaluations;
        } else {
            crossed.others += 1;
        }
        answer_inline(kernel)?;
        apply(kernel, &mark(instrument, back))?;
        answer_inline(kernel)?;
    }
    Ok(crossed)
}

/// Fills every order whole, as long as any follows.
fn answer_inline(kernel: &mut Kernel) -> Result<(), RunError> {
    let mut answers = Vec::new();
    loop {
        answers.extend(kernel.events().iter().filter_map(|event| match *event {
            Event::LiquidationOrder { owner, nth, instrument, quantity, limit: price, .. } => {
                let owner = match owner {
                    Owner::Account(account) => OrderOwner::Account(account),
                    Owner::Fund => OrderOwner::Fund(instrument), // it unwinds
                };
                let order = OrderName { owner, nth };
                Some(Command::LiquidationFill { order, instrument, quantity, price })
            }
            _ => None,
        }));
        let Some(answer) = answers.pop() else { return Ok(()) };
        kernel.apply(&answer).map_err(SubmitError::Refused)?;
    }
}

/// Ticks that move no mark past any edge, as fast as they go through, over all instruments in turn; ticks a second, with all
/// polls until everything is settled.
///
/// # Errors
///
/// [`RunError`].
pub fn calm_rate(desk: &mut Desk, outline: &Outline, ticks: u64, seed: u64) -> Result<f64, RunError> {
    let mut random = Random::stream(seed, LATENCY);
    let marks = outline.marks.len() as u64;
    let stream: Vec<Command> = (0..1 << 12)
        .map(|_| random.below(marks) as usize)
        .map(|at| Command::Mark { instrument: InstrumentId(at as u32), price: outline.marks[at] })
        .collect();
    desk.settle()?;
    let begun = Instant::now();
    for tick in stream.iter().cycle().take(ticks as usize) {
        desk.submit(tick)?;
    }
    desk.settle()?;
    Ok(ticks as f64 / begun.elapsed().as_secs_f64())
}

/// An order of one lot that an account with this many positions can place far from the mark, and its cancellation.
#[must_use]
pub fn order_of(outline: &Outline, account: u64, order: u64) -> Option<[Command; 2]> {
    let wishes = outline.wishes(account);
    let &(instrument, side) = wishes.first()?;
    let mark = outline.marks[instrument.index()];
    let price = if side == Side::Buy { mark - mark / 10 } else { mark + mark / 10 };
    let placed =
        Order { account, order, instrument, side, quantity: 1, price, reduce_only: false, position_side: None };
    Some([Command::Order(placed), Command::Cancel { account, order }])
}

/// Planned times: what is offered does not wait for what is done.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    begun: Instant,
    per_second: f64,
}

impl Plan {
    /// From now on, so many a second.
    #[must_use]
    pub fn new(per_second: f64) -> Self {
        Self { begun: Instant::now(), per_second }
    }

    /// When the `nth` is due, in nanoseconds since the beginning.
    #[must_use]
    #[inline]
    pub fn due_ns(&self, nth: u64) -> u64 {
        (nth as f64 * 1e9 / self.per_second) as u64
    }

    /// Nanoseconds since the beginning.
    #[must_use]
    #[inline]
    pub fn now_ns(&self) -> u64 {
        self.begun.elapsed().as_nanos() as u64
    }
}

/// What came of an offered load.
#[derive(Clone, Debug)]
pub struct Offered {
    /// Inputs a second as planned, and as they were taken.
    pub planned: f64,
    /// As they were done.
    pub done: f64,
    /// From the planned time of a tick until it was known to be done, in nanoseconds.
    pub ticks: Histogram<u64>,
    /// From the planned time of a crossing tick until its order was received.
    pub orders: Histogram<u64>,
}

/// Offers ticks at a rate, every `stride`-th position of the stream taken by a crossing and its way there and back.
///
/// # Errors
///
/// [`RunError`].
pub fn offer(
    desk: &mut Desk,
    outline: &Outline,
    crossings: &[Crossing],
    per_second: f64,
    stride: u64,
    seed: u64,
) -> Result<Offered, RunError> {
    let stream = planned_stream(outline, crossings, stride, seed);
    desk.settle()?;
    desk.asked.clear();
    let first_seq = desk.engine.told_seq();
    let mut due_of_place = Vec::with_capacity(crossings.len());
    let (mut ticks, mut orders) = (histogram(), histogram());
    let (mut told, mut answers) = (0u64, 0u64);
    let mut ticks_of_seq: Vec<u64> = Vec::with_capacity(stream.len() + crossings.len() * 4);
    let plan = Plan::new(per_second);
    let mut next = 0;
    while next < stream.len() || told < ticks_of_seq.len() as u64 {
        let now_ns = plan.now_ns();
        let due_ns = plan.due_ns(next as u64);
        if next < stream.len() && due_ns <= now_ns {
            let (command, crosses) = &stream[next];
            let place = desk.engine.next_place();
            match desk.engine.submit(command) {
                Ok(_) => {
                    ticks_of_seq.push(due_ns);
                    if *crosses {
                        due_of_place.push((place, due_ns));
                    }
                    next += 1;
                }
                Err(SubmitError::Full) => {}
                Err(error) => return Err(error.into()),
            }
        }
        desk.poll();
        if !desk.asked.is_empty() {
            let now_ns = plan.now_ns();
            for message in &desk.asked {
                if let Ok(at) = due_of_place.binary_search_by_key(&message.place, |&(place, _)| place) {
                    orders.saturating_record(now_ns - due_of_place[at].1);
                }
            }
            while let Some(message) = desk.asked.pop() {
                if let Some(answer) = filled(&message) {
                    desk.submit(&answer)?;
                    ticks_of_seq.push(u64::MAX);
                    answers += 1;
                }
            }
        }
        let done = desk.engine.told_seq() - first_seq;
        if told < done {
            let now_ns = plan.now_ns();
            for &due_ns in &ticks_of_seq[told as usize..done as usize] {
                if due_ns != u64::MAX {
                    ticks.saturating_record(now_ns.saturating_sub(due_ns));
                }
            }
            told = done;
        }
    }
    let took = plan.begun.elapsed().as_secs_f64();
    desk.settle()?;
    Ok(Offered { planned: per_second, done: (stream.len() as u64 + answers) as f64 / took, ticks, orders })
}

/// Calm ticks; at the `stride`-th of each stretch a mark goes down to just above a liquidation price, half a stride later it
/// crosses, and before the next it is back.
fn planned_stream(outline: &Outline, crossings: &[Crossing], stride: u64, seed: u64) -> Vec<(Command, bool)> {
    let mut random = Random::stream(seed, LATENCY);
    let mut stream = Vec::with_capacity(crossings.len() * stride as usize);
    for crossing in crossings {
        let of = |price| Command::Mark { instrument: crossing.instrument, price };
        for at in 0..stride {
            let drawn = random.below(outline.marks.len() as u64) as usize;
            let calm = Command::Mark { instrument: InstrumentId(drawn as u32), price: outline.marks[drawn] };
            let own = InstrumentId(drawn as u32) == crossing.instrument;
            stream.push(match at {
                at if at == stride / 4 => (of(crossing.above), false),
                at if at == stride / 2 => (of(crossing.at), true),
                at if at == stride * 3 / 4 => (of(crossing.back), false),
                at if own && at > stride / 4 && at < stride * 3 / 4 => (Command::Time { ts_ns: 0 }, false),
                _ => (calm, false),
            });
        }
    }
    stream.retain(|(command, _)| !matches!(command, Command::Time { .. }));
    stream
}
