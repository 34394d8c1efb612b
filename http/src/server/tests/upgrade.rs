//! Connections that go on in another protocol: `Upgrade` and `CONNECT`.

use super::{GET, PIPE_BYTES, ms, quiet, serve, transcript, without_dates};
use crate::asgi::{NO_FIELDS, Receive, Result, Scope, Send};
use crate::error::{Error, Kind};
use crate::message::{Method, StatusCode};
use crate::server::Server;
use crate::server::tests::memory::Network;
use evloop_runtime::io::AsyncRead;
use evloop_runtime::sync::oneshot;
use evloop_runtime::time::{sleep, timeout};
use evloop_runtime::{Runtime, spawn};
use std::cell::Cell;
use std::rc::Rc;

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: other/2, echo\r\n\r\n";
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nx-a: 1\r\nconnection: upgrade\r\n\r\n";
const CONNECT: &str = "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n";

/// Sends back what comes, until there is no more.
async fn echo(receive: &mut Receive, send: &mut Send) -> Result {
    while let Some(piece) = receive.piece().await? {
        send.response_piece(piece).await?;
    }
    send.response_end()
}

/// Takes the offer of a protocol, and a CONNECT; answers anything else.
async fn app(scope: Scope, mut receive: Receive, mut send: Send) -> Result {
    if scope.method() == Method::Connect {
        send.start(StatusCode::OK, None, [("x-a", "1")])?;
        return echo(&mut receive, &mut send).await;
    }
    match send.switch_protocols("echo", [("x-a", "1")]) {
        Ok(()) => echo(&mut receive, &mut send).await,
        Err(error) => send.respond(StatusCode::OK, error.to_string().as_bytes(), NO_FIELDS),
    }
}

#[test]
fn offer_that_is_taken_makes_a_tunnel() {
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(UPGRADE).await;
        assert_eq!(without_dates(client.until("\r\n\r\n").await.as_bytes()), SWITCHED);
        for message in ["one", "GET / HTTP/1.1\r\n\r\n", "\0\r\n"] {
            client.send(message).await;
            assert_eq!(client.take(message.len()).await, message.as_bytes());
        }
        client.finish();
        assert_eq!(client.rest().await, b"");
    });
}

#[test]
fn connect_that_is_taken_makes_a_tunnel_without_framing() {
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(CONNECT).await;
        assert_eq!(without_dates(client.until("\r\n\r\n").await.as_bytes()), "HTTP/1.1 200 OK\r\nx-a: 1\r\n\r\n");
        client.send("abc").await;
        assert_eq!(client.take(3).await, b"abc");
        client.finish();
        assert_eq!(client.rest().await, b"");
    });
}

#[test]
fn what_lies_right_behind_the_head_is_the_tunnels() {
    serve(app, async |network| {
        for head in [UPGRADE, CONNECT] {
            let answer = transcript(&network, format!("{head}abc{GET}")).await;
            let tunnel = answer.split_once("\r\n\r\n").expect("the head is whole").1;
            assert_eq!(tunnel, format!("abc{GET}"));
        }
    });
}

#[test]
fn connect_that_is_refused_is_answered_as_any_request_and_is_the_last_one() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        send.respond(StatusCode::FORBIDDEN, b"no", NO_FIELDS)
    }
    serve(app, async |network| {
        let answer = transcript(&network, format!("{CONNECT}{GET}")).await;
        assert_eq!(answer, "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno");
    });
}

#[test]
fn connect_that_is_answered_by_events_is_a_tunnel_too() {
    async fn app(_: Scope, mut receive: Receive, mut send: Send) -> Result {
        send.response_start(200, NO_FIELDS).await?;
        send.response_piece("").await?;
        echo(&mut receive, &mut send).await
    }
    serve(app, async |network| {
        assert_eq!(transcript(&network, format!("{CONNECT}abc")).await, "HTTP/1.1 200 OK\r\n\r\nabc");
    });
}

