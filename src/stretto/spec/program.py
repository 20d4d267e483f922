"""Program: who computes which piece of the step, and when, as a plain value.

A program is, for every rank of one pipeline, a tuple of records in the order in which the rank does them. The same
value is generated, verified, simulated, drawn and executed. Records are named tuples, so that hundreds of thousands of
them stay cheap; `spec.program_text` writes each as a few characters, `spec.program_file` a whole program as JSON.
Sends, receives and collectives are not in it: `schedule.lower` derives them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias


class Compute(NamedTuple):
    """A pass of one stage over one slice of one microbatch.

    ``F`` forward, ``B`` whole backward, or its two halves: ``I`` input gradient, ``W`` weight gradient.
    """

    kind: Literal["F", "B", "I", "W"]
    stage: int
    microbatch: int
    slice: int = 0
    """Part of the sequence, 0 the earliest tokens."""
    copy: int = 0
    """Which of the weight sets of a bidirectional schedule."""
    version: int = 0
    """Which weights are read: 0 those of the step's start, n those that ``update ^n`` of this stage makes."""


class Pair(NamedTuple):
    """A forward and a backward pass that a rank computes together, so that one's transfers hide under the other.

    Both start and end together; with `early_output` the forward's output leaves when the forward alone would be done,
    as if it ran first: an executor may start the send that follows the pair from within it.
    """

    forward: Compute
    backward: Compute
    early_output: bool = False


class Vocabulary(NamedTuple):
    """A pass of every rank over its share of the vocabulary (Yeung et al. 2024, Vocabulary Parallelism).

    ``E`` looks up the input embedding; ``S`` multiplies the last stage's hidden state by the output embedding, with a
    local softmax; ``T`` makes the output embedding's gradient; ``G`` the input embedding's. With one barrier
    (`Program.barriers`) the last stage's backward waits for every rank's ``S``; with two, ``T`` also makes the hidden
    state's gradient, so every ``T`` waits for every ``S``, and the backward for every ``T``.
    """

    kind: Literal["E", "S", "T", "G"]
    microbatch: int
    slice: int = 0
    copy: int = 0


class Memory(NamedTuple):
    """What happens to the activations that a stage's forward stored: dropped and recomputed, or moved out and back."""

    kind: Literal["recompute", "offload", "reload"]
    stage: int
    microbatch: int
    slice: int = 0
    copy: int = 0


class State(NamedTuple):
    """What happens to a stage's parameters.

    ``gather`` makes the parameters that passes read from the ones that the optimizer keeps. ``reduce`` starts summing
    the stage's gradients over all that hold it (other copies, replicas of the pipeline) and goes on: one channel a
    stage, so that two ranks may reduce two stages in different orders. ``update`` is the optimizer step, after which
    this stage has weights `version` (0: the weights of the next step); it waits for the sums of all stages, whose norm
    it needs, or, in a program with ``validate``, for its own stage's alone. ``validate`` checks an update made before,
    when the norm is known; ``rollback`` undoes it where the check failed.
    """

    kind: Literal["gather", "reduce", "update", "validate", "rollback"]
    stage: int
    copy: int = 0
    version: int = 0


Record: TypeAlias = Compute | Pair | Vocabulary | Memory | State
Pass: TypeAlias = Compute | Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The records of every rank of one pipeline; the other fields say what indices they may name.

    Replicas of the pipeline (data parallelism) all run the same program.
    """

    ranks: tuple[tuple[Record, ...], ...]
    """Per rank, in order."""
    stages: int
    """How many parts the model is cut into."""
    microbatches: int
    placement: tuple[tuple[int, ...], ...]
    """``placement[copy][stage]`` is the rank that holds that stage of that weight set."""
    slices: int = 1
    """How many parts every microbatch's sequence is cut into."""
    paths: tuple[tuple[int, ...], ...] = ()
    """Per microbatch the stages it visits, in order; empty: every microbatch visits all of them."""
    barriers: Literal[0, 1, 2] = 0
    """0: the vocabulary belongs to the first and the last stage; 1, 2: every rank has a share (`Vocabulary`)."""
    forward_only: bool = False
    """Inference: no pass has a backward."""
    kind: str = ""
    """The generator's name, for people."""

    @property
    def copies(self) -> int:
        """How many weight sets there are."""
        return len(self.placement)

    def path(self, microbatch: int) -> tuple[int, ...]:
        """The stages that `microbatch` visits, in order."""
        return self.paths[microbatch] if self.paths else tuple(range(self.stages))

    def upstream(self, stage: int, microbatch: int) -> int | None:
        """The stage whose output `stage` reads for `microbatch`, None for the first of its path."""
        path = self.path(microbatch)
        place = path.index(stage)
        return path[place - 1] if place else None

    def downstream(self, stage: int, microbatch: int) -> int | None:
        """The stage that reads `stage`'s output for `microbatch`, None for the last of its path."""
        path = self.path(microbatch)
        place = path.index(stage)
        return path[place + 1] if place + 1 < len(path) else None

    def chunks(self, rank: int) -> list[tuple[int, int]]:
        """The (copy, stage) pairs that `rank` holds, copies first, stages ascending."""
        return [(c, s) for c, row in enumerate(self.placement) for s, holder in enumerate(row) if holder == rank]


def passes_of(record: Record) -> tuple[Pass, ...]:
    """The passes that a record computes: two for a pair, none for memory and state."""
    if isinstance(record, Pair):
        return (record.forward, record.backward)
    return (record,) if isinstance(record, Compute | Vocabulary) else ()


def passes(program: Program) -> Iterator[tuple[int, Pass]]:
    """Every (rank, pass), rank by rank, in order."""
    for rank, records in enumerate(program.ranks):
        for record in records:
            for found in passes_of(record):
                yield rank, found
