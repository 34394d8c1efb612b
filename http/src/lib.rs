//! A strict HTTP/1.1 server layer for evloop.

// H0, words
pub mod error;
pub mod limits;
pub mod message;

// H1, bytes to messages and back
pub mod codec;

// H2, the protocol of one connection
pub mod connection;

// H3, what an application sees
pub mod asgi;

// H4, applications made of handlers, and who serves them
pub mod router;
pub mod server;

pub use limits::Limits;
pub use message::{Method, StatusCode};
pub use router::{IntoResponse, Request, Response, Router};
pub use server::Server;
