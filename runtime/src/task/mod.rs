//! Tasks: futures that live on one thread, woken from any.
//!
//! # Who may touch what, from which thread
//!
//! A loop belongs to the thread that made it, the *home* of its tasks. Futures need not be `Send`, and never leave; nor does
//! anything else of a task, for what its wakers carry is a number:
//!
//! ```text
//!   home thread only                                      any thread
//!   ┌─ Tasks ─────────────────────────────────────┐       ┌─ Waker, and its copies ─────────┐
//!   │ live: Arena<TaskRef> ──┐                    │       │ address: home, check, index     │
//!   │                        ▼                    │       └──┬──────────────────────────────┘
//!   │ ready: Line ──► ┌─ Task ──────────────┐     │          │ of a home that is not this thread's
//!   │                 │ next in line, why   │     │          ▼
//!   │                 │ name, polls, waits  │     │       ┌─ Mailroom, by the home's number ┐
//!   │                 │ joiner              │     │       │ posted: a flag for each index   │
//!   │                 │ stage: future,      │     │◄──────┤ mailbox: a lock, a flag, a bell │
//!   │                 │   output or empty   │     │ mail  └─────────────────────────────────┘
//!   │                 └─────────────────────┘     │
//!   └─────────────────────────────────────────────┘
//! ```
//!
//! - **A wake at home** finds the task by its index, sees by the whole address that it is the one that is meant, and puts it in
//!   line. *At home* means that the loop entered on this thread lives where the address says.
//! - **A wake from a stranger** sets a flag and posts a letter; the bell rings if home has wished for it, as it does before it
//!   sleeps. Home takes the letters in once a turn. No wake is lost: [`posted`] has the argument, and loom checks it.
//! - **A stale waker** finds nobody: it keeps nothing alive, and [`address`] tells how surely it is known.
//! - **Polling** takes a reference to the task out of the line, and nothing is borrowed while the future runs, whatever it does
//!   meanwhile: spawn, abort, drop a handle.
//!
//! What a yield costs: one link in the line and one out of it, one look-up, one call through a table, no locked operation, and
//! some thirty words written.

mod abort;
mod address;
mod home;
mod join;
mod mailbox;
mod posted;
mod ready;
mod shelf;
mod stage;
mod tasks;
#[cfg(all(test, not(loom)))]
mod tests;

pub use abort::{AbortHandle, AbortOnDrop};
pub use join::{JoinError, JoinHandle};
pub use tasks::{Door, TaskInfo, Tasks};
