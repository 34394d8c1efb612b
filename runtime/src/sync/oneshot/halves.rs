//! The two halves of a oneshot: one piece of memory, and a byte that says whose each part of it is.
//!
//! Nothing is locked, so neither half ever waits for the other, and what one does costs one or two locked operations. The byte is
//! changed by such operations alone, one after the other, and each part of the memory belongs to one half at a time:
//!
//! - **Invariant (end).** One of `SENT`, `ABANDONED` and `CLOSED` is set once, and ends the channel; it stays the only one. The
//!   first two are set by the sender, the third by the receiver.
//! - **Invariant (value).** The value is the sender's, until `SENT` gives it to the receiver.
//! - **Invariant (waker).** The place for the waker of a half is that half's, until its `WAITS` lends it to the other one: until the
//!   half takes it back, while the channel is open, or ends that. The other one takes the waker out when it ends the channel.
//! - **Invariant (left).** A half that has set its `LEFT` looks no more at the memory; who finds that of the other one set frees it.
//!
//! Each change gives what was written before (`Release`) and takes what it finds (`Acquire`), so the next owner sees all of it.

#![allow(unsafe_code, reason = "memory that two halves share, by the invariants above")]

use super::super::register;
use crate::loom::{AtomicU8, UnsafeCell};
use crate::memory;
use std::mem::ManuallyDrop;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::task::{Context, Waker};

/// The sides, by their places in [`Shared::wakers`].
const SENDER: usize = 0;
const RECEIVER: usize = 1;

pub(super) type SendHalf<T> = Half<T, SENDER>;
pub(super) type ReceiveHalf<T> = Half<T, RECEIVER>;

/// What one side has of the channel, as long as it lives.
pub(super) struct Half<T, const SIDE: usize>(NonNull<Shared<T>>);

struct Shared<T> {
    state: AtomicU8,
    value: UnsafeCell<Option<T>>,
    /// Who waits for the other side to end the channel.
    wakers: [UnsafeCell<Option<Waker>>; 2],
}

const WAITS: [u8; 2] = [1, 1 << 1];
const LEFT: [u8; 2] = [1 << 2, 1 << 3];
const SENT: u8 = 1 << 4;
const ABANDONED: u8 = 1 << 5;
const CLOSED: u8 = 1 << 6;
const ENDED: u8 = SENT | ABANDONED | CLOSED;

// SAFETY: the value may go to another thread, and wakers may; each part has one owner at a time, by the invariants above.
unsafe impl<T: Send, const SIDE: usize> Send for Half<T, SIDE> {}
// SAFETY: a shared half gives the state alone.
unsafe impl<T: Send, const SIDE: usize> Sync for Half<T, SIDE> {}
// Each change leaves all of it whole.
impl<T, const SIDE: usize> UnwindSafe for Half<T, SIDE> {}
impl<T, const SIDE: usize> RefUnwindSafe for Half<T, SIDE> {}

/// Who waited when a half ended the channel.
struct Waited {
    /// To be woken.
    other: Option<Waker>,
    /// To be dropped, after that.
    #[expect(dead_code, reason = "its drop is what it is for")]
    own: Option<Waker>,
}

impl Waited {
    fn wake(self) {
        if let Some(waker) = self.other {
            waker.wake();
        }
    }
}

/// The place of a half, which is lent again when a waker panics as it is cloned, so that who waited before still does.
struct Lend<'a, T, const SIDE: usize>(&'a Half<T, SIDE>);

impl<T, const SIDE: usize> Drop for Lend<'_, T, SIDE> {
    fn drop(&mut self) {
        self.0.lend();
    }
}

/// The channel has ended before.
struct Ended;

/// The halves of a channel that is open.
pub(super) fn halves<T>() -> (SendHalf<T>, ReceiveHalf<T>) {
    let shared = memory::begin(Shared {
        state: AtomicU8::new(0),
        value: UnsafeCell::new(None),
        wakers: [UnsafeCell::new(None), UnsafeCell::new(None)],
    });
    (Half(shared), Half(shared))
}

impl<T, const SIDE: usize> Half<T, SIDE> {
    const OTHER: usize = 1 - SIDE;

    fn shared(&self) -> &Shared<T> {
        // SAFETY: invariant `left`, and this half has not.
        unsafe { self.0.as_ref() }
    }

    fn state(&self) -> u8 {
        self.shared().state.load(Acquire)
    }

    /// Whether neither side has ended it.
    pub(super) fn is_open(&self) -> bool {
        self.state() & ENDED == 0
    }

    /// Sets and clears bits while the channel is open, and gives what the state was; `None` when it is open no more.
    fn change(&self, set: u8, clear: u8) -> Option<u8> {
        let next = |state: u8| (state & ENDED == 0).then_some(state & !clear | set);
        self.shared().state.fetch_update(AcqRel, Acquire, next).ok()
    }

