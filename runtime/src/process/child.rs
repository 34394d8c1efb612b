//! A child that was started: its pipes, its signals, its end.

use super::communicate::{Communicate, OUTPUT_BYTES_MAX};
use super::{ChildStderr, ChildStdin, ChildStdout, orphan};
use crate::registered::Registered;
use crate::sys::pidfd;
use crate::sys::source::FdSource;
use crate::trace::Side;
use rustix::process::{Pid, getpriority_process, setpriority_process};
use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::process::ExitStatus;
use std::task::{Context, Poll, ready};

/// The descriptor of a child that nobody has waited for yet.
pub(super) type Pidfd = Registered<FdSource<OwnedFd>>;

/// A child process.
///
/// Dropping it lets the child run on, unless [`kill_on_drop`](super::Command::kill_on_drop) says otherwise; the loop waits
/// for it then.
#[derive(Debug)]
pub struct Child {
    /// What it reads from, if that is piped. Dropping it is the end of its input.
    pub stdin: Option<ChildStdin>,
    /// What it writes to, if that is piped.
    pub stdout: Option<ChildStdout>,
    /// What it writes its messages to, if that is piped.
    pub stderr: Option<ChildStderr>,
    pid: Pid,
    state: State,
    pub(super) kill_on_drop: bool,
    pub(super) output_max: usize,
}

/// Whether a child can still be waited for and signalled. The descriptor is closed when that is over.
#[derive(Debug)]
enum State {
    Running(Pidfd),
    Ended(ExitStatus),
}

impl Child {
    /// Takes over a child that was started by std: by another library, or by a thread of the pool.
    ///
    /// # Errors
    /// When the system has no descriptor for it, or what it says when its pipes are registered. The child runs on then, and
    /// may be a zombie from its end on.
    ///
    /// # Panics
    /// When this thread is in no loop.
    ///
    /// # Examples
    /// Started without holding the loop:
    /// ```
    /// use evloop_runtime::process::Child;
    ///
    /// evloop_runtime::block_on(async {
    ///     let started = evloop_runtime::spawn_blocking(|| std::process::Command::new("true").spawn()).await?;
    ///     let mut child = Child::from_std(started?)?;
    ///     assert!(child.wait().await?.success());
    ///     Ok::<(), std::io::Error>(())
    /// }).unwrap();
    /// ```
    #[track_caller]
    pub fn from_std(mut child: std::process::Child) -> io::Result<Child> {
        pidfd::check()?;
        // std knows whether it was waited for, and so whether the number is still its own.
        match child.try_wait()? {
            Some(status) => Child::with_pipes(&mut child, State::Ended(status)),
            None => Child::adopt(&mut child),
        }
    }

    /// Takes over a child that nobody has waited for, so that no other process can have its number. What is left of std's is
    /// that number.
    #[track_caller]
    pub(super) fn adopt(child: &mut std::process::Child) -> io::Result<Child> {
        let pidfd = Registered::new(FdSource(pidfd::open(Pid::from_child(child))?))?;
        pidfd.spend(Side::Read); // if it has ended by now, the registration brings the edge
        Child::with_pipes(child, State::Running(pidfd))
    }

    #[track_caller]
    fn with_pipes(child: &mut std::process::Child, state: State) -> io::Result<Child> {
        let pid = Pid::from_child(child);
        let mut adopted = Child {
            stdin: None,
            stdout: None,
            stderr: None,
            pid,
            state,
            kill_on_drop: false,
            output_max: OUTPUT_BYTES_MAX,
        };
        // Not by closures, in which the place of the caller would be lost.
        if let Some(pipe) = child.stdin.take() {
            adopted.stdin = Some(ChildStdin::from_new(pipe.into())?);
        }
        if let Some(pipe) = child.stdout.take() {
            adopted.stdout = Some(ChildStdout::from_new(pipe.into())?);
        }
        if let Some(pipe) = child.stderr.take() {
            adopted.stderr = Some(ChildStderr::from_new(pipe.into())?);
        }
        Ok(adopted)
    }

