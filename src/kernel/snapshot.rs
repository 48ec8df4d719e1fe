//! A kernel to bytes, and back.

use super::{Kernel, Settings};
use crate::market::{AssetId, InstrumentId, Market};
use crate::number::Quantity;
use crate::rounds::Rounds;
use crate::sequencer;
use crate::shard::{AssetSums, Capacity, Holds, SavedAccount, SavedJob, Shard, Shards, locate};
use crate::snapshot::{Form, Loader, Part, Saver, Unfit, is_sum};

/// Accounts of a part.
fn accounts_of_part(form: Form) -> usize {
    match form {
        Form::Compact => 1 << 15,
        #[cfg(feature = "protocol")]
        Form::Text => 1 << 6, // so that a line is not too long
    }
}

/// From so many accounts of a shard on another thread is worth it.
const MANY: usize = 1 << 14;

/// A kernel between two inputs: everything is told that has happened, nothing waits for a decision.
#[derive(Clone, Copy, Debug)]
pub struct AtRest<'a>(&'a Kernel);

impl Kernel {
    /// The kernel, if all that has happened is decided: as it is after every input that is accepted, and in a record after every
    /// decision. An input that is refused may have booked what was due for its account, which the next one decides.
    #[must_use]
    pub fn at_rest(&self) -> Option<AtRest<'_>> {
        let rests = self.rounds.is_at_rest() && self.shards.iter().all(|shard| shard.is_at_rest());
        rests.then_some(AtRest(self))
    }
}

impl AtRest<'_> {
    /// Hands over the state in parts, in the order in which [`Loading`] takes them. They are the same for every number of shards, and
    /// for every strategy; one is held at a time.
    ///
    /// # Errors
    ///
    /// Those of `each`.
    pub fn save<E>(&self, each: &mut impl FnMut(Part, &[u8]) -> Result<(), E>) -> Result<(), E> {
        self.save_as(Form::Compact, each)
    }

    /// As [`AtRest::save`], with the values in that form.
    ///
    /// # Errors
    ///
    /// Those of `each`.
    pub fn save_as<E>(&self, form: Form, each: &mut impl FnMut(Part, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let Kernel { rounds, shards, inputs, seq, reports: _, record: _ } = self.0;
        let market = &rounds.market;
        let mut into = Saver::new(form);
        into.put(&count(shards));
        market.save(&mut into);
        each(Part::Market, into.bytes())?;
        into.clear();
        into.put(&(inputs, seq));
        rounds.save(shards, &mut into);
        each(Part::Rounds, into.bytes())?;
        into.clear();
        let holds: Vec<Holds> = shards.iter().map(|shard| shard.holds()).collect();
        let mut turns: Vec<_> = shards.iter().map(|shard| shard.turns().peekable()).collect();
        let mut count = 0;
        loop {
            let next = turns.iter_mut().enumerate().filter_map(|(at, turns)| Some((turns.peek()?.0, at))).min();
            let Some((at, (_, account))) = next.and_then(|(_, at)| Some((at, turns[at].next()?))) else { break };
            into.put(&shards[at].saved_account(market, account, &holds[at]));
            count += 1;
            if count % accounts_of_part(form) == 0 {
                each(Part::Accounts, into.bytes())?;
                into.clear();
            }
        }
        if !into.bytes().is_empty() {
            each(Part::Accounts, into.bytes())?;
            into.clear();
        }
        save_beside(rounds, shards, &mut into);
        each(Part::Beside, into.bytes())
    }
}

/// Accounts, holdings and open orders over all shards.
fn count(shards: &Shards) -> [u64; 3] {
    let mut counts = [0; 3];
    for shard in shards {
        counts.iter_mut().zip(shard.counts()).for_each(|(sum, count)| *sum += count as u64);
    }
    counts
}

/// What belongs to all accounts together.
fn save_beside(rounds: &Rounds, shards: &Shards, into: &mut Saver) {
    let market = &rounds.market;
    let mut sums = vec![AssetSums::default(); market.assets.len()];
    for (index, sum) in sums.iter_mut().enumerate() {
        for shard in shards {
            sum.add(&shard.sums(AssetId(index as u32)));
        }
    }
    let lots =
        |index: usize| -> Quantity { shards.iter().map(|shard| shard.lots_at_time(InstrumentId(index as u32))).sum() };
    let lots: Vec<Quantity> = (0..market.instruments.len()).map(lots).collect();
    let mut jobs: Vec<SavedJob> = Vec::new();
    for shard in shards {
        for (at, job) in shard.saved_jobs().enumerate() {
            match jobs.get_mut(at) {
                None => jobs.push(job),
                Some(all) => {
                    all.paid += job.paid;
                    all.received += job.received;
                    all.early.extend(job.early);
                }
            }
        }
    }
    for job in &mut jobs {
        job.early.sort_unstable();
    }
    into.put(&(sums, lots, jobs));
    rounds.save_lanes(into);
}

