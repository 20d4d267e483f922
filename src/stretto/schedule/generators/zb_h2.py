"""ZB-H2: zero bubble with twice the warm-up (Qi et al. 2023, Zero Bubble, section 2).

For m >= 2p and W the shortest pass the longest time from a rank's first record to its last exceeds its passes by
``(p - 1)(F + I + 2c - 2W)`` for messages of c, which is nothing with equal passes and free messages. Rank d stores
``2(p - d) - 1`` microbatches and what 2d weight gradients still need.
"""

from __future__ import annotations

from stretto.schedule.generators.zb_handcrafted import handcrafted
from stretto.spec.program import Program


def zb_h2(ranks: int, microbatches: int) -> Program:
    """The program of `ranks` stages.

    The order is sound for any number of microbatches; fewer than ``2 * ranks`` leave a larger bubble than the paper's.

    Raises:
        UserError: a size is below 1.
    """
    return handcrafted(ranks, microbatches, ahead=2, kind="zb-h2")
