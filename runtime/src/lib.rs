//! The event loop of evloop: a reactor over epoll, tasks that stay on one thread, a hierarchical timer wheel, and a pool
//! for what blocks.
//!
//! ```
//! use evloop_runtime::time::sleep;
//! use std::time::Duration;
//!
//! let sum = evloop_runtime::block_on(async {
//!     let slow = evloop_runtime::spawn(async {
//!         sleep(Duration::from_millis(2)).await;
//!         40
//!     });
//!     let fast = evloop_runtime::spawn(async { 2 });
//!     slow.await.unwrap() + fast.await.unwrap()
//! });
//! assert_eq!(sum, 42);
//! ```
//!
//! # How to read it
//!
//! Start at `turn` in `runtime.rs`: that function is the loop. The modules below stand in the order of their layers, and
//! each imports only from those before it, so they can be read from top to bottom as well.

// L0, ground
mod loom;

mod arena;
mod chance;
mod clock;
mod failed;
mod memory;
mod trace;

mod holders;

// L1, what needs no loop
mod board;
pub mod future;
pub mod io;
mod lookout;
mod observer;
pub mod sync;
mod sys;
mod waiter;

// L2, the engines
mod hooks;
mod pool;
mod reactor;
mod tape;
mod task;
mod timer;
mod watchdog;

// L3, the loop
mod core;

mod work;

mod context;

mod doing;

mod metrics;

mod view;

mod dump;

mod histograms;

mod registered;

mod runtime;

mod builder;

mod spawn;

mod join_set;

mod group;

mod handle;

pub mod time;

pub mod pipe;

// L4, the doors
#[cfg(any(feature = "futures-io", feature = "hyper", feature = "tokio-io"))]
pub mod compat;
pub mod fd;
pub mod fs;
pub mod net;
pub mod process;
pub mod signal;
pub mod stdio;
pub mod testing;
pub mod turn;

pub use builder::{Builder, block_on, run};
pub use group::{Child, Failure, GroupError, GroupScope, TaskGroup, group};
pub use handle::{Handle, RemoteHandle};
pub use join_set::{JoinAllTasks, JoinNext, JoinSet, Shutdown};
pub use pool::{ClassLoad, JobClass, PoolLimits, PoolLoad};
pub use runtime::{Busy, Mode, Runtime};
pub use spawn::{Blocking, TaskBuilder, current, pool, spawn, spawn_blocking, spawn_blocking_in};
pub use task::{AbortHandle, AbortOnDrop, JoinError, JoinHandle};
pub use work::{Work, WorkKind};

pub mod observe {
    //! To see the loop turn: its numbers, and those who look on.
    //!
    //! - [`Metrics`] are integers that are always kept; [`Handle::metrics`](crate::Handle::metrics) reads them from any thread.
    //! - An [`Observer`] is told of each phase, wake, poll and job, and costs a branch while there is none: see
    //!   [`Builder::observer`](crate::Builder::observer) and [`turn::observe`](crate::turn::observe).
    //! - A [`Tape`] is an observer that keeps the last phases, polls and jobs. A [`Recording`] of them can be checked against the
    //!   order of a turn ([`TURN`]), asked why one task ran before another, and, with the feature `json`, written as a Chrome
    //!   trace. [`Histograms`] and [`PollTimes`] are observers that keep how long things take.
    //! - A [`Watchdog`] looks at the loop from a thread of its own, and tells what holds it while it does: see
    //!   [`Builder::watchdog`](crate::Builder::watchdog).
    //! - A [`Dump`] tells what each task waits for ([`turn::dump`](crate::turn::dump)), a [`View`] how the queue, the wheel and
    //!   the sources stand ([`turn::view`](crate::turn::view), and [`turn::wheel`](crate::turn::wheel) for the wheel alone).

    pub use crate::arena::Key;
    pub use crate::doing::Doing;
    pub use crate::dump::{Dump, Holding, TaskDump, WaitsFor};
    pub use crate::histograms::{Histograms, HistogramsReader, Latencies, Quantiles};
    pub use crate::metrics::{Metrics, Served, TimerMetrics, Wakes};
    pub use crate::observer::{JobTimes, Observer, PollTimes};
    pub use crate::tape::{After, Record, Recording, Tape, TapedTask, Turn, Wake, What};
    pub use crate::tape::{Because, NoAnswer, PhaseRule, Rule, TURN, Violation, Why};
    pub use crate::trace::{Cause, JobClass, LockId, Phase, Place, Side, Wait};
    pub use crate::view::{ClockView, HookView, ReadyView, SourceView, View, WheelView};
    pub use crate::watchdog::{Holder, SlowPoll, ThreadState, Watchdog};
}

pub mod engine {
    //! The parts of the loop, each usable by itself: for study, for measuring, and for fronts other than futures.
    //!
    //! No engine knows another, none knows "the current loop", and none calls foreign code while it works: what is to be
    //! woken is handed to the caller. They may change with any version; the rest of the crate keeps its promises.

    pub use crate::arena::{Arena, Key, Queue};
    pub use crate::clock::{Clock, Tick};
    pub use crate::metrics::ServedCounts;
    pub use crate::pool::{ClassLoad, Job, JobClass, Pool, PoolLimits, PoolLoad, Refused, Ticket};
    pub use crate::reactor::{Reactor, Source};
    pub use crate::task::{Door, TaskInfo, Tasks};
    pub use crate::timer::{Expired, TimerCounts, Timers};
    pub use crate::waiter::Waiter;

    pub mod trace {
        //! The notes that tasks and leaves leave, and those who read them.

        pub use crate::observer::{Observer, Observers};
        pub use crate::trace::{
            Cause, JobClass, LockId, OPERATIONS_PER_POLL, Phase, Place, Side, Wait, poll_budget, waits_for,
        };
    }
}
