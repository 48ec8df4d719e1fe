//! A disk in memory that loses, tears and refuses, from a seed: for tests and simulations.
//!
//! It keeps what was forced to it apart from what was only written. [`SimulatedDisk::restarted`] is the disk after a crash of the
//! machine: of what was not forced, each file keeps nothing, a part, all, or some sectors and zeros where the others were;
//! the same goes for names that were made, changed or removed without forcing their directory. [`SimulatedDisk::killed`]
//! is what is left when the process alone ends: everything that was written.

use super::disk::{Disk, DiskFile};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};

/// What a disk writes as a whole or not at all.
const SECTOR: usize = 64;

/// What goes wrong. Operations are those that change something (creating, appending, renaming, removing, forcing), counted
/// from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Bytes that all files together may have: beyond it the disk is full.
    pub capacity: Option<u64>,
    /// Appending writes some of the bytes only, now and then.
    pub short_writes: bool,
    /// This operation fails, after a part of its work.
    pub fails_at: Option<u64>,
    /// At this operation the machine stops, in the middle of it: it and everything after fails.
    pub crashes_at: Option<u64>,
    /// The disk lies: forcing a file succeeds, and forces nothing. No journal can do anything against it; a simulation must see it.
    pub lies: bool,
    /// The disk remembers names that are gone, as a network file system may: whoever asks for a file finds it. Then nobody is fenced; a simulation must see it.
    pub stale_names: bool,
}

/// A disk in memory. Clones are the same disk, as one process has it.
#[derive(Clone, Debug)]
pub struct SimulatedDisk(Arc<Shared>, Arc<AtomicBool>);

#[derive(Debug)]
struct Shared(State);

#[expect(clippy::disallowed_types, reason = "a disk for tests: nobody hurries")]
type State = std::sync::Mutex<Platter>;

#[derive(Clone, Debug, Default)]
struct Platter {
    random: u64,
    faults: Faults,
    operations: u64,
    syncs: u64,
    crashed: bool,
    directories: BTreeSet<PathBuf>,
    /// By name; as a crash may leave it, where that differs: `forced`.
    names: BTreeMap<PathBuf, usize>,
    forced: BTreeMap<PathBuf, usize>,
    files: Vec<Content>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    written: Vec<u8>,
    forced: Vec<u8>,
    /// Parts that were written when forcing failed: they will never be forced, whatever is said later. The system shows them until it stops.
    lost: Vec<Range<usize>>,
    /// How often forcing failed. Whoever has the file open is told of each once, also where somebody else forced it, as Linux does from 4.13 on.
    failures: u64,
}

impl Content {
    /// What is on the disk once all is forced that ever will be.
    fn forcible(&self) -> Vec<u8> {
        let mut bytes = self.written.clone();
        self.lost.iter().for_each(|lost| bytes[lost.clone()].fill(0));
        bytes
    }
}

impl SimulatedDisk {
    /// An empty disk; what it loses follows from the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::of(Platter { random: seed, ..Platter::default() })
    }

    fn of(platter: Platter) -> Self {
        Self(Arc::new(Shared(State::new(platter))), Arc::default())
    }

    /// The same disk, as another process has it.
    #[must_use]
    pub fn of_another_process(&self) -> Self {
        Self(Arc::clone(&self.0), Arc::default())
    }

    /// The process that has it so ends: whatever is still asked by it fails, and does nothing.
    pub fn end_process(&self) {
        self.1.store(true, Ordering::Relaxed);
    }

    /// As a process has it that has not ended.
    fn alive(&self) -> io::Result<MutexGuard<'_, Platter>> {
        if self.1.load(Ordering::Relaxed) { Err(stopped()) } else { Ok(self.platter()) }
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.platter().faults = faults;
    }

    /// Operations so far that change something.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.platter().operations
    }

    /// How often files and directories were forced.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.platter().syncs
    }

    /// Whether the machine has stopped.
    #[must_use]
    pub fn has_crashed(&self) -> bool {
        self.platter().crashed
    }

    /// The disk after a crash of the machine, without faults; another seed, another loss.
    #[must_use]
    pub fn restarted(&self, seed: u64) -> Self {
        let mut platter = self.platter().clone();
        platter.random ^= seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        platter.lose();
        Self::of(Platter { faults: Faults::default(), operations: 0, syncs: 0, crashed: false, ..platter })
    }

    /// The disk after the process has ended, without faults: the system keeps what it was given.
    #[must_use]
    pub fn killed(&self) -> Self {
        let platter = self.platter().clone();
        Self::of(Platter { faults: Faults::default(), operations: 0, syncs: 0, crashed: false, ..platter })
    }

    /// How many bytes of a file the disk keeps whatever happens.
    #[must_use]
    pub fn forced_bytes(&self, file: &Path) -> Option<usize> {
        let platter = self.platter();
        platter.names.get(file).map(|&at| platter.files[at].forced.len())
    }

    /// The bytes of a file, as they are read.
    #[must_use]
    pub fn bytes(&self, file: &Path) -> Option<Vec<u8>> {
        let platter = self.platter();
        platter.names.get(file).map(|&at| platter.files[at].written.clone())
    }

    /// Puts a file there, or another content into it, forced.
    pub fn put(&self, file: &Path, bytes: &[u8]) {
        let mut platter = self.platter();
        let content = Content { written: bytes.to_vec(), forced: bytes.to_vec(), ..Content::default() };
        platter.directories.extend(file.parent().map(Path::to_path_buf));
        platter.files.push(content);
        let at = platter.files.len() - 1;
        platter.names.insert(file.to_path_buf(), at);
        platter.forced.insert(file.to_path_buf(), at);
    }

    /// Turns one bit of a file around; nothing if it has no such byte.
    pub fn flip(&self, file: &Path, byte: usize, bit: u32) {
        let mut platter = self.platter();
        let Some(&at) = platter.names.get(file) else { return };
        let content = &mut platter.files[at];
        for bytes in [&mut content.written, &mut content.forced] {
            bytes.iter_mut().skip(byte).take(1).for_each(|byte| *byte ^= 1 << (bit % 8));
        }
    }

    /// All files, by name.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.platter().names.keys().cloned().collect()
    }
}

