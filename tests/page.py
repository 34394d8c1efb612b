#!/usr/bin/env python3
"""Opens the live page of the demo in Chromium, presses its buttons, and reads what it shows.

    cargo build
    python3 tests/page.py --server target/debug/evloop
    python3 tests/page.py --server target/debug/evloop --only buttons --shots /tmp/shots
    python3 tests/page.py --list

It needs Linux, Python 3.9 or later, and Chromium with its driver (Debian's packages: chromium chromium-driver), which is
talked to over HTTP as W3C WebDriver has it. Where they are not installed it says "skipped: no chromium", and that is no
failure. Each check has a server and a browser of its own, started here and always ended.

The exit status is 1 if any check fails, 2 if the script was called wrongly.
"""

import argparse
import base64
import contextlib
import http.client
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional

# What is waited for comes sooner on any machine.
PATIENCE_S = 30
# A lag below this is none: the loop is shared with everything else that the machine does.
SMALL_LAG_MS = 200


# --- The server and the browser ---------------------------------------------------------------------------------------


def end(process: subprocess.Popen) -> Optional[int]:
    """Its exit status after SIGTERM; `None` if it had to be killed."""
    process.terminate()
    try:
        return process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


class Server:
    """A server of our own, which is ended whatever happens."""

    def __init__(self, binary: str, port: int = 0):
        command = [binary, "serve", "--port", str(port), "--log-level", "error", "--no-access-log"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        line = self.process.stdout.readline().decode()
        port_said = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        if port_said is None:
            end(self.process)
            raise RuntimeError(f"the server did not start: {line.strip()}")
        self.port = int(port_said[1])
        self.url = f"http://127.0.0.1:{self.port}/"


class Failed(Exception):
    """The browser could not do what it was asked."""


class Browser:
    """Chromium without a window, driven over HTTP."""

    def __init__(self, driver: str, binary: str, profile: str):
        self.driver = subprocess.Popen(
            [driver, "--port=0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.session = None
        try:
            port = None
            while port is None:
                line = self.driver.stdout.readline().decode()
                if not line:
                    raise Failed("the driver did not start")
                port = re.search(r"successfully on port (\d+)", line)
            self.port = int(port[1])
            options = {
                "binary": binary,
                "args": [
                    "--headless=new",
                    "--no-sandbox",
                    "--disable-dev-shm-usage",
                    "--disable-gpu",
                    "--no-first-run",
                    "--disable-background-networking",
                    "--disable-component-update",
                    f"--user-data-dir={profile}",
                    "--window-size=1280,900",
                ],
            }
            wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            answer = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
            self.session = answer["sessionId"]
        except BaseException:
            self.end()
            raise

    def ask(self, method: str, path: str, body: Optional[dict] = None) -> object:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body))
            value = json.loads(connection.getresponse().read())["value"]
        if isinstance(value, dict) and "error" in value:
            raise Failed(f"{method} {path}: {value['error']}: {value['message'].splitlines()[0]}")
        return value

    def do(self, command: str, **body: object) -> object:
        return self.ask("POST", f"/session/{self.session}/{command}", body)

    def protocol(self, command: str, **params: object) -> object:
        """A command of the DevTools protocol, for what WebDriver has no word for."""
        return self.do("goog/cdp/execute", cmd=command, params=params)

    def run(self, script: str, *arguments: object) -> object:
        return self.do("execute/sync", script=script, args=list(arguments))

    def open(self, url: str):
        self.do("url", url=url)

    def look(self, width: int = 1280, height: int = 900, **media: str):
        """As a screen of this size would show it, for somebody who prefers that."""
        self.protocol("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self.protocol("Emulation.setEmulatedMedia", features=features)

    def text(self, place: str) -> str:
        return self.run("return document.getElementById(arguments[0]).textContent", place)

    def state(self) -> str:
        return self.run("return document.documentElement.dataset.state")

    def click(self, place: str):
        element = next(iter(self.do("element", using="css selector", value=f"#{place}").values()))
        self.do(f"element/{element}/click")

    def key(self, key: str):
        down_and_up = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self.do("actions", actions=[{"type": "key", "id": "keys", "actions": down_and_up}])

    def picture(self, path: Path, whole: bool = False):
        data = self.protocol("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def complaints(self) -> List[str]:
        return [entry["message"] for entry in self.do("se/log", type="browser") if entry["level"] != "INFO"]

    def end(self):
        with contextlib.suppress(Exception):
            if self.session is not None:
                self.ask("DELETE", f"/session/{self.session}")
        end(self.driver)


# --- Checks -----------------------------------------------------------------------------------------------------------


class Checks:
    """What was looked at, and what of it failed."""

    def __init__(self, name: str):
        self.name, self.held, self.failed = name, 0, 0

    def check(self, what: str, holds: bool, seen: object = ""):
        """Counts one check. What was seen is told when it fails."""
        if holds:
            self.held += 1
            return
        self.failed += 1
        print(f"  FAILED: {self.name}: {what}: {str(seen)[:2000]}", flush=True)

    def comes(self, what: str, look: Callable[[], object], fits: Callable[[object], bool]) -> object:
        """Waits until what is looked at fits."""
        deadline = time.monotonic() + PATIENCE_S
        seen = look()
        while not fits(seen) and time.monotonic() < deadline:
            time.sleep(0.05)
            seen = look()
        self.check(what, fits(seen), seen)
        return seen


CHECKS: Dict[str, Callable[[Server, Browser, Checks], None]] = {}


def looked_at(function: Callable) -> Callable:
    CHECKS[function.__name__] = function
    return function


def milliseconds(text: str) -> float:
    """As the page writes times."""
    number, unit = re.search(r"([\d.,]+) (µs|ms|s)\b", text).groups()
    return float(number.replace(",", "")) * {"µs": 0.001, "ms": 1, "s": 1000}[unit]


def number(text: str) -> int:
    return int(re.search(r"[\d,]+", text)[0].replace(",", ""))


# Where the mouse would press, or the keys: the page must not care.
PRESSES: Dict[str, Callable[[Browser, str], None]] = {}


def by(way: str) -> Callable:
    return lambda function: PRESSES.setdefault(way, function)


@by("mouse")
def press_by_mouse(browser: Browser, place: str):
    browser.click(place)


@by("keys")
def press_by_keys(browser: Browser, place: str):
    """Goes there with the tabulator key, and presses Enter."""
    browser.run("document.activeElement.blur(); document.body.focus(); window.scrollTo(0, 0)")
    for _ in range(40):
        browser.key("\ue004")
        if browser.run("return document.activeElement.id") == place:
            seen = browser.run(
                "const style = getComputedStyle(document.activeElement);"
                "return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2"
            )
            if not seen:
                raise Failed(f"the focus on {place} cannot be seen")
            browser.key("\ue007")
            return
    raise Failed(f"the tabulator key does not come to {place}")


def connect(server: Server, browser: Browser, checks: Checks):
    browser.open(server.url)
    checks.comes("the page is told of the loop", browser.state, lambda state: state == "live")
    checks.comes("the cost is told", lambda: browser.text("cost"), lambda text: "bytes ten times a second" in text)


@looked_at
def buttons(server: Server, browser: Browser, checks: Checks):
    """Each button does what it says, by mouse and by keyboard."""
    connect(server, browser, checks)
    for way, press in PRESSES.items():
        # The lag that is shown is the longest of three seconds: what was before must be over.
        shown = lambda: milliseconds(browser.text("lag"))
        checks.comes(f"{way}: the lag is small", shown, lambda lag: lag < SMALL_LAG_MS)
        press(browser, "block-pool")
        checks.comes(f"{way}: the pool's answer comes", lambda: browser.text("said"), lambda said: "as well" in said)
        checks.check(f"{way}: the pool held up nobody", shown() < SMALL_LAG_MS, shown())
        press(browser, "block-loop")
        checks.comes(f"{way}: the blocked loop is a lag", shown, lambda lag: lag >= 300)
        checks.comes(f"{way}: and is told in words", lambda: browser.text("said"), lambda said: "stood still" in said)
        request = "GET /block-loop?ms=300"
        checks.comes(f"{way}: and by its request", lambda: browser.text("slow"), lambda slow: request in slow)

        before = number(browser.text("sleeping"))
        press(browser, "sleepers")
        enough = before + 800  # some of those before may have woken meanwhile
        checks.comes(f"{way}: sleepers sleep", lambda: number(browser.text("sleeping")), lambda n: n >= enough)
        checks.comes(f"{way}: in the wheel", lambda: number(browser.text("armed")), lambda n: n >= enough)

        pressed = lambda: browser.run("return document.getElementById('ticker').getAttribute('aria-pressed')")
        press(browser, "ticker")
        checks.comes(f"{way}: the interval ticks", pressed, lambda on: on == "true")
        checks.comes(f"{way}: its lateness is told", lambda: browser.text("late"), lambda late: late.endswith("s"))
        press(browser, "ticker")
        checks.comes(f"{way}: and stops", pressed, lambda on: on == "false")

        press(browser, "burst")
        checks.comes(f"{way}: throughput moves", lambda: number(browser.text("rate")), lambda rate: rate >= 20)
        checks.comes(f"{way}: so do the wakes", lambda: number(browser.text("wakes")), lambda rate: rate >= 20)
        checks.comes(f"{way}: all are answered", lambda: browser.text("said"), lambda said: "600 answers" in said)


FOREIGN = """
const names = performance.getEntriesByType('resource').map((entry) => entry.name);
return names.filter((name) => !name.startsWith(location.origin + '/') && !name.startsWith('data:'));
"""


@looked_at
def quiet(server: Server, browser: Browser, checks: Checks):
    """Nothing comes from elsewhere, and the console has nothing to complain about."""
    connect(server, browser, checks)
    own = browser.run("return performance.getEntriesByType('resource').length")
    checks.check("style and script were fetched", own >= 2, own)
    foreign = browser.run(FOREIGN)
    checks.check("nothing is fetched from elsewhere", foreign == [], foreign)
    complaints = browser.complaints()
    checks.check("no complaints", complaints == [], complaints)


# Each piece of text against what is behind it, by the formula of WCAG 2.2, "contrast ratio": those that are too faint.
FAINT = """
const channels = (text) => text.match(/[\\d.]+/g).map(Number);
const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const behind = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const colour = channels(getComputedStyle(e).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const faint = [];
for (const element of document.body.querySelectorAll('*')) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !element.checkVisibility() || element.closest('noscript')) continue;
  const [a, b] = [light(channels(getComputedStyle(element).color)), light(behind(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${element.tagName} ${element.id} ${element.textContent.slice(0, 30)}`);
}
return faint;
"""


@looked_at
def contrast(server: Server, browser: Browser, checks: Checks):
    """Text can be read, by day and by night, also while the loop is held."""
    for scheme in "light", "dark":
        browser.look(prefers_color_scheme=scheme)
        connect(server, browser, checks)
        paper = browser.run("return getComputedStyle(document.body).backgroundColor")
        bright = sum(int(channel) for channel in re.findall(r"\d+", paper)[:3]) > 384
        checks.check(f"{scheme}: it follows", bright == (scheme == "light"), paper)
        for state in "live", "held", "gone":
            browser.run("document.documentElement.dataset.state = arguments[0]", state)
            faint = browser.run(FAINT)
            checks.check(f"{scheme}, {state}: every text stands out by 4.5", faint == [], "; ".join(faint))


@looked_at
def narrow(server: Server, browser: Browser, checks: Checks):
    """A phone's width is enough, also with large letters."""
    for width, letters in (390, "100%"), (320, "100%"), (390, "200%"):
        browser.look(width, 844)
        connect(server, browser, checks)
        browser.run("document.documentElement.style.fontSize = arguments[0]", letters)
        wide = browser.run("return document.documentElement.scrollWidth")
        checks.check(f"{width} px, letters of {letters}: nothing to scroll sideways", wide <= width, wide)


COUNT_FRAMES = """{
  window.frames_asked = 0;
  const ask = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (call) => { window.frames_asked += 1; return ask(call); };
}"""


@looked_at
def motion(server: Server, browser: Browser, checks: Checks):
    """The ring turns, but not for those who asked for less motion: for them, numbers change."""
    browser.protocol("Page.enable")
    browser.protocol("Page.addScriptToEvaluateOnNewDocument", source=COUNT_FRAMES)
    frames = lambda: browser.run("return window.frames_asked")
    for wish in "no-preference", "reduce":
        browser.look(prefers_reduced_motion=wish)
        connect(server, browser, checks)
        if wish == "reduce":
            checks.check("nothing is animated", frames() == 0, frames())
            before = browser.text("timers-set")
            checks.comes("numbers change", lambda: browser.text("timers-set"), lambda now: now != before)
            checks.check("and still nothing is animated", frames() == 0, frames())
        else:
            checks.comes("the ring is animated", frames, lambda asked: asked > 5)


SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: 'layout-shift', buffered: true });
"""


@looked_at
def still(server: Server, browser: Browser, checks: Checks):
    """Nothing moves its place while numbers come in."""
    connect(server, browser, checks)
    browser.run(SHIFTS)
    set_at_first = number(browser.text("timers-set"))
    checks.comes("it goes on", lambda: number(browser.text("timers-set")), lambda timers: timers > set_at_first + 20)
    shifted = browser.run("return window.shifted")
    checks.check("the layout stands", shifted < 0.02, shifted)


@looked_at
def gone(server: Server, browser: Browser, checks: Checks):
    """A server that stops does not wait for the page, which says so, and comes back with the server."""
    connect(server, browser, checks)
    began = time.monotonic()
    status = end(server.process)
    checks.check("it ends well", status == 0, status)
    checks.check("at once", time.monotonic() - began < 5, time.monotonic() - began)
    checks.comes("the page says that it is gone", browser.state, lambda state: state == "gone")
    again = Server(ARGUMENTS.server, server.port)
    try:
        checks.comes("and comes back", browser.state, lambda state: state == "live")
    finally:
        end(again.process)


@looked_at
def full(server: Server, browser: Browser, checks: Checks):
    """Where as many look on as can, the next page says so, and comes in when one of them goes."""
    viewers = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S) for _ in range(16)]
    with contextlib.ExitStack() as stack:
        for viewer in viewers:
            stack.callback(viewer.close)
            viewer.request("GET", "/live")
            viewer.sock.recv(1)
        browser.open(server.url)
        told = lambda: browser.text("state")
        checks.comes("the page says why it sees nothing", told, lambda state: "as many pages look on as can" in state)
    checks.comes("and comes in later", browser.state, lambda state: state == "live")


# --- The whole run ----------------------------------------------------------------------------------------------------


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", metavar="PATH", help="the evloop binary")
    parser.add_argument("--only", metavar="NAME", action="append", help="look at this alone; may be repeated")
    parser.add_argument("--shots", metavar="FOLDER", type=Path, help="keep a picture of the page after each check")
    parser.add_argument("--list", action="store_true", help="tell the checks and end")
    chosen = parser.parse_args()
    unknown = set(chosen.only or []) - set(CHECKS)
    if unknown:
        parser.error(f"no check is called {', '.join(sorted(unknown))}; see --list")
    if not chosen.list and not chosen.server:
        parser.error("--server says which binary to talk to")
    return chosen


@contextlib.contextmanager
def opened(driver: str, chromium: str) -> Iterator[tuple]:
    server = Server(ARGUMENTS.server)
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            browser = Browser(driver, chromium, profile)
            try:
                yield server, browser
            finally:
                browser.end()
    finally:
        end(server.process)


def main() -> int:
    if ARGUMENTS.list:
        for name, function in CHECKS.items():
            print(f"{name:10} {function.__doc__}")
        return 0
    driver = shutil.which("chromedriver")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if driver is None or chromium is None:
        print("skipped: no chromium" if chromium is None else "skipped: no chromium driver")
        return 0
    failed = 0
    for name, function in CHECKS.items():
        if ARGUMENTS.only and name not in ARGUMENTS.only:
            continue
        checks = Checks(name)
        with opened(driver, chromium) as (server, browser):
            try:
                function(server, browser, checks)
                if ARGUMENTS.shots:
                    ARGUMENTS.shots.mkdir(parents=True, exist_ok=True)
                    browser.picture(ARGUMENTS.shots / f"{name}.png")
            except (Failed, OSError, http.client.HTTPException) as error:
                checks.check("no error", False, repr(error))
        failed += checks.failed
        print(f"{name}: {checks.held} checks hold, {checks.failed} fail", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    ARGUMENTS = arguments()
    sys.exit(main())
