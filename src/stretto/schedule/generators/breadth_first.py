"""Breadth-first: all microbatches through one chunk after the other (Lamy-Poirier 2023, Breadth-First Pipelines).

Stages are dealt out to the ranks in turn, v chunks each. All microbatches go forward through chunk 0, then through
chunk 1 and so on, and come back in exactly the reverse order, so that sharded parameters are gathered and gradients
reduced once a chunk. The bubble is ``(p - 1)(F + B) / v`` for m >= p, every rank stores all m microbatches.
"""

from __future__ import annotations

from stretto.schedule.generators.placing import looped
from stretto.schedule.generators.sizes import check_sizes
from stretto.spec.program import Compute, Program


def breadth_first(ranks: int, microbatches: int, chunks: int = 2) -> Program:
    """The program of ``ranks * chunks`` stages; any number of microbatches.

    Raises:
        UserError: a size is below 1.
    """
    check_sizes(ranks=ranks, microbatches=microbatches, chunks=chunks)
    stages = ranks * chunks
    orders = tuple(
        (
            *(Compute("F", stage, i) for stage in range(rank, stages, ranks) for i in range(microbatches)),
            *(
                Compute("B", stage, i)
                for stage in range(stages - ranks + rank, -1, -ranks)
                for i in range(microbatches - 1, -1, -1)
            ),
        )
        for rank in range(ranks)
    )
    return Program(
        ranks=orders,
        stages=stages,
        microbatches=microbatches,
        placement=looped(ranks, chunks),
        kind="breadth-first",
    )
