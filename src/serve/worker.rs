//! The worker's side: it is given its sockets by a master, serves, and tells that master how it does.
//!
//! Its loops serve and do nothing else. All that passes between the two goes through one more thread, the master's *ear*,
//! which has a loop of its own: so a worker whose loops hang still hears that it is to end. Beats come from the loops all the
//! same, and what a loop has to tell goes to the ear by a channel; where a master does not read, beats are dropped.
//!
//! # Why no worker outlives its master
//! The other end of the channel is the master's alone. Whatever ends the master, the kernel closes it, the worker sees the
//! end, finishes what it has begun, and is ended by its ear if that takes too long. One that is stopped (`SIGSTOP`) would see
//! nothing, so it has the kernel send it `SIGCONT` when its master dies (`PR_SET_PDEATHSIG`, prctl(2)).
//!
//! # Signals
//! `SIGTERM` has it finish, with another in its place; `SIGQUIT` ends it. `SIGINT` and `SIGHUP`, which a terminal sends to all
//! of its processes, and what else is meant for the master, are left to the master.

use super::channel::{self, FromWorker, Inbox, ToWorker, Why};
use super::descriptors;
use super::lifeline;
use super::loops::{self, Supervisor};
use super::orders::{Order, Orders};
use super::role;
use super::sockets::Socket;
use super::status::LoopBeat;
use super::{Config, Error, Instance};
use evloop_http::access_log::set_worker;
use evloop_http::asgi::App;
use evloop_runtime::net::UnixStream;
use evloop_runtime::observe::SlowPoll;
use evloop_runtime::signal::{SignalKind, Signals, signals};
use evloop_runtime::sync::remote;
use evloop_runtime::time::{Sleep, sleep};
use evloop_runtime::{Runtime, TaskBuilder, select};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::set_name;
use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;
use std::{io, process, thread};

/// Under what name a worker logs what it hears.
const TARGET: &str = "evloop::worker";

/// Where more messages wait for the master, it is not told how loops do; a loop has one such message a second.
const OUTBOX_MAX: usize = 256;

/// So long after the time for a graceful stop, a worker without a master is ended by force.
const FORCE_AFTER: Duration = Duration::from_secs(5);

/// The graceful stop of a worker without a master, where it may else take as long as it likes.
const GRACEFUL: Duration = Duration::from_secs(10);

/// How long loops may take to end at once.
const QUIT_LIMIT: Duration = Duration::from_secs(1);

/// What is to end and does not even say so, for its log hangs, is ended so much later.
const SPARE: Duration = Duration::from_secs(1);

/// How long the last words may take on their way.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// For how long those that idle are kept, for a request that is on its way.
const IDLE: Duration = Duration::from_secs(1);

/// Serves as the worker of that number until it is told to end, and then ends the process: what a program does after it has
/// served is the master's, and would else be done by each worker.
///
/// # Errors
/// When it cannot talk with its master. Why its loops have failed the master is told, and tells.
pub(super) fn run<A, F>(number: usize, config: &Config, make: &F) -> Result<Infallible, Error>
where
    A: App,
    F: Fn(&Instance) -> io::Result<A> + Sync,
{
    set_parent_process_death_signal(Some(Signal::CONT)).map_err(io::Error::from)?;
    take_name();
    set_worker(number);
    let channel = role::take_channel()?;
    let orders = Orders::default();
    let (outbox, mail) = remote::unbounded();
    let (begin, begins) = mpsc::channel();
    let (wrote, written) = mpsc::channel();
    let (orders_of_ear, outbox_of_ear) = (orders.clone(), outbox.clone());
    let graceful = config.timeout_graceful.unwrap_or(GRACEFUL);
    let threads = config.threads.max(1);
    let hear = move || {
        let ear = Ear {
            orders: orders_of_ear,
            outbox: outbox_of_ear,
            begin: Some(begin),
            sockets: (0..threads).map(|_| Vec::new()).collect(),
            force: None,
        };
        match catch_unwind(AssertUnwindSafe(|| ear.run(channel, mail, wrote, graceful))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log::error!(target: TARGET, "cannot talk with the master: {error}"),
            Err(_) => log::error!(target: TARGET, "the master's ear panicked"),
        }
        process::exit(1) // without an ear it could outlive its master
    };
    drop(thread::Builder::new().name("master's ear".to_owned()).spawn(hear)?);
    let Ok(sockets) = begins.recv() else { process::exit(0) }; // it was told to end before it was told to begin
    let supervisor: Arc<dyn Supervisor> = Arc::new(Reporter(outbox.clone()));
    let ended = loops::run(config, Some(number), sockets, make, &orders, &supervisor);
    let (last, status) = match ended {
        Ok(cut) => (FromWorker::Ended { cut }, 0),
        Err(error) => {
            let error = descriptors::explain(error, config);
            (FromWorker::Failed { text: error.to_string(), status: error.status() }, error.status())
        }
    };
    if outbox.send(last).is_ok() {
        let _in_time = written.recv_timeout(LAST_WORDS);
    }
    process::exit(status.into())
}

