//! The engine by itself, turned by hand: no loop, no kernel, no clock.
//!
//! Each file is for a room of the code under test: `batch` for the order of polls and the end of a batch; `wakes` for
//! wakes and for wakers that outlive their tasks; `mailbox` for the bell and for what comes by a door; `stage` for
//! panics and drops of futures and outputs; `abort` for tasks that are aborted; `joins` for handles and who awaits
//! them; `task` for what is known of one; `observed` for those who look on; `shut_down` for the end of all of them. The
//! rooms `address`, `home`, `mailbox`, `posted`, `ready`, `shelf` and `task_ref` have tests beside their code as well, and
//! `root` is tested with the loop around it, in `tests/turn_order.rs`.

mod abort;
mod batch;
mod joins;
mod mailbox;
mod observed;
mod shut_down;
mod stage;
mod task;
mod wakes;

use super::{JoinError, JoinHandle, Tasks};
use crate::board::Board;
use crate::clock::Clock;
use crate::observer::{Observer, Observers};
use std::cell::{Cell, RefCell};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};

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

fn tasks_observed_by(observer: Rc<dyn Observer>) -> Rc<Tasks> {
    let observers = Observers::none();
    observers.add(observer, &Rc::new(Clock::manual()), None);
    Tasks::observed(Waker::noop().clone(), observers, Arc::new(Board::new(None)), None).expect("few loops live")
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
