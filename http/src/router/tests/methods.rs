//! Which handler answers.

use super::{answer, get, plain};
use crate::message::{Method, StatusCode};
use crate::router::{Request, Router};

fn methods() -> Router {
    Router::new()
        .get("/a", |request: Request| async move { format!("{:?}", request.method()) })
        .put("/a", |_: Request| async { "put" })
        .delete("/b", |_: Request| async { "delete" })
        .post("/b", |_: Request| async { "post" })
        .get("/own", |_: Request| async { "get" })
        .route(Method::Head, "/own", |_: Request| async { "of head's own" })
        .route(Method::Options, "/own", |_: Request| async { StatusCode::NO_CONTENT })
}

#[test]
fn unknown_path_is_not_found() {
    for target in ["/", "/c", "/a/", "/a/b", "//a", "/A", "/%41"] {
        assert_eq!(get(&methods(), target), plain("404 Not Found", "Not Found"), "{target}");
    }
    assert_eq!(get(&Router::new(), "/"), plain("404 Not Found", "Not Found"));
}

#[test]
fn other_method_is_not_allowed_and_told_which_are() {
    for (request, allow) in [
        ("POST /a", "GET, PUT, HEAD, OPTIONS"),
        ("GET /b", "DELETE, POST, OPTIONS"),
        ("HEAD /b", "DELETE, POST, OPTIONS"),
        ("X /own", "GET, HEAD, OPTIONS"),
    ] {
        let answer = answer(&methods(), &format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{answer}");
        assert!(answer.contains(&format!("\r\nallow: {allow}\r\n")), "{answer}");
    }
}

#[test]
fn every_method_can_have_a_route() {
    assert!(get(&methods(), "/a?x").ends_with("\r\n\r\nGet"));
    assert!(answer(&methods(), "PUT /a HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("put"));
    assert!(answer(&methods(), "DELETE /b HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("delete"));
    assert!(answer(&methods(), "POST /b HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("post"));
    assert!(answer(&methods(), "OPTIONS /own HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 204 "));
}

#[test]
fn head_goes_to_get_unless_it_has_a_route_of_its_own() {
    let head = answer(&methods(), "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(head.contains("content-length: 4\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    let head = answer(&methods(), "HEAD /own HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(head.contains("content-length: 13\r\n"), "{head}");
}

#[test]
fn options_is_answered_with_the_methods_of_its_path() {
    for (target, allow) in [
        ("/a", "GET, PUT, HEAD, OPTIONS"),
        ("/b", "DELETE, POST, OPTIONS"),
        ("*", "GET, PUT, DELETE, POST, HEAD, OPTIONS"),
    ] {
        let answer = answer(&methods(), &format!("OPTIONS {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(answer, format!("HTTP/1.1 204 No Content\r\nallow: {allow}\r\n\r\n"));
    }
    let unknown = answer(&methods(), "OPTIONS /c HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(unknown, plain("404 Not Found", "Not Found"));
}

#[test]
fn connect_and_trace_are_not_implemented_unless_there_is_a_handler() {
    let nowhere = plain("501 Not Implemented", "Not Implemented");
    let app = methods().fallback(|_: Request| async { "fallback" }).mount("/", Router::new());
    let connect = "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n";
    for app in [methods(), app] {
        assert!(answer(&app, connect).starts_with("HTTP/1.1 501 "));
        for target in ["/a", "/b", "/c"] {
            assert_eq!(answer(&app, &format!("TRACE {target} HTTP/1.1\r\nHost: a\r\n\r\n")), nowhere);
        }
    }
    let app = Router::new().route(Method::Trace, "/a", |_: Request| async { "traced" }).any("/", |_: Request| async {});
    assert!(answer(&app, "TRACE /a HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("traced"));
    assert!(answer(&app, connect).starts_with("HTTP/1.1 501 "));
    let app =
        app.route(Method::Connect, "/", |request: Request| async move { request.scope().head().target().to_owned() });
    assert!(answer(&app, connect).ends_with("a:80"));
}

#[test]
fn any_answers_what_has_no_handler_of_its_own() {
    let app = Router::new()
        .any("/", |request: Request| async move { request.scope().head().method_str().to_owned() })
        .post("/", |_: Request| async { "of post's own" });
    for method in ["GET", "PUT", "OPTIONS", "TRACE", "PURGE", "get"] {
        let answer = answer(&app, &format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(answer, plain("200 OK", method));
    }
    assert!(answer(&app, "POST / HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("of post's own"));
    assert!(answer(&app, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").contains("content-length: 4\r\n"));
}

#[test]
fn methods_of_other_names_are_routed_by_their_text() {
    let app = Router::new().route_named("PURGE", "/a", |_: Request| async { "purged" }).route_named(
        "GET",
        "/a",
        |_: Request| async { "got" },
    );
    assert!(answer(&app, "PURGE /a HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("purged"));
    assert!(get(&app, "/a").ends_with("got"));
    let other = answer(&app, "purge /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(other.starts_with("HTTP/1.1 405 ") && other.contains("allow: GET, PURGE, HEAD, OPTIONS\r\n"), "{other}");
}

#[test]
#[should_panic(expected = "is routed by its text")]
fn method_without_a_name_is_not_routed() {
    drop(Router::new().route(Method::Other, "/", |_: Request| async {}));
}

#[test]
#[should_panic(expected = "`A B` is no method")]
fn method_that_no_request_can_have_is_not_routed() {
    drop(Router::new().route_named("A B", "/", |_: Request| async {}));
}

#[test]
#[should_panic(expected = "PURGE / has a handler already")]
fn method_of_another_name_has_one_handler() {
    let purge = |_: Request| async {};
    drop(Router::new().route_named("PURGE", "/", purge).route_named("PURGE", "/", purge));
}

#[test]
#[should_panic(expected = "any method on / has a handler already")]
fn path_has_one_handler_for_any_method() {
    drop(Router::new().any("/", |_: Request| async {}).any("/", |_: Request| async {}));
}

#[test]
#[should_panic(expected = "GET /{b} has a handler already")]
fn path_that_differs_in_the_name_of_a_parameter_is_the_same() {
    drop(Router::new().get("/{a}", |_: Request| async { "" }).get("/{b}", |_: Request| async { "" }));
}
