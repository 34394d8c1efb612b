//! Lists that proxies write, against a twin that knows what each entry means; and what the application is told.

use super::{ProxyHeaders, TrustedProxies};
use crate::access_log::{AccessLog, TARGET};
use crate::asgi::{App, Lifespan, LifespanEvent, NO_FIELDS, Receive, Result, Scope, Send, with_lifespan};
use crate::message::StatusCode;
use crate::testing::{drive, drive_with, logs};
use proptest::prelude::*;
use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

fn trusted(list: &str) -> TrustedProxies {
    list.parse().expect("it is a list")
}

/// Answers with what the scope says of the client.
async fn tells(scope: Scope, _: Receive, mut send: Send) -> Result {
    let client = scope.client().map_or("-".to_owned(), |client| client.to_string());
    send.respond(StatusCode::OK, format!("{} {client}", scope.scheme()).as_bytes(), NO_FIELDS)
}

/// What an application is told of a request with these fields, which comes from this address.
fn told_by(peer: Option<&str>, list: &str, fields: &[(&str, &str)]) -> String {
    let peer: Option<SocketAddr> = peer.map(|peer| SocketAddr::new(peer.parse().expect("an address"), 5000));
    let inner = ProxyHeaders::new(tells, trusted(list));
    let app = move |mut scope: Scope, receive, send| {
        scope.set_client(peer);
        inner.call(scope, receive, send)
    };
    drive(app, async |client| {
        let request = fields.iter().fold(client.get("/"), |request, (name, value)| request.header(name, value));
        request.send().await.text().to_owned()
    })
}

/// The same with one list of addresses, from a trusted peer.
fn told(list: &str, forwarded: &str) -> String {
    told_by(None, &format!("unix,{list}"), &[("x-forwarded-for", forwarded)])
}

#[test]
fn client_is_the_rightmost_address_that_is_not_trusted() {
    for (forwarded, expected) in [
        ("203.0.113.7", "203.0.113.7:0"),
        ("198.51.100.1, 203.0.113.7", "203.0.113.7:0"),
        ("198.51.100.1, 203.0.113.7, 10.1.1.1", "203.0.113.7:0"),
        ("198.51.100.1, 203.0.113.7, 10.1.1.1, 10.2.2.2", "203.0.113.7:0"),
        ("10.3.3.3, 203.0.113.7, 10.1.1.1", "203.0.113.7:0"),
        ("10.1.1.1, 10.2.2.2", "10.1.1.1:0"),
        ("10.1.1.1", "10.1.1.1:0"),
    ] {
        assert_eq!(told("10.0.0.0/8", forwarded), format!("http {expected}"), "{forwarded}");
    }
}

#[test]
fn addresses_come_in_each_form_that_proxies_write() {
    for (forwarded, expected) in [
        ("203.0.113.7:4711", "203.0.113.7:4711"),
        ("2001:db8::7", "[2001:db8::7]:0"),
        ("[2001:db8::7]", "[2001:db8::7]:0"),
        ("[2001:db8::7]:4711", "[2001:db8::7]:4711"),
        ("2001:DB8:0:0::7,fd00::1", "[2001:db8::7]:0"),
        ("203.0.113.7 ,\t[fd00::1]:80", "203.0.113.7:0"),
        ("203.0.113.7,,fd00::1,", "203.0.113.7:0"),
        ("::ffff:203.0.113.7", "[::ffff:203.0.113.7]:0"),
    ] {
        assert_eq!(told("fd00::/8", forwarded), format!("http {expected}"), "{forwarded}");
    }
}

