#!/usr/bin/env python3
"""Attacks the demo server from all sides, and looks whether anybody else notices.

    cargo build --release
    python3 tests/attack.py --server target/release/evloop
    python3 tests/attack.py --server target/release/evloop --only slow-heads --only garbage
    python3 tests/attack.py --list

Not part of the timed suite: it takes about four minutes, and it measures times. It needs Linux, Python 3.9 or later and
nothing else, and speaks to the loopback address alone.

Each attack has a server of its own, started here with short time-outs and always ended. Beside the attack runs one
good client: a keep-alive connection that asks for /plaintext every few milliseconds and notes how long each answer
takes. Afterwards the following must hold, besides what the attack itself expects:

- the server is alive, answers a new connection, and no thread of it has panicked;
- its log, at the level of warnings, has not grown by a line for each thing that a client did;
- its descriptors and its memory are back where they were, and its memory at the highest was within the attack's bound;
- left alone, it takes no processor time;
- no connection of the good client was broken; of its answers 99 in 100 took less than 20 ms, and none a second;
- SIGTERM ends it with status 0.

Three parties share two cores, so they are told apart: the server has the first core for itself; the second is the
clients', where the attacker's process runs at the lowest priority. Else the good client would measure how long it waits
for the attacker's Python and not how long it waits for the server. With a single core nothing is pinned. The first
"attack" is none at all: what it shows is the machine's own noise, with which the others are to be compared.

The exit status is 1 if any expectation fails, 2 if the script was called wrongly.
"""

import argparse
import asyncio
import collections
import contextlib
import gc
import itertools
import multiprocessing
import os
import random
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import Awaitable, Callable, Dict, List, Optional, Sequence

# The server's time-outs in seconds, short so that the attacks are.
HEAD_S, BODY_S, WRITE_S, IDLE_S = 4, 4, 4, 4
OPTIONS = [
    "--port", "0", "--log-level", "warn", "--no-access-log", "--timeout-head", str(HEAD_S),
    "--timeout-body", str(BODY_S), "--timeout-write", str(WRITE_S), "--timeout-keep-alive", str(IDLE_S),
]  # fmt: skip

GOOD_P99_MAX_MS = 20.0
# While the loop is held, the good client asks nothing, so a long pause is one slow answer among thousands of fast ones.
GOOD_MAX_MS = 1000.0
GOOD_PAUSE_S = 0.002
DESCRIPTORS_KEPT_MAX = 0
LOG_LINES_MAX = 20
QUIET_S, QUIET_TICKS_MAX = 2.0, 1
# How long after a time-out, at most, its effect is to be seen.
SLACK_S = 4.0
# No single attack may take longer, whatever happens.
ATTACK_S = 120.0

# The same mutations in each run; `--seed` gives others.
SEED = 1

# The attacker and the good client begin as copies of this process, whatever a later Python's default is.
FORK = multiprocessing.get_context("fork")

PLAINTEXT = b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n"
ECHO_CHUNKED = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


# --- What an attack is ------------------------------------------------------------------------------------------------


class Target:
    """The server as an attack sees it: an address, and what the kernel tells about the process."""

    def __init__(self, pid: int, port: int, seed: int):
        self.pid, self.port, self.seed = pid, port, seed

    def memory_mib(self, name: str = "VmRSS") -> float:
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            kib = next(line.split()[1] for line in status if line.startswith(name + ":"))
        return int(kib) / 1024

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def ticks(self) -> int:
        """Processor time of all its threads, in hundredths of a second."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])


class Findings:
    """What an attack found: figures to print, and expectations that failed."""

    def __init__(self):
        self.figures: Dict[str, object] = {}
        self.failures: List[str] = []

    def tell(self, **figures):
        self.figures.update(figures)

    def expect(self, holds: bool, what: str):
        if not holds:
            self.failures.append(what)


@dataclass
class Attack:
    """An attack, and what the server may need while it lasts and keep afterwards."""

    name: str
    run: Callable[[Target, Findings], Awaitable[None]]
    peak_mib: float
    # Working memory that waits in pools for the next connections, and what the allocator does not give back. A leak of
    # 4 KiB for each client of the larger attacks would be past it.
    kept_mib: float = 6
    options: List[str] = field(default_factory=list)
    descriptors_max: Optional[int] = None
    good_may_be_refused: bool = False


ATTACKS: List[Attack] = []


def attack(name: str, peak_mib: float = 16, **needs):
    """Adds the function below to the attacks. `peak_mib` bounds the growth of the server's memory meanwhile."""

    def add(run):
        ATTACKS.append(Attack(name, run, peak_mib, **needs))
        return run

    return add


