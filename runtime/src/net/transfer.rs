//! Bytes that never come to this program: from a file into a socket (sendfile(2)), from a socket into another (splice(2)).
//!
//! Both spare the copies into memory of ours and out of it. What a file holds that is not in the kernel's memory is read
//! from the disk meanwhile, which nothing in Linux can wait for in an event loop: where files are large and cold, read
//! them on the pool instead.

use super::split::Piped;
use crate::trace::{Side, charge_bytes};
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How much is moved at once: what a pipe holds by default, and little enough that a cold file does not hold the loop for
/// long.
const PIECE_BYTES: u64 = 64 * 1024;

/// Bytes of a file on their way into a stream; see [`TcpStream::send_file`](super::TcpStream::send_file).
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct SendFile<'a, S, F> {
    stream: &'a S,
    file: &'a F,
    range: Range<u64>,
    sent: u64,
}

impl<'a, S, F> SendFile<'a, S, F> {
    pub(super) fn new(stream: &'a S, file: &'a F, range: Range<u64>) -> SendFile<'a, S, F> {
        SendFile { stream, file, range, sent: 0 }
    }

    /// How many bytes have been sent until now: where to go on after a time-out.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }
}

impl<S: Piped, F: AsFd> Future for SendFile<'_, S, F> {
    type Output = io::Result<u64>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            let mut at = this.range.start.saturating_add(this.sent);
            let piece = usize::try_from(PIECE_BYTES.min(this.range.end.saturating_sub(at))).expect("a piece is small");
            if piece == 0 {
                return Poll::Ready(Ok(this.sent));
            }
            let moved = ready!(this.stream.poll_with(Side::Write, cx, &mut |socket| {
                Ok(rustix::fs::sendfile(socket, this.file, Some(&mut at), piece)?)
            }))?;
            if moved == 0 {
                return Poll::Ready(Ok(this.sent)); // the file is shorter than the range
            }
            this.sent += moved as u64;
            charge_bytes(moved);
        }
    }
}

/// All bytes of one stream on their way into another, without passing through this program's memory: see
/// [`forward`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Forward<'a, R, W> {
    from: &'a R,
    into: &'a W,
    /// Made at the first poll.
    pipe: Option<(OwnedFd, OwnedFd)>,
    /// Bytes that are in the pipe.
    held: usize,
    total: u64,
}

/// Moves all bytes that come from one stream into another, until the first ends, and gives how many they were. The other
/// is not ended then: shut it down where that is meant. For both ways, run two of them beside each other.
///
/// It costs a pipe, two system calls for up to 64 KiB, and no copy.
///
/// # Errors
/// What `splice` says of either stream, and when there are no descriptors for the pipe.
///
/// # Cancel safety
/// Bytes that are in the pipe when it is dropped are lost.
///
/// # Examples
/// ```
/// use evloop_runtime::io::{AsyncRead, AsyncWrite};
/// use evloop_runtime::net::{UnixStream, forward};
///
/// evloop_runtime::block_on(async {
///     let (mut client, near) = UnixStream::pair()?;
///     let (far, mut server) = UnixStream::pair()?;
///     client.write_all(b"through").await?;
///     client.shutdown().await?;
///     assert_eq!(forward(&near, &far).await?, 7);
///     drop(far);
///     let mut all = Vec::new();
///     server.read_to_end(&mut all).await?;
///     assert_eq!(all, b"through");
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
pub fn forward<'a, R: Piped, W: Piped>(from: &'a R, into: &'a W) -> Forward<'a, R, W> {
    Forward { from, into, pipe: None, held: 0, total: 0 }
}

impl<R: Piped, W: Piped> Future for Forward<'_, R, W> {
    type Output = io::Result<u64>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.pipe.is_none() {
            this.pipe = Some(pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?);
        }
        let (reading, writing) = this.pipe.as_ref().expect("made above");
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        loop {
            // The pipe is empty when it is filled, so that it has no room cannot be what makes the kernel say `WouldBlock`.
            if this.held == 0 {
                let piece = usize::try_from(PIECE_BYTES).expect("a piece is small");
                this.held = ready!(this.from.poll_with(Side::Read, cx, &mut |socket| {
                    Ok(splice(socket, None, writing, None, piece, flags)?)
                }))?;
                if this.held == 0 {
                    return Poll::Ready(Ok(this.total));
                }
                charge_bytes(this.held);
            }
            let moved = ready!(this.into.poll_with(Side::Write, cx, &mut |socket| {
                Ok(splice(reading, None, socket, None, this.held, flags)?)
            }))?;
            this.held -= moved;
            this.total += moved as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_on;
    use crate::future::join;
    use crate::io::{AsyncRead, AsyncWrite};
    use crate::net::{TcpListener, TcpStream, UnixStream};
    use std::io::{Seek, Write};

    const LARGE: usize = 3_000_000;

    fn bytes() -> Vec<u8> {
        (0..LARGE).map(|n| u8::try_from(n % 251).expect("small")).collect()
    }

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    async fn all(mut stream: impl AsyncRead) -> Vec<u8> {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        all
    }

    #[test]
    fn file_larger_than_the_socket_takes_arrives_whole_and_its_place_is_not_moved() {
        let bytes = bytes();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        block_on(async {
            let (near, far) = pair().await;
            let sending = async {
                let sent = near.send_file(&file, 1..u64::MAX).await.unwrap();
                drop(near);
                sent
            };
            let (count, read) = join(sending, all(far)).await;
            assert_eq!(count, LARGE as u64 - 1);
            assert!(read == bytes[1..]);
        });
        assert_eq!(file.stream_position().unwrap(), LARGE as u64);
    }

    #[test]
    fn part_of_a_file_is_sent_and_nothing_of_an_empty_range() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        block_on(async {
            let (near, far) = UnixStream::pair().unwrap();
            assert_eq!(near.send_file(&file, 3..6).await.unwrap(), 3);
            assert_eq!(near.send_file(&file, 6..6).await.unwrap(), 0);
            assert_eq!(near.send_file(&file, 90..99).await.unwrap(), 0);
            drop(near);
            assert_eq!(all(far).await, b"345");
        });
    }

    #[test]
    fn send_file_to_a_peer_that_has_gone_is_an_error() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes()).unwrap();
        block_on(async {
            let (near, far) = UnixStream::pair().unwrap();
            drop(far);
            let error = near.send_file(&file, 0..u64::MAX).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        });
    }

    #[test]
    fn forward_carries_more_than_all_buffers_hold_between_two_kinds_of_streams() {
        let bytes = bytes();
        block_on(async {
            let (mut client, near) = pair().await;
            let (far, server) = UnixStream::pair().unwrap();
            let write = async {
                client.write_all(&bytes).await.unwrap();
                client.shutdown().await.unwrap();
            };
            let pass = async {
                let moved = forward(&near, &far).await.unwrap();
                drop(far);
                moved
            };
            let (((), moved), read) = join(join(write, pass), all(server)).await;
            assert_eq!(moved, LARGE as u64);
            assert!(read == bytes);
        });
    }
}