#[test]
fn what_is_no_address_ends_the_list() {
    for garbage in
        ["unknown", "_hidden", "localhost", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4:", "1.2.3.4:65536"]
            .into_iter()
            .chain([
                "1.2.3.4:-1",
                "[::1",
                "::1]",
                "[1.2.3.4]",
                "[::1]:",
                "::1:x",
                "fe80::1%eth0",
                "\"1.2.3.4\"",
                "1.2.3.4/8",
                "a b",
            ])
            .chain(["for=1.2.3.4", "1.2.3.4;5.6.7.8", "\u{e9}"])
    {
        assert_eq!(told("10.0.0.1", garbage), "http -", "{garbage}");
        assert_eq!(told("10.0.0.1", &format!("203.0.113.7, {garbage}")), "http -", "{garbage}");
        let behind = format!("203.0.113.7, {garbage}, 10.0.0.1");
        assert_eq!(told("10.0.0.1", &behind), "http 10.0.0.1:0", "{garbage}");
        let before = format!("{garbage}, 203.0.113.7, 10.0.0.1");
        assert_eq!(told("10.0.0.1", &before), "http 203.0.113.7:0", "{garbage}");
    }
}

#[test]
fn several_header_lines_are_one_list() {
    let fields = [
        ("x-forwarded-for", "203.0.113.7, 10.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("X-Forwarded-For", "10.0.0.2"),
        ("x-forwarded-for", ""),
        ("x-forwarded-proto", "http, http"),
    ];
    assert_eq!(told_by(None, "unix, 10.0.0.0/8", &fields), "https 203.0.113.7:0");
    assert_eq!(told_by(None, "unix, 10.0.0.2", &fields), "http 10.0.0.1:0");
}

#[test]
fn word_of_who_is_not_trusted_is_not_taken() {
    let fields = [("x-forwarded-for", "203.0.113.7"), ("x-forwarded-proto", "https")];
    let (taken, ignored) = ("https 203.0.113.7:0", "http 10.1.1.1:5000");
    for (list, expected) in [
        ("", ignored),
        ("unix", ignored),
        ("10.1.1.2", ignored),
        ("11.0.0.0/8,::1", ignored),
        ("::a01:101", ignored),
        ("10.1.1.1", taken),
        ("127.0.0.1, 10.1.1.1", taken),
        ("10.0.0.0/8", taken),
        ("10.1.1.0/31", taken),
        ("0.0.0.0/0", taken),
        ("::ffff:10.1.1.1", taken),
        ("::ffff:10.0.0.0/104", taken),
        ("*", taken),
    ] {
        assert_eq!(told_by(Some("10.1.1.1"), list, &fields), expected, "{list}");
    }
    assert_eq!(told_by(Some("::ffff:10.1.1.1"), "10.1.1.1", &fields), taken, "IPv4 on a socket that takes both");
    assert_eq!(told_by(Some("fd00::1"), "fd00::/8", &fields), taken);
    assert_eq!(told_by(None, "10.0.0.0/8", &fields), "http -");
    assert_eq!(told_by(None, "unix", &fields), taken);
    assert_eq!(told_by(None, "*", &fields), taken);
}

#[test]
fn anybody_being_trusted_makes_the_leftmost_the_client() {
    assert_eq!(told("*", "203.0.113.7, 198.51.100.1, 10.1.1.1"), "http 203.0.113.7:0");
    assert_eq!(told("*", "unknown, 198.51.100.1, 10.1.1.1"), "http 198.51.100.1:0");
}

#[test]
fn scheme_is_the_one_at_the_clients_place_or_the_only_one() {
    let told = |forwarded: &str, protos: &str| {
        let fields = [("x-forwarded-for", forwarded), ("x-forwarded-proto", protos)];
        let told = told_by(None, "unix, 10.0.0.0/8", &fields);
        told.split(' ').next().expect("there is a first").to_owned()
    };
    for (protos, expected) in
        [("https", "https"), ("HTTPS", "https"), ("wss", "https"), ("http", "http"), ("ws", "http"), ("", "http")]
    {
        for forwarded in ["", "203.0.113.7", "203.0.113.7, 10.1.1.1", "unknown"] {
            assert_eq!(told(forwarded, protos), expected, "{protos} for {forwarded}");
        }
    }
    assert_eq!(told("203.0.113.7, 10.1.1.1", "https, http"), "https");
    assert_eq!(told("203.0.113.7, 10.1.1.1", "http, https"), "http");
    assert_eq!(told("203.0.113.7", "http, https"), "https", "what is before it may be the client's own word");
    assert_eq!(told("", "http, https"), "https", "the nearest proxy's word");
    assert_eq!(told("203.0.113.7, 10.1.1.1, 10.2.2.2", "https, https"), "http", "nobody knows whose they are");
    for garbage in ["ftp", "https:", "https http", "\"https\"", "on", "https;"] {
        assert_eq!(told("203.0.113.7", garbage), "http", "{garbage}");
    }
}

#[test]
fn forwarded_header_is_not_read() {
    let fields = [("forwarded", "for=203.0.113.7;proto=https"), ("x-real-ip", "203.0.113.7")];
    assert_eq!(told_by(Some("10.1.1.1"), "*", &fields), "http 10.1.1.1:5000");
}

#[test]
fn next_request_of_a_connection_is_told_for_itself() {
    drive(ProxyHeaders::new(tells, trusted("unix")), async |client| {
        for _ in 0..2 {
            let request = client.get("/").header("x-forwarded-for", "203.0.113.7");
            assert_eq!(request.header("x-forwarded-proto", "https").send().await.text(), "https 203.0.113.7:0");
            assert_eq!(client.get("/").send().await.text(), "http -");
        }
        assert_eq!(client.network().accepted(), 1);
    });
}

#[test]
fn log_of_the_server_has_the_client() {
    let lines = logs::logged(|| {
        let app = ProxyHeaders::new(tells, trusted("unix"));
        drive_with(
            |server| server.access_log(AccessLog::Common),
            app,
            async |client| {
                client.get("/").header("x-forwarded-for", "203.0.113.7").send().await;
            },
        );
    });
    let lines: Vec<_> = lines.into_iter().filter(|line| line.target == TARGET).collect();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].text.starts_with("203.0.113.7 - - ["), "{}", lines[0].text);
}

