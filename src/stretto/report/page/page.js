// What is under the pointer, and the page around the canvas: figures, legend, buttons and keys.

function of_microbatch({ t, lane }, i, { timeline, microbatch }) {
  return t === timeline && (lane.microbatch[i] === microbatch || lane.second[i]?.[3] === microbatch);
}

function bar_at(x, y) {
  if (x < size.left || x > size.width - size.right || y < AXIS) return null;
  const row = rows.find((r) => r.lane && y + down >= r.y && y + down < r.y + r.bar);
  if (!row) return null;
  const time = time_of(x), { lane } = row;
  for (let i = first_seen(lane); i < lane.start.length && lane.start[i] <= time; i++) {
    if (lane.end[i] > time) return { row, i };
  }
  return null;
}

function found(row, i) {
  const wait = row.lane.waits.find((w) => w[0] === i);
  if (!wait || !wait[3]) return null;
  if (!awaited) {
    awaited = new Map();
    for (const r of rows) r.lane?.text.forEach((text, n) => awaited.set(r.t + text + " on " + r.lane.label, [r.l, n]));
  }
  const place = awaited.get(row.t + wait[3]);
  return place && { row: rows.find((r) => r.t === row.t && r.l === place[0]), i: place[1] };
}

function words(lane, i) {
  const say = (kind, stage, microbatch, slice, copy) => data.kinds[kind][1] + (stage < 0 ? "" : " of stage " + stage) +
    (microbatch < 0 ? "" : ", microbatch " + microbatch) + (slice ? ", slice " + slice : "") + (copy ? ", copy " + copy : "");
  const second = lane.second[i];
  const lines = [say(lane.kind[i], lane.stage[i], lane.microbatch[i], lane.slice?.[i], lane.copy?.[i])];
  if (second) lines.push(say(second[0], second[2], second[3], second[4], second[5]));
  const [start, end] = [lane.start[i], lane.end[i]];
  lines.push(`from ${number(start)} to ${timed(end)}, ${timed(end - start)} long`);
  const wait = lane.waits.find((w) => w[0] === i);
  if (wait) {
    const why = wait[2] < 0 ? "" : ` (${data.causes[wait[2]][0]})`;
    lines.push(`idle ${timed(wait[1])} before it` + (wait[3] ? `: waited for ${wait[3]}` : "") + why);
  }
  return lines;
}

function show_tip(x, y) {
  hovered = bar_at(x, y);
  const lines = hovered ? [hovered.row.lane.text[hovered.i], ...words(hovered.row.lane, hovered.i)] : side_words(x, y);
  tip.hidden = !lines.length;
  tip.replaceChildren(...lines.map((text, n) => element(n ? "div" : "b", text)));
  const place = (at, size, room) => Math.max(4, at + 16 + size < room ? at + 16 : at - 12 - size);
  tip.style.left = place(x, tip.offsetWidth, size.width) + "px";
  tip.style.top = place(y, tip.offsetHeight, size.height) + "px";
  redraw();
}

function side_words(x, y) {
  const row = rows.find((r) => r.lane && y + down >= r.y && y + down < r.y + r.high);
  if (!row || y < AXIS || x < size.width - size.right && x >= size.left) return [];
  const { lane, line } = row, share = (time) => ` (${(100 * time / (line.makespan || 1)).toFixed(1)} %)`;
  const causes = lane.causes.map((time, i) => [data.causes[i][0], time]).filter(([, time]) => time > 0);
  return [lane.label, ...(lane.computes ? [`bubble ${timed(lane.idle)}${share(lane.idle)}`] : []),
          ...causes.map(([name, time]) => `${name} ${timed(time)}${share(time)}`),
          ...(lane.memory.length ? [`peak ${lane.peak_text}`] : [])];
}

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function head() {
  document.querySelector("h1").textContent = data.title;
  const [first] = data.timelines, place = $("figures");
  if (data.timelines.length === 1) {
    const list = element("dl");
    for (const [name, value] of first.figures) {
      const pair = element("div");
      pair.append(element("dt", name), element("dd", value)); list.append(pair);
    }
    place.append(list);
  } else {
    const names = [...new Set(data.timelines.flatMap((t) => t.figures.map((f) => f[0])))];
    const table = element("table"), top = table.insertRow();
    top.append(...["", ...names].map((name) => element("th", name)));
    for (const line of data.timelines) {
      const values = new Map(line.figures);
      table.insertRow().append(...[line.title, ...names.map((name) => values.get(name) ?? "")].map((v) => element("td", v)));
    }
    place.append(table);
  }
  const summary = data.timelines.map((t) => t.title + ": " + t.figures.map((f) => f.join(" ")).join(", "));
  canvas.setAttribute("aria-label", summary.join("; "));
}

