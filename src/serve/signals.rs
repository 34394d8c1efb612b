//! How a server without a master is told to stop, and what it tells meanwhile.
//!
//! | signal | what it does |
//! |---|---|
//! | `SIGINT` (Ctrl-C) | no more connections; the requests that have begun are answered, and then it ends |
//! | `SIGTERM` | the same; who idles is kept for a second more, for a request that is on its way |
//! | `SIGQUIT` | it ends at once, requests or not |
//! | a second one | it ends at once with status 130, whatever the loops do, for that happens in the signal's handler |
//!
//! They are heard on a thread with a loop of its own, which serves nothing. So a loop that a handler blocks keeps nobody from
//! stopping the server, and from being told once a second what it waits for, or at the control socket how it does.

use super::Config;
use super::alone::Alone;
use super::control::ControlSocket;
use super::lifeline;
use super::loops::IDLE;
use super::notify;
use super::orders::{Order, Orders};
use super::sockets::Sockets;
use evloop_runtime::future::{Either, race};
use evloop_runtime::signal::{SignalKind, Signals, exit_on_second, signals};
use evloop_runtime::sync::oneshot::{self, Receiver, Sender};
use evloop_runtime::time::{interval, interval_at, now};
use evloop_runtime::{Runtime, TaskBuilder};
use std::future::pending;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{io, process};

/// What a process that a signal ended is told by: 128 and the signal's number.
const ENDED_BY_INTERRUPT: i32 = 130;

/// How often it is told what the stop waits for.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// After twice the time for a graceful stop, which the requests may take and then the lifespans, for what comes behind.
const FORCE_AFTER: Duration = Duration::from_secs(5);

/// What is to end and does not even say so, for its log hangs, is ended so much later.
const SPARE: Duration = Duration::from_secs(2);

/// How long loops may take to end at once.
const QUIT_LIMIT: Duration = Duration::from_secs(1);

/// The thread that hears the signals. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Ear {
    /// `None` once the thread is told.
    over: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ear {
    /// Hears the signals from now on. The sockets are given up when a stop begins.
    ///
    /// # Errors
    /// When there are no descriptors, or no thread.
    pub(super) fn new(config: &Config, orders: &Orders, sockets: Sockets, alone: &Arc<Alone>) -> io::Result<Ear> {
        let (over, is_over) = oneshot::channel();
        let (tells, told) = mpsc::sync_channel(1);
        let governor = Governor {
            orders: orders.clone(),
            alone: Arc::clone(alone),
            limit: config.timeout_graceful,
            stop_by: None,
            force_at: None,
        };
        let control = config.control.clone();
        let hear = move || {
            let listen = || io::Result::Ok((listen()?, ControlSocket::open(&control, false)?));
            let begun = Runtime::new().and_then(|runtime| Ok((runtime.enter(listen)?, runtime)));
            let heard = begun.map(|((signals, control), runtime)| {
                drop(tells.send(Ok(())));
                if let Some(control) = control {
                    let alone = Arc::clone(&governor.alone);
                    let serves = control.serve(move || alone.status());
                    drop(runtime.enter(|| TaskBuilder::new().name("control").spawn(serves)));
                }
                runtime.block_on(governor.govern(signals, sockets, is_over));
            });
            if let Err(error) = heard {
                drop(tells.send(Err(error)));
            }
        };
        let thread = thread::Builder::new().name("signals".to_owned()).spawn(hear)?;
        told.recv().expect("the thread says in any case how it has begun")?;
        Ok(Ear { over: Some(over), thread: Some(thread) })
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        drop(self.over.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the thread that hears the signals panicked");
        }
    }
}

fn listen() -> io::Result<Signals> {
    let kinds = [SignalKind::INTERRUPT, SignalKind::TERMINATE, SignalKind::QUIT];
    let heard = signals(&kinds)?;
    exit_on_second(&kinds, ENDED_BY_INTERRUPT)?;
    Ok(heard)
}

struct Governor {
    orders: Orders,
    alone: Arc<Alone>,
    /// How long a stop waits for requests.
    limit: Option<Duration>,
    /// When it waits no longer for them.
    stop_by: Option<Instant>,
    /// When the process is ended though loops of it do not end.
    force_at: Option<Instant>,
}

