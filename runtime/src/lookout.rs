//! What a watchdog sees of a loop besides its numbers: whether it sleeps, what its tasks are called, what the running one
//! says that it does.
//!
//! # Who sleeps, and who wakes whom
//! A watchdog that ticked while its loop sleeps would be the only thing that an idle server does. So it parks then, and the
//! loop unparks it when it goes on. One word says how it stands between the two:
//!
//! ```text
//!              sleeps (loop, a store)          try_park (watchdog, if it is still so)
//!      awake ─────────────────────────► asleep ─────────────────────────► parked
//!        ▲                                │                                  │
//!        └────────────────────────────────┴──────────────────────────────────┘
//!              goes_on (loop, a swap)            ... and unparks, if it was parked
//! ```
//! The argument that no wake is lost is that both sides change the same word: either the watchdog's change comes first, and
//! the loop's swap sees it and unparks; or the swap comes first, and the watchdog's change fails, so it does not park. A loop
//! that never sleeps touches nothing; one that sleeps pays a swap a turn, and a system call only where the watchdog has
//! parked, which it does once in each of its own intervals at most.

use crate::arena::Key;
use crate::loom::{AtomicU8, AtomicU64, Mutex, Thread, current, fence, lock, park, park_timeout};
use slab::Slab;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::time::Duration;

/// How the loop stands; see the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It works.
    Awake,
    /// It waits for the kernel, or nobody turns it.
    Asleep,
    /// The same, and its watchdog is parked, or about to be.
    Parked,
    /// It is no more.
    Ended,
}

/// What one loop shows to its watchdog.
#[derive(Debug)]
pub(crate) struct Lookout {
    standing: AtomicU8,
    /// Known before it parks for the first time.
    watchdog: Mutex<Option<Thread>>,
    note: Note<NOTE_WORDS>,
    register: Mutex<Register>,
}

/// What a task is called.
#[derive(Debug, Clone)]
pub(crate) struct Called {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) spawned_at: &'static Location<'static>,
}

/// What the tasks are called: eight bytes for each, as there may be ten thousands. Tasks of a name come one after another,
/// as connections do, so who is called as the last one was shares what is kept of it.
#[derive(Debug, Default)]
struct Register {
    /// By the places of the tasks' keys. Those that have ended stay until another task has their place.
    tasks: Vec<Line>,
    /// How tasks are called, and how many of the lines say so.
    names: Slab<(Called, usize)>,
    last: usize,
}

#[derive(Debug, Clone, Copy)]
struct Line {
    stamp: u32,
    /// The place in the names; [`NOBODY`]: nobody has ever had this line.
    name: u32,
}

const NOBODY: u32 = u32::MAX;

impl Lookout {
    /// Of a loop that nobody turns yet.
    pub(crate) fn new() -> Lookout {
        Lookout {
            standing: AtomicU8::new(Standing::Asleep as u8),
            watchdog: Mutex::new(None),
            note: Note::new(),
            register: Mutex::new(Register::default()),
        }
    }

    /// The loop's thread: it is about to wait for the kernel, or its run is over.
    #[inline]
    pub(crate) fn sleeps(&self) {
        self.standing.store(Standing::Asleep as u8, Release);
    }

    /// The loop's thread: it has waited, or a run begins.
    #[inline]
    pub(crate) fn goes_on(&self) {
        if self.standing.swap(Standing::Awake as u8, AcqRel) == Standing::Parked as u8 {
            self.unpark();
        }
    }

    /// The loop's thread: there will be no more. Also a watchdog that pauses between two looks is woken, for who ends the loop
    /// waits for it.
    pub(crate) fn end(&self) {
        self.standing.swap(Standing::Ended as u8, AcqRel);
        self.unpark();
    }

    /// One who does not watch yet looks at how the loop stands before it parks.
    fn unpark(&self) {
        if let Some(watchdog) = &*lock(&self.watchdog) {
            watchdog.unpark();
        }
    }

