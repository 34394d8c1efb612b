//! Values in and out of JSON, queries and forms.

use super::{answer, get, plain};
use crate::asgi::Result;
use crate::router::{Json, Request, Router};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

#[derive(Debug, Serialize, Deserialize)]
struct Point {
    x: i32,
    #[serde(default)]
    y: i32,
}

async fn json(mut request: Request) -> Result<Json<Point>> {
    request.json(40).await.map(Json)
}

async fn form(mut request: Request) -> Result<Json<Point>> {
    request.form(40).await?.parse().map(Json)
}

fn post(path: &str, content_type: &str, body: &str) -> String {
    let app = Router::new().post("/json", json).post("/form", form);
    let length = body.len();
    let fields = format!("Content-Type: {content_type}\r\nContent-Length: {length}");
    answer(&app, &format!("POST {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}"))
}

/// The response that has this JSON.
fn point(text: &str) -> String {
    let length = text.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{text}")
}

#[test]
fn json_is_read_and_written() {
    for content_type in ["application/json", "Application/JSON;charset=utf-8", "application/geo+json"] {
        assert_eq!(post("/json", content_type, "{\"x\": 1}"), point("{\"x\":1,\"y\":0}"), "{content_type}");
    }
}

#[test]
fn body_of_another_type_is_not_read_as_json() {
    for content_type in ["text/plain", "application/xml", "text/x+json", "application/jsonp"] {
        let refused = post("/json", content_type, "{\"x\": 1}");
        assert_eq!(
            refused,
            plain("415 Unsupported Media Type", "content-type other than this needs"),
            "{content_type}"
        );
    }
}

#[test]
fn what_is_wrong_with_json_is_told_without_the_programs_names() {
    for (body, place) in
        [("", "line 1, column 0"), ("{\"x\": }", "line 1, column 7"), ("{\n\"x\": \"1\"}", "line 2, column 8")]
    {
        let text = format!("body other than the json that this needs: {place}");
        assert_eq!(post("/json", "application/json", body), plain("400 Bad Request", &text), "{body}");
    }
    assert!(post("/json", "application/json", &"[".repeat(41)).starts_with("HTTP/1.1 413 "));
}

#[test]
fn value_without_json_is_a_500() {
    let app = Router::new().get("/", |_: Request| async { Json(HashMap::from([((1, 2), 3)])) });
    assert_eq!(get(&app, "/"), plain("500 Internal Server Error", "Internal Server Error"));
}

#[test]
fn query_and_form_become_values() {
    let app = Router::new().get("/", |request: Request| async move { request.query_as::<Point>().map(Json) });
    assert_eq!(get(&app, "/?y=2&x=%31"), point("{\"x\":1,\"y\":2}"));
    let urlencoded = "application/x-www-form-urlencoded";
    assert_eq!(post("/form", urlencoded, "x=3"), point("{\"x\":3,\"y\":0}"));
    let refused = plain("400 Bad Request", "fields other than this needs");
    assert_eq!(get(&app, "/?y=2"), refused);
    assert_eq!(get(&app, "/?x=one"), refused);
    assert_eq!(post("/form", urlencoded, "x=1&x=2"), refused);
}
