//! A loop in numbers: what it has done since it was made, and what it has now.
//!
//! They are always kept, for they are integers: a wake adds one, a batch adds its polls, a turn writes down the rest when it
//! is about to wait. Time is what the turn reads of the clock anyway. What would have to be timed for each poll belongs to
//! an [`Observer`](crate::engine::trace::Observer).
//!
//! libuv has three of them (`uv_metrics_info`: turns, events, events that waited), and the time asleep if it was asked to
//! keep it.

use crate::board::{Board, Number};
use crate::context;
use crate::core::Core;
use crate::pool::{Pool, PoolLoad};
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A loop in numbers: see [`Handle::metrics`](crate::Handle::metrics).
///
/// Counts are since the loop was made, and never go back. How many tasks and timers there are, and what became of timers, is
/// as of the moment when the loop last was about to wait, or when its run or the loop itself ended; as of now, where
/// the loop itself asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Turns that were begun.
    pub turns: u64,
    /// Events that the kernel has told; the bell of another thread is one, too.
    pub events: u64,
    /// Polls of tasks, and of the future of `block_on`.
    pub polls: u64,
    /// Why tasks became runnable. One that is woken again before its poll counts once.
    pub wakes: Wakes,
    /// Tasks that have not ended, and those whose output nobody has taken yet.
    pub tasks: usize,
    /// Tasks in the run queue, which the next batch begins with.
    pub ready: usize,
    /// Timers.
    pub timers: TimerMetrics,
    /// Descriptors that are registered.
    pub sources: usize,
    /// For how long the loop has worked, as of its last wait: run tasks, asked the kernel without waiting, and all else; time
    /// between two runs counts here, too.
    pub busy: Duration,
    /// For how long it has waited for the kernel, up to now if it waits now; `uv_metrics_idle_time`.
    pub asleep: Duration,
    /// What servers on this loop have to do.
    pub served: Served,
    /// The blocking pool.
    pub pool: PoolLoad,
}

/// Why tasks became runnable, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Wakes {
    /// They were spawned.
    pub spawn: u64,
    /// A task woke them.
    pub task: u64,
    /// A source became ready.
    pub io: u64,
    /// A deadline passed.
    pub timer: u64,
    /// Another thread woke them, or a call did that it has posted.
    pub mail: u64,
    /// Code between polls: the caller of `block_on`, or a hook.
    pub outside: u64,
}

/// Timers in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TimerMetrics {
    /// Those that have not fired.
    pub armed: usize,
    /// How often one was set, also anew.
    pub set: u64,
    /// Those that fired.
    pub fired: u64,
    /// Those that were cancelled, or set anew, before they fired.
    pub cancelled: u64,
    /// How much later than their deadlines, rounded up to a tick of 1 ms, those that fired did so, all together; divided by
    /// `fired`, the average.
    pub late: Duration,
    /// The most that one of them was late.
    pub late_max: Duration,
}

/// What servers have to do, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Served {
    /// Connections that were accepted.
    pub connections: u64,
    /// Those that are open.
    pub connections_open: u64,
    /// Requests that were begun.
    pub requests: u64,
    /// Those that are not answered yet.
    pub requests_open: u64,
}

impl Metrics {
    pub(crate) fn read(board: &Board, pool: &Pool) -> Metrics {
        let number = |number| board.get(number);
        let count = |number| usize::try_from(board.get(number)).unwrap_or(usize::MAX);
        let time = |number| Duration::from_nanos(board.get(number));
        Metrics {
            turns: number(Number::Turns),
            events: number(Number::Events),
            polls: number(Number::Polls),
            wakes: Wakes {
                spawn: number(Number::WakesSpawn),
                task: number(Number::WakesTask),
                io: number(Number::WakesIo),
                timer: number(Number::WakesTimer),
                mail: number(Number::WakesMail),
                outside: number(Number::WakesOutside),
            },
            tasks: count(Number::TasksLive),
            ready: count(Number::TasksReady),
            timers: TimerMetrics {
                armed: count(Number::TimersArmed),
                set: number(Number::TimersSet),
                fired: number(Number::TimersFired),
                cancelled: number(Number::TimersCancelled),
                late: time(Number::TimersLate),
                late_max: time(Number::TimersLateMax),
            },
            sources: count(Number::Sources),
            busy: time(Number::Busy),
            asleep: Duration::from_nanos(board.asleep()),
            served: Served {
                connections: number(Number::ConnectionsOpened),
                connections_open: number(Number::ConnectionsOpened).saturating_sub(number(Number::ConnectionsClosed)),
                requests: number(Number::RequestsBegun),
                requests_open: number(Number::RequestsBegun).saturating_sub(number(Number::RequestsEnded)),
            },
            pool: pool.load(),
        }
    }
}

/// Where a server on this loop counts what it serves, for [`Metrics::served`].
///
/// # Examples
/// ```
/// use evloop_runtime::{engine::ServedCounts, turn};
///
/// evloop_runtime::block_on(async {
///     let counts = ServedCounts::current();
///     counts.connection_opened();
///     counts.request_begun();
///     counts.request_ended();
///     let served = turn::metrics().served;
///     assert_eq!((served.connections_open, served.requests, served.requests_open), (1, 1, 0));
/// });
/// ```
#[derive(Debug, Clone)]
pub struct ServedCounts {
    board: Arc<Board>,
    /// Only the loop's thread writes.
    _home: PhantomData<Rc<()>>,
}

impl ServedCounts {
    /// Those of this thread's loop.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[must_use]
    #[track_caller]
    pub fn current() -> ServedCounts {
        ServedCounts { board: context::with(|core| Arc::clone(&core.board)), _home: PhantomData }
    }

    /// A connection was accepted.
    #[inline]
    pub fn connection_opened(&self) {
        self.board.add(Number::ConnectionsOpened, 1);
    }

    /// A connection has ended.
    #[inline]
    pub fn connection_closed(&self) {
        self.board.add(Number::ConnectionsClosed, 1);
    }

    /// A request's head has come, and it is being answered.
    #[inline]
    pub fn request_begun(&self) {
        self.board.add(Number::RequestsBegun, 1);
    }

    /// A request is over.
    #[inline]
    pub fn request_ended(&self) {
        self.board.add(Number::RequestsEnded, 1);
    }
}

impl Core {
    /// The loop in numbers, as of now.
    pub(crate) fn metrics(&self) -> Metrics {
        self.write_numbers();
        Metrics::read(&self.board, &self.pool)
    }

    /// Writes down what is not counted on the board itself: once a turn, before it waits.
    #[inline]
    pub(crate) fn write_numbers(&self) {
        let board = &*self.board;
        let timers = self.timers.borrow();
        let counts = timers.counts();
        board.set(Number::TasksLive, self.tasks.len() as u64);
        board.set(Number::TasksReady, self.tasks.ready_len() as u64);
        board.set(Number::TimersArmed, timers.armed() as u64);
        board.set(Number::TimersSet, counts.set);
        board.set(Number::TimersFired, counts.fired);
        board.set(Number::TimersCancelled, counts.cancelled);
    }
}
