//! The tasks of one thread: who is alive. How they are polled and ended is in [`batch`], how they are woken in [`wakes`], and
//! how they are awaited in [`joins`]; in which order they are polled is told in [`ready`](super::ready).

mod batch;
mod door;
mod joins;
mod root;
mod task;
mod task_ref;
mod wakes;

pub use door::Door;
use task::Task;
pub use task::TaskInfo;
pub(super) use task_ref::{Line, TaskRef};
pub(super) use wakes::wake;

use super::home::{Home, Letter};
use super::join::{JoinError, JoinHandle};
use super::ready::RunQueue;
use super::stage::StageOf;
use crate::arena::{Arena, Key};
use crate::board::Board;
use crate::chance::Chance;
use crate::lookout::Lookout;
use crate::observer::Observers;
use crate::trace::{Cause, Why};
use root::Root;
use std::cell::{Cell, OnceCell, RefCell};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::{fmt, io};

/// All tasks of one loop.
///
/// A handle keeps its loop's tasks, and a task may hold handles: whoever uses this engine by itself ends it with
/// [`shut_down`](Tasks::shut_down), as the runtime does, or such a circle stays.
///
/// # Examples
/// The engine by itself, turned by hand:
/// ```
/// use evloop_runtime::engine::Tasks;
/// use std::task::Waker;
///
/// let tasks = Tasks::new(Waker::noop().clone());
/// let handle = tasks.enter(|| tasks.spawn(None, async { "done" }));
/// assert_eq!(tasks.len(), 1);
/// tasks.enter(|| tasks.run_batch());
/// assert!(handle.is_finished());
/// ```
pub struct Tasks {
    home: Home,
    live: RefCell<Arena<TaskRef>>,
    ready: RunQueue,
    /// The memory of the last letters, for the next.
    spare_letters: Cell<Vec<Letter>>,
    root: Root,
    /// Live tasks that keep the loop alive.
    referenced: Cell<usize>,
    closed: Cell<bool>,
    observers: Rc<Observers>,
    board: Arc<Board>,
    /// Where a watchdog, if there is one, looks up what tasks are called.
    lookout: OnceCell<Arc<Lookout>>,
}

impl Tasks {
    /// No tasks. `bell` is woken when a letter comes while the home thread sleeps, to wake it from where it blocks.
    ///
    /// # Panics
    /// When 4,096 loops live in this process.
    #[must_use]
    pub fn new(bell: Waker) -> Rc<Tasks> {
        let tasks = Tasks::observed(bell, Observers::none(), Arc::new(Board::new(None)), None);
        tasks.unwrap_or_else(|error| panic!("{error}"))
    }

    /// No tasks, a place for their numbers, and those who look on. With chance, the order of their polls is drawn.
    ///
    /// # Errors
    /// When 4,096 loops live in this process.
    pub(crate) fn observed(
        bell: Waker,
        observers: Rc<Observers>,
        board: Arc<Board>,
        chance: Option<Chance>,
    ) -> io::Result<Rc<Tasks>> {
        let home = Home::move_in(bell)?;
        Ok(Rc::new(Tasks {
            home,
            live: RefCell::default(),
            ready: RunQueue::new(chance),
            spare_letters: Cell::default(),
            root: Root::new(home),
            referenced: Cell::new(0),
            closed: Cell::new(false),
            observers,
            board,
            lookout: OnceCell::new(),
        }))
    }

    /// From now on a watchdog is told what tasks are called.
    pub(crate) fn show_to(&self, lookout: &Arc<Lookout>) {
        drop(self.lookout.set(Arc::clone(lookout)));
    }

    /// How many tasks there are, with those that have ended and whose handle has not been awaited or dropped.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.borrow().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many tasks that have not ended keep the loop alive.
    #[must_use]
    pub fn referenced(&self) -> usize {
        self.referenced.get()
    }

    /// How many stand in the queue.
    #[must_use]
    pub fn ready_len(&self) -> usize {
        self.ready.len()
    }

    /// Who stands in the queue, and why, first to be polled first unless that is drawn by a seed; [`Key::NONE`] is the
    /// future of `block_on`.
    #[must_use]
    pub fn ready(&self) -> Vec<(Key, Cause)> {
        self.ready.to_vec().iter().map(|task| (task.key, task.link.queued_by().cause())).collect()
    }

    /// Whether a batch would find anything to do.
    #[must_use]
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether letters have come that were not taken in.
    #[must_use]
    pub fn has_mail(&self) -> bool {
        !self.closed.get() && self.home.has_letters()
    }

    /// What is known of a task.
    #[must_use]
    pub fn info(&self, key: Key) -> Option<TaskInfo> {
        self.live.borrow().get(key).map(|task| task.info())
    }

