//! The blocking pool: threads for calls that would hold the loop.
//!
//! A bounded number of threads, started when there is work and none is idle, ended when they have idled for a while; a
//! bounded queue before them. The pool runs jobs and knows nothing of loops: a job brings its own way of telling that it
//! is done.

use crate::arena::{Key, Queue};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

/// Something to do on a thread of the pool.
pub type Job = Box<dyn FnOnce() + Send>;

/// How large a pool may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLimits {
    /// Threads at most. The default is 40, as many as Starlette gives to handlers that block.
    pub threads_max: usize,
    /// Jobs that wait at most; past it, whoever submits waits. The default is 1,024.
    pub queued_max: usize,
    /// How long a thread idles before it ends. The default is 10 seconds.
    pub idle: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        PoolLimits { threads_max: 40, queued_max: 1_024, idle: Duration::from_secs(10) }
    }
}

/// A pool of threads; clones share it.
///
/// # Examples
/// ```
/// use evloop_runtime::engine::{Pool, PoolLimits};
/// use std::sync::mpsc;
///
/// let pool = Pool::new(PoolLimits::default());
/// let (sender, receiver) = mpsc::channel();
/// pool.submit(Box::new(move || sender.send(2 + 2).unwrap())).ok().unwrap();
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
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    idle: usize,
    /// Jobs under way.
    running: usize,
    /// Those who found the queue full. Invariant: when the lock is free, there is no place for them, or somebody is about
    /// to call the first.
    waiting: Queue<Waker>,
    /// Who wants to know when no job is left.
    idle_waiter: Option<Waker>,
    /// Those who were called and have not submitted their job; a place is kept for each.
    called: usize,
    started: u64,
    closed: bool,
}

/// How busy a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLoad {
    /// Threads there are.
    pub threads: usize,
    /// Jobs under way.
    pub running: usize,
    /// Jobs that wait for a thread.
    pub queued: usize,
}

/// Why a job was not taken: it comes back.
pub enum Refused {
    /// The queue is full.
    Full(Job),
    /// No thread could be started, and there is none.
    NoThread(Job, std::io::Error),
}

