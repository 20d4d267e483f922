"""Interleaved zero bubble: interleaved 1F1B with half the warm-up and deferred weight gradients.

The order of ZB-H1 (Qi et al. 2023) over several chunks a rank, as PyTorch's ScheduleInterleavedZeroBubble has it. Rank
d does ``p - 1 - d + (v - 1) g`` forwards before it alternates with input gradients; each weight gradient comes d
backwards later. Groups of g microbatches are those of interleaved 1F1B. For m >= p and W the
shortest pass the bubble is ``(p - 1)(F + I - W) / v``; rank d stores ``(p - d + (v - 1) g) / v`` microbatches and what
d weight gradients still need.
"""

from __future__ import annotations

from stretto.schedule.generators.alternating import alternating
from stretto.schedule.generators.interleaved import groups, looped_passes
from stretto.schedule.generators.placing import looped
from stretto.schedule.generators.sizes import check_sizes
from stretto.spec.errors import bad_value
from stretto.spec.program import Program


def interleaved_zb(ranks: int, microbatches: int, chunks: int = 2, group: int | None = None) -> Program:
    """The program of ``ranks * chunks`` stages; any number of microbatches.

    Args:
        ranks: how many ranks.
        microbatches: any number of them.
        chunks: stages a rank, at least 2.
        group: as for `interleaved`.

    Raises:
        UserError: a size is below 1, chunks below 2, or the group is smaller than the number of ranks.
    """
    check_sizes(ranks=ranks, microbatches=microbatches)
    if chunks < 2:
        raise bad_value("chunks", chunks, "an integer of at least 2", "zb-h1 is the same with one chunk a rank")
    sizes = groups(ranks, microbatches, group)
    orders = tuple(
        alternating(
            looped_passes("F", rank, ranks, chunks, sizes),
            looped_passes("I", rank, ranks, chunks, sizes),
            warmup=ranks - 1 - rank + (chunks - 1) * sizes[0],
            follow=looped_passes("W", rank, ranks, chunks, sizes),
            lag=rank,
        )
        for rank in range(ranks)
    )
    return Program(
        ranks=orders,
        stages=ranks * chunks,
        microbatches=microbatches,
        placement=looped(ranks, chunks),
        kind="interleaved-zb",
    )
