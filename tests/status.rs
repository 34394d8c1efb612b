//! `evloop status`, as a person or a script meets it: which server it finds, what it prints, how it ends. Most of the servers
//! are stand-ins, which tell what the test wants.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use evloop::http::access_log::AccessLog;
use evloop::http::{Request, Router};
use evloop::serve::{self, Bind, Config, Control, State, Status, control};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::{env, fs, io, process, thread};
use tempfile::TempDir;

/// A user's runtime folder, in which servers have their control sockets.
struct Home(TempDir);

impl Home {
    fn new() -> Home {
        let home = Home(tempfile::tempdir().expect("there is room for a folder"));
        fs::create_dir(home.sockets()).unwrap();
        fs::set_permissions(home.sockets(), fs::Permissions::from_mode(0o700)).unwrap();
        home
    }

    fn sockets(&self) -> PathBuf {
        self.0.path().join("evloop")
    }

    /// A server that tells these lines, one to each who asks, and is gone then.
    fn serve(&self, name: &str, lines: Vec<String>) -> PathBuf {
        let path = self.sockets().join(name);
        let listener = UnixListener::bind(&path).unwrap();
        thread::spawn(move || {
            for line in lines {
                let (mut client, _) = listener.accept().unwrap();
                writeln!(client, "{line}").unwrap();
            }
        });
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evloop"));
        command.arg("status").args(arguments).stdin(Stdio::null());
        // Servers that really run are no concern of these tests.
        command.env("XDG_RUNTIME_DIR", self.0.path()).env("TMPDIR", self.0.path()).env_remove("NO_COLOR");
        command
    }

    fn status(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the command was built")
    }
}

