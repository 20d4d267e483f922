"""Simulation: what happened when a program ran in virtual time, and why ranks waited.

What takes time to work out is worked out when it is asked for, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from math import fsum
from typing import Literal, NamedTuple, TypeAlias

from stretto.schedule.bounds import makespan_bound
from stretto.schedule.memory import changes
from stretto.schedule.timing import Timing
from stretto.simulate.messages import Link, messages, timed
from stretto.simulate.waits import Wait, waits
from stretto.spec.costs import PassCosts
from stretto.spec.program import Compute, Memory, Pair, Program, Record, State, Vocabulary
from stretto.spec.program_text import write_record
from stretto.spec.trace import Counter, Span, Trace

Cause: TypeAlias = Literal["dependency", "transfer", "memory", "imbalance", "synchronisation"]
"""Why a rank was idle: its input was still being computed; or was under way; activations were being moved or
recomputed; the other ranks had more to do; or a collective waited for its last rank."""
CAUSES: tuple[Cause, ...] = ("dependency", "transfer", "memory", "imbalance", "synchronisation")


class Piece(NamedTuple):
    """A record that was done: when, and what it had waited for."""

    record: Record
    start: float
    end: float
    idle: float = 0.0
    """How long its rank stood idle just before it."""
    cause: Cause | None = None
    """Why it did, for the most part; None where it did not."""
    awaited: Record | None = None
    """The record that it waited for (of a collective, the last one to come), None for none."""
    awaited_rank: int = -1
    """That record's rank."""

    @property
    def waited_for(self) -> str:
        """The record that it waited for and its rank, as text: ``F2.5 on rank 2``; empty for none."""
        return f"{write_record(self.awaited)} on rank {self.awaited_rank}" if self.awaited is not None else ""


