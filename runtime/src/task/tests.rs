//! The engine by itself, turned by hand: no loop, no kernel, no clock.

use super::{JoinError, JoinHandle, Tasks};
use crate::arena::Key;
use crate::board::Board;
use crate::chance::Chance;
use crate::observer::Observers;
use crate::trace::{Cause, Wait, waits_for};
use crate::waiter::Waiter;
use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};

// --- What the tests are made of --------------------------------------------------------------------------------------

/// What happened, in order.
#[derive(Clone, Default)]
struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    fn note(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// Counts how often it was woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wakes {
    fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Counts how often it was dropped, and insists on its home.
struct Tracked {
    home: ThreadId,
    drops: Rc<Cell<usize>>,
}

impl Tracked {
    fn new() -> (Tracked, Rc<Cell<usize>>) {
        let drops = Rc::new(Cell::new(0));
        (Tracked { home: thread::current().id(), drops: Rc::clone(&drops) }, drops)
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        assert_eq!(thread::current().id(), self.home, "dropped away from home");
        self.drops.set(self.drops.get() + 1);
    }
}

/// Calls a closure when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Panics with a text, but does not print it.
fn panic_quietly(text: &'static str) -> ! {
    resume_unwind(Box::new(text))
}

/// A future that hands out its waker at the first poll, notes each poll, and ends when it is told to.
#[derive(Clone, Default)]
struct Probe {
    waker: Rc<RefCell<Option<Waker>>>,
    polls: Rc<Cell<usize>>,
    done: Rc<Cell<bool>>,
}

impl Probe {
    fn waker(&self) -> Waker {
        self.waker.borrow().clone().expect("it was polled")
    }

    fn polls(&self) -> usize {
        self.polls.get()
    }
}

impl Future for Probe {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.polls.set(self.polls() + 1);
        *self.waker.borrow_mut() = Some(cx.waker().clone());
        if self.done.get() { Poll::Ready(()) } else { Poll::Pending }
    }
}

fn tasks() -> Rc<Tasks> {
    Tasks::new(Waker::noop().clone())
}

/// Mail, then one batch.
fn turn(tasks: &Rc<Tasks>) {
    tasks.enter(|| {
        tasks.collect_mail();
        tasks.run_batch();
    });
}

fn join<T: 'static>(handle: &mut JoinHandle<T>) -> Poll<Result<T, JoinError>> {
    join_with(handle, Waker::noop())
}

fn join_with<T: 'static>(handle: &mut JoinHandle<T>, waker: &Waker) -> Poll<Result<T, JoinError>> {
    Pin::new(handle).poll(&mut Context::from_waker(waker))
}

/// The output of a task that has ended.
fn output<T: 'static>(handle: &mut JoinHandle<T>) -> Result<T, JoinError> {
    match join(handle) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the task has not ended"),
    }
}

fn error<T: 'static>(handle: &mut JoinHandle<T>) -> JoinError {
    output(handle).err().expect("the task has no output")
}

/// Another thread does something, and is done when this returns.
fn elsewhere<R: Send + 'static>(act: impl FnOnce() -> R + Send + 'static) -> R {
    thread::spawn(act).join().expect("the other thread did not panic")
}

// --- Order -----------------------------------------------------------------------------------------------------------

#[test]
fn tasks_are_polled_in_the_order_in_which_they_were_woken() {
    let (tasks, trace) = (tasks(), Trace::default());
    let wakers = Rc::new(RefCell::new(Vec::new()));
    for name in ["a", "b", "c"] {
        let (trace, wakers) = (trace.clone(), Rc::clone(&wakers));
        drop(tasks.spawn(None, async move {
            poll_fn(|cx| {
                trace.note(name);
                wakers.borrow_mut().push(cx.waker().clone());
                Poll::<()>::Pending
            })
            .await;
        }));
    }
    turn(&tasks);
    assert_eq!(trace.take(), ["a", "b", "c"]);
    let wakers = wakers.take();
    tasks.enter(|| {
        for index in [2, 0, 2, 1, 0] {
            wakers[index].wake_by_ref();
        }
    });
    turn(&tasks);
    assert_eq!(trace.take(), ["c", "a", "b"], "a second wake before the poll changes nothing");
}

#[test]
fn self_waking_task_keeps_nobody_from_being_polled_in_its_batch() {
    let (tasks, trace) = (tasks(), Trace::default());
    for name in ["greedy", "a", "b"] {
        let trace = trace.clone();
        drop(tasks.spawn(None, async move {
            poll_fn(|cx| {
                trace.note(name);
                if name == "greedy" {
                    cx.waker().wake_by_ref();
                }
                Poll::<()>::Pending
            })
            .await;
        }));
    }
    turn(&tasks);
    let first_batch = trace.take();
    assert_eq!(first_batch[..4], ["greedy", "a", "b", "greedy"]);
    assert!(first_batch[4..].iter().all(|name| name == "greedy"));
    assert!(tasks.has_ready(), "the batch ends although it never stops waking itself");
}

