//! What the live page is told, ten times a second, for as long as somebody looks: `GET /live`.
//!
//! The first who looks makes a [`Session`]: an observer at the loop, and one ticker for all viewers. Whoever looks holds
//! the session, so it ends with the last of them, and a server that nobody looks at has neither. A viewer that is too slow
//! misses events; it holds up nobody, and nothing is kept for it but the last two.
//!
//! It is a stream of server-sent events (WHATWG HTML, section 9.2), each a JSON object on one line.

use super::gauge::{Gauge, Part, Reading, SlowPoll};
use super::guard::from_elsewhere;
use super::play::{Lateness, Sleepers};
use bytes::Bytes;
use evloop::http::codec::encode::FieldLine;
use evloop::http::{IntoResponse, Request, Response, StatusCode};
use evloop::observe::Metrics;
use evloop::sync::CancellationToken;
use evloop::sync::broadcast::{self, RecvError};
use evloop::task::{self, AbortOnDrop};
use evloop::time::{self, MissedTicks, interval};
use evloop::turn::{self, Observed};
use serde_json::{Value, json};
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

/// Between two events.
const EVERY: Duration = Duration::from_millis(100);

/// How many may look at once. Each costs a copy of each event; a browser opens one a window.
pub(super) const VIEWERS_MAX: usize = 16;

/// How many events are kept for a viewer that has not taken them.
const EVENTS_KEPT: usize = 2;

/// The client comes again after so many milliseconds.
const RETRY: &str = "retry: 1000\n\n";

/// The viewers of the page, if there are any.
#[derive(Clone)]
pub(crate) struct Live {
    stopping: CancellationToken,
    session: Rc<RefCell<Weak<Session>>>,
    sleepers: Sleepers,
}

/// While somebody looks.
pub(super) struct Session {
    pub(super) gauge: Rc<Gauge>,
    pub(super) lateness: Lateness,
    events: broadcast::Sender<Bytes>,
    viewers: Cell<usize>,
    costs: Cell<Costs>,
    _observed: Observed,
    ticker: OnceCell<AbortOnDrop<()>>,
}

/// What the last event has cost.
#[derive(Debug, Clone, Copy, Default)]
struct Costs {
    bytes: usize,
    ticker: Duration,
}

impl Live {
    /// No viewers. The streams end when the server is `stopping`, so that it need not wait for pages that are open.
    pub(crate) fn new(stopping: CancellationToken) -> Live {
        Live { stopping, session: Rc::default(), sleepers: Sleepers::default() }
    }

    /// While somebody looks.
    pub(super) fn session(&self) -> Option<Rc<Session>> {
        self.session.borrow().upgrade()
    }

    pub(super) fn sleepers(&self) -> &Sleepers {
        &self.sleepers
    }

    /// Whether the server has begun to stop.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Answers `GET /live`.
    pub(super) fn look(&self, request: &Request) -> Response {
        if from_elsewhere(request) {
            return (StatusCode::FORBIDDEN, "another site's page cannot look on\n").into_response();
        }
        let session = self.session().unwrap_or_else(|| self.begin());
        if session.viewers.get() == VIEWERS_MAX || self.stopping.is_cancelled() {
            let busy = (StatusCode::SERVICE_UNAVAILABLE, "as many look on as can\n").into_response();
            return busy.with_header("retry-after", "5");
        }
        let viewer = Viewer::new(session);
        let stopping = self.stopping.clone();
        let events = Response::produce(|mut pieces| async move {
            let mut events = viewer.session.events.subscribe();
            let send_all = async {
                pieces.send(RETRY).await?;
                loop {
                    match events.recv().await {
                        Ok(event) => pieces.send(event).await?,
                        Err(RecvError::Lagged(_)) => {}
                        Err(RecvError::Closed) => return Ok(()),
                    }
                }
            };
            stopping.run_until_cancelled(send_all).await.unwrap_or(Ok(()))
        });
        events.with_header("cache-control", "no-store").with_line(FieldLine::new("content-type: text/event-stream\r\n"))
    }

    fn begin(&self) -> Rc<Session> {
        let gauge = Rc::new(Gauge::new());
        let session = Rc::new(Session {
            _observed: turn::observe(Rc::<Gauge>::clone(&gauge)),
            gauge,
            lateness: Lateness::default(),
            events: broadcast::Sender::new(EVENTS_KEPT),
            viewers: Cell::new(0),
            costs: Cell::default(),
            ticker: OnceCell::new(),
        });
        self.session.replace(Rc::downgrade(&session));
        let ticker = tick(Rc::downgrade(&session), self.sleepers.clone());
        let ticker = task::Builder::new().name("live page").spawn(ticker).abort_on_drop();
        assert!(session.ticker.set(ticker).is_ok(), "the session is new");
        session
    }
}

