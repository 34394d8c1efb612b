//! A server as a whole, in a process of its own: its loops, its places, how it begins and how it ends.
//!
//! The process is this very program, asked for one test: [`Server`] starts it again with a mark in its environment, and there
//! the test calls [`serve::run`] instead.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use evloop::http::asgi::{App, Lifespan, LifespanEvent, with_lifespan};
use evloop::http::{Request, Router};
use evloop::serve::{self, Accept, Bind, Config, Control, Instance, State};
use evloop::sync::CancellationToken;
use evloop::turn;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::mem::ManuallyDrop;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A net under tests that would hang.
const SAFETY_NET: Duration = Duration::from_secs(30);

/// In the environment of a process that is to serve.
const MARK: &str = "EVLOOP_TEST_SERVES";

// --- The process that serves ---------------------------------------------------------------------------------------------

/// Writes past the harness, which would keep it for itself.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    out.write_all(format!("{text}\n").as_bytes()).and_then(|()| out.flush()).unwrap();
}

/// Tells of itself, and makes mistakes when it is asked to.
#[expect(clippy::unnecessary_wraps, reason = "it is given to `run` as it is")]
fn app(instance: &Instance) -> io::Result<impl App + use<>> {
    let (number, stopping) = (instance.thread(), instance.stopping());
    say(&format!("made {number} on {}", thread::current().name().unwrap_or("a thread without a name")));
    let held = move |_: Request| {
        let stopping: CancellationToken = stopping.clone();
        async move {
            stopping.cancelled().await;
            "held until the stop"
        }
    };
    let router = Router::new()
        .get("/thread", move |_: Request| async move { number.to_string() })
        .get("/held", held)
        .get("/for-ever", |_: Request| std::future::pending::<&str>())
        .get("/block", |_: Request| async {
            say("it is blocked");
            loop {
                thread::park();
            }
            #[expect(unreachable_code, reason = "it tells the type")]
            ""
        })
        .get("/panic", |_: Request| async {
            let _for_ever = ManuallyDrop::new(turn::idle(|| panic!("it was asked to")));
            ""
        })
        .get("/client", |request: Request| async move {
            let scope = request.scope();
            format!("{} below {}", scope.client().unwrap(), scope.root_path())
        })
        .get("/processors", |_: Request| async {
            let status = fs::read_to_string("/proc/thread-self/status").unwrap();
            status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:\t")).unwrap().to_owned()
        });
    Ok(with_lifespan(router, move |mut lifespan: Lifespan| async move {
        assert_eq!(lifespan.receive().await, LifespanEvent::Startup);
        lifespan.startup_complete()?;
        assert_eq!(lifespan.receive().await, LifespanEvent::Shutdown);
        say(&format!("shut down {number}"));
        lifespan.shutdown_complete()
    }))
}

/// In the process that was started for that, serves and does not come back.
fn serve_here<A: App>(
    config: impl FnOnce() -> Config,
    make: impl Fn(&Instance) -> io::Result<A> + Send + Sync + 'static,
) {
    if std::env::var_os(MARK).is_none() {
        return;
    }
    env_logger::builder().filter_level(log::LevelFilter::Info).init();
    let status = match serve::run(config(), make) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("error: {error}");
            error.status()
        }
    };
    std::process::exit(status.into());
}

fn free_port() -> Bind {
    Bind::Inet("127.0.0.1".to_owned(), 0)
}

// --- The process that looks ----------------------------------------------------------------------------------------------

struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    err: BufReader<ChildStderr>,
    /// The line that says where it serves; empty when it did not come to that.
    said: String,
    /// What was said before that.
    before: Vec<String>,
}

fn command(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(MARK, "1").env_remove("RUST_LOG");
    command.env_remove("RUST_BACKTRACE");
    command
}

impl Server {
    fn start(test: &str) -> Server {
        Server::of(&mut command(test))
    }

    fn of(command: &mut Command) -> Server {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let err = BufReader::new(child.stderr.take().unwrap());
        let (mut said, mut before) = (String::new(), Vec::new());
        while out.read_line(&mut said).unwrap() > 0 && !said.contains("evloop serves ") {
            before.push(std::mem::take(&mut said));
        }
        Server { child, out, err, said, before }
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        let places = self.said.split("http://").skip(1);
        places.map(|place| place.split('/').next().unwrap().parse().unwrap()).collect()
    }

    fn connect(&self) -> Client {
        Client::to(self.addresses()[0])
    }

