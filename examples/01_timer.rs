//! Timers: sleep, tick, give up.
//!
//! Run it with `cargo run --release --example 01_timer`. It ends by itself after a third of a second. To be seen:
//!
//! - Sleeps end in the order of their deadlines, not in the order in which they were begun. Equal deadlines keep the
//!   order in which they were set.
//! - A sleep is never early, and late by a millisecond or little more on a machine that is not busy: the wheel counts
//!   in milliseconds, and rounds up.
//! - An interval keeps its beat although its consumer is slow: the ticks are planned, not counted from the last one.
//! - A timeout drops the future that was too slow, and cancels its own timer when the future was in time.
//! - A timer that is set anew forgets its first deadline.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use evloop::time::{MissedTicks, interval, sleep, timeout};
use std::time::{Duration, Instant};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// How far `begin` lies back, for the left margin.
fn since(begin: Instant) -> String {
    format!("{:>7.2} ms", begin.elapsed().as_secs_f64() * 1e3)
}

/// Five tasks sleep at the same time, on one thread: the loop waits for the earliest of the deadlines, then for the
/// next.
async fn deadlines_in_order() {
    println!("five sleeps, begun in the order a b c d e");
    let begin = Instant::now();
    let sleepers = [("a", 30), ("b", 10), ("c", 20), ("d", 10), ("e", 0)];
    let tasks = sleepers.map(|(name, millis)| {
        // The timer is armed here, when it is made. The task only waits for it.
        let timer = sleep(ms(millis));
        evloop::spawn(async move {
            timer.await;
            println!("  {}  {name} was to sleep for {millis} ms", since(begin));
        })
    });
    // To spawn was enough to have them run. This waits until the last has ended.
    for task in tasks {
        task.await.expect("no sleeper panics");
    }
}

/// Work that takes longer than a period now and then: what was missed is left out, and the beat stays.
async fn beat() {
    println!("a tick every 20 ms; after the second, the consumer is busy for 50 ms");
    let begin = Instant::now();
    let mut ticks = interval(ms(20));
    ticks.set_missed_ticks(MissedTicks::Skip);
    for count in 1..=5 {
        let planned = ticks.tick().await;
        println!("  {}  tick {count}, planned for {:>3} ms", since(begin), (planned - begin).as_millis());
        if count == 2 {
            sleep(ms(50)).await;
        }
    }
}

/// The same job twice, with time enough and without.
async fn limits() {
    println!("a job of 20 ms, with a limit of 50 ms and with one of 10 ms");
    for limit in [50, 10] {
        let begin = Instant::now();
        let job = async {
            sleep(ms(20)).await;
            "done"
        };
        match timeout(ms(limit), job).await {
            Ok(output) => println!("  {}  {output}", since(begin)),
            // The job is gone by now, and so is the timer in it: what is dropped is cancelled.
            Err(elapsed) => println!("  {}  {elapsed}", since(begin)),
        }
    }
}

/// The dead man's switch: as long as somebody resets it, it does not fire. An idle timeout of a connection is this.
async fn switch() {
    println!("a timer of 15 ms, set anew three times, 10 ms apart");
    let begin = Instant::now();
    let mut timer = sleep(ms(15));
    for _ in 0..3 {
        sleep(ms(10)).await;
        assert!(!timer.is_elapsed(), "it was to wait for 15 ms more");
        timer.reset(ms(15)); // in place: no allocation, no new timer
    }
    timer.await;
    println!("  {}  fired", since(begin));
}

fn main() -> evloop::Result<()> {
    evloop::run(async {
        deadlines_in_order().await;
        beat().await;
        limits().await;
        switch().await;
        Ok(())
    })
}
