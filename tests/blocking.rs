//! Work that blocks, on threads beside the loop.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{Trace, Watched, in_child, manual, ms, narrow, run_until_done, until};
use evloop::engine::Pool;
use evloop::engine::trace::Wait;
use evloop::future::{join, yield_now};
use evloop::task::{Blocking, JobClass, PoolLimits, spawn_blocking_in};
use evloop::{Handle, Mode, Runtime, spawn, spawn_blocking, time};
use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::time::Duration;
use std::{io, thread};

/// Work that says when it has begun, and ends when the other end is dropped.
fn gate() -> (impl FnOnce() + Send + 'static, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (begun, has_begun) = mpsc::channel();
    let (open, wait) = mpsc::channel::<()>();
    let work = move || {
        begun.send(()).unwrap();
        assert!(wait.recv().is_err());
    };
    (work, has_begun, open)
}

#[test]
fn work_is_done_on_another_thread_and_its_result_comes_home() {
    manual().block_on(async {
        let home = thread::current().id();
        let (there, sum) = spawn_blocking(move || (thread::current().id(), 2 + 2)).await.unwrap();
        assert_eq!(sum, 4);
        assert_ne!(there, home);
    });
}

#[test]
fn panic_of_the_work_is_told_to_who_waits() {
    manual().block_on(async {
        let error = spawn_blocking(|| -> u8 { resume_unwind(Box::new("broken")) }).await.unwrap_err();
        assert_eq!(error.panic_message(), Some("broken"));
        assert_eq!(spawn_blocking(|| "the pool lives on").await.unwrap(), "the pool lives on");
    });
}

#[test]
fn loop_turns_while_the_work_blocks() {
    let (runtime, trace) = (manual(), Trace::default());
    runtime.block_on(async {
        let (work, begun, open) = gate();
        let (noted, other) = (trace.clone(), trace.clone());
        let blocked = spawn(async move {
            spawn_blocking(work).await.unwrap();
            noted.note("work done");
        });
        let turning = spawn(async move {
            for n in 0..3 {
                other.note(format!("turn {n}"));
                yield_now().await;
            }
            begun.recv().unwrap();
            drop(open);
        });
        let (blocked, turning) = join(blocked, turning).await;
        blocked.and(turning).unwrap();
    });
    assert_eq!(trace.take(), ["turn 0", "turn 1", "turn 2", "work done"]);
}

#[test]
fn work_that_finds_the_queue_full_waits_for_a_place_and_keeps_its_turn() {
    let runtime = narrow();
    let done: Arc<Mutex<Vec<&str>>> = Arc::default();
    runtime.block_on(async {
        let (work, begun, open) = gate();
        let first = spawn_blocking(work);
        begun.recv().unwrap();
        let mut tasks = Vec::new();
        for name in ["queued", "outside", "behind it"] {
            let done = Arc::clone(&done);
            tasks.push(spawn(spawn_blocking(move || done.lock().unwrap().push(name))));
        }
        yield_now().await;
        for task in &tasks {
            let info = runtime.tasks().info(task.key()).unwrap();
            assert!(matches!(info.waits_for, Some(Wait::Pool(..))));
        }
        assert!(done.lock().unwrap().is_empty());
        drop(open);
        first.await.unwrap();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    });
    assert_eq!(*done.lock().unwrap(), ["queued", "outside", "behind it"]);
}

#[test]
fn work_dropped_before_it_begins_is_never_done() {
    narrow().block_on(async {
        let (work, begun, open) = gate();
        let first = spawn_blocking(work);
        begun.recv().unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let [in_queue, outside] = [(); 2].map(|()| {
            let done = Arc::clone(&done);
            spawn_blocking(move || done.store(true, SeqCst))
        });
        // One of them stands in line for a place when it is dropped.
        let waiting = spawn(outside);
        yield_now().await;
        drop(in_queue);
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        drop(open);
        first.await.unwrap();
        assert_eq!(spawn_blocking(|| "the next").await.unwrap(), "the next");
        assert!(!done.load(SeqCst));
        assert_eq!(Arc::strong_count(&done), 1, "what it held is dropped");
    });
}

