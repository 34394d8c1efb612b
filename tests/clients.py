#!/usr/bin/env python3
"""Lets the clients that people use talk to the demo server, and nginx stand before it.

    cargo build --release
    python3 tests/clients.py --server target/release/evloop
    python3 tests/clients.py --server target/release/evloop --only curl --only nginx
    python3 tests/clients.py --list

Not part of the timed suite. It needs Linux and Python 3.9 or later; a client that is not installed is reported as left
out, which is no failure. Debian's packages for all of them: curl wrk apache2-utils nodejs golang nginx chromium; and
Python's aiohttp, httpx and requests for the interpreter that `--python` names.

Each client has a server of its own, started here and always ended. How many connections a client made is not asked of
the client but of the kernel, which remembers them for a minute (in the state TIME_WAIT) after their end.

The exit status is 1 if any check fails, 2 if the script was called wrongly.
"""

import argparse
import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Set, Tuple

# No program that is started here may take longer.
PROGRAM_S = 90
LARGE = 10_000_000
# What is echoed to clients that send a whole body before they read: it has to fit into the kernel's buffers.
MEDIUM = 100_000
HELLO = b"Hello, World!"


# --- The server -------------------------------------------------------------------------------------------------------


class Server:
    """A server of our own, which is ended whatever happens."""

    def __init__(self, binary: str, folder: Path, *options: str):
        self.log = (folder / "server.log").open("w+b")
        command = [binary, "serve", "--port", "0", "--log-level", "warn", *options]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log
        )
        line = self.process.stdout.readline().decode()
        port = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        if port is None:
            self.end()
            raise RuntimeError(f"the server did not start: {line.strip()} {self.said()}")
        self.port = int(port[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def connections(self) -> int:
        """How many connections there have been since the start, up to a minute ago."""
        return len(connections(self.port))

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def end(self) -> Optional[int]:
        """Its exit status after SIGTERM; `None` if it had to be killed."""
        return end(self.process)


def connections(port: int) -> Set[int]:
    """The other ends' ports of connections to this port: those open, and those ended less than a minute ago."""
    found = set()
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in list(table)[1:]:
            ports = [int(address.rpartition(":")[2], 16) for address in line.split()[1:3]]
            if port in ports:
                found.add(ports[1 - ports.index(port)])
    return found - {0}  # the listening socket has no other end


def end(process: subprocess.Popen) -> Optional[int]:
    process.terminate()
    try:
        return process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


# --- Checks and programs ----------------------------------------------------------------------------------------------


class Checks:
    """What was looked at with one client, and what of it failed."""

    def __init__(self, client: str):
        self.client, self.held, self.failed = client, 0, 0

    def check(self, what: str, holds: bool, seen: object = ""):
        """Counts one check. What was seen is told when it fails."""
        if holds:
            self.held += 1
            return
        self.failed += 1
        print(f"  FAILED: {self.client}: {what}: {str(seen)[:3000]}", flush=True)


class Folder:
    """Where the programs and the bodies that they send lie."""

    def __init__(self, path: str):
        self.path = Path(path)
        self.large = bytes(range(256)) * (LARGE // 256)
        self.large_file = self.write("large", self.large)
        self.medium = self.large[:MEDIUM]

    def write(self, name: str, content) -> str:
        content = content if isinstance(content, bytes) else textwrap.dedent(content).encode()
        (self.path / name).write_bytes(content)
        return str(self.path / name)


def run(*command: str, stdin: bytes = b"", env: Optional[Dict[str, str]] = None) -> subprocess.CompletedProcess:
    """Runs a program to its end: what it writes, and its status (-1 when it took too long)."""
    try:
        return subprocess.run(command, input=stdin, capture_output=True, timeout=PROGRAM_S, env=env, check=False)
    except subprocess.TimeoutExpired as over:
        return subprocess.CompletedProcess(command, -1, over.stdout or b"", over.stderr or b"")


def transcript(done: subprocess.CompletedProcess) -> str:
    command = " ".join(part if len(part) < 200 else part[:200] + "..." for part in done.args)
    said = done.stderr.decode(errors="replace")[-1500:]
    return f"$ {command}\nstatus {done.returncode}\n{done.stdout[-1500:]!r}\n{said}"


CLIENTS: List[Tuple[str, Optional[str], Callable]] = []


def client(name: str, program: Optional[str] = None):
    """Adds the function below to the clients; it is left out where the program is not installed."""

    def add(function):
        CLIENTS.append((name, program, function))
        return function

    return add


# --- Command line clients ---------------------------------------------------------------------------------------------


@client("curl", "curl")
def curl(server: Server, folder: Folder, checks: Checks):
    """All routes, HTTP/1.0 and 1.1, bodies both ways, Expect, early refusals."""

    def ask(what: str, holds: Callable[[subprocess.CompletedProcess], bool], *options: str, stdin: bytes = b""):
        done = run("curl", "-sS", "--max-time", "60", *options, stdin=stdin)
        checks.check(what, done.returncode == 0 and holds(done), transcript(done))

    url, before = server.url, server.connections()
    ask("three requests", lambda done: done.stdout == HELLO * 3, *[f"{url}/plaintext"] * 3)
    checks.check("three requests on one connection", server.connections() == before + 1, server.connections())
    ask("HEAD", lambda done: b"content-length: 13\r\n" in done.stdout.lower(), "-I", f"{url}/")
    ask("the page", lambda done: b"<title>" in done.stdout, "-H", "Accept: text/html", f"{url}/")
    curl_bodies(url, folder, ask)
    for version in "-0", "--http1.1":
        lines = lambda done: done.stdout.count(b"\n") == 10
        ask(f"/stream {version}", lines, version, f"{url}/stream")
        ask(f"/plaintext {version}", lambda done: done.stdout == HELLO, version, f"{url}/plaintext")
    first_and_last = lambda done: [float(s) for s in re.findall(rb"([\d.]+)s", done.stdout)[-2:]]
    ask("/stream comes line by line", lambda done: first_and_last(done)[0] < 0.5 < 0.8 < first_and_last(done)[1],
        "-N", "-w", "%{time_starttransfer}s %{time_total}s", f"{url}/stream")  # fmt: skip
    began = time.monotonic()
    ask("50 sleeps at once", lambda done: done.stdout.count(b"300") == 50,
        "-Z", "--parallel-max", "50", "--parallel-immediate", *[f"{url}/sleep?ms=300"] * 50)  # fmt: skip
    checks.check("50 sleeps take as long as one", time.monotonic() - began < 3, time.monotonic() - began)
    for route, status in ("/panic", 500), ("/status/204", 204), ("/status/304", 304), ("/nowhere", 404):
        told = lambda done, status=status: done.stdout.endswith(b"%d" % status)
        ask(route, told, "-o", "/dev/null", "-w", "%{http_code}", url + route)
    ask("/headers", lambda done: b"curl/" in done.stdout and json.loads(done.stdout), f"{url}/headers")


def curl_bodies(url: str, folder: Folder, ask: Callable):
    """What curl sends, and large answers."""
    echoed, large = (lambda done: done.stdout == b"hello"), (lambda done: done.stdout == folder.large)
    refused = lambda done: done.stdout.endswith(b"405")
    file, echo = folder.large_file, f"{url}/echo"
    ask("POST", echoed, "--data-binary", "hello", echo)
    ask("POST, chunked", echoed, "-H", "Transfer-Encoding: chunked", "--data-binary", "@-", echo, stdin=b"hello")
    ask("10 MB both ways", large, "-H", "Expect:", "--data-binary", f"@{file}", echo)
    ask("10 MB both ways, chunked", large, "-H", "Transfer-Encoding: chunked", "-X", "POST", "-T", file, echo)
    told = lambda done: large(done) and b"< HTTP/1.1 100 Continue" in done.stderr
    ask("Expect: 100-continue", told, "-v", "-H", "Expect: 100-continue", "--data-binary", f"@{file}", echo)
    ask("10 MB to a route that takes none", refused, "-o", "/dev/null", "-w", "%{http_code}",
        "-H", "Expect:", "--data-binary", f"@{file}", f"{url}/plaintext")  # fmt: skip
    ask("the same, having asked before", lambda done: refused(done) and b"100 Continue" not in done.stderr,
        "-v", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Expect: 100-continue",
        "--data-binary", f"@{file}", f"{url}/plaintext")  # fmt: skip
    ask("10 MB down", lambda done: len(done.stdout) == LARGE, f"{url}/big?n={LARGE}")
    ask("10 MB down, HTTP/1.0", lambda done: len(done.stdout) == LARGE, "-0", f"{url}/big?n={LARGE}")


@client("wrk", "wrk")
def wrk(server: Server, folder: Folder, checks: Checks):
    """64 connections, one request at a time and 16."""
    wrk_without_errors("64 connections", f"{server.url}/plaintext", checks)
    checks.check("64 connections are reused", server.connections() <= 80, server.connections())
    script = folder.write("pipeline.lua", """\
        init = function(args)
          local requests = {}
          for i = 1, 16 do requests[i] = wrk.format("GET", "/plaintext") end
          request_bytes = table.concat(requests)
        end
        request = function() return request_bytes end
        """)  # fmt: skip
    wrk_without_errors("16 requests at a time", f"{server.url}/plaintext", checks, "-s", script)


def wrk_without_errors(what: str, url: str, checks: Checks, *options: str):
    done = run("wrk", "-t1", "-c64", "-d2s", *options, url)
    served = re.search(rb"(\d+) requests in", done.stdout)
    clean = b"Socket errors" not in done.stdout and b"Non-2xx" not in done.stdout
    checks.check(what, done.returncode == 0 and clean and served and int(served[1]) > 0, transcript(done))


@client("ab", "ab")
def ab(server: Server, folder: Folder, checks: Checks):
    """HTTP/1.0, with and without keep-alive, and POST."""
    body = folder.write("small", b"hello" * 100)
    for what, options, route, kept in [
        ("HTTP/1.0", [], "/plaintext", 0),
        ("HTTP/1.0, kept alive", ["-k"], "/plaintext", 5000),
        ("POST, kept alive", ["-k", "-p", body, "-T", "text/plain"], "/echo", 5000),
    ]:
        done = run("ab", "-q", "-n", "5000", "-c", "32", *options, server.url + route)
        figures = dict(re.findall(r"^(.+?): +(\d+)", done.stdout.decode(errors="replace"), re.MULTILINE))
        whole = (figures.get("Complete requests"), figures.get("Failed requests")) == ("5000", "0")
        checks.check(what, whole and "Non-2xx responses" not in figures, transcript(done))
        reused = int(figures.get("Keep-Alive requests", 0))
        checks.check(f"{what}: connections reused", reused == kept, transcript(done))


@client("chromium", "chromium")
def chromium(server: Server, folder: Folder, checks: Checks):
    """The page as the browser has built it."""
    done = run("chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder.path / 'profile'}",
               "--virtual-time-budget=2000", "--dump-dom", f"{server.url}/")  # fmt: skip
    checks.check("the page", b"<title>evloop" in done.stdout, transcript(done))


# --- Languages --------------------------------------------------------------------------------------------------------


@client("http.client")
def http_client(server: Server, folder: Folder, checks: Checks):
    """Python's own client, and requests that are sent before the answers are read."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)

    def ask(what: str, wanted: bytes, *request, **more):
        connection.request(*request, **more)
        response = connection.getresponse()
        body = response.read()
        checks.check(what, response.status == 200 and body == wanted, (response.status, body[:200], response.headers))

    for _ in range(10):
        ask("GET", HELLO, "GET", "/plaintext")
    ask("HEAD", b"", "HEAD", "/plaintext")
    ask("POST", b"hello", "POST", "/echo", body=b"hello")
    ask("100 kB both ways", folder.medium, "POST", "/echo", body=folder.medium)
    ask("100 kB both ways, chunked", folder.medium, "POST", "/echo", body=in_pieces(folder.medium), encode_chunked=True)
    ask("GET after them", HELLO, "GET", "/plaintext")
    checks.check("all on one connection", server.connections() == 1, server.connections())
    connection.close()
    pipelined(server, checks)


def in_pieces(body: bytes) -> Iterator[bytes]:
    return (body[at : at + 4096] for at in range(0, len(body), 4096))


def pipelined(server: Server, checks: Checks):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sock:
        one = b"GET /plaintext HTTP/1.1\r\nHost: a\r\n"
        sock.sendall((one + b"\r\n") * 99 + one + b"Connection: close\r\n\r\n")
        data = b"".join(iter(lambda: sock.recv(65536), b""))
    checks.check("100 requests before the first answer", data.count(HELLO) == 100, data[-300:])


PYTHON = """\
    import asyncio, json, sys, time
    url, large = sys.argv[1], bytes(range(256)) * (%d // 256)
    medium = large[:%d]  # for those who send all before they read

    def in_pieces(body):
        return (body[at : at + 4096] for at in range(0, len(body), 4096))

    def check(what, holds, seen=""):
        print(json.dumps([what, bool(holds), str(seen)[:500]]))
    """ % (LARGE, MEDIUM)

AIOHTTP = PYTHON + """
    import aiohttp

    async def pieces():
        for piece in in_pieces(large):
            yield piece

    async def main():
        async with aiohttp.ClientSession(url) as session:
            for _ in range(10):
                async with session.get("/plaintext") as got:
                    check("GET", await got.read() == b"Hello, World!", got)
            async with session.head("/") as got:
                check("HEAD", got.status == 200, got)
            async with session.post("/echo", data=large) as got:
                check("10 MB both ways", await got.read() == large, got)
            async with session.post("/echo", data=pieces()) as got:
                check("10 MB both ways, chunked", await got.read() == large, got)
            async with session.post("/echo", data=large, expect100=True) as got:
                check("Expect: 100-continue", await got.read() == large, got)
            async with session.get("/stream") as got:
                check("/stream", (await got.read()).count(b"\\n") == 10, got)
            async def sleep():
                async with session.get("/sleep?ms=300") as got:
                    return got.status
            began = time.monotonic()
            told = await asyncio.gather(*(sleep() for _ in range(50)))
            check("50 sleeps at once", set(told) == {200} and time.monotonic() - began < 3, told)

    asyncio.run(main())
    """

HTTPX = PYTHON + """
    import httpx

    def main():
        with httpx.Client(base_url=url, timeout=30) as session:
            for _ in range(10):
                check("GET", session.get("/plaintext").content == b"Hello, World!")
            check("HEAD", session.head("/").status_code == 200)
            check("100 kB both ways", session.post("/echo", content=medium).content == medium)
            got = session.post("/echo", content=in_pieces(medium))
            check("100 kB both ways, chunked", got.content == medium, got)
            with session.stream("GET", "/stream") as got:
                check("/stream", len(list(got.iter_lines())) == 10)

    main()
    """

REQUESTS = PYTHON + """
    import requests

    def main():
        with requests.Session() as session:
            for _ in range(10):
                check("GET", session.get(url + "/plaintext", timeout=30).content == b"Hello, World!")
            check("HEAD", session.head(url + "/", timeout=30).status_code == 200)
            check("100 kB both ways", session.post(url + "/echo", data=medium, timeout=30).content == medium)
            got = session.post(url + "/echo", data=in_pieces(medium), timeout=30)
            check("100 kB both ways, chunked", got.content == medium, got)
            got = session.get(url + "/stream", stream=True, timeout=30)
            check("/stream", len(list(got.iter_lines())) == 10)

    main()
    """

NODE = """\
    const http = require("node:http");
    const url = process.argv[2];
    const large = Buffer.alloc(%d, Buffer.from(Array.from({ length: 256 }, (_, i) => i)));
    const check = (what, holds, seen) => console.log(JSON.stringify([what, Boolean(holds), String(seen)]));
    const bytes = async (response) => Buffer.from(await response.arrayBuffer());
    async function* pieces() {
      for (let at = 0; at < large.length; at += 65536) yield large.subarray(at, at + 65536);
    }
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const get = () => new Promise((resolve, reject) => {
      http.get(url + "/plaintext", { agent }, (response) => {
        const port = response.socket.localPort;
        response.on("end", () => resolve(port)).resume();
      }).on("error", reject);
    });
    async function main() {
      for (let i = 0; i < 10; i++) {
        check("fetch", (await (await fetch(url + "/plaintext")).text()) === "Hello, World!");
      }
      check("HEAD", (await fetch(url + "/", { method: "HEAD" })).status === 200);
      const posted = await fetch(url + "/echo", { method: "POST", body: large });
      check("10 MB both ways", large.equals(await bytes(posted)));
      const body = ReadableStream.from(pieces());
      const streamed = await fetch(url + "/echo", { method: "POST", body, duplex: "half" });
      check("10 MB both ways, chunked", large.equals(await bytes(streamed)));
      check("/stream", (await (await fetch(url + "/stream")).text()).split("\\n").length === 11);
      const began = Date.now();
      const all = await Promise.all(Array.from({ length: 50 }, () => fetch(url + "/sleep?ms=300")));
      check("50 sleeps at once", all.every((one) => one.status === 200) && Date.now() - began < 3000);
      const ports = new Set();
      for (let i = 0; i < 10; i++) ports.add(await get());
      check("node:http reuses its connection", ports.size === 1, [...ports]);
      agent.destroy();
    }
    main().then(
      () => process.exit(0),
      (error) => { check("no error", false, error.stack + error.cause); process.exit(1); },
    );
    """ % (LARGE // 256 * 256)

GO = """\
    package main

    import (
    	"bytes"
    	"encoding/json"
    	"fmt"
    	"io"
    	"net/http"
    	"net/http/httptrace"
    	"os"
    	"strings"
    	"time"
    )

    func check(what string, holds bool, seen ...any) {
    	line, _ := json.Marshal([]any{what, holds, fmt.Sprint(seen...)})
    	fmt.Println(string(line))
    }

    var url, large = os.Args[1], bytes.Repeat(counting(), %d/256)
    var fresh, told100 int

    func counting() []byte {
    	all := make([]byte, 256)
    	for i := range all {
    		all[i] = byte(i)
    	}
    	return all
    }

    // The reader's type decides between Content-Length and chunked.
    func ask(method, route string, body io.Reader, fields ...string) (int, []byte, error) {
    	request, err := http.NewRequest(method, url+route, body)
    	if err != nil {
    		return 0, nil, err
    	}
    	for i := 0; i < len(fields); i += 2 {
    		request.Header.Set(fields[i], fields[i+1])
    	}
    	trace := &httptrace.ClientTrace{
    		GotConn: func(info httptrace.GotConnInfo) {
    			if !info.Reused {
    				fresh++
    			}
    		},
    		Got100Continue: func() { told100++ },
    	}
    	request = request.WithContext(httptrace.WithClientTrace(request.Context(), trace))
    	response, err := http.DefaultClient.Do(request)
    	if err != nil {
    		return 0, nil, err
    	}
    	defer response.Body.Close()
    	got, err := io.ReadAll(response.Body)
    	return response.StatusCode, got, err
    }

    func main() {
    	http.DefaultTransport.(*http.Transport).ExpectContinueTimeout = 30 * time.Second
    	for i := 0; i < 10; i++ {
    		status, got, err := ask("GET", "/plaintext", nil)
    		check("GET", status == 200 && string(got) == "Hello, World!", err)
    	}
    	status, _, err := ask("HEAD", "/", nil)
    	check("HEAD", status == 200, err)
    	_, got, err := ask("POST", "/echo", bytes.NewReader(large))
    	check("10 MB both ways", bytes.Equal(got, large), err)
    	_, got, err = ask("POST", "/echo", io.MultiReader(bytes.NewReader(large)))
    	check("10 MB both ways, chunked", bytes.Equal(got, large), err)
    	_, got, err = ask("POST", "/echo", strings.NewReader("hello"), "Expect", "100-continue")
    	check("Expect: 100-continue", string(got) == "hello" && told100 == 1, err, told100)
    	_, got, err = ask("GET", "/stream", nil)
    	check("/stream", bytes.Count(got, []byte("\\n")) == 10, err)
    	check("all on one connection", fresh == 1, fresh)
    }
    """ % LARGE


def told_by(program: Sequence[str], checks: Checks, env: Optional[Dict[str, str]] = None):
    """Runs a program that prints its checks, one a line."""
    done = run(*program, env=env)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"[")]
    for what, holds, seen in lines:
        checks.check(what, holds, seen)
    checks.check("the program", done.returncode == 0 and lines, transcript(done))


def python_client(module: str, program: str):
    @client(module, f"python:{module}")
    def ask(server: Server, folder: Folder, checks: Checks):
        told_by([ARGUMENTS.python, folder.write(f"ask_{module}.py", program), server.url], checks)

    ask.__doc__ = f"Python's {module}: bodies both ways, with a length and chunked, and connections reused."


python_client("aiohttp", AIOHTTP)
python_client("httpx", HTTPX)
python_client("requests", REQUESTS)


@client("node", "node")
def node(server: Server, folder: Folder, checks: Checks):
    """fetch and node:http."""
    told_by(["node", folder.write("ask.js", NODE), server.url], checks)


@client("go", "go")
def go(server: Server, folder: Folder, checks: Checks):
    """Go's net/http."""
    env = dict(os.environ, GOCACHE=str(folder.path / "go"), GOFLAGS="-mod=mod", GO111MODULE="off")
    program = str(folder.path / "ask")
    built = run("go", "build", "-o", program, folder.write("ask.go", GO), env=env)
    checks.check("the program compiles", built.returncode == 0, transcript(built))
    if built.returncode == 0:
        told_by([program, server.url], checks)


# --- nginx before it --------------------------------------------------------------------------------------------------

NGINX = """\
    daemon off;
    USER
    worker_processes 1;
    pid FOLDER/nginx.pid;
    error_log FOLDER/nginx-error.log warn;
    events { worker_connections 1024; }
    http {
      access_log off;
      client_body_temp_path FOLDER/body;
      proxy_temp_path FOLDER/proxy;
      fastcgi_temp_path FOLDER/fastcgi;
      uwsgi_temp_path FOLDER/uwsgi;
      scgi_temp_path FOLDER/scgi;
      client_max_body_size 100m;
      upstream evloop {
        server 127.0.0.1:UPSTREAM;
        keepalive 64;
        keepalive_requests 1000000;
      }
      server {
        listen 127.0.0.1:PORT;
        keepalive_requests 1000000;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        location / { proxy_pass http://evloop; }
        location /unbuffered/ {
          proxy_buffering off;
          proxy_request_buffering off;
          proxy_pass http://evloop/;
        }
      }
    }
    """


@client("nginx", "nginx")
def nginx(server: Server, folder: Folder, checks: Checks):
    """nginx as a reverse proxy, connections kept alive on both sides."""
    port = free_port()
    # Its worker must be let into the folder, which is ours alone.
    user = "user root;" if os.geteuid() == 0 else ""
    text = NGINX
    for name, value in ("USER", user), ("FOLDER", folder.path), ("UPSTREAM", server.port), ("PORT", port):
        text = text.replace(name, str(value))
    config = folder.write("nginx.conf", text)
    process = subprocess.Popen(["nginx", "-c", config, "-e", str(folder.path / "nginx-error.log")])
    try:
        if not answers(port):
            checks.check("nginx starts", False, (folder.path / "nginx-error.log").read_text())
            return
        through_nginx(port, server, folder, checks)
    finally:
        end(process)
    # nginx warns of bodies that it buffers in files; an error is a line of a higher level.
    errors = re.findall(r".*\[(?:error|crit|alert|emerg)\].*", (folder.path / "nginx-error.log").read_text())
    checks.check("nginx has nothing to complain about", not errors, "\n".join(errors[:5]))


def through_nginx(port: int, server: Server, folder: Folder, checks: Checks):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(what: str, status: int, wanted: Optional[bytes], *request, **more):
        connection.request(*request, **more)
        response = connection.getresponse()
        body = response.read()
        fits = response.status == status and (wanted is None or body == wanted)
        checks.check(what, fits, (response.status, body[:200], str(response.headers)))

    for _ in range(100):
        ask("GET", 200, HELLO, "GET", "/plaintext")
    checks.check("100 requests on one connection to the server", server.connections() <= 2, server.connections())
    # nginx sends no more of a request once it has passed on the head of the answer: a large body cannot be echoed.
    body = folder.medium
    for where in "", "/unbuffered":
        ask(f"HEAD {where}", 200, b"", "HEAD", f"{where}/")
        ask(f"POST {where}", 200, b"hello", "POST", f"{where}/echo", body=b"hello")
        ask(f"100 kB both ways {where}", 200, body, "POST", f"{where}/echo", body=body)
        ask(f"the same, chunked {where}", 200, body, "POST", f"{where}/echo", body=in_pieces(body), encode_chunked=True)
        # After an answer that came before the request's end, nginx may close without having said so.
        connection.close()
        ask(f"10 MB to a route that takes none {where}", 405, None, "POST", f"{where}/plaintext", body=folder.large)
        connection.close()
        ask(f"10 MB down {where}", 200, None, "GET", f"{where}/big?n={LARGE}")
        ask(f"204 {where}", 204, b"", "GET", f"{where}/status/204")
        ask(f"304 {where}", 304, b"", "GET", f"{where}/status/304")
        ask(f"500 {where}", 500, None, "GET", f"{where}/panic")
        ask(f"404 {where}", 404, None, "GET", f"{where}/nowhere")
    connection.request("GET", "/unbuffered/stream")
    response, began = connection.getresponse(), time.monotonic()
    first = response.readline()
    first_after, rest = time.monotonic() - began, response.read()
    lines, took = (first + rest).count(b"\n"), time.monotonic() - began
    checks.check("/stream comes line by line", lines == 10 and first_after < 0.5 < took, (lines, first_after, took))
    # Longer than the server keeps an idle connection: nginx finds that it has been closed, and makes another.
    time.sleep(KEEP_ALIVE_S + 1)
    ask("GET after the server has closed the idle connections", 200, HELLO, "GET", "/plaintext")
    connection.close()
    if shutil.which("wrk"):
        before = server.connections()
        wrk_without_errors("wrk through nginx", f"http://127.0.0.1:{port}/plaintext", checks)
        made = server.connections() - before
        checks.check("wrk's requests share the connections to the server", made <= 80, made)


# The server's own default is longer than this script wants to wait.
KEEP_ALIVE_S = 2


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def answers(port: int) -> bool:
    """Whether somebody listens before ten seconds have passed."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        time.sleep(0.05)
    return False


# --- The whole run ----------------------------------------------------------------------------------------------------


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", metavar="PATH", help="the evloop binary")
    parser.add_argument("--only", metavar="NAME", action="append", help="let this client alone talk; may be repeated")
    parser.add_argument("--list", action="store_true", help="tell the clients and end")
    parser.add_argument("--python", metavar="PATH", default=sys.executable, help="an interpreter that has the modules")
    chosen = parser.parse_args()
    unknown = set(chosen.only or []) - {name for name, _, _ in CLIENTS}
    if unknown:
        parser.error(f"no client is called {', '.join(sorted(unknown))}; see --list")
    if not chosen.list and not chosen.server:
        parser.error("--server says which binary to talk to")
    return chosen


def installed(program: Optional[str]) -> bool:
    if program is None:
        return True
    if program.startswith("python:"):
        return run(ARGUMENTS.python, "-c", f"import {program.partition(':')[2]}").returncode == 0
    return shutil.which(program) is not None


def talk(name: str, function: Callable) -> Checks:
    checks = Checks(name)
    with tempfile.TemporaryDirectory() as path:
        server = Server(ARGUMENTS.server, Path(path), "--timeout-keep-alive", str(KEEP_ALIVE_S))
        try:
            function(server, Folder(path), checks)
        except (OSError, http.client.HTTPException) as error:
            checks.check("no error", False, repr(error))
        finally:
            status = server.end()
        checks.check("the server ends well", status == 0, f"status {status}: {server.said()[-1000:]}")
    return checks


def main() -> int:
    if ARGUMENTS.list:
        for name, _, function in CLIENTS:
            print(f"{name:12} {function.__doc__}")
        return 0
    failed = 0
    for name, program, function in CLIENTS:
        if ARGUMENTS.only and name not in ARGUMENTS.only:
            continue
        if not installed(program):
            print(f"{name}: left out, it is not installed", flush=True)
            continue
        checks = talk(name, function)
        failed += checks.failed
        print(f"{name}: {checks.held} checks hold, {checks.failed} fail", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    ARGUMENTS = arguments()
    sys.exit(main())
