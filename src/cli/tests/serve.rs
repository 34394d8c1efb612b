//! The options of `serve`, as arguments.

use super::*;
use crate::cli::serve::{GROUPS, absent};
use env_logger::WriteStyle;
use evloop::http::access_log::AccessLog;
use evloop::http::limits::Timeouts;
use evloop::serve::{Accept, Bind, Config, Control};
use log::LevelFilter;
use proptest::prelude::*;
use std::time::Duration;

fn configured(change: impl FnOnce(Config) -> Config) -> Serve {
    Serve { config: change(Config::new()), ..Serve::default() }
}

fn bound(bind: Bind) -> Serve {
    configured(|config| config.bind(bind))
}

fn inet(host: &str, port: u16) -> Bind {
    Bind::Inet(host.to_owned(), port)
}

fn timed(change: impl FnOnce(&mut Timeouts)) -> Serve {
    let mut timeouts = Timeouts::default();
    change(&mut timeouts);
    configured(|config| config.timeouts(timeouts))
}

/// A value for each option, and what that makes of the defaults.
#[rustfmt::skip]
pub(super) fn each() -> Vec<(&'static str, &'static str, Serve)> {
    let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
    let plain = Serve::default;
    vec![
        ("dir", "/srv", Serve { dir: Some("/srv".into()), ..plain() }),
        ("host", "::1", bound(inet("::1", 8000))),
        ("port", "0", bound(inet("127.0.0.1", 0))),
        ("uds", "/run/a", bound(Bind::Unix("/run/a".into()))),
        ("fd", "3", bound(Bind::Inherited(3))),
        ("bind", "[::1]:80", bound(inet("::1", 80))),
        ("uds-mode", "660", configured(|config| config.uds_mode(Some(0o660)))),
        ("backlog", "7", configured(|config| config.backlog(7))),
        ("workers", "64", configured(|config| config.workers(64))),
        ("threads", "256", configured(|config| config.threads(256))),
        ("accept", "reuse-port", configured(|config| config.accept(Accept::ReusePort))),
        ("pin-cpus", "on", configured(|config| config.pin_cpus(true))),
        ("pid-file", "/run/a.pid", configured(|config| config.pid_file(Some("/run/a.pid".into())))),
        ("control", "/run/a", configured(|config| config.control(Control::At("/run/a".into())))),
        ("root-path", "/api/", configured(|config| config.root_path("/api"))),
        ("header", "X-A: b, c:d", configured(|config| config.header("x-a", "b, c:d"))),
        ("server-header", "on", configured(|config| config.server_header(true))),
        ("date-header", "off", configured(|config| config.date_header(false))),
        ("proxy-headers", "on", configured(|config| config.forwarded_allow(Some("127.0.0.1,::1,unix".to_owned())))),
        ("forwarded-allow-ips", "10.0.0.0/8, *", configured(|config| config.forwarded_allow(Some("10.0.0.0/8,*".to_owned())))),
        ("log-level", "debug", Serve { log_level: LevelFilter::Debug, ..plain() }),
        ("access-log", "json", configured(|config| config.access_log(AccessLog::Json))),
        ("use-colors", "never", Serve { use_colors: WriteStyle::Never, ..plain() }),
        ("slow-ms", "250", configured(|config| config.slow(seconds(0.25)))),
        ("timeout-head", "1", timed(|timeouts| timeouts.head = seconds(1.0))),
        ("timeout-body", "0.5", timed(|timeouts| timeouts.body = seconds(0.5))),
        ("timeout-write", "none", timed(|timeouts| timeouts.write = None)),
        ("timeout-keep-alive", "65", timed(|timeouts| timeouts.keep_alive = seconds(65.0))),
        ("timeout-graceful-shutdown", "none", configured(|config| config.timeout_graceful(None))),
        ("timeout-worker", "2", configured(|config| config.timeout_worker(seconds(2.0)))),
        ("timeout-worker-start", "1.5", configured(|config| config.timeout_worker_start(seconds(1.5)))),
        ("limit-concurrency", "3", configured(|config| config.concurrency_max(Some(3)))),
        ("limit-connections", "4", configured(|config| config.connections_max(Some(4)))),
        ("limit-max-requests", "5", configured(|config| config.requests_max(Some(5)))),
        ("trace", "/tmp/trace.json", Serve { trace: Some("/tmp/trace.json".into()), ..plain() }),
    ]
}

