use super::JoinSet;
use crate::future::yield_now;
use crate::{TaskBuilder, block_on, context, spawn};
use proptest::prelude::*;
use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::panic::Location;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};

/// Who has ended, in order: a task's guard tells when its future is dropped.
#[derive(Clone, Default)]
struct Ended(Rc<RefCell<Vec<usize>>>);

impl Ended {
    fn guard(&self, number: usize) -> Guard {
        Guard(self.clone(), number)
    }

    fn take(&self) -> Vec<usize> {
        self.0.take()
    }
}

struct Guard(Ended, usize);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.0.borrow_mut().push(self.1);
    }
}

async fn yields(turns: usize) {
    for _ in 0..turns {
        yield_now().await;
    }
}

/// Tasks 0, 1, 2 that never end by themselves, and have begun.
async fn three_endless(ended: &Ended) -> JoinSet<()> {
    let mut set = JoinSet::new();
    for number in 0..3 {
        let guard = ended.guard(number);
        set.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
    }
    yield_now().await;
    set
}

#[test]
fn ends_are_given_in_their_order_also_when_they_came_before_the_first_join() {
    block_on(async {
        let mut set = JoinSet::new();
        for turns in [3, 1, 2] {
            set.spawn(async move {
                yields(turns).await;
                turns
            });
        }
        yields(5).await;
        assert_eq!(set.len(), 3);
        for turns in [1, 2, 3] {
            assert_eq!(set.join_next().await.unwrap().unwrap(), turns);
        }
        assert!(set.join_next().await.is_none());
    });
}

#[test]
fn dropped_set_ends_its_tasks_in_order_before_the_drop_returns() {
    block_on(async {
        let ended = Ended::default();
        let set = three_endless(&ended).await;
        assert_eq!(ended.take(), [0_usize; 0]);
        drop(set);
        assert_eq!(ended.take(), [0, 1, 2]);
        assert_eq!(context::current().tasks.len(), 0);
    });
}

#[test]
fn set_that_a_child_drops_ends_that_child_with_its_poll() {
    block_on(async {
        let ended = Ended::default();
        let set = Rc::new(RefCell::new(Some(three_endless(&ended).await)));
        let (inner, theirs) = (Rc::clone(&set), ended.clone());
        let guard = ended.guard(3);
        set.borrow_mut().as_mut().unwrap().spawn(async move {
            let _guard = guard;
            let set = inner.take();
            drop(set);
            assert_eq!(theirs.take(), [0, 1, 2], "all but this one");
            pending::<()>().await;
        });
        yields(2).await;
        assert_eq!(ended.take(), [3]);
    });
}

#[test]
fn shutdown_waits_until_all_have_ended() {
    block_on(async {
        let ended = Ended::default();
        let mut set = three_endless(&ended).await;
        set.shutdown().await;
        assert_eq!((ended.take(), set.len()), (vec![0, 1, 2], 0));
    });
}

#[test]
fn shutdown_that_is_dropped_loses_nothing() {
    block_on(async {
        let ended = Ended::default();
        let mut set = three_endless(&ended).await;
        let polled = pin!(set.shutdown()).poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        yields(2).await;
        assert_eq!((ended.take(), set.len()), (vec![0, 1, 2], 3));
        for _ in 0..3 {
            assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
        }
    });
}

#[test]
fn aborted_tasks_stay_until_they_are_joined_and_who_has_ended_keeps_its_output() {
    block_on(async {
        let mut set = JoinSet::new();
        set.spawn(async { 1 });
        let endless = set.spawn(pending());
        yield_now().await;
        set.abort_all();
        assert!(!endless.is_finished(), "it ends in the next batch");
        let ends = set.join_all().await;
        assert!(matches!(ends.as_slice(), [Ok(1), Err(cancelled)] if cancelled.is_cancelled()), "{ends:?}");
        assert!(endless.is_finished());
    });
}

#[test]
fn panic_of_one_is_told_and_the_others_go_on() {
    block_on(async {
        let mut set = JoinSet::new();
        set.spawn(async { panic!("on purpose") });
        set.spawn(async { 2 });
        let first = set.join_next().await.unwrap();
        assert_eq!(first.unwrap_err().panic_message(), Some("on purpose"));
        assert_eq!(set.join_next().await.unwrap().unwrap(), 2);
    });
}

