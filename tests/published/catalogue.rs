//! What is done with every example of the file.

use crate::example::Example;
use crate::{adl, fund, inverse, liquidation, margin, orders, prices, tiers};

/// An example that is carried out.
pub struct Entry {
    pub id: &'static str,
    /// The rules that it is carried out under; none: there is no preset of its venue.
    pub preset: Option<&'static str>,
    /// What carries it out.
    pub shape: fn(&mut Example),
}

const fn entry(id: &'static str, preset: Option<&'static str>, shape: fn(&mut Example)) -> Entry {
    Entry { id, preset, shape }
}

/// The examples of perpetual contracts.
pub const PERPETUAL: &[Entry] = &[
    entry("binance-usdm-lp-001", Some("binance"), liquidation::liquidation_price_beside_another),
    entry("binance-usdm-lp-002", Some("binance"), liquidation::liquidation_price_beside_another),
    entry("binance-usdm-lp-003", Some("binance"), liquidation::liquidation_price_of_a_wallet),
    entry("binance-usdm-lp-004", Some("binance"), liquidation::liquidation_price_of_a_wallet),
    entry("binance-usdm-mm-005", Some("binance"), margin::maintenance_margin),
    entry("binance-usdm-mm-006", Some("binance"), margin::maintenance_margin),
    entry("binance-tiers-015", Some("binance"), tiers::tier_table),
    entry("binance-tiers-016", Some("binance"), tiers::tier_table),
    entry("binance-tiers-017", Some("binance"), tiers::tier_table),
    entry("coincall-tiers-018", None, tiers::inconsistent_tier_table),
    entry("binance-coinm-cum-022", Some("binance-coinm"), tiers::one_deduction),
    entry("binance-coinm-cum-023", Some("binance-coinm"), tiers::tier_of_a_position),
    entry("binance-open-cost-024", Some("binance"), orders::cost_of_an_order),
    entry("binance-open-cost-025", Some("binance"), orders::cost_of_an_order),
    entry("binance-open-cost-026", Some("binance"), orders::price_that_an_order_reserves_at),
    entry("binance-adl-027", Some("binance"), adl::score_by_margin_ratio),
    entry("binance-index-029", Some("binance"), prices::outlier_of_an_index),
    entry("binance-index-030", Some("binance"), prices::outlier_of_an_index),
    entry("bybit-uta-iso-044", Some("bybit"), liquidation::liquidation_price_with_extra_margin),
    entry("bybit-uta-mm-045", Some("bybit"), margin::margin_with_the_closing_fee),
    entry("bybit-bankr-046", Some("bybit"), liquidation::bankruptcy_price_at_leverage),
    entry("bybit-bankr-047", Some("bybit"), liquidation::bankruptcy_price_at_leverage),
    entry("bybit-bankr-048", Some("bybit"), liquidation::bankruptcy_price_in_cross),
    entry("bybit-bankr-inv-049", Some("bybit"), inverse::inverse_bankruptcy_price_in_cross),
    entry("bybit-liq-inv-050", Some("bybit"), inverse::inverse_liquidation_price_in_cross),
    entry("bybit-bankr-inv-051", Some("bybit"), inverse::inverse_bankruptcy_price_at_leverage),
    entry("bybit-inv-learn-052", Some("bybit"), inverse::inverse_prices_at_leverage),
    entry("bybit-inv-iso-053", Some("bybit"), inverse::inverse_margins),
    entry("bybit-inv-iso-054", Some("bybit"), inverse::inverse_liquidation_prices_of_both_sides),
    entry("bybit-adl-pool-055", Some("bybit"), fund::deleveraging_by_a_loss),
    entry("bybit-if-056", Some("bybit"), fund::sign_of_the_funds_result),
    entry("bybit-if-057", Some("bybit"), fund::sign_of_the_funds_result),
    entry("bybit-order-im-059", Some("bybit"), orders::initial_margin_of_orders),
    entry("bitmex-adl-rank-060", Some("bitmex"), adl::ranks_and_lights),
    entry("bitmex-adl-alloc-061", Some("bitmex"), adl::deleveraging_in_part),
    entry("bitmex-funding-062", Some("bitmex"), prices::interest_of_an_interval),
    entry("bitmex-pnl-inv-063", Some("bitmex"), inverse::inverse_result_with_funding),
    entry("bitmex-liq-064", Some("bitmex"), liquidation::both_prices_at_leverage),
    entry("bitmex-order-margin-065", Some("bitmex"), orders::margin_of_bids_and_offers),
    entry("okx-adl-067", Some("okx"), fund::deleveraging_below_a_threshold),
    entry("okx-partial-068", Some("okx"), liquidation::reduction_to_the_first_tier),
    entry("okx-margin-069", Some("okx"), margin::margin_of_an_isolated_position),
    entry("deribit-lin-070", Some("deribit"), margin::margin_that_rises_with_the_size),
    entry("deribit-lin-071", Some("deribit"), margin::margin_that_rises_with_the_size),
    entry("deribit-lin-072", Some("deribit"), margin::margin_that_rises_with_the_size),
    entry("deribit-lin-073", Some("deribit"), margin::margin_that_rises_with_the_size),
    entry("deribit-lin-074", Some("deribit"), margin::margin_that_rises_with_the_size),
    entry("deribit-lin-075", Some("deribit"), margin::margin_that_rises_with_the_size),
    entry("deribit-fund-076", Some("deribit"), prices::damped_funding),
    entry("deribit-fund-077", Some("deribit"), prices::damped_funding),
    entry("deribit-fund-078", Some("deribit"), prices::damped_funding),
    entry("gate-if-083", Some("gate"), fund::amount_of_the_funds_result),
    entry("gate-if-084", Some("gate"), fund::amount_of_the_funds_result),
    entry("hyperliquid-tier-085", Some("hyperliquid"), tiers::tier_table_of_pairs),
    entry("hyperliquid-mark-086", Some("hyperliquid"), prices::candidates_of_a_mark),
    entry("generic-liq-087", None, liquidation::both_prices_of_a_margin),
    entry("torchtrade-cross-088", None, liquidation::liquidation_price_beside_a_requirement),
    entry("whitebit-im-089", None, margin::initial_margin_of_brackets),
    entry("dydx-liq-145", Some("dydx"), liquidation::liquidation_price_of_an_equity),
    entry("dydx-liq-146", Some("dydx"), liquidation::liquidation_price_beside_strk),
    entry("dydx-bankr-147", Some("dydx"), liquidation::bankruptcy_price_and_requirement),
];

