//! The client as the proxies in front have seen it.

mod forwarded;
mod trusted;

pub use trusted::{ParseTrustedError, TrustedProxies};

use crate::asgi::{App, Lifespan, LifespanFuture, Receive, Scope, Send};
use std::fmt;

/// Tells the application inside who its client is, as the proxies in front have seen it: the address by
/// `X-Forwarded-For`, and whether it came by `https` by `X-Forwarded-Proto`, if the connection is from somebody
/// [trusted](TrustedProxies).
///
/// Anybody can write a header, so a list is read from its end, where the nearest proxy has added whom it was asked by.
/// While that is a trusted one, the entry before it counts: the client is the first address from the right that is not
/// trusted, or the leftmost, when all are. What is no address ends the reading; the client is then who was read last, and
/// whatever stands before it is nobody's word. Entries are addresses, also with a port (`192.0.2.1:4711`,
/// `[2001:db8::1]:4711`); without one, the client's port is told as 0. Several header lines are one list, as RFC 9110
/// section 5.3 has it. So far it is as with uvicorn, which takes the last of several lines alone, and for `*` what is
/// leftmost, whatever it is.
///
/// Of several schemes, that counts which stands at the client's place, counted from the right; a single one counts
/// anyway. `ws` and `wss` are `http` and `https`; what else there is, is ignored.
///
/// The address and the scheme are those of the [`Scope`] from then on, for all who have it, and for the server's log.
///
/// The `Forwarded` header of RFC 7239 is not read: hardly any proxy writes it, and those that do not, hand it on as the
/// client has written it, so that a server which read both would be told a false address through a proxy that is trusted
/// for good reasons. Who has a proxy that writes it, or another header of its own, uses
/// [`Scope::set_client`](crate::asgi::Scope::set_client).
///
/// # Examples
/// ```
/// use evloop_http::asgi::{NO_FIELDS, Receive, Result, Scope, Send};
/// use evloop_http::message::StatusCode;
/// use evloop_http::middleware::ProxyHeaders;
/// use evloop_http::testing;
///
/// async fn app(scope: Scope, _: Receive, mut send: Send) -> Result {
///     let client = scope.client().map_or("somebody".to_owned(), |client| client.ip().to_string());
///     send.respond(StatusCode::OK, format!("{client} by {}", scope.scheme()).as_bytes(), NO_FIELDS)
/// }
///
/// // Connections of a test have no addresses, like those of a Unix domain socket.
/// let app = ProxyHeaders::new(app, "10.0.0.0/8, unix".parse()?);
/// testing::drive(app, async |client| {
///     let request = client.get("/").header("x-forwarded-for", "198.51.100.1, 203.0.113.7, 10.1.2.3");
///     assert_eq!(request.header("x-forwarded-proto", "https").send().await.text(), "203.0.113.7 by https");
///     assert_eq!(client.get("/").send().await.text(), "somebody by http");
/// });
/// # Ok::<(), evloop_http::middleware::ParseTrustedError>(())
/// ```
#[derive(Clone)]
#[must_use = "an application does nothing unless it is served"]
pub struct ProxyHeaders<A> {
    app: A,
    trusted: TrustedProxies,
}

impl<A> ProxyHeaders<A> {
    /// Tells `app` what these proxies have seen.
    pub fn new(app: A, trusted: TrustedProxies) -> ProxyHeaders<A> {
        ProxyHeaders { app, trusted }
    }
}

impl<A> fmt::Debug for ProxyHeaders<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyHeaders").field("trusted", &self.trusted).finish_non_exhaustive()
    }
}

impl<A: App> App for ProxyHeaders<A> {
    type Future = A::Future;

    fn call(&self, mut scope: Scope, receive: Receive, send: Send) -> A::Future {
        if self.trusted.trusts(scope.client().map(|client| client.ip())) {
            let seen = forwarded::read(scope.headers(), &self.trusted);
            if let Some(client) = seen.client {
                scope.set_client(Some(client));
            }
            if let Some(secure) = seen.secure {
                scope.set_secure(secure);
            }
        }
        self.app.call(scope, receive, send)
    }

    fn lifespan(&self, lifespan: Lifespan) -> LifespanFuture {
        self.app.lifespan(lifespan)
    }
}

#[cfg(test)]
mod tests;
