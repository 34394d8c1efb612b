//! Which file is meant, and which is out of reach.

use super::*;
use crate::files::folder::Folder;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

/// The same folder by both ways of opening.
fn both(root: &Path) -> [Files; 2] {
    let mut walked = files(root);
    Arc::make_mut(&mut walked.site).folder = Arc::new(Folder::without_openat2(root).expect("the folder is there"));
    [files(root), walked]
}

fn get(app: &Files, target: &str) -> String {
    answer(app.clone(), &format!("GET {target}"), "")
}

/// A folder `www`, with a secret beside it.
fn beside_a_secret() -> (TempDir, std::path::PathBuf) {
    let top = folder(&[("secret", "secret"), ("www/a.txt", "a"), ("www/sub/b.txt", "b"), ("outside/c.txt", "c")]);
    let root = top.path().join("www");
    (top, root)
}

#[test]
fn file_is_found_by_its_path() {
    let root = folder(&[("a.txt", "a"), ("sub/b c.txt", "b"), ("100%.txt", "%"), ("a\\b", "\\"), ("ä", "ä")]);
    for app in both(root.path()) {
        for (target, content) in [
            ("/a.txt", "a"),
            ("/a.txt?sub/b", "a"),
            ("/%61%2etxt", "a"),
            ("/sub/b%20c.txt", "b"),
            ("/100%25.txt", "%"),
            ("/a%5Cb", "\\"),
            ("/%C3%A4", "ä"),
            ("http://a/a.txt", "a"),
        ] {
            let answer = get(&app, target);
            assert_eq!((status(&answer), body(&answer)), ("200", content), "{target}");
        }
        for target in ["/A.txt", "/a.txt/", "/a.txt/b", "/sub/", "/%2561.txt", "/sub%2Fb%20c.txt", "/none", "/a.txt%00"]
        {
            assert_eq!(get(&app, target), NOT_FOUND, "{target}");
        }
    }
}

#[test]
fn dots_do_not_lead_out() {
    let (_top, root) = beside_a_secret();
    for app in both(&root) {
        for target in [
            "/../secret",
            "/sub/../../secret",
            "/sub/../a.txt",
            "/%2e%2e/secret",
            "/%2E./secret",
            "/..%2fsecret",
            "/%2e%2e%2fsecret",
            "/sub/%2e%2e/%2e%2e/secret",
            "/%252e%252e/secret",
            "/..%5csecret",
            "//secret",
            "/%2fetc/passwd",
            "//etc/passwd",
            "/./a.txt",
        ] {
            assert_eq!(get(&app, target), NOT_FOUND, "{target}");
        }
    }
}

#[test]
fn links_do_not_lead_out() {
    let (top, root) = beside_a_secret();
    let link = |to: &Path, name: &str| symlink(to, root.join(name)).expect("the folder is ours");
    link(Path::new("../secret"), "relative");
    link(&top.path().join("secret"), "absolute");
    link(Path::new("relative"), "chain");
    link(Path::new("../outside"), "folder");
    link(&top.path().join("outside"), "absolute-folder");
    link(Path::new("sub/../../secret"), "winding");
    link(Path::new("/"), "root");
    link(Path::new("/proc/self/root"), "magic");
    link(Path::new("loop"), "loop");
    link(Path::new("nowhere"), "broken");
    fs::create_dir(root.join("indexed")).expect("the folder is ours");
    link(Path::new("../../secret"), "indexed/index.html");
    for app in both(&root) {
        for target in [
            "/relative",
            "/absolute",
            "/chain",
            "/folder/c.txt",
            "/folder",
            "/folder/",
            "/absolute-folder/c.txt",
            "/winding",
            "/root/etc/passwd",
            "/magic/etc/passwd",
            "/loop",
            "/broken",
            "/indexed/",
        ] {
            assert_eq!(get(&app, target), NOT_FOUND, "{target}");
        }
        let list = get(&app.listing(true), "/");
        assert_eq!(list.matches("<a href").count(), 3, "a.txt, sub and indexed: {list}");
    }
}

#[test]
fn links_that_stay_inside_are_followed_if_the_kernel_walks() {
    let (_top, root) = beside_a_secret();
    symlink("../a.txt", root.join("sub/up")).expect("the folder is ours");
    symlink("sub", root.join("down")).expect("the folder is ours");
    let [kernel, walked] = both(&root);
    for (target, content) in [("/sub/up", "a"), ("/down/b.txt", "b"), ("/down/up", "a")] {
        assert_eq!(body(&get(&kernel, target)), content, "{target}");
        assert_eq!(get(&walked, target), NOT_FOUND, "{target}");
    }
}

#[test]
fn folder_itself_may_be_reached_by_a_link_and_stays_the_same_when_it_is_renamed() {
    let (top, root) = beside_a_secret();
    let link = top.path().join("link");
    symlink(&root, &link).expect("the folder is ours");
    for app in both(&link) {
        fs::rename(&root, top.path().join("renamed")).expect("the folder is ours");
        assert_eq!(body(&get(&app, "/sub/b.txt")), "b");
        fs::rename(top.path().join("renamed"), &root).expect("the folder is ours");
    }
}

