use super::*;
use crate::future::{join_all, race, yield_now};
use crate::observe::PollTimes;
use crate::sync::{Mutex, Notify, OnceCell, RwLock, Semaphore};
use crate::time::{sleep, timeout};
use crate::{JoinHandle, JoinSet, Mode, Runtime, TaskBuilder, spawn, turn};
use std::future::pending;
use std::rc::Rc;

/// A loop whose time moves by hand, turned until its tasks have come as far as they do.
fn run<F: Future>(future: F) -> F::Output {
    Runtime::builder().manual_clock().build().unwrap().block_on(future)
}

async fn settle() {
    for _ in 0..8 {
        yield_now().await;
    }
}

fn named<F: Future<Output: 'static> + 'static>(name: &str, future: F) -> JoinHandle<F::Output> {
    TaskBuilder::new().name(name).spawn(future)
}

async fn hold(first: Rc<Mutex<()>>, second: Rc<Mutex<()>>) {
    let _first = first.lock().await;
    yield_now().await;
    let _second = second.lock().await;
}

#[test]
fn tasks_that_take_two_locks_in_different_order_wait_for_each_other() {
    run(async {
        let (left, right) = (Rc::new(Mutex::new(())), Rc::new(Mutex::new(())));
        let ada = named("ada", hold(Rc::clone(&left), Rc::clone(&right)));
        let bob = named("bob", hold(right, left));
        let led_into_it = named("led into it", async move { drop(bob.await) });
        settle().await;
        let dump = turn::dump();
        let circles = dump.deadlocks();
        assert_eq!(circles.len(), 1);
        assert_eq!((circles[0].len(), circles[0][0]), (2, ada.key()));
        assert!(!circles[0].contains(&led_into_it.key()), "it waits for them, and they not for it");
        let text = dump.to_string();
        let [_, top, first, second, ..] = *text.lines().collect::<Vec<_>>() else { panic!("{text}") };
        assert_eq!(top, "DEADLOCK: 0#0 `ada` and 1#1 `bob` wait for each other:");
        assert!(first.contains("`ada` waits for the lock made at ") && first.ends_with("held by 1#1 `bob`"), "{text}");
        assert!(
            second.contains("`bob` waits for the lock made at ") && second.ends_with("held by 0#0 `ada`"),
            "{text}"
        );
    });
}

#[test]
fn tasks_that_join_each_other_wait_for_each_other_and_one_for_itself() {
    run(async {
        let handles = Rc::new(std::cell::RefCell::new(Vec::<JoinHandle<()>>::new()));
        let joins = |of: usize| {
            let handles = Rc::clone(&handles);
            async move {
                let handle = std::mem::replace(&mut handles.borrow_mut()[of], spawn(async {}));
                drop(handle.await);
            }
        };
        for of in [1, 0, 2] {
            let task = spawn(joins(of));
            handles.borrow_mut().push(task);
        }
        let keys: Vec<Key> = handles.borrow().iter().map(JoinHandle::key).collect();
        settle().await;
        assert_eq!(turn::dump().deadlocks(), [vec![keys[0], keys[1]], vec![keys[2]]]);
        assert!(turn::dump().to_string().contains("DEADLOCK: 2#2 waits for itself:"));
    });
}

#[test]
fn lock_that_changed_hands_while_its_waiters_slept_is_told_with_its_holder_of_now() {
    run(async {
        let lock = Rc::new(Mutex::new(()));
        let hold = |lock: &Rc<Mutex<()>>, ms| {
            let lock = Rc::clone(lock);
            async move {
                let _guard = lock.lock().await;
                sleep(Duration::from_millis(ms)).await;
            }
        };
        let (first, second) = (named("first", hold(&lock, 10)), named("second", hold(&lock, 10)));
        let last = named("last", hold(&lock, 10));
        let holder = || {
            let dump = turn::dump();
            let WaitsFor::Held { by, others: 0, .. } = &dump.task(last.key()).unwrap().waits_for[0] else {
                panic!("{dump}")
            };
            by.iter().map(|holding| holding.who).collect::<Vec<_>>()
        };
        settle().await;
        assert_eq!(holder(), [Cause::Task(first.key())]);
        sleep(Duration::from_millis(15)).await;
        assert_eq!(holder(), [Cause::Task(second.key())]);
        assert_eq!(turn::dump().task(last.key()).unwrap().polls, 1, "it was not polled to find out");
    });
}

