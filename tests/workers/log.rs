//! What workers say, and that it tells which of them says it.

use super::load::Connection;
use super::{READY, SHARED, hang_one, place, start};
use evloop::observe::Recording;
use evloop::signal::SignalKind;
use serde_json::Value;
use std::fs::File;

#[test]
fn json_line_of_a_request_tells_when_it_was_and_which_worker_answered() {
    let served = start(&["--workers", "2", "--access-log=json"], 2);
    Connection::begun(&place(&served), "/plaintext").answer().unwrap();
    let line: Value = serde_json::from_str(&served.until_said("\"target\":\"/plaintext\"", 1)).unwrap();
    let named = format!("worker {} (process {}{READY}", line["worker"], line["pid"]);
    assert_eq!(served.said(&named).len(), 1, "{named}");
    let time = line["time"].as_str().unwrap();
    let digits_as_nines: String = time.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_eq!(digits_as_nines, "9999-99-99T99:99:99.999Z", "{time}");
}

#[test]
fn warnings_of_a_worker_name_its_process() {
    let served = start(SHARED, 2);
    assert!(Connection::sent(&place(&served), "/panic").answer().is_err(), "it is no success");
    let told = served.until_said("the application panicked", 1);
    let is_named = |pid: &u32| told.contains(&format!(" (process {pid}): "));
    assert_eq!(served.workers().iter().filter(|pid| is_named(pid)).count(), 1, "{told}");
    let (_hung, holder) = hang_one(&served);
    assert!(served.workers().contains(&holder));
}

#[test]
fn dump_and_trace_of_a_worker_tell_whose_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let served = start(&["--workers", "2", "--trace", trace.to_str().unwrap()], 2);
    served.signal(SignalKind::USER_DEFINED_1);
    for (pid, number) in served.workers().into_iter().zip(1..) {
        let worker = format!("worker {number} (process {pid})");
        served.until_said(&format!("{worker}, loop 0: 3 tasks"), 1);
        served.until_said(&format!("{worker}: the last "), 1);
        let file = File::open(folder.path().join(format!("trace.worker-{number}"))).unwrap();
        assert_eq!(Recording::read_chrome(file).unwrap().whose, format!("{worker}, loop 0"));
    }
}
