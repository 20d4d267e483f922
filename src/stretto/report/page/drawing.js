// Lanes below one another on one time axis. Only what is in view is drawn; bars narrower than two pixels are mixed into
// a strip one pixel high, by the time that each takes of a pixel, so that hundreds of thousands stay fluent and none
// hides another.

function redraw() { if (!frame) frame = requestAnimationFrame(() => { frame = 0; draw(); }); }

function draw() {
  pen.clearRect(0, 0, size.width, size.height);
  pen.textBaseline = "middle";
  const seen = rows.filter((row) => row.y + row.high > down + AXIS && row.y < down + size.height);
  within(size.left, AXIS, plot(), size.height - AXIS, () => {
    for (const row of seen) if (row.lane) draw_lane(row, row.y - down);
    if (hovered) draw_hover();
  });
  within(0, AXIS, size.width, size.height - AXIS, () => {
    for (const row of seen) row.lane ? draw_sides(row, row.y - down) : draw_title(row, row.y - down);
  });
  draw_axis();
  draw_scrollbar();
}

function within(x, y, width, height, work) {
  pen.save(); pen.beginPath(); pen.rect(x, y, width, height); pen.clip(); work(); pen.restore();
}

function write(text, x, y, { align = "left", fill = colours.ink, font = 12, bold = false } = {}) {
  pen.font = (bold ? "600 " : "") + font + "px " + FONT;
  pen.textAlign = align; pen.fillStyle = fill; pen.fillText(text, x, y);
}

function first_seen(lane) {
  let low = 0, high = lane.reached.length;
  while (low < high) { const mid = (low + high) >> 1; lane.reached[mid] <= view.from ? low = mid + 1 : high = mid; }
  return low;
}

function draw_lane(row, y) {
  const { line, lane, bar } = row, shown = x_of(line.makespan);
  pen.fillStyle = colours.row;
  pen.fillRect(x_of(0), y, shown - x_of(0), bar);
  draw_waits(row, y);
  const scale = window.devicePixelRatio || 1, mixed = mixer(Math.ceil(plot() * scale));
  for (let i = first_seen(lane); i < lane.start.length && lane.start[i] < view.to; i++) {
    const left = Math.max(x_of(lane.start[i]), size.left - 4), right = Math.min(x_of(lane.end[i]), size.width + 4);
    const lit = followed === null || of_microbatch(row, i, followed), width = right - left;
    if (width * scale < 2 && !(lit && followed)) {
      const second = lane.second[i], [fill] = line.colours[lane.kind[i]][lane.shade[i]], share = lit ? 1 : DIM;
      const from = (left - size.left) * scale, to = (right - size.left) * scale;
      mixed.add(fill, from, to, second ? share / 2 : share);
      if (second) mixed.add(line.colours[second[0]][second[1]][0], from, to, share / 2);
      continue;
    }
    pen.globalAlpha = lit ? 1 : DIM;
    draw_bar(row, i, left, Math.max(width - (width > 3 ? 0.8 : 0), 1), y);
  }
  pen.globalAlpha = 1;
  mixed.draw(y, bar, scale);
  if (row.level) draw_memory(row, y + bar + 1, row.level - 1);
}

const strip = document.createElement("canvas"), channels = new Map();

// Colours of a row of device pixels, each the mean of what was added to it; what is not covered stays transparent.
function mixer(count) {
  let sums = null;
  return {
    add(fill, from, to, share) {
      sums ??= new Float32Array(count * 4);
      if (!channels.has(fill)) channels.set(fill, [1, 3, 5].map((at) => parseInt(fill.slice(at, at + 2), 16)));
      const [red, green, blue] = channels.get(fill);
      for (let pixel = Math.max(0, Math.floor(from)); pixel < to && pixel < count; pixel++) {
        const part = (Math.min(to, pixel + 1) - Math.max(from, pixel)) * share, at = pixel * 4;
        sums[at] += red * part; sums[at + 1] += green * part; sums[at + 2] += blue * part; sums[at + 3] += part;
      }
    },
    draw(y, high, scale) {
      if (!sums) return;
      strip.width = count; strip.height = 1;
      const image = new ImageData(count, 1);
      for (let at = 0; at < sums.length; at += 4) {
        const whole = sums[at + 3];
        if (whole <= 0) continue;
        for (let c = 0; c < 3; c++) image.data[at + c] = sums[at + c] / whole;
        image.data[at + 3] = 255 * Math.min(1, whole);
      }
      strip.getContext("2d").putImageData(image, 0, 0);
      pen.imageSmoothingEnabled = false;
      pen.drawImage(strip, 0, 0, count, 1, size.left, y, count / scale, high);
    },
  };
}

function draw_bar({ line, lane, bar }, i, x, width, y) {
  const second = lane.second[i], [fill, ink] = line.colours[lane.kind[i]][lane.shade[i]];
  pen.fillStyle = fill;
  pen.fillRect(x, y, width, second ? bar / 2 : bar);
  if (second) {
    pen.fillStyle = line.colours[second[0]][second[1]][0];
    pen.fillRect(x, y + bar / 2, width, bar / 2);
  }
  const half = second ? bar / 2 : bar, font = font_of(line, width - 2, half - 1), short = lane.microbatch[i];
  if (!font) return;
  const label = (text, ink, y) => write(text, x + width / 2, y + 0.5, { align: "center", fill: ink, font });
  const letters = short < 0 ? lane.text[i].length : line.longest;  // of bars of a size either all are named or none
  const roomy = width > letters * font * 0.64 + (short < 0 ? 8 : 20);
  if (!second) label(roomy ? lane.text[i] : short < 0 ? "" : short, ink, y + half / 2);
  else {
    label(short, ink, y + half / 2);
    label(second[3], line.colours[second[0]][second[1]][1], y + half * 1.5);
  }
}

