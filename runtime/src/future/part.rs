//! What `join` and `try_join` are made of: a future that keeps its output until the others are done.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::trace;

pin_project! {
    /// One side of a join, from its future to its output to nothing.
    #[project = PartProjected]
    #[project_replace = PartReplaced]
    pub(super) enum Part<F: Future> {
        Running {
            #[pin]
            future: F,
        },
        Done {
            output: F::Output,
        },
        Taken,
    }
}

impl<F: Future> Part<F> {
    /// Polls the future unless it is done, and tells whether it is now.
    pub(super) fn poll_done(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        match self.as_mut().project() {
            PartProjected::Running { future } => match trace::poll_part(future, cx) {
                Poll::Ready(output) => {
                    self.set(Part::Done { output }); // drops the future, in place
                    true
                }
                Poll::Pending => false,
            },
            PartProjected::Done { .. } => true,
            PartProjected::Taken => panic!("a join was polled after it was ready"),
        }
    }

    pub(super) fn take(self: Pin<&mut Self>) -> F::Output {
        match self.project_replace(Part::Taken) {
            PartReplaced::Done { output } => output,
            PartReplaced::Running { .. } | PartReplaced::Taken => {
                unreachable!("an output is taken once, when both are done")
            }
        }
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> Part<F> {
    /// Takes the output out, if it is there and is an error.
    pub(super) fn take_error(mut self: Pin<&mut Self>) -> Option<E> {
        match self.as_mut().project() {
            PartProjected::Done { output: Err(_) } => self.take().err(),
            _ => None,
        }
    }
}
