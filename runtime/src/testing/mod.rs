//! Tests that run the same way again: a loop whose time moves by hand, whose chance comes from a seed, and whose network is
//! in memory.
//!
//! What a program does on such a loop follows from its code and the seed alone. So an order that goes wrong once in a
//! thousand runs is looked for by running a thousand seeds, which takes a second or two, and what was found is had again
//! by its number: [`seeds()`] does both. An hour of time-outs passes at once, for the clock stands still while anything can
//! be done and then moves to the next deadline.
//!
//! It is how the database `FoundationDB` is tested (Zhou and others, SIGMOD 2021, section 4), without a build of its own.
//!
//! # What is promised
//! By the same seed, with a [manual clock](crate::Builder::manual_clock), the same binary does the same: in each run, in
//! each process, on each machine, down to what an [observer](crate::observe::Observer) is told, moment by moment. That
//! takes in the order of polls, timers, tasks and their keys, [`time::now`](crate::time::now) as time since the beginning,
//! [`time::date`](crate::time::date), [`turn::random`](crate::turn::random), and a [`Network`] with its [`Faults`].
//!
//! # What is not
//! - **The kernel and other threads:** sockets, files, children, signals, and jobs of the pool end when they do, and so come
//!   in an order that no seed knows. Within one turn it is a seed that orders the tasks which they wake.
//! - **What the program asks elsewhere:** the system's clocks ([`std::time`]), its chance (a `HashMap` is gone through in
//!   another order in each process), addresses in memory.
//! - **Another version:** of this crate or of the program. A seed that found something is a hint there, and the test that
//!   comes of it is to run over many.
//!
//! # Examples
//! Two things at the same moment, and nobody has said which comes first. In the order of wakes it is always the first:
//! ```
//! use evloop_runtime::{spawn, testing, time};
//! use std::{cell::Cell, rc::Rc, time::Duration};
//!
//! const MIDNIGHT: Duration = Duration::from_secs(3_600);
//!
//! async fn deposit(balance: Rc<Cell<u32>>) {
//!     time::sleep(MIDNIGHT).await;
//!     balance.set(balance.get() + 1);
//! }
//! async fn statement(balance: Rc<Cell<u32>>) -> u32 {
//!     time::sleep(MIDNIGHT).await;
//!     balance.get()
//! }
//!
//! let failure = testing::first_failure(0..100, async || {
//!     let balance = Rc::new(Cell::new(0));
//!     let (deposit, statement) = (spawn(deposit(Rc::clone(&balance))), spawn(statement(balance)));
//!     assert_eq!(statement.await.unwrap(), 1, "the last deposit is missing");
//!     deposit.await.unwrap();
//! });
//! assert!(failure.unwrap().text().contains("the last deposit is missing"));
//! ```

mod faults;
mod network;
mod pipe;
mod seeds;

pub use faults::Faults;
pub use network::{End, HELD_BYTES_MAX, Network, Seen, ServerEnd};
pub use seeds::{SEED_TIME_MAX, SeedFailure, first_failure, runtime, seeds};

#[cfg(test)]
mod tests;
