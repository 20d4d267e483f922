"""Program: who computes which piece of the step, and when, as a plain value.

A program is, for every rank, a tuple of records in order. Its records of today are the passes of a stage on a
microbatch and what happens to a stage's parameters; `schedule/generators` makes programs, `train.step` runs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Compute:
    """A pass of one stage over one microbatch: ``F`` forward, ``B`` whole backward."""

    kind: Literal["F", "B"]
    stage: int
    microbatch: int

    def __str__(self) -> str:
        return f"{self.kind}{self.stage}.{self.microbatch}"


@dataclass(frozen=True, slots=True)
class State:
    """What happens to a stage's parameters.

    ``gather`` makes the parameters that passes read from the ones that the optimizer keeps; ``reduce`` starts summing
    gradients over the ranks that hold the same parameters; ``update`` is the optimizer step.
    """

    kind: Literal["gather", "reduce", "update"]
    stage: int

    def __str__(self) -> str:
        return f"{self.kind}{self.stage}"


Record: TypeAlias = Compute | State


@dataclass(frozen=True, slots=True)
class Program:
    """The records of every rank; `stages` and `microbatches` say what indices they may name."""

    stages: int
    microbatches: int
    ranks: tuple[tuple[Record, ...], ...]
