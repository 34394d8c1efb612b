//! The command's options, each seen to do what it says: where it listens, what it serves, what it limits, what it logs.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A net under tests that would hang.
const SAFETY_NET: Duration = Duration::from_secs(30);

fn evloop(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evloop"));
    command.args(arguments).env_remove("RUST_LOG").env_remove("RUST_BACKTRACE").stdin(Stdio::null());
    command
}

/// The status and the one line with which it ends, when it cannot serve.
fn refused(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.stdout.is_empty() && said.ends_with('\n') && said.lines().count() == 1, "{said:?}");
    (output.status.code(), said)
}

/// An empty folder, of that test alone.
fn folder(test: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A server in a process of its own.
struct Served {
    child: Child,
    /// What it has said that it serves.
    said: String,
}

impl Served {
    fn start(command: &mut Command) -> Served {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        if said.is_empty() {
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("it does not serve: {said}");
        }
        Served { child, said }
    }

    fn on_a_free_port(arguments: &[&str]) -> Served {
        Served::start(evloop(&["serve", "--port", "0"]).args(arguments))
    }

    fn address(&self) -> SocketAddr {
        let address = self.said.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        address.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no address in {:?}", self.said))
    }

    fn connect(&self) -> TcpStream {
        tcp(self.address())
    }

    fn get(&self, target: &str) -> String {
        get(self.connect(), target)
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + SAFETY_NET;
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status,
                None => assert!(Instant::now() < deadline, "it does not end"),
            }
            thread::yield_now();
        }
    }

    /// Lets it end, and tells what it has logged.
    fn log(&mut self) -> Vec<String> {
        self.signal("TERM");
        assert_eq!(self.end().code(), Some(0));
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        log.lines().map(str::to_owned).collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn tcp(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(SAFETY_NET)).unwrap();
    client
}

