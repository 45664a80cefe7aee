// Charts of a series: what the node holds, gaps as gaps; zooming in asks for shorter bars.
const base = document.body.dataset.base;
const form = document.getElementById("controls");
const readout = document.getElementById("readout");
const place = document.getElementById("chart");
const table = document.getElementById("rows");
const line = document.getElementById("python");
const FINER = 60, WIDER = 15; // bars in view below which shorter ones are asked for; bars of nothing above which longer ones are

let chart = null, shown = null, quiet = false, timer = 0, turn = 0;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function options() {
  return {
    autoSize: true,
    layout: { background: { color: "transparent" }, textColor: colour("ink"), attributionLogo: false, fontFamily: "system-ui, sans-serif" },
    grid: { vertLines: { color: colour("line") }, horzLines: { color: colour("line") } },
    rightPriceScale: { borderColor: colour("line") },
    timeScale: { borderColor: colour("line"), timeVisible: true, secondsVisible: false, minBarSpacing: 0.02 },
    crosshair: { mode: 0 },
  };
}

function clear() {
  if (chart) { chart.remove(); chart = null; }
  place.replaceChildren();
  table.replaceChildren();
  document.querySelector(".python").hidden = true;
}

async function ask(given) {
  const mine = ++turn, query = new URLSearchParams(Object.entries(given).filter(([, value]) => value));
  readout.textContent = "Reading …";
  const answer = await fetch(`${base}/api/v1/bars?${query}`);
  const text = await answer.text();
  if (mine !== turn) return; // of what was asked before
  if (!answer.ok) { clear(); shown = null; readout.textContent = text; return; }
  show(JSON.parse(text), given);
}

function show(answer, given) {
  clear();
  shown = { ...answer, given };
  line.textContent = answer.python;
  document.querySelector(".python").hidden = false;
  const cut = answer.cut ? " Older ones are left out." : "";
  if (answer.kind === "rows") { rows(answer); readout.textContent = `${answer.title} ${answer.instrument}: ${answer.rows.length} rows, ${answer.first} to ${answer.last}.${cut}`; return; }
  table.replaceChildren();
  const bars = answer.time.map((time, at) => (answer.close[at] === null ? { time } : { time, open: answer.open[at], high: answer.high[at], low: answer.low[at], close: answer.close[at] }));
  const there = bars.filter((bar) => "close" in bar).length, gaps = bars.length - there, many = (count) => count.toLocaleString("en");
  const length = answer.every || (typeof answer.time[0] === "string" ? "1d" : "1m");
  const lacks = [
    gaps ? `${many(gaps)} that are expected are not there` : "",
    answer.lacking && !(length === "1d" && answer.lacking === gaps) ? `${many(answer.lacking)} sessions are not there, or not whole` : "",
    answer.short ? `${many(answer.short)} minutes inside of bars are not there` : "",
    answer.unmarked ? `${many(answer.unmarked)} AMBER sessions are not marked` : "",
  ].filter(Boolean).map((words) => `; ${words}`).join("");
  readout.textContent = bars.length
    ? `${answer.title} ${answer.instrument}: ${there.toLocaleString("en")} bars of ${length}, ${answer.first} to ${answer.last}, ${answer.zone}${lacks}.${cut}`
    : `${answer.title} ${answer.instrument}: nothing is held from ${answer.first} to ${answer.last}.`;
  draw(answer, bars);
}

// The first bar that is there of the session that begins at a time; null where none is, which is a gap and needs no mark.
function held(answer, time) {
  let at = answer.time.indexOf(time);
  const session = answer.session[at];
  while (answer.session[at] === session && answer.close[at] === null) at += 1;
  return answer.session[at] === session ? answer.time[at] : null;
}

