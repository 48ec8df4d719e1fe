//! The standard library's threads. Run with Miri (`scripts/miri`) and ThreadSanitizer (`scripts/tsan`) too.

use crate::ring::{Bell, Full, Reader, UnknownWait, Wait, Writer, broadcast, queue};
use std::thread;

/// Miri is some thousand times slower.
const MANY: u64 = if cfg!(miri) { 40 } else { 1_000_000 };
const CAPACITY: usize = if cfg!(miri) { 4 } else { 1 << 12 };

/// Larger than a cache line, and torn if its words differ.
type Item = [u64; 12];

fn item(number: u64) -> Item {
    std::array::from_fn(|word| number.wrapping_mul(word as u64 + 1))
}

fn publish_when_there_is_room(writer: &mut Writer<Item>, room: &Bell, item: Item) {
    loop {
        match writer.try_publish(item) {
            Ok(_) => return,
            Err(Full) => room.wait(|| !writer.is_full()),
        }
    }
}

/// Reads `count` items, releasing in batches; the number of batches.
fn read_all(mut reader: Reader<Item>, count: u64, here: &Bell, room: &Bell) -> u64 {
    let mut batches = 0;
    while reader.place() < count {
        here.wait(|| reader.peek().is_some());
        while let Some(&found) = reader.peek() {
            assert_eq!(found, item(reader.place()));
            reader.advance();
        }
        reader.release();
        room.ring();
        batches += 1;
    }
    batches
}

/// A million items through three readers.
fn everything_reaches_everybody(wait: Wait) {
    let (mut writer, readers) = broadcast(CAPACITY, 3);
    let cursors: Vec<_> = readers.iter().map(Reader::watch).collect();
    let room = Bell::new(wait);
    thread::scope(|scope| {
        let mut bells = Vec::new();
        for reader in readers {
            let here = Bell::new(wait);
            bells.push(here.clone());
            let room = &room;
            scope.spawn(move || read_all(reader, MANY, &here, room));
        }
        for number in 0..MANY {
            publish_when_there_is_room(&mut writer, &room, item(number));
            bells.iter().for_each(Bell::ring);
        }
    });
    assert_eq!(writer.place(), MANY);
    for cursor in cursors {
        assert!(cursor.is_gone());
        assert_eq!(cursor.load(), MANY);
    }
}

#[test]
fn everything_reaches_everybody_spinning() {
    everything_reaches_everybody(Wait::Spin);
}

#[test]
fn everything_reaches_everybody_yielding() {
    everything_reaches_everybody(Wait::Yield);
}

#[test]
fn everything_reaches_everybody_parking() {
    everything_reaches_everybody(Wait::Park);
}

/// A queue passes everything in order, and the end of its sender ends it.
fn queue_passes_everything(wait: Wait) {
    let (mut sender, mut receiver) = queue(CAPACITY);
    let (here, room) = (Bell::new(wait), Bell::new(wait));
    sender.ring_at_end(&here);
    thread::scope(|scope| {
        let (to_here, for_room) = (here.clone(), room.clone());
        scope.spawn(move || {
            for number in 0..MANY {
                while sender.try_push(item(number)).is_err() {
                    for_room.wait(|| !sender.is_full());
                }
                to_here.ring();
            }
        });
        let mut number = 0;
        loop {
            here.wait(|| receiver.peek().is_some() || receiver.is_closed());
            // Asked first: what was pushed before the end is still there.
            let closed = receiver.is_closed();
            while let Some(found) = receiver.pop() {
                assert_eq!(found, item(number));
                number += 1;
                room.ring();
            }
            if closed {
                break;
            }
        }
        assert_eq!(number, MANY);
    });
}

#[test]
fn queue_passes_everything_spinning() {
    queue_passes_everything(Wait::Spin);
}

#[test]
fn queue_passes_everything_yielding() {
    queue_passes_everything(Wait::Yield);
}

#[test]
fn queue_passes_everything_parking() {
    queue_passes_everything(Wait::Park);
}

