//! The loop itself: one function is one turn.

use crate::board::{At, Number};
use crate::clock::nanos;
use crate::context;
use crate::core::Core;
use crate::dump::Dump;
use crate::metrics::Metrics;
use crate::pool::{Pool, PoolLoad};
use crate::sys::fd;
use crate::task::Tasks;
use crate::timer::Expired;
use crate::trace::{self, Phase, Why};
use crate::view::View;
use crate::waiter::Waiter;
use crate::watchdog::Watch;
use crate::work::Work;
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// How far [`Runtime::run`] goes; libuv's `uv_run_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Turn until nothing keeps the loop alive, or it is stopped.
    UntilDone,
    /// One turn, which waits for something to happen.
    Once,
    /// One turn, which waits for nothing.
    NoWait,
}

/// What a turn may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// Nothing.
    None,
    /// The next event, unless the run is to be stopped, or nothing is left that could bring one.
    UntilStopped,
    /// The next event.
    Endless,
}

/// An event loop: the thread's engines, and the turn that drives them.
///
/// A loop belongs to the thread that made it. A process may have any number of them.
///
/// Dropping it drops its tasks, unfinished as they are. Jobs of the blocking pool that are under way end by themselves,
/// and nobody waits for them: see [`shut_down`](Runtime::shut_down).
///
/// # Examples
/// ```
/// use evloop_runtime::Runtime;
///
/// let runtime = Runtime::new()?;
/// let answer = runtime.block_on(async { evloop_runtime::spawn(async { 6 * 7 }).await });
/// assert_eq!(answer.unwrap(), 42);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Runtime {
    core: Rc<Core>,
    /// Wakes the thread from where the loop blocks.
    bell: Waker,
    /// Memory for the wakers that a phase hands out.
    due: RefCell<Vec<Waiter>>,
}

impl Runtime {
    /// The loop that turns these engines; `bell` wakes its thread from where it blocks.
    pub(crate) fn with_engines(core: Rc<Core>, bell: Waker) -> Runtime {
        Runtime { core, bell, due: RefCell::default() }
    }