/// A kernel that is being made from the parts of a snapshot.
#[derive(Debug)]
pub struct Loading {
    settings: Settings,
    /// Bytes of all parts, if that is known: no more records are there than these can hold, and for so many room is made at once.
    bytes: Option<u64>,
    market: Option<(Market, Capacity)>,
    /// Accounts, holdings and open orders that there are to be.
    counts: [u64; 3],
    kernel: Option<Kernel>,
    last: Option<u64>,
    /// Whether what comes after the accounts was there.
    whole: bool,
}

impl Loading {
    /// Begins a kernel of these settings; `bytes` is how many the parts have together, at most.
    #[must_use]
    pub fn new(settings: Settings, bytes: u64) -> Self {
        Self::begin(settings, Some(bytes))
    }

    /// As [`Loading::new`], where it is not known how many bytes there will be: no room is made before something comes.
    #[must_use]
    pub fn of_unknown_length(settings: Settings) -> Self {
        Self::begin(settings, None)
    }

    fn begin(settings: Settings, bytes: Option<u64>) -> Self {
        Self { settings, bytes, market: None, counts: [0; 3], kernel: None, last: None, whole: false }
    }

    /// Takes the next part.
    ///
    /// # Errors
    ///
    /// It is not the one that follows, or not as [`AtRest::save`] writes it, or no kernel can come into such a state.
    pub fn part(&mut self, part: Part, bytes: &[u8]) -> Result<(), Unfit> {
        self.part_as(Form::Compact, part, bytes)
    }

    /// As [`Loading::part`], with the values in that form.
    ///
    /// # Errors
    ///
    /// As [`Loading::part`].
    pub fn part_as(&mut self, form: Form, part: Part, bytes: &[u8]) -> Result<(), Unfit> {
        let mut from = Loader::new(part, form, bytes);
        match (part, &self.market, &mut self.kernel) {
            (Part::Market, None, None) => {
                let counts: [u64; 3] = from.take()?;
                // An account takes eight bytes at least, and every other record no less than six.
                let fits = |bytes: u64| counts.iter().all(|&count| count <= bytes / 6);
                from.expect(self.bytes.is_none_or(fits), "more accounts than bytes")?;
                self.counts = counts;
                let [accounts, positions, orders] = counts.map(|count| self.bytes.map_or(0, |_| count as usize));
                let Capacity { accounts: least, positions: fewest, orders: smallest } = self.settings.capacity;
                let capacity = Capacity {
                    accounts: accounts.max(least),
                    positions: positions.max(fewest),
                    orders: orders.max(smallest),
                };
                self.market = Some((Market::load(&mut from)?, capacity));
            }
            (Part::Rounds, Some(_), None) => {
                let (inputs, seq): (u64, u64) = from.take()?;
                from.expect(inputs < 1 << 62 && seq < 1 << 62, "more inputs than can be")?;
                let Some((market, capacity)) = self.market.take() else { return Err(from.unfit("no market")) };
                let rounds = Rounds::load(market, capacity.accounts, &mut from)?;
                let mut shards = Settings { capacity, ..self.settings }.make_shards();
                for shard in &mut shards {
                    rounds.market.assets.iter().for_each(|_| shard.add_asset());
                    rounds.market.instruments.iter().for_each(|_| shard.add_instrument());
                }
                self.kernel = Some(Kernel { seq, ..Kernel::from_parts(rounds, shards, inputs) });
            }
            (Part::Accounts, _, Some(kernel)) if !self.whole => {
                while !from.is_at_end() {
                    load_account(kernel, &from.take()?, &mut self.last)?;
                }
            }
            (Part::Beside, _, Some(kernel)) if !self.whole => {
                each_beside(&mut kernel.shards, Shard::enter_all);
                load_beside(kernel, &mut from)?;
                self.whole = true;
            }
            _ => return Err(from.unfit("not the part that comes next")),
        }
        from.end()
    }

    /// As [`Loading::part`], of a part that was decoded before.
    ///
    /// # Errors
    ///
    /// As [`Loading::part`].
    pub fn decoded(&mut self, decoded: &Decoded) -> Result<(), Unfit> {
        let accounts = match &decoded.0 {
            Values::Bytes(part, bytes) => return self.part(*part, bytes),
            Values::Accounts(accounts) => accounts,
        };
        let Some(kernel) = self.kernel.as_mut().filter(|_| !self.whole) else {
            return Err(Unfit::new(Part::Accounts, "not the part that comes next"));
        };
        accounts.iter().try_for_each(|saved| load_account(kernel, saved, &mut self.last))
    }

    /// The kernel, with everybody watched.
    ///
    /// # Errors
    ///
    /// Parts are missing, the books do not balance, or a pool is in breach that is not in liquidation.
    pub fn finish(self) -> Result<Kernel, Unfit> {
        let unfit = |reason: &str| Unfit::new(Part::Beside, reason);
        let mut kernel = self.kernel.filter(|_| self.whole).ok_or_else(|| unfit("parts are missing"))?;
        if count(&kernel.shards) != self.counts {
            return Err(unfit("fewer or more accounts than were saved"));
        }
        kernel.check_books().map_err(unfit)?;
        let Kernel { rounds, shards, .. } = &mut kernel;
        let watched = each_beside(shards, |shard| shard.begin_watching(&rounds.market));
        watched.into_iter().collect::<Result<(), _>>().map_err(unfit)?;
        Ok(kernel)
    }
}