// The size in which the longest microbatch number fits into a box, so that either all bars of a size are numbered or
// none is; 0 for none.
function font_of(line, width, height) {
  const digits = String(line.last_microbatch).length;
  return [12, 9].find((font) => digits * font * 0.64 <= width && font * 0.85 <= height) ?? 0;
}

function draw_waits({ lane, bar }, y) {
  const high = Math.max(2, Math.min(5, bar / 5));
  for (const [i, idle, cause] of lane.waits) {
    const right = x_of(lane.start[i]), left = x_of(lane.start[i] - idle);
    if (cause < 0 || right < size.left || left > size.width || right - left < 1) continue;
    pen.fillStyle = data.causes[cause][1];
    pen.fillRect(left, y + (bar - high) / 2, right - left, high);
  }
}

function draw_memory({ line, lane }, y, high) {
  const steps = lane.memory, bottom = y + high;
  let x = x_of(0), level = 0;
  pen.beginPath(); pen.moveTo(x, bottom);
  for (let i = 0; i < steps.length; i += 2) {
    const next = x_of(steps[i]), value = steps[i + 1];
    if (next > size.width + 10) break;
    if (next < size.left - 10) { level = value; continue; }
    pen.lineTo(next, bottom - level / line.top_level * high);
    level = value; x = next;
    pen.lineTo(next, bottom - level / line.top_level * high);
  }
  const end = x_of(line.makespan);
  pen.lineTo(end, bottom - level / line.top_level * high); pen.lineTo(end, bottom);
  pen.closePath(); pen.fillStyle = colours.level; pen.fill();
}

function draw_sides({ line, lane, l, bar, level }, y) {
  const pitch = bar + level, font = Math.min(12, Math.max(9, bar + 2)), middle = y + bar / 2 + 0.5;
  const right = size.width - 20, wide = size.right - 88, left = size.width - size.right + 16;
  if (l % (pitch < 8 ? 4 : pitch < 10 ? 2 : 1) === 0) {
    const share = lane.idle / (line.makespan || 1), style = { align: "right", fill: colours.muted, font };
    write(lane.label, size.left - 10, middle, style);
    if (lane.computes) write((100 * share).toFixed(share < 0.1 ? 1 : 0) + " %", right, middle, style);
  }
  if (wide > 40 && lane.computes) {
    let x = left;
    pen.fillStyle = colours.row; pen.fillRect(left, y, wide, bar);
    const parts = lane.causes.length ? lane.causes.map((c, i) => [c, data.causes[i][1]]) : [[lane.idle, colours.muted]];
    for (const [time, fill] of parts) {
      const width = time / (line.makespan || 1) / worst_share * wide;
      pen.fillStyle = fill; pen.fillRect(x, y, width, bar); x += width;
    }
  }
  if (level >= 10 && lane.memory.length) {
    const small = { fill: colours.muted, font: Math.min(11, level) };
    write("peak " + lane.peak_text, right, y + bar + level / 2 + 1, { ...small, align: "right" });
  }
}

function draw_title(row, y) { write(row.title, 20, y + TITLE / 2 + 2, { bold: true, font: 13 }); }

function draw_axis() {
  const wide = view.to - view.from, least = wide / Math.max(plot() / 90, 1);
  const power = 10 ** Math.floor(Math.log10(least)), step = [1, 2, 5, 10].find((f) => f * power >= least) * power;
  pen.strokeStyle = colours.line; pen.lineWidth = 1;
  pen.beginPath();
  for (let n = Math.ceil(view.from / step - 1e-9); n * step <= view.to + step * 1e-9; n++) {
    const x = Math.round(x_of(n * step)) + 0.5;
    pen.moveTo(x, AXIS - 5); pen.lineTo(x, AXIS - 1);
    write(timed(n * step), x, AXIS / 2 - 2, { align: "center", fill: colours.muted });
  }
  pen.stroke();
  const known = data.timelines.some((t) => t.lanes.some((l) => l.causes.length));
  const note = size.right > 100 && known ? "bubble, by cause" : "bubble";
  write(note, size.width - 20, AXIS / 2 - 2, { align: "right", fill: colours.muted });
}

function draw_scrollbar() {
  if (size.all <= size.height) return;
  const track = size.height - AXIS, high = track * size.height / size.all;
  pen.fillStyle = colours.level;
  pen.fillRect(size.width - 8, AXIS + down / (size.all - size.height) * (track - high), 5, high);
}

function draw_hover() {
  const { row, i } = hovered, x = x_of(row.lane.start[i]), right = x_of(row.lane.end[i]), y = row.y - down;
  outline(x, y, right - x, row.bar);
  const source = found(row, i);
  if (!source) return;
  const from = x_of(source.row.lane.end[source.i]), begin = x_of(source.row.lane.start[source.i]);
  outline(begin, source.row.y - down, from - begin, source.row.bar);
  const start_y = source.row.y - down + source.row.bar / 2, end_y = y + row.bar / 2, bend = Math.max(14, (x - from) / 2);
  pen.beginPath(); pen.moveTo(from, start_y);
  pen.bezierCurveTo(from + bend, start_y, x - bend, end_y, x, end_y);
  pen.lineWidth = 2; pen.strokeStyle = colours.ink; pen.stroke();
}

function outline(x, y, width, height) {
  pen.lineWidth = 2; pen.strokeStyle = colours.ink; pen.strokeRect(x - 1, y - 1, width + 1.2, height + 2);
}
