//! What the benchmark `counts` makes of its counts: when it fails, and what it says.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

#[path = "../benches/counts/conditions.rs"]
mod conditions;
#[path = "../benches/counts/record.rs"]
mod record;

use conditions::Conditions;
use record::{Comparison, MARGIN, MARGIN_MIN, Record};
use std::collections::BTreeMap;

fn counts(of: &[(&str, f64)]) -> BTreeMap<String, f64> {
    of.iter().map(|(name, instructions)| ((*name).to_owned(), *instructions)).collect()
}

fn compared(recorded: &[(&str, f64)], now: &[(&str, f64)]) -> Comparison {
    Comparison::of(&counts(recorded), &counts(now), "")
}

fn conditions() -> Conditions {
    Conditions {
        rustc: "1.95.0".to_owned(),
        host: "x86_64-unknown-linux-gnu".to_owned(),
        llvm: "22.1.2".to_owned(),
        rustflags: String::new(),
        libc: "glibc 2.36".to_owned(),
        processor: "x86_64 with AVX2".to_owned(),
        valgrind: "valgrind-3.19.0".to_owned(),
    }
}

#[test]
fn what_is_within_the_margin_is_as_recorded() {
    let large = 1_000.0 * MARGIN;
    for now in [1_000.0, 1_000.0 + large, 1_000.0 - large] {
        let comparison = compared(&[("a", 1_000.0)], &[("a", now)]);
        assert!(!comparison.fails() && !comparison.gains(), "{comparison}");
    }
}

#[test]
fn what_takes_more_fails() {
    assert!(compared(&[("a", 1_000.0), ("b", 5.0)], &[("a", 1_020.1), ("b", 5.0)]).fails());
}

#[test]
fn what_takes_less_is_told_and_does_not_fail() {
    let comparison = compared(&[("a", 1_000.0)], &[("a", 979.9)]);
    assert!(comparison.gains() && !comparison.fails(), "{comparison}");
}

#[test]
fn a_small_cost_may_differ_by_whole_instructions() {
    assert!(!compared(&[("a", 10.0)], &[("a", 10.0 + MARGIN_MIN)]).fails());
    assert!(compared(&[("a", 10.0)], &[("a", 10.1 + MARGIN_MIN)]).fails());
}

#[test]
fn a_record_of_other_operations_fails() {
    assert!(compared(&[], &[("a", 1.0)]).fails());
    assert!(compared(&[("a", 1.0)], &[]).fails());
}

#[test]
fn a_filter_leaves_out_what_was_not_counted() {
    let recorded = counts(&[("timer-fire", 1.0), ("yield", 1.0)]);
    assert!(!Comparison::of(&recorded, &counts(&[("yield", 1.0)]), "yield").fails());
}

#[test]
fn the_table_tells_what_was_recorded_what_is_and_the_difference() {
    let table =
        compared(&[("a", 200.0), ("b", 50.0), ("c", 7.0)], &[("a", 210.0), ("b", 40.0), ("d", 8.0)]).to_string();
    let lines: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        lines,
        [
            vec!["a", "200.0", "210.0", "+10.0", "+5.0", "%", "MORE"],
            vec!["b", "50.0", "40.0", "-10.0", "-20.0", "%", "less"],
            vec!["c", "7.0", "-", "GONE"],
            vec!["d", "-", "8.0", "NEW"],
        ]
    );
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let record = Record { conditions: conditions(), instructions: counts(&[("a", 264.5), ("b", 3.0)]) };
    let text = record.to_string();
    assert_eq!(Record::parse(&text).unwrap(), record);
    assert!(text.ends_with("}\n"), "{text}");
}

#[test]
fn what_is_no_record_is_refused_by_name() {
    let record = Record { conditions: conditions(), instructions: counts(&[("a", 0.0)]) };
    for text in ["", "{}", &record.to_string()] {
        assert!(Record::parse(text).unwrap_err().starts_with("recorded.json: "), "{text}");
    }
}

#[test]
fn what_is_recorded_can_be_read() {
    let recorded = Record::parse(include_str!("../benches/counts/recorded.json")).unwrap();
    assert!(recorded.instructions.contains_key("http-64"), "{recorded}");
}

#[test]
fn other_conditions_are_named_with_both_their_values() {
    assert_eq!(conditions().differences(&conditions()), "");
    let there = Conditions { rustc: "1.96.0".to_owned(), libc: "musl".to_owned(), ..conditions() };
    assert_eq!(
        conditions().differences(&there),
        "    rustc: recorded for '1.95.0', this is '1.96.0'\n    C library: recorded for 'glibc 2.36', this is 'musl'\n"
    );
}

/// Which asks rustc and valgrind, and says so where one is not there.
#[test]
fn a_debug_build_is_not_counted() {
    if cfg!(debug_assertions) {
        assert!(Conditions::here().unwrap_err().to_string().contains("debug build"));
    }
}