impl Platter {
    /// `SplitMix64`.
    fn roll(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound.max(1) as u64) as usize
    }

    /// Counts an operation; how it is to fail, if it is.
    fn begin(&mut self) -> Result<(), io::Error> {
        if self.crashed {
            return Err(stopped());
        }
        self.operations += 1;
        if self.faults.crashes_at == Some(self.operations) {
            self.crashed = true;
            return Err(stopped());
        }
        if self.faults.fails_at == Some(self.operations) {
            return Err(a_fault());
        }
        Ok(())
    }

    fn find(&self, file: &Path) -> io::Result<usize> {
        self.names.get(file).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn append(&mut self, at: usize, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.begin() {
            // The part that was written before the fault.
            let part = self.below(bytes.len() + 1);
            self.files[at].written.extend_from_slice(&bytes[..part]);
            return Err(error);
        }
        let used: u64 = self.names.values().map(|&at| self.files[at].written.len() as u64).sum();
        let room = self.faults.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(used));
        let mut part = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        if part == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.faults.short_writes && part > 1 && self.below(3) == 0 {
            part = 1 + self.below(part);
        }
        self.files[at].written.extend_from_slice(&bytes[..part]);
        Ok(part)
    }

    fn sync(&mut self, at: usize) -> io::Result<()> {
        if let Err(error) = self.begin() {
            let content = &mut self.files[at];
            let same = content.forcible().iter().zip(&content.forced).take_while(|(a, b)| a == b).count();
            content.lost.push(same..content.written.len());
            content.failures += 1;
            return Err(error);
        }
        self.syncs += 1;
        if !self.faults.lies {
            let content = &mut self.files[at];
            content.forced = content.forcible();
        }
        Ok(())
    }

    /// The machine stops: what was not forced is lost, or torn.
    fn lose(&mut self) {
        for at in 0..self.files.len() {
            let (written, forced) = (self.files[at].forcible(), self.files[at].forced.clone());
            let left = self.left(&written, &forced);
            self.files[at] = Content { written: left.clone(), forced: left, ..Content::default() };
        }
        let names: BTreeSet<PathBuf> = self.names.keys().chain(self.forced.keys()).cloned().collect();
        for name in names {
            let (now, before) = (self.names.get(&name).copied(), self.forced.get(&name).copied());
            let left = if now == before || self.below(2) == 0 { before } else { now };
            if let Some(at) = left {
                self.names.insert(name.clone(), at);
                self.forced.insert(name, at);
            } else {
                self.names.remove(&name);
                self.forced.remove(&name);
            }
        }
    }

    fn left(&mut self, written: &[u8], forced: &[u8]) -> Vec<u8> {
        let same = written.iter().zip(forced).take_while(|(a, b)| a == b).count();
        if same == written.len() && same == forced.len() {
            return forced.to_vec();
        }
        if same < forced.len() && self.below(2) == 0 {
            return forced.to_vec(); // a cut that did not reach the disk
        }
        let fresh = &written[same..];
        let mut left = written[..same].to_vec();
        match self.below(4) {
            0 => {}
            1 => left.extend_from_slice(&fresh[..self.below(fresh.len() + 1)]),
            2 => left.extend_from_slice(fresh),
            _ => {
                // The length reached the disk, and some of the sectors.
                let mut start = same;
                while start < written.len() {
                    let end = ((start / SECTOR + 1) * SECTOR).min(written.len());
                    if self.below(2) == 0 {
                        left.extend_from_slice(&written[start..end]);
                    } else {
                        left.resize(left.len() + (end - start), 0);
                    }
                    start = end;
                }
            }
        }
        left
    }
}

