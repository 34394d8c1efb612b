//! What is asked.

use super::exchange::Exchange;
use crate::message::{Headers, Method, RequestHead, Version};
use std::net::SocketAddr;
use std::rc::Rc;

/// The head of a request and where it came from.
///
/// It may be kept after the response is over; the memory of its head is then not used again but freed with it.
#[derive(Debug, Clone)]
pub struct Scope {
    exchange: Rc<Exchange>,
}

impl Scope {
    pub(crate) fn new(exchange: Rc<Exchange>) -> Scope {
        Scope { exchange }
    }

    /// The whole head.
    #[must_use]
    pub fn head(&self) -> &RequestHead {
        &self.exchange.head
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.head().method()
    }

    /// The path, as the client wrote it.
    #[must_use]
    pub fn path(&self) -> &str {
        self.head().path()
    }

    /// What follows the `?`, as the client wrote it; `None` when there is none.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.head().query()
    }

    /// The version that the client speaks.
    #[must_use]
    pub fn version(&self) -> Version {
        self.head().version()
    }

    /// The fields, in order.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        self.head().headers()
    }

    /// The client's address, if it has one.
    #[must_use]
    pub fn client(&self) -> Option<SocketAddr> {
        self.exchange.client
    }
}
