"""Bubbles: time in which ranks stand idle, as a share of the step or in the unit of the passes.

A rate is (cost - m(F+I+W)) / cost. The cost of handcrafted schedules without a bubble in the steady state, and of
searched ones, is the longest span of a rank, that of all others the makespan (Qi et al. 2023, Zero Bubble, section 4).
Searched rows are in `searched`.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import chain

from stretto.simulate.programs import simulate
from stretto.simulate.scoreboard.models import size
from stretto.simulate.scoreboard.names import Name, named
from stretto.simulate.scoreboard.prediction import NotPredicted, Prediction, generated, published, sizes, with_fields
from stretto.simulate.scoreboard.rows import Row
from stretto.simulate.scoreboard.searched import searched
from stretto.simulate.simulation import Simulation
from stretto.spec.costs import PassCosts
from stretto.spec.program import Pair, Program, Record


def bubble(row: Row, seconds: float | None) -> Prediction:
    """Predict a row of bubble_rate, bubble, bubble_makespan or bubble_span.

    Args:
        row: the row.
        seconds: how long to search, where the schedule was searched for; none: not at all.

    Raises:
        UserError: why it is not predicted.
    """
    name = named(row.schedule)
    if name.kind == "search":
        return searched(row, name, pass_costs(row, name), seconds)
    if row.schedule.upper() == "1F1B-I":
        name = name._replace(chunks=_chunks(row))
    ranks, microbatches = sizes(row, name)
    costs = pass_costs(row, name)
    program = _pairs(generated(name, ranks, microbatches, costs), row)
    measure, ours = _measured(row, name, simulate(program, costs))
    allowed = 5e-5 if row.metric == "bubble_rate" else 1e-6
    how = f"{measure} of {program.kind}" + ("; the published order is a greedy scheduler's" if name.greedy else "")
    low = -math.inf if name.greedy else -allowed
    return Prediction((published(row),), (ours,), how, low, allowed, excluded=name.fault)


def pass_costs(row: Row, name: Name) -> PassCosts:
    """The row's times, of a rank's whole share of the model or, where the unit or the note says so, of one chunk.

    Raises:
        UserError: the row gives none, or ones that do not fit each other.
    """
    if not (row.tf and row.tb):
        raise NotPredicted("the row gives no times of its passes (tf, tb)")
    a_chunk = row.unit.startswith("chunk-F") or "chunk F=" in row.note
    scale = float(name.chunks or 2) if a_chunk else 1.0
    names = ("forward", "input_grad" if row.tw else "backward", "weight_grad")
    given = {name: times for name, times in zip(names, (row.tf, row.tb, row.tw), strict=True) if times}
    fields = {name: scale * times[0] if len(times) == 1 else times for name, times in given.items()}
    return with_fields(PassCosts(), **fields, transfer=row.tcomm[0] if row.tcomm else 0.0)


def _chunks(row: Row) -> int:
    told = re.search(r"\bchunks = [^;,]*= (\d{1,3})\b", row.note)
    return int(told.group(1)) if told else (size(row).layers + 2) // sizes(row)[0]


def _pairs(program: Program, row: Row) -> Program:
    """Where the row does not say that a pair is one block (F&B), its passes run one after the other, forward first."""
    if "F&B" in row.schedule + row.note:
        return program
    return replace(program, ranks=tuple(tuple(chain.from_iterable(map(_apart, records))) for records in program.ranks))


def _apart(record: Record) -> tuple[Record, ...]:
    return (record.forward, record.backward) if isinstance(record, Pair) else (record,)


def _measured(row: Row, name: Name, result: Simulation) -> tuple[str, float]:
    if row.metric == "bubble_rate":
        if name.measure == "span":
            return "idle share of the longest span", result.bubble_rate_span
        return "idle share of the makespan", result.bubble_rate_makespan
    work = sum(result.busy) / len(result.busy)
    if row.metric == "bubble_span":
        return "longest span less work", result.span - work
    return "makespan less work", result.makespan - work
