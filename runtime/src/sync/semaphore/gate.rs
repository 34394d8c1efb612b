//! Permits, and the line of those who wait for them: what the semaphore, the locks and the once cell stand on.
//!
//! Who finds enough permits and nobody in line takes them. Everybody else stands in line and says how many it wants.
//! Permits that come back are *granted* from the first in line on, for as long as they suffice: a waiter that is granted
//! leaves the line, owns what it wanted, and is woken to learn it. Nobody overtakes, so one that wants many is not
//! starved by those who want few. A future that is dropped leaves the line, or gives back what it was granted.

use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::mem;
use std::ops::Deref;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use super::{AcquireError, TryAcquireError};
use crate::arena::{Key, Queue};
use crate::holders::{Holder, Holders, Seat, Waited};
use crate::sync::renew;
use crate::trace::{self, Place, Wait};

pub(in crate::sync) struct Gate {
    state: RefCell<State>,
    kind: Kind,
    /// As its kind [says](Kind::alone_with), so that it is one comparison.
    alone_with: usize,
    made_at: Place,
    /// Who has permits, until somebody waits for them.
    holders: Holders,
    /// Who has them from then on, where a dump finds it.
    waited: OnceCell<Rc<Waited>>,
}

/// What has the gate, for who asks what its waiters wait for.
#[derive(Debug, Clone, Copy)]
pub(in crate::sync) enum Kind {
    Semaphore,
    /// With so many permits, all of which a writer takes; one for a mutex.
    Lock(usize),
    OnceCell,
}

impl Kind {
    /// Who has so many permits is alone: more than there are, where nobody is.
    const fn alone_with(self) -> usize {
        match self {
            Kind::Semaphore => usize::MAX,
            Kind::Lock(all) => all,
            Kind::OnceCell => 1,
        }
    }
}

struct State {
    /// Those that nobody has, and nobody was granted.
    permits: usize,
    /// Invariant: a waiter that did not leave by itself and stands here no more was granted what it wanted.
    line: Queue<Waiter>,
    /// Invariant: once it is set, nobody is granted anything, and nobody new stands in line.
    closed: bool,
}

struct Waiter {
    wanted: usize,
    /// Taken when the gate closes; the waiter stands here until it has learnt that.
    waker: Option<Waker>,
}

impl State {
    /// Whether somebody new may take so many.
    #[inline]
    fn admits(&self, wanted: usize) -> bool {
        self.line.is_empty() && wanted <= self.permits
    }
}

impl Gate {
    #[track_caller]
    pub(in crate::sync) const fn new(permits: usize, kind: Kind) -> Gate {
        Gate {
            state: RefCell::new(State { permits, line: Queue::new(), closed: false }),
            kind,
            alone_with: kind.alone_with(),
            made_at: Location::caller(),
            holders: Holders::new(),
            waited: OnceCell::new(),
        }
    }

    #[inline]
    fn holders(&self) -> &Holders {
        self.waited.get().map_or(&self.holders, |waited| waited.holders())
    }

    /// What one is told to wait for that wants so many.
    fn wait(&self, wanted: usize) -> Wait {
        let id = self.waited.get_or_init(|| Waited::new(self.holders.take())).id();
        match self.kind {
            Kind::Semaphore => Wait::Semaphore(self.made_at, id),
            Kind::Lock(all) if wanted == all => Wait::Lock(self.made_at, id),
            Kind::Lock(_) => Wait::ReadLock(self.made_at, id),
            Kind::OnceCell => Wait::OnceCell(self.made_at, id),
        }
    }

    /// How many permits are free.
    pub(in crate::sync) fn permits(&self) -> usize {
        self.state.borrow().permits
    }

    pub(in crate::sync) fn is_closed(&self) -> bool {
        self.state.borrow().closed
    }

    #[inline]
    fn try_take(&self, wanted: usize) -> Result<(), TryAcquireError> {
        let mut state = self.state.borrow_mut();
        if state.closed {
            return Err(TryAcquireError::Closed);
        }
        if !state.admits(wanted) {
            return Err(TryAcquireError::NoPermits);
        }
        state.permits -= wanted;
        Ok(())
    }

