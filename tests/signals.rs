//! Signals as streams. Each test has a process to itself, which sends itself signals.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{in_child, manual, open_descriptors};
use evloop::future::{Either, join, race, yield_now};
use evloop::signal::{SignalKind, ctrl_c, exit_on_second, kill, once, raise, restore_default, signal, signals};
use evloop::{Mode, spawn};
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::{self, Command};
use std::sync::{Arc, Barrier};
use std::thread;

fn send_to_self(name: &str) {
    let sent = Command::new("kill").args(["-s", name, &process::id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Whether it is still not ready after some turns: what was sent before has been heard by then.
async fn is_quiet<F: Future>(future: F) -> bool {
    let some_turns = async {
        for _ in 0..3 {
            yield_now().await;
        }
    };
    matches!(race(future, some_turns).await, Either::Right(()))
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

// --- Counts ----------------------------------------------------------------------------------------------------------

const USR1: SignalKind = SignalKind::USER_DEFINED_1;
const USR2: SignalKind = SignalKind::USER_DEFINED_2;

#[test]
fn signals_that_nobody_looked_at_are_counted() {
    in_child("signals_that_nobody_looked_at_are_counted", "", || {
        manual().block_on(async {
            let mut stream = signal(USR1).unwrap();
            for sent in [1, 2, 3, 4_095, 4_096, 4_097, 8_192] {
                for _ in 0..sent {
                    raise(USR1).unwrap();
                }
                assert_eq!(stream.recv_count().await.unwrap(), sent);
                assert!(is_quiet(stream.recv_count()).await, "none is counted twice");
            }
            kill(process::id(), USR1).unwrap();
            assert_eq!(stream.recv_count().await.unwrap(), 1);
        });
    });
}

#[test]
fn flood_of_signals_is_bounded_and_known_of() {
    in_child("flood_of_signals_is_bounded_and_known_of", "", || {
        manual().block_on(async {
            let mut stream = signal(USR1).unwrap();
            for _ in 0..70_000 {
                raise(USR1).unwrap();
            }
            let counted = stream.recv_count().await.unwrap();
            assert!((4_096..=65_536).contains(&counted), "{counted}");
            raise(USR1).unwrap();
            assert_eq!(stream.recv_count().await.unwrap(), 1, "and then it goes on");
        });
    });
}

#[test]
fn real_time_signals_are_heard_one_by_one() {
    in_child("real_time_signals_are_heard_one_by_one", "", || {
        manual().block_on(async {
            let first = SignalKind::real_time(0).unwrap();
            let (mut one, mut other) = (signal(first).unwrap(), signal(SignalKind::real_time(1).unwrap()).unwrap());
            for _ in 0..5 {
                raise(first).unwrap();
            }
            assert_eq!(one.recv_count().await.unwrap(), 5);
            assert!(is_quiet(other.recv()).await);
        });
    });
}

#[test]
fn dropped_wait_takes_no_signal_with_it() {
    in_child("dropped_wait_takes_no_signal_with_it", "", || {
        manual().block_on(async {
            let mut stream = signal(USR1).unwrap();
            assert!(is_quiet(stream.recv_count()).await);
            raise(USR1).unwrap();
            assert_eq!(stream.recv_count().await.unwrap(), 1);
        });
    });
}

#[test]
fn signal_may_be_sent_from_any_thread() {
    in_child("signal_may_be_sent_from_any_thread", "", || {
        manual().block_on(async {
            let mut stream = signal(USR1).unwrap();
            let senders = [0, 1, 2, 3].map(|_| thread::spawn(|| (0..500).for_each(|_| raise(USR1).unwrap())));
            let mut counted = 0;
            while counted < 2_000 {
                counted += stream.recv_count().await.unwrap();
            }
            assert_eq!(counted, 2_000);
            for sender in senders {
                sender.join().unwrap();
            }
        });
    });
}

// --- Many kinds, and one alone -----------------------------------------------------------------------------------------

#[test]
fn stream_of_many_kinds_tells_which_came_and_hides_none_behind_a_flood() {
    in_child("stream_of_many_kinds_tells_which_came_and_hides_none_behind_a_flood", "", || {
        manual().block_on(async {
            let mut stream = signals(&[USR1, USR2, USR1]).unwrap();
            raise(USR2).unwrap();
            assert_eq!(stream.recv().await.unwrap(), USR2);
            let mut order = Vec::new();
            raise(USR2).unwrap();
            for _ in 0..4 {
                raise(USR1).unwrap();
                order.push(stream.recv().await.unwrap());
            }
            assert_eq!(order, [USR1, USR2, USR1, USR1]);
            assert!(is_quiet(stream.recv()).await);
            raise(USR1).unwrap();
            raise(USR1).unwrap();
            let counted = std::future::poll_fn(|cx| stream.poll_recv_count(cx)).await.unwrap();
            assert_eq!(counted, (USR1, 2));
        });
    });
}

#[test]
fn stream_of_no_kind_is_refused() {
    manual().block_on(async {
        assert_eq!(signals(&[]).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert!(signals(&[USR1, SignalKind::KILL]).unwrap_err().to_string().contains("SIGKILL"));
    });
}

#[test]
fn ten_thousand_streams_leave_no_descriptor() {
    in_child("ten_thousand_streams_leave_no_descriptor", "", || {
        manual().block_on(async {
            let before = open_descriptors();
            for _ in 0..10_000 {
                let (mut stays, mut many) = (signal(USR1).unwrap(), signals(&[USR1, USR2]).unwrap());
                let alone = once(USR1).unwrap();
                raise(USR1).unwrap();
                stays.recv().await.unwrap();
                alone.await.unwrap();
                assert_eq!(many.recv().await.unwrap(), USR1);
            }
            assert_eq!(open_descriptors(), before);
        });
    });
}

// --- The default -------------------------------------------------------------------------------------------------------

/// Which signal ended a child that runs this body.
fn ended_by(test: &str, body: impl FnOnce()) -> Option<i32> {
    const MARK: &str = "EVLOOP_TEST_ENDS";
    if std::env::var_os(MARK).is_some() {
        body();
        process::exit(0);
    }
    let program = std::env::current_exe().unwrap();
    let ended = Command::new(program).args([test, "--exact", "--test-threads=1"]).env(MARK, "1").output().unwrap();
    ended.status.signal()
}

#[test]
fn default_comes_back_when_the_last_stream_is_gone() {
    let signal = ended_by("default_comes_back_when_the_last_stream_is_gone", || {
        manual().block_on(async {
            let mut first = signal(SignalKind::TERMINATE).unwrap();
            restore_default(SignalKind::TERMINATE).unwrap();
            restore_default(SignalKind::TERMINATE).unwrap();
            let second = once(SignalKind::TERMINATE).unwrap();
            raise(SignalKind::TERMINATE).unwrap();
            second.await.unwrap();
            first.recv().await.unwrap();
            raise(SignalKind::TERMINATE).unwrap();
            first.recv().await.unwrap();
            drop(first);
            raise(SignalKind::TERMINATE).unwrap();
        });
    });
    assert_eq!(signal, Some(SignalKind::TERMINATE.as_raw()));
}

#[test]
fn new_stream_takes_the_place_of_the_default_again() {
    let signal = ended_by("new_stream_takes_the_place_of_the_default_again", || {
        manual().block_on(async {
            restore_default(SignalKind::INTERRUPT).unwrap();
            for _ in 0..3 {
                let stream = once(SignalKind::INTERRUPT).unwrap();
                raise(SignalKind::INTERRUPT).unwrap();
                stream.await.unwrap();
            }
        });
    });
    assert_eq!(signal, None);
}

#[test]
fn default_that_is_not_known_is_refused() {
    for kind in [SignalKind::real_time(0).unwrap(), SignalKind::POWER, SignalKind::IO, SignalKind::KILL] {
        assert_eq!(restore_default(kind).unwrap_err().kind(), ErrorKind::InvalidInput, "{kind}");
    }
}

// --- libuv's own ---------------------------------------------------------------------------------------------------------

#[test]
fn we_get_signal() {
    in_child("we_get_signal", "", || {
        manual().block_on(async {
            let mut stream = signal(SignalKind::CHILD).unwrap();
            for _ in 0..10 {
                yield_now().await;
                raise(SignalKind::CHILD).unwrap();
                assert_eq!(stream.recv_count().await.unwrap(), 1);
            }
            drop(stream);
            raise(SignalKind::CHILD).unwrap();
            let mut stream = signal(SignalKind::CHILD).unwrap();
            assert!(is_quiet(stream.recv()).await, "what came between is not heard");
            raise(SignalKind::CHILD).unwrap();
            stream.recv().await.unwrap();
        });
    });
}

#[test]
fn we_get_signals() {
    in_child("we_get_signals", "", || {
        manual().block_on(async {
            let listen = |kind| {
                spawn(async move {
                    let mut stream = signal(kind).unwrap();
                    let mut counted = 0;
                    while counted < 10 {
                        counted += stream.recv_count().await.unwrap();
                    }
                    counted
                })
            };
            let listeners = [USR1, USR1, USR2, USR2].map(listen);
            for _ in 0..10 {
                yield_now().await;
                raise(USR1).unwrap();
                raise(USR2).unwrap();
            }
            for listener in listeners {
                assert_eq!(listener.await.unwrap(), 10);
            }
        });
    });
}

#[test]
fn we_get_signal_one_shot() {
    in_child("we_get_signal_one_shot", "", || {
        manual().block_on(async {
            let first = once(SignalKind::CHILD).unwrap();
            raise(SignalKind::CHILD).unwrap();
            first.await.unwrap();
            raise(SignalKind::CHILD).unwrap();
            let second = once(SignalKind::CHILD).unwrap();
            let (heard, ()) = join(second, async { raise(SignalKind::CHILD).unwrap() }).await;
            heard.unwrap();
        });
    });
}

#[test]
fn we_get_signals_mixed() {
    in_child("we_get_signals_mixed", "", || {
        manual().block_on(async {
            let mut stays = signal(USR1).unwrap();
            let (alone, also_alone) = (once(USR1).unwrap(), once(USR1).unwrap());
            raise(USR1).unwrap();
            let (one, other) = join(alone, also_alone).await;
            one.and(other).unwrap();
            raise(USR1).unwrap();
            assert_eq!(stays.recv_count().await.unwrap(), 2);
            let (alone, never) = (once(USR1).unwrap(), once(USR2).unwrap());
            drop(stays);
            raise(USR1).unwrap();
            alone.await.unwrap();
            assert!(is_quiet(never).await);
        });
    });
}

#[test]
fn signal_multiple_loops() {
    in_child("signal_multiple_loops", "", || {
        let (listening, sent) = (Arc::new(Barrier::new(3)), 20);
        let loops = [0, 1].map(|_| {
            let listening = Arc::clone(&listening);
            thread::spawn(move || {
                manual().block_on(async {
                    let mut streams = [signal(USR1).unwrap(), signal(USR2).unwrap()];
                    listening.wait();
                    for stream in &mut streams {
                        let mut counted = 0;
                        while counted < sent {
                            counted += stream.recv_count().await.unwrap();
                        }
                        assert_eq!(counted, sent);
                    }
                });
            })
        });
        listening.wait();
        for _ in 0..sent {
            raise(USR1).unwrap();
            raise(USR2).unwrap();
        }
        for each in loops {
            each.join().unwrap();
        }
    });
}

#[test]
fn signal_pending_on_close() {
    in_child("signal_pending_on_close", "", || {
        let runtime = manual();
        runtime.block_on(async {
            let (one, mut other) = (signal(USR1).unwrap(), signal(USR1).unwrap());
            let waiting = once(USR1).unwrap();
            raise(USR1).unwrap();
            drop(one);
            drop(waiting);
            other.recv().await.unwrap();
        });
        assert!(!runtime.run(Mode::UntilDone).unwrap());
    });
}

#[test]
fn signal_close_loop_alive() {
    in_child("signal_close_loop_alive", "", || {
        let runtime = manual();
        let stream = runtime.enter(|| signal(USR1).unwrap());
        assert!(!runtime.run(Mode::NoWait).unwrap(), "a stream alone keeps no loop alive");
        stream.set_referenced(true);
        assert!(runtime.run(Mode::NoWait).unwrap(), "unless it is told to");
        raise(USR1).unwrap();
        drop(stream);
        assert!(!runtime.run(Mode::NoWait).unwrap());
    });
}

#[test]
fn second_signal_that_cannot_be_heard_leaves_the_first_alone() {
    in_child("second_signal_that_cannot_be_heard_leaves_the_first_alone", "", || {
        let caught = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            status.lines().find(|line| line.starts_with("SigCgt:")).unwrap().to_owned()
        };
        let before = caught();
        exit_on_second(&[SignalKind::TERMINATE, SignalKind::KILL], 3).unwrap_err();
        assert_eq!(caught(), before);
    });
}
