//! How a loop is made, to measure or as it comes.

use crate::clock::Clock;
use crate::context;
use crate::core::Core;
use crate::observer::Observer;
use crate::pool::{Pool, PoolLimits};
use crate::reactor::Reactor;
use crate::runtime::Runtime;
use crate::watchdog::Watchdog;
use std::fmt;
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

/// The date at which a loop begins whose time moves by hand and whose chance comes from a seed: the first second of 2000,
/// in seconds since 1970.
const SEEDED_DATE: u64 = 946_684_800;

/// A loop to be made.
///
/// # Examples
/// A loop whose time moves by hand: an hour passes at once.
/// ```
/// use evloop_runtime::{Runtime, time};
/// use std::time::Duration;
///
/// let runtime = Runtime::builder().manual_clock().build()?;
/// runtime.block_on(async {
///     let before = time::now();
///     time::sleep(Duration::from_secs(3_600)).await;
///     assert_eq!(time::now() - before, Duration::from_secs(3_600));
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    manual_clock: bool,
    pool: Option<PoolLimits>,
    observers: Vec<Rc<dyn Observer>>,
    watchdog: Option<Watchdog>,
    seed: Option<u64>,
}

impl Builder {
    /// The system's clock, the default pool, no observer, no watchdog, tasks polled in the order of their wakes.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Time stands still while there is anything to do. When the loop would block, it moves to the next deadline at once,
    /// unless a job of the pool is under way or a task waits for a socket: then the loop blocks as usual, for what the
    /// outside world takes no clock can tell.
    pub fn manual_clock(mut self) -> Builder {
        self.manual_clock = true;
        self
    }

    /// Has the order in which ready tasks are polled drawn from a seed, and all other chance of this loop with it
    /// ([`turn::random`](crate::turn::random), the faults of a [network in memory](crate::testing::Network)). The same
    /// seed gives the same order, in every process and every build of this version of the program; another gives another.
    ///
    /// So an order that the program relies on and nobody promised shows as a test that fails under some seeds: see
    /// [`testing`](crate::testing), which also tells what the same run takes besides a seed. First of all a
    /// [manual clock](Builder::manual_clock); with both, the [date](crate::time::date) begins with the year 2000.
    ///
    /// # What holds under every seed
    /// A task that is ready when the tasks of a turn begin to run is polled in that turn. One that is woken meanwhile may
    /// be polled in it as well, before or after those; but one that yields, or whose budget of operations is spent, goes
    /// on in the next turn, and so does everybody who is woken from then on. What the parts promise among themselves
    /// holds: locks are had in the order in which they were asked for, messages come in the order in which they were sent.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{Runtime, spawn};
    /// use std::{cell::RefCell, rc::Rc};
    ///
    /// let order = |seed| {
    ///     let order = Rc::new(RefCell::new(String::new()));
    ///     let runtime = Runtime::builder().seed(seed).build().unwrap();
    ///     runtime.block_on(async {
    ///         let tasks = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map(|name| {
    ///             let order = Rc::clone(&order);
    ///             spawn(async move { order.borrow_mut().push(name) })
    ///         });
    ///         for task in tasks {
    ///             task.await.unwrap();
    ///         }
    ///     });
    ///     order.take()
    /// };
    /// assert_eq!(order(17), order(17));
    /// assert_ne!(order(17), order(18));
    /// ```
    pub fn seed(mut self, seed: u64) -> Builder {
        self.seed = Some(seed);
        self
    }

    /// The bounds of the blocking pool, which is this loop's alone. Without them, the environment is asked for a number of
    /// threads when the loop is built: `EVLOOP_POOL_THREADS`, from 1 to 1,024, as libuv has `UV_THREADPOOL_SIZE`.
    pub fn pool(mut self, limits: PoolLimits) -> Builder {
        self.pool = Some(limits);
        self
    }

    /// Somebody who looks on while the loop turns; one more with each call, told in that order. Who is named twice is told
    /// once.
    pub fn observer(mut self, observer: Rc<dyn Observer>) -> Builder {
        self.observers.push(observer);
        self
    }

    /// A thread that tells what holds the loop, while it does.
    pub fn watchdog(mut self, watchdog: Watchdog) -> Builder {
        self.watchdog = Some(watchdog);
        self
    }

    /// Makes the loop, for this thread.
    ///
    /// # Errors
    /// When the kernel gives no descriptors for epoll and eventfd or no thread for the watchdog, when 4,096 loops live in this
    /// process, when the bounds of the pool are such that nothing would get done, or when `EVLOOP_POOL_THREADS` is to give them
    /// and is no number from 1 to 1,024.
    pub fn build(self) -> io::Result<Runtime> {
        let limits = self.pool.map_or_else(PoolLimits::from_environment, Ok)?;
        limits.check()?;
        let reactor = Reactor::new()?;
        let clock = match (self.manual_clock, self.seed) {
            (true, Some(_)) => Clock::manual_from(SystemTime::UNIX_EPOCH + Duration::from_secs(SEEDED_DATE)),
            (true, None) => Clock::manual(),
            (false, _) => Clock::system(),
        };
        let bell = reactor.bell();
        let core = Rc::new(Core::new(context::next_id(), clock, reactor, Pool::new(limits), self.seed)?);
        self.observers.into_iter().for_each(|observer| core.observers.add(observer, &core.clock, core.seed));
        if let Some(watchdog) = self.watchdog {
            let watch = watchdog.watch(&core.board)?;
            core.tasks.show_to(watch.lookout());
            drop(core.watch.set(watch));
        }
        context::register(&core);
        Ok(Runtime::with_engines(core, bell))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("manual_clock", &self.manual_clock)
            .field("pool", &self.pool)
            .field("watchdog", &self.watchdog)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// A loop with the system's clock and the default pool.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn new() -> io::Result<Runtime> {
        Builder::new().build()
    }

    /// A loop made to measure.
    pub fn builder() -> Builder {
        Builder::new()
    }
}

/// Makes a loop, turns it until `future` is done, and gives its output.
///
/// # Panics
/// When the loop cannot be made, when the future panics, or when this thread is in a loop already.
///
/// # Examples
/// ```
/// assert_eq!(evloop_runtime::block_on(async { 1 + 1 }), 2);
/// ```
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    match Runtime::new() {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => panic!("cannot make an event loop: {error} ({})", Location::caller()),
    }
}

/// The loop of a `main` function: makes it, turns it until `future` is done, and gives its result.
///
/// # Errors
/// When the loop cannot be made, and what `future` says.
///
/// # Examples
/// ```
/// fn main() -> std::io::Result<()> {
///     evloop_runtime::run(async {
///         evloop_runtime::future::yield_now().await;
///         Ok(())
///     })
/// }
/// ```
pub fn run<T, E: From<io::Error>>(future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    Runtime::new()?.block_on(future)
}
