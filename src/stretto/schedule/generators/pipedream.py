"""PipeDream: 1F1B that updates after every microbatch, with weights stashed (Narayanan et al. 2019, section 3.3).

A stage's weights change after each backward. A microbatch's backward reads the version that its forward read, so
rank d keeps ``p - d`` versions; a gradient is ``p - 1 - d`` updates old when it is applied (`schedule.staleness`).
Nothing flushes the pipeline within a program; the order is that of 1F1B.
"""

from __future__ import annotations

from stretto.schedule.generators.alternating import alternating
from stretto.schedule.generators.placing import looped
from stretto.schedule.generators.sizes import check_sizes
from stretto.spec.program import Compute, Program, State


def pipedream(ranks: int, microbatches: int) -> Program:
    """The program of `ranks` stages; any number of microbatches.

    Raises:
        UserError: a size is below 1.
    """
    check_sizes(ranks=ranks, microbatches=microbatches)
    orders = tuple(
        alternating(
            [Compute("F", rank, i, version=max(i - warmup, 0)) for i in range(microbatches)],
            [Compute("B", rank, i, version=max(i - warmup, 0)) for i in range(microbatches)],
            warmup=warmup,
            follow=[State("update", rank, version=i + 1) for i in range(microbatches)],
        )
        for rank, warmup in enumerate(range(ranks - 1, -1, -1))
    )
    return Program(ranks=orders, stages=ranks, microbatches=microbatches, placement=looped(ranks), kind="pipedream")
