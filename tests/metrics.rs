//! Each number of a loop counts what it says; and the loop as it stands is seen as it is.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{manual, ms, observed, until};
use evloop::engine::{Clock, JobClass};
use evloop::fd::AsyncFd;
use evloop::future::{join, yield_now};
use evloop::http::testing::TestClient;
use evloop::http::{Request, Router};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::net::{TcpListener, UnixStream};
use evloop::observe::{Cause, Histograms, Key, Metrics, Observer, Phase, Side};
use evloop::sync::oneshot;
use evloop::time::{sleep, timeout};
use evloop::{Handle, Mode, Runtime, spawn, task, turn};
use std::cell::OnceCell;
use std::future::{pending, poll_fn};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::Poll;
use std::thread;
use std::time::Duration;

/// Brings the clock of a loop, to be moved by hand.
#[derive(Default)]
struct ClockOf(OnceCell<Rc<Clock>>);

impl Observer for ClockOf {
    fn attached(&self, clock: &Rc<Clock>) {
        assert!(self.0.set(Rc::clone(clock)).is_ok());
    }
}

fn with_clock() -> (Runtime, Rc<Clock>) {
    let clock = Rc::new(ClockOf::default());
    let runtime = observed(Rc::<ClockOf>::clone(&clock));
    let clock = Rc::clone(clock.0.get().unwrap());
    (runtime, clock)
}

fn wakes(runtime: &Runtime) -> [u64; 6] {
    let wakes = runtime.metrics().wakes;
    [wakes.spawn, wakes.task, wakes.io, wakes.timer, wakes.mail, wakes.outside]
}

// --- Counters --------------------------------------------------------------------------------------------------------

#[test]
fn wakes_are_counted_by_their_causes() {
    let runtime = manual();
    runtime.block_on(async {});
    assert_eq!(wakes(&runtime), [0, 0, 0, 0, 0, 1]);
    runtime.block_on(async { spawn(async {}).await.unwrap() }); // the end of the task wakes the root
    assert_eq!(wakes(&runtime), [1, 1, 0, 0, 0, 2]);
    runtime.block_on(async { sleep(ms(5)).await });
    assert_eq!(wakes(&runtime), [1, 1, 0, 1, 0, 3]);
    runtime.block_on(async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let mut byte = [0];
        let (read, written) = join(near.read(&mut byte), far.write_all(b"x")).await;
        assert_eq!((read.unwrap(), written.unwrap()), (1, ()));
    });
    assert_eq!(wakes(&runtime), [1, 1, 1, 1, 0, 4]);
    let mut asked = false;
    runtime.block_on(poll_fn(move |cx| {
        if std::mem::replace(&mut asked, true) {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        thread::spawn(move || waker.wake()).join().unwrap();
        Poll::Pending
    }));
    assert_eq!(wakes(&runtime), [1, 1, 1, 1, 1, 5]);
}

#[test]
fn second_wake_before_the_poll_is_none() {
    let runtime = manual();
    let mut polls = 0;
    runtime.block_on(poll_fn(move |cx| {
        polls += 1;
        cx.waker().wake_by_ref();
        cx.waker().wake_by_ref();
        if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
    }));
    assert_eq!((wakes(&runtime), runtime.metrics().polls), ([0, 3, 0, 0, 0, 1], 3));
}

#[test]
fn turns_and_polls_are_counted_as_they_begin() {
    let runtime = manual();
    for turns in 1..=3 {
        runtime.run(Mode::NoWait).unwrap();
        assert_eq!(runtime.metrics().turns, turns);
    }
    runtime.block_on(async {
        assert_eq!((turn::metrics().turns, turn::metrics().polls), (4, 1));
        yield_now().await;
        assert_eq!((turn::metrics().turns, turn::metrics().polls), (5, 2));
    });
}

