//! What does a greedy task do to its neighbours, and what keeps it in bounds?
//!
//! A channel is full of messages, each some work. One task takes them all, in three ways: by `try_recv`, which never
//! waits, so all of it is one poll; by `recv`, whose budget ends the poll after 128 messages; by `recv` and a `yield_now`
//! behind each. Beside it beats the heart of another task. Look at the heart's row: while the greedy task is in a poll,
//! nobody else runs. The budget bounds the lag, whoever wrote the task, to two such polls: one in which the beat comes due, one
//! more if the greedy task stands before the heart in the queue. Less than that it must want itself.
//!
//! Change [`WORK`] to half a millisecond: what has the budget bounded, operations or time? Or take `recv_many(.., 64)`.

use super::Experiment;
use super::measure::{Polls, work};
use crate::picture::{Kind, Lanes, Picture, spoken};
use evloop::sync::mpsc::{self, UnboundedReceiver};
use evloop::task::yield_now;
use evloop::time::{MissedTicks, interval, sleep};
use evloop::{Runtime, spawn, turn};
use std::time::{Duration, Instant};
use std::{cell::RefCell, io, rc::Rc};

const MESSAGES: u32 = 640;
const WORK: Duration = Duration::from_micros(50);
const BEAT: Duration = Duration::from_millis(2);

pub(crate) const EXPERIMENT: Experiment =
    Experiment { name: "fairness", about: "a greedy task and its neighbour, with and without a budget", run };

/// How the greedy task takes its messages.
#[derive(Clone, Copy)]
enum Way {
    Never,
    Budget,
    Always,
}

fn run() -> io::Result<Picture> {
    let (work, beat) = (spoken(WORK * MESSAGES), spoken(BEAT));
    let mut about = vec![format!("{MESSAGES} messages, {work} of work at least, and a heart that beats every {beat}.")];
    let mut picture = Picture::new("A greedy task, and the heart that beats beside it");
    for (way, title) in [
        (Way::Never, "try_recv: it never lets go"),
        (Way::Budget, "recv: the budget ends its polls"),
        (Way::Always, "recv and yield_now: it lets go itself"),
    ] {
        let (lanes, found) = Runtime::new()?.block_on(side_by_side(way, title));
        about.push(found);
        picture = picture.lanes(lanes);
    }
    about.push("While one task is polled no other is: what ends the poll lets the heart beat.".to_owned());
    Ok(picture.about(about.join("\n")).meaning(Kind::Block, "a poll of the greedy task; a dot is a beat of the heart"))
}

/// One way: its time line, and what was found.
async fn side_by_side(way: Way, title: &str) -> (Lanes, String) {
    let (sender, messages) = mpsc::unbounded();
    (0..MESSAGES).for_each(|n| sender.send(n).expect("the receiver is here"));
    drop(sender);
    let (polls, beats) = (Rc::new(Polls::default()), Rc::new(RefCell::new(Vec::new())));
    let _observed = turn::observe(Rc::<Polls>::clone(&polls));
    let began = Instant::now();
    let heart = spawn(heart(Rc::clone(&beats)));
    sleep(BEAT * 4).await; // how it is when nobody is greedy
    let greedy = spawn(greedy(way, messages));
    let key = greedy.key();
    greedy.await.expect("it does not panic");
    sleep(BEAT * 4).await;
    heart.abort();

    let (polls, beats) = (polls.of(key), beats.take());
    let mut lanes = Lanes::new(title);
    for (from, until) in &polls {
        lanes.span("greedy", Kind::Block, "", *from - began, *until - began);
    }
    for (at, _) in &beats {
        lanes.mark("heart", "", *at - began);
    }
    let longest = polls.iter().map(|(from, until)| *until - *from).max().unwrap_or_default();
    let latest = beats.iter().map(|(_, late)| *late).max().unwrap_or_default();
    let (count, longest, latest) = (polls.len(), spoken(longest), spoken(latest));
    let plural = if count == 1 { "poll" } else { "polls" };
    (lanes, format!("{title}. {count} {plural}, the longest {longest}; the latest beat came {latest} late."))
}

async fn greedy(way: Way, mut messages: UnboundedReceiver<u32>) {
    while let Way::Never = way
        && messages.try_recv().is_ok()
    {
        work(WORK);
    }
    while messages.recv().await.is_some() {
        work(WORK);
        if let Way::Always = way {
            yield_now().await;
        }
    }
}

/// Beats for ever, and notes when, and how late that was.
async fn heart(beats: Rc<RefCell<Vec<(Instant, Duration)>>>) {
    let mut beat = interval(BEAT);
    beat.set_missed_ticks(MissedTicks::Skip); // what was missed is not made up for
    loop {
        let due = beat.tick().await;
        beats.borrow_mut().push((Instant::now(), due.elapsed()));
    }
}
