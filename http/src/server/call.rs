//! The application's call, and what is left of it when its client has gone.

use super::shared::{Shared, Stop, Working};
use crate::asgi::{App, Receive, Result, Scope, Send};
use evloop_runtime::engine::Key;
use evloop_runtime::spawn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Polls the application, which is called if it was not. How it has ended; `None`: by a panic.
#[inline(always)]
#[expect(clippy::inline_always, reason = "each kind of connection has its own, and a request passes through it once")]
pub(super) fn poll<A: App>(app: &A, working: &mut Working<A>, cx: &mut Context<'_>) -> Poll<Option<Result>> {
    let Working { exchange, call, .. } = working;
    let polled = catch_unwind(AssertUnwindSafe(|| {
        if call.is_none() {
            let handles = (Rc::clone(exchange), Rc::clone(exchange), Rc::clone(exchange));
            call.set(Some(app.call(Scope::new(handles.0), Receive::new(handles.1), Send::new(handles.2))));
        }
        let under_way = call.as_mut().as_pin_mut().expect("set above, or before");
        let outcome = ready!(under_way.poll(cx));
        call.set(None);
        Poll::Ready(outcome)
    }));
    match polled {
        Ok(polled) => polled.map(Some),
        Err(_panic) => {
            log::error!("the application panicked; the request is answered with 500 if it can be");
            end(working); // what panics once may do so again
            Poll::Ready(None)
        }
    }
}

/// Drops the application's future, wherever it waits. Tells whether that went without a panic.
pub(super) fn end<A: App>(working: &mut Working<A>) -> bool {
    let ended = catch_unwind(AssertUnwindSafe(|| working.call.set(None))).is_ok();
    if !ended {
        log::error!("the application panicked while it was dropped");
    }
    ended
}

/// A call that goes on without its client, in a task of its own.
struct Alone<A: App> {
    shared: Rc<Shared<A>>,
    key: Key,
    working: Option<Box<Working<A>>>,
    /// Its connection was told as one that a stop has cut.
    is_cut: bool,
}

/// Lets a call go on without its client. The request counts as being served until it is over.
pub(super) fn leave_alone<A: App>(shared: &Rc<Shared<A>>, working: Box<Working<A>>, is_cut: bool) {
    working.exchange.abandon();
    drop(spawn(Alone { shared: Rc::clone(shared), key: Key::NONE, working: Some(working), is_cut }));
}

impl<A: App> Future for Alone<A> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.key == Key::NONE {
            this.key = this.shared.enter(cx.waker());
        }
        if this.shared.stopping() == Stop::Now {
            if !this.is_cut {
                this.shared.cut_one();
            }
            return Poll::Ready(());
        }
        let working = this.working.as_mut().expect("taken when this is dropped");
        this.shared.note(working);
        match ready!(poll(&this.shared.app, working, cx)) {
            Some(Err(error)) if !error.is_gone() => log::error!("the application failed without its client: {error}"),
            _ => {}
        }
        Poll::Ready(())
    }
}

impl<A: App> Drop for Alone<A> {
    fn drop(&mut self) {
        if let Some(mut working) = self.working.take()
            && end(&mut working)
        {
            self.shared.keep_working(working);
        }
        self.shared.end_request();
        self.shared.leave(self.key);
    }
}
