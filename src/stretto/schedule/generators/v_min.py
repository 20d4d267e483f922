"""V-Min: the V-shaped schedule with the fewest activations, a third of 1F1B's (Qi et al. 2024, Controllable Memory).

In its block (`v_shape`) every pass follows at once upon the one before it. Every rank stores at most floor((p+4)/3)
microbatches' activations. Under equal times the bubble is about 2p/3m of the work; where F, I and W differ the tight
block makes ranks wait again with every microbatch.
"""

from __future__ import annotations

from stretto.schedule.generators.v_shape import Cells, v_shape
from stretto.spec.costs import PassCosts
from stretto.spec.program import Program


def v_min(ranks: int, microbatches: int, costs: PassCosts | None = None) -> Program:
    """The V-Min program under given times of the passes, by default all equal.

    Raises:
        UserError: a size is below 1, or the costs are for other sizes.
    """
    return v_shape(ranks, microbatches, _block, (ranks + 4) // 3, costs, kind="v-min")


def _block(ranks: int, rank: int) -> Cells:
    pause = 0 if ranks % 3 else 2  # so that no two passes share a cell modulo 6
    back = 2 * ranks + pause
    return rank, 2 * ranks - 1 - rank, back + rank, back + 2 * ranks - 1 - rank
