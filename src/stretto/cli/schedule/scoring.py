"""`stretto schedule scoreboard`: published figures, what Stretto says, and the difference, row by row."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from stretto.cli.show import emit, progress, table
from stretto.report.writing import write_whole
from stretto.spec.errors import UserError, bad_value

if TYPE_CHECKING:
    from rich.console import Console

    from stretto.simulate.scoreboard.scoreboard import Scoreboard

_ROWS = Path(__file__).parents[4] / "benchmarks" / "data" / "pipeline_tables.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A file of rows, a time limit and a file to write."""
    parser.add_argument("--rows", metavar="FILE", type=Path, help="a CSV file of published figures (default: ours)")
    parser.add_argument(
        "--seconds", metavar="S", type=float, default=2.0, help="time limit of each row that is searched (default 2)"
    )
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="write the whole table as Markdown")


def run(arguments: argparse.Namespace) -> int:
    """Score rows."""
    from stretto.simulate.scoreboard.rows import read_rows
    from stretto.simulate.scoreboard.scoreboard import score
    from stretto.simulate.scoreboard.table import markdown

    if not arguments.seconds > 0:
        raise bad_value("--seconds", arguments.seconds, "more than 0")
    path = arguments.rows or _ROWS
    if arguments.rows is None and not path.exists():
        raise UserError("the published rows are not installed with the package; expected --rows FILE.csv.")
    rows = read_rows(path)
    with progress("rows", len(rows)) as advance:
        board = score(rows, seconds=arguments.seconds, progress=advance)
    if arguments.markdown is not None:
        write_whole(markdown(board), arguments.markdown)
    emit(arguments, board.model_dump(mode="json"), lambda out: _present(out, board, arguments.markdown))
    return 0


def _present(out: Console, board: Scoreboard, path: Path | None) -> None:
    scored = board.of("scored")
    figures = ("published", "ours", "difference", "ratio")
    columns = ("line", "table", "model", "p", "m", "schedule", "metric", *figures, "bar")
    rows = [
        (
            s.line,
            s.table,
            s.model,
            s.p,
            s.m,
            s.schedule,
            s.metric,
            s.published,
            ", ".join(f"{value:.6g}" for value in s.ours),
            f"{s.difference:+.3g}" if s.difference is not None else "",
            f"{s.ratio:.3f}" if s.ratio is not None else "",
            "met" if s.met else "missed",
        )
        for s in scored
    ]
    table(out, columns, rows, numbers=("line", "p", "m", *figures))
    out.print()
    missed = sum(not score.met for score in scored)
    out.print(f"{len(scored)} rows scored, {len(scored) - missed} within their bar, {missed} not.")
    for status in ("excluded", "not predicted"):
        reasons = Counter(score.reason for score in board.of(status))
        for reason, count in reasons.most_common():
            out.print(f"{status}: {count} {'row' if count == 1 else 'rows'}: {reason}", markup=False)
    if path is not None:
        out.print(f"written: {path}", markup=False)
