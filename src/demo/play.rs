//! What the buttons of the live page set going: a thousand sleepers, and a clock that ticks.

use super::guard::from_elsewhere;
use super::live::Live;
use evloop::http::{IntoResponse, Request, Response, StatusCode};
use evloop::spawn;
use evloop::task::{self, AbortOnDrop};
use evloop::time::{MissedTicks, interval, now, sleep};
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

/// How many may sleep at once.
pub(super) const SLEEPERS_MAX: usize = 10_000;

/// The first of them wakes after so many milliseconds at the earliest, and the last after so many at the latest: long enough to
/// see slots of the third level of the wheel (4.1 s each) fall apart into the second, and those into the first.
const SLEEP_MIN: u64 = 500;
const SLEEP_MAX: u64 = 20_000;

/// Between two ticks of the clock.
const TICK: Duration = Duration::from_millis(20);

/// So many of its ticks are kept until the next event; there are five in one.
const TICKS_KEPT: usize = 64;

/// Tasks that do nothing but sleep.
#[derive(Clone, Default)]
pub(super) struct Sleepers {
    live: Rc<Cell<usize>>,
    spread: Rc<Cell<u64>>,
}

impl Sleepers {
    pub(super) fn live(&self) -> usize {
        self.live.get()
    }

    fn spawn(&self) {
        let milliseconds = SLEEP_MIN + self.next_number() % (SLEEP_MAX - SLEEP_MIN);
        let sleeper = Sleeper::new(&self.live);
        drop(spawn(async move {
            let _sleeper = sleeper;
            sleep(Duration::from_millis(milliseconds)).await;
        }));
    }

    /// Numbers all over the place: `SplitMix64` (Steele, Lea and Flood 2014).
    fn next_number(&self) -> u64 {
        self.spread.set(self.spread.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let number = self.spread.get();
        let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }
}

/// Counts itself for as long as it is.
struct Sleeper(Rc<Cell<usize>>);

impl Sleeper {
    fn new(live: &Rc<Cell<usize>>) -> Sleeper {
        live.set(live.get() + 1);
        Sleeper(Rc::clone(live))
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Answers `POST /sleepers?n=1000`.
pub(super) fn sleepers(live: &Live, request: &Request) -> Result<String, Response> {
    refuse_elsewhere(request)?;
    let wanted = request.query_param("n").and_then(|n| n.parse().ok()).filter(|n| (1..=SLEEPERS_MAX).contains(n));
    let wanted: usize = wanted.ok_or_else(|| super::bad("the query says how many: ?n=1000, 10000 at most\n"))?;
    let sleepers = live.sleepers();
    if sleepers.live() + wanted > SLEEPERS_MAX {
        return Err((StatusCode::TOO_MANY_REQUESTS, "10000 sleep at most; some wake soon\n").into_response());
    }
    (0..wanted).for_each(|_| sleepers.spawn());
    let sleep = if wanted == 1 { "task sleeps" } else { "tasks sleep" };
    Ok(format!("{wanted} {sleep}, up to {} s\n", SLEEP_MAX / 1_000))
}

/// How late the ticks of a clock were, while it ticks.
#[derive(Default)]
pub(super) struct Lateness {
    ticking: RefCell<Option<AbortOnDrop<()>>>,
    late: Rc<RefCell<Vec<Duration>>>,
}

impl Lateness {
    /// Those of the ticks since the last call; `None` while the clock stands still.
    pub(super) fn take(&self) -> Option<Vec<Duration>> {
        let ticks = self.ticking.borrow().is_some();
        let late = self.late.take();
        ticks.then_some(late)
    }

    fn start(&self) {
        if self.ticking.borrow().is_none() {
            let clock = tick(Rc::downgrade(&self.late));
            let clock = task::Builder::new().name("ticking interval").spawn(clock).abort_on_drop();
            drop(self.ticking.replace(Some(clock)));
        }
    }

    fn stop(&self) {
        drop(self.ticking.take());
    }
}

async fn tick(late: Weak<RefCell<Vec<Duration>>>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_ticks(MissedTicks::Skip);
    while let Some(late) = late.upgrade() {
        let planned = ticks.tick().await;
        let mut late = late.borrow_mut();
        if late.len() < TICKS_KEPT {
            late.push(now().saturating_duration_since(planned));
        }
    }
}

/// Answers `POST /ticker?on=1` and `?on=0`. It ticks only while somebody looks.
pub(super) fn ticker(live: &Live, request: &Request) -> Result<&'static str, Response> {
    refuse_elsewhere(request)?;
    let nobody = || (StatusCode::CONFLICT, "nobody looks: open / first\n").into_response();
    match request.query_param("on").as_deref() {
        Some("1") => {
            live.session().ok_or_else(nobody)?.lateness.start();
            Ok("it ticks\n")
        }
        Some("0") => {
            live.session().into_iter().for_each(|session| session.lateness.stop());
            Ok("it stands still\n")
        }
        _ => Err(super::bad("the query says whether: ?on=1 or ?on=0\n")),
    }
}

fn refuse_elsewhere(request: &Request) -> Result<(), Response> {
    if from_elsewhere(request) {
        return Err((StatusCode::FORBIDDEN, "another site's page cannot press this button\n").into_response());
    }
    Ok(())
}
