use super::super::testing::Task;
use super::*;
use crate::trace::{self, Wait};

#[test]
fn second_task_waits_for_the_first_and_finds_what_it_left() {
    let (task, mutex) = (Task::default(), Mutex::new(1));
    let mut held = mutex.try_lock().unwrap();
    let mut waiting = mutex.lock();
    trace::begin_poll(crate::arena::Key::NONE);
    assert!(task.poll(&mut waiting).is_pending());
    assert!(matches!(trace::end_poll_that_waits(), Wait::Lock(..)));
    *held = 2;
    drop(held);
    assert_eq!(task.wakes(), 1);
    let Poll::Ready(guard) = task.poll(&mut waiting) else { panic!("it is free") };
    assert_eq!(*guard, 2);
}

#[test]
fn lock_that_is_promised_cannot_be_snatched() {
    let (task, mutex) = (Task::default(), Mutex::new(()));
    let held = mutex.try_lock().unwrap();
    let mut waiting = mutex.lock();
    assert!(task.poll(&mut waiting).is_pending());
    drop(held);
    assert_eq!(mutex.try_lock().unwrap_err(), TryLockError(()));
    drop(waiting);
    assert!(mutex.try_lock().is_ok(), "who was granted it and left gave it back");
}

#[test]
fn panic_of_the_holder_frees_the_lock_and_keeps_the_value() {
    let mutex = Rc::new(Mutex::new(1));
    let mut guard = Rc::clone(&mutex).try_lock_owned().unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        *guard = 2;
        std::panic::resume_unwind(Box::new("holder"));
    }));
    assert!(panicked.is_err());
    assert_eq!(*mutex.try_lock().unwrap(), 2);
}

#[test]
fn owned_guard_keeps_the_mutex_alive() {
    let (task, mutex) = (Task::default(), Rc::new(Mutex::new(5)));
    let Poll::Ready(guard) = task.poll(&mut Rc::clone(&mutex).lock_owned()) else { panic!("it is free") };
    let weak = Rc::downgrade(&mutex);
    drop(mutex);
    assert_eq!((*guard, weak.strong_count()), (5, 1));
    drop(guard);
    assert_eq!(weak.strong_count(), 0);
}

#[test]
fn value_is_reached_without_the_lock_by_who_has_the_mutex() {
    let mut mutex = Mutex::from(1);
    *mutex.get_mut() += 1;
    assert_eq!(format!("{mutex:?}"), "Mutex { value: 2 }");
    let guard = mutex.try_lock().unwrap();
    assert_eq!(format!("{mutex:?} {guard:?}"), "Mutex { value: <locked> } 2");
    drop(guard);
    assert_eq!(mutex.into_inner(), 2);
}

#[test]
#[cfg_attr(miri, ignore = "it leaks, as it says")]
#[should_panic(expected = "no guard was leaked")]
fn value_that_went_with_a_leaked_guard_is_told() {
    let mut mutex = Mutex::new(1);
    let _leaked = std::mem::ManuallyDrop::new(mutex.try_lock().unwrap());
    let _ = mutex.get_mut();
}
