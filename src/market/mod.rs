//! What every shard and the arbiter know alike: the assets, funds and instruments, and their present marks.
//!
//! A [`Market`] is plain replicated data: each worker may hold a copy of its own, kept equal by the same inputs.

mod freezing;
mod instrument;
mod names;
mod rules;
#[cfg(feature = "journal")]
mod snapshot;

pub(crate) use freezing::MarkChange;
pub use freezing::{FreezeCause, Frozen};
pub use instrument::Instrument;
pub(crate) use names::is_name;
#[cfg(feature = "protocol")]
pub(crate) use names::is_word;
pub use names::{Asset, AssetId, FundId, InstrumentId, MAX_NAME};
pub use rules::{
    AdlPolicy, AdlPrice, AdlRank, DrawdownRule, FundSpec, FundingRules, InstrumentSpec, Pacing, ReducePolicy,
};

use crate::airlock::AirlockStep;
use crate::command::{Command, MarkSource};
use crate::controls::{Condition, Mode, Scope};
use crate::correction::Remark;
use crate::decimal::Grid;
use crate::jobs::Job;
use crate::number::Price;
use crate::prices::{Change, PriceInput};
use crate::rule_version::RuleVersion;
use crate::venue::VenueRules;
use std::sync::Arc;

/// All assets, funds and instruments, and how the venue answers.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct Market {
    /// The version of the rules that are in force.
    pub rules: RuleVersion,
    /// What may be done anywhere.
    pub mode: Mode,
    /// By [`AssetId`].
    pub assets: Vec<Asset>,
    /// By [`FundId`].
    pub funds: Vec<FundSpec>,
    /// By [`InstrumentId`].
    pub instruments: Vec<Instrument>,
    /// The instruments whose funding happens by itself.
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(crate) self_funding: Vec<InstrumentId>,
    /// Where liquidation orders go.
    pub venue: VenueRules,
    /// The funds that have lost more within a minute than they may. Only the arbiter's copy knows: no shard goes on by itself
    /// in an instrument of a fund with such a bound.
    pub(crate) paused_funds: Vec<FundId>,
    /// What is being booked in pieces, oldest first.
    pub(crate) jobs: Vec<Job>,
    /// The texts of corrections, by the number that their events tell. Workers' copies are not given any.
    pub(crate) remarks: Vec<Arc<Remark>>,
    /// Whether this is the sequencer's copy, which learns no verdict and knows marks behind an airlock within bounds only.
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(crate) only_bounds: bool,
    /// Where a mark in an airlock waits for its verdict.
    pub(crate) undecided: Vec<InstrumentId>,
    /// When the first of the held marks times out; none: none does.
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(crate) timeout_ns: Option<u64>,
    /// The latest time that any place of the sequence told.
    pub(crate) seen_ns: u64,
    /// What is wrong, by state and instrument.
    pub health: Vec<Condition>,
}

impl Market {
    /// The asset `id`.
    #[must_use]
    pub fn asset(&self, id: AssetId) -> &Asset {
        &self.assets[id.index()]
    }

    /// The fund `id`.
    #[must_use]
    pub fn fund(&self, id: FundId) -> &FundSpec {
        &self.funds[id.index()]
    }

    /// The instrument `id`.
    #[must_use]
    #[inline]
    pub fn instrument(&self, id: InstrumentId) -> &Instrument {
        &self.instruments[id.index()]
    }

    /// The asset of this name.
    #[must_use]
    pub fn asset_id(&self, name: &str) -> Option<AssetId> {
        self.assets.iter().position(|asset| asset.name == name).map(|at| AssetId(at as u32))
    }

    /// The fund of this name.
    #[must_use]
    pub fn fund_id(&self, name: &str) -> Option<FundId> {
        self.funds.iter().position(|fund| fund.name == name).map(|at| FundId(at as u32))
    }

    /// The instrument of this symbol.
    #[must_use]
    pub fn instrument_id(&self, symbol: &str) -> Option<InstrumentId> {
        self.instruments.iter().position(|at| at.spec.symbol == symbol).map(|at| InstrumentId(at as u32))
    }

