//! Time that moves by hand: what fires when, in which order, and what holds the clock.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{Trace, Watched, in_child, manual, ms, open_descriptors, until};
use evloop::future::{Either, join, race, yield_now};
use evloop::io::AsyncRead;
use evloop::net::TcpListener;
use evloop::sync::oneshot;
use evloop::time::{
    MissedTicks, Timer, advance, interval, interval_at, now, sleep, sleep_precise, sleep_until, timeout, timeout_at,
    turn_now,
};
use evloop::{Mode, spawn, spawn_blocking, turn};
use std::cell::RefCell;
use std::future::{pending, poll_fn, ready};
use std::io::{self, Write};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3_600);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Spawns a sleeper for each line, in their order, and tells who woke when.
fn firing_order(table: &[(&'static str, Duration)]) -> Vec<String> {
    let (runtime, trace) = (manual(), Trace::default());
    runtime.block_on(async {
        let start = now();
        let sleepers: Vec<_> = table
            .iter()
            .map(|(name, after)| {
                let (sleep, trace, name) = (sleep(*after), trace.clone(), *name);
                spawn(async move {
                    sleep.await;
                    trace.note(format!("{name} at {}", (now() - start).as_millis()));
                })
            })
            .collect();
        for sleeper in sleepers {
            sleeper.await.unwrap();
        }
    });
    trace.take()
}

// --- Sleep -----------------------------------------------------------------------------------------------------------

#[test]
fn sleepers_wake_in_the_order_of_their_deadlines_and_equals_as_they_were_set() {
    let order = firing_order(&[
        ("a", ms(70)),
        ("b", ms(5)),
        ("c", ms(70)),
        ("d", ms(5)),
        ("e", ms(4_096)),
        ("f", ms(0)),
        ("g", ms(4_096)),
        ("h", ms(64)),
        ("i", ms(5)),
    ]);
    let expected = ["f at 0", "b at 5", "d at 5", "i at 5", "h at 64", "a at 70", "c at 70", "e at 4096", "g at 4096"];
    assert_eq!(order, expected);
}

#[test]
fn part_of_a_millisecond_is_waited_for_as_a_whole_one() {
    let order = firing_order(&[("second", Duration::from_nanos(1_000_001)), ("first", Duration::from_nanos(1))]);
    assert_eq!(order, ["first at 1", "second at 2"]);
}

#[test]
fn equal_deadlines_set_at_different_times_fire_as_they_were_set() {
    let (runtime, trace) = (manual(), Trace::default());
    runtime.block_on(async {
        let deadline = now() + ms(200);
        let mut sleepers = Vec::new();
        for name in ["a", "b", "c"] {
            let (sleep, trace) = (sleep_until(deadline), trace.clone());
            sleepers.push(spawn(async move {
                sleep.await;
                trace.note(name);
            }));
            sleep_until(now() + ms(60)).await;
        }
        for sleeper in sleepers {
            sleeper.await.unwrap();
        }
        assert_eq!(now(), deadline);
    });
    assert_eq!(trace.take(), ["a", "b", "c"]);
}

#[test]
fn deadline_in_the_past_is_met_in_the_next_turn_and_moves_no_time() {
    manual().block_on(async {
        advance(HOUR);
        let start = now();
        sleep_until(start.checked_sub(ms(10)).unwrap()).await;
        sleep_until(start).await;
        sleep(Duration::ZERO).await;
        assert_eq!(now(), start);
    });
}

#[test]
fn deadline_before_the_clock_was_made_is_met() {
    let long_ago = Instant::now();
    manual().block_on(async {
        sleep_until(long_ago).await;
    });
}

#[test]
fn longest_of_all_sleeps_ends_after_557_years_and_is_in_nobodys_way() {
    manual().block_on(async {
        let start = now();
        let endless = sleep(Duration::MAX);
        sleep(ms(1)).await;
        assert_eq!(now() - start, ms(1));
        endless.await;
        assert!(now() - start >= 557 * YEAR);
    });
}

#[test]
fn dropped_sleep_never_fires_and_holds_nothing() {
    let runtime = manual();
    runtime.block_on(async {
        let start = now();
        {
            let mut sleep = pin!(sleep(ms(5)));
            assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        assert!(race(ready(()), sleep(ms(6))).await == Either::Left(()));
        sleep(ms(10)).await;
        assert_eq!(now() - start, ms(10));
    });
    assert!(format!("{runtime:?}").contains("timers: 0"), "{runtime:?}");
}

#[test]
fn sleep_dropped_outside_of_its_loops_run_is_cancelled() {
    let (runtime, other) = (manual(), manual());
    let [plain, inside, after] = runtime.enter(|| [sleep(HOUR), sleep(HOUR), sleep(HOUR)]);
    assert!(format!("{runtime:?}").contains("timers: 3"));
    drop(plain);
    other.block_on(async move { drop(inside) });
    assert!(format!("{runtime:?}").contains("timers: 1"), "{runtime:?}");
    drop(runtime);
    drop(after);
}

#[test]
fn reset_moves_a_sleep_to_later_to_earlier_and_back_from_the_dead() {
    manual().block_on(async {
        let start = now();
        let mut sleeper = sleep(ms(10));
        assert_eq!((sleeper.deadline(), sleeper.is_elapsed()), (Some(start + ms(10)), false));
        sleeper.reset(ms(20));
        sleep(ms(15)).await;
        assert!(!sleeper.is_elapsed(), "the former deadline has passed, and means nothing");
        sleeper.reset_at(start + ms(17));
        (&mut sleeper).await;
        assert_eq!(now() - start, ms(17));
        assert_eq!((sleeper.deadline(), sleeper.is_elapsed()), (None, true));
        sleeper.reset(ms(3));
        assert!(!sleeper.is_elapsed());
        sleeper.await;
        assert_eq!(now() - start, ms(20));
    });
}

#[test]
fn reset_sleep_stands_behind_its_equals() {
    let (runtime, trace) = (manual(), Trace::default());
    runtime.block_on(async {
        let mut first = sleep(ms(10));
        let second = sleep(ms(10));
        first.reset(ms(10));
        let (a, b) = (trace.clone(), trace.clone());
        let first = spawn(async move {
            first.await;
            a.note("first");
        });
        let second = spawn(async move {
            second.await;
            b.note("second");
        });
        let (first, second) = join(first, second).await;
        first.and(second).unwrap();
    });
    assert_eq!(trace.take(), ["second", "first"]);
}

#[test]
fn reset_while_a_task_waits_needs_no_second_poll() {
    manual().block_on(async {
        let start = now();
        let shared = Rc::new(RefCell::new(sleep(ms(10))));
        let inner = Rc::clone(&shared);
        let waiter = spawn(async move {
            poll_fn(|cx| Pin::new(&mut *inner.borrow_mut()).poll(cx)).await;
            now() - start
        });
        yield_now().await;
        shared.borrow_mut().reset(ms(30));
        assert_eq!(waiter.await.unwrap(), ms(30));
    });
}

#[test]
fn leap_over_many_deadlines_fires_them_in_their_order() {
    let (runtime, trace) = (manual(), Trace::default());
    runtime.block_on(async {
        let sleepers: Vec<_> = [900, 20, 100_000, 20, 300]
            .into_iter()
            .enumerate()
            .map(|(n, after)| {
                let (sleep, trace) = (sleep(ms(after)), trace.clone());
                spawn(async move {
                    sleep.await;
                    trace.note(format!("{n}: {after}"));
                })
            })
            .collect();
        yield_now().await;
        advance(HOUR);
        for sleeper in sleepers {
            sleeper.await.unwrap();
        }
    });
    assert_eq!(trace.take(), ["1: 20", "3: 20", "4: 300", "0: 900", "2: 100000"]);
}

// --- Timeout ---------------------------------------------------------------------------------------------------------

#[test]
fn timeout_ends_the_wait_at_its_deadline_and_drops_what_was_awaited() {
    manual().block_on(async {
        let start = now();
        let (sender, receiver) = oneshot::channel::<()>();
        let elapsed = timeout(ms(10), receiver).await.unwrap_err();
        assert_eq!((now() - start, elapsed.to_string().as_str()), (ms(10), "the time was up"));
        assert!(sender.is_closed());
        assert_eq!(io::Error::from(elapsed).kind(), io::ErrorKind::TimedOut);
        assert!(timeout_at(start, pending::<()>()).await.is_err());
        assert_eq!(now() - start, ms(10));
    });
}

#[test]
fn future_that_is_ready_in_time_wins_also_at_the_last_moment() {
    manual().block_on(async {
        let start = now();
        assert_eq!(timeout(Duration::ZERO, ready(1)).await, Ok(1));
        assert_eq!(timeout(ms(10), sleep(ms(10))).await, Ok(()));
        assert_eq!(timeout(Duration::MAX, sleep(ms(5))).await, Ok(()));
        assert_eq!(now() - start, ms(15));
    });
}

#[test]
fn timeouts_nest_and_the_shortest_decides() {
    manual().block_on(async {
        let start = now();
        let inner_first = timeout(ms(20), timeout(ms(10), pending::<()>())).await;
        assert!(matches!(inner_first, Ok(Err(_))));
        let outer_first = timeout(ms(10), timeout(ms(20), pending::<()>())).await;
        assert!(outer_first.is_err());
        assert_eq!(now() - start, ms(20));
    });
}

// --- Interval --------------------------------------------------------------------------------------------------------

/// A consumer that is busy from 5 to 35: when it got each tick until 60, and for when that was planned.
fn ticks(missed: MissedTicks) -> Vec<(u128, u128)> {
    manual().block_on(async {
        let start = now();
        let since = |moment: Instant| (moment - start).as_millis();
        let mut ticks = interval(ms(10));
        ticks.set_missed_ticks(missed);
        let mut got = vec![(0, since(ticks.tick().await))];
        sleep(ms(5)).await;
        advance(ms(30));
        loop {
            let planned = ticks.tick().await;
            if since(now()) > 60 {
                return got;
            }
            got.push((since(now()), since(planned)));
        }
    })
}

#[test]
fn missed_ticks_are_made_up_for_in_a_burst() {
    assert_eq!(ticks(MissedTicks::Burst), [(0, 0), (35, 10), (35, 20), (35, 30), (40, 40), (50, 50), (60, 60)]);
}

#[test]
fn missed_ticks_delay_those_to_come() {
    assert_eq!(ticks(MissedTicks::Delay), [(0, 0), (35, 10), (45, 45), (55, 55)]);
}

#[test]
fn missed_ticks_are_skipped_and_the_beat_is_kept() {
    assert_eq!(ticks(MissedTicks::Skip), [(0, 0), (35, 10), (40, 40), (50, 50), (60, 60)]);
}

#[test]
fn interval_starts_where_it_is_told_and_again_after_a_reset() {
    manual().block_on(async {
        let start = now();
        let mut ticks = interval_at(start + ms(7), ms(10));
        assert_eq!(ticks.period(), ms(10));
        assert_eq!(ticks.tick().await - start, ms(7));
        assert_eq!(ticks.tick().await - start, ms(17));
        sleep(ms(4)).await;
        ticks.reset();
        assert_eq!(ticks.tick().await - start, ms(31));
        assert_eq!(now() - start, ms(31));
    });
}

#[test]
fn tick_that_was_not_awaited_to_its_end_is_not_lost() {
    manual().block_on(async {
        let start = now();
        let mut ticks = interval_at(start + ms(10), ms(10));
        assert!(timeout(ms(5), ticks.tick()).await.is_err());
        assert_eq!(ticks.tick().await - start, ms(10));
    });
}

#[test]
#[should_panic(expected = "a period longer than zero")]
fn interval_without_a_period_is_refused() {
    manual().block_on(async {
        let _interval = interval(Duration::ZERO);
    });
}

#[test]
fn interval_with_a_period_beyond_all_time_ticks_once() {
    manual().block_on(async {
        let mut ticks = interval(Duration::MAX);
        ticks.tick().await;
        assert!(timeout(HOUR, ticks.tick()).await.is_err());
    });
}

#[test]
fn new_period_begins_with_the_next_tick_and_a_reset_moves_it() {
    manual().block_on(async {
        let start = now();
        let mut ticks = interval(ms(10));
        ticks.set_missed_ticks(MissedTicks::Skip);
        assert_eq!(ticks.missed_ticks(), MissedTicks::Skip);
        ticks.tick().await;
        ticks.set_period(ms(3));
        assert_eq!((ticks.period(), ticks.deadline()), (ms(3), start + ms(10)));
        assert_eq!(ticks.tick().await - start, ms(10), "this one was planned already");
        assert_eq!(ticks.tick().await - start, ms(13));
        ticks.reset_after(ms(7));
        assert_eq!(ticks.tick().await - start, ms(20));
        ticks.reset_after(Duration::ZERO);
        assert_eq!(ticks.tick().await - start, ms(20));
        ticks.reset_at(start + ms(50));
        assert_eq!(ticks.tick().await - start, ms(50));
        assert_eq!(ticks.tick().await - start, ms(53));
    });
}

#[test]
#[should_panic(expected = "a period longer than zero")]
fn period_of_nothing_is_refused_later_too() {
    manual().block_on(async { interval(ms(1)).set_period(Duration::ZERO) });
}

#[test]
fn interval_that_counts_keeps_the_loop_alive() {
    let runtime = manual();
    let mut ticks = runtime.enter(|| interval(ms(1)));
    assert!(!runtime.run(Mode::UntilDone).unwrap());
    ticks.set_referenced(true);
    runtime.enter(|| ticks.reset_after(ms(1)));
    assert!(runtime.run(Mode::NoWait).unwrap());
}

// --- Timer: libuv's own ------------------------------------------------------------------------------------------------

/// When a timer fires, in milliseconds since the start, until it stops or has done so `fired_max` times.
async fn firings(timer: &mut Timer, start: Instant, fired_max: usize) -> Vec<u128> {
    let mut fired = Vec::new();
    while fired.len() < fired_max && timer.fired().await {
        fired.push((now() - start).as_millis());
    }
    fired
}

#[test]
fn timer() {
    manual().block_on(async {
        let start = now();
        let (mut once, mut repeat, mut never) = (Timer::new(), Timer::new(), Timer::new());
        assert!(!once.is_active() && once.due_in().is_none() && once.deadline().is_none());
        assert!(!never.fired().await, "it was not started");
        once.start(ms(20), Duration::ZERO);
        repeat.start(ms(100), ms(100));
        never.start(ms(50), Duration::ZERO);
        assert_eq!((never.due_in(), never.deadline()), (Some(ms(50)), Some(start + ms(50))));
        never.stop();
        assert!(!never.is_active() && !never.fired().await);
        assert_eq!(firings(&mut once, start, 9).await, [20]);
        assert_eq!(firings(&mut repeat, start, 5).await, [100, 200, 300, 400, 500]);
        assert!(!never.fired().await);
    });
}

#[test]
fn timer_again() {
    manual().block_on(async {
        let start = now();
        let mut never_started = Timer::new();
        assert_eq!(never_started.again().unwrap_err().kind(), io::ErrorKind::InvalidInput);

        let mut repeats = Timer::new();
        repeats.start(ms(50), Duration::ZERO);
        assert_eq!(repeats.repeat(), Duration::ZERO);
        repeats.again().unwrap();
        assert_eq!(repeats.due_in(), Some(ms(50)), "without a repeat, nothing changes");
        repeats.set_repeat(ms(100));
        assert_eq!((repeats.repeat(), repeats.due_in()), (ms(100), Some(ms(50))));
        repeats.again().unwrap();
        assert_eq!(repeats.due_in(), Some(ms(100)));

        sleep(ms(40)).await;
        repeats.again().unwrap();
        assert_eq!(firings(&mut repeats, start, 2).await, [140, 240]);
        repeats.set_repeat(ms(10));
        assert_eq!(firings(&mut repeats, start, 2).await, [340, 350], "from the next one on");
        repeats.stop();
        repeats.again().unwrap();
        assert_eq!(firings(&mut repeats, start, 1).await, [360], "stopped, it can begin again");
        repeats.set_repeat(Duration::ZERO);
        assert_eq!(firings(&mut repeats, start, 9).await, [370]);
    });
}

#[test]
fn timer_start_twice() {
    manual().block_on(async {
        let start = now();
        let mut twice = Timer::new();
        twice.start(86_400 * ms(1_000), Duration::ZERO);
        twice.start(ms(10), Duration::ZERO);
        assert_eq!(firings(&mut twice, start, 9).await, [10]);
    });
}

/// Starts timers of these names one after the other, and tells in which order they fire.
fn order(table: &[(&'static str, u64)]) -> Vec<String> {
    let (runtime, trace) = (manual(), Trace::default());
    runtime.block_on(async {
        let mut waiting = Vec::new();
        for (name, timeout) in table {
            let (mut timer, trace, name) = (Timer::new(), trace.clone(), *name);
            timer.start(ms(*timeout), Duration::ZERO);
            waiting.push(spawn(async move {
                timer.fired().await;
                trace.note(name);
            }));
        }
        for task in waiting {
            task.await.unwrap();
        }
    });
    trace.take()
}

#[test]
fn timer_order() {
    assert_eq!(order(&[("a", 0), ("b", 0)]), ["a", "b"]);
    assert_eq!(order(&[("b", 0), ("a", 0)]), ["b", "a"]);
    assert_eq!(order(&[("late", 2), ("early", 1)]), ["early", "late"]);
}

#[test]
fn timer_zero_timeout() {
    let order = order(&[("a", 0), ("b", 0), ("c", 1), ("d", 0)]);
    assert_eq!(order, ["a", "b", "d", "c"]);
}

#[test]
fn timer_huge_timeout() {
    manual().block_on(async {
        let start = now();
        let (mut tiny, mut huge, mut endless) = (Timer::new(), Timer::new(), Timer::new());
        tiny.start(ms(1), Duration::ZERO);
        huge.start(ms(0xFFFF_FFFF_FFFF), Duration::ZERO);
        endless.start(Duration::MAX, Duration::ZERO);
        assert_eq!(firings(&mut tiny, start, 9).await, [1]);
        assert!(huge.due_in() > Some(500 * YEAR) && endless.is_active());
    });
}

#[test]
fn timer_huge_repeat() {
    manual().block_on(async {
        let start = now();
        let (mut tiny, mut huge) = (Timer::new(), Timer::new());
        tiny.start(ms(2), Duration::ZERO);
        huge.start(ms(1), Duration::MAX);
        assert_eq!(firings(&mut huge, start, 1).await, [1]);
        assert_eq!(firings(&mut tiny, start, 1).await, [2]);
        assert!(huge.is_active() && huge.due_in() > Some(99 * YEAR));
    });
}

#[test]
fn timer_run_once() {
    let (runtime, trace) = (manual(), Trace::default());
    for after in [0, 1] {
        let noted = trace.clone();
        runtime.enter(|| {
            drop(spawn(async move {
                let mut timer = Timer::new();
                timer.start(ms(after), Duration::ZERO);
                timer.fired().await;
                noted.note(format!("fired after {after}"));
            }));
        });
        let mut turns = 0;
        while runtime.run(Mode::Once).unwrap() {
            turns += 1;
            assert!(turns < 10, "a turn that waits ends by the timer");
        }
        assert_eq!(trace.take(), [format!("fired after {after}")]);
    }
}

#[test]
fn timer_from_check() {
    let trace = Trace::default();
    manual().block_on(async {
        let start = now();
        let timer = Rc::new(RefCell::new(sleep(ms(50))));
        let prepare = Rc::new(RefCell::new(None));
        let (set_anew, noted, begun) = (Rc::clone(&timer), trace.clone(), Rc::clone(&prepare));
        let mut calls = 0;
        let check = turn::check(move || {
            calls += 1;
            if calls == 1 {
                noted.note("check");
                assert_eq!(
                    (now() - start, set_anew.borrow().is_elapsed()),
                    (ms(50), false),
                    "it is due, and comes last"
                );
                set_anew.borrow_mut().reset(ms(50));
                let (mut calls, noted) = (0, noted.clone());
                *begun.borrow_mut() = Some(turn::prepare(move || {
                    calls += 1;
                    if calls == 1 {
                        noted.note("prepare");
                    }
                }));
            }
        });
        poll_fn(|cx| Pin::new(&mut *timer.borrow_mut()).poll(cx)).await;
        trace.note(format!("timer at {}", (now() - start).as_millis()));
        drop((check, prepare.take()));
    });
    assert_eq!(trace.take(), ["check", "prepare", "timer at 100"]);
}

#[test]
fn timer_early_check() {
    let runtime = manual();
    runtime.block_on(async {
        let mut timer = Timer::new();
        timer.start(ms(10), Duration::ZERO);
        let planned = timer.deadline().unwrap();
        advance(ms(9));
        yield_now().await;
        assert_eq!(timer.due_in(), Some(ms(1)));
        assert!(timer.fired().await);
        assert!(turn_now() >= planned);
    });
}

/// How often a timer of a millisecond that is ten late fires in turns of that kind.
fn late_firings(mode: Mode) -> Vec<String> {
    let (runtime, trace) = (manual(), Trace::default());
    let noted = trace.clone();
    let task = runtime.enter(|| {
        spawn(async move {
            let mut timer = Timer::new();
            timer.start(ms(1), ms(1));
            while timer.fired().await {
                noted.note("fired");
            }
        })
    });
    runtime.run(Mode::NoWait).unwrap();
    runtime.enter(|| advance(ms(10)));
    runtime.run(mode).unwrap();
    runtime.run(Mode::NoWait).unwrap();
    task.abort();
    trace.take()
}

#[test]
fn timer_no_double_call_once() {
    assert_eq!(late_firings(Mode::Once), ["fired"]);
}

#[test]
fn timer_no_double_call_nowait() {
    assert_eq!(late_firings(Mode::NoWait), ["fired"]);
}

#[test]
fn timer_no_run_on_unref() {
    let runtime = manual();
    let mut timer = Timer::new();
    timer.set_referenced(true);
    runtime.enter(|| timer.start(ms(10), Duration::ZERO));
    assert!(runtime.run(Mode::NoWait).unwrap(), "one that counts keeps the loop alive");
    timer.set_referenced(false);
    assert!(!runtime.run(Mode::UntilDone).unwrap());
    assert!(timer.deadline().is_some(), "nobody waited for it");
    timer.set_referenced(true);
    assert!(!runtime.run(Mode::UntilDone).unwrap());
    assert!(timer.deadline().is_none(), "and now it has fired");
}

#[test]
fn dropped_wait_for_a_timer_loses_no_firing() {
    manual().block_on(async {
        let start = now();
        let mut timer = Timer::new();
        timer.start(ms(10), ms(10));
        assert!(timeout(ms(5), timer.fired()).await.is_err());
        assert_eq!(firings(&mut timer, start, 2).await, [10, 20]);
    });
}

// --- Precise sleep -----------------------------------------------------------------------------------------------------

#[test]
fn precise_sleep_is_never_early_and_holds_a_manual_clock() {
    manual().block_on(async {
        let start = now();
        let hour = spawn(sleep(HOUR));
        for micros in [0, 1, 50, 300, 1_500] {
            let before = Instant::now();
            sleep_precise(Duration::from_micros(micros)).unwrap().await;
            assert!(before.elapsed() >= Duration::from_micros(micros));
        }
        assert_eq!(now(), start);
        hour.abort();
    });
}

#[test]
fn precise_sleep_is_set_anew_fired_or_not() {
    evloop::block_on(async {
        let before = Instant::now();
        let mut sleeper = sleep_precise(Duration::MAX).unwrap();
        assert!(race(&mut sleeper, yield_now()).await == Either::Right(()));
        sleeper.reset(Duration::from_micros(200)).unwrap();
        (&mut sleeper).await;
        assert!(sleeper.is_elapsed() && before.elapsed() >= Duration::from_micros(200));
        (&mut sleeper).await;
        sleeper.reset_at(Instant::now() + Duration::from_micros(100)).unwrap();
        assert!(!sleeper.is_elapsed());
        (&mut sleeper).await;
        sleeper.reset_at(before).unwrap();
        sleeper.await;
        assert!(before.elapsed() >= Duration::from_micros(300));
    });
}

#[test]
fn reset_of_a_fired_precise_sleep_forgets_that_it_has_fired() {
    evloop::block_on(async {
        let mut sleeper = sleep_precise(Duration::ZERO).unwrap();
        yield_now().await;
        yield_now().await; // by now it has fired, and the loop knows, unless the kernel is slow
        sleeper.reset(Duration::MAX).unwrap();
        assert!(race(&mut sleeper, yield_now()).await == Either::Right(()));
    });
}

#[test]
fn reset_while_a_task_waits_for_a_precise_sleep_needs_no_second_poll() {
    evloop::block_on(async {
        let shared = Rc::new(RefCell::new(sleep_precise(Duration::MAX).unwrap()));
        let inner = Rc::clone(&shared);
        let waiter = spawn(async move {
            poll_fn(|cx| Pin::new(&mut *inner.borrow_mut()).poll(cx)).await;
        });
        yield_now().await;
        shared.borrow_mut().reset(Duration::from_micros(10)).unwrap();
        waiter.await.unwrap();
    });
}

#[test]
fn ten_thousand_precise_sleeps_leave_no_descriptor() {
    in_child("ten_thousand_precise_sleeps_leave_no_descriptor", "", || {
        evloop::block_on(async {
            let before = open_descriptors();
            for _ in 0..10_000 {
                sleep_precise(Duration::from_micros(1)).unwrap().await;
                assert!(race(sleep_precise(HOUR).unwrap(), ready(())).await == Either::Right(()));
            }
            assert_eq!(open_descriptors(), before);
        });
    });
}

#[test]
fn precise_sleep_that_counts_keeps_the_loop_alive() {
    let runtime = manual();
    let sleeper = runtime.enter(|| sleep_precise(HOUR).unwrap());
    assert!(!runtime.run(Mode::UntilDone).unwrap());
    sleeper.set_referenced(true);
    assert!(runtime.run(Mode::NoWait).unwrap());
}

// --- What holds the clock ----------------------------------------------------------------------------------------------

#[test]
fn time_stands_still_while_a_job_of_the_pool_runs() {
    // Many times, since it is the end of the job that is delicate.
    let runtime = manual();
    for round in 0..300 {
        runtime.block_on(async {
            let start = now();
            let hour = spawn(sleep(HOUR));
            assert_eq!(spawn_blocking(move || round).await.unwrap(), round);
            assert_eq!(now(), start, "in round {round}");
            hour.abort();
        });
    }
}

#[test]
fn time_moves_again_when_the_last_job_has_ended() {
    // Also many times. Without the watcher, a clock that is held would be waited for, for an hour.
    let done = Arc::new(AtomicBool::new(false));
    let (held, is_held) = oneshot::channel::<()>();
    let (home, over) = (Watched::this_thread(), Arc::clone(&done));
    let watcher = thread::spawn(move || {
        until(|| over.load(SeqCst) || (0..20).all(|_| home.sleeps()));
        drop(held);
    });
    let rounds = manual().block_on(async {
        let rounds = async {
            for _ in 0..300 {
                spawn_blocking(|| ()).await.unwrap();
                sleep(HOUR).await;
            }
        };
        race(rounds, is_held).await
    });
    done.store(true, SeqCst);
    watcher.join().unwrap();
    assert!(matches!(rounds, Either::Left(())), "no job runs any more, and time stands still");
}

#[test]
fn time_stands_still_while_a_task_waits_for_a_socket() {
    manual().block_on(async {
        let start = now();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let home = Watched::this_thread();
        let stranger = thread::spawn(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            until(|| home.sleeps());
            stream.write_all(b"x").unwrap();
        });
        let hour = spawn(async move {
            sleep(HOUR).await;
            now()
        });
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0]).await.unwrap();
        assert_eq!(now(), start);
        stranger.join().unwrap();
        drop(stream);
        assert_eq!(hour.await.unwrap() - start, HOUR);
    });
}

#[test]
fn wait_that_was_given_up_does_not_hold_the_clock() {
    manual().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _given_up = race(listener.accept(), yield_now()).await;
        let (hung, home) = (oneshot::channel(), Watched::this_thread());
        let (over, is_over) = std::sync::mpsc::channel::<()>();
        let watcher = thread::spawn(move || {
            let ended = || is_over.try_recv() == Err(std::sync::mpsc::TryRecvError::Disconnected);
            until(|| ended() || home.sleeps());
            if !ended() {
                hung.0.send(()).unwrap();
            }
        });
        let first = race(sleep(HOUR), hung.1).await;
        drop(over);
        watcher.join().unwrap();
        assert!(matches!(first, Either::Left(())), "nobody waits for the socket any more, and time stands still");
    });
}

#[test]
#[should_panic(expected = "only a manual clock is moved by hand")]
fn systems_clock_cannot_be_moved() {
    evloop::block_on(async { advance(ms(1)) });
}