fn a_fault() -> io::Error {
    io::Error::other("a fault of the simulated disk")
}

fn stopped() -> io::Error {
    io::Error::other("the simulated machine has stopped")
}

impl Disk for SimulatedDisk {
    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        let mut platter = self.alive()?;
        if platter.crashed {
            return Err(stopped());
        }
        platter.directories.extend(directory.ancestors().map(Path::to_path_buf));
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let platter = self.alive()?;
        if !platter.directories.contains(directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let own = platter.names.keys().filter(|name| name.parent() == Some(directory));
        Ok(own.filter_map(|name| Some(name.file_name()?.to_string_lossy().into_owned())).collect())
    }

    fn exists(&self, file: &Path) -> io::Result<bool> {
        let platter = self.alive()?;
        if platter.crashed {
            Err(stopped())
        } else {
            Ok(platter.faults.stale_names || platter.names.contains_key(file))
        }
    }

    fn create(&self, file: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut platter = self.alive()?;
        if platter.names.contains_key(file) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        platter.begin()?;
        platter.files.push(Content::default());
        let at = platter.files.len() - 1;
        platter.names.insert(file.to_path_buf(), at);
        Ok(Box::new(SimulatedFile { disk: self.clone(), at, told: 0 }))
    }

    fn open(&self, file: &Path) -> io::Result<Box<dyn DiskFile>> {
        let platter = self.alive()?;
        let at = platter.find(file)?;
        Ok(Box::new(SimulatedFile { disk: self.clone(), at, told: platter.files[at].failures }))
    }

    fn open_to_append(&self, file: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut platter = self.alive()?;
        let at = platter.find(from)?;
        platter.begin()?;
        platter.names.remove(from);
        platter.names.insert(to.to_path_buf(), at);
        Ok(())
    }

    fn write_again(&self, file: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut platter = self.alive()?;
        let at = platter.find(file)?;
        platter.begin()?;
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let again = start..start + bytes.len();
        let content = &mut platter.files[at];
        if content.written.get(again.clone()) != Some(bytes) {
            return Err(io::Error::other("not the bytes that are there"));
        }
        let parts = content
            .lost
            .iter()
            .flat_map(|lost| [lost.start..lost.end.min(again.start), lost.start.max(again.end)..lost.end]);
        content.lost = parts.filter(|part| !part.is_empty()).collect();
        Ok(())
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        let mut platter = self.alive()?;
        platter.find(file)?;
        platter.begin()?;
        platter.names.remove(file);
        Ok(())
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let mut platter = self.alive()?;
        platter.begin()?;
        platter.syncs += 1;
        let is_own = |name: &PathBuf| name.parent() == Some(directory);
        let own: Vec<(PathBuf, usize)> =
            platter.names.iter().filter(|(name, _)| is_own(name)).map(|(name, &at)| (name.clone(), at)).collect();
        platter.forced.retain(|name, _| !is_own(name));
        platter.forced.extend(own);
        Ok(())
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: SimulatedDisk,
    at: usize,
    /// Failures that who has it open knows of.
    told: u64,
}

impl DiskFile for SimulatedFile {
    fn length(&mut self) -> io::Result<u64> {
        Ok(self.disk.platter().files[self.at].written.len() as u64)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.alive()?.append(self.at, bytes)
    }

    fn read(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let platter = self.disk.alive()?;
        let bytes = usize::try_from(offset).ok().and_then(|offset| platter.files[self.at].written.get(offset..));
        let bytes = bytes.unwrap_or_default();
        let read = bytes.len().min(into.len());
        into[..read].copy_from_slice(&bytes[..read]);
        Ok(read)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut platter = self.disk.alive()?;
        let synced = platter.sync(self.at);
        let failures = platter.files[self.at].failures;
        let told = std::mem::replace(&mut self.told, failures);
        synced.and_then(|()| if told < failures { Err(a_fault()) } else { Ok(()) })
    }
}
