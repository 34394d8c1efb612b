//! A new program takes over from the one that runs.

use super::load::{ALL_KINDS, Connection, Load, Place};
use super::served::{Served, evloop, evloop_at};
use super::{READY, REUSE_PORT, SHARED, place, processes};
use evloop::signal::{SignalKind, kill};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What a master says once it governs, and has written its pid file: the old one may have ended a moment before.
const GOVERNS: &str = "master in process";

/// The process that is named in that file; `None` while there is none.
fn named_in(file: &Path) -> Option<u32> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[test]
fn upgrade_fails_no_request() {
    upgrade(SHARED);
}

#[test]
fn upgrade_of_workers_with_sockets_of_their_own_fails_no_request() {
    upgrade(REUSE_PORT);
}

fn upgrade(arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let mut served = Served::start(&[arguments, &["--pid-file", file.to_str().unwrap()]].concat());
    served.until_said(READY, 2);
    let old = [&[served.pid()][..], &served.workers()].concat();
    assert_eq!(named_in(&file), Some(served.pid()));
    let load = Load::start(place(&served), ALL_KINDS);
    served.signal(SignalKind::USER_DEFINED_2);
    assert_eq!(served.status().code(), Some(0));
    processes::until_ended(&old);
    served.until_said(GOVERNS, 2);
    let master = named_in(&file).unwrap();
    assert!(!old.contains(&master) && processes::is_there(master));
    assert_eq!(processes::living_children(master).len(), 2);
    load.until_answered(200);
    load.end().assert_all_answered();

    kill(master, SignalKind::TERMINATE).unwrap();
    served.until_all_ended();
    assert!(!file.exists());
}

#[test]
fn upgrade_keeps_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let (file, path) = (folder.path().join("pid"), folder.path().join("socket"));
    let arguments = ["--workers=2", "--uds", path.to_str().unwrap(), "--pid-file", file.to_str().unwrap()];
    let mut served = Served::run(&mut evloop(&arguments));
    served.until_said(READY, 2);
    for upgrades in 1..=2 {
        let old = named_in(&file).unwrap();
        kill(old, SignalKind::USER_DEFINED_2).unwrap();
        processes::until_ended(&[old]);
        served.until_said(GOVERNS, 1 + upgrades);
        Connection::begun(&Place::Unix(path.clone()), "/plaintext").answer().unwrap();
    }
    assert_eq!(served.status().code(), Some(0));
    kill(named_in(&file).unwrap(), SignalKind::TERMINATE).unwrap();
    served.until_all_ended();
    assert!(!path.exists() && !file.exists());
}

#[test]
fn upgrade_to_a_program_that_does_not_start_is_told_and_the_old_one_goes_on() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (program, file) = (folder.path().join("evloop"), folder.path().join("pid"));
    fs::hard_link(env!("CARGO_BIN_EXE_evloop"), &program).unwrap();
    let arguments = ["--port=0", "--workers=2", "--no-access-log", "--pid-file", file.to_str().unwrap()];
    let mut served = Served::run(&mut evloop_at(program.clone(), &arguments));
    served.until_said(READY, 2);
    let workers = served.workers();
    let load = Load::start(place(&served), ALL_KINDS);

    let broken = folder.path().join("broken");
    fs::write(&broken, "#!/bin/sh\nexit 7\n").unwrap();
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&broken, &program).unwrap();
    served.signal(SignalKind::USER_DEFINED_2);
    served.until_said("has ended with status 7", 1);
    fs::remove_file(&program).unwrap();
    served.signal(SignalKind::USER_DEFINED_2);
    served.until_said("No such file", 1);

    load.until_answered(200);
    load.end().assert_all_answered();
    assert_eq!(served.workers(), workers);
    assert_eq!(named_in(&file), Some(served.pid()));
    served.assert_no_zombies();
    served.signal(SignalKind::TERMINATE);
    assert_eq!(served.status().code(), Some(0));
}

#[test]
fn second_signal_ends_a_successor_that_hangs_as_well() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let program = folder.path().join("evloop");
    fs::hard_link(env!("CARGO_BIN_EXE_evloop"), &program).unwrap();
    let mut served = Served::run(&mut evloop_at(program.clone(), &["--port=0", "--workers=2", "--no-access-log"]));
    served.until_said(READY, 2);
    let hangs = folder.path().join("hangs");
    fs::write(&hangs, "#!/bin/sh\ntrap '' QUIT TERM INT\nexec sleep 3600\n").unwrap();
    fs::set_permissions(&hangs, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&hangs, &program).unwrap();
    served.signal(SignalKind::USER_DEFINED_2);
    served.until_said("a new binary takes over", 1);
    served.signal(SignalKind::TERMINATE);
    served.until_said("stopping", 1);
    served.signal(SignalKind::INTERRUPT);
    assert_eq!(served.status().code(), Some(130));
    served.until_all_ended();
}
