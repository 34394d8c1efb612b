//! What there may be too little of: threads, and readers of what is said.

use super::load::Connection;
use super::served::{Served, evloop, evloop_at};
use super::{READY, SHARED, place};
use evloop::signal::{SignalKind, kill};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, getrlimit, getuid};
use std::fs::{self, Permissions};
use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

// --- Threads ---------------------------------------------------------------------------------------------------------

/// Nobody in particular: the limit does not bind root, as whom tests may run.
const SOMEBODY: u32 = 54_321;

const SERVE: &[&str] = &["serve", "--port=0", "--no-access-log"];

/// A program as that user, or as who runs the tests if that is not root.
fn as_somebody(command: &mut Command) -> &mut Command {
    if getuid().is_root() { command.uid(SOMEBODY) } else { command }
}

/// Whether the process that was started may start others, and threads, from now on: it has more than the one that is left.
fn may_start(served: &Served, may: bool) {
    let usual = getrlimit(Resource::Nproc).current.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
    let limit = format!("--nproc={}:", if may { &usual } else { "1" });
    let mut prlimit = Command::new("prlimit");
    let done = as_somebody(prlimit.args(["--pid", &served.pid().to_string(), &limit])).status().unwrap();
    assert!(done.success());
}

#[test]
fn master_that_can_start_nobody_tries_again_and_serves_and_stops_with_those_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("evloop"); // where anybody may start it
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    // By another process: a file that this one writes is busy for as long as any child of another test has it open as well.
    assert!(Command::new("cp").args([env!("CARGO_BIN_EXE_evloop").as_ref(), &*program]).status().unwrap().success());
    let mut served = Served::run(as_somebody(&mut evloop_at(program, &[SERVE, SHARED].concat())));
    served.until_said(READY, 2);
    let [victim, other] = served.workers().try_into().unwrap();

    may_start(&served, false);
    kill(victim, SignalKind::KILL).unwrap();
    served.until_said("was not started: ", 2);
    assert_eq!(served.workers(), [other]);
    Connection::begun(&place(&served), "/plaintext").answer().unwrap();

    may_start(&served, true);
    served.until_said(READY, 3);
    assert_eq!(served.until_workers(2, &[victim])[0], other);

    may_start(&served, false);
    served.signal(SignalKind::TERMINATE);
    assert_eq!(served.status().code(), Some(0));
    served.until_all_ended();
}

// --- Readers ---------------------------------------------------------------------------------------------------------

const GRACEFUL: &[&str] = &["--timeout-graceful-shutdown=0.5"];

/// A server that serves, and hangs at the next line that it writes to its standard error: that is a full pipe.
fn unheard(arguments: &[&str]) -> (Served, PipeReader) {
    let (reader, writer) = pipe().unwrap();
    let served = Served::run_with_stderr(&mut evloop(&[SERVE, arguments].concat()), writer.try_clone().unwrap());
    served.until_said("http://", 1);
    fill(writer);
    (served, reader)
}

fn fill(mut pipe: PipeWriter) {
    const PAGE: [u8; 4096] = [b'\n'; 4096];
    let has_room = |pipe: &PipeWriter| {
        let mut asked = [PollFd::new(pipe, PollFlags::OUT)];
        poll(&mut asked, Some(&Timespec::default())).unwrap() > 0
    };
    while has_room(&pipe) {
        pipe.write_all(&PAGE).unwrap();
    }
}

#[test]
fn workers_whose_log_nobody_reads_end_with_their_killed_master() {
    let (served, _reader) = unheard(&[SHARED, GRACEFUL].concat());
    let _hung = Connection::sent(&place(&served), "/block-loop?ms=3600000");
    served.signal(SignalKind::KILL);
    served.until_all_ended();
}

#[test]
fn process_whose_log_nobody_reads_ends_when_it_is_told_to_quit() {
    quit_unheard(&[]);
}

#[test]
fn master_whose_log_nobody_reads_ends_with_its_workers_when_it_is_told_to_quit() {
    quit_unheard(SHARED);
}

#[test]
fn process_whose_log_nobody_reads_ends_when_it_is_told_to_stop() {
    let (mut served, _reader) = unheard(&["--timeout-graceful-shutdown", "none"]);
    served.signal(SignalKind::TERMINATE);
    assert_eq!(served.status().code(), Some(0));
}

fn quit_unheard(arguments: &[&str]) {
    let (mut served, _reader) = unheard(&[arguments, GRACEFUL].concat());
    let mut begun = Connection::begun(&place(&served), "/sleep?ms=3600000");
    served.signal(SignalKind::QUIT);
    served.status();
    assert!(begun.answer().is_err());
    served.until_all_ended();
}
