//! `evloop step`: what is shown of a turn, by a pipe and at a terminal, which is left as it was.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::{Command, Output, Stdio};

fn step(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evloop"));
    let mut child = command
        .arg("step")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    drop(stdin.write_all(input.as_bytes())); // a program that is over reads no more
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// The screens after each key.
fn screens(program: &str, input: &str) -> Vec<String> {
    let output = step(&[program, "--manual"], input);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let screens = text.split("evloop step ").skip(1);
    screens.map(|screen| screen.trim_end().to_owned()).collect()
}

/// A phase of a screen, on one line.
fn phase(screen: &str, name: &str) -> String {
    let mut lines = screen.lines().skip_while(|line| !line.starts_with(&format!("{name} ")));
    let first = lines.next().unwrap();
    let more = lines.take_while(|line| line.starts_with("        "));
    [first].into_iter().chain(more).map(|line| line[8..].trim()).collect::<Vec<_>>().join(" ")
}

#[test]
fn second_turn_of_the_timers_is_shown_with_what_it_changed() {
    let screens = screens("timers", "\n\n");
    let level = |slots: &str| format!("{slots:.<64}");
    let expected = [
        "timers: turn 2",
        "A deadline 64 ticks away or more waits on a higher level; its slot is taken",
        "apart when the hand comes to it.",
        "",
        "run     polls ticker, woken by its deadline; ticker waits for a timer",
        "poll    the kernel is asked, and not waited for; 0 events, 5 ms later",
        "mail    nothing",
        "timers  1 fired, 0 ms late; wakes soon",
        "",
        "+ clock        5 ms, moved by hand (before: 0 ms, moved by hand)",
        "+ ready        soon (timer) (before: ticker (timer))",
        "    soon       waits for a timer",
        "    later      waits for a timer",
        "    much-later waits for a timer",
        "    ticker     waits for a timer",
        &format!("- level 0      {}", level("|....1")),
        &format!("+ level 0      {}", level(".....|..................................1")),
        &format!("  level 1      {}", level("|1")),
        &format!("  level 2      {}", level("|1")),
        "- next         tick 5; the hand | is at tick 0, 3 timers armed",
        "+ next         tick 40; the hand | is at tick 5, 3 timers armed",
        "  pool         0 threads; 0 jobs running, 0 queued",
        "",
        "space: one turn   n: ten   r: until a task has ended   q: quit",
    ];
    assert_eq!(screens[2].lines().collect::<Vec<_>>(), expected);
    assert!(expected.len() <= 24 && expected.iter().all(|line| line.len() <= 80), "it fits a terminal");
}

#[test]
fn slot_of_a_higher_level_is_taken_apart_when_the_hand_comes_to_it() {
    let screens = screens("timers", "r\n\nr\nn\nn\n");
    let cascade = screens.iter().find(|screen| screen.contains("+ level 1")).unwrap();
    assert!(cascade.contains("- level 1      |1.") && cascade.contains("hand | is at tick 64"), "{cascade}");
    let last = screens.last().unwrap();
    assert!(last.ends_with("the program is over.   q: quit") && last.contains("5000 ms, moved by hand"), "{last}");
}

#[test]
fn producer_and_consumer_take_turns() {
    let screens = screens("channels", &"\n".repeat(10));
    let waits = "producer waits for room in the channel";
    let takes = "wakes consumer; consumer waits for its next turn";
    let goes_on = format!(
        "polls producer, woken by consumer; {waits}; polls consumer, woken by consumer; wakes producer; {takes}"
    );
    let runs: Vec<_> = screens[1..].iter().map(|screen| phase(screen, "run")).collect();
    let expected = [
        format!("polls producer, spawned; {waits}; polls consumer, spawned; wakes producer; {takes}"),
        goes_on.clone(),
        goes_on,
        format!("polls producer, woken by consumer; producer has ended; polls consumer, woken by consumer; {takes}"),
        format!("polls consumer, woken by consumer; {takes}"),
        "polls consumer, woken by consumer; consumer has ended".to_owned(),
    ];
    assert_eq!(runs, expected);
}

#[test]
fn greedy_task_lets_the_others_be_polled() {
    let screens = screens("fairness", &"\n".repeat(10));
    let polled = screens[1..].iter().map(|screen| {
        let run = phase(screen, "run");
        run.split("; ")
            .filter_map(|part| part.strip_prefix("polls ")?.split(',').next().map(str::to_owned))
            .collect::<Vec<_>>()
            .join(" ")
    });
    let expected =
        ["greedy modest humble", "greedy modest humble", "greedy humble", "greedy", "greedy", "greedy", "greedy"];
    assert_eq!(polled.collect::<Vec<_>>(), expected);
}

#[test]
fn sources_and_jobs_are_shown_with_who_waits_for_them() {
    let echo = screens("echo", &"\n".repeat(10)).join("\n");
    assert!(echo.contains("read: client waits, write: ready; tcp socket 127.0.0.1:"), "{echo}");
    assert!(echo.contains("wakes client") && echo.ends_with("the program is over.   q: quit"), "{echo}");
    let pool = screens("pool", "n\nn\nn\n").join("\n");
    assert!(pool.contains("a job's result is taken") && pool.ends_with("the program is over.   q: quit"), "{pool}");
}

#[test]
fn end_of_the_input_and_q_end_it_early() {
    assert_eq!(screens("timers", "").len(), 1);
    assert_eq!(screens("timers", "\nq\n\n").len(), 2);
}

#[test]
fn programs_are_listed_and_what_is_none_is_said() {
    let list = String::from_utf8(step(&[], "").stdout).unwrap();
    for name in ["timers", "channels", "fairness", "echo", "pool"] {
        assert!(list.contains(&format!("\n  {name} ")), "{list}");
    }
    for (arguments, named) in [(&["timer"][..], "timer"), (&["--manual"], "--manual"), (&["timers", "pool"], "pool")] {
        let output = step(arguments, "");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && error.contains(named) && error.lines().count() == 1, "{error}");
    }
}

