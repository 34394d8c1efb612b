//! The order of things in a turn, how far a run goes, and who keeps whom waiting.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{Counter, Trace, Watched, Writer, manual, ms, observed, run_until_done, until};
use evloop::engine::trace::{OPERATIONS_PER_POLL, poll_budget};
use evloop::future::{join, yield_now};
use evloop::io::AsyncRead;
use evloop::net::{TcpListener, TcpStream};
use evloop::sync::oneshot;
use evloop::{Handle, Mode, Runtime, spawn, time};
use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::Poll;
use std::thread;

/// Wakes its own task, and is done when that is polled again: a task that never rests, without asking for the next turn.
async fn again() {
    let mut first = true;
    poll_fn(|cx| {
        if std::mem::take(&mut first) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

/// A connection: our end on the loop, the other in std's hands.
async fn connection() -> (TcpStream, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().await.unwrap();
    (ours, theirs)
}

// --- A turn ----------------------------------------------------------------------------------------------------------

#[test]
fn phases_come_in_their_order_in_every_turn() {
    let trace = Trace::default();
    let runtime = observed(Rc::new(Writer(trace.clone())));
    runtime.block_on(async {
        time::sleep(ms(5)).await;
    });
    let turn = ["Run", "  root by Outside", "Poll", "Mail", "Timers", "Run", "  root by Timer"];
    assert_eq!(trace.take(), turn);
}

#[test]
fn what_the_kernel_says_comes_before_mail_and_mail_before_deadlines() {
    let trace = Trace::default();
    let runtime = manual();
    runtime.block_on(async {
        let (mut ours, mut theirs) = connection().await;
        let (sender, receiver) = oneshot::channel();
        let noted = trace.clone();
        let timer = spawn(async move {
            time::sleep(ms(1)).await;
            noted.note("timer");
        });
        let noted = trace.clone();
        let mail = spawn(async move {
            receiver.await.unwrap();
            noted.note("mail");
        });
        let noted = trace.clone();
        let io = spawn(async move {
            ours.read_exact(&mut [0]).await.unwrap();
            noted.note("io");
        });
        let tasks = Rc::clone(runtime.tasks());
        let queued = [timer.key(), mail.key(), io.key()];
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            let waits = |key| tasks.info(key).is_some_and(|info| info.waits_for.is_some());
            if queued.iter().all(|key| waits(*key)) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        // All three are awaited. Now all three happen, in the worst order, before the turn goes on.
        time::advance(ms(1));
        thread::spawn(move || sender.send(()).unwrap()).join().unwrap();
        theirs.write_all(b"x").unwrap();
        for task in [timer, mail, io] {
            task.await.unwrap();
        }
    });
    assert_eq!(trace.take(), ["io", "mail", "timer"]);
}

#[test]
fn deadline_that_passed_is_met_although_something_is_always_queued() {
    let trace = Trace::default();
    let runtime = observed(Rc::new(Writer(trace.clone())));
    let polls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&polls);
    runtime.block_on(async move {
        drop(spawn(async move {
            loop {
                counted.set(counted.get() + 1);
                time::advance(ms(1));
                again().await;
            }
        }));
        time::sleep(ms(10)).await;
    });
    let turns = trace.take().iter().filter(|note| *note == "Run").count();
    assert_eq!(turns, 2, "it is due after the first batch");
    assert!(polls.get() >= 10, "the clock was moved by the one who never stops");
}

#[test]
fn self_waking_task_keeps_no_socket_from_being_read() {
    let counter = Rc::new(Counter::default());
    let runtime = observed(Rc::clone(&counter) as _);
    runtime.block_on(async {
        let (mut ours, mut theirs) = connection().await;
        drop(spawn(async {
            loop {
                yield_now().await;
            }
        }));
        let read = spawn(async move { ours.read(&mut [0; 8]).await.unwrap() });
        yield_now().await; // the reader finds nothing and waits
        theirs.write_all(b"word").unwrap();
        assert_eq!(read.await.unwrap(), 4);
    });
    assert!(counter.turns.get() < 10, "{} turns", counter.turns.get());
}

#[test]
fn connection_with_endless_data_keeps_nobody_from_a_turn() {
    let runtime = manual();
    runtime.block_on(async {
        let (mut ours, mut theirs) = connection().await;
        let flood = vec![0; 4_096];
        theirs.write_all(&flood).unwrap();
        // Wait until the kernel has handed over all of it.
        let mut all = vec![0; flood.len()];
        while ours.peek(&mut all).await.unwrap() < flood.len() {}
        let reads = Rc::new(Cell::new(0_usize));
        let counted = Rc::clone(&reads);
        let reader = spawn(async move {
            for _ in 0..flood.len() {
                ours.read_exact(&mut [0]).await.unwrap();
                counted.set(counted.get() + 1);
            }
        });
        let seen = spawn({
            let reads = Rc::clone(&reads);
            async move { reads.get() }
        });
        assert_eq!(seen.await.unwrap(), OPERATIONS_PER_POLL as usize);
        reader.await.unwrap();
        assert_eq!(reads.get(), 4_096);
    });
}

#[test]
fn interleaving_of_two_busy_tasks_is_fair_and_the_same_every_time() {
    let run = || {
        let (runtime, trace) = (manual(), Trace::default());
        runtime.block_on(async {
            let task = |name: &'static str| {
                let trace = trace.clone();
                spawn(async move {
                    for n in 0..3 {
                        trace.note(format!("{name}{n}"));
                        yield_now().await;
                    }
                })
            };
            for task in [task("a"), task("b")] {
                task.await.unwrap();
            }
        });
        trace.take()
    };
    assert_eq!(run(), ["a0", "b0", "a1", "b1", "a2", "b2"]);
    assert_eq!(run(), run());
}

// --- Sleep, and no sleep ---------------------------------------------------------------------------------------------

#[test]
fn every_wake_from_another_thread_ends_the_sleep_and_none_makes_it_spin() {
    const WAKES: usize = 500;
    let counter = Rc::new(Counter::default());
    let runtime = observed(Rc::clone(&counter) as _);
    let asked = Arc::new(AtomicUsize::new(0));
    let answered = Arc::new(AtomicUsize::new(0));
    let (send_waker, wakers) = std::sync::mpsc::channel::<std::task::Waker>();
    let stranger = {
        let answered = Arc::clone(&answered);
        thread::spawn(move || {
            for waker in wakers {
                answered.fetch_add(1, SeqCst);
                waker.wake();
            }
        })
    };
    runtime.block_on(async {
        for n in 0..WAKES {
            poll_fn(|cx| {
                if answered.load(SeqCst) > n {
                    return Poll::Ready(());
                }
                if asked.load(SeqCst) == n {
                    asked.fetch_add(1, SeqCst);
                    send_waker.send(cx.waker().clone()).unwrap();
                }
                Poll::Pending
            })
            .await;
        }
    });
    drop(send_waker);
    stranger.join().unwrap();
    assert!(counter.turns.get() <= 3 * WAKES + 3, "{} turns", counter.turns.get());
}

#[test]
fn loop_that_waits_for_a_stranger_sleeps() {
    let counter = Rc::new(Counter::default());
    let runtime = observed(Rc::clone(&counter) as _);
    let (sender, receiver) = oneshot::channel();
    let home = Watched::this_thread();
    let stranger = thread::spawn(move || {
        until(|| home.sleeps());
        sender.send("awake").unwrap();
    });
    assert_eq!(runtime.block_on(receiver), Ok("awake"));
    stranger.join().unwrap();
    assert!(counter.turns.get() <= 3, "{} turns", counter.turns.get());
}

/// Ends a wait when it is over, and tells whether the loop slept meanwhile, or span.
fn block_on_a_stranger(runtime: &Runtime, turns: &Arc<AtomicUsize>) {
    let (sender, receiver) = oneshot::channel();
    let (home, turns) = (Watched::this_thread(), Arc::clone(turns));
    let stranger = thread::spawn(move || {
        let before = turns.load(SeqCst);
        until(|| turns.load(SeqCst) > before + 1_000 || home.sleeps());
        sender.send(()).unwrap();
    });
    runtime.block_on(receiver).unwrap();
    stranger.join().unwrap();
}

/// Counts turns for other threads to see.
struct SharedCounter(Arc<AtomicUsize>);

impl evloop::engine::trace::Observer for SharedCounter {
    fn phase(&self, phase: evloop::engine::trace::Phase) {
        self.0.fetch_add(usize::from(phase == evloop::engine::trace::Phase::Run), SeqCst);
    }
}

#[test]
fn block_on_is_not_stopped_and_sleeps_all_the_same() {
    let turns = Arc::new(AtomicUsize::new(0));
    let runtime = observed(Rc::new(SharedCounter(Arc::clone(&turns))));
    runtime.stop();
    block_on_a_stranger(&runtime, &turns);
    let turns = turns.load(SeqCst);
    assert!(turns < 100, "it span for {turns} turns");
}

// --- How far a run goes ----------------------------------------------------------------------------------------------

#[test]
fn until_done_ends_when_no_task_is_left() {
    let (runtime, trace) = (manual(), Trace::default());
    let noted = trace.clone();
    runtime.enter(|| {
        drop(spawn(async move {
            for hour in 1..=3 {
                time::sleep(ms(3_600_000)).await;
                noted.note(format!("hour {hour}"));
            }
        }));
    });
    assert!(runtime.is_alive());
    assert!(!run_until_done(&runtime));
    assert_eq!(trace.take(), ["hour 1", "hour 2", "hour 3"]);
    assert!(!runtime.is_alive());
}

#[test]
fn once_is_one_turn_that_waits_and_no_wait_one_that_does_not() {
    let counter = Rc::new(Counter::default());
    let runtime = observed(Rc::clone(&counter) as _);
    let task = runtime.enter(|| {
        spawn(async {
            time::sleep(ms(5)).await;
            time::now()
        })
    });
    let start = runtime.enter(time::now);
    assert!(runtime.run(Mode::NoWait).unwrap());
    assert_eq!(runtime.enter(time::now), start, "a turn that does not wait moves no time");
    assert!(runtime.run(Mode::Once).unwrap());
    assert_eq!(runtime.enter(time::now), start + ms(5));
    assert!(!task.is_finished(), "its deadline was met after the tasks of that turn were polled");
    assert!(!runtime.run(Mode::NoWait).unwrap(), "its output waits for the handle, but keeps nothing alive");
    assert!(task.is_finished());
    assert_eq!(counter.turns.get(), 3);
}

#[test]
fn run_of_a_loop_with_nothing_to_do_makes_no_turn() {
    let counter = Rc::new(Counter::default());
    let runtime = observed(Rc::clone(&counter) as _);
    assert!(!run_until_done(&runtime));
    assert_eq!(counter.turns.get(), 0);
}

#[test]
fn stop_from_a_task_ends_the_run_after_its_turn() {
    let trace = Trace::default();
    let runtime = Rc::new(observed(Rc::new(Writer(trace.clone()))));
    let inner = Rc::clone(&runtime);
    runtime.enter(|| {
        drop(spawn(async move {
            time::sleep(ms(1)).await;
            inner.stop();
            yield_now().await;
            pending::<()>().await;
        }));
    });
    assert!(run_until_done(&runtime), "the task is still there");
    let turn =
        |cause: &str| ["Run".to_owned(), format!("  0 by {cause}"), "Poll".into(), "Mail".into(), "Timers".into()];
    // It yielded, and its next poll would have come in the turn that was not to be.
    assert_eq!(trace.take(), [turn("Spawn"), turn("Timer")].concat());
}

#[test]
fn stop_before_a_run_holds_for_that_run_alone() {
    let runtime = manual();
    let task = runtime.enter(|| spawn(async { time::sleep(ms(1)).await }));
    runtime.stop();
    assert!(run_until_done(&runtime));
    assert!(!task.is_finished());
    assert!(!run_until_done(&runtime));
    assert!(task.is_finished());
}

#[test]
fn stop_from_another_thread_ends_a_run_that_sleeps() {
    let runtime = manual();
    let (handle, home) = (runtime.enter(Handle::current), Watched::this_thread());
    runtime.enter(|| drop(spawn(pending::<()>())));
    let stranger = thread::spawn(move || {
        until(|| home.sleeps());
        handle.stop();
    });
    assert!(runtime.run(Mode::UntilDone).unwrap());
    stranger.join().unwrap();
}

#[test]
fn tasks_left_by_one_run_go_on_in_the_next() {
    let (runtime, trace) = (manual(), Trace::default());
    let noted = trace.clone();
    let mut left = None;
    runtime.block_on(async {
        left = Some(spawn(async move {
            noted.note("begins");
            time::sleep(ms(1)).await;
            noted.note("ends");
            7
        }));
    });
    assert_eq!(trace.take(), Vec::<String>::new());
    assert_eq!(runtime.block_on(left.unwrap()).unwrap(), 7);
    assert_eq!(trace.take(), ["begins", "ends"]);
}

#[test]
fn only_what_counts_keeps_the_loop_alive() {
    let runtime = manual();
    let background = runtime.enter(|| spawn(pending::<()>()));
    background.set_referenced(false);
    assert!(runtime.is_alive(), "it is queued for its first poll");
    let alive: Vec<bool> = (0..2).map(|_| runtime.run(Mode::NoWait).unwrap()).collect();
    assert_eq!(alive, [false, false]);

    let trace = Trace::default();
    let noted = trace.clone();
    let work = runtime.enter(|| {
        spawn(async move {
            time::sleep(ms(10)).await;
            noted.note("done");
        })
    });
    assert!(!run_until_done(&runtime));
    assert_eq!(trace.take(), ["done"]);
    assert!(work.is_finished() && !background.is_finished());
    background.set_referenced(true);
    assert!(runtime.is_alive());
    background.abort();
    assert!(!run_until_done(&runtime));
    assert!(background.is_finished());
}

#[test]
fn task_that_does_not_count_may_hold_a_timer_and_a_socket() {
    let runtime = manual();
    let background = runtime.enter(|| {
        spawn(async {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            join(async { drop(listener.accept().await) }, time::sleep(ms(1))).await;
        })
    });
    background.set_referenced(false);
    assert!(!run_until_done(&runtime));
    assert!(!background.is_finished());
}

#[test]
fn task_that_has_spent_its_budget_is_polled_again_only_after_the_kernel_was_asked() {
    let counter = Rc::new(Counter::default());
    let runtime = observed(Rc::clone(&counter) as _);
    let polls = runtime.block_on(async {
        let mut operations = 0;
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            while operations < 10 * OPERATIONS_PER_POLL {
                std::task::ready!(poll_budget(cx));
                operations += 1;
            }
            Poll::Ready(())
        })
        .await;
        polls
    });
    assert_eq!(polls, 10);
    assert!(counter.turns.get() >= 9, "{} turns for {polls} polls", counter.turns.get());
}

