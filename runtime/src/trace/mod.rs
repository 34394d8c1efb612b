//! Who runs, who woke it, what it waits for, and how much it may still do: the notes that make a loop explain itself.
//!
//! One small record per thread, plain cells. Whoever wakes a task leaves the [`Cause`]; a leaf future that returns
//! `Pending` leaves the [`Wait`]; the run of a task collects both. A dump of all tasks can then say what each waits for
//! without polling any of them, and it costs a store where the thing happens.
//!
//! The poll's budget lives here for the same reason: leaves, which know nothing of the loop, take from it.

mod cause;
mod job;
mod phase;
mod wait;

pub use cause::Cause;
pub(crate) use cause::Why;
pub use job::JobClass;
pub use phase::Phase;
pub(crate) use wait::Waits;
pub use wait::{LockId, Place, Side, Wait};

use crate::arena::Key;
use std::cell::Cell;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll, RawWakerVTable, Waker};

/// How many operations a task may complete in one poll before it must let the others run.
///
/// A connection with endless data, or a channel that is never empty, would otherwise hold the loop for ever: its leaves
/// never return `Pending`. 128 is large enough that the detour (one wake, one pass through the queue) is below a
/// hundredth of the work, and small enough that a turn stays short.
pub const OPERATIONS_PER_POLL: u32 = 128;

/// So many bytes that were read or written count as one more operation: together with the operations' own, a poll moves
/// 256 KiB, some 50 microseconds' worth of copying.
const BYTES_PER_OPERATION: usize = 2048;

struct Notes {
    cause: Cell<Why>,
    /// The stamp of the loop whose task a cause names, and which polled last on this thread.
    home: Cell<u64>,
    /// What [`Waker::data`] says of the waker of the poll under way, or of the last, and what [`Waker::vtable`] says of all
    /// wakers of that loop.
    waker: Cell<*const ()>,
    wakers: Cell<*const RawWakerVTable>,
    /// The two of [`Waits`].
    first: Cell<Option<Wait>>,
    also: Cell<Option<Wait>>,
    budget: Cell<u32>,
}

thread_local! {
    static NOTES: Notes = const {
        Notes {
            cause: Cell::new(Why::OUTSIDE),
            home: Cell::new(u64::MAX),
            waker: Cell::new(ptr::null()),
            wakers: Cell::new(ptr::null()),
            first: Cell::new(Some(Wait::Unknown)),
            also: Cell::new(None),
            budget: Cell::new(OPERATIONS_PER_POLL),
        }
    };
}

/// Leaves the note of what the running task waits for; called by a leaf that is about to return `Pending`. Of several notes
/// in a poll the last holds, but [`Wait::Turn`] stays: that wait is over first, and the loop gives way because of it.
///
/// # Examples
/// A hand-written leaf tells what it waits for:
/// ```
/// use evloop_runtime::engine::trace::{Wait, waits_for};
/// use std::task::Poll;
///
/// let mut first = true;
/// let leaf = std::future::poll_fn(move |cx| {
///     if std::mem::take(&mut first) {
///         waits_for(Wait::Turn);
///         cx.waker().wake_by_ref();
///         return Poll::Pending;
///     }
///     Poll::Ready(())
/// });
/// evloop_runtime::block_on(leaf);
/// ```
#[inline]
pub fn waits_for(wait: Wait) {
    NOTES.with(|notes| {
        match notes.first.get() {
            Some(Wait::Turn) => return,
            Some(Wait::Unknown) => {}
            former => notes.also.set(former),
        }
        notes.first.set(Some(wait));
    });
}

/// As [`waits_for`], by who knows better than the leaf inside of it, whose note this replaces.
#[inline]
pub(crate) fn waits_rather_for(wait: Wait) {
    NOTES.with(|notes| {
        if !matches!(notes.first.get(), Some(Wait::Turn)) {
            notes.first.set(Some(wait));
        }
    });
}

/// The running task waits also for what is not asked in this poll: told by who polls only some of its parts.
#[inline]
pub(crate) fn waits_for_more() {
    NOTES.with(|notes| notes.also.set(Some(Wait::Unknown)));
}

/// Polls one of several futures that a task waits for. Of one that is from elsewhere, and does not tell what it waits for, it
/// is noted that there is more than what the others tell.
#[inline]
pub(crate) fn poll_part<F: Future>(part: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
    let before = waits();
    let polled = part.poll(cx);
    if polled.is_pending() && before.also.is_none() && waits() == before {
        waits_for_more();
    }
    polled
}

