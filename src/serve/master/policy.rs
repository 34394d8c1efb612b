//! How long a worker's place stays empty once it has died.
//!
//! At first not at all. One that dies again and again costs the machine more than it serves, so the pauses grow; and one
//! that has lived for a while was no such.

use std::time::Duration;

/// Who has lived so long was not stillborn: the next pause is none.
pub(super) const LIVED: Duration = Duration::from_secs(10);

/// The pause after the second of two quick deaths.
const FIRST: Duration = Duration::from_millis(500);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);

/// The pauses of one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pauses {
    /// Quick deaths, one after the other.
    quick: u32,
}

impl Pauses {
    /// A worker has died that has lived so long; how long to wait before the next.
    pub(super) fn after(&mut self, lived: Duration) -> Duration {
        if lived >= LIVED {
            *self = Pauses::default();
            return Duration::ZERO;
        }
        self.quick = self.quick.saturating_add(1);
        match self.quick.checked_sub(2) {
            None => Duration::ZERO,
            Some(doublings) => FIRST.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(LONGEST),
        }
    }

    /// How many have died quickly, one after the other.
    pub(super) fn quick(&self) -> u32 {
        self.quick
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pauses_double_from_half_a_second_to_half_a_minute() {
        let mut pauses = Pauses::default();
        let told: Vec<_> = (0..10).map(|_| pauses.after(Duration::ZERO).as_millis()).collect();
        assert_eq!(told, [0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    }

    proptest! {
        #[test]
        fn who_has_lived_is_replaced_at_once_and_so_is_the_next(lives in prop::collection::vec(0_u64..20, 0..80)) {
            let mut pauses = Pauses::default();
            let mut before = Duration::ZERO;
            let mut quick_before = 0;
            for lived in lives {
                let lived = Duration::from_secs(lived);
                let pause = pauses.after(lived);
                if lived >= LIVED {
                    prop_assert!(pause.is_zero());
                    quick_before = 0;
                } else {
                    prop_assert_eq!(pause.is_zero(), quick_before == 0);
                    prop_assert!(pause <= LONGEST && (quick_before == 0 || pause >= before));
                    quick_before += 1;
                }
                before = pause;
            }
        }

        #[test]
        fn no_number_of_deaths_overflows(quick in any::<u32>()) {
            let pause = Pauses { quick }.after(Duration::ZERO);
            prop_assert!(pause <= LONGEST);
        }
    }
}
