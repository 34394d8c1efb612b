//! What `/proc` tells of processes: whose children they are, what they hold, and in which state.

use super::served::SAFETY_NET;
use procfs::FromBufReadSI;
use procfs::net::{TcpNetEntries, TcpNetEntry};
use procfs::process::{FDTarget, Process, Stat, all_processes};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;

/// The processes with that value in their environment, which children have from their parents.
pub(crate) fn with_environment(name: &str, value: &str) -> Vec<u32> {
    let is_marked =
        |process: &Process| process.environ().is_ok_and(|all| all.get(OsStr::new(name)).is_some_and(|is| is == value));
    all_processes()
        .into_iter()
        .flatten()
        .flatten()
        .filter(is_marked)
        .map(|process| process.pid.cast_unsigned())
        .collect()
}

/// The children of that process that have not ended, in the order of their start.
pub(crate) fn living_children(parent: u32) -> Vec<u32> {
    let living = children(parent).filter(|stat| stat.state != 'Z');
    let mut numbers: Vec<_> = living.map(|stat| (stat.starttime, stat.pid.cast_unsigned())).collect();
    numbers.sort_unstable();
    numbers.into_iter().map(|(_, pid)| pid).collect()
}

/// How many children of that process have ended, and nobody has asked how.
pub(crate) fn zombies(parent: u32) -> usize {
    children(parent).filter(|stat| stat.state == 'Z').count()
}

/// Waits until these processes have ended, whoever's children they are, and whether or not anybody has asked how.
pub(crate) fn until_ended(processes: &[u32]) {
    let limit = Timespec::try_from(SAFETY_NET).unwrap();
    for pid in processes {
        let process = match pidfd_open(Pid::from_raw(pid.cast_signed()).unwrap(), PidfdFlags::empty()) {
            Err(Errno::SRCH) => continue,
            opened => opened.unwrap(),
        };
        let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit)).unwrap();
        assert!(ended > 0, "it never comes: the end of process {pid}");
    }
}

/// Whether there is such a process, and be it a zombie.
pub(crate) fn is_there(pid: u32) -> bool {
    process(pid).is_some()
}

/// The state of that process: `S` for one that sleeps, `T` for one that stands still; `None` when there is none.
pub(crate) fn state(pid: u32) -> Option<char> {
    process(pid)?.stat().ok().map(|stat| stat.state)
}

/// What that process has open, each as the kernel names its kind; sorted.
pub(crate) fn open_kinds(pid: u32) -> Vec<String> {
    let mut kinds: Vec<_> = targets(pid).iter().map(kind).collect();
    kinds.sort();
    kinds
}

/// The inodes of the sockets that this process has open.
pub(crate) fn sockets(pid: u32) -> BTreeSet<u64> {
    let inode = |target: &FDTarget| if let FDTarget::Socket(inode) = target { Some(*inode) } else { None };
    targets(pid).iter().filter_map(inode).collect()
}

/// The ports of the clients whose TCP connections to `server` that process holds.
pub(crate) fn client_ports(pid: u32, server: SocketAddr) -> BTreeSet<u16> {
    let held = sockets(pid);
    let of_process = connections().into_iter().filter(|one| one.local_address == server && held.contains(&one.inode));
    of_process.map(|connection| connection.remote_address.port()).collect()
}

/// The TCP connections of this machine, but for those that nobody holds any more: after a load these are tens of thousands, which
/// would take seconds to be read.
fn connections() -> Vec<TcpNetEntry> {
    const TIME_WAIT: &str = " 06 ";
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let held: Vec<&str> = table.lines().filter(|line| !line.contains(TIME_WAIT)).collect();
    TcpNetEntries::from_buf_read(held.join("\n").as_bytes(), procfs::current_system_info()).unwrap().0
}

fn children(parent: u32) -> impl Iterator<Item = Stat> {
    let stats = all_processes().into_iter().flatten().flatten().filter_map(|process| process.stat().ok());
    stats.filter(move |stat| stat.ppid.cast_unsigned() == parent)
}

fn process(pid: u32) -> Option<Process> {
    Process::new(pid.cast_signed()).ok()
}

fn targets(pid: u32) -> Vec<FDTarget> {
    let open = process(pid).and_then(|process| process.fd().ok());
    open.into_iter().flatten().flatten().map(|descriptor| descriptor.target).collect()
}

fn kind(target: &FDTarget) -> String {
    match target {
        FDTarget::Path(path) => path.file_name().unwrap_or_default().display().to_string(), // its folder may be that of a process
        FDTarget::Socket(_) => "a socket".to_owned(),
        FDTarget::Pipe(_) => "a pipe".to_owned(),
        FDTarget::AnonInode(name) => name.clone(),
        other => format!("{other:?}"),
    }
}
