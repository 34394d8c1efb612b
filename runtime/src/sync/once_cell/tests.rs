use super::super::testing::Task;
use super::*;
use std::future::{Ready, pending, ready};

fn number(n: u8) -> impl FnOnce() -> Ready<u8> {
    move || ready(n)
}

#[test]
fn first_makes_the_value_and_the_others_wait_for_it() {
    let (a, b, cell) = (Task::default(), Task::default(), OnceCell::new());
    let gate = super::super::Notify::new();
    let mut first = Box::pin(cell.get_or_init(async || {
        gate.notified().await;
        1
    }));
    let mut second = cell.get_or_init(number(2));
    assert!(a.poll(&mut first).is_pending());
    assert!(b.poll(&mut second).is_pending());
    assert_eq!(cell.set(3), Err(SetError::Initializing(3)));
    gate.notify_one();
    assert_eq!(a.poll(&mut first), Poll::Ready(&1));
    assert_eq!(b.wakes(), 1);
    assert_eq!(b.poll(&mut second), Poll::Ready(&1));
    assert_eq!(cell.set(3), Err(SetError::Initialized(3)));
    assert_eq!(b.wakers_kept(), 0);
}

#[test]
fn next_in_line_takes_over_from_a_maker_that_was_dropped() {
    let (a, b, cell) = (Task::default(), Task::default(), OnceCell::new());
    let mut first = cell.get_or_init(pending);
    let mut second = cell.get_or_init(number(2));
    assert!(a.poll(&mut first).is_pending());
    assert!(b.poll(&mut second).is_pending());
    drop(first);
    assert_eq!(b.wakes(), 1);
    assert_eq!(b.poll(&mut second), Poll::Ready(&2));
}

#[test]
fn next_in_line_takes_over_from_a_maker_that_failed() {
    let (a, b, cell) = (Task::default(), Task::default(), OnceCell::<u8>::new());
    let gate = super::super::Notify::new();
    let mut first = Box::pin(cell.get_or_try_init(async || {
        gate.notified().await;
        Err("broken")
    }));
    let mut second = cell.get_or_try_init(|| ready(Ok::<u8, ()>(2)));
    assert!(a.poll(&mut first).is_pending());
    assert!(b.poll(&mut second).is_pending());
    gate.notify_one();
    assert_eq!(a.poll(&mut first), Poll::Ready(Err("broken")));
    assert_eq!((b.wakes(), cell.is_initialized()), (1, false));
    drop(first);
    assert_eq!(b.poll(&mut second), Poll::Ready(Ok(&2)));
}

#[test]
fn maker_that_panicked_leaves_the_cell_to_the_next() {
    let (task, cell) = (Task::default(), OnceCell::new());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut making = cell.get_or_init(|| -> Ready<u8> { std::panic::resume_unwind(Box::new("maker")) });
        let _ = task.poll(&mut making);
    }));
    assert!(panicked.is_err());
    assert_eq!(task.poll(&mut cell.get_or_init(number(1))), Poll::Ready(&1));
}

#[test]
fn waiter_that_leaves_does_not_keep_the_turn() {
    let (a, b, cell) = (Task::default(), Task::default(), OnceCell::new());
    let mut first = cell.get_or_init(pending);
    let (mut second, mut third) = (cell.get_or_init(number(2)), cell.get_or_init(number(3)));
    assert!(a.poll(&mut first).is_pending());
    assert!(a.poll(&mut second).is_pending());
    assert!(b.poll(&mut third).is_pending());
    drop(first);
    drop(second);
    assert_eq!(b.poll(&mut third), Poll::Ready(&3));
}

#[test]
fn value_that_was_set_is_there_until_it_is_taken() {
    let mut cell = OnceCell::new();
    assert_eq!(cell.set(1), Ok(()));
    assert_eq!(cell.get(), Some(&1));
    assert_eq!(cell.get_mut(), Some(&mut 1));
    assert_eq!(Task::default().poll(&mut cell.get_or_init(number(2))), Poll::Ready(&1));
    assert_eq!(cell.take(), Some(1));
    assert_eq!(cell.set(3), Ok(()), "it is as new");
    assert_eq!(OnceCell::from(5).into_inner(), Some(5));
}
