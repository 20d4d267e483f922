"""Sliced zero bubble: sliced 1F1B with deferred weight gradients (Sun et al. 2024, Seq1F1B; Qi et al. 2023, ZB-H1).

As sliced 1F1B, with every backward in halves: rank d puts each weight gradient off by d backwards of slices. With
``m q >= p - 1 + q``, slices of equal cost and W the shortest pass the bubble is ``(p - 1)(F + I - W) / q``. Rank d
stores ``(p - 1 + q - d) / q`` microbatches and what d weight gradients of slices still need, so no rank more than the
first one does under sliced 1F1B.
"""

from __future__ import annotations

from stretto.schedule.generators.alternating import alternating
from stretto.schedule.generators.placing import looped
from stretto.schedule.generators.sizes import check_sizes
from stretto.schedule.generators.sliced import sliced_passes
from stretto.spec.program import Program


def sliced_zb(ranks: int, microbatches: int, slices: int = 2) -> Program:
    """The program of `ranks` stages; any number of microbatches and slices.

    Raises:
        UserError: a size is below 1.
    """
    check_sizes(ranks=ranks, microbatches=microbatches, slices=slices)
    orders = tuple(
        alternating(
            sliced_passes("F", rank, microbatches, slices),
            sliced_passes("I", rank, microbatches, slices),
            warmup=ranks - 2 - rank + slices,
            follow=sliced_passes("W", rank, microbatches, slices),
            lag=rank,
        )
        for rank in range(ranks)
    )
    return Program(
        ranks=orders,
        stages=ranks,
        microbatches=microbatches,
        placement=looped(ranks),
        slices=slices,
        kind="sliced-zb",
    )
