//! Tasks: futures that live on one thread, woken from any.
//!
//! # Who may touch what, from which thread
//!
//! A loop belongs to the thread that made it, the *home* of its tasks. Futures need not be `Send`; only their wakers
//! travel. So a task is split in two:
//!
//! ```text
//!   home thread only                         any thread
//!   ┌─ Tasks ────────────────────────┐       ┌─ Arc<TaskCell<F>> ───────────────┐
//!   │ live: Arena<Entry>             │       │ posted                   (state) │
//!   │   entry.task: TaskRef ─────────┼──────►│ key, home, stamp       (letters) │◄── Waker, and its clones
//!   │   queued, name, place, joiner  │       │ stage    future, output or empty │
//!   │ ready: keys to poll next       │       └──────────────────────────────────┘
//!   └────────────────────────────────┘          the stage is for home alone
//!                ▲
//!                │ letters: "wake that key", "call this"
//!   ┌─ Mailbox ──┴───────────────────┐
//!   │ a lock, a flag, a bell         │◄── strangers
//!   └────────────────────────────────┘
//! ```
//!
//! - **A wake at home** sets a flag and pushes a key: two plain stores. *At home* means that the loop entered on this
//!   thread is the task's own, told by the stamp of the loop, which is never given twice.
//! - **A wake from a stranger** sets the other flag and posts a letter; the bell rings if home has wished for it, as it does
//!   before it sleeps. Home takes the letters in once a turn. No wake is lost: [`state`] has the argument, and loom checks it.
//! - **The stage** (the future, later its output) is touched through the one [`TaskRef`](cell::TaskRef) that the set of
//!   live tasks holds. It cannot be cloned and cannot leave the thread, and dropping it empties the stage. So by the time
//!   the last reference to a cell can be a stranger's waker, there is nothing in it but plain words.
//! - **Polling** moves the `TaskRef` out of the set and back: whatever the future does meanwhile (spawn, abort, drop a
//!   handle), no borrow is held while foreign code runs.
//!
//! What a yield costs: one push and one take of a key, three look-ups in the arena, one call through a vtable, no locked
//! operation.

mod abort;
mod cell;
mod join;
mod mailbox;

mod ready;
mod state;
mod tasks;
#[cfg(all(test, not(loom)))]
mod tests;

pub use abort::{AbortHandle, AbortOnDrop};
pub use join::{JoinError, JoinHandle};
pub use tasks::{Door, TaskInfo, Tasks};
