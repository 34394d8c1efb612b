//! Futures made of futures, and the one that only lets the others run.
//!
//! What is put together here runs within one task: the parts take turns on its thread, need no `'static` and may borrow
//! from their surroundings. Each wake of the task polls every part that is not done, in the order in which they were
//! given, so a trace of the loop is the same from run to run. That is right for two parts and wasteful for a hundred;
//! many parts belong in tasks of their own.
//!
//! A part is dropped as soon as it is done or has lost, not when the whole is: what it holds is free at once.

mod join;
mod race;
mod yield_now;

pub use join::{Join, join};
pub use race::{Either, Race, race};
pub use yield_now::{YieldNow, yield_now};
