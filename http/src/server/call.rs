//! The application's call, and what is left of it when its client has gone.

use super::shared::{Shared, Stop, Working};
use crate::asgi::{App, Receive, Result, Scope, Send};
use evloop_runtime::engine::Key;
use evloop_runtime::spawn;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Polls the application, which is called if it was not. A panic of it is caught further out, around many requests, and
/// then [buried](bury): to note whose panic it would be costs less than to catch it here.
#[inline(always)]
#[expect(clippy::inline_always, reason = "each kind of connection has its own, and a request passes through it once")]
pub(super) fn poll<A: App>(app: &A, working: &mut Working<A>, cx: &mut Context<'_>) -> Poll<Result> {
    let Working { exchange, call, is_polled, .. } = working;
    *is_polled = true;
    if call.is_none() {
        let handles = (Rc::clone(exchange), Rc::clone(exchange), Rc::clone(exchange));
        call.set(Some(app.call(Scope::new(handles.0), Receive::new(handles.1), Send::new(handles.2))));
    }
    let under_way = call.as_mut().as_pin_mut().expect("set above, or before");
    let polled = under_way.poll(cx);
    if polled.is_ready() {
        call.set(None);
    }
    *is_polled = false;
    polled
}

/// Something has panicked. If that was the application, its future is dropped; any other panic goes on.
#[cold]
pub(super) fn bury<A: App>(panic: Box<dyn Any + std::marker::Send>, working: Option<&mut Working<A>>) {
    match working.filter(|working| working.is_polled) {
        Some(working) => {
            working.is_polled = false;
            log::error!("the application panicked; the request is answered with 500 if it can be");
            end(working); // what panics once may do so again
        }
        None => resume_unwind(panic),
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
        match catch_unwind(AssertUnwindSafe(|| poll(&this.shared.app, working, cx))) {
            Ok(polled) => {
                if let Err(error) = ready!(polled)
                    && !error.is_gone()
                {
                    log::error!("the application failed without its client: {error}");
                }
            }
            Err(panic) => bury(panic, Some(working)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Router;
    use crate::asgi::NO_FIELDS;
    use crate::message::StatusCode;
    use crate::testing::drive;

    #[test]
    fn panic_that_is_not_the_applications_goes_on() {
        let bug: Box<dyn Any + std::marker::Send> = Box::new("a bug of ours");
        let gone_on = catch_unwind(AssertUnwindSafe(|| bury::<Router>(bug, None)));
        assert_eq!(gone_on.expect_err("it goes on").downcast_ref(), Some(&"a bug of ours"));
    }

    #[test]
    fn panic_is_blamed_on_the_request_that_was_polled_and_on_no_other() {
        async fn app(scope: Scope, _: Receive, mut send: Send) -> Result {
            assert!(scope.path() != "/panic", "this application panics");
            send.respond(StatusCode::OK, b"fine", NO_FIELDS)
        }
        drive(app, async |client| {
            let requests = ["/", "/", "/panic", "/"].map(|path| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            let mut connection = client.connection();
            connection.send(requests.concat()).await;
            let answers = String::from_utf8(connection.rest().await).expect("ASCII");
            let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
            assert_eq!(statuses, ["200", "200", "500"], "the connection ends with a failure: {answers}");
        });
    }
}
