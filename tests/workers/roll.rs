//! Workers that others take the place of while requests come in.

use super::load::{ALL_KINDS, Client, Load};
use super::served::Served;
use super::{READY, REUSE_PORT, SHARED, place, processes, start};
use evloop::signal::{SignalKind, kill};
use std::collections::BTreeSet;
use std::fs;

#[test]
fn hang_up_replaces_each_worker_and_fails_no_request() {
    hang_up(SHARED);
}

#[test]
fn hang_up_replaces_each_worker_with_a_socket_of_its_own_and_fails_no_request() {
    hang_up(REUSE_PORT);
}

fn hang_up(arguments: &[&str]) {
    let mut served = start(arguments, 2);
    let before = served.workers();
    let load = Load::start(place(&served), ALL_KINDS);
    served.signal(SignalKind::HANGUP);
    served.until_workers(2, &before);
    load.until_answered(200);
    load.end().assert_all_answered();
    served.until_said("), which a fresh one has replaced, has ended", 2);
    served.assert_no_zombies();
    served.signal(SignalKind::TERMINATE);
    assert_eq!(served.status().code(), Some(0));
    served.until_all_ended();
}

#[test]
fn orders_that_come_together_are_all_followed_and_fail_no_request() {
    let mut served = start(SHARED, 2);
    let before = served.workers();
    let load = Load::start(place(&served), ALL_KINDS);
    served.signal(SignalKind::HANGUP);
    served.signal(SignalKind::TERMINAL_READ);
    served.until_said("one more worker", 1);
    served.signal(SignalKind::HANGUP);
    served.signal(SignalKind::TERMINAL_READ);
    served.until_said("one more worker", 2);
    served.signal(SignalKind::TERMINAL_WRITE);
    served.until_workers(3, &before);
    load.until_answered(200);
    load.end().assert_all_answered();
    served.signal(SignalKind::HANGUP);
    served.signal(SignalKind::TERMINATE);
    assert_eq!(served.status().code(), Some(0));
    served.until_all_ended();
}

#[test]
fn workers_go_on_when_those_to_come_cannot_start() {
    let folder = tempfile::tempdir().unwrap();
    let (here, away) = (folder.path().join("here"), folder.path().join("away"));
    fs::create_dir(&here).unwrap();
    let served = start(&["--workers", "2", "--dir", here.to_str().unwrap(), "--listing"], 2);
    let before = served.workers();
    let load = Load::start(place(&served), &[Client::keep_alive("/"), Client::one_shot("/")]);
    fs::rename(&here, &away).unwrap();
    served.signal(SignalKind::HANGUP);
    served.until_said("no more workers are replaced", 1);
    fs::rename(&away, &here).unwrap();
    assert_eq!(served.workers(), before);
    served.signal(SignalKind::HANGUP);
    served.until_workers(2, &before);
    load.end();
}

#[test]
fn worker_told_to_terminate_is_replaced_and_fails_no_request() {
    let served = start(SHARED, 2);
    let before = served.workers();
    let load = Load::start(place(&served), ALL_KINDS);
    for worker in &before {
        kill(*worker, SignalKind::TERMINATE).unwrap();
    }
    served.until_workers(2, &before);
    load.until_answered(200);
    load.end().assert_all_answered();
    served.until_said(") was sent SIGTERM: it finishes what it has begun, and is replaced", 2);
    served.until_said("), which was sent SIGTERM, has ended", 2);
    served.assert_no_zombies();
}

#[test]
fn workers_are_replaced_after_their_last_request_and_not_all_at_once() {
    let served = start(&["--workers", "2", "--limit-max-requests", "200", "--limit-max-requests-jitter", "400"], 2);
    let load = Load::start(place(&served), ALL_KINDS);
    served.until_said(READY, 8);
    load.end().assert_all_answered();
    served
        .until_said(" requests, its share by --limit-max-requests: it finishes what it has begun, and is replaced", 6);
    served.assert_no_zombies();
}

#[test]
fn each_loop_of_each_worker_draws_a_share_of_requests_of_its_own() {
    const LEAST: u64 = 1_000;
    const JITTER: u64 = 1_000_000_000_000; // two that are the same are not to be feared
    let most = (LEAST.to_string(), JITTER.to_string());
    let limits = ["--limit-max-requests", &most.0, "--limit-max-requests-jitter", &most.1];
    let served = start(&[&limits[..], &["--workers", "4", "--threads", "4", "--log-level", "debug"]].concat(), 4);
    let said = served.said("retires after");
    let number = |line: &String| line.split("retires after ").nth(1)?.split(' ').next()?.parse().ok();
    let shares: BTreeSet<u64> = said.iter().filter_map(number).collect();
    assert_eq!((said.len(), shares.len()), (16, 16), "{said:#?}");
    assert!(shares.iter().all(|share| (LEAST..=LEAST + JITTER).contains(share)), "{said:#?}");
}

#[test]
fn replaced_workers_leave_no_descriptor_behind() {
    let served = start(SHARED, 2);
    let open = |served: &Served| {
        let of_workers: Vec<_> = served.workers().into_iter().map(processes::open_kinds).collect();
        (processes::open_kinds(served.pid()), of_workers)
    };
    let first = open(&served);
    assert_eq!(first.1[0], first.1[1], "a worker has nothing of another one");
    for _ in 0..2 {
        let before = served.workers();
        served.signal(SignalKind::HANGUP);
        served.until_workers(2, &before);
    }
    assert_eq!(open(&served), first);
    let [one, other] = served.workers().try_into().unwrap();
    let both: BTreeSet<u64> = processes::sockets(one).intersection(&processes::sockets(other)).copied().collect();
    assert_eq!(both.len(), 1, "they share the socket that listens");
}
