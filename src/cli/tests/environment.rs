//! The options of `serve`, as variables of the environment.

use super::serve::{BAD, each};
use super::*;
use evloop::serve::{Bind, Config};
use std::os::unix::ffi::OsStringExt;

fn variable(name: &str) -> String {
    format!("EVLOOP_{}", name.to_uppercase().replace('-', "_"))
}

fn bound(host: &str, port: u16) -> Config {
    Config::new().bind(Bind::Inet(host.to_owned(), port))
}

#[test]
fn every_option_is_a_variable() {
    for (name, value, wanted) in each() {
        assert_eq!(served_in(&[(&variable(name), value)], &[]), wanted, "{name}");
        assert_eq!(served_in(&[(&variable(name), "")], &[]), Serve::default(), "{name}: empty is not set");
    }
}

#[test]
fn bad_value_is_told_by_the_name_of_its_variable() {
    for (name, values) in BAD {
        for value in values.iter().filter(|value| !value.is_empty()) {
            let variable = variable(name);
            refused(&[(&variable, value)], &[], &[&format!("{variable} takes "), &format!("not {value:?}")]);
        }
    }
    let no_text = OsString::from_vec(vec![0xff]);
    for name in ["EVLOOP_PORT", "EVLOOP_HOST", "EVLOOP_LISTING", "EVLOOP_HEADER"] {
        let error = parse([], [(name.into(), no_text.clone())]).expect_err(name);
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn flags_take_the_words_that_people_write() {
    for (value, wanted) in [("1", true), ("true", true), ("Yes", true), ("ON", true)].into_iter().chain([
        ("0", false),
        ("False", false),
        ("no", false),
        ("off", false),
    ]) {
        assert_eq!(served_in(&[("EVLOOP_LISTING", value)], &[]).listing, wanted, "{value}");
    }
    refused(&[("EVLOOP_LISTING", "maybe")], &[], &["EVLOOP_LISTING", "1, true, yes or on", "0, false, no or off"]);
    assert_eq!(served_in(&[("EVLOOP_ACCESS_LOG", "0")], &[]), served(&["--no-access-log"]));
    assert_eq!(served_in(&[("EVLOOP_USE_COLORS", "1")], &[]), served(&["--use-colors"]));
    assert_eq!(served_in(&[("EVLOOP_USE_COLORS", "no")], &[]), served(&["--no-use-colors"]));
}

#[test]
fn command_line_wins() {
    let environment = [("EVLOOP_HOST", "::1"), ("EVLOOP_PORT", "1"), ("EVLOOP_PIN_CPUS", "1")];
    assert_eq!(served_in(&environment, &["--port=2", "--no-pin-cpus"]).config, bound("::1", 2));
    // What it overrules is not looked at: a way out for who cannot change the environment.
    assert_eq!(served_in(&[("EVLOOP_PORT", "tcp://10.0.0.1:80")], &["--port=2"]).config, bound("127.0.0.1", 2));
    // Values of one option are not mixed.
    let header = Config::new().header("b", "2");
    assert_eq!(served_in(&[("EVLOOP_HEADER", "a: 1")], &["--header=b: 2"]).config, header);
}

#[test]
fn place_of_the_command_line_takes_that_of_the_environment() {
    let environment = [("EVLOOP_HOST", "::1"), ("EVLOOP_PORT", "1")];
    assert_eq!(served_in(&environment, &["--uds=a"]).config, Config::new().bind(Bind::Unix("a".into())));
    assert_eq!(served_in(&environment, &["--bind=:2"]).config, bound("0.0.0.0", 2));
    assert_eq!(served_in(&[("EVLOOP_BIND", "unix:a")], &["--port=2"]).config, bound("127.0.0.1", 2));
    let both = [("EVLOOP_UDS", "a"), ("EVLOOP_PORT", "1")];
    refused(&both, &[], &["EVLOOP_UDS", "EVLOOP_PORT", "exclude each other"]);
}

#[test]
fn several_values_are_split() {
    let two = Config::new().bind(Bind::Inet("0.0.0.0".to_owned(), 1)).bind(Bind::Unix("a".into()));
    assert_eq!(served_in(&[("EVLOOP_BIND", " :1 ,\n unix:a,")], &[]).config, two);
    let two = Config::new().header("a", "1, 2").header("b", "3");
    assert_eq!(served_in(&[("EVLOOP_HEADER", "a: 1, 2\nb: 3\n")], &[]).config, two);
}

#[test]
fn web_concurrency_is_the_number_of_workers_unless_ours_is_set() {
    let workers = |number| Config::new().workers(number);
    assert_eq!(served_in(&[("WEB_CONCURRENCY", "3")], &[]).config, workers(3));
    assert_eq!(served_in(&[("WEB_CONCURRENCY", "3"), ("EVLOOP_WORKERS", "2")], &[]).config, workers(2));
    assert_eq!(served_in(&[("WEB_CONCURRENCY", "3")], &["--workers=4"]).config, workers(4));
    refused(&[("WEB_CONCURRENCY", "many")], &[], &["WEB_CONCURRENCY takes a number from 1 to 64", "\"many\""]);
}

#[test]
fn variables_of_kubernetes_are_told_from_ours() {
    let hint = "Kubernetes sets this for a service named evloop";
    refused(&[("EVLOOP_PORT", "tcp://10.0.0.1:80")], &[], &["EVLOOP_PORT takes a number", hint]);
    let others = [("EVLOOP_SERVICE_HOST", "10.0.0.1"), ("EVLOOP_PORT_80_TCP", "tcp://10.0.0.1:80")];
    assert_eq!(served_in(&others, &[]), Serve::default());
}

#[test]
fn what_means_nothing_is_no_mistake() {
    let environment = [("EVLOOP_LISTING", "1"), ("EVLOOP_TRACE_RECORDS", "7")];
    let serve = served_in(&environment, &[]);
    assert!(serve.listing && serve.trace_records == 7 && serve.warnings.is_empty());
    assert_eq!(served_in(&[("EVLOOP_TRACE", "t")], &["--trace-records=7"]).trace_records, 7);
}

#[test]
fn unknown_variable_is_warned_of_with_the_nearest_name() {
    let warned = |name: &str| served_in(&[(name, "1")], &[]).warnings;
    assert_eq!(warned("EVLOOP_PROT"), ["the variable EVLOOP_PROT means nothing to evloop (did you mean EVLOOP_PORT?)"]);
    assert_eq!(warned("EVLOOP_POOL_THREAD").len(), 1);
    assert_eq!(warned("EVLOOP_QQQ"), ["the variable EVLOOP_QQQ means nothing to evloop"]);
    assert_eq!(warned("EVLOOP_A\nB"), ["the variable EVLOOP_A\\nB means nothing to evloop"]);
    for ours in ["EVLOOP_POOL_THREADS", "EVLOOP_SEED", "EVLOOP_SEEDS", "EVLOOP_ROLE", "PORT", "UVICORN_PORT"] {
        assert!(warned(ours).is_empty(), "{ours}");
    }
    // That has to be true to count, which others look at.
    let claims = [("EVLOOP_ROLE", "worker:1:1"), ("EVLOOP_PROT", "1")];
    assert_eq!(served_in(&claims, &[]).warnings.len(), 1);
}

#[test]
fn other_commands_do_not_look_at_it() {
    let environment = [("EVLOOP_PORT", "x")];
    assert_eq!(parsed_in(&environment, &["lab"]), parsed(&["lab"]));
    assert_eq!(parsed_in(&environment, &["--help"]), parsed(&["--help"]));
}
