//! The tasks of one thread: who is alive, and how they are polled, woken and ended. In which order they are polled is told
//! in [`ready`](super::ready).

use super::cell::{Header, TaskRef};
use super::join::{JoinError, JoinHandle};
use super::mailbox::{Home, Letter};
use super::ready::{Ready, RunQueue};
use super::state::State;
use crate::arena::{Arena, Key};
use crate::board::{At, Board, Number};
use crate::chance::Chance;
use crate::lookout::Lookout;
use crate::observer::Observers;
use crate::trace::{self, Cause, Wait, Waits, Why};
use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::mem::{self, ManuallyDrop};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

thread_local! {
    /// The tasks of the loop that this thread has entered. What is here is at home. Nothing is left to drop when the thread
    /// ends, since who enters leaves: so the thread need not be asked whether it has ended.
    static CURRENT: Cell<ManuallyDrop<Option<Rc<Tasks>>>> = const { Cell::new(ManuallyDrop::new(None)) };
}

/// Shows the tasks of the loop that this thread has entered. They are taken out of their place for that: no foreign code is
/// to run meanwhile.
#[inline]
fn with_current<R>(look: impl FnOnce(Option<&Rc<Tasks>>) -> R) -> R {
    let current = CURRENT.take();
    let looked = look(current.as_ref());
    CURRENT.set(current);
    looked
}

/// Wakes a task, from any thread.
#[inline]
pub(super) fn wake(header: &Header) {
    let told = with_current(|current| match current {
        Some(tasks) if tasks.home.stamp() == header.home.stamp() => Some(tasks.enqueue_woken(header.key)),
        _ => None,
    });
    match told {
        Some(false) => {}
        Some(true) => tell_woken(header.key),
        None => wake_from_afar(header),
    }
}

/// Those who look on are told when nothing is borrowed.
#[cold]
#[inline(never)]
fn tell_woken(key: Key) {
    if let Some(tasks) = with_current(|current| current.map(Rc::clone)) {
        tasks.tell_woken(key, tasks.why());
    }
}

#[cold]
fn wake_from_afar(header: &Header) {
    if header.state.wake_from_afar() {
        // A letter that comes back was for a loop that has gone, and its tasks with it.
        drop(header.home.post(Letter::Wake(header.key)));
    }
}

/// What is known of a task besides its state.
#[derive(Debug, Clone)]
pub struct TaskInfo {
    /// The name it was given, if any.
    pub name: Option<Rc<str>>,
    /// Where in the source it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// The task that spawned it, or [`Key::NONE`].
    pub parent: Key,
    /// What it waits for, as of its last poll; `None` while it is queued for its first.
    pub waits_for: Option<Wait>,
    /// What it waits for besides: with a time-out, or in several branches. [`Wait::Unknown`] stands for what was not asked in
    /// its last poll.
    pub waits_also_for: Option<Wait>,
    /// Why it was polled last.
    pub woken_by: Cause,
    /// How often it was polled.
    pub polls: u64,
}

/// What is known of the future of `block_on`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RootInfo {
    pub(crate) waits: Waits,
    pub(crate) woken_by: Cause,
    pub(crate) polls: u64,
}

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
    live: RefCell<Arena<Entry>>,
    ready: RunQueue,
    /// The memory of the last letters, for the next.
    spare_letters: Cell<Vec<Letter>>,
    root: Arc<Root>,
    root_waker: Waker,
    root_course: RootCourse,
    /// Live tasks that keep the loop alive.
    referenced: Cell<usize>,
    closed: Cell<bool>,
    observers: Rc<Observers>,
    board: Arc<Board>,
    /// Where a watchdog, if there is one, looks up what tasks are called.
    lookout: OnceCell<Arc<Lookout>>,
}

