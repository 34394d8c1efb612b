//! Signals as streams. Each test has a process to itself, which sends itself signals.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{in_child, manual};
use evloop::future::{join, yield_now};
use evloop::signal::{SignalKind, ctrl_c, signal};
use evloop::{Mode, spawn};
use std::io::ErrorKind;
use std::process::{self, Command};
use std::sync::{Arc, Barrier};
use std::thread;

fn send_to_self(name: &str) {
    let sent = Command::new("kill").args(["-s", name, &process::id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn ctrl_c_is_awaited_instead_of_ending_the_process() {
    in_child("ctrl_c_is_awaited_instead_of_ending_the_process", "", || {
        manual().block_on(async {
            for _ in 0..2 {
                let (come, ()) = join(ctrl_c(), async { send_to_self("INT") }).await;
                come.unwrap();
            }
        });
    });
}

#[test]
fn signal_between_two_waits_is_not_lost() {
    in_child("signal_between_two_waits_is_not_lost", "", || {
        manual().block_on(async {
            let mut stream = signal(SignalKind::USER_DEFINED_1).unwrap();
            assert_eq!(stream.kind(), SignalKind::USER_DEFINED_1);
            for _ in 0..3 {
                send_to_self("USR1");
                stream.recv().await.unwrap();
            }
        });
    });
}

#[test]
fn two_loops_hear_the_same_signal() {
    in_child("two_loops_hear_the_same_signal", "", || {
        let listening = Arc::new(Barrier::new(3));
        let threads = [0, 1].map(|_| {
            let listening = Arc::clone(&listening);
            thread::spawn(move || {
                manual().block_on(async {
                    let mut stream = signal(SignalKind::USER_DEFINED_2).unwrap();
                    listening.wait();
                    stream.recv().await.unwrap();
                });
            })
        });
        listening.wait();
        send_to_self("USR2");
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn two_streams_of_one_loop_hear_the_same_signal_and_no_other() {
    in_child("two_streams_of_one_loop_hear_the_same_signal_and_no_other", "", || {
        manual().block_on(async {
            let mut first = signal(SignalKind::HANGUP).unwrap();
            let mut second = signal(SignalKind::HANGUP).unwrap();
            let mut other = signal(SignalKind::WINDOW_CHANGE).unwrap();
            let other = spawn(async move { other.recv().await });
            send_to_self("HUP");
            let (first, second) = join(first.recv(), second.recv()).await;
            first.and(second).unwrap();
            yield_now().await;
            assert!(!other.is_finished());
        });
    });
}

#[test]
fn dropped_stream_leaves_the_signal_ignored() {
    in_child("dropped_stream_leaves_the_signal_ignored", "", || {
        let runtime = manual();
        runtime.block_on(async {
            drop(signal(SignalKind::TERMINATE).unwrap());
            let mut marker = signal(SignalKind::USER_DEFINED_1).unwrap();
            send_to_self("TERM");
            send_to_self("USR1");
            marker.recv().await.unwrap();
        });
        assert!(!runtime.run(Mode::NoWait).unwrap());
    });
}

#[test]
fn signal_that_cannot_be_handled_is_an_error() {
    manual().block_on(async {
        for (name, number) in
            [("KILL", 9), ("STOP", 19), ("SEGV", 11), ("none", 0), ("negative", -1), ("beyond", 1_000)]
        {
            let error = signal(SignalKind::from_raw(number)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name}: {error}");
        }
    });
}
