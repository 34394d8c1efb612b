//! The guide's tables and their code belong together: each name has its code, or a reason why there is none.

use std::fs;
use std::path::Path;

#[test]
fn every_row_of_the_guide_has_its_code_or_a_reason() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide");
    let shown = fs::read_to_string(folder.join("mod.rs")).unwrap();
    let files = ["libuv.md", "asyncio.md", "tokio.md"].map(|name| (name, folder.join(name)));
    let files: Vec<_> = files.into_iter().filter(|(_, path)| path.exists()).collect();
    assert!(!files.is_empty(), "there is no guide in {}", folder.display());
    for (name, path) in files {
        let complaints = complaints(&fs::read_to_string(path).unwrap());
        assert!(complaints.is_empty(), "{name}:\n{}", complaints.join("\n"));
        assert!(shown.contains(&format!("include_str!(\"{name}\")")), "{name} is in no module");
    }
}

/// What is wrong with a guide. Its rows are those of tables whose second column is `evloop`; their names are what stands in
/// backticks in the first column. A name has its code where a comment of the code repeats it, or the heading above the code.
fn complaints(guide: &str) -> Vec<String> {
    let (mut rows, mut repeated, mut complaints) = (Vec::new(), String::new(), Vec::new());
    let (mut in_code, mut is_rust, mut in_table, mut heading) = (false, false, None, "");
    for (number, line) in (1..).zip(guide.lines()) {
        if let Some(info) = line.strip_prefix("```") {
            in_code = !in_code;
            is_rust = in_code && !info.starts_with("text");
            if is_rust {
                repeated.extend([heading, "\n"]);
            }
            if info.contains("ignore") {
                complaints.push(format!("line {number}: this code is not compiled"));
            }
        } else if in_code {
            if let Some((_, comment)) = line.split_once("//").filter(|_| is_rust && !line.starts_with("# ")) {
                repeated.extend([comment, "\n"]);
            }
        } else if let Some(row) = line.strip_prefix('|') {
            let cells = cells(row);
            let is_header = in_table.is_none();
            let is_ours = *in_table.get_or_insert_with(|| cells.get(1).is_some_and(|cell| cell == "evloop"));
            if is_ours && !is_header && !row.starts_with("--") {
                rows.push((number, cells));
            }
            continue;
        } else if line.starts_with('#') {
            heading = line;
        }
        in_table = None;
    }
    if rows.is_empty() {
        complaints.push("there is no table from something to evloop".to_owned());
    }
    let repeated = repeated.replace('`', "");
    for (number, cells) in rows {
        let [names, evloop, note] = &cells[..] else {
            complaints.push(format!("line {number}: a row has three cells"));
            continue;
        };
        if ["", "-", "—"].contains(&&**evloop) || evloop.starts_with("left out") {
            if note.is_empty() {
                complaints.push(format!("line {number}: {names} is left out, and nobody knows why"));
            }
            continue;
        }
        let quoted: Vec<&str> = names.split('`').skip(1).step_by(2).collect();
        let names = if quoted.is_empty() { vec![&**names] } else { quoted };
        for name in names.into_iter().filter(|name| !is_named(&repeated, name)) {
            complaints.push(format!("line {number}: no code names {name}"));
        }
    }
    complaints
}

/// The cells of a row behind its first bar; a bar within one has a backslash before it.
fn cells(row: &str) -> Vec<String> {
    let row = row.trim_end().trim_end_matches('|').replace("\\|", "\0");
    row.split('|').map(|cell| cell.trim().replace('\0', "|")).collect()
}

/// Whether the text has that name, and not only a longer one.
fn is_named(text: &str, name: &str) -> bool {
    let ends = |side: Option<char>| side.is_none_or(|next| !next.is_alphanumeric() && next != '_');
    text.match_indices(name)
        .any(|(at, _)| ends(text[..at].chars().next_back()) && ends(text[at + name.len()..].chars().next()))
}

const TABLE: &str = "| uv | evloop | note |\n|---|---|---|\n";