/// One who looks.
struct Viewer {
    session: Rc<Session>,
}

impl Viewer {
    fn new(session: Rc<Session>) -> Viewer {
        session.viewers.set(session.viewers.get() + 1);
        Viewer { session }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.session.viewers.set(self.session.viewers.get() - 1);
    }
}

/// Sends an event now and then, for as long as there is a session.
async fn tick(session: Weak<Session>, sleepers: Sleepers) {
    let began = time::now();
    let mut before = turn::metrics();
    let mut ticks = interval(EVERY);
    ticks.set_missed_ticks(MissedTicks::Delay);
    ticks.tick().await; // at once, when there is nothing to tell yet
    loop {
        ticks.tick().await;
        let Some(session) = session.upgrade() else { return };
        let since = Instant::now(); // what it costs is the system's time, whatever the loop's is
        let now = turn::metrics();
        let reading = session.gauge.take();
        let mut event = described(&before, &now, &reading);
        event["at_ms"] = json!(millis(time::now() - began));
        event["wheel"] = wheel();
        event["sleepers"] = json!(sleepers.live());
        event["ticker"] = session.lateness.take().map_or(Value::Null, |late| late.into_iter().map(micros).collect());
        let costs = session.costs.get();
        event["cost"] = json!({
            "viewers": session.viewers.get(),
            "bytes": costs.bytes,
            "ticker_us": micros(costs.ticker),
            "observer_us": micros(reading.cost),
        });
        let event = Bytes::from(format!("data: {event}\n\n"));
        let bytes = event.len();
        drop(session.events.send(event)); // whoever has just gone needs it no more
        session.costs.set(Costs { bytes, ticker: since.elapsed() });
        before = now;
    }
}

/// An event, as far as the loop's own numbers go. Times are in microseconds; counts are since the last event.
fn described(before: &Metrics, now: &Metrics, reading: &Reading) -> Value {
    let pool = now.pool.total();
    json!({
        "span": micros(reading.span),
        "turns": now.turns - before.turns,
        "polls": now.polls - before.polls,
        "parts": {
            "run": micros(reading.part(Part::Run)),
            "wait": micros(reading.part(Part::Wait)),
            "poll": micros(reading.part(Part::Poll)),
            "mail": micros(reading.part(Part::Mail)),
            "timers": micros(reading.part(Part::Timers)),
        },
        "lag": {
            "most": micros(reading.lag()),
            "held": micros(reading.held),
            "late": micros(reading.late),
            "delay": micros(reading.delay_max),
            "delay_99": micros(reading.delay_99),
            "delay_half": micros(reading.delay_half),
        },
        "wakes": {
            "spawn": now.wakes.spawn - before.wakes.spawn,
            "task": now.wakes.task - before.wakes.task,
            "io": now.wakes.io - before.wakes.io,
            "timer": now.wakes.timer - before.wakes.timer,
            "mail": now.wakes.mail - before.wakes.mail,
        },
        "tasks": { "live": now.tasks, "spawned": reading.spawned, "ended": reading.ended },
        "served": {
            "open": now.served.connections_open,
            "connections": now.served.connections - before.served.connections,
            "requests": now.served.requests - before.served.requests,
            "requests_open": now.served.requests_open,
        },
        "timers": {
            "armed": now.timers.armed,
            "set": now.timers.set - before.timers.set,
            "fired": now.timers.fired - before.timers.fired,
            "cancelled": now.timers.cancelled - before.timers.cancelled,
        },
        "pool": {
            "threads": now.pool.threads,
            "running": pool.running,
            "queued": pool.queued,
            "waiting": pool.waiting,
            "finished": pool.finished - before.pool.total().finished,
        },
        "slow": reading.slow.iter().map(slow).collect::<Value>(),
    })
}

fn slow(poll: &SlowPoll) -> Value {
    json!({ "task": poll.task, "doing": poll.doing, "why": poll.woken_by, "us": micros(poll.took) })
}

/// The occupied slots of each level, each a place and how many timers it holds; and where the hand is.
fn wheel() -> Value {
    let wheel = turn::wheel();
    let occupied = |level: &[u16; 64]| -> Vec<u16> {
        let slots = (0..).zip(level).filter(|(_, timers)| **timers > 0);
        slots.flat_map(|(slot, timers)| [slot, *timers]).collect()
    };
    json!({ "elapsed": wheel.elapsed, "levels": wheel.levels.iter().map(occupied).collect::<Vec<_>>() })
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