#[test]
fn events_are_those_that_the_kernel_tells() {
    let runtime = manual();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let reader = runtime.enter(|| AsyncFd::new(OwnedFd::from(reader)).unwrap());
    let events = || {
        runtime.run(Mode::NoWait).unwrap();
        runtime.metrics().events
    };
    assert_eq!(events(), 0);
    writer.write_all(b"x").unwrap();
    assert_eq!((events(), events()), (1, 1), "an edge is told once");
    drop(reader);
}

#[test]
fn tasks_and_sources_are_those_that_there_are() {
    let runtime = manual();
    let now = |metrics: Metrics| (metrics.tasks, metrics.ready, metrics.sources);
    let (ends, waits) = runtime.enter(|| (spawn(async {}), spawn(pending::<()>())));
    assert_eq!(now(runtime.metrics()), (2, 2, 0));
    let listener = runtime.enter(|| TcpListener::bind("127.0.0.1:0").unwrap());
    runtime.run(Mode::NoWait).unwrap();
    assert_eq!(now(runtime.metrics()), (2, 0, 1), "one has ended, and its handle may still be awaited");
    drop((ends, listener));
    assert_eq!(now(runtime.metrics()), (1, 0, 0));
    drop(waits);
}

#[test]
fn timers_are_counted_as_they_are_set_fire_and_are_cancelled() {
    let runtime = manual();
    runtime.block_on(async {
        let timers = || {
            let timers = turn::metrics().timers;
            (timers.armed, timers.set, timers.fired, timers.cancelled)
        };
        sleep(ms(3)).await;
        assert_eq!(timers(), (0, 1, 1, 0));
        timeout(ms(50), sleep(ms(1))).await.unwrap();
        assert_eq!(timers(), (0, 3, 2, 1));
        let mut asleep = Box::pin(sleep(ms(7)));
        assert!(poll_fn(|cx| Poll::Ready(asleep.as_mut().poll(cx))).await.is_pending());
        assert_eq!(timers(), (1, 4, 2, 1));
        asleep.as_mut().reset(ms(9));
        assert_eq!(timers(), (1, 5, 2, 2), "anew: the former is cancelled");
        asleep.await;
        assert_eq!(timers(), (0, 5, 3, 2));
    });
}

#[test]
fn lateness_is_from_a_timers_tick_to_the_turn_in_which_it_fires() {
    let (runtime, clock) = with_clock();
    let late = || (runtime.metrics().timers.late, runtime.metrics().timers.late_max);
    runtime.block_on(async { sleep(ms(5)).await });
    assert_eq!(late(), (ms(0), ms(0)), "time that moves to a deadline is on time");
    runtime.block_on(async {
        let holds_the_loop = async { clock.advance(Duration::from_micros(12_500)) };
        join(join(sleep(ms(5)), sleep(ms(10))), holds_the_loop).await;
    });
    assert_eq!(late(), (ms(10), Duration::from_micros(7_500)));
    runtime.block_on(async { join(sleep(ms(1)), async { clock.advance(ms(3)) }).await });
    // Set at 17.5 ms for 18.5, hence for the tick 19; it fired at 20.5.
    assert_eq!(late(), (Duration::from_micros(11_500), Duration::from_micros(7_500)));
}

#[test]
fn time_is_shared_between_work_and_waiting() {
    let (runtime, clock) = with_clock();
    let shares = || (runtime.metrics().busy, runtime.metrics().asleep);
    runtime.block_on(async { sleep(ms(10)).await });
    assert_eq!(shares(), (ms(0), ms(10)));
    runtime.block_on(async {
        clock.advance(ms(4));
        yield_now().await;
    });
    assert_eq!(shares(), (ms(4), ms(10)));
    runtime.block_on(async {
        clock.advance(ms(2));
        sleep(ms(1)).await;
    });
    assert_eq!(shares(), (ms(6), ms(11)));
}

