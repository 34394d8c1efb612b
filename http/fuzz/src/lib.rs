//! What the fuzz targets run: the claims that `tests/rfc9112.rs` holds for generated messages, here for any bytes.

#[path = "../../tests/claims/mod.rs"]
mod claims;
#[path = "../../tests/twin/mod.rs"]
mod twin;

/// Requests, one after the other: limits, a cut, and what comes over the wire.
pub fn head(data: &[u8]) {
    claims::heads::hold(data);
}

/// A chunked body: limits, two sizes of pieces, and what comes over the wire.
pub fn chunked(data: &[u8]) {
    claims::bodies::hold(data);
}

/// A connection: limits, a number of calls and these calls, and what comes over the wire.
pub fn connection(data: &[u8]) {
    claims::connections::hold(data);
}