    /// The watchdog's thread, before anything else.
    pub(crate) fn begin_to_watch(&self) {
        *lock(&self.watchdog) = Some(current());
    }

    /// The watchdog's thread: how the loop stands.
    pub(crate) fn standing(&self) -> Standing {
        match self.standing.load(Acquire) {
            place if place == Standing::Awake as u8 => Standing::Awake,
            place if place == Standing::Asleep as u8 => Standing::Asleep,
            place if place == Standing::Parked as u8 => Standing::Parked,
            _ => Standing::Ended,
        }
    }

    /// The watchdog's thread: parks while the loop sleeps, however long; `false` at once if it does not sleep any more.
    pub(crate) fn try_park(&self) -> bool {
        let (asleep, parked) = (Standing::Asleep as u8, Standing::Parked as u8);
        if self.standing.compare_exchange(asleep, parked, AcqRel, Acquire).is_err() {
            return false;
        }
        while self.standing() == Standing::Parked {
            park();
        }
        true
    }

    /// The watchdog's thread: waits so long, unless the loop ends. That is asked first, because two wakes may have ended one
    /// park: that the loop went on, and that it has ended.
    pub(crate) fn pause(&self, at_most: Duration) {
        if self.standing() != Standing::Ended {
            park_timeout(at_most);
        }
    }

    /// The loop's thread: a task has come.
    pub(crate) fn call(&self, task: Key, name: Option<&str>, spawned_at: &'static Location<'static>) {
        lock(&self.register).write(task, name, spawned_at);
    }

    /// What a task is called, if it is, or was, one of the loop's.
    pub(crate) fn called(&self, task: Key) -> Option<Called> {
        lock(&self.register).read(task).cloned()
    }

    /// The loop's thread: notes what is being done in the poll of that number.
    #[inline]
    pub(crate) fn write_note(&self, poll: u64, text: &[u8]) {
        self.note.write(poll, text);
    }

    /// What was noted last in the poll of that number; `None` if nothing was, or if it is being written.
    pub(crate) fn read_note(&self, poll: u64) -> Option<Vec<u8>> {
        self.note.read(poll)
    }
}

impl Register {
    fn write(&mut self, task: Key, name: Option<&str>, spawned_at: &'static Location<'static>) {
        let as_the_last =
            |(last, _): &(Called, usize)| std::ptr::eq(last.spawned_at, spawned_at) && last.name.as_deref() == name;
        if !self.names.get(self.last).is_some_and(as_the_last) {
            self.last = self.names.insert((Called { name: name.map(Arc::from), spawned_at }, 0));
        }
        self.names[self.last].1 += 1;
        let place = task.index() as usize;
        if place >= self.tasks.len() {
            self.tasks.resize(place + 1, Line { stamp: 0, name: NOBODY });
        }
        let name = u32::try_from(self.last).expect("there are no more names than places of keys, and one");
        let before = std::mem::replace(&mut self.tasks[place], Line { stamp: task.stamp(), name });
        if before.name != NOBODY {
            self.leave(before.name as usize);
        }
    }

    /// A line says something else now.
    fn leave(&mut self, name: usize) {
        self.names[name].1 -= 1;
        if self.names[name].1 == 0 {
            self.names.remove(name);
        }
    }

    fn read(&self, task: Key) -> Option<&Called> {
        let line = self.tasks.get(task.index() as usize).filter(|line| line.stamp == task.stamp())?;
        self.names.get(line.name as usize).map(|(called, _)| called)
    }
}

/// How much of a note is kept.
const NOTE_WORDS: usize = 8;

/// A short text that one thread writes often and another reads seldom: a seqlock, whose words are atomics, so that a read
/// that comes in between is no race, and is noticed (Boehm, "Can seqlocks get along with programming language memory models?").
#[derive(Debug)]
struct Note<const WORDS: usize> {
    /// Odd while it is written.
    version: AtomicU64,
    poll: AtomicU64,
    len: AtomicU64,
    /// All whole words of the text, then its last eight bytes, which may be in the word before as well.
    words: [AtomicU64; WORDS],
}

