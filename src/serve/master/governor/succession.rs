//! A new binary takes over, seen from the old master; see [`upgrade`](super::super::upgrade).

use super::super::child::Heard;
use super::super::fleet::{IDLE, Moment};
use super::super::upgrade::{Stage, Turn, Upgrade};
use super::{Governor, TOLD_EVERY};
use crate::serve::channel::{FromSuccessor, ToSuccessor};
use crate::serve::master::TARGET;
use crate::serve::notify;
use evloop_runtime::signal::SignalKind;
use std::process;
use std::time::Duration;

/// A successor that was told to end has so long.
const ENDS: Duration = Duration::from_secs(15);

/// One that was told to end at once, and does not, is killed so much later.
const QUITS: Duration = Duration::from_secs(1);

/// Why its workers are not ready it knows better: it has so long to say so.
const SAYS: Duration = Duration::from_secs(5);

impl Governor {
    /// A new binary is to take over.
    pub(super) fn begin_upgrade(&mut self, now: Moment) {
        if process::id() == 1 {
            log::error!(target: TARGET, "no new binary takes over from process 1, with which its container ends");
            return;
        }
        let Some(sockets) = &self.sockets else { return };
        let until = self.config.timeout_worker_start.map(|limit| now.saturating_add(limit).saturating_add(SAYS));
        match Upgrade::begin(&self.program, sockets, (self.fleet.wanted(), self.opened), self.news.clone(), until) {
            Ok(upgrade) => {
                log::info!(target: TARGET, "a new binary takes over: process {} is to be the master", upgrade.child.pid);
                self.upgrade = Some(upgrade);
            }
            Err(error) => log::error!(target: TARGET, "no new binary takes over: {error}"),
        }
    }

    /// Something was heard of the successor.
    pub(super) fn hear_successor(&mut self, heard: Heard<FromSuccessor>) {
        let Some(upgrade) = &mut self.upgrade else { return };
        match upgrade.hear(heard) {
            Turn::None => {}
            Turn::Yield => self.yields = true,
            Turn::Failed(why) => {
                let rest = if self.fleet.is_stopping() { "" } else { "; the old one goes on" };
                log::error!(target: TARGET, "the new master {why}{rest}");
                self.upgrade = None;
            }
        }
    }

    /// Ends one that does not come.
    pub(super) fn tick_upgrade(&mut self, now: Moment) {
        let Some(upgrade) = &mut self.upgrade else { return };
        match upgrade.stage {
            Stage::Begun { until: Some(until) } if until <= now => {
                upgrade.failure = Some("it was not ready in time".to_owned());
                upgrade.finish(now + ENDS);
            }
            Stage::Failed { kill_at } if kill_at <= now => {
                upgrade.child.signal(SignalKind::KILL);
                upgrade.stage = Stage::Failed { kill_at: now + ENDS };
            }
            _ => {}
        }
    }

    /// It is not to come: it ends with this master, and as gracefully.
    pub(super) fn finish_successor(&mut self, now: Moment) {
        if let Some(upgrade) = self.upgrade.as_mut().filter(|upgrade| upgrade.stage != Stage::Done) {
            upgrade.finish(now + ENDS);
        }
    }

    /// It is not to come, and ends at once.
    pub(super) fn quit_successor(&mut self, now: Moment) {
        if let Some(upgrade) = self.upgrade.as_mut().filter(|upgrade| upgrade.stage != Stage::Done) {
            upgrade.child.signal(SignalKind::QUIT);
            upgrade.stage = Stage::Failed { kill_at: now + QUITS };
        }
    }

    /// Whether a successor is on its way, or is to end first.
    pub(in crate::serve::master) fn has_successor(&self) -> bool {
        self.upgrade.as_ref().is_some_and(|upgrade| upgrade.stage != Stage::Done)
    }

    /// All that can be had only once was given up: the successor governs from now on.
    pub(in crate::serve::master) fn hand_over(&mut self) {
        self.yields = false;
        let now = self.clock.look();
        let Some(upgrade) = &self.upgrade else { return };
        let pid = upgrade.child.pid;
        log::info!(target: TARGET, "process {pid} is the master now; its workers serve, and those of this one finish");
        notify::main_pid(pid);
        self.leaves_files = true;
        upgrade.child.tell(ToSuccessor::Yours, Vec::new());
        self.close_sockets();
        self.tell_at = Some(now + TOLD_EVERY);
        self.fleet.finish(IDLE, now);
    }
}
