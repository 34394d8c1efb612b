//! The side that asks.

use super::{about, belongs_to, folders_of, user};
use crate::serve::Status;
use evloop_runtime::io::{AsyncRead, take};
use evloop_runtime::net::{UnixListener, UnixStream};
use evloop_runtime::time::timeout;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

/// A server that is well answers within a turn of its loop.
const TOLD_IN: Duration = Duration::from_secs(3);
/// A thousand workers would need less.
const BYTES_MAX: u64 = 1 << 22;

/// What a server tells at its control socket.
///
/// # Errors
/// `ConnectionRefused` when nobody listens there any more, `TimedOut` when the server does not answer within 3 seconds,
/// `InvalidData` when it is something else that answers, and what the system says. Each names the path.
///
/// # Panics
/// When this is awaited in no loop.
pub async fn ask(path: &Path) -> io::Result<Status> {
    ask_within(path, TOLD_IN).await
}

pub(super) async fn ask_within(path: &Path, limit: Duration) -> io::Result<Status> {
    let asked = async {
        let server = UnixStream::connect(path).await?; // an error names the path already
        told(server).await.map_err(|error| about(path, &error))
    };
    timeout(limit, asked).await.unwrap_or_else(|_| {
        let silent =
            io::Error::new(io::ErrorKind::TimedOut, "the server does not answer; is it stopped, or does it hang");
        Err(about(path, &silent))
    })
}

async fn told(server: UnixStream) -> io::Result<Status> {
    let (mut server, mut line) = (take(server, BYTES_MAX), Vec::new());
    server.read_to_end(&mut line).await?;
    if line.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server ended before it told anything"));
    }
    let no_text = |_| io::Error::new(io::ErrorKind::InvalidData, "no status, and no text");
    Status::from_json(&String::from_utf8(line).map_err(no_text)?)
}

/// The servers of this user that have control sockets in the default [folders](super::folders), and what they tell, or why
/// they do not. By their paths. Files of servers that are gone are removed.
///
/// # Panics
/// When this is awaited in no loop.
pub async fn servers() -> Vec<(PathBuf, io::Result<Status>)> {
    in_folders(&folders_of(user()), user()).await
}

pub(super) async fn in_folders(folders: &[PathBuf], user: u32) -> Vec<(PathBuf, io::Result<Status>)> {
    let mut servers = Vec::new();
    for path in
        folders.iter().filter(|folder| belongs_to(folder, user).unwrap_or(false)).flat_map(|folder| sockets(folder))
    {
        match ask(&path).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => remove_stale(&path),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => {}
            told => servers.push((path, told)),
        }
    }
    servers
}

/// What is called `PID.sock`, in the order of the names.
fn sockets(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut sockets: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|it| it == "sock")).collect();
    sockets.sort();
    sockets
}

/// Removes the file of a server that is gone, by the rules of those who listen: taken over for a moment, and left. So it does
/// not matter if another server begins to listen there right now.
fn remove_stale(path: &Path) {
    if let Err(error) = UnixListener::bind(path) {
        log::debug!("a stale control socket stays: {error}");
    }
}

/// The control socket of a process, which may be a worker or one of another user, and what its server tells.
///
/// # Errors
/// `NotFound` when there is no such process, or it has no socket in the default folders of its user; as [`ask`].
///
/// # Panics
/// When this is awaited in no loop.
pub async fn of_process(pid: u32) -> io::Result<(PathBuf, Status)> {
    let not_found = |text| Err(io::Error::new(io::ErrorKind::NotFound, text));
    let Ok(process) = fs::metadata(format!("/proc/{pid}")) else {
        return not_found(format!("there is no process {pid}"));
    };
    let folders = folders_of(process.uid());
    for folder in folders.iter().filter(|folder| belongs_to(folder, process.uid()).unwrap_or(false)) {
        let path = folder.join(format!("{pid}.sock"));
        if path.exists() {
            return ask(&path).await.map(|status| (path, status));
        }
    }
    for (path, status) in in_folders(&folders, process.uid()).await {
        if let Ok(status) = status
            && status.workers.iter().any(|worker| worker.pid == Some(pid))
        {
            return Ok((path, status));
        }
    }
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let folders = folders.join(" or ");
    not_found(format!("process {pid} has no control socket in {folders}; without workers, --control on gives it one"))
}
