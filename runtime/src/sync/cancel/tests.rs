use super::super::testing::Task;
use super::*;
use std::future::{pending, ready};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

/// Writes its name down when it is woken.
struct Named(u8, Arc<Mutex<Vec<u8>>>);

impl Wake for Named {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

#[test]
fn cancel_wakes_all_who_wait_and_is_told_to_all_who_come() {
    let (a, b, token) = (Task::default(), Task::default(), CancellationToken::new());
    let (mut first, mut second) = (token.cancelled(), token.clone().cancelled_owned());
    trace::begin_poll(Key::NONE);
    assert!(a.poll(&mut first).is_pending() && b.poll(&mut second).is_pending());
    assert!(matches!(trace::end_poll_that_waits(), Wait::Cancel(_)));
    token.cancel();
    token.cancel();
    assert_eq!((a.wakes(), b.wakes()), (1, 1));
    assert!(a.poll(&mut first).is_ready() && b.poll(&mut second).is_ready());
    assert!(a.poll(&mut token.cancelled()).is_ready());
}

#[test]
fn cancel_goes_down_and_not_up_nor_to_siblings() {
    let root = CancellationToken::new();
    let (left, right) = (root.child_token(), root.child_token());
    let leaf = left.child_token();
    left.cancel();
    assert_eq!([&root, &left, &right, &leaf].map(CancellationToken::is_cancelled), [false, true, false, true]);
    root.cancel();
    assert!(right.is_cancelled() && root.child_token().is_cancelled());
}

#[test]
fn parents_are_woken_before_children_and_older_before_younger() {
    let order = Arc::default();
    let root = CancellationToken::new();
    let (first, second) = (root.child_token(), root.child_token());
    let tokens = [&first.child_token(), &second, &first, &root];
    let mut waiting = tokens.map(CancellationToken::cancelled);
    for (name, future) in (0..).zip(&mut waiting) {
        let waker = Waker::from(Arc::new(Named(name, Arc::clone(&order))));
        assert!(Pin::new(future).poll(&mut Context::from_waker(&waker)).is_pending());
    }
    root.cancel();
    assert_eq!(*order.lock().unwrap(), [3, 2, 1, 0]);
}

#[test]
fn dropped_wait_leaves_the_line() {
    let (task, token) = (Task::default(), CancellationToken::new());
    let mut waiting = token.cancelled();
    assert!(task.poll(&mut waiting).is_pending());
    drop(waiting);
    assert_eq!(task.wakers_kept(), 0);
}

#[test]
fn children_that_go_leave_nothing_with_their_parent() {
    let root = CancellationToken::new();
    for _ in 0..10 {
        let child = root.child_token();
        let _grandchild = child.child_token();
    }
    assert_eq!(root.node.children.borrow().len(), 0);
    assert_eq!(Rc::strong_count(&root.node), 1);
}

#[test]
fn grandchild_whose_parent_is_dropped_is_cancelled_all_the_same() {
    let root = CancellationToken::new();
    let grandchild = root.child_token().child_token();
    root.cancel();
    assert!(grandchild.is_cancelled());
}

#[test]
fn deep_tree_is_cancelled_and_dropped_without_recursion() {
    let depth = if cfg!(miri) { 30 } else { 200_000 };
    let root = CancellationToken::new();
    let chain = || (0..depth).fold(root.clone(), |parent, _| parent.child_token());
    drop(chain());
    assert_eq!(Rc::strong_count(&root.node), 1);
    let leaf = chain();
    root.cancel();
    assert!(leaf.is_cancelled());
}

#[test]
fn guard_cancels_when_its_holder_panics() {
    let token = CancellationToken::new();
    let guard = token.clone().drop_guard();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _guard = guard;
        std::panic::resume_unwind(Box::new("holder"));
    }));
    assert!(panicked.is_err() && token.is_cancelled());
}

#[test]
fn future_runs_until_the_token_is_cancelled() {
    let (task, token) = (Task::default(), CancellationToken::new());
    let mut endless = token.run_until_cancelled(pending::<()>());
    assert_eq!(task.poll(&mut endless), Poll::Pending);
    token.cancel();
    assert_eq!((task.wakes(), task.poll(&mut endless)), (1, Poll::Ready(None)));
    assert_eq!(task.poll(&mut token.run_until_cancelled(ready(1))), Poll::Ready(None), "cancelled is asked first");
}
