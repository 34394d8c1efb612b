//! The rooms of the house, and who may look into which.
//!
//! Inside a package the modules are layers. A *room* is a file (`arena.rs`) or a folder (`task/`) directly under the
//! package's `src`. A room imports rooms of lower layers and whatever lies in its own folder; in an ordered layer also
//! the rooms listed above it there. Never sideways otherwise, never up. `lib.rs` is the facade: it imports all, and no
//! room imports through it.
//!
//! # How to add a room
//! Add a line to the table of its package, `RUNTIME`, `HTTP` or `ROOT`: layer, name (a folder ends in `/`), and what
//! the room is for, in words. In an ordered layer the place of the line matters: a room sees the lines above it. If a
//! room fits no layer, it has two ideas; if two rooms of one layer want each other, one of them takes what it needs as
//! an argument, or lies higher. To lift `unsafe` or `thread_local!` somewhere, add the file and the reason to
//! `UNSAFE_ROOMS` or `THREAD_LOCAL_ROOMS`, and expect to be asked about it.
//!
//! # How it reads the code
//! Not as a compiler: comments, strings and what is compiled for tests only are taken out, then every path that begins
//! with `crate`, `super` or `self` is followed to its room, be it in a `use` or in the midst of an expression. Tests
//! may look anywhere, but not be unsafe.

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fmt, fs};

use Among::{Apart, Ordered};

// --- The table -------------------------------------------------------------------------------------------------------

const HOUSE: House = House {
    packages: &[
        Package { src: "runtime/src", layers: RUNTIME_LAYERS, rooms: RUNTIME },
        Package { src: "http/src", layers: HTTP_LAYERS, rooms: HTTP },
        Package { src: "src", layers: ROOT_LAYERS, rooms: ROOT },
    ],
    unsafe_rooms: UNSAFE_ROOMS,
    thread_local_rooms: THREAD_LOCAL_ROOMS,
};

// A package's layers from the ground up: how its rooms stand to each other, and the packages of ours it may use.
#[rustfmt::skip]
const RUNTIME_LAYERS: &[Layer] = &[
    layer("L0", Ordered, &[], "ground: std and slab"),
    layer("L1", Apart,   &[], "loop-free: nothing here knows that a loop exists"),
    layer("L2", Apart,   &[], "engines: none knows another, none knows the current loop"),
    layer("L3", Ordered, &[], "the loop: the engines put together"),
    layer("L4", Apart,   &[], "doors: what users await"),
];

#[rustfmt::skip]
const RUNTIME: &[Room] = &[
    room("L0", "loom.rs",       "std's types or loom's, chosen in one place"),
    room("L0", "memory.rs",     "memory of what comes and goes, used again"),
    room("L0", "arena.rs",      "storage by key, with keys that go stale; queues by key"),
    room("L0", "chance.rs",     "numbers drawn from a seed, the same in every build"),
    room("L0", "clock.rs",      "system or manual time, instants and ticks"),
    room("L0", "failed.rs",     "errors that tell what was tried on what"),
    room("L0", "trace/",        "who runs, who woke it, what it waits for; names tasks by the arena's keys"),
    room("L0", "holders.rs",    "who holds the locks that are waited for, for a dump to read"),
    room("L1", "board.rs",      "the loop's numbers, where any thread can read them"),
    room("L1", "lookout.rs",    "what a watchdog sees of a loop besides its numbers, and when it may sleep"),
    room("L1", "observer.rs",   "who looks on while the loop turns, and how they are told"),
    room("L1", "io/",           "poll-based reading and writing, and their named futures"),
    room("L1", "sync/",         "waiting between tasks"),
    room("L1", "future/",       "combinators written by hand"),
    room("L1", "sys/",          "what mio, std and socket2 lack of the system, as safe functions"),
    room("L1", "waiter.rs",     "who is woken: a task of the loop by its key, anybody else by a waker"),
    room("L2", "task/",         "tasks, their state, the run queue, the mailbox"),
    room("L2", "timer/",        "the hierarchical wheel: deadlines in, wakers of the due out"),
    room("L2", "reactor/",      "mio, the sources, readiness into wakes"),
    room("L2", "hooks.rs",      "calls that the turn makes at fixed places"),
    room("L2", "pool/",         "bounded threads for calls that block, and queues by class before them"),
    room("L2", "tape/",         "the last records of a loop, the order that they keep, and a file of them"),
    room("L2", "watchdog/",     "a thread that tells what holds a loop while it is held"),
    room("L3", "core.rs",       "one thread's engines side by side"),
    room("L3", "work.rs",       "what there is in a loop, and what of it keeps it alive"),
    room("L3", "context.rs",    "the thread's current core: enter it, find it, the panic when there is none"),
    room("L3", "doing.rs",      "what a task says that it does, for the watchdog"),
    room("L3", "metrics.rs",    "a loop in numbers: the board and the engines read together"),
    room("L3", "view.rs",       "a loop as it stands, for those who draw it"),
    room("L3", "dump/",         "each task and what it waits for, found out without polling it"),
    room("L3", "histograms.rs", "an observer that keeps how long things take"),
    room("L3", "registered.rs", "a source tied to its key for as long as it lives, in the current core"),
    room("L3", "runtime.rs",    "Runtime, how far it runs, and the turn"),
    room("L3", "builder.rs",    "loops made to measure, and `block_on` in one of its own"),
    room("L3", "spawn/",        "new tasks for this thread's loop, new jobs for its pool"),
    room("L3", "join_set/",     "tasks of one kind, joined in the order in which they end"),
    room("L3", "group/",        "tasks that end with the piece of work that spawned them, and it with them"),
    room("L3", "handle.rs",     "the door for other threads: spawn by a closure, stop"),
    room("L3", "time/",         "sleep, timeout, interval: the wheel under the current loop"),
    room("L3", "pipe.rs",       "pipes to be awaited; below the doors because processes are talked to by them"),
    room("L4", "compat/",       "streams, timers and tasks in the traits of other people's crates"),
    room("L4", "fd.rs",         "any descriptor to be awaited"),
    room("L4", "fs/",           "files, folders and what happens to them, to be awaited"),
    room("L4", "net/",          "sockets to be awaited"),
    room("L4", "process/",      "children: started, talked with, waited for by their descriptors"),
    room("L4", "signal/",       "signals to be awaited, and sent"),
    room("L4", "stdio/",        "the standard streams and terminals"),
    room("L4", "testing/",      "a body under many seeds, and a network in memory whose faults are drawn from them"),
    room("L4", "turn.rs",       "hooks: to take part in the turn"),
];

