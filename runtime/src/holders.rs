//! Who holds the locks that somebody waits for, kept where a dump can read it.
//!
//! A task notes what it waits for once, when it is polled. But a lock may change hands while it sleeps, so who holds it is
//! asked at the time of the dump: each gate notes its holders in a few cells, in place, and gives them to this thread's
//! register when the first waiter comes. A lock that nobody ever waits for costs a few stores and is in no register.

use crate::trace::{Cause, LockId};
use std::array;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::iter;
use std::rc::{Rc, Weak};

/// How many holders are known one by one: of a mutex there is one, of many readers and permits a few tell enough.
const NAMED_MAX: usize = 4;

thread_local! {
    /// What was waited for on this thread, and still lives.
    static WAITED: RefCell<BTreeMap<LockId, Weak<Waited>>> = const { RefCell::new(BTreeMap::new()) };

    static NEXT_ID: Cell<u32> = const { Cell::new(0) };
}

/// Who holds something, as it was when it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holder {
    /// What ran: a task, or code outside of all.
    pub(crate) who: Cause,
    /// The stamp of the loop whose task that is.
    pub(crate) home: u64,
    /// Nobody else can hold it meanwhile.
    pub(crate) alone: bool,
    /// Its guard is not bound to that task, and may be another's by now.
    pub(crate) movable: bool,
}

/// Where one holder is noted, so that to sit is a few stores and to leave is one.
#[derive(Debug)]
struct Chair {
    who: Cell<Cause>,
    home: Cell<u64>,
    /// Nobody sits here while it is [`FREE`]; else [`TAKEN`], with what else is true.
    flags: Cell<u8>,
}

const FREE: u8 = 0;
const TAKEN: u8 = 1;
const ALONE: u8 = 1 << 1;
const MOVABLE: u8 = 1 << 2;

impl Chair {
    const fn new() -> Chair {
        Chair { who: Cell::new(Cause::Outside), home: Cell::new(0), flags: Cell::new(FREE) }
    }

    #[inline]
    fn is_free(&self) -> bool {
        self.flags.get() == FREE
    }

    #[inline]
    fn sit(&self, Holder { who, home, alone, movable }: Holder) {
        self.who.set(who);
        self.home.set(home);
        self.flags.set(TAKEN | if alone { ALONE } else { 0 } | if movable { MOVABLE } else { 0 });
    }

    #[inline]
    fn leave(&self) {
        self.flags.set(FREE);
    }

    fn share(&self) {
        self.flags.set(self.flags.get() & !ALONE);
    }

    /// Moves who sits here, if anybody does, to another.
    fn take(&self) -> Chair {
        Chair { flags: Cell::new(self.flags.take()), who: self.who.clone(), home: self.home.clone() }
    }

    fn holder(&self) -> Option<Holder> {
        let (who, home, flags) = (self.who.get(), self.home.get(), self.flags.get());
        (flags != FREE).then_some(Holder { who, alone: flags & ALONE != 0, movable: flags & MOVABLE != 0, home })
    }
}

/// Where a holder is noted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seat(u8);

/// Nowhere: all seats were taken.
const NO_SEAT: Seat = Seat(u8::MAX);

/// The holders of one lock.
#[derive(Debug)]
pub(crate) struct Holders {
    /// Of a mutex the only one, so that its path is short.
    first: Chair,
    more: [Chair; NAMED_MAX - 1],
    /// Those without a seat, and those who were granted something and have not come to take it.
    others: Cell<u32>,
}

impl Holders {
    pub(crate) const fn new() -> Holders {
        Holders { first: Chair::new(), more: [const { Chair::new() }; NAMED_MAX - 1], others: Cell::new(0) }
    }

    /// Notes one more.
    #[inline]
    pub(crate) fn sit(&self, holder: Holder) -> Seat {
        if !self.first.is_free() {
            return self.sit_behind(holder);
        }
        self.first.sit(holder);
        Seat(0)
    }

    #[inline(never)]
    fn sit_behind(&self, holder: Holder) -> Seat {
        for (seat, chair) in (1..).zip(&self.more) {
            if chair.is_free() {
                chair.sit(holder);
                return Seat(seat);
            }
        }
        self.promise();
        NO_SEAT
    }

    /// One holds it no more.
    #[inline]
    pub(crate) fn leave(&self, seat: Seat) {
        if seat.0 == 0 {
            return self.first.leave();
        }
        self.leave_behind(seat);
    }

    #[inline(never)]
    fn leave_behind(&self, seat: Seat) {
        match self.chair(seat) {
            Some(chair) => chair.leave(),
            None => self.settle(),
        }
    }

