// The map of coverage: symbols down, time across. Bytes come from tiles that the node has drawn; nothing is computed here but pixels.
import { WORDS, bytesOf, ranked, strip } from "./tiles.js";

const base = document.body.dataset.base;
const canvas = document.getElementById("map");
const form = document.getElementById("controls");
const readout = document.getElementById("readout");
const panel = document.getElementById("cell");

const LEFT = 76, TOP = 22;       // room for the names of series and of times, in pixels
const LEAST_ROW = 3, MOST_ROW = 26, LEAST_VIEW = 5; // heights of a row in pixels, and the fewest sessions across
const BY_SESSION = 1.2;          // from so many pixels a session on, sessions are drawn and not months

let index = null;   // what the node has drawn of the dataset
let tiles = new Map(); // bytes by tile, or the promise of them
let order = [];     // rows of the tiles, in the order in which they are shown
let sessions = [];  // every column: { year, label, at } by position
let years = [];     // { tile, start, stop }
let months = [];    // { name, start, stop } in positions
let view = { x: 0, width: 1, y: 0, row: 12 }; // first position, positions across, first row, pixels a row
let cursor = null;  // { row, position } under the pointer or moved by keys
let asked = "";     // the dataset that is shown
let turn = 0;       // grows with every load and every story: what comes late belongs to an earlier one
let failed = new Map(); // tiles that could not be had, and when
const OLD = 2 * 3600 * 1000; // a map of longer ago says nothing of now
const AGAIN = 5000;

const palette = () => {
  const style = getComputedStyle(document.documentElement);
  return index.states.map((name) => style.getPropertyValue(`--${name}`).trim());
};

