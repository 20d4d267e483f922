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
const top_level = Math.max(...data.timelines.flatMap((t) => t.lanes.map((l) => l.peak)), 0);
const worst_idle = Math.max(...data.timelines.flatMap((t) => t.lanes.map((l) => l.idle / (t.makespan || 1))), 1e-9);
let view = { from: 0, to: length }, down = 0, memory;  // memory: undecided until the first layout
let rows = [], size = { width: 0, height: 0, left: 80, right: 190, all: 0 };
let hovered = null, followed = null, colours = {}, awaited = null, frame = 0;

const number = (x) => String(Number(x.toPrecision(6)));
const timed = (x) => number(x) + unit;
const plot = () => size.width - size.left - size.right;
const x_of = (time) => size.left + (time - view.from) / (view.to - view.from) * plot();
const time_of = (x) => view.from + (x - size.left) / plot() * (view.to - view.from);

for (const line of data.timelines) {
  for (const lane of line.lanes) {
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
  const pitch = (size.height - AXIS - titles - 11) / lanes, gap = pitch < 16 ? 2 : 4;
  memory ??= top_level > 0 && pitch > 12;
  $("memory").setAttribute("aria-pressed", String(memory));
  const bar = Math.min(44, Math.max(memory ? 8 : 6, (pitch - gap) * (memory ? 0.62 : 1)));
  const level = memory ? Math.min(34, Math.max(5, pitch - gap - bar)) : 0;
  let y = AXIS + 3;
  rows = [];
  data.timelines.forEach((line, t) => {
    if (titles) { rows.push({ title: line.title, y, high: TITLE }); y += TITLE; }
    line.lanes.forEach((lane, l) => {
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
