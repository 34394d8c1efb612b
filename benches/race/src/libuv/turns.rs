//! The loop by itself: turns that do nothing, and ten million timers.

use super::{check, per_second};
use crate::operations::Fired;
use evloop::time::{Sleep, sleep};
use evloop::{Mode, Runtime, turn};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

/// An idle hook is called once a turn, until it removes itself and nothing keeps the loop alive.
pub(super) fn loop_count(ticks: u64) -> io::Result<Vec<f64>> {
    let runtime = Runtime::new()?;
    let (ticked, hook) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(None)));
    let (count, itself) = (Rc::clone(&ticked), Rc::clone(&hook));
    let idle = move || {
        count.set(count.get() + 1);
        if count.get() == ticks {
            drop(itself.take());
        }
    };
    hook.replace(Some(runtime.enter(|| turn::idle(idle))));
    let begin = Instant::now();
    runtime.run(Mode::UntilDone)?;
    let elapsed = begin.elapsed();
    check("ticks", ticked.get(), ticks)?;
    Ok(vec![per_second(ticks, elapsed)])
}

/// How many timers share a deadline; the next thousand is due a millisecond later.
const TIMERS_A_MILLISECOND: u64 = 1_000;

/// Timers are set, waited for, and dropped: the seconds of all, and of each part.
pub(super) fn million_timers(timers: u64) -> io::Result<Vec<f64>> {
    let fired = Fired::all(timers);
    let waker = Waker::from(Arc::clone(&fired));
    Runtime::new()?.block_on(async {
        let mut cx = Context::from_waker(&waker);
        let mut set: Vec<Sleep> = Vec::with_capacity(usize::try_from(timers).map_err(io::Error::other)?);
        let begin = Instant::now();
        for number in 0..timers {
            let mut timer = sleep(Duration::from_millis(number / TIMERS_A_MILLISECOND + 1));
            let _ = Pin::new(&mut timer).poll(&mut cx);
            set.push(timer);
        }
        let setting = begin.elapsed();
        let waiting = Instant::now();
        fired.wait().await;
        let firing = waiting.elapsed();
        check("timers that fired", set.iter().filter(|timer| timer.is_elapsed()).count(), set.len())?;
        let dropping = Instant::now();
        drop(set);
        let dropping = dropping.elapsed();
        let parts = [setting + firing + dropping, setting, firing, dropping];
        Ok(parts.map(|part| part.as_secs_f64()).to_vec())
    })
}
