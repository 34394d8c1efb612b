//! The blocking pool: threads for calls that would hold the loop.
//!
//! A bounded number of threads, started when there is work and none is idle, ended when they have idled for a while. Before
//! them a bounded queue for each class of jobs, so that what is slow does not hold up what is fast: [`JobClass`]. The pool
//! runs jobs and knows nothing of loops: a job brings its own way of telling that it is done.
//!
//! Each loop has a pool of its own, where libuv has one for the process: then the end of a loop is the end of its jobs, and a
//! loop that floods its pool holds up no other. Threads are started as they are needed, so the pools of several loops cost
//! no more than one that is shared, unless all are busy.
//!
//! Everything is under one lock, held for a few stores; `lines.rs` is what it protects, and tells who is next.

mod limits;
mod lines;
mod load;
#[cfg(test)]
mod tests;

pub use crate::trace::JobClass;
pub use limits::PoolLimits;
pub use lines::Ticket;
pub use load::{ClassLoad, PoolLoad};

use crate::arena::Key;
use crate::sys::fork::Generation;
use lines::Lines;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

/// Something to do on a thread of the pool.
pub type Job = Box<dyn FnOnce() + Send>;

/// A pool of threads; clones share it.
///
/// # Examples
/// ```
/// use evloop_runtime::engine::{Pool, PoolLimits, JobClass};
/// use std::sync::mpsc;
///
/// let pool = Pool::new(PoolLimits::default());
/// let (sender, receiver) = mpsc::channel();
/// pool.submit(JobClass::General, Box::new(move || sender.send(2 + 2).unwrap())).unwrap();
/// assert_eq!(receiver.recv(), Ok(4));
/// ```
#[derive(Debug, Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    ended: Condvar,
    limits: PoolLimits,
    /// A forked process has the lock as it was at that moment, perhaps taken, and none of the threads: it leaves both alone.
    made_in: Generation,
}

struct State {
    lines: Lines<Job>,
    threads: usize,
    /// Threads that wait for a job, also those that were told of one and have not looked yet. Invariant: when the lock is
    /// free, each job that could begin was told to one of them, or a thread that starts, or has ended a job, is about to
    /// look; unless as many threads are at work as there may be.
    idle: usize,
    /// Who wants to know when no job is left.
    idle_waiter: Option<Waker>,
    started: u64,
    closed: bool,
}

/// Why a job was not taken: it comes back.
pub enum Refused {
    /// The queue of its class is full.
    Full(Job),
    /// No thread could be started, and there is none.
    NoThread(Job, std::io::Error),
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Full(_) => f.write_str("Full"),
            Refused::NoThread(_, error) => f.debug_tuple("NoThread").field(error).finish(),
        }
    }
}

impl Pool {
    /// A pool that has started no thread yet.
    ///
    /// # Panics
    /// When a class may have no threads, or nothing may wait.
    #[must_use]
    pub fn new(limits: PoolLimits) -> Pool {
        limits.check().expect("a pool needs limits within which something gets done");
        let state =
            State { lines: Lines::new(&limits), threads: 0, idle: 0, idle_waiter: None, started: 0, closed: false };
        let shared = Shared {
            state: Mutex::new(state),
            work: Condvar::new(),
            ended: Condvar::new(),
            limits,
            made_in: Generation::current(),
        };
        Pool { shared: Arc::new(shared) }
    }

    /// How busy it is now, and what it has done. From any thread; the cost is a lock and a copy of some numbers.
    #[must_use]
    pub fn load(&self) -> PoolLoad {
        let state = self.shared.lock();
        let [general, files, names] = JobClass::ALL.map(|class| state.lines.load(class));
        PoolLoad { threads: state.threads, idle: state.idle, general, files, names }
    }

    /// The jobs of a class that have not begun, in the order in which they will; a job that is not among them is under way, or
    /// over.
    #[must_use]
    pub fn queued(&self, class: JobClass) -> Vec<Key> {
        self.shared.lock().lines.queued(class).collect()
    }

