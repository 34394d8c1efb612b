//! The table of all options of `serve`.

use super::read;
use super::row::{Place, Row};
use evloop::serve::Config;
use std::time::Duration;

/// Options that are told under one heading.
#[derive(Debug)]
pub(in crate::cli) struct Group {
    pub(super) title: &'static str,
    pub(in crate::cli) rows: &'static [Row],
}

pub(in crate::cli) const GROUPS: &[Group] = &[
    Group { title: "What", rows: WHAT },
    Group { title: "Where to listen", rows: WHERE },
    Group { title: "Processes and threads", rows: WORKERS },
    Group { title: "HTTP", rows: HTTP },
    Group { title: "Log", rows: LOG },
    Group { title: "Time-outs, in seconds (as 0.5) or none", rows: TIMEOUTS },
    Group { title: "Limits, a number or none", rows: LIMITS },
    Group { title: "To see it turn", rows: TRACE },
];

/// A trace with more would not be read again.
const TRACE_RECORDS_MAX: usize = 1 << 22;

const SECONDS: &str = "a number of seconds above 0, or none";
const LIMIT: &str = "a number above 0, or none";

const WHAT: &[Row] = &[
    Row::new("dir", "PATH", "a folder", |draft, value| {
        draft.serve.dir = Some(read::path(value)?);
        Ok(())
    })
    .help("the folder to serve, in place of the demo"),
    Row::flag("listing", "off", |draft, value| {
        draft.serve.listing = read::flag(value)?;
        Ok(())
    })
    .help("list the files of folders that have no index.html")
    .belongs_to("dir"),
];

const WHERE: &[Row] = &[
    Row::new("host", "HOST", "an address or a name", |draft, value| {
        draft.host = Some(read::host(value)?);
        Ok(())
    })
    .help("address or name to listen on")
    .default("127.0.0.1")
    .place(Place::Address),
    Row::new("port", "PORT", "a number from 0 to 65535", |draft, value| {
        draft.port = Some(read::port(value)?);
        Ok(())
    })
    .help("port to listen on, 0 for a free one")
    .default("8000")
    .place(Place::Address)
    .elsewhere(&["-p"]),
    Row::new("uds", "PATH", "the path of a socket", |draft, value| {
        draft.socket = Some(read::unix(value)?);
        Ok(())
    })
    .help("path of a Unix domain socket to listen on")
    .place(Place::Unix)
    .elsewhere(&["unix", "socket"]),
    Row::new("fd", "N", "the number of a descriptor", |draft, value| {
        draft.socket = Some(read::descriptor(value)?);
        Ok(())
    })
    .help("the number of an open descriptor, a socket that listens already")
    .place(Place::Inherited),
    Row::new("bind", "ADDR", "HOST:PORT, :PORT, [::1]:PORT, unix:PATH or fd://N", |draft, value| {
        let bind = read::bind(value)?;
        draft.config(|config| config.bind(bind))
    })
    .help(
        "in place of the four above, once for each place: HOST:PORT, :PORT for all addresses of IPv4, [::1]:PORT, \
         unix:PATH or fd://N",
    )
    .place(Place::Any)
    .split(',')
    .elsewhere(&["-b", "listen", "address"]),
    Row::new("uds-mode", "OCTAL", "permissions from 0 to 777, in octal digits", |draft, value| {
        let mode = read::mode(value)?;
        draft.config(|config| config.uds_mode(Some(mode)))
    })
    .help("the permissions of Unix domain sockets that are opened, as 660; else as the umask gives"),
    Row::new("backlog", "N", "a number from 1 to 2147483647", |draft, value| {
        let connections = read::number(value, 1..=i32::MAX.unsigned_abs())?;
        draft.config(|config| config.backlog(connections))
    })
    .help("connections that may wait to be taken")
    .default("2048"),
];

