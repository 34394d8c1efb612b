//! The network in memory of `evloop_runtime::testing`, as a server's listener.
//!
//! # Examples
//! ```
//! use evloop_http::asgi::{Receive, Result, Scope, Send};
//! use evloop_http::server::Server;
//! use evloop_http::testing::Network;
//!
//! async fn hello(_: Scope, _: Receive, mut send: Send) -> Result {
//!     send.response_start(200, [("content-type", "text/plain")]).await?;
//!     send.response_body("Hello").await
//! }
//!
//! evloop_runtime::block_on(async {
//!     let network = Network::default();
//!     evloop_runtime::spawn(Server::new(network.clone()).serve(hello));
//!     let mut client = network.connect(1_000);
//!     client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
//!     assert!(client.rest().await.ends_with(b"\r\n\r\nHello"));
//! });
//! ```

pub use evloop_runtime::testing::{End, Faults, Network, Seen, ServerEnd};

use crate::server::{Listener, Stream};
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

impl Listener for Network {
    type Stream = ServerEnd;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(ServerEnd, Option<SocketAddr>)>> {
        Network::poll_accept(self, cx).map_ok(|end| (end, None))
    }
}

impl Stream for ServerEnd {
    fn abort(&mut self) {
        ServerEnd::abort(self);
    }
}
