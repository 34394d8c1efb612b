//! Tasks that talk: one answer, a stream of values with a bound, and plain news.
//!
//! Run it with `cargo run --release --example 04_channels`. It ends by itself. To be seen:
//!
//! - A oneshot carries one value. A request that brings its own oneshot is how one asks another task.
//! - A bounded channel holds its sender back: the quick producer is two values ahead of the slow consumer, and no
//!   further. That is back-pressure: memory has a bound, and nobody had to agree on a pace.
//! - A notification carries nothing: who is notified looks for itself. Of three in a row, the first wakes the worker
//!   and the others become one permit, so it looks once in vain. None is lost, and none is counted.
//!
//! All of it stays on one thread, and so may carry what must: `Rc` goes through these channels. The oneshot alone can
//! cross threads; see `06_threads_wake`.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use evloop::sync::{Notify, mpsc, oneshot};
use evloop::time::sleep;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// What the counter is asked: how much to add, and where the answer goes.
struct Add {
    amount: u32,
    answer: oneshot::Sender<u32>,
}

/// A task that owns its state and is asked by messages. Nothing is shared, so nothing must be guarded.
async fn requests_and_answers() {
    println!("oneshot: a task that counts, and two that ask it");
    let (requests, mut inbox) = mpsc::channel::<Add>(8);
    let counter = evloop::spawn(async move {
        let mut sum = 0;
        // `None` comes when the last sender has been dropped: the end needs no message of its own.
        while let Some(Add { amount, answer }) = inbox.recv().await {
            sum += amount;
            answer.send(sum).expect("the client waits for its answer");
        }
        sum
    });
    let clients = [1, 10].map(|amount| {
        let requests = requests.clone();
        evloop::spawn(async move {
            for _ in 0..2 {
                let (answer, answered) = oneshot::channel();
                requests.send(Add { amount, answer }).await.expect("the counter lives while there are clients");
                println!("  added {amount}, the sum is {}", answered.await.expect("the counter answers each request"));
            }
        })
    });
    drop(requests);
    for client in clients {
        client.await.expect("no client panics");
    }
    println!("  in the end: {}", counter.await.expect("the counter does not panic"));
}

/// A channel for two, a producer without patience, a consumer that takes its time.
async fn back_pressure() {
    println!("mpsc with room for 2: who is ahead of whom");
    let (sender, mut receiver) = mpsc::channel(2);
    let producer = evloop::spawn(async move {
        for number in 1..=6 {
            // Full? Then the task sleeps here until the receiver has taken one. First come, first served.
            sender.send(number).await.expect("the consumer takes them all");
            println!("  sent {number}");
        }
    });
    while let Some(number) = receiver.recv().await {
        println!("      took {number}, {} in the channel", receiver.len());
        sleep(Duration::from_millis(5)).await;
    }
    producer.await.expect("the producer does not panic");

    // Who must not wait asks instead, and is given the value back.
    let (sender, _receiver) = mpsc::channel(1);
    println!("  try_send: {:?}, then {:?}", sender.try_send("a"), sender.try_send("b"));
}

/// A queue that can be waited for, made of a plain collection and a [`Notify`].
async fn news() {
    println!("notify: jobs in a plain queue, and the news that there are some");
    let (jobs, arrived) = (Rc::new(RefCell::new(VecDeque::new())), Rc::new(Notify::new()));
    let worker = evloop::spawn({
        let (jobs, arrived) = (Rc::clone(&jobs), Rc::clone(&arrived));
        async move {
            let mut rounds = 0;
            loop {
                rounds += 1;
                // The news does not say how many there are: look until there is nothing left, then wait again.
                // The borrow ends before the `await`, as every borrow must.
                let batch: Vec<&str> = jobs.borrow_mut().drain(..).collect();
                println!("  round {rounds}: {batch:?}");
                if batch.contains(&"go home") {
                    return rounds;
                }
                arrived.notified().await;
            }
        }
    });
    sleep(Duration::from_millis(5)).await;
    for job in ["sweep", "wash", "dry"] {
        jobs.borrow_mut().push_back(job);
        arrived.notify_one(); // the worker runs when this task waits, not before
    }
    sleep(Duration::from_millis(5)).await;
    jobs.borrow_mut().push_back("go home");
    arrived.notify_one();
    println!("  the worker looked {} times", worker.await.expect("the worker does not panic"));
}

fn main() {
    evloop::block_on(async {
        requests_and_answers().await;
        back_pressure().await;
        news().await;
    });
}
