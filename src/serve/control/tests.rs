use super::client::{ask_within, in_folders};
use super::*;
use crate::serve::{Control, State, Status};
use evloop_runtime::future::{Either, race};
use evloop_runtime::io::AsyncRead;
use evloop_runtime::net::{UnixListener, UnixStream};
use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener as StdListener;
use std::time::Duration;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o777
}

fn open_at(path: &Path) -> io::Result<ControlSocket> {
    ControlSocket::open(&Control::At(path.to_owned()), false).map(|socket| socket.expect("it was asked for"))
}

/// Runs the body beside a server at the path.
fn beside_server<T>(path: &Path, status: impl Fn() -> Status, body: impl AsyncFnOnce() -> T) -> T {
    evloop_runtime::block_on(async { beside(open_at(path).unwrap(), status, body).await })
}

async fn beside<T>(server: ControlSocket, status: impl Fn() -> Status, body: impl AsyncFnOnce() -> T) -> T {
    match race(server.serve(status), body()).await {
        Either::Left(()) => unreachable!("it serves without end"),
        Either::Right(result) => result,
    }
}

/// More than fits into a socket.
const LONG: usize = 1 << 19;

/// A status that makes a line of so many bytes, and some.
fn long_status(bytes: usize) -> Status {
    Status { version: "v".repeat(bytes), ..Status::default() }
}

// --- What is told ----------------------------------------------------------------------------------------------------

#[test]
fn each_who_connects_is_told_the_status_of_that_moment() {
    let folder = folder();
    let path = folder.path().join("a.sock");
    let reloads = Cell::new(0);
    let status = || {
        reloads.set(reloads.get() + 1);
        Status { state: State::Ready, reloads: reloads.get(), ..Status::default() }
    };
    beside_server(&path, status, async || {
        for asked in 1..=3 {
            let told = ask(&path).await.unwrap();
            assert_eq!((told.state, told.reloads), (State::Ready, asked));
        }
        let mut line = String::new();
        UnixStream::connect(&path).await.unwrap().read_to_string(&mut line).await.unwrap();
        assert!(line.ends_with("}\n") && line.lines().count() == 1, "{line}");
    });
    assert!(!path.exists(), "the file went with the server");
}

#[test]
fn who_takes_nothing_is_dropped_and_keeps_nobody_from_being_told() {
    let folder = folder();
    let path = folder.path().join("a.sock");
    evloop_runtime::block_on(async {
        let mut server = open_at(&path).unwrap();
        server.told_in = Duration::from_millis(50);
        let clients = async || {
            let mut idle = Vec::new();
            for _ in 0..40 {
                idle.push(UnixStream::connect(&path).await.unwrap());
            }
            // Those that are told at once have to be dropped twice before this one has its turn.
            while !matches!(ask(&path).await, Ok(status) if status.version.len() == LONG) {}
            let told = idle[0].read_to_end(&mut Vec::new()).await.unwrap();
            assert!(told < LONG, "it was cut off: {told}");
        };
        beside(server, || long_status(LONG), clients).await;
    });
}

#[test]
fn who_hangs_up_at_once_does_no_harm() {
    let folder = folder();
    let path = folder.path().join("a.sock");
    beside_server(
        &path,
        || long_status(LONG),
        async || {
            for _ in 0..20 {
                drop(UnixStream::connect(&path).await.unwrap());
            }
            assert_eq!(ask(&path).await.unwrap().version.len(), LONG);
        },
    );
}

// --- Who asks --------------------------------------------------------------------------------------------------------

#[test]
fn who_does_not_answer_is_given_up() {
    let folder = folder();
    let path = folder.path().join("a.sock");
    let _stopped = StdListener::bind(&path).unwrap();
    let error = evloop_runtime::block_on(ask_within(&path, Duration::from_millis(1))).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(error.to_string().contains("a.sock: the server does not answer"), "{error}");
}

#[test]
fn what_is_no_control_socket_is_told_by_its_path() {
    let folder = folder();
    let path = folder.path().join("a.sock");
    let answer = |bytes: Vec<u8>| {
        let listener = StdListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            // It may have been told enough.
            drop(io::Write::write_all(&mut client, &bytes));
        });
        let error = evloop_runtime::block_on(ask(&path)).unwrap_err();
        server.join().unwrap();
        fs::remove_file(&path).unwrap();
        assert!(error.to_string().contains("a.sock: "), "{error}");
        error.kind()
    };
    assert_eq!(answer(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), io::ErrorKind::InvalidData);
    assert_eq!(answer(b"\xff".to_vec()), io::ErrorKind::InvalidData);
    assert_eq!(answer(vec![b'['; 5 << 20]), io::ErrorKind::InvalidData);
    assert_eq!(answer(Vec::new()), io::ErrorKind::UnexpectedEof);
    let error = evloop_runtime::block_on(ask(&path)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert_eq!(error.to_string().matches("a.sock").count(), 1, "{error}");
}