/// Takes one operation from the budget of this poll. When it is spent, the task is woken for its next turn and must
/// return `Pending`.
///
/// # Cancel safety
/// Nothing is lost: the operation has not begun when this is `Pending`.
#[inline]
pub fn poll_budget(cx: &mut Context<'_>) -> Poll<()> {
    if take_budget() {
        return Poll::Ready(());
    }
    next_turn(cx);
    Poll::Pending
}

/// Takes one operation from the budget of this poll, if there is one left. Who gets none calls [`next_turn`] and returns
/// `Pending`: [`poll_budget`] in two halves, for who holds a lock in between.
#[inline]
pub(crate) fn take_budget() -> bool {
    NOTES.with(|notes| {
        let left = notes.budget.get().checked_sub(1);
        notes.budget.set(left.unwrap_or_else(|| match notes.cause.get().cause() {
            Cause::Task(_) => 0,
            _ => OPERATIONS_PER_POLL, // a stranger polls, who begins no polls: this is the next one's
        }));
        left.is_some()
    })
}

/// Wakes the task for its next turn, because its budget is spent.
pub(crate) fn next_turn(cx: &mut Context<'_>) {
    waits_for(Wait::Turn);
    cx.waker().wake_by_ref();
}

/// Takes what an operation has moved from the budget of this poll, too: large pieces take longer than small ones, and a
/// hundred tasks that each move all they can would hold the loop for seconds.
#[inline]
pub(crate) fn charge_bytes(bytes: usize) {
    if bytes >= BYTES_PER_OPERATION {
        charge(bytes / BYTES_PER_OPERATION);
    }
}

#[cold]
fn charge(operations: usize) {
    let operations = u32::try_from(operations).unwrap_or(u32::MAX);
    NOTES.with(|notes| notes.budget.set(notes.budget.get().saturating_sub(operations)));
}

/// What would be the cause of a wake that happened now.
#[inline]
pub(crate) fn cause() -> Cause {
    NOTES.with(|notes| notes.cause.get().cause())
}

/// As [`cause()`], with the loop whose task that is, if it is one: keys are a loop's own.
#[inline]
pub(crate) fn cause_and_home() -> (Cause, u64) {
    NOTES.with(|notes| (notes.cause.get().cause(), notes.home.get()))
}

/// The task that is being polled, or [`Key::NONE`].
pub(crate) fn running() -> Key {
    cause().task()
}

/// What would be the cause of a wake that happened now, for the loop of that stamp: a task of another loop, from whose poll
/// this one was entered, is outside of it.
#[inline]
pub(crate) fn why_at(home: u64) -> Why {
    NOTES.with(|notes| {
        let why = notes.cause.get();
        if notes.home.get() == home || !why.is_task() { why } else { Why::OUTSIDE }
    })
}

/// The stamp of the loop whose tasks are polled on this thread, or were polled last.
#[inline]
pub(crate) fn home() -> u64 {
    NOTES.with(|notes| notes.home.get())
}

/// From now on wakes have this cause.
#[inline]
pub(crate) fn set_cause(cause: Why) {
    NOTES.with(|notes| notes.cause.set(cause));
}

/// Who is polled, and whose task that is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Polled {
    cause: Why,
    home: u64,
    waker: *const (),
    wakers: *const RawWakerVTable,
}

impl Polled {
    /// Nobody yet, of the loop of that stamp, whose wakers have that table.
    pub(crate) fn nobody(home: u64, wakers: *const RawWakerVTable) -> Polled {
        Polled { cause: Why::OUTSIDE, home, waker: ptr::null(), wakers }
    }
}

/// Notes that somebody else is polled from now on; who was comes back, to be noted again when that is over.
pub(crate) fn replace_polled(Polled { cause, home, waker, wakers }: Polled) -> Polled {
    NOTES.with(|notes| Polled {
        cause: notes.cause.replace(cause),
        home: notes.home.replace(home),
        waker: notes.waker.replace(waker),
        wakers: notes.wakers.replace(wakers),
    })
}

/// A poll of that task begins: a fresh budget, nothing waited for, and the task as the cause of what it wakes.
#[inline]
pub(crate) fn begin_poll(task: Key) {
    NOTES.with(|notes| {
        notes.cause.set(Why::task(task));
        notes.first.set(Some(Wait::Unknown));
        // What stands as it should is not written again: of writes a poll has more than the processor hides.
        if notes.also.get().is_some() {
            notes.also.set(None);
        }
        fill(&notes.budget);
    });
}

