//! Letters from other threads, and the promise that none is slept through.
//!
//! The proof is one sentence: home says that it wants the bell under the lock under which letters are added, so either it
//! sees the letter and stays awake, or the letter's writer sees the wish and rings. A lock-free queue would save nothing
//! that counts: the eventfd behind the bell costs a hundred times what the lock does, and rings only when that is wished.
//!
//! A writer without a pause has the next letter there within some hundreds of nanoseconds, which is less than to fall asleep
//! and be woken takes: a mutex spins before it parks for the same reason. So home watches for a moment, but only after
//! letters, and seldom where that was in vain.
//!
//! A loop that gets no letters does not even take the lock: the wish stands until a letter fulfils it, and that a letter
//! has come is told by a flag. So a loop that was awakened by its sockets may be rung for once more than it needs, and
//! pays nothing a turn.

use crate::loom::{AtomicBool, Mutex, lock};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::task::Waker;
use std::{fmt, hint, mem};

/// A lock with letters, the tenant's stamp, and a bell.
#[derive(Debug)]
pub(super) struct Mailbox<L> {
    mail: Mutex<Mail<L>>,
    /// There are letters. Changed under the lock; home looks at it without.
    has_letters: AtomicBool,
    /// Home has wished for the bell since it last took letters in; home's own note. Invariant: then the wish still stands,
    /// or there are letters.
    has_wished: AtomicBool,
    /// How many more times home goes to sleep without [watching](Mailbox::sees_more) first; home's own note.
    unwatched: AtomicU32,
}

struct Mail<L> {
    /// Of the loop that lives here; [`VACANT`] when none does.
    tenant: u64,
    wants_bell: bool,
    letters: Vec<L>,
    bell: Option<Waker>,
}

/// The stamp of no loop.
pub(super) const VACANT: u64 = 0;

/// How often home looks for the next letter before it sleeps, with a pause of the processor's after each look: 0.8 µs in all
/// where such a pause takes 40 ns.
const LOOKS: u32 = if cfg!(loom) { 1 } else { 20 };

/// How often home sleeps at once after it has watched in vain.
const UNWATCHED: u32 = 16;

impl<L> fmt::Debug for Mail<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("tenant", &self.tenant)
            .field("wants_bell", &self.wants_bell)
            .field("letters", &self.letters.len())
            .finish_non_exhaustive()
    }
}

impl<L> Mailbox<L> {
    pub(super) fn vacant() -> Mailbox<L> {
        let mail = Mail { tenant: VACANT, wants_bell: false, letters: Vec::new(), bell: None };
        Mailbox {
            mail: Mutex::new(mail),
            has_letters: AtomicBool::new(false),
            has_wished: AtomicBool::new(false),
            unwatched: AtomicU32::new(0),
        }
    }

    /// A loop moves in.
    pub(super) fn open(&self, tenant: u64, bell: Waker) {
        let mut mail = lock(&self.mail);
        assert!(mail.tenant == VACANT && tenant != VACANT, "one loop lives here at a time");
        mail.tenant = tenant;
        mail.bell = Some(bell);
    }

    /// The loop moves out; its letters come back, for the caller to drop.
    pub(super) fn close(&self) -> Vec<L> {
        let mut mail = lock(&self.mail);
        mail.tenant = VACANT;
        mail.wants_bell = false;
        self.has_letters.store(false, Relaxed);
        self.has_wished.store(false, Relaxed);
        let bell = mail.bell.take();
        let letters = mem::take(&mut mail.letters);
        drop(mail);
        drop(bell);
        letters
    }

    /// Any thread: leaves a letter for the loop of that stamp, or for whichever lives here, and rings if that is wished. It comes
    /// back if there is no such loop.
    pub(super) fn post(&self, tenant: Option<u64>, letter: L) -> Result<(), L> {
        let mut mail = lock(&self.mail);
        if mail.tenant == VACANT || tenant.is_some_and(|tenant| tenant != mail.tenant) {
            return Err(letter);
        }
        mail.letters.push(letter);
        self.has_letters.store(true, Release);
        let bell = if mem::take(&mut mail.wants_bell) { mail.bell.clone() } else { None };
        drop(mail); // who is woken will want the lock
        if let Some(bell) = bell {
            bell.wake();
        }
        Ok(())
    }

    /// Whether the loop of that stamp still lives here.
    pub(super) fn is_open(&self, tenant: u64) -> bool {
        lock(&self.mail).tenant == tenant
    }

