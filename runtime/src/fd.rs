//! Any descriptor: what epoll takes can be awaited, whether or not there is a door of its own for it.
//!
//! Pipes, terminals, eventfds, timerfds, inotify, sockets of other libraries: an [`AsyncFd`] waits until they are ready
//! and leaves what is done with them to its user. It is libuv's `uv_poll_t` and asyncio's `add_reader`.

pub use crate::registered::Ready;
pub use crate::trace::Side;

use crate::io::{AsyncRead, AsyncWrite};
use crate::registered::Registered;
use crate::sys::source::FdSource;
use crate::trace::charge_bytes;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::task::{Context, Poll, ready};

/// A descriptor, or what owns one, registered with the loop of this thread.
///
/// It is registered for edges: what is ready stays ready until an operation through [`with`](AsyncFd::with),
/// [`try_with`](AsyncFd::try_with) or [`poll_with`](AsyncFd::poll_with) says `WouldBlock`. Then the kernel is waited for.
///
/// Where bytes are read and written as with a file (`read(2)`, `write(2)`), [`AsyncRead`] and [`AsyncWrite`] do it, for
/// `&AsyncFd` too: one task may read while another writes.
///
/// The descriptor should be non-blocking ([`set_nonblocking`](AsyncFd::set_nonblocking)); it is not made so here, because
/// whoever shares it (a terminal, with the shell) would see that. An operation on one that blocks holds the loop where it
/// has to wait.
///
/// # Examples
/// An eventfd, which counts what other threads add to it:
/// ```
/// use evloop_runtime::fd::{AsyncFd, Side};
/// use rustix::event::{EventfdFlags, eventfd};
///
/// evloop_runtime::block_on(async {
///     let counter = AsyncFd::new(eventfd(0, EventfdFlags::NONBLOCK)?)?;
///     let theirs = counter.get_ref().try_clone()?;
///     let thread = std::thread::spawn(move || rustix::io::write(&theirs, &3_u64.to_ne_bytes()));
///
///     let mut count = [0; 8];
///     counter.with(Side::Read, |fd| Ok(rustix::io::read(fd, &mut count)?)).await?;
///     assert_eq!(u64::from_ne_bytes(count), 3);
///     thread.join().unwrap()?;
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct AsyncFd<T: AsFd> {
    io: Registered<FdSource<T>>,
}

impl<T: AsFd> AsyncFd<T> {
    /// Registers a descriptor.
    ///
    /// # Errors
    /// What epoll cannot wait for, as a regular file or a directory, is told by name (`EPERM`); so is a descriptor that is
    /// registered with this loop already (`EEXIST`).
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn new(fd: T) -> io::Result<AsyncFd<T>> {
        let number = fd.as_fd().as_raw_fd();
        let io = Registered::new(FdSource(fd)).map_err(|error| explained(number, error))?;
        Ok(AsyncFd { io })
    }

    /// What owns the descriptor.
    pub fn get_ref(&self) -> &T {
        &self.io.get().0
    }

    /// Ends the registration and gives the owner back.
    ///
    /// # Errors
    /// What `epoll_ctl` says.
    pub fn into_inner(self) -> io::Result<T> {
        self.io.into_inner().map(|source| source.0)
    }

