//! `evloop trace` and `evloop why`, on traces of a clock that is moved by hand: the same in every run.

mod common;

use common::ms;
use evloop::engine::Clock;
use evloop::observe::{Observer, Recording, Tape};
use evloop::sync::mpsc;
use evloop::task::Builder as Task;
use evloop::time::sleep;
use evloop::{Runtime, future::yield_now};
use roxmltree::Document;
use std::cell::OnceCell;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::rc::Rc;
use std::time::Duration;

/// Moves the clock while a task runs: it takes so long.
#[derive(Default)]
struct Hand(OnceCell<Rc<Clock>>);

impl Hand {
    fn works(&self, time: Duration) {
        self.0.get().expect("it was attached when the loop was built").advance(time);
    }
}

impl Observer for Hand {
    fn attached(&self, clock: &Rc<Clock>) {
        assert!(self.0.set(Rc::clone(clock)).is_ok(), "one loop has it");
    }
}

/// A producer and a consumer, one who holds the loop for long, and a sleeper who is late for that.
fn recording() -> Recording {
    let (hand, tape) = (Rc::new(Hand::default()), Tape::new(10_000));
    let builder = Runtime::builder().manual_clock();
    let runtime = builder
        .observer(Rc::<Hand>::clone(&hand))
        .observer(tape.clone())
        .build()
        .expect("there are descriptors for a loop");
    runtime.block_on(async {
        let (sender, mut receiver) = mpsc::channel(1);
        let consumer = Task::new().name("consumer").spawn(async move {
            while let Some(time) = receiver.recv().await {
                hand.works(time);
            }
        });
        let producer = Task::new().name("producer").spawn(async move {
            sender.send(ms(1)).await.expect("it ends well");
            yield_now().await;
            sender.send(ms(300)).await.expect("it ends well");
        });
        let sleeper = Task::new().name("sleeper <&\x1b>").spawn(sleep(ms(20)));
        let twins = [0, 1].map(|_| Task::new().name("twin").spawn(sleep(ms(2_000))));
        consumer.await.expect("it ends well");
        producer.await.expect("it ends well");
        sleeper.await.expect("it ends well");
        for twin in twins {
            twin.await.expect("it ends well");
        }
    });
    tape.recording()
}

fn evloop(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evloop"));
    command.args(arguments).current_dir(folder).env("COLUMNS", "80").stdin(Stdio::null());
    command.output().expect("the command was built")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("what it says is text")
}

/// What it prints about the recording, which lies in a folder as `t.json`.
fn told(folder: &Path, arguments: &[&str]) -> String {
    recording()
        .write_chrome(File::create(folder.join("t.json")).expect("there is room for a trace"))
        .expect("there is room for a trace");
    let output = evloop(folder, arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

#[test]
fn trace_is_told_in_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let said = told(folder.path(), &["trace", "t.json"]);
    let recording = recording();
    let polls = recording.records.iter().filter(|record| record.polled().is_some()).count();
    let first = said.lines().next().unwrap();
    let turns = recording.turns().count();
    assert!(first.starts_with(&format!("{turns} turns: ")), "{said}");
    assert!(first.ends_with(&format!("; {polls} polls of 6 tasks")), "{said}");
    let longest = said.lines().skip_while(|line| *line != "Longest polls").nth(1).unwrap();
    assert!(longest.trim_start().starts_with("300 ms") && longest.contains("consumer"), "{said}");
    let latest = said.lines().skip_while(|line| *line != "Latest timers").nth(1).unwrap();
    assert!(latest.trim_start().starts_with("281 ms") && latest.ends_with("1 timer fired"), "{said}");
    assert!(
        !said.contains('\u{1b}') && said.lines().all(|line| line.chars().count() <= 80 || line.contains("woken by")),
        "{said}"
    );
}

#[test]
fn records_that_are_gone_are_counted_with_the_option_that_keeps_more() {
    let folder = tempfile::tempdir().unwrap();
    for (dropped, told) in [
        (1, "\n1 older record was overwritten (see --trace-records)\n"),
        (456_912, "\n456,912 older records were overwritten (see --trace-records)\n"),
    ] {
        let mut recording = recording();
        recording.dropped = dropped;
        recording.write_chrome(File::create(folder.path().join("t.json")).unwrap()).unwrap();
        let output = evloop(folder.path(), &["trace", "t.json"]);
        assert!(text(&output.stdout).contains(told), "{}", text(&output.stdout));
    }
}

#[test]
fn longest_turn_is_shown_unless_others_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let turns = recording().turns().count();
    let shown = |arguments: &[&str]| {
        let said = told(folder.path(), arguments);
        said.lines().find(|line| line.starts_with("Turn")).unwrap().to_owned()
    };
    let said = told(folder.path(), &["trace", "t.json"]);
    assert!(said.contains("█ 300 ms"), "{said}");
    assert_eq!(shown(&["trace", "t.json", "--turns", "1..2"]), format!("Turns 1 to 2 of {turns}"));
    assert_eq!(shown(&["trace", "t.json", "--turns", "2..2"]), format!("Turn 2 of {turns}"));
    assert!(shown(&["trace", "t.json", "--turns", "last"]).ends_with(&format!(" to {turns} of {turns}")));
}

