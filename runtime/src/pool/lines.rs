//! Who is next: the queues of the classes, and the lines before them. No threads, no locks.
//!
//! ```text
//!                full                 called               take_next           finish
//!   submit ----------------> line ------------> (place) --.
//!      |                                                  v
//!      '------------------------------------------------> queue -----------> running ------> finished
//!                                                           '-- cancel
//! ```
//! Each job bears a number, so the queues together are one, and the next job is the one with the least number among those
//! whose class is not at its bound: first come, first served, as far as the bounds allow.

use super::{ClassLoad, JobClass, PoolLimits};
use crate::arena::{Key, Queue};
use std::mem;
use std::task::Waker;

/// A job's place in the queue of its class: stale as soon as the job has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    pub(super) class: JobClass,
    pub(super) key: Key,
}

impl Ticket {
    /// The class of the job.
    #[must_use]
    pub fn class(self) -> JobClass {
        self.class
    }

    /// Its name among those of its class.
    #[must_use]
    pub fn key(self) -> Key {
        self.key
    }
}

/// The queues of all classes.
pub(super) struct Lines<J> {
    classes: [Line<J>; JobClass::ALL.len()],
    queued_max: usize,
    /// The number of the next job.
    next_number: u64,
    /// Jobs under way or queued. Invariant: the sum over the classes, kept because a loop asks in each turn.
    unfinished: usize,
}

struct Line<J> {
    queue: Queue<Numbered<J>>,
    running_max: usize,
    /// Those who found the queue full. Invariant: when there is a place that is not kept for another, nobody stands here.
    waiting: Queue<Waker>,
    /// Those who were called and have not submitted their job; a place is kept for each.
    called: usize,
    /// The counters; `queued` and `waiting` are read from the queues.
    load: ClassLoad,
}

struct Numbered<J> {
    number: u64,
    job: J,
}

/// What a thread does next.
pub(super) struct Next<J> {
    pub(super) class: JobClass,
    pub(super) job: J,
    /// Who is to have the place that it leaves.
    pub(super) called: Option<Waker>,
}

impl<J> Lines<J> {
    pub(super) fn new(limits: &PoolLimits) -> Lines<J> {
        let classes = JobClass::ALL.map(|class| Line {
            queue: Queue::new(),
            running_max: limits.class_max(class),
            waiting: Queue::new(),
            called: 0,
            load: ClassLoad::default(),
        });
        Lines { classes, queued_max: limits.queued_max, next_number: 0, unfinished: 0 }
    }

    /// Whether a job is under way or queued.
    pub(super) fn is_busy(&self) -> bool {
        self.unfinished > 0
    }

    /// Whether the queue takes a job of somebody who was not called.
    pub(super) fn has_place(&self, class: JobClass) -> bool {
        self.line(class).has_place(self.queued_max)
    }

    /// Queues a job. Who calls this has found a place, or was called to one.
    pub(super) fn push(&mut self, class: JobClass, job: J) -> Ticket {
        let number = self.next_number;
        self.next_number += 1;
        self.unfinished += 1;
        let line = self.line_mut(class);
        let key = line.queue.push_back(Numbered { number, job });
        line.load.submitted += 1;
        line.load.queued_peak = line.load.queued_peak.max(line.queue.len());
        Ticket { class, key }
    }

    /// How many jobs could begin at once if one of this class came now; `None` if that one could not, because it would have to
    /// wait for others of its class.
    pub(super) fn startable_with(&self, class: JobClass) -> Option<usize> {
        let line = self.line(class);
        (line.queue.len() < line.free()).then(|| self.startable() + 1)
    }

    /// Jobs that could begin now, if there were threads for all.
    pub(super) fn startable(&self) -> usize {
        self.classes.iter().map(|line| line.queue.len().min(line.free())).sum()
    }