    /// Sets whether operations that would have to wait say so (`O_NONBLOCK`), for all who share what is open.
    ///
    /// # Errors
    /// What `fcntl` says.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(self.get_ref(), nonblocking)?)
    }

    /// Waits until an operation on that side is worth trying: there is something to read, room to write, an error or a
    /// hang-up. Priority data, such as TCP's urgent byte, is something to read, too. It says so until an operation finds otherwise, which it is told of by [`spend`](AsyncFd::spend).
    pub fn ready(&self, side: Side) -> Ready<'_> {
        self.io.ready(side)
    }

    /// Notes that an operation on that side has said `WouldBlock`: the next wait is for news from the kernel. To be called
    /// after that alone; else what is there, or the end of it, is waited for in vain.
    pub fn spend(&self, side: Side) {
        self.io.refuse(side);
    }

    /// Does `operate`, and waits and does it again for as long as it says `WouldBlock`.
    ///
    /// # Errors
    /// What `operate` says, or that the loop has ended.
    ///
    /// # Cancel safety
    /// Dropped while it waits, `operate` has done nothing but say `WouldBlock`.
    pub async fn with<R>(&self, side: Side, mut operate: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        loop {
            self.ready(side).await?;
            match self.try_with(side, &mut operate) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                done => return done,
            }
        }
    }

    /// Does `operate` once, if that side may be ready, and does not wait.
    ///
    /// # Errors
    /// `WouldBlock`, and what `operate` says.
    pub fn try_with<R>(&self, side: Side, operate: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        self.io.try_io(side, |source| operate(&source.0))
    }

    /// Does `operate`; while it says `WouldBlock`, the task is woken at the next edge of that side. At one time, one task
    /// waits for each side.
    ///
    /// # Errors
    /// What `operate` says, or that the loop has ended.
    pub fn poll_with<R>(
        &self,
        side: Side,
        cx: &mut Context<'_>,
        mut operate: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.io.poll_io(side, cx, |source| operate(&source.0))
    }

    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new one does not: the task that uses it
    /// does.
    pub fn set_referenced(&self, referenced: bool) {
        self.io.set_referenced(referenced);
    }
}

/// The kernel's word on a registration, made plain.
fn explained(number: i32, error: io::Error) -> io::Error {
    let why = match error.raw_os_error() {
        Some(libc::EPERM) => "epoll cannot wait for it: a regular file or a directory is always ready, use `fs`",
        Some(libc::EEXIST) => "it is registered with this loop already",
        _ => return error,
    };
    io::Error::new(error.kind(), format!("descriptor {number}: {why}"))
}

impl<T: AsFd> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: AsFd> AsyncRead for &AsyncFd<T> {
    /// A short read does not spend the edge, as it does with TCP: a terminal gives a line at a time and a pipe may give a
    /// packet, and what is behind it would bring no edge.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = ready!(self.io.poll_io(Side::Read, cx, |mut source| io::Read::read(&mut source, buf)))?;
        charge_bytes(read);
        Poll::Ready(Ok(read))
    }
}

impl<T: AsFd> AsyncRead for AsyncFd<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        (&*self).poll_read(cx, buf)
    }
}

impl<T: AsFd> AsyncWrite for &AsyncFd<T> {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.io.poll_write(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.io.poll_write(cx, bufs)
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // what is written is the kernel's
    }

    /// Does nothing: a descriptor has no side that could be ended but by closing it.
    fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl<T: AsFd> AsyncWrite for AsyncFd<T> {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        (&*self).poll_write(cx, buf)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        (&*self).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (&*self).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (&*self).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_on;
    use crate::future::join;
    use std::io::ErrorKind;
    use std::os::fd::OwnedFd;

    fn pipe() -> (AsyncFd<OwnedFd>, AsyncFd<OwnedFd>) {
        let (reading, writing) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::NONBLOCK).unwrap();
        (AsyncFd::new(reading).unwrap(), AsyncFd::new(writing).unwrap())
    }

    #[test]
    fn pipe_carries_more_than_it_holds() {
        block_on(async {
            let (reading, writing) = pipe();
            let sent: Vec<u8> = (0..300_000_u32).map(|n| n.to_ne_bytes()[0]).collect();
            let write = async {
                (&writing).write_all(&sent).await.unwrap();
                drop(writing);
            };
            let read = async {
                let mut all = Vec::new();
                (&reading).read_to_end(&mut all).await.unwrap();
                all
            };
            assert!(join(write, read).await.1 == sent);
        });
    }