/// The same for those that belong to another.
#[rustfmt::skip]
fn each_dependent() -> Vec<(&'static str, &'static str, &'static str, Serve)> {
    vec![
        ("listing", "on", "--dir=/srv", Serve { listing: true, dir: Some("/srv".into()), ..Serve::default() }),
        ("limit-max-requests-jitter", "6", "--limit-max-requests=5", configured(|config| config.requests_max(Some(5)).requests_max_jitter(6))),
        ("trace-records", "6", "--trace=t", Serve { trace: Some("t".into()), trace_records: 6, ..Serve::default() }),
    ]
}

/// How the option is written with this value.
fn argument(name: &str, value: &str) -> String {
    let is_flag = GROUPS.iter().flat_map(|group| group.rows).any(|row| row.name == name && row.value.is_empty());
    match value {
        "on" if is_flag => format!("--{name}"),
        "off" if is_flag => format!("--no-{name}"),
        _ => format!("--{name}={value}"),
    }
}

#[test]
fn no_arguments_serve_with_the_defaults() {
    assert_eq!(served(&[]), Serve::default());
    assert_eq!(served(&["serve"]), Serve::default());
}

#[test]
fn every_option_of_the_table_finds_its_place() {
    for (name, value, wanted) in each() {
        assert_eq!(served(&[&argument(name, value)]), wanted, "{name}");
    }
    for (name, value, other, wanted) in each_dependent() {
        assert_eq!(served(&[&argument(name, value), other]), wanted, "{name}");
        refused(&[], &[&argument(name, value)], &[name, "belongs to"]);
    }
    let mut tried: Vec<_> =
        each().iter().map(|each| each.0).chain(each_dependent().iter().map(|each| each.0)).collect();
    let mut names: Vec<_> = GROUPS.iter().flat_map(|group| group.rows).map(|row| row.name).collect();
    tried.sort_unstable();
    names.sort_unstable();
    assert_eq!(tried, names, "an option is tried by no test, or is there twice");
}

#[test]
fn default_that_is_told_is_the_one_that_holds() {
    for row in GROUPS.iter().flat_map(|group| group.rows).filter(|row| !row.default.is_empty()) {
        let wanted = match row.name {
            "host" | "port" => bound(Bind::default()),
            "forwarded-allow-ips" => served(&["--proxy-headers"]),
            // Said aloud, an option that belongs to another wants to have it.
            "listing" | "limit-max-requests-jitter" | "trace-records" => {
                assert_eq!(served_in(&[(&row.variable(), row.default)], &[]), Serve::default(), "{}", row.name);
                continue;
            }
            _ => Serve::default(),
        };
        assert_eq!(served(&[&argument(row.name, row.default)]), wanted, "{}", row.name);
    }
}

#[test]
fn options_are_read_in_both_spellings_and_on_both_sides_of_the_command() {
    let wanted = Serve { log_level: LevelFilter::Debug, ..bound(inet("::1", 0)) };
    assert_eq!(served(&["serve", "--host", "::1", "--port=0", "--log-level", "debug"]), wanted);
    assert_eq!(served(&["--port", "0", "--log-level=DEBUG", "--host=::1", "serve"]), wanted);
}

#[test]
fn last_one_counts() {
    assert_eq!(served(&["--port=1", "--port=2"]), bound(inet("127.0.0.1", 2)));
    let log = |format| configured(|config| config.access_log(format));
    assert_eq!(served(&["--no-access-log", "--access-log=json"]), log(AccessLog::Json));
    assert_eq!(served(&["--access-log=json", "--no-access-log"]), log(AccessLog::Off));
    assert_eq!(served(&["--pin-cpus", "--no-pin-cpus"]), Serve::default());
    assert_eq!(served(&["--forwarded-allow-ips=*", "--no-proxy-headers"]), Serve::default());
}

