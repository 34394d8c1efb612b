//! How it begins, and when it does not.

use super::load::{Connection, Place};
use super::served::{Served, evloop};
use super::{READY, start};
use evloop::signal::SignalKind;
use rustix::fs::{CWD, Mode, mkfifoat};
use std::fs::{self, File};
use std::os::unix::net::{UnixListener, UnixStream};

#[test]
fn workers_that_cannot_start_end_their_master_with_3_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let of_workers: Vec<_> = (1..=2).map(|worker| folder.path().join(format!("trace.worker-{worker}"))).collect();
    for file in &of_workers {
        fs::create_dir(file).unwrap();
    }
    let mut served = Served::run(&mut evloop(&["--port=0", "--workers=2", "--trace", trace.to_str().unwrap()]));
    assert_eq!(served.status().code(), Some(3));
    served.until_all_ended();
    let last = served.said("").pop().unwrap();
    let names_its_file = of_workers.iter().any(|file| last.contains(file.to_str().unwrap()));
    assert!(last.starts_with("evloop: ") && names_its_file, "{last}");
    assert!(served.said(READY).is_empty());
}

#[test]
fn unix_socket_of_workers_replaces_a_stale_one_and_is_gone_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    drop(UnixListener::bind(&path).unwrap());
    let uds = path.to_str().unwrap();
    let mut served = Served::run(&mut evloop(&["--uds", uds, "--workers=2"]));
    served.until_said(READY, 2);
    Connection::begun(&Place::Unix(path.clone()), "/plaintext").answer().unwrap();

    let mut second = Served::run(&mut evloop(&["--uds", uds, "--workers=2"]));
    assert_eq!(second.status().code(), Some(1));
    assert!(second.until_said("evloop: ", 1).contains(uds));
    Connection::begun(&Place::Unix(path.clone()), "/plaintext").answer().unwrap();

    served.signal(SignalKind::TERMINATE);
    assert_eq!(served.status().code(), Some(0));
    assert!(!path.exists());
}

#[test]
fn unix_socket_of_a_killed_master_is_replaced_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    for _ in 0..2 {
        let served = Served::run(&mut evloop(&["--uds", path.to_str().unwrap(), "--workers=2"]));
        served.until_said(READY, 2);
        Connection::begun(&Place::Unix(path.clone()), "/plaintext").answer().unwrap();
        served.signal(SignalKind::KILL);
        served.until_all_ended();
        assert!(UnixStream::connect(&path).is_err());
    }
}

#[test]
fn regular_file_in_the_place_of_a_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "kept").unwrap();
    let mut served = Served::run(&mut evloop(&["--uds", path.to_str().unwrap(), "--workers=2"]));
    assert_eq!(served.status().code(), Some(1));
    assert!(served.until_said("evloop: ", 1).contains(path.to_str().unwrap()));
    assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
}

#[test]
fn each_place_is_served_by_the_same_workers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let unix = format!("unix:{}", path.display());
    let served =
        Served::run(&mut evloop(&["--bind=127.0.0.1:0", "--bind=127.0.0.1:0", "--bind", &unix, "--workers=2"]));
    served.until_said(READY, 2);
    let line = served.until_said("http://", 1);
    assert!(line.contains(path.to_str().unwrap()), "{line}");
    let addresses: Vec<_> = line.split("http://").skip(1).map(|rest| rest.split('/').next().unwrap()).collect();
    assert_eq!(addresses.len(), 2);
    for address in addresses {
        Connection::begun(&Place::Tcp(address.parse().unwrap()), "/plaintext").answer().unwrap();
    }
    Connection::begun(&Place::Unix(path), "/plaintext").answer().unwrap();
}

/// What a worker is sent before it hears signals ends it, and in the program's first moments it does not: this one is held there by
/// the file of its trace, a pipe that nobody reads yet.
#[test]
fn signal_for_those_who_serve_does_not_end_one_that_starts() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let served = start(&["--workers", "2", "--trace", trace.to_str().unwrap()], 2);
    let before = served.workers();
    mkfifoat(CWD, &trace, Mode::RUSR | Mode::WUSR).unwrap();
    served.signal(SignalKind::TERMINAL_READ);
    let workers = served.until_workers(3, &[]);
    served.signal(SignalKind::USER_DEFINED_1);
    served.until_said("the last ", 2); // by those who serve
    drop(File::open(&trace).unwrap());
    served.until_said(READY, 3);
    assert_eq!(served.workers(), workers);
    assert!(before.iter().all(|worker| workers.contains(worker)));
}
