"""Forward only: a pipeline for inference, in which no rank ever waits for a result to come back.

Stages are dealt out to the ranks in turn. Microbatches are taken in the groups of interleaved 1F1B, so that the first
results leave as soon as a group has gone through every chunk. For m >= p ranks idle for ``(p - 1) F / v`` in all; no
activations are kept.
"""

from __future__ import annotations

from stretto.schedule.generators.interleaved import groups, looped_passes
from stretto.schedule.generators.placing import looped
from stretto.schedule.generators.sizes import check_sizes
from stretto.spec.program import Program


def forward_only(ranks: int, microbatches: int, chunks: int = 1) -> Program:
    """The program of ``ranks * chunks`` stages; any number of microbatches.

    Raises:
        UserError: a size is below 1.
    """
    check_sizes(ranks=ranks, microbatches=microbatches, chunks=chunks)
    sizes = groups(ranks, microbatches)
    return Program(
        ranks=tuple(tuple(looped_passes("F", rank, ranks, chunks, sizes)) for rank in range(ranks)),
        stages=ranks * chunks,
        microbatches=microbatches,
        placement=looped(ranks, chunks),
        forward_only=True,
        kind="forward-only",
    )