#[rustfmt::skip]
const HTTP_LAYERS: &[Layer] = &[
    layer("H0", Ordered, &[], "words: requests and responses as data"),
    layer("H1", Apart,   &[], "bytes to messages and back"),
    layer("H2", Apart,   &[], "protocol without sockets, without a clock, without await"),
    layer("H3", Apart,   &[], "what an application sees of a request: it writes through the protocol, so it stands above"),
    layer("H4", Ordered, &["evloop_runtime"], "what runs on the loop"),
];

#[rustfmt::skip]
const HTTP: &[Room] = &[
    room("H0", "message/",    "method, status, headers, head"),
    room("H0", "limits.rs",   "every limit, its default, the attack it stops"),
    room("H0", "error.rs",    "what can go wrong, and the status it becomes"),
    room("H1", "codec/",      "heads, framing and bodies from bytes and into bytes"),
    room("H2", "connection/", "one connection's state machine: bytes in, what they mean out, and back"),
    room("H3", "asgi/",       "scope, receive, send, and what they share with their connection"),
    room("H4", "access_log.rs", "a line for each request that was answered"),
    room("H4", "middleware/", "applications around applications: a log, a time-out, compression"),
    room("H4", "files/",      "a folder as an application: types, conditions, ranges, pages that list"),
    room("H4", "router/",     "path tree, methods, handlers; itself an application"),
    room("H4", "metrics.rs",  "the numbers of loops and of the process, as Prometheus takes them"),
    room("H4", "server/",     "sockets, pools, one task per connection, the graceful stop"),
    room("H4", "testing/",    "a network in memory and a client on it, so that applications are tested without sockets"),
];

#[rustfmt::skip]
const ROOT_LAYERS: &[Layer] = &[
    layer("R0", Apart, &["evloop", "evloop_http", "evloop_runtime"], "the parts of the program"),
    layer("R1", Apart, &["evloop", "evloop_http", "evloop_runtime"], "what is made of the parts"),
    layer("R2", Apart, &["evloop", "evloop_http", "evloop_runtime"], "the program"),
];

#[rustfmt::skip]
const ROOT: &[Room] = &[
    room("R0", "cli/",     "the options, their checks and their wording"),
    room("R0", "demo/",    "the application that the program serves, and what its live page is told"),
    room("R0", "guide/",   "names of other loops, and what does the same here"),
    room("R0", "picture/", "time lines and curves, as text and as drawings"),
    room("R0", "serve/",   "a server as a whole: sockets, loops, processes, and how they are told to stop"),
    room("R0", "trace.rs", "the tape of the program: its file, its signal, its route"),
    room("R1", "lab/",     "experiments that draw what they measure"),
    room("R1", "replay/",  "traces that were written: in numbers, drawn, and asked why"),
    room("R1", "program.rs", "the server that the program is: the demo or a folder, served as the options say"),
    room("R1", "status.rs", "what servers tell at their control sockets, shown"),
    room("R1", "step/",    "small programs, one turn of their loop at a key"),
    room("R2", "main.rs",  "the binary: options in, a server on a loop, an exit status out"),
];

#[rustfmt::skip]
const UNSAFE_ROOMS: &[(&str, &str)] = &[
    ("runtime/src/memory.rs",    "memory that is used again"),
    ("runtime/src/task/address.rs", "a waker is a number"),
    ("runtime/src/task/stage.rs", "the future of a task is pinned where it lies"),
    ("runtime/src/task/tasks/task_ref.rs", "tasks are counted, and linked in a line, by one word each"),
    ("runtime/src/task/tasks/wakes.rs", "a wake looks things up without a mark that it does"),
    ("runtime/src/sync/oneshot/halves.rs", "memory that the two halves of a channel share, and a byte that says whose it is"),
    ("runtime/src/sys/fork.rs",  "the C library is asked to count the forks of this process"),
    ("runtime/src/sys/fd.rs",    "a descriptor by its number: who started the process gives nothing else"),
];

#[rustfmt::skip]
const THREAD_LOCAL_ROOMS: &[(&str, &str)] = &[
    ("runtime/src/trace/mod.rs",        "who runs on this thread now"),
    ("runtime/src/holders.rs",          "the locks of this thread that were waited for"),
    ("runtime/src/task/tasks/wakes.rs", "the tasks that a waker finds when it is at home"),
    ("runtime/src/memory.rs",           "the memory of what has gone on this thread"),
    ("runtime/src/context.rs",          "the thread's current core"),
];

// --- The claims ------------------------------------------------------------------------------------------------------

#[test]
fn every_import_goes_down() {
    assert_no_complaints(Rule::Import);
}

#[test]
fn unsafe_stays_in_its_rooms() {
    assert_no_complaints(Rule::Unsafe);
}

#[test]
fn thread_locals_stay_in_their_rooms() {
    assert_no_complaints(Rule::ThreadLocal);
}

#[test]
fn the_table_and_the_tree_name_the_same_rooms() {
    assert_no_complaints(Rule::Table);
}