/// A live task, or one that has ended and whose output is waited for. There may be ten thousands: what a [`TaskInfo`] tells
/// lies here without its padding.
struct Entry {
    /// Out while the task is polled.
    task: Option<TaskRef>,
    name: Option<Rc<str>>,
    spawned_at: &'static Location<'static>,
    parent: Key,
    waits: Waits,
    polls: u64,
    woken_by: Why,
    /// Who awaits the handle.
    joiner: Joiner,
    course: Course,
    /// Its key is in the run queue, and its next poll has not begun: what wakes it meanwhile wakes nobody.
    queued: bool,
    /// There is a handle, which may want the output.
    joinable: bool,
    /// It keeps the loop alive.
    referenced: bool,
}

/// With its stamp, two lines of a cache.
const _: () = assert!(size_of::<Entry>() <= 120);

impl Entry {
    fn info(&self) -> TaskInfo {
        TaskInfo {
            name: self.name.clone(),
            spawned_at: self.spawned_at,
            parent: self.parent,
            waits_for: self.waits.first,
            waits_also_for: self.waits.also,
            woken_by: self.woken_by.cause(),
            polls: self.polls,
        }
    }
}

/// Who awaits the end of a task.
enum Joiner {
    /// A task of the same loop, or the future of `block_on`, whose poll it was that asked: no waker need be counted for it. Or
    /// [`NOBODY`].
    Task(Key),
    /// Anybody else: of another loop, or of several futures in one task.
    Waker(Waker),
}

/// The key of no task, and of the future of `block_on` neither.
const NOBODY: Key = Key::new(Key::NONE.index(), 0);

/// What is known of the future of `block_on`, while there is one.
#[derive(Debug, Default)]
struct RootCourse {
    lives: Cell<bool>,
    queued: Cell<bool>,
    waits: Cell<Waits>,
    woken_by: Cell<Cause>,
    polls: Cell<u64>,
}

/// How far a task has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    Running,
    /// It ends where it would be polled next.
    Aborted,
    /// Its stage is the output, or empty.
    Ended,
}

impl Tasks {
    /// No tasks. `bell` is woken when a letter comes while the home thread sleeps, to wake it from where it blocks.
    #[must_use]
    pub fn new(bell: Waker) -> Rc<Tasks> {
        Tasks::observed(bell, Observers::none(), Arc::new(Board::new(None)), None)
    }

    /// No tasks, a place for their numbers, and those who look on. With chance, the order of their polls is drawn.
    pub(crate) fn observed(
        bell: Waker,
        observers: Rc<Observers>,
        board: Arc<Board>,
        chance: Option<Chance>,
    ) -> Rc<Tasks> {
        let home = Home::move_in(bell);
        let root = Arc::new(Root(Header { state: State::new(), key: Key::NONE, home }));
        Rc::new(Tasks {
            home,
            live: RefCell::default(),
            ready: RunQueue::new(chance),
            spare_letters: Cell::default(),
            root_waker: Waker::from(Arc::clone(&root)),
            root,
            root_course: RootCourse::default(),
            referenced: Cell::new(0),
            closed: Cell::new(false),
            observers,
            board,
            lookout: OnceCell::new(),
        })
    }

    /// From now on a watchdog is told what tasks are called.
    pub(crate) fn show_to(&self, lookout: &Arc<Lookout>) {
        drop(self.lookout.set(Arc::clone(lookout)));
    }

    /// Makes this thread the tasks' home while `inside` runs: wakes are plain stores and need no letter.
    pub fn enter<R>(self: &Rc<Self>, inside: impl FnOnce() -> R) -> R {
        struct Leave(Option<Rc<Tasks>>);
        impl Drop for Leave {
            fn drop(&mut self) {
                drop(enter(self.0.take()));
            }
        }
        fn enter(tasks: Option<Rc<Tasks>>) -> Option<Rc<Tasks>> {
            ManuallyDrop::into_inner(CURRENT.replace(ManuallyDrop::new(tasks)))
        }
        let _leave = Leave(enter(Some(Rc::clone(self))));
        inside()
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
        self.ready.all()
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
        self.live.borrow().get(key).map(Entry::info)
    }

