//! What holds the loop is told while it is held, and nothing else is. Whoever blocks here does so until the report has come,
//! so none of this depends on how long anything takes.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{Watched, ms, until};
use evloop::http::{Request, Router, Server};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::net::{TcpListener, TcpStream};
use evloop::observe::{Holder, Phase, SlowPoll, ThreadState, Watchdog};
use evloop::sync::oneshot;
use evloop::task::yield_now;
use evloop::{Runtime, task, turn};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use std::{fs, thread};

/// So long no report is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is slow here.
const SLOW: Duration = ms(10);

/// What a thread does that waits for a report.
const WAITS: ThreadState = ThreadState::Waits(Some("futex"));

/// A loop, and what its watchdog tells.
struct Kennel {
    runtime: Runtime,
    reports: Reports,
}

struct Reports(Receiver<SlowPoll>);

impl Reports {
    /// The first report that is the one, where a busy machine may bring others.
    fn find(&self, is_it: impl Fn(&SlowPoll) -> bool) -> SlowPoll {
        loop {
            let slow = self.0.recv_timeout(PATIENCE).expect("it is reported");
            if is_it(&slow) {
                return slow;
            }
        }
    }

    /// Blocks this thread until somebody is reported for that: such a one.
    fn hold(&self, is_it: impl Fn(&Holder) -> bool) -> SlowPoll {
        let held = self.find(|slow| !slow.over && is_it(&slow.holder) && slow.state == WAITS);
        assert!(held.held >= SLOW, "{held}");
        held
    }

    fn end_of(&self, held: &SlowPoll) {
        let over = self.find(|slow| slow.over && slow.number == held.number);
        assert_eq!((&over.holder, &over.doing), (&held.holder, &held.doing));
        assert!(over.held >= held.held, "{over}");
        assert!(over.to_string().contains(" held the loop for "), "{over}");
    }
}

fn watched() -> (Watchdog, Reports) {
    let (reporter, reports) = mpsc::channel();
    (Watchdog::new(SLOW).on_slow(move |slow| drop(reporter.send(slow.clone()))), Reports(reports))
}

fn is_root(holder: &Holder) -> bool {
    *holder == Holder::Root
}

fn is_task(holder: &Holder) -> bool {
    matches!(holder, Holder::Task { .. })
}

impl Kennel {
    fn new() -> Kennel {
        let (watchdog, reports) = watched();
        Kennel { runtime: Runtime::builder().watchdog(watchdog).build().unwrap(), reports }
    }
}

#[test]
fn poll_of_a_task_is_told_by_name_and_place_while_it_hangs_and_with_its_duration() {
    let Kennel { runtime, reports } = Kennel::new();
    let above = line!();
    let task = runtime.enter(|| {
        let hangs = async move { (reports.hold(is_task), reports) };
        task::Builder::new().name("thoughtless").spawn(hangs)
    });
    let (key, below) = (task.key(), line!());
    let (held, reports) = runtime.block_on(task).unwrap();
    let Holder::Task { key: told, name, spawned_at } = &held.holder else { panic!("{held}") };
    assert_eq!((*told, name.as_deref(), spawned_at.file()), (key, Some("thoughtless"), file!()));
    assert!((above..below).contains(&spawned_at.line()), "{held}");
    let text = held.to_string();
    assert!(text.starts_with("task `thoughtless` has held the loop for "), "{text}");
    assert!(text.contains(&format!(" ms; its thread {} waits for another thread", held.thread)), "{text}");
    assert!(text.contains("; spawned at tests/watchdog.rs:"), "{text}");
    reports.end_of(&held);
}

#[test]
fn future_of_block_on_is_told_as_such() {
    let Kennel { runtime, reports } = Kennel::new();
    let held = runtime.block_on(async { reports.hold(is_root) });
    assert!(held.to_string().starts_with("root, the future of `block_on`, has held the loop for "), "{held}");
    reports.end_of(&held);
}

#[test]
fn poll_that_computes_is_told_to_run() {
    let Kennel { runtime, reports } = Kennel::new();
    let held = runtime.block_on(async {
        loop {
            if let Ok(slow) = reports.0.try_recv()
                && is_root(&slow.holder)
                && slow.state == ThreadState::Runs
            {
                break slow;
            }
        }
    });
    assert!(held.on_cpu.is_none_or(|on_cpu| on_cpu > Duration::ZERO));
}

#[test]
fn request_that_hangs_is_told_by_its_route() {
    let Kennel { runtime, reports } = Kennel::new();
    let (told, texts) = mpsc::channel();
    let app = Router::new().get("/block-loop", move |_: Request| {
        told.send(reports.hold(is_task).doing).unwrap();
        async { "blocked" }
    });
    runtime.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(evloop::spawn(Server::new(listener).serve(app)));
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET /block-loop?ms=300 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        client.read_to_end(&mut Vec::new()).await.unwrap();
    });
    assert_eq!(texts.recv().unwrap().as_deref(), Some("GET /block-loop?ms=300"));
}

#[test]
fn poll_after_that_of_a_request_is_not_told_by_its_route() {
    let Kennel { runtime, reports } = Kennel::new();
    let held = runtime.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().get("/", |_: Request| async { "quick" });
        drop(evloop::spawn(Server::new(listener).serve(app)));
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        client.read_to_end(&mut Vec::new()).await.unwrap();
        reports.hold(is_root)
    });
    assert_eq!(held.doing, None);
}

