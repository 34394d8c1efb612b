//! A value that is made once, by who needs it first.

use std::convert::Infallible;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::semaphore::{Gate, Gated, Granted, Kind, Turn};

/// A place for a value that an `async` initialiser makes, once for all tasks of this thread.
///
/// Whoever asks first makes the value, and the others wait. If the maker fails, panics or is dropped, the next in line
/// makes it, with its own initialiser. An initialiser that asks for the value of its own cell waits for itself, for
/// ever.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, future::{join, yield_now}, sync::OnceCell};
///
/// let address = OnceCell::new();
/// let look_up = async || {
///     yield_now().await;
///     String::from("127.0.0.1")
/// };
/// let (one, other) = block_on(join(address.get_or_init(&look_up), address.get_or_init(&look_up)));
/// assert!(std::ptr::eq(one, other));
/// ```
pub struct OnceCell<T> {
    value: std::cell::OnceCell<T>,
    /// One permit, for who makes the value; closed when it is made.
    gate: Gate,
}

impl<T> Gated for OnceCell<T> {
    fn gate(&self) -> &Gate {
        &self.gate
    }
}

impl<T> OnceCell<T> {
    /// An empty one. It allocates when the first waiter comes.
    #[must_use]
    #[track_caller]
    pub const fn new() -> OnceCell<T> {
        OnceCell { value: std::cell::OnceCell::new(), gate: Gate::new(1, Kind::OnceCell) }
    }

    /// The value, if it was made.
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// The value to change, if it was made.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// Whether the value was made.
    pub fn is_initialized(&self) -> bool {
        self.get().is_some()
    }

    /// The value; made by `init`, unless it was made before or another makes it now.
    ///
    /// # Cancel safety
    /// If this is dropped while it makes the value, what `init` has done half-way is lost, and the next in line begins
    /// with its own.
    pub fn get_or_init<F: FnOnce() -> Fut, Fut: Future<Output = T>>(&self, init: F) -> GetOrInit<'_, T, F, Fut> {
        GetOrInit { making: Making::new(self, init) }
    }

    /// As [`get_or_init`](OnceCell::get_or_init), for what may fail. Then the cell stays empty, and the next in line
    /// tries.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, sync::OnceCell};
    ///
    /// let cell = OnceCell::new();
    /// assert_eq!(block_on(cell.get_or_try_init(async || "x".parse::<u8>())).is_ok(), false);
    /// assert_eq!(block_on(cell.get_or_try_init(async || "7".parse::<u8>())), Ok(&7));
    /// ```
    ///
    /// # Errors
    /// What `init` gives.
    ///
    /// # Cancel safety
    /// As that of `get_or_init`.
    pub fn get_or_try_init<E, F: FnOnce() -> Fut, Fut: Future<Output = Result<T, E>>>(
        &self,
        init: F,
    ) -> GetOrTryInit<'_, T, F, Fut> {
        GetOrTryInit { making: Making::new(self, init) }
    }

    /// Puts the value in.
    ///
    /// # Errors
    /// The value comes back when there is one already, or one is being made.
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        if self.is_initialized() {
            return Err(SetError::Initialized(value));
        }
        match Granted::try_new(self, 1) {
            Ok(_granted) => {
                self.fill(value);
                Ok(())
            }
            Err(_) => Err(SetError::Initializing(value)),
        }
    }

    /// Takes the value out, and leaves the cell as new.
    pub fn take(&mut self) -> Option<T> {
        mem::take(self).into_inner()
    }

    /// The value, out of the cell.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Puts the value in, for who has the permit, and tells those who wait.
    fn fill(&self, value: T) -> &T {
        let value = self.value.get_or_init(|| value);
        self.gate.close();
        value
    }
}

impl<T> Default for OnceCell<T> {
    #[track_caller]
    fn default() -> Self {
        OnceCell::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        let cell = OnceCell::new();
        cell.fill(value);
        cell
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceCell").field("value", &self.get()).finish()
    }
}

pin_project! {
    struct Making<'a, T, F, Fut> {
        cell: &'a OnceCell<T>,
        turn: Turn<&'a OnceCell<T>>,
        init: Option<F>,
        // There while this one makes the value. Dropped before the permit, so that its end is seen by the next.
        #[pin]
        running: Option<Fut>,
        granted: Option<Granted<&'a OnceCell<T>>>,
    }
}

impl<'a, T, F: FnOnce() -> Fut, Fut: Future> Making<'a, T, F, Fut> {
    fn new(cell: &'a OnceCell<T>, init: F) -> Self {
        Making { cell, turn: Turn::new(cell, 1), init: Some(init), running: None, granted: None }
    }

    /// Waits for the value, or makes it; `check` says what the output of the initialiser means.
    fn poll<E>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        check: impl FnOnce(Fut::Output) -> Result<T, E>,
    ) -> Poll<Result<&'a T, E>> {
        let mut this = self.project();
        let cell = *this.cell;
        if let Some(value) = cell.get() {
            return Poll::Ready(Ok(value));
        }
        if this.running.is_none() {
            match ready!(Pin::new(this.turn).poll(cx)) {
                Ok(granted) => *this.granted = Some(granted),
                Err(_) => return Poll::Ready(Ok(cell.get().expect("a cell is closed when its value is made"))),
            }
            let init = this.init.take().expect("an initialiser is called once, when its turn has come");
            this.running.set(Some(init()));
        }
        let running = this.running.as_mut().as_pin_mut().expect("it was begun just now, or before");
        let made = check(ready!(running.poll(cx)));
        this.running.set(None);
        let made = made.map(|value| cell.fill(value));
        drop(this.granted.take());
        Poll::Ready(made)
    }
}

pin_project! {
    /// The future that [`OnceCell::get_or_init`] returns.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct GetOrInit<'a, T, F, Fut> {
        #[pin]
        making: Making<'a, T, F, Fut>,
    }
}

impl<'a, T, F: FnOnce() -> Fut, Fut: Future<Output = T>> Future for GetOrInit<'a, T, F, Fut> {
    type Output = &'a T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        let made = ready!(self.project().making.poll(cx, Ok::<T, Infallible>));
        Poll::Ready(made.unwrap_or_else(|never| match never {}))
    }
}

impl<T, F, Fut> fmt::Debug for GetOrInit<'_, T, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetOrInit").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future that [`OnceCell::get_or_try_init`] returns.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct GetOrTryInit<'a, T, F, Fut> {
        #[pin]
        making: Making<'a, T, F, Fut>,
    }
}

impl<'a, T, E, F: FnOnce() -> Fut, Fut: Future<Output = Result<T, E>>> Future for GetOrTryInit<'a, T, F, Fut> {
    type Output = Result<&'a T, E>;

    /// # Panics
    /// When it is polled again after it has failed.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().making.poll(cx, |made| made)
    }
}

impl<T, F, Fut> fmt::Debug for GetOrTryInit<'_, T, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetOrTryInit").finish_non_exhaustive()
    }
}

/// Why [`OnceCell::set`] did not put the value in, with the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetError<T> {
    /// There is one already.
    Initialized(T),
    /// One is being made, or waited for.
    Initializing(T),
}

impl<T> fmt::Display for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SetError::Initialized(_) => "the cell has a value already",
            SetError::Initializing(_) => "the value of the cell is being made",
        })
    }
}

impl<T: fmt::Debug> std::error::Error for SetError<T> {}

#[cfg(test)]
mod tests;
