//! A connection: a thread that reads its lines, and one that writes what is answered.

use super::address::{Listener, Stream};
use super::hall::Hall;
use super::lanes::{Connection, Item};
use super::outbox::{Message, Outbox};
use super::told::Told;
use crossbeam::channel::Receiver;
use std::io::{self, BufRead, BufReader, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How connections are held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Most at a time.
    pub(super) connections: usize,
    /// The longest line, in bytes.
    pub(super) max_line: usize,
    /// Who reads nothing for so long is cut off.
    pub(super) write_within: Duration,
    /// Whether they only hear.
    pub(super) hear: bool,
}

/// Lets connections in until the process ends.
pub(super) fn accept(listener: Listener, hall: Arc<Hall>, terms: Terms) -> io::Result<JoinHandle<()>> {
    let name = if terms.hear { "events" } else { "accept" };
    Builder::new().name(name.to_owned()).spawn(move || {
        loop {
            match listener.accept() {
                Ok(stream) => {
                    if let Err(error) = begin(stream, &hall, terms) {
                        eprintln!("terrace: a connection could not be begun: {error}");
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {} // it had gone already
                Err(error) => {
                    eprintln!("terrace: no connection could be accepted: {error}");
                    std::thread::sleep(Duration::from_millis(100)); // such as no more files: others must end first
                }
            }
        }
    })
}

fn begin(mut stream: Stream, hall: &Arc<Hall>, terms: Terms) -> io::Result<()> {
    stream.write_within(terms.write_within)?;
    let (outbox, messages) = Outbox::new(stream.again()?);
    let (outbox, input) = (Arc::new(outbox), stream.again()?);
    let Some(connection) = hall.enter(&outbox, terms.hear, terms.connections) else {
        let reason = format!("no more than {} connections are served at a time", terms.connections);
        let _ = writeln!(stream, r#"{{"ev":"rejected","seq":0,"code":"busy","reason":"{reason}"}}"#); // it may have gone
        stream.end(Shutdown::Both);
        return Ok(());
    };
    let begun = start(stream, (!terms.hear).then_some(input), (messages, &outbox), hall, (connection, terms.max_line));
    if begun.is_err() {
        outbox.cut();
        outbox.end();
        hall.leave(connection);
        if !terms.hear {
            hall.with(|inner| inner.reading -= 1);
        }
    }
    begun
}

/// Starts the threads of a connection.
fn start(
    stream: Stream,
    input: Option<Stream>,
    (messages, outbox): (Receiver<Message>, &Arc<Outbox>),
    hall: &Arc<Hall>,
    (connection, max_line): (Connection, usize),
) -> io::Result<()> {
    let (of_writer, outbox) = (Arc::clone(hall), Arc::clone(outbox));
    let writer = Builder::new().name(format!("write {connection}"));
    writer.spawn(move || write(stream, &messages, &outbox, &of_writer, connection))?;
    if let Some(input) = input {
        let of_reader = Arc::clone(hall);
        let reader = Builder::new().name(format!("read {connection}"));
        reader.spawn(move || read(input, &of_reader, connection, max_line))?;
    }
    Ok(())
}

/// Reads lines to the end.
fn read(input: Stream, hall: &Hall, connection: Connection, max_line: usize) {
    let mut input = BufReader::with_capacity(1 << 16, input);
    loop {
        let mut text = Vec::new();
        let read = read_line(&mut input, &mut text, max_line);
        let since_ns = hall.now_ns();
        let goes_on = match read {
            Ok(Read::Line) => {
                let told = Told::of(&text);
                hall.push(connection, Item::Line { text, told, since_ns })
            }
            Ok(Read::TooLong) => hall.push(connection, Item::TooLong { since_ns }),
            Ok(Read::End) | Err(_) => false, // whoever went away has sent nothing more either
        };
        if !goes_on {
            break;
        }
    }
    hall.push(connection, Item::End);
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Line,
    /// It was longer than it may be, and was passed over.
    TooLong,
    End,
}

/// Reads a line without its end; the last one needs none.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>, most: usize) -> io::Result<Read> {
    let mut too_long = false;
    loop {
        let bytes = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            bytes => bytes?,
        };
        let (end, used) = match bytes.iter().position(|&byte| byte == b'\n') {
            Some(at) => (Some(at), at + 1),
            None => (None, bytes.len()),
        };
        let ended = bytes.is_empty();
        let part = &bytes[..end.unwrap_or(used)];
        if too_long || line.len() + part.len() > most {
            too_long = true;
            *line = Vec::new();
        } else {
            line.extend_from_slice(part);
        }
        input.consume(used);
        if end.is_some() || ended {
            while line.last().is_some_and(u8::is_ascii_whitespace) {
                line.pop();
            }
            return Ok(match (too_long, ended && line.is_empty()) {
                (true, _) => Read::TooLong,
                (false, true) => Read::End,
                (false, false) => Read::Line,
            });
        }
    }
}

/// Most bytes that are written at once.
const BATCH: usize = 1 << 18;

/// Writes what is put in, to the end. After a failure the rest is dropped: who does not read has lost it.
fn write(mut stream: Stream, messages: &Receiver<Message>, outbox: &Outbox, hall: &Hall, connection: Connection) {
    let mut ended = false;
    while !ended {
        let mut batch = String::new();
        for message in std::iter::once(messages.recv().unwrap_or(Message::End)).chain(messages.try_iter()) {
            match message {
                Message::Text(text) => batch.push_str(&text),
                Message::End => ended = true,
            }
            if ended || batch.len() >= BATCH {
                break;
            }
        }
        if !outbox.is_gone()
            && let Err(error) = stream.write_all(batch.as_bytes())
        {
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
                eprintln!("terrace: connection {connection} does not read its answers, and is cut off");
                hall.with(|inner| inner.cut += 1);
            }
            outbox.cut();
        }
        outbox.written(batch.len());
        hall.unchoke_if_read(connection, outbox);
    }
    stream.end(Shutdown::Write);
    hall.leave(connection);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_whatever_ends_them() {
        let text = b"a\nbb \r\n\n0123456789ab\nc";
        for capacity in 1..30 {
            let mut input = BufReader::with_capacity(capacity, &text[..]);
            let mut said = Vec::new();
            loop {
                let mut line = Vec::new();
                let read = read_line(&mut input, &mut line, 10).unwrap();
                said.push((read, String::from_utf8(line).unwrap()));
                if read == Read::End {
                    break;
                }
            }
            let expected = [
                (Read::Line, "a"),
                (Read::Line, "bb"),
                (Read::Line, ""),
                (Read::TooLong, ""),
                (Read::Line, "c"),
                (Read::End, ""),
            ];
            assert_eq!(said, expected.map(|(read, line)| (read, line.to_owned())), "{capacity}");
        }
    }
}
