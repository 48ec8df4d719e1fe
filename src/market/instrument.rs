//! An instrument as it stands: its rules, its mark, and what keeps that frozen.

use super::freezing::{FreezeCause, Frozen};
use super::rules::InstrumentSpec;
use crate::airlock::Held;
use crate::controls::Mode;
use crate::number::{Price, Quantity};
use crate::prices::Prices;

/// An instrument and what is known of its prices. What a quiet mark reads and writes comes first, in one cache line.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
#[repr(C, align(64))]
pub struct Instrument {
    /// The mark price at which positions are valued; none until the first, and as long the instrument counts as frozen.
    /// While it is frozen it is the last that lived.
    pub mark: Option<Price>,
    /// When a mark was given last.
    pub(crate) given_ns: u64,
    /// While its rules change: the same under those that go, for accounts that have not gone over yet.
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(crate) before: Option<Box<Self>>,
    /// How often its rules were changed.
    pub(crate) changes: u32,
    /// What keeps the mark frozen.
    pub frozen: Frozen,
    /// By its rules a mark that is given is set at once: it is not computed, grows not old, and passes no airlock.
    #[cfg_attr(feature = "journal", serde(skip))]
    sets_at_once: bool,
    /// What may be done in it.
    pub mode: Mode,
    /// Its rules.
    pub spec: InstrumentSpec,
    /// The last traded price: it liquidates nobody by itself.
    pub last: Option<Price>,
    /// The newest mark that came while it was frozen: taken when it lives.
    pub(crate) awaited: Option<Price>,
    /// The mark that waits in the airlock.
    pub(crate) held: Option<Held>,
    /// In the copy of who learns no verdict, the sequencer's: all marks that may be in force or wait lie between these.
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(crate) bounds: Option<(Price, Price)>,
    /// Its open interest in lots as of the last `time`, where its limits ask for it.
    pub(crate) open_interest: Quantity,
    /// What its index and a computed mark are made of.
    pub(crate) prices: Prices,
}

impl Instrument {
    /// An instrument that has no price yet.
    #[must_use]
    pub fn new(spec: InstrumentSpec) -> Self {
        let prices = Prices::new(&spec.prices, spec.tick);
        // A computed mark waits for its index from the start.
        let frozen = if spec.prices.mark.is_computed() { Frozen(FreezeCause::Index as u8) } else { Frozen::default() };
        Self {
            mark: None,
            given_ns: 0,
            before: None,
            changes: 0,
            frozen,
            sets_at_once: sets_at_once(&spec),
            mode: Mode::Normal,
            spec,
            last: None,
            awaited: None,
            held: None,
            bounds: None,
            prices,
            open_interest: 0,
        }
    }

    /// Whether a mark that is given now is set, and does nothing but move the one that lives.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        let plain = self.sets_at_once && self.lives();
        debug_assert!(!plain || self.held.is_none(), "what is held freezes the mark: a kernel bug");
        plain
    }

    /// The mark, if it lives: there is one, and nothing keeps it frozen. Nothing is liquidated at any other.
    #[must_use]
    #[inline]
    pub fn living_mark(&self) -> Option<Price> {
        if self.frozen.is_empty() { self.mark } else { None }
    }

    /// Whether its mark lives.
    #[must_use]
    #[inline]
    pub fn lives(&self) -> bool {
        self.living_mark().is_some()
    }

    /// From now on it has other rules; accounts go over to them one by one.
    ///
    /// How its prices come about changes for all at once; whether its index froze with that.
    pub(crate) fn change_rules(&mut self, spec: InstrumentSpec, now_ns: u64) -> bool {
        let before = Box::new(Self { before: None, ..self.clone() });
        self.spec = spec;
        self.changes = self.changes.wrapping_add(1);
        let (from, to) = (&before.spec.prices, &self.spec.prices);
        if from.mark.is_computed() && !to.mark.is_computed() {
            self.given_ns = now_ns; // a mark that was computed counts as given now
        }
        let froze = from != to && self.prices.change_rules(from, to, self.spec.tick, now_ns);
        self.sets_at_once = sets_at_once(&self.spec);
        self.before = Some(before);
        froze
    }

    /// The rules that go, while they change.
    #[cfg(feature = "journal")]
    pub(super) fn rules_before(&self) -> Option<&InstrumentSpec> {
        self.before.as_ref().map(|before| &before.spec)
    }

    /// Takes over what was read: what follows from its rules, and those that go if they are being changed.
    #[cfg(feature = "journal")]
    pub(super) fn restore(&mut self, before: Option<InstrumentSpec>) {
        self.sets_at_once = sets_at_once(&self.spec);
        self.prices.restore(&self.spec.prices, self.spec.tick);
        self.before = before.map(|spec| {
            let sets_at_once = sets_at_once(&spec);
            Box::new(Self { before: None, spec, sets_at_once, ..self.clone() })
        });
    }

    /// Takes the open interest down.
    pub(crate) fn set_open_interest(&mut self, lots: Quantity) {
        self.open_interest = lots;
        if let Some(before) = &mut self.before {
            before.open_interest = lots;
        }
    }

    /// What positions are valued by is the same before and after a change of rules.
    #[inline]
    pub(crate) fn carry_over(&mut self) {
        if let Some(before) = &mut self.before {
            (before.mark, before.frozen) = (self.mark, self.frozen);
        }
    }

    /// Of a price and the marks that positions may be valued at next, the one at which a lot is worth most: sizes are
    /// bounded there.
    #[must_use]
    pub(crate) fn dearest(&self, price: Price) -> Price {
        let mut given = self.dearer(self.dearer(price, self.mark), self.awaited);
        if self.held.is_some() || self.bounds.is_some() {
            let (low, high) = self.bounds.unzip();
            let held = self.held.map(|held| held.price);
            given = [held, low, high].into_iter().fold(given, |dearest, price| self.dearer(dearest, price));
        }
        match self.prices.index_bounds().filter(|_| self.spec.prices.mark.is_computed()) {
            None => given,
            Some((low, high)) => self.dearest_between(given, low, high),
        }
    }

    /// As [`Instrument::dearest`], also of all marks that may be computed from an index price, in steps of 10^-8.
    #[must_use]
    pub(crate) fn dearest_with_index(&self, price: i64) -> Price {
        let (low, high) = self.prices.index_bounds().unwrap_or((price, price));
        let (low, high) = (low.min(price), high.max(price));
        self.dearest_between(self.prices.mark_bounds(low, high).0, low, high)
    }

    /// Of the marks that positions may be valued at next under other rules, the one at which a lot is worth most; none
    /// where it has no mark and no index.
    pub(crate) fn dearest_under(&self, spec: &InstrumentSpec, now_ns: u64) -> Option<Price> {
        let mut changed = Self { before: None, ..self.clone() };
        changed.change_rules(spec.clone(), now_ns);
        let low = changed.prices.index_bounds().map(|(low, high)| changed.prices.mark_bounds(low, high).0);
        Some(changed.dearest(changed.mark.or(changed.awaited).or(low)?))
    }

    fn dearest_between(&self, price: Price, low: i64, high: i64) -> Price {
        let (lowest, highest) = self.prices.mark_bounds(low, high);
        self.dearer(self.dearer(price, Some(lowest)), Some(highest))
    }
}

/// See the field of that name.
fn sets_at_once(spec: &InstrumentSpec) -> bool {
    let mark = &spec.prices.mark;
    !mark.is_computed() && mark.stale_after_ns.is_none() && spec.controls.airlock.is_none()
}
