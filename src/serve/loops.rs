//! The loops of one process: a thread each, and on it a loop, an application, its lifespan, and the server around them.
//!
//! The first is on the thread that calls, the others are named `loop 1`, `loop 2`. They share nothing but the orders and whom
//! they tell; what one of them serves, it serves from the first byte to the last.
//!
//! ```text
//!   each loop:  make the application -- its lifespan begins -- accepts ... -- drains -- its lifespan ends -- Instance::end
//!                      |                       |                   |
//!                      fails: status 3 --------'                   ends by itself (enough requests), panics: all are drained
//! ```
//!
//! Whatever ends one of them ends all, gracefully: a server with a loop less, or with one that serves what the others do not,
//! would be worse than none, for nobody would notice.

use super::orders::{Order, Orders};
use super::processors::Processors;
use super::sockets::Socket;
use super::status::{LastBeat, LoopBeat};
use super::{Accept, Config, Error, Instance};
use evloop_http::asgi::App;
use evloop_http::codec::defaults::DefaultFields;
use evloop_http::middleware::{ProxyHeaders, TrustedProxies};
use evloop_http::server::{Listener, Listeners, ListenersHandle, Server, StopHandle};
use evloop_runtime::future::{Either, race};
use evloop_runtime::net::{TcpListener, UnixListener};
use evloop_runtime::observe::{SlowPoll, Watchdog};
use evloop_runtime::sync::CancellationToken;
use evloop_runtime::time::{MissedTicks, interval, now, sleep};
use evloop_runtime::{Handle, Runtime, TaskBuilder, turn};
use std::any::Any;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope};
use std::time::Duration;

/// For how long those that idle are kept, for a request that is on its way, when others serve on or a balancer in front is told
/// of the stop only now.
pub(super) const IDLE: Duration = Duration::from_secs(1);

/// Told by the loops of one process, each call on the thread of the loop that it is about; it must not block.
pub(super) trait Supervisor: Send + Sync + 'static {
    /// A loop is there, and is about to make its application.
    fn began(&self, thread: usize, handle: Handle) {
        let _ = (thread, handle);
    }

    /// All loops of this process accept.
    fn ready(&self);

    /// How often each loop shall tell how it does; `None`: never.
    fn beat_every(&self) -> Option<Duration> {
        Some(LoopBeat::EVERY)
    }

    /// A loop tells how it does, by a timer of its own.
    fn beat(&self, thread: usize, beat: LoopBeat);

    /// Something holds a loop, or did; on the thread of its watchdog.
    fn slow(&self, thread: usize, slow: &SlowPoll);

    /// A loop has served its share, which is so many requests, and all have begun to drain.
    fn retiring(&self, requests: u64);
}

/// Serves on as many loops as there are sets of sockets, until they are told to stop, and tells how many requests that ended
/// unanswered.
///
/// # Errors
/// The first of any loop, with status 3 when its application has not started; and when a loop panics.
pub(super) fn run<A, F>(
    config: &Config,
    worker: Option<usize>,
    sockets: Vec<Vec<Socket>>,
    make: &F,
    orders: &Orders,
    supervisor: &Arc<dyn Supervisor>,
) -> Result<usize, Error>
where
    A: App,
    F: Fn(&Instance) -> io::Result<A> + Sync,
{
    let threads = sockets.len();
    let crew = Crew {
        config,
        fields: fields(config)?,
        trusted: trusted(config)?,
        worker,
        threads,
        make,
        orders,
        supervisor,
        processors: config.pin_cpus.then(|| Processors::allowed(config, worker)).transpose()?,
        starting: AtomicUsize::new(threads),
        failed: Mutex::default(),
    };
    let cut = thread::scope(|scope| {
        let mut sockets = sockets.into_iter();
        let own = sockets.next().expect("a server has a loop");
        let others: Vec<_> =
            sockets.zip(1..).map_while(|(sockets, thread)| crew.begin(scope, thread, sockets)).collect();
        let cut = crew.serve(0, own);
        others.into_iter().map(|other| other.join().expect("it catches its panics")).sum::<usize>() + cut
    });
    crew.failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(cut), Err)
}