/// The others, and the feature that each belongs to.
pub const LATER: &[(&str, &str)] = &[
    ("binance-autoexchange-028", "multi-asset margin"),
    ("bybit-option-058", "options"),
    ("okx-mr7-066", "portfolio margin"),
    ("deribit-pm-079", "portfolio margin"),
    ("deribit-pm-080", "portfolio margin"),
    ("deribit-pm-081", "portfolio margin"),
    ("deribit-pm-082", "portfolio margin"),
    ("dederi-pm-090", "portfolio margin"),
    ("dederi-pm-091", "portfolio margin"),
];

/// Fields that a line names beside the contract, in place of the preset's, and why.
pub const STATED: &[(&str, &[&str], &str)] = &[
    ("binance-index-029", &["index"], "the venues of the index; how far one may be off is the preset's"),
    ("binance-index-030", &["index"], "the venues of the index; how far one may be off is the preset's"),
    ("bybit-liq-inv-050", &["taker_fee"], "the page's fee"),
    ("bybit-inv-iso-053", &["close_fee_in_mm"], "the page's formula has no closing fee"),
    ("bybit-inv-iso-054", &["close_fee_in_mm"], "the page's formula has no closing fee"),
    ("bitmex-funding-062", &["funding"], "the page's rates of interest; all else of the rate is the preset's"),
    ("deribit-lin-073", &["base", "slope", "im_base"], "the rates of SOL; the preset's are those of BTC"),
    ("deribit-lin-074", &["base", "slope", "im_base"], "the rates of SOL; the preset's are those of BTC"),
    ("deribit-lin-075", &["base", "slope", "im_base"], "the rates of SOL; the preset's are those of BTC"),
];

