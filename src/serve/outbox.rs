//! What is to be written to a connection. Bounded by who fills it: lines of a connection wait while its outbox is full, and who only
//! hears is cut off.

use super::address::Stream;
use crossbeam::channel::{Receiver, Sender, unbounded};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Above so many bytes that a connection has not read, no line of it is carried out.
pub(super) const FULL: usize = 1 << 20;

/// Above so many bytes that who only hears has not read, it is cut off.
pub(super) const CUT: usize = 16 << 20;

#[derive(Debug)]
pub(super) struct Outbox {
    sender: Sender<Message>,
    /// Bytes that are not written.
    pending: AtomicUsize,
    /// Nobody reads any more.
    gone: AtomicBool,
    stream: Stream,
}

#[derive(Debug)]
pub(super) enum Message {
    Text(String),
    /// Nothing comes after this.
    End,
}

impl Outbox {
    pub(super) fn new(stream: Stream) -> (Self, Receiver<Message>) {
        let (sender, receiver) = unbounded();
        (Self { sender, pending: AtomicUsize::new(0), gone: AtomicBool::new(false), stream }, receiver)
    }

    /// Puts in what is to be written; never waits.
    pub(super) fn put(&self, text: String) {
        if text.is_empty() || self.is_gone() {
            return;
        }
        self.pending.fetch_add(text.len(), Ordering::AcqRel);
        let _ = self.sender.send(Message::Text(text)); // the writer may have ended
    }

    /// Nothing more is put in.
    pub(super) fn end(&self) {
        let _ = self.sender.send(Message::End);
    }

    /// So many bytes were written, or will not be.
    pub(super) fn written(&self, bytes: usize) {
        self.pending.fetch_sub(bytes, Ordering::AcqRel);
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.load(Ordering::Acquire)
    }

    pub(super) fn is_full(&self) -> bool {
        self.pending() >= FULL && !self.is_gone()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Ends the connection: what is left is not written.
    pub(super) fn cut(&self) {
        self.gone.store(true, Ordering::Release);
        self.stream.end(Shutdown::Both);
    }

    /// No more lines are read.
    pub(super) fn stop_reading(&self) {
        self.stream.end(Shutdown::Read);
    }
}
