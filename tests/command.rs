//! The command, as a person or a script meets it: what it prints, how it ends, what it serves.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

/// A net under tests that would hang.
const SAFETY_NET: Duration = Duration::from_secs(30);

fn evloop(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evloop"));
    command.args(arguments).env_remove("RUST_LOG").env_remove("RUST_BACKTRACE");
    command
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("what it says is text")
}

fn run(arguments: &[&str]) -> Output {
    evloop(arguments).stdin(Stdio::null()).output().expect("the command was built")
}

// --- What it prints --------------------------------------------------------------------------------------------------

#[test]
fn help_and_version_are_printed_and_nothing_is_served() {
    for arguments in [&["--help"][..], &["-h"], &["serve", "--help"], &["--port", "1", "--help"]] {
        let output = run(arguments);
        let help = text(output.stdout);
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}");
        for said in ["Usage:", "--host", "--port", "--log-level", "127.0.0.1", "8000"] {
            assert!(help.contains(said), "{said} is not in\n{help}");
        }
        assert!(help.lines().all(|line| line.len() <= 80), "{help}");
    }
    for argument in ["--version", "-V"] {
        let output = run(&[argument]);
        assert!(output.status.success() && output.stderr.is_empty());
        assert_eq!(text(output.stdout), format!("evloop {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn bad_options_are_named_in_one_line_and_end_it_with_2() {
    for (arguments, named) in [
        (&["--port", "70000"][..], "--port"),
        (&["--port=-1"], "--port"),
        (&["--port", "80 80"], "--port"),
        (&["--port", "+80x"], "--port"),
        (&["--port"], "--port"),
        (&["--colour"], "--colour"),
        (&["--log-level", "loud"], "--log-level"),
        (&["--host", ""], "--host"),
        (&["-z"], "-z"),
        (&["fly"], "fly"),
        (&["--po\nrt"], "--po"),
        (&["serve", "--", "--port"], "--port"),
    ] {
        let output = run(arguments);
        let said = text(output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(said.ends_with('\n') && said.lines().count() == 1 && said.contains(named), "{arguments:?}: {said:?}");
    }
}

#[test]
fn argument_that_is_no_text_is_refused_in_one_line() {
    use std::os::unix::ffi::OsStrExt;
    for bytes in [&b"--host=\xff"[..], b"\xff", b"--\xff"] {
        let output = evloop(&[]).arg(std::ffi::OsStr::from_bytes(bytes)).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1);
    }
}

#[test]
fn port_that_is_taken_ends_it_with_1_and_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let output = run(&["--port", &address.port().to_string()]);
    let said = text(output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
    assert!(said.lines().count() == 1 && said.contains(&address.to_string()), "{said}");
    assert!(said.to_lowercase().contains("in use"), "{said}");
}

#[test]
fn host_that_is_not_ours_or_has_no_address_ends_it_with_1_and_one_line() {
    for host in ["name.invalid", "192.0.2.1", "no such host", "256.256.256.256"] {
        let output = run(&["--host", host, "--port", "0"]);
        let said = text(output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{host}: {said}");
        assert!(said.lines().count() == 1 && said.contains(host), "{said}");
    }
}

// --- What it serves --------------------------------------------------------------------------------------------------

/// A server in a process of its own, on a free port.
struct Served {
    child: Child,
    address: SocketAddr,
}

impl Served {
    fn new() -> Served {
        Served::with(&[])
    }

    fn with(arguments: &[&str]) -> Served {
        let mut child = evloop(arguments)
            .args(["--port", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the command was built");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("asked for above"))
            .read_line(&mut line)
            .expect("the system does as it is asked");
        let address =
            line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).and_then(|text| text.parse().ok());
        let address: SocketAddr = address.unwrap_or_else(|| panic!("no address in {line:?}"));
        assert_ne!(address.port(), 0, "{line}");
        Served { child, address }
    }

    fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(self.address).expect("the server listens");
        client.set_read_timeout(Some(SAFETY_NET)).expect("the system does as it is asked");
        client
    }

    /// Sends all of it and then nothing more; gives all that comes back.
    fn talk(&self, bytes: &str) -> String {
        let mut client = self.connect();
        client.write_all(bytes.as_bytes()).expect("the system does as it is asked");
        client.shutdown(Shutdown::Write).expect("the system does as it is asked");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("the server ends the connection in order");
        answer
    }

    fn get(&self, target: &str) -> String {
        self.talk(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"))
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("there is a shell").success());
    }

    /// Waits for its end.
    fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + SAFETY_NET;
        loop {
            match self.child.try_wait().expect("the system does as it is asked") {
                Some(status) => return status,
                None => assert!(Instant::now() < deadline, "it does not end"),
            }
            thread::yield_now();
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").expect("an answer has a head").1
}

#[test]
fn home_is_a_page_for_a_browser_and_a_line_for_others() {
    let served = Served::new();
    let line = served.get("/");
    assert!(line.starts_with("HTTP/1.1 200 OK\r\n") && line.contains("content-type: text/plain"), "{line}");
    assert_eq!(body(&line), "Hello, World!");
    let page = served.talk("GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html,application/xml;q=0.9\r\n\r\n");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("content-type: text/html"), "{page}");
    assert!(body(&page).contains("</html>"), "{page}");
    // A cache between must keep the two apart, whichever it saw first.
    assert!(page.contains("vary: accept\r\n") && line.contains("vary: accept\r\n"), "{line}");
    let head = served.talk("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(head.contains("content-length: 13\r\n") && body(&head).is_empty(), "{head}");
}

#[test]
fn routes_answer_as_they_are_described() {
    let served = Served::new();
    let plain = served.get("/plaintext");
    assert!(plain.contains("content-type: text/plain") && body(&plain) == "Hello, World!", "{plain}");
    let echo = served.talk("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\nContent-Length: 3\r\n\r\nabc");
    assert!(echo.contains("content-type: a/b\r\n") && body(&echo) == "abc", "{echo}");
    for route in ["sleep", "block", "block-loop"] {
        let before = Instant::now();
        let answer = served.get(&format!("/{route}?ms=20"));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && body(&answer).contains("20 ms"), "{answer}");
        assert!(before.elapsed() >= Duration::from_millis(20), "{route} is early");
        for query in ["", "?ms=", "?ms=x", "?ms=-1", "?ms=99999999999999999999", "?ms=3600001"] {
            let answer = served.get(&format!("/{route}{query}"));
            assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{route}{query}: {answer}");
        }
    }
    assert!(served.get("/nowhere").starts_with("HTTP/1.1 404 "));
    let allow = served.get("/echo");
    assert!(allow.starts_with("HTTP/1.1 405 ") && allow.contains("allow: POST, OPTIONS\r\n"), "{allow}");
}

#[test]
fn panic_is_a_500_and_the_server_lives_on() {
    let served = Served::new();
    for _ in 0..3 {
        assert!(served.get("/panic").starts_with("HTTP/1.1 500 Internal Server Error\r\n"));
    }
    assert_eq!(body(&served.get("/plaintext")), "Hello, World!");
}

#[test]
fn status_is_the_one_that_was_asked_for() {
    let served = Served::new();
    for code in [200, 204, 205, 299, 304, 404, 418, 500, 999] {
        let answer = served.get(&format!("/status/{code}"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{answer}");
        // RFC 9110 has no content in these three.
        assert!(![204, 205, 304].contains(&code) || body(&answer).is_empty(), "{answer}");
    }
    for code in ["100", "101", "199", "1000", "0", "-200", "ok", "2x0", "+200"] {
        let answer = served.get(&format!("/status/{code}"));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{code}: {answer}");
    }
}

// --- How it ends -----------------------------------------------------------------------------------------------------

#[test]
fn interrupt_and_termination_end_it_with_0_while_it_is_idle() {
    for signal in ["INT", "TERM"] {
        let mut served = Served::new();
        let mut idle = served.connect();
        assert_eq!(body(&served.get("/plaintext")), "Hello, World!");
        served.signal(signal);
        assert_eq!(served.ended().code(), Some(0), "{signal}");
        assert_eq!(idle.read(&mut [0]).unwrap(), 0, "an idle connection is closed in order");
    }
}

#[test]
fn request_in_flight_is_answered_before_it_ends() {
    for (signal, route) in [("INT", "sleep"), ("TERM", "sleep"), ("INT", "block"), ("TERM", "block")] {
        let mut served = Served::new();
        let mut client = served.connect();
        // The answer to the first request tells that the second was begun: they came together, and answers are written when
        // a handler waits.
        let requests =
            format!("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\nGET /{route}?ms=300 HTTP/1.1\r\nHost: a\r\n\r\n");
        client.write_all(requests.as_bytes()).unwrap();
        client.read_exact(&mut [0]).unwrap();
        served.signal(signal);
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("for 300 ms\n") || answer.contains("slept 300 ms"), "{route}: {answer}");
        drop(client);
        assert_eq!(served.ended().code(), Some(0), "{signal} {route}");
    }
}

#[test]
fn second_signal_ends_it_at_once() {
    let mut served = Served::new();
    let mut client = served.connect();
    client
        .write_all(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\nGET /sleep?ms=3600000 HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    client.read_exact(&mut [0]).unwrap();
    served.signal("INT");
    // That it heard the first one is seen from outside: it accepts no more.
    let deadline = Instant::now() + SAFETY_NET;
    while TcpStream::connect(served.address).is_ok() {
        assert!(Instant::now() < deadline, "it goes on accepting");
        thread::yield_now();
    }
    assert!(served.child.try_wait().unwrap().is_none(), "it waits for the request");
    let before = Instant::now();
    served.signal("TERM"); // the same one, so soon, would be the first one over again
    assert_eq!(served.ended().code(), Some(130));
    assert!(before.elapsed() < Duration::from_secs(5), "at once, and not after the time for a graceful end");
}

#[test]
fn closed_standard_output_does_not_keep_it_from_serving() {
    // Its port is not told, so it is one that was free a moment ago, on an address that nobody else here uses.
    let reserved = TcpListener::bind("127.99.0.1:0").unwrap().local_addr().unwrap();
    let port = reserved.port().to_string();
    let mut child = Command::new("sh")
        .args(["-c", "exec \"$0\" --host 127.99.0.1 --port \"$1\" >&- 2>&-", env!("CARGO_BIN_EXE_evloop"), &port])
        .spawn()
        .expect("there is a shell");
    let deadline = Instant::now() + SAFETY_NET;
    let served = loop {
        match TcpStream::connect(reserved) {
            Ok(_) => break true,
            Err(_) if Instant::now() > deadline || child.try_wait().unwrap().is_some() => break false,
            Err(_) => thread::yield_now(),
        }
    };
    drop(child.kill());
    drop(child.wait());
    assert!(served);
}
