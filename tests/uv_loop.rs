//! libuv's tests of the loop itself, under its names: modes of running, what counts, hooks, descriptors. `libuv.md`
//! says where the others are.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{
    Counter, Trace, Watched, in_child, manual, ms, narrow, observed, open_descriptors, run_until_done, until,
};
use evloop::fd::{AsyncFd, Side};
use evloop::future::{join, yield_now};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::net::UnixStream;
use evloop::signal::{SignalKind, kill, signal};
use evloop::task::JoinHandle;
use evloop::time::{self, Timer};
use evloop::{Handle, Mode, Runtime, spawn, spawn_blocking, turn};
use rustix::event::{PollFd, PollFlags, Timespec};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net as std_unix;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A place for a hook that is removed from inside of itself.
type Slot = Rc<RefCell<Option<turn::Hook>>>;

// --- Modes of running ------------------------------------------------------------------------------------------------

/// Turns that wait for something do not wait while an idle hook is there, and each of them calls it once.
#[test]
fn run_once() {
    let runtime = manual();
    let (calls, slot) = (Rc::new(Cell::new(0)), Slot::default());
    let (counted, own) = (Rc::clone(&calls), Rc::clone(&slot));
    *slot.borrow_mut() = Some(runtime.enter(|| {
        turn::idle(move || {
            counted.set(counted.get() + 1);
            if counted.get() == 64 {
                drop(own.take());
            }
        })
    }));
    let mut turns = 1;
    while runtime.run(Mode::Once).unwrap() {
        turns += 1;
    }
    assert_eq!((turns, calls.get()), (64, 64));
}

/// A turn that waits for nothing does not wait for a timer, nor does it move a clock that is moved by hand.
#[test]
fn run_nowait() {
    let runtime = manual();
    let start = runtime.enter(time::now);
    let sleeper = runtime.enter(|| spawn(time::sleep(ms(100))));
    for _ in 0..3 {
        assert!(runtime.run(Mode::NoWait).unwrap());
    }
    assert!(!sleeper.is_finished());
    assert_eq!(runtime.enter(time::now), start);
}

/// A loop is alive while there is a timer that counts or a job, and not before or afterwards.
#[test]
fn loop_alive() {
    let runtime = manual();
    assert!(!runtime.is_alive());
    let mut timer = runtime.enter(|| time::sleep(ms(100)));
    timer.set_referenced(true);
    assert!(runtime.is_alive());
    assert!(!run_until_done(&runtime));
    runtime.enter(|| spawn_blocking(|| ()).detach());
    assert!(runtime.is_alive());
    assert!(!runtime.run(Mode::UntilDone).unwrap());
}

/// A loop that was never run is closed.
#[test]
fn loop_instant_close() {
    manual().close().unwrap();
}

/// The time of the turn moves with the turns, and stands still between them.
#[test]
fn loop_update_time() {
    let runtime = manual();
    let start = runtime.enter(time::turn_now);
    runtime.block_on(async { time::sleep(ms(1_000)).await });
    let later = runtime.enter(time::turn_now);
    assert_eq!(later - start, ms(1_000));
    runtime.enter(|| time::advance(ms(5)));
    assert_eq!(runtime.enter(time::turn_now), later, "no turn has passed");
    runtime.run(Mode::NoWait).unwrap();
    assert_eq!(runtime.enter(time::turn_now), later + ms(5));
}

/// Who has the loop in another one may wait not at all when nothing keeps it alive, until its next deadline, and not at
/// all when it is stopped.
#[test]
fn loop_backend_timeout() {
    let runtime = Runtime::new().unwrap();
    assert_eq!(runtime.backend_timeout(), Some(Duration::ZERO));
    let mut timer = runtime.enter(|| time::sleep(Duration::from_secs(3_600)));
    assert_eq!(runtime.backend_timeout(), Some(Duration::ZERO), "it does not count");
    timer.set_referenced(true);
    let wait = runtime.backend_timeout().unwrap();
    assert!(wait > Duration::ZERO && wait <= Duration::from_secs(3_601), "{wait:?}, and a turn on the way is allowed");
    runtime.stop();
    assert_eq!(runtime.backend_timeout(), Some(Duration::ZERO));
    drop(timer);
    assert_eq!(runtime.backend_timeout(), Some(Duration::ZERO));
}

// --- Hooks -----------------------------------------------------------------------------------------------------------

