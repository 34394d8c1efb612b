//! How a server without a master is told to stop, and what it tells meanwhile.
//!
//! | signal | what it does |
//! |---|---|
//! | `SIGINT` (Ctrl-C) | no more connections; the requests that have begun are answered, and then it ends |
//! | `SIGTERM` | the same; who idles is kept for a second more, for a request that is on its way |
//! | `SIGHUP` | as `SIGTERM`: there are no workers to replace. One that it was started to ignore, as nohup(1) does, stays ignored |
//! | `SIGQUIT` | it ends at once, requests or not |
//! | a [second](super::second) of these, but `SIGHUP` | it tells what it cuts, and ends at once with status 130, whatever the loops do |
//! | `SIGTTIN`, `SIGTTOU`, `SIGUSR2` | nothing, and a line says so: they are for a master |
//!
//! They are heard on a thread with a loop of its own, which serves nothing. So a loop that a handler blocks keeps nobody from
//! stopping the server, and from being told once a second what it waits for, or at the control socket how it does. Nor does
//! that thread write to the log, which may hang: that is done [beside](super::teller) it.

use super::Config;
use super::alone::Alone;
use super::control::ControlSocket;
use super::lifeline;
use super::loops::IDLE;
use super::notify;
use super::orders::{Order, Orders};
use super::second::{ENDED_BY_SECOND, Meaning, Told};
use super::sockets::Sockets;
use super::teller::{LAST_LINE, Teller};
use super::terminal;
use evloop_runtime::future::{Either, race};
use evloop_runtime::signal::{SignalKind, Signals, signals};
use evloop_runtime::sync::oneshot::{self, Receiver, Sender};
use evloop_runtime::time::{interval, interval_at, now};
use evloop_runtime::{Runtime, TaskBuilder};
use log::Level;
use std::future::pending;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{io, mem, process};

/// How often it is told what the stop waits for.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// After twice the time for a graceful stop, which the requests may take and then the lifespans, for what comes behind.
const FORCE_AFTER: Duration = Duration::from_secs(5);

/// What is to end and does not even say so, for its log hangs, is ended so much later.
pub(super) const SPARE: Duration = Duration::from_secs(2);

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
            teller: Teller::default(),
            began: Instant::now(),
            told: Told::default(),
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
    let hangup = (!terminal::ignores_hangup()).then_some(SignalKind::HANGUP);
    let end = [SignalKind::INTERRUPT, SignalKind::TERMINATE, SignalKind::QUIT];
    let kinds: Vec<_> = end.into_iter().chain(hangup).chain(FOR_MASTERS).collect();
    signals(&kinds)
}

/// What a master is told by, and nobody else.
const FOR_MASTERS: [SignalKind; 3] =
    [SignalKind::TERMINAL_READ, SignalKind::TERMINAL_WRITE, SignalKind::USER_DEFINED_2];

