"""Chimera: two pipelines in opposite directions, one stage of each a rank (Li and Hoefler 2021, Chimera).

A unit is N <= D microbatches on D ranks, half in each direction. Count time in slots of one pass: stage s runs the
forward of the direction's microbatch i in slot s + 2i and its backward in slot 2D-1-s + 2i. As D is even, one
direction has the even slots of a rank where the other has the odd ones, so the two merge without a conflict; a full
unit fills the 2D slots of a period, so further units simply follow after 2D slots (the paper's "direct concatenation").

Where forward and backward take equal time the idle share is (D-2)/(2m+D-2) for m microbatches in full units; for one
unit of N it is (2D-N-2)/(2D+N-2), which no order can beat, as a microbatch passes all ranks twice. Where a backward
takes two forwards, one full unit's is (D-2)/(3D/2+D-2). Ranks store between D/2+1 and D microbatches' activations, and
twice the weights. Time is linear in the records.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

from stretto.schedule.generators.placing import mirrored
from stretto.schedule.generators.sizes import check_even, check_sizes
from stretto.spec.errors import bad_value
from stretto.spec.program import Compute, Program


def chimera(ranks: int, microbatches: int) -> Program:
    """The Chimera program; of every unit the first half of the microbatches runs in copy 0, the second in copy 1.

    Raises:
        UserError: ranks or microbatches are odd.
    """
    check_sizes(ranks=ranks, microbatches=microbatches)
    check_even(ranks)
    if microbatches % 2:
        raise bad_value("microbatches", microbatches, "an even number, for two directions")
    return Program(
        ranks=tuple(_rank(ranks, microbatches, rank) for rank in range(ranks)),
        stages=ranks,
        microbatches=microbatches,
        placement=mirrored(tuple(range(ranks)), ranks),
        kind="chimera",
    )


def _rank(ranks: int, microbatches: int, rank: int) -> tuple[Compute, ...]:
    slots = sorted(_slots(ranks, microbatches, rank), key=itemgetter(0))
    return tuple(record for _, record in slots)


def _slots(ranks: int, microbatches: int, rank: int) -> Iterator[tuple[int, Compute]]:
    """The slot and the pass of everything a rank does; no two have the same slot."""
    for first in range(0, microbatches, ranks):
        half = min(ranks, microbatches - first) // 2
        for copy, stage in enumerate((rank, ranks - 1 - rank)):
            for i in range(half):
                microbatch = first + copy * half + i
                slot = 2 * (first + i)
                yield slot + stage, Compute("F", stage, microbatch, 0, copy)
                yield slot + 2 * ranks - 1 - stage, Compute("B", stage, microbatch, 0, copy)
