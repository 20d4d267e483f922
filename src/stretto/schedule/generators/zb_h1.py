"""ZB-H1: zero bubble in the memory of 1F1B (Qi et al. 2023, Zero Bubble, section 2).

For m >= p and W the shortest pass the bubble is ``(p - 1)(F + I - W)``, a third of 1F1B's with equal passes; messages
of c add ``4c`` a hop while ``2c <= W`` and m > p. Rank d stores ``p - d`` microbatches and what d weight gradients
still need.
"""

from __future__ import annotations

from stretto.schedule.generators.zb_handcrafted import handcrafted
from stretto.spec.program import Program


def zb_h1(ranks: int, microbatches: int) -> Program:
    """The program of `ranks` stages; any number of microbatches.

    Raises:
        UserError: a size is below 1.
    """
    return handcrafted(ranks, microbatches, ahead=1, kind="zb-h1")
