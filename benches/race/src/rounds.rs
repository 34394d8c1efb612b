//! Who is measured when, and what many measurements come to.
//!
//! A round takes each contestant once, in turn with the floor: floor, A, floor, B, floor. So each has the floor's own figure
//! from just before and just after it, and its ratio to their mean leaves out what the machine did meanwhile. The order of
//! the contestants is turned from round to round, since a neighbour can leave a cache or a kernel's queue behind.

use serde::Serialize;

/// Many measurements of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// The middle one.
    pub(crate) median: f64,
    /// The first quartile.
    pub(crate) low: f64,
    /// The third quartile.
    pub(crate) high: f64,
    /// How many there were.
    pub(crate) runs: usize,
}

impl Spread {
    /// Of these; none of no value.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (median, low, high) = (quantile(&sorted, 0.5)?, quantile(&sorted, 0.25)?, quantile(&sorted, 0.75)?);
        Some(Self { median, low, high, runs: sorted.len() })
    }

    /// One value that needs no second, as a count that repeats exactly.
    pub(crate) fn exact(value: f64) -> Self {
        Self { median: value, low: value, high: value, runs: 1 }
    }

    /// How far apart the quartiles are, as a share of the median.
    pub(crate) fn relative(&self) -> f64 {
        if self.median == 0.0 { 0.0 } else { (self.high - self.low) / self.median.abs() }
    }
}

/// The value below which this share of the sorted ones lies, between two neighbours as far as it falls between them.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    #[allow(clippy::cast_precision_loss, reason = "rounds are few")]
    let place = share * (sorted.len().checked_sub(1)?) as f64;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies within the slice")]
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (place - place.floor()))
}

/// Who has a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The one whom the others are compared with.
    Floor,
    /// A contestant, by index.
    Contestant(usize),
}

/// The slots of one round: floor, A, floor, B, floor.
pub(crate) fn order(contestants: usize, round: usize) -> Vec<Slot> {
    let mut slots = vec![Slot::Floor];
    for place in 0..contestants {
        slots.push(Slot::Contestant((place + round) % contestants));
        slots.push(Slot::Floor);
    }
    slots
}

/// Each contestant's figure over the mean of the floor's just before and just after, from slots as [`order`] gives them. A
/// slot without a figure gives no ratio, nor does one without any floor beside it.
pub(crate) fn ratios_to_floor(slots: &[(Slot, Option<f64>)]) -> Vec<(usize, f64)> {
    let mut ratios = Vec::new();
    for (place, (slot, figure)) in slots.iter().enumerate() {
        let (Slot::Contestant(index), Some(figure)) = (slot, figure) else { continue };
        let before = slots[..place].iter().rev().find(|(slot, _)| *slot == Slot::Floor).and_then(|(_, floor)| *floor);
        let after = slots[place + 1..].iter().find(|(slot, _)| *slot == Slot::Floor).and_then(|(_, floor)| *floor);
        let floor = match (before, after) {
            (Some(before), Some(after)) => f64::midpoint(before, after),
            (Some(floor), None) | (None, Some(floor)) => floor,
            (None, None) => continue,
        };
        ratios.push((*index, figure / floor));
    }
    ratios
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> (f64, f64, f64) {
        let spread = Spread::of(values).unwrap();
        (spread.low, spread.median, spread.high)
    }

    #[test]
    fn median_and_quartiles_lie_between_neighbours() {
        assert_eq!(of(&[3.0]), (3.0, 3.0, 3.0));
        assert_eq!(of(&[4.0, 1.0, 3.0, 2.0]), (1.75, 2.5, 3.25));
        assert_eq!(of(&[5.0, 1.0, 4.0, 2.0, 3.0]), (2.0, 3.0, 4.0));
    }

    #[test]
    fn of_nothing_there_is_no_median() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[f64::NAN, f64::INFINITY]), None);
        assert_eq!(of(&[f64::NAN, 2.0]), (2.0, 2.0, 2.0));
    }

    #[test]
    fn spread_is_a_share_of_the_median() {
        let relative = Spread::of(&[90.0, 100.0, 110.0]).unwrap().relative();
        assert!((relative - 0.1).abs() < 1e-9, "{relative}");
        assert!(Spread::exact(0.0).relative().abs() < 1e-9);
    }

    #[test]
    fn floor_is_before_and_after_each_contestant_in_every_round() {
        use Slot::{Contestant, Floor};
        assert_eq!(order(0, 0), [Floor]);
        assert_eq!(order(2, 0), [Floor, Contestant(0), Floor, Contestant(1), Floor]);
        assert_eq!(order(2, 1), [Floor, Contestant(1), Floor, Contestant(0), Floor]);
        assert_eq!(order(2, 2), order(2, 0));
    }

    #[test]
    fn ratios_are_to_the_mean_of_both_neighbouring_floors() {
        let slots = [
            (Slot::Floor, Some(10.0)),
            (Slot::Contestant(0), Some(15.0)),
            (Slot::Floor, Some(20.0)),
            (Slot::Contestant(1), Some(40.0)),
            (Slot::Floor, None),
        ];
        assert_eq!(ratios_to_floor(&slots), [(0, 1.0), (1, 2.0)]);
    }

    #[test]
    fn a_slot_without_figures_or_floors_has_no_ratio() {
        let slots = [(Slot::Floor, None), (Slot::Contestant(0), Some(15.0)), (Slot::Floor, None)];
        assert_eq!(ratios_to_floor(&slots), []);
        let slots = [(Slot::Floor, Some(1.0)), (Slot::Contestant(0), None), (Slot::Floor, Some(1.0))];
        assert_eq!(ratios_to_floor(&slots), []);
    }
}
