//! Hooks, what keeps a loop alive, closing, the loop inside of another, several loops.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{Trace, Writer, in_child, manual, ms, observed, open_descriptors, run_until_done};
use evloop::fd::AsyncFd;
use evloop::future::{join, yield_now};
use evloop::io::AsyncRead;
use evloop::net::{TcpListener, UnixStream};
use evloop::{Busy, Handle, Mode, Runtime, WorkKind, spawn, spawn_blocking, task, time, turn};
use rustix::event::epoll;
use std::cell::RefCell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

// --- Hooks -----------------------------------------------------------------------------------------------------------

#[test]
fn hooks_are_called_in_their_place_in_the_turn() {
    let trace = Trace::default();
    let runtime = observed(Rc::new(Writer(trace.clone())));
    let note = |what: &'static str| {
        let trace = trace.clone();
        move || trace.note(what)
    };
    let hooks = runtime.enter(|| {
        // Not in the order of the turn, which is not theirs to choose; two of one phase are in the order of their coming.
        [turn::check(note("  c")), turn::prepare(note("  p")), turn::idle(note("  i")), turn::prepare(note("  q"))]
    });
    runtime.run(Mode::Once).unwrap();
    let turn = ["Run", "Idle", "  i", "Prepare", "  p", "  q", "Poll", "Mail", "Check", "  c", "Timers"];
    assert_eq!(trace.take(), turn);
    drop(hooks);
    runtime.run(Mode::NoWait).unwrap();
    assert_eq!(trace.take(), ["Run", "Poll", "Mail", "Timers"]);
}

#[test]
fn idle_hook_keeps_the_loop_from_blocking_and_others_do_not() {
    let runtime = Runtime::new().unwrap();
    let hook = runtime.enter(|| turn::idle(|| ()));
    assert_eq!(runtime.backend_timeout(), Some(Duration::ZERO));
    assert!(runtime.run(Mode::Once).unwrap(), "it came back, and the hook keeps the loop alive");
    drop(hook);
    let _hooks = runtime.enter(|| [turn::prepare(|| ()), turn::check(|| ())]);
    assert_eq!(runtime.backend_timeout(), None);
}

#[test]
fn hook_that_removes_another_of_its_phase_spares_it_at_once_and_one_that_adds_waits_a_turn() {
    let (trace, runtime) = (Trace::default(), manual());
    let kept: Rc<RefCell<Vec<Option<turn::Hook>>>> = Rc::default();
    let (theirs, noted) = (Rc::clone(&kept), trace.clone());
    let first = runtime.enter(|| {
        turn::check(move || {
            noted.note("first");
            let victim = theirs.borrow_mut()[1].take();
            if victim.is_some() {
                let noted = noted.clone();
                theirs.borrow_mut().push(Some(turn::check(move || noted.note("added"))));
            }
        })
    });
    let noted = trace.clone();
    let second = runtime.enter(|| turn::check(move || noted.note("second")));
    kept.borrow_mut().extend([Some(first), Some(second)]);
    runtime.run(Mode::NoWait).unwrap();
    assert_eq!(trace.take(), ["first"]);
    runtime.run(Mode::NoWait).unwrap();
    assert_eq!(trace.take(), ["first", "added"]);
    kept.borrow_mut().clear();
    runtime.run(Mode::NoWait).unwrap();
    assert_eq!(trace.take(), [""; 0]);
}

#[test]
fn hook_that_removes_itself_is_called_to_its_end_and_not_again() {
    let (trace, runtime) = (Trace::default(), manual());
    let own: Rc<RefCell<Option<turn::Hook>>> = Rc::default();
    let (theirs, noted) = (Rc::clone(&own), trace.clone());
    *own.borrow_mut() = Some(runtime.enter(|| {
        turn::prepare(move || {
            drop(theirs.borrow_mut().take());
            noted.note("called");
        })
    }));
    assert!(!runtime.run(Mode::UntilDone).unwrap());
    runtime.run(Mode::NoWait).unwrap();
    assert_eq!(trace.take(), ["called"]);
}

