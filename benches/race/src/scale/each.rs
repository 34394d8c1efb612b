//! What one of many takes, measured in this process, which does nothing else.
//!
//! Memory is that of the first time, when the heap grows for them: what the C library has given out, and what is resident
//! after it was touched. What is resident comes in pages, so it says little of few. Times are of the times after that, so that few are not charged with pages that many have as well:
//! few are done again and again until they come to [`DONE_MIN`]. Times are of the process on its core.

use super::table::THINGS;
use crate::measure::cpu::resident_bytes;
use crate::operations::{Fired, Spent, Stopwatch, heap};
use crate::options::unknown;
use evloop::fd::AsyncFd;
use evloop::sync::Notify;
use evloop::task::yield_now;
use evloop::time::{Sleep, sleep};
use evloop::{Runtime, block_on, spawn};
use rustix::event::{EventfdFlags, eventfd};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What stands in the place of a runtime on the command line.
pub(crate) const RUNTIME: &str = "scale";

/// So many are done at least, be it in several times.
const DONE_MIN: u64 = 200_000;

/// How many timers fire in a tick: as many whatever their number, so that a turn has the same work.
const PER_TICK: u64 = 100;

/// Measures a thing once, and prints its figures as JSON.
///
/// # Errors
///
/// When there is no such thing, or it cannot be had in that number.
pub(crate) fn one(name: &str, count: u64) -> io::Result<()> {
    let known: Vec<_> = THINGS.iter().map(|thing| thing.name).collect();
    let refuse = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
    let thing = THINGS.iter().find(|thing| thing.name == name);
    let thing = thing.ok_or_else(|| refuse(unknown("thing", name, &known)))?;
    if count == 0 {
        return Err(refuse("there is at least one of them".to_owned()));
    }
    println!("{}", serde_json::to_string(&(thing.measure)(count)?)?);
    Ok(())
}

/// Memory of this process: of its heap, and resident.
#[derive(Debug, Clone, Copy)]
struct Memory {
    heap: f64,
    resident: f64,
}

impl Memory {
    fn now() -> io::Result<Memory> {
        let pid = i32::try_from(std::process::id()).expect("a process's number fits");
        #[allow(clippy::cast_precision_loss, reason = "memory is far below 2^52")]
        let resident = resident_bytes(pid)? as f64;
        Ok(Memory { heap: heap::in_use(), resident })
    }

    /// What each of so many has since then.
    #[allow(clippy::cast_precision_loss, reason = "they are fewer than 2^52")]
    fn each_since(self, before: Memory, count: u64) -> [f64; 2] {
        [(self.heap - before.heap) / count as f64, ((self.resident - before.resident) / count as f64).max(0.0)]
    }
}

/// How often so few are done.
fn times(count: u64) -> u64 {
    DONE_MIN.div_ceil(count)
}

/// The mean of some times.
#[allow(clippy::cast_precision_loss, reason = "there are some hundreds")]
fn mean(spent: &[Spent]) -> f64 {
    spent.iter().map(|spent| spent.cpu_ns).sum::<f64>() / spent.len() as f64
}

/// A list whose room is touched already, so that it is not what is measured.
fn room<T>(count: u64, filler: impl FnMut() -> T) -> Vec<T> {
    let count = usize::try_from(count).expect("they fit into memory");
    let mut room = Vec::with_capacity(count);
    room.resize_with(count, filler);
    room.clear();
    room
}

// --- Timers --------------------------------------------------------------------------------------------------------------

/// Sets as many as there are, at deadlines that Marsaglia's xorshift draws from so many ticks.
fn arm(armed: &mut Vec<Option<Sleep>>, count: u64, from: Duration, ticks: u64, fired: &Arc<Fired>) {
    let waker = Waker::from(Arc::clone(fired));
    let mut cx = Context::from_waker(&waker);
    let mut drawn = 88_172_645_463_325_252_u64;
    for _ in 0..count {
        drawn ^= drawn << 13;
        drawn ^= drawn >> 7;
        drawn ^= drawn << 17;
        let mut timer = sleep(from + Duration::from_millis(drawn % ticks));
        assert!(Pin::new(&mut timer).poll(&mut cx).is_pending(), "its deadline is ahead");
        armed.push(Some(timer));
    }
}