#[test]
fn lifespan_reaches_the_application() {
    let started = Rc::new(Cell::new(false));
    let told = Rc::clone(&started);
    let app = with_lifespan(tells, move |mut lifespan: Lifespan| {
        let told = Rc::clone(&told);
        async move {
            told.set(lifespan.receive().await == LifespanEvent::Startup);
            lifespan.startup_complete()
        }
    });
    drive(ProxyHeaders::new(app, trusted("")), async |client| {
        client.get("/").send().await;
    });
    assert!(started.get());
}

#[test]
fn lists_of_trusted_proxies_are_read_and_written() {
    for (list, written) in [
        ("", ""),
        (" , ", ""),
        ("127.0.0.1,::1,unix", "unix,127.0.0.1/32,::1/128"),
        (" 10.0.0.0/8 , * ", "*,10.0.0.0/8"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:1.2.3.4", "1.2.3.4/32"),
        ("::/0", "::/0"),
    ] {
        assert_eq!(trusted(list).to_string(), written, "{list}");
        assert_eq!(trusted(written), trusted(list), "{list}");
    }
    assert_eq!(trusted(""), TrustedProxies::default());
}

#[test]
fn entry_that_means_nothing_is_named() {
    for (list, named) in [
        ("localhost", "`localhost` is no address, no network, and neither `unix` nor `*`"),
        ("::1, 10.0.0.0/33", "`10.0.0.0/33` has a prefix of more than 32 bits"),
        ("10.1.2.3/8", "`10.1.2.3/8` is an address within a network, which is `10.0.0.0/8`"),
        ("1.2.3.4:80", "`1.2.3.4:80` is no address, no network, and neither `unix` nor `*`"),
        ("UNIX", "`UNIX` is no address, no network, and neither `unix` nor `*`"),
        ("10.*", "`10.*` is no address, no network, and neither `unix` nor `*`"),
    ] {
        assert_eq!(list.parse::<TrustedProxies>().expect_err(list).to_string(), named);
    }
}

/// An entry of a list, whose meaning is known without reading it.
#[derive(Debug, Clone)]
enum Entry {
    Empty,
    Garbage(&'static str),
    Known(IpAddr, Option<u16>, bool),
}

impl Entry {
    fn text(&self) -> String {
        match *self {
            Entry::Empty => String::new(),
            Entry::Garbage(text) => text.to_owned(),
            Entry::Known(address, Some(port), _) => SocketAddr::new(address, port).to_string(),
            Entry::Known(address @ IpAddr::V6(_), None, true) => format!("[{address}]"),
            Entry::Known(address, None, _) => address.to_string(),
        }
    }
}

/// Few addresses, so that they are often trusted.
fn an_address() -> impl Strategy<Value = IpAddr> {
    (0..4_u8, any::<bool>()).prop_map(|(last, is_v4)| {
        if is_v4 { IpAddr::from([10, 0, 0, last]) } else { IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last)]) }
    })
}

fn an_entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        1 => Just(Entry::Empty),
        1 => prop::sample::select(vec!["unknown", "10.0.0", "10.0.0.1:", "[fd00::1", "_x", "fd00::1:80:"]).prop_map(Entry::Garbage),
        8 => (an_address(), any::<Option<u16>>(), any::<bool>()).prop_map(|(at, port, marked)| Entry::Known(at, port, marked)),
    ]
}

/// Whom a list means: by its entries from left to right, each of which is forgotten when the one behind it lets it be.
fn twin(entries: &[Entry], trusted: &[IpAddr]) -> Option<SocketAddr> {
    let mut client = None;
    for (at, entry) in entries.iter().enumerate() {
        let Entry::Known(address, port, _) = entry else { continue };
        let mut behind = entries[at + 1..].iter();
        let is_reached = behind
            .all(|entry| matches!(entry, Entry::Empty) || matches!(entry, Entry::Known(a, ..) if trusted.contains(a)));
        if is_reached && client.is_none() {
            client = Some(SocketAddr::new(*address, port.unwrap_or(0)));
        }
    }
    client
}

proptest! {
    #[test]
    fn any_list_means_whom_the_twin_says(
        entries in prop::collection::vec((an_entry(), prop::sample::select(vec![",", ", ", " ,\t", "\n"])), 0..8),
        proxies in prop::collection::vec(an_address(), 0..4),
    ) {
        let text: String = entries.iter().flat_map(|(entry, gap)| [entry.text(), (*gap).to_owned()]).collect();
        let fields: Vec<_> = text.split('\n').map(|line| ("x-forwarded-for", line.trim())).collect();
        let entries: Vec<_> = entries.into_iter().map(|(entry, _)| entry).collect();
        let list: Vec<_> = proxies.iter().map(IpAddr::to_string).collect();
        let expected = twin(&entries, &proxies).map_or("-".to_owned(), |client| client.to_string());
        prop_assert_eq!(told_by(None, &format!("unix,{}", list.join(",")), &fields), format!("http {expected}"));
    }
}
