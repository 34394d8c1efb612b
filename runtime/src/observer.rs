//! Who looks on while the loop turns, and how they are told.

use crate::arena::Key;
use crate::clock::Clock;
use crate::trace::{Cause, JobClass, Phase, Wait};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Looks on while the loop turns: told of each phase, wake, poll and job.
///
/// Chosen when the loop is [built](crate::Builder::observer), or later for as long as somebody wants to
/// [know](crate::turn::observe). While there is none, the loop pays a branch at these places and nothing else. All methods
/// do nothing unless they are overridden. They run on the loop's thread, between and around everything else, so they must
/// be short, and must neither spawn, wake nor panic.
///
/// They may ask the loop for whatever it tells (its numbers, a [dump](crate::turn::dump), a
/// [recording](crate::observe::Tape::recording)), and let observers come and go. What one of them woke or spawned, those
/// after it would be told of before what it was told of itself; a panic is that of whoever did what was told of.
///
/// Nothing is timed for an observer that does not ask: who wants moments reads the [`Clock`] that
/// [`attached`](Observer::attached) brings, or the system's.
///
/// # Examples
/// How many polls a turn has at most:
/// ```
/// use evloop_runtime::engine::Key;
/// use evloop_runtime::observe::{Cause, Observer, Phase};
/// use evloop_runtime::Runtime;
/// use std::{cell::Cell, rc::Rc};
///
/// #[derive(Default)]
/// struct Longest { polls: Cell<usize>, most: Cell<usize> }
///
/// impl Observer for Longest {
///     fn phase(&self, phase: Phase) {
///         if phase == Phase::Run {
///             self.polls.set(0);
///         }
///     }
///     fn poll_begin(&self, _: Key, _: Cause) {
///         self.polls.set(self.polls.get() + 1);
///         self.most.set(self.most.get().max(self.polls.get()));
///     }
/// }
///
/// let longest = Rc::new(Longest::default());
/// let runtime = Runtime::builder().observer(Rc::<Longest>::clone(&longest)).build()?;
/// runtime.block_on(async { evloop_runtime::spawn(async {}).await }).unwrap();
/// assert!(longest.most.get() > 0);
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Observer {
    /// It begins to look on; this is the loop's clock.
    fn attached(&self, clock: &Rc<Clock>) {
        let _ = clock;
    }

    /// The loop does not poll in the order of the wakes, but in one drawn from that [seed](crate::Builder::seed): told right
    /// after [`attached`](Observer::attached).
    fn shuffled(&self, seed: u64) {
        let _ = seed;
    }

    /// A phase begins; the one before it has ended.
    fn phase(&self, phase: Phase) {
        let _ = phase;
    }

    /// The kernel is about to be asked for events, and waited for at most so long: zero is not at all, `None` for ever.
    fn wait(&self, at_most: Option<Duration>) {
        let _ = at_most;
    }

    /// The kernel has answered, with so many events.
    fn waited(&self, events: usize) {
        let _ = events;
    }

    /// So many timers have fired in this turn, one of them so long after its deadline and none later.
    fn fired(&self, timers: u64, latest: Duration) {
        let _ = (timers, latest);
    }

    /// A task was spawned, by `parent` if that is not [`Key::NONE`].
    fn spawned(&self, task: Key, name: Option<&str>, spawned_at: &'static Location<'static>, parent: Key) {
        let _ = (task, name, spawned_at, parent);
    }

    /// A task has become runnable, and why; it stands last in the queue. [`Key::NONE`] is the future of `block_on`.
    fn woken(&self, task: Key, cause: Cause) {
        let _ = (task, cause);
    }

    /// The task of that key is about to be polled, and why.
    fn poll_begin(&self, task: Key, cause: Cause) {
        let _ = (task, cause);
    }

    /// The poll is over; `Some` tells what the task waits for now, `None` that it has ended.
    fn poll_end(&self, task: Key, wait: Option<Wait>) {
        let _ = (task, wait);
    }

    /// A task is no more: it has ended in its last poll, or was cancelled between polls.
    fn ended(&self, task: Key) {
        let _ = task;
    }

    /// The result of a job of the pool has been taken in by the task that is being polled.
    fn job(&self, job: &JobTimes) {
        let _ = job;
    }

    /// The loop leaves its run: the phase that it was in has ended, and so has a poll, if a panic of the future of `block_on`
    /// comes out of it.
    fn left(&self) {}

    /// For how long a task has been polled until now, if this observer keeps that; a dump asks.
    fn polled_for(&self, task: Key) -> Option<Duration> {
        let _ = task;
        None
    }
}

