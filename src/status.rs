//! `evloop status`: what servers tell at their control sockets, once or again and again.

use crate::cli::StatusView;
use crate::picture::Screen;
use evloop::serve::Status;
use evloop::serve::control::{self, ask, of_process, servers};
use evloop::time::{MissedTicks, interval};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Shows the server that is asked for, or the only one; where there are several, says which.
///
/// # Errors
/// That there is none, or that it does not answer.
pub(crate) fn show(view: &StatusView) -> io::Result<()> {
    let shown = evloop::run(async {
        let found = find(view.which.as_deref()).await.map_err(|error| misread(view, error));
        let (path, status) = match found? {
            Found::One(path, status) => (path, *status),
            Found::Several(servers) if view.watch.is_none() => return list(servers, view.json),
            Found::Several(servers) => {
                let pids: Vec<String> = servers.iter().map(|(path, told)| name(path, told)).collect();
                let text = format!("several servers run, {}: say which", pids.join(" and "));
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
        };
        match view.watch {
            Some(period) => watch(&path, status.pid, period, view.json).await,
            None => write(&if view.json { status.to_json() + "\n" } else { as_text(&status) }),
        }
    });
    // Nobody looks any more.
    shown.or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}

type Told = (PathBuf, io::Result<Status>);

enum Found {
    One(PathBuf, Box<Status>),
    Several(Vec<Told>),
}

/// `--watch 2` is taken for the process of that number, and perhaps was not meant so.
fn misread(view: &StatusView, error: io::Error) -> io::Error {
    match &view.which {
        Some(which) if view.watch.is_some() && which.parse::<u32>().is_ok() => {
            io::Error::new(error.kind(), format!("{error}; seconds are told as --watch={which}"))
        }
        _ => error,
    }
}

/// A number is that of a process; `./4711` would be a path.
async fn find(which: Option<&str>) -> io::Result<Found> {
    let one = |(path, status)| Found::One(path, Box::new(status));
    if let Some(which) = which {
        return match which.parse() {
            Ok(pid) => of_process(pid).await.map(one),
            Err(_) => ask(Path::new(which)).await.map(|status| one((which.into(), status))),
        };
    }
    let mut servers = servers().await;
    match servers.len() {
        0 => {
            let folders: Vec<String> = control::folders().iter().map(|folder| folder.display().to_string()).collect();
            let text = format!(
                "no server of this user has a control socket in {}; without workers, --control on gives it one",
                folders.join(" or ")
            );
            Err(io::Error::new(io::ErrorKind::NotFound, text))
        }
        1 => {
            let (path, status) = servers.remove(0);
            status.map(|status| one((path, status)))
        }
        _ => Ok(Found::Several(servers)),
    }
}

/// Each server in a line. Those that do not answer are told of on the standard error, where the lines are for a program.
fn list(servers: Vec<Told>, json: bool) -> io::Result<()> {
    let mut lines = Vec::new();
    for (path, told) in servers {
        match told {
            Ok(status) if json => lines.push(status.to_json()),
            Ok(status) => {
                lines.push(format!("{:7}  {}; {}", status.pid, visible(&status.binds.join(" ")), status.to_line()));
            }
            Err(error) if json => log_error(&error),
            Err(error) => lines.push(format!("{:>7}  {error}", name(&path, &Err(error.kind().into())))),
        }
    }
    if !json {
        lines.push("\nThese servers run; `evloop status PID` shows one of them.".to_owned());
    }
    lines.push(String::new());
    write(&lines.join("\n"))
}

/// Text from outside, without what would move the cursor.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn log_error(error: &io::Error) {
    drop(writeln!(io::stderr(), "evloop: {error}"));
}

/// The number of its process: as it tells, or by the name of its socket.
fn name(path: &Path, told: &io::Result<Status>) -> String {
    let stem = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    told.as_ref().map_or_else(|_| stem(), |status| status.pid.to_string())
}

/// Asks again and again, until the server is gone. On a terminal the table stays where it is; elsewhere there is a line whenever
/// something has changed, with the time and the process, and as JSON one each time.
///
/// # Errors
/// In the end always: that the server is gone.
async fn watch(path: &Path, pid: u32, period: Duration, json: bool) -> io::Result<()> {
    let in_place = !json && io::stdout().is_terminal();
    let (mut ticks, mut last) = (interval(period), String::new());
    ticks.set_missed_ticks(MissedTicks::Delay);
    if in_place {
        write("\x1b[2J")?;
    }
    loop {
        ticks.tick().await;
        let line = match ask(path).await {
            Ok(status) if json => status.to_json(),
            Ok(status) if in_place => {
                write(&frame(&as_text(&status)))?;
                continue;
            }
            Ok(status) => status.to_line(),
            Err(error) if error.kind() != io::ErrorKind::TimedOut => return Err(gone(path, pid, error)),
            Err(error) if in_place => {
                write(&frame(&error.to_string()))?;
                continue;
            }
            Err(error) if json => {
                log_error(&error);
                continue;
            }
            Err(error) => error.to_string(),
        };
        if json || line != last {
            let at = humantime::format_rfc3339_seconds(SystemTime::now());
            write(&if json { format!("{line}\n") } else { format!("{at}  {pid}  {line}\n") })?;
            last = line;
        }
    }
}

/// Nobody tells any more at the path where that process has. What else it may be that it does not is told as it is.
fn gone(path: &Path, pid: u32, error: io::Error) -> io::Error {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, NotFound, UnexpectedEof};
    match error.kind() {
        kind @ (ConnectionRefused | ConnectionReset | NotFound | UnexpectedEof) => {
            io::Error::new(kind, format!("the server in process {pid} is gone from {}", path.display()))
        }
        _ => error,
    }
}

/// What writes the text over the one before, from the upper left corner. What is longer or wider than the terminal is cut off.
fn frame(text: &str) -> String {
    let rows = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_row));
    let rows = if rows > 1 { rows - 1 } else { 23 }; // the last row is the cursor's
    let lines: Vec<&str> = text.lines().take(rows).collect();
    format!("\x1b[?7l\x1b[H{}\x1b[K\n\x1b[J\x1b[?7h", lines.join("\x1b[K\n")) // no line is wrapped, and nothing is left of the text before
}

/// As it fits the terminal; a file or another program gets all of it.
fn as_text(status: &Status) -> String {
    let screen = Screen::of_stdout();
    let columns = if io::stdout().is_terminal() { screen.columns } else { usize::MAX };
    status.to_text(columns, screen.colours)
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