    /// Turns the loop until `future` is done, and gives its output.
    ///
    /// The future is polled as a task is, in the order of wakes. Tasks that are still there when it is
    /// done stay, and go on with the next run.
    ///
    /// # Panics
    /// When the future panics, when this thread is in a loop already, when the process has forked since the loop was made,
    /// or when the kernel refuses to wait for events.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        /// Also when it panics.
        struct Forget<'a>(&'a Tasks);
        impl Drop for Forget<'_> {
            fn drop(&mut self) {
                self.0.forget_root();
            }
        }
        self.enter_for_run(|| {
            let _forget = Forget(&self.core.tasks);
            let mut future = pin!(future);
            let mut output = None;
            let mut poll_root = |why| match self.core.tasks.poll_root(why, future.as_mut()) {
                Poll::Ready(ready) => {
                    output = Some(ready);
                    true
                }
                Poll::Pending => false,
            };
            self.core.tasks.wake_root();
            loop {
                match self.turn(Patience::Endless, &mut poll_root) {
                    Ok(true) => break,
                    Ok(false) => {}
                    Err(error) => panic!("the event loop cannot go on: {error}"),
                }
            }
            output.expect("the turn said that the root is done")
        })
    }

    /// Turns the loop as far as `mode` says, and tells whether anything keeps it alive.
    ///
    /// # Errors
    /// What `epoll_wait` says; and when the process has forked since the loop was made.
    ///
    /// # Panics
    /// When this thread is in a loop already.
    ///
    /// # Examples
    /// The loop inside of another program's loop:
    /// ```
    /// use evloop_runtime::{Mode, Runtime};
    ///
    /// let runtime = Runtime::new()?;
    /// let task = runtime.enter(|| evloop_runtime::spawn(async { "done" }));
    /// while runtime.run(Mode::NoWait)? {}
    /// assert!(task.is_finished());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn run(&self, mode: Mode) -> io::Result<bool> {
        let mut no_root = |_| false;
        self.enter_for_run(|| match mode {
            Mode::NoWait => self.turn(Patience::None, &mut no_root),
            Mode::Once => self.turn(Patience::UntilStopped, &mut no_root),
            Mode::UntilDone => {
                while self.core.is_alive() && !self.core.stop.get() {
                    self.turn(Patience::UntilStopped, &mut no_root)?;
                }
                Ok(true)
            }
        })?;
        self.core.stop.set(false);
        Ok(self.core.is_alive())
    }

    /// Makes this the thread's loop while `inside` runs, without turning it: what is spawned and registered there waits
    /// for the next run.
    pub fn enter<R>(&self, inside: impl FnOnce() -> R) -> R {
        context::enter(&self.core, inside)
    }

    /// Has the run under way end after its turn, without waiting; if none is, the next run ends before its first turn. The
    /// future of a [`block_on`](Runtime::block_on) is not stopped.
    pub fn stop(&self) {
        self.core.stop.set(true);
    }

    /// Whether anything keeps the loop alive: something to run, a task, a job of the pool, or a timer or source that
    /// counts.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.core.is_alive()
    }

    /// The [seed](crate::Builder::seed) that was given to this loop.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        self.core.seed
    }

    /// The tasks of this loop, as an engine.
    #[must_use]
    pub fn tasks(&self) -> &Rc<Tasks> {
        &self.core.tasks
    }

    /// The blocking pool of this loop, as an engine.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.core.pool
    }

    /// How busy the blocking pool is, and what it has done. A clone of the [pool](Runtime::pool) tells it on any thread.
    #[must_use]
    pub fn pool_load(&self) -> PoolLoad {
        self.core.pool.load()
    }

    /// The loop in numbers; from another thread, [`Handle::metrics`](crate::Handle::metrics).
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.core.metrics()
    }

    /// The loop as it stands, for those who draw it; see [`turn::view`](crate::turn::view).
    #[must_use]
    pub fn view(&self) -> View {
        self.core.view()
    }

    /// All that the loop has: each task, timer, source and hook, the jobs of its pool; libuv's `uv_walk`.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{Runtime, TaskBuilder, WorkKind};
    ///
    /// let runtime = Runtime::new()?;
    /// drop(runtime.enter(|| TaskBuilder::new().name("waiter").spawn(std::future::pending::<()>())));
    /// let work = runtime.walk();
    /// assert!(matches!(&work[0].kind, WorkKind::Task { name: Some(name), .. } if &**name == "waiter"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn walk(&self) -> Vec<Work> {
        self.core.work()
    }

    /// Each live task: where it was spawned, what it waits for, how often it was polled, who woke it. Nothing is polled to find
    /// out.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{Runtime, TaskBuilder, time::sleep};
    /// use std::time::Duration;
    ///
    /// let runtime = Runtime::builder().manual_clock().build()?;
    /// drop(runtime.enter(|| TaskBuilder::new().name("sweeper").spawn(sleep(Duration::from_secs(90)))));
    /// runtime.run(evloop_runtime::Mode::NoWait)?;
    /// let dump = runtime.dump();
    /// assert!(dump.to_string().contains("`sweeper`"), "{dump}");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn dump(&self) -> Dump {
        self.core.dump()
    }

    /// Ends the loop, if nothing keeps it alive. To end it in any case, drop it.
    ///
    /// # Errors
    /// When something does: what it is and where it came from, and the loop itself, to go on with. libuv's
    /// `uv_loop_close` says `UV_EBUSY`.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{Runtime, TaskBuilder};
    ///
    /// let runtime = Runtime::new()?;
    /// let task = runtime.enter(|| TaskBuilder::new().name("waiter").spawn(std::future::pending::<()>()));
    /// let busy = runtime.close().unwrap_err();
    /// assert!(busy.to_string().contains("task `waiter`, spawned at "));
    /// task.abort();
    /// let runtime = busy.into_runtime();
    /// runtime.run(evloop_runtime::Mode::UntilDone)?;
    /// runtime.close().unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn close(self) -> Result<(), Busy> {
        if self.is_alive() { Err(Busy { runtime: Box::new(self) }) } else { Ok(()) }
    }

    /// A descriptor that becomes readable when a turn has something to take from the kernel or from other threads: to be
    /// waited for by another loop, which then calls [`run`](Runtime::run) with [`Mode::NoWait`]; libuv's
    /// `uv_backend_fd`. It is a duplicate of the loop's epoll instance and lives as long as its owner lets it.
    ///
    /// What is in the loop already, and its timers, it does not tell: see [`backend_timeout`](Runtime::backend_timeout).
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn backend_fd(&self) -> io::Result<OwnedFd> {
        fd::duplicate(self.core.reactor.borrow().fd())
    }

    /// How long another loop may wait for [`backend_fd`](Runtime::backend_fd) before it must have this one turn: zero if
    /// there is something to do already or nothing keeps the loop alive, `None` for ever; libuv's `uv_backend_timeout`.
    ///
    /// From this call on, and until the next turn, wakes from other threads make the descriptor readable. So it is called
    /// right before each wait, with nothing between.
    ///
    /// # Examples
    /// See `examples/10_embedded_loop.rs`.
    #[must_use]
    pub fn backend_timeout(&self) -> Option<Duration> {
        match self.longest_sleep(Patience::UntilStopped) {
            (Some(_), true) => Some(Duration::ZERO), // the turn moves the time, not the question
            (wait, _) => wait,
        }
    }

    /// Ends the loop and waits for the jobs of its pool that are under way, at most for `limit`; `true` when none is left.
    /// Its tasks are dropped first, and the jobs that have not begun.
    pub fn shut_down(self, limit: Duration) -> bool {
        let pool = self.core.pool.clone();
        drop(self);
        pool.shut_down(limit)
    }

    /// One turn of the loop.
    ///
    /// `poll_root` polls the future of [`block_on`](Runtime::block_on), whose end ends the turn: then `true` comes back.
    fn turn(&self, mut patience: Patience, poll_root: &mut dyn FnMut(Why) -> bool) -> io::Result<bool> {
        let core = &*self.core;
        let due = &mut *self.due.borrow_mut();
        core.board.add(Number::Turns, 1);
        core.begin(Phase::Run); // 1. who was woken is polled
        if core.tasks.run_batch_and_root(poll_root) {
            core.write_numbers();
            return Ok(true);
        }
        if core.has_hooks() {
            if core.hooks.borrow().wants_turns() {
                patience = Patience::None; // also where the idle hook removes itself in this turn
            }
            core.call_hooks(Phase::Idle);
            core.call_hooks(Phase::Prepare);
        }
        core.begin(Phase::Poll); // 2. the only place that blocks
        core.check_process()?;
        let wait = match self.longest_sleep(patience) {
            (Some(wait), true) => {
                core.clock.advance(wait);
                Some(Duration::ZERO)
            }
            (wait, _) => wait,
        };
        core.wait(wait, due)?;
        core.wake_all(due);
        core.begin(Phase::Mail); // 3. wakes and calls from other threads
        core.tasks.collect_mail();
        if core.has_hooks() {
            core.call_hooks(Phase::Check);
        }
        core.begin(Phase::Timers); // 4. deadlines become wakes
        let expired = core.timers.borrow_mut().expire(core.clock.tick(), due);
        if expired.fired > 0 {
            core.note_lateness(expired);
            core.wake_all(due);
        }
        trace::set_cause(Why::OUTSIDE);
        Ok(false)
    }

    /// How long the kernel may be waited for: not at all if there is anything to do, else until the next deadline, or for
    /// ever. And whether the clock is to be moved by so much instead.
    fn longest_sleep(&self, patience: Patience) -> (Option<Duration>, bool) {
        let core = &*self.core;
        // The end of the last job is no event by itself, so it is to ring where something hangs on it. Looked at before
        // anything else: a job has posted its result before it counts as ended.
        let asks = core.clock.is_manual() || patience == Patience::UntilStopped;
        let busy = asks && core.pool.wake_when_idle(&self.bell);
        let moves_by_hand = core.clock.is_manual() && !busy && !core.reactor.borrow().has_waiters();
        let goes_on = match patience {
            Patience::None => false,
            Patience::UntilStopped => !core.stop.get() && core.is_alive(),
            Patience::Endless => true,
        };
        if !goes_on || core.hooks.borrow().wants_turns() || !core.tasks.try_sleep() {
            return (Some(Duration::ZERO), false);
        }
        let next = core.timers.borrow().until_next();
        let wait = next.map(|next| core.clock.until(next));
        if wait.is_none() {
            core.clock.ask();
        }
        (wait, moves_by_hand)
    }

    fn enter_for_run<R>(&self, inside: impl FnOnce() -> R) -> R {
        assert!(
            !context::is_entered(),
            "this thread is in an event loop already: await the future instead of blocking on it"
        );
        let _watched = self.core.watch.get().map(Watch::begin_run);
        let _leave = Leave(&self.core);
        context::enter(&self.core, inside)
    }
}