#[test]
fn pool_is_told_as_it_tells_itself() {
    let runtime = manual();
    runtime.block_on(async { evloop::spawn_blocking(|| ()).await.unwrap() });
    until(|| !runtime.pool().is_busy());
    let load = runtime.metrics().pool;
    assert_eq!((load.general.submitted, load.general.finished, load.files.submitted), (1, 1, 0));
    assert_eq!(load.class(JobClass::General), load.general);
}

#[test]
fn connections_and_requests_are_counted_while_they_are_open_and_after() {
    let served = || {
        let served = turn::metrics().served;
        (served.connections, served.connections_open, served.requests, served.requests_open)
    };
    let app = Router::new().get("/", move |_: Request| async move { format!("{:?}", served()) });
    manual().block_on(async {
        let client = TestClient::new(app);
        assert_eq!(client.get("/").send().await.text(), "(1, 1, 1, 1)");
        assert_eq!(served(), (1, 1, 1, 0));
        assert_eq!(client.get("/").send().await.text(), "(1, 1, 2, 1)");
        assert_eq!(client.stop().await, 0);
        assert_eq!(served(), (1, 0, 2, 0));
    });
}

// --- Histograms ------------------------------------------------------------------------------------------------------

#[test]
fn histograms_tell_polls_delays_work_and_lateness_apart() {
    let (clock, histograms) = (Rc::new(ClockOf::default()), Rc::new(Histograms::new()));
    let reader = histograms.reader();
    let observers = Runtime::builder().manual_clock().observer(Rc::<ClockOf>::clone(&clock)).observer(histograms);
    let (runtime, clock) = (observers.build().unwrap(), clock.0.get().unwrap());
    let holds = |milliseconds| {
        let clock = Rc::clone(clock);
        spawn(async move { clock.advance(ms(milliseconds)) })
    };
    runtime.block_on(async {
        yield_now().await; // the first wait is over: from now on, work is told
        let (first, second, sleeper) = (holds(7), holds(2), sleep(ms(4)));
        sleeper.await;
        join(first, second).await.0.unwrap();
    });
    let told = reader.read();
    assert_eq!((told.polls.max, told.polls.sum, told.polls.median), (ms(7), ms(9), ms(0)));
    assert_eq!((told.delays.max, told.delays.sum), (ms(7), ms(7)), "the second waited while the first held the loop");
    assert_eq!((told.work.max, told.late.max, told.late.count), (ms(9), ms(5), 1));
    assert_eq!((told.jobs_running.count, told.polls.count), (0, 5));
}

#[test]
fn histograms_that_come_late_or_see_a_task_cancelled_mix_nobody_up() {
    let histograms = Rc::new(Histograms::new());
    let reader = histograms.reader();
    manual().block_on(async {
        let before = spawn(async {});
        let observed = turn::observe(histograms);
        let cancelled = spawn(async {});
        let after = spawn(async {});
        cancelled.abort();
        assert!(after.await.is_ok() && before.await.is_ok() && cancelled.await.is_err());
        drop(observed);
        assert_eq!(reader.read().delays.count, 2, "the one that came after, and this one");
    });
}

// --- From other threads ----------------------------------------------------------------------------------------------

fn told_to_another_thread(handle: &Handle) -> Metrics {
    let handle = handle.clone();
    thread::spawn(move || handle.metrics()).join().unwrap()
}

#[test]
fn numbers_are_read_while_the_loop_is_held_and_after_it_has_ended() {
    let runtime = manual();
    let handle = runtime.enter(Handle::current);
    runtime.enter(|| (0..3).for_each(|_| drop(spawn(pending::<()>()))));
    runtime.block_on(async {
        sleep(ms(1)).await;
        let told = told_to_another_thread(&handle); // and this thread waits for it, inside of a poll
        assert_eq!((told.tasks, told.polls, told.timers.set, told.asleep), (3, 5, 1, ms(1)));
    });
    runtime.block_on(async { drop(sleep(ms(1))) });
    assert_eq!(told_to_another_thread(&handle).polls, 6, "the run's end is written down");
    drop(runtime);
    let last = told_to_another_thread(&handle);
    assert_eq!((last.tasks, last.ready, last.polls, last.turns), (0, 0, 6, 3));
    assert!(!handle.is_open());
}

