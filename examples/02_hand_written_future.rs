//! A future and a waker by hand: what `poll`, `Pending` and `wake` mean.
//!
//! Run it with `cargo run --release --example 02_hand_written_future`. It ends by itself. To be seen:
//!
//! - Without any loop: a future does nothing until somebody polls it; `Pending` is an answer, not a wait; and whoever
//!   wants to know when to ask again hands in a waker.
//! - In the loop: a task is polled once, sleeps without costing anything while others run, and is polled again
//!   because it was woken. While it sleeps, the loop can tell what it waits for: its leaf left a note.
//!
//! After this, `runtime/src/sync/notify.rs` reads as the same idea with a line of waiters, and
//! `runtime/src/task/address.rs` shows the waker that a task really has.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use evloop::engine::trace::{Wait, waits_for};
use evloop::{Mode, Runtime};
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// A lamp that is lit once, and those who wait for it; one, here.
///
/// Tasks never leave their thread, so cells will do: no lock, no atomic.
#[derive(Default)]
struct Lamp {
    lit: Cell<bool>,
    waiter: RefCell<Option<Waker>>,
}

impl Lamp {
    /// The event. It does not run who waits, it only says that polling is worth while now.
    fn light(&self) {
        self.lit.set(true);
        // Taken first, woken second: the borrow has ended when foreign code runs.
        let waiter = self.waiter.take();
        if let Some(waker) = waiter {
            waker.wake();
        }
    }

    fn lit(self: &Rc<Self>) -> Lit {
        Lit { lamp: Rc::clone(self), polls: 0 }
    }
}

/// The future of the light: a leaf, for it waits by itself and not for another future.
struct Lit {
    lamp: Rc<Lamp>,
    polls: u32,
}

impl Future for Lit {
    type Output = u32;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        self.polls += 1;
        if self.lamp.lit.get() {
            return Poll::Ready(self.polls);
        }
        // The contract of `Pending`: the waker of this poll is kept where the event will find it. Forget this line, and
        // the task sleeps for ever. The newest replaces the older: the future may have moved to another task meanwhile.
        self.lamp.waiter.replace(Some(cx.waker().clone()));
        // A courtesy of this loop's leaves: a dump of all tasks can tell what this one waits for.
        waits_for(Wait::Notify(Location::caller()));
        Poll::Pending
    }
}

/// A waker may do whatever tells its owner to poll again. This one counts; a task's puts the task into the run queue; a
/// thread's unparks the thread.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn without_a_loop() {
    println!("without a loop: we are the one who polls");
    let lamp = Rc::new(Lamp::default());
    let mut future = lamp.lit();
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(Arc::clone(&counter));
    let mut cx = Context::from_waker(&waker);

    println!("  first poll:    {:?}", Pin::new(&mut future).poll(&mut cx));
    // To ask without having been told is allowed, and useless. A future must stand it, for `join` and `race` do it.
    println!("  poll in vain:  {:?}", Pin::new(&mut future).poll(&mut cx));
    println!("  wakes so far:  {}", counter.0.load(Ordering::Relaxed));
    lamp.light();
    println!("  wakes, lit:    {}", counter.0.load(Ordering::Relaxed));
    println!("  third poll:    {:?}", Pin::new(&mut future).poll(&mut cx));
}

fn in_the_loop() -> evloop::Result<()> {
    println!("in the loop: a task polls, when it is woken");
    let runtime = Runtime::new()?;
    let lamp = Rc::new(Lamp::default());
    let light = lamp.lit();
    let reader = runtime.enter(|| {
        evloop::task::Builder::new().name("reader").spawn(async move {
            println!("  reader: it is dark");
            let polls = light.await; // `await` is: poll; if pending, so am I; else go on
            println!("  reader: light, after {polls} polls");
        })
    });

    // One turn by hand. The task is polled, its leaf is not ready, and that ends the turn.
    runtime.run(Mode::NoWait)?;
    for (_, task) in runtime.tasks().infos() {
        println!("  (task {:?} waits for {:?})", task.name.as_deref().unwrap_or("?"), task.waits_for);
    }
    // Nobody woke it, so these turns pass it by.
    runtime.run(Mode::NoWait)?;
    runtime.run(Mode::NoWait)?;
    // An event, on this thread or from a socket or a timer: always the same call.
    println!("  (the lamp is lit)");
    lamp.light();
    while runtime.run(Mode::NoWait)? {}
    assert!(reader.is_finished());
    Ok(())
}

fn main() -> evloop::Result<()> {
    without_a_loop();
    in_the_loop()
}
