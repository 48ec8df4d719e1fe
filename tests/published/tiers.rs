//! Tier tables and their deductions.

use crate::decimal::Decimal;
use crate::desk::{Row, tier, with_deduction};
use crate::example::Example;
use serde_json::{Value, json};

/// Rows as `{floor, mmr}`: a row's cap is the next one's floor, the last one's far above.
fn rows(tiers: &[(Decimal, Decimal)]) -> Vec<Row> {
    let caps = tiers.iter().skip(1).map(|&(floor, _)| floor).chain([Decimal::whole(10_000_000_000)]);
    caps.zip(tiers).map(|(cap, &(_, mmr))| (cap, mmr)).collect()
}

fn floors_and_rates(example: &Example) -> Vec<(Decimal, Decimal)> {
    let tiers = example.record["inputs"]["tiers"].as_array().expect("tiers");
    tiers.iter().map(|row| (Decimal::of(&row["floor"]), Decimal::of(&row["mmr"]))).collect()
}

pub fn tier_table(example: &mut Example) {
    let mut desk = example.desk("USDT");
    desk.list("OWN", &rows(&floors_and_rates(example)));
    example.compare_list("cum", &desk.deductions("OWN"));
}

pub fn tier_table_of_pairs(example: &mut Example) {
    let pairs = example.record["inputs"]["tiers"].as_array().expect("tiers");
    let tiers: Vec<(Decimal, Decimal)> =
        pairs.iter().map(|pair| (Decimal::of(&pair[0]), Decimal::of(&pair[1]))).collect();
    let mut desk = example.desk("USDC");
    desk.list("OWN", &rows(&tiers));
    example.compare_list("deduction", &desk.deductions("OWN"));
}

/// A row before the two of the example gives the first of them its published deduction.
pub fn one_deduction(example: &mut Example) {
    let before = with_deduction(example.input("mmr_prev"), example.input("cum_prev"))[0];
    let tiers =
        [before, (example.input("floor_n"), example.input("mmr_prev")), (Decimal::whole(100), example.input("mmr_n"))];
    let mut desk = example.desk("BTC");
    desk.list_with("OWN", &tiers, json!({"kind": "inverse_perp"}));
    let deductions = desk.deductions("OWN");
    assert_eq!(deductions[1], example.input("cum_prev"));
    example.compare("cum_n", deductions[2]);
}

/// The chain goes on from the row that begins at 50 BTC, at 5 % and with the deduction of `binance-coinm-cum-022`.
pub fn tier_of_a_position(example: &mut Example) {
    let five_percent = Decimal::parse("0.05");
    let mut tiers = vec![(Decimal::ZERO, five_percent * Decimal::parse("0.5"))];
    let first = with_deduction(five_percent, example.input("cum_at_50"))[0];
    tiers.push((first.0, five_percent));
    for pair in example.record["inputs"]["tiers"].as_array().expect("tiers") {
        tiers.push((Decimal::of(&pair[0]), Decimal::of(&pair[1])));
    }
    let mut desk = example.desk("BTC");
    desk.list_with("OWN", &rows(&tiers), json!({"kind": "inverse_perp"}));
    desk.deposit(1, example.input("position_btc"));
    let hundred = Decimal::whole(100); // dollars, a contract: at that price it is worth a coin
    let position = desk.open_cross("OWN", example.input("position_btc"), hundred);
    let view = desk.ask(json!({"op": "get", "what": "instrument", "symbol": "OWN"}));
    let row = &view["tiers"][position["tier"].as_u64().expect("a tier") as usize - 1];
    example.compare("mmr", Decimal::of(&row["mmr"]));
    example.compare("cum", Decimal::of(&row["deduction"]));
    let margin = example.input("position_btc") * Decimal::of(&row["mmr"]) - Decimal::of(&row["deduction"]);
    assert_eq!(Decimal::of(&position["mm"]), margin);
}

/// A table that jumps is refused, naming row and jump; with the jumps smoothed away it is taken.
pub fn inconsistent_tier_table(example: &mut Example) {
    let floors = floors_and_rates(example);
    let published = example.record["inputs"]["tiers"].as_array().expect("tiers");
    let mut deductions: Vec<Decimal> = published.iter().map(|row| Decimal::of(&row["published_cum"])).collect();
    let mut desk = example.desk("USD");
    let mut jumps = Vec::new();
    for _ in &floors {
        let row = |(row, deduction): (Row, &Decimal)| {
            let mut row = tier(row);
            row["deduction"] = json!(deduction.to_string());
            row
        };
        let listing = desk.listing("OWN", rows(&floors).into_iter().zip(&deductions).map(row).collect());
        let Err(refusal) = desk.attempt(&listing) else { break };
        let (bad_row, jump) = row_and_jump(&refusal);
        jumps.push((floors[bad_row - 1].0, jump));
        deductions[bad_row - 1..].iter_mut().for_each(|deduction| *deduction = *deduction + jump); // later rows build on it
    }
    assert_eq!(desk.deductions("OWN"), deductions, "what was smoothed is taken as it is given");
    let (first_bad_floor, jump) = *jumps.first().expect("the published table is refused");
    let at = floors.iter().position(|&(floor, _)| floor == first_bad_floor).expect("a row");
    example.compare("first_bad_floor", first_bad_floor);
    example.compare("mm_jump", jump);
    example.compare("n_bad", Decimal::whole(jumps.len() as i128));
    example.compare("consistent_cum", deductions[at]);
}

/// What `row 5: … jumps by 42 quanta …` names; a quantum is 10^-8.
fn row_and_jump(refusal: &Value) -> (usize, Decimal) {
    assert_eq!(refusal["code"], "bad_tiers");
    let reason = refusal["reason"].as_str().expect("a reason");
    let words: Vec<&str> = reason.split([' ', ':']).collect();
    let after =
        |word: &str| words.iter().skip_while(|&&at| at != word).nth(1).copied().expect("a number in the reason");
    (after("row").parse().expect("a number"), Decimal::parse(after("by")) * Decimal::parse("0.00000001"))
}
