// The page: metrics, exchange and methodology to choose, a chart for each metric with the vendor's series beside it, and
// the transactions of a day. Figures are shown as the server prints them; only the charts turn them into numbers.
import { explanation, make, row } from "/static/explanation.js";

const library = import("/static/charts.js"); // large: meanwhile the rest of the page comes up
const VENDOR = "vendor";
const MOST_CHARTS = 8;
const at = (id) => document.getElementById(id);
const state = { methodologies: [], spans: new Map(), series: new Map(), views: new Map(), turn: 0, cell: 0 };

/** What the server answers, with its own message if it cannot. */
async function get(path, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== ""));
  if (at("key").value) query.set("api_key", at("key").value);
  const answer = await fetch(`${path}?${query}`);
  if (answer.ok) return answer;
  const { error } = await answer.json();
  if (answer.status === 401) at("key-label").hidden = false;
  throw Object.assign(new Error(error.message), { status: answer.status });
}

function say(text, wrong = false) {
  at("status").textContent = text;
  at("status").classList.toggle("wrong", wrong);
}

/** Runs what was asked for; a fault is told in the page. */
function attempt(work) {
  return (...given) => work(...given).catch((error) => say(error.message, true));
}

function fill(select, values, label = (value) => value, chosen = select.value) {
  select.replaceChildren(...values.map((value) => new Option(label(value), value)));
  if (values.includes(chosen)) select.value = chosen;
}

const isWide = (id) => /^((Flow|FlowMiner)(In|Out|Net)|FlowTfr|Sply(?!Miner)|TxEx)/.test(id);

/** The exchange that a metric is about: its code, "" for none. */
function exchangeOf(id, codes) {
  const stem = id.replace(/(Ntv|USD|Cnt)$/, "");
  return codes.find((code) => isWide(id) && stem.endsWith(code)) ?? "";
}

async function start() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  state.methodologies = (await (await get("/methodology")).json()).data;
  at("key-label").hidden = true;
  const names = state.methodologies.map((one) => one.name).filter((name) => name !== VENDOR);
  fill(at("methodology"), names, undefined, wanted.get("methodology") ?? names[0]);
  at("from").value = wanted.get("from") ?? "";
  at("to").value = wanted.get("to") ?? "";
  await chooseMethodology(wanted);
}

async function chooseMethodology(wanted = new URLSearchParams(location.hash.slice(1))) {
  const methodology = at("methodology").value;
  const catalog = await (await get("/v4/catalog-v2/asset-metrics", { methodology })).json();
  state.spans = new Map((catalog.data[0]?.metrics ?? []).map((one) => [one.metric, one.frequencies[0]]));
  state.codes = [...state.methodologies.find((one) => one.name === methodology).exchanges, "ExIncl", "Ex"];
  const present = ["Ex", ...state.codes.filter((code) => code !== "Ex")]
    .filter((code) => [...state.spans.keys()].some((id) => exchangeOf(id, state.codes) === code));
  const label = (code) => ({ "": "none", Ex: "all as one (Ex)", ExIncl: "sum of all (ExIncl)" })[code] ?? code;
  fill(at("exchange"), [...present, ""], label, wanted.get("exchange") ?? "Ex");
  await chooseExchange(wanted.get("metrics")?.split(","));
}

async function chooseExchange(chosen) {
  const ids = [...state.spans.keys()].filter((id) => exchangeOf(id, state.codes) === at("exchange").value).sort();
  const known = (chosen ?? []).filter((id) => ids.includes(id));
  const first = ids.filter((id) => /^FlowMiner(In|Out)1.*Ntv$/.test(id));
  const checked = known.length ? known : first.length ? first : ids.slice(0, 2);
  at("metrics").replaceChildren(...ids.map((id) => {
    const box = Object.assign(document.createElement("input"), { type: "checkbox", value: id, checked: checked.includes(id) });
    return make("label", "", box, make("span", "", id));
  }));
  await draw();
}

const metrics = () => [...at("metrics").querySelectorAll("input:checked")].map((box) => box.value);

function remember() {
  const now = { methodology: at("methodology").value, exchange: at("exchange").value, metrics: metrics().join(","),
    from: at("from").value, to: at("to").value, metric: at("day-metric").value, day: at("day-input").value };
  const kept = Object.entries(now).filter(([, value]) => value);
  history.replaceState(null, "", `#${new URLSearchParams(kept)}`);
}