impl std::fmt::Debug for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
    /// When it may have no threads, or nothing may wait.
    #[must_use]
    pub fn new(limits: PoolLimits) -> Pool {
        assert!(limits.threads_max > 0 && limits.queued_max > 0, "a pool needs a thread and a place in its queue");
        let shared = Shared { state: Mutex::default(), work: Condvar::new(), ended: Condvar::new(), limits };
        Pool { shared: Arc::new(shared) }
    }

    /// How busy it is now.
    #[must_use]
    pub fn load(&self) -> PoolLoad {
        let state = self.shared.lock();
        PoolLoad { threads: state.threads, running: state.running, queued: state.queue.len() }
    }

    /// Whether a job is under way or waits.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let state = self.shared.lock();
        state.running + state.queue.len() > 0
    }

    /// Wakes `waker`, once, when no job is under way or waits any more. `false`: there is none now, and it is not woken.
    #[must_use]
    pub fn wake_when_idle(&self, waker: &Waker) -> bool {
        let mut state = self.shared.lock();
        let busy = state.running + state.queue.len() > 0;
        let former = if busy { state.idle_waiter.replace(waker.clone()) } else { None };
        drop(state);
        drop(former);
        busy
    }

    /// Has a thread do the job, in the order in which jobs are submitted.
    ///
    /// # Errors
    /// The job comes back when the queue is full, or kept for those who stand in line; and when there is no thread and none
    /// can be started.
    pub fn submit(&self, job: Job) -> Result<(), Refused> {
        let state = self.shared.lock();
        if state.closed {
            drop(state);
            drop(job);
            return Ok(()); // as a job that is dropped before it begins
        }
        if state.queue.len() + state.called >= self.shared.limits.queued_max {
            return Err(Refused::Full(job));
        }
        self.push(state, job)
    }

    /// Submits a job, or stands in line for a place in the queue: `waker` is woken when it is this one's turn, first come,
    /// first served. `place` is what an earlier call gave, [`Key::NONE`] before the first.
    ///
    /// # Errors
    /// The job comes back, with a place in the line that is to be brought along the next time, or to be
    /// [left](Pool::leave).
    pub fn submit_in_line(&self, job: Job, place: Key, waker: &Waker) -> Result<(), (Refused, Key)> {
        let mut state = self.shared.lock();
        if let Some(known) = state.waiting.get_mut(place) {
            let former = std::mem::replace(known, waker.clone());
            drop(state);
            drop(former);
            return Err((Refused::Full(job), place));
        }
        if place == Key::NONE {
            drop(state);
            return match self.submit(job) {
                Err(Refused::Full(job)) => {
                    let place = self.shared.lock().waiting.push_back(waker.clone());
                    self.shared.call_next();
                    Err((Refused::Full(job), place))
                }
                done => done.map_err(|refused| (refused, Key::NONE)),
            };
        }
        state.called -= 1;
        self.push(state, job).map_err(|refused| (refused, Key::NONE))
    }

    /// Leaves the line. If it was this one's turn, it is the next one's now.
    pub fn leave(&self, place: Key) {
        let mut state = self.shared.lock();
        let waker = state.waiting.remove(place);
        if waker.is_none() {
            state.called -= 1;
        }
        drop(state);
        self.shared.call_next();
    }

    fn push(&self, mut state: MutexGuard<'_, State>, job: Job) -> Result<(), Refused> {
        state.queue.push_back(job);
        if state.idle >= state.queue.len() {
            drop(state);
            self.shared.work.notify_one();
        } else if state.threads < self.shared.limits.threads_max
            && let Err(error) = self.start_thread(&mut state)
            && state.threads == 0
        {
            // A thread less is a slower pool; none at all is a job that would wait for ever.
            let job = state.queue.pop_back().expect("pushed above, under the same lock");
            return Err(Refused::NoThread(job, error));
        }
        Ok(())
    }

    /// Takes no more work and drops the jobs that have not begun. Those under way run to their end, on threads that then
    /// end too.
    pub fn close(&self) {
        drop(self.shared.close());
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

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes no more work; what has not begun comes back, to be dropped without the lock.
    fn close(&self) -> (VecDeque<Job>, Queue<Waker>) {
        let mut state = self.lock();
        state.closed = true;
        let left = (std::mem::take(&mut state.queue), std::mem::take(&mut state.waiting));
        state.called += left.1.len(); // each of them may submit a job now, which will be dropped
        drop(state);
        self.work.notify_all();
        left
    }

    /// Calls the first in the line, if there is a place for it.
    fn call_next(&self) {
        let mut state = self.lock();
        if state.waiting.is_empty() || state.queue.len() + state.called >= self.limits.queued_max {
            return;
        }
        let next = state.waiting.pop_front();
        state.called += 1;
        drop(state);
        if let Some(next) = next {
            wake(next);
        }
    }

    /// The life of a thread.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            while let Some(job) = state.queue.pop_front() {
                state.running += 1;
                drop(state);
                self.call_next();
                // Whoever wants to know of a panic catches it in the job; here it only must not end the thread.
                drop(catch_unwind(AssertUnwindSafe(job)));
                state = self.lock();
                state.running -= 1;
                if state.running + state.queue.len() == 0
                    && let Some(waiter) = state.idle_waiter.take()
                {
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
            if waited.timed_out() && state.queue.is_empty() {
                break;
            }
        }
        state.threads -= 1;
        drop(state);
        self.ended.notify_all();
    }
}

