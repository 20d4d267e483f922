"""The two handcrafted zero-bubble orders (Qi et al. 2023, Zero Bubble, section 2): 1F1B with the backward in halves.

Weight gradients wait for nobody but their own input gradient, so each comes some backwards later and fills what would
be idle at the end. H1 keeps the memory of 1F1B; H2 warms up twice as long, which needs nearly twice the memory, and
leaves a parallelogram without bubbles where all passes take equally long.
"""

from __future__ import annotations

from stretto.schedule.generators.alternating import alternating
from stretto.schedule.generators.placing import looped
from stretto.schedule.generators.sizes import check_sizes
from stretto.spec.program import Compute, Program


def handcrafted(ranks: int, microbatches: int, ahead: int, kind: str) -> Program:
    """The program whose rank d warms up with ``ahead * (p - 1 - d)`` forwards and defers W by ``ahead * d`` backwards.

    Raises:
        UserError: a size is below 1.
    """
    check_sizes(ranks=ranks, microbatches=microbatches)
    orders = tuple(
        alternating(
            [Compute("F", rank, i) for i in range(microbatches)],
            [Compute("I", rank, i) for i in range(microbatches)],
            warmup=ahead * (ranks - 1 - rank),
            follow=[Compute("W", rank, i) for i in range(microbatches)],
            lag=ahead * rank,
        )
        for rank in range(ranks)
    )
    return Program(ranks=orders, stages=ranks, microbatches=microbatches, placement=looped(ranks), kind=kind)
