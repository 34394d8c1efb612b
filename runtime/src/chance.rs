//! Chance that can be had again: numbers drawn from a seed.
//!
//! A seed that has found a bug is written into a report and a test, and must mean the same in every build from then on. So
//! the generator is written down here and not a crate's, which may choose another with its next version (`fastrand` has,
//! from 1 to 2): splitmix64, fifteen operations, by Steele, Lea and Flood ("Fast Splittable Pseudorandom Number
//! Generators", OOPSLA 2014), in the form of Vigna's `splitmix64.c` (<https://prng.di.unimi.it/splitmix64.c>). It is good
//! enough to mix an order, and nothing for secrets.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// A sequence of numbers, the same for the same seed.
#[derive(Debug)]
pub(crate) struct Chance {
    state: Cell<u64>,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance { state: Cell::new(seed) }
    }

    /// A sequence that nobody knows beforehand.
    pub(crate) fn unforeseen() -> Chance {
        Chance::new(RandomState::new().hash_one(0)) // whose keys are from the system's source of chance
    }

    /// The next number: each is as likely as any other.
    pub(crate) fn next(&self) -> u64 {
        let state = self.state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.state.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of the numbers below `bound`, which is not zero. Those are not quite equally likely, by one in 2^64 / `bound`
    /// (Lemire, "Fast Random Integer Generation in an Interval", without its second draw).
    pub(crate) fn below(&self, bound: usize) -> usize {
        debug_assert!(bound > 0, "there is no number below zero");
        let product = u128::from(self.next()) * bound as u128;
        usize::try_from(product >> 64).expect("it is below the bound")
    }

    /// `true` in so many of a hundred cases.
    pub(crate) fn happens(&self, percent: u8) -> bool {
        percent > 0 && self.below(100) < usize::from(percent)
    }

    /// A sequence of its own, for one thing among many: what others draw does not move it.
    pub(crate) fn split(&self) -> Chance {
        Chance::new(self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_is_that_of_the_published_generator() {
        // The first five of seed 1234567, as the tests of other implementations have them.
        let chance = Chance::new(1_234_567);
        let drawn = [(); 5].map(|()| chance.next());
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(drawn, published);
    }

    #[test]
    fn each_number_below_a_bound_is_drawn_about_as_often() {
        let chance = Chance::new(7);
        let mut drawn = [0; 6];
        for _ in 0..6_000 {
            drawn[chance.below(6)] += 1;
        }
        assert!(drawn.iter().all(|&times| (900..1_100).contains(&times)), "{drawn:?}");
        assert_eq!(chance.below(1), 0);
    }

    #[test]
    fn what_never_happens_draws_nothing() {
        let (chance, twin) = (Chance::new(1), Chance::new(1));
        assert!(!chance.happens(0));
        assert!(chance.happens(100));
        twin.next();
        assert_eq!(chance.next(), twin.next());
        assert_ne!(Chance::unforeseen().next(), Chance::unforeseen().next());
    }
}
