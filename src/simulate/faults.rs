//! What goes wrong with the disk and the process, and what must be seen of it.

use super::dice::Dice;
use super::placed::Shape;
use super::process::{Process, Setup, directory};
use super::saving::without_snapshots;
use crate::journal::{Durability, Faults, SimulatedDisk, believed, kept_before};

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The machine stops: what was not forced is lost or torn.
    Machine,
    /// The process is killed: the system keeps what it was given.
    Kill,
    /// It ends by itself, with everything in the journal.
    Orderly,
}

impl End {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Machine => "crash: machine",
            Self::Kill => "crash: process",
            Self::Orderly => "stop: orderly",
        }
    }
}

/// What a life has before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    /// What the disk does.
    pub(super) disk: Faults,
    /// When it ends at the latest, in nanoseconds from its start, and how.
    pub(super) ends: (u64, End),
    /// What is counted of it.
    pub(super) fault: Option<&'static str>,
}

impl Fate {
    /// Nothing, and no end.
    pub(super) fn calm() -> Self {
        Self { disk: Faults::default(), ends: (u64::MAX, End::Orderly), fault: None }
    }

    /// Whether the disk may refuse something.
    pub(super) fn has_faults(&self) -> bool {
        self.fault.is_some()
    }

    /// Most lives end soon, in one of all ways. Where nothing is ever forced the machine stays up: nothing is promised of what it leaves.
    pub(super) fn draw(dice: &mut Dice, disk: &SimulatedDisk, durability: Durability) -> Self {
        let fate = Self::draw_any(dice, disk);
        match (durability, fate) {
            (Durability::None, Self { disk: Faults { crashes_at: Some(_), .. }, ends: (after, _), .. }) => {
                Self { ends: (after, End::Kill), ..Self::calm() }
            }
            (Durability::None, Self { ends: (after, End::Machine), .. }) => Self { ends: (after, End::Kill), ..fate },
            _ => fate,
        }
    }

    fn draw_any(dice: &mut Dice, disk: &SimulatedDisk) -> Self {
        // At an operation of going on already, of the first lines, or later.
        let at = 1 + match dice.below(3) {
            0 => dice.below(8),
            1 => dice.below(60),
            _ => dice.below(600),
        };
        let used: u64 = disk.files().iter().filter_map(|file| disk.bytes(file)).map(|bytes| bytes.len() as u64).sum();
        let mut faults = Faults { short_writes: dice.chance(30), ..Faults::default() };
        let fault = match dice.below(10) {
            0..=2 => {
                faults.crashes_at = Some(at);
                Some("crash: within an operation of the disk")
            }
            3..=4 => {
                faults.fails_at = Some(at);
                Some("disk: an operation fails")
            }
            5 => {
                faults.capacity = Some(used + dice.below(6_000));
                Some("disk: full")
            }
            _ => None,
        };
        let end = *dice.pick(&[End::Machine, End::Machine, End::Machine, End::Kill, End::Kill, End::Orderly]);
        let span = *dice.pick(&[2_000_000, 20_000_000, 100_000_000]);
        Self { disk: faults, ends: (dice.below(span), end), fault }
    }

    /// As one that begins after so many operations of the disk.
    pub(super) fn after(mut self, operations: u64) -> Self {
        let later = |at: Option<u64>| at.map(|at| at + operations);
        (self.disk.crashes_at, self.disk.fails_at) = (later(self.disk.crashes_at), later(self.disk.fails_at));
        self
    }
}

/// Bytes with which a segment begins.
const HEADER: usize = 48;

/// Turns a bit of what was never forced: it must be cut, and what was acknowledged stays. `forced` is how many bytes of each file were. Whether
/// there was one.
pub(super) fn flip_torn(dice: &mut Dice, disk: &SimulatedDisk, forced: impl Fn(&std::path::Path) -> usize) -> bool {
    let Some((file, _)) = believed(disk, directory()).pop() else { return false };
    // What does not even begin like a segment is refused, whether it was kept or not.
    let (from, to) = (forced(&file).max(HEADER), disk.bytes(&file).map_or(0, |bytes| bytes.len()));
    if from >= to {
        return false;
    }
    disk.flip(&file, from + dice.below((to - from) as u64) as usize, dice.below(8) as u32);
    true
}

/// Turns a bit of what a later mark says is kept, and looks whether the journal is refused, with the name of the file; then turns it back. Whether there was
/// one.
///
/// # Errors
///
/// It was not refused, or not by its name.
pub(super) fn flip_kept(dice: &mut Dice, disk: &SimulatedDisk, setup: &Setup, shape: Shape) -> Result<bool, String> {
    let files = believed(disk, directory());
    if files.is_empty() {
        return Ok(false);
    }
    let at = dice.below(files.len() as u64) as usize;
    let (file, gone_through) = &files[at];
    let bytes = disk.bytes(file).unwrap_or_default();
    // A segment was forced to where another goes on.
    let kept = if at + 1 < files.len() { *gone_through as usize } else { kept_before(file, &bytes) };
    if kept == 0 {
        return Ok(false);
    }
    let (byte, bit) = (dice.below(kept as u64) as usize, dice.below(8) as u32);
    let damaged = disk.killed(); // another one: what is refused must not be written to
    damaged.flip(file, byte, bit);
    without_snapshots(&damaged);
    let name = file.display().to_string();
    match Process::start(&damaged, setup, shape) {
        Ok(_) => Err(format!("a bit turned in what is kept is not seen: {name}, byte {byte}, bit {bit}")),
        Err(error) if !error.to_string().contains(&name) => {
            Err(format!("a bit turned in {name}, byte {byte}, is told of as {error}"))
        }
        Err(_) => Ok(true),
    }
}