#[test]
fn task_that_yields_within_other_waits_still_gives_way_to_the_kernel() {
    let counter = Rc::new(Counter::default());
    let runtime = observed(Rc::<Counter>::clone(&counter));
    runtime.block_on(async {
        for _ in 0..10 {
            // The time-out's timer is polled after the yield, and is what the task waits for, too.
            time::timeout(ms(1), yield_now()).await.unwrap();
        }
    });
    assert_eq!(counter.turns.get(), 11, "each in a turn of its own");
}

#[test]
fn timers_and_sockets_count_when_they_are_told_to() {
    let runtime = manual();
    let (mut timer, listener) = runtime.enter(|| (time::sleep(ms(5)), TcpListener::bind("127.0.0.1:0").unwrap()));
    assert!(!runtime.is_alive(), "nobody waits for them");
    timer.set_referenced(true);
    assert!(runtime.is_alive());
    assert!(!run_until_done(&runtime), "until it has fired");
    assert!(timer.is_elapsed());
    listener.set_referenced(true);
    assert!(runtime.run(Mode::NoWait).unwrap());
    drop(listener);
    assert!(!runtime.is_alive());
}

#[test]
fn call_posted_before_the_run_is_made_by_it() {
    let runtime = manual();
    let handle = runtime.enter(Handle::current);
    let remote = thread::spawn(move || handle.spawn(|| async { 5 })).join().unwrap();
    assert!(runtime.is_alive(), "there is mail");
    assert!(!run_until_done(&runtime));
    drop(runtime);
    assert_eq!(remote.wait().unwrap(), 5);
}

