//! The insurance funds over time.

use crate::kernel::{FundView, Kernel};
use crate::market::FundId;

/// The first distance between two points, in nanoseconds of input time. It doubles when there are too many.
const FIRST_INTERVAL_NS: u64 = 1_000_000_000;

/// The most points kept.
const MAX_POINTS: usize = 128;

/// A fund at a moment; amounts in quanta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FundPoint {
    /// Nanoseconds after the first tick.
    pub elapsed_ns: u64,
    /// Cash.
    pub balance: i128,
    /// Cash and the unrealised result of the inventory.
    pub equity: i128,
    /// `Σ |V(q, mark)|` of the inventory.
    pub inventory: i128,
}

/// A fund over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FundTrack {
    /// Its name.
    pub name: String,
    /// Before the first tick.
    pub start: FundPoint,
    /// In order of time, evenly spaced but for the last.
    pub points: Vec<FundPoint>,
    /// The lowest equity at any input that led to events, or at any point.
    pub lowest: FundPoint,
}

/// Keeps the tracks of all funds.
#[derive(Debug)]
pub(super) struct FundTracker {
    tracks: Vec<FundTrack>,
    interval_ns: u64,
    next_ns: u64,
}

impl FundTracker {
    pub(super) fn new(kernel: &Kernel) -> Self {
        let mut tracker = Self { tracks: Vec::new(), interval_ns: FIRST_INTERVAL_NS, next_ns: 0 };
        for (spec, point) in kernel.market().funds.iter().zip(points(kernel, 0)) {
            tracker.tracks.push(FundTrack { name: spec.name.clone(), start: point, points: Vec::new(), lowest: point });
        }
        tracker
    }

    /// Looks at the funds after a tick; `eventful` if anything happened.
    pub(super) fn look(&mut self, kernel: &Kernel, elapsed_ns: u64, eventful: bool) {
        let due = elapsed_ns >= self.next_ns;
        if !due && !eventful {
            return;
        }
        for (at, point) in points(kernel, elapsed_ns).into_iter().enumerate() {
            let track = &mut self.tracks[at];
            if point.equity < track.lowest.equity {
                track.lowest = point;
            }
            if due {
                track.points.push(point);
            }
        }
        if due {
            self.thin_out();
            self.next_ns = (elapsed_ns / self.interval_ns + 1).saturating_mul(self.interval_ns);
        }
    }

    /// The tracks, up to this moment.
    pub(super) fn finish(mut self, kernel: &Kernel, elapsed_ns: u64) -> Vec<FundTrack> {
        for (at, point) in points(kernel, elapsed_ns).into_iter().enumerate() {
            self.tracks[at].points.retain(|earlier| earlier.elapsed_ns < elapsed_ns);
            self.tracks[at].points.push(point);
        }
        self.tracks
    }

    fn thin_out(&mut self) {
        if self.tracks.first().is_some_and(|track| track.points.len() > MAX_POINTS) {
            self.interval_ns = self.interval_ns.saturating_mul(2);
            for track in &mut self.tracks {
                let mut even = false;
                track.points.retain(|_| {
                    even = !even;
                    even
                });
            }
        }
    }
}

/// Where every fund stands, in their order.
fn points(kernel: &Kernel, elapsed_ns: u64) -> Vec<FundPoint> {
    let funds = 0..kernel.market().funds.len();
    let views = funds.filter_map(|index| kernel.fund(FundId(index as u32)).ok());
    views.map(|view| point(kernel, &view, elapsed_ns)).collect()
}

fn point(kernel: &Kernel, view: &FundView, elapsed_ns: u64) -> FundPoint {
    let value =
        |held: &crate::kernel::InventoryView| held.position.notional(kernel.market().instrument(held.instrument));
    FundPoint {
        elapsed_ns,
        balance: view.balance,
        equity: view.equity,
        inventory: view.inventory.iter().map(value).sum(),
    }
}