    /// Sets a mark, or has it wait in the airlock of its instrument.
    #[inline]
    fn set_mark(
        &mut self,
        id: InstrumentId,
        price: Price,
        source: MarkSource,
        now_ns: u64,
    ) -> (MarkChange, AirlockStep) {
        let instrument = &self.instruments[id.index()];
        if instrument.has_airlock() && (self.only_bounds || !instrument.passes_airlock(price)) {
            return self.enter_airlock(id, (price, source), now_ns);
        }
        (self.put_mark(id, price), AirlockStep::None)
    }

    /// Puts a mark in force. One that comes while the instrument is frozen is kept until it lives.
    #[inline]
    pub(crate) fn put_mark(&mut self, id: InstrumentId, price: Price) -> MarkChange {
        let instrument = &mut self.instruments[id.index()];
        if !instrument.frozen.is_empty() {
            instrument.awaited = Some(price);
            return MarkChange::None;
        }
        let first = instrument.mark.replace(price).is_none();
        instrument.carry_over();
        if first { MarkChange::First } else { MarkChange::Moved }
    }

    /// Moves the mark of a plain instrument, as [`Market::reprice`] does; false if that is to be asked, and nothing was done.
    #[inline]
    pub(crate) fn move_plain_mark(&mut self, id: InstrumentId, price: Price, now_ns: u64) -> bool {
        let Some(instrument) = self.instruments.get_mut(id.index()).filter(|instrument| instrument.is_plain()) else {
            return false;
        };
        (instrument.mark, instrument.given_ns) = (Some(price), now_ns);
        instrument.carry_over();
        true
    }

    /// Takes what came in of an instrument's prices, at this time, and makes index and mark anew.
    pub(crate) fn reprice(&mut self, id: InstrumentId, input: PriceInput, now_ns: u64) -> Change {
        let instrument = &mut self.instruments[id.index()];
        let rules = &instrument.spec.prices;
        let (computed, has_age) = (rules.mark.is_computed(), rules.mark.stale_after_ns.is_some());
        if let PriceInput::Mark { .. } = input {
            instrument.given_ns = now_ns;
        }
        if let (PriceInput::Mark { price, source }, false) = (input, has_age) {
            let (mark, airlock) = self.set_mark(id, price, source, now_ns);
            return Change { mark, index_froze: false, airlock };
        }
        if let PriceInput::Release { accept } = input {
            let (mark, airlock) = self.release_airlock(id, accept);
            return Change { mark, index_froze: false, airlock };
        }
        let index_froze = instrument.prices.take(rules, input, now_ns);
        if let PriceInput::Last(price) | PriceInput::Filled { last: price, .. } = input {
            instrument.last = Some(price);
        }
        let (mark, airlock) = if computed {
            self.recompute_mark(id, now_ns)
        } else if let PriceInput::Mark { price, source } = input {
            let set = self.set_mark(id, price, source, now_ns);
            self.thaw_after(id, FreezeCause::Stale, set)
        } else if instrument.mark.is_some() && instrument.prices.given_mark_is_stale(rules, instrument.given_ns) {
            (self.freeze(id, FreezeCause::Stale), AirlockStep::None)
        } else {
            (MarkChange::None, AirlockStep::None)
        };
        Change { mark, index_froze, airlock }
    }

    /// A mark was set, and with that a cause of freezing went. Where a hold ended too, it is said to live again for that.
    fn thaw_after(
        &mut self,
        id: InstrumentId,
        cause: FreezeCause,
        (set, airlock): (MarkChange, AirlockStep),
    ) -> (MarkChange, AirlockStep) {
        let change = match (self.thaw(id, cause), airlock) {
            (MarkChange::None, _) => set,
            (MarkChange::Live(_), AirlockStep::Ended(_)) => MarkChange::Live(FreezeCause::Airlock),
            (revived, _) => revived,
        };
        (change, airlock)
    }

    /// Time has passed, for a copy that nobody is told of.
    pub(crate) fn reprice_all(&mut self, now_ns: u64) {
        for index in 0..self.instruments.len() {
            if self.instruments[index].spec.prices.age() {
                self.reprice(InstrumentId(index as u32), PriceInput::Time, now_ns);
            }
        }
    }

