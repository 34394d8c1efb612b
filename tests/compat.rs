//! Other people's code on this loop: the futures traits, tokio's `io` traits and channels, hyper's server and client, axum.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{get, post};
use evloop::compat::hyper::{Executor, Timer};
use evloop::compat::{Compat, FromFutures, FromTokio};
use evloop::future::join;
use evloop::io::{AsyncRead, AsyncWrite, BufReader};
use evloop::net::{TcpListener, TcpStream, UnixStream};
use evloop::{Runtime, block_on, spawn, time};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::rt::{Executor as _, Timer as _};
use hyper::{Request, Response, StatusCode};
use hyper_util::service::TowerToHyperService;
use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

const LARGE: usize = 1_000_000;

// --- Streams ---------------------------------------------------------------------------------------------------------

#[test]
fn futures_io_carries_more_than_a_socket_holds_both_ways() {
    use futures_util::io::{AsyncReadExt, AsyncWriteExt};
    block_on(async {
        let (near, far) = UnixStream::pair().unwrap();
        let (mut near, far) = (Compat::new(near), Compat::new(far));
        let (reading, mut writing) = far.split();
        let echo = async move { futures_util::io::copy(reading, &mut writing).await.map(|count| (count, writing)) };
        let sent = vec![7; LARGE];
        let ask = async {
            near.write_all(&sent[..10]).await.unwrap();
            let mut word = [0; 10];
            near.read_exact(&mut word).await.unwrap();
            near.close().await.unwrap();
            word
        };
        let (echoed, word) = join(echo, ask).await;
        assert_eq!((echoed.unwrap().0, word), (10, [7; 10]));

        let (near, far) = UnixStream::pair().unwrap();
        let write = async {
            let mut near = Compat::new(near);
            near.write_all(&sent).await.unwrap();
            near.close().await.unwrap();
        };
        let mut all = Vec::new();
        let mut far = Compat::new(far);
        let ((), read) = join(write, far.read_to_end(&mut all)).await;
        assert_eq!((read.unwrap(), all == sent), (LARGE, true));
    });
}

#[test]
fn tokio_traits_carry_more_than_a_socket_holds_and_shut_down() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    block_on(async {
        let (near, far) = UnixStream::pair().unwrap();
        let (mut near, mut far) = (Compat::new(near), Compat::new(far));
        let sent = vec![7; LARGE];
        let write = async {
            near.write_all(&sent).await.unwrap();
            near.shutdown().await.unwrap();
        };
        let mut all = Vec::new();
        let ((), read) = join(write, far.read_to_end(&mut all)).await;
        assert_eq!((read.unwrap(), all == sent), (LARGE, true));
    });
}

#[test]
fn buffered_streams_are_buffered_in_their_traits_too() {
    block_on(async {
        let mut lines = futures_util::io::AsyncBufReadExt::lines(Compat::new(BufReader::new(&b"one\ntwo\n"[..])));
        let first =
            std::future::poll_fn(|cx| futures_util::Stream::poll_next(std::pin::Pin::new(&mut lines), cx)).await;
        assert_eq!(first.unwrap().unwrap(), "one");
        let mut theirs = Compat::new(BufReader::new(&b"one\ntwo\n"[..]));
        let mut line = String::new();
        tokio::io::AsyncBufReadExt::read_line(&mut theirs, &mut line).await.unwrap();
        assert_eq!(line, "one\n");
    });
}

#[test]
fn streams_of_others_are_ours() {
    block_on(async {
        let mut theirs = FromFutures::new(futures_util::io::Cursor::new(vec![0; 3]));
        theirs.write_all(b"abc").await.unwrap();
        assert_eq!(theirs.into_inner().into_inner(), b"abc");

        let (near, far) = tokio::io::duplex(4);
        let (mut near, mut far) = (FromTokio::new(near), FromTokio::new(far));
        let mut all = Vec::new();
        let write = async {
            near.write_all(b"through four bytes").await.unwrap();
            near.shutdown().await.unwrap();
        };
        let ((), read) = join(write, far.read_to_end(&mut all)).await;
        assert_eq!((read.unwrap(), &all[..]), (18, &b"through four bytes"[..]));
    });
}

#[test]
fn tokio_channels_need_no_runtime_of_theirs() {
    block_on(async {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        let producer = spawn(async move {
            for n in 0..10 {
                sender.send(n).await.unwrap();
            }
        });
        let mut all = Vec::new();
        while let Some(n) = receiver.recv().await {
            all.push(n);
        }
        producer.await.unwrap();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
    });
}

// --- hyper -----------------------------------------------------------------------------------------------------------