/// What is done with each shard, with many accounts by a thread for each.
fn each_beside<T: Send>(shards: &mut Shards, work: impl Fn(&mut Shard) -> T + Sync) -> Vec<T> {
    let mut done: Vec<Option<T>> = shards.iter().map(|_| None).collect();
    std::thread::scope(|scope| {
        let (mut shards, work) = (shards.iter_mut().zip(&mut done), &work);
        let own = shards.next();
        for (shard, done) in shards.filter(|(shard, _)| shard.account_count() >= MANY) {
            let work = || *done = Some(work(shard));
            // What the system refuses a thread for is done below.
            _ = std::thread::Builder::new().name("loading".to_owned()).spawn_scoped(scope, work);
        }
        if let Some((shard, done)) = own {
            *done = Some(work(shard));
        }
    });
    shards.iter_mut().zip(done).map(|(shard, done)| done.unwrap_or_else(|| work(shard))).collect()
}

/// A part that is read, and believed in nothing yet: any thread can do that beside the one that [takes it](Loading::decoded).
#[derive(Debug)]
pub struct Decoded(Values);

#[derive(Debug)]
enum Values {
    Accounts(Vec<SavedAccount>),
    Bytes(Part, Vec<u8>),
}

impl Decoded {
    /// Reads a part.
    ///
    /// # Errors
    ///
    /// It is not as [`AtRest::save`] writes it.
    pub fn of(part: Part, bytes: &[u8]) -> Result<Self, Unfit> {
        if part != Part::Accounts {
            return Ok(Self(Values::Bytes(part, bytes.to_owned())));
        }
        let mut from = Loader::new(part, Form::Compact, bytes);
        let mut accounts = Vec::new();
        while !from.is_at_end() {
            accounts.push(from.take()?);
        }
        Ok(Self(Values::Accounts(accounts)))
    }
}

/// Takes over an account; `last` is the id of the one before.
fn load_account(kernel: &mut Kernel, saved: &SavedAccount, last: &mut Option<u64>) -> Result<(), Unfit> {
    let unfit = |reason: &str| Unfit::new(Part::Accounts, reason);
    let id = saved.id();
    if last.is_some_and(|last| last >= id) {
        return Err(unfit("accounts out of order"));
    }
    *last = Some(id);
    let loaded = saved.load(&kernel.rounds.market, &mut kernel.shards);
    let loaded = loaded.ok_or_else(|| unfit("an account that lives nowhere"))?;
    loaded.map_err(|unfit| Unfit { reason: format!("account {id}: {}", unfit.reason), ..unfit })
}

fn load_beside(kernel: &mut Kernel, from: &mut Loader<'_>) -> Result<(), Unfit> {
    let Kernel { rounds, shards, .. } = kernel;
    let market = &rounds.market;
    let (sums, lots, jobs): (Vec<AssetSums>, Vec<Quantity>, Vec<SavedJob>) = from.take()?;
    let mut held = vec![0; market.assets.len()];
    for shard in &*shards {
        shard.count_held(&mut held);
    }
    let holds = sums.len() == held.len() && sums.iter().zip(&held).all(|(sum, held)| sum.held == *held);
    from.expect(holds && sums.iter().all(AssetSums::is_sound), "sums that cannot be")?;
    let counted = lots.len() == market.instruments.len() && lots.iter().all(|&lots| lots >= 0);
    from.expect(counted, "lots of other instruments")?;
    if let Some(first) = shards.first_mut() {
        first.load_sums(sums, lots);
    }
    let names = jobs.iter().map(|job| job.name).eq(market.jobs.iter().map(|job| job.name));
    from.expect(names, "other jobs than are under way")?;
    for job in &jobs {
        from.expect(is_sum(job.paid) && is_sum(job.received), "payments that cannot be")?;
        let known = job.early.iter().all(|&id| locate(shards, id).is_some()) && job.early.is_sorted();
        from.expect(known, "a job of accounts that are not there")?;
        for (at, shard) in shards.iter_mut().enumerate() {
            shard.load_job(job, at == 0);
        }
    }
    rounds.load_lanes(shards, from)
}

impl Kernel {
    /// That all long and short lots are even and within their bounds, and that no money has come from nowhere.
    fn check_books(&self) -> Result<(), &'static str> {
        let overview = self.overview();
        let totals = overview.instrument_totals();
        for (index, (instrument, totals)) in self.market().instruments.iter().zip(totals).enumerate() {
            let id = InstrumentId(index as u32);
            if totals.long != totals.short {
                return Err("long and short lots are not even");
            }
            let lots = sequencer::open_interest(&self.shards, &self.rounds.arbiter, id);
            let price = instrument.dearest(instrument.mark.unwrap_or(1));
            if instrument.admitted_value(lots.max(1), price).is_none() {
                return Err("more open interest than can be");
            }
        }
        let even = overview.asset_totals().iter().all(|totals| totals.difference() == 0);
        if even { Ok(()) } else { Err("the books do not balance") }
    }
}