/// What the loops of a process have in common.
struct Crew<'a, F> {
    config: &'a Config,
    /// The headers that it has for each response.
    fields: DefaultFields,
    /// Whose word about a client is taken, if anybody's.
    trusted: Option<TrustedProxies>,
    worker: Option<usize>,
    threads: usize,
    make: &'a F,
    orders: &'a Orders,
    supervisor: &'a Arc<dyn Supervisor>,
    /// Those to stay on, if they are to.
    processors: Option<Processors>,
    /// How many do not accept yet.
    starting: AtomicUsize,
    /// Why the first of those that have failed did.
    failed: Mutex<Option<Error>>,
}

impl<A, F> Crew<'_, F>
where
    A: App,
    F: Fn(&Instance) -> io::Result<A> + Sync,
{
    /// Starts the thread of a loop; `None` when there is none to be had, which is a failure of all.
    fn begin<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        thread: usize,
        sockets: Vec<Socket>,
    ) -> Option<thread::ScopedJoinHandle<'scope, usize>> {
        let builder = thread::Builder::new().name(name_of(thread));
        builder.spawn_scoped(scope, move || self.serve(thread, sockets)).map_err(|error| self.fail(error.into())).ok()
    }

    /// One loop, from its beginning to its end on this thread, whatever that is: how many requests ended unanswered.
    fn serve(&self, thread: usize, sockets: Vec<Socket>) -> usize {
        let started = CancellationToken::new();
        let ended = catch_unwind(AssertUnwindSafe(|| self.serve_one(thread, sockets, &started)));
        let error = match ended {
            Ok(Ok(cut)) => return cut,
            Ok(Err(error)) => error,
            Err(panic) => {
                let text = format!("{} panicked: {}", name_of(thread), text_of(&*panic));
                if started.is_cancelled() { Error::told(text) } else { Error::start(io::Error::other(text)) }
            }
        };
        self.fail(error);
        0
    }

    /// Keeps the first error, and has the other loops stop.
    fn fail(&self, error: Error) {
        let others = self.threads - 1;
        if others > 0 && self.orders.send(Order::Drain { idle: Duration::ZERO }) && self.starting.load(Acquire) == 0 {
            log::error!("{error}; the other loops of this process, {others}, are stopped");
        }
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    fn serve_one(&self, thread: usize, sockets: Vec<Socket>, started: &CancellationToken) -> Result<usize, Error> {
        if let Some(processors) = &self.processors {
            processors.stay_on_one(thread);
        }
        let instance = Instance::new(self.worker, thread);
        let mut builder = Runtime::builder();
        if let Some(slow) = self.config.slow {
            let supervisor = Arc::clone(self.supervisor);
            builder = builder.watchdog(Watchdog::new(slow).on_slow(move |slow| supervisor.slow(thread, slow)));
        }
        let runtime = builder.build()?;
        let served = runtime.block_on(self.listen(&instance, sockets, started));
        drop(runtime);
        let ended = instance.end();
        let cut = served?;
        ended?;
        Ok(cut)
    }

    /// One socket is accepted from as what it is, so that no connection pays for what others are.
    async fn listen(
        &self,
        instance: &Instance,
        mut sockets: Vec<Socket>,
        started: &CancellationToken,
    ) -> Result<usize, Error> {
        self.supervisor.began(instance.thread(), Handle::current());
        if sockets.len() == 1 && !self.may_adopt(instance.thread()) {
            return match sockets.remove(0) {
                Socket::Tcp(socket) => self.accept(instance, TcpListener::from_std(socket)?, started).await,
                Socket::Unix(socket) => self.accept(instance, UnixListener::from_std(socket)?, started).await,
            };
        }
        let listeners = Listeners::new();
        let handle = listeners.handle();
        sockets.into_iter().try_for_each(|socket| push(&handle, socket))?;
        if self.may_adopt(instance.thread()) {
            drop(TaskBuilder::new().name("adopt").spawn(adopt(self.orders.clone(), handle)));
        }
        self.accept(instance, listeners, started).await
    }

    /// Whether this loop may have to accept from the sockets of a worker that is gone: those that are each a loop's own, for the
    /// others are everybody's.
    fn may_adopt(&self, thread: usize) -> bool {
        thread == 0 && self.worker.is_some() && self.config.accept == Accept::ReusePort
    }

    /// The application is made, and what looks at each request before it is put around it where it is wanted.
    async fn accept(
        &self,
        instance: &Instance,
        listener: impl Listener,
        started: &CancellationToken,
    ) -> Result<usize, Error> {
        let app = (self.make)(instance).map_err(Error::start)?;
        match &self.trusted {
            None => self.serve_app(instance, listener, app, started).await,
            Some(trusted) => {
                let app = ProxyHeaders::new(app, trusted.clone());
                self.serve_app(instance, listener, app, started).await
            }
        }
    }

    async fn serve_app(
        &self,
        instance: &Instance,
        listener: impl Listener,
        app: impl App,
        started: &CancellationToken,
    ) -> Result<usize, Error> {
        let share = share_of_requests(self.config);
        self.spawn_beside(instance, share);
        let handle = StopHandle::new();
        let server = self.configured(instance.thread(), share, Server::new(listener)).stop_handle(handle.clone());
        let server = server.started(started.clone()).stopping(instance.stopping());
        let stop = async {
            let announce = async {
                started.cancelled().await;
                self.accepts();
                pending::<()>().await;
            };
            race(self.orders.stopped(), announce).await;
            handle.drain(self.orders.idle());
        };
        let quit = async {
            self.orders.quit().await;
            handle.end();
            pending::<Infallible>().await
        };
        let beside = race(quit, self.tell_what_is_cut(instance.thread()));
        match race(beside, server.serve_until(app, stop)).await {
            Either::Left(Either::Left(never) | Either::Right(never)) => match never {},
            Either::Right(Err(error)) if !started.is_cancelled() => Err(Error::start(error)),
            Either::Right(ended) => {
                let cut = ended?;
                // What it has served since the last beat shall not be lost with it.
                self.supervisor.beat(instance.thread(), LoopBeat::read(&mut LastBeat::new(), Duration::ZERO));
                if let Some(share) = share {
                    // There may have been no turn for its task.
                    retire(&**self.supervisor, self.orders, self.idle_when_retired(), share);
                }
                Ok(cut)
            }
        }
    }

    /// When the time for a graceful stop is over. It is counted from a moment before the server counts its own, and is looked at
    /// before that, so that what is told of is there still.
    async fn tell_what_is_cut(&self, thread: usize) -> Infallible {
        self.orders.stopped().await;
        if let Some(limit) = self.config.timeout_graceful {
            sleep(limit).await;
            let served = turn::metrics().served;
            if let Some(what) = under_way(served.requests_open, served.connections_open) {
                let of = if self.threads > 1 { format!(" of {}", name_of(thread)) } else { String::new() };
                log::warn!("{} s are over: cutting {what}{of}", limit.as_secs_f64());
            }
        }
        pending().await
    }

    /// What goes on beside the server, for as long as the loop turns.
    fn spawn_beside(&self, instance: &Instance, share: Option<u64>) {
        if let Some(every) = self.supervisor.beat_every() {
            let beats = beat(Arc::clone(self.supervisor), instance.thread(), every);
            drop(TaskBuilder::new().name("beat").spawn(beats));
        }
        if let Some(share) = share {
            let (stopping, idle) = (instance.stopping(), self.idle_when_retired());
            let (supervisor, orders) = (Arc::clone(self.supervisor), self.orders.clone());
            let retires = async move {
                stopping.cancelled().await;
                retire(&*supervisor, &orders, idle, share);
            };
            drop(TaskBuilder::new().name("retire").spawn(retires));
        }
    }

    /// A worker is replaced before it retires, so that those that idle with it have somewhere to go.
    fn idle_when_retired(&self) -> Duration {
        if self.worker.is_some() { IDLE } else { Duration::ZERO }
    }

    /// This loop accepts; if it is the last to do so, all do.
    fn accepts(&self) {
        if self.starting.fetch_sub(1, AcqRel) == 1 {
            self.supervisor.ready();
        }
    }

    fn configured<L: Listener>(&self, thread: usize, share: Option<u64>, server: Server<L>) -> Server<L> {
        let config = self.config;
        let mut server = server
            .limits(config.limits)
            .timeouts(config.timeouts)
            .graceful_timeout(config.timeout_graceful.unwrap_or(Duration::MAX))
            .access_log(config.access_log)
            .root_path(&*config.root_path)
            .headers(self.fields.clone())
            .server_header(config.server_header)
            .date_header(config.date_header)
            .idle_grace(self.idle_when_retired());
        if let Some(connections) = config.connections_max {
            server = server.connections_max(connections);
        }
        if let Some(requests) = config.concurrency_max {
            server = server.concurrency_max(requests);
        }
        if let Some(requests) = share {
            log::debug!("{} retires after {requests} requests", name_of(thread));
            server = server.requests_max(requests);
        }
        server
    }
}

