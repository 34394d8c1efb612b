//! Keys and causes as words in a file, and back; and waits as words.

use crate::arena::Key;
use crate::trace::{Cause, JobClass, Phase, Side, Wait};

/// `3#17`: index and stamp; `none` is [`Key::NONE`]. It is what `Debug` writes.
pub(super) fn key(text: &str) -> Option<Key> {
    if text == "none" {
        return Some(Key::NONE);
    }
    let (index, stamp) = text.split_once('#')?;
    let number = |text: &str| text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    Some(Key::new(number(index)?, number(stamp)?))
}

const CLASSES: [(JobClass, &str); 3] =
    [(JobClass::General, "general"), (JobClass::Files, "files"), (JobClass::Names, "names")];

const CAUSES: [(Cause, &str); 5] = [
    (Cause::Spawn, "spawn"),
    (Cause::Io, "io"),
    (Cause::Timer, "timer"),
    (Cause::Mail, "mail"),
    (Cause::Outside, "outside"),
];

fn word<T: Copy + PartialEq>(table: &[(T, &'static str)], value: T) -> &'static str {
    table.iter().find(|(known, _)| *known == value).expect("the table has all of them").1
}

fn value<T: Copy>(table: &[(T, &'static str)], word: &str) -> Option<T> {
    table.iter().find(|(_, known)| *known == word).map(|(value, _)| *value)
}

pub(super) fn phase_word(phase: Phase) -> &'static str {
    phase.name()
}

pub(super) fn phase(word: &str) -> Option<Phase> {
    Phase::ALL.into_iter().find(|phase| phase.name() == word)
}

pub(super) fn class_word(class: JobClass) -> &'static str {
    word(&CLASSES, class)
}

pub(super) fn class(word: &str) -> Option<JobClass> {
    value(&CLASSES, word)
}

pub(super) fn cause_word(cause: Cause) -> String {
    match cause {
        Cause::Task(task) => format!("task {task:?}"),
        other => word(&CAUSES, other).to_owned(),
    }
}

pub(super) fn cause(text: &str) -> Option<Cause> {
    match text.strip_prefix("task ") {
        Some(task) => key(task).map(Cause::Task),
        None => value(&CAUSES, text),
    }
}

pub(super) fn wait_words(wait: Wait) -> String {
    match wait {
        Wait::Timer(timer) => format!("timer {timer:?}"),
        Wait::Source(source, Side::Read) => format!("something to read from source {source:?}"),
        Wait::Source(source, Side::Write) => format!("room to write to source {source:?}"),
        Wait::Task(task) => format!("the end of task {task:?}"),
        Wait::AnyTask(task) => format!("the end of the first of several tasks, as of {task:?}"),
        other => other.to_string(),
    }
}