#[test]
fn who_leaves_the_line_hands_the_place_on() {
    narrow().block_on(async {
        let (work, begun, open) = gate();
        let first = spawn_blocking(work);
        begun.recv().unwrap();
        let queued = spawn_blocking(|| ());
        let leaves = spawn(spawn_blocking(|| ()));
        let stays = spawn(spawn_blocking(|| "done"));
        yield_now().await;
        drop(open);
        leaves.abort();
        first.await.unwrap();
        queued.await.unwrap();
        assert_eq!(stays.await.unwrap().unwrap(), "done");
    });
}

#[test]
fn work_under_way_keeps_the_loop_alive_until_it_is_done() {
    let runtime = manual();
    let (work, begun, open) = gate();
    let blocking = runtime.enter(|| spawn_blocking(work));
    begun.recv().unwrap();
    assert!(runtime.is_alive());
    assert!(runtime.run(Mode::NoWait).unwrap());
    drop(open);
    runtime.block_on(blocking).unwrap();
    until(|| !runtime.is_alive());
}

#[test]
fn run_until_done_ends_with_the_last_job_though_nobody_waits_for_it() {
    let runtime = manual();
    let (work, begun, open) = gate();
    let blocking = runtime.enter(|| spawn_blocking(work));
    begun.recv().unwrap();
    drop(blocking); // it has begun, so it runs to its end
    let home = Watched::this_thread();
    let stranger = thread::spawn(move || {
        until(|| home.sleeps());
        drop(open);
    });
    assert!(!run_until_done(&runtime));
    stranger.join().unwrap();
}

#[test]
fn run_until_done_ends_with_the_task_that_waits_for_the_last_job() {
    let runtime = manual();
    for _ in 0..300 {
        let task = runtime.enter(|| spawn(spawn_blocking(|| ())));
        run_until_done(&runtime);
        assert!(task.is_finished());
    }
}

#[test]
fn run_until_done_ends_with_a_job_that_a_task_of_this_run_left_behind() {
    let runtime = Runtime::new().unwrap(); // the system's clock: a manual one asks the pool for reasons of its own
    let (work, begun, open) = gate();
    runtime.enter(|| {
        drop(spawn(async move {
            let blocking = spawn_blocking(work);
            begun.recv().unwrap();
            drop(blocking); // it has begun, so it runs to its end
        }));
    });
    let home = Watched::this_thread();
    let stranger = thread::spawn(move || {
        until(|| home.sleeps());
        drop(open);
    });
    assert!(!run_until_done(&runtime));
    stranger.join().unwrap();
}

#[test]
fn turns_one_by_one_end_with_the_last_job_as_well() {
    let runtime = Runtime::new().unwrap();
    let [over, hung] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let (handle, home) = (runtime.enter(Handle::current), Watched::this_thread());
    let (is_over, has_hung) = (Arc::clone(&over), Arc::clone(&hung));
    let watcher = thread::spawn(move || {
        until(|| is_over.load(SeqCst) || (0..20).all(|_| home.sleeps()));
        has_hung.store(!is_over.load(SeqCst), SeqCst);
        handle.wake();
    });
    for _ in 0..500 {
        drop(runtime.enter(|| spawn(spawn_blocking(|| ()))));
        while runtime.run(Mode::Once).unwrap() {}
        assert!(!hung.load(SeqCst), "a turn slept, and nothing was left to wake it");
    }
    over.store(true, SeqCst);
    watcher.join().unwrap();
}

#[test]
fn loop_that_ends_drops_what_has_not_begun_and_waits_for_nobody() {
    let runtime = narrow();
    let (work, begun, open) = gate();
    let kept = Arc::new(());
    let (under_way, waiting) = runtime.enter(|| {
        let under_way = spawn_blocking(work);
        begun.recv().unwrap();
        let theirs = Arc::clone(&kept);
        (under_way, spawn_blocking(move || drop(theirs)))
    });
    assert!(!runtime.shut_down(Duration::ZERO), "one is under way");
    assert_eq!(Arc::strong_count(&kept), 1);
    assert!(manual().block_on(waiting).unwrap_err().is_cancelled());
    drop(open);
    assert!(manual().block_on(under_way).is_ok(), "its result still comes, to whoever waits");
}

#[test]
fn shutting_down_waits_for_what_is_under_way() {
    let runtime = narrow();
    let (work, begun, open) = gate();
    let blocking = runtime.enter(|| spawn_blocking(work));
    begun.recv().unwrap();
    let home = Watched::this_thread();
    let stranger = thread::spawn(move || {
        until(|| home.sleeps());
        drop(open);
    });
    assert!(runtime.shut_down(Duration::MAX));
    stranger.join().unwrap();
    assert!(manual().block_on(blocking).is_ok());
}

