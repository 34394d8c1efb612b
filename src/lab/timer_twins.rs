//! What `timers` measures: three ways to keep timers, and what each asks for one that is set, cancelled and fired.

use evloop::engine::{Key, Timers};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::{Duration, Instant};

/// Deadlines lie within so many milliseconds.
const RANGE: u64 = 10_000;

/// What a loop wants of its timers. They are numbered in the order in which they are set.
trait Twin: Default {
    type Id: Copy;
    fn set(&mut self, deadline: u64, number: u32) -> Self::Id;
    fn cancel(&mut self, id: Self::Id);
    /// Lets time pass until it must look again, and tells how many have fired then; `None` when none is left.
    fn fire_next(&mut self) -> Option<u64>;
}

/// evloop's wheel: a place is computed from the deadline, so neither setting nor cancelling searches for anything.
impl Twin for Timers {
    type Id = Key;
    fn set(&mut self, deadline: u64, _: u32) -> Key {
        self.insert(deadline)
    }
    fn cancel(&mut self, id: Key) {
        drop(Timers::cancel(self, id));
    }
    fn fire_next(&mut self) -> Option<u64> {
        let next = self.until_next()?;
        Some(self.expire(next, &mut Vec::new()).fired)
    }
}

/// std's binary heap. Nothing is taken out of its middle, so what is cancelled is marked, and stays until it is due.
#[derive(Default)]
struct Heap {
    heap: BinaryHeap<Reverse<(u64, u32)>>,
    cancelled: Vec<bool>,
}

impl Twin for Heap {
    type Id = u32;
    fn set(&mut self, deadline: u64, number: u32) -> u32 {
        self.heap.push(Reverse((deadline, number)));
        self.cancelled.push(false);
        number
    }
    fn cancel(&mut self, id: u32) {
        self.cancelled[id as usize] = true;
    }
    fn fire_next(&mut self) -> Option<u64> {
        let Reverse((_, number)) = self.heap.pop()?;
        Some(u64::from(!self.cancelled[number as usize]))
    }
}

/// std's ordered tree, which finds any timer again.
type Tree = BTreeSet<(u64, u32)>;

impl Twin for Tree {
    type Id = (u64, u32);
    fn set(&mut self, deadline: u64, number: u32) -> (u64, u32) {
        self.insert((deadline, number));
        (deadline, number)
    }
    fn cancel(&mut self, id: (u64, u32)) {
        self.remove(&id);
    }
    fn fire_next(&mut self) -> Option<u64> {
        self.pop_first().map(|_| 1)
    }
}

/// Nanoseconds for each that is set, that is cancelled, that fires, and for all of its life on the average.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    pub(super) set: f64,
    pub(super) cancel: f64,
    pub(super) fire: f64,
    pub(super) life: f64,
}

/// What so many timers cost, of which so many of a hundred are cancelled: the wheel, the heap, the tree.
pub(super) fn costs(timers: u32, cancelled_of_100: u32) -> [Cost; 3] {
    [cost::<Timers>, cost::<Heap>, cost::<Tree>].map(|cost| {
        // The best of several is what it costs when nobody disturbs; a million disturb themselves enough.
        let runs = (0..if timers < 1_000_000 { 3 } else { 1 }).map(|_| cost(timers, cancelled_of_100));
        runs.min_by(|a, b| a.life.total_cmp(&b.life)).expect("there was one")
    })
}

fn cost<T: Twin>(timers: u32, cancelled_of_100: u32) -> Cost {
    let mut twin = T::default();
    let mut random = 88_172_645_463_325_252_u64; // Marsaglia's xorshift: the same deadlines in every run
    let began = Instant::now();
    let mut ids = Vec::new();
    for number in 0..timers {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        ids.push(twin.set(1 + random % RANGE, number));
    }
    let (set, began) = (began.elapsed(), Instant::now());
    let mut cancelled = 0;
    for (id, _) in ids.into_iter().zip((0..100).cycle()).filter(|(_, place)| *place < cancelled_of_100) {
        twin.cancel(id);
        cancelled += 1;
    }
    let (cancel, began) = (began.elapsed(), Instant::now());
    let mut fired = 0;
    while let Some(more) = twin.fire_next() {
        fired += more;
    }
    let fire = began.elapsed();
    assert_eq!(fired, u64::from(timers - cancelled), "each either fires or is cancelled");
    let each = |time: Duration, count: u32| time.as_secs_f64() * 1e9 / f64::from(count.max(1));
    let (fire_each, life) = (each(fire, timers - cancelled), each(set + cancel + fire, timers));
    Cost { set: each(set, timers), cancel: each(cancel, cancelled), fire: fire_each, life }
}