#[test]
fn hook_that_panics_is_the_panic_of_the_run_and_the_loop_goes_on() {
    let runtime = manual();
    let mut calls = 0;
    let hook = runtime.enter(|| {
        turn::prepare(move || {
            calls += 1;
            assert!(calls != 1, "only the first time");
        })
    });
    assert!(catch_unwind(AssertUnwindSafe(|| runtime.run(Mode::NoWait))).is_err());
    runtime.run(Mode::NoWait).unwrap();
    drop(hook);
    assert!(!runtime.is_alive());
}

#[test]
fn tasks_spawned_in_a_hook_run_in_the_next_turn_without_a_wait() {
    let (trace, runtime) = (Trace::default(), Runtime::new().unwrap());
    let noted = trace.clone();
    let hook = runtime.enter(|| {
        turn::check(move || {
            let noted = noted.clone();
            drop(spawn(async move { noted.note("task") }));
        })
    });
    runtime.run(Mode::NoWait).unwrap();
    drop(hook);
    run_until_done(&runtime);
    assert_eq!(trace.take(), ["task"]);
}

#[test]
fn hooks_that_do_not_count_let_the_loop_end() {
    let runtime = manual();
    let hooks = runtime.enter(|| [turn::idle(|| ()), turn::prepare(|| ()), turn::check(|| ())]);
    assert!(runtime.is_alive());
    for hook in &hooks {
        hook.set_referenced(false);
    }
    assert!(!runtime.run(Mode::UntilDone).unwrap());
}

#[test]
fn hook_outlives_its_loop_and_what_it_holds_is_dropped_with_either() {
    let held = Rc::new(());
    let theirs = Rc::clone(&held);
    let runtime = manual();
    let hook = runtime.enter(|| turn::check(move || drop(Rc::clone(&theirs))));
    drop(runtime);
    hook.set_referenced(false);
    drop(hook);
    assert_eq!(Rc::strong_count(&held), 1);
}

// --- Closing, and what there is --------------------------------------------------------------------------------------

/// What the error of a close says, and the loop.
fn refused(runtime: Runtime) -> (String, Runtime) {
    let busy: Busy = runtime.close().unwrap_err();
    (busy.to_string(), busy.into_runtime())
}

#[test]
fn closing_names_each_thing_that_keeps_the_loop_alive_and_where_it_came_from() {
    let runtime = manual();
    let line = line!() + 1;
    let waiter = runtime.enter(|| task::Builder::new().name("waiter").spawn(time::sleep(ms(5))));
    runtime.run(Mode::NoWait).unwrap(); // at the first poll it waits; the clock stands still
    let (text, runtime) = refused(runtime);
    assert!(text.contains(&format!("task `waiter`, spawned at tests/loop_control.rs:{line}:")), "{text}");
    assert!(text.ends_with("which waits for a timer"), "{text}");
    waiter.abort();

    let line = line!() + 1;
    let listener = runtime.enter(|| TcpListener::bind("127.0.0.1:0")).unwrap();
    listener.set_referenced(true);
    runtime.run(Mode::NoWait).unwrap();
    let (text, runtime) = refused(runtime);
    let address = listener.local_addr().unwrap();
    assert!(text.contains(&format!("(tcp socket {address}, listening), registered at ")), "{text}");
    assert!(text.contains(&format!("tests/loop_control.rs:{line}:")), "{text}");
    drop(listener);

    let mut timer = runtime.enter(|| time::sleep(ms(90)));
    timer.set_referenced(true);
    let (text, runtime) = refused(runtime);
    assert!(text.contains("a timer due in 90 ms, made to count at "), "{text}");
    drop(timer);

    let line = line!() + 1;
    let hook = runtime.enter(|| turn::check(|| ()));
    let (text, runtime) = refused(runtime);
    let wanted = format!("a hook of the phase Check, added at tests/loop_control.rs:{line}:");
    assert!(text.contains(&wanted), "{text}");
    drop(hook);

    let (open, gate) = std::sync::mpsc::channel::<()>();
    let job = runtime.enter(|| spawn_blocking(move || gate.recv()));
    let (text, runtime) = refused(runtime);
    assert!(text.contains("jobs of the pool: "), "{text}");
    drop(open);
    runtime.block_on(job).unwrap().unwrap_err();
    runtime.block_on(async { yield_now().await });
    while runtime.is_alive() {
        runtime.run(Mode::Once).unwrap();
    }
    runtime.close().unwrap();
}