    /// All tasks that have not ended, by key, with what is known of them.
    #[must_use]
    pub fn infos(&self) -> Vec<(Key, TaskInfo)> {
        self.walk().into_iter().map(|(key, info, _)| (key, info)).collect()
    }

    /// All tasks that have not ended, with what is known of them, and whether they count.
    pub(crate) fn walk(&self) -> Vec<(Key, TaskInfo, bool)> {
        let live = self.live.borrow();
        let running = live.iter().filter(|(_, entry)| entry.course != Course::Ended);
        running.map(|(key, entry)| (key, entry.info(), entry.referenced)).collect()
    }

    /// What is known of the future of `block_on`, while there is one: as of a task, but it has no name and was spawned nowhere.
    pub(crate) fn root_info(&self) -> Option<RootInfo> {
        let root = &self.root_course;
        root.lives.get().then(|| RootInfo {
            waits: root.waits.get(),
            woken_by: root.woken_by.get(),
            polls: root.polls.get(),
        })
    }

    /// The future of `block_on` is no more.
    pub(crate) fn forget_root(&self) {
        self.root_course.lives.set(false);
    }

    /// Adds a task, last in the queue. After the loop has shut its tasks down, the future is dropped at once, and the
    /// handle says that it was cancelled.
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
        let key = self.live.borrow_mut().insert_with(|key| Entry {
            task: Some(TaskRef::new(key, self.home, future)),
            name,
            spawned_at,
            parent,
            waits: Waits::default(),
            polls: 0,
            woken_by: Why::SPAWN,
            joiner: Joiner::Task(NOBODY),
            course: Course::Running,
            queued: true,
            joinable: true,
            referenced: true,
        });
        self.referenced.set(self.referenced.get() + 1);
        if self.observers.any() || self.lookout.get().is_some() {
            self.tell_spawned(key);
        }
        self.push(key, Why::SPAWN);
        if self.closed.get() {
            self.cancel(key);
        }
        JoinHandle::new(Rc::clone(self), key)
    }

    /// Polls one batch, in the order in which tasks were woken, or one that is drawn.
    pub fn run_batch(&self) {
        self.run_batch_and_root(&mut |_| false);
    }

    /// Polls one batch. Where the future of `block_on` stands in it, `poll_root` is called; when that says that the future
    /// is done, the batch ends, with `true`.
    pub(crate) fn run_batch_and_root(&self, poll_root: &mut dyn FnMut(Cause) -> bool) -> bool {
        if self.ready.is_drawn() {
            return self.run_drawn(poll_root);
        }
        self.ready.run_batch(|ready| self.poll(ready, poll_root))
    }

    #[cold]
    #[inline(never)]
    fn run_drawn(&self, poll_root: &mut dyn FnMut(Cause) -> bool) -> bool {
        self.ready.run_drawn(&mut |ready| self.poll(ready, poll_root))
    }

    /// Polls a task or the future of `block_on`; whether that is done.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "every poll passes it, also where there is a cold copy of it")]
    fn poll(&self, ready: Ready, poll_root: &mut dyn FnMut(Cause) -> bool) -> bool {
        if ready.key == Key::NONE {
            self.root_course.queued.set(false);
            return poll_root(ready.why.cause());
        }
        self.run(ready);
        false
    }

    /// Takes in what other threads have posted: their wakes are queued, their calls are made, in order.
    pub fn collect_mail(&self) {
        if !self.has_mail() {
            return; // once closed, the mailbox may have its next tenant
        }
        let mut letters = self.spare_letters.take();
        self.home.collect(&mut letters);
        for letter in letters.drain(..) {
            match letter {
                Letter::Wake(key) => self.open_wake(key),
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
        Door { home: self.home }
    }

    /// Ends all tasks, in the order of their places, without polling them: their futures are dropped, their handles say
    /// that they were cancelled. What they spawn meanwhile goes the same way, and letters are read no more.
    pub fn shut_down(&self) {
        if self.closed.replace(true) {
            return;
        }
        let keys: Vec<Key> = self.live.borrow().iter().map(|(key, _)| key).collect();
        for key in keys {
            self.end_now(key);
        }
        self.ready.clear();
        drop(self.home.move_out());
    }

    /// Has the root, which is a new one, polled, as if it had been woken.
    pub(crate) fn wake_root(&self) {
        let root = &self.root_course;
        root.lives.set(true);
        root.waits.set(Waits::default());
        root.polls.set(0);
        if !root.queued.replace(true) {
            self.push(Key::NONE, Why::OUTSIDE);
        }
    }

    /// Polls the future of `block_on`, which is a task like others, but for where it lives.
    pub(crate) fn poll_root<F: Future>(&self, cause: Cause, future: Pin<&mut F>) -> Poll<F::Output> {
        let root = &self.root_course;
        root.woken_by.set(cause);
        root.polls.set(root.polls.get() + 1);
        self.begin_poll(Key::NONE, cause);
        trace::set_waker(&self.root_waker);
        let polled = future.poll(&mut Context::from_waker(&self.root_waker));
        self.end_poll(Key::NONE, polled.is_ready());
        trace::set_cause(Why::OUTSIDE);
        root.waits.set(trace::waits());
        polled
    }

    pub(super) fn is_finished(&self, key: Key) -> bool {
        self.live.borrow().get(key).is_none_or(|entry| entry.course == Course::Ended)
    }

    pub(super) fn abort(&self, key: Key) {
        let mut live = self.live.borrow_mut();
        let Some(entry) = live.get_mut(key).filter(|entry| entry.course != Course::Ended) else { return };
        entry.course = Course::Aborted;
        // While it runs, there is no task here; the end of its poll sees the flag.
        if entry.task.is_some() && !mem::replace(&mut entry.queued, true) {
            drop(live);
            self.push(key, self.why());
        }
    }

    /// Ends a task here: its future is dropped before this returns.
    pub(super) fn end_now(&self, key: Key) {
        self.abort(key); // for the one that is running now: it ends with its poll
        self.cancel(key);
    }

    pub(super) fn set_referenced(&self, key: Key, referenced: bool) {
        let mut live = self.live.borrow_mut();
        let Some(entry) = live.get_mut(key).filter(|entry| entry.course != Course::Ended) else { return };
        if mem::replace(&mut entry.referenced, referenced) != referenced {
            let count = self.referenced.get();
            self.referenced.set(if referenced { count + 1 } else { count - 1 });
        }
    }

    /// Moves the output of a task that has ended into `output`, an `Option` of its result; it stays `None` when it was
    /// taken before.
    pub(super) fn poll_join(&self, key: Key, cx: &mut Context<'_>, output: &mut dyn Any) -> Poll<()> {
        let mut live = self.live.borrow_mut();
        let Some(entry) = live.get_mut(key) else { return Poll::Ready(()) };
        if entry.course != Course::Ended {
            match (trace::task_of(cx.waker(), self.home.stamp()), &entry.joiner) {
                (Some(own), _) => {
                    let former = mem::replace(&mut entry.joiner, Joiner::Task(own));
                    drop(live);
                    drop(former);
                }
                (None, Joiner::Waker(kept)) if kept.will_wake(cx.waker()) => drop(live),
                (None, _) => {
                    drop(live);
                    return self.join_by_waker(key, cx, output);
                }
            }
            self.note_join(key);
            return Poll::Pending;
        }
        let entry = live.remove(key);
        drop(live);
        if let Some(Entry { task: Some(mut task), .. }) = entry {
            task.take_output(output);
        }
        Poll::Ready(())
    }

    /// [`poll_join`](Tasks::poll_join) by somebody who is no task of this loop, or polls with a waker of their own.
    #[inline(never)]
    fn join_by_waker(&self, key: Key, cx: &mut Context<'_>, output: &mut dyn Any) -> Poll<()> {
        let waker = cx.waker().clone(); // which may be the code of others
        let mut live = self.live.borrow_mut();
        let Some(entry) = live.get_mut(key).filter(|entry| entry.course != Course::Ended) else {
            drop(live);
            return self.poll_join(key, cx, output); // which it has ended
        };
        let former = mem::replace(&mut entry.joiner, Joiner::Waker(waker));
        drop(live);
        drop(former);
        self.note_join(key);
        Poll::Pending
    }

    fn note_join(&self, key: Key) {
        // In another loop the key would name one of its own tasks.
        trace::waits_for(if trace::home() == self.home.stamp() { Wait::Task(key) } else { Wait::Unknown });
    }

    /// The handle is gone: the output is for nobody.
    pub(super) fn detach(&self, key: Key) {
        let mut live = self.live.borrow_mut();
        let Some(entry) = live.get_mut(key) else { return };
        entry.joinable = false;
        let joiner = mem::replace(&mut entry.joiner, Joiner::Task(NOBODY));
        let ended = if entry.course == Course::Ended { live.remove(key) } else { None };
        drop(live);
        drop((joiner, ended));
    }

    #[inline]
    fn push(&self, key: Key, why: Why) {
        self.enqueue(key, why);
        self.tell_woken(key, why);
    }

    #[inline]
    fn enqueue(&self, key: Key, why: Why) {
        self.ready.push(Ready { key, why });
        self.board.add_behind(Number::WakesSpawn, why.place(), 1);
    }

    /// Puts a task, or the future of `block_on`, that is woken at home in the queue, unless it stands there or is no more;
    /// whether somebody is to be told of it.
    #[inline]
    fn enqueue_woken(&self, key: Key) -> bool {
        let queue = self.note_wake(key);
        if queue {
            self.enqueue(key, self.why());
        }
        queue && self.observers.any()
    }

    /// Wakes a task of this loop, or the future of `block_on`, while nothing is borrowed.
    pub(super) fn wake_here(&self, key: Key) {
        if self.enqueue_woken(key) {
            self.tell_woken(key, self.why());
        }
    }

    /// A wake has come home: whether the key is to be pushed.
    #[inline]
    fn note_wake(&self, key: Key) -> bool {
        match self.live.borrow_mut().get_mut(key) {
            Some(entry) => !mem::replace(&mut entry.queued, true),
            None => key == Key::NONE && !self.root_course.queued.replace(true),
        }
    }

    #[inline]
    fn tell_woken(&self, key: Key, why: Why) {
        self.observers.tell(|observer| observer.woken(key, why.cause()));
    }

    /// What would be the cause of a wake that happened now.
    #[inline]
    fn why(&self) -> Why {
        trace::why_at(self.home.stamp())
    }

    /// As [`why`](Tasks::why), for those who look.
    pub(crate) fn cause(&self) -> Cause {
        self.why().cause()
    }

    fn open_wake(&self, key: Key) {
        if key == Key::NONE {
            self.root.0.state.letter_opened();
        } else if let Some(task) = self.live.borrow().get(key).and_then(|entry| entry.task.as_ref()) {
            task.header().state.letter_opened();
        }
        if self.note_wake(key) {
            self.push(key, Why::MAIL);
        }
    }

    /// Polls one task: the place that every poll passes.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as `poll`")]
    fn run(&self, Ready { key, why }: Ready) {
        let mut live = self.live.borrow_mut();
        let Some(entry) = live.get_mut(key) else { return };
        entry.queued = false; // before the poll, in which it may be woken again
        if entry.course != Course::Running {
            drop(live);
            self.board.set_at(At::Task(key)); // dropping its future is its affair, too
            return self.cancel(key);
        }
        entry.woken_by = why;
        entry.polls += 1;
        let mut task = entry.task.take().expect("a task is polled by one batch at a time");
        drop(live);

        self.begin_poll(key, why.cause());
        let ended = task.run();
        self.end_poll(key, ended);

        if ended {
            self.end(key, task); // wakes who joins, and is the cause of that
            return trace::set_cause(Why::OUTSIDE);
        }
        trace::set_cause(Why::OUTSIDE);
        let mut live = self.live.borrow_mut();
        let entry = live.get_mut(key).expect("a running task stays in the set");
        entry.task = Some(task);
        trace::copy_waits(&mut entry.waits);
        if entry.course == Course::Aborted {
            drop(live);
            self.cancel(key);
        }
    }

    #[inline]
    fn begin_poll(&self, key: Key, cause: Cause) {
        self.board.add(Number::Polls, 1);
        self.board.set_at(At::Task(key));
        if self.observers.any() {
            self.tell_poll_begins(key, cause);
        }
        trace::begin_poll(key, self.home.stamp());
    }

    #[inline]
    fn end_poll(&self, key: Key, ended: bool) {
        if trace::end_poll() {
            self.ready.want_turn();
        }
        if self.observers.any() {
            self.tell_poll_ended(key, ended);
        }
    }

    // Those who look on are told out of line: what they are told would else be laid out for them where nobody looks on.

    #[cold]
    #[inline(never)]
    fn tell_spawned(&self, key: Key) {
        let Some((name, spawned_at, parent)) =
            self.live.borrow().get(key).map(|entry| (entry.name.clone(), entry.spawned_at, entry.parent))
        else {
            return;
        };
        if let Some(lookout) = self.lookout.get() {
            lookout.call(key, name.as_deref(), spawned_at);
        }
        self.observers.tell(|observer| observer.spawned(key, name.as_deref(), spawned_at, parent));
    }

    #[cold]
    #[inline(never)]
    fn tell_poll_begins(&self, key: Key, cause: Cause) {
        self.observers.tell(|observer| observer.poll_begin(key, cause));
    }

    #[cold]
    #[inline(never)]
    fn tell_poll_ended(&self, key: Key, ended: bool) {
        let wait = if ended { None } else { trace::waits().first };
        self.observers.tell(|observer| observer.poll_end(key, wait));
    }

    /// Ends a task that is not running, unless it has ended: its future is dropped.
    fn cancel(&self, key: Key) {
        let mut live = self.live.borrow_mut();
        let task = live.get_mut(key).filter(|entry| entry.course != Course::Ended).and_then(|entry| entry.task.take());
        drop(live);
        if let Some(mut task) = task {
            task.cancel();
            self.end(key, task);
        }
    }

    /// The task has become its output: keep it for the handle, or drop it.
    fn end(&self, key: Key, task: TaskRef) {
        self.observers.tell(|observer| observer.ended(key));
        let mut live = self.live.borrow_mut();
        let entry = live.get_mut(key).expect("a task leaves the set only when it has ended");
        entry.course = Course::Ended;
        self.referenced.set(self.referenced.get() - usize::from(entry.referenced));
        if !entry.joinable {
            let entry = live.remove(key);
            drop(live);
            return drop((task, entry));
        }
        entry.task = Some(task);
        let joiner = mem::replace(&mut entry.joiner, Joiner::Task(NOBODY));
        drop(live);
        match joiner {
            Joiner::Task(NOBODY) => {}
            Joiner::Task(key) => self.wake_here(key),
            Joiner::Waker(waker) => waker.wake(),
        }
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

/// The waker of the future of `block_on`.
struct Root(Header);

impl Wake for Root {
    fn wake(self: Arc<Self>) {
        wake(&self.0);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        wake(&self.0);
    }
}

/// The way to a loop's tasks from any thread.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    home: Home,
}

impl Door {
    /// Has `call` called on the loop's thread, between polls, in the order in which calls and wakes are posted.
    ///
    /// # Errors
    /// `call` comes back when the loop has ended.
    pub fn post<C: FnOnce() + Send + 'static>(&self, call: C) -> Result<(), Box<dyn FnOnce() + Send>> {
        self.home.post(Letter::Call(Box::new(call))).map_err(|letter| match letter {
            Letter::Call(call) => call,
            Letter::Wake(_) => unreachable!("what comes back is what was posted"),
        })
    }

    /// Whether the loop still runs, or could be run again.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.home.is_open()
    }
}
