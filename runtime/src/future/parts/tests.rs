//! The parts by themselves and by the doors on them: `join_all`, `try_join_all`, `race_all`, `FutureSet`.

use super::super::testing::{Gate, Task, Trace};
use super::super::{FutureSet, join_all, race_all, try_join_all};
use super::Parts;
use crate::trace::OPERATIONS_PER_POLL;
use proptest::prelude::*;
use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

fn gates<const N: usize>() -> [Gate; N] {
    std::array::from_fn(|_| Gate::default())
}

#[test]
fn only_woken_parts_are_polled() {
    let (task, gates) = (Task::default(), gates::<5>());
    let mut all = pin!(join_all(gates.clone()));
    assert!(task.poll(all.as_mut()).is_pending());
    gates[3].wake();
    gates[1].wake();
    gates[3].wake();
    assert_eq!(task.wakes(), 1, "the task was told once");
    assert!(task.poll(all.as_mut()).is_pending());
    assert_eq!(gates.each_ref().map(Gate::polls), [1, 2, 1, 2, 1]);
    for gate in &gates {
        gate.open();
    }
    assert_eq!(task.poll(all.as_mut()), Poll::Ready(vec![(); 5]));
    assert_eq!(gates.each_ref().map(Gate::polls), [2, 3, 2, 3, 2]);
}

#[test]
fn outputs_stand_in_the_order_of_their_futures() {
    let (task, trace) = (Task::default(), Trace::default());
    let mut all = pin!(join_all([trace.part("a", 2, 'a'), trace.part("b", 1, 'b'), trace.part("c", 2, 'c')]));
    assert_eq!(task.poll(all.as_mut()), Poll::Pending);
    assert_eq!(trace.take(), ["a 1", "b 1", "b dropped", "c 1"]);
    assert_eq!(task.poll(all.as_mut()), Poll::Ready(vec!['a', 'b', 'c']));
    assert_eq!(trace.take(), ["a 2", "a dropped", "c 2", "c dropped"]);
}

#[test]
fn nothing_is_joined_at_once() {
    let task = Task::default();
    assert_eq!(task.poll(pin!(join_all(Vec::<Gate>::new()))), Poll::Ready(vec![]));
    let none = Vec::<std::future::Ready<Result<(), ()>>>::new();
    assert_eq!(task.poll(pin!(try_join_all(none))), Poll::Ready(Ok(vec![])));
    assert_eq!(task.poll(pin!(race_all(Vec::<Gate>::new()))), Poll::Ready(None));
    assert_eq!(task.poll(pin!(FutureSet::<Gate>::new().next())), Poll::Ready(None));
}

#[test]
fn part_that_wakes_itself_is_polled_once_a_poll() {
    let (task, trace) = (Task::default(), Trace::default());
    let mut race = pin!(race_all([trace.part("a", 3, "a")]));
    assert!(task.poll(race.as_mut()).is_pending());
    assert_eq!((trace.take(), task.wakes()), (vec!["a 1".to_owned()], 1));
    assert!(task.poll(race.as_mut()).is_pending());
    assert_eq!((trace.take(), task.wakes()), (vec!["a 2".to_owned()], 2));
    assert_eq!(task.poll(race.as_mut()), Poll::Ready(Some("a")));
}

#[test]
fn first_error_drops_the_others_in_their_order() {
    let (task, trace) = (Task::default(), Trace::default());
    let parts = [("a", 9, Ok(1)), ("b", 1, Ok(2)), ("c", 1, Err("c")), ("d", 1, Err("d"))];
    let mut all = pin!(try_join_all(parts.map(|(name, polls, output)| trace.part(name, polls, output))));
    assert_eq!(task.poll(all.as_mut()), Poll::Ready(Err("c")));
    assert_eq!(trace.take(), ["a 1", "b 1", "b dropped", "c 1", "c dropped", "a dropped", "d dropped"]);
}

#[test]
fn race_is_won_by_who_was_given_first_or_else_woken_first() {
    let task = Task::default();
    assert_eq!(task.poll(pin!(race_all([ready(1), ready(2)]))), Poll::Ready(Some(1)));

    let gates = gates::<3>();
    let runners = gates.iter().cloned().enumerate().map(async |(place, gate)| {
        gate.await;
        place
    });
    let mut race = pin!(race_all(runners));
    assert!(task.poll(race.as_mut()).is_pending());
    gates[2].open();
    gates[0].open();
    assert_eq!(task.poll(race.as_mut()), Poll::Ready(Some(2)));
}

