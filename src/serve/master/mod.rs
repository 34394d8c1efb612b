//! The master: it holds the sockets, starts the workers, looks after them, and serves nothing itself.
//!
//! It is one loop with one task that decides. What has happened comes to it one after the other, a signal, a word of a
//! worker, the end of a process, a deadline; each is dealt with to its end before the next is looked at.
//!
//! | file | what it is |
//! |---|---|
//! | `fleet.rs` | the workers as a machine: what has happened goes in, what is to be done comes out |
//! | `policy.rs` | how long the place of a worker that died stays empty |
//! | `governor.rs` | the deeds: processes, sockets, what is told |
//! | `child.rs` | a process and the channel with it |
//! | `row.rs` | what a worker has told of itself |
//! | `program.rs` | what is started |
//! | `upgrade.rs` | a new binary takes over |
//! | `clock.rs` | time as far as the master has seen it |
//!
//! # Signals
//! | signal | what it does |
//! |---|---|
//! | `SIGTERM`, `SIGINT` | all workers finish what they have begun, and it ends; a second one ends it at once, with status 130 |
//! | `SIGQUIT` | it ends at once |
//! | `SIGHUP` | the workers are replaced one by one, each once its successor serves; as `SIGTERM` if the [terminal](super::terminal) is gone |
//! | `SIGTTIN`, `SIGTTOU` | one worker more, one less |
//! | `SIGUSR1` | passed on to all workers |
//! | `SIGUSR2` | a [new binary](upgrade) takes over |
//!
//! They are gunicorn's. Two are better here: with gunicorn `SIGINT` is as `SIGQUIT`, and after `SIGUSR2` the operator is to
//! end the old master, and to see to it that there is a new one.
//!
//! # Nothing is inherited
//! A worker is started by `posix_spawn` from the binary, not forked off a loop that runs. It has three descriptors: the
//! channel, the standard output and the standard error. Its sockets come over the channel.

mod child;
mod clock;
mod fleet;
mod governor;
mod policy;
mod program;
mod row;
mod upgrade;

use super::config::Config;
use super::control::ControlSocket;
use super::error::Error;
use super::notify;
use super::pid_file::PidFile;
use super::role::Role;
use super::second::ENDED_BY_SECOND;
use super::sockets::Sockets;
use super::terminal::Terminal;
use evloop_runtime::signal::{SignalKind, Signals, signals};
use evloop_runtime::sync::mpsc;
use evloop_runtime::time::{interval, sleep};
use evloop_runtime::{AbortOnDrop, Runtime, TaskBuilder, select};
use fleet::{Fleet, IDLE, Outcome, Rules};
use governor::{Governor, News, count};
use program::Program;
use std::cell::RefCell;
use std::io::{self, Write};
use std::process;
use std::rc::Rc;
use std::time::Duration;
use upgrade::{FromOld, Heir, Inheritance};

/// Under what name a master logs.
const TARGET: &str = "evloop::master";

/// How many news may wait. Who has more waits.
const NEWS_MAX: usize = 256;

/// Governs so many workers as the configuration says, until it is told to end.
///
/// # Errors
/// When it cannot listen, with status 1; when no worker can start, with status 3; when it was told twice to end, with 130.
pub(super) fn run(config: &Config) -> Result<(), Error> {
    let (program, terminal) = (Program::of_this_process()?, Terminal::of_this_process());
    let sockets = Sockets::open(config)?;
    let pid_file = config.pid_file.as_deref().map(PidFile::create).transpose()?;
    Runtime::new()?.block_on(async {
        let (fleet, news) = (fleet_of(config, config.workers), mpsc::channel(NEWS_MAX));
        let governor = Governor::new(config.clone(), program, terminal, sockets, fleet, news.0);
        let mut master = Master::new(governor, news.1)?;
        master.only_once.pid_file = pid_file;
        master.open_control()?;
        master.govern().await
    })
}

/// Takes over from the master that has started this process, and then governs in its place.
///
/// # Errors
/// As [`run`].
pub(super) fn succeed(config: &Config) -> Result<(), Error> {
    let (program, terminal) = (Program::of_this_process()?, Terminal::of_this_process());
    Runtime::new()?.block_on(async {
        let mut inheritance = Inheritance::new()?;
        let (sockets, workers, opened) = inheritance.receive(config).await?;
        let (fleet, news) = (fleet_of(config, workers), mpsc::channel(NEWS_MAX));
        let heir = inheritance.attend(news.0.clone());
        let mut governor = Governor::new(config.clone(), program, terminal, sockets, fleet, news.0);
        governor.inherit(opened);
        let mut master = Master::new(governor, news.1)?;
        master.heir = Some(heir);
        let governed = master.govern().await;
        if let (Err(error), Some(heir)) = (&governed, master.heir.take()) {
            heir.fail(error.to_string()).await;
        }
        governed
    })
}

fn fleet_of(config: &Config, workers: usize) -> Fleet {
    let rules = Rules {
        threads: config.threads.max(1),
        silence: config.timeout_worker,
        start: config.timeout_worker_start,
        graceful: config.timeout_graceful,
    };
    Fleet::new(rules, workers)
}

/// What one master can have at a time.
#[derive(Debug, Default)]
struct OnlyOnce {
    pid_file: Option<PidFile>,
    control: Option<AbortOnDrop<()>>,
}

struct Master {
    governor: Rc<RefCell<Governor>>,
    news: mpsc::Receiver<News>,
    signals: Signals,
    only_once: OnlyOnce,
    /// There while another master governs still.
    heir: Option<Heir>,
    announced: bool,
    /// systemd was told that workers are being replaced.
    reloads: bool,
}

