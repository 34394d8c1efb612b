//! Raw modes of terminals, and the way back: on drop, on panic, from a signal's handler.
//!
//! The mode is the terminal's, not the descriptor's or the process's. So what is in force is kept in one place for the whole
//! process, by terminal: how it was found, and the raw modes that live. Who drops one sets what the last of the others wants.

use rustix::fs::{fstat, major, makedev, minor};
use rustix::termios::{
    ControlModes, InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// The terminals that are in a raw mode of ours.
static TERMINALS: Mutex<Vec<Terminal>> = Mutex::new(Vec::new());

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

struct Terminal {
    device: u64,
    /// By which it is set, whoever has closed what meanwhile.
    fd: OwnedFd,
    found: Termios,
    /// Those that live, by their ids, in the order in which they were entered. At least one.
    modes: Vec<(u64, Termios)>,
    /// It was set to how it was found: those that live have no say any more.
    restored: bool,
}

/// How raw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RawKind {
    /// Each key at once and unseen, also Ctrl-C and Ctrl-Z, which send no signals. What is written is shown as ever: a new
    /// line begins at its left. libuv's `UV_TTY_MODE_RAW`.
    Keys,
    /// Every byte as it is, in both directions, as `cfmakeraw` has it: a new line begins below where the last one ended.
    /// libuv's `UV_TTY_MODE_IO`.
    Bytes,
}

impl RawKind {
    fn apply(self, modes: &mut Termios) {
        match self {
            RawKind::Bytes => modes.make_raw(),
            RawKind::Keys => {
                use {InputModes as Input, LocalModes as Local};
                modes.input_modes -= Input::BRKINT | Input::ICRNL | Input::INPCK | Input::ISTRIP | Input::IXON;
                modes.control_modes |= ControlModes::CS8;
                modes.local_modes -= Local::ECHO | Local::ICANON | Local::IEXTEN | Local::ISIG;
            }
        }
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    }
}

/// A raw mode, for as long as it lives; see [`Tty::raw_mode`](super::Tty::raw_mode).
///
/// A panic that unwinds ends it, as any drop does. What ends the process without a drop does not: `process::exit`, a panic that
/// aborts, a signal. For those there is [`restore_terminals`].
#[derive(Debug)]
#[must_use = "dropped, the terminal is set back"]
pub struct RawMode {
    device: u64,
    id: u64,
}

impl RawMode {
    pub(super) fn enter(tty: BorrowedFd<'_>, kind: RawKind) -> io::Result<RawMode> {
        let device = device(tty)?;
        let mut terminals = lock();
        let place = terminals.iter().position(|terminal| terminal.device == device);
        // After a restore, how it is now is how it was found, whatever has been done to it since.
        let found = match place.map(|place| &terminals[place]) {
            Some(terminal) if !terminal.restored => terminal.found.clone(),
            _ => tcgetattr(tty)?,
        };
        let mut raw = found.clone();
        kind.apply(&mut raw);
        let fd = tty.try_clone_to_owned()?;
        tcsetattr(tty, OptionalActions::Now, &raw)?;
        let place = place.unwrap_or_else(|| {
            terminals.push(Terminal { device, fd, found: found.clone(), modes: Vec::new(), restored: false });
            terminals.len() - 1
        });
        let terminal = &mut terminals[place];
        if terminal.restored {
            (terminal.found, terminal.restored) = (found, false);
            terminal.modes.clear();
        }
        let id = NEXT_ID.fetch_add(1, Relaxed);
        terminal.modes.push((id, raw));
        Ok(RawMode { device, id })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let mut terminals = lock();
        let Some(place) = terminals.iter().position(|terminal| terminal.device == self.device) else { return };
        let terminal = &mut terminals[place];
        let Some(mode) = terminal.modes.iter().position(|(id, _)| *id == self.id) else { return };
        terminal.modes.remove(mode);
        let next = terminal.modes.last().map_or(&terminal.found, |(_, modes)| modes);
        if !terminal.restored
            && let Err(error) = tcsetattr(&terminal.fd, OptionalActions::Now, next)
        {
            log::debug!("cannot set a terminal back: {error}"); // it is gone, and its mode with it
        }
        if terminal.modes.is_empty() {
            terminals.swap_remove(place);
        }
    }
}

/// Sets every terminal that is in a raw mode back to how it was found; libuv's `uv_tty_reset_mode`. Raw modes that live have
/// no say in it afterwards.
///
/// It neither waits nor allocates, so that it may be called from a panic's hook, before the message is shown, and from a
/// signal's handler.
///
/// # Errors
/// `WouldBlock` when a raw mode begins or ends at this very moment, in another thread or under the handler that calls this; and
/// the last of what the terminals say, each of which is tried.
///
/// # Examples
/// ```
/// let hook = std::panic::take_hook();
/// std::panic::set_hook(Box::new(move |panic| {
///     drop(evloop_runtime::stdio::restore_terminals());
///     hook(panic);
/// }));
/// ```
pub fn restore_terminals() -> io::Result<()> {
    let mut terminals = match TERMINALS.try_lock() {
        Ok(terminals) => terminals,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
    };
    let mut result = Ok(());
    for terminal in terminals.iter_mut().filter(|terminal| !terminal.restored) {
        match tcsetattr(&terminal.fd, OptionalActions::Now, &terminal.found) {
            Ok(()) => terminal.restored = true,
            Err(error) => result = Err(error.into()),
        }
    }
    result
}

fn lock() -> MutexGuard<'static, Vec<Terminal>> {
    TERMINALS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which terminal it is. `/dev/tty` (5:0) is another name of the one that controls the process, whose number the kernel tells in
/// `/proc/self/stat`, proc(5).
fn device(tty: BorrowedFd<'_>) -> io::Result<u64> {
    let device = fstat(tty)?.st_rdev;
    if device != makedev(5, 0) {
        return Ok(device);
    }
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(") ").next().and_then(|fields| fields.split(' ').nth(4));
    let controlling: Option<u64> = after_name.and_then(|number| number.parse().ok());
    Ok(controlling.map_or(device, |number| makedev(major(number), minor(number))))
}
