//! One producer, one consumer: a broadcast to a single reader, which takes items out one by one.

use super::broadcast::{Reader, Writer, broadcast};
use super::wait::Bell;
use std::collections::VecDeque;

/// The end that pushes.
#[derive(Debug)]
pub struct Sender<T: Copy>(Writer<T>);

/// The end that pops.
#[derive(Debug)]
pub struct Receiver<T: Copy>(Reader<T>);

/// A queue of at most so many items.
///
/// # Panics
///
/// If the capacity is not a power of two of at least 2.
pub fn queue<T: Copy>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (writer, mut readers) = broadcast(capacity, 1);
    (Sender(writer), Receiver(readers.remove(0)))
}

impl<T: Copy> Sender<T> {
    /// Adds an item at the end; never waits.
    ///
    /// # Errors
    ///
    /// With the item, if the queue is full. So it stays if the receiver is gone.
    #[inline]
    pub fn try_push(&mut self, item: T) -> Result<(), T> {
        self.0.try_publish(item).map(|_| ()).map_err(|_| item)
    }

    /// Adds items from the front of a list as far as there is room; whether that took all.
    #[inline]
    pub fn push_from(&mut self, items: &mut VecDeque<T>) -> bool {
        while let Some(&next) = items.front() {
            if self.try_push(next).is_err() {
                return false;
            }
            items.pop_front();
        }
        true
    }

    /// Would the next item have to wait for the receiver?
    #[inline]
    pub fn is_full(&mut self) -> bool {
        self.0.is_full()
    }

    /// Is the receiver gone?
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Has the bell of one who waits for this end rung when it is dropped.
    pub fn ring_at_end(&mut self, bell: &Bell) {
        self.0.ring_at_end(bell);
    }
}

impl<T: Copy> Receiver<T> {
    /// Takes the first item out.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        let item = *self.0.peek()?;
        self.0.advance();
        self.0.release();
        Some(item)
    }

    /// The first item, where it lies.
    #[inline]
    pub fn peek(&self) -> Option<&T> {
        self.0.peek()
    }

    /// Is the sender gone? What it pushed before can still be popped: there is no more when this was true and afterwards
    /// nothing is found.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Has the bell of one who waits for this end rung when it is dropped.
    pub fn ring_at_end(&mut self, bell: &Bell) {
        self.0.ring_at_end(bell);
    }
}