#[test]
fn drawing_has_every_task_its_polls_and_its_wakes() {
    let folder = tempfile::tempdir().unwrap();
    told(folder.path(), &["trace", "t.json", "--turns", "1..99", "--svg", "t.svg"]);
    let svg = fs::read_to_string(folder.path().join("t.svg")).unwrap();
    let document = Document::parse(&svg).unwrap_or_else(|error| panic!("{error}"));
    let titles: Vec<&str> = document
        .descendants()
        .filter(|node| node.has_tag_name("title"))
        .filter_map(|node| Some(node.text()?.trim()))
        .collect();
    let recording = recording();
    for task in recording.tasks.iter().map(|task| recording.name(task.key).replace('\u{1b}', "\u{fffd}")) {
        let polls = titles
            .iter()
            .filter(|title| title.starts_with(&format!("{task}: ")) && title.contains("waits for"))
            .count();
        assert!(titles.contains(&&*task) && (polls > 0 || task.contains("producer")), "{task}: {titles:#?}");
    }
    let arrows = document.descendants().filter(|node| node.attribute("class") == Some("arrow")).count();
    let wakes = (0..recording.records.len()).filter(|at| recording.waker(*at).is_some()).count();
    assert!(arrows > 5 && arrows <= wakes, "{arrows} arrows of {wakes} wakes");
    assert!(titles.iter().any(|title| title.starts_with("woken by producer")), "{titles:#?}");
}

#[test]
fn why_tells_the_wakes() {
    let folder = tempfile::tempdir().unwrap();
    let said = told(folder.path(), &["why", "t.json", "producer", "consumer"]);
    let recording = recording();
    let [producer, consumer] = ["producer", "consumer"].map(|name| recording.find(name)[0]);
    assert_eq!(said, format!("{}\n", recording.why(producer, consumer).unwrap()));
    let by_key = told(folder.path(), &["why", "t.json", &format!("{producer:?}"), &format!("{consumer:?}")]);
    assert_eq!(by_key, said);
    let printed = told(folder.path(), &["why", "t.json", &recording.name(producer), &recording.name(consumer)]);
    assert_eq!(printed, said);
}

#[test]
fn what_is_wrong_is_said_in_one_line_and_ends_it_with_1() {
    let folder = tempfile::tempdir().unwrap();
    told(folder.path(), &["trace", "t.json"]);
    fs::write(folder.path().join("text"), "no trace").unwrap();
    fs::write(folder.path().join("other.json"), "{\"traceEvents\": []}").unwrap();
    Recording::default().write_chrome(File::create(folder.path().join("empty.json")).unwrap()).unwrap();
    for (arguments, said) in [
        (&["trace", "none.json"][..], "none.json"),
        (&["trace", "."], "."),
        (&["trace", "text"], "not a trace of evloop"),
        (&["trace", "other.json"], "not a trace of evloop"),
        (&["trace", "empty.json"], "no turn"),
        (&["trace", "t.json", "--turns", "900..901"], "none of 900..901"),
        (&["trace", "t.json", "--svg", "no/such/folder.svg"], "no/such/folder.svg"),
        (&["why", "none.json", "a", "b"], "none.json"),
        (&["why", "t.json", "prodcer", "consumer"], "did you mean \"producer\""),
        (&["why", "t.json", "twin", "consumer"], "2 tasks are called \"twin\""),
        (&["why", "t.json", "9999", "consumer"], "there is no task \"9999\"; a number is as 6#7: `evloop trace FILE`"),
        (&["why", "t.json", "nobody 1#1", "consumer"], "there is no task \"nobody 1#1\""),
    ] {
        let output = evloop(folder.path(), arguments);
        let error = text(&output.stderr);
        assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{arguments:?}: {error}");
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
}
