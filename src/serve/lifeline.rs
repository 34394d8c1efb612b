//! The end of a process that nothing can hold up.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;
use std::{process, thread};

/// Ends this process after that time, with that status, by a thread that does nothing else.
///
/// Who ends a process in time must not wait for anything, and a log line is written to a standard error that perhaps nobody
/// reads any more: all other threads may hang at that. So nothing is said here. Without a thread to be had, it is left to
/// those who wait for the end.
pub(super) fn end_after(limit: Duration, status: u8) {
    let end = move || {
        thread::sleep(limit);
        process::exit(status.into());
    };
    drop(thread::Builder::new().name("lifeline".to_owned()).spawn(end));
}

/// As [`end_after`], unless what comes back is dropped before.
#[must_use = "it is called off when this is dropped"]
pub(super) fn unless_dropped(limit: Duration, status: u8) -> Sender<()> {
    let (lives, is_over) = mpsc::channel();
    let end = move || {
        if is_over.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            process::exit(status.into());
        }
    };
    drop(thread::Builder::new().name("lifeline".to_owned()).spawn(end));
    lives
}
