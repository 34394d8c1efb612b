//! ntex on its own reactor (`neon`, by epoll): `HttpService`, the level below its web framework, as public tables have it;
//! the routes go through ntex's own router.
//!
//! Settings: one worker (its accept loop is a second thread, as it has no other way), no signal handlers, HTTP/1 alone, room
//! for all connections of the load, idle ones kept for ten minutes; the rest as it comes.

use super::answers::{PLAINTEXT, ROUTES, large_body, route_body, route_path};
use ntex::SharedCfg;
use ntex::http::body::Body;
use ntex::http::header::{CONTENT_TYPE, HeaderValue};
use ntex::http::{HttpService, HttpServiceConfig, KeepAlive, Method, Request, Response};
use ntex::router::{Path, Router};
use ntex::time::Seconds;
use ntex::util::Bytes;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;

/// Serves until killed.
///
/// # Errors
///
/// When it cannot listen.
pub(crate) fn serve(listener: TcpListener) -> io::Result<()> {
    ntex::rt::System::build().build(ntex::rt::DefaultRuntime).block_on(async move {
        let service = async |_| {
            let answers = Rc::new(Answers::new());
            HttpService::h1(move |request| answer(Rc::clone(&answers), request))
        };
        let keep = HttpServiceConfig::new().set_keepalive(KeepAlive::Timeout(Seconds(600)));
        let server = ntex::server::build().workers(1).maxconn(20_000).disable_signals();
        server.listen("race", listener, service)?.config("race", SharedCfg::new("race").add(keep)).run().await
    })
}

/// What is answered beside the shortest.
#[derive(Debug)]
struct Answers {
    router: Router<Bytes>,
    large: Bytes,
}

impl Answers {
    fn new() -> Self {
        let mut router = Router::builder();
        for index in 0..ROUTES {
            router.path(route_path(index), Bytes::from(route_body(index)));
        }
        Self { router: router.build(), large: Bytes::from(large_body()) }
    }
}

/// Answers one request.
async fn answer(answers: Rc<Answers>, mut request: Request) -> io::Result<Response> {
    let found = match (request.method(), request.path()) {
        (&Method::GET, "/plaintext") => text(PLAINTEXT),
        (&Method::GET, "/100k") => text(answers.large.clone()),
        (&Method::POST, "/echo-length") => {
            let mut length = 0;
            while let Some(piece) = request.payload().recv().await {
                length += piece.map_err(io::Error::other)?.len();
            }
            text(length.to_string())
        }
        (&Method::GET, path) => match answers.router.recognize(&mut Path::new(path)) {
            Some((body, _)) => text(body.clone()),
            None => Response::NotFound().into(),
        },
        _ => Response::NotFound().into(),
    };
    Ok(found)
}

/// A plain text.
fn text(body: impl Into<Body>) -> Response {
    let mut response = Response::Ok();
    response.header(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response.body(body)
}
