//! The generator's own loop: each connection sends a batch of requests, and the next when all its answers have come, on the
//! same connection or, where a scenario is about that, on a new one.

use super::connection::{Connection, Progress, RECV_BYTES_MAX};
use super::window::Window;
use super::{Ask, Outcome, wrong};
use crate::servers::answers::Scenario;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

/// How long nothing may happen before it is a failure, in seconds.
const PATIENCE_SECONDS: i64 = 20;

/// How many events one wait can bring.
const EVENTS_MAX: usize = 1024;

/// New connections come from 127.0.0.2 to 127.0.0.251 in turn: an address has 28,000 ports, each of which stays taken for a
/// minute after its connection.
const SOURCES: std::ops::RangeInclusive<u8> = 2..=251;

/// Asks until the window closes.
///
/// # Errors
///
/// That the server does not answer as it should.
pub(super) fn run(ask: &Ask, scenario: &Scenario) -> io::Result<Outcome> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    let mut load = Load::new(ask, scenario)?;
    let mut connections = Vec::with_capacity(scenario.connections);
    for index in 0..scenario.connections {
        connections.push(load.open(&epoll, index, index % load.batches.len())?);
    }
    let mut window = Window::new(ask)?;
    let mut asking = 0;
    for connection in &mut connections {
        asking += usize::from(load.ask(connection, &mut window)?);
    }
    let mut events = Vec::with_capacity(EVENTS_MAX);
    let mut scratch = vec![0; RECV_BYTES_MAX];
    let good = scenario.protocol.good();
    while asking > 0 {
        wait(&epoll, &mut events)?;
        for event in &events {
            let index = usize::try_from(event.data.u64()).expect("it was an index");
            let connection = &mut connections[index];
            if connection.turn(&load.batches[connection.batch], good, &mut scratch)? == Progress::Waits {
                continue;
            }
            let now = Instant::now();
            window.count(load.depth, now, connection.since)?;
            if window.is_over(now) {
                return window.close();
            }
            let next = (connection.batch + 1) % load.batches.len();
            if scenario.fresh {
                *connection = load.open(&epoll, index, next)?;
            } else {
                (connection.since, connection.batch) = (now, next);
            }
            asking -= usize::from(!load.ask(connection, &mut window)?);
        }
    }
    window.close()
}

/// Waits until connections are ready for something.
fn wait(epoll: &OwnedFd, events: &mut Vec<epoll::Event>) -> io::Result<()> {
    let patience = Timespec { tv_sec: PATIENCE_SECONDS, tv_nsec: 0 };
    events.clear();
    match epoll::wait(epoll, spare_capacity(events), Some(&patience)) {
        Ok(0) => Err(wrong(format!("no answer for {PATIENCE_SECONDS} seconds"))),
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What is asked, made beforehand.
#[derive(Debug)]
struct Load {
    port: u16,
    /// Requests as they are sent in one piece; the exchanges of the scenario in turn.
    batches: Vec<Vec<u8>>,
    /// How many requests are in a batch.
    depth: u64,
    /// How many bytes answer a batch.
    answers: usize,
    /// The addresses of new connections, without end; none where connections are kept.
    sources: Option<std::iter::Cycle<std::ops::RangeInclusive<u8>>>,
}

impl Load {
    fn new(ask: &Ask, scenario: &Scenario) -> io::Result<Self> {
        let exchanges = (scenario.exchanges)();
        if exchanges.is_empty() || ask.answer_bytes == 0 {
            return Err(wrong("nothing is asked"));
        }
        let batch = |first| exchanges.iter().cycle().skip(first).take(scenario.depth);
        let batches = (0..exchanges.len())
            .map(|first| batch(first).flat_map(|exchange| exchange.request.iter().copied()).collect())
            .collect();
        let answers = ask.answer_bytes * scenario.depth;
        let sources = scenario.fresh.then(|| SOURCES.cycle());
        Ok(Self { port: ask.port, batches, depth: scenario.depth as u64, answers, sources })
    }

    /// A connection that is watched on both of its sides, at their edges.
    fn open(&mut self, epoll: &OwnedFd, index: usize, batch: usize) -> io::Result<Connection> {
        let source = self.sources.as_mut().and_then(Iterator::next);
        let connection = Connection::open(self.port, source, batch)?;
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        epoll::add(epoll, &connection.socket, EventData::new_u64(index as u64), flags)?;
        Ok(connection)
    }

    /// Sends the connection's batch, if more is to be asked.
    fn ask(&self, connection: &mut Connection, window: &mut Window) -> io::Result<bool> {
        let more = window.takes(self.depth);
        if more {
            connection.ask(&self.batches[connection.batch], self.answers)?;
        }
        Ok(more)
    }
}