#[inline]
fn fill(budget: &Cell<u32>) {
    if budget.get() != OPERATIONS_PER_POLL {
        budget.set(OPERATIONS_PER_POLL);
    }
}

/// The poll that has begun is given a waker with this data.
#[inline]
pub(crate) fn set_waker(data: *const ()) {
    NOTES.with(|notes| notes.waker.set(data));
}

/// The task that this waker wakes, if it is the one that is being polled, in the loop of that stamp, and the waker is that of
/// its poll: [`Key::NONE`] for the future of `block_on`. What waits in that loop may then keep the key in place of a clone.
#[inline]
pub(crate) fn task_of(waker: &Waker, home: u64) -> Option<Key> {
    NOTES.with(|notes| {
        let why = notes.cause.get();
        let polled = why.is_task() && notes.home.get() == home;
        let is_its_own = notes.waker.get() == waker.data() && ptr::eq(notes.wakers.get(), waker.vtable());
        (polled && is_its_own).then_some(why.0)
    })
}

/// The poll is over: whether the task waits for its next turn. The budget is full again for who polls without a task.
#[inline]
pub(crate) fn end_poll() -> bool {
    NOTES.with(|notes| {
        fill(&notes.budget);
        matches!(notes.first.get(), Some(Wait::Turn))
    })
}

/// Ends a poll that a test has begun: what it waits for.
#[cfg(test)]
pub(crate) fn end_poll_that_waits() -> Wait {
    end_poll();
    waits().first.unwrap_or_default()
}

/// A run is over, perhaps by a panic that has come out of a poll: what this thread does now no task does.
pub(crate) fn leave() {
    set_cause(Why::OUTSIDE);
    end_poll();
}

/// What the task of the last poll waits for, if it is not done, as far as it has told.
#[inline]
pub(crate) fn waits() -> Waits {
    NOTES.with(|notes| Waits { first: notes.first.get(), also: notes.also.get() })
}

/// As [`waits`], to where that is kept.
#[inline]
pub(crate) fn copy_waits(first: &Cell<Option<Wait>>, also: &Cell<Option<Wait>>) {
    NOTES.with(|notes| {
        match notes.first.get() {
            Some(Wait::Turn) => first.set(Some(Wait::Turn)),
            wait => first.set(wait),
        }
        if notes.also.get().is_some() || also.get().is_some() {
            also.set(notes.also.get());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    #[test]
    fn wait_is_two_words() {
        assert_eq!(size_of::<Option<Wait>>(), 16);
    }

    #[test]
    fn second_note_of_a_poll_keeps_the_first_and_who_knows_better_does_not() {
        let [one, two, three] = [1, 2, 3].map(|index| Wait::Timer(Key::new(index, 0)));
        begin_poll(Key::NONE);
        waits_for(one);
        assert_eq!(waits(), Waits { first: Some(one), also: None });
        waits_for(two);
        waits_rather_for(three);
        assert_eq!(waits(), Waits { first: Some(three), also: Some(one) });
        begin_poll(Key::NONE);
        waits_for_more();
        waits_for(one);
        assert_eq!(waits(), Waits { first: Some(one), also: Some(Wait::Unknown) });
    }

    #[test]
    fn budget_ends_after_its_operations_and_is_full_in_the_next_poll() {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..2 {
            begin_poll(Key::NONE);
            let granted = (0..1_000).take_while(|_| poll_budget(&mut cx).is_ready()).count();
            assert_eq!(granted, OPERATIONS_PER_POLL as usize);
            assert!(end_poll(), "it waits for its next turn");
        }
    }

    #[test]
    fn budget_of_a_stranger_who_begins_no_polls_is_full_again_when_it_was_spent() {
        let mut cx = Context::from_waker(Waker::noop());
        end_poll();
        set_cause(Why::OUTSIDE);
        for _ in 0..3 {
            let granted = (0..1_000).take_while(|_| poll_budget(&mut cx).is_ready()).count();
            assert_eq!(granted, OPERATIONS_PER_POLL as usize);
        }
    }

    #[test]
    fn bytes_moved_count_as_operations() {
        let mut cx = Context::from_waker(Waker::noop());
        for (bytes, polls) in [(100, 128), (2047, 128), (2048, 64), (65_536, 4), (usize::MAX, 1)] {
            begin_poll(Key::NONE);
            let granted = (0..1_000).take_while(|_| {
                let ready = poll_budget(&mut cx).is_ready();
                charge_bytes(bytes);
                ready
            });
            assert_eq!(granted.count(), polls, "{bytes} bytes each");
            end_poll();
        }
    }
}
