//! Values over time in a bounded number of buckets: when there are too many, each two become one.

/// The most buckets.
const MOST: usize = 512;

/// The first width of a bucket, in nanoseconds: a millisecond.
const FIRST_WIDTH_NS: u64 = 1_000_000;

/// What a bucket holds.
pub(crate) trait Merge: Default {
    /// Takes in what came later.
    fn merge(&mut self, later: Self);
}

/// Buckets of equal width, from the first tick on.
#[derive(Clone, Debug)]
pub(crate) struct Buckets<T> {
    width_ns: u64,
    values: Vec<T>,
}

impl<T> Default for Buckets<T> {
    fn default() -> Self {
        Self { width_ns: FIRST_WIDTH_NS, values: Vec::new() }
    }
}

impl<T: Merge> Buckets<T> {
    /// The bucket of a moment, in nanoseconds after the first tick.
    pub(crate) fn at(&mut self, elapsed_ns: u64) -> &mut T {
        while elapsed_ns / self.width_ns >= MOST as u64 {
            self.widen();
        }
        let index = (elapsed_ns / self.width_ns) as usize;
        if index >= self.values.len() {
            self.values.resize_with(index + 1, T::default);
        }
        &mut self.values[index]
    }

    /// How long a bucket is, in nanoseconds.
    pub(crate) fn width_ns(&self) -> u64 {
        self.width_ns
    }

    /// The buckets, each with its first moment, in nanoseconds after the first tick.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.values.iter().enumerate().map(|(index, value)| (index as u64 * self.width_ns, value))
    }

    fn widen(&mut self) {
        self.width_ns *= 2;
        let mut pairs = std::mem::take(&mut self.values).into_iter();
        while let Some(mut value) = pairs.next() {
            if let Some(later) = pairs.next() {
                value.merge(later);
            }
            self.values.push(value);
        }
    }
}

/// The first, lowest, highest and last of the values of a bucket, if there were any: no extreme is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extremes<V>(pub(crate) Option<[V; 4]>);

impl<V> Default for Extremes<V> {
    fn default() -> Self {
        Self(None)
    }
}

impl<V: Copy + Ord> Extremes<V> {
    /// Takes in a value that came later.
    pub(crate) fn add(&mut self, value: V) {
        self.merge(Self(Some([value; 4])));
    }
}

impl<V: Copy + Ord> Merge for Extremes<V> {
    fn merge(&mut self, later: Self) {
        *self = match (self.0, later.0) {
            (Some([first, low, high, _]), Some([_, later_low, later_high, last])) => {
                Self(Some([first, low.min(later_low), high.max(later_high), last]))
            }
            (own, later) => Self(own.or(later)),
        };
    }
}

impl<const N: usize> Merge for [u64; N]
where
    Self: Default,
{
    fn merge(&mut self, later: Self) {
        self.iter_mut().zip(later).for_each(|(own, later)| *own += later);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_extreme_and_no_count_is_lost_however_long_it_takes() {
        let (mut prices, mut counts) = (Buckets::<Extremes<i64>>::default(), Buckets::<[u64; 2]>::default());
        for at in 0..100_000u64 {
            let price = if at == 77_777 { -5 } else { (at % 1_000) as i64 };
            prices.at(at * FIRST_WIDTH_NS / 3).add(price);
            counts.at(at * FIRST_WIDTH_NS / 3)[1] += 1;
        }
        assert!(prices.values.len() <= MOST && prices.values.len() > MOST / 4);
        assert_eq!(prices.width_ns(), counts.width_ns());
        let bounds: Vec<[i64; 4]> = prices.iter().filter_map(|(_, bucket)| bucket.0).collect();
        assert_eq!(bounds.iter().map(|[_, low, ..]| *low).min(), Some(-5));
        assert_eq!(bounds.iter().map(|[_, _, high, _]| *high).max(), Some(999));
        assert_eq!((bounds[0][0], bounds[bounds.len() - 1][3]), (0, 999));
        assert_eq!(counts.iter().map(|(_, count)| count[1]).sum::<u64>(), 100_000);
    }

    #[test]
    fn a_moment_far_away_has_a_bucket_too() {
        let mut counts = Buckets::<[u64; 1]>::default();
        counts.at(0)[0] += 1;
        counts.at(u64::MAX)[0] += 1;
        assert!(counts.values.len() <= MOST);
        assert_eq!(counts.iter().map(|(_, count)| count[0]).sum::<u64>(), 2);
    }
}
