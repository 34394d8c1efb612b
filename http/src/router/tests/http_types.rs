//! From and to the types of the `http` crate.

use super::{answer, get, plain};
use crate::asgi::{Receive, Result};
use crate::error::Error;
use crate::message::{Method, StatusCode, Version};
use crate::router::{Request, Router};

#[test]
fn request_becomes_one_of_the_http_crate() {
    async fn show(request: Request) -> Result<String> {
        let mut request: http::Request<Receive> = request.try_into()?;
        let body = request.body_mut().piece().await?.expect("the body is not empty");
        Ok(format!("{request:?} {body:?}").split_once(", body").map_or(String::new(), |(head, _)| head.to_owned()))
    }
    let app = Router::new().route_named("PURGE", "/a", show);
    let request = "PURGE /a?b=c HTTP/1.0\r\nHost: d\r\nX-A: 1\r\nx-a: \u{e9}\r\nContent-Length: 1\r\n\r\nx";
    let shown = r#"method: PURGE, uri: /a?b=c, version: HTTP/1.0, headers: {"host": "d", "x-a": "1", "x-a": "\xc3\xa9", "content-length": "1"}"#;
    let answer = answer(&app, request);
    assert!(answer.ends_with(shown), "{answer}");
}

#[test]
fn request_that_the_http_crate_does_not_take_is_refused() {
    let app = Router::new().get("/{a}", |request: Request| async move {
        http::Request::<Receive>::try_from(request).map(|request| request.uri().to_string())
    });
    assert!(get(&app, "/a").ends_with("\r\n\r\n/a"));
    assert_eq!(get(&app, "/a`b"), plain("400 Bad Request", "request target not allowed here"));
}

#[test]
fn response_of_the_http_crate_is_framed_anew() {
    let app = Router::new().get("/", |_: Request| async {
        http::Response::builder()
            .status(http::StatusCode::CREATED)
            .header("X-A", "1")
            .header("content-length", "99")
            .header("connection", "keep-alive")
            .header("date", "now")
            .header("transfer-encoding", "gzip")
            .header("x-a", "2")
            .body("text")
            .map_err(Error::from)
    });
    assert_eq!(get(&app, "/"), "HTTP/1.1 201 Created\r\nx-a: 1\r\nx-a: 2\r\ncontent-length: 4\r\n\r\ntext");
}

#[test]
fn words_are_the_same_in_both() {
    for number in 100..=999 {
        let ours = StatusCode::from_u16(number).unwrap();
        let theirs = http::StatusCode::from(ours);
        assert_eq!((theirs.as_u16(), StatusCode::from(theirs)), (number, ours));
    }
    for method in [Method::Get, Method::Head, Method::Post, Method::Put, Method::Delete, Method::Connect] {
        assert_eq!(Method::from(&http::Method::try_from(method).unwrap()), method);
    }
    assert!(http::Method::try_from(Method::Other).is_err());
    assert_eq!(Method::from(&http::Method::from_bytes(b"PURGE").unwrap()), Method::Other);
    assert_eq!(http::Version::from(Version::Http10), http::Version::HTTP_10);
    assert_eq!(http::Version::from(Version::Http11), http::Version::HTTP_11);
}
