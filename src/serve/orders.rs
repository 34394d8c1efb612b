//! What the loops of a process are told, from whichever thread.
//!
//! A stop is a level and not an event: it only ever rises (serve, drain, quit), it is kept for a loop that is not up yet, and
//! all loops see it. So nobody has to know who hears it already. The level is looked at without the lock, which is for those
//! who wait: they are in line before they look, and who raises the level does so before it wakes the line.

use super::sockets::Socket;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What loops can be told.
#[derive(Debug)]
pub(super) enum Order {
    /// All: take no more connections, and end when the requests that have begun are answered. A connection that idles is
    /// kept for so long, for one more request.
    Drain { idle: Duration },
    /// All: end at once.
    Quit,
    /// The first: accept from these sockets as well.
    Adopt(Vec<Socket>),
}

/// The way to the loops. Clones lead to the same.
#[derive(Clone, Default)]
pub(super) struct Orders {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Invariant: it changes under the lock, and never falls.
    level: AtomicU8,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// For how long the idle are kept, once there is a stop.
    idle: Duration,
    adopted: Vec<Socket>,
    /// Who has ever waited: a task or two of each loop. They stay in line, for each may wait for more than comes next.
    waiting: Vec<Waker>,
}

/// Everything goes on.
const SERVE: u8 = 0;
const DRAIN: u8 = 1;
const QUIT: u8 = 2;

impl Orders {
    /// Tells the loops, and gives whether that is news to them: a stop that follows one of its kind changes nothing.
    pub(super) fn send(&self, order: Order) -> bool {
        let mut state = self.lock();
        let new = match order {
            Order::Drain { idle } => self.raise(&mut state, DRAIN, idle),
            Order::Quit => self.raise(&mut state, QUIT, Duration::ZERO),
            Order::Adopt(sockets) => {
                state.adopted.extend(sockets);
                true
            }
        };
        let waiting = state.waiting.clone();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        new
    }

    fn raise(&self, state: &mut State, level: u8, idle: Duration) -> bool {
        let rises = self.shared.level.load(Acquire) < level;
        if rises {
            state.idle = idle;
            self.shared.level.store(level, Release);
        }
        rises
    }

    /// Whether they were told to stop.
    pub(super) fn is_stopping(&self) -> bool {
        self.shared.level.load(Acquire) > SERVE
    }

    /// Waits until they are told to stop, in whichever way.
    pub(super) fn stopped(&self) -> Heard<'_> {
        Heard { orders: self, level: DRAIN, waker: None }
    }

    /// Waits until they are told to end at once.
    pub(super) fn quit(&self) -> Heard<'_> {
        Heard { orders: self, level: QUIT, waker: None }
    }

    /// For how long those that idle are kept, once there is a stop.
    pub(super) fn idle(&self) -> Duration {
        self.lock().idle
    }

    /// Polls for sockets to adopt.
    pub(super) fn poll_adopted(&self, cx: &mut Context<'_>) -> Poll<Vec<Socket>> {
        self.stand(cx);
        let adopted = std::mem::take(&mut self.lock().adopted);
        if adopted.is_empty() { Poll::Pending } else { Poll::Ready(adopted) }
    }

    /// Puts the task in line, if it is not.
    fn stand(&self, cx: &Context<'_>) {
        let waker = cx.waker().clone();
        let mut state = self.lock();
        if !state.waiting.iter().any(|waiting| waiting.will_wake(&waker)) {
            state.waiting.push(waker);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Orders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orders").field("level", &self.shared.level).finish_non_exhaustive()
    }
}

/// A stop to come; see [`Orders::stopped`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub(super) struct Heard<'a> {
    orders: &'a Orders,
    level: u8,
    /// In line since it was polled by this.
    waker: Option<Waker>,
}

impl Future for Heard<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            self.orders.stand(cx);
            self.waker = Some(cx.waker().clone());
        }
        if self.orders.shared.level.load(Acquire) < self.level { Poll::Pending } else { Poll::Ready(()) }
    }
}
