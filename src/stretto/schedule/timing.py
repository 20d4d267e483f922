"""When every record of a program starts and ends under given costs, without contention.

Ranks do their records strictly in order; a record starts when its rank is free and its inputs have arrived, a message
between ranks takes its link's time and holds up nobody else (Qi et al. 2023, Zero Bubble, section 2). Time is linear
in the records: about a microsecond each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from stretto.schedule.graph import EARLY, Graph, build
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError
from stretto.spec.program import Compute, Memory, Pair, Program, Record, State, Vocabulary


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of a program's nodes (`schedule.graph`), records first, in the unit of the costs."""

    graph: Graph
    start: list[float]
    end: list[float]
    cause: list[int]
    """Per record the node that it waited for, -1 where it waited for nothing but its rank."""

    @property
    def makespan(self) -> float:
        """From 0 to the end of the last record."""
        return max(self.end, default=0.0)

    @property
    def spans(self) -> tuple[float, ...]:
        """Per rank from the start of its first record to the end of its last."""
        first = self.graph.first
        return tuple(self.end[b - 1] - self.start[a] if b > a else 0.0 for a, b in pairwise(first))

    @property
    def busy(self) -> tuple[float, ...]:
        """Per rank the time inside records."""
        first = self.graph.first
        return tuple(sum(self.end[a:b]) - sum(self.start[a:b]) for a, b in pairwise(first))


def timing(program: Program | Graph, costs: PassCosts) -> Timing:
    """Time a program.

    Raises:
        UserError: the program can never finish (`schedule.verify` says why), or the costs are for other sizes.
    """
    graph = program if isinstance(program, Graph) else build(program)
    if not graph.acyclic:
        raise UserError(
            "the program never finishes: a record waits for what cannot happen before it; verify says which."
        )
    lasts = durations(graph, costs)
    link = _links(graph, costs)
    count, rank = len(graph.records), graph.rank
    start, end = [0.0] * graph.nodes, [0.0] * graph.nodes
    cause = [-1] * graph.nodes
    free = [0.0] * len(graph.program.ranks)
    inputs = graph.inputs
    for node in graph.order:
        if node >= count:
            _virtual(graph, node, costs, start, end, lasts)
            continue
        here = rank[node]
        time = free[here]
        for source in inputs[node]:
            arrival = end[source] + link(source, here)
            if arrival > time:
                time = arrival
                cause[node] = source
        start[node] = time
        free[here] = end[node] = time + lasts[node]
    return Timing(graph, start, end, cause)


def _virtual(
    graph: Graph, node: int, costs: PassCosts, start: list[float], end: list[float], lasts: Sequence[float]
) -> None:
    kind, source = graph.virtual[node - len(graph.records)]
    if kind == EARLY:
        record = graph.records[source]
        assert isinstance(record, Pair)
        start[node] = end[node] = start[source] + lasts[node]
    else:
        start[node] = max((end[i] for i in graph.inputs[node]), default=0.0)
        end[node] = start[node] + costs.collective


def _links(graph: Graph, costs: PassCosts) -> Callable[[int, int], float]:
    count, rank = len(graph.records), graph.rank
    virtual = graph.virtual

    def link(source: int, receiver: int) -> float:
        if source >= count:
            kind, source = virtual[source - count]
            if kind != EARLY:
                return 0.0
        return costs.link(rank[source], receiver)

    if not isinstance(costs.transfer, tuple):
        hop = costs.transfer
        if not virtual:
            return lambda source, receiver: hop
    return link


def durations(graph: Graph, costs: PassCosts) -> list[float]:
    """How long every node takes; for an early output, how long after its pair's start it leaves.

    Raises:
        UserError: the costs are for another number of stages, ranks or slices.
    """
    program = graph.program
    last = duration(program, costs)
    lasts = [last(record) for record in graph.records]
    for kind, source in graph.virtual:
        record = graph.records[source] if kind == EARLY else None
        lasts.append(min(last(record.forward), last(record)) if isinstance(record, Pair) else 0.0)
    return _per_rank(graph, costs, lasts)


def duration(program: Program, costs: PassCosts) -> Callable[[Record], float]:
    """The time of a record, vocabulary passes left at 0 (theirs is per rank)."""
    stages, ranks = program.stages, len(program.ranks)
    shares = costs.slice_shares(program.slices)
    passes = {
        kind: costs.per_stage(field, stages, ranks)
        for kind, field in (("F", "forward"), ("B", "backward"), ("I", "input_grad"), ("W", "weight_grad"))
    }
    memory = {kind: costs.per_stage(kind, stages, ranks) for kind in ("recompute", "offload", "reload")}
    state = {
        kind: costs.per_stage("validate_update" if kind == "validate" else kind, stages, ranks)
        for kind in ("gather", "reduce", "update", "validate", "rollback")
    }

    def last(record: Record) -> float:
        if isinstance(record, Compute):
            return passes[record.kind][record.stage] * shares[record.slice]
        if isinstance(record, Pair):
            both = last(record.forward), last(record.backward)
            return max(*both, costs.pair * sum(both))
        if isinstance(record, Memory):
            return memory[record.kind][record.stage] * shares[record.slice]
        return state[record.kind][record.stage] if isinstance(record, State) else 0.0

    return last


def _per_rank(graph: Graph, costs: PassCosts, lasts: list[float]) -> list[float]:
    if not graph.vocabulary:
        return lasts
    ranks = len(graph.program.ranks)
    shares = costs.slice_shares(graph.program.slices)
    fields = {"E": "embed_forward", "S": "output_forward", "T": "output_grad", "G": "embed_grad"}
    table = {kind: costs.per_rank(field, ranks) for kind, field in fields.items()}
    for node, record in enumerate(graph.records):
        if isinstance(record, Vocabulary):
            lasts[node] = table[record.kind][graph.rank[node]] * shares[record.slice]
    return lasts
