//! Whichever comes first, and what to do then: the macro, and the futures that it is made of.
//!
//! `select!` expands to a list of [`Branch`]es that ends in [`End`], a loop that asks the list for the next output until
//! one fits its branch's pattern, and a `match` that runs that branch's code. When the code runs, the list is gone: what
//! the futures had borrowed is free.

use std::convert::Infallible;
use std::future::poll_fn;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::Either;
use crate::trace;

/// Where the next fair [`select!`](crate::select!) begins: behind the branch that was first in the last one.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, future::Rotation, select};
///
/// block_on(async {
///     let (mut rotation, mut seen) = (Rotation::new(), String::new());
///     for _ in 0..5 {
///         select! {
///             fair(rotation);
///             () = async {} => seen.push('a'),
///             () = async {} => seen.push('b'),
///         }
///     }
///     assert_eq!(seen, "ababa"); // without `fair` it is "aaaaa"
/// });
/// ```
#[derive(Debug, Default, Clone)]
pub struct Rotation {
    first: usize,
}

impl Rotation {
    /// One that begins with the branch that is written first.
    #[must_use]
    pub fn new() -> Rotation {
        Rotation::default()
    }
}

/// The branches of a `select!`: this one, or those after it.
pub trait Branches {
    /// Which branch was first, as left or right of each step through the list, and its output.
    type Output;

    /// Polls the branches of these places, in their order, until one is done; gives its place. It is not polled again.
    fn poll_these(self: Pin<&mut Self>, places: Range<usize>, cx: &mut Context<'_>) -> Poll<(usize, Self::Output)>;

    /// Whether there is a branch that could still be first.
    fn any_left(&self) -> bool;
}

pin_project! {
    /// A future, while it has a chance, and the branches after it.
    #[derive(Debug)]
    pub struct Branch<F, R> {
        #[pin]
        future: Option<F>,
        #[pin]
        rest: R,
    }
}

impl<F: Future, R: Branches> Branch<F, R> {
    /// A branch before others; without a future it has no chance.
    pub fn new(future: Option<F>, rest: R) -> Branch<F, R> {
        Branch { future, rest }
    }
}

impl<F: Future, R: Branches> Branches for Branch<F, R> {
    type Output = Either<F::Output, R::Output>;

    fn poll_these(self: Pin<&mut Self>, places: Range<usize>, cx: &mut Context<'_>) -> Poll<(usize, Self::Output)> {
        let mut this = self.project();
        if places.contains(&0)
            && let Some(future) = this.future.as_mut().as_pin_mut()
            && let Poll::Ready(output) = trace::poll_part(future, cx)
        {
            this.future.set(None);
            return Poll::Ready((0, Either::Left(output)));
        }
        let places = places.start.saturating_sub(1)..places.end.saturating_sub(1);
        this.rest.poll_these(places, cx).map(|(place, output)| (place + 1, Either::Right(output)))
    }

    fn any_left(&self) -> bool {
        self.future.is_some() || self.rest.any_left()
    }
}

/// No more branches.
#[derive(Debug)]
pub struct End;

impl Branches for End {
    type Output = Infallible;

    fn poll_these(self: Pin<&mut Self>, _: Range<usize>, _: &mut Context<'_>) -> Poll<(usize, Infallible)> {
        Poll::Pending
    }

