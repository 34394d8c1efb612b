use super::*;
use crate::message::StatusCode;

/// Weighs these fields as `head::parse` does.
fn framing(method: Method, version: Version, fields: &[(&str, &str)], limits: &Limits) -> Result<Framing, Error> {
    let mut seen = FieldFacts::default();
    for (name, value) in fields {
        let value = value.as_bytes();
        match *name {
            "content-length" => seen.content_length(value)?,
            "transfer-encoding" => seen.transfer_encoding(value)?,
            "connection" => seen.connection(value),
            "expect" => seen.expect(value),
            _ => unreachable!("no other field matters"),
        }
    }
    seen.decide(method, version, limits)
}

fn body(version: Version, fields: &[(&str, &str)]) -> Result<BodyLength, Kind> {
    let seen = framing(Method::Post, version, fields, &Limits::default());
    seen.map(|framing| framing.body).map_err(Error::kind)
}

#[test]
fn no_field_means_no_body() {
    assert_eq!(body(Version::Http11, &[]), Ok(BodyLength::None));
    assert_eq!(body(Version::Http10, &[]), Ok(BodyLength::None));
}

#[test]
fn a_content_length_is_one_plain_number() {
    for (value, length) in [("0", 0), ("13", 13), ("007", 7)] {
        let seen = body(Version::Http11, &[("content-length", value)]);
        assert_eq!(seen, Ok(BodyLength::Length(length)));
    }
    let bad = [
        "",
        "+1",
        "-1",
        "1 1",
        "1,1",
        "1, 1",
        "0x1",
        "1.0",
        "1e1",
        "a",
        "18446744073709551616",
        "99999999999999999999",
    ];
    for value in bad {
        let seen = body(Version::Http11, &[("content-length", value)]);
        assert_eq!(seen, Err(Kind::ContentLength), "{value}");
    }
}

#[test]
fn two_content_lengths_are_refused_even_if_equal() {
    let twice = [("content-length", "5"), ("content-length", "5")];
    assert_eq!(body(Version::Http11, &twice), Err(Kind::ContentLength));
}

#[test]
fn transfer_encoding_is_chunked_and_nothing_else() {
    for value in ["chunked", "Chunked", "CHUNKED"] {
        let seen = body(Version::Http11, &[("transfer-encoding", value)]);
        assert_eq!(seen, Ok(BodyLength::Chunked));
    }
    for value in ["gzip, chunked", "identity, chunked", "gzip, br ,Chunked"] {
        let seen = body(Version::Http11, &[("transfer-encoding", value)]);
        assert_eq!(seen, Err(Kind::CodingUnsupported), "{value}");
    }
    for value in ["", ",", "chunked,", ",chunked", "chunked, chunked", "chunked, gzip", "gzip,,chunked", "chunked,\t"] {
        let seen = body(Version::Http11, &[("transfer-encoding", value)]);
        assert_eq!(seen, Err(Kind::TransferEncoding), "{value}");
    }
    for value in ["gzip", "identity", "xchunked", "chunked;q=1", "chun ked", "gzip, deflate"] {
        let seen = body(Version::Http11, &[("transfer-encoding", value)]);
        assert_eq!(seen, Err(Kind::TransferEncoding), "{value}");
    }
    let twice = [("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")];
    assert_eq!(body(Version::Http11, &twice), Err(Kind::TransferEncoding));
}

#[test]
fn chunks_and_a_length_together_are_refused() {
    let both = [("transfer-encoding", "chunked"), ("content-length", "5")];
    assert_eq!(body(Version::Http11, &both), Err(Kind::TwoLengths));
    assert_eq!(body(Version::Http10, &[both[1], both[0]]), Err(Kind::TwoLengths));
}

#[test]
fn http_1_0_has_no_chunks() {
    let seen = body(Version::Http10, &[("transfer-encoding", "chunked")]);
    assert_eq!(seen, Err(Kind::TransferEncoding));
}

#[test]
fn a_connect_has_no_body() {
    for field in [("content-length", "0"), ("transfer-encoding", "chunked")] {
        let seen = framing(Method::Connect, Version::Http11, &[field], &Limits::default());
        assert_eq!(seen, Err(Error::new(Kind::UnwantedBody)));
    }
}