const WORKERS: &[Row] = &[
    Row::new("workers", "N", "a number from 1 to 64", |draft, value| {
        let workers = read::number(value, 1..=Config::WORKERS_MAX)?;
        draft.config(|config| config.workers(workers))
    })
    .help(
        "processes that serve, up to 64; with more than one, this one is their master and replaces those that die or \
         hang; WEB_CONCURRENCY is its variable, too",
    )
    .default("1")
    .shared_variable("WEB_CONCURRENCY")
    .elsewhere(&["-w", "processes"]),
    Row::new("threads", "N", "a number from 1 to 256", |draft, value| {
        let threads = read::number(value, 1..=Config::THREADS_MAX)?;
        draft.config(|config| config.threads(threads))
    })
    .help("threads of each process that serve, up to 256, each with a loop")
    .default("1")
    .elsewhere(&["runtime-threads"]),
    Row::new("accept", "HOW", "shared or reuse-port", |draft, value| {
        let accept = read::accept(value)?;
        draft.config(|config| config.accept(accept))
    })
    .help("shared: whichever loop has time takes the next connection; reuse-port: the kernel deals them out")
    .default("shared")
    .elsewhere(&["reuse-port", "reuseport"]),
    Row::flag("pin-cpus", "off", |draft, value| {
        let pin = read::flag(value)?;
        draft.config(|config| config.pin_cpus(pin))
    })
    .help("keep each loop on a processor of its own"),
    Row::new("pid-file", "FILE", "a file", |draft, value| {
        let file = read::path(value)?;
        draft.config(|config| config.pid_file(Some(file)))
    })
    .help("the file for the number of the process to which signals are sent")
    .elsewhere(&["-p", "pid", "pidfile"]),
    Row::new("control", "PATH", "the path of a socket, auto, on or none", |draft, value| {
        let control = read::control(value)?;
        draft.config(|config| config.control(control))
    })
    .help(
        "the socket where `evloop status` asks, or none; on: one in the user's runtime folder; auto: the same, with \
         workers only",
    )
    .default("auto")
    .elsewhere(&["control-socket"]),
];

const HTTP: &[Row] = &[
    Row::new("root-path", "PATH", "a path as in a URL, as /api", |draft, value| {
        let path = read::root_path(value)?;
        draft.config(|config| config.root_path(path))
    })
    .help("the path that a proxy takes off requests, as /api")
    .elsewhere(&["url-path-prefix"]),
    Row::new("header", "NAME:VALUE", "NAME:VALUE", |draft, value| {
        let (name, value) = read::header(value)?;
        draft.config(|config| config.header(name, value))
    })
    .help("a header for each answer that has none of that name; may be repeated")
    .split('\n'),
    Row::flag("server-header", "off", |draft, value| {
        let tell = read::flag(value)?;
        draft.config(|config| config.server_header(tell))
    })
    .help("tell in each answer that evloop gave it"),
    Row::flag("date-header", "on", |draft, value| {
        let tell = read::flag(value)?;
        draft.config(|config| config.date_header(tell))
    })
    .help("tell in each answer when it was given"),
    Row::flag("proxy-headers", "off", |draft, value| {
        draft.proxy_headers = Some(read::flag(value)?);
        Ok(())
    })
    .help("believe x-forwarded-for and x-forwarded-proto, if they come from those of the next option"),
    Row::new(
        "forwarded-allow-ips",
        "LIST",
        "addresses, networks as 10.0.0.0/8, unix or *, split by commas",
        |draft, value| {
            draft.forwarded_allow = Some(read::allowed(value)?);
            Ok(())
        },
    )
    .help("addresses and networks, unix for Unix domain sockets, or * for all; turns the one before on, too")
    .default(read::FORWARDED_ALLOW),
];

const LOG: &[Row] = &[
    Row::new("log-level", "LEVEL", "off, error, warn, info, debug or trace", |draft, value| {
        draft.serve.log_level = read::level(value)?;
        Ok(())
    })
    .help("off, error, warn, info, debug or trace")
    .default("info"),
    Row::new("access-log", "[FORMAT]", "common, json or off", |draft, value| {
        let format = read::access_log(value)?;
        draft.config(|config| config.access_log(format))
    })
    .help(
        "a line for each request, to the standard error, as all of the log: common, json or off; json is for these \
         lines alone",
    )
    .default("common")
    .bare("common")
    .negated("off"),
    Row::new("use-colors", "[WHEN]", "auto, always or never", |draft, value| {
        draft.serve.use_colors = read::colors(value)?;
        Ok(())
    })
    .help("auto, always or never; auto heeds NO_COLOR")
    .default("auto")
    .bare("always")
    .negated("never")
    .elsewhere(&["color", "colors", "colour"]),
    Row::new("slow-ms", "MS", LIMIT, |draft, value| {
        let limit = read::limit(value)?.map(Duration::from_millis);
        draft.config(|config| config.slow(limit))
    })
    .help("warn of what holds a loop for so many milliseconds, or none")
    .default("100"),
];

