//! `may_minihttp`: a small server on stackful coroutines, at the head of public tables. It has no router, so the routes are
//! in a map.
//!
//! Settings: one worker, and that worker is not pinned by may itself, for who measures has done that. It sets no
//! `TCP_NODELAY`, and gives no way to.

use super::answers::{PLAINTEXT, ROUTES, large_body, route_body, route_path};
use may_minihttp::{HttpServer, HttpService, Request, Response};
use std::collections::HashMap;
use std::io::{self, BufRead as _};
use std::net::SocketAddr;
use std::sync::Arc;

/// Serves until killed.
///
/// # Errors
///
/// When it cannot listen.
pub(crate) fn serve(address: SocketAddr) -> io::Result<()> {
    may::config().set_workers(1).set_worker_pin(false);
    let server = HttpServer(Answers::new()).start(address)?;
    server.join().map_err(|_| io::Error::other("the server has panicked"))
}

/// What is answered. A body is a `&'static str` by the server's signature; these live as long as the process.
#[derive(Debug, Clone)]
struct Answers {
    routes: Arc<HashMap<String, &'static str>>,
    large: &'static str,
}

impl Answers {
    fn new() -> Self {
        let routes = (0..ROUTES).map(|index| (route_path(index), &*route_body(index).leak())).collect();
        let large = String::from_utf8(large_body()).expect("it is made of digits");
        Self { routes: Arc::new(routes), large: large.leak() }
    }
}

impl HttpService for Answers {
    fn call(&mut self, request: Request<'_, '_, '_>, response: &mut Response<'_>) -> io::Result<()> {
        response.header("Content-Type: text/plain");
        match (request.method(), request.path()) {
            ("GET", "/plaintext") => response.body(PLAINTEXT),
            ("POST", "/echo-length") => {
                let mut body = request.body();
                let mut length = 0;
                while let piece @ 1.. = body.fill_buf()?.len() {
                    body.consume(piece);
                    length += piece;
                }
                response.body_vec(length.to_string().into_bytes());
            }
            ("GET", "/100k") => response.body(self.large),
            ("GET", path) => match self.routes.get(path) {
                Some(body) => response.body(body),
                None => not_found(response),
            },
            _ => not_found(response),
        }
        Ok(())
    }
}

fn not_found(response: &mut Response<'_>) {
    response.status_code(404, "Not Found");
}
