//! How late is a timer, and what does it cost to keep a million of them?
//!
//! The first panel: a task sleeps for 5 ms, again and again, while a neighbour holds the loop for a while in each of its
//! polls. A timer fires between polls only, and then its task stands last in the queue: it can be late by two of them. The second and third: the wheel that evloop keeps its
//! timers in, against a heap and a tree, for timers of which nearly all fire (beats, sleeps), and of which nearly all are
//! cancelled (time-outs, which is what a server sets). Look where curves cross.
//!
//! Change [`LOADS`], or cancel 50 of 100. How the three are used is in `timer_twins.rs`.

use super::Experiment;
use super::measure::{millis, work};
use super::timer_twins::{Cost, costs};
use crate::picture::{Picture, Plot};
use evloop::task::yield_now;
use evloop::time::sleep;
use evloop::{Runtime, spawn};
use std::io;
use std::time::{Duration, Instant};

const SLEEP: Duration = Duration::from_millis(5);
const LOADS: [u32; 6] = [0, 1, 2, 5, 10, 20];
const TIME_PER_LOAD: Duration = Duration::from_millis(180);
/// What is built without optimisation has not the time for a million.
const COUNTS: &[u32] =
    if cfg!(debug_assertions) { &[1_000, 10_000, 100_000] } else { &[1_000, 10_000, 100_000, 1_000_000] };
const NAMES: [&str; 3] = ["wheel", "heap", "tree"];

pub(crate) const EXPERIMENT: Experiment =
    Experiment { name: "timers", about: "lateness against load; the wheel against a heap and a tree", run };

fn run() -> io::Result<Picture> {
    let (mut medians, mut most, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for load in LOADS {
        let late = Runtime::new()?.block_on(lateness(Duration::from_millis(load.into())));
        let (median, latest) = (millis(late[late.len() / 2]), millis(late[late.len() - 1]));
        found.push(format!("{median:.1} and {latest:.1} ms beside polls of {load} ms"));
        medians.push((f64::from(load), median));
        most.push((f64::from(load), latest));
    }
    let lateness = Plot::new("how late a sleep of 5 ms is", "ms that a poll of the neighbour takes", "ms late");
    let lateness = lateness.series("the latest", most).series("half of them, or less", medians);
    let mut about = vec![format!("How late a sleep of 5 ms was, in the median and at most: {}.", found.join(", "))];
    let mut picture = Picture::new("How late timers are, and what they cost").plot(lateness);
    for cancelled in [1, 99] {
        picture = picture.plot(race(cancelled, &mut about));
    }
    about.push("What is cancelled in a heap stays there until it is due, and is paid for by what fires.".to_owned());
    Ok(picture.about(about.join("\n")))
}

/// How late sleeps were, sorted, while a neighbour holds the loop for so long in each poll.
async fn lateness(load: Duration) -> Vec<Duration> {
    let neighbour = spawn(async move {
        while !load.is_zero() {
            work(load);
            yield_now().await;
        }
    });
    let began = Instant::now();
    let mut late = Vec::new();
    while late.is_empty() || began.elapsed() < TIME_PER_LOAD {
        let due = Instant::now() + SLEEP;
        sleep(SLEEP).await;
        late.push(due.elapsed());
    }
    neighbour.abort();
    late.sort_unstable();
    late
}

/// The three against each other, with so many of a hundred cancelled.
fn race(cancelled: u32, about: &mut Vec<String>) -> Plot {
    let title = format!("the life of a timer where {cancelled} of 100 are cancelled");
    let plot = Plot::new(title, "timers at once", "ns per timer").x_in_powers();
    let rows: Vec<(u32, [Cost; 3])> = COUNTS.iter().map(|count| (*count, costs(*count, cancelled))).collect();
    let (count, last) = rows[rows.len() - 1];
    about
        .push(format!("{count} timers of which {cancelled} in 100 are cancelled, in ns for each, the cheapest first:"));
    let mut costs: Vec<_> = NAMES.into_iter().zip(last).collect();
    costs.sort_by(|a, b| a.1.life.total_cmp(&b.1.life));
    for (name, Cost { set, cancel, fire, life }) in costs {
        about.push(format!("{name} {life:.0} (to set {set:.0}, to cancel {cancel:.0}, to fire {fire:.0})"));
    }
    let curve = |which: usize| rows.iter().map(move |(count, costs)| (f64::from(*count), costs[which].life));
    NAMES.iter().zip(0..).fold(plot, |plot, (name, which)| plot.series(*name, curve(which)))
}
