"use strict";
// Draws the charts of the report from what the page carries, and answers to hovering, keys and the choice of days.
// Amounts stay decimal text, added and subtracted as integers; a float only ever becomes a place in a chart.
(() => {
  const DATA = JSON.parse(document.getElementById("data").textContent);
  const DAY = 86400000;
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const iso = (time) => new Date(time).toISOString().slice(0, 10);
  const FIRST = DATA.first, LAST = DATA.first + (DATA.days - 1) * DAY;
  let range = [FIRST, LAST];

  // --- exact decimals ---------------------------------------------------------------------------------------------
  const parts = (text) => {
    const [whole, fraction = ""] = text.split(".");
    return { number: BigInt(whole + fraction), places: fraction.length };
  };
  const plain = (number, places) => {
    const digits = (number < 0n ? -number : number).toString().padStart(places + 1, "0");
    const cut = digits.length - places;
    const fraction = digits.slice(cut).replace(/0+$/, "");
    return (number < 0n ? "-" : "") + digits.slice(0, cut) + (fraction ? "." + fraction : "");
  };
  const sum = (texts, signs = []) => {
    const all = texts.map(parts);
    const places = Math.max(0, ...all.map((part) => part.places));
    const scaled = all.map((part, i) => part.number * 10n ** BigInt(places - part.places) * BigInt(signs[i] ?? 1));
    return plain(scaled.reduce((a, b) => a + b, 0n), places);
  };
  const minus = (a, b) => sum([a, b], [1, -1]);
  // For people: 8 places, half away from zero; all of them where nothing would be left. Tables and files have every digit.
  const shortly = (text) => {
    const { number, places } = parts(text);
    if (places <= 8) return text;
    const unit = 10n ** BigInt(places - 8), size = number < 0n ? -number : number;
    const rounded = (2n * size + unit) / (2n * unit);
    return rounded || !size ? plain(number < 0n ? -rounded : rounded, 8) : text;
  };
  const spaced = (exact) => {
    const text = shortly(exact);
    const [whole, fraction] = text.split(".");
    const grouped = whole.replace(/\B(?=(\d{3})+$)/g, "\u202f").replace("-", "\u2212");
    return fraction ? grouped + "." + fraction : grouped;
  };

  // --- series: deflated text, a line a day; `OURS`, `OURS,VENDOR`, `OURS,=`, `OURS,~VENDOR` ---------------------------
  const unpacked = new Map();
  const inflate = async (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).text();
  };
  const series = async (metric) => {
    if (!unpacked.has(metric)) {
      const lines = (await inflate($(`script[data-series="${CSS.escape(metric)}"]`).textContent)).split("\n");
      const days = lines.map((line, i) => {
        const [ours, vendor = ""] = line.split(",");
        const rounded = vendor.startsWith("~"); // the vendor's is ours with fewer digits: no difference
        return { t: FIRST + i * DAY, ours, rounded, vendor: vendor === "=" ? ours : vendor.replace("~", "") };
      });
      unpacked.set(metric, days);
    }
    return unpacked.get(metric);
  };
  const within = (rows) => rows.filter((row) => (row.t2 ?? row.t + DAY) > range[0] && row.t <= range[1]);

  // --- bins: the rule of bins.py ------------------------------------------------------------------------------------
  const step = () => {
    const days = (range[1] - range[0]) / DAY + 1;
    return days <= 120 ? "day" : days <= 900 ? "week" : "month";
  };
  const binStart = (time, by) => {
    const day = new Date(time);
    if (by === "month") return Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), 1);
    return by === "week" ? time - ((day.getUTCDay() + 6) % 7) * DAY : time;
  };
  const binEnd = (start, by) => {
    const day = new Date(start);
    if (by === "month") return Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 1);
    return start + (by === "week" ? 7 : 1) * DAY;
  };
  const span = (t, t2) => (t2 - t === DAY ? iso(t) : `${iso(t)} to ${iso(t2 - DAY)}`);

  // --- what a figure shows: {charts: [{spec, rows}], points, tell, table} -------------------------------------------
  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const word = (name, value, colour) => {
    const made = element("span");
    if (colour) made.append(element("i")), (made.firstChild.style.background = colour);
    made.append(name + " ", element("b", value));
    return made;
  };
  const number = (text) => (text === "" ? null : Number(text));

  const metricFigure = async () => {
    const id = $("#metric").value, facts = DATA.metrics[id];
    const days = within(await series(id)).map((day) => ({
      ...day, gap: day.rounded ? "0" : day.ours !== "" && day.vendor !== "" ? minus(day.ours, day.vendor) : "",
    }));
    const compared = days.some((day) => day.vendor !== "");
    const rows = days.map((day) => ({ t: day.t, ours: number(day.ours), vendor: number(day.vendor) }));
    const gaps = days.filter((day) => day.gap !== "")
      .map((day) => ({ t: day.t, difference: Number(day.gap) }));
    $("#definition").textContent = `${facts.definition} Unit: ${facts.unit}.` +
      (DATA.vendor && !compared ? " The vendor's data do not have it on these days." : "");
    const spec = structuredClone(DATA.specs[compared ? "metric" : "alone"]);
    if ($("#log").checked) for (const layer of spec.layer) layer.encoding.y.scale = { type: "symlog" };
    return {
      name: id, kind: "time",
      charts: [
        { spec, rows: days.some((day) => day.ours !== "" || day.vendor !== "") ? rows : [] },
        { spec: DATA.specs.difference, rows: gaps.some((row) => row.difference) ? gaps : [], none: compared
          ? "No difference on any of these days." : "Nothing to compare on these days." },
      ],
      points: days.map((day) => ({ t: day.t })),
      tell: (i) => [
        element("b", iso(days[i].t)), " ", word("ours", days[i].ours ? spaced(days[i].ours) : "none", "var(--ours)"),
        ...(compared ? [
          word("vendor", days[i].vendor ? spaced(days[i].vendor) : "none", "var(--vendor)"),
          word("difference", days[i].gap ? spaced(days[i].gap) : "none", "var(--difference)")] : []),
      ],
      table: () => ({
        columns: compared ? ["time", "ours", "vendor", "difference"] : ["time", "ours"],
        rows: days.map((day) => [iso(day.t), day.ours, ...(compared ? [day.vendor, day.gap] : [])]),
      }),
    };
  };

  const stackFigure = async () => {
    const stack = DATA.stacks[$("#flow").value], side = $("#side")?.value ?? "ours", by = step();
    const codes = Object.keys(stack.members);
    const bins = new Map();
    for (const code of codes) {
      for (const day of within(await series(stack.members[code]))) {
        if (day[side] === "") continue;
        const t = binStart(day.t, by);
        if (!bins.has(t)) bins.set(t, new Map());
        const bin = bins.get(t);
        bin.set(code, [...(bin.get(code) ?? []), day[side]]);
      }
    }
    const rows = [...bins.keys()].sort((a, b) => a - b).flatMap((t) => codes
      .filter((code) => bins.get(t).has(code))
      .map((code) => ({ t, t2: binEnd(t, by), entity: code, told: sum(bins.get(t).get(code)) })));
    return stacked(`${stack.title} ${side}`, rows, DATA.specs.stack, DATA.top);
  };

  // Rows {t, t2, entity, told}: those without a colour of their own are drawn as one, and told and listed one by one.
  const stacked = (name, rows, spec, top) => {
    const times = [...new Set(rows.map((row) => row.t))];
    const drawn = new Map();
    for (const row of rows) {
      const entity = top.includes(row.entity) ? row.entity : "others", key = row.t + entity;
      const order = entity === "others" ? top.length : top.indexOf(entity);
      const before = drawn.get(key) ?? { t: row.t, t2: row.t2, entity, order, value: 0 };
      drawn.set(key, { ...before, value: before.value + Number(row.told) });
    }
    const at = (i) => rows.filter((row) => row.t === times[i]);
    const colour = (entity) => top.includes(entity) ? `var(--c${top.indexOf(entity)})` : "var(--others)";
    return {
      name, kind: "time", charts: [{ spec, rows: [...drawn.values()], bins: true }],
      points: times.map((t, i) => ({ t, t2: at(i)[0].t2 })),
      tell: (i) => [
        element("b", span(times[i], at(i)[0].t2)), " ", word("all", spaced(sum(at(i).map((row) => row.told)))),
        ...at(i).filter((row) => Number(row.told))
          .sort((a, b) => Number(b.told) - Number(a.told)).slice(0, 10)
          .map((row) => word(row.entity, spaced(row.told), colour(row.entity))),
      ],
      table: () => ({
        columns: ["from", "before", "entity", "value"],
        rows: rows.map((row) => [iso(row.t), iso(row.t2), row.entity, row.told]),
      }),
    };
  };

  const fixedFigure = (id) => {
    const figure = DATA.figures[id], fields = Object.keys(figure.columns);
    const all = figure.rows.map((row) => Object.fromEntries(row.map((cell, i) => [fields[i],
      fields[i] === "t" || fields[i] === "t2" ? Date.parse(cell + "T00:00Z") : cell])));
    const rows = figure.kind === "bars" ? all : within(all);
    if (figure.kind === "stack") return stacked(id, rows, DATA.specs[id], figure.top);
    const hidden = ["row", "t", "t2", "class", "value", "best"];
    const said = fields.filter((field) => !hidden.includes(field));
    return {
      name: id, kind: figure.kind,
      charts: [{ spec: DATA.specs[id], bins: true, rows: rows.map((row) => ({ ...row, value: Number(row.value) })) }],
      points: rows,
      tell: (i) => [
        element("b", rows[i].row), " ", ...(rows[i].t === undefined ? [] : [element("span", span(rows[i].t, rows[i].t2))]),
        ...said.map((field) => word(figure.columns[field], String(rows[i][field]))),
      ],
      table: () => ({
        columns: fields.filter((field) => field !== "class" && field !== "best").map((field) => figure.columns[field]),
        rows: figure.rows.map((row) => row.filter((_, i) => fields[i] !== "class" && fields[i] !== "best")),
      }),
    };
  };

  // --- drawing ------------------------------------------------------------------------------------------------------
  const shown = new Map(); // figure element -> {what it shows, views, the point that is told}
  const config = (plot) => {
    const narrow = plot.clientWidth < 520;
    const made = structuredClone(DATA.config);
    made.axisY.labelLimit = narrow ? 118 : 220;
    made.legend.columns = Math.max(2, Math.floor(plot.clientWidth / 105));
    return made;
  };
  const draw = async (plot, chart) => {
    const spec = { ...structuredClone(chart.spec), data: { name: "rows", values: chart.rows }, config: config(plot) };
    for (const { encoding } of [spec, ...(spec.layer ?? [])])
      if (encoding?.x?.type === "temporal")
        Object.assign(encoding.x.scale, { domainMin: range[0], domainMax: range[1] + (chart.bins ? DAY : 0) });
    const options = { actions: false, defaultStyle: false, mode: "vega-lite", renderer: "svg", tooltip: false };
    return (await window.vegaEmbed(plot, spec, options)).view;
  };
  const figureOf = (root) => ({ metric: metricFigure, stack: stackFigure }[root.dataset.figure] ??
    (() => fixedFigure(root.dataset.figure)))();

  const show = async (root) => {
    const turn = (root.turn = (root.turn ?? 0) + 1);
    const what = await figureOf(root);
    if (turn !== root.turn) return; // another choice was made meanwhile
    shown.get(root)?.views.forEach((view) => view?.finalize());
    const plots = $$(".plot", root);
    shown.delete(root);
    const views = await Promise.all(plots.map((plot, i) => {
      const chart = what.charts[i];
      if (chart.rows.length) return draw(plot, chart);
      plot.replaceChildren(element("p", chart.none ?? "No values on these days.", "empty"));
      return null;
    }));
    if (turn !== root.turn) return views.forEach((view) => view?.finalize());
    shown.set(root, { what, views, at: null });
    tell(root, null);
    if (!$(".rows", root).hidden) fillTable(root);
    root.dataset.drawn = "yes";
  };

  const tell = (root, i) => {
    const now = shown.get(root), out = $(".readout", root);
    now.at = i;
    $$(".cross", root).forEach((cross) => cross.remove());
    if (i === null) return out.replaceChildren(element("span", "Hover or use the arrow keys to read values.", "hint"));
    out.replaceChildren(...now.what.tell(i));
    $$(".plot", root).forEach((plot, n) => now.views[n] && cross(plot, now.views[n], now.what, i));
  };
  const cross = (plot, view, what, i) => {
    const [left, top] = view.origin(), point = what.points[i], made = element("div", undefined, "cross");
    const x = (time) => left + view.scale("x")(time);
    const box = { left, top, width: view.width(), height: view.height() };
    if (what.kind === "time") box.left = (x(point.t) + x(point.t2 ?? point.t)) / 2, (box.width = 0);
    if (what.kind === "cells") box.left = x(point.t), (box.width = x(point.t2) - x(point.t));
    if (what.kind !== "time") box.top = top + view.scale("y")(point.row), (box.height = view.scale("y").bandwidth());
    for (const [key, value] of Object.entries(box)) made.style[key] = `${value}px`;
    plot.append(made);
  };

  // --- reading values: the mouse, a finger, the keys ----------------------------------------------------------------
  const nearest = (root, plot, event) => {
    const { what, views } = shown.get(root);
    const view = views[$$(".plot", root).indexOf(plot)];
    if (!view || !what.points.length) return null;
    const [left, top] = view.origin(), frame = plot.getBoundingClientRect();
    const x = event.clientX - frame.left - left, y = event.clientY - frame.top - top;
    const middle = (point) => (what.kind === "time" ? (point.t + (point.t2 ?? point.t)) / 2 : point.t);
    let best = null, least = Infinity;
    what.points.forEach((point, i) => {
      if (what.kind !== "time") {
        const row = view.scale("y")(point.row), size = view.scale("y").step();
        if (y < row || y >= row + size) return;
        if (what.kind === "bars") return void (best = i);
        const time = +view.scale("x").invert(x);
        if (time < point.t || time >= point.t2) return;
        return void (best = i);
      }
      const distance = Math.abs(view.scale("x")(middle(point)) - x);
      if (distance < least) (least = distance), (best = i);
    });
    return best;
  };
  const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1, PageUp: -30, PageDown: 30 };
  const onKey = (root, event) => {
    const now = shown.get(root), last = now.what.points.length - 1;
    if (last < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const to = event.key === "Home" ? 0 : event.key === "End" ? last
      : event.key in STEPS ? (now.at === null ? (STEPS[event.key] > 0 ? 0 : last) : now.at + STEPS[event.key]) : null;
    if (event.key === "Escape") tell(root, null);
    if (to === null) return;
    event.preventDefault();
    tell(root, Math.min(last, Math.max(0, to)));
  };
  const listen = (root, plot) => {
    let start = null;
    const place = (event) => event.clientX - plot.getBoundingClientRect().left;
    plot.addEventListener("pointermove", (event) => {
      if (!shown.has(root)) return;
      const i = nearest(root, plot, event);
      if (i !== shown.get(root).at) tell(root, i);
      if (start === null) return;
      $(".brush", plot)?.remove();
      const brush = element("div", undefined, "brush");
      Object.assign(brush.style, { left: `${Math.min(start, place(event))}px`, top: 0, bottom: 0,
        width: `${Math.abs(place(event) - start)}px` });
      plot.append(brush);
    });
    plot.addEventListener("pointerleave", () => shown.has(root) && tell(root, null));
    plot.addEventListener("keydown", (event) => shown.has(root) && onKey(root, event));
    plot.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && event.button === 0 && shown.get(root)?.what.kind !== "bars") start = place(event);
    });
    addEventListener("pointerup", (event) => {
      if (start === null) return;
      const from = start, to = place(event);
      start = null;
      $(".brush", plot)?.remove();
      const view = shown.get(root).views[$$(".plot", root).indexOf(plot)];
      if (!view || Math.abs(to - from) < 8) return;
      const day = (pixel) => Math.floor(+view.scale("x").invert(pixel - view.origin()[0]) / DAY) * DAY;
      setRange(day(Math.min(from, to)), day(Math.max(from, to)));
    });
    plot.addEventListener("dblclick", () => setRange(FIRST, LAST));
  };

  // --- tables and downloads -----------------------------------------------------------------------------------------
  const fillTable = (root) => {
    const { columns, rows } = shown.get(root).what.table(), table = element("table");
    const line = (cells, name) => {
      const made = element("tr");
      made.append(...cells.map((cell) => element(name, cell ?? "")));
      return made;
    };
    const head = element("thead"), body = element("tbody");
    head.append(line(columns, "th"));
    body.append(...rows.map((row) => line(row, "td")));
    table.append(head, body);
    $(".rows", root).replaceChildren(table);
  };
  const csv = ({ columns, rows }) => [columns, ...rows].map((row) => row.map((cell) => {
    const text = String(cell ?? "");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }).join(",") + "\n").join("");
  const download = (root) => {
    const { what } = shown.get(root), link = element("a");
    link.href = URL.createObjectURL(new Blob([csv(what.table())], { type: "text/csv" }));
    link.download = what.name.replace(/[^\w.-]+/g, "-") + ".csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  };
  const tools = (root) => {
    const button = $(".as-table", root);
    button.addEventListener("click", () => {
      const rows = $(".rows", root);
      rows.hidden = !rows.hidden;
      button.setAttribute("aria-expanded", String(!rows.hidden));
      if (rows.hidden) rows.replaceChildren();
      else if (shown.has(root)) fillTable(root);
    });
    $(".as-csv", root).addEventListener("click", () => shown.has(root) && download(root));
  };

  // --- choices ------------------------------------------------------------------------------------------------------
  const figures = $$("figure[data-figure]");
  const redraw = () => figures.filter((root) => root.turn).forEach(show);
  const inputs = $("#range").elements;
  const setRange = (from, to) => {
    range = [Math.max(FIRST, Math.min(from, LAST)), Math.min(LAST, Math.max(to, FIRST))];
    inputs.from.value = iso(range[0]);
    inputs.to.value = iso(range[1]);
    redraw();
  };
  const onDates = () => {
    const [from, to] = [inputs.from.value, inputs.to.value].map((day) => Date.parse(day + "T00:00Z"));
    if (from <= to) setRange(from, to);
  };
  inputs.from.addEventListener("change", onDates);
  inputs.to.addEventListener("change", onDates);
  $("#range").addEventListener("submit", (event) => event.preventDefault());
  for (const button of $$("#range [data-days]")) {
    const days = button.dataset.days;
    button.addEventListener("click", () => setRange(days === "all" ? FIRST : range[1] - (days - 1) * DAY,
      days === "all" ? LAST : range[1]));
  }
  const metricRoot = $('figure[data-figure="metric"]');
  const choose = (metric, day) => {
    if (!(metric in DATA.metrics)) return;
    $("#find") && (($("#find").value = ""), find());
    $("#metric").value = metric;
    const time = Date.parse(day + "T00:00Z");
    if (day) setRange(time - 45 * DAY, time + 45 * DAY);
    show(metricRoot).then(() => {
      const i = !shown.has(metricRoot) ? -1 : shown.get(metricRoot).what.points.findIndex((point) => point.t === time);
      if (i >= 0) tell(metricRoot, i);
    });
    $("#metrics").scrollIntoView();
  };
  const find = () => {
    const wanted = $("#find").value.toLowerCase();
    for (const group of $$("#metric optgroup")) {
      const fits = $$("option", group).filter((option) => (option.hidden = !option.value.toLowerCase().includes(wanted), !option.hidden));
      group.hidden = !fits.length;
    }
    const first = $$("#metric option").find((option) => !option.hidden);
    if (first && $("#metric").selectedOptions[0]?.hidden) ($("#metric").value = first.value), show(metricRoot);
  };
  $("#find")?.addEventListener("input", find);
  for (const id of ["#metric", "#log"]) $(id).addEventListener("change", () => show(metricRoot));
  for (const id of ["#flow", "#side"]) $(id)?.addEventListener("change", () => show($('figure[data-figure="stack"]')));
  for (const link of $$("button[data-metric]")) {
    if (link.dataset.metric in DATA.metrics) link.addEventListener("click", () => choose(link.dataset.metric, link.dataset.day));
    else link.disabled = true;
  }

  // --- when: near the window at once, the others while there is nothing to do, all of them before printing -----------
  for (const root of figures) {
    tools(root);
    $$(".plot", root).forEach((plot) => listen(root, plot));
  }
  const soon = new IntersectionObserver((seen) => {
    for (const { target } of seen.filter((entry) => entry.isIntersecting)) {
      soon.unobserve(target);
      if (!target.turn) show(target);
    }
  }, { rootMargin: "300px" });
  figures.forEach((root) => soon.observe(root));
  const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
  const rest = async () => {
    const next = figures.find((root) => !root.turn);
    if (next) await show(next), idle(rest);
    else document.documentElement.dataset.ready = "yes";
  };
  idle(rest);
  addEventListener("beforeprint", () => figures.filter((root) => !root.turn).forEach(show));

  // A chart is as wide as the page: drawn again when that changes, but not for printing, which scales it.
  let width = document.body.clientWidth, waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      if (document.body.clientWidth === width || matchMedia("print").matches) return;
      width = document.body.clientWidth;
      redraw();
    }, 150);
  });
})();
