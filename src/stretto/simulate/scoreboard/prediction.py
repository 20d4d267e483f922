"""A prediction: what we say of a published row, and how far from the published figure it may lie."""

from __future__ import annotations

from typing import Final, NamedTuple

from stretto.schedule.generate import generate
from stretto.simulate.programs import simulate
from stretto.simulate.scoreboard.names import Name
from stretto.simulate.scoreboard.rows import Row
from stretto.simulate.simulation import Simulation
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError
from stretto.spec.program import Program
from stretto.spec.value import load

MOST_PASSES: Final = 1_000_000
"""Rows with more forwards than this are left out: they would take minutes."""


class NotPredicted(UserError):
    """Why a row has no prediction."""


class Prediction(NamedTuple):
    """Our figures beside the published ones, one or, for a formula, one a size."""

    expected: tuple[float, ...]
    """The published figure, or what the published formula gives at each size."""
    ours: tuple[float, ...]
    how: str
    """What ours is."""
    low: float
    """The bar: ours less expected may be this small..."""
    high: float
    """...and this large."""
    timed: bool = False
    """Whether these are times, for which a ratio says more than a difference."""
    excluded: str = ""
    """Why the published figure is no check although there is a prediction; empty: it is one."""


def sizes(row: Row, name: Name | None = None) -> tuple[int, int]:
    """Ranks and microbatches.

    Raises:
        NotPredicted: the row gives no numbers, or sizes that are out of reach.
    """
    for letter, value in (("p", row.p), ("m", row.m)):
        if not value.isdigit():
            raise NotPredicted(f"the row gives no number for {letter}, but {value!r}")
    ranks, microbatches = (int(value) if len(value) < 9 else MOST_PASSES + 1 for value in (row.p, row.m))
    chunks = name.chunks or 1 if name else 1
    if ranks * microbatches * chunks > MOST_PASSES:
        told = f"{row.p} ranks x {row.m} microbatches" + (f" x {chunks} chunks" if chunks > 1 else "")
        raise NotPredicted(f"{told} are more than {MOST_PASSES:,} forwards")
    return ranks, microbatches


def published(row: Row) -> float:
    """The published number.

    Raises:
        NotPredicted: the cell is empty.
    """
    if not row.value:
        raise NotPredicted("the row has no value")
    return float(row.value)


def with_fields(costs: PassCosts, **fields: float | tuple[float, ...]) -> PassCosts:
    """The costs with these fields besides, or instead.

    Raises:
        UserError: a field cannot have that value.
    """
    return load(PassCosts, costs.model_dump(exclude_unset=True) | fields, "the row's costs")


def generated(name: Name, ranks: int, microbatches: int, costs: PassCosts) -> Program:
    """The program of a schedule's name.

    Raises:
        UserError: the kind does not admit these sizes.
    """
    return generate(name.kind, ranks, microbatches, chunks=name.chunks, vocabulary=name.vocabulary, costs=costs)


def run(name: Name, ranks: int, microbatches: int, costs: PassCosts) -> Simulation:
    """What that program does in virtual time.

    Raises:
        UserError: the kind does not admit these sizes, or the costs are for others.
    """
    return simulate(generated(name, ranks, microbatches, costs), costs)