function draw(answer, bars) {
  quiet = true;
  if (!bars.length) return;
  chart = LightweightCharts.createChart(place, options());
  const candles = chart.addSeries(LightweightCharts.CandlestickSeries, {
    upColor: colour("well-fill"), downColor: colour("attention-fill"), wickUpColor: colour("well-fill"), wickDownColor: colour("attention-fill"), borderVisible: false,
  });
  candles.setData(bars);
  if (answer.volume.length) {
    const volume = chart.addSeries(LightweightCharts.HistogramSeries, { priceFormat: { type: "volume" }, priceScaleId: "volume", color: colour("unknown-fill"), lastValueVisible: false, priceLineVisible: false });
    volume.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    volume.setData(answer.time.map((time, at) => (answer.volume[at] === null ? { time } : { time, value: answer.volume[at] })));
  }
  LightweightCharts.createSeriesMarkers(candles, answer.markers.map((one) => ({ ...one, time: held(answer, one.time) })).filter((one) => one.time !== null).map((one) => ({
    time: one.time, position: "aboveBar", shape: one.verdict === "RED" ? "square" : "circle", color: colour(one.verdict.toLowerCase()), text: answer.markers.length < 12 ? one.text : "",
  })));
  chart.timeScale().fitContent();
  chart.timeScale().subscribeVisibleLogicalRangeChange((range) => { clearTimeout(timer); if (range && !quiet) timer = setTimeout(() => zoomed(range), 350); });
  setTimeout(() => { quiet = false; }, 200);
}

function zoomed(range) {
  if (form.elements.every.value !== "auto" || !shown || !shown.time.length) return;
  const last = shown.time.length - 1, from = Math.max(0, Math.floor(range.from)), to = Math.min(last, Math.ceil(range.to));
  const first = shown.session[from], end = shown.session[to];
  const finer = !["", "1m", "1s"].includes(shown.every) && to - from < FINER;
  const wider = range.from < -WIDER && range.to > last;
  if (finer && (first > shown.first || end < shown.last)) submit({ start: first, end });
  else if (wider) {
    const length = Date.parse(shown.last) - Date.parse(shown.first) + 86400000;
    submit({ start: new Date(Date.parse(shown.first) - length * 2).toISOString().slice(0, 10), end: shown.last });
  }
}

function rows(answer) {
  const made = document.createElement("table"), head = made.createTHead().insertRow();
  for (const name of answer.columns) { const cell = document.createElement("th"); cell.textContent = name; head.append(cell); }
  const body = made.createTBody();
  for (const each of answer.rows) { const row = body.insertRow(); for (const value of each) row.insertCell().textContent = value; }
  table.replaceChildren(made);
}

function submit(changes = {}) {
  for (const [name, value] of Object.entries(changes)) form.elements[name].value = value;
  const given = Object.fromEntries(new FormData(form));
  if (!given.symbol) { clear(); readout.textContent = "Which symbol?"; return; }
  history.replaceState(null, "", `?${new URLSearchParams(Object.entries(given).filter(([name, value]) => value && !["auto", "none"].includes(value)))}`);
  ask(given).catch((error) => { readout.textContent = error.message; });
}

async function symbols() {
  const answer = await fetch(`${base}/api/v1/coverage/${encodeURIComponent(form.elements.dataset.value)}`);
  if (!answer.ok) return;
  const names = (await answer.json()).instruments;
  document.getElementById("symbols").replaceChildren(...names.map((name) => { const option = document.createElement("option"); option.value = name; return option; }));
  if (!form.elements.symbol.value && names.length) { form.elements.symbol.value = names[0]; submit(); }
}

const said = new URLSearchParams(location.search);
for (const [name, value] of said) if (form.elements[name]) form.elements[name].value = value;
form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
form.elements.dataset.addEventListener("change", () => { form.elements.start.value = form.elements.end.value = ""; symbols().then(() => submit()); });
form.elements.every.addEventListener("change", () => submit());
form.elements.adjust.addEventListener("change", () => submit());
document.getElementById("copy").addEventListener("click", () => navigator.clipboard.writeText(line.textContent));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (chart) chart.applyOptions(options()); });
if (form.elements.symbol.value) submit();
symbols();
