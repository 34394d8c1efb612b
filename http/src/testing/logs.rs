//! What is logged on the thread of a test: there is one logger a process, so all tests share it.

use log::{Level, LevelFilter, Log, Metadata, Record};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// A line of the log.
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) target: String,
    pub(crate) text: String,
}

/// Lines so far of each thread that listens.
static LINES: Mutex<BTreeMap<String, Vec<Line>>> = Mutex::new(BTreeMap::new());

/// What this thread is called here.
fn this_thread() -> String {
    format!("{:?}", thread::current().id())
}

/// Keeps the lines of the thread that wrote them.
struct Lines;

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        lines().contains_key(&this_thread())
    }

    fn log(&self, record: &Record<'_>) {
        if let Some(lines) = lines().get_mut(&this_thread()) {
            let (target, text) = (record.target().to_owned(), record.args().to_string());
            lines.push(Line { level: record.level(), target, text });
        }
    }

    fn flush(&self) {}
}

fn lines() -> MutexGuard<'static, BTreeMap<String, Vec<Line>>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a test, and gives what was logged meanwhile.
pub(crate) fn logged(test: impl FnOnce()) -> Vec<Line> {
    let _ = log::set_logger(&Lines); // an earlier test has done so
    log::set_max_level(LevelFilter::Debug);
    lines().insert(this_thread(), Vec::new());
    test();
    lines().remove(&this_thread()).expect("inserted above")
}

/// The texts of errors alone: what whoever runs the server is to look into.
pub(crate) fn errors_logged(test: impl FnOnce()) -> Vec<String> {
    let lines = logged(test).into_iter();
    lines.filter(|line| line.level == Level::Error).map(|line| line.text).collect()
}