#[test]
fn detached_tasks_run_on() {
    block_on(async {
        let ended = Ended::default();
        let mut set = JoinSet::new();
        for number in 0..2 {
            let guard = ended.guard(number);
            set.spawn(async move {
                let _guard = guard;
                yields(2 - number).await;
            });
        }
        set.detach_all();
        assert!(set.is_empty());
        drop(set);
        yields(4).await;
        assert_eq!(ended.take(), [1, 0]);
    });
}

#[test]
fn try_join_next_gives_who_has_ended_and_does_not_wait() {
    block_on(async {
        let mut set = JoinSet::new();
        assert!(set.try_join_next().is_none());
        let adopted = spawn(async { 1 });
        yield_now().await;
        assert!(adopted.is_finished());
        set.insert(adopted);
        set.spawn(async { 2 });
        assert_eq!(set.try_join_next().unwrap().unwrap(), 1);
        assert!(set.try_join_next().is_none());
        yield_now().await;
        assert_eq!(set.try_join_next().unwrap().unwrap(), 2);
        assert!(set.is_empty());
    });
}

#[test]
fn children_keep_their_names_and_the_places_of_their_spawns() {
    block_on(async {
        let mut set = JoinSet::new();
        let (here, task) = (Location::caller(), set.spawn_with(TaskBuilder::new().name("named"), async {}));
        let info = context::current().tasks.info(task.key()).unwrap();
        assert_eq!((info.name.as_deref(), info.spawned_at.line()), (Some("named"), here.line()));
        let (here, task) = (Location::caller(), set.spawn(async {}));
        let info = context::current().tasks.info(task.key()).unwrap();
        assert_eq!((info.name, info.spawned_at.file(), info.spawned_at.line()), (None, here.file(), here.line()));
    });
}

#[test]
fn who_joins_many_is_polled_once_for_all_that_ended_meanwhile() {
    let tasks = if cfg!(miri) { 20 } else { 1_000 };
    block_on(async {
        let mut set = JoinSet::new();
        for _ in 0..tasks {
            set.spawn(yield_now());
        }
        let (mut polls, mut joined) = (0, 0);
        let mut all = pin!(async {
            while let Some(end) = set.join_next().await {
                end.unwrap();
                joined += 1;
            }
        });
        poll_fn(|cx| {
            polls += 1;
            all.as_mut().poll(cx)
        })
        .await;
        assert!(polls <= 3, "{polls} polls for {tasks} tasks");
        assert_eq!(joined, tasks);
    });
}

#[test]
fn set_may_outlive_its_loop() {
    let ended = Ended::default();
    let mut set = block_on(async { three_endless(&ended).await });
    assert_eq!(ended.take(), [0, 1, 2]);
    assert!(set.try_join_next().unwrap().unwrap_err().is_cancelled());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 3 } else { 128 }, failure_persistence: None, ..ProptestConfig::default() })]

    /// The slow twin: the list that the tasks themselves keep, in the order of their ends.
    #[test]
    fn set_agrees_with_the_list_of_ends(turns in prop::collection::vec(0..6_usize, 1..20), waits in prop::collection::vec(0..4_usize, 20), aborts in prop::collection::vec(any::<bool>(), 20)) {
        let (joined, ends) = block_on(async {
            let (ended, mut set, mut joined) = (Ended::default(), JoinSet::new(), Vec::new());
            for (number, (turns, (wait, abort))) in turns.into_iter().zip(waits.into_iter().zip(aborts)).enumerate() {
                let guard = ended.guard(number);
                let task = set.spawn(async move {
                    let _guard = guard;
                    yields(turns).await;
                    number
                });
                yields(wait).await;
                if abort {
                    task.abort();
                    joined.extend(set.try_join_next());
                }
            }
            while let Some(end) = set.join_next().await {
                joined.push(end);
            }
            (joined, ended.take())
        });
        prop_assert_eq!(joined.len(), ends.len());
        for (joined, ended) in joined.into_iter().zip(ends) {
            prop_assert_eq!(joined.unwrap_or(ended), ended); // who was aborted cannot say its number
        }
    }
}

#[test]
fn tasks_that_were_let_go_do_not_hide_one_that_has_ended() {
    block_on(async {
        let mut set = JoinSet::new();
        for _ in 0..3 {
            set.spawn(async {});
        }
        yield_now().await;
        set.detach_all();
        set.spawn(async {});
        yield_now().await;
        assert!(set.try_join_next().is_some());
    });
}