/// Two tasks, of which the first has something of `held` and joins the second, which wants something of it.
async fn circle<H: 'static, W: 'static>(
    held: impl Future<Output = H> + 'static,
    wanted: impl Future<Output = W> + 'static,
) {
    drop(spawn(async move {
        let _held = held.await;
        let second = spawn(async move { drop(wanted.await) });
        drop(second.await);
    }));
    settle().await;
}

/// How many circles there are after a task has something of a lock and joins another that wants something of it; before
/// that, a writer that will give up may stand in line.
async fn circles_at(lock_to_read: bool, wants_to_read: bool, writer_between: bool) -> usize {
    let before = turn::dump().deadlocks().len();
    drop(spawn(async move {
        let lock = Rc::new(RwLock::new(()));
        let _reader = if lock_to_read { Some(lock.read().await) } else { None };
        let _writer = if lock_to_read { None } else { Some(lock.write().await) };
        if writer_between {
            let lock = Rc::clone(&lock);
            drop(spawn(async move { drop(timeout(Duration::from_secs(1), lock.write()).await) }));
            yield_now().await;
        }
        let of = Rc::clone(&lock);
        let wants = spawn(async move {
            if wants_to_read {
                drop(of.read().await);
            } else {
                drop(of.write().await);
            }
        });
        drop(wants.await);
    }));
    settle().await;
    turn::dump().deadlocks().len() - before
}

#[test]
fn writer_waits_for_every_reader_and_a_reader_for_a_writer_that_has_the_lock() {
    run(async {
        assert_eq!(circles_at(true, false, false).await, 1);
        assert_eq!(circles_at(false, true, false).await, 1);
        assert_eq!(circles_at(false, false, false).await, 1);
        assert_eq!(circles_at(true, true, false).await, 0, "it reads, too");
        assert_eq!(circles_at(true, true, true).await, 0, "the writer in front of it may give up");
    });
}

#[test]
fn what_only_may_be_a_deadlock_is_none() {
    run(async {
        let permits = Rc::new(Semaphore::new(1));
        circle(Rc::clone(&permits).acquire_owned(), Rc::clone(&permits).acquire_owned()).await;
        assert!(turn::dump().deadlocks().is_empty(), "permits may be added");

        let lock = Rc::new(Mutex::new(()));
        circle(Rc::clone(&lock).lock_owned(), Rc::clone(&lock).lock_owned()).await;
        assert!(turn::dump().deadlocks().is_empty(), "an owned guard may have been handed on");
        assert!(turn::dump().to_string().contains("or whom it gave its guard"));

        let lock = Rc::new(Mutex::new(()));
        let of = Rc::clone(&lock);
        drop(spawn(async move {
            let _guard = of.lock().await;
            let of = Rc::clone(&of);
            let second = spawn(async move { drop(of.lock().await) });
            drop(timeout(Duration::from_secs(60), second).await);
        }));
        settle().await;
        assert!(turn::dump().deadlocks().is_empty(), "the time-out comes");

        let lock = Rc::new(Mutex::new(()));
        let of = Rc::clone(&lock);
        drop(spawn(async move {
            let (_guard, mut set) = (of.lock().await, JoinSet::new());
            let of = Rc::clone(&of);
            set.spawn(async move { drop(of.lock().await) });
            set.spawn(sleep(Duration::from_secs(60)));
            drop(set.join_next().await);
        }));
        settle().await;
        assert!(turn::dump().deadlocks().is_empty(), "another task of the set ends");

        let lock = Rc::new(Mutex::new(()));
        let of = Rc::clone(&lock);
        drop(spawn(async move {
            let parts = [0, 1].map(|ms| {
                let of = Rc::clone(&of);
                Box::pin(async move {
                    sleep(Duration::from_millis(ms)).await;
                    let _guard = of.lock().await;
                    sleep(Duration::from_millis(100)).await;
                })
            });
            join_all(parts).await;
        }));
        sleep(Duration::from_millis(50)).await;
        assert!(turn::dump().deadlocks().is_empty(), "the part that has the lock was not polled in the last poll");
    });
}

#[test]
fn who_waits_also_for_a_future_that_does_not_tell_is_in_no_circle() {
    for first in [false, true] {
        run(async move {
            let (lock, silent) = (Rc::new(Mutex::new(())), pending::<()>());
            let wants = Rc::clone(&lock);
            let one = spawn(async move {
                yield_now().await;
                if first { drop(race(silent, wants.lock()).await) } else { drop(race(wants.lock(), silent).await) }
            });
            let _two = spawn(async move {
                let _guard = lock.lock().await;
                one.await.unwrap();
            });
            settle().await;
            let dump = turn::dump();
            assert!(dump.deadlocks().is_empty(), "the other future may end the race: {dump}");
        });
    }
}

