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
mod event;
mod exchange;
mod filter;
mod lifespan;
mod receive;
mod scope;
mod send;
mod state;

pub use app::{App, Result};
pub use event::{FieldList, Inbound, Outbound};
pub use filter::Filter;
pub use lifespan::{Lifespan, LifespanEvent, LifespanFuture, WithLifespan, with_lifespan};
pub use receive::{Piece, Receive};
pub use scope::{Address, Extensions, Scope, Versions};
pub use send::{Fields, NO_FIELDS, Send, SendPiece};
pub use state::State;

pub(crate) use exchange::{Added, Endpoints, Exchange, Surroundings};
pub(crate) use lifespan::Talk;
