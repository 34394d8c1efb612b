//! Command lines, and what they become.

use super::*;
use evloop::http::access_log::AccessLog;
use evloop::http::limits::Timeouts;
use log::LevelFilter;
use std::time::Duration;

fn parsed(arguments: &[&str]) -> Result<Command, String> {
    parse(arguments.iter().map(OsString::from)).map_err(|error| error.to_string())
}

fn served(arguments: &[&str]) -> Serve {
    match parsed(arguments) {
        Ok(Command::Serve(serve)) => *serve,
        other => panic!("{arguments:?} became {other:?}"),
    }
}

#[test]
fn no_arguments_serve_with_the_defaults() {
    assert_eq!(served(&[]), Serve::default());
    assert_eq!(served(&["serve"]), Serve::default());
}

#[test]
fn options_are_read_in_both_spellings() {
    let place = Place::Inet("::1".to_owned(), 0);
    let wanted = Serve { place, log_level: LevelFilter::Debug, ..Serve::default() };
    assert_eq!(served(&["serve", "--host", "::1", "--port=0", "--log-level", "debug"]), wanted);
    assert_eq!(served(&["--port", "0", "--log-level=DEBUG", "--host=::1", "serve"]), wanted);
}

#[test]
fn every_option_finds_its_place() {
    let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
    let arguments = [
        "--dir=/srv",
        "--listing",
        "--backlog=7",
        "--access-log=json",
        "--slow-ms=250",
        "--timeout-head=1",
        "--timeout-body=0.5",
        "--timeout-write=none",
        "--timeout-keep-alive=65",
        "--timeout-graceful-shutdown=none",
        "--limit-concurrency=3",
        "--limit-connections=4",
        "--limit-max-requests=5",
        "--trace-records=6",
        "--trace=/tmp/trace.json",
    ];
    let wanted = Serve {
        dir: Some("/srv".into()),
        listing: true,
        backlog: 7,
        access_log: AccessLog::Json,
        slow_ms: Some(250),
        timeouts: Timeouts { head: seconds(1.0), body: seconds(0.5), write: None, keep_alive: seconds(65.0) },
        graceful: None,
        concurrency_max: Some(3),
        connections_max: Some(4),
        requests_max: Some(5),
        trace: Some("/tmp/trace.json".into()),
        trace_records: 6,
        ..Serve::default()
    };
    assert_eq!(served(&arguments), wanted);
    assert_eq!(served(&["--limit-concurrency=none"]), Serve::default());
    assert_eq!(served(&["--slow-ms=none"]).slow_ms, None);
    for arguments in [["--no-access-log", "--access-log=json"], ["--access-log=json", "--no-access-log"]] {
        assert_eq!(served(&arguments).access_log, AccessLog::Off);
    }
}

