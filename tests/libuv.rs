//! The table of libuv's tests, `tests/libuv.md`, read against the sources: each name stands in it once, with a twin
//! that is there or with the reason why there is none.

#[path = "common/tables.rs"]
mod tables;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use tables::{has_test, quoted, read, rows};

const TABLE: &str = "tests/libuv.md";

/// How many names there are, as the table's own text says: `(... : 511 names)`.
fn names_said(table: &str) -> Option<usize> {
    let (before, _) = table.split_once(" names)")?;
    before.rsplit(' ').next()?.parse().ok()
}

/// The path of a file that the table names: in `tests/`, unless it names the folder.
fn path_of(file: &str) -> String {
    if file.contains('/') { file.to_owned() } else { format!("tests/{file}") }
}

/// All that is wrong with a table, where `source` gives the text of a file, if there is one.
fn faults(table: &str, source: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let (mut faults, mut seen, mut sources) = (Vec::new(), HashSet::new(), HashMap::new());
    for row in rows(table) {
        let [names, here] = row[..] else {
            faults.push(format!("a row of another form: {row:?}"));
            continue;
        };
        let names: Vec<&str> = quoted(names).collect();
        if names.is_empty() {
            faults.push(format!("a row without a name: {row:?}"));
        }
        faults.extend(names.iter().filter(|name| !seen.insert(**name)).map(|name| format!("{name}: twice")));
        if let Some(reason) = here.strip_prefix('–') {
            if reason.trim().is_empty() {
                faults.push(format!("{}: a dash without a reason", names.join(", ")));
            }
            continue;
        }
        let twins: Vec<(&str, &str)> = quoted(here).filter_map(|twin| twin.split_once(": ")).collect();
        if twins.is_empty() {
            faults.push(format!("{}: neither a test nor a dash", names.join(", ")));
        }
        for (file, test) in twins {
            match sources.entry(file).or_insert_with(|| source(&path_of(file))) {
                Some(text) if has_test(text, test) => {}
                Some(_) => faults.push(format!("{file} has no test {test}")),
                None => faults.push(format!("there is no file {file}")),
            }
        }
    }
    if names_said(table) != Some(seen.len()) {
        faults.push(format!("the text says {:?} names, and there are {}", names_said(table), seen.len()));
    }
    faults
}

#[test]
fn each_test_of_libuv_has_its_twin_or_a_reason() {
    let there_is = |path: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(path).is_file().then(|| read(path));
    let faults = faults(&read(TABLE), there_is);
    assert!(faults.is_empty(), "{TABLE}:\n{}", faults.join("\n"));
}

/// Nothing was written under libuv's name that the table does not know of.
#[test]
fn each_twin_written_for_the_table_is_in_it() {
    let table = read(TABLE);
    for file in ["uv_fs.rs", "uv_loop.rs", "uv_pipe.rs", "uv_ref.rs", "uv_tcp.rs"] {
        let source = read(path_of(file));
        let names = source.lines().filter_map(|line| line.strip_prefix("fn ")?.strip_suffix("() {"));
        let names: Vec<&str> = names.filter(|name| has_test(&source, name)).collect();
        assert!(names.len() > 2, "{file} is not read: {names:?}");
        for name in names {
            assert!(table.contains(&format!("`{file}: {name}`")), "{TABLE} does not name {name} of {file}");
        }
    }
}

/// What is wrong with a table of these rows, which says that it has `names`.
fn faults_of(names: usize, rows: &str) -> Vec<String> {
    let table = format!("(all: {names} names)\n| libuv's test | here |\n|---|---|\n{rows}");
    faults(&table, |path| (path == "tests/a.rs").then(|| "#[test]\nfn one() {}\nfn helper() {}\n".to_owned()))
}

#[test]
fn table_in_which_all_is_well_is_taken() {
    assert_eq!(faults_of(3, "| `x` | `a.rs: one` |\n| `y`, `z` | – Windows only |\n"), [""; 0]);
}

#[test]
fn twin_that_is_not_there_is_found_and_so_is_its_file() {
    assert_eq!(faults_of(1, "| `x` | `a.rs: two` |\n"), ["a.rs has no test two"]);
    assert_eq!(faults_of(1, "| `x` | `a.rs: helper` |\n"), ["a.rs has no test helper"]);
    assert_eq!(faults_of(1, "| `x` | `a.rs: one` and `b.rs: one` |\n"), ["there is no file b.rs"]);
}

#[test]
fn name_that_stands_twice_or_is_left_out_is_found() {
    assert_eq!(faults_of(1, "| `x` | `a.rs: one` |\n| `x` | – removed |\n"), ["x: twice"]);
    assert_eq!(faults_of(2, "| `x` | `a.rs: one` |\n"), ["the text says Some(2) names, and there are 1"]);
}

#[test]
fn row_with_neither_test_nor_reason_is_found() {
    assert_eq!(faults_of(1, "| `x` | later |\n"), ["x: neither a test nor a dash"]);
    assert_eq!(faults_of(1, "| `x` | – |\n"), ["x: a dash without a reason"]);
    assert_eq!(faults_of(0, "| x | – removed |\n"), [r#"a row without a name: ["x", "– removed"]"#]);
    assert_eq!(faults_of(0, "| `x` | a | b |\n"), [r#"a row of another form: ["`x`", "a", "b"]"#]);
}