/// A server of hyper's, with a service that is neither `Send` nor `Sync`; its address.
fn serve_counting() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Rc::new(Cell::new(0));
    Executor.execute(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let count = Rc::clone(&count);
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                count.set(count.get() + 1);
                let nth = count.get();
                async move {
                    let body = request.into_body().collect().await?.to_bytes();
                    let answer = if body.is_empty() { Bytes::from(nth.to_string()) } else { body };
                    Ok::<_, hyper::Error>(Response::new(Full::new(answer)))
                }
            });
            let connection =
                hyper::server::conn::http1::Builder::new().timer(Timer).serve_connection(Compat::new(stream), service);
            Executor.execute(async move { drop(connection.await) });
        }
    });
    address
}

/// A client of hyper's on a connection of its own.
async fn client<B>(server: SocketAddr) -> hyper::client::conn::http1::SendRequest<B>
where
    B: hyper::body::Body + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = TcpStream::connect(server).await.unwrap();
    let (sender, connection) = hyper::client::conn::http1::handshake(Compat::new(stream)).await.unwrap();
    Executor.execute(async move { drop(connection.await) });
    sender
}

async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[test]
fn hypers_client_and_server_keep_a_connection() {
    block_on(async {
        let server = serve_counting();
        let mut client = client(server).await;
        for nth in 1..=5 {
            let request = Request::get("/").header("host", "here").body(Empty::<Bytes>::new()).unwrap();
            let response = client.send_request(request).await.unwrap();
            assert_eq!((response.status(), text(response).await), (StatusCode::OK, nth.to_string()));
        }
    });
}

#[test]
fn hyper_echoes_a_large_body() {
    block_on(async {
        let mut client = client(serve_counting()).await;
        let body = Bytes::from(vec![b'x'; LARGE]);
        let request = Request::post("/").header("host", "here").body(Full::new(body)).unwrap();
        let response = client.send_request(request).await.unwrap();
        assert_eq!(text(response).await.len(), LARGE);
    });
}

#[test]
fn hypers_client_speaks_with_our_server() {
    use evloop::http::{Router, Server};
    block_on(async {
        let server = Server::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        drop(spawn(server.serve(Router::new().get("/", |_: evloop::http::Request| async { "ours" }))));
        let mut client = client(address).await;
        let request = Request::get("/").header("host", "here").body(Empty::<Bytes>::new()).unwrap();
        assert_eq!(text(client.send_request(request).await.unwrap()).await, "ours");
    });
}

#[test]
fn hypers_head_timeout_closes_a_silent_connection() {
    block_on(async {
        let (near, far) = UnixStream::pair().unwrap();
        let answer = |_: Request<Incoming>| async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) };
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(Timer)
            .header_read_timeout(Duration::from_millis(5))
            .serve_connection(Compat::new(near), hyper::service::service_fn(answer));
        let mut far = far;
        let mut all = Vec::new();
        let (served, read) = join(connection, far.read_to_end(&mut all)).await;
        assert!(served.unwrap_err().is_timeout());
        read.unwrap();
    });
}

#[test]
fn hypers_timer_follows_the_loops_clock_and_is_set_anew() {
    let runtime = Runtime::builder().manual_clock().build().unwrap();
    runtime.block_on(async {
        let before = Timer.now();
        let mut sleep = Timer.sleep(Duration::from_secs(5));
        Timer.reset(&mut sleep, before + Duration::from_secs(3_600));
        sleep.await;
        assert_eq!(time::now() - before, Duration::from_secs(3_600));
        Timer.sleep_until(before).await;
    });
}

// --- axum ------------------------------------------------------------------------------------------------------------

#[test]
fn axum_routes_extracts_and_keeps_state() {
    let application = Router::new()
        .route(
            "/count",
            get(|State(count): State<Arc<AtomicUsize>>| async move { count.fetch_add(1, SeqCst).to_string() }),
        )
        .route("/echo", post(|body: Body| async { Response::new(body) }))
        .with_state(Arc::new(AtomicUsize::new(1)));
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Executor.execute(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = TowerToHyperService::new(application.clone());
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(Compat::new(stream), service);
                Executor.execute(async move { drop(connection.await) });
            }
        });
        for nth in 1..=2 {
            let mut client = client(address).await;
            let request = Request::get("/count").header("host", "here").body(Full::<Bytes>::default()).unwrap();
            assert_eq!(text(client.send_request(request).await.unwrap()).await, nth.to_string());
            let body = Full::new(Bytes::from_static(b"said"));
            let request = Request::post("/echo").header("host", "here").body(body).unwrap();
            assert_eq!(text(client.send_request(request).await.unwrap()).await, "said");
            let request = Request::get("/nowhere").header("host", "here").body(Full::default()).unwrap();
            assert_eq!(client.send_request(request).await.unwrap().status(), StatusCode::NOT_FOUND);
        }
    });
}