async function get(path) {
  const answer = await fetch(`${base}/api/v1/coverage${path}`, { cache: path.split("/").length > 2 ? "default" : "no-cache" });
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

async function load(dataset) {
  const mine = ++turn;
  asked = dataset;
  const fresh = await (await get(`/${encodeURIComponent(dataset)}`)).json();
  if (mine !== turn) return;
  const before = index, same = before !== null && before.dataset === fresh.dataset;
  if (same && before.tiles.length === fresh.tiles.length && before.tiles.every((one, at) => one.digest === fresh.tiles[at].digest)
    && before.instruments.join() === fresh.instruments.join()) { index = fresh; legend(); return; }
  const months = bytesOf(await get(`/${encodeURIComponent(dataset)}/${fresh.tiles[0].name}/${fresh.tiles[0].digest}`).then((answer) => answer.arrayBuffer()), fresh, fresh.tiles[0]);
  if (mine !== turn) return;
  const held = cursor && { name: index.instruments[order[cursor.row]], label: sessions[cursor.position] };
  const whole = same && view.width >= sessions.length, atEnd = same && view.x + view.width >= sessions.length;
  const kept = new Map([...tiles].filter(([digest, bytes]) => same && bytes instanceof Uint8Array && fresh.tiles.some((one) => one.digest === digest)));
  index = fresh;
  tiles = kept.set(fresh.tiles[0].digest, months);
  failed = new Map();
  axis();
  sort();
  if (!same || whole) fit();
  else if (atEnd) view.x = sessions.length - view.width; // what is newest stays in sight
  restoreCursor(held);
  legend();
  clamp();
  draw();
  tell();
  if (!panel.hidden && same) stale();
}

function axis() {
  sessions = []; years = [];
  for (const one of index.tiles.slice(1)) {
    const start = sessions.length;
    for (const day of one.columns) sessions.push(`${one.name}-${day}`);
    years.push({ tile: one, start, stop: sessions.length });
  }
  let at = 0;
  months = index.tiles[0].columns.map((name) => {
    const start = at;
    while (at < sessions.length && sessions[at].startsWith(name)) at += 1;
    return { name, start, stop: at };
  });
}

function restoreCursor(held) {
  const row = held ? order.findIndex((at) => index.instruments[at] === held.name) : -1;
  const position = held ? sessions.indexOf(held.label) : -1;
  cursor = row >= 0 && position >= 0 ? { row, position } : null;
}

// The bytes of a tile; null while they come, or where they could not be had. A tile is known by its digest, never by its name.
function tile(one) {
  const known = tiles.get(one.digest);
  if (known instanceof Uint8Array) return known;
  if (known || Date.now() - (failed.get(one.digest) || 0) < AGAIN) return null;
  const of = index, into = tiles;
  into.set(one.digest, get(`/${encodeURIComponent(of.dataset)}/${one.name}/${one.digest}`)
    .then((answer) => answer.arrayBuffer())
    .then((buffer) => into.set(one.digest, bytesOf(buffer, of, one)))
    .catch((error) => {
      into.delete(one.digest);
      failed.set(one.digest, Date.now());
      if (index === of) { readout.textContent = error.message; load(of.dataset).catch(() => {}); }
    })
    .then(() => { if (index === of) { draw(); tell(); } }));
  return null;
}

function sort() {
  order = ranked(index, form.elements.sort.value, tile(index.tiles[0]));
}

const size = () => ({ width: canvas.clientWidth, height: canvas.clientHeight });
const inner = () => ({ width: Math.max(1, size().width - LEFT), height: Math.max(1, size().height - TOP) });

function fit() {
  canvas.style.height = `${Math.max(140, Math.min(0.68 * window.innerHeight, 768, TOP + order.length * MOST_ROW + 2))}px`;
  view = { x: 0, width: Math.max(LEAST_VIEW, sessions.length), y: 0, row: Math.min(MOST_ROW, Math.max(LEAST_ROW, inner().height / Math.max(1, order.length))) };
}

function clamp() {
  view.width = Math.min(Math.max(LEAST_VIEW, view.width), Math.max(LEAST_VIEW, sessions.length));
  view.x = Math.min(Math.max(0, view.x), Math.max(0, sessions.length - view.width));
  view.y = Math.min(Math.max(0, view.y), Math.max(0, order.length - inner().height / view.row));
}

function draw() {
  if (!index) return;
  const { width, height } = size(), scale = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const pen = canvas.getContext("2d"), colours = palette(), style = getComputedStyle(document.documentElement);
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.fillStyle = style.getPropertyValue("--paper");
  pen.fillRect(0, 0, width, height);
  const pixel = inner().width / view.width, byDay = pixel >= BY_SESSION;
  const groups = byDay ? visible(years).map((year) => ({ bytes: tile(year.tile), many: year.stop - year.start, columns: null, start: year.start }))
    : [{ bytes: tile(index.tiles[0]), many: months.length, columns: months, start: 0 }];
  const first = Math.floor(view.y), last = Math.min(order.length, Math.ceil(view.y + inner().height / view.row));
  const thick = Math.max(1, view.row - (view.row > 6 ? 1 : 0));
  for (const group of groups.filter((each) => each.bytes)) {
    for (let row = first; row < last; row += 1) {
      strip(pen, colours, group, order[row] * group.many, { x: view.x, pixel, left: LEFT, width: inner().width, y: TOP + (row - view.y) * view.row, thick });
    }
  }
  names(pen, style, first, last);
  times(pen, style, pixel);
  mark(pen, style, pixel);
}

const visible = (some) => some.filter((each) => each.stop > view.x && each.start < view.x + view.width);

function names(pen, style, first, last) {
  pen.fillStyle = style.getPropertyValue("--paper");
  pen.fillRect(0, 0, LEFT, size().height);
  pen.fillRect(0, 0, size().width, TOP);
  pen.fillStyle = style.getPropertyValue("--ink");
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  pen.font = `${Math.min(12, Math.max(9, view.row))}px system-ui, sans-serif`;
  const step = Math.max(1, Math.ceil(11 / view.row));
  for (let row = Math.ceil(first / step) * step; row < last; row += step) {
    pen.fillText(index.instruments[order[row]].slice(0, 12), LEFT - 6, Math.max(TOP + 5, TOP + (row - view.y + 0.5) * view.row), LEFT - 8);
  }
}

function times(pen, style, pixel) {
  pen.textAlign = "left";
  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = style.getPropertyValue("--quiet");
  const inYears = pixel * 252 < 300;
  const days = pixel > 44;
  const marks = days ? sessions.map((label, at) => ({ name: label, start: at, stop: at + 1 })) : inYears ? years.map((year) => ({ name: year.tile.name, start: year.start, stop: year.stop })) : months;
  let free = LEFT;
  for (const each of visible(marks)) {
    const x = Math.max(LEFT, LEFT + (each.start - view.x) * pixel), words = days ? each.name.slice(5) : each.name;
    if (x < free || x > size().width - 24) continue;
    pen.fillText(words, x + 2, TOP / 2);
    pen.fillRect(x, TOP - 6, 1, 6);
    free = x + pen.measureText(words).width + 12;
  }
}

function mark(pen, style, pixel) {
  if (!cursor) return;
  pen.strokeStyle = style.getPropertyValue("--ink");
  pen.lineWidth = 1.5;
  const span = spanOf(cursor.position, pixel);
  pen.strokeRect(LEFT + (span.start - view.x) * pixel, TOP + (cursor.row - view.y) * view.row, Math.max(3, (span.stop - span.start) * pixel), Math.max(3, view.row - 1));
}

const spanOf = (position, pixel) => (pixel >= BY_SESSION ? { start: position, stop: position + 1 } : months.find((month) => position < month.stop) || { start: position, stop: position + 1, name: "" });

function tell() {
  if (!cursor || !index || !order.length || !sessions.length) { readout.textContent = "\u00a0"; return; }
  const pixel = inner().width / view.width, name = index.instruments[order[cursor.row]];
  if (pixel >= BY_SESSION) {
    const year = years.find((each) => cursor.position < each.stop), bytes = tile(year.tile);
    const state = bytes ? index.states[bytes[order[cursor.row] * (year.stop - year.start) + cursor.position - year.start]] : "";
    readout.textContent = `${name} ${sessions[cursor.position]}: ${WORDS[state] || "loading"}`;
  } else {
    const at = months.findIndex((month) => cursor.position < month.stop), bytes = tile(index.tiles[0]);
    const state = bytes ? index.states[bytes[order[cursor.row] * months.length + at]] : "";
    const worst = state === "not_wanted" || state === "green" ? "" : ", at worst";
    readout.textContent = `${name} ${months[at].name}${worst}: ${WORDS[state] || "loading"}`;
  }
}

function legend() {
  const key = document.getElementById("key");
  key.replaceChildren(...index.states.filter((name) => index.counts[name]).reverse().map((name) => {
    const span = document.createElement("span"), swatch = document.createElement("i");
    span.dataset.swatch = name;
    swatch.className = `swatch ${name}`;
    span.append(swatch, `${index.counts[name].toLocaleString("en")} ${WORDS[name] || name}`);
    return span;
  }));
  const at = new Date(index.at / 1000).toISOString().slice(0, 16).replace("T", " ");
  const drawn = document.getElementById("drawn"), old = Date.now() - index.at / 1000 > OLD;
  drawn.className = old ? "attention-text" : "quiet";
  canvas.style.opacity = old ? 0.5 : 1;
  const warning = old ? "THIS MAP IS OLD, and says nothing of now: does the service run (fulltape schedule)? " : "";
  drawn.textContent = `${warning}${index.instruments.length.toLocaleString("en")} series, as the ledger had them ${at} UTC. Wheel or pinch: zoom. Drag: move. Click: the story of a cell.`;
}

function remember() {
  const from = sessions[Math.round(view.x)], to = sessions[Math.min(sessions.length - 1, Math.round(view.x + view.width) - 1)];
  const said = new URLSearchParams({ dataset: index.dataset, sort: form.elements.sort.value });
  if (view.width < sessions.length) { said.set("from", from); said.set("to", to); }
  if (form.elements.symbol.value) said.set("symbol", form.elements.symbol.value);
  history.replaceState(null, "", `?${said}`);
}

function restore() {
  const said = new URLSearchParams(location.search);
  const from = sessions.findIndex((label) => label >= (said.get("from") || "")), until = said.get("to");
  if (said.get("from") && from >= 0) {
    const after = until ? sessions.findIndex((label) => label > until) : -1;
    view.x = from;
    view.width = (after < 0 ? sessions.length : after) - from;
  }
  if (said.get("symbol")) find(said.get("symbol"));
  clamp();
}

function find(symbol) {
  const wanted = symbol.trim().toUpperCase();
  const exact = order.findIndex((row) => index.instruments[row].toUpperCase() === wanted);
  const row = exact >= 0 ? exact : order.findIndex((at) => index.instruments[at].toUpperCase().startsWith(wanted));
  if (!wanted) return;
  if (row < 0) { readout.textContent = `${symbol} is not in this dataset.`; return; }
  view.row = Math.max(view.row, 12);
  view.y = row - inner().height / view.row / 2;
  cursor = { row, position: cursor ? cursor.position : sessions.length - 1 };
  clamp(); tell();
}

function zoom(factor, x = LEFT + inner().width / 2, y = null) {
  const share = Math.min(1, Math.max(0, (x - LEFT) / inner().width)), under = view.x + share * view.width;
  view.width *= factor;
  clamp();
  view.x = under - share * view.width;
  const row = Math.min(MOST_ROW, Math.max(LEAST_ROW, view.row / Math.sqrt(factor)));
  if (y !== null) {
    const at = view.y + (y - TOP) / view.row;
    view.y = at - (y - TOP) / row;
  }
  view.row = Math.max(row, Math.min(MOST_ROW, inner().height / Math.max(1, order.length)));
  clamp(); draw(); tell(); later();
}

let timer = 0;
const later = () => { clearTimeout(timer); timer = setTimeout(remember, 300); };

function at(event) {
  const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
  const row = Math.floor(view.y + (y - TOP) / view.row), position = Math.floor(view.x + ((x - LEFT) / inner().width) * view.width);
  const inside = x >= LEFT && y >= TOP && row >= 0 && row < order.length && position >= 0 && position < sessions.length;
  return { x, y, cell: inside ? { row, position } : null };
}

async function story() {
  const pixel = inner().width / view.width;
  if (!cursor) return;
  if (pixel < BY_SESSION) { // a month first: the cell is chosen among its sessions
    const month = spanOf(cursor.position, pixel);
    view.width = Math.max(LEAST_VIEW, (month.stop - month.start) * 1.5);
    view.x = month.start - view.width / 6;
    view.row = Math.max(view.row, 14);
    view.y = cursor.row - inner().height / view.row / 2;
    clamp(); draw(); tell(); later();
    return;
  }
  const mine = ++turn, query = new URLSearchParams({ dataset: index.dataset, symbol: index.instruments[order[cursor.row]], session: sessions[cursor.position] });
  panel.hidden = false;
  panel.textContent = "Reading …";
  try {
    const answer = await fetch(`${base}/cell?${query}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== turn) return;
    const part = page.getElementById("story") || page.querySelector("main");
    panel.replaceChildren(...(part ? part.childNodes : []));
  } catch {
    if (mine === turn) panel.textContent = "The node does not answer.";
  }
  clamp(); draw();
}

function stale() {
  if (panel.querySelector(".changed")) return;
  const note = document.createElement("p");
  note.className = "changed working-text";
  note.textContent = "The map has changed since; click the cell again.";
  panel.prepend(note);
}

const fingers = new Map();
let dragged = 0;
canvas.addEventListener("pointerdown", (event) => { if (event.button) return; fingers.set(event.pointerId, event); dragged = 0; canvas.setPointerCapture(event.pointerId); });
canvas.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (before && fingers.size === 1) {
    dragged += Math.abs(event.clientX - before.clientX) + Math.abs(event.clientY - before.clientY);
    view.x -= ((event.clientX - before.clientX) / inner().width) * view.width;
    view.y -= (event.clientY - before.clientY) / view.row;
    clamp();
  } else if (before && fingers.size === 2) {
    const other = [...fingers.values()].find((each) => each.pointerId !== event.pointerId);
    const apart = (one) => Math.max(1, Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY));
    dragged += 10;
    fingers.set(event.pointerId, event);
    zoom(apart(before) / apart(event), at(event).x, at(event).y);
    return;
  }
  if (before) fingers.set(event.pointerId, event);
  cursor = at(event).cell;
  draw(); tell();
  if (before) later();
});
for (const kind of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(kind, (event) => {
    if (!fingers.delete(event.pointerId)) return;
    if (kind === "pointerup" && dragged < 5) { cursor = at(event).cell; story(); }
  });
}
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    view.y += (event.shiftKey ? event.deltaY || event.deltaX : 0) / view.row;
    view.x += event.shiftKey ? 0 : (event.deltaX / inner().width) * view.width;
    clamp(); draw(); later();
    return;
  }
  zoom(Math.exp(Math.sign(event.deltaY) * Math.min(0.5, Math.abs(event.deltaY) / 300)), at(event).x, at(event).y);
}, { passive: false });
canvas.addEventListener("keydown", (event) => {
  if (!index || !order.length || !sessions.length) return;
  const step = Math.max(1, Math.round(view.width / 60)), move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (event.key === "+" || event.key === "=") zoom(0.7);
  else if (event.key === "-") zoom(1.4);
  else if (event.key === "Enter") story();
  else if (event.key === "Escape") { panel.hidden = true; draw(); }
  else if (move) {
    const from = cursor || { row: Math.floor(view.y), position: Math.floor(view.x + view.width / 2) };
    cursor = { row: Math.min(order.length - 1, Math.max(0, from.row + move[1])), position: Math.min(sessions.length - 1, Math.max(0, from.position + move[0])) };
    if (cursor.position < view.x) view.x = cursor.position;
    if (cursor.position >= view.x + view.width) view.x = cursor.position - view.width + 1;
    const rows = inner().height / view.row;
    if (cursor.row < view.y) view.y = cursor.row;
    if (cursor.row >= view.y + rows) view.y = cursor.row - rows + 1;
    clamp(); draw(); tell(); later();
  } else return;
  event.preventDefault();
});

if (form) {
  const said = new URLSearchParams(location.search);
  let unknown = ""; // a dataset that the address names and that is not drawn: another one is no answer
  for (const name of ["dataset", "sort", "symbol"]) {
    const control = form.elements[name];
    const given = said.get(name);
    if (given && (name === "symbol" || [...control.options].some((option) => option.value === given))) control.value = given;
    else if (given && name === "dataset") unknown = given;
  }
  const trouble = (error) => { readout.textContent = error.message; };
  form.addEventListener("submit", (event) => { event.preventDefault(); find(form.elements.symbol.value); draw(); later(); });
  form.elements.dataset.addEventListener("change", () => load(form.elements.dataset.value).then(later, trouble));
  form.elements.sort.addEventListener("change", () => { sort(); view.y = 0; draw(); later(); });
  for (const button of form.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => {
      if (button.dataset.zoom === "all") { fit(); clamp(); draw(); later(); } else zoom(button.dataset.zoom === "in" ? 0.5 : 2);
    });
  }
  document.addEventListener("changed", () => index && load(index.dataset).catch(trouble));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new ResizeObserver(() => { clamp(); draw(); }).observe(canvas);
  if (unknown) { form.elements.dataset.value = ""; trouble({ message: `${unknown} is not drawn yet.` }); }
  else load(form.elements.dataset.value).then(() => { restore(); draw(); tell(); }, trouble);
}