#[test]
fn batch_polls_all_that_was_queued_when_it_began() {
    let (tasks, polled) = (tasks(), Rc::new(Cell::new(0)));
    for _ in 0..1_000 {
        let polled = Rc::clone(&polled);
        drop(tasks.spawn(None, async move { polled.set(polled.get() + 1) }));
    }
    turn(&tasks);
    assert_eq!((polled.get(), tasks.len()), (1_000, 0));
}

// --- Wakes -----------------------------------------------------------------------------------------------------------

#[test]
fn wakes_before_the_poll_make_one_poll() {
    let (tasks, probe) = (tasks(), Probe::default());
    drop(tasks.spawn(None, probe.clone()));
    turn(&tasks);
    let waker = probe.waker();
    tasks.enter(|| {
        waker.wake_by_ref();
        waker.wake();
    });
    turn(&tasks);
    turn(&tasks);
    assert_eq!(probe.polls(), 2);
}

#[test]
fn wake_during_the_poll_runs_the_task_once_more() {
    let (tasks, polls) = (tasks(), Rc::new(Cell::new(0)));
    let counted = Rc::clone(&polls);
    drop(tasks.spawn(
        None,
        poll_fn(move |cx| {
            counted.set(counted.get() + 1);
            if counted.get() == 1 {
                cx.waker().wake_by_ref();
                cx.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        }),
    ));
    for _ in 0..3 {
        turn(&tasks);
    }
    assert_eq!(polls.get(), 2);
}

#[test]
fn wake_during_the_poll_that_ends_the_task_runs_nothing() {
    let tasks = tasks();
    let mut handle = tasks.spawn(
        None,
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Ready("once")
        }),
    );
    turn(&tasks);
    turn(&tasks);
    assert_eq!(output(&mut handle).unwrap(), "once");
}

#[test]
fn wakes_from_other_threads_ring_once_and_make_one_poll() {
    let bell = Arc::new(Wakes::default());
    let (tasks, probe) = (Tasks::new(bell.waker()), Probe::default());
    drop(tasks.spawn(None, probe.clone()));
    turn(&tasks);
    assert!(tasks.try_sleep());
    for waker in [probe.waker(), probe.waker()] {
        elsewhere(move || waker.wake());
    }
    assert_eq!(bell.count(), 1, "home sleeps until the first letter");
    assert!(!tasks.has_ready(), "a letter that is not read wakes nobody");
    turn(&tasks);
    assert_eq!(probe.polls(), 2);
    let waker = probe.waker();
    elsewhere(move || waker.wake());
    assert_eq!(bell.count(), 1, "home does not sleep, so nobody rings");
    assert!(!tasks.try_sleep(), "there is mail");
    turn(&tasks);
    assert_eq!(probe.polls(), 3);
}

#[test]
fn wake_from_another_thread_while_the_poll_is_under_way_is_not_lost() {
    let (tasks, polls) = (tasks(), Rc::new(Cell::new(0)));
    let counted = Rc::clone(&polls);
    let mut handle = tasks.spawn(
        None,
        poll_fn(move |cx| {
            counted.set(counted.get() + 1);
            let waker = cx.waker().clone();
            if counted.get() == 1 {
                elsewhere(move || waker.wake());
                return Poll::Pending;
            }
            Poll::Ready(())
        }),
    );
    turn(&tasks);
    turn(&tasks);
    assert!(output(&mut handle).is_ok());
    assert_eq!(polls.get(), 2);
}

#[test]
fn task_woken_at_home_and_from_afar_is_polled_once() {
    let (tasks, probe) = (tasks(), Probe::default());
    drop(tasks.spawn(None, probe.clone()));
    turn(&tasks);
    let (waker, other) = (probe.waker(), probe.waker());
    tasks.enter(|| waker.wake());
    elsewhere(move || other.wake());
    turn(&tasks);
    turn(&tasks);
    assert_eq!(probe.polls(), 2);
}

#[test]
fn try_sleep_refuses_while_anything_is_queued() {
    let tasks = tasks();
    assert!(tasks.try_sleep());
    drop(tasks.spawn(None, async {}));
    assert!(!tasks.try_sleep());
    turn(&tasks);
    assert!(tasks.try_sleep());
}

// --- Wakers that outlive -----------------------------------------------------------------------------------------------

#[test]
fn stale_wakers_of_a_task_that_ended_wake_nobody() {
    let (tasks, probe) = (tasks(), Probe::default());
    drop(tasks.spawn(None, probe.clone()));
    turn(&tasks);
    let stale = probe.waker();
    probe.done.set(true);
    tasks.enter(|| stale.wake_by_ref());
    turn(&tasks);
    assert!(tasks.is_empty());

    let next = Probe::default();
    drop(tasks.spawn(None, next.clone())); // in the same place
    turn(&tasks);
    let other = stale.clone();
    elsewhere(move || other.wake());
    tasks.enter(|| stale.wake());
    turn(&tasks);
    assert_eq!((next.polls(), probe.polls()), (1, 2));
}

#[test]
fn wakers_outlive_their_tasks_on_any_thread() {
    let (tasks, probe) = (tasks(), Probe::default());
    drop(tasks.spawn(None, probe.clone()));
    turn(&tasks);
    let [woken, dropped, sent, dropped_elsewhere] = [(); 4].map(|()| probe.waker());
    drop(probe.waker.take());
    drop(tasks);
    woken.wake_by_ref();
    woken.wake();
    drop(dropped);
    elsewhere(move || {
        sent.wake_by_ref();
        sent.wake();
        drop(dropped_elsewhere);
    });
}

