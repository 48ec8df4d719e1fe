//! The lines of a file, of bounded length.

use std::io::{self, BufRead, BufReader, Read};
use std::string::FromUtf8Error;

use super::error::{Fault, Reason};

/// The most bytes of a line, without its end.
const MAX_LINE: usize = 64 * 1024;

/// Lines, read one by one and counted from 1. Empty ones are counted and passed over.
pub(super) struct Lines {
    input: BufReader<Box<dyn Read + Send>>,
    line: String,
    number: u64,
    stay: bool,
}

/// Why there is no line.
pub(super) enum NoLine {
    /// The file cannot be read on.
    Broken(io::Error),
    /// There is one, but it is bad.
    Bad(Fault),
}

impl Lines {
    pub fn new(input: Box<dyn Read + Send>) -> Self {
        Self { input: BufReader::with_capacity(MAX_LINE, input), line: String::new(), number: 0, stay: false }
    }

    /// The line that was read last, without its end.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// The number of the line that was read last, or failed to be.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Makes the next [`Self::advance`] stay at this line.
    pub fn stay(&mut self) {
        self.stay = true;
    }

    /// Goes to the next line that is not empty; whether there is one.
    pub fn advance(&mut self) -> Result<bool, NoLine> {
        if std::mem::take(&mut self.stay) {
            return Ok(true);
        }
        // The allocation is used again.
        let mut bytes = std::mem::take(&mut self.line).into_bytes();
        loop {
            bytes.clear();
            self.number += 1;
            if !self.read(&mut bytes)? {
                return Ok(false);
            }
            if !bytes.is_empty() {
                break;
            }
        }
        self.line = String::from_utf8(bytes).map_err(|error| NoLine::Bad(not_utf8(&error)))?;
        Ok(true)
    }

    /// Reads a line without its end; whether there is one.
    fn read(&mut self, line: &mut Vec<u8>) -> Result<bool, NoLine> {
        let most = MAX_LINE as u64 + 2;
        let read = self.input.by_ref().take(most).read_until(b'\n', line).map_err(NoLine::Broken)?;
        let ended = line.last() == Some(&b'\n');
        if ended {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        }
        if line.len() <= MAX_LINE {
            return Ok(read > 0);
        }
        if !ended {
            self.input.skip_until(b'\n').map_err(NoLine::Broken)?;
        }
        let found = String::from_utf8_lossy(line);
        Err(NoLine::Bad(Fault::new(Reason::TooLong, format!("at most {MAX_LINE} bytes"), &found)))
    }
}

fn not_utf8(error: &FromUtf8Error) -> Fault {
    let found = String::from_utf8_lossy(error.as_bytes());
    let expected = format!("UTF-8, which ends before byte {}", error.utf8_error().valid_up_to() + 1);
    Fault::new(Reason::NotUtf8, expected, &found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<String> {
        let mut lines = Lines::new(Box::new(io::Cursor::new(bytes.to_vec())));
        let mut read = Vec::new();
        loop {
            read.push(match lines.advance() {
                Ok(true) => format!("{} {}", lines.number(), lines.line().len()),
                Ok(false) => return read,
                Err(NoLine::Bad(fault)) => format!("{} {}", lines.number(), fault.reason),
                Err(NoLine::Broken(error)) => format!("{} {error}", lines.number()),
            });
        }
    }

    #[test]
    fn passes_over_empty_lines_and_counts_them() {
        assert_eq!(read(b"\na\r\n\r\n\nbc"), ["2 1", "5 2"]);
        assert_eq!(read(b"\n\n"), [""; 0]);
    }

    #[test]
    fn goes_on_after_bad_lines() {
        assert_eq!(read(b"a\n\xff\nb\n"), ["1 1", "2 not UTF-8", "3 1"]);
    }

    #[test]
    fn bounds_the_length_without_the_end() {
        for (length, end, expected) in [
            (MAX_LINE, "\n", "1 65536"),
            (MAX_LINE, "\r\n", "1 65536"),
            (MAX_LINE + 1, "\n", "1 line too long"),
            (MAX_LINE + 1, "\r\n", "1 line too long"),
            (10 * MAX_LINE, "\n", "1 line too long"),
        ] {
            let text = format!("{}{end}next", "x".repeat(length));
            assert_eq!(read(text.as_bytes()), [expected, "2 4"], "{length} {end:?}");
        }
    }
}
