//! The files in `examples/deploy/` and the page about them: what they say of evloop is so, and their own readers take them.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// A net under tests that would hang.
const SAFETY_NET: Duration = Duration::from_secs(30);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files, by name.
fn files() -> Vec<(String, String)> {
    let entries = fs::read_dir(root().join("examples/deploy")).unwrap();
    let named = entries.map(|entry| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
    });
    let mut files: Vec<_> = named.collect();
    files.sort();
    assert!(files.len() >= 6, "{files:?}");
    files
}

/// The page, without the files that are shown on it.
fn page() -> String {
    let parts = ["", "_2", "_3", "_4", "_5", "_6"].map(|part| root().join(format!("src/guide/production{part}.md")));
    parts.iter().map(|part| fs::read_to_string(part).unwrap()).collect()
}

fn help() -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_evloop")).args(["serve", "--help"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Whether the help has that option, and not only a longer one.
fn knows(help: &str, option: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '-');
    help.match_indices(option).any(|(at, _)| ends(&help[at + option.len()..]))
}

/// The options in a text: words that begin with two dashes.
fn options(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.filter(|word| word.len() > 2 && word.starts_with("--") && !word.ends_with('-'))
}

/// The lines of a file on which evloop is called; what is broken by a backslash is one line.
fn calls(text: &str) -> Vec<String> {
    let whole = text.replace("\\\n", " ");
    let is_call = |line: &&str| line.contains("evloop serve ") || line.trim_start().starts_with("args: [serve");
    whole.lines().filter(is_call).map(str::to_owned).collect()
}

#[test]
fn every_option_in_the_files_is_one_of_evloops() {
    let help = help();
    let mut seen = 0;
    for (name, text) in files().into_iter().chain([("the page".to_owned(), page())]) {
        for call in calls(&text) {
            for option in options(&call) {
                assert!(knows(&help, option), "{name} has {option}, which evloop does not know: {call}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 10, "{seen} options were found");
}

/// A variable is an option, in capitals.
#[test]
fn every_variable_in_the_files_is_an_option() {
    let help = help();
    let mut seen = 0;
    for (name, text) in files() {
        for (at, _) in text.match_indices("EVLOOP_") {
            let variable: String = text[at..].chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
            let option = variable.replacen("EVLOOP", "-", 1).replace('_', "-").to_lowercase();
            assert!(knows(&help, &option), "{name} has {variable}, and there is no {option}");
            seen += 1;
        }
    }
    assert!(seen >= 3, "{seen} variables were found");
}

/// What the page's table says of the time-outs: the options and their defaults.
#[test]
fn table_has_every_time_out_with_its_default() {
    let (help, page) = (help(), page());
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `--timeout-"));
    let told: Vec<(String, &str)> = rows
        .map(|row| {
            let mut cells = row.split('|').map(str::trim);
            let option = format!("--timeout-{}", cells.next().unwrap().trim_end_matches('`'));
            (option, cells.next().unwrap().trim_end_matches(" s"))
        })
        .collect();
    for option in options(&help).filter(|option| option.starts_with("--timeout-")) {
        let (_, default) =
            told.iter().find(|(named, _)| named == option).unwrap_or_else(|| panic!("no row has {option}"));
        let at = help.find(&format!("{option} ")).unwrap();
        let said = help[at..].split('[').nth(1).unwrap().split(']').next().unwrap();
        assert_eq!(said, *default, "the default of {option}");
    }
    assert!(told.len() >= 5, "{told:?}");
    let picture = fs::read_to_string(root().join("src/guide/pictures/timeouts.svg")).unwrap();
    for (option, default) in told {
        assert!(picture.contains(&format!(">{option}<")), "the picture has no {option}");
        assert!(picture.contains(&format!(">{default} s<")), "the picture has no {default} s");
    }
}

/// Each is on the page, and nobody has to know its name to find it.
#[test]
fn every_file_is_shown_and_told_where_it_goes() {
    let shown = fs::read_to_string(root().join("src/guide/mod.rs")).unwrap();
    for (name, text) in files() {
        assert!(shown.contains(&format!("include_str!(\"../../examples/deploy/{name}\")")), "{name} is not shown");
        let head = text.lines().next().unwrap();
        assert!(head.starts_with("# ") && text.ends_with('\n'), "{name} does not begin by saying what it is");
        assert!(text.lines().all(|line| line.len() <= 200 && line.trim_end() == line), "{name}");
    }
}

/// A program, if this machine has it; else a word about what is left out.
fn program(name: &str, folders: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(folders.iter().map(PathBuf::from));
    let found = folders.map(|folder| folder.join(name)).find(|program| program.exists());
    if found.is_none() {
        eprintln!("left out: there is no {name} here");
    }
    found
}

/// Runs a program; its error stream where it is not content.
fn complaint(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (!output.status.success()).then_some(said)
}

/// nginx with the site and as little as it can have around it, listening in that folder, where evloop listens, too.
fn nginx(folder: &Path) -> Option<Command> {
    let nginx = program("nginx", &["/usr/sbin", "/usr/local/sbin"])?;
    let at = |name: &str| folder.join(name).display().to_string();
    let site = fs::read_to_string(root().join("examples/deploy/nginx.conf")).unwrap();
    let site = site.replace("listen 80;", &format!("listen unix:{};", at("front")));
    fs::write(at("site.conf"), site.replace("unix:/run/evloop.sock", &format!("unix:{}", at("back")))).unwrap();
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: Vec<String> = kinds.iter().map(|kind| format!("{kind}_temp_path {};", at(kind))).collect();
    let around = format!(
        "daemon off; master_process off; pid {}; error_log stderr;\nevents {{}}\nhttp {{\naccess_log off; \
         keepalive_requests 1000000;\n{}\ninclude {};\n}}\n",
        at("pid"),
        temporary.join("\n"),
        at("site.conf")
    );
    fs::write(at("nginx.conf"), around).unwrap();
    let mut command = Command::new(nginx);
    command.args(["-e", "stderr", "-c", &at("nginx.conf"), "-p", &at("")]);
    Some(command)
}

#[test]
fn nginx_takes_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    if let Some(mut nginx) = nginx(folder.path()) {
        assert_eq!(complaint(nginx.arg("-t")), None);
    }
}

/// A process that is ended with the test.
struct Child(process::Child);

impl Child {
    fn start(command: &mut Command) -> Child {
        Child(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.0.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Those whom it has started, and who are there.
    fn children(&self) -> BTreeSet<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        let lists = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default());
        lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What there is at some time, soon.
fn comes<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SAFETY_NET;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} does not come");
        thread::yield_now();
    }
}