    /// A computed mark follows its inputs; one that comes to what it was is not set.
    fn recompute_mark(&mut self, id: InstrumentId, now_ns: u64) -> (MarkChange, AirlockStep) {
        let instrument = &mut self.instruments[id.index()];
        let Some(price) = instrument.prices.computed(&instrument.spec.prices) else {
            return (self.freeze(id, FreezeCause::Index), AirlockStep::None);
        };
        if instrument.living_mark() == Some(price) {
            return (MarkChange::None, AirlockStep::None);
        }
        let set = self.set_mark(id, price, MarkSource::KERNEL, now_ns);
        self.thaw_after(id, FreezeCause::Index, set)
    }

    /// The mark of an instrument follows other rules of its prices: a computed one is made anew, one that is given from now
    /// on stays as it is.
    pub(crate) fn follow_price_rules(&mut self, id: InstrumentId, now_ns: u64) -> (MarkChange, AirlockStep) {
        let instrument = self.instrument(id);
        let rules = &instrument.spec.prices;
        // What holds comes before what goes, so that a mark that stays frozen does not live in between.
        let (first, goes) = if rules.mark.is_computed() {
            (self.recompute_mark(id, now_ns), FreezeCause::Stale)
        } else if instrument.mark.is_some() && instrument.prices.given_mark_is_stale(rules, instrument.given_ns) {
            ((self.freeze(id, FreezeCause::Stale), AirlockStep::None), FreezeCause::Index)
        } else {
            ((self.thaw(id, FreezeCause::Stale), AirlockStep::None), FreezeCause::Index)
        };
        self.thaw_after(id, goes, first)
    }

    /// The funding rate of an instrument, in parts per billion, as a settlement at this time would compute it; none
    /// without funding rules, or without any sample of the premium.
    #[must_use]
    pub fn funding_rate(&self, id: InstrumentId, now_ns: u64) -> Option<i64> {
        let instrument = self.instrument(id);
        instrument.prices.rate_at(&instrument.spec.prices, now_ns)
    }

    /// Whether a funding that happens by itself has fallen due since the last.
    #[must_use]
    pub fn funding_due(&self, id: InstrumentId, now_ns: u64) -> bool {
        let instrument = self.instrument(id);
        instrument.prices.is_due_at(&instrument.spec.prices, now_ns)
    }