@dataclass(frozen=True)
class Simulation:
    """A program's run in virtual time. Times have the costs' unit, memory is in microbatches on one rank."""

    program: Program
    costs: PassCosts
    """What passes and messages cost; `lower_bound` and `memory` follow from them."""
    timing: Timing = field(repr=False)
    """When every record began and ended."""
    sent: tuple[Link, ...] | None = field(default=None, repr=False)
    """Every message, where a network carried them; none: nothing held up any."""

    @cached_property
    def makespan(self) -> float:
        """From 0 to the end of the last record."""
        return max(self.timing.end[: len(self.timing.graph.records)], default=0.0)

    @cached_property
    def spans(self) -> tuple[float, ...]:
        """Per rank from the start of its first record to the end of its last."""
        return self.timing.spans

    @property
    def span(self) -> float:
        """The longest per-rank span."""
        return max(self.spans)

    @cached_property
    def busy(self) -> tuple[float, ...]:
        """Per rank the time inside passes; memory and state records do not count."""
        return tuple(self._inside(rank, Compute, Pair, Vocabulary) for rank in range(len(self.program.ranks)))

    @property
    def bubble_rate_makespan(self) -> float:
        """1 - busy time / (ranks x makespan); 0 where nothing takes time."""
        return 1 - sum(self.busy) / (len(self.busy) * self.makespan) if self.makespan else 0.0

    @property
    def bubble_rate_span(self) -> float:
        """1 - busy time / (ranks x longest span); 0 where nothing takes time."""
        return 1 - sum(self.busy) / (len(self.busy) * self.span) if self.span else 0.0

    @cached_property
    def pieces(self) -> tuple[tuple[Piece, ...], ...]:
        """Per rank, in order."""
        graph, start, end = self.timing.graph, self.timing.start, self.timing.end
        found = list(map(Piece, graph.records, start, end))
        for wait in waits(self.timing):
            awaited = (graph.records[wait.source], graph.rank[wait.source]) if wait.source >= 0 else (None, -1)
            parts = wait.dependency, wait.transfer, wait.synchronisation
            names: tuple[Cause, ...] = ("dependency", "transfer", "synchronisation")
            cause = names[parts.index(max(parts))]
            node = wait.node
            found[node] = Piece(graph.records[node], start[node], end[node], sum(parts), cause, *awaited)
        return tuple(tuple(found[a:b]) for a, b in pairwise(graph.first))

    @cached_property
    def causes(self) -> tuple[dict[Cause, float], ...]:
        """Per rank the time outside passes by cause, over the whole makespan: with `busy` they add up to it.

        Waits are split as `simulate.waits` says; the time after a rank's last record is a dependency like the time
        before its first. Time inside memory records counts as memory, inside state records as synchronisation.
        "imbalance" is then taken out of "dependency": the busiest rank's time inside records less this rank's own, for
        no order of the same records spares this rank that wait; what remains is the order's and the pipeline's filling.
        """
        ranks = range(len(self.program.ranks))
        memory = [self._inside(rank, Memory) for rank in ranks]
        state = [self._inside(rank, State) for rank in ranks]
        work = [fsum(parts) for parts in zip(self.busy, memory, state, strict=True)]
        waited: list[list[Wait]] = [[] for _ in ranks]
        for wait in waits(self.timing):
            waited[self.timing.graph.rank[wait.node]].append(wait)
        found: list[dict[Cause, float]] = []
        for rank in ranks:
            transfer = fsum(w.transfer for w in waited[rank])
            synchronised = fsum(w.synchronisation for w in waited[rank])
            dependency = fsum([self.makespan - self._last(rank), *(w.dependency for w in waited[rank])])
            missing = max(work) - work[rank]
            imbalance = min(dependency, missing) if missing > 1e-9 * max(work) else 0.0
            shares = (dependency - imbalance, transfer, memory[rank], imbalance, synchronised + state[rank])
            found.append(dict(zip(CAUSES, shares, strict=True)))
        return tuple(found)

    @cached_property
    def memory(self) -> tuple[tuple[tuple[float, float], ...], ...]:
        """Per rank (time, stored activations from then on), times ascending; of equal times the last one stays."""
        change = changes(self.program, self.costs)
        return tuple(tuple(self._levels(rank, change)) for rank in range(len(self.program.ranks)))

    @cached_property
    def peaks(self) -> tuple[float, ...]:
        """Per rank the most activations that it stored."""
        return tuple(max((level for _, level in steps), default=0.0) for steps in self.memory)

    @cached_property
    def lower_bound(self) -> float:
        """No program with this placement and these costs has a shorter makespan, noise left out."""
        return makespan_bound(self.program, self.costs)

    @cached_property
    def transfers(self) -> int:
        """Messages between ranks; collectives do not count."""
        return sum(1 for _ in messages(self.timing.graph))

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """Every message (sender, receiver, what, start, end)."""
        return tuple(timed(self.timing, self.costs)) if self.sent is None else self.sent

    @cached_property
    def trace(self) -> Trace:
        """The run in the schema that measured runs have: a span a record, and a counter of stored activations.

        Its fields that end in ``_s`` have the unit of the costs here, whatever that is.
        """
        timing = self.timing
        nodes = zip(timing.graph.rank, timing.graph.records, timing.start, timing.end, strict=False)
        spans = (
            Span.model_construct(rank=rank, stream="compute", what=write_record(record), start_s=start, end_s=end)
            for rank, record, start, end in nodes
        )
        counters = (
            Counter.model_construct(rank=rank, name="stored microbatches", time_s=time, value=level)
            for rank, steps in enumerate(self.memory)
            for time, level in steps
        )
        return Trace.model_construct(source="simulated", spans=tuple(spans), counters=tuple(counters))

    def _nodes(self, rank: int) -> range:
        return range(self.timing.graph.first[rank], self.timing.graph.first[rank + 1])

    def _last(self, rank: int) -> float:
        nodes = self._nodes(rank)
        return self.timing.end[nodes[-1]] if nodes else 0.0

    def _inside(self, rank: int, *kinds: type[Record]) -> float:
        """Time inside records of these kinds."""
        records, start, end = self.timing.graph.records, self.timing.start, self.timing.end
        return fsum(end[n] - start[n] for n in self._nodes(rank) if isinstance(records[n], kinds))

    def _levels(self, rank: int, change: Callable[[Record], tuple[float, float]]) -> Iterator[tuple[float, float]]:
        timing, level = self.timing, 0.0
        for node in self._nodes(rank):
            added, freed = change(timing.graph.records[node])
            if added:
                level += added
                yield timing.start[node], round(level, 9)
            if freed:
                level -= freed
                yield timing.end[node], round(level, 9)
