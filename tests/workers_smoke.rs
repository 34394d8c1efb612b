//! A master and its workers in short: they start, serve, are replaced, and leave nothing behind.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::in_child;
use evloop::http::Router;
use evloop::serve::{self, Bind, Config, Control};
use evloop::signal::{SignalKind, kill};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A net under tests that would hang.
const SAFETY_NET: Duration = Duration::from_secs(30);

/// Returns what is found, once it is, by other processes' doing.
fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SAFETY_NET;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "it never comes: {what}");
        thread::yield_now();
    }
}

struct Served {
    master: Child,
    address: String,
}

const EVLOOP: &str = env!("CARGO_BIN_EXE_evloop");

impl Served {
    fn start(arguments: &[&str]) -> Served {
        Served::run(Command::new(EVLOOP).stdin(Stdio::null()), arguments)
    }

    fn run(command: &mut Command, arguments: &[&str]) -> Served {
        command.args(["serve", "--port", "0", "--control", "none"]).args(arguments).env_remove("RUST_LOG");
        let mut master = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(master.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        let address = said.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        let address = address.unwrap_or_else(|| panic!("it does not serve: {said}")).to_owned();
        Served { master, address }
    }

    /// The processes that the master has started and not yet waited for.
    fn workers(&self) -> Vec<u32> {
        let master = self.master.id();
        let children = fs::read_to_string(format!("/proc/{master}/task/{master}/children")).unwrap();
        children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }

    fn assert_serves(&self) {
        let mut client = TcpStream::connect(&self.address).unwrap();
        client.set_read_timeout(Some(SAFETY_NET)).unwrap();
        client.write_all(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nHello, World!"), "{answer}");
    }

    fn tell(&self, signal: SignalKind) {
        kill(self.master.id(), signal).unwrap();
    }

    /// Its exit status, and what it has logged, once the last of its processes has ended: they all have the other end.
    fn end(&mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        self.master.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        let status = until("the master's end", || self.master.try_wait().unwrap());
        (status.code(), log)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.master.kill()); // and its workers end with it
        drop(self.master.wait());
    }
}

#[test]
fn worker_that_is_killed_is_replaced_and_a_stop_ends_all() {
    let mut served = Served::start(&["--workers", "2"]);
    let before = served.workers();
    assert_eq!(before.len(), 2);
    served.assert_serves();

    kill(before[0], SignalKind::KILL).unwrap();
    let after = until("another in its place", || {
        Some(served.workers()).filter(|workers| workers.len() == 2 && !workers.contains(&before[0]))
    });
    assert!(after.contains(&before[1]), "the other one goes on");
    served.assert_serves();

    served.tell(SignalKind::TERMINATE);
    let (status, log) = served.end();
    assert_eq!(status, Some(0), "{log}");
    let told = format!("worker 1 (process {}) was ended by SIGKILL; it is replaced at once", before[0]);
    assert!(log.contains(&told), "{log}");
}

#[test]
fn workers_have_their_sockets_and_their_channel_and_nothing_of_the_master() {
    let served = Served::start(&["--workers", "2", "--threads", "2"]);
    for worker in served.workers() {
        let open = fs::read_dir(format!("/proc/{worker}/fd")).unwrap();
        let targets = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        let targets: Vec<String> = targets.map(|target| target.to_string_lossy().into_owned()).collect();
        // The channel, and the listening socket once for each loop.
        assert_eq!(targets.iter().filter(|target| target.starts_with("socket:")).count(), 3, "{targets:?}");
        assert!(targets.iter().all(|target| !target.contains("pidfd")), "{targets:?}");
    }
}

#[test]
fn master_that_is_killed_leaves_no_worker_not_even_a_stopped_one() {
    let mut served = Served::start(&["--workers", "2"]);
    let workers = served.workers();
    kill(workers[0], SignalKind::STOP).unwrap();
    until("a stopped worker", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", workers[0])).unwrap();
        stat.contains(") T ").then_some(())
    });
    served.tell(SignalKind::KILL);
    let (status, log) = served.end();
    assert_eq!(status, None, "{log}");
    assert_eq!(log.matches("the master is gone").count(), 2, "{log}");
}

