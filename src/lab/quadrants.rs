//! Sync or async, blocking or non-blocking: who has control while a job goes on elsewhere?
//!
//! A has three jobs done by B, one after the other where it must wait. *Sync* or *async* says who looks after the answer: A
//! itself, or a callback. *Blocking* or not says whether A gets control back before there is one. Look at the row of A: red
//! is a thread that can do nothing else, blue is A at work, pale is a thread that is free.
//!
//! Change [`JOBS`]: with 200, 150 and 100 ms the last quadrant answers in the other order, which no rule forbids it, and
//! no rule asks for. In the third, start all jobs before the first wait: still blocked, but for 200 ms.

use super::{Experiment, Recorder};
use crate::picture::{Kind, Picture, counted, spoken};
use evloop::future::{Either, join_all, race};
use evloop::io::AsyncRead;
use evloop::net::UnixStream;
use evloop::{Runtime, task::JoinHandle};
use rustix::time::{ClockId, clock_gettime};
use std::io::{self, ErrorKind, Read, Write};
use std::{os::unix::net, pin::pin, thread, time::Duration};

const JOBS: [Duration; 3] = [Duration::from_millis(200); 3];
const ROWS: [&str; 4] = ["A", "B, job 1", "B, job 2", "B, job 3"];

pub(crate) const EXPERIMENT: Experiment =
    Experiment { name: "quadrants", about: "sync or async, blocking or non-blocking: who has control when", run };

type Quadrant = (&'static str, fn(&Recorder) -> io::Result<u64>, &'static str);
const QUADRANTS: [Quadrant; 4] = [
    ("sync and blocking", sync_blocking, "A stops in each read until B has answered."),
    ("sync and non-blocking", sync_nonblocking, "A may do other things, but has to ask again and again."),
    ("async and blocking", async_blocking, "There is a callback, but A waits at once. It happens by accident."),
    ("async and non-blocking", async_nonblocking, "The jobs overlap, and A does other things meanwhile."),
];

fn run() -> io::Result<Picture> {
    let mut picture = Picture::new("Three jobs, four ways to wait for them");
    let mut said = Vec::new();
    for (name, quadrant, moral) in QUADRANTS {
        let (recorder, worked) = (Recorder::new(name), clock_gettime(ClockId::ThreadCPUTime));
        recorder.rows(&ROWS);
        let (times, took) = (counted(quadrant(&recorder)?), spoken(recorder.elapsed()));
        let worked = spoken((clock_gettime(ClockId::ThreadCPUTime) - worked).try_into().unwrap_or_default());
        said.push(format!("{name}: {took}. A had control {times} times, its thread worked for {worked}. {moral}"));
        picture = picture.lanes(recorder.finish().titled(format!("{name}: {took}")));
    }
    let picture =
        picture.about(said.join("\n")).meaning(Kind::Run, "A has control").meaning(Kind::Block, "A is blocked");
    Ok(picture.meaning(Kind::Away, "B works elsewhere").meaning(Kind::Wait, "A's thread is free"))
}

/// B, which is elsewhere and answers with a byte when it is done.
fn job(n: usize, recorder: &Recorder) -> io::Result<net::UnixStream> {
    let (near, mut far) = net::UnixStream::pair()?;
    let works = recorder.begin(ROWS[n + 1], Kind::Away, "works");
    thread::spawn(move || {
        thread::sleep(JOBS[n]);
        drop(works);
        far.write_all(b"!")
    });
    Ok(near)
}

fn sync_blocking(recorder: &Recorder) -> io::Result<u64> {
    for n in 0..JOBS.len() {
        let mut answer = job(n, recorder)?;
        let _blocked = recorder.begin("A", Kind::Block, "in read");
        answer.read_exact(&mut [0])?;
    }
    Ok(JOBS.len() as u64)
}

fn sync_nonblocking(recorder: &Recorder) -> io::Result<u64> {
    let mut asked = 0;
    for n in 0..JOBS.len() {
        let mut answer = job(n, recorder)?;
        answer.set_nonblocking(true)?;
        let _asks = recorder.begin("A", Kind::Run, "asks, again and again");
        loop {
            asked += 1; // here a game would draw its loading bar
            match answer.read_exact(&mut [0]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                answered => break answered?,
            }
        }
    }
    Ok(asked)
}

/// A says what is to be done with the answer, and goes on.
fn on_answer(n: usize, recorder: &Recorder) -> io::Result<JoinHandle<io::Result<()>>> {
    let (mut answer, recorder) = (UnixStream::from_std(job(n, recorder)?)?, recorder.clone());
    Ok(evloop::spawn(async move {
        answer.read_exact(&mut [0]).await?;
        recorder.mark(ROWS[n + 1], "callback");
        Ok(())
    }))
}

fn async_blocking(recorder: &Recorder) -> io::Result<u64> {
    let runtime = Runtime::new()?;
    for n in 0..JOBS.len() {
        let answered = runtime.enter(|| on_answer(n, recorder))?;
        let _blocked = recorder.begin("A", Kind::Block, "waits at once");
        runtime.block_on(answered)??;
    }
    Ok(JOBS.len() as u64)
}

fn async_nonblocking(recorder: &Recorder) -> io::Result<u64> {
    evloop::block_on(async {
        let _free = recorder.begin("A", Kind::Wait, "");
        let answered: Vec<_> = (0..JOBS.len()).map(|n| on_answer(n, recorder)).collect::<io::Result<_>>()?;
        let mut frames = evloop::time::interval(Duration::from_millis(20));
        let (mut all, mut drawn) = (pin!(join_all(answered)), 0);
        while let Either::Right(_) = race(all.as_mut(), frames.tick()).await {
            let _draws = recorder.begin("A", Kind::Run, "");
            thread::sleep(Duration::from_millis(2)); // a frame
            drawn += 1;
        }
        Ok(drawn)
    })
}