/// Fails with every complaint under the rule at once, so that one run shows all there is to mend.
fn assert_no_complaints(rule: Rule) {
    let complaints: Vec<String> = HOUSE
        .inspect(&read_sources(&HOUSE))
        .into_iter()
        .filter(|complaint| complaint.rule == rule)
        .map(|complaint| complaint.to_string())
        .collect();
    assert!(complaints.is_empty(), "\n\n{}\n\n", complaints.join("\n"));
}

// --- The house -------------------------------------------------------------------------------------------------------

struct House {
    packages: &'static [Package],
    unsafe_rooms: &'static [(&'static str, &'static str)],
    thread_local_rooms: &'static [(&'static str, &'static str)],
}

struct Package {
    src: &'static str,
    layers: &'static [Layer],
    rooms: &'static [Room],
}

struct Layer {
    name: &'static str,
    among: Among,
    packages: &'static [&'static str],
    why: &'static str,
}

struct Room {
    layer: &'static str,
    name: &'static str,
    why: &'static str,
}

/// How the rooms of one layer stand to each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Among {
    /// A room sees those listed above it.
    Ordered,
    /// No room sees another.
    Apart,
}

const fn layer(name: &'static str, among: Among, packages: &'static [&'static str], why: &'static str) -> Layer {
    Layer { name, among, packages, why }
}

const fn room(layer: &'static str, name: &'static str, why: &'static str) -> Room {
    Room { layer, name, why }
}

/// Our packages, as paths name them.
const PACKAGES: [&str; 3] = ["evloop", "evloop_http", "evloop_runtime"];

/// A file of a package's `src`: its path from the root of the workspace, and its text.
struct Source {
    path: String,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Import,
    Unsafe,
    ThreadLocal,
    Table,
}

struct Complaint {
    rule: Rule,
    path: String,
    /// `None`: about the file, or about the table.
    line: Option<usize>,
    text: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.text),
            None => write!(f, "{}: {}", self.path, self.text),
        }
    }
}

impl House {
    /// Everything that breaks a rule in these files, in their order; then what is wrong with the table itself.
    fn inspect(&self, sources: &[Source]) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        for source in sources {
            self.inspect_file(source, &mut complaints);
        }
        self.inspect_table(sources, &mut complaints);
        complaints
    }

    fn inspect_file(&self, source: &Source, complaints: &mut Vec<Complaint>) {
        let package = (self.packages.iter())
            .find(|package| package.path_inside(&source.path).is_some())
            .expect("only files of the packages are read");
        let inside = package.path_inside(&source.path).expect("it was just found there");
        let mut complain = |rule, line, text| {
            complaints.push(Complaint { rule, path: source.path.clone(), line, text });
        };

        let tokens = tokens_of(&source.text);
        let module = module_path(inside);
        if !names(self.unsafe_rooms, &source.path) {
            for (line, what) in unsafe_places(&tokens, |child| self.is_unsafe_room(&source.path, child)) {
                complain(Rule::Unsafe, Some(line), format!("{what}: only {} may", list(self.unsafe_rooms)));
            }
        }

        let room = package.room_of(inside);
        if room.is_none() && inside != "lib.rs" {
            let text = "no room of the table: add a line, with its layer and its reason".to_string();
            complain(Rule::Table, None, text);
        }
        if inside.rsplit('/').next() == Some("tests.rs") {
            return;
        }

        let tokens = without_tests(&tokens);
        if !names(self.thread_local_rooms, &source.path) {
            for token in tokens.iter().filter(|token| token.is("thread_local")) {
                let text = format!("thread_local!: only {} may", list(self.thread_local_rooms));
                complain(Rule::ThreadLocal, Some(token.line), text);
            }
        }
        for (line, name) in package_names(&tokens) {
            if let Some(why) = package.forbids_package(room, name) {
                complain(Rule::Import, Some(line), format!("uses {name}: {why}"));
            }
        }
        let Some(room) = room else { return };
        for import in imports(&tokens, &module) {
            if let Some(why) = package.forbids_import(room, &import.target) {
                let text = format!("imports {}: {why}", import.written());
                complain(Rule::Import, Some(import.line), text);
            }
        }
    }

    /// The table must not rot: every line of it names something that is there.
    fn inspect_table(&self, sources: &[Source], complaints: &mut Vec<Complaint>) {
        let mut complain = |path: String, text: &str| {
            let text = text.to_string();
            complaints.push(Complaint { rule: Rule::Table, path, line: None, text });
        };
        for package in self.packages {
            let mut seen = BTreeSet::new();
            for room in package.rooms {
                let path = format!("{}/{}", package.src, room.name);
                if !package.layers.iter().any(|layer| layer.name == room.layer) {
                    complain(path.clone(), "in the table, but its layer is not");
                }
                if room.why.is_empty() {
                    complain(path.clone(), "in the table without a reason");
                }
                if !seen.insert(room.name) {
                    complain(path.clone(), "in the table twice");
                }
                if !sources
                    .iter()
                    .any(|source| source.path == path || (path.ends_with('/') && source.path.starts_with(&path)))
                {
                    complain(path, "in the table, but not in the tree: remove the line");
                }
            }
        }
        for (path, _) in self.unsafe_rooms.iter().chain(self.thread_local_rooms) {
            if !sources.iter().any(|source| source.path == *path) {
                complain(path.to_string(), "listed as an exception, but not in the tree: remove the line");
            }
        }
    }

    /// Does `mod child;` in this file name an unsafe room? Then the attribute that lifts the ban may stand there.
    fn is_unsafe_room(&self, path: &str, child: &str) -> bool {
        let folder = match path.strip_suffix("/mod.rs").or_else(|| path.strip_suffix("/lib.rs")) {
            Some(folder) => folder,
            None => path.strip_suffix(".rs").unwrap_or(path),
        };
        names(self.unsafe_rooms, &format!("{folder}/{child}.rs"))
    }
}

