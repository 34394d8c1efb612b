//! One listening socket for two loops, or one for each?
//!
//! Two loops in two threads serve 400 connections. First they share one socket, so whoever is free takes the next. Then each
//! has its own on the same port (`SO_REUSEPORT`), and the kernel deals connections out by a hash of their addresses, whatever
//! the loops are doing. What they are doing differs: loop 1 is held half of the time. Look at the slopes, and at the right
//! end of the last panel: who was dealt to the held loop waits, while the other one is free.
//!
//! At the end it says how evenly connections fall where nothing holds a loop. nginx has both ways (`listen ... reuseport`).
//! Change how long loop 1 is held.

use super::Experiment;
use super::measure::{millis, percentiles};
use crate::picture::{Picture, Plot, spoken};
use evloop::future::{Either, race};
use evloop::io::AsyncWrite;
use evloop::net::{ListenOptions, TcpListener as Listener};
use evloop::spawn;
use evloop::sync::oneshot;
use evloop::time::sleep;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: usize = 4;
const CONNECTIONS_EACH: usize = 100;
/// Loop 1 is held for so long, then free for as long.
const HELD: Duration = Duration::from_millis(4);

pub(crate) const EXPERIMENT: Experiment =
    Experiment { name: "accept", about: "one listening socket for two loops, or one each", run };

struct Answer {
    by: usize,
    at: Duration,
    took: Duration,
}

fn run() -> io::Result<Picture> {
    let mut picture = Picture::new("Two loops, one of them held half of the time");
    let mut latencies = Plot::new("from connect to the answer", "% of the connections", "ms, or less").y_in_powers();
    let mut about = Vec::new();
    for (title, shared) in [("one socket", true), ("a socket each", false)] {
        let answers = serve_all(shared, HELD)?;
        let by = |number: usize| answers.iter().filter(move |answer| answer.by == number);
        let curve = |number| by(number).zip(1..).map(|(answer, count)| (millis(answer.at), f64::from(count)));
        let plot = Plot::new(title, "ms since the start", "answered");
        picture = picture.plot(plot.series("loop 1, which is held", curve(1)).series("loop 2", curve(2)));
        let (held, free, all) = (by(1).count(), by(2).count(), answers.len());
        let end = answers.last().map_or(0.0, |last| millis(last.at));
        let took = percentiles(answers.iter().map(|answer| answer.took).collect());
        let [half, most, last] = [50, 90, 100].map(|percent| spoken(took[percent]));
        about.push(format!(
            "{title}: the held loop answered {held} of {all}, the other one {free}, in {end:.0} ms. Half of the clients \
             waited {half} or less, 9 of 10 {most} or less, the last {last}."
        ));
        let evenly = serve_all(shared, Duration::ZERO)?;
        let first = evenly.iter().filter(|answer| answer.by == 1).count();
        about.push(format!("With nothing held, loop 1 answered {first}, loop 2 {}.", evenly.len() - first));
        latencies = latencies.series(title, (0..).zip(took).map(|(percent, took)| (f64::from(percent), millis(took))));
    }
    Ok(picture.about(about.join("\n")).plot(latencies))
}

/// All answers, in the order in which they came.
fn serve_all(shared: bool, held: Duration) -> io::Result<Vec<Answer>> {
    let first = listener("127.0.0.1:0".parse().expect("it is an address"))?;
    let address = first.local_addr()?;
    let second = if shared { first.try_clone()? } else { listener(address)? };
    thread::scope(|scope| {
        let (stop_first, stopped) = oneshot::channel();
        let first = scope.spawn(|| serve(first, 1, held, stopped));
        let (stop_second, stopped) = oneshot::channel();
        let second = scope.spawn(|| serve(second, 2, Duration::ZERO, stopped));
        let began = Instant::now();
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(move || connect(address, began))).collect();
        let answers: io::Result<Vec<_>> =
            clients.into_iter().map(|client| client.join().expect("a client does not panic")).collect();
        drop((stop_first, stop_second));
        first.join().expect("a loop does not panic")?;
        second.join().expect("a loop does not panic")?;
        let mut answers: Vec<Answer> = answers?.into_iter().flatten().collect();
        answers.sort_by_key(|answer| answer.at);
        Ok(answers)
    })
}

/// A listening socket that belongs to no loop yet. Two may have the same port if both say so.
fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    evloop::run(async { ListenOptions::new().reuse_port(true).listen(address)?.into_std() })
}

/// A loop that answers each connection with its number, until it is stopped; beside that, something holds it.
fn serve(listener: TcpListener, number: u8, held: Duration, stopped: oneshot::Receiver<()>) -> io::Result<()> {
    evloop::run(async {
        let listener = Listener::from_std(listener)?;
        drop(spawn(async move {
            while !held.is_zero() {
                sleep(held).await;
                thread::sleep(held); // what nobody should do in a loop
            }
        }));
        let serves = async {
            loop {
                listener.accept().await?.0.write_all(&[number]).await?;
            }
        };
        if let Either::Left(failed) = race(serves, stopped).await { failed } else { Ok(()) }
    })
}

/// One connection after the other.
fn connect(address: SocketAddr, began: Instant) -> io::Result<Vec<Answer>> {
    let connect = |_| {
        let from = Instant::now();
        let mut number = [0];
        TcpStream::connect(address)?.read_exact(&mut number)?;
        Ok(Answer { by: number[0].into(), at: began.elapsed(), took: from.elapsed() })
    };
    (0..CONNECTIONS_EACH).map(connect).collect()
}