/// Has `ps` call this process by the program's name: it was started from `/proc/self/exe`, and would be an `exe`.
fn take_name() {
    let program = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&program).file_name().and_then(|name| CString::new(name.as_bytes()).ok());
    if let Some(error) = name.and_then(|name| set_name(&name).err()) {
        log::debug!("cannot take its name: {error}");
    }
}

/// Tells the master what loops tell.
struct Reporter(remote::UnboundedSender<FromWorker>);

impl Reporter {
    /// What the master has to know: each of these comes once.
    fn tell(&self, message: FromWorker) {
        drop(self.0.send(message));
    }

    /// How a loop does. A master that does not read for minutes, or an ear that gets no time while hundreds of loops start,
    /// misses something, and no loop waits for them.
    fn mention(&self, message: FromWorker) {
        if self.0.len() < OUTBOX_MAX {
            self.tell(message);
        }
    }
}

impl Supervisor for Reporter {
    fn ready(&self) {
        self.tell(FromWorker::Ready);
    }

    fn beat(&self, thread: usize, beat: LoopBeat) {
        self.mention(FromWorker::Beat { thread, beat });
    }

    fn slow(&self, thread: usize, slow: &SlowPoll) {
        self.mention(FromWorker::Slow { thread, text: slow.to_string(), over: slow.over });
    }

    fn retiring(&self, requests: u64) {
        self.tell(FromWorker::Retiring(Why::Requests(requests)));
    }
}

/// The thread between the master and the loops.
struct Ear {
    orders: Orders,
    outbox: remote::UnboundedSender<FromWorker>,
    /// Who waits to be told to begin.
    begin: Option<mpsc::Sender<Vec<Vec<Socket>>>>,
    /// For each loop, those that have come until it begins.
    sockets: Vec<Vec<Socket>>,
    /// When the process is ended, whatever its loops do.
    force: Option<Sleep>,
}

impl Ear {
    fn run(
        self,
        channel: OwnedFd,
        mail: remote::UnboundedReceiver<FromWorker>,
        wrote: mpsc::Sender<()>,
        graceful: Duration,
    ) -> io::Result<()> {
        Runtime::new()?.block_on(async {
            let signals = signals(&[
                SignalKind::TERMINATE,
                SignalKind::QUIT,
                SignalKind::INTERRUPT,
                SignalKind::HANGUP,
                SignalKind::USER_DEFINED_1,
                SignalKind::USER_DEFINED_2,
                SignalKind::TERMINAL_READ,
                SignalKind::TERMINAL_WRITE,
            ])?;
            let stream = role::on_loop(channel)?;
            let writer = write(Rc::clone(&stream), mail, wrote);
            drop(TaskBuilder::new().name("mouth").spawn(writer));
            self.hear(Inbox::new(stream), signals, graceful).await
        })
    }

