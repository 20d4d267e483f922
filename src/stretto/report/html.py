"""Timelines as one HTML page that needs nothing else: no network, no server, no other file.

The page draws on a canvas what it finds in a JSON table of columns, some 45 bytes a bar: 64 ranks with 512
microbatches and two chunks (131,072 bars) make six megabytes, and redraw in about 20 ms. It allows itself no network
at all (its Content-Security-Policy), and texts reach it only escaped: in the table no ``<`` is left, and the scripts
never make markup of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Final

from stretto.report.figures import figures, memory_scales, memory_text
from stretto.report.palette import CAUSES, HUES, colour, ink, shade_of, shades
from stretto.report.timeline import KINDS, Bar, Kind, Lane, Part, Timeline
from stretto.report.writing import write_whole

_NUMBER: Final[Mapping[Kind, int]] = {kind: number for number, kind in enumerate(KINDS)}
_SCRIPTS: Final = ("layout.js", "drawing.js", "page.js")
_CAUSE: Final = {cause: number for number, cause in enumerate(CAUSES)}


def write_html(timelines: Sequence[Timeline], path: Path, title: str = "") -> None:
    """Write timelines as one page.

    Raises:
        StrettoError: the file cannot be written.
    """
    write_whole(draw_html(timelines, title), path)


def draw_html(timelines: Sequence[Timeline], title: str = "") -> str:
    """One or several timelines on a common time axis, as the text of a page.

    Args:
        timelines: at least one; their times are taken to have the first one's unit.
        title: the page's heading; empty: the timelines' titles.
    """
    heading = title or "; ".join(timeline.title for timeline in timelines)
    parts = {
        "title": escape(heading),
        "css": _asset("page.css"),
        "js": "".join(map(_asset, _SCRIPTS)),
        "data": _json(page_data(timelines, heading)),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _asset("page.html"))


def page_data(timelines: Sequence[Timeline], title: str) -> dict[str, object]:
    """What the page's script reads; bars are columns, kinds and causes numbers."""
    scales = memory_scales(timelines)
    return {
        "title": title,
        "kinds": [[kind, words, HUES[kind]] for kind, words in KINDS.items()],
        "causes": [[cause, fill] for cause, fill in CAUSES.items()],
        "timelines": [_timeline(timeline, scales[timeline.memory_unit]) for timeline in timelines],
    }


def _timeline(timeline: Timeline, top_level: float) -> dict[str, object]:
    fills = {
        _NUMBER[kind]: [[fill := colour(kind, shade, timeline.chunks), ink(fill)] for shade in shades(timeline.chunks)]
        for kind in timeline.kinds
    }
    return {
        "title": timeline.title,
        "unit": timeline.unit,
        "makespan": _number(timeline.makespan),
        "top_level": _number(top_level),
        "last_microbatch": max(timeline.microbatches - 1, 0),
        "figures": list(figures(timeline)),
        "colours": fills,
        "lanes": [_lane(timeline, lane) for lane in timeline.lanes],
    }


def _lane(timeline: Timeline, lane: Lane) -> dict[str, object]:
    first = [bar.parts[0] for bar in lane.bars]
    table: dict[str, object] = {
        "label": lane.label,
        "computes": lane.computes,
        "start": [_number(bar.start) for bar in lane.bars],
        "end": [_number(bar.end) for bar in lane.bars],
        "text": [bar.text for bar in lane.bars],
        "kind": [_NUMBER[part.kind] for part in first],
        "shade": [shade_of(part.chunk, timeline.chunks) for part in first],
        "stage": [part.stage for part in first],
        "microbatch": [part.microbatch for part in first],
        **_unless_zero("slice", first, lambda part: part.slice),
        **_unless_zero("copy", first, lambda part: part.copy),
        "second": {number: _second(timeline, bar) for number, bar in enumerate(lane.bars) if len(bar.parts) > 1},
        "waits": [
            (number, _number(bar.idle), -1 if bar.cause is None else _CAUSE[bar.cause], bar.waited_for)
            for number, bar in enumerate(lane.bars)
            if bar.idle
        ],
        "memory": [_number(value) for step in lane.memory for value in step],
        "peak_text": memory_text(lane.peak, timeline.memory_unit),
        "causes": [_number(lane.causes.get(cause, 0.0)) for cause in CAUSES] if lane.causes else [],
        "idle": _number(timeline.makespan - lane.busy),
    }
    return table


def _second(timeline: Timeline, bar: Bar) -> tuple[int, ...]:
    part = bar.parts[1]
    shade = shade_of(part.chunk, timeline.chunks)
    return (_NUMBER[part.kind], shade, part.stage, part.microbatch, part.slice, part.copy)


def _unless_zero(name: str, parts: Iterable[Part], value: Callable[[Part], int]) -> dict[str, list[int]]:
    """A column that most programs do not need."""
    column = list(map(value, parts))
    return {name: column} if any(column) else {}


def _number(value: float) -> float:
    """Nine digits are more than a screen shows; whole numbers are shorter without a point."""
    short = float(f"{value:.9g}")
    return int(short) if short.is_integer() else short


def _json(value: object) -> str:
    """JSON that may stand in a script element: nothing in it can end the element or begin another."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _asset(name: str) -> str:
    return files("stretto.report").joinpath("page", name).read_text(encoding="utf-8")