/// The answer to one request, over a connection that is kept.
fn ask(client: &mut BufReader<UnixStream>, request: &str, body: &str) -> (String, String) {
    let length = body.len();
    write!(
        client.get_mut(),
        "{request} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.9.9.9\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let (mut head, mut body) = (String::new(), Vec::new());
    while !head.ends_with("\r\n\r\n") {
        assert!(client.read_line(&mut head).unwrap() > 0, "the connection has ended: {head:?}");
    }
    let length =
        head.to_lowercase().split("content-length: ").nth(1).map(|rest| rest.split("\r\n").next().unwrap().to_owned());
    body.resize(length.unwrap_or_else(|| panic!("{head}")).parse().unwrap(), 0);
    client.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

/// The workers are replaced one by one, under a load that comes through nginx: of requests that it sends only once.
#[test]
fn reload_behind_nginx_fails_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let Some(mut nginx) = nginx(folder.path()) else { return };
    let mut evloop = Command::new(env!("CARGO_BIN_EXE_evloop"));
    evloop.args(["serve", "--workers", "2", "--timeout-keep-alive", "75", "--proxy-headers", "--no-access-log"]);
    let mut master = Child::start(evloop.args(["--control", "none", "--uds"]).arg(at("back")));
    let mut said = String::new();
    BufReader::new(master.0.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert!(said.contains("back"), "{said}");
    let _nginx = Child::start(&mut nginx);
    let connect = || UnixStream::connect(at("front")).ok().map(BufReader::new);
    let (head, seen) = ask(&mut comes("nginx", connect), "GET /headers", "");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(!seen.contains("10.9.9.9"), "nobody is believed who is not the proxy: {seen}");

    let old = comes("the second worker", || Some(master.children()).filter(|workers| workers.len() == 2));
    let enough = AtomicBool::new(false);
    let served: usize = thread::scope(|scope| {
        let load = || {
            let mut client = connect().unwrap();
            let mut served = 0;
            while !enough.load(SeqCst) {
                let (head, body) = ask(&mut client, "POST /echo", "not to be sent twice");
                assert!(head.starts_with("HTTP/1.1 200 ") && body == "not to be sent twice", "{head}{body}");
                served += 1;
            }
            served
        };
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(load)).collect();
        master.signal("HUP");
        let is_new = |workers: &BTreeSet<String>| workers.len() == 2 && workers.is_disjoint(&old);
        comes("the new workers", || Some(master.children()).filter(is_new));
        enough.store(true, SeqCst);
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    assert!(served > 0);
    master.signal("TERM");
    assert_eq!(master.0.wait().unwrap().code(), Some(0));
}

#[test]
fn systemd_takes_its_units() {
    let Some(analyze) = program("systemd-analyze", &[]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let unit = |name: &str| fs::read_to_string(root().join("examples/deploy").join(name)).unwrap();
    // It wants the program to be where the unit says.
    let service = unit("evloop.service").replace("/usr/local/bin/evloop", env!("CARGO_BIN_EXE_evloop"));
    fs::write(folder.path().join("evloop.service"), service).unwrap();
    fs::write(folder.path().join("evloop.socket"), unit("evloop.socket")).unwrap();
    for name in ["evloop.service", "evloop.socket"] {
        let mut verify = Command::new(&analyze);
        verify.args(["verify", "--man=no"]).arg(folder.path().join(name));
        let output = verify.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let of_ours: Vec<&str> = said.lines().filter(|line| line.contains("evloop")).collect();
        assert!(of_ours.is_empty(), "{of_ours:#?}");
    }
}

/// Neither a stop by Docker's default, nor by Kubernetes or systemd, comes before the drain can have ended.
#[test]
fn nobody_kills_before_the_drain_is_over() {
    let files = files();
    let number = |name: &str, key: &str| -> u64 {
        let text = &files.iter().find(|(file, _)| file == name).unwrap().1;
        let rest = text.split(key).nth(1).unwrap_or_else(|| panic!("{name} has no {key}"));
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    let help = help();
    let drain =
        help.split("--timeout-graceful-shutdown").nth(1).and_then(|rest| rest.split(['[', ']']).nth(1)).unwrap();
    // For the requests, for the application's own end, and for what hangs then.
    let drain: u64 = drain.parse().unwrap();
    assert!(number("evloop.service", "TimeoutStopSec=") > 2 * drain + 5);
    let asked = number("kubernetes.yaml", "command: [sleep, \"");
    assert!(number("kubernetes.yaml", "terminationGracePeriodSeconds: ") > asked + 2 * drain + 5);
    // Who sends requests gives a connection up before who answers them.
    assert!(number("evloop.service", "--timeout-keep-alive ") > number("nginx.conf", "keepalive_timeout "));
}