impl Governor {
    /// Until the loops have ended, which drops the other half of `is_over`.
    async fn govern(mut self, mut signals: Signals, sockets: Sockets, mut is_over: Receiver<()>) {
        if let Some(limit) = notify::watchdog() {
            drop(TaskBuilder::new().name("systemd").spawn(ping(Arc::clone(&self.alone), limit)));
        }
        let heard = race(&mut is_over, race(hear(&mut signals), self.orders.stopped())).await;
        // Before the loops are told, so that one of them is the last to close a place: it takes who waits there. Who comes after
        // that is refused, or is a successor's.
        drop(sockets);
        match heard {
            Either::Left(_) => return,
            Either::Right(Either::Left(signal)) => self.obey(signal),
            Either::Right(Either::Right(())) if self.alone.was_ready() => {
                let under_way = self.alone.under_way();
                self.begin_to_stop("", under_way);
            }
            Either::Right(Either::Right(())) => {} // it fails to start, and whoever started it is told why
        }
        let mut ticks = interval_at(now() + TOLD_EVERY, TOLD_EVERY);
        loop {
            match race(&mut is_over, race(hear(&mut signals), ticks.tick())).await {
                Either::Left(_) => return,
                Either::Right(Either::Left(signal)) => {
                    self.obey(signal);
                    ticks.reset();
                }
                Either::Right(Either::Right(_)) => self.tell(),
            }
        }
    }

    fn obey(&mut self, signal: SignalKind) {
        let order = match signal {
            SignalKind::QUIT => Order::Quit,
            SignalKind::INTERRUPT => Order::Drain { idle: Duration::ZERO },
            _ => Order::Drain { idle: IDLE },
        };
        let (quits, under_way) = (matches!(order, Order::Quit), self.alone.under_way());
        if !self.orders.send(order) {
            return;
        }
        if quits {
            lifeline::end_after(QUIT_LIMIT + SPARE);
            let cut = under_way.map_or_else(String::new, |what| format!(", without waiting for {what}"));
            log::info!("{signal}: ending at once{cut}");
            self.force_at = Some(now() + QUIT_LIMIT);
        } else {
            self.begin_to_stop(&format!("{signal}: "), under_way);
        }
    }

    /// With what was under way when it was told to.
    fn begin_to_stop(&mut self, why: &str, under_way: Option<String>) {
        self.alone.drains();
        if let Some(limit) = self.limit {
            lifeline::end_after(limit.saturating_mul(2).saturating_add(FORCE_AFTER + SPARE));
        }
        let after = |limit| now().checked_add(limit);
        self.stop_by = self.limit.and_then(after);
        self.force_at = self.limit.and_then(|limit| after(limit.saturating_mul(2).saturating_add(FORCE_AFTER)));
        let at_most = self.limit.map_or_else(String::new, |limit| format!(", for {} s at most", limit.as_secs_f64()));
        let waits = under_way.map_or_else(String::new, |what| format!(", waiting for {what}{at_most}"));
        log::info!("{why}stopping{waits}; one signal more ends it at once");
        notify::stopping(&format!("stopping{waits}"));
    }

    /// What it waits for still, and for how long yet.
    fn tell(&self) {
        let (now, waits) = (now(), self.alone.under_way().unwrap_or_else(|| "the application".to_owned()));
        if self.force_at.is_some_and(|at| at <= now) {
            log::error!("ended by force, while waiting for {waits}");
            process::exit(1);
        }
        let left = self.stop_by.map(|at| at.saturating_duration_since(now).as_secs_f64().ceil());
        let left = left.filter(|left| *left > 0.0).map_or_else(String::new, |left| format!(", {left} s yet"));
        let still = format!("still waiting for {waits}{left}");
        log::info!("{still}");
        notify::status(&still);
    }
}

/// The next signal.
async fn hear(signals: &mut Signals) -> SignalKind {
    match signals.recv().await {
        Ok(signal) => signal,
        Err(error) => {
            log::error!("signals are not heard any more: {error}");
            pending().await
        }
    }
}

/// Tells systemd that the loops turn, for as long as all of them do, twice as often as it wants to hear it.
async fn ping(alone: Arc<Alone>, limit: Duration) {
    let mut ticks = interval(limit / 2);
    loop {
        ticks.tick().await;
        if alone.have_all_beaten() {
            notify::alive();
        }
    }
}