#[test]
fn what_does_not_count_is_walked_but_does_not_keep_the_loop_from_closing() {
    let runtime = manual();
    let task = runtime.enter(|| spawn(std::future::pending::<()>()));
    task.set_referenced(false);
    runtime.run(Mode::NoWait).unwrap();
    let (_near, _far) = runtime.enter(UnixStream::pair).unwrap();
    let _timer = runtime.enter(|| time::sleep(ms(5)));
    let work = runtime.walk();
    assert_eq!(work.iter().filter(|work| work.referenced).count(), 0);
    let count = |is: fn(&WorkKind) -> bool| work.iter().filter(|work| is(&work.kind)).count();
    assert_eq!(count(|kind| matches!(kind, WorkKind::Task { .. })), 1);
    assert_eq!(count(|kind| matches!(kind, WorkKind::Timer { .. })), 1);
    assert_eq!(count(|kind| matches!(kind, WorkKind::Source { .. })), 2);
    runtime.close().unwrap();
}

#[test]
fn walk_tells_which_sides_are_waited_for() {
    let runtime = manual();
    let (mut near, far) = runtime.enter(UnixStream::pair).unwrap();
    let reader = runtime.enter(|| spawn(async move { near.read(&mut [0]).await }));
    runtime.run(Mode::NoWait).unwrap();
    let waiting: Vec<_> = runtime
        .walk()
        .into_iter()
        .filter_map(|work| match work.kind {
            WorkKind::Source { waiting, .. } => Some(waiting),
            _ => None,
        })
        .collect();
    assert_eq!(waiting, [vec![evloop::fd::Side::Read], vec![]]);
    drop((reader, far));
}

// --- The loop inside of another --------------------------------------------------------------------------------------

/// Waits as another loop would, and tells whether the descriptor became readable.
fn wait_outside(outer: &impl std::os::fd::AsFd, runtime: &Runtime) -> bool {
    let wait = runtime.backend_timeout().map(|wait| wait.try_into().unwrap());
    let mut events = [epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }; 4];
    epoll::wait(outer, &mut events, wait.as_ref()).unwrap() > 0
}

#[test]
fn loop_is_turned_from_another_epoll_by_its_descriptor_and_its_timeout() {
    let runtime = Runtime::new().unwrap();
    let outer = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    let inner = runtime.backend_fd().unwrap();
    epoll::add(&outer, &inner, epoll::EventData::new_u64(7), epoll::EventFlags::IN).unwrap();

    let (mut near, far) = runtime.enter(UnixStream::pair).unwrap();
    let mut far = far.into_std().unwrap();
    let reader = runtime.enter(|| spawn(async move { near.read_exact(&mut [0; 3]).await }));
    assert_eq!(runtime.backend_timeout(), Some(Duration::ZERO), "a task wants to run");
    assert!(runtime.run(Mode::NoWait).unwrap());
    assert_eq!(runtime.backend_timeout(), None, "it waits for the socket alone");

    far.write_all(b"abc").unwrap();
    assert!(wait_outside(&outer, &runtime));
    while runtime.run(Mode::NoWait).unwrap() {}
    assert!(reader.is_finished());

    let handle = runtime.enter(Handle::current);
    let sleeper = runtime.enter(|| spawn(time::sleep(ms(1))));
    runtime.run(Mode::NoWait).unwrap();
    assert!(runtime.backend_timeout().is_some_and(|wait| wait <= ms(2)));
    while runtime.run(Mode::NoWait).unwrap() {
        wait_outside(&outer, &runtime);
    }
    assert!(sleeper.is_finished());

    assert_eq!(runtime.backend_timeout(), Some(Duration::ZERO), "nothing keeps it alive, so nothing is waited for");
    let waiter = runtime.enter(|| spawn(std::future::pending::<()>()));
    runtime.run(Mode::NoWait).unwrap();
    assert_eq!(runtime.backend_timeout(), None); // from here on, who posts rings
    let remote = thread::spawn(move || handle.spawn(|| async { 7 }).wait().unwrap());
    assert!(wait_outside(&outer, &runtime), "a call from another thread is told, too");
    while !remote.is_finished() {
        runtime.run(Mode::NoWait).unwrap();
    }
    drop(waiter);
    assert_eq!(remote.join().unwrap(), 7);
}

