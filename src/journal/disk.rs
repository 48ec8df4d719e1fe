//! The one door to files: what a journal asks of a disk, and the disk of this machine.
//!
//! Everything that may go wrong with a file goes wrong behind [`Disk`] and [`DiskFile`], so that a
//! [simulated disk](super::SimulatedDisk) can make it go wrong on purpose, under the code that runs in production.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// A file system, as far as a journal needs one.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Makes a directory, and those above it, if they are not there.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn create_directory(&self, directory: &Path) -> io::Result<()>;

    /// The names of what a directory holds, in any order; what is not UTF-8 is shown with replacements.
    ///
    /// # Errors
    ///
    /// What the system says, as when there is no such directory.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;

    /// Whether there is a file of this name.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn exists(&self, file: &Path) -> io::Result<bool>;

    /// Makes a file, which must not be there, to be appended to.
    ///
    /// # Errors
    ///
    /// What the system says; [`io::ErrorKind::AlreadyExists`] if it is there.
    fn create(&self, file: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file to be read.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn open(&self, file: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file to be appended to, or forced.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn open_to_append(&self, file: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, in place of what has that name: all at once, and of several who do so at the same time only one does, the others do not find it.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Writes bytes once more over those of a file that are the same already, so that the system takes them for changed and forces them to the
    /// disk again.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn write_again(&self, file: &Path, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn remove(&self, file: &Path) -> io::Result<()>;

    /// Forces the names in a directory to the disk: files that were made, renamed or removed may come back without it.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;
}

/// A file on a [`Disk`].
pub trait DiskFile: Send + fmt::Debug {
    /// How many bytes it has.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn length(&mut self) -> io::Result<u64>;

    /// Writes at its end; the number of bytes written may be smaller than what was given.
    ///
    /// # Errors
    ///
    /// What the system says; some bytes may be written all the same.
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Reads from an offset on; the number of bytes read may be smaller than the room, and is 0 at the end.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn read(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Forces its bytes to the disk. After a failure nothing is known of what was written since the last success: trying
    /// again may succeed and mean nothing.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn sync(&mut self) -> io::Result<()>;
}

impl dyn DiskFile {
    /// Writes all of it.
    pub(super) fn append_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.append(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Everything that is in it.
    pub(super) fn read_all(&mut self) -> io::Result<Vec<u8>> {
        self.read_from(0)
    }

    /// Everything that is in it from an offset on.
    pub(super) fn read_from(&mut self, offset: u64) -> io::Result<Vec<u8>> {
        let length = self.length()?.saturating_sub(offset);
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        let read = self.fill(offset, &mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Fills a room from an offset on, as far as the file goes; and how far that is.
    pub(super) fn fill(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < into.len() {
            match self.read(offset + filled as u64, &mut into[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn exists(&self, file: &Path) -> io::Result<bool> {
        fs::exists(file)
    }

    fn create(&self, file: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).append(true).create_new(true).open(file)?;
        Ok(Box::new(RealFile(file)))
    }

    fn open(&self, file: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(File::open(file)?)))
    }

    fn open_to_append(&self, file: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(OpenOptions::new().read(true).append(true).open(file)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn write_again(&self, file: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(file)?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        // Elsewhere a directory cannot be opened, and its names are forced with the files.
        if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
    }
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn length(&mut self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn read(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.0.seek(SeekFrom::Start(offset))?;
        self.0.read(into)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data() // the length too, where that is needed to read the bytes
    }
}
