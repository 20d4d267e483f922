"""How a command shows what it found: JSON for machines, tables for people, plain lines where nobody watches.

On a terminal tables and progress bars are drawn by rich (NO_COLOR is honoured). Elsewhere output is plain text:
columns aligned with spaces, nothing cut to a width, nothing redrawn. Progress goes to standard error, so that
standard output holds the result alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_WIDE = 200
_LINE_EVERY_S = 10.0


class Advance(Protocol):
    """What `progress` yields: call it with the work done since the last call and, if useful, a few words."""

    def __call__(self, amount: float = 1, note: str = "") -> None:
        """Count `amount` as done; `note` is shown beside the progress from now on."""
        ...


def emit(arguments: argparse.Namespace, data: Mapping[str, Any], render: Callable[[Console], None]) -> None:
    """Show a command's result on standard output.

    Args:
        arguments: the parsed command line; its `json` decides.
        data: the result for machines; values, paths and dataclasses are turned into JSON, numbers that are not
            finite into null.
        render: draws the result for people.
    """
    if arguments.json:
        print(json_text(data))
    else:
        render(console())


def json_text(data: object) -> str:
    """Indented JSON of plain data, `Value`s, dataclasses, paths and tuples."""
    return json.dumps(_plain(data), indent=2, ensure_ascii=False, allow_nan=False)


def console(stream: TextIO | None = None) -> Console:
    """A console on standard output (or `stream`) that wraps and colours only on a terminal."""
    from rich.console import Console

    where = sys.stdout if stream is None else stream
    if where.isatty():
        return Console(file=where, highlight=False)
    return Console(file=where, highlight=False, color_system=None, width=_WIDE, soft_wrap=True)


def table(
    out: Console,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    title: str = "",
    numbers: Sequence[str] = (),
) -> None:
    """Draw a table.

    Args:
        out: where to.
        columns: the headings; empty ones for a table of names and values.
        rows: the cells; shown with str.
        title: a line above.
        numbers: the headings of right-aligned columns.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    right = [name in numbers for name in columns]
    if out.is_terminal:
        _drawn_table(out, columns, cells, title, right)
    else:
        _plain_table(out, columns, cells, title, right)


@contextmanager
def progress(label: str, total: float | None = None) -> Iterator[Advance]:
    """Show how far some work is, on standard error.

    A terminal gets a bar; anything else gets a line every ten seconds and one at the end.

    Args:
        label: what is being done.
        total: how much there is to do; None where nobody knows.

    Yields:
        A function to call with the amount done since its last call.
    """
    with _bar(label, total) if sys.stderr.isatty() else _lines(label, total) as advance:
        yield advance


@contextmanager
def _bar(label: str, total: float | None) -> Iterator[Advance]:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console(sys.stderr), redirect_stdout=False) as display:
        task = display.add_task(label, total=total, note="")

        def advance(amount: float = 1, note: str = "") -> None:
            display.update(task, advance=amount)
            if note:
                display.update(task, note=note)

        yield advance


@contextmanager
def _lines(label: str, total: float | None) -> Iterator[Advance]:
    done, said, last_note = 0.0, time.monotonic(), ""

    def say() -> None:
        share = f"{done:,.0f}" if total is None else f"{done:,.0f} of {total:,.0f}"
        print(f"{label}: {share}" + (f" ({last_note})" if last_note else ""), file=sys.stderr, flush=True)

    def advance(amount: float = 1, note: str = "") -> None:
        nonlocal done, said, last_note
        done, last_note = done + amount, note or last_note
        if time.monotonic() - said >= _LINE_EVERY_S:
            said = time.monotonic()
            say()

    yield advance
    say()


def _drawn_table(
    out: Console, columns: Sequence[str], cells: list[list[str]], title: str, right: Sequence[bool]
) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    drawn = Table(title=title or None, title_justify="left", box=box.SIMPLE, show_header=any(columns))
    for name, number in zip(columns, right, strict=True):
        drawn.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in cells:
        drawn.add_row(*map(escape, row))
    out.print(drawn)


def _plain_table(
    out: Console, columns: Sequence[str], cells: list[list[str]], title: str, right: Sequence[bool]
) -> None:
    rows = [list(columns), *cells] if any(columns) else cells
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(len(columns))]
    if title:
        out.print(title, markup=False)
    for row in rows:
        padded = (
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, right, strict=True)
        )
        out.print("  ".join(padded).rstrip(), markup=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str):
        return [_plain(inner) for inner in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if dump else _scalar(value)


def _scalar(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float) else str(value)
