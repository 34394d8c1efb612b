//! The codec and the connection against the rules of RFC 9112, which `twin/` reads again in plain words.
//!
//! `claims/` says what must hold for any bytes. Here it is held for generated messages, good and damaged; the fuzz targets
//! in `fuzz/` hold it for whatever a fuzzer comes up with, and the inputs that they begin from, or have found, are run here
//! as well.

mod claims;
mod twin;

use claims::{bodies, connections, heads};
use evloop_http::Limits;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::{env, fs};

// --- Messages --------------------------------------------------------------------------------------------------------

const AUTHORITIES: [&str; 10] =
    ["a", "a.b-c_d~e:80", "example.com:", "127.0.0.1:8080", "[::1]", "[1:2::3.4.5.6]:1", "[v1.a:b]", "%41!$", "1", "A"];

/// Lines that a second reader may take for something else.
const TRICKS: [&[u8]; 49] = [
    b"Content-Length: 5",
    b"Content-Length: 0",
    b"Content-Length: 5, 5",
    b"Content-Length: +5",
    b"Content-Length: -0",
    b"Content-Length: 0x5",
    b"Content-Length: 5 5",
    b"Content-Length:",
    b"Content-Length: 00000000000000000000000000000000005",
    b"Content-Length: 18446744073709551615",
    b"Content-Length: 18446744073709551616",
    b"Content-Length : 5",
    b"Content\rLength: 5",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: CHUNKED\t",
    b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: ,chunked",
    b"Transfer-Encoding:\x0bchunked",
    b"Transfer-Encoding: \"chunked\"",
    b"Transfer-Encoding: chunked;a=b",
    b"Transfer-Encoding",
    b"Transfer_Encoding: chunked",
    b"Host: b",
    b"Host:",
    b"Host: a@b",
    b"Host: a,b",
    b"Host: a/b",
    b"Host: :80",
    b"Host: [::1",
    b"Host: [1:2::3::4]",
    b"Host: [1.2.3.4]",
    b"Host: [v1.]",
    b"Connection: close",
    b"Connection: keep-alive, CLOSE",
    b"Connection: keep-alive",
    b"Connection: close, Upgrade",
    b"Expect: 100-Continue",
    b"Expect: coffee",
    b"Expect: ,100-continue,, 100-continue",
    b"Expect:",
    b" folded: line",
    b"\tfolded",
    b"x: \0",
    b"GET / HTTP/1.1",
    b"GET / HTTP/1.2",
    b"GET https://a/ HTTP/1.1",
    b"CONNECT a:65536 HTTP/1.1",
];

/// Ends of lines that are none.
const ENDS: [&[u8]; 7] = [b"\n", b"\r", b"\r\r\n", b"", b"\n\r", b"\r\n\r\n", b" \r\n"];

/// A line that means nothing for the message's framing.
fn other_field() -> impl Strategy<Value = String> {
    let value = prop_oneof!["[!-~]{1,3}", "[!-~][ -~\t]{0,30}[!-~]", Just(String::new()), Just("\u{fc}".to_owned())];
    ("x-[!#$%&'*+.^_`|~0-9A-Za-z-]{0,12}", "[ \t]{0,2}", value, "[ \t]{0,2}")
        .prop_map(|(name, before, value, after)| format!("{name}:{before}{value}{after}"))
}

/// Request lines, with the version's last digit.
fn request_line() -> impl Strategy<Value = (String, char)> {
    let path = "/([A-Za-z0-9._~!$&'()*+,;=:@/|{}%-]{0,12})(\\?[ -\"$-~&&[^ ]]{0,9})?";
    let absolute = (select(&["http", "HTTP"][..]), select(&AUTHORITIES[..]), proptest::option::of(path))
        .prop_map(|(scheme, authority, path)| format!("{scheme}://{authority}{}", path.unwrap_or_default()));
    let any_method = select(&["GET", "HEAD", "POST", "OPTIONS", "TRACE", "M-SEARCH", "get", "#1"][..]);
    let line = prop_oneof![
        6 => (any_method.clone(), path).prop_map(|(method, path)| format!("{method} {path}")),
        2 => (any_method, absolute).prop_map(|(method, target)| format!("{method} {target}")),
        1 => Just("OPTIONS *".to_owned()),
        1 => select(&["example.com:443", "[::1]:00080", "a:65535"][..]).prop_map(|target| format!("CONNECT {target}")),
    ];
    (line, prop_oneof![3 => Just('1'), 1 => Just('0')])
}

