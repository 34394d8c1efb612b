//! hyper on tokio's current-thread runtime: a task for each connection, by `tokio::spawn`, for a `LocalSet` costs more.
//!
//! What is set, and why:
//! - `pipeline_flush`, so that answers to requests that came together leave together; without it each has its own `write`.
//! - No timer, which leaves out hyper's deadline for heads: its fastest form, and one deadline less than evloop keeps.
//! - `TCP_NODELAY`, as everyone here.

use super::answers::{PLAINTEXT, ROUTES, large_body, route_body, route_path};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::TcpListener;

/// What is answered from memory, by path.
type Pages = HashMap<String, Bytes>;

/// Serves until killed.
///
/// # Errors
///
/// What the system says.
pub(crate) fn serve(listener: TcpListener) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(accept(listener, Box::leak(Box::new(pages()))))
}

async fn accept(listener: TcpListener, pages: &'static Pages) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let answer = service_fn(move |request| answer(request, pages));
            let mut connection = http1::Builder::new();
            // A client that has gone is no error of ours.
            let _ = connection.pipeline_flush(true).serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

fn pages() -> Pages {
    let mut pages: Pages = (0..ROUTES).map(|index| (route_path(index), Bytes::from(route_body(index)))).collect();
    pages.insert("/plaintext".to_owned(), Bytes::from_static(PLAINTEXT.as_bytes()));
    pages.insert("/100k".to_owned(), Bytes::from(large_body()));
    pages
}

async fn answer(request: Request<Incoming>, pages: &Pages) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() == Method::GET
        && let Some(page) = pages.get(request.uri().path())
    {
        return Ok(text(page.clone()));
    }
    if request.method() == Method::POST && request.uri().path() == "/echo-length" {
        let body = request.into_body().collect().await;
        return Ok(
            body.map_or_else(|_| failed(StatusCode::BAD_REQUEST), |body| text(body.to_bytes().len().to_string()))
        );
    }
    Ok(failed(StatusCode::NOT_FOUND))
}

fn text(body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn failed(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
