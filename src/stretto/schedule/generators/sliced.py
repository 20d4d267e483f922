"""Sliced 1F1B: sequences go through the pipeline in parts (Sun et al. 2024, Seq1F1B; Li et al. 2021, TeraPipe).

Every rank holds one stage. A microbatch's q slices go forward from the earliest tokens to the last, whose attention
reads the keys and values of those before, and come back in reverse. Rank d does ``p - 2 - d + q`` forwards of slices
before it alternates. With slices of equal cost the bubble is ``(p - 1)(F + B) / q`` and rank d stores
``(p - 1 + q - d) / q`` microbatches.
"""

from __future__ import annotations

from typing import Literal

from stretto.schedule.generators.alternating import alternating
from stretto.schedule.generators.placing import looped
from stretto.schedule.generators.sizes import check_sizes
from stretto.spec.program import Compute, Program


def sliced(ranks: int, microbatches: int, slices: int = 2) -> Program:
    """The program of `ranks` stages; any number of microbatches and slices.

    Raises:
        UserError: a size is below 1.
    """
    check_sizes(ranks=ranks, microbatches=microbatches, slices=slices)
    orders = tuple(
        alternating(
            sliced_passes("F", rank, microbatches, slices),
            sliced_passes("B", rank, microbatches, slices),
            warmup=ranks - 2 - rank + slices,
        )
        for rank in range(ranks)
    )
    return Program(
        ranks=orders,
        stages=ranks,
        microbatches=microbatches,
        placement=looped(ranks),
        slices=slices,
        kind="sliced-1f1b",
    )


def sliced_passes(kind: Literal["F", "B", "I", "W"], stage: int, microbatches: int, slices: int) -> list[Compute]:
    """One kind of pass of a stage: microbatch by microbatch, slices ascending forward and descending backward."""
    order = range(slices) if kind == "F" else range(slices - 1, -1, -1)
    return [Compute(kind, stage, i, part) for i in range(microbatches) for part in order]
