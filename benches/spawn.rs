//! What a task costs: spawned, polled once, joined.
//!
//! Run it with `cargo bench --bench spawn`. To be read:
//!
//! - `alone`: a task is spawned and awaited before the next. It is one allocation, two passes through the run queue
//!   (the task's, and the one of who waits for it), and one wake.
//! - `batch_of_1000`: a thousand are spawned, then awaited in order. The queue is long, memory is cold, and who waits
//!   is woken once for all of them. A run is the batch, so its figure in microseconds is nanoseconds per task.
//!
//! Both run in a task, as programs do, and not in the future of `block_on`.

use criterion::{Criterion, Throughput};
use evloop::{block_on, spawn};
use std::time::{Duration, Instant};

const BATCH: usize = 1_000;

fn alone(count: u64) -> Duration {
    in_task(async move {
        let begin = Instant::now();
        for _ in 0..count {
            spawn(async {}).await.expect("it does nothing that could fail");
        }
        begin.elapsed()
    })
}

fn batches(count: u64) -> Duration {
    in_task(async move {
        let mut handles = Vec::with_capacity(BATCH);
        let begin = Instant::now();
        for _ in 0..count {
            handles.extend((0..BATCH).map(|_| spawn(async {})));
            for handle in handles.drain(..) {
                handle.await.expect("it does nothing that could fail");
            }
        }
        begin.elapsed()
    })
}

fn in_task(future: impl Future<Output = Duration> + 'static) -> Duration {
    block_on(async { spawn(future).await.expect("a benchmark does not panic") })
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let mut group = criterion.benchmark_group("spawn");
    group.throughput(Throughput::Elements(1));
    group.bench_function("alone", |bencher| bencher.iter_custom(alone));
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("batch_of_1000", |bencher| bencher.iter_custom(batches));
    group.finish();
    criterion.final_summary();
}
