//! A server as a whole: its sockets, its loops, the processes they are in, and how it is told to stop.
//!
//! [`run`] serves an application as a [`Config`] says, until the process is told to end. It is what the program `evloop` is
//! made of, for programs with an application of their own:
//!
//! ```no_run
//! use evloop::http::{Request, Router};
//! use evloop::serve::{self, Config};
//!
//! fn main() -> Result<(), serve::Error> {
//!     serve::run(Config::new(), |_| Ok(Router::new().get("/", |_: Request| async { "Hello, World!" })))
//! }
//! ```

mod alone;
mod channel;
mod config;
pub mod control;
mod descriptors;
mod error;
mod instance;
mod lifeline;
mod loops;
mod master;
mod notify;
mod orders;
mod pid_file;
mod processors;
mod role;
mod second;
mod signals;
mod sockets;
mod status;
mod teller;
mod terminal;
mod worker;

pub use config::{Accept, Bind, Config, Control};
pub use error::Error;
pub use instance::Instance;
pub use role::worker;
pub use status::{LoopBeat, Past, State, Status, WorkerStatus};

use evloop_http::asgi::App;
use role::Role;
use std::io;

/// Serves what `make` makes, once for each loop and on the thread of that loop, until the process is told to end.
///
/// With [workers](Config::workers), this process becomes their master, and starts itself again for each of them, with the same
/// arguments: each comes through `main` to this call, with the same configuration, and only there `make` is called. So what a
/// `main` does before is done in each process; [`worker()`] tells which it is. In a worker this does not return: its process ends
/// when it has served, and what comes after is the master's.
///
/// # Errors
/// Each with the [status](Error::status) with which a program should end.
#[expect(clippy::needless_pass_by_value, reason = "who has served it is done with it")]
pub fn run<A: App>(
    config: Config,
    make: impl Fn(&Instance) -> io::Result<A> + Send + Sync + 'static,
) -> Result<(), Error> {
    let _undisturbed = terminal::Undisturbed::new()?;
    let served = match Role::of_this_process() {
        Some(Role::Worker(number)) => worker::run(number, &config, &make).map(|never| match never {}),
        Some(Role::Successor) => master::succeed(&config),
        None if config.workers > 1 => master::run(&config),
        None => alone::run(&config, &make),
    };
    served.map_err(|error| descriptors::explain(error, &config))
}