/// The contract of hooks: one of prepare and one of check are called once a turn; one that is added by another of its
/// phase is called from the next turn on; one may remove itself, and is called no more; idle ones keep the loop from
/// blocking.
#[test]
fn loop_handles() {
    const TURNS: usize = 21;
    let (trace, runtime) = (Trace::default(), manual());
    let (turns, second) = (Rc::new(Cell::new(0)), Slot::default());
    let (counted, noted, slot) = (Rc::clone(&turns), trace.clone(), Rc::clone(&second));
    let first = runtime.enter(|| {
        turn::prepare(move || {
            counted.set(counted.get() + 1);
            noted.note("first");
            if counted.get() % 2 == 1 {
                let (own, noted) = (Rc::clone(&slot), noted.clone());
                let hook = turn::prepare(move || {
                    noted.note("second");
                    drop(own.take());
                });
                assert!(slot.replace(Some(hook)).is_none(), "the one before has removed itself");
            }
        })
    });
    let (idle, started) = (Slot::default(), Rc::new(Cell::new(0)));
    let (counted, noted, slot, starts) = (Rc::clone(&turns), trace.clone(), Rc::clone(&idle), Rc::clone(&started));
    let check = runtime.enter(|| {
        turn::check(move || {
            noted.note("check");
            if counted.get() < TURNS && slot.borrow().is_none() {
                starts.set(starts.get() + 1);
                let (own, noted) = (Rc::clone(&slot), noted.clone());
                let hook = turn::idle(move || {
                    noted.note("idle");
                    drop(own.take());
                });
                slot.replace(Some(hook));
            }
        })
    });
    let mut expected: Vec<&str> = vec!["first", "check"];
    for turn in 2..=TURNS {
        expected.extend(["idle", "first"]);
        expected.extend((turn % 2 == 0).then_some("second"));
        expected.push("check");
    }
    while turns.get() < TURNS {
        runtime.run(Mode::NoWait).unwrap();
    }
    assert_eq!(trace.take(), expected);
    assert_eq!(started.get(), TURNS - 1);
    drop((first, check));
    assert!(second.take().is_some() && idle.take().is_none());
    assert!(!runtime.is_alive());
}

/// A hook that takes its own count away while it is called lets the loop end with that turn.
#[test]
fn unref_in_prepare_cb() {
    let (runtime, slot) = (manual(), Slot::default());
    let (calls, own) = (Rc::new(Cell::new(0)), Rc::clone(&slot));
    let counted = Rc::clone(&calls);
    *slot.borrow_mut() = Some(runtime.enter(|| {
        turn::prepare(move || {
            counted.set(counted.get() + 1);
            own.borrow().as_ref().unwrap().set_referenced(false);
        })
    }));
    assert!(!run_until_done(&runtime));
    assert_eq!(calls.get(), 1);
    drop(slot.take());
}

/// Idle hooks do not keep deadlines from being met.
#[test]
fn idle_starvation() {
    let runtime = Runtime::new().unwrap();
    let (idle, check) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let count = |calls: &Rc<Cell<usize>>| {
        let calls = Rc::clone(calls);
        move || calls.set(calls.get() + 1)
    };
    let hooks = runtime.enter(|| (turn::idle(count(&idle)), turn::check(count(&check))));
    drop(runtime.enter(|| {
        spawn(async move {
            time::sleep(ms(2)).await;
            drop(hooks);
        })
    }));
    assert!(!run_until_done(&runtime));
    assert!(idle.get() > 0 && idle.get() == check.get());
}

/// The turn in which an idle hook removes itself still does not block, and goes on to check.
#[test]
fn idle_check() {
    let (runtime, slot, calls) = (manual(), Slot::default(), Rc::new(Cell::new(0)));
    let (own, counted) = (Rc::clone(&slot), Rc::clone(&calls));
    *slot.borrow_mut() = Some(runtime.enter(|| turn::idle(move || drop(own.take()))));
    let check = runtime.enter(|| turn::check(move || counted.set(counted.get() + 1)));
    assert!(runtime.run(Mode::Once).unwrap());
    assert_eq!(calls.get(), 1);
    drop(check);
    assert!(!runtime.run(Mode::Once).unwrap());
}

// --- Timers, and what else is active ---------------------------------------------------------------------------------

/// A timer is active from its start to its stop or its last firing.
#[test]
fn active() {
    manual().block_on(async {
        let mut timer = Timer::new();
        assert!(!timer.is_active());
        timer.start(ms(1_000), Duration::ZERO);
        assert!(timer.is_active());
        timer.stop();
        assert!(!timer.is_active());
        timer.start(ms(1), Duration::ZERO);
        assert!(timer.fired().await);
        assert!(!timer.is_active());
    });
}

