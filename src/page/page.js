// The live page: takes the events of /live, writes them down, and draws them.
"use strict";

const MINUTE = 60_000;
const SILENT_MS = 250; // no event for so long: somebody holds the loop
const PHASES = ["run", "wait", "poll", "mail", "timers"];
const WAKES = [["io", "poll"], ["timer", "timers"], ["mail", "mail"], ["task", "run"], ["spawn", "faint"]]; // and their colours
const $ = (id) => document.getElementById(id);
const root = document.documentElement;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const night = matchMedia("(prefers-color-scheme: dark)");

const past = []; // the events of the last minute, each with the moment at which it came
const since = { set: 0, fired: 0, cancelled: 0 }; // counts since the page was opened
const slow = [];
let latest = null;
let source = null;
let ticking = false;
let colours = {};

// --- Words --------------------------------------------------------------------------------------------------------

const count = (n) => Math.round(n).toLocaleString("en");
const many = (n, thing) => `${count(n)} ${thing}${n === 1 ? "" : "s"}`;
function time(us) {
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 10_000) return `${(us / 1000).toFixed(1)} ms`;
  if (us < 1_000_000) return `${Math.round(us / 1000)} ms`;
  return `${(us / 1_000_000).toFixed(1)} s`;
}
function percent(share) {
  const p = share * 100;
  if (p > 0 && p < 0.05) return "< 0.1 %";
  return `${p < 9.95 || (p > 90 && p < 99.95) ? p.toFixed(1) : Math.round(p)} %`;
}
function write(id, text) {
  const place = $(id);
  if (place.textContent !== text) place.textContent = text;
}
function state(name, text) {
  root.dataset.state = name;
  write("state", text);
}

// --- Events -------------------------------------------------------------------------------------------------------

function connect() {
  source?.close();
  source = new EventSource("/live");
  source.onmessage = (message) => take(JSON.parse(message.data));
  source.onerror = () => {
    latest = null;
    const refused = source.readyState === EventSource.CLOSED; // it answers, but with no events
    state("gone", refused ? "as many pages look on as can; trying again" : "the server does not answer; trying again");
    write("turns", "–");
    write("unit", refused ? "no room" : "no server");
    write("asleep", "trying again");
    if (refused) setTimeout(connect, 2000);
  };
}

function take(event) {
  event.now = performance.now();
  latest = event;
  past.push(event);
  while (past[0].now < event.now - MINUTE) past.shift();
  state("live", "live");
  for (const what of ["set", "fired", "cancelled"]) since[what] += event.timers[what];
  for (const poll of event.slow) slow.unshift({ ...poll, now: event.now });
  slow.length = Math.min(slow.length, 4);
  watches.forEach((watch) => watch(event));
  ticking = event.ticker !== null;
  if (!calm.matches || past.length % 10 === 1 || event.lag.most > 100_000) {
    tell(event);
    draw();
  }
}

const wakesBy = (cause) => past.reduce((sum, event) => sum + event.wakes[cause], 0);
const wakesOf = (event) => WAKES.reduce((sum, [cause]) => sum + event.wakes[cause], 0);

// What happened in the last so many milliseconds, added up.
function lately(ms) {
  const all = { span: 0, turns: 0, requests: 0, wakes: 0, parts: Object.fromEntries(PHASES.map((p) => [p, 0])), lag: 0, late: 0 };
  for (let i = past.length - 1; i >= 0 && past[i].now > latest.now - ms; i--) {
    const event = past[i];
    all.span += event.span;
    all.turns += event.turns;
    all.requests += event.served.requests;
    all.wakes += wakesOf(event);
    all.lag = Math.max(all.lag, event.lag.most);
    all.late = Math.max(all.late, ...(event.ticker ?? [0]));
    for (const phase of PHASES) all.parts[phase] += event.parts[phase];
  }
  all.span = Math.max(all.span, 1);
  return all;
}

