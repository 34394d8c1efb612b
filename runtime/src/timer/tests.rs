use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::{Arc, Mutex};
use std::task::Wake;

/// A waker that writes its number into a shared trace.
struct Mark(u64, Arc<Mutex<Vec<u64>>>);

impl Wake for Mark {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

#[derive(Default)]
struct Bench {
    timers: Timers,
    trace: Arc<Mutex<Vec<u64>>>,
}

impl Bench {
    fn insert(&mut self, number: u64, deadline: Tick) -> Key {
        let key = self.timers.insert(deadline);
        let waker = Arc::new(Mark(number, Arc::clone(&self.trace))).into();
        assert!(self.timers.poll(key, &waker).0.is_pending());
        key
    }

    /// The numbers of those that fire.
    fn expire(&mut self, now: Tick) -> Vec<u64> {
        let mut due = Vec::new();
        self.timers.expire(now, &mut due);
        for waiter in due {
            let Waiter::Waker(waker) = waiter else { panic!("no task polls here") };
            waker.wake();
        }
        std::mem::take(&mut self.trace.lock().unwrap())
    }
}

#[test]
fn fires_at_its_deadline_and_not_a_tick_before() {
    for deadline in [0, 1, 63, 64, 65, 4_095, 4_096, 262_144, (1 << 36) + 1, (1 << 43) + 12_345] {
        let mut bench = Bench::default();
        let key = bench.insert(1, deadline);
        if deadline > 0 {
            assert_eq!(bench.expire(deadline - 1), [0_u64; 0]);
            assert_eq!(bench.timers.is_fired(key), Some(false));
        }
        assert_eq!(bench.expire(deadline), [1]);
        assert_eq!(bench.timers.is_fired(key), Some(true));
        assert_eq!(bench.expire(DEADLINE_MAX), [0_u64; 0], "once");
    }
}

#[test]
fn equal_deadlines_fire_in_the_order_they_were_set_across_levels() {
    let mut bench = Bench::default();
    bench.insert(1, 5_000);
    bench.expire(4_000); // the same deadline is now on another level
    bench.insert(2, 5_000);
    bench.expire(4_990);
    bench.insert(3, 5_000);
    let last = bench.insert(0, 5_000);
    bench.timers.reset(last, 5_000);
    assert_eq!(bench.expire(5_000), [1, 2, 3, 0]);
}

#[test]
fn cancelled_timer_never_fires_and_gives_its_waker_back() {
    let mut bench = Bench::default();
    let key = bench.insert(1, 100);
    assert!(bench.timers.cancel(key).is_some());
    assert!(bench.timers.cancel(key).is_none());
    assert_eq!(bench.expire(1_000), [0_u64; 0]);
    assert!(bench.timers.is_empty());
}

#[test]
fn fired_timer_can_be_set_again() {
    let mut bench = Bench::default();
    let key = bench.insert(1, 10);
    assert_eq!(bench.expire(10), [1]);
    assert!(bench.timers.reset(key, 20));
    assert_eq!(bench.timers.deadline(key), Some(20));
    bench.insert(2, 20); // the waker of the first went with its first firing
    assert_eq!(bench.expire(20), [2]);
    assert_eq!(bench.timers.is_fired(key), Some(true));
}

#[test]
fn deadline_in_the_past_fires_at_the_next_expiry_even_if_time_stands() {
    let mut bench = Bench::default();
    bench.expire(500);
    bench.insert(1, 3);
    assert_eq!(bench.timers.until_next(), Some(500));
    assert_eq!(bench.expire(500), [1]);
}

#[test]
fn reading_that_leaps_back_changes_nothing() {
    let mut bench = Bench::default();
    bench.expire(1_000);
    bench.insert(1, 1_010);
    assert_eq!(bench.expire(3), [0_u64; 0]);
    assert_eq!(bench.timers.elapsed(), 1_000);
    assert_eq!(bench.expire(1_010), [1]);
}

#[test]
fn deadlines_beyond_the_wheel_are_brought_forward_to_its_end() {
    let mut bench = Bench::default();
    let key = bench.insert(1, Tick::MAX);
    assert_eq!(bench.timers.deadline(key), Some(DEADLINE_MAX));
    assert_eq!(bench.expire(Tick::MAX), [1]);
    bench.insert(2, 7);
    assert_eq!(bench.expire(Tick::MAX), [2], "the wheel has come to its end and still turns");
}

#[test]
fn referenced_timers_count_while_they_are_armed() {
    let mut timers = Timers::new();
    let (a, b) = (timers.insert(1), timers.insert(2));
    timers.set_referenced(a, true, Location::caller());
    timers.set_referenced(a, true, Location::caller());
    timers.set_referenced(b, true, Location::caller());
    assert_eq!(timers.referenced(), 2);
    timers.expire(1, &mut Vec::new());
    assert_eq!(timers.referenced(), 1);
    timers.reset(a, 5);
    assert_eq!(timers.referenced(), 2);
    timers.set_referenced(a, false, Location::caller());
    timers.cancel(b);
    assert_eq!(timers.referenced(), 0);
}

#[test]
fn equal_deadlines_keep_their_order_across_holes_and_merges() {
    let mut bench = Bench::default();
    let keys: Vec<Key> = (0..200).map(|number| bench.insert(number, 5_000)).collect();
    let (mut due, mut late) = (Vec::new(), Vec::new());
    for (number, key) in (0..).zip(&keys) {
        match number % 4 {
            0 => due.push(number),
            1 => {
                bench.timers.reset(*key, 5_000);
                late.push(number);
            }
            _ => drop(bench.timers.cancel(*key)),
        }
    }
    bench.timers.wheel.check(&bench.timers.entries);
    assert!(bench.timers.wheel.chunks() < 200 / 32, "what was merged is free again");
    due.append(&mut late);
    assert_eq!(bench.expire(5_000), due);
    assert_eq!(bench.timers.wheel.chunks(), 0);
}

#[test]
fn slot_is_forgotten_with_the_last_of_its_timers() {
    for backwards in [false, true] {
        let mut timers = Timers::new();
        let mut keys: Vec<Key> = (0..100).map(|_| timers.insert(5_000)).collect();
        if backwards {
            keys.reverse();
        }
        for key in keys {
            assert_eq!(timers.until_next(), Some(4_096));
            timers.cancel(key);
        }
        timers.wheel.check(&timers.entries);
        assert_eq!((timers.until_next(), timers.wheel.chunks()), (None, 0));
    }
}

#[test]
fn timer_alone_in_its_slot_needs_no_chunk() {
    let mut timers = Timers::new();
    let (a, b) = (timers.insert(5_000), timers.insert(50));
    assert_eq!(timers.wheel.chunks(), 0);
    timers.reset(b, 6_000);
    assert_eq!(timers.wheel.chunks(), 1);
    timers.cancel(a);
    timers.cancel(b);
    assert_eq!(timers.wheel.chunks(), 0);
}

#[test]
fn a_thousand_timers_set_anew_a_million_times_hold_112_chunks_at_most() {
    let mut timers = Timers::new();
    let keys: Vec<Key> = (0..1_000).map(|_| timers.insert(5_000)).collect();
    let (mut random, mut most) = (1_u64, 0);
    for turn in 0..if cfg!(miri) { 5_000 } else { 1_000_000 } {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        timers.reset(keys[usize::try_from(random >> 33).unwrap() % keys.len()], 5_000);
        if turn % 101 == 0 {
            most = most.max(timers.wheel.chunks());
        }
    }
    assert!(most <= 1_000 / 9 + 1, "{most} chunks");
    timers.wheel.check(&timers.entries);
}

#[test]
fn the_sparsest_chunks_hold_nine_timers_on_the_average() {
    let mut timers = Timers::new();
    let keys: Vec<Key> = (0..32 * 8).map(|_| timers.insert(5_000)).collect();
    for left in [17, 1] {
        // of one chunk and of the next
        for chunk in keys.chunks(32).skip(usize::from(left == 1)).step_by(2) {
            chunk[left..].iter().for_each(|key| drop(timers.cancel(*key)));
            timers.wheel.check(&timers.entries);
        }
    }
    assert_eq!((timers.len(), timers.wheel.chunks()), (4 * (17 + 1), 8), "no two of them fit into one");
    for chunk in keys.chunks(32).step_by(2) {
        timers.cancel(chunk[0]);
    }
    timers.wheel.check(&timers.entries);
    assert_eq!(timers.wheel.chunks(), 4);
}

/// What [`Timers::slots`] says, by looking for the level of each timer from above.
fn slots_of(timers: &Timers) -> [[u16; SLOTS]; LEVELS] {
    let mut slots = [[0; SLOTS]; LEVELS];
    for (_, deadline, _) in timers.walk() {
        let digit = |of: Tick, level: usize| usize::try_from(of >> (6 * level) & 63).unwrap();
        let differs = |level: &usize| digit(deadline, *level) != digit(timers.elapsed(), *level);
        let level = (0..LEVELS).rev().find(differs).unwrap_or(0);
        slots[level][digit(deadline, level)] += 1;
    }
    slots
}

#[test]
fn timer_that_fired_and_is_set_anew_counts_as_set_and_not_as_cancelled() {
    let mut timers = Timers::new();
    let key = timers.insert(1);
    timers.expire(1, &mut Vec::new());
    timers.reset(key, 2);
    timers.reset(key, 3);
    timers.expire(3, &mut Vec::new());
    timers.cancel(key);
    assert_eq!(timers.counts(), TimerCounts { set: 3, fired: 2, cancelled: 1 });
    assert_eq!(timers.armed(), 0);
}

#[test]
fn slots_are_counted_up_to_a_bound() {
    let mut timers = Timers::new();
    (0..Timers::COUNTED_PER_SLOT + 10).for_each(|_| {
        timers.insert(70);
    });
    assert_eq!(timers.slots()[1][1], Timers::COUNTED_PER_SLOT);
}

#[derive(Debug, Clone)]
enum Op {
    Insert(u64),
    Cancel(usize),
    Reset(usize, u64),
    Pass(u64),
    Leap,
}

fn distances() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..4_u64,
        0..200_u64,
        0..20_000_u64,
        (0..45_u32).prop_map(|bits| 1 << bits),
        (0..45_u32).prop_map(|bits| (1 << bits) - 1)
    ]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => distances().prop_map(Op::Insert),
        2 => any::<usize>().prop_map(Op::Cancel),
        2 => (any::<usize>(), distances()).prop_map(|(n, d)| Op::Reset(n, d)),
        3 => distances().prop_map(Op::Pass),
        1 => Just(Op::Leap),
    ];
    proptest::collection::vec(op, 0..120)
}

