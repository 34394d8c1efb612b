//! Which tasks wait for each other.
//!
//! An edge leads from a task to another without whose doing it cannot go on: the one that it joins, and each that holds a
//! lock that it wants for itself alone. A circle of such edges is a deadlock. What only may be one has no edge: a task that
//! waits for several things (one may come), for a channel or a permit (anybody may send, or add permits), for one of several
//! tasks, to read a lock that others read (it may only stand behind a writer), and for a lock whose guard may have been
//! handed on.

use super::{Dump, TaskDump, WaitsFor};
use crate::arena::Key;
use crate::trace::{Cause, Wait};

/// How far the search has come with a task.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    /// On the path that is followed now.
    Path,
    Done,
}

impl Dump {
    /// Tasks that wait for each other, and so for ever unless somebody else ends one of them: each list is a circle, in which
    /// each waits for the next and the last for the first. A task that waits for itself is a circle of one.
    ///
    /// Found are those that wait for the end of tasks, and for locks; whoever else cannot go on waits for one of these. A task
    /// that waits for several things at once, as one with a time-out, is in no circle. See [`Dump`] for an example.
    ///
    /// # What can look like a deadlock, and is none
    /// - A guard that borrows its lock counts as held by the task that took it. From a lock that was leaked (`Box::leak`) it can be handed to
    ///   another task, which may let go of it.
    /// - Of a future written by hand that waits for one of the leaves of this crate, and also for something that tells nothing of
    ///   it (a waker that a thread keeps), only the leaf is seen.
    #[must_use]
    pub fn deadlocks(&self) -> Vec<Vec<Key>> {
        let edges: Vec<Vec<usize>> = self.tasks.iter().map(|task| self.edges(task)).collect();
        let mut marks = vec![Mark::New; edges.len()];
        let mut circles = Vec::new();
        for start in 0..edges.len() {
            // The tasks on the path, and how many edges of each were followed.
            let mut path = if marks[start] == Mark::New { vec![(start, 0)] } else { Vec::new() };
            while let Some((at, followed)) = path.last_mut() {
                marks[*at] = Mark::Path;
                let Some(next) = edges[*at].get(*followed).copied() else {
                    marks[*at] = Mark::Done;
                    path.pop();
                    continue;
                };
                *followed += 1;
                match marks[next] {
                    Mark::New => path.push((next, 0)),
                    Mark::Path => {
                        let begin = path.iter().position(|(task, _)| *task == next).unwrap_or_default();
                        circles.push(path[begin..].iter().map(|(task, _)| self.tasks[*task].key).collect());
                    }
                    Mark::Done => {}
                }
            }
        }
        circles
    }

    /// The tasks without which this one does not go on.
    fn edges(&self, task: &TaskDump) -> Vec<usize> {
        let [wait] = &*task.waits_for else { return Vec::new() };
        if task.running || task.queued.is_some() {
            return Vec::new();
        }
        let keys = match wait {
            WaitsFor::Other(Wait::Task(key)) => vec![*key],
            WaitsFor::Held { wait, by, .. } => {
                let keeps_out = |alone| match wait {
                    Wait::Lock(..) => true,
                    Wait::ReadLock(..) | Wait::OnceCell(..) => alone,
                    _ => false,
                };
                let holders = by.iter().filter(|holder| keeps_out(holder.alone) && !holder.movable);
                holders.filter_map(|holder| if let Cause::Task(key) = holder.who { Some(key) } else { None }).collect()
            }
            _ => Vec::new(),
        };
        keys.iter().filter_map(|key| self.places.get(key).copied()).collect()
    }
}
