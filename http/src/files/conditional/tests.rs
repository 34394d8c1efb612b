//! Conditions, without files: which of them decides, and how.

use super::*;
use crate::codec::head;
use crate::limits::Limits;
use crate::message::RequestHead;
use std::fs;
use std::time::{Duration, SystemTime};

const T: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

/// A file of the tag `"a"`, modified at [`T`].
fn settled() -> Validators {
    Validators { tag: "\"a\"".to_owned(), is_weak: false, modified: Some(784_111_777) }
}

fn fresh() -> Validators {
    Validators { is_weak: true, ..settled() }
}

fn conditions(fields: &[(&str, &str)]) -> Conditions {
    let lines: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut request = RequestHead::default();
    head::parse(
        format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", lines.concat()).as_bytes(),
        &Limits::default(),
        &mut request,
    )
    .expect("the request is well formed");
    Conditions::parse(request.headers())
}

fn judge(fields: &[(&str, &str)]) -> Verdict {
    conditions(fields).judge(&settled())
}

#[test]
fn without_conditions_all_is_well() {
    assert_eq!(judge(&[]), Verdict::Proceed);
    assert_eq!(conditions(&[]), Conditions::default());
}

#[test]
fn if_match_compares_strongly() {
    for (list, verdict) in [
        ("\"a\"", Verdict::Proceed),
        ("\"b\", \"a\"", Verdict::Proceed),
        ("\"b\",,\t\"a\",", Verdict::Proceed),
        ("\"b,\"a\"", Verdict::Failed),
        ("*", Verdict::Proceed),
        ("W/\"a\"", Verdict::Failed),
        ("\"b\"", Verdict::Failed),
        ("a", Verdict::Failed),
        ("", Verdict::Failed),
        ("\"a", Verdict::Failed),
    ] {
        assert_eq!(judge(&[("if-match", list)]), verdict, "{list}");
    }
    assert_eq!(conditions(&[("if-match", "\"a\"")]).judge(&fresh()), Verdict::Failed, "the file's own tag is weak");
    assert_eq!(conditions(&[("if-match", "*")]).judge(&fresh()), Verdict::Proceed);
}

#[test]
fn if_none_match_compares_weakly() {
    for (list, verdict) in [
        ("\"a\"", Verdict::NotModified),
        ("W/\"a\"", Verdict::NotModified),
        ("\"b\", W/\"a\"", Verdict::NotModified),
        ("\"b,c\",\"a\"", Verdict::NotModified),
        ("*", Verdict::NotModified),
        ("\"b\"", Verdict::Proceed),
        ("w/\"a\"", Verdict::Proceed),
        ("a", Verdict::Proceed),
        ("", Verdict::Proceed),
    ] {
        assert_eq!(judge(&[("if-none-match", list)]), verdict, "{list}");
        assert_eq!(conditions(&[("if-none-match", list)]).judge(&fresh()), verdict, "{list}");
    }
    assert_eq!(judge(&[("if-none-match", "\"b\""), ("if-none-match", "\"a\"")]), Verdict::NotModified);
}

#[test]
fn dates_compare_by_the_second() {
    for (date, modified_since, unmodified_since) in [
        (BEFORE, Verdict::Proceed, Verdict::Failed),
        (T, Verdict::NotModified, Verdict::Proceed),
        (AFTER, Verdict::NotModified, Verdict::Proceed),
        ("Sunday, 06-Nov-94 08:49:37 GMT", Verdict::NotModified, Verdict::Proceed),
        ("Sun Nov  6 08:49:37 1994", Verdict::NotModified, Verdict::Proceed),
    ] {
        assert_eq!(judge(&[("if-modified-since", date)]), modified_since, "{date}");
        assert_eq!(judge(&[("if-unmodified-since", date)]), unmodified_since, "{date}");
    }
}

