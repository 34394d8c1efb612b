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

/// Below it, everything goes on.
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

#[cfg(test)]
mod tests {
    use super::*;
    use evloop_runtime::future::{race, yield_now};
    use evloop_runtime::{Runtime, spawn};
    use std::cell::RefCell;
    use std::rc::Rc;

    const IDLE: Duration = Duration::from_secs(1);

    fn manual() -> Runtime {
        Runtime::builder().manual_clock().build().unwrap()
    }

    #[test]
    fn stop_only_rises_and_the_first_of_its_kind_counts() {
        let orders = Orders::default();
        assert!(orders.send(Order::Drain { idle: IDLE }));
        assert!(!orders.send(Order::Drain { idle: Duration::ZERO }));
        assert_eq!(orders.idle(), IDLE);
        assert!(orders.send(Order::Quit));
        assert!(!orders.send(Order::Quit) && !orders.send(Order::Drain { idle: IDLE }));
    }

    #[test]
    fn loop_that_comes_late_hears_what_was_told_before() {
        let orders = Orders::default();
        orders.send(Order::Quit);
        manual().block_on(async {
            orders.stopped().await;
            orders.quit().await;
        });
    }

    #[test]
    fn who_waits_for_the_end_is_not_woken_for_good_by_what_comes_before() {
        let (orders, told) = (Orders::default(), Rc::new(RefCell::new(Vec::new())));
        manual().block_on(async {
            for (name, quits) in [("drain", false), ("quit", true)] {
                let (orders, told) = (orders.clone(), Rc::clone(&told));
                drop(spawn(async move {
                    if quits {
                        orders.quit().await;
                    } else {
                        orders.stopped().await;
                    }
                    told.borrow_mut().push(name);
                }));
            }
            yield_now().await;
            orders.send(Order::Drain { idle: IDLE });
            yield_now().await;
            yield_now().await;
            assert_eq!(*told.borrow(), ["drain"]);
            orders.send(Order::Quit);
            yield_now().await;
            yield_now().await;
            assert_eq!(*told.borrow(), ["drain", "quit"]);
        });
    }

    #[test]
    fn loop_that_sleeps_is_woken_from_another_thread() {
        let orders = Orders::default();
        let remote = orders.clone();
        let teller = std::thread::spawn(move || remote.send(Order::Drain { idle: IDLE }));
        Runtime::new().unwrap().block_on(orders.stopped());
        assert!(teller.join().unwrap());
    }

    #[test]
    fn sockets_are_adopted_once() {
        let orders = Orders::default();
        let socket = || Socket::Tcp(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        orders.send(Order::Adopt(vec![socket()]));
        orders.send(Order::Adopt(vec![socket(), socket()]));
        manual().block_on(async {
            assert_eq!(std::future::poll_fn(|cx| orders.poll_adopted(cx)).await.len(), 3);
            let none_left = race(std::future::poll_fn(|cx| orders.poll_adopted(cx)), yield_now()).await;
            assert!(matches!(none_left, evloop_runtime::future::Either::Right(())));
        });
    }

    #[test]
    fn line_of_those_who_wait_does_not_grow_with_their_polls() {
        let orders = Orders::default();
        manual().block_on(async {
            for _ in 0..100 {
                race(orders.stopped(), yield_now()).await.into_inner();
            }
        });
        assert_eq!(orders.lock().waiting.len(), 1);
    }
}