    /// Clients, one of each loop, by the number of the loop.
    fn one_of_each(&self, loops: usize) -> Vec<Client> {
        let mut clients: Vec<Option<Client>> = (0..loops).map(|_| None).collect();
        while clients.iter().any(Option::is_none) {
            let mut client = self.connect();
            let number: usize = client.get("/thread").parse().unwrap();
            clients[number].get_or_insert(client);
        }
        clients.into_iter().flatten().collect()
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// The next line of the log in which this is.
    fn logged(&mut self, text: &str) -> String {
        let mut line = String::new();
        while self.err.read_line(&mut line).unwrap() > 0 {
            if line.contains(text) {
                return line;
            }
            line.clear();
        }
        panic!("{text:?} is not logged");
    }

    /// Waits for its end: the status, and what it has said and logged besides.
    fn end(&mut self) -> (Option<i32>, String, String) {
        let deadline = Instant::now() + SAFETY_NET;
        let status: ExitStatus = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(Instant::now() < deadline, "it does not end"),
            }
            thread::yield_now();
        };
        let (mut out, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut out).unwrap();
        self.err.read_to_string(&mut err).unwrap();
        (status.code(), out, err)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

struct Client(BufReader<Box<dyn ReadWrite>>);

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

impl Client {
    fn to(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(SAFETY_NET)).unwrap();
        Client(BufReader::new(Box::new(stream)))
    }