impl Package {
    /// `task/cell.rs` for `runtime/src/task/cell.rs`, if that is a file of this package.
    fn path_inside<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.src)?.strip_prefix('/')
    }

    /// The place in the table of the room that this file belongs to.
    fn room_of(&self, inside: &str) -> Option<usize> {
        let name = match inside.split_once('/') {
            Some((folder, _)) => format!("{folder}/"),
            None => inside.to_string(),
        };
        self.rooms.iter().position(|room| room.name == name)
    }

    /// Why the room may not import this path (from the crate's root on), if it may not.
    fn forbids_import(&self, from: usize, target: &[String]) -> Option<String> {
        let module = target.first().map_or("", String::as_str);
        let is_root = self.rooms[from].name == "main.rs"; // what is no room lies in this very file
        let Some(to) = self.rooms.iter().position(|room| room.module() == module) else {
            let why = "up: what is no room lies in the facade, above them all; name the room";
            return (!is_root).then(|| why.to_string());
        };
        let (from_layer, to_layer) = (self.layer_of(from), self.layer_of(to));
        let (here, there) = (&self.rooms[from], &self.rooms[to]);
        let (here_layer, there_layer) = (self.layers.get(from_layer)?, self.layers.get(to_layer)?);
        let what = format!("{} ({}, {})", there.name, there.layer, there.why);
        if from == to || to_layer < from_layer {
            None
        } else if to_layer > from_layer {
            Some(format!("up: {what} is above {} ({}, {})", here.name, here.layer, here_layer.why))
        } else if there_layer.among == Ordered && to < from {
            None
        } else if there_layer.among == Ordered {
            Some(format!("up: {what} is listed below {} in an ordered layer", here.name))
        } else {
            Some(format!("sideways: {what} lies beside {} ({})", here.name, here_layer.why))
        }
    }

    /// Why the room, or the facade, may not use this package of ours, if it may not.
    fn forbids_package(&self, room: Option<usize>, name: &str) -> Option<String> {
        let allowed = |layer: &Layer| layer.packages.contains(&name);
        match room {
            Some(room) => {
                let layer = self.layers.get(self.layer_of(room))?;
                let text = || format!("not for {} ({}, {})", self.rooms[room].name, layer.name, layer.why);
                (!allowed(layer)).then(text)
            }
            None => (!self.layers.iter().any(allowed)).then(|| format!("no layer of {} may", self.src)),
        }
    }

    /// The layer of a room, counted from the ground; one that is not in the table is past the end.
    fn layer_of(&self, room: usize) -> usize {
        let name = self.rooms[room].layer;
        self.layers.iter().position(|layer| layer.name == name).unwrap_or(self.layers.len())
    }
}

impl Room {
    fn module(&self) -> &str {
        self.name.trim_end_matches('/').trim_end_matches(".rs")
    }
}

fn names(rooms: &[(&str, &str)], path: &str) -> bool {
    rooms.iter().any(|(name, _)| *name == path)
}

