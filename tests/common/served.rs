//! A server as a user starts it: the program, and all processes that come of it.
//!
//! What they say is read line by line and awaited by content; which processes belong to it is known by a mark in their
//! environment, so that none outlives its test, orphans and upgraded masters neither.

use super::processes;
use evloop::signal::{SignalKind, kill};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A net under tests that would hang.
pub(crate) const SAFETY_NET: Duration = Duration::from_secs(30);

/// In the environment of all processes of a server.
const MARK: &str = "SERVED_FOR_TEST";

/// Returns when the condition holds, which others bring about; `what` it is, is told when it never does.
///
/// It is for what the kernel tells nobody of: which children another process has, and in which state. Unlike a spin this leaves the
/// processors to those others, which are other processes and many.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + SAFETY_NET;
    while !holds() {
        assert!(Instant::now() < deadline, "it never comes: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The program with these arguments, and nothing of the environment that would change what it does.
pub(crate) fn evloop(arguments: &[&str]) -> Command {
    evloop_at(env!("CARGO_BIN_EXE_evloop").into(), arguments)
}

/// As [`evloop`], with a program at another place.
pub(crate) fn evloop_at(program: PathBuf, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    for name in ["RUST_LOG", "RUST_BACKTRACE", "WEB_CONCURRENCY"] {
        command.env_remove(name);
    }
    // A master that is killed leaves its control socket behind, in a folder that is not the test's.
    command.args(arguments).env("EVLOOP_CONTROL", "none").stdin(Stdio::null());
    command
}

/// A server that runs.
pub(crate) struct Served {
    child: Child,
    mark: String,
    said: Arc<Said>,
}

#[derive(Default)]
struct Said {
    lines: Mutex<Lines>,
    news: Condvar,
}

#[derive(Default)]
struct Lines {
    all: Vec<String>,
    /// The streams that have ended: nobody has them open any more.
    ended: usize,
}

impl Served {
    /// Starts `evloop serve` at a free port; returns when it has said where.
    pub(crate) fn start(arguments: &[&str]) -> Served {
        let served = Served::run(evloop(&["serve", "--port", "0", "--no-access-log"]).args(arguments));
        served.until_said("http://", 1);
        served
    }

    /// Starts this command.
    pub(crate) fn run(command: &mut Command) -> Served {
        Served::run_with_stderr(command, Stdio::piped())
    }

    /// Starts this command with that standard error; what it says there is read if it is a new pipe.
    pub(crate) fn run_with_stderr(command: &mut Command, stderr: impl Into<Stdio>) -> Served {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let mark = format!("{}-{}", std::process::id(), STARTED.fetch_add(1, Relaxed));
        let mut child = command.env(MARK, &mark).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let said = Arc::new(Said::default());
        said.read(child.stdout.take().unwrap());
        match child.stderr.take() {
            Some(stderr) => said.read(stderr),
            None => said.lines.lock().unwrap().ended += 1,
        }
        Served { child, mark, said }
    }

    // --- What it says ------------------------------------------------------------------------------------------------

    /// Waits until so many lines contain this; returns the last of them.
    pub(crate) fn until_said(&self, what: &str, times: usize) -> String {
        let found = |lines: &Lines| lines.all.iter().filter(|line| line.contains(what)).nth(times - 1).cloned();
        self.said.wait(&format!("{times} times {what:?}"), found)
    }

    /// All lines until now that contain this.
    pub(crate) fn said(&self, what: &str) -> Vec<String> {
        let lines = self.said.lines.lock().unwrap();
        lines.all.iter().filter(|line| line.contains(what)).cloned().collect()
    }

    /// Where it said first that it serves.
    pub(crate) fn address(&self) -> SocketAddr {
        let line = self.until_said("http://", 1);
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        address.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no address in {line:?}"))
    }

    // --- Its processes -----------------------------------------------------------------------------------------------

    /// The process that was started.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All its processes, whoever's children they are by now.
    pub(crate) fn processes(&self) -> Vec<u32> {
        processes::with_environment(MARK, &self.mark)
    }

    /// The living children of the process that was started, in the order of their start.
    pub(crate) fn workers(&self) -> Vec<u32> {
        processes::living_children(self.pid())
    }

    /// Waits until there are so many workers, and none of `before` among them.
    pub(crate) fn until_workers(&self, count: usize, before: &[u32]) -> Vec<u32> {
        let mut workers = Vec::new();
        until(&format!("{count} workers other than {before:?}"), || {
            workers = self.workers();
            workers.len() == count && workers.iter().all(|pid| !before.contains(pid))
        });
        workers
    }

    /// Sends a signal to the process that was started.
    pub(crate) fn signal(&self, kind: SignalKind) {
        kill(self.pid(), kind).unwrap();
    }

    /// How the process that was started has ended, once it has.
    pub(crate) fn status(&mut self) -> ExitStatus {
        processes::until_ended(&[self.pid()]);
        self.child.wait().unwrap()
    }

    /// Waits until the last of its processes has ended.
    pub(crate) fn until_all_ended(&self) {
        self.said.wait("the end of all processes", |lines| (lines.ended == 2).then_some(()));
        processes::until_ended(&self.processes());
    }

    /// Has no child that ended and that nobody waits for.
    pub(crate) fn assert_no_zombies(&self) {
        until("a master without zombies", || processes::zombies(self.pid()) == 0);
    }
}

impl Said {
    fn read(self: &Arc<Said>, stream: impl Read + Send + 'static) {
        let said = Arc::clone(self);
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                said.lines.lock().unwrap().all.push(String::from_utf8_lossy(&line).into_owned());
                said.news.notify_all();
            }
            said.lines.lock().unwrap().ended += 1;
            said.news.notify_all();
        });
    }

    fn wait<T>(&self, what: &str, found: impl Fn(&Lines) -> Option<T>) -> T {
        let lines = self.lines.lock().unwrap();
        let searches = |lines: &mut Lines| found(lines).is_none() && lines.ended < 2;
        let (lines, _) = self.news.wait_timeout_while(lines, SAFETY_NET, searches).unwrap();
        let found = found(&lines);
        drop(lines); // who panics with the lock poisons it, and what was said is to be shown
        found.unwrap_or_else(|| panic!("it never comes: {what}"))
    }
}

impl Drop for Served {
    /// Ends all its processes; those that are started meanwhile too.
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("what was said:\n{}", self.said("").join("\n"));
        }
        drop(self.child.kill());
        loop {
            let left = self.processes();
            for pid in &left {
                drop(kill(*pid, SignalKind::KILL));
            }
            drop(self.child.try_wait());
            if left.is_empty() {
                return;
            }
            thread::yield_now();
        }
    }
}
