//! Time that moves by hand: what fires when, in which order, and what holds the clock.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{Trace, Watched, manual, ms, until};
use evloop::future::{Either, join, race, yield_now};
use evloop::io::AsyncRead;
use evloop::net::TcpListener;
use evloop::sync::oneshot;
use evloop::time::{MissedTicks, advance, interval, interval_at, now, sleep, sleep_until, timeout, timeout_at};
use evloop::{spawn, spawn_blocking};
use std::future::{pending, ready};
use std::io::{self, Write};
use std::pin::pin;
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
    use std::cell::RefCell;
    use std::rc::Rc;
    manual().block_on(async {
        let start = now();
        let shared = Rc::new(RefCell::new(sleep(ms(10))));
        let inner = Rc::clone(&shared);
        let waiter = spawn(async move {
            std::future::poll_fn(|cx| std::pin::Pin::new(&mut *inner.borrow_mut()).poll(cx)).await;
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
