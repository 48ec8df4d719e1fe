//! Declarations: assets, funds, instruments, the venue. Rare, and with tables: they concern everybody at once.

use super::{Inline, Kernel};
use crate::engine::Entry;
use crate::event::Cause;
use crate::jobs::{JobKind, JobName};
use crate::market::{Asset, AssetId, FundId, FundSpec, Instrument, InstrumentId, InstrumentSpec, Market, is_name};
use crate::number::LIMIT;
use crate::prices::Change;
use crate::refusal::Refusal;
use crate::rounds::Rounds;
use crate::rule_version::RuleVersion;
use crate::sequencer;
use crate::shard::Shard;
use crate::venue::VenueRules;

/// Most decimals of an asset.
pub const MAX_DECIMALS: u32 = 12;

/// What is declared.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum Declaration {
    /// An asset, and with it the fund of its name, with floor 0.
    Asset {
        /// Its name.
        name: String,
        /// One unit is `10^decimals` quanta; at most 12.
        decimals: u32,
    },
    /// A further fund, or the floor of an asset's own (the caller sees that this happens once).
    Fund(FundSpec),
    /// An instrument.
    Instrument(Box<InstrumentSpec>),
    /// Where liquidation and unwinding orders go from now on, and how the venue cancels.
    Venue(VenueRules),
    /// From now on an instrument has these rules; positions go over to them in pieces.
    Rules {
        /// Which.
        instrument: InstrumentId,
        /// All of its rules; what cannot change must be as it is.
        spec: Box<InstrumentSpec>,
    },
    /// From now on this later version of the rules is in force.
    RuleVersion(RuleVersion),
}

impl Declaration {
    /// What a liquidation in its wake is caused by.
    fn cause(&self) -> Cause {
        Cause::Op(match self {
            Self::Asset { .. } => "asset",
            Self::Fund(_) => "fund",
            Self::Instrument(_) => "instrument",
            Self::Venue(_) => "venue",
            Self::Rules { .. } => "set",
            Self::RuleVersion(_) => "rule_version",
        })
    }

    /// Checks it against what is there.
    ///
    /// # Errors
    ///
    /// A name that is none; more than 12 decimals; a name that is taken; an unknown asset or fund; a floor of 2^62 and
    /// more; a fund in another asset; grids or fees out of range; rules that are no later than those in force.
    pub(crate) fn check(&self, market: &Market) -> Result<(), Refusal> {
        self.check_names()?;
        match self {
            Self::Asset { name, decimals } => check_asset(market, name, *decimals),
            Self::Fund(spec) => check_fund(market, spec),
            Self::Instrument(spec) => check_instrument(market, spec),
            Self::Venue(rules) => check_timeouts(rules),
            Self::Rules { instrument, spec } => check_rules(market, *instrument, spec),
            Self::RuleVersion(version) => check_version(market, *version),
        }
    }

    /// The checks that need no market: what a file may hold at all.
    ///
    /// # Errors
    ///
    /// As [`Declaration::check`], as far as that goes.
    #[cfg(feature = "journal")]
    pub(crate) fn check_alone(&self) -> Result<(), Refusal> {
        self.check_names()?;
        match self {
            Self::Asset { decimals, .. } => check_decimals(*decimals),
            Self::Fund(spec) => check_fund_alone(spec),
            Self::Instrument(spec) | Self::Rules { spec, .. } => spec.check(),
            Self::Venue(rules) => check_timeouts(rules),
            Self::RuleVersion(_) => Ok(()),
        }
    }

    fn check_names(&self) -> Result<(), Refusal> {
        let named = match self {
            Self::Asset { name, .. } | Self::Fund(FundSpec { name, .. }) => is_name(name),
            Self::Instrument(spec) | Self::Rules { spec, .. } => is_name(&spec.symbol) && is_name(&spec.underlying),
            Self::Venue(_) | Self::RuleVersion(_) => true,
        };
        let what = "a name must be 1 to 32 characters of A-Z, a-z, 0-9, _ . : / -";
        if named { Ok(()) } else { Err(Refusal::BadDeclaration { what }) }
    }

