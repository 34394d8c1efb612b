//! Applications below a path, and what answers where there is no route.

use super::{answer, call, exchange, get, handles, plain, poll, written};
use crate::asgi::{self, App, Receive, Scope, Send};
use crate::message::StatusCode;
use crate::router::{Request, Router};
use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;
use std::task::Poll;

/// Tells how it sees the path.
async fn seen(scope: Scope, _: Receive, mut send: Send) -> asgi::Result {
    let text = format!("{} {} {}", scope.root_path(), scope.route_path(), scope.path());
    send.respond(StatusCode::OK, text.as_bytes(), [("content-type", "text/plain; charset=utf-8")])
}

fn named(name: &'static str) -> Router {
    Router::new()
        .get("/", move |_: Request| async move { name })
        .get("/{*rest}", move |request: Request| async move { format!("{name} {}", request.param("rest")) })
}

#[test]
fn mounted_application_sees_its_path_below_its_root() {
    let app = Router::new().mount("/api", seen).mount("/café/menu", seen);
    for (target, shown) in [
        ("/api", "/api  /api"),
        ("/api/", "/api / /api/"),
        ("/api/x%2Fy/z?q", "/api /x%2Fy/z /api/x/y/z"),
        ("/caf%C3%A9/menu/tea", "/café/menu /tea /café/menu/tea"),
    ] {
        assert_eq!(get(&app, target), plain("200 OK", shown), "{target}");
    }
    for target in ["/apis", "/", "/x/api", "/caf%C3%A9", "/api%2Fx"] {
        assert!(get(&app, target).starts_with("HTTP/1.1 404 "), "{target}");
    }
}

#[test]
fn routes_go_before_mounts_and_longer_mounts_before_shorter() {
    let app = Router::new()
        .mount("/", named("all"))
        .mount("/a", named("a"))
        .mount("/a/b", named("ab"))
        .get("/a/route", |_: Request| async { "route" });
    for (target, shown) in [
        ("/a/route", "route"),
        ("/a/route/x", "a route/x"),
        ("/a/b", "ab"),
        ("/a/b/", "ab"),
        ("/a/b/c", "ab c"),
        ("/a/bc", "a bc"),
        ("/b", "all b"),
        ("/", "all"),
    ] {
        assert_eq!(get(&app, target), plain("200 OK", shown), "{target}");
    }
    let wrong_method = answer(&app, "POST /a/route HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(wrong_method.starts_with("HTTP/1.1 405 "), "{wrong_method}");
}

#[test]
fn routers_are_mounted_in_routers() {
    let inner = Router::new().get("/{id}", |request: Request| async move {
        format!("{} {} {}", request.param("id"), request.scope().root_path(), request.path())
    });
    let app = Router::new().mount("/a", Router::new().mount("/b", inner));
    assert_eq!(get(&app, "/a/b/%37"), plain("200 OK", "7 /a/b /a/b/%37"));
    assert_eq!(get(&app, "/a/b"), plain("404 Not Found", "Not Found"));
    let options = answer(&app, "OPTIONS /a/b/7 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(options.contains("allow: GET, HEAD, OPTIONS\r\n"), "{options}");
}

#[test]
fn memory_of_a_mounted_call_serves_the_next_and_its_failure_is_the_routers() {
    let places = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&places);
    let app = Router::new().mount("/m", move |scope: Scope, _: Receive, mut send: Send| {
        let noted = Rc::clone(&noted);
        async move {
            let here = 0_u8;
            noted.borrow_mut().push((&raw const here).addr());
            match scope.route_path() {
                "/waits" => pending().await,
                "/fails" => return Err(crate::error::Error::application("on purpose")),
                _ => std::future::ready(()).await,
            }
            drop(here.to_string());
            send.respond(StatusCode::OK, b"", asgi::NO_FIELDS)
        }
    });
    get(&app, "/m/answers");
    let failing = exchange("GET /m/fails HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(matches!(call(&app, &failing), Poll::Ready(Err(_))));
    assert_eq!(written(&failing), "");
    let waiting = exchange("GET /m/waits HTTP/1.1\r\nHost: a\r\n\r\n");
    let (scope, receive, send) = handles(&waiting);
    let mut call = Box::pin(app.call(scope, receive, send));
    assert!(poll(call.as_mut()).is_pending());
    drop(call);
    get(&app, "/m/answers");
    let places = places.take();
    assert!(places.len() == 4 && places.iter().all(|place| *place == places[0]), "{places:?}");
}

#[test]
#[should_panic(expected = "an application is mounted at `/a` already")]
fn one_application_is_mounted_at_a_path() {
    drop(Router::new().mount("/a", seen).mount("/a", seen));
}

#[test]
#[should_panic(expected = "the path `/a/` of a mount ends with `/`")]
fn mount_does_not_end_with_a_slash() {
    drop(Router::new().mount("/a/", seen));
}

#[test]
#[should_panic(expected = "the path `/{a}` of a mount has a parameter")]
fn mount_has_no_parameters() {
    drop(Router::new().mount("/{a}", seen));
}

#[test]
fn fallback_answers_what_leads_nowhere() {
    let app = Router::new()
        .get("/a", |_: Request| async { "a" })
        .fallback(|request: Request| async move { (StatusCode::NOT_FOUND, format!("no {}", request.path())) })
        .mount("/m", Router::new());
    assert_eq!(get(&app, "/b/c"), plain("404 Not Found", "no /b/c"));
    assert_eq!(answer(&app, "POST /b HTTP/1.1\r\nHost: a\r\n\r\n"), plain("404 Not Found", "no /b"));
    assert_eq!(get(&app, "/a"), plain("200 OK", "a"));
    assert!(answer(&app, "POST /a HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 405 "));
    assert_eq!(get(&app, "/m/x"), plain("404 Not Found", "Not Found"), "the mounted router's own");
    assert!(answer(&app, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").contains("allow: GET, HEAD, OPTIONS\r\n"));
}

#[test]
#[should_panic(expected = "a fall-back already")]
fn there_is_one_fallback() {
    drop(Router::new().fallback(|_: Request| async {}).fallback(|_: Request| async {}));
}