#[test]
fn set_gives_outputs_in_the_order_of_wakes_and_takes_new_futures_between() {
    let (task, gates) = (Task::default(), gates::<3>());
    let numbered = |(number, gate): (usize, Gate)| async move {
        gate.await;
        number
    };
    let mut numbers = gates.iter().cloned().enumerate().map(numbered);
    let mut set: FutureSet<_> = numbers.by_ref().take(2).collect();
    assert!(task.poll(pin!(set.next())).is_pending());
    set.extend(numbers.next());
    assert_eq!(set.len(), 3);
    assert!(task.poll(pin!(set.next())).is_pending());
    for gate in [2, 0, 1] {
        gates[gate].open();
    }
    for number in [2, 0, 1] {
        assert_eq!(task.poll(pin!(set.next())), Poll::Ready(Some(number)));
    }
    assert_eq!(task.poll(pin!(set.next())), Poll::Ready(None));
}

#[test]
fn set_that_is_always_filled_again_lets_the_others_run() {
    let (task, mut set) = (Task::default(), FutureSet::new());
    let mut given = 0;
    let mut endless = pin!(async {
        loop {
            set.push(ready(()));
            given += u32::from(set.next().await.is_some());
        }
    });
    let polled: Poll<()> = task.poll(endless.as_mut());
    assert!(polled.is_pending());
    assert_eq!((given, task.wakes()), (OPERATIONS_PER_POLL, 1));
}

#[test]
fn wake_from_another_thread_is_heard() {
    let (task, gates) = (Task::default(), gates::<2>());
    let mut all = pin!(join_all(gates.clone()));
    assert!(task.poll(all.as_mut()).is_pending());
    for gate in &gates {
        let waker = gate.waker();
        std::thread::spawn(move || waker.wake()).join().unwrap();
    }
    assert_eq!(task.wakes(), 1);
    assert!(task.poll(all.as_mut()).is_pending());
    assert_eq!(gates.each_ref().map(Gate::polls), [2, 2]);
}

#[test]
fn waker_of_a_part_that_is_gone_wakes_nobody() {
    let (task, gates) = (Task::default(), gates::<2>());
    let [gone, stays] = &gates;
    let mut set: FutureSet<_> = gates.iter().cloned().collect();
    assert!(task.poll(pin!(set.next())).is_pending());
    gone.open();
    assert!(task.poll(pin!(set.next())).is_ready());
    set.push(Gate::default()); // in the place that has become free
    assert!(task.poll(pin!(set.next())).is_pending());
    gone.wake();
    assert!(task.poll(pin!(set.next())).is_pending());
    assert_eq!((gone.polls(), stays.polls()), (2, 1));

    let wakes = task.wakes();
    drop(set);
    stays.wake();
    assert_eq!((task.wakes(), task.wakers_kept()), (wakes, 0));
}

#[test]
fn everything_is_dropped_once_after_any_number_of_polls() {
    for polls in 0..=4 {
        let (task, trace) = (Task::default(), Trace::default());
        let mut all = Box::pin(join_all((1..=4).map(|n| {
            let output = Rc::new(trace.on_drop(format!("output {n}")));
            trace.part(&n.to_string(), n, output)
        })));
        let last = (0..polls).map(|_| task.poll(all.as_mut())).last();
        assert_eq!(last.as_ref().is_some_and(Poll::is_ready), polls == 4);
        drop((all, last));
        let mut dropped = trace.take();
        dropped.retain(|note| note.contains("dropped") || note.contains("output"));
        dropped.sort();
        let each = ["1 dropped", "2 dropped", "3 dropped", "4 dropped", "output 1", "output 2", "output 3", "output 4"];
        assert_eq!((dropped, task.wakers_kept()), (each.map(str::to_owned).to_vec(), 0), "after {polls} polls");
    }
}