#[test]
fn last_waker_may_be_a_strangers_but_future_and_output_are_dropped_at_home() {
    let (tasks, probe) = (tasks(), Probe::default());
    let (future_part, future_drops) = Tracked::new();
    let (output_part, output_drops) = Tracked::new();
    let inner = probe.clone();
    let handle = tasks.spawn(None, async move {
        let _part = future_part;
        inner.await;
        output_part
    });
    turn(&tasks);
    let waker = probe.waker();
    probe.done.set(true);
    tasks.enter(|| waker.wake_by_ref());
    turn(&tasks);
    assert_eq!((future_drops.get(), output_drops.get()), (1, 0), "the output waits for the handle");
    drop(probe);
    drop(handle);
    assert_eq!((future_drops.get(), output_drops.get()), (1, 1));
    drop(tasks);
    elsewhere(move || drop(waker));
    assert_eq!((future_drops.get(), output_drops.get()), (1, 1));
}

#[test]
fn mail_for_a_former_tenant_of_the_mailbox_is_thrown_away() {
    let former = Probe::default();
    let first = tasks();
    drop(first.spawn(None, former.clone()));
    turn(&first);
    let stale = former.waker();
    let door = first.door();
    drop(first);

    // The same mailbox, unless another test was quicker, and the same key.
    let (second, probe) = (tasks(), Probe::default());
    drop(second.spawn(None, probe.clone()));
    turn(&second);
    elsewhere(move || {
        stale.wake();
        assert!(!door.is_open());
        assert!(door.post(|| unreachable!("nobody reads it")).is_err());
    });
    turn(&second);
    assert_eq!(probe.polls(), 1);
}

#[test]
fn two_engines_take_turns_on_one_thread() {
    let (first, second) = (tasks(), tasks());
    let (a, b) = (Probe::default(), Probe::default());
    drop(first.spawn(None, a.clone()));
    drop(second.spawn(None, b.clone()));
    turn(&first);
    turn(&second);
    first.enter(|| {
        second.enter(|| a.waker().wake()); // from inside of the other's, it is a stranger's
        b.waker().wake();
        a.waker().wake();
    });
    assert!(first.has_ready() && !second.has_ready());
    turn(&first);
    turn(&second);
    turn(&first);
    assert_eq!((a.polls(), b.polls()), (2, 2));
}

// --- Panics ----------------------------------------------------------------------------------------------------------

#[test]
fn panic_in_a_poll_is_the_handles_and_nobody_elses() {
    let tasks = tasks();
    let (part, drops) = Tracked::new();
    let mut handle = tasks.spawn(None, async move {
        let _part = part;
        panic_quietly("in the poll");
    });
    let mut other: JoinHandle<u8> = tasks.spawn(None, async { 1 });
    turn(&tasks);
    assert_eq!(error::<()>(&mut handle).panic_message(), Some("in the poll"));
    assert_eq!(output(&mut other).unwrap(), 1);
    assert_eq!(drops.get(), 1);
}

#[test]
fn panic_of_a_detached_task_is_dropped_with_it() {
    let tasks = tasks();
    drop(tasks.spawn(None, async { panic_quietly("for nobody") }));
    turn(&tasks);
    assert!(tasks.is_empty());
}

/// A future that is ready at once with an output, and does something when it is dropped.
struct DoneThen<T, F: FnMut()>(Option<T>, OnDrop<F>);

impl<T: Unpin, F: FnMut()> Future for DoneThen<T, F> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        // The pin is of no use to a future that borrows nothing from itself.
        let output = self.0.take();
        Poll::Ready(output.expect("polled once"))
    }
}

impl<T, F: FnMut()> Unpin for DoneThen<T, F> {}

#[test]
fn panic_while_the_future_is_dropped_takes_the_place_of_the_output() {
    let tasks = tasks();
    let (part, drops) = Tracked::new();
    let mut handle = tasks.spawn(None, DoneThen(Some(part), OnDrop(|| panic_quietly("in the drop"))));
    turn(&tasks);
    assert_eq!(error(&mut handle).panic_message(), Some("in the drop"));
    assert_eq!(drops.get(), 1, "the output that was there is dropped");
}

#[test]
fn panic_in_the_poll_and_in_the_drop_after_it_end_the_task_alone() {
    let tasks = tasks();
    let mut handle = tasks.spawn(None, {
        let guard = OnDrop(|| panic_quietly("in the drop"));
        let mut armed = Some(());
        poll_fn(move |_| -> Poll<()> {
            let _ = &guard;
            armed.take().map_or(Poll::Pending, |()| panic_quietly("in the poll"))
        })
    });
    turn(&tasks);
    assert_eq!(error(&mut handle).panic_message(), Some("in the drop"));
}

#[test]
fn panic_while_an_aborted_future_is_dropped_is_the_handles() {
    let tasks = tasks();
    let guard = OnDrop(|| panic_quietly("in the drop"));
    let mut handle = tasks.spawn(None, async move {
        let _guard = guard;
        pending::<()>().await;
    });
    turn(&tasks);
    handle.abort();
    turn(&tasks);
    assert!(error(&mut handle).is_panic());
}