#[test]
fn a_length_has_its_limit() {
    let limits = Limits { body_bytes_max: 1000, ..Limits::default() };
    let length = |value| framing(Method::Post, Version::Http11, &[("content-length", value)], &limits);
    assert_eq!(length("1000").unwrap().body, BodyLength::Length(1000));
    let error = length("1001").unwrap_err();
    assert_eq!(error, Error::new(Kind::BodyTooLong));
    assert_eq!(error.status(), Some(StatusCode::CONTENT_TOO_LARGE));
}

#[test]
fn a_connection_lives_as_its_version_and_options_say() {
    let cases: [(Version, &[&str], bool); 13] = [
        (Version::Http11, &[], true),
        (Version::Http11, &["close"], false),
        (Version::Http11, &["Close"], false),
        (Version::Http11, &["keep-alive"], true),
        (Version::Http11, &["keep-alive", "close"], false),
        (Version::Http11, &["keep-alive,\tCLOSE ,x"], false),
        (Version::Http11, &["upgrade", "x,close"], false),
        (Version::Http11, &["closed", "\"close\""], true),
        (Version::Http10, &[], false),
        (Version::Http10, &["keep-alive"], true),
        (Version::Http10, &["x, Keep-Alive"], true),
        (Version::Http10, &["keep-alive, close"], false),
        (Version::Http10, &["keep", ""], false),
    ];
    for (version, values, expected) in cases {
        let fields: Vec<_> = values.iter().map(|&value| ("connection", value)).collect();
        let seen = framing(Method::Get, version, &fields, &Limits::default()).unwrap();
        assert_eq!(seen.keep_alive, expected, "{version:?} {values:?}");
    }
}

#[test]
fn an_expectation_is_100_continue_before_a_body() {
    let length = ("content-length", "5");
    let expects = |version, fields: &[_]| {
        framing(Method::Post, version, fields, &Limits::default()).map(|seen| seen.expect_continue)
    };
    let expectation = ("expect", "100-Continue");
    assert_eq!(expects(Version::Http11, &[expectation, length]), Ok(true));
    assert_eq!(expects(Version::Http11, &[expectation, ("transfer-encoding", "chunked")]), Ok(true));
    assert_eq!(expects(Version::Http11, &[expectation]), Ok(false));
    assert_eq!(expects(Version::Http11, &[expectation, ("content-length", "0")]), Ok(false));
    assert_eq!(expects(Version::Http10, &[expectation, length]), Ok(false));
    for list in ["100-continue,100-continue", ", 100-continue\t,"] {
        assert_eq!(expects(Version::Http11, &[("expect", list), length]), Ok(true), "{list}");
    }
    for list in ["", " ,"] {
        assert_eq!(expects(Version::Http11, &[("expect", list), length]), Ok(false), "{list}");
    }
    let other = ("expect", "coffee");
    assert_eq!(expects(Version::Http10, &[other, length]), Ok(false));
    let error = expects(Version::Http11, &[expectation, other, length]).unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::EXPECTATION_FAILED));
}

#[test]
fn plain_fields_lead_to_the_same_whatever_the_request_line() {
    let host = FieldFacts { host: HostFact::Named, ..FieldFacts::default() };
    for plain in [host, FieldFacts { keep_alive: true, ..host }] {
        assert!(plain.is_plain());
        for method in [Method::Get, Method::Head, Method::Post, Method::Connect, Method::Trace, Method::Other] {
            let weighed = plain.decide(method, Version::Http11, &Limits::default());
            assert_eq!(weighed, Ok(Framing::PLAIN));
        }
    }
    let others = [
        FieldFacts { host: HostFact::Missing, ..host },
        FieldFacts { host: HostFact::Empty, ..host },
        FieldFacts { content_length: Some(0), ..host },
        FieldFacts { chunked: true, ..host },
        FieldFacts { close: true, ..host },
        FieldFacts { upgrade: true, ..host },
        FieldFacts { expect_continue: true, ..host },
        FieldFacts { expect_other: true, ..host },
    ];
    assert!(others.iter().all(|other| !other.is_plain()));
}