/// Two loops of one thread, whose first tasks have the same key.
fn two_loops() -> [Runtime; 2] {
    [(); 2].map(|()| Runtime::new().unwrap())
}

#[test]
fn tasks_of_another_loop_are_not_taken_for_those_of_the_same_key() {
    let [one, other] = two_loops();
    let lock = Rc::new(Mutex::new(()));
    let (holds, wants) = (Rc::clone(&lock), Rc::clone(&lock));
    let holder = one.enter(|| {
        spawn(async move {
            let _guard = holds.lock().await;
            pending::<()>().await;
        })
    });
    one.run(Mode::NoWait).unwrap();
    let waiter = other.enter(|| spawn(async move { drop(wants.lock().await) }));
    assert_eq!(holder.key(), waiter.key());
    let joiner = other.enter(|| spawn(holder));
    other.run(Mode::NoWait).unwrap();
    let dump = other.dump();
    assert!(dump.deadlocks().is_empty(), "{dump}");
    let [WaitsFor::Held { by, .. }] = &*dump.task(waiter.key()).unwrap().waits_for else { panic!("{dump}") };
    assert_eq!(by[0].who, Cause::Outside);
    assert_eq!(dump.task(joiner.key()).unwrap().waits_for, [WaitsFor::Other(Wait::Unknown)]);
}

#[test]
fn what_a_task_of_another_loop_spawns_and_wakes_comes_from_outside() {
    let [one, other] = two_loops();
    let (entered, enters) = (Rc::new(other), Rc::new(Notify::new()));
    let (other, notify) = (Rc::clone(&entered), Rc::clone(&enters));
    one.block_on(spawn_at(&one, async move {
        other.enter(|| {
            drop(named("inner", async move { notify.notified().await }));
            assert!(other.dump().tasks.iter().all(|task| !task.running), "{}", other.dump());
        });
    }))
    .unwrap();
    entered.run(Mode::NoWait).unwrap();
    one.block_on(spawn_at(&one, {
        let entered = Rc::clone(&entered);
        async move { entered.enter(|| enters.notify_one()) }
    }))
    .unwrap();
    let dump = entered.dump();
    assert!(dump.to_string().contains("`inner`"), "{dump}");
    assert_eq!((dump.tasks[0].parent, dump.tasks[0].woken_by), (Key::NONE, Cause::Outside));
}

fn spawn_at<F: Future<Output: 'static> + 'static>(runtime: &Runtime, future: F) -> JoinHandle<F::Output> {
    runtime.enter(|| spawn(future))
}

#[test]
fn cell_is_waited_for_at_who_makes_its_value() {
    run(async {
        let cell = Rc::new(OnceCell::new());
        let get = |cell: &Rc<OnceCell<()>>| {
            let cell = Rc::clone(cell);
            async move { *cell.get_or_init(pending::<()>).await }
        };
        let (maker, waiter) = (spawn(get(&cell)), spawn(get(&cell)));
        settle().await;
        let dump = turn::dump();
        let WaitsFor::Held { wait: Wait::OnceCell(..), by, .. } = &dump.task(waiter.key()).unwrap().waits_for[0] else {
            panic!("{dump}")
        };
        assert_eq!((by[0].who, by[0].alone), (Cause::Task(maker.key()), true));
    });
}

#[test]
fn future_of_block_on_is_the_root_and_told_like_a_task() {
    let runtime = Runtime::builder().manual_clock().build().unwrap();
    let handle = runtime.enter(|| named("child", pending::<()>()));
    assert!(runtime.dump().task(Key::NONE).is_none(), "there is none yet");
    let seen = runtime.block_on(async {
        let watcher = spawn(async {
            sleep(Duration::from_millis(1)).await;
            turn::dump()
        });
        watcher.await.unwrap()
    });
    let root = seen.task(Key::NONE).unwrap();
    assert!(matches!(root.waits_for[..], [WaitsFor::Other(Wait::Task(_))]), "{seen}");
    assert_eq!((root.polls, root.woken_by, root.children.len()), (1, Cause::Outside, 2));
    assert!(seen.tasks.iter().any(|task| task.running));
    let text = seen.to_string();
    let [first, below] = [1, 2].map(|line| text.lines().nth(line).unwrap());
    assert!(first.starts_with("root  ") && below.contains(" the future of `block_on`; 1 poll; woken by "), "{text}");
    assert!(runtime.dump().task(Key::NONE).is_none(), "it is done");
    drop(handle);
}