# --- Sockets ----------------------------------------------------------------------------------------------------------


async def connect(target: Target, receive_bytes: Optional[int] = None) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if receive_bytes is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    await asyncio.wait_for(asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", target.port)), 30)
    return sock


async def connect_many(target: Target, count: int, receive_bytes: Optional[int] = None) -> List[socket.socket]:
    return [await connect(target, receive_bytes) for _ in range(count)]


async def send(sock: socket.socket, data: bytes, limit_s: float = 10) -> bool:
    """Whether the other side, or at least the kernel, took all of it."""
    try:
        await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(sock, data), limit_s)
        return True
    except (OSError, asyncio.TimeoutError):
        return False


async def receive(sock: socket.socket, limit_s: float) -> Optional[bytes]:
    """What comes next: nothing at the end, `None` when that was no end but a reset or a wait past the limit."""
    try:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 65536), limit_s)
    except (OSError, asyncio.TimeoutError):
        return None


async def until_end(sock: socket.socket, limit_s: float, keep_bytes: int = 65536):
    """Reads to the end: the first bytes of what came, and how it ended ("end", "reset" or "open")."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit_s
    data = b""
    while True:
        try:
            more = await asyncio.wait_for(loop.sock_recv(sock, 65536), max(deadline - loop.time(), 0.001))
        except asyncio.TimeoutError:
            return data, "open"
        except OSError:
            return data, "reset"
        if not more:
            return data, "end"
        data += more[: keep_bytes - len(data)]


async def response(sock: socket.socket, limit_s: float = 10) -> str:
    """The status of one small response with a Content-Length; "" if none came whole."""
    data, deadline = b"", time.monotonic() + limit_s
    while True:
        head, whole, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"\ncontent-length: *(\d+)", head.lower())
        if whole and length and len(body) >= int(length[1]):
            return status_of(data)
        more = await receive(sock, max(deadline - time.monotonic(), 0.001))
        if not more:
            return ""
        data += more


def status_of(data: bytes) -> str:
    """The status of a response, as text; "" if these bytes do not begin one."""
    line = re.match(rb"HTTP/1\.1 (\d{3}) ", data)
    return line[1].decode() if line else ""


def reset(sock: socket.socket):
    """Closes with a reset: nothing lingers, what was not sent is thrown away."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def close_all(socks: Sequence[socket.socket]):
    for sock in socks:
        sock.close()


async def in_waves(width: int, jobs: Sequence[Callable[[], Awaitable]]) -> list:
    """Runs the jobs, so many at once, and gives their results in order."""
    gate = asyncio.Semaphore(width)

    async def one(job):
        async with gate:
            return await job()

    return await asyncio.gather(*(one(job) for job in jobs))


async def within(limit_s: float, holds: Callable[[], bool]) -> bool:
    """Whether it comes to hold before so many seconds have passed."""
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


def counted(things) -> str:
    """How often each occurs, the most frequent first: "408 x1990, none x10"."""
    return ", ".join(f"{thing or 'none'} x{count}" for thing, count in collections.Counter(things).most_common())


# --- The attacks: slowness --------------------------------------------------------------------------------------------


@attack("quiet")
async def quiet(_target: Target, _findings: Findings):
    """No attack: the good client is alone with the machine's noise."""
    await asyncio.sleep(3)


async def drip(socks: Sequence[socket.socket], byte: bytes, seconds: int):
    """One byte from each, once a second; spread over the second, as independent clients would."""
    loop = asyncio.get_running_loop()
    for _ in range(seconds):
        began = loop.time()
        for number, sock in enumerate(socks):
            with contextlib.suppress(OSError):
                sock.send(byte)
            if number % 50 == 49:
                await asyncio.sleep(max(0, began + number / len(socks) - loop.time()))
        await asyncio.sleep(max(0, began + 1 - loop.time()))


async def ends(socks: Sequence[socket.socket], limit_s: float) -> list:
    """How each connection ends, with its last answer's status."""
    return await asyncio.gather(*(until_end(sock, limit_s) for sock in socks))


@attack("silent", peak_mib=8)
async def silent(target: Target, findings: Findings):
    """2,000 connections that never send a byte: each ends by --timeout-head."""
    socks = await connect_many(target, 2000)
    ended = await ends(socks, HEAD_S + SLACK_S)
    findings.tell(ended=counted(how for _, how in ended))
    findings.expect(all(how != "open" for _, how in ended), "a connection that never sends a byte is kept")
    close_all(socks)


