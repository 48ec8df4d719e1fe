//! The threaded driver beside a venue, on one page: build, submit, poll, answer, stop.
//!
//! Two accounts trade a contract at 50×, the price falls, and the long one is liquidated. The venue here fills every
//! order at its limit; a matching engine would look into its book.

use terrace::command::{Fill, Side};
use terrace::contract::Unit;
use terrace::decimal::Grid;
use terrace::engine::{Engine, EngineSettings, Layout, Output, Pinning, SubmitError, VenueMessage, replay};
use terrace::market::{InstrumentId, InstrumentSpec};
use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::venue::{VenueMode, VenueRequest, VenueRules};
use terrace::{Command, Declaration, Event, Kernel, Settings};

type Done = Result<(), Box<dyn std::error::Error>>;

/// Two decimals: one USDT is 100 quanta.
const USDT: i64 = 100;

/// A kernel with one asset and one contract: tick 1, lot 1, so that a lot at a price of 100 is worth 100 USDT.
fn build() -> Result<(Kernel, InstrumentId), Box<dyn std::error::Error>> {
    let mut kernel = Kernel::new(Settings::default());
    let usdt = kernel.declare_asset(None, "USDT", 2)?;
    let row = TierRow { cap: i128::from(1_000_000 * USDT), mmr_ppb: 10_000_000, max_leverage: 5_000, deduction: None };
    let (grid, fund) = (Grid::decimals(0), kernel.market().asset(usdt).fund);
    let tiers = TierTable::new(TierRule::Marginal, &[row])?;
    let spec = InstrumentSpec::new("XUSDT", usdt, fund, (grid, grid), Unit::Linear(USDT), tiers);
    let contract = kernel.declare_instrument(None, spec)?;
    kernel.declare_and_decide(None, &Declaration::Venue(VenueRules::new(VenueMode::Manual)))?;
    for account in [1, 2] {
        kernel.apply(&Command::Deposit { account, asset: usdt, amount: 300 * USDT })?;
        kernel.apply(&Command::Leverage { account, instrument: contract, leverage: 5_000 })?;
    }
    Ok((kernel, contract))
}

/// What the caller's loop keeps.
struct Beside {
    engine: Engine,
    log: Vec<Output>,
    asked: Vec<VenueMessage>,
}

impl Beside {
    /// Submits; a full ring is an answer, after which one polls and tries again.
    fn submit(&mut self, command: &Command) -> Done {
        loop {
            match self.engine.submit(command) {
                Err(SubmitError::Full) => self.poll(),
                Err(error) => return Err(error.into()),
                Ok(_) => return Ok(()),
            }
        }
    }

    fn poll(&mut self) {
        self.engine.poll(|request| self.asked.push(*request), |output| self.log.push(*output));
    }

    /// Answers what the venue is asked, until nothing follows any more. A venue with a life of its own would poll and
    /// answer within its loop, and never settle.
    fn answer(&mut self) -> Done {
        loop {
            self.engine.settle()?;
            self.poll();
            if self.asked.is_empty() {
                return Ok(());
            }
            for message in std::mem::take(&mut self.asked) {
                // Without `cancel_ack` the venue is asked for orders alone.
                if let VenueRequest::Order { order, instrument, quantity, limit, .. } = message.request {
                    self.submit(&Command::LiquidationFill { order, instrument, quantity, price: limit })?;
                }
            }
        }
    }
}

fn main() -> Done {
    let (kernel, contract) = build()?;
    // Beside a matching engine the default is better: it pins each thread to a core of its own.
    let layout = Layout { workers: Some(1), pinning: Pinning::Off, ..Layout::default() };
    let settings = EngineSettings { layout, record: true, ..EngineSettings::default() };
    let engine = Engine::start(kernel, &settings)?;
    println!("{}", engine.shape());
    let mut beside = Beside { engine, log: Vec::new(), asked: Vec::new() };

    let mark = |price| Command::Mark { instrument: contract, price };
    beside.submit(&mark(100))?;
    beside.submit(&Command::Fill(Fill {
        account: 1,
        counterparty: Some(2),
        order: None,
        counter_order: None,
        instrument: contract,
        side: Side::Buy,
        quantity: 100,
        price: 100,
        liquidity: None,
        position_side: None,
        counter_position_side: None,
    }))?;
    for price in (95..100).rev() {
        beside.submit(&mark(price))?;
        beside.answer()?;
    }

    let Beside { engine, mut log, .. } = beside;
    let finished = engine.stop();
    log.extend(finished.log);
    for output in &log {
        println!("{output:?}");
    }
    let closed = |output: &Output| matches!(output, Output::Event { event: Event::LiquidationEnded { .. }, .. });
    assert!(log.iter().any(closed), "account 1 lost more than its margin");

    // The record, replayed by a kernel on this thread, says the same.
    let mut again = Vec::new();
    let record = finished.record.unwrap_or_default();
    replay(&mut build()?.0, &record, |output| again.push(output))?;
    assert_eq!(again, log);
    println!("{} places replayed inline: the logs are equal", record.len());
    Ok(())
}

#[test]
fn runs() {
    main().unwrap();
}
