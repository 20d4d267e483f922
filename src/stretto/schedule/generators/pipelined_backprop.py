"""Pipelined backpropagation: an update after every microbatch, one set of weights (Kosson et al. 2021).

In every step rank d does the forward of one microbatch and the backward of another, ``2(p - 1 - d)`` microbatches
before it: the time that a result takes to the last rank and back. So it warms up with as many forwards. A forward
reads the weights that it finds and the backward the newest ones, ``2(p - 1 - d)`` updates later (`schedule.staleness`);
no older version is kept. A rank stores ``2(p - 1 - d) + 1`` microbatches.
"""

from __future__ import annotations

from stretto.schedule.generators.alternating import alternating
from stretto.schedule.generators.placing import looped
from stretto.schedule.generators.sizes import check_sizes
from stretto.spec.program import Compute, Program, State


def pipelined_backprop(ranks: int, microbatches: int) -> Program:
    """The program of `ranks` stages; any number of microbatches.

    Raises:
        UserError: a size is below 1.
    """
    check_sizes(ranks=ranks, microbatches=microbatches)
    orders = tuple(
        alternating(
            [Compute("F", rank, i, version=max(i - warmup, 0)) for i in range(microbatches)],
            [Compute("B", rank, i, version=i) for i in range(microbatches)],
            warmup=warmup,
            follow=[State("update", rank, version=i + 1) for i in range(microbatches)],
        )
        for rank, warmup in enumerate(range(2 * ranks - 2, -1, -2))
    )
    return Program(
        ranks=orders, stages=ranks, microbatches=microbatches, placement=looped(ranks), kind="pipelined-backprop"
    )