/// What a reader should know of an example that is reproduced.
pub const REMARKS: &[(&str, &str)] = &[
    ("bitmex-funding-062", "the kernel takes the rate of an interval; it does not divide that of a day"),
    (
        "hyperliquid-mark-086",
        "the kernel has a mean over the window where the venue has an exponential average, and the last price where it has the median of bid, ask and last",
    ),
    (
        "okx-adl-067",
        "the example compares with the mean of eight hours, the kernel with their maximum; here they are one",
    ),
];

/// An example whose rule the model does not have.
pub struct Different {
    pub id: &'static str,
    /// Which rule that is.
    pub reason: &'static str,
    /// What the model gives in place of what the source says, by the key of `expected`.
    pub instead: &'static [(&'static str, &'static str)],
}

pub const DIFFERENT: &[Different] = &[
    Different {
        id: "binance-open-cost-025",
        reason: "the source adds the loss of an order that crosses the mark; in the model an order reserves at its limit",
        instead: &[("open_loss", "0"), ("cost", "462.665")], // 9253.3 / 20 is all that is reserved
    },
    Different {
        id: "binance-open-cost-026",
        reason: "the source margins an order at the worst of last, mark and limit; in the model an order reserves at its limit",
        instead: &[("assuming_price", "9253.3")],
    },
    Different {
        id: "bybit-uta-iso-044",
        reason: "the source divides extra margin by (1 − taker fee) and has no closing fee in the requirement; in the model margin is margin, and the preset has that fee",
        instead: &[("liq_price", "36402.031")], // (40000 − 800 − 3000) / (1 − 0.5 % − 0.055 %) = 36402.0312…
    },
    Different {
        id: "bybit-uta-mm-045",
        reason: "the source takes the closing fee at the bankruptcy price, the model on the notional at mark",
        instead: &[("mm", "222"), ("close_fee", "22")], // 40000 · 0.5 % + 40000 · 0.055 %
    },
    Different {
        id: "bybit-bankr-inv-049",
        reason: "the source adds the closing fee to the bankruptcy price; in the model closing at it costs the share, without fee",
        instead: &[("bankruptcy_price", "5714.286")], // 10000 / 1.75, up
    },
    Different {
        id: "bybit-liq-inv-050",
        reason: "the source takes the maintenance margin on the entry value and the fee at the bankruptcy price, the model both on the value at mark",
        instead: &[("liq_price", "5747.142")], // 10000 · 1.00575 / 1.75 = 5747.1428…
    },
    Different {
        id: "bybit-inv-learn-052",
        reason: "the source takes the maintenance margin on the entry value and has no closing fee in it; the model takes it on the value at mark, and the preset has that fee",
        instead: &[("liq_price", "10406.071")], // 11383.5 · 1.00555 / 1.1 = 10406.0713…
    },
    Different {
        id: "bybit-inv-iso-054",
        reason: "the source takes the maintenance margin on the entry value, the model on the value at mark",
        // 60000 · 1.005 / 1.32 = 45681.8181…; 60000 · 0.995 / 1.08 = 55277.7777…, up
        instead: &[("liq_long", "45681.818"), ("liq_short", "55277.778")],
    },
    Different {
        id: "bybit-adl-pool-055",
        reason: "the source deleverages at a price that leaves the fund with a loss of 30 %; in the model inventory is deleveraged at the mark",
        instead: &[("user_subsidy", "0")],
    },
    Different {
        id: "bitmex-liq-064",
        reason: "the source takes the maintenance margin on the entry value and has no closing fee in it; the model takes it on the value at mark, and the preset has that fee",
        instead: &[("liquidation", "99.547")], // 99 / (1 − 0.5 % − 0.05 %) = 99.5475…
    },
    Different {
        id: "bitmex-order-margin-065",
        reason: "the source charges what of the bids the offers do not cover as well; in the model the larger side alone counts",
        instead: &[("charged_bids", "0")], // 2000 of bids are within 2250 of offers
    },
    Different {
        id: "whitebit-im-089",
        reason: "the source takes the initial margin slice by slice, the model at the leverage of the whole position's tier",
        instead: &[("margin", "20000")], // 200000 / 10
    },
];
