//! Keys, causes and waits as words in a file, and back.

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

const PHASES: [(Phase, &str); 7] = [
    (Phase::Run, "run"),
    (Phase::Idle, "idle"),
    (Phase::Prepare, "prepare"),
    (Phase::Poll, "poll"),
    (Phase::Mail, "mail"),
    (Phase::Check, "check"),
    (Phase::Timers, "timers"),
];

const CLASSES: [(JobClass, &str); 3] =
    [(JobClass::General, "general"), (JobClass::Files, "files"), (JobClass::Names, "names")];

const CAUSES: [(Cause, &str); 5] = [
    (Cause::Spawn, "spawn"),
    (Cause::Io, "io"),
    (Cause::Timer, "timer"),
    (Cause::Mail, "mail"),
    (Cause::Outside, "outside"),
];

/// Those without a key.
const WAITS: [Wait; 13] = [
    Wait::Unknown,
    Wait::Receive,
    Wait::Send,
    Wait::Oneshot,
    Wait::Notify,
    Wait::Semaphore,
    Wait::Lock,
    Wait::Barrier,
    Wait::OnceCell,
    Wait::Change,
    Wait::Cancel,
    Wait::Pool,
    Wait::Turn,
];

fn word<T: Copy + PartialEq>(table: &[(T, &'static str)], value: T) -> &'static str {
    table.iter().find(|(known, _)| *known == value).expect("the table has all of them").1
}

fn value<T: Copy>(table: &[(T, &'static str)], word: &str) -> Option<T> {
    table.iter().find(|(_, known)| *known == word).map(|(value, _)| *value)
}

pub(super) fn phase_word(phase: Phase) -> &'static str {
    word(&PHASES, phase)
}

pub(super) fn phase(word: &str) -> Option<Phase> {
    value(&PHASES, word)
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

pub(super) fn wait_word(wait: Wait) -> String {
    let word = match wait {
        Wait::Timer(timer) => return format!("timer {timer:?}"),
        Wait::Source(source, Side::Read) => return format!("read {source:?}"),
        Wait::Source(source, Side::Write) => return format!("write {source:?}"),
        Wait::Task(task) => return format!("task {task:?}"),
        Wait::Unknown => "unknown",
        Wait::Receive => "receive",
        Wait::Send => "send",
        Wait::Oneshot => "oneshot",
        Wait::Notify => "notify",
        Wait::Semaphore => "semaphore",
        Wait::Lock => "lock",
        Wait::Barrier => "barrier",
        Wait::OnceCell => "once cell",
        Wait::Change => "change",
        Wait::Cancel => "cancel",
        Wait::Pool => "pool",
        Wait::Turn => "turn",
    };
    word.to_owned()
}

pub(super) fn wait(text: &str) -> Option<Wait> {
    let (what, of) = text.split_once(' ').unwrap_or((text, ""));
    match (what, key(of)) {
        ("timer", Some(timer)) => Some(Wait::Timer(timer)),
        ("read", Some(source)) => Some(Wait::Source(source, Side::Read)),
        ("write", Some(source)) => Some(Wait::Source(source, Side::Write)),
        ("task", Some(task)) => Some(Wait::Task(task)),
        _ => WAITS.into_iter().find(|known| wait_word(*known) == text),
    }
}