    /// Home: `true` when it may block until the bell rings.
    #[inline]
    pub(super) fn try_sleep(&self) -> bool {
        if self.has_wished.load(Relaxed) {
            return !self.has_letters();
        }
        if self.sees_more() {
            return false;
        }
        let mut mail = lock(&self.mail);
        mail.wants_bell = mail.letters.is_empty();
        self.has_wished.store(mail.wants_bell, Relaxed);
        mail.wants_bell
    }

    /// Home, after letters: whether the next one is there, or comes within a moment. Then neither side pays for the bell,
    /// which is a system call for the writer and a sleep for home.
    fn sees_more(&self) -> bool {
        let unwatched = self.unwatched.load(Relaxed);
        if unwatched > 0 {
            self.unwatched.store(unwatched - 1, Relaxed);
            return false;
        }
        for _ in 0..LOOKS {
            if self.has_letters() {
                return true;
            }
            hint::spin_loop();
        }
        self.unwatched.store(UNWATCHED, Relaxed);
        false
    }

    /// Home, awake: takes all letters in, in the order in which they were posted. `into` is empty, and its memory serves
    /// the letters to come.
    #[inline]
    pub(super) fn collect(&self, into: &mut Vec<L>) {
        debug_assert!(into.is_empty(), "the letters of before were read");
        if self.has_letters.load(Acquire) {
            let mut mail = lock(&self.mail);
            mem::swap(&mut mail.letters, into);
            self.has_letters.store(false, Relaxed);
            self.has_wished.store(false, Relaxed);
        }
    }

