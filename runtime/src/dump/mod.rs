//! Each live task, and what it waits for: found out from the notes that all have left, without polling anybody.
//!
//! `deadlock.rs` looks for tasks that wait for each other, `text.rs` writes it down for people.

mod deadlock;
mod text;

use crate::arena::Key;
use crate::core::Core;
use crate::holders::{self, Holder};
use crate::sys::describe::describe;
use crate::task::TaskInfo;
use crate::trace::{Cause, JobClass, Place, Side, Wait};
use std::collections::HashMap;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

/// The live tasks of a loop at one moment: see [`Runtime::dump`](crate::Runtime::dump).
///
/// As text it is a tree by parents, to be read in a terminal, with those that wait for each other at the top. It tells the
/// inside of a program: names, places in its source, addresses of those who are connected.
///
/// Taking it costs a few system calls for each descriptor that is waited for, and holds the loop as long: some
/// milliseconds for a thousand connections.
///
/// # Examples
/// Two tasks that take two locks in different order:
/// ```
/// use evloop_runtime::{TaskBuilder, future::yield_now, sync::Mutex, turn};
/// use std::rc::Rc;
///
/// evloop_runtime::block_on(async {
///     let (left, right) = (Rc::new(Mutex::new(())), Rc::new(Mutex::new(())));
///     let take = |first: &Rc<Mutex<()>>, second: &Rc<Mutex<()>>| {
///         let (first, second) = (Rc::clone(first), Rc::clone(second));
///         async move {
///             let _first = first.lock().await;
///             yield_now().await;
///             let _second = second.lock().await;
///         }
///     };
///     let ada = TaskBuilder::new().name("ada").spawn(take(&left, &right));
///     let bob = TaskBuilder::new().name("bob").spawn(take(&right, &left));
///     yield_now().await;
///     yield_now().await;
///     assert_eq!(turn::dump().deadlocks(), [[ada.key(), bob.key()]]);
/// });
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Dump {
    /// The future of `block_on`, if there is one, and all tasks that have not ended, by their keys.
    pub tasks: Vec<TaskDump>,
    /// Where in `tasks` each is.
    places: HashMap<Key, usize>,
}

/// One task.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskDump {
    /// Its key; [`Key::NONE`] is the future of `block_on`.
    pub key: Key,
    /// The name that it was given, as it is: it may hold anything.
    pub name: Option<String>,
    /// Where in the source it was spawned; `None` of the future of `block_on`.
    pub spawned_at: Option<Place>,
    /// The task that spawned it, which may have ended; [`Key::NONE`] when none has, or the future of `block_on`.
    pub parent: Key,
    /// The tasks that it has spawned, of those that are alive.
    pub children: Vec<Key>,
    /// What it waited for when it was polled last: nothing before its first poll. Of a task that waits for several things, the
    /// last two that told.
    pub waits_for: Vec<WaitsFor>,
    /// Its place in the queue, if it is to be polled; 1 is next.
    pub queued: Option<usize>,
    /// It is being polled: it has taken the dump.
    pub running: bool,
    /// How often it was polled.
    pub polls: u64,
    /// How long it was polled, if an observer as [`PollTimes`](crate::observe::PollTimes) keeps that.
    pub polled_for: Option<Duration>,
    /// Who woke it last.
    pub woken_by: Cause,
}

/// What a task waits for, at the time of the dump.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitsFor {
    /// A timer.
    Timer {
        /// How long until it is due; `None` when it has fired or was cancelled since.
        due_in: Option<Duration>,
    },
    /// A descriptor.
    Descriptor {
        /// Its number.
        fd: RawFd,
        /// What is to become possible.
        side: Side,
        /// What it is, with its addresses.
        what: String,
        /// Where in the source it was registered.
        registered_at: Place,
    },
    /// A lock, permits of a semaphore, or the value of a once cell.
    Held {
        /// Which.
        wait: Wait,
        /// Who has it now, at most four of them.
        by: Vec<Holding>,
        /// How many have it besides.
        others: u32,
    },
    /// A job of the pool that was submitted.
    Job {
        /// Its class.
        class: JobClass,
        /// Its place in the queue of its class, 1 being next; `None` when it is under way.
        place: Option<usize>,
    },
    /// Anything else, of which no more is known than was noted.
    Other(Wait),
}

/// One who has a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holding {
    /// What ran when it was taken: a task of this loop, or other code; [`Cause::Outside`] also where another loop ran.
    pub who: Cause,
    /// Nobody else can have it meanwhile.
    pub alone: bool,
    /// Its guard is an owned one, which may have been handed to another task since.
    pub movable: bool,
}