impl Master {
    fn new(governor: Governor, news: mpsc::Receiver<News>) -> io::Result<Master> {
        let signals = signals(&[
            SignalKind::TERMINATE,
            SignalKind::INTERRUPT,
            SignalKind::QUIT,
            SignalKind::HANGUP,
            SignalKind::TERMINAL_READ,
            SignalKind::TERMINAL_WRITE,
            SignalKind::USER_DEFINED_1,
            SignalKind::USER_DEFINED_2,
        ])?;
        let governor = Rc::new(RefCell::new(governor));
        Ok(Master {
            governor,
            news,
            signals,
            only_once: OnlyOnce::default(),
            heir: None,
            announced: false,
            reloads: false,
        })
    }

    fn open_control(&mut self) -> io::Result<()> {
        let Some(control) = ControlSocket::open(&self.governor.borrow().config.control, true)? else { return Ok(()) };
        log::info!(target: TARGET, "control socket: {}", control.path().display());
        let governor = Rc::clone(&self.governor);
        let serve = control.serve(move || governor.borrow().status());
        self.only_once.control = Some(TaskBuilder::new().name("control").spawn(serve).abort_on_drop());
        Ok(())
    }

    async fn govern(&mut self) -> Result<(), Error> {
        if let Some(limit) = notify::watchdog() {
            drop(TaskBuilder::new().name("systemd").spawn(ping(limit)));
        }
        let outcome = loop {
            self.governor.borrow_mut().go_on();
            // What was heard comes first: a deadline may be over because it is.
            if self.news.is_empty() {
                self.governor.borrow_mut().tick();
                self.see_how_it_stands();
                self.governor.borrow_mut().go_on();
                if let Some(outcome) = self.outcome() {
                    break outcome;
                }
            }
            let pause = self.governor.borrow().pause();
            select! {
                signal = self.signals.recv() => self.governor.borrow_mut().obey(signal?),
                Some(news) = self.news.recv() => self.hear(news),
                () = sleep(pause) => {}
            }
        };
        self.only_once = OnlyOnce::default();
        match outcome {
            Outcome::Stopped => {
                log::info!(target: TARGET, "stopped");
                Ok(())
            }
            Outcome::Broken => Err(Error::with_status(ENDED_BY_SECOND, "ended at once, as it was told twice")),
            Outcome::Failed(text) => Err(Error::with_status(3, text)),
        }
    }

    fn outcome(&self) -> Option<Outcome> {
        let governor = self.governor.borrow();
        governor.fleet.outcome(governor.clock.now()).filter(|_| !governor.has_successor())
    }

    fn hear(&mut self, news: News) {
        let News::Old(heard) = news else {
            self.governor.borrow_mut().hear(news);
            return;
        };
        if self.governor.borrow().fleet.is_stopping() {
            return;
        }
        let is_ready = self.heir.as_ref().is_some_and(|heir| heir.is_ready);
        match heard {
            FromOld::Yours => self.inherit(),
            FromOld::Gone if is_ready => self.inherit(),
            FromOld::Finish => self.governor.borrow_mut().stop("the old master stops", IDLE, ""),
            FromOld::Gone if self.heir.is_some() => {
                log::error!(target: TARGET, "the old master has ended before this one was ready");
                self.governor.borrow_mut().stop("there is no old master", IDLE, "");
            }
            FromOld::Gone => {} // as it was to
        }
    }

    /// The other master governs no more. What cannot be had of it is told, and done without.
    fn inherit(&mut self) {
        self.heir = None;
        self.governor.borrow_mut().leaves_files = false;
        let pid_file = self.governor.borrow().config.pid_file.clone();
        let take_over = |path| PidFile::take_over(path, Role::given_by());
        match pid_file.as_deref().map(take_over).transpose() {
            Ok(pid_file) => self.only_once.pid_file = pid_file,
            Err(error) => log::error!(target: TARGET, "{error}"),
        }
        if let Err(error) = self.open_control() {
            log::error!(target: TARGET, "{error}");
        }
        self.announce();
    }

    fn see_how_it_stands(&mut self) {
        let (complete, rolled, yields) = {
            let governor = self.governor.borrow();
            let fleet = &governor.fleet;
            let rolled = self.reloads && !fleet.is_rolling() && !fleet.is_stopping();
            (fleet.is_complete() && !fleet.is_stopping(), rolled, governor.yields)
        };
        if complete && !self.announced {
            self.announced = true;
            match &mut self.heir {
                Some(heir) => heir.ready(),
                None => self.announce(),
            }
        }
        if rolled {
            notify::ready(&self.serves());
        }
        self.reloads = self.governor.borrow().fleet.is_rolling();
        if yields {
            self.only_once = OnlyOnce::default();
            self.governor.borrow_mut().hand_over();
        }
    }

    /// Says that it serves, where, and how to end it.
    fn announce(&self) {
        let (serves, pid) = (self.serves(), process::id());
        say(&format!("evloop {serves}, master in process {pid} (Ctrl-C ends it)\n"));
        notify::ready(&serves);
    }

    fn serves(&self) -> String {
        let governor = self.governor.borrow();
        format!("serves {} with {}", governor.places.join(", "), count(governor.fleet.wanted(), "worker"))
    }
}

/// Tells systemd that the master's loop turns.
async fn ping(limit: Duration) {
    let mut ticks = interval(limit / 4);
    loop {
        ticks.tick().await;
        notify::alive();
    }
}

/// Writes to the standard output, which may be closed; then nobody wants to know.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}