/** Rows of one recomputation by day, of as many metrics. */
async function series(methodology, ids) {
  const answer = await get("/v4/timeseries/asset-metrics", { assets: "btc", metrics: ids.join(","), methodology,
    format: "json_stream", start_time: at("from").value, end_time: at("to").value, ignore_unsupported_errors: "true" });
  const lines = (await answer.text()).split("\n").filter(Boolean).map((line) => JSON.parse(line));
  return new Map(lines.map((line) => [line.time.slice(0, 10), line]));
}

async function draw() {
  const turn = ++state.turn;
  const ids = metrics();
  fill(at("day-metric"), ids);
  remember();
  if (!ids.length) {
    await showCharts([]);
    return say("Choose a metric.");
  }
  say("Loading…");
  const hasVendor = state.methodologies.some((one) => one.name === VENDOR);
  const [ours, theirs] = await Promise.all([
    series(at("methodology").value, ids), hasVendor ? series(VENDOR, ids) : new Map()]);
  if (turn !== state.turn) return; // something else was chosen meanwhile
  state.series = new Map(ids.map((id) => [id, join(id, ours, theirs)]));
  await showCharts(ids.slice(0, MOST_CHARTS), hasVendor);
  showTable();
  const days = ours.size ? `${[...ours.keys()][0]} to ${[...ours.keys()].at(-1)}` : "no days";
  say(ids.length > MOST_CHARTS ? `${days}; the first ${MOST_CHARTS} of ${ids.length} metrics are drawn.` : `${days}.`);
}

function join(id, ours, theirs) {
  const days = [...new Set([...ours.keys(), ...theirs.keys()])].sort();
  return days.map((day) => ({ day, time: Date.parse(day), ours: ours.get(day)?.[id] ?? null,
    vendor: theirs.get(day)?.[id] ?? null }));
}

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function specification(rows, hasVendor) {
  const number = (text) => (text === null ? null : Number(text));
  const values = rows.map((one) => ({ ...one, y: number(one.ours), v: number(one.vendor) }));
  const x = { field: "time", type: "temporal", scale: { type: "utc" }, axis: { title: null, format: "%Y-%m-%d", tickCount: { signal: "width / 110" }, labelOverlap: true } };
  const line = (field, name, dash) => ({ mark: { type: "line", stroke: color(name), strokeDash: dash, strokeWidth: 1.6,
    point: rows.length < 3 && { fill: color(name) } }, encoding: { x, y: { field, type: "quantitative", axis: { title: null, tickCount: 5 } } } });
  const tooltip = [{ field: "day", title: "day" }, { field: "ours", title: "ours" },
    ...(hasVendor ? [{ field: "vendor", title: "vendor" }] : [])];
  return {
    width: "container", height: 200, autosize: { type: "fit-x", contains: "padding" }, background: "transparent",
    data: { values },
    layer: [
      { data: { name: "picked", values: marked(rows[0]) }, mark: { type: "rule", stroke: color("--picked"), strokeWidth: 2 },
        encoding: { x: { field: "time", type: "temporal" }, opacity: { field: "shown", type: "quantitative", scale: null } } },
      line("y", "--ours", [1, 0]),
      ...(hasVendor ? [line("v", "--vendor", [5, 4])] : []),
      { mark: { type: "rule", stroke: color("--quiet"), tooltip: true },
        params: [{ name: "near", select: { type: "point", on: "pointerover", clear: "pointerout", nearest: true, encodings: ["x"] } }],
        encoding: { x, tooltip, opacity: { condition: { param: "near", empty: false, value: 0.6 }, value: 0 } } },
    ],
    config: { view: { stroke: null }, axis: { labelColor: color("--text"), gridColor: color("--line"),
      domainColor: color("--line"), tickColor: color("--line") }, font: "system-ui, sans-serif" },
  };
}

async function showCharts(ids, hasVendor) {
  for (const view of state.views.values()) view.finalize();
  state.views.clear();
  const figures = ids.map((id) => {
    const chart = make("div", "chart");
    Object.assign(chart, { tabIndex: 0, role: "img" });
    chart.setAttribute("aria-label", `Chart of ${id}. Arrow keys choose a day, Enter shows its transactions.`);
    const caption = make("figcaption", "", make("strong", "", id), make("span", "key", "recomputed"));
    if (hasVendor) caption.append(make("span", "key vendor", "vendor"));
    chart.addEventListener("keydown", attempt((event) => onKey(event, id)));
    const figure = make("figure", "", caption, chart);
    figure.dataset.metric = id;
    return figure;
  });
  at("charts").replaceChildren(...figures);
  await Promise.all(figures.map((figure) => embed(figure, hasVendor)));
  mark();
}