    /// Whether a job is under way or waits.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.shared.lock().lines.is_busy()
    }

    /// Wakes `waker`, once, when no job is under way or waits any more. `false`: there is none now, and it is not woken.
    #[must_use]
    pub fn wake_when_idle(&self, waker: &Waker) -> bool {
        let mut state = self.shared.lock();
        let busy = state.lines.is_busy();
        let former = if busy { state.idle_waiter.replace(waker.clone()) } else { None };
        drop(state);
        drop(former);
        busy
    }

    /// Has a thread do the job. Those of a class begin in the order in which they are submitted, and so do all together as far
    /// as the bounds of the classes allow it. The ticket takes the job [back](Pool::cancel).
    ///
    /// # Errors
    /// The job comes back when the queue is full, or kept for those who stand in line; and when there is no thread and none
    /// can be started.
    pub fn submit(&self, class: JobClass, job: Job) -> Result<Ticket, Refused> {
        if self.shared.made_in.is_past() {
            return Ok(Ticket { class, key: Key::NONE });
        }
        let state = self.shared.lock();
        if state.closed {
            return Ok(drop_unbegun(class, state, job));
        }
        if state.lines.has_place(class) { self.push(state, class, job) } else { Err(Refused::Full(job)) }
    }

    /// Submits a job, or stands in line for a place in the queue of its class: `waker` is woken when it is this one's turn,
    /// first come, first served. `place` is what an earlier call gave, [`Key::NONE`] before the first.
    ///
    /// # Errors
    /// The job comes back, with a place in the line that is to be brought along the next time, or to be
    /// [left](Pool::leave).
    pub fn submit_in_line(
        &self,
        class: JobClass,
        job: Job,
        place: Key,
        waker: &Waker,
    ) -> Result<Ticket, (Refused, Key)> {
        let mut state = self.shared.lock();
        if let Some(known) = state.lines.standing(class, place) {
            let former = std::mem::replace(known, waker.clone());
            drop(state);
            drop(former);
            return Err((Refused::Full(job), place));
        }
        let was_called = place != Key::NONE;
        if was_called {
            state.lines.arrive(class);
        }
        if state.closed {
            return Ok(drop_unbegun(class, state, job));
        }
        if was_called || state.lines.has_place(class) {
            return self.push(state, class, job).map_err(|refused| (refused, Key::NONE));
        }
        let place = state.lines.stand(class, waker.clone());
        Err((Refused::Full(job), place))
    }

    /// Leaves the line. If it was this one's turn, it is the next one's now.
    pub fn leave(&self, class: JobClass, place: Key) {
        if self.shared.made_in.is_past() {
            return;
        }
        let (own, called) = self.shared.lock().lines.leave(class, place);
        drop(own);
        wake(called);
    }

    /// Takes a job back that has not begun; its place in the queue is free at once. `None`: it has begun, or was dropped when the
    /// pool was closed.
    pub fn cancel(&self, ticket: Ticket) -> Option<Job> {
        if self.shared.made_in.is_past() {
            return None;
        }
        let mut state = self.shared.lock();
        let (job, called) = state.lines.cancel(ticket)?;
        let waiter = state.waiter_if_idle();
        drop(state);
        wake(called);
        wake(waiter);
        Some(job)
    }

    fn push(&self, mut state: MutexGuard<'_, State>, class: JobClass, job: Job) -> Result<Ticket, Refused> {
        let startable = state.lines.startable_with(class);
        let tell = startable.is_some_and(|startable| state.idle >= startable);
        if startable.is_some()
            && !tell
            && state.threads < self.shared.limits.threads_max
            && let Err(error) = self.start_thread(&mut state)
            && state.threads == 0
        {
            // A thread less is a slower pool; none at all is a job that would wait for ever.
            return Err(Refused::NoThread(job, error));
        }
        let ticket = state.lines.push(class, job);
        drop(state);
        if tell {
            self.shared.work.notify_one();
        }
        Ok(ticket)
    }

    /// Takes no more work and drops the jobs that have not begun. Those under way run to their end, on threads that then
    /// end too.
    pub fn close(&self) {
        let mut state = self.shared.lock();
        state.closed = true;
        let (jobs, called) = state.lines.clear();
        let waiter = state.waiter_if_idle();
        drop(state);
        self.shared.work.notify_all();
        drop(jobs);
        called.into_iter().chain(waiter).map(Some).for_each(wake); // who submits now, learns that the job is dropped
    }

    /// Drops the jobs that have not begun and waits for those under way, at most for `limit`; `true` when all threads have
    /// ended.
    #[must_use]
    pub fn shut_down(&self, limit: Duration) -> bool {
        self.close();
        let deadline = Instant::now().checked_add(limit);
        let mut state = self.shared.lock();
        while state.threads > 0 {
            let left = deadline.map_or(Duration::from_secs(3_600), |at| at.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            state = self.shared.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn start_thread(&self, state: &mut State) -> std::io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let name = format!("evloop-pool-{}", state.started);
        thread::Builder::new().name(name).spawn(move || shared.work())?;
        state.started += 1;
        state.threads += 1;
        Ok(())
    }
}

/// As a job that is dropped before it begins.
fn drop_unbegun(class: JobClass, state: MutexGuard<'_, State>, job: Job) -> Ticket {
    drop(state);
    drop(job);
    Ticket { class, key: Key::NONE }
}

impl State {
    /// Who is to be told, if no job is left.
    fn waiter_if_idle(&mut self) -> Option<Waker> {
        if self.lines.is_busy() { None } else { self.idle_waiter.take() }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of a thread.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            while let Some(next) = state.lines.take_next() {
                drop(state);
                wake(next.called);
                // Whoever wants to know of a panic catches it in the job; here it only must not end the thread.
                drop(catch_unwind(AssertUnwindSafe(next.job)));
                state = self.lock();
                state.lines.finish(next.class);
                let waiter = state.waiter_if_idle();
                if waiter.is_some() {
                    drop(state);
                    wake(waiter);
                    state = self.lock();
                }
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let (next, waited) =
                self.work.wait_timeout(state, self.limits.idle).unwrap_or_else(PoisonError::into_inner);
            state = next;
            state.idle -= 1;
            if waited.timed_out() && state.lines.startable() == 0 {
                break;
            }
        }
        state.threads -= 1;
        drop(state);
        self.ended.notify_all();
    }
}

/// A waker from elsewhere may panic, which must not end a thread of the pool.
fn wake(waker: Option<Waker>) {
    let Some(waker) = waker else { return };
    if catch_unwind(AssertUnwindSafe(|| waker.wake())).is_err() {
        log::error!("a waker panicked");
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("threads", &self.threads)
            .field("idle", &self.idle)
            .field("classes", &JobClass::ALL.map(|class| self.lines.load(class)))
            .finish_non_exhaustive()
    }
}
