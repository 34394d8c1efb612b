//! The HTTP servers that are programs of the machine: nginx, a C program on libuv, node, and uvicorn on uvloop.
//!
//! Nothing is downloaded or installed for them. One that is not here is left out, and the report says why; the reasons are
//! those of the functions below. What each is given, a configuration or a program, lies beside this file as it is read by
//! people, and is written into the directory of the [`Place`].

use super::Place;
use super::answers::{ROUTES, large_body, route_body, route_path};
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// nginx, one worker without a master process: [`nginx.conf`](https://nginx.org/en/docs/) says each setting.
///
/// # Errors
///
/// When there is no nginx, or it cannot do the scenario: a plain configuration has no word for a request's body.
pub(crate) fn nginx(place: &Place<'_>) -> Result<Command, String> {
    if place.scenario.name == "post" {
        return Err(
            "a configuration of nginx reads no body, and would answer with the length that is announced".to_owned()
        );
    }
    let nginx = program("nginx", &["/usr/sbin", "/usr/local/sbin"])?;
    write(place, "large", &large_body())?;
    let configuration = write(place, "nginx.conf", nginx_configuration(place.directory, place.port).as_bytes())?;
    let mut command = Command::new(nginx);
    // Its own first words would go to the place that was compiled in.
    command.arg("-e").arg(place.directory.join("error.log")).arg("-c").arg(configuration);
    Ok(command)
}

/// The configuration with its places filled in, a `location` for each route.
fn nginx_configuration(directory: &Path, port: u16) -> String {
    let mut routes = String::new();
    for index in 0..ROUTES {
        let _ =
            writeln!(routes, "        location = {} {{ return 200 \"{}\"; }}", route_path(index), route_body(index));
    }
    include_str!("nginx.conf")
        .replace("{directory}", &directory.to_string_lossy())
        .replace("{port}", &port.to_string())
        .replace("{routes}", routes.trim_end())
}

/// libuv's loop and sockets under a minimal handler in C, compiled for this machine.
///
/// # Errors
///
/// When there is no compiler, or it finds no libuv.
pub(crate) fn libuv(place: &Place<'_>) -> Result<Command, String> {
    let mut command = Command::new(compiled_with_libuv(place.directory, include_str!("uv_http.c"))?);
    command.arg(place.port.to_string());
    Ok(command)
}

/// Compiles a program of one file in this directory, with the settings that Debian builds libuv itself with, and gives its
/// path.
///
/// # Errors
///
/// When there is no compiler, or what it said first.
pub(crate) fn compiled_with_libuv(directory: &Path, text: &str) -> Result<PathBuf, String> {
    let compiler = program("cc", &[])?;
    let (source, built) = (directory.join("libuv.c"), directory.join("libuv"));
    fs::write(&source, text).map_err(|error| format!("no room for its program: {error}"))?;
    let mut compile = Command::new(compiler);
    compile.args(["-O2", "-o"]).args([&built, &source]).arg("-luv").stdin(Stdio::null());
    let output = compile.output().map_err(|error| format!("cc does not run: {error}"))?;
    if output.status.success() {
        return Ok(built);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let error = said.lines().find(|line| line.contains("error") || line.contains("cannot find"));
    Err(format!("cc finds no libuv (Debian: libuv1-dev): {}", error.unwrap_or("it failed without a word")))
}

/// node's own HTTP server, one process.
///
/// # Errors
///
/// When there is no node.
pub(crate) fn node(place: &Place<'_>) -> Result<Command, String> {
    let mut command = Command::new(program("node", &[])?);
    command.arg(write(place, "server.js", include_bytes!("server.js"))?).arg(place.port.to_string());
    Ok(command)
}

/// uvicorn with the loop and the parser that it is fastest with, uvloop and httptools; it logs nothing, and has no lifespan,
/// no server or date field that it would not have by itself.
///
/// # Errors
///
/// When no python3 of the path has them; a virtual environment that is active is the first on the path.
pub(crate) fn uvicorn(place: &Place<'_>) -> Result<Command, String> {
    let mut command = Command::new(python_with(&["uvicorn", "uvloop", "httptools"])?);
    write(place, "app.py", include_bytes!("app.py"))?;
    command.args(["-m", "uvicorn", "app:app", "--app-dir"]).arg(place.directory);
    command.args(["--host", "127.0.0.1", "--port", &place.port.to_string(), "--backlog", "4096"]);
    command.args(["--loop", "uvloop", "--http", "httptools", "--ws", "none", "--lifespan", "off"]);
    command.args(["--no-access-log", "--log-level", "error", "--timeout-keep-alive", "600"]);
    Ok(command)
}

/// A Python that has these modules: itself, and no script in front of it that chooses among several.
///
/// # Errors
///
/// When there is none on the path, or it lacks one.
pub(crate) fn python_with(modules: &[&str]) -> Result<PathBuf, String> {
    let python = program("python3", &[])?;
    let mut ask = Command::new(&python);
    ask.arg("-c").arg(format!("import sys, {}; print(sys.executable)", modules.join(", ")));
    let output = ask.stdin(Stdio::null()).output().map_err(|error| format!("python3 does not run: {error}"))?;
    if output.status.success() {
        return Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end()));
    }
    Err(format!("{} has not all of {} (PyPI)", python.display(), modules.join(", ")))
}

