//! What `evloop status` is asked for.

use super::*;
use std::time::Duration;

#[test]
fn one_server_or_the_only_one_is_looked_at_once_or_again_and_again() {
    let status = |which: Option<&str>, json, watch: Option<f64>| {
        let watch = watch.map(Duration::from_secs_f64);
        Ok(Command::Status(StatusView { which: which.map(str::to_owned), json, watch }))
    };
    assert_eq!(parsed(&["status"]), status(None, false, None));
    assert_eq!(parsed(&["status", "4711"]), status(Some("4711"), false, None));
    assert_eq!(parsed(&["status", "--json", "/run/a"]), status(Some("/run/a"), true, None));
    // A number after it could be that of a process, so it is none of seconds.
    assert_eq!(parsed(&["status", "--watch", "4711"]), status(Some("4711"), false, Some(1.0)));
    assert_eq!(parsed(&["status", "--watch=0.5"]), status(None, false, Some(0.5)));
    assert_eq!(parsed(&["status", "--watch=2", "4711"]), status(Some("4711"), false, Some(2.0)));
    // With a fraction it is no process.
    assert_eq!(parsed(&["status", "--watch", "0.2"]), status(None, false, Some(0.2)));
    assert_eq!(parsed(&["status", "--watch", "0.2", "/run/a:1"]), status(Some("/run/a:1"), false, Some(0.2)));
}

#[test]
fn what_is_wrong_with_it_is_said_in_one_line() {
    for (arguments, named) in [
        (&["status", "--watch=0"][..], "--watch takes a number of seconds above 0, not \"0\""),
        (&["status", "--watch=soon"], "--watch"),
        (&["status", "--watch", "0.0"], "--watch takes a number of seconds above 0, not \"0.0\""),
        (&["status", ":8000"], "a server is told by the number of its process"),
        (&["status", "127.0.0.1:8000"], "not by its address \"127.0.0.1:8000\""),
        (&["status", "http://127.0.0.1:8000/"], "not by its address"),
        (&["status", "--json=yes"], "--json"),
        (&["status", "a", "b"], "b"),
        (&["status", "--colour"], "--colour"),
    ] {
        refused(&[], arguments, &[named, "see `evloop status --help`"]);
    }
}
