//! The usual shape: decimals, accounts and positions in hash maps, every holder of the instrument at every tick.

use super::{Engine, Found};
use crate::book::{Book, Tier};
use crate::population::UNIT;
use rust_decimal::{Decimal, RoundingStrategy};
use std::collections::HashMap;

/// Decimals of the settlement asset.
const DECIMALS: u32 = 8;

struct Account {
    owner: Found,
    collateral: Decimal,
    positions: HashMap<u32, Holding>,
    in_liquidation: bool,
}

struct Holding {
    quantity: Decimal,
    cost: Decimal,
}

struct Row {
    from: Decimal,
    rate: Decimal,
    deduction: Decimal,
}

pub struct Decimals {
    /// By number of the pool.
    accounts: HashMap<u32, Account>,
    marks: HashMap<u32, Decimal>,
    holders: HashMap<u32, Vec<u32>>,
    tiers: Vec<Row>,
    /// Worth of a lot and a tick.
    unit: Decimal,
    /// By position of the books: pool and instrument.
    positions: Vec<(u32, u32)>,
}

impl Account {
    /// Evaluates it, if it is not in liquidation.
    fn look(&mut self, marks: &HashMap<u32, Decimal>, tiers: &[Row], unit: Decimal, found: &mut Vec<Found>) {
        if self.in_liquidation {
            return;
        }
        let (mut equity, mut margin) = (self.collateral, Decimal::ZERO);
        for (instrument, holding) in &self.positions {
            let value = holding.quantity * marks[instrument] * unit;
            let notional = value.abs();
            let row = tiers.iter().rev().find(|row| notional > row.from).unwrap_or(&tiers[0]);
            let required = notional * row.rate;
            margin += required.round_dp_with_strategy(DECIMALS, RoundingStrategy::AwayFromZero) - row.deduction;
            equity += value - holding.cost;
        }
        if equity <= margin {
            self.in_liquidation = true;
            found.push(self.owner);
        }
    }
}

fn amount(quanta: i64) -> Decimal {
    Decimal::new(quanta, DECIMALS)
}

impl Decimals {
    pub fn new(book: &Book) -> Self {
        let holding = |at: u32| {
            let position = &book.positions[at as usize];
            let holding = Holding { quantity: Decimal::from(position.quantity), cost: amount(position.cost) };
            (position.instrument, holding)
        };
        let account = |(index, pool): (usize, &crate::book::Pool)| {
            let account = Account {
                owner: book.owners[index],
                collateral: amount(pool.collateral),
                positions: pool.positions.clone().map(holding).collect(),
                in_liquidation: false,
            };
            (index as u32, account)
        };
        let row = |tier: &Tier| Row {
            from: amount(tier.from),
            rate: Decimal::new(tier.mmr_ppb, 9),
            deduction: amount(tier.deduction),
        };
        let pools = |positions: Vec<u32>| positions.iter().map(|&at| book.positions[at as usize].pool).collect();
        Self {
            accounts: book.pools.iter().enumerate().map(account).collect(),
            marks: book.marks.iter().enumerate().map(|(at, &mark)| (at as u32, Decimal::from(mark))).collect(),
            holders: book.holders().into_iter().enumerate().map(|(at, held)| (at as u32, pools(held))).collect(),
            tiers: book.tiers.iter().map(row).collect(),
            unit: amount(UNIT),
            positions: book.positions.iter().map(|at| (at.pool, at.instrument)).collect(),
        }
    }
}

impl Engine for Decimals {
    fn name(&self) -> String {
        "rust_decimal, hash maps, every holder".into()
    }

    fn is_exact(&self) -> bool {
        true
    }

    fn mark(&mut self, instrument: usize, price: i64, found: &mut Vec<Found>) {
        let Self { accounts, marks, holders, tiers, unit, .. } = self;
        marks.insert(instrument as u32, Decimal::from(price));
        for pool in &holders[&(instrument as u32)] {
            accounts.get_mut(pool).expect("a holder").look(marks, tiers, *unit, found);
        }
    }

    fn fill(&mut self, position: u32, lots: i64, price: i64, found: &mut Vec<Found>) {
        let (pool, instrument) = self.positions[position as usize];
        let account = self.accounts.get_mut(&pool).expect("a pool");
        let holding = account.positions.get_mut(&instrument).expect("a position");
        let lots = Decimal::from(lots);
        let paid = lots * Decimal::from(price) * self.unit;
        if lots.is_sign_positive() == holding.quantity.is_sign_positive() {
            holding.cost += paid;
        } else {
            let released = (holding.cost * lots.abs() / holding.quantity.abs())
                .round_dp_with_strategy(DECIMALS, RoundingStrategy::ToPositiveInfinity);
            holding.cost -= released;
            account.collateral += -paid - released;
        }
        holding.quantity += lots;
        account.look(&self.marks, &self.tiers, self.unit, found);
    }
}