/// The lines of a good head.
fn good_lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let framing = prop_oneof![
        Just(None),
        (0..30_u8).prop_map(|length| Some(format!("Content-Length: {length}"))),
        Just(Some("transfer-encoding:chunked".to_owned())),
    ];
    let connection = select(
        &["", "Connection: close", "Connection: Upgrade", "connection: x, Keep-Alive", "Expect: 100-continue"][..],
    );
    (request_line(), select(&AUTHORITIES[..]), framing, connection, vec(other_field(), 0..6), any::<Index>()).prop_map(
        |((line, minor), host, framing, connection, mut fields, at)| {
            let is_framed = !["CONNECT ", "TRACE "].iter().any(|method| line.starts_with(method))
                && (minor == '1' || framing != Some("transfer-encoding:chunked".to_owned()));
            fields.extend(framing.filter(|_| is_framed));
            fields.extend(Some(connection.to_owned()).filter(|line| !line.is_empty()));
            fields.insert(at.index(fields.len() + 1), format!("Host: {host}"));
            fields.insert(0, format!("{line} HTTP/1.{minor}"));
            fields.into_iter().map(String::into_bytes).collect()
        },
    )
}

fn joined(lines: &[Vec<u8>]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line, &b"\r\n"[..]].concat()).chain(*b"\r\n").collect()
}