#[test]
fn one_place_is_listened_on() {
    assert_eq!(served(&["--uds=/run/a"]).place, Place::Unix("/run/a".into()));
    assert_eq!(served(&["--fd=3"]).place, Place::Inherited(3));
    for arguments in [["--uds=a", "--fd=3"], ["--uds=a", "--port=1"], ["--host=a", "--fd=3"]] {
        let text = parsed(&arguments).unwrap_err();
        assert!(text.contains("exclude each other"), "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_in_one_line_that_names_the_option() {
    for (arguments, named) in [
        (&["--port", "70000"][..], "--port"),
        (&["--port", "-1"], "--port"),
        (&["--port"], "--port"),
        (&["--host="], "--host"),
        (&["--uds="], "--uds"),
        (&["--fd=-1"], "--fd"),
        (&["--fd=3000000000"], "--fd"),
        (&["--backlog=0"], "--backlog"),
        (&["--log-level", "loud"], "--log-level"),
        (&["--access-log", "xml"], "--access-log"),
        (&["--slow-ms=0"], "--slow-ms"),
        (&["--slow-ms=0.5"], "--slow-ms"),
        (&["--timeout-head=0"], "--timeout-head"),
        (&["--timeout-body=-1"], "--timeout-body"),
        (&["--timeout-write=nan"], "--timeout-write"),
        (&["--timeout-keep-alive=soon"], "--timeout-keep-alive"),
        (&["--timeout-graceful-shutdown=1e400"], "--timeout-graceful-shutdown"),
        (&["--limit-concurrency=0"], "--limit-concurrency"),
        (&["--limit-connections=1.5"], "--limit-connections"),
        (&["--limit-max-requests=-3"], "--limit-max-requests"),
        (&["--trace="], "--trace"),
        (&["--trace-records=4"], "--trace-records"),
        (&["--trace=a", "--trace-records=0"], "--trace-records"),
        (&["--trace=a", "--trace-records=4194305"], "--trace-records"),
        (&["--listing"], "--listing"),
        (&["--no-access-log=yes"], "--no-access-log"),
        (&["--colour"], "--colour"),
        (&["-x"], "-x"),
        (&["server"], "server"),
        (&["serve", "serve"], "serve"),
        (&["two\nlines"], "two"),
    ] {
        let text = parsed(arguments).expect_err(named);
        assert!(text.contains(named) && !text.contains('\n'), "{text}");
    }
}

#[test]
fn help_names_every_option() {
    let Ok(Command::Print(help)) = parsed(&["--help"]) else { panic!("help is printed") };
    for option in [
        "--dir",
        "--listing",
        "--host",
        "--port",
        "--uds",
        "--fd",
        "--backlog",
        "--log-level",
        "--no-access-log",
        "--access-log",
        "--slow-ms",
        "--timeout-head",
        "--timeout-body",
        "--timeout-write",
        "--timeout-keep-alive",
        "--timeout-graceful-shutdown",
        "--limit-concurrency",
        "--limit-connections",
        "--limit-max-requests",
        "--trace",
        "--trace-records",
        "--help",
        "--version",
    ] {
        assert!(help.contains(option), "{option}");
    }
}

#[test]
fn commands_that_draw_are_read() {
    let lab = |name: Option<&str>, svg| Ok(Command::Lab(Lab { name: name.map(str::to_owned), svg }));
    assert_eq!(parsed(&["lab"]), lab(None, Svg::Named));
    assert_eq!(parsed(&["lab", "pool"]), lab(Some("pool"), Svg::Named));
    assert_eq!(parsed(&["lab", "--svg=-", "pool"]), lab(Some("pool"), Svg::Nowhere));
    assert_eq!(parsed(&["lab", "pool", "--svg", "a.svg"]), lab(Some("pool"), Svg::File("a.svg".into())));

    let trace = |turns, svg: Option<&str>| {
        Ok(Command::Trace(TraceView { file: "t".into(), turns, svg: svg.map(PathBuf::from) }))
    };
    assert_eq!(parsed(&["trace", "t"]), trace(Turns::Longest, None));
    assert_eq!(parsed(&["trace", "t", "--turns=last"]), trace(Turns::Last, None));
    assert_eq!(parsed(&["trace", "t", "--svg=-"]), trace(Turns::Longest, None));
    assert_eq!(parsed(&["trace", "--turns", "3..17", "t", "--svg=o"]), trace(Turns::Range(3..=17), Some("o")));

    let why = Why { file: "t".into(), tasks: ["a".to_owned(), "b".to_owned()] };
    assert_eq!(parsed(&["why", "t", "a", "b"]), Ok(Command::Why(why)));
}

#[test]
fn what_is_wrong_with_commands_that_draw_is_said_in_one_line() {
    for (arguments, named) in [
        (&["lab", "--svg", "a"][..], "--svg"),
        (&["lab", "a", "b"], "b"),
        (&["trace"], "trace takes"),
        (&["trace", "a", "b"], "b"),
        (&["trace", "a", "--turns=17..3"], "--turns"),
        (&["trace", "a", "--turns=3"], "--turns"),
        (&["trace", "a", "--svg="], "--svg"),
        (&["why", "a", "b"], "two tasks"),
        (&["why", "a", "b", "c", "d"], "d"),
        (&["why", "a", "--svg=b"], "--svg"),
    ] {
        let text = parsed(arguments).expect_err(named);
        assert!(text.contains(named) && !text.contains('\n'), "{text}");
    }
    for (arguments, command) in [
        (&["--colour"][..], "evloop"),
        (&["lab", "--colour"], "evloop lab"),
        (&["trace"], "evloop trace"),
        (&["why"], "evloop why"),
        (&["step", "a", "b"], "evloop step"),
    ] {
        let text = parsed(arguments).expect_err(command);
        assert!(text.ends_with(&format!("; see `{command} --help`")), "{text}");
    }
    for command in ["lab", "trace", "why"] {
        let Ok(Command::Print(help)) = parsed(&[command, "--help"]) else { panic!("{command} has help") };
        assert!(help.contains(&format!("evloop {command}")), "{help}");
        assert!(help.lines().all(|line| line.len() <= 80), "{help}");
    }
}
