"""Why ranks stood idle: every wait of a run, split by what was missing.

A rank that is free at t and starts its next record at s waited for the last of that record's inputs. Until the input
was computed it is a dependency, from then on it was under way. Where the input is a collective's, the wait is a
dependency until the first of its ranks has come, and from then on a synchronisation: others are waited for, and the
collective itself. The three parts add up to s - t.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from stretto.schedule.graph import COLLECTIVE
from stretto.schedule.timing import Timing


class Wait(NamedTuple):
    """The time for which a rank stood idle before one of its records."""

    node: int
    """The record before which it did."""
    source: int
    """The record whose result came last, -1 for none: an empty collective."""
    dependency: float
    transfer: float
    synchronisation: float


def waits(timing: Timing) -> Iterator[Wait]:
    """Every wait of a run, rank by rank, in order."""
    graph, start, end = timing.graph, timing.start, timing.end
    count = len(graph.records)
    for rank, first in enumerate(graph.first[:-1]):
        free = 0.0
        for node in range(first, graph.first[rank + 1]):
            if start[node] > free:
                source = timing.cause[node]
                kind, record = ("", source) if source < count else graph.virtual[source - count]
                if kind == COLLECTIVE:
                    yield _collective(timing, node, source, free)
                else:
                    computed = min(max(end[source], free), start[node])
                    yield Wait(node, record, computed - free, start[node] - computed, 0.0)
            free = end[node]


def _collective(timing: Timing, node: int, source: int, free: float) -> Wait:
    ranks, end = timing.graph.inputs[source], timing.end
    come = min((end[i] for i in ranks), default=0.0)
    last = max(ranks, key=end.__getitem__, default=-1)
    come = min(max(come, free), timing.start[node])
    return Wait(node, last, come - free, 0.0, timing.start[node] - come)