#[test]
fn what_is_no_file_is_not_found_and_does_not_hang() {
    let root = folder(&[]);
    mknodat(CWD, root.path().join("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("the folder is ours");
    let _listener = UnixListener::bind(root.path().join("socket")).expect("the folder is ours");
    fs::create_dir(root.path().join("sub")).expect("the folder is ours");
    mknodat(CWD, root.path().join("sub/index.html"), FileType::Fifo, Mode::RUSR, 0).expect("the folder is ours");
    for app in both(root.path()) {
        for target in ["/fifo", "/socket", "/fifo/", "/sub/"] {
            assert_eq!(get(&app, target), NOT_FOUND, "{target}");
        }
    }
}

#[test]
fn name_that_is_too_long_is_not_found() {
    let root = folder(&[]);
    for app in both(root.path()) {
        assert_eq!(get(&app, &format!("/{}", "a".repeat(256))), NOT_FOUND);
        assert_eq!(get(&app, &"/a".repeat(3_000)), NOT_FOUND);
    }
}

#[test]
fn file_that_may_not_be_read_is_forbidden() {
    let root = folder(&[("a", "a")]);
    fs::set_permissions(root.path().join("a"), fs::Permissions::from_mode(0o000)).expect("the file is ours");
    let may_read = File::open(root.path().join("a")).is_ok(); // as root may all
    for app in both(root.path()) {
        assert_eq!(status(&get(&app, "/a")), if may_read { "200" } else { "403" });
    }
}

#[test]
fn hidden_files_are_found_only_if_that_is_wanted() {
    let root = folder(&[(".env", "env"), (".git/config", "config"), (".well-known/x", "x")]);
    let app = files(root.path());
    assert_eq!(get(&app, "/.env"), NOT_FOUND);
    assert_eq!(get(&app, "/.git/config"), NOT_FOUND);
    assert_eq!(body(&get(&app, "/.well-known/x")), "x");
    let app = app.hidden(true);
    assert_eq!(body(&get(&app, "/.env")), "env");
    assert_eq!(body(&get(&app, "/.git/config")), "config");
}

#[test]
fn folder_without_a_slash_is_redirected_to_itself_with_one() {
    let root = folder(&[("sub/deep/x", "x"), ("a:b/x", "x")]);
    for (target, location) in [
        ("/sub", "./sub/"),
        ("/sub/deep", "./deep/"),
        ("/sub?q=1&r=//evil.example", "./sub/?q=1&r=//evil.example"),
        ("/%73ub", "./sub/"),
        ("/a:b", "./a%3Ab/"),
    ] {
        let answer = get(&files(root.path()), target);
        assert_eq!((status(&answer), field(&answer, "location")), ("301", Some(location)), "{target}");
    }
    for target in ["//sub", "//evil.example/..", "///", "/%2fsub"] {
        assert_eq!(get(&files(root.path()), target), NOT_FOUND, "{target}");
    }
}

#[test]
fn folder_is_its_index_or_a_list_or_not_found() {
    let root = folder(&[("index.html", "<p>index"), ("sub/a", "a"), ("sub/home", "home")]);
    let app = files(root.path());
    let index = get(&app, "/");
    assert_eq!(body(&index), "<p>index");
    assert_eq!(field(&index, "content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(get(&app, "/sub/"), NOT_FOUND);
    let list = get(&app.clone().listing(true), "/sub/");
    assert_eq!(field(&list, "content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(field(&list, "content-security-policy"), Some("default-src 'none'"));
    assert!(body(&list).contains("<a href=\"./a\">a</a>"), "{list}");
    assert_eq!(body(&get(&app.clone().listing(true), "/")), "<p>index");
    assert_eq!(get(&app.clone().listing(true), "/none/"), NOT_FOUND);
    assert_eq!(get(&app.clone().listing(true), "/sub/a/"), NOT_FOUND);
    assert_eq!(body(&get(&app.index("home"), "/sub/")), "home");
}

#[test]
fn list_has_a_tag_and_can_be_asked_for_in_part() {
    let root = folder(&[("a", "a")]);
    let app = files(root.path()).listing(true);
    let list = get(&app, "/");
    let tag = field(&list, "etag").expect("it has a tag");
    let again = answer(app.clone(), "GET /", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!(status(&again), "304");
    let part = answer(app, "GET /", "Range: bytes=0-14\r\n");
    assert_eq!((status(&part), body(&part)), ("206", "<!DOCTYPE html>"));
}

#[test]
#[should_panic(expected = "is not the name of a file")]
fn index_that_leads_elsewhere_is_refused() {
    drop(files(folder(&[]).path()).index("../index.html"));
}

#[test]
#[should_panic(expected = "is not the value of a field")]
fn cache_control_that_begins_another_field_is_refused() {
    drop(files(folder(&[]).path()).cache_control("no-store\r\nx: y"));
}

#[test]
fn folder_that_is_none_is_an_error() {
    let root = folder(&[("a", "a")]);
    assert_eq!(Files::new(root.path().join("none")).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    assert_eq!(Files::new(root.path().join("a")).unwrap_err().kind(), std::io::ErrorKind::NotADirectory);
}
