//! Options of uvicorn and gunicorn that have no counterpart here, and what is done instead.
//!
//! Whoever comes from there types them in the first hour. That there is no such option is true of each of them and helps
//! with none.

/// Options of other servers that mean one thing.
struct Absent {
    /// As they are written; one that ends in a star stands for all that begin so.
    names: &'static [&'static str],
    instead: &'static str,
}

/// What the user of an option of another server is to do here, if it is known.
pub(in crate::cli) fn instead(option: &str) -> Option<&'static str> {
    let is_meant = |name: &&str| match name.strip_suffix('*') {
        Some(prefix) => option.starts_with(prefix),
        None => option == *name,
    };
    ABSENT.iter().find(|absent| absent.names.iter().any(is_meant)).map(|absent| absent.instead)
}

/// What the user of an option of another server probably means here, where the name alone would mislead or not do.
pub(in crate::cli) fn meant(option: &str) -> Option<&'static str> {
    MEANT.iter().find(|(names, _)| names.contains(&option)).map(|(_, meant)| *meant)
}

/// What the word that names an application elsewhere is told here: `main:app`, `app.py`.
pub(super) fn application(word: &str) -> Option<&'static str> {
    let is_name = |name: &str| {
        name.split('.').all(|part| {
            let first = part.chars().next();
            first.is_some_and(|first| first.is_alphabetic() || first == '_')
                && part.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
        })
    };
    let object = |object: &str| is_name(object.strip_suffix("()").unwrap_or(object));
    let python = |file: &str| file.rsplit_once('.').is_some_and(|(name, ending)| !name.is_empty() && ending == "py");
    let named = word.split_once(':').is_some_and(|(module, named)| is_name(module) && object(named));
    (named || python(word)).then_some(APPLICATION)
}

/// Options of other servers, and what follows `did you mean`.
const MEANT: &[(&[&str], &str)] = &[
    (&["--log-format", "--access-logformat", "--access-log-format"], "--access-log json?"),
    (&["-t", "--timeout"], "--timeout-worker? It is how long a loop may hang, not how long a request may take"),
];

const APPLICATION: &str = "an application is a Rust program that calls evloop::serve::run; this command serves a demo \
                           or, by --dir, a folder";
const LOOP: &str = "there is one loop and one HTTP parser, which are evloop's own; leave it out";
const TLS: &str = "TLS is left to a proxy in front, as nginx: examples/deploy/nginx.conf";
const USER: &str = "start it as that user, by User= and Group= of systemd, or by setpriv";
const LOG: &str = "the log goes to the standard error: 2>>FILE, or journald; see --log-level and --access-log";
const REQUEST: &str = "what a request may cost at most is set in code, by Config::limits";
const WEBSOCKET: &str = "there are no WebSockets; leave it out";

const ABSENT: &[Absent] = &[
    Absent {
        names: &["--worker-class", "-k"],
        instead: "each worker is an event loop, or several by --threads; leave it out",
    },
    Absent {
        names: &["--daemon", "-D"],
        instead: "let a supervisor keep it running, as systemd: examples/deploy/evloop.service",
    },
    Absent {
        names: &["--reload", "--reload-*"],
        instead: "build it anew and start it again, as by cargo watch; SIGUSR2 has a server with workers do so without \
                  a failed request",
    },
    Absent { names: &["--preload", "--preload-app"], instead: "workers are started, and not forked; leave it out" },
    Absent {
        names: &["--ssl-*", "--certfile", "--keyfile", "--ca-certs", "--cert-reqs", "--ciphers", "--do-handshake-*"],
        instead: TLS,
    },
    Absent { names: &["--user", "-u", "--group", "-g", "--initgroups"], instead: USER },
    Absent { names: &["--umask", "-m"], instead: "call umask before it, or set UMask= of systemd" },
    Absent { names: &["--factory", "--app-dir", "--pythonpath", "--paste", "--interface"], instead: APPLICATION },
    Absent { names: &["--chdir"], instead: "call cd before it, or set WorkingDirectory= of systemd" },
    Absent { names: &["--loop", "--http", "--strip-header-spaces", "--permit-*"], instead: LOOP },
    Absent { names: &["--ws", "--ws-*"], instead: WEBSOCKET },
    Absent { names: &["--lifespan"], instead: "an application that has a lifespan always gets it; leave it out" },
    Absent {
        names: &["--env-file", "--env", "-e", "--config", "-c"],
        instead: "options come by the command line or by variables as EVLOOP_PORT, which a shell sets, or \
                  EnvironmentFile= of systemd",
    },
    Absent {
        names: &[
            "--log-config",
            "--log-config-*",
            "--log-file",
            "--error-logfile",
            "--capture-output",
            "--log-syslog*",
        ],
        instead: LOG,
    },
    Absent {
        names: &["--access-logfile"],
        instead: "--access-log takes common, json or off: it has no file, the log goes to the standard error (2>>FILE)",
    },
    Absent { names: &["--limit-request-*", "--h11-max-incomplete-event-size"], instead: REQUEST },
    Absent {
        names: &["--statsd-*", "--dogstatsd-tags"],
        instead: "numbers are told by `evloop status --json`, and by evloop::http::metrics to Prometheus",
    },
    Absent { names: &["--worker-tmp-dir"], instead: "workers are heard over a pipe and need no files; leave it out" },
    Absent { names: &["--name", "-n"], instead: "a process is called by its program's file; leave it out" },
    Absent {
        names: &["--proxy-protocol", "--proxy-allow-from"],
        instead: "see --proxy-headers for what is understood",
    },
];