/// Tells those who look on that a run has ended, and this thread's notes, also where a panic ends it.
struct Leave<'a>(&'a Core);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.observers.tell(|observer| observer.left());
        trace::leave();
    }
}

impl Core {
    /// Wakes all of them in order, also those behind one that panics, which only a waker from elsewhere does.
    #[inline]
    fn wake_all(&self, due: &mut Vec<Waiter>) {
        if !due.is_empty() {
            self.wake_each(due);
        }
    }

    fn wake_each(&self, due: &mut Vec<Waiter>) {
        let mut waiters = due.drain(..);
        while catch_unwind(AssertUnwindSafe(|| waiters.by_ref().for_each(|waiter| self.tasks.wake(waiter)))).is_err() {
            log::error!("a waker panicked");
        }
    }

    /// A phase begins: the place that every phase passes.
    #[inline]
    fn begin(&self, phase: Phase) {
        trace::set_cause(match phase {
            Phase::Run | Phase::Idle | Phase::Prepare | Phase::Check => Why::OUTSIDE,
            Phase::Poll => Why::IO,
            Phase::Mail => Why::MAIL,
            Phase::Timers => Why::TIMER,
        });
        self.board.set_at(At::Phase(phase));
        self.observers.tell(|observer| observer.phase(phase));
    }

