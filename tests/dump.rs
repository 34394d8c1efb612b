//! The dump of a loop's tasks: what each waits for, told without polling any.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{manual, ms, narrow, tcp_pair};
use evloop::engine::Key;
use evloop::future::yield_now;
use evloop::http::{Request, Router, Server};
use evloop::io::AsyncRead;
use evloop::observe::{Side, Wait, WaitsFor};
use evloop::sync::{mpsc, oneshot};
use evloop::task::{self, JobClass, JoinHandle};
use evloop::time::sleep;
use evloop::{Handle, Mode, spawn, spawn_blocking, turn};
use std::future::pending;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

fn named<F: Future<Output: 'static> + 'static>(name: &str, future: F) -> JoinHandle<F::Output> {
    task::Builder::new().name(name).spawn(future)
}

/// What the task of that key waits for, if that is one thing.
fn wait_of(key: Key) -> WaitsFor {
    let dump = turn::dump();
    let [wait] = &dump.task(key).unwrap().waits_for[..] else { panic!("{dump}") };
    wait.clone()
}

#[test]
fn tasks_that_wait_to_receive_from_each_other_are_told_with_the_channels_and_where_they_were_made() {
    manual().block_on(async {
        let (to_bob, mut from_ada) = mpsc::channel::<u8>(1);
        let (to_ada, mut from_bob) = mpsc::channel::<u8>(1);
        let ada = named("ada", async move {
            from_bob.recv().await;
            to_bob.send(1).await
        });
        let bob = named("bob", async move {
            from_ada.recv().await;
            to_ada.send(1).await
        });
        yield_now().await;
        let place = |key| match wait_of(key) {
            WaitsFor::Other(Wait::Receive(made_at)) => made_at,
            other => panic!("{other:?}"),
        };
        assert_eq!(place(ada.key()).line(), place(bob.key()).line() + 1);
        let dump = turn::dump();
        assert!(dump.deadlocks().is_empty(), "anybody could have another sender");
        let text = dump.to_string();
        let lines =
            text.lines().filter(|line| line.contains("waits for a message of the channel made at tests/dump.rs:"));
        assert_eq!(lines.count(), 2, "{text}");
    });
}

#[test]
fn dump_polls_nobody() {
    let runtime = manual();
    let tasks: Vec<_> = runtime.enter(|| (0..100).map(|_| spawn(pending::<()>())).collect());
    runtime.run(Mode::NoWait).unwrap();
    let before = runtime.metrics();
    for _ in 0..100 {
        assert!(runtime.dump().tasks.iter().all(|task| task.polls == 1 && task.queued.is_none()));
    }
    assert_eq!(runtime.metrics().polls, before.polls);
    assert_eq!(runtime.metrics().wakes, before.wakes);
    drop(tasks);
}

#[test]
fn timer_is_told_with_the_time_until_it_is_due() {
    manual().block_on(async {
        let sleeper = spawn(sleep(Duration::from_secs(90)));
        sleep(ms(500)).await;
        assert_eq!(wait_of(sleeper.key()), WaitsFor::Timer { due_in: Some(ms(89_500)) });
        assert!(turn::dump().to_string().contains("waits for a timer, due in 89.5s"));
    });
}

#[test]
fn descriptor_is_told_with_its_side_and_its_peer() {
    manual().block_on(async {
        let (mut near, far) = tcp_pair().await;
        let peer = far.local_addr().unwrap();
        let reader = spawn(async move { near.read(&mut [0]).await });
        yield_now().await;
        let WaitsFor::Descriptor { side: Side::Read, what, .. } = wait_of(reader.key()) else { panic!() };
        assert!(what.starts_with("tcp socket 127.0.0.1:") && what.ends_with(&format!(" to {peer}")), "{what}");
        assert!(turn::dump().to_string().contains("waits for something to read, descriptor "));
        drop(far);
    });
}

