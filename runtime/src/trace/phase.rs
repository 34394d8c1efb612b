//! The parts of a turn.

/// The parts of one turn, in the order in which they happen. Those of the hooks are told only while there are hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// What was runnable when the batch began is polled, once each.
    Run,
    /// Idle hooks are called.
    Idle,
    /// Prepare hooks are called.
    Prepare,
    /// The kernel is asked for events; the only phase that blocks.
    Poll,
    /// Letters from other threads are taken in.
    Mail,
    /// Check hooks are called.
    Check,
    /// Deadlines that have passed become wakes.
    Timers,
}

impl Phase {
    /// All of them, in the order in which they happen.
    pub const ALL: [Phase; 7] =
        [Phase::Run, Phase::Idle, Phase::Prepare, Phase::Poll, Phase::Mail, Phase::Check, Phase::Timers];

    /// Its name in lower case, as traces and pictures have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Phase::Run => "run",
            Phase::Idle => "idle",
            Phase::Prepare => "prepare",
            Phase::Poll => "poll",
            Phase::Mail => "mail",
            Phase::Check => "check",
            Phase::Timers => "timers",
        }
    }
}
