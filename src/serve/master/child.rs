//! A child of the master: its process, and the channel with it.
//!
//! Two tasks are its company. One writes what the master has to say, in order. The other hears what the child says, and waits
//! for its end; the end is told last, after all that the child has said. So nothing is heard of one that is gone.

use super::fleet::End;
use crate::serve::channel::{self, Inbox, Message};
use crate::serve::master::TARGET;
use evloop_runtime::net::UnixStream;
use evloop_runtime::process::{self, Command, ExitStatus};
use evloop_runtime::signal::SignalKind;
use evloop_runtime::sync::mpsc;
use evloop_runtime::time::timeout;
use evloop_runtime::{TaskBuilder, select};
use std::cell::RefCell;
use std::fs;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::ExitStatusExt;
use std::rc::Rc;
use std::time::Duration;

/// What a child has said before its end is there at once.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// What is heard of a child.
#[derive(Debug)]
pub(super) enum Heard<I> {
    Said(I),
    /// What it said cannot be understood, and nothing more is heard of it until its end.
    Garbled(String),
    Gone(End),
}

/// A child, and what it is told (`O`).
#[derive(Debug)]
pub(super) struct Child<O> {
    process: Rc<RefCell<process::Child>>,
    outbox: mpsc::UnboundedSender<(O, Vec<OwnedFd>)>,
    pub(super) pid: u32,
}

impl<O: Message + 'static> Child<O> {
    /// Starts it, with the channel as its standard input. What is heard of it goes to `news`, by way of `tell`.
    ///
    /// # Errors
    /// Why it cannot be started.
    pub(super) fn start<I: Message + 'static, N: 'static>(
        mut command: Command,
        name: &str,
        news: mpsc::Sender<N>,
        tell: impl Fn(Heard<I>) -> N + 'static,
    ) -> io::Result<Child<O>> {
        let (ours, theirs) = StdStream::pair()?;
        let process = command.stdin(OwnedFd::from(theirs)).spawn()?;
        drop(command); // and with it their end, or it would never be seen to close
        let stream = Rc::new(UnixStream::from_std(ours)?);
        let pid = process.id();
        let process = Rc::new(RefCell::new(process));
        let (outbox, mail) = mpsc::unbounded();
        drop(TaskBuilder::new().name(name).spawn(write(Rc::clone(&stream), mail)));
        let company = Company { process: Rc::clone(&process), inbox: Inbox::new(stream), news, tell };
        drop(TaskBuilder::new().name(name).spawn(company.hear()));
        Ok(Child { process, outbox, pid })
    }

    /// Tells it something. To one that has ended it makes no difference.
    pub(super) fn tell(&self, message: O, sockets: Vec<OwnedFd>) {
        drop(self.outbox.send((message, sockets)));
    }

    /// Sends it a signal. One that has ended is left in peace.
    pub(super) fn signal(&self, kind: SignalKind) {
        match self.process.borrow().signal(kind) {
            Err(error) if error.raw_os_error() != Some(ENDED) => {
                log::error!(target: TARGET, "cannot send {kind} to process {}: {error}", self.pid);
            }
            _ => {}
        }
    }
}

/// `ESRCH`: no such process.
const ENDED: i32 = rustix::io::Errno::SRCH.raw_os_error();

async fn write<O: Message>(stream: Rc<UnixStream>, mut mail: mpsc::UnboundedReceiver<(O, Vec<OwnedFd>)>) {
    while let Some((message, sockets)) = mail.recv().await {
        let sockets: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
        if let Err(error) = channel::send(&stream, &message, &sockets).await {
            log::debug!(target: TARGET, "a child does not hear: {error}"); // why, its end tells
            return;
        }
    }
}

/// Who hears the child.
struct Company<N, F> {
    process: Rc<RefCell<process::Child>>,
    inbox: Inbox,
    news: mpsc::Sender<N>,
    tell: F,
}

impl<N, F> Company<N, F> {
    async fn hear<I: Message>(mut self)
    where
        F: Fn(Heard<I>) -> N,
    {
        let mut hears = true;
        let ended = loop {
            let (process, inbox) = (&self.process, &mut self.inbox);
            select! {
                said = inbox.recv(), if hears => hears = self.pass_on(said).await,
                ended = poll_fn(|cx| process.borrow_mut().poll_wait(cx)) => break ended,
            }
        };
        while hears && let Ok(said) = timeout(LAST_WORDS, self.inbox.recv()).await {
            hears = self.pass_on(said).await;
        }
        drop(self.news.send((self.tell)(Heard::Gone(end_of(ended)))).await);
    }

    /// Whether more may come.
    async fn pass_on<I: Message>(&self, said: io::Result<Option<(I, Vec<OwnedFd>)>>) -> bool
    where
        F: Fn(Heard<I>) -> N,
    {
        let (heard, more) = match said {
            Ok(Some((message, _))) => (Heard::Said(message), true),
            Ok(None) => return false,
            Err(error) => (Heard::Garbled(error.to_string()), false),
        };
        self.news.send((self.tell)(heard)).await.is_ok() && more
    }
}

fn end_of(ended: io::Result<ExitStatus>) -> End {
    match ended {
        Ok(status) => End { cause: cause(status), by_signal: status.signal().is_some() },
        Err(error) => End { cause: format!("has ended, and it is not known how: {error}"), by_signal: false },
    }
}

/// `has ended with status 3`, `was ended by SIGSEGV (and has left a core)`.
fn cause(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "has ended".to_owned(),
        (Some(code), _) => format!("has ended with status {code}"),
        (None, Some(signal)) => {
            let core = if status.core_dumped() { " (and has left a core)" } else { "" };
            format!("was ended by {}{core}", SignalKind::from_raw(signal))
        }
        (None, None) => format!("has ended ({status})"),
    }
}

/// What one does that waits for `SIGCONT`.
pub(super) const STOPPED: &str = "it was stopped by a signal";

/// What a process does, by the letter of `/proc/PID/stat`, proc(5).
pub(super) fn activity(pid: u32) -> &'static str {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    match stat.rsplit(") ").next().and_then(|rest| rest.chars().next()) {
        Some('R') => "it runs on a CPU",
        Some('S') => "it sleeps",
        Some('D') => "it waits for a device",
        Some('T') => STOPPED,
        Some('t') => "it was stopped by a debugger",
        Some('Z' | 'X') => "it has ended",
        _ => "what it does the kernel does not tell",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_is_told_with_its_cause() {
        let told = |raw| cause(ExitStatus::from_raw(raw));
        assert_eq!(told(0), "has ended");
        assert_eq!(told(3 << 8), "has ended with status 3");
        assert_eq!(told(9), "was ended by SIGKILL");
        assert_eq!(told(0x80 + 11), "was ended by SIGSEGV (and has left a core)");
    }

    #[test]
    fn process_that_runs_is_told_from_one_that_is_gone() {
        assert!(["it runs on a CPU", "it sleeps"].contains(&activity(std::process::id())));
        assert_eq!(activity(u32::MAX), "what it does the kernel does not tell");
    }
}
