//! A stream and a codec.

use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};

use super::{Decoder, Encoder, WRITE_BYTES_MAX};
use crate::io::read_into::poll_read_buf;
use crate::io::{AsyncRead, AsyncWrite, TooLong};

/// A stream of messages: what [`next`](Framed::next) reads, and [`send`](Framed::send) writes.
///
/// The stream may be one that reads only, or writes only: it then has the methods of that side. A buffer that is not
/// used is not allocated. Both ways by two tasks: [`split`](crate::io::split()) the stream first, and give each half a
/// codec.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, io::duplex, io::framed::{Framed, LinesCodec}};
///
/// let (client, server) = duplex(64);
/// let mut client = Framed::new(client, LinesCodec::new(80));
/// let mut server = Framed::new(server, LinesCodec::new(80));
/// block_on(async {
///     client.feed("one").await?;
///     client.send("two").await?; // and all before it
///     client.close().await?;
///     let mut lines = Vec::new();
///     while let Some(line) = server.next().await? {
///         lines.push(line);
///     }
///     assert_eq!(lines, ["one", "two"]);
///     std::io::Result::Ok(())
/// })
/// .unwrap();
/// ```
pub struct Framed<S, C> {
    stream: S,
    codec: C,
    /// Read and not yet decoded.
    read: BytesMut,
    /// Encoded and not yet written.
    write: BytesMut,
    /// The stream has come to its end, and is not asked again.
    ended: bool,
}

/// A [`Framed`] of which only the reading side is used; the name that the field has for it.
pub type FramedRead<R, D> = Framed<R, D>;

/// A [`Framed`] of which only the writing side is used; the name that the field has for it.
pub type FramedWrite<W, E> = Framed<W, E>;

impl<S, C> Framed<S, C> {
    /// Messages of `codec` over `stream`.
    pub fn new(stream: S, codec: C) -> Framed<S, C> {
        Framed::with_read(stream, codec, BytesMut::new())
    }

    /// As [`new`](Framed::new), when some bytes were read from the stream already: those come first. So a protocol can
    /// change its codec midway.
    pub fn with_read(stream: S, codec: C, read: BytesMut) -> Framed<S, C> {
        Framed { stream, codec, read, write: BytesMut::new(), ended: false }
    }

    /// The stream below.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream below; what is read from it or written to it directly goes past the messages in the buffers.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The codec.
    pub fn codec(&self) -> &C {
        &self.codec
    }

    /// The codec.
    pub fn codec_mut(&mut self) -> &mut C {
        &mut self.codec
    }

    /// What was read and is no message yet.
    pub fn unread(&self) -> &[u8] {
        &self.read
    }

    /// What was encoded and is not the stream's yet.
    pub fn unwritten(&self) -> &[u8] {
        &self.write
    }

    /// The stream, the codec, and what was read and is no message yet. What is [unwritten](Framed::unwritten) is lost.
    pub fn into_parts(self) -> (S, C, BytesMut) {
        (self.stream, self.codec, self.read)
    }
}

#[expect(clippy::should_implement_trait, reason = "it is that method, to be awaited")]
impl<S: AsyncRead, C: Decoder> Framed<S, C> {
    /// The next message, or `None` at the end of the stream.
    ///
    /// # Errors
    /// What the stream or the decoder reports, and [`ErrorKind::InvalidData`] with [`TooLong`] inside when more bytes
    /// have come than the decoder takes for a message. A stream that ends inside a message is
    /// [`ErrorKind::UnexpectedEof`], unless the decoder says otherwise.
    ///
    /// # Cancel safety
    /// Nothing is lost: what was read is in the buffer.
    pub fn next(&mut self) -> NextFrame<'_, S, C> {
        NextFrame { framed: self }
    }

    /// As [`next`](Framed::next), for those who write futures.
    ///
    /// # Errors
    /// As `next`.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<C::Item>, C::Error>> {
        loop {
            if self.ended {
                return Poll::Ready(self.codec.decode_eof(&mut self.read));
            }
            if let Some(item) = self.codec.decode(&mut self.read)? {
                return Poll::Ready(Ok(Some(item)));
            }
            let bytes_max = self.codec.bytes_max();
            if self.read.len() >= bytes_max {
                return Poll::Ready(Err(io::Error::from(TooLong { bytes_max }).into()));
            }
            self.ended = ready!(poll_read_buf(&mut self.stream, cx, &mut self.read))? == 0;
        }
    }
}

impl<S: AsyncWrite, C> Framed<S, C> {
    /// Encodes a message, when fewer than [`WRITE_BYTES_MAX`] bytes wait to be written; otherwise those are written
    /// first. Nothing else is written before it is [flushed](Framed::flush): so many small messages go out in one call.
    ///
    /// # Errors
    /// What the stream or the encoder reports. The message is lost, and no part of it is sent.
    ///
    /// # Cancel safety
    /// The message is lost with the future, and no part of it is sent.
    pub fn feed<T>(&mut self, item: T) -> FeedFrame<'_, S, C, T>
    where
        C: Encoder<T>,
    {
        FeedFrame { framed: self, item: Some(item) }
    }