struct Governor {
    orders: Orders,
    alone: Arc<Alone>,
    /// How long a stop waits for requests.
    limit: Option<Duration>,
    teller: Teller,
    began: Instant,
    /// By signals.
    told: Told,
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
        let end = loop {
            match race(&mut is_over, race(hear(&mut signals), self.orders.stopped())).await {
                Either::Left(_) => return,
                Either::Right(Either::Left(signal)) if FOR_MASTERS.contains(&signal) => self.leave(signal),
                Either::Right(Either::Left(signal)) => break Some(signal),
                Either::Right(Either::Right(())) => break None,
            }
        };
        // Before the loops are told, so that one of them is the last to close a place: it takes who waits there. Who comes after
        // that is refused, or is a successor's.
        drop(sockets);
        match end {
            Some(signal) => self.obey(signal),
            None if self.alone.was_ready() => {
                let under_way = self.alone.under_way();
                self.begin_to_stop("", under_way, "");
            }
            None => {} // it fails to start, and whoever started it is told why
        }
        let mut ticks = interval_at(now() + TOLD_EVERY, TOLD_EVERY);
        loop {
            match race(&mut is_over, race(hear(&mut signals), ticks.tick())).await {
                Either::Left(_) => return,
                Either::Right(Either::Left(signal)) => {
                    self.hear_on(signal);
                    ticks.reset();
                }
                Either::Right(Either::Right(_)) => self.tell(),
            }
        }
    }

    /// It has another meaning where there are workers, and here none.
    fn leave(&mut self, signal: SignalKind) {
        self.teller.tell(Level::Warn, format!("{signal} changes nothing: this server has no workers"));
    }

    /// A signal has come while it stops.
    fn hear_on(&mut self, signal: SignalKind) {
        match signal {
            signal if FOR_MASTERS.contains(&signal) => self.leave(signal),
            SignalKind::HANGUP => self.teller.tell(Level::Info, format!("{signal} changes nothing: stopping")),
            signal => self.obey(signal),
        }
    }

    fn obey(&mut self, signal: SignalKind) {
        let order = match (self.told.hear(signal, now().saturating_duration_since(self.began)), signal) {
            (Meaning::Doubled, _) => return,
            (Meaning::Second, _) => self.break_off(signal),
            (Meaning::First, SignalKind::QUIT) => Order::Quit,
            (Meaning::First, SignalKind::INTERRUPT) => Order::Drain { idle: Duration::ZERO },
            (Meaning::First, _) => Order::Drain { idle: IDLE },
        };
        let (quits, under_way) = (matches!(order, Order::Quit), self.alone.under_way());
        if !self.orders.send(order) {
            self.teller.tell(Level::Info, format!("{signal}: stopping already{MORE}"));
        } else if quits {
            lifeline::end_after(QUIT_LIMIT + SPARE, 1);
            self.teller.tell(Level::Info, format!("{signal}: ending at once{}", without(under_way)));
            self.force_at = Some(now() + QUIT_LIMIT);
        } else {
            let why = if signal == SignalKind::HANGUP { ": without workers there is nothing to reload" } else { "" };
            self.begin_to_stop(&format!("{signal}{why}: "), under_way, MORE);
        }
    }

    /// Tells what is cut, and ends the process.
    fn break_off(&mut self, signal: SignalKind) -> ! {
        lifeline::end_after(LAST_LINE, ENDED_BY_SECOND);
        let cut = without(Some(self.alone.under_way().unwrap_or_else(|| APPLICATION.to_owned())));
        self.end(Level::Warn, format!("{signal} once more: ending at once{cut}"), ENDED_BY_SECOND)
    }

    /// With a last line, for which it waits.
    fn end(&mut self, level: Level, text: String, status: u8) -> ! {
        let mut teller = mem::take(&mut self.teller);
        teller.tell(level, text);
        drop(teller);
        process::exit(status.into())
    }

    /// With what was under way when it was told to, and what there is to be said besides.
    fn begin_to_stop(&mut self, why: &str, under_way: Option<String>, besides: &str) {
        self.alone.drains();
        if let Some(limit) = self.limit {
            lifeline::end_after(limit.saturating_mul(2).saturating_add(FORCE_AFTER + SPARE), 1);
        }
        let after = |limit| now().checked_add(limit);
        self.stop_by = self.limit.and_then(after);
        self.force_at = self.limit.and_then(|limit| after(limit.saturating_mul(2).saturating_add(FORCE_AFTER)));
        let at_most = self.limit.map_or_else(String::new, |limit| format!(", for {} s at most", limit.as_secs_f64()));
        let waits = under_way.map_or_else(String::new, |what| format!(", waiting for {what}{at_most}"));
        self.teller.tell(Level::Info, format!("{why}stopping{waits}{besides}"));
        notify::stopping(&format!("stopping{waits}"));
    }

    /// What it waits for still, and for how long yet.
    fn tell(&mut self) {
        let (now, waits) = (now(), self.alone.under_way().unwrap_or_else(|| APPLICATION.to_owned()));
        if self.force_at.is_some_and(|at| at <= now) {
            self.end(Level::Error, format!("ended by force, while waiting for {waits}"), 1);
        }
        let left = self.stop_by.map(|at| at.saturating_duration_since(now).as_secs_f64().ceil());
        let left = left.filter(|left| *left > 0.0).map_or_else(String::new, |left| format!(", {left} s yet"));
        let still = format!("still waiting for {waits}{left}");
        notify::status(&still);
        self.teller.tell(Level::Info, still);
    }
}

/// What a first signal is answered with, besides.
const MORE: &str = "; a second signal ends it at once";

/// What a stop waits for where no client has anything under way.
const APPLICATION: &str = "the application";

/// What is left as it is, if anything.
fn without(under_way: Option<String>) -> String {
    under_way.map_or_else(String::new, |what| format!(", without waiting for {what}"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use evloop_runtime::time;
    use std::task::{Context, Poll, Waker};

    fn is_ready(heard: impl Future<Output = ()>) -> bool {
        Box::pin(heard).as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    /// In a loop whose time stands still.
    fn governed(test: impl FnOnce(Governor, Orders)) {
        let runtime = Runtime::builder().manual_clock().build().unwrap();
        runtime.enter(|| {
            let orders = Orders::default();
            let governor = Governor {
                orders: orders.clone(),
                alone: Arc::new(Alone::new(&Config::new(), Vec::new(), 1)),
                limit: None,
                teller: Teller::default(),
                began: now(),
                told: Told::default(),
                stop_by: None,
                force_at: None,
            };
            test(governor, orders);
        });
    }

    #[test]
    fn doubled_signal_begins_one_stop_and_ends_nothing() {
        for signal in [SignalKind::TERMINATE, SignalKind::INTERRUPT] {
            governed(|mut governor, orders| {
                governor.obey(signal);
                time::advance(Duration::from_millis(199));
                governor.obey(signal); // as a second one it would end this process
                assert!(is_ready(orders.stopped()) && !is_ready(orders.quit()));
            });
        }
    }

    #[test]
    fn signals_for_masters_and_a_late_hang_up_change_nothing() {
        governed(|mut governor, orders| {
            for signal in FOR_MASTERS {
                governor.hear_on(signal);
            }
            assert!(!is_ready(orders.stopped()));
            governor.obey(SignalKind::HANGUP);
            assert!(is_ready(orders.stopped()) && !is_ready(orders.quit()));
            time::advance(Duration::from_secs(1));
            for signal in FOR_MASTERS {
                governor.hear_on(signal);
            }
            governor.hear_on(SignalKind::HANGUP);
            assert!(!is_ready(orders.quit()));
        });
    }

    #[test]
    fn first_signal_in_a_stop_of_its_own_is_no_second_one() {
        governed(|mut governor, orders| {
            orders.send(Order::Drain { idle: Duration::ZERO });
            governor.begin_to_stop("", None, "");
            time::advance(Duration::from_secs(1));
            governor.obey(SignalKind::TERMINATE);
            assert!(!is_ready(orders.quit()));
        });
    }
}