#[test]
fn timeout_gives_up_on_work_that_runs_on() {
    let runtime = manual();
    let (work, begun, open) = gate();
    let done = runtime.block_on(async move {
        let blocking = spawn_blocking(work);
        begun.recv().unwrap();
        time::advance(ms(10));
        let gave_up = time::timeout_at(time::now(), blocking).await.is_err();
        drop(open);
        gave_up
    });
    assert!(done);
    assert!(runtime.shut_down(Duration::MAX));
}

/// Polls the work once, as a task that awaits it does.
async fn poll_once<T>(work: &mut Blocking<T>) {
    poll_fn(|cx| {
        assert!(Pin::new(&mut *work).poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

#[test]
fn queued_work_is_cancelled_and_its_place_is_free_at_once() {
    for class in JobClass::ALL {
        narrow().block_on(async {
            let (work, begun, open) = gate();
            let first = spawn_blocking_in(class, work);
            begun.recv().unwrap();
            let held = Arc::new(());
            for _ in 0..3 {
                let theirs = Arc::clone(&held);
                let mut queued = spawn_blocking_in(class, move || drop(theirs));
                poll_once(&mut queued).await; // enough for one that found no place to stand in line
                assert_eq!(evloop::task::pool().load().class(class).queued, 1);
                assert!(queued.cancel());
                assert_eq!(Arc::strong_count(&held), 1, "what it held is dropped");
                assert!(!queued.cancel(), "once is enough");
                assert!(queued.await.unwrap_err().is_cancelled());
            }
            drop(open);
            first.await.unwrap();
        });
    }
}

#[test]
fn work_under_way_is_not_cancelled_and_its_result_still_comes() {
    narrow().block_on(async {
        let (work, begun, open) = gate();
        let mut busy = spawn_blocking(move || {
            work();
            "done"
        });
        begun.recv().unwrap();
        assert!(!busy.cancel());
        drop(open);
        assert_eq!(busy.await.unwrap(), "done");
    });
}

#[test]
fn work_that_has_ended_is_not_cancelled() {
    let runtime = narrow();
    runtime.block_on(async {
        let mut ended = spawn_blocking(|| "done");
        until(|| !runtime.pool().is_busy());
        assert!(!ended.cancel());
        assert_eq!(ended.await.unwrap(), "done");
    });
}

#[test]
fn work_that_stands_in_line_is_cancelled_and_the_next_moves_up() {
    narrow().block_on(async {
        let (work, begun, open) = gate();
        let first = spawn_blocking(work);
        begun.recv().unwrap();
        let queued = spawn_blocking(|| ());
        let mut in_line = spawn_blocking(|| unreachable!("it was cancelled"));
        let mut behind = spawn_blocking(|| "done");
        poll_once(&mut in_line).await;
        poll_once(&mut behind).await;
        let pool = evloop::task::pool();
        assert_eq!(pool.load().general.waiting, 2);
        assert!(in_line.cancel());
        assert_eq!(pool.load().general.waiting, 1);
        drop(open);
        assert!(in_line.await.unwrap_err().is_cancelled());
        assert_eq!(behind.await.unwrap(), "done");
        first.await.unwrap();
        queued.await.unwrap();
    });
}

#[test]
fn cancelled_work_keeps_no_loop_alive() {
    let runtime = narrow();
    let (work, begun, open) = gate();
    let first = runtime.enter(|| spawn_blocking(work));
    begun.recv().unwrap();
    assert!(runtime.enter(|| spawn_blocking(|| ())).cancel());
    drop(open);
    runtime.block_on(first).unwrap();
    assert!(!run_until_done(&runtime));
    assert_eq!(runtime.pool_load().general.cancelled, 1);
}

/// A pool that has as many jobs of the class under way as it may, and one more queued.
fn saturate(pool: &Pool, class: JobClass, class_max: usize) -> Vec<mpsc::Sender<()>> {
    let opens = (0..class_max).map(|_| {
        let (work, begun, open) = gate();
        pool.submit(class, Box::new(work)).unwrap();
        begun.recv().unwrap();
        open
    });
    let opens = opens.collect();
    pool.submit(class, Box::new(|| ())).unwrap();
    opens
}

#[test]
fn names_that_hang_hold_no_files_and_no_work_up() {
    let limits = PoolLimits { queued_max: 1, ..PoolLimits::default() };
    let runtime = Runtime::builder().manual_clock().pool(limits).build().unwrap();
    let opens = saturate(runtime.pool(), JobClass::Names, limits.class_max(JobClass::Names));
    runtime.block_on(async {
        assert_eq!(spawn_blocking_in(JobClass::Files, || "file").await.unwrap(), "file");
        assert_eq!(spawn_blocking(|| "work").await.unwrap(), "work");
    });
    assert_eq!(runtime.pool_load().names.queued, 1);
    drop(opens);
    assert!(runtime.shut_down(Duration::MAX));
}

#[test]
fn line_of_one_class_is_no_line_for_the_others() {
    let limits = PoolLimits { threads_max: 3, queued_max: 1, ..PoolLimits::default() };
    let runtime = Runtime::builder().manual_clock().pool(limits).build().unwrap();
    let opens = saturate(runtime.pool(), JobClass::Files, 1);
    runtime.block_on(async {
        let mut outside = spawn_blocking_in(JobClass::Files, || "at last");
        poll_once(&mut outside).await;
        assert_eq!(runtime.pool_load().files.waiting, 1);
        for class in [JobClass::General, JobClass::Names] {
            assert_eq!(spawn_blocking_in(class, || "done").await.unwrap(), "done");
        }
        drop(opens);
        assert_eq!(outside.await.unwrap(), "at last");
    });
}

#[test]
fn load_is_told_on_any_thread_while_the_loop_is_busy() {
    let runtime = narrow();
    let pool = runtime.pool().clone();
    let opens = saturate(&pool, JobClass::General, 1);
    let load = thread::spawn(move || pool.load()).join().unwrap();
    assert_eq!((load.threads, load.idle), (1, 0));
    let work = load.general;
    assert_eq!((work.running, work.queued, work.queued_peak, work.submitted, work.finished), (1, 1, 1, 2, 0));
    assert_eq!(load.total(), work);
    drop(opens);
    until(|| runtime.pool_load().general.finished == 2 && runtime.pool_load().idle == 1);
}

#[test]
fn loops_of_several_threads_have_a_pool_each() {
    let loops = [3, 4].map(|jobs| {
        thread::spawn(move || {
            let runtime = manual();
            runtime.block_on(async {
                for job in 0..jobs {
                    assert_eq!(spawn_blocking(move || job).await.unwrap(), job);
                }
            });
            runtime.pool_load().total().submitted
        })
    });
    assert_eq!(loops.map(|it| it.join().unwrap()), [3, 4]);
}

#[test]
fn loop_whose_pool_could_do_nothing_is_not_built() {
    for limits in [
        PoolLimits { threads_max: 0, ..PoolLimits::default() },
        PoolLimits { queued_max: 0, ..PoolLimits::default() },
        PoolLimits { names_max: Some(0), ..PoolLimits::default() },
    ] {
        let error = Runtime::builder().pool(limits).build().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), "a pool needs a thread for each class and a place in its queue");
    }
}

#[test]
fn environment_bounds_the_pool_unless_the_program_does() {
    in_child("environment_bounds_the_pool_unless_the_program_does", "export EVLOOP_POOL_THREADS=1;", || {
        let runtime = Runtime::new().unwrap();
        let opens = saturate(runtime.pool(), JobClass::Files, 1);
        runtime.pool().submit(JobClass::Names, Box::new(|| ())).unwrap();
        assert_eq!((runtime.pool_load().threads, runtime.pool_load().names.queued), (1, 1));
        drop(opens);

        let limits = PoolLimits { threads_max: 3, ..PoolLimits::default() };
        let runtime = Runtime::builder().pool(limits).build().unwrap();
        let opens = saturate(runtime.pool(), JobClass::Files, 1);
        runtime.block_on(async { spawn_blocking_in(JobClass::Names, || ()).await }).unwrap();
        drop(opens);
    });
}

#[test]
fn environment_that_gives_no_number_is_an_error_of_build() {
    in_child("environment_that_gives_no_number_is_an_error_of_build", "export EVLOOP_POOL_THREADS=many;", || {
        let error = Runtime::new().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), "EVLOOP_POOL_THREADS is \"many\", and not a number from 1 to 1024");
        assert!(Runtime::builder().pool(PoolLimits::default()).build().is_ok(), "nobody asks");
    });
}