#[test]
fn panic_while_the_output_of_a_detached_task_is_dropped_ends_there() {
    let tasks = tasks();
    drop(tasks.spawn(None, async { OnDrop(|| panic_quietly("in the drop of the output")) }));
    let mut other = tasks.spawn(None, async { "polled" });
    turn(&tasks);
    assert_eq!(output(&mut other).unwrap(), "polled");
}

#[test]
fn panic_while_an_output_is_dropped_that_nobody_took_ends_there() {
    let tasks = tasks();
    let handle = tasks.spawn(None, async { OnDrop(|| panic_quietly("in the drop of the output")) });
    turn(&tasks);
    drop(handle);
    assert!(tasks.is_empty());
}

#[test]
fn panic_while_an_output_is_dropped_that_was_taken_is_the_takers() {
    let tasks = tasks();
    let mut handle = tasks.spawn(None, async { OnDrop(|| panic_quietly("in the drop of the output")) });
    turn(&tasks);
    let taken = output(&mut handle);
    assert!(catch_unwind(AssertUnwindSafe(move || drop(taken))).is_err());
    assert!(tasks.is_empty());
}

#[test]
fn panics_of_the_future_and_of_the_output_dropped_for_it_end_the_task_alone() {
    let tasks = tasks();
    let output_part = OnDrop(|| panic_quietly("in the drop of the output"));
    let mut handle = tasks.spawn(None, DoneThen(Some(output_part), OnDrop(|| panic_quietly("in the drop"))));
    let mut other = tasks.spawn(None, async { "polled" });
    assert!(catch_unwind(AssertUnwindSafe(|| turn(&tasks))).is_ok(), "the batch goes on");
    assert!(handle.is_finished());
    assert!(error(&mut handle).is_panic());
    assert_eq!(output(&mut other).unwrap(), "polled");
}

#[test]
fn call_that_panics_does_not_take_the_letters_behind_it_along() {
    let (tasks, probe) = (tasks(), Probe::default());
    drop(tasks.spawn(None, probe.clone()));
    turn(&tasks);
    assert!(tasks.door().post(|| panic_quietly("in a call")).is_ok());
    let waker = probe.waker();
    elsewhere(move || waker.wake());
    // Whether the panic comes out is not the matter here.
    let _caught = catch_unwind(AssertUnwindSafe(|| turn(&tasks)));
    turn(&tasks);
    let waker = probe.waker();
    elsewhere(move || waker.wake());
    turn(&tasks);
    assert!(probe.polls() > 1, "a wake was lost, and all that follow");
}

// --- Abort -----------------------------------------------------------------------------------------------------------

#[test]
fn aborted_task_ends_in_the_next_batch_whether_idle_or_queued() {
    let tasks = tasks();
    let (part, drops) = Tracked::new();
    let mut queued = tasks.spawn(None, async move {
        let _part = part;
        unreachable!("it is not polled");
    });
    queued.abort();
    let mut idle = tasks.spawn(None, pending::<()>());
    assert_eq!(drops.get(), 0, "not before the batch");
    turn(&tasks);
    assert!(error::<()>(&mut queued).is_cancelled());
    assert_eq!(drops.get(), 1);
    idle.abort();
    idle.abort();
    assert!(join(&mut idle).is_pending() && tasks.has_ready());
    turn(&tasks);
    assert!(error(&mut idle).is_cancelled());
    assert!(tasks.is_empty() && !tasks.has_ready());
}

#[test]
fn task_that_aborts_itself_is_dropped_after_its_poll() {
    let (tasks, trace) = (tasks(), Trace::default());
    let own: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
    let (inner, noted) = (Rc::clone(&own), trace.clone());
    *own.borrow_mut() = Some(tasks.spawn(None, async move {
        let _guard = OnDrop(|| noted.note("dropped"));
        inner.borrow().as_ref().expect("it was put there").abort();
        noted.note("goes on to its next await");
        pending::<()>().await;
    }));
    turn(&tasks);
    assert_eq!(trace.take(), ["goes on to its next await", "dropped"]);
    let mut handle = own.take().unwrap();
    assert!(error(&mut handle).is_cancelled());
}

#[test]
fn task_that_aborts_itself_and_ends_in_the_same_poll_keeps_its_output() {
    let tasks = tasks();
    let own: Rc<RefCell<Option<JoinHandle<u8>>>> = Rc::default();
    let inner = Rc::clone(&own);
    *own.borrow_mut() = Some(tasks.spawn(None, async move {
        inner.borrow().as_ref().expect("it was put there").abort();
        7
    }));
    turn(&tasks);
    assert_eq!(output(&mut own.take().unwrap()).unwrap(), 7);
}

#[test]
fn abort_after_the_end_changes_nothing() {
    let tasks = tasks();
    let mut handle = tasks.spawn(None, async { 1 });
    turn(&tasks);
    handle.abort();
    turn(&tasks);
    assert_eq!(output(&mut handle).unwrap(), 1);
    handle.abort();
    assert!(handle.is_finished());
}

