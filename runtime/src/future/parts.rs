//! Futures of one kind, polled one by one as they are woken: what `join_all`, `FutureSet` and the sets of tasks share.
//!
//! Each part has a waker of its own, which puts the part's key into a ready queue and wakes the task that polls the
//! whole. So a poll of the whole touches the parts that were woken, and no others: a thousand parts that end one after
//! the other cost a thousand polls, where polling all of them each time would take half a million.
//!
//! A waker may go to any thread, so the queue and whether a part stands in it lie under one lock, held for a few stores.
//! The argument that no wake is lost: whoever wakes has changed something before it takes the lock. Either it finds
//! the part out of the queue and puts it in, or the part still stands there, and will be polled after the lock was
//! released. And [`Parts::begin`] notes the task and counts the queue under the same lock: what comes later wakes it.
//!
//! Cost: one allocation a part, for its waker. A wake and a poll each take the lock once, which nobody else holds as long
//! as the parts are woken at home.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Wake, Waker};

use crate::arena::{Key, Queue};
use crate::loom::{AtomicBool, Mutex, lock};
use crate::trace;

/// Futures in the order in which they came. Those that are done leave.
///
/// It is changed through `&self`; nothing is borrowed while a part is polled or dropped, so a part may add others.
pub(crate) struct Parts<F> {
    members: RefCell<Queue<Member<F>>>,
    woken: Arc<Mutex<Woken>>,
}

struct Member<F> {
    /// The part and its waker; out while it is polled. A part that panics is not put back.
    inside: Option<(F, Waker)>,
    notice: Arc<Notice>,
}

/// What a part's waker leads to.
struct Notice {
    key: Key,
    /// The part stands in the ready queue. Touched under the lock of the queue only, which orders it.
    queued: AtomicBool,
    woken: Arc<Mutex<Woken>>,
}

/// The parts that were woken, and who is to be told.
#[derive(Default)]
struct Woken {
    /// In the order of their wakes. A key may be of a part that is gone.
    keys: VecDeque<Key>,
    /// Who polls the whole; taken by the first wake.
    task: Option<Waker>,
}

impl<F: Future + Unpin> Parts<F> {
    /// Adds a part, to be polled with the next poll of the whole.
    pub(crate) fn insert(&self, part: F) -> Key {
        let key = self.add(part, true);
        lock(&self.woken).keys.push_back(key);
        key
    }

    /// Adds a part that is not done, and polls it here: it will be polled again when it was woken. Parts that end before
    /// the whole is polled are so found in the order in which they ended.
    ///
    /// # Panics
    /// When the part is done.
    pub(crate) fn insert_pending(&self, part: F) -> Key {
        let key = self.add(part, false);
        let inside = self.members.borrow_mut().get_mut(key).and_then(|member| member.inside.take());
        let polled = inside.map(|inside| self.poll_part(key, inside));
        assert!(matches!(polled, Some(Poll::Pending)), "a part that is done is not pending");
        key
    }

    fn add(&self, part: F, queued: bool) -> Key {
        self.members.borrow_mut().push_back_with(|key| {
            let woken = Arc::clone(&self.woken);
            let notice = Arc::new(Notice { key, queued: AtomicBool::new(queued), woken });
            Member { inside: Some((part, Waker::from(Arc::clone(&notice)))), notice }
        })
    }

    /// A poll of the whole begins: that task is woken when a part is. Gives how many parts were woken so far: so many may
    /// be polled now, and those that are woken meanwhile, perhaps by themselves, with the next poll.
    pub(crate) fn begin(&self, task: &Waker) -> usize {
        trace::waits_for_more();
        let mut woken = lock(&self.woken);
        let mut former = None;
        if !woken.task.as_ref().is_some_and(|known| known.will_wake(task)) {
            drop(woken);
            let task = task.clone();
            woken = lock(&self.woken);
            former = woken.task.replace(task);
        }
        let count = woken.keys.len();
        drop(woken);
        drop(former);
        count
    }