#[test]
fn protocol_that_is_not_offered_is_not_switched_to() {
    let rule = Error::new(Kind::NoUpgrade).to_string();
    serve(app, async |network| {
        for request in [
            GET,
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: other, echoes\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo/2\r\n\r\n",
            "GET / HTTP/1.0\r\nConnection: upgrade, keep-alive\r\nUpgrade: echo\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\nContent-Length: 3\r\n\r\nabc",
        ] {
            let answer = transcript(&network, request).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(&rule), "{request}: {answer}");
        }
        for request in [
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: Echo\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: other\r\nUpgrade: more , echo\r\n\r\n",
        ] {
            assert_eq!(transcript(&network, request).await, SWITCHED, "{request}");
        }
    });
}

#[test]
fn offer_that_nobody_takes_is_ignored() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        send.respond(StatusCode::OK, b"Hello", NO_FIELDS)
    }
    serve(app, async |network| {
        let answers = transcript(&network, [UPGRADE, GET].concat()).await;
        assert_eq!(answers.matches("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHello").count(), 2, "{answers}");
    });
}

#[test]
fn switch_after_a_body_that_was_read_begins_behind_it() {
    async fn app(_: Scope, mut receive: Receive, mut send: Send) -> Result {
        let mut body = Vec::new();
        while let Some(piece) = receive.piece().await? {
            body.extend_from_slice(&piece);
        }
        send.switch_protocols("echo", NO_FIELDS)?;
        send.response_piece(body).await?;
        echo(&mut receive, &mut send).await
    }
    serve(app, async |network| {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\nContent-Length: 3\r\n\r\n";
        let answer = transcript(&network, format!("{head}abcdef")).await;
        assert!(answer.starts_with("HTTP/1.1 101 ") && answer.ends_with("\r\n\r\nabcdef"), "{answer}");
    });
}

#[test]
fn switch_is_refused_once_a_response_was_begun() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        let begun = |result: Result| result.map_err(Error::kind) == Err(Kind::ResponseBegun);
        send.response_start(200, NO_FIELDS).await?;
        assert!(begun(send.switch_protocols("echo", NO_FIELDS)));
        send.response_piece("Hel").await?;
        assert!(begun(send.switch_protocols("echo", NO_FIELDS)));
        send.response_body("lo").await?;
        let ended = send.switch_protocols("echo", NO_FIELDS).map_err(Error::kind);
        assert_eq!(ended, Err(Kind::ResponseEnded));
        Ok(())
    }
    serve(app, async |network| {
        let answer = transcript(&network, UPGRADE).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("2\r\nlo\r\n0\r\n\r\n"), "{answer}");
    });
}

#[test]
fn switch_with_a_field_that_cannot_be_written_does_nothing() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        let refused = send.switch_protocols("echo", [("x", "a\r\nb")]).map_err(Error::kind);
        assert_eq!(refused, Err(Kind::ResponseValue));
        send.respond(StatusCode::OK, b"Hello", NO_FIELDS)
    }
    serve(app, async |network| {
        let answer = transcript(&network, UPGRADE).await;
        assert_eq!(answer, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHello");
    });
}

#[test]
fn tunnel_whose_client_has_ended_its_side_may_send_on() {
    async fn app(_: Scope, mut receive: Receive, mut send: Send) -> Result {
        send.switch_protocols("echo", NO_FIELDS)?;
        while receive.piece().await?.is_some() {}
        for piece in ["a", "b"] {
            sleep(ms(100)).await;
            send.response_piece(piece).await?;
        }
        send.response_end()
    }
    serve(app, async |network| {
        let answer = transcript(&network, UPGRADE).await;
        assert!(answer.ends_with("\r\n\r\nab"), "{answer}");
    });
}