#[test]
fn value_may_be_left_out_where_the_option_alone_says_enough() {
    let colors = |use_colors| Serve { use_colors, ..Serve::default() };
    assert_eq!(served(&["--use-colors"]), colors(WriteStyle::Always));
    assert_eq!(served(&["--use-colors", "serve"]), colors(WriteStyle::Always));
    assert_eq!(served(&["--use-colors", "never"]), colors(WriteStyle::Never));
    assert_eq!(served(&["--use-colors=auto"]), colors(WriteStyle::Auto));
    assert_eq!(served(&["--no-use-colors"]), colors(WriteStyle::Never));
    assert_eq!(served(&["--access-log", "--port=0"]), bound(inet("127.0.0.1", 0)));
}

#[test]
fn control_socket_is_told_by_a_word_or_its_path() {
    for (text, control) in [
        ("auto", Control::Auto),
        ("on", Control::On),
        ("none", Control::Off),
        ("off", Control::Off),
        ("./on", Control::At("./on".into())),
    ] {
        assert_eq!(served(&["--control", text]), configured(|config| config.control(control)), "{text}");
    }
}

#[test]
fn words_of_uvicorn_for_levels_are_known() {
    assert_eq!(served(&["--log-level=warning"]).log_level, LevelFilter::Warn);
    assert_eq!(served(&["--log-level=critical"]).log_level, LevelFilter::Error);
}

#[test]
fn places_are_told_in_the_forms_of_gunicorn() {
    for (text, bind) in [
        ("127.0.0.1:80", inet("127.0.0.1", 80)),
        ("localhost:0", inet("localhost", 0)),
        (":8000", inet("0.0.0.0", 8000)),
        ("[::]:8000", inet("::", 8000)),
        ("[fe80::1%eth0]:1", inet("fe80::1%eth0", 1)),
        ("unix:/run/a b", Bind::Unix("/run/a b".into())),
        ("unix:///run/a", Bind::Unix("/run/a".into())),
        ("unix:a:1", Bind::Unix("a:1".into())),
        ("fd://0", Bind::Inherited(0)),
    ] {
        assert_eq!(served(&["--bind", text]), bound(bind), "{text}");
    }
    for text in
        ["", ":", "a:", "a:b", "a:65536", "a:-1", "[::1]", "[::1]80", "[a]:80", "a:b:80", "unix:", "fd://", "fd://x"]
    {
        refused(&[], &["--bind", text], &["--bind takes HOST:PORT", &format!("not {text:?}")]);
    }
    for text in ["fd:3", "http://a:80", "/run/a:80"] {
        refused(&[], &["--bind", text], &["--bind"]);
    }
    refused(&[], &["--bind", "8000"], &["a colon stands before the port"]);
    refused(&[], &["--bind", "::1"], &["brackets"]);
    refused(&[], &["--bind", "localhost"], &["the port is missing"]);
    for (text, reason) in [
        ("", "it is empty"),
        ("a:", "the port is a number from 0 to 65535"),
        ("a:65536", "the port is a number from 0 to 65535"),
        ("[::1]", "the port is missing"),
        ("[::1]80", "a colon and the port behind"),
        ("[a]:80", "brackets are around an address of IPv6"),
        ("a:b:80", "a colon too many"),
        ("*:80", "all addresses are 0.0.0.0"),
        ("unix:", "the path is missing"),
        ("fd://x", "a descriptor is a number"),
        ("fd:3", "as fd://N"),
        ("http://a:80", "in a URL"),
        ("/run/a.sock", "as unix:PATH"),
    ] {
        refused(&[], &["--bind", text], &[&format!("not {text:?}: "), reason]);
    }
}

