//! The words of HTTP: methods, status codes, field lines and the head of a request.
//!
//! A request head is not a tree of small strings. It is one buffer and a list of ranges into it, both kept from one
//! request to the next:
//!
//! ```text
//!  text    Host: localhost␍␊Accept: */*␍␊␍␊GET /plaintext?n=1 HTTP/1.1␍␊
//!          └─┬┘  └───┬───┘                 └────┬───┘ ┬
//!          name    value                      path  query
//!          of the first FieldRange            of the RequestLine
//! ```
//!
//! Every byte is copied once, and what is asked about it later is a slice. The heads of responses are not kept at
//! all: they are written straight into the output, see [`crate::codec::encode`].

mod head;
mod headers;
mod method;
mod status;

pub use head::{RequestHead, Version};
pub use headers::{Headers, HeadersIter};
pub use method::Method;
pub use status::StatusCode;

pub(crate) use head::{FieldFacts, HostFact, RequestLine};
pub(crate) use headers::FieldRange;
