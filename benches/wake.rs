//! What it costs to give way, and to hand a word from one task to another.
//!
//! Run it with `cargo bench --bench wake`. To be read:
//!
//! - `yield/1_task`, `yield/1000_tasks`: a task wakes itself and is polled again: the bare cost of a poll. A run of the
//!   latter is a yield of each task, so its figure in microseconds is nanoseconds per yield.
//! - `ping_pong/...`: a round trip of two tasks, that is two wakes and two polls, plus what the words travel by: a bare
//!   waker, a [`Notify`] each way, a channel each way, or a request that brings a oneshot for its answer.
//! - `other_thread/round_trip`: another thread wakes the sleeping loop, a task of which answers. Four context switches
//!   and an eventfd: this figure is the kernel's for the most part, and on two pinned cores (`taskset`) it is steadier.
//!
//! All but the last run in tasks, as programs do, and not in the future of `block_on`.

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use evloop::sync::{Notify, mpsc, oneshot};
use evloop::task::yield_now;
use evloop::{block_on, spawn};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

const TASKS: usize = 1_000;

fn in_task(future: impl Future<Output = Duration> + 'static) -> Duration {
    block_on(async { spawn(future).await.expect("a benchmark does not panic") })
}

fn yield_1(count: u64) -> Duration {
    in_task(async move {
        let begin = Instant::now();
        for _ in 0..count {
            yield_now().await;
        }
        begin.elapsed()
    })
}

fn yield_1000(count: u64) -> Duration {
    in_task(async move {
        let begin = Instant::now();
        let each = || {
            spawn(async move {
                for _ in 0..count {
                    yield_now().await;
                }
            })
        };
        let handles: Vec<_> = (0..TASKS).map(|_| each()).collect();
        for handle in handles {
            handle.await.expect("it does nothing that could fail");
        }
        begin.elapsed()
    })
}

/// A queue and the waker of who takes from it: as much as is needed to be woken, from this thread or from another.
#[derive(Default)]
struct Mail {
    state: Mutex<(VecDeque<u32>, Option<Waker>)>,
}

impl Mail {
    fn lock(&self) -> MutexGuard<'_, (VecDeque<u32>, Option<Waker>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, word: u32) {
        let mut state = self.lock();
        state.0.push_back(word);
        let waker = state.1.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn take(&self) -> u32 {
        poll_fn(|cx| {
            let mut state = self.lock();
            if let Some(word) = state.0.pop_front() {
                return Poll::Ready(word);
            }
            state.1 = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

fn by_waker(count: u64) -> Duration {
    in_task(async move {
        let (there, back) = (Arc::new(Mail::default()), Arc::new(Mail::default()));
        let (inbox, answer) = (Arc::clone(&there), Arc::clone(&back));
        let other = spawn(async move {
            for _ in 0..count {
                answer.put(inbox.take().await);
            }
        });
        let begin = Instant::now();
        for _ in 0..count {
            there.put(1);
            back.take().await;
        }
        let elapsed = begin.elapsed();
        other.await.expect("it answers each word");
        elapsed
    })
}

fn by_notify(count: u64) -> Duration {
    in_task(async move {
        let (there, back) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
        let (inbox, answer) = (Rc::clone(&there), Rc::clone(&back));
        let other = spawn(async move {
            for _ in 0..count {
                inbox.notified().await;
                answer.notify_one();
            }
        });
        let begin = Instant::now();
        for _ in 0..count {
            there.notify_one();
            back.notified().await;
        }
        let elapsed = begin.elapsed();
        other.await.expect("it answers each word");
        elapsed
    })
}

fn by_mpsc(count: u64) -> Duration {
    in_task(async move {
        let (there, mut inbox) = mpsc::channel::<u32>(16);
        let (answer, mut back) = mpsc::channel::<u32>(16);
        let other = spawn(async move {
            while let Some(word) = inbox.recv().await {
                answer.try_send(word).expect("one word at a time is under way");
            }
        });
        let begin = Instant::now();
        for _ in 0..count {
            there.try_send(1).expect("one word at a time is under way");
            back.recv().await;
        }
        let elapsed = begin.elapsed();
        drop(there);
        other.await.expect("it answers each word");
        elapsed
    })
}

fn by_oneshot(count: u64) -> Duration {
    in_task(async move {
        let (requests, mut inbox) = mpsc::channel::<oneshot::Sender<u32>>(16);
        let server = spawn(async move {
            while let Some(answer) = inbox.recv().await {
                answer.send(1).expect("the client waits for its answer");
            }
        });
        let begin = Instant::now();
        for _ in 0..count {
            let (answer, answered) = oneshot::channel();
            requests.try_send(answer).expect("one request at a time is under way");
            answered.await.expect("the server answers each request");
        }
        let elapsed = begin.elapsed();
        drop(requests);
        server.await.expect("it answers each request");
        elapsed
    })
}

/// There by a waker that is called from another thread, back by a channel of std's.
fn other_thread(count: u64) -> Duration {
    let there = Arc::new(Mail::default());
    let (back, answered) = std::sync::mpsc::channel();
    let mail = Arc::clone(&there);
    let other = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20)); // until the loop sleeps
        let begin = Instant::now();
        for _ in 0..count {
            mail.put(1);
            answered.recv().expect("the loop answers each word");
        }
        begin.elapsed()
    });
    block_on(async {
        for _ in 0..count {
            back.send(there.take().await).expect("the thread waits for its answer");
        }
    });
    other.join().expect("a benchmark does not panic")
}

fn bench(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, elements: u64, run: fn(u64) -> Duration) {
    group.throughput(Throughput::Elements(elements));
    group.bench_function(name, |bencher| bencher.iter_custom(run));
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let mut group = criterion.benchmark_group("yield");
    bench(&mut group, "1_task", 1, yield_1);
    bench(&mut group, "1000_tasks", TASKS as u64, yield_1000);
    group.finish();
    let mut group = criterion.benchmark_group("ping_pong");
    bench(&mut group, "waker", 1, by_waker);
    bench(&mut group, "notify", 1, by_notify);
    bench(&mut group, "mpsc", 1, by_mpsc);
    bench(&mut group, "oneshot", 1, by_oneshot);
    group.finish();
    let mut group = criterion.benchmark_group("other_thread");
    bench(&mut group, "round_trip", 1, other_thread);
    group.finish();
    criterion.final_summary();
}
