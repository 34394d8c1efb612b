//! Futures made of futures, and the one that only lets the others run.
//!
//! What is put together here runs within one task: the parts take turns on its thread, need no `'static` and may borrow
//! from their surroundings. A part is dropped as soon as it is done or has lost, not when the whole is: what it holds is
//! free at once. The order of polls is fixed, so a trace of the loop is the same from run to run.
//!
//! | | two | a few, of any types | many, of one type |
//! |---|---|---|---|
//! | all of them | [`join()`] | [`join!`](crate::join!) | [`join_all`] |
//! | all, or the first error | [`try_join()`] | [`try_join!`](crate::try_join!) | [`try_join_all`] |
//! | the first | [`race()`] | [`select!`](crate::select!) | [`race_all`] |
//! | one after the other, as they come | | `select!` in a loop | [`FutureSet`] |
//!
//! - **Two or a few** are polled all, in the order in which they were given, whichever of them has woken the task. That
//!   costs no allocation and is right for a handful.
//! - **Many** have a waker each and are polled when they were woken, first woken first. That costs two allocations each.
//!
//! What is to run on by itself, also while nobody awaits it, belongs in tasks of its own: see [`JoinSet`](crate::JoinSet)
//! and [`group`](crate::group()).

mod all;
mod join;
#[doc(hidden)]
pub mod macros;
mod part;
pub(crate) mod parts;
mod race;
#[doc(hidden)]
pub mod select;
mod set;
#[cfg(all(test, not(loom)))]
mod testing;
mod try_join;
mod yield_now;

pub use all::{JoinAll, RaceAll, TryJoinAll, join_all, race_all, try_join_all};
pub use join::{Join, join};
pub use race::{Either, Race, race};
pub use select::Rotation;
pub use set::{FutureSet, Next};
pub use try_join::{TryJoin, try_join};
pub use yield_now::{YieldNow, yield_now};
