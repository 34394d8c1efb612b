use super::*;
use mio::net::UnixStream;
use std::io::{Read, Write};

fn pair(reactor: &mut Reactor) -> (Key, UnixStream, UnixStream) {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let key = reactor.register(&mut ours).unwrap();
    (key, ours, theirs)
}

fn wait(reactor: &mut Reactor, key: Key, side: Side) -> Poll<()> {
    reactor.poll_ready(key, side, &mut Context::from_waker(Waker::noop())).0
}

fn poll(reactor: &mut Reactor) -> usize {
    let mut due = Vec::new();
    reactor.poll(Some(Duration::ZERO), &mut due).unwrap();
    due.len()
}

#[test]
fn new_source_is_ready_on_both_sides() {
    let mut reactor = Reactor::new().unwrap();
    let (key, _ours, _theirs) = pair(&mut reactor);
    assert!(wait(&mut reactor, key, Side::Read).is_ready());
    assert!(wait(&mut reactor, key, Side::Write).is_ready());
}

#[test]
#[cfg_attr(miri, ignore = "Miri's socket pairs know no send and recv")]
fn spent_side_waits_for_the_next_edge_and_the_other_does_not() {
    let mut reactor = Reactor::new().unwrap();
    let (key, _ours, mut theirs) = pair(&mut reactor);
    poll(&mut reactor); // the edge of registering
    reactor.spend(key, Side::Read);
    assert!(wait(&mut reactor, key, Side::Read).is_pending());
    assert!(wait(&mut reactor, key, Side::Write).is_ready());
    assert_eq!(poll(&mut reactor), 0);
    theirs.write_all(b"x").unwrap();
    assert_eq!(poll(&mut reactor), 1);
    assert!(wait(&mut reactor, key, Side::Read).is_ready());
}

#[test]
#[cfg_attr(miri, ignore = "Miri's socket pairs know no send and recv")]
fn hang_up_wakes_both_sides_and_stays_seen() {
    let mut reactor = Reactor::new().unwrap();
    let (key, mut ours, theirs) = pair(&mut reactor);
    poll(&mut reactor);
    for side in [Side::Read, Side::Write] {
        reactor.spend(key, side);
        assert!(wait(&mut reactor, key, side).is_pending());
    }
    drop(theirs);
    assert_eq!(poll(&mut reactor), 2);
    assert_eq!(ours.read(&mut [0; 8]).unwrap(), 0);
    reactor.spend(key, Side::Read);
    assert!(wait(&mut reactor, key, Side::Read).is_ready(), "no further edge will come");
}

#[test]
#[cfg_attr(miri, ignore = "Miri's socket pairs know no send and recv")]
fn hang_up_is_over_when_an_operation_would_block() {
    let mut reactor = Reactor::new().unwrap();
    let (key, _ours, theirs) = pair(&mut reactor);
    drop(theirs);
    poll(&mut reactor);
    reactor.refuse(key, Side::Read);
    assert!(wait(&mut reactor, key, Side::Read).is_pending());
    assert!(wait(&mut reactor, key, Side::Write).is_ready());
}

#[test]
#[cfg_attr(miri, ignore = "Miri's socket pairs know no send and recv")]
fn event_for_a_source_that_is_gone_wakes_nobody() {
    let mut reactor = Reactor::new().unwrap();
    let (key, mut ours, mut theirs) = pair(&mut reactor);
    theirs.write_all(b"x").unwrap();
    reactor.sources.remove(key); // as if the descriptor lived on elsewhere
    let (mut next, _other) = UnixStream::pair().unwrap();
    let next_key = reactor.register(&mut next).unwrap();
    assert_eq!(next_key.index(), key.index());
    poll(&mut reactor);
    reactor.spend(next_key, Side::Read);
    assert!(wait(&mut reactor, next_key, Side::Read).is_pending());
    theirs.write_all(b"y").unwrap();
    assert_eq!(poll(&mut reactor), 0, "the event bears the old stamp");
    reactor.poll.registry().deregister(&mut ours).unwrap();
}

#[test]
fn bell_ends_the_wait_from_another_thread() {
    let mut reactor = Reactor::new().unwrap();
    let bell = reactor.bell();
    let ringer = std::thread::spawn(move || bell.wake());
    assert_eq!(reactor.poll(None, &mut Vec::new()).unwrap(), 1);
    ringer.join().unwrap();
}

#[test]
fn referenced_sources_count_while_they_are_registered() {
    let mut reactor = Reactor::new().unwrap();
    let (key, mut ours, _theirs) = pair(&mut reactor);
    reactor.set_referenced(key, true);
    reactor.set_referenced(key, true);
    assert_eq!(reactor.referenced(), 1);
    reactor.deregister(key, &mut ours).0.unwrap();
    assert_eq!(reactor.referenced(), 0);
    assert!(reactor.is_empty());
}