    #[inline]
    fn poll_take(
        &self,
        wanted: usize,
        place: &mut Option<Key>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), AcquireError>> {
        let mut state = self.state.borrow_mut();
        if place.is_some() || state.closed || !state.admits(wanted) {
            drop(state);
            return self.poll_in_line(wanted, place, cx);
        }
        if !trace::take_budget() {
            drop(state);
            trace::next_turn(cx);
            return Poll::Pending;
        }
        state.permits -= wanted;
        Poll::Ready(Ok(()))
    }

    /// As [`poll_take`](Gate::poll_take), for who cannot have it at once.
    #[inline(never)]
    fn poll_in_line(
        &self,
        wanted: usize,
        place: &mut Option<Key>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), AcquireError>> {
        if !self.is_due(wanted, *place) {
            self.stand(wanted, place, cx);
            trace::waits_for(self.wait(wanted));
            return Poll::Pending;
        }
        ready!(trace::poll_budget(cx));
        Poll::Ready(self.settle(wanted, place.take()))
    }

    /// Whether one that stands there, or has not come yet, need not wait.
    fn is_due(&self, wanted: usize, place: Option<Key>) -> bool {
        let state = self.state.borrow();
        state.closed || place.map_or_else(|| state.admits(wanted), |key| !state.line.contains(key))
    }

    fn stand(&self, wanted: usize, place: &mut Option<Key>, cx: &Context<'_>) {
        let mut state = self.state.borrow_mut();
        let old = if let Some(Waiter { waker: Some(waker), .. }) = place.and_then(|key| state.line.get_mut(key)) {
            renew(waker, cx)
        } else {
            *place = Some(state.line.push_back(Waiter { wanted, waker: Some(cx.waker().clone()) }));
            None
        };
        drop(state);
        drop(old);
    }

    /// What one that is due learns.
    fn settle(&self, wanted: usize, place: Option<Key>) -> Result<(), AcquireError> {
        let mut state = self.state.borrow_mut();
        match place {
            Some(key) if state.line.remove(key).is_none() => {
                self.holders().settle();
                Ok(()) // granted before, even if it is closed now
            }
            _ if state.closed => Err(AcquireError(())),
            _ => {
                state.permits -= wanted;
                Ok(())
            }
        }
    }

    /// One that stands there, or was granted what it wanted, goes away.
    fn leave(&self, wanted: usize, place: Key) {
        let own = self.state.borrow_mut().line.remove(place);
        match own {
            None => {
                self.holders().settle();
                self.give(wanted);
            }
            Some(waiter) => {
                drop(waiter);
                self.grant(); // who stood behind may want less
            }
        }
    }

    /// Permits come, or come back.
    #[inline]
    pub(in crate::sync) fn give(&self, permits: usize) {
        let mut state = self.state.borrow_mut();
        state.permits = state.permits.checked_add(permits).expect("a semaphore has fewer permits than a usize counts");
        let anybody_waits = !state.line.is_empty();
        drop(state);
        if anybody_waits {
            self.grant();
        }
    }

    /// Grants, from the first on, what is there. Each is woken before the next is looked at, and may come back in.
    #[inline(never)]
    fn grant(&self) {
        while let Some(waker) = self.grant_first() {
            waker.wake();
        }
    }

    fn grant_first(&self) -> Option<Waker> {
        let mut state = self.state.borrow_mut();
        let wanted = state.line.front()?.wanted;
        if state.closed || wanted > state.permits {
            return None;
        }
        state.permits -= wanted;
        self.holders().promise();
        state.line.pop_front()?.waker
    }

    /// Takes away up to so many of the free permits, and tells how many.
    pub(in crate::sync) fn forget(&self, permits: usize) -> usize {
        let mut state = self.state.borrow_mut();
        let gone = permits.min(state.permits);
        state.permits -= gone;
        gone
    }

    /// Refuses those who wait, and all who come.
    pub(in crate::sync) fn close(&self) {
        let mut wakers = Vec::new();
        let mut state = self.state.borrow_mut();
        state.closed = true;
        state.line.for_each_mut(|waiter| wakers.extend(waiter.waker.take()));
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.borrow();
        let (permits, waiting, closed) = (state.permits, state.line.len(), state.closed);
        drop(state); // where the formatter writes is foreign code
        f.debug_struct("Gate")
            .field("permits", &permits)
            .field("waiting", &waiting)
            .field("closed", &closed)
            .finish_non_exhaustive()
    }
}