@attack("slow-heads", peak_mib=24)
async def slow_heads(target: Target, findings: Findings):
    """2,000 clients that send a byte of their head each second: each is told 408 and ends by --timeout-head."""
    socks = await connect_many(target, 2000)
    for sock in socks:
        await send(sock, b"GET /plaintext HTTP/1.1\r\nHost: a\r\nX-Slow: ")
    await drip(socks, b"a", HEAD_S + 1)
    ended = await ends(socks, SLACK_S)
    findings.tell(ended=counted(how for _, how in ended), told=counted(status_of(data) for data, _ in ended))
    findings.expect(all(how != "open" for _, how in ended), "a head that never ends is waited for past --timeout-head")
    told = sum(status_of(data) == "408" for data, _ in ended)
    findings.expect(told >= 0.95 * len(socks), f"only {told} of {len(socks)} slow clients were told 408")
    close_all(socks)


@attack("slow-bodies", peak_mib=32)
async def slow_bodies(target: Target, findings: Findings):
    """1,000 uploads of a byte each second, which then stop half-way: each ends by --timeout-body."""
    socks = await connect_many(target, 1000)
    for sock in socks:
        await send(sock, b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
    await drip(socks, b"a", BODY_S + 2)
    ended = await ends(socks, BODY_S + SLACK_S)
    findings.tell(ended=counted(how for _, how in ended), told=counted(status_of(data) for data, _ in ended))
    findings.expect(all(how != "open" for _, how in ended), "a body that has stopped is waited for past --timeout-body")
    close_all(socks)


@attack("idle", peak_mib=16)
async def idle(target: Target, findings: Findings):
    """2,000 connections that ask once and then keep still: each ends by --timeout-keep-alive."""
    socks = await connect_many(target, 2000)
    for sock in socks:
        await send(sock, PLAINTEXT)
    ended = await ends(socks, IDLE_S + SLACK_S)
    findings.tell(ended=counted(how for _, how in ended))
    findings.expect(all(status_of(data) == "200" for data, _ in ended), "a request was not answered")
    findings.expect(all(how == "end" for _, how in ended), "an idle connection is kept, or was not closed cleanly")
    close_all(socks)


# Each holds a piece of the answer of 128 KiB, of which the allocator keeps a part when all have gone.
@attack("slow-readers", peak_mib=96, kept_mib=32)
async def slow_readers(target: Target, findings: Findings):
    """500 downloads of 1 GB, of which half read nothing and half read a little: who reads nothing is given up."""
    before = target.descriptors()
    socks = await connect_many(target, 500, receive_bytes=4096)
    for sock in socks:
        await send(sock, b"GET /big?n=1000000000 HTTP/1.1\r\nHost: a\r\n\r\n")
    still, slow = socks[:250], socks[250:]
    given_up = lambda: target.descriptors() <= before + len(slow)
    began, gone_after = time.monotonic(), None
    while time.monotonic() < began + WRITE_S + SLACK_S:
        if gone_after is None and given_up():
            gone_after = time.monotonic() - began
        for sock in slow:
            with contextlib.suppress(OSError):
                sock.recv(1024)
        await asyncio.sleep(0.5)
    findings.tell(given_up_after_s=gone_after and round(gone_after, 1), held=target.descriptors() - before)
    findings.expect(gone_after is not None, f"{len(still)} clients that read nothing are not given up")
    close_all(socks)


# --- The attacks: going away ------------------------------------------------------------------------------------------

STAGES = {
    "after connecting": b"",
    "in the head": b"GET /plaintext HTTP/1.1\r\nHo",
    "in the body": b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc",
    "while the handler waits": b"GET /sleep?ms=1000 HTTP/1.1\r\nHost: a\r\n\r\n",
    "while the handler works": b"GET /block?ms=200 HTTP/1.1\r\nHost: a\r\n\r\n",
    "between two chunks": b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n",
    "while the answer is written": b"GET /big?n=1000000000 HTTP/1.1\r\nHost: a\r\n\r\n",
    "with answers unread": PLAINTEXT * 20,
}


@attack("resets", peak_mib=48)
async def resets(target: Target, findings: Findings):
    """200 clients at each stage of a request that go away by a reset: nothing of them is left."""
    for stage, request in STAGES.items():
        before = target.descriptors()
        socks = await connect_many(target, 200)
        for sock in socks:
            await send(sock, request)
        await asyncio.sleep(0.15)
        for sock in socks:
            reset(sock)
        gone = await within(SLACK_S, lambda: target.descriptors() <= before)
        findings.expect(gone, f"{target.descriptors() - before} connections outlive their reset {stage}")
    sock = await connect(target)
    began = time.monotonic()
    await send(sock, b"GET /block?ms=1 HTTP/1.1\r\nHost: a\r\n\r\n")
    told = await response(sock, 10)
    waited_ms = (time.monotonic() - began) * 1000
    findings.tell(stages=len(STAGES), resets=200 * len(STAGES), pool_answers_after_ms=round(waited_ms))
    findings.expect(told == "200" and waited_ms < 2000, "the thread pool still works for those who have gone")
    sock.close()


@attack("short-connections")
async def short_connections(target: Target, findings: Findings):
    """20,000 connections of one request each, ended by the server, by the client, or by a reset: all are answered."""

    async def one(number: int) -> str:
        sock = await connect(target)
        if number % 3 == 0:
            await send(sock, b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            data, how = await until_end(sock, 10)
            told = status_of(data) if how == "end" else how
        else:
            await send(sock, PLAINTEXT)
            told = await response(sock)
        reset(sock) if number % 3 == 1 else sock.close()
        return told

    began = time.monotonic()
    told = await in_waves(64, [lambda number=number: one(number) for number in range(20_000)])
    findings.tell(told=counted(told), a_second=round(len(told) / (time.monotonic() - began)))
    findings.expect(set(told) == {"200"}, "a short connection was not answered")


# --- The attacks: too many --------------------------------------------------------------------------------------------


@attack("few-descriptors", descriptors_max=64)
async def few_descriptors(target: Target, findings: Findings):
    """200 clients of a server that has 64 descriptors: it pauses and does not spin, and in the end serves them all."""
    socks = await connect_many(target, 200)
    for sock in socks:
        await send(sock, PLAINTEXT)
    await asyncio.sleep(0.5)
    ticks = target.ticks()
    await asyncio.sleep(2)
    ticks = target.ticks() - ticks
    open_at_once = target.descriptors()
    told = await asyncio.gather(*(finish(sock) for sock in socks))
    findings.tell(told=counted(told), open_at_once=open_at_once, ticks_in_2_s_when_full=ticks)
    findings.expect(ticks <= 40, f"out of descriptors, it takes {ticks / 2} % of a core")
    findings.expect(set(told) == {"200"}, "a client was not served after descriptors had come free")


async def finish(sock: socket.socket) -> str:
    """Reads the answer, and makes room for the next."""
    told = await response(sock, 60)
    sock.close()
    return told


@attack("limit-connections", options=["--limit-connections", "100"])
async def limit_connections(target: Target, findings: Findings):
    """1,000 clients where 100 may be connected: the others wait, and all are served in the end."""
    before = target.descriptors()
    socks = await connect_many(target, 1000)
    for sock in socks:
        await send(sock, PLAINTEXT)
    await asyncio.sleep(1)
    open_at_once = target.descriptors() - before
    told = await asyncio.gather(*(finish(sock) for sock in socks))
    findings.tell(told=counted(told), open_at_once=open_at_once)
    findings.expect(open_at_once <= 100, f"{open_at_once} connections are open at once")
    findings.expect(set(told) == {"200"}, "a client was not served after others had gone")


@attack("limit-concurrency", options=["--limit-concurrency", "50"], good_may_be_refused=True)
async def limit_concurrency(target: Target, findings: Findings):
    """200 requests where 50 may be served at once: the others are told 503 at once, and later ones are served."""
    socks = await connect_many(target, 200)
    began = time.monotonic()
    for sock in socks:
        await send(sock, b"GET /sleep?ms=2000 HTTP/1.1\r\nHost: a\r\n\r\n")
    told = await asyncio.gather(*(finish(sock) for sock in socks))
    took = time.monotonic() - began
    sock = await connect(target)
    await send(sock, PLAINTEXT)
    later = await finish(sock)
    findings.tell(told=counted(told), took_s=round(took, 1), later=later)
    served, refused = told.count("200"), told.count("503")
    findings.expect(45 <= served <= 50, f"{served} requests were served at once")
    findings.expect(served + refused == len(told), "a request was neither served nor told 503")
    findings.expect(later == "200", "the limit still holds after the requests have gone")


@attack("pipelined", peak_mib=8)
async def pipelined(target: Target, findings: Findings):
    """8 clients that send 100,000 requests and read nothing meanwhile: answers wait in no memory, and none is lost."""
    wanted = 100_000  # all their answers are 100 MB, far more than the kernel takes
    socks = await connect_many(target, 8, receive_bytes=4096)
    sending = [asyncio.ensure_future(send(sock, PLAINTEXT * wanted, 60)) for sock in socks]
    await asyncio.sleep(WRITE_S / 2)
    answers = await asyncio.gather(*(count_answers(sock, wanted) for sock in socks))
    findings.tell(answers=counted(answers))
    findings.expect(set(answers) == {wanted}, "pipelined requests have lost their answers")
    for task in sending:
        task.cancel()
    close_all(socks)


async def count_answers(sock: socket.socket, wanted: int) -> int:
    """How many responses come, reading until so many have come or no more do."""
    count, tail, begins = 0, b"", b"HTTP/1.1 200 OK\r\n"
    while count < wanted:
        more = await receive(sock, 10)
        if not more:
            break
        data = tail + more
        count += data.count(begins)
        # What may begin another response, but not what was counted: shorter than it by one byte.
        tail = data[-(len(begins) - 1) :]
    return count


# --- The attacks: without end -----------------------------------------------------------------------------------------


@dataclass
class Endless:
    """A request that never ends: how it begins, what is repeated, what may answer it, how much may be taken."""

    begins: bytes
    repeats: bytes
    answers: set
    # More than the limit itself: what the two kernels hold, and what is thrown away while the end lingers.
    bytes_max: int = 16 << 20


# An answer of 200 is one that had begun before the request went wrong; it is cut.
ENDLESS = {
    "request line": Endless(b"GET /", b"a" * 65536, {"414"}),
    "field": Endless(b"GET / HTTP/1.1\r\nHost: a\r\nX-Endless: ", b"a" * 65536, {"431"}),
    "fields": Endless(b"GET / HTTP/1.1\r\nHost: a\r\n", b"X: a\r\n" * 10_000, {"431"}),
    "empty lines": Endless(b"", b"\r\n" * 30_000, {"400"}),
    "chunk size": Endless(ECHO_CHUNKED, b"0" * 65536, {"400", "200"}),
    "chunk extension": Endless(ECHO_CHUNKED + b"1;", b"a" * 65536, {"400", "200"}),
    "trailer": Endless(ECHO_CHUNKED + b"0\r\nX-Endless: ", b"a" * 65536, {"400", "431", "200"}),
    "trailers": Endless(ECHO_CHUNKED + b"0\r\n", b"X: a\r\n" * 10_000, {"400", "431", "200"}),
}


@attack("endless", peak_mib=24)
async def endless(target: Target, findings: Findings):
    """10 clients each whose request line, field, fields, chunk extension or trailers never end: refused and closed."""
    taken_most = 0
    for name, kind in ENDLESS.items():
        ended = await asyncio.gather(*(send_without_end(target, kind) for _ in range(10)))
        taken_most = max(taken_most, max(taken for taken, _, _ in ended))
        told = {status for _, status, _ in ended}
        findings.expect(told <= kind.answers, f"an endless {name} was answered with {counted(s for _, s, _ in ended)}")
        findings.expect(all(how != "open" for _, _, how in ended), f"an endless {name} was not closed")
        findings.expect(
            all(taken <= kind.bytes_max for taken, _, _ in ended), f"much of an endless {name} was taken"
        )
    findings.tell(kinds=len(ENDLESS), taken_most_kib=taken_most >> 10)


async def send_without_end(target: Target, kind: Endless):
    """Sends until nobody takes it any more: how much was taken, the answer's status, and how it ended."""
    sock = await connect(target)
    reading = asyncio.ensure_future(until_end(sock, 20))
    await send(sock, kind.begins)
    taken = 0
    while taken <= kind.bytes_max and not reading.done() and await send(sock, kind.repeats):
        taken += len(kind.repeats)
    data, how = await reading
    sock.close()
    return taken, status_of(data), how


def flood(target: Target, piece: bytes, reads: bool, until: float) -> int:
    """Sends pieces to /echo as fast as it can, for as long as they are taken: how many."""
    sent = 0
    with socket.create_connection(("127.0.0.1", target.port), timeout=10) as sock:
        if reads:
            threading.Thread(target=read_all, args=(sock,), daemon=True).start()
        with contextlib.suppress(OSError):
            sock.sendall(ECHO_CHUNKED)
            while time.monotonic() < until:
                sock.settimeout(max(until - time.monotonic(), 0.001))
                sock.sendall(piece)
                sent += 1
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)  # closing alone would wait for the thread that reads
    return sent


def read_all(sock: socket.socket):
    with contextlib.suppress(OSError):
        while sock.recv(1 << 20):
            pass


async def floods(target: Target, findings: Findings, piece: bytes):
    """8 such clients for 5 seconds, in threads because one alone would not keep the server busy."""
    before, until = target.descriptors(), time.monotonic() + 5
    jobs = [asyncio.to_thread(flood, target, piece, reads=number % 2 == 0, until=until) for number in range(8)]
    sent = await asyncio.gather(*jobs)
    gone = await within(SLACK_S, lambda: target.descriptors() <= before)
    findings.tell(mib_of_readers=sum(sent[::2]) * len(piece) >> 20, mib_of_others=sum(sent[1::2]) * len(piece) >> 20)
    findings.expect(gone, "a connection outlives its client")


@attack("tiny-chunks", peak_mib=24)
async def tiny_chunks(target: Target, findings: Findings):
    """8 clients that send chunks of one byte as fast as they can, of which half never read what is echoed."""
    await floods(target, findings, b"1\r\na\r\n" * 20_000)


@attack("greedy", peak_mib=24)
async def greedy(target: Target, findings: Findings):
    """8 clients that send large chunks as fast as they can, of which half never read what is echoed."""
    await floods(target, findings, b"10000\r\n" + b"a" * 65536 + b"\r\n")


# --- The attacks: garbage ---------------------------------------------------------------------------------------------

SEEDS = [
    PLAINTEXT,
    PLAINTEXT * 3,
    b"HEAD / HTTP/1.1\r\nHost: a.example:80\r\nAccept: text/html;q=0.5, */*\r\n\r\n",
    b"GET http://a.example/plaintext?x=1 HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /plaintext HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world" + PLAINTEXT,
    b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    ECHO_CHUNKED + b"5;a=b\r\nhello\r\n006\r\n world\r\n0\r\nTrailer: x\r\n\r\n" + PLAINTEXT,
    b"GET /status/404 HTTP/1.1\r\nHost: [::1]:80\r\nCookie: a=b; c=d\r\nUser-Agent: x (y; z) w/1.0\r\n\r\n",
]
# What parsers have stumbled over before.
SPICES = [
    b"\0", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b":", b";", b",", b"\x7f", b"\xff\xfe", b"%00", b"../",
    b"Content-Length: 5\r\n", b"Content-Length: +5\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: b\r\n", b"*",
    b"Transfer-Encoding : chunked\r\n", b" folded\r\n", b"18446744073709551616", b"ffffffffffffffffff\r\n", b"-1",
    b"HTTP/1.1", b"HTTP/9.9", b"Upgrade: h2c\r\nConnection: upgrade\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"0x5", b"A" * 9000,
]  # fmt: skip


def mutated(rng: random.Random) -> bytes:
    """A valid request to which a few accidents have happened."""
    data = bytearray(rng.choice(SEEDS))
    for _ in range(rng.choice([1, 1, 2, 3, 8])):
        at, length = rng.randrange(len(data) + 1), rng.choice([1, 1, 2, 5, 20])
        accident = rng.randrange(6)
        if accident == 0:
            data[at : at + length] = b""
        elif accident == 1:
            data[at:at] = bytes(rng.randrange(256) for _ in range(length))
        elif accident == 2:
            data[at:at] = rng.choice(SPICES)
        elif accident == 3:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif accident == 4:
            data[at:at] = data[rng.randrange(len(data) + 1) :][:length]
        else:
            data = data[:at]
    return bytes(data)


@attack("garbage")
async def garbage(target: Target, findings: Findings):
    """4,000 requests with accidents: each is answered or refused and its connection ends; none is an error of ours."""
    rng = random.Random(target.seed)
    requests = [mutated(rng) for _ in range(4000)]

    async def one(data: bytes):
        sock = await connect(target)
        await send(sock, data)
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        ended = await until_end(sock, 15)
        sock.close()
        return ended

    ended = await in_waves(100, [lambda data=data: one(data) for data in requests])
    told = [re.findall(rb"HTTP/1\.1 (\d{3}) ", data) for data, _ in ended]
    findings.tell(last=counted(statuses[-1].decode() if statuses else "" for statuses in told))
    for request, (data, how), statuses in zip(requests, ended, told):
        findings.expect(how == "end", f"{how} after {request[:200]!r}")
        findings.expect(not data or bool(status_of(data)), f"no response but {data[:80]!r} after {request[:200]!r}")
        findings.expect(not set(statuses) & {b"500", b"502", b"504"}, f"{statuses} after {request[:200]!r}")


# --- The good client --------------------------------------------------------------------------------------------------


class GoodClient:
    """Asks for /plaintext again and again on one connection, in a process of its own, until it is told to stop."""

    def __init__(self, port: int):
        self.pipe, theirs = FORK.Pipe()
        self.process = FORK.Process(target=GoodClient.ask, args=(port, theirs), daemon=True)
        self.process.start()

    def stop(self) -> dict:
        """The latencies in milliseconds, and what went wrong."""
        self.pipe.send("stop")
        found = self.pipe.recv() if self.pipe.poll(30) else {"latencies_ms": [], "broken": 1, "refused": 0}
        self.process.join(5)
        self.process.kill()
        return found

    @staticmethod
    def ask(port: int, pipe):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        gc.disable()  # a collection of ours would count as the server's pause
        latencies_ms, broken, refused, sock = [], 0, 0, None
        while not pipe.poll():
            began = time.perf_counter()
            try:
                if sock is None:
                    sock = socket.create_connection(("127.0.0.1", port), timeout=10)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.sendall(PLAINTEXT)
                told = sock.recv(4096)
            except OSError:
                told = b""
            latencies_ms.append((time.perf_counter() - began) * 1000)
            refused += status_of(told) == "503"
            if status_of(told) not in ("200", "503"):
                broken += 1
            if not told or b"connection: close" in told.lower():
                if sock is not None:
                    sock.close()
                sock = None
            time.sleep(GOOD_PAUSE_S)
        pipe.send({"latencies_ms": latencies_ms, "broken": broken, "refused": refused})


def share_of(latencies_ms: Sequence[float], share: float) -> float:
    """What this share of the latencies does not exceed."""
    ordered = sorted(latencies_ms)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("inf")


# --- The server -------------------------------------------------------------------------------------------------------


def cores() -> Optional[List[int]]:
    """One core for the server and one for the clients, if there are two."""
    found = sorted(os.sched_getaffinity(0))
    return found[:2] if len(found) > 1 else None


class Server:
    """A server of our own, which is ended whatever happens."""

    def __init__(self, binary: str, options: Sequence[str], descriptors_max: Optional[int]):
        self.log = tempfile.TemporaryFile()
        pinned = cores()

        def prepare():
            if pinned:
                os.sched_setaffinity(0, pinned[:1])
            if descriptors_max is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors_max, descriptors_max))

        self.process = subprocess.Popen(
            [binary, "serve", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            preexec_fn=prepare,
        )
        line = self.process.stdout.readline().decode()
        port = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        if port is None:
            self.end()
            raise RuntimeError(f"the server did not start: {line.strip()} {self.said()}")
        self.port = int(port[1])

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def end(self) -> Optional[int]:
        """Its exit status after SIGTERM; `None` if it had to be killed."""
        self.process.terminate()
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


# --- One attack, from beginning to end --------------------------------------------------------------------------------


def attacker(run, target: Target, pipe):
    """The attacker's process: the lowest priority, and as many descriptors as may be had."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(19)
    findings = Findings()
    try:
        asyncio.run(asyncio.wait_for(run(target, findings), ATTACK_S))
    except asyncio.TimeoutError:
        findings.failures.append(f"the attack was not over after {ATTACK_S:.0f} s")
    except Exception as error:  # a fault of this script or of the machine; it is told, and the next attack runs
        findings.failures.append(f"the attack broke: {error!r}")
    pipe.send(findings)


def carry_out(one: Attack, target: Target) -> Findings:
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=attacker, args=(one.run, target, theirs), daemon=True)
    process.start()
    theirs.close()
    findings = Findings()
    try:
        findings = ours.recv() if ours.poll(ATTACK_S + 30) else findings
    except EOFError:
        findings.failures.append("the attacker has died")
    findings.expect(bool(process.is_alive() or process.exitcode == 0), "the attacker has died")
    process.join(5)
    process.kill()
    return findings


def ask_once(port: int) -> str:
    """The status that a new connection gets; "" for none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return status_of(sock.recv(4096))
    except OSError:
        return ""


def settle(holds: Callable[[], bool], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def examine(one: Attack, server: Server, findings: Findings, target: Target, before: dict):
    """Looks at the server after the attack and after the good client has gone."""
    answer = ask_once(server.port)
    findings.expect(answer == "200", f"a new connection is answered with {answer or 'nothing'}")
    gone = settle(lambda: target.descriptors() <= before["descriptors"] + DESCRIPTORS_KEPT_MAX, IDLE_S + SLACK_S)
    ticks = target.ticks()
    time.sleep(QUIET_S)
    ticks = target.ticks() - ticks
    after = {"descriptors": target.descriptors(), "memory": target.memory_mib(), "peak": target.memory_mib("VmHWM")}
    findings.tell(
        memory_mib=f"{before['memory']:.1f} -> {after['memory']:.1f} (peak {after['peak']:.1f})",
        descriptors=f"{before['descriptors']} -> {after['descriptors']}",
        idle_ticks=ticks,
    )
    findings.expect(gone, f"{after['descriptors'] - before['descriptors']} descriptors are still open")
    kept, peak = after["memory"] - before["memory"], after["peak"] - before["memory"]
    findings.expect(kept <= one.kept_mib, f"{kept:.1f} MiB are kept, of at most {one.kept_mib}")
    findings.expect(peak <= one.peak_mib, f"memory grew by {peak:.1f} MiB, of at most {one.peak_mib}")
    findings.expect(ticks <= QUIET_TICKS_MAX, f"left alone, it took {ticks} ticks in {QUIET_S:.0f} s")


def judge(one: Attack, good: dict, findings: Findings):
    """Looks at what the good client has seen."""
    latencies = good["latencies_ms"]
    p50, p99, most = (share_of(latencies, share) for share in (0.5, 0.99, 1.0))
    findings.tell(good_ms=f"p50 {p50:.2f} p99 {p99:.2f} max {most:.1f} of {len(latencies)}")
    findings.expect(p99 < GOOD_P99_MAX_MS, f"the good client's p99 is {p99:.1f} ms")
    findings.expect(most < GOOD_MAX_MS, f"one answer to the good client took {most:.0f} ms")
    findings.expect(good["broken"] == 0, f"{good['broken']} requests of the good client were broken")
    if one.good_may_be_refused:
        findings.tell(good_refused=good["refused"])
    else:
        findings.expect(good["refused"] == 0, f"{good['refused']} requests of the good client were refused")


def run(one: Attack, binary: str, seed: int) -> Findings:
    server = Server(binary, OPTIONS + one.options, one.descriptors_max)
    try:
        target = Target(server.process.pid, server.port, seed)
        ask_once(server.port)
        time.sleep(0.3)  # the server sees that end, too, before it is looked at
        before = {"descriptors": target.descriptors(), "memory": target.memory_mib()}
        good = GoodClient(server.port)
        time.sleep(0.3)
        try:
            findings = carry_out(one, target)
        finally:
            found = good.stop()
        judge(one, found, findings)
        findings.expect(server.process.poll() is None, "the server has died")
        if server.process.poll() is None:
            examine(one, server, findings, target, before)
    finally:
        status = server.end()
    findings.expect(status == 0, f"SIGTERM ended it with status {status}")
    said = server.said()
    lines = said.splitlines()
    findings.tell(log_lines=len(lines))
    last = "".join(lines[-1:])
    findings.expect(len(lines) <= LOG_LINES_MAX, f"{len(lines)} warnings are in its log; the last: {last}")
    findings.expect("panicked" not in said, "a thread has panicked: " + said[-500:])
    return findings


# --- The whole run ----------------------------------------------------------------------------------------------------


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", metavar="PATH", help="the evloop binary")
    parser.add_argument("--only", metavar="NAME", action="append", help="carry out this attack alone; may be repeated")
    parser.add_argument("--list", action="store_true", help="tell the attacks and end")
    parser.add_argument("--seed", type=int, default=SEED, help=f"for the garbage [{SEED}]")
    chosen = parser.parse_args()
    unknown = set(chosen.only or []) - {one.name for one in ATTACKS}
    if unknown:
        parser.error(f"no attack is called {', '.join(sorted(unknown))}; see --list")
    if not chosen.list and not chosen.server:
        parser.error("--server says which binary to attack")
    return chosen


def table(found: Dict[str, Findings]) -> str:
    """The findings as a table that a note can take as it is."""
    columns = ["memory_mib", "descriptors", "idle_ticks", "good_ms"]
    rows = [["attack", "MiB", "descriptors", "idle ticks", "good client, ms", "verdict"], ["---"] * 6]
    for name, findings in found.items():
        verdict = "holds" if not findings.failures else f"{len(findings.failures)} failed"
        rows.append([name, *(str(findings.figures.get(column, "-")) for column in columns), verdict])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main() -> int:
    chosen = arguments()
    if chosen.list:
        for one in ATTACKS:
            print(f"{one.name:18} {one.run.__doc__}")
        return 0
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if cores():
        os.sched_setaffinity(0, cores()[1:])
    found: Dict[str, Findings] = {}
    for one in ATTACKS:
        if chosen.only and one.name not in chosen.only:
            continue
        try:
            findings = run(one, chosen.server, chosen.seed)
        except (OSError, RuntimeError) as error:
            print(f"attack.py: {one.name}: {error}", file=sys.stderr)
            return 1
        found[one.name] = findings
        print(f"{one.name}: " + "; ".join(f"{name} {value}" for name, value in findings.figures.items()), flush=True)
        for failure in itertools.islice(findings.failures, 10):
            print(f"  FAILED: {failure}", flush=True)
    print("\n" + table(found))
    return 1 if any(findings.failures for findings in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
