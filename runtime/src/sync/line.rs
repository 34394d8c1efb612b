//! Tasks that wait for the same news: all of them are woken by it, in the order in which they came.

use std::cell::RefCell;
use std::fmt;
use std::task::{Context, Waker};

use super::renew;
use crate::arena::{Key, Queue};

/// The line of those who wait. Whether the news has come, they see for themselves, each time they are polled; so one
/// that is woken in vain does no harm: it stands in line again.
#[derive(Default)]
pub(super) struct Line {
    wakers: RefCell<Queue<Waker>>,
}

impl Line {
    pub(super) const fn new() -> Line {
        Line { wakers: RefCell::new(Queue::new()) }
    }

    /// Stands in line, or stays where it stands with the waker of the task that polls now.
    pub(super) fn stand(&self, place: &mut Option<Key>, cx: &Context<'_>) {
        let mut wakers = self.wakers.borrow_mut();
        let old = if let Some(waker) = place.and_then(|key| wakers.get_mut(key)) {
            renew(waker, cx)
        } else {
            *place = Some(wakers.push_back(cx.waker().clone()));
            None
        };
        drop(wakers);
        drop(old);
    }

    /// Leaves the line, if it stands there.
    pub(super) fn leave(&self, place: &mut Option<Key>) {
        let own = place.take().and_then(|key| self.wakers.borrow_mut().remove(key));
        drop(own);
    }

    /// Wakes as many as stand here now. Who comes back while others are woken stands behind them, and waits for the
    /// next news.
    pub(super) fn wake_all(&self) {
        for _ in 0..self.len() {
            let first = self.wakers.borrow_mut().pop_front();
            if let Some(waker) = first {
                waker.wake();
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.wakers.borrow().len()
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Task;
    use super::*;
    use std::cell::Cell;
    use std::sync::Arc;
    use std::task::Wake;

    #[test]
    fn one_that_stands_twice_keeps_its_place_and_one_waker() {
        let (line, a, mut place) = (Line::new(), Task::default(), None);
        for _ in 0..2 {
            line.stand(&mut place, &Context::from_waker(&a.waker()));
        }
        assert_eq!((line.len(), a.wakers_kept()), (1, 1));
        line.leave(&mut place);
        assert_eq!((line.len(), a.wakers_kept(), place), (0, 0, None));
    }

    thread_local! {
        static LINE: (Line, Cell<u32>) = const { (Line::new(), Cell::new(0)) };
    }

    /// Stands in line again as soon as it is woken, as a task does that is polled within the wake.
    struct Again;

    impl Wake for Again {
        fn wake(self: Arc<Self>) {
            LINE.with(|(line, wakes)| {
                wakes.set(wakes.get() + 1);
                line.stand(&mut None, &Context::from_waker(&Waker::from(self)));
            });
        }
    }

    #[test]
    fn who_comes_back_within_the_wake_is_woken_once() {
        LINE.with(|(line, wakes)| {
            line.stand(&mut None, &Context::from_waker(&Waker::from(Arc::new(Again))));
            line.wake_all();
            assert_eq!((wakes.get(), line.len()), (1, 1));
        });
    }
}
