//! The command: `evloop` serves the demo, and says how to be asked for more.

mod cli;
mod demo;

use cli::{Command, Serve};
use evloop::future::race;
use evloop::http::Server;
use evloop::net::lookup_host;
use evloop::signal::{Signal, SignalKind, signal};
use std::io::{self, Write};
use std::process::ExitCode;

/// What a process that a signal ended is told by: 128 and the signal's number.
const ENDED_BY_INTERRUPT: i32 = 130;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os().skip(1)) {
        Ok(Command::Print(text)) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Ok(Command::Serve(options)) => {
            env_logger::Builder::new().filter_level(options.log_level).init();
            match evloop::run(serve(options)) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => complain(&error, 1),
            }
        }
        Err(error) => complain(&error, 2),
    }
}

async fn serve(options: Serve) -> io::Result<()> {
    let addresses = lookup_host((&*options.host, options.port)).await?;
    let server = Server::bind(addresses[0])?;
    let signals = (signal(SignalKind::INTERRUPT)?, signal(SignalKind::TERMINATE)?);
    say(&format!("evloop serves http://{}/ (Ctrl-C ends it)\n", server.local_addr()?));
    let ended = server.serve_until(demo::app(), stop(signals)).await?;
    match ended {
        0 => log::info!("all connections have ended"),
        ended => log::warn!("{ended} connections were ended before their requests were answered"),
    }
    Ok(())
}

/// Waits for the first signal; the next one ends the process at once.
async fn stop((mut interrupt, mut terminate): (Signal, Signal)) {
    first(&mut interrupt, &mut terminate).await;
    log::info!("stopping: requests that have begun are finished; once more ends them");
    drop(evloop::spawn(async move {
        first(&mut interrupt, &mut terminate).await;
        std::process::exit(ENDED_BY_INTERRUPT);
    }));
}

async fn first(interrupt: &mut Signal, terminate: &mut Signal) {
    race(interrupt.recv(), terminate.recv()).await;
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
