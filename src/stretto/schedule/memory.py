"""How much every rank stores: activations from their forward until their backward, record by record.

F adds a stage's activation, B frees it, I frees all but the part that W still needs (Qi et al. 2023, appendix G). A
microbatch whose stage is recomputed stores nothing in F and everything in ``recompute``; ``offload`` takes away what
``reload`` brings back. Units are those of the costs: one microbatch on one rank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from stretto.spec.costs import PassCosts
from stretto.spec.program import Compute, Memory, Pair, Program, Record


def changes(program: Program, costs: PassCosts) -> Callable[[Record], tuple[float, float]]:
    """What a record adds when it starts and what it frees when it ends, as a function of the record."""
    whole, kept, shares = _weights(program, costs)
    recomputed = {
        (r.stage, r.microbatch, r.slice, r.copy)
        for records in program.ranks
        for r in records
        if isinstance(r, Memory) and r.kind == "recompute"
    }

    def computed(record: Compute) -> tuple[float, float]:
        kind, stage, _, piece, _, _ = record
        size = whole[stage] * shares[piece]
        if kind == "F":
            stores = not (program.forward_only or (recomputed and record[1:5] in recomputed))
            return (size if stores else 0.0), 0.0
        part = {"B": 1.0, "I": 1 - kept[stage], "W": kept[stage]}[kind]
        return 0.0, size * part

    def change(record: Record) -> tuple[float, float]:
        if isinstance(record, Compute):
            return computed(record)
        if isinstance(record, Pair):
            return computed(record.forward)[0], computed(record.backward)[1]
        if isinstance(record, Memory):
            size = whole[record.stage] * shares[record.slice]
            return (0.0, size) if record.kind == "offload" else (size, 0.0)
        return 0.0, 0.0

    return change


def peaks(program: Program, costs: PassCosts) -> tuple[float, ...]:
    """Per rank the most that it stores at once."""
    change = changes(program, costs)
    return tuple(max(_levels(records, change), default=0.0) for records in program.ranks)


def _levels(records: Iterable[Record], change: Callable[[Record], tuple[float, float]]) -> Iterator[float]:
    level = 0.0
    for record in records:
        added, freed = change(record)
        level += added
        yield round(level, 9)
        level -= freed


def _weights(program: Program, costs: PassCosts) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    whole = costs.per_stage("activation", program.stages, len(program.ranks))
    return whole, costs.weight_shares(program.stages), costs.slice_shares(program.slices)
