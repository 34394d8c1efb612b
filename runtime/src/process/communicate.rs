//! A whole conversation with a child: its input, all that it writes, and its end.

use super::child::Child;
use super::{ChildStderr, ChildStdout};
use crate::io::{AsyncRead, AsyncWrite};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::process::Output;
use std::task::{Context, Poll, ready};

/// How many bytes of output are taken unless [`output_max`](super::Command::output_max) says otherwise: more than any
/// program has to say that is asked a question, and less than what a machine falls over.
pub const OUTPUT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// All that a child says; see [`Child::communicate`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct Communicate<'a> {
    child: Child,
    /// What is left of the input.
    input: &'a [u8],
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl<'a> Communicate<'a> {
    pub(super) fn new(child: Child, input: &'a [u8]) -> Communicate<'a> {
        Communicate { child, input, stdout: Vec::new(), stderr: Vec::new() }
    }

    /// Writes what there is room for. A child that does not want to read more is left alone.
    fn feed(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while let Some(stdin) = &mut self.child.stdin {
            if self.input.is_empty() {
                self.child.stdin = None;
                break;
            }
            match stdin.poll_write(cx, self.input) {
                Poll::Ready(Ok(written)) => self.input = &self.input[written..],
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => self.child.stdin = None,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    /// Reads what there is of both streams, and ready when both have ended.
    ///
    /// The bound is looked at between two reads of all there is. What a poll reads is bounded by its budget, so the memory
    /// that is taken beyond the bound is, too.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stdout = poll_rest::<ChildStdout>(&mut self.child.stdout, &mut self.stdout, cx)?;
        let stderr = poll_rest::<ChildStderr>(&mut self.child.stderr, &mut self.stderr, cx)?;
        let max = self.child.output_max;
        if self.stdout.len().saturating_add(self.stderr.len()) > max {
            self.child.start_kill()?; // who listens no more lets it not go on, and the loop waits for it
            let text = format!("the child has written more than {max} bytes, and was killed");
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::QuotaExceeded, text)));
        }
        ready!(stdout);
        ready!(stderr);
        Poll::Ready(Ok(()))
    }
}

/// Reads one stream to its end, and closes it then.
fn poll_rest<R: AsyncRead>(pipe: &mut Option<R>, bytes: &mut Vec<u8>, cx: &mut Context<'_>) -> io::Result<Poll<()>> {
    let Some(open) = pipe else { return Ok(Poll::Ready(())) };
    match Pin::new(&mut open.read_to_end(bytes)).poll(cx) {
        Poll::Ready(Ok(_)) => *pipe = None,
        Poll::Ready(Err(error)) => return Err(error),
        Poll::Pending => return Ok(Poll::Pending),
    }
    Ok(Poll::Ready(()))
}

impl Future for Communicate<'_> {
    type Output = io::Result<Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.feed(cx)?;
        ready!(this.poll_output(cx))?;
        let status = ready!(this.child.poll_wait(cx))?;
        let (stdout, stderr) = (std::mem::take(&mut this.stdout), std::mem::take(&mut this.stderr));
        Poll::Ready(Ok(Output { status, stdout, stderr }))
    }
}

impl fmt::Debug for Communicate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Communicate")
            .field("child", &self.child)
            .field("input", &self.input.len())
            .field("stdout", &self.stdout.len())
            .field("stderr", &self.stderr.len())
            .finish()
    }
}
