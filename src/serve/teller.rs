//! Log lines that nobody waits for.

use log::Level;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::Duration;

/// Under what name they are logged.
const TARGET: &str = "evloop::serve::signals";

/// The last line is told in so long, or not at all.
pub(super) const LAST_LINE: Duration = Duration::from_millis(500);

/// More lines do not wait to be written; those that come then are lost.
const LINES_MAX: usize = 64;

/// Writes lines to the log in their order, on a thread of its own, which is there from the first line on.
///
/// A standard error that nobody reads holds up who writes to it, and whoever hears the signals must hear the next one all the
/// same. Dropping it waits for the lines that are under way, for as long as [`LAST_LINE`].
#[derive(Debug, Default)]
pub(super) struct Teller(Option<(SyncSender<Line>, Receiver<()>)>);

type Line = (Level, String);

impl Teller {
    /// Has the line written. Without a thread to be had it is written here.
    pub(super) fn tell(&mut self, level: Level, text: String) {
        if self.0.is_none() {
            let ((lines, come), (written, is_over)) = (mpsc::sync_channel(LINES_MAX), mpsc::channel());
            let write = move || {
                let _written = written; // which is dropped when all is
                for (level, text) in come {
                    log::log!(target: TARGET, level, "{text}");
                }
            };
            self.0 = thread::Builder::new().name("log".to_owned()).spawn(write).ok().map(|_| (lines, is_over));
        }
        match &self.0 {
            Some((lines, _)) => drop(lines.try_send((level, text))),
            None => log::log!(target: TARGET, level, "{text}"),
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if let Some((lines, is_over)) = self.0.take() {
            drop(lines);
            let _over_or_late = is_over.recv_timeout(LAST_LINE); // nothing is ever sent
        }
    }
}
