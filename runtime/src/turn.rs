//! To take part in the turn: calls that the loop makes at fixed places, whatever its tasks do.
//!
//! ```text
//!   run ─► idle ─► prepare ─► poll ─► mail ─► check ─► timers ─┐
//!    ▲                                                         │
//!    └─────────────────────────────────────────────────────────┘
//! ```
//! *Prepare* is right before the loop may block, *check* right after it and after the mail from other threads. *Idle* is
//! before both, and while there is such a hook the loop does not block: it asks the kernel and goes on. It is libuv's
//! order (`uv_idle_t`, `uv_prepare_t`, `uv_check_t`; docs "The I/O loop"), with one phase before it, in which the tasks
//! run.
//!
//! This is for what is not a task: another library's loop inside of this one (poll it in *prepare*, take its results in
//! *check*), measurements, work in the background. Tasks that want the next turn call
//! [`yield_now`](crate::future::yield_now).

use crate::context;
use crate::core::Core;
use crate::dump::Dump;
use crate::hooks::Call;
use crate::metrics::Metrics;
use crate::observer::Observer;
use crate::trace::Phase;
use crate::view::{View, WheelView};
use crate::work::Work;
use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::rc::{Rc, Weak};

/// Calls `call` in every turn before *prepare*, and keeps the loop from blocking.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// Work in small pieces, whenever nothing else is to be done:
/// ```
/// use evloop_runtime::{Mode, Runtime, turn};
/// use std::{cell::Cell, rc::Rc};
///
/// let runtime = Runtime::new()?;
/// let pieces = Rc::new(Cell::new(0));
/// let done = Rc::clone(&pieces);
/// let worker = runtime.enter(|| turn::idle(move || done.set(done.get() + 1)));
/// while pieces.get() < 3 {
///     runtime.run(Mode::Once)?; // does not block
/// }
/// drop(worker);
/// assert!(!runtime.run(Mode::UntilDone)?, "nothing is left that keeps the loop alive");
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn idle(call: impl FnMut() + 'static) -> Hook {
    add(Phase::Idle, Rc::new(RefCell::new(call)))
}

/// Calls `call` in every turn right before the loop may block.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// How long a turn's wait took, and how many there were:
/// ```
/// use evloop_runtime::{time, turn};
/// use std::{cell::Cell, rc::Rc, time::Duration};
///
/// evloop_runtime::block_on(async {
///     let waits = Rc::new(Cell::new(0));
///     let counted = Rc::clone(&waits);
///     let _hook = turn::prepare(move || counted.set(counted.get() + 1));
///     time::sleep(Duration::from_millis(2)).await;
///     assert!(waits.get() > 0);
/// });
/// ```
#[track_caller]
pub fn prepare(call: impl FnMut() + 'static) -> Hook {
    add(Phase::Prepare, Rc::new(RefCell::new(call)))
}

/// Calls `call` in every turn after what the kernel and other threads had to say was taken in, and before deadlines are
/// looked at.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// use evloop_runtime::{future::yield_now, turn};
/// use std::{cell::Cell, rc::Rc};
///
/// evloop_runtime::block_on(async {
///     let seen = Rc::new(Cell::new(false));
///     let hook = turn::check({
///         let seen = Rc::clone(&seen);
///         move || seen.set(true)
///     });
///     yield_now().await; // a turn passes
///     assert!(seen.get());
///     drop(hook); // and no call any more
/// });
/// ```
#[track_caller]
pub fn check(call: impl FnMut() + 'static) -> Hook {
    add(Phase::Check, Rc::new(RefCell::new(call)))
}

/// All that the loop of this thread has, as [`Runtime::walk`](crate::Runtime::walk) tells it from outside.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// A task lists the others:
/// ```
/// use evloop_runtime::{WorkKind, turn};
///
/// evloop_runtime::block_on(async {
///     let _waiter = evloop_runtime::spawn(std::future::pending::<()>());
///     let tasks = turn::walk().into_iter().filter(|work| matches!(work.kind, WorkKind::Task { .. }));
///     assert_eq!(tasks.count(), 1);
/// });
/// ```
#[must_use]
#[track_caller]
pub fn walk() -> Vec<Work> {
    context::current().work()
}

/// The loop of this thread in numbers, as of now.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// use evloop_runtime::{time, turn};
/// use std::time::Duration;
///
/// evloop_runtime::block_on(async {
///     time::sleep(Duration::from_millis(2)).await;
///     let metrics = turn::metrics();
///     assert_eq!((metrics.timers.set, metrics.timers.fired, metrics.timers.armed), (1, 1, 0));
///     assert!(metrics.turns > 0 && metrics.asleep > Duration::ZERO);
/// });
/// ```
#[must_use]
#[track_caller]
pub fn metrics() -> Metrics {
    context::current().metrics()
}

/// The loop of this thread as it stands, for those who draw it: its run queue, the timer wheel slot by slot, the sources
/// and what is waited for, the pool.
///
/// It is a copy, and costs what there is to be copied: a step for each task that is queued, each source, each hook, and
/// each timer up to the bound of [`Timers::slots`](crate::engine::Timers::slots). The kernel is not asked for anything. Who
/// wants the wheel again and again, and has many sources, asks for [it alone](wheel).
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// use evloop_runtime::{TaskBuilder, observe::Cause, time, turn};
/// use std::time::Duration;
///
/// evloop_runtime::block_on(async {
///     let _next = TaskBuilder::new().name("next").spawn(async {});
///     let view = turn::view();
///     assert_eq!((view.ready[0].name.as_deref(), view.ready[0].cause), (Some("next"), Cause::Spawn));
///
///     let _sleep = time::timeout(Duration::from_millis(20), async {
///         assert_eq!(turn::view().wheel, turn::wheel());
///     })
///     .await;
/// });
/// ```
#[must_use]
#[track_caller]
pub fn view() -> View {
    context::current().view()
}

