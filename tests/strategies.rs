//! The strategies say the same, and so does a kernel that is told beforehand whom each mark puts in breach: over all
//! contracts and tier rules, with steps of one tick, leaps that cross hundreds of edges, crashes and calm.

#[allow(dead_code, reason = "the kernels are compared with each other, not computed anew")]
mod worlds;

use terrace::command::{Command, Fill, Liquidity, MarginMode, PositionMode, PositionSide, Side};
use terrace::event::Event;
use terrace::market::InstrumentId;
use terrace::{Kernel, Settings, Strategy, Work};
use worlds::{ASSET, Dice, World, worlds};

const ACCOUNTS: u64 = 250;
const INSTRUMENTS: u32 = 3;
const STEPS: u64 = 900;

/// Every fifth account is in hedge mode, every fourth of all is isolated.
fn hedges(account: u64) -> bool {
    account.is_multiple_of(5)
}

fn kernel(world: &World, shards: u32, strategy: Strategy) -> Kernel {
    let mut kernel = Kernel::new(Settings { shards, strategy, ..Settings::default() });
    world.declare(&mut kernel, INSTRUMENTS);
    kernel
}

/// Inputs at random.
struct Stream<'a> {
    world: &'a World,
    dice: Dice,
    marks: [i64; INSTRUMENTS as usize],
}

impl<'a> Stream<'a> {
    fn new(world: &'a World, seed: u64) -> Self {
        Self { world, dice: Dice(seed), marks: [world.start; INSTRUMENTS as usize] }
    }

    /// Accounts with money and positions.
    fn beginning(&mut self) -> Vec<Command> {
        let mark = |index| Command::Mark { instrument: InstrumentId(index), price: self.world.start };
        let mut commands: Vec<Command> = (0..INSTRUMENTS).map(mark).collect();
        for account in 1..=ACCOUNTS {
            if hedges(account) {
                commands.push(Command::Account { account, positions: PositionMode::Hedge, group: None });
            }
            commands.push(self.deposit(account));
            if account % 4 == 0 {
                let isolated = |index| Command::MarginMode {
                    account,
                    instrument: InstrumentId(index),
                    mode: MarginMode::Isolated,
                };
                commands.extend((0..INSTRUMENTS).map(isolated));
            }
        }
        commands.extend((0..ACCOUNTS * 2).map(|_| self.trade()));
        commands
    }

    fn deposit(&mut self, account: u64) -> Command {
        let amount = self.dice.range(1, self.world.typical() as i64 / 4 + 12);
        Command::Deposit { account, asset: ASSET, amount }
    }

    fn leg(&mut self, account: u64) -> Option<PositionSide> {
        let side = if self.dice.below(2) == 0 { PositionSide::Long } else { PositionSide::Short };
        hedges(account).then_some(side)
    }

    fn trade(&mut self) -> Command {
        let account = 1 + self.dice.below(ACCOUNTS);
        let counterparty = 1 + (account + self.dice.below(ACCOUNTS - 1)) % ACCOUNTS;
        let instrument = InstrumentId(self.dice.below(u64::from(INSTRUMENTS)) as u32);
        Command::Fill(Fill {
            account,
            counterparty: Some(counterparty),
            order: None,
            counter_order: None,
            instrument,
            side: if self.dice.below(2) == 0 { Side::Buy } else { Side::Sell },
            quantity: self.dice.range(1, self.world.lots / 3 + 1),
            price: self.marks[instrument.index()],
            liquidity: Some(Liquidity::Taker),
            position_side: self.leg(account),
            counter_position_side: self.leg(counterparty),
        })
    }