#[test]
fn same_place_is_not_told_twice() {
    for place in ["127.0.0.1:80", ":80", "unix:/run/a", "fd://3"] {
        refused(&[], &["--bind", place, "--bind=:81", "--bind", place], &[&format!("--bind names {place:?} twice")]);
    }
    refused(&[], &["--bind=:80", "--bind=0.0.0.0:80"], &["--bind names \":80\" twice"]);
    refused(&[("EVLOOP_BIND", "a:1,b:1,a:1")], &[], &["EVLOOP_BIND names \"a:1\" twice"]);
    served(&["--bind=:0", "--bind=:0"]);
    served(&["--port=1", "--port=1"]);
}

#[test]
fn places_of_one_kind_are_told_together() {
    let two = Config::new().bind(inet("0.0.0.0", 1)).bind(Bind::Unix("a".into()));
    assert_eq!(served(&["--bind=:1", "--bind=unix:a"]), Serve { config: two, ..Serve::default() });
    assert_eq!(served(&["--uds=a", "--uds=b"]).config, Config::new().bind(Bind::Unix("b".into())));
    for arguments in [
        ["--uds=a", "--fd=3"],
        ["--uds=a", "--port=1"],
        ["--host=a", "--fd=3"],
        ["--bind=:1", "--port=1"],
        ["--bind=:1", "--uds=a"],
    ] {
        let named = arguments.map(|argument| argument.split('=').next().expect("a split has a first part"));
        refused(&[], &arguments, &[named[0], named[1], "exclude each other"]);
    }
}

#[test]
fn headers_are_fields_that_are_not_the_servers() {
    let header = |name, value| configured(|config| config.header(name, value));
    assert_eq!(served(&["--header", "X-Frame-Options:DENY"]), header("x-frame-options", "DENY"));
    assert_eq!(served(&["--header", "a:\t b c \t"]), header("a", "b c"));
    assert_eq!(served(&["--header", "a:"]), header("a", ""));
    let two = Config::new().header("a", "1").header("a", "2");
    assert_eq!(served(&["--header=a:1", "--header=a:2"]).config, two);
    for name in ["Connection", "content-length", "DATE", "keep-alive", "te", "trailer", "Transfer-Encoding", "upgrade"]
    {
        refused(&[], &["--header", &format!("{name}: a")], &["--header", name, "the server's"]);
    }
    for text in ["a", ":b", "a b:c", "a\n:b", "a: b\r\nc: d", "a:\u{7f}", "ä:b", "(a):b"] {
        refused(&[], &["--header", text], &["--header takes NAME:VALUE"]);
    }
    for (text, reason) in [
        ("X-Frame-Options DENY", "there is no colon"),
        (" : a", "no name has a ' ', as its character 1 is"),
        (":a", "there is no name before the colon"),
        ("a b: c", "no name has a ' ', as its character 2 is"),
        ("ä: b", "no name has a 'ä', as its character 1 is"),
        ("a: b\nc", "no value has a '\\n', as its character 2 is"),
    ] {
        refused(&[], &["--header", text], &[&format!("not {text:?}: {reason}")]);
    }
}

#[test]
fn who_is_believed_is_an_address_a_network_or_a_word() {
    for text in ["*", "unix", "127.0.0.1", "::1", "10.0.0.0/8", "fd00::/8", "0.0.0.0/0", "::/128", "127.0.0.1,unix"] {
        assert_eq!(
            served(&["--forwarded-allow-ips", text]),
            configured(|config| config.forwarded_allow(Some(text.to_owned())))
        );
    }
    for text in
        ["", ",", "localhost", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "unix/8", "**", "a,*"]
    {
        refused(&[], &["--forwarded-allow-ips", text], &["--forwarded-allow-ips takes"]);
    }
    for (text, reason) in [
        (",", "it is empty"),
        ("unix,10.0.0.0/33", "`10.0.0.0/33` has a prefix of more than 32 bits"),
        ("::/129", "`::/129` has a prefix of more than 128 bits"),
        ("10.1.2.3/8", "`10.1.2.3/8` is an address within a network, which is `10.0.0.0/8`"),
        ("127.0.0.1,localhost", "`localhost` is no address, no network"),
        ("10.0.0.0/x", "`10.0.0.0/x` is no address, no network"),
    ] {
        refused(&[], &["--forwarded-allow-ips", text], &[&format!("not {text:?}: {reason}")]);
    }
}

