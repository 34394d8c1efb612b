//! Which worker accepts from which sockets.
//!
//! Where all share their sockets, each has duplicates of them all. Where each loop has its own, the sockets of a worker that is
//! no more are *lent* to another: they have queues of their own, and the kernel goes on putting connections there.

use super::super::child::Child;
use super::super::fleet::Moment;
use super::Governor;
use crate::serve::channel::{SOCKETS_PER_MESSAGE, ToWorker};
use crate::serve::config::Accept;
use crate::serve::master::TARGET;
use crate::serve::sockets::Socket;
use std::os::fd::OwnedFd;
use std::{io, thread};

impl Governor {
    /// From now on only the workers have them.
    pub(in crate::serve::master) fn close_sockets(&mut self) {
        if let Some(mut sockets) = self.sockets.take()
            && self.leaves_files
        {
            sockets.leave_files();
        }
    }

    /// For each loop of the worker at that place, what it is to accept from.
    pub(super) fn sockets_of(&mut self, place: usize) -> io::Result<Vec<Vec<Socket>>> {
        let mut own = self.open_for(place)?;
        for lent in self.lent_to(place) {
            own[0].extend(self.open_for(lent)?.into_iter().flatten());
        }
        Ok(own)
    }

    fn open_for(&mut self, place: usize) -> io::Result<Vec<Vec<Socket>>> {
        let threads = self.threads();
        self.opened = self.opened.max(place);
        let sockets = self.sockets.as_mut().ok_or_else(|| io::Error::other("all sockets are closed"))?;
        // They may have to be opened, which a thread without a loop can.
        let open = move || sockets.for_loops((place - 1) * threads..place * threads);
        thread::scope(|scope| thread::Builder::new().spawn_scoped(scope, open)?.join().expect("it does not panic"))
    }

    /// The places that are no more and whose sockets that place accepts from. Each has a queue of its own, and the kernel goes
    /// on putting connections there.
    pub(super) fn lent_to(&self, place: usize) -> Vec<usize> {
        let wanted = self.fleet.wanted();
        if self.config.accept == Accept::Shared {
            return Vec::new();
        }
        (wanted + 1..=self.opened).filter(|gone| (gone - 1) % wanted == place - 1).collect()
    }

    /// One worker less. Others take over its sockets, if these were its own.
    pub(super) fn fewer(&mut self, now: Moment) {
        let lent = |governor: &Governor| -> Vec<Vec<usize>> {
            (1..=governor.fleet.wanted()).map(|place| governor.lent_to(place)).collect()
        };
        let before = lent(self);
        self.fleet.fewer(now);
        for ((before, after), place) in before.iter().zip(lent(self)).zip(1..) {
            for gone in after.into_iter().filter(|gone| !before.contains(gone)) {
                if let Err(error) = self.lend(gone, place) {
                    log::error!(target: TARGET, "nobody accepts from the sockets of worker {gone}: {error}");
                }
            }
        }
    }

    fn lend(&mut self, gone: usize, place: usize) -> io::Result<()> {
        for id in self.fleet.of_place(place) {
            if self.rows.get(&id).is_some_and(|row| row.lent.contains(&gone)) {
                continue; // it has them since the last time
            }
            let all = self.open_for(gone)?.into_iter().flatten().collect();
            if let Some(row) = self.rows.get_mut(&id) {
                row.lent.insert(gone);
                hand(&row.child, vec![all]);
            }
        }
        Ok(())
    }
}

/// Hands sockets over to a worker, for each of its loops.
pub(super) fn hand(child: &Child<ToWorker>, sockets: Vec<Vec<Socket>>) {
    let each = sockets.into_iter().enumerate();
    let tagged = each.flat_map(|(number, of_loop)| of_loop.into_iter().map(move |socket| (number, socket)));
    let mut tagged = tagged.map(|(number, socket)| (number, OwnedFd::from(socket))).peekable();
    while tagged.peek().is_some() {
        let (loops, sockets) = tagged.by_ref().take(SOCKETS_PER_MESSAGE).unzip();
        child.tell(ToWorker::Sockets(loops), sockets);
    }
}
