//! What no crate does with a descriptor: to take one by its number, and to set options that have no name elsewhere.
//!
//! A process may be started with descriptors that nobody in it owns: who started it opened them, and says in words which
//! number is what. Whoever takes such a one has no value to take it from, only an integer, and std rightly calls making an
//! owner of that unsafe: somebody may own it already, and would find it closed. So the number is not taken. It is
//! duplicated, which is safe, and the duplicate is owned. Who wants the rest gone has the number lead to `/dev/null`.

#![allow(
    unsafe_code,
    reason = "no crate duplicates a descriptor of which there is only the number, or sets these options"
)]

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

/// The lowest number a duplicate may get: 0 to 2 are the standard streams, even where they are closed.
const NUMBER_MIN: libc::c_int = 3;

/// A descriptor of our own for what is open under `number`. It is closed when a child process is started; `number` itself
/// stays as it is.
///
/// The caller makes sure that it is of a kind that is handed from process to process, and drops it at once if not: what else
/// is open in this process has its owner here, who may count on being the only one.
///
/// # Errors
/// `EBADF` when nothing is open under that number, `EMFILE` when there is none left for the duplicate.
pub(crate) fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: with `F_DUPFD_CLOEXEC` the call takes two integers and no pointer: it touches no memory of this process. It
    // closes and changes no descriptor that is open, and answers a number that is not with `EBADF`.
    let duplicate = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, NUMBER_MIN) };
    if duplicate == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call above has opened `duplicate`, and nobody but this function has been told of it: it is open, and the
    // owner that is made here is its only one.
    Ok(unsafe { OwnedFd::from_raw_fd(duplicate) })
}

/// Keeps what is open under `number` from the children that this process starts from now on.
///
/// # Errors
/// `EBADF` when nothing is open under that number.
pub(crate) fn keep_from_children(number: RawFd) -> io::Result<()> {
    // SAFETY: with `F_SETFD` the call takes two integers and no pointer: it touches no memory of this process, and leaves
    // the descriptor open for whoever has it.
    let status = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    if status == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Closes what is open under `number`, and has the number lead to `/dev/null` from then on, kept from children.
///
/// So the number is not free, and whoever believes that it is theirs, and closes it one day, closes nothing else.
///
/// # Errors
/// `EBADF` when nothing is open under that number, and what the system says of `/dev/null`.
pub(crate) fn let_go(number: RawFd) -> io::Result<()> {
    keep_from_children(number)?; // which says whether it is open
    let nothing = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    // SAFETY: the call takes three integers and no pointer: it touches no memory of this process. `number` was open, so none
    // becomes open that was not, and it is open afterwards for whoever has it.
    let status = unsafe { libc::dup3(nothing.as_raw_fd(), number, libc::O_CLOEXEC) };
    if status == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// An option of TCP sockets for which neither std nor socket2 has a name; tcp(7) has them.
#[derive(Debug, Clone, Copy)]
#[repr(i32)]
pub(crate) enum TcpOption {
    /// Connections are accepted with their first bytes, or after so many seconds.
    DeferAccept = libc::TCP_DEFER_ACCEPT,
    /// So many connections may bring bytes with their first packet.
    FastOpen = libc::TCP_FASTOPEN,
    /// The first bytes go with the first packet, where the peer allows it: 1 for yes.
    FastOpenConnect = libc::TCP_FASTOPEN_CONNECT,
}

/// Sets an option of a TCP socket.
///
/// # Errors
/// What `setsockopt` says.
pub(crate) fn set_tcp_option(socket: impl AsFd, option: TcpOption, value: u32) -> io::Result<()> {
    let socket = socket.as_fd();
    let length = libc::socklen_t::try_from(size_of::<u32>()).expect("a word is short");
    // SAFETY: the option's value is read from `value`, which lives until the call is over and is as long as `length` says,
    // and each of the options takes a word; nothing is written. The descriptor is open, since it is borrowed.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            option as i32,
            std::ptr::from_ref(&value).cast(),
            length,
        )
    };
    if status == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::{NUMBER_MIN, TcpOption, duplicate, keep_from_children, let_go, set_tcp_option};
    use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
    use std::io::{Read, Write, pipe};
    use std::os::fd::AsRawFd;

    #[test]
    fn duplicate_is_the_same_file_and_outlives_the_number() {
        let (mut reading, writing) = pipe().unwrap();
        let copy = duplicate(writing.as_raw_fd()).unwrap();
        assert!(copy.as_raw_fd() >= NUMBER_MIN && copy.as_raw_fd() != writing.as_raw_fd());
        drop(writing);
        std::io::PipeWriter::from(copy).write_all(b"by the copy").unwrap();
        let mut all = String::new();
        reading.read_to_string(&mut all).unwrap();
        assert_eq!(all, "by the copy", "and then the end: no other writer was left");
    }

    #[test]
    fn dropped_duplicate_leaves_the_number_open() {
        let (mut reading, mut writing) = pipe().unwrap();
        drop(duplicate(writing.as_raw_fd()).unwrap());
        writing.write_all(b"x").unwrap();
        reading.read_exact(&mut [0]).unwrap();
    }

    #[test]
    fn number_that_is_not_open_is_an_error() {
        for number in [-1, i32::MAX] {
            assert_eq!(duplicate(number).unwrap_err().raw_os_error(), Some(libc::EBADF));
            assert_eq!(keep_from_children(number).unwrap_err().raw_os_error(), Some(libc::EBADF));
        }
    }

    #[test]
    fn number_that_is_kept_from_children_is_closed_when_a_program_is_run() {
        let (reading, _writing) = pipe().unwrap();
        fcntl_setfd(&reading, FdFlags::empty()).unwrap();
        keep_from_children(reading.as_raw_fd()).unwrap();
        assert_eq!(fcntl_getfd(&reading).unwrap(), FdFlags::CLOEXEC);
    }

    #[test]
    fn number_that_is_let_go_leads_nowhere_and_is_not_free() {
        let (mut reading, mut writing) = pipe().unwrap();
        let number = writing.as_raw_fd();
        let_go(number).unwrap();
        assert_eq!(reading.read(&mut [0]).unwrap(), 0, "no writer is left");
        writing.write_all(b"to nobody").unwrap();
        assert_eq!(fcntl_getfd(&writing).unwrap(), FdFlags::CLOEXEC);
        assert_eq!(let_go(-1).unwrap_err().raw_os_error(), Some(libc::EBADF));
    }

    #[test]
    fn option_of_tcp_is_refused_where_there_is_none() {
        let (pair, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(set_tcp_option(&pair, TcpOption::DeferAccept, 1).is_err());
    }
}