    /// Enters it; it has been checked. What it does at once to the prices of an instrument.
    pub(crate) fn enter(&self, market: &mut Market, now_ns: u64) -> Option<(InstrumentId, Change)> {
        match self {
            Self::Asset { name, decimals } => {
                let (asset, fund) = (AssetId(market.assets.len() as u32), FundId(market.funds.len() as u32));
                market.assets.push(Asset { name: name.clone(), decimals: *decimals, fund });
                market.funds.push(FundSpec::new(name.clone(), asset));
            }
            Self::Fund(spec) => match market.fund_id(&spec.name) {
                Some(known) => market.funds[known.index()] = spec.clone(),
                None => market.funds.push(spec.clone()),
            },
            Self::Instrument(spec) => {
                if spec.prices.funding.is_some_and(|rules| rules.auto) {
                    market.self_funding.push(InstrumentId(market.instruments.len() as u32));
                }
                market.instruments.push(Instrument::new(InstrumentSpec::clone(spec)));
                market.follow_mode(InstrumentId(market.instruments.len() as u32 - 1)); // everything may be halted
            }
            Self::Venue(rules) => market.venue = *rules,
            Self::RuleVersion(version) => market.rules = *version,
            Self::Rules { instrument, spec } => {
                return Some((*instrument, market.begin_change(*instrument, InstrumentSpec::clone(spec), now_ns)));
            }
        }
        None
    }
}

fn check_asset(market: &Market, name: &str, decimals: u32) -> Result<(), Refusal> {
    check_decimals(decimals)?;
    if market.fund_id(name).is_some() {
        return Err(Refusal::DuplicateName { what: "of the asset" }); // every asset's name is a fund's too
    }
    Ok(())
}

fn check_fund(market: &Market, spec: &FundSpec) -> Result<(), Refusal> {
    market.assets.get(spec.asset.index()).ok_or(Refusal::UnknownAsset(spec.asset.0))?;
    let known = market.fund_id(&spec.name);
    if known.is_some_and(|known| market.fund(known).asset != spec.asset) {
        return Err(Refusal::BadDeclaration { what: "the fund is kept in another asset" });
    }
    check_fund_alone(spec)
}

fn check_fund_alone(spec: &FundSpec) -> Result<(), Refusal> {
    spec.drawdown.map_or(Ok(()), |rule| rule.check())?;
    match spec.max_loss_per_minute {
        Some(loss) if loss <= 0 => return Err(Refusal::NotPositive { what: "max_loss_per_minute" }),
        Some(loss) if loss >= LIMIT => return Err(Refusal::Overflow { what: "max_loss_per_minute" }),
        _ => {}
    }
    check_floor(spec)
}

fn check_decimals(decimals: u32) -> Result<(), Refusal> {
    if decimals > MAX_DECIMALS {
        return Err(Refusal::BadDeclaration { what: "decimals must be from 0 to 12" });
    }
    Ok(())
}

fn check_floor(spec: &FundSpec) -> Result<(), Refusal> {
    let fits = spec.floor.unsigned_abs() < LIMIT.unsigned_abs();
    if fits { Ok(()) } else { Err(Refusal::Overflow { what: "floor" }) }
}

fn check_timeouts(rules: &VenueRules) -> Result<(), Refusal> {
    if rules.cancel_timeout_ns == 0 || rules.order_timeout_ns == 0 {
        return Err(Refusal::BadDeclaration { what: "a timeout must be at least one nanosecond" });
    }
    Ok(())
}

fn check_version(market: &Market, version: RuleVersion) -> Result<(), Refusal> {
    if version <= market.rules {
        return Err(Refusal::BadDeclaration { what: "the rules go over to a later version only" });
    }
    Ok(())
}

fn check_instrument(market: &Market, spec: &InstrumentSpec) -> Result<(), Refusal> {
    market.assets.get(spec.settle.index()).ok_or(Refusal::UnknownAsset(spec.settle.0))?;
    let fund = market.funds.get(spec.fund.index()).ok_or(Refusal::UnknownFund(spec.fund.0))?;
    if fund.asset != spec.settle {
        return Err(Refusal::BadDeclaration { what: "the fund is not kept in the settlement asset" });
    }
    spec.check()?;
    if market.instrument_id(&spec.symbol).is_some() {
        return Err(Refusal::DuplicateName { what: "of the instrument" });
    }
    Ok(())
}