fn line(pid: u32, requests: u64) -> String {
    format!(
        r#"{{"version":"0.1.0","pid":{pid},"state":"ready","binds":["http://127.0.0.1:80/"],"workers_wanted":1,"threads":1,{}}}"#,
        format_args!(r#""workers":[{{"pid":{pid},"state":"ready","loops":[{{"requests":{requests}}}]}}]"#)
    )
}

fn printed(output: &Output) -> &str {
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    str::from_utf8(&output.stdout).unwrap()
}

/// The one line in which it complains.
fn complaint(output: &Output) -> &str {
    let said = str::from_utf8(&output.stderr).unwrap();
    assert!(output.stdout.is_empty() && said.ends_with('\n') && said.lines().count() == 1, "{output:?}");
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[test]
fn the_only_server_is_shown() {
    let home = Home::new();
    home.serve("11.sock", vec![line(11, 5), line(11, 5)]);
    let output = home.status(&[]);
    let text = printed(&output);
    assert!(text.starts_with("evloop 0.1.0, process 11: ready, 1 loop, for 0s\n  http://127.0.0.1:80/\n"), "{text}");
    assert!(
        text.contains("\nworker  pid  state  age  died  open  all  share  all  per s") && !text.contains('\u{1b}'),
        "{text}"
    );
    let output = home.status(&["--json"]);
    let text = printed(&output);
    assert_eq!(text.lines().count(), 1);
    assert_eq!(Status::from_json(text).unwrap(), Status::from_json(&line(11, 5)).unwrap());
}

#[test]
fn a_server_is_found_by_its_path_and_by_its_process() {
    let home = Home::new();
    let path = home.serve("any", vec![line(7, 5)]);
    let output = home.status(&[path.to_str().unwrap()]);
    assert!(printed(&output).contains("process 7"));
    let own = process::id();
    home.serve(&format!("{own}.sock"), vec![line(own, 5)]);
    let output = home.status(&[&own.to_string()]);
    assert!(printed(&output).contains(&format!("process {own}")));
}

#[test]
fn a_server_is_found_by_a_process_of_its_workers() {
    let home = Home::new();
    home.serve("12.sock", vec![line(process::id(), 5).replacen(&process::id().to_string(), "12", 1)]);
    let output = home.status(&[&process::id().to_string()]);
    assert!(printed(&output).contains("process 12: ready"));
}

#[test]
fn of_several_servers_each_is_listed() {
    let home = Home::new();
    home.serve("11.sock", vec![line(11, 5); 3]);
    home.serve("12.sock", vec![line(12, 6); 3]);
    let output = home.status(&[]);
    let text = "     11  http://127.0.0.1:80/; ready; connections: 0, open 0; requests: 5, open 0
     12  http://127.0.0.1:80/; ready; connections: 0, open 0; requests: 6, open 0

These servers run; `evloop status PID` shows one of them.
";
    assert_eq!(printed(&output), text);
    let output = home.status(&["--json"]);
    let pids: Vec<u32> = printed(&output).lines().map(|line| Status::from_json(line).unwrap().pid).collect();
    assert_eq!(pids, [11, 12]);
    let output = home.status(&["--watch"]);
    assert_eq!(complaint(&output), "evloop: several servers run, 11 and 12: say which\n");
}

#[test]
fn where_there_is_none_it_is_said_where_it_was_looked() {
    let home = Home::new();
    drop(UnixListener::bind(home.sockets().join("13.sock")).unwrap());
    let output = home.status(&[]);
    let said = complaint(&output);
    assert!(
        said.starts_with(&format!(
            "evloop: no server of this user has a control socket in {}",
            home.sockets().display()
        ))
    );
    assert!(!home.sockets().join("13.sock").exists(), "a stale socket is removed");

    let nowhere = home.0.path().join("none.sock");
    let output = home.status(&[nowhere.to_str().unwrap()]);
    assert!(complaint(&output).contains("none.sock"), "{output:?}");
    let output = home.status(&["4294967295"]);
    assert_eq!(complaint(&output), "evloop: there is no process 4294967295\n");
    let output = home.status(&[&process::id().to_string()]);
    assert!(complaint(&output).contains("has no control socket in "), "{output:?}");
    assert!(complaint(&output).ends_with("; without workers, --control on gives it one\n"), "{output:?}");
    let output = home.status(&["--watch", "4294967295"]);
    assert_eq!(complaint(&output), "evloop: there is no process 4294967295; seconds are told as --watch=4294967295\n");
}

#[test]
fn something_else_at_the_path_is_told() {
    let home = Home::new();
    let path = home.serve("11.sock", vec!["SSH-2.0-\u{1b}[2J".to_owned()]);
    let output = home.status(&[path.to_str().unwrap()]);
    assert!(complaint(&output).contains("11.sock: "), "{output:?}");
}

#[test]
fn a_watch_without_a_terminal_has_a_line_for_each_change_and_ends_with_the_server() {
    let home = Home::new();
    // The first is what it is found by.
    let path = home.serve("11.sock", vec![line(11, 1), line(11, 1), line(11, 1), line(11, 2), line(11, 2)]);
    let mut watch = home.command(&["--watch=0.001", path.to_str().unwrap()]);
    let output = watch.output().unwrap();
    let lines = str::from_utf8(&output.stdout).unwrap().lines().map(|line| line.split_once("  ").unwrap());
    let (times, lines): (Vec<&str>, Vec<&str>) = lines.unzip();
    let told = |requests| format!("11  ready; connections: 0, open 0; requests: {requests}, open 0");
    assert_eq!(lines, [told(1), told(2)]);
    assert!(times.iter().all(|time| humantime::parse_rfc3339(time).is_ok()), "{times:?}");
    assert_eq!(output.status.code(), Some(1));
    let said = format!("evloop: the server in process 11 is gone from {}\n", path.display());
    assert_eq!(str::from_utf8(&output.stderr).unwrap(), said);
}

#[test]
fn a_watch_as_json_has_a_line_each_time() {
    let home = Home::new();
    let path = home.serve("11.sock", vec![line(11, 1); 4]);
    let output = home.command(&["--json", "--watch=0.001", path.to_str().unwrap()]).output().unwrap();
    let lines: Vec<Status> = output.stdout.lines().map(|line| Status::from_json(&line.unwrap()).unwrap()).collect();
    assert_eq!(lines, vec![Status::from_json(&line(11, 1)).unwrap(); 3]);
}

#[test]
fn who_reads_no_more_of_a_watch_ends_it() {
    let home = Home::new();
    let lines = (0..100_000).map(|requests| line(11, requests)).collect();
    let path = home.serve("11.sock", lines);
    let mut watch = home.command(&["--watch=0.001", path.to_str().unwrap()]);
    let mut watch = watch.stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(watch.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("Z  11  ready; "), "{first}");
    assert!(watch.wait().unwrap().success());
}

/// A server of two loops in a process of its own: this test program, run again for that test alone.
fn real_server(home: &Home, test: &str) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(SERVES_IN, home.0.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The folder that such a server serves in.
const SERVES_IN: &str = "EVLOOP_TEST_SERVES_IN";

fn serve_in(folder: &Path) {
    let config = Config::new().bind(Bind::Unix(folder.join("app.sock"))).threads(2).access_log(AccessLog::Off);
    let config = config.control(Control::At(folder.join("control.sock")));
    serve::run(config, |_| Ok(Router::new().get("/", |_: Request| async { "here" }))).unwrap();
}

#[test]
fn a_server_without_workers_tells_what_it_serves_until_it_ends() {
    if let Some(folder) = env::var_os(SERVES_IN) {
        return serve_in(folder.as_ref());
    }
    let home = Home::new();
    let (app, control) = (home.0.path().join("app.sock"), home.0.path().join("control.sock"));
    let mut server = real_server(&home, "a_server_without_workers_tells_what_it_serves_until_it_ends");
    let connect = || {
        let mut client = loop {
            match UnixStream::connect(&app) {
                Ok(client) => break client,
                Err(_) => thread::yield_now(), // it does not listen yet
            }
        };
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        let mut answer = String::new();
        BufReader::new(&client).read_line(&mut answer).unwrap();
        assert_eq!(answer, "HTTP/1.1 200 OK\r\n");
        client
    };
    let clients: Vec<UnixStream> = (0..5).map(|_| connect()).collect();
    let ask = || evloop::block_on(control::ask(&control));
    // It is told of the loops by a timer of theirs.
    let status = loop {
        match ask() {
            Ok(status) if status.total().requests == 5 => break status,
            _ => thread::yield_now(),
        }
    };
    assert_eq!((status.state, status.pid, status.master, status.threads), (State::Ready, server.id(), false, 2));
    assert_eq!((status.total().connections, status.total().connections_open), (5, 5));
    assert_eq!((status.workers.len(), status.workers[0].loops.len(), status.workers[0].pid), (1, 2, Some(server.id())));
    let output = home.status(&[control.to_str().unwrap()]);
    assert!(printed(&output).contains("The loops have had 5 connections: too few"), "{output:?}");

    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    drop(clients);
    assert!(server.wait().unwrap().success());
    assert_eq!(ask().unwrap_err().kind(), io::ErrorKind::NotFound, "its file is removed");
}

#[test]
fn a_server_without_workers_is_found_when_it_was_asked_to_be() {
    let home = Home::new();
    let mut server = Command::new(env!("CARGO_BIN_EXE_evloop"));
    server.args(["serve", "--port=0", "--control=on"]).stdin(Stdio::null()).stderr(Stdio::null());
    server.env("XDG_RUNTIME_DIR", home.0.path()).env("TMPDIR", home.0.path());
    let mut server = server.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let output = home.status(&[]);
    let text = printed(&output);
    assert!(text.contains(&format!("process {}: ready, 1 loop", server.id())), "{said}: {text}");
    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    assert!(server.wait().unwrap().success());
    assert!(complaint(&home.status(&[])).contains("no server of this user"));
}

/// What a command writes on a terminal of 24 rows, until it ends.
fn on_terminal(mut command: Command) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = ptsname(&master, Vec::new()).unwrap();
    let terminal = open(path.as_c_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    tcsetwinsize(&terminal, Winsize { ws_col: 80, ws_row: 24, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let mut child = command.stdout(terminal).stderr(Stdio::null()).spawn().unwrap();
    drop(command); // it has the terminal open, too
    let (mut master, mut text, mut buf) = (File::from(master), Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = master.read(&mut buf) {
        text.extend_from_slice(&buf[..read]); // until nobody has the terminal open any more
    }
    child.wait().unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn a_watch_on_a_terminal_stays_in_its_place() {
    let home = Home::new();
    let path = home.serve("11.sock", vec![line(11, 1), line(11, 1), line(11, 2)]);
    let text = on_terminal(home.command(&["--watch=0.001", path.to_str().unwrap()]));
    assert!(text.starts_with("\u{1b}[2J\u{1b}[?7l\u{1b}[Hevloop 0.1.0, process 11: ready"), "{text:?}");
    assert_eq!(text.matches("\u{1b}[H").count(), 2, "{text:?}");
    let shown = text.rsplit("\u{1b}[H").next().unwrap();
    assert!(shown.lines().count() <= 23 && shown.contains("\u{1b}[J\u{1b}[?7h"), "{shown:?}");
}