fn terminal() -> (OwnedFd, OwnedFd) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = ptsname(&master, Vec::new()).unwrap();
    let terminal = open(path.as_c_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    (master, terminal)
}

/// Reads from the terminal until that has been shown; what shows nothing for so long that it never will, fails.
fn until_shown(master: &OwnedFd, shown: &str) -> String {
    until(master, shown, |text| text.contains(shown))
}

fn until(master: &OwnedFd, shown: &str, is_shown: impl Fn(&str) -> bool) -> String {
    let (mut text, mut buf) = (Vec::new(), [0; 4096]);
    loop {
        let minute = Timespec { tv_sec: 60, tv_nsec: 0 };
        let ready = poll(&mut [PollFd::new(master, PollFlags::IN)], Some(&minute)).unwrap();
        assert!(ready > 0, "{shown:?} was not shown, but {}", String::from_utf8_lossy(&text));
        let read = rustix::io::read(master, &mut buf).unwrap();
        text.extend_from_slice(&buf[..read]);
        let so_far = String::from_utf8_lossy(&text);
        if is_shown(&so_far) {
            return so_far.into_owned();
        }
    }
}

/// All that is shown from now on until nobody has the terminal open any more.
fn rest_shown(master: &OwnedFd) -> String {
    let (mut text, mut buf) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = rustix::io::read(master, &mut buf) {
        text.extend_from_slice(&buf[..read]);
    }
    String::from_utf8(text).unwrap()
}

#[test]
fn key_that_quits_is_heard_while_a_turn_waits_for_the_kernel() {
    let (master, terminal) = terminal();
    let own = || Stdio::from(terminal.try_clone().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_evloop"));
    let mut child = command.args(["step", "timers"]).stdin(own()).stdout(own()).spawn().unwrap();
    drop((command, terminal));
    until_shown(&master, "q: quit");
    rustix::io::write(&master, b"rrrr").unwrap(); // as many as there are tasks: the last that is left sleeps for seconds
    let is_long = |wait: &str| wait.split_once(" ms").is_some_and(|(number, _)| number.len() == 4);
    until(&master, "a wait for seconds", |text| text.split("at most ").skip(1).any(is_long));
    rustix::io::write(&master, b"\x03").unwrap();
    assert!(child.wait().unwrap().success());
    let rest = rest_shown(&master);
    assert!(!rest.contains("evloop step"), "nobody waited for the deadline: {rest}");
}

#[test]
fn terminal_is_as_it_was_after_a_signal_from_outside() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
        let (master, terminal) = terminal();
        let own = || Stdio::from(terminal.try_clone().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_evloop"));
        let mut child = command.args(["step", "pool", "--manual"]).stdin(own()).stdout(own()).spawn().unwrap();
        until_shown(&master, "q: quit");
        assert!(!tcgetattr(&terminal).unwrap().local_modes.contains(LocalModes::ECHO));
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert!(child.wait().unwrap().success(), "{signal:?}");
        let modes = tcgetattr(&terminal).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG), "{signal:?}");
    }
}

#[test]
fn small_terminal_shows_the_loop_and_marks_what_is_cut_off() {
    let (master, terminal) = terminal();
    tcsetwinsize(&terminal, Winsize { ws_col: 80, ws_row: 24, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let own = || Stdio::from(terminal.try_clone().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_evloop"));
    command.args(["step", "timers", "--manual"]).stdin(own()).stdout(own()).env("NO_COLOR", "1");
    let mut child = command.spawn().unwrap();
    let screen = until_shown(&master, "q: quit");
    assert!(screen.contains("A deadline 64 ticks away") && screen.contains("ticker (s…\r\n"), "{screen}");
    rustix::io::write(&master, b" ").unwrap();
    let screen = until_shown(&master, "q: quit");
    assert!(screen.contains("level 2") && screen.contains("next ") && screen.contains("pool "), "{screen}");
    assert!(!screen.contains("\r\n\r\n"), "blank lines have made room: {screen}");
    rustix::io::write(&master, b"q").unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn terminal_is_as_it_was_after_each_way_out() {
    for leave in [b"q", b"\x03", b"\x04"] {
        let (master, terminal) = terminal();
        tcsetwinsize(&terminal, Winsize { ws_col: 70, ws_row: 10, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let own = || Stdio::from(terminal.try_clone().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_evloop"));
        command.args(["step", "timers", "--manual"]).stdin(own()).stdout(own()).env("NO_COLOR", "1");
        let mut child = command.spawn().unwrap();
        until_shown(&master, "q: quit");
        assert!(!tcgetattr(&terminal).unwrap().local_modes.contains(LocalModes::ECHO), "keys are not shown");
        rustix::io::write(&master, b" ").unwrap();
        let screen = until_shown(&master, "q: quit");
        assert!(screen.contains("timers: turn 1") && !screen.contains("\x1b[1m"), "{screen}");
        assert!(screen.lines().count() <= 10 && screen.lines().all(|line| line.trim_end().len() <= 70 + 7), "{screen}");
        rustix::io::write(&master, leave).unwrap();
        assert!(child.wait().unwrap().success());
        let modes = tcgetattr(&terminal).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG));
    }
}