#[test]
fn part_that_panics_leaves_and_the_others_stay() {
    let (task, trace) = (Task::default(), Trace::default());
    let dropped = trace.on_drop("dropped");
    let panicking = Box::pin(poll_fn(move |_| {
        let _ = &dropped;
        panic!("on purpose")
    }));
    let mut set: FutureSet<Pin<Box<dyn Future<Output = &str>>>> = FutureSet::new();
    set.push(Box::pin(pending()));
    set.push(panicking);
    set.push(Box::pin(ready("done")));
    assert!(catch_unwind(AssertUnwindSafe(|| task.poll(pin!(set.next())))).is_err());
    assert_eq!((set.len(), trace.take()), (2, vec!["dropped".to_owned()]));
    assert_eq!(task.poll(pin!(set.next())), Poll::Ready(Some("done")));
    assert!(task.poll(pin!(set.next())).is_pending());
}

#[test]
fn parts_may_be_added_and_emptied_while_one_is_polled() {
    type Part = Pin<Box<dyn Future<Output = ()>>>;
    let (task, trace) = (Task::default(), Trace::default());
    let parts: Rc<Parts<Part>> = Rc::new(Parts::new());
    let (inner, noted) = (Rc::downgrade(&parts), trace.clone());
    parts.insert(Box::pin({
        let dropped = trace.on_drop("first dropped");
        poll_fn(move |_| {
            let _ = &dropped;
            let parts = inner.upgrade().expect("it polls this");
            let held = noted.on_drop("second dropped");
            parts.insert(Box::pin(async move {
                let _held = held;
                pending::<()>().await;
            }));
            assert_eq!(parts.len(), 2);
            parts.clear();
            noted.note("emptied");
            Poll::Pending
        })
    }));
    let poll = poll_fn(|cx| {
        let mut left = parts.begin(cx.waker());
        assert!(parts.next_done(&mut left).is_none());
        Poll::Ready(())
    });
    assert!(task.poll(pin!(poll)).is_ready());
    assert_eq!(trace.take(), ["second dropped", "emptied", "first dropped"]);
    assert!(parts.is_empty());
}

/// The slow twin of the ready queue: whoever is woken and not in the list is added to it.
#[derive(Default)]
struct Twin {
    left: Vec<usize>,
    woken: Vec<usize>,
}

impl Twin {
    fn wake(&mut self, part: usize) {
        if self.left[part] > 0 && !self.woken.contains(&part) {
            self.woken.push(part);
        }
    }

    /// Polls the first that are woken until one is done.
    fn next(&mut self) -> Option<usize> {
        while !self.woken.is_empty() {
            let part = self.woken.remove(0);
            self.left[part] -= 1;
            if self.left[part] == 0 {
                return Some(part);
            }
        }
        None
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn set_agrees_with_a_list(polls in prop::collection::vec(1..4_usize, 1..12), wakes in prop::collection::vec(any::<prop::sample::Index>(), 0..60), takes in 1..4_usize) {
        let task = Task::default();
        let gates: Vec<Gate> = polls.iter().map(|_| Gate::default()).collect();
        let part = |part: usize| {
            let (mut gate, mut left) = (gates[part].clone(), polls[part]);
            poll_fn(move |cx| {
                assert!(Pin::new(&mut gate).poll(cx).is_pending());
                left -= 1;
                if left == 0 { Poll::Ready(part) } else { Poll::Pending }
            })
        };
        let mut set: FutureSet<_> = (0..polls.len()).map(part).collect();
        let mut twin = Twin { left: polls.clone(), woken: (0..polls.len()).collect() };
        for wakes in std::iter::once(&wakes[..0]).chain(wakes.chunks(takes)) {
            for wake in wakes {
                let part = wake.index(polls.len());
                if gates[part].polls() > 0 {
                    gates[part].wake();
                    twin.wake(part);
                }
            }
            for _ in 0..takes {
                let given = match task.poll(pin!(set.next())) {
                    Poll::Ready(given) => given,
                    Poll::Pending => None,
                };
                prop_assert_eq!(given, twin.next());
            }
            prop_assert_eq!(set.len(), twin.left.iter().filter(|left| **left > 0).count());
        }
    }
}

#[test]
fn cleared_parts_leave_no_keys() {
    let parts = Parts::new();
    for _ in 0..3 {
        parts.insert(pending::<()>());
        parts.clear();
        assert_eq!(parts.begin(std::task::Waker::noop()), 0);
    }
}