#[test]
fn servers_are_found_and_stale_files_are_removed() {
    let folder = folder();
    let (first, second) = (folder.path().join("11.sock"), folder.path().join("12.sock"));
    let (stale, other) = (folder.path().join("13.sock"), folder.path().join("14.txt"));
    drop(StdListener::bind(&stale).unwrap());
    File::create(&other).unwrap();
    File::create(folder.path().join("15.sock")).unwrap();
    let folders = [folder.path().join("none"), folder.path().to_owned()];
    let found = beside_server(&first, Status::default, async || {
        let second = open_at(&second).unwrap();
        let status = || Status { reloads: 7, ..Status::default() };
        beside(second, status, async || in_folders(&folders, user()).await).await
    });
    let found: Vec<_> = found.into_iter().map(|(path, told)| (path, told.map(|status| status.reloads).ok())).collect();
    assert_eq!(found, [(first, Some(0)), (second, Some(7))]);
    assert!(!stale.exists() && other.exists() && folder.path().join("15.sock").exists());
}

#[test]
fn folders_of_others_are_not_believed() {
    let folder = folder();
    let runtime = evloop_runtime::Runtime::new().unwrap();
    let found = runtime.block_on(async {
        let _server = UnixListener::bind(folder.path().join("11.sock")).unwrap();
        let link = folder.path().join("link");
        symlink(folder.path(), &link).unwrap();
        let linked = in_folders(&[link], user()).await;
        (linked.len(), in_folders(&[folder.path().to_owned()], user() + 1).await.len())
    });
    assert_eq!(found, (0, 0));
}

#[test]
fn a_process_without_a_socket_is_told_apart_from_none() {
    let runtime = evloop_runtime::Runtime::new().unwrap();
    let error = runtime.block_on(of_process(u32::MAX)).unwrap_err();
    assert_eq!(error.to_string(), format!("there is no process {}", u32::MAX));
    let error = runtime.block_on(of_process(std::process::id())).unwrap_err().to_string();
    assert!(error.contains("has no control socket in /") && error.contains(" or /"), "{error}");
}

// --- Where it is -----------------------------------------------------------------------------------------------------

#[test]
fn the_socket_is_its_owners_alone_and_so_is_its_folder() {
    let folder = folder();
    let inside = folder.path().join("evloop");
    let runtime = evloop_runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let socket = ControlSocket::in_first_of(vec![inside.clone()]).unwrap();
        assert_eq!(socket.path(), inside.join(format!("{}.sock", std::process::id())));
        assert_eq!((mode(socket.path()), mode(&inside)), (0o600, 0o700));
    });
    assert_eq!(fs::read_dir(&inside).unwrap().count(), 0, "the file went with the socket");

    fs::set_permissions(&inside, Permissions::from_mode(0o777)).unwrap();
    runtime.block_on(async {
        assert!(ControlSocket::in_first_of(vec![inside.clone()]).is_some());
        assert_eq!(mode(&inside), 0o700, "others are locked out again");
    });
}

#[test]
fn a_folder_that_cannot_be_had_is_passed_over() {
    let folder = folder();
    let (file, link, good) = (folder.path().join("file"), folder.path().join("link"), folder.path().join("good"));
    File::create(&file).unwrap();
    symlink(folder.path(), &link).unwrap();
    let runtime = evloop_runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let bad = vec![folder.path().join("none/evloop"), file.clone(), link.clone()];
        assert!(ControlSocket::in_first_of(bad.clone()).is_none());
        let socket = ControlSocket::in_first_of([bad, vec![good.clone()]].concat()).unwrap();
        assert_eq!(socket.path().parent(), Some(&*good));
    });
    assert!(file.is_file() && link.is_symlink());
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_or_a_file_never_is() {
    let folder = folder();
    let (path, file) = (folder.path().join("a.sock"), folder.path().join("file"));
    fs::write(&file, "mine").unwrap();
    drop(StdListener::bind(&path).unwrap());
    beside_server(
        &path,
        || Status { reloads: 3, ..Status::default() },
        async || {
            assert_eq!(open_at(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
            assert_eq!(open_at(&file).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(ask(&path).await.unwrap().reloads, 3, "the first is still there");
        },
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn only_a_master_has_one_by_default() {
    let runtime = evloop_runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        assert!(ControlSocket::open(&Control::Auto, false).unwrap().is_none());
        assert!(ControlSocket::open(&Control::Off, true).unwrap().is_none());
    });
}

#[test]
fn folders_are_tried_in_this_order() {
    let folders = |user, runtime: Option<&str>| {
        let folders = folders_from(user, runtime.map(PathBuf::from), Path::new("/tmp"));
        folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(folders(1000, Some("/a")), ["/a/evloop", "/tmp/evloop-1000"]);
    assert_eq!(folders(1000, Some("/run/user/1000")), ["/run/user/1000/evloop", "/tmp/evloop-1000"]);
    assert_eq!(folders(1000, Some("relative")), ["/run/user/1000/evloop", "/tmp/evloop-1000"]);
    assert_eq!(folders(0, Some("/a")), ["/a/evloop", "/tmp/evloop-0"]);
    assert_eq!(folders(0, None), ["/run/user/0/evloop", "/run/evloop", "/tmp/evloop-0"]);
}
