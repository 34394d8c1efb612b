//! Tasks: polls, spawns, and words from one to another. The workloads are those of the benchmarks `wake` and `spawn`.

use crate::{Operation, counted};
use evloop::sync::{Notify, mpsc, oneshot};
use evloop::task::yield_now;
use evloop::{block_on, spawn, turn};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::mem;
use std::rc::Rc;
use std::task::{Poll, Waker};

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation { name: "turn", rounds: 10_000, run: |rounds| in_task(turns(rounds)) },
    Operation { name: "turn-with-a-hook", rounds: 10_000, run: |rounds| in_task(turns_with_a_hook(rounds)) },
    Operation { name: "yield", rounds: 20_000, run: |rounds| in_task(yields(rounds)) },
    Operation { name: "yield-1000-tasks", rounds: 50_000, run: |rounds| in_task(yields_of_tasks(rounds)) },
    Operation { name: "spawn-join", rounds: 10_000, run: |rounds| in_task(spawns(rounds)) },
    Operation { name: "spawn-join-1000", rounds: 10_000, run: |rounds| in_task(spawns_of_batches(rounds)) },
    Operation { name: "ping-pong-waker", rounds: 10_000, run: |rounds| in_task(by_waker(rounds)) },
    Operation { name: "ping-pong-notify", rounds: 10_000, run: |rounds| in_task(by_notify(rounds)) },
    Operation { name: "ping-pong-mpsc", rounds: 10_000, run: |rounds| in_task(by_mpsc(rounds)) },
    Operation { name: "ping-pong-oneshot", rounds: 10_000, run: |rounds| in_task(by_oneshot(rounds)) },
];

/// How many tasks there are at once.
const TASKS: usize = 1_000;

/// As programs do it, and not in the future of `block_on`.
fn in_task(future: impl Future<Output = ()> + 'static) {
    counted(Box::new(|| block_on(async { spawn(future).await.expect("no operation panics") })));
}

/// A poll a turn, and the kernel asked in each.
async fn turns(rounds: usize) {
    for _ in 0..rounds {
        yield_now().await;
    }
}

/// The same, with a hook that is called in each.
async fn turns_with_a_hook(rounds: usize) {
    let _hook = turn::idle(|| ());
    turns(rounds).await;
}

/// Polls: a task that wakes itself is polled again, many times a turn.
async fn yields(rounds: usize) {
    for _ in 0..rounds {
        let mut woken = false;
        poll_fn(|cx| {
            if mem::replace(&mut woken, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

async fn yields_of_tasks(rounds: usize) {
    let tasks: Vec<_> = (0..TASKS).map(|_| spawn(yields(rounds / TASKS))).collect();
    for task in tasks {
        task.await.expect("it only yields");
    }
}

async fn spawns(rounds: usize) {
    for _ in 0..rounds {
        spawn(async {}).await.expect("it does nothing");
    }
}

async fn spawns_of_batches(rounds: usize) {
    let mut tasks = Vec::with_capacity(TASKS);
    for _ in 0..rounds / TASKS {
        tasks.extend((0..TASKS).map(|_| spawn(async {})));
        for task in tasks.drain(..) {
            task.await.expect("it does nothing");
        }
    }
}

/// A flag, and who waits for it: as little as there can be between two tasks.
#[derive(Default)]
struct Flag {
    up: Cell<bool>,
    waiter: RefCell<Option<Waker>>,
}

impl Flag {
    fn raise(&self) {
        self.up.set(true);
        let waiter = self.waiter.take();
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    async fn raised(&self) {
        poll_fn(|cx| {
            if self.up.take() {
                return Poll::Ready(());
            }
            self.waiter.replace(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

async fn by_waker(rounds: usize) {
    let (there, back) = (Rc::new(Flag::default()), Rc::new(Flag::default()));
    let (inbox, answer) = (Rc::clone(&there), Rc::clone(&back));
    let other = spawn(async move {
        for _ in 0..rounds {
            inbox.raised().await;
            answer.raise();
        }
    });
    for _ in 0..rounds {
        there.raise();
        back.raised().await;
    }
    other.await.expect("it answers each time");
}

async fn by_notify(rounds: usize) {
    let (there, back) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
    let (inbox, answer) = (Rc::clone(&there), Rc::clone(&back));
    let other = spawn(async move {
        for _ in 0..rounds {
            inbox.notified().await;
            answer.notify_one();
        }
    });
    for _ in 0..rounds {
        there.notify_one();
        back.notified().await;
    }
    other.await.expect("it answers each time");
}

async fn by_mpsc(rounds: usize) {
    let (there, mut inbox) = mpsc::channel(16);
    let (answer, mut back) = mpsc::channel(16);
    let other = spawn(async move {
        while let Some(word) = inbox.recv().await {
            answer.try_send(word).expect("one word at a time is under way");
        }
    });
    for _ in 0..rounds {
        there.try_send(1_u32).expect("one word at a time is under way");
        back.recv().await;
    }
    drop(there);
    other.await.expect("it answers each word");
}

async fn by_oneshot(rounds: usize) {
    let (requests, mut inbox) = mpsc::channel::<oneshot::Sender<u32>>(16);
    let server = spawn(async move {
        while let Some(answer) = inbox.recv().await {
            answer.send(1).expect("the client waits for its answer");
        }
    });
    for _ in 0..rounds {
        let (answer, answered) = oneshot::channel();
        requests.try_send(answer).expect("one request at a time is under way");
        answered.await.expect("the server answers each request");
    }
    drop(requests);
    server.await.expect("it answers each request");
}