#[test]
fn poll_nested_epoll() {
    let nested = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    let (reading, mut writing) = std::io::pipe().unwrap();
    epoll::add(&nested, &reading, epoll::EventData::new_u64(0), epoll::EventFlags::IN).unwrap();
    Runtime::new().unwrap().block_on(async {
        let nested = AsyncFd::new(nested).unwrap();
        nested.spend(evloop::fd::Side::Read);
        let (ready, ()) = join(nested.ready(evloop::fd::Side::Read), async { writing.write_all(b"x").unwrap() }).await;
        ready.unwrap();
        let mut events = Vec::with_capacity(1);
        let none = Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 });
        assert_eq!(epoll::wait(&nested, rustix::buffer::spare_capacity(&mut events), none).unwrap(), 1);
    });
}

// --- Stopping, several loops -----------------------------------------------------------------------------------------

#[test]
fn stop_before_a_run_ends_it_before_its_first_turn_once() {
    let (trace, runtime) = (Trace::default(), manual());
    let noted = trace.clone();
    let task = runtime.enter(|| spawn(async move { noted.note("ran") }));
    runtime.stop();
    assert!(runtime.run(Mode::UntilDone).unwrap(), "the task is still there");
    assert_eq!(trace.take(), [""; 0]);
    assert!(!runtime.run(Mode::UntilDone).unwrap());
    assert_eq!(trace.take(), ["ran"]);
    drop(task);
}

#[test]
fn loops_of_one_thread_take_turns_and_do_not_mix() {
    let trace = Trace::default();
    let loops = [manual(), manual()];
    for (name, runtime) in ["a", "b"].into_iter().zip(&loops) {
        let noted = trace.clone();
        let hook = runtime.enter(|| turn::check(move || noted.note(name)));
        hook.set_referenced(false);
        runtime.enter(|| {
            drop(spawn(async move {
                yield_now().await;
                drop(hook);
            }));
        });
    }
    while loops.iter().any(|runtime| runtime.run(Mode::NoWait).unwrap()) {}
    assert_eq!(trace.take(), ["a", "b"], "each loop has called its own hook once, and then dropped it");
}

#[test]
fn hook_that_outlives_its_loop_keeps_none_of_its_descriptors() {
    in_child("hook_that_outlives_its_loop_keeps_none_of_its_descriptors", "", || {
        let before = open_descriptors();
        let runtime = Runtime::new().unwrap();
        let hook = runtime.enter(|| {
            let held = UnixStream::pair().unwrap();
            turn::prepare(move || assert!(held.0.peer_addr().is_ok()))
        });
        drop(runtime);
        assert_eq!(open_descriptors(), before);
        drop(hook);
    });
}

#[test]
fn asking_how_long_to_wait_does_not_move_the_time() {
    let runtime = manual();
    let task = runtime.enter(|| spawn(time::sleep(ms(3_600_000))));
    runtime.run(Mode::NoWait).unwrap();
    let before = runtime.enter(time::now);
    for _ in 0..2 {
        assert_eq!(runtime.backend_timeout(), Some(Duration::ZERO), "the turn moves it, and need not wait");
    }
    assert_eq!(runtime.enter(time::now), before);
    assert!(!run_until_done(&runtime));
    assert!(task.is_finished());
}