    /// The next job, which is under way from now on.
    pub(super) fn take_next(&mut self) -> Option<Next<J>> {
        let mut next: Option<(u64, JobClass)> = None;
        for class in JobClass::ALL {
            let line = self.line_mut(class);
            if line.free() > 0
                && let Some(first) = line.queue.front()
                && next.is_none_or(|(number, _)| first.number < number)
            {
                next = Some((first.number, class));
            }
        }
        let (_, class) = next?;
        let queued_max = self.queued_max;
        let line = self.line_mut(class);
        let job = line.queue.pop_front()?.job;
        line.load.running += 1;
        Some(Next { class, job, called: line.call(queued_max) })
    }

    /// A job has ended.
    pub(super) fn finish(&mut self, class: JobClass) {
        self.unfinished -= 1;
        let load = &mut self.line_mut(class).load;
        load.running -= 1;
        load.finished += 1;
    }

    /// Takes back a job that has not begun, and calls who is to have its place.
    pub(super) fn cancel(&mut self, ticket: Ticket) -> Option<(J, Option<Waker>)> {
        let queued_max = self.queued_max;
        let line = self.line_mut(ticket.class);
        let job = line.queue.remove(ticket.key)?.job;
        line.load.cancelled += 1;
        let called = line.call(queued_max);
        self.unfinished -= 1;
        Some((job, called))
    }

    /// Stands last in the line before the queue.
    pub(super) fn stand(&mut self, class: JobClass, waker: Waker) -> Key {
        self.line_mut(class).waiting.push_back(waker)
    }

    /// The waker of who stands there; `None` when that one was called.
    pub(super) fn standing(&mut self, class: JobClass, place: Key) -> Option<&mut Waker> {
        self.line_mut(class).waiting.get_mut(place)
    }

    /// Whoever was called has come.
    pub(super) fn arrive(&mut self, class: JobClass) {
        self.line_mut(class).called -= 1;
    }

    /// Leaves the line: gives its waker, if it was not called; if it was, the waker of who is to have the place instead.
    pub(super) fn leave(&mut self, class: JobClass, place: Key) -> (Option<Waker>, Option<Waker>) {
        let queued_max = self.queued_max;
        let line = self.line_mut(class);
        let own = line.waiting.remove(place);
        if own.is_none() {
            line.called -= 1;
        }
        (own, line.call(queued_max))
    }

    /// Everything that has not begun, and everyone who waits, who counts as called from now on.
    pub(super) fn clear(&mut self) -> (Vec<J>, Vec<Waker>) {
        let (mut jobs, mut called) = (Vec::new(), Vec::new());
        for line in &mut self.classes {
            let (mut queue, mut waiting) = (mem::take(&mut line.queue), mem::take(&mut line.waiting));
            self.unfinished -= queue.len();
            line.load.cancelled += queue.len() as u64;
            line.called += waiting.len();
            jobs.extend(std::iter::from_fn(|| queue.pop_front()).map(|numbered| numbered.job));
            called.extend(std::iter::from_fn(|| waiting.pop_front()));
        }
        (jobs, called)
    }

    /// The jobs of a class that have not begun, in their order.
    pub(super) fn queued(&self, class: JobClass) -> impl Iterator<Item = Key> {
        self.line(class).queue.iter().map(|(key, _)| key)
    }

    pub(super) fn load(&self, class: JobClass) -> ClassLoad {
        let line = self.line(class);
        ClassLoad { queued: line.queue.len(), waiting: line.waiting.len() + line.called, ..line.load }
    }

    fn line(&self, class: JobClass) -> &Line<J> {
        &self.classes[class as usize]
    }

    fn line_mut(&mut self, class: JobClass) -> &mut Line<J> {
        &mut self.classes[class as usize]
    }
}

impl<J> Line<J> {
    /// Threads that it may still occupy.
    fn free(&self) -> usize {
        self.running_max - self.load.running
    }

    fn has_place(&self, queued_max: usize) -> bool {
        self.queue.len() + self.called < queued_max
    }