const TIMEOUTS: &[Row] = &[
    Row::new("timeout-head", "S", SECONDS, |draft, value| {
        draft.timeouts.head = read::seconds(value)?;
        Ok(())
    })
    .help("for a request's head to come")
    .default("10"),
    Row::new("timeout-body", "S", SECONDS, |draft, value| {
        draft.timeouts.body = read::seconds(value)?;
        Ok(())
    })
    .help("for the next piece of its body to come")
    .default("20"),
    Row::new("timeout-write", "S", SECONDS, |draft, value| {
        draft.timeouts.write = read::seconds(value)?;
        Ok(())
    })
    .help("for the client to take some of the answer")
    .default("20"),
    Row::new("timeout-keep-alive", "S", SECONDS, |draft, value| {
        draft.timeouts.keep_alive = read::seconds(value)?;
        Ok(())
    })
    .help("for the next request to begin")
    .default("5")
    .elsewhere(&["keep-alive", "keepalive"]),
    Row::new("timeout-graceful-shutdown", "S", SECONDS, |draft, value| {
        let limit = read::seconds(value)?;
        draft.config(|config| config.timeout_graceful(limit))
    })
    .help("for requests to end after Ctrl-C or SIGTERM")
    .default("10")
    .elsewhere(&["graceful-timeout"]),
    Row::new("timeout-worker", "S", SECONDS, |draft, value| {
        let limit = read::seconds(value)?;
        draft.config(|config| config.timeout_worker(limit))
    })
    .help("for a loop of a worker to turn, or the worker is replaced")
    .default("30")
    .elsewhere(&["timeout-worker-healthcheck"]),
    Row::new("timeout-worker-start", "S", SECONDS, |draft, value| {
        let limit = read::seconds(value)?;
        draft.config(|config| config.timeout_worker_start(limit))
    })
    .help("for a new worker to be ready, or it has failed")
    .default("60"),
];

const LIMITS: &[Row] = &[
    Row::new("limit-concurrency", "N", LIMIT, |draft, value| {
        let requests = read::limit(value)?;
        draft.config(|config| config.concurrency_max(requests))
    })
    .help("requests that a loop serves at once; past it 503")
    .default("none"),
    Row::new("limit-connections", "N", LIMIT, |draft, value| {
        let connections = read::limit(value)?;
        draft.config(|config| config.connections_max(connections))
    })
    .help("connections that a loop has open; past it they wait")
    .default("none")
    .elsewhere(&["worker-connections"]),
    Row::new("limit-max-requests", "N", LIMIT, |draft, value| {
        let requests = read::limit(value)?;
        draft.config(|config| config.requests_max(requests))
    })
    .help("requests until a worker is replaced; without workers, until it stops by itself")
    .default("none")
    .elsewhere(&["max-requests"]),
    Row::new("limit-max-requests-jitter", "N", "a number", |draft, value| {
        let requests = read::number(value, 0..=u64::MAX)?;
        draft.config(|config| config.requests_max_jitter(requests))
    })
    .help("up to so many more, by chance, so that workers are not all replaced at once")
    .default("0")
    .belongs_to("limit-max-requests")
    .elsewhere(&["max-requests-jitter"]),
];

const TRACE: &[Row] = &[
    Row::new("trace", "FILE", "a file", |draft, value| {
        draft.serve.trace = Some(read::path(value)?);
        Ok(())
    })
    .help(
        "write what the loop did last as a Chrome trace, for https://ui.perfetto.dev: at the end, on SIGUSR1, and for \
         GET /trace of the demo; workers and further loops write FILE.worker-N, FILE.loop-N",
    ),
    Row::new("trace-records", "N", "a number from 1 to 4194304", |draft, value| {
        draft.serve.trace_records = read::number(value, 1..=TRACE_RECORDS_MAX)?;
        Ok(())
    })
    .help("how many phases and polls that is, of 64 bytes each")
    .default("65536")
    .belongs_to("trace"),
];
