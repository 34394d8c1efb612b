use super::*;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn number_in(path: &Path) -> u32 {
    fs::read_to_string(path).unwrap().strip_suffix('\n').unwrap().parse().unwrap()
}

#[test]
fn file_has_the_number_of_the_process_and_goes_with_it() {
    let folder = folder();
    let path = folder.path().join("pid");
    let file = PidFile::create(&path).unwrap();
    assert_eq!(number_in(&path), process::id());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644 & !umask(folder.path()));
    drop(file);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left beside it either");
}

/// What the process takes away from the permissions of what it makes.
fn umask(folder: &Path) -> u32 {
    let path = folder.join("umask");
    drop(File::create(&path).unwrap());
    let taken = 0o666 & !fs::metadata(&path).unwrap().permissions().mode();
    fs::remove_file(path).unwrap();
    taken
}

#[test]
fn file_that_nobody_has_locked_is_replaced_whosever_number_is_in_it() {
    let folder = folder();
    let path = folder.path().join("pid");
    for stale in ["", "1\n", "4294967295", &format!("{}\n", process::id())] {
        fs::write(&path, stale).unwrap();
        let file = PidFile::create(&path).unwrap();
        assert_eq!(number_in(&path), process::id());
        drop(file);
        assert!(!path.exists());
    }
}

#[test]
fn file_of_the_living_is_left_to_them_and_they_are_named() {
    let folder = folder();
    let path = folder.path().join("pid");
    let first = PidFile::create(&path).unwrap();
    let error = PidFile::create(&path).unwrap_err();
    assert_eq!(error.status(), 1);
    let said = error.to_string();
    assert!(said.contains(path.to_str().unwrap()) && said.contains(&format!("process {} ", process::id())), "{said}");
    drop(first);
    PidFile::create(&path).unwrap();
}

#[test]
fn what_is_no_pid_file_is_left_alone() {
    let folder = folder();
    let path = folder.path().join("notes");
    for text in ["buy milk\n", "12 monkeys", "-1\n", "4294967296\n", "11111111111111111111111111111111111111111111"] {
        fs::write(&path, text).unwrap();
        let said = PidFile::create(&path).unwrap_err().to_string();
        assert!(said.contains("something else in it"), "{said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    fs::write(&path, [0xff, 0xfe]).unwrap();
    PidFile::create(&path).unwrap_err();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    for other in [folder.path(), &link] {
        let said = PidFile::create(other).unwrap_err().to_string();
        assert!(said.contains("no file"), "{said}");
    }
    let said = PidFile::create(&folder.path().join("no/pid")).unwrap_err().to_string();
    assert!(said.contains("no/pid: there is no folder ") && said.ends_with("/no"), "{said}");
}

#[test]
fn successor_takes_the_file_over_and_the_former_leaves_it() {
    let folder = folder();
    let path = folder.path().join("pid");
    let former = PidFile::create(&path).unwrap();
    let said = PidFile::take_over(&path, Some(process::id() + 1)).unwrap_err().to_string();
    assert!(said.contains(&format!("process {} has it, and lives", process::id())), "a third server's: {said}");
    let successor = PidFile::take_over(&path, Some(process::id())).unwrap();
    drop(former);
    assert_eq!(number_in(&path), process::id());
    PidFile::create(&path).unwrap_err();
    drop(successor);
    assert!(!path.exists());
}
