//! A small world for the tests here: one instrument, a long of little margin, and marks that take it.

use crate::contract::Unit;
use crate::decimal::Grid;
use crate::market::{AssetId, FundId, InstrumentId, InstrumentSpec};
use crate::tiers::{TierRow, TierRule, TierTable};
use crate::venue::{VenueMode, VenueRules};
use crate::{Command, Declaration, Kernel, Settings};

const USDT: AssetId = AssetId(0);
const BTC: InstrumentId = InstrumentId(0);

pub(super) fn kernel(shards: u32) -> Kernel {
    let mut kernel = Kernel::new(Settings { shards, ..Settings::default() });
    kernel.declare_asset(None, "USDT", 8).unwrap();
    kernel.set_venue_rules(None, VenueRules::new(VenueMode::Mark)).unwrap();
    kernel
}

pub(super) fn instrument() -> Declaration {
    let grid = |text: &str| Grid::new(text.parse().unwrap()).unwrap();
    let row = TierRow { cap: 10i128.pow(18), mmr_ppb: 4_000_000, max_leverage: 12_500, deduction: None };
    Declaration::Instrument(Box::new(InstrumentSpec {
        taker_fee_ppb: 500_000,
        liquidation_fee_ppb: 1_000_000,
        ..InstrumentSpec::new(
            "BTCUSDT",
            USDT,
            FundId(0),
            (grid("0.1"), grid("0.001")),
            Unit::Linear(10_000),
            TierTable::new(TierRule::Marginal, &[row]).unwrap(),
        )
    }))
}

/// A long of little margin, its counterparty, and marks that fall until it is gone.
pub(super) fn commands() -> Vec<Command> {
    let mut commands = vec![Command::Mark { instrument: BTC, price: 1_000_000 }];
    for (account, amount) in [(1, 15_000_000_000), (2, 1_000_000_000_000)] {
        commands.push(Command::Deposit { account, asset: USDT, amount });
    }
    commands.push(Command::Fill(crate::command::Fill {
        account: 1,
        counterparty: Some(2),
        order: None,
        counter_order: None,
        instrument: BTC,
        side: crate::command::Side::Buy,
        quantity: 100,
        price: 1_000_000,
        liquidity: None,
        position_side: None,
        counter_position_side: None,
    }));
    commands.extend([995_000, 990_000, 985_000].map(|price| Command::Mark { instrument: BTC, price }));
    commands
}