/// Checks what a market was declared with, as if each came again in its turn.
///
/// # Errors
///
/// As [`Declaration::check`], of the first that is not so.
#[cfg(feature = "journal")]
pub(crate) fn check_declared(market: &Market) -> Result<(), Refusal> {
    let mut built = Market::default();
    for (at, fund) in market.funds.iter().enumerate() {
        if built.fund_id(&fund.name).is_some() {
            return Err(Refusal::DuplicateName { what: "of the fund" });
        }
        if let Some(asset) = market.assets.get(built.assets.len()).filter(|asset| asset.fund.index() == at) {
            if asset.name != fund.name || fund.asset.index() != built.assets.len() {
                return Err(Refusal::BadDeclaration { what: "the fund of an asset has another name" });
            }
            let declaration = Declaration::Asset { name: asset.name.clone(), decimals: asset.decimals };
            declaration.check(&built)?;
            declaration.enter(&mut built, 0);
        }
        let declaration = Declaration::Fund(fund.clone());
        declaration.check(&built)?;
        declaration.enter(&mut built, 0);
    }
    if built.assets.len() != market.assets.len() {
        return Err(Refusal::BadDeclaration { what: "an asset without a fund" });
    }
    for instrument in &market.instruments {
        let declaration = Declaration::Instrument(Box::new(instrument.spec.clone()));
        declaration.check(&built)?;
        declaration.enter(&mut built, 0);
    }
    Declaration::Venue(market.venue).check(&built)
}

/// Checks the rules that an instrument goes over from: those that it could be given anew.
///
/// # Errors
///
/// As [`Declaration::check`].
#[cfg(feature = "journal")]
pub(crate) fn check_rules_before(present: &InstrumentSpec, before: &InstrumentSpec) -> Result<(), Refusal> {
    check_unchanged(present, before)?;
    before.check()
}

/// What positions and books rest on stays as it is; one change at a time.
fn check_rules(market: &Market, id: InstrumentId, spec: &InstrumentSpec) -> Result<(), Refusal> {
    let present = &market.instruments.get(id.index()).ok_or(Refusal::UnknownInstrument(id.0))?.spec;
    check_unchanged(present, spec)?;
    spec.check()?;
    if market.has_job(JobName { instrument: id, kind: JobKind::Rules }) {
        return Err(Refusal::Busy { what: "a change of rules" });
    }
    Ok(())
}

fn check_unchanged(present: &InstrumentSpec, spec: &InstrumentSpec) -> Result<(), Refusal> {
    let grids = |spec: &InstrumentSpec| (spec.tick.step(), spec.lot.step(), spec.unit);
    let names = |spec: &InstrumentSpec| (spec.symbol.clone(), spec.underlying.clone(), spec.settle, spec.fund);
    if grids(present) != grids(spec) || names(present) != names(spec) {
        return Err(Refusal::BadDeclaration { what: "names, grids, unit and fund of an instrument cannot be changed" });
    }
    Ok(())
}

/// Enters a declaration with the arbiter, the venue and the shards, which are all at hand, and finds whom it puts in breach.
/// Other copies of the market are entered by who has them.
pub(crate) fn declare(rounds: &mut Rounds, shards: &mut [Box<Shard>], ts_ns: Option<u64>, declaration: &Declaration) {
    enter_beside(rounds, shards, declaration);
    let watched = matches!(declaration, Declaration::Rules { instrument, .. }
        if rounds.market.instrument(*instrument).spec.controls.limits.watches_interest());
    let changed = declaration.enter(&mut rounds.market, ts_ns.unwrap_or(rounds.now_ns));
    rounds.changes.clear();
    if let Some((instrument, change)) = changed {
        rounds.tell_change(instrument, change);
        rounds.wake(shards);
        if !watched {
            rounds.take_interest_of_last_time(shards, instrument);
        }
    }
    rounds.market.see_time(ts_ns);
    rounds.accept(ts_ns, declaration.cause());
    if rounds.puts_off() {
        rounds.merge();
    } else {
        rounds.find_breaches(shards, declaration.cause());
    }
}

