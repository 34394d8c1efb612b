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

// H4, applications made of handlers, who serves them, and who tests them
pub mod access_log;
pub mod files;
pub mod metrics;
pub mod middleware;
pub mod router;
pub mod server;
pub mod testing;

pub use files::Files;
pub use limits::Limits;
pub use message::{Method, StatusCode};
pub use router::{BlockingRequest, IntoResponse, Request, Response, Router};
pub use server::Server;
