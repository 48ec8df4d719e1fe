//! What must always hold, after every line; by the numbers that the rules have in a violation: 8.1 money, 8.2 lots, 8.3 nobody late, 8.4 nobody too early.

use crate::decimal::Decimal;
use crate::kernel::Overview;
use serde_json::Value;
use std::collections::BTreeSet;

/// Who was ever in breach, as far as the events told.
#[derive(Debug, Default)]
pub(super) struct Invariants {
    started: BTreeSet<u64>,
}

/// What happens to an account only in or after a liquidation.
const OF_LIQUIDATION: &[&str] = &[
    "orders_cancelled",
    "cancel_requested",
    "offset",
    "liquidation_order",
    "liquidation_fill",
    "takeover",
    "adl",
    "liquidation_ended",
];

impl Invariants {
    /// Of the state: money and lots add up, exactly; nobody is in breach who is not in liquidation.
    ///
    /// # Errors
    ///
    /// Which does not hold.
    pub(super) fn of_state(state: Overview<'_>) -> Result<(), String> {
        let market = state.market();
        for (asset, totals) in market.assets.iter().zip(state.asset_totals()) {
            if totals.difference() != 0 {
                return Err(format!("8.1: {} quanta of {} too many: {totals:?}", totals.difference(), asset.name));
            }
        }
        for (instrument, totals) in market.instruments.iter().zip(state.instrument_totals()) {
            if totals.long != totals.short {
                return Err(format!("8.2: lots of {} do not add up: {totals:?}", instrument.spec.symbol));
            }
        }
        match state.audit(0, state.pools()) {
            0 => Ok(()),
            late => Err(format!("8.3: {late} pools are in breach and not in liquidation")),
        }
    }

    /// Of the events of a line: nobody is touched who was never in breach.
    ///
    /// # Errors
    ///
    /// Who was.
    pub(super) fn of_events(&mut self, events: &str) -> Result<(), String> {
        for line in events.lines() {
            let concerns = line.starts_with("{\"ev\":\"liquidation_started\"")
                || OF_LIQUIDATION.iter().any(|name| line.get(7..).is_some_and(|rest| rest.starts_with(name)));
            if !concerns {
                continue;
            }
            let event: Value = serde_json::from_str(line).map_err(|error| format!("{line} is no JSON: {error}"))?;
            let Some(account) = event["account"].as_u64() else { continue }; // a fund's
            if event["ev"] != "liquidation_started" {
                if !self.started.contains(&account) {
                    return Err(format!("8.4: account {account} was never in breach: {line}"));
                }
                continue;
            }
            let number = |name: &str| event[name].as_str().and_then(|text| text.parse::<Decimal>().ok());
            if number("equity") > number("mm") {
                return Err(format!("8.4: account {account} is not in breach: {line}"));
            }
            self.started.insert(account);
        }
        Ok(())
    }
}
