//! Names and addresses: getaddrinfo and getnameinfo on the threads of the pool that are for names.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::manual;
use evloop::Runtime;
use evloop::net::{Family, LookupError, LookupHints, NameHints, TcpStream, lookup, lookup_addr, lookup_host};
use evloop::task::{JobClass, PoolLimits};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, SocketAddrV6};
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A loop of which all threads are blocked until what comes with it is dropped.
fn blocked() -> (Runtime, Vec<mpsc::Sender<()>>) {
    let limits = PoolLimits { threads_max: 3, ..PoolLimits::default() };
    let runtime = Runtime::builder().manual_clock().pool(limits).build().unwrap();
    let opens = JobClass::ALL.map(|class| {
        let (begun, has_begun) = mpsc::channel();
        let (open, wait) = mpsc::channel::<()>();
        let work = move || {
            begun.send(()).unwrap();
            assert!(wait.recv().is_err());
        };
        runtime.pool().submit(class, Box::new(work)).unwrap();
        has_begun.recv().unwrap();
        open
    });
    (runtime, opens.into())
}

/// The output of what needs no wait.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn localhost_is_found_with_its_port() {
    manual().block_on(async {
        let named = lookup("localhost", "http", LookupHints::new()).await.unwrap();
        let plain = lookup_host("localhost:80").await.unwrap();
        assert_eq!(lookup_host(("localhost", 80)).await.unwrap(), plain);
        assert_eq!(named.addresses, plain);
        assert!(plain.iter().all(|address| address.ip().is_loopback() && address.port() == 80), "{plain:?}");
    });
}

#[test]
fn name_of_a_port_of_udp_is_found_by_a_hint() {
    manual().block_on(async {
        let found = lookup("127.0.0.1", "tftp", LookupHints::new().datagram()).await.unwrap();
        assert_eq!(found.addresses, [address("127.0.0.1:69")]);
    });
}

#[test]
fn addresses_are_told_once_and_of_the_family_that_was_asked_for() {
    manual().block_on(async {
        let hints = LookupHints::new().family(Family::V4).canonical_name().configured();
        let found = lookup("localhost", "https", hints).await.unwrap();
        assert_eq!(found.addresses, [address("127.0.0.1:443")]);
        assert_eq!(found.canonical_name.as_deref(), Some("localhost"));
        let without = lookup("localhost", 1, LookupHints::new().family(Family::V4)).await.unwrap();
        assert_eq!(without.canonical_name, None);
    });
}

#[test]
fn many_look_ups_at_once_each_have_their_answer() {
    manual().block_on(async {
        let tasks: Vec<_> = (1..=20)
            .map(|port| evloop::spawn(lookup("localhost", port, LookupHints::new().family(Family::V4))))
            .collect();
        for (port, task) in (1..=20).zip(tasks) {
            let found = task.await.unwrap().unwrap();
            assert_eq!(found.addresses, [SocketAddr::from(([127, 0, 0, 1], port))]);
        }
        let load = evloop::task::pool().load();
        assert_eq!((load.names.submitted, load.total().submitted), (20, 20));
    });
}

#[test]
fn addresses_are_never_looked_up_though_all_threads_are_blocked() {
    let (runtime, opens) = blocked();
    runtime.enter(|| {
        let zoned = |port| match now(lookup("fe80::1%lo", port, LookupHints::new())).unwrap().addresses[..] {
            [SocketAddr::V6(address)] => address,
            ref other => panic!("{other:?}"),
        };
        assert_ne!(zoned(80).scope_id(), 0);
        assert_eq!(now(lookup_host("[fe80::1%lo]:80")).unwrap(), [SocketAddr::V6(zoned(80))]);
        assert_eq!(now(lookup_host(("[fe80::1%lo]", 80))).unwrap(), [SocketAddr::V6(zoned(80))]);
        for text in ["127.0.0.1:80", "[::1]:80"] {
            assert_eq!(now(lookup_host(text)).unwrap(), [address(text)]);
            let host = text.strip_suffix(":80").unwrap();
            assert_eq!(now(lookup_host((host, 80))).unwrap(), [address(text)]);
            let hints = LookupHints::new().canonical_name().configured().numeric();
            let found = now(lookup(host, "80", hints)).unwrap();
            assert_eq!(found.addresses, [address(text)]);
            assert_eq!(found.canonical_name.as_deref(), Some(host.trim_matches(['[', ']'])));
        }
        let digits = NameHints::new().numeric_host().numeric_service();
        let found = now(lookup_addr(SocketAddr::V6(zoned(7)), digits)).unwrap();
        assert_eq!((&*found.host, &*found.service), ("fe80::1%lo", "7"));
    });
    assert_eq!(runtime.pool_load().names.submitted, 1, "the one that blocks");
    drop(opens);
}