    /// Hears until the process ends.
    async fn hear(mut self, mut inbox: Inbox, mut signals: Signals, graceful: Duration) -> io::Result<()> {
        let mut has_master = true;
        loop {
            let force = async {
                match &mut self.force {
                    Some(force) => force.await,
                    None => std::future::pending().await,
                }
            };
            select! {
                () = force => {
                    log::error!(target: TARGET, "ended by force: its loops do not end");
                    process::exit(1);
                }
                come = inbox.recv(), if has_master => match come {
                    Ok(Some((message, sockets))) => self.obey(message, sockets)?,
                    ended => {
                        has_master = false;
                        self.lose_master(ended.err(), graceful);
                    }
                },
                signal = signals.recv() => match signal? {
                    SignalKind::TERMINATE => self.retire(),
                    SignalKind::QUIT => self.quit(),
                    _ => {}
                },
            }
        }
    }

    fn obey(&mut self, message: ToWorker, sockets: Vec<OwnedFd>) -> io::Result<()> {
        match message {
            ToWorker::Sockets(loops) => {
                let sockets: Vec<Socket> = sockets.into_iter().map(Socket::try_from).collect::<io::Result<_>>()?;
                if self.begin.is_none() {
                    self.orders.send(Order::Adopt(sockets));
                    return Ok(());
                }
                for (of_loop, socket) in loops.into_iter().zip(sockets) {
                    let place = self.sockets.get_mut(of_loop);
                    place.ok_or_else(|| io::Error::other(format!("there is no loop {of_loop}")))?.push(socket);
                }
            }
            ToWorker::Serve => {
                if let Some(begin) = self.begin.take() {
                    drop(begin.send(std::mem::take(&mut self.sockets)));
                }
            }
            ToWorker::Drain { idle_ms } => self.drain(Duration::from_millis(idle_ms)),
            ToWorker::Quit => self.quit(),
        }
        Ok(())
    }

    fn drain(&mut self, idle: Duration) {
        self.begin = None; // it need not begin any more
        self.orders.send(Order::Drain { idle });
    }

    /// Somebody has sent `SIGTERM`.
    fn retire(&mut self) {
        drop(self.outbox.send(FromWorker::Retiring(Why::Terminated)));
        self.drain(IDLE);
    }

    fn quit(&mut self) {
        lifeline::end_after(QUIT_LIMIT + SPARE, 1);
        self.begin = None;
        self.orders.send(Order::Quit);
        self.force = Some(sleep(QUIT_LIMIT));
    }

    fn lose_master(&mut self, error: Option<io::Error>, graceful: Duration) {
        let limit = graceful.saturating_add(FORCE_AFTER);
        lifeline::end_after(limit.saturating_add(SPARE), 1);
        self.drain(IDLE);
        match error {
            Some(error) => log::error!(target: TARGET, "finishing what has begun: {error}"),
            None => log::warn!(target: TARGET, "the master is gone: finishing what has begun"),
        }
        self.force.get_or_insert_with(|| sleep(limit));
    }
}

/// Writes to the master what comes; tells when the last words are written.
async fn write(stream: Rc<UnixStream>, mut mail: remote::UnboundedReceiver<FromWorker>, wrote: mpsc::Sender<()>) {
    while let Some(message) = mail.recv().await {
        let is_last = matches!(message, FromWorker::Ended { .. } | FromWorker::Failed { .. });
        if channel::send(&stream, &message, &[]).await.is_err() {
            return; // the master is gone, as the ear hears
        }
        if is_last {
            let _heard = wrote.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_that_it_is_ready_is_not_lost_among_many_beats() {
        let (outbox, mail) = remote::unbounded();
        let reporter = Reporter(outbox);
        let beat = |thread| reporter.mention(FromWorker::Slow { thread, text: String::new(), over: true });
        (0..OUTBOX_MAX * 2).for_each(beat);
        assert_eq!(mail.len(), OUTBOX_MAX, "who does not read is not told all");
        reporter.ready();
        reporter.retiring(1);
        assert_eq!(mail.len(), OUTBOX_MAX + 2);
    }
}