    /// One input: a third of the time is a storm, in which marks leap and fall; then it is calm again. Fundings come at any time.
    fn next(&mut self, step: u64) -> Command {
        let stormy = step % 300 < 100;
        match self.dice.below(10) {
            0 => return self.trade(),
            1 if !stormy => {
                let account = 1 + self.dice.below(ACCOUNTS);
                return self.deposit(account);
            }
            // What it takes from pools is no fill, so it moves certificates and bounds, and renews none.
            2 if self.dice.below(6) == 0 => {
                let instrument = InstrumentId(self.dice.below(u64::from(INSTRUMENTS)) as u32);
                return Command::Funding { instrument, rate_ppb: self.dice.range(-50, 50) * 1_000_000 };
            }
            _ => {}
        }
        let (index, start) = (self.dice.below(u64::from(INSTRUMENTS)) as usize, self.world.start);
        let mark = self.marks[index];
        let moved = match self.dice.below(20) {
            0 if stormy => mark * self.dice.range(55, 150) / 100,
            1..=9 if stormy => mark - mark * self.dice.range(0, 3) / 100,
            10 if stormy => start,
            _ => mark + self.dice.range(-1, 1),
        };
        self.marks[index] = moved.clamp(start / 3 + 1, start * 3);
        Command::Mark { instrument: InstrumentId(index as u32), price: self.marks[index] }
    }
}

/// Puts the same to several kernels, which must say the same; what the first said is logged.
fn play(world: &World, seed: u64, kernels: &mut [Kernel], log: &mut Vec<Vec<Event>>) -> u64 {
    let mut stream = Stream::new(world, seed);
    let mut started = 0;
    for command in stream.beginning() {
        for kernel in &mut *kernels {
            kernel.apply(&command).unwrap();
        }
    }
    for step in 0..STEPS {
        let command = stream.next(step);
        let (first, others) = kernels.split_first_mut().unwrap();
        first.apply(&command).unwrap();
        for other in others {
            other.apply(&command).unwrap();
            assert_eq!(other.events(), first.events(), "{}: step {step}, {command:?}", world.name());
        }
        started +=
            first.events().iter().filter(|event| matches!(event, Event::LiquidationStarted { .. })).count() as u64;
        log.push(first.events().to_vec());
    }
    started
}

#[test]
fn every_strategy_says_the_same() {
    let mut worked = [Work::default(); 4];
    for (number, world) in worlds().enumerate() {
        let shards = 1 + number as u32 % 3;
        let mut kernels = Strategy::ALL.map(|strategy| kernel(&world, shards, strategy));
        let started = play(&world, 0x5DEE_CE66_D1CE_4E5B + number as u64, &mut kernels, &mut Vec::new());
        assert!(started > 50, "{}: {started} liquidations are too few to show anything", world.name());
        for (sum, kernel) in worked.iter_mut().zip(&kernels) {
            *sum = [*sum, kernel.work()].into_iter().sum();
        }
    }
    for (strategy, work) in Strategy::ALL.iter().zip(&worked) {
        println!("{}: {work:?}", strategy.name());
    }
    let [bands, _, dense, _] = worked;
    assert!(bands.evaluations < dense.evaluations && dense.edge_updates == 0, "{worked:?}");
}

/// The clairvoyant, noted from any strategy, says the same and evaluates less.
#[test]
fn who_is_told_beforehand_says_the_same() {
    let mut evaluations = [0, 0];
    for (number, world) in worlds().enumerate() {
        let (shards, seed) = (1 + number as u32 % 3, 0x2545_F491_4F6C_DD1D + number as u64);
        let by = Strategy::ALL[number % 4];
        let mut noting = [kernel(&world, shards, by)];
        noting[0].note_breaches();
        let mut log = Vec::new();
        let started = play(&world, seed, &mut noting, &mut log);
        let foresight = noting[0].take_foresight();
        assert!(foresight.len() as u64 >= started, "{}: {} foreseen of {started}", world.name(), foresight.len());
        let mut told = [kernel(&world, shards, Strategy::Dense)];
        told[0].foresee(foresight);
        let mut again = Vec::new();
        play(&world, seed, &mut told, &mut again);
        let first = again.iter().zip(&log).position(|(told, noted)| told != noted);
        assert_eq!(first.map(|at| (at, &again[at], &log[at])), None, "{}", world.name());
        evaluations[0] += told[0].work().evaluations;
        evaluations[1] += noting[0].work().evaluations;
        let mut blind = [kernel(&world, shards, Strategy::Dense)];
        blind[0].foresee(kernel(&world, shards, Strategy::Dense).take_foresight());
        play(&world, seed, &mut blind, &mut again);
        assert!(again[log.len()..] != log[..], "{}: without the list nobody is found", world.name());
    }
    println!("{evaluations:?} evaluations, told and noting");
    assert!(evaluations[0] < evaluations[1]);
}