#[test]
fn file_for_the_access_log_is_told_where_the_log_goes() {
    refused(
        &[],
        &["--access-log", "a.log"],
        &["--access-log takes common, json or off, not \"a.log\": it has no file, "],
    );
}

/// Values that the option does not take.
#[rustfmt::skip]
pub(super) const BAD: &[(&str, &[&str])] = &[
    ("dir", &[""]),
    ("host", &["", "[::1]", "127.0.0.1:80", "http://a"]),
    ("port", &["", "70000", "-1", "+80", "80 80", "8e1", "x", "tcp://10.0.0.1:80"]),
    ("uds", &[""]),
    ("fd", &["-1", "3000000000", "x"]),
    ("uds-mode", &["", "abc", "8", "668", "1000", "0o660", "+7", "-1", "u=rw"]),
    ("backlog", &["0", "2147483648"]),
    ("workers", &["0", "65", "auto"]),
    ("threads", &["0", "257", "1.5"]),
    ("accept", &["", "both"]),
    ("pid-file", &[""]),
    ("control", &[""]),
    ("root-path", &["", "api", "/a?b", "/a b", "/a#b", "/a\nb", "/ä"]),
    ("log-level", &["loud"]),
    ("access-log", &["xml"]),
    ("use-colors", &["sometimes"]),
    ("slow-ms", &["0", "0.5"]),
    ("timeout-head", &["0", "-0", "1e-12"]),
    ("timeout-body", &["-1"]),
    ("timeout-write", &["nan"]),
    ("timeout-keep-alive", &["soon", "inf"]),
    ("timeout-graceful-shutdown", &["1e400"]),
    ("timeout-worker", &["0"]),
    ("timeout-worker-start", &["1s"]),
    ("limit-concurrency", &["0"]),
    ("limit-connections", &["1.5"]),
    ("limit-max-requests", &["-3", "18446744073709551616"]),
    ("limit-max-requests-jitter", &["-1", "none"]),
    ("trace", &[""]),
    ("trace-records", &["0", "4194305"]),
];

#[test]
fn what_is_wrong_is_said_in_one_line_that_names_the_option() {
    for (name, values) in BAD {
        for value in *values {
            let dependent = ["--dir=a", "--trace=a", "--limit-max-requests=1"];
            let option = format!("--{name}={value}");
            let mut arguments =
                dependent.into_iter().filter(|other| !other.contains(&format!("--{name}="))).collect::<Vec<_>>();
            arguments.push(&option);
            refused(&[], &arguments, &[&format!("--{name} takes "), &format!("not {value:?}"), "see `evloop --help`"]);
        }
    }
    for row in GROUPS.iter().flat_map(|group| group.rows).filter(|row| row.bare.is_none()) {
        let option = format!("--{}", row.name);
        refused(&[], &[&option], &[&format!("{option} takes ")]);
        refused(&[], &[&option, "--port"], &[&format!("{option} takes ")]);
    }
    for (arguments, named) in [
        (&["--listing=yes"][..], "--listing"),
        (&["--no-access-log=yes"], "--no-access-log"),
        (&["-x"], "-x"),
        (&["serve", "serve"], "serve"),
        (&["two\nlines"], "two"),
        (&["--two\nlines"], "--two\\nlines"),
        (&["--no-port"], "--no-port"),
        (&["--", "--port"], "--port"),
    ] {
        refused(&[], arguments, &[named]);
    }
}

