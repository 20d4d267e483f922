"""Bubble rates of schedules that were searched for under a memory cap: ours come from `schedule.search`.

The published ones are what a heuristic found, so ours may be smaller. They are counted from the longest span of a
rank. The found program is simulated again here, and its memory is held against the cap.
"""

from __future__ import annotations

import math
import re

from stretto.schedule.memory import peaks
from stretto.simulate.programs import simulate
from stretto.simulate.scoreboard.models import size
from stretto.simulate.scoreboard.names import Name
from stretto.simulate.scoreboard.prediction import NotPredicted, Prediction, published, sizes, with_fields
from stretto.simulate.scoreboard.rows import Row
from stretto.spec.costs import PassCosts


def searched(row: Row, name: Name, costs: PassCosts, seconds: float | None) -> Prediction:
    """Predict a row whose schedule was searched for.

    Raises:
        UserError: why it is not predicted.
    """
    if row.metric != "bubble_rate":
        raise NotPredicted(f"{row.metric} of a searched schedule depends on what the search was for")
    if seconds is None:
        raise NotPredicted("searching was left out")
    from stretto.schedule.search import search

    ranks, microbatches = sizes(row, name)
    share = _cap(row, name)
    shape = size(row)
    costs = with_fields(costs, weight_activation=shape.weight_activation)
    chunks = (name.chunks or 1,)
    found = search(
        costs, ranks=ranks, microbatches=microbatches, memory_cap=share * ranks, chunks=chunks, measure="span",
        seconds=seconds,
    )  # fmt: skip
    most = max(peaks(found.program, costs))
    if most > share * ranks + 1e-6:
        raise NotPredicted(f"the search found a program that stores {most:g} microbatches, more than {share:g} p")
    ours = simulate(found.program, costs).bubble_rate_span
    how = f"idle share of the longest span, found in {seconds:g} s for at most {share:g} p microbatches ({shape.text})"
    return Prediction((published(row),), (ours,), how, -math.inf, 5e-5)


def _cap(row: Row, name: Name) -> float:
    told = re.search(r"M_limit=(\d+(?:\.\d+)?)\*p\*M_B", row.note)
    if told:
        return float(told.group(1))
    if name.cap is None:
        raise NotPredicted("the row's note says no memory cap, such as M_limit=1.500*p*M_B")
    return name.cap
