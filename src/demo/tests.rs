//! The routes of the live page.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use super::live::VIEWERS_MAX;
use super::numbers::PATIENCE;
use super::*;
use evloop::http::testing::{StreamingResponse, TestClient, drive, drive_with};
use evloop::sync::CancellationToken;
use evloop::turn;
use serde_json::Value;
use std::rc::Rc;

/// Looks on at a demo of its own, by a clock that moves by hand.
fn with_demo(test: impl AsyncFnOnce(TestClient, Live)) {
    let stopping = CancellationToken::new();
    let live = Live::new(stopping.clone());
    drive_with(|server| server.stopping(stopping), app(&live), async |client| test(client, live).await);
}

async fn look(client: &TestClient) -> StreamingResponse {
    client.get("/live").send_streaming().await
}

/// The next event, without what stands around it.
async fn event(events: &mut StreamingResponse) -> Value {
    let mut text = String::new();
    while !text.contains("data: ") || !text.ends_with("\n\n") {
        let piece = events.piece().await.expect("the stream goes on");
        text.push_str(std::str::from_utf8(&piece).expect("events are text"));
    }
    let data = text.rsplit("data: ").next().expect("a split has a last part");
    serde_json::from_str(data).expect("an event is JSON")
}

#[test]
fn page_comes_with_its_style_and_script_and_a_policy_that_lets_in_nothing_else() {
    with_demo(async |client, _| {
        let page = client.get("/").header("accept", "text/html").send().await;
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"), "{policy}");
        for (path, content_type) in [("/page.css", "text/css"), ("/page.js", "text/javascript")] {
            assert!(page.text().contains(&format!("\"{path}\"")), "the page asks for {path}");
            let asset = client.get(path).send().await;
            assert_eq!(asset.header("content-type"), Some(format!("{content_type}; charset=utf-8").as_str()));
            let etag = asset.header("etag").unwrap();
            let again = client.get(path).header("if-none-match", etag).send().await;
            assert_eq!((again.status(), again.header("etag")), (StatusCode::NOT_MODIFIED, Some(etag)));
            let other = client.get(path).header("if-none-match", "\"0\"").send().await;
            assert_eq!(other.text(), asset.text());
        }
    });
}

