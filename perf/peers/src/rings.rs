//! Rings between two pinned threads, both spinning: how long a thing takes there and back, and how many a second go one way.

use crate::report::Row;
use core_affinity::CoreId;
use crossbeam::queue::ArrayQueue;
use crossbeam::utils::CachePadded;
use disruptor::{BusySpin, EventPoller, Polling, Producer, SingleProducerBarrier, build_single_producer};
use hdrhistogram::Histogram;
use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;
use terrace::ring_parts::{broadcast, queue};

/// What goes through: 56 bytes, which with a sequence number fill a cache line.
type Item = [u64; 7];

/// Of every ring.
const SLOTS: usize = 1_024;

const WARM_UP: u64 = 5_000;

fn item(number: u64) -> Item {
    [number; 7]
}

/// Every word is looked at, by all alike.
fn check(item: &Item, number: u64) {
    assert!(item.iter().all(|&word| word == number), "an item arrived torn or out of turn");
}

/// The end that sends; false: there is no room.
trait Send56: Send {
    fn send(&mut self, number: u64) -> bool;
}

/// The end that receives: calls back with what there is, in the way that suits the ring; how many there were.
trait Receive56: Send {
    fn receive(&mut self, each: impl FnMut(&Item)) -> u64;
}

/// Terrace's way from the sequencer to its workers.
impl Send56 for terrace::ring_parts::Writer<Item> {
    fn send(&mut self, number: u64) -> bool {
        self.try_publish(item(number)).is_ok()
    }
}

impl Receive56 for terrace::ring_parts::Reader<Item> {
    fn receive(&mut self, mut each: impl FnMut(&Item)) -> u64 {
        let mut count = 0;
        while let Some(item) = self.peek() {
            each(item);
            self.advance();
            count += 1;
            if count == SLOTS as u64 / 8 {
                break; // room for the writer in time
            }
        }
        if count > 0 {
            self.release();
        }
        count
    }
}

/// Terrace's way back.
impl Send56 for terrace::ring_parts::Sender<Item> {
    fn send(&mut self, number: u64) -> bool {
        self.try_push(item(number)).is_ok()
    }
}

impl Receive56 for terrace::ring_parts::Receiver<Item> {
    fn receive(&mut self, mut each: impl FnMut(&Item)) -> u64 {
        self.pop().map_or(0, |item| {
            each(&item);
            1
        })
    }
}

impl Send56 for rtrb::Producer<Item> {
    fn send(&mut self, number: u64) -> bool {
        self.push(item(number)).is_ok()
    }
}

impl Receive56 for rtrb::Consumer<Item> {
    fn receive(&mut self, mut each: impl FnMut(&Item)) -> u64 {
        self.pop().map_or(0, |item| {
            each(&item);
            1
        })
    }
}

impl Send56 for Arc<ArrayQueue<Item>> {
    fn send(&mut self, number: u64) -> bool {
        self.push(item(number)).is_ok()
    }
}

impl Receive56 for Arc<ArrayQueue<Item>> {
    fn receive(&mut self, mut each: impl FnMut(&Item)) -> u64 {
        self.pop().map_or(0, |item| {
            each(&item);
            1
        })
    }
}

impl Send56 for crossbeam::channel::Sender<Item> {
    fn send(&mut self, number: u64) -> bool {
        self.try_send(item(number)).is_ok()
    }
}

impl Receive56 for crossbeam::channel::Receiver<Item> {
    fn receive(&mut self, mut each: impl FnMut(&Item)) -> u64 {
        self.try_recv().map_or(0, |item| {
            each(&item);
            1
        })
    }
}

struct Disruptor<P>(P);

impl<P: Producer<Item> + Send> Send56 for Disruptor<P> {
    fn send(&mut self, number: u64) -> bool {
        self.0.try_publish(|slot| *slot = item(number)).is_ok()
    }
}

impl Receive56 for EventPoller<Item, SingleProducerBarrier> {
    fn receive(&mut self, mut each: impl FnMut(&Item)) -> u64 {
        match self.poll() {
            Ok(mut events) => {
                let mut count = 0;
                for event in &mut events {
                    each(event);
                    count += 1;
                }
                count
            }
            Err(Polling::NoEvents | Polling::Shutdown) => 0,
        }
    }
}

/// A bare cache line there and another back: what the machine gives at best.
struct BareEnd(Arc<CachePadded<AtomicU64>>, u64);

impl Send56 for BareEnd {
    fn send(&mut self, number: u64) -> bool {
        self.0.store(number + 1, Ordering::Release);
        true
    }
}

impl Receive56 for BareEnd {
    fn receive(&mut self, mut each: impl FnMut(&Item)) -> u64 {
        let there = self.0.load(Ordering::Acquire);
        if there == self.1 {
            return 0;
        }
        self.1 = there;
        each(&item(there - 1));
        1
    }
}

fn pin(core: CoreId) {
    assert!(core_affinity::set_for_current(core), "this thread cannot be pinned to core {}", core.id);
}