/// Keeps how long each live task has been polled, for a [dump](crate::turn::dump).
///
/// It reads the clock twice a poll; for a task that has ended it keeps nothing.
///
/// # Examples
/// ```
/// use evloop_runtime::observe::PollTimes;
/// use evloop_runtime::{Runtime, future::yield_now, turn};
/// use std::rc::Rc;
///
/// let runtime = Runtime::builder().observer(Rc::new(PollTimes::default())).build()?;
/// runtime.block_on(async {
///     yield_now().await;
///     assert!(turn::dump().tasks[0].polled_for.is_some());
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct PollTimes {
    clock: RefCell<Option<Rc<Clock>>>,
    began: Cell<Option<Instant>>,
    times: RefCell<HashMap<Key, Duration>>,
}

impl PollTimes {
    fn now(&self) -> Option<Instant> {
        self.clock.borrow().as_ref().map(|clock| clock.fresh())
    }
}

impl Observer for PollTimes {
    fn attached(&self, clock: &Rc<Clock>) {
        *self.clock.borrow_mut() = Some(Rc::clone(clock));
        self.began.set(None); // a poll whose end it has not seen
        self.times.borrow_mut().clear(); // of tasks of another loop, perhaps, or whose end it has not seen
    }

    fn poll_begin(&self, _: Key, _: Cause) {
        self.began.set(self.now());
    }

    fn poll_end(&self, task: Key, wait: Option<Wait>) {
        let Some((began, now)) = self.began.take().zip(self.now()) else { return };
        match wait {
            Some(_) => *self.times.borrow_mut().entry(task).or_default() += now.saturating_duration_since(began),
            None => drop(self.times.borrow_mut().remove(&task)),
        }
    }

    fn ended(&self, task: Key) {
        self.times.borrow_mut().remove(&task);
    }

    fn polled_for(&self, task: Key) -> Option<Duration> {
        self.times.borrow().get(&task).copied()
    }
}

/// When a job of the pool was where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobTimes {
    /// Its class.
    pub class: JobClass,
    /// It was handed to the pool.
    pub submitted: Instant,
    /// A thread began with it.
    pub began: Instant,
    /// That thread had its result.
    pub ended: Instant,
}

impl JobTimes {
    pub(crate) fn new(class: JobClass, submitted: Instant, began: Instant, ended: Instant) -> JobTimes {
        JobTimes { class, submitted, began, ended }
    }
}

/// All who look on at one loop.
#[derive(Default)]
pub struct Observers {
    /// There is somebody: the branch that the loop pays where there is nobody.
    any: Cell<bool>,
    /// Replaced when it changes, so that one who is told may come, or let another go.
    all: RefCell<Rc<[Rc<dyn Observer>]>>,
    /// Those who have come once more while they were there: they are not told twice.
    again: RefCell<Vec<Rc<dyn Observer>>>,
}

impl Observers {
    /// Nobody.
    #[must_use]
    pub fn none() -> Rc<Observers> {
        Rc::default()
    }

    /// Whether there is anybody.
    #[inline]
    #[must_use]
    pub fn any(&self) -> bool {
        self.any.get()
    }

    /// Tells all of them, in the order in which they came.
    #[inline]
    pub fn tell(&self, tell: impl Fn(&dyn Observer)) {
        if self.any.get() {
            self.tell_all(tell);
        }
    }

    #[cold]
    #[inline(never)]
    fn tell_all(&self, tell: impl Fn(&dyn Observer)) {
        let all = Rc::clone(&self.all.borrow());
        all.iter().for_each(|observer| tell(&**observer));
    }

    /// For how long a task has been polled, if anybody knows.
    #[must_use]
    pub fn polled_for(&self, task: Key) -> Option<Duration> {
        let all = Rc::clone(&self.all.borrow());
        all.iter().find_map(|observer| observer.polled_for(task))
    }

    /// One more, told after the others, with the loop's clock, and the seed that the order of polls is drawn from. One who is
    /// there already is told everything once, as before, and stays until it has gone as often as it has come.
    pub fn add(&self, observer: Rc<dyn Observer>, clock: &Rc<Clock>, seed: Option<u64>) {
        if self.all.borrow().iter().any(|other| Rc::ptr_eq(other, &observer)) {
            return self.again.borrow_mut().push(observer);
        }
        observer.attached(clock);
        if let Some(seed) = seed {
            observer.shuffled(seed);
        }
        let all = self.all.borrow().iter().cloned().chain([observer]).collect();
        self.replace(all);
    }

    /// One less.
    pub fn remove(&self, observer: &Rc<dyn Observer>) {
        let is_it = |other: &Rc<dyn Observer>| Rc::ptr_eq(other, observer);
        let again = self.again.borrow().iter().position(is_it);
        if let Some(place) = again {
            let one = self.again.borrow_mut().swap_remove(place);
            return drop(one); // not its last: it is in `all` too
        }
        let mut all = self.all.borrow().to_vec();
        if let Some(place) = all.iter().position(is_it) {
            drop(all.remove(place));
        }
        self.replace(all.into());
    }

