//! A new binary takes over: `SIGUSR2`.
//!
//! The old master starts what is at the path of its binary now, as its *successor*, and hands it all sockets. The successor
//! starts workers of its own, and says when all of them serve: from then on there are two of each. Then the old master gives
//! up what can be had only once (the pid file, the control socket, the duty to remove the files of sockets, its place with
//! systemd), has its workers finish, and ends. So no client meets a closed port at any moment.
//!
//! ```text
//!   old master                          successor
//!     │ Sockets.. TakeOver{workers}        │
//!     ├───────────────────────────────────▶│ starts its workers
//!     │                              Ready │
//!     │◀───────────────────────────────────┤ all of them serve
//!     │ Yours                              │
//!     ├───────────────────────────────────▶│ pid file, control socket
//!     │ drains its workers, ends           │ governs
//! ```
//!
//! With gunicorn and nginx the operator tells the old master to end; here a new one that does not come up ends by itself or is
//! ended, the old one goes on, and there is nothing to be done by hand.
//!
//! If the old master dies before it has said `Yours`, a successor that is ready governs, and one that is not ends: it is part
//! of what was killed.

use super::child::{Child, Heard};
use super::fleet::Moment;
use super::governor::News;
use super::program::Program;
use crate::serve::channel::{self, FromSuccessor, Inbox, SOCKETS_PER_MESSAGE, ToSuccessor};
use crate::serve::config::Config;
use crate::serve::error::Error;
use crate::serve::role;
use crate::serve::sockets::{Handed, Socket, Sockets};
use evloop_runtime::TaskBuilder;
use evloop_runtime::net::UnixStream;
use evloop_runtime::sync::mpsc;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The successor starts, until then at most.
    Begun { until: Option<Moment> },
    /// It was told to end, and is killed then.
    Failed { kill_at: Moment },
    /// It governs.
    Done,
}

/// The old master's side.
#[derive(Debug)]
pub(super) struct Upgrade {
    pub(super) child: Child<ToSuccessor>,
    pub(super) stage: Stage,
    /// Why it ends, in its own words.
    pub(super) failure: Option<String>,
}

impl Upgrade {
    /// Starts a successor.
    ///
    /// # Errors
    /// Why it cannot be started.
    pub(super) fn begin(
        program: &Program,
        sockets: &Sockets,
        (workers, opened): (usize, usize),
        news: mpsc::Sender<News>,
        until: Option<Moment>,
    ) -> io::Result<Upgrade> {
        let mut handed = sockets.hand_over()?.into_iter().peekable();
        let child = Child::start(program.successor(), "successor", news, News::Successor)?;
        while handed.peek().is_some() {
            let some = handed.by_ref().take(SOCKETS_PER_MESSAGE);
            let (tags, sockets) = some.map(|one| ((one.place, one.own, one.file), OwnedFd::from(one.socket))).unzip();
            child.tell(ToSuccessor::Sockets(tags), sockets);
        }
        child.tell(ToSuccessor::TakeOver { workers, opened }, Vec::new());
        Ok(Upgrade { child, stage: Stage::Begun { until }, failure: None })
    }

    /// Tells it to end. Not by a signal: a terminal may have sent it one already, and a second means more.
    pub(super) fn finish(&mut self, kill_at: Moment) {
        self.child.tell(ToSuccessor::Finish, Vec::new());
        self.stage = Stage::Failed { kill_at };
    }
}

/// What is heard of the old master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FromOld {
    Yours,
    Finish,
    Gone,
}

/// The successor's side.
#[derive(Debug)]
pub(super) struct Inheritance {
    stream: Rc<UnixStream>,
    inbox: Inbox,
}

impl Inheritance {
    /// Takes the connection with the old master.
    ///
    /// # Errors
    /// When there are no descriptors.
    ///
    /// # Panics
    /// When this thread is in no loop.
    pub(super) fn new() -> io::Result<Inheritance> {
        let stream = role::on_loop(role::take_channel()?)?;
        Ok(Inheritance { inbox: Inbox::new(Rc::clone(&stream)), stream })
    }

