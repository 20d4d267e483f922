"""1F1B with a flush: backwards begin as early as they can (Narayanan et al. 2021, Megatron-LM, section 2.2.1).

Every rank holds one stage and does ``p - 1 - d`` forwards before it alternates. The bubble is GPipe's,
``(p - 1)(F + B)``; rank d stores only ``min(m, p - d)`` microbatches.
"""

from __future__ import annotations

from stretto.schedule.generators.alternating import alternating
from stretto.schedule.generators.placing import looped
from stretto.schedule.generators.sizes import check_sizes
from stretto.spec.program import Compute, Program


def one_f_one_b(ranks: int, microbatches: int) -> Program:
    """The program of `ranks` stages; any number of microbatches.

    Raises:
        UserError: a size is below 1.
    """
    check_sizes(ranks=ranks, microbatches=microbatches)
    orders = tuple(
        alternating(
            [Compute("F", rank, i) for i in range(microbatches)],
            [Compute("B", rank, i) for i in range(microbatches)],
            warmup=ranks - 1 - rank,
        )
        for rank in range(ranks)
    )
    return Program(ranks=orders, stages=ranks, microbatches=microbatches, placement=looped(ranks), kind="1f1b")