#[test]
fn date_that_is_none_is_no_condition() {
    for date in ["", "yesterday", "0", "Sun, 06 Nov 1994 08:49:38", "784111778"] {
        assert_eq!(judge(&[("if-modified-since", date)]), Verdict::Proceed, "{date}");
        assert_eq!(judge(&[("if-unmodified-since", date)]), Verdict::Proceed, "{date}");
    }
    assert_eq!(judge(&[("if-modified-since", T), ("if-modified-since", T)]), Verdict::Proceed);
    assert_eq!(judge(&[("if-unmodified-since", BEFORE), ("if-unmodified-since", BEFORE)]), Verdict::Proceed);
    let undated = Validators { modified: None, ..settled() };
    assert_eq!(conditions(&[("if-modified-since", T)]).judge(&undated), Verdict::Proceed);
    assert_eq!(conditions(&[("if-unmodified-since", BEFORE)]).judge(&undated), Verdict::Proceed);
}

#[test]
fn tags_go_before_dates_and_match_before_none_match() {
    for (fields, verdict) in [
        (&[("if-match", "\"a\""), ("if-unmodified-since", BEFORE)][..], Verdict::Proceed),
        (&[("if-match", "\"b\""), ("if-unmodified-since", AFTER)], Verdict::Failed),
        (&[("if-none-match", "\"b\""), ("if-modified-since", T)], Verdict::Proceed),
        (&[("if-none-match", "\"a\""), ("if-modified-since", BEFORE)], Verdict::NotModified),
        (&[("if-match", "\"b\""), ("if-none-match", "\"a\"")], Verdict::Failed),
        (&[("if-match", "\"a\""), ("if-none-match", "\"a\"")], Verdict::NotModified),
        (&[("if-unmodified-since", BEFORE), ("if-none-match", "\"a\"")], Verdict::Failed),
        (&[("if-none-match", "\"a\""), ("if-range", "\"b\"")], Verdict::NotModified),
    ] {
        assert_eq!(judge(fields), verdict, "{fields:?}");
    }
}

#[test]
fn if_range_compares_strongly_and_dates_exactly() {
    for (value, verdict) in [
        ("\"a\"", Verdict::Proceed),
        ("W/\"a\"", Verdict::Whole),
        ("\"b\"", Verdict::Whole),
        ("\"a\", \"b\"", Verdict::Whole),
        ("*", Verdict::Whole),
        ("", Verdict::Whole),
        (T, Verdict::Proceed),
        (BEFORE, Verdict::Whole),
        (AFTER, Verdict::Whole),
        ("tomorrow", Verdict::Whole),
    ] {
        assert_eq!(judge(&[("if-range", value)]), verdict, "{value}");
        assert_eq!(conditions(&[("if-range", value)]).judge(&fresh()), Verdict::Whole, "{value}");
    }
    assert_eq!(judge(&[("if-range", "\"a\""), ("if-range", "\"a\"")]), Verdict::Whole);
}

#[test]
fn tag_of_a_file_is_weak_until_it_is_settled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "content").unwrap();
    let metadata = fs::metadata(&path).unwrap();
    let changed = u64::try_from(metadata.ctime()).unwrap();
    let at = |now| Validators::of_file(&metadata, now);
    assert!(at(changed).is_weak);
    assert!(at(changed - 1).is_weak, "the clock was set back");
    assert!(at(changed + SETTLED_SECONDS).is_weak);
    assert!(!at(changed + SETTLED_SECONDS + 1).is_weak);
    assert_eq!(at(changed).etag(), format!("W/{}", at(changed + 10).etag()), "it is the same but for that");
}

#[test]
fn file_that_was_replaced_or_rewritten_has_another_tag_though_length_and_time_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        path
    };
    let tag = |path| Validators::of_file(&fs::metadata(path).unwrap(), 4_000_000_000);
    let (first, second) = (write("first", "one"), write("second", "two"));
    assert_eq!(tag(&first).last_modified(), Some(T.to_owned()));
    let before = tag(&first).etag();
    assert_ne!(before, tag(&second).etag());
    fs::rename(&second, &first).unwrap();
    assert_ne!(before, tag(&first).etag());
}

#[test]
fn date_in_the_future_is_not_told_and_one_before_1970_neither() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let modified = |time: SystemTime| {
        file.as_file().set_modified(time).unwrap();
        Validators::of_file(&file.as_file().metadata().unwrap(), 1_000).modified
    };
    assert_eq!(modified(SystemTime::UNIX_EPOCH + Duration::from_secs(999)), Some(999));
    assert_eq!(modified(SystemTime::UNIX_EPOCH + Duration::from_secs(5_000)), Some(1_000));
    assert_eq!(modified(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), None);
}