    /// All tasks that have not ended, by key, with what is known of them.
    #[must_use]
    pub fn infos(&self) -> Vec<(Key, TaskInfo)> {
        self.walk().into_iter().map(|(key, info, _)| (key, info)).collect()
    }

    /// All tasks that have not ended, with what is known of them, and whether they count.
    pub(crate) fn walk(&self) -> Vec<(Key, TaskInfo, bool)> {
        let live = self.live.borrow();
        let running = live.iter().filter(|(_, task)| !task.has_ended());
        running.map(|(key, task)| (key, task.info(), task.referenced.get())).collect()
    }

    /// Adds a task, last in the queue. After the loop has shut its tasks down, the future is dropped at once, and the
    /// handle says that it was cancelled.
    ///
    /// # Panics
    /// When there are 67,108,863 tasks.
    #[track_caller]
    pub fn spawn<F>(self: &Rc<Self>, name: Option<&str>, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.spawn_from(Location::caller(), name.map(Rc::from), future)
    }

    /// [`spawn`](Tasks::spawn), on behalf of another place in the source.
    pub(crate) fn spawn_from<F>(
        self: &Rc<Self>,
        spawned_at: &'static Location<'static>,
        name: Option<Rc<str>>,
        future: F,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let parent = self.why().cause().task();
        let key = self.live.borrow().next_key();
        let address = self.home.address(key);
        let make = |acts| Task::new(key, address, name, spawned_at, parent, acts);
        let task = TaskRef::new(|| StageOf::new(future), make);
        self.live.borrow_mut().insert(task.clone());
        self.ready.push(&task, Why::SPAWN);
        self.referenced.set(self.referenced.get() + 1);
        if self.observers.any() || self.lookout.get().is_some() {
            self.tell_spawned(&task);
        }
        self.note_queued(key, Why::SPAWN);
        if self.closed.get() {
            self.cancel(&task);
        }
        JoinHandle::new(Rc::clone(self), task)
    }

    /// Takes in what other threads have posted: their wakes are queued, their calls are made, in order.
    pub fn collect_mail(&self) {
        if !self.has_mail() {
            return; // once closed, the mailbox may have its next tenant
        }
        let mut letters = self.spare_letters.take();
        self.home.collect(&mut letters);
        for letter in letters.drain(..) {
            self.home.open(&letter);
            match letter {
                Letter::Wake(address) => self.wake_by_letter(address),
                Letter::Call(call) => {
                    // The letters behind it are not its affair: a wake that is lost is lost for ever.
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(call)) {
                        log::error!("a call from another thread panicked: {}", JoinError::panicked(panic));
                    }
                }
            }
        }
        self.spare_letters.set(letters);
    }

    /// Whether the thread may block until the bell rings. After `true`, [`collect_mail`](Tasks::collect_mail) comes before
    /// the next batch.
    #[must_use]
    pub fn try_sleep(&self) -> bool {
        !self.has_ready() && !self.closed.get() && self.home.try_sleep()
    }

    /// Names the loop, in this process.
    pub(crate) fn stamp(&self) -> u64 {
        self.home.stamp()
    }

    /// The way to these tasks from any thread.
    #[must_use]
    pub fn door(&self) -> Door {
        Door::new(self.home)
    }

    /// Ends all tasks, in the order of their places, without polling them: their futures are dropped, their handles say
    /// that they were cancelled. What they spawn meanwhile goes the same way, and letters are read no more.
    pub fn shut_down(&self) {
        if self.closed.replace(true) {
            return;
        }
        let tasks: Vec<TaskRef> = self.live.borrow().iter().map(|(_, task)| task.clone()).collect();
        for task in tasks {
            self.end_now(&task);
        }
        self.ready.clear();
        drop(self.home.move_out());
    }

    /// The task of that key, if it is still here.
    pub(super) fn task(&self, key: Key) -> Option<TaskRef> {
        self.live.borrow().get(key).cloned()
    }

    pub(super) fn set_referenced(&self, task: &Task, referenced: bool) {
        if !task.has_ended() && task.referenced.replace(referenced) != referenced {
            let count = self.referenced.get();
            self.referenced.set(if referenced { count + 1 } else { count - 1 });
        }
    }

    #[cold]
    #[inline(never)]
    fn tell_spawned(&self, task: &Task) {
        let Task { key, ref name, spawned_at, parent, .. } = *task;
        if let Some(lookout) = self.lookout.get() {
            lookout.call(key, name.as_deref(), spawned_at);
        }
        self.observers.tell(|observer| observer.spawned(key, name.as_deref(), spawned_at, parent));
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.shut_down();
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").field("live", &self.len()).field("ready", &self.ready.len()).finish_non_exhaustive()
    }
}
