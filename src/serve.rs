//! The server that the program is: sockets, loop and application as the options say.

use crate::cli::{Place, Serve, say};
use crate::demo;
use crate::trace::{self, Trace};
use evloop::future::race;
use evloop::http::Server;
use evloop::http::access_log;
use evloop::http::asgi::App;
use evloop::http::files::Files;
use evloop::http::server::Listener;
use evloop::net::{Inherited, ListenOptions, lookup_host};
use evloop::observe::Watchdog;
use evloop::signal::{SignalKind, exit_on_second, signal};
use evloop::sync::CancellationToken;
use evloop::task::{self, AbortOnDrop};
use evloop::{Runtime, spawn_blocking, turn};
use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

/// What a process that a signal ended is told by: 128 and the signal's number.
const ENDED_BY_INTERRUPT: i32 = 130;

/// Serves, and writes down at the end what the loop did last, if that is wanted.
pub(crate) fn run(options: &Serve) -> io::Result<()> {
    log_to_stderr(options);
    let trace = options.trace.as_deref().map(|file| Trace::new(file, options.trace_records)).transpose()?;
    let mut builder = Runtime::builder();
    if let Some(trace) = &trace {
        builder = builder.observer(trace.tape());
    }
    if let Some(slow) = options.slow_ms {
        builder = builder.watchdog(Watchdog::new(Duration::from_millis(slow)));
    }
    let serving = Serving { options, trace, stopping: CancellationToken::new() };
    let served = builder.build()?.block_on(serving.serve());
    served.and(serving.trace.map_or(Ok(()), |trace| trace.write()))
}

/// What is served, and how.
struct Serving<'a> {
    options: &'a Serve,
    trace: Option<Rc<Trace>>,
    /// Cancelled when the server begins to stop.
    stopping: CancellationToken,
}

impl Serving<'_> {
    async fn serve(&self) -> io::Result<()> {
        if let Some(trace) = &self.trace {
            drop(task::Builder::new().name("trace").spawn(Rc::clone(trace).write_on_signal()?));
        }
        if let Some(folder) = &self.options.dir {
            return self.listen(Files::new(folder)?.listing(self.options.listing)).await;
        }
        let demo = demo::app(&demo::Live::new(self.stopping.clone()));
        self.listen(trace::with_route(demo, self.trace.as_ref())).await
    }

    async fn listen(&self, app: impl App) -> io::Result<()> {
        let listen = ListenOptions::new().backlog(self.options.backlog);
        match &self.options.place {
            Place::Inet(host, port) => {
                let addresses = lookup_host((&**host, *port)).await?;
                let listener = listen.listen(addresses[0])?;
                let place = format!("http://{}/", listener.local_addr()?);
                self.serve_at(listener, &place, app).await
            }
            Place::Unix(path) => {
                let listener = listen.listen_unix(path)?;
                self.serve_at(listener, &format!("unix:{}", path.display()), app).await
            }
            Place::Inherited(number) => {
                let place = format!("descriptor {number}");
                match Inherited::from_fd(*number)? {
                    Inherited::Tcp(listener) => self.serve_at(listener, &place, app).await,
                    Inherited::Unix(listener) => self.serve_at(listener, &place, app).await,
                }
            }
        }
    }

    async fn serve_at(&self, listener: impl Listener, place: &str, app: impl App) -> io::Result<()> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::INTERRUPT)?, signal(SignalKind::TERMINATE)?);
        let _teller = tell_on_signal()?;
        exit_on_second(&[SignalKind::INTERRUPT, SignalKind::TERMINATE], ENDED_BY_INTERRUPT)?;
        say(&format!("evloop serves {place} (Ctrl-C ends it)\n"));
        let stop = async {
            race(interrupt.recv(), terminate.recv()).await;
            log::info!("stopping: requests that have begun are finished; once more ends them");
        };
        match self.configured(Server::new(listener)).serve_until(app, stop).await? {
            0 => log::info!("all connections have ended"),
            ended => log::warn!("{ended} connections were ended before their requests were answered"),
        }
        Ok(())
    }

    fn configured<L: Listener>(&self, server: Server<L>) -> Server<L> {
        let options = self.options;
        let mut server = server
            .timeouts(options.timeouts)
            .graceful_timeout(options.graceful.unwrap_or(Duration::MAX))
            .access_log(options.access_log)
            .stopping(self.stopping.clone());
        if let Some(connections) = options.connections_max {
            server = server.connections_max(connections);
        }
        if let Some(requests) = options.concurrency_max {
            server = server.concurrency_max(requests);
        }
        if let Some(requests) = options.requests_max {
            server = server.requests_max(requests);
        }
        server
    }
}

/// Writes to the standard error what each task waits for, whenever SIGUSR1 comes; not SIGQUIT, as the JVM and Go have it,
/// because supervisors end servers of Python and nginx by that.
fn tell_on_signal() -> io::Result<AbortOnDrop<()>> {
    let mut asked = signal(SignalKind::USER_DEFINED_1)?;
    let teller = task::Builder::new().name("dump").spawn(async move {
        while asked.recv().await.is_ok() {
            let dump = turn::dump().to_string();
            // By the pool: who reads the standard error may be slow.
            drop(spawn_blocking(move || io::stderr().write_all(dump.as_bytes())).await);
        }
    });
    Ok(teller.abort_on_drop())
}

/// Lines of the access log are printed as they are, for the programs that read them; others say when and how bad.
fn log_to_stderr(options: &Serve) {
    let mut logger = env_logger::Builder::new();
    logger.filter_level(options.log_level);
    let usual = env_logger::fmt::ConfigurableFormat::default();
    logger.format(move |out, record| {
        if record.target() == access_log::TARGET {
            writeln!(out, "{}", record.args())
        } else {
            usual.format(out, record)
        }
    });
    logger.init();
}