/// The slow twin: a tree ordered by deadline and by when the timer was set.
fn agrees_with_a_tree(ops: Vec<Op>) -> Result<(), TestCaseError> {
    let mut bench = Bench::default();
    let mut twin: BTreeMap<(Tick, usize), u64> = BTreeMap::new();
    let mut keys: Vec<(Key, Option<(Tick, usize)>)> = Vec::new();
    let (mut now, mut counts) = (0, TimerCounts::default());
    for (turn, op) in ops.into_iter().enumerate() {
        match op {
            Op::Insert(distance) => {
                let (number, deadline) = (keys.len() as u64, (now + distance).min(DEADLINE_MAX));
                let key = bench.insert(number, now + distance);
                twin.insert((deadline, turn), number);
                keys.push((key, Some((deadline, turn))));
                counts.set += 1;
            }
            Op::Cancel(n) if !keys.is_empty() => {
                let at = n % keys.len();
                let (key, place) = &mut keys[at];
                let was_armed = place.take().is_some_and(|place| twin.remove(&place).is_some());
                prop_assert_eq!(bench.timers.cancel(*key).is_some(), was_armed);
                counts.cancelled += u64::from(was_armed);
            }
            Op::Reset(n, distance) if !keys.is_empty() => {
                let at = n % keys.len();
                let (key, place) = &mut keys[at];
                let armed = place.is_some_and(|place| twin.contains_key(&place));
                if armed {
                    let deadline = (now + distance).min(DEADLINE_MAX);
                    let number = twin.remove(&place.unwrap()).unwrap();
                    twin.insert((deadline, turn), number);
                    *place = Some((deadline, turn));
                    (counts.set, counts.cancelled) = (counts.set + 1, counts.cancelled + 1);
                    prop_assert!(bench.timers.reset(*key, now + distance));
                    prop_assert_eq!(bench.timers.deadline(*key), Some(deadline));
                }
            }
            Op::Pass(distance) => {
                now = (now + distance).min(DEADLINE_MAX);
                let later = twin.split_off(&(now + 1, 0));
                let due: Vec<u64> = std::mem::replace(&mut twin, later).into_values().collect();
                counts.fired += due.len() as u64;
                prop_assert_eq!(bench.expire(now), due);
            }
            Op::Leap if now > 0 => prop_assert_eq!(bench.expire(now / 2), [0_u64; 0]),
            _ => {}
        }
        let first = twin.keys().next().map(|(deadline, _)| *deadline);
        prop_assert_eq!(bench.timers.until_next().is_some(), first.is_some());
        prop_assert!(bench.timers.until_next() <= first, "never later than the first deadline");
        prop_assert!(bench.timers.until_next().is_none_or(|next| next >= now));
        prop_assert_eq!(bench.timers.counts(), counts);
        prop_assert_eq!(bench.timers.armed(), twin.len());
        if !cfg!(miri) {
            // five hundred slots a step are too many for an interpreter
            prop_assert_eq!(bench.timers.slots(), slots_of(&bench.timers));
            bench.timers.wheel.check(&bench.timers.entries);
        }
    }
    Ok(())
}

