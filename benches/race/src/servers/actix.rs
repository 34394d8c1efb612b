//! actix-web with its router: each path is registered, each handler is an `async` function, as its users write them.
//!
//! Settings: one worker (its accept loop is a second thread, as it has no other way), no signal handlers, room for all
//! connections of the load, idle ones kept for ten minutes; the rest as it comes.

use super::answers::{PLAINTEXT, ROUTES, large_body, route_body, route_path};
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpServer};
use std::io;
use std::net::TcpListener;
use std::time::Duration;

/// Serves until killed.
///
/// # Errors
///
/// When it cannot listen.
pub(crate) fn serve(listener: TcpListener) -> io::Result<()> {
    let large = Bytes::from(large_body());
    let bodies: Vec<Bytes> = (0..ROUTES).map(|index| Bytes::from(route_body(index))).collect();
    let app = move || {
        let large = large.clone();
        let mut app = App::new()
            .route("/plaintext", web::get().to(|| async { PLAINTEXT }))
            .route("/echo-length", web::post().to(|body: Bytes| async move { body.len().to_string() }))
            .route("/100k", web::get().to(move || std::future::ready(large.clone())));
        for (index, body) in bodies.iter().cloned().enumerate() {
            app = app.route(&route_path(index), web::get().to(move || std::future::ready(body.clone())));
        }
        app
    };
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(app).workers(1).disable_signals();
        let server = server.max_connections(20_000).keep_alive(Duration::from_secs(600)).backlog(4096);
        server.listen(listener)?.run().await
    })
}