    /// Receives the sockets, how many workers there are to be, and for how many there are sockets of their own.
    ///
    /// # Errors
    /// When the old master ends before it has said all, or what it says makes no sense.
    pub(super) async fn receive(&mut self, config: &Config) -> Result<(Sockets, usize, usize), Error> {
        let mut handed = Vec::new();
        loop {
            match self.inbox.recv().await? {
                Some((ToSuccessor::Sockets(tags), sockets)) => {
                    for ((place, own, file), socket) in tags.into_iter().zip(sockets) {
                        handed.push(Handed { place, own, file, socket: Socket::try_from(socket)? });
                    }
                }
                Some((ToSuccessor::TakeOver { workers, opened }, _)) => {
                    if !(1..=Config::WORKERS_MAX).contains(&workers) || opened > Config::WORKERS_MAX {
                        let most = Config::WORKERS_MAX;
                        let text = format!(
                            "the old master has {workers} workers, and sockets for {opened}; at most there are {most}"
                        );
                        return Err(Error::told(text));
                    }
                    return Ok((Sockets::take_over(config, handed)?, workers, opened));
                }
                Some((ToSuccessor::Yours | ToSuccessor::Finish, _)) | None => {
                    return Err(Error::told("the old master ended before all was handed over"));
                }
            }
        }
    }

    /// Hears the old master out, and gives what leads to it.
    pub(super) fn attend(self, news: mpsc::Sender<News>) -> Heir {
        let Inheritance { stream, mut inbox } = self;
        let hear = async move {
            loop {
                let heard = match inbox.recv().await {
                    Ok(Some((ToSuccessor::Yours, _))) => FromOld::Yours,
                    Ok(Some((ToSuccessor::Finish, _))) => FromOld::Finish,
                    _ => FromOld::Gone,
                };
                if news.send(News::Old(heard)).await.is_err() || heard == FromOld::Gone {
                    return;
                }
            }
        };
        drop(TaskBuilder::new().name("old master").spawn(hear));
        Heir { stream, is_ready: false }
    }
}

/// A successor that does not govern yet.
#[derive(Debug)]
pub(super) struct Heir {
    stream: Rc<UnixStream>,
    /// It has said so.
    pub(super) is_ready: bool,
}

impl Heir {
    /// Tells the old master that all workers serve.
    pub(super) fn ready(&mut self) {
        self.is_ready = true;
        self.tell(FromSuccessor::Ready);
    }

    fn tell(&self, message: FromSuccessor) {
        let stream = Rc::clone(&self.stream);
        let tell = async move { drop(channel::send(&stream, &message, &[]).await) }; // if it is gone, that is heard
        drop(TaskBuilder::new().name("heir").spawn(tell));
    }

    /// Tells the old master, in the end, why there is no successor.
    pub(super) async fn fail(self, text: String) {
        drop(channel::send(&self.stream, &FromSuccessor::Failed { text }, &[]).await);
    }
}

/// What the old master hears of its successor, as the deeds that follow.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing, or nothing more.
    None,
    /// Hand all over, and end.
    Yield,
    /// It is no more, for this reason.
    Failed(String),
}

impl Upgrade {
    /// Something was heard of the successor.
    pub(super) fn hear(&mut self, heard: Heard<FromSuccessor>) -> Turn {
        match heard {
            Heard::Said(FromSuccessor::Ready) if matches!(self.stage, Stage::Begun { .. }) => {
                self.stage = Stage::Done;
                Turn::Yield
            }
            Heard::Said(FromSuccessor::Ready) => Turn::None,
            Heard::Said(FromSuccessor::Failed { text }) | Heard::Garbled(text) => {
                self.failure.get_or_insert(text);
                Turn::None
            }
            Heard::Gone(end) => {
                let why = self.failure.take().map_or_else(String::new, |text| format!(": {text}"));
                Turn::Failed(format!("{}{why}", end.cause))
            }
        }
    }
}
