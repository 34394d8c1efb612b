//! Clauses of RFC 9110 sections 13 to 15 that no other test here holds by the way.
//!
//! The table in `connection/clauses.md` says which test holds which clause.

use super::{answer, body, field, files, folder, status};

#[test]
fn conditions_are_ignored_where_the_answer_is_no_success_without_them() {
    let root = folder(&[("a.txt", "0123456789"), ("folder/index.html", "")]);
    let app = files(root.path());
    for (request, expected) in
        [("GET /none", "404"), ("GET /folder", "301"), ("POST /a.txt", "405"), ("OPTIONS /a.txt", "204")]
    {
        for condition in [
            "If-Match: \"other\"",
            "If-None-Match: *",
            "If-Modified-Since: Fri, 01 Jan 2094 00:00:00 GMT",
            "If-Unmodified-Since: Sat, 01 Jan 1994 00:00:00 GMT",
            "Range: bytes=99-",
        ] {
            let answer = answer(app.clone(), request, &format!("{condition}\r\n"));
            assert_eq!(status(&answer), expected, "{request} {condition}");
        }
    }
}

#[test]
fn answer_with_a_part_has_the_fields_of_the_whole() {
    let root = folder(&[("a.txt", "0123456789")]);
    let app = files(root.path()).cache_control("max-age=60").precompressed(true);
    let get = |fields: &str| answer(app.clone(), "GET /a.txt", fields);
    let whole = get("");
    for range in ["bytes=1-2", "bytes=1-2,4-5"] {
        let part = get(&format!("Range: {range}\r\n"));
        assert_eq!(status(&part), "206", "{range}");
        for name in ["cache-control", "etag", "last-modified", "vary"] {
            assert!(field(&whole, name).is_some(), "{name}");
            assert_eq!(field(&part, name), field(&whole, name), "{name} {range}");
        }
    }
}

#[test]
fn fields_that_mean_nothing_here_are_ignored_and_large_numbers_are_numbers() {
    let root = folder(&[("a.txt", "0123456789")]);
    let get = |fields: &str| answer(files(root.path()), "GET /a.txt", fields);
    for fields in ["If-Range: \"other\"\r\n", "Content-Range: bytes 0-1/10\r\n"] {
        assert_eq!((status(&get(fields)), body(&get(fields))), ("200", "0123456789"), "{fields}");
    }
    for (range, expected) in [
        ("bytes=9-18446744073709551616", "206"),
        ("bytes=-340282366920938463463374607431768211456", "206"),
        ("bytes=18446744073709551617-18446744073709551618", "416"),
    ] {
        assert_eq!(status(&get(&format!("Range: {range}\r\n"))), expected, "{range}");
    }
}
