//! One worker more, one less.

use super::load::{ALL_KINDS, Load};
use super::{READY, REUSE_PORT, SHARED, place, processes, start};
use evloop::signal::SignalKind;

const MORE: SignalKind = SignalKind::TERMINAL_READ;
const LESS: SignalKind = SignalKind::TERMINAL_WRITE;

#[test]
fn workers_are_added_and_taken_away_and_fail_no_request() {
    add_and_take_away(SHARED);
}

#[test]
fn workers_with_a_socket_of_their_own_are_added_and_taken_away_and_fail_no_request() {
    add_and_take_away(REUSE_PORT);
}

fn add_and_take_away(arguments: &[&str]) {
    let served = start(arguments, 2);
    let load = Load::start(place(&served), ALL_KINDS);
    for (told, count) in [(MORE, 3), (LESS, 2), (LESS, 1)] {
        served.signal(told);
        served.until_workers(count, &[]);
        load.until_answered(100);
    }
    served.until_said("), which was one too many, has ended", 2);
    let last = served.workers();
    served.signal(LESS);
    served.until_said("there is one worker, and it stays", 1);
    served.signal(MORE);
    assert!(served.until_workers(2, &[]).contains(&last[0]));
    load.until_answered(100);
    load.end().assert_all_answered();
    served.assert_no_zombies();
}

#[test]
fn worker_keeps_one_more_socket_however_often_it_is_lent_those_of_another() {
    let served = start(REUSE_PORT, 2);
    let lasting = served.workers();
    let open = || lasting.iter().map(|worker| processes::open_kinds(*worker).len()).sum::<usize>();
    let before = open();
    for round in 1..=10 {
        served.signal(MORE);
        served.until_said(READY, 2 + round);
        served.signal(LESS);
        assert_eq!(served.until_workers(2, &[]), lasting);
    }
    assert!(open() <= before + 1, "{before} and then {}", open());
}