/// What happens to a head on its way.
#[derive(Debug, Clone)]
enum Damage {
    Replace(Index, u8),
    Insert(Index, u8),
    Delete(Index),
    /// A line ends otherwise, or does not.
    End(Index, &'static [u8]),
    /// A line comes twice.
    Repeat(Index, Index),
    /// Another line comes, and takes the place of the one with its name if there is one and this is wanted.
    Trick(Index, &'static [u8], bool),
}

fn damage() -> impl Strategy<Value = Damage> {
    let byte = || prop_oneof![4 => select(&b"\r\n :\t,;/?#*%[]@0\0\x7f\xff"[..]), 1 => any::<u8>()];
    prop_oneof![
        2 => (any::<Index>(), byte()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        2 => (any::<Index>(), byte()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        2 => any::<Index>().prop_map(Damage::Delete),
        3 => (any::<Index>(), select(&ENDS[..])).prop_map(|(line, end)| Damage::End(line, end)),
        2 => (any::<Index>(), any::<Index>()).prop_map(|(line, to)| Damage::Repeat(line, to)),
        9 => (any::<Index>(), select(&TRICKS[..]), any::<bool>())
            .prop_map(|(at, line, is_instead)| Damage::Trick(at, line, is_instead)),
    ]
}

/// Any head: good, or damaged in some places; a part of one, or with something behind it.
fn any_head() -> impl Strategy<Value = Vec<u8>> {
    // One trick at a time, mostly: several hide each other.
    let damages = prop_oneof![3 => vec(damage(), 1), 1 => vec(damage(), 0..4)];
    let cut = prop_oneof![5 => Just(None), 1 => any::<Index>().prop_map(Some)];
    (good_lines(), damages, cut).prop_map(|(lines, damages, cut)| {
        let mut input = damaged(lines, &damages);
        input.extend(b"GET /next");
        input.truncate(cut.map_or(input.len(), |cut| cut.index(input.len())));
        input
    })
}

fn damaged(mut lines: Vec<Vec<u8>>, damages: &[Damage]) -> Vec<u8> {
    let mut ends = Vec::new();
    for damage in damages {
        match damage {
            Damage::Repeat(line, to) => lines.insert(to.index(lines.len()), lines[line.index(lines.len())].clone()),
            Damage::Trick(at, line, is_instead) => {
                let name =
                    |line: &[u8]| line.split(|&byte| byte == b':').next().unwrap_or_default().to_ascii_lowercase();
                let same = lines.iter().position(|other| name(other) == name(line)).filter(|_| *is_instead);
                match same {
                    Some(same) => lines[same] = line.to_vec(),
                    None => lines.insert(1 + at.index(lines.len()), line.to_vec()),
                }
            }
            Damage::End(line, end) => ends.push((line, end)),
            _ => {}
        }
    }
    let mut wire: Vec<_> = lines.into_iter().chain([vec![]]).map(|line| [line, b"\r\n".to_vec()]).collect();
    for (line, end) in ends {
        let at = line.index(wire.len());
        wire[at][1] = end.to_vec();
    }
    let mut input = wire.concat().concat();
    for damage in damages {
        match damage {
            Damage::Replace(at, byte) => *at.get_mut(&mut input) = *byte,
            Damage::Insert(at, byte) => input.insert(at.index(input.len()), *byte),
            Damage::Delete(at) => drop(input.remove(at.index(input.len()))),
            _ => {}
        }
    }
    input
}

/// Something near a chunked body: pieces that fit, mostly, and pieces that do not.
fn any_chunks() -> impl Strategy<Value = Vec<u8>> {
    let extension = select(
        &["", "", "", ";a=b", " ;c", "\t ; d = \"e\"", " ", ";\u{e9}", ";;", ";01234567890", ";012345678901", "g"][..],
    );
    let size = (1..24_usize, 0..17_usize, any::<bool>(), extension).prop_map(|(size, width, is_upper, extension)| {
        let digits = if is_upper { format!("{size:0width$X}") } else { format!("{size:0width$x}") };
        format!("{digits}{extension}\r\n{}\r\n", "d".repeat(size))
    });
    let trailers = ["", "", "a: b\r\n", "a: b\r\nc:\r\n", "a\r\n", ": b\r\n", "a : b\r\n", "a: b\r\n c\r\n"];
    let long = ["a: 2345678901\r\nb: 6789012345\r\n", "a: 2345678901\r\nb: 67890123456\r\n"];
    let trailers = prop_oneof![4 => select(trailers.to_vec()), 1 => select(long.to_vec())];
    let last = prop_oneof![4 => Just("0"), 1 => select(&["00", "0;a", "", "-0", "+1", "0x0", "0000000000000000"][..])];
    let byte = prop_oneof![4 => select(&b"\r\n;: 0fF\t\0\x7f"[..]), 1 => any::<u8>()];
    let damages = prop_oneof![1 => Just(vec![]), 1 => vec((any::<Index>(), 0..4, byte), 1..3)];
    (vec(size, 0..5), last, trailers, damages).prop_map(|(chunks, last, trailers, damages)| {
        let mut input = format!("{}{last}\r\n{trailers}\r\nGET /", chunks.concat()).into_bytes();
        for (at, how, byte) in damages {
            let at = at.index(input.len());
            match how {
                0 => input[at] = byte,
                1 => input.insert(at, byte),
                2 => drop(input.remove(at)),
                // The line that goes on here ends with a bare LF.
                _ => drop(input[at..].iter().position(|&byte| byte == b'\r').map(|cr| input.remove(at + cr))),
            }
        }
        input
    })
}

/// Requests one after the other, each with the body that it announces, or nearly.
fn any_wire() -> impl Strategy<Value = Vec<u8>> {
    let get = good_lines().prop_map(|lines| joined(&lines));
    let chunked = any_chunks().prop_map(|body| {
        [
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            body.strip_suffix(b"GET /").unwrap_or(&body),
        ]
        .concat()
    });
    let line = select(&["PUT / HTTP/1.1\r\nHost: a", "PUT / HTTP/1.0\r\nConnection: keep-alive"][..]);
    let field = select(&["", "Expect: 100-continue\r\n", "Connection: close\r\n"][..]);
    let counted = (line, field, 0..30_usize).prop_map(|(line, field, length)| {
        format!("{line}\r\n{field}Content-Length: {length}\r\n\r\n{}", "b".repeat(length)).into_bytes()
    });
    vec(prop_oneof![3 => get, 2 => chunked, 2 => counted, 1 => any_head()], 0..5).prop_map(|parts| parts.concat())
}

/// Limits, mostly the usual ones: what passes a limit is refused whatever it says.
fn choice() -> impl Strategy<Value = u8> {
    prop_oneof![3 => Just(0_u8), 2 => 1..4_u8]
}

/// Calls of any kind in any order; among them such as make a response.
fn any_calls() -> impl Strategy<Value = Vec<u8>> {
    let one = any::<u8>().prop_map(|call| vec![call]);
    let hows = vec(any::<u8>().prop_map(|how| how & 0xf0), 3);
    let calls =
        |whats: &'static [u8]| move |hows: Vec<u8>| whats.iter().zip(hows).map(|(what, how)| what | how).collect();
    let response = prop_oneof![
        hows.clone().prop_map(calls(&[4, 3])),
        hows.clone().prop_map(calls(&[5, 3])),
        hows.clone().prop_map(calls(&[9, 10, 3])),
        hows.clone().prop_map(|hows| vec![7, 8 | hows[0], 8 | hows[1], 10, 3]),
        hows.clone().prop_map(|hows| vec![1 | hows[0], 2 | hows[1], 8 | hows[2], 0xf0, 13, 10]),
        hows.clone().prop_map(|hows| vec![7, 8 | hows[0], 0x0a | hows[1], 3]),
        hows.prop_map(|hows| vec![6 | hows[0], 8 | hows[0], 8 | hows[1], 10, 3]),
        any::<u8>().prop_map(|how| vec![12, how & 0xf0, 13]),
    ];
    let all = prop_oneof![Just(vec![]), Just(vec![0xf0])];
    (all, vec(prop_oneof![1 => one, 2 => response], 0..12)).prop_map(|(all, calls)| [all, calls.concat()].concat())
}

// --- The claims ------------------------------------------------------------------------------------------------------

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn good_request_is_taken_and_means_what_the_twin_reads(lines in good_lines(), cut in any::<usize>()) {
        let input = joined(&lines);
        let seen = heads::agree(&input, &Limits::default(), cut);
        prop_assert!(matches!(seen, Ok(Some(_))), "{seen:?}: {}", input.escape_ascii());
    }

    #[test]
    fn any_request_means_what_the_twin_reads(choice in choice(), cut in any::<u8>(), input in any_head()) {
        heads::hold(&[&[choice, cut], &input[..]].concat());
    }

    #[test]
    fn any_chunks_mean_what_the_twin_reads(choice in choice(), sizes in any::<[u8; 2]>(), input in any_chunks()) {
        bodies::hold(&[&[choice], &sizes[..], &input].concat());
    }

    #[test]
    fn any_application_is_held_to_the_order_and_every_client_can_read_what_it_gets(
        choice in choice(),
        calls in any_calls(),
        wire in any_wire(),
    ) {
        let count = u8::try_from(calls.len()).expect("at most 73");
        connections::hold(&[&[choice, count], &calls[..], &wire].concat());
    }
}

#[test]
fn claims_hold_for_what_the_fuzz_targets_begin_from_and_have_found() {
    for target in ["head", "chunked", "connection"] {
        let folder = format!("{}/fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
        let files = fs::read_dir(&folder).expect("there are seeds for each target");
        let files = files.map(|file| file.expect("the folder can be read").path()).collect::<Vec<_>>();
        assert!(!files.is_empty(), "{folder} is empty");
        for file in files {
            let data = fs::read(&file).expect("the file can be read");
            match target {
                "head" => heads::hold(&data),
                "chunked" => bodies::hold(&data),
                _ => connections::hold(&data),
            }
        }
    }
}
