//! What a task waits for.

use super::JobClass;
use crate::arena::Key;
use std::fmt;
use std::panic::Location;

/// The direction of a source: what can be read from it, or what can be written to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Bytes, a connection or an end to be taken.
    Read,
    /// Room to be filled.
    Write,
}

/// Where in the source something was made: which channel, which lock.
pub type Place = &'static Location<'static>;

/// Names a lock, a semaphore or a once cell of this thread that somebody has waited for, for as long as it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockId(pub(crate) u32);

/// What a task that returned `Pending` waits for, as its last leaf told it; with the place where that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Wait {
    /// No leaf of ours told: a hand-written future, or one from elsewhere.
    #[default]
    Unknown,
    /// The timer of that key.
    Timer(Key),
    /// One side of the source of that key.
    Source(Key, Side),
    /// The end of the task of that key.
    Task(Key),
    /// The end of the first of several tasks, of which this is one.
    AnyTask(Key),
    /// A message from a channel.
    Receive(Place),
    /// Room in a channel.
    Send(Place),
    /// The one value of a oneshot, or that nobody wants it.
    Oneshot(Place),
    /// A notification.
    Notify(Place),
    /// Permits of a semaphore.
    Semaphore(Place, LockId),
    /// A lock that nobody else has: a mutex, or a reader-writer lock to write.
    Lock(Place, LockId),
    /// A reader-writer lock, to read.
    ReadLock(Place, LockId),
    /// The others, at a barrier.
    Barrier(Place),
    /// The value that another task is making for a once cell.
    OnceCell(Place, LockId),
    /// Another value in a watch.
    Change(Place),
    /// A cancellation, or the closing of a channel.
    Cancel(Place),
    /// The job of that key among those of its class in the thread pool; with [`Key::NONE`], a place in the queue.
    Pool(JobClass, Key),
    /// Its next turn: it yielded, or its budget was spent.
    Turn,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wait::Unknown => f.write_str("something that did not tell"),
            Wait::Timer(_) => f.write_str("a timer"),
            Wait::Source(_, Side::Read) => f.write_str("something to read"),
            Wait::Source(_, Side::Write) => f.write_str("room to write"),
            Wait::Task(_) => f.write_str("another task"),
            Wait::AnyTask(_) => f.write_str("the first of several tasks"),
            Wait::Receive(made_at) => write!(f, "a message of the channel made at {made_at}"),
            Wait::Send(made_at) => write!(f, "room in the channel made at {made_at}"),
            Wait::Oneshot(made_at) => write!(f, "the oneshot made at {made_at}"),
            Wait::Notify(made_at) => write!(f, "a notification by the one made at {made_at}"),
            Wait::Semaphore(made_at, _) => write!(f, "permits of the semaphore made at {made_at}"),
            Wait::Lock(made_at, _) => write!(f, "the lock made at {made_at}"),
            Wait::ReadLock(made_at, _) => write!(f, "the lock made at {made_at}, to read"),
            Wait::Barrier(made_at) => write!(f, "the others at the barrier made at {made_at}"),
            Wait::OnceCell(made_at, _) => write!(f, "the value of the once cell made at {made_at}"),
            Wait::Change(made_at) => write!(f, "a change in the watch made at {made_at}"),
            Wait::Cancel(made_at) => write!(f, "the cancellation, or the end, of what was made at {made_at}"),
            Wait::Pool(class, Key::NONE) => write!(f, "a place in the pool's queue of {class}"),
            Wait::Pool(class, _) => write!(f, "a job of the pool, of {class}"),
            Wait::Turn => f.write_str("its next turn"),
        }
    }
}

/// What a task waits for, as of its last poll: nothing before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Waits {
    pub(crate) first: Option<Wait>,
    /// What it waits for as well; of what did not tell, [`Wait::Unknown`].
    pub(crate) also: Option<Wait>,
}
