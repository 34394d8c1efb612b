use super::super::testing::Task;
use super::*;
use crate::trace::{self, OPERATIONS_PER_POLL, Wait};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::task::Poll;

fn has<T, E>(poll: &Poll<Result<T, E>>) -> bool {
    matches!(poll, Poll::Ready(Ok(_)))
}

#[test]
fn permits_are_granted_in_order_and_nobody_overtakes() {
    let (a, b, semaphore) = (Task::default(), Task::default(), Semaphore::new(1));
    let held = semaphore.try_acquire().unwrap();
    let (mut first, mut second) = (semaphore.acquire(), semaphore.acquire());
    assert!(a.poll(&mut first).is_pending());
    assert!(b.poll(&mut second).is_pending());

    drop(held);
    assert_eq!((a.wakes(), b.wakes(), semaphore.available_permits()), (1, 0, 0));
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits, "it is granted");
    assert!(b.poll(&mut second).is_pending());
    drop(a.poll(&mut first));
    assert_eq!(b.wakes(), 1);
    assert!(has(&b.poll(&mut second)));
}

#[test]
fn one_that_wants_many_is_not_starved_by_those_behind_it() {
    let (a, b, semaphore) = (Task::default(), Task::default(), Semaphore::new(2));
    let (mut large, mut small) = (semaphore.acquire_many(3), semaphore.acquire());
    assert!(a.poll(&mut large).is_pending());
    assert!(b.poll(&mut small).is_pending(), "two are free, but the large one was first");
    assert!(semaphore.try_acquire().is_err());
    semaphore.add_permits(2);
    assert!(has(&a.poll(&mut large)) && has(&b.poll(&mut small)));
}

#[test]
fn one_that_wants_many_and_leaves_lets_those_behind_it_go_on() {
    let (a, b, semaphore) = (Task::default(), Task::default(), Semaphore::new(1));
    let (mut large, mut small) = (semaphore.acquire_many(2), semaphore.acquire());
    assert!(a.poll(&mut large).is_pending());
    assert!(b.poll(&mut small).is_pending());
    drop(large);
    assert_eq!((b.wakes(), a.wakers_kept()), (1, 0));
    assert!(has(&b.poll(&mut small)));
}

#[test]
fn dropped_waiter_hands_on_what_it_was_granted() {
    let (a, b, semaphore) = (Task::default(), Task::default(), Semaphore::new(0));
    let (mut first, mut second) = (semaphore.acquire(), semaphore.acquire());
    assert!(a.poll(&mut first).is_pending());
    assert!(b.poll(&mut second).is_pending());
    semaphore.add_permits(1);
    drop(first);
    assert_eq!(b.wakes(), 1);
    drop(second);
    assert_eq!((semaphore.available_permits(), b.wakers_kept()), (1, 0));
}

#[test]
fn waiter_that_moved_to_another_task_wakes_that_one() {
    let (a, b, semaphore) = (Task::default(), Task::default(), Semaphore::new(0));
    let mut waiter = semaphore.acquire();
    assert!(a.poll(&mut waiter).is_pending());
    assert!(b.poll(&mut waiter).is_pending());
    semaphore.add_permits(1);
    assert_eq!((a.wakes(), b.wakes(), a.wakers_kept()), (0, 1, 0));
}

#[test]
fn close_refuses_those_who_wait_but_not_who_was_granted() {
    let (a, b, semaphore) = (Task::default(), Task::default(), Semaphore::new(0));
    let (mut granted, mut waiting) = (semaphore.acquire(), semaphore.acquire());
    assert!(a.poll(&mut granted).is_pending());
    assert!(b.poll(&mut waiting).is_pending());
    semaphore.add_permits(1);
    semaphore.close();
    assert_eq!((b.wakes(), b.wakers_kept()), (1, 0));
    let permit = a.poll(&mut granted);
    assert!(has(&permit));
    assert_eq!(b.poll(&mut waiting).map(Result::unwrap_err), Poll::Ready(AcquireError(())));
    drop(permit);
    assert_eq!(semaphore.available_permits(), 1);
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::Closed);
    assert!(!has(&a.poll(&mut semaphore.acquire())));
}

#[test]
fn waiter_dropped_after_close_takes_nothing_along() {
    let (task, semaphore) = (Task::default(), Semaphore::new(0));
    let mut waiter = semaphore.acquire();
    assert!(task.poll(&mut waiter).is_pending());
    semaphore.close();
    drop(waiter);
    assert_eq!(semaphore.available_permits(), 0);
}

#[test]
fn permit_of_a_panicking_holder_comes_back() {
    let semaphore = Rc::new(Semaphore::new(1));
    let permit = Rc::clone(&semaphore).try_acquire_owned().unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _permit = permit;
        std::panic::resume_unwind(Box::new("holder"));
    }));
    assert!(panicked.is_err());
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn merged_permits_come_back_together() {
    let semaphore = Semaphore::new(3);
    let mut permit = semaphore.try_acquire().unwrap();
    permit.merge(semaphore.try_acquire_many(2).unwrap());
    assert_eq!((permit.permits(), semaphore.available_permits()), (3, 0));
    drop(permit);
    assert_eq!(semaphore.available_permits(), 3);
}

#[test]
#[should_panic(expected = "permits of different semaphores")]
fn permits_of_different_semaphores_are_not_merged() {
    let (one, other) = (Semaphore::new(1), Semaphore::new(1));
    one.try_acquire().unwrap().merge(other.try_acquire().unwrap());
}