    /// Polls woken parts, first woken first, at most as many as are `left`, until one is done.
    pub(crate) fn next_done(&self, left: &mut usize) -> Option<(Key, F::Output)> {
        while *left > 0 {
            *left -= 1;
            let (key, inside) = self.next_woken()?;
            if let Some(inside) = inside
                && let Poll::Ready(output) = self.poll_part(key, inside)
            {
                return Some((key, output));
            }
        }
        None
    }

    /// The first key in the ready queue, and its part, unless that is gone.
    fn next_woken(&self) -> Option<(Key, Option<(F, Waker)>)> {
        let mut woken = lock(&self.woken);
        let key = woken.keys.pop_front()?;
        let mut members = self.members.borrow_mut();
        let inside = members.get_mut(key).and_then(|member| {
            member.notice.queued.store(false, Relaxed);
            member.inside.take()
        });
        Some((key, inside))
    }

    /// Polls a part. When it is done, and also when it panics, it leaves and is dropped.
    fn poll_part(&self, key: Key, inside: (F, Waker)) -> Poll<F::Output> {
        let mut polling = Polling { parts: self, key, inside: Some(inside), pending: false };
        let Some((part, waker)) = &mut polling.inside else { unreachable!("it was just put there") };
        let polled = Pin::new(part).poll(&mut Context::from_waker(waker));
        polling.pending = polled.is_pending();
        polled
    }
}

/// A part that is out of the set while it is polled.
struct Polling<'a, F> {
    parts: &'a Parts<F>,
    key: Key,
    inside: Option<(F, Waker)>,
    pending: bool,
}

impl<F> Drop for Polling<'_, F> {
    fn drop(&mut self) {
        let mut members = self.parts.members.borrow_mut();
        match members.get_mut(self.key) {
            Some(member) if self.pending => member.inside = self.inside.take(),
            _ => {
                // Done, or the set was emptied meanwhile.
                let gone = members.remove(self.key);
                drop(members);
                drop(gone);
            }
        }
    }
}

impl<F> Parts<F> {
    pub(crate) fn new() -> Parts<F> {
        Parts { members: RefCell::default(), woken: Arc::new(Mutex::new(Woken::default())) }
    }

    /// How many parts are not done.
    pub(crate) fn len(&self) -> usize {
        self.members.borrow().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shows each part that is not being polled. `look` must call no code that is not ours.
    pub(crate) fn for_each(&self, mut look: impl FnMut(&F)) {
        let members = self.members.borrow();
        members.iter().filter_map(|(_, member)| member.inside.as_ref()).for_each(|(part, _)| look(part));
    }

    /// Asks the first part that is not being polled. `look` must call no code that is not ours.
    pub(crate) fn with_first<R>(&self, look: impl FnOnce(&F) -> R) -> Option<R> {
        let members = self.members.borrow();
        let first = members.iter().find_map(|(_, member)| member.inside.as_ref());
        first.map(|(part, _)| look(part))
    }

    /// Takes the part out that has been here longest. One that is being polled is dropped when its poll is over.
    pub(crate) fn pop(&self) -> Option<F> {
        loop {
            let member = self.members.borrow_mut().pop_front()?;
            if let Some((part, _waker)) = member.inside {
                return Some(part);
            }
        }
    }

    /// Drops all parts, in the order in which they came, and forgets who polled the whole.
    pub(crate) fn clear(&self) {
        while let Some(part) = self.pop() {
            drop(part);
        }
        let mut woken = lock(&self.woken);
        woken.keys.clear(); // all are of parts that are gone
        let task = woken.task.take();
        drop(woken);
        drop(task);
    }
}

impl<F> Drop for Parts<F> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl<F> fmt::Debug for Parts<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Wake for Notice {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut woken = lock(&self.woken);
        if self.queued.swap(true, Relaxed) {
            return;
        }
        woken.keys.push_back(self.key);
        let task = woken.task.take();
        drop(woken);
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;
