//! How all of it ends.

use super::load::{ALL_KINDS, Connection, Load};
use super::served::Served;
use super::{REUSE_PORT, SHARED, place, start};
use evloop::signal::{SignalKind, kill};

#[test]
fn one_process_told_to_terminate_answers_what_has_begun() {
    terminate(Served::start(&[]));
}

#[test]
fn threads_told_to_terminate_answer_what_has_begun() {
    terminate(Served::start(&["--threads", "2"]));
}

#[test]
fn workers_told_to_terminate_answer_what_has_begun() {
    terminate(start(SHARED, 2));
}

#[test]
fn workers_with_a_socket_of_their_own_told_to_terminate_answer_what_has_begun() {
    terminate(start(REUSE_PORT, 2));
}

fn terminate(mut served: Served) {
    let load = Load::start(place(&served), ALL_KINDS);
    let begun: Vec<_> = (0..8).map(|_| Connection::begun(&place(&served), "/sleep?ms=500")).collect();
    served.signal(SignalKind::TERMINATE);
    load.until_refused();
    for mut connection in begun {
        connection.answer().unwrap();
    }
    assert_eq!(served.status().code(), Some(0));
    let tally = load.end();
    assert!(tally.failed.is_empty(), "{tally:#?}");
    served.until_all_ended();
}

#[test]
fn what_a_stop_waits_for_is_told_each_second() {
    let mut served = start(SHARED, 2);
    let mut begun = Connection::begun(&place(&served), "/sleep?ms=2500");
    served.signal(SignalKind::TERMINATE);
    served.until_said("waiting for", 3);
    begun.answer().unwrap();
    drop(begun);
    assert_eq!(served.status().code(), Some(0));
}

#[test]
fn stop_that_takes_too_long_tells_what_is_left_and_cuts_it() {
    for arguments in [&["--threads", "1"], SHARED] {
        let mut served = Served::start(&[arguments, &["--timeout-graceful-shutdown", "0.5"]].concat());
        let mut begun = Connection::begun(&place(&served), "/sleep?ms=3600000");
        served.signal(SignalKind::TERMINATE);
        assert!(begun.answer().is_err());
        let told = served.until_said("0.5 s are over: cutting 1 request on 1 connection", 1);
        assert!(told.contains("WARN"), "{told}");
        assert_eq!(served.status().code(), Some(0));
        served.until_all_ended();
    }
}

#[test]
fn second_signal_ends_it_at_once_with_130() {
    let (interrupt, terminate) = (SignalKind::INTERRUPT, SignalKind::TERMINATE);
    for [first, second] in [[interrupt, terminate], [terminate, interrupt]] {
        let mut served = start(SHARED, 2);
        let mut begun = Connection::begun(&place(&served), "/sleep?ms=3600000");
        served.signal(first);
        served.until_said("stopping", 1);
        served.signal(second);
        assert_eq!(served.status().code(), Some(130));
        assert!(begun.answer().is_err());
        served.until_all_ended();
    }
}

/// `timeout` and others send a signal to the process and then to its group.
#[test]
fn signal_that_comes_twice_in_a_moment_is_one() {
    let mut served = start(SHARED, 2);
    let mut begun = Connection::begun(&place(&served), "/sleep?ms=1000");
    served.signal(SignalKind::TERMINATE);
    served.signal(SignalKind::TERMINATE);
    begun.answer().unwrap();
    assert_eq!(served.status().code(), Some(0));
    served.until_all_ended();
}

#[test]
fn quit_ends_it_at_once() {
    for arguments in [&[][..], SHARED] {
        let mut served = Served::start(arguments);
        let mut begun = Connection::begun(&place(&served), "/sleep?ms=3600000");
        served.signal(SignalKind::QUIT);
        assert_eq!(served.status().code(), Some(0));
        assert!(begun.answer().is_err());
        served.until_all_ended();
    }
}

#[test]
fn keys_of_the_terminal_reach_the_workers_and_are_left_to_the_master() {
    let mut served = start(SHARED, 2);
    let begun: Vec<_> = (0..4).map(|_| Connection::begun(&place(&served), "/sleep?ms=500")).collect();
    for _ in 0..2 {
        for worker in served.workers() {
            kill(worker, SignalKind::INTERRUPT).unwrap();
        }
    }
    served.signal(SignalKind::INTERRUPT);
    for mut connection in begun {
        connection.answer().unwrap();
    }
    assert_eq!(served.status().code(), Some(0));
    served.until_all_ended();
}
