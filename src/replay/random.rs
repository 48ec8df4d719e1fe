//! Draws from integer tables: the same on every machine.

/// `SplitMix64` (Steele, Lea, Flood 2014): a counter and a mixing function, which is all that a population needs.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

/// The odd constant of `SplitMix64`: 2^64 over the golden ratio.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Random {
    /// The stream `number` of a seed. An account's draws depend on nothing but the seed and its number.
    pub(crate) fn stream(seed: u64, number: u64) -> Self {
        let mut seeds = Self(seed);
        let base = seeds.next();
        let mut mixed = Self(base ^ number.wrapping_mul(STEP));
        Self(mixed.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below `bound`; 0 if `bound` is 0. Uneven by less than one part in 2^64 / `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(bound);
        (wide >> 64) as u64 // below `bound` by construction
    }

    /// A number from `low` to below `high`; `low` if the range is empty.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low))
    }

    /// One of the values of a table, each as often as its weight says.
    pub(crate) fn pick<T: Copy>(&mut self, table: &[(T, u32)]) -> Option<T> {
        let total: u64 = table.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut rest = self.below(total);
        for (value, weight) in table {
            match rest.checked_sub(u64::from(*weight)) {
                Some(left) => rest = left,
                None => return Some(*value),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_splitmix64() {
        // The first outputs of the published generator for the seed 1234567.
        let mut random = Random(1_234_567);
        assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn picks_by_weight() {
        let mut random = Random::stream(7, 1);
        let mut counts = [0u32; 3];
        for _ in 0..10_000 {
            counts[random.pick(&[(0usize, 1), (1, 0), (2, 3)]).unwrap()] += 1;
        }
        assert!((2_300..2_700).contains(&counts[0]) && counts[1] == 0, "{counts:?}");
        assert_eq!(random.pick::<u8>(&[]), None);
        assert_eq!(random.between(5, 5), 5);
    }
}
