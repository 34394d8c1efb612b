//! What is served where, and by how many.

use evloop_http::access_log::AccessLog;
use evloop_http::limits::{Limits, Timeouts};
use serde::{Deserialize, Serialize};
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;

/// Where to listen.
///
/// # Examples
/// ```
/// use evloop::serve::Bind;
///
/// let bind = Bind::Inet("127.0.0.1".to_owned(), 8000);
/// assert_eq!(bind, Bind::default());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bind {
    /// An address or a name, and a port; port 0 is a free one. Of a name, it is each address that this machine has, as for
    /// `localhost` that of IPv4 and that of IPv6.
    Inet(String, u16),
    /// A Unix domain socket at a path. A stale one there is replaced.
    Unix(PathBuf),
    /// A socket that listens already, by its number. It is taken from there: the number leads to `/dev/null` then.
    Inherited(RawFd),
}

impl Default for Bind {
    fn default() -> Bind {
        Bind::Inet("127.0.0.1".to_owned(), 8000)
    }
}

/// How several loops come by their connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accept {
    /// All wait for one socket: who has time takes the next connection, and none waits for a loop that hangs. Hundreds of
    /// loops start slowly so, for the kernel looks at all that wait for a socket each time one more does.
    #[default]
    Shared,
    /// Each has a socket of its own for the same port (`SO_REUSEPORT`, socket(7)): the kernel deals connections out by a
    /// hash of their addresses, fairly on the average and blind to who is busy.
    ReusePort,
}

/// Where a server tells how it does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Control {
    /// With workers, at a socket named after the master's process in the user's runtime folder; without, nowhere.
    #[default]
    Auto,
    /// With workers or without, at a socket named after the process in the user's runtime folder.
    On,
    /// Nowhere.
    Off,
    /// At a Unix domain socket with this path.
    At(PathBuf),
}

/// What is served where, by how many, and with which limits. The names, and where there is no reason against it the
/// defaults, are those of uvicorn.
///
/// # Examples
/// ```
/// use evloop::serve::{Bind, Config};
///
/// let config = Config::new()
///     .bind(Bind::Inet("127.0.0.1".to_owned(), 0))
///     .bind(Bind::Unix("/run/app.sock".into()))
///     .workers(2);
/// # let _ = config;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a configuration does nothing until it is served"]
pub struct Config {
    /// None: the default.
    pub(super) binds: Vec<Bind>,
    pub(super) uds_mode: Option<u32>,
    pub(super) backlog: u32,
    pub(super) workers: usize,
    pub(super) threads: usize,
    pub(super) accept: Accept,
    pub(super) pin_cpus: bool,
    pub(super) limits: Limits,
    pub(super) timeouts: Timeouts,
    /// `None`: a stop waits for as long as it takes.
    pub(super) timeout_graceful: Option<Duration>,
    pub(super) timeout_worker: Option<Duration>,
    pub(super) timeout_worker_start: Option<Duration>,
    pub(super) connections_max: Option<usize>,
    pub(super) concurrency_max: Option<usize>,
    pub(super) requests_max: Option<u64>,
    pub(super) requests_max_jitter: u64,
    pub(super) root_path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) server_header: bool,
    pub(super) date_header: bool,
    /// Whose word about the client is taken; `None`: nobody's.
    pub(super) forwarded_allow: Option<String>,
    pub(super) access_log: AccessLog,
    pub(super) slow: Option<Duration>,
    pub(super) pid_file: Option<PathBuf>,
    pub(super) control: Control,
}

impl Default for Config {
    fn default() -> Config {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        Config {
            binds: Vec::new(),
            uds_mode: None,
            backlog: 2048,
            workers: 1,
            threads: 1,
            accept: Accept::default(),
            pin_cpus: false,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            timeout_graceful: seconds(10),
            timeout_worker: seconds(30),
            timeout_worker_start: seconds(60),
            connections_max: None,
            concurrency_max: None,
            requests_max: None,
            requests_max_jitter: 0,
            root_path: String::new(),
            headers: Vec::new(),
            server_header: false,
            date_header: true,
            forwarded_allow: None,
            access_log: AccessLog::Common,
            slow: Some(Duration::from_millis(100)),
            pid_file: None,
            control: Control::default(),
        }
    }
}

impl Config {
    /// As many workers as there can be: each is a process with all that the application needs, and more are either a slip of
    /// the finger or better had as threads.
    pub const WORKERS_MAX: usize = 64;

    /// As many threads as a process can serve with.
    pub const THREADS_MAX: usize = 256;

    /// One loop on `127.0.0.1:8000`, with the defaults that each method tells.
    pub fn new() -> Config {
        Config::default()
    }

    /// One more place to listen. Without any, it is `127.0.0.1:8000`.
    pub fn bind(mut self, bind: Bind) -> Config {
        self.binds.push(bind);
        self
    }

