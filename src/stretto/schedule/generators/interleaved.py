"""Interleaved 1F1B: several chunks a rank, groups of microbatches in turn (Narayanan et al. 2021, section 2.2.2).

Stages are dealt out to the ranks in turn, v chunks each. Microbatches are taken in groups of g: a group goes through
chunk 0, then chunk 1 and so on; backward the chunks are reversed. Rank d does ``2(p - 1 - d) + (v - 1) g`` forwards
before it alternates. For m >= p the bubble is ``(p - 1)(F + B) / v`` whatever the
groups; rank d stores ``(2(p - 1 - d) + (v - 1) g + 1) / v`` microbatches, so the default, g = p, needs least.

Any m works. A rank alternates in step with the rank before it, which is ``2(p - 1)`` forwards ahead of the last one,
so a group of fewer than p microbatches would make the first rank wait for what the last one does only after it: each
group must have at least p, unless it is the only one. The warm-up must reach the last chunk of every group, so no
group may be larger than the first.
"""

from __future__ import annotations

from typing import Literal

from stretto.schedule.generators.alternating import alternating
from stretto.schedule.generators.placing import looped
from stretto.schedule.generators.sizes import check_sizes
from stretto.spec.errors import bad_value
from stretto.spec.program import Compute, Program


def interleaved(ranks: int, microbatches: int, chunks: int = 2, group: int | None = None) -> Program:
    """The program of ``ranks * chunks`` stages.

    Args:
        ranks: how many ranks.
        microbatches: any number of them.
        chunks: stages a rank.
        group: how many microbatches go through a chunk before the next chunk's turn; none: as many as ranks.

    Raises:
        UserError: a size is below 1, or the group is smaller than the number of ranks.
    """
    check_sizes(ranks=ranks, microbatches=microbatches, chunks=chunks)
    sizes = groups(ranks, microbatches, group)
    orders = tuple(
        alternating(
            looped_passes("F", rank, ranks, chunks, sizes),
            looped_passes("B", rank, ranks, chunks, sizes),
            warmup=2 * (ranks - 1 - rank) + (chunks - 1) * sizes[0],
        )
        for rank in range(ranks)
    )
    return Program(
        ranks=orders,
        stages=ranks * chunks,
        microbatches=microbatches,
        placement=looped(ranks, chunks),
        kind="interleaved-1f1b",
    )


def groups(ranks: int, microbatches: int, group: int | None = None) -> list[int]:
    """How many microbatches each group has, largest first.

    Groups are of `group`; what is left over is the last group if it has at least `ranks`, as in Megatron core. If it
    has fewer, the microbatches are spread evenly over the whole groups there are, as PyTorch does where that leaves
    nothing over. Fewer microbatches than `group` are one group.

    Raises:
        UserError: the group is smaller than the number of ranks.
    """
    size = ranks if group is None else group
    if size < ranks:
        raise bad_value("group", size, f"at least {ranks}, the number of ranks: with fewer the ranks wait in a circle")
    whole, left = divmod(microbatches, size)
    if not whole:
        return [microbatches]
    if left >= ranks:
        return [size] * whole + [left]
    each, more = divmod(microbatches, whole)
    return [each + 1] * more + [each] * (whole - more)


def looped_passes(
    kind: Literal["F", "B", "I", "W"], rank: int, ranks: int, chunks: int, sizes: list[int]
) -> list[Compute]:
    """One kind of pass of a rank in depth-first order: group by group, chunk by chunk, last chunk first if backward."""
    stages = range(rank, rank + ranks * chunks, ranks)
    if kind != "F":
        stages = stages[::-1]
    found: list[Compute] = []
    start = 0
    for size in sizes:
        found += [Compute(kind, stage, i) for stage in stages for i in range(start, start + size)]
        start += size
    return found
