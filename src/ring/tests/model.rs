//! Every order of events, and every value that a weak memory may show, by loom: `scripts/loom`.
//!
//! Loops end because they wait through a [`Bell`], which under loom yields to the other threads.

use crate::ring::{Bell, Full, Reader, Receiver, Sender, Wait, Writer, broadcast, queue};
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use std::sync::Arc;

/// Two words, so that a torn item would show.
type Item = [u64; 2];

fn item(number: u64) -> Item {
    [number, !number]
}

/// Explores everything.
fn explore(test: impl Fn() + Sync + Send + 'static) {
    loom::model(test);
}

/// Explores everything with at most so many preemptions; a thread that blocks or yields is none. What a bound costs
/// stands beside it, in seconds; `LOOM_MAX_PREEMPTIONS` sets another for all.
pub(crate) fn explore_bounded(preemptions: usize, test: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = model.preemption_bound.or(Some(preemptions));
    model.check(test);
}

/// Runs them beside each other. The main thread only joins: an unpark that comes late must not meet a thread that waits
/// for something else, which loom, unlike the standard library, takes for the end of that wait.
pub(crate) fn run(threads: impl IntoIterator<Item = Box<dyn FnOnce()>>) {
    let threads: Vec<_> = threads.into_iter().map(thread::spawn).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

fn both(one: impl FnOnce() + 'static, other: impl FnOnce() + 'static) {
    run([Box::new(one) as Box<dyn FnOnce()>, Box::new(other)]);
}

fn publish(writer: &mut Writer<Item>, room: &Bell, number: u64) {
    while writer.try_publish(item(number)) == Err(Full) {
        room.wait(|| !writer.is_full());
    }
}

/// Reads as far as `end`, releasing item by item.
fn read_to(reader: &mut Reader<Item>, end: u64, here: &Bell, room: &Bell) {
    while reader.place() < end {
        here.wait(|| reader.peek().is_some());
        assert_eq!(reader.peek(), Some(&item(reader.place())));
        reader.advance();
        reader.release();
        room.ring();
    }
}

fn bells(wait: Wait) -> (Bell, Bell) {
    (Bell::new(wait), Bell::new(wait))
}

/// More items than slots: wrap-around and back-pressure.
fn one_reader(wait: Wait, items: u64) {
    let (mut writer, mut readers) = broadcast(2, 1);
    let mut reader = readers.remove(0);
    let cursor = reader.watch();
    let (here, room) = bells(wait);
    let (to_reader, to_writer) = (here.clone(), room.clone());
    both(
        move || read_to(&mut reader, items, &here, &to_writer),
        move || {
            for number in 0..items {
                publish(&mut writer, &room, number);
                to_reader.ring();
            }
        },
    );
    assert_eq!(cursor.load(), items);
}

#[test]
fn broadcast_to_one_spinning() {
    // 2: 0.4, 3: 3, 4: 16.
    explore_bounded(3, || one_reader(Wait::Spin, 5));
}

#[test]
fn broadcast_to_one_parking() {
    // 2: 0.1, 3: 0.3, 4: 1.5, 5: 7.
    explore_bounded(3, || one_reader(Wait::Park, 3));
}

#[test]
fn broadcast_to_two() {
    // 2: 5, 3: more than 20.
    explore_bounded(2, || {
        let (mut writer, readers) = broadcast(2, 2);
        let room = Bell::new(Wait::Park);
        let mut threads: Vec<Box<dyn FnOnce()>> = Vec::new();
        let mut heres = Vec::new();
        for mut reader in readers {
            let (here, room) = (Bell::new(Wait::Park), room.clone());
            heres.push(here.clone());
            threads.push(Box::new(move || read_to(&mut reader, 3, &here, &room)));
        }
        threads.push(Box::new(move || {
            for number in 0..3 {
                publish(&mut writer, &room, number);
                heres.iter().for_each(Bell::ring);
            }
        }));
        run(threads);
    });
}

/// A reader that has gone on but released nothing still has its items.
#[test]
fn nothing_is_overwritten_before_the_release() {
    explore(|| {
        let (mut writer, mut readers) = broadcast(2, 1);
        let mut reader = readers.remove(0);
        both(
            move || {
                let here = Bell::new(Wait::Spin);
                for number in 0..2 {
                    here.wait(|| reader.peek().is_some());
                    assert_eq!(reader.peek(), Some(&item(number)));
                    reader.advance();
                }
                assert_eq!(reader.peek(), None);
                reader.release();
                here.wait(|| reader.peek().is_some());
                assert_eq!(reader.peek(), Some(&item(2)));
            },
            move || {
                let room = Bell::new(Wait::Spin);
                (0..3).for_each(|number| publish(&mut writer, &room, number));
            },
        );
    });
}

fn push(sender: &mut Sender<Item>, room: &Bell, number: u64) {
    while sender.try_push(item(number)).is_err() {
        room.wait(|| !sender.is_full());
    }
}

/// Pops until the sender is gone; the number of items.
fn pop_all(receiver: &mut Receiver<Item>, here: &Bell, room: &Bell) -> u64 {
    let mut number = 0;
    loop {
        here.wait(|| receiver.peek().is_some() || receiver.is_closed());
        let closed = receiver.is_closed();
        while let Some(found) = receiver.pop() {
            assert_eq!(found, item(number));
            number += 1;
            room.ring();
        }
        if closed {
            return number;
        }
    }
}

/// Wrap-around, and the end of the sender.
fn queue_to_its_end(wait: Wait, items: u64) {
    let (mut sender, mut receiver) = queue(2);
    let (here, room) = bells(wait);
    sender.ring_at_end(&here);
    let (to_receiver, to_sender) = (here.clone(), room.clone());
    both(
        move || {
            for number in 0..items {
                push(&mut sender, &room, number);
                to_receiver.ring();
            }
        },
        move || assert_eq!(pop_all(&mut receiver, &here, &to_sender), items),
    );
}

#[test]
fn queue_to_its_end_spinning() {
    // 3: 0.6, 4: 1.8, 5: 5.
    explore_bounded(4, || queue_to_its_end(Wait::Spin, 3));
}

#[test]
fn queue_to_its_end_parking() {
    // 2: 0.2, 3: 1.5, 4: 12.
    explore_bounded(3, || queue_to_its_end(Wait::Park, 3));
}

/// A sender dies with its work half done, a receiver with items unread, in any order.
#[test]
fn both_ends_of_a_queue_die() {
    for wait in Wait::ALL {
        explore(move || {
            let (mut sender, mut receiver) = queue(2);
            let room = Bell::new(wait);
            receiver.ring_at_end(&room);
            both(
                move || {
                    let first = receiver.pop();
                    assert!(first.is_none() || first == Some(item(0)));
                },
                move || {
                    for number in 0..4 {
                        room.wait(|| !sender.is_full() || sender.is_closed());
                        if sender.try_push(item(number)).is_err() {
                            assert!(sender.is_closed(), "it waited for room or the end");
                            break;
                        }
                    }
                },
            );
        });
    }
}

/// The writer waits for room; the reader dies instead.
#[test]
fn a_dying_reader_ends_the_wait_of_the_writer() {
    for wait in Wait::ALL {
        explore(move || {
            let (mut writer, mut readers) = broadcast(2, 1);
            let room = Bell::new(wait);
            let mut reader = readers.remove(0);
            reader.ring_at_end(&room);
            let cursor = reader.watch();
            both(
                move || {
                    if reader.peek().is_some() {
                        reader.advance();
                        // Never released.
                    }
                },
                move || {
                    for number in 0..2 {
                        writer.try_publish(item(number)).unwrap();
                    }
                    room.wait(|| !writer.is_full() || writer.is_closed());
                    assert!(writer.is_full() && cursor.is_gone());
                    assert_eq!(cursor.load(), 0);
                },
            );
        });
    }
}

/// One of two readers dies with its items unread: the writer goes on, at the pace of the other.
#[test]
fn the_others_go_on() {
    // 2: 0.6, 3: 12.
    explore_bounded(2, || {
        let (mut writer, mut readers) = broadcast(2, 2);
        let (mut dying, mut living) = (readers.remove(0), readers.remove(0));
        let (here, room) = bells(Wait::Park);
        dying.ring_at_end(&room);
        let (to_living, to_writer) = (here.clone(), room.clone());
        let death = move || {
            if let Some(&first) = dying.peek() {
                assert_eq!(first, item(0));
            }
        };
        let life = move || read_to(&mut living, 3, &here, &to_writer);
        let writing = move || {
            for number in 0..3 {
                publish(&mut writer, &room, number);
                to_living.ring();
            }
        };
        run([Box::new(death) as Box<dyn FnOnce()>, Box::new(life), Box::new(writing)]);
    });
}

/// The reader waits for more items; the writer dies instead.
#[test]
fn a_dying_writer_ends_the_wait_of_the_reader() {
    for wait in Wait::ALL {
        explore(move || {
            let (mut writer, mut readers) = broadcast(2, 1);
            let mut reader = readers.remove(0);
            let here = Bell::new(wait);
            writer.ring_at_end(&here);
            both(
                move || assert_eq!(writer.try_publish(item(0)), Ok(0)),
                move || {
                    here.wait(|| reader.is_closed());
                    assert_eq!(reader.peek(), Some(&item(0)));
                    reader.advance();
                    assert_eq!(reader.peek(), None);
                },
            );
        });
    }
}

/// Reports are pushed, then the cursor is released: whoever sees the cursor sees the reports.
#[test]
fn who_sees_the_cursor_sees_the_reports() {
    explore(|| {
        let (mut writer, mut readers) = broadcast(2, 1);
        let (mut reports, mut arriving) = queue(4);
        let mut reader = readers.remove(0);
        let cursor = reader.watch();
        both(
            move || {
                let here = Bell::new(Wait::Spin);
                for _ in 0..2 {
                    here.wait(|| reader.peek().is_some());
                    reports.try_push(*reader.peek().unwrap()).unwrap();
                    reader.advance();
                    reader.release();
                }
            },
            move || {
                for number in 0..2 {
                    writer.try_publish(item(number)).unwrap();
                }
                let seen = cursor.load();
                for number in 0..seen {
                    assert_eq!(arriving.pop(), Some(item(number)));
                }
                Bell::new(Wait::Spin).wait(|| cursor.load() == 2);
                for number in seen..2 {
                    assert_eq!(arriving.pop(), Some(item(number)));
                }
            },
        );
    });
}

/// No wake-up is lost: loom reports a deadlock if a thread sleeps on.
fn no_lost_wake_up(wait: Wait, producers: usize) {
    let bell = Bell::new(wait);
    let mut receivers = Vec::new();
    let mut threads: Vec<Box<dyn FnOnce()>> = Vec::new();
    for producer in 0..producers {
        let (mut sender, receiver) = queue(2);
        receivers.push(receiver);
        let bell = bell.clone();
        threads.push(Box::new(move || {
            sender.try_push(item(producer as u64)).unwrap();
            bell.ring();
        }));
    }
    threads.push(Box::new(move || {
        let mut found = 0;
        while found < producers {
            bell.wait(|| receivers.iter().any(|receiver| receiver.peek().is_some()));
            found += receivers.iter_mut().filter_map(Receiver::pop).count();
        }
    }));
    run(threads);
}

#[test]
fn no_lost_wake_up_from_one() {
    for wait in Wait::ALL {
        explore(move || no_lost_wake_up(wait, 1));
    }
}

#[test]
fn no_lost_wake_up_from_two() {
    for wait in Wait::ALL {
        // 2: 0.2, 3: 1.3, 4: 7.
        explore_bounded(3, move || no_lost_wake_up(wait, 2));
    }
}

/// The end that waits goes on in another thread after its first item: the bell wakes whoever waits now. The first thread
/// has ended by then, or has yet to be woken late, for nothing.
#[test]
fn the_waiting_end_moves_to_another_thread() {
    for wait in Wait::ALL {
        explore_bounded(2, move || {
            let (mut sender, mut receiver) = queue(2);
            let (here, room) = bells(wait);
            let (to_receiver, to_sender) = (here.clone(), room.clone());
            let pushing = thread::spawn(move || {
                for number in 0..2 {
                    push(&mut sender, &room, number);
                    to_receiver.ring();
                }
            });
            let first = thread::spawn(move || {
                pop_one(&mut receiver, 0, &here, &to_sender);
                thread::spawn(move || pop_one(&mut receiver, 1, &here, &to_sender))
            });
            let second = first.join().unwrap();
            second.join().unwrap();
            pushing.join().unwrap();
        });
    }
}

fn pop_one(receiver: &mut Receiver<Item>, number: u64, here: &Bell, room: &Bell) {
    here.wait(|| receiver.peek().is_some());
    assert_eq!(receiver.pop(), Some(item(number)));
    room.ring();
}

/// The bell by itself, over a flag that orders nothing.
#[test]
fn a_bell_alone_is_heard() {
    for wait in Wait::ALL {
        explore(move || {
            let flag = Arc::new(AtomicBool::new(false));
            let bell = Bell::new(wait);
            let (raised, to_waiting) = (Arc::clone(&flag), bell.clone());
            both(
                move || {
                    raised.store(true, Ordering::Relaxed);
                    to_waiting.ring();
                },
                move || bell.wait(|| flag.load(Ordering::Relaxed)),
            );
        });
    }
}
