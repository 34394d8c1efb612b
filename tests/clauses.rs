//! The table of clauses, `http/src/connection/clauses.md`, read against the sources: it names no test that is not there,
//! leaves out none that was written for it, and has a line for each limit.

#[path = "common/tables.rs"]
mod tables;

use std::path::{Path, PathBuf};
use tables::{has_test, quoted, read, rows};

const TABLE: &str = "http/src/connection/clauses.md";

/// Where tests stand that were written for the table, and the modules that these are.
const WRITTEN_FOR_IT: [(&str, &str); 2] = [
    ("http/src/server/tests/clauses.rs", "server::tests::clauses"),
    ("http/src/files/tests/clauses.rs", "files::tests::clauses"),
];

/// The text of the file that holds the tests of this module: its own, or the one it is written in.
fn text_of(modules: &[&str]) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let exists = |path: &PathBuf| root.join(path).is_file();
    let of = |modules: &[&str]| {
        let folder = Path::new("http/src").join(modules.join("/"));
        [folder.with_extension("rs"), folder.join("mod.rs")].into_iter().find(exists)
    };
    let in_tests = || {
        let file = Path::new(&modules.join("/")).with_extension("rs");
        [Path::new("http/tests").join(&file), Path::new("tests").join(&file)].into_iter().find(exists)
    };
    if let Some(path) = of(modules).or_else(in_tests) {
        return Some(read(path));
    }
    let (last, rest) = modules.split_last()?;
    of(rest).map(read).filter(|text| text.contains(&format!("\nmod {last} {{\n")))
}

#[test]
fn every_row_names_tests_and_each_is_there() {
    let table = read(TABLE);
    let mut missing = Vec::new();
    for row in rows(&table).into_iter().filter(|row| row.len() > 2) {
        let tests: Vec<&str> = quoted(row[row.len() - 1]).collect();
        assert!(!tests.is_empty(), "a row without a test: {row:?}");
        for test in tests {
            let modules: Vec<&str> = test.split("::").collect();
            let (name, modules) = modules.split_last().expect("a path has a last part");
            if !text_of(modules).is_some_and(|text| has_test(&text, name)) {
                missing.push(test.to_owned());
            }
        }
    }
    assert!(missing.is_empty(), "named in {TABLE}, but not in the sources:\n{}", missing.join("\n"));
}

#[test]
fn every_row_has_all_its_cells() {
    let table = read(TABLE);
    let rows = rows(&table);
    assert!(rows.len() > 100, "the table is not read: {} rows", rows.len());
    for row in &rows {
        let force = ["must", "must not", "should", "may"];
        match row[..] {
            [clause, force_of_it, asks, _, _] => {
                assert!(force.contains(&force_of_it) && !clause.is_empty() && !asks.is_empty(), "{row:?}");
            }
            [limit, default, past, _] => {
                assert!(limit.starts_with('`') && !default.is_empty() && !past.is_empty(), "{row:?}");
            }
            [clause, why] => assert!(clause.starts_with("RFC ") && !why.is_empty(), "{row:?}"),
            _ => panic!("a row of another form: {row:?}"),
        }
    }
}

#[test]
fn every_test_written_for_the_table_is_in_it() {
    let table = read(TABLE);
    for (path, module) in WRITTEN_FOR_IT {
        let source = read(path);
        let names = source.lines().filter_map(|line| line.strip_prefix("fn ")?.strip_suffix("() {"));
        let names: Vec<&str> = names.filter(|name| has_test(&source, name)).collect();
        assert!(names.len() > 2, "{path} is not read: {names:?}");
        for name in names {
            assert!(table.contains(&format!("`{module}::{name}`")), "{TABLE} does not name {module}::{name}");
        }
    }
}

#[test]
fn every_limit_has_a_row() {
    let (table, source, server) = (read(TABLE), read("http/src/limits.rs"), read("http/src/server/config.rs"));
    let limits: Vec<&str> =
        rows(&table).into_iter().filter(|row| row.len() == 4).filter_map(|row| quoted(row[0]).next()).collect();
    let fields = source.lines().filter_map(|line| line.strip_prefix("    pub ")?.split_once(": "));
    let of_all = server.lines().filter_map(|line| line.strip_prefix("    pub(super) ")?.split_once(": "));
    let of_all = of_all.map(|(name, _)| name).filter(|name| name.ends_with("_max"));
    let fields: Vec<&str> = fields.map(|(name, _)| name).filter(|name| !name.contains(' ')).chain(of_all).collect();
    assert_eq!(limits, fields);
}

#[test]
fn test_that_is_not_there_is_not_found() {
    let text =
        "mod a;\n#[test]\nfn one() {}\nfn two() {}\n    #[test]\n    #[should_panic]\n    fn three(x in 0..1) {}\n";
    let found: Vec<bool> = ["one", "two", "three", "on", "four"].map(|name| has_test(text, name)).to_vec();
    assert_eq!(found, [true, false, true, false, false]);
    assert!(text_of(&["codec", "date", "tests"]).is_some() && text_of(&["codec", "date", "trials"]).is_none());
    assert!(
        text_of(&["http_wire"]).is_some()
            && text_of(&["rfc9112"]).is_some()
            && text_of(&["nowhere", "tests"]).is_none()
    );
}
