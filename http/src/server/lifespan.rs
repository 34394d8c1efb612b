//! The application's lifespan, as a task beside the server.

use crate::asgi::{App, Lifespan, Result, State, Talk};
use evloop_runtime::time::timeout;
use evloop_runtime::{JoinHandle, spawn};
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// A lifespan that has begun.
pub(super) struct Running {
    talk: Rc<Talk>,
    /// `None` when it has ended.
    task: Option<JoinHandle<Result>>,
}

impl Running {
    /// Tells the application that the server starts, and waits until it is ready.
    ///
    /// # Errors
    /// When the application says that it is not, or fails before it has said anything.
    pub(super) async fn start(app: &impl App) -> io::Result<(Running, State)> {
        let talk = Rc::new(Talk::default());
        let failed = |why: String| io::Error::other(format!("the application failed to start: {why}"));
        let lifespan = Lifespan::new(Rc::clone(&talk));
        let future = catch_unwind(AssertUnwindSafe(|| app.lifespan(lifespan)));
        let future = future.map_err(|_panic| failed("it panicked".to_owned()))?;
        let known = Rc::clone(&talk);
        let watched = spawn(async move {
            future.await.inspect_err(|error| {
                if known.is_started() {
                    log::error!("the application's lifespan failed: {error}");
                }
            })
        });
        let mut running = Running { talk, task: Some(watched) };
        running.answer().await.map_err(failed)?;
        let state = running.talk.take_state();
        Ok((running, state))
    }

    /// Tells the application that the server stops, and waits until it is done, for so long at most.
    pub(super) async fn stop(mut self, limit: Duration) {
        let Some(task) = &mut self.task else { return };
        if task.is_finished() {
            if let Err(panicked) = task.await {
                log::error!("the application's lifespan failed: {panicked}");
            }
            return;
        }
        self.talk.stop();
        match timeout(limit, self.answer()).await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => log::error!("the application failed to shut down: {why}"),
            Err(_) => log::error!("the application did not shut down in {} s", limit.as_secs_f64()),
        }
    }

    /// Waits until the application has answered, or has ended without an answer: then it has nothing to say.
    async fn answer(&mut self) -> std::result::Result<(), String> {
        poll_fn(|cx| {
            if let Poll::Ready(answer) = self.talk.poll_answered(cx) {
                return Poll::Ready(answer);
            }
            let Some(task) = &mut self.task else { return Poll::Ready(Ok(())) };
            let Poll::Ready(end) = Pin::new(task).poll(cx) else { return Poll::Pending };
            self.task = None;
            // Its last words may have come in the same turn.
            if let Poll::Ready(answer) = self.talk.poll_answered(cx) {
                return Poll::Ready(answer);
            }
            Poll::Ready(match end {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(error) => Err(error.to_string()),
            })
        })
        .await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
