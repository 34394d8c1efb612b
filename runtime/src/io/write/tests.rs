use super::*;
use std::task::Waker;

/// A stream with so much room; `Pending` when it is full, and zero once it is broken.
#[derive(Default)]
struct Narrow {
    room: usize,
    broken: bool,
    written: Vec<u8>,
}

impl AsyncWrite for Narrow {
    fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let count = buf.len().min(self.room);
        if count == 0 && !buf.is_empty() && !self.broken {
            return Poll::Pending;
        }
        self.room -= count;
        self.written.extend_from_slice(&buf[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(ErrorKind::NotConnected.into()))
    }
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn write_all_goes_on_where_it_stopped() {
    let mut stream = Narrow { room: 2, ..Narrow::default() };
    assert!(poll(&mut stream.write_all(b"abcd")).is_pending());
    assert_eq!(stream.written, b"ab");

    stream.room = 1;
    let mut write = WriteAll { writer: &mut stream, rest: b"cd" };
    assert!(poll(&mut write).is_pending());
    write.writer.room = 1;
    assert!(matches!(poll(&mut write), Poll::Ready(Ok(()))));
    assert_eq!(stream.written, b"abcd");
}

#[test]
fn write_all_to_a_stream_that_takes_no_more_is_an_error() {
    let mut stream = Narrow { broken: true, ..Narrow::default() };
    let Poll::Ready(Err(error)) = poll(&mut stream.write_all(b"a")) else {
        panic!("neither room nor an end to wait for");
    };
    assert_eq!(error.kind(), ErrorKind::WriteZero);
}

#[test]
fn vectored_write_without_an_own_way_takes_the_first_piece_that_is_not_empty() {
    let mut stream = Narrow { room: 8, ..Narrow::default() };
    let pieces = [IoSlice::new(b""), IoSlice::new(b"ab"), IoSlice::new(b"cd")];
    assert!(matches!(poll(&mut stream.write_vectored(&pieces)), Poll::Ready(Ok(2))));
    assert!(matches!(poll(&mut stream.write_vectored(&[])), Poll::Ready(Ok(0))));
    assert_eq!(stream.written, b"ab");
}

#[test]
fn boxed_and_borrowed_streams_pass_everything_on() {
    let mut narrow = Narrow { room: 8, ..Narrow::default() };
    let mut stream: Box<dyn AsyncWrite + '_> = Box::new(&mut narrow);
    assert!(matches!(poll(&mut stream.write(b"ab")), Poll::Ready(Ok(2))));
    assert!(matches!(poll(&mut stream.flush()), Poll::Ready(Ok(()))));
    let Poll::Ready(Err(error)) = poll(&mut stream.shutdown()) else {
        panic!("the stream's own answer");
    };
    assert_eq!(error.kind(), ErrorKind::NotConnected);
    drop(stream);
    assert_eq!(narrow.written, b"ab");
}