// --- block_on --------------------------------------------------------------------------------------------------------

#[test]
fn block_on_inside_of_a_loop_panics_and_says_why() {
    let runtime = manual();
    let message = runtime.block_on(async {
        let other = manual();
        let caught = catch_unwind(AssertUnwindSafe(|| other.block_on(async {})));
        assert!(catch_unwind(other_run_panics).is_ok());
        let panic = caught.unwrap_err();
        panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).unwrap()
    });
    assert!(message.contains("in an event loop already"), "{message}");
    assert!(message.contains("await the future"), "{message}");
    assert_eq!(runtime.block_on(async { 1 }), 1, "the loop goes on");
}

/// A run nested in a run is refused as well.
fn other_run_panics() {
    let other = manual();
    assert!(catch_unwind(AssertUnwindSafe(|| other.run(Mode::NoWait))).is_err());
}

#[test]
fn panic_of_the_root_comes_out_and_leaves_a_loop_that_runs() {
    let (runtime, trace) = (manual(), Trace::default());
    let noted = trace.clone();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async move {
            drop(spawn(async move {
                time::sleep(ms(1)).await;
                noted.note("the others live on");
            }));
            yield_now().await;
            std::panic::resume_unwind(Box::new("root"));
        })
    }));
    assert!(caught.is_err());
    assert!(!run_until_done(&runtime));
    assert_eq!(trace.take(), ["the others live on"]);
    assert_eq!(runtime.block_on(async { "again" }), "again");
}

