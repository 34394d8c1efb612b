//! What happens to the request for which no thread of the pool is left?
//!
//! Each request has a job that blocks: a call to a database, say. The loop hands it to the pool and is free; but the pool
//! has so many threads and no more. Look at the last row: its request waits in the queue until a thread has ended its
//! first job, and takes twice as long as the others. A pool moves blocking away from the loop; it does not make it go away.
//!
//! Change [`THREADS`] and [`REQUESTS`]: how long does the last one wait with twelve requests? FastAPI's `def` handlers run
//! like this, on 40 threads.

use super::{Experiment, Recorder};
use crate::picture::{Kind, Picture, spoken};
use evloop::task::PoolLimits;
use evloop::{Runtime, spawn, spawn_blocking};
use std::time::Duration;
use std::{io, thread};

const THREADS: usize = 4;
const REQUESTS: usize = THREADS + 1;
const JOB: Duration = Duration::from_millis(100);

pub(crate) const EXPERIMENT: Experiment =
    Experiment { name: "pool", about: "the request past the last thread of the pool waits", run };

fn run() -> io::Result<Picture> {
    let limits = PoolLimits { threads_max: THREADS, general_max: Some(THREADS), ..PoolLimits::default() };
    let runtime = Runtime::builder().pool(limits).build()?;
    let recorder = Recorder::new(format!("{REQUESTS} requests, {THREADS} threads"));
    let waited = runtime.block_on(async {
        let requests: Vec<_> = (1..=REQUESTS).map(|n| spawn(request(n, recorder.clone()))).collect();
        let mut waited = Vec::new();
        for request in requests {
            waited.push(request.await??);
        }
        Ok::<_, io::Error>(waited)
    })?;
    let longest = waited.into_iter().max().unwrap_or_default();
    let about = format!(
        "{THREADS} of {REQUESTS} requests have a thread at once. The one past the last thread waited {} until a job of {} had \
         ended, and so took {} in all. The loop was free all the while.",
        spoken(longest),
        spoken(JOB),
        spoken(longest + JOB),
    );
    let picture = Picture::new("The request past the last thread waits").about(about).lanes(recorder.finish());
    Ok(picture.meaning(Kind::Queue, "waits in the queue").meaning(Kind::Away, "on a thread of the pool"))
}

/// Has a job done that blocks, and returns for how long it had to wait for a thread.
async fn request(number: usize, recorder: Recorder) -> io::Result<Duration> {
    let row = format!("request {number}");
    let queued = recorder.begin(&row, Kind::Queue, "in the queue");
    let job = move || {
        let waited = queued.end();
        let thread = thread::current().name().unwrap_or_default().to_owned();
        let _on_the_pool = recorder.begin(&row, Kind::Away, thread);
        thread::sleep(JOB);
        waited
    };
    Ok(spawn_blocking(job).await?)
}
