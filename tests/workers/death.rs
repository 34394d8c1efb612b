//! Workers that are killed, hang, or stand still.

use super::load::{ALL_KINDS, Load, Tally};
use super::served::{Served, until};
use super::{READY, REUSE_PORT, SHARED, hang_one, place, processes, start};
use evloop::signal::{SignalKind, kill};
use std::collections::BTreeSet;
use std::fs;

/// Stops that worker; returns the ports of the connections that it holds, which cannot change then.
fn stop(served: &Served, worker: u32) -> BTreeSet<u16> {
    kill(worker, SignalKind::STOP).unwrap();
    until("a worker that stands still", || processes::state(worker) == Some('T'));
    processes::client_ports(worker, served.address())
}

/// All were answered, but for some on these connections.
fn assert_failed_only_on(ports: &BTreeSet<u16>, tally: &Tally) {
    let lost = || tally.failed.iter().chain(&tally.unheard);
    assert!(tally.refused.is_empty() && lost().all(|failure| ports.contains(&failure.port)), "{ports:?}: {tally:#?}");
}

#[test]
fn killed_server_without_workers_fails_what_it_has() {
    let mut served = Served::start(&[]);
    let load = Load::start(place(&served), ALL_KINDS);
    let own = stop(&served, served.pid());
    served.signal(SignalKind::KILL);
    load.until_refused();
    assert_eq!(served.status().code(), None);
    let tally = load.end();
    assert!(!tally.failed.is_empty() && tally.failed.iter().all(|failure| own.contains(&failure.port)), "{tally:#?}");
}

#[test]
fn killed_worker_is_replaced_and_fails_no_request_of_others() {
    killed(SHARED);
}

#[test]
fn connections_that_wait_for_a_killed_worker_are_served_by_the_next() {
    killed(REUSE_PORT);
}

fn killed(arguments: &[&str]) {
    let served = start(arguments, 2);
    let victim = served.workers()[0];
    let load = Load::start(place(&served), ALL_KINDS);
    let own = stop(&served, victim);
    kill(victim, SignalKind::KILL).unwrap();
    served.until_workers(2, &[victim]);
    served.until_said(READY, 3);
    load.until_answered(200);
    assert_failed_only_on(&own, &load.end());
    let told = served.said(&victim.to_string());
    assert!(told.iter().any(|line| line.contains("SIGKILL")), "{told:#?}");
    served.assert_no_zombies();
}

#[test]
fn hanging_worker_is_told_of_and_replaced_while_the_others_serve() {
    let served = start(&["--workers", "2", "--timeout-worker", "2"], 2);
    let (mut hung, victim) = hang_one(&served);
    let load = Load::start(place(&served), ALL_KINDS);
    served.until_workers(2, &[victim]);
    load.until_answered(200);
    load.end().assert_all_answered();
    assert!(hung.answer().is_err());
    let told = served.said(&victim.to_string()).join("\n");
    // What has happened, in its order.
    let mut rest = &*told;
    for part in [
        "has not turned for 2 s: it sleeps; ",
        "in GET /block-loop",
        "; it is asked to end (SIGTERM)\n",
        "was asked to end and does not; it is killed (SIGKILL)\n",
        "which was given up, was ended by SIGKILL",
    ] {
        rest = rest.split_once(part).unwrap_or_else(|| panic!("{part:?} is not where it should be in {told}")).1;
    }
    served.assert_no_zombies();
}

#[test]
fn connections_that_wait_for_a_hanging_worker_are_served_by_the_next() {
    let served = start(&[REUSE_PORT, &["--timeout-worker", "2"]].concat(), 2);
    let (_hung, victim) = hang_one(&served);
    let load = Load::start(place(&served), ALL_KINDS);
    served.until_workers(2, &[victim]);
    load.until_answered(200);
    load.end().assert_all_answered();
}

#[test]
fn stopped_worker_is_told_of_and_replaced_while_the_others_serve() {
    let served = start(&["--workers", "2", "--timeout-worker", "2"], 2);
    let victim = served.workers()[1];
    let load = Load::start(place(&served), ALL_KINDS);
    let own = stop(&served, victim);
    let served_by_others = Load::start(place(&served), ALL_KINDS);
    served.until_workers(2, &[victim]);
    served_by_others.end().assert_all_answered();
    assert_failed_only_on(&own, &load.end());
    let told = served.said(&victim.to_string());
    let what = "it was stopped by a signal; it is continued (SIGCONT) and asked to end (SIGTERM)";
    assert!(told.iter().any(|line| line.contains(what)), "{told:#?}");
    served.assert_no_zombies();
}

#[test]
fn worker_that_keeps_dying_is_started_again_after_longer_and_longer_pauses() {
    let folder = tempfile::tempdir().unwrap();
    let (here, away) = (folder.path().join("here"), folder.path().join("away"));
    fs::create_dir(&here).unwrap();
    let served = start(&["--workers", "2", "--dir", here.to_str().unwrap(), "--listing"], 2);
    let [victim, other] = served.workers().try_into().unwrap();
    fs::rename(&here, &away).unwrap();
    kill(victim, SignalKind::KILL).unwrap();
    for pause in ["replaced in 0.5 s", "replaced in 1 s"] {
        served.until_said(pause, 1);
    }
    assert!(served.workers().contains(&other), "who can serve does");
    fs::rename(&away, &here).unwrap();
    served.until_said(READY, 3);
    assert_eq!(served.until_workers(2, &[victim]).len(), 2);
    served.assert_no_zombies();
}