function legend() {
  const entry = (text, fill, kind) => {
    const made = element("span"), mark = element("i", undefined, kind);
    mark.style.background = fill; made.append(mark, text); $("legend").append(made);
  };
  const kinds = new Set(data.timelines.flatMap((t) => Object.keys(t.colours).map(Number)));
  for (const kind of [...kinds].sort((a, b) => a - b)) entry(data.kinds[kind][1], data.kinds[kind][2]);
  const shades = Math.max(...data.timelines.flatMap((t) => Object.values(t.colours).map((c) => c.length)));
  if (shades > 1) $("legend").append(element("span", "lighter: a later chunk", "note"));
  const causes = data.causes.filter((_, i) => data.timelines.some((t) => t.lanes.some((l) => l.causes[i] > 0)));
  if (causes.length) $("legend").append(element("span", "bubble:", "note"));
  for (const [name, fill] of causes) entry(name, fill, "thin");
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  $("theme").textContent = name === "dark" ? "Light" : "Dark";
  const style = getComputedStyle(document.documentElement);
  for (const key of ["ink", "muted", "row", "line", "level"]) colours[key] = style.getPropertyValue("--" + key).trim();
  redraw();
}
const other_theme = () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");

function show_memory(on) {
  memory = on && any_memory;
  lay_out();
}

function listen() {
  const at = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  let held = null;
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const step = event.deltaMode ? 16 : 1, dx = event.deltaX * step, dy = event.deltaY * step;
    if (event.shiftKey) move(0, dx || dy);
    else if (Math.abs(dx) > Math.abs(dy)) move(dx, 0);
    else zoom(Math.exp(dy * 0.0016), at(event)[0]);
    if (!held) show_tip(...at(event));
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    held = { x: event.clientX, y: event.clientY, far: false }; canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) { show_tip(...at(event)); return; }
    const dx = held.x - event.clientX, dy = held.y - event.clientY;
    if (!held.far && Math.hypot(dx, dy) < 4) return;
    held = { x: event.clientX, y: event.clientY, far: true };
    canvas.classList.add("moving"); tip.hidden = true; hovered = null; move(dx, dy);
  });
  canvas.addEventListener("pointerup", (event) => {
    const bar = held && !held.far ? bar_at(...at(event)) : undefined;
    if (bar !== undefined) follow(bar);
    held = null; canvas.classList.remove("moving");
  });
  canvas.addEventListener("pointercancel", () => { held = null; canvas.classList.remove("moving"); });
  canvas.addEventListener("pointerleave", () => { hovered = null; tip.hidden = true; redraw(); });
  window.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault(); act();
  });
  $("in").onclick = () => zoom(0.6);
  $("out").onclick = () => zoom(1 / 0.6);
  $("fit").onclick = fit;
  $("memory").onclick = () => show_memory(!memory);
  $("theme").onclick = other_theme;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", () => theme(dark.matches ? "dark" : "light"));
  theme(dark.matches ? "dark" : "light");
  new ResizeObserver(lay_out).observe(canvas);
}

const keys = {
  "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), "0": fit, m: () => show_memory(!memory),
  t: other_theme, Escape: () => follow(null), ArrowLeft: () => move(-plot() / 8, 0),
  ArrowRight: () => move(plot() / 8, 0), ArrowUp: () => move(0, -40), ArrowDown: () => move(0, 40),
};

function follow(bar) {
  const microbatch = bar ? bar.row.lane.microbatch[bar.i] : -1;
  followed = microbatch < 0 ? null : { timeline: bar.row.t, microbatch };
  redraw();
}

head(); legend(); lay_out(); listen();
if (!any_memory) $("memory").hidden = true;
// Where a bar is on the canvas and what is in view, for whoever looks at the page by program.
window.stretto = {
  view: () => ({ ...view }),
  where(t, l, i) {
    const row = rows.find((r) => r.lane && r.t === t && r.l === l);
    return { x: (x_of(row.lane.start[i]) + x_of(row.lane.end[i])) / 2, y: row.y - down + row.bar / 2 };
  },
};