/// What has a gate: the semaphore, and the locks.
pub(in crate::sync) trait Gated {
    fn gate(&self) -> &Gate;
}

/// The future of permits. `G` is a reference, or an `Rc`, to what has the gate.
#[derive(Debug)]
pub(in crate::sync) struct Turn<G: Deref<Target: Gated>> {
    /// `None` after the end.
    gated: Option<G>,
    wanted: usize,
    /// Where it stands, or stood, in line. Invariant: `None` after the end.
    place: Option<Key>,
}

impl<G: Deref<Target: Gated>> Turn<G> {
    pub(in crate::sync) fn new(gated: G, wanted: usize) -> Turn<G> {
        Turn { gated: Some(gated), wanted, place: None }
    }
}

/// Nothing in it is pinned.
impl<G: Deref<Target: Gated>> Unpin for Turn<G> {}

impl<G: Deref<Target: Gated>> Future for Turn<G> {
    type Output = Result<Granted<G>, AcquireError>;

    /// # Panics
    /// When it is polled again after it was ready.
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let gated = this.gated.as_ref().expect("who waits for a permit or a lock is not polled after it was ready");
        let outcome = ready!(gated.gate().poll_take(this.wanted, &mut this.place, cx));
        let gated = this.gated.take().expect("it was here just now");
        Poll::Ready(outcome.map(|()| Granted::new(gated, this.wanted)))
    }
}

impl<G: Deref<Target: Gated>> Drop for Turn<G> {
    #[inline]
    fn drop(&mut self) {
        if let (Some(gated), Some(place)) = (&self.gated, self.place) {
            gated.gate().leave(self.wanted, place);
        }
    }
}

/// Permits that are held, and come back when this is dropped.
#[derive(Debug)]
pub(in crate::sync) struct Granted<G: Deref<Target: Gated>> {
    gated: G,
    permits: usize,
    /// Where its holder is noted.
    seat: Seat,
}

impl<G: Deref<Target: Gated>> Granted<G> {
    /// For the task that is being polled now, which has taken them.
    #[inline]
    fn new(gated: G, permits: usize) -> Granted<G> {
        let gate = gated.gate();
        let (who, home) = trace::cause_and_home();
        let holder = Holder {
            who,
            home,
            alone: permits == gate.alone_with,
            // What keeps its lock alive is not bound to a task: it can be given to another.
            movable: mem::needs_drop::<G>(),
        };
        let seat = gate.holders().sit(holder);
        Granted { gated, permits, seat }
    }

    #[inline]
    pub(in crate::sync) fn try_new(gated: G, wanted: usize) -> Result<Granted<G>, TryAcquireError> {
        gated.gate().try_take(wanted)?;
        Ok(Granted::new(gated, wanted))
    }

    /// What has the gate.
    pub(in crate::sync) fn gated(&self) -> &G {
        &self.gated
    }

    pub(in crate::sync) fn permits(&self) -> usize {
        self.permits
    }

    /// Gives back all but so many.
    pub(in crate::sync) fn keep(&mut self, permits: usize) {
        debug_assert!(permits <= self.permits, "what is kept is part of what is held");
        let rest = self.permits - permits;
        self.permits = permits;
        let gate = self.gated.gate();
        gate.holders().share(self.seat);
        gate.give(rest);
    }

    /// Holds that many more or fewer from now on, which somebody else answers for.
    pub(super) fn set_permits(&mut self, permits: usize) {
        self.permits = permits;
    }
}

impl<G: Deref<Target: Gated> + Clone> Granted<G> {
    /// So many of them by themselves, if there are.
    pub(super) fn split(&mut self, permits: usize) -> Option<Granted<G>> {
        self.permits = self.permits.checked_sub(permits)?;
        Some(Granted::new(self.gated.clone(), permits))
    }
}

impl<G: Deref<Target: Gated>> Drop for Granted<G> {
    #[inline]
    fn drop(&mut self) {
        self.gated.gate().holders().leave(self.seat);
        if self.permits > 0 {
            self.gated.gate().give(self.permits);
        }
    }
}