#[test]
fn nearest_name_is_told_to_who_mistypes_one() {
    for (arguments, near) in [
        (&["--prot=1"][..], "(did you mean --port?)"),
        (&["--worker", "2"], "(did you mean --workers?)"),
        (&["--no-date-headers"], "(did you mean --no-date-header?)"),
        (&["--helpp"], "(did you mean --help?)"),
        (&["-w", "2"], "(did you mean --workers?)"),
        (&["-b", ":1"], "(did you mean --bind?)"),
        (&["--max-requests=1"], "(did you mean --limit-max-requests?)"),
        (&["--graceful-timeout=1"], "(did you mean --timeout-graceful-shutdown?)"),
        (&["--reuse-port"], "(did you mean --accept?)"),
        (&["--log-format=json"], "(did you mean --access-log json?)"),
        (&["-t", "30"], "(did you mean --timeout-worker? It is how long a loop may hang, not how long a request"),
        (&["--timeout=30"], "(did you mean --timeout-worker? It is how long a loop may hang"),
        (&["sevre"], "(did you mean serve?)"),
        (&["labs"], "(did you mean lab?)"),
        (&["help"], "(did you mean --help?)"),
        (&["8000"], "(did you mean --port 8000?)"),
        (&["."], "(did you mean --dir .?)"),
        (&["--port=0", "lab"], "a command stands first"),
    ] {
        refused(&[], arguments, &[near]);
    }
    let text = parsed(&["--qqq"]).unwrap_err();
    assert_eq!(text, "there is no option --qqq; see `evloop --help`");
}

#[test]
fn option_of_another_server_that_is_not_here_is_answered_with_what_to_do() {
    for (arguments, told) in [
        (&["--worker-class=uvicorn.workers.UvicornWorker"][..], "each worker is an event loop"),
        (&["-k", "gevent"], "each worker is an event loop"),
        (&["--daemon"], "systemd"),
        (&["-D"], "systemd"),
        (&["--reload"], "cargo watch"),
        (&["--reload-dir=."], "cargo watch"),
        (&["--preload"], "leave it out"),
        (&["--ssl-keyfile=k"], "nginx"),
        (&["--certfile=c"], "nginx"),
        (&["--keyfile", "k"], "nginx"),
        (&["--user", "www"], "User="),
        (&["--group=www"], "Group="),
        (&["--factory"], "evloop::serve::run"),
        (&["--interface=asgi3"], "evloop::serve::run"),
        (&["--loop", "uvloop"], "evloop's own"),
        (&["--http", "httptools"], "evloop's own"),
        (&["--env-file=.env"], "EVLOOP_PORT"),
        (&["-c", "gunicorn.conf.py"], "EVLOOP_PORT"),
        (&["--log-file", "-"], "standard error"),
        (&["--access-logfile=a.log"], "--access-log takes common, json or off: it has no file"),
    ] {
        let option = arguments[0].split('=').next().expect("a split has a first part");
        refused(&[], arguments, &[&format!("there is no option {option}: "), told, "see `evloop --help`"]);
    }
    for word in ["main:app", "my_app.main:create_app()", "app.py", "src/app.py"] {
        refused(&[], &[word], &[&format!("unexpected argument {word:?}: "), "evloop::serve::run"]);
    }
    for word in ["127.0.0.1:80", "main:", ":app", "a b:c", ".py", "main"] {
        let text = parsed(&[word]).expect_err("it is refused");
        assert!(!text.contains("evloop::serve::run"), "{text}");
    }
}

#[test]
fn option_that_is_here_is_not_said_to_be_absent() {
    let rows = || GROUPS.iter().flat_map(|group| group.rows);
    let here = rows().map(|row| format!("--{}", row.name));
    let meant = rows().flat_map(|row| row.elsewhere.iter().copied());
    let meant = meant.map(|name| if name.starts_with('-') { name.to_owned() } else { format!("--{name}") });
    for option in here.chain(meant) {
        assert_eq!((absent::instead(&option), absent::meant(&option)), (None, None), "{option}");
    }
}

proptest! {
    #[test]
    fn any_value_is_taken_or_refused_in_one_line(value in "([a-z0-9.:/\\[\\]%,* =_-]|\\PC|\n){0,12}") {
        for row in GROUPS.iter().flat_map(|group| group.rows) {
            if let Err(text) = parsed(&[&format!("--{}={value}", row.name)]) {
                prop_assert!(text.contains(row.name) && !text.contains('\n'), "{}", text);
            }
            if let Err(text) = parsed_in(&[(&row.variable(), &value)], &[]) {
                prop_assert!(text.contains(&row.variable()) && !text.contains('\n'), "{}", text);
            }
        }
    }
}