/// One request over a connection of its own.
fn get(mut client: impl Read + Write, target: &str) -> String {
    write!(client, "GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

fn assert_serves(client: impl Read + Write) {
    let answer = get(client, "/plaintext");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nHello, World!"), "{answer}");
}

// --- Where it listens ------------------------------------------------------------------------------------------------

#[test]
fn unix_socket_is_served_and_one_that_nobody_listens_on_is_replaced() {
    let folder = folder("stale");
    let path = folder.join("socket");
    let uds = path.to_str().unwrap();
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "as a server that crashed leaves it");
    for _ in 0..2 {
        let mut served = Served::start(&mut evloop(&["--uds", uds]));
        assert!(served.said.contains(uds), "{}", served.said);
        for _ in 0..3 {
            assert_serves(UnixStream::connect(&path).unwrap());
        }
        let seen = get(UnixStream::connect(&path).unwrap(), "/headers");
        assert!(seen.contains(&format!("\"server\": \"{uds}\"")) && seen.contains("\"client\": null"), "{seen}");
        let log = served.log();
        assert!(log.iter().filter(|line| line.starts_with("- - - [")).count() == 4, "{log:#?}");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn unix_socket_has_the_permissions_that_were_asked_for_whatever_the_umask() {
    let folder = folder("mode");
    let path = folder.join("socket");
    for (arguments, mode) in [(&["--uds-mode", "666"][..], 0o666), (&["--uds-mode=0600"], 0o600), (&[], 0o750)] {
        let server = evloop(&[&["--uds", path.to_str().unwrap()], arguments].concat());
        let mut shell = Command::new("sh");
        shell.args(["-c", "umask 027; exec \"$0\" \"$@\""]).arg(server.get_program()).args(server.get_args());
        let _served = Served::start(&mut shell);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        assert_serves(UnixStream::connect(&path).unwrap());
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn permissions_are_warned_of_where_there_is_no_unix_socket() {
    let mut served = Served::on_a_free_port(&["--uds-mode", "600"]);
    assert_serves(served.connect());
    let log = served.log();
    assert!(log.iter().any(|line| line.ends_with("--uds-mode changes nothing: no Unix socket is opened")), "{log:#?}");
}

#[test]
fn unix_socket_that_somebody_listens_on_and_what_is_none_are_left_alone() {
    let folder = folder("live");
    let path = folder.join("socket");
    let uds = path.to_str().unwrap();
    let served = Served::start(&mut evloop(&["--uds", uds]));
    let (status, said) = refused(&mut evloop(&["--uds", uds]));
    assert!(status == Some(1) && said.contains(uds), "{status:?}: {said}");
    assert_serves(UnixStream::connect(&path).unwrap());
    drop(served);

    let file = folder.join("file");
    fs::write(&file, "kept").unwrap();
    let (status, said) = refused(&mut evloop(&["--uds", file.to_str().unwrap()]));
    assert!(status == Some(1) && said.contains(file.to_str().unwrap()), "{status:?}: {said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn folder_that_is_missing_is_named_whatever_was_to_be_in_it() {
    let folder = folder("missing");
    let missing = folder.join("no/such");
    let file = missing.join("file");
    for (option, what) in [
        ("--uds", "cannot listen on "),
        ("--control", "there is no control socket: cannot listen on "),
        ("--pid-file", "cannot write the pid file "),
        ("--trace", "--trace: cannot write "),
    ] {
        let arguments = ["--port=0", option, file.to_str().unwrap()];
        let arguments = if option == "--uds" { &arguments[1..] } else { &arguments };
        for workers in ["--workers=1", "--workers=2"] {
            let (status, said) = refused(evloop(arguments).arg(workers));
            let wanted = format!("evloop: {what}{}: there is no folder {}\n", file.display(), missing.display());
            assert_eq!((status, said), (Some(1), wanted), "{option} {workers}");
        }
    }
    let (status, said) = refused(&mut evloop(&["--port=0", "--dir", missing.to_str().unwrap()]));
    assert_eq!((status, said), (Some(2), format!("evloop: there is no folder {}\n", missing.display())));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn port_of_another_is_told_with_who_has_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let port = address.port().to_string();
    for arguments in [&["--workers=1"][..], &["--workers=2"], &["--accept=reuse-port", "--threads=2"]] {
        let (status, said) = refused(evloop(&["--port", &port]).args(arguments));
        let begins = format!(
            "evloop: cannot listen on {address}: Address already in use (os error 98); process {} (",
            std::process::id()
        );
        assert!(status == Some(1) && said.starts_with(&begins), "{status:?}: {said}");
        assert!(said.ends_with(") listens there: end it, or take another port, as 0 for a free one\n"), "{said}");
    }
}

#[test]
fn listening_socket_is_taken_over_by_its_number() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let first = tcp(address); // which waits before there is a server
    for number in ["0", "7"] {
        // A child's standard input is a descriptor that is handed over on purpose; the shell gives it another number.
        let input = OwnedFd::from(listener.try_clone().unwrap());
        let mut served = if number == "0" {
            Served::start(evloop(&["--fd", "0"]).stdin(input))
        } else {
            let program = env!("CARGO_BIN_EXE_evloop");
            let script = format!("exec \"$0\" serve --fd {number} {number}<&0 </dev/null");
            Served::start(Command::new("sh").args(["-c", &script, program]).stdin(input))
        };
        assert!(served.said.contains(&format!("descriptor {number}")), "{}", served.said);
        if number == "0" {
            assert_serves(first.try_clone().unwrap());
        }
        assert_serves(tcp(address));
        served.signal("TERM");
        assert_eq!(served.end().code(), Some(0));
    }
    TcpStream::connect(address).expect("the socket listens as long as anybody has it");
}

#[test]
fn listening_unix_socket_is_taken_over_and_its_file_left() {
    let folder = folder("handed");
    let path = folder.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let mut served = Served::start(evloop(&["--fd=0"]).stdin(OwnedFd::from(listener.try_clone().unwrap())));
    assert_serves(UnixStream::connect(&path).unwrap());
    served.signal("INT");
    assert_eq!(served.end().code(), Some(0));
    UnixStream::connect(&path).expect("the file belongs to who made it");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn descriptor_that_cannot_be_listened_on_ends_it_with_1_and_its_number() {
    let connected = tcp(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    for (number, input) in [("0", Stdio::null()), ("0", Stdio::from(OwnedFd::from(connected))), ("987", Stdio::null())]
    {
        let (status, said) = refused(evloop(&["--fd", number]).stdin(input));
        assert!(status == Some(1) && said.contains(number), "{status:?}: {said}");
    }
}

#[test]
fn environment_says_where_and_is_warned_of_where_it_says_nothing() {
    let variables = [("EVLOOP_HOST", "127.99.0.2"), ("EVLOOP_PORT", "0"), ("EVLOOP_PROT", "80")];
    let mut served = Served::start(evloop(&[]).envs(variables));
    assert_eq!(served.address().ip().to_string(), "127.99.0.2");
    let log = served.log();
    assert!(
        log.iter().any(|line| line.contains("EVLOOP_PROT") && line.contains("did you mean EVLOOP_PORT?")),
        "{log:#?}"
    );

    let (status, said) = refused(evloop(&[]).env("EVLOOP_PORT", "tcp://10.0.0.1:80"));
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("EVLOOP_PORT") && said.contains("Kubernetes"), "{said}");
}

// --- What it serves --------------------------------------------------------------------------------------------------

#[test]
fn folder_is_served_and_nothing_beside_it() {
    let outside = folder("folder");
    let inside = outside.join("public");
    fs::create_dir_all(inside.join("empty")).unwrap();
    fs::write(outside.join("secret.txt"), "secret").unwrap();
    fs::write(inside.join("index.html"), "<p>home").unwrap();
    fs::write(inside.join("a.txt"), "a file").unwrap();
    std::os::unix::fs::symlink(outside.join("secret.txt"), inside.join("link.txt")).unwrap();
    let dir = inside.to_str().unwrap();

    let served = Served::on_a_free_port(&["--dir", dir]);
    let home = served.get("/");
    assert!(home.contains("content-type: text/html") && home.ends_with("<p>home"), "{home}");
    let file = served.get("/a.txt");
    assert!(file.contains("content-type: text/plain") && file.contains("etag: ") && file.ends_with("a file"), "{file}");
    for path in
        ["/none", "/empty/", "/link.txt", "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/plaintext"]
    {
        let answer = served.get(path);
        assert!(answer.starts_with("HTTP/1.1 4") && !answer.contains("secret"), "{path}: {answer}");
    }
    let served = Served::on_a_free_port(&["--dir", dir, "--listing"]);
    assert!(served.get("/empty/").starts_with("HTTP/1.1 200 OK\r\n"));
    fs::remove_dir_all(outside).unwrap();
}

#[test]
fn folder_that_is_none_ends_it_with_2_and_its_path() {
    let folder = folder("none");
    fs::write(folder.join("file"), "").unwrap();
    for name in ["nowhere", "file"] {
        let path = folder.join(name);
        for workers in ["--workers=1", "--workers=2"] {
            let (status, said) = refused(&mut evloop(&["--port=0", workers, "--dir", path.to_str().unwrap()]));
            assert!(status == Some(2) && said.contains(path.to_str().unwrap()), "{status:?}: {said}");
        }
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn limit_of_descriptors_is_told_with_what_is_needed_and_how_it_is_raised() {
    for (limit, arguments) in [("10", &[][..]), ("40", &["--threads", "16"]), ("12", &["--workers", "3"])] {
        let server = evloop(&[&["--port=0", "--control=none"], arguments].concat());
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")]).arg(server.get_program());
        let output = shell.args(server.get_args()).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let last = said.lines().last().unwrap();
        assert_ne!(output.status.code(), Some(0), "{said}");
        assert!(last.contains(&format!("a process may open {limit} files here, and about ")), "{said}");
        assert!(last.contains(" are needed to start") && last.contains("`ulimit -n 1024` raises the limit"), "{said}");
    }
}

// --- What it limits --------------------------------------------------------------------------------------------------

#[test]
fn after_its_last_request_it_ends_with_0() {
    let mut served = Served::on_a_free_port(&["--limit-max-requests", "3"]);
    let mut idle = served.connect();
    for _ in 0..2 {
        assert_serves(served.connect());
    }
    assert!(served.child.try_wait().unwrap().is_none());
    assert_serves(served.connect());
    assert_eq!(served.end().code(), Some(0));
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
}

#[test]
fn clients_that_are_slower_than_they_may_be_are_let_go() {
    let served = Served::on_a_free_port(&["--timeout-head", "0.3", "--timeout-keep-alive=0.3", "--timeout-body=0.3"]);
    let post = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    let get = "GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n";
    for (sent, status) in [("", ""), ("GET / HT", "HTTP/1.1 408 "), (post, "HTTP/1.1 200 "), (get, "HTTP/1.1 200 ")] {
        let before = Instant::now();
        let mut client = served.connect();
        client.write_all(sent.as_bytes()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(before.elapsed() >= Duration::from_millis(300), "{sent:?} is let go too early");
        assert!(answer.starts_with(status) && answer.is_empty() == status.is_empty(), "{sent:?}: {answer:?}");
    }
}

#[test]
fn client_past_the_limits_is_turned_away_or_waits() {
    /// The first answer tells that the second request has begun: they came together, and a handler that waits has both
    /// written.
    fn busy(served: &Served, ms: u32) -> TcpStream {
        let mut client = served.connect();
        let requests =
            format!("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\nGET /sleep?ms={ms} HTTP/1.1\r\nHost: a\r\n\r\n");
        client.write_all(requests.as_bytes()).unwrap(); // in one piece
        client.read_exact(&mut [0]).unwrap();
        client
    }
    let served = Served::on_a_free_port(&["--limit-concurrency", "1"]);
    assert_serves(served.connect());
    let _client = busy(&served, 3_600_000);
    let answer = served.get("/plaintext");
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1\r\n"), "{answer}");

    let served = Served::on_a_free_port(&["--limit-connections", "1", "--timeout-keep-alive=0.1"]);
    let _client = busy(&served, 100);
    assert_serves(served.connect());
}

#[test]
fn client_that_takes_nothing_is_reset() {
    let served = Served::on_a_free_port(&["--timeout-write", "0.3"]);
    let mut client = served.connect();
    client.write_all(b"GET /big?n=1000000000000 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    wait_for(client.peer_addr().unwrap(), client.local_addr().unwrap(), |queues| queues.is_none());
    let error = std::io::copy(&mut client, &mut std::io::sink()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_serves(served.connect());
}

// --- How it ends -----------------------------------------------------------------------------------------------------

/// Waits until a connection is so: at one of its ends the kernel's table has a line of which this is true, or none.
fn wait_for(from: SocketAddr, to: SocketAddr, is_so: impl Fn(Option<&str>) -> bool) {
    let port = |address: SocketAddr| format!(":{:04X}", address.port());
    let deadline = Instant::now() + SAFETY_NET;
    loop {
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let queues = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let queues = queues.filter(|fields| fields[1].ends_with(&port(from)) && fields[2].ends_with(&port(to)));
        if is_so(queues.map(|fields| fields[4]).next()) {
            return;
        }
        assert!(Instant::now() < deadline, "the connection stays as it is");
        thread::yield_now();
    }
}

/// Waits until the server has read all that this client has sent.
fn wait_until_read(client: &TcpStream) {
    let (client, server) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    wait_for(client, server, |queues| queues.is_some_and(|queues| queues.starts_with("00000000:"))); // it has come
    wait_for(server, client, |queues| queues.is_some_and(|queues| queues.ends_with(":00000000")));
}

/// Waits until no signal is on its way to the process: another of its kind would be one with it.
fn wait_until_delivered(process: u32) {
    let deadline = Instant::now() + SAFETY_NET;
    let is_delivered = |line: &str| line.starts_with("ShdPnd:") && line.ends_with("\t0000000000000000");
    while !fs::read_to_string(format!("/proc/{process}/status")).unwrap().lines().any(is_delivered) {
        assert!(Instant::now() < deadline, "the signal is not delivered");
        thread::yield_now();
    }
}

#[test]
fn second_signal_ends_it_at_once_though_a_handler_holds_the_loop() {
    for signals in [["INT", "TERM"], ["TERM", "INT"]] {
        let mut served = Served::on_a_free_port(&[]);
        let mut client = served.connect();
        client.write_all(b"GET /block-loop?ms=3600000 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        wait_until_read(&client);
        served.signal(signals[0]);
        wait_until_delivered(served.child.id());
        assert!(served.child.try_wait().unwrap().is_none(), "{signals:?}");
        served.signal(signals[1]);
        assert_eq!(served.end().code(), Some(130), "{signals:?}");
    }
}

#[test]
fn answer_that_the_end_of_the_server_cuts_does_not_look_whole() {
    let mut served = Served::on_a_free_port(&["--timeout-graceful-shutdown", "0.05"]);
    let mut client = served.connect();
    client.write_all(b"GET /stream HTTP/1.0\r\n\r\n").unwrap();
    client.read_exact(&mut [0; 100]).unwrap();
    served.signal("TERM");
    let mut answer = String::new();
    match client.read_to_string(&mut answer) {
        Ok(_) => assert!(answer.ends_with("line 10 of 10\n"), "{answer}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    assert_eq!(served.end().code(), Some(0));
}

// --- What it logs ----------------------------------------------------------------------------------------------------

#[test]
fn what_holds_the_loop_is_logged_while_it_does() {
    let mut served = Served::on_a_free_port(&["--slow-ms", "10"]);
    let mut client = served.connect();
    client.write_all(b"GET /block-loop?ms=3600000 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let log = BufReader::new(served.child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = log.into_iter().find(|line| line.contains("clock_nanosleep")).unwrap();
    assert!(line.contains("evloop::watchdog") && line.contains(" task `connection` has held the loop for "), "{line}");
    assert!(line.contains(" ms in GET /block-loop?ms=3600000; its thread "), "{line}");
}

#[test]
fn requests_are_logged_as_they_are_asked_to_be() {
    let logged = |arguments: &[&str]| {
        let mut served = Served::on_a_free_port(arguments);
        assert_serves(served.connect());
        served.log().into_iter().filter(|line| line.contains("/plaintext")).collect::<Vec<_>>()
    };
    let common = logged(&[]);
    assert!(common.len() == 1 && common[0].starts_with("127.0.0.1 - - ["), "{common:?}");
    assert!(common[0].contains("] \"GET /plaintext HTTP/1.1\" 200 13 0."), "{common:?}");
    let json = logged(&["--access-log=json"]);
    let object: serde_json::Value = serde_json::from_str(&json[0]).unwrap();
    assert_eq!((&object["target"], &object["status"]), (&"/plaintext".into(), &200.into()), "{json:?}");
    assert!(object["client"].as_str().unwrap().starts_with("127.0.0.1:"), "{json:?}");
    for arguments in [&["--no-access-log"][..], &["--log-level=warn"], &["--log-level=off", "--access-log=json"]] {
        assert_eq!(logged(arguments), [""; 0], "{arguments:?}");
    }
}

#[test]
fn log_has_colours_when_it_is_asked_to() {
    let logged = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = evloop(&["serve", "--port", "0", "--no-access-log"]);
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        let log = Served::start(command.args(arguments).envs(variables.iter().copied())).log();
        assert!(!log.is_empty(), "it tells that it ends");
        log.iter().any(|line| line.contains('\u{1b}'))
    };
    // The standard error is no terminal here.
    assert!(!logged(&[], &[]));
    assert!(logged(&["--use-colors"], &[]));
    assert!(logged(&["--use-colors"], &[("NO_COLOR", "1")]), "what is asked for here and now counts for more");
    assert!(logged(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!logged(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!logged(&["--no-use-colors"], &[("CLICOLOR_FORCE", "1")]));
}

#[test]
fn dump_of_the_tasks_is_served_and_written_at_a_signal() {
    let mut served = Served::on_a_free_port(&["--no-access-log"]);
    let dump = served.get("/dump");
    assert!(dump.contains("content-type: text/plain") && dump.contains("`connection`"), "{dump}");
    assert!(dump.contains("runs: it takes this dump") && dump.contains(", listening"), "{dump}");
    served.signal("USR1");
    let said = BufReader::new(served.child.stderr.take().unwrap());
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || said.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
    let mut lines = std::iter::from_fn(|| told.recv_timeout(SAFETY_NET).ok());
    assert!(lines.any(|line| line.contains("`dump`") && line.contains("runs: it takes this dump")));
    served.signal("TERM");
    assert_eq!(served.end().code(), Some(0));
}

// --- What the loop did -----------------------------------------------------------------------------------------------

/// The polls in a Chrome trace, if it is a whole one.
fn polls_in(json: &str) -> Option<usize> {
    let trace: serde_json::Value = serde_json::from_str(json).ok()?;
    let events = trace["traceEvents"].as_array()?;
    Some(events.iter().filter(|event| event["cat"] == "poll").count())
}

#[test]
fn trace_is_written_on_a_signal_sent_to_who_asks_and_written_at_the_end() {
    let folder = folder("trace");
    let file = folder.join("trace.json");
    let path = file.to_str().unwrap();
    let mut served = Served::on_a_free_port(&["--trace", path, "--trace-records", "200"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "", "made at the start");
    assert_serves(served.connect());
    served.signal("USR1");
    let deadline = Instant::now() + SAFETY_NET;
    while polls_in(&fs::read_to_string(&file).unwrap()).is_none() {
        assert!(Instant::now() < deadline, "it is not written");
        thread::yield_now();
    }
    let answer = served.get("/trace");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200 OK") && head.contains("attachment; filename=\"evloop-trace.json\""),
        "{head}"
    );
    assert!(polls_in(body).unwrap() > 0);
    for _ in 0..100 {
        assert_serves(served.connect());
    }
    served.signal("INT");
    assert_eq!(served.end().code(), Some(0));
    let mut log = String::new();
    served.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    // On the signal there were fewer.
    assert!(log.contains(&format!(" evloop::trace] the last 200 records are in {path}\n")), "{log}");
    assert!(log.contains(" evloop::serve] stopped, "), "{log}");
    let last = fs::read_to_string(&file).unwrap();
    assert!((1..=200).contains(&polls_in(&last).unwrap()) && last.contains("the loop leaves its run"));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn trace_that_nobody_keeps_is_not_found_and_one_that_cannot_be_written_ends_it_at_the_start() {
    let served = Served::on_a_free_port(&[]);
    let answer = served.get("/trace");
    assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("start it with --trace FILE"), "{answer}");
    let (status, said) = refused(&mut evloop(&["--port=0", "--trace=/nowhere/at/all"]));
    assert_eq!(status, Some(1));
    assert!(said.contains("--trace: cannot write /nowhere/at/all: "), "{said}");
}
