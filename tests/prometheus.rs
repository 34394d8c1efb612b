//! What is answered at `/metrics` is read by a strict reader, and is what the loop says.

#![allow(clippy::float_cmp, reason = "numbers are written such that the same are read")]
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{manual, ms, observed};
use evloop::http::Router;
use evloop::http::metrics::Prometheus;
use evloop::http::testing::TestClient;
use evloop::observe::Histograms;
use evloop::{Handle, Runtime, turn};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The values of all samples, by their names with labels; a text that the format does not allow fails.
///
/// Of the format 0.0.4: each family has one HELP and one TYPE, in this order, and right behind them all of its samples, none
/// of them twice; names and labels are of their alphabets; the last line ends.
fn read(text: &str) -> BTreeMap<String, f64> {
    let (mut samples, mut families) = (BTreeMap::new(), BTreeSet::new());
    let (mut helped, mut family) = (None, None::<(String, String)>);
    assert!(text.ends_with('\n'), "the last line ends");
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(is_name(name) && help.ends_with('.'), "{line}");
            assert!(families.insert(name.to_owned()), "{name} comes twice");
            (helped, family) = (Some(name.to_owned()), None);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(helped.take().as_deref(), Some(name), "TYPE follows HELP");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(["counter", "gauge", "summary"].contains(&kind), "{line}");
            family = Some((name.to_owned(), kind.to_owned()));
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = sample.split_once('{').map_or((sample, None), |(name, rest)| (name, Some(rest)));
            let (family, kind) = family.as_ref().unwrap();
            let part = name.strip_prefix(&**family).expect("a sample stands with its family");
            assert!(part.is_empty() || kind == "summary" && ["_sum", "_count"].contains(&part), "{line}");
            if let Some(labels) = labels {
                check_labels(labels.strip_suffix('}').unwrap());
            }
            let value: f64 = value.parse().unwrap();
            assert!(value.is_finite() && value >= 0.0, "{line}");
            assert!(samples.insert(sample.to_owned(), value).is_none(), "{sample} comes twice");
        }
    }
    samples
}

fn is_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// `name="value"`, with commas between; a value has its backslashes, quotation marks and line feeds escaped.
fn check_labels(mut labels: &str) {
    loop {
        let (name, rest) = labels.split_once("=\"").unwrap();
        assert!(is_name(name), "{name}");
        let mut bytes = rest.bytes().enumerate();
        let end = loop {
            match bytes.next().expect("a value ends") {
                (_, b'\\') => assert!(matches!(bytes.next(), Some((_, b'\\' | b'"' | b'n')))),
                (end, b'"') => break end,
                _ => {}
            }
        };
        match &rest[end + 1..] {
            "" => return,
            more => labels = more.strip_prefix(',').unwrap(),
        }
    }
}

#[test]
fn answer_is_in_the_text_format_and_says_what_the_loop_says() {
    manual().block_on(async {
        evloop::time::sleep(ms(1_500)).await;
        evloop::spawn_blocking(|| ()).await.unwrap();
        let client = TestClient::new(Router::new().get("/metrics", Prometheus::new()));
        let before = turn::metrics();
        let response = client.get("/metrics").send().await;
        let after = turn::metrics();
        assert_eq!(response.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let samples = read(response.text());
        let between = |name: &str, before: u64, after: u64| {
            let told = samples[name];
            assert!((before..=after).any(|value| told == f64::from(u32::try_from(value).unwrap())), "{name} {told}");
        };
        between("evloop_turns_total", before.turns, after.turns);
        between("evloop_events_total", before.events, after.events);
        between("evloop_polls_total", before.polls, after.polls);
        between("evloop_wakes_total{cause=\"spawn\"}", before.wakes.spawn, after.wakes.spawn);
        between("evloop_wakes_total{cause=\"task\"}", before.wakes.task, after.wakes.task);
        between("evloop_timers_set_total", before.timers.set, after.timers.set);
        let exact = [
            ("evloop_wakes_total{cause=\"timer\"}", 1.0),
            ("evloop_timers_fired_total", 1.0),
            ("evloop_timers_late_seconds_total", 0.0),
            ("evloop_asleep_seconds_total", 1.5),
            ("evloop_connections_total", 1.0),
            ("evloop_connections_open", 1.0),
            ("evloop_requests_open", 1.0),
            ("evloop_pool_threads", 1.0),
            ("evloop_pool_jobs_submitted_total{class=\"general\"}", 1.0),
            ("evloop_pool_jobs_submitted_total{class=\"files\"}", 0.0),
        ];
        for (name, value) in exact {
            assert_eq!(samples.get(name), Some(&value), "{name}");
        }
    });
}

#[test]
fn several_loops_are_told_apart_by_a_label_whatever_is_in_their_names() {
    let loops = [Runtime::new().unwrap(), Runtime::new().unwrap()];
    loops[0].block_on(async {});
    let handles = loops.each_ref().map(|runtime| runtime.enter(Handle::current));
    let [first, second] = handles;
    let text = Prometheus::new().with_loop("a \"b\" \\\n", first).with_loop("two", second).text();
    let samples = read(&text);
    assert_eq!(samples["evloop_polls_total{loop=\"a \\\"b\\\" \\\\\\n\"}"], 1.0);
    assert_eq!(samples["evloop_wakes_total{loop=\"two\",cause=\"outside\"}"], 0.0);
    assert_eq!(text.matches("# TYPE evloop_polls_total").count(), 1);
}

#[test]
fn histograms_are_told_as_summaries() {
    let histograms = Rc::new(Histograms::new());
    let prometheus = Prometheus::new().with_histograms(histograms.reader());
    let samples = observed(histograms).block_on(async {
        evloop::future::yield_now().await;
        read(&prometheus.text())
    });
    assert_eq!(samples["evloop_poll_seconds_count"], 1.0);
    assert_eq!(samples["evloop_wake_delay_seconds_count"], 2.0);
    assert_eq!(samples["evloop_wake_delay_seconds{quantile=\"0.99\"}"], 0.0);
}

#[test]
fn process_is_told_by_the_names_that_all_clients_have() {
    let samples = manual().block_on(async { read(&Prometheus::new().text()) });
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let started = samples["process_start_time_seconds"];
    assert!(started > 1e9 && started <= now + 1.0, "{started} of {now}");
    assert!(samples["process_open_fds"] >= 3.0 && samples["process_open_fds"] <= samples["process_max_fds"]);
    assert!(samples["process_resident_memory_bytes"] < samples["process_virtual_memory_bytes"]);
    assert!(samples["process_threads"] >= 1.0 && samples.contains_key("process_cpu_seconds_total"));
}
