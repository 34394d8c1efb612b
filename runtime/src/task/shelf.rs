//! Things by number that any thread may reach, and that are never moved nor freed.

use std::sync::OnceLock;

/// What lies at a number from when it is first asked for, and for ever. It grows by pieces of twice the length.
#[derive(Debug)]
pub(super) struct Shelf<T, const PIECES: usize>([OnceLock<Box<[T]>>; PIECES]);

impl<T, const PIECES: usize> Shelf<T, PIECES> {
    pub(super) const fn new() -> Shelf<T, PIECES> {
        Shelf([const { OnceLock::new() }; PIECES])
    }

    /// What lies at that number, of which the shelf has [pieces](pieces_for). All those that lie in the same piece are
    /// made with it.
    pub(super) fn get(&self, number: u32, make: impl Fn() -> T) -> &T {
        let nth = number + 1; // from 1: a piece begins where there is one more bit
        let piece = nth.ilog2();
        let length = 1 << piece;
        let piece = self.0[piece as usize].get_or_init(|| (0..length).map(|_| make()).collect());
        &piece[(nth - length) as usize]
    }
}

/// How many pieces a shelf has whose last number is that.
pub(super) const fn pieces_for(last: u32) -> usize {
    (last + 1).ilog2() as usize + 1
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn each_number_has_a_thing_of_its_own_and_keeps_it() {
        let shelf: Shelf<AtomicU32, { pieces_for(254) }> = Shelf::new();
        for number in 0..255 {
            shelf.get(number, AtomicU32::default).store(number, Relaxed);
        }
        for number in 0..255 {
            assert_eq!(shelf.get(number, || unreachable!("it is there")).load(Relaxed), number);
        }
    }

    #[test]
    fn memory_is_taken_for_the_piece_that_is_asked_for() {
        let (shelf, made): (Shelf<(), { pieces_for(1 << 20) }>, _) = (Shelf::new(), Cell::new(0));
        let get = |number| {
            shelf.get(number, || made.set(made.get() + 1));
            made.get()
        };
        assert_eq!([0, 1, 2, 3].map(get), [1, 3, 3, 7]);
        assert_eq!(get(1_000), 7 + 512, "the pieces between are left out");
    }
}