    fn to_path(path: &Path) -> Client {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(SAFETY_NET)).unwrap();
        Client(BufReader::new(Box::new(stream)))
    }

    fn ask(&mut self, target: &str) {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
    }

    /// The body of the next answer.
    fn answer(&mut self) -> String {
        let (mut length, mut line) = (0, String::new());
        loop {
            line.clear();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the connection has ended");
            match line.trim_end().split_once(": ") {
                Some(("content-length", number)) => length = number.parse().unwrap(),
                _ if line == "\r\n" => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    }

    fn get(&mut self, target: &str) -> String {
        self.ask(target);
        self.answer()
    }

    /// Asks for what takes long, and returns when that has begun: the answer to another request, which came with it, tells.
    fn begin(&mut self, target: &str) {
        let requests = format!("GET /thread HTTP/1.1\r\nHost: a\r\n\r\nGET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        self.0.get_mut().write_all(requests.as_bytes()).unwrap(); // in one piece
        self.answer();
    }
}

// --- Its loops -----------------------------------------------------------------------------------------------------------

#[test]
fn each_loop_has_a_thread_an_application_and_a_lifespan() {
    serve_here(|| Config::new().bind(free_port()).threads(3), app);
    let mut server = Server::start("each_loop_has_a_thread_an_application_and_a_lifespan");
    let made: BTreeSet<String> =
        server.before.iter().filter_map(|line| Some(line.split_once("made ")?.1.to_owned())).collect();
    let main = made.first().unwrap().clone();
    assert!(main.starts_with("0 on "), "{made:?}");
    assert_eq!(made, BTreeSet::from([main, "1 on loop 1\n".to_owned(), "2 on loop 2\n".to_owned()]));
    assert!(server.said.contains(&format!(" with 3 threads in process {} ", server.child.id())), "{}", server.said);
    assert!(server.said.contains("Ctrl-C ends it"), "{}", server.said);
    for (number, mut client) in server.one_of_each(3).into_iter().enumerate() {
        assert_eq!(client.get("/thread"), number.to_string(), "a connection stays where it is");
    }
    server.signal("TERM");
    let (status, out, _) = server.end();
    assert_eq!(status, Some(0));
    let mut ended: Vec<&str> = out.lines().filter_map(|line| line.strip_prefix("shut down ")).collect();
    ended.sort_unstable();
    assert_eq!(ended, ["0", "1", "2"]);
}

#[test]
fn loops_with_sockets_of_their_own_are_all_served() {
    serve_here(|| Config::new().bind(free_port()).threads(2).accept(Accept::ReusePort), app);
    let mut server = Server::start("loops_with_sockets_of_their_own_are_all_served");
    drop(server.one_of_each(2));
    server.signal("INT");
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn shared_socket_is_served_while_a_loop_hangs_and_the_stop_tells_what_it_waits_for() {
    serve_here(|| Config::new().bind(free_port()).threads(2).slow(None), app);
    let mut server = Server::start("shared_socket_is_served_while_a_loop_hangs_and_the_stop_tells_what_it_waits_for");
    let mut blocked = server.connect();
    let hangs = blocked.get("/thread");
    blocked.ask("/block");
    let mut line = String::new();
    server.out.read_line(&mut line).unwrap();
    assert_eq!(line, "it is blocked\n");
    for _ in 0..20 {
        assert_ne!(server.connect().get("/thread"), hangs);
    }
    server.signal("TERM");
    let first = server.logged("stopping");
    assert!(first.contains("SIGTERM: ") && first.contains("waiting for 1 request on "), "{first}");
    assert!(first.contains("for 10 s at most; a second signal ends it at once"), "{first}");
    let then = server.logged("still waiting for 1 request on ");
    assert!(then.contains(" s yet"), "{then}");
    server.signal("TERM");
    assert_eq!(server.end().0, Some(130));
}

#[test]
fn loop_that_panics_is_named_and_the_others_answer_what_has_begun() {
    serve_here(|| Config::new().bind(free_port()).threads(2), app);
    let mut server = Server::start("loop_that_panics_is_named_and_the_others_answer_what_has_begun");
    for (number, panics) in [(1, 0), (0, 1)] {
        let mut clients = server.one_of_each(2);
        clients[number].begin("/held");
        clients[panics].ask("/panic");
        assert_eq!(clients[number].answer(), "held until the stop");
        let (status, _, log) = server.end();
        assert_eq!(status, Some(1), "{log}");
        assert!(log.contains(&format!("error: loop {panics} panicked: it was asked to")), "{log}");
        assert!(log.contains("the other loops of this process, 1, are stopped"), "{log}");
        server = Server::start("loop_that_panics_is_named_and_the_others_answer_what_has_begun");
    }
}

#[test]
fn loops_stay_on_the_processors_in_turn() {
    serve_here(|| Config::new().bind(free_port()).threads(2).pin_cpus(true), app);
    let server = Server::start("loops_stay_on_the_processors_in_turn");
    let allowed = rustix::thread::sched_getaffinity(None).unwrap();
    let allowed: Vec<usize> = (0..rustix::thread::CpuSet::MAX_CPU).filter(|number| allowed.is_set(*number)).collect();
    for (number, mut client) in server.one_of_each(2).into_iter().enumerate() {
        assert_eq!(client.get("/processors"), allowed[number % allowed.len()].to_string());
    }
}

#[test]
fn configuration_reaches_the_application_and_its_responses() {
    serve_here(
        || {
            let config = Config::new().bind(free_port()).header("X-Frame-Options", "DENY").server_header(true);
            config.date_header(false).root_path("/api").forwarded_allow(Some("127.0.0.1".to_owned()))
        },
        app,
    );
    let server = Server::start("configuration_reaches_the_application_and_its_responses");
    let mut client = TcpStream::connect(server.addresses()[0]).unwrap();
    client.set_read_timeout(Some(SAFETY_NET)).unwrap();
    let request = "GET /client HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.7\r\nConnection: close\r\n\r\n";
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\r\nx-frame-options: DENY\r\n") && answer.contains("\r\nserver: evloop\r\n"), "{answer}");
    assert!(!answer.contains("\r\ndate: ") && answer.ends_with("203.0.113.7:0 below /api"), "{answer}");
}

// --- Where it listens ----------------------------------------------------------------------------------------------------

#[test]
fn all_places_are_served_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    serve_here(
        || {
            let path = std::env::var_os("PLACE").unwrap();
            Config::new().bind(free_port()).bind(Bind::Unix(path.into())).bind(free_port()).threads(2)
        },
        app,
    );
    let mut server = Server::of(command("all_places_are_served_and_told").env("PLACE", &path));
    assert!(server.said.contains(&format!(", unix:{}, http://", path.display())), "{}", server.said);
    for address in server.addresses() {
        Client::to(address).get("/thread");
    }
    Client::to_path(&path).get("/thread");
    server.signal("INT");
    assert_eq!(server.end().0, Some(0));
    assert!(!path.exists());
}

#[test]
fn sockets_of_systemd_are_served_where_no_place_is_named() {
    serve_here(Config::new, app);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = command("sockets_of_systemd_are_served_where_no_place_is_named");
    // As systemd does it: descriptors from 3 on, and who is meant, by number.
    let mut shell = Command::new("sh");
    shell.args(["-c", "export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" \"$@\" 3<&0 </dev/null"]);
    shell.arg(server.get_program()).args(server.get_args()).env(MARK, "1").stdin(OwnedFd::from(listener));
    let mut server = Server::of(&mut shell);
    assert!(server.said.contains(&format!("http://{address}/ (descriptor 3)")), "{}", server.said);
    Client::to(address).get("/thread");
    server.signal("TERM");
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn place_that_is_taken_ends_it_with_1_and_is_named() {
    let test = "place_that_is_taken_ends_it_with_1_and_is_named";
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    serve_here(
        || {
            let port = std::env::var("PLACE").unwrap().parse().unwrap();
            Config::new().bind(free_port()).bind(Bind::Inet("127.0.0.1".to_owned(), port)).threads(2)
        },
        app,
    );
    let address = taken.local_addr().unwrap();
    let mut server = Server::of(command(test).env("PLACE", address.port().to_string()));
    let (status, _, log) = server.end();
    assert_eq!((status, &*server.said), (Some(1), ""));
    assert!(log.starts_with(&format!("error: cannot listen on {address}: Address already in use")), "{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
}

// --- How it begins -------------------------------------------------------------------------------------------------------

/// The status, and the error that is told; it has never served.
fn fails_to_start(test: &str) -> (Option<i32>, String) {
    let mut server = Server::start(test);
    let (status, _, log) = server.end();
    assert_eq!(server.said, "");
    (status, log.lines().find(|line| line.starts_with("error: ")).unwrap_or_default().to_owned())
}

#[test]
fn application_that_cannot_be_made_ends_it_with_3() {
    serve_here(
        || Config::new().bind(free_port()).threads(3),
        |instance| if instance.thread() == 1 { Err(io::Error::other("no database")) } else { app(instance) },
    );
    let failed = fails_to_start("application_that_cannot_be_made_ends_it_with_3");
    assert_eq!(failed, (Some(3), "error: no database".to_owned()));
}

#[test]
fn application_that_panics_while_it_is_made_ends_it_with_3() {
    serve_here(
        || Config::new().bind(free_port()).threads(2),
        |instance| {
            assert_ne!(instance.thread(), 1, "not here");
            app(instance)
        },
    );
    let (status, error) = fails_to_start("application_that_panics_while_it_is_made_ends_it_with_3");
    assert!(status == Some(3) && error.starts_with("error: loop 1 panicked: "), "{status:?}: {error}");
}

#[test]
fn lifespan_that_fails_to_start_ends_it_with_3() {
    serve_here(
        || Config::new().bind(free_port()).threads(2),
        |_| {
            Ok(with_lifespan(Router::new(), |mut lifespan: Lifespan| async move {
                lifespan.receive().await;
                lifespan.startup_failed("no cache")
            }))
        },
    );
    let failed = fails_to_start("lifespan_that_fails_to_start_ends_it_with_3");
    assert_eq!(failed, (Some(3), "error: the application failed to start: no cache".to_owned()));
}

// --- How it ends ---------------------------------------------------------------------------------------------------------

#[test]
fn quit_ends_it_at_once_and_tells_what_it_has_cut() {
    serve_here(|| Config::new().bind(free_port()).threads(2), app);
    let mut server = Server::start("quit_ends_it_at_once_and_tells_what_it_has_cut");
    let mut clients = server.one_of_each(2);
    for client in &mut clients {
        client.begin("/for-ever");
    }
    server.signal("QUIT");
    let (status, _, log) = server.end();
    assert_eq!(status, Some(0), "{log}");
    assert!(log.contains("SIGQUIT: ending at once, without waiting for 2 requests on 2 connections"), "{log}");
    assert!(log.contains("2 connections were ended before their requests were answered"), "{log}");
}

#[test]
fn quit_during_a_stop_ends_it_at_once() {
    serve_here(|| Config::new().bind(free_port()), app);
    let mut server = Server::start("quit_during_a_stop_ends_it_at_once");
    server.connect().begin("/thread");
    let mut client = server.connect();
    client.begin("/for-ever");
    server.signal("TERM");
    server.logged("stopping");
    server.signal("QUIT");
    assert_eq!(server.end().0, Some(130));
}

#[test]
fn enough_requests_of_one_loop_end_all() {
    serve_here(|| Config::new().bind(free_port()).threads(2).requests_max(Some(3)).requests_max_jitter(4), app);
    let mut server = Server::start("enough_requests_of_one_loop_end_all");
    let mut answered = 0;
    let ask = |mut stream: TcpStream| {
        stream.write_all(b"GET /thread HTTP/1.1\r\nHost: a\r\n\r\n")?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).map(|()| answer)
    };
    // At the end it refuses connections, and resets those that wait in its queue.
    while let Ok(answer) = TcpStream::connect(server.addresses()[0]).and_then(ask) {
        assert_eq!(&answer, b"HTTP/1.1 200");
        answered += 1;
    }
    let (status, _, log) = server.end();
    assert_eq!(status, Some(0), "{log}");
    assert!((3..=14).contains(&answered), "{answered}: the one loop 3 to 7, the other no more");
    let share = log.split("it has served ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!((3..=7).contains(&share.parse::<u64>().unwrap()), "{log}");
    assert!(
        log.contains(" requests, its share by --limit-max-requests; it ends, for a supervisor to start it again"),
        "{log}"
    );
}

#[test]
fn pid_file_is_there_as_long_as_the_server() {
    let test = "pid_file_is_there_as_long_as_the_server";
    serve_here(|| Config::new().bind(free_port()).pid_file(Some(std::env::var_os("PLACE").unwrap().into())), app);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pid");
    let mut server = Server::of(command(test).env("PLACE", &path));
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", server.child.id()));
    let (status, _, log) = Server::of(command(test).env("PLACE", &path)).end();
    assert!(status == Some(1) && log.contains(&format!("process {} has it", server.child.id())), "{status:?} {log}");
    server.signal("TERM");
    assert_eq!(server.end().0, Some(0));
    assert!(!path.exists());
    // One that is killed leaves its file, and the next takes it.
    drop(Server::of(command(test).env("PLACE", &path)));
    assert!(path.exists());
    let server = Server::of(command(test).env("PLACE", &path));
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", server.child.id()));
}

#[test]
fn control_socket_tells_how_each_loop_does_though_one_hangs() {
    let test = "control_socket_tells_how_each_loop_does_though_one_hangs";
    serve_here(
        || {
            let path = std::env::var_os("PLACE").unwrap();
            Config::new().bind(free_port()).threads(2).slow(None).control(Control::At(path.into()))
        },
        app,
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let mut server = Server::of(command(test).env("PLACE", &path));
    let status = || evloop::block_on(serve::control::ask(&path)).unwrap();
    assert!(status().workers[0].loops.len() == 2 && status().pid == server.child.id());
    server.connect().ask("/block");
    let mut line = String::new();
    server.out.read_line(&mut line).unwrap();
    assert_eq!(status().state, State::Ready);
    server.signal("TERM");
    server.logged("stopping");
    assert_eq!(status().state, State::Draining);
}

#[test]
fn systemd_is_told_that_it_serves_that_it_lives_and_that_it_stops() {
    let test = "systemd_is_told_that_it_serves_that_it_lives_and_that_it_stops";
    serve_here(|| Config::new().bind(free_port()).threads(2), app);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(SAFETY_NET)).unwrap();
    let told = || {
        let mut letter = [0; 4096];
        let length = systemd.recv(&mut letter).unwrap();
        String::from_utf8(letter[..length].to_vec()).unwrap()
    };
    let mut server = Server::of(command(test).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "100000"));
    let place = format!("http://{}/", server.addresses()[0]);
    let mut letters = std::iter::repeat_with(told);
    let ready = letters.find(|letter| letter.starts_with("READY=1\n")).unwrap();
    assert_eq!(ready, format!("READY=1\nSTATUS=serves {place} with 2 threads\n"));
    for _ in 0..3 {
        assert_eq!(letters.next().unwrap(), "WATCHDOG=1\n");
    }
    let mut client = server.connect();
    client.begin("/held");
    server.signal("TERM");
    let stopping = letters.find(|letter| letter.starts_with("STOPPING=1\n")).unwrap();
    assert!(
        stopping.contains("STATUS=stopping, waiting for 1 request on 1 connection, for 10 s at most\n"),
        "{stopping}"
    );
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn systemd_is_not_told_that_it_lives_while_a_loop_hangs() {
    let test = "systemd_is_not_told_that_it_lives_while_a_loop_hangs";
    serve_here(|| Config::new().bind(free_port()).threads(2).slow(None), app);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    let server = &mut Server::of(command(test).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "100000"));
    server.connect().ask("/block");
    let mut line = String::new();
    server.out.read_line(&mut line).unwrap();
    // One word may be on its way, of the time before.
    systemd.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut letters = std::iter::from_fn(|| systemd.recv(&mut [0; 4096]).ok());
    assert!(letters.by_ref().take(100).count() < 100, "it goes on");
}
