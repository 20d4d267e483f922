"""A timeline in characters: a row a lane, a cell a slice of time.

A cell shows what took most of its slice: its colour the kind, lighter for later chunks, and a microbatch's number at
the start of its bar where it fits. A pair is split into upper and lower halves. Where passes are narrower than a cell,
a cell has the mean of their colours. Without colour the kinds are letters,
``F3--`` a forward of microbatch 3. Time is linear in bars and cells.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from stretto.report.figures import ticks
from stretto.report.palette import channels, colour, ink, shade_of
from stretto.report.timeline import KINDS, Bar, Kind, Lane, Part, Timeline

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_MOST_CELLS_A_PASS: Final = 6
_UPPER_HALF: Final = "\u2580"
_LETTERS: Final[dict[Kind, str]] = {"memory": "m", "state": "u", "other": "?"}


class _Scale(NamedTuple):
    cells: int
    per_time: float
    dense: bool
    """Whether passes are narrower than a cell."""


def print_timeline(timeline: Timeline, out: Console) -> None:
    """Print a timeline as wide as the console: its lanes, a time axis and a legend.

    Args:
        timeline: what is drawn.
        out: where to; letters stand for colours where it has none.
    """
    from rich.text import Text

    label = max((len(lane.label) for lane in timeline.lanes), default=0)
    scale = _scale(timeline, max(out.width - label - 3, 8))
    plain = out.no_color or out.color_system is None
    out.print(timeline.title, markup=False, highlight=False, style="bold", no_wrap=True, overflow="ellipsis")
    for lane in timeline.lanes:
        draw = _plain if plain else _mixed if scale.dense else _coloured
        row = draw(lane, scale, timeline.chunks)
        out.print(Text.assemble((f"{lane.label:<{label}} ", "dim"), row), no_wrap=True, overflow="crop")
    axis = _axis(timeline, scale, label + 1)
    out.print(axis, markup=False, highlight=False, style="dim", no_wrap=True, overflow="crop")
    out.print(_legend(timeline, plain, scale.dense))


def _scale(timeline: Timeline, width: int) -> _Scale:
    """A whole number of cells for the shortest pass where that fits, so that equal passes look equal."""
    makespan = timeline.makespan or 1.0
    lengths = (bar.end - bar.start for lane in timeline.lanes for bar in lane.bars if bar.is_pass)
    shortest = min((length for length in lengths if length > 0), default=makespan)
    whole = min(math.floor(width * shortest / makespan + 1e-9), _MOST_CELLS_A_PASS)
    per_time = whole / shortest if whole else width / makespan
    return _Scale(min(width, math.ceil(makespan * per_time - 1e-9)), per_time, not whole)


def _cells(lane: Lane, scale: _Scale) -> list[Bar | None]:
    """Per cell the bar that takes most of its time, if anything takes half of it."""
    cells: list[Bar | None] = [None] * scale.cells
    best = [0.0] * scale.cells
    idle = [1.0] * scale.cells
    for bar in lane.bars:
        for cell, covered in _coverage(bar, scale):
            idle[cell] -= covered
            if covered > best[cell]:
                best[cell], cells[cell] = covered, bar
    return [bar if idle[i] <= 0.5 + 1e-6 else None for i, bar in enumerate(cells)]


def _coverage(bar: Bar, scale: _Scale) -> Iterator[tuple[int, float]]:
    """(cell, the share of it that the bar takes)."""
    first, last = bar.start * scale.per_time, bar.end * scale.per_time
    for cell in range(int(first + 1e-6), min(math.ceil(last - 1e-6), scale.cells)):
        yield cell, min(last, cell + 1) - max(first, cell)


def _runs(cells: list[Bar | None]) -> Iterator[tuple[Bar | None, int]]:
    """(bar, how many cells it has), from the left."""
    start = 0
    for i in range(1, len(cells) + 1):
        if i == len(cells) or cells[i] is not cells[start]:
            yield cells[start], i - start
            start = i


def _coloured(lane: Lane, scale: _Scale, chunks: int) -> Text:
    from rich.text import Text

    row = Text()
    for bar, count in _runs(_cells(lane, scale)):
        if bar is None:
            row.append(" " * count)
            continue
        colours = [colour(part.kind, shade_of(part.chunk, chunks), chunks) for part in bar.parts]
        number = _number(bar.parts[0])
        if len(colours) > 1:
            number = number if len(number) < count else ""
            row.append(number, f"{ink(colours[0])} on {colours[0]}")
            row.append(_UPPER_HALF * (count - len(number)), f"{colours[0]} on {colours[1]}")
        elif len(number) <= count:
            row.append(number.ljust(count), f"{ink(colours[0])} on {colours[0]}")
        else:
            row.append(" " * count, f"on {colours[0]}")
    return row


def _mixed(lane: Lane, scale: _Scale, chunks: int) -> Text:
    """Cells in the mean of the colours of all that falls into them."""
    from rich.text import Text

    sums = [[0.0, 0.0, 0.0, 0.0] for _ in range(scale.cells)]
    for bar in lane.bars:
        for part in bar.parts:
            fill = channels(colour(part.kind, shade_of(part.chunk, chunks), chunks))
            for cell, covered in _coverage(bar, scale):
                share = covered / len(bar.parts)
                sums[cell] = [a + share * b for a, b in zip(sums[cell], (*fill, 1), strict=True)]
    row = Text()
    for *mixed, whole in sums:
        empty = whole < 0.5 - 1e-6
        row.append(" ", "" if empty else "on rgb({},{},{})".format(*(round(value / whole) for value in mixed)))
    return row


def _plain(lane: Lane, scale: _Scale, _: int) -> Text:
    from rich.text import Text

    row = Text()
    for bar, count in _runs(_cells(lane, scale)):
        if bar is None:
            row.append(" " * count)
            continue
        names = [_letter(part.kind) + _number(part) for part in bar.parts]
        letters = "".join(_letter(part.kind) for part in bar.parts)
        fitting = (text for text in ("+".join(names), names[0], letters, letters[0]) if len(text) <= count)
        row.append(next(fitting).ljust(count, "-"))
    row.rstrip()
    return row


def _number(part: Part) -> str:
    return str(part.microbatch) if part.microbatch >= 0 else ""


def _letter(kind: Kind) -> str:
    return _LETTERS.get(kind, kind)


def _axis(timeline: Timeline, scale: _Scale, indent: int) -> str:
    row = [" "] * (scale.cells + 12)
    free = 0
    for time in ticks(timeline.makespan, max(scale.cells // 10, 1)):
        text = f"|{time:g}" + (f" {timeline.unit}" if timeline.unit and not time else "")
        at = round(time * scale.per_time)
        if at >= free:
            row[at : at + len(text)] = text
            free = at + len(text) + 1
    return " " * indent + "".join(row).rstrip()


def _legend(timeline: Timeline, plain: bool, dense: bool) -> Text:
    from rich.text import Text

    legend = Text()
    for kind in timeline.kinds:
        legend.append("  " if legend else "")
        if plain:
            legend.append(f"{_letter(kind)} {KINDS[kind]}")
        else:
            legend.append("   ", f"on {colour(kind, 0, 1)}")
            legend.append(f" {KINDS[kind]}")
    if timeline.chunks > 1:
        legend.append("" if plain else "  (lighter: a later chunk)")
    if dense:
        legend.append("  (what took most of a cell)" if plain else "  (mixed where passes are narrower than a cell)")
    return legend