#[test]
fn names_are_found_in_comments_and_in_the_headings_above_code() {
    let rows = "| `uv_a`, `uv_b` | [`x`] | |\n| `uv_c` | y | |\n| d | z | |\n| `uv_e` | — | it is for Windows |\n| `uv_f` | left out | so |\n";
    let code = "```\n// `uv_a`; uv_b\n```\n## `uv_c`, d\nWords.\n```no_run\nx\n```\n";
    assert_eq!(complaints(&format!("{TABLE}{rows}{code}")), Vec::<String>::new());
}

#[test]
fn rows_without_code_or_reason_are_told_of() {
    let row = "| `uv_a` | x | |\n";
    for (rest, complaint) in [
        (row.to_owned(), "line 3: no code names uv_a"),
        (format!("{row}## `uv_a`\n"), "line 3: no code names uv_a"),
        (format!("{row}## `uv_a`\n## b\n```\n```\n"), "line 3: no code names uv_a"),
        (format!("{row}```\n// uv_a_b\nuv_a\n# // uv_a\n```\n"), "line 3: no code names uv_a"),
        (format!("{row}```text\n// uv_a\n```\n// uv_a\n"), "line 3: no code names uv_a"),
        (format!("{row}```ignore\n// uv_a\n```\n"), "line 4: this code is not compiled"),
        ("| `uv_a` | — | |\n".to_owned(), "line 3: `uv_a` is left out, and nobody knows why"),
        ("| `uv_a` | | |\n".to_owned(), "line 3: `uv_a` is left out, and nobody knows why"),
        ("| `uv_a` | left out |\n".to_owned(), "line 3: a row has three cells"),
        (String::new(), "there is no table from something to evloop"),
    ] {
        assert_eq!(complaints(&format!("{TABLE}{rest}")), [complaint], "{rest}");
    }
}

/// The words of the note lead to a page, to something to be seen, and to a file; all of which are there.
#[test]
fn every_term_leads_to_a_page_an_experiment_and_a_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let (terms, pages, lab) = (read("src/guide/terms.md"), read("src/guide/mod.rs"), read("src/lab/mod.rs"));
    let rows: Vec<_> = terms.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| |")).collect();
    assert!(rows.len() >= 20, "the table of terms has {} rows", rows.len());
    let is_command =
        |seen: &str| ["serve", "status", "step", "trace", "why"].iter().any(|name| seen == format!("evloop {name}"));
    for row in &rows {
        let cells = cells(&row[1..]);
        let page = cells[2].split_once("guide::").and_then(|(_, page)| page.split_once(')')).expect(row).0;
        assert!(pages.contains(&format!("pub mod {page} ")), "{row}: there is no page {page}");
        let seen = cells[3].trim_matches('`');
        match seen.strip_prefix("evloop lab ") {
            Some(experiment) => assert!(lab.contains(&format!("mod {experiment};")), "{row}: no such experiment"),
            None => assert!(is_command(seen) || root.join(seen).exists(), "{row}: nothing to be seen"),
        }
        assert!(root.join(cells[4].trim_matches('`')).exists(), "{row}: there is no such file");
    }
    let chapters = pages.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(" {}"));
    for chapter in chapters.filter(|chapter| !["terms", "tokio", "costs"].contains(chapter)) {
        let leads = format!("(crate::guide::{chapter})");
        assert!(rows.iter().any(|row| row.contains(&leads)), "no term leads to the chapter {chapter}");
    }
}

/// An empty line would end the drawing, and so would a text that begins right behind it.
#[test]
fn every_picture_is_shown_and_nothing_ends_it_early() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide");
    let shown = fs::read_to_string(folder.join("mod.rs")).unwrap();
    let pictures: Vec<_> = fs::read_dir(folder.join("pictures")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(pictures.len() >= 7, "{pictures:?}");
    for path in pictures {
        let name = path.file_name().unwrap().to_str().unwrap();
        let alone = format!("\n///\n#[doc = include_str!(\"pictures/{name}\")]\n///\n");
        assert!(shown.contains(&alone), "{name} is in no chapter, or not by itself");
        assert!(fs::read_to_string(&path).unwrap().lines().all(|line| !line.trim().is_empty()), "{name}");
    }
}