#[test]
fn time_asleep_goes_on_while_the_loop_sleeps_and_never_goes_back() {
    let runtime = Runtime::new().unwrap();
    let (handle, (sender, receiver)) = (runtime.enter(Handle::current), oneshot::channel());
    let done = Arc::new(AtomicBool::new(false));
    let (reader, is_done) = (handle.clone(), Arc::clone(&done));
    let watcher = thread::spawn(move || {
        let mut before = Duration::ZERO;
        while !is_done.load(SeqCst) {
            let asleep = reader.metrics().asleep;
            assert!(asleep >= before, "{asleep:?} after {before:?}");
            before = asleep;
        }
    });
    let waker = thread::spawn(move || {
        for _ in 0..500 {
            let before = handle.metrics().asleep;
            until(|| handle.metrics().asleep > before);
            handle.wake();
        }
        sender.send(()).unwrap();
    });
    runtime.block_on(receiver).unwrap();
    done.store(true, SeqCst);
    waker.join().unwrap();
    watcher.join().unwrap();
    let metrics = runtime.metrics();
    assert!(metrics.wakes.mail >= 1 && metrics.events >= 1);
}

// --- The view --------------------------------------------------------------------------------------------------------

#[test]
fn view_names_who_is_ready_and_why_in_the_order_of_the_queue() {
    let runtime = manual();
    runtime.block_on(async {
        let _first = task::Builder::new().name("first").spawn(async {});
        let _second = spawn(async {});
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Ready(())
        })
        .await;
        let ready: Vec<_> = turn::view().ready.into_iter().map(|ready| (ready.name, ready.cause)).collect();
        let root = (None, Cause::Task(Key::NONE));
        assert_eq!(ready, [(Some("first".to_owned()), Cause::Spawn), (None, Cause::Spawn), root]);
    });
}

#[test]
fn view_shows_the_wheel_cascade() {
    let runtime = manual();
    runtime.block_on(async {
        sleep(ms(3)).await;
        let sleeper = spawn(sleep(ms(130))); // due at tick 133: slot 2 of level 1, and slot 5 of level 0 once it is near
        yield_now().await;
        let wheel = turn::view().wheel;
        assert_eq!((wheel.elapsed, wheel.next, wheel.armed, wheel.levels[1][2]), (3, Some(128), 1, 1));
        let wheel = || turn::view().wheel;
        sleep(ms(127)).await;
        assert_eq!((wheel().elapsed, wheel().next, wheel().levels[1][2], wheel().levels[0][5]), (130, Some(133), 0, 1));
        assert_eq!(turn::view().clock.now, ms(130));
        sleeper.await.unwrap();
        assert_eq!(wheel().levels.as_flattened().iter().sum::<u16>(), 0);
    });
}

#[test]
fn view_tells_what_each_source_waits_for_and_is_ready_for() {
    let runtime = manual();
    let (near, _far) = runtime.enter(|| UnixStream::pair().unwrap());
    let number = near.as_raw_fd();
    let task = runtime.enter(|| {
        let mut near = near;
        spawn(async move { near.read(&mut [0]).await.map(drop) })
    });
    let _hook = runtime.enter(|| turn::check(|| ()));
    runtime.run(Mode::NoWait).unwrap();
    let view = runtime.view();
    let source = view.sources.iter().find(|source| source.fd == number).unwrap();
    assert_eq!((&*source.waiting, &*source.ready), (&[Side::Read][..], &[Side::Write][..]));
    assert!(source.describe().starts_with("unix socket"), "{}", source.describe());
    assert!(source.made_at.file().ends_with("metrics.rs"));
    assert_eq!((view.sources.len(), view.hooks.len(), view.hooks[0].phase), (2, 1, Phase::Check));
    assert!(view.clock.manual && view.pool.threads == 0);
    drop(task);
}