fn enter_beside(rounds: &mut Rounds, shards: &mut [Box<Shard>], declaration: &Declaration) {
    match declaration {
        Declaration::Asset { .. } => {
            rounds.arbiter.add_asset();
            rounds.add_fund(None, None);
            for shard in shards {
                shard.add_asset();
            }
        }
        Declaration::Fund(spec) => match rounds.market.fund_id(&spec.name) {
            Some(fund) => rounds.arbiter.set_bounds(fund, spec),
            None => rounds.add_fund(spec.drawdown, spec.max_loss_per_minute),
        },
        Declaration::Instrument(spec) => {
            for shard in shards {
                shard.add_instrument();
            }
            rounds.add_instrument(spec.reduce.pacing.is_some());
        }
        Declaration::Rules { instrument, spec } => {
            rounds.pace_instrument(*instrument, spec.reduce.pacing.is_some());
            let name = JobName { instrument: *instrument, kind: JobKind::Rules };
            for shard in shards {
                shard.begin_job(name);
            }
        }
        // An order that stands is still answered by whom it went to.
        Declaration::Venue(_) | Declaration::RuleVersion(_) => {}
    }
}

impl Kernel {
    /// Declares something, with all that follows.
    ///
    /// # Errors
    ///
    /// The refusal; nothing has changed then.
    pub fn declare_and_decide(&mut self, ts_ns: Option<u64>, declaration: &Declaration) -> Result<(), Refusal> {
        self.rounds.events.clear();
        self.input_declaration(ts_ns, declaration)?;
        self.decide();
        Ok(())
    }

    pub(crate) fn input_declaration(&mut self, ts_ns: Option<u64>, declaration: &Declaration) -> Result<(), Refusal> {
        self.check_time(ts_ns)?;
        let mut facts = Inline { rounds: &self.rounds, shards: &self.shards };
        let now_ns = ts_ns.unwrap_or(self.rounds.now_ns);
        sequencer::check_declaration(&self.rounds.market, &mut facts, declaration, now_ns)?;
        self.inputs += 1;
        self.seq += 1;
        if let Some(record) = &mut self.record {
            record.push(Entry::Declare { seq: self.seq, ts_ns, declaration: declaration.clone() });
        }
        declare(&mut self.rounds, &mut self.shards, ts_ns, declaration);
        Ok(())
    }

    /// Declares an asset, and with it the fund of its name, with floor 0.
    ///
    /// # Errors
    ///
    /// More than 12 decimals, or a name that is taken.
    pub fn declare_asset(&mut self, ts_ns: Option<u64>, name: &str, decimals: u32) -> Result<AssetId, Refusal> {
        self.declare_and_decide(ts_ns, &Declaration::Asset { name: name.to_owned(), decimals })?;
        Ok(AssetId(self.rounds.market.assets.len() as u32 - 1))
    }

    /// Declares a further fund, or sets the floor of an asset's own (the caller sees that this happens once).
    ///
    /// # Errors
    ///
    /// An unknown asset, a floor of 2^62 and more, a drawdown out of range, or an asset's own fund given in another asset.
    pub fn declare_fund(&mut self, ts_ns: Option<u64>, spec: FundSpec) -> Result<FundId, Refusal> {
        let next = FundId(self.rounds.market.funds.len() as u32);
        let fund = self.rounds.market.fund_id(&spec.name).unwrap_or(next);
        self.declare_and_decide(ts_ns, &Declaration::Fund(spec))?;
        Ok(fund)
    }

    /// Declares an instrument.
    ///
    /// # Errors
    ///
    /// Unknown asset or fund, a fund of another asset, fees out of range, or a symbol that is taken.
    pub fn declare_instrument(&mut self, ts_ns: Option<u64>, spec: InstrumentSpec) -> Result<InstrumentId, Refusal> {
        self.declare_and_decide(ts_ns, &Declaration::Instrument(Box::new(spec)))?;
        Ok(InstrumentId(self.rounds.market.instruments.len() as u32 - 1))
    }

    /// The asset of this name.
    #[must_use]
    pub fn asset_id(&self, name: &str) -> Option<AssetId> {
        self.rounds.market.asset_id(name)
    }

    /// The fund of this name.
    #[must_use]
    pub fn fund_id(&self, name: &str) -> Option<FundId> {
        self.rounds.market.fund_id(name)
    }

    /// The instrument of this symbol.
    #[must_use]
    pub fn instrument_id(&self, symbol: &str) -> Option<InstrumentId> {
        self.rounds.market.instrument_id(symbol)
    }
}