/// Insert, cancel, fire; heap and resident bytes.
pub(super) fn timers(count: u64) -> io::Result<Vec<f64>> {
    let runtime = Runtime::builder().manual_clock().build()?;
    runtime.block_on(async {
        let mut armed = room(count, || None);
        let ticks = count.div_ceil(PER_TICK);
        let (minute, soon) = (Duration::from_secs(60), Duration::from_millis(100));
        let before = Memory::now()?;
        arm(&mut armed, count, minute, ticks, &Fired::all(count));
        let [heap, resident] = Memory::now()?.each_since(before, count);
        armed.clear();
        let [mut inserting, mut cancelling, mut firing] = [const { Vec::new() }; 3];
        for _ in 0..times(count) {
            let watch = Stopwatch::start();
            arm(&mut armed, count, minute, ticks, &Fired::all(count));
            inserting.push(watch.stop(count));
            let watch = Stopwatch::start();
            armed.clear();
            cancelling.push(watch.stop(count));
            let fired = Fired::all(count);
            arm(&mut armed, count, soon, ticks, &fired);
            let watch = Stopwatch::start();
            fired.wait().await;
            firing.push(watch.stop(count));
            armed.clear();
        }
        let future = size_of::<Option<Sleep>>();
        #[allow(clippy::cast_precision_loss, reason = "a future has some bytes")]
        let future = future as f64;
        // The list's room was there before: the future in it is the timer's own.
        Ok(vec![mean(&inserting), mean(&cancelling), mean(&firing), heap + future, resident + future])
    })
}

// --- Tasks ---------------------------------------------------------------------------------------------------------------

/// What all tasks of one measurement share.
struct Crowd {
    /// Those who wait.
    wakers: RefCell<Vec<Waker>>,
    /// How many have been polled since that was last asked.
    polled: Cell<u64>,
    count: u64,
    all_polled: Notify,
    over: Cell<bool>,
}

impl Crowd {
    /// As small as a task can be that waits.
    async fn wait(self: Rc<Self>) {
        poll_fn(|cx| {
            self.polled.set(self.polled.get() + 1);
            if self.polled.get() == self.count {
                self.all_polled.notify_one();
            }
            if self.over.get() {
                return Poll::Ready(());
            }
            self.wakers.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Until each has been polled once more.
    async fn until_polled(&self) {
        self.all_polled.notified().await;
        self.polled.set(0);
    }

    /// Wakes all; `spare` becomes the list of those who wait then.
    fn wake(&self, spare: &mut Vec<Waker>) {
        std::mem::swap(&mut *self.wakers.borrow_mut(), spare);
        spare.drain(..).for_each(Waker::wake);
    }
}

/// Spawn, wake, end; heap and resident bytes.
pub(super) fn tasks(count: u64) -> io::Result<Vec<f64>> {
    block_on(async {
        let wakers = || room(count, || Waker::noop().clone());
        let mut spare = wakers();
        let crowd = Rc::new(Crowd {
            wakers: RefCell::new(wakers()),
            polled: Cell::default(),
            count,
            all_polled: Notify::new(),
            over: Cell::default(),
        });
        let mut memory = None;
        let [mut spawning, mut waking, mut ending] = [const { Vec::new() }; 3];
        // The first time is for the memory.
        for time in 0..=times(count) {
            let before = Memory::now()?;
            crowd.over.set(false);
            let watch = Stopwatch::start();
            for _ in 0..count {
                drop(spawn(Rc::clone(&crowd).wait()));
            }
            crowd.until_polled().await;
            let spawned = watch.stop(count);
            if memory.is_none() {
                memory = Some(Memory::now()?.each_since(before, count));
            }
            let watch = Stopwatch::start();
            crowd.wake(&mut spare);
            crowd.until_polled().await;
            let woken = watch.stop(count);
            crowd.over.set(true);
            let watch = Stopwatch::start();
            crowd.wake(&mut spare);
            crowd.until_polled().await;
            let ended = watch.stop(count);
            if time > 0 {
                spawning.push(spawned);
                waking.push(woken);
                ending.push(ended);
            }
            yield_now().await;
        }
        let [heap, resident] = memory.expect("there was a first time");
        Ok(vec![mean(&spawning), mean(&waking), mean(&ending), heap, resident])
    })
}

// --- Sources -------------------------------------------------------------------------------------------------------------

/// Register, remove; heap and resident bytes.
pub(super) fn sources(count: u64) -> io::Result<Vec<f64>> {
    block_on(async {
        let bell = || eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(io::Error::from);
        let make = || (0..count).map(|_| bell()).collect::<io::Result<Vec<_>>>();
        let mut watched = Vec::with_capacity(usize::try_from(count).expect("they fit into memory"));
        let (mut memory, mut registering, mut removing) = (None, Vec::new(), Vec::new());
        for time in 0..=times(count) {
            let bells = make()?;
            let before = Memory::now()?;
            let watch = Stopwatch::start();
            for bell in bells {
                watched.push(AsyncFd::new(bell)?);
            }
            let registered = watch.stop(count);
            if memory.is_none() {
                memory = Some(Memory::now()?.each_since(before, count));
            }
            let watch = Stopwatch::start();
            let bells = watched.drain(..).map(AsyncFd::into_inner).collect::<io::Result<Vec<_>>>()?;
            let removed = watch.stop(count);
            drop(bells);
            if time > 0 {
                registering.push(registered);
                removing.push(removed);
            }
        }
        let [heap, resident] = memory.expect("there was a first time");
        Ok(vec![mean(&registering), mean(&removing), heap, resident])
    })
}