/// Whether a thing counts is told by the walk.
#[test]
fn has_ref() {
    let runtime = manual();
    let hook = runtime.enter(|| turn::check(|| ()));
    let counts = || runtime.walk().into_iter().map(|work| work.referenced).collect::<Vec<_>>();
    assert_eq!(counts(), [true]);
    hook.set_referenced(false);
    assert_eq!(counts(), [false]);
    hook.set_referenced(true);
    assert_eq!(counts(), [true]);
}

// --- One that stops others, and nobody called inside of another ------------------------------------------------------

/// All sockets are ready in the same turn; the first task that runs stops the others, which see nothing.
#[test]
fn watcher_cross_stop() {
    const SOCKETS: usize = 8;
    let runtime = manual();
    let read = Rc::new(Cell::new(0));
    let others: Rc<RefCell<Vec<JoinHandle<()>>>> = Rc::default();
    let mut far_ends = Vec::new();
    for _ in 0..SOCKETS {
        let (mut near, far) = runtime.enter(UnixStream::pair).unwrap();
        let (read, all) = (Rc::clone(&read), Rc::clone(&others));
        let task = runtime.enter(|| {
            spawn(async move {
                near.read_exact(&mut [0]).await.unwrap();
                read.set(read.get() + 1);
                all.borrow().iter().for_each(JoinHandle::abort);
            })
        });
        others.borrow_mut().push(task);
        far_ends.push(far.into_std().unwrap());
    }
    runtime.run(Mode::NoWait).unwrap(); // all of them wait
    for far in &mut far_ends {
        far.write_all(b"x").unwrap();
    }
    assert!(!run_until_done(&runtime));
    assert_eq!(read.get(), 1);
    assert!(others.borrow().iter().all(JoinHandle::is_finished));
}

/// Waking a task and writing to its socket do not poll it: nobody runs inside of another.
#[test]
fn callback_stack() {
    manual().block_on(async {
        let nested = Rc::new(Cell::new(false));
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let (sender, receiver) = evloop::sync::oneshot::channel();
        let (seen, theirs) = (Rc::clone(&nested), Rc::clone(&nested));
        let reader = spawn(async move {
            far.read_exact(&mut [0]).await.unwrap();
            seen.get()
        });
        let receiver = spawn(async move {
            receiver.await.unwrap();
            theirs.get()
        });
        yield_now().await;
        nested.set(true);
        near.write_all(b"x").await.unwrap();
        sender.send(()).unwrap();
        nested.set(false);
        assert!(!reader.await.unwrap() && !receiver.await.unwrap());
    });
}

/// A signal that interrupts the wait for the kernel is no error, and no event.
#[test]
fn eintr_handling() {
    in_child("eintr_handling", "", || {
        let runtime = Runtime::new().unwrap();
        let (mut near, far) = runtime.enter(UnixStream::pair).unwrap();
        let mut far = far.into_std().unwrap();
        let _heard = runtime.enter(|| signal(SignalKind::USER_DEFINED_1)).unwrap();
        let home = Watched::this_thread();
        let sender = thread::spawn(move || {
            for _ in 0..3 {
                until(|| home.sleeps());
                kill(std::process::id(), SignalKind::USER_DEFINED_1).unwrap();
            }
            until(|| home.sleeps());
            far.write_all(b"x").unwrap();
        });
        runtime.block_on(near.read_exact(&mut [0])).unwrap();
        sender.join().unwrap();
    });
}

// --- Other threads ---------------------------------------------------------------------------------------------------

/// Wakes from another thread are run together, and none that follows a run is lost.
#[test]
fn async_coalesces() {
    let counter = Rc::new(Counter::default());
    let runtime = observed(Rc::clone(&counter) as _);
    let handle = runtime.enter(Handle::current);
    thread::spawn(move || (0..1_000).for_each(|_| handle.wake())).join().unwrap();
    runtime.run(Mode::Once).unwrap(); // does not wait: the wakes came before it
    assert_eq!(counter.turns.get(), 1);
    assert!(!runtime.is_alive(), "a thousand wakes were one");
}

// --- Any descriptor --------------------------------------------------------------------------------------------------

