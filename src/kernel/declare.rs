//! Declarations: assets, funds and instruments. Rare, and with tables: calls of their own.

use super::Kernel;
use crate::event::Cause;
use crate::market::{Asset, AssetId, FundId, FundSpec, Instrument, InstrumentId, InstrumentSpec};
use crate::number::LIMIT;
use crate::refusal::Refusal;

/// Most decimals of an asset.
pub const MAX_DECIMALS: u32 = 12;

impl Kernel {
    /// Declares an asset, and with it the fund of its name, with floor 0.
    ///
    /// # Errors
    ///
    /// More than 12 decimals, or a name that is taken.
    pub fn declare_asset(&mut self, ts_ns: Option<u64>, name: &str, decimals: u32) -> Result<AssetId, Refusal> {
        self.events.clear();
        self.check_time(ts_ns)?;
        if decimals > MAX_DECIMALS {
            return Err(Refusal::BadDeclaration { what: "decimals must be from 0 to 12" });
        }
        if self.fund_id(name).is_some() {
            return Err(Refusal::DuplicateName { what: "of the asset" }); // every asset's name is a fund's too
        }
        let asset = AssetId(self.market.assets.len() as u32);
        let fund = FundId(self.market.funds.len() as u32);
        self.market.assets.push(Asset { name: name.to_owned(), decimals, fund });
        self.arbiter.add_asset();
        self.add_fund(FundSpec { name: name.to_owned(), asset, floor: 0, unwind_interval_ns: 0 });
        self.accept(ts_ns);
        self.settle(Cause::Op("asset"));
        Ok(asset)
    }

    /// Declares a further fund, or sets the floor of an asset's own (the caller sees that this happens once).
    ///
    /// # Errors
    ///
    /// An unknown asset, a floor of 2^62 and more, or an asset's own fund given in another asset.
    pub fn declare_fund(&mut self, ts_ns: Option<u64>, spec: FundSpec) -> Result<FundId, Refusal> {
        self.events.clear();
        self.check_time(ts_ns)?;
        self.check_asset(spec.asset)?;
        let known = self.fund_id(&spec.name);
        if known.is_some_and(|known| self.market.fund(known).asset != spec.asset) {
            return Err(Refusal::BadDeclaration { what: "the fund is kept in another asset" });
        }
        if spec.floor.abs() >= LIMIT {
            return Err(Refusal::Overflow { what: "floor" });
        }
        let fund = match known {
            Some(known) => {
                self.market.funds[known.index()] = spec;
                self.arbiter.try_again();
                known
            }
            None => self.add_fund(spec),
        };
        self.accept(ts_ns);
        self.settle(Cause::Op("fund"));
        Ok(fund)
    }

    /// Declares an instrument.
    ///
    /// # Errors
    ///
    /// Unknown asset or fund, a fund of another asset, fees out of range, or a symbol that is taken.
    pub fn declare_instrument(&mut self, ts_ns: Option<u64>, spec: InstrumentSpec) -> Result<InstrumentId, Refusal> {
        self.events.clear();
        self.check_time(ts_ns)?;
        self.check_asset(spec.settle)?;
        let fund = self.market.funds.get(spec.fund.index()).ok_or(Refusal::UnknownFund(spec.fund.0))?;
        if fund.asset != spec.settle {
            return Err(Refusal::BadDeclaration { what: "the fund is not kept in the settlement asset" });
        }
        spec.check()?;
        if self.instrument_id(&spec.symbol).is_some() {
            return Err(Refusal::DuplicateName { what: "of the instrument" });
        }
        let id = InstrumentId(self.market.instruments.len() as u32);
        self.market.instruments.push(Instrument { spec, mark: None, last: None });
        self.shards.iter_mut().for_each(crate::shard::Shard::add_instrument);
        self.arbiter.add_instrument();
        self.venue.add_instrument();
        self.accept(ts_ns);
        self.settle(Cause::Op("instrument"));
        Ok(id)
    }

    fn add_fund(&mut self, spec: FundSpec) -> FundId {
        let fund = FundId(self.market.funds.len() as u32);
        self.market.funds.push(spec);
        self.arbiter.add_fund();
        fund
    }

    /// The asset of this name.
    #[must_use]
    pub fn asset_id(&self, name: &str) -> Option<AssetId> {
        self.market.assets.iter().position(|asset| asset.name == name).map(|at| AssetId(at as u32))
    }

    /// The fund of this name.
    #[must_use]
    pub fn fund_id(&self, name: &str) -> Option<FundId> {
        self.market.funds.iter().position(|fund| fund.name == name).map(|at| FundId(at as u32))
    }

    /// The instrument of this symbol.
    #[must_use]
    pub fn instrument_id(&self, symbol: &str) -> Option<InstrumentId> {
        self.market.instruments.iter().position(|at| at.spec.symbol == symbol).map(|at| InstrumentId(at as u32))
    }
}