/// The timer wheel of this thread's loop, slot by slot: a part of its [`view`], which costs a step for each timer, up to the
/// bound of [`Timers::slots`](crate::engine::Timers::slots), and nothing for all else.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// use evloop_runtime::{time, turn};
/// use std::time::Duration;
///
/// evloop_runtime::block_on(async {
///     let in_time = time::timeout(Duration::from_millis(20), async {
///         let wheel = turn::wheel();
///         assert_eq!((wheel.armed, wheel.levels.as_flattened().iter().sum()), (1, 1));
///     });
///     in_time.await.unwrap();
/// });
/// ```
#[must_use]
#[track_caller]
pub fn wheel() -> WheelView {
    context::current().wheel_view()
}

/// The [seed](crate::Builder::seed) that was given to the loop of this thread.
///
/// # Panics
/// When this thread is in no loop.
#[must_use]
#[track_caller]
pub fn seed() -> Option<u64> {
    context::with(|core| core.seed)
}

/// A number by chance, the loop's: from its [seed](crate::Builder::seed), so that a program that needs chance does the same
/// again by the same seed; else one that nobody knows beforehand. It is for delays, samples and names that are not to
/// collide, not for keys.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// A delay before the next attempt that is not everybody's:
/// ```
/// use evloop_runtime::{Runtime, turn};
/// use std::time::Duration;
///
/// let delay = |seed| {
///     let runtime = Runtime::builder().seed(seed).build().unwrap();
///     runtime.block_on(async { Duration::from_millis(500 + turn::random() % 500) })
/// };
/// assert_eq!(delay(1), delay(1));
/// ```
#[must_use]
#[track_caller]
pub fn random() -> u64 {
    context::with(|core| core.chance.next())
}

/// Each live task of this thread's loop, as [`Runtime::dump`](crate::Runtime::dump) tells it from outside.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// use evloop_runtime::{TaskBuilder, future::yield_now, sync::Notify, turn};
///
/// evloop_runtime::block_on(async {
///     let waiter = TaskBuilder::new().name("waiter").spawn(async { Notify::new().notified().await });
///     yield_now().await;
///     let dump = turn::dump();
///     let task = dump.task(waiter.key()).unwrap();
///     assert_eq!((task.name.as_deref(), task.polls), (Some("waiter"), 1));
///     println!("{dump}");
/// });
/// ```
#[must_use]
#[track_caller]
pub fn dump() -> Dump {
    context::current().dump()
}

/// Lets `observer` look on at the loop of this thread, after those who do already, until what comes back is dropped. One who
/// looks on already is not told twice.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// use evloop_runtime::observe::{Cause, Key, Observer};
/// use evloop_runtime::{future::yield_now, turn};
/// use std::{cell::Cell, rc::Rc};
///
/// #[derive(Default)]
/// struct Wakes(Cell<usize>);
///
/// impl Observer for Wakes {
///     fn woken(&self, _: Key, _: Cause) {
///         self.0.set(self.0.get() + 1);
///     }
/// }
///
/// evloop_runtime::block_on(async {
///     let wakes = Rc::new(Wakes::default());
///     let observed = turn::observe(Rc::<Wakes>::clone(&wakes));
///     yield_now().await;
///     drop(observed);
///     yield_now().await;
///     assert_eq!(wakes.0.get(), 1);
/// });
/// ```
#[track_caller]
pub fn observe(observer: Rc<dyn Observer>) -> Observed {
    let core = context::current();
    core.observers.add(Rc::clone(&observer), &core.clock, core.seed);
    Observed { core: Rc::downgrade(&core), observer }
}

/// An observer at a loop, until this is dropped; see [`observe`].
#[must_use = "dropping it ends the observation"]
pub struct Observed {
    core: Weak<Core>,
    observer: Rc<dyn Observer>,
}

impl Drop for Observed {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade() {
            core.observers.remove(&self.observer);
        }
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").finish_non_exhaustive()
    }
}

#[track_caller]
fn add(phase: Phase, call: Call) -> Hook {
    let made_at = Location::caller();
    context::with(|core| Hook { loop_id: core.id, number: core.hooks.borrow_mut().add(phase, call, made_at) })
}

/// A call that the loop makes in every turn, until this is dropped.
///
/// It may spawn, set timers, add and remove hooks, itself among them; it must not block, and cannot turn the loop. One that
/// is added by a hook of the same phase is called from the next turn on. Its panic is that of who turns the loop.
///
/// It keeps the loop alive, unless told otherwise.
#[derive(Debug)]
#[must_use = "dropping it removes the hook"]
pub struct Hook {
    loop_id: u32,
    number: u64,
}

impl Hook {
    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new hook counts.
    pub fn set_referenced(&self, referenced: bool) {
        context::with_id(self.loop_id, |core| core.hooks.borrow_mut().set_referenced(self.number, referenced));
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        let call = context::with_id(self.loop_id, |core| core.hooks.borrow_mut().remove(self.number));
        drop(call); // what it holds may be anybody's, and may come back to the hooks
    }
}
