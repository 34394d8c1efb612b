//! An HTTP server in a few lines, and the same by hand with scope, receive and send.
//!
//! ```text
//! cargo run --release --example 07_http_hello
//! curl -i http://127.0.0.1:8000/              # the router's answer
//! curl -i http://127.0.0.1:8000/users/7       # a parameter of the path
//! curl -i -d 'a body' http://127.0.0.1:8000/length
//! curl -i http://127.0.0.1:8001/              # the hand-written application's answer
//! ```
//!
//! What to see: a router is made of closures from a request to a future of anything that can be a response. Below it
//! stands the interface of ASGI: an application is one function, called for each request with what is asked, a way to
//! receive the body, and a way to send the response. A router is such an application, too.
//!
//! Both servers run on one loop, on one thread. Ctrl-C ends them.

#![allow(clippy::print_stdout, reason = "an example talks to the person who runs it")]

use evloop::future::join;
use evloop::http::asgi::{self, Receive, Scope, Send};
use evloop::http::{Request, Router, Server};
use evloop::signal::ctrl_c;

fn main() -> evloop::Result<()> {
    evloop::run(async {
        let router = Server::bind("127.0.0.1:8000")?;
        let by_hand = Server::bind("127.0.0.1:8001")?;
        println!("http://{} by a router, http://{} by hand", router.local_addr()?, by_hand.local_addr()?);

        // Each server has its own stream of Ctrl-C: both hear it, and each finishes what it has begun.
        let (one, other) = join(router.serve_until(app(), stop()), by_hand.serve_until(application, stop())).await;
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

/// Routes, each with its handler.
fn app() -> Router {
    Router::new()
        .get("/", |_: Request| async { "Hello, World!\n" })
        .get("/users/{id}", |request: Request| async move { format!("user {}\n", request.param("id").unwrap_or("?")) })
        .post("/length", length)
}

/// Reads the body as it comes. What is not asked for here, stays with the client: the server reads a few pieces ahead at
/// most.
async fn length(mut request: Request) -> asgi::Result<String> {
    let mut bytes = 0;
    while let Some(piece) = request.piece().await? {
        bytes += piece.len();
    }
    Ok(format!("{bytes} bytes\n"))
}

/// The hello-world of ASGI, line by line: the head and the body are two events.
async fn application(_scope: Scope, _receive: Receive, mut send: Send) -> asgi::Result {
    send.response_start(200, [("content-type", "text/plain")]).await?;
    send.response_body("Hello, world\n").await
}
