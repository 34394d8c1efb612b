//! Routes and handlers, with an exchange and no connection around it.

mod blocking;
#[cfg(feature = "http-types")]
mod http_types;
#[cfg(feature = "json")]
mod json;
mod methods;
mod mounts;
mod requests;
mod responses;

use super::{Request, Router};
use crate::asgi::{self, App, Exchange, Receive, Scope, Send, Surroundings};
use crate::limits::Limits;
use std::cell::{Cell, RefCell};
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// An exchange that has received this request, of whose body all has come.
fn exchange(request: &str) -> Rc<Exchange> {
    exchange_of(request.as_bytes())
}

fn exchange_of(request: &[u8]) -> Rc<Exchange> {
    exchange_in(Rc::default(), request)
}

fn exchange_in(surroundings: Rc<Surroundings>, request: &[u8]) -> Rc<Exchange> {
    let mut exchange = Exchange::new(surroundings);
    let used = exchange.receive_head(request, &Limits::default());
    let used = used.expect("the request is well formed").expect("the head is whole");
    let body = exchange.receive_body(&request[used..], true);
    assert_eq!(body, Ok(request.len() - used));
    Rc::new(exchange)
}

fn handles(exchange: &Rc<Exchange>) -> (Scope, Receive, Send) {
    (Scope::new(Rc::clone(exchange)), Receive::new(Rc::clone(exchange)), Send::new(Rc::clone(exchange)))
}

/// Polls once.
fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn call(app: &impl App, exchange: &Rc<Exchange>) -> Poll<asgi::Result> {
    let (scope, receive, send) = handles(exchange);
    poll(app.call(scope, receive, send))
}

fn written(exchange: &Exchange) -> String {
    let text = exchange.with(|_, out| String::from_utf8_lossy(out).into_owned());
    text.replace("date: Thu, 01 Jan 1970 00:00:00 GMT\r\n", "")
}

/// What an application answers to a request that has come whole.
fn answer(app: &impl App, request: &str) -> String {
    let exchange = exchange(request);
    assert_eq!(call(app, &exchange), Poll::Ready(Ok(())));
    written(&exchange)
}

fn get(app: &impl App, target: &str) -> String {
    answer(app, &format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"))
}

fn plain(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {length}\r\n\r\n{body}")
}

// --- The memory of futures -------------------------------------------------------------------------------------------

/// Notes where its future lies, and waits as often as it is told to.
fn noting(places: &Rc<RefCell<Vec<usize>>>) -> Router {
    let places = Rc::clone(places);
    Router::new().get("/{what}", move |request: Request| {
        let places = Rc::clone(&places);
        async move {
            let here = 0_u8;
            places.borrow_mut().push((&raw const here).addr());
            match &*request.param("what") {
                "waits" => pending().await,
                "panics" => panic!("this handler panics in its future"),
                _ => ready(()).await,
            }
            drop(here.to_string()); // so that it lives in the future, across the await
            "done"
        }
    })
}

#[test]
fn memory_of_a_future_serves_the_next_call() {
    let places = Rc::new(RefCell::new(Vec::new()));
    let app = noting(&places);
    for _ in 0..5 {
        get(&app, "/done");
    }
    let places = places.take();
    assert!(places.iter().all(|place| *place == places[0]), "{places:?}");
}

#[test]
fn memory_of_calls_that_were_dropped_serves_again_and_that_of_calls_under_way_does_not() {
    let places = Rc::new(RefCell::new(Vec::new()));
    let app = noting(&places);
    let exchanges = [(); 3].map(|()| exchange("GET /waits HTTP/1.1\r\nHost: a\r\n\r\n"));
    for _ in 0..2 {
        let mut calls: Vec<_> = exchanges
            .iter()
            .map(|exchange| {
                let (scope, receive, send) = handles(exchange);
                Box::pin(app.call(scope, receive, send))
            })
            .collect();
        for call in &mut calls {
            assert!(poll(call.as_mut()).is_pending());
        }
    }
    let (first, second) = { (places.borrow()[..3].to_vec(), places.borrow()[3..].to_vec()) };
    assert!(first[0] != first[1] && first[1] != first[2] && first[0] != first[2]);
    assert!(second.iter().all(|place| first.contains(place)), "{first:?} {second:?}");
}

#[test]
fn handler_that_panics_leaves_its_route_whole() {
    let places = Rc::new(RefCell::new(Vec::new()));
    let app = noting(&places);
    for _ in 0..3 {
        let exchange = exchange("GET /panics HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(catch_unwind(AssertUnwindSafe(|| call(&app, &exchange))).is_err());
        assert_eq!(written(&exchange), "");
        assert_eq!(Rc::strong_count(&exchange), 1, "the handles are dropped");
        assert!(get(&app, "/done").ends_with("done"));
    }
}

#[test]
fn future_that_panics_when_it_is_dropped_leaves_its_route_whole() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("this value panics when it is dropped");
        }
    }
    let armed = Rc::new(Cell::new(true));
    let arm = Rc::clone(&armed);
    let app = Router::new().get("/", move |_: Request| {
        let bomb = arm.get().then(|| Bomb);
        async move {
            if bomb.is_some() {
                pending::<()>().await;
            }
            "done"
        }
    });
    let exchange = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(catch_unwind(AssertUnwindSafe(|| call(&app, &exchange))).is_err());
    assert_eq!(Rc::strong_count(&exchange), 1, "the handles are dropped");
    armed.set(false);
    assert!(get(&app, "/").ends_with("done"));
}

#[test]
fn router_that_is_gone_leaves_calls_under_way_alone() {
    let places = Rc::new(RefCell::new(Vec::new()));
    let app = noting(&places);
    let exchange = exchange("GET /waits HTTP/1.1\r\nHost: a\r\n\r\n");
    let (scope, receive, send) = handles(&exchange);
    let mut call = Box::pin(app.call(scope, receive, send));
    drop(app);
    assert!(poll(call.as_mut()).is_pending());
    drop(call);
    assert_eq!(Rc::strong_count(&places), 1, "the handler is dropped with its last call");
}
