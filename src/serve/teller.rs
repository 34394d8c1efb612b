//! Log lines that nobody waits for.

use log::Level;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// Under what name they are logged.
const TARGET: &str = "evloop::serve::signals";

/// More lines do not wait to be written; those that come then are lost.
const LINES_MAX: usize = 64;

/// Writes lines to the log in their order, on a thread of its own, which is there from the first line on.
///
/// A standard error that nobody reads holds up who writes to it, and whoever hears the signals must hear the next one all the
/// same. Dropping it waits for the lines that are under way.
#[derive(Debug, Default)]
pub(super) struct Teller(Option<(SyncSender<Line>, JoinHandle<()>)>);

type Line = (Level, String);

impl Teller {
    /// Has the line written. Without a thread to be had it is written here.
    pub(super) fn tell(&mut self, level: Level, text: String) {
        if self.0.is_none() {
            let (lines, come) = sync_channel(LINES_MAX);
            let write = move || {
                for (level, text) in come {
                    log::log!(target: TARGET, level, "{text}");
                }
            };
            self.0 = thread::Builder::new().name("log".to_owned()).spawn(write).ok().map(|thread| (lines, thread));
        }
        match &self.0 {
            Some((lines, _)) => drop(lines.try_send((level, text))),
            None => log::log!(target: TARGET, level, "{text}"),
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if let Some((lines, thread)) = self.0.take() {
            drop(lines);
            drop(thread.join()); // a logger that panics has said so
        }
    }
}
