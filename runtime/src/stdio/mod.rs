//! The standard streams, and terminals.
//!
//! A standard stream is shared: the shell has it, and whatever else runs in the same pipeline or on the same terminal. Whether
//! it waits (`O_NONBLOCK`) is a property of what is shared (the open file description, open(2)), so a program that sets it
//! makes others fail, also after its end. These streams never set it. What is behind a descriptor decides how it is done
//! instead, as in libuv:
//!
//! | behind it | reading | writing |
//! |---|---|---|
//! | a terminal, a pipe | opened anew by `/proc/self/fd`, so that the loop has a description of its own | the same |
//! | a socket | each call is told not to wait (`MSG_DONTWAIT`) | the same |
//! | a file, `/dev/null` | on the pool, one read after the other | at once: it goes to the kernel's memory |
//! | a terminal or pipe that may not be opened anew, as another user's | once `poll` says that there is something | at once |
//!
//! Only the last row can hold the loop: a read, when another process takes what `poll` has found in that very moment; a write,
//! until who reads there makes room.
//!
//! Nothing is kept back in the program: a write that is over is the kernel's, and a program that ends then has lost nothing.
//! One write is one call to the kernel, so no other comes between the bytes that it took; a pipe takes up to 4,096 bytes
//! (`PIPE_BUF`) wholly or not at all. Who writes longer texts from several tasks shares one [`Output`] among them, which one at
//! a time can borrow.
//!
//! [`std::io::stdin`] reads ahead into memory of its own, and `print!` keeps an unfinished line: mixed with these streams, the
//! first loses input and the second comes late ([`stdout`] has it written at its start).
//!
//! | file | what it gives |
//! |---|---|
//! | `input.rs` | what is read |
//! | `output.rs` | what is written |
//! | `tty.rs` | a terminal: size, keys |
//! | `raw.rs` | its raw modes, and the way back |

mod input;
mod output;
mod raw;
mod tty;

pub use input::Input;
pub use output::Output;
pub use raw::{RawKind, RawMode, restore_terminals};
pub use tty::{Tty, WindowSize};

use rustix::fs::{FileType, Mode, OFlags, fstat};
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The standard input, to be awaited.
///
/// # Errors
/// When it is closed, or there are no descriptors.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// Counts the bytes that it is given:
/// ```no_run
/// use evloop_runtime::io::AsyncRead;
///
/// evloop_runtime::block_on(async {
///     let mut stdin = evloop_runtime::stdio::stdin()?;
///     let (mut buf, mut total) = ([0; 4096], 0);
///     loop {
///         match stdin.read(&mut buf).await? {
///             0 => break,
///             read => total += read,
///         }
///     }
///     println!("{total}");
///     std::io::Result::Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn stdin() -> io::Result<Input> {
    Input::from_fd(io::stdin())
}

/// The standard output, to be awaited. What `print!` has kept back is written before, at once.
///
/// # Errors
/// When it is closed, or there are no descriptors; when what was kept back cannot be written.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// use evloop_runtime::io::AsyncWrite;
///
/// evloop_runtime::block_on(async {
///     let mut stdout = evloop_runtime::stdio::stdout()?;
///     stdout.write_all(b"Hello!\n").await
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn stdout() -> io::Result<Output> {
    io::stdout().flush()?;
    Output::from_fd(io::stdout())
}

/// The standard error output, to be awaited.
///
/// # Errors
/// When it is closed, or there are no descriptors.
///
/// # Panics
/// When this thread is in no loop.
#[track_caller]
pub fn stderr() -> io::Result<Output> {
    Output::from_fd(io::stderr())
}

/// What is behind a descriptor: libuv's `uv_guess_handle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A terminal.
    Terminal,
    /// A pipe, with a name or without.
    Pipe,
    /// A socket of any kind.
    Socket,
    /// A regular file.
    File,
    /// Another device, as `/dev/null`, or a directory.
    Other,
}

impl Kind {
    /// What is behind that descriptor.
    ///
    /// # Errors
    /// When it is closed.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::stdio::Kind;
    ///
    /// assert_eq!(Kind::of(std::fs::File::open("/dev/null")?)?, Kind::Other);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn of(fd: impl AsFd) -> io::Result<Kind> {
        let fd = fd.as_fd();
        Ok(match FileType::from_raw_mode(fstat(fd)?.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Fifo => Kind::Pipe,
            FileType::Socket => Kind::Socket,
            FileType::CharacterDevice if fd.is_terminal() => Kind::Terminal,
            _ => Kind::Other,
        })
    }
}

/// Opens anew what is behind a descriptor: the same terminal or pipe by a description of our own, which does not wait.
///
/// # Errors
/// What `open` says; and for the master of a pseudo-terminal, of which that would make another.
fn reopen(fd: BorrowedFd<'_>, access: OFlags) -> io::Result<OwnedFd> {
    if rustix::pty::ptsname(fd, Vec::new()).is_ok() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the master of a pseudo-terminal cannot be opened anew",
        ));
    }
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    Ok(rustix::fs::open(path, access | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Whether epoll has said that it does not take such a thing.
fn is_never_awaited(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EPERM)
}
