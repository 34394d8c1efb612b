//! What does a wake cost: from a task beside, from another thread, a thousand at once?
//!
//! A *local* wake puts a task into the run queue. A *remote* one is a letter in the loop's mailbox and, if the loop sleeps,
//! a bell (an eventfd): the kernel ends the sleep, and the loop turns. Letters that lie there together are taken in by one
//! turn: they are *coalesced*. Look at the three curves, whose axis counts in powers of ten, and at the turns of each.
//!
//! Change [`PAUSE`] to zero: the thread is then faster than the loop falls asleep, and letters begin to share a turn.

use super::{Experiment, measure::percentiles};
use crate::picture::{Picture, Plot, spoken};
use evloop::observe::Metrics;
use evloop::sync::{Notify, oneshot, remote};
use evloop::{Runtime, spawn, task::yield_now};
use std::time::{Duration, Instant};
use std::{cell::Cell, io, rc::Rc, thread};

const WAKES: usize = 1_000;
/// Long enough that the loop has fallen asleep again.
const PAUSE: Duration = Duration::from_micros(100);

pub(crate) const EXPERIMENT: Experiment =
    Experiment { name: "wake", about: "wakes from a task, from a thread, and a thousand at once", run };

fn run() -> io::Result<Picture> {
    let mut about = Vec::new();
    let mut plot = Plot::new("from the wake until the task runs", "% of the wakes", "µs, or less").y_in_powers();
    plot = measure("local", local(), &mut about, plot)?;
    plot = measure("remote", remote(), &mut about, plot)?;
    plot = measure("coalesced", coalesced(), &mut about, plot)?;
    about.push("The coalesced ones found the loop held until all were sent: the first waited for the last.".to_owned());
    Ok(Picture::new("Wakes: from a task beside, from a thread, a thousand at once").about(about.join("\n")).plot(plot))
}

/// How long the wakes took, and what the loop has counted meanwhile.
fn measure(
    name: &str,
    wakes: impl Future<Output = Vec<Duration>>,
    about: &mut Vec<String>,
    plot: Plot,
) -> io::Result<Plot> {
    let runtime = Runtime::new()?;
    let took = percentiles(runtime.block_on(wakes));
    let Metrics { turns, polls, events, .. } = runtime.metrics();
    let (half, most) = (spoken(took[50]), spoken(took[99]));
    about.push(format!(
        "{WAKES} {name} wakes: {turns} turns, {polls} polls, {events} events of the kernel. Half of them took {half} or less, \
         99 of 100 {most} or less."
    ));
    Ok(plot.series(name, (0..).zip(took).map(|(percent, took)| (f64::from(percent), took.as_secs_f64() * 1e6))))
}

/// Two tasks that wake each other by turns.
async fn local() -> Vec<Duration> {
    let (there, back, sent) = (Rc::new(Notify::new()), Rc::new(Notify::new()), Rc::new(Cell::new(Instant::now())));
    let partner = spawn({
        let (there, back, sent) = (Rc::clone(&there), Rc::clone(&back), Rc::clone(&sent));
        async move {
            let mut took = Vec::new();
            for _ in 0..WAKES / 2 {
                there.notified().await;
                took.push(sent.get().elapsed());
                sent.set(Instant::now());
                back.notify_one();
            }
            took
        }
    });
    let mut took = Vec::new();
    for _ in 0..WAKES / 2 {
        sent.set(Instant::now());
        there.notify_one();
        back.notified().await;
        took.push(sent.get().elapsed());
    }
    took.extend(partner.await.expect("it does not panic"));
    took
}

/// A thread that sends the time to a loop that sleeps, again and again.
async fn remote() -> Vec<Duration> {
    let (sender, mut receiver) = remote::unbounded();
    let thread = thread::spawn(move || {
        for _ in 0..WAKES {
            thread::sleep(PAUSE);
            sender.send(Instant::now()).expect("the loop waits for it");
        }
    });
    let mut took = Vec::new();
    while let Some(sent) = receiver.recv().await {
        took.push(sent.elapsed());
    }
    thread.join().expect("it does not panic");
    took
}

/// A thread that wakes as many tasks while the loop is held, which then finds all of the letters at once.
async fn coalesced() -> Vec<Duration> {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..WAKES).map(|_| oneshot::channel::<Instant>()).unzip();
    let task = |receiver: oneshot::Receiver<Instant>| spawn(async { receiver.await.map(|sent| sent.elapsed()) });
    let tasks: Vec<_> = receivers.into_iter().map(task).collect();
    yield_now().await; // now they wait
    let thread =
        thread::spawn(|| senders.into_iter().for_each(|sender| sender.send(Instant::now()).expect("it waits")));
    thread.join().expect("it does not panic"); // it holds the loop, which is what this is about
    let mut took = Vec::new();
    for task in tasks {
        took.push(task.await.expect("it does not panic").expect("it was sent"));
    }
    took
}