impl Dump {
    /// The task of that key.
    #[must_use]
    pub fn task(&self, key: Key) -> Option<&TaskDump> {
        self.places.get(&key).map(|place| &self.tasks[*place])
    }
}

/// What is looked up for each task.
struct Tables {
    now: Instant,
    /// Places in the run queue, and why.
    ready: HashMap<Key, (usize, Cause)>,
    /// Places in the queues of the pool.
    jobs: HashMap<(JobClass, Key), usize>,
}

impl Core {
    /// Each live task, and what it waits for.
    pub(crate) fn dump(&self) -> Dump {
        let queued = |class| (1..).zip(self.pool.queued(class)).map(move |(place, key)| ((class, key), place));
        let ready = (1..).zip(self.tasks.ready()).map(|(place, (key, cause))| (key, (place, cause)));
        let tables = Tables {
            now: self.clock.fresh(),
            ready: ready.collect(),
            jobs: JobClass::ALL.into_iter().flat_map(queued).collect(),
        };
        let mut tasks: Vec<TaskDump> = Vec::new();
        if let Some(root) = self.tasks.root_info() {
            tasks.push(TaskDump {
                name: None,
                spawned_at: None,
                parent: Key::NONE,
                waits_for: self.resolve_all(&tables, root.waits_also_for, root.waits_for),
                polls: root.polls,
                ..self.dump_task(&tables, Key::NONE, root.woken_by)
            });
        }
        for (key, TaskInfo { name, spawned_at, parent, waits_for, waits_also_for, woken_by, polls }) in
            self.tasks.infos()
        {
            tasks.push(TaskDump {
                name: name.as_deref().map(String::from),
                spawned_at: Some(spawned_at),
                parent,
                waits_for: self.resolve_all(&tables, waits_also_for, waits_for),
                polls,
                ..self.dump_task(&tables, key, woken_by)
            });
        }
        let places: HashMap<Key, usize> = tasks.iter().zip(0..).map(|(task, place)| (task.key, place)).collect();
        for place in 0..tasks.len() {
            let TaskDump { key, parent, .. } = tasks[place];
            if key != Key::NONE
                && let Some(parent) = places.get(&parent)
            {
                tasks[*parent].children.push(key);
            }
        }
        Dump { tasks, places }
    }

    /// What is found the same way for tasks and the future of `block_on`.
    fn dump_task(&self, tables: &Tables, key: Key, woken_by: Cause) -> TaskDump {
        let queued = tables.ready.get(&key);
        TaskDump {
            key,
            name: None,
            spawned_at: None,
            parent: Key::NONE,
            children: Vec::new(),
            waits_for: Vec::new(),
            queued: queued.map(|(place, _)| *place),
            running: self.tasks.cause() == Cause::Task(key),
            polls: 0,
            polled_for: self.observers.polled_for(key),
            woken_by: queued.map_or(woken_by, |(_, cause)| *cause),
        }
    }

    fn resolve_all(&self, tables: &Tables, also: Option<Wait>, wait: Option<Wait>) -> Vec<WaitsFor> {
        let also = also.filter(|also| *also != Wait::Unknown || wait != Some(Wait::Unknown));
        also.into_iter().chain(wait).map(|wait| self.resolve(tables, wait)).collect()
    }

    /// What has become of what a task has noted.
    fn resolve(&self, tables: &Tables, wait: Wait) -> WaitsFor {
        match wait {
            Wait::Timer(key) => {
                let due = self.timers.borrow().deadline(key).map(|tick| self.clock.instant_of(tick));
                WaitsFor::Timer { due_in: due.map(|due| due.saturating_duration_since(tables.now)) }
            }
            Wait::Source(key, side) => {
                let source = self.reactor.borrow().get(key).map(|source| (source.fd(), source.made_at()));
                source.map_or(WaitsFor::Other(wait), |(fd, registered_at)| WaitsFor::Descriptor {
                    fd,
                    side,
                    what: describe(fd),
                    registered_at,
                })
            }
            Wait::Lock(_, id) | Wait::ReadLock(_, id) | Wait::Semaphore(_, id) | Wait::OnceCell(_, id) => {
                let (by, others) = holders::holders(id);
                let who = |one: &Holder| if one.home == self.tasks.stamp() { one.who } else { Cause::Outside };
                let by = by.iter().map(|one| Holding { who: who(one), alone: one.alone, movable: one.movable });
                WaitsFor::Held { wait, by: by.collect(), others }
            }
            Wait::Pool(class, key) if key != Key::NONE => {
                WaitsFor::Job { class, place: tables.jobs.get(&(class, key)).copied() }
            }
            _ => WaitsFor::Other(wait),
        }
    }
}

#[cfg(test)]
mod tests;
