//! What happens to a signal whose streams are gone, and to the second of those that end the process.
//!
//! Once a handler is installed it stays: nobody could take it away soundly, since another library may have put its own on top
//! of it. So the handler itself looks: is nobody of this process listening, it does what the signal does by default.

use super::check;
use super::kind::SignalKind;
use signal_hook::flag;
use std::collections::BTreeMap;
use std::io;
use std::mem::ManuallyDrop;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The kinds that this process listens for, or has.
static HEARD: Mutex<BTreeMap<SignalKind, Heard>> = Mutex::new(BTreeMap::new());

#[derive(Default)]
struct Heard {
    /// Streams, and those who listen for ever.
    listeners: usize,
    /// Set while there is no listener; there once the default is to come back.
    unheard: Option<Arc<AtomicBool>>,
}

impl Heard {
    fn change(&mut self, listeners: usize) {
        self.listeners = listeners;
        if let Some(unheard) = &self.unheard {
            unheard.store(listeners == 0, SeqCst);
        }
    }
}

fn heard() -> MutexGuard<'static, BTreeMap<SignalKind, Heard>> {
    HEARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts as one who listens for that kind, for as long as it lives: from before a handler is installed until it is gone.
#[derive(Debug)]
pub(super) struct Listening(SignalKind);

impl Listening {
    pub(super) fn new(kind: SignalKind) -> Listening {
        let mut heard = heard();
        let heard = heard.entry(kind).or_default();
        heard.change(heard.listeners + 1);
        Listening(kind)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(heard) = heard().get_mut(&self.0) {
            heard.change(heard.listeners - 1);
        }
    }
}

/// From now on, a signal of that kind does what it does by default whenever no stream of this process listens for it: the
/// signal ends the process, stops it, or does nothing. Without this, a signal whose last stream is dropped is ignored. libuv
/// brings the default back unasked, tokio does not at all.
///
/// It holds for the streams of this crate alone: a signal that another library listens for, or that this process was started
/// to ignore (`nohup`), is not to be named here.
///
/// # Errors
/// When the signal cannot be handled, or what it does by default is not known, as for those of real time.
///
/// # Examples
/// ```no_run
/// use evloop_runtime::signal::{SignalKind, once, restore_default};
///
/// evloop_runtime::block_on(async {
///     restore_default(SignalKind::INTERRUPT)?;
///     once(SignalKind::INTERRUPT)?.await?;
///     println!("finishing; Ctrl-C once more ends it at once");
///     std::io::Result::Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn restore_default(kind: SignalKind) -> io::Result<()> {
    check(kind)?;
    // signal-hook takes SIGIO to be ignored by default, as elsewhere; on Linux it ends the process.
    if kind == SignalKind::IO || signal_hook::low_level::signal_name(kind.as_raw()).is_none() {
        return Err(super::kind::invalid(format!("it is not known what {kind} does by default")));
    }
    let mut heard = heard();
    let heard = heard.entry(kind).or_default();
    if heard.unheard.is_none() {
        let unheard = Arc::new(AtomicBool::new(heard.listeners == 0));
        flag::register_conditional_default(kind.as_raw(), Arc::clone(&unheard))?;
        heard.unheard = Some(unheard);
    }
    Ok(())
}

/// Lets the second of these signals, of one kind or of two, end the process at once and with this status, whatever the
/// loop does: it happens in the signal's handler. The first does nothing here; who wants to hear of it asks for a
/// [`signal`](super::signal()).
///
/// Nothing is cleaned up then. That is what a person wants who presses Ctrl-C for the second time.
///
/// # Errors
/// When one of the signals cannot be handled.
///
/// # Examples
/// ```no_run
/// use evloop_runtime::signal::{SignalKind, exit_on_second};
///
/// exit_on_second(&[SignalKind::INTERRUPT, SignalKind::TERMINATE], 130)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn exit_on_second(kinds: &[SignalKind], status: i32) -> io::Result<()> {
    kinds.iter().try_for_each(|kind| check(*kind))?; // before any of them is listened to for ever
    let seen = Arc::new(AtomicBool::new(false));
    for kind in kinds {
        let listening = Listening::new(*kind);
        // In this order: the one looks whether the flag is set, the other sets it.
        flag::register_conditional_shutdown(kind.as_raw(), status, Arc::clone(&seen))?;
        flag::register(kind.as_raw(), Arc::clone(&seen))?;
        let _for_ever = ManuallyDrop::new(listening);
    }
    Ok(())
}
