//! A file that is read or written in order: its one buffer, and the job that has it.
//!
//! ```text
//!            start                   the job is done
//!   Idle ─────────────▶ Busy ─────────────────────────▶ Idle
//!  buffer here      buffer with the job            buffer here again
//! ```
//! The job belongs to the stream, not to the future that began it. So when that future is dropped, nothing is: the next
//! operation finds the job, waits for it, and goes on from where the job has left file and buffer.
//!
//! The buffer holds one of two things. What was *read* ahead and not asked for yet: the kernel's position is then past the
//! user's, by as much, and is set back before anything that depends on it. Or what is *unwritten*: the bytes of small writes,
//! collected. Nothing is written while nobody waits for it, so an error is always somebody's; and a buffer that is dropped
//! with bytes unwritten writes them, whoever drops it: its stream, or a job that was never begun.

use super::{Job, Shown, drop_on_pool};
use crate::failed::failed;
use crate::io::{AsyncRead, AsyncWrite};
use crate::spawn::blocking_io;
use crate::sys::fork::Generation;
use crate::trace::{charge_bytes, poll_budget};
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The bytes that one job reads or writes: enough that the job costs less than the copy.
pub(super) const BUFFER_BYTES: usize = 64 * 1024;

/// A file with a buffer, one operation at a time.
pub(super) struct Stream {
    file: Arc<File>,
    path: Arc<Path>,
    state: State,
}

enum State {
    Idle(Buffer),
    Busy(Job<(Buffer, io::Result<u64>)>),
    /// Between two others, and in the end.
    Gone,
}

impl Stream {
    pub(super) fn new(file: Arc<File>, path: Arc<Path>) -> Stream {
        let state = State::Idle(Buffer::new(Arc::clone(&file), Arc::clone(&path)));
        Stream { file, path, state }
    }

    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    pub(super) fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// Does `work` with file and buffer on the pool, after whatever is under way. An error of what a dropped future has left
    /// is told here, in place of the work.
    pub(super) async fn run(
        &mut self,
        work: impl FnOnce(&mut Buffer) -> io::Result<u64> + Send + 'static,
    ) -> io::Result<u64> {
        poll_fn(|cx| self.poll_idle(cx)).await?;
        self.start(work);
        poll_fn(|cx| self.poll_idle(cx)).await
    }