fn list(rooms: &[(&str, &str)]) -> String {
    let names: Vec<&str> = rooms.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// `["task", "cell"]` for `task/cell.rs`, `["task"]` for `task/mod.rs`, `[]` for the root of a crate.
fn module_path(inside: &str) -> Vec<String> {
    let mut path: Vec<String> = inside.trim_end_matches(".rs").split('/').map(str::to_string).collect();
    let is_root = path.len() == 1 && matches!(path[0].as_str(), "lib" | "main");
    if is_root || path.last().is_some_and(|last| last == "mod") {
        path.pop();
    }
    path
}

/// All `.rs` files of the packages, sorted by path.
fn read_sources(house: &House) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for package in house.packages {
        read_folder(root, package.src, &mut sources);
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn read_folder(root: &Path, folder: &str, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(root.join(folder)).expect("the folders of the table can be read") {
        let entry = entry.expect("a folder's entries can be read");
        let path = format!("{folder}/{}", entry.file_name().to_str().expect("names are UTF-8"));
        if entry.path().is_dir() {
            read_folder(root, &path, sources);
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(entry.path()).expect("a source file is readable UTF-8");
            sources.push(Source { path, text });
        }
    }
}

// --- Reading the code ------------------------------------------------------------------------------------------------

/// A word (identifier, keyword, number) or a mark of the code, and the line it stands on. A string is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    text: String,
    line: usize,
}

impl Token {
    fn is(&self, text: &str) -> bool {
        self.text == text
    }

    fn is_word(&self) -> bool {
        self.text.starts_with(is_word_char)
    }
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The token there, or nothing past the end: spares the readers below a check at every step.
fn text(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

/// The words and marks of the text, without comments, strings, characters and lifetimes; `::` is one mark.
fn tokens_of(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { chars: text.chars().collect(), at: 0, line: 1 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next_token() {
        tokens.push(token);
    }
    tokens
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    /// Steps over one character, counting lines.
    fn step(&mut self) {
        if self.peek(0) == '\n' {
            self.line += 1;
        }
        self.at += 1;
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.step();
        }
    }

    fn skip_while(&mut self, go_on: impl Fn(char) -> bool) {
        while self.at < self.chars.len() && go_on(self.peek(0)) {
            self.step();
        }
    }

    fn next_token(&mut self) -> Option<Token> {
        while self.at < self.chars.len() {
            let line = self.line;
            match (self.peek(0), self.peek(1)) {
                (c, _) if c.is_whitespace() => self.step(),
                ('/', '/') => self.skip_while(|c| c != '\n'),
                ('/', '*') => self.skip_block_comment(),
                ('"', _) => self.skip_quoted('"'),
                ('\'', _) => self.skip_character_or_lifetime(),
                (':', ':') => {
                    self.skip(2);
                    return Some(Token { text: "::".to_string(), line });
                }
                (c, _) if is_word_char(c) => {
                    if let Some(text) = self.word_or_string() {
                        return Some(Token { text, line });
                    }
                }
                (c, _) => {
                    self.step();
                    return Some(Token { text: c.to_string(), line });
                }
            }
        }
        None
    }

    /// Block comments nest.
    fn skip_block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => {
                    depth += 1;
                    self.skip(2);
                }
                ('*', '/') => {
                    depth -= 1;
                    self.skip(2);
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.step(),
            }
        }
    }

    /// From the opening quote to past the closing one.
    fn skip_quoted(&mut self, quote: char) {
        self.step();
        while self.at < self.chars.len() && self.peek(0) != quote {
            let escaped = self.peek(0) == '\\';
            self.skip(if escaped { 2 } else { 1 });
        }
        self.step();
    }

    /// `'a'` and `'\n'` are characters; `'a` is a lifetime or a label.
    fn skip_character_or_lifetime(&mut self) {
        if self.peek(1) == '\\' || self.peek(2) == '\'' {
            self.skip_quoted('\'');
        } else {
            self.step();
            self.skip_while(is_word_char);
        }
    }

    /// From the first `#` or quote after the `r` to past the closing quote and its `#`s.
    fn skip_raw_string(&mut self, hashes: usize) {
        self.skip(hashes + 1);
        while self.at < self.chars.len() {
            let closes = self.peek(0) == '"' && (1..=hashes).all(|i| self.peek(i) == '#');
            self.step();
            if closes {
                self.skip(hashes);
                return;
            }
        }
    }

    /// A word, or nothing where it turns out to be the prefix of a literal: `b"..."`, `r#"..."#`, `b'x'`.
    fn word_or_string(&mut self) -> Option<String> {
        let start = self.at;
        self.skip_while(is_word_char);
        let word: String = self.chars[start..self.at].iter().collect();
        let mut hashes = 0;
        while self.peek(hashes) == '#' {
            hashes += 1;
        }
        match (word.as_str(), self.peek(0)) {
            ("b" | "c", '"') => self.skip_quoted('"'),
            ("b", '\'') => self.skip_quoted('\''),
            ("r" | "br" | "cr", '"' | '#') if self.peek(hashes) == '"' => self.skip_raw_string(hashes),
            _ => return Some(word),
        }
        None
    }
}

/// Where the code is unsafe, or lifts the ban on it, and what stands there. An attribute that lifts the ban may stand
/// on `mod name;` if `may_lift(name)`.
fn unsafe_places(tokens: &[Token], may_lift: impl Fn(&str) -> bool) -> Vec<(usize, String)> {
    let mut places = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token.is("unsafe") {
            places.push((token.line, "unsafe".to_string()));
        }
        let Some(end) = attribute_end(tokens, at) else { continue };
        let Some(lint) = (at..end).find(|&i| tokens[i].is("unsafe_code")) else { continue };
        let level = (at..lint).rev().find(|&i| text(tokens, i + 1) == "(").map_or("", |i| text(tokens, i));
        let lifts = !matches!(level, "deny" | "forbid");
        let declared = module_declared(tokens, end).is_some_and(&may_lift);
        if lifts && !declared {
            places.push((tokens[lint].line, format!("{level}(unsafe_code)")));
        }
    }
    places
}

/// `name`, if an item `mod name;` begins here.
fn module_declared(tokens: &[Token], at: usize) -> Option<&str> {
    let at = item_start(tokens, at);
    let declares = text(tokens, at) == "mod" && text(tokens, at + 2) == ";";
    declares.then(|| text(tokens, at + 1))
}

/// Just past the attribute that begins here, if one does.
fn attribute_end(tokens: &[Token], at: usize) -> Option<usize> {
    let inner = usize::from(text(tokens, at + 1) == "!");
    let begins = text(tokens, at) == "#" && text(tokens, at + 1 + inner) == "[";
    begins.then(|| group_end(tokens, at + 1 + inner))
}

/// Just past the bracket that closes the one here.
fn group_end(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// Past the attributes and the visibility of the item that begins here.
fn item_start(tokens: &[Token], mut at: usize) -> usize {
    while let Some(end) = attribute_end(tokens, at) {
        at = end;
    }
    if text(tokens, at) == "pub" {
        at += 1;
        if text(tokens, at) == "(" {
            at = group_end(tokens, at);
        }
    }
    at
}

/// The code without what is compiled for tests only: each `mod`, `use`, `fn` or other item under `#[cfg(test)]`.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match attribute_end(tokens, at) {
            Some(end) if is_for_tests(&tokens[at..end]) => at = item_end(tokens, end),
            _ => {
                kept.push(tokens[at].clone());
                at += 1;
            }
        }
    }
    kept
}

/// Is this attribute `#[cfg(test)]`, or a `cfg` with `test` among the conditions of its `all`?
fn is_for_tests(attribute: &[Token]) -> bool {
    text(attribute, 2) == "cfg" && requires_test(&attribute[3..])
}

/// Does this bracketed list of conditions, all of which must hold, hold in tests only? What is inside `not` or `any`
/// says nothing of the kind.
fn requires_test(list: &[Token]) -> bool {
    let mut at = 1;
    while at < list.len() {
        let has_list = text(list, at + 1) == "(";
        match text(list, at) {
            "test" => return true,
            "all" if has_list && requires_test(&list[at + 1..group_end(list, at + 1)]) => return true,
            _ if has_list => at = group_end(list, at + 1),
            _ => at += 1,
        }
    }
    false
}