/// The writer stops at a reader that releases nothing, though it goes on reading, and at no other.
#[test]
fn a_slow_reader_stops_the_writer_and_loses_nothing() {
    for wait in Wait::ALL {
        let (mut writer, mut readers) = broadcast(4, 2);
        let (mut slow, fast) = (readers.remove(0), readers.remove(0));
        let (room, here) = (Bell::new(wait), Bell::new(wait));
        let fast_place = fast.watch();
        thread::scope(|scope| {
            let (to_fast, for_room, for_fast) = (here.clone(), room.clone(), room.clone());
            scope.spawn(move || {
                for number in 0..12 {
                    publish_when_there_is_room(&mut writer, &for_room, item(number));
                    to_fast.ring();
                }
            });
            scope.spawn(move || read_all(fast, 12, &here, &for_fast));
            for lap in 1..=3 {
                // Nobody rings this thread.
                let nobody = Bell::new(Wait::Yield);
                nobody.wait(|| fast_place.load() == 4 * lap);
                for number in 4 * (lap - 1)..4 * lap {
                    assert_eq!(slow.peek(), Some(&item(number)));
                    slow.advance();
                }
                assert_eq!(slow.peek(), None, "nothing is overwritten or added before the release");
                assert_eq!(fast_place.load(), 4 * lap);
                slow.release();
                room.ring();
            }
        });
    }
}

#[test]
fn places_and_cursors() {
    let (mut writer, mut readers) = broadcast(2, 2);
    assert_eq!((writer.try_publish(10), writer.try_publish(11), writer.try_publish(12)), (Ok(0), Ok(1), Err(Full)));
    let cursor = readers[0].watch();
    assert_eq!(readers[0].peek(), Some(&10));
    readers[0].advance();
    assert_eq!((readers[0].place(), cursor.load(), writer.is_full()), (1, 0, true));
    readers[0].release();
    assert_eq!((cursor.load(), writer.slowest(), writer.is_full()), (1, 0, true), "the other has released nothing");
    // The other dies: it holds nothing back, and what it has not released stays unreleased.
    let other = readers.remove(1);
    let other_cursor = other.watch();
    drop(other);
    assert_eq!((other_cursor.is_gone(), other_cursor.load(), cursor.is_gone()), (true, 0, false));
    assert_eq!((writer.try_publish(12), writer.try_publish(13)), (Ok(2), Err(Full)));
    let mut reader = readers.remove(0);
    drop(writer);
    assert!(reader.is_closed());
    for number in [11, 12] {
        assert_eq!(reader.peek(), Some(&number));
        reader.advance();
    }
    assert_eq!(reader.peek(), None);
}

#[test]
fn where_nobody_reads_the_ring_stays_full() {
    let (mut writer, readers) = broadcast(2, 2);
    assert!(!writer.is_closed());
    drop(readers);
    assert!(writer.is_closed());
    assert_eq!([(); 4].map(|()| writer.try_publish(0)), [Ok(0), Ok(1), Err(Full), Err(Full)]);
    let (mut sender, receiver) = queue(2);
    drop(receiver);
    assert!(sender.is_closed());
    assert_eq!([1, 2, 3].map(|number| sender.try_push(number)), [Ok(()), Ok(()), Err(3)]);
}

#[test]
#[should_panic(expected = "may not go beyond")]
fn a_reader_cannot_go_beyond_the_writer() {
    let (_writer, mut readers) = broadcast::<u64>(2, 1);
    readers[0].advance();
}

#[test]
fn a_capacity_is_a_power_of_two() {
    for capacity in [0, 1, 3, 6, 100] {
        let refused = std::panic::catch_unwind(|| broadcast::<u64>(capacity, 1).0.place());
        assert!(refused.is_err(), "{capacity}");
    }
}

/// A thread that panics with an end in its hands wakes whoever waits for it.
#[test]
fn a_panic_is_noticed() {
    for wait in Wait::ALL {
        let (mut sender, receiver) = queue::<u64>(2);
        let bell = Bell::new(wait);
        sender.ring_at_end(&bell);
        thread::scope(|scope| {
            let dying = scope.spawn(move || {
                sender.try_push(1).unwrap();
                std::panic::resume_unwind(Box::new("dies here"));
            });
            bell.wait(|| receiver.is_closed());
            assert_eq!(receiver.peek(), Some(&1));
            assert!(dying.join().is_err());
        });
    }
}

#[test]
fn waits_have_names() {
    for wait in Wait::ALL {
        assert_eq!(wait.to_string().parse(), Ok(wait));
    }
    assert_eq!("Spin".parse::<Wait>(), Err(UnknownWait));
}
