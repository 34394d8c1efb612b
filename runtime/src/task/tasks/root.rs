//! The future of `block_on`: a task like others, but for where it lives.

use super::super::cell::Header;
use super::super::mailbox::Home;
use super::super::state::State;
use super::{Tasks, wake};
use crate::arena::Key;
use crate::trace::{self, Cause, Waits, Why};
use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// What is known of the future of `block_on`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RootInfo {
    pub(crate) waits: Waits,
    pub(crate) woken_by: Cause,
    pub(crate) polls: u64,
}

/// Its place among the tasks of a loop.
pub(super) struct Root {
    awaited: Arc<Awaited>,
    waker: Waker,
    /// There is such a future; what follows is of it.
    lives: Cell<bool>,
    pub(super) queued: Cell<bool>,
    waits: Cell<Waits>,
    woken_by: Cell<Why>,
    polls: Cell<u64>,
}

/// What its waker stands for.
struct Awaited(Header);

impl Wake for Awaited {
    fn wake(self: Arc<Self>) {
        wake(&self.0);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        wake(&self.0);
    }
}

impl Root {
    pub(super) fn new(home: Home) -> Root {
        let awaited = Arc::new(Awaited(Header { state: State::new(), key: Key::NONE, home }));
        Root {
            waker: Waker::from(Arc::clone(&awaited)),
            awaited,
            lives: Cell::default(),
            queued: Cell::default(),
            waits: Cell::default(),
            woken_by: Cell::default(),
            polls: Cell::default(),
        }
    }

    pub(super) fn header(&self) -> &Header {
        &self.awaited.0
    }
}

impl Tasks {
    /// What is known of the future of `block_on`, while there is one: as of a task, but it has no name and was spawned nowhere.
    pub(crate) fn root_info(&self) -> Option<RootInfo> {
        let root = &self.root;
        root.lives.get().then(|| RootInfo {
            waits: root.waits.get(),
            woken_by: root.woken_by.get().cause(),
            polls: root.polls.get(),
        })
    }

    /// The future of `block_on` is no more.
    pub(crate) fn forget_root(&self) {
        self.root.lives.set(false);
    }

    /// Has the root, which is a new one, polled, as if it had been woken.
    pub(crate) fn wake_root(&self) {
        let root = &self.root;
        root.lives.set(true);
        root.waits.set(Waits::default());
        root.polls.set(0);
        if !root.queued.replace(true) {
            self.push(Key::NONE, Why::OUTSIDE);
        }
    }

    /// Polls the future of `block_on`, which is a task like others, but for where it lives.
    pub(crate) fn poll_root<F: Future>(&self, why: Why, future: Pin<&mut F>) -> Poll<F::Output> {
        let root = &self.root;
        root.woken_by.set(why);
        root.polls.set(root.polls.get() + 1);
        self.begin_poll(Key::NONE, why);
        trace::set_waker(&root.waker);
        let polled = future.poll(&mut Context::from_waker(&root.waker));
        if self.end_poll(Key::NONE, polled.is_ready()) {
            self.set.borrow_mut().ready.want_turn();
        }
        trace::set_cause(Why::OUTSIDE);
        root.waits.set(trace::waits());
        polled
    }
}
