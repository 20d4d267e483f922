"""The scoreboard as a page: one table of rows a published table, and one list of what is not predicted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from stretto.simulate.scoreboard.scoreboard import Score, Scoreboard

_HEAD = "| line | model | p | m | schedule | published | ours | difference | within | what ours is |"
_RULE = "|---:|---|---:|---:|---|---:|---:|---:|---|---|"


def markdown(board: Scoreboard) -> str:
    """The scoreboard as Markdown.

    Every published table with a row that we have a figure for is a part of its own, under a line that says how many
    rows are scored and how far the differences go. Rows without a figure of ours are counted in the last part.
    """
    compared = [score for score in board.scores if score.status != "not predicted"]
    groups: dict[tuple[str, str, str], list[Score]] = {}
    for score in compared:
        groups.setdefault((score.source, score.table, score.metric), []).append(score)
    parts = [_summary(board)]
    for (source, table, metric), scores in groups.items():
        rows = "\n".join(map(_line, scores))
        title = f"## {_plain(table)}: {_plain(metric)}"
        parts.append("\n\n".join((title, f"{_plain(source)}.", head(scores), f"{_HEAD}\n{_RULE}\n{rows}")))
    left = board.of("not predicted")
    return "\n\n".join(parts + ([_left(left)] if left else [])) + "\n"


def head(scores: Iterable[Score]) -> str:
    """How many of these rows are scored and within their bars, and how far the differences go."""
    scores = tuple(scores)
    scored = [score for score in scores if score.status == "scored"]
    excluded = len(scores) - len(scored)
    tail = f" {_rows(excluded)} excluded." if excluded else ""
    if not scored:
        return f"No row is scored.{tail}"
    within = sum(1 for score in scored if score.met)
    return f"{_rows(len(scored))} scored, {within} within the bar; {_range(scored)}.{tail}"


def _range(scored: list[Score]) -> str:
    ratios = [score.ratio for score in scored if score.ratio is not None]
    if ratios:
        return f"ratio of ours to the published time {min(ratios):.4f} to {max(ratios):.4f}"
    differences = [score.difference or 0.0 for score in scored]
    return f"differences {_signed(min(differences))} to {_signed(max(differences))}"


def _summary(board: Scoreboard) -> str:
    scored = board.of("scored")
    within = sum(1 for score in scored if score.met)
    counts = f"{len(board.of('excluded'))} excluded, {len(board.of('not predicted'))} not predicted"
    return f"{_rows(len(board.scores))}: {len(scored)} scored, {within} of them within the bar; {counts}."


def _line(score: Score) -> str:
    ours = ", ".join(f"{value:.6g}" for value in score.ours)
    difference = "" if score.difference is None else _signed(score.difference)
    if score.ratio is not None:
        difference = f"x {score.ratio:.4f}"
    within = "excluded" if score.met is None else "yes" if score.met else "NO"
    cells = (score.line, score.model, score.p, score.m, score.schedule, score.published, ours, difference, within)
    return "| " + " | ".join(_plain(str(cell)) for cell in (*cells, score.reason)) + " |"


def _left(scores: Iterable[Score]) -> str:
    """Rows of one source that are not predicted for one reason are one line."""
    tables: dict[tuple[str, str, str], Counter[str]] = {}
    for score in scores:
        tables.setdefault((score.source, score.metric, score.reason), Counter())[score.table] += 1
    lines = (
        (source, ", ".join(found), metric, reason, str(found.total()))
        for (source, metric, reason), found in tables.items()
    )
    rows = "\n".join("| " + " | ".join(map(_plain, line)) + " |" for line in lines)
    return f"## Not predicted\n\n| source | tables | metric | why | rows |\n|---|---|---|---|---:|\n{rows}"


def _signed(value: float) -> str:
    return "0" if abs(value) < 1e-9 else f"{value:+.2g}"


def _rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"


def _plain(text: str) -> str:
    """Text that cannot end a cell or be taken for markup."""
    return re.sub(r"([\\|*`\[<])|(?<!\w)(_)|(_)(?!\w)", r"\\\1\2\3", " ".join(text.split()))