#[test]
fn what_needs_a_loop_says_so_where_there_is_none() {
    let places: [(&str, fn()); 4] = [
        ("spawn", || drop(spawn(async {}))),
        ("sleep", || drop(time::sleep(ms(1)))),
        ("bind", || drop(TcpListener::bind("127.0.0.1:0"))),
        ("blocking", || drop(evloop::spawn_blocking(|| ()))),
    ];
    for (place, call) in places {
        let panic = catch_unwind(call).unwrap_err();
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
        assert!(text.is_some_and(|text| text.contains("no event loop on this thread")), "{place}: {text:?}");
    }
}

// --- Several loops ---------------------------------------------------------------------------------------------------

#[test]
fn two_loops_of_one_thread_take_turns_and_wake_each_other() {
    let (first, second, trace) = (manual(), manual(), Trace::default());
    let (sender, receiver) = oneshot::channel();
    let noted = trace.clone();
    let waits = first.enter(|| {
        spawn(async move {
            noted.note("first waits");
            noted.note(receiver.await.unwrap());
        })
    });
    assert!(first.run(Mode::NoWait).unwrap());
    let noted = trace.clone();
    second.block_on(async move {
        noted.note("second sends");
        sender.send("first got it").unwrap();
    });
    assert!(!waits.is_finished());
    first.block_on(waits).unwrap();
    assert_eq!(trace.take(), ["first waits", "second sends", "first got it"]);
}