    #[test]
    fn packets_of_a_pipe_are_read_one_after_the_other_though_each_is_short() {
        use rustix::pipe::{PipeFlags, pipe_with};
        block_on(async {
            let (reading, writing) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::DIRECT).unwrap();
            let mut reading = AsyncFd::new(reading).unwrap();
            for packet in [b"one", b"two"] {
                rustix::io::write(&writing, packet).unwrap();
            }
            for packet in [b"one", b"two"] {
                let mut buf = [0; 16];
                assert_eq!(reading.read(&mut buf).await.unwrap(), 3);
                assert_eq!(&buf[..3], packet);
            }
        });
    }

    #[test]
    fn poll_oob() {
        use rustix::net::{RecvFlags, SendFlags, recv, send};
        block_on(async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let theirs = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let ours = AsyncFd::new(listener.accept().unwrap().0).unwrap();
            ours.set_nonblocking(true).unwrap();
            let urgent = |fd: &std::net::TcpStream, buf: &mut [u8]| Ok(recv(fd, buf, RecvFlags::OOB)?.0);
            ours.spend(Side::Read);
            let (ready, sent) = join(ours.ready(Side::Read), async { send(&theirs, b"!", SendFlags::OOB) }).await;
            ready.unwrap();
            assert_eq!(sent, Ok(1));
            let mut byte = [0];
            assert_eq!(ours.try_with(Side::Read, |fd| urgent(fd, &mut byte)).unwrap(), 1);
            assert_eq!(&byte, b"!");
        });
    }

    #[test]
    fn regular_file_is_refused_by_name() {
        block_on(async {
            let error = AsyncFd::new(tempfile::tempfile().unwrap()).unwrap_err();
            assert!(error.to_string().contains("regular file"), "{error}");
        });
    }

    #[test]
    fn descriptor_is_registered_once() {
        block_on(async {
            let (reading, _writing) = pipe();
            let error = AsyncFd::new(reading.as_fd()).unwrap_err();
            assert!(error.to_string().contains("already"), "{error}");
        });
    }

    #[test]
    fn try_does_not_wait_and_ready_does() {
        block_on(async {
            let (reading, writing) = pipe();
            let read = |fd: &OwnedFd| Ok(rustix::io::read(fd, &mut [0; 8])?);
            assert_eq!(reading.try_with(Side::Read, read).unwrap_err().kind(), ErrorKind::WouldBlock);
            let write = async { rustix::io::write(&writing, b"x").unwrap() };
            let (waited, _) = join(reading.ready(Side::Read), write).await;
            waited.unwrap();
            assert_eq!(reading.try_with(Side::Read, read).unwrap(), 1);
        });
    }

    #[test]
    fn side_that_is_spent_waits_though_there_was_an_error() {
        block_on(async {
            let gone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(gone.local_addr().unwrap()).unwrap();
            drop(gone);
            let socket = AsyncFd::new(socket).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket.spend(Side::Read);
            socket.get_ref().send(b"to nobody").unwrap();
            for expected in [ErrorKind::ConnectionRefused, ErrorKind::WouldBlock] {
                socket.ready(Side::Read).await.unwrap();
                assert_eq!(socket.get_ref().recv(&mut [0; 8]).unwrap_err().kind(), expected);
            }
            socket.spend(Side::Read);
            assert_eq!(socket.try_with(Side::Read, |_| Ok(())).unwrap_err().kind(), ErrorKind::WouldBlock);
        });
    }

    #[test]
    fn dropped_wait_leaves_no_waker() {
        block_on(async {
            let (reading, _writing) = pipe();
            reading.spend(Side::Read);
            let task = crate::spawn(async move { reading.ready(Side::Read).await });
            crate::future::yield_now().await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        });
    }

    #[test]
    fn owner_comes_back_and_can_be_registered_again() {
        block_on(async {
            let (reading, _writing) = pipe();
            let fd = reading.into_inner().unwrap();
            AsyncFd::new(fd).unwrap();
        });
    }
}
