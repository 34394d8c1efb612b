//! Who wakes whom: handles of tasks, and handles of loops on other threads.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{Trace, Watched, manual, ms, until};
use evloop::future::{join, yield_now};
use evloop::sync::oneshot;
use evloop::task::{Builder, JoinHandle};
use evloop::{Handle, Mode, RemoteHandle, Runtime, spawn, time};
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;

fn panic_quietly(text: &'static str) -> ! {
    resume_unwind(Box::new(text))
}

/// Turns the loop until it is asked to stop, on a thread of its own; its handle comes at once.
fn loop_elsewhere() -> (Handle, thread::JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || {
        let runtime = manual();
        runtime.enter(|| drop(spawn(pending::<()>())));
        sender.send(runtime.enter(Handle::current)).unwrap();
        assert!(runtime.run(Mode::UntilDone).unwrap(), "it is stopped");
    });
    (receiver.recv().unwrap(), thread)
}

// --- Handles of tasks --------------------------------------------------------------------------------------------------

#[test]
fn handles_give_outputs_in_the_order_in_which_tasks_end() {
    let (runtime, trace) = (manual(), Trace::default());
    runtime.block_on(async {
        let joins: Vec<JoinHandle<()>> = [("c", 3), ("a", 1), ("b", 2)]
            .into_iter()
            .map(|(name, at)| {
                let (task, trace) = (spawn(time::sleep(ms(at))), trace.clone());
                spawn(async move {
                    task.await.unwrap();
                    trace.note(name);
                })
            })
            .collect();
        for join in joins {
            join.await.unwrap();
        }
    });
    assert_eq!(trace.take(), ["a", "b", "c"]);
}

#[test]
fn aborted_task_is_dropped_where_it_waits_and_its_handle_says_so() {
    struct Note(Trace);
    impl Drop for Note {
        fn drop(&mut self) {
            self.0.note("dropped");
        }
    }
    let (runtime, trace) = (manual(), Trace::default());
    runtime.block_on(async {
        let note = Note(trace.clone());
        let task = spawn(async move {
            let _note = note;
            time::sleep(ms(3_600_000)).await;
        });
        yield_now().await;
        task.abort();
        trace.note("aborted");
        let start = time::now();
        let error = task.await.unwrap_err();
        assert!(error.is_cancelled() && !error.is_panic());
        assert_eq!(error.to_string(), "the task was cancelled");
        assert_eq!(time::now(), start, "its timer is gone with it");
    });
    assert_eq!(trace.take(), ["aborted", "dropped"]);
}

#[test]
fn panic_of_a_task_is_told_by_its_handle_and_goes_on_where_that_is_wanted() {
    let runtime = manual();
    runtime.block_on(async {
        let broken: JoinHandle<()> = spawn(async { panic_quietly("broken") });
        let error = broken.await.unwrap_err();
        assert!(error.is_panic() && !error.is_cancelled());
        assert_eq!((error.panic_message(), error.to_string().as_str()), (Some("broken"), "the task panicked: broken"));
        let payload = catch_unwind(AssertUnwindSafe(|| error.resume_panic())).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"broken"));
    });
}

#[test]
fn detached_task_runs_on_and_its_panic_is_nobodys() {
    let (runtime, trace) = (manual(), Trace::default());
    runtime.enter(|| {
        let noted = trace.clone();
        drop(spawn(async { panic_quietly("for nobody") }));
        drop(spawn(async move {
            yield_now().await;
            noted.note("ran on");
        }));
    });
    while runtime.run(Mode::NoWait).unwrap() {}
    assert_eq!(trace.take(), ["ran on"]);
}

#[test]
fn handle_may_be_kept_beyond_its_loop() {
    let runtime = manual();
    let (ended, unfinished) = runtime.enter(|| (spawn(async { 1 }), spawn(pending::<()>())));
    runtime.run(Mode::NoWait).unwrap();
    drop(runtime);
    assert!(ended.is_finished() && unfinished.is_finished());
    unfinished.abort();
    let other = manual();
    assert_eq!(other.block_on(ended).unwrap(), 1);
    assert!(other.block_on(unfinished).unwrap_err().is_cancelled());
}