#[test]
fn loop_may_be_dropped_inside_of_another_ones_task() {
    struct Spawns(Trace);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let noted = self.0.clone();
            noted.note("dropped");
            drop(spawn(async move { noted.note("never polled") })); // on the loop that ends
        }
    }
    let (outer, trace) = (manual(), Trace::default());
    let inner = manual();
    let guard = Spawns(trace.clone());
    inner.enter(|| {
        drop(spawn(async move {
            let _guard = guard;
            time::sleep(ms(1)).await;
        }));
    });
    let noted = trace.clone();
    outer.block_on(async move {
        drop(inner);
        noted.note("outer goes on");
        let after = noted.clone();
        spawn(async move { after.note("as the thread's loop") }).await.unwrap();
    });
    assert_eq!(trace.take(), ["dropped", "outer goes on", "as the thread's loop"]);
}

#[test]
fn loops_of_several_threads_hand_a_word_around() {
    const LOOPS: usize = 4;
    let (first, mut previous) = oneshot::channel::<usize>();
    let mut threads = Vec::new();
    for _ in 0..LOOPS {
        let (next, following) = oneshot::channel();
        let receiver = std::mem::replace(&mut previous, following);
        threads.push(thread::spawn(move || {
            manual().block_on(async move {
                let word = receiver.await.unwrap();
                next.send(word + 1).unwrap();
            });
        }));
    }
    let word = manual().block_on(async move {
        first.send(0).unwrap();
        previous.await
    });
    assert_eq!(word, Ok(LOOPS));
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn dropping_a_loop_drops_its_tasks_where_the_loop_can_still_be_reached() {
    struct Late(Trace, &'static str);
    impl Drop for Late {
        fn drop(&mut self) {
            drop(time::sleep(ms(1)));
            drop(spawn(async {}));
            self.0.note(self.1);
        }
    }
    let (runtime, trace) = (manual(), Trace::default());
    runtime.enter(|| {
        for name in ["a", "b"] {
            let late = Late(trace.clone(), name);
            drop(spawn(async move {
                let _late = late;
                pending::<()>().await;
            }));
        }
    });
    assert!(runtime.run(Mode::NoWait).unwrap());
    drop(runtime);
    assert_eq!(trace.take(), ["a", "b"]);
}

#[test]
fn loop_kept_in_a_thread_local_ends_with_its_thread() {
    thread_local! {
        static KEPT: RefCell<Option<Runtime>> = const { RefCell::new(None) };
    }
    common::in_child("loop_kept_in_a_thread_local_ends_with_its_thread", "", || {
        struct Note(Arc<AtomicBool>);
        impl Drop for Note {
            fn drop(&mut self) {
                self.0.store(true, SeqCst);
            }
        }
        let dropped = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&dropped);
        let thread = thread::spawn(move || {
            KEPT.with(|kept| {
                *kept.borrow_mut() = Some(manual());
                let note = Note(dropped);
                kept.borrow().as_ref().unwrap().enter(|| {
                    drop(spawn(async move {
                        let _note = note;
                        pending::<()>().await;
                    }));
                });
            });
        });
        thread.join().unwrap();
        assert!(seen.load(SeqCst));
    });
}
