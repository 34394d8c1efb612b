//! The command: `evloop` serves the demo, and says how to be asked for more.

mod cli;
mod demo;
mod lab;
mod picture;
mod replay;
mod trace;

use cli::{Command, Lab, Place, Serve, Svg, TraceView};
use evloop::Runtime;
use evloop::future::race;
use evloop::http::Server;
use evloop::http::access_log;
use evloop::http::asgi::App;
use evloop::http::files::Files;
use evloop::http::server::Listener;
use evloop::net::{Inherited, ListenOptions, lookup_host};
use evloop::observe::Watchdog;
use evloop::signal::{SignalKind, exit_on_second, signal};
use evloop::spawn_blocking;
use evloop::task::{self, AbortOnDrop};
use evloop::turn;
use evloop::sync::CancellationToken;
use picture::{Picture, Screen};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;
use trace::Trace;

/// What a process that a signal ended is told by: 128 and the signal's number.
const ENDED_BY_INTERRUPT: i32 = 130;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os().skip(1)) {
        Ok(Command::Print(text)) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Ok(Command::Serve(options)) => {
            log_to_stderr(&options);
            match run(&options) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => complain(&error, 1),
            }
        }
        Ok(Command::Lab(options)) => experiment(options),
        Ok(Command::Trace(options)) => shown_trace(&options),
        Ok(Command::Why(options)) => match replay::why(&options.file, &options.tasks) {
            Ok(text) => {
                say(&text);
                ExitCode::SUCCESS
            }
            Err(error) => complain(&error, 1),
        },
        Err(error) => complain(&error, 2),
    }
}

/// Lists the experiments, or runs one.
fn experiment(options: Lab) -> ExitCode {
    let Some(name) = options.name else {
        say(&lab::list());
        return ExitCode::SUCCESS;
    };
    let experiment = match lab::find(&name) {
        Ok(experiment) => experiment,
        Err(error) => return complain(&error, 2),
    };
    let file = match options.svg {
        Svg::Named => Some(PathBuf::from(format!("evloop-lab-{}.svg", experiment.name))),
        Svg::File(file) => Some(file),
        Svg::Nowhere => None,
    };
    match (experiment.run)().and_then(|picture| show(&picture, file.as_deref())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error, 1),
    }
}

/// Prints a trace in numbers and as a time line, and draws that.
fn shown_trace(options: &TraceView) -> ExitCode {
    let (summary, picture) = match replay::show(&options.file, &options.turns) {
        Ok(shown) => shown,
        Err(error) => return complain(&error, 1),
    };
    say(&format!("{summary}\n"));
    match show(&picture, options.svg.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error, 1),
    }
}

/// Prints a picture, and draws it into a file.
fn show(picture: &Picture, svg: Option<&Path>) -> io::Result<()> {
    say(&picture.to_text(Screen::of_stdout()));
    let Some(file) = svg else { return Ok(()) };
    fs::write(file, picture.to_svg())
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
    say(&format!("\nThe same as a drawing: {}\n", file.display()));
    Ok(())
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

/// Serves, and writes down at the end what the loop did last, if that is wanted.
fn run(options: &Serve) -> io::Result<()> {
    let trace = options.trace.as_deref().map(|file| Trace::new(file, options.trace_records)).transpose()?;
    let mut builder = Runtime::builder();
    if let Some(trace) = &trace {
        builder = builder.observer(trace.tape());
    }
    if let Some(slow) = options.slow_ms {
        builder = builder.watchdog(Watchdog::new(Duration::from_millis(slow)));
    }
    let served = builder.build()?.block_on(serve(options, trace.as_ref()));
    served.and(trace.map_or(Ok(()), |trace| trace.write()))
}

async fn serve(options: &Serve, trace: Option<&Rc<Trace>>) -> io::Result<()> {
    if let Some(trace) = trace {
        drop(task::Builder::new().name("trace").spawn(Rc::clone(trace).write_on_signal()?));
    }
    match &options.dir {
        Some(folder) => {
            let files = Files::new(folder)?.listing(options.listing);
            serve_app(files, options).await
        }
        None => serve_app(trace::with_route(demo::app(), trace), options).await,
async fn serve(options: Serve) -> io::Result<()> {
    let stopping = CancellationToken::new();
    match &options.dir {
        Some(folder) => {
            let files = Files::new(folder)?.listing(options.listing);
            serve_app(files, stopping, &options).await
        }
        None => serve_app(demo::app(&demo::Live::new(stopping.clone())), stopping, &options).await,
    }
}

async fn serve_app(app: impl App, stopping: CancellationToken, options: &Serve) -> io::Result<()> {
    let listen = ListenOptions::new().backlog(options.backlog);
    match &options.place {
        Place::Inet(host, port) => {
            let addresses = lookup_host((&**host, *port)).await?;
            let listener = listen.listen(addresses[0])?;
            let place = format!("http://{}/", listener.local_addr()?);
            serve_at(Server::new(listener), app, stopping, options, &place).await
        }
        Place::Unix(path) => {
            let listener = listen.listen_unix(path)?;
            let place = format!("unix:{}", path.display());
            serve_at(Server::new(listener), app, stopping, options, &place).await
        }
        Place::Inherited(number) => {
            let place = format!("descriptor {number}");
            match Inherited::from_fd(*number)? {
                Inherited::Tcp(listener) => serve_at(Server::new(listener), app, stopping, options, &place).await,
                Inherited::Unix(listener) => serve_at(Server::new(listener), app, stopping, options, &place).await,
            }
        }
    }
}

async fn serve_at<L: Listener>(
    server: Server<L>,
    app: impl App,
    stopping: CancellationToken,
    options: &Serve,
    place: &str,
) -> io::Result<()> {
    let mut server = server
        .timeouts(options.timeouts)
        .graceful_timeout(options.graceful.unwrap_or(Duration::MAX))
        .access_log(options.access_log)
        .stopping(stopping);
    if let Some(connections) = options.connections_max {
        server = server.connections_max(connections);
    }
    if let Some(requests) = options.concurrency_max {
        server = server.concurrency_max(requests);
    }
    if let Some(requests) = options.requests_max {
        server = server.requests_max(requests);
    }
    let (mut interrupt, mut terminate) = (signal(SignalKind::INTERRUPT)?, signal(SignalKind::TERMINATE)?);
    let _teller = tell_on_signal()?;
    exit_on_second(&[SignalKind::INTERRUPT, SignalKind::TERMINATE], ENDED_BY_INTERRUPT)?;
    say(&format!("evloop serves {place} (Ctrl-C ends it)\n"));
    let stop = async {
        race(interrupt.recv(), terminate.recv()).await;
        log::info!("stopping: requests that have begun are finished; once more ends them");
    };
    match server.serve_until(app, stop).await? {
        0 => log::info!("all connections have ended"),
        ended => log::warn!("{ended} connections were ended before their requests were answered"),
    }
    Ok(())
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

/// Writes to the standard output, which may be closed; then nobody wants to know.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

fn complain(error: &dyn std::fmt::Display, status: u8) -> ExitCode {
    drop(writeln!(io::stderr(), "evloop: {error}"));
    ExitCode::from(status)
}
