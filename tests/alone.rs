//! A server without workers as a user starts it: what each signal does to it, and what it says of that.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]
#![allow(dead_code, reason = "other tests take another part of what is common")]

#[path = "common/load.rs"]
mod load;
#[path = "common/processes.rs"]
mod processes;
#[path = "common/served.rs"]
mod served;

use evloop::signal::{SignalKind, kill};
use load::{Connection, Place};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use served::{Served, evloop};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

fn place(served: &Served) -> Place {
    Place::Tcp(served.address())
}

#[test]
fn hang_up_ends_it_as_terminate_does_and_says_why() {
    let mut served = Served::start(&[]);
    let mut begun = Connection::begun(&place(&served), "/sleep?ms=500");
    served.signal(SignalKind::HANGUP);
    served.until_said("SIGHUP: without workers there is nothing to reload: stopping", 1);
    begun.answer().unwrap();
    assert_eq!(served.status().code(), Some(0));
}

#[test]
fn hang_up_that_it_was_started_to_ignore_stays_ignored() {
    let program = evloop(&["serve", "--port", "0", "--no-access-log"]);
    let mut nohup = Command::new("sh");
    nohup.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(program.get_program()).args(program.get_args());
    let mut served = Served::run(nohup.env("EVLOOP_CONTROL", "none").stdin(Stdio::null()));
    served.address();
    served.signal(SignalKind::HANGUP);
    served.signal(SignalKind::TERMINAL_READ); // it comes after, and is told of
    served.until_said("SIGTTIN", 1);
    Connection::begun(&place(&served), "/plaintext").answer().unwrap();
    served.signal(SignalKind::TERMINATE);
    assert_eq!(served.status().code(), Some(0));
    assert!(served.said("SIGHUP").is_empty());
}

#[test]
fn signals_for_workers_are_one_line_each_and_it_serves_on() {
    let mut served = Served::start(&[]);
    for (signal, name) in [
        (SignalKind::TERMINAL_READ, "SIGTTIN"),
        (SignalKind::TERMINAL_WRITE, "SIGTTOU"),
        (SignalKind::USER_DEFINED_2, "SIGUSR2"),
    ] {
        served.signal(signal);
        let line = served.until_said(name, 1);
        assert!(line.contains("WARN") && line.ends_with("changes nothing: this server has no workers"), "{line}");
        Connection::begun(&place(&served), "/plaintext").answer().unwrap();
    }
    served.signal(SignalKind::TERMINATE);
    assert_eq!(served.status().code(), Some(0));
    assert_eq!(served.said("changes nothing").len(), 3);
}

#[test]
fn second_signal_tells_what_it_cuts_and_ends_with_130() {
    let mut served = Served::start(&[]);
    let mut begun = Connection::begun(&place(&served), "/sleep?ms=3600000");
    served.signal(SignalKind::TERMINATE);
    served.until_said("stopping, waiting for 1 request", 1);
    served.signal(SignalKind::INTERRUPT);
    let cut = "SIGINT once more: ending at once, without waiting for 1 request on 1 connection";
    served.until_said(cut, 1);
    assert_eq!(served.status().code(), Some(130));
    assert!(begun.answer().is_err());
}

/// `timeout` and others send a signal to the process and then to its group.
#[test]
fn signal_that_comes_twice_in_a_moment_is_one() {
    let mut served = Served::start(&[]);
    let mut begun = Connection::begun(&place(&served), "/sleep?ms=500");
    served.signal(SignalKind::TERMINATE);
    served.signal(SignalKind::TERMINATE);
    begun.answer().unwrap();
    assert_eq!(served.status().code(), Some(0));
}

