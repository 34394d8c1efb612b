//! A folder as a page.

use super::folder::Folder;
use super::path::{Target, encode};
use crate::codec::date::Date;
use rustix::io::Result;
use std::borrow::Cow;
use std::fmt::{self, Write};
use std::os::unix::fs::MetadataExt;

/// How many entries of a folder are looked at for a page; if there are more, the page says so.
///
/// A page is made in memory, and each entry costs a look at the file system: without a bound, a request of a few bytes
/// for a folder of a million files would hold a thread of the pool for seconds, and some hundred megabytes.
pub(super) const ENTRIES_MAX: usize = 2_000;

/// What a folder has in it.
#[derive(Debug)]
struct Entry {
    name: Vec<u8>,
    is_folder: bool,
    bytes: u64,
    /// Seconds since 1970.
    modified: Option<u64>,
}

/// The page that lists a folder.
pub(super) fn page(folder: &Folder, at: &Target, hidden: bool) -> Result<String> {
    let (mut entries, all) = entries(folder, at, hidden)?;
    entries.sort_unstable_by(|a, b| (!a.is_folder, &a.name).cmp(&(!b.is_folder, &b.name)));
    let mut page = String::new();
    write(&mut page, at, &entries, all).expect("writing to a string does not fail");
    Ok(page)
}

/// What is to be seen, and whether that is all. What would not be served is not listed: links that lead out, what is
/// neither a file nor a folder.
fn entries(folder: &Folder, at: &Target, hidden: bool) -> Result<(Vec<Entry>, bool)> {
    let mut entries = Vec::new();
    let mut looked_at = 0;
    for entry in folder.list(&at.path)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        if looked_at == ENTRIES_MAX {
            return Ok((entries, false));
        }
        looked_at += 1;
        if !hidden && name.starts_with(b".") {
            continue;
        }
        let Ok(found) = folder.look(&at.join(name)) else { continue };
        if found.is_file() || found.is_dir() {
            let modified = u64::try_from(found.mtime()).ok();
            entries.push(Entry { name: name.to_vec(), is_folder: found.is_dir(), bytes: found.len(), modified });
        }
    }
    Ok((entries, true))
}

fn write(page: &mut String, at: &Target, entries: &[Entry], all: bool) -> fmt::Result {
    let title = if at.path.is_empty() { "/".to_owned() } else { format!("/{}/", Text(&at.path)) };
    write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n</head>\n\
         <body>\n<h1>{title}</h1>\n<table>\n\
         <tr><th align=\"left\">Name</th><th align=\"right\">Bytes</th><th align=\"left\">Modified</th></tr>\n"
    )?;
    if !at.path.is_empty() {
        page.push_str("<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
    }
    for Entry { name, is_folder, bytes, modified } in entries {
        let slash = if *is_folder { "/" } else { "" };
        // The `./` keeps a name with a colon from being a scheme.
        write!(page, "<tr><td><a href=\"./{}{slash}\">{}{slash}</a></td>", encode(name), Text(name))?;
        let bytes = if *is_folder { String::new() } else { bytes.to_string() };
        let modified = modified.map_or_else(String::new, |second| Date::at(second).to_string());
        writeln!(page, "<td align=\"right\">{bytes}</td><td>{modified}</td></tr>")?;
    }
    page.push_str("</table>\n");
    if !all {
        writeln!(page, "<p>Only {ENTRIES_MAX} entries were looked at. There are more.</p>")?;
    }
    page.push_str("</body>\n</html>\n");
    Ok(())
}

