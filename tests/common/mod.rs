//! What the tests of the loop share: traces, observers, and children.

#![allow(dead_code, reason = "each test file takes the part that it needs")]

use evloop::engine::trace::{Cause, Observer, Phase, Wait};
use evloop::engine::{Key, PoolLimits};
use evloop::future::join;
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::net::{TcpListener, TcpStream};
use evloop::{Handle, Mode, Runtime};
use std::cell::{Cell, RefCell};
use std::io::IoSlice;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;
use std::{env, fs, thread};

/// What happened, in order; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    /// All notes until now, which are gone then.
    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// A loop whose time moves by hand.
pub(crate) fn manual() -> Runtime {
    Runtime::builder().manual_clock().build().expect("there are descriptors for a loop")
}

/// A loop whose time moves by hand, and somebody who looks on.
pub(crate) fn observed(observer: Rc<dyn Observer>) -> Runtime {
    Runtime::builder().manual_clock().observer(observer).build().expect("there are descriptors for a loop")
}

/// A loop with one thread for blocking work, and one place before it.
pub(crate) fn narrow() -> Runtime {
    let limits = PoolLimits { threads_max: 1, queued_max: 1, ..PoolLimits::default() };
    Runtime::builder().manual_clock().pool(limits).build().expect("there are descriptors for a loop")
}

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Writes down every phase, and the polls that begin.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Trace);

impl Observer for Writer {
    fn phase(&self, phase: Phase) {
        self.0.note(format!("{phase:?}"));
    }

    fn poll_begin(&self, task: Key, cause: Cause) {
        let name = if task == Key::NONE { "root".to_owned() } else { task.index().to_string() };
        self.0.note(format!("  {name} by {cause:?}"));
    }
}

/// Counts turns and polls.
#[derive(Default)]
pub(crate) struct Counter {
    pub(crate) turns: Cell<usize>,
    pub(crate) polls: Cell<usize>,
}

impl Observer for Counter {
    fn phase(&self, phase: Phase) {
        self.turns.set(self.turns.get() + usize::from(phase == Phase::Run));
    }

    fn poll_end(&self, _task: Key, _wait: Option<Wait>) {
        self.polls.set(self.polls.get() + 1);
    }
}

/// A thread of this process, to be looked at from another.
#[derive(Clone)]
pub(crate) struct Watched(PathBuf);

impl Watched {
    /// The thread that calls this.
    pub(crate) fn this_thread() -> Watched {
        let thread = fs::read_link("/proc/thread-self").expect("Linux tells a thread who it is");
        Watched(PathBuf::from("/proc").join(thread).join("stat"))
    }

    /// Whether it sleeps in the kernel, and for so long that this can be no short wait for a lock.
    pub(crate) fn sleeps(&self) -> bool {
        (0..500).all(|_| {
            thread::yield_now();
            let stat = fs::read_to_string(&self.0).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S'))
        })
    }
}

/// Returns when the condition holds, which another thread brings about.
pub(crate) fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        thread::yield_now();
    }
}

/// Runs the loop until it is done, as [`Mode::UntilDone`] has it. A run that sleeps with nothing left to wake it fails, instead
/// of sleeping for ever: so this is for loops that wait for no stranger.
pub(crate) fn run_until_done(runtime: &Runtime) -> bool {
    let (handle, home) = (runtime.enter(Handle::current), Watched::this_thread());
    let over = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&over);
    let watcher = thread::spawn(move || {
        until(|| is_over.load(SeqCst) || (0..20).all(|_| home.sleeps()));
        let hung = !is_over.load(SeqCst);
        if hung {
            handle.stop();
        }
        hung
    });
    let alive = runtime.run(Mode::UntilDone).expect("the kernel waits for events");
    over.store(true, SeqCst);
    assert!(!watcher.join().expect("it only looks on"), "the run slept, and nothing was left to wake it");
    alive
}

/// How many descriptors this process has open.
pub(crate) fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("Linux tells what is open").count()
}

/// Runs the body of that test in a process of its own: limits and signals are a whole process's. `limits` is what the shell
/// does before.
pub(crate) fn in_child(test: &str, limits: &str, body: impl FnOnce()) {
    const MARK: &str = "EVLOOP_TEST_CHILD";
    if env::var_os(MARK).is_some() {
        return body();
    }
    let program = env::current_exe().expect("a process knows its program");
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("{limits} exec \"$0\" \"$@\""))
        .arg(program)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .output()
        .expect("there is a shell");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the child failed, {}:\n{said}\n{complained}", output.status);
    assert!(said.contains("1 passed"), "the child ran nothing:\n{said}");
}

/// A connection over the loopback interface: the client's end, and the server's.
pub(crate) async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the machine has a loopback interface");
    let client = TcpStream::connect(listener.local_addr().expect("it is bound")).await.expect("somebody listens");
    (client, listener.accept().await.expect("somebody has connected").0)
}

/// A thousand questions of these pieces, each asked once the one before has come back whole, and then the end.
pub(crate) async fn ping_pong<S: AsyncRead + AsyncWrite>(mut client: S, mut server: S, pieces: &[&[u8]]) {
    let pieces: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let question: Vec<u8> = pieces.iter().flat_map(|piece| piece.to_vec()).collect();
    let ask = async {
        let mut answer = vec![0; question.len()];
        for _ in 0..1_000 {
            assert_eq!(client.write_vectored(&pieces).await.expect("the peer is there"), question.len());
            client.read_exact(&mut answer).await.expect("the peer answers");
            assert_eq!(answer, question);
        }
        client.shutdown().await.expect("the connection is there");
        assert_eq!(client.read(&mut answer).await.expect("an end is no error"), 0);
    };
    let echo = async {
        let mut buf = [0; 64];
        loop {
            match server.read(&mut buf).await.expect("the peer is there") {
                0 => return server.shutdown().await.expect("the connection is there"),
                count => server.write_all(&buf[..count]).await.expect("the peer is there"),
            }
        }
    };
    join(ask, echo).await;
}

/// Whether `near` may write, end its side, and be dropped at once, and `far` still has all of it, and then the end;
/// libuv's `shutdown_close_*`.
pub(crate) async fn written_and_ended<S: AsyncRead + AsyncWrite>(mut near: S, mut far: S) {
    near.write_all(b"last words").await.expect("the peer is there");
    near.shutdown().await.expect("the connection is there");
    drop(near);
    let mut all = Vec::new();
    far.read_to_end(&mut all).await.expect("an end is no error");
    assert_eq!(all, b"last words");
}
