//! Where a loop can be reached, from any thread.
//!
//! Homes are never freed. A waker may outlive its loop by any time and still post, and a reference count for that would cost
//! every task two locked operations in its life. Instead, a loop that goes leaves its home to the next one, so there are as
//! many as there were loops at one time. Mail for a former tenant is thrown away: a call bears the stamp of the loop that it
//! is for, a wake the address of a task that the next tenant does not have. That is seen when the letter is opened: until then
//! the next tenant has mail.

use super::address::{Address, HOMES};
use super::mailbox::{Mailbox, VACANT};
use super::posted::Flags;
use super::shelf::{Shelf, pieces_for};
use crate::arena::Key;
use std::fmt;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// What one thread asks of a loop on another.
pub(super) enum Letter {
    /// Wake the task of that address, or the future of `block_on`.
    Wake(Address),
    /// Call this, on the loop's thread, between polls.
    Call(Box<dyn FnOnce() + Send>),
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Letter::Wake(address) => f.debug_tuple("Wake").field(address).finish(),
            Letter::Call(_) => f.write_str("Call"),
        }
    }
}

/// What strangers reach of a loop.
#[derive(Debug)]
struct Mailroom {
    mailbox: Mailbox<Letter>,
    posted: Flags,
}

impl Mailroom {
    /// That of the home of that number.
    fn of(home: u32) -> &'static Mailroom {
        MAILROOMS.get(home, || Mailroom { mailbox: Mailbox::vacant(), posted: Flags::new() })
    }
}

/// By the number of the home.
static MAILROOMS: Shelf<Mailroom, { pieces_for(HOMES - 1) }> = Shelf::new();

/// Which homes no loop lives in.
static VACANT_HOMES: Mutex<Homes> = Mutex::new(Homes { left: Vec::new(), built: 0 });

struct Homes {
    /// By loops that have gone.
    left: Vec<u32>,
    /// How many there are.
    built: u32,
}

/// The next loop's stamp: each has its own, for as long as the process lives.
static NEXT_STAMP: AtomicU64 = AtomicU64::new(VACANT + 1);

/// Where a loop lives: it is reached there from any thread, and told by its stamp from those that lived there before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Home {
    number: u32,
    stamp: u64,
    mailroom: &'static Mailroom,
}

impl Home {
    /// A vacant home, or a new one; `bell` wakes the loop's thread from where it blocks.
    ///
    /// # Errors
    /// When as many loops live as there can be homes.
    pub(super) fn move_in(bell: Waker) -> io::Result<Home> {
        let number = vacant_homes()
            .take()
            .ok_or_else(|| io::Error::other(format!("a process has no more than {HOMES} loops at one time")))?;
        let home = Home { number, stamp: NEXT_STAMP.fetch_add(1, Relaxed), mailroom: Mailroom::of(number) };
        home.mailroom.mailbox.open(home.stamp, bell);
        Ok(home)
    }

    /// Leaves it to the next loop; letters not yet read come back, opened.
    pub(super) fn move_out(self) -> Vec<Letter> {
        let letters = self.mailroom.mailbox.close();
        for letter in &letters {
            self.open(letter);
        }
        vacant_homes().left.push(self.number);
        letters
    }

    /// The stamp of the loop, which no other loop of this process shares.
    #[inline]
    pub(super) fn stamp(self) -> u64 {
        self.stamp
    }

    /// The address of the task of that key, or of the future of `block_on` by [`Key::NONE`].
    ///
    /// # Panics
    /// When the loop has more than [`TASKS`](super::address::TASKS) tasks.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a part of it is enough there")]
    pub(super) fn address(self, key: Key) -> Address {
        Address::new(key, self.number, self.stamp as u32)
    }

    /// Whether that is the address of a task of the loop here, or of one that lived here before.
    #[inline]
    pub(super) fn has(self, address: Address) -> bool {
        address.home() == self.number
    }

    /// Any thread. A call for a loop that has moved out comes back.
    pub(super) fn post_call(self, call: Box<dyn FnOnce() + Send>) -> Result<(), Box<dyn FnOnce() + Send>> {
        self.mailroom.mailbox.post(Some(self.stamp), Letter::Call(call)).map_err(|letter| match letter {
            Letter::Call(call) => call,
            Letter::Wake(_) => unreachable!("what comes back is what was posted"),
        })
    }

    /// Whether the loop is still there.
    pub(super) fn is_open(self) -> bool {
        self.mailroom.mailbox.is_open(self.stamp)
    }

    /// Home: see [`Mailbox::try_sleep`].
    #[inline]
    pub(super) fn try_sleep(self) -> bool {
        self.mailroom.mailbox.try_sleep()
    }

    /// Home: see [`Mailbox::has_letters`].
    #[inline]
    pub(super) fn has_letters(self) -> bool {
        self.mailroom.mailbox.has_letters()
    }

    /// Home: see [`Mailbox::collect`]. Each letter is to be [opened](Home::open) before what it asks for is done.
    pub(super) fn collect(self, into: &mut Vec<Letter>) {
        self.mailroom.mailbox.collect(into);
    }

    /// Home: from now on who wakes the same task posts another letter.
    pub(super) fn open(self, letter: &Letter) {
        if let Letter::Wake(address) = letter {
            self.mailroom.posted.of(*address).letter_opened();
        }
    }
}

/// Any thread: wakes the task of that address by a letter, unless one is on its way to it. Where its loop has gone there is nobody to
/// be woken.
#[cold]
pub(super) fn post_wake(address: Address) {
    let Mailroom { mailbox, posted } = Mailroom::of(address.home());
    let posted = posted.of(address);
    if posted.wake_from_afar(address) && mailbox.post(None, Letter::Wake(address)).is_err() {
        posted.letter_opened(); // nobody else will
        // Whoever has relied on that letter meanwhile was answered for the next tenant, who then lives there by now.
        drop(mailbox.post(None, Letter::Wake(address)));
    }
}

impl Homes {
    fn take(&mut self) -> Option<u32> {
        self.left.pop().or_else(|| {
            let next = self.built;
            self.built += u32::from(next < HOMES);
            (next < HOMES).then_some(next)
        })
    }
}

fn vacant_homes() -> MutexGuard<'static, Homes> {
    VACANT_HOMES.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn homes_are_used_again_before_one_is_built_and_there_is_an_end_to_them() {
        let mut homes = Homes { left: Vec::new(), built: 0 };
        assert_eq!([homes.take(), homes.take()], [Some(0), Some(1)]);
        homes.left.push(0);
        assert_eq!([homes.take(), homes.take()], [Some(0), Some(2)]);
        homes.built = HOMES;
        assert_eq!(homes.take(), None);
        homes.left.push(7);
        assert_eq!(homes.take(), Some(7));
    }

    #[test]
    fn letter_that_is_thrown_away_keeps_none_from_being_posted() {
        let home = Home::move_in(Waker::noop().clone()).unwrap();
        let address = home.address(Key::new(3, 5));
        post_wake(address);
        post_wake(address);
        assert!(matches!(*home.move_out(), [Letter::Wake(posted)] if posted == address));
        assert!(home.mailroom.posted.of(address).wake_from_afar(address), "it was opened");
    }
}