    /// Encodes a message, and writes all that waits to be written.
    ///
    /// # Errors
    /// What the stream or the encoder reports. What the encoder refuses is lost, and no part of it is sent.
    ///
    /// # Cancel safety
    /// The message either is lost with the future, and no part of it is sent; or it was encoded, and goes out, whole,
    /// with the next flush. The peer never sees half a message followed by another.
    pub fn send<T>(&mut self, item: T) -> SendFrame<'_, S, C, T>
    where
        C: Encoder<T>,
    {
        SendFrame { feed: self.feed(item) }
    }

    /// Writes all that waits to be written.
    ///
    /// # Errors
    /// What the stream reports, and [`ErrorKind::WriteZero`] when it takes no more.
    ///
    /// # Cancel safety
    /// Nothing is lost: what was not written is in the buffer.
    pub fn flush(&mut self) -> FlushFrames<'_, S, C> {
        FlushFrames { framed: self }
    }

    /// Writes all that waits to be written, and ends this side of the stream.
    ///
    /// # Errors
    /// As [`flush`](Framed::flush).
    ///
    /// # Cancel safety
    /// Nothing is lost: what was not written is in the buffer, and the end can be asked for again.
    pub fn close(&mut self) -> CloseFrames<'_, S, C> {
        CloseFrames { framed: self }
    }

    /// Writes until the buffer is empty.
    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.write.is_empty() {
            match ready!(self.stream.poll_write(cx, &self.write))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                count => self.write.advance(count),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Makes room for another message; then encodes it, or nothing of it.
    fn poll_feed<T>(&mut self, cx: &mut Context<'_>, item: &mut Option<T>) -> Poll<Result<(), C::Error>>
    where
        C: Encoder<T>,
    {
        if self.write.len() >= WRITE_BYTES_MAX {
            ready!(self.poll_empty(cx))?;
        }
        let Some(item) = item.take() else {
            return Poll::Ready(Ok(())); // encoded by an earlier poll
        };
        let before = self.write.len();
        let encoded = self.codec.encode(item, &mut self.write);
        if encoded.is_err() {
            self.write.truncate(before);
        }
        Poll::Ready(encoded)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        self.stream.poll_flush(cx)
    }
}

impl<S: fmt::Debug, C: fmt::Debug> fmt::Debug for Framed<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Framed")
            .field("stream", &self.stream)
            .field("codec", &self.codec)
            .field("unread", &self.read.len())
            .field("unwritten", &self.write.len())
            .field("ended", &self.ended)
            .finish()
    }
}

/// The future that [`Framed::next`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct NextFrame<'a, S, C> {
    framed: &'a mut Framed<S, C>,
}

impl<S: AsyncRead, C: Decoder> Future for NextFrame<'_, S, C> {
    type Output = Result<Option<C::Item>, C::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().framed.poll_next(cx)
    }
}

/// The future that [`Framed::feed`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct FeedFrame<'a, S, C, T> {
    framed: &'a mut Framed<S, C>,
    /// There until it is encoded.
    item: Option<T>,
}

/// The message is not pinned: it is moved out by the poll that encodes it.
impl<S, C, T> Unpin for FeedFrame<'_, S, C, T> {}

impl<S: AsyncWrite, C: Encoder<T>, T> Future for FeedFrame<'_, S, C, T> {
    type Output = Result<(), C::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.framed.poll_feed(cx, &mut this.item)
    }
}

/// The future that [`Framed::send`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct SendFrame<'a, S, C, T> {
    feed: FeedFrame<'a, S, C, T>,
}

impl<S: AsyncWrite, C: Encoder<T>, T> Future for SendFrame<'_, S, C, T> {
    type Output = Result<(), C::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut self.get_mut().feed;
        ready!(this.framed.poll_feed(cx, &mut this.item))?;
        Poll::Ready(Ok(ready!(this.framed.poll_flush(cx))?))
    }
}

/// The future that [`Framed::flush`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct FlushFrames<'a, S, C> {
    framed: &'a mut Framed<S, C>,
}

impl<S: AsyncWrite, C> Future for FlushFrames<'_, S, C> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().framed.poll_flush(cx)
    }
}

/// The future that [`Framed::close`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct CloseFrames<'a, S, C> {
    framed: &'a mut Framed<S, C>,
}

impl<S: AsyncWrite, C> Future for CloseFrames<'_, S, C> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let framed = &mut *self.get_mut().framed;
        ready!(framed.poll_empty(cx))?;
        framed.stream.poll_shutdown(cx)
    }
}

/// How each of the futures shows itself.
macro_rules! debug_as {
    ($($name:ident<$($generic:ident),*> $text:literal;)*) => { $(
        impl<$($generic),*> fmt::Debug for $name<'_, $($generic),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct($text).finish_non_exhaustive()
            }
        }
    )* };
}

debug_as! {
    NextFrame<S, C> "NextFrame";
    FeedFrame<S, C, T> "FeedFrame";
    SendFrame<S, C, T> "SendFrame";
    FlushFrames<S, C> "FlushFrames";
    CloseFrames<S, C> "CloseFrames";
}
