//! Snapshots by the way: made beside the process as the thread makes them that it rings, from the same disk.

use super::dice::Dice;
use super::faults::Fate;
use super::placed::kernel_settings;
use super::process::directory;
use super::report::Report;
use super::run::{Act, Simulation};
use crate::journal::{Disk, SimulatedDisk, SnapshotFile};
use crate::protocol::{DurableError, save_and_thin};

/// How many are left.
const KEPT: usize = 2;

impl Simulation<'_> {
    /// A snapshot is made, if there is a process.
    ///
    /// # Errors
    ///
    /// It cannot be made, and nothing was to go wrong.
    pub(super) fn save(&mut self) -> Result<(), String> {
        let dice = &mut self.draws.schedule;
        self.agenda.after(3_000_000 + dice.below(40_000_000), Act::Save);
        if self.process.is_none() {
            return Ok(());
        }
        make_snapshot(&self.disk, dice, &self.fate, self.report)?;
        self.end_if_failed()
    }
}

/// Another process makes a snapshot.
///
/// # Errors
///
/// It cannot be made, and nothing was to go wrong.
pub(super) fn make_snapshot(
    disk: &SimulatedDisk,
    dice: &mut Dice,
    fate: &Fate,
    report: &mut Report,
) -> Result<(), String> {
    match save_and_thin(&disk.of_another_process(), directory(), kernel_settings(dice), KEPT) {
        Ok(made) => report.snapshots += u64::from(made.bytes.is_some()),
        Err(DurableError::NeverAtRest) => {}
        Err(_) if fate.has_faults() => report.fault("snapshot: not made"),
        Err(error) => return Err(format!("no snapshot can be made: {error}")),
    }
    Ok(())
}

/// All snapshots, the newest first.
fn snapshots(disk: &SimulatedDisk) -> Vec<SnapshotFile> {
    SnapshotFile::list(disk, directory()).unwrap_or_default()
}

/// Turns a bit of the newest snapshot: it must be passed over. Whether there was one.
pub(super) fn flip_snapshot(dice: &mut Dice, disk: &SimulatedDisk) -> bool {
    let newest = snapshots(disk).into_iter().next();
    let Some((file, bytes)) = newest.and_then(|newest| Some((newest.file.clone(), disk.bytes(&newest.file)?))) else {
        return false;
    };
    disk.flip(&file, dice.below(bytes.len() as u64) as usize, dice.below(8) as u32);
    true
}

/// Without them the journal is gone through from its start.
pub(super) fn without_snapshots(disk: &SimulatedDisk) {
    for snapshot in snapshots(disk) {
        let _ = disk.remove(&snapshot.file); // it is there, and the disk is calm
    }
}
