//! The hello-world of ASGI, line by line.
//!
//! ```text
//! cargo run --release --example 07_http_hello
//! curl -i http://127.0.0.1:8000/
//! curl -i http://127.0.0.1:8001/
//! ```
//!
//! What to see: an application is one asynchronous function, called once for each request, with three things: what is
//! asked, a way to receive what the client sends, and a way to send what it shall get. This is how it looks in Python, with
//! uvicorn or any other server of ASGI around it:
//!
//! ```python
//! async def application(scope, receive, send):
//!     await send({
//!         'type': 'http.response.start',
//!         'status': 200,
//!         'headers': [(b'content-type', b'text/plain')],
//!     })
//!     await send({
//!         'type': 'http.response.body',
//!         'body': b'Hello, world!',
//!     })
//! ```
//!
//! Below it stands here twice: with the same events as values, and as one writes it in Rust, where the types rule out what
//! the events could get wrong. Why two events, and not one return value, as WSGI had it? Because between the two, and
//! between one part of the body and the next, an application can wait without holding anybody: that is what makes it
//! possible to stream, to hold ten thousand connections open, and to hear that a client has gone.
//!
//! Both servers run on one loop, on one thread. Ctrl-C ends them.

#![allow(clippy::print_stdout, reason = "an example talks to the person who runs it")]

use evloop::future::join;
use evloop::http::Server;
use evloop::http::asgi::{self, Outbound, Receive, Scope, Send};
use evloop::signal::ctrl_c;

/// The same events, by the same names.
async fn application(_scope: Scope, _receive: Receive, mut send: Send) -> asgi::Result {
    send.event(Outbound::ResponseStart {
        status: 200,
        headers: vec![("content-type".into(), b"text/plain".into())],
        trailers: false,
    })
    .await?;
    send.event(Outbound::ResponseBody {
        body: "Hello, world!".into(), //
        more_body: false,
    })
    .await
}

/// The same, as one writes it here.
async fn hello(_scope: Scope, _receive: Receive, mut send: Send) -> asgi::Result {
    send.response_start(200, [("content-type", "text/plain")]).await?;
    send.response_body("Hello, world!").await
}

fn main() -> evloop::Result<()> {
    evloop::run(async {
        let by_events = Server::bind("127.0.0.1:8000")?;
        let by_methods = Server::bind("127.0.0.1:8001")?;
        println!("http://{} by events, http://{} by methods", by_events.local_addr()?, by_methods.local_addr()?);

        // Each server has its own stream of Ctrl-C: both hear it, and each finishes what it has begun.
        let (one, other) =
            join(by_events.serve_until(application, stop()), by_methods.serve_until(hello, stop())).await;
        one?;
        other?;
        println!("both have ended");
        Ok(())
    })
}

async fn stop() {
    if let Err(error) = ctrl_c().await {
        eprintln!("cannot listen for Ctrl-C: {error}");
    }
}
