"""Stored activations: the formulas of published tables against the peaks of our programs.

A formula over p is evaluated at several sizes, with passes of equal time. A figure for ever more ranks, as a share
of M = p microbatches, is compared with what every further rank adds to the peak.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stretto.schedule.memory import peaks
from stretto.simulate.scoreboard.formula import evaluate
from stretto.simulate.scoreboard.names import Name, named
from stretto.simulate.scoreboard.prediction import NotPredicted, Prediction, generated, sizes
from stretto.simulate.scoreboard.rows import Row
from stretto.spec.costs import PassCosts

SIZES: Final = (4, 6, 8, 16)
"""Numbers of ranks at which formulas are compared, with three microbatches a rank."""
GROWTH: Final = (12, 24)
"""Numbers of ranks between which the growth of the peak is taken; multiples of 6, so that rounding cancels."""


def activation(row: Row, seconds: float | None) -> Prediction:
    """Predict a row of peak_activation_exact or activation_microbatches: the most that a rank stores, in M_B.

    Args:
        row: the row.
        seconds: unused, for nothing is searched.

    Raises:
        UserError: why it is not predicted.
    """
    del seconds
    name = _kind(row)
    if row.p.isdigit() and row.m.isdigit():
        ranks, microbatches = sizes(row, name)
        expected, ours = (evaluate(row.value, {"p": ranks}),), (_peak(name, ranks, microbatches),)
        return Prediction(expected, ours, f"peak of {name.text}", -1e-6, 1e-6)
    expected = tuple(evaluate(row.value, {row.p or "p": ranks}) for ranks in SIZES)
    ours = tuple(_peak(name, ranks, 3 * ranks) for ranks in SIZES)
    how = f"peak of {name.text} at p = {_listed(SIZES)}, m = 3p"
    return Prediction(expected, ours, how, -1e-6, 1e-6)


def asymptotic(row: Row, seconds: float | None) -> Prediction:
    """Predict a row of peak_activation_asymptotic: what a further rank adds to the peak, as a share of M_B.

    Args:
        row: the row.
        seconds: unused, for nothing is searched.

    Raises:
        UserError: why it is not predicted.
    """
    del seconds
    name = _kind(row)
    few, many = GROWTH
    ours = (_peak(name, many, 3 * many) - _peak(name, few, 3 * few)) / (many - few)
    how = f"growth of the peak of {name.text} a rank, from p = {few} to {many}, m = 3p"
    return Prediction((evaluate(row.value, {"M": 1.0}),), (ours,), how, -1e-6, 1e-6)


def _kind(row: Row) -> Name:
    name = named(row.schedule)
    if name.kind == "search":
        raise NotPredicted("a search stores what its cap allows")
    return name


def _peak(name: Name, ranks: int, microbatches: int) -> float:
    costs = PassCosts()
    return max(peaks(generated(name, ranks, microbatches, costs), costs))


def _listed(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))
