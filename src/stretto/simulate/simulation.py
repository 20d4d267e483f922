"""Simulation: what happened when a program ran in virtual time, and why ranks waited."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

from stretto.spec.program import Program, Record
from stretto.spec.trace import Trace

Cause: TypeAlias = Literal["dependency", "transfer", "memory", "imbalance", "synchronisation"]
"""Why a rank was idle: its input was still being computed; or was under way; activations were being moved or
recomputed; the other ranks had more to do; or a collective waited for its last rank."""
CAUSES: tuple[Cause, ...] = ("dependency", "transfer", "memory", "imbalance", "synchronisation")


@dataclass(frozen=True, slots=True)
class Piece:
    """A record that was done: when, and what it had waited for."""

    record: Record
    start: float
    end: float
    idle: float = 0.0
    """How long its rank stood idle just before it."""
    cause: Cause | None = None
    """Why it did, None where it did not."""
    waited_for: str = ""
    """The record that it waited for and its rank, as text: ``F2.5 on rank 2``; empty for none."""


@dataclass(frozen=True)
class Simulation:
    """A program's run in virtual time. Times have the costs' unit, memory is in microbatches on one rank."""

    program: Program
    pieces: tuple[tuple[Piece, ...], ...]
    """Per rank, in order."""
    memory: tuple[tuple[tuple[float, float], ...], ...]
    """Per rank (time, stored activations from then on), times ascending."""
    lower_bound: float
    """No program with this placement and these costs has a shorter makespan."""
    transfers: int
    """Messages between ranks."""
    links: tuple[tuple[int, int, str, float, float], ...] = field(default=(), repr=False)
    """Every message (sender, receiver, what, start, end) where the simulation has them one by one."""

    @cached_property
    def makespan(self) -> float:
        """From 0 to the end of the last record."""
        return max((rank[-1].end for rank in self.pieces if rank), default=0.0)

    @cached_property
    def spans(self) -> tuple[float, ...]:
        """Per rank from the start of its first record to the end of its last."""
        return tuple(rank[-1].end - rank[0].start if rank else 0.0 for rank in self.pieces)

    @cached_property
    def busy(self) -> tuple[float, ...]:
        """Per rank the time inside passes; memory and state records do not count."""
        raise NotImplementedError

    @property
    def span(self) -> float:
        """The longest per-rank span."""
        return max(self.spans)

    @property
    def bubble_rate_makespan(self) -> float:
        """1 - busy time / (ranks x makespan)."""
        return 1 - sum(self.busy) / (len(self.pieces) * self.makespan)

    @property
    def bubble_rate_span(self) -> float:
        """1 - busy time / (ranks x longest span)."""
        return 1 - sum(self.busy) / (len(self.pieces) * self.span)

    @cached_property
    def peaks(self) -> tuple[float, ...]:
        """Per rank the most activations that it stored."""
        return tuple(max((level for _, level in steps), default=0.0) for steps in self.memory)

    @cached_property
    def causes(self) -> tuple[dict[Cause, float], ...]:
        """Per rank the idle time by cause, over the whole makespan."""
        raise NotImplementedError

    @cached_property
    def trace(self) -> Trace:
        """The run in the schema that measured runs have: spans, and counters of stored activations."""
        raise NotImplementedError