// --- Handles ---------------------------------------------------------------------------------------------------------

#[test]
fn dropped_handle_lets_the_task_run_on() {
    let (tasks, probe) = (tasks(), Probe::default());
    drop(tasks.spawn(None, probe.clone()));
    turn(&tasks);
    assert_eq!((probe.polls(), tasks.len()), (1, 1));
}

#[test]
fn task_may_drop_its_own_handle() {
    let tasks = tasks();
    let (part, drops) = Tracked::new();
    let own: Rc<RefCell<Option<JoinHandle<Tracked>>>> = Rc::default();
    let inner = Rc::clone(&own);
    *own.borrow_mut() = Some(tasks.spawn(None, async move {
        drop(inner.take());
        part
    }));
    turn(&tasks);
    assert_eq!((drops.get(), tasks.len()), (1, 0));
}

#[test]
fn future_that_holds_its_own_handle_is_dropped_on_abort() {
    let tasks = tasks();
    let (part, drops) = Tracked::new();
    let own: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
    let inner = Rc::clone(&own);
    let handle = tasks.spawn(None, async move {
        let _part = part;
        let own = inner.take().expect("it was put there");
        own.abort();
        let _awaits_itself = own.await;
    });
    *own.borrow_mut() = Some(handle);
    drop(own);
    turn(&tasks);
    assert_eq!((drops.get(), tasks.len()), (1, 0));
}

#[test]
fn joiner_is_woken_once_by_its_last_waker() {
    let tasks = tasks();
    let mut handle = tasks.spawn(None, async { 1 });
    let (former, latter) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
    assert!(join_with(&mut handle, &former.waker()).is_pending());
    assert!(join_with(&mut handle, &latter.waker()).is_pending());
    assert_eq!(Arc::strong_count(&former), 1, "a waker that was replaced is dropped");
    turn(&tasks);
    assert_eq!((former.count(), latter.count()), (0, 1));
    assert_eq!(output(&mut handle).unwrap(), 1);
}

#[test]
fn joiner_whose_handle_is_dropped_is_not_woken() {
    let tasks = tasks();
    let joiner = Arc::new(Wakes::default());
    let mut handle = tasks.spawn(None, async { 1 });
    assert!(join_with(&mut handle, &joiner.waker()).is_pending());
    drop(handle);
    assert_eq!(Arc::strong_count(&joiner), 1);
    turn(&tasks);
    assert_eq!(joiner.count(), 0);
}

#[test]
fn tasks_join_tasks() {
    let (tasks, trace) = (tasks(), Trace::default());
    let (inner, noted) = (Rc::clone(&tasks), trace.clone());
    let mut outer = tasks.spawn(None, async move {
        let theirs = noted.clone();
        let child = inner.spawn(None, async move {
            theirs.note("child");
            2
        });
        noted.note("parent waits");
        let sum = child.await.unwrap() + 1;
        noted.note("parent goes on");
        sum
    });
    turn(&tasks);
    assert_eq!(output(&mut outer).unwrap(), 3);
    assert_eq!(trace.take(), ["parent waits", "child", "parent goes on"]);
}

#[test]
fn handle_that_goes_to_another_task_wakes_that_one() {
    let (tasks, trace) = (tasks(), Trace::default());
    let gate = Rc::new(Cell::new(false));
    let opened = Rc::clone(&gate);
    let awaited = tasks.spawn(None, poll_fn(move |_| if opened.get() { Poll::Ready(7) } else { Poll::Pending }));
    let awaited_key = awaited.key();
    let shared = Rc::new(RefCell::new(awaited));
    let [mut first, mut second] = ["first", "second"].map(|name| {
        let (shared, noted) = (Rc::clone(&shared), trace.clone());
        tasks.spawn(
            None,
            poll_fn(move |cx| {
                noted.note(name);
                Pin::new(&mut *shared.borrow_mut()).poll(cx)
            }),
        )
    });
    turn(&tasks);
    assert_eq!(trace.take(), ["first", "second"]);
    gate.set(true);
    tasks.enter(|| tasks.wake(Waiter::Task(awaited_key)));
    turn(&tasks);
    assert_eq!(trace.take(), ["second"], "the last that has polled it");
    assert_eq!(output(&mut second).unwrap().unwrap(), 7);
    assert!(join(&mut first).is_pending());
    tasks.shut_down(); // what a task holds of the engine
}

#[test]
fn waker_of_its_own_that_a_task_polls_a_handle_with_is_the_one_that_is_woken() {
    let tasks = tasks();
    let (own, polls) = (Arc::new(Wakes::default()), Rc::new(Cell::new(0)));
    let awaited = Rc::new(RefCell::new(None::<JoinHandle<()>>));
    let (waker, counted, handle) = (own.waker(), Rc::clone(&polls), Rc::clone(&awaited));
    let _poller = tasks.spawn(
        None,
        poll_fn(move |_| -> Poll<()> {
            counted.set(counted.get() + 1);
            assert!(join_with(handle.borrow_mut().as_mut().unwrap(), &waker).is_pending());
            Poll::Pending
        }),
    );
    awaited.replace(Some(tasks.spawn(None, async {})));
    turn(&tasks);
    turn(&tasks);
    assert_eq!((own.count(), polls.get()), (1, 1));
    tasks.shut_down(); // what a task holds of the engine
}

