//! Bodies in pieces, in both directions, and what becomes of them when the client goes.
//!
//! ```text
//! cargo run --release --example 09_streaming
//! curl -N http://127.0.0.1:8000/clock                        # a line a second; Ctrl-C: the server notices
//! curl -T Cargo.lock http://127.0.0.1:8000/upper             # what is sent, as it comes, in capitals
//! curl -i -N -H 'TE: trailers' http://127.0.0.1:8000/sum     # a body, and behind it what it adds up to
//! head -c 1000000000 /dev/zero | curl -T - http://127.0.0.1:8000/count
//! ```
//!
//! What to see: a body never has to be in memory. Whoever sends waits when the other side does not read: the gigabyte of
//! `/count` passes through 64 KiB here, and a client of `/upper` that stops reading stops its own sending, through the
//! server, without anybody saying so. That is back-pressure, and it is only the sum of two ordinary waits.

#![allow(clippy::print_stdout, reason = "an example talks to the person who runs it")]

use evloop::future::{Either, race};
use evloop::http::Server;
use evloop::http::asgi::{NO_FIELDS, Receive, Result, Scope, Send};
use evloop::signal::ctrl_c;
use evloop::time::sleep;
use std::pin::pin;
use std::time::Duration;

async fn application(scope: Scope, receive: Receive, send: Send) -> Result {
    match scope.raw_path() {
        "/clock" => clock(receive, send).await,
        "/upper" => upper(receive, send).await,
        "/sum" => sum(send).await,
        "/count" => count(receive, send).await,
        _ => {
            let mut send = send;
            send.response_start(404, NO_FIELDS).await?;
            send.response_body("try /clock, /upper, /sum or /count\n").await
        }
    }
}

/// Sends for as long as somebody listens. An application would simply be dropped when its client has gone; this one asks to
/// be told.
async fn clock(mut receive: Receive, mut send: Send) -> Result {
    receive.finish_alone(true);
    send.response_start(200, [("content-type", "text/plain")]).await?;
    for second in 1.. {
        send.response_piece(format!("{second} s\n")).await?;
        let gone = pin!(receive.disconnect());
        if let Either::Left(()) = race(gone, sleep(Duration::from_secs(1))).await {
            println!("the client of /clock went after {second} s");
            break;
        }
    }
    Ok(())
}

/// Answers while it is asked: the response begins before the request has come to its end.
async fn upper(mut receive: Receive, mut send: Send) -> Result {
    send.response_start(200, [("content-type", "text/plain")]).await?;
    while let Some(piece) = receive.piece().await? {
        send.response_piece(piece.to_ascii_uppercase()).await?;
    }
    send.response_end()
}

/// What is known only when the body is over, follows it.
async fn sum(mut send: Send) -> Result {
    send.response_start(200, [("content-type", "text/plain"), ("trailer", "sum")]).await?;
    let mut sum = 0;
    for number in 1..=10 {
        sum += number;
        send.response_piece(format!("{number}\n")).await?;
    }
    send.response_trailers([("sum", sum.to_string())])
}

/// However much it is, it is counted in the room of one piece.
async fn count(mut receive: Receive, mut send: Send) -> Result {
    let mut bytes = 0_u64;
    while let Some(piece) = receive.piece().await? {
        bytes += piece.len() as u64;
    }
    send.response_start(200, [("content-type", "text/plain")]).await?;
    send.response_body(format!("{bytes} bytes\n")).await
}

fn main() -> evloop::Result<()> {
    evloop::run(async {
        let server = Server::bind("127.0.0.1:8000")?;
        println!("http://{}/", server.local_addr()?);
        server.serve_until(application, async { drop(ctrl_c().await) }).await?;
        Ok(())
    })
}
