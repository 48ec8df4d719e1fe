//! What clients know when they draw their next line: the world, and the state that all answers so far have told of.

use super::dice::Dice;
use super::world::World;
use crate::kernel::Overview;
use crate::market::InstrumentId;

/// The state as its clients see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub(super) world: &'a World,
    pub(super) overview: Overview<'a>,
    /// The number of the last line that was answered.
    pub(super) seq: u64,
}

impl Scene<'_> {
    pub(super) fn account(&self, dice: &mut Dice) -> u64 {
        1 + dice.below(self.world.accounts)
    }

    /// The lots of a leg that an account holds, signed, and how it is named in hedge mode.
    pub(super) fn leg(&self, dice: &mut Dice, account: u64, index: usize) -> (i64, Option<&'static str>) {
        let view = self.overview.account(account).ok();
        let held: Vec<i64> = view
            .iter()
            .flat_map(|view| &view.positions)
            .filter_map(|at| (at.instrument == InstrumentId(index as u32)).then_some(at.position.quantity))
            .collect();
        let declared = |line: &&serde_json::Value| line["op"] == "account" && line["account"] == account;
        let hedge = self.world.prologue.iter().find(declared).is_some();
        let lots = if held.is_empty() { 0 } else { *dice.pick(&held) };
        let leg = match lots {
            _ if !hedge => None,
            0 => Some(*dice.pick(&["long", "short"])),
            lots if lots > 0 => Some("long"),
            _ => Some("short"),
        };
        (lots, leg)
    }
}
