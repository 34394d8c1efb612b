//! Whose requests may press the buttons.
//!
//! A page anywhere on the web can make its visitor's browser send a POST to `127.0.0.1`. It cannot read the answer, but the
//! button would be pressed. Browsers say where a request comes from: `Sec-Fetch-Site` (W3C Fetch Metadata), and before that
//! `Origin` (RFC 6454 section 7). Programs that are no browsers say neither, and do what their user wants.

use evloop::http::Request;

/// Whether the request was sent for a page that is not ours.
pub(super) fn from_elsewhere(request: &Request) -> bool {
    let site = request.header("sec-fetch-site");
    let origin = request.headers().get("origin").map(|origin| std::str::from_utf8(origin).unwrap_or_default());
    is_elsewhere(site, origin, request.header("host"))
}

fn is_elsewhere(site: Option<&str>, origin: Option<&str>, host: Option<&str>) -> bool {
    let foreign_site = site.is_some_and(|site| site != "same-origin" && site != "none");
    let foreign_origin = origin.is_some_and(|origin| {
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        !matches!((authority, host), (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host))
    });
    foreign_site || foreign_origin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_our_own_page_may() {
        for (site, origin) in [
            (None, None),
            (Some("none"), None),
            (Some("same-origin"), None),
            (None, Some("http://Localhost:8000")),
            (Some("same-origin"), Some("http://localhost:8000")),
            (None, Some("https://localhost:8000")), // behind a proxy that ends TLS
        ] {
            assert!(!is_elsewhere(site, origin, Some("localhost:8000")), "{site:?} {origin:?}");
        }
    }

    #[test]
    fn other_pages_may_not() {
        for (site, origin) in [
            (Some("cross-site"), None),
            (Some("same-site"), None),
            (Some(""), None),
            (None, Some("null")),
            (None, Some("")),
            (None, Some("http://localhost:8001")),
            (None, Some("http://localhost:8000.example")),
            (None, Some("localhost:8000")),
            (Some("same-origin"), Some("http://example")),
            (Some("cross-site"), Some("http://localhost:8000")),
        ] {
            assert!(is_elsewhere(site, origin, Some("localhost:8000")), "{site:?} {origin:?}");
        }
        assert!(is_elsewhere(None, Some("http://a"), None));
    }
}