#[test]
fn task_of_another_loop_that_joins_is_woken_there_whatever_was_polled_between() {
    for spawned in [false, true] {
        let (home, abroad) = (tasks(), tasks());
        let (turned, polls) = (Rc::clone(&abroad), Rc::new(Cell::new(0)));
        let counted = Rc::clone(&polls);
        let mut awaited = abroad.spawn(None, pending::<()>());
        turn(&abroad);
        let end = awaited.abort_handle();
        let aborted = spawned.then(|| {
            let handle = abroad.spawn(None, pending::<()>());
            handle.abort();
            handle
        });
        // It turns the other loop, which polls nobody, or drops a task that was aborted, and joins a task of that loop.
        let joins = home.spawn(
            None,
            poll_fn(move |cx| {
                counted.set(counted.get() + 1);
                turn(&turned);
                Pin::new(&mut awaited).poll(cx)
            }),
        );
        turn(&home);
        end.abort();
        turn(&abroad);
        turn(&home);
        assert_eq!((polls.get(), joins.is_finished()), (2, true), "{spawned}");
        drop(aborted);
    }
}

#[test]
fn task_that_ends_what_it_awaits_in_its_own_poll_is_polled_again() {
    let tasks = tasks();
    let mut awaited = tasks.spawn(None, pending::<()>());
    let polls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&polls);
    let joiner = tasks.spawn(
        None,
        poll_fn(move |cx| {
            counted.set(counted.get() + 1);
            match counted.get() {
                1 => cx.waker().wake_by_ref(),
                2 => {
                    assert!(Pin::new(&mut awaited).poll(cx).is_pending());
                    awaited.end_now();
                }
                _ => return Pin::new(&mut awaited).poll(cx),
            }
            Poll::Pending
        }),
    );
    turn(&tasks);
    turn(&tasks);
    assert_eq!(polls.get(), 3);
    assert!(joiner.is_finished());
}

#[test]
#[should_panic(expected = "a handle gives its output once")]
fn handle_polled_after_its_output_panics() {
    let tasks = tasks();
    let mut handle = tasks.spawn(None, async {});
    turn(&tasks);
    assert!(output(&mut handle).is_ok());
    let _ = join(&mut handle);
}

thread_local! {
    /// What foreign wakers do when they are woken or dropped.
    static CALLED_BACK: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
}

/// A waker that comes back into the engine.
struct ComesBack;

impl ComesBack {
    fn now() {
        if let Some(call) = CALLED_BACK.with(|call| call.borrow().clone()) {
            call();
        }
    }
}

impl Wake for ComesBack {
    fn wake(self: Arc<Self>) {
        ComesBack::now();
    }
}

impl Drop for ComesBack {
    fn drop(&mut self) {
        ComesBack::now();
    }
}

#[test]
fn joiners_waker_may_come_back_into_the_engine() {
    let (tasks, calls) = (tasks(), Rc::new(Cell::new(0)));
    let foreign = || Waker::from(Arc::new(ComesBack));
    let (inner, counted) = (Rc::clone(&tasks), Rc::clone(&calls));
    CALLED_BACK.set(Some(Rc::new(move || {
        counted.set(counted.get() + 1);
        let mut handle = inner.spawn(None, async {});
        handle.abort();
        assert!(join(&mut handle).is_pending());
        assert!(!inner.infos().is_empty());
    })));
    let mut handle = tasks.spawn(None, async {});
    assert!(join_with(&mut handle, &foreign()).is_pending());
    assert!(join_with(&mut handle, &foreign()).is_pending()); // drops the former
    turn(&tasks); // wakes the latter, and drops it
    assert!(output(&mut handle).is_ok());
    let mut handle = tasks.spawn(None, async {});
    assert!(join_with(&mut handle, &foreign()).is_pending());
    drop(handle); // drops it as well
    CALLED_BACK.set(None);
    assert_eq!(calls.get(), 4);
}

// --- Drops -----------------------------------------------------------------------------------------------------------

#[test]
fn future_and_output_are_dropped_exactly_once_whatever_becomes_of_them() {
    type Way = fn(&Rc<Tasks>, JoinHandle<Tracked>);
    let ways: [(&str, Way); 6] = [
        ("joined", |tasks, mut handle| {
            turn(tasks);
            drop(output(&mut handle));
        }),
        ("dropped after the end", |tasks, handle| {
            turn(tasks);
            drop(handle);
        }),
        ("dropped before the end", |tasks, handle| {
            drop(handle);
            turn(tasks);
        }),
        ("aborted", |tasks, handle| {
            handle.abort();
            turn(tasks);
        }),
        ("shut down", |tasks, _handle| tasks.shut_down()),
        ("engine dropped first", |_, handle| drop(handle)),
    ];
    for (way, go) in ways {
        let tasks = tasks();
        let (future_part, future_drops) = Tracked::new();
        let (output_part, output_drops) = Tracked::new();
        let handle = tasks.spawn(None, async move {
            let _part = future_part;
            output_part
        });
        go(&tasks, handle);
        drop(tasks);
        assert_eq!((future_drops.get(), output_drops.get()), (1, 1), "{way}");
    }
}