    /// The number of the process. After it was waited for, that may be another's.
    pub fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits for its end, and gives it again when asked again. Its piped input is ended first: a child that reads to the end
    /// would else be waited for in vain.
    ///
    /// # Errors
    /// That the status is lost, as told [above](super), or that the loop has ended.
    ///
    /// # Cancel safety
    /// Nothing is lost but its input.
    pub fn wait(&mut self) -> Wait<'_> {
        self.stdin = None;
        Wait { child: self, waits: false }
    }

    /// Polls for its end; see [`wait`](Child::wait). It leaves the input as it is.
    ///
    /// # Errors
    /// As [`wait`](Child::wait).
    pub fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        let status = match &self.state {
            State::Ended(status) => *status,
            State::Running(pidfd) => ready!(poll_end(pidfd, cx))?,
        };
        self.state = State::Ended(status);
        Poll::Ready(Ok(status))
    }

    /// How it has ended, if it has; does not wait.
    ///
    /// # Errors
    /// That the status is lost, as told [above](super).
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if let State::Running(pidfd) = &self.state {
            let Some(status) = pidfd::try_wait(pidfd.get())? else { return Ok(None) };
            self.state = State::Ended(status);
        }
        let State::Ended(status) = self.state else { return Ok(None) };
        Ok(Some(status))
    }

    /// Kills it (`SIGKILL`) and waits for its end. The signal is sent by the first poll.
    ///
    /// # Errors
    /// As [`start_kill`](Child::start_kill) and [`wait`](Child::wait).
    ///
    /// # Cancel safety
    /// Dropped after its first poll, it is killed all the same.
    pub async fn kill(&mut self) -> io::Result<ExitStatus> {
        self.start_kill()?;
        self.wait().await
    }

    /// Has the kernel kill it (`SIGKILL`), and does not wait. One that has ended is left in peace.
    ///
    /// # Errors
    /// That this process may not (`EPERM`), as when it has changed its user.
    pub fn start_kill(&mut self) -> io::Result<()> {
        match self.signal(libc::SIGKILL) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            sent => sent,
        }
    }

    /// Sends it a signal, by its [`SignalKind`](crate::signal::SignalKind) or number. 0 sends none, and tells whether it could
    /// be.
    ///
    /// # Errors
    /// `ESRCH` when it was waited for; `InvalidInput` when that is no signal with a name; `EPERM`.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::process::Command;
    /// use evloop_runtime::signal::SignalKind;
    /// use std::os::unix::process::ExitStatusExt;
    ///
    /// evloop_runtime::block_on(async {
    ///     let mut child = Command::new("sleep").arg("1000").spawn()?;
    ///     child.signal(SignalKind::TERMINATE)?;
    ///     assert_eq!(child.wait().await?.signal(), Some(SignalKind::TERMINATE.as_raw()));
    ///     Ok::<(), std::io::Error>(())
    /// }).unwrap();
    /// ```
    pub fn signal(&self, signal: impl Into<i32>) -> io::Result<()> {
        match &self.state {
            State::Running(pidfd) => pidfd::send(pidfd.get(), signal.into()),
            State::Ended(_) => Err(io::Error::from_raw_os_error(libc::ESRCH)),
        }
    }

    /// How nice it is: from -20, which is served first, to 19 (getpriority(2)).
    ///
    /// # Errors
    /// `ESRCH` when it was waited for.
    pub fn priority(&self) -> io::Result<i32> {
        self.check_running()?;
        Ok(getpriority_process(Some(self.pid))?)
    }

    /// Sets how nice it is.
    ///
    /// # Errors
    /// `ESRCH` when it was waited for; `EACCES` when this process may not make it less nice.
    pub fn set_priority(&self, nice: i32) -> io::Result<()> {
        self.check_running()?;
        Ok(setpriority_process(Some(self.pid), nice)?)
    }

    /// Gives it `input`, takes all that it writes to its pipes until their end, and waits for its own: all at once, so that
    /// no pipe that is full has one wait for the other. Python's `communicate`.
    ///
    /// A pipe ends when nobody has it open any more, also none whom the child has started and left behind.
    ///
    /// # Errors
    /// `QuotaExceeded` when it writes more than [`output_max`](super::Command::output_max) says; it is killed then. That the
    /// status is lost, as told [above](super). That it does not read its input is no error.
    ///
    /// # Cancel safety
    /// What was read is lost, and the child is dropped.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::process::{Command, Stdio};
    ///
    /// evloop_runtime::block_on(async {
    ///     let child = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    ///     let output = child.communicate(b"pear\napple\n").await?;
    ///     assert_eq!(output.stdout, b"apple\npear\n");
    ///     Ok::<(), std::io::Error>(())
    /// }).unwrap();
    /// ```
    pub fn communicate(self, input: &[u8]) -> Communicate<'_> {
        Communicate::new(self, input)
    }

    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new one does not: the task that waits
    /// for it does.
    pub fn set_referenced(&self, referenced: bool) {
        if let State::Running(pidfd) = &self.state {
            pidfd.set_referenced(referenced);
        }
    }

    /// Until it was waited for, its number is its own.
    fn check_running(&self) -> io::Result<()> {
        self.signal(0)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let State::Running(pidfd) = mem::replace(&mut self.state, State::Ended(ExitStatus::default())) else { return };
        if pidfd.core().made_in.is_past() {
            return; // this process was forked off since: the child is our parent's
        }
        if self.kill_on_drop
            && let Err(error) = pidfd::send(pidfd.get(), libc::SIGKILL)
            && error.raw_os_error() != Some(libc::ESRCH)
        {
            log::warn!("cannot kill child {}: {error}", self.id());
        }
        orphan::leave(pidfd);
    }
}

/// Waits until the child has ended, and has the kernel forget it.
pub(super) fn poll_end(pidfd: &Pidfd, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
    pidfd.poll_io(Side::Read, cx, |pidfd| match pidfd::try_wait(pidfd) {
        Ok(Some(status)) => Ok(status),
        Ok(None) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error),
    })
}

/// The end of a child; see [`Child::wait`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Wait<'a> {
    child: &'a mut Child,
    /// Its waker is with the descriptor.
    waits: bool,
}

impl Future for Wait<'_> {
    type Output = io::Result<ExitStatus>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.child.poll_wait(cx);
        self.waits = polled.is_pending();
        polled
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if self.waits
            && let State::Running(pidfd) = &self.child.state
        {
            pidfd.give_up_last(Side::Read);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, Stdio};
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    use std::io::ErrorKind;

    #[test]
    fn status_that_somebody_else_took_is_an_error_not_a_hang() {
        crate::block_on(async {
            let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
            child.stdin = None;
            waitid(WaitId::Pid(child.pid), WaitIdOptions::EXITED).unwrap();
            for _ in 0..2 {
                let error = child.wait().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::NotFound);
                assert!(error.to_string().contains("the exit status is lost"), "{error}");
            }
            assert!(child.try_wait().is_err());
            child.start_kill().unwrap();
        });
    }
}