let described = 0;
function tell(event) {
  const second = lately(1000);
  const share = (phase) => second.parts[phase] / second.span;
  const rate = (n) => (n * 1_000_000) / second.span;
  write("turns", count(rate(second.turns)));
  write("unit", "turns a second");
  write("asleep", `${percent(share("wait"))} asleep`);
  for (const phase of ["run", "mail", "timers"]) write(`share-${phase}`, percent(share(phase)));
  write("share-poll", `${percent(share("poll"))}, asleep ${percent(share("wait"))}`);
  write("lag", time(lately(3000).lag));
  write("rate", count(rate(second.requests)));
  write("tasks", `${count(event.tasks.live)} live`);
  write("tasks-text", `come above the line, go below; ${many(event.served.open, "connection")}`);
  write("wakes", `${count(rate(second.wakes))} a second`);
  write("late", ticking ? time(lately(3000).late) : "not ticking");
  write("armed", count(event.timers.armed));
  for (const what of ["set", "fired", "cancelled"]) write(`timers-${what}`, count(since[what]));
  write("sleeping", count(event.sleepers));
  tellPool(event.pool);
  tellSlow(event.now);
  const { cost } = event;
  const own = (cost.observer_us + cost.ticker_us) / event.span;
  write("cost", `What it costs to look: ${count(cost.bytes)} bytes ten times a second${cost.viewers > 1 ? `, to ${cost.viewers} viewers` : ""}. Of the last ${time(event.span)} the observer took ${time(cost.observer_us)} and the ticker ${time(cost.ticker_us)} of the loop's time, ${percent(own)} together. When nobody looks: nothing.`);
  $("ticker").setAttribute("aria-pressed", String(ticking));
  if (event.now - described > 2000) {
    described = event.now;
    const label = (id, text) => $(id).setAttribute("aria-label", text);
    const minute = lately(MINUTE);
    label("minute", `The last minute of the loop: it was asleep ${percent(minute.parts.wait / minute.span)} of the time, its longest lag was ${time(minute.lag)}.`);
    label("plot-lag", `Lag over the last minute: at most ${time(minute.lag)}.`);
    label("plot-rate", `Requests over the last minute: ${count(minute.requests)} in all.`);
    label("plot-tasks", `Tasks: ${count(event.tasks.live)} live.`);
    label("plot-wakes", `Wakes over the last minute: ${WAKES.map(([cause]) => `${count(wakesBy(cause))} by ${cause}`).join(", ")}.`);
    label("plot-late", ticking ? `Lateness of the ticks: at most ${time(minute.late)}.` : "The interval does not tick.");
    label("wheel", `The timer wheel holds ${count(event.timers.armed)} timers in ${event.wheel.levels.reduce((n, level) => n + level.length / 2, 0)} slots.`);
  }
}

function tellPool(pool) {
  const threads = pool.threads ? many(pool.threads, "thread") : "no threads yet";
  write("pool", `${threads}; ${many(pool.running, "job")} under way, ${count(pool.queued + pool.waiting)} in the queue`);
  const marks = [...Array(Math.min(pool.threads, 32)).keys()].map((i) => (i < pool.running ? "busy" : "idle"));
  marks.push(...Array(Math.min(pool.queued + pool.waiting, 40)).fill("queued"));
  const place = $("threads");
  if (place.dataset.marks === marks.join()) return;
  place.dataset.marks = marks.join();
  place.replaceChildren(...marks.map((mark) => Object.assign(document.createElement("i"), { className: mark })));
}

function tellSlow(now) {
  if (slow.length === 0) return;
  const element = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
  const rows = slow.map((poll) => {
    const row = document.createElement("li");
    const what = element("span", poll.doing ?? poll.task);
    what.append(element("small", `${poll.doing ? `${poll.task}: ` : ""}ran because ${poll.why}; ${Math.round((now - poll.now) / 1000)} s ago`));
    row.append(element("b", time(poll.us)), what);
    return row;
  });
  const text = rows.map((row) => row.textContent).join();
  if ($("slow").dataset.text === text) return;
  $("slow").dataset.text = text;
  $("slow").replaceChildren(...rows);
}

