"""V-Half: the V-shaped schedule with half the activations of 1F1B (Qi et al. 2024, Controllable Memory).

In its block (`v_shape`) passes go down the ranks in steps of two cells and up in steps of one. Every rank stores at
most floor((p+2)/2) microbatches' activations. Under equal times the bubble is at most 3p-7 chunk forwards, about
p/2m of the work; the steady state has none if W + 2I >= 2F and W + 2F >= 2I.
"""

from __future__ import annotations

from stretto.schedule.generators.v_shape import Cells, v_shape
from stretto.spec.costs import PassCosts
from stretto.spec.program import Program


def v_half(ranks: int, microbatches: int, costs: PassCosts | None = None) -> Program:
    """The V-Half program under given times of the passes, by default all equal.

    Raises:
        UserError: a size is below 1, or the costs are for other sizes.
    """
    return v_shape(ranks, microbatches, _block, (ranks + 2) // 2, costs, kind="v-half")


def _block(ranks: int, rank: int) -> Cells:
    pause = 0 if ranks % 2 else 3  # so that no two passes share a cell modulo 6
    back = 3 * ranks + pause
    return 2 * rank, 3 * ranks - 2 - rank, back - 1 + 2 * rank, back + 3 * ranks - 2 - rank
