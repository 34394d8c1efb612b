//! What does a handler that blocks do to everybody else?
//!
//! A server answers one request, and its handler takes a while: first it blocks in an `async` handler, then it does the same
//! on the pool. A bystander shares the loop: it wants to run every 20 ms. Look at its row: while the handler holds the
//! loop's thread, the bystander's tick is due and nobody comes. An `async fn` that awaits nothing is a call like any other.
//!
//! Change [`WORK`], or have the first handler await `evloop::time::sleep(WORK)`: it waits as long, and holds up nobody.

use super::{Experiment, Recorder};
use crate::picture::{Kind, Picture, spoken};
use evloop::Runtime;
use evloop::http::testing::TestClient;
use evloop::http::{BlockingRequest, Request, Router};
use evloop::time::{MissedTicks, interval, now, sleep};
use std::time::Duration;
use std::{io, thread};

const WORK: Duration = Duration::from_millis(300);
const PERIOD: Duration = Duration::from_millis(20);

pub(crate) const EXPERIMENT: Experiment =
    Experiment { name: "blocking", about: "an async handler that blocks, and the same on the pool", run };

fn run() -> io::Result<Picture> {
    let on_the_loop = Recorder::new("");
    let recorder = on_the_loop.clone();
    let app = Router::new().get("/", move |_: Request| {
        let recorder = recorder.clone();
        async move { work(&recorder, Kind::Block, "blocks the loop's thread") }
    });
    let lag_on_the_loop = Runtime::new()?.block_on(measure(app, &on_the_loop));

    let on_the_pool = Recorder::new("");
    let recorder = on_the_pool.clone();
    let app = Router::new()
        .get_blocking("/", move |_: BlockingRequest| work(&recorder, Kind::Away, "blocks a thread of the pool"));
    let lag_on_the_pool = Runtime::new()?.block_on(measure(app, &on_the_pool));

    let (worse, better) = (spoken(lag_on_the_loop), spoken(lag_on_the_pool));
    let about = format!(
        "Both handlers block for {}. The one that blocks the loop made the bystander {worse} late, and with it every \
         connection, timer and task of that loop; with the same call on the pool it was {better} late at most. What decides is \
         not whether the handler is async, but whether it blocks without awaiting.",
        spoken(WORK),
    );
    let picture = Picture::new("A handler that blocks, and a bystander").about(about);
    let picture = picture
        .lanes(on_the_loop.finish().titled(format!("async handler that blocks: the bystander is {worse} late")))
        .lanes(on_the_pool.finish().titled(format!("the same on the pool: the bystander is {better} late")));
    Ok(picture.meaning(Kind::Run, "the bystander runs").meaning(Kind::Queue, "it is due, and waits for the thread"))
}

/// The handler's work: a call that blocks.
fn work(recorder: &Recorder, kind: Kind, label: &str) -> &'static str {
    let _works = recorder.begin("handler", kind, label);
    thread::sleep(WORK);
    "done"
}

/// Sends a request after a while, and returns how late the bystander was at worst.
async fn measure(app: Router, recorder: &Recorder) -> Duration {
    recorder.rows(&["handler", "bystander"]);
    let client = TestClient::new(app);
    let bystander = evloop::spawn(bystander(recorder.clone()));
    sleep(PERIOD * 3).await;
    client.get("/").send().await;
    sleep(PERIOD * 2).await; // room for the tick that is late
    bystander.await.unwrap_or_default()
}

async fn bystander(recorder: Recorder) -> Duration {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_ticks(MissedTicks::Delay);
    let mut worst = Duration::ZERO;
    while recorder.elapsed() < WORK + PERIOD * 5 {
        let due = ticks.tick().await;
        let late = now().saturating_duration_since(due);
        let ran = recorder.elapsed();
        if late > PERIOD / 4 {
            recorder.span("bystander", Kind::Queue, "due, but nobody comes", ran.saturating_sub(late), ran);
        }
        recorder.span("bystander", Kind::Run, "", ran, ran + Duration::from_millis(3));
        worst = worst.max(late);
    }
    worst
}
