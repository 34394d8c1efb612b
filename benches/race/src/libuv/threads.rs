//! Wakes from other threads: as many as come, to one task or to any of a million.
//!
//! libuv's `uv_async_t` is a waker here: any thread may call it, and calls that come before the loop has looked count
//! as one.

use super::{check, per_second};
use evloop::task::yield_now;
use evloop::time::sleep;
use evloop::{block_on, spawn};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// Threads call one task's waker without a pause until it was polled so many times.
pub(super) fn async_pummel(callbacks: u64, threads: usize) -> io::Result<Vec<f64>> {
    let stopped = Arc::new(AtomicBool::new(false));
    let pummel = |waker: &Waker| {
        let (waker, stopped) = (waker.clone(), Arc::clone(&stopped));
        thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                waker.wake_by_ref();
            }
        })
    };
    let (mut called, mut ringing) = (0, Vec::new());
    let mut begin = Instant::now();
    block_on(poll_fn(|cx| {
        if ringing.is_empty() {
            ringing.extend((0..threads).map(|_| pummel(cx.waker())));
            begin = Instant::now();
            return Poll::Pending;
        }
        called += 1;
        if called < callbacks { Poll::Pending } else { Poll::Ready(()) }
    }));
    let elapsed = begin.elapsed();
    stopped.store(true, Ordering::Relaxed);
    for thread in ringing {
        thread.join().map_err(|_| io::Error::other("a thread that rings has panicked"))?;
    }
    check("callbacks", called, callbacks)?;
    Ok(vec![per_second(callbacks, elapsed)])
}

/// How many tasks can be rung; libuv's million is of 1024 by 1024 too.
#[cfg(not(test))]
const HANDLES: usize = 1024 * 1024;
#[cfg(test)]
const HANDLES: usize = 1024; // a million tasks of a build without optimisation are a test to wait for

/// What the tasks have seen.
#[derive(Debug, Default)]
struct Seen {
    events: Cell<u64>,
    handles: Cell<u32>,
    wakers: RefCell<Vec<Waker>>,
}

/// A thread rings tasks at random, for so many milliseconds; the figures are wakes that arrived, and tasks that had
/// one.
pub(super) fn million_async(millis: u64) -> io::Result<Vec<f64>> {
    let limit = Duration::from_millis(millis);
    let seen = Rc::new(Seen::default());
    block_on(async {
        for _ in 0..HANDLES {
            drop(spawn(rung(Rc::clone(&seen))));
        }
        while seen.wakers.borrow().len() < HANDLES {
            yield_now().await;
        }
        let (wakers, stopped) = (seen.wakers.take(), Arc::new(AtomicBool::new(false)));
        let ringing = ring_at_random(wakers, Arc::clone(&stopped));
        let begin = Instant::now();
        sleep(limit).await;
        while seen.events.get() == 0 {
            yield_now().await; // the thread has not been on a core yet
        }
        let (events, elapsed) = (seen.events.get(), begin.elapsed());
        stopped.store(true, Ordering::Relaxed);
        ringing.join().map_err(|_| io::Error::other("the thread that rings has panicked"))?;
        check("that each task is counted once", seen.handles.get() as usize <= HANDLES, true)?;
        Ok(vec![per_second(events, elapsed), f64::from(seen.handles.get())])
    })
}

/// A task that tells its waker first, and counts from then on whenever it is polled.
async fn rung(seen: Rc<Seen>) {
    let (mut told, mut counted) = (false, false);
    poll_fn(|cx| {
        if told {
            seen.events.set(seen.events.get() + 1);
            seen.handles.set(seen.handles.get() + u32::from(!counted));
            counted = true;
        } else {
            seen.wakers.borrow_mut().push(cx.waker().clone());
            told = true;
        }
        Poll::<()>::Pending
    })
    .await;
}

fn ring_at_random(wakers: Vec<Waker>, stopped: Arc<AtomicBool>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut random = Random::default();
        while !stopped.load(Ordering::Relaxed) {
            wakers[random.next() as usize % wakers.len()].wake_by_ref();
        }
    })
}

/// A linear congruence as cheap as the one that libuv's threads step: what is measured is the wake.
#[derive(Debug, Default)]
pub(super) struct Random(u32);

impl Random {
    /// The next number; its high bits are the better ones, and come first.
    pub(super) fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(214_013).wrapping_add(2_531_011);
        self.0.rotate_left(16)
    }
}