    /// Calls the first of the line, if there is a place. One call is enough for one place that became free.
    fn call(&mut self, queued_max: usize) -> Option<Waker> {
        if self.waiting.is_empty() || !self.has_place(queued_max) {
            return None;
        }
        self.called += 1;
        self.waiting.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use JobClass::{Files, General, Names};
    use proptest::prelude::*;
    use std::collections::VecDeque;

    fn lines(threads_max: usize, queued_max: usize) -> Lines<u32> {
        Lines::new(&PoolLimits { threads_max, queued_max, ..PoolLimits::default() })
    }

    fn next(lines: &mut Lines<u32>) -> Option<u32> {
        lines.take_next().map(|next| next.job)
    }

    #[test]
    fn classes_are_served_first_come_first_served() {
        let mut lines = lines(24, 8);
        for (class, job) in [(Names, 0), (General, 1), (Files, 2), (General, 3), (Names, 4), (Files, 5)] {
            lines.push(class, job);
        }
        let order: Vec<_> = std::iter::from_fn(|| next(&mut lines)).collect();
        assert_eq!(order, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn class_at_its_bound_lets_the_others_pass_and_goes_on_in_its_order() {
        let mut lines = lines(4, 8); // two for work, one each for files and names
        for (class, job) in [(Names, 0), (Names, 1), (Files, 2), (Names, 3), (General, 4)] {
            lines.push(class, job);
        }
        assert_eq!(lines.startable(), 3);
        assert_eq!([(); 4].map(|()| next(&mut lines)), [Some(0), Some(2), Some(4), None]);
        lines.finish(Names);
        assert_eq!([(); 2].map(|()| next(&mut lines)), [Some(1), None]);
        lines.finish(Names);
        assert_eq!(next(&mut lines), Some(3));
    }

    #[test]
    fn job_that_has_to_wait_for_its_class_wants_no_thread() {
        let mut lines = lines(4, 8);
        assert_eq!(lines.startable_with(Names), Some(1));
        lines.push(Names, 0);
        assert_eq!(lines.startable_with(Names), None, "the one thread is taken");
        assert_eq!(lines.startable_with(Files), Some(2));
    }

    #[test]
    fn ticket_of_a_job_that_has_begun_is_stale() {
        let mut lines = lines(4, 8);
        let ticket = lines.push(Names, 0);
        assert_eq!(next(&mut lines), Some(0));
        lines.push(Names, 1);
        assert!(lines.cancel(ticket).is_none(), "though another has its place");
    }

    /// The slow twin of [`Lines`]: one list of all jobs, searched from end to end.
    #[derive(Default)]
    struct Twin {
        queued: Vec<(JobClass, u32)>,
        running: Vec<JobClass>,
        /// Who stands in line: job, place, and whether it was called.
        line: VecDeque<(JobClass, u32, Key, bool)>,
    }

    impl Twin {
        fn queued(&self, class: JobClass) -> usize {
            self.queued.iter().filter(|job| job.0 == class).count()
        }

        fn called(&self, class: JobClass) -> usize {
            self.line.iter().filter(|one| one.0 == class && one.3).count()
        }

        fn has_place(&self, class: JobClass, limits: &PoolLimits) -> bool {
            self.queued(class) + self.called(class) < limits.queued_max
        }

        fn is_full(&self, class: JobClass, limits: &PoolLimits) -> bool {
            self.running.iter().filter(|running| **running == class).count() >= limits.class_max(class)
        }

        /// Calls as many as there are places for; `true` when it was one.
        fn call(&mut self, class: JobClass, limits: &PoolLimits) -> bool {
            let has_place = self.has_place(class, limits);
            let first = self.line.iter_mut().find(|one| one.0 == class && !one.3);
            first.filter(|_| has_place).map(|one| one.3 = true).is_some()
        }

        fn take_next(&mut self, limits: &PoolLimits) -> Option<(JobClass, u32)> {
            let at = self.queued.iter().position(|job| !self.is_full(job.0, limits))?;
            let job = self.queued.remove(at);
            self.running.push(job.0);
            Some(job)
        }
    }

    #[derive(Debug, Clone, Copy)]
    enum Op {
        Submit(JobClass),
        Start,
        Finish(usize),
        Cancel(usize),
        Enter(usize),
        Leave(usize),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let op = prop_oneof![
            6 => prop::sample::select(&JobClass::ALL[..]).prop_map(Op::Submit),
            3 => Just(Op::Start),
            2 => any::<usize>().prop_map(Op::Finish),
            1 => any::<usize>().prop_map(Op::Cancel),
            2 => any::<usize>().prop_map(Op::Enter),
            1 => any::<usize>().prop_map(Op::Leave),
        ];
        proptest::collection::vec(op, 0..if cfg!(miri) { 30 } else { 150 })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn lines_agree_with_one_list(ops in ops(), threads_max in 1_usize..8, queued_max in 1_usize..4) {
            let limits = PoolLimits { threads_max, queued_max, ..PoolLimits::default() };
            let (mut lines, mut twin) = (Lines::new(&limits), Twin::default());
            let mut tickets = Vec::new();
            for (job, op) in (0..).zip(ops) {
                match op {
                    Op::Submit(class) => {
                        prop_assert_eq!(lines.has_place(class), twin.has_place(class, &limits));
                        if lines.has_place(class) {
                            tickets.push((lines.push(class, job), job));
                            twin.queued.push((class, job));
                        } else {
                            let place = lines.stand(class, Waker::noop().clone());
                            twin.line.push_back((class, job, place, false));
                        }
                    }
                    Op::Start => {
                        let (next, expected) = (lines.take_next(), twin.take_next(&limits));
                        let called = next.as_ref().is_some_and(|next| next.called.is_some());
                        prop_assert_eq!(called, expected.is_some_and(|(class, _)| twin.call(class, &limits)));
                        prop_assert_eq!(next.map(|next| (next.class, next.job)), expected);
                    }
                    Op::Finish(n) if !twin.running.is_empty() => {
                        let class = twin.running.remove(n % twin.running.len());
                        lines.finish(class);
                    }
                    Op::Cancel(n) if !tickets.is_empty() => {
                        let (ticket, job) = tickets[n % tickets.len()];
                        let at = twin.queued.iter().position(|queued| queued.1 == job);
                        let expected = at.map(|at| twin.queued.remove(at).1);
                        let called = expected.is_some() && twin.call(ticket.class, &limits);
                        let cancelled = lines.cancel(ticket).map(|(job, waker)| (job, waker.is_some()));
                        prop_assert_eq!(cancelled, expected.map(|job| (job, called)));
                    }
                    Op::Enter(n) if !twin.line.is_empty() => {
                        let at = n % twin.line.len();
                        let (class, job, place, called) = twin.line[at];
                        prop_assert_eq!(lines.standing(class, place).is_none(), called);
                        if called {
                            twin.line.remove(at);
                            lines.arrive(class);
                            tickets.push((lines.push(class, job), job));
                            twin.queued.push((class, job));
                        }
                    }
                    Op::Leave(n) if !twin.line.is_empty() => {
                        let (class, _, place, was_called) = twin.line.remove(n % twin.line.len()).unwrap();
                        let (own, called) = lines.leave(class, place);
                        prop_assert_eq!(own.is_none(), was_called);
                        prop_assert_eq!(called.is_some(), twin.call(class, &limits));
                    }
                    _ => {}
                }
                prop_assert_eq!(lines.is_busy(), !twin.queued.is_empty() || !twin.running.is_empty());
                for class in JobClass::ALL {
                    let load = lines.load(class);
                    prop_assert_eq!(load.queued, twin.queued(class));
                    prop_assert_eq!(load.waiting, twin.line.iter().filter(|one| one.0 == class).count());
                    prop_assert!(load.queued <= load.queued_peak && load.queued_peak <= queued_max);
                    let accounted = (load.queued + load.running) as u64 + load.finished + load.cancelled;
                    prop_assert_eq!(load.submitted, accounted);
                    let stranded = twin.line.iter().any(|one| one.0 == class && !one.3);
                    prop_assert!(!stranded || !twin.has_place(class, &limits), "who waits is called as soon as there is a place");
                }
            }
        }
    }
}