#[test]
fn tunnel_whose_application_has_ended_its_side_is_received_from_on() {
    async fn app(_: Scope, mut receive: Receive, mut send: Send) -> Result {
        send.switch_protocols("echo", NO_FIELDS)?;
        send.response_piece("bye").await?;
        send.response_end()?;
        let mut length = 0;
        while let Some(piece) = receive.piece().await? {
            length += piece.len();
        }
        assert_eq!(length, 6);
        Ok(())
    }
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(UPGRADE).await;
        client.until("bye").await;
        let end = timeout(ms(60_000), client.rest()).await.expect("the client is not told that no more will come");
        assert_eq!(end, b"");
        client.send("abc").await;
        quiet().await;
        client.send("def").await;
        client.finish();
        quiet().await;
        assert!(client.seen().is_gone());
    });
}

#[test]
fn response_that_is_given_whole_to_a_connect_is_what_its_tunnel_carries() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        send.respond(StatusCode::OK, b"Hello", NO_FIELDS)
    }
    serve(app, async |network| {
        let answer = transcript(&network, format!("{CONNECT}{GET}")).await;
        assert_eq!(answer, "HTTP/1.1 200 OK\r\n\r\nHello", "and what came through it was for nobody");
    });
}

#[test]
fn tunnel_whose_client_breaks_is_dropped() {
    let ended = Rc::new(Cell::new(None));
    let told = Rc::clone(&ended);
    let app = move |_: Scope, mut receive: Receive, mut send: Send| {
        let told = Rc::clone(&told);
        async move {
            receive.finish_alone(true);
            send.switch_protocols("echo", NO_FIELDS)?;
            let outcome = echo(&mut receive, &mut send).await;
            told.set(Some(outcome.clone().map_err(Error::kind)));
            outcome
        }
    };
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(UPGRADE).await;
        client.until("\r\n\r\n").await;
        client.reset();
        quiet().await;
    });
    assert_eq!(ended.take(), Some(Err(Kind::Gone)));
}

#[test]
fn tunnel_may_rest_for_as_long_as_it_likes() {
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(UPGRADE).await;
        client.until("\r\n\r\n").await;
        for _ in 0..3 {
            sleep(ms(600_000)).await;
            client.send("abc").await;
            assert_eq!(client.take(3).await, b"abc");
        }
        client.finish();
        assert_eq!(client.rest().await, b"");
    });
}

#[test]
fn tunnel_moves_more_than_it_holds() {
    serve(app, async |network| {
        let mut client = network.connect(1_000);
        client.send(UPGRADE).await;
        client.until("\r\n\r\n").await;
        let (mut sent, mut received) = (0_usize, 0_usize);
        while received < 300_000 {
            if sent < 300_000 {
                client.send(vec![b'x'; 1_000]).await;
                sent += 1_000;
            }
            received += client.take(1_000).await.len();
        }
        client.finish();
        assert_eq!(client.rest().await, b"");
    });
}

#[test]
fn tunnel_that_is_open_ends_with_the_limit_of_a_graceful_stop() {
    let runtime = Runtime::builder().manual_clock().build().expect("there are descriptors for a loop");
    runtime.block_on(async {
        let network = Network::default();
        let (stop, stopped) = oneshot::channel();
        let server = Server::new(network.clone()).graceful_timeout(ms(1_000));
        let server = spawn(server.serve_until(app, async { stopped.await.unwrap_or(()) }));
        let mut client = network.connect(PIPE_BYTES);
        client.send(UPGRADE).await;
        client.until("\r\n\r\n").await;
        stop.send(()).expect("the server waits for it");
        quiet().await;
        client.send("abc").await;
        assert_eq!(client.take(3).await, b"abc", "until then it goes on");
        assert_eq!(server.await.unwrap().unwrap(), 1);
        let end = client.read(&mut [0]).await.expect_err("the client sees that the tunnel was cut");
        assert_eq!(end.kind(), std::io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn tunnel_that_is_left_without_an_end_is_reset() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        send.switch_protocols("echo", NO_FIELDS)?;
        send.response_piece("half").await
    }
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(UPGRADE).await;
        quiet().await;
        assert!(client.seen().is_gone());
        let answer = spawn(async move { client.rest().await });
        assert!(answer.await.is_err(), "the client sees that it was cut");
    });
}
