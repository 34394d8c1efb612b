use super::super::testing::Task;
use super::*;
use crate::trace::OPERATIONS_PER_POLL;
use proptest::prelude::*;

#[test]
fn every_receiver_gets_every_message_and_is_woken_once_a_wait() {
    let (a, b, (sender, mut one)) = (Task::default(), Task::default(), channel(4));
    let mut two = sender.subscribe();
    {
        let (mut first, mut second) = (one.recv(), two.recv());
        trace::begin_poll(Key::NONE);
        assert!(a.poll(&mut first).is_pending() && b.poll(&mut second).is_pending());
        assert!(matches!(trace::end_poll_that_waits(), Wait::Receive(_)));
        assert_eq!((sender.send(1), sender.send(2)), (Ok(2), Ok(2)));
        assert_eq!((a.wakes(), b.wakes()), (1, 1));
        assert_eq!(a.poll(&mut first), Poll::Ready(Ok(1)));
        assert_eq!(b.poll(&mut second), Poll::Ready(Ok(1)));
    }
    assert_eq!((one.try_recv(), two.try_recv(), one.try_recv()), (Ok(2), Ok(2), Err(TryRecvError::Empty)));
    assert!(sender.is_empty() && one.same_channel(&two));
}

#[test]
fn slow_receiver_learns_how_many_it_missed_and_goes_on_with_the_oldest() {
    let (sender, mut slow) = channel(2);
    let mut quick = sender.subscribe();
    for number in 0..5 {
        sender.send(number).unwrap();
        assert_eq!(quick.try_recv(), Ok(number));
    }
    assert_eq!((slow.len(), sender.len()), (5, 2));
    assert_eq!(slow.try_recv(), Err(TryRecvError::Lagged(3)));
    assert_eq!((slow.try_recv(), slow.try_recv()), (Ok(3), Ok(4)));
    assert_eq!(slow.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn messages_are_there_before_the_end() {
    let (task, (sender, mut receiver)) = (Task::default(), channel(2));
    let other = sender.clone();
    sender.send(1).unwrap();
    drop(sender);
    assert!(!receiver.is_closed());
    drop(other);
    assert_eq!(task.poll(&mut receiver.recv()), Poll::Ready(Ok(1)));
    assert_eq!(task.poll(&mut receiver.recv()), Poll::Ready(Err(RecvError::Closed)));
}

#[test]
fn last_dropped_sender_ends_the_wait() {
    let (task, (sender, mut receiver)) = (Task::default(), channel::<u8>(1));
    let mut recv = receiver.recv();
    assert!(task.poll(&mut recv).is_pending());
    drop(sender);
    assert_eq!((task.wakes(), task.poll(&mut recv)), (1, Poll::Ready(Err(RecvError::Closed))));
}

#[test]
fn message_is_gone_when_nobody_wants_it_and_the_last_takes_it_itself() {
    let (sender, mut one) = channel(4);
    let two = sender.subscribe();
    let value = Rc::new(());
    sender.send(Rc::clone(&value)).unwrap();
    sender.send(Rc::clone(&value)).unwrap();
    let taken = one.try_recv();
    assert_eq!(Rc::strong_count(&value), 4, "two in the ring, one taken, one here");
    drop(two);
    assert_eq!((Rc::strong_count(&value), sender.len()), (3, 1), "the first was wanted by the dropped one only");
    let last = one.try_recv();
    assert_eq!((Rc::strong_count(&value), sender.len()), (3, 0), "moved, not cloned");
    drop((taken, last));
}

#[test]
fn dropped_recv_leaves_the_line() {
    let (task, (sender, mut receiver)) = (Task::default(), channel(1));
    assert!(task.poll(&mut receiver.recv()).is_pending());
    sender.send(1).unwrap();
    assert_eq!((task.wakes(), task.wakers_kept()), (0, 0));
}

#[test]
fn sender_learns_that_no_receiver_is_left() {
    let (task, (sender, receiver)) = (Task::default(), channel(1));
    let mut closed = sender.closed();
    assert!(task.poll(&mut closed).is_pending());
    sender.send(1).unwrap();
    drop(receiver);
    assert_eq!((task.wakes(), task.poll(&mut closed)), (1, Poll::Ready(())));
    assert_eq!((sender.send(2), sender.len()), (Err(SendError(2)), 0));
}

#[test]
#[should_panic(expected = "its capacity is 0")]
fn broadcast_without_room_is_refused() {
    let _ = channel::<u8>(0);
}

thread_local! {
    static CHANNEL: RefCell<Option<Sender<Chatty>>> = const { RefCell::new(None) };
}

/// Sends into its own channel when it is cloned.
struct Chatty(u8);

impl Clone for Chatty {
    fn clone(&self) -> Self {
        let sender = CHANNEL.with_borrow(Clone::clone).unwrap();
        assert!(sender.send(Chatty(self.0 + 1)).is_ok());
        Chatty(self.0)
    }
}

#[test]
fn clone_of_a_message_may_come_back_to_the_channel() {
    let (sender, mut receiver) = channel(4);
    let _other = sender.subscribe();
    CHANNEL.set(Some(sender.clone()));
    sender.send(Chatty(1)).ok();
    assert_eq!(receiver.try_recv().map(|message| message.0), Ok(1));
    assert_eq!(receiver.len(), 1);
    CHANNEL.set(None);
}

#[test]
fn endless_messages_do_not_hold_the_loop() {
    let (task, (sender, mut receiver)) = (Task::default(), channel(200));
    assert!((0..200).all(|number| sender.send(number).is_ok()));
    trace::begin_poll(Key::NONE);
    let taken = (0..1_000).take_while(|_| task.poll(&mut receiver.recv()).is_ready()).count();
    assert_eq!(taken, OPERATIONS_PER_POLL as usize);
    assert_eq!(trace::end_poll_that_waits(), Wait::Turn);
}

#[derive(Debug, Clone)]
enum Op {
    Send,
    Subscribe,
    Recv(usize),
    Leave(usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        5 => Just(Op::Send),
        1 => Just(Op::Subscribe),
        6 => any::<usize>().prop_map(Op::Recv),
        1 => any::<usize>().prop_map(Op::Leave),
    ];
    proptest::collection::vec(op, 0..if cfg!(miri) { 10 } else { 100 })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 512 }, failure_persistence: None, ..ProptestConfig::default() })]

    /// The slow twin: messages are their own numbers, none is ever forgotten, and each receiver has a number.
    #[test]
    fn broadcast_agrees_with_its_slow_twin(capacity in 1..5_u64, ops in ops()) {
        let sender = Sender::new(usize::try_from(capacity).unwrap());
        let (mut receivers, mut sent) = (Vec::new(), 0);
        for op in ops {
            match op {
                Op::Send => {
                    let count = sender.send(sent);
                    prop_assert_eq!(count.ok(), Some(receivers.len()).filter(|count| *count > 0));
                    sent += u64::from(!receivers.is_empty());
                }
                Op::Subscribe => receivers.push((sender.subscribe(), sent)),
                Op::Recv(n) if !receivers.is_empty() => {
                    let at = n % receivers.len();
                    let (receiver, next) = &mut receivers[at];
                    let missed = sent.saturating_sub(capacity).saturating_sub(*next);
                    let expected = if missed > 0 { Err(TryRecvError::Lagged(missed)) }
                        else if *next == sent { Err(TryRecvError::Empty) } else { Ok(*next) };
                    *next += if missed > 0 { missed } else { u64::from(expected.is_ok()) };
                    prop_assert_eq!(receiver.try_recv(), expected);
                }
                Op::Leave(n) if !receivers.is_empty() => drop(receivers.remove(n % receivers.len())),
                _ => {}
            }
            let slowest = receivers.iter().map(|(_, next)| sent - next).max().unwrap_or(0);
            prop_assert_eq!(sender.len() as u64, slowest.min(capacity));
        }
    }
}

#[test]
fn receivers_are_woken_also_when_the_oldest_message_panics_as_it_is_dropped() {
    #[derive(Clone)]
    struct Brittle(bool);
    impl Drop for Brittle {
        fn drop(&mut self) {
            assert!(!self.0, "dropped");
        }
    }
    let (task, (sender, mut quick)) = (Task::default(), channel(1));
    sender.send(Brittle(false)).ok();
    quick.try_recv().ok();
    let slow = sender.subscribe();
    sender.send(Brittle(true)).ok();
    let mut third = sender.subscribe();
    let mut recv = third.recv();
    assert!(task.poll(&mut recv).is_pending());
    let sent = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sender.send(Brittle(false)).ok()));
    assert_eq!((sent.is_err(), task.wakes()), (true, 1));
    drop(slow);
}