#[test]
fn job_of_the_pool_is_told_with_its_place_in_the_queue() {
    narrow().block_on(async {
        let (begun, has_begun) = oneshot::channel();
        let (open, wait) = std::sync::mpsc::channel::<()>();
        let jobs = [
            spawn(spawn_blocking(move || {
                begun.send(()).unwrap();
                wait.recv().unwrap_err(); // the test lets it go
            })),
            spawn(async {
                yield_now().await;
                spawn_blocking(|| ()).await
            }),
            spawn(async {
                yield_now().await;
                yield_now().await;
                spawn_blocking(|| ()).await
            }),
        ];
        has_begun.await.unwrap();
        for _ in 0..3 {
            yield_now().await;
        }
        let class = JobClass::General;
        assert_eq!(wait_of(jobs[0].key()), WaitsFor::Job { class, place: None });
        assert_eq!(wait_of(jobs[1].key()), WaitsFor::Job { class, place: Some(1) });
        assert_eq!(wait_of(jobs[2].key()), WaitsFor::Other(Wait::Pool(class, Key::NONE)));
        let text = turn::dump().to_string();
        assert!(text.contains("a job of the pool, of general work, under way"), "{text}");
        assert!(text.contains("a job of the pool, place 1 in its queue of general work"), "{text}");
        assert!(text.contains("a place in the pool's queue of general work"), "{text}");
        drop(open);
        for job in jobs {
            job.await.unwrap().unwrap();
        }
    });
}

#[test]
fn ten_thousand_tasks_are_told_in_two_lines_each() {
    manual().block_on(async {
        let tasks: Vec<_> = (0..10_000).map(|_| spawn(pending::<()>())).collect();
        yield_now().await;
        let text = turn::dump().to_string();
        assert!(text.starts_with("10000 tasks, 0 in the queue\n"), "{}", &text[..100]);
        assert_eq!(text.lines().count(), 1 + 2 * (1 + tasks.len()));
    });
}

#[test]
fn loop_that_has_ended_gives_no_dump() {
    let handle = manual().enter(Handle::current);
    assert!(handle.dump().wait().unwrap_err().is_cancelled());
}

/// The bodies that so many requests over one connection are answered with.
fn ask(server: SocketAddr, requests: usize) -> Vec<String> {
    let mut client = TcpStream::connect(server).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut answer = [0; 1024];
    let mut ask_one = |_| {
        client.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut got = 0;
        while !answer[..got].ends_with(b"as ever") {
            let count = client.read(&mut answer[got..]).unwrap();
            assert!(count > 0, "{}", String::from_utf8_lossy(&answer[..got]));
            got += count;
        }
        String::from_utf8_lossy(&answer[..got]).split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    (0..requests).map(&mut ask_one).collect()
}

#[test]
fn thousand_dumps_under_load_change_no_response_and_name_the_connections() {
    let connections = 8;
    evloop::run(async {
        let app = Router::new().get("/slow", |_: Request| async {
            yield_now().await;
            "as ever"
        });
        let server = Server::bind("127.0.0.1:0")?;
        let address = server.local_addr()?;
        let handle = Handle::current();
        let (done, stop) = oneshot::channel::<()>();
        let clients = std::thread::spawn(move || {
            let askers: Vec<_> = (0..connections).map(|_| std::thread::spawn(move || ask(address, 100))).collect();
            let dumps: Vec<String> = (0..1_000).map(|_| handle.dump().wait().unwrap().to_string()).collect();
            for asker in askers {
                assert_eq!(asker.join().unwrap(), vec!["as ever"; 100]);
            }
            assert!(dumps.iter().all(|dump| dump.lines().all(|line| !line.starts_with("DEADLOCK"))));
            let idle = TcpStream::connect(address).unwrap();
            let here = idle.local_addr().unwrap().to_string();
            let of_idle = |dump: String| dump.lines().find(|line| line.contains(&here)).map(String::from);
            let line = (0..1_000).find_map(|_| of_idle(handle.dump().wait().unwrap().to_string()));
            let line = line.expect("it is accepted a turn or two later");
            assert!(line.contains("`connection`") && line.contains("something to read"), "{line}");
            drop((idle, done));
        });
        server.serve_until(app, async { stop.await.unwrap_or(()) }).await?;
        spawn_blocking(move || clients.join().unwrap()).await?;
        Ok::<_, std::io::Error>(())
    })
    .unwrap();
}
