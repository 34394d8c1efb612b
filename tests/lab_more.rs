//! The experiments of the lab that measure: each ends, draws itself, and says what is certain whatever the machine does.

use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, thread};

/// A net under experiments that would hang.
const SAFETY_NET: Duration = Duration::from_secs(60);

/// Runs an experiment, and returns its text in one line; its drawing must be there, and whole.
fn experiment(name: &str) -> String {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("picture.svg");
    let child = Command::new(env!("CARGO_BIN_EXE_evloop"))
        .args(["lab", name, "--svg"])
        .arg(&file)
        .env("COLUMNS", "80")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command was built");
    let text = said_by(child);
    assert!(text.lines().all(|line| line.starts_with("The same as a drawing") || line.chars().count() <= 80), "{text}");
    let svg = fs::read_to_string(file).expect("it has drawn itself");
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a command that succeeds says on its standard output. One that does not end is ended.
fn said_by(child: Child) -> String {
    let id = rustix::process::Pid::from_child(&child);
    let (ended, over) = mpsc::channel::<()>();
    let net = thread::spawn(move || {
        if over.recv_timeout(SAFETY_NET) == Err(mpsc::RecvTimeoutError::Timeout) {
            rustix::process::kill_process(id, rustix::process::Signal::KILL).expect("it has not been waited for");
        }
    });
    let output = child.wait_with_output().expect("it can be waited for");
    drop(ended);
    net.join().expect("the net does not panic");
    assert!(output.status.success() && output.stderr.is_empty(), "{}: {output:?}", output.status);
    String::from_utf8(output.stdout).expect("what it says is text")
}

/// The whole number that stands behind these words.
fn number(text: &str, words: &str) -> u64 {
    let (_, rest) = text.split_once(words).unwrap_or_else(|| panic!("{words:?} is not in {text}"));
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().unwrap_or_else(|_| panic!("no number is behind {words:?} in {text}"))
}

#[test]
fn fairness_counts_the_polls_that_each_way_takes() {
    let text = experiment("fairness");
    assert_eq!(number(&text, "it never lets go. "), 1);
    assert_eq!(number(&text, "the budget ends its polls. "), 5, "640 messages at 128 a poll");
    assert_eq!(number(&text, "it lets go itself. "), 641, "the last finds the end");
}

#[test]
fn timers_are_late_by_load_and_cost_by_what_keeps_them() {
    let text = experiment("timers");
    for load in [0, 1, 2, 5, 10, 20] {
        assert!(text.contains(&format!("ms beside polls of {load} ms")), "{text}");
    }
    for cancelled in [1, 99] {
        let words = format!("timers of which {cancelled} in 100 are cancelled, in ns for each, the cheapest first: ");
        let (_, found) = text.split_once(&words).unwrap_or_else(|| panic!("{words:?} is not in {text}"));
        let costs: Vec<u64> = found.splitn(4, ") ").take(3).map(|cost| number(cost, " ")).collect();
        assert!(costs.is_sorted() && costs[0] > 0, "{text}");
        assert!(["wheel ", "heap ", "tree "].iter().all(|name| found.contains(name)), "{text}");
    }
}

#[test]
fn a_thousand_wakes_at_once_share_a_few_turns() {
    let text = experiment("wake");
    let (local, rest) = text.split_once("1000 remote wakes: ").expect("it tells of remote wakes");
    let (remote, coalesced) = rest.split_once("1000 coalesced wakes: ").expect("it tells of coalesced wakes");
    assert!(local.contains(" 0 events of the kernel"), "who wakes a neighbour asks no kernel: {text}");
    assert!(
        number(remote, "") > 1 && number(remote, "polls, ") >= 1,
        "a loop that sleeps is told by the kernel: {text}"
    );
    assert!(
        number(coalesced, "") < 1000 && number(coalesced, "turns, ") >= 1000,
        "each is polled, by few turns: {text}"
    );
}

#[test]
fn edge_is_told_once_and_forgets_a_byte_and_level_is_told_twice() {
    let text = experiment("trigger");
    assert!(text.contains("told of the first two bytes: 1 by edges, 2 by levels."), "{text}");
    assert!(
        text.contains("1 where each edge was worth a byte, 0 where each level was, 0 where each edge was read"),
        "{text}"
    );
}

#[test]
fn both_loops_together_answer_all_connections() {
    let text = experiment("accept");
    for title in ["one socket: ", "a socket each: "] {
        // The titles are those of the panels, too; what was found comes last.
        let (_, found) = text.rsplit_once(title).unwrap_or_else(|| panic!("{title:?} is not in {text}"));
        assert_eq!(number(found, "the held loop answered ") + number(found, "the other one "), 400, "{text}");
        assert_eq!(number(found, "loop 1 answered ") + number(found, "loop 2 "), 400, "{text}");
    }
}

#[test]
fn bound_holds_the_writer_and_what_is_under_way() {
    let text = experiment("backpressure");
    let under_way = |title: &str| {
        let (_, found) = text.rsplit_once(title).unwrap_or_else(|| panic!("{title:?} is not in {text}"));
        number(found, "At most ")
    };
    assert_eq!(under_way("a bound of 16: "), 64, "16 messages of 4 KiB");
    assert!(under_way("no bound: ") > 64, "{text}");
    assert!(under_way("TCP: ") > 0, "{text}");
}
