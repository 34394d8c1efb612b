//! The side that tells.

use super::{about, folders, prepare};
use crate::serve::{Control, Status};
use evloop_runtime::JoinSet;
use evloop_runtime::future::{Either, race};
use evloop_runtime::io::AsyncWrite;
use evloop_runtime::net::{ListenOptions, UnixListener, UnixStream};
use evloop_runtime::time::{sleep, timeout};
use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

/// How many are told at once; the next wait until one of them has left.
const CLIENTS_MAX: usize = 16;
/// How many wait at most; who comes after them has to come again.
const BACKLOG: u32 = 64;
/// Who has not taken the line by then is dropped. It fits into the socket's buffer, unless there are very many workers.
const TOLD_IN: Duration = Duration::from_secs(5);
/// After an error that has nothing to do with a client.
const PAUSE: Duration = Duration::from_secs(1);

/// A control socket that listens. Its file is removed with it.
#[derive(Debug)]
pub(in crate::serve) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    pub(super) told_in: Duration,
}

impl ControlSocket {
    /// Listens where it is to, if anywhere. `master`: this process has workers.
    ///
    /// That nothing can be had in the default folders is told in the log: the server is worth more than its control socket.
    ///
    /// # Errors
    /// That it cannot listen at the path that was asked for; as [`UnixListener::bind`].
    ///
    /// # Panics
    /// When this thread is in no loop.
    pub(in crate::serve) fn open(control: &Control, master: bool) -> io::Result<Option<ControlSocket>> {
        match control {
            Control::At(path) => match ControlSocket::at(path.clone()) {
                Ok(socket) => Ok(Some(socket)),
                Err(error) => Err(io::Error::new(error.kind(), format!("there is no control socket: {error}"))),
            },
            Control::Auto if !master => Ok(None),
            Control::Auto | Control::On => Ok(ControlSocket::in_first_of(folders())),
            Control::Off => Ok(None),
        }
    }

    pub(super) fn in_first_of(folders: Vec<PathBuf>) -> Option<ControlSocket> {
        let name = format!("{}.sock", process::id());
        let mut errors = Vec::new();
        for folder in folders {
            match prepare(&folder).and_then(|()| ControlSocket::at(folder.join(&name))) {
                Ok(socket) => return Some(socket),
                Err(error) => errors.push(error.to_string()),
            }
        }
        log::warn!("there is no control socket: {}", errors.join("; "));
        None
    }

    fn at(path: PathBuf) -> io::Result<ControlSocket> {
        let listener = ListenOptions::new().backlog(BACKLOG).permissions(0o600).listen_unix(&path)?;
        Ok(ControlSocket { listener, path, told_in: TOLD_IN })
    }

    /// Where it is.
    pub(in crate::serve) fn path(&self) -> &Path {
        &self.path
    }

    /// Tells everybody who connects what `status` says at that moment, without end.
    ///
    /// # Cancel safety
    /// The socket is closed, and who is being told is cut off.
    pub(in crate::serve) async fn serve(self, status: impl Fn() -> Status) {
        let mut clients = JoinSet::new();
        loop {
            let (idle, full) = (clients.is_empty(), clients.len() >= CLIENTS_MAX);
            let next = async { if full { pending().await } else { self.listener.accept().await } };
            let left = async { if idle { pending().await } else { clients.join_next().await } };
            match race(next, left).await {
                Either::Left(Ok((stream, _))) => {
                    clients.spawn(tell(stream, status().to_json(), self.told_in));
                }
                Either::Left(Err(error)) => {
                    log::warn!("control socket: {}", about(self.path(), &error));
                    sleep(PAUSE).await;
                }
                Either::Right(_) => {}
            }
        }
    }
}

async fn tell(mut client: UnixStream, mut line: String, within: Duration) {
    line.push('\n');
    // Who hangs up early wants to know no more.
    drop(timeout(within, client.write_all(line.as_bytes())).await);
}