    fn replace(&self, all: Rc<[Rc<dyn Observer>]>) {
        self.any.set(!all.is_empty());
        drop(self.all.replace(all)); // foreign code, if it was the last of an observer: nothing is borrowed
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observers").field("len", &self.all.borrow().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::future::yield_now;
    use crate::sync::Notify;
    use crate::tape::Tape;
    use crate::time::sleep;
    use crate::{Runtime, spawn, spawn_blocking, turn};
    use std::cell::OnceCell;
    use std::collections::HashSet;
    use std::rc::Weak;

    /// Asks the loop for everything, from within whatever it is told.
    #[derive(Default)]
    struct Curious {
        runtime: RefCell<Weak<Runtime>>,
        tape: OnceCell<Rc<Tape>>,
        asks: Cell<bool>,
        told: RefCell<HashSet<&'static str>>,
    }

    impl Curious {
        fn ask(&self, told_of: &'static str) {
            let Some(runtime) = self.runtime.borrow().upgrade() else { return };
            self.told.borrow_mut().insert(told_of);
            if self.asks.replace(true) {
                return; // of its own doing
            }
            let _all = (runtime.metrics(), runtime.view(), runtime.walk(), runtime.dump().to_string());
            let tape = self.tape.get().expect("it is given one before it is asked");
            tape.recording().check_order().unwrap();
            runtime.enter(|| {
                drop(turn::observe(Rc::new(PollTimes::default())));
                drop((turn::metrics(), turn::dump(), turn::seed()));
            });
            self.asks.set(false);
        }
    }

    impl Observer for Curious {
        fn phase(&self, _: Phase) {
            self.ask("phase");
        }
        fn wait(&self, _: Option<Duration>) {
            self.ask("wait");
        }
        fn waited(&self, _: usize) {
            self.ask("waited");
        }
        fn fired(&self, _: u64, _: Duration) {
            self.ask("fired");
        }
        fn spawned(&self, _: Key, _: Option<&str>, _: &'static Location<'static>, _: Key) {
            self.ask("spawned");
        }
        fn woken(&self, _: Key, _: Cause) {
            self.ask("woken");
        }
        fn poll_begin(&self, _: Key, _: Cause) {
            self.ask("poll_begin");
        }
        fn poll_end(&self, _: Key, _: Option<Wait>) {
            self.ask("poll_end");
        }
        fn ended(&self, _: Key) {
            self.ask("ended");
        }
        fn job(&self, _: &JobTimes) {
            self.ask("job");
        }
        fn left(&self) {
            self.ask("left");
        }
    }

    #[test]
    fn who_is_told_may_ask_the_loop_for_everything_and_let_others_come_and_go() {
        let (curious, tape) = (Rc::new(Curious::default()), Tape::new(1_000));
        assert!(curious.tape.set(Rc::clone(&tape)).is_ok());
        let observer = Rc::<Curious>::clone(&curious);
        let runtime = Rc::new(Runtime::builder().observer(tape).observer(observer).build().unwrap());
        *curious.runtime.borrow_mut() = Rc::downgrade(&runtime);
        runtime.block_on(async {
            let notify = Rc::new(Notify::new());
            let notified = Rc::clone(&notify);
            let task = spawn(async move { notified.notified().await });
            yield_now().await;
            notify.notify_one(); // a wake that passes the waker
            task.await.unwrap();
            sleep(Duration::from_millis(1)).await;
            spawn_blocking(|| ()).await.unwrap();
        });
        assert_eq!(curious.told.borrow().len(), 11, "{:?}", curious.told);
    }

    struct Told(Rc<RefCell<Vec<&'static str>>>, &'static str);

    impl Observer for Told {
        fn phase(&self, _: Phase) {
            self.0.borrow_mut().push(self.1);
        }
    }

    #[test]
    fn all_are_told_in_the_order_in_which_they_came_until_they_go() {
        let (observers, clock, told) = (Observers::none(), Rc::new(Clock::manual()), Rc::default());
        let [first, second] = ["first", "second"].map(|name| Rc::new(Told(Rc::clone(&told), name)) as Rc<dyn Observer>);
        observers.tell(|observer| observer.phase(Phase::Run));
        assert!(!observers.any());
        observers.add(Rc::clone(&first), &clock, None);
        observers.add(Rc::clone(&second), &clock, None);
        observers.tell(|observer| observer.phase(Phase::Run));
        observers.remove(&first);
        observers.tell(|observer| observer.phase(Phase::Run));
        assert_eq!(*told.borrow(), ["first", "second", "second"]);
        observers.add(Rc::clone(&second), &clock, None);
        observers.tell(|observer| observer.phase(Phase::Run));
        told.borrow_mut().pop();
        observers.remove(&second);
        observers.tell(|observer| observer.phase(Phase::Run));
        assert_eq!(told.borrow().len(), 4, "who came twice and went once is still there, and told once");
        observers.remove(&second);
        assert!(!observers.any(), "who went as often as he came is not");
    }
}