#[test]
fn told_twice_all_end_at_once() {
    let mut served = Served::start(&["--workers", "2"]);
    let mut slow = TcpStream::connect(&served.address).unwrap();
    slow.write_all(b"GET /sleep?ms=600000 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut lines = BufReader::new(served.master.stderr.take().unwrap()).lines();
    served.tell(SignalKind::INTERRUPT);
    assert!(lines.any(|line| line.unwrap().contains("a second signal ends it at once")));
    served.tell(SignalKind::TERMINATE);
    let status = until("the master's end", || served.master.try_wait().unwrap());
    assert_eq!(status.code(), Some(130));
    assert_eq!(lines.map(Result::unwrap).last().unwrap(), "evloop: ended at once, as it was told twice");
}

#[test]
fn signal_to_a_master_that_was_replaced_cuts_nobody_off() {
    let mut served = Served::start(&["--workers", "2"]);
    let mut slow = TcpStream::connect(&served.address).unwrap();
    slow.set_read_timeout(Some(SAFETY_NET)).unwrap();
    slow.write_all(b"GET /sleep?ms=1000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    served.assert_serves();
    let mut lines = BufReader::new(served.master.stderr.take().unwrap()).lines();
    served.tell(SignalKind::USER_DEFINED_2);
    let said = lines.find_map(|line| Some(line.unwrap().split_once(" is the master now")?.0.to_owned())).unwrap();
    let successor: u32 = said.rsplit(' ').next().unwrap().parse().unwrap();
    served.tell(SignalKind::INTERRUPT); // as from a terminal, where both hear it
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(until("the old master's end", || served.master.try_wait().unwrap()).code(), Some(0));
    served.assert_serves();
    kill(successor, SignalKind::TERMINATE).unwrap();
    assert!(lines.map(Result::unwrap).last().unwrap().contains("stopped"));
}

#[test]
fn terminal_that_is_closed_ends_the_server_that_was_started_from_it() {
    for (by_nohup, what) in [(false, "SIGHUP: stopping"), (true, "both workers have been replaced")] {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
        let slave = fs::File::options().read(true).write(true).open(name).unwrap();
        let mut setsid = Command::new("setsid");
        setsid.args(["--ctty"]).args(by_nohup.then_some("nohup")).arg(EVLOOP).stdin(slave);
        let mut served = Served::run(&mut setsid, &["--workers", "2"]);
        drop(setsid); // which has the terminal, too
        served.assert_serves();
        drop(terminal);
        let mut lines = BufReader::new(served.master.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains(what)), "{what}");
        if by_nohup {
            served.tell(SignalKind::TERMINATE);
        }
        assert_eq!(until("the master's end", || served.master.try_wait().unwrap()).code(), Some(0));
    }
}

// --- A program with an application of its own, which is this test ----------------------------------------------------

fn own() -> Config {
    Config::new().bind(Bind::Inet("127.0.0.1".to_owned(), 0)).workers(2).control(Control::Off)
}

#[test]
fn application_that_cannot_be_made_ends_the_master_with_its_reason() {
    in_child("application_that_cannot_be_made_ends_the_master_with_its_reason", "", || {
        let error = serve::run(own(), |_| Err::<Router, _>(io::Error::other("no such table"))).unwrap_err();
        assert!(error.to_string().ends_with(" cannot start: no such table"), "{error}");
        assert_eq!(error.status(), 3);
    });
}

#[test]
fn application_that_is_never_made_ends_the_master_in_time() {
    in_child("application_that_is_never_made_ends_the_master_in_time", "", || {
        let config = own().timeout_worker_start(Some(Duration::from_millis(100)));
        let error = serve::run(config, |_| {
            loop {
                thread::park(); // as one that waits for a database
            }
            #[expect(unreachable_code, reason = "it names the application")]
            Ok(Router::new())
        });
        let error = error.unwrap_err();
        assert!(error.to_string().ends_with(" was not ready in 0.1 s"), "{error}");
        assert_eq!(error.status(), 3);
    });
}