    /// The permissions of the files of Unix domain sockets that are opened here, as `0o660`; `None`, which is the default: what
    /// the umask leaves of `0o777`. uvicorn lets everybody connect, gunicorn those whom its own umask lets.
    ///
    /// It takes leave to write to connect. They are exact whatever the umask, and hold before anybody can connect: until then
    /// the socket is bound with no more than these, and does not listen.
    pub fn uds_mode(mut self, mode: Option<u32>) -> Config {
        self.uds_mode = mode;
        self
    }

    /// How many connections may wait in the kernel to be taken. The default is 2,048.
    pub fn backlog(mut self, connections: u32) -> Config {
        self.backlog = connections;
        self
    }

    /// How many processes serve. With one, which is the default, it is this process; with more, this process becomes their
    /// master, which holds the sockets and serves nothing.
    pub fn workers(mut self, workers: usize) -> Config {
        self.workers = workers;
        self
    }

    /// How many threads of each process serve, each with a loop. The default is one.
    pub fn threads(mut self, threads: usize) -> Config {
        self.threads = threads;
        self
    }

    /// How several loops come by their connections. By default they share their sockets.
    pub fn accept(mut self, accept: Accept) -> Config {
        self.accept = accept;
        self
    }

    /// Whether each loop stays on a processor of its own, as far as there are enough. By default none does.
    pub fn pin_cpus(mut self, pin: bool) -> Config {
        self.pin_cpus = pin;
        self
    }

    /// What a request may cost at most.
    pub fn limits(mut self, limits: Limits) -> Config {
        self.limits = limits;
        self
    }

    /// How long a client may take.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Config {
        self.timeouts = timeouts;
        self
    }

    /// How long a stop waits for the requests that have begun; `None`: for as long as it takes. The default is 10 seconds.
    pub fn timeout_graceful(mut self, limit: Option<Duration>) -> Config {
        self.timeout_graceful = limit;
        self
    }

    /// How long a worker's loop may not turn before the worker is replaced; `None`: for ever. The default is gunicorn's 30
    /// seconds. Each loop is heard once a second, so less than 2 seconds are taken for 2.
    pub fn timeout_worker(mut self, limit: Option<Duration>) -> Config {
        self.timeout_worker = limit;
        self
    }

    /// How long a worker may take to be ready before it is replaced; `None`: for ever. The default is 60 seconds.
    pub fn timeout_worker_start(mut self, limit: Option<Duration>) -> Config {
        self.timeout_worker_start = limit;
        self
    }

    /// How many connections may be open in each loop; past it, the next wait. By default, any number.
    pub fn connections_max(mut self, connections: Option<usize>) -> Config {
        self.connections_max = connections;
        self
    }

    /// How many requests may be served at once in each loop; past it, the next are answered with 503. By default, any
    /// number.
    pub fn concurrency_max(mut self, requests: Option<usize>) -> Config {
        self.concurrency_max = requests;
        self
    }

    /// After how many requests of one of its loops a worker is replaced, or a server without workers stops by itself. By default,
    /// never.
    pub fn requests_max(mut self, requests: Option<u64>) -> Config {
        self.requests_max = requests;
        self
    }

    /// Up to so many requests are added to [`requests_max`](Config::requests_max), by chance and differently in each
    /// loop, so that they are not all replaced at once. The default is 0.
    pub fn requests_max_jitter(mut self, requests: u64) -> Config {
        self.requests_max_jitter = requests;
        self
    }

    /// The path under which a proxy in front offers the application, as `/api`: what the application finds as `root_path`
    /// in its scope.
    pub fn root_path(mut self, path: impl Into<String>) -> Config {
        self.root_path = path.into();
        self
    }

    /// One more header for each response that does not have it already.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Config {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Whether each response tells the program's name in `server`. By default it does not, other than with uvicorn: it is of
    /// use only to those who look for servers of a kind.
    pub fn server_header(mut self, tell: bool) -> Config {
        self.server_header = tell;
        self
    }

    /// Whether each response tells the time in `date`, as RFC 9110 section 6.6.1 wants it of those who have a clock. By
    /// default it does.
    pub fn date_header(mut self, tell: bool) -> Config {
        self.date_header = tell;
        self
    }

    /// Whose word is taken for who the client is and how it came (`x-forwarded-for`, `x-forwarded-proto`): addresses and
    /// networks, split by commas; `unix` for who comes through a Unix domain socket; `*` for anybody. By default nobody's,
    /// other than with uvicorn, for anybody can write a header.
    pub fn forwarded_allow(mut self, from: Option<String>) -> Config {
        self.forwarded_allow = from;
        self
    }

    /// Whether and how requests are logged. By default in the common format.
    pub fn access_log(mut self, access_log: AccessLog) -> Config {
        self.access_log = access_log;
        self
    }

    /// What holds a loop for so long is reported while it does; `None`: nothing is. The default is 100 milliseconds.
    pub fn slow(mut self, limit: Option<Duration>) -> Config {
        self.slow = limit;
        self
    }

    /// A file for the number of the process that is to be told by signals.
    pub fn pid_file(mut self, file: Option<PathBuf>) -> Config {
        self.pid_file = file;
        self
    }

    /// Where it is told how the server does.
    pub fn control(mut self, control: Control) -> Config {
        self.control = control;
        self
    }
}
