//! No worker outlives its master.

use super::load::Connection;
use super::served::until;
use super::{hang_one, place, processes, start};
use evloop::signal::{SignalKind, kill};

#[test]
fn workers_of_a_killed_master_answer_what_has_begun_and_end() {
    let served = start(&["--workers", "2"], 2);
    let begun: Vec<_> = (0..8).map(|_| Connection::begun(&place(&served), "/sleep?ms=500")).collect();
    served.signal(SignalKind::KILL);
    for mut connection in begun {
        connection.answer().unwrap();
    }
    served.until_all_ended();
}

#[test]
fn stopped_worker_and_hanging_one_end_with_their_killed_master() {
    let served = start(&["--workers", "3", "--timeout-graceful-shutdown", "1"], 3);
    let (_hung, hanging) = hang_one(&served);
    let stopped = served.workers().into_iter().find(|worker| *worker != hanging).unwrap();
    kill(stopped, SignalKind::STOP).unwrap();
    until("a worker that stands still", || processes::state(stopped) == Some('T'));
    let mut begun = Connection::begun(&place(&served), "/sleep?ms=300");
    served.signal(SignalKind::KILL);
    begun.answer().unwrap();
    drop(begun);
    served.until_all_ended();
}
