//! Clients that close a side, go away or break, at every stage.

use super::{GET, HELLO, PIPE_BYTES, demo, quiet, serve, still_serves, without_dates};
use crate::router::{Request, Router};
use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;

#[test]
fn client_that_closed_its_side_gets_its_whole_answer() {
    serve(demo(), async |network| {
        let mut client = network.connect(100); // so that the answer takes many writes
        client.send("GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.finish();
        assert!(without_dates(&client.rest().await).ends_with("slept"));

        let body = vec![b'x'; 200_000];
        let mut client = network.connect(2 * body.len());
        client.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len())).await;
        client.send(&body).await;
        client.finish();
        assert!(client.rest().await.ends_with(&body));
    });
}

#[test]
fn client_may_close_or_break_at_any_byte() {
    let request = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n";
    serve(demo(), async |network| {
        for sent in 0..=request.len() {
            for how in 0..3 {
                let mut client = network.connect(PIPE_BYTES);
                client.send(&request[..sent]).await;
                quiet().await;
                match how {
                    0 => client.reset(),
                    1 => drop(client),
                    _ => {
                        client.finish();
                        let answer = client.rest().await;
                        assert_eq!(answer.ends_with(b"0\r\n\r\n"), sent == request.len(), "after {sent} bytes");
                    }
                }
            }
        }
        quiet().await;
        still_serves(&mut network.connect(PIPE_BYTES)).await;
    });
}

#[test]
fn client_that_breaks_in_the_middle_of_the_answer_ends_its_stream() {
    serve(demo(), async |network| {
        let mut client = network.connect(10);
        client.send("GET /lines HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.take(15).await;
        let breaks = client;
        breaks.reset();
        let mut client = network.connect(10);
        client.send(GET).await;
        client.take(15).await;
        drop(client);
        quiet().await;
        still_serves(&mut network.connect(PIPE_BYTES)).await;
    });
}

/// Tells that it was dropped.
struct Told(Rc<Cell<bool>>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[test]
fn handler_that_waits_for_the_body_of_a_client_that_breaks_is_dropped() {
    let dropped = Rc::new(Cell::new(false));
    let told = Rc::clone(&dropped);
    let app = Router::new().post("/", move |mut request: Request| {
        let told = Told(Rc::clone(&told));
        async move {
            let _told = told;
            while let Ok(Some(_)) = request.piece().await {}
            pending::<&str>().await
        }
    });
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").await;
        quiet().await;
        assert!(!dropped.get());
        client.reset();
        quiet().await;
        assert!(dropped.get());
    });
}

#[test]
fn many_connections_come_and_go() {
    serve(demo(), async |network| {
        let mut clients: Vec<_> = (0..500).map(|_| network.connect(1_000)).collect();
        for client in &mut clients {
            client.send("GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n").await;
        }
        for client in &mut clients {
            client.until("slept").await;
            client.send(GET).await;
            client.finish();
        }
        for client in &mut clients {
            assert_eq!(without_dates(&client.rest().await), HELLO);
        }
        assert_eq!(network.accepted(), 500);
    });
}

#[test]
fn last_answer_is_not_destroyed_by_what_the_client_sent_behind_it() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(["GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", GET].concat()).await;
        let answer = without_dates(&client.rest().await);
        assert!(answer.ends_with("connection: close\r\n\r\nHello"), "{answer}");
        assert!(client.seen().is_shut_down() && !client.seen().is_gone(), "closed at once, which may reset");
    });
}