/// After how many requests the loop that asks has served its share, if ever: a part of it is drawn, so that those who have begun
/// together do not all leave together.
fn share_of_requests(config: &Config) -> Option<u64> {
    let numbers = config.requests_max_jitter.saturating_add(1);
    config.requests_max.map(|requests| requests.saturating_add(turn::random() % numbers))
}

fn fields(config: &Config) -> Result<DefaultFields, Error> {
    let mut fields = DefaultFields::new();
    for (name, value) in &config.headers {
        fields.add(name, value.as_bytes()).map_err(|error| Error::told(format!("the header {name:?}: {error}")))?;
    }
    Ok(fields)
}

fn trusted(config: &Config) -> Result<Option<TrustedProxies>, Error> {
    let list = config.forwarded_allow.as_deref();
    list.map(str::parse).transpose().map_err(|error| Error::told(format!("who may tell of clients: {error}")))
}

/// Tells how the loop does, for as long as it turns.
async fn beat(supervisor: Arc<dyn Supervisor>, thread: usize, every: Duration) {
    let (mut last, mut ticks) = (LastBeat::new(), interval(every));
    ticks.set_missed_ticks(MissedTicks::Skip);
    loop {
        let planned = ticks.tick().await;
        supervisor.beat(thread, LoopBeat::read(&mut last, now().saturating_duration_since(planned)));
    }
}

