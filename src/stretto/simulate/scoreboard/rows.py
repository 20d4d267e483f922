"""Rows of published figures: a CSV file with one figure a line, read into plain values.

Columns: source, table, model, p ranks, m microbatches, schedule, times of a forward (tf), of an input gradient (tb; the
whole backward where tw is empty), of a weight gradient (tw) and of a message (tcomm), metric, value, unit, note. Times
may be a vector, joined by ``|``, one a rank. Where a figure is a formula, p and m are the letters that it uses.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from stretto.spec.errors import UserError, bad_value

TIMES: Final = ("tf", "tb", "tw", "tcomm")
COLUMNS: Final = ("source", "table", "model", "p", "m", "schedule", *TIMES, "metric", "value", "unit", "note")
NUMBERS: Final = frozenset({"bubble_rate", "bubble", "bubble_makespan", "bubble_span", "iteration_time"})
"""Metrics whose value is a number, never a formula."""


class Row(NamedTuple):
    """A published figure."""

    line: int
    """Where it ends in its file, from 1."""
    source: str
    table: str
    model: str
    p: str
    """Ranks: a number, or a name such as ``p``, or nothing."""
    m: str
    """Microbatches, likewise."""
    schedule: str
    tf: tuple[float, ...]
    """Time of F, one number or one a rank; empty where the file says none. So are the next three."""
    tb: tuple[float, ...]
    tw: tuple[float, ...]
    tcomm: tuple[float, ...]
    metric: str
    value: str
    """The figure as it is printed: a number, or text."""
    unit: str
    note: str


def read_rows(path: Path) -> tuple[Row, ...]:
    """Read published figures.

    Raises:
        UserError: the file is missing or unreadable, lacks a column, or has a line that is not such a row.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return tuple(_rows(file, path))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; expected a CSV file of published figures.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a CSV file of published figures: {error}.") from None


def _rows(file: Iterable[str], path: Path) -> Iterator[Row]:
    reader = csv.reader(file, strict=True)
    try:
        header = [name.strip() for name in next(reader, list[str]())]
        missing = [name for name in COLUMNS if name not in header]
        if missing:
            raise UserError(f"{path} has no column {', '.join(missing)}; expected {', '.join(COLUMNS)}.")
        for cells in reader:
            if any(cell.strip() for cell in cells):
                where = f"{path}, line {reader.line_num}"
                if len(cells) != len(header):
                    raise bad_value(f"{where}: the number of cells", len(cells), f"{len(header)}, one a column")
                yield _row(dict(zip(header, map(str.strip, cells), strict=True)), reader.line_num, where)
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: this is no line of a CSV file ({error}).") from None


def _row(cell: dict[str, str], line: int, where: str) -> Row:
    for name in ("p", "m"):
        if not re.fullmatch(r"[1-9][0-9]*|[^A-Za-z]*[A-Za-z].*|", cell[name]):
            raise bad_value(f"{where}: {name}", cell[name], "an integer of at least 1, a name or nothing")
    if cell["metric"] in NUMBERS and cell["value"]:
        _number(cell["value"], f"{where}: value")
    times = (_vector(cell[name], f"{where}: {name}") for name in TIMES)
    before = (cell[name] for name in COLUMNS[: COLUMNS.index("tf")])
    after = (cell[name] for name in COLUMNS[COLUMNS.index("metric") :])
    return Row._make((line, *before, *times, *after))


def _vector(cell: str, where: str) -> tuple[float, ...]:
    found = tuple(_number(part, where) for part in cell.split("|")) if cell else ()
    if any(value < 0 for value in found):
        raise bad_value(where, cell, "times of at least 0")
    return found


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise bad_value(where, text, "a number")
    return value