#[test]
fn health_says_when_the_server_begins_to_stop() {
    let stopping = CancellationToken::new();
    drive(app(&Live::new(stopping.clone())), async |client| {
        let well = client.get("/health").send().await;
        assert_eq!((well.status(), well.text()), (StatusCode::OK, "ok\n"));
        assert_eq!(well.header("cache-control"), Some("no-store"));
        stopping.cancel();
        let ill = client.get("/health").send().await;
        assert_eq!((ill.status(), ill.text()), (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"));
    });
}

#[test]
fn events_tell_of_the_loop_ten_times_a_second() {
    with_demo(async |client, _| {
        let mut events = look(&client).await;
        assert_eq!(events.header("content-type"), Some("text/event-stream"));
        assert_eq!(events.header("cache-control"), Some("no-store"));
        let first = event(&mut events).await;
        assert_eq!((&first["at_ms"], &first["span"]), (&json!(100), &json!(100_000)));
        assert_eq!(first["served"]["open"], 1);
        assert_eq!((&first["ticker"], &first["slow"]), (&Value::Null, &json!([])));
        let second = event(&mut events).await;
        assert_eq!((&second["at_ms"], &second["cost"]["viewers"]), (&json!(200), &json!(1)));
        assert!(second["cost"]["bytes"].as_u64().is_some_and(|bytes| bytes > 300), "{second}");
        let parts = second["parts"].as_object().unwrap().values();
        assert_eq!(parts.map(|part| part.as_u64().unwrap()).sum::<u64>(), 100_000, "the parts are the whole: {second}");
        assert_eq!((&second["parts"]["run"], &second["lag"]["late"]), (&json!(0), &json!(0)), "{second}");
    });
}

#[test]
fn whoever_looks_is_seen_by_nobody_once_the_last_has_gone() {
    with_demo(async |client, live| {
        let (mut first, mut second) = (look(&client).await, look(&client).await);
        event(&mut first).await;
        assert_eq!(event(&mut second).await["cost"]["viewers"], 2, "both are told by one ticker");
        let gauge = Rc::downgrade(&live.session().expect("somebody looks").gauge);
        drop(first);
        sleep(Duration::from_millis(500)).await;
        assert!(gauge.upgrade().is_some());
        let tasks = turn::metrics().tasks;
        drop(second);
        sleep(Duration::from_millis(500)).await;
        assert!(live.session().is_none());
        assert!(gauge.upgrade().is_none(), "the loop has no observer left");
        assert!(turn::metrics().tasks <= tasks - 2, "neither connection nor ticker is left");
    });
}

#[test]
fn viewers_are_bounded_and_one_that_goes_makes_room() {
    with_demo(async |client, _| {
        let mut viewers = Vec::new();
        for _ in 0..VIEWERS_MAX {
            let viewer = look(&client).await;
            assert_eq!(viewer.status(), StatusCode::OK);
            viewers.push(viewer);
        }
        let refused = client.get("/live").send().await;
        assert_eq!((refused.status(), refused.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, Some("5")));
        viewers.pop();
        sleep(Duration::from_millis(500)).await;
        assert_eq!(look(&client).await.status(), StatusCode::OK);
    });
}

#[test]
fn server_that_stops_does_not_wait_for_pages_that_are_open() {
    with_demo(async |client, live| {
        let mut events = look(&client).await;
        event(&mut events).await;
        let before = evloop::time::now();
        assert_eq!(client.stop().await, 0, "no request had to be cut");
        assert!(evloop::time::now() - before < Duration::from_secs(5));
        while events.piece().await.is_some() {}
        assert!(live.session().is_none());
    });
}

#[test]
fn sleepers_are_seen_in_the_wheel_until_they_wake() {
    with_demo(async |client, _| {
        let mut events = look(&client).await;
        event(&mut events).await;
        assert_eq!(client.post("/sleepers?n=1000").send().await.text(), "1000 tasks sleep, up to 20 s\n");
        let full = event(&mut events).await;
        assert_eq!((&full["sleepers"], &full["tasks"]["spawned"]), (&json!(1000), &json!(1001)), "and a connection");
        let armed = full["timers"]["armed"].as_u64().unwrap();
        assert!(armed >= 1000, "{armed}");
        let levels = full["wheel"]["levels"].as_array().unwrap().iter();
        let in_slots: u64 = levels
            .map(|level| {
                let slots = level.as_array().unwrap().chunks(2);
                slots.map(|slot| slot[1].as_u64().unwrap()).sum::<u64>()
            })
            .sum();
        assert_eq!(in_slots, armed, "each timer is in a slot");
        sleep(Duration::from_secs(20)).await;
        event(&mut events).await; // of before
        while event(&mut events).await["sleepers"] != 0 {}
    });
}

#[test]
fn sleepers_are_bounded() {
    with_demo(async |client, _| {
        for wrong in ["", "?n=", "?n=0", "?n=-1", "?n=x", "?n=10001", "?n=99999999999999999999"] {
            assert_eq!(
                client.post(&format!("/sleepers{wrong}")).send().await.status(),
                StatusCode::BAD_REQUEST,
                "{wrong}"
            );
        }
        assert_eq!(client.post("/sleepers?n=10000").send().await.status(), StatusCode::OK);
        assert_eq!(client.post("/sleepers?n=1").send().await.status(), StatusCode::TOO_MANY_REQUESTS);
        sleep(Duration::from_secs(20)).await;
        assert_eq!(client.post("/sleepers?n=1").send().await.status(), StatusCode::OK);
    });
}

#[test]
fn clock_ticks_while_it_is_wanted_and_somebody_looks() {
    with_demo(async |client, _| {
        assert_eq!(client.post("/ticker?on=1").send().await.status(), StatusCode::CONFLICT);
        let mut events = look(&client).await;
        for _ in 0..2 {
            assert_eq!(client.post("/ticker?on=1").send().await.text(), "it ticks\n");
        }
        event(&mut events).await;
        let ticks = event(&mut events).await["ticker"].clone();
        assert!(ticks.as_array().is_some_and(|late| late.len() == 5 && late.iter().all(|late| *late == 0)), "{ticks}");
        assert_eq!(client.post("/ticker?on=0").send().await.text(), "it stands still\n");
        event(&mut events).await;
        assert_eq!(event(&mut events).await["ticker"], Value::Null);
        assert_eq!(client.post("/ticker?on=2").send().await.status(), StatusCode::BAD_REQUEST);
    });
}

#[test]
fn how_long_polls_take_is_kept_while_somebody_asks_for_it() {
    with_demo(async |client, _| {
        let polls = async || -> u64 {
            let answer = client.get("/metrics").send().await;
            let count = answer.text().lines().find_map(|line| line.strip_prefix("evloop_poll_seconds_count "));
            count.expect("it is told").parse().unwrap()
        };
        assert_eq!(polls().await, 0, "nobody looked on");
        sleep(PATIENCE * 9 / 10).await;
        let tasks = turn::metrics().tasks; // with no connection
        let seen = polls().await;
        assert!(seen > 0);
        sleep(PATIENCE * 9 / 10).await;
        assert_eq!(turn::metrics().tasks, tasks, "it was asked for again meanwhile");
        let seen = seen.max(polls().await);
        sleep(PATIENCE * 2).await;
        assert_eq!(turn::metrics().tasks, tasks - 1, "nobody has asked any more");
        sleep(Duration::from_millis(1)).await;
        let last = polls().await;
        assert!(last >= seen && polls().await > last, "what was kept is kept, and goes on");
    });
}

#[test]
fn other_sites_press_no_buttons_and_see_nothing() {
    drive(app(&Live::new(CancellationToken::new())), async |client| {
        for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "http://example.com")] {
            for target in ["/sleepers?n=1", "/ticker?on=1"] {
                let refused = client.post(target).header(name, value).send().await;
                assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{target} {name}");
            }
            assert_eq!(client.get("/live").header(name, value).send().await.status(), StatusCode::FORBIDDEN);
        }
    });
}