    /// Home: whether there is anything to collect.
    #[inline]
    pub(super) fn has_letters(&self) -> bool {
        self.has_letters.load(Acquire)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    const TENANT: u64 = 1;

    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    /// A mailbox whose home has just taken a letter in, for which the bell has rung once.
    fn mailbox() -> (Mailbox<u8>, Arc<Bell>) {
        let (mailbox, bell) = (Mailbox::vacant(), Arc::<Bell>::default());
        mailbox.open(TENANT, Waker::from(Arc::clone(&bell)));
        assert!(mailbox.try_sleep());
        deliver(&mailbox);
        assert_eq!(bell.0.load(Relaxed), 1);
        (mailbox, bell)
    }

    fn deliver(mailbox: &Mailbox<u8>) {
        assert_eq!(mailbox.post(Some(TENANT), 7), Ok(()));
        let mut letters = Vec::new();
        mailbox.collect(&mut letters);
        assert_eq!(letters, [7]);
    }

    #[test]
    fn letter_that_is_there_before_home_sleeps_keeps_it_awake_and_rings_no_bell() {
        let (mailbox, bell) = mailbox();
        for _ in 0..2 * UNWATCHED {
            assert_eq!(mailbox.post(Some(TENANT), 8), Ok(()));
            assert!(!mailbox.try_sleep());
            mailbox.collect(&mut Vec::new());
        }
        assert_eq!(bell.0.load(Relaxed), 1);
    }

    #[test]
    fn letter_for_whoever_lives_there_comes_back_only_where_nobody_does() {
        let (mailbox, _) = mailbox();
        assert_eq!([mailbox.post(None, 1), mailbox.post(Some(TENANT + 1), 2)], [Ok(()), Err(2)]);
        assert_eq!(mailbox.close(), [1]);
        assert_eq!(mailbox.post(None, 3), Err(3));
    }

    #[test]
    fn watch_in_vain_is_followed_by_sleeps_without_one() {
        let (mailbox, bell) = mailbox();
        for left in (0..UNWATCHED).rev() {
            assert!(mailbox.try_sleep());
            assert_eq!(mailbox.unwatched.load(Relaxed), left);
            deliver(&mailbox);
        }
        assert!(mailbox.try_sleep(), "it watches again, and in vain");
        assert_eq!(mailbox.unwatched.load(Relaxed), UNWATCHED);
        assert_eq!(bell.0.load(Relaxed), 1 + UNWATCHED as usize);
    }

    #[test]
    fn watch_that_was_of_use_is_kept_up() {
        let (mailbox, _) = mailbox();
        mailbox.unwatched.store(0, Relaxed);
        for letter in 0..3 {
            assert_eq!(mailbox.post(Some(TENANT), letter), Ok(()));
            assert!(!mailbox.try_sleep());
            assert_eq!(mailbox.unwatched.load(Relaxed), 0);
            mailbox.collect(&mut Vec::new());
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::loom::Arc;
    use ::loom::sync::atomic::AtomicUsize;
    use ::loom::thread::{self, Thread};
    use std::sync::Arc as StdArc;
    use std::sync::atomic::Ordering::SeqCst;
    use std::task::Wake;

    const TENANT: u64 = 1;

    /// Counts how often it was rung, and unparks home if that parks.
    struct Bell {
        home: Option<Thread>,
        rings: AtomicUsize,
    }

    impl Wake for Bell {
        fn wake(self: StdArc<Self>) {
            self.rings.fetch_add(1, SeqCst);
            if let Some(home) = &self.home {
                home.unpark();
            }
        }
    }

    fn bell(home: Option<Thread>) -> StdArc<Bell> {
        StdArc::new(Bell { home, rings: AtomicUsize::new(0) })
    }

    fn mailbox(bell: StdArc<Bell>) -> (Arc<Mailbox<u8>>, StdArc<Bell>) {
        let mailbox = Mailbox::vacant();
        mailbox.open(TENANT, Waker::from(StdArc::clone(&bell)));
        (Arc::new(mailbox), bell)
    }

    fn post(mailbox: &Arc<Mailbox<u8>>, letter: u8) -> thread::JoinHandle<Result<(), u8>> {
        let mailbox = Arc::clone(mailbox);
        thread::spawn(move || mailbox.post(Some(TENANT), letter))
    }

    fn collect(mailbox: &Mailbox<u8>) -> Vec<u8> {
        let mut letters = Vec::new();
        mailbox.collect(&mut letters);
        letters
    }

    #[test]
    fn loom_home_stays_awake_or_the_bell_rings() {
        ::loom::model(|| {
            let (mailbox, bell) = mailbox(bell(None));
            let stranger = post(&mailbox, 7);
            let sleeps = mailbox.try_sleep();
            assert_eq!(stranger.join().unwrap(), Ok(()));
            assert_eq!(bell.rings.load(SeqCst), usize::from(sleeps));
            assert_eq!(collect(&mailbox), [7]);
        });
    }

    #[test]
    fn loom_home_that_sleeps_whenever_it_may_gets_every_letter() {
        ::loom::model(|| {
            let (mailbox, bell) = mailbox(bell(Some(thread::current())));
            let strangers = [post(&mailbox, 1), post(&mailbox, 2)];
            let (mut letters, mut naps) = (Vec::new(), 0);
            while letters.len() < 2 {
                if mailbox.try_sleep() {
                    naps += 1;
                    thread::park(); // a letter slept through is a deadlock, and loom reports it
                }
                letters.extend(collect(&mailbox));
            }
            for stranger in strangers {
                assert_eq!(stranger.join().unwrap(), Ok(()));
            }
            letters.sort_unstable();
            assert_eq!(letters, [1, 2]);
            assert_eq!(bell.rings.load(SeqCst), naps, "it rings for a sleeper, once");
        });
    }

    #[test]
    fn loom_letter_posted_against_close_comes_back_or_is_handed_back() {
        ::loom::model(|| {
            let (mailbox, _bell) = mailbox(bell(None));
            let stranger = post(&mailbox, 7);
            let mut read = collect(&mailbox);
            read.extend(mailbox.close());
            match stranger.join().unwrap() {
                Ok(()) => assert_eq!(read, [7]),
                Err(letter) => assert_eq!((letter, read), (7, Vec::new())),
            }
            assert!(!mailbox.is_open(TENANT));
        });
    }

    #[test]
    fn loom_next_tenant_gets_no_mail_of_the_former_and_no_bell_of_it_rings() {
        ::loom::model(|| {
            let (mailbox, former_bell) = mailbox(bell(None));
            assert!(mailbox.try_sleep());
            let stranger = post(&mailbox, 7);
            let handed_back = mailbox.close();
            let bell = bell(None);
            mailbox.open(TENANT + 1, Waker::from(StdArc::clone(&bell)));
            assert!(mailbox.try_sleep(), "nothing is left for the next");
            let posted = stranger.join().unwrap();
            assert_eq!(posted.is_ok(), handed_back == [7]);
            assert_eq!(former_bell.rings.load(SeqCst), usize::from(posted.is_ok()));
            assert_eq!(bell.rings.load(SeqCst), 0);
            assert!(collect(&mailbox).is_empty());
        });
    }
}