/// Bytes as text in a page, or in the value of an attribute: what is not text, or would not be seen, is a mark.
struct Text<'a>(&'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: Cow<'_, str> = String::from_utf8_lossy(self.0);
        text.chars().try_for_each(|letter| match letter {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            letter if letter.is_control() => f.write_char(char::REPLACEMENT_CHARACTER),
            letter => f.write_char(letter),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::fs::{self, File};
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::time::{Duration, UNIX_EPOCH};

    fn list(root: &Path, raw: &str, hidden: bool) -> String {
        page(&Folder::new(root).unwrap(), &Target::parse(raw, hidden).unwrap(), hidden).unwrap()
    }

    fn links(page: &str) -> Vec<&str> {
        page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
    }

    #[test]
    fn folders_come_first_and_names_are_in_order() {
        let root = tempfile::tempdir().unwrap();
        for name in ["b", "a", "Z"] {
            fs::write(root.path().join(name), "12345").unwrap();
        }
        fs::create_dir_all(root.path().join("z/in")).unwrap();
        fs::create_dir(root.path().join("c")).unwrap();
        assert_eq!(links(&list(root.path(), "/", false)), ["./c/", "./z/", "./Z", "./a", "./b"]);
        assert_eq!(links(&list(root.path(), "/z/", false)), ["../", "./in/"]);
        assert_eq!(links(&list(root.path(), "/c/", false)), ["../"]);
    }

    #[test]
    fn size_and_date_are_told() {
        let root = tempfile::tempdir().unwrap();
        let file = File::create(root.path().join("a")).unwrap();
        file.set_len(12_345).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(784_111_777)).unwrap();
        let page = list(root.path(), "/", false);
        let row = "<tr><td><a href=\"./a\">a</a></td><td align=\"right\">12345</td>\
            <td>Sun, 06 Nov 1994 08:49:37 GMT</td></tr>";
        assert!(page.contains(row), "{page}");
    }

    #[test]
    fn names_are_escaped_in_text_and_encoded_in_links() {
        let root = tempfile::tempdir().unwrap();
        let below = root.path().join("<i>&'\"");
        fs::create_dir(&below).unwrap();
        for name in [&b"<script>"[..], b"\"'&", b"a b?c#d%e", b"x:y", b"\xff\n", "ä\\".as_bytes()] {
            fs::write(below.join(OsStr::from_bytes(name)), "").unwrap();
        }
        let page = list(root.path(), "/%3Ci%3E&%27%22/", false);
        let expected =
            ["../", "./%22%27%26", "./%3Cscript%3E", "./a%20b%3Fc%23d%25e", "./x%3Ay", "./%C3%A4%5C", "./%FF%0A"];
        assert_eq!(links(&page), expected);
        for text in [">&quot;&#39;&amp;<", ">&lt;script&gt;<", ">a b?c#d%e<", ">ä\\<", ">\u{fffd}\u{fffd}<"] {
            assert!(page.contains(text), "{text} {page}");
        }
        assert!(page.contains("<h1>/&lt;i&gt;&amp;&#39;&quot;/</h1>"), "{page}");
        assert!(!page.contains("<script") && !page.contains("<i>"));
    }

    #[test]
    fn what_is_not_served_is_not_listed() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
        fs::write(root.path().join("file"), "").unwrap();
        fs::write(root.path().join(".env"), "").unwrap();
        symlink(outside.path(), root.path().join("out")).unwrap();
        symlink("file", root.path().join("in")).unwrap();
        symlink("nowhere", root.path().join("broken")).unwrap();
        symlink("loop", root.path().join("loop")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            root.path().join("fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        assert_eq!(links(&list(root.path(), "/", false)), ["./file", "./in"]);
        assert_eq!(links(&list(root.path(), "/", true)), ["./.env", "./file", "./in"]);
        let folder = Folder::without_openat2(root.path()).unwrap();
        let page = page(&folder, &Target::parse("/", false).unwrap(), false).unwrap();
        assert_eq!(links(&page), ["./file"], "links are not followed there");
    }

    #[test]
    fn page_tells_when_there_is_more_than_it_lists() {
        let root = tempfile::tempdir().unwrap();
        for at in 0..ENTRIES_MAX {
            File::create(root.path().join(at.to_string())).unwrap();
        }
        let page = list(root.path(), "/", false);
        assert!(!page.contains("There are more") && links(&page).len() == ENTRIES_MAX);
        File::create(root.path().join("one more")).unwrap();
        let page = list(root.path(), "/", false);
        assert!(page.contains("There are more") && links(&page).len() == ENTRIES_MAX);
    }
}