    /// Has the task of `cx` woken when the other side ends the channel; `false` when that is no more to come.
    pub(super) fn wait(&mut self, cx: &Context<'_>) -> bool {
        let waits = WAITS[SIDE];
        let state = self.state();
        if state & ENDED != 0 || state & waits != 0 && self.change(0, waits).is_none() {
            return false;
        }
        let lend = Lend(self);
        // SAFETY: invariant `waker`: it is this half's, and `WAITS` is not set.
        let former = self.shared().wakers[SIDE].with_mut(|place| register(unsafe { &mut *place }, cx));
        let _ = ManuallyDrop::new(lend); // none has panicked
        let is_open = self.lend();
        drop(former);
        is_open
    }

    /// Lends its place to the other side; or empties it, and is `false`, when the channel has ended.
    fn lend(&self) -> bool {
        let is_open = self.change(WAITS[SIDE], 0).is_some();
        if !is_open {
            // SAFETY: invariant `waker`: it is this half's, for the channel had ended while it was.
            drop(unsafe { self.take_waker(SIDE) });
        }
        is_open
    }

    /// Ends the channel, unless it has ended.
    fn end(&mut self, how: u8) -> Result<Waited, Ended> {
        let state = self.change(how, 0).ok_or(Ended)?;
        let take = |side: usize| {
            // SAFETY: invariant `waker`: this half has ended the channel; its own place has so come back to it, and it was lent
            // the other one.
            if state & WAITS[side] != 0 { unsafe { self.take_waker(side) } } else { None }
        };
        Ok(Waited { other: take(Self::OTHER), own: take(SIDE) })
    }

    /// # Safety
    /// Invariant `waker`: the place is this half's, or lent to it.
    unsafe fn take_waker(&self, side: usize) -> Option<Waker> {
        // SAFETY: as is asked for.
        self.shared().wakers[side].with_mut(|place| unsafe { &mut *place }.take())
    }
}

impl<T> SendHalf<T> {
    /// Whether the receiver wants no value any more.
    pub(super) fn is_closed(&self) -> bool {
        self.state() & CLOSED != 0
    }

    /// Ends the channel with a value, and wakes the receiver; or gives it back when that one was first.
    pub(super) fn send(mut self, value: T) -> Result<(), T> {
        let shared = self.shared();
        // SAFETY: invariant `value`: nothing was sent.
        shared.value.with_mut(|place| unsafe { *place = Some(value) });
        let Ok(waited) = self.end(SENT) else {
            // SAFETY: as above.
            let value = self.shared().value.with_mut(|place| unsafe { &mut *place }.take());
            return Err(value.expect("it was put there"));
        };
        drop(self); // before the wake, so that the receiver finds itself alone
        waited.wake();
        Ok(())
    }

    /// Ends the channel without a value, and wakes the receiver. Out of line, as what most senders have no need of.
    #[inline(never)]
    pub(super) fn abandon(mut self) {
        let waited = self.end(ABANDONED);
        drop(self);
        if let Ok(waited) = waited {
            waited.wake();
        }
    }
}

impl<T> ReceiveHalf<T> {
    /// Ends the channel, unless it has ended, and wakes the sender that waits for it.
    pub(super) fn close(&mut self) {
        if let Ok(waited) = self.end(CLOSED) {
            waited.wake();
        }
    }

    /// Ends the channel, and drops the value if one was sent. Out of line, as what most receivers have no need of.
    #[inline(never)]
    pub(super) fn refuse(mut self) {
        self.close();
        drop(self.into_value());
    }

    /// The value, of a channel that has ended, if one was sent.
    pub(super) fn into_value(self) -> Option<T> {
        let was_sent = self.state() & SENT != 0;
        // SAFETY: invariant `value`.
        if was_sent { self.shared().value.with_mut(|place| unsafe { &mut *place }.take()) } else { None }
    }
}

impl<T, const SIDE: usize> Drop for Half<T, SIDE> {
    /// Leaves. Whether the other one has left before is asked first by a plain load.
    fn drop(&mut self) {
        let left = LEFT[Self::OTHER];
        if self.state() & left != 0 || self.shared().state.fetch_or(LEFT[SIDE], AcqRel) & left != 0 {
            // SAFETY: invariant `left`: neither half looks at it any more.
            unsafe { memory::end(self.0) };
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::super::testing::Task;
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::task::{RawWaker, RawWakerVTable};

    /// A waker that panics when it is cloned.
    fn panicking() -> Waker {
        const VTABLE: &RawWakerVTable = &RawWakerVTable::new(|_| panic!("no clone"), |_| {}, |_| {}, |_| {});
        // SAFETY: it has no data.
        unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), VTABLE)) }
    }

    #[test]
    fn who_waited_is_woken_also_when_the_waker_of_the_next_panics() {
        for closes in [false, true] {
            let (task, (send, mut receive)) = (Task::default(), halves());
            assert!(receive.wait(&Context::from_waker(&task.waker())));
            let waker = panicking();
            let next = catch_unwind(AssertUnwindSafe(|| receive.wait(&Context::from_waker(&waker))));
            assert!(next.is_err());
            if closes {
                receive.refuse();
            } else {
                assert_eq!(send.send(1), Ok(()));
            }
            assert_eq!((task.wakes(), task.wakers_kept()), (usize::from(!closes), 0));
        }
    }
}