#[test]
fn second_signal_is_heard_though_nobody_reads_the_log() {
    let (unread, mut log) = std::io::pipe().unwrap();
    fill(&log);
    let mut server = evloop(&["serve", "--port", "0", "--no-access-log", "--timeout-graceful-shutdown", "none"]);
    let mut child = server.stdout(Stdio::piped()).stderr(log.try_clone().unwrap()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let address = said.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap().parse().unwrap();
    let begun = Connection::begun(&Place::Tcp(address), "/sleep?ms=3600000");
    kill(child.id(), SignalKind::TERMINATE).unwrap();
    served::until("the end of the listening socket", || TcpStream::connect(address).is_err());
    kill(child.id(), SignalKind::INTERRUPT).unwrap();
    served::until("its end", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop((begun, unread));
    log.flush().unwrap();
}

#[test]
fn inherited_socket_is_closed_when_the_stop_begins() {
    for arguments in [&[][..], &["--workers", "2"]] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let program = evloop(&["serve", "--fd", "3", "--no-access-log"]);
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$0\" \"$@\" 3<&0 </dev/null"]).arg(program.get_program()).args(program.get_args());
        let shell = shell.args(arguments).env("EVLOOP_CONTROL", "none").stdin(OwnedFd::from(listener));
        let mut served = Served::run(shell);
        *shell = Command::new("true"); // and with it our listener
        assert_eq!(served.address(), address);
        let begun = Connection::begun(&Place::Tcp(address), "/sleep?ms=3600000");
        served.signal(SignalKind::TERMINATE);
        served::until("a port that refuses", || TcpStream::connect(address).is_err());
        assert!(processes::state(served.pid()).is_some_and(|state| state != 'Z'), "it serves still");
        served.signal(SignalKind::INTERRUPT);
        assert_eq!(served.status().code(), Some(130));
        drop(begun);
    }
}

/// With `stty tostop`, the kernel stops who writes to a terminal in the background, or tells it so without end.
#[test]
fn server_in_the_background_writes_to_a_terminal_that_would_stop_it() {
    for (arguments, heard) in [("", "SIGTTOU changes nothing"), ("--workers 2", "one worker less: 1")] {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let theirs = ptsname(&terminal, Vec::new()).unwrap();
        let theirs = File::options().read(true).write(true).open(OsStr::from_bytes(theirs.as_bytes())).unwrap();
        let program = evloop(&[]);
        let server = format!("\"$0\" serve --port 0 --no-access-log {arguments} >/dev/tty 2>&1");
        let mut shell = Command::new("setsid");
        shell.args(["--ctty", "--wait", "sh", "-c", &format!("set -m; stty tostop; {server} & wait")]);
        shell.arg(program.get_program()).env("EVLOOP_CONTROL", "none").stdin(theirs);
        let mut session = Served::run(&mut shell);
        drop(shell); // and with it our end of theirs
        let (tell, told) = mpsc::channel();
        let lines = BufReader::new(File::from(terminal)).lines().map_while(Result::ok);
        thread::spawn(move || lines.map(|line| tell.send(line)).take_while(Result::is_ok).count());
        let until = |text: &str| loop {
            let line: String = told.recv_timeout(served::SAFETY_NET).expect(text);
            if line.contains(text) {
                return line;
            }
        };
        let said = until(" in process ");
        let pid = said.split(" in process ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().parse().unwrap();
        kill(pid, SignalKind::TERMINAL_WRITE).unwrap();
        until(heard);
        kill(pid, SignalKind::TERMINATE).unwrap();
        assert_eq!(session.status().code(), Some(0));
        session.until_all_ended();
        let rest: Vec<_> = told.iter().collect();
        assert!(rest.iter().any(|line| line.contains("stopped")), "{rest:?}");
        assert!(!rest.iter().any(|line| line.contains(heard)), "it was told once: {rest:?}");
    }
}

/// Leaves no room for another line.
fn fill(pipe: &std::io::PipeWriter) {
    let before = rustix::fs::fcntl_getfl(pipe).unwrap();
    rustix::fs::fcntl_setfl(pipe, before | rustix::fs::OFlags::NONBLOCK).unwrap();
    for size in [4096, 1] {
        while rustix::io::write(pipe, &vec![b'\n'; size]) != Err(Errno::AGAIN) {}
    }
    rustix::fs::fcntl_setfl(pipe, before).unwrap();
}
