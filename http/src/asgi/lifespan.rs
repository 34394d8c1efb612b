//! The beginning and the end of the server, as the application sees them: ASGI's lifespan protocol.

use super::app::{App, Result};
use super::state::State;
use super::{Receive, Scope, Send};
use crate::error::{Error, Kind};
use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What an application's lifespan is, as a future: it runs beside the requests.
pub type LifespanFuture = Pin<Box<dyn Future<Output = Result>>>;

/// What [`Lifespan::receive`] gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifespanEvent {
    /// `lifespan.startup`: the server is ready and waits for the application before it takes its first connection.
    Startup,
    /// `lifespan.shutdown`: the last connection has ended.
    Shutdown,
}

/// How an application is told that the server starts and stops, and how it answers.
///
/// The server calls [`App::lifespan`] once, before it takes its first connection. An application that has nothing to do
/// then leaves the method as it is.
///
/// # Examples
/// A resource that is there for all requests, and let go after the last:
/// ```
/// use evloop_http::asgi::{Lifespan, LifespanEvent, Receive, Result, Scope, Send, with_lifespan};
///
/// struct Database(String);
///
/// async fn lifespan(mut lifespan: Lifespan) -> Result {
///     assert_eq!(lifespan.receive().await, LifespanEvent::Startup);
///     lifespan.insert(Database("42".to_owned()));
///     lifespan.startup_complete()?;
///     assert_eq!(lifespan.receive().await, LifespanEvent::Shutdown);
///     lifespan.shutdown_complete()
/// }
///
/// async fn application(scope: Scope, _receive: Receive, mut send: Send) -> Result {
///     let answer = scope.state().get::<Database>().map_or(String::new(), |database| database.0.clone());
///     send.response_start(200, [("content-type", "text/plain")]).await?;
///     send.response_body(answer).await
/// }
///
/// let app = with_lifespan(application, lifespan);
/// # let _ = app;
/// ```
#[derive(Debug)]
pub struct Lifespan {
    talk: Rc<Talk>,
    /// Which of the events were given.
    startup_given: bool,
    shutdown_given: bool,
}

/// What the application and its server say to each other.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    inner: RefCell<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    stage: Stage,
    state: State,
    /// Waits for the other side's next word.
    application: Option<Waker>,
    server: Option<Waker>,
}

/// How far a lifespan is.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The application has been told that the server starts.
    #[default]
    Starting,
    /// It has said that it is ready, or that it is not.
    Started(std::result::Result<(), String>),
    /// It has been told that the server stops.
    Stopping,
    /// It has said that it is done, or that something went wrong.
    Stopped(std::result::Result<(), String>),
}

impl Lifespan {
    pub(crate) fn new(talk: Rc<Talk>) -> Lifespan {
        Lifespan { talk, startup_given: false, shutdown_given: false }
    }