/// Just past the item that begins here: its `;`, or its body; for a field, variant or match arm, its comma.
fn item_end(tokens: &[Token], at: usize) -> usize {
    const ITEMS: [&str; 15] = [
        "async",
        "const",
        "enum",
        "extern",
        "fn",
        "impl",
        "let",
        "macro_rules",
        "mod",
        "static",
        "struct",
        "trait",
        "type",
        "unsafe",
        "use",
    ];
    let mut at = item_start(tokens, at);
    let is_item = ITEMS.contains(&text(tokens, at));
    let is_use = text(tokens, at) == "use";
    while at < tokens.len() {
        match text(tokens, at) {
            ")" | "]" | "}" => return at, // the end of what the item is part of
            ";" => return at + 1,
            "," if !is_item => return at + 1,
            "{" if !is_use => return group_end(tokens, at),
            "(" | "[" | "{" => at = group_end(tokens, at),
            _ => at += 1,
        }
    }
    at
}

/// The names of our packages where they begin a path or stand in a `use`.
fn package_names(tokens: &[Token]) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Some(name) = PACKAGES.into_iter().find(|name| token.is(name)) else { continue };
        let before = at.checked_sub(1).map_or("", |at| text(tokens, at));
        let imported = matches!(before, "use" | "crate");
        let begins_path = text(tokens, at + 1) == "::" && before != ".";
        let is_global = before != "::" || !at.checked_sub(2).is_some_and(|at| tokens[at].is_word());
        if imported || (begins_path && is_global) {
            found.push((token.line, name));
        }
    }
    found
}

/// A path that the code names, from the crate's root on, and the line of its last part.
#[derive(Debug, PartialEq, Eq)]
struct Import {
    line: usize,
    target: Vec<String>,
}

impl Import {
    fn written(&self) -> String {
        let mut path = vec!["crate"];
        path.extend(self.target.iter().map(String::as_str));
        path.join("::")
    }
}

