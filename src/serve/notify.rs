//! What systemd is told, and what it hands over: `sd_notify(3)`, `sd_listen_fds(3)`, `sd_watchdog_enabled(3)`.
//!
//! Without systemd, and in a unit of another type than `notify`, all of it does nothing. A word that does not arrive is logged
//! once for each and else forgotten: a server does not end because its supervisor does not listen.

use sd_notify::NotifyState;
use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

/// It serves; `status` is shown by `systemctl status`.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

/// Its workers are being replaced; then it is [`ready`] again.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => log::warn!("systemd is not told of the reload: {error}"),
    }
}

/// Another process is the one to be told by signals.
pub(super) fn main_pid(pid: u32) {
    tell(&[NotifyState::MainPid(pid)]);
}

/// It begins to stop.
pub(super) fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(&one_line(status))]);
}

/// It goes on, and this is what it does.
pub(super) fn status(status: &str) {
    tell(&[NotifyState::Status(&one_line(status))]);
}

/// Its loops turn.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How long it may be silent, if somebody waits for it to say that it is [`alive`].
pub(super) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero())
}

/// The sockets that were opened for this process, by their numbers.
///
/// # Errors
/// When what it was told about them makes no sense.
pub(super) fn listen_fds() -> io::Result<impl ExactSizeIterator<Item = RawFd>> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("sockets of systemd (LISTEN_FDS): {error}"));
    sd_notify::listen_fds().map_err(named)
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        log::warn!("systemd is not told {state:?}: {error}");
    }
}

/// The protocol has one line for each word.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}