const WORD_BYTES: usize = 8;

impl<const WORDS: usize> Note<WORDS> {
    fn new() -> Note<WORDS> {
        let [version, poll, len] = [(); 3].map(|()| AtomicU64::new(0));
        Note { version, poll, len, words: [(); WORDS].map(|()| AtomicU64::new(0)) }
    }

    #[inline]
    fn write(&self, poll: u64, text: &[u8]) {
        let text = &text[..text.len().min(WORDS * WORD_BYTES)];
        let version = self.version.load(Relaxed);
        self.version.store(version.wrapping_add(1), Relaxed);
        fence(Release); // who sees any of what follows, sees that it is being written
        self.poll.store(poll, Relaxed);
        self.len.store(text.len() as u64, Relaxed);
        let (whole, rest) = text.as_chunks();
        let mut words = self.words.iter();
        for (bytes, word) in whole.iter().zip(words.by_ref()) {
            word.store(u64::from_le_bytes(*bytes), Relaxed);
        }
        if !rest.is_empty()
            && let Some(word) = words.next()
        {
            word.store(last_word(text), Relaxed);
        }
        self.version.store(version.wrapping_add(2), Release);
    }

    fn read(&self, poll: u64) -> Option<Vec<u8>> {
        let version = self.version.load(Acquire);
        let about = self.poll.load(Relaxed);
        let len = usize::try_from(self.len.load(Relaxed)).ok().filter(|len| (1..=WORDS * WORD_BYTES).contains(len));
        let words: [u64; WORDS] = std::array::from_fn(|place| self.words[place].load(Relaxed));
        fence(Acquire); // the version is not read before them
        let len =
            len.filter(|_| version.is_multiple_of(2) && version == self.version.load(Relaxed) && about == poll)?;
        let mut text: Vec<u8> = words[..len / WORD_BYTES].iter().flat_map(|word| word.to_le_bytes()).collect();
        let missing = len % WORD_BYTES;
        if missing > 0 {
            let last = words[len / WORD_BYTES].to_le_bytes();
            text.extend(if len < WORD_BYTES { &last[..missing] } else { &last[WORD_BYTES - missing..] });
        }
        Some(text)
    }
}