/// Every path under `crate`, `super` or `self`, in a `use` or elsewhere, as the module at `module` means it.
fn imports(tokens: &[Token], module: &[String]) -> Vec<Import> {
    let mut found = Vec::new();
    let mut module = module.to_vec();
    let mut open_modules = Vec::new(); // inline modules: how deep in braces each began
    let mut depth = 0;
    let mut at = 0;
    while at < tokens.len() {
        let before = at.checked_sub(1).map_or("", |at| text(tokens, at));
        match text(tokens, at) {
            "mod" if text(tokens, at + 2) == "{" => {
                module.push(text(tokens, at + 1).to_string());
                open_modules.push(depth);
            }
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if open_modules.last() == Some(&depth) {
                    open_modules.pop();
                    module.pop();
                }
            }
            // A visibility is no import: `pub(crate)`, `pub(in crate::task)`.
            "pub" if text(tokens, at + 1) == "(" => {
                let is_plain = text(tokens, at + 3) == ")";
                if text(tokens, at + 2) == "in" || is_plain {
                    at = group_end(tokens, at + 1);
                    continue;
                }
            }
            "crate" | "super" | "self" if begins_path(tokens, at, before) => {
                let mut paths = Vec::new();
                at = read_paths(tokens, at, &mut Vec::new(), &mut paths);
                found.extend(paths.into_iter().map(|(line, path)| {
                    let target = resolve(&module, &path);
                    Import { line, target }
                }));
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// `self` alone is a value, `crate` after `extern` a keyword; after `::` or `.` it is not the beginning.
fn begins_path(tokens: &[Token], at: usize, before: &str) -> bool {
    let goes_on = text(tokens, at + 1) == "::";
    let renamed = text(tokens, at) == "crate" && text(tokens, at + 1) == "as";
    (goes_on || renamed) && !matches!(before, "::" | "." | "extern")
}

/// Reads the path that goes on here, after `prefix`, to each of its ends where braces divide it. Returns where it ends.
fn read_paths(
    tokens: &[Token],
    mut at: usize,
    prefix: &mut Vec<String>,
    paths: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    if text(tokens, at) == "{" {
        let end = group_end(tokens, at);
        at += 1;
        while at + 1 < end {
            at = read_paths(tokens, at, prefix, paths);
            while at + 1 < end && text(tokens, at) != "," {
                at += 1; // `as name`
            }
            at += 1;
        }
        return end;
    }
    let Some(token) = tokens.get(at) else { return at };
    prefix.push(token.text.trim_start_matches("r#").to_string());
    let goes_on = tokens.get(at + 2).is_some_and(|next| next.is_word() || next.is("{") || next.is("*"));
    at = if text(tokens, at + 1) == "::" && goes_on {
        read_paths(tokens, at + 2, prefix, paths)
    } else {
        paths.push((token.line, prefix.clone()));
        at + 1
    };
    prefix.pop();
    at
}

/// The path from the crate's root on: `super::super::timer::Wheel`, said in `task::cell`, is `timer::Wheel`.
fn resolve(module: &[String], path: &[String]) -> Vec<String> {
    let mut target = if path[0] == "crate" { Vec::new() } else { module.to_vec() };
    for part in path {
        match part.as_str() {
            "crate" | "self" => {}
            "super" => {
                target.pop();
            }
            name => target.push(name.to_string()),
        }
    }
    target
}

// --- The checker checked: it must fail when it has to ----------------------------------------------------------------

/// A house as small as can be, with every kind of room.
const TOY: House = House {
    packages: &[
        Package {
            src: "low/src",
            layers: &[
                layer("L0", Ordered, &[], "ground"),
                layer("L1", Apart, &[], "engines"),
                layer("L2", Apart, &[], "doors"),
            ],
            rooms: &[
                room("L0", "arena.rs", "keys"),
                room("L0", "trace.rs", "names"),
                room("L1", "task/", "tasks"),
                room("L1", "timer/", "timers"),
                room("L2", "net/", "sockets"),
            ],
        },
        Package {
            src: "high/src",
            layers: &[layer("H0", Apart, &[], "words"), layer("H1", Apart, &["evloop_runtime"], "servers")],
            rooms: &[room("H0", "error.rs", "errors"), room("H1", "server/", "sockets")],
        },
    ],
    unsafe_rooms: &[("low/src/task/cell.rs", "one allocation")],
    thread_local_rooms: &[("low/src/trace.rs", "who runs")],
};

/// The toy's files, all in order, but for those given here.
fn toy_with(files: &[(&str, &str)]) -> Vec<Source> {
    const SOUND: [(&str, &str); 10] = [
        ("high/src/error.rs", "//! Errors.\npub struct Error;"),
        ("high/src/lib.rs", "mod error;\npub mod server;\npub use crate::error::Error;"),
        ("high/src/server/mod.rs", "use evloop_runtime::net;\nuse crate::error::Error;"),
        ("low/src/arena.rs", "pub struct Key;"),
        ("low/src/lib.rs", "#![deny(unsafe_code)]\nmod arena;\npub use crate::net::Stream;"),
        ("low/src/net/mod.rs", "use crate::{arena::Key, task::{self, cell::Cell}, timer};"),
        ("low/src/task/cell.rs", "use crate::arena::Key; use super::Task;\nfn f() { unsafe { g() } }"),
        ("low/src/task/mod.rs", "#[allow(unsafe_code, reason = \"proved there\")]\nmod cell;\nuse self::cell::Cell;"),
        ("low/src/timer/mod.rs", "pub(crate) fn now() {}"),
        ("low/src/trace.rs", "use crate::arena::Key;\nthread_local! { static T: u8 = 0; }"),
    ];
    let mut sources: Vec<Source> = (SOUND.iter())
        .filter(|(path, _)| files.iter().all(|(other, _)| path != other))
        .chain(files)
        .map(|(path, text)| Source { path: path.to_string(), text: text.to_string() })
        .collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// What the checker says when one file of the toy reads like this: `line rule text`, up to the text's first colon.
fn complaints(path: &str, text: &str) -> Vec<String> {
    (TOY.inspect(&toy_with(&[(path, text)])).iter())
        .map(|complaint| {
            assert_eq!(complaint.path, path, "{complaint}");
            let line = complaint.line.map_or(String::new(), |line| format!("{line} "));
            let words: Vec<&str> = complaint.text.split(": ").take(2).collect();
            format!("{line}{:?} {}", complaint.rule, words.join(": "))
        })
        .collect()
}

#[test]
fn a_sound_house_gets_no_complaint() {
    let complaints: Vec<String> = TOY.inspect(&toy_with(&[])).iter().map(Complaint::to_string).collect();
    assert_eq!(complaints, [""; 0]);
}

#[test]
fn an_import_upward_is_found() {
    let found = complaints("low/src/task/mod.rs", "use crate::arena::Key;\n\nuse crate::net::Stream;\n");
    assert_eq!(found, ["3 Import imports crate::net::Stream: up"]);
    let found = complaints("low/src/arena.rs", "use crate::trace::name;");
    assert_eq!(found, ["1 Import imports crate::trace::name: up"]);
}

#[test]
fn an_import_sideways_is_found() {
    let found = complaints("low/src/task/cell.rs", "pub use crate::timer::Wheel;");
    assert_eq!(found, ["1 Import imports crate::timer::Wheel: sideways"]);
}

#[test]
fn an_import_through_the_facade_is_found() {
    for text in ["use crate::Stream;", "use crate::*;", "use super::*;", "use crate as root;", "crate::run!();"] {
        let found = complaints("low/src/arena.rs", text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].ends_with(": up"), "{text}: {found:?}");
    }
}

#[test]
fn a_complaint_names_file_line_and_reason() {
    let all = TOY.inspect(&toy_with(&[("low/src/task/join.rs", "\nuse crate::timer::Wheel;")]));
    assert_eq!(all.len(), 1);
    assert_eq!(
        all[0].to_string(),
        "low/src/task/join.rs:2: imports crate::timer::Wheel: \
         sideways: timer/ (L1, timers) lies beside task/ (engines)"
    );
}

#[test]
fn grouped_imports_over_several_lines_are_followed_to_each_end() {
    let text =
        "use crate::{\n    arena::Key,\n    net::{\n        self,\n        Stream as S,\n    },\n    timer::*,\n};";
    assert_eq!(
        complaints("low/src/task/mod.rs", text),
        [
            "4 Import imports crate::net: up",
            "5 Import imports crate::net::Stream: up",
            "7 Import imports crate::timer::*: sideways",
        ]
    );
}

#[test]
fn paths_by_super_that_leave_the_folder_are_found() {
    let found = complaints("low/src/task/cell.rs", "use super::super::timer::Wheel;\nuse super::Join;");
    assert_eq!(found, ["1 Import imports crate::timer::Wheel: sideways"]);
    let found =
        complaints("low/src/arena.rs", "mod inner {\n use super::Key;\n use super::super::net;\n}\nuse super::task;");
    assert_eq!(found, ["3 Import imports crate::net: up", "5 Import imports crate::task: up"]);
    let found = complaints("low/src/task/mod.rs", "use super::{arena::Key, timer::Wheel};");
    assert_eq!(found, ["1 Import imports crate::timer::Wheel: sideways"]);
}

#[test]
fn paths_in_expressions_and_macros_are_found() {
    let text = "
fn f(&self) -> u8 {
    self.go(crate::timer::Wheel::<u8>::new())
}
macro_rules! m { () => { $crate::net::x() } }";
    assert_eq!(
        complaints("low/src/task/mod.rs", text),
        ["3 Import imports crate::timer::Wheel: sideways", "5 Import imports crate::net::x: up"]
    );
}

#[test]
fn the_facade_imports_all() {
    let text = "pub use crate::net::Stream;\npub mod engine { pub use crate::{arena::Key, task}; }";
    assert_eq!(complaints("low/src/lib.rs", text), [""; 0]);
}

#[test]
fn visibility_is_no_import() {
    let text = "
pub(crate) struct A(pub(super) u8);
pub(in crate::timer) fn f(self: Box<Self>) {}
struct B(pub (crate::net::C, u8));";
    assert_eq!(complaints("low/src/timer/mod.rs", text), ["4 Import imports crate::net::C: up"]);
}

#[test]
fn comments_and_strings_are_not_read() {
    let text = r##"
//! use crate::net; unsafe
/* use crate::net; /* unsafe */ thread_local! */
/// `crate::net::Stream`
const A: &str = "crate::net \" unsafe { thread_local!";
const B: &str = r#"crate::net " unsafe"#;
const C: [char; 3] = ['"', '\'', b'"' as char];
fn f<'a>(x: &'a str) -> &'a str { x }
use crate::net;
"##;
    assert_eq!(complaints("low/src/arena.rs", text), ["9 Import imports crate::net: up"]);
}

#[test]
fn tests_may_look_anywhere() {
    let text = "
fn f() {}
#[cfg(test)]
use crate::net::{Stream, Listener};
#[cfg(all(test, not(loom)))]
#[allow(clippy::all)]
mod tests {
    use crate::net::Stream;
    thread_local! {}
    #[test]
    fn claim() { crate::timer::now() }
}
struct S { #[cfg(test)] seen: crate::net::Stream, kept: crate::timer::Wheel }
#[cfg(not(test))]
use crate::net::Stream;
#[cfg(any(test, loom))]
fn g() { crate::net::f() }
";
    assert_eq!(
        complaints("low/src/task/cell.rs", text),
        [
            "13 Import imports crate::timer::Wheel: sideways",
            "15 Import imports crate::net::Stream: up",
            "17 Import imports crate::net::f: up",
        ]
    );
    assert_eq!(complaints("low/src/task/tests.rs", "use crate::net; thread_local! {}"), [""; 0]);
}

#[test]
fn stray_unsafe_is_found_in_tests_too() {
    let found = complaints("low/src/timer/mod.rs", "fn f() {\n    unsafe { g() }\n}\nunsafe impl Send for T {}");
    assert_eq!(
        found,
        ["2 Unsafe unsafe: only low/src/task/cell.rs may", "4 Unsafe unsafe: only low/src/task/cell.rs may"]
    );
    assert_eq!(complaints("low/src/timer/mod.rs", "#[cfg(test)]\nmod tests { unsafe fn f() {} }").len(), 1);
    assert_eq!(complaints("low/src/timer/tests.rs", "unsafe fn f() {}").len(), 1);
}

#[test]
fn the_ban_on_unsafe_is_lifted_for_its_rooms_only() {
    for text in ["#![forbid(unsafe_code)]", "#![deny(missing_docs, unsafe_code)]", "fn unsafe_code() {}"] {
        assert_eq!(complaints("low/src/timer/mod.rs", text), [""; 0], "{text}");
    }
    for text in [
        "#![allow(unsafe_code)]",
        "#[allow(dead_code, unsafe_code, reason = \"x\")]\nmod cell;",
        "#[expect(unsafe_code)]\nfn f() {}",
        "#![cfg_attr(loom, allow(unsafe_code))]",
    ] {
        let found = complaints("low/src/timer/mod.rs", text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with("1 Unsafe"), "{text}: {found:?}");
    }
    let text = "#[allow(unsafe_code)]\npub(crate) mod cell;\n#[allow(unsafe_code)]\nmod join;";
    let found = complaints("low/src/task/mod.rs", text);
    assert_eq!(found, ["3 Unsafe allow(unsafe_code): only low/src/task/cell.rs may"]);
}

#[test]
fn a_stray_thread_local_is_found() {
    let found = complaints("low/src/task/mod.rs", "\nstd::thread_local! { static A: u8 = 0; }");
    assert_eq!(found, ["2 ThreadLocal thread_local!: only low/src/trace.rs may"]);
}

#[test]
fn an_unknown_file_is_found() {
    for path in ["low/src/misc.rs", "low/src/misc/mod.rs", "low/src/task.rs", "high/src/main.rs"] {
        assert_eq!(complaints(path, "").len(), 1, "{path}");
        assert!(complaints(path, "")[0].starts_with("Table no room of the table"), "{path}");
    }
}

#[test]
fn a_room_that_is_gone_is_found() {
    let mut sources = toy_with(&[]);
    sources.retain(|source| source.path != "low/src/timer/mod.rs" && source.path != "low/src/task/cell.rs");
    let complaints: Vec<String> = TOY.inspect(&sources).iter().map(Complaint::to_string).collect();
    assert_eq!(
        complaints,
        [
            "low/src/timer/: in the table, but not in the tree: remove the line",
            "low/src/task/cell.rs: listed as an exception, but not in the tree: remove the line",
        ]
    );
}

#[test]
fn packages_use_each_other_in_one_direction() {
    let found = complaints("low/src/net/mod.rs", "use evloop_http::Server;\nfn f() { ::evloop::run() }");
    assert_eq!(
        found,
        ["1 Import uses evloop_http: not for net/ (L2, doors)", "2 Import uses evloop: not for net/ (L2, doors)"]
    );
    let found = complaints("low/src/lib.rs", "pub use evloop_http as http;");
    assert_eq!(found, ["1 Import uses evloop_http: no layer of low/src may"]);
    let found = complaints("high/src/error.rs", "use evloop_runtime::net;");
    assert_eq!(found, ["1 Import uses evloop_runtime: not for error.rs (H0, words)"]);
    assert_eq!(complaints("high/src/server/mod.rs", "use evloop_runtime::{net, time};"), [""; 0]);
}