    /// Waits for the kernel, and takes the time of this turn, for all that follows.
    #[inline]
    fn wait(&self, at_most: Option<Duration>, due: &mut Vec<Waiter>) -> io::Result<()> {
        let at_once = at_most == Some(Duration::ZERO);
        self.write_numbers();
        if !at_once {
            self.board.begin_wait(self.clock.busy_nanos());
        }
        self.observers.tell(|observer| observer.wait(at_most));
        let lookout = if at_once { None } else { self.lookout() };
        lookout.inspect(|lookout| lookout.sleeps());
        let polled = self.reactor.borrow_mut().poll(at_most, due);
        lookout.inspect(|lookout| lookout.goes_on());
        self.clock.refresh(at_once);
        let (age, busy) = self.clock.age_and_busy();
        self.board.end_wait(age, busy);
        let events = polled?;
        self.board.add(Number::Events, events as u64);
        self.observers.tell(|observer| observer.waited(events));
        Ok(())
    }

    /// Timers have fired: how late they were, and who wants to know.
    fn note_lateness(&self, Expired { fired, late, latest }: Expired) {
        let since_tick = self.clock.now().saturating_duration_since(self.clock.instant_of(self.clock.tick()));
        let latest = Duration::from_millis(latest) + since_tick;
        let late = nanos(Duration::from_millis(late)).saturating_add(nanos(since_tick).saturating_mul(fired));
        self.board.add(Number::TimersLate, late);
        self.board.set(Number::TimersLateMax, self.board.get(Number::TimersLateMax).max(nanos(latest)));
        self.observers.tell(|observer| observer.fired(fired, latest));
    }

    #[inline]
    fn has_hooks(&self) -> bool {
        !self.hooks.borrow().is_empty()
    }

    /// Calls the hooks of a phase, with nothing borrowed: they are the user's code.
    #[cold]
    fn call_hooks(&self, phase: Phase) {
        self.begin(phase);
        let mut pass = self.hooks.borrow().pass(phase);
        loop {
            let next = self.hooks.borrow().next(&mut pass);
            let Some(call) = next else { return };
            (call.borrow_mut())();
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if !self.core.made_in.is_past() {
            self.core.pool.close(); // in a forked process its threads are gone, perhaps with its lock
        }
        // What a hook holds may hold the loop in turn, and its owner may outlive both.
        let hooks = std::mem::take(&mut *self.core.hooks.borrow_mut());
        context::enter(&self.core, || {
            drop(hooks);
            self.core.tasks.shut_down();
        });
        if let Some(watch) = self.core.watch.get()
            && !self.core.made_in.is_past()
        {
            watch.end();
        }
        self.core.write_numbers();
        self.core.closed.set(true);
        context::forget(self.core.id);
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("tasks", &self.core.tasks)
            .field("timers", &self.core.timers.borrow().len())
            .finish_non_exhaustive()
    }
}

/// A loop that could not be closed, because something keeps it alive; see [`Runtime::close`].
///
/// As text, it names everything that does.
pub struct Busy {
    runtime: Box<Runtime>,
}

impl Busy {
    /// What keeps the loop alive.
    #[must_use]
    pub fn work(&self) -> Vec<Work> {
        self.runtime.walk().into_iter().filter(|work| work.referenced).collect()
    }

    /// The loop, to go on with.
    #[must_use]
    pub fn into_runtime(self) -> Runtime {
        *self.runtime
    }
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event loop is kept alive by ")?;
        for (place, work) in self.work().iter().enumerate() {
            let before = if place == 0 { "" } else { "; " };
            write!(f, "{before}{work}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Busy").field("work", &self.work()).finish()
    }
}

impl std::error::Error for Busy {}
