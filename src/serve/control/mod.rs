//! The control socket: where a server tells how it does.
//!
//! It is a Unix domain socket. Whoever connects is told the [`Status`] as one line of JSON, and that is the end of the
//! connection; nothing is read from it, so nobody can bring the server to do anything. The file has mode 0600: only the user
//! whose server it is may connect, and root.
//!
//! Without a path of its own it is `PID.sock` in the first of these [folders] that can be had, all of mode 0700:
//!
//! 1. `$XDG_RUNTIME_DIR/evloop`, where that is not the usual folder but one that somebody has chosen; else
//!    `/run/user/UID/evloop`, which is there while the user is logged in, and for root `/run/evloop`;
//! 2. `evloop-UID` in the folder for temporary files, as tmux has it. There others may write, too, so it is not used, nor
//!    believed, when it is not the user's own.
//!
//! The file of a server that was killed is replaced or removed by the next who looks; that of a server which lives never is.
//!
//! ```no_run
//! use evloop::serve::control;
//!
//! fn main() -> evloop::Result<()> {
//!     evloop::run(async {
//!         for (path, status) in control::servers().await {
//!             println!("{}: {}", path.display(), status?.to_line());
//!         }
//!         Ok(())
//!     })
//! }
//! ```

mod client;
mod server;
#[cfg(test)]
mod tests;

pub use client::{ask, of_process, servers};
pub(super) use server::ControlSocket;

#[cfg(doc)]
use super::Status;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{env, io};

/// The folders in which the servers of this user may have their control sockets.
#[must_use]
pub fn folders() -> Vec<PathBuf> {
    folders_of(user())
}

/// Who this process acts for.
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn folders_of(user: u32) -> Vec<PathBuf> {
    let told = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|_| user == self::user());
    folders_from(user, told, &env::temp_dir())
}

fn folders_from(user: u32, runtime: Option<PathBuf>, temporary: &Path) -> Vec<PathBuf> {
    let usual = PathBuf::from(format!("/run/user/{user}"));
    let mut folders = match runtime {
        Some(chosen) if chosen.is_absolute() && chosen != usual => vec![chosen],
        _ if user == 0 => vec![usual, "/run".into()],
        _ => vec![usual],
    };
    for folder in &mut folders {
        folder.push("evloop");
    }
    folders.push(temporary.join(format!("evloop-{user}")));
    folders
}

/// Makes the folder, if need be, in which only this user may look.
fn prepare(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(about(folder, &error)),
        _ => {}
    }
    if !belongs_to(folder, user())? {
        let foreign = io::Error::new(io::ErrorKind::PermissionDenied, "this is no folder of this user");
        return Err(about(folder, &foreign));
    }
    if fs::metadata(folder)?.mode() & 0o077 != 0 {
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Whether it is a folder of that user. One that a link leads to is not: the link may be anybody's.
fn belongs_to(folder: &Path, user: u32) -> io::Result<bool> {
    let found = fs::symlink_metadata(folder)?;
    Ok(found.is_dir() && found.uid() == user)
}

/// The error with the path that it is about.
fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
