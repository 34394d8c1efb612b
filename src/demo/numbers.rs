//! `GET /metrics`: the loop in numbers, and how long things take, while somebody asks for that.
//!
//! The numbers are kept in any case. How long things take is kept by an observer that reads the clock twice in each poll, some
//! 150 ns together, so it looks on only from the first question on, and until nobody has asked for a while. What it answers
//! is of the time in which it looked on; so the first answer has nothing of it yet.

use evloop::http::metrics::Prometheus;
use evloop::http::router::Handler;
use evloop::http::{Request, Response};
use evloop::observe::Histograms;
use evloop::task;
use evloop::time::{now, sleep_until};
use evloop::turn::{self, Observed};
use std::cell::{Cell, OnceCell};
use std::future::Ready;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Whoever has not asked again after so long has gone. A Prometheus server asks each minute unless it is told otherwise.
pub(super) const PATIENCE: Duration = Duration::from_secs(150);

/// Answers with the numbers of its loop.
pub(super) fn numbers() -> impl Handler<Future = Ready<Response>> {
    let kept = OnceCell::new();
    let asked = Rc::new(Cell::new(None));
    move |request: Request| {
        let (histograms, prometheus) = kept.get_or_init(|| {
            let histograms = Rc::new(Histograms::new());
            let prometheus = Prometheus::new().with_histograms(histograms.reader());
            (histograms, prometheus)
        });
        if asked.replace(Some(now())).is_none() {
            let observed = turn::observe(Rc::<Histograms>::clone(histograms));
            drop(task::Builder::new().name("histograms").spawn(look_on(observed, Rc::clone(&asked))));
        }
        prometheus.call(request)
    }
}

/// Keeps the observer for as long as somebody asks now and then.
async fn look_on(_observed: Observed, asked: Rc<Cell<Option<Instant>>>) {
    while let Some(end) = asked.get().map(|asked| asked + PATIENCE).filter(|end| now() < *end) {
        sleep_until(end).await;
    }
    asked.set(None);
}
