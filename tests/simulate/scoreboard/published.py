"""The published rows of the repository, and rows as tests need them."""

from functools import cache
from pathlib import Path

from stretto.simulate.scoreboard.rows import COLUMNS, Row, read_rows
from stretto.simulate.scoreboard.scoreboard import score

DATA = Path(__file__).parents[3] / "benchmarks" / "data" / "pipeline_tables.csv"


@cache
def rows():
    return read_rows(DATA)


def scored(metric, table=None, schedules=None):
    """The scores of some published rows, nothing searched."""
    found = [
        row
        for row in rows()
        if row.metric == metric
        and (table is None or row.table == table)
        and (schedules is None or row.schedule in schedules)
    ]
    return score(found, seconds=None).scores


def row(**fields):
    """A row of unit times: 1F1B on 4 ranks, 8 microbatches."""
    usual = Row(
        2, "source", "table", "any", "4", "8", "1F1B", (1.0,), (1.0,), (1.0,), (0.0,), "bubble_rate", "0.2727", "", ""
    )
    return usual._replace(**fields)


def one(**fields):
    """The score of such a row, nothing searched."""
    return score([row(**fields)], seconds=None).scores[0]


def file(path, *lines):
    """A file with the usual columns and these lines."""
    path.write_text("\n".join((",".join(COLUMNS), *lines)) + "\n", encoding="utf-8")
    return path