    /// Whether a settlement or a change of rules has accounts left to reach.
    #[must_use]
    pub fn has_jobs(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// Whether anything may be due that no input asks for: a piece of a job, or a funding by itself.
    #[inline]
    pub(crate) fn may_have_pieces(&self) -> bool {
        !self.jobs.is_empty() || !self.self_funding.is_empty()
    }

    /// The settlement that falls due by itself at this time, of the first such instrument.
    pub(crate) fn due_settlement(&self, now_ns: u64) -> Option<Command> {
        self.self_funding.iter().find_map(|&instrument| {
            let due = self.funding_due(instrument, now_ns) && self.instrument(instrument).mark.is_some();
            let rate_ppb = due.then(|| self.funding_rate(instrument, now_ns))??;
            Some(Command::Funding { instrument, rate_ppb })
        })
    }

    /// A settlement is fixed: its rate counts as the last one, and the next is averaged anew. In every copy of the market.
    pub(crate) fn note_funding(&mut self, id: InstrumentId, rate_ppb: i64, now_ns: u64) {
        let instrument = &mut self.instruments[id.index()];
        instrument.prices.note_funding(&instrument.spec.prices, rate_ppb, now_ns);
    }

    /// Sets the mode of everything or of an instrument; false if it was that already. Of accounts their shards know.
    pub(crate) fn set_mode(&mut self, scope: Scope, mode: Mode) -> bool {
        let place = match scope {
            Scope::All => &mut self.mode,
            Scope::Instrument(id) => &mut self.instruments[id.index()].mode,
            Scope::Account(_) | Scope::Fund(_) => return false,
        };
        std::mem::replace(place, mode) != mode
    }

    /// The instruments that a scope is about.
    pub(crate) fn in_scope(&self, scope: Scope) -> impl Iterator<Item = InstrumentId> + use<> {
        let all = 0..self.instruments.len() as u32;
        let one = |id: InstrumentId| id.0..id.0 + 1;
        let ids = match scope {
            Scope::All => all,
            Scope::Instrument(id) => one(id),
            Scope::Account(_) | Scope::Fund(_) => 0..0,
        };
        ids.map(InstrumentId)
    }

    /// Notes that something is wrong, or no more; false if that was so already.
    pub(crate) fn set_health(&mut self, condition: Condition, active: bool) -> bool {
        match (self.health.binary_search_by_key(&condition.name(), Condition::name), active) {
            (Ok(at), true) => std::mem::replace(&mut self.health[at], condition) != condition,
            (Ok(at), false) => {
                self.health.remove(at);
                true
            }
            (Err(at), true) => {
                self.health.insert(at, condition);
                true
            }
            (Err(_), false) => false,
        }
    }

    /// Freezes the mark of an instrument if it is halted, and else takes that cause away.
    pub(crate) fn follow_mode(&mut self, id: InstrumentId) -> MarkChange {
        if self.has_mode(id, Mode::Halted) {
            self.freeze(id, FreezeCause::Halted)
        } else {
            self.thaw(id, FreezeCause::Halted)
        }
    }

    /// Takes in a command that changes a mode.
    pub(crate) fn note_mode(&mut self, command: &Command) {
        let scope = match *command {
            Command::Mode { scope, mode } => {
                self.set_mode(scope, mode);
                scope
            }
            Command::Health { state, instrument, active, mode } => {
                let condition = Condition { state, instrument, mode };
                self.set_health(condition, active);
                condition.scope()
            }
            _ => return,
        };
        for id in self.in_scope(scope) {
            self.follow_mode(id);
        }
    }

    /// Whether a mode holds for an instrument, for everything, for its fund, or for what is wrong.
    pub(crate) fn has_mode(&self, id: InstrumentId, mode: Mode) -> bool {
        let by_fund = || self.paused_funds.contains(&self.instrument(id).spec.fund);
        [self.mode, self.instrument(id).mode].contains(&mode)
            || (mode == Mode::LiquidationPaused && by_fund())
            || self.health.iter().any(|condition| condition.mode == mode && condition.covers(id))
    }

    /// Whether a liquidation order in an instrument waits for a decision, though it concerns one pool alone: what may be in
    /// flight is bounded, or what its fund may lose.
    pub(crate) fn orders_by_decision(&self, id: InstrumentId) -> bool {
        let spec = &self.instrument(id).spec;
        spec.reduce.pacing.is_some() || self.fund(spec.fund).max_loss_per_minute.is_some()
    }

    /// Takes over the open interest as another copy knows it.
    pub(crate) fn copy_interest(&mut self, from: &Self) {
        for (own, other) in self.instruments.iter_mut().zip(&from.instruments) {
            own.set_open_interest(other.open_interest);
        }
    }

    /// Whether any limit depends on the open interest.
    pub(crate) fn watches_interest(&self) -> bool {
        self.instruments.iter().any(|instrument| instrument.spec.controls.limits.watches_interest())
    }

    /// A cause of freezing comes.
    pub(crate) fn freeze(&mut self, id: InstrumentId, cause: FreezeCause) -> MarkChange {
        let instrument = &mut self.instruments[id.index()];
        let lived = instrument.is_said_to_live();
        instrument.frozen = instrument.frozen.with(cause);
        if let Some(held) = &mut instrument.held {
            held.forget_gone();
        }
        instrument.carry_over();
        if lived { MarkChange::Frozen(cause) } else { MarkChange::None }
    }

    /// A cause of freezing goes. With the last of them, the mark that came meanwhile is taken.
    pub(crate) fn thaw(&mut self, id: InstrumentId, cause: FreezeCause) -> MarkChange {
        let instrument = &mut self.instruments[id.index()];
        if !instrument.frozen.has(cause) {
            return MarkChange::None;
        }
        instrument.frozen = instrument.frozen.without(cause);
        instrument.carry_over();
        if !instrument.frozen.is_empty() {
            instrument.note_gone(cause);
            return MarkChange::None;
        }
        let had_one = instrument.mark.is_some();
        instrument.mark = instrument.awaited.take().or(instrument.mark);
        instrument.carry_over();
        match (had_one, instrument.mark) {
            (_, None) => MarkChange::None,
            (false, Some(_)) => MarkChange::First,
            (true, Some(_)) => MarkChange::Live(cause),
        }
    }

    /// The grid of quanta of an asset.
    #[must_use]
    pub fn quanta(&self, id: AssetId) -> Grid {
        Grid::decimals(self.asset(id).decimals)
    }
}