/// A program of the path, or of these directories, which the path of a user who administers nothing may lack.
fn program(name: &str, more: &[&str]) -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain(more.iter().map(PathBuf::from));
    found(name, directories).ok_or_else(|| format!("no {name} on this machine"))
}

/// The first of the directories' entries of this name that is a file.
fn found(name: &str, directories: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    directories.map(|directory| directory.join(name)).find(|path| path.is_file())
}

/// Writes a file of the server's directory, and gives its path.
fn write(place: &Place<'_>, name: &str, bytes: &[u8]) -> Result<PathBuf, String> {
    let path = place.directory.join(name);
    fs::write(&path, bytes).map_err(|error| format!("no room for {}: {error}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::answers::scenario;

    #[test]
    fn configuration_of_nginx_has_no_place_left_empty() {
        let text = nginx_configuration(Path::new("/somewhere"), 8080);
        assert!(["{port}", "{directory}", "{routes}"].iter().all(|place| !text.contains(place)), "{text}");
        assert!(text.contains("listen 127.0.0.1:8080 backlog=4096;"));
        assert_eq!(text.matches("location = /route/").count(), ROUTES);
        assert!(text.contains("location = /route/199 { return 200 \"route 199\"; }"));
    }

    #[test]
    fn nginx_is_left_out_where_a_body_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place { directory: directory.path(), port: 1, scenario: scenario("post").unwrap() };
        assert!(nginx(&place).unwrap_err().contains("reads no body"));
    }

    #[test]
    fn program_is_the_first_of_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        for name in ["without", "first", "second"] {
            fs::create_dir(place(name)).unwrap();
        }
        fs::create_dir(place("without").join("nginx")).unwrap();
        fs::write(place("first").join("nginx"), "").unwrap();
        fs::write(place("second").join("nginx"), "").unwrap();
        let all = || ["without", "first", "second"].map(place).into_iter();
        assert_eq!(found("nginx", all()), Some(place("first").join("nginx")));
        assert_eq!(found("node", all()), None);
    }

    #[test]
    fn program_that_is_nowhere_is_told_by_name() {
        assert_eq!(program("no such program", &[]).unwrap_err(), "no no such program on this machine");
    }

    #[test]
    fn module_that_is_nowhere_is_told_by_name() {
        let error = python_with(&["no_such_module"]).unwrap_err();
        assert!(error.contains("no_such_module") || error == "no python3 on this machine", "{error}");
    }
}
