//! What an application sees of a request: scope, receive, send.
//!
//! The three are ASGI's (<https://asgi.readthedocs.io>), in Rust types. An application is called once for each request
//! with a [`Scope`], which says what is asked; a [`Receive`], which gives the body as it comes; and a [`Send`], which
//! takes the response. Its future is polled inside the task of the connection: no task is spawned for it and nothing of it
//! is boxed anew.
//!
//! ```
//! use evloop_http::asgi::{Receive, Result, Scope, Send};
//!
//! async fn application(_scope: Scope, _receive: Receive, mut send: Send) -> Result {
//!     send.response_start(200, [("content-type", "text/plain")]).await?;
//!     send.response_body("Hello, world").await
//! }
//! # let _ = application;
//! ```
//!
//! The three hold the request together, and may outlive the call: a scope can be kept as long as its head is needed.

mod app;
mod exchange;
mod receive;
mod scope;
mod send;

pub use app::{App, Result};
pub use receive::{Piece, Receive};
pub use scope::Scope;
pub use send::{Fields, NO_FIELDS, Send, SendPiece};

pub(crate) use exchange::Exchange;