/// Sends `bytes` from one to the other by hand, in pieces, and ends that side.
async fn pump(from: &AsyncFd<std_unix::UnixStream>, into: &AsyncFd<std_unix::UnixStream>, bytes: usize) {
    let write = async {
        let mut left = bytes;
        while left > 0 {
            let piece = &[7; 4_096][..left.min(4_096)];
            left -= from.with(Side::Write, |mut socket| socket.write(piece)).await.unwrap();
        }
        from.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    };
    let read = async {
        let (mut total, mut buf) = (0, [0; 1_000]);
        loop {
            match into.with(Side::Read, |mut socket| std::io::Read::read(&mut socket, &mut buf)).await.unwrap() {
                0 => return total,
                count => total += count,
            }
        }
    };
    assert_eq!(join(write, read).await.1, bytes);
}

fn watched_pair() -> (AsyncFd<std_unix::UnixStream>, AsyncFd<std_unix::UnixStream>) {
    let (near, far) = std_unix::UnixStream::pair().unwrap();
    let watched = |socket: std_unix::UnixStream| {
        socket.set_nonblocking(true).unwrap();
        AsyncFd::new(socket).unwrap()
    };
    (watched(near), watched(far))
}

/// A descriptor is waited for by both its sides at once, and each ends by itself.
#[test]
fn poll_duplex() {
    manual().block_on(async {
        let (near, far) = watched_pair();
        join(pump(&near, &far, 3 << 20), pump(&far, &near, 2 << 20)).await;
    });
}

/// One way only: the other sides are never ready for anything, and harm nobody.
#[test]
fn poll_unidirectional() {
    manual().block_on(async {
        let (near, far) = watched_pair();
        pump(&near, &far, 3 << 20).await;
    });
}

/// Descriptors that are registered, ready, and closed at once keep no loop alive, and are closed.
#[test]
fn poll_close() {
    in_child("poll_close", "", || {
        let runtime = manual();
        let before = open_descriptors();
        let pairs: Vec<_> = runtime.enter(|| (0..64).map(|_| watched_pair()).collect());
        for (near, far) in &pairs {
            near.get_ref().write_all(b"x").unwrap();
            far.set_referenced(true);
        }
        assert!(runtime.is_alive());
        drop(pairs);
        assert_eq!(open_descriptors(), before);
        assert!(!run_until_done(&runtime));
    });
}

/// A descriptor that was closed here but lives on in a child brings no events any more.
#[test]
fn closed_fd_events() {
    let runtime = manual();
    let wants_a_turn = |backend: &OwnedFd| {
        let mut fds = [PollFd::new(backend, PollFlags::IN)];
        rustix::event::poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() > 0
    };
    let backend = runtime.backend_fd().unwrap();
    let (mut near, far) = std_unix::UnixStream::pair().unwrap();
    let elsewhere = far.try_clone().unwrap(); // what the child would have
    let watched = runtime.enter(|| AsyncFd::new(far)).unwrap();
    runtime.run(Mode::NoWait).unwrap(); // takes what the kernel tells of each new one
    near.write_all(b"x").unwrap();
    assert!(wants_a_turn(&backend));
    drop(watched);
    near.write_all(b"x").unwrap();
    assert!(!wants_a_turn(&backend));
    drop(elsewhere);
}

// --- The pool --------------------------------------------------------------------------------------------------------

/// What the pool has done and has to do is counted: libuv counts it as events of the loop.
#[test]
fn metrics_pool_events() {
    let runtime = narrow();
    let (open, gate) = mpsc::channel::<()>();
    runtime.enter(|| spawn_blocking(move || gate.recv()).detach());
    until(|| runtime.pool_load().general.running == 1);
    let behind = runtime.enter(|| spawn_blocking(|| ()));
    let load = runtime.pool_load().general;
    assert_eq!((load.submitted, load.running, load.queued, load.finished), (2, 1, 1, 0));
    drop(open);
    runtime.block_on(behind).unwrap();
    until(|| runtime.pool_load().general.finished == 2);
    let load = runtime.pool_load().general;
    assert_eq!((load.running, load.queued, load.queued_peak), (0, 0, 1));
}

/// Each turn is told to who looks on, once: libuv counts them.
#[test]
fn metrics_info_check() {
    let counter = Rc::new(Counter::default());
    let runtime = observed(Rc::clone(&counter) as _);
    let calls = Rc::new(Cell::new(0));
    let theirs = Rc::clone(&calls);
    let _hook = runtime.enter(|| turn::prepare(move || theirs.set(theirs.get() + 1)));
    for turn in 1..=7 {
        runtime.run(Mode::NoWait).unwrap();
        assert_eq!((counter.turns.get(), calls.get()), (turn, turn));
    }
}
