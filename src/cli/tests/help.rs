//! The help, and what is said of the options elsewhere.

use super::*;
use crate::cli::serve::GROUPS;
use evloop::serve::Config;

fn help_of(command: &[&str]) -> String {
    match parsed(&[command, &["--help"]].concat()) {
        Ok(Command::Print(help)) => help,
        other => panic!("help of {command:?} became {other:?}"),
    }
}

fn help() -> String {
    help_of(&[])
}

/// What is said of all the commands.
fn all() -> Vec<String> {
    COMMANDS.iter().map(|command| help_of(&[command.name])).chain([help()]).collect()
}

#[test]
fn help_has_every_option_with_its_default() {
    let help = help();
    for row in GROUPS.iter().flat_map(|group| group.rows) {
        let from = help.find(&format!("\n  --{}", row.name)).unwrap_or_else(|| panic!("{} is not told", row.name));
        let rest = &help[from + 1..];
        let until = rest.find("\n  -").or_else(|| rest.find("\n\n")).expect("something follows");
        // The words alone: where its lines end is another matter.
        let told = rest[..until].split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(row.default.is_empty() || told.contains(&format!("[{}]", row.default)), "{told}");
        assert!(row.help.len() > 10 && told.contains(row.help), "{told}");
        assert_eq!(told.contains("--no-"), parsed(&[&format!("--no-{}", row.name), "--dir=a"]).is_ok(), "{told}");
    }
    for option in ["--help", "--version"] {
        assert!(help.contains(option), "{option}");
    }
}

#[test]
fn help_tells_how_many_workers_and_threads_there_can_be() {
    for most in [Config::WORKERS_MAX, Config::THREADS_MAX] {
        assert!(help().contains(&format!("up to {most}")), "{most}");
    }
}

#[test]
fn help_fits_a_terminal() {
    for line in all().iter().flat_map(|help| help.lines()) {
        assert!(line.len() <= 80 && line.is_ascii() && line.trim_end() == line, "{line:?}");
    }
}

#[test]
fn every_command_is_told_and_tells_more() {
    for command in COMMANDS {
        let usage = format!("\n  evloop {} ", command.name);
        assert!(help().contains(&usage) && help_of(&[command.name]).contains(&usage), "{usage}");
    }
}

#[test]
fn help_is_the_same_wherever_it_is_asked_for() {
    for arguments in [&["-h"][..], &["serve", "--help"], &["--port=70000", "--help"], &["serve", "-h"]] {
        assert_eq!(parsed(arguments), Ok(Command::Print(help())), "{arguments:?}");
    }
}

#[test]
fn options_that_the_readme_names_are_there() {
    let readme = include_str!("../../../README.md");
    // What stands between backquotes: every second piece, when blocks of code are taken out.
    let text: String = readme.split("\n```").step_by(2).collect();
    let code = text.split('`').skip(1).step_by(2).filter(|code| code.starts_with("--") || code.starts_with("evloop "));
    let options: Vec<_> = code.flat_map(str::split_whitespace).filter(|word| word.starts_with("--")).collect();
    assert!(options.contains(&"--timeout-keep-alive"), "the README has them: {options:?}");
    let all = all().concat();
    for option in options.into_iter().filter(|option| *option != "--features") {
        assert!(all.contains(option), "{option}");
    }
}
