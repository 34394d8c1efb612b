//! Servers of many processes, as a user starts them, under a load that counts each request.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]
#![allow(dead_code, reason = "other tests take another part of what is common")]

#[path = "../common/load.rs"]
mod load;
#[path = "../common/processes.rs"]
mod processes;
#[path = "../common/served.rs"]
mod served;

mod count;
mod death;
mod log;
mod orphans;
mod roll;
mod scarce;
mod start;
mod stop;
mod upgrade;

use load::{Connection, Place};
use served::Served;

/// The arguments for two workers, and for each way in which they come by their connections.
const SHARED: &[&str] = &["--workers", "2"];
const REUSE_PORT: &[&str] = &["--workers", "2", "--accept", "reuse-port"];

/// What the master says of a worker once that is ready.
const READY: &str = ") serves";

/// Starts as many workers as the arguments say; returns when so many have said that they are ready.
fn start(arguments: &[&str], workers: usize) -> Served {
    let served = Served::start(arguments);
    served.until_said(READY, workers);
    served.until_workers(workers, &[]);
    served
}

fn place(served: &Served) -> Place {
    Place::Tcp(served.address())
}

/// Holds the loop of a worker for an hour; returns the connection with the request that does, and the worker.
fn hang_one(served: &Served) -> (Connection, u32) {
    let hung = Connection::sent(&place(served), "/block-loop?ms=3600000");
    let told = served.until_said("in GET /block-loop", 1);
    let holder = told.split("(process ").nth(1).and_then(|rest| rest.split(')').next()).unwrap();
    (hung, holder.parse().unwrap())
}
