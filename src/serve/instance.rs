//! One of the loops that serve.

use evloop_runtime::sync::CancellationToken;
use std::cell::RefCell;
use std::{fmt, io};

type AtEnd = Box<dyn FnOnce() -> io::Result<()>>;

/// One of the loops that serve, as it is seen by who makes its application.
pub struct Instance {
    worker: Option<usize>,
    thread: usize,
    stopping: CancellationToken,
    at_end: RefCell<Vec<AtEnd>>,
}

impl Instance {
    pub(super) fn new(worker: Option<usize>, thread: usize) -> Instance {
        Instance { worker, thread, stopping: CancellationToken::new(), at_end: RefCell::default() }
    }

    /// The number of its process among the workers, from 1; `None` where there are none.
    pub fn worker(&self) -> Option<usize> {
        self.worker
    }

    /// The number of its thread among those that serve in its process, from 0.
    pub fn thread(&self) -> usize {
        self.thread
    }

    /// Cancelled when this loop begins to stop, so that answers without an end can come to theirs.
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Calls `end` on this thread when the loop has ended. An error becomes that of [`run`](super::run).
    pub fn at_end(&self, end: impl FnOnce() -> io::Result<()> + 'static) {
        self.at_end.borrow_mut().push(Box::new(end));
    }

    /// The loop has ended. All are called; the first error counts.
    pub(super) fn end(&self) -> io::Result<()> {
        let mut ended = Ok(());
        for end in self.at_end.take() {
            ended = ended.and(end());
        }
        ended
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("worker", &self.worker).field("thread", &self.thread).finish_non_exhaustive()
    }
}