/// The last eight bytes of a text, or all of it with zeros behind; a copy of so few bytes is a call where their number is
/// not known.
#[inline]
fn last_word(text: &[u8]) -> u64 {
    let half = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
    match (text.last_chunk::<WORD_BYTES>(), text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(last), ..) => u64::from_le_bytes(*last),
        (_, Some(first), Some(last)) => half(first) | half(last) << (8 * (text.len() - 4)),
        _ => text.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn note_of_any_length_is_read_as_it_was_written_up_to_its_bound() {
        let note = Note::<2>::new();
        let text = b"GET /a/longer/path";
        for len in 1..=text.len() {
            note.write(7, &text[..len]);
            assert_eq!(note.read(7).as_deref(), Some(&text[..len.min(16)]));
        }
    }

    #[test]
    fn note_is_of_the_poll_that_wrote_it_and_an_empty_one_is_none() {
        let note = Note::<2>::new();
        assert_eq!(note.read(0), None);
        note.write(7, b"text");
        assert_eq!(note.read(8), None);
        note.write(8, b"");
        assert_eq!(note.read(8), None);
    }

    #[test]
    fn task_is_called_by_its_name_until_another_has_its_place() {
        let (lookout, here) = (Lookout::new(), Location::caller());
        let (first, second) = (Key::new(3, 1), Key::new(3, 2));
        lookout.call(first, Some("first"), here);
        assert_eq!(lookout.called(first).and_then(|called| called.name).as_deref(), Some("first"));
        lookout.call(second, None, here);
        assert!(lookout.called(first).is_none());
        assert_eq!(lookout.called(second).map(|called| called.spawned_at), Some(here));
        assert!(lookout.called(Key::new(2, 0)).is_none(), "nobody had this place");
        assert!(lookout.called(Key::new(4, 0)).is_none());
    }

    #[test]
    fn names_are_kept_once_and_as_long_as_tasks_have_them() {
        let (mut register, here) = (Register::default(), Location::caller());
        let name = |register: &Register, place, stamp| {
            register.read(Key::new(place, stamp)).and_then(|called| called.name.as_deref().map(str::to_owned))
        };
        for place in 0..100 {
            register.write(Key::new(place, 1), Some("connection"), here);
        }
        assert_eq!(register.names.len(), 1);
        register.write(Key::new(7, 2), Some("other"), here);
        register.write(Key::new(8, 2), None, here);
        assert_eq!(register.names.len(), 3);
        assert_eq!(name(&register, 6, 1).as_deref(), Some("connection"));
        assert_eq!(name(&register, 7, 2).as_deref(), Some("other"));
        assert_eq!(name(&register, 8, 2), None);
        for place in 0..100 {
            register.write(Key::new(place, 3), Some("later"), here);
        }
        assert_eq!(register.names.len(), 1);
        assert_eq!((name(&register, 8, 3).as_deref(), name(&register, 8, 2)), (Some("later"), None));
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::loom::Arc as LoomArc;
    use ::loom::thread;

    #[test]
    fn loom_watchdog_that_parks_whenever_it_may_sees_the_loop_end() {
        ::loom::model(|| {
            let lookout = LoomArc::new(Lookout::new());
            let watched = LoomArc::clone(&lookout);
            let watchdog = thread::spawn(move || {
                watched.begin_to_watch();
                while watched.standing() != Standing::Ended {
                    if !watched.try_park() {
                        thread::yield_now(); // one that is lost is a deadlock, and loom reports it
                    }
                }
            });
            lookout.goes_on();
            lookout.sleeps();
            lookout.goes_on();
            lookout.end();
            watchdog.join().unwrap();
        });
    }

    #[test]
    fn loom_watchdog_whose_pauses_have_no_end_sees_the_loop_end() {
        ::loom::model(|| {
            let lookout = LoomArc::new(Lookout::new());
            let watched = LoomArc::clone(&lookout);
            let watchdog = thread::spawn(move || {
                watched.begin_to_watch();
                while watched.standing() != Standing::Ended {
                    watched.try_park();
                    watched.pause(Duration::MAX);
                }
            });
            lookout.goes_on();
            lookout.end();
            watchdog.join().unwrap();
        });
    }

    #[test]
    fn loom_watchdog_that_has_parked_is_awake_when_the_loop_has_gone_on() {
        ::loom::model(|| {
            let lookout = LoomArc::new(Lookout::new());
            let watched = LoomArc::clone(&lookout);
            let watchdog = thread::spawn(move || {
                watched.begin_to_watch();
                watched.try_park() // the loop does not sleep again: this must return
            });
            lookout.goes_on();
            let parked = watchdog.join().unwrap();
            assert!(lookout.standing() == Standing::Awake, "whether or not it parked ({parked})");
        });
    }

    #[test]
    fn loom_note_is_read_whole_or_not_at_all() {
        ::loom::model(|| {
            let note = LoomArc::new(Note::<2>::new());
            let written = LoomArc::clone(&note);
            let writer = thread::spawn(move || {
                written.write(1, b"aaaaaaaaaaaaaaaa");
                written.write(1, b"bbbbbbbbbbbbbbbb");
            });
            if let Some(text) = note.read(1) {
                assert!(text == [b'a'; 16] || text == [b'b'; 16], "{text:?}");
            }
            writer.join().unwrap();
            assert_eq!(note.read(1).unwrap(), [b'b'; 16]);
        });
    }
}
