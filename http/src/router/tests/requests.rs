//! What a handler sees.

use super::{answer, call, exchange_in, exchange_of, get, plain, written};
use crate::asgi::{State, Surroundings};
use crate::router::{Request, Router};
use std::rc::Rc;

#[test]
fn parameters_are_named_by_their_own_route() {
    let show = |request: Request| async move {
        format!("{:?} {:?} {:?}", request.raw_param("id"), request.raw_param("post"), request.raw_param("none"))
    };
    let app = Router::new().get("/users/{id}", show).get("/users/{id}/posts/{post}", show).put("/users/{post}", show);
    assert!(get(&app, "/users/7?id=8").ends_with("Some(\"7\") None None"));
    assert!(get(&app, "/users/a%2Fb/posts/x").ends_with("Some(\"a%2Fb\") Some(\"x\") None"));
    let put = answer(&app, "PUT /users/7 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(put.ends_with("None Some(\"7\") None"), "{put}");
    let absolute = answer(&app, "GET http://a/users/7 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(absolute.ends_with("Some(\"7\") None None"), "{absolute}");
}

#[test]
fn parameters_are_decoded_after_the_path_is_split() {
    let app = Router::new()
        .get("/users/{id}", |request: Request| async move { format!("user {}", request.param("id")) })
        .get("/files/{*path}", |request: Request| async move {
            format!("{:?} {:?}", request.param("path"), request.raw_param("path"))
        })
        .get("/{a}/{b}", |request: Request| async move { format!("{:?}", request.params().collect::<Vec<_>>()) });
    for (target, shown) in [
        ("/users/7", "user 7"),
        ("/users/caf%C3%A9", "user café"),
        ("/users/a%2Fb", "user a/b"),
        ("/users/a+b", "user a+b"),
        ("/users/%FF", "user \u{fffd}"),
        ("/users/%", "user %"),
        ("/files/a%2Fb/c%20d", r#""a/b/c d" Some("a%2Fb/c%20d")"#),
        ("/x/%79", r#"[("a", "x"), ("b", "y")]"#),
    ] {
        assert_eq!(get(&app, target), plain("200 OK", shown), "{target}");
    }
}

#[test]
#[should_panic(expected = "the route has no parameter `name`")]
fn parameter_that_the_route_has_not_is_a_mistake_of_the_program() {
    let app = Router::new().get("/{id}", |request: Request| async move { request.param("name").into_owned() });
    get(&app, "/7");
}

#[test]
fn query_parameters_are_found_by_their_whole_name() {
    let app = Router::new().get("/", |request: Request| async move { format!("{:?}", request.query_param("ms")) });
    for (target, found) in [
        ("/", "None"),
        ("/?", "None"),
        ("/?ms=5", "Some(\"5\")"),
        ("/?x=1&ms=5&ms=6", "Some(\"5\")"),
        ("/?ms", "Some(\"\")"),
        ("/?ms=", "Some(\"\")"),
        ("/?ms=a=b", "Some(\"a=b\")"),
        ("/?xms=5&msx=6", "None"),
        ("/?x=ms=5", "None"),
        ("/?%6Ds=a+b%2B%C3%A9", "Some(\"a b+é\")"),
    ] {
        assert!(get(&app, target).ends_with(&format!("\r\n\r\n{found}")), "{target}");
    }
}

#[test]
fn body_is_given_whole_up_to_the_limit_and_refused_past_it() {
    let app = Router::new().post("/", |mut request: Request| async move { request.bytes(5).await });
    let post = |head: &str| answer(&app, &format!("POST / HTTP/1.1\r\nHost: a\r\n{head}"));
    for (request, body) in [
        ("\r\n", ""),
        ("Content-Length: 0\r\n\r\n", ""),
        ("Content-Length: 5\r\n\r\nabcde", "abcde"),
        ("Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n", "abcde"),
    ] {
        let answer = post(request);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&format!("\r\n\r\n{body}")), "{answer}");
    }
    for request in [
        "Content-Length: 6\r\n\r\nabcdef",
        "Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n",
    ] {
        assert!(post(request).starts_with("HTTP/1.1 413 "), "{request}");
    }
}

#[test]
fn query_is_given_in_pairs() {
    let app = Router::new()
        .get("/", |request: Request| async move { format!("{:?}", request.query_pairs().collect::<Vec<_>>()) });
    assert!(get(&app, "/?a=1&b=%3D&a=2+3").ends_with(r#"[("a", "1"), ("b", "="), ("a", "2 3")]"#));
    assert!(get(&app, "/").ends_with("[]"));
}

/// What is answered to a POST with this `Content-Type`, if it is one, and this body.
fn post(app: &Router, content_type: &str, body: &str) -> String {
    let field = if content_type.is_empty() { String::new() } else { format!("Content-Type: {content_type}\r\n") };
    let length = body.len();
    answer(app, &format!("POST / HTTP/1.1\r\nHost: a\r\n{field}Content-Length: {length}\r\n\r\n{body}"))
}

#[test]
fn text_is_utf8() {
    let app = Router::new().post("/", |mut request: Request| async move { request.text(10).await });
    for content_type in ["", "text/plain", "text/plain; charset=UTF-8", "text/plain;charset=\"us-ascii\""] {
        assert_eq!(post(&app, content_type, "é"), plain("200 OK", "é"), "{content_type}");
    }
    let latin = post(&app, "text/plain; charset=iso-8859-1", "a");
    assert_eq!(latin, plain("415 Unsupported Media Type", "content-type other than this needs"));
    assert!(post(&app, "", "12345678901").starts_with("HTTP/1.1 413 "));
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n";
    let exchange = exchange_of(&[head, &b"\xff"[..]].concat());
    assert!(call(&app, &exchange).is_ready());
    assert_eq!(written(&exchange), plain("400 Bad Request", "body other than utf-8 text"));
}

#[test]
fn form_is_decoded_where_the_head_says_that_it_is_one() {
    let app = Router::new().post("/", |mut request: Request| async move {
        let form = request.form(30).await?;
        crate::asgi::Result::Ok(format!("{:?} {:?} {}", form.get("a"), form.get("c"), form.pairs().count()))
    });
    for content_type in ["application/x-www-form-urlencoded", "Application/X-WWW-Form-URLEncoded ; charset=utf-8"] {
        assert!(post(&app, content_type, "a=1+%C3%A9&b=&a=2").ends_with("\r\n\r\nSome(\"1 é\") None 3"));
    }
    for content_type in ["", "text/plain", "application/json", "multipart/form-data; boundary=a"] {
        assert!(post(&app, content_type, "a=1").starts_with("HTTP/1.1 415 "), "{content_type}");
    }
    assert!(post(&app, "application/x-www-form-urlencoded", &"a".repeat(31)).starts_with("HTTP/1.1 413 "));
}

// --- State -----------------------------------------------------------------------------------------------------------

#[test]
fn state_is_the_routers_own_and_else_that_of_the_application() {
    let app = Router::new()
        .get("/", |request: Request| async move {
            format!("{:?} {:?} {:?}", request.state::<u8>(), request.state::<u16>(), request.state::<u32>())
        })
        .state(1_u8);
    let mut state = State::default();
    state.insert(2_u8);
    state.insert(3_u16);
    let surroundings = Rc::new(Surroundings { state, ..Surroundings::default() });
    let exchange = exchange_in(surroundings, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(call(&app, &exchange).is_ready());
    assert_eq!(written(&exchange), plain("200 OK", "Some(1) Some(3) None"));
}
