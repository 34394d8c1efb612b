//! The tape: what it says of real work, and that its order is kept whatever a loop does.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{manual, ms, observed};
use evloop::future::{join, yield_now};
use evloop::http::{Request, Router, Server};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::net::{TcpListener, TcpStream};
use evloop::observe::{After, Phase, Record, Recording, Tape, What};
use evloop::sync::{Mutex, mpsc, oneshot};
use evloop::task::{Builder, JobClass, spawn_blocking_in};
use evloop::{Handle, Mode, Runtime, spawn, spawn_blocking, time, turn};
use serde_json::Value;
use std::collections::BTreeMap;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;

/// A loop with the system's clock, and a tape.
fn taped() -> (Rc<Tape>, Runtime) {
    let tape = Tape::new(1 << 16);
    let runtime = Runtime::builder().observer(tape.clone()).build().unwrap();
    (tape, runtime)
}

/// Two hundred requests over ten connections, each answered by its own way through the loop.
async fn two_hundred_requests() {
    let app = Router::new()
        .get("/", |_: Request| async { "Hello" })
        .get("/sleep", |_: Request| async {
            time::sleep(ms(1)).await;
            "slept"
        })
        .get("/pool", |_: Request| async { spawn_blocking(|| "from the pool").await.unwrap() });
    let server = Server::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = spawn(server.serve_until(app, async { stopped.await.unwrap() }));
    let clients = (0..10).map(|_| {
        Builder::new().name("client").spawn(async move {
            let mut client = TcpStream::connect(address).await.unwrap();
            for n in 0..20 {
                let target = ["/", "/sleep", "/pool", "/"][n % 4];
                let last = if n == 19 { "connection: close\r\n" } else { "" };
                client.write_all(format!("GET {target} HTTP/1.1\r\nhost: a\r\n{last}\r\n").as_bytes()).await.unwrap();
                if n < 19 {
                    let mut answer = Vec::new();
                    while !["Hello", "slept", "pool"].iter().any(|end| answer.ends_with(end.as_bytes())) {
                        let mut piece = [0; 512];
                        let read = client.read(&mut piece).await.unwrap();
                        assert_ne!(read, 0);
                        answer.extend_from_slice(&piece[..read]);
                    }
                }
            }
            client.read_to_end(&mut Vec::new()).await.unwrap();
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
}

fn written(recording: &Recording) -> Vec<u8> {
    let mut file = Vec::new();
    recording.write_chrome(&mut file).unwrap();
    file
}

// --- A Chrome trace --------------------------------------------------------------------------------------------------

/// A slice's begin and end in nanoseconds.
fn span(slice: &Value) -> (u64, u64) {
    let nanos = |field: &str| {
        let micros: f64 = slice[field].as_f64().unwrap();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time of a test that is short")]
        let nanos = (micros * 1_000.0).round() as u64;
        nanos
    };
    let begin = nanos("ts");
    (begin, begin + nanos("dur"))
}

#[test]
fn two_hundred_requests_are_a_chrome_trace_that_nests_and_tells_each_cause() {
    let (tape, runtime) = taped();
    runtime.block_on(two_hundred_requests());
    let recording = tape.recording();
    assert_eq!(recording.dropped, 0);
    recording.check_order().unwrap();
    let file = written(&recording);
    assert_eq!(Recording::read_chrome(&file[..]).unwrap(), recording);

    let trace: Value = serde_json::from_slice(&file).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let mut open: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
    let (mut polls, mut jobs) = (0, 0);
    let mut slices: Vec<&Value> = events.iter().filter(|event| event["ph"] == "X").collect();
    slices.sort_by_key(|slice| span(slice).0); // the jobs stand where their results were taken
    for slice in slices {
        let (begin, end) = span(slice);
        let around = open.entry(slice["tid"].as_u64().unwrap()).or_default();
        while around.last().is_some_and(|(_, end)| *end <= begin) {
            around.pop();
        }
        assert!(around.last().is_none_or(|(_, outer)| end <= *outer), "{slice} crosses the end of what it begins in");
        assert_eq!(around.len(), usize::from(slice["cat"] == "poll"), "{slice}");
        around.push((begin, end));
        if slice["cat"] == "poll" {
            polls += 1;
            let cause = slice["args"]["cause"].as_str().unwrap();
            assert!(["spawn", "task ", "io", "timer", "mail", "outside"].iter().any(|known| cause.starts_with(known)));
            assert!(slice["args"]["wake"].is_u64() && !slice["name"].as_str().unwrap().is_empty(), "{slice}");
        }
        jobs += usize::from(slice["cat"] == "job");
    }
    assert!(polls >= 400 && jobs == 50, "{polls} polls, {jobs} jobs");
    let ends = |ph: &'static str| events.iter().filter(move |event| event["ph"] == ph).map(|event| &event["id"]);
    assert!(ends("s").eq(ends("f")) && ends("s").count() == polls - 1, "an arrow to each poll but the first");
}

// --- The order -------------------------------------------------------------------------------------------------------

/// What the loop does, by name.
type Workload = (&'static str, fn(&Runtime));

const WORKLOADS: [Workload; 9] = [
    ("channels", |runtime| runtime.block_on(channels())),
    ("timers", |runtime| {
        runtime.block_on(async {
            let sleepers = (0..50).map(|n| spawn(async move { time::sleep(ms(n * 7 % 20)).await })).collect::<Vec<_>>();
            assert!(time::timeout(ms(3), pending::<()>()).await.is_err());
            for sleeper in sleepers {
                sleeper.await.unwrap();
            }
        });
    }),
    ("sockets", |runtime| runtime.block_on(sockets())),
    ("pool", |runtime| {
        runtime.block_on(async {
            let jobs = JobClass::ALL.map(|class| spawn(spawn_blocking_in(class, || 7)));
            for job in jobs {
                assert_eq!(job.await.unwrap().unwrap(), 7);
            }
        });
    }),
    ("hooks", |runtime| {
        runtime.block_on(async {
            let prepare = turn::prepare(|| ());
            let check = turn::check(|| drop(time::sleep(ms(0))));
            time::sleep(ms(2)).await;
            let idle = turn::idle(|| ());
            yield_now().await;
            drop((prepare, idle, check));
        });
    }),
    ("spawns in spawns", |runtime| {
        runtime.block_on(async {
            let tasks =
                (0..5).map(|_| spawn(async { spawn(async { spawn(yield_now()).await }).await })).collect::<Vec<_>>();
            for task in tasks {
                task.await.unwrap().unwrap().unwrap();
            }
        });
    }),
    ("aborts and panics", |runtime| {
        runtime.block_on(async {
            let task = spawn(pending::<()>());
            yield_now().await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
            assert!(spawn(async { std::panic::resume_unwind(Box::new("on purpose")) }).await.unwrap_err().is_panic());
        });
        let root = AssertUnwindSafe(|| runtime.block_on(async { std::panic::resume_unwind(Box::new("on purpose")) }));
        assert!(catch_unwind(root).is_err());
        let hook = runtime.enter(|| turn::idle(|| std::panic::resume_unwind(Box::new("on purpose"))));
        assert!(catch_unwind(AssertUnwindSafe(|| runtime.run(Mode::NoWait))).is_err());
        drop(hook);
    }),
    ("other threads", |runtime| {
        runtime.block_on(async {
            let handle = Handle::current();
            let (sender, receiver) = oneshot::channel();
            let stranger = thread::spawn(move || {
                let remote = handle.spawn(|| async { time::sleep(ms(0)).await });
                remote.wait().unwrap();
                sender.send(()).unwrap();
            });
            receiver.await.unwrap();
            stranger.join().unwrap();
        });
    }),
    ("turns by hand", |runtime| {
        drop(runtime.enter(|| spawn(async { time::sleep(ms(1)).await })));
        for mode in [Mode::NoWait, Mode::Once, Mode::UntilDone, Mode::UntilDone] {
            runtime.run(mode).unwrap();
        }
    }),
];

async fn channels() {
    let (sender, mut receiver) = mpsc::channel(1);
    let lock = Rc::new(Mutex::new(0));
    let senders = (0..4).map(|n| {
        let (sender, lock) = (sender.clone(), Rc::clone(&lock));
        spawn(async move {
            for _ in 0..10 {
                *lock.lock().await += 1;
                sender.send(n).await.unwrap();
            }
        })
    });
    let senders = senders.collect::<Vec<_>>();
    drop(sender);
    while receiver.recv().await.is_some() {}
    for sender in senders {
        sender.await.unwrap();
    }
}

async fn sockets() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (accepted, connected) = join(listener.accept(), TcpStream::connect(address)).await;
    let (mut ours, mut theirs) = (accepted.unwrap().0, connected.unwrap());
    let echo = spawn(async move {
        let mut word = [0; 4];
        while ours.read_exact(&mut word).await.is_ok() {
            ours.write_all(&word).await.unwrap();
        }
    });
    for _ in 0..20 {
        theirs.write_all(b"word").await.unwrap();
        theirs.read_exact(&mut [0; 4]).await.unwrap();
    }
    drop(theirs);
    echo.await.unwrap();
}

#[test]
fn order_is_kept_in_every_workload_by_both_clocks_and_however_little_is_kept() {
    for (name, work) in WORKLOADS {
        for records in [7, 1 << 16] {
            let tapes = [Tape::new(records), Tape::new(records)];
            let system = Runtime::builder().observer(tapes[0].clone()).build().unwrap();
            work(&system);
            work(&system);
            drop(system);
            let by_hand = observed(tapes[1].clone());
            work(&by_hand);
            drop(by_hand);
            for tape in tapes {
                let recording = tape.recording();
                recording.check_order().unwrap_or_else(|violation| panic!("{name}: {violation}"));
                assert!(recording.records.len() > 6 && recording.records.len() <= records, "{name}");
                for turn in recording.turns() {
                    let together: u64 = turn.phases().map(Record::lasted).sum();
                    assert_eq!(together, turn.end() - turn.begin(), "{name}");
                }
            }
        }
    }
}

#[test]
fn order_is_kept_when_the_tape_comes_late_and_goes_early() {
    let tape = Tape::new(1 << 16);
    let runtime = manual();
    runtime.block_on(async {
        let task = spawn(channels());
        yield_now().await;
        let observed = turn::observe(tape.clone());
        task.await.unwrap();
        sockets().await;
        drop(observed);
    });
    let recording = tape.recording();
    recording.check_order().unwrap();
    let open = recording.records.iter().filter(|record| matches!(record.what, What::Poll { then: After::Open, .. }));
    assert_eq!(open.count(), 1, "the one in which it went");
}

// --- The same every time ---------------------------------------------------------------------------------------------

#[test]
fn program_on_a_manual_clock_has_the_same_tape_every_time() {
    let run = || {
        let tape = Tape::new(1 << 12);
        let runtime = observed(tape.clone());
        runtime.block_on(async {
            let tasks = (0..20).map(|n| {
                Builder::new().name(&format!("task {n}")).spawn(async move {
                    time::sleep(ms(n * 13 % 7)).await;
                    channels().await;
                })
            });
            for task in tasks.collect::<Vec<_>>() {
                task.await.unwrap();
            }
        });
        written(&tape.recording())
    };
    assert!(run() == run());
}

#[test]
fn wait_of_the_loop_is_told_with_what_was_asked() {
    let (tape, runtime) = taped();
    runtime.block_on(async { time::sleep(ms(3)).await });
    let recording = tape.recording();
    let slept = recording.records.iter().find_map(|record| match record.what {
        What::Kernel { asked: Some(asked @ 1..), slept, events: 0 } => Some((asked, slept, record.lasted())),
        _ => None,
    });
    let (asked, slept, lasted) = slept.unwrap();
    assert!(asked <= slept && slept <= lasted, "{asked} {slept} {lasted}");
    let fired = recording.records.iter().filter(|record| matches!(record.what, What::Timers { fired: 1, .. }));
    assert_eq!(fired.count(), 1);
    let outside = recording.records.iter().filter(|record| record.phase() == Some(Phase::Poll)).count();
    assert_eq!(outside, recording.turns().filter(|turn| turn.phases().count() > 1).count(), "once a turn");
}
