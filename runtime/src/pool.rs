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
    /// Those who found the queue full.
    waiting: Queue<Waker>,
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

    /// Has a thread do the job, in the order in which jobs are submitted.
    ///
    /// # Errors
    /// The job comes back when the queue is full, or when there is no thread and none can be started.
    pub fn submit(&self, job: Job) -> Result<(), Refused> {
        let mut state = self.shared.lock();
        if state.closed {
            drop(state);
            drop(job);
            return Ok(()); // as a job that is dropped before it begins
        }
        if state.queue.len() >= self.shared.limits.queued_max {
            return Err(Refused::Full(job));
        }
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

    /// Stands in line for a place in the queue: `waker` is woken when it may try again. `place` is what an earlier call
    /// gave, [`Key::NONE`] before the first; who stands in line and gives up must [`leave`](Pool::leave).
    #[must_use]
    pub fn wait_for_place(&self, place: Key, waker: &Waker) -> Key {
        let mut state = self.shared.lock();
        if state.queue.len() < self.shared.limits.queued_max {
            drop(state);
            waker.wake_by_ref();
            return Key::NONE;
        }
        let former = match state.waiting.get_mut(place) {
            Some(known) => std::mem::replace(known, waker.clone()),
            None => return state.waiting.push_back(waker.clone()),
        };
        drop(state);
        drop(former);
        place
    }

    /// Leaves the line. If it was this one's turn, it is the next one's now.
    pub fn leave(&self, place: Key) {
        let mut state = self.shared.lock();
        let waker = state.waiting.remove(place);
        let next = if waker.is_none() { state.waiting.pop_front() } else { None };
        drop(state);
        if let Some(next) = next {
            next.wake();
        }
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
        drop(state);
        self.work.notify_all();
        left
    }

    /// The life of a thread.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            while let Some(job) = state.queue.pop_front() {
                state.running += 1;
                let waiting = state.waiting.pop_front();
                drop(state);
                if let Some(waiting) = waiting {
                    waiting.wake();
                }
                // Whoever wants to know of a panic catches it in the job; here it only must not end the thread.
                drop(catch_unwind(AssertUnwindSafe(job)));
                state = self.lock();
                state.running -= 1;
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

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("queued", &self.queue.len())
            .field("threads", &self.threads)
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
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
            drop(wait.recv());
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
    fn panic_in_a_job_leaves_the_thread_for_the_next() {
        let pool = pool(1, 10);
        let (sender, receiver) = mpsc::channel();
        pool.submit(Box::new(|| std::panic::resume_unwind(Box::new("quietly")))).unwrap();
        pool.submit(Box::new(move || sender.send(()).unwrap())).unwrap();
        receiver.recv().unwrap();
        assert_eq!(pool.load().threads, 1);
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