// --- Pictures -----------------------------------------------------------------------------------------------------

function readColours() {
  const style = getComputedStyle(root);
  const names = [...PHASES, "paper", "sheet", "ink", "faint", "line", "alarm"];
  colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

// The canvas's pen, with the picture wiped, in CSS pixels.
function pen(id) {
  const canvas = $(id);
  const { clientWidth: width, clientHeight: height } = canvas;
  const dots = Math.min(devicePixelRatio || 1, 2);
  if (canvas.width !== Math.round(width * dots) || canvas.height !== Math.round(height * dots)) {
    canvas.width = Math.round(width * dots);
    canvas.height = Math.round(height * dots);
  }
  const c = canvas.getContext("2d");
  c.setTransform(dots, 0, 0, dots, 0, 0);
  c.clearRect(0, 0, width, height);
  return { c, width, height };
}

// From 0 for 0.1 ms to 1 for a second.
const logarithmic = (us) => Math.min(1, Math.max(0, Math.log10(Math.max(us, 1) / 100) / 4));
const lagColour = (us) => (us >= 100_000 ? colours.alarm : us >= 10_000 ? colours.run : colours.faint);
const TOP = -Math.PI / 2;
const angleOf = (now) => TOP + ((now % MINUTE) / MINUTE) * 2 * Math.PI;

function draw() {
  drawMinute();
  drawLag();
  drawRate();
  drawTasks();
  drawLate();
  drawWakes();
  drawWheel();
  if (calm.matches) drawHand(latest?.now ?? 0);
}

// The radii of the ring's parts, in parts of half its width.
const RING = { turnIn: 0.4, turnOut: 0.478, busyIn: 0.53, base: 0.74, lagOut: 0.995 };

function drawMinute() {
  const { c, width } = pen("minute");
  const half = width / 2;
  const now = latest?.now ?? performance.now();
  c.translate(half, half);
  c.lineWidth = 1;
  c.strokeStyle = colours.line;
  for (const us of [1000, 10_000, 100_000, 1_000_000]) {
    circle(c, half * lagRadius(us));
  }
  circle(c, half * RING.base);
  for (let second = 0; second < 60; second++) {
    const [sin, cos] = [Math.sin(TOP + (second / 30) * Math.PI), Math.cos(TOP + (second / 30) * Math.PI)];
    const inner = half * (RING.busyIn - (second % 5 ? 0.008 : 0.022));
    c.beginPath();
    c.moveTo(cos * inner, sin * inner);
    c.lineTo(cos * half * RING.busyIn, sin * half * RING.busyIn);
    c.stroke();
  }
  // What is not measured yet is hinted at, so that the ring is round from the first second.
  const first = past.length && past[0].now > now - MINUTE * 0.99 ? past[0].now - past[0].span / 1000 : now;
  for (let mark = 0; mark < 240; mark++) {
    const age = ((angleOf(now) - TOP - (mark / 240) * 2 * Math.PI + 4 * Math.PI) % (2 * Math.PI)) / (2 * Math.PI);
    if (past.length === 0 || now - age * MINUTE < first) {
      const at = TOP + (mark / 240) * 2 * Math.PI;
      sector(c, half * (RING.base + 0.006), half * (RING.base + 0.022), at, at + 0.01, colours.line);
    }
  }
  for (const event of past) {
    const age = (now - event.now) / MINUTE;
    c.globalAlpha = 1 - 0.72 * age;
    const to = angleOf(event.now);
    const from = to - Math.max(event.span / 1000 / MINUTE, 0.0013) * 2 * Math.PI * 0.82;
    let radius = RING.base - 0.004;
    for (const phase of ["run", "poll", "timers", "mail"]) {
      const length = (event.parts[phase] / event.span) * (RING.base - RING.busyIn);
      if (length > 0.0015) sector(c, half * (radius - length), half * radius, from, to, colours[phase]);
      radius -= length;
    }
    sector(c, half * (RING.base + 0.006), half * Math.max(lagRadius(event.lag.most), RING.base + 0.012), from, to, lagColour(event.lag.most));
  }
  c.globalAlpha = 1;
  c.fillStyle = colours.faint;
  c.font = `${Math.max(10, half * 0.034)}px ${getComputedStyle(document.body).fontFamily}`;
  c.textAlign = "center";
  const scale = [[10_000, "10 ms"], [100_000, "100 ms"], [1_000_000, "1 s"]];
  for (const [us, text] of scale.filter((_, i) => half > 220 || i !== 1)) {
    label(c, text, 0, half * -lagRadius(us) + half * 0.012);
  }
  drawTurn(c, half);
}

const lagRadius = (us) => RING.base + 0.006 + logarithmic(us) * (RING.lagOut - RING.base - 0.03);

function label(c, text, x, y) {
  const width = c.measureText(text).width + 6;
  c.save();
  c.fillStyle = colours.paper;
  c.globalAlpha = 0.85;
  c.fillRect(x - width / 2, y - 9, width, 12);
  c.restore();
  c.fillText(text, x, y);
}

function circle(c, radius) {
  c.beginPath();
  c.arc(0, 0, radius, 0, 2 * Math.PI);
  c.stroke();
}

function sector(c, inner, outer, from, to, colour) {
  c.fillStyle = colour;
  c.beginPath();
  c.arc(0, 0, outer, from, to);
  c.arc(0, 0, inner, to, from, true);
  c.closePath();
  c.fill();
}

// The arcs of one turn: the share of each part, but none is too thin to be seen. They follow slowly.
const ARC_MIN = 0.035;
const arcs = Object.fromEntries(PHASES.map((phase) => [phase, 1 / PHASES.length]));

function drawTurn(c, half) {
  if (latest) {
    const second = lately(1000);
    const raw = PHASES.map((phase) => Math.max(second.parts[phase] / second.span, ARC_MIN));
    const sum = raw.reduce((a, b) => a + b);
    PHASES.forEach((phase, i) => (arcs[phase] += (raw[i] / sum - arcs[phase]) * (calm.matches ? 1 : 0.25)));
  }
  let from = TOP;
  for (const phase of PHASES) {
    const to = from + arcs[phase] * 2 * Math.PI;
    sector(c, half * RING.turnIn, half * RING.turnOut, from + 0.018, to - 0.018, colours[phase]);
    from = to;
  }
}

// The bead that goes round the turn, and the hand of the minute. While the loop is held, the bead stands still in "run".
let bead = 0;
let beadAt = 0;

function drawHand(now) {
  const { c, width } = pen("hand");
  const half = width / 2;
  const held = root.dataset.state === "held";
  c.translate(half, half);
  const hand = angleOf(now);
  c.strokeStyle = held ? colours.alarm : colours.ink;
  c.lineWidth = 1.5;
  c.beginPath();
  c.moveTo(Math.cos(hand) * half * 0.5, Math.sin(hand) * half * 0.5);
  c.lineTo(Math.cos(hand) * half * RING.lagOut, Math.sin(hand) * half * RING.lagOut);
  c.stroke();
  if (held && latest) {
    const from = angleOf(latest.now);
    c.globalAlpha = 0.85;
    sector(c, half * RING.busyIn, half * lagRadius((now - latest.now) * 1000), from, hand, colours.alarm);
    sector(c, half * (RING.turnIn - 0.012), half * (RING.turnOut + 0.012), TOP + 0.018, TOP + arcs.run * 2 * Math.PI - 0.018, colours.alarm);
    c.globalAlpha = 1;
    write("turns", time((now - latest.now) * 1000));
  }
  if (calm.matches || !latest) return;
  const turns = (lately(1000).turns * 1_000_000) / lately(1000).span;
  const speed = 0.16 + 0.14 * Math.log10(1 + turns); // of a turn each second: slower than they are, or nobody could see
  bead = held ? arcs.run / 2 : (bead + speed * Math.min((now - beadAt) / 1000, 0.1)) % 1;
  beadAt = now;
  const radius = (half * (RING.turnIn + RING.turnOut)) / 2;
  for (let tail = 14; tail >= 0; tail--) {
    const angle = TOP + (bead - tail * 0.006 * speed) * 2 * Math.PI;
    c.globalAlpha = tail === 0 ? 1 : 0.22 * (1 - tail / 15);
    c.fillStyle = colours.ink;
    c.shadowColor = colours.ink;
    c.shadowBlur = tail === 0 ? half * 0.05 : 0;
    c.beginPath();
    c.arc(Math.cos(angle) * radius, Math.sin(angle) * radius, half * (tail === 0 ? 0.02 : 0.017), 0, 2 * Math.PI);
    c.fill();
  }
  c.globalAlpha = 1;
  c.shadowBlur = 0;
}

// A plot of the last minute: where a moment lies, and its frame.
function plot(id, marks) {
  const { c, width, height } = pen(id);
  const bottom = height - 4;
  c.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  c.lineWidth = 1;
  for (const [y, text] of marks) {
    const at = Math.round(bottom - y * (bottom - 14)) + 0.5;
    c.strokeStyle = colours.line;
    c.beginPath();
    c.moveTo(0, at);
    c.lineTo(width, at);
    c.stroke();
    c.fillStyle = colours.faint;
    if (text) c.fillText(text, 0, at - 4);
  }
  const now = latest?.now ?? 0;
  return { c, width, height, bottom, x: (moment) => width - ((now - moment) / MINUTE) * width, y: (y) => bottom - y * (bottom - 14) };
}

function drawLag() {
  const { c, x, y, bottom, width } = plot("plot-lag", [[0, ""], [0.25, "1 ms"], [0.5, "10"], [0.75, "100"], [1, "1 s"]]);
  const bar = Math.max(1, width / 640);
  for (const event of past) {
    c.fillStyle = lagColour(event.lag.most);
    const top = y(logarithmic(event.lag.most));
    const wide = Math.max(bar, (event.span / 1000 / MINUTE) * width - 0.3);
    c.fillRect(x(event.now) - wide, top, wide, bottom - top);
  }
}

// A round number that is not below.
function roundUp(n) {
  const power = 10 ** Math.floor(Math.log10(Math.max(n, 1)));
  return [1, 2, 5, 10].find((digit) => digit * power >= n) * power;
}

function drawRate() {
  const rate = (event) => (event.served.requests * 1_000_000) / Math.max(event.span, 1);
  const most = roundUp(Math.max(10, ...past.map(rate)));
  const { c, x, y, bottom } = plot("plot-rate", [[0, ""], [0.5, count(most / 2)], [1, count(most)]]);
  if (past.length === 0) return;
  c.beginPath();
  c.moveTo(x(past[0].now), bottom);
  for (const event of past) c.lineTo(x(event.now), y(rate(event) / most));
  c.lineTo(x(past.at(-1).now), bottom);
  c.closePath();
  c.globalAlpha = 0.22;
  c.fillStyle = colours.poll;
  c.fill();
  c.globalAlpha = 1;
  c.beginPath();
  for (const event of past) c.lineTo(x(event.now), y(rate(event) / most));
  c.strokeStyle = colours.poll;
  c.lineWidth = 1.75;
  c.stroke();
}

function drawTasks() {
  const most = roundUp(Math.max(10, ...past.map((event) => Math.max(event.tasks.spawned, event.tasks.ended))));
  const { c, x, y, width } = plot("plot-tasks", [[0, ""], [0.5, ""], [1, count(most)]]);
  const wide = Math.max(1.5, width / 640);
  for (const event of past) {
    const scale = (n) => Math.sqrt(n / most) / 2;
    const [middle, up, down] = [y(0.5), y(0.5 + scale(event.tasks.spawned)), y(0.5 - scale(event.tasks.ended))];
    c.fillStyle = colours.run;
    c.fillRect(x(event.now) - wide, up, wide, middle - up);
    c.fillStyle = colours.poll;
    c.fillRect(x(event.now) - wide, middle + 1, wide, down - middle);
  }
}

function drawLate() {
  const { c, x, y } = plot("plot-late", [[0, ""], [0.25, "1 ms"], [0.5, "10"], [0.75, "100"], [1, "1 s"]]);
  for (const event of past) {
    const ticks = event.ticker ?? [];
    ticks.forEach((late, i) => {
      const moment = event.now - (event.span / 1000) * (1 - (i + 0.5) / ticks.length);
      c.fillStyle = late >= 10_000 ? colours.alarm : colours.timers;
      c.beginPath();
      c.arc(x(moment), y(logarithmic(late)), late >= 10_000 ? 3 : 1.4, 0, 2 * Math.PI);
      c.fill();
    });
  }
}

// By cause, stacked; how high all of them are goes by tens, up to a million a second.
function drawWakes() {
  const tens = (rate) => Math.min(1, Math.log10(1 + rate) / 6);
  const { c, x, y, width, bottom } = plot("plot-wakes", [[0, ""], [tens(10), "10"], [tens(1000), "1,000"], [tens(100_000), "100,000"]]);
  const bar = Math.max(1, width / 640);
  for (const event of past) {
    const all = wakesOf(event);
    const height = bottom - y(tens((all * 1_000_000) / Math.max(event.span, 1)));
    const wide = Math.max(bar, (event.span / 1000 / MINUTE) * width - 0.3);
    let top = bottom;
    for (const [cause, colour] of WAKES) {
      const part = all && (event.wakes[cause] / all) * height;
      c.fillStyle = colours[colour];
      c.fillRect(x(event.now) - wide, top - part, wide, part);
      top -= part;
    }
  }
}

// Eight wheels of 64 slots, the fastest innermost; where the hand is; how full each slot is. The upper four, where a
// deadline is hours away and more, are thin.
const LEVELS = 8;
const WIDE = 4;

function drawWheel() {
  const { c, width } = pen("wheel");
  const half = width / 2;
  c.translate(half, half);
  const levels = latest?.wheel.levels ?? [];
  const elapsed = latest?.wheel.elapsed ?? 0;
  const step = (2 * Math.PI) / 64;
  for (let level = 0; level < LEVELS; level++) {
    const thin = level >= WIDE;
    const inner = half * (thin ? 0.86 + (level - WIDE) * 0.034 : 0.3 + level * 0.139);
    const outer = inner + half * (thin ? 0.022 : 0.114);
    const hand = Math.floor(elapsed / 64 ** level) % 64;
    const full = new Map();
    const slots = levels[level] ?? [];
    for (let i = 0; i < slots.length; i += 2) full.set(slots[i], slots[i + 1]);
    for (let slot = 0; slot < 64; slot++) {
      const from = TOP + slot * step;
      const timers = full.get(slot) ?? 0;
      c.globalAlpha = 1;
      sector(c, inner, outer, from + step * 0.08, from + step * 0.92, colours.wait);
      if (timers > 0) {
        c.globalAlpha = Math.min(1, 0.45 + Math.log10(timers) / 4);
        const fill = thin ? 1 : Math.min(1, 0.25 + Math.log10(timers) / 3);
        sector(c, inner, inner + (outer - inner) * fill, from + step * 0.08, from + step * 0.92, colours.timers);
      }
      if (slot === hand) {
        c.globalAlpha = 1;
        if (thin) {
          if (timers === 0) sector(c, inner, outer, from + step * 0.08, from + step * 0.92, colours.faint);
        } else {
          sector(c, inner - half * 0.014, inner, from, from + step, colours.ink);
          sector(c, outer, outer + half * 0.008, from, from + step, colours.ink);
        }
      }
    }
  }
  c.globalAlpha = 1;
}

// --- Buttons ------------------------------------------------------------------------------------------------------

const watches = new Set();

// The longest lag from now until so many milliseconds later.
function lagWithin(ms) {
  return new Promise((done) => {
    let most = 0;
    const watch = (event) => (most = Math.max(most, event.lag.most));
    watches.add(watch);
    setTimeout(() => (watches.delete(watch), done(most)), ms);
  });
}

async function ask(path, method = "GET") {
  const answer = await fetch(path, { method, cache: "no-store" });
  if (!answer.ok) throw new Error((await answer.text()).trim() || answer.statusText);
  return answer.text();
}

const say = (text) => write("said", text);

function button(id, press) {
  $(id).addEventListener("click", async () => {
    try {
      await press();
    } catch (error) {
      say(`That did not work: ${error.message}`);
    }
  });
}

async function block(path, say_after) {
  const lag = lagWithin(1200);
  const before = performance.now();
  await ask(path);
  const took = performance.now() - before;
  say(say_after(Math.round(took), time(await lag)));
}

button("block-loop", () => {
  say("One handler sleeps on the loop's thread …");
  return block("/block-loop?ms=300", (took, lag) => `The answer took ${took} ms, and everybody else stood still: the lag went up to ${lag}.`);
});
button("block-pool", () => {
  say("One handler sleeps on a thread of the pool …");
  return block("/block?ms=300", (took, lag) => `The answer took ${took} ms as well, but nobody noticed: the lag was at most ${lag}.`);
});
button("sleepers", async () => {
  await ask("/sleepers?n=1000", "POST");
  say("A thousand tasks sleep. They cost a slot in the wheel, and no time at all; watch the wheel empty in 20 s.");
});
button("ticker", async () => {
  const on = $("ticker").getAttribute("aria-pressed") !== "true";
  await ask(`/ticker?on=${Number(on)}`, "POST");
  say(on ? "It ticks every 20 ms. Now block the loop, and look at the lateness." : "It stands still.");
});
button("burst", async () => {
  say("600 requests, four at a time …");
  const [before, all] = [performance.now(), 600];
  let left = all;
  const one = async () => {
    while (left-- > 0) await ask("/plaintext");
  };
  await Promise.all([one(), one(), one(), one()]);
  const took = performance.now() - before;
  say(`${all} answers in ${Math.round(took)} ms. Most of that was your browser: the loop needed a fraction of it, and slept between them.`);
});

// --- The page itself ----------------------------------------------------------------------------------------------

let awake = false;
function animate(now) {
  if (calm.matches || document.hidden) {
    awake = false;
    return;
  }
  drawHand(now);
  requestAnimationFrame(animate);
}
function wake() {
  if (!awake && !calm.matches && !document.hidden) {
    awake = true;
    requestAnimationFrame(animate);
  }
}

setInterval(() => {
  if (latest && root.dataset.state === "live" && performance.now() - latest.now > SILENT_MS) {
    state("held", "somebody holds the loop");
    write("turns", "held");
    write("unit", "held by one task:");
    write("asleep", "nobody else is served");
  }
}, 50);

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    source?.close(); // whoever does not look costs nothing
    latest = null;
  } else {
    connect();
    wake();
  }
});
for (const query of [night, calm]) query.addEventListener("change", () => (readColours(), draw(), wake()));
addEventListener("resize", draw);
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (event) => event.persisted && connect());

$("terminal").textContent = $("terminal").textContent.replaceAll("http://127.0.0.1:8000", location.origin);
readColours();
draw();
connect();
wake();