#[test]
fn future_is_dropped_when_its_task_ends_and_not_with_the_handle() {
    let (tasks, trace) = (tasks(), Trace::default());
    let (of_future, of_output) = (trace.clone(), trace.clone());
    let handle = tasks.spawn(None, async move {
        let _guard = OnDrop(move || of_future.note("future"));
        OnDrop(move || of_output.note("output"))
    });
    turn(&tasks);
    trace.note("batch over");
    drop(handle);
    assert_eq!(trace.take(), ["future", "batch over", "output"]);
}

// --- Shutting down ---------------------------------------------------------------------------------------------------

#[test]
fn shut_down_cancels_in_order_and_what_drops_spawn_goes_the_same_way() {
    let (tasks, trace) = (tasks(), Trace::default());
    let probe = Probe::default();
    let mut handles = Vec::new();
    for name in ["a", "b", "c"] {
        let (trace, weak, probe) = (trace.clone(), Rc::downgrade(&tasks), probe.clone());
        handles.push(tasks.spawn(None, async move {
            let _guard = OnDrop(move || {
                trace.note(name);
                let late = OnDrop({
                    let trace = trace.clone();
                    move || trace.note(format!("spawned by {name}"))
                });
                let tasks: Rc<Tasks> = Weak::upgrade(&weak).expect("it is shutting down, and still there");
                let mut handle = tasks.spawn(None, async move {
                    let _late = late;
                    unreachable!("it is not polled");
                });
                assert!(error::<()>(&mut handle).is_cancelled());
                probe.waker().wake();
            });
            pending::<()>().await;
        }));
    }
    handles.push(tasks.spawn(None, probe.clone()));
    turn(&tasks);
    tasks.enter(|| tasks.shut_down());
    assert_eq!(trace.take(), ["a", "spawned by a", "b", "spawned by b", "c", "spawned by c"]);
    for mut handle in handles {
        assert!(error(&mut handle).is_cancelled());
    }
    assert!(tasks.is_empty());
    assert_eq!(tasks.referenced(), 0);
}

#[test]
fn shut_down_lets_drops_drop_the_handles_of_others() {
    let tasks = tasks();
    let handles: Rc<RefCell<Vec<JoinHandle<()>>>> = Rc::default();
    let (part, drops) = Tracked::new();
    for part in [None, Some(part)] {
        let theirs = Rc::clone(&handles);
        let handle = tasks.spawn(None, async move {
            let _part = part;
            let _guard = OnDrop(move || drop(theirs.take()));
            pending::<()>().await;
        });
        handles.borrow_mut().push(handle);
    }
    turn(&tasks);
    tasks.shut_down();
    assert_eq!((drops.get(), tasks.len()), (1, 0));
}

#[test]
fn spawn_after_shut_down_drops_the_future_at_once() {
    let tasks = tasks();
    tasks.shut_down();
    tasks.shut_down();
    let (part, drops) = Tracked::new();
    let mut handle = tasks.spawn(None, async move { part });
    assert_eq!(drops.get(), 1);
    assert!(error(&mut handle).is_cancelled());
    turn(&tasks);
    assert!(tasks.is_empty());
}

#[test]
fn shut_down_from_inside_a_task_ends_that_task_too() {
    let tasks = tasks();
    let (part, drops) = Tracked::new();
    let inner = Rc::clone(&tasks);
    let mut handle = tasks.spawn(None, async move {
        let _part = part;
        inner.shut_down();
        pending::<()>().await;
    });
    turn(&tasks);
    assert!(handle.is_finished());
    assert!(error(&mut handle).is_cancelled());
    assert_eq!(drops.get(), 1);
}

#[test]
fn engine_dropped_with_its_last_handle_drops_its_tasks() {
    let (part, drops) = Tracked::new();
    let tasks = tasks();
    let handle = tasks.spawn(None, async move {
        let _part = part;
        pending::<()>().await;
    });
    drop(tasks);
    assert_eq!(drops.get(), 0, "the handle holds it");
    drop(handle);
    assert_eq!(drops.get(), 1);
}

#[test]
fn posted_calls_are_made_in_order_with_the_wakes() {
    let (tasks, probe) = (tasks(), Probe::default());
    drop(tasks.spawn(None, probe.clone()));
    turn(&tasks);
    let calls = Arc::new(AtomicUsize::new(0));
    for n in 0..3 {
        let (door, calls) = (tasks.door(), Arc::clone(&calls));
        elsewhere(move || {
            let call = move || assert_eq!(calls.fetch_add(1, SeqCst), n);
            assert!(door.post(call).is_ok());
        });
    }
    assert_eq!(calls.load(SeqCst), 0);
    tasks.enter(|| tasks.collect_mail());
    assert_eq!(calls.load(SeqCst), 3);
}

#[test]
fn call_that_is_never_made_is_dropped_with_the_engine() {
    let tasks = tasks();
    let kept = Arc::new(());
    let theirs = Arc::clone(&kept);
    assert!(tasks.door().post(move || drop(theirs)).is_ok());
    drop(tasks);
    assert_eq!(Arc::strong_count(&kept), 1);
}