/// A waker from elsewhere may panic, which must not end a thread of the pool.
fn wake(waker: Waker) {
    if catch_unwind(AssertUnwindSafe(|| waker.wake())).is_err() {
        log::error!("a waker panicked");
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("queued", &self.queue.len())
            .field("threads", &self.threads)
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn pool(threads_max: usize, queued_max: usize) -> Pool {
        Pool::new(PoolLimits { threads_max, queued_max, idle: Duration::from_secs(3_600) })
    }

    /// A job that ends when the other end is dropped, and says when it has begun.
    fn gate() -> (Job, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let (begun, has_begun) = mpsc::channel();
        let (open, wait) = mpsc::channel::<()>();
        let job = Box::new(move || {
            begun.send(()).unwrap();
            let _closed = wait.recv();
        });
        (job, has_begun, open)
    }

    #[test]
    fn jobs_of_one_thread_run_in_order() {
        let pool = pool(1, 10);
        let (sender, receiver) = mpsc::channel();
        for n in 0..5 {
            let sender = sender.clone();
            pool.submit(Box::new(move || sender.send(n).unwrap())).unwrap();
        }
        drop(sender);
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert!(pool.shut_down(Duration::MAX));
    }

    #[test]
    fn no_more_threads_and_no_longer_queue_than_allowed() {
        let pool = pool(2, 1);
        let gates: Vec<_> = (0..2).map(|_| gate()).collect();
        let mut opens = Vec::new();
        for (job, begun, open) in gates {
            pool.submit(job).unwrap();
            begun.recv().unwrap();
            opens.push(open);
        }
        pool.submit(Box::new(|| ())).unwrap();
        assert!(matches!(pool.submit(Box::new(|| ())), Err(Refused::Full(_))));
        assert_eq!(pool.load(), PoolLoad { threads: 2, running: 2, queued: 1 });
        drop(opens);
        assert!(pool.shut_down(Duration::MAX));
    }

    #[test]
    fn line_is_served_in_order_and_newcomers_do_not_overtake_it() {
        let pool = pool(1, 1);
        let (job, begun, open) = gate();
        pool.submit(job).unwrap();
        begun.recv().unwrap();
        pool.submit(Box::new(|| ())).unwrap();
        let wait = |place| pool.submit_in_line(Box::new(|| ()), place, Waker::noop()).map_err(|(_, place)| place);
        let (first, second) = (wait(Key::NONE).unwrap_err(), wait(Key::NONE).unwrap_err());
        assert_eq!(wait(second), Err(second), "asked for another reason, it keeps its place");
        pool.leave(first);
        drop(open);
        while pool.shared.lock().called == 0 {
            thread::yield_now();
        }
        assert!(matches!(pool.submit(Box::new(|| ())), Err(Refused::Full(_))), "the place is kept for who was called");
        assert_eq!(wait(second), Ok(()));
        assert_eq!(pool.shared.lock().called, 0);
        assert!(pool.shut_down(Duration::MAX));
    }

    #[test]
    fn panic_in_a_job_leaves_the_thread_for_the_next() {
        let pool = pool(1, 10);
        let (sender, receiver) = mpsc::channel();
        pool.submit(Box::new(|| std::panic::resume_unwind(Box::new("quietly")))).unwrap();
        pool.submit(Box::new(move || sender.send(()).unwrap())).unwrap();
        receiver.recv().unwrap();
        assert_eq!(pool.load().threads, 1);
        assert!(pool.shut_down(Duration::MAX));
    }

    #[test]
    fn idle_thread_ends() {
        let pool = Pool::new(PoolLimits { idle: Duration::ZERO, ..PoolLimits::default() });
        pool.submit(Box::new(|| ())).unwrap();
        let mut state = pool.shared.lock();
        while state.threads > 0 {
            state = pool.shared.ended.wait(state).unwrap();
        }
    }

    #[test]
    fn shutting_down_drops_what_has_not_begun_and_waits_for_the_rest() {
        let pool = pool(1, 10);
        let (job, begun, open) = gate();
        pool.submit(job).unwrap();
        begun.recv().unwrap();
        let (sender, receiver) = mpsc::channel::<()>();
        pool.submit(Box::new(move || drop(sender))).unwrap();
        assert!(!pool.shut_down(Duration::ZERO), "one is under way");
        assert!(receiver.recv().is_err());
        drop(open);
        assert!(pool.shut_down(Duration::MAX));
    }
}