#[test]
fn named_task_tells_its_name() {
    let runtime = manual();
    let task = runtime.enter(|| Builder::new().name("keeper").spawn(pending::<()>()));
    let info = runtime.tasks().info(task.key()).unwrap();
    assert_eq!(info.name.as_deref(), Some("keeper"));
    assert!(info.spawned_at.file().ends_with("wakes.rs"));
}

#[test]
fn task_that_waits_for_itself_ends_with_its_loop() {
    struct Note(Rc<Cell<bool>>);
    impl Drop for Note {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let runtime = manual();
    let own: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
    let inner = Rc::clone(&own);
    let dropped = Rc::new(Cell::new(false));
    let note = Note(Rc::clone(&dropped));
    let handle = runtime.enter(|| {
        spawn(async move {
            let _note = note;
            let own = inner.take().unwrap();
            assert!(own.await.is_err());
        })
    });
    *own.borrow_mut() = Some(handle);
    runtime.run(Mode::NoWait).unwrap();
    assert!(runtime.is_alive());
    drop(runtime);
    assert!(dropped.get());
}

// --- Handles of loops --------------------------------------------------------------------------------------------------

#[test]
fn future_made_by_a_stranger_lives_on_the_loops_thread() {
    let (handle, home) = loop_elsewhere();
    let thread = home.thread().id();
    let output = handle.spawn(move || {
        let shared = Rc::new(Cell::new(1)); // not `Send`
        async move {
            yield_now().await;
            time::sleep(ms(3_600_000)).await;
            shared.set(shared.get() + 1);
            (shared.get(), thread::current().id() == thread)
        }
    });
    assert_eq!(output.wait().unwrap(), (2, true));
    handle.stop();
    home.join().unwrap();
}

#[test]
fn panics_of_remote_tasks_come_back_to_who_waits() {
    let (handle, home) = loop_elsewhere();
    let in_future: RemoteHandle<()> = handle.spawn(|| async { panic_quietly("in the future") });
    let in_closure: RemoteHandle<()> = handle.spawn(|| -> std::future::Ready<()> { panic_quietly("in the closure") });
    assert_eq!(in_future.wait().unwrap_err().panic_message(), Some("in the future"));
    assert_eq!(in_closure.wait().unwrap_err().panic_message(), Some("in the closure"));
    assert_eq!(handle.spawn(|| async { "goes on" }).wait().unwrap(), "goes on");
    handle.stop();
    home.join().unwrap();
}

#[test]
fn remote_task_runs_on_when_its_handle_is_dropped() {
    let (handle, home) = loop_elsewhere();
    let (sender, receiver) = mpsc::channel();
    drop(handle.spawn(move || async move {
        yield_now().await;
        sender.send("ran on").unwrap();
    }));
    assert_eq!(receiver.recv(), Ok("ran on"));
    handle.stop();
    home.join().unwrap();
}

#[test]
fn calls_of_one_stranger_are_made_in_their_order() {
    let (handle, home) = loop_elsewhere();
    let (sender, receiver) = mpsc::channel();
    for n in 0..100 {
        let sender = sender.clone();
        drop(handle.spawn(move || async move { sender.send(n).unwrap() }));
    }
    drop(sender);
    assert_eq!(receiver.iter().collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    handle.stop();
    home.join().unwrap();
}

#[test]
fn remote_handle_is_awaited_from_another_loop() {
    let (handle, home) = loop_elsewhere();
    let sum = manual().block_on(async {
        let (one, two) = join(handle.spawn(|| async { 1 }), handle.spawn(|| async { 2 })).await;
        one.unwrap() + two.unwrap()
    });
    assert_eq!(sum, 3);
    handle.stop();
    home.join().unwrap();
}

#[test]
fn waiting_for_a_remote_task_inside_of_a_loop_is_refused() {
    let (handle, home) = loop_elsewhere();
    let refused = manual().block_on(async {
        let remote = handle.spawn(|| async {});
        catch_unwind(AssertUnwindSafe(|| remote.wait().unwrap()))
    });
    let text = refused.unwrap_err();
    assert!(text.downcast_ref::<&str>().is_some_and(|text| text.contains("await the handle")));
    handle.stop();
    home.join().unwrap();
}

#[test]
fn handle_of_a_loop_that_has_gone_says_so() {
    let (handle, home) = loop_elsewhere();
    let unfinished = handle.spawn(pending::<()>);
    assert!(handle.is_open());
    handle.stop();
    home.join().unwrap();
    assert!(!handle.is_open());
    assert!(unfinished.wait().unwrap_err().is_cancelled());
    let kept = Arc::new(());
    let theirs = Arc::clone(&kept);
    let never = handle.spawn(move || async move { drop(theirs) });
    assert!(never.wait().unwrap_err().is_cancelled());
    assert_eq!(Arc::strong_count(&kept), 1, "what was to travel is dropped");
    handle.stop();
    handle.wake();
}

#[test]
fn letters_that_were_never_read_are_dropped_with_the_loop() {
    let runtime = manual();
    let handle = runtime.enter(Handle::current);
    let kept = Arc::new(());
    let theirs = Arc::clone(&kept);
    let remote = handle.spawn(move || async move { drop(theirs) });
    drop(runtime);
    assert_eq!(Arc::strong_count(&kept), 1);
    assert!(remote.wait().unwrap_err().is_cancelled());
}

#[test]
fn wake_through_the_handle_ends_one_sleep() {
    let runtime = manual();
    let (handle, home) = (runtime.enter(Handle::current), Watched::this_thread());
    let task = runtime.enter(|| spawn(pending::<()>()));
    runtime.run(Mode::NoWait).unwrap();
    let stranger = thread::spawn(move || {
        until(|| home.sleeps());
        handle.wake();
    });
    assert!(runtime.run(Mode::Once).unwrap());
    assert!(!task.is_finished());
    stranger.join().unwrap();
}

#[test]
fn many_strangers_wake_many_tasks_and_no_wake_is_lost() {
    const STRANGERS: usize = 4;
    const ROUNDS: usize = 250;
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..STRANGERS * ROUNDS).map(|_| oneshot::channel::<usize>()).unzip();
    let mut shares: Vec<Vec<_>> = (0..STRANGERS).map(|_| Vec::new()).collect();
    for (n, sender) in senders.into_iter().enumerate() {
        shares[n % STRANGERS].push((n, sender));
    }
    let strangers: Vec<_> = shares
        .into_iter()
        .map(|share| {
            thread::spawn(move || {
                for (n, sender) in share {
                    sender.send(n).unwrap();
                }
            })
        })
        .collect();
    let sum: usize = manual().block_on(async {
        let tasks: Vec<_> = receivers.into_iter().map(|receiver| spawn(async { receiver.await.unwrap() })).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        sum
    });
    for stranger in strangers {
        stranger.join().unwrap();
    }
    assert_eq!(sum, (0..STRANGERS * ROUNDS).sum::<usize>());
}

#[test]
fn wakers_of_a_loop_that_has_gone_may_be_used_and_dropped_anywhere() {
    let runtime = Runtime::new().unwrap();
    let waker = runtime.block_on(std::future::poll_fn(|cx| std::task::Poll::Ready(cx.waker().clone())));
    let task = runtime.enter(|| spawn(std::future::poll_fn(|cx| std::task::Poll::Ready(cx.waker().clone()))));
    let other = runtime.block_on(task).unwrap();
    drop(runtime);
    waker.wake_by_ref();
    thread::spawn(move || {
        waker.wake();
        other.wake_by_ref();
        drop(other);
    })
    .join()
    .unwrap();
}
