//! What the tests of this folder are made of.

use crate::arena::Key;
use crate::trace;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

/// What happened, in order.
#[derive(Clone, Default)]
pub(super) struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    pub(super) fn note(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    pub(super) fn take(&self) -> Vec<String> {
        self.0.take()
    }

    /// Leaves a note when it is dropped.
    pub(super) fn on_drop(&self, what: impl Into<String>) -> Noted {
        Noted(self.clone(), what.into())
    }

    /// A future that is ready in its n-th poll, with `output`; each poll and the drop leave a note.
    pub(super) fn part<T: Clone>(&self, name: &str, polls: usize, output: T) -> impl Future<Output = T> + use<T> {
        let (trace, name, mut polled) = (self.clone(), name.to_owned(), 0);
        let dropped = self.on_drop(format!("{name} dropped"));
        poll_fn(move |cx| {
            let _ = &dropped;
            polled += 1;
            trace.note(format!("{name} {polled}"));
            if polled == polls {
                return Poll::Ready(output.clone());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }
}

/// Leaves a note when it is dropped.
pub(super) struct Noted(Trace, String);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.note(&*self.1);
    }
}

/// A task in name only: it counts its wakes.
#[derive(Default)]
pub(super) struct Task(Arc<Wakes>);

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

impl Task {
    pub(super) fn poll<F: Future + ?Sized>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        trace::begin_poll(Key::NONE);
        let polled = future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(&self.0))));
        trace::end_poll();
        polled
    }

    pub(super) fn wakes(&self) -> usize {
        self.0.0.load(Relaxed)
    }

    /// How many wakers of this task are kept somewhere.
    pub(super) fn wakers_kept(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// A future that is ready when its gate was opened, and the gate.
#[derive(Clone, Default)]
pub(super) struct Gate(Rc<GateState>);

#[derive(Default)]
struct GateState {
    open: Cell<bool>,
    polls: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

impl Gate {
    pub(super) fn open(&self) {
        self.0.open.set(true);
        self.wake();
    }

    pub(super) fn wake(&self) {
        let waker = self.waker();
        waker.wake();
    }

    pub(super) fn waker(&self) -> Waker {
        self.0.waker.borrow().clone().expect("it was polled")
    }

    pub(super) fn polls(&self) -> usize {
        self.0.polls.get()
    }
}

impl Future for Gate {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.polls.set(self.0.polls.get() + 1);
        self.0.waker.replace(Some(cx.waker().clone()));
        if self.0.open.get() { Poll::Ready(()) } else { Poll::Pending }
    }
}