    fn chair(&self, seat: Seat) -> Option<&Chair> {
        self.chairs().nth(usize::from(seat.0))
    }

    fn chairs(&self) -> impl Iterator<Item = &Chair> {
        iter::once(&self.first).chain(&self.more)
    }

    /// One that was alone lets others in.
    pub(crate) fn share(&self, seat: Seat) {
        if let Some(chair) = self.chair(seat) {
            chair.share();
        }
    }

    /// One more that has no name, or not yet.
    pub(crate) fn promise(&self) {
        self.others.set(self.others.get() + 1);
    }

    /// One less of these.
    pub(crate) fn settle(&self) {
        self.others.set(self.others.get() - 1);
    }

    /// Moves all of them out, each to the same seat elsewhere.
    pub(crate) fn take(&self) -> Holders {
        Holders {
            first: self.first.take(),
            more: array::from_fn(|seat| self.more[seat].take()),
            others: Cell::new(self.others.take()),
        }
    }
}

/// The holders of a lock that was waited for. It is in the register for as long as its lock lives.
#[derive(Debug)]
pub(crate) struct Waited {
    id: LockId,
    holders: Holders,
}

impl Waited {
    pub(crate) fn new(holders: Holders) -> Rc<Waited> {
        let id = LockId(NEXT_ID.get());
        NEXT_ID.set(id.0.wrapping_add(1));
        let waited = Rc::new(Waited { id, holders });
        // A thread that has ended so far that the register is gone is dumped no more.
        let _gone = WAITED.try_with(|all| all.borrow_mut().insert(id, Rc::downgrade(&waited)));
        waited
    }

    pub(crate) fn id(&self) -> LockId {
        self.id
    }

    pub(crate) fn holders(&self) -> &Holders {
        &self.holders
    }
}

impl Drop for Waited {
    fn drop(&mut self) {
        let _gone = WAITED.try_with(|all| all.borrow_mut().remove(&self.id));
    }
}

/// Who holds the lock of that name now, and how many more do; nobody, if it is gone.
pub(crate) fn holders(id: LockId) -> (Vec<Holder>, u32) {
    let waited = WAITED.try_with(|all| all.borrow().get(&id).and_then(Weak::upgrade)).ok().flatten();
    waited.map_or((Vec::new(), 0), |waited| {
        let named = waited.holders.chairs().filter_map(Chair::holder).collect();
        (named, waited.holders.others.get())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Key;

    fn holder(index: u32) -> Holder {
        Holder { who: Cause::Task(Key::new(index, 0)), home: 0, alone: false, movable: false }
    }

    #[test]
    fn holders_beyond_the_seats_are_counted_and_each_leaves_from_where_it_is() {
        let waited = Waited::new(Holders::new());
        let seats: Vec<Seat> = (0..6).map(|index| waited.holders().sit(holder(index))).collect();
        assert_eq!(holders(waited.id()), ((0..4).map(holder).collect(), 2));
        waited.holders().leave(seats[5]);
        waited.holders().leave(seats[1]);
        assert_eq!(holders(waited.id()), ([0, 2, 3].map(holder).to_vec(), 1));
        waited.holders().sit(holder(9));
        assert_eq!(holders(waited.id()).0, [0, 9, 2, 3].map(holder));
    }

    #[test]
    fn holder_comes_back_as_it_sat_down() {
        let task = Cause::Task(Key::new(u32::MAX - 1, u32::MAX));
        let causes = [Cause::Spawn, task, Cause::Io, Cause::Timer, Cause::Mail, Cause::Outside];
        for (who, alone, movable, home) in causes.into_iter().flat_map(|who| {
            let bools = [(false, false, 0), (false, true, u64::MAX), (true, false, 1), (true, true, 2)];
            bools.map(|(alone, movable, home)| (who, alone, movable, home))
        }) {
            let (chair, holder) = (Chair::new(), Holder { who, home, alone, movable });
            chair.sit(holder);
            assert_eq!(chair.holder(), Some(holder));
            chair.share();
            assert_eq!(chair.take().holder(), Some(Holder { alone: false, ..holder }));
            assert!(chair.is_free() && chair.holder().is_none());
        }
    }

    #[test]
    fn lock_that_is_gone_is_in_no_register() {
        let waited = Waited::new(Holders::new());
        waited.holders().sit(holder(1));
        let id = waited.id();
        drop(waited);
        assert_eq!(holders(id), (Vec::new(), 0));
        assert!(WAITED.with(|all| !all.borrow().contains_key(&id)));
    }
}