    /// Waits for the job under way, if there is one, and gives its result.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let State::Busy(job) = &mut self.state else { return Poll::Ready(Ok(0)) };
        let (buffer, result) = match ready!(job.as_mut().poll(cx)) {
            Ok(done) => done,
            Err(ended) => (Buffer::new(Arc::clone(&self.file), Arc::clone(&self.path)), Err(ended)),
        };
        self.state = State::Idle(buffer);
        Poll::Ready(result)
    }

    /// To be called when it is idle.
    fn start(&mut self, work: impl FnOnce(&mut Buffer) -> io::Result<u64> + Send + 'static) {
        let State::Idle(mut buffer) = std::mem::replace(&mut self.state, State::Gone) else {
            unreachable!("an operation begins when the one before is done")
        };
        let job = blocking_io(move || {
            let result = work(&mut buffer);
            Ok((buffer, result))
        });
        self.state = State::Busy(Box::pin(job));
    }

    /// Its buffer, after [`poll_idle`](Stream::poll_idle).
    fn buffer(&mut self) -> &mut Buffer {
        match &mut self.state {
            State::Idle(buffer) => buffer,
            _ => unreachable!("it was idle just now"),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        loop {
            ready!(self.poll_idle(cx))?;
            let buffer = self.buffer();
            let count = buffer.take_unread(buf);
            if count > 0 || buf.is_empty() || std::mem::take(&mut buffer.at_end) {
                charge_bytes(count);
                return Poll::Ready(Ok(count));
            }
            self.start(Buffer::fill);
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        loop {
            ready!(self.poll_idle(cx))?;
            let buffer = self.buffer();
            let count = buffer.add_unwritten(buf);
            if count > 0 || buf.is_empty() {
                charge_bytes(count);
                return Poll::Ready(Ok(count));
            }
            self.start(Buffer::settle);
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_idle(cx))?;
            if !self.buffer().is_unwritten() {
                return Poll::Ready(Ok(()));
            }
            self.start(Buffer::settle);
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let State::Idle(buffer) = std::mem::replace(&mut self.state, State::Gone)
            && buffer.is_unwritten()
        {
            drop_on_pool(buffer);
        }
    }
}

/// What was read and not asked for yet, or is still to be written.
pub(super) struct Buffer {
    file: Arc<File>,
    path: Arc<Path>,
    /// None, until it is first needed; then [`BUFFER_BYTES`].
    bytes: Box<[u8]>,
    held: Range<usize>,
    /// What `held` is. Invariant: with nothing held, it makes no difference.
    unwritten: bool,
    /// A job has found the end, and no read has told of it yet.
    at_end: bool,
    /// In a forked process what is unwritten is the parent's to write.
    made_in: Generation,
}

impl Buffer {
    fn new(file: Arc<File>, path: Arc<Path>) -> Buffer {
        let made_in = Generation::current();
        Buffer { file, path, bytes: Box::default(), held: 0..0, unwritten: false, at_end: false, made_in }
    }

    /// The file, for what is done when the buffer is settled.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    fn is_unwritten(&self) -> bool {
        self.unwritten && !self.held.is_empty()
    }

    fn allocate(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = vec![0; BUFFER_BYTES].into_boxed_slice();
        }
    }

    fn take_unread(&mut self, buf: &mut [u8]) -> usize {
        if self.unwritten {
            return 0;
        }
        let count = buf.len().min(self.held.len());
        buf[..count].copy_from_slice(&self.bytes[self.held.start..][..count]);
        self.held.start += count;
        count
    }

    /// Takes what there is room for: nothing, where something read is held that the position must be set back for.
    fn add_unwritten(&mut self, buf: &[u8]) -> usize {
        if self.held.is_empty() {
            (self.held, self.unwritten, self.at_end) = (0..0, true, false);
        }
        if !self.unwritten {
            return 0;
        }
        self.allocate();
        let count = buf.len().min(BUFFER_BYTES - self.held.end);
        self.bytes[self.held.end..][..count].copy_from_slice(&buf[..count]);
        self.held.end += count;
        count
    }

    /// Reads ahead.
    fn fill(&mut self) -> io::Result<u64> {
        self.settle()?;
        self.allocate();
        let count = loop {
            match (&*self.file).read(&mut self.bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => break done.map_err(failed("read", Shown(&self.path)))?,
            }
        };
        (self.held, self.unwritten, self.at_end) = (0..count, false, count == 0);
        Ok(0)
    }

    /// Has nothing held: file and position are as the user thinks they are.
    pub(super) fn settle(&mut self) -> io::Result<u64> {
        self.write_out()?;
        let unread = std::mem::replace(&mut self.held, 0..0).len();
        self.at_end = false;
        if unread > 0 {
            let back = i64::try_from(unread).expect("a buffer is small");
            (&*self.file).seek(SeekFrom::Current(-back)).map_err(failed("seek in", Shown(&self.path)))?;
        }
        Ok(0)
    }

    /// Writes what is unwritten. After an error the rest is given up: it must not be written later, when whoever was told of
    /// the error has drawn his conclusions.
    pub(super) fn write_out(&mut self) -> io::Result<u64> {
        if self.is_unwritten() {
            let held = std::mem::replace(&mut self.held, 0..0);
            (&*self.file).write_all(&self.bytes[held]).map_err(failed("write", Shown(&self.path)))?;
        }
        Ok(0)
    }

    pub(super) fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.settle()?;
        (&*self.file).seek(to).map_err(failed("seek in", Shown(&self.path)))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if !self.made_in.is_past()
            && let Err(error) = self.write_out()
        {
            log::warn!("a file was dropped with bytes that are lost: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::BUFFER_BYTES;
    use crate::fs::File;
    use crate::io::{AsyncRead, AsyncWrite};
    use proptest::prelude::*;
    use std::future::poll_fn;
    use std::io::{Read, Seek, SeekFrom, Write};
    use std::pin::Pin;
    use std::task::Poll;

    #[derive(Debug, Clone)]
    enum Step {
        Read(usize),
        /// Its future is polled once and dropped.
        BeginRead(usize),
        Write(u8, usize),
        BeginFlush,
        Flush,
        Seek(SeekFrom),
        SetLen(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = || prop_oneof![0..100_usize, 0..3 * BUFFER_BYTES];
        prop_oneof![
            bytes().prop_map(Step::Read),
            bytes().prop_map(Step::BeginRead),
            (1..=255_u8, bytes()).prop_map(|(byte, count)| Step::Write(byte, count)),
            Just(Step::BeginFlush),
            Just(Step::Flush),
            (0..200_000_u64).prop_map(|at| Step::Seek(SeekFrom::Start(at))),
            (-70_000..70_000_i64).prop_map(|by| Step::Seek(SeekFrom::Current(by))),
            (-70_000..70_000_i64).prop_map(|by| Step::Seek(SeekFrom::End(by))),
            (0..200_000_u64).prop_map(Step::SetLen),
        ]
    }

    /// Polls once: the result, if it was ready.
    async fn begin<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
        poll_fn(|cx| match Pin::new(&mut future).poll(cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    async fn read_up_to(file: &mut File, count: usize) -> Vec<u8> {
        let (mut bytes, mut filled) = (vec![0; count], 0);
        while filled < count {
            match file.read(&mut bytes[filled..]).await.unwrap() {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        bytes
    }

    /// Does a step to the file, and to a plain one in the same state.
    async fn take(file: &mut File, twin: &mut std::fs::File, step: Step) {
        match step {
            Step::Read(count) => {
                let mut expected = Vec::new();
                twin.take(count as u64).read_to_end(&mut expected).unwrap();
                assert!(read_up_to(file, count).await == expected);
            }
            Step::BeginRead(count) => {
                let mut bytes = vec![0; count];
                if let Some(read) = begin(file.read(&mut bytes)).await {
                    let mut expected = vec![0; read.unwrap()];
                    twin.read_exact(&mut expected).unwrap();
                    assert!(bytes.starts_with(&expected));
                }
            }
            Step::Write(byte, count) => {
                file.write_all(&vec![byte; count]).await.unwrap();
                twin.write_all(&vec![byte; count]).unwrap();
            }
            Step::BeginFlush => drop(begin(file.flush()).await),
            Step::Flush => file.flush().await.unwrap(),
            Step::Seek(to) => assert_eq!(file.seek(to).await.ok(), twin.seek(to).ok()),
            Step::SetLen(bytes) => {
                file.set_len(bytes).await.unwrap();
                twin.set_len(bytes).unwrap();
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn file_is_as_one_without_a_buffer(steps in prop::collection::vec(step(), 1..30)) {
            let (file, mut twin) = (tempfile::NamedTempFile::new().unwrap(), tempfile::tempfile().unwrap());
            crate::block_on(async {
                let mut buffered = File::from_std(file.reopen().unwrap());
                for step in steps {
                    take(&mut buffered, &mut twin, step).await;
                }
                assert_eq!(buffered.stream_position().await.unwrap(), twin.stream_position().unwrap());
                buffered.close().await.unwrap();
            });
            twin.rewind().unwrap();
            let mut expected = Vec::new();
            twin.read_to_end(&mut expected).unwrap();
            assert!(std::fs::read(file.path()).unwrap() == expected);
        }
    }
}
