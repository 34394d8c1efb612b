//! Other people's server on this loop: an axum application, served by hyper, asked by hyper's client.
//!
//! Run it with `cargo run --release --features hyper --example 11_axum`. It asks itself a few times and ends; with
//! `-- 8080` it serves on that port until Ctrl-C: `curl http://127.0.0.1:8080/hello/world`. To be seen:
//!
//! - [`Compat`] puts a stream of ours into hyper's traits, [`Timer`] gives hyper its time-outs. No tokio runtime is there.
//! - axum is a tower service, and `TowerToHyperService` makes one of hyper's of it. Its handlers are ordinary: they wait
//!   with evloop's timers.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use evloop::compat::Compat;
use evloop::compat::hyper::Timer;
use evloop::net::{TcpListener, TcpStream};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper_util::service::TowerToHyperService;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn application() -> Router {
    Router::new()
        .route("/hello/{name}", get(|Path(name): Path<String>| async move { format!("Hello, {name}!\n") }))
        .fallback(|| async { (axum::http::StatusCode::NOT_FOUND, "not here\n") })
}

/// Accepts for ever, with a task for each connection.
async fn serve(listener: TcpListener, application: Router) -> Result<()> {
    loop {
        let (stream, _peer) = listener.accept().await?;
        let service = TowerToHyperService::new(application.clone());
        let connection = http1::Builder::new()
            .timer(Timer)
            .header_read_timeout(Duration::from_secs(10))
            .serve_connection(Compat::new(stream), service);
        drop(evloop::spawn(connection)); // it ends by itself; its error is its client's
    }
}

/// Asks with hyper's client: the status and the body.
async fn ask(server: SocketAddr, path: &str) -> Result<(u16, String)> {
    let stream = TcpStream::connect(server).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(Compat::new(stream)).await?;
    drop(evloop::spawn(connection));
    let request = hyper::Request::get(path).header("host", server.to_string()).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8(body.to_vec())?))
}

fn main() -> Result<()> {
    let port = std::env::args().nth(1);
    evloop::block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port.as_deref().unwrap_or("0").parse()?))?;
        let address = listener.local_addr()?;
        println!("serving on http://{address}");
        let server = evloop::spawn(serve(listener, application()));
        if port.is_some() {
            evloop::signal::ctrl_c().await?;
            return Ok(());
        }
        for path in ["/hello/world", "/hello/evloop", "/elsewhere"] {
            let (status, body) = ask(address, path).await?;
            print!("GET {path}: {status} {body}");
        }
        server.abort();
        Ok(())
    })
}
