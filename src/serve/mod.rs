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

mod config;
mod error;
mod instance;
mod status;

pub use config::{Accept, Bind, Config, Control};
pub use error::Error;
pub use instance::Instance;
pub use status::{LoopBeat, Past, State, Status, WorkerStatus};

use evloop_http::asgi::App;
use evloop_http::server::{Listener, Server};
use evloop_runtime::Runtime;
use evloop_runtime::future::race;
use evloop_runtime::net::{Inherited, ListenOptions, lookup_host};
use evloop_runtime::observe::Watchdog;
use evloop_runtime::signal::{SignalKind, exit_on_second, signal};
use std::io::{self, Write};
use std::time::Duration;

/// What a process that a signal ended is told by: 128 and the signal's number.
const ENDED_BY_INTERRUPT: i32 = 130;

/// Serves what `make` makes, once for each loop and on the thread of that loop, until the process is told to end.
///
/// # Errors
/// Each with the [status](Error::status) with which a program should end.
pub fn run<A: App>(
    config: Config,
    make: impl Fn(&Instance) -> io::Result<A> + Send + Sync + 'static,
) -> Result<(), Error> {
    let mut builder = Runtime::builder();
    if let Some(slow) = config.slow {
        builder = builder.watchdog(Watchdog::new(slow));
    }
    let instance = Instance::new();
    builder.build()?.block_on(listen(&config, &instance, &make))?;
    Ok(instance.end()?)
}

async fn listen<A: App>(
    config: &Config,
    instance: &Instance,
    make: &impl Fn(&Instance) -> io::Result<A>,
) -> io::Result<()> {
    let options = ListenOptions::new().backlog(config.backlog);
    match config.binds.first().unwrap_or(&Bind::default()) {
        Bind::Inet(host, port) => {
            let addresses = lookup_host((&**host, *port)).await?;
            let listener = options.listen(addresses[0])?;
            let place = format!("http://{}/", listener.local_addr()?);
            serve(config, instance, listener, &place, make).await
        }
        Bind::Unix(path) => {
            let listener = options.listen_unix(path)?;
            serve(config, instance, listener, &format!("unix:{}", path.display()), make).await
        }
        Bind::Inherited(number) => {
            let place = format!("descriptor {number}");
            match Inherited::from_fd(*number)? {
                Inherited::Tcp(listener) => serve(config, instance, listener, &place, make).await,
                Inherited::Unix(listener) => serve(config, instance, listener, &place, make).await,
            }
        }
    }
}

async fn serve<A: App>(
    config: &Config,
    instance: &Instance,
    listener: impl Listener,
    place: &str,
    make: &impl Fn(&Instance) -> io::Result<A>,
) -> io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::INTERRUPT)?, signal(SignalKind::TERMINATE)?);
    exit_on_second(&[SignalKind::INTERRUPT, SignalKind::TERMINATE], ENDED_BY_INTERRUPT)?;
    say(&format!("evloop serves {place} (Ctrl-C ends it)\n"));
    let stop = async {
        race(interrupt.recv(), terminate.recv()).await;
        log::info!("stopping: requests that have begun are finished; once more ends them");
    };
    let server = configured(config, Server::new(listener)).stopping(instance.stopping());
    match server.serve_until(make(instance)?, stop).await? {
        0 => log::info!("all connections have ended"),
        ended => log::warn!("{ended} connections were ended before their requests were answered"),
    }
    Ok(())
}

fn configured<L: Listener>(config: &Config, server: Server<L>) -> Server<L> {
    let mut server = server
        .limits(config.limits)
        .timeouts(config.timeouts)
        .graceful_timeout(config.timeout_graceful.unwrap_or(Duration::MAX))
        .access_log(config.access_log);
    if let Some(connections) = config.connections_max {
        server = server.connections_max(connections);
    }
    if let Some(requests) = config.concurrency_max {
        server = server.concurrency_max(requests);
    }
    if let Some(requests) = config.requests_max {
        server = server.requests_max(requests);
    }
    server
}

/// Writes to the standard output, which may be closed; then nobody wants to know.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}
