// The timelines in #data, where their lanes lie on the canvas, and which part of time is in view. The files of this
// folder share one function's scope, in the order in which report/html.py names them.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const canvas = $("timeline"), tip = $("tip"), pen = canvas.getContext("2d");
const FONT = 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';
const AXIS = 26, TITLE = 26, DIM = 0.16;
const length = Math.max(...data.timelines.map((t) => t.makespan)) || 1;
const unit = data.timelines[0].unit ? " " + data.timelines[0].unit : "";
const most = Math.max(...data.timelines.flatMap((t) => t.lanes.map((l) => l.start.length)), 1);
const any_memory = data.timelines.some((t) => t.top_level > 0);
const shares = data.timelines.flatMap((t) => t.lanes.filter((l) => l.computes).map((l) => l.idle / (t.makespan || 1)));
const worst_share = Math.max(...shares, 1e-9);
let view = { from: 0, to: length }, down = 0, memory;  // memory: undecided until the first layout
let rows = [], size = { width: 0, height: 0, left: 80, right: 190, all: 0 };
let hovered = null, followed = null, colours = {}, awaited = null, frame = 0;

const number = (x) => String(Number(x.toPrecision(6)));
const timed = (x) => number(x) + unit;
const plot = () => size.width - size.left - size.right;
const x_of = (time) => size.left + (time - view.from) / (view.to - view.from) * plot();
const time_of = (x) => view.from + (x - size.left) / plot() * (view.to - view.from);

for (const line of data.timelines) {
  line.longest = 1;
  for (const lane of line.lanes) {
    lane.text.forEach((text, i) => {
      if (lane.microbatch[i] >= 0 && !lane.second[i]) line.longest = Math.max(line.longest, text.length);
    });
    let end = -Infinity;
    lane.reached = lane.end.map((e) => (end = Math.max(end, e)));  // ascending even where bars overlap
  }
}

function lay_out() {
  const box = canvas.getBoundingClientRect(), scale = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(box.width * scale));
  canvas.height = Math.max(1, Math.round(box.height * scale));
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.font = "12px " + FONT;
  const labels = data.timelines.flatMap((t) => t.lanes.map((l) => pen.measureText(l.label).width));
  size = { ...size, width: box.width, height: box.height, left: Math.ceil(Math.max(...labels, 30)) + 30,
           right: box.width < 760 ? 72 : 200 };
  const lanes = data.timelines.reduce((sum, t) => sum + t.lanes.length, 0);
  const titles = data.timelines.length > 1 ? data.timelines.length * TITLE : 0;
  const room = size.height - AXIS - titles - 11, pitch = room / lanes, gap = pitch < 16 ? 2 : 4;
  memory ??= any_memory && pitch > 12;
  $("memory").setAttribute("aria-pressed", String(memory));
  const stored = memory ? data.timelines.reduce((sum, t) => sum + t.lanes.filter((l) => l.memory.length).length, 0) : 0;
  const share = (room - lanes * gap) / (5 * lanes + 3 * stored);  // a bar is as high as five shares, a curve as three
  const bar = Math.min(44, Math.max(memory ? 8 : 6, 5 * share)), curve = Math.min(34, Math.max(5, 3 * share));
  let y = AXIS + 3;
  rows = [];
  data.timelines.forEach((line, t) => {
    if (titles) { rows.push({ title: line.title, y, high: TITLE }); y += TITLE; }
    line.lanes.forEach((lane, l) => {
      const level = memory && lane.memory.length ? curve : 0;
      rows.push({ line, lane, t, l, y, bar, level, high: bar + level + gap });
      y += bar + level + gap;
    });
  });
  size.all = y + 8;
  move(0, 0);
}

function move(dx, dy) {
  const wide = view.to - view.from, shift = Math.min(Math.max(dx / plot() * wide, -view.from), length - view.to);
  view = { from: view.from + shift, to: view.to + shift };
  down = Math.max(0, Math.min(down + dy, size.all - size.height));
  redraw();
}

function zoom(factor, x) {
  const at = time_of(x ?? size.left + plot() / 2);
  const wide = Math.min(length, Math.max((view.to - view.from) * factor, length / most / 20));
  const from = Math.max(0, Math.min(at - (at - view.from) / (view.to - view.from) * wide, length - wide));
  view = { from, to: from + wide };
  redraw();
}

function fit() { view = { from: 0, to: length }; down = 0; redraw(); }