    /// Waits for the next event: [`Startup`](LifespanEvent::Startup) at once, and then
    /// [`Shutdown`](LifespanEvent::Shutdown). After these there is none, and whoever waits for it is dropped with the
    /// lifespan.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn receive(&mut self) -> LifespanEvent {
        poll_fn(|cx| self.poll_receive(cx)).await
    }

    /// Polls for the next event; see [`receive`](Lifespan::receive).
    pub fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<LifespanEvent> {
        if !std::mem::replace(&mut self.startup_given, true) {
            return Poll::Ready(LifespanEvent::Startup);
        }
        let mut inner = self.talk.inner.borrow_mut();
        if matches!(inner.stage, Stage::Stopping | Stage::Stopped(_)) && !self.shutdown_given {
            self.shutdown_given = true;
            return Poll::Ready(LifespanEvent::Shutdown);
        }
        inner.application = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Keeps a value for the requests, which find it in [`Scope::state`]; gives back the one of this type that was there.
    /// What is kept after [`startup_complete`](Lifespan::startup_complete) is seen by nobody.
    pub fn insert<T: 'static>(&mut self, value: T) -> Option<T> {
        self.talk.inner.borrow_mut().state.insert(value)
    }

    /// `lifespan.startup.complete`: the server may take connections.
    ///
    /// # Errors
    /// When this, or that the startup failed, was said before.
    pub fn startup_complete(&mut self) -> Result {
        self.talk.answer(&Stage::Starting, Stage::Started(Ok(())))
    }

    /// `lifespan.startup.failed`: the server ends with this message, without having taken a connection.
    ///
    /// # Errors
    /// As [`startup_complete`](Lifespan::startup_complete).
    pub fn startup_failed(&mut self, message: impl Into<String>) -> Result {
        self.talk.answer(&Stage::Starting, Stage::Started(Err(message.into())))
    }

    /// `lifespan.shutdown.complete`: the server may end.
    ///
    /// # Errors
    /// When the server has not asked for it, or when this, or that the shutdown failed, was said before.
    pub fn shutdown_complete(&mut self) -> Result {
        self.talk.answer(&Stage::Stopping, Stage::Stopped(Ok(())))
    }

    /// `lifespan.shutdown.failed`: the server ends, and its log says why.
    ///
    /// # Errors
    /// As [`shutdown_complete`](Lifespan::shutdown_complete).
    pub fn shutdown_failed(&mut self, message: impl Into<String>) -> Result {
        self.talk.answer(&Stage::Stopping, Stage::Stopped(Err(message.into())))
    }
}

impl Talk {
    /// The application says something, which has its place after one stage alone.
    fn answer(&self, after: &Stage, stage: Stage) -> Result {
        let mut inner = self.inner.borrow_mut();
        if inner.stage != *after {
            return Err(Error::new(Kind::LifespanOrder));
        }
        inner.stage = stage;
        let server = inner.server.take();
        drop(inner);
        server.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Ready when the application has answered to what it was told last.
    pub(crate) fn poll_answered(&self, cx: &mut Context<'_>) -> Poll<std::result::Result<(), String>> {
        let mut inner = self.inner.borrow_mut();
        if let Stage::Started(answer) | Stage::Stopped(answer) = &inner.stage {
            return Poll::Ready(answer.clone());
        }
        inner.server = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Tells the application that the server stops.
    pub(crate) fn stop(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.stage = Stage::Stopping;
        let application = inner.application.take();
        drop(inner);
        application.into_iter().for_each(Waker::wake);
    }

    /// Whether the application is ready, and was not told that the server stops.
    pub(crate) fn is_started(&self) -> bool {
        matches!(self.inner.borrow().stage, Stage::Started(Ok(())))
    }

    /// What the application has kept so far.
    pub(crate) fn take_state(&self) -> State {
        std::mem::take(&mut self.inner.borrow_mut().state)
    }
}

/// An application with a lifespan of its own; see [`with_lifespan`].
pub struct WithLifespan<A, L> {
    app: A,
    lifespan: L,
}

/// Gives an application a lifespan, in place of the one it has: `lifespan` is called once, when the server starts. See
/// [`Lifespan`].
pub fn with_lifespan<A, L, F>(app: A, lifespan: L) -> WithLifespan<A, L>
where
    A: App,
    L: Fn(Lifespan) -> F + 'static,
    F: Future<Output = Result> + 'static,
{
    WithLifespan { app, lifespan }
}

impl<A, L> fmt::Debug for WithLifespan<A, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithLifespan").finish_non_exhaustive()
    }
}

impl<A, L, F> App for WithLifespan<A, L>
where
    A: App,
    L: Fn(Lifespan) -> F + 'static,
    F: Future<Output = Result> + 'static,
{
    type Future = A::Future;

    #[inline]
    fn call(&self, scope: Scope, receive: Receive, send: Send) -> A::Future {
        self.app.call(scope, receive, send)
    }

    fn lifespan(&self, lifespan: Lifespan) -> LifespanFuture {
        Box::pin((self.lifespan)(lifespan))
    }
}
