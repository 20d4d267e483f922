"""The scoreboard: every published row with our figure beside it, or the reason why it has none.

A metric has one predictor. A row is "scored", "excluded" (its figure is no check of ours, by name) or "not predicted".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from stretto.simulate.scoreboard.activation import activation, asymptotic
from stretto.simulate.scoreboard.bubble import bubble
from stretto.simulate.scoreboard.iteration_time import iteration_time
from stretto.simulate.scoreboard.prediction import Prediction
from stretto.simulate.scoreboard.rows import Row
from stretto.spec.errors import UserError
from stretto.spec.value import Value, dump_json

Predictor: TypeAlias = Callable[[Row, float | None], Prediction]
Status: TypeAlias = Literal["scored", "excluded", "not predicted"]

PREDICTORS: Final[Mapping[str, Predictor]] = MappingProxyType(
    {
        "bubble_rate": bubble,
        "bubble": bubble,
        "bubble_makespan": bubble,
        "bubble_span": bubble,
        "iteration_time": iteration_time,
        "peak_activation_exact": activation,
        "activation_microbatches": activation,
        "peak_activation_asymptotic": asymptotic,
    }
)
_EXCLUDED: Final = MappingProxyType(
    {"interlaced": "interlaced vocabulary passes stop all ranks at once, as tensor parallelism does: no kind here does"}
)
_TEXTS: Final = MappingProxyType(
    {
        "bubble_formula": "bubble_formula is a formula over symbols, which has no value to compare",
        "building_block_offsets": "building_block_offsets describe a pattern on a grid, which a program does not have",
        "config": "config is a setting, not a result",
    }
)


class Score(Value):
    """A published row, and what we say of it."""

    line: int
    source: str
    table: str
    model: str
    p: str
    m: str
    schedule: str
    metric: str
    unit: str
    published: str
    """As it is printed."""
    expected: tuple[float, ...] = ()
    """The published number; of a formula, one a size. Empty where nothing is predicted, like the next one."""
    ours: tuple[float, ...] = ()
    difference: float | None = None
    """Ours less the published one, where it is furthest from it."""
    ratio: float | None = None
    """Ours over the published one, for times."""
    met: bool | None = None
    """Whether a scored row is within its bar."""
    status: Status
    reason: str
    """What ours is, or why there is none."""


class Scoreboard(Value):
    """All rows of a file, in order."""

    format: Literal["stretto.scoreboard/1"] = "stretto.scoreboard/1"
    scores: tuple[Score, ...]

    def of(self, status: Status) -> tuple[Score, ...]:
        """The rows with this status."""
        return tuple(score for score in self.scores if score.status == status)

    def to_json(self) -> str:
        """The scoreboard as JSON text."""
        return dump_json(self)


def score(
    rows: Iterable[Row], *, seconds: float | None = 5.0, progress: Callable[[int], None] | None = None
) -> Scoreboard:
    """Predict every row that can be predicted.

    Args:
        rows: published figures.
        seconds: how long to search for every schedule that was searched for; none: those are not predicted.
        progress: called with the number of rows done since its last call.
    """
    scores: list[Score] = []
    for row in rows:
        scores.append(_score(row, seconds))
        if progress is not None:
            progress(1)
    return Scoreboard(scores=tuple(scores))


def _score(row: Row, seconds: float | None) -> Score:
    by_name = re.sub(r"\s*\(.*", "", row.schedule.lower())
    predictor = PREDICTORS.get(row.metric)
    if predictor is None:
        needs = f"{row.metric or 'this row'} needs a model of the device, not only of the schedule"
        return _made(row, "not predicted", _TEXTS.get(row.metric, needs))
    if by_name in _EXCLUDED:
        return _made(row, "excluded", _EXCLUDED[by_name])
    try:
        found = predictor(row, seconds)
    except UserError as error:
        return _made(row, "not predicted", str(error))
    return _compared(row, found)


def _compared(row: Row, found: Prediction) -> Score:
    differences = [ours - expected for ours, expected in zip(found.ours, found.expected, strict=True)]
    worst = max(differences, key=lambda d: max(d / (found.high or 1), d / (found.low or 1)))
    ratio = found.ours[0] / found.expected[0] if found.timed and found.expected[0] else None
    return _made(
        row,
        "excluded" if found.excluded else "scored",
        found.excluded or found.how,
        expected=found.expected,
        ours=found.ours,
        difference=worst,
        ratio=ratio,
        met=None if found.excluded else all(found.low <= d <= found.high for d in differences),
    )


def _made(
    row: Row,
    status: Status,
    reason: str,
    *,
    expected: tuple[float, ...] = (),
    ours: tuple[float, ...] = (),
    difference: float | None = None,
    ratio: float | None = None,
    met: bool | None = None,
) -> Score:
    return Score(
        line=row.line,
        source=row.source,
        table=row.table,
        model=row.model,
        p=row.p,
        m=row.m,
        schedule=row.schedule,
        metric=row.metric,
        unit=row.unit,
        published=row.value,
        expected=expected,
        ours=ours,
        difference=difference,
        ratio=ratio,
        met=met,
        status=status,
        reason=reason,
    )