// --- What is known of a task -----------------------------------------------------------------------------------------

#[test]
fn info_tells_name_place_parent_and_what_it_waits_for() {
    let tasks = tasks();
    let inner = Rc::clone(&tasks);
    let child: Rc<Cell<Key>> = Rc::new(Cell::new(Key::NONE));
    let told = Rc::clone(&child);
    let future = async move {
        let leaf = poll_fn(|_| {
            waits_for(Wait::Timer(Key::NONE));
            Poll::<()>::Pending
        });
        let handle = inner.spawn(None, leaf);
        told.set(handle.key());
        handle.await.unwrap();
    };
    let (here, parent) = (Location::caller(), tasks.spawn(Some("parent"), future));
    let info = tasks.info(parent.key()).unwrap();
    assert_eq!(info.name.as_deref(), Some("parent"));
    assert_eq!((info.spawned_at.file(), info.spawned_at.line()), (here.file(), here.line()));
    assert_eq!((info.parent, info.waits_for, info.woken_by), (Key::NONE, None, Cause::Spawn));

    turn(&tasks);
    let child = child.get();
    assert_eq!(tasks.info(parent.key()).unwrap().waits_for, Some(Wait::Task(child)));
    let info = tasks.info(child).unwrap();
    assert_eq!(info.name, None);
    assert_eq!((info.parent, info.waits_for), (parent.key(), Some(Wait::Timer(Key::NONE))));
    assert_eq!(tasks.infos().iter().map(|(key, _)| *key).collect::<Vec<_>>(), [parent.key(), child]);
    tasks.shut_down(); // the parent holds the engine by its child's handle
}

#[test]
fn info_tells_who_woke_the_task() {
    let (tasks, probe) = (tasks(), Probe::default());
    let handle = tasks.spawn(None, probe.clone());
    let woken_by = || tasks.info(handle.key()).unwrap().woken_by;
    turn(&tasks);
    assert_eq!(woken_by(), Cause::Spawn);
    tasks.enter(|| probe.waker().wake());
    turn(&tasks);
    assert_eq!(woken_by(), Cause::Outside);
    let waker = probe.waker();
    elsewhere(move || waker.wake());
    turn(&tasks);
    assert_eq!(woken_by(), Cause::Mail);
    let waker = probe.waker();
    let waking = tasks.spawn(None, async move { waker.wake() });
    turn(&tasks);
    assert_eq!(woken_by(), Cause::Task(waking.key()));
}

#[test]
fn who_joins_is_woken_by_the_task_that_ended() {
    let tasks = tasks();
    let probe = Probe::default();
    let child = tasks.spawn(None, probe.clone());
    let key = child.key();
    let parent = tasks.spawn(None, async move {
        child.await.unwrap();
        pending::<()>().await;
    });
    turn(&tasks);
    probe.done.set(true);
    tasks.enter(|| probe.waker().wake());
    turn(&tasks);
    assert_eq!(tasks.info(parent.key()).unwrap().woken_by, Cause::Task(key));
}

#[test]
fn info_of_a_task_that_ended_is_gone_with_its_handle() {
    let tasks = tasks();
    let handle = tasks.spawn(Some("short"), ready(()));
    let key = handle.key();
    turn(&tasks);
    assert!(tasks.info(key).is_some(), "until the handle is awaited or dropped");
    assert!(tasks.infos().is_empty(), "though it has ended");
    drop(handle);
    assert!(tasks.info(key).is_none());
}

#[test]
fn referenced_counts_live_tasks_that_count() {
    let tasks = tasks();
    let handles: Vec<_> = (0..3).map(|_| tasks.spawn(None, pending::<()>())).collect();
    assert_eq!(tasks.referenced(), 3);
    handles[0].set_referenced(false);
    handles[0].set_referenced(false);
    assert_eq!(tasks.referenced(), 2);
    handles[0].abort();
    handles[1].abort();
    turn(&tasks);
    assert_eq!(tasks.referenced(), 1);
    handles[1].set_referenced(true);
    assert_eq!(tasks.referenced(), 1, "it has ended");
    handles[2].set_referenced(false);
    handles[2].set_referenced(true);
    assert_eq!(tasks.referenced(), 1);
    drop(handles);
    assert_eq!(tasks.referenced(), 1, "the last one runs on");
}

#[test]
fn batch_that_is_run_inside_of_a_poll_does_not_lengthen_the_one_around_it() {
    for seed in [None, Some(1)] {
        let board = Arc::new(Board::new(None));
        let tasks = Tasks::observed(Waker::noop().clone(), Observers::none(), board, seed.map(Chance::new));
        let polls = Rc::new(Cell::new(0));
        let (inner, counted) = (Rc::clone(&tasks), Rc::clone(&polls));
        let endless = tasks.spawn(
            None,
            poll_fn(move |cx| {
                counted.set(counted.get() + 1);
                assert!(counted.get() <= 1_000, "the batch has no end");
                inner.run_batch();
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            }),
        );
        turn(&tasks);
        assert_eq!(polls.get(), 128, "as many as without");
        drop(endless);
        tasks.shut_down();
    }
}