    fn any_left(&self) -> bool {
        false
    }
}

/// Waits for the first branch that is done; `None` when no branch has a chance. Where there is a rotation, the branch that
/// it names is polled first, those before it last.
pub async fn next<B: Branches>(mut branches: Pin<&mut B>, mut rotation: Option<&mut Rotation>) -> Option<B::Output> {
    poll_fn(|cx| {
        if !branches.any_left() {
            return Poll::Ready(None);
        }
        let first = rotation.as_ref().map_or(0, |rotation| rotation.first);
        let mut polled = branches.as_mut().poll_these(first..usize::MAX, cx);
        if polled.is_pending() {
            polled = branches.as_mut().poll_these(0..first, cx);
        }
        let Poll::Ready((place, output)) = polled else { return Poll::Pending };
        if let Some(rotation) = &mut rotation {
            rotation.first = place + 1; // past the last branch, it is the first's turn again
        }
        Poll::Ready(Some(output))
    })
    .await
}

/// Awaits several futures within this task until one is done, drops the others, and runs the code of that branch.
///
/// ```text
/// select! {
///     [fair(rotation);]
///     pattern = future [, if condition] => code,
///     ...
///     [else => code]
/// }
/// ```
///
/// - **Order is part of the promise.** The branches are polled from top to bottom: when several could be done, the one
///   above wins. So what must not be late (a stop, a time-out) stands at the top. In a loop a branch that is always ready
///   keeps those below it from their turn for ever; where all should have theirs, `fair(rotation);` with a
///   [`Rotation`](crate::future::Rotation) from before the loop begins each time behind the branch that won last. That is
///   in turns, not at random, so a trace of the loop is the same from run to run.
/// - **A condition** that is false takes its branch out of this run; its future is not even made. (Unlike tokio's, which
///   makes it and does not poll it.)
/// - **A pattern** that the output does not fit takes its branch out as well, its output is dropped, and the others go on.
///   Inside of such a pattern names are plain: `Some(n)`, not `Some(mut n)` or `Some(ref n)`; a name that is the whole
///   pattern may be `mut`.
/// - **`else`** runs when no branch is left. It stands last.
/// - **The code** runs when all the futures have been dropped, so it may use what they had borrowed. It may `.await`, `?`,
///   `return`, `break` and `continue`. All branches give one type. After a block the comma may be left out.
///
/// To let a future outlive one run of a loop, pin it before the loop and give the branch `&mut future`; after it was done
/// it must not be polled again, which a condition sees to.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, select, sync::mpsc, time::sleep};
/// use std::{pin::pin, time::Duration};
///
/// block_on(async {
///     let (numbers, mut received) = mpsc::channel(4);
///     drop(evloop_runtime::spawn(async move {
///         for n in [3, 4, 5] {
///             numbers.send(n).await.unwrap();
///         }
///     }));
///     let mut too_late = pin!(sleep(Duration::from_secs(60)));
///     let mut sum = 0;
///     loop {
///         select! {
///             () = &mut too_late => panic!("a minute for three numbers"),
///             number = received.recv() => match number {
///                 Some(number) => sum += number,
///                 None => break, // all senders are gone
///             }
///         }
///     }
///     assert_eq!(sum, 12);
/// });
/// ```
///
/// # Panics
/// When no branch is left and there is no `else`. That cannot happen where a branch has neither a condition nor a pattern
/// that may not fit.
///
/// # Cancel safety
/// Every future that did not win is dropped where it is, with each run. So a branch in a loop must be *cancel safe*: its
/// `# Cancel safety` says that nothing is lost. `recv`, `read`, `accept`, `notified` and a [`JoinHandle`] are; `read_exact`,
/// `write_all` and whatever has taken half of something are not: make those before the loop, as above.
///
/// [`JoinHandle`]: crate::JoinHandle
#[macro_export]
macro_rules! select {
    (fair($rotation:expr); $($branches:tt)+) => {
        $crate::future::select::__select!([::core::option::Option::Some(&mut $rotation)] [] $($branches)+)
    };
    ($($branches:tt)+) => {
        $crate::future::select::__select!([::core::option::Option::None] [] $($branches)+)
    };
}

/// `[rotation] [branches read] rest...`: reads the branches into `{ (pattern) (future) (condition) (code) }` one by one,
/// then makes the list, the loop and the match of them.
#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    ([$rotation:expr] [$($read:tt)+]) => {
        $crate::future::select::__select!(@make [$rotation] [$($read)+] {
            ::core::panic!("no branch of this select is left, and it has no else")
        })
    };
    ([$rotation:expr] [$($read:tt)+] else => $code:expr $(,)?) => {
        $crate::future::select::__select!(@make [$rotation] [$($read)+] { $code })
    };
    ([$rotation:expr] [$($read:tt)*] $p:pat = $f:expr, if $c:expr => $code:block, $($rest:tt)*) => {
        $crate::future::select::__select!([$rotation] [$($read)* { ($p) ($f) ($c) ($code) }] $($rest)*)
    };
    ([$rotation:expr] [$($read:tt)*] $p:pat = $f:expr, if $c:expr => $code:block $($rest:tt)*) => {
        $crate::future::select::__select!([$rotation] [$($read)* { ($p) ($f) ($c) ($code) }] $($rest)*)
    };
    ([$rotation:expr] [$($read:tt)*] $p:pat = $f:expr, if $c:expr => $code:expr $(, $($rest:tt)*)?) => {
        $crate::future::select::__select!([$rotation] [$($read)* { ($p) ($f) ($c) ($code) }] $($($rest)*)?)
    };
    ([$rotation:expr] [$($read:tt)*] $p:pat = $f:expr => $code:block, $($rest:tt)*) => {
        $crate::future::select::__select!([$rotation] [$($read)* { ($p) ($f) (true) ($code) }] $($rest)*)
    };
    ([$rotation:expr] [$($read:tt)*] $p:pat = $f:expr => $code:block $($rest:tt)*) => {
        $crate::future::select::__select!([$rotation] [$($read)* { ($p) ($f) (true) ($code) }] $($rest)*)
    };
    ([$rotation:expr] [$($read:tt)*] $p:pat = $f:expr => $code:expr $(, $($rest:tt)*)?) => {
        $crate::future::select::__select!([$rotation] [$($read)* { ($p) ($f) (true) ($code) }] $($($rest)*)?)
    };

    (@make [$rotation:expr] [$($read:tt)+] $none:block) => {{
        let output = {
            let mut branches = ::core::pin::pin!($crate::future::select::__select!(@branches $($read)+));
            let mut rotation: ::core::option::Option<&mut $crate::future::Rotation> = $rotation;
            loop {
                match $crate::future::select::next(branches.as_mut(), rotation.as_deref_mut()).await {
                    ::core::option::Option::None => break ::core::option::Option::None,
                    ::core::option::Option::Some(output) => {
                        if $crate::future::select::__select!(@fits (&output) $($read)+) {
                            break ::core::option::Option::Some(output);
                        }
                    }
                }
            }
        };
        match output {
            ::core::option::Option::None => $none,
            ::core::option::Option::Some(output) => $crate::future::select::__select!(@run (output) $($read)+),
        }
    }};

    (@branches) => { $crate::future::select::End };
    (@branches { ($p:pat) ($f:expr) ($c:expr) ($code:expr) } $($rest:tt)*) => {
        $crate::future::select::Branch::new(
            if $c { ::core::option::Option::Some($f) } else { ::core::option::Option::None },
            $crate::future::select::__select!(@branches $($rest)*),
        )
    };

    // By reference: the output must be whole for the match that runs the code when the futures are gone.
    (@fits ($output:expr)) => { match *$output {} };
    (@fits ($output:expr) { ($p:pat) ($f:expr) ($c:expr) ($code:expr) } $($rest:tt)*) => {
        match $output {
            $crate::future::Either::Left(output) => {
                #[allow(unused_variables, unused_mut, unreachable_patterns, reason = "it only asks whether it fits")]
                let fits = match output {
                    $p => true,
                    _ => false,
                };
                fits
            }
            $crate::future::Either::Right(rest) => $crate::future::select::__select!(@fits (rest) $($rest)*),
        }
    };

    (@run ($output:expr)) => { match $output {} };
    (@run ($output:expr) { ($p:pat) ($f:expr) ($c:expr) ($code:expr) } $($rest:tt)*) => {
        match $output {
            $crate::future::Either::Left($p) => $code,
            #[allow(unreachable_patterns, reason = "most patterns fit always")]
            $crate::future::Either::Left(_) => ::core::unreachable!("an output that does not fit is not kept"),
            $crate::future::Either::Right(rest) => $crate::future::select::__select!(@run (rest) $($rest)*),
        }
    };
}

pub use __select;

#[cfg(all(test, not(loom)))]
mod tests;
