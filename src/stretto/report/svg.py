"""Timelines as one static SVG, stacked on a common time axis, with the memory of every rank under each.

It needs no script and no network and follows the reader's light or dark mode. A bar is one path of about 40 bytes, its
number about 30 more where it fits, so the file is linear in the bars.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final, NamedTuple

from stretto.report.figures import figures, memory_scales, memory_text, ticks
from stretto.report.palette import HUES, colour, ink, shade_of, shades
from stretto.report.timeline import KINDS, Bar, Lane, Part, Timeline
from stretto.report.writing import write_whole

_PLOT: Final = 1120.0
_MARGIN: Final = 20.0
_CHARACTER: Final = 6.6
_TALL, _LOW, _LEVEL_ROW, _MANY_LANES = 20.0, 13.0, 15.0, 24
_STYLE: Final = """
text{font:12px system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;fill:#1b2128}
.page{fill:#fff}.title{font-size:15px;font-weight:600}.muted,.muted text{fill:#5b6672}
.row{fill:#eef1f4}.grid{stroke:#c9d1d9;stroke-width:1}.level{fill:#7f8c99;fill-opacity:.55}
.bars{stroke:#fff;stroke-width:.8}.thin{stroke:none}
.n,.s{font-size:10px;text-anchor:middle;stroke:none}.s{font-size:7.5px}.end{text-anchor:end}.middle{text-anchor:middle}
@media (prefers-color-scheme:dark){text{fill:#e6eaee}.page{fill:#14181d}.muted,.muted text{fill:#9aa6b2}
.row{fill:#20262d}.grid{stroke:#3a434d}.level{fill:#94a1ae}.bars{stroke:#14181d}.thin{stroke:none}}
"""


class _Frame(NamedTuple):
    """Where things go, the same for all stacked timelines."""

    left: float
    right: float
    per_time: float
    peaks: Mapping[str, float]
    """Per unit of memory the highest level, so that stacked timelines are drawn to one scale."""
    row: float
    level_row: float

    @property
    def width(self) -> float:
        return self.left + _PLOT + self.right


def write_svg(timelines: Sequence[Timeline], path: Path) -> None:
    """Write timelines as one SVG file.

    Raises:
        StrettoError: the file cannot be written.
    """
    write_whole(draw_svg(timelines), path)


def draw_svg(timelines: Sequence[Timeline]) -> str:
    """One or several timelines, the first on top, as the text of an SVG."""
    frame = _frame(timelines)
    body: list[str] = []
    top = _MARGIN
    for timeline in timelines:
        lines, top = _timeline(timeline, frame, top)
        body += lines
    legend, top = _legend(timelines, frame, top)
    height = _short(top + _MARGIN / 2)
    width = _short(frame.width)
    named = escape("; ".join(timeline.title for timeline in timelines))
    told = escape("; ".join(f"{t.title}: {_figures(t)}" for t in timelines))
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img">',
        f"<title>{named}</title><desc>{told}</desc>",
        f"<style>{_STYLE}{_colours(timelines)}</style>",
        f'<rect class="page" width="{width}" height="{height}"/>',
    ]
    return "\n".join([*head, *body, *legend, "</svg>"]) + "\n"


def _frame(timelines: Sequence[Timeline]) -> _Frame:
    lanes = [lane for timeline in timelines for lane in timeline.lanes]
    label = max((len(lane.label) for lane in lanes), default=0)
    notes = [memory_text(lane.peak, timeline.memory_unit) for timeline in timelines for lane in timeline.lanes]
    makespan = max((timeline.makespan for timeline in timelines), default=0.0)
    few = max((len(timeline.lanes) for timeline in timelines), default=0) <= _MANY_LANES
    return _Frame(
        left=_MARGIN + label * _CHARACTER + 10,
        right=max(52.0, max(map(len, notes), default=0) * _CHARACTER + 14) + _MARGIN,
        per_time=_PLOT / makespan if makespan else 0.0,
        peaks=memory_scales(timelines),
        row=_TALL if few else _LOW,
        level_row=_LEVEL_ROW if few else _LOW,
    )


def _timeline(timeline: Timeline, frame: _Frame, top: float) -> tuple[list[str], float]:
    """The lines of one timeline and where the next may begin."""
    left, row = frame.left, frame.row
    lines = [
        f'<text class="title" x="{_short(_MARGIN)}" y="{_short(top + 12)}">{escape(timeline.title)}</text>',
        f'<text class="muted" x="{_short(_MARGIN)}" y="{_short(top + 31)}">{escape(_figures(timeline))}</text>',
        f'<text class="muted end" x="{_short(frame.width - _MARGIN)}" y="{_short(top + 31)}">bubble</text>',
    ]
    lanes = top + 40
    bottom = lanes + row * len(timeline.lanes)
    for number, lane in enumerate(timeline.lanes):
        lines += _lane(timeline, lane, frame, lanes + number * row)
    lines += _axis(timeline, frame, bottom)
    bottom += 24
    stored = [lane for lane in timeline.lanes if lane.memory]
    if stored and frame.peaks[timeline.memory_unit]:
        head = _short(bottom + 14)
        lines.append(f'<text class="muted" x="{_short(left)}" y="{head}">{_memory_words(timeline)}</text>')
        lines.append(f'<text class="muted end" x="{_short(frame.width - _MARGIN)}" y="{head}">peak</text>')
        bottom += 20
        for number, lane in enumerate(stored):
            lines += _memory(timeline, lane, frame, bottom + number * frame.level_row)
        bottom += frame.level_row * len(stored)
    return lines, bottom + 26


def _lane(timeline: Timeline, lane: Lane, frame: _Frame, top: float) -> Iterator[str]:
    height = _row_height(frame.row)
    note = f"{100 * _idle(timeline, lane):.0f} %" if lane.computes else ""
    yield from _named_row(timeline, lane, frame, top, height, note)
    narrow = len(lane.bars) > _PLOT / 4
    yield f'<g class="bars{" thin" * narrow}" transform="translate({_short(frame.left)} {_short(top)})">'
    yield from (_bar(timeline, bar, frame, height) for bar in lane.bars)
    yield "</g>"


def _bar(timeline: Timeline, bar: Bar, frame: _Frame, height: float) -> str:
    x, width = bar.start * frame.per_time, (bar.end - bar.start) * frame.per_time
    each = height / len(bar.parts)
    drawn = ""
    for number, part in enumerate(bar.parts):
        top = number * each
        box = f"M{_short(x)} {_short(top)}h{_short(width)}v{_short(each)}h-{_short(width)}z"
        drawn += f'<path class="{_class(part, timeline)}" d="{box}"/>'
        drawn += _number(timeline, part, x + width / 2, top + each / 2, width, each)
    return drawn


def _number(timeline: Timeline, part: Part, x: float, y: float, width: float, height: float) -> str:
    """The microbatch in the middle of its box; none where the longest number would not fit."""
    digits = len(str(timeline.microbatches - 1))
    large = width >= 6.4 * digits + 1.5 and height >= 10
    if part.microbatch < 0 or height < 7.5 or width < 4.8 * digits + 0.5:
        return ""
    style = f"{'n' if large else 's'} {_class(part, timeline)}n"
    base = _short(y + (3.6 if large else 2.8))
    return f'<text class="{style}" x="{_short(x)}" y="{base}">{part.microbatch}</text>'


def _memory(timeline: Timeline, lane: Lane, frame: _Frame, top: float) -> Iterator[str]:
    height = _row_height(frame.level_row)
    yield from _named_row(timeline, lane, frame, top, height, memory_text(lane.peak, timeline.memory_unit))
    top_level = frame.peaks[timeline.memory_unit]
    path, at, was = "", 0.0, 0.0
    for time, level in lane.memory:
        x, y = round(time * frame.per_time, 1), round(level / top_level * height, 1)
        if x > at:
            path += f"h{_short(x - at)}"
        path += f"v{_short(was - y)}" if y != was else ""
        at, was = max(x, at), y
    end = round(timeline.makespan * frame.per_time, 1)
    path += f"h{_short(end - at)}v{_short(was)}" if was else ""
    if path:
        yield f'<path class="level" d="M{_short(frame.left)} {_short(top + height)}{path}z"/>'


def _row_height(row: float) -> float:
    return row - (4 if row > _LEVEL_ROW else 2)


def _named_row(timeline: Timeline, lane: Lane, frame: _Frame, top: float, height: float, note: str) -> Iterator[str]:
    """A row's label, its ground as long as the run, and a note on the right."""
    base = _short(top + height / 2 + 4)
    ground = _short(timeline.makespan * frame.per_time)
    yield f'<text class="muted end" x="{_short(frame.left - 8)}" y="{base}">{escape(lane.label)}</text>'
    yield (
        f'<rect class="row" x="{_short(frame.left)}" y="{_short(top)}" width="{ground}" height="{_short(height)}"/>'
        f'<text class="muted end" x="{_short(frame.width - _MARGIN)}" y="{base}">{escape(note)}</text>'
    )


def _axis(timeline: Timeline, frame: _Frame, top: float) -> Iterator[str]:
    unit = f" {timeline.unit}" if timeline.unit else ""
    for time in ticks(timeline.makespan, max(round(timeline.makespan * frame.per_time / 90), 1)):
        x = _short(frame.left + time * frame.per_time)
        yield f'<path class="grid" d="M{x} {_short(top - 2)}v5"/>'
        yield f'<text class="muted middle" x="{x}" y="{_short(top + 15)}">{time:.6g}{unit}</text>'


def _legend(timelines: Sequence[Timeline], frame: _Frame, top: float) -> tuple[list[str], float]:
    present = {kind for timeline in timelines for kind in timeline.kinds}
    lines: list[str] = []
    x = frame.left
    for kind, words in KINDS.items():
        if kind not in present:
            continue
        if x + len(words) * _CHARACTER + 40 > frame.width:
            x, top = frame.left, top + 20
        lines.append(
            f'<rect fill="{HUES[kind]}" x="{_short(x)}" y="{_short(top - 10)}" width="14" height="12" rx="2"/>'
        )
        lines.append(f'<text x="{_short(x + 20)}" y="{_short(top)}">{words}</text>')
        x += len(words) * _CHARACTER + 44
    if max((timeline.chunks for timeline in timelines), default=1) > 1:
        lines.append(f'<text class="muted" x="{_short(x)}" y="{_short(top)}">lighter: a later chunk</text>')
    return lines, top


def _colours(timelines: Sequence[Timeline]) -> str:
    """The classes of all fills: a kind and the number of its shade; with an n behind, what is written on it."""
    rules: dict[str, str] = {}
    for timeline in timelines:
        for kind in timeline.kinds:
            for shade in shades(timeline.chunks):
                fill = colour(kind, shade, timeline.chunks)
                name = f"{kind}{len(shades(timeline.chunks))}{shade}"
                rules[name] = f".{name}{{fill:{fill}}}.{name}n{{fill:{ink(fill)}}}"
    return "\n".join(rules.values())


def _class(part: Part, timeline: Timeline) -> str:
    return f"{part.kind}{len(shades(timeline.chunks))}{shade_of(part.chunk, timeline.chunks)}"


def _figures(timeline: Timeline) -> str:
    return " \u00b7 ".join(f"{name} {value}" for name, value in figures(timeline))


def _idle(timeline: Timeline, lane: Lane) -> float:
    return 1 - lane.busy / timeline.makespan if timeline.makespan else 0.0


def _short(number: float) -> str:
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _memory_words(timeline: Timeline) -> str:
    return "memory" if timeline.memory_unit else "stored activations"