#[test]
fn time_of_the_polls_is_told_if_somebody_keeps_it_and_kept_of_the_living_only() {
    let times = Rc::new(PollTimes::default());
    let runtime = Runtime::builder().manual_clock().observer(Rc::<PollTimes>::clone(&times)).build().unwrap();
    let dump = runtime.block_on(async {
        let done = spawn(async {});
        let key = done.key();
        done.await.unwrap();
        let sleeper = spawn(pending::<()>());
        settle().await;
        let dump = turn::dump();
        assert_eq!(turn::dump().task(sleeper.key()).unwrap().polled_for, Some(Duration::ZERO));
        assert_eq!(crate::observe::Observer::polled_for(&*times, key), None);
        dump
    });
    assert!(dump.to_string().contains("1 poll of 0.0ns together"), "{dump}");
}

#[test]
fn names_that_are_long_or_hostile_stay_in_their_line() {
    run(async {
        let hostile = "\u{1b}[2J\n\u{202e}evil`\0";
        let (long, hostile) = (
            named(&"x".repeat(if cfg!(miri) { 1_000 } else { 1_000_000 }), pending::<()>()),
            named(hostile, pending::<()>()),
        );
        settle().await;
        let dump = turn::dump();
        let text = dump.to_string();
        assert!(text.lines().all(|line| line.chars().count() < 240), "{text}");
        assert!(text.chars().all(|char| char == '\n' || !char.is_control()) && !text.contains('\u{202e}'), "{text}");
        assert_eq!(text.lines().count(), 1 + 3 * 2);
        assert!(text.contains(r"\u{1b}[2J\n\u{202e}"), "{text}");
        drop((long, hostile));
    });
}

#[test]
fn long_chain_of_parents_is_written_without_going_deep() {
    fn chain(left: usize) -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async move {
            if left > 0 {
                drop(spawn(chain(left - 1)));
            }
            Notify::new().notified().await;
        })
    }
    let links = if cfg!(miri) { 100 } else { 10_000 };
    run(async {
        drop(spawn(chain(links)));
        while turn::metrics().tasks < links + 1 {
            yield_now().await; // each batch has some of them spawn the next
        }
        yield_now().await;
        let dump = turn::dump();
        assert_eq!(dump.tasks.len(), links + 2);
        assert!(dump.tasks[1..].iter().all(|task| task.polls == 1));
        let text = dump.to_string();
        assert_eq!(text.lines().count(), 1 + (links + 2) * 2);
        assert!(text.lines().all(|line| line.chars().count() < 240));
        assert!(dump.deadlocks().is_empty());
    });
}

#[test]
fn tree_is_drawn_by_parents_and_tells_whose_parent_has_ended() {
    run(async {
        let family = named("a", async {
            drop(named("b", async {
                drop(named("c", pending::<()>()));
                pending::<()>().await;
            }));
            drop(named("d", pending::<()>()));
            pending::<()>().await;
        });
        named("gone", async { drop(named("orphan", pending::<()>())) }).await.unwrap();
        settle().await;
        let text = turn::dump().to_string();
        let first_lines: Vec<String> = text
            .lines()
            .skip(1)
            .step_by(2)
            .map(|line| line.split("  ").next().unwrap_or_default().to_owned())
            .collect();
        assert!(text.contains("\n└─ 0#0 `a`"), "{text}");
        assert!(text.contains("\n   ├─ ") && text.contains("`b`") && text.contains("\n   │  └─ "), "{text}");
        assert!(text.contains("`orphan` (its parent has ended)"), "{text}");
        assert_eq!(first_lines[0], "root");
        drop(family);
    });
}

#[test]
fn task_of_another_loop_that_has_a_lock_is_not_taken_for_one_of_this_loop() {
    let lock = Rc::new(Mutex::new(()));
    let (here, there) = [(); 2].map(|()| Runtime::new().unwrap()).into();
    for runtime in [&here, &there] {
        let lock = Rc::clone(&lock);
        drop(runtime.enter(|| {
            spawn(async move {
                let _guard = lock.lock().await;
                pending::<()>().await;
            })
        }));
        runtime.run(Mode::NoWait).unwrap();
    }
    let by = |runtime: &Runtime| match &*runtime.dump().tasks[0].waits_for {
        [WaitsFor::Held { by, .. }] => Some(by[0].who),
        _ => None,
    };
    assert_eq!(here.dump().tasks[0].key, there.dump().tasks[0].key);
    assert_eq!((by(&here), by(&there)), (None, Some(Cause::Outside)));
    assert!(there.dump().deadlocks().is_empty());
}
