"""Why a program is wrong, as a picture: the ranks that stop, what each did last, where it stands, whom it waits for.

A row a rank of the finding; its steps run to the right and end, marked, at the one that never happens. An arrow goes
from there to the rank that would have to act first.
"""

from __future__ import annotations

from html import escape
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from stretto.report.writing import write_whole
from stretto.schedule.finding import Finding, Stuck
from stretto.spec.lowered import write_step

if TYPE_CHECKING:
    from rich.console import Console

    from stretto.schedule.verify import Verification

_BEFORE: Final = 4
_BOX: Final = 34
_ROW: Final = 76
_CHARACTER: Final = 7.4


class _Row(NamedTuple):
    """A rank's last steps, and the one at which it stands."""

    stuck: Stuck
    done: tuple[str, ...]
    more: bool
    """Whether there are earlier steps than `done`."""


def print_finding(found: Verification, finding: Finding, out: Console) -> None:
    """Print a finding's steps, a line a rank; nothing where it names none."""
    from rich.text import Text

    for row in _rows(found, finding):
        line = Text(f"  rank {row.stuck.rank}  {'... ' if row.more else ''}{'  '.join((*row.done, ''))}")
        line.append(f"[{row.stuck.step}]", style="bold red")
        if row.stuck.waits_for:
            line.append(f"  waits for {row.stuck.waits_for}", style="dim")
        out.print(line)


def write_finding(found: Verification, finding: Finding, path: Path) -> None:
    """Draw a finding as SVG.

    Raises:
        StrettoError: the file cannot be written.
    """
    write_whole(draw_finding(found, finding), path)


def draw_finding(found: Verification, finding: Finding) -> str:
    """The SVG of a finding: its sentence, and its steps."""
    rows = _rows(found, finding)
    middles = {row.stuck.rank: 84 + _ROW * number for number, row in enumerate(rows)}
    ends = {row.stuck.rank: 90 + sum(_width(t) + 8 for t in row.done) + 24 * row.more for row in rows}
    lines = _wrapped(finding.sentence, 110)
    top = 24 + 18 * len(lines)
    body = [f'<text x="16" y="{30 + 18 * n}" class="t">{escape(line)}</text>' for n, line in enumerate(lines)]
    for row in rows:
        body += _drawn(row, middles[row.stuck.rank] + top - 40)
    for row in rows:
        if row.stuck.on is not None and row.stuck.on in middles and row.stuck.on != row.stuck.rank:
            body.append(_arrow(row.stuck, ends, middles, top - 40))
    wide = max([720.0, *(ends[r.stuck.rank] + _width(r.stuck.step) + 260 for r in rows)])
    high = top + _ROW * max(len(rows), 1) + 16
    style = (
        "<style>svg{font:13px ui-monospace,monospace;background:#fff;color:#1b1b1f}.t{font-family:system-ui,sans-serif;"
        "font-size:14px;fill:currentColor}.d{fill:rgb(136 136 136 / .27)}"
        ".s{fill:#d5453322;stroke:#d54533;stroke-width:2}"
        "text{fill:currentColor}.a{stroke:#d54533;stroke-width:2;fill:none;marker-end:url(#h)}.m{opacity:.65}"
        "@media(prefers-color-scheme:dark){svg{background:#17181c;color:#e8e8ec}}</style>"
    )
    head = '<defs><marker id="h" orient="auto" markerWidth="8" markerHeight="8" refX="7" refY="4">'
    head += '<path d="M0,0 L8,4 L0,8 z" fill="#d54533"/></marker></defs>'
    size = f'width="{wide:.0f}" height="{high:.0f}" viewBox="0 0 {wide:.0f} {high:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{style}{head}{"".join(body)}</svg>\n'


def _rows(found: Verification, finding: Finding) -> list[_Row]:
    steps = finding.steps
    source = found.lowered if found.order is None and found.lowered is not None else found.program
    rows: list[_Row] = []
    for stuck in steps:
        listed = source.ranks[stuck.rank]
        if stuck.position < 0:
            rows.append(_Row(stuck, (), False))
            continue
        first = max(stuck.position - _BEFORE, 0)
        done = tuple(write_step(step) for step in islice(listed, first, stuck.position))
        rows.append(_Row(stuck, done, first > 0))
    return rows


def _width(text: str) -> float:
    return 14 + _CHARACTER * len(text)


def _drawn(row: _Row, top: float) -> list[str]:
    body = [f'<text x="16" y="{top + 22:.0f}">rank {row.stuck.rank}</text>']
    at = 90.0
    if row.more:
        body.append(f'<text x="{at:.0f}" y="{top + 22:.0f}" class="m">...</text>')
        at += 24
    for text, style in [*((t, "d") for t in row.done), (row.stuck.step, "s")]:
        wide = _width(text)
        body.append(f'<rect x="{at:.1f}" y="{top:.0f}" width="{wide:.1f}" height="{_BOX}" rx="4" class="{style}"/>')
        body.append(f'<text x="{at + 7:.1f}" y="{top + 22:.0f}">{escape(text)}</text>')
        at += wide + 8
    if row.stuck.waits_for:
        body.append(
            f'<text x="{at + 4:.1f}" y="{top + 22:.0f}" class="m">waits for {escape(row.stuck.waits_for)}</text>'
        )
    return body


def _arrow(stuck: Stuck, ends: dict[int, float], middles: dict[int, int], shift: float) -> str:
    """From under (or over) the stuck step to the step at which the other rank stands."""
    down = middles[stuck.on or 0] > middles[stuck.rank]
    lean = 18 if down else 34
    x1, x2 = ends[stuck.rank] + lean, ends[stuck.on or 0] + lean
    y1 = middles[stuck.rank] + shift + (_BOX if down else 0)
    y2 = middles[stuck.on or 0] + shift + (0 if down else _BOX)
    return f'<path class="a" d="M{x1:.1f},{y1:.0f} L{x2:.1f},{y2 + (-3 if down else 3):.0f}"/>'


def _wrapped(sentence: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(sentence, width)