async function embed(figure, hasVendor) {
  const id = figure.dataset.metric;
  const chart = figure.querySelector(".chart");
  await library;
  const { view } = await window.vegaEmbed(chart, specification(state.series.get(id), hasVendor),
    { actions: false, ast: true, renderer: "svg", mode: "vega-lite" });
  state.views.set(id, view);
  chart.addEventListener("click", attempt(async (event) => {
    const left = event.clientX - chart.querySelector("svg").getBoundingClientRect().left - view.origin()[0];
    const day = nearest(state.series.get(id), +view.scale("x").invert(left));
    if (day) await pick(id, day);
  }));
}

function nearest(rows, time) {
  return rows.reduce((best, one) => (!best || Math.abs(one.time - time) < Math.abs(best.time - time) ? one : best), null)?.day;
}

async function onKey(event, id) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (event.key === "Enter" && at("day-input").value) return pick(id, at("day-input").value);
  if (!step) return;
  event.preventDefault();
  at("day-metric").value = id;
  move(step);
}

/** Another day than the chosen one, or the last if none is. */
function move(step) {
  const days = (state.series.get(at("day-metric").value) ?? []).map((one) => one.day);
  const place = days.indexOf(at("day-input").value);
  const day = place < 0 ? days.at(-1) : days[Math.min(days.length - 1, Math.max(0, place + step))];
  if (!day) return;
  at("day-input").value = day;
  const found = state.series.get(at("day-metric").value).find((one) => one.day === day);
  say(`${day}: ${found.ours ?? "no value"}${found.vendor === null ? "" : `, vendor ${found.vendor}`}`);
  mark();
}

/** The chosen day as data for a chart; without one a mark that nobody sees, for an empty axis is a warning. */
function marked(first) {
  const time = Date.parse(at("day-input").value);
  return time ? [{ time, shown: 1 }] : first ? [{ time: first.time, shown: 0 }] : [];
}

function mark() {
  for (const [id, view] of state.views) view.data("picked", marked(state.series.get(id)[0])).runAsync();
}

async function pick(id, day) {
  at("day-metric").value = id;
  at("day-input").value = day;
  mark();
  await explain();
}

async function explain() {
  const [metric, time] = [at("day-metric").value, at("day-input").value];
  remember();
  if (!metric || !time) return;
  const turn = ++state.cell;
  at("explanation").replaceChildren(make("p", "quiet", `Taking ${metric} on ${time} apart…`));
  let found;
  try {
    found = explanation(await (await get("/explain", { metric, time, methodology: at("methodology").value })).json());
  } catch (error) {
    found = make("p", "wrong", error.message);
  }
  if (turn === state.cell) at("explanation").replaceChildren(found);
}

function showTable() {
  if (!at("table-box").open) return;
  const table = make("table");
  const number = (place) => place > 1;
  table.append(row("th", ["Day", "Metric", "Recomputed", "Vendor"], number));
  for (const [id, rows] of state.series) {
    for (const one of rows.toReversed().slice(0, 1000)) {
      table.append(row("td", [one.day, id, one.ours ?? "", one.vendor ?? ""], number));
    }
  }
  at("table").replaceChildren(table);
}

at("methodology").addEventListener("change", attempt(() => chooseMethodology()));
at("exchange").addEventListener("change", attempt(() => chooseExchange()));
for (const id of ["metrics", "from", "to"]) at(id).addEventListener("change", attempt(draw));
for (const id of ["day-metric", "day-input"]) at(id).addEventListener("change", attempt(async () => { mark(); await explain(); }));
at("before").addEventListener("click", attempt(async () => { move(-1); await explain(); }));
at("after").addEventListener("click", attempt(async () => { move(1); await explain(); }));
at("key").addEventListener("change", attempt(start));
at("table-box").addEventListener("toggle", showTable);
for (const form of document.forms) form.addEventListener("submit", (event) => event.preventDefault());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => showCharts([...state.views.keys()],
  state.methodologies.some((one) => one.name === VENDOR)));

const first = new URLSearchParams(location.hash.slice(1));
await attempt(start)();
if (first.get("day") && state.series.has(first.get("metric"))) await attempt(pick)(first.get("metric"), first.get("day"));
