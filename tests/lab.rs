//! The lab, as a person meets it: each experiment runs to its end and shows what it must. Counts and orders are claimed, never
//! times: those are measured anew by every run.

use roxmltree::Document;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::{fs, thread};

/// Runs the command in a folder of its own, as on a screen of 80 columns.
fn evloop(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evloop"));
    command.args(arguments).current_dir(folder).env("COLUMNS", "80").env_remove("EVLOOP_POOL_THREADS");
    command.stdin(Stdio::null()).output().expect("the command was built")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("what it says is text")
}

/// What an experiment prints and draws.
fn run(name: &str) -> (String, String) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let output = evloop(folder.path(), &["lab", name]);
    assert!(output.status.success() && output.stderr.is_empty(), "{name}: {}", text(&output.stderr));
    let drawn = fs::read_to_string(folder.path().join(format!("evloop-lab-{name}.svg"))).expect("it has drawn itself");
    (text(&output.stdout).to_owned(), drawn)
}

/// The names that `evloop lab` lists.
fn names() -> Vec<String> {
    let output = evloop(Path::new("."), &["lab"]);
    assert!(output.status.success() && output.stderr.is_empty());
    let lines = text(&output.stdout).lines().filter_map(|line| line.strip_prefix("  "));
    lines.map(|line| line.split_whitespace().next().expect("a line begins with a name").to_owned()).collect()
}

/// What stands under the pointer, in the order in which it is drawn.
fn titles(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).expect("it is XML");
    document
        .descendants()
        .filter(|node| node.has_tag_name("title"))
        .filter_map(|node| Some(node.text()?.trim().to_owned()))
        .collect()
}

#[test]
fn every_experiment_runs_explains_itself_and_draws_a_picture() {
    let names = names();
    assert!(["quadrants", "blocking", "pool"].iter().all(|name| names.iter().any(|other| other == name)), "{names:?}");
    thread::scope(|scope| {
        for name in &names {
            scope.spawn(move || {
                let (printed, drawn) = run(name);
                assert!(
                    printed.lines().all(|line| line.chars().count() <= 80),
                    "{name} is wider than 80 columns:\n{printed}"
                );
                assert!(!printed.contains('\u{1b}'), "{name} prints colours into a file");
                assert!(printed.contains(&format!("evloop-lab-{name}.svg")), "{printed}");
                let document = Document::parse(&drawn).unwrap_or_else(|error| panic!("{name}: {error}"));
                let child = |tag| document.root_element().children().find(|node| node.has_tag_name(tag));
                assert!(child("title").is_some() && child("desc").is_some(), "{name} says nothing to a screen reader");
                assert!(drawn.contains("prefers-color-scheme"), "{name}");
            });
        }
    });
}

#[test]
fn every_experiment_is_short_and_says_what_to_change() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lab");
    for name in names() {
        let source = fs::read_to_string(folder.join(format!("{}.rs", name.replace('-', "_")))).unwrap();
        let code = source.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count();
        assert!(code <= 100, "{name} has {code} lines");
        let opening: String = source.lines().take_while(|line| line.starts_with("//!")).collect();
        assert!(
            opening.contains('?') && opening.contains("Change"),
            "{name} opens without a question, or without what to change"
        );
    }
}

#[test]
fn quadrants_show_who_has_control() {
    let (printed, drawn) = run("quadrants");
    let quadrants =
        ["sync and blocking: ", "sync and non-blocking: ", "async and blocking: ", "async and non-blocking: "];
    let places =
        quadrants.map(|quadrant| printed.find(quadrant).unwrap_or_else(|| panic!("{quadrant} is not in\n{printed}")));
    assert!(places.is_sorted());

    let control: Vec<u64> = printed
        .replace('\n', " ")
        .split("A had control ")
        .skip(1)
        .map(|rest| rest.split(' ').next().unwrap().replace(',', "").parse().unwrap())
        .collect();
    assert_eq!((control.len(), control[0], control[2]), (4, 3, 3), "blocked, A comes back once a job\n{printed}");
    assert!(control[1] > 100, "A asks again and again: {}", control[1]);

    let titles = titles(&drawn);
    let count = |beginning: &str| titles.iter().filter(|title| title.starts_with(beginning)).count();
    assert_eq!((count("A: in read"), count("A: asks"), count("A: waits at once")), (3, 3, 3));
    assert_eq!((count("B, job 1: works"), count("B, job 3: callback")), (4, 2));
}

#[test]
fn blocking_makes_a_bystander_wait_on_the_loop() {
    let (printed, drawn) = run("blocking");
    let titles = titles(&drawn);
    let handler = |label: &str| titles.iter().position(|title| title.starts_with(label)).unwrap();
    let on_the_loop = handler("handler: blocks the loop's thread");
    let on_the_pool = handler("handler: blocks a thread of the pool");
    let late = titles.iter().position(|title| title.starts_with("bystander: due, but nobody comes"));
    assert!(late.is_some_and(|late| on_the_loop < late && late < on_the_pool), "{titles:?}");
    let ran = |titles: &[String]| titles.iter().filter(|title| title.starts_with("bystander: ,")).count();
    assert!(ran(&titles[on_the_loop..on_the_pool]) < ran(&titles[on_the_pool..]), "{printed}");
}

#[test]
fn pool_has_fewer_threads_than_requests() {
    let (printed, drawn) = run("pool");
    let titles = titles(&drawn);
    let mut threads: Vec<&str> = titles
        .iter()
        .filter_map(|title| title.split(": ").nth(1)?.split(',').next())
        .filter(|label| label.starts_with("evloop-pool"))
        .collect();
    assert_eq!(threads.len(), 5, "{titles:?}");
    threads.sort_unstable();
    threads.dedup();
    assert!(threads.len() <= 4, "one thread has done two jobs: {threads:?}");
    assert!(printed.contains("past the last thread waited"), "{printed}");
}

#[test]
fn picture_goes_where_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let none = evloop(folder.path(), &["lab", "pool", "--svg", "-"]);
    assert!(none.status.success() && fs::read_dir(&folder).unwrap().next().is_none());
    let named = evloop(folder.path(), &["lab", "--svg", "my.svg", "pool"]);
    assert!(named.status.success() && folder.path().join("my.svg").is_file());
    let nowhere = evloop(folder.path(), &["lab", "pool", "--svg", "no/such/folder.svg"]);
    let said = text(&nowhere.stderr);
    assert_eq!((nowhere.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("no/such/folder.svg"), "{said}");
}

#[test]
fn wrong_names_and_options_end_it_with_2_and_one_line() {
    for (arguments, said) in [
        (&["lab", "qadrants"][..], "\"quadrants\""),
        (&["lab", "no\nname"], "no\\nname"),
        (&["lab", "pool", "blocking"], "blocking"),
        (&["lab", "--svg", "a.svg"], "--svg"),
        (&["lab", "pool", "--svg"], "--svg"),
        (&["lab", "--port", "1"], "--port"),
    ] {
        let output = evloop(Path::new("."), arguments);
        let error = text(&output.stderr);
        assert_eq!((output.status.code(), error.lines().count()), (Some(2), 1), "{arguments:?}: {error}");
        assert!(error.contains(said) && output.stdout.is_empty(), "{arguments:?}: {error}");
    }
    for help in ["--help", "-h"] {
        let output = evloop(Path::new("."), &["lab", help]);
        assert!(output.status.success() && text(&output.stdout).contains("--svg FILE"));
    }
}
