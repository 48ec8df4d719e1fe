//! How much memory does a position take, everything counted?
//!
//! 1 000 000 cross accounts (`TERRACE_BENCH_ACCOUNTS` sets another number) with 3 positions each over 500 instruments, and with 7 for every
//! two accounts; by kind, in bytes a position.

mod world;

use world::{World, accounts};

fn main() {
    for halves in [6, 7] {
        let positions = accounts() * halves / 2;
        let mut world = World::with_room(accounts(), 3, positions);
        if halves == 7 {
            for pair in 0..world.accounts / 4 {
                let fill = world.fill(pair, 3, 100, 0);
                world.kernel.apply(&terrace::command::Command::Fill(fill)).unwrap();
            }
        }
        assert_eq!(world.kernel.positions() as u64, positions);
        let memory = world.kernel.memory();
        let by = |bytes: usize| bytes as f64 / positions as f64;
        println!("{} accounts, {positions} positions: {:.1} bytes a position", accounts(), by(memory.total()));
        for (kind, bytes) in memory.kinds() {
            println!("  {kind:<10} {:>6.1}", by(bytes));
        }
    }
}