#[test]
fn endless_permits_do_not_hold_the_loop() {
    let (task, semaphore) = (Task::default(), Semaphore::new(1));
    trace::begin_poll(crate::arena::Key::NONE);
    let granted = (0..1_000).take_while(|_| has(&task.poll(&mut semaphore.acquire()))).count();
    assert_eq!(granted, OPERATIONS_PER_POLL as usize);
    assert_eq!(trace::end_poll_that_waits(), Wait::Turn);
}

#[test]
fn one_that_waits_says_so() {
    let (task, semaphore) = (Task::default(), Semaphore::new(0));
    trace::begin_poll(crate::arena::Key::NONE);
    assert!(task.poll(&mut semaphore.acquire()).is_pending());
    assert!(matches!(trace::end_poll_that_waits(), Wait::Semaphore(..)));
}

#[derive(Debug, Clone)]
enum Op {
    Acquire(usize),
    TryAcquire(usize),
    Poll(usize),
    DropFuture(usize),
    DropPermit(usize),
    Add(usize),
    Forget(usize),
    Close,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => (0..4_usize).prop_map(Op::Acquire),
        2 => (0..4_usize).prop_map(Op::TryAcquire),
        6 => any::<usize>().prop_map(Op::Poll),
        3 => any::<usize>().prop_map(Op::DropFuture),
        6 => any::<usize>().prop_map(Op::DropPermit),
        2 => (0..3_usize).prop_map(Op::Add),
        1 => (0..3_usize).prop_map(Op::Forget),
        1 => Just(Op::Close),
    ];
    proptest::collection::vec(op, 0..if cfg!(miri) { 10 } else { 60 })
}

/// The slow twin: everybody who waits or was granted, by number, in one list.
#[derive(Default)]
struct Twin {
    permits: usize,
    line: VecDeque<(usize, usize)>,
    granted: Vec<(usize, usize)>,
    closed: bool,
}

impl Twin {
    fn try_take(&mut self, wanted: usize) -> bool {
        let free = !self.closed && self.line.is_empty() && wanted <= self.permits;
        self.permits -= if free { wanted } else { 0 };
        free
    }

    fn grant(&mut self) {
        while !self.closed && self.line.front().is_some_and(|(_, wanted)| *wanted <= self.permits) {
            let (id, wanted) = self.line.pop_front().unwrap();
            self.permits -= wanted;
            self.granted.push((id, wanted));
        }
    }

    /// What a poll says: `None` is pending.
    fn poll(&mut self, id: usize) -> Option<bool> {
        if let Some(at) = self.granted.iter().position(|(other, _)| *other == id) {
            self.granted.remove(at);
            return Some(true);
        }
        self.closed.then(|| {
            self.line.retain(|(other, _)| *other != id);
            false
        })
    }

    fn leave(&mut self, id: usize) {
        self.line.retain(|(other, _)| *other != id);
        if let Some(at) = self.granted.iter().position(|(other, _)| *other == id) {
            self.permits += self.granted.remove(at).1;
        }
        self.grant();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 512 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn semaphore_agrees_with_its_slow_twin(ops in ops()) {
        let (task, semaphore) = (Task::default(), Semaphore::new(2));
        let mut twin = Twin { permits: 2, ..Twin::default() };
        let (mut waiting, mut held, mut next_id) = (Vec::new(), Vec::new(), 0);
        for op in ops {
            trace::begin_poll(crate::arena::Key::NONE); // a full budget
            match op {
                Op::Acquire(wanted) => {
                    let mut future = semaphore.acquire_many(wanted);
                    match task.poll(&mut future) {
                        Poll::Ready(Ok(permit)) => {
                            prop_assert!(twin.try_take(wanted));
                            held.push(permit);
                        }
                        Poll::Ready(Err(_)) => prop_assert!(twin.closed),
                        Poll::Pending => {
                            prop_assert!(!twin.closed && !twin.try_take(wanted));
                            twin.line.push_back((next_id, wanted));
                            waiting.push((next_id, future));
                            next_id += 1;
                        }
                    }
                }
                Op::TryAcquire(wanted) => {
                    let permit = semaphore.try_acquire_many(wanted);
                    prop_assert_eq!(permit.is_ok(), twin.try_take(wanted));
                    held.extend(permit);
                }
                Op::Poll(n) if !waiting.is_empty() => {
                    let at = n % waiting.len();
                    let expected = twin.poll(waiting[at].0);
                    match task.poll(&mut waiting[at].1) {
                        Poll::Pending => prop_assert_eq!(expected, None),
                        Poll::Ready(outcome) => {
                            prop_assert_eq!(expected, Some(outcome.is_ok()));
                            held.extend(outcome);
                            drop(waiting.remove(at));
                        }
                    }
                }
                Op::DropFuture(n) if !waiting.is_empty() => {
                    let (id, _future) = waiting.remove(n % waiting.len());
                    twin.leave(id);
                }
                Op::DropPermit(n) if !held.is_empty() => {
                    let permit = held.remove(n % held.len());
                    twin.permits += permit.permits();
                    drop(permit);
                    twin.grant();
                }
                Op::Add(permits) => {
                    semaphore.add_permits(permits);
                    twin.permits += permits;
                    twin.grant();
                }
                Op::Forget(permits) => {
                    let gone = permits.min(twin.permits);
                    prop_assert_eq!(semaphore.forget_permits(permits), gone);
                    twin.permits -= gone;
                }
                Op::Close => {
                    semaphore.close();
                    twin.closed = true;
                }
                _ => {}
            }
            prop_assert_eq!(semaphore.available_permits(), twin.permits);
        }
        drop(waiting);
        prop_assert_eq!(task.wakers_kept(), 0, "nobody is left in line");
    }
}