#[test]
fn hook_that_hangs_is_told_by_its_phase() {
    let Kennel { runtime, reports } = Kennel::new();
    let (told, holders) = mpsc::channel();
    runtime.block_on(async move {
        let mut reports = Some(reports);
        let _hook = turn::check(move || {
            if let Some(reports) = reports.take() {
                let is_hook = |holder: &Holder| *holder == Holder::Phase(Phase::Check);
                told.send(reports.hold(is_hook)).unwrap();
            }
        });
        yield_now().await;
    });
    let held = holders.recv().unwrap();
    assert!(held.to_string().starts_with("a hook of the phase Check"), "{held}");
}

#[test]
fn call_from_another_thread_that_hangs_is_told_as_one() {
    let Kennel { runtime, reports } = Kennel::new();
    let (told, holder) = oneshot::channel();
    let door = runtime.tasks().door();
    let is_call = |holder: &Holder| *holder == Holder::Phase(Phase::Mail);
    let caller = thread::spawn(move || door.post(move || drop(told.send(reports.hold(is_call)))).is_ok());
    let held = runtime.block_on(holder).unwrap();
    assert!(caller.join().unwrap());
    assert!(held.to_string().starts_with("a call from another thread"), "{held}");
}

#[test]
fn loop_with_a_manual_clock_is_watched_in_real_time() {
    let (watchdog, reports) = watched();
    let runtime = Runtime::builder().manual_clock().watchdog(watchdog).build().unwrap();
    let held = runtime.block_on(async {
        evloop::time::sleep(Duration::from_secs(86_400)).await;
        reports.hold(is_root)
    });
    assert!(held.held < Duration::from_secs(86_400), "{held}");
}

#[test]
fn two_loops_have_a_watchdog_each() {
    let threads = ["first", "second"].map(|name| {
        thread::spawn(move || {
            let Kennel { runtime, reports } = Kennel::new();
            let task = runtime.enter(|| task::Builder::new().name(name).spawn(async move { reports.hold(is_task) }));
            let held = runtime.block_on(task).unwrap();
            (held.thread, held.holder)
        })
    });
    let [first, second] = threads.map(|thread| thread.join().unwrap());
    assert_ne!(first.0, second.0);
    for ((_, holder), wanted) in [(first, "first"), (second, "second")] {
        assert!(matches!(&holder, Holder::Task { name: Some(name), .. } if &**name == wanted), "{holder:?}");
    }
}

#[test]
fn stretch_that_is_told_when_the_loop_ends_is_told_to_be_over() {
    let Kennel { runtime, reports } = Kennel::new();
    let held = runtime.block_on(async { reports.hold(is_root) });
    drop(runtime); // and with it the watchdog, and its side of the channel
    let told: Vec<SlowPoll> = reports.0.iter().collect();
    assert!(told.last().is_some_and(|last| last.over && last.number == held.number), "{told:?}");
}

#[test]
fn report_that_panics_is_its_own_affair() {
    let (reporter, reports) = mpsc::channel();
    let on_slow = move |slow: &SlowPoll| {
        reporter.send(slow.over).unwrap();
        panic!("on purpose");
    };
    let runtime = Runtime::builder().watchdog(Watchdog::new(SLOW).on_slow(on_slow)).build().unwrap();
    let told = || reports.recv_timeout(PATIENCE).expect("it is told, also after it has panicked");
    runtime.block_on(async { while told() {} }); // blocks the loop until it is told of that
    while !told() {} // that it is over
}

/// The system call in which the watchdog of this process is, with its arguments: `None` if there is no watchdog, or it runs.
fn call_of_the_watchdog() -> Option<Vec<String>> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let is_it = |name: &str| name.trim_end() == "evloop-watchdog";
    let found = tasks
        .map(|task| task.path())
        .find(|task| fs::read_to_string(task.join("comm")).is_ok_and(|name| is_it(&name)))?;
    let call = fs::read_to_string(found.join("syscall")).ok()?;
    Some(call.split_ascii_whitespace().map(str::to_owned).collect())
}

#[test]
fn watchdog_of_a_loop_that_sleeps_or_is_not_turned_waits_without_a_time_out_until_it_goes_on() {
    let body = || {
        let Kennel { runtime, reports } = Kennel::new();
        // futex(address, operation, value, time-out): without one, nothing but the loop wakes it.
        let parked =
            || call_of_the_watchdog().is_some_and(|call| call.get(4).is_some_and(|time_out| time_out == "0x0"));
        until(parked);
        let (sender, receiver) = oneshot::channel();
        let home = Watched::this_thread();
        let stranger = thread::spawn(move || {
            until(|| home.sleeps() && parked());
            sender.send(()).unwrap();
        });
        let held = runtime.block_on(async {
            receiver.await.unwrap();
            reports.hold(is_root)
        });
        stranger.join().unwrap();
        reports.end_of(&held);
        until(parked);
        drop(runtime);
        assert_eq!(call_of_the_watchdog(), None, "it ends with its loop");
    };
    common::in_child(
        "watchdog_of_a_loop_that_sleeps_or_is_not_turned_waits_without_a_time_out_until_it_goes_on",
        "",
        body,
    );
}

#[test]
fn loop_that_ends_does_not_wait_for_the_next_look_of_its_watchdog() {
    for run_before in [false, true] {
        let (ended, end) = mpsc::channel();
        let looks_hourly = Watchdog::new(Duration::from_secs(4 * 60 * 60));
        thread::spawn(move || {
            let runtime = Runtime::builder().watchdog(looks_hourly).build().unwrap();
            if run_before {
                runtime.block_on(yield_now());
            }
            drop(runtime);
            ended.send(()).unwrap();
        });
        end.recv_timeout(PATIENCE).expect("it has ended");
    }
}
