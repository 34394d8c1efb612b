//! The lab: experiments that show how a loop works, each a file of its own, made to be read and changed.
//!
//! An experiment does something on the public interface of evloop, notes by a [`Recorder`] who did what when, and returns
//! a [`Picture`] of it with an explanation in which the measured numbers stand. `evloop lab NAME` prints the picture and
//! draws it. A new one is a file here and a line in [`ALL`].

mod accept;
mod backpressure;
mod blocking;
mod fairness;
mod measure;
mod pool;
mod quadrants;
mod recorder;
mod timer_twins;
mod timers;
mod trigger;
mod wake;

pub(crate) use recorder::Recorder;

use crate::picture::{Picture, near};
use std::io;

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Experiment {
    pub(crate) name: &'static str,
    /// What it shows, in one line.
    pub(crate) about: &'static str,
    pub(crate) run: fn() -> io::Result<Picture>,
}

/// All of them, in the order in which they are best met.
pub(crate) const ALL: &[Experiment] = &[
    quadrants::EXPERIMENT,
    blocking::EXPERIMENT,
    pool::EXPERIMENT,
    fairness::EXPERIMENT,
    timers::EXPERIMENT,
    wake::EXPERIMENT,
    trigger::EXPERIMENT,
    accept::EXPERIMENT,
    backpressure::EXPERIMENT,
];

/// Lists the experiments, a line each.
pub(crate) fn list() -> String {
    let width = ALL.iter().map(|experiment| experiment.name.len()).max().unwrap_or(0);
    let lines = ALL.iter().map(|experiment| format!("  {:width$}   {}\n", experiment.name, experiment.about));
    format!("Experiments; evloop lab NAME runs one:\n\n{}", lines.collect::<String>())
}

/// The experiment of that name, or one line that says which there are.
pub(crate) fn find(name: &str) -> Result<&'static Experiment, String> {
    ALL.iter().find(|experiment| experiment.name == name).ok_or_else(|| {
        let near = near(name, ALL.iter().map(|experiment| experiment.name));
        format!("there is no experiment {name:?}{near}; see `evloop lab`")
    })
}