#[test]
fn what_cannot_be_a_name_or_a_port_is_refused_at_once() {
    let (runtime, opens) = blocked();
    let long = "a".repeat(300);
    let refused = |found: io::Result<Vec<SocketAddr>>| {
        let error = found.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        error.to_string()
    };
    let named =
        |host: &str, service: &str, hints| refused(now(lookup(host, service, hints)).map(|found| found.addresses));
    runtime.enter(|| {
        let hints = LookupHints::new();
        assert_eq!(named("", "80", hints), "cannot resolve : the name is empty");
        assert_eq!(named("a\0b", "80", hints), "cannot resolve a\\0b: there is a NUL byte in the name");
        assert!(named(&long, "80", hints).ends_with(": the name has 300 bytes, and none has more than 253"));
        assert_eq!(named("x", "65536", hints), "cannot resolve x: the port \"65536\" is not from 0 to 65535");
        assert_eq!(named("x", "", hints), "cannot resolve x: the port \"\" is no name and no number");
        assert_eq!(named("x", "a\0b", hints), "cannot resolve x: the port \"a\\0b\" has a NUL byte in its name");
        assert_eq!(named("localhost", "80", hints.numeric()), "cannot resolve localhost: it is no address");
        assert_eq!(named("[localhost]", "80", hints), "cannot resolve [localhost]: it is no address");

        let plain = |text: &str| refused(now(lookup_host(text)));
        assert_eq!(plain("host"), "cannot resolve host: there is no port behind the name, as in `name:80`");
        assert_eq!(plain("host:65536"), "cannot resolve host:65536: the port is no number from 0 to 65535");
        assert_eq!(plain("host:+80"), "cannot resolve host:+80: the port is no number from 0 to 65535");
        assert_eq!(plain("::1:80:"), "cannot resolve ::1:80:: an address of IPv6 before a port stands in brackets");
        assert_eq!(plain(":80"), "cannot resolve :80: the name is empty");

        let both = NameHints::new().numeric_host().numeric_service().name_required();
        assert_eq!(now(lookup_addr(address("127.0.0.1:80"), both)).unwrap_err().kind(), ErrorKind::InvalidInput);
    });
    drop(opens);
}

#[test]
fn address_that_does_not_fit_the_hints_or_the_machine_is_not_found() {
    let (runtime, opens) = blocked();
    runtime.enter(|| {
        let error = now(lookup("::1", 80, LookupHints::new().family(Family::V4))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.to_string(), "cannot resolve ::1: it is an address of the other family");
        let error = now(lookup_host("[fe80::1%no-such]:80")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().ends_with("there is no network interface \"no-such\""), "{error}");
    });
    drop(opens);
}

/// A name that no resolver asks a server for, because a label has 63 bytes at most.
fn hopeless() -> String {
    format!("{}.invalid", "a".repeat(64))
}

#[test]
fn failure_tells_the_name_and_what_the_system_says() {
    manual().block_on(async {
        let error = lookup(&hopeless(), 80, LookupHints::new()).await.unwrap_err();
        let said = LookupError::of(&error).expect("the system said it");
        assert_eq!(error.to_string(), format!("cannot resolve {}: {said}", hopeless()));
        assert_ne!(said.code(), 0);

        let error = lookup("localhost", "no-such-service", LookupHints::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let said = LookupError::of(&error).expect("the system said it");
        assert_eq!((said.code(), said.is_temporary()), (-8, false), "EAI_SERVICE");

        let error = TcpStream::connect((hopeless().as_str(), 80)).await.unwrap_err();
        assert!(LookupError::of(&error).is_some(), "{error}");
    });
}

#[test]
fn address_is_named_by_host_and_service() {
    manual().block_on(async {
        let named = async |text, hints| {
            let found = lookup_addr(address(text), hints).await.unwrap();
            (found.host, found.service)
        };
        let (host, service) = named("127.0.0.1:80", NameHints::new().name_required()).await;
        assert_eq!((&*host, &*service), ("localhost", "http"));
        let (host, service) = named("127.0.0.1:80", NameHints::new().numeric_host()).await;
        assert_eq!((&*host, &*service), ("127.0.0.1", "http"));
        let (host, service) = named("127.0.0.1:80", NameHints::new().numeric_service().datagram()).await;
        assert_eq!((&*host, &*service), ("localhost", "80"));
        let (host, _) = named("[::1]:80", NameHints::new().numeric_host()).await;
        assert_eq!(host, "::1");
    });
}

#[test]
fn address_without_a_name_is_an_error_where_one_is_required() {
    manual().block_on(async {
        let hints = NameHints::new().name_required().numeric_host();
        let error = lookup_addr(address("127.0.0.1:80"), hints).await.unwrap_err();
        assert!(error.to_string().starts_with("cannot name 127.0.0.1:80: "), "{error}");
        assert!(LookupError::of(&error).is_some());
    });
}

#[test]
fn address_in_a_zone_is_named_as_the_system_does() {
    manual().block_on(async {
        let SocketAddr::V6(lo) = lookup_host("[fe80::1%lo]:80").await.unwrap()[0] else { unreachable!() };
        let zoned = SocketAddrV6::new(*lo.ip(), 80, 0, lo.scope_id());
        let system = lookup_addr(zoned.into(), NameHints::new().numeric_host()).await.unwrap();
        let ours = lookup_addr(zoned.into(), NameHints::new().numeric_host().numeric_service()).await.unwrap();
        assert_eq!(system.host, ours.host);
    });
}

#[test]
fn look_up_that_is_dropped_takes_its_job_back() {
    let (runtime, opens) = blocked();
    let queued = || runtime.pool_load().names.queued;
    runtime.block_on(async {
        let mut forward = Box::pin(lookup("localhost", 80, LookupHints::new()));
        let mut backward = Box::pin(lookup_addr(address("127.0.0.1:80"), NameHints::new()));
        poll_fn(|cx| {
            assert!(forward.as_mut().poll(cx).is_pending() && backward.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        assert_eq!(queued(), 2);
        drop(forward);
        assert_eq!(queued(), 1);
        drop(backward);
        assert_eq!(queued(), 0);
    });
    assert_eq!(runtime.pool_load().names.cancelled, 2);
    drop(opens);
    assert!(runtime.shut_down(Duration::MAX));
}
