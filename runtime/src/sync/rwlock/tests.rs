use super::super::testing::Task;
use super::*;

#[test]
fn readers_share_and_the_writer_waits_for_all_of_them() {
    let (task, lock) = (Task::default(), RwLock::new(1));
    let (one, other) = (lock.try_read().unwrap(), lock.try_read().unwrap());
    let mut writer = lock.write();
    assert!(task.poll(&mut writer).is_pending());
    drop(one);
    assert_eq!(task.wakes(), 0);
    drop(other);
    assert_eq!(task.wakes(), 1);
    let Poll::Ready(mut guard) = task.poll(&mut writer) else { panic!("nobody reads") };
    *guard = 2;
    assert!(lock.try_read().is_err());
    drop(guard);
    assert_eq!(*lock.try_read().unwrap(), 2);
}

#[test]
fn second_reader_waits_for_the_writer_before_it() {
    let (a, b, lock) = (Task::default(), Task::default(), RwLock::new(()));
    let first = lock.try_read().unwrap();
    let (mut writer, mut second) = (lock.write(), lock.read());
    assert!(a.poll(&mut writer).is_pending());
    assert!(b.poll(&mut second).is_pending(), "else readers could starve the writer");
    assert!(lock.try_read().is_err());
    drop(first);
    assert_eq!((a.wakes(), b.wakes()), (1, 0));
    drop(a.poll(&mut writer));
    assert_eq!(b.wakes(), 1);
    assert!(b.poll(&mut second).is_ready());
}

#[test]
fn readers_in_line_come_in_together_up_to_the_next_writer() {
    let (a, b, c, d) = (Task::default(), Task::default(), Task::default(), Task::default());
    let lock = RwLock::new(());
    let writer = lock.try_write().unwrap();
    let (mut one, mut two, mut next, mut three) = (lock.read(), lock.read(), lock.write(), lock.read());
    assert!(a.poll(&mut one).is_pending() && b.poll(&mut two).is_pending());
    assert!(c.poll(&mut next).is_pending() && d.poll(&mut three).is_pending());
    drop(writer);
    assert_eq!([a.wakes(), b.wakes(), c.wakes(), d.wakes()], [1, 1, 0, 0]);
    drop(next);
    assert_eq!(d.wakes(), 1, "the writer gave up, and the readers behind it go on");
}

#[test]
fn downgraded_writer_lets_readers_in_but_no_writer() {
    let (a, b, lock) = (Task::default(), Task::default(), RwLock::new(1));
    let mut guard = lock.try_write().unwrap();
    *guard = 2;
    let (mut reader, mut writer) = (lock.read(), lock.write());
    assert!(a.poll(&mut reader).is_pending() && b.poll(&mut writer).is_pending());
    let guard = WriteGuard::downgrade(guard);
    let Poll::Ready(other) = a.poll(&mut reader) else { panic!("readers share") };
    assert_eq!((*guard, *other, b.wakes()), (2, 2, 0));
    drop((guard, other));
    let Poll::Ready(mut guard) = b.poll(&mut writer) else { panic!("nobody reads") };
    *guard = 3;
}

#[test]
fn panic_of_the_writer_frees_the_lock_and_keeps_the_value() {
    let lock = Rc::new(RwLock::new(1));
    let mut guard = Rc::clone(&lock).try_write_owned().unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        *guard = 2;
        std::panic::resume_unwind(Box::new("writer"));
    }));
    assert!(panicked.is_err());
    assert_eq!(*lock.try_read().unwrap(), 2);
}

#[test]
fn owned_guards_keep_the_lock_alive() {
    let lock = Rc::new(RwLock::new(String::from("kept")));
    let reader = Rc::clone(&lock).try_read_owned().unwrap();
    let weak = Rc::downgrade(&lock);
    drop(lock);
    assert_eq!(*reader, "kept");
    drop(reader);
    assert_eq!(weak.strong_count(), 0);
}

#[test]
fn value_is_reached_without_a_guard_by_who_has_the_lock() {
    let mut lock = RwLock::new(1);
    *lock.get_mut() += 1;
    assert_eq!(format!("{lock:?}"), "RwLock { value: 2 }");
    let guard = lock.try_write().unwrap();
    assert_eq!(format!("{lock:?} {guard:?}"), "RwLock { value: <locked> } 2");
    drop(guard);
    assert_eq!(lock.into_inner(), 2);
}
