//! The one file in a zip archive.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use flate2::Crc;
use flate2::read::DeflateDecoder;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::error::{TickError, cut};
use super::unpack::Packing;

/// Where the archive keeps its file.
struct Entry {
    start: u64,
    packed_size: u64,
    method: CompressionMethod,
    size: u64,
    crc: u32,
}

/// Opens the only file of a zip archive.
///
/// The archive's own reader borrows the archive and so cannot be kept in a stream; it is used to find the file only.
pub(super) fn open(mut archive: File, file: &str) -> Result<impl Read + Send + use<>, TickError> {
    let entry = find(&mut archive, file)?;
    let seek = archive.seek(SeekFrom::Start(entry.start));
    seek.map_err(|source| TickError::Open { file: file.to_owned(), source })?;
    let packed = archive.take(entry.packed_size);
    let unpacked: Box<dyn Read + Send> = match entry.method {
        CompressionMethod::Stored => Box::new(packed),
        CompressionMethod::Deflated => Box::new(DeflateDecoder::new(packed)),
        method => return Err(unusable(file, &format!("one packed by method {method}"))),
    };
    Ok(Checked { unpacked, crc: Crc::new(), entry })
}

fn find(archive: &mut File, file: &str) -> Result<Entry, TickError> {
    let failed = |error: ZipError| match error {
        ZipError::Io(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
            TickError::Open { file: file.to_owned(), source }
        }
        // The directory of an archive is at its end: an archive without one has been cut off.
        _ => TickError::Line(Packing::Zip.truncated().at(file, 1)),
    };
    let mut archive = ZipArchive::new(BufReader::new(archive)).map_err(failed)?;
    if archive.is_empty() {
        return Err(TickError::Empty { file: file.to_owned(), expected: "a file in the zip archive" });
    }
    if archive.len() > 1 {
        let names: Vec<String> = archive.file_names().map(readable).collect();
        return Err(unusable(file, &format!("{}: {}", names.len(), names.join(", "))));
    }
    let entry = archive.by_index_raw(0).map_err(failed)?;
    if entry.encrypted() {
        return Err(unusable(file, &format!("an encrypted one: {}", readable(entry.name()))));
    }
    Ok(Entry {
        start: entry.data_start().ok_or_else(|| failed(ZipError::FileNotFound))?,
        packed_size: entry.compressed_size(),
        method: entry.compression(),
        size: entry.size(),
        crc: entry.crc32(),
    })
}

/// The name of an entry as a message shows it.
fn readable(name: Result<Cow<'_, str>, ZipError>) -> String {
    name.map_or_else(|_| "an unreadable name".to_owned(), |name| name.escape_debug().to_string())
}

fn unusable(file: &str, found: &str) -> TickError {
    TickError::Zip { file: file.to_owned(), found: cut(found) }
}

/// A reader that checks at its end that it has read what the archive says.
struct Checked {
    unpacked: Box<dyn Read + Send>,
    crc: Crc,
    entry: Entry,
}

impl Checked {
    /// The checksum counts bytes modulo 2³², so the size is compared likewise.
    fn check(&self) -> io::Result<()> {
        let size = u64::from(self.crc.amount());
        let expected = self.entry.size & u64::from(u32::MAX);
        if size < expected {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if size > expected || self.crc.sum() != self.entry.crc {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "wrong checksum in the zip archive"));
        }
        Ok(())
    }
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.unpacked.read(buffer)?;
        if read == 0 && !buffer.is_empty() {
            self.check()?;
        }
        self.crc.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}
