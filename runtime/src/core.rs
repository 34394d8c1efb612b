//! One thread's engines side by side. No engine knows another; who connects them is the turn.

use crate::board::Board;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::hooks::Hooks;
use crate::lookout::Lookout;
use crate::observer::Observers;
use crate::pool::Pool;
use crate::reactor::Reactor;
use crate::sys::fork::Generation;
use crate::task::Tasks;
use crate::timer::Timers;
use crate::watchdog::Watch;
use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;

/// What a loop is made of.
///
/// **Invariant (no foreign code under a borrow).** Wakers are cloned while an engine is borrowed, but they are woken and
/// dropped only when none is: an engine hands them out, and its caller does the rest.
#[derive(Debug)]
pub(crate) struct Core {
    /// Names the loop on its thread; no other loop of the thread has had it.
    pub(crate) id: u32,
    pub(crate) clock: Rc<Clock>,
    /// The numbers that other threads may read.
    pub(crate) board: Arc<Board>,
    pub(crate) observers: Rc<Observers>,
    pub(crate) tasks: Rc<Tasks>,
    pub(crate) timers: RefCell<Timers>,
    pub(crate) reactor: RefCell<Reactor>,
    pub(crate) hooks: RefCell<Hooks>,
    pub(crate) pool: Pool,
    /// Who looks at it from outside.
    pub(crate) watch: OnceCell<Watch>,
    /// What its chance comes from, if that was given to it.
    pub(crate) seed: Option<u64>,
    pub(crate) chance: Chance,
    /// The process that it was made in.
    pub(crate) made_in: Generation,
    /// Asked to leave its run after this turn.
    pub(crate) stop: Cell<bool>,
    /// It has ended; what is still registered waits for nothing.
    pub(crate) closed: Cell<bool>,
}

impl Core {
    pub(crate) fn new(id: u32, clock: Clock, mut reactor: Reactor, pool: Pool, seed: Option<u64>) -> io::Result<Core> {
        let board = Arc::new(Board::new((!clock.is_manual()).then(|| clock.origin())));
        let observers = Observers::none();
        let chance = seed.map_or_else(Chance::unforeseen, Chance::new);
        let order = seed.map(|_| chance.split());
        let tasks = Tasks::observed(reactor.bell(), Rc::clone(&observers), Arc::clone(&board), order)?;
        let mut timers = Timers::new();
        reactor.move_in(tasks.stamp());
        timers.move_in(tasks.stamp());
        Ok(Core {
            id,
            clock: Rc::new(clock),
            tasks,
            board,
            observers,
            timers: RefCell::new(timers),
            reactor: RefCell::new(reactor),
            hooks: RefCell::default(),
            pool,
            watch: OnceCell::new(),
            seed,
            chance,
            made_in: Generation::current(),
            stop: Cell::new(false),
            closed: Cell::new(false),
        })
    }

    /// # Errors
    /// When this process was forked off after the loop was made.
    #[inline]
    pub(crate) fn check_process(&self) -> io::Result<()> {
        if self.made_in.is_past() { Err(forked()) } else { Ok(()) }
    }

    /// What its watchdog sees, if it has one.
    pub(crate) fn lookout(&self) -> Option<&Arc<Lookout>> {
        self.watch.get().map(Watch::lookout)
    }

    /// Whether anything keeps the loop alive: something to run, a task, a job, or a timer, source or hook that counts.
    pub(crate) fn is_alive(&self) -> bool {
        self.tasks.has_ready()
            || self.tasks.has_mail()
            || self.tasks.referenced() > 0
            || self.timers.borrow().referenced() > 0
            || self.reactor.borrow().referenced() > 0
            || self.hooks.borrow().referenced() > 0
            || self.pool.is_busy()
    }
}

#[cold]
fn forked() -> io::Error {
    io::Error::other(
        "this event loop was made before the process forked; it belongs to the parent, make a new one here",
    )
}