fn push(listeners: &ListenersHandle, socket: Socket) -> io::Result<()> {
    match socket {
        Socket::Tcp(socket) => listeners.push(TcpListener::from_std(socket)?),
        Socket::Unix(socket) => listeners.push(UnixListener::from_std(socket)?),
    }
}

/// Accepts from what it is given, for as long as the loop accepts.
async fn adopt(orders: Orders, listeners: ListenersHandle) {
    loop {
        for socket in poll_fn(|cx| orders.poll_adopted(cx)).await {
            if let Err(error) = push(&listeners, socket) {
                log::warn!("a socket of a worker that is gone is not served here: {error}");
            }
        }
    }
}

/// A loop that stops before any was told to has served its share.
fn retire(supervisor: &dyn Supervisor, orders: &Orders, idle: Duration, share: u64) {
    if orders.send(Order::Drain { idle }) {
        supervisor.retiring(share);
    }
}

/// What clients have under way, in words.
pub(super) fn under_way(requests: u64, connections: u64) -> Option<String> {
    let count = |number, what| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    match (requests, connections) {
        (0, 0) => None,
        (0, connections) => Some(count(connections, "connection")),
        (requests, 0) => Some(count(requests, "request")),
        (requests, connections) => {
            Some(format!("{} on {}", count(requests, "request"), count(connections, "connection")))
        }
    }
}

/// What the thread of a loop is called, and the loop with it.
pub(super) fn name_of(thread: usize) -> String {
    format!("loop {thread}")
}

/// What a panic was about, where it says so.
fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it does not say why")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The shares of a hundred loops, from the least to the greatest.
    fn shares(requests: u64, jitter: u64) -> BTreeSet<Option<u64>> {
        let config = Config::new().requests_max(Some(requests)).requests_max_jitter(jitter);
        let runtime = Runtime::builder().manual_clock().seed(1).build().unwrap();
        runtime.enter(|| (0..100).map(|_| share_of_requests(&config)).collect())
    }

    #[test]
    fn shares_are_spread_over_the_jitter_and_not_beyond() {
        let shares = shares(200, 400);
        assert!(shares.len() > 50, "{shares:?}");
        let (least, greatest) = (shares.first().unwrap().unwrap(), shares.last().unwrap().unwrap());
        assert!((200..250).contains(&least) && (550..=600).contains(&greatest), "{shares:?}");
        assert_eq!(self::shares(7, 3), (7..=10).map(Some).collect(), "both ends are drawn");
    }

    #[test]
    fn without_jitter_all_shares_are_alike_and_none_overflows() {
        assert_eq!(shares(200, 0), [Some(200)].into());
        assert_eq!(shares(u64::MAX, u64::MAX), [Some(u64::MAX)].into());
    }
}
