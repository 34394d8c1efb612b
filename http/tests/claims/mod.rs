//! What must hold for any bytes: the claims that the fuzz targets and the tests here make alike.
//!
//! Each module has one function, `hold`, which takes bytes from anywhere: the first few choose limits, cuts and calls, the
//! rest is what comes over the wire. It panics when a claim fails.

pub(crate) mod bodies;
pub(crate) mod connections;
pub(crate) mod heads;

use evloop_http::Limits;

/// The usual limits for one choice in four, else such as are easily passed.
fn limits(choice: u8) -> Limits {
    match choice % 4 {
        0 => Limits::default(),
        1 => Limits { request_line_bytes_max: 20, head_bytes_max: 60, header_count_max: 2, ..small_bodies() },
        2 => Limits { header_count_max: 4, ..small_bodies() },
        _ => Limits { request_line_bytes_max: 100, header_count_max: 200, ..small_bodies() },
    }
}

fn small_bodies() -> Limits {
    Limits { body_bytes_max: 40, chunk_extension_bytes_max: 12, trailer_bytes_max: 30, ..Limits::default() }
}