/// Trips there and back, each timed: the median, in nanoseconds.
fn round_trip(
    [near, far]: [CoreId; 2],
    trips: u64,
    (mut there, mut far_end): (impl Send56, impl Receive56),
    (mut back, mut near_end): (impl Send56, impl Receive56),
) -> f64 {
    let all = WARM_UP + trips;
    let mut times = Histogram::<u64>::new_with_bounds(1, 1_000_000_000, 3).expect("valid bounds");
    thread::scope(|scope| {
        scope.spawn(move || {
            pin(far);
            let mut number = 0;
            while number < all {
                far_end.receive(|item| {
                    check(item, number);
                    assert!(back.send(number), "there is room for one");
                    number += 1;
                });
                spin_loop();
            }
        });
        pin(near);
        let mut before = Instant::now();
        for number in 0..all {
            assert!(there.send(number), "there is room for one");
            while near_end.receive(|item| check(item, number)) == 0 {
                spin_loop();
            }
            let now = Instant::now();
            if number >= WARM_UP {
                times.saturating_record((now - before).as_nanos() as u64);
            }
            before = now;
        }
    });
    times.value_at_quantile(0.5) as f64
}

/// Items one way: nanoseconds for each.
fn one_way([near, far]: [CoreId; 2], items: u64, (mut there, mut end): (impl Send56, impl Receive56)) -> f64 {
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            pin(far);
            let mut number = 0;
            while number < items {
                let got = end.receive(|item| {
                    check(item, number);
                    number += 1;
                });
                if got == 0 {
                    spin_loop();
                }
            }
            Instant::now()
        });
        pin(near);
        let start = Instant::now();
        for number in 0..items {
            while !there.send(number) {
                spin_loop();
            }
        }
        let end = reader.join().expect("the reader ends");
        (end - start).as_nanos() as f64 / items as f64
    })
}

fn of_broadcast() -> (impl Send56, impl Receive56) {
    let (writer, mut readers) = broadcast::<Item>(SLOTS, 1);
    (writer, readers.remove(0))
}

fn of_array() -> (impl Send56, impl Receive56) {
    let queue = Arc::new(ArrayQueue::new(SLOTS));
    (Arc::clone(&queue), queue)
}

fn of_disruptor() -> (impl Send56, impl Receive56) {
    let builder = build_single_producer(SLOTS, || item(0), BusySpin);
    let (poller, builder) = builder.new_event_poller();
    (Disruptor(builder.build()), poller)
}

fn of_line() -> (impl Send56, impl Receive56) {
    let line = Arc::new(CachePadded::new(AtomicU64::new(0)));
    (BareEnd(Arc::clone(&line), 0), BareEnd(line, 0))
}

const NAMES: [&str; 7] = [
    "Terrace (broadcast, back by queue)",
    "Terrace (queue)",
    "bare cache lines",
    "rtrb",
    "disruptor",
    "crossbeam ArrayQueue",
    "crossbeam channel",
];

/// All rings in turn, round by round.
pub fn race(rounds: usize, trips: u64, items: u64) -> Vec<Row> {
    let cores = match core_affinity::get_core_ids().as_deref() {
        Some(&[near, far, ..]) => [near, far],
        _ => {
            eprintln!("rings: two cores are needed");
            return Vec::new();
        }
    };
    let (mut trips_ns, mut items_ns) = ([const { Vec::new() }; NAMES.len()], [const { Vec::new() }; NAMES.len()]);
    for _ in 0..rounds {
        let own = [
            round_trip(cores, trips, of_broadcast(), queue(SLOTS)),
            round_trip(cores, trips, queue(SLOTS), queue(SLOTS)),
            round_trip(cores, trips, of_line(), of_line()),
            round_trip(cores, trips, rtrb::RingBuffer::new(SLOTS), rtrb::RingBuffer::new(SLOTS)),
            round_trip(cores, trips, of_disruptor(), of_disruptor()),
            round_trip(cores, trips, of_array(), of_array()),
            round_trip(cores, trips, crossbeam::channel::bounded(SLOTS), crossbeam::channel::bounded(SLOTS)),
        ];
        trips_ns.iter_mut().zip(own).for_each(|(all, own)| all.push(own));
        let own = [
            one_way(cores, items, of_broadcast()),
            one_way(cores, items, queue(SLOTS)),
            f64::NAN, // a bare line holds one item
            one_way(cores, items, rtrb::RingBuffer::new(SLOTS)),
            one_way(cores, items, of_disruptor()),
            one_way(cores, items, of_array()),
            one_way(cores, items, crossbeam::channel::bounded(SLOTS)),
        ];
        items_ns.iter_mut().zip(own).for_each(|(all, own)| all.push(own));
    }
    let mut rows = Vec::new();
    for (what, all) in [("round trip, p50", &trips_ns), ("one way, an item", &items_ns)] {
        for (index, (name, own)) in NAMES.iter().zip(all).enumerate().filter(|(_, (_, own))| !own[0].is_nan()) {
            let reference = (index > 0).then_some(&all[0][..]);
            rows.push(Row::of("rings", format!("{what}: {name}"), "ns", own, reference));
        }
    }
    rows
}
