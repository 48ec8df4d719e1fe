//! `GET /metrics` and `GET /health`: as much of HTTP as that takes, one request a connection.

use super::board::Board;
use super::show;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// The longest request that is read.
const MOST: usize = 8 << 10;

/// How long a request may take to come, and an answer to be read.
const WITHIN: Duration = Duration::from_secs(2);

/// Answers at an address until the process ends; the address that it got.
pub(super) fn serve(
    address: SocketAddr,
    board: impl Fn() -> Board + Send + 'static,
) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(address)?;
    let bound = listener.local_addr()?;
    let thread = Builder::new().name("metrics".to_owned()).spawn(move || {
        for stream in listener.incoming() {
            match stream {
                Ok(stream) => drop(answer(stream, &board)), // whoever asked may have gone
                Err(_) => std::thread::sleep(Duration::from_millis(100)), // such as no more files: others must end first
            }
        }
    })?;
    Ok((bound, thread))
}

fn answer(mut stream: TcpStream, board: &impl Fn() -> Board) -> io::Result<()> {
    stream.set_write_timeout(Some(WITHIN))?;
    let request = read_request(&mut stream)?;
    let (status, body) = respond(&request, board);
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

/// Reads a request to the end of its head, or as much of it as may come.
fn read_request(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let (mut request, mut part, until) = (Vec::new(), [0; 1024], Instant::now() + WITHIN);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(request);
        }
        stream.set_read_timeout(Some(left))?;
        let read = match stream.read(&mut part) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => 0,
            read => read?,
        };
        request.extend_from_slice(&part[..read]);
        let is_whole = request.windows(4).any(|end| end == b"\r\n\r\n");
        if read == 0 || is_whole || request.len() > MOST {
            return Ok(request);
        }
    }
}

/// Status and body.
fn respond(request: &[u8], board: &impl Fn() -> Board) -> (&'static str, String) {
    let is_whole = request.len() <= MOST && request.windows(4).any(|end| end == b"\r\n\r\n");
    let line = request.split(|&byte| byte == b'\r').next().and_then(|line| std::str::from_utf8(line).ok());
    let words: Vec<&str> = line.filter(|_| is_whole).map_or_else(Vec::new, |line| line.split(' ').collect());
    let &[method, target, version] = &words[..] else {
        return ("400 Bad Request", "not a request of HTTP\n".to_owned());
    };
    if !version.starts_with("HTTP/1.") {
        return ("400 Bad Request", "not a request of HTTP/1\n".to_owned());
    }
    if method != "GET" {
        return ("405 Method Not Allowed", "only GET is answered\n".to_owned());
    }
    match target.split('?').next() {
        Some("/metrics") => ("200 OK", show::prometheus(&board())),
        Some("/health") => {
            let board = board();
            (if board.ill.is_empty() { "200 OK" } else { "503 Service Unavailable" }, show::health(&board))
        }
        _ => ("404 Not Found", "there are /metrics and /health\n".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_request_is_told_so() {
        let status = |request: &[u8]| respond(request, &Board::default).0;
        assert_eq!(status(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), "200 OK");
        assert_eq!(status(b"GET /health?verbose HTTP/1.0\r\n\r\n"), "200 OK");
        assert_eq!(status(b"GET / HTTP/1.1\r\n\r\n"), "404 Not Found");
        assert_eq!(status(b"POST /metrics HTTP/1.1\r\n\r\n"), "405 Method Not Allowed");
        let long = [b"GET /metrics HTTP/1.1\r\n".to_vec(), vec![b'x'; MOST], b"\r\n\r\n".to_vec()].concat();
        for bad in [
            &b""[..],
            b"GET /metrics HTTP/1.1\r\n",
            b"GET\r\n\r\n",
            b"GET /metrics FTP/1\r\n\r\n",
            b"\xff / HTTP/1.1\r\n\r\n",
            &long,
        ] {
            assert_eq!(status(bad), "400 Bad Request", "{}", String::from_utf8_lossy(bad));
        }
    }
}