/// Of many timers with a handful of deadlines: full chunks, holes, merges.
fn crowded_ops() -> impl Strategy<Value = Vec<Op>> {
    let distance = || prop_oneof![Just(50), Just(100), Just(5_000), Just(5_001)];
    let op = prop_oneof![
        4 => distance().prop_map(Op::Insert),
        4 => any::<usize>().prop_map(Op::Cancel),
        4 => (any::<usize>(), distance()).prop_map(|(n, d)| Op::Reset(n, d)),
        1 => prop_oneof![30 => Just(0), 3 => Just(10), 1 => Just(4_000)].prop_map(Op::Pass),
    ];
    let most = if cfg!(miri) { 80 } else { 300 };
    let first = proptest::collection::vec(distance().prop_map(Op::Insert), 0..most);
    (first, proptest::collection::vec(op, 0..most)).prop_map(|(mut ops, more)| {
        ops.extend(more);
        ops
    })
}

fn cases(cases: u32) -> ProptestConfig {
    let cases = if cfg!(miri) { 2 } else { cases };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn wheel_agrees_with_a_tree(ops in ops()) {
        agrees_with_a_tree(ops)?;
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn crowded_slots_agree_with_a_tree(ops in crowded_ops()) {
        agrees_with_a_tree(ops)?;
    }
}
